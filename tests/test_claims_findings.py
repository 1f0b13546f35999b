"""Findings of records: how they are judged, and which claims they are evidence for."""

from __future__ import annotations

import math
import re
from pathlib import Path

import numpy as np
import pytest

from linreg_dyn.claims import Claim, registry, verdict
from linreg_dyn.claims import records as evidence
from linreg_dyn.claims.records import Finding
from validation.core import Prediction
from validation.experiments import registry as experiments

MEASURED = {name: claim for name, claim in registry().items() if claim.measurement and claim.depths == ()}


@pytest.mark.parametrize("exact", [False, True])
def test_findings_are_judged_as_predictions_are(exact: bool) -> None:
    """The same rule, written twice: a thousand regions and samples."""
    rng = np.random.default_rng(3)
    words = {True: "agrees", False: "disagrees", None: "inconclusive"}
    seen = set()
    for k in range(500):
        numbers = tuple(rng.normal(0, 0.3, rng.integers(0, 5)))
        low, high = np.sort(rng.normal(0, 1, 2))
        if k % 5 == 0:  # numbers that do not vary, on an end or beside it
            numbers, low, high = (float(rng.integers(-1, 2)),) * 3, 0.0, 1.0
        low, high = [(low, high), (-math.inf, high), (low, math.inf)][rng.integers(3)]
        judged = Prediction("x", "", low, high, exact=exact).judge({"x": numbers})
        assert words[Finding("x", low, high, exact, numbers).agrees()] == judged.verdict
        seen.add(judged.verdict)
    assert seen == set(words.values())


@pytest.mark.parametrize("exact", [False, True])
def test_no_effect_at_all_is_evidence_in_neither_direction(exact: bool) -> None:
    for low, high, same in ((0.0, math.inf, 0.0), (-math.inf, 1.0, 1.0)):
        one = Finding("x", low, high, exact, (same,) * 3)
        assert one.agrees() is None
        assert [other.agrees() for other in one.opposites()] == [None]


@pytest.mark.parametrize("exact", [False, True])
def test_the_controls_move_numbers_out_and_turn_predictions_round(exact: bool) -> None:
    for low, high in ((-1.1, -0.9), (-math.inf, -0.9), (-1.1, math.inf)):
        one = Finding("x", low, high, exact, (-1.0, -1.01, -0.99))
        assert one.agrees() is True
        assert one.moved().agrees() is False
        assert [other.agrees() for other in one.opposites()] == [False] * (math.isfinite(low) + math.isfinite(high))


def test_a_control_needs_every_finding() -> None:
    good, wide = (Finding("x", 0, math.inf, False, numbers) for numbers in ((1.0, 1.1), (1.0, -0.9)))
    for control in evidence.CONTROLS:
        assert control.agrees([good, good]) is False
    assert evidence.CONTROLS[0].agrees([good, wide]) is None


@pytest.mark.parametrize("one", MEASURED.values(), ids=MEASURED)
def test_a_measured_claim_says_where_it_comes_from(one: Claim, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(evidence.VARIABLE, str(tmp_path))
    assert one.kind == "printed"
    assert re.search(r"section|Fig\.|Theorem", one.source.locator)
    assert len(one.variants) == 2
    assert "no record" in verdict.examine(one, {}, {}).method


def rests_on(experiment: str, prediction: Prediction) -> list[str]:
    """The claims that a prediction is evidence for."""
    return [
        name
        for name, one in MEASURED.items()
        if one.measurement and one.measurement.measure.__self__.about(experiment, prediction.metric, prediction.claim)  # pyright: ignore[reportFunctionMemberAccess]
    ]


OURS = {
    "lewkowycz.lambda-pred-kernel",  # the paper measures c, and has none of the kernel's
    "adaptive.weight-decay-shallow-tenfold",  # ten times the weight decays of Table 1
}
PRESUPPOSED = {"helps"}
"""Without it the other predictions of an experiment decide nothing; no paper's statement is about it."""


def test_every_prediction_is_evidence_for_a_claim_and_every_claim_has_predictions() -> None:
    used: set[str] = set()
    for experiment in experiments().values():
        for setting in experiment.scales.values():
            for prediction in setting.predictions:
                about = rests_on(experiment.id, prediction)
                assert bool(about) != (experiment.id in OURS or prediction.metric in PRESUPPOSED), (
                    f"{experiment.id}: {prediction.metric} is evidence for {about}"
                )
                assert len(about) <= 1
                assert prediction.claim is None or about == [prediction.claim]
                used.update(about)
    assert used == set(MEASURED)


@pytest.mark.parametrize("one", MEASURED.values(), ids=MEASURED)
def test_a_claim_knows_how_many_experiments_there_are(one: Claim) -> None:
    assert one.measurement is not None
    rests = one.measurement.measure.__self__  # pyright: ignore[reportFunctionMemberAccess]
    there = [
        experiment.id
        for experiment in experiments().values()
        if any(rests.about(experiment.id, p.metric, p.claim) for s in experiment.scales.values() for p in s.predictions)
    ]
    assert rests.of == len(there)

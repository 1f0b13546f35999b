"""Adapting regularisation with the learning rate: experiments at a toy size, Table 1, and a paper that is wrong."""

import numpy as np
import pytest

from linreg_dyn.schedules import as_schedule
from linreg_dyn.schedules.published import TABLE_1
from tests.toy_settings import FC, check, measured, verdicts
from validation.context import Context
from validation.experiments import adaptive

BY_ID = {experiment.id.removeprefix("adaptive."): experiment for experiment in adaptive.EXPERIMENTS}
TOY = {"data": "digits", "train": 24, "test": 40, "model": FC, "batch": 24, "unit": 1, "every": 50}
TOY |= {"precision": "float32"}


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.mark.parametrize("name", sorted(BY_ID))
def test_every_figure_runs_at_every_scale(name, tmp_path):
    experiment = BY_ID[name]
    for scale in experiment.scales:
        if scale == "paper":
            continue  # the same code and runs as at gpu scale
        check(experiment, *measured(experiment, scale, tmp_path / scale, **TOY))


@pytest.mark.parametrize("run", [*adaptive.ALL, *adaptive.SPARSE])
def test_runs_follow_the_table(run):
    values = BY_ID["weight-decay"].scales["paper"].values
    found = adaptive.recipe(values | {"unit": 2}, run, 0)
    for first, last, rate, one, two, *sparse in TABLE_1:
        decay = {"01": one, "02": two}.get(run, 1e-4 if run in ("21", "22", "23") else float(run))
        dropped = dict(zip(("21", "22", "23"), sparse, strict=True)).get(run, 0.0)
        for step in (2 * (first - 1), 2 * last - 1):
            assert as_schedule(found.learning_rate).at(step) == rate
            assert as_schedule(found.l2, zero=True).at(step) == pytest.approx(decay)
            assert as_schedule(found.sparsity, zero=True).at(step) == dropped
    assert found.steps == 2 * TABLE_1[-1][1]


def test_the_other_reading_multiplies_the_schemes_alone():
    values = BY_ID["weight-decay-shallow-tenfold"].scales["paper"].values
    assert as_schedule(adaptive.recipe(values, "01", 0).l2).at(200_000) == pytest.approx(0.016)
    assert adaptive.recipe(values, "8e-3", 0).l2 == 0.008
    quick = BY_ID["weight-decay-shallow"].scales["quick"].values
    assert adaptive.recipe(quick, "8e-3", 0).l2 == pytest.approx(quick["scale"] * 0.008)


@pytest.mark.parametrize("name", ["weight-decay-shallow", "weight-decay-cifar100"])
def test_what_a_tenth_of_the_steps_leaves_of_decays_is_said_and_not_expected(name):
    """rate x decay x steps, by Table 1."""

    def acts(scale, run, first, last):
        values = BY_ID[name].scales[scale].values
        how, steps = adaptive.recipe(values, run, 0), np.arange(first * values["unit"], last * values["unit"])
        return float((as_schedule(how.learning_rate).at(steps) * as_schedule(how.l2, zero=True).at(steps)).sum())

    assert acts("paper", "1e-3", 0, 250) == pytest.approx(5.6, abs=0.05)
    assert acts("gpu", "1e-3", 0, 250) == pytest.approx(0.56, abs=0.005)
    assert acts("gpu", "8e-3", 0, 250) == pytest.approx(4.4, abs=0.05)
    assert acts("gpu", "01", 100, 250) < 0.005
    gpu = BY_ID[name].scales["gpu"]
    assert "rate x decay x steps is a tenth of the paper's" in gpu.differs
    assert {p.metric for p in gpu.predictions if not p.expected} == set(adaptive.BY_DECAYS)
    assert all(p.expected for p in BY_ID[name].scales["paper"].predictions)


def _curves(losses, errors):
    """Two numbers by run, at the end of the first phase and of the last."""
    steps = np.array([0, 250, 450])
    return {
        run: {
            "steps": steps,
            "test_loss": np.array([2.3, *losses[run]]),
            "test_accuracy": 1 - np.array([0.9, *errors[run]]),
        }
        for run in losses
    }


LOSSES = {"01": (0.3, 0.3), "02": (0.35, 0.3), "1e-3": (0.6, 0.32), "2e-3": (0.5, 0.5), "4e-3": (0.4, 0.4)}
LOSSES |= {"8e-3": (0.45, 0.4)}
ERRORS = {"01": (0.1, 0.11), "02": (0.1, 0.12), "1e-3": (0.1, 0.09), "2e-3": (0.1, 0.1), "4e-3": (0.1, 0.1)}
ERRORS |= {"8e-3": (0.2, 0.1)}


def _verdicts(monkeypatch, folder, losses, errors, name="weight-decay"):
    rows = []
    for seed in range(3):
        seen = {run: (a + 1e-4 * seed, b - 1e-4 * seed) for run, (a, b) in losses.items()}
        monkeypatch.setattr(adaptive, "_trained", lambda *_, seen=seen: _curves(seen, errors))
        rows.append(adaptive.weight_decay({"unit": 1}, seed, Context(folder)).metrics)
    return verdicts(BY_ID[name].scales["gpu"], rows)


def test_networks_as_the_paper_has_them_agree(monkeypatch, tmp_path):
    errors = {run: (a, b) for run, (a, b) in ERRORS.items()}
    assert set(_verdicts(monkeypatch, tmp_path, LOSSES, errors).values()) == {"agrees"}


@pytest.mark.parametrize(
    ("change", "wrong"),
    [
        ({"02": (0.2, 0.3)}, "best_01"),
        ({"2e-3": (0.9, 0.5)}, "worst_1e-3"),
        ({"1e-3": (0.6, 0.6)}, "gap_closes"),
    ],
)
def test_another_order_of_losses_disagrees(monkeypatch, tmp_path, change, wrong):
    found = _verdicts(monkeypatch, tmp_path, LOSSES | change, ERRORS)
    assert found[wrong] == "disagrees"


@pytest.mark.parametrize(
    ("change", "wrong"),
    [
        ({"8e-3": (0.05, 0.1)}, "worst_8e-3"),
        ({"01": (0.15, 0.11)}, "comparable_01"),
        ({"02": (0.15, 0.12)}, "comparable_02"),
        ({"1e-3": (0.1, 0.2)}, "schemes_worse"),
    ],
)
def test_another_order_of_errors_disagrees(monkeypatch, tmp_path, change, wrong):
    found = _verdicts(monkeypatch, tmp_path, LOSSES, ERRORS | change)
    assert found[wrong] == "disagrees"


def test_on_cifar_100_schemes_are_not_worse(monkeypatch, tmp_path):
    found = _verdicts(monkeypatch, tmp_path, LOSSES, ERRORS, "weight-decay-cifar100")
    assert found["schemes_worse"] == "disagrees"


def test_a_run_that_diverged_is_no_evidence(monkeypatch, tmp_path):
    found = _verdicts(monkeypatch, tmp_path, LOSSES | {"02": (np.nan, np.nan)}, ERRORS)
    assert {found[name] for name in ("best_01", "worst_1e-3", "gap_closes")} == {"inconclusive"}

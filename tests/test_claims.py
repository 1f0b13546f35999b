"""The registry of claims, and one audit of all of it."""

from __future__ import annotations

import json
import re
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from linreg_dyn import claims
from linreg_dyn.certify import checker
from linreg_dyn.claims import Claim, Evidence, registry
from linreg_dyn.claims.ginsburg.flatness import sharpness_range
from linreg_dyn.files import canonical_json
from linreg_dyn.report.mathml import statement as as_html

F = Fraction

# Ids are permanent: add to this list, never change or remove.
PERMANENT = """
    normalized-loss gradient hessian hessian-eigenvalues flat-is-balanced flow flow-loss flow-invariant gd-step
    gd-loss-d2 gd-loss-can-increase thm-3.1 thm-3.1-case-1 thm-3.1-case-2 thm-3.2 thm-3.2-factor wd-flow wd-flow-loss
    wd-band wd-band-stays wd-imbalance noise-flow-loss noise-band-factor noise-band noise-flow-imbalance noise-step
    noise-imbalance-step thm-4.1 thm-4.1-along-trajectory thm-4.1-note sgd-gradient sgd-noise-form sgd-noise-variance
    sgd-flow-loss sgd-imbalance-step thm-5.1 thm-5.1-chain thm-5.1-along-trajectory thm-3.1.sharp-range
    thm-3.1.largest-rate thm-3.1.best-rate thm-3.2.sharp-range thm-4.1.largest-rate thm-5.1.largest-rate
    flatness-from-imbalance
    simplex-product simplex-product.range flat-near-origin sgd-full-batch sgd-flow-imbalance wd-band-stays.discrete
    wd-loss-in-band wd-equilibria thm-3.1-conclusion
    hessian-eigenvalues.amended flat-order origin-order gd-step.amended gd-loss-d2.amended
    thm-3.1-conclusion.amended wd-band-stays.discrete.amended noise-band-factor.amended noise-band.amended
    thm-4.1-along-trajectory.amended thm-4.1-note.amended sgd-full-batch.amended sgd-noise-factor
    thm-5.1-chain.amended thm-5.1-along-trajectory.amended sgd-noise-band sgd-noise-band.amended
    large-batch-sharp large-batch-sharp.amended sgd-imbalance-to-zero noise-optimization noise-optimization.amended
    noise-band-kept noise-band-kept.amended noise-flow-band thm-4.1-note-limit
    thm-3.2-note wd-optimization wd-never-enters critical-points sharp-near-axes gradient-flat-and-sharp
    gd-any-rate-fails continuous-dropout noise-tikhonov sgd-band-width
"""
CLAIMS = {name: claim for name, claim in registry().items() if name.startswith("ginsburg.") and claim.parts}
REFUTED = [claim.id for claim in CLAIMS.values() if claim.amended_by]


@pytest.fixture(scope="module")
def evidence() -> dict[str, Evidence]:
    """One audit of every claim, shared by this module."""
    return {item.claim.id: item for item in claims.audit(list(CLAIMS.values()))}


# ---------------------------------------------------------------- the registry
def test_every_claim_is_registered_under_its_permanent_id() -> None:
    permanent = [f"ginsburg.{name}" for name in PERMANENT.split()]
    assert sorted(CLAIMS) == sorted(permanent)
    assert all(claim.id == name for name, claim in CLAIMS.items())


@pytest.mark.parametrize("claim", CLAIMS.values(), ids=CLAIMS)
def test_printed_and_amended_claims_name_each_other(claim: Claim) -> None:
    assert claim.kind in ("printed", "amended", "sharp")
    assert (claim.kind == "amended") == (claim.amends is not None) == claim.id.endswith(".amended")
    if claim.amended_by is not None:
        assert claim.kind == "printed"
        assert CLAIMS[claim.amended_by].amends == claim.id
    if claim.amends is not None:
        assert CLAIMS[claim.amends].amended_by == claim.id


@pytest.mark.parametrize("claim", CLAIMS.values(), ids=CLAIMS)
def test_a_claim_says_where_it_comes_from_and_how_it_can_fail(claim: Claim) -> None:
    assert claim.source.key == "ginsburg2020"
    assert re.search(r"section|eq\.|eqs\.|Theorem|footnote", claim.source.locator)
    assert claim.title
    assert claim.depths == "all" or claim.depths == tuple(sorted(set(claim.depths)))
    assert len({mutant.about for mutant in claim.mutants}) == len(claim.mutants) >= 2
    for mutant in claim.mutants:
        mutant.of(claim)  # raises if the mutation changes nothing


def rendered(latex: str) -> bool:
    """Did all of it become MathML, and does no word stand outside of \\text{}?"""
    words = re.findall("[A-Za-z]{3,}", re.sub(r"\\text\{[^{}]*\}|\\[A-Za-z]+(\{[A-Za-z]+\})?", " ", latex))
    return "<math" in as_html(latex) and 'class="latex"' not in as_html(latex) and not words


@pytest.mark.parametrize("claim", CLAIMS.values(), ids=CLAIMS)
def test_statements_are_rendered_as_mathematics(claim: Claim) -> None:
    assert rendered(claim.statement)


def test_a_statement_that_cannot_be_rendered_is_noticed() -> None:
    assert rendered(r"\text{the loss } L \to 0")
    for latex in (r"L \unknowncommand 0", r"\frac{1}{", "the loss L"):
        assert not rendered(latex)


# ---------------------------------------------------------------- the verdicts
def test_every_claim_is_decided_and_every_mutant_refuted(evidence: dict[str, Evidence]) -> None:
    assert {name: item.verdict for name, item in evidence.items() if item.verdict not in ("proved", "refuted")} == {}
    for item in evidence.values():
        assert item.mutants["refuted"] == item.mutants["tried"] == len(item.claim.mutants)
        assert 0 < item.admitted <= item.tried
        assert item.seconds > 0


def test_only_printed_claims_are_refuted_and_what_amends_them_is_proved(evidence: dict[str, Evidence]) -> None:
    refuted = [item for item in evidence.values() if item.verdict == "refuted"]
    for item in refuted:
        assert item.claim.kind == "printed"
        assert item.claim.amended_by is not None
        assert evidence[item.claim.amended_by].verdict == "proved"
    assert [item.claim.id for item in refuted] == REFUTED


def test_every_certificate_is_accepted(evidence: dict[str, Evidence], tmp_path: Any) -> None:
    for name, item in evidence.items():
        assert item.certificate is not None
        assert item.certificate["claim"] == name
        formal = [{k: v for k, v in part.items() if k != "proof"} for part in item.certificate["parts"]]
        assert formal == [part.formal() for part in item.claim.parts]
        (tmp_path / f"{name}.json").write_text(canonical_json(item.certificate), encoding="utf-8")
    results = checker.check_directory(tmp_path)
    assert [line for line in results if not line[1]] == []
    assert len(results) == len(evidence)


ROW = {
    "id": str,
    "statement": str,
    "source": dict,
    "kind": str,
    "amends": (str, type(None)),
    "amended_by": (str, type(None)),
    "depths": (str, list),
    "verdict": str,
    "method": str,
    "witness": (dict, type(None)),
    "values": dict,
    "mutants": dict,
    "tried": int,
    "admitted": int,
    "certificate": (str, type(None)),
    "seconds": float,
}


def test_the_rows_of_claims_json(evidence: dict[str, Evidence]) -> None:
    for item in evidence.values():
        row = json.loads(json.dumps(item.to_json("certificates/x.json")))
        assert {name: isinstance(row[name], kind) for name, kind in ROW.items()} == dict.fromkeys(row, True)
        assert set(row["source"]) == {"key", "locator"}
        assert row["depths"] == "all" or all(isinstance(d, int) for d in row["depths"])
        assert (row["witness"] is not None) == (row["verdict"] == "refuted")
        for ends in row["values"].values():
            assert F(ends["lower"]) <= F(ends["upper"])
        if row["witness"]:
            numbers = [x for v in row["witness"]["given"].values() for x in (v if isinstance(v, list) else [v])]
            assert all(isinstance(x, str) and str(F(x)) == x for x in numbers)


def test_an_audit_is_the_same_for_the_same_seed_and_decides_the_same_for_another(evidence: dict[str, Evidence]) -> None:
    some = [CLAIMS[name] for name in (*REFUTED, "ginsburg.thm-3.1", "ginsburg.wd-band")]

    def run(seed: int) -> dict[str, dict[str, Any]]:
        found = claims.audit(some, seed=seed)
        return {item.claim.id: {**item.to_json(), "seconds": 0, "proof": item.certificate} for item in found}

    again, other = run(0), run(7)
    for claim in some:
        first = evidence[claim.id]
        assert again[claim.id] == {**first.to_json(), "seconds": 0, "proof": first.certificate}
        assert other[claim.id]["verdict"] == first.verdict
    assert any(other[name]["witness"] != again[name]["witness"] for name in REFUTED)


# ---------------------------------------------------------------- the constants
def enclosed(ends: dict[str, str], power: int, value: F) -> bool:
    """lower <= value^(1/power) <= upper, and to 15 digits."""
    lower, upper = F(ends["lower"]), F(ends["upper"])
    return lower**power <= value <= upper**power and upper - lower <= abs(upper) / 10**15


def test_the_enclosures_contain_the_constants(evidence: dict[str, Evidence]) -> None:
    values = {name.removeprefix("ginsburg."): item.values for name, item in evidence.items()}
    for name, key, power, value in (
        ("thm-3.1.sharp-range", "inf", 1, F(-1, 8)),
        ("thm-3.1.sharp-range", "sup", 1, F(7, 8)),
        ("thm-3.1.largest-rate", "c", 1, F(4, 9)),
        ("thm-3.1.best-rate", "c", 1, F(2, 5)),
        ("thm-3.1.best-rate", "k", 1, F(4, 5)),
        ("thm-3.2.sharp-range", "inf", 1, F(247, 256)),
        ("thm-3.2.sharp-range", "c", 2, F(32, 9)),
        ("thm-3.2.sharp-range", "c_same_sign", 1, F(4, 3)),
        ("thm-4.1.largest-rate", "c", 2, F(512, 2025)),
        ("thm-4.1.largest-rate", "c_same_sign", 1, F(16, 45)),
        ("thm-5.1.largest-rate", "c (delta = 1/2)", 2, F(8, 9)),
        ("thm-5.1.largest-rate", "c", 2, F(1, 8)),
        ("thm-5.1.largest-rate", "c_same_sign", 1, F(1, 4)),
        ("flatness-from-imbalance", "sharpness (d = 2, D = 1)", 2, F(20)),
    ):
        assert enclosed(values[name][key], power, value)
        assert not enclosed(values[name][key], power, value * F(1001, 1000))
    for d in range(3, 9):  # mu_c^d is rational
        critical = F(d - 2, 2 * d - 2) ** (d - 2) * F(d, 2 * d - 2) ** d
        assert enclosed(values["wd-equilibria"][f"mu_c (d = {d})"], d, critical)


@pytest.mark.parametrize("depth", [2, 3, 4, 6])
def test_no_minimum_is_flatter_or_sharper_than_its_imbalance_allows(depth: int) -> None:
    """Random minima lie in the range; two equal groups, and two with the contraharmonic mean of both, at its ends.

    The product of the weights is 1 to `depth` roundings, which the sharpness amplifies at most by `depth`."""
    rng = np.random.default_rng(depth)
    rounding = 4 * depth**2 * np.finfo(float).eps
    for kind in ("anything", "groups", "middle") * 15:
        a, b = np.sort(np.exp(rng.normal(size=2)))[::-1]
        if kind == "anything":
            v = np.exp(rng.normal(size=depth))
        elif kind == "groups":
            v = np.array([a] * rng.integers(1, depth) + [b] * depth)[:depth]
        else:
            v = np.array([a, b] + [(a**2 + b**2) / (a + b)] * (depth - 2))
        v /= np.prod(v) ** (1 / depth)
        ends = sharpness_range(depth, F(float((1 / v).max() - (1 / v).min())))
        low, high, sharpness = float(ends["least"]["lower"]), float(ends["largest"]["upper"]), 2 * v.sum()
        assert low * (1 - rounding) <= sharpness <= high * (1 + rounding)
        if kind == "middle":
            assert sharpness == pytest.approx(low, rel=rounding)
        if kind == "groups" and depth <= 3:
            counts = [sharpest(depth, j, 1 / v.min() - 1 / v.max()) for j in range(1, depth)]
            assert max(counts) == pytest.approx(high, rel=1e-12)


@pytest.mark.parametrize("depth", [2, 3, 5, 9])
def test_minima_of_any_depth_are_flat_where_they_are_balanced_or_close_to_the_origin(depth: int) -> None:
    """The bounds of `flat-is-balanced` and `flat-near-origin`, beyond the depths that the checker writes out.

    The product of the weights is 1 to `depth` roundings, which the bounds amplify at most by `depth`."""
    rng = np.random.default_rng(depth)
    rounding = 1 + 8 * depth**2 * np.finfo(float).eps
    for scale in (0.01, 0.1, 1, 3) * 25:
        w = np.exp(scale * rng.normal(size=depth))
        w /= np.prod(w) ** (1 / depth)
        D, S, N = np.ptp(w**2), (1 / w**2).sum(), (w**2).sum()
        assert depth <= min(S, N) * rounding
        assert (depth - 1) * D ** (1 / (depth - 1)) < S * rounding
        assert np.ptp(w) ** 2 <= N * rounding - depth
        if D < 1:
            assert depth * rounding >= S * (1 - D)


def sharpest(depth: int, j: int, D: float) -> float:
    """The sharpness with j weights w^2 = m and the others m + D, by bisection on m^j (m + D)^(depth - j) = 1."""
    low, high = 0.0, 1.0
    for _ in range(200):
        m = (low + high) / 2
        low, high = (m, high) if m**j * (m + D) ** (depth - j) < 1 else (low, m)
    return 2 * (j / m + (depth - j) / (m + D))

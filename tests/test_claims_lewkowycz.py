"""Lewkowycz and Gur-Ari (2020), theorems, modes and times: verdicts, and witnesses and bounds by other means."""

from __future__ import annotations

import argparse
import json
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from scipy.integrate import quad, solve_ivp
from scipy.optimize import brentq, minimize_scalar

from linreg_dyn import claims
from linreg_dyn.certify import checker
from linreg_dyn.claims import Claim, Evidence, registry
from linreg_dyn.claims.lewkowycz import limits, modes, networks, peak, times, wide, width
from linreg_dyn.commands import check
from linreg_dyn.files import canonical_json
from tests.certificates import refusal, signed

F = Fraction
CLAIMS = {claim.id: claim for module in (networks, width, wide, modes, limits, times, peak) for claim in module.CLAIMS}
VERDICTS = {
    "lemma-1": "proved",
    "thm-1-f": "proved",
    "thm-1-kernel": "proved",
    "thm-1-correction": "survived",
    "lemma-2": "proved",
    "thm-1-limit": "proved",
    "thm-2": "proved",
    "thm-2.any-degree": "proved",
    "thm-2-decay": "proved",
    "thm-2-decay.any-degree": "proved",
    "kernel-matrix-solution": "proved",
    "k1-ridge": "proved",
    "k0-effective-lr": "proved",
    "two-timescales": "refuted",
    "two-timescales.amended": "proved",
    "late-time-rate": "refuted",
    "late-time-rate.amended": "proved",
    "decay-time-depth": "refuted",
    "decay-time-depth.amended": "proved",
    "min-loss-time": "refuted",
    "min-loss-time.amended": "proved",
}


@pytest.fixture(scope="module")
def evidence() -> dict[str, Evidence]:
    return {item.claim.id.removeprefix("lewkowycz."): item for item in claims.audit(list(CLAIMS.values()))}


# ---------------------------------------------------------------- verdicts and certificates
def test_the_verdicts(evidence: dict[str, Evidence]) -> None:
    assert {name: item.verdict for name, item in evidence.items()} == VERDICTS
    for name, item in evidence.items():
        assert item.mutants["refuted"] == item.mutants["tried"] >= 2, name
        assert 0 < item.admitted <= item.tried, name


def test_every_claim_is_registered(evidence: dict[str, Evidence]) -> None:
    assert all(registry()[name] is claim for name, claim in CLAIMS.items())


@pytest.mark.parametrize("claim", [c for c in registry().values() if c.id.startswith("lewkowycz.")], ids=lambda c: c.id)
def test_a_claim_says_where_it_comes_from_and_what_it_amends(claim: Claim) -> None:
    assert claim.source.key == "lewkowycz2020"
    assert claim.title
    assert (claim.kind == "amended") == (claim.amends is not None)
    if claim.amended_by is not None:
        assert registry()[claim.amended_by].amends == claim.id
    if claim.amends is not None:
        assert registry()[claim.amends].amended_by == claim.id
    assert len(set(claim.variants)) == len(claim.variants) >= 2
    for mutant in claim.mutants:
        mutant.of(claim)  # raises if the mutation changes nothing


def test_the_certificates_are_accepted_and_are_about_the_claims(
    evidence: dict[str, Evidence], tmp_path: Any, capsys: Any
) -> None:
    written = {item.claim.id: item.certificate for item in evidence.values() if item.certificate}
    assert len(written) == len(CLAIMS) - 1  # all but the measurement
    for name, certificate in written.items():
        (tmp_path / f"{name}.json").write_text(canonical_json(certificate), encoding="utf-8")
    assert [line for line in checker.check_directory(tmp_path) if not line[1]] == []
    assert check.run(argparse.Namespace(directory=str(tmp_path))) == 0
    assert "REFUSED" not in capsys.readouterr().out


def altered(certificate: Any, old: str, new: str) -> Any:
    text = json.dumps({k: v for k, v in certificate.items() if k != "sha256"})
    assert old in text, f"{old} is not in the certificate"
    return signed(json.loads(text.replace(old, new)))


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("thm-1-f", "- lam*theta", "- 2*lam*theta"),  # the flow
        ("thm-1-f", "- k*lam*f1", "- lam*f1"),
        ("thm-1-kernel", "-2*(k - 1)*lam", "-2*k*lam"),
        ("lemma-2", "before <= -1", "before <= 1"),
        ("thm-1-limit", "- k*lam*f", "- 2*k*lam*f"),
        ("thm-2", "(k - 2)*lam*s", "(k - 1)*lam*s"),
        ("thm-2", '["t", "1"]', '["t", "2"]'),
        ("thm-2-decay", "tangent ", "exp "),
        ("thm-2-decay", '"primitive": "(1)*s"', '"primitive": "(1/2)*s"'),
        ("thm-2-decay.any-degree", '"relation": ">="', '"relation": "<="'),
        ("two-timescales.amended", "exp(-gamma*t)", "exp(-gamma*t/2)"),
        ("min-loss-time", '"1/3"', '"1/2"'),  # the witness
        ("decay-time-depth", '"t1": "200"', '"t1": "225"'),
        ("decay-time-depth.amended", "q/2*exp", "q/3*exp"),
        ("late-time-rate", '"m": "1/2"', '"m": "1"'),
        ("late-time-rate.amended", "c*exp(-k*lam*t)", "c*exp(-lam*t)"),
    ],
)
def test_an_altered_statement_proof_or_witness_is_refused(
    evidence: dict[str, Evidence], name: str, old: str, new: str
) -> None:
    certificate = json.loads(json.dumps(evidence[name].certificate))
    assert refusal(certificate) is None
    assert refusal(altered(certificate, old, new)) is not None


def test_a_certificate_about_another_flow_is_not_the_registered_claims(
    evidence: dict[str, Evidence], tmp_path: Any, capsys: Any
) -> None:
    """True, and proved, but of a flow with another decay: accepted by the algebra, refused by the registry."""
    name = "lewkowycz.thm-2"
    certificate = json.loads(json.dumps(evidence["thm-2"].certificate))
    slower = altered(altered(certificate, "k*lam*f[", "2*k*lam*f["), "- k*lam*Sum(e*f)", "- 2*k*lam*Sum(e*f)")
    for content, status in ((certificate, 0), (slower, 1)):
        assert refusal(content) is None
        (tmp_path / f"{name}.json").write_text(json.dumps(content), encoding="utf-8")
        assert check.run(argparse.Namespace(directory=str(tmp_path))) == status
    assert "another statement" in capsys.readouterr().out


# ---------------------------------------------------------------- a mode, integrated without the formula
def mode(gamma: float, lam: float, k: float, f0: float, end: float) -> Any:
    def rate(t: float, f: Any) -> Any:
        return -gamma * np.exp(-2 * (k - 1) * lam * t) * (f - 1) - k * lam * f

    return solve_ivp(rate, (0, end), [f0], method="LSODA", rtol=1e-11, atol=1e-13, dense_output=True).sol


def runs(evidence: Evidence) -> list[tuple[float, float, float]]:
    assert evidence.witness is not None
    given = {n: float(F(x)) for n, x in evidence.witness["given"].items()}
    return [(given[f"lam{n}"], given[f"m{n}"] + 1, given[f"t{n}"]) for n in "12"]


def test_the_witness_against_the_decay_time(evidence: dict[str, Evidence]) -> None:
    (lam1, k1, t1), (lam2, k2, t2) = runs(evidence["decay-time-depth"])
    assert mode(1, lam1, k1, 1, t1)(t1)[0] > 0.5 > mode(1, lam2, k2, 1, t2)(t2)[0]
    assert k1 * lam1 * t1 >= 4 * k2 * lam2 * t2


def share(gamma: float, lam: float, k: float, t: float) -> float:
    """How large what eq. 1 has beside -k lam f is next to it, of a mode from 0."""
    f = mode(gamma, lam, k, 0, t)(t)[0]
    return gamma * np.exp(-2 * (k - 1) * lam * t) * (1 - f) / (k * lam * f)


def test_the_witness_against_the_late_rate_and_where_it_is_right(evidence: dict[str, Evidence]) -> None:
    witness = evidence["late-time-rate"].witness
    assert witness is not None
    gamma, lam, m, t = (float(F(witness["given"][n])) for n in ("gamma", "lam", "m", "t"))
    assert gamma * np.exp(-2 * m * lam * t) <= lam / 1000
    assert share(gamma, lam, m + 1, t) > 0.25
    assert share(3, 1, 1.5, 20) == pytest.approx(0.5 / 1.5, rel=1e-3)  # (2 - k)/k, up to e^{-(2 - k) t}
    for k in (2, 2.5, 4, 8):
        for ratio in (1, 10, 1e3):
            assert share(ratio, 1, k, np.log(1000 * ratio) / (2 * (k - 1))) < 0.25


def test_the_witness_against_the_time_of_least_loss(evidence: dict[str, Evidence]) -> None:
    scaled = []
    for lam, k, _ in runs(evidence["min-loss-time"]):
        f = mode(1, lam, k, 0, 3 / lam)
        found: Any = minimize_scalar(lambda t, f=f: (f(t)[0] - 1) ** 2, bounds=(0, 3 / lam), options={"xatol": 1e-9})
        scaled.append(lam * found.x)
    (lam1, k1, t1), (lam2, k2, t2) = runs(evidence["min-loss-time"])
    assert k1 == k2
    assert lam1 * t1 < scaled[0]
    assert lam2 * t2 > scaled[1]
    assert lam1 * t1 >= 4 * lam2 * t2  # so that lam t* cannot be one number within a factor of two


def test_the_witness_against_the_two_timescales(evidence: dict[str, Evidence]) -> None:
    witness = evidence["two-timescales"].witness
    assert witness is not None
    gamma, lam, k = (float(F(witness["given"][n])) for n in ("gamma", "lam", "k"))
    assert gamma > lam
    assert mode(gamma, lam, k, 0, 10 / lam)(np.linspace(0, 10 / lam, 2001)).max() < 0.5


def test_the_time_of_least_loss_lies_in_the_enclosures_and_falls(evidence: dict[str, Evidence]) -> None:
    values = evidence["min-loss-time.amended"].values
    for ratio in (2, 20, 200, 2000):
        f = mode(ratio, 1, 2, 0, 2)
        found: Any = minimize_scalar(lambda t, f=f: -f(t)[0], bounds=(0, 2), options={"xatol": 1e-9})
        ends = values[f"lambda t* (gamma/lambda = {ratio})"]
        assert float(ends["lower"]) < found.x < float(ends["upper"])
    uppers = [float(ends["upper"]) for ends in values.values()]
    lowers = [float(ends["lower"]) for ends in values.values()]
    assert all(upper < lower for upper, lower in zip(uppers[1:], lowers, strict=False) if upper < 0.2)
    assert uppers[-1] < 1e-3


@pytest.mark.parametrize("k", [1.2, 2, 3, 6])
@pytest.mark.parametrize("gamma", [0.3, 3, 300])
def test_the_bounds_hold_along_integrated_modes(gamma: float, k: float) -> None:
    t = np.linspace(0, 3, 301)
    decayed = gamma * np.exp(-2 * (k - 1) * t)
    peak, slack = decayed / (decayed + k), 1e-9
    forgets, fades = np.sqrt(decayed) / 2, np.exp(-k * t)
    learning, learned = (mode(gamma, 1, k, f0, 3)(t)[0] for f0 in (0, 1))
    assert np.all(learning <= np.minimum(1 - np.exp(-gamma * t), np.minimum(gamma / (gamma + k), forgets)) + slack)
    assert np.all(learning >= peak * (1 - np.exp(-(decayed + k) * t)) - slack)
    assert np.all((np.maximum(peak, fades) - slack <= learned) & (learned <= forgets + fades + slack))


@pytest.mark.parametrize("k", [1.5, 2, 4])
@pytest.mark.parametrize("ratio", [1e2, 1e6])
def test_half_is_left_when_the_kernel_has_fallen_to_l2_up_to_a_time_of_order_one_over_l2(
    ratio: float, k: float
) -> None:
    """The reading of decay-time-depth.amended: s depends on k alone, and is log 2 at k = 2."""
    early, late = (np.log(ratio / c) / (2 * (k - 1)) for c in (k, 1))
    s = brentq(lambda s: np.exp(-k * s) + np.exp(-(k - 1) * s) / 2 - 0.5, 0, 50)
    assert k != 2 or s == pytest.approx(np.log(2))
    f = mode(ratio, 1, k, 1, late + s)
    assert f(early)[0] > 0.5 > f(late + s)[0]


@pytest.mark.parametrize(("f0", "y", "k"), [(0.3, -1.0, 2), (-1.0, 0.5, 3.5), (1.0, 1.0, 1.25)])
def test_eq_3_and_s9_against_quadrature(f0: float, y: float, k: float) -> None:
    gamma, lam, t = 1.7, 0.4, 1.3
    q, m = 2 * (k - 1) * lam, k - 1
    integral = quad(lambda s: np.exp(-gamma * np.exp(-q * s) / q - (k - 2) * lam * s), 0, t, epsabs=1e-13)[0]
    value = np.exp(gamma * np.exp(-q * t) / q - k * lam * t) * (np.exp(-gamma / q) * f0 + gamma * y * integral)
    exact = {"gamma": F(17, 10), "lam": F(2, 5), "t": F(13, 10), "m": F(m), "f0": F(f0), "y": F(y)}
    scope = checker.Scope(exact, modes.DECAY)
    low, high = checker.enclose(checker.R.of(scope("f")), {}, (80, 64))
    assert float(low) - 1e-12 <= value <= float(high) + 1e-12
    assert high - low < F(1, 10**5)
    text = modes.BOUND if k >= 2 else modes.SLOW
    bound = checker.enclose(checker.R.of(scope(text)), {}, (80, 8))
    assert abs(value) <= float(bound[1])

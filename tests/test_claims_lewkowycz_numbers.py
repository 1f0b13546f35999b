"""Claims about supplements A and E: numbers, the softmax loss and Algorithm 1, against other computations."""

from __future__ import annotations

import math
import random
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from linreg_dyn.certify import checker
from linreg_dyn.claims import falsify
from linreg_dyn.claims.lewkowycz import loss_and_schedule, numbers
from linreg_dyn.claims.verdict import audit
from linreg_dyn.schedules import AutoL2
from tests.verdicts import decided_and_amended

CLAIMS = {c.id: c for m in (numbers, loss_and_schedule) for c in m.CLAIMS}
NAMES = ("lambda-pred-table", "longest-runs", "discussion-peak-time", "softmax-normalisation", "autol2-pseudocode")
REFUTED = {f"lewkowycz.{name}" for name in NAMES}
PRINTED = ["0.000131", "6.56e-5", "2.63e-5", "1.31e-5", "6.56e-6", "4.38e-6", "3.28e-6"]
BUDGETS = (50, 100, 250, 500, 1000, 1500, 2000)


@pytest.fixture(scope="module")
def evidence() -> dict[str, Any]:
    return {e.claim.id: e for e in audit(list(CLAIMS.values()), CLAIMS)}


def test_verdicts_and_certificates(evidence: dict[str, Any]) -> None:
    decided_and_amended(CLAIMS, evidence, REFUTED)


# ---------------------------------------------------------------- numbers
def test_the_rows_are_those_printed() -> None:
    assert [Fraction(p) for p in PRINTED] == [Fraction(value) for _, value, _ in numbers.TABLE]
    for text, (T, _, half) in zip(PRINTED, numbers.TABLE, strict=True):
        exponent = Decimal(text).as_tuple().exponent
        assert Fraction(half) == Fraction(Decimal(5).scaleb(int(exponent) - 1))
        assert int(T) in BUDGETS


def misprints(c: Decimal) -> list[int]:
    """The budgets T at which c/T, rounded to three digits, is not what is printed."""
    return [T for T, text in zip(BUDGETS, PRINTED, strict=True) if Decimal(f"{c / T:.2e}") != Decimal(text)]


def test_one_c_gives_the_whole_table_and_the_printed_one_does_not() -> None:
    assert misprints(Decimal("0.0066")) == list(BUDGETS)
    assert misprints(Decimal("0.00656")) == [250, 1500]
    assert misprints(Decimal("0.006564")) == []
    for c, agrees in ((numbers.LOW - Fraction(1, 10**9), False), (numbers.HIGH + Fraction(1, 10**9), False)):
        assert (misprints(Decimal(c.numerator) / Decimal(c.denominator)) == []) == agrees
    inside = [numbers.LOW + (numbers.HIGH - numbers.LOW) * Fraction(k, 100) for k in range(1, 100)]
    assert not any(misprints(Decimal(c.numerator) / Decimal(c.denominator)) for c in inside)


def test_the_runs_of_figure_2() -> None:
    rates = (0.0125, 0.025, 0.05, 0.1, 0.2, 0.4, 0.8, 1.6)
    l2s = (1.5625e-5, 6.25e-5, 1.25e-4, 2.5e-4, 5e-4, 1e-3, 2e-3, 4e-3, 8e-3, 0.016)
    np.testing.assert_allclose([float(r) for r in numbers.LR], rates, rtol=1e-15)
    np.testing.assert_allclose([float(r) for r in numbers.L2[:4]], l2s[:4], rtol=1e-15)
    epochs = {round(0.1 / (a * b), 6) for a in rates for b in l2s}
    assert max(e for e in epochs if e <= 4000) == 4000
    assert 5000 not in epochs
    longest = {(a, b) for a in rates for b in l2s if round(0.1 / (a * b), 6) == 4000}
    assert {(float(a), float(b)) for a, b in numbers.LONGEST} == longest
    assert (max(rates), min(l2s)) in longest
    assert len(longest) == 7
    assert 8000 in epochs


# ---------------------------------------------------------------- softmax
def test_descent_on_the_printed_loss_lowers_the_probability_of_the_label() -> None:
    rng = np.random.default_rng(0)
    for classes in (2, 3, 10):
        for sign, raises in ((1, False), (-1, True)):
            logits = rng.normal(size=classes)

            def loss(f: np.ndarray, s: int = sign, k: int = classes) -> float:
                return s * (f[0] - np.log(np.exp(f).sum())) / (2 * k * 4)

            def p(f: np.ndarray) -> float:
                return float(np.exp(f[0]) / np.exp(f).sum())

            steps = 1e-6 * np.eye(classes)
            gradient = np.array([(loss(logits + e) - loss(logits - e)) / 2e-6 for e in steps])
            assert (p(logits - 0.1 * gradient) > p(logits)) == raises
            assert (loss(logits) > 0) == raises


def test_the_rate_behind_the_claim_is_the_sum_of_squares() -> None:
    """`Dt(p)` of the amended claim at rationals, against c p ((1 - p)^2 + the sum over the others of p_j^2)."""
    for classes in (2, 3):
        part = loss_and_schedule.softmax_part(classes, "-")
        e, B = [Fraction(k + 2, 3) for k in range(classes)], Fraction(2)
        scope = checker.Scope({"e": e, "B": B}, part.where, rates=part.rates)
        p = [x / sum(e) for x in e]
        expected = p[0] / (2 * classes * B) * ((1 - p[0]) ** 2 + sum(x * x for x in p[1:]))
        assert scope("Dt(p)") == expected


# ---------------------------------------------------------------- Algorithm 1
def algorithm(losses: list[float], errors: list[float], *, every_minimum: bool, error_name: str) -> list[float]:
    """Algorithm 1, line by line, at measurements t = k, 2k, ... (k = 5): the L2 after each.

    `error_name`: what ERROR stands for in the test on errors, "ERROR" (the error now) or "MINERROR". `every_minimum`:
    are the minima lowered where L2 decays, too?
    """
    k, min_loss, min_error, min_step, l2, out = 5, math.inf, math.inf, 0.0, 0.1, []
    for n, (loss, error) in enumerate(zip(losses, errors, strict=True)):
        t, last_loss, last_error = k * (n + 1), losses[n - 1] if n else math.inf, errors[n - 1] if n else math.inf
        bar = min_error if error_name == "MINERROR" else error
        increases = (loss > min_loss and last_loss > min_loss) or (error > bar and last_error > bar)
        decays = increases and t > min_step
        if decays:
            l2 /= 10
            min_step = 0.1 / l2 + t
        if every_minimum or not decays:
            min_loss, min_error = min(last_loss, min_loss), min(last_error, min_error)
        out.append(l2)
    return out


def auto(losses: list[float], errors: list[float]) -> list[float]:
    schedule = AutoL2()
    state, out = schedule.start(), []
    for n, (loss, error) in enumerate(zip(losses, errors, strict=True)):
        state = schedule.update(state, 5 * (n + 1), loss, error)
        out.append(state[0])
    return out


def test_the_amended_algorithm_is_the_schedule_and_the_printed_one_is_not() -> None:
    rng, differ = random.Random(0), {"errors": 0, "minima": 0}
    for _ in range(300):
        losses = [rng.choice((1.0, 2.0, 3.0, 4.0)) for _ in range(60)]
        errors = [rng.choice((0.1, 0.2, 0.3, 0.4)) for _ in range(60)]
        expected = auto(losses, errors)
        assert algorithm(losses, errors, every_minimum=True, error_name="MINERROR") == expected
        differ["errors"] += algorithm(losses, errors, every_minimum=True, error_name="ERROR") != expected
        differ["minima"] += algorithm(losses, errors, every_minimum=False, error_name="MINERROR") != expected
    assert differ["errors"] > 30
    assert differ["minima"] > 0


def test_with_the_printed_name_errors_never_cause_a_decay() -> None:
    errors = [0.1, *[0.5] * 20]
    assert set(algorithm([1.0] * 21, errors, every_minimum=True, error_name="ERROR")) == {0.1}
    assert auto([1.0] * 21, errors)[-1] < 0.1


def test_every_disagreement_is_a_witness_of_its_own() -> None:
    for part in CLAIMS["lewkowycz.autol2-pseudocode"].parts:
        assert falsify.search(part, (1,), tries=50, seed=1)[0] is not None

"""Every bound at an adaptive learning rate, lr = c / sum(1/w_i^2), as a property of one exact step.

Everything is rational arithmetic, so there is no tolerance and no false alarm; the step is `rules.step`, and
nothing of the claims or of their checker is used. Each bound is a function of its constants, and its mutants, the
same bound with a constant slightly too good, must be broken by a search over the same nets.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
from flint import fmpq
from hypothesis import given
from hypothesis import strategies as st

from linreg_dyn import rules
from tests.exact_nets import (
    HALF,
    ONE,
    PAPER_4,
    QUARTER,
    ROOT_2,
    TWO,
    ZERO,
    Bound,
    Q,
    after,
    counterexample,
    factor,
    factors_between,
    imbalances,
    inside,
    inverse_squares,
    long_run,
    near_one,
    nets,
    noisy,
)

LITTLE, LOW, HIGH = Q(1, 1000), Q(-1, 8), Q(7, 8)


# ---------------------------------------------------------------- the bounds, as functions of their constants
def contraction(bound: Any = HIGH, radius: Any = HALF, c: Any = QUARTER) -> Bound:
    """Theorem 3.1: |W(t+1) - 1| <= 7/8 |W - 1|."""

    def holds(w: list[fmpq]) -> bool:
        return abs(rules.end_to_end(after(w, c)) - 1) <= bound * abs(rules.end_to_end(w) - 1)

    return Bound(near_one(1 - radius, 1 + radius), holds)


def loss_factor(low: Any, high: Any, region: tuple[Any, Any], c: Any = QUARTER) -> Bound:
    """Cases 1 and 2 of Theorem 3.1, printed and sharp: low < k < high for W in the region (1 not inside)."""
    return Bound(near_one(*region), lambda w: low < factor(w, after(w, c)) < high)


@st.composite
def with_radius(draw: Any) -> tuple[list[fmpq], fmpq]:
    r = draw(inside(0, 1, closed=True)) or Q(1)
    W = 1 + r * draw(inside(-1, 1))
    return draw(nets(W if W != 1 else 1 + r / 3)), r


def largest_rate(q: Any = ONE) -> Bound:
    """|k| < 1 for c = q/(1 + r)^2, q <= 1, wherever |W - 1| < r <= 1."""
    return Bound(with_radius(), lambda x: -1 < factor(x[0], after(x[0], q / (1 + x[1]) ** 2)) < 1)


def best_rate(q: Any = ONE, tighter: Any = ONE) -> Bound:
    """|k| < 2r/(1 + r^2) for c = 1/(2 (1 + r^2))."""

    def holds(x: tuple[list[fmpq], fmpq]) -> bool:
        w, r = x
        return abs(factor(w, after(w, q / (2 * (1 + r**2))))) < tighter * 2 * r / (1 + r**2)

    return Bound(with_radius(), holds)


def imbalance_factor(low: Any = ZERO, radius: Any = HALF, c: Any = QUARTER, high: Any = ONE) -> Bound:
    """Theorem 3.2: low < D_ij(t+1)/D_ij <= 1."""
    return Bound(near_one(1 - radius, 1 + radius), lambda w: factors_between(w, after(w, c), low, high))


def with_noise(low: Any = ZERO, c: Any = PAPER_4, limit: Any = HALF, **region: Any) -> Bound:
    """Theorem 4.1: low < D_ij(t+1)/D_ij <= 1 for |eta| < delta, |W - 1| < delta, delta < 1/2."""

    def holds(x: tuple[list[fmpq], fmpq, fmpq]) -> bool:
        w, eta, _ = x
        return factors_between(w, after(w, c, rules.noise_augmentation, eta), low)

    return Bound(noisy(limit, **region), holds)


def with_sgd_noise(low: Any = ZERO, q: Any = ONE, **region: Any) -> Bound:
    """Theorem 5.1 with c = q/(2 delta (1 + delta)): low < D_ij(t+1)/D_ij <= 1 for |eta| <= delta, |W - 1| < delta."""

    def holds(x: tuple[list[fmpq], fmpq, fmpq]) -> bool:
        w, eta, delta = x
        return factors_between(w, after(w, q / (2 * delta * (1 + delta)), rules.sgd_noise, eta), low)

    return Bound(noisy(1, closed=True, **region), holds)


def sgd_chain(first: Any = 1, second: Any = 2) -> Bound:
    """The corrected chain of inequalities for Theorem 5.1, from the smallest to the largest term below 1."""

    def holds(x: tuple[list[fmpq], fmpq, fmpq]) -> bool:
        w, eta, delta = x
        W, S = rules.end_to_end(w), inverse_squares(w)
        lam, g = 1 / (2 * delta * (1 + delta) * S), W - 1 + eta
        last = 4 * lam**2 * S**2 * delta**2 * (1 + delta) ** 2
        third = second * lam**2 * W**2 * S**2 * ((W - 1) ** 2 + eta**2)
        order = sorted(range(len(w)), key=lambda i: abs(w[i]))
        for i, j in itertools.combinations(order[:4], 2):
            a, b = 1 / w[i] ** 2, 1 / w[j] ** 2
            links = 4 * lam**2 * g**2 * W**2 * a * b, first * lam**2 * g**2 * W**2 * (a + b) ** 2, third, last
            if not all(u <= v for u, v in itertools.pairwise(links)):
                return False
        return True

    return Bound(noisy(1, closed=True), holds)


def noise_region(top: Any = TWO, c: Any = PAPER_4) -> Bound:
    """Theorem 4.1 along trajectories: 0 < W < 2 is kept by every step, and no |D_ij| grows or changes sign."""

    def holds(x: tuple[list[fmpq], fmpq, fmpq]) -> bool:
        w, eta, _ = x
        v = after(w, c, rules.noise_augmentation, eta)
        return 0 < rules.end_to_end(v) < top and factors_between(w, v, 0)

    return Bound(long_run(top), holds)


def printed_noise_band() -> Bound:
    """False as printed: |W - 1| < delta is kept."""
    keeps = lambda x: abs(rules.end_to_end(after(x[0], PAPER_4, rules.noise_augmentation, x[1])) - 1) < x[2]  # noqa: E731
    return Bound(noisy(HALF), keeps)


def sgd_region(q: Any = ONE, printed_rate: bool = False) -> Bound:
    """Theorem 5.1 along trajectories: with c = q/(2 (1 + delta)^2) the band |W - 1| < delta is kept."""

    def holds(x: tuple[list[fmpq], fmpq, fmpq]) -> bool:
        w, eta, delta = x
        c = 1 / (2 * delta * (1 + delta)) if printed_rate else q / (2 * (1 + delta) ** 2)
        v = after(w, c, rules.sgd_noise, eta)
        return abs(rules.end_to_end(v) - 1) < delta and factors_between(w, v, 0)

    return Bound(noisy(1, closed=True), holds)


@st.composite
def distributions(draw: Any, biased: bool) -> tuple[list[fmpq], list[fmpq], fmpq, fmpq]:
    """(weights, equally likely values of a zero-mean noise, delta, C): |eta| < delta, |W - 1| < delta, |w_i| < C."""
    delta = draw(inside(0, HALF))
    s = delta * draw(inside(-1, 1))
    w = draw(nets(1 + delta * draw(inside(-1, 1))))
    eta = draw(st.sampled_from(([s, -s], [s, -s / 2, -s / 2], [s, -s / 3, -s / 3, -s / 3])))
    return w, [s] if biased else eta, delta, max(map(abs, w)) * (1 + Q(1, 2 ** draw(st.integers(1, 40))))


def expected_factor(constant: Any = 4, power: int = 6, biased: bool = False) -> Bound:
    """The corrected note to Theorem 4.1: E(k) <= 1 - 4 (1 - delta)^6 lambda^2 sigma^2 / C^4."""

    def holds(x: tuple[list[fmpq], list[fmpq], fmpq, fmpq]) -> bool:
        w, noise, delta, C = x
        lam, s2 = PAPER_4 / inverse_squares(w), sum((e**2 for e in noise), Q(0)) / len(noise)
        steps = [imbalances(w, after(w, PAPER_4, rules.noise_augmentation, e)) for e in noise]
        means = [sum((b / a for a, b in pair), Q(0)) / len(noise) for pair in zip(*steps, strict=True)]
        return all(k <= 1 - constant * (1 - delta) ** power * lam**2 * s2 / C**4 for k in means)

    return Bound(distributions(biased), holds)


def product(low: Any, high: Any, lower: Callable[..., Any], upper: Callable[..., Any]) -> Bound:
    """Bounds on the product of 1 - x p_i over the simplex for low <= x < high."""

    def holds(instance: tuple[list[fmpq], fmpq]) -> bool:
        w, x = instance
        S, value = inverse_squares(w), Q(1)
        for y in w:
            value *= 1 - x / (y**2 * S)
        return lower(x) <= value <= upper(x)

    return Bound(st.tuples(nets(Q(1)), inside(low, high)), holds)


class Case(NamedTuple):
    """A bound, its true constants, and constants that are a little too good."""

    make: Callable[..., Bound]
    constants: dict[str, Any]
    mutants: tuple[dict[str, Any], ...]


def case(make: Callable[..., Bound], constants: dict[str, Any], *mutants: dict[str, Any]) -> Case:
    return Case(make, constants, mutants)


def linear(x: fmpq) -> fmpq:
    return 1 - x


def parabola(x: fmpq) -> fmpq:
    return 1 - x + x**2 / 2


POSITIVE_X = {"low": 0, "high": 1, "lower": linear, "upper": parabola}
NEGATIVE_X = {"low": -1, "high": 0, "lower": linear, "upper": lambda x: 1 / (1 + x)}
LARGER_REGION, LARGER_BAND, LARGER_NOISE = {"radius": HALF + Q(1, 100)}, {"band": Q(21, 20)}, {"noise": Q(21, 20)}
BELOW, ABOVE = (HALF, ONE), (ONE, Q(3, 2))
BOUNDS = {
    "simplex-product, 0 <= x < 1": case(
        product,
        POSITIVE_X,
        {"lower": lambda x: 1 - x + x**2 / 1000},
        {"upper": lambda x: parabola(x) - x**2 / 50},
        {"high": 3, "lower": lambda x: 0},
    ),
    "simplex-product, -1 < x <= 0": case(
        product,
        NEGATIVE_X,
        {"lower": lambda x: 1 - x + x**2 / 1000},
        {"upper": linear},
        {"upper": lambda x: 1 - x + x**2 / 3},
    ),
    "thm-3.1": case(
        contraction, {}, {"bound": HIGH - LITTLE}, LARGER_REGION, {"c": QUARTER - LITTLE}, {"c": QUARTER * 17 / 10}
    ),
    "thm-3.1-case-1": case(
        loss_factor,
        {"low": Q(-4, 5), "high": HIGH, "region": BELOW},
        {"high": HIGH - LITTLE},
        {"low": HALF + LITTLE},
        {"region": (Q(2, 5), ONE)},
        {"c": QUARTER - LITTLE},
    ),
    "thm-3.1-case-2": case(
        loss_factor,
        {"low": LOW, "high": Q(59, 64), "region": ABOVE},
        {"low": LOW + LITTLE},
        {"high": HALF - LITTLE},
        {"region": (ONE, Q(8, 5))},
        {"c": QUARTER + LITTLE},
    ),
    "thm-3.1.sharp-range, W < 1": case(
        loss_factor, {"low": HALF, "high": HIGH, "region": BELOW}, {"low": HALF + LITTLE}, {"high": HIGH - LITTLE}
    ),
    "thm-3.1.sharp-range, W > 1": case(
        loss_factor, {"low": LOW, "high": HALF, "region": ABOVE}, {"low": LOW + LITTLE}, {"high": HALF - LITTLE}
    ),
    "thm-3.1.largest-rate": case(largest_rate, {}, {"q": 1 + LITTLE}),
    "thm-3.1.largest-rate, a smaller one": case(largest_rate, {"q": Q(1, 10)}, {"q": Q(-1, 10)}),
    "thm-3.1.best-rate": case(best_rate, {}, {"tighter": 1 - LITTLE}, {"q": Q(101, 100)}, {"q": Q(99, 100)}),
    "thm-3.2": case(imbalance_factor, {}, {"radius": TWO}, {"c": Q(3, 2)}, {"high": 1 - LITTLE}),
    "thm-3.2-factor": case(
        imbalance_factor,
        {"low": Q(247, 256)},
        {"low": Q(247, 256) + LITTLE},
        LARGER_REGION,
        {"c": QUARTER + LITTLE},
    ),
    "thm-3.2.sharp-range, c": case(
        imbalance_factor, {"low": -ONE, "c": ROOT_2 * 4 / 3}, {"c": ROOT_2 * 4 / 3 + LITTLE}, LARGER_REGION
    ),
    "thm-3.2.sharp-range, c_same_sign": case(imbalance_factor, {"c": Q(4, 3)}, {"c": Q(4, 3) + LITTLE}, LARGER_REGION),
    "thm-4.1": case(with_noise, {}, {"c": PAPER_4 * 6}, {"limit": Q(3)}, {"low": Q(97, 100)}),
    "thm-4.1.largest-rate, c": case(
        with_noise, {"low": -ONE, "c": ROOT_2 * 16 / 45}, {"c": ROOT_2 * 16 / 45 + LITTLE}, LARGER_BAND
    ),
    "thm-4.1.largest-rate, c_same_sign": case(with_noise, {"c": Q(16, 45)}, {"c": Q(16, 45) + LITTLE}, LARGER_NOISE),
    "thm-4.1-along-trajectory.amended": case(noise_region, {}, {"top": Q(3, 2)}, {"c": PAPER_4 * 12}),
    "thm-4.1-note.amended": case(expected_factor, {}, {"constant": 64}, {"power": 0}, {"biased": True}),
    "thm-5.1": case(with_sgd_noise, {}, {"q": 1 + LITTLE}, {"low": LITTLE}, LARGER_BAND, LARGER_NOISE),
    "thm-5.1.largest-rate, c": case(with_sgd_noise, {"low": -ONE, "q": ROOT_2}, {"q": ROOT_2 + LITTLE}, LARGER_NOISE),
    "thm-5.1-chain.amended": case(sgd_chain, {}, {"first": 2, "second": 4}, {"first": HALF}),
    "thm-5.1-along-trajectory.amended": case(sgd_region, {}, {"q": 1 + LITTLE}, {"printed_rate": True}),
}
MUTANTS = [
    pytest.param(make, {**constants, **mutant}, id=f"{name}: {', '.join(mutant)} ({n})")
    for name, (make, constants, mutants) in BOUNDS.items()
    for n, mutant in enumerate(mutants)
]


@pytest.mark.parametrize("name", BOUNDS)
@given(data=st.data())
def test_the_bound_holds(name: str, data: st.DataObject) -> None:
    bound = BOUNDS[name].make(**BOUNDS[name].constants)
    assert bound.holds(data.draw(bound.instances))


@pytest.mark.parametrize(("make", "constants"), MUTANTS)
def test_the_mutant_is_broken(make: Callable[..., Bound], constants: dict[str, Any]) -> None:
    bound = make(**constants)
    assert not bound.holds(counterexample(bound))


def test_the_printed_noise_band_is_not_kept() -> None:
    bound = printed_noise_band()
    assert not bound.holds(counterexample(bound))

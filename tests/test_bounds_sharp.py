"""The constants of the bounds are the best ones, the search for counterexamples reaches every corner, and what holds
for one step holds along trajectories."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flint import fmpq
from hypothesis import given
from hypothesis import strategies as st

from linreg_dyn import rules
from tests.exact_nets import (
    HALF,
    PAPER_4,
    ROOT_2,
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
    noisy,
    rational,
)


def test_the_search_reaches_every_corner() -> None:
    """What a search never draws it cannot break: deep nets, W at its edges, every kind of point of the simplex."""

    def p(w: list[fmpq]) -> list[fmpq]:
        return sorted((1 / (x**2 * inverse_squares(w)) for x in w), reverse=True)

    tiny, nets_near_one = Q(1, 10**6), near_one(HALF, Q(3, 2))
    corners: dict[str, Callable[[list[fmpq]], bool]] = {
        "depth 1": lambda w: len(w) == 1,
        "depth 64": lambda w: len(w) == 64,
        "lower edge": lambda w: rules.end_to_end(w) < HALF + tiny,
        "upper edge": lambda w: rules.end_to_end(w) > Q(3, 2) - tiny,
        "near the minimum": lambda w: abs(rules.end_to_end(w) - 1) < Q(1, 1000),
        "vertex, deep": lambda w: len(w) > 30 and p(w)[0] > 1 - tiny,
        "middle of an edge, deep": lambda w: len(w) > 30 and p(w)[1] > HALF - tiny,
        "centre, deep": lambda w: len(w) > 30 and p(w)[0] < p(w)[-1] * Q(101, 100),
        "twelve orders of magnitude": lambda w: max(map(abs, w)) > 10**12 * min(map(abs, w)),
        "negative weights": lambda w: min(w) < 0,
    }
    for reached in corners.values():
        assert reached(counterexample(Bound(nets_near_one, lambda w, reached=reached: not reached(w))))


# ---------------------------------------------------------------- the constants are the best ones
@pytest.mark.parametrize("depth", [1, 2, 3, 64])
def test_the_loss_factor_approaches_its_range_at_every_depth(depth: int) -> None:
    """Near a vertex of the simplex, for W near 1/2, 3/2 and 1; one layer at the closed ends attains it."""
    for W, k in ((HALF, Q(7, 8)), (Q(3, 2), Q(-1, 8)), (1 + Q(1, 2**30), HALF), (1 - Q(1, 2**30), HALF)):
        w = [W / Q(2) ** (30 * (depth - 1)), *[Q(2) ** 30] * (depth - 1)]
        assert abs(factor(w, after(w, Q(1, 4))) - k) <= (Q(1, 2**28) if depth > 1 or k == HALF else 0)


def test_two_nearly_equal_layers_approach_every_bound_of_the_imbalance_factor() -> None:
    """At W, eta and delta within 2^-30 of their limits; the factor is Lipschitz there (constant below 2^10)."""
    near, epsilon = Q(1, 2**30), Q(1, 2**20)
    m = {W: rational(float(W) ** 0.5 - 2.0**-32) for W in (Q(3, 2), Q(2))}

    def factors(W: Any, *step: Any) -> list[fmpq]:
        w = [m[W], m[W] * (1 - near)]
        return [b / a for a, b in imbalances(w, after(w, *step))]

    for k, *step in (
        (Q(247, 256), Q(3, 2), Q(1, 4)),
        (Q(0), Q(3, 2), Q(4, 3)),
        (Q(-1), Q(3, 2), ROOT_2 * 4 / 3),
        (Q(0), Q(3, 2), Q(16, 45), rules.noise_augmentation, HALF - near),
        (Q(-1), Q(3, 2), ROOT_2 * 16 / 45, rules.noise_augmentation, HALF - near),
        (Q(0), Q(3, 2), Q(2, 3), rules.sgd_noise, HALF),
        (Q(-1), Q(3, 2), ROOT_2 * 2 / 3, rules.sgd_noise, HALF),
        (Q(0), Q(2), Q(1, 4), rules.sgd_noise, 1 - near),
    ):
        (found,) = factors(*step)
        assert abs(found - k) < epsilon


# ---------------------------------------------------------------- along trajectories
def rounded(x: fmpq) -> fmpq:
    """x to 64 significant bits: numbers would grow with every step."""
    p, q = int(x.p), int(x.q)
    shift = 64 - p.bit_length() + q.bit_length()
    return Q((p << shift) // q if shift >= 0 else p // (q << -shift)) / Q(2) ** shift


def steps_kept(w: list[fmpq], etas: list[fmpq | None], step: Callable[..., Any], stays: Callable[..., bool]) -> int:
    """A step for each noise, exact and checked; between steps the weights are rounded, a start of their own.

    The number of steps checked."""
    for number, eta in enumerate(etas):
        if not stays(rules.end_to_end(w)):  # only a start that was rounded across an edge
            return number
        v = step(w) if eta is None else step(w, eta)
        assert stays(rules.end_to_end(v))
        assert factors_between(w, v, 0)
        assert max(v_i**2 for v_i in v) - min(v_i**2 for v_i in v) <= max(x**2 for x in w) - min(x**2 for x in w)
        w = [rounded(x) for x in v]
    return len(etas)


NOISES = st.lists(inside(-1, 1, closed=True), min_size=4, max_size=4)


@given(w=near_one(HALF, Q(3, 2)))
def test_theorems_3_hold_step_after_step(w: list[fmpq]) -> None:
    assert steps_kept(w, [None] * 4, lambda w: after(w, Q(1, 4)), lambda W: abs(W - 1) < HALF) > 0


@given(start=long_run(Q(2)), noises=NOISES)
def test_theorem_4_holds_step_after_step(start: Any, noises: list[fmpq]) -> None:
    w, _, delta = start
    step = lambda w, eta: after(w, PAPER_4, rules.noise_augmentation, eta)  # noqa: E731
    assert steps_kept(w, [delta * t for t in noises], step, lambda W: 0 < W < 2) > 0


@given(start=noisy(1), noises=NOISES)
def test_theorem_5_holds_step_after_step_at_its_slower_rate(start: Any, noises: list[fmpq]) -> None:
    w, _, delta = start
    step = lambda w, eta: after(w, 1 / (2 * (1 + delta) ** 2), rules.sgd_noise, eta)  # noqa: E731
    assert steps_kept(w, [delta * t for t in noises], step, lambda W: abs(W - 1) < delta) > 0

"""Nets with exact rational weights (flint's `fmpq`), one step of them at an adaptive rate, and the search for a
counterexample: what the property tests of the bounds share."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from random import Random
from typing import Any, NamedTuple

from flint import fmpq
from hypothesis import Phase, find, settings
from hypothesis import strategies as st

from linreg_dyn import rules

Q = fmpq
ZERO, ONE, TWO, HALF, QUARTER = Q(0), Q(1), Q(2), Q(1, 2), Q(1, 4)
PAPER_4 = Q(16, 243)  # the constant of Theorem 4.1, 1/2 (2/3)^5
# a rational approximation from below, to 40 bits, of what the irrational largest rates contain
ROOT_2 = Q(int(2**0.5 * 2**40), 2**40)
assert 0 < 2 - ROOT_2**2 < Q(1, 2**38)


class Bound(NamedTuple):
    """`holds` is true of every instance of the strategy; for a mutant it is not."""

    instances: st.SearchStrategy[Any]
    holds: Callable[[Any], bool]


def counterexample(bound: Bound) -> Any:
    """A broken instance from the same strategy; raises `NoSuchExample` if 5000 instances hold."""
    quick = settings(max_examples=5000, phases=[Phase.generate], database=None, deadline=None)
    return find(bound.instances, lambda x: not bound.holds(x), settings=quick, random=Random(0))


# ---------------------------------------------------------------- instances
def rational(x: float) -> fmpq:
    return Q(*x.as_integer_ratio())


def inside(low: Any, high: Any, *, closed: bool = False) -> st.SearchStrategy[fmpq]:
    """Rationals of the open interval, half of them within 2^-1 ... 2^-60 of its ends; `closed` adds the ends."""
    low, high = Q(low), Q(high)
    gaps = st.integers(1, 60).map(lambda k: (high - low) / 2**k)
    anywhere = st.integers(1, 2**16 - 1).map(lambda n: low + (high - low) * Q(n, 2**16))
    near_ends = gaps.map(lambda g: low + g) | gaps.map(lambda g: high - g)
    return near_ends | anywhere | st.sampled_from((low, high)) if closed else near_ends | anywhere


DEPTHS = st.sampled_from((1, 2, 2, 3, 4, 64)) | st.integers(1, 64)


@st.composite
def nets(draw: Any, W: fmpq) -> list[fmpq]:
    """Weights of product W, of many orders of magnitude, with p_i = (1/w_i^2) / sum(1/w_j^2) near a vertex, near
    the middle of an edge, near the centre of the simplex, or anywhere."""
    depth, big = draw(DEPTHS), draw(st.integers(0, 20))
    rng = Random(draw(st.integers(0, 2**32)))
    if depth == 1:
        return [W]
    shape = draw(st.sampled_from(("vertex", "edge", "centre", "anywhere")))
    if shape == "vertex":
        w = [Q(2) ** big] * (depth - 1)
    elif shape == "edge":  # two equal small weights, sqrt(|W|) / 2^(big (depth - 2)) each
        w = [Q(4) ** big] * (depth - 2)
        w.append(rational(float(abs(W)) ** 0.5 * (1 + 2.0 ** -rng.randint(1, 40))) / Q(2) ** (big * (depth - 2)))
    elif shape == "centre":
        w = [rational(round(float(abs(W)) ** (1 / depth) * 2**20) / 2**20) or Q(1)] * (depth - 1)
    else:
        w = [Q(rng.randint(1, 7)) * Q(2) ** rng.randint(-big, big) for _ in range(depth - 1)]
    w = [rng.choice((1, 1, -1)) * x for x in w]
    w.insert(rng.randint(0, depth - 1), W / rules.end_to_end(w))
    return w


def near_one(low: Any, high: Any) -> st.SearchStrategy[list[fmpq]]:
    """Nets with low < W < high."""
    return inside(low, high).map(lambda W: W or Q(1, 7)).flatmap(nets)


@st.composite
def noisy(draw: Any, limit: Any, *, band: Any = 1, noise: Any = 1, closed: bool = False) -> tuple[Any, fmpq, fmpq]:
    """(weights, eta, delta): 0 < delta < limit, |W - 1| < band delta, |eta| < noise delta (`closed`: or equal)."""
    delta = draw(inside(0, limit))
    eta = noise * delta * draw(inside(-1, 1, closed=closed))
    return draw(nets((1 + band * delta * draw(inside(-1, 1))) or Q(1, 7))), eta, delta


@st.composite
def long_run(draw: Any, top: Any) -> tuple[list[fmpq], fmpq, fmpq]:
    """Noise |eta| <= delta < 1/2 and 0 < W < top."""
    delta = draw(inside(0, HALF))
    return draw(near_one(0, top)), delta * draw(inside(-1, 1, closed=True)), delta


# ---------------------------------------------------------------- what a step does
def inverse_squares(w: list[fmpq]) -> fmpq:
    return sum((1 / x**2 for x in w), Q(0))


def after(w: list[fmpq], c: fmpq, residual: Callable[..., Any] = rules.gradient_descent, *noise: fmpq) -> list[fmpq]:
    """The weights after one step at rate c / sum(1/w_i^2)."""
    return rules.step(w, residual(rules.end_to_end(w), *noise), c / inverse_squares(w), 0)


def factor(w: list[fmpq], v: list[fmpq]) -> fmpq:
    """k = (W(t+1) - 1) / (W - 1)."""
    return (rules.end_to_end(v) - 1) / (rules.end_to_end(w) - 1)


def imbalances(w: list[fmpq], v: list[fmpq]) -> list[tuple[fmpq, fmpq]]:
    """(D_ij, D_ij after the step) of the pairs of the six smallest weights and the largest, those that differ.

    The factor is 1 - x^2 p_i p_j, so that the pairs left out are between others."""
    order = sorted(range(len(w)), key=lambda i: abs(w[i]))
    chosen = order[:6] + order[6:][-1:]
    pairs = [(w[i] ** 2 - w[j] ** 2, v[i] ** 2 - v[j] ** 2) for i, j in itertools.combinations(chosen, 2)]
    assert all(b == 0 for a, b in pairs if a == 0)
    return [(a, b) for a, b in pairs if a != 0]


def factors_between(w: list[fmpq], v: list[fmpq], low: Any, high: Any = 1) -> bool:
    """low < D_ij(t+1)/D_ij <= high for every pair."""
    return all(low < b / a <= high for a, b in imbalances(w, v))


def at_least(w: list[fmpq], v: list[fmpq], low: Any) -> bool:
    """D_ij(t+1)/D_ij >= low for every pair."""
    return all(b / a >= low for a, b in imbalances(w, v))

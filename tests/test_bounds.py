"""Every bound at an adaptive learning rate, lr = c / sum(1/w_i^2), as a property of one exact step.

Everything is rational arithmetic (flint's `fmpq`), so there is no tolerance and no false alarm; the step is
`rules.step`, and nothing of the claims or of their checker is used. Each bound is a function of its constants,
and its mutants, the same bound with a constant slightly too good, must be broken by a search over the same nets.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from random import Random
from typing import Any, NamedTuple

import pytest
from flint import fmpq
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st

from linreg_dyn import rules

Q = fmpq
ZERO, ONE, TWO, HALF, QUARTER, MOST = Q(0), Q(1), Q(2), Q(1, 2), Q(1, 4), Q(7, 8)
LITTLE = Q(1, 1000)
PAPER_4 = Q(16, 243)  # the constant of Theorem 4.1, 1/2 (2/3)^5
# rational approximations from below, to 40 bits, of what the irrational largest rates contain
ROOT_2 = Q(int(2**0.5 * 2**40), 2**40)
assert 0 < 2 - ROOT_2**2 < Q(1, 2**38)


class Bound(NamedTuple):
    """`holds` is true of every instance of the strategy; for a mutant it is not."""

    instances: st.SearchStrategy[Any]
    holds: Callable[[Any], bool]


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


# ---------------------------------------------------------------- the bounds, as functions of their constants
def contraction(bound: Any = MOST, radius: Any = HALF, c: Any = QUARTER) -> Bound:
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


@st.composite
def long_run(draw: Any, top: Any) -> tuple[list[fmpq], fmpq, fmpq]:
    """Noise |eta| <= delta < 1/2 and 0 < W < top."""
    delta = draw(inside(0, HALF))
    return draw(near_one(0, top)), delta * draw(inside(-1, 1, closed=True)), delta


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
LOW, HIGH = Q(-1, 8), Q(7, 8)
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


def counterexample(bound: Bound) -> Any:
    """A broken instance from the same strategy; raises `NoSuchExample` if 5000 instances hold."""
    quick = settings(max_examples=5000, phases=[Phase.generate], database=None, deadline=None)
    return find(bound.instances, lambda x: not bound.holds(x), settings=quick, random=Random(0))


@pytest.mark.parametrize(("make", "constants"), MUTANTS)
def test_the_mutant_is_broken(make: Callable[..., Bound], constants: dict[str, Any]) -> None:
    counterexample(make(**constants))


def test_the_printed_noise_band_is_not_kept() -> None:
    counterexample(printed_noise_band())


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
        counterexample(Bound(nets_near_one, lambda w, reached=reached: not reached(w)))


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


def follow(w: list[fmpq], etas: list[fmpq | None], step: Callable[..., list[fmpq]], stays: Callable[..., bool]) -> None:
    """A step for each noise, exact and checked; between steps the weights are rounded, a start of their own."""
    for eta in etas:
        if not stays(rules.end_to_end(w)):  # only a start that was rounded across an edge
            return
        v = step(w) if eta is None else step(w, eta)
        assert stays(rules.end_to_end(v))
        assert factors_between(w, v, 0)
        assert max(v_i**2 for v_i in v) - min(v_i**2 for v_i in v) <= max(x**2 for x in w) - min(x**2 for x in w)
        w = [rounded(x) for x in v]


NOISES = st.lists(inside(-1, 1, closed=True), min_size=8, max_size=8)


@given(w=near_one(HALF, Q(3, 2)))
def test_theorems_3_hold_step_after_step(w: list[fmpq]) -> None:
    follow(w, [None] * 8, lambda w: after(w, Q(1, 4)), lambda W: abs(W - 1) < HALF)


@given(start=long_run(Q(2)), noises=NOISES)
def test_theorem_4_holds_step_after_step(start: Any, noises: list[fmpq]) -> None:
    w, _, delta = start
    step = lambda w, eta: after(w, PAPER_4, rules.noise_augmentation, eta)  # noqa: E731
    follow(w, [delta * t for t in noises], step, lambda W: 0 < W < 2)


@given(start=noisy(1), noises=NOISES)
def test_theorem_5_holds_step_after_step_at_its_slower_rate(start: Any, noises: list[fmpq]) -> None:
    w, _, delta = start
    step = lambda w, eta: after(w, 1 / (2 * (1 + delta) ** 2), rules.sgd_noise, eta)  # noqa: E731
    follow(w, [delta * t for t in noises], step, lambda W: abs(W - 1) < delta)

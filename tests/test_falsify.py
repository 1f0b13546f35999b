"""The falsifier finds what is false, at the smallest depth, and makes it small."""

import math
from fractions import Fraction
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linreg_dyn.certify import checker
from linreg_dyn.claims import falsify
from linreg_dyn.claims.core import Part

LAYERS = {"w": "layers"}
NET = (("W", "Prod(w)"), ("S", "Sum(1/w**2)"))
DEPTHS = (1, 2, 3, 5)


def search(part, depths=DEPTHS, tries=200, seed=0):
    return falsify.search(part, depths, tries=tries, seed=seed)


@pytest.mark.parametrize(
    ("conclusion", "depth"),
    [
        ("W > 0", 1),
        ("S <= 1/w[i]**2", 2),  # equality at depth 1
        ("(S - 1/w[i]**2)*(S - 1/w[j]**2)*(S - 1/w[i]**2 - 1/w[j]**2) == 0", 3),  # the last factor is 0 at depth 2
        ("Sum(w/w) < 5", 5),
    ],
)
def test_a_planted_counterexample_is_found_at_the_smallest_depth(conclusion, depth):
    part = Part(LAYERS, (conclusion,), NET)
    given, broken, tried, admitted, _ = search(part)
    assert given is not None
    assert (len(given["w"]), broken) == (depth, conclusion)
    assert checker.truth(part.formal(), given) == (True, conclusion)
    assert tried >= 200 * DEPTHS.index(depth) + 1
    assert admitted == tried - 200 * ("w[j]" in conclusion)  # at depth 1 it says nothing


def test_what_is_true_is_not_refuted():
    part = Part(LAYERS, ("S >= 1/w[i]**2", "Sum(w**2)*S >= Sum(w/w)**2"), NET)
    assert search(part, tries=60) == (None, None, 240, 240, 0)


def test_nothing_admitted_is_counted_as_such():
    part = Part({"x": "real"}, ("x > 0",), assume=("x**2 < 0",))
    assert search(part, tries=50) == (None, None, 50, 0, 0)


def test_an_undefined_point_is_not_admitted():
    part = Part({"x": "real"}, ("x > 1",), assume=("1/x > 1",), sample=lambda rng, depth, level: {"x": Fraction(0)})
    assert search(part, tries=20) == (None, None, 20, 0, 0)
    assert falsify.test(part.formal(), {"x": Fraction(1, 2)}) == (True, "x > 1")


def test_what_cannot_be_told_is_counted_as_such():
    part = Part({"x": "real"}, ("exp(10**6 + x**2) > x",))  # too large to enclose
    assert search(part, tries=20) == (None, None, 20, 0, 20)


def test_the_search_is_reproducible():
    part = Part({"w": "layers", "x": "real"}, ("x < W",), NET)
    assert search(part, seed=3) == search(part, seed=3)
    draws = [falsify.draw(part, Random(f"{seed}/2"), 2, 6) for seed in (0, 0, 1)]
    assert draws[0] == draws[1] != draws[2]


def test_a_statement_without_vectors_is_searched_once():
    part = Part({"x": "real"}, ("x**2 >= 0",))
    assert search(part, tries=30)[2] == 30
    assert search(Part({}, ("1 < 2",)), tries=30)[2:] == (1, 1, 0)
    given, broken, *_ = search(Part({}, ("2 < 1",)))
    assert (given, broken) == ({}, "2 < 1")


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    ("part", "witness"),
    [
        (Part({"x": "real"}, ("exp(x) > 1 + x",)), {"x": 0}),
        (Part({"x": "vector:3"}, ("Sum(x**2) > 0",)), {"x": [0] * 3}),
        (Part({"w": "vector:2"}, ("Sum(D((w[0]*w[1] - 1)**2, w)**2) > 0",), assume=("w[0]*w[1] < 1",)), {"w": [0, 0]}),
        (Part({"w": "layers", "m": "real"}, ("(W-1)**2 + m*S > 0",), NET, assume=("m >= 0",)), {"w": [1], "m": 0}),
    ],
)
def test_what_is_false_only_at_zero_is_found(part, witness, seed):
    assert search(part, tries=60, seed=seed)[0] == witness


def test_drawn_nets_are_at_minima_and_near_them():
    least = Part({"w": "layers:3"}, ("S >= 3",), NET, assume=("W == 1",))  # the mean of 1/w_i^2 is at least 1
    _, broken, tried, admitted, _ = search(least, tries=60)
    assert (broken, tried) == (None, 60)
    assert admitted > 5  # of 15 expected, with standard deviation 3.4
    products = [math.prod(falsify.layers(Random(seed), 5, 1 + seed % falsify.LEVELS)) for seed in range(200)]
    assert sum(W == 1 for W in products) > 30  # a quarter of them is expected, 50, with standard deviation 6
    assert sum(0 < abs(W - 1) < Fraction(1, 100) for W in products) > 10


def test_a_kind_that_cannot_be_drawn_needs_a_sampler():
    with pytest.raises(ValueError, match="eta: a sampler is needed for sample"):
        search(Part({"eta": "sample"}, ("Mean(eta) == 0",)))


def test_shrinking_gives_the_simplest_witness():
    part = Part({"x": "real"}, ("x < 3/2",))
    big = {"x": Fraction(123456789, 1000)}
    small = falsify.shrink(part.formal(), big, "x < 3/2")
    assert falsify.size(small) < falsify.size(big)
    assert checker.truth(part.formal(), small) == (True, "x < 3/2")
    assert search(part)[0] == {"x": Fraction(2)}


@given(
    w=st.lists(st.fractions(min_value=Fraction(1, 50), max_value=50).filter(bool), min_size=2, max_size=4),
    x=st.fractions(min_value=-100, max_value=100, max_denominator=1000),
)
def test_a_shrunk_witness_is_a_witness_of_the_same(w, x):
    part = Part({"w": "layers", "x": "real"}, ("S*x < W", "x < 0"), NET, assume=("x > -W",)).formal()
    point = {"w": w, "x": x}
    admitted, broken = checker.truth(part, point)
    if admitted and broken:
        small = falsify.shrink(part, point, broken)
        assert checker.truth(part, small) == (True, broken)
        assert falsify.size(small) <= falsify.size(point)
        assert len(small["w"]) == len(w)


@given(
    depth=st.integers(1, 12),
    level=st.integers(1, falsify.LEVELS),
    seed=st.integers(0, 10**6),
    W=st.fractions(min_value=-3, max_value=3, max_denominator=64).filter(bool),
)
def test_drawn_weights_have_the_product_asked_for_exactly(depth, level, seed, W):
    w = falsify.weights(Random(seed), depth, level, W)
    assert len(w) == depth
    assert 0 not in w
    assert math.prod(map(Fraction, w)) == W
    p = falsify.simplex(Random(seed), depth, level)
    assert (len(p), sum(p)) == (depth, 1)
    assert min(p) > 0


@given(
    level=st.integers(1, falsify.LEVELS),
    seed=st.integers(0, 10**6),
    low=st.fractions(-5, 5, max_denominator=20),
    width=st.fractions(Fraction(1, 100), 10, max_denominator=100),
)
def test_drawn_rationals_are_strictly_inside(level, seed, low, width):
    x = falsify.rational(Random(seed), low, low + width, level)
    assert low < x < low + width


def test_drawn_points_come_close_to_both_ends():
    drawn = [falsify.rational(Random(seed), 0, 1, falsify.LEVELS) for seed in range(300)]
    assert min(drawn) < Fraction(1, 10**4)
    assert max(drawn) > 1 - Fraction(1, 10**4)
    assert any(Fraction(2, 5) < x < Fraction(3, 5) for x in drawn)

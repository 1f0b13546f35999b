"""Observables against their definitions in exact rationals, and the sharpness against the Hessian itself."""

import math
from fractions import Fraction
from itertools import product

import numpy as np
import pytest
import sympy as sp
from hypothesis import given
from hypothesis import strategies as st

import linreg_dyn as ld
from linreg_dyn import observables
from linreg_dyn.ensemble.record import OBSERVABLES

rationals = st.fractions(min_value=-3, max_value=3, max_denominator=20)
nonzero = rationals.filter(bool)


@given(st.lists(rationals, min_size=1, max_size=7))
def test_definitions(w):
    squares = [x**2 for x in w]
    assert observables.end_to_end(w) == math.prod(w)
    assert observables.loss(w) == (math.prod(w) - 1) ** 2
    assert observables.layer_imbalance(w) == max(abs(a - b) for a, b in product(squares, squares))  # eq. 6
    assert observables.largest_square(w) == max(squares)
    assert observables.smallest_square(w) == min(squares)


@given(st.lists(nonzero, min_size=1, max_size=7))
def test_inverse_square_sum(w):
    assert observables.inverse_square_sum(w) == sum(1 / x**2 for x in w)
    with pytest.raises(ZeroDivisionError):
        observables.inverse_square_sum([*w, Fraction(0)])


@pytest.mark.parametrize("depth", [1, 2, 3, 5])
def test_sharpness_of_a_minimum_is_the_one_nonzero_eigenvalue_of_its_hessian(depth):
    """The printed `sum 1/w_i^2` (section 2.2) is half of it."""
    w = list(sp.symbols(f"w1:{depth + 1}"))
    point = [sp.Rational(k + 2, k + 1) for k in range(depth - 1)]
    point.append(sp.Integer(1) / sp.prod(point))
    hessian = sp.hessian((sp.prod(w) - 1) ** 2, w).subs(dict(zip(w, point, strict=True)))
    eigenvalues = hessian.eigenvals()
    sharpness = observables.minimum_sharpness(point)
    assert eigenvalues == ({sharpness: 1, 0: depth - 1} if depth > 1 else {sharpness: 1})
    assert observables.inverse_square_sum(point) not in eigenvalues


def hessian_top(w, W):
    """The largest eigenvalue of the Hessian, with a W that may be another than the product."""
    v = 1 / w
    return np.linalg.eigvalsh(2 * W * (2 * W - 1) * np.outer(v, v) + np.diag(2 * W * (1 - W) * v**2))[-1]


@pytest.mark.parametrize("depth", [1, 2, 3, 8, 64])
@pytest.mark.parametrize("W", [-300.0, -1.0, -1e-3, 1e-3, 0.3, 0.49999, 0.5, 0.50001, 0.8, 1.0, 1.00001, 1.5, 300.0])
def test_sharpness_is_the_largest_eigenvalue(depth, W):
    """Up to the rounding of W, times what the eigenvalue makes of it, of d terms and of eight operations besides."""
    rng = np.random.default_rng(depth)
    for spread in (0.0, 0.1, 1.0, 4.0):
        w = np.exp(spread * rng.normal(size=depth))
        w = w * (abs(W) / w.prod()) ** (1 / depth)
        w[0] *= math.copysign(1, W)
        exact, got = ld.spectrum(w)[-1], observables.sharpness(w.tolist())
        slope = (hessian_top(w, 1.0001 * W) - hessian_top(w, 0.9999 * W)) / (0.0002 * exact)
        allowed = 2.0**-52 * (depth * (1 + abs(slope)) + 8)
        assert abs(got / exact - 1) <= allowed
        assert abs(1.001 * got / exact - 1) > allowed


def test_sharpness_beside_zeros_and_many_orders_of_magnitude():
    points = [
        [0.0],
        [-2.0],
        [0.0, 1.0],
        [0.0, 0.0, 3.0],
        [-3.0, 0.0, 0.2, 1.0],
        [1e70, 1e-70, 1.0],
        [-1e-70, 1e70, 1.0],
    ]
    points += [[0.0, 1e-3, 1e70], [1e50, 2.0, 1e10], [1e-60, 1e-60], [1e-60, 1e30], [0.2] * 32, [1e12] * 5]
    for w in points:
        assert observables.sharpness(w) == pytest.approx(ld.spectrum(w)[-1], rel=2.0**-52 * (3 * len(w) + 8))
    assert 0 < observables.sharpness([0.0, 0.0, 0.0, 2.0]) < 1e-74  # it is 0: a zero counts as 2^-250


def test_sharpness_is_recorded_and_watched_as_it_is_defined():
    """Bit for bit on lanes; and a flow that passes it on the way to the minimum is stopped there."""
    starts = np.random.default_rng(0).normal(1, 0.3, (40, 3))
    record = ld.Record(4, ("weights", "sharpness"))
    ds = ld.simulate(starts, ld.GradientDescent(), steps=8, learning_rate=0.05, record=record)
    assert (ds.status == 0).all()
    for weights, values in zip(ds.weights.values, ds.sharpness.values, strict=True):
        assert [observables.sharpness(w) for w in weights.tolist()] == values.tolist()
    # of w_1 = w_2 = w > sqrt(1/2) it is 2 w^2 + 2 (2 w^2 - 1)
    run = ld.flow([0.5, 0.5], ld.GradientDescent(), times=[0, 9], events=ld.Event("sharpness", 3, "up", terminal=True))
    assert run.final_weights.values[0, 0] ** 2 == pytest.approx(5 / 6, rel=1e-9)


def test_every_plain_observable_can_be_recorded():
    assert OBSERVABLES.keys() - {"weights"} == set(observables.__all__)

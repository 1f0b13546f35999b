"""Observables against their definitions in exact rationals, and the sharpness against the Hessian itself."""

import math
from fractions import Fraction
from itertools import product

import pytest
import sympy as sp
from hypothesis import given
from hypothesis import strategies as st

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


def test_every_plain_observable_can_be_recorded():
    assert OBSERVABLES.keys() - {"weights"} == set(observables.__all__)

"""Learning rates: the adaptive one against exact rationals, bad values refused."""

import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linreg_dyn import schedules

nonzero = st.floats(min_value=1e-3, max_value=1e3).flatmap(lambda x: st.sampled_from([x, -x]))


@given(st.lists(nonzero, min_size=1, max_size=12), st.floats(min_value=0.01, max_value=2))
def test_adaptive_rate_is_c_over_the_sum_of_inverse_squares(weights, c):
    """W has d roundings and enters twice, so do the products; squares, d additions and 3 operations more."""
    exact = Fraction(c) / sum(1 / Fraction(w) ** 2 for w in weights)
    allowed = (5 * len(weights) + 5) * 2.0**-53 * 1.01
    assert abs(Fraction(schedules.Adaptive(c).rate(weights)) / exact - 1) <= allowed
    assert abs(Fraction(schedules.Adaptive(1.01 * c).rate(weights)) / exact - 1) > allowed
    assert schedules.Constant(c).rate(weights) == c


def test_adaptive_rate_is_exact_for_rationals():
    weights = [Fraction(2, 3), Fraction(-5), Fraction(7, 4)]
    exact = 1 / sum(1 / w**2 for w in weights)
    assert schedules.adaptive_unit_rate(weights) == exact


@pytest.mark.parametrize("weights", [[0.0], [0.0, 2.0], [0.0, 0.0, 1.0], [0.0, 0.0, 0.0]])
def test_adaptive_rate_is_zero_at_a_zero_weight(weights):
    """Depth 1 included: 1 / (1/w^2) = w^2."""
    assert schedules.Adaptive(0.25).rate(weights) == 0


@pytest.mark.parametrize("bad", [0, -1.0, math.nan, math.inf, 10**400])
def test_rates_out_of_range_are_refused(bad):
    with pytest.raises(ValueError, match="learning_rate must be a finite number > 0"):
        schedules.as_schedule(bad)
    with pytest.raises(ValueError, match="c of Adaptive must be a finite number > 0"):
        schedules.Adaptive(bad)


@pytest.mark.parametrize("bad", ["0.1", None, True, [0.1, 0.2], 1j])
def test_rates_of_the_wrong_type_are_refused(bad):
    with pytest.raises(TypeError, match="learning_rate must be a finite number > 0"):
        schedules.as_schedule(bad)


def test_schedules_pass_through():
    adaptive = schedules.Adaptive(0.25)
    assert schedules.as_schedule(adaptive) is adaptive
    assert schedules.as_schedule(1) == schedules.Constant(1.0)

"""What modes have not learned, against 60 digits, and that sums of modes have one minimum, as far as measured."""

import math

import mpmath as mp
import numpy as np
import pytest

from linreg_dyn.ntk._residuals import fill_residuals

EPS = float(np.finfo(float).eps)


def residuals(t, gamma, l2, degree):
    arrays = [np.ascontiguousarray(x, dtype=float) for x in np.broadcast_arrays(t, gamma, l2, degree)]
    A, C, rate = (np.empty(arrays[0].shape) for _ in range(3))
    fill_residuals(*(x.reshape(-1) for x in arrays), *(x.reshape(-1) for x in (A, C, rate)))
    return A, C, rate


def exact_residual(t, gamma, l2, degree):
    """(A, C, what is learned and what is forgotten in dC/dt) from eq. 3, `B = f` of a label 1."""
    t, gamma, l2, k = map(mp.mpf, (t, gamma, l2, degree))
    m = 2 * (k - 1) * l2
    work = gamma * (-mp.expm1(-m * t) / m if m else t)
    A, now = mp.exp(-work - k * l2 * t), gamma * mp.exp(-m * t)
    if m:  # the integral of eq. 3 is a difference of incomplete gamma functions
        z, order = mp.mpc(now / m), 1 - k * l2 / m
        B = mp.re(z ** (1 - order) * mp.exp(z) * (mp.gammainc(order, z) - mp.gammainc(order, mp.mpc(gamma / m))))
    else:
        B = gamma / (gamma + l2) * (1 - A)
    return A, 1 - B, -now * A, k * l2 * B - now * (1 - B) + now * A


@pytest.mark.parametrize("degree", [0, 0.5, 1, 1.05, 1.5, 2, 3, 10, 50])
def test_residuals_keep_their_digits_where_one_minus_the_solution_has_none(degree):
    rng = np.random.default_rng(int(10 * degree))
    smallest = 1.0
    with mp.workdps(200):
        for _ in range(30):
            gamma, t = 10 ** rng.uniform(-4, 8), 10 ** rng.uniform(-3, 0.3) / max(degree, 1)
            t = min(t, 10 ** rng.uniform(-1, 2.5) / gamma)
            A, C, learned, forgotten = exact_residual(t, gamma, 1, degree)
            got = residuals(t, gamma, 1.0, degree)
            bound = (20 + 5 * float(-mp.log(A))) * EPS  # as documented of A, whose exponent is rounded, and quadrature
            assert abs(got[0] - A) <= bound * A
            assert abs(got[1] - C) <= bound * C
            assert abs(got[2] - (learned + forgotten)) <= bound * (abs(learned) + abs(forgotten))
            smallest = min(smallest, float(C))
    assert smallest < 1e-3  # the cases that matter were among them


@pytest.mark.parametrize("degree", [0.3, 0.5, 0.9, 1, 1.05, 1.1])
def test_rates_of_faint_modes_near_degree_1_keep_their_digits_at_rest(degree):
    """There learning and forgetting are equal to all digits but those of the rate; below 1 the kernel grows."""
    rng = np.random.default_rng(int(100 * degree))
    with mp.workdps(200):
        for _ in range(15):
            gamma, t = 10 ** rng.uniform(-4, 0), 10 ** rng.uniform(0, 1.7)
            A, C, learned, forgotten = exact_residual(t, gamma, 1, degree)
            got = residuals(t, gamma, 1.0, degree)
            bound = (20 + 5 * float(-mp.log(A))) * EPS
            assert abs(got[1] - C) <= bound * C
            assert abs(got[2] - (learned + forgotten)) <= bound * (abs(learned) + abs(forgotten))
            assert degree > 1 or got[2] < 0
    assert [x.item() for x in residuals(1.0, 0.0, 1.0, degree)] == [pytest.approx(math.exp(-degree)), 1, 0]


def rises_of_ratios(curves):
    """The steepest fall of `log(positive part / negative part)` of any two rows where the one is > 0 > the other."""
    worst = 0.0
    for a in curves:
        for b in curves:
            both = (a > 0) & (b < 0)
            if np.count_nonzero(both) > 1:
                worst = min(worst, np.diff(np.log(a[both]) - np.log(-b[both])).min())
    return worst


def slopes_over_time(degree, start=0.0):
    gamma, s = np.geomspace(1e-5, 1e9, 36)[:, None], np.geomspace(1e-11, 30 / degree, 400)
    A, C, rate = residuals(s, gamma, 1.0, degree)
    now = gamma * np.exp(-2 * (degree - 1) * s)
    return (C - start * A) * (rate + start * (degree + now) * A)


def slopes_over_l2(degree):
    gamma, l2 = np.geomspace(1e-5, 60, 36)[:, None], np.geomspace(1e-15, 30 / degree, 400)
    _, C, rate = residuals(1.0, gamma, l2, degree)
    return C * rate


@pytest.mark.parametrize("degree", [1.02, 1.5, 2, 3, 5, 20])
@pytest.mark.parametrize("slopes", [slopes_over_time, slopes_over_l2])
def test_any_sum_of_modes_has_one_minimum_and_one_l2_as_far_as_measured(slopes, degree):
    curves = slopes(degree)
    signs = np.sign(curves)
    assert (signs[:, 0] == -1).all()
    assert (signs[:, -1] == 1).all()
    assert ((np.diff(signs) != 0).sum(axis=1) == 1).all()
    assert rises_of_ratios(curves) > -1e-11  # rounding of the logarithms


def test_that_measure_sees_starts_for_which_it_is_false():
    assert rises_of_ratios(slopes_over_time(2, start=3.0)) < -0.1

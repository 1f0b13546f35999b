"""The constant of t* = c / l2 for spectra that are powers, against long spectra, and the laws where it is none."""

import math
from fractions import Fraction

import numpy as np
import pytest
from flint import arb

from linreg_dyn.ntk.power_law import label_exponent, power_law_constant, power_law_time, time_exponent
from linreg_dyn.ntk.predictions import faint_constant, loss_minimum


@pytest.mark.parametrize(
    ("rho", "degree"),
    [(Fraction(-1, 2), 2), (0, 2), (Fraction(1, 3), Fraction(3, 2)), (1, 2), (1, 10), (Fraction(5, 4), 3)],
)
def test_the_constant_is_that_of_a_long_spectrum(rho, degree):
    reach = 1e9
    gamma = np.geomspace(1 / reach, reach, 2001)  # a sum that converges faster than any power of its spacing
    found = loss_minimum(gamma, gamma ** (float(rho) / 2), l2=1.0, degree=float(degree)).constant
    ends = reach ** -(1 + float(rho)) + degree**2 * reach ** (float(rho) - 2)  # what is missing of the loss
    assert found == pytest.approx(float(power_law_constant(rho, degree=degree).mid()), rel=float(10 * ends + 1e-12))


def test_the_constant_does_not_depend_on_l2_and_others_do():
    gamma = np.geomspace(1e-8, 1e8, 4001)
    power, bump = gamma**0.25, np.exp(-(np.log(gamma) ** 2))
    constants = [loss_minimum(gamma, power, l2=l2, degree=2).constant for l2 in (0.01, 1.0, 100.0)]
    np.testing.assert_allclose(constants, constants[1], rtol=1e-7)
    others = [loss_minimum(gamma, bump, l2=l2, degree=2).constant for l2 in (0.01, 1.0, 100.0)]
    assert others[0] < 0.5 * others[1] < 0.48 * others[2]


@pytest.mark.parametrize("degree", [Fraction(11, 10), 100])
def test_the_constant_between_its_ends(degree):
    exponents = (-1 + 1e-9, -0.5, 0.5, 1.5, 2 - 1e-9)
    values = [float(power_law_constant(rho, degree=degree, precision=40).mid()) for rho in exponents]
    assert np.all(np.diff(values) < 0)
    assert values[0] == pytest.approx(faint_constant(float(degree)), rel=1e-8)
    assert values[-1] < 2e-3 * values[0]


def test_balls_of_any_precision_overlap_and_shrink():
    balls = [power_law_constant(Fraction(1, 3), degree=2, precision=bits) for bits in (20, 53, 80)]
    assert all(x.overlaps(y) for x in balls for y in balls)
    assert [float(x.rad()) < 2.0**-bits * 16 for x, bits in zip(balls, (20, 53, 80), strict=True)] == [True] * 3
    assert not balls[1].overlaps(balls[2] + arb(2) ** -40)


@pytest.mark.parametrize(("alpha", "beta"), [(2, 9), (1.5, 6)])
def test_the_law_beyond_rho_2(alpha, beta):
    """Its relative error is of the order (l2 t*), which vanishes as l2^((rho - 2) / (rho + 1))."""
    rho, a = label_exponent(alpha, beta), np.arange(1, 2001.0)
    errors = []
    for l2 in (1e-4, 1e-6):
        time = loss_minimum(a**-alpha, a ** (-beta / 2), l2=l2, degree=2).time
        errors.append(abs(power_law_time(alpha, beta, l2=l2, degree=2) / time - 1) / (l2 * time))
    assert max(errors) < 3
    assert power_law_time(alpha, beta, l2=2e-6, degree=2) == pytest.approx(
        power_law_time(alpha, beta, l2=1e-6, degree=2) * 2 ** -time_exponent(rho), rel=1e-14
    )
    scaled = power_law_time(alpha, beta, l2=7e-6, degree=2, largest=7.0)
    assert scaled == pytest.approx(power_law_time(alpha, beta, l2=1e-6, degree=2) / 7, rel=1e-14)


def test_exponents_and_the_other_laws():
    assert label_exponent(1.5, 2.5) == 1
    assert [time_exponent(rho) for rho in (-3, 0, 1.9, 2, 5)] == [1, 1, 1, 1, 0.5]
    assert power_law_time(2, -1, l2=0.1, degree=2) == 5.0  # rho = -1
    assert power_law_time(1, 2, l2=0.1, degree=2) == pytest.approx(3.06382107243329, rel=1e-14)  # rho = 1, above


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: power_law_constant(2, degree=2), "rho must lie between -1 and 2, got 2"),
        (lambda: power_law_constant(math.nan, degree=2), "rho must be a finite number, got nan"),
        (lambda: power_law_constant(1, degree=1), "degree must be a finite number > 1, got 1"),
        (lambda: power_law_constant(1, degree=101), "degree must be at most 100, got 101"),
        (lambda: power_law_constant(1, degree=2, precision=10), "precision must be an integer from 20 to 128"),
        (lambda: power_law_time(1, 3, l2=0.1, degree=2), "beta must not be 1 \\+ 2 alpha"),
        (lambda: power_law_time(0, 3, l2=0.1, degree=2), "alpha must be a finite number > 0, got 0"),
    ],
)
def test_refusals(call, message):
    with pytest.raises(ValueError, match=message):
        call()

"""Spectra that are powers: the constant of `t* = c / l2`, enclosed, and where there is none.

With eigenvalues `gamma_a ~ a^-alpha` and power of the labels `y_a^2 ~ a^-beta`, the labels' power over eigenvalues is
`gamma^(rho - 1) dgamma`, `rho = (beta - 1) / alpha`. For a model of degree k > 1 that starts at f = 0, as l2 / gamma_1
and gamma_N / l2 vanish (conventions and derivation: `predictions`):

    rho <= -1       t* = c_0 / l2,  c_0 = log(2 (k - 1) / k) / (k - 2): modes much below l2 decide
    -1 < rho < 2    t* = c / l2, and c depends on rho and k alone
    rho = 2         no power: logarithms
    rho > 2         t* ~ l2^(-3 / (1 + rho)): the largest modes decide; a single mode is rho = infinity

**The constant.** The residual of a mode, relative to its label, is the Laplace transform at gamma / l2 of a random
variable X = Z - q, with `q = e^(-2 (k - 1) l2 t)` and `2 (k - 1)` times the scale that follows: Z is Pareto's,
`P(Z > z) = (z / q)^-kappa`, `kappa = k / (2 (k - 1))`, cut off at 1. (X is what the kernel did since the mode was last
forgotten; forgetting comes at the rate k l2.) Integrated over the spectrum, the loss is `Gamma(rho)` times
`E[(X + X')^-rho]` with X' an independent copy: the minimum is where the mean of order -rho of X + X' is largest. Its
derivative by q, by parts, vanishes where

    (kappa / q) E int_q^1 (z - q) z^(-kappa - 1) (z + X' - q)^(-rho - 1) dz  =  E (1 + X' - q)^(-rho - 1),

and `c = -log(q) / (2 (k - 1))`. At rho = -1 this is `q = kappa^(1 / (1 - kappa))`, c_0; at rho = 2 it is q = 1, c = 0.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

from flint import acb, arb, ctx, fmpq
from scipy.optimize import brentq
from scipy.special import zeta

from linreg_dyn._checks import integer, number
from linreg_dyn.ntk.predictions import faint_constant

_UNIT = acb(arb(0.5, 0.5))  # the interval from 0 to 1


def label_exponent(alpha: float, beta: float) -> float:
    """`rho = (beta - 1) / alpha` of eigenvalues `a^-alpha`, alpha > 0, and label power `y_a^2 = a^-beta`."""
    return (number("beta", beta) - 1) / number("alpha", alpha, above=0)


def time_exponent(rho: float) -> float:
    """p of `t* ~ l2^-p`: 1 for rho < 2, `3 / (1 + rho)` beyond (rho = 2 also has a logarithm)."""
    return 1.0 if number("rho", rho) < 2 else 3 / (1 + rho)


def power_law_constant(rho: float | Fraction, *, degree: float | Fraction, precision: int = 53) -> arb:
    """A ball that contains c of `t* = c / l2`, for label power `gamma^(rho - 1)` over all eigenvalues.

    What is certified: the loss turns from falling to rising within the ball. That it does so nowhere else is
    measured for every sum of modes that start at 0 (see `predictions`), not proved.

    Args:
        rho: between -1 and 2; a float is the binary fraction it is.
        degree: k > 1, at most 100.
        precision: bits of the enclosure, about; 20 to 128 (seconds).

    Raises:
        TypeError, ValueError: an argument is not as above.
    """
    precision = integer("precision", precision, least=20, most=128)
    if not -1 < number("rho", rho) < 2:
        raise ValueError(f"rho must lie between -1 and 2, got {rho!r}; outside, t* l2 tends to c_0 or to 0")
    if number("degree", degree, above=1) > 100:
        raise ValueError(f"degree must be at most 100, got {degree!r}")
    before = ctx.prec
    ctx.prec = precision + 30
    try:
        balance = _Balance(_exact(rho), _exact(degree), precision)
        root = balance.root()
        return -root.log() / (2 * (_exact(degree) - 1))
    finally:
        ctx.prec = before


def power_law_time(alpha: float, beta: float, *, l2: float, degree: float, largest: float = 1.0) -> float:
    """t* to leading order in `l2 / largest`, for infinitely many modes `gamma_a = largest a^-alpha`, `y_a^2 = a^-beta`.

    For rho > 2, with `S = sum y_a^2 / gamma_a^2`: learning has come to `sum y_a^2 gamma_a e^(-2 gamma_a t)`, which is
    `largest^-rho Gamma(rho + 1) (2 t)^(-rho - 1) / alpha`; forgetting is `2 k^2 (k - 1) l2^3 S`; t* is where they are
    equal.

    Raises:
        TypeError, ValueError: alpha, l2 or largest is not above 0, degree not above 1; or rho is 2, where logarithms
            decide.
    """
    rho = label_exponent(alpha, beta)
    l2, largest = number("l2", l2, above=0), number("largest", largest, above=0)
    k = number("degree", degree, above=1)
    if rho <= -1:
        return faint_constant(k) / l2
    if rho < 2:
        return float(power_law_constant(rho, degree=k).mid()) / l2
    if rho == 2:
        raise ValueError(f"beta must not be 1 + 2 alpha, where t* l2 has logarithms, got {beta!r}")
    forgetting = 2 * k**2 * (k - 1) * float(zeta(beta - 2 * alpha)) * (l2 / largest) ** 3
    learning = math.gamma(rho + 1) / 2 ** (rho + 1) / alpha
    return (learning / forgetting) ** (1 / (rho + 1)) / largest


class _Balance:
    """Left minus right of the equation for q, times `q^-kappa (1 - q)^(rho + 1)`; negative near q = 1.

    With `z = q + (1 - q) u` and `Z' = q + (1 - q) v` for u, v in [0, 1]; the double integral, symmetrical in them, over
    the triangle `v = u x < u` only, where it is `int u^(1 - rho) int (...) (1 + x)^-rho dx du` without singularities
    but one power.
    """

    def __init__(self, rho: arb, degree: arb, precision: int):
        self.rho, self.degree, self.kappa = acb(rho), degree, acb(degree / (2 * (degree - 1)))
        self.goal = arb(2) ** -precision
        self.first = float(arb.exp(-2 * (degree - 1) * arb(faint_constant(float(degree)))).mid())

    def root(self) -> arb:
        """A ball of q at whose left end the balance is positive, and negative at its right end."""
        coarse = _Balance(self.rho.real, self.degree, 24)
        start: Any = brentq(lambda q: float(coarse.at(arb(q)).mid()), 0.99 * self.first, 1 - 1e-9, xtol=1e-7)
        middle = arb(start)
        h = (1 - middle).mid() / 1000
        slope = ((coarse.at(middle + h) - coarse.at(middle - h)) / (2 * h)).mid()
        correction = self.goal
        while abs(correction) >= self.goal:
            correction = (self.at(middle).mid() / slope).mid()
            middle = (middle - correction).mid()
        radius = 4 * self.goal
        while not (self.at(middle - radius) > 0 > self.at(middle + radius)):
            radius *= 2
            if radius > 1e-3:
                raise ArithmeticError("the enclosure of the power law's constant has failed: a fault of linreg_dyn")
        return arb(middle, radius)

    def at(self, q: arb) -> arb:
        w, kappa, rho = 1 - q, self.kappa, self.rho

        def power(u: acb, analytic: bool) -> acb:
            return (q + w * u).pow(-kappa - 1, analytic)

        def inner(u: acb, analytic: bool) -> acb:
            if analytic or u.rad() > 1e-9:  # only for bounds
                return power(u * _UNIT, analytic) * (1 + _UNIT).pow(-rho, analytic)
            return self._integral(lambda x, flag: power(u * x, flag) * (1 + x).pow(-rho, flag), acb(0))

        start = self.goal**2
        head = acb(start).pow(2 - rho) / (2 - rho) * power(_UNIT * start, False) * inner(_UNIT * start, False)
        double = head + self._integral(lambda u, an: u.pow(1 - rho, an) * power(u, an) * inner(u, an), acb(start))
        single = self._integral(lambda u, an: u * power(u, an) * (1 + u).pow(-rho - 1, an), acb(0))
        right = self._integral(lambda u, an: power(u, an) * (1 + u).pow(-rho - 1, an), acb(0))
        left = kappa * w**2 / q * (single + kappa * w * double)
        return (left - acb(2).pow(-rho - 1) - kappa * w * right).real

    def _integral(self, function: Any, start: acb) -> acb:
        return acb.integral(function, start, acb(1), rel_tol=self.goal, abs_tol=self.goal)


def _exact(value: float | Fraction) -> arb:
    exact = Fraction(value)
    return arb(fmpq(exact.numerator, exact.denominator))

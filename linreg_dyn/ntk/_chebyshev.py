"""Stiff equations without linear algebra: the stabilised explicit method RKC, of second order.

Sommeijer, Shampine and Verwer, *RKC: an explicit solver for parabolic PDEs*, J. Comput. Appl. Math. 88 (1998) 315. A
step of s stages is stable for eigenvalues of the Jacobian from `-0.65 (s^2 - 1) / h` to 0, so that its cost grows like
the square root of the stiffness. Wide networks are made for it: their Jacobians are kernels times curvatures of
losses, whose eigenvalues are real. It needs products with the kernel, and nothing else.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from linreg_dyn.problem import Array

_MOST_STAGES = 4000
_DAMPING = 2 / 13


class Stages(NamedTuple):
    """Coefficients of a step: `Y_1 = Y_0 + first h F_0`, and of stage j >= 2, in the paper's names."""

    first: float
    mu: Array
    nu: Array
    mu_tilde: Array
    gamma_tilde: Array
    times: Array  # c_j, j >= 1


@lru_cache(maxsize=64)
def stages(s: int) -> Stages:
    """The coefficients of a step of s >= 2 stages (the paper's eqs. 2.5 to 2.10)."""
    w0 = 1 + _DAMPING / s**2
    T, dT, ddT = (np.zeros(s + 1) for _ in range(3))  # Chebyshev polynomials at w0 and their derivatives
    T[:2], dT[1] = (1, w0), 1
    for j in range(2, s + 1):
        T[j] = 2 * w0 * T[j - 1] - T[j - 2]
        dT[j] = 2 * w0 * dT[j - 1] - dT[j - 2] + 2 * T[j - 1]
        ddT[j] = 2 * w0 * ddT[j - 1] - ddT[j - 2] + 4 * dT[j - 1]
    w1 = dT[s] / ddT[s]
    b = np.empty(s + 1)
    b[2:] = ddT[2:] / dT[2:] ** 2
    b[:2] = b[2]
    a = 1 - b * T
    c = np.empty(s + 1)
    c[2:] = w1 * ddT[2:] / dT[2:]
    c[1] = b[1] * w1
    j = np.arange(2, s + 1)
    mu_tilde = 2 * b[j] * w1 / b[j - 1]
    return Stages(b[1] * w1, 2 * b[j] * w0 / b[j - 1], -b[j] / b[j - 2], mu_tilde, -a[j - 1] * mu_tilde, c[1:])


def step(rhs: Callable[[float, Array], Array], t: float, y: Array, slope: Array, h: float, s: int) -> Array:
    """y after a step h of s stages, from its slope at t."""
    k = stages(s)
    before, now = y, y + k.first * h * slope
    for j in range(s - 1):
        new = (1 - k.mu[j] - k.nu[j]) * y + k.mu[j] * now + k.nu[j] * before
        new += h * (k.mu_tilde[j] * rhs(t + k.times[j] * h, now) + k.gamma_tilde[j] * slope)
        before, now = now, new
    return now


def integrate(
    rhs: Callable[[float, Array], Array],
    radius: Callable[[float, Array], float],
    error: Callable[[Array, Array], float],
    y: Array,
    times: Array,
    *,
    max_steps: int,
) -> tuple[Array, int]:
    """y at `times` (ascending, from 0 on), and how many of them were reached with `max_steps` steps.

    Args:
        rhs: `dy/dt` at (t, y).
        radius: a bound of the spectral radius of its Jacobian for some time after (t, y).
        error: what an error estimate is, given it and y, in units of what is allowed.
    """
    values = np.full((times.size, *y.shape), np.nan)
    done = int(np.searchsorted(times, 0.0, side="right"))
    values[:done] = y
    t, slope, h, last = 0.0, rhs(0.0, y), math.inf, 1.0
    for _ in range(max_steps):
        if done == times.size:
            break
        stiffness = radius(t, y)
        if not math.isfinite(stiffness):
            break
        h = min(h, times[-1] - t, 0.65 * _MOST_STAGES**2 / stiffness if stiffness > 0 else math.inf)
        if t == 0.0 and stiffness > 0:
            h = min(h, 1 / stiffness)
        s = 2 + int(math.sqrt(1 + 1.54 * h * stiffness))
        new = step(rhs, t, y, slope, h, s)
        new_slope = rhs(t + h, new)
        size = error(0.8 * (y - new) + 0.4 * h * (slope + new_slope), new)
        if not size < 1:  # NaN as well
            h *= min(0.8, max(0.1, 0.8 * size ** (-1 / 3))) if math.isfinite(size) else 0.1
            if t + h == t:
                break
            continue
        reached = times[-1] if t + h >= times[-1] * (1 - 1e-15) else t + h
        while done < times.size and times[done] <= reached:
            values[done] = _hermite((times[done] - t) / h, h, y, slope, new, new_slope)
            done += 1
        t, y, slope = t + h, new, new_slope
        size = max(size, 1e-9)
        h *= min(5.0, max(0.2, 0.8 * size ** (-2 / 3) * last ** (1 / 3)))  # slower where errors have been growing
        last = size
    return values, done


def _hermite(x: float, h: float, y0: Array, slope0: Array, y1: Array, slope1: Array) -> Array:
    """The cubic with these values and slopes at the ends of a step h, at the fraction x of it."""
    start = (1 - x) ** 2 * ((1 + 2 * x) * y0 + x * h * slope0)
    return start + x**2 * ((3 - 2 * x) * y1 - (1 - x) * h * slope1)

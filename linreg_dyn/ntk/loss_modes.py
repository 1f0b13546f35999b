"""Modes of labels and of a start, their loss and its slope over time, and where the loss is lowest.

Conventions and theory: `predictions`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy.optimize import brentq

from linreg_dyn._checks import number
from linreg_dyn.ensemble.threads import spread
from linreg_dyn.ntk._residuals import fill_losses
from linreg_dyn.problem import Array, as_floats

PER_DECADE = 12  # times (or L2 parameters) looked at when minima are searched for
LEAST_L2 = 1e-100
"""In units of the smallest eigenvalue: slopes of losses are ~ l2^3 at the minimum, and would underflow below that."""
_EPS = float(np.finfo(float).eps)


@dataclass(frozen=True)
class LossMinimum:
    """Where the loss is lowest.

    Attributes:
        time: t*, gradient-flow time; 0 if it never is lower than at the start, infinite if it falls (or falls again)
            towards a limit that is lower than whatever it reached.
        loss: `sum (f - y)^2 / 2` at that time, or that limit.
        constant: `c = l2 t*`; NaN without L2.
        where: "start", "interior" or "infinity".
    """

    time: float
    loss: float
    constant: float
    where: str


def faint_constant(degree: float) -> float:
    """`c_0 = log(2 (k - 1) / k) / (k - 2)`, the c of modes with gamma << l2, for k > 1; t* l2 never reaches it."""
    degree = number("degree", degree, above=1)
    x = degree - 2
    return math.log1p(x / degree) / x if abs(x) > 1e-300 else 1 / degree


@dataclass(frozen=True)
class Modes:
    """Modes that matter: those with labels or a start; of several outputs, what their losses depend on."""

    gamma: Array
    y: Array
    f0: Array
    l2: float
    degree: float
    threads: int

    @staticmethod
    def of(eigenvalues, y_modes, f0_modes, l2: float, degree: float, threads: int) -> Modes:
        """From the arguments of `predictions.loss_curve`, checked here."""
        gamma, y = as_floats("eigenvalues", eigenvalues), as_floats("y_modes", y_modes)
        if gamma.ndim != 1 or not gamma.size:
            raise ValueError(f"eigenvalues must have the shape (mode,), mode >= 1, got {gamma.shape}")
        if gamma.min() < 0:
            raise ValueError(f"eigenvalues must be >= 0, got {gamma.min():g}")
        if y.ndim not in (1, 2) or len(y) != gamma.size:
            raise ValueError(f"y_modes must have the shape ({gamma.size},) or ({gamma.size}, output), got {y.shape}")
        f0 = np.zeros_like(y) if f0_modes is None else as_floats("f0_modes", f0_modes)
        if f0.shape != y.shape:
            raise ValueError(f"f0_modes must have the shape of y_modes, {y.shape}, got {f0.shape}")
        if y.ndim == 2:
            gamma, y, f0 = _two_outputs(gamma, y, f0)
        here = (y != 0) | (f0 != 0)
        gamma, y, f0 = (np.ascontiguousarray(x[here]) for x in (gamma, y, f0))
        return Modes(gamma, y, f0, l2, degree, threads)

    def with_l2(self, l2: float) -> Modes:
        """The same modes with another l2."""
        return Modes(self.gamma, self.y, self.f0, l2, self.degree, self.threads)

    def at(self, times: Array) -> tuple[Array, Array]:
        """Loss and its slope, each [time]."""
        loss, slope = np.empty(times.size), np.empty(times.size)

        def work(first: int, last: int) -> None:
            chunk = slice(first, last)
            modes = self.gamma, self.y, self.f0, self.l2, self.degree
            fill_losses(times[chunk], *modes, loss[chunk], slope[chunk])

        spread(work, times.size, self.threads)
        return loss, slope

    def slowest(self) -> float:
        """The smallest eigenvalue above 0 that the labels have; infinite if there is none."""
        return float(self.gamma[(self.gamma > 0) & (self.y != 0)].min(initial=math.inf))

    def slope(self, time: float) -> float:
        """The slope of the loss at one time."""
        return float(self.at(np.array([time]))[1][0])

    def minimum(self) -> LossMinimum:
        """Where the loss is lowest, of all turns from falling to rising and of both ends of time."""
        if 0 < self.l2 < LEAST_L2 * self.slowest() < math.inf:
            raise ValueError(
                f"l2 must be 0 or at least {LEAST_L2:g} of the smallest eigenvalue, {self.slowest():g}, got {self.l2:g}"
            )
        times = self._times_to_look_at()
        slopes = self.at(times)[1]
        signed = np.flatnonzero(slopes)
        found = []  # (loss, time), earliest first
        if not signed.size or slopes[signed[0]] > 0:
            found.append((float(self.at(times[:1])[0][0]), float(times[0])))
        for i, j in pairwise(signed.tolist()):
            if slopes[i] < 0 < slopes[j]:
                time = root(self.slope, float(times[i]), float(times[j]))
                found.append((float(self.at(np.array([time]))[0][0]), time))
        if signed.size and slopes[signed[-1]] < 0:
            found.append((self._limit(), math.inf))
        loss, time = min(found)
        where = "start" if time == 0 else "interior" if time < math.inf else "infinity"
        return LossMinimum(time, loss, self.l2 * time if self.l2 else math.nan, where)

    def _times_to_look_at(self) -> Array:
        """Zero, and a grid from before the fastest mode moves until after the slowest has come to its end."""
        slowest = self.slowest()
        moving = self.gamma.max(initial=0.0) + self.degree * self.l2
        if not moving:
            return np.zeros(1)
        if self.degree > 1 and self.l2 > 0 and slowest < math.inf and not self.f0.any():
            first, last = (_best_time(x, self.l2, self.degree) for x in (self.gamma.max(), slowest))
            first, last = first * (1 - 1e-9), last * (1 + 1e-9)
        else:
            first, last = 1e-2 / moving, self._end()
        decades = math.log10(last / first)
        grid = np.geomspace(first, last, 2 + math.ceil(PER_DECADE * decades))
        return np.concatenate([[0.0], grid])

    def _end(self) -> float:
        """When all modes are within e^-40 of where they go."""
        m, decay = 2 * (self.degree - 1) * self.l2, self.degree * self.l2
        positive = self.gamma[self.gamma > 0]
        if m > 0:
            return (40.0 + math.log1p(positive.max(initial=0.0) / decay)) / min(m, decay)
        slowest = positive.min(initial=math.inf)
        if decay and ((self.gamma == 0).any() or slowest == math.inf):
            slowest = 0.0
        return 40.0 / (slowest + decay)

    def _limit(self) -> float:
        """The loss after infinite time."""
        y, gamma, decay = self.y, self.gamma, self.degree * self.l2
        idle = self.f0 if decay == 0 else 0.0
        if self.degree == 1 and self.l2 > 0:
            residual = y * self.l2 / (gamma + self.l2)
        elif self.degree > 1 and self.l2 > 0:
            residual = y
        else:
            residual = np.where(gamma > 0, 0.0, y - idle)
        return float(0.5 * np.sum(residual**2))


def _two_outputs(gamma: Array, y: Array, f0: Array) -> tuple[Array, Array, Array]:
    """Modes (mode, output) as two of one output each, with the same loss at all times.

    Rotated among the outputs, y of a mode is `(|y|, 0)` and f0 is `(along y, across)`, and the loss only knows lengths.
    """
    length = np.linalg.norm(y, axis=1)
    unit = y / np.where(length > 0, length, 1.0)[:, np.newaxis]
    along = np.sum(unit * f0, axis=1)
    across = np.linalg.norm(f0 - along[:, np.newaxis] * unit, axis=1)
    return np.tile(gamma, 2), np.concatenate([length, np.zeros_like(length)]), np.concatenate([along, across])


def _best_time(gamma: float, l2: float, degree: float) -> float:
    """When a mode that starts at 0 is nearest to its label, for k > 1 and l2, gamma > 0."""
    one = np.ones(1)
    mode = Modes(gamma * one, one, 0 * one, l2, degree, 1)
    first, last = 1e-3 / (gamma + degree * l2), 1.01 * faint_constant(degree) / l2
    return math.exp(root(lambda x: mode.slope(math.exp(x)), math.log(first), math.log(last), of_log=True))


def root(function: Callable[[float], float], low: float, high: float, *, of_log: bool = False) -> float:
    """Where a function is zero, to rounding, between two points at which its signs differ.

    `of_log`: its argument is a logarithm, in which rounding is no smaller near 0.
    """
    xtol = 4 * _EPS if of_log else 1e-300
    return float(brentq(function, low, high, xtol=xtol, rtol=4 * _EPS))  # type: ignore[arg-type]

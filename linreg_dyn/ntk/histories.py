"""Losses over time on a data set, from the spectrum of its kernel: squared error in closed form, others by integration.

Conventions as of `predictions`; networks start at f = 0.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import xarray as xr
from scipy.interpolate import CubicSpline

from linreg_dyn.ntk.datasets import Samples, wrong
from linreg_dyn.ntk.dynamics import predict
from linreg_dyn.ntk.losses import Loss, as_loss
from linreg_dyn.ntk.modes import mode_weights
from linreg_dyn.ntk.predictions import LossMinimum, loss_curve, loss_minimum
from linreg_dyn.problem import Array

EPS = float(np.finfo(float).eps)
POINTS = 400  # times of a curve
SHOWN = 4  # modes of which the outputs are kept
RTOL = 1e-6
"""Of outputs that are integrated: times of minima keep about four digits."""
RISE = 10 * RTOL
"""By how much of the start a loss must rise again, for a turn to be a minimum and no error of the integration."""


@dataclass(frozen=True)
class Task:
    """What is trained: all modes of a kernel, samples, the kernel to those to test with (None: no test), and how.

    `times` are the first and the last to be shown; None: all that happens.
    """

    spectrum: xr.Dataset
    samples: Samples
    cross: Array | None
    loss: str
    l2: float
    degree: float
    times: tuple[float, float] | None = None

    @property
    def gamma(self) -> Array:
        """The eigenvalues."""
        return self.spectrum["eigenvalue"].values

    def shown(self) -> np.ndarray:
        """A few modes that are learned, their eigenvalues about evenly on a logarithmic axis."""
        positive = self.gamma[self.gamma > 0]
        if not positive.size:
            return np.zeros(1, dtype=int)
        wanted = np.geomspace(positive[0], positive[-1], SHOWN)
        return np.unique(np.abs(np.log(positive) - np.log(wanted)[:, np.newaxis]).argmin(axis=1))

    def span(self) -> tuple[float, float]:
        """From before the first mode is learned until the last has decayed."""
        positive = self.gamma[self.gamma > 0]
        fastest, slowest = (positive[0], positive[-1]) if positive.size else (0.0, 0.0)
        first = 0.01 / max(fastest + self.degree * self.l2, 1e-300)
        last = 10 / (max(self.degree, 1.0) * self.l2) if self.l2 > 0 else 10 / max(slowest, 1e-300)
        return first, max(last, 100 * first)


@dataclass(frozen=True)
class History:
    """Curves over `time`: `loss`, `linear` (the linear model of the same kernel), perhaps of a test, and of modes.

    `modes` (shown, time) is `f_a . u_a / |u_a|^2`, u_a being what first pushes the mode, `-e_a . dl/df` at f = 0: the
    label, for the squared error. `best.where` may be "later": then the loss has not turned by the last time, and all
    of the minimum but the loss then is NaN.
    """

    time: Array
    loss: Array
    linear: Array
    modes: Array
    loss_at_start: float
    best: LossMinimum
    test_loss: Array | None = None
    test_error: Array | None = None


def history(task: Task) -> History:
    """The curves of a task.

    Raises:
        ValueError: its labels do not suit its loss, l2 is 0 and no times are given for a loss that may fall for ever,
            or the integration does not come to its end.
    """
    return in_closed_form(task) if task.loss == "mse" else integrated(task)


# ---------------------------------------------------------------- squared error: eq. 3
def in_closed_form(task: Task) -> History:
    """By the modes of eq. 3, to full accuracy."""
    gamma, y = task.gamma, task.spectrum["y_mode"].values
    rates: dict[str, Any] = {"l2": task.l2, "degree": task.degree}
    best = loss_minimum(gamma, y, **rates)
    first, last = task.span()
    if 0 < best.time < math.inf:
        first, last = min(first, best.time / 10), max(last, 10 * best.time)
    time = np.geomspace(*(task.times or (first, last)), POINTS)
    shown = task.shown()
    modes = mode_weights(time, gamma[shown, np.newaxis], **rates)[1]
    modes[~y.reshape(gamma.size, -1)[shown].any(axis=1)] = math.nan  # without a label, relative to which it is
    linear = loss_curve(time, gamma, y, l2=task.l2, degree=1.0)
    loss, start = loss_curve(time, gamma, y, **rates), 0.5 * float(np.square(task.samples.y).sum())
    return History(time, loss, linear, modes, start, best, *_tested(task, time))


def _tested(task: Task, time: Array) -> tuple[Array | None, Array | None]:
    """Outputs elsewhere follow those on the training samples: from 0, `f(x) = sum_a Theta(x) . e_a f_a / gamma_a`."""
    if task.cross is None:
        return None, None
    positive = task.gamma > 0
    gamma, y = task.gamma[positive], task.spectrum["y_mode"].values[positive]
    features = task.cross @ task.spectrum["eigenvector"].values[:, positive] / gamma
    loss, errors = np.empty(time.size), []
    for i, t in enumerate(time):
        outputs = features @ (y.T * mode_weights(t, gamma, l2=task.l2, degree=task.degree)[1]).T
        loss[i] = 0.5 * np.square(outputs - task.samples.y_test).sum()
        errors.append(wrong(task.samples, outputs))
    return loss, None if errors[0] is None else np.array(errors)


# ---------------------------------------------------------------- any loss: eqs. 1 and 2
def integrated(task: Task) -> History:
    """By `dynamics.predict`; the loss minimum is where the slope of the loss, which eq. 1 gives, changes its sign.

    It is sought from 0 to the last time, whatever the first to be shown is.
    """
    loss = as_loss(task.loss)
    first, last = task.span()
    if task.times is not None:
        first, last = min(first, task.times[0]), task.times[1]
    elif task.l2 == 0:
        raise ValueError(f"times must be given with l2 = 0 and the loss {task.loss!r}, which may fall for ever")
    time = np.geomspace(first, last, POINTS)
    shown = time if task.times is None else np.geomspace(*task.times, POINTS)
    times, where = np.unique(np.concatenate([[0.0], time, shown]), return_inverse=True)
    kept = where[1 + POINTS :]
    eigenvectors = task.spectrum["eigenvector"].values
    kernel = (eigenvectors * task.gamma) @ eigenvectors.T
    run, linear = (_trained(task, kernel, times, degree) for degree in (task.degree, 1.0))
    f = run["f"].values.reshape(times.size, len(kernel), -1)
    y = task.samples.y.reshape(len(kernel), -1)
    values = run["loss"].values
    best = _lowest(task.l2, times, values, _slopes(task, loss, kernel, times, f, y))
    chosen = eigenvectors[:, task.shown()]
    push = chosen.T @ -loss.derivative(f[0], y)
    along = np.einsum("tso,sa,ao->at", f[kept], chosen, push)
    power = np.square(push).sum(axis=1, keepdims=True)
    pushed = power > (len(kernel) * EPS) ** 2 * np.square(loss.derivative(f[0], y)).sum()
    modes = np.divide(along, power, out=np.full_like(along, np.nan), where=pushed)
    tests = (None, None)
    if task.cross is not None:
        tests = run["loss_test"].values[kept], wrong(task.samples, run["f_test"].values[kept])
    return History(times[kept], values[kept], linear["loss"].values[kept], modes, float(values[0]), best, *tests)


def _trained(task: Task, kernel: Array, times: Array, degree: float) -> xr.Dataset:
    tests: dict[str, Any] = {}
    if task.cross is not None and degree == task.degree:
        tests = {"kernel_test_train": task.cross, "y_test": task.samples.y_test}
    run = predict(kernel, task.samples.y, times, l2=task.l2, degree=degree, loss=task.loss, rtol=RTOL, **tests)
    if run["status"] != 0:
        reached = times[np.isfinite(run["loss"].values)][-1]
        raise ValueError(
            f"training at degree {degree:g} could not be followed beyond the time {reached:.3g}: give an earlier last "
            "time, or a larger l2"
        )
    return run


def _slopes(task: Task, loss: Loss, kernel: Array, times: Array, f: Array, y: Array) -> Array:
    """`dL/dt = sum dl/df . df/dt`, by eq. 1."""
    slopes = np.empty(times.size)
    for i, t in enumerate(times):
        downhill = loss.derivative(f[i], y)
        scale = math.exp(-2 * (task.degree - 1) * task.l2 * t)
        slopes[i] = np.sum(downhill * (-scale * (kernel @ downhill) - task.degree * task.l2 * f[i]))
    return slopes


def _lowest(l2: float, times: Array, loss: Array, slope: Array) -> LossMinimum:
    """The lowest of all turns from falling to rising, between times by splines of the slope over log t."""
    if not slope.any():
        return LossMinimum(0.0, float(loss[0]), 0.0 if l2 else math.nan, "start")
    found = []  # (loss, time)
    for i, j in pairwise(np.flatnonzero(slope).tolist()):
        if slope[i] < 0 < slope[j] and i > 0:
            some = slice(max(i - 3, 1), j + 4)
            x = np.log(times[some])
            rate = CubicSpline(x, times[some] * slope[some])
            turns = [z for z in rate.roots(extrapolate=False) if math.log(times[i]) <= z <= math.log(times[j])]
            found += [(float(loss[i] + rate.integrate(math.log(times[i]), z)), math.exp(z)) for z in turns]
    low, time = min(found, default=(math.inf, math.nan))
    if not low < loss[-1] - RISE * loss[0]:
        return LossMinimum(math.nan, float(loss[-1]), math.nan, "later")
    return LossMinimum(time, low, l2 * time, "interior")

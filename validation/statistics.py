"""Intervals for a mean and a slope: what the verdicts of experiments are computed from."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats


class Interval(NamedTuple):
    """An estimate and its confidence interval; both ends are infinite where nothing can be said."""

    low: float
    estimate: float
    high: float


def mean_interval(values: ArrayLike, confidence: float = 0.9) -> Interval:
    """Student's interval for the mean of independent values, (sample,).

    The default of 0.9 makes "the interval lies within the margins" an equivalence test at the 5 % level (two
    one-sided tests). One value alone has no interval: its ends are infinite.
    """
    x = _finite("values", values)
    estimate = float(x.mean())
    if len(x) < 2:
        return Interval(-np.inf, estimate, np.inf)
    half = float(stats.t.ppf(0.5 + confidence / 2, len(x) - 1) * x.std(ddof=1) / np.sqrt(len(x)))
    return Interval(estimate - half, estimate, estimate + half)


def slope_interval(x: ArrayLike, y: ArrayLike, confidence: float = 0.9) -> Interval:
    """Least squares slope of y over x, (sample,) each, with Student's interval; two points alone have none."""
    x, y = _finite("x", x), _finite("y", y)
    if len(x) != len(y):
        raise ValueError(f"x and y must be of one length, got {len(x)} and {len(y)}")
    if len(x) < 2 or np.ptp(x) == 0:
        raise ValueError(f"x must have at least two different values, got {x}")
    away = x - x.mean()
    slope = float(away @ y / (away @ away))
    if len(x) == 2:
        return Interval(-np.inf, slope, np.inf)
    left = y - y.mean() - slope * away
    error = np.sqrt(left @ left / (len(x) - 2) / (away @ away))
    half = float(stats.t.ppf(0.5 + confidence / 2, len(x) - 2) * error)
    return Interval(slope - half, slope, slope + half)


def _finite(name: str, values: ArrayLike) -> np.ndarray:
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1 or not len(array) or not np.isfinite(array).all():
        raise ValueError(f"{name} must be finite numbers, (sample,), got {array!r:.80}")
    return array

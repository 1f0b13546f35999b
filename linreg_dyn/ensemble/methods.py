"""The training methods: what a step adds to plain gradient descent, as frozen, checked data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from linreg_dyn._checks import choice, integer, number
from linreg_dyn.problem import Array, NormalizedData, as_floats
from linreg_dyn.regression import Regression
from linreg_dyn.schedules import Schedule, as_schedule

DISTRIBUTIONS = ("uniform", "rademacher")
CELLS = 8192
"""Cells of equal probability into which the truncated Gaussian is divided, uniform within each."""


@dataclass(frozen=True)
class TruncatedGaussian:
    """A Gaussian cut off at plus and minus `sigmas` standard deviations, which the half width stands for.

    Drawn from 8192 cells of equal probability, uniform within each: no probability is off by more than 1e-5 if
    `sigmas` is at most 3, nor by more than 1e-4 in any case.

    Args:
        sigmas: how many standard deviations of the Gaussian the half width has, above 0, at most 5.
    """

    sigmas: float = 2.0

    def __post_init__(self):
        sigmas = number("sigmas of TruncatedGaussian", self.sigmas, above=0)
        if sigmas > 5:
            raise ValueError(f"sigmas of TruncatedGaussian must be at most 5, got {self.sigmas!r}")
        object.__setattr__(self, "sigmas", sigmas)

    def table(self) -> Array:
        """The quantiles at the probabilities 0, 1/8192, ..., 1, in half widths."""
        from scipy.special import ndtr, ndtri

        # From the median down, where ndtri is exact in the tail; the other half by symmetry.
        low = ndtri(np.linspace(ndtr(-self.sigmas), 0.5, CELLS // 2 + 1)) / self.sigmas
        low[0], low[-1] = -1.0, 0.0
        return np.concatenate([low, -low[-2::-1]])


@dataclass(frozen=True)
class Table:
    """Numbers of your own, each as likely as the others (to within their count in 2^32), in half widths.

    Args:
        values: one or more numbers of [-1, 1], (value,); a measured noise divided by its largest magnitude.
    """

    values: tuple[float, ...]

    def __post_init__(self):
        values = as_floats("values of Table", self.values)
        if values.ndim != 1 or not 1 <= values.size <= 2**20 or np.abs(values).max() > 1:
            raise ValueError(f"values of Table must be 1 to 2^20 numbers of [-1, 1], got shape {values.shape}")
        object.__setattr__(self, "values", tuple(values.tolist()))

    def table(self) -> Array:
        """The values as an array."""
        return np.array(self.values)


Distribution = str | TruncatedGaussian | Table


def _checked_noise(method: Any, most: float | None) -> None:
    """Check and set `half_width` and `distribution` of a noise method."""
    name = f"half_width of {type(method).__name__}"
    half_width: Any = method.half_width
    if isinstance(half_width, Schedule):
        as_schedule(half_width, name, zero=True, most=most)
        if half_width.follows_weights:
            raise ValueError(f"{name} must be a number or a schedule of time alone, got {half_width!r}")
    else:
        half_width = number(name, half_width, least=0)
        if most is not None and half_width > most:
            raise ValueError(f"{name} must be in [0, {most:g}], got {method.half_width!r}")
    object.__setattr__(method, "half_width", half_width)
    if not isinstance(method.distribution, (TruncatedGaussian, Table)):
        choice("distribution", method.distribution, DISTRIBUTIONS)


@dataclass(frozen=True)
class GradientDescent:
    """Plain gradient descent, `g = W - 1` (Ginsburg, eq. 8; with weight decay, eq. 9)."""


@dataclass(frozen=True)
class NoiseAugmentation:
    """Inputs multiplied by `1 + eta`, a fresh `eta` at every step: `g = (1 + eta)((1 + eta) W - 1)` (eq. 11).

    Args:
        half_width: the bound on `|eta|`, in [0, 1], a number or a schedule; 1 with "rademacher" is dropout of
            half the inputs. Beyond 1 inputs would change their sign.
        distribution: "uniform" on (-half_width, half_width), "rademacher": plus or minus half_width,
            `TruncatedGaussian(sigmas)` or `Table(values)`.
    """

    half_width: float | Schedule
    distribution: Distribution = "uniform"

    def __post_init__(self):
        _checked_noise(self, most=1)


@dataclass(frozen=True)
class SGDNoise:
    """Additive gradient noise, a fresh `eta` at every step: `g = W - 1 + eta` (Ginsburg, eq. 12).

    Args:
        half_width: the bound on `|eta|`, at least 0, a number or a schedule.
        distribution: as of `NoiseAugmentation`.
    """

    half_width: float | Schedule
    distribution: Distribution = "uniform"

    def __post_init__(self):
        _checked_noise(self, most=None)


@dataclass(frozen=True)
class MiniBatch:
    """Real mini-batches: `g = m2 W - m1` with the batch means `m2` of `x^2` and `m1` of `x y` (section 5).

    Every step of every trajectory draws its batch anew, uniformly, without replacement within the batch.

    Args:
        data: `linreg_dyn.normalize(x, y)` of your samples; or `NormalizedData`, or a pair `(x, y)` of arrays
            (sample,) that eq. (2) holds for.
        batch_size: samples in a batch, from 1 to all.
    """

    data: NormalizedData
    batch_size: int

    def __post_init__(self):
        data: Any = self.data
        if isinstance(data, Regression):
            data = data.data
        if not isinstance(data, NormalizedData):
            if not isinstance(data, (tuple, list)) or len(data) != 2:
                allowed = "what linreg_dyn.normalize returns, NormalizedData or a pair (x, y)"
                raise TypeError(f"data must be {allowed}, got {type(data).__name__}")
            data = NormalizedData(*data)
        object.__setattr__(self, "data", data)
        object.__setattr__(self, "batch_size", integer("batch_size", self.batch_size, least=1, most=len(data)))


Method = GradientDescent | NoiseAugmentation | SGDNoise | MiniBatch
METHODS = (GradientDescent, NoiseAugmentation, SGDNoise, MiniBatch)

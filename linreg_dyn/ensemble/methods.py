"""The training methods: what a step adds to plain gradient descent, as frozen, checked data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from linreg_dyn._checks import choice, integer, number
from linreg_dyn.problem import NormalizedData

DISTRIBUTIONS = ("uniform", "rademacher")


@dataclass(frozen=True)
class GradientDescent:
    """Plain gradient descent, `g = W - 1` (Ginsburg, eq. 8; with weight decay, eq. 9)."""


@dataclass(frozen=True)
class NoiseAugmentation:
    """Inputs multiplied by `1 + eta`, a fresh `eta` at every step: `g = (1 + eta)((1 + eta) W - 1)` (eq. 11).

    Args:
        half_width: the bound on `|eta|`, in [0, 1]; 1 with "rademacher" is dropout of half the inputs.
        distribution: "uniform" on (-half_width, half_width), or "rademacher": plus or minus half_width.
    """

    half_width: float
    distribution: str = "uniform"

    def __post_init__(self):
        half_width = number("half_width", self.half_width, least=0)
        if half_width > 1:  # inputs would change their sign
            raise ValueError(f"half_width of NoiseAugmentation must be in [0, 1], got {self.half_width!r}")
        object.__setattr__(self, "half_width", half_width)
        choice("distribution", self.distribution, DISTRIBUTIONS)


@dataclass(frozen=True)
class SGDNoise:
    """Additive gradient noise, a fresh `eta` at every step: `g = W - 1 + eta` (Ginsburg, eq. 12).

    Args:
        half_width: the bound on `|eta|`, at least 0.
        distribution: "uniform" on (-half_width, half_width), or "rademacher": plus or minus half_width.
    """

    half_width: float
    distribution: str = "uniform"

    def __post_init__(self):
        object.__setattr__(self, "half_width", number("half_width", self.half_width, least=0))
        choice("distribution", self.distribution, DISTRIBUTIONS)


@dataclass(frozen=True)
class MiniBatch:
    """Real mini-batches: `g = m2 W - m1` with the batch means `m2` of `x^2` and `m1` of `x y` (section 5).

    Every step of every trajectory draws its batch anew, uniformly, without replacement within the batch.

    Args:
        data: `NormalizedData`, or a pair `(x, y)` of arrays (sample,) that eq. (2) holds for.
        batch_size: samples in a batch, from 1 to all.
    """

    data: NormalizedData
    batch_size: int

    def __post_init__(self):
        data: Any = self.data
        if not isinstance(data, NormalizedData):
            if not isinstance(data, (tuple, list)) or len(data) != 2:
                raise TypeError(f"data must be NormalizedData or a pair (x, y), got {type(data).__name__}")
            data = NormalizedData(*data)
        object.__setattr__(self, "data", data)
        object.__setattr__(self, "batch_size", integer("batch_size", self.batch_size, least=1, most=len(data)))


Method = GradientDescent | NoiseAugmentation | SGDNoise | MiniBatch

"""Activations of wide networks, and what their layers do to the variance of one sample."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from linreg_dyn._checks import choice, number
from linreg_dyn.problem import Array

NAMES = ("linear", "relu", "leaky_relu", "erf")
DEFAULT_SLOPE = 0.01
_LARGEST_SLOPE = 1e100


@dataclass(frozen=True)
class Activation:
    """`phi(x)`: `erf(x)`, or `max(x, 0) + slope min(x, 0)` with slope 1 for linear and 0 for ReLU."""

    is_erf: bool
    slope: float = 1.0

    @property
    def gain(self) -> float:
        """`E[phi(x)^2] / E[x^2]`, which is `E[phi'(x)^2]`, of those that are not erf."""
        return (1 + self.slope**2) / 2

    @property
    def straight(self) -> float:
        """How even the two slopes are: `2 slope / (1 + slope^2)`, from -1 (modulus) over 0 (ReLU) to 1 (linear)."""
        return 2 * self.slope / (1 + self.slope**2)

    @property
    def bend(self) -> float:
        """`(1 - straight) / pi`, the factor of `sin(angle) - angle cos(angle)`."""
        return (1 - self.slope) ** 2 / (1 + self.slope**2) / math.pi

    def second_moment(self, variance: Array) -> Array:
        """`E[phi(x)^2]` for x of that variance."""
        if self.is_erf:
            return 2 / math.pi * np.arctan2(2 * variance, np.sqrt(1 + 4 * variance))
        return self.gain * variance

    def slope_moment(self, variance: Array) -> Array:
        """`E[phi'(x)^2]` for x of that variance."""
        if self.is_erf:
            return 4 / math.pi / np.sqrt(1 + 4 * variance)
        return np.full_like(variance, self.gain)


def activation_of(name: Any, slope: Any = None) -> Activation:
    """The activation of that name, checked; `slope` belongs to "leaky_relu" alone (default 0.01).

    Raises:
        TypeError, ValueError: unknown, or a slope that is no number up to 1e100, or that the activation has not.
    """
    choice("activation", name, NAMES)
    if name == "leaky_relu":
        value = number("slope", DEFAULT_SLOPE if slope is None else slope)
        if abs(value) > _LARGEST_SLOPE:
            raise ValueError(f"slope must be from {-_LARGEST_SLOPE:g} to {_LARGEST_SLOPE:g}, got {value!r}")
        return Activation(False, value)
    if slope is not None:
        raise ValueError(f"slope belongs to activation='leaky_relu', got slope={slope!r} with activation={name!r}")
    return Activation(name == "erf", {"linear": 1.0, "relu": 0.0}.get(name, 1.0))

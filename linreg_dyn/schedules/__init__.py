"""Learning rates, constant or following the weights.

A schedule is a frozen dataclass for the user; `rates` has the plain functions that drivers compile.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from linreg_dyn._checks import number
from linreg_dyn.rules import end_to_end
from linreg_dyn.schedules.rates import adaptive_rate, adaptive_unit_rate, constant_rate, squared_products

__all__ = [
    "Adaptive",
    "Constant",
    "Schedule",
    "adaptive_rate",
    "adaptive_unit_rate",
    "as_schedule",
    "constant_rate",
    "squared_products",
]


@dataclass(frozen=True)
class Constant:
    """The same learning rate at every step; a bare number means this."""

    value: float

    def __post_init__(self):
        object.__setattr__(self, "value", number("learning_rate", self.value, above=0))

    def rate(self, weights):
        """The rate at a sequence of weights."""
        return constant_rate(self.value, end_to_end(weights), squared_products(weights))


@dataclass(frozen=True)
class Adaptive:
    """`lr = c / sum_i (1/w_i^2)`, the adaptive learning rate of Ginsburg's theorems (3.1: c = 1/4).

    A trajectory with a zero weight has the rate 0 and never moves, neither by its gradient nor by weight
    decay; `simulate` gives it the status `stalled`.
    """

    c: float

    def __post_init__(self):
        object.__setattr__(self, "c", number("c of Adaptive", self.c, above=0))

    def rate(self, weights):
        """The rate at a sequence of weights."""
        return adaptive_rate(self.c, end_to_end(weights), squared_products(weights))


Schedule = Constant | Adaptive


def as_schedule(learning_rate: Any) -> Schedule:
    """`learning_rate` as a schedule; a number becomes `Constant`."""
    if isinstance(learning_rate, (Constant, Adaptive)):
        return learning_rate
    return Constant(learning_rate)

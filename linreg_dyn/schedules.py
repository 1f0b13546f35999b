"""Learning rates, constant or following the weights.

A schedule is a frozen dataclass for the user and one plain function `rate(value, W, q)` in the style
of `rules`, which drivers compile: `W` is the end-to-end weight before the step and `q = sum_i (W/w_i)^2`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from linreg_dyn._checks import number
from linreg_dyn.rules import end_to_end, others


def constant_rate(value, W, q):
    """`value`, whatever the weights."""
    return value


def adaptive_rate(value, W, q):
    """`value / sum_i (1/w_i^2)`, written as `value W^2 / q` so that no weight is divided by.

    As a weight tends to 0 the rate does too; at several zero weights (`q = 0`) it is defined by that limit.
    """
    return value * W * W / q if q != 0 else q


def squared_products(weights):
    """`q = sum_i (W/w_i)^2` of a sequence of weights, summed from the last layer to the first."""
    products = others(weights)
    q = weights[0] * 0
    for i in range(len(weights) - 1, -1, -1):
        q = q + products[i] * products[i]
    return q


def adaptive_unit_rate(weights):
    """`1 / sum_i (1/w_i^2)` of a sequence of weights, 0 if one of them is: the adaptive rate with `c = 1`."""
    return adaptive_rate(1, end_to_end(weights), squared_products(weights))


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

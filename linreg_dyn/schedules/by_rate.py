"""Regularisers that follow the learning rate: dialled up as the rate is dialled down."""

from __future__ import annotations

import math
from dataclasses import KW_ONLY, dataclass
from typing import Any

import numpy as np

from linreg_dyn._checks import number
from linreg_dyn.schedules.core import Mapped, Schedule, Steps64, Values, clean, each, finite_limits, part


@dataclass(frozen=True, repr=False)
class InverseOfRate(Mapped):
    """A regulariser dialled up as the learning rate is dialled down: `product / rate`, at most `most`.

    With weight decay, `rate * decay` stays what it is: what a step takes from every weight, the reciprocal of
    Lewkowycz and Gur-Ari's time scale 1 / (lr lambda), does not change as the rate falls.

    Args:
        learning_rate: a number or a schedule, nowhere negative.
        product: the regulariser times the rate, above 0.
        most: a ceiling; needed (not None) where the rate may come to 0.
    """

    learning_rate: float | Schedule
    _: KW_ONLY
    product: float
    most: float | None = None

    def __post_init__(self):
        clean(self, learning_rate=part("learning_rate of InverseOfRate", self.learning_rate))
        clean(self, product=number("product of InverseOfRate", self.product, above=0))
        low, high = self._inner.limits
        if low < 0 or high == 0:
            raise ValueError(f"learning_rate of InverseOfRate must be above 0, got {self.learning_rate!r}")
        if self.most is not None:
            clean(self, most=number("most of InverseOfRate", self.most, above=0))
        elif low == 0:
            raise ValueError("most of InverseOfRate must be a number > 0 where the rate may come to 0, got None")
        finite_limits(self)

    def _values(self, steps: Steps64) -> Values:
        return self._of(self._inner._values(steps))

    def _of(self, rates: Values) -> Values:
        with np.errstate(divide="ignore", over="ignore"):
            values = self.product / rates
        return values if self.most is None else np.minimum(values, self.most)

    @property
    def limits(self) -> tuple[float, float]:
        """At the largest and at the least rate."""
        low, high = self._of(np.array(self._inner.limits)[::-1]).tolist()
        return low, high


@dataclass(frozen=True, repr=False)
class ByRate(Mapped):
    """A regulariser that is a function of the learning rate, given by a table: the rule behind "Table 1".

    Between two rates of the table it is linear in the logarithm of the rate; beyond the first and the last it
    stays what it is there. `published.TABLE_1` gives each learning rate one weight decay, in all its three
    phases, and no power law: see there.

    Args:
        learning_rate: a number or a schedule, nowhere negative.
        levels: pairs (rate above 0, value), rates all different.
    """

    learning_rate: float | Schedule
    _: KW_ONLY
    levels: tuple[tuple[float, float], ...]

    def __post_init__(self):
        pairs = self.levels
        if not isinstance(pairs, (tuple, list)) or not pairs or any(not _is_pair(pair) for pair in pairs):
            raise TypeError(f"levels of ByRate must be a list of pairs (rate, value), got {pairs!r:.80}")
        levels = sorted(
            (number("rates of levels of ByRate", rate, above=0), number("values of levels of ByRate", value))
            for rate, value in pairs
        )
        if len({rate for rate, _ in levels}) < len(levels):
            raise ValueError(f"levels of ByRate must have different rates, got {[rate for rate, _ in levels]}")
        clean(self, learning_rate=part("learning_rate of ByRate", self.learning_rate), levels=tuple(levels))
        if self._inner.limits[0] < 0:
            raise ValueError(f"learning_rate of ByRate must not be negative, got {self.learning_rate!r}")

    def _values(self, steps: Steps64) -> Values:
        rates, values = np.array(self.levels).T
        rate = np.clip(self._inner._values(steps), rates[0], rates[-1])
        high = np.searchsorted(rates, rate)  # the lowest level not below the rate, exact where it is met
        low = np.maximum(high - 1, 0)
        span = np.maximum(each(math.log, rates[high]) - each(math.log, rates[low]), np.finfo(float).tiny)
        below = (each(math.log, rates[high]) - each(math.log, rate)) / span
        mixed = values[high] * (1 - below) + values[low] * below
        return np.clip(mixed, np.minimum(values[low], values[high]), np.maximum(values[low], values[high]))

    @property
    def limits(self) -> tuple[float, float]:
        """The least and the most value of the table."""
        values = [value for _, value in self.levels]
        return min(values), max(values)


def _is_pair(value: Any) -> bool:
    return isinstance(value, (tuple, list)) and len(value) == 2

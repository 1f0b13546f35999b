"""Sums and products of schedules."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from itertools import product, starmap
from typing import Any

from linreg_dyn.schedules.core import Schedule, Steps64, Values, clean, finite_limits, part, schedule_of, shortest


@dataclass(frozen=True, repr=False)
class _Combination(Schedule):
    """Several numbers and schedules, combined value by value, from the first to the last."""

    @abstractmethod
    def _parts(self) -> tuple[Schedule, ...]:
        """What is combined, as schedules."""

    @staticmethod
    @abstractmethod
    def _combine(a: Any, b: Any) -> Any:
        """Two values, or two arrays of them."""

    def _checked(self, name: str, values: Any) -> tuple:
        label = f"{name} of {type(self).__name__}"
        if not isinstance(values, (tuple, list)) or not values:
            raise TypeError(f"{label} must be a list of numbers and schedules, got {values!r}")
        return tuple(part(label, value) for value in values)

    def _values(self, steps: Steps64) -> Values:
        first, *rest = (schedule._values(steps) for schedule in self._parts())
        for values in rest:
            first = self._combine(first, values)
        return first

    @property
    def limits(self) -> tuple[float, float]:
        """Interval arithmetic of the parts' limits, wider than the truth where they do not meet in time."""
        (low, high), *rest = (schedule.limits for schedule in self._parts())
        for limits in rest:
            ends = list(starmap(self._combine, product((low, high), limits)))
            low, high = min(ends), max(ends)
        return low, high

    @property
    def length(self) -> int | None:
        """The shortest of the parts'."""
        return shortest(*(schedule.length for schedule in self._parts()))

    def changes(self) -> tuple[int, ...] | None:
        """Those of all parts together."""
        found: set[int] = set()
        for schedule in self._parts():
            steps = schedule.changes()
            if steps is None:
                return None
            found.update(steps)
        return tuple(sorted(found))


@dataclass(frozen=True, repr=False)
class Product(_Combination):
    """The product of numbers and schedules; `2 * schedule` makes one."""

    factors: tuple[float | Schedule, ...]

    def __post_init__(self):
        clean(self, factors=self._checked("factors", self.factors))
        finite_limits(self)

    def _parts(self) -> tuple[Schedule, ...]:
        return tuple(map(schedule_of, self.factors))

    @staticmethod
    def _combine(a: Any, b: Any) -> Any:
        return a * b


@dataclass(frozen=True, repr=False)
class Sum(_Combination):
    """The sum of numbers and schedules; `schedule + schedule` makes one."""

    terms: tuple[float | Schedule, ...]

    def __post_init__(self):
        clean(self, terms=self._checked("terms", self.terms))
        finite_limits(self)

    def _parts(self) -> tuple[Schedule, ...]:
        return tuple(map(schedule_of, self.terms))

    @staticmethod
    def _combine(a: Any, b: Any) -> Any:
        return a + b

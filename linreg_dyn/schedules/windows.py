"""When a schedule is on: windows of steps and families of them, and time counted in epochs."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import KW_ONLY, dataclass

import numpy as np

from linreg_dyn._checks import integer, number
from linreg_dyn.schedules.core import MOST, Mapped, Schedule, Steps64, Values, clean, part


@dataclass(frozen=True, repr=False)
class Window(Mapped):
    """`schedule` during the steps `start`, ..., `stop - 1`, and `outside` before and after (Golatkar et al., 2019).

    Time goes on outside: what shows at step t is the schedule's value at t, not at t - start. A regulariser on
    until t0 is `Window(x, stop=t0)`, from t0 on `Window(x, start=t0)`.

    Args:
        schedule: a number or a schedule.
        start: the first step inside.
        stop: the first step after it; None: it never ends.
        outside: the value of the other steps.
    """

    schedule: float | Schedule
    _: KW_ONLY
    start: int = 0
    stop: int | None = None
    outside: float = 0.0

    def __post_init__(self):
        start = integer("start of Window", self.start, least=0, most=MOST)
        stop = self.stop if self.stop is None else integer("stop of Window", self.stop, least=start, most=MOST)
        schedule = part("schedule of Window", self.schedule)
        clean(self, schedule=schedule, start=start, stop=stop, outside=number("outside of Window", self.outside))

    def _values(self, steps: Steps64) -> Values:
        inside = steps >= self.start
        if self.stop is not None:
            inside &= steps < self.stop
        values = np.full(len(steps), self.outside)
        values[inside] = self._inner._values(steps[inside])
        return values

    @property
    def limits(self) -> tuple[float, float]:
        """The limits of the schedule, with `outside` if a step lies there."""
        low, high = self._inner.limits
        if self.start == 0 and self.stop is None:
            return low, high
        return min(low, self.outside), max(high, self.outside)

    @property
    def length(self) -> int | None:
        """The schedule's length, unless the window ends before it: then None, as `outside` has no end."""
        inner = self._inner.length
        ended = self.stop is not None and (inner is None or self.stop <= max(inner, self.start))
        return None if ended or inner is None else max(inner, self.start)

    def changes(self) -> tuple[int, ...] | None:
        """Both ends of the window, and the schedule's changes inside."""
        inner = self._inner.changes()
        if inner is None:
            return None
        stop = math.inf if self.stop is None else self.stop
        ends = {end for end in (self.start, self.stop) if end}
        return tuple(sorted(ends | {step for step in inner if self.start < step < stop}))


def interrupted(schedule: float | Schedule, *, stops: Iterable[int]) -> tuple[Window, ...]:
    """For each step t0 of `stops`: on from the start until t0, then off for good."""
    return tuple(Window(schedule, stop=stop) for stop in stops)


def delayed(schedule: float | Schedule, *, starts: Iterable[int]) -> tuple[Window, ...]:
    """For each step t0 of `starts`: off until t0, then on for good."""
    return tuple(Window(schedule, start=start) for start in starts)


def sliding(schedule: float | Schedule, *, length: int, starts: Iterable[int]) -> tuple[Window, ...]:
    """For each step t0 of `starts`: on during the `length` steps from t0 on, off before and after."""
    length = integer("length", length, least=1, most=MOST)
    return tuple(Window(schedule, start=start, stop=start + length) for start in starts)


@dataclass(frozen=True, repr=False)
class PerEpoch(Mapped):
    """A schedule written in epochs: at step t it has the value of epoch `t // steps_per_epoch`, the first being 0.

    So epochs "1 - 50" of a paper are the epochs 0 to 49 here, the steps 0 to `50 steps_per_epoch - 1`.
    """

    schedule: float | Schedule
    _: KW_ONLY
    steps_per_epoch: int

    def __post_init__(self):
        steps = integer("steps_per_epoch of PerEpoch", self.steps_per_epoch, least=1, most=MOST)
        clean(self, schedule=part("schedule of PerEpoch", self.schedule), steps_per_epoch=steps)

    def _values(self, steps: Steps64) -> Values:
        epochs = steps // self.steps_per_epoch
        values = self._inner._values
        if not len(epochs) or (first := epochs.min()) + len(epochs) <= (last := epochs.max()):
            return values(epochs)
        return values(np.arange(first, last + 1))[epochs - first]  # an epoch's value once, not at its every step

    @property
    def limits(self) -> tuple[float, float]:
        """The schedule's."""
        return self._inner.limits

    @property
    def length(self) -> int | None:
        """In steps."""
        epochs = self._inner.length
        return epochs if epochs is None else epochs * self.steps_per_epoch

    def changes(self) -> tuple[int, ...] | None:
        """The schedule's, in steps."""
        epochs = self._inner.changes()
        return None if epochs is None else tuple(epoch * self.steps_per_epoch for epoch in epochs)

"""Schedules of their own: steps, exponential decay, cosine annealing and its warm restarts."""

from __future__ import annotations

import math
from dataclasses import KW_ONLY, dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from linreg_dyn._checks import integer, number
from linreg_dyn.schedules.core import MOST, Schedule, Steps64, Values, clean, each


@dataclass(frozen=True, repr=False)
class Steps(Schedule):
    """Piecewise constant: `values[k]` from step `milestones[k - 1]` on, until `milestones[k]`.

    Args:
        values: the values, one more than milestones.
        milestones: the steps, ascending and from 1 on, at which the next value begins.
        stop: the step at which the last value ends, which is the schedule's length; None: it never does.
    """

    values: tuple[float, ...]
    _: KW_ONLY
    milestones: tuple[int, ...] = ()
    stop: int | None = None

    def __post_init__(self):
        values = tuple(number("values of Steps", value) for value in _sequence("values", self.values))
        steps = _sequence("milestones", self.milestones)
        milestones = tuple(integer("milestones of Steps", step, least=1, most=MOST) for step in steps)
        stop = self.stop if self.stop is None else integer("stop of Steps", self.stop, least=1, most=MOST)
        if len(values) != len(milestones) + 1:
            raise ValueError(
                f"values of Steps must be one more than its milestones, got {len(values)} and {len(milestones)}"
            )
        ends = milestones if stop is None else (*milestones, stop)
        if any(a >= b for a, b in pairwise(ends)):
            raise ValueError(f"milestones of Steps must ascend, and stop come after them, got {ends}")
        clean(self, values=values, milestones=milestones, stop=stop)

    @classmethod
    def geometric(cls, start: float, *, factor: float, milestones: tuple[int, ...], stop: int | None = None) -> Steps:
        """`start factor^k` after k milestones, `factor` in (0, 1]."""
        start, factor = number("start", start), number("factor", factor, above=0)
        if factor > 1:
            raise ValueError(f"factor must be in (0, 1], got {factor!r}")
        values = tuple(start * math.pow(factor, k) for k in range(len(milestones) + 1))
        return cls(values, milestones=milestones, stop=stop)

    def _values(self, steps: Steps64) -> Values:
        pieces = np.searchsorted(np.array(self.milestones, dtype=np.int64), steps, side="right")
        return np.array(self.values)[pieces]

    @property
    def limits(self) -> tuple[float, float]:
        """The least and the most of the values."""
        return min(self.values), max(self.values)

    @property
    def length(self) -> int | None:
        """`stop`."""
        return self.stop

    def changes(self) -> tuple[int, ...]:
        """The milestones at which the value is another one than before."""
        neighbours = zip(self.milestones, self.values, self.values[1:], strict=False)
        return tuple(step for step, before, after in neighbours if before != after)


@dataclass(frozen=True, repr=False)
class Exponential(Schedule):
    """`start factor^(step / every)`: multiplied by `factor` in every `every` steps, smoothly.

    `PerEpoch(Exponential(0.1, factor=0.97), steps_per_epoch=n)` decays once an epoch and is constant within.

    Args:
        start: the value at step 0, above 0.
        factor: above 0; at most 1, so that values stay bounded.
        every: the steps of one factor, at least 1.
    """

    start: float
    _: KW_ONLY
    factor: float
    every: int = 1

    def __post_init__(self):
        factor = number("factor of Exponential", self.factor, above=0)
        if factor > 1:
            raise ValueError(f"factor of Exponential must be in (0, 1], got {self.factor!r}")
        start = number("start of Exponential", self.start, above=0)
        clean(self, start=start, factor=factor, every=integer("every of Exponential", self.every, least=1, most=MOST))

    def _values(self, steps: Steps64) -> Values:
        return self.start * each(lambda t: math.pow(self.factor, t), steps / self.every)

    @property
    def limits(self) -> tuple[float, float]:
        """0, where an endless decay underflows, and `start`."""
        return (0.0, self.start) if self.factor < 1 else (self.start, self.start)


@dataclass(frozen=True, repr=False)
class Cosine(Schedule):
    """Half a cosine from `start` at step 0 to `end` at step `steps`, and `end` from there on.

    `end + (start - end) (1 + cos(pi t / steps)) / 2` (Loshchilov and Hutter, SGDR, 2016, eq. 5, without restarts).

    Args:
        start: the value at step 0.
        steps: the steps it takes, at least 1.
        end: the value it ends at.
    """

    start: float
    _: KW_ONLY
    steps: int
    end: float = 0.0

    def __post_init__(self):
        start, end = number("start of Cosine", self.start), number("end of Cosine", self.end)
        clean(self, start=start, end=end, steps=integer("steps of Cosine", self.steps, least=1, most=MOST))

    def _values(self, steps: Steps64) -> Values:
        return _annealed(self.start, self.end, np.minimum(steps / self.steps, 1.0))

    @property
    def limits(self) -> tuple[float, float]:
        """`start` and `end`, the least first."""
        return min(self.start, self.end), max(self.start, self.end)


@dataclass(frozen=True, repr=False)
class CosineRestarts(Schedule):
    """Cosine annealing with warm restarts (Loshchilov and Hutter, SGDR, 2016, eq. 5), without end.

    `end + (start - end) (1 + cos(pi T_cur / T_i)) / 2`: cycle i takes `T_i = period growth^i` steps, `T_cur` of
    them are over, and the next cycle starts anew at `start`.

    Args:
        start: the value at which every cycle starts (the paper's eta_max).
        period: the steps of the first cycle, at least 1 (T_0).
        growth: how much longer than the last each cycle is, a whole number from 1 on (T_mult).
        end: what every cycle falls towards, and would reach at the next one's first step (eta_min).
    """

    start: float
    _: KW_ONLY
    period: int
    growth: int = 1
    end: float = 0.0

    def __post_init__(self):
        clean(
            self,
            start=number("start of CosineRestarts", self.start),
            end=number("end of CosineRestarts", self.end),
            period=integer("period of CosineRestarts", self.period, least=1, most=MOST),
            growth=integer("growth of CosineRestarts", self.growth, least=1, most=MOST),
        )

    def _values(self, steps: Steps64) -> Values:
        if self.growth == 1:
            return _annealed(self.start, self.end, steps % self.period / self.period)
        starts, periods = [0], [self.period]
        while starts[-1] + periods[-1] <= MOST:
            starts.append(starts[-1] + periods[-1])
            periods.append(self.growth * periods[-1])
        first = np.array(starts)
        cycle = np.searchsorted(first, steps, side="right") - 1
        return _annealed(self.start, self.end, (steps - first[cycle]) / np.array(periods, dtype=np.float64)[cycle])

    @property
    def limits(self) -> tuple[float, float]:
        """`start` and `end`, the least first."""
        return min(self.start, self.end), max(self.start, self.end)


def _annealed(start: float, end: float, fraction: Values) -> Values:
    """From `start` (fraction 0, exactly) to `end` (fraction 1, exactly) along half a cosine, never outside."""
    weight = (1 + each(math.cos, math.pi * fraction)) / 2
    return np.clip(start * weight + end * (1 - weight), min(start, end), max(start, end))


def _sequence(name: str, values: Any) -> tuple:
    if isinstance(values, (str, bytes, dict)) or not hasattr(values, "__iter__"):
        raise TypeError(f"{name} of Steps must be a list of numbers, got {values!r}")
    return tuple(values)

"""What every schedule has: a value at a step, bounds, a length, arithmetic, a repr that evaluates, a plot."""

from __future__ import annotations

import dataclasses
import math
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from linreg_dyn._checks import integer, number

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Steps64 = NDArray[np.int64]
Values = NDArray[np.float64]
MOST = 2**63 - 1


class Schedule(ABC):
    """A number for every step: a learning rate, a weight decay, the width of a noise, a sparsity.

    Step t is the update from step t to step t + 1; the first is 0. A value depends on its step alone, never on
    values before it, so any chunking of the steps gives the same bits. Subclasses are frozen dataclasses:
    hashable, picklable, and equal if their fields are.
    """

    follows_weights = False
    """Whether the rate of a step depends on the weights too (`Adaptive`)."""

    def at(self, steps: Any) -> Any:
        """The value at a step (an integer: a float) or at many (an array of integers: float64 of its shape).

        TypeError when a step is no integer, ValueError when one is negative or past `length`.
        """
        if isinstance(steps, (int, np.integer)) and not isinstance(steps, bool):
            step = integer("step", steps, least=0, most=MOST)
            self._refuse_past_end(step)
            return float(self._values(np.array([step]))[0])
        array = np.asarray(steps)
        if array.dtype.kind not in "iu" and array.size:
            raise TypeError(f"steps must be integers >= 0, got {steps!r:.80}")
        array = array.astype(np.int64)
        if not array.size:
            return np.empty(array.shape)
        if array.min() < 0:
            raise ValueError(f"steps must be integers >= 0, got {array.min()}")
        self._refuse_past_end(int(array.max()))
        return self._values(array.reshape(-1)).reshape(array.shape)

    def rate(self, weights: Any, step: int = 0) -> Any:
        """The value at a step for a sequence of weights, which only `Adaptive` looks at."""
        return self.at(step)

    @abstractmethod
    def _values(self, steps: Steps64) -> Values:
        """The values at valid steps, shape (step,), each element computed as if it were alone."""

    @property
    @abstractmethod
    def limits(self) -> tuple[float, float]:
        """Bounds (least, most) that no value at any step leaves; they are approached, except by combinations."""

    @property
    def length(self) -> int | None:
        """How many steps it is defined for; None: endless."""
        return None

    def changes(self) -> tuple[int, ...] | None:
        """The steps, ascending, at which a piecewise constant schedule may take a new value; None: it is none."""
        return None

    def _refuse_past_end(self, step: int) -> None:
        if self.length is not None and step >= self.length:
            raise ValueError(f"step must be below {self.length}, the length of the schedule, got {step}")

    # Arithmetic: `2 * schedule`, `schedule * schedule`, `schedule + schedule`, `schedule - schedule`, `schedule / 2`.
    __array_ufunc__ = None  # a numpy number on the left leaves the product to us

    def __mul__(self, other: Any) -> Schedule:
        from linreg_dyn.schedules.combine import Product

        return Product((self, other)) if _is_factor(other) else NotImplemented

    def __rmul__(self, other: Any) -> Schedule:
        from linreg_dyn.schedules.combine import Product

        return Product((other, self)) if _is_factor(other) else NotImplemented

    def __add__(self, other: Any) -> Schedule:
        from linreg_dyn.schedules.combine import Sum

        return Sum((self, other)) if _is_factor(other) else NotImplemented

    def __radd__(self, other: Any) -> Schedule:
        from linreg_dyn.schedules.combine import Sum

        return Sum((other, self)) if _is_factor(other) else NotImplemented

    def __neg__(self) -> Schedule:
        return -1.0 * self

    def __sub__(self, other: Any) -> Schedule:
        return self + -1.0 * other if _is_factor(other) else NotImplemented

    def __rsub__(self, other: Any) -> Schedule:
        return other + -1.0 * self if _is_factor(other) else NotImplemented

    def __truediv__(self, other: Any) -> Schedule:
        divides = _is_factor(other) and not isinstance(other, Schedule)
        return self * (1 / number("divisor of a schedule", other)) if divides else NotImplemented

    def __repr__(self) -> str:
        return short_repr(self)

    def plot(self, steps: Any = None, ax: Axes | None = None) -> Axes:
        """Draw the values over the steps and return the axes.

        Args:
            steps: how many steps from 0 on, or an array of them; None is the schedule's `length`.
            ax: the axes to draw into; None makes a figure of their own (`ax.figure`).
        """
        from linreg_dyn.schedules.plot import draw

        return draw(self, steps, ax)


@dataclasses.dataclass(frozen=True, repr=False)
class Constant(Schedule):
    """The same value at every step; a bare number means this."""

    value: float

    def __post_init__(self):
        clean(self, value=number("value of Constant", self.value))

    def _values(self, steps: Steps64) -> Values:
        return np.full(len(steps), self.value)

    @property
    def limits(self) -> tuple[float, float]:
        """The value, twice."""
        return self.value, self.value

    def changes(self) -> tuple[int, ...]:
        """None at all."""
        return ()


class Mapped(Schedule):
    """A schedule made of one other, its first field: as long, and changing when that does."""

    @property
    def _inner(self) -> Schedule:
        return schedule_of(getattr(self, self.__match_args__[0]))  # type: ignore[attr-defined]

    @property
    def length(self) -> int | None:
        """That of the schedule inside."""
        return self._inner.length

    def changes(self) -> tuple[int, ...] | None:
        """Those of the schedule inside."""
        return self._inner.changes()


def short_repr(thing: Any) -> str:
    """A dataclass as the call that makes it again: the first field by place, and no field at its default."""
    words = []
    for field in dataclasses.fields(thing):
        value = getattr(thing, field.name)
        if field.default is dataclasses.MISSING or value != field.default:
            words.append(f"{field.name}={value!r}" if words or field.kw_only else repr(value))
    return f"{type(thing).__name__}({', '.join(words)})"


def clean(thing: Any, **fields: Any) -> None:
    """Set checked fields of a frozen dataclass."""
    for name, value in fields.items():
        object.__setattr__(thing, name, value)


def part(name: str, value: Any) -> float | Schedule:
    """A part of a schedule: a number or a schedule of the step alone; a `Constant` is kept as its number."""
    if not isinstance(value, Schedule):
        if dataclasses.is_dataclass(value) or isinstance(value, (dict, list, tuple)):
            raise TypeError(f"{name} must be a number or a schedule, got {value!r:.80}")
        return number(name, value)
    if value.follows_weights:
        raise TypeError(f"{name} must depend on the step alone, got {value!r}: write Adaptive(...) outermost")
    return value.value if isinstance(value, Constant) else value


def schedule_of(value: float | Schedule) -> Schedule:
    """A part as a schedule."""
    return value if isinstance(value, Schedule) else Constant(value)


def shortest(*lengths: int | None) -> int | None:
    """The least of several lengths, None being endless."""
    return min((length for length in lengths if length is not None), default=None)


def each(function: Any, *arrays: Values) -> Values:
    """`function` of `math`, element by element: vector loops may round otherwise than a lone number."""
    return np.fromiter(map(function, *(array.tolist() for array in arrays)), np.float64, len(arrays[0]))


def finite_limits(thing: Schedule) -> None:
    """ValueError unless both limits are finite."""
    if not all(map(math.isfinite, thing.limits)):
        raise ValueError(f"{thing!r} leaves float64: its limits are {thing.limits}")


def _is_factor(value: Any) -> bool:
    return isinstance(value, (Schedule, int, float, np.integer, np.floating)) and not isinstance(value, bool)

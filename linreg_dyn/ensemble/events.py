"""What a flow watches for on its way: a scalar observable that crosses a value, or enters or leaves a band."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from linreg_dyn._checks import choice, number
from linreg_dyn.ensemble.record import OBSERVABLES, WEIGHTS

SCALARS = tuple(name for name in OBSERVABLES if name != WEIGHTS)
UP, DOWN, ANY = "up", "down", "any"


@dataclass(frozen=True)
class Event:
    """An observable crosses a value.

    Args:
        observable: a name out of `linreg_dyn.ensemble.record.OBSERVABLES`, but not "weights".
        value: the value; one that the flow only tends to (`end_to_end` 1) is met, or not, within the error.
        direction: "up" (from below to it or beyond), "down", or "any"; "any" is met at time 0 by a start on it.
        terminal: whether the trajectory stops there.
    """

    observable: str
    value: float
    direction: str = ANY
    terminal: bool = False

    def __post_init__(self):
        _check(self)
        object.__setattr__(self, "value", number("value of an Event", self.value))
        choice("direction of an Event", self.direction, (UP, DOWN, ANY))

    def __str__(self) -> str:
        return _label(self, f"{self.value!r}")

    @property
    def thresholds(self) -> tuple[float, float]:
        """The value that is met on the way up, and the one on the way down; infinite where there is none."""
        return (
            self.value if self.direction != DOWN else math.inf,
            self.value if self.direction != UP else -math.inf,
        )


@dataclass(frozen=True)
class Band:
    """An observable enters the band from `low` to `high`, such as `|W - 1| < delta` of Ginsburg's theorem 4.1.

    Args:
        low, high: the edges, low < high.
        observable: as of an `Event`.
        direction: "in": a start inside has entered at time 0, and leaping over the band is entering it;
            "out": it leaves, having been inside.
        terminal: whether the trajectory stops there.
    """

    low: float
    high: float
    observable: str = "end_to_end"
    direction: str = "in"
    terminal: bool = False
    INSIDE: ClassVar[str] = "in"

    def __post_init__(self):
        _check(self)
        for edge in ("low", "high"):
            object.__setattr__(self, edge, number(f"{edge} of a Band", getattr(self, edge)))
        if self.low >= self.high:
            raise ValueError(f"low of a Band must be less than high, got {self.low!r} and {self.high!r}")
        choice("direction of a Band", self.direction, (self.INSIDE, "out"))

    def __str__(self) -> str:
        return _label(self, f"{self.low!r} to {self.high!r}")

    @property
    def thresholds(self) -> tuple[float, float]:
        """The edge that is met on the way up, and the one on the way down."""
        return (self.low, self.high) if self.direction == self.INSIDE else (self.high, self.low)


def _label(event: Event | Band, where: str) -> str:
    """An event in few words, such as "loss down 0.01" or "end_to_end in 0.9 to 1.1": its name in a dataset."""
    return f"{event.observable} {event.direction} {where}{' terminal' if event.terminal else ''}"


def _check(event: Event | Band) -> None:
    kind = type(event).__name__
    choice(f"observable of {'an' if kind == 'Event' else 'a'} {kind}", event.observable, SCALARS)
    if not isinstance(event.terminal, bool):
        raise TypeError(f"terminal of {kind} must be True or False, got {event.terminal!r}")

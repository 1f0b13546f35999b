"""What every engine does: advance an ensemble to one recorded step after another, and say what it measured."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import NamedTuple, Self

import numpy as np

from linreg_dyn.ensemble.plan import NEVER
from linreg_dyn.ensemble.record import Moments, Record
from linreg_dyn.problem import Array


class Seen(NamedTuple):
    """What was measured at a step: moments and values (trajectory, ...) by name, and who had diverged.

    `diverged` may be missing where there are no values.
    """

    moments: dict[str, Moments]
    values: dict[str, Array]
    diverged: np.ndarray | None = None


class Engine(ABC):
    """An ensemble somewhere in memory; a context, at whose end the memory is given back.

    Engines are made with

        plan: what to run.
        weights: (trajectory, layer), kept as it is.
        velocities: (trajectory, layer) of the heavy ball; None: at rest.
        diverged_step: (trajectory,), of a run to be continued; None: nothing has diverged.
        auto_l2: (6, trajectory), states of AutoL2 of a run to be continued; None: at their start.
    """

    moments: dict[str, Moments]
    values: dict[str, Array]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:  # noqa: B027 (memory of the processor is given back by itself)
        """Give the memory back."""

    @abstractmethod
    def advance(self, start: int, stop: int, reduced: tuple[str, ...] = (), kept: tuple[str, ...] = ()) -> None:
        """Take the steps start, ..., stop - 1; then measure: `moments` of `reduced`, `values` of `kept`."""

    @abstractmethod
    def fetch(self) -> tuple[Array, Array | None]:
        """Weights and, with momentum, velocities: (trajectory, layer)."""

    @property
    @abstractmethod
    def diverged_step(self) -> np.ndarray:
        """(trajectory,): the step at which each diverged; -1: it did not."""

    @property
    @abstractmethod
    def auto_l2(self) -> Array | None:
        """(6, trajectory): where AutoL2 is for each, if the plan has it."""

    def records(self, start: int, stops: Sequence[int], record: Record) -> Iterator[Seen]:
        """Advance from `start` to each of `stops` in turn, and measure there what `record` asks for."""
        for stop in stops:
            self.advance(start, stop, record.reduced, record.kept)
            yield Seen(self.moments, self.values, self.diverged_step != NEVER if record.kept else None)
            start = stop

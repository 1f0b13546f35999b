"""What an experiment is given while it runs: a device, a deadline, and a memory of the parts that are done."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from validation import arrays
from validation.arrays import Arrays

if TYPE_CHECKING:
    from validation.trainings import Store


class OutOfTime(Exception):
    """The minutes are over; what was done so far is kept, and the next run goes on from there."""


@dataclass
class Context:
    """The surroundings of one seed of one spec.

    Attributes:
        folder: where its finished parts and checkpoints are kept until the record is written.
        device: a torch device, "cpu" or "cuda".
        deadline: `time.monotonic()` at which to stop; None: never.
        data_dir: where datasets are looked for; None: the defaults of `validation.data`.
        say: told what is being done, in a short line.
        trainings: those that other specs have finished; None: there is no store of them.
    """

    folder: Path
    device: str = "cpu"
    deadline: float | None = None
    data_dir: Path | None = None
    say: Callable[[str], None] = field(default=lambda line: None)
    trainings: Store | None = None

    def once(self, name: str, make: Callable[[], dict[str, Any]]) -> Arrays:
        """The arrays that `make()` gives, from the file of an earlier run if there is one.

        A part is kept whole or not at all. OutOfTime before it starts if the minutes are over.
        """
        path = self.folder / f"{name}.npz"
        found = arrays.read(path, self.say)
        if found is not None:
            return found
        self.check_time()
        self.say(name)
        return arrays.write(path, make())

    def checkpoint(self, name: str) -> Path:
        """Where the training called `name` keeps its checkpoints."""
        self.folder.mkdir(parents=True, exist_ok=True)
        return self.folder / f"{name}.checkpoint"

    def check_time(self) -> None:
        """OutOfTime if the minutes are over."""
        if self.deadline is not None and time.monotonic() >= self.deadline:
            raise OutOfTime

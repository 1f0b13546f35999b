"""What an experiment is given while it runs: a device, a deadline, and a memory of the parts that are done."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from linreg_dyn.files import atomic_file


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
    """

    folder: Path
    device: str = "cpu"
    deadline: float | None = None
    data_dir: Path | None = None
    say: Callable[[str], None] = field(default=lambda line: None)

    def once(self, name: str, make: Callable[[], dict[str, Any]]) -> dict[str, np.ndarray]:
        """The arrays that `make()` gives, from the file of an earlier run if there is one.

        A part is kept whole or not at all. OutOfTime before it starts if the minutes are over.
        """
        path = self.folder / f"{name}.npz"
        try:
            with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
                return dict(file)
        except FileNotFoundError:
            pass
        except (OSError, ValueError, BadZipFile, EOFError) as error:
            self.say(f"{path} is damaged ({error}): made again")
        self.check_time()
        self.say(name)
        arrays = {key: np.asarray(value) for key, value in make().items()}
        with atomic_file(path) as temporary:
            np.savez_compressed(temporary, **arrays)  # pyright: ignore[reportArgumentType]
        return arrays

    def checkpoint(self, name: str) -> Path:
        """Where the training called `name` keeps its checkpoints."""
        self.folder.mkdir(parents=True, exist_ok=True)
        return self.folder / f"{name}.checkpoint"

    def check_time(self) -> None:
        """OutOfTime if the minutes are over."""
        if self.deadline is not None and time.monotonic() >= self.deadline:
            raise OutOfTime

"""What is recorded of an ensemble, every how many steps, reduced how, and what that takes of memory."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from linreg_dyn import observables as plain
from linreg_dyn._checks import choice, integer
from linreg_dyn.problem import Array

WEIGHTS = "weights"

# name: (function, long_name). Every weight, and so every one of these, is dimensionless on normalised data.
OBSERVABLES: dict[str, tuple[Callable[..., Any] | None, str]] = {
    "loss": (plain.loss, "loss (W - 1)^2, without weight decay"),
    "end_to_end": (plain.end_to_end, "end-to-end weight W, the product of all weights"),
    "layer_imbalance": (plain.layer_imbalance, "layer imbalance max |w_i^2 - w_j^2|"),
    "largest_square": (plain.largest_square, "largest squared weight max w_i^2"),
    "smallest_square": (plain.smallest_square, "smallest squared weight min w_i^2"),
    "inverse_square_sum": (plain.inverse_square_sum, "sum of 1/w_i^2"),
    "minimum_sharpness": (plain.minimum_sharpness, "2 sum 1/w_i^2, the sharpness of a minimum"),
    WEIGHTS: (None, "weights w_i"),
}
REDUCTIONS: dict[str, Callable[[NDArray], Any]] = {
    "mean": lambda values: values.mean(axis=0),
    "variance": lambda values: values.var(axis=0),
    "min": lambda values: values.min(axis=0),
    "max": lambda values: values.max(axis=0),
}


@dataclass(frozen=True)
class Record:
    """What `simulate` records on the way.

    Args:
        every: record the steps 0, every, 2 every, ... and the last one.
        observables: names out of `linreg_dyn.ensemble.record.OBSERVABLES`; "weights" has a layer dimension.
        reduce: None keeps every trajectory; "mean", "variance" (population), "min" or "max" reduces over the
            trajectories that have not diverged, as the run goes, so that memory does not grow with them. It
            is not finite where an observable is not: `inverse_square_sum` at a zero weight.
    """

    every: int = 1
    observables: tuple[str, ...] = ("loss", "layer_imbalance")
    reduce: str | None = None

    def __post_init__(self):
        object.__setattr__(self, "every", integer("every", self.every, least=1, most=2**62))
        names = (self.observables,) if isinstance(self.observables, str) else tuple(self.observables)
        for name in names:
            choice("observables", name, tuple(OBSERVABLES))
        if not names or len(set(names)) < len(names):
            raise ValueError(f"observables must be one or more different names, got {names!r}")
        object.__setattr__(self, "observables", names)
        if self.reduce is not None:
            choice("reduce", self.reduce, tuple(REDUCTIONS))

    def count(self, steps: int) -> int:
        """How many steps are recorded in a run of `steps`."""
        return steps // self.every + 1 + (steps % self.every > 0)

    def at(self, steps: int) -> NDArray[np.int64]:
        """The recorded steps."""
        recorded = np.arange(0, steps + 1, self.every)
        return recorded if recorded[-1] == steps else np.append(recorded, steps)

    def width(self, trajectories: int, depth: int) -> int:
        """Numbers kept at every recorded step."""
        scalars = len(self.observables) - (WEIGHTS in self.observables)
        return (scalars + depth * (WEIGHTS in self.observables)) * (trajectories if self.reduce is None else 1)


class Recorder:
    """Holds what a `Record` asks for; the driver gives it the values of one recorded step after another."""

    def __init__(self, record: Record, steps: int, trajectories: int, depth: int):
        self.record = record
        self.steps = record.at(steps)
        self.held = np.zeros(len(self.steps), dtype=np.int64)
        who = () if record.reduce else (trajectories,)
        self.values = {
            name: np.full((len(self.steps), *who, *((depth,) if name == WEIGHTS else ())), np.nan)
            for name in record.observables
        }

    def put(self, index: int, values: dict[str, Array], diverged: NDArray[np.bool_]) -> None:
        """Record step number `index`: arrays (trajectory, ...) by name, and who has diverged by now."""
        lost = diverged.any()
        self.held[index] = len(diverged) - diverged.sum()
        for name, array in values.items():
            if not self.record.reduce:
                self.values[name][index] = array
                self.values[name][index, diverged] = np.nan
            elif self.held[index]:
                kept = array[~diverged] if lost else array
                with np.errstate(over="ignore", invalid="ignore"):  # an observable may be infinite by itself
                    self.values[name][index] = REDUCTIONS[self.record.reduce](kept)

    def variables(self) -> dict[str, tuple[tuple[str, ...], NDArray, dict[str, Any]]]:
        """The dataset's variables: (dims, values, attributes) by name."""
        reduce = self.record.reduce
        out: dict[str, tuple[tuple[str, ...], NDArray, dict[str, Any]]] = {}
        for name, array in self.values.items():
            dims = ("step", *(() if reduce else ("trajectory",)), *(("layer",) if name == WEIGHTS else ()))
            attributes = {"long_name": OBSERVABLES[name][1], "units": "1"}
            if reduce:
                attributes["long_name"] = f"{reduce} over trajectories of {OBSERVABLES[name][1]}"
                attributes["cell_methods"] = f"trajectory: {reduce}"
            else:
                attributes["comment"] = "NaN from diverged_step on, where the trajectory has diverged"
            out[name] = (dims, array, attributes)
        if reduce:
            text = "trajectories that have not diverged, which the reductions hold"
            out["held"] = (("step",), self.held, {"long_name": text, "units": "1"})
        return out


def available_memory() -> float:
    """Bytes that the system and the control group leave to this process; infinite where neither tells."""
    limits = []
    try:
        fields = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
        limits.append(1024.0 * int(fields["MemAvailable"].split()[0]))
    except (OSError, KeyError, ValueError):
        names = getattr(os, "sysconf_names", {})
        if "SC_PHYS_PAGES" in names and "SC_PAGE_SIZE" in names:
            limits.append(float(os.sysconf("SC_PHYS_PAGES")) * os.sysconf("SC_PAGE_SIZE"))
    try:
        group = Path("/sys/fs/cgroup")
        limits.append(float((group / "memory.max").read_text()) - float((group / "memory.current").read_text()))
    except (OSError, ValueError):  # no control group, or one without a limit ("max")
        pass
    return min(limits, default=float("inf"))


def refuse_too_large(trajectories: int, depth: int, rows: int, width: int, advice: str) -> None:
    """Raise a ValueError if 4 copies of the weights and `rows * width` recorded numbers cannot fit."""
    need = 8 * (4 * trajectories * depth + rows * width + 2 * trajectories)
    room = 0.8 * available_memory()
    if need > room:
        raise ValueError(
            f"this run would take {need / 2**30:.3g} GiB ({trajectories} trajectories of depth {depth}, "
            f"{rows} recorded times of {width} numbers each), and {max(room, 0) / 2**30:.3g} GiB may be "
            f"used; {advice}"
        )

"""The arrays of a sweep's store: names, dimensions, shards, and what an element never written holds."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from linreg_dyn.ensemble.discrete import STATUSES
from linreg_dyn.ensemble.record import Record
from linreg_dyn.ensemble.recorder import Recorder
from linreg_dyn.sweep.spec import Sweep

TRAJECTORY, LAYER, STEP = "trajectory", "layer", "step"
NOT_COMPUTED = -1
NEVER_STEP, UNKNOWN_STEP = -1, -2
SMALL = 65536
"""Bytes of one point below which the points of a shard share an inner chunk."""


@dataclass(frozen=True)
class Variable:
    """One array of the store; `dims` are the axes of the grid and then its own."""

    name: str
    dims: tuple[str, ...]
    dtype: str
    fill: float
    attributes: dict[str, Any]
    merge: str | None = None
    """How the slices of one ensemble are put together: "sum", "earliest" or a reduction; None: side by side."""


@dataclass(frozen=True)
class Layout:
    """All arrays of a sweep, and the box (points by axis, trajectories) that one chunk of work fills.

    Args:
        sizes: length of every dimension, the axes of the grid first.
        box: length of a chunk along every axis, and along "trajectory".
        steps: the steps that are recorded at some point of the grid.
        variables: the arrays by name.
    """

    sizes: dict[str, int]
    box: dict[str, int]
    steps: tuple[int, ...]
    variables: dict[str, Variable]

    def shape(self, variable: Variable) -> tuple[int, ...]:
        """The array's shape."""
        return tuple(self.sizes[dim] for dim in variable.dims)

    def shard(self, variable: Variable) -> tuple[int, ...]:
        """The shape of what one chunk of work fills of it: one file, which only that chunk ever writes."""
        return tuple(self.box.get(dim, self.sizes[dim]) for dim in variable.dims)

    def inner(self, variable: Variable) -> tuple[int, ...]:
        """The shape of the pieces of a shard that can be read alone: a point's, unless that is small."""
        shard = self.shard(variable)
        grid = len(self.box) - 1
        if math.prod(shard[grid:]) * np.dtype(variable.dtype).itemsize < SMALL:
            return shard
        return (1,) * grid + shard[grid:]

    @cached_property
    def nbytes(self) -> int:
        """Bytes of all arrays, before compression."""
        return sum(math.prod(self.shape(v)) * np.dtype(v.dtype).itemsize for v in self.variables.values())


def recorded_steps(sweep: Sweep) -> tuple[int, ...]:
    """The steps that some point records; points with other `steps` hold NaN there."""
    if sweep.record is None:
        return ()
    return tuple(sorted({step for steps in sweep.values["steps"] for step in sweep.record.at(steps).tolist()}))


def variables(sweep: Sweep) -> dict[str, Variable]:
    """The arrays of a sweep, in the order of the store."""
    grid = tuple(axis.name for axis in sweep.axes)
    found: list[Variable] = []
    for status in STATUSES:
        text = (
            f"trajectories that ended {status}" if status != "ok" else "trajectories that neither diverged nor stalled"
        )
        about = {"long_name": text, "units": "1", "comment": f"{NOT_COMPUTED}: not computed"}
        found.append(Variable(status, grid, "int64", NOT_COMPUTED, about, "sum"))
    about = {"long_name": "earliest diverged_step of all trajectories", "units": "step"}
    about["comment"] = f"{NEVER_STEP}: none diverged; {UNKNOWN_STEP}: not computed"
    found.append(Variable("first_diverged_step", grid, "int64", UNKNOWN_STEP, about, "earliest"))
    found += _recorded(sweep.record, grid) if sweep.record else []
    found += _final(grid) if sweep.final else []
    return {variable.name: variable for variable in found}


def _recorded(record: Record, grid: tuple[str, ...]) -> list[Variable]:
    """What `simulate` records, with the dimensions of the grid in front."""
    found = []
    for name, (dims, array, attributes) in recorder(record).variables().items():
        reduction = attributes.get("cell_methods", "").removeprefix("trajectory: ")
        counts = array.dtype.kind == "i"
        lacking = "where a point does not record the step or has no such layer"
        comment = f"0 {lacking}; {NOT_COMPUTED}: not computed" if counts else f"NaN {lacking}"
        before = "over the trajectories that `held` counts" if reduction else attributes.get("comment")
        about = attributes | {"comment": f"{before}; {comment}" if before else comment}
        fill, merge = (NOT_COMPUTED, "sum") if counts else (float("nan"), reduction or None)
        found.append(Variable(name, (*grid, *dims), str(array.dtype), fill, about, merge))
    return found


def reduced_sizes(record: Record) -> dict[str, int]:
    """Lengths of the dimensions that reductions have besides the steps."""
    return {str(dim): len(values) for dim, values, _ in recorder(record).coordinates().values() if dim != STEP}


def recorder(record: Record) -> Recorder:
    """The smallest recorder, which knows names, dimensions and coordinates of what any run records."""
    return Recorder(record, steps=0, trajectories=1, depth=1)


def _final(grid: tuple[str, ...]) -> list[Variable]:
    flags = {
        "flag_values": list(range(NOT_COMPUTED, len(STATUSES))),
        "flag_meanings": " ".join(("not_computed", *STATUSES)),
    }
    when = f"{NEVER_STEP}: it did not; {UNKNOWN_STEP}: not computed"
    weights = {"long_name": "weights w_i at the end", "units": "1", "comment": "NaN where a point has no such layer"}
    diverged = {"long_name": "steps taken when it diverged", "units": "step", "comment": when}
    return [
        Variable(
            "status", (*grid, TRAJECTORY), "int8", NOT_COMPUTED, {"long_name": "how the trajectory ended", **flags}
        ),
        Variable("diverged_step", (*grid, TRAJECTORY), "int64", UNKNOWN_STEP, diverged),
        Variable("final_weights", (*grid, TRAJECTORY, LAYER), "float64", float("nan"), weights),
    ]

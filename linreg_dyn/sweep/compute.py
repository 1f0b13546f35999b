"""What a worker does: a chunk of a sweep, from its spec to the finished files of the store, as bytes."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from linreg_dyn.ensemble import Record, simulate
from linreg_dyn.ensemble.discrete import STATUSES
from linreg_dyn.problem import Array, NormalizedData
from linreg_dyn.provenance import version
from linreg_dyn.sweep import merge, settings, starts, zarr_files
from linreg_dyn.sweep.layout import NEVER_STEP, STEP, TRAJECTORY, Layout, Variable
from linreg_dyn.sweep.plan import Chunk
from linreg_dyn.sweep.spec import Sweep
from linreg_dyn.sweep.tables import replaced

PARTS = ".sweep/parts"
"""The folder of the store for slices of ensembles that are not complete."""


@dataclass(frozen=True)
class Task:
    """A chunk, and what its spec names by digest: everything that a worker needs.

    Args:
        chunk: the unit of work.
        layout: the arrays of the store.
        record: what to record.
        files: starts that files held, of this chunk's trajectories only, by digest.
        data: the samples of mini-batches.
        threads: threads that the worker may use for it; they change nothing in the result.
    """

    chunk: Chunk
    layout: Layout
    record: Record | None
    files: dict[str, Array]
    data: NormalizedData | None
    threads: int

    @classmethod
    def of(cls, sweep: Sweep, layout: Layout, chunk: Chunk, threads: int) -> Task:
        """The task of one chunk of a sweep."""
        first, last = chunk.trajectories
        files = {digest: weights[first:last] for digest, weights in sweep.files.items()}
        return cls(chunk, layout, sweep.record, files, sweep.data, threads)


@dataclass(frozen=True)
class Result:
    """What a worker gives back: files of the store by key, and the version of the code that made them."""

    files: dict[str, bytes]
    version: str | None


def compute(task: Task) -> Result:
    """The files of a chunk. Pure: the same task gives the same values, wherever and however often it runs."""
    chunk, layout = task.chunk, task.layout
    box = {axis: stop - start for axis, (start, stop) in zip(layout.box, chunk.points, strict=False)}
    box[TRAJECTORY] = chunk.trajectories[1] - chunk.trajectories[0]
    values = {
        name: np.full([box.get(dim, layout.sizes[dim]) for dim in variable.dims], variable.fill, variable.dtype)
        for name, variable in layout.variables.items()
    }
    for index in itertools.product(*(range(stop - start) for start, stop in chunk.points)):
        dataset = _simulated(task, _settings(chunk, index))
        for name, variable in layout.variables.items():
            _place(values[name][(*index, ...)], _outcome(dataset, name), variable, dataset, layout)
    parts = {} if chunk.whole else {name: array for name, array in values.items() if layout.variables[name].merge}
    kept = {name: array for name, array in values.items() if name not in parts}
    files = zarr_files.encode(layout, kept, (*chunk.points, chunk.trajectories))
    if parts:
        files[part_key(chunk)] = merge.pack(parts)
    return Result(files, version("linreg-dyn"))


def part_key(chunk: Chunk) -> str:
    """Where the reductions of a slice wait for the other slices of its ensemble."""
    return f"{PARTS}/{chunk.name}.npz"


def _settings(chunk: Chunk, index: tuple[int, ...]) -> dict[str, Any]:
    """The nested settings of one point of the chunk."""
    found = chunk.spec["run"]
    for fields, number in zip(chunk.spec["axes"], index, strict=True):
        for path, values in fields.items():
            found = replaced(found, path, path, values[number])
    return found


def _simulated(task: Task, point: dict[str, Any]) -> xr.Dataset:
    first, last = task.chunk.trajectories
    table = point["starts"]
    if "sha256" in table:
        weights = task.files[table["sha256"]]
    else:
        weights = starts.draw(table, point["depth"], first, last, seed=point["seed"])
    given = settings.arguments("run", point, task.data)
    return simulate(weights, record=task.record, threads=task.threads, first_trajectory=first, **given)


def _outcome(dataset: xr.Dataset, name: str) -> np.ndarray:
    """A variable of the store, for one point, from what `simulate` returned."""
    if name in STATUSES:
        return np.sum(dataset["status"].values == STATUSES.index(name))
    if name == "first_diverged_step":
        when = dataset["diverged_step"].values
        return when[when != NEVER_STEP].min(initial=when.max())  # where none has diverged, that is NEVER_STEP
    return dataset[name].values


def _place(target: np.ndarray, found: Any, variable: Variable, dataset: xr.Dataset, layout: Layout) -> None:
    """Write `found` where the point's own steps and layers are among those of all points."""
    if variable.merge == "sum":
        target[...] = 0
    dims = variable.dims[len(layout.box) - 1 :]
    own: dict[str, Any] = {dim: range(dataset.sizes[dim]) for dim in dims}
    if STEP in dims:
        own[STEP] = np.searchsorted(layout.steps, dataset[STEP].values)
    target[np.ix_(*(own[dim] for dim in dims))] = found

"""The plan of a sweep: which points and trajectories make a chunk of work.

It follows from the spec alone, never from the cluster or from what is done already: so every run of a sweep,
on whatever machines and however often interrupted, does the same work in the same pieces.
"""

from __future__ import annotations

import hashlib
import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from linreg_dyn.ensemble.record import Quantiles
from linreg_dyn.files import canonical_json
from linreg_dyn.sweep import costs
from linreg_dyn.sweep.layout import (
    LAYER,
    STEP,
    TRAJECTORY,
    Layout,
    Variable,
    recorded_steps,
    reduced_sizes,
    variables,
)
from linreg_dyn.sweep.spec import Sweep
from linreg_dyn.sweep.starts import DRAWN_TOGETHER

LARGEST = 2**27
"""Bytes of a chunk's results, and of its weights: larger chunks are cut, however quick they are."""
MOST_TOGETHER = 2**30
"""Bytes of what cannot be cut; more would be too much for a worker."""


@dataclass(frozen=True)
class Chunk:
    """A unit of work.

    Args:
        name: the SHA-256 of its own spec, in hexadecimal.
        spec: what is computed: shared settings, the values of every axis, trajectories, record.
        points: first and last index (excluded) along every axis.
        trajectories: first and last number (excluded).
        whole: whether it has all trajectories of its points.
    """

    name: str
    spec: dict[str, Any]
    points: tuple[tuple[int, int], ...]
    trajectories: tuple[int, int]
    whole: bool


@dataclass(frozen=True)
class Plan:
    """All chunks of a sweep, in groups: one chunk, or the slices of one point, whose reductions are merged."""

    sweep: Sweep
    layout: Layout
    seconds: float
    """What all of it takes on one core, as estimated."""

    @cached_property
    def groups(self) -> tuple[tuple[Chunk, ...], ...]:
        """The chunks by group, in the order of the grid and of the trajectories."""
        box, sizes = self.layout.box, self.layout.sizes
        document = self.sweep.document()
        ranges = [_cut(sizes[axis.name], box[axis.name]) for axis in self.sweep.axes]
        slices = _cut(self.sweep.trajectories, box[TRAJECTORY])
        return tuple(
            tuple(self._chunk(document, points, cut, len(slices) == 1) for cut in slices)
            for points in itertools.product(*ranges)
        )

    def chunks(self) -> Iterator[Chunk]:
        """All chunks."""
        return itertools.chain.from_iterable(self.groups)

    def _chunk(self, document: dict[str, Any], points: tuple[tuple[int, int], ...], cut: tuple[int, int], whole: bool):
        axes = [
            {path: list(values[first:last]) for path, values in axis.fields.items()}
            for axis, (first, last) in zip(self.sweep.axes, points, strict=True)
        ]
        spec = {"run": document["run"], "axes": axes, "trajectories": list(cut), "record": document["record"]}
        spec["final_weights"] = self.sweep.final
        return Chunk(hashlib.sha256(canonical_json(spec).encode()).hexdigest(), spec, points, cut, whole)


def _cut(size: int, piece: int) -> list[tuple[int, int]]:
    return [(first, min(first + piece, size)) for first in range(0, size, piece)]


def make(sweep: Sweep) -> Plan:
    """The plan of a checked sweep. Raises ValueError if the least that must be computed together is too large."""
    arrays = variables(sweep)
    steps = recorded_steps(sweep)
    sizes = {axis.name: len(axis) for axis in sweep.axes}
    sizes |= {STEP: len(steps), TRAJECTORY: sweep.trajectories, LAYER: max(sweep.values["depth"])}
    sizes |= reduced_sizes(sweep.record) if sweep.record else {}
    seconds = costs.of_points(sweep)
    mean = sum(seconds) / len(seconds)
    each, shared = _bytes(sweep, arrays, sizes)
    together = _together(sweep, each, shared)
    points = min(sweep.chunk_seconds / mean, LARGEST / (each * sweep.trajectories + shared))
    box = _box(sweep, round(max(1, points)))
    pieces = max(max(seconds) / (2 * sweep.chunk_seconds), each * sweep.trajectories / LARGEST)
    cut = math.prod(box.values()) == 1 and pieces > 1
    slice_ = math.ceil(sweep.trajectories / pieces / together) * together if cut else sweep.trajectories
    box[TRAJECTORY] = min(sweep.trajectories, slice_)
    return Plan(sweep, Layout(sizes, box, steps, arrays), mean * math.prod(sweep.shape))


def _bytes(sweep: Sweep, arrays: dict[str, Variable], sizes: dict[str, int]) -> tuple[int, int]:
    """Bytes that a point takes: for each of its trajectories, and for all of them together."""
    depth, copies = sizes[LAYER], 7 if any(sweep.values["momentum"]) else 4
    each, shared = 8 * (copies * depth + 2 + (len(sweep.record.kept) if sweep.record else 0)), 0
    for variable in arrays.values():
        own = variable.dims[len(sweep.axes) :]
        size = 8 * math.prod(sizes[dim] for dim in own if dim != TRAJECTORY)
        each, shared = (each + size, shared) if TRAJECTORY in own else (each, shared + size)
    return each, shared


def _together(sweep: Sweep, each: int, shared: int) -> int:
    """How many trajectories must be computed together at least: all for quantiles, else those drawn together."""
    if shared > MOST_TOGETHER:
        raise ValueError(
            f"record: what is recorded of one point takes {shared / 2**30:.3g} GiB, and it is computed in one place, "
            f"in at most {MOST_TOGETHER / 2**30:.3g} GiB; record a larger every, fewer observables, or a reduce to less"
        )
    quantiles = any(isinstance(reduction, Quantiles) for reduction in (sweep.record.reductions if sweep.record else ()))
    together = sweep.trajectories if quantiles else min(DRAWN_TOGETHER, sweep.trajectories)
    need = together * each + shared
    if need <= MOST_TOGETHER:
        return together
    advice = (
        "quantiles need all of them in one place; "
        f"take at most {(MOST_TOGETHER - shared) // each} trajectories, or a Histogram"
        if quantiles
        else "they are computed together; record a larger every, fewer observables, or a reduce"
    )
    raise ValueError(f"run.trajectories: {together} trajectories take {need / 2**30:.3g} GiB, and {advice}")


def _box(sweep: Sweep, points: int) -> dict[str, int]:
    """Points of a chunk along each axis: the innermost axes whole, one of them cut evenly, the others 1."""
    box = {}
    for axis in reversed(sweep.axes):
        pieces = math.ceil(len(axis) / min(points, len(axis)))
        box[axis.name] = math.ceil(len(axis) / pieces)
        points = max(1, points // len(axis))
    return {axis.name: box[axis.name] for axis in sweep.axes}

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

from linreg_dyn.files import canonical_json
from linreg_dyn.sweep.layout import LAYER, STEP, TRAJECTORY, Layout, recorded_steps, variables
from linreg_dyn.sweep.spec import Sweep
from linreg_dyn.sweep.starts import DRAWN_TOGETHER

# Layer-steps per second of one core of an ordinary machine, for the size of chunks and the estimate of the time.
# They are constants and not measured, so that the plan is the same wherever it is made.
RATES = {"GradientDescent": 1e9, "NoiseAugmentation": 3e8, "SGDNoise": 3e8, "MiniBatch": 1e8}
OVERHEAD = 2e-3
"""Seconds that a point takes besides its steps."""
LARGEST = 2**27
"""Bytes of a chunk's results, and of its weights: larger chunks are cut, however quick they are."""
MERGEABLE = ("mean", "variance", "min", "max")


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
    """The plan of a checked sweep. Raises ValueError if one point is too large for a chunk and cannot be cut."""
    arrays = variables(sweep)
    steps = recorded_steps(sweep)
    depths = sweep.values["depth"] + [weights.shape[1] for weights in sweep.files.values()]
    depth = max(d for d in depths if d is not None)
    sizes = {axis.name: len(axis) for axis in sweep.axes}
    sizes |= {STEP: len(steps), TRAJECTORY: sweep.trajectories, LAYER: depth}
    costs = [_cost(sweep, method, d, s) for method in _methods(sweep) for d, s in _depths_and_steps(sweep)]
    mean, most = sum(costs) / len(costs), max(costs)
    per_trajectory = 8 * (4 * depth + 2) + sum(
        8 * math.prod(sizes[dim] for dim in v.dims[len(sweep.axes) :] if dim != TRAJECTORY)
        for v in arrays.values()
        if v.merge is None
    )
    reduced = sum(8 * math.prod(sizes[dim] for dim in v.dims[len(sweep.axes) :]) for v in arrays.values() if v.merge)
    bytes_of_point = per_trajectory * sweep.trajectories + reduced
    box = _box(sweep, round(max(1, min(sweep.chunk_seconds / mean, LARGEST / bytes_of_point))))
    box[TRAJECTORY] = sweep.trajectories
    pieces = max(most / (2 * sweep.chunk_seconds), per_trajectory * sweep.trajectories / LARGEST)
    if math.prod(box[axis.name] for axis in sweep.axes) == 1 and pieces > 1:
        box[TRAJECTORY] = _slice(sweep, arrays, sweep.trajectories / pieces, per_trajectory)
    return Plan(sweep, Layout(sizes, box, steps, arrays), mean * math.prod(sweep.shape))


def _slice(sweep: Sweep, arrays: dict[str, Any], wanted: float, per_trajectory: int) -> int:
    """Trajectories of a slice: a multiple of those whose starts are drawn together."""
    fixed = sorted({v.merge for v in arrays.values() if v.name.endswith(f"_{v.merge}")} - set(MERGEABLE))
    if not fixed:
        return min(sweep.trajectories, max(1, math.ceil(wanted / DRAWN_TOGETHER)) * DRAWN_TOGETHER)
    if per_trajectory * sweep.trajectories > 8 * LARGEST:
        raise ValueError(
            f"run.trajectories: {sweep.trajectories} are too many for record.reduce = {fixed[0]!r}, which needs all of "
            f"them in one place; at most {8 * LARGEST // per_trajectory}, or reduce by {', '.join(MERGEABLE)}"
        )
    return sweep.trajectories


def _box(sweep: Sweep, points: int) -> dict[str, int]:
    """Points of a chunk along each axis: the innermost axes whole, one of them cut evenly, the others 1."""
    box = {}
    for axis in reversed(sweep.axes):
        pieces = math.ceil(len(axis) / min(points, len(axis)))
        box[axis.name] = math.ceil(len(axis) / pieces)
        points = max(1, points // len(axis))
    return {axis.name: box[axis.name] for axis in sweep.axes}


def _methods(sweep: Sweep) -> list[str]:
    return sweep.values.get("method", [sweep.run["method"]])


def _depths_and_steps(sweep: Sweep) -> list[tuple[int, int]]:
    """The pairs of depth and steps that occur, each as often as the others (an estimate is all that is needed)."""
    depths = [d for d in sweep.values["depth"] if d is not None]
    depths = depths or [weights.shape[1] for weights in sweep.files.values()]
    return [(d, s) for d in depths for s in sweep.values["steps"]]


def _cost(sweep: Sweep, method: str, depth: int, steps: int) -> float:
    """Seconds that one core takes for a point, as estimated."""
    return OVERHEAD + sweep.trajectories * steps * depth / RATES[method]

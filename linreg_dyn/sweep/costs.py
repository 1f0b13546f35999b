"""What a point of a sweep takes, as estimated: seconds of one core, for the size of chunks and for people.

The constants are of an ordinary core of 2024, and not measured, so that the plan is the same wherever it is made.
"""

from __future__ import annotations

import itertools
from typing import Any

from linreg_dyn.ensemble.record import WEIGHTS, Record, label_of
from linreg_dyn.sweep.spec import Sweep

POINT = 3e-3
"""Seconds of a call of `simulate`, whatever it computes."""
LAYER = 0.15e-9
"""Seconds of a step of one layer in float64; half in float32, twice with momentum or the adaptive rate."""
NOISE = 1e-9
"""Seconds of a random amplitude."""
BATCH, SAMPLE = 35e-9, 7e-9
"""Seconds of drawing a mini-batch, and of each of its samples."""
AUTO_L2 = 3e-9
"""Seconds of a step of AutoL2, besides the layers."""
START, STORED = 25e-9, 30e-9
"""Seconds of drawing a weight, and of encoding a number for the store."""
RECORDED = {"quantiles": 40e-9, "histogram": 20e-9, "moments": 4e-9, "all": 10e-9}
"""Seconds of recording an observable of a trajectory at a step."""
MATTERS = {"depth", "steps", "method", "momentum", "batch_size", "dtype", "starts"}
"""Fields whose value decides what a point takes; of others, only whether they are schedules does."""


def of_points(sweep: Sweep) -> list[float]:
    """Seconds of the points of the grid, each kind of point as often as it occurs, up to a common factor."""
    ranges = [
        range(len(axis) if any(_matters(path, values) for path, values in axis.fields.items()) else 1)
        for axis in sweep.axes
    ]
    return [_seconds(sweep, sweep.settings_at(index)) for index in itertools.product(*ranges)]


def _matters(path: str, values: tuple[Any, ...]) -> bool:
    return path.partition(".")[0] in MATTERS or any(isinstance(value, dict) for value in values)


def _seconds(sweep: Sweep, point: dict[str, Any]) -> float:
    depth, steps = point["depth"], point["steps"]
    each, stored = steps * _step(point) + depth * START, sweep.final * sweep.trajectories * depth
    if sweep.record:
        rows = sweep.record.count(steps)
        each += rows * _recorded(sweep.record, depth)
        stored += rows * sweep.record.width(sweep.trajectories, depth)
    return POINT + sweep.trajectories * each + STORED * stored


def _step(point: dict[str, Any]) -> float:
    kinds = [value.get("type") for value in point.values() if isinstance(value, dict)]
    slower = 2 if point["momentum"] or "Adaptive" in kinds else 1
    layers = point["depth"] * LAYER * slower / (2 if point["dtype"] == "float32" else 1)
    extra = AUTO_L2 * ("AutoL2" in kinds)
    if point["method"] == "MiniBatch":
        return layers + extra + BATCH + SAMPLE * point["batch_size"]
    return layers + extra + NOISE * (point["method"] != "GradientDescent")


def _recorded(record: Record, depth: int) -> float:
    numbers = len(record.observables) + (depth - 1) * (WEIGHTS in record.observables)
    labels = {label_of(reduction) for reduction in record.reductions} or {"all"}
    return numbers * sum(RECORDED[label] for label in {label if label in RECORDED else "moments" for label in labels})

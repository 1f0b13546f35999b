"""Phase portraits: the mean velocity, bands, sample trajectories, and where a million starts end."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from linreg_dyn._checks import integer, number
from linreg_dyn.ensemble import Record, simulate
from linreg_dyn.ensemble.methods import GradientDescent, Method
from linreg_dyn.phase.field import field
from linreg_dyn.phase.maps import default_within
from linreg_dyn.phase.plane import Plane
from linreg_dyn.phase.rest import resting_points
from linreg_dyn.phase.runs import (
    OUTCOMES,
    Size,
    Watch,
    checked_size,
    origin,
    outcome,
    path,
    replicate_free,
    settled,
    tiles,
)
from linreg_dyn.problem import Array
from linreg_dyn.schedules import Schedule, as_schedule

MOST_RECORDED = 5000
"""Recorded steps of a sample trajectory."""


def portrait(
    plane: Plane,
    method: Method,
    *,
    steps: int,
    learning_rate: float | Schedule,
    size: Size = 1000,
    trajectories: int = 12,
    cells: int | None = None,
    watch: Watch | None = None,
    **training: Any,
) -> xr.Dataset:
    """Everything of a phase portrait; `training` are other arguments of `simulate` (weight_decay, momentum, ...).

    A dataset with the variables of `field`, and `end_count` (end_second, end_first): how many of the `size` =
    (first, second) starts at cell centres of the plane end in each of `cells` x `cells` cells of the box, those
    that diverge apart (None: along each layer about 160 cells, as many as let each have the same number of starts);
    `path` (step, trajectory, pair): the weights of the two layers along `trajectories` sample trajectories, NaN from
    divergence on; and for gradient descent with weight decay `equilibrium` (point,
    pair) with `equilibrium_stable` (point), of `resting_points`. Attributes count the starts by how they ended
    (`OUTCOMES`), those that ended outside the box, and say whether the method is random.

    Raises TypeError or ValueError as `simulate` does, and for a weight decay or a noise that is a schedule: the
    velocity is one for all steps.
    """
    size = checked_size(size, 0)
    wide, high = (_cells(n) if cells is None else integer("cells", cells, least=2, most=4096) for n in size)
    grid = (wide, high)
    samples = integer("trajectories", trajectories, least=0, most=1000)
    rate, momentum = as_schedule(learning_rate), training.get("momentum", 0.0)
    decay = number("weight_decay of a portrait", training.get("weight_decay", 0.0), least=0)
    training = settled({"steps": steps, "learning_rate": rate, **training}, size[0] * size[1])
    result = field(plane, method, learning_rate=rate, weight_decay=decay, momentum=momentum)
    counts, ended, outside = _ends(plane, method, size, grid, watch, training)
    labels = {}
    for name, values in zip(("end_first", "end_second"), plane.axes(grid), strict=True):
        labels[name] = (name, values, {"long_name": f"weight at the end, layer of {name[4:]}", "units": "1"})
    variables: dict = {"end_count": (("end_second", "end_first"), counts, {"long_name": "starts that end here"})}
    if samples:
        variables["path"] = _paths(plane, method, samples, training)
    if decay and type(method) is GradientDescent and plane.invariant:
        variables |= _equilibria(plane, decay)
    if len(variables) > 1:
        labels["pair"] = ("pair", list(plane.layers), {"long_name": "layer"})
    spec = {"plane": plane, "size": list(size), "cells": list(grid), "trajectories": samples, "method": method}
    attributes = origin("phase portrait", spec, training)
    random = int(type(method) is not GradientDescent)
    attributes |= {"starts": size[0] * size[1], "outcome_counts": ended, "outside": outside, "random": random}
    attributes["within"] = default_within(method, decay)
    return result.assign(variables).assign_coords(labels).assign_attrs(attributes)


def _paths(plane: Plane, method: Method, samples: int, training: dict[str, Any]) -> xr.DataArray:
    """The weights of the two layers along sample trajectories, (step, trajectory, pair)."""
    record = Record(every=max(1, -(-training["steps"] // MOST_RECORDED)), observables=("weights",))
    few = training | {"record": record, "backend": "cpu"}  # too few for a device; the bits are the same
    run = simulate(replicate_free(plane, samples), method, **few)
    about = {"long_name": "weights of the two layers", "units": "1"}
    return xr.DataArray(path(run, plane), {"step": run["step"]}, ("step", "trajectory", "pair"), attrs=about)


def _equilibria(plane: Plane, decay: float) -> dict[str, tuple]:
    points, stable = resting_points(plane, decay)
    about = {"long_name": "equilibria with weight decay, weights of the two layers", "units": "1"}
    return {
        "equilibrium": (("point", "pair"), points, about),
        "equilibrium_stable": ("point", stable, {"long_name": "whether the flow returns to it"}),
    }


def _ends(
    plane: Plane,
    method: Method,
    size: tuple[int, int],
    cells: tuple[int, int],
    watch: Watch | None,
    training: dict[str, Any],
):
    """Starts that end in each cell (second, first), counts of `OUTCOMES`, and how many end outside the box."""
    within = default_within(method, training.get("weight_decay", 0.0))
    counts = np.zeros(cells[0] * cells[1], dtype=np.int64)
    ended = np.zeros(len(OUTCOMES), dtype=np.int64)
    outside = 0
    for _, run in tiles(
        size[0] * size[1], lambda n: plane.cells(n, size), plane.depth, method, watch=watch, **training
    ):
        code = outcome(run, plane, within)
        ended += np.bincount(code, minlength=len(OUTCOMES))
        final = run["final_weights"].values[code != OUTCOMES.index("diverged")]
        inside = _cell_numbers(final[:, [layer - 1 for layer in plane.layers]], plane, cells)
        counts += np.bincount(inside, minlength=len(counts))
        outside += len(final) - len(inside)
    return counts.reshape(cells[::-1]), ended, outside


def _cells(starts: int) -> int:
    """The divisor of `starts` nearest to 160, so that cells of a grid have as many starts each; 160 if none is near."""
    return min((cells for cells in range(80, 241) if starts % cells == 0), key=lambda n: abs(n - 160), default=160)


def _cell_numbers(ends: Array, plane: Plane, cells: tuple[int, int]) -> np.ndarray:
    """The cell, counted along the first layer first, of each of the ends (trajectory, 2) in the box."""
    low, high = np.array(plane.box[::2]), np.array(plane.box[1::2])
    inside = ends[((ends >= low) & (ends <= high)).all(axis=1)]
    first, second = np.minimum(((inside - low) / (high - low) * cells).astype(np.int64), np.array(cells) - 1).T
    return second * cells[0] + first

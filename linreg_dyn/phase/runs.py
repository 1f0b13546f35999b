"""Ensembles of starts on a plane, run tile by tile so that memory does not grow with their number."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from linreg_dyn._checks import integer
from linreg_dyn.ensemble import backends, provenance, simulate
from linreg_dyn.ensemble.discrete import DIVERGED, MOST_STEPS, STALLED
from linreg_dyn.ensemble.memory import refuse_too_large
from linreg_dyn.ensemble.methods import Method
from linreg_dyn.phase.plane import Plane
from linreg_dyn.problem import Array

TILE = 2**20
"""Weights of a tile, 8 MiB: simulate holds a few copies of them."""
OUTCOMES = ("elsewhere", "minimum_++", "minimum_+-", "minimum_-+", "minimum_--", "origin", "diverged", "stalled")
"""How a net ended; a minimum with the signs of the two layers of the plane."""
ELSEWHERE, FIRST_MINIMUM, ORIGIN, LOST, STUCK = 0, 1, 5, 6, 7
Starts = Callable[[NDArray[np.int64]], Array]
Watch = Callable[[float], object]
"""Told the finished fraction of the work after every tile."""
Size = int | tuple[int, int]
"""How many starts along both layers, or along each."""


def checked_size(size: Size, bytes_per_start: int, *, least: int = 1) -> tuple[int, int]:
    """`size` as two integers from `least` on; ValueError also when what is kept of each start would not fit."""
    counts = tuple(size) if isinstance(size, Iterable) else (size, size)
    if len(counts) != 2:
        raise ValueError(f"size must be an integer, or one for each of the two layers, got {size!r}")
    width, height = (integer("size", count, least=least, most=2**31) for count in counts)
    refuse_too_large(0, 1, width * height, -(-bytes_per_start // 8), "take a smaller size")
    return width, height


def settled(training: dict[str, Any], count: int) -> dict[str, Any]:
    """`training`, arguments of `simulate`, for `count` starts in tiles: with the one backend that runs them all."""
    steps = integer("steps", training.get("steps"), least=0, most=MOST_STEPS)
    return training | {"backend": backends.chosen(training.get("backend", "auto"), count, steps)}


def origin(title: str, spec: dict[str, Any], training: dict[str, Any]) -> dict[str, Any]:
    """The attributes of a dataset that `settled` training made: `spec`, training and where it was computed."""
    where = {"backend": training["backend"], "dtype": training.get("dtype", "float64")}
    what = {name: value for name, value in training.items() if name not in (*where, "threads")}
    where |= {"seed": str(training.get("seed", 0)), **backends.origin(where["backend"])}
    return provenance.attributes(title, spec | what, **where)


def tiles(
    count: int,
    starts: Starts,
    depth: int,
    method: Method,
    *,
    rates: Array | None = None,
    watch: Watch | None = None,
    **training: Any,
) -> Iterator[tuple[slice, xr.Dataset]]:
    """Run the starts 0, ..., count - 1 through `simulate`: for each tile which starts it has, and its dataset.

    `starts` maps their numbers to weights (trajectory, layer). `rates`, one for each start, takes the place
    of `learning_rate`. A start draws the same noise whatever the tiles are.
    """
    tile = max(1024, TILE // depth)
    for first in range(0, count, tile):
        part = slice(first, min(first + tile, count))
        if rates is not None:
            training["learning_rate"] = rates[part]
        yield part, simulate(starts(np.arange(part.start, part.stop)), method, first_trajectory=first, **training)
        if watch:
            watch(part.stop / count)


def outcome(result: xr.Dataset, plane: Plane, within: float) -> NDArray[np.int8]:
    """The number in `OUTCOMES` of each trajectory of a finished run.

    At a minimum: `|W - 1| <= within`. At the origin: every `|w_i| <= within`, and not at a minimum.
    """
    weights, status = result["final_weights"].values, result["status"].values
    first, second = (weights[:, layer - 1] for layer in plane.layers)
    code = np.full(len(weights), ELSEWHERE, dtype=np.int8)
    code[(np.abs(weights) <= within).all(axis=1)] = ORIGIN
    with np.errstate(over="ignore", invalid="ignore"):  # of diverged ones
        arrived = np.abs(weights.prod(axis=1) - 1) <= within
    code[arrived] = (FIRST_MINIMUM + 2 * (first < 0) + (second < 0))[arrived]
    code[status == DIVERGED] = LOST
    code[(status == STALLED) & ~arrived] = STUCK
    return code


def path(result: xr.Dataset, plane: Plane) -> Array:
    """The recorded weights of the two layers, (step, trajectory, 2)."""
    weights = result["weights"].transpose("step", "trajectory", "layer").values
    return weights[:, :, [layer - 1 for layer in plane.layers]]


def replicate_free(plane: Plane, count: int) -> Array:
    """`count` starts (trajectory, layer) spread evenly over the box: the R2 sequence, no two alike."""
    golden = 1.32471795724474602596  # the plastic number, the real root of x^3 = x + 1
    x0, x1, y0, y1 = plane.box
    steps = np.arange(1, count + 1)
    first, second = ((0.5 + steps / golden**power) % 1 for power in (1, 2))
    return plane.starts(x0 + (x1 - x0) * first, y0 + (y1 - y0) * second)

"""Maps: how training ends from every start of a plane, or from a line of starts at every learning rate."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from linreg_dyn._checks import choice, integer, number
from linreg_dyn.ensemble import Record
from linreg_dyn.ensemble.discrete import DIVERGED
from linreg_dyn.ensemble.methods import GradientDescent, Method
from linreg_dyn.ensemble.record import OBSERVABLES, WEIGHTS
from linreg_dyn.phase.field import coordinates
from linreg_dyn.phase.plane import Plane
from linreg_dyn.phase.runs import OUTCOMES, Size, Starts, Watch, checked_size, origin, outcome, settled, tiles
from linreg_dyn.problem import Array

END_OBSERVABLES = tuple(name for name in OBSERVABLES if name != WEIGHTS)
ALWAYS, NEVER_DIVERGES = -math.inf, math.inf


def default_within(method: Method, weight_decay: float) -> float:
    """How near to 1 the end-to-end weight of a net counts as arrived: 0.01, or 1/2 where it keeps moving.

    Noise and weight decay keep W off 1; |W - 1| < 1/2 is the neighbourhood of the paper's theorems.
    """
    return 0.01 if type(method) is GradientDescent and not weight_decay else 0.5


def start_map(
    plane: Plane,
    size: Size,
    method: Method,
    *,
    steps: int,
    within: float | None = None,
    observable: str | None = None,
    watch: Watch | None = None,
    **training: Any,
) -> xr.Dataset:
    """How training ends from each of `size` = (first, second) starts at cell centres of the plane.

    `training` are other arguments of `simulate` (learning_rate, weight_decay, seed, ...). `within` is
    how near to 1 the end-to-end weight counts as arrived (default: `default_within`); `watch` is told the finished
    fraction now and then.

    A dataset with the dims (second, first): `outcome` (its flags: at a minimum with these signs of the two
    layers, at the origin, diverged, stalled, or elsewhere), `diverged_step` (-1: never) and, if it is asked
    for, `observable` at the end, one of `END_OBSERVABLES` (NaN where the net diverged).

    Raises TypeError or ValueError, before any run, as `simulate` does, or for a size that does not fit.
    """
    width, height = checked_size(size, 1 + 4 + (8 if observable else 0))
    training = settled({"steps": steps, **training}, width * height)
    if observable is not None:
        choice("observable", observable, END_OBSERVABLES)
        training["record"] = Record(every=max(1, steps), observables=(observable,))
    within = _within(within, method, training)
    starts: Starts = lambda numbers: plane.cells(numbers, (width, height))  # noqa: E731
    grid = _ends(width * height, starts, plane, method, within, observable, None, watch, training)
    spec = {"plane": plane, "size": [width, height], "within": within, "method": method}
    return _dataset(grid, ("second", "first"), coordinates(plane, (width, height)), spec, training)


def rate_map(
    plane: Plane,
    line: tuple[float, float, float, float],
    rates: tuple[float, float],
    size: Size,
    method: Method,
    *,
    within: float | None = None,
    watch: Watch | None = None,
    **training: Any,
) -> xr.Dataset:
    """How training ends from `size[0]` starts along a line, at each of `size[1]` learning rates.

    `line` is (first from, second from, first to, second to) in the plane, ends included; the rates run from
    `rates[0]` to `rates[1]`, both included, evenly in their logarithm. The other arguments and the variables
    are those of `start_map`, with the dims (learning_rate, start) and the coordinates `first` and `second`
    along `start`.
    """
    width, height = checked_size(size, 1 + 4 + 8, least=2)  # both ends
    training = settled(training, width * height)
    within = _within(within, method, training)
    ends = [number("line", value) for value in line]
    if len(ends) != 4 or ends[:2] == ends[2:]:
        raise ValueError(f"line must be four numbers, a start and a different one, got {tuple(line)}")
    first, second = (np.linspace(ends[k], ends[k + 2], width) for k in (0, 1))
    at = np.geomspace(*checked_rates(rates, training), height)
    starts: Starts = lambda numbers: plane.starts(first[numbers % width], second[numbers % width])  # noqa: E731
    grid = _ends(width * height, starts, plane, method, within, None, np.repeat(at, width), watch, training)
    labels: dict[str, Any] = {"learning_rate": ("learning_rate", at, {"long_name": "learning rate", "units": "1"})}
    for name, values, layer in zip(("first", "second"), (first, second), plane.layers, strict=True):
        labels[name] = ("start", values, {"long_name": f"weight of layer {layer} at the start", "units": "1"})
    spec = {"plane": plane, "line": ends, "rates": list(rates), "size": [width, height], "within": within}
    return _dataset(grid, ("learning_rate", "start"), labels, spec | {"method": method}, training)


def critical_map(
    plane: Plane,
    size: Size,
    method: Method,
    *,
    rates: tuple[float, float],
    rounds: int = 12,
    watch: Watch | None = None,
    **training: Any,
) -> xr.Dataset:
    """At which learning rate training from each start begins to diverge within the steps: bisection.

    A dataset with the dims (second, first): `critical_rate`, a rate that does not diverge with one that does
    at most `ratio` (an attribute: `(rates[1]/rates[0])^(2^-rounds)`) times as large; -inf where `rates[0]`
    diverges already, inf where `rates[1]` does not. Which rates diverge need not be one interval: bisection
    finds one of the places where it changes. Every rate of a start meets the same noise.
    """
    width, height = checked_size(size, 4 * 8)
    low_rate, high_rate = checked_rates(rates, training)
    rounds = integer("rounds", rounds, least=1, most=50)
    count = width * height
    training = settled(training, count)
    done = 0

    def part_of(fraction: float) -> None:
        if watch:
            watch((done + fraction) / (rounds + 2))

    def diverges(at: Array) -> NDArray[np.bool_]:
        nonlocal done
        lost = np.empty(count, dtype=bool)
        starts: Starts = lambda numbers: plane.cells(numbers, (width, height))  # noqa: E731
        for part, result in tiles(count, starts, plane.depth, method, rates=at, watch=part_of, **training):
            lost[part] = result["status"].values == DIVERGED
        done += 1
        return lost

    low, high = np.full(count, low_rate), np.full(count, high_rate)
    always, never = diverges(low), ~diverges(high)
    for _ in range(rounds):
        middle = np.sqrt(low * high)
        lost = diverges(middle)
        high[lost], low[~lost] = middle[lost], middle[~lost]
    low[always], low[never & ~always] = ALWAYS, NEVER_DIVERGES
    about = {
        "long_name": "learning rate at which training begins to diverge",
        "units": "1",
        "comment": f"-inf: {low_rate:g} diverges; inf: {high_rate:g} does not",
        "ratio": (high_rate / low_rate) ** (0.5**rounds),
    }
    spec: dict[str, Any] = {"plane": plane, "size": [width, height], "rates": [low_rate, high_rate], "rounds": rounds}
    variables = {"critical_rate": (("second", "first"), low.reshape(height, width), about)}
    attributes = origin("phase map", spec | {"method": method}, training)
    attributes |= {"always": int(always.sum()), "never": int(never.sum()), "starts": count}
    return xr.Dataset(variables, coordinates(plane, (width, height)), attributes)


def checked_rates(rates: tuple[float, float], training: dict[str, Any]) -> tuple[float, float]:
    """A smaller and a larger learning rate, both positive, as floats. TypeError where `training` has another."""
    if "learning_rate" in training:
        raise TypeError(f"learning_rate is not used where there are rates, got {training['learning_rate']!r}")
    low, high = (number("rates", rate, above=0) for rate in rates)
    if not low < high:
        raise ValueError(f"rates must be a smaller and a larger one, got {low:g} and {high:g}")
    return low, high


def _within(within: float | None, method: Method, training: dict[str, Any]) -> float:
    if within is None:
        return default_within(method, training.get("weight_decay", 0.0))
    return number("within", within, above=0)


def _ends(count, starts, plane, method, within, observable, rates, watch, training) -> dict[str, tuple]:
    """`outcome`, `diverged_step` and the observable of the starts 0, ..., count - 1: values and attributes."""
    outcomes, when = np.empty(count, np.int8), np.empty(count, np.int32)
    values = np.empty(count if observable else 0)
    for part, result in tiles(count, starts, plane.depth, method, rates=rates, watch=watch, **training):
        outcomes[part] = outcome(result, plane, within)
        when[part] = result["diverged_step"].values
        if observable:
            values[part] = result[observable].isel(step=-1).values
    flags = {"flag_values": np.arange(len(OUTCOMES), dtype=np.int8), "flag_meanings": " ".join(OUTCOMES)}
    found = {
        "outcome": (outcomes, {"long_name": f"how training ended; a minimum: |W - 1| <= {within:g}", **flags}),
        "diverged_step": (when, {"long_name": "steps taken when it diverged; -1: it did not", "units": "step"}),
    }
    if observable:
        found[observable] = (values, {"long_name": f"{OBSERVABLES[observable][1]}, at the end", "units": "1"})
    return found


def _dataset(
    grid: dict[str, tuple], dims: tuple[str, str], labels: dict, spec: dict[str, Any], training: dict[str, Any]
) -> xr.Dataset:
    shape = spec["size"][::-1]
    variables = {name: (dims, values.reshape(shape), about) for name, (values, about) in grid.items()}
    counts = np.bincount(grid["outcome"][0], minlength=len(OUTCOMES))
    attributes = origin("phase map", spec, training)
    attributes |= {"starts": int(counts.sum()), "outcome_counts": counts, "within": spec["within"]}
    return xr.Dataset(variables, labels, attributes)

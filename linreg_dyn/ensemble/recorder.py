"""Holds what a `Record` asks for, as a run goes."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from linreg_dyn.ensemble.engine import Seen
from linreg_dyn.ensemble.record import OBSERVABLES, WEIGHTS, Histogram, Quantiles, Record, Reduction, label_of
from linreg_dyn.problem import Array


def _moment(name: str, kept: Array) -> Any:
    """A simple reduction over the first dimension."""
    function = {"mean": np.mean, "variance": np.var, "min": np.min, "max": np.max}[name]
    with np.errstate(over="ignore", invalid="ignore"):
        return function(kept, axis=0)


def _middles(edges: Sequence[float]) -> list[float]:
    """A number within every bin between and beyond the edges: for plots."""
    inner = [0.5 * low + 0.5 * high for low, high in pairwise(edges)]
    return [1.5 * edges[0] - 0.5 * edges[1], *inner, 1.5 * edges[-1] - 0.5 * edges[-2]]


class Recorder:
    """Arrays of the recorded steps; an engine gives the moments and values of one after another."""

    def __init__(self, record: Record, steps: int, trajectories: int, depth: int):
        self.record = record
        self.steps = record.at(steps)
        self.held = np.zeros(len(self.steps), dtype=np.int64)
        self.arrays: dict[str, NDArray] = {}
        for name in record.observables:
            layers = (depth,) if name == WEIGHTS else ()
            if not record.reductions:
                self.arrays[name] = np.full((len(self.steps), trajectories, *layers), np.nan)
            for reduction in record.reductions:
                size = () if isinstance(reduction, str) else (reduction.size,)
                empty: Any = 0 if isinstance(reduction, Histogram) else np.nan
                self.arrays[self.variable(name, reduction)] = np.full((len(self.steps), *size, *layers), empty)

    def variable(self, name: str, reduction: Reduction) -> str:
        """The variable that holds a reduction of an observable."""
        return f"{name}_{label_of(reduction)}" if isinstance(self.record.reduce, tuple) else name

    def put(self, index: int, seen: Seen) -> None:
        """Record step number `index`."""
        values = {name: array.astype(np.float64, copy=False) for name, array in seen.values.items()}
        there = None if seen.diverged is None else ~seen.diverged
        numbers = [moments.number for moments in seen.moments.values()]
        self.held[index] = numbers[0] if there is None else np.count_nonzero(there)
        if not self.record.reductions:
            for name, array in values.items():
                self.arrays[name][index] = array
                if there is not None and not there.all():
                    self.arrays[name][index, ~there] = np.nan
            return
        for name in self.record.observables if self.held[index] else ():
            kept = values[name][there] if name in values else np.empty(0)
            for reduction in self.record.reductions:
                if not isinstance(reduction, str):
                    result = reduction.of(kept)
                elif name in seen.moments:
                    result = getattr(seen.moments[name], reduction)
                else:
                    result = _moment(reduction, kept)
                self.arrays[self.variable(name, reduction)][index] = result

    def restore(self, ds: xr.Dataset, steps: int) -> int:
        """Take over what an earlier run recorded up to step `steps`; how many recorded steps that were."""
        count = int(np.count_nonzero(self.steps <= steps))
        for name, array in self.arrays.items():
            array[:count] = ds[name].values[:count]
        self.held[:count] = ds["held"].values[:count] if self.record.reductions else 0
        return count

    def variables(self) -> dict[str, tuple[tuple[str, ...], NDArray, dict[str, Any]]]:
        """The dataset's variables: (dims, values, attributes) by name."""
        out: dict[str, tuple[tuple[str, ...], NDArray, dict[str, Any]]] = {}
        for name in self.record.observables:
            layers = ("layer",) if name == WEIGHTS else ()
            attributes = {"long_name": OBSERVABLES[name][1], "units": "1"}
            if not self.record.reductions:
                attributes["comment"] = "NaN from diverged_step on, where the trajectory has diverged"
                out[name] = (("step", "trajectory", *layers), self.arrays[name], attributes)
            for reduction in self.record.reductions:
                label, variable = label_of(reduction), self.variable(name, reduction)
                dims = ("step", *{"quantiles": ("quantile",), "histogram": ("bin",)}.get(label, ()), *layers)
                text = f"{label} over trajectories of {OBSERVABLES[name][1]}"
                more = {"long_name": text, "cell_methods": f"trajectory: {label}"}
                out[variable] = (dims, self.arrays[variable], attributes | more)
        if self.record.reductions:
            text = "trajectories that have not diverged, which the reductions hold"
            out["held"] = (("step",), self.held, {"long_name": text, "units": "1"})
        return out

    def coordinates(self) -> dict[str, Any]:
        """The dataset's coordinates: steps, and the levels or bins of reductions."""
        out: dict[str, Any] = {"step": ("step", self.steps, {"long_name": "steps taken", "units": "step"})}
        for reduction in self.record.reductions:
            if isinstance(reduction, Quantiles):
                out["quantile"] = ("quantile", list(reduction.levels), {"long_name": "probability", "units": "1"})
            elif isinstance(reduction, Histogram):
                edges = [-np.inf, *reduction.edges, np.inf]
                text = "a bin's middle, of the outer two as if as wide as their neighbours"
                out["bin"] = ("bin", _middles(reduction.edges), {"long_name": text, "units": "1"})
                out["bin_low"] = ("bin", edges[:-1], {"long_name": "a bin's lower edge", "units": "1"})
                out["bin_high"] = ("bin", edges[1:], {"long_name": "a bin's upper edge", "units": "1"})
        return out

"""Training on regression data: random starts, an ensemble run, and its result in the user's units."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import xarray as xr

from linreg_dyn._checks import integer
from linreg_dyn.ensemble import Record, backends, simulate
from linreg_dyn.ensemble.discrete import DIVERGED, MOST_STEPS, STATUSES
from linreg_dyn.ensemble.memory import refuse_too_large
from linreg_dyn.ensemble.methods import Method
from linreg_dyn.ensemble.plan import MOST_LAYERS
from linreg_dyn.problem import Array
from linreg_dyn.regression import Regression

SPREAD, LOW, HIGH = 0.5, 0.5, 1.5
"""Of random starts: the standard deviation of `log w_i`, and from where to where `W` is uniform."""
PIECES = 20
"""Runs into which a watched run is cut."""


def near_minimum(
    for_weights: np.random.Generator,
    for_end_to_end: np.random.Generator,
    shape: tuple[int, int],
    *,
    spread: float = SPREAD,
    low: float = LOW,
    high: float = HIGH,
) -> Array:
    """Log-normal weights (trajectory, layer), scaled together so that `W` is uniform on (`low`, `high`).

    `spread` is the standard deviation of `log w_i` before they are scaled. The two generators may be one.
    """
    log_w = for_weights.normal(0, spread, shape)
    log_W = np.log(for_end_to_end.uniform(low, high, shape[0]))
    return np.exp(log_w + ((log_W - log_w.sum(axis=1)) / shape[1])[:, np.newaxis])


def random_starts(depth: int, count: int, *, seed: int = 0) -> Array:
    """`count` random starts, shape (trajectory, layer): log-normal weights, `W` uniform on (1/2, 3/2).

    So the hypothesis `|W - 1| < 1/2` of Ginsburg's Theorems 3.1 and 3.2 holds at every depth. The first
    starts of a larger `count` are those of a smaller one. The "near_minimum" starts of a sweep have the same
    distribution, but come from streams of their own: the same seed gives others. TypeError or ValueError when
    `depth` or `count` is no integer from 1 on (`depth`: to 4096), `seed` none from 0 to 2^64 - 1, or the starts
    would not fit in memory.
    """
    depth = integer("depth", depth, least=1, most=MOST_LAYERS)
    count = integer("starts", count, least=1, most=2**31)
    refuse_too_large(count, depth, 0, 0, "take fewer starts or layers")
    for_weights, for_end_to_end = np.random.default_rng(integer("seed", seed, least=0, most=2**64 - 1)).spawn(2)
    return near_minimum(for_weights, for_end_to_end, (count, depth))


def train(
    regression: Regression,
    starts: Array,
    method: Method,
    *,
    steps: int,
    every: int = 1,
    watch: Callable[[float], object] | None = None,
    **arguments: Any,
) -> xr.Dataset:
    """Train on `regression.data` from `starts`; the learned lines come back in the user's units.

    `arguments` are others of `simulate` (learning_rate, weight_decay, momentum, seed, backend, ...), whose dataset,
    with loss and layer imbalance every `every` steps, is returned with these variables more: `slope` and
    `intercept` (trajectory) of the nets after training, and (sample) the data `x` and `y`, the `least_squares`
    line and the `prediction`, the mean over all trajectories that did not diverge (not a number if all did). The
    normalisation is among the attributes. `watch` is told the finished fraction of the steps now and then.
    """
    arguments |= {"record": Record(every=every, observables=("loss", "layer_imbalance"))}
    if watch is None:
        result = simulate(starts, method, steps=steps, **arguments)
    else:
        result = _watched(watch, starts, method, steps, **arguments)
    W = result["final_weights"].astype(np.float64).prod("layer").values
    held = W[result["status"].values != DIVERGED]
    prediction = regression.predict(held.mean() if held.size else np.nan, regression.x)
    variables = {
        "slope": ("trajectory", regression.slope(W), "y per x", "slope of the net after training"),
        "intercept": ("trajectory", regression.intercept(W), "y", "intercept of the net after training"),
        "x": ("sample", regression.x, "x", "inputs"),
        "y": ("sample", regression.y, "y", "targets"),
        "least_squares": ("sample", regression.predict(1, regression.x), "y", "least-squares line"),
        "prediction": ("sample", prediction, "y", "mean prediction of the nets that did not diverge"),
    }
    described = {
        name: (dimension, values, {"units": f"{units} of the data", "long_name": long_name})
        for name, (dimension, values, units, long_name) in variables.items()
    }
    scales = ("x_mean", "x_scale", "y_mean", "y_scale", "residual")
    return result.assign(described).assign_attrs(
        {f"normalization_{name}": getattr(regression, name) for name in scales}
    )


def _watched(
    watch: Callable[[float], object],
    starts: Array,
    method: Method,
    steps: int,
    *,
    record: Record,
    backend: str = "auto",
    **arguments: Any,
) -> xr.Dataset:
    """The dataset of `simulate`, bitwise, from a run in pieces that each resume the one before."""
    steps = integer("steps", steps, least=1, most=MOST_STEPS)
    count, depth = starts.shape
    width = 2 * record.width(count, depth)  # what was recorded, and its copy in the next piece
    refuse_too_large(count, depth, record.count(steps), width, "take fewer starts or steps, or a larger every")
    arguments |= {"record": record, "backend": backends.chosen(backend, count, steps)}
    piece = record.every * max(1, -(-steps // (PIECES * record.every)))
    result = None
    for stop in (*range(piece, steps, piece), steps):
        result = simulate(starts, method, steps=stop, resume=result, **arguments)
        watch(stop / steps)
    assert result is not None
    return result


def summary(result: xr.Dataset, regression: Regression, names: tuple[str, str] = ("x", "y")) -> list[str]:
    """What was learned, in lines for people; of several nets, the median [least, largest].

    Losses, slopes and imbalances are of the nets that did not diverge; when all did, their lines are left
    out.
    """
    counts = np.bincount(result["status"].values, minlength=len(STATUSES))
    held = result.isel(trajectory=np.flatnonzero(result["status"].values != DIVERGED))
    first, last = held.isel(step=0), held.isel(step=-1)

    def change(convert, name: str) -> str:
        return f"{_spread(convert(first[name].values))} -> {_spread(convert(last[name].values))}"

    x, y, fit = *names, regression
    rows = {
        "normalisation": f"({x} - {fit.x_mean:.6g}) / {fit.x_scale:.6g}, ({y} - {fit.y_mean:.6g}) / {fit.y_scale:.6g}",
        "nets": ", ".join(f"{count} {status}" for count, status in zip(counts, STATUSES, strict=True)),
        "least squares": f"slope {float(regression.slope(1)):.6g}, "
        f"mean squared error {float(regression.mean_squared_error(0)):.6g}",
    }
    if held.sizes["trajectory"]:
        rows |= {
            "slope": _spread(held["slope"].values),
            "mean sq. error": change(regression.mean_squared_error, "loss"),
            "loss (W - 1)^2": change(np.asarray, "loss"),
            "layer imbalance": change(np.asarray, "layer_imbalance"),
        }
    return [f"{label:<18}{text}" for label, text in rows.items()]


def _spread(values: Array) -> str:
    """A single value, or the median and the range of several."""
    if values.size == 1:
        return f"{values.item():.6g}"
    return f"{np.median(values):.6g} [{values.min():.6g}, {values.max():.6g}]"

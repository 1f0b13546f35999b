"""`flow`: the continuous limit of gradient descent, for many starts at once."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike

from linreg_dyn._checks import integer, number
from linreg_dyn.ensemble import _cpu, provenance
from linreg_dyn.ensemble._tsit5 import integrate_kernel
from linreg_dyn.ensemble.dataset import labelled
from linreg_dyn.ensemble.methods import GradientDescent
from linreg_dyn.ensemble.record import OBSERVABLES, refuse_too_large
from linreg_dyn.ensemble.threads import spread, workers
from linreg_dyn.problem import Array, as_floats, as_starts

STATUSES = ("ok", "unfinished")
OK, UNFINISHED = range(2)
OBSERVED = ("loss", "end_to_end", "layer_imbalance")
LEAST_RTOL = 100 * float(np.finfo(float).eps)
"""Below this the error estimate is rounding, and the steps would shrink without end."""


def flow(
    starts: ArrayLike,
    method: GradientDescent,
    *,
    times: ArrayLike,
    weight_decay: float = 0.0,
    rtol: float = 1e-10,
    atol: float = 1e-12,
    max_steps: int = 1_000_000,
    threads: int | None = None,
) -> xr.Dataset:
    """Gradient flow `dw_i/dt = -2 ((W - 1) W/w_i + weight_decay w_i)` (Ginsburg, eqs. 7 and 9 with lambda =
    1).

    Time is flow time, `learning_rate * step`: gradient descent with the rate lr is at time n lr after n
    steps.

    Args:
        starts: weights at time 0, (trajectory, layer), or (layer,) for one trajectory.
        method: `GradientDescent()`; the flows of the others are random.
        times: when to give the weights, (time,), not decreasing, from 0 on.
        weight_decay: `mu >= 0` of the loss `L + mu sum w_i^2`; its gradient is `2 mu w_i`.
        rtol, atol: a step's error estimate in `w_i` is kept below `atol + rtol |w_i|`, root mean square over
        the
            layers; rtol >= 2.3e-14, atol > 0. Errors of the steps add up.
        max_steps: steps of the integrator after which a trajectory is left unfinished.
        threads: how many threads work; None takes every core this process may use.

    Returns:
        A dataset with the dims trajectory, layer (1 to depth) and time: `weights`, `loss` (without weight
        decay), `end_to_end`, `layer_imbalance`, `final_weights` (those at the last time), `integrator_steps`,
        and `status` (0 ok, 1 unfinished: `max_steps` were not enough, or no step was short enough; NaN from
        there on).

    Raises:
        TypeError, ValueError: an argument is not as above, or the result would not fit in memory; nothing
        ran.
    """
    weights = as_starts(starts)
    at = _checked_times(times)
    if type(method) is not GradientDescent:
        raise TypeError(f"method of a flow must be GradientDescent(), got {method!r}")
    spec = {
        "starts": {"shape": list(weights.shape), "sha256": provenance.digest(weights)},
        "method": method,
        "times": {"shape": list(at.shape), "sha256": provenance.digest(at)},
        "weight_decay": number("weight_decay", weight_decay, least=0),
        "rtol": number("rtol", rtol, least=LEAST_RTOL),
        "atol": number("atol", atol, above=0),
        "max_steps": integer("max_steps", max_steps, least=1, most=2**62),
    }
    threads = workers(threads)
    trajectories, depth = weights.shape
    width = trajectories * (depth + len(OBSERVED))
    refuse_too_large(trajectories, depth, len(at), width, "take fewer trajectories or times")
    path, taken = _integrate(weights, at, spec, threads)
    return _dataset(path, taken, at, spec)


def _checked_times(times: ArrayLike) -> Array:
    at = as_floats("times", times)
    if at.ndim != 1 or at.size == 0:
        raise ValueError(f"times must have the shape (time,), time >= 1, got {np.shape(times)}")
    if at[0] < 0 or (np.diff(at) < 0).any():
        raise ValueError("times must not decrease, and start at 0 or later, got others")
    return at


def _integrate(weights: Array, at: Array, spec: dict[str, Any], threads: int) -> tuple[Array, np.ndarray]:
    path = np.full((len(at), *weights.shape), np.nan)
    taken = np.zeros(len(weights), dtype=np.int64)
    kernel = integrate_kernel()
    arguments = (at, spec["weight_decay"], spec["rtol"], spec["atol"], spec["max_steps"], path, taken)
    with spread(len(weights), threads) as run:
        run(lambda first, last: kernel(weights, first, last, *arguments))
    return path, taken


def _dataset(path: Array, taken: np.ndarray, at: Array, spec: dict[str, Any]) -> xr.Dataset:
    unreached = "NaN at the times that an unfinished trajectory did not reach"
    variables: dict[str, Any] = {
        "weights": (
            ("time", "trajectory", "layer"),
            path,
            {"long_name": OBSERVABLES["weights"][1], "units": "1", "comment": unreached},
        ),
        "integrator_steps": ("trajectory", taken, {"long_name": "steps the integrator tried", "units": "1"}),
    }
    for name in OBSERVED:
        function, long_name = OBSERVABLES[name]
        values = np.empty((path.shape[0] * path.shape[1], 1))
        _cpu.observe_kernel(function)(path.reshape(len(values), -1, 1), 0, len(values), values)
        attributes = {"long_name": long_name, "units": "1", "comment": unreached}
        variables[name] = (("time", "trajectory"), values.reshape(path.shape[:2]), attributes)
    time = {"long_name": "flow time, learning_rate * step", "units": "1"}
    status = np.where(np.isfinite(path[-1]).all(axis=1), OK, UNFINISHED)
    attributes = provenance.attributes("flow", spec, backend="cpu", dtype="float64")
    return labelled(path[-1].copy(), status, STATUSES, variables, {"time": ("time", at, time)}, attributes)

"""`flow`: the continuous limit of gradient descent, for many starts at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike

from linreg_dyn._checks import integer, number
from linreg_dyn.ensemble import provenance
from linreg_dyn.ensemble._crossings import in_numbers
from linreg_dyn.ensemble._integrate import OK, Problem, Results, free_lanes, integrate_kernel, measure_kernel
from linreg_dyn.ensemble._runge_kutta import new_block
from linreg_dyn.ensemble.dataset import labelled
from linreg_dyn.ensemble.events import SCALARS, Band, Event
from linreg_dyn.ensemble.memory import refuse_too_large
from linreg_dyn.ensemble.methods import GradientDescent
from linreg_dyn.ensemble.record import OBSERVABLES
from linreg_dyn.ensemble.threads import spread, workers
from linreg_dyn.problem import Array, as_floats, as_starts

STATUSES = ("ok", "unfinished", "stopped")
OBSERVED = ("loss", "end_to_end", "layer_imbalance")
LEAST_RTOL = 100 * float(np.finfo(float).eps)
"""Below this the error estimate is rounding, and the steps would shrink without end."""


def flow(
    starts: ArrayLike,
    method: GradientDescent,
    *,
    times: ArrayLike,
    weight_decay: float = 0.0,
    events: Event | Band | Sequence[Event | Band] = (),
    rtol: float = 1e-10,
    atol: float = 1e-12,
    max_steps: int = 1_000_000,
    threads: int | None = None,
) -> xr.Dataset:
    """Gradient flow `dw_i/dt = -2 ((W - 1) W/w_i + weight_decay w_i)` (Ginsburg, eqs. 7 and 9 with lambda = 1).

    Time is flow time, `learning_rate * step`: gradient descent with the rate lr is at time n lr after n steps.
    Dormand and Prince's pair of order 8(5, 3), each trajectory with its own steps; `times` and events are found on
    the interpolant of order 7 and take no steps of their own, except that the last time is where the last step
    ends. A result is bitwise the same for any threads, and whatever the other trajectories are.

    Args:
        starts: weights at time 0, (trajectory, layer), or (layer,) for one; an xarray.DataArray in any order.
        method: `GradientDescent()`; the flows of the others are random.
        times: when to give the weights, (time,), not decreasing, from 0 on.
        weight_decay: `mu >= 0` of the loss `L + mu sum w_i^2`; its gradient is `2 mu w_i`.
        events: `Event`s and `Band`s (of `linreg_dyn.ensemble.events`) whose first time is wanted, and where a
            trajectory stops if they are terminal. Each step is looked at in four pieces: what is crossed and crossed
            back within one piece may be missed.
        rtol, atol: a step's error estimate in `w_i` is kept below `atol + rtol |w_i|`, root mean square over the
            layers; rtol >= 2.3e-14, atol > 0. Errors of the steps add up; between the ends of steps they may be some
            20 times as large (within 20 rtol for weights near 1), as the interpolant is one order below.
        max_steps: steps of the integrator after which a trajectory is left unfinished.
        threads: how many threads work; None takes every core this process may use.

    Returns:
        A dataset with the dims trajectory, layer (1 to depth) and time: `weights`, `loss` (without weight decay),
        `end_to_end`, `layer_imbalance`, `integrator_steps`, `end_time`, `final_weights` (those at `end_time`; NaN if
        unfinished) and `status` (0 ok, it reached the last time; 1 unfinished: `max_steps` were not enough, or no
        step was short enough; 2 stopped by a terminal event). After `end_time` everything is NaN. With events also
        the dim event: `event_time` (NaN: not met) and `event_weights`.

    Raises:
        TypeError, ValueError: an argument is not as above, or the result would not fit in memory; nothing ran.
    """
    weights = as_starts(starts)
    at = _checked_times(times)
    options = {"weight_decay": weight_decay, "events": events, "rtol": rtol, "atol": atol, "max_steps": max_steps}
    spec = _checked(weights, method, at, **options)
    threads = workers(threads)
    _refuse_too_large(weights, len(at) + len(spec["events"]))
    return _dataset(_integrate(weights, at, spec, threads), at, spec, threads)


def _checked(weights: Array, method: Any, at: Array, **options: Any) -> dict[str, Any]:
    """The arguments as data: what tells one run from another."""
    if type(method) is not GradientDescent:
        raise TypeError(f"method of a flow must be GradientDescent(), got {method!r}")
    return {
        "starts": provenance.described(weights),
        "method": method,
        "times": provenance.described(at),
        "weight_decay": number("weight_decay", options["weight_decay"], least=0),
        "events": _checked_events(options["events"]),
        "rtol": number("rtol", options["rtol"], least=LEAST_RTOL),
        "atol": number("atol", options["atol"], above=0),
        "max_steps": integer("max_steps", options["max_steps"], least=1, most=2**62),
    }


def _refuse_too_large(weights: Array, rows: int) -> None:
    trajectories, depth = weights.shape
    width = trajectories * (depth + len(OBSERVED))
    refuse_too_large(trajectories, depth, rows, width, "take fewer trajectories or times")


def _checked_times(times: ArrayLike) -> Array:
    at = as_floats("times", times)
    if at.ndim != 1 or at.size == 0:
        raise ValueError(f"times must have the shape (time,), time >= 1, got {np.shape(times)}")
    before = np.concatenate([[0.0], at[:-1]])
    if (at < before).any():
        k = np.argmax(at < before)
        raise ValueError(f"times must start at 0 or later and not decrease, got {at[k]:g} after {before[k]:g}")
    return at


def _checked_events(events: Any) -> tuple[Event | Band, ...]:
    several = (events,) if isinstance(events, (Event, Band)) else events
    if not isinstance(several, (tuple, list)):
        raise TypeError(f"events must be Events and Bands, got {events!r}")
    for event in several:
        if not isinstance(event, (Event, Band)):
            raise TypeError(f"events must be Events and Bands, got {event!r} among them")
    return tuple(several)


def _lanes_for(trajectories: int, depth: int, threads: int) -> int:
    """Lanes of a block: 64, or fewer so that a block stays in the second cache, or that all are in use."""
    lanes = 64
    while lanes > 8 and (depth * lanes > 4096 or lanes * 4 * threads > trajectories):
        lanes //= 2
    return lanes


def _integrate(weights: Array, at: Array, spec: dict[str, Any], threads: int) -> Results:
    (trajectories, depth), events = weights.shape, spec["events"]
    results = Results(
        path=np.full((len(at), trajectories, depth), np.nan),
        final=np.full((trajectories, depth), np.nan),
        end_time=np.full(trajectories, np.nan),
        status=np.full(trajectories, OK, dtype=np.int8),
        taken=np.zeros(trajectories, dtype=np.int64),
        event_time=np.full((trajectories, len(events)), np.nan),
        event_weights=np.full((trajectories, len(events), depth), np.nan),
    )
    problem = Problem(
        starts=np.array(weights, order="C"),
        times=np.array(at),
        decay=spec["weight_decay"],
        rtol=spec["rtol"],
        atol=spec["atol"],
        max_steps=spec["max_steps"],
        events=in_numbers(events),
    )
    _note_starts(problem, results, threads)
    kernel, lanes = integrate_kernel(len(events) > 0), _lanes_for(trajectories, depth, threads)

    def work(first: int, last: int) -> None:
        kernel(problem, results, first, last, free_lanes(lanes), new_block(depth, lanes), new_block(depth, 1))

    spread(work, trajectories, threads)
    return results


def _note_starts(problem: Problem, results: Results, threads: int) -> None:
    """What holds at the start has happened at time 0: an observable between its `up` and its `down`."""
    for e, (observable, up, down, _) in enumerate(zip(*problem.events, strict=True)):
        values = _measured(observable, problem.starts, threads)
        met = (up <= values) & (values <= down)
        results.event_time[met, e] = 0.0
        results.event_weights[met, e] = problem.starts[met]


def _dataset(results: Results, at: Array, spec: dict[str, Any], threads: int) -> xr.Dataset:
    unreached = "NaN at the times that a trajectory did not reach, being unfinished or stopped"
    path, taken = results.path, results.taken
    weights = {"long_name": OBSERVABLES["weights"][1], "units": "1"}
    time = {"long_name": "flow time, learning_rate * step", "units": "1"}
    variables: dict[str, Any] = {
        "weights": (("time", "trajectory", "layer"), path, {**weights, "comment": unreached}),
        "integrator_steps": ("trajectory", taken, {"long_name": "steps the integrator tried", "units": "1"}),
        "end_time": ("trajectory", results.end_time, {**time, "long_name": "flow time at which it ended"}),
    }
    coordinates: dict[str, Any] = {"time": ("time", at, time)}
    for name in OBSERVED:
        attributes = {"long_name": OBSERVABLES[name][1], "units": "1", "comment": unreached}
        variables[name] = (("time", "trajectory"), _measured(SCALARS.index(name), path, threads), attributes)
    if spec["events"]:
        unmet = {"comment": "NaN where the event was not met"}
        met = {**time, "long_name": "flow time at which the event was first met", **unmet}
        variables["event_time"] = (("trajectory", "event"), results.event_time, met)
        variables["event_weights"] = (("trajectory", "event", "layer"), results.event_weights, weights | unmet)
        coordinates["event"] = ("event", [str(event) for event in spec["events"]], {"long_name": "event"})
    attributes = provenance.attributes("flow", spec, backend="cpu", dtype="float64")
    return labelled(results.final, results.status, STATUSES, variables, coordinates, attributes)


def _measured(number: int, weights: Array, threads: int) -> Array:
    """The observable of that number in `SCALARS`, [..., layer] to [...]."""
    rows, usual = weights.reshape(-1, weights.shape[-1]), tuple(map(SCALARS.index, OBSERVED))
    out, kernel = np.empty(len(rows)), measure_kernel(usual if number in usual else (number,))
    spread(lambda first, last: kernel(number, rows, first, last, out), len(rows), threads)
    return out.reshape(weights.shape[:-1])

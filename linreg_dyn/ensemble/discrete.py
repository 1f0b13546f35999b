"""`simulate`: many discrete training runs at once, as one labelled dataset."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike

from linreg_dyn._checks import choice, integer, number
from linreg_dyn.ensemble import _cpu, provenance
from linreg_dyn.ensemble._lanes import NEVER
from linreg_dyn.ensemble.dataset import labelled
from linreg_dyn.ensemble.methods import Method, MiniBatch
from linreg_dyn.ensemble.record import OBSERVABLES, WEIGHTS, Record, Recorder, refuse_too_large
from linreg_dyn.ensemble.threads import spread, workers
from linreg_dyn.problem import Array, as_starts
from linreg_dyn.schedules import Adaptive, Schedule, adaptive_unit_rate, as_schedule

MOST_STEPS = 2**32 - 1
"""A step is one word of the random numbers' counter."""
PIECE = 2**28
"""Layer-steps after which kernels come up for air, so that Ctrl-C is heard within a second or so."""
STATUSES = ("ok", "diverged", "stalled")
OK, DIVERGED, STALLED = range(3)


def simulate(
    starts: ArrayLike,
    method: Method,
    *,
    steps: int,
    learning_rate: float | Schedule,
    weight_decay: float = 0.0,
    record: Record | None = None,
    seed: int = 0,
    backend: str = "auto",
    dtype: str = "float64",
    threads: int | None = None,
) -> xr.Dataset:
    """Train scalar deep linear nets from many starts: `w_i <- w_i - 2 lr (g W/w_i + weight_decay w_i)`.

    The update is `rules.layer_step` with the method's residual `g` (Ginsburg, eqs. 8, 11, 12 and section 5).
    Time is counted in steps. For one seed the result is bitwise the same for any number of threads.

    Args:
        starts: initial weights, (trajectory, layer), or (layer,) for one trajectory.
        method: `GradientDescent()`, `NoiseAugmentation(...)`, `SGDNoise(...)` or `MiniBatch(...)`.
        steps: how many steps to take, 0 to 2^32 - 1.
        learning_rate: a number > 0, `schedules.Constant(value)` or `schedules.Adaptive(c)`.
        weight_decay: `mu >= 0` of the loss `L + mu sum w_i^2`; its gradient is `2 mu w_i`.
        record: what to record on the way; None records nothing but the end.
        seed: 0 to 2^64 - 1; what trajectory n draws at a step depends on the seed, n and the step alone.
        backend: "cpu", or "auto", which is the same for now.
        dtype: "float64".
        threads: how many threads work; None takes every core this process may use.

    Returns:
        A dataset with the dims trajectory, layer (1 to depth) and step (the recorded ones): `final_weights`,
        `status` (0 ok; 1 diverged: |W| passed 2^200 or a product of weights left float64, the weights are
        those before that step, and what is recorded from it on is NaN, or left out of reductions; 2 stalled:
        the adaptive rate is 0 at the final weights, because one of them is zero or a square underflows),
        `diverged_step` (-1: never), the recorded observables, and the origin of it all as attributes.

    Raises:
        TypeError, ValueError: an argument is not as above, or the run would not fit in memory; nothing ran.
    """
    weights = as_starts(starts)
    spec = _checked_spec(weights, method, steps, learning_rate, weight_decay, record, seed)
    choice("backend", backend, ("auto", "cpu"))
    choice("dtype", dtype, ("float64",))
    threads = workers(threads)
    trajectories, depth = weights.shape
    if record is not None:
        advice = "take fewer trajectories, a larger every, fewer observables, or a reduce"
        refuse_too_large(trajectories, depth, record.count(steps), record.width(trajectories, depth), advice)
    else:
        refuse_too_large(trajectories, depth, 0, 0, "take fewer trajectories")
    recorder = Recorder(record, spec["steps"], trajectories, depth) if record else None
    final, diverged_step = _run(weights, spec, recorder, threads)
    status = _status(final, diverged_step, spec["learning_rate"])
    return _dataset(final, status, diverged_step, recorder, spec)


def _checked_spec(weights, method, steps, learning_rate, weight_decay, record, seed) -> dict[str, Any]:
    if type(method) not in _cpu.RESIDUALS:
        names = ", ".join(kind.__name__ for kind in _cpu.RESIDUALS)
        raise TypeError(f"method must be one of {names}, made with its arguments, got {method!r}")
    if record is not None and not isinstance(record, Record):
        raise TypeError(f"record must be a Record or None, got {record!r}")
    return {
        "starts": {"shape": list(weights.shape), "sha256": provenance.digest(weights)},
        "method": method,
        "steps": integer("steps", steps, least=0, most=MOST_STEPS),
        "learning_rate": as_schedule(learning_rate),
        "weight_decay": number("weight_decay", weight_decay, least=0),
        "record": record,
        "seed": integer("seed", seed, least=0, most=2**64 - 1),
    }


def _run(weights: Array, spec: dict[str, Any], recorder: Recorder | None, threads: int):
    """Advance the ensemble from one recorded step to the next; final weights and diverged_step."""
    trajectories, depth = weights.shape
    lanes = _cpu.lanes_for(depth, trajectories)
    state = _cpu.pack(weights, lanes)
    diverged = np.full((len(state), lanes), NEVER)
    advance = _cpu.advance_kernel(depth, lanes, spec["method"], spec["learning_rate"])
    arguments = _kernel_arguments(spec)
    names = recorder.record.observables if recorder else ()
    observe = {name: _cpu.observe_kernel(OBSERVABLES[name][0]) for name in names if name != WEIGHTS}
    values = {name: np.empty(diverged.shape) for name in observe}

    def work(first: int, last: int, start: int, stop: int) -> None:
        advance(state, diverged, first, last, start, stop, *arguments)
        for name, kernel in observe.items():
            kernel(state, first, last, values[name])

    with spread(len(state), threads) as run:
        stops = recorder.steps if recorder else np.array([spec["steps"]])
        piece = max(1, PIECE // state.size)
        start = 0
        for index, stop in enumerate(stops.tolist()):
            for pause in [*range(start + piece, stop, piece), stop]:
                run(lambda first, last, start=start, stop=pause: work(first, last, start, stop))
                start = pause
            if recorder:
                seen = {name: array.reshape(-1)[:trajectories] for name, array in values.items()}
                if WEIGHTS in names:
                    seen[WEIGHTS] = _cpu.unpack(state, trajectories)
                recorder.put(index, seen, diverged.reshape(-1)[:trajectories] != NEVER)
    return _cpu.unpack(state, trajectories), diverged.reshape(-1)[:trajectories].copy()


def _kernel_arguments(spec: dict[str, Any]) -> tuple:
    method, schedule = spec["method"], spec["learning_rate"]
    value = schedule.c if isinstance(schedule, Adaptive) else schedule.value
    nothing = np.empty(0)
    squares, products, batch = nothing, nothing, 0
    if isinstance(method, MiniBatch):
        squares, products, batch = method.data.squares, method.data.products, method.batch_size
    key = (spec["seed"] & 0xFFFFFFFF, spec["seed"] >> 32)
    return value, spec["weight_decay"], *key, getattr(method, "half_width", 0.0), squares, products, batch


def _status(final: Array, diverged_step: np.ndarray, schedule: Schedule) -> np.ndarray:
    status = np.where(diverged_step == NEVER, OK, DIVERGED).astype(np.int8)
    if isinstance(schedule, Adaptive):
        # The rate is at most c min w_i^2, and W^2 enters it: only where one of them underflows is it 0.
        with np.errstate(over="ignore", invalid="ignore"):
            tiny = np.minimum(np.abs(final).min(axis=1), np.abs(final.prod(axis=1))) < 2.0**-500
        suspects = np.flatnonzero((status == OK) & tiny)
        if len(suspects):
            rates = np.empty((len(suspects), 1))
            kernel = _cpu.observe_kernel(adaptive_unit_rate)  # each a block of one lane
            kernel(final[suspects][:, :, np.newaxis], 0, len(suspects), rates)
            status[suspects[rates[:, 0] == 0]] = STALLED
    return status


def _dataset(final, status, diverged_step, recorder: Recorder | None, spec: dict[str, Any]) -> xr.Dataset:
    when = {"long_name": "steps taken when it diverged; -1: it did not", "units": "step"}
    variables: dict[str, Any] = {"diverged_step": ("trajectory", diverged_step, when)}
    coordinates: dict[str, Any] = {}
    if recorder:
        variables |= recorder.variables()
        coordinates["step"] = ("step", recorder.steps, {"long_name": "steps taken", "units": "step"})
    where = {"seed": str(spec["seed"]), "backend": "cpu", "dtype": "float64"}
    attributes = provenance.attributes("simulate", spec, **where)
    return labelled(final, status, STATUSES, variables, coordinates, attributes)

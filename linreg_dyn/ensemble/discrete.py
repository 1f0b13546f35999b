"""`simulate`: many discrete training runs at once, as one labelled dataset."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike

from linreg_dyn._checks import choice, integer, number
from linreg_dyn.ensemble import backends, provenance, resuming
from linreg_dyn.ensemble.dataset import labelled
from linreg_dyn.ensemble.memory import refuse_too_large
from linreg_dyn.ensemble.methods import METHODS, Method
from linreg_dyn.ensemble.plan import MOST_LAYERS, NEVER, Plan
from linreg_dyn.ensemble.record import WEIGHTS, Record
from linreg_dyn.ensemble.recorder import Recorder
from linreg_dyn.ensemble.threads import workers
from linreg_dyn.problem import Array, as_floats, as_starts
from linreg_dyn.schedules import AutoL2, Constant, Schedule, as_schedule
from linreg_dyn.schedules.adaptive import unit_rates

MOST_STEPS = 2**32 - 1
"""A step is one word of the random numbers' counter."""
STATUSES = ("ok", "diverged", "stalled")
OK, DIVERGED, STALLED = range(3)


def simulate(
    starts: ArrayLike,
    method: Method,
    *,
    steps: int,
    learning_rate: float | Schedule | ArrayLike,
    weight_decay: float | Schedule | AutoL2 | ArrayLike = 0.0,
    momentum: float = 0.0,
    nesterov: bool = False,
    record: Record | None = None,
    seed: int = 0,
    first_trajectory: int = 0,
    resume: xr.Dataset | None = None,
    backend: str = "auto",
    dtype: str | type[np.floating] | np.dtype = "float64",
    threads: int | None = None,
) -> xr.Dataset:
    """Train scalar deep linear nets from many starts: `w_i <- w_i - 2 lr (g W/w_i + weight_decay w_i)`.

    The update is `rules.step` with the method's residual `g` (Ginsburg, eqs. 8, 11, 12 and section 5). With
    momentum it is the heavy ball as `torch.optim.SGD` has it: `v <- momentum v - 2 (g W/w_i + weight_decay w_i)`,
    `w_i <- w_i + lr v`, at rest before the first step; `nesterov` looks ahead by one more `momentum v`.
    Time is counted in steps. For one seed the result is bitwise the same for any number of threads, and on the
    processors of any machine.

    Args:
        starts: initial weights, (trajectory, layer), or (layer,) for one trajectory; an xarray.DataArray in any order.
        method: `GradientDescent()`, `NoiseAugmentation(...)`, `SGDNoise(...)` or `MiniBatch(...)`.
        steps: how many steps to take, 0 to 2^32 - 1.
        learning_rate: a number > 0, a schedule, `schedules.Adaptive(c)`, or numbers > 0 (trajectory,).
        weight_decay: `mu >= 0` of the loss `L + mu sum w_i^2`; its gradient is `2 mu w_i`. A number, a schedule,
            numbers (trajectory,), or `schedules.AutoL2`, which each trajectory follows by its own loss.
        momentum: in [0, 1).
        nesterov: needs momentum.
        record: what to record on the way; None records nothing but the end.
        seed: 0 to 2^64 - 1; what trajectory n draws at a step depends on the seed, n and the step alone.
        first_trajectory: the number n of the first start, for a part of a larger ensemble, whose parts
            `xarray.concat` joins.
        resume: a dataset that this function returned for the same arguments and fewer steps; the run goes on from
            its end, and the result is bitwise that of the uninterrupted run.
        backend: "cpu", "cuda", or "auto": the GPU if there is one and the ensemble is large enough for it.
        dtype: "float64", or "float32" (or numpy's types of these names) for the weights; what is recorded is always
            computed in float64.
        threads: how many threads work on the CPU; None takes every core this process may use.

    Returns:
        A dataset with the dims trajectory, layer (1 to depth) and step (the recorded ones): `final_weights`,
        `status` (0 ok; 1 diverged: |W| passed 2^200, in float32 2^40, or a product of weights left the dtype; the
        weights are those before that step, and what is recorded from it on is NaN, or left out of reductions; 2
        stalled: the adaptive rate of c = 1 is 0 at the final weights, as one of them is zero, or its square, or that
        of W or of W/w_i leaves the dtype), `diverged_step` (-1: never), with momentum `velocities`, with AutoL2 its
        `auto_l2_state`, the recorded observables, and the origin of it all as attributes. Learning rates and weight
        decays (trajectory,) are coordinates of these names.

    Raises:
        TypeError, ValueError: an argument is not as above, or the run would not fit in memory; nothing ran.
        RuntimeError: the backend is "cuda", and something that it needs is missing.
    """
    weights = as_starts(starts)
    steps = integer("steps", steps, least=0, most=MOST_STEPS)
    plan = _plan(weights, method, steps, learning_rate, weight_decay, momentum, nesterov, seed, first_trajectory, dtype)
    if record is not None and not isinstance(record, Record):
        raise TypeError(f"record must be a Record or None, got {record!r}")
    _refuse_beyond_dtype(weights, plan)
    spec = _spec(weights, plan, steps, record)
    threads = workers(threads)
    backend = backends.chosen(backend, len(weights), steps, plan)
    _refuse_too_large(len(weights), plan, record, steps)
    origin = provenance.attributes(
        "simulate", spec, seed=str(plan.seed), backend=backend, dtype=plan.dtype, **backends.origin(backend)
    )
    before = None if resume is None else resuming.before(resume, origin, steps)
    return _run(weights, plan, steps, record, before, origin, threads)


def _plan(
    weights: Array,
    method: Any,
    steps: int,
    learning_rate: Any,
    weight_decay: Any,
    momentum: Any,
    nesterov: Any,
    seed: Any,
    first_trajectory: Any,
    dtype: Any,
) -> Plan:
    """The arguments of `simulate`, checked, as engines understand them."""
    trajectories, depth = weights.shape
    if depth > MOST_LAYERS:
        raise ValueError(f"starts must have at most {MOST_LAYERS} layers, got {depth} (flow takes any number)")
    rates = _each("learning_rate", learning_rate, trajectories, above=0)
    decays = _each("weight_decay", weight_decay, trajectories, least=0)
    auto_l2 = weight_decay if isinstance(weight_decay, AutoL2) else None
    if type(method) not in METHODS:
        names = ", ".join(kind.__name__ for kind in METHODS)
        raise TypeError(f"method must be one of {names}, made with its arguments, got {method!r}")
    half_width: Any = getattr(method, "half_width", 0.0)
    if isinstance(half_width, Schedule):
        as_schedule(half_width, f"half_width of {type(method).__name__}", zero=True, steps=steps)
    if auto_l2 is not None:
        decays = np.full(trajectories, auto_l2.weight_decay(auto_l2.l2))
    lr: Any = Constant(1.0) if rates is not None else learning_rate
    decay: Any = Constant(1.0) if decays is not None else weight_decay
    return Plan(
        depth=depth,
        dtype=choice("dtype", _name(dtype), ("float64", "float32")),
        method=method,
        learning_rate=as_schedule(lr, steps=steps),
        weight_decay=_timed("weight_decay", as_schedule(decay, "weight_decay", zero=True, steps=steps)),
        momentum=_momentum(momentum, nesterov),
        nesterov=bool(nesterov),
        seed=integer("seed", seed, least=0, most=2**64 - 1),
        first_trajectory=integer("first_trajectory", first_trajectory, least=0, most=2**63 - trajectories),
        rates=rates,
        decays=decays,
        auto_l2=auto_l2,
    )


def _name(dtype: Any) -> Any:
    """The name of numpy's `float32` or `dtype("float32")`; anything else as it is."""
    return getattr(dtype, "__name__", getattr(dtype, "name", dtype))


def _each(name: str, value: Any, trajectories: int, **bounds: float) -> Array | None:
    """The numbers of an argument that gives each trajectory its own; None for a number or a schedule."""
    if isinstance(value, (Schedule, AutoL2, str, bytes)) or np.ndim(value) == 0:
        return None
    array = as_floats(name, value)
    if array.shape != (trajectories,):
        raise ValueError(f"{name} must be a number, a schedule or numbers ({trajectories},), got shape {array.shape}")
    number(f"the least of {name}", float(array.min()), **bounds)
    return array


def _timed(name: str, schedule: Schedule) -> Schedule:
    if schedule.follows_weights:
        raise ValueError(f"{name} must be a number or a schedule of time alone, got {schedule!r}")
    return schedule


def _momentum(momentum: Any, nesterov: Any) -> float:
    value = number("momentum", momentum, least=0)
    if value >= 1:
        raise ValueError(f"momentum must be in [0, 1), got {momentum!r}")
    if not isinstance(nesterov, (bool, np.bool_)):
        raise TypeError(f"nesterov must be True or False, got {nesterov!r}")
    if nesterov and not value:
        raise ValueError("nesterov needs a momentum > 0, got 0")
    return value


def _refuse_beyond_dtype(weights: Array, plan: Plan) -> None:
    """Raise a ValueError for an argument that the dtype of the weights has no finite number for."""
    most = float(np.finfo(plan.dtype).max)
    half_width: Any = getattr(plan.method, "half_width", 0.0)
    for name, values in (
        ("starts", weights),
        ("learning_rate", plan.learning_rate if plan.rates is None else plan.rates),
        ("weight_decay", plan.weight_decay if plan.decays is None else plan.decays),
        (f"half_width of {type(plan.method).__name__}", half_width),
    ):
        largest = float(np.abs(values.limits if isinstance(values, Schedule) else values).max())
        if largest > most:
            raise ValueError(f"{name} must be at most {most:.8g} in {plan.dtype}, got {largest:g}")


def _spec(weights: Array, plan: Plan, steps: int, record: Record | None) -> dict[str, Any]:
    """The arguments as data: what tells one run from another."""
    return {
        "starts": provenance.described(weights),
        "method": plan.method,
        "steps": steps,
        "learning_rate": plan.learning_rate if plan.rates is None else provenance.described(plan.rates),
        "weight_decay": plan.auto_l2
        or (plan.weight_decay if plan.decays is None else provenance.described(plan.decays)),
        "momentum": plan.momentum,
        "nesterov": plan.nesterov,
        "record": record,
        "seed": plan.seed,
        "first_trajectory": plan.first_trajectory,
    }


def _refuse_too_large(trajectories: int, plan: Plan, record: Record | None, steps: int) -> None:
    rows = record.count(steps) if record else 0
    width = record.width(trajectories, plan.depth) if record else 0
    advice = (
        "take fewer trajectories, a larger every, fewer observables, or a reduce"
        if record
        else "take fewer trajectories"
    )
    passing = 0  # numbers of a trajectory beside its weights: its own rate and decay, what is measured
    if record and record.kept:
        layers = (plan.depth - 1) * (WEIGHTS in record.kept)
        passing += (len(record.kept) + layers) * (2 if record.reductions else 1)
    if plan.auto_l2 is not None:
        passing += 10
    elif plan.rates is not None or plan.decays is not None:
        passing += 5
    copies = 3 if plan.momentum else 2
    refuse_too_large(trajectories, plan.depth, rows, width, advice, copies=copies, more=8 * passing * trajectories)


def _run(
    weights: Array,
    plan: Plan,
    steps: int,
    record: Record | None,
    before: resuming.Before | None,
    origin: dict[str, Any],
    threads: int,
) -> xr.Dataset:
    """Advance the ensemble from one recorded step to the next, and label what comes out."""
    trajectories = len(weights)
    recorder = Recorder(record, steps, trajectories, plan.depth) if record else None
    done, first = 0, 0
    if before is not None:
        done, weights = before.steps, before.weights
        first = recorder.restore(before.dataset, done) if recorder else 0
    with backends.engine(origin["backend"], plan, weights, before, threads) as engine:
        del weights, before
        if recorder and record:
            stops = recorder.steps.tolist()[first:]
            for index, seen in enumerate(engine.records(done, stops, record), first):
                recorder.put(index, seen)
        else:
            engine.advance(done, steps)
        final, velocities = engine.fetch()
        diverged_step, auto_l2_state = engine.diverged_step.copy(), engine.auto_l2
    del engine  # and its copy of the weights, before anything else is made
    when = {"long_name": "steps taken when it diverged; -1: it did not", "units": "step"}
    variables: dict[str, Any] = {"diverged_step": ("trajectory", diverged_step, when)}
    variables |= resuming.variables(velocities, auto_l2_state, trajectories)
    variables |= recorder.variables() if recorder else {}
    coordinates = (recorder.coordinates() if recorder else {}) | _own(plan)
    status, first_trajectory = _status(final, diverged_step, plan), plan.first_trajectory
    return labelled(final, status, STATUSES, variables, coordinates, origin, first_trajectory=first_trajectory)


def _own(plan: Plan) -> dict[str, Any]:
    """The learning rates and weight decays that were given for each trajectory, as coordinates."""
    decays = plan.decays if plan.auto_l2 is None else None
    labels = {
        "learning_rate": (plan.rates, "learning rate of the trajectory"),
        "weight_decay": (decays, "weight decay mu of the trajectory, of the loss L + mu sum w_i^2"),
    }
    return {
        name: ("trajectory", values.copy(), {"long_name": text, "units": "1"})
        for name, (values, text) in labels.items()
        if values is not None
    }


def _status(final: Array, diverged_step: np.ndarray, plan: Plan) -> np.ndarray:
    status = (diverged_step != NEVER).astype(np.int8)  # OK or DIVERGED
    for first in range(0, len(final) if plan.adaptive else 0, 2**16):
        rows = slice(first, first + 2**16)
        status[rows][(unit_rates(final[rows]) == 0) & (status[rows] == OK)] = STALLED
    return status

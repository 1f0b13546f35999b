"""The kernel of the flow: lanes that are refilled, a trajectory each, until all of them have ended."""

from __future__ import annotations

import inspect
import zlib
from functools import cache
from typing import NamedTuple

import numpy as np
from numba.extending import register_jitable
from numpy.typing import NDArray

from linreg_dyn._compiled import kernel
from linreg_dyn.ensemble import _crossings, _dop853, _kernels, _runge_kutta
from linreg_dyn.ensemble._crossings import NONE, Events, first_crossings, no_crossings, observing, weights_at
from linreg_dyn.ensemble._runge_kutta import END, START, attempt, first_step, interpolate
from linreg_dyn.problem import Array

# As in `_kernels`, which also makes the plain functions known to numba: a changed source is a new cache.
_MODULES = (_dop853, _runge_kutta, _crossings)
SOURCES = zlib.crc32("".join(inspect.getsource(module) for module in _MODULES).encode(), _kernels.SOURCES)

OK, UNFINISHED, STOPPED = range(3)
SHRINK, GROW, SAFETY = 0.2, 10.0, 0.9
NOBODY = -1


class Problem(NamedTuple):
    """What is asked for."""

    starts: Array
    times: Array
    """Not decreasing, from 0 on; the last is where trajectories end."""
    decay: float
    rtol: float
    atol: float
    max_steps: int
    events: Events


class Results(NamedTuple):
    """What is filled in, initially NaN."""

    path: Array
    """[time, trajectory, layer]"""
    final: Array
    """[trajectory, layer]"""
    end_time: Array
    status: NDArray[np.int8]
    taken: NDArray[np.int64]
    event_time: Array
    """[trajectory, event]; 0 already where an event is met by the start, and `event_weights` too."""
    event_weights: Array
    """[trajectory, event, layer]"""


class Lanes(NamedTuple):
    """Which trajectory each lane holds, and how far it is; [lane]."""

    owner: NDArray[np.int64]
    t: Array
    h: Array
    """The step to try next, before it is cut at the end."""
    due: NDArray[np.int64]
    """The first of the times that is not yet filled."""


def free_lanes(count: int) -> Lanes:
    """So many lanes that hold no trajectory."""
    return Lanes(np.full(count, NOBODY), np.zeros(count), np.zeros(count), np.zeros(count, dtype=np.int64))


@register_jitable
def _leave(results, lanes, lane, status):
    trajectory = lanes.owner[lane]
    results.status[trajectory] = status
    results.end_time[trajectory] = lanes.t[lane]
    lanes.owner[lane] = NOBODY


@register_jitable
def _copy(values, out):
    for i in range(len(out)):  # what `out[:] = values` can do besides takes seconds to compile
        out[i] = values[i]


@register_jitable
def _enter(problem, results, lanes, first, last, block, alone):
    """Put the next trajectories at their starts into the free lanes; some may leave at once. The next `first`."""
    times = problem.times
    for lane in range(len(lanes.t)):
        while lanes.owner[lane] == NOBODY and first < last:
            start, met, due = problem.starts[first], results.event_time[first], 0
            while due < len(times) and times[due] == 0.0:
                _copy(start, results.path[due, first])
                due += 1
            stops = False
            for e in range(len(met)):
                stops |= problem.events.terminal[e] and met[e] == 0.0
            lanes.owner[lane], lanes.t[lane], lanes.due[lane] = first, 0.0, due
            if stops or due == len(times):
                _copy(start, results.final[first])
                _leave(results, lanes, lane, STOPPED if stops else OK)
            else:
                _copy(start, block.rows[START, :, lane])
                lanes.h[lane] = first_step(start, problem.decay, problem.rtol, problem.atol, alone)
            first += 1
    return first


@register_jitable
def _advance(crossings, problem, results, lanes, block, parts, seen, scratch):
    """Where the step was accepted, fill the times and events on its way, and move to its end."""
    times, flat, events = problem.times, block.flat, len(parts)
    end = times[-1]
    for lane in range(len(lanes.t)):
        trajectory, h, t = lanes.owner[lane], block.step[lane], lanes.t[lane]
        if trajectory == NOBODY or not block.error[lane] <= 1.0:
            continue
        reached = t + h if h < end - t else end
        stop = NONE
        if events:
            met = results.event_time[trajectory]
            stop = crossings(problem.events, flat, lane, met, parts, seen, scratch)
            for e in range(events):
                if parts[e] <= 1.0:
                    met[e] = t + parts[e] * h
                    weights_at(flat, parts[e], lane, results.event_weights[trajectory, e])
            if stop <= 1.0:
                reached = t + stop * h
        while lanes.due[lane] < len(times) and times[lanes.due[lane]] <= reached:
            at = times[lanes.due[lane]]
            weights_at(flat, (at - t) / h if at < reached else stop, lane, results.path[lanes.due[lane], trajectory])
            lanes.due[lane] += 1
        lanes.t[lane] = reached
        if stop <= 1.0 or reached == end:
            weights_at(flat, stop, lane, results.final[trajectory])
            _leave(results, lanes, lane, STOPPED if stop <= 1.0 else OK)


@register_jitable
def _cut(problem, results, lanes, block):
    """Set the steps to take, cut at the last time; trajectories that cannot go on leave. Lanes still in use."""
    end, used = problem.times[-1], 0
    for lane in range(len(lanes.t)):
        trajectory, t = lanes.owner[lane], lanes.t[lane]
        block.step[lane] = 0.0
        if trajectory != NOBODY:
            if results.taken[trajectory] < problem.max_steps and t + lanes.h[lane] > t:
                block.step[lane] = min(lanes.h[lane], end - t)
                results.taken[trajectory] += 1
                used += 1
            else:
                _leave(results, lanes, lane, UNFINISHED)
    return used


@register_jitable
def _wanted(problem, lanes, block):
    """Whether something lies inside a step just accepted: a time, or perhaps an event."""
    for lane in range(len(lanes.t)):
        if lanes.owner[lane] != NOBODY and block.error[lane] <= 1.0:
            due = problem.times[lanes.due[lane]]
            if len(problem.events.up) or (due < lanes.t[lane] + block.step[lane] and due < problem.times[-1]):
                return True
    return False


@register_jitable
def _settle(lanes, block):
    """Take the new weights where the step was accepted, and set the length of the next."""
    rows, step, error, h = block.rows, block.step, block.error, lanes.h
    for i in range(rows.shape[1]):
        for lane in range(rows.shape[2]):
            rows[START, i, lane] = rows[END, i, lane] if error[lane] <= 1.0 else rows[START, i, lane]
    for lane in range(len(step)):
        growth = SAFETY / np.sqrt(np.sqrt(np.sqrt(error[lane])))  # the error is of order 8 in the step
        growth = growth if growth > SHRINK else SHRINK  # so NaN shrinks
        h[lane] = step[lane] * (growth if growth < GROW else GROW)


@cache
def integrate_kernel(watched: bool):
    """The compiled `integrate(problem, results, first, last, lanes, block, alone)`, with events or without."""
    crossings = first_crossings if watched else no_crossings

    @kernel(watched, SOURCES)
    def integrate(problem, results, first, last, lanes, block, alone):
        """Fill `results` for the trajectories `first`, ..., `last - 1`, in the lanes of `block`."""
        events = len(problem.events.up)
        parts, seen, scratch = np.empty(events), np.empty((2, events)), np.empty(problem.starts.shape[1])
        while True:
            first = _enter(problem, results, lanes, first, last, block, alone)
            if _cut(problem, results, lanes, block) == 0 and first == last:
                return
            attempt(block, problem.decay, problem.rtol, problem.atol)
            if _wanted(problem, lanes, block):
                interpolate(block, problem.decay)
            _advance(crossings, problem, results, lanes, block, parts, seen, scratch)
            _settle(lanes, block)

    return integrate


@cache
def measure_kernel(numbers: tuple[int, ...]):
    """The compiled `measure(number, weights, first, last, out)`: one of these observables of many rows of weights."""
    observe = observing(numbers)  # no others: each takes its time to compile

    @kernel(numbers, SOURCES)
    def measure(number, weights, first, last, out):
        for row in range(first, last):
            out[row] = observe(number, weights[row])

    return measure

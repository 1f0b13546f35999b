"""Events of a flow, found on the interpolant of a step; jitable.

An event has two thresholds: it is met where its observable comes from below `up` to it or beyond, or from above
`down` to it or beyond. Each step is looked at at its ends and at `PIECES - 1` points between.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numba.extending import register_jitable
from numpy.typing import NDArray

from linreg_dyn.ensemble._runge_kutta import END, START, between
from linreg_dyn.ensemble.events import SCALARS, Band, Event
from linreg_dyn.ensemble.record import OBSERVABLES
from linreg_dyn.problem import Array

PIECES = 4
NONE = 2.0
"""Where a step without a terminal event stops, in parts of it: beyond its end."""
TINY = 2.0**-52
"""How closely a crossing is located, in parts of the step: a time is then as good as float64 holds it."""


class Events(NamedTuple):
    """The events of a run, [event], in numbers."""

    observable: NDArray[np.int64]
    """Its place in `SCALARS`."""
    up: Array
    down: Array
    terminal: NDArray[np.bool_]


FUNCTIONS: list[Any] = [OBSERVABLES[name][0] for name in SCALARS]


def in_numbers(events: Sequence[Event | Band]) -> Events:
    """Events as the kernels take them."""
    thresholds = np.array([event.thresholds for event in events], dtype=float).reshape(-1, 2)
    return Events(
        np.array([SCALARS.index(event.observable) for event in events], dtype=np.int64),
        np.ascontiguousarray(thresholds[:, 0]),
        np.ascontiguousarray(thresholds[:, 1]),
        np.array([event.terminal for event in events], dtype=bool),
    )


def observing(numbers: Sequence[int]):
    """`observe(number, weights)`: the observable of that number, one of `numbers`, out of a chain of branches."""
    if not numbers:
        return register_jitable(lambda number, weights: np.nan)
    this, function, others = numbers[0], FUNCTIONS[numbers[0]], observing(numbers[1:])
    return register_jitable(lambda number, weights: function(weights) if number == this else others(number, weights))


observe = observing(range(len(SCALARS)))


@register_jitable
def crosses(before, after, up, down):
    """Whether a threshold is met on the way from one value to the other; False with a NaN."""
    return before < up <= after or before > down >= after


@register_jitable
def weights_at(flat, part, lane, out):
    """Fill `out` [layer] with the weights at the `part` of the lane's step: 0 start, 1 end, else `between`."""
    lanes = flat.shape[1] // len(out)
    for i in range(len(out)):
        x = i * lanes + lane
        if part <= 0.0:
            out[i] = flat[START, x]
        elif part >= 1.0:
            out[i] = flat[END, x]
        else:
            out[i] = between(flat, part, x)


@register_jitable
def no_crossings(events, flat, lane, times, parts, seen, scratch):
    """`first_crossings` where there are no events: it compiles in no time."""
    return NONE


@register_jitable
def first_crossings(events, flat, lane, times, parts, seen, scratch):
    """Fill `parts` [event] with where in this lane's step the events are met that `times` [event] lacks.

    Only up to the first terminal one, whose part is returned; `NONE` if there is none. NaN: not in this step.
    `seen` [2, event] and `scratch` [layer] are overwritten.
    """
    stop = NONE
    for piece in range(PIECES + 1):
        weights_at(flat, piece / PIECES, lane, scratch)
        for e in range(len(parts)):
            seen[0, e], seen[1, e] = seen[1, e], observe(events.observable[e], scratch)
        for e in range(len(parts)):
            before, after = seen[0, e], seen[1, e]
            if piece == 0:
                parts[e] = np.nan
            elif np.isnan(times[e]) and np.isnan(parts[e]) and crosses(before, after, events.up[e], events.down[e]):
                parts[e] = _locate(events, e, flat, lane, piece, before, after, scratch)
                if events.terminal[e]:
                    stop = min(stop, parts[e])
        if stop < NONE:
            break
    for e in range(len(parts)):
        if parts[e] > stop:
            parts[e] = np.nan
    return stop


@register_jitable
def _locate(events, e, flat, lane, piece, before, after, weights):
    """The part of the step at which the observable has just met its threshold: ITP, at worst one bisection more.

    Oliveira and Takahashi, ACM Transactions on Mathematical Software 47 (2021), with kappa_1 = 0.2 / length,
    kappa_2 = 2, n_0 = 1.
    """
    sign, value = (1.0, events.up[e]) if before < after else (-1.0, events.down[e])
    a, b = (piece - 1) / PIECES, piece / PIECES
    fa, fb = sign * (before - value), sign * (after - value)  # fa < 0 <= fb
    length = b - a
    radius = length  # how far from the middle a point may lie and still lead to the end in time
    while b - a > TINY:
        middle = 0.5 * (a + b)
        false = (fb * a - fa * b) / (fb - fa)
        toward = 1.0 if false < middle else -1.0
        shift = 0.2 * (b - a) * (b - a) / length
        x = false + toward * shift if shift <= abs(middle - false) else middle
        slack = max(radius - 0.5 * (b - a), 0.0)
        if not abs(x - middle) <= slack:
            x = middle - toward * slack
        weights_at(flat, x, lane, weights)
        f = sign * (observe(events.observable[e], weights) - value)
        if f >= 0.0:
            b, fb = x, f
        else:
            a, fa = x, f
        radius *= 0.5
    return b

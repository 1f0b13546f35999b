"""Blocks of trajectories: how they lie in memory, and what is measured of them."""

from __future__ import annotations

import inspect
import sys
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numba import types
from numba.extending import register_jitable

from linreg_dyn import arithmetic, noise, observables, rules
from linreg_dyn._compiled import kernel
from linreg_dyn.ensemble import _lanewise, _vector
from linreg_dyn.ensemble._lanewise import greatest, least, total, where
from linreg_dyn.ensemble._vector import cast, local, view
from linreg_dyn.ensemble.plan import NEVER
from linreg_dyn.ensemble.record import Moments
from linreg_dyn.problem import Array
from linreg_dyn.schedules import auto_l2, autol2, rates

PLAIN = (rules, observables, rates, noise)
for _module in PLAIN:
    for _function in vars(_module).values():
        if inspect.isfunction(_function) and _function.__module__ == _module.__name__:
            register_jitable(_function)

register_jitable(auto_l2)

# Kernels are kept on disk under this fingerprint too, so that a changed rule is never run from an old cache.
_COMPILED = (*PLAIN, arithmetic, autol2, _vector, _lanewise, sys.modules[__name__])
SOURCES = zlib.crc32("".join(inspect.getsource(module) for module in _COMPILED).encode())

PADDING = -2
"""Stands for `diverged_step` in the lanes that fill up the last block."""


@dataclass(frozen=True)
class Shape:
    """How a kernel holds the weights of a block: [section, layer, lane of the section].

    A layer is `parts` vectors of `width` lanes each, of which a section has an equal share. A kernel takes a step
    with one section after another.
    """

    depth: int
    dtype: str
    width: int
    parts: int
    sections: int = 1

    @property
    def lanes(self) -> int:
        """Trajectories of a block."""
        return self.width * self.parts


@register_jitable
def copy(source, target):
    """Copy a block."""
    for i in range(len(source)):
        target[i] = source[i]


def exchange(shape: Shape):
    """Three jitables: `empty()`, an array [section, layer, lane of the section] for the weights of a block, and
    `load(rows, block, lanes)` and `store(lanes, rows, block)` between it and an ensemble, (trajectory, layer).
    """
    sections, depth, width, kind = shape.sections, shape.depth, shape.lanes // shape.sections, np.dtype(shape.dtype)

    @register_jitable
    def empty():
        return np.empty((sections, depth, width), kind)

    @register_jitable
    def load(rows, block, lanes):
        for k in range(sections):
            first = (block * sections + k) * width
            for lane in range(width):
                for i in range(depth):
                    lanes[k, i, lane] = rows[first + lane, i]

    @register_jitable
    def store(lanes, rows, block):
        for k in range(sections):
            first = (block * sections + k) * width
            for lane in range(width):
                for i in range(depth):
                    rows[first + lane, i] = lanes[k, i, lane]

    return empty, load, store


FIELDS = ("mean", "squares", "min", "max")
"""Moments of a block: the sum of squares is of distances from the mean."""


def stored(wanted: frozenset[str]) -> tuple[str, ...]:
    """Those of `FIELDS` that a block must tell for the `wanted` moments of an ensemble."""
    needed = {"mean", "squares", *wanted} if "variance" in wanted else wanted
    return tuple(name for name in FIELDS if name in needed)


def merged(parts: Array, observables: int, wanted: frozenset[str]) -> list[Moments]:
    """Moments of so many observables from [..., block], what their `reducer` told of every block."""
    numbers = np.broadcast_to(parts[0], (observables, parts.shape[1]))
    fields = dict(zip(stored(wanted), parts[1:].reshape(-1, *numbers.shape), strict=True))
    return Moments.merged(numbers, *(fields.get(name, numbers) for name in FIELDS), wanted=wanted)


@cache
def reducer(shape: Shape, observed: tuple[Callable[..., Any], ...], wanted: frozenset[str]):
    """A jitable `f(w, marks, moments)` that reduces observables of a block, in float64.

    Over the lanes that have not diverged: `moments` gets their number and then each of those `stored`, of every
    observable. Folding the lanes of a block to one number costs more than an observable does.
    """
    if not observed:
        return register_jitable(lambda w, marks, moments: None)
    new_block = local(types.float64, shape.width, shape.parts, shape.depth, shape.sections)
    each, never = _each_reduced(observed, len(observed), wanted), NEVER

    @register_jitable(forceinline=True)  # a call would keep the weights in memory
    def reduce(w, marks, moments):
        seen = new_block()  # a copy, so that the weights themselves can stay in registers
        copy(w, seen)
        number = total(where(marks, never, cast(seen[0], 1), 0))
        moments[0] = number
        each(seen, marks, number, moments)

    return reduce


def _each_reduced(observed: tuple[Callable[..., Any], ...], count: int, wanted: frozenset[str]):
    if not observed:
        return register_jitable(lambda w, marks, number, moments: None)
    others, observable = _each_reduced(observed[:-1], count, wanted), observed[-1]
    place = {name: len(observed) + k * count for k, name in enumerate(stored(wanted))}
    mean_too, squares_too, min_too, max_too = (name in place for name in FIELDS)
    mean_at, squares_at, min_at, max_at = (place.get(name, 0) for name in FIELDS)
    never, infinity = NEVER, np.inf

    @register_jitable(forceinline=True)  # a call would keep the weights in memory
    def reduce(w, marks, number, moments):
        others(w, marks, number, moments)
        x = observable(w)
        if mean_too:
            mean = total(where(marks, never, x, 0)) / number if number > 0 else 0.0
            moments[mean_at] = mean
            if squares_too:
                spread = x - mean
                moments[squares_at] = total(where(marks, never, spread * spread, 0))
        if min_too:
            moments[min_at] = least(where(marks, never, x, infinity))
        if max_too:
            moments[max_at] = greatest(where(marks, never, x, -infinity))

    return reduce


@cache
def observe_kernel(shape: Shape, observable: Callable[..., Any]):
    """The compiled `observe(rows, values, first, last)`: an observable, in float64, to `values` [block, lane]."""
    block_of, row_of = (view(shape.width, shape.parts, length, shape.sections) for length in (shape.depth, 1))
    new_block = local(types.float64, shape.width, shape.parts, shape.depth, shape.sections)
    new_lanes, load, _ = exchange(shape)

    @kernel(shape, observable, SOURCES)
    def observe(rows, values, first, last):
        lanes, w = new_lanes(), new_block()
        for block in range(first, last):
            load(rows, block, lanes)
            copy(block_of(lanes, 0), w)
            row_of(values, block)[0] = observable(w)

    return observe

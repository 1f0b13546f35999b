"""Blocks of trajectories: how they lie in memory, and what is measured of them."""

from __future__ import annotations

import inspect
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
from linreg_dyn.schedules import auto_l2, autol2, rates

PLAIN = (rules, observables, rates, noise)
for _module in PLAIN:
    for _function in vars(_module).values():
        if inspect.isfunction(_function) and _function.__module__ == _module.__name__:
            register_jitable(_function)

register_jitable(auto_l2)

# Kernels are kept on disk under this fingerprint too, so that a changed rule is never run from an old cache.
SOURCES = zlib.crc32(
    "".join(inspect.getsource(module) for module in (*PLAIN, arithmetic, autol2, _vector, _lanewise)).encode()
)

PADDING = -2
"""Stands for `diverged_step` in the lanes that fill up the last block."""


@dataclass(frozen=True)
class Shape:
    """How the weights of a block lie in memory: [section, layer, lane of the section].

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


@cache
def reducer(shape: Shape, observed: tuple[Callable[..., Any], ...], wanted: frozenset[str]):
    """A jitable `f(w, marks, moments, row, block)` that reduces observables of a block, in float64.

    Over the lanes that have not diverged: `moments` [row, 5, observable, block] gets their number and, of what is
    `wanted` ("mean", "variance", "min", "max"), the mean, the sum of squared distances from it, the minimum and
    the maximum. Folding the lanes of a block to one number costs more than an observable does.
    """
    if not observed:
        return register_jitable(lambda w, marks, moments, row, block: None)
    new_block = local(types.float64, shape.width, shape.parts, shape.depth, shape.sections)
    each, never = _each_reduced(observed, wanted), NEVER

    @register_jitable
    def reduce(w, marks, moments, row, block):
        seen = new_block()  # a copy, so that the weights themselves can stay in registers
        copy(w, seen)
        number = total(where(marks, never, cast(seen[0], 1), 0))
        each(seen, marks, number, moments, row, block)

    return reduce


def _each_reduced(observed: tuple[Callable[..., Any], ...], wanted: frozenset[str]):
    if not observed:
        return register_jitable(lambda w, marks, number, moments, row, block: None)
    others, observable, place = _each_reduced(observed[:-1], wanted), observed[-1], len(observed) - 1
    mean_too, variance_too = bool(wanted & {"mean", "variance"}), "variance" in wanted
    min_too, max_too = "min" in wanted, "max" in wanted
    never, infinity = NEVER, np.inf

    @register_jitable
    def reduce(w, marks, number, moments, row, block):
        others(w, marks, number, moments, row, block)
        x = observable(w)
        moments[row, 0, place, block] = number
        if mean_too:
            mean = total(where(marks, never, x, 0)) / number if number > 0 else 0.0
            moments[row, 1, place, block] = mean
            if variance_too:
                spread = x - mean
                moments[row, 2, place, block] = total(where(marks, never, spread * spread, 0))
        if min_too:
            moments[row, 3, place, block] = least(where(marks, never, x, infinity))
        if max_too:
            moments[row, 4, place, block] = greatest(where(marks, never, x, -infinity))

    return reduce


@cache
def observe_kernel(shape: Shape, observable: Callable[..., Any]):
    """The compiled `observe(state, values, first, last)`: an observable, in float64, to `values` [block, lane]."""
    block_of, row_of = (view(shape.width, shape.parts, length, shape.sections) for length in (shape.depth, 1))
    new_block = local(types.float64, shape.width, shape.parts, shape.depth, shape.sections)

    @kernel(shape, observable, SOURCES)
    def observe(state, values, first, last):
        w = new_block()
        for block in range(first, last):
            copy(block_of(state, block), w)
            row_of(values, block)[0] = observable(w)

    return observe

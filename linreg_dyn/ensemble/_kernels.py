"""The compiled loop: blocks of trajectories, many steps over each, the plain functions at vectors of lanes.

There is no mathematics here. Shape, method and schedule are compile-time constants of a kernel; LLVM keeps the
weights of shallow nets in registers and those of deep ones in the innermost cache. Kernels release the GIL and
touch only their own blocks, so that the caller may run them in threads.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import llvmlite.binding as llvm
import numpy as np
from numba import from_dtype
from numba.extending import register_jitable

from linreg_dyn import arithmetic, rules
from linreg_dyn._compiled import kernel
from linreg_dyn.ensemble._blocks import Shape, copy, exchange, reducer
from linreg_dyn.ensemble._lanewise import exceeds, from_on, where
from linreg_dyn.ensemble._steps import RESIDUALS, SOURCES, draw_batches, drawer, scheduled, stepper
from linreg_dyn.ensemble._vector import local, section, view
from linreg_dyn.ensemble.plan import NEVER, OVERFLOW, Plan
from linreg_dyn.schedules import rates

SHALLOW = 16
"""Layers up to which the loops over them are unrolled."""
CHECK = 128
"""Steps between two looks at whether a lane has diverged, or is out of range of the quick adaptive rate.

Then they are taken again, one by one, to see when, and with the exact rate."""


@cache
def _wide() -> bool:
    return bool(llvm.get_host_cpu_features().get("avx512f"))


def shape_for(depth: int, dtype: str, draws_amplitude: bool = False, heavy: bool = False) -> Shape:
    """The blocks for this machine: whole vector registers, enough of them to keep its arithmetic units busy.

    The weights of shallow nets stay in registers: sections of one vector for each layer, so that few values are
    alive at a time, and the processor overlaps one section with the next. Where noise is drawn, the random words
    need registers too, and with a heavy ball the velocities. Deeper nets live in cache, and there four vectors of a
    layer are in step.
    """
    wide = _wide()
    width = (64 if wide else 32) // np.dtype(dtype).itemsize
    if depth > SHALLOW:
        return Shape(depth, dtype, width, 4 if wide else 2)
    if draws_amplitude and depth <= 6:
        return Shape(depth, dtype, width, 2)
    parts = {1: 8, 2: 8, 3: 7, 4: 5, 5: 4, 6: 4}.get(depth, 3)
    parts = min(parts, 3) if heavy else parts
    return Shape(depth, dtype, width, parts, parts)


@register_jitable
def alive(diverged):
    """Whether any lane has not diverged."""
    for mark in diverged:  # noqa: SIM110 (numba compiles no generators)
        if mark == NEVER:
            return True
    return False


@register_jitable
def suspects(largest, diverged, limit):
    """Whether a lane may just have diverged."""
    for lane in range(len(largest)):  # noqa: SIM110
        if diverged[lane] == NEVER and not largest[lane] <= limit:
            return True
    return False


@register_jitable
def note(W, diverged, step, limit):
    """Write `step` to the lanes that diverge now, and count them."""
    found = 0
    for lane in range(len(W)):
        if diverged[lane] == NEVER and not abs(W[lane]) <= limit:
            diverged[lane] = step
            found += 1
    return found


def advance_kernel(
    shape: Shape, plan: Plan, observed: tuple[Callable[..., Any], ...] = (), wanted: frozenset[str] = frozenset()
):
    """The compiled `advance` of `_advance` for this kind of plan and what it observes, made once for each."""
    return _advance(
        shape,
        observed,
        wanted,
        RESIDUALS[type(plan.method)],
        plan.draw,
        plan.distribution,
        plan.adaptive,
        plan.decaying,
        plan.rates is not None or plan.decays is not None,
        "nesterov" if plan.nesterov else "heavy ball" if plan.momentum else "none",
    )


def _keepers(depth: int, heavy: bool):
    """Jitables on a block's weights `w` and, with a heavy ball, its velocities `v`: what is kept of them, and where.

    `keep(w, v, to_w, to_v)` copies both. `part(marks, mark, w, v, to_w, to_v)` copies the lanes of one mark.
    `rest(marks, w, v)` sends those that have diverged to the minimum of weights 1.
    """
    never = NEVER

    @register_jitable(inline="always")  # inlined by LLVM instead, they cost some kernels a fifth of their speed
    def keep(w, v, to_w, to_v):
        copy(w, to_w)
        if heavy:
            copy(v, to_v)

    @register_jitable(inline="always")
    def part(marks, mark, w, v, to_w, to_v):
        for i in range(depth):
            to_w[i] = where(marks, mark, w[i], to_w[i])
            if heavy:
                to_v[i] = where(marks, mark, v[i], to_v[i])

    @register_jitable(inline="always")
    def rest(marks, w, v):
        for i in range(depth):
            w[i] = where(marks, never, w[i], 1)
            if heavy:
                v[i] = where(marks, never, v[i], 0)

    return keep, part, rest


@cache
def _advance(shape, observed, wanted, residual, draw, distribution, adaptive, decaying, own, inertia):
    depth, lanes, width, parts, sections = shape.depth, shape.lanes, shape.width, shape.parts, shape.sections
    kind: Any = from_dtype(np.dtype(shape.dtype))
    block_of, row_of = (view(width, parts, length, sections) for length in (depth, 1))
    new_block, new_row, new_units = (local(kind, width, parts, length, sections) for length in (depth, 1, 4))
    part_of, new_net = view(width, parts // sections, 1), local(kind, width, parts // sections, depth)
    new_lanes, load, store = exchange(shape)
    draws_amplitude, draws_batch, heavy = draw == "amplitude", draw == "batch", inertia != "none"
    gather, move = stepper(depth, adaptive, decaying, inertia)
    value = scheduled(shape, own)
    keep, part, rest = _keepers(depth, heavy)
    reduce = reducer(shape, observed, wanted)
    draw_units = drawer(distribution)
    limit, low, check, never = OVERFLOW[shape.dtype], rates.LOW, CHECK, NEVER

    @kernel(shape, *observed, sorted(wanted), residual, draw, distribution, adaptive, decaying, own, inertia, SOURCES)
    def advance(state, velocities, diverged, first, last, edges, moments, table, own_table, momentum, random, batches):
        """Take the steps from `edges[0]` to `edges[-1]` with the blocks `first`, ..., `last - 1`.

        `state` and `velocities` are (trajectory, layer). At each later edge reduce the observables to `moments`
        [edge, ..., block].
        """
        lrs, decays, amplitudes = table
        own_rates, own_decays = own_table
        k0, k1, keys, origin, quantiles = random
        w, before, v, v_before = new_block(), new_block(), new_block(), new_block()
        shares, largest, units = new_net(), new_row(), new_units()
        exact, smallest = new_row(), new_row()
        held, m2, m1 = np.empty(lanes, kind), np.empty(lanes, kind), np.empty(lanes, kind)
        ended, ended_speeds = new_lanes(), new_lanes()
        here, speeds = block_of(ended, 0), block_of(ended_speeds, 0)
        order, swaps = np.arange(len(batches[0])), np.empty(batches[2], np.int64)
        lane_numbers = np.arange(lanes)
        for block in range(first, last):
            marks = row_of(diverged, block)
            load(state, block, ended)
            if heavy:
                load(velocities, block, ended_speeds)
            keep(here, speeds, w, v)
            numbers = row_of(lane_numbers, 0)[0] + (origin + block * lanes)
            row_of(held, 0)[0] = rules.end_to_end(w)
            start = edges[0]
            note(held, diverged[block], start, limit)
            careful = step = start
            in_units = -1
            edge = 1
            while edge < len(edges):
                stop = edges[edge]
                if step == stop or not alive(diverged[block]):
                    step = stop
                    reduce(w, marks[0], moments[edge - 1, :, block])
                    edge += 1
                    continue
                count = 1 if step < careful else min(check, stop - step)
                keep(w, v, before, v_before)
                largest[0] = 0
                smallest[0] = largest[0] + 1
                if adaptive and count == 1:
                    exact[0] = rates.inverse_sum(before)
                for t in range(step, step + count):
                    if draws_amplitude and t >> 2 != in_units:
                        in_units = t >> 2
                        draw_units(units, numbers, t, keys, quantiles)
                    if draws_batch:
                        draw_batches(origin + block * lanes, t, k0, k1, batches, order, swaps, m2, m1)
                    for k in range(sections):  # as a function of its own it halved the speed of some depths
                        net, speed, sum_k = section(w, k), section(v, k), section(largest, k)
                        one, other = part_of(m2, k)[0], part_of(m1, k)[0]
                        if draws_amplitude:
                            one = amplitudes[t - start] * section(units, k)[t & 3]
                        lr = value(net[0], own_rates, block * sections + k, lrs[t - start])
                        decay = value(net[0], own_decays, block * sections + k, decays[t - start])
                        W, now, q = gather(net, shares, lr)
                        if adaptive:
                            least_k = section(smallest, k)
                            least_k[0] = arithmetic.smaller(least_k[0], q)
                            if count == 1:
                                now = from_on(q, low, now, lr * section(exact, k)[0])
                        move(net, speed, shares, W, residual(W, one, other), now, decay, momentum)
                        # A sum of magnitudes, because it costs less than their maximum: within the limit if this is.
                        sum_k[0] = sum_k[0] + arithmetic.magnitude(W)
                end = rules.end_to_end(w)
                total = largest[0] + arithmetic.magnitude(end)
                if adaptive and count > 1:  # too small for the quick rate: an alarm, as these steps need the exact one
                    total = from_on(smallest[0], low, total, total + np.nan)
                if exceeds(total, limit):
                    row_of(held, 0)[0] = end if count == 1 else total
                    if count > 1 and suspects(held, diverged[block], limit):
                        keep(before, v_before, w, v)  # who it was, and when, will be seen step by step
                        careful = step + count
                        continue
                    if count == 1 and note(held, diverged[block], step + 1, limit):
                        part(marks[0], step + 1, before, v_before, here, speeds)  # what they had before that step
                    rest(marks[0], w, v)  # and who has diverged does not set off the alarm again
                step += count
            part(marks[0], never, w, v, here, speeds)
            store(ended, state, block)
            if heavy:
                store(ended_speeds, velocities, block)

    return advance

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

from linreg_dyn import arithmetic, noise, rules
from linreg_dyn._compiled import kernel
from linreg_dyn.ensemble import methods
from linreg_dyn.ensemble._blocks import SOURCES, Shape, copy, exchange, reducer
from linreg_dyn.ensemble._lanewise import exceeds, where
from linreg_dyn.ensemble._vector import cast, local, section, view
from linreg_dyn.ensemble.plan import NEVER, OVERFLOW, Plan
from linreg_dyn.schedules import rates

SHALLOW = 16
"""Layers up to which the loops over them are unrolled."""
CHECK = 128
"""Steps between two looks at whether a lane has diverged; then they are taken again, one by one, to see when."""


# A residual as the kernel calls it: u and v are what the method draws for this lane and step.
@register_jitable
def _gradient_descent(W, u, v):
    return rules.gradient_descent(W)


@register_jitable
def _noise_augmentation(W, u, v):
    return rules.noise_augmentation(W, u)


@register_jitable
def _sgd_noise(W, u, v):
    return rules.sgd_noise(W, u)


@register_jitable
def _mini_batch(W, u, v):
    return rules.mini_batch(W, u, v)


RESIDUALS: dict[type, Callable[..., Any]] = {
    methods.GradientDescent: _gradient_descent,
    methods.NoiseAugmentation: _noise_augmentation,
    methods.SGDNoise: _sgd_noise,
    methods.MiniBatch: _mini_batch,
}


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


def _drawer(distribution: Callable[..., Any]):
    """A jitable `f(units, numbers, step, keys, table)`: amplitudes of the four steps about `step`, to `units`."""

    @register_jitable(inline="always")  # LLVM would not, and then know less of what is constant over steps
    def draw_units(units, numbers, step, keys, table):
        c0, c1, c2, c3 = noise.amplitude_counter(numbers, step)
        words = cast(numbers, c0), cast(numbers, c1), c2, c3
        for k in range(noise.ROUNDS):
            words = noise.philox_round(*words, keys[0, k], keys[1, k])
        units[0] = distribution(words[0], table)
        units[1] = distribution(words[1], table)
        units[2] = distribution(words[2], table)
        units[3] = distribution(words[3], table)

    return draw_units


def _stepper(depth: int, adaptive: bool, decaying: bool, inertia: str):
    """How one step is taken: `gather(w, shares, lr)` gives W and the rate; `move(...)` moves every layer.

    `shares` hold what `rules.fill_prefixes` writes, or `W/w_i` where the adaptive rate needs them as such.
    """
    nesterov = inertia == "nesterov"

    @register_jitable
    def gather(w, shares, lr):
        return rules.fill_prefixes(w, shares), lr

    @register_jitable
    def gather_adaptive(w, shares, lr):
        W = rules.fill_others(w, shares)
        q = cast(W, 0)
        for i in range(depth - 1, -1, -1):
            q = q + shares[i] * shares[i]
        return W, rates.adaptive_rate(lr, W, q)

    @register_jitable
    def kept(W, lr, decay):
        return rules.contraction(cast(W, lr), cast(W, decay)) if decaying else 1

    @register_jitable
    def move(w, v, shares, W, g, lr, decay, momentum):
        rules.move_all(w, shares, rules.pull(g, lr), kept(W, lr, decay))

    @register_jitable
    def move_adaptive(w, v, shares, W, g, lr, decay, momentum):
        left = kept(W, lr, decay)
        for i in range(depth):
            w[i] = rules.move(w[i], rules.pull(g, lr), shares[i], left)

    @register_jitable
    def roll(w, v, shares, W, g, lr, decay, momentum):
        push = rules.push(g)
        if not adaptive:
            rules.fill_shares(w, push, shares)
        for i in range(depth):
            share = push * shares[i] if adaptive else shares[i]
            force = rules.force(w[i], share, decay) if decaying else share
            speed = rules.accumulate(v[i], force, momentum)
            v[i] = speed
            w[i] = rules.drift(w[i], rules.look_ahead(speed, force, momentum) if nesterov else speed, lr)

    if inertia != "none":
        return (gather_adaptive if adaptive else gather), roll
    return (gather_adaptive, move_adaptive) if adaptive else (gather, move)


def _scheduled(shape: Shape, own: bool):
    """`value(like, rows, k, x)`: a step's value `x` for the trajectories of section k, times their own if they have."""
    row_of = view(shape.width, shape.parts // shape.sections, 1)
    value = (lambda like, rows, k, x: cast(like, row_of(rows, k)[0]) * x) if own else (lambda like, rows, k, x: x)
    return register_jitable(value)


@cache
def _advance(shape, observed, wanted, residual, draw, distribution, adaptive, decaying, own, inertia):
    depth, lanes, width, parts, sections = shape.depth, shape.lanes, shape.width, shape.parts, shape.sections
    kind: Any = from_dtype(np.dtype(shape.dtype))
    block_of, row_of = (view(width, parts, length, sections) for length in (depth, 1))
    part_of = view(width, parts // sections, 1)
    new_block, new_row, new_units = (local(kind, width, parts, length, sections) for length in (depth, 1, 4))
    new_net = local(kind, width, parts // sections, depth)
    new_lanes, load, store = exchange(shape)
    draws_amplitude, draws_batch = draw == "amplitude", draw == "batch"
    heavy = inertia != "none"
    gather, move = _stepper(depth, adaptive, decaying, inertia)
    value = _scheduled(shape, own)
    reduce = reducer(shape, observed, wanted)
    draw_units = _drawer(distribution)
    limit, check, never = OVERFLOW[shape.dtype], CHECK, NEVER

    @kernel(shape, *observed, sorted(wanted), residual, draw, distribution, adaptive, decaying, own, inertia, SOURCES)
    def advance(state, velocities, diverged, first, last, edges, moments, table, own_table, momentum, random, batches):
        """Take the steps from `edges[0]` to `edges[-1]` with the blocks `first`, ..., `last - 1`.

        `state` and `velocities` are (trajectory, layer). At each later edge reduce the observables to `moments`
        [edge, ..., block].
        """
        lrs, decays, amplitudes = table
        own_rates, own_decays = own_table
        k0, k1, keys, origin, quantiles = random
        squares, products, batch = batches
        w, before, v, v_before = new_block(), new_block(), new_block(), new_block()
        shares, largest, units = new_net(), new_row(), new_units()
        held, m2, m1 = np.empty(lanes, kind), np.empty(lanes, kind), np.empty(lanes, kind)
        rest, rest_speeds = new_lanes(), new_lanes()
        here, speeds = block_of(rest, 0), block_of(rest_speeds, 0)
        order, swaps = np.arange(len(squares)), np.empty(batch, np.int64)
        lane_numbers = np.arange(lanes)
        for block in range(first, last):
            marks = row_of(diverged, block)
            load(state, block, rest)
            copy(here, w)
            if heavy:
                load(velocities, block, rest_speeds)
                copy(speeds, v)
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
                copy(w, before)
                if heavy:
                    copy(v, v_before)
                largest[0] = 0
                for t in range(step, step + count):
                    if draws_amplitude and t >> 2 != in_units:
                        in_units = t >> 2
                        draw_units(units, numbers, t, keys, quantiles)
                    if draws_batch:
                        for lane in range(lanes):
                            noise.sample(order, swaps, origin + block * lanes + lane, t, k0, k1)
                            m2[lane], m1[lane] = noise.moments(order, batch, squares, products)
                            noise.restore(order, swaps)
                    for k in range(sections):
                        net, speed, sum_k = section(w, k), section(v, k), section(largest, k)
                        one, other = part_of(m2, k)[0], part_of(m1, k)[0]
                        if draws_amplitude:
                            one = amplitudes[t - start] * section(units, k)[t & 3]
                        lr = value(net[0], own_rates, block * sections + k, lrs[t - start])
                        decay = value(net[0], own_decays, block * sections + k, decays[t - start])
                        W, now = gather(net, shares, lr)
                        move(net, speed, shares, W, residual(W, one, other), now, decay, momentum)
                        # A sum of magnitudes, because it costs less than their maximum: within the limit if this is.
                        sum_k[0] = sum_k[0] + arithmetic.magnitude(W)
                end = rules.end_to_end(w)
                total = largest[0] + arithmetic.magnitude(end)
                if not exceeds(total, limit):
                    step += count
                    continue
                row_of(held, 0)[0] = end if count == 1 else total
                if count > 1 and suspects(held, diverged[block], limit):
                    copy(before, w)  # who it was, and when, will be seen step by step
                    if heavy:
                        copy(v_before, v)
                    careful = step + count
                    continue
                if count == 1 and note(held, diverged[block], step + 1, limit):
                    for i in range(depth):  # they keep what they had before that step
                        here[i] = where(marks[0], step + 1, before[i], here[i])
                        if heavy:
                            speeds[i] = where(marks[0], step + 1, v_before[i], speeds[i])
                # Who has diverged waits at the minimum of weights 1, and does not set off the alarm again.
                for i in range(depth):
                    w[i] = where(marks[0], never, w[i], 1)
                    if heavy:
                        v[i] = where(marks[0], never, v[i], 0)
                step += count
            for i in range(depth):
                here[i] = where(marks[0], never, w[i], here[i])
                if heavy:
                    speeds[i] = where(marks[0], never, v[i], speeds[i])
            store(rest, state, block)
            if heavy:
                store(rest_speeds, velocities, block)

    return advance

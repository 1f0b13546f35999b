"""CUDA kernels: one thread per trajectory, its weights in registers over many steps, no mathematics of its own.

Imports numba.cuda; the engine imports this when it is made. A kernel is made for a `Kind`: what is compiled into
it. Depth is among that, so that all loops over layers are unrolled and every place of an array is a register.

The functions of `rules` are compiled so that nothing is left to a compiler to fuse (`literals.typed`): however it
copies and unrolls the code of a step, all copies round alike, and as on the CPU.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import numba
import numpy as np
from numba.core import types
from numba.extending import register_jitable

from linreg_dyn import noise, rules
from linreg_dyn.ensemble import _cuda_memory
from linreg_dyn.ensemble._cuda_arithmetic import as_written, fma, product, wide, within
from linreg_dyn.ensemble._cuda_target import cuda
from linreg_dyn.ensemble.literals import typed
from linreg_dyn.ensemble.plan import NEVER
from linreg_dyn.schedules.rates import adaptive_rate

SUSPECT = -2
"""In the place of `diverged_step`: it may diverge within the piece at hand, nobody knows yet at which step."""

int32: Any = types.int32
uint32: Any = types.uint32


class Kind(NamedTuple):
    """What a kernel is compiled for.

    `residual(W, u, m)` has what the step draws: an amplitude `u`, or a mini-batch's moments `u = m2, m = m1`. Rate,
    decay and width are one number, or one for each step where they vary; times a factor of each trajectory's own.
    `batch` and `samples` are 0 if no batch is drawn, `distribution` is None if no amplitude is; `moving` is with
    momentum.
    """

    depth: int
    dtype: str
    limit: float
    residual: Callable
    distribution: Callable | None = None
    batch: int = 0
    samples: int = 0
    adaptive: bool = False
    decaying: bool = False
    rate_varies: bool = False
    decay_varies: bool = False
    width_varies: bool = False
    own_rates: bool = False
    own_decays: bool = False
    moving: bool = False
    nesterov: bool = False


@cache
def stepper(kind: Kind):
    """The functions `gather(net)`: `W`, and what a step needs of products; and `take(...)`: one step of all layers.

    `net` is the weights, their products as `rules.fill_prefixes` writes them, and the velocities. `take` works in
    place and returns what `gather` does.
    """
    dtype, adaptive, decaying, nesterov = kind.dtype, kind.adaptive, kind.decaying, kind.nesterov
    number, depth, moving = np.dtype(dtype).type, kind.depth, kind.moving
    unit = number(1)
    plain = (rules.fill_prefixes, rules.fill_outsides, rules.fill_shares, rules.move_all, rules.move_pairs, rules.pull)
    fill_prefixes, fill_outsides, fill_shares, move_all, move_pairs, pull = (as_written(f, dtype) for f in plain)
    plain = (rules.push, rules.force, rules.accumulate, rules.look_ahead, rules.drift, kind.residual)
    push, drive, accumulate, look_ahead, drift, residual = (as_written(f, dtype) for f in plain)
    contraction, rate = as_written(rules.contraction, dtype), as_written(adaptive_rate, dtype)

    @register_jitable
    def gather(net):
        return fill_prefixes(net[0], net[1])

    @register_jitable
    def left(lr, decay):
        return contraction(lr, decay) if decaying else unit

    @register_jitable
    def at_once(net, W, u, m, lr, decay, momentum):
        move_all(net[0], net[1], pull(residual(W, u, m), lr), left(lr, decay))
        return gather(net)

    @register_jitable
    def adapted(net, W, u, m, lr, decay, momentum):
        lr = rate(lr, net[0], W, fill_outsides(net[0], net[1]))
        move_pairs(net[0], net[1], pull(residual(W, u, m), lr), left(lr, decay))
        return gather(net)

    @register_jitable
    def rolling(net, W, u, m, lr, decay, momentum):
        w, shares, v = net
        if adaptive:
            lr = rate(lr, w, W, fill_outsides(w, shares))
            fill_prefixes(w, shares)
        fill_shares(w, push(residual(W, u, m)), shares)
        for i in range(depth):
            force = drive(w[i], shares[i], decay) if decaying else shares[i]
            v[i] = accumulate(v[i], force, momentum)
            w[i] = drift(w[i], look_ahead(v[i], force, momentum) if nesterov else v[i], lr)
        return gather(net)

    return gather, rolling if moving else adapted if adaptive else at_once


@cache
def drawer(kind: Kind):
    """`block(trajectory, step, keys)`: the noise words of four steps; `draw(...)`: what one step draws, `(u, m)`."""
    number = np.dtype(kind.dtype).type
    zero, times, batch = number(0), product(kind.dtype), kind.batch
    philox, counter = typed(noise.philox, np.int64, product=wide), typed(noise.amplitude_counter, np.float64)
    sample, restore, mean = (typed(f, np.float64) for f in (noise.sample, noise.restore, noise.moments))
    amplitudes, distribution = kind.distribution is not None, typed(kind.distribution or noise.uniform, np.float64, fma)

    @register_jitable
    def block(trajectory, step, keys):
        if amplitudes:
            c0, c1, c2, c3 = counter(trajectory, step)
            return philox(c0, c1, c2, c3, keys[0], keys[1])
        return 0, 0, 0, 0

    @register_jitable
    def amplitude(word, width, data, shuffle, trajectory, step, keys):
        if amplitudes:
            return times(width, number(distribution(word, data[0]))), zero
        return zero, zero

    @register_jitable
    def moments(word, width, data, shuffle, trajectory, step, keys):
        _, squares, products = data
        order, swaps = shuffle
        sample(order, swaps, trajectory, step, keys[0], keys[1])
        m2, m1 = mean(order, batch, squares, products)
        restore(order, swaps)
        return number(m2), number(m1)

    return block, moments if batch else amplitude


@cache
def single_steps(kind: Kind):
    """`one(...)`, step `k` of a piece with its word of noise, and `single(...)`, which draws that word itself.

    `given` is what holds for all steps of a trajectory: its own factors of rate and decay and the momentum, the
    tables of rates, decays and widths, the data that is drawn from, its number, the first step of the piece, the
    two words of the seed. Both return `W` after the step.
    """
    _, take = stepper(kind)
    block, draw = drawer(kind)
    rate_varies, decay_varies, width_varies = kind.rate_varies, kind.decay_varies, kind.width_varies
    own_rates, own_decays, times = kind.own_rates, kind.own_decays, product(kind.dtype)

    @register_jitable
    def values(k, own, tables):
        # An unsigned index is not looked at for being negative.
        lr = tables[0][uint32(k) if rate_varies else 0]
        decay = tables[1][uint32(k) if decay_varies else 0]
        width = tables[2][uint32(k) if width_varies else 0]
        if own_rates:
            lr = times(own[0], lr)
        if own_decays:
            decay = times(own[1], decay)
        return lr, decay, width

    @register_jitable
    def one(net, shuffle, W, word, k, given):
        own, tables, data, trajectory, start, keys = given
        lr, decay, width = values(k, own, tables)
        u, m = draw(word, width, data, shuffle, trajectory, int(start + k), keys)
        return take(net, W, u, m, lr, decay, own[2])

    @register_jitable
    def single(net, shuffle, W, k, given):
        _, _, _, trajectory, start, keys = given
        step = int(start + k)
        w0, w1, w2, w3 = block(trajectory, step, keys)
        odd, late = step & 1, step & 2
        word = (w3 if odd else w2) if late else (w1 if odd else w0)
        return one(net, shuffle, W, word, k, given)

    return one, single


@cache
def storage(kind: Kind):
    """`load(...)` and `store(...)`: from and to `weights` and `velocities` [layer, trajectory]; `load` returns `W`."""
    gather, _ = stepper(kind)
    depth, moving, batches, samples = kind.depth, kind.moving, kind.batch > 0, kind.samples

    @register_jitable
    def load(net, shuffle, weights, velocities, t):
        for i in range(depth):
            net[0][i] = weights[i, t]
            if moving:
                net[2][i] = velocities[i, t]
        if batches:
            for k in range(samples):
                shuffle[0][k] = k
        return gather(net)

    @register_jitable
    def store(net, weights, velocities, t):
        for i in range(depth):
            weights[i, t] = net[0][i]
            if moving:
                velocities[i, t] = net[2][i]

    return load, store


@cache
def at_once(kind: Kind):
    """`walk(...)`: all steps of a piece, kept if none diverges; NEVER, or SUSPECT.

    `counts` are `head`, steps up to one that a block of noise words begins with, then `body`, up to which there are
    fours, then the `count` of all.
    """
    _, store = storage(kind)
    block, _ = drawer(kind)
    one, single = single_steps(kind)
    surely, batches = within(kind.dtype, kind.limit), kind.batch > 0

    @register_jitable
    def walk(net, shuffle, W, given, counts, weights, velocities, t):
        head, body, count = counts
        _, _, _, trajectory, start, keys = given
        fine = surely(W)
        k = int32(0)
        while k < head and fine:
            W = single(net, shuffle, W, k, given)
            fine = surely(W)
            k = int32(k + 1)
        while not batches and k < body and fine:
            w0, w1, w2, w3 = block(trajectory, int(start + k), keys)
            W1 = one(net, shuffle, W, w0, k, given)
            W2 = one(net, shuffle, W1, w1, k + 1, given)
            W3 = one(net, shuffle, W2, w2, k + 2, given)
            W = one(net, shuffle, W3, w3, k + 3, given)
            fine = surely(W1) & surely(W2) & surely(W3) & surely(W)
            k = int32(k + 4)
        while k < count and fine:
            W = single(net, shuffle, W, k, given)
            fine = surely(W)
            k = int32(k + 1)
        if not fine:
            return SUSPECT
        store(net, weights, velocities, t)
        return NEVER

    return walk


@cache
def one_by_one(kind: Kind):
    """`walk(...)`: the same steps again, each kept, up to the one that diverges; its number, or NEVER."""
    _, store = storage(kind)
    _, single = single_steps(kind)
    limit = np.dtype(kind.dtype).type(kind.limit)

    @register_jitable
    def walk(net, shuffle, W, given, counts, weights, velocities, t):
        _, _, count = counts
        k = int32(0)
        while k < count and abs(W) <= limit:
            store(net, weights, velocities, t)
            W = single(net, shuffle, W, k, given)
            k = int32(k + 1)
        if not abs(W) <= limit:
            return int(given[4] + k)
        store(net, weights, velocities, t)
        return NEVER

    return walk


def _kernel(kind: Kind, walk: Callable, state: int):
    """The kernel that takes the trajectories whose `diverged` is `state` for a walk, and notes what that returns."""
    load, _ = storage(kind)
    kept, depth = numba.from_dtype(np.dtype(kind.dtype)), kind.depth
    moved, samples, batch = depth if kind.moving else 1, max(kind.samples, 1), max(kind.batch, 1)
    place = numba.from_dtype(np.dtype(_cuda_memory.place(kind.samples)))
    own_rates, own_decays = kind.own_rates, kind.own_decays

    @cuda.jit(cache=False)
    def piece(weights, velocities, diverged, factors, tables, data, momentum, start, head, body, count, offset, k0, k1):
        t = cuda.grid(1)
        if t >= weights.shape[1] or diverged[t] != state:
            return
        net = cuda.local.array(depth, kept), cuda.local.array(depth, kept), cuda.local.array(moved, kept)
        shuffle = cuda.local.array(samples, place), cuda.local.array(batch, types.int64)
        own = factors[0][t if own_rates else 0], factors[1][t if own_decays else 0], momentum
        given = own, tables, data, int(offset + t), start, (k0 & noise.MASK, k1 & noise.MASK)
        W = load(net, shuffle, weights, velocities, t)
        diverged[t] = walk(net, shuffle, W, given, (head, body, count), weights, velocities, t)

    return piece


@cache
def advance_kernels(kind: Kind):
    """The kernels `advance` and `retrace`, which a piece of a run calls one after the other.

    `advance` takes `count` steps from `start` on. It leaves trajectories that may diverge where they were, marked
    SUSPECT: `retrace` takes their steps again, one by one, and stops before the one that diverges. `weights` and
    `velocities` are [layer, trajectory]; `factors` are the trajectories' own of rate and decay, `tables` the rates,
    decays and widths, `data` the quantiles of a distribution and the squares and products of samples, `k0` and `k1`
    the two words of the seed, `offset` is the number of the first trajectory; `head` and `body` as in `at_once`.
    """
    return _kernel(kind, at_once(kind), NEVER), _kernel(kind, one_by_one(kind), SUSPECT)

"""CUDA kernels that look at an ensemble: observables of every trajectory, their moments, and AutoL2's measurements.

Observables are computed in float64 whatever the dtype of the weights. Moments are made in a fixed order, without
atomic operations, so that the same ensemble gives the same bits at every run: threads go through the trajectories
in strides, a block reduces what its threads have in a tree, and the host merges the blocks.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
from numba.core import types
from numba.extending import register_jitable

from linreg_dyn import observables
from linreg_dyn.ensemble._cuda_arithmetic import as_written
from linreg_dyn.ensemble._cuda_target import cuda
from linreg_dyn.ensemble.plan import NEVER
from linreg_dyn.schedules import autol2

SUM, SQUARES, LEAST, GREATEST = range(4)
"""What a thread keeps of an observable: the sum, the sum of squared distances from the mean, the extremes."""


@cache
def observe_kernel(depth: int, observable: Callable):
    """`observe(weights [layer, trajectory], out [trajectory])`."""
    function = as_written(observable, "float64")

    @cuda.jit(cache=False)
    def observe(weights, out):
        t = cuda.grid(1)
        if t < weights.shape[1]:
            w = cuda.local.array(depth, types.float64)
            for i in range(depth):
                w[i] = weights[i, t]
            out[t] = function(w)

    return observe


@cache
def auto_l2_kernel(depth: int, factor: float, refractory: float, scale: float):
    """`update(weights, states [6, trajectory], decays, step)`: measure the loss, set `decays` to `scale * l2`."""
    loss, auto_l2 = (as_written(f, "float64") for f in (observables.loss, autol2.auto_l2))

    @cuda.jit(cache=False)
    def update(weights, states, decays, step):
        t = cuda.grid(1)
        if t < weights.shape[1]:
            w = cuda.local.array(depth, types.float64)
            for i in range(depth):
                w[i] = weights[i, t]
            l2, low, low_error = states[0, t], states[1, t], states[2, t]
            pause, last, last_error = states[3, t], states[4, t], states[5, t]
            new = auto_l2(l2, low, low_error, pause, last, last_error, step, loss(w), 0.0, factor, refractory)
            states[0, t], states[1, t], states[2, t], states[3, t], states[4, t], states[5, t] = new
            decays[t] = scale * new[0]

    return update


@register_jitable
def joint_squares(count, total, squares, more, more_total, more_squares):
    """Squared distances from the joint mean of two sets, of their sums (Chan, Golub and LeVeque 1979)."""
    if count == 0:
        return more_squares
    if more == 0:
        return squares
    apart = more_total / more - total / count
    return squares + more_squares + apart * apart * (count * more / (count + more))


@cache
def all_of(functions: tuple[Callable, ...]):
    """`fill(w, out, place)`: the values of the functions, one after another, to `out` from `place` on."""
    if not functions:
        return register_jitable(lambda w, out, place: None)
    first, rest = as_written(functions[0], "float64"), all_of(functions[1:])

    @register_jitable
    def fill(w, out, place):
        out[place] = first(w)
        rest(w, out, place + 1)

    return fill


@cache
def reduce_kernel(depth: int, functions: tuple[Callable, ...], threads: int):
    """`reduce(weights, diverged, moments [observable, block, 5])`, in blocks of `threads`, a power of 2.

    The moments are those of `_blocks.reducer`: of the trajectories of a block that have not diverged, their
    number, the mean, the sum of squared distances from it, the minimum and the maximum.
    """
    fill, numbers, infinity = all_of(functions), len(functions), np.inf

    @cuda.jit(cache=False)
    def reduce(weights, diverged, moments):
        counts = cuda.shared.array(threads, types.int64)
        shared = cuda.shared.array((4, threads), types.float64)
        w, values = cuda.local.array(depth, types.float64), cuda.local.array(numbers, types.float64)
        mine = cuda.local.array((numbers, 4), types.float64)
        me = cuda.threadIdx.x
        for k in range(numbers):
            mine[k, SUM], mine[k, SQUARES], mine[k, LEAST], mine[k, GREATEST] = 0.0, 0.0, infinity, -infinity
        count = 0
        for t in range(cuda.grid(1), weights.shape[1], cuda.gridsize(1)):
            if diverged[t] == NEVER:
                for i in range(depth):
                    w[i] = weights[i, t]
                fill(w, values, 0)
                for k in range(numbers):
                    x = values[k]
                    mine[k, SQUARES] = joint_squares(count, mine[k, SUM], mine[k, SQUARES], 1, x, 0.0)
                    mine[k, SUM] += x
                    mine[k, LEAST] = x if x < mine[k, LEAST] else mine[k, LEAST]
                    mine[k, GREATEST] = x if x > mine[k, GREATEST] else mine[k, GREATEST]
                count += 1
        for k in range(numbers):
            cuda.syncthreads()
            counts[me] = count
            for j in range(4):
                shared[j, me] = mine[k, j]
            half = threads // 2
            while half > 0:
                cuda.syncthreads()
                if me < half:
                    you = me + half
                    a, b = counts[me], counts[you]
                    shared[SQUARES, me] = joint_squares(
                        a, shared[SUM, me], shared[SQUARES, me], b, shared[SUM, you], shared[SQUARES, you]
                    )
                    counts[me] = a + b
                    shared[SUM, me] += shared[SUM, you]
                    shared[LEAST, me] = min(shared[LEAST, me], shared[LEAST, you])
                    shared[GREATEST, me] = max(shared[GREATEST, me], shared[GREATEST, you])
                half //= 2
            if me == 0:  # where nobody is left the sums are 0, and so is the mean: what is merged is a number
                row = moments[k, cuda.blockIdx.x]
                row[0], row[1], row[2] = counts[0], shared[SUM, 0] / max(counts[0], 1), shared[SQUARES, 0]
                row[3], row[4] = shared[LEAST, 0], shared[GREATEST, 0]

    return reduce

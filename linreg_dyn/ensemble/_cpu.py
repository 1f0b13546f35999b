"""The numba driver: blocks of trajectories in lanes, many steps over each block, no mathematics of its own.

The weights of a block are an array [layer, lane] that stays in the innermost cache while many steps pass over
it; the loops over lanes are what LLVM vectorises. Depth, lanes, method and schedule are compile-time
constants of a kernel. Kernels release the GIL and touch only their own blocks, so that the caller may run
them in threads.
"""

from __future__ import annotations

import inspect
import zlib
from functools import cache

import numpy as np
from numba import njit
from numba.extending import register_jitable

from linreg_dyn import noise, observables, rules, schedules
from linreg_dyn.ensemble import _lanes, methods
from linreg_dyn.ensemble._lanes import OVERFLOW, amplitudes, hold, left_products, moments, note
from linreg_dyn.problem import Array
from linreg_dyn.schedules import rates

PLAIN = (rules, observables, rates, noise, _lanes)
for _module in PLAIN:
    for _function in vars(_module).values():
        if inspect.isfunction(_function) and _function.__module__ == _module.__name__:
            register_jitable(_function)

# numba's cache on disk watches only the file a kernel is written in. The kernels below name this fingerprint
# of the functions they are compiled from, so that a changed rule is never run from an old cache.
SOURCES = zlib.crc32("".join(inspect.getsource(module) for module in PLAIN).encode())


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


RESIDUALS = {
    methods.GradientDescent: _gradient_descent,
    methods.NoiseAugmentation: _noise_augmentation,
    methods.SGDNoise: _sgd_noise,
    methods.MiniBatch: _mini_batch,
}
RATES = {schedules.Constant: schedules.constant_rate, schedules.Adaptive: schedules.adaptive_rate}
DISTRIBUTIONS = {"uniform": noise.uniform, "rademacher": noise.rademacher}


def lanes_for(depth: int, trajectories: int) -> int:
    """Lanes of a block: 64, or fewer to keep three weight arrays in 32 KiB of cache, or to waste none."""
    lanes = 64
    while lanes > 8 and (3 * 8 * depth * lanes > 32768 or lanes >= 2 * trajectories):
        lanes //= 2
    return lanes


def advance_kernel(depth: int, lanes: int, method: methods.Method, schedule: schedules.Schedule):
    """The compiled `advance` of `_advance` for this depth, method and schedule, made once for each kind."""
    distribution = DISTRIBUTIONS[getattr(method, "distribution", "uniform")]
    return _advance(depth, lanes, RESIDUALS[type(method)], RATES[type(schedule)], _draw(method), distribution)


def _draw(method: methods.Method) -> str:
    if isinstance(method, methods.MiniBatch):
        return "batch"
    return "amplitude" if hasattr(method, "half_width") else "nothing"


@cache
def _advance(depth, lanes, residual, rate, draw, distribution):
    draws_amplitude = draw == "amplitude"
    draws_batch = draw == "batch"
    sources = SOURCES

    @njit(nogil=True, cache=True, error_model="numpy")
    def advance(state, diverged, first, last, start, stop, lr, decay, k0, k1, half_width, squares, products, batch):
        """Take the steps `start`, ..., `stop - 1` with the blocks `first`, ..., `last - 1` of `state`."""
        _ = sources
        # Separate allocations: LLVM knows that they do not overlap, and vectorises without asking.
        first_weights, second_weights = np.empty((depth, lanes)), np.empty((depth, lanes))
        prefix, others = np.empty((depth, lanes)), np.empty((depth, lanes))
        W, suffix, q = np.empty(lanes), np.empty(lanes), np.empty(lanes)
        g, rates = np.empty(lanes), np.empty(lanes)
        drawn = np.zeros((2, lanes))
        words = np.empty((4, lanes), dtype=np.int64)
        order, swaps = np.arange(len(squares)), np.empty(batch, dtype=np.int64)
        for block in range(first, last):
            w, new = first_weights, second_weights
            w[:] = state[block]
            left_products(w, prefix, W)
            lost = note(W, diverged[block], start)
            for step in range(start, stop):
                if lost == lanes:
                    break
                if draws_amplitude:
                    amplitudes(drawn, words, block * lanes, step, step == start, k0, k1, half_width, distribution)
                if draws_batch:
                    moments(drawn, order, swaps, squares, products, block * lanes, step, k0, k1)
                # W/w_i in the order of rules.others; as a function of its own this loses the vectorisation.
                for lane in range(lanes):
                    suffix[lane] = 1.0
                    q[lane] = 0.0
                for i in range(depth - 1, -1, -1):
                    for lane in range(lanes):
                        product = prefix[i, lane] * suffix[lane]
                        others[i, lane] = product
                        suffix[lane] *= w[i, lane]
                        q[lane] += product * product
                for lane in range(lanes):
                    g[lane] = residual(W[lane], drawn[0, lane], drawn[1, lane])
                    rates[lane] = rate(lr, W[lane], q[lane])
                for i in range(depth):
                    for lane in range(lanes):
                        new[i, lane] = rules.layer_step(w[i, lane], others[i, lane], g[lane], rates[lane], decay)
                left_products(new, prefix, W)
                bad = 0
                for lane in range(lanes):
                    bad += not abs(W[lane]) <= OVERFLOW
                if lost + bad > 0:
                    lost = note(W, diverged[block], step + 1)
                    hold(w, new, diverged[block])
                    left_products(new, prefix, W)
                w, new = new, w
            state[block] = w

    return advance


@cache
def observe_kernel(observable):
    """The compiled `observe(state, first, last, out)`: a plain function of the weights, lane by lane."""
    sources = SOURCES

    @njit(nogil=True, cache=True, error_model="numpy")
    def observe(state, first, last, out):
        _ = sources
        weights = np.empty(state.shape[1])
        for block in range(first, last):
            for lane in range(state.shape[2]):
                weights[:] = state[block, :, lane]
                out[block, lane] = observable(weights)

    return observe


def pack(starts: Array, lanes: int) -> Array:
    """(trajectory, layer) to [block, layer, lane]; the lanes left over rest at the minimum of weights 1."""
    trajectories, depth = starts.shape
    blocks = -(-trajectories // lanes)
    padded = np.ones((blocks * lanes, depth))
    padded[:trajectories] = starts
    return np.ascontiguousarray(padded.reshape(blocks, lanes, depth).swapaxes(1, 2))


def unpack(state: Array, trajectories: int) -> Array:
    """[block, layer, lane] back to (trajectory, layer)."""
    return np.ascontiguousarray(state.swapaxes(1, 2).reshape(-1, state.shape[1])[:trajectories])

"""The numba driver: blocks of trajectories in lanes, many steps over each block, no mathematics of its own.

The weights of a block are an array [depth, lane] that stays in the innermost cache while many steps pass over it;
the loops over lanes are what LLVM vectorises. Depth, lanes, method and schedule are compile-time constants of a
kernel. Kernels release the GIL and touch only their own blocks, so that the caller may run them in threads.
"""

from __future__ import annotations

import zlib
from functools import cache
from pathlib import Path

import numpy as np
from numba import njit
from numba.extending import register_jitable

from linreg_dyn import noise, observables, rules, schedules
from linreg_dyn.ensemble import methods
from linreg_dyn.problem import Array

NEVER = -1
OVERFLOW = 2.0**500
"""A trajectory with a larger |W| has diverged: the loss `(W - 1)^2` and its square sums are leaving float64."""

for _module in (rules, observables, schedules, noise):
    for _function in vars(_module).values():
        if getattr(_function, "__module__", None) == _module.__name__ and not isinstance(_function, type):
            register_jitable(_function)

# numba's cache on disk watches only the file a kernel is written in; the kernels below also name this fingerprint
# of the functions they are compiled from, so that a changed rule is never run from an old cache.
SOURCES = zlib.crc32(
    b"".join(Path(module.__file__).read_bytes() for module in (rules, observables, schedules, noise))
)  # type: ignore[arg-type]


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
    """The compiled `advance(state, diverged, first, last, start, stop, ...)` of `_advance`, made once per kind."""
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
    def advance(
        state, diverged, first, last, start, stop, lr, decay, k0, k1, half_width, squares, products, batch
    ):
        """Take the steps `start .. stop-1` with the blocks `first .. last-1` of `state` [block, layer, lane]."""
        _ = sources
        buffers = np.empty((2, depth, lanes))
        others = np.empty((depth, lanes))
        prefix = np.empty((depth, lanes))
        W, suffix, q, g, rates = (
            np.empty(lanes),
            np.empty(lanes),
            np.empty(lanes),
            np.empty(lanes),
            np.empty(lanes),
        )
        u, v = np.zeros(lanes), np.zeros(lanes)
        order = np.arange(len(squares))
        swaps = np.empty(batch, dtype=np.int64)
        for block in range(first, last):
            w, new = buffers[0], buffers[1]
            lost = 0
            w[:] = state[block]
            left_products(w, prefix, W)
            for lane in range(lanes):
                if diverged[block, lane] != NEVER or not abs(W[lane]) <= OVERFLOW:
                    lost += 1
                    if diverged[block, lane] == NEVER:
                        diverged[block, lane] = start
            for step in range(start, stop):
                if lost == lanes:
                    break
                if draws_amplitude:
                    if step & 1 == 0 or step == start:
                        for lane in range(lanes):
                            words = noise.amplitude_words(block * lanes + lane, step, k0, k1)
                            even = half_width * distribution(words[0], words[1])
                            odd = half_width * distribution(words[2], words[3])
                            u[lane] = odd if step & 1 else even
                            v[lane] = odd
                    else:
                        u[:] = v
                if draws_batch:
                    for lane in range(lanes):
                        noise.sample(order, swaps, block * lanes + lane, step, k0, k1)
                        m2 = 0.0
                        m1 = 0.0
                        for k in range(batch):
                            m2 += squares[order[k]]
                            m1 += products[order[k]]
                        noise.restore(order, swaps)
                        u[lane] = m2 / batch
                        v[lane] = m1 / batch
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
                    g[lane] = residual(W[lane], u[lane], v[lane])
                    rates[lane] = rate(lr, W[lane], q[lane])
                for i in range(depth):
                    for lane in range(lanes):
                        new[i, lane] = rules.layer_step(
                            w[i, lane], others[i, lane], g[lane], rates[lane], decay
                        )
                left_products(new, prefix, W)
                bad = 0
                for lane in range(lanes):
                    bad += not abs(W[lane]) <= OVERFLOW
                if bad + lost > 0:
                    lost = hold(w, new, W, diverged[block], step)
                    left_products(new, prefix, W)
                w, new = new, w
            state[block] = w

    return advance


@register_jitable
def left_products(w, prefix, W):
    """`prefix[i] = w_0 ... w_(i-1)` and `W`, lane by lane, in the order of `rules.others` and `rules.end_to_end`."""
    for lane in range(w.shape[1]):
        W[lane] = 1.0
    for i in range(w.shape[0]):
        for lane in range(w.shape[1]):
            prefix[i, lane] = W[lane]
            W[lane] *= w[i, lane]


@register_jitable
def hold(w, new, W, diverged, step):
    """Keep diverged lanes at their last finite weights, note the step of those that diverge now; count them all."""
    lost = 0
    for lane in range(len(W)):
        if diverged[lane] == NEVER and not abs(W[lane]) <= OVERFLOW:
            diverged[lane] = step + 1
        if diverged[lane] != NEVER:
            lost += 1
            new[:, lane] = w[:, lane]
    return lost


@cache
def observe_kernel(observable):
    """The compiled `observe(state, first, last, out)` that writes a plain function of the weights to `out`."""
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

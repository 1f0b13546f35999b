"""One step of a block of trajectories: what it draws, its rate and decay, and how every layer moves.

There is no mathematics here: residuals, moves and draws are the plain functions of `rules` and `noise`, put together
for a shape, a method and a schedule, all of which are compile-time constants.
"""

from __future__ import annotations

import inspect
import sys
import zlib
from collections.abc import Callable
from typing import Any

from numba.extending import register_jitable

from linreg_dyn import noise, rules
from linreg_dyn.ensemble import _blocks, methods
from linreg_dyn.ensemble._blocks import Shape
from linreg_dyn.ensemble._vector import cast, view
from linreg_dyn.schedules import rates

SOURCES = zlib.crc32(inspect.getsource(sys.modules[__name__]).encode(), _blocks.SOURCES)
"""What kernels that hold such steps are kept on disk under, beside their own names."""


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


def drawer(distribution: Callable[..., Any]):
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


def stepper(depth: int, adaptive: bool, decaying: bool, inertia: str):
    """How one step is taken: `gather(w, shares, lr)` gives W, the rate and its q; `move(...)` moves every layer.

    `shares` hold what `rules.fill_prefixes` writes, and after it `rules.fill_outsides` for the adaptive rate.
    """
    nesterov = inertia == "nesterov"

    @register_jitable
    def gather(w, shares, lr):
        return rules.fill_prefixes(w, shares), lr, lr

    @register_jitable
    def gather_adaptive(w, shares, lr):
        W = rules.fill_prefixes(w, shares)
        q = rules.fill_outsides(w, shares)
        return W, rates.quick_rate(lr, W, q), q

    @register_jitable
    def kept(W, lr, decay):
        return rules.contraction(cast(W, lr), cast(W, decay)) if decaying else 1

    @register_jitable
    def move(w, v, shares, W, g, lr, decay, momentum):
        rules.move_all(w, shares, rules.pull(g, lr), kept(W, lr, decay))

    @register_jitable
    def move_adaptive(w, v, shares, W, g, lr, decay, momentum):
        rules.move_pairs(w, shares, rules.pull(g, lr), kept(W, lr, decay))

    @register_jitable
    def roll(w, v, shares, W, g, lr, decay, momentum):
        if adaptive:
            rules.fill_prefixes(w, shares)
        rules.fill_shares(w, rules.push(g), shares)
        for i in range(depth):
            force = rules.force(w[i], shares[i], decay) if decaying else shares[i]
            speed = rules.accumulate(v[i], force, momentum)
            v[i] = speed
            w[i] = rules.drift(w[i], rules.look_ahead(speed, force, momentum) if nesterov else speed, lr)

    if inertia != "none":
        return (gather_adaptive if adaptive else gather), roll
    return (gather_adaptive, move_adaptive) if adaptive else (gather, move)


def scheduled(shape: Shape, own: bool):
    """`value(like, rows, k, x)`: a step's value `x` for the trajectories of section k, times their own if they have."""
    row_of = view(shape.width, shape.parts // shape.sections, 1)
    value = (lambda like, rows, k, x: cast(like, row_of(rows, k)[0]) * x) if own else (lambda like, rows, k, x: x)
    return register_jitable(value)


@register_jitable(forceinline=True)
def draw_batches(first, t, k0, k1, batches, order, swaps, m2, m1):
    """Moments of the mini-batches of step `t` of the trajectories from `first` on."""
    squares, products, size = batches
    for lane in range(len(m2)):
        noise.sample(order, swaps, first + lane, t, k0, k1)
        m2[lane], m1[lane] = noise.moments(order, size, squares, products)
        noise.restore(order, swaps)

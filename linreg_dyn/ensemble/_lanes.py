"""Pieces of a step that work on a block of lanes: arrays [layer, lane] and [lane]. Plain loops, jitable.

The loops over lanes are innermost, without branches where every step passes, so that LLVM vectorises them.
"""

from linreg_dyn import noise

NEVER = -1
OVERFLOW = 2.0**200
"""A trajectory with a larger |W|, or a W that is no number, has diverged.

Up to here the losses, their squares and sums of those over any ensemble fit in float64, and so do reductions.
"""


def left_products(w, prefix, W):
    """`prefix[i] = w_0 ... w_(i-1)` and `W`, in the order of `rules.others` and `rules.end_to_end`."""
    for lane in range(len(W)):
        W[lane] = 1.0
    for i in range(w.shape[0]):
        for lane in range(w.shape[1]):
            prefix[i, lane] = W[lane]
            W[lane] *= w[i, lane]


def note(W, diverged, step):
    """Write `step` to the lanes that diverge now; how many have diverged by now."""
    lost = 0
    for lane in range(len(W)):
        if diverged[lane] == NEVER and not abs(W[lane]) <= OVERFLOW:
            diverged[lane] = step
        lost += diverged[lane] != NEVER
    return lost


def hold(w, new, diverged):
    """Keep diverged lanes where they were before the step."""
    for lane in range(len(diverged)):
        if diverged[lane] != NEVER:
            new[:, lane] = w[:, lane]


def amplitudes(drawn, words, trajectory, step, fresh, k0, k1, half_width, distribution):
    """`drawn[0]`: the noise of this step for the trajectories from `trajectory` on; `drawn[1]`: of the odd
    one.

    A block of words serves an even step and the odd one after it, so it is computed only when the step is
    even or nothing was drawn before (`fresh`).
    """
    if step & 1 == 0 or fresh:
        for lane in range(words.shape[1]):
            words[0, lane], words[1, lane], words[2, lane], words[3, lane] = noise.amplitude_counter(
                trajectory + lane, step
            )
        noise.philox_lanes(words, k0, k1)
        for lane in range(words.shape[1]):
            drawn[0, lane] = half_width * distribution(words[0, lane], words[1, lane])
            drawn[1, lane] = half_width * distribution(words[2, lane], words[3, lane])
    if step & 1:
        drawn[0] = drawn[1]


def moments(drawn, order, swaps, squares, products, trajectory, step, k0, k1):
    """`drawn[0]` and `drawn[1]`: the means `m2` of `x^2` and `m1` of `x y` over each lane's mini-batch.

    Summed in the order of the choice. `order` is the identity, restored after each choice.
    """
    size = len(swaps)
    for lane in range(drawn.shape[1]):
        noise.sample(order, swaps, trajectory + lane, step, k0, k1)
        m2 = 0.0
        m1 = 0.0
        for k in range(size):
            m2 += squares[order[k]]
            m1 += products[order[k]]
        noise.restore(order, swaps)
        drawn[0, lane] = m2 / size
        drawn[1, lane] = m1 / size

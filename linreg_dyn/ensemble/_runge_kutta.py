"""Runge-Kutta steps of the flow for a block of trajectories in lanes, each with its own step length; jitable.

Numbers of a block lie flat, layer by layer, `layer * lanes + lane`, so that sums over stages are loops over the
whole block, which LLVM vectorises. Every lane's arithmetic is its own: what a trajectory does depends neither on
its neighbours nor on how many lanes there are. Stages are kept as `h k_j`, the velocity times the lane's step.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba.extending import register_jitable

from linreg_dyn import rules
from linreg_dyn.ensemble import _dop853
from linreg_dyn.problem import Array

STAGES = _dop853.STAGES
GROUP = 4
"""Stages that are added in one pass over the block."""


def _packed(rows):
    """The rows as groups of `GROUP` terms, short ones filled with zeros: stages, coefficients, where rows begin."""
    stages, coefficients, begin = [], [], [0]
    for row in rows:
        terms = [*row.items()]
        terms += [(0, 0.0)] * (-len(terms) % GROUP)
        for first in range(0, len(terms), GROUP):
            stages.append([stage for stage, _ in terms[first : first + GROUP]])
            coefficients.append([value for _, value in terms[first : first + GROUP]])
        begin.append(len(stages))
    return np.array(stages), np.array(coefficients), np.array(begin)


STAGE, COEFFICIENT, BEGIN = _packed([*_dop853.A, _dop853.ERROR_5, _dop853.ERROR_3, *_dop853.DENSE])
ERROR_5, ERROR_3, DENSE = 16, 17, 18
"""Numbers of those rows of the tableau; the rows of the stages are 0 to 15."""

# Rows of a block: the stages 0 to 15, the seven coefficients of the interpolant, and
POLYNOMIAL, START, END, TRIAL, OTHERS, ROWS = 16, 23, 24, 25, 26, 27


class Block(NamedTuple):
    """The arrays of one block."""

    rows: Array
    """[row, layer, lane]: among them the weights at the START and the END of a step."""
    flat: Array
    """The same memory as [row, layer * lanes + lane]."""
    step: Array
    """The length `h` of each lane's step, [lane]."""
    error: Array
    """Of the attempted step in units of what is allowed, [lane]; not finite where the step left float64."""
    W: Array
    suffix: Array


def new_block(depth: int, lanes: int) -> Block:
    """A block at rest: all weights 1, steps of length 0."""
    rows = np.ones((ROWS, depth, lanes))
    return Block(rows, rows.reshape(ROWS, depth * lanes), *np.zeros((4, lanes)))


@register_jitable
def _clear(a, b, value):
    """Set two numbers of every lane."""
    for lane in range(len(a)):
        a[lane] = value
        b[lane] = value


@register_jitable
def _sum(row, flat, base, out):
    """Row `out` of the block: row `base` (no row: 0) plus a row of the tableau times the stages."""
    for x in range(flat.shape[1]):
        flat[out, x] = flat[base, x] if base >= 0 else 0.0
    for group in range(BEGIN[row], BEGIN[row + 1]):
        a, b, c, d = COEFFICIENT[group, 0], COEFFICIENT[group, 1], COEFFICIENT[group, 2], COEFFICIENT[group, 3]
        p, q, r, s = STAGE[group, 0], STAGE[group, 1], STAGE[group, 2], STAGE[group, 3]
        for x in range(flat.shape[1]):
            flat[out, x] += a * flat[p, x] + b * flat[q, x] + c * flat[r, x] + d * flat[s, x]


@register_jitable
def _velocity(block, at, decay, out):
    """Row `out`: `h` times the right-hand side of the flow at the weights in the row `at`."""
    rows, step, W, suffix = block.rows, block.step, block.W, block.suffix
    _, depth, lanes = rows.shape
    _clear(W, suffix, 1.0)
    for i in range(depth):
        for lane in range(lanes):
            prefix = W[lane]
            rows[OTHERS, i, lane] = prefix
            W[lane] = prefix * rows[at, i, lane]
    for lane in range(lanes):
        W[lane] = rules.gradient_descent(W[lane])
    for i in range(depth - 1, -1, -1):
        for lane in range(lanes):
            w, behind = rows[at, i, lane], suffix[lane]
            velocity = rules.velocity(w, rows[OTHERS, i, lane] * behind, W[lane], decay)
            suffix[lane] = behind * w
            rows[out, i, lane] = step[lane] * velocity


@register_jitable
def _stage(number, block, decay):
    _sum(number, block.flat, START, TRIAL)
    _velocity(block, TRIAL, decay, number)


@register_jitable
def first_step(start, decay, rtol, atol, alone):
    """A length to begin with: a hundredth of the time in which the weights would change by their own size.

    `alone`: a block of one lane to work in.
    """
    alone.step[0] = 1.0
    for i in range(len(start)):
        alone.rows[START, i, 0] = start[i]
    _velocity(alone, START, decay, 0)
    size, speed = atol, atol
    for i in range(len(start)):
        size, speed = max(size, abs(start[i])), max(speed, abs(alone.rows[0, i, 0]))
    return 0.01 * size / speed


@register_jitable
def attempt(block, decay, rtol, atol):
    """One step of every lane, from START to END, of order 8, and its `error`.

    The error is the root mean square over the layers, in units of `atol + rtol |w_i|`, of the difference from the
    embedded solution of order 5, damped where that from order 3 is the larger one (section II.10 of the book).
    """
    for number in range(STAGES):
        _stage(number, block, decay)
    _sum(STAGES, block.flat, START, END)
    _sum(ERROR_5, block.flat, -1, TRIAL)
    _sum(ERROR_3, block.flat, -1, OTHERS)
    rows, error, damping = block.rows, block.error, block.suffix
    _, depth, lanes = rows.shape
    _clear(error, damping, 0.0)
    for i in range(depth):
        for lane in range(lanes):
            unit = 1.0 / (atol + rtol * max(abs(rows[START, i, lane]), abs(rows[END, i, lane])))
            five, three = rows[TRIAL, i, lane] * unit, rows[OTHERS, i, lane] * unit
            error[lane] += five * five
            damping[lane] += three * three
    for lane in range(lanes):
        square = error[lane]
        error[lane] = square / np.sqrt((square + 0.01 * damping[lane]) * depth) if square > 0.0 else square


@register_jitable
def interpolate(block, decay):
    """Prepare `between`: the polynomial of order 7 from START to END of the step just attempted."""
    flat = block.flat
    _velocity(block, END, decay, STAGES)
    for number in range(STAGES + 1, STAGES + 4):
        _stage(number, block, decay)
    for x in range(flat.shape[1]):
        change = flat[END, x] - flat[START, x]
        flat[POLYNOMIAL, x] = change
        flat[POLYNOMIAL + 1, x] = flat[0, x] - change
        flat[POLYNOMIAL + 2, x] = 2.0 * change - (flat[0, x] + flat[STAGES, x])
    for row in range(4):
        _sum(DENSE + row, flat, -1, POLYNOMIAL + 3 + row)


@register_jitable
def between(flat, part, x):
    """The number `x` of the block at the `part`, 0 to 1, of its lane's step, from the interpolant."""
    P, rest = POLYNOMIAL, 1.0 - part
    inner = flat[P + 3, x] + part * (flat[P + 4, x] + rest * (flat[P + 5, x] + part * flat[P + 6, x]))
    return flat[START, x] + part * (flat[P, x] + rest * (flat[P + 1, x] + part * (flat[P + 2, x] + rest * inner)))

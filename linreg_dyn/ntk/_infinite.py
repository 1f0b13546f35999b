"""The layers of a wide network over tiles of the matrix of inner products, compiled."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba.extending import register_jitable

from linreg_dyn._compiled import kernel
from linreg_dyn.ntk import _duals
from linreg_dyn.ntk._duals import dense, error_function, rectified
from linreg_dyn.problem import Array

TILE = 128
NEAR = 2.0**-10
"""Below it, `1 - |c|` is computed from the difference of both samples: from their product it would lose digits."""


class Side(NamedTuple):
    """One of both sets of samples: inputs, 1 / |x|, and standard deviations in every layer, [layer, sample].

    `before` and `after` are those of a pre-activation without and with its bias, `output` that of an activation.
    """

    x: np.ndarray
    inverse: Array
    before: Array
    after: Array
    output: Array


class Layers(NamedTuple):
    """Squares of weight_std and bias_std, [layer], and the activation between the layers."""

    weight: Array
    bias: Array
    is_erf: bool
    gain: float
    bend: float
    straight: float


@register_jitable
def _squared_distance(x1, scale1, x2, scale2):
    """`|scale1 x1 - scale2 x2|^2`, by four sums that do not wait for each other."""
    a = b = c = d = 0.0
    end = x1.size - x1.size % 4
    for k in range(0, end, 4):
        a += (scale1 * x1[k] - scale2 * x2[k]) ** 2
        b += (scale1 * x1[k + 1] - scale2 * x2[k + 1]) ** 2
        c += (scale1 * x1[k + 2] - scale2 * x2[k + 2]) ** 2
        d += (scale1 * x1[k + 3] - scale2 * x2[k + 3]) ** 2
    for k in range(end, x1.size):
        a += (scale1 * x1[k] - scale2 * x2[k]) ** 2
    return (a + b) + (c + d)


@register_jitable
def _start(minus, plus, products, x1, inverse1, x2, inverse2):
    """Pairs of one sample x1 with several: `minus`, `plus` from inner products, or differences where those are near."""
    nearest = 1.0
    for j in range(minus.size):
        c = products[j] * inverse1 * inverse2[j]
        minus[j], plus[j] = 1.0 - c, 1.0 + c
        nearest = min(nearest, 1.0 - abs(c))
    if nearest >= NEAR:
        return
    for j in range(minus.size):
        if minus[j] < NEAR:
            minus[j] = 0.5 * _squared_distance(x1, inverse1, x2[j], inverse2[j])
            plus[j] = 2.0 - minus[j]
        elif plus[j] < NEAR:
            plus[j] = 0.5 * _squared_distance(x1, inverse1, x2[j], -inverse2[j])
            minus[j] = 2.0 - plus[j]


@register_jitable
def _biased(minus, plus, before1, after1, before2, after2, variance):
    for j in range(minus.size):
        minus[j], plus[j] = dense(minus[j], plus[j], before1, before2[j], after1, after2[j], variance)


@register_jitable
def _rectify(minus, plus, tangent, gain, bend, straight):
    for j in range(minus.size):
        minus[j], plus[j], slopes = rectified(minus[j], plus[j], bend, straight)
        tangent[j] *= gain * slopes


@register_jitable
def _erf(minus, plus, tangent, after1, output1, after2, output2):
    for j in range(minus.size):
        minus[j], plus[j], slopes = error_function(minus[j], plus[j], after1, after2[j], output1, output2[j])
        tangent[j] *= slopes


@register_jitable
def _propagate(minus, plus, tangent, i, side1, side2, first, layers):
    """All layers of one row; `tangent` starts at anything and ends as the NTK."""
    last = first + minus.size
    hidden = layers.weight.size - 1
    tangent[:] = 0.0
    for k in range(hidden + 1):
        before2, after2 = side2.before[k, first:last], side2.after[k, first:last]
        after1 = side1.after[k, i]
        if layers.bias[k] > 0.0:
            _biased(minus, plus, side1.before[k, i], after1, before2, after2, layers.bias[k])
        for j in range(minus.size):
            tangent[j] = after1 * after2[j] * (0.5 * (plus[j] - minus[j])) + layers.weight[k] * tangent[j]
        if k == hidden:
            return
        if layers.is_erf:
            _erf(minus, plus, tangent, after1, side1.output[k, i], after2, side2.output[k, first:last])
        elif layers.bend != 0.0:
            _rectify(minus, plus, tangent, layers.gain, layers.bend, layers.straight)
        else:
            for j in range(minus.size):
                tangent[j] *= layers.gain


@register_jitable
def _mirror(matrix, row, column):
    """Write the tile at (row, column), on or above the diagonal, below it too; a few rows at a time stay in cache."""
    end = min(row + TILE, matrix.shape[0])
    for first in range(row, end, 16):
        for j in range(column, min(column + TILE, matrix.shape[1])):
            for i in range(first, min(first + 16, end, j)):
                matrix[j, i] = matrix[i, j]


@kernel(_duals.SOURCES)
def fill_tiles(products, nngp, ntk, side1, side2, layers, tiles, symmetric):
    """Turn tiles of inner products into kernels; `tiles` are their first rows and columns, [tile, 2].

    `products` may be the memory of `nngp` or `ntk`, either of which is left out if it is empty. If `symmetric`, tiles
    on or above the diagonal are given, and mirrored.
    """
    state = np.empty((3, TILE))
    depth = layers.weight.size - 1
    for t in range(len(tiles)):
        row, column = tiles[t]
        end = min(column + TILE, products.shape[1])
        for i in range(row, min(row + TILE, products.shape[0])):
            first = max(column, i) if symmetric else column
            minus, plus, tangent = state[0, : end - first], state[1, : end - first], state[2, : end - first]
            pieces = products[i, first:end]
            _start(minus, plus, pieces, side1.x[i], side1.inverse[i], side2.x[first:end], side2.inverse[first:end])
            _propagate(minus, plus, tangent, i, side1, side2, first, layers)
            if nngp.size:
                after2 = side2.after[depth, first:end]
                for j in range(end - first):
                    nngp[i, first + j] = side1.after[depth, i] * after2[j] * (0.5 * (plus[j] - minus[j]))
            if ntk.size:
                for j in range(end - first):
                    ntk[i, first + j] = tangent[j]
        if symmetric and nngp.size:
            _mirror(nngp, row, column)
        if symmetric and ntk.size:
            _mirror(ntk, row, column)

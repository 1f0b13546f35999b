"""The layers of a wide convolutional network over pairs of images, compiled.

Of a pair, K and Theta are [pixel of the first, pixel of the second]: a convolution mixes pairs of pixels that are
shifted alike. Where all that follows asks for pairs of the same pixel alone, they are kept [1, pixel].
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numba.extending import register_jitable

from linreg_dyn._compiled import kernel
from linreg_dyn.ntk import _duals
from linreg_dyn.ntk._duals import error_function, rectified
from linreg_dyn.problem import Array

CONV, POOL, GAP, FLATTEN, DENSE, RECTIFIED, ERF = range(7)
SAME = 2.0**-48
"""Correlations this near to 1 or -1 are: what is left of 1 - c is rounding, of which an angle would keep half."""


class Program(NamedTuple):
    """The layers, each with the height and width that it finds; `slot` is where an activation's deviations begin."""

    tied: bool  # pairs of the same pixel are enough
    pixels: int  # of an image
    slots: int
    code: np.ndarray
    height: np.ndarray
    width: np.ndarray
    slot: np.ndarray
    weight: Array  # squares of weight_std and bias_std
    bias: Array
    gain: Array
    bend: Array
    straight: Array

    @property
    def pairs(self) -> int:
        """Pairs of pixels of two images."""
        return self.pixels if self.tied else self.pixels**2


class Images(NamedTuple):
    """Images, [sample, channel, pixel], and their pixels' deviations before and after activations, [2, sample, slot].

    Arrays, or tensors of a device.
    """

    pixels: Any
    moments: Any


@kernel()
def _convolve(matrix, spare, height, width):
    """Sums over the 3 x 3 shifts, of both pixels alike; [pixel, pixel], or [1, pixel] where both are the same."""
    rows, count = matrix.shape
    tied = rows < count
    for p in range(rows):
        target = spare[p]
        target[:] = 0.0
        for d in range(-1, 2):
            if tied or 0 <= p % width + d < width:
                source = matrix[p if tied else p + d]
                for y in range(height):
                    for q in range(y * width + max(0, -d), (y + 1) * width - max(0, d)):
                        target[q] += source[q + d]
    for p in range(rows):
        target = matrix[p]
        target[:] = 0.0
        for d in range(-1, 2):
            if tied or 0 <= p + d * width < rows:
                source = spare[p if tied else p + d * width]
                for q in range(max(0, -d) * width, (height - max(0, d)) * width):
                    target[q] += source[q + d * width]


@kernel()
def _pool(matrix, target, width):
    """Means over 2 x 2 pixels of both; an odd last row or column is left out."""
    half = width // 2
    for p in range(len(target)):
        corner = p // half * 2 * width + p % half * 2
        for q in range(len(target)):
            other = q // half * 2 * width + q % half * 2
            total = 0.0
            for i in (corner, corner + 1, corner + width, corner + width + 1):
                for j in (other, other + 1, other + width, other + width + 1):
                    total += matrix[i, j]
            target[p, q] = total / 16


@kernel()
def _mean(matrix, of_all):
    """The mean over all pairs of pixels, or over those of a pixel with itself."""
    rows, count = matrix.shape
    total = 0.0
    for p in range(rows):
        if of_all or rows < count:
            for q in range(count):
                total += matrix[p, q]
        else:
            total += matrix[p, p]
    return total / (rows * count if of_all else count)


@kernel()
def _weigh(nngp, ntk, weight, bias):
    """Weights and biases, and the gradient along them."""
    for k in range(nngp.size):
        nngp[k] = weight * nngp[k] + bias
        ntk[k] = weight * ntk[k] + nngp[k]


@kernel()
def _moments(matrix, is_erf, deviation, output):
    """Standard deviations of a sample's pixels before and after an activation, from its own pairs."""
    rows, count = matrix.shape
    for p in range(count):
        variance = max(matrix[p if rows == count else 0, p], 0.0)  # pixels that cancel in a pool may leave less
        deviation[p] = math.sqrt(variance)
        if is_erf:
            output[p] = math.sqrt(2 / math.pi * math.atan2(2 * variance, math.sqrt(1 + 4 * variance)))


@register_jitable
def _correlate(row, first, second, minus, plus):
    """`minus`, `plus` of `_duals` from covariances and the deviations of both sides."""
    for j in range(row.size):
        scale = first[j] * second[j]
        c = row[j] / (scale if scale > 0.0 else 1.0)
        less, more = 1.0 - c, 1.0 + c
        minus[j] = 0.0 if less < SAME else 2.0 if more < SAME else less
        plus[j] = 0.0 if more < SAME else 2.0 if less < SAME else more


@kernel(_duals.SOURCES)
def _rectify(row, tangent, first, second, minus, plus, gain, bend, straight):
    _correlate(row, first, second, minus, plus)
    for j in range(row.size):
        less, more, slopes = rectified(minus[j], plus[j], bend, straight)
        row[j] = gain * first[j] * second[j] * (0.5 * (more - less))
        tangent[j] *= gain * slopes


@kernel(_duals.SOURCES)
def _erf(row, tangent, first, second, output1, output2, minus, plus):
    _correlate(row, first, second, minus, plus)
    for j in range(row.size):
        less, more, slopes = error_function(minus[j], plus[j], first[j], second[j], output1[j], output2[j])
        row[j] = output1[j] * output2[j] * (0.5 * (more - less))
        tangent[j] *= slopes


@kernel(_duals.SOURCES)
def _activate(k, nngp, ntk, program, moments1, moments2, same, scratch):
    """Activation number k; with `same`, both sides are one sample, whose moments are written first."""
    rows, count = nngp.shape
    first, output1, minus, plus = scratch[:, :count]
    start = program.slot[k]
    second, output2 = moments2[:, start : start + count]
    if same:
        _moments(nngp, program.code[k] == ERF, second, output2)
    for p in range(rows):
        for q in range(count):
            at = start + (p if rows == count else q)
            first[q], output1[q] = moments1[0, at], moments1[1, at]
        if program.code[k] == ERF:
            _erf(nngp[p], ntk[p], first, second, output1, output2, minus, plus)
        else:
            gain, bend, straight = program.gain[k], program.bend[k], program.straight[k]
            _rectify(nngp[p], ntk[p], first, second, minus, plus, gain, bend, straight)


@kernel()
def _products(first, second, target):
    """Inner products over channels, divided by their number, of all pairs of pixels, or of the same."""
    channels, pixels = first.shape
    target[:] = 0.0
    for c in range(channels):
        for p in range(pixels):
            if len(target) == pixels:
                for q in range(pixels):
                    target[p, q] += first[c, p] * second[c, q] / channels
            else:
                target[0, p] += first[c, p] * second[c, p] / channels


@kernel(_duals.SOURCES)
def fill_pairs(side1, side2, pairs, program, same, nngp, ntk):
    """K and Theta of pairs of images, [pair, 2]; with `same` of one image with itself, whose moments are written."""
    tied = program.tied
    most = program.pixels if tied else program.pixels * program.pixels
    work, scratch = np.empty((3, most)), np.empty((4, program.pixels))
    for t in range(len(pairs)):
        i, j = pairs[t]
        work[1] = 0.0
        for k in range(program.code.size):
            code, height, width = program.code[k], program.height[k], program.width[k]
            count = height * width
            shape = (1 if tied else count, count)
            size = shape[0] * count
            covariance, tangent = work[0, :size].reshape(shape), work[1, :size].reshape(shape)
            spare = work[2, :size].reshape(shape)
            if k == 0:
                _products(side1.pixels[i], side2.pixels[j], covariance)
            if code == RECTIFIED or code == ERF:  # noqa: SIM109, a tuple is slower to compile
                moments1, moments2 = side1.moments[:, i], side2.moments[:, j]
                _activate(k, covariance, tangent, program, moments1, moments2, same, scratch)
            elif code == CONV:
                _convolve(covariance, spare, height, width)
                _convolve(tangent, spare, height, width)
                _weigh(work[0, :size], work[1, :size], program.weight[k] / 9.0, program.bias[k])
            elif code == DENSE:
                _weigh(work[0, :size], work[1, :size], program.weight[k], program.bias[k])
            elif code == POOL:
                after = (height // 2) * (width // 2)
                for which in range(2):
                    target = work[2, : after * after].reshape((after, after))
                    _pool(covariance if which == 0 else tangent, target, width)
                    work[which, : after * after] = work[2, : after * after]
            else:
                work[0, 0], work[1, 0] = _mean(covariance, code == GAP), _mean(tangent, code == GAP)
        nngp[t], ntk[t] = work[0, 0], work[1, 0]

"""The layers of a wide convolutional network on a torch device: the same formulas, on blocks of pairs of images.

A state is K and Theta of a block, [2, pair, pixel of the first, pixel of the second], or [2, pair, pixel] where pairs
of the same pixel are enough. Sums are taken in the order of the compiled code, but for means over pixels.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from linreg_dyn.ntk._convolutional import CONV, DENSE, ERF, GAP, POOL, RECTIFIED, SAME, Images, Program
from linreg_dyn.ntk._device import at_once, on_the_host
from linreg_dyn.ntk._duals import error_function, rectified
from linreg_dyn.problem import Array

if TYPE_CHECKING:
    import torch
    from torch import Tensor

_TEMPORARIES = 22  # halves of a state that the formulas hold at most


@dataclass(frozen=True)
class TorchRun:
    """Kernels of pairs of images on a device, which holds so many bytes of images and of what is known of each."""

    program: Program
    place: torch.device
    held: float

    @property
    def each(self) -> float:
        """Bytes that a pair takes there."""
        return 8.0 * _TEMPORARIES * self.program.pairs

    @property
    def work(self) -> float:
        """Bytes that it takes here beside images and results."""
        return on_the_host(self.place, self.each)

    @cached_property
    def batch(self) -> int:
        """Pairs of images at once."""
        return at_once(self.place, self.each, self.held)

    def alone(self, pixels: Array) -> tuple[Images, tuple[Array, Array]]:
        """What pairs will need of each image, [sample, channel, pixel], and its kernels with itself."""
        import torch

        there = torch.from_numpy(pixels).to(self.place)
        side = Images(there, there.new_empty(2, len(pixels), self.program.slots))
        own = np.arange(len(pixels))[:, None].repeat(2, axis=1)
        blocks = [self.together(side, side, own[k : k + self.batch], same=True) for k in range(0, len(own), self.batch)]
        nngp, ntk = np.concatenate(blocks, axis=1)
        return side, (nngp, ntk)

    def together(self, side1: Images, side2: Images, pairs: np.ndarray, same: bool = False) -> tuple[Array, Array]:
        """K and Theta of a block of pairs, [pair, 2]; with `same` of each image with itself, to write its moments."""
        import torch

        first, second = torch.from_numpy(np.ascontiguousarray(pairs.T)).to(self.place)
        state = _products(side1.pixels, side2.pixels, first, second, self.program.tied)
        for k, code in enumerate(self.program.code.tolist()):
            height, width = int(self.program.height[k]), int(self.program.width[k])
            weight, bias = float(self.program.weight[k]), float(self.program.bias[k])
            if code in (RECTIFIED, ERF):
                here = slice(int(self.program.slot[k]), int(self.program.slot[k]) + height * width)
                if same:
                    side1.moments[:, first, here] = _moments(state[0], self.program.tied, code == ERF)
                moments1, moments2 = side1.moments[:, first, here], side2.moments[:, second, here]
                state = _activated(state, self.program, k, moments1, moments2)
            elif code == CONV:
                state = _weighed(_convolved(state, height, width), weight / 9, bias)
            elif code == DENSE:
                state = _weighed(state, weight, bias)
            elif code == POOL:
                state = _pooled(state, height, width)
            else:
                state = _mean(state, self.program.tied, code == GAP)
        nngp, ntk = state.flatten(1).cpu().numpy()
        return nngp, ntk


def _products(x1: Tensor, x2: Tensor, first: Tensor, second: Tensor, tied: bool) -> Tensor:
    """The first state: inner products over channels, divided by their number, and zeros.

    Added up alike for all pairs, as a library's product would not: pixels that coincide do so in every block.
    """
    import torch

    total = x1.new_zeros(())
    for channel in range(x1.shape[1]):
        p, q = x1[first, channel], x2[second, channel]
        total = total + (p * q if tied else p[:, :, None] * q[:, None]) / x1.shape[1]
    return torch.stack((total, torch.zeros_like(total)))


def _convolved(state: Tensor, height: int, width: int) -> Tensor:
    """Sums over the 3 x 3 shifts of both pixels alike: along the rows, then along the columns."""
    matrix = state.reshape(2, -1, *(height, width) * (state.ndim - 2))
    for start in (3, 2):
        later, sooner = ([slice(None)] * matrix.ndim for _ in range(2))
        for axis in range(start, matrix.ndim, 2):
            later[axis], sooner[axis] = slice(1, None), slice(None, -1)
        total = matrix.clone()
        total[tuple(later)].add_(matrix[tuple(sooner)])
        total[tuple(sooner)].add_(matrix[tuple(later)])
        matrix = total
    return matrix.reshape(state.shape)


def _weighed(state: Tensor, weight: float, bias: float) -> Tensor:
    """Weights and biases, and the gradient along them; written over the state."""
    state.mul_(weight)
    state[0].add_(bias)
    state[1].add_(state[0])
    return state


def _pooled(state: Tensor, height: int, width: int) -> Tensor:
    """Means over 2 x 2 pixels of both; an odd last row or column is left out."""
    sides = state.ndim - 2
    matrix = state.reshape(2, -1, *(height, width) * sides)
    for axis in range(2, matrix.ndim):
        half = matrix.shape[axis] // 2
        matrix = matrix.narrow(axis, 0, 2 * half).unflatten(axis, (half, 2)).mean(axis + 1)
    return matrix.reshape(2, -1, *[height // 2 * (width // 2)] * sides)


def _mean(state: Tensor, tied: bool, of_all: bool) -> Tensor:
    """Means over all pairs of pixels, or over those of a pixel with itself."""
    if of_all:
        return state.mean((2, 3), keepdim=True)
    own = state if tied else state.diagonal(dim1=2, dim2=3)
    return own.mean(2).reshape(2, -1, *[1] * (state.ndim - 2))


def _moments(covariance: Tensor, tied: bool, is_erf: bool) -> Tensor:
    """Deviations of pixels before and after an activation, [2, pair, pixel], from pairs of an image with itself."""
    import torch

    variance = (covariance if tied else covariance.diagonal(dim1=1, dim2=2)).clamp(min=0)  # what cancels may leave less
    output = torch.atan2(2 * variance, (1 + 4 * variance).sqrt()) * (2 / math.pi) if is_erf else variance
    return torch.stack((variance, output)).sqrt()


def _correlated(covariance: Tensor, deviation1: Tensor, deviation2: Tensor) -> tuple[Tensor, Tensor]:
    """`minus`, `plus` of `_duals` from covariances and the deviations of both sides."""
    scale = deviation1 * deviation2
    correlation = covariance / scale.masked_fill(scale <= 0, 1.0)
    less, more = 1 - correlation, 1 + correlation
    same, opposite = less < SAME, more < SAME
    minus = less.masked_fill(opposite, 2.0).masked_fill(same, 0.0)
    plus = more.masked_fill(same, 2.0).masked_fill(opposite, 0.0)
    return minus, plus


def _activated(state: Tensor, program: Program, k: int, moments1: Tensor, moments2: Tensor) -> Tensor:
    """Activation number k; moments are [before and after, pair, pixel]."""
    import torch

    if not program.tied:
        moments1, moments2 = moments1[..., None], moments2[:, :, None]
    (before1, after1), (before2, after2) = moments1, moments2
    minus, plus = _correlated(state[0], before1, before2)
    if program.code[k] == ERF:
        minus, plus, slopes = error_function(minus, plus, before1, before2, after1, after2)
        scale = after1 * after2
    else:
        gain = float(program.gain[k])
        minus, plus, slopes = rectified(minus, plus, float(program.bend[k]), float(program.straight[k]))
        scale, slopes = gain * before1 * before2, gain * slopes
    return torch.stack((scale * (0.5 * (plus - minus)), slopes * state[1]))

"""The layers of a wide network on a torch device: the same formulas, on blocks of rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from linreg_dyn.ntk._device import at_once
from linreg_dyn.ntk._duals import dense, error_function, rectified
from linreg_dyn.ntk._infinite import NEAR, Layers, Side

if TYPE_CHECKING:
    import torch
    from torch import Tensor

_TEMPORARIES = 20  # float64 matrices of a block's size that the formulas hold at most


def bytes_each(columns: int) -> float:
    """What a row of a block takes."""
    return 8.0 * _TEMPORARIES * columns


def filler(place: torch.device) -> Callable[..., None]:
    """A function that writes kernels, as `fill_tiles` does all of them, computed on that device.

    It raises ValueError where the device has no room.
    """
    import torch

    def moved(side: Side) -> Any:
        tensors: Any = (torch.from_numpy(array).to(place) for array in side)
        return Side(*tensors)

    def fill(nngp: np.ndarray, ntk: np.ndarray, side1: Side, side2: Side, layers: Layers, symmetric: bool) -> None:
        held = sum(array.nbytes for side in ((side1,) if side2 is side1 else (side1, side2)) for array in side)
        block = at_once(place, bytes_each(len(side2.x)), held)
        there1 = moved(side1)
        there2 = there1 if side2 is side1 else moved(side2)
        for start in range(0, len(side1.x), block):
            rows = slice(start, start + block)
            first = start if symmetric else 0
            pairs = _block(_part(there1, rows), _part(there2, slice(first, None)), layers)
            for matrix, values in zip((nngp, ntk), pairs, strict=True):
                if matrix.size:
                    matrix[rows, first:] = values.cpu().numpy()
                    if symmetric:
                        _mirror(matrix, rows)

    return fill


def _part(side: Side, samples: slice) -> Any:
    """The side of some of its samples."""
    return Side(side.x[samples], side.inverse[samples], *(array[:, samples] for array in side[2:]))


def _mirror(matrix: np.ndarray, rows: slice) -> None:
    """Write what is above the diagonal in these rows below it."""
    square = matrix[rows, rows]
    square[:] = np.triu(square) + np.triu(square, 1).T
    matrix[rows.stop :, rows] = matrix[rows, rows.stop :].T


def _block(side1: Any, side2: Any, layers: Layers) -> tuple[Tensor, Tensor]:
    """K and Theta between some samples and others."""
    minus, plus = _start(side1, side2)
    hidden = len(layers.weight) - 1
    kernel = tangent = 0.0 * minus
    for k in range(hidden + 1):
        after1, after2 = side1.after[k][:, None], side2.after[k]
        if layers.bias[k] > 0:
            before1, before2 = side1.before[k][:, None], side2.before[k]
            minus, plus = dense(minus, plus, before1, before2, after1, after2, float(layers.bias[k]))
        kernel = after1 * after2 * (0.5 * (plus - minus))
        tangent = kernel + float(layers.weight[k]) * tangent
        if k < hidden and layers.is_erf:
            output1, output2 = side1.output[k][:, None], side2.output[k]
            minus, plus, slopes = error_function(minus, plus, after1, after2, output1, output2)
            tangent = tangent * slopes
        elif k < hidden:
            minus, plus, slopes = rectified(minus, plus, layers.bend, layers.straight)
            tangent = layers.gain * slopes * tangent
    return kernel, tangent


def _start(side1: Any, side2: Any) -> tuple[Tensor, Tensor]:
    cosine = (side1.x @ side2.x.T).double() * side1.inverse[:, None] * side2.inverse
    minus, plus = 1 - cosine, 1 + cosine
    for which, other, sign in ((minus, plus, 1.0), (plus, minus, -1.0)):
        near = (which < NEAR).nonzero()
        for some in near.split(max(which.numel() // side1.x.shape[1], 1)):
            i, j = some.T
            difference = side1.x[i] * side1.inverse[i, None] - sign * side2.x[j] * side2.inverse[j, None]
            which[i, j] = 0.5 * difference.double().square().sum(1)
            other[i, j] = 2 - which[i, j]
    return minus, plus

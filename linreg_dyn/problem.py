"""What is trained: starting weights and normalised data, checked at the door."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from linreg_dyn._checks import NOT_REAL

Array = NDArray[np.float64]
MOST_SAMPLES = 2**31 - 1
"""A mini-batch choice multiplies a 32-bit word by the number of samples in 64-bit integers."""


def as_reals(name: str, values: Any) -> Array:
    """`values` as a float64 array, NaN and infinity allowed: the very same array if it is one."""
    try:
        array = np.asarray(values)
        if values is None or array.dtype.kind in NOT_REAL:  # numpy takes None for NaN
            raise TypeError
        return np.asarray(array, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        raise TypeError(f"{name} must be an array of real numbers, got {values!r:.80}") from None


def as_floats(name: str, values: Any) -> Array:
    """`values` as a float64 array of finite numbers: the very same array if it is one."""
    array = as_reals(name, values)
    if not np.isfinite(array).all():
        raise ValueError(f"{name} must be finite, got {array[~np.isfinite(array)][0]}")
    return array


def layers_last(weights: Any) -> Any:
    """`weights` with the dimension "layer" last, if they are an xarray.DataArray that has it; others as they are."""
    return weights.transpose(..., "layer") if "layer" in _dims(weights) else weights


def as_starts(starts: ArrayLike) -> Array:
    """Starting weights as a (trajectory, layer) float64 array, not copied if they are; a (layer,) array is one.

    The dimensions of an xarray.DataArray that are so named may come in any order; it may then have no others.
    """
    dims = set(_dims(starts))
    if dims & {"trajectory", "layer"} and dims not in ({"layer"}, {"trajectory", "layer"}):
        raise ValueError(f"starts must have the dimensions (trajectory, layer) or (layer,), got {_dims(starts)}")
    array = as_floats("starts", layers_last(starts))
    if array.ndim == 1:
        array = array[np.newaxis]
    if array.ndim != 2 or 0 in array.shape:
        raise ValueError(
            f"starts must have a shape (trajectory, layer) or (layer,) without zeros, got {np.shape(starts)}"
        )
    return array


def _dims(values: Any) -> tuple:
    """The names of an xarray.DataArray's dimensions; none of anything else."""
    dims = getattr(values, "dims", ())
    return dims if isinstance(dims, tuple) else ()


@dataclass(frozen=True, eq=False, repr=False)
class NormalizedData:
    """Samples normalised by eq. (2): mean(x) = mean(y) = 0, mean(x^2) = mean(x y) = 1 (Ginsburg, section 2).

    `linreg_dyn.normalize(x, y).data` makes them of any samples.

    Args:
        x: inputs, shape (sample,).
        y: targets, shape (sample,).

    Raises:
        TypeError, ValueError: a value is no finite number, the shapes differ, or a moment of eq. (2) is
            off in the first half of its digits.
    """

    x: Array
    y: Array
    squares: Array = field(init=False)
    """`x_n^2`, shape (sample,): a mini-batch's mean of them is its `m2`."""
    products: Array = field(init=False)
    """`x_n y_n`, shape (sample,): a mini-batch's mean of them is its `m1`."""

    def __post_init__(self):
        x, y = np.array(as_floats("x of the data", self.x)), np.array(as_floats("y of the data", self.y))
        if x.ndim != 1 or x.shape != y.shape or not 2 <= x.size <= MOST_SAMPLES:
            raise ValueError(
                f"the data must be x and y of one shape (sample,), sample >= 2, got {x.shape} and {y.shape}"
            )
        with np.errstate(over="ignore", invalid="ignore"):
            squares, products = x * x, x * y
            _check_moments(x, y, squares, products)
        for name, array in {"x": x, "y": y, "squares": squares, "products": products}.items():
            array.setflags(write=False)
            object.__setattr__(self, name, array)

    def __len__(self) -> int:
        return self.x.size

    def __repr__(self) -> str:
        return f"NormalizedData({len(self)} samples)"


def _check_moments(x: Array, y: Array, squares: Array, products: Array) -> None:
    """Refuse moments that differ from eq. (2) in the first half of their digits.

    Rounding may take more than the last few: data that lay far from 0 before they were centred have lost
    digits to their offset, in proportion to offset / spread, and nothing in the result tells how many.
    """
    for name, terms, wanted in (
        ("mean(x)", x, 0.0),
        ("mean(y)", y, 0.0),
        ("mean(x^2)", squares, 1.0),
        ("mean(x y)", products, 1.0),
    ):
        mean = terms.mean()
        allowed = 2.0**-26 * (1 + np.abs(terms).mean())
        if not abs(mean - wanted) <= allowed:
            raise ValueError(
                f"the data must be normalised by eq. (2), as linreg_dyn.normalize does: {name} must be {wanted:g}, "
                f"got {mean:.17g}"
            )

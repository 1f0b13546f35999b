"""Reductions of an ensemble from those of its slices, merged in the order of the trajectories.

The slices are part of the plan, and their order is fixed, so the result does not depend on which was computed
first, or where. Means and variances by Chan, Golub and LeVeque (Algorithms for computing the sample variance,
The American Statistician 37, 1983): exact but for rounding, and without cancellation.
"""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np

from linreg_dyn.sweep.layout import NEVER_STEP, Layout

Parts = dict[str, np.ndarray]


def pack(parts: Parts) -> bytes:
    """Arrays by name as the bytes of an .npz file."""
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **parts)  # pyright: ignore[reportArgumentType]
    return buffer.getvalue()


def unpack(packed: bytes) -> Parts:
    """The arrays that `pack` packed."""
    with np.load(io.BytesIO(packed), allow_pickle=False) as arrays:
        return dict(arrays)


def merged(layout: Layout, slices: Sequence[Parts]) -> Parts:
    """The reductions of the whole ensemble."""
    result = slices[0]
    for part in slices[1:]:
        result = _pair(layout, result, part)
    return result


def _pair(layout: Layout, a: Parts, b: Parts) -> Parts:
    out = {}
    for name in a:
        how = layout.variables[name].merge
        if how == "sum":
            out[name] = a[name] + b[name]
        elif how == "earliest":
            out[name] = np.where(
                (a[name] == NEVER_STEP) | (b[name] == NEVER_STEP),
                np.maximum(a[name], b[name]),
                np.minimum(a[name], b[name]),
            )
        elif how in ("min", "max"):
            out[name] = (np.fmin if how == "min" else np.fmax)(a[name], b[name])  # NaN: none held, or no such layer
        else:
            out[name] = _moment(name, how, a, b)
    return out


def _moment(name: str, how: str | None, a: Parts, b: Parts) -> np.ndarray:
    """A mean or a population variance of two slices together; one that holds no trajectory is left out."""
    observable = name.removesuffix(f"_{how}")
    held_a, held_b = a["held"], b["held"]
    extra = (np.newaxis,) * (a[name].ndim - held_a.ndim)
    held_a, held_b = held_a[(..., *extra)], held_b[(..., *extra)]
    held = np.maximum(held_a + held_b, 1)
    difference = b[f"{observable}_mean"] - a[f"{observable}_mean"]
    with np.errstate(over="ignore", invalid="ignore"):  # an observable may be infinite by itself
        if how == "mean":
            together = a[name] + difference * (held_b / held)
        else:
            within = (held_a * a[name] + held_b * b[name]) / held
            together = within + difference**2 * (held_a / held) * (held_b / held)
    return np.where(held_a == 0, b[name], np.where(held_b == 0, a[name], together))

"""Reductions of an ensemble from those of its slices, merged in the order of the trajectories.

The slices are part of the plan, and their order is fixed, so the result does not depend on which was computed
first, or where. Moments are merged by the formula that merges those of the blocks within a slice.
"""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np

from linreg_dyn.ensemble.record import Moments
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
    """The reductions of the whole ensemble; where no trajectory is held, a moment is NaN."""
    return {name: _merged(name, str(layout.variables[name].merge), slices) for name in slices[0]}


def _merged(name: str, how: str, slices: Sequence[Parts]) -> np.ndarray:
    parts = _stacked(name, slices)
    if how == "sum":
        return parts.sum(axis=-1)
    if how == "earliest":
        last = np.max(parts, axis=-1, keepdims=True)  # NEVER_STEP, where it is that of all parts
        return np.where(parts == NEVER_STEP, last, parts).min(axis=-1)
    return _moment(name.removesuffix(f"_{how}"), how, slices)


def _stacked(name: str, slices: Sequence[Parts]) -> np.ndarray:
    return np.stack([part[name] for part in slices], axis=-1)


def _moment(observable: str, how: str, slices: Sequence[Parts]) -> np.ndarray:
    """A moment of all slices, (..., step) or (..., step, layer)."""
    needed = ("mean", "variance") if how == "variance" else (how,)
    found = {label: _stacked(f"{observable}_{label}", slices) for label in needed}
    shape = found[how].shape
    held = _stacked("held", slices)
    held = held.reshape(*held.shape[:-1], *[1] * (len(shape) - held.ndim), len(slices))  # all layers hold the same
    held = np.broadcast_to(held, shape).reshape(-1, len(slices))
    zero = np.zeros(held.shape)
    mean, variance, low, high = (
        np.where(held, found[label].reshape(held.shape), 0.0) if label in found else zero
        for label in ("mean", "variance", "min", "max")
    )
    moments = Moments.merged(held, mean, held * variance, low, high)
    return np.array([getattr(one, how) for one in moments]).reshape(shape[:-1])

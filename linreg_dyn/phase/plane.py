"""The plane of a phase portrait: two layers of a net over a box, every other layer given."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from linreg_dyn._checks import integer, number
from linreg_dyn.ensemble.plan import MOST_LAYERS
from linreg_dyn.problem import Array

Other = float | str
"""A weight, or "w<layer>": the same weight as that layer of the plane."""


@dataclass(frozen=True)
class Plane:
    """Starts whose layers `layers[0]` and `layers[1]` (from 1 on) vary over a box; the others are given.

    Args:
        depth: layers of the net, at least 2.
        layers: the two that vary; the first runs to the right, the second upwards.
        box: (first from, first to, second from, second to).
        others: for every other layer, in order, its weight at the start, or "w1" for the weight that layer 1
            has, which must be one of the two. Empty: 1 for each.

    Equal layers stay equal under every method, so if every other layer is tied to one of the two (or there is
    none), the plane is invariant and a portrait on it is exact; else it shows the starts' plane, trajectories
    leave it as the other layers move, and are projected onto it.

    Raises TypeError or ValueError for anything else.
    """

    depth: int = 2
    layers: tuple[int, int] = (1, 2)
    box: tuple[float, float, float, float] = (-3.0, 3.0, -3.0, 3.0)
    others: tuple[Other, ...] = ()

    def __post_init__(self):
        depth = integer("depth", self.depth, least=2, most=MOST_LAYERS)
        layers, box, others = tuple(self.layers), tuple(self.box), tuple(self.others)
        if len(layers) != 2:
            raise ValueError(f"layers must be two layers, got {layers}")
        layers = tuple(integer("layers", layer, least=1, most=depth) for layer in layers)
        if layers[0] == layers[1]:
            raise ValueError(f"layers must be two different ones, got {layers[0]} twice")
        if len(box) != 4:
            raise ValueError(f"box must be four numbers, (from, to) of each layer, got {len(box)}")
        box = tuple(number("box", edge) for edge in box)
        for low, high in (box[:2], box[2:]):
            if not low < high:
                raise ValueError(f"box must reach from a smaller to a larger weight, got {low:g} to {high:g}")
        if len(others) not in (0, depth - 2):
            raise ValueError(f"others must give the {depth - 2} other layers of depth {depth}, got {len(others)}")
        others = tuple(_other(value, layers) for value in others) or (1.0,) * (depth - 2)
        for name, value in (("layers", layers), ("box", box), ("others", others)):
            object.__setattr__(self, name, value)

    @property
    def invariant(self) -> bool:
        """Whether training from the plane stays in it: every other layer is tied to one of the two."""
        return all(isinstance(value, str) for value in self.others)

    def axes(self, size: tuple[int, int]) -> tuple[Array, Array]:
        """The centres of `size` cells along both layers, of the shapes (first,) and (second,)."""
        x0, x1, y0, y1 = self.box
        return _centres(x0, x1, size[0]), _centres(y0, y1, size[1])

    def weights(self, first: Array, second: Array) -> list[Array]:
        """The weights of all layers, in order, where the two have the values `first` and `second`."""
        pair = {f"w{self.layers[0]}": first, f"w{self.layers[1]}": second}
        others = iter(self.others)
        whole = [pair.get(f"w{layer}") for layer in range(1, self.depth + 1)]
        return [_value(next(others), pair, first) if weight is None else weight for weight in whole]

    def starts(self, first: Array, second: Array) -> Array:
        """The same as an array (trajectory, layer), for one-dimensional `first` and `second`."""
        return np.stack(self.weights(first, second), axis=1)

    def grid(self, size: tuple[int, int]) -> list[Array]:
        """The weights of all layers on the grid of `axes(size)`, arrays (second, first)."""
        first, second = np.meshgrid(*self.axes(size))
        return self.weights(first, second)

    def cells(self, numbers: NDArray[np.int64], size: tuple[int, int]) -> Array:
        """Starts (trajectory, layer) at the centres of the cells with these numbers, rows of `first` first."""
        first, second = self.axes(size)
        rows, columns = np.divmod(numbers, size[0])
        return self.starts(first[columns], second[rows])


def _centres(low: float, high: float, count: int) -> Array:
    return low + (high - low) * (np.arange(count) + 0.5) / count


def _other(value: Other, layers: tuple[int, ...]) -> Other:
    tied = tuple(f"w{layer}" for layer in layers)
    if value in tied:
        return value
    try:
        return number("others", float(value))
    except (TypeError, ValueError):
        raise ValueError(f"others must be finite numbers, {tied[0]} or {tied[1]}, got {value!r}") from None


def _value(other: Other, pair: dict[str, Array], like: Array) -> Array:
    return pair[other] if isinstance(other, str) else np.full_like(like, other)

"""The exact range of the sharpness of a minimum with a given layer imbalance, at depths 2, 3 and 5."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

SIZE = (5.5, 2.5)
CLAIMS = ("ginsburg.flatness-from-imbalance", "ginsburg.flat-is-balanced")
CAPTION = (
    r"The minima of the loss in the plane of layer imbalance $D = \max |w_i^2 - w_j^2|$ and sharpness $2 \sum 1/w_i^2$, the "
    r"largest eigenvalue of the Hessian. Shaded: every pair that a minimum of this depth can have; with two layers only a curve. "
    r"Solid: the sharpest minima, whose layers take only two sizes. Dashed: the flattest. Dots: random minima. From three layers on, "
    r"imbalance bounds sharpness but does not order it."
)
DEPTHS = (2, 3, 5)
SPAN = (0.0, 6.0)


def flattest(depth: int, ratio: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(D, sharpness) of the flattest minimum, parametrised by `ratio = max w_i^2 / min w_j^2 >= 1`.

    With a and b the largest and smallest 1/w_i^2, all other layers have `1/w_i^2 = (a^2 + b^2) / (a + b)` (Lagrange).
    """
    middle = (ratio**2 + 1) / (ratio + 1)  # in units of b, as a = ratio is
    b = (ratio * middle ** (depth - 2)) ** (-1 / depth)  # the product of all 1/w_i^2 is 1
    return (1 - 1 / ratio) / b, 2 * b * (ratio + 1 + (depth - 2) * middle)


def two_sizes(depth: int, small: int, ratio: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(D, sharpness) of the minimum with `small` layers at the least w_i^2 and the others at `ratio` times it."""
    m = ratio ** (-(depth - small) / depth)
    return m * (ratio - 1), 2 / m * (small + (depth - small) / ratio)


def sharpest(depth: int, D: np.ndarray) -> np.ndarray:
    """The largest sharpness of a minimum with layer imbalance `D`: the best split into two sizes."""
    ratio = np.concatenate(([1.0], 1 + np.geomspace(1e-6, 1e8, 20_001)))
    curves = [np.interp(D, *two_sizes(depth, small, ratio)) for small in range(1, depth)]
    return np.max(curves, axis=0)

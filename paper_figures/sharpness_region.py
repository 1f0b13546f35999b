"""The exact range of the sharpness of a minimum with a given layer imbalance, at depths 2, 3 and 5."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

SIZE = (5.5, 2.5)
CLAIMS = ("ginsburg.flatness-from-imbalance", "ginsburg.flat-order")
CAPTION = r"""
    The minima of the loss in the plane of layer imbalance $D = \max_{i,j} |w_i^2 - w_j^2|$ and sharpness $2
    \sum 1/w_i^2$, the largest eigenvalue of the Hessian. Shaded: every pair that a minimum of this depth
    can have; with two layers it is a curve. Solid: the sharpest minima for their imbalance, whose layers
    take two sizes only. Dashed: the flattest. Dots: random minima. From three layers on imbalance bounds
    sharpness from both sides, but does not order it.
"""
DEPTHS = (2, 3, 5)
LARGEST = 4.0
_RATIOS = 1 + np.concatenate(([0.0], np.geomspace(1e-6, 1e8, 20_001)))


def flattest(depth: int, D: np.ndarray) -> np.ndarray:
    """The least sharpness of a minimum with layer imbalance `D`.

    Let a and b be the largest and the smallest 1/w_i^2. For given D the sum of all 1/w_i^2, whose product
    is 1, is least (Lagrange) when all other layers have `(a^2 + b^2) / (a + b)`. The curve is computed
    along a/b.
    """
    other = (_RATIOS**2 + 1) / (_RATIOS + 1)  # in units of b
    b = (_RATIOS * other ** (depth - 2)) ** (-1 / depth)
    return np.interp(D, (1 - 1 / _RATIOS) / b, 2 * b * (_RATIOS + 1 + (depth - 2) * other))


def sharpest(depth: int, D: np.ndarray) -> np.ndarray:
    """The largest sharpness of a minimum with layer imbalance `D`: the best split into two sizes."""
    return np.max([_two_sizes(depth, small, D) for small in range(1, depth)], axis=0)


def _two_sizes(depth: int, small: int, D: np.ndarray) -> np.ndarray:
    """Sharpness when `small` layers have the smaller w_i^2 and all the others the larger."""
    least = _RATIOS ** (-(depth - small) / depth)
    return np.interp(D, least * (_RATIOS - 1), 2 / least * (small + (depth - small) / _RATIOS))


def random_minima(rng: np.random.Generator, depth: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    """(D, sharpness) of random minima: log-normal weights with W = 1, in half of them one smaller."""
    log_square = rng.normal(size=(count, depth)) * rng.uniform(0.1, 1.5, size=(count, 1))
    log_square[: count // 2, 0] -= rng.uniform(0, 2 * depth, size=count // 2)
    square = np.exp(log_square - log_square.mean(axis=1, keepdims=True))
    return np.ptp(square, axis=1), 2 * np.sum(1 / square, axis=1)


def draw(figure: Figure) -> None:
    """Draw the region at each depth into an empty figure."""
    panels = figure.subplots(1, len(DEPTHS), sharex=True, sharey=True)
    rng = np.random.default_rng(2)
    for axes, depth in zip(panels, DEPTHS, strict=True):
        _region(axes, depth, random_minima(rng, depth, 1500))
    panels[0].set(xlim=(0, LARGEST), yscale="log", ylim=(3, 1000), ylabel=r"sharpness $2\,\Sigma\,1/w_i^2$")
    panels[1].set_xlabel("layer imbalance $D$")
    figure.legend(*panels[1].get_legend_handles_labels(), loc="outside upper center", ncols=4)


def _region(axes: Axes, depth: int, dots: tuple[np.ndarray, np.ndarray]) -> None:
    D = np.linspace(0, LARGEST, 300)
    low, high = flattest(depth, D), sharpest(depth, D)
    axes.fill_between(D, low, high, color="0.86", linewidth=0, label="all minima")
    axes.plot(*dots, ".", color="C1", markersize=1, label="random minima")
    axes.plot(D, high, "-", color="C0", label="sharpest")
    axes.plot(D, low, "--", color="C2", label="flattest")
    axes.set_title(f"{depth} layers")

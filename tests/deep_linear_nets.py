"""Deep linear networks as plain matrices: their gradient, Hessian, and weights at a fixed point."""

from __future__ import annotations

from functools import reduce
from typing import Any

import numpy as np
import xarray as xr

Array = np.ndarray
ONE = {"x": [1.0], "y": [1.0]}
GOOD: dict[str, Any] = {**ONE, "l2": 0.1, "hidden_layers": 2, "width": 3}


def data(samples: int = 5, features: int = 3, seed: int = 0) -> tuple[Array, Array]:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(samples, features)), rng.normal(size=samples)


def matrices(theta: Array, hidden: int, width: int, features: int) -> list[Array]:
    shapes = [(width, features), *[(width, width)] * (hidden - 1), (1, width)]
    ends = np.cumsum([a * b for a, b in shapes])[:-1]
    return [part.reshape(shape) for part, shape in zip(np.split(theta, ends), shapes, strict=True)]


def gradient(theta: Array, x: Array, y: Array, hidden: int, width: int, beta: float, l2: float) -> Array:
    """By the product rule, layer by layer; polynomial in theta, so that it takes complex steps."""
    layers = matrices(theta, hidden, width, x.shape[1])
    residual = beta * (reduce(lambda below, w: w @ below, layers) @ x.T) - y
    out = []
    for k, w in enumerate(layers):
        above = reduce(lambda a, b: a @ b, layers[:k:-1], np.eye(1))
        below = reduce(lambda b, a: a @ b, layers[:k], x.T)
        out.append((beta * above.T @ residual @ below.T + l2 * w).ravel())
    return np.concatenate(out)


def hessian(theta: Array, *args: Any) -> Array:
    steps = 1e-30j * np.eye(theta.size)
    return np.array([np.imag(gradient(theta + step, *args)) / 1e-30 for step in steps])


def on_orbit(point: xr.Dataset, rng: np.random.Generator) -> Array:
    """Weights of the fixed point with randomly turned hidden layers."""
    hidden, width, s = point.attrs["hidden_layers"], point.attrs["width"], float(point.singular_value)
    v = point.linear_map.values
    u = v / np.linalg.norm(v) if v.any() else v
    parts = []
    for _ in range(hidden):
        following = rng.normal(size=width)
        following /= np.linalg.norm(following)
        parts.append(s * np.outer(following, u))
        u = following
    return np.concatenate([p.ravel() for p in (*parts, s * u)])


def setting(point: xr.Dataset, x: Array, y: Array) -> tuple[Any, ...]:
    hidden, width = point.attrs["hidden_layers"], point.attrs["width"]
    beta = width ** (-hidden / 2) if point.attrs["normalization"] == "ntk" else 1.0
    return x, y, hidden, width, beta, float(point.l2)

"""Where training with weight decay can rest: its equilibria on a plane."""

from __future__ import annotations

import itertools

import numpy as np
from numpy.typing import NDArray

from linreg_dyn.phase.plane import Plane
from linreg_dyn.problem import Array


def resting_points(plane: Plane, weight_decay: float) -> tuple[Array, NDArray[np.bool_]]:
    """The equilibria of gradient descent with `weight_decay > 0` on a plane: (point, pair) and which are stable.

    Those of `linreg_dyn.equilibria`, all weights of one size and an even number of them negative, with the signs
    that the plane has: tied layers share theirs. Stable as equilibria of the flow are, in the whole net; steps of a
    large rate may leave them all the same. A plane that is not invariant has other layers at given weights, and
    none of this is asked of it: no points.
    """
    from linreg_dyn import equilibria  # sympy and flint take their time

    points: list[tuple[float, float]] = []
    stable: list[bool] = []
    if plane.invariant:
        first, second = (1 + plane.others.count(f"w{layer}") for layer in plane.layers)
        signs = [(a, b) for a, b in itertools.product((1, -1), repeat=2) if a**first * b**second > 0]
        for found in equilibria.weight_decay(plane.depth, weight_decay):
            there = [(found.weight * a, found.weight * b) for a, b in signs] if found.weight else [(0.0, 0.0)]
            points += there
            stable += [found.stability == "stable"] * len(there)
    return np.array(points).reshape(-1, 2), np.array(stable, dtype=bool)

"""What an engine runs: the checked arguments of `simulate`, as data that every backend understands."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from linreg_dyn import noise
from linreg_dyn.ensemble.methods import Method, MiniBatch, Table, TruncatedGaussian
from linreg_dyn.problem import Array
from linreg_dyn.schedules import AutoL2, Schedule

MOST_LAYERS = 4096
"""Kernels keep the weights of a block on the stack, 256 bytes a layer several times over."""
NEVER = -1
"""`diverged_step` of a trajectory that has not diverged."""
OVERFLOW = {"float64": 2.0**200, "float32": 2.0**40}
"""A trajectory with a larger |W|, or a W that is no number, has diverged.

Up to here the losses, their squares and sums of those over any ensemble fit in float64, and so do reductions;
and the products that a step forms fit in its dtype for all but absurd weights.
"""
DISTRIBUTIONS: dict[Any, Callable[..., Any]] = {
    "uniform": noise.uniform,
    "rademacher": noise.rademacher,
    TruncatedGaussian: noise.quantile,
    Table: noise.atom,
}


@dataclass(frozen=True)
class Plan:
    """One ensemble: its method and schedules.

    `rates` and `decays` are (trajectory,) float64 factors of the two schedules, for trajectories that have their
    own; None where all are alike. `auto_l2` drives the factors `decays` and is None otherwise.
    """

    depth: int
    dtype: str
    method: Method
    learning_rate: Schedule
    weight_decay: Schedule
    momentum: float = 0.0
    nesterov: bool = False
    seed: int = 0
    first_trajectory: int = 0
    rates: Array | None = None
    decays: Array | None = None
    auto_l2: AutoL2 | None = None

    @property
    def adaptive(self) -> bool:
        """Whether the rate follows the weights."""
        return self.learning_rate.follows_weights

    @property
    def decaying(self) -> bool:
        """Whether there is any weight decay at all."""
        return self.decays is not None or self.weight_decay.limits != (0.0, 0.0)

    @property
    def draw(self) -> str:
        """What a step draws: "nothing", "amplitude" (of noise) or "batch" (a choice of samples)."""
        if isinstance(self.method, MiniBatch):
            return "batch"
        return "amplitude" if hasattr(self.method, "half_width") else "nothing"

    @property
    def distribution(self) -> Callable[..., Any]:
        """The function of `noise` that makes a number of [-1, 1] of a random word."""
        chosen = getattr(self.method, "distribution", "uniform")
        return DISTRIBUTIONS[chosen if isinstance(chosen, str) else type(chosen)]

    @property
    def quantiles(self) -> Array:
        """The table that `distribution` reads; of one number where it reads none."""
        chosen = getattr(self.method, "distribution", "uniform")
        return np.zeros(1) if isinstance(chosen, str) else chosen.table()

    @property
    def batches(self) -> tuple[Array, Array, int]:
        """`x^2` and `x y` of every sample, and how many samples a step draws; of no samples where it draws none."""
        method = self.method
        if isinstance(method, MiniBatch):
            return method.data.squares, method.data.products, method.batch_size
        return np.empty(0), np.empty(0), 0

    def table(self, start: int, stop: int) -> tuple[Array, Array, Array]:
        """Learning rate, weight decay and noise width of the steps start, ..., stop - 1, in the plan's dtype."""
        steps = np.arange(start, stop)
        width = getattr(self.method, "half_width", 0.0)
        columns = (self.learning_rate, self.weight_decay, width)
        return tuple(  # pyright: ignore[reportReturnType]
            (column.at(steps) if isinstance(column, Schedule) else np.full(len(steps), column)).astype(self.dtype)
            for column in columns
        )

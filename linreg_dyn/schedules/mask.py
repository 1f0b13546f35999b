"""Sparse gradients: which of them a step uses, by a mask that is redrawn only when the sparsity changes."""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import KW_ONLY, dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from linreg_dyn._checks import integer
from linreg_dyn.schedules.core import Schedule, clean, part, schedule_of, short_repr


@dataclass(frozen=True, repr=False)
class GradientMask:
    """Which gradients a step keeps: each with probability 1 - sparsity, the same ones until the sparsity changes.

    "Our sparsity pattern remains fixed across epochs ... We resample the sparsity pattern only when changing the
    extent of sparsity" (Adapting Regularization with Learning Rate, section 2.2). The paper does not say how it
    draws; here every gradient is dropped by itself. A mask depends on (seed, number of the mask, parameter)
    alone, by Philox4x64-10 as numpy has it, on raw words, whose stream numpy never changes.

    Args:
        sparsity: the fraction of gradients dropped, from 0 to 1: a number or a piecewise constant schedule.
        seed: 0 to 2^64 - 1.
    """

    sparsity: float | Schedule
    _: KW_ONLY
    seed: int = 0

    def __post_init__(self):
        clean(self, sparsity=part("sparsity of GradientMask", self.sparsity))
        clean(self, seed=integer("seed of GradientMask", self.seed, least=0, most=2**64 - 1))
        low, high = schedule_of(self.sparsity).limits
        if low < 0 or high > 1:
            raise ValueError(f"sparsity of GradientMask must be in [0, 1], got {self.sparsity!r}")
        if schedule_of(self.sparsity).changes() is None:
            raise ValueError(f"sparsity of GradientMask must be piecewise constant, got {self.sparsity!r}")

    @cached_property
    def redraws(self) -> tuple[int, ...]:
        """The steps, ascending, at which the sparsity is another one than at the step before."""
        schedule = schedule_of(self.sparsity)
        end = math.inf if schedule.length is None else schedule.length
        steps = (step for step in schedule.changes() or () if 0 < step < end)
        return tuple(step for step in steps if schedule.at(step) != schedule.at(step - 1))

    def number(self, step: int) -> int:
        """How many times the mask has been redrawn before or at `step`: 0 for the first mask."""
        schedule_of(self.sparsity).at(step)
        return bisect_right(self.redraws, step)

    def drawn_at(self, step: int) -> int:
        """The step at which the mask of `step` was drawn."""
        number = self.number(step)
        return self.redraws[number - 1] if number else 0

    def at(self, step: int, shape: int | tuple[int, ...], parameter: int = 0) -> NDArray[Any]:
        """The mask of a step for parameter tensor number `parameter`: booleans of `shape`, True to be kept."""
        parameter = integer("parameter", parameter, least=0, most=2**64 - 1)
        key = np.array([self.seed, self.number(step)], dtype=np.uint64)
        counter = np.array([0, 0, 0, parameter], dtype=np.uint64)
        words = np.random.Philox(key=key, counter=counter).random_raw(math.prod(np.atleast_1d(shape).tolist()))
        return ((words >> 11) * 2.0**-53 >= schedule_of(self.sparsity).at(step)).reshape(shape)

    def __repr__(self) -> str:
        return short_repr(self)

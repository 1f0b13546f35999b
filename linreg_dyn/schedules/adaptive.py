"""The adaptive learning rate, the one schedule that looks at the weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from linreg_dyn._checks import number
from linreg_dyn.problem import as_reals, layers_last
from linreg_dyn.rules import end_to_end
from linreg_dyn.schedules.core import Mapped, Schedule, Steps64, Values, clean, part
from linreg_dyn.schedules.rates import LOW, squared_products


@dataclass(frozen=True, repr=False)
class Adaptive(Mapped):
    """`lr = c / sum_i (1/w_i^2)`, the adaptive learning rate of Ginsburg's theorems (3.1: c = 1/4).

    `at` and `limits` are those of `c`; `rate` has the weights. A trajectory with a zero weight has the rate 0
    and never moves, neither by its gradient nor by weight decay; `simulate` gives it the status `stalled`.

    Args:
        c: a number above 0, or a schedule of numbers from 0 on.
    """

    c: float | Schedule

    follows_weights = True

    def __post_init__(self):
        c = part("c of Adaptive", self.c) if isinstance(self.c, Schedule) else self.c
        clean(self, c=c if isinstance(c, Schedule) else number("c of Adaptive", c, above=0))
        if self._inner.limits[0] < 0:
            raise ValueError(f"c of Adaptive must not be negative, got {self.c!r}")

    def rate(self, weights: Any, step: int = 0) -> Any:
        """The learning rate of a step at weights (..., layer): a number for one net, an array (...,) for several.

        NaN where a weight is. Raises TypeError, ValueError if `weights` are not such an array.
        """
        rates = self.at(step) * unit_rates(as_reals("weights", layers_last(weights)))
        return rates if rates.ndim else float(rates)

    def _values(self, steps: Steps64) -> Values:
        return self._inner._values(steps)

    @property
    def limits(self) -> tuple[float, float]:
        """The limits of `c`."""
        return self._inner.limits


def unit_rates(weights: Values) -> Values:
    """`1 / sum_i (1/w_i^2)` at weights (..., layer), in their dtype, as `rates.adaptive_rate` has it for one net."""
    if not weights.ndim or not weights.shape[-1]:
        raise ValueError(f"weights must have a shape (..., layer) with at least one layer, got {weights.shape}")
    layers = list(np.moveaxis(weights, -1, 0).copy())
    sizes = [np.abs(layer) for layer in layers]
    with np.errstate(all="ignore"):
        W, q = end_to_end(layers), squared_products(layers)
        least = np.minimum.reduce(sizes)
        exact = least * least / sum((least / size) ** 2 for size in sizes)
        quick = W * W / q
        return np.where((q >= LOW) & np.isfinite(quick), quick, np.where(least == 0, 0, exact))

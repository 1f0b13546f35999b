"""What is recorded of an ensemble, every how many steps, and reduced how."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from linreg_dyn import observables as plain
from linreg_dyn._checks import choice, integer
from linreg_dyn.problem import Array, as_floats

WEIGHTS = "weights"

# name: (function, long_name). Every weight, and so every one of these, is dimensionless on normalised data.
OBSERVABLES: dict[str, tuple[Callable[..., Any] | None, str]] = {
    "loss": (plain.loss, "loss (W - 1)^2, without weight decay"),
    "end_to_end": (plain.end_to_end, "end-to-end weight W, the product of all weights"),
    "layer_imbalance": (plain.layer_imbalance, "layer imbalance max |w_i^2 - w_j^2|"),
    "largest_square": (plain.largest_square, "largest squared weight max w_i^2"),
    "smallest_square": (plain.smallest_square, "smallest squared weight min w_i^2"),
    "inverse_square_sum": (plain.inverse_square_sum, "sum of 1/w_i^2"),
    "minimum_sharpness": (plain.minimum_sharpness, "2 sum 1/w_i^2, the sharpness of a minimum"),
    "sharpness": (plain.sharpness, "sharpness, the largest eigenvalue of the Hessian of the loss"),
    WEIGHTS: (None, "weights w_i"),
}
SIMPLE = ("mean", "variance", "min", "max")
ALL = frozenset(SIMPLE)


@dataclass(frozen=True)
class Quantiles:
    """A reduction: quantiles over the trajectories, interpolated linearly; a dimension `quantile` holds the levels.

    Args:
        levels: probabilities in [0, 1], ascending.
    """

    levels: tuple[float, ...] = (0.05, 0.25, 0.5, 0.75, 0.95)

    def __post_init__(self):
        levels = as_floats("levels of Quantiles", self.levels)
        if levels.ndim != 1 or not levels.size or (np.diff(levels) <= 0).any() or levels[0] < 0 or levels[-1] > 1:
            raise ValueError(f"levels of Quantiles must ascend within [0, 1], got {self.levels!r}")
        object.__setattr__(self, "levels", tuple(levels.tolist()))

    name = "quantiles"

    def of(self, values: Array) -> Array:
        """The quantiles of `values` along their first dimension, (quantile, ...)."""
        return np.quantile(values, self.levels, axis=0)

    @property
    def size(self) -> int:
        """Numbers for each observable."""
        return len(self.levels)


@dataclass(frozen=True)
class Histogram:
    """A reduction: how many trajectories lie in each bin; a dimension `bin` numbers them.

    The first and the last bin hold what lies below and above all edges; a value at an edge belongs to the bin
    above it.

    Args:
        edges: the bounds of the bins, ascending, at least two.
    """

    edges: tuple[float, ...]

    def __post_init__(self):
        edges = as_floats("edges of Histogram", self.edges)
        if edges.ndim != 1 or edges.size < 2 or (np.diff(edges) <= 0).any():
            raise ValueError(f"edges of Histogram must be two or more ascending numbers, got {self.edges!r:.80}")
        object.__setattr__(self, "edges", tuple(edges.tolist()))

    name = "histogram"

    def of(self, values: Array) -> NDArray:
        """Counts of `values` (trajectory,) or (trajectory, layer), as (bin, ...)."""
        columns = values.reshape(len(values), -1)
        places = np.searchsorted(self.edges, columns, side="right")
        counts = [np.bincount(places[:, k], minlength=self.size) for k in range(columns.shape[1])]
        return np.stack(counts, axis=1).reshape(self.size, *values.shape[1:])

    @property
    def size(self) -> int:
        """Numbers for each observable."""
        return len(self.edges) + 1


Reduction = str | Quantiles | Histogram


@dataclass(frozen=True)
class Moments:
    """How many trajectories an observable was reduced over, its mean, population variance, minimum and maximum."""

    number: int
    mean: float
    variance: float
    min: float
    max: float

    @classmethod
    def merged(
        cls, number: Array, mean: Array, squares: Array, low: Array, high: Array, wanted: frozenset[str] = ALL
    ) -> list[Moments]:
        """Of each observable, from those of its parts: arrays (observable, part); NaN for what is not `wanted`.

        `squares` are sums of squared distances from the part's mean. Sums over parts are pairwise, in their
        order: how a result is rounded depends on that alone.
        """
        count = number.sum(axis=-1)
        whole, variance, lows, highs = np.full((4, len(count)), np.nan)
        with np.errstate(all="ignore"):  # an observable may be infinite by itself, and there may be nothing left
            if wanted & {"mean", "variance"}:
                whole = (number * mean).sum(axis=-1) / count
            if "variance" in wanted:
                distance = mean - whole[:, np.newaxis]
                variance = (squares + number * distance * distance).sum(axis=-1) / count
        if "min" in wanted:
            lows = np.where(number > 0, low, np.inf).min(axis=-1)
        if "max" in wanted:
            highs = np.where(number > 0, high, -np.inf).max(axis=-1)
        rows = zip(count.tolist(), whole.tolist(), variance.tolist(), lows.tolist(), highs.tolist(), strict=True)
        return [cls(int(row[0]), *row[1:]) if row[0] else cls(0, *[float("nan")] * 4) for row in rows]


@dataclass(frozen=True)
class Record:
    """What `simulate` records on the way.

    Args:
        every: record the steps 0, every, 2 every, ... and the last one.
        observables: names out of `linreg_dyn.ensemble.record.OBSERVABLES`; "weights" has a layer dimension.
        reduce: None keeps every trajectory; "mean", "variance" (population), "min", "max", `Quantiles(levels)` or
            `Histogram(edges)` reduces over the trajectories that have not diverged, as the run goes, so that
            memory does not grow with them. Of several, in a tuple, each is a variable of its own, `loss_mean`
            and so on. A moment is not finite where an observable is not: `inverse_square_sum` at a zero weight.
    """

    every: int = 1
    observables: tuple[str, ...] = ("loss", "layer_imbalance")
    reduce: Reduction | tuple[Reduction, ...] | None = None

    def __post_init__(self):
        object.__setattr__(self, "every", integer("every", self.every, least=1, most=2**62))
        names = (self.observables,) if isinstance(self.observables, str) else tuple(self.observables)
        for name in names:
            choice("observables", name, tuple(OBSERVABLES))
        if not names or len(set(names)) < len(names):
            raise ValueError(f"observables must be one or more different names, got {names!r}")
        object.__setattr__(self, "observables", names)
        if isinstance(self.reduce, list):
            object.__setattr__(self, "reduce", tuple(self.reduce))
        for reduction in self.reductions:
            named = isinstance(reduction, str) and reduction in SIMPLE
            if not named and not isinstance(reduction, (Quantiles, Histogram)):
                names = ", ".join(map(repr, SIMPLE))
                raise ValueError(f"reduce must be one of {names}, Quantiles(...) or Histogram(...), got {reduction!r}")
        labels = [label_of(reduction) for reduction in self.reductions]
        if len(set(labels)) < len(labels) or self.reduce == ():
            raise ValueError(f"reduce must be one or more different reductions, got {self.reduce!r}")

    @property
    def reductions(self) -> tuple[Reduction, ...]:
        """The reductions, none if every trajectory is kept."""
        if self.reduce is None:
            return ()
        return self.reduce if isinstance(self.reduce, tuple) else (self.reduce,)

    @property
    def moments(self) -> frozenset[str]:
        """Which moments the reductions need."""
        return frozenset(reduction for reduction in self.reductions if isinstance(reduction, str))

    @property
    def reduced(self) -> tuple[str, ...]:
        """Observables of which an engine need tell only the moments."""
        simple = any(isinstance(reduction, str) for reduction in self.reductions)
        return tuple(name for name in self.observables if name != WEIGHTS) if simple else ()

    @property
    def kept(self) -> tuple[str, ...]:
        """Observables of which an engine must tell every trajectory's value."""
        if not self.reductions or any(not isinstance(reduction, str) for reduction in self.reductions):
            return self.observables
        return (WEIGHTS,) if WEIGHTS in self.observables else ()

    def count(self, steps: int) -> int:
        """How many steps are recorded in a run of `steps`."""
        return steps // self.every + 1 + (steps % self.every > 0)

    def at(self, steps: int) -> NDArray[np.int64]:
        """The recorded steps."""
        recorded = np.arange(0, steps + 1, self.every)
        return recorded if recorded[-1] == steps else np.append(recorded, steps)

    def width(self, trajectories: int, depth: int) -> int:
        """Numbers kept at every recorded step."""
        each = len(self.observables) + (depth - 1) * (WEIGHTS in self.observables)
        if not self.reductions:
            return each * trajectories
        return each * sum(1 if isinstance(reduction, str) else reduction.size for reduction in self.reductions)


def label_of(reduction: Reduction) -> str:
    """A reduction's name."""
    return reduction if isinstance(reduction, str) else reduction.name

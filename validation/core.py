"""Experiments as data: what a paper says, the settings of each scale, and predictions that are judged by rule.

A `Spec` is one experiment at one scale; its digest names its record. `Prediction`s and their margins are part of the
spec, so they cannot be changed after the run without asking for another run.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import inspect
import math
import re
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from linreg_dyn.files import canonical_json
from validation.statistics import Interval, mean_interval

if TYPE_CHECKING:
    from validation.context import Context

SCALES = ("quick", "gpu", "paper")
VERDICTS = ("agrees", "disagrees", "inconclusive")

Metrics = Mapping[str, Sequence[float]]
"""A number for each seed, by name; NaN where a seed has none (a run that diverged, say)."""


@dataclass(frozen=True)
class Judgement:
    """What a prediction came to: the interval it was judged by and the verdict."""

    verdict: str
    low: float
    estimate: float
    high: float
    seeds: int

    def to_json(self) -> dict[str, Any]:
        """As JSON; infinite and missing numbers are null."""
        row = dataclasses.asdict(self)
        return {key: None if isinstance(x, float) and not math.isfinite(x) else x for key, x in row.items()}


@dataclass(frozen=True)
class Prediction:
    """The mean of a metric over seeds lies between low and high, either of which may be infinite.

    `agrees`: its 90 % interval lies within (two one-sided tests at 5 %). `disagrees`: the interval lies outside.
    `inconclusive`: neither, too few seeds, or a seed without the metric. A metric that is exact (`exact`: a bound
    that holds on every trajectory, say) is judged seed by seed: it agrees if every seed lies within. The ends
    themselves are neither within nor outside: where nothing changed, "it grows" and "it shrinks" are inconclusive.

    "Nothing is gained by more of it" says nothing where there is no gain at all. Such a prediction names the metric
    that it presupposes to be above 0, and is inconclusive unless the 90 % interval of that one's mean is: by the mean
    alone it would be judged in half of all experiments in which there is no effect.

    Attributes:
        metric: its name in what the experiment measures.
        says: the prediction in words.
        low, high: the region.
        exact: judge each seed's number, not the mean.
        expected: whether the effect is expected at this size; where not, `says` has the reason.
        claim: the id of the claim that this is evidence for, if any.
        presupposes: the metric that must be above 0 for this to say something, if any.
    """

    metric: str
    says: str
    low: float = -math.inf
    high: float = math.inf
    exact: bool = False
    expected: bool = True
    claim: str | None = None
    presupposes: str | None = None

    def __post_init__(self) -> None:
        if not self.low < self.high or (math.isinf(self.low) and math.isinf(self.high)):
            raise ValueError(f"low and high of {self.metric} must bound a region, got {self.low} and {self.high}")

    def judge(self, metrics: Metrics) -> Judgement:
        """The verdict, computed from one number a seed. KeyError when a metric was not measured."""
        values = np.asarray(metrics[self.metric], dtype=np.float64)
        if not len(values) or not np.isfinite(values).all():
            return Judgement("inconclusive", -math.inf, math.nan, math.inf, int(np.isfinite(values).sum()))
        if self.exact:
            interval = Interval(float(values.min()), float(values.mean()), float(values.max()))
        else:
            interval = mean_interval(values)
        if self._void(metrics):
            verdict = "inconclusive"
        elif self.low < interval.low and interval.high < self.high:
            verdict = "agrees"
        elif interval.high < self.low or self.high < interval.low or (self.exact and self._outside(interval)):
            verdict = "disagrees"
        else:
            verdict = "inconclusive"
        return Judgement(verdict, *interval, len(values))

    def _void(self, metrics: Metrics) -> bool:
        """Is what this presupposes not found?"""
        if self.presupposes is None:
            return False
        values = metrics[self.presupposes]
        return not np.isfinite(values).all() or not mean_interval(values).low > 0

    def _outside(self, interval: Interval) -> bool:
        return interval.low < self.low or interval.high > self.high

    def to_json(self) -> dict[str, Any]:
        """As JSON, an infinite end being null; without `presupposes` where it is None."""
        row = dataclasses.asdict(self)
        if self.presupposes is None:
            del row["presupposes"]  # so that the digests of specs that presuppose nothing stay what they were
        return {key: None if isinstance(x, float) and math.isinf(x) else x for key, x in row.items()}

    @staticmethod
    def from_json(row: Mapping[str, Any]) -> Prediction:
        """What `to_json` wrote."""
        ends = {"low": -math.inf, "high": math.inf}
        values: dict[str, Any] = {key: ends[key] if key in ends and x is None else x for key, x in row.items()}
        return Prediction(**values)


@dataclass(frozen=True)
class Measured:
    """What one seed gave: numbers by metric, and arrays for the figures."""

    metrics: dict[str, float]
    arrays: dict[str, np.ndarray] = field(default_factory=dict)


@dataclass(frozen=True)
class Setting:
    """An experiment at one scale.

    Attributes:
        values: everything that `measure` reads, as JSON.
        predictions: judged when all seeds are done.
        seeds: how many.
        differs: how this differs from the paper's own setting, in words; empty at scale "paper".
        minutes: a first guess of the time for all seeds, on the device that the scale is for; None: the experiment's.
    """

    values: dict[str, Any]
    predictions: tuple[Prediction, ...]
    seeds: int = 3
    differs: str = ""
    minutes: float | None = 1.0


@dataclass(frozen=True)
class Experiment:
    """One experiment of a paper, or ours.

    Attributes:
        id: permanent, "paper.name".
        title: a line.
        source: the key of the paper and a locator, "lewkowycz2020, Fig. 2a-c".
        statement: what the paper says of it.
        scales: settings by scale, of `SCALES`.
        measure: `(values, seed, context) -> Measured`; long parts go through `context.once`.
        priority: order in the queue; smaller is earlier.
        draw: `(arrays by seed, axes)` draws the figure of a record; None: there is none.
        guess: minutes that a seed takes, from the values, for settings that do not say.
        code: a digest of the file that has `measure`, as it was when the experiment was made. What has no file (typed
            at a prompt, say) is like no other.
    """

    id: str
    title: str
    source: str
    statement: str
    scales: Mapping[str, Setting]
    measure: Callable[[dict[str, Any], int, Context], Measured]
    priority: int = 100
    draw: Callable[..., None] | None = None
    guess: Callable[[dict[str, Any]], float] | None = None
    code: str = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "code", _code(self.measure))
        if not re.fullmatch(r"[\w.-]+", self.id):
            raise ValueError(f"id must be of letters, digits, '.', '-' and '_', as it names files, got {self.id!r}")
        if self.guess is None and any(setting.minutes is None for setting in self.scales.values()):
            raise ValueError(f"guess of {self.id} must be there, as not all of its settings say how long they take")
        if unknown := set(self.scales) - set(SCALES):
            raise ValueError(f"scales of {self.id} must be of {', '.join(SCALES)}, got {', '.join(sorted(unknown))}")

    def spec(self, scale: str) -> Spec:
        """The experiment at a scale. ValueError, naming those it has, if it lacks this one."""
        if scale not in self.scales:
            raise ValueError(f"scale must be one of {', '.join(self.scales)} for {self.id}, got {scale!r}")
        return Spec(self, scale, self.scales[scale])


def _code(measure: Callable[..., Any]) -> str:
    """A digest of the file that has a function, or the class of a callable object; its own where there is none."""
    inside = inspect.unwrap(measure.func if isinstance(measure, functools.partial) else measure)
    if not (inspect.isroutine(inside) or inspect.isclass(inside)):
        inside = type(inside)
    try:
        return hashlib.sha256(Path(inspect.getfile(inside)).read_bytes()).hexdigest()
    except (TypeError, OSError):
        return uuid.uuid4().hex


@dataclass(frozen=True)
class Spec:
    """An experiment at a scale: what is run, recorded, and never run twice."""

    experiment: Experiment
    scale: str
    setting: Setting

    def to_json(self) -> dict[str, Any]:
        """All that the result depends on, and the predictions it will be judged by."""
        return {
            "experiment": self.experiment.id,
            "scale": self.scale,
            "values": self.setting.values,
            "seeds": self.setting.seeds,
            "predictions": [prediction.to_json() for prediction in self.setting.predictions],
        }

    @property
    def minutes(self) -> float:
        """A first guess of the time for all seeds, as if none of their trainings had been made before."""
        if self.setting.minutes is not None:
            return self.setting.minutes
        assert self.experiment.guess
        return self.setting.seeds * self.experiment.guess(self.setting.values)

    @property
    def digest(self) -> str:
        """16 hexadecimal digits of the SHA-256 of `to_json`."""
        return hashlib.sha256(canonical_json(self.to_json()).encode()).hexdigest()[:16]

    @property
    def name(self) -> str:
        """The record's file name without its suffix, "lewkowycz.t-star-quick-0123456789abcdef"."""
        return f"{self.experiment.id}-{self.scale}-{self.digest}"

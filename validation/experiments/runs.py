"""One training of an experiment, kept by its name: curves while it goes, and how it ends."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from linreg_dyn.files import canonical_json
from validation.arrays import Arrays
from validation.context import Context
from validation.data import Dataset
from validation.experiments.common import network
from validation.measure.norms import squared_norm
from validation.train import Recipe, Trained, Trainer, fit
from validation.trainings import digest_of

Curves = dict[str, np.ndarray]


@dataclass(frozen=True)
class Watch:
    """A measurement besides the usual ones, which must not act on the training.

    Attributes:
        see: of the trainer; gives numbers, or arrays of one shape, by name.
        says: all that `see` depends on besides the training, as JSON.
    """

    see: Callable[[Trainer], dict[str, Any]]
    says: dict[str, Any]


def train(
    name: str,
    options: dict[str, Any],
    data: Dataset,
    recipe: Recipe,
    context: Context,
    *,
    every: int,
    watch: Mapping[str, Watch] | None = None,
) -> Curves:
    """Train once, or take what an earlier run kept under this name, or what another experiment has trained.

    Args:
        name: of the training within its seed.
        options: of the network, whose weights are drawn from the recipe's seed.
        data, recipe: as `fit` has them.
        context: where parts and checkpoints are kept.
        every: steps between measurements; the start and the end are measured too.
        watch: what to measure besides, by name.

    Returns:
        `steps`, `test_loss`, `test_accuracy`, `squared_norm` and what a watch gave, as "watch.name", (measurement, ...)
        each; `train_loss` and `train_accuracy` of the end. NaN from a divergence on.
    """
    at = np.unique(np.append(np.arange(0, recipe.steps, every), recipe.steps))
    watches = watch or {}

    def measure(trainer: Trainer) -> dict[str, Any]:
        seen = {f"test_{key}": value for key, value in trainer.evaluate().items()}
        if trainer.done == recipe.steps:
            seen |= {f"train_{key}": value for key, value in trainer.evaluate("train").items()}
        more = {f"{kind}.{key}": x for kind, one in watches.items() for key, x in one.see(trainer).items()}
        return seen | {"squared_norm": squared_norm(trainer.model)} | more

    def make() -> dict[str, Any]:
        store, digest = context.trainings, ""
        watched = [f"{kind} {canonical_json(one.says)}" for kind, one in watches.items()]
        if store:
            digest = digest_of(options, data, recipe, at.tolist(), context.device)
            if found := store.find(digest, watched, context.say):
                context.say(f"{name}: trained before")
                return {key: x for key, x in found.items() if "." not in key or key.partition(".")[0] in watches}
        done = fit(
            network(options, data, recipe.seed),
            data,
            recipe,
            device=context.device,
            measure=measure,
            measure_at=at.tolist(),
            checkpoint=context.checkpoint(name),
            deadline=context.deadline,
        )
        curves = _curves(done, at)
        if store:
            store.keep(digest, watched, done.seconds, curves)
        return curves

    return context.once(name, make)


def _curves(done: Trained, at: np.ndarray) -> Arrays:
    """What a training gave at the steps `at`, NaN where it did not come."""
    curves = {}
    for key, values in done.history.items():
        missing = np.full((len(at) - len(values), *values.shape[1:]), np.nan, dtype=values.dtype)
        curves[key] = np.concatenate([values, missing])
    ends = {key: curves.pop(key, np.array([np.nan]))[-1] for key in ("train_loss", "train_accuracy")}
    return curves | ends | {"steps": at}


def stacked(curves: dict[str, Curves], key: str) -> np.ndarray:
    """One of the curves of all trainings, (training, measurement), shorter ones padded with NaN."""
    rows = [curves[name][key] for name in curves]
    out = np.full((len(rows), max(map(len, rows))), np.nan)
    for row, values in zip(out, rows, strict=True):
        row[: len(values)] = values
    return out


def pearson(x: np.ndarray, y: np.ndarray) -> float:
    """Pearson's correlation coefficient; NaN where a number is missing or one side does not vary."""
    x, y = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    if not (np.isfinite(x).all() and np.isfinite(y).all()) or not np.ptp(x) or not np.ptp(y):
        return np.nan
    return float(np.corrcoef(x, y)[0, 1])

"""One training of an experiment, kept by its name: curves while it goes, and how it ends."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from torch import nn

from validation.context import Context
from validation.data import Dataset
from validation.measure.norms import squared_norm
from validation.train import Recipe, Trainer, fit

Curves = dict[str, np.ndarray]


def train(
    name: str,
    model: nn.Module,
    data: Dataset,
    recipe: Recipe,
    context: Context,
    *,
    every: int,
    watch: Callable[[Trainer], dict[str, float]] | None = None,
) -> Curves:
    """Train once, or take what an earlier run kept under this name.

    Args:
        name: of the training within its seed.
        model, data, recipe: as `fit` has them.
        context: where parts and checkpoints are kept.
        every: steps between measurements; the start and the end are measured too.
        watch: what to measure besides.

    Returns:
        `steps`, `test_loss`, `test_accuracy`, `squared_norm` and what `watch` gave, (measurement,) each; `train_loss`
        and `train_accuracy` of the end. NaN from a divergence on.
    """
    at = np.unique(np.append(np.arange(0, recipe.steps, every), recipe.steps))

    def measure(trainer: Trainer) -> dict[str, float]:
        seen = {f"test_{key}": value for key, value in trainer.evaluate().items()}
        if trainer.done == recipe.steps:
            seen |= {f"train_{key}": value for key, value in trainer.evaluate("train").items()}
        return seen | {"squared_norm": squared_norm(trainer.model)} | (watch(trainer) if watch else {})

    def make() -> dict[str, Any]:
        done = fit(
            model,
            data,
            recipe,
            device=context.device,
            measure=measure,
            measure_at=at.tolist(),
            checkpoint=context.checkpoint(name),
            deadline=context.deadline,
        )
        missing = np.full(len(at) - len(done.steps), np.nan)
        curves = {key: np.append(values, missing) for key, values in done.history.items()}
        ends = {key: curves.pop(key, np.array([np.nan]))[-1] for key in ("train_loss", "train_accuracy")}
        return curves | ends | {"steps": at}

    return context.once(name, make)


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

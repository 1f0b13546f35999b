"""Sweeps over learning rates and L2 parameters: their training, and the times and accuracies that the paper reads off.

A setting's `values` name the model, the data, the loss, `batch_size` and `cells`, pairs of a rate and an L2 parameter.
Dense networks train all at once (`members.sweep`), others one after another. Convention: the loss is L + l2/2 |w|^2.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import nn

from linreg_dyn.schedules import AutoL2, Schedule
from validation.batches import Augment
from validation.context import Context
from validation.data import Dataset
from validation.experiments.common import dataset, network
from validation.experiments.guess import TRAINED, seconds, size
from validation.members import sweep
from validation.train import Recipe, Trainer, fit

WITHIN = 0.005
"""t* is the first time at which the test accuracy is within half a per cent of its maximum (section 2)."""
PER_DECADE = 24
"""Measurements a decade of steps: times are known within a tenth."""


@dataclass(frozen=True)
class Curves:
    """Accuracies of cells over time, (cell, measurement), NaN after a cell's end.

    Attributes:
        rates, l2: (cell,) each.
        steps: of each cell's measurements, (cell, measurement).
        test, train: accuracies.
        loss: of the training images, without the L2 term; of networks other than dense ones this and `train` are known
            at the end alone.
        per_epoch: steps of an epoch.
    """

    rates: np.ndarray
    l2: np.ndarray
    steps: np.ndarray
    test: np.ndarray
    train: np.ndarray
    loss: np.ndarray
    per_epoch: int

    def best(self, until: float = math.inf) -> np.ndarray:
        """Maximum test accuracy up to a step, (cell,)."""
        return np.nanmax(np.where(self.steps <= until, self.test, -np.inf), axis=1)

    def t_star(self) -> np.ndarray:
        """Steps until the test accuracy is within half a per cent of its maximum, (cell,); NaN: only untrained."""
        there = self.test >= self.best()[:, np.newaxis] - WITHIN
        return first_time(self.steps, there & (self.steps > 0))

    def least_loss(self) -> np.ndarray:
        """Steps until the training loss is least, (cell,); NaN: it still falls at the end, or is known there alone."""
        loss = np.where(np.isnan(self.loss), np.inf, self.loss)
        found = np.take_along_axis(self.steps, loss.argmin(1)[:, np.newaxis], 1)[:, 0].astype(float)
        last = np.isfinite(loss).shape[1] - 1 - np.isfinite(loss)[:, ::-1].argmax(1)
        return np.where(loss.argmin(1) < last, found, np.nan)

    def t_train(self) -> np.ndarray:
        """Steps until the training accuracy is 1, (cell,); NaN: it never is."""
        return first_time(self.steps, self.train >= 1)


def first_time(steps: np.ndarray, there: np.ndarray) -> np.ndarray:
    """The first step of each row at which `there` holds; NaN where it never does."""
    found = np.take_along_axis(steps, there.argmax(1)[:, np.newaxis], 1)[:, 0].astype(float)
    return np.where(there.any(1), found, np.nan)


def grid(rates: Sequence[float], l2: Sequence[float], least: float = 0.0, most: float = math.inf) -> list[list[float]]:
    """All pairs whose product is between `least` and `most`; those without L2 too, if `l2` has 0."""
    eps = 1e-9
    return [[r, x] for r in rates for x in l2 if x == 0 or least * (1 - eps) <= r * x <= most * (1 + eps)]


def images(values: dict[str, Any], context: Context, seed: int) -> Dataset:
    """The dataset; with `values["rest"]`, all images that are not trained on are for the test."""
    if not values.get("rest"):
        return dataset(values, context, seed)
    whole = dataset({"data": values["data"]}, context)
    x, y = np.concatenate([whole.x_train, whole.x_test]), np.concatenate([whole.y_train, whole.y_test])
    order = np.random.default_rng(seed).permutation(len(y))
    a, b = order[: values["train"]], order[values["train"] :]
    return Dataset(whole.name, x[a], y[a], x[b], y[b], whole.classes)


def steps_of(values: dict[str, Any], rate: float, l2: float, per_epoch: int) -> int:
    """How long a cell trains: the first of `steps`, `epochs`, `time` / rate or `horizon` / (rate l2) that is given.

    The last is in epochs; where there is no L2, `without` says instead, as {"epochs": ...} or {"time": ...}.
    """
    if "steps" in values:
        return values["steps"]
    if "epochs" in values:
        return max(1, round(values["epochs"] * per_epoch))
    if "time" in values:
        return max(1, round(values["time"] / rate))
    if not l2:
        return steps_of(values["without"], rate, l2, per_epoch)
    return max(1, round(values["horizon"] / (rate * l2) * per_epoch))


def train(values: dict[str, Any], data: Dataset, seed: int, context: Context, name: str = "cells") -> Curves:
    """Train every cell from the same weights."""
    per_epoch = max(1, len(data.y_train) // values["batch_size"])
    rates, l2 = np.array(values["cells"], dtype=float).T
    steps = np.array([steps_of(values, rate, x, per_epoch) for rate, x in zip(rates, l2, strict=True)])
    if values["model"]["name"] == "fc":
        found = context.once(name, lambda: _together(values, data, seed, context, name, steps, (rates, l2)))
        rows = np.broadcast_to(found["steps"], found["test"].shape)
        return Curves(rates, l2, rows, found["test"], found["train"], found["loss"], per_epoch)
    parts = []
    for k, (rate, x) in enumerate(zip(rates, l2, strict=True)):
        parts.append(alone(values, data, seed, context, f"{name}-{k}", int(steps[k]), rate, x))
    longest = max(len(part["steps"]) for part in parts)

    def rows_of(key: str) -> np.ndarray:
        return np.stack(
            [np.pad(p[key].astype(float), (0, longest - len(p[key])), constant_values=np.nan) for p in parts]
        )

    return Curves(rates, l2, rows_of("steps"), rows_of("test"), rows_of("train"), rows_of("loss"), per_epoch)


def _together(values, data, seed, context, name, steps, cells) -> dict[str, Any]:
    model = network(values["model"], data, seed)
    assert isinstance(model, nn.Sequential)
    swept = sweep(
        model,
        data,
        learning_rates=cells[0].tolist(),
        l2=cells[1].tolist(),
        steps=steps.tolist(),
        batch_size=values["batch_size"],
        measure_at=times(1, int(steps.max())),
        loss=values["loss"],
        precision=_precision(values, context),
        seed=seed,
        device=context.device,
        checkpoint=context.checkpoint(name),
        deadline=context.deadline,
    )
    history = swept.history
    found = {"test": history["test_accuracy"], "train": history["train_accuracy"], "loss": history["train_loss"]}
    return found | {"steps": swept.steps}


def _precision(values: dict[str, Any], context: Context) -> str:
    """What the setting asks for; a CPU trains in float32, as it has nothing that is faster."""
    return values.get("precision", "float32") if context.device.startswith("cuda") else "float32"


def alone(
    values: dict[str, Any],
    data: Dataset,
    seed: int,
    context: Context,
    name: str,
    steps: int,
    rate: float | Schedule,
    l2: float | AutoL2,
) -> dict[str, np.ndarray]:
    """One run: `steps` of the measurements, `test` and `train` accuracies, training `loss`, and `l2`, as arrays.

    The first measurement is before the first step, so that a run which diverges at once has one too. Training images
    are evaluated at the end alone, NaN before: five times as many as for the test.
    """
    per_epoch = max(1, len(data.y_train) // values["batch_size"])
    recipe = Recipe(
        steps=steps,
        batch_size=values["batch_size"],
        learning_rate=rate,
        l2=l2,
        optimiser="momentum" if values.get("momentum") else "sgd",
        momentum=values.get("momentum", 0.0),
        loss=values["loss"],
        augment=Augment(**values.get("augment", {})),
        precision=_precision(values, context),
        seed=seed,
    )

    def measure(trainer: Trainer) -> dict[str, float]:
        last = trainer.evaluate("train") if trainer.done == steps else {"accuracy": math.nan, "loss": math.nan}
        test = trainer.evaluate("test")["accuracy"]
        return {"test": test, "train": last["accuracy"], "loss": last["loss"], "l2": trainer.l2}

    def make() -> dict[str, Any]:
        done = fit(
            network(values["model"], data, seed),
            data,
            recipe,
            device=context.device,
            measure=measure,
            measure_at=[0, *times(max(1, per_epoch // 8), steps)],
            checkpoint=context.checkpoint(name),
            deadline=context.deadline,
        )
        return done.history | {"steps": done.steps}

    return context.once(name, make)


def guess(values: dict[str, Any], lengths: Iterable[int]) -> float:
    """Minutes on one H200 of networks trained one after another for so many steps each."""
    net, first = size(values["model"], values["data"]), max(1, TRAINED // values["batch_size"] // 8)
    how = {"batch": values["batch_size"], "precision": values["precision"]}
    return sum(seconds(net, steps=n, tests=1 + len(times(first, n)), **how) for n in lengths) / 60


def ratio(a: float, b: float) -> float:
    """a / b; NaN where b is 0, and there is nothing to compare with."""
    return float(a / b) if b else math.nan


def times(first: int, last: int) -> list[int]:
    """Steps at which to measure, evenly on a logarithmic axis, with the last."""
    count = 2 + int(PER_DECADE * math.log10(max(1, last / first)))
    return sorted({*np.round(np.geomspace(min(first, last), last, count)).astype(int).tolist(), last})

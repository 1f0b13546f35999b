"""The L2 parameter for a budget, predicted and tuned, and AutoL2: Fig. 1, 4, S3, S4, S9 and S10."""

from __future__ import annotations

from typing import Any

import numpy as np

from linreg_dyn.schedules import AutoL2
from linreg_dyn.schedules.published import lewkowycz_rate
from validation.batches import Batches
from validation.context import Context
from validation.core import Measured
from validation.data import Dataset
from validation.experiments.guess import TRAINED
from validation.experiments.lewkowycz.cells import (
    WITHIN,
    Curves,
    alone,
    first_time,
    guess,
    images,
    ratio,
    steps_of,
    train,
)
from validation.experiments.style import COLORS, line, marked

TIES = 0.001
"""L2 parameters within a tenth of a per cent of the best accuracy count as best too (Fig. 4b)."""


def fixed_budget(values: dict[str, Any], seed: int, context: Context) -> Measured:
    """Accuracies with the paper's schedule of the rate: T fixed, and T ~ 1 / l2 (Fig. 1a).

    They are the maximum during training, as wherever the paper reports performance for a budget (SM A).
    """
    data = images(values, context, seed)
    per_epoch = max(1, len(data.y_train) // values["batch_size"])
    found: dict[str, list[float]] = {"fixed": [], "scaled": []}
    for l2 in values["l2"]:
        for kind, epochs in _epochs(values, l2).items():
            rate = (values["rate"] / 0.2) * lewkowycz_rate(epochs, steps_per_epoch=per_epoch)
            run = alone(values, data, seed, context, f"{kind}-{l2:g}", epochs * per_epoch, rate, l2)
            found[kind].append(float(run["test"].max()))
    order = np.argsort(values["l2"])
    fixed, scaled = (np.array(found[kind])[order] for kind in ("fixed", "scaled"))
    metrics = {"fixed_cost": float(fixed.max() - fixed[0]), "scaled_cost": float(scaled.max() - scaled[0])}
    return Measured(metrics, {"l2": np.array(values["l2"])[order], "fixed": fixed, "scaled": scaled})


def _epochs(values: dict[str, Any], l2: float) -> dict[str, int]:
    """Of the two trainings with an L2 parameter, in whole tenths, of which the schedule of the rate is made."""
    wanted = {"fixed": values["epochs"], "scaled": values["constant"] / l2}
    return {kind: 10 * max(1, round(epochs / 10)) for kind, epochs in wanted.items()}


def guess_fixed(values: dict[str, Any]) -> float:
    """Minutes of a seed of `fixed_budget` on one H200."""
    per_epoch = TRAINED // values["batch_size"]
    return guess(values, [per_epoch * n for l2 in values["l2"] for n in _epochs(values, l2).values()])


def measured_constant(values: dict[str, Any], seed: int, context: Context) -> Measured:
    """lambda_pred = c / T, with c = t* l2 of a short run at a large L2 parameter (Fig. 1b and 4).

    `doubling` is by how much 2 c / T is further from the tuned ones (S4), in decades; `falls` how far the test accuracy
    of the short run falls after its best.
    """
    data, rate = images(values, context, seed), values["rate"]
    short = {**values, "cells": [[rate, values["large_l2"]]], **values["short"]}
    first = train(short, data, seed, context, "large")
    c = float(first.t_star()[0] * first.l2[0])
    found = _compared(values, [c / T for T in values["budgets"]], rate, data, seed, context, {"c": c})
    return Measured(found.metrics | {"falls": _fall(first)}, found.arrays)


def _fall(curves: Curves) -> float:
    """How far below its best the test accuracy of the only cell is in the last quarter of its steps, in the mean."""
    last = (curves.steps[0] > 0.75 * np.nanmax(curves.steps)) & np.isfinite(curves.test[0])
    return float(curves.best()[0] - curves.test[0, last].mean()) if last.any() else np.nan


def guess_measured(values: dict[str, Any]) -> float:
    """Minutes of a seed of `measured_constant` on one H200: a short run, the tuned ones and those predicted."""
    short = steps_of(values["short"], values["rate"], values["large_l2"], TRAINED // values["batch_size"])
    return guess(values, [short] + [max(values["budgets"])] * (len(values["l2"]) + len(values["budgets"])))


def kernel_constant(values: dict[str, Any], seed: int, context: Context) -> Measured:
    """The same with the L2 parameter computed from the infinitely wide network's kernel and the labels, untrained.

    `linreg_dyn.ntk` has the loss summed over N samples; here it is their mean. One step at a rate is a time of
    rate / N there, and an L2 parameter here is one of N l2 there.
    """
    from linreg_dyn import ntk

    data, model = images(values, context, seed), values["model"]
    batches = Batches(data, len(data.y_train), seed=0, device="cpu")
    x = batches.normalised(batches.x).flatten(1).double().numpy()
    kernel = ntk.infinite_width(x, hidden_layers=model["depth"], weight_std=model["weight_std"])
    gamma, vectors = np.linalg.eigh(np.asarray(kernel))
    labels = vectors.T @ np.eye(data.classes)[data.y_train]
    count, gamma = len(data.y_train), np.maximum(gamma, 0)
    rate = values["share"] * count / gamma.max()
    predicted = [
        ntk.predict_l2(gamma, labels, budget=T * rate / count, degree=model["depth"] + 1) / count
        for T in values["budgets"]
    ]
    return _compared(values, predicted, rate, data, seed, context, {"gamma": gamma})


def _compared(
    values: dict[str, Any],
    predicted: list[float],
    rate: float,
    data: Dataset,
    seed: int,
    context: Context,
    arrays: dict[str, Any],
) -> Measured:
    """Predicted L2 parameters against those tuned on the test set, budget by budget."""
    budgets = values["budgets"]
    tuned = train({**values, "cells": [[rate, x] for x in values["l2"]], "steps": max(budgets)}, data, seed, context)
    own = train(
        {**values, "cells": [[rate, x] for x in predicted], "steps": max(budgets)}, data, seed, context, "predicted"
    )
    best = [tuned.best(T) for T in budgets]
    optimal = np.array([_middle(tuned, accuracy) for accuracy in best])
    reached = np.array([own.best(T)[k] for k, T in enumerate(budgets)])
    decades, twice = (abs(np.log10(times * np.array(predicted) / optimal)) for times in (1, 2))
    gaps = np.array([b.max() for b in best]) - reached
    arrays |= {"budgets": np.array(budgets), "predicted": np.array(predicted), "optimal": optimal, "gaps": gaps}
    arrays |= {"l2": tuned.l2, "best": np.array(best)}
    metrics = {"decades": decades.max(), "gap": gaps.mean(), "doubling": twice.mean() - decades.mean()}
    return Measured({name: float(x) for name, x in metrics.items()}, arrays)


def _middle(tuned: Curves, accuracy: np.ndarray) -> float:
    """The geometric mean of the L2 parameters that count as best."""
    return float(np.exp(np.log(tuned.l2[accuracy >= accuracy.max() - TIES]).mean()))


def auto(values: dict[str, Any], seed: int, context: Context) -> Measured:
    """AutoL2 against the best constant L2 parameter: accuracy, and the time to the constant's (Fig. 1c, S9, S10).

    Where AutoL2 never comes that far, its time is more than the run's: `speed` is then a lower bound, 1 or more.
    The best of several constants is above any of them by chance: against AutoL2, not for it.
    `ahead` is its lead in accuracy in the first 0.3 of the run, after which a schedule lets the rate fall.
    """
    data, rate = images(values, context, seed), values["rate"]
    per_epoch = max(1, len(data.y_train) // values["batch_size"])
    steps = values.get("steps") or values["epochs"] * per_epoch
    rates: Any = rate
    if values.get("schedule"):
        rates = (rate / 0.2) * lewkowycz_rate(values["epochs"], steps_per_epoch=per_epoch)
    every = AutoL2(values["start"], every=values["every"])
    mine = alone(values, data, seed, context, "auto", steps, rates, every)
    runs = [alone(values, data, seed, context, f"l2-{x:g}", steps, rates, x) for x in values["l2"]]
    tops = [run["test"].max() for run in runs]
    best = runs[int(np.argmax(tops))]
    level = max(tops) - WITHIN
    own, other = (first_time(run["steps"][None], run["test"][None] >= level)[0] for run in (mine, best))
    own = steps if np.isnan(own) else own
    begun = [float(run["test"][run["steps"] <= 0.3 * steps].max()) for run in (mine, best)]
    metrics = {"gain": float(mine["test"].max() - max(tops)), "speed": ratio(own, other), "ahead": begun[0] - begun[1]}
    arrays = {"steps": mine["steps"], "auto": mine["test"], "schedule": mine["l2"]}
    return Measured(metrics, arrays | {"best_steps": best["steps"], "constant": best["test"], "tops": np.array(tops)})


def draw_predicted(arrays: list[dict[str, np.ndarray]], axes) -> None:
    """Predicted and tuned L2 parameters over budgets."""
    for k, one in enumerate(arrays):
        axes.plot(one["budgets"], one["predicted"], **line(0), lw=1, label=None if k else "predicted")
        axes.plot(one["budgets"], one["optimal"], "o", color=COLORS[1], ms=4, label=None if k else "tuned")
    axes.set(xlabel="budget (steps)", ylabel="l2", xscale="log", yscale="log")
    axes.legend(fontsize="x-small")


def draw_auto(arrays: list[dict[str, np.ndarray]], axes) -> None:
    """Test accuracy over steps, AutoL2 and the best constant."""
    for k, one in enumerate(arrays):
        axes.plot(one["steps"], one["auto"], **line(0), lw=1, label=None if k else "AutoL2")
        axes.plot(one["best_steps"], one["constant"], **line(1), lw=1, label=None if k else "best constant")
    axes.set(xlabel="step", ylabel="test accuracy", xscale="log")
    axes.legend(fontsize="x-small")


def draw_budgets(arrays: list[dict[str, np.ndarray]], axes) -> None:
    """Best test accuracy over L2 parameters, time fixed and time in proportion to 1 / l2."""
    for k, one in enumerate(arrays):
        axes.plot(one["l2"], one["fixed"], **marked(0), label=None if k else "T fixed")
        axes.plot(one["l2"], one["scaled"], **marked(1), label=None if k else "T ~ 1 / l2")
    axes.set(xlabel="l2", ylabel="best test accuracy", xscale="log")
    axes.legend(fontsize="x-small")

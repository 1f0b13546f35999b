"""Runs of the paper and what is read off them: losses and errors at the end of the first phase and of the last."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from linreg_dyn.schedules import PerEpoch, Product, Schedule, Steps
from linreg_dyn.schedules.published import SCHEMES, table_1
from validation.context import Context
from validation.core import Measured
from validation.experiments.common import dataset
from validation.experiments.guess import seconds, size
from validation.experiments.runs import Curves, stacked, train
from validation.experiments.style import line
from validation.train import Recipe

FIRST, LAST = 250, 450
"""Epochs at which the first phase and the third are over."""
DECAYS = ("01", "02")
LEFT = 0.25
"""Of a gap that has closed at most a quarter is left: ours, as the paper has no number."""
NONE = "1e-4"
"""The run without sparsity: the weight decay of the caption of Table 1 alone."""
HALF, ONCE = "half", "once"
"""Beside it: half of the gradients are left out from start to end; the rate falls once in all 450 epochs."""


def recipe(values: dict[str, Any], run: str, seed: int) -> Recipe:
    """How a run is trained: a scheme of Table 1, `HALF`, `ONCE`, or a constant weight decay such as "1e-3"."""
    scheme = table_1(run if run in SCHEMES else "01", steps_per_epoch=values["unit"])
    sparsity: float | Schedule = 0.5 if run == HALF else 0.0
    if run in SCHEMES:
        factor = values["factor"] if run in DECAYS else 1.0
        decay: float | Schedule = Product((factor * values["scale"], scheme.weight_decay))
        sparsity = scheme.gradient_sparsity
    else:
        decay = values["scale"] * float(NONE if run in (HALF, ONCE) else run)
    return Recipe(
        LAST * values["unit"],
        values["batch"],
        _annealed_once(values["unit"]) if run == ONCE else scheme.learning_rate,
        decay,
        sparsity=sparsity,
        precision=values["precision"],
        seed=seed,
    )


def _annealed_once(unit: int) -> Schedule:
    """The rates of a phase, each for a fifth of all epochs."""
    fifth = LAST // 5
    milestones = tuple(fifth * k for k in range(1, 5))
    return PerEpoch(Steps((1e-1, 1e-2, 1e-3, 1e-4, 1e-5), milestones=milestones, stop=LAST), steps_per_epoch=unit)


def _trained(values: dict[str, Any], seed: int, context: Context) -> dict[str, Curves]:
    data = dataset(values, context, seed)
    out = {}
    for run in values["runs"]:
        every = values["every"] * values["unit"]
        out[run] = train(run, values["model"], data, recipe(values, run, seed), context, every=every)
    return out


def _at(curves: dict[str, Curves], key: str, epoch: int, unit: int) -> dict[str, float]:
    """A curve's value at the end of an epoch, by run."""
    return {run: float(found[key][np.searchsorted(found["steps"], epoch * unit)]) for run, found in curves.items()}


def _ends(curves: dict[str, Curves], unit: int) -> tuple[dict[str, dict[str, float]], Measured]:
    """Test losses and errors at the end of the first phase and of the third, by run; and what is recorded anyway.

    That is these, what restarts change of every run's error (`restarts_RUN`, below 0 where they help), and curves.
    """
    ends = {}
    for phase, epoch in (("first", FIRST), ("last", LAST)):
        ends[f"loss_{phase}"] = _at(curves, "test_loss", epoch, unit)
        ends[f"error_{phase}"] = {run: 1 - x for run, x in _at(curves, "test_accuracy", epoch, unit).items()}
    metrics = {f"{name}_{run}": x for name, row in ends.items() for run, x in row.items()}
    metrics |= {f"restarts_{run}": ends["error_last"][run] - x for run, x in ends["error_first"].items() if run != ONCE}
    arrays = {key: stacked(curves, key) for key in ("test_loss", "test_accuracy")}
    epochs = next(iter(curves.values()))["steps"] / unit
    return ends, Measured(metrics, arrays | {"epochs": epochs, "runs": np.array(list(curves))})


def weight_decay(values: dict[str, Any], seed: int, context: Context) -> Measured:
    """The schemes against constants; NaN where a run that is compared with has diverged.

    `gap_left` is what there is at the end of the gap of test loss between the weakest constant and the better scheme,
    beyond a quarter of that of the first phase, `gap_first`.
    """
    ends, found = _ends(_trained(values, seed, context), values["unit"])
    constants = [run for run in values["runs"] if run not in SCHEMES]
    weak, strong = constants[0], constants[-1]
    loss, error = ends["loss_first"], ends["error_first"]

    def beyond(found: dict[str, float], run: str, side: Callable[[list[float]], Any]) -> float:
        return found[run] - float(side([x for other, x in found.items() if other != run]))

    def gap(found: dict[str, float]) -> float:
        return found[weak] - float(np.min([found[run] for run in DECAYS]))

    middle = float(np.mean([error[run] for run in constants[:3]]))
    apart = [ends["error_last"][run] - ends["error_last"][weak] for run in DECAYS]
    metrics = {
        "best_01": beyond(loss, "01", np.min),
        "worst_weak": beyond(loss, weak, np.max),
        "worst_strong": beyond(error, strong, np.max),
        "gap_first": gap(loss),
        "gap_left": gap(ends["loss_last"]) - LEFT * gap(loss),
        "better_scheme": float(np.min(apart)),
        "worse_scheme": float(np.max(apart)),
    }
    metrics |= {f"comparable_{run}": error[run] - middle for run in DECAYS}
    metrics |= {f"apart_{run}": x for run, x in zip(DECAYS, apart, strict=True)}
    return Measured(found.metrics | metrics, found.arrays)


def sparse_gradients(values: dict[str, Any], seed: int, context: Context) -> Measured:
    """What restarts change for every scheme, also against as long a training without; what constant sparsity costs."""
    curves = _trained(values, seed, context)
    ends, found = _ends(curves, values["unit"])
    error = ends["error_last"]
    metrics = {
        "half_train": float(curves[HALF]["train_loss"]) - float(curves[NONE]["train_loss"]),
        "half_test": error[HALF] - error[NONE],
        "over_once": error[NONE] - error[ONCE],
    }
    return Measured(found.metrics | metrics, found.arrays)


def guess(values: dict[str, Any]) -> float:
    """Minutes of a seed on one H200."""
    how = {"steps": LAST * values["unit"], "batch": values["batch"], "precision": values["precision"]}
    one = seconds(size(values["model"], values["data"]), **how, tests=LAST // values["every"] + 1)
    return len(values["runs"]) * one / 60


def draw(arrays: list[dict[str, np.ndarray]], axes) -> None:
    """Test loss over epochs, every seed; lines where a phase ends."""
    for one in arrays:
        for k, (run, row) in enumerate(zip(one["runs"], one["test_loss"], strict=True)):
            axes.semilogy(one["epochs"], row, **line(k), alpha=0.8, label=str(run) if one is arrays[0] else None)
    for epoch in (FIRST, 350):
        axes.axvline(epoch, color="0.7", linestyle=":")
    axes.legend(fontsize="x-small")
    axes.set_xlabel("epoch (of 450)")
    axes.set_ylabel("test loss")

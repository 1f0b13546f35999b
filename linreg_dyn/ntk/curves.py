"""How training under L2 goes on a data set, from the spectrum of the kernel: what `linreg-dyn ntk` shows.

Conventions as of `predictions`; networks start at f = 0.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import xarray as xr

from linreg_dyn.ensemble import provenance
from linreg_dyn.ntk.datasets import Samples
from linreg_dyn.ntk.histories import POINTS, RTOL, History, Task, history
from linreg_dyn.ntk.losses import as_loss
from linreg_dyn.ntk.predictions import faint_constant, loss_curve, predict_l2

LOSSES = {
    "mse": "(f - y)^2 / 2",
    "softmax": "-log p_y, p = softmax(f)",
    "logistic": "log(1 + e^(-y f))",
    "huber": "(f - y)^2 / 2 where |f - y| <= 1, |f - y| - 1/2 beyond",
}
"""Of a sample; what is trained on is their sum."""
TIME = {"long_name": "gradient-flow time", "units": "steps * learning rate"}


def training_curves(
    spectrum: xr.Dataset,
    samples: Samples,
    cross: np.ndarray | None,
    *,
    l2: float,
    degree: float,
    loss: str = "mse",
    times: tuple[float, float] | None = None,
) -> xr.Dataset:
    """Losses over time, of the network and of the linear model (degree 1) with the same kernel at the start.

    Args:
        spectrum: of `ntk.spectrum` with the labels of `samples`, all modes.
        samples: what is trained on and tested with; their targets suit the loss.
        cross: kernel between test and training samples, [test sample, sample]; None where there is no test.
        l2, degree: as of `predictions`.
        loss: one of `LOSSES`. "mse" is solved in closed form, others to `histories.RTOL`.
        times: first and last (default: from before the first mode is learned until the last has decayed).

    Returns:
        `loss`, `loss_linear`, with a test `test_loss` and of classes `test_error`, all (time); `mode_output`
        (shown, time) of a few modes, `f_a . u_a / |u_a|^2` along their labels' modes, u_a = y_a, or for other losses
        than "mse" along what first pushes them, `u_a = -e_a . dl/df` at f = 0; `shown_eigenvalue`; `eigenvalue`,
        `y_mode` (mode, ...). Attributes: `loss_function`, `l2`, `degree`, `loss_at_start`, with a test
        `test_loss_at_start`, `t_star`, `loss_at_t_star`, `constant` (c = l2 t*), `where`: as of `LossMinimum`, or
        "later" than the last time, if it was not solved in closed form; then `t_star` and `constant` are NaN and the
        loss is that at the last time.

    Raises:
        ValueError: see `histories.history`.
    """
    task = Task(spectrum, samples, cross, loss, l2, degree, times)
    found = history(task)
    meaning = f"sum over samples of {LOSSES[loss]}"
    data: dict[str, Any] = {
        "loss": ("time", found.loss, {"long_name": meaning}),
        "loss_linear": ("time", found.linear, {"long_name": "the same at degree 1"}),
    }
    if found.test_loss is not None:
        about = {"long_name": f"sum over test samples of {LOSSES[loss]}", "samples": len(samples.y_test)}
        data["test_loss"] = ("time", found.test_loss, about)
    if found.test_error is not None:
        data["test_error"] = ("time", found.test_error, {"long_name": "fraction of test samples in the wrong class"})
    pushed = "its label" if loss == "mse" else "what first pushes it, -dl/df at f = 0"
    about = {"long_name": f"output of a mode, relative to {pushed}"}
    data["mode_output"] = (("shown", "time"), found.modes, about)
    shown = task.gamma[task.shown()]
    kept = spectrum[["eigenvalue", "y_mode"]].drop_attrs(deep=False)
    return (
        kept.assign(data)
        .assign_coords(time=("time", found.time, TIME), shown_eigenvalue=("shown", shown))
        .assign_attrs(_attributes(task, found))
    )


def _attributes(task: Task, found: History) -> dict[str, Any]:
    rates: dict[str, Any] = {"l2": task.l2, "degree": task.degree, "loss_function": task.loss}
    spec = {"spectrum": task.spectrum.attrs["spec"], **rates, "times": [float(found.time[0]), float(found.time[-1])]}
    if task.loss != "mse":
        spec["rtol"] = RTOL
    best = found.best
    attributes = provenance.attributes("training of a wide network", spec, dtype="float64", **rates)
    start = {"loss_at_start": found.loss_at_start, "t_star": best.time, "loss_at_t_star": best.loss}
    if found.test_loss is not None:
        start["test_loss_at_start"] = _loss_of_zeros(task.loss, task.samples.y_test)
    return {**attributes, **start, "constant": best.constant, "where": best.where}


def _loss_of_zeros(loss: str, y: np.ndarray) -> float:
    """The loss of a network that says 0, summed over samples."""
    labels, value = y.reshape(len(y), -1), as_loss(loss).value
    assert value is not None  # of each of `LOSSES`
    return float(value(np.zeros(labels.shape), labels).sum())


def summary(result: xr.Dataset) -> list[tuple[str, str]]:
    """What `training_curves` found, as names and words."""
    about = result.attrs
    start, low, time = about["loss_at_start"], about["loss_at_t_star"], about["t_star"]
    left = f"{low:.6g}" + (f", {low / start:.4g} times that at the start" if start else "")
    digits = 6 if about["loss_function"] == "mse" else 4  # of what is integrated
    lines = [("loss", f"{about['loss_function']}: {result['loss'].attrs['long_name']}")]
    lines += [("l2, degree", f"{about['l2']:g}, {about['degree']:g}")]
    if about["where"] == "infinity":
        lines += [("loss minimum", f"none at a finite time; the loss falls towards {left}")]
    elif about["where"] == "later":
        lines += [("loss minimum", f"none up to t = {float(result['time'][-1]):.4g}; the loss then is {left}")]
    else:
        lines += [("t*", f"{time:.{digits}g} (steps * learning rate)")]
        lines += [("c = l2 t*", f"{about['constant']:.{digits}g}")] if about["l2"] else []
        lines += [("loss at t*", left)]
    for name, words in (("test_loss", "test loss"), ("test_error", "test error")):
        if name in result:
            k = int(np.argmin(result[name].values))
            percent = f"{float(result[name][k]):.2%}" if name == "test_error" else f"{float(result[name][k]):.6g}"
            lines.append((f"lowest {words}", f"{percent}, at t = {float(result['time'][k]):.4g}"))
    return lines


def budgets(spectrum: xr.Dataset, budget: list[float], *, degree: float) -> xr.Dataset:
    """For each training budget the L2 parameter whose loss minimum falls at its end (`predict_l2`).

    Returns:
        `l2`, `constant` (c = l2 budget), `loss_at_end`, `loss_without_l2` (budget); `loss` (budget, time); and for
        budgets around these `line_l2` (line_budget), NaN where no L2 above 1e-100 (`LEAST_L2`) of the smallest
        eigenvalue has its minimum so late.

    Raises:
        ValueError: there is no such L2, see `predict_l2`.
    """
    gamma, y = spectrum["eigenvalue"].values, spectrum["y_mode"].values
    at = np.array(budget)
    l2 = np.asarray(predict_l2(gamma, y, budget=at, degree=degree))
    end = np.array([float(loss_curve(t, gamma, y, l2=x, degree=degree)) for t, x in zip(budget, l2, strict=True)])
    without = loss_curve(at, gamma, y, l2=0.0, degree=degree)
    time = np.geomspace(at[0] / 100, at[-1] * 10, POINTS)
    loss = np.array([loss_curve(time, gamma, y, l2=x, degree=degree) for x in l2])
    line = np.geomspace(at[0] / 10, at[-1] * 10, 41)
    data: dict[str, Any] = {
        "l2": ("budget", l2, {"long_name": "the L2 parameter whose loss minimum is at the end of the budget"}),
        "constant": ("budget", l2 * at, {"long_name": "c = l2 t*"}),
        "loss_at_end": ("budget", end, {"long_name": "sum over samples of (f - y)^2 / 2, at the end of the budget"}),
        "loss_without_l2": ("budget", without, {"long_name": "the same without L2"}),
        "loss": (("budget", "time"), loss, {"long_name": "sum over samples of (f - y)^2 / 2"}),
        "line_l2": ("line_budget", _line(gamma, y, line, degree), {"long_name": "l2 of other budgets"}),
    }
    coordinates = {"budget": ("budget", at, TIME), "time": ("time", time, TIME), "line_budget": ("line_budget", line)}
    attributes = provenance.attributes(
        "L2 for training budgets",
        {"spectrum": spectrum.attrs["spec"], "budget": budget, "degree": degree},
        dtype="float64",
        degree=degree,
        faint_constant=faint_constant(degree),
        loss_at_start=0.5 * float(np.square(y).sum() + np.square(spectrum["y_left_out"].values).sum()),
    )
    return xr.Dataset(data, coordinates, attributes)


def _line(gamma: np.ndarray, y: np.ndarray, budget: np.ndarray, degree: float) -> np.ndarray:
    l2 = np.full(budget.size, np.nan)
    for i, t in enumerate(budget):
        try:
            l2[i] = predict_l2(gamma, y, budget=t, degree=degree)
        except ValueError:  # later than any l2 has its minimum, and so are the rest
            break
    return l2


def budget_summary(result: xr.Dataset) -> list[tuple[str, str]]:
    """What `budgets` found, as a table."""
    heads = ("budget", "lambda_pred", "c", "loss at the end", "of the start", "without L2")
    rows = [("lambda-pred", "".join(f"{head:>16}" for head in heads))]
    start = result.attrs["loss_at_start"]
    for i in range(result.sizes["budget"]):
        names = ("budget", "l2", "constant", "loss_at_end")
        values = [float(result[name][i]) for name in names]
        values += [values[-1] / start if start else math.nan, float(result["loss_without_l2"][i])]
        rows.append(("", "".join(f"{value:16.6g}" for value in values)))
    return rows

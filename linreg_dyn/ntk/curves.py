"""How training under L2 goes on a data set, from the spectrum of the kernel: what `linreg-dyn ntk` shows.

Conventions as of `predictions`; networks start at f = 0.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import xarray as xr

from linreg_dyn.ensemble import provenance
from linreg_dyn.ntk.datasets import Samples, wrong
from linreg_dyn.ntk.modes import mode_weights
from linreg_dyn.ntk.predictions import LossMinimum, faint_constant, loss_curve, loss_minimum, predict_l2

POINTS = 400  # times of a curve
ROUNDING = 1e-12  # eigenvalues below this, relative to the largest, say nothing about times to look at
SHOWN = 4  # modes of which the outputs are kept
TIME = {"long_name": "gradient-flow time", "units": "steps * learning rate"}


def training_curves(
    spectrum: xr.Dataset,
    samples: Samples,
    cross: np.ndarray | None,
    *,
    l2: float,
    degree: float,
    times: tuple[float, float] | None = None,
) -> xr.Dataset:
    """Losses over time, of the network and of the linear model (degree 1) with the same kernel at the start.

    Args:
        spectrum: of `ntk.spectrum` with the labels of `samples`, all modes.
        samples: what is trained on and tested with.
        cross: kernel between test and training samples, [test sample, sample]; None where there is no test.
        l2, degree: as of `loss_curve`.
        times: first and last (default: from before the first mode is learned until the last has decayed).

    Returns:
        `loss`, `loss_linear`, with a test `test_loss` and of classes `test_error`, all (time); `mode_output`
        (shown, time), `f_a / y_a` of a few modes, with `shown_eigenvalue`; `eigenvalue`, `y_mode` (mode, ...).
        Attributes: `l2`, `degree`, `loss_at_start`, `t_star`, `loss_at_t_star`, `constant` (c = l2 t*), `where`.
    """
    gamma, y = spectrum["eigenvalue"].values, spectrum["y_mode"].values
    best = loss_minimum(gamma, y, l2=l2, degree=degree)
    time = _times(gamma, l2, degree, best, times)
    rates: dict[str, Any] = {"l2": l2, "degree": degree}
    data: dict[str, Any] = {
        "loss": ("time", loss_curve(time, gamma, y, **rates), {"long_name": "sum over samples of (f - y)^2 / 2"}),
        "loss_linear": ("time", loss_curve(time, gamma, y, l2=l2, degree=1.0), {"long_name": "the same at degree 1"}),
    }
    if cross is not None:
        data |= _test_curves(spectrum, samples, cross, time, l2, degree)
    shown = _some(gamma)
    learned = mode_weights(time, shown[:, np.newaxis], **rates)[1]
    data["mode_output"] = (("shown", "time"), learned, {"long_name": "output of a mode, relative to its label"})
    spec = {"spectrum": spectrum.attrs["spec"], **rates, "times": [float(time[0]), float(time[-1])]}
    found = {"t_star": best.time, "loss_at_t_star": best.loss, "constant": best.constant, "where": best.where}
    attributes = provenance.attributes("training of a wide network", spec, dtype="float64", **rates)
    attributes |= {"loss_at_start": 0.5 * float(np.square(samples.y).sum()), **found}
    kept = spectrum[["eigenvalue", "y_mode"]].drop_attrs(deep=False)
    return (
        kept.assign(data)
        .assign_coords(time=("time", time, TIME), shown_eigenvalue=("shown", shown))
        .assign_attrs(attributes)
    )


def _some(gamma: np.ndarray) -> np.ndarray:
    """A few eigenvalues, of those above rounding, about evenly on a logarithmic axis."""
    positive = gamma[gamma > ROUNDING * gamma[0]]
    if not positive.size:
        return gamma[:1]
    wanted = np.geomspace(positive[0], positive[-1], SHOWN)
    nearest = np.abs(np.log(positive) - np.log(wanted)[:, np.newaxis]).argmin(axis=1)
    return positive[np.unique(nearest)]


def _times(gamma: np.ndarray, l2: float, degree: float, best: LossMinimum, asked: Any) -> np.ndarray:
    if asked is not None:
        return np.geomspace(asked[0], asked[1], POINTS)
    positive = gamma[gamma > ROUNDING * gamma[0]]
    fastest, slowest = (positive[0], positive[-1]) if positive.size else (0.0, 0.0)
    first = 0.01 / max(fastest + degree * l2, 1e-300)
    last = 10 / (max(degree, 1.0) * l2) if l2 > 0 else 10 / max(slowest, 1e-300)
    if 0 < best.time < math.inf:
        first, last = min(first, best.time / 10), max(last, 10 * best.time)
    return np.geomspace(first, max(last, 100 * first), POINTS)


def _test_curves(
    spectrum: xr.Dataset, samples: Samples, cross: np.ndarray, time: np.ndarray, l2: float, degree: float
) -> dict[str, Any]:
    """Outputs elsewhere follow those on the training samples: from 0, `f(x) = sum_a Theta(x) . e_a f_a / gamma_a`."""
    gamma, y = spectrum["eigenvalue"].values, spectrum["y_mode"].values
    positive = gamma > 0
    gamma, y = gamma[positive], y[positive]
    features = cross @ spectrum["eigenvector"].values[:, positive] / gamma
    labels, loss, error = samples.y_test, np.empty(time.size), np.empty(time.size)
    classes = False
    for i, t in enumerate(time):
        outputs = features @ (y.T * mode_weights(t, gamma, l2=l2, degree=degree)[1]).T
        loss[i] = 0.5 * np.square(outputs - labels).sum()
        mistakes = wrong(samples, outputs)
        if mistakes is not None:
            error[i], classes = mistakes, True
    data: dict[str, Any] = {
        "test_loss": ("time", loss, {"long_name": "sum over test samples of (f - y)^2 / 2", "samples": len(labels)})
    }
    if classes:
        data["test_error"] = ("time", error, {"long_name": "fraction of test samples in the wrong class"})
    return data


def summary(result: xr.Dataset) -> list[tuple[str, str]]:
    """What `training_curves` found, as names and words."""
    about = result.attrs
    start, low, time = about["loss_at_start"], about["loss_at_t_star"], about["t_star"]
    left = f"{low:.6g}" + (f", {low / start:.4g} of that at the start" if start else "")
    lines = [("l2, degree", f"{about['l2']:g}, {about['degree']:g}")]
    if math.isinf(time):
        lines += [("loss minimum", f"none at a finite time; the loss falls towards {left}")]
    else:
        lines += [("t*", f"{time:.6g} (steps * learning rate)"), ("c = l2 t*", f"{about['constant']:.6g}")]
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
        budgets around these `line_l2` (line_budget), NaN where no L2 above 1e-300 has its minimum so late.

    Raises:
        ValueError: there is no such L2, see `predict_l2`.
    """
    gamma, y = spectrum["eigenvalue"].values, spectrum["y_mode"].values
    at = np.array(budget)
    l2 = np.array([predict_l2(gamma, y, budget=t, degree=degree) for t in budget])
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
            l2[i] = predict_l2(gamma, y, budget=float(t), degree=degree)
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

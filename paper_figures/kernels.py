"""The figures of `linreg-dyn ntk`: training of wide networks under L2, spectra of kernels, the L2 of a budget."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from paper_figures.labels import log_ticks, short

ROUNDING = 1e-14  # of eigenvalues relative to the largest, of losses to that at the start: nothing is seen below

LOSSES = {"mse": "squared error", "softmax": "softmax loss", "logistic": "logistic loss", "huber": "Huber loss"}


class Drawing(NamedTuple):
    """How a result is drawn, at which size in inches, and what it shows."""

    draw: Callable[[Figure, xr.Dataset], None]
    size: tuple[float, float]
    caption: str


def draw_training(figure: Figure, result: xr.Dataset) -> None:
    """Losses over time next to the linear model's, with the minimum; and how a few modes are learned and lost."""
    losses, modes = figure.subplots(1, 2)
    about, time = result.attrs, result["time"].values
    start = about["loss_at_start"] or 1.0
    losses.plot(time, result["loss"] / start, "-", color="C0", label=f"network, $k = {about['degree']:g}$")
    losses.plot(time, result["loss_linear"] / start, "--", color="C1", label="linear model, $k = 1$")
    values = [result["loss"].values / start, result["loss_linear"].values / start]
    label = f"{LOSSES[about['loss_function']]} / that at the start"
    if "test_loss" in result:
        test = result["test_loss"].values / (about["test_loss_at_start"] or 1.0)
        losses.plot(time, test, "-.", color="C2", label="the network's on test samples")
        values.append(test)
    if "test_error" in result:
        losses.plot(time, result["test_error"], ":", color="C3", label="its test error")
        values, label = [*values, result["test_error"].values], f"{label}, test error"
    if np.isfinite(about["t_star"]) and about["t_star"] > 0:
        star = (about["t_star"], about["loss_at_t_star"] / start)
        losses.plot(
            *star, "*", color="C0", markersize=9, label=f"minimum, $c = \\lambda t_* = {about['constant']:.3g}$"
        )
    losses.set(xscale="log", yscale="log", xlabel="time $t$", ylabel=label)
    low = min(float(v[v > 0].min(initial=1.0)) for v in values)
    losses.set_ylim(max(low / 2, ROUNDING), 3)
    losses.set_xlim(time[0], time[-1])
    for i, gamma in enumerate(result["shown_eigenvalue"].values):
        ratio = f"$\\gamma/\\lambda = ${short(gamma / about['l2'])}" if about["l2"] else f"$\\gamma = ${short(gamma)}"
        modes.plot(time, result["mode_output"][i], color=f"C{i}", label=ratio)
    squared = about["loss_function"] == "mse"
    modes.set(xscale="log", xlabel="time $t$", ylabel=f"output of a mode / its {'label' if squared else 'first push'}")
    modes.set_xlim(time[0], time[-1])
    if squared:
        modes.set_ylim(0, 1.05)
    for axes in (losses, modes):
        axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=1 if axes is losses else 2)


def draw_spectrum(figure: Figure, result: xr.Dataset) -> None:
    """Eigenvalues by rank, and how much of the labels each mode and those after it have."""
    values, shares = figure.subplots(1, 2, sharex=True)
    gamma = result["eigenvalue"].values
    rank = np.arange(1, gamma.size + 1)
    shown = gamma > ROUNDING * gamma[0]
    style = {"marker": ".", "linestyle": "-", "linewidth": 0.6, "markersize": 3}
    values.plot(rank[shown], gamma[shown], color="C0", **style)
    if result.attrs["left_out"]:
        text = f"all others at most {short(result.attrs['left_out'])}"
        values.axhline(result.attrs["left_out"], color="C1", linestyle="--", linewidth=0.8, label=text)
        values.legend(loc="upper right")
    values.set(xscale="log", yscale="log", xlabel="mode", ylabel="eigenvalue $\\gamma$")
    rest = np.r_[1.0, 1 - result["label_share"].values[:-1]]
    seen = rest > ROUNDING
    shares.plot(rank[seen], rest[seen], color="C0", **style)
    shares.set(xscale="log", yscale="log", xlabel="mode", ylabel="share of $|y|^2$ from this mode on")
    for axis in (values.xaxis, values.yaxis, shares.yaxis):
        log_ticks(axis, *axis.get_view_interval())


def draw_budgets(figure: Figure, result: xr.Dataset) -> None:
    """The loss under the L2 of each budget, lowest at its end; and the L2 against the budget."""
    losses, choice = figure.subplots(1, 2)
    start = result.attrs["loss_at_start"] or 1.0
    for i, (budget, l2) in enumerate(zip(result["budget"].values, result["l2"].values, strict=True)):
        color = f"C{i % 5}"
        curve = result["loss"][i] / start
        losses.plot(result["time"], curve, color=color, label=f"$T = ${short(budget)}: $\\lambda = ${short(l2)}")
        losses.plot(budget, result["loss_at_end"][i] / start, "*", color=color, markersize=8)
    losses.set(xscale="log", yscale="log", xlabel="time $t$", ylabel="loss / loss at the start")
    losses.set_ylim(max(float(result["loss_at_end"].min()) / start / 3, ROUNDING), 3)
    line = result["line_budget"].values
    choice.plot(line, result["line_l2"], "-", color="C0", label="$\\lambda_{\\mathrm{pred}}(T)$")
    bound = result.attrs["faint_constant"]
    choice.plot(line, bound / line, "--", color="C1", linewidth=0.8, label=f"$c_0 / T$, $c_0 = {bound:.3g}$: above all")
    choice.plot(result["budget"], result["l2"], "*", color="C0", markersize=8)
    choice.set(xscale="log", yscale="log", xlabel="budget $T$", ylabel="$\\lambda$")
    choice.set_ylim(float(result["l2"].min()) / 30, 3 * bound / line[0])
    choice.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0))
    _legend(losses, result.sizes["budget"])


def _legend(axes: Axes, entries: int) -> None:
    if entries <= 8:
        axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=1 if entries <= 3 else 2)


DRAW = {
    "predict": Drawing(
        draw_training,
        (6.0, 3.2),
        "Left: training loss over gradient-flow time under L2, of the network and of the linear model with the same "
        "kernel at the start; a star where the loss is lowest; where there are samples to test with, the network's "
        "loss on them over that at the start, and of classes the fraction of them in the wrong one (test error). "
        "Right: outputs of a few modes, from the largest eigenvalue of the kernel to the smallest, relative to their "
        "labels; for losses other than the squared error to what first pushes them, the negative derivative of the "
        "loss at f = 0.",
    ),
    "spectrum": Drawing(
        draw_spectrum,
        (5.5, 2.6),
        "Left: eigenvalues of the kernel. Right: how much of the labels each mode and those after it have.",
    ),
    "lambda-pred": Drawing(
        draw_budgets,
        (6.0, 3.2),
        "Left: training loss under the L2 parameter chosen for each budget, lowest at its end (stars). Right: that L2 "
        "parameter against the budget, and the bound that holds for every kernel.",
    ),
}

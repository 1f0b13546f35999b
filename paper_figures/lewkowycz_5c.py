"""Fig. 5c of Lewkowycz and Gur-Ari 2020: training loss of a wide network under L2, of its linear model, and measured.

The theory is drawn from data alone. What a trained network did is read from the record of the experiment
`lewkowycz.kernel-vs-network` at the largest scale, and drawn beside it with the curves of its own kernel; without a
record there is none.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from linreg_dyn import ntk
from linreg_dyn.claims import records
from linreg_dyn.claims.core import Unmeasured
from linreg_dyn.ntk import datasets
from paper_figures.labels import wrapped

SIZE = (5.8, 3.2)
CLAIMS = ("lewkowycz.thm-1-f", "lewkowycz.thm-2", "lewkowycz.min-loss-time", "lewkowycz.min-loss-time.amended")
L2, SAMPLES, HIDDEN = 0.002, 200, 1
DEGREES = ((1, "C1", "--", "linear model, $k = 1$"), (2, "C2", "-", "network, $k = 2$"))
TIMES = np.geomspace(1e-2, 1e4, 401)
FOLDER = "LINREG_DYN_DATA"
EXPERIMENT = "lewkowycz.kernel-vs-network"
RECORDED = {"k=1": "linear", "k=2": "quadratic", "trained": "network"}  # arrays of a record, over its `t`
CAPTION = rf"""
    Training loss $\sum (f - y)^2 / 2$ against gradient-flow time under L2, $\lambda = {L2}$, on {SAMPLES} images with
    labels $+1$ (even) and $-1$ (odd): MNIST's where the folder that the variable LINREG_DYN_DATA names has
    mnist.npz, else those of scikit-learn's digits. Lines: the solution of eq. 3 with the infinite-width kernel of a
    ReLU network with one hidden layer, at $k = 2$ and, with the same kernel, at $k = 1$; the mean over random networks
    at the start, whose outputs are a Gaussian process. They agree until the linear model is almost trained; then the
    network forgets (star: its minimum), and its loss ends at that of $f = 0$. Right, where the experiment has been
    run: a network trained by gradient descent beside the two solutions with its own kernel at the start; where its
    $\lambda$, its images or widths are not those of the paper, the panel says so.
"""


class Theory(NamedTuple):
    """What the losses depend on: (mode,), (mode, 2) and (mode, 2)."""

    source: str
    eigenvalues: np.ndarray
    y_modes: np.ndarray
    f0_modes: np.ndarray


def draw(figure: Figure) -> None:
    """Draw the theory, and beside it a trained network if there is a record, into an empty figure."""
    record = measured()
    panels = figure.subplots(1, 1 if record is None else 2, sharey=True, squeeze=False)[0]
    _draw_theory(panels[0])
    if record is not None:
        _draw_record(panels[1], record)
    panels[0].set_ylabel(r"training loss $\Sigma\,(f - y)^2/2$")
    entries: dict[str, Any] = {}
    for axes in panels:
        axes.set(xscale="log", yscale="log", xlabel=r"gradient-flow time $t$ (steps $\times$ rate)")
        axes.margins(x=0)
        handles, labels = axes.get_legend_handles_labels()
        entries |= dict(zip(labels, handles, strict=True))
    figure.legend(entries.values(), entries.keys(), loc="outside upper center", ncols=4 if record is None else 2)


def theory() -> Theory:
    """The spectrum and the labels, as one output, and the random start, as another of label 0.

    The mean of the loss over starts with variances V_a is that of labels y_a learned from 0, plus that of starts
    sqrt(V_a) forgotten: the loss of two outputs.
    """
    path = Path(os.environ.get(FOLDER) or ".") / "mnist.npz"
    has = FOLDER in os.environ and path.is_file()
    samples = datasets.load(str(path) if has else "digits", target="even-odd", samples=SAMPLES, test=0, seed=0)
    nngp, kernel = ntk.infinite_width(samples.x, hidden_layers=HIDDEN, kind="both")
    found = ntk.spectrum(kernel, samples.y)
    vectors, y = found["eigenvector"].values, found["y_mode"].values
    spread = np.sqrt(np.einsum("sa,st,ta->a", vectors, nngp, vectors))
    zero = np.zeros_like(y)
    y_modes, f0_modes = np.stack([y, zero], axis=1), np.stack([zero, spread], axis=1)
    return Theory("MNIST" if has else "digits", found["eigenvalue"].values, y_modes, f0_modes)


def measured() -> dict[str, Any] | None:
    """The record at the largest scale, checked; None if there is none, ValueError if one is damaged."""
    try:
        return records.that_count(EXPERIMENT.__eq__).get(EXPERIMENT)
    except Unmeasured as error:
        raise ValueError(str(error)) from None


def _draw_theory(axes: Axes) -> None:
    known = theory()
    modes = (known.eigenvalues, known.y_modes)
    for degree, color, style, label in DEGREES:
        loss = ntk.loss_curve(TIMES, *modes, l2=L2, degree=degree, f0_modes=known.f0_modes)
        axes.plot(TIMES, loss, style, color=color, label=label)
    best = ntk.loss_minimum(*modes, l2=L2, degree=2, f0_modes=known.f0_modes)
    label = rf"minimum, $\lambda t_* = {best.constant:.2f}$"
    axes.plot([best.time], [best.loss], "*", color="k", markersize=7, label=label)
    axes.axvline(1 / L2, color="0.6", linestyle=":", linewidth=0.8, zorder=0)
    axes.annotate(
        r"$1/\lambda$", (1 / L2, 1), (-3, 0), ("data", "axes fraction"), "offset points", ha="right", va="top"
    )
    axes.set_title(f"{known.source}, infinite width")


def _draw_record(axes: Axes, record: dict[str, Any]) -> None:
    """The first seed of a record, under what its setting has else than the paper's."""
    losses = {name.removeprefix("0."): values for name, values in records.arrays(record).items()}
    for degree, color, style, label in DEGREES:
        axes.plot(losses["t"], losses[RECORDED[f"k={degree}"]], style, color=color, label=label)
    axes.plot(losses["t"], losses[RECORDED["trained"]], ":", color="C3", linewidth=1.6, label="trained network")
    axes.set_title(f"measured ({record['spec']['scale']}), finite width")
    # Losses begin high: below them, on the left, there is room.
    axes.text(0.02, 0.02, wrapped(record["differs"], 36), transform=axes.transAxes, fontsize=7, va="bottom")

"""The figures of one training run on regression data: how it went, and the line that was learned."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

TRAINING_SIZE = (5.5, 2.6)
FIT_SIZE = (4.0, 3.0)
MOST_LINES = 12
MOST_POINTS = 1000
TOP = 1e12


def draw_training(figure: Figure, result: xr.Dataset) -> None:
    """Loss and layer imbalance against the step, of every net, or their median and middle 80 %."""
    panels = figure.subplots(1, 2, sharex=True)
    steps = result.sizes["step"]
    shown = np.unique(np.linspace(0, steps - 1, min(steps, MOST_POINTS)).round().astype(int))
    thinned = result.isel(step=shown)
    for axes, name in zip(panels, ("loss", "layer_imbalance"), strict=True):
        _scale(axes, _lines(axes, thinned["step"].values, thinned[name].values))
        axes.set(xlabel="step", title={"loss": "loss $(W - 1)^2$"}.get(name, "layer imbalance $D$"))
    if panels[0].get_legend_handles_labels()[0]:
        figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper center", ncols=2)


def _lines(axes: Axes, step: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Draw the values (step, net), and return those that are seen."""
    if values.shape[1] <= MOST_LINES:
        axes.plot(step, values, "-", color="C1", linewidth=0.8)
        return values
    kept = np.isfinite(values).any(axis=1)
    step, values = step[kept], values[kept]
    low, middle, high = np.nanquantile(values, (0.1, 0.5, 0.9), axis=1)
    axes.fill_between(step, low, high, color="0.85", linewidth=0, label="10 to 90 % of nets")
    axes.plot(step, middle, "-", color="C1", linewidth=0.8, label="median")
    return np.stack([low, high])


def _scale(axes: Axes, values: np.ndarray) -> None:
    """Logarithmic where the values span more than a decade; else linear from 0. What diverges leaves it."""
    positive = values[values > 0]
    if positive.size and positive.max() > 10 * positive.min():
        axes.set_yscale("log")
        axes.set_ylim(min(positive.min(), TOP) / 2, min(positive.max(), TOP) * 2)
    else:
        axes.set_ylim(0, 1.05 * positive.max() if positive.size else None)


def draw_fit(figure: Figure, result: xr.Dataset) -> None:
    """The data, the least-squares line and the mean prediction of the nets, in the user's units."""
    axes = figure.add_subplot(xlabel=_plain(result.attrs["x_name"]), ylabel=_plain(result.attrs["y_name"]))
    order = np.argsort(result["x"].values)
    ends = order[[0, -1]]
    many = result.sizes["sample"] > 2000
    axes.plot(
        result["x"],
        result["y"],
        ".",
        color="0.55",
        markersize=1 if many else 3,
        rasterized=many,
        label="data",
    )
    axes.plot(result["x"][ends], result["least_squares"][ends], "-", color="C0", label="least squares")
    if np.isfinite(result["prediction"]).all():
        axes.plot(result["x"][ends], result["prediction"][ends], "--", color="C2", label="trained nets (mean)")
    figure.legend(loc="outside upper center", ncols=3)


def _plain(name: str) -> str:
    """A column name as it is: dollars would start mathematics."""
    return name.replace("$", r"\$")

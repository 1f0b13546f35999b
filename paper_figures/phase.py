"""Pictures of `linreg_dyn.phase`: the portrait of a plane of two layers, and maps over it."""

from __future__ import annotations

import textwrap
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LogNorm, to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FixedFormatter, FixedLocator, NullFormatter

PORTRAIT_SIZE = (6.6, 3.75)
MAP_SIZE = (5.0, 4.6)
FILLS = ("0.9", "0.78")
# Light to dark, so that they differ in grey too.
OUTCOME_COLORS = {
    "diverged": "#ffffff",
    "minimum_--": "#f0c05a",
    "minimum_++": "#0072b2",
    "minimum_+-": "#cc79a7",
    "minimum_-+": "#009e73",
    "elsewhere": "#b8b8b8",
    "stalled": "#d55e00",
    "origin": "#000000",
}
REST = "0.8"
COLORMAP = "viridis"
Box = tuple[float, float, float, float]


def draw_portrait(figure: Figure, result: xr.Dataset, box: Box, title: str) -> None:
    """Left: streamlines, minima, bands and sample trajectories. Right: where the starts end."""
    left, right = figure.subplots(1, 2, sharex=True, sharey=True)
    entries = [*_bands(left, result), *_streamlines(left, result), *_minima(left, result)]
    if "path" in result:
        entries += _paths(left, result["path"].transpose("trajectory", "step", "pair").values)
    _density(figure, right, result, box)
    for axes, heading in ((left, "mean velocity and trajectories"), (right, "where the starts end")):
        _plane_axes(axes, result, box)
        axes.set_title(heading)
    right.set_ylabel("")
    figure.suptitle(_wrapped(title, 130), fontsize=8.5)
    figure.legend(handles=entries, loc="outside lower center", ncols=4)


def _bands(axes: Axes, result: xr.Dataset) -> list[Any]:
    """Fill every band that does not fill the whole box; the first is the widest."""
    found = [result[name] for name in sorted(map(str, result.data_vars)) if name.startswith("band_")]
    found = [margin for margin in found if float(margin.min()) < 0 <= float(margin.max())]
    for fill, margin in zip(FILLS, found, strict=False):
        axes.contourf(result["first"], result["second"], margin, levels=[0, np.inf], colors=[fill], zorder=0)
    return [Patch(color=fill, label=margin.attrs["long_name"]) for fill, margin in zip(FILLS, found, strict=False)]


def _streamlines(axes: Axes, result: xr.Dataset) -> list[Any]:
    thin = result.isel(first=slice(None, None, 4), second=slice(None, None, 4))
    velocity = thin["velocity_first"].values, thin["velocity_second"].values
    look: Any = {"color": "0.45", "linewidth": 0.5}
    axes.streamplot(thin["first"].values, thin["second"].values, *velocity, density=1.1, arrowsize=0.5, **look)
    return [Line2D([], [], linestyle="-", **look, label="mean velocity")]


def _minima(axes: Axes, result: xr.Dataset) -> list[Any]:
    """The minima W = 1, dashed where steps of this rate cannot stay; and where the mean velocity turns."""
    at = result["first"].values, result["second"].values
    W = result["end_to_end"].values
    look: Any = {"colors": "C1", "zorder": 2}
    entries = [Line2D([], [], color="C1", linestyle="-", linewidth=1.8, label="minima $W = 1$")]
    stable = result["stable"].values > 0 if "stable" in result else np.ones(W.shape, dtype=bool)
    axes.contour(*at, np.where(stable, W, np.nan), levels=[1], linewidths=1.8, linestyles="-", **look)
    if _crosses(np.where(stable, np.nan, W)):
        axes.contour(*at, np.where(stable, np.nan, W), levels=[1], linewidths=1, linestyles="--", **look)
        entries.append(Line2D([], [], color="C1", linestyle="--", linewidth=1, label="unstable at this rate"))
    if "mean_residual" in result:
        g = result["mean_residual"].values
        axes.contour(*at, g, levels=[0], colors="C3", linewidths=1, linestyles=":", zorder=2)
        entries.append(Line2D([], [], color="C3", linestyle=":", linewidth=1, label="mean gradient 0"))
    return entries


def _crosses(W: np.ndarray) -> bool:
    return bool(np.nanmin(W, initial=1) < 1 < np.nanmax(W, initial=1))


def _paths(axes: Axes, paths: np.ndarray) -> list[Any]:
    """Sample trajectories, an array (trajectory, step, 2); what diverged has no end."""
    for path in paths:
        axes.plot(*path.T, "-", color="C0", linewidth=0.5, zorder=3)
        axes.plot(*path[0], "o", color="C0", markerfacecolor="white", markersize=3, zorder=4)
        axes.plot(*path[-1], "o", color="C2", markersize=3, zorder=5)
    return [
        Line2D([], [], color="C0", linestyle="-", linewidth=0.8, label="trajectory"),
        Line2D([], [], color="C0", linestyle="", marker="o", markerfacecolor="white", label="start"),
        Line2D([], [], color="C2", linestyle="", marker="o", label="end"),
    ]


def _density(figure: Figure, axes: Axes, result: xr.Dataset, box: Box) -> None:
    """How many starts end in each cell, logarithmic; the minima as a thin line below."""
    counts = result["end_count"].values
    at = result["first"].values, result["second"].values
    axes.contour(*at, result["end_to_end"].values, levels=[1], colors="0.6", linewidths=0.4, zorder=0)
    if not counts.any():
        axes.text(0.5, 0.5, "no start ends in the box", transform=axes.transAxes, ha="center")
        return
    shown = np.ma.masked_equal(counts, 0)
    low = max(1.0, float(np.quantile(counts[counts > 0], 0.02)))
    norm = LogNorm(vmin=low, vmax=max(10 * low, counts.max()))
    image = axes.imshow(
        shown, extent=box, origin="lower", aspect="auto", cmap=f"{COLORMAP}_r", norm=norm, interpolation="nearest"
    )
    figure.colorbar(image, ax=axes, label="starts that end in a cell", shrink=0.8, extend="min")


def draw_map(figure: Figure, result: xr.Dataset, name: str, box: Box, title: str) -> None:
    """One variable of a map: `outcome`, `diverged_step`, `critical_rate`, or an observable at the end."""
    axes = figure.add_subplot()
    entries = _outcomes(axes, result, box) if name == "outcome" else _values(figure, axes, result, name, box)
    if "learning_rate" in result.dims:
        _rate_axes(axes, result, box)
    else:
        _plane_axes(axes, result, box)
    figure.suptitle(_wrapped(title, 95), fontsize=8.5)
    if entries:
        figure.legend(handles=entries, loc="outside lower center", ncols=3)


def _outcomes(axes: Axes, result: xr.Dataset, box: Box) -> list[Any]:
    names = result["outcome"].attrs["flag_meanings"].split()
    palette = np.array([to_rgb(OUTCOME_COLORS[name]) for name in names])
    _image(axes, palette[result["outcome"].values], box)
    counts = np.bincount(result["outcome"].values.ravel(), minlength=len(names))
    return [
        Patch(facecolor=OUTCOME_COLORS[name], edgecolor="0.3", linewidth=0.4, label=_share(name, count, counts.sum()))
        for name, count in zip(names, counts, strict=True)
        if count
    ]


def _share(name: str, count: int, total: int) -> str:
    kind, _, signs = name.partition("_")
    shown = f"{100 * count / total:.3g} %" if count < total else "all"
    return f"{kind} ({signs.replace('-', '−')}): {shown}" if signs else f"{kind}: {shown}"


def _values(figure: Figure, axes: Axes, result: xr.Dataset, name: str, box: Box) -> list[Any]:
    """A colour for every positive value, logarithmic; white and grey for what has none."""
    values = result[name].values.astype(float)
    shown = np.isfinite(values) & (values > 0)
    # Diverged at the start is step 0: it belongs to the first colour.
    values = np.where(values == 0, 0.5, values) if name == "diverged_step" else values
    shown |= values == 0.5 if name == "diverged_step" else False
    image, entries = np.ones((*values.shape, 3)), []
    for mask, grey, label in _without_value(result, name, shown):
        if mask.any():
            image[mask] = to_rgb(grey)
            text = f"{label}: {100 * mask.mean():.3g} %"
            entries.append(Patch(facecolor=grey, edgecolor="0.3", linewidth=0.4, label=text))
    if shown.any():
        low, high = values[shown].min(), values[shown].max()
        norm = LogNorm(low, max(high, 1.01 * low))
        mappable = ScalarMappable(norm, COLORMAP)
        image[shown] = mappable.to_rgba(values[shown])[:, :3]
        figure.colorbar(mappable, ax=axes, label=result[name].attrs["long_name"].split(", at the end")[0], shrink=0.85)
    _image(axes, image, box)
    return entries


def _without_value(result: xr.Dataset, name: str, shown: np.ndarray) -> list[tuple[np.ndarray, str, str]]:
    """Masks, greys and labels of the starts that have no colour in a map of `name`."""
    if name == "critical_rate":
        values = result[name].values
        return [(values == -np.inf, "0.3", "every rate diverges"), (values == np.inf, "1", "no rate diverges")]
    names = result["outcome"].attrs["flag_meanings"].split()
    arrived = np.isin(result["outcome"].values, [names.index(n) for n in names if n.startswith("minimum")])
    diverged = result["outcome"].values == names.index("diverged")
    if name == "diverged_step":
        return [(arrived, "1", "at a minimum"), (~arrived & ~diverged, REST, "neither")]
    return [(diverged, "1", "diverged"), (~shown & ~diverged, REST, "zero or not finite")]


def _image(axes: Axes, rgb: np.ndarray, box: Box) -> None:
    """Colours are mixed where several cells share a dot of the picture, so that fine structure does not flicker."""
    axes.imshow((255 * rgb).round().astype(np.uint8), extent=box, origin="lower", aspect="auto", interpolation="auto")


def _plane_axes(axes: Axes, result: xr.Dataset, box: Box) -> None:
    first, second = (result[name].attrs["long_name"].split()[3] for name in ("first", "second"))
    axes.set(xlim=box[:2], ylim=box[2:], xlabel=f"$w_{{{first}}}$", ylabel=f"$w_{{{second}}}$")
    shape = (box[3] - box[2]) / (box[1] - box[0])
    if 0.5 <= shape <= 2:
        axes.set_aspect("equal")


def _rate_axes(axes: Axes, result: xr.Dataset, box: Box) -> None:
    """The vertical axis is the decimal logarithm of the rate: its ticks say the rate."""
    low, high = box[2:]
    decades = range(int(np.floor(low)), int(np.ceil(high)) + 1)
    wanted = (1,) if high - low > 3 else (1, 2, 5)
    labelled = [k * 10.0**n for n in decades for k in wanted if low <= np.log10(k * 10.0**n) <= high]
    between = [k * 10.0**n for n in decades for k in range(1, 10)]
    axes.yaxis.set_major_locator(FixedLocator(np.log10(labelled).tolist()))
    axes.yaxis.set_major_formatter(FixedFormatter([f"{rate:g}" for rate in labelled]))
    axes.yaxis.set_minor_locator(FixedLocator(np.log10(between).tolist()))
    axes.yaxis.set_minor_formatter(NullFormatter())
    (x, y), (x_end, y_end) = ((float(result[name][k]) for name in ("first", "second")) for k in (0, -1))
    first = result["first"].attrs["long_name"].split()[3]
    second = result["second"].attrs["long_name"].split()[3]
    shown, other, along = (first, second, f"{y:g} to {y_end:g}") if x != x_end else (second, first, f"{x:g}")
    label = f"$w_{{{shown}}}$ at the start ($w_{{{other}}}$ from {along})".replace(
        "from", "from" if "to" in along else "="
    )
    axes.set(xlim=box[:2], ylim=box[2:], xlabel=label, ylabel="learning rate")


def rate_box(result: xr.Dataset) -> tuple[float, float, float, float]:
    """The edges (left, right, bottom, top) of a map over rates: of the weight that varies, and of log10 rate."""
    first, second = result["first"].values, result["second"].values
    along = first if first[0] != first[-1] else second
    rates = np.log10(result["learning_rate"].values)
    half = [(values[-1] - values[0]) / (2 * max(1, len(values) - 1)) for values in (along, rates)]
    return along[0] - half[0], along[-1] + half[0], rates[0] - half[1], rates[-1] + half[1]


def _wrapped(title: str, width: int) -> str:
    return "\n".join(line for part in title.split("\n") for line in textwrap.wrap(part, width, break_long_words=False))

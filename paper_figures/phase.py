"""Pictures of `linreg_dyn.phase`: the portrait of a plane of two layers, and maps over it."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import ListedColormap, LogNorm, to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from paper_figures import labels

PORTRAIT_SIZE = (6.6, 3.75)
MAP_SIZE = (5.0, 4.6)
FILLS = ("0.9", "0.78")
# Light to dark, so that they differ in grey too.
OUTCOME_COLORS = {
    "diverged": "#ffffff",
    "minimum_--": "#f7dc8c",
    "elsewhere": "#bebebe",
    "minimum_+-": "#cc8ab2",
    "minimum_-+": "#00936b",
    "stalled": "#b84800",
    "minimum_++": "#00508f",
    "origin": "#000000",
}
REST = "0.8"
LARGE, TINY = 1e6, 1e-300
"""What contours are clipped at, far from their levels; what a velocity is divided by at least."""
DECADES, FEW = 8, 0.005
"""Colours span so many decades at most, or else all values but this part at either end."""
LABELS = {
    "diverged_step": "steps until divergence",
    "critical_rate": "learning rate at which divergence begins",
    "loss": "loss $(W - 1)^2$ at the end",
    "layer_imbalance": "layer imbalance $D$ at the end",
    "minimum_sharpness": r"$2\,\Sigma\,1/w_i^2$ at the end",
}
COLORMAP = "viridis"
Box = tuple[float, float, float, float]


def draw_portrait(figure: Figure, result: xr.Dataset, box: Box, title: str) -> None:
    """Left: streamlines, minima, bands and sample trajectories. Right: where the starts end."""
    left, right = figure.subplots(1, 2, sharex=True, sharey=True)
    entries = [*_bands(left, result), *_streamlines(left, result), *_minima(left, result)]
    if "path" in result:
        entries += _paths(left, result, box)
    entries += _equilibria(left, result, box)
    _density(figure, right, result)
    for axes, heading in ((left, "mean velocity and trajectories"), (right, "where the starts end")):
        _plane_axes(axes, result, box)
        axes.set_title(heading)
    right.set_ylabel("")
    figure.suptitle(labels.wrapped(title, 125), fontsize=8.5)
    figure.legend(handles=entries, loc="outside lower center", ncols=4)


def _bands(axes: Axes, result: xr.Dataset) -> list[Any]:
    """Fill every band that does not fill the whole box; the first is the widest."""
    found = [result[name] for name in sorted(map(str, result.data_vars)) if name.startswith("band_")]
    found = [margin for margin in found if float(margin.min()) < 0 < float(margin.max())]
    for fill, margin in zip(FILLS, found, strict=False):
        inside = np.clip(margin.values, -LARGE, LARGE)
        axes.contourf(result["first"], result["second"], inside, levels=[0, 2 * LARGE], colors=[fill], zorder=0)
        _level(axes, result, inside, 0, color="0.6", linewidth=0.5, linestyle="-")
    return [Patch(color=fill, label=margin.attrs["long_name"]) for fill, margin in zip(FILLS, found, strict=False)]


def _streamlines(axes: Axes, result: xr.Dataset) -> list[Any]:
    thin = result.isel(first=slice(None, None, 4), second=slice(None, None, 4))
    velocity = np.stack([thin["velocity_first"].values, thin["velocity_second"].values])
    velocity = np.ma.masked_invalid(velocity / max(np.abs(velocity).max(where=np.isfinite(velocity), initial=0), TINY))
    look: Any = {"color": "0.45", "linewidth": 0.5}
    if not velocity.any():  # also where none is finite
        return []
    axes.streamplot(thin["first"].values, thin["second"].values, *velocity, density=1.1, arrowsize=0.5, **look)
    return [Line2D([], [], linestyle="-", **look, label="mean velocity")]


def _minima(axes: Axes, result: xr.Dataset) -> list[Any]:
    """The minima W = 1, dashed where steps of this rate cannot stay; and where the mean gradient vanishes."""
    W = result["end_to_end"].values
    stable = result["stable"].values > 0 if "stable" in result else np.ones(W.shape, dtype=bool)
    solid: Any = {"color": "C1", "linestyle": "-", "linewidth": 1.4}
    dashed: Any = {"color": "C1", "linestyle": "--", "linewidth": 1.0}
    entries = _level(axes, result, np.where(stable, W, np.nan), 1, "minima $W = 1$", **solid)
    entries += _level(axes, result, np.where(stable, np.nan, W), 1, "minima, unstable at this rate", **dashed)
    if "mean_residual" in result:
        dotted: Any = {"color": "C3", "linestyle": ":", "linewidth": 1.0}
        entries += _level(axes, result, result["mean_residual"].values, 0, "mean gradient 0", **dotted)
    return entries


def _level(axes: Axes, result: xr.Dataset, values: np.ndarray, level: float, label: str = "", **look: Any) -> list[Any]:
    """Draw where `values` pass `level`, if they do; what the legend says of it."""
    values = np.clip(values, -LARGE, LARGE)
    if not np.nanmin(values, initial=np.inf) < level < np.nanmax(values, initial=-np.inf):
        return []
    contour: Any = {f"{name}s": value for name, value in look.items()}
    axes.contour(result["first"], result["second"], values, levels=[level], **contour, zorder=2)
    return [Line2D([], [], **look, label=label)]


def _paths(axes: Axes, result: xr.Dataset, box: Box) -> list[Any]:
    """Sample trajectories: what diverges is shown until it leaves the box, and has no end."""
    low, high = np.array(box[::2]), np.array(box[1::2])
    thin = 0.25 if result.attrs["random"] else 0.6
    lines: dict[str, dict[str, Any]] = {
        "trajectory": {"color": "C0", "linestyle": "-"},
        "diverges": {"color": "C4", "linestyle": "--"},
    }
    points: dict[str, Any] = {"color": "C0", "linestyle": "", "marker": "o", "markersize": 3}
    start: dict[str, Any] = points | {"markerfacecolor": "white", "label": "start"}
    end: dict[str, Any] = points | {"color": "C2", "label": "end"}
    drawn: dict[str, Line2D] = {}
    for path in result["path"].transpose("trajectory", "step", "pair").values:
        diverges = bool(np.isnan(path).any())
        inside = ((path >= low) & (path <= high)).all(axis=1)
        if diverges:
            path = path[: np.argmin(inside) + 1]
        elif inside[-1]:
            axes.plot(*path[-1], **end, zorder=5)
            drawn["end"] = Line2D([], [], **end)
        name = "diverges" if diverges else "trajectory"
        if np.isfinite(path[:2]).all():  # or else it diverges at once, and there is nothing to draw
            drawn[name] = Line2D([], [], linewidth=0.8, label=name, **lines[name])
        axes.plot(*path.T, **lines[name], linewidth=0.6 if diverges else thin, zorder=3)
        axes.plot(*path[0], **start, zorder=4)
    drawn["start"] = Line2D([], [], **start)
    return [drawn[name] for name in ("trajectory", "diverges", "start", "end") if name in drawn]


def _equilibria(axes: Axes, result: xr.Dataset, box: Box) -> list[Any]:
    """The equilibria under weight decay that lie in the box."""
    if "equilibrium" not in result:
        return []
    first, second = result["equilibrium"].transpose("pair", "point").values
    inside = (box[0] <= first) & (first <= box[1]) & (box[2] <= second) & (second <= box[3])
    stable = result["equilibrium_stable"].values
    entries = []
    for which, marker, label in ((stable, "*", "stable equilibrium"), (~stable, "X", "unstable equilibrium")):
        look: Any = {"linestyle": "", "marker": marker, "color": "C3", "markersize": 10, "markeredgecolor": "white"}
        look["markeredgewidth"] = 0.5
        if (inside & which).any():
            axes.plot(first[inside & which], second[inside & which], **look, zorder=3.5)
            entries.append(Line2D([], [], **look, label=label))
    return entries


def _density(figure: Figure, axes: Axes, result: xr.Dataset) -> None:
    """A dot for each cell in which starts end, coloured by how many; the minima as a thin line below."""
    counts = result["end_count"].transpose("end_first", "end_second").values
    _level(axes, result, result["end_to_end"].values, 1, color="0.6", linewidth=0.4, linestyle="-")
    first, second = np.nonzero(counts)
    if not len(first):
        axes.text(0.5, 0.5, "no start ends in the box", transform=axes.transAxes, ha="center")
        return
    found = counts[first, second]
    order = np.argsort(found)
    where = result["end_first"].values[first[order]], result["end_second"].values[second[order]]
    high = float(max(10, found.max()))
    low = max(1.0, min(float(np.quantile(found, 0.02)), high / 10))
    norm = LogNorm(low, high)
    colors = ListedColormap(colormaps[f"{COLORMAP}_r"](np.linspace(0.2, 1, 256)))
    points = 224 / max(counts.shape) if len(found) > 100 else 4.0  # as wide as a cell, or larger where there are few
    look: Any = {
        "zorder": 3,
        "s": points**2,
        "marker": "s" if len(found) > 100 else "o",
        "linewidths": 0,
        "rasterized": True,
    }
    dots = axes.scatter(*where, c=found[order], norm=norm, cmap=colors, **look)
    _bar(figure, axes, dots, found, "starts that end in a cell", shrink=0.8)


def draw_map(figure: Figure, result: xr.Dataset, name: str, box: Box, title: str) -> None:
    """One variable of a map: `outcome`, `diverged_step`, `critical_rate`, or an observable at the end."""
    axes = figure.add_subplot()
    entries = _outcomes(axes, result, box) if name == "outcome" else _values(figure, axes, result, name, box)
    if "learning_rate" in result.dims:
        _rate_axes(axes, result, box)
    else:
        _plane_axes(axes, result, box)
    figure.suptitle(labels.wrapped(title, 95), fontsize=8.5)
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
        found = values[shown]
        mappable = ScalarMappable(LogNorm(*_span(found)), COLORMAP)
        image[shown] = mappable.to_rgba(found)[:, :3]
        if found.max() > 1.01 * found.min():
            _bar(figure, axes, mappable, found, LABELS[name])
        else:
            entries.append(Patch(facecolor=image[shown][0], label=f"{LABELS[name]}: {labels.short(found[0])}"))
    _image(axes, image, box)
    return entries


def _span(values: np.ndarray) -> tuple[float, float]:
    """From where to where colours go: over all values, or without a few where those would take nearly all colours."""
    low, high = float(values.min()), float(values.max())
    if high > 10**DECADES * low:
        low, high = np.quantile(values, (FEW, 1 - FEW), method="nearest").tolist()
    return low, max(high, 1.01 * low)


def _bar(figure: Figure, axes: Axes, mappable: Any, values: np.ndarray, label: str, shrink: float = 0.85) -> None:
    """A bar of the colours, pointed where there are values beyond it."""
    low, high = mappable.get_clim()
    beyond = {(False, False): "neither", (True, False): "min", (False, True): "max", (True, True): "both"}
    extend: Any = beyond[bool(values.min() < low), bool(values.max() > high)]
    bar = figure.colorbar(mappable, ax=axes, label=label, shrink=shrink, extend=extend)
    labels.log_ticks(bar.ax.yaxis, low, high)


def _without_value(result: xr.Dataset, name: str, shown: np.ndarray) -> list[tuple[np.ndarray, str, str]]:
    """Masks, greys and labels of the starts that have no colour in a map of `name`."""
    if name == "critical_rate":
        values = result[name].values
        return [(values == -np.inf, "0.3", "every rate diverges"), (values == np.inf, "1", "no rate diverges")]
    names = result["outcome"].attrs["flag_meanings"].split()
    arrived = np.isin(result["outcome"].values, [names.index(n) for n in names if n.startswith("minimum")])
    diverged = result["outcome"].values == names.index("diverged")
    if name == "diverged_step":
        return [(arrived, "1", "at a minimum"), (~arrived & ~diverged, REST, "neither diverged nor at a minimum")]
    return [(diverged, "1", "diverged"), (~shown & ~diverged, REST, "zero or not finite")]


def _image(axes: Axes, rgb: np.ndarray, box: Box) -> None:
    """Colours are mixed where several cells share a dot of the picture, so that fine structure does not flicker."""
    axes.imshow((255 * rgb).round().astype(np.uint8), extent=box, origin="lower", aspect="auto", interpolation="auto")


def _plane_axes(axes: Axes, result: xr.Dataset, box: Box) -> None:
    first, second = (result[name].attrs["long_name"].split()[3] for name in ("first", "second"))
    x = labels.plain_ticks(axes.xaxis, *box[:2], f"w_{{{first}}}")
    y = labels.plain_ticks(axes.yaxis, *box[2:], f"w_{{{second}}}")
    axes.set(xlim=box[:2], ylim=box[2:], xlabel=f"${x}$", ylabel=f"${y}$")
    shape = (box[3] - box[2]) / (box[1] - box[0])
    if 0.5 <= shape <= 2:
        axes.set_aspect("equal")


def _rate_axes(axes: Axes, result: xr.Dataset, box: Box) -> None:
    """The vertical axis is the decimal logarithm of the rate: its ticks say the rate."""
    labels.log_ticks(axes.yaxis, 10 ** box[2], 10 ** box[3], of_log=True)
    first, second = (result[name].attrs["long_name"].split()[3] for name in ("first", "second"))
    (x, x_end), (y, y_end) = (result[name].values[[0, -1]].tolist() for name in ("first", "second"))
    if x == x_end:
        varies, other = second, f"$w_{{{first}}} = {x:g}$"
    elif y == y_end:
        varies, other = first, f"$w_{{{second}}} = {y:g}$"
    else:
        varies, other = first, f"$w_{{{second}}}$ from ${y:g}$ to ${y_end:g}$"
    shown = labels.plain_ticks(axes.xaxis, *box[:2], f"w_{{{varies}}}")
    axes.set(xlim=box[:2], ylim=box[2:], xlabel=f"${shown}$ at the start ({other})", ylabel="learning rate")


def rate_box(result: xr.Dataset) -> tuple[float, float, float, float]:
    """The edges (left, right, bottom, top) of a map over rates: of the weight that varies, and of log10 rate."""
    first, second = result["first"].values, result["second"].values
    along = first if first[0] != first[-1] else second
    rates = np.log10(result["learning_rate"].values)
    half = [(values[-1] - values[0]) / (2 * (len(values) - 1)) for values in (along, rates)]
    return along[0] - half[0], along[-1] + half[0], rates[0] - half[1], rates[-1] + half[1]

"""What a mode has learned, in the plane of gamma/lambda and lambda t: a wide network and a linear model."""

from __future__ import annotations

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.contour import QuadContourSet
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke

from linreg_dyn import ntk
from paper_figures.labels import short

SIZE = (6.0, 3.5)
CLAIMS = (
    "lewkowycz.thm-2",
    "lewkowycz.two-timescales",
    "lewkowycz.two-timescales.amended",
    "lewkowycz.decay-time-depth.amended",
    "lewkowycz.min-loss-time.amended",
    "lewkowycz.k1-ridge",
)
CAPTION = r"""
    Output of a mode relative to its label, from $f(0) = 0$, by eq. 3: a function of $\gamma/\lambda$, $\lambda t$ and
    $k$ alone. Shades: logarithmic in $f$ where little is learned and in $1 - f$ where little is missing. A network
    with one hidden layer ($k = 2$) learns modes with $\gamma \gg k\lambda$ at $t = 1/\gamma$ and forgets them when
    their kernel $\gamma e^{-2\lambda t}$ has fallen to $k\lambda$, at $t = \log(\gamma/k\lambda) / 2\lambda$. Along
    the solid line a mode is nearest to its label: at $t = 1/2\lambda$ for $\gamma \ll \lambda$, but at $t \approx
    (2/\gamma) \log(\gamma / 2\lambda)$, far below $1/\lambda$, for those that are learned. The linear model ($k = 1$)
    with the same kernel goes to $\gamma/(\gamma + \lambda)$ and stays.
"""
DEGREES = ((2, "network, $k = 2$"), (1, "linear model, $k = 1$"))
RATIOS, TIMES = np.geomspace(1e-4, 1e4, 161), np.geomspace(1e-6, 1e2, 161)  # gamma/lambda, lambda t
LEVELS = (1e-5, 1e-4, 1e-3, 1e-2, 0.1, 0.5, 0.9, 0.99, 0.999)
SCALES = ((lambda g: 1 / g, "--", r"$t = 1/\gamma$"), (lambda g: np.ones_like(g), ":", r"$t = 1/\lambda$"))


def draw(figure: Figure) -> None:
    """Draw the plane for both degrees into an empty figure."""
    panels = figure.subplots(1, len(DEGREES), sharex=True, sharey=True)
    for axes, (degree, title) in zip(panels, DEGREES, strict=True):
        filled = _learned(axes, degree)
        _lines(axes, degree)
        axes.set(xscale="log", yscale="log", xlabel=r"$\gamma/\lambda$", title=title)
        axes.set(xlim=RATIOS[[0, -1]], ylim=TIMES[[0, -1]])
    panels[0].set_ylabel(r"$\lambda t$")
    bar = figure.colorbar(filled, ax=panels, label="$f/y$", pad=0.02)
    bar.set_ticks(_logit(np.array(LEVELS)).tolist(), labels=[short(level) for level in LEVELS])
    handles, names = panels[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside upper center", ncols=3)


def _learned(axes: Axes, degree: float) -> QuadContourSet:
    """Shades of f/y, equally spaced in its logit."""
    f = ntk.mode_weights(TIMES[:, np.newaxis], RATIOS, l2=1.0, degree=degree)[1]
    colors = colormaps["YlGnBu"](np.linspace(0, 0.8, len(LEVELS) + 1))
    with np.errstate(divide="ignore"):
        height = np.clip(_logit(f), -20, 20)
    return axes.contourf(RATIOS, TIMES, height, _logit(np.array(LEVELS)), colors=colors, extend="both")


def _lines(axes: Axes, degree: float) -> None:
    """The time scales, and where f is largest, if it ever falls."""
    outlined = [withStroke(linewidth=2.4, foreground="white")]
    for scale, style, label in SCALES:
        axes.plot(RATIOS, scale(RATIOS), "k", linestyle=style, linewidth=1, path_effects=outlined, label=label)
    if degree > 1:
        nearest = [ntk.loss_minimum([ratio], [1.0], l2=1.0, degree=degree, threads=1).time for ratio in RATIOS]
        axes.plot(RATIOS, nearest, "k-", linewidth=1.2, path_effects=outlined, label="nearest to the label")


def _logit(f: np.ndarray) -> np.ndarray:
    return np.log(f) - np.log1p(-f)

"""Fig. 1 of Ginsburg: contours of the loss of a two-layer net, and its minima on the hyperbola w1 w2 = 1."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from linreg_dyn import rules

SIZE = (3.5, 3.6)
CLAIMS = ("ginsburg.normalized-loss", "ginsburg.flat-is-balanced")
CAPTION = r"""
    Contours of the loss $L(w_1, w_2) = (w_1 w_2 - 1)^2$ of a linear net with two layers. All minima are
    global and lie on the hyperbola $w_1 w_2 = 1$ (thick line). The balanced minima $(1, 1)$ and $(-1, -1)$
    (discs) are the flattest; towards the axes the minima grow sharp. The origin (cross) is a saddle.
"""
SPAN = 3.0
LEVELS = (0.1, 0.5, 2, 5, 10, 20, 50)


def draw(figure: Figure) -> None:
    """Draw Fig. 1 into an empty figure."""
    limits = (-SPAN, SPAN)
    axes = figure.add_subplot(aspect="equal", xlabel="$w_1$", ylabel="$w_2$", xlim=limits, ylim=limits)
    w1, w2 = np.meshgrid(*[np.linspace(-SPAN, SPAN, 401)] * 2)
    loss = rules.gradient_descent(rules.end_to_end([w1, w2])) ** 2
    greys = [str(level) for level in np.linspace(0.99, 0.72, len(LEVELS) + 1)]
    axes.contourf(w1, w2, loss, levels=(0, *LEVELS, 101), colors=greys)
    lines = axes.contour(w1, w2, loss, levels=LEVELS, colors="0.35", linewidths=0.5)
    rising = [(s, s) for s in np.sqrt(1 + np.sqrt(LEVELS)) if s < SPAN]
    falling = [(-s, s) for s in np.sqrt(np.sqrt(LEVELS[2:]) - 1)]
    axes.clabel(lines, fmt="%g", fontsize=7, manual=rising[1:] + falling)  # on the diagonals, off the edges
    minima(axes, both=True)
    axes.plot([1, -1], [1, -1], "o", color="C2", markersize=5, label="flattest minima", zorder=4)
    axes.plot([0], [0], "x", color="black", label="saddle", zorder=4)
    figure.legend(loc="outside upper center", ncols=3, handlelength=1.5)


def minima(axes: Axes, *, both: bool = False) -> None:
    """The hyperbola of minima, `w1 w2 = 1`: its positive branch, or both."""
    w = np.geomspace(1 / (2 * SPAN), 2 * SPAN, 200)
    axes.plot(w, 1 / w, "-", color="C1", linewidth=2, label="minima")
    if both:
        axes.plot(-w, -1 / w, "-", color="C1", linewidth=2)

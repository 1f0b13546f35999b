"""Fig. 1 of Ginsburg: contours of the loss of a two-layer net, and its minima on the hyperbola w1 w2 = 1."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from linreg_dyn import rules

SIZE = (3.6, 3.5)
CLAIMS = ("ginsburg.normalized-loss", "ginsburg.flat-is-balanced")
CAPTION = (
    r"Contours of the loss $L(w_1, w_2) = (w_1 w_2 - 1)^2$ of a linear net with two layers. All minima are global and "
    r"lie on the hyperbola $w_1 w_2 = 1$ (thick). The balanced minima $(1, 1)$ and $(-1, -1)$ (dots) are the flattest; "
    r"towards the axes minima grow sharp. The origin (cross) is a saddle."
)
SPAN = 3.0
LEVELS = (0.1, 0.3, 1, 3, 10, 30)


def draw(figure: Figure) -> None:
    """Draw Fig. 1 into an empty figure."""
    axes = figure.add_subplot(
        aspect="equal", xlabel="$w_1$", ylabel="$w_2$", xlim=(-SPAN, SPAN), ylim=(-SPAN, SPAN)
    )
    w1, w2 = np.meshgrid(*[np.linspace(-SPAN, SPAN, 401)] * 2)
    loss = rules.gradient_descent(rules.end_to_end([w1, w2])) ** 2
    axes.contourf(w1, w2, loss, levels=(0, *LEVELS, 1000), cmap="Greys", norm="symlog", alpha=0.55)
    lines = axes.contour(w1, w2, loss, levels=LEVELS, colors="0.35", linewidths=0.5)
    axes.clabel(lines, fmt="%g", fontsize=7)
    draw_minima(axes)
    axes.plot([1, -1], [1, -1], "o", color="C2", label="flattest minima", zorder=4)
    axes.plot([0], [0], "x", color="black", label="saddle", zorder=4)
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, 1.12), ncols=3, handlelength=1.5)


def draw_minima(axes) -> None:
    """Both branches of w1 w2 = 1."""
    w = np.geomspace(1 / (2 * SPAN), 2 * SPAN, 200)
    axes.plot(w, 1 / w, "-", color="C1", linewidth=1.8, label="minima")
    axes.plot(-w, -1 / w, "-", color="C1", linewidth=1.8)

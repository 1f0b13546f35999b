"""The equilibria of gradient flow with weight decay, against the decay, at several depths."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from linreg_dyn import equilibria

SIZE = (5.5, 2.3)
CLAIMS = ("ginsburg.wd-flow", "ginsburg.wd-equilibria")
CAPTION = r"""
    The equilibria of gradient flow on the loss with weight decay, $(W - 1)^2 + \mu \sum w_i^2$; they are
    balanced, $|w_1| = \dots = |w_d| = w$. Solid: stable. Dashed: unstable. All but the origin solve
    $w^{d-2} (1 - w^d) = \mu$. One layer keeps its equilibrium at every decay. With two it meets the origin
    at $\mu_c = 1$ (a pitchfork, with its mirror image). From three layers on a stable and an unstable
    branch meet at $\mu_c$ (a saddle-node, disc); beyond it only the origin, stable for every $\mu > 0$, is
    left.
"""
DEPTHS = (1, 2, 3, 5)
LARGEST = 1.25


def draw(figure: Figure) -> None:
    """Draw one panel for each depth into an empty figure."""
    panels = figure.subplots(1, len(DEPTHS), sharex=True, sharey=True)
    for axes, depth in zip(panels, DEPTHS, strict=True):
        _branches(axes, depth)
        if depth > 1:
            _critical(axes, depth)
        axes.set_title("1 layer" if depth == 1 else f"{depth} layers")
    panels[0].set(xlim=(0, LARGEST), ylim=(-0.04, 1.08), ylabel="$w$ at equilibrium", xticks=(0, 0.5, 1))
    figure.supxlabel(r"weight decay $\mu$", fontsize=9)
    handles, labels = panels[2].get_legend_handles_labels()
    entries = dict(zip(labels, handles, strict=True))
    figure.legend(entries.values(), entries.keys(), loc="outside upper center", ncols=3)


def _branches(axes: Axes, depth: int) -> None:
    """Every branch, solid where stable and dashed where not; the decays crowd at 0 and the critical one."""
    critical = min(float(equilibria.critical_decay(depth)), LARGEST)
    below = critical * np.concatenate((np.geomspace(1e-9, 1e-2, 20), 1 - np.linspace(0.99, 0, 60)[:-1] ** 2))
    mu = np.concatenate((np.sort(below), [critical * (1 - 1e-9), critical * (1 + 1e-9), LARGEST]))
    table = equilibria.bifurcation(depth, mu)
    for stable, style, color in ((True, "-", "C0"), (False, "--", "C2")):
        w = table["weight"].where(table["exists"] & (table["stable"] == stable))
        for branch in w.transpose("branch", "weight_decay").values[::-1]:
            if np.isfinite(branch).any():
                axes.plot(mu, branch, style, color=color, label="stable" if stable else "unstable")


def _critical(axes: Axes, depth: int) -> None:
    mu = float(equilibria.critical_decay(depth))
    w = ((depth - 2) / (2 * depth - 2)) ** (1 / depth)
    axes.plot([mu], [w], "o", color="C1", label=r"$\mu_c$", zorder=4)
    offset, side = ((-6, 6), "right") if depth == 2 else ((6, 6), "left")
    axes.annotate(f"$\\mu_c = {mu:.3g}$", (mu, w), offset, textcoords="offset points", ha=side)

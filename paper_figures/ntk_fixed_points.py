"""Fixed points of deep linear networks under L2, against the L2 parameter, and where gradient descent ends."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from linreg_dyn import ntk

SIZE = (5.5, 2.8)
CLAIMS = (
    "lewkowycz.dln-fixed-point",
    "lewkowycz.dln-fixed-point-scaling.amended",
    "lewkowycz.dln-fixed-point-small.amended",
    "lewkowycz.dln-fixed-point-l1.amended",
)
CAPTION = r"""
    The output $f$ at the fixed points of deep linear networks with $L$ hidden layers of $n$ units in NTK
    parameterisation, trained on one sample $x = y = 1$ under MSE with the L2 term $\frac\lambda2 |\theta|^2$.
    Solid: stable. Dashed: saddles. In $\lambda n^{L/(L+1)}$ they are the same at every width: all but zero solve
    $\lambda^{L+1} n^L = f^{L-1} (1 - f)^{L+1}$. With one hidden layer the fixed point meets zero at the critical
    value (disc); with more it meets a saddle at $f = (L-1)/(2L)$, and beyond it training collapses to zero. Zero
    is stable at every $\lambda > 0$ from two hidden layers on. Marks: where gradient descent on all the matrices
    ends, from three random starts of the usual size, normal with variance 1, at each of two widths, and
    from three with standard deviation $0.2$: from two hidden layers on many of those collapse below the
    critical value, too, unless $\lambda$ is small.
"""
HIDDEN = (1, 2, 3)
STARTS = (  # width, standard deviation of the weights, how they are drawn
    (4, 1.0, "x", "C1", "descent, $n = 4$"),
    (9, 1.0, "+", "C3", "descent, $n = 9$"),
    (9, 0.2, "s", "C4", "from small weights"),
)
ONE = {"x": [1.0], "y": [1.0]}
REACH = 1.35  # the largest L2 drawn, in critical ones
FRACTIONS = (0.15, 0.35, 0.55, 0.75, 0.9, 1.2)
RATE, DECAYS = 0.2, 80  # learning rate; steps * rate * l2


def draw(figure: Figure) -> None:
    """Draw one panel for each depth into an empty figure."""
    panels = figure.subplots(1, len(HIDDEN), sharey=True)
    for axes, hidden in zip(panels, HIDDEN, strict=True):
        critical = ntk.critical_l2(**ONE, hidden_layers=hidden, width=1)
        _curves(axes, hidden, critical)
        _trained(axes, hidden)
        axes.set(xlim=(0, REACH * critical), title=f"{hidden} hidden layer{'s' * (hidden > 1)}")
    panels[0].set(ylim=(-0.06, 1.06), ylabel="$f$ at the fixed point", yticks=(0, 0.5, 1))
    figure.supxlabel(r"$\lambda\, n^{L/(L+1)}$", fontsize=9)
    handles, labels = panels[-1].get_legend_handles_labels()
    entries = dict(zip(labels, handles, strict=True))
    figure.legend(entries.values(), entries.keys(), loc="outside upper center", ncols=3)


def _curves(axes: Axes, hidden: int, critical: float) -> None:
    """The fixed points at width 1, where lambda is the scaled one; solid where stable and dashed where not."""
    curve = ntk.fixed_point_curve(**ONE, effective_ridge=np.geomspace(1e-6, 1e9, 3001), hidden_layers=hidden, width=1)
    stable = curve["stable"].values
    for is_stable, style, color, label in ((True, "-", "C0", "stable"), (False, "--", "C2", "saddle")):
        here = stable == is_stable
        if here.any():
            axes.plot(curve["l2"][here], curve["prediction"][here, 0], style, color=color, label=label)
    first = critical if hidden == 1 else 0  # zero is stable from here on
    axes.plot([first, REACH * critical], [0, 0], "-", color="C0")
    if first:
        axes.plot([0, first], [0, 0], "--", color="C2")
    axes.plot([critical], [(hidden - 1) / (2 * hidden)], "o", color="k", markersize=3, label="critical", zorder=4)


def _trained(axes: Axes, hidden: int) -> None:
    for width, std, marker, color, label in STARTS:
        shape, scale = {"hidden_layers": hidden, "width": width}, width ** (hidden / (hidden + 1))
        ends = []
        for fraction in FRACTIONS:
            l2 = fraction * ntk.critical_l2(**ONE, **shape)
            steps = round(DECAYS / (RATE * l2))
            run = ntk.train_deep_linear(
                **ONE, **shape, l2=l2, learning_rate=RATE, steps=steps, runs=3, record_every=steps, weight_std=std
            )
            ends += [(l2 * scale, float(f)) for f in run["linear_map"][:, -1, 0]]
        axes.plot(*np.transpose(ends), marker, color=color, markersize=5, fillstyle="none", label=label, zorder=5)

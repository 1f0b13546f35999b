"""Fig. 5a of Lewkowycz and Gur-Ari 2020: two modes of a wide network under L2, one learned and one not."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from linreg_dyn import ntk

SIZE = (3.6, 2.9)
CLAIMS = (
    "lewkowycz.thm-2",
    "lewkowycz.thm-2-decay",
    "lewkowycz.two-timescales",
    "lewkowycz.two-timescales.amended",
    "lewkowycz.min-loss-time.amended",
)
DEGREE, L2, START = 2, 0.01, 0.5  # the start is relative to the label; the paper does not print its own
MODES = ((100.0, "C1", r"$\gamma/\lambda = 100$"), (0.01, "C2", r"$\gamma/\lambda = 0.01$"))
TIMES = np.geomspace(1e-2, 1e4, 601)
CAPTION = rf"""
    Two modes of an infinitely wide network with one hidden layer ($k = {DEGREE}$) under L2, $\lambda = {L2}$, by eq. 3
    in closed form, from $f(0) = y/2$. With $\gamma \gg k\lambda$ the mode approaches its label at $t \sim 1/\gamma$,
    is nearest to it at the star, well before $1/\lambda$, and is forgotten when its kernel $\gamma e^{{-2\lambda t}}$
    has fallen to $k\lambda$: later than $1/\lambda$ by the logarithm of $\gamma/\lambda$. With $\gamma \ll \lambda$
    nothing is learned, and the start decays as $e^{{-k\lambda t}}$.
"""


def draw(figure: Figure) -> None:
    """Draw both modes over time into an empty figure."""
    draw_modes(figure, DEGREE)


def draw_modes(figure: Figure, degree: float) -> None:
    """The modes relative to their labels, the two time scales, and of a network where the learned one is nearest."""
    axes = figure.subplots()
    for ratio, color, label in MODES:
        f = ntk.mode_solution(TIMES, ratio * L2, START, 1.0, l2=L2, degree=degree)
        axes.plot(TIMES, f, color=color, linestyle="-" if ratio > 1 else "--", label=label)
    learned = MODES[0][0] * L2
    for time, name in ((1 / learned, r"$1/\gamma$"), (1 / L2, r"$1/\lambda$")):
        axes.axvline(time, color="0.6", linestyle=":", linewidth=0.8, zorder=0)
        axes.annotate(name, (time, 1), (0, 1), ("data", "axes fraction"), "offset points", ha="center", va="bottom")
    axes.axhline(1, color="0.6", linestyle=":", linewidth=0.8, zorder=0)
    best = ntk.loss_minimum([learned], [1.0], l2=L2, degree=degree, f0_modes=[START])
    if best.where == "interior":
        f = ntk.mode_solution(best.time, learned, START, 1.0, l2=L2, degree=degree)
        label = rf"nearest: $\lambda t_* = {best.constant:.2f}$"
        axes.plot([best.time], [f], "*", color="k", markersize=7, label=label)
    axes.set(xscale="log", xlim=(TIMES[0], TIMES[-1]), ylim=(-0.04, 1.12), yticks=(0, 0.5, 1))
    axes.set(xlabel="gradient-flow time $t$", ylabel="$f/y$")
    figure.legend(loc="outside upper center", ncols=3, columnspacing=1.2, handlelength=2)

"""When the loss is lowest, for spectra that are powers: the constant c of t* = c / lambda, and where there is none."""

from __future__ import annotations

from functools import lru_cache
from itertools import product

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from linreg_dyn import ntk
from linreg_dyn.ntk.power_law import time_exponent
from linreg_dyn.ntk.predictions import faint_constant

SIZE = (6.0, 3.2)
CLAIMS = ("lewkowycz.min-loss-time", "lewkowycz.min-loss-time.amended")
ALPHA = 2
DEGREES = ((2, "-"), (4, "--"))
COUNTS = ((100, "o"), (3000, "+"))
MARKED = np.arange(-1.5, 3.01, 0.25)
INSIDE = 2 - np.linspace(3 ** (1 / 3), 0, 18)[1:-1] ** 3  # near 2, c falls about as the cube root of 2 - rho
MODES, DEGREE = 300, 2
LAWS = ((0.5, "-", "o"), (1.25, "--", "s"), (4.0, "-.", "^"))
MEANT = (float(MODES) ** -ALPHA, 1.0)  # where laws of infinitely many modes can hold: between gamma_N and gamma_1
MARKED_L2S = np.geomspace(1e-8, 1e2, 21)
CAPTION = rf"""
    When the loss of a wide network that starts at $f = 0$ is lowest, for eigenvalues $\gamma_a = a^{{-\alpha}}$ and
    power of the labels $y_a^2 = a^{{-\beta}}$; $\rho = (\beta - 1)/\alpha$. Left: $c = \lambda t_*$. Lines: the limit
    $\gamma_N \ll \lambda \ll \gamma_1$, for $-1 < \rho < 2$ from rigorous enclosures of $c$; at $\rho \le -1$ modes
    with $\gamma \ll \lambda$ decide: $c = \log(2(k-1)/k)/(k-2)$; from $\rho = 2$ on $\lambda t_*$ tends to zero with
    $\lambda$. Marks: finite spectra, $\alpha = {ALPHA}$, at $\lambda = \sqrt{{\gamma_1 \gamma_N}}$; they converge
    slowly near $\rho = 2$. Right: $\lambda t_*$ against $\lambda$ at $k = {DEGREE}$. Marks: {MODES} modes. Lines: the
    laws $t_* = c/\lambda$ and, for $\rho > 2$, $t_* \propto \lambda^{{-3/(1 + \rho)}}$. A minimum at a time
    proportional to $1/\lambda$ takes a power law with $\rho < 2$ and $\lambda$ between $\gamma_N$ and $\gamma_1$, or
    $\lambda \gg \gamma_1$, where nothing is learned and $c = 1/2$; with $\lambda \ll \gamma_N$, $t_*$ grows as a
    logarithm.
"""


def draw(figure: Figure) -> None:
    """Draw the constant and the laws into an empty figure."""
    constants, times = figure.subplots(1, 2)
    _constants(constants)
    _laws(times)


@lru_cache
def enclosed(degree: float) -> tuple[float, ...]:
    """c at every rho of `INSIDE`, middles of enclosures to 20 bits."""
    return tuple(float(ntk.power_law_constant(rho, degree=degree, precision=20).mid()) for rho in INSIDE)


@lru_cache
def time_of(rho: float, modes: int, l2: float, degree: float) -> float:
    """t* of a finite spectrum with largest eigenvalue 1."""
    a = np.arange(1, modes + 1.0)
    beta = 1 + ALPHA * rho
    return ntk.loss_minimum(a**-ALPHA, a ** (-beta / 2), l2=l2, degree=degree, threads=1).time


def _constants(axes: Axes) -> None:
    for color, (degree, style) in enumerate(DEGREES):
        first = faint_constant(degree)
        rho = np.r_[MARKED[0] - 1, -1, INSIDE, 2, MARKED[-1] + 1]
        axes.plot(rho, [first, first, *enclosed(degree), 0, 0], style, color=f"C{color}", label=f"$k = {degree}$")
    for (color, (degree, _)), (modes, mark) in product(enumerate(DEGREES), COUNTS):
        l2 = float(modes) ** (-ALPHA / 2)
        c = [l2 * time_of(rho, modes, l2, degree) for rho in MARKED]
        label = f"{modes} modes" if color == 0 else None
        axes.plot(MARKED, c, mark, color=f"C{color}", fillstyle="none", label=label)
    axes.set(xlabel=r"$\rho = (\beta - 1)/\alpha$", ylabel=r"$c = \lambda t_*$", ylim=(-0.02, 0.56))
    axes.set_xlim(MARKED[0] - 0.1, MARKED[-1] + 0.1)
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2)


def _laws(axes: Axes) -> None:
    l2s = np.geomspace(*MEANT, 61)
    for color, (rho, style, mark) in enumerate(LAWS):
        at_one = ntk.power_law_time(ALPHA, 1 + ALPHA * rho, l2=1.0, degree=DEGREE)
        axes.plot(l2s, at_one * l2s ** (1 - time_exponent(rho)), style, color=f"C{color}", linewidth=1)
        found = [l2 * time_of(rho, MODES, l2, DEGREE) for l2 in MARKED_L2S]
        label = rf"$\rho = {rho:g}$"
        axes.plot(MARKED_L2S, found, mark, color=f"C{color}", fillstyle="none", label=label)
    for edge, name in zip(MEANT, (r"$\gamma_N$", r"$\gamma_1$"), strict=True):
        axes.axvline(edge, color="0.6", linestyle=":", linewidth=0.8, zorder=0)
        axes.annotate(name, (edge, 1), (-2, 0), ("data", "axes fraction"), "offset points", ha="right", va="top")
    axes.set(xscale="log", xlabel=r"$\lambda$ (with $\gamma_1 = 1$)", ylabel=r"$\lambda t_*$", ylim=(-0.02, 0.56))
    axes.set_xlim(MARKED_L2S[0] / 2, MARKED_L2S[-1] * 2)
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=len(LAWS), handletextpad=0)

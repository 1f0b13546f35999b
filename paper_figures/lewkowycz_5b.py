"""Fig. 5b of Lewkowycz and Gur-Ari 2020: the modes of Fig. 5a in a linear model."""

from __future__ import annotations

from matplotlib.figure import Figure

from paper_figures.lewkowycz_5a import L2, draw_modes

SIZE = (3.6, 2.9)
CLAIMS = ("lewkowycz.two-timescales", "lewkowycz.k1-ridge")
DEGREE = 1
CAPTION = rf"""
    The modes of Fig. 5a in a linear model ($k = {DEGREE}$), $\lambda = {L2}$, from $f(0) = y/2$. Its kernel stands
    still: each mode goes to $\gamma / (\gamma + \lambda)$ of its label, that of ridge regression, at the rate $\gamma
    + \lambda$, and stays. What is learned is never forgotten; and with $\gamma \ll \lambda$ the mode decays at
    $1/\lambda$, not to zero but to a hundredth of its label.
"""


def draw(figure: Figure) -> None:
    """Draw both modes over time into an empty figure."""
    draw_modes(figure, DEGREE)

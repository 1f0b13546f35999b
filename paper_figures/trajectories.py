"""Fig. 2 of Ginsburg: two layers trained by (a) gradient flow, (b) weight decay, (c) noise augmentation."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from linreg_dyn import rules
from paper_figures.loss_contour import minima

SIZE = (5.5, 2.4)
CLAIMS = (
    "ginsburg.flow-invariant",
    "ginsburg.wd-band",
    "ginsburg.wd-imbalance",
    "ginsburg.noise-band",
    "ginsburg.noise-imbalance-step",
)
RATE, DECAY, HALF_WIDTH = 0.05, 0.02, 0.45
CAPTION = rf"""
    Training trajectories of a net with two layers in the plane of its weights, from six starts (circles) to their
    end (discs): (a) continuous gradient descent, along hyperbolas $w_1^2 - w_2^2 = \mathrm{{const}}$ (dotted);
    (b) gradient descent with weight decay $\mu = {DECAY}$; (c) gradient descent with noise augmentation, $\eta$
    uniform on $(-{HALF_WIDTH}, {HALF_WIDTH})$; (b) and (c) with learning rate {RATE}. Thick: the minima
    $w_1 w_2 = 1$. In (b) and (c) training has two parts: the trajectory goes to the minima (or to the shaded
    noise band around them), then along them to the flat area (cross).
"""
STARTS = np.array([(0.1, 2.4), (0.1, 1.3), (0.6, 0.1), (1.8, 0.2), (1.4, 2.6), (2.6, 1.7)])
STEPS = {"b": 2500, "c": 12_000}


def flow_path() -> np.ndarray:
    """Gradient flow from all starts: (time, layer, trajectory)."""
    import linreg_dyn as ld

    times = np.concatenate(([0.0], np.geomspace(1e-3, 20, 200)))
    return ld.flow(STARTS, ld.GradientDescent(), times=times)

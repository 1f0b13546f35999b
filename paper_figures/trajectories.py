"""Fig. 2 of Ginsburg: two layers trained by (a) gradient flow, (b) weight decay, (c) noise augmentation."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from linreg_dyn import ensemble
from paper_figures.loss_contour import minima

SIZE = (5.5, 2.5)
CLAIMS = (
    "ginsburg.flow-invariant",
    "ginsburg.wd-band-stays",
    "ginsburg.wd-imbalance",
    "ginsburg.noise-band",
    "ginsburg.noise-imbalance-step",
)
RATE, DECAY, HALF_WIDTH = 0.05, 0.02, 0.45
CAPTION = rf"""
    Training trajectories of a net with two layers in the plane of its weights, from six starts (circles) to the
    end (discs): (a) continuous gradient descent, which follows hyperbolas $w_1^2 - w_2^2 = \mathrm{{const}}$
    (dotted); (b) gradient descent with weight decay $\mu = {DECAY}$; (c) gradient descent with noise
    augmentation, $\eta$ uniform on $(-{HALF_WIDTH}, {HALF_WIDTH})$. The learning rate of (b) and (c) is {RATE}.
    Thick: the minima $w_1 w_2 = 1$. In (b) and (c) training has two parts: to the minima, or into the noise band
    around them (shaded), then along them towards the flat minimum (cross).
"""
STARTS = np.array([(0.2, 2.5), (0.1, 1.2), (0.7, 0.1), (2.0, 0.2), (1.2, 2.7), (2.7, 1.3)])
SPAN = 3.0
DECAY_STEPS, NOISE_STEPS = 2_000, 20_000


def flow_path() -> np.ndarray:
    """Gradient flow from every start until it rests, (time, trajectory, layer)."""
    times = np.concatenate(([0.0], np.geomspace(1e-3, 10, 200)))
    result = ensemble.flow(STARTS, ensemble.GradientDescent(), times=times)
    return result["weights"].transpose("time", "trajectory", "layer").values


def discrete_path(method: ensemble.methods.Method, steps: int, decay: float) -> np.ndarray:
    """Every step of discrete training from every start, (step, trajectory, layer)."""
    record = ensemble.Record(observables=("weights",))
    result = ensemble.simulate(
        STARTS, method, steps=steps, learning_rate=RATE, weight_decay=decay, record=record, seed=3
    )
    return result["weights"].transpose("step", "trajectory", "layer").values


def draw(figure: Figure) -> None:
    """Draw panels a, b and c into an empty figure."""
    panels = figure.subplots(1, 3, sharex=True, sharey=True)
    noise = ensemble.NoiseAugmentation(half_width=HALF_WIDTH)
    _invariants(panels[0])
    _noise_band(panels[2])
    for axes, path in zip(
        panels,
        (
            flow_path(),
            discrete_path(ensemble.GradientDescent(), DECAY_STEPS, DECAY),
            discrete_path(noise, NOISE_STEPS, 0.0),
        ),
        strict=True,
    ):
        minima(axes)
        _paths(axes, path)
    for axes, title in zip(
        panels, ("(a) gradient flow", "(b) weight decay", "(c) noise augmentation"), strict=True
    ):
        axes.set(title=title, xlabel="$w_1$", aspect="equal", xlim=(0, SPAN), ylim=(0, SPAN), xticks=range(4))
    panels[0].set_ylabel("$w_2$")


def _paths(axes: Axes, path: np.ndarray) -> None:
    axes.plot(path[:, :, 0], path[:, :, 1], "-", color="C0", linewidth=0.8, zorder=3)
    axes.plot(path[0, :, 0], path[0, :, 1], "o", color="C0", markerfacecolor="white", zorder=4)
    axes.plot(path[-1, :, 0], path[-1, :, 1], "o", color="C2", zorder=5)
    axes.plot([1], [1], "x", color="black", markersize=6, zorder=6)


def _invariants(axes: Axes) -> None:
    """The hyperbola `w_1^2 - w_2^2 = const` through every start."""
    w1 = np.linspace(0, SPAN, 600)
    for start in STARTS:
        square = w1**2 - start[0] ** 2 + start[1] ** 2
        axes.plot(w1, np.sqrt(np.where(square >= 0, square, np.nan)), ":", color="0.5", linewidth=0.7)


def _noise_band(axes: Axes) -> None:
    """The band of section 4.2, `1 - delta/(1 + delta) < W < 1 + delta/(1 - delta)`, for the half-width delta."""
    w1 = np.geomspace(0.05, SPAN, 300)
    axes.fill_between(w1, 1 / (1 + HALF_WIDTH) / w1, 1 / (1 - HALF_WIDTH) / w1, color="0.88", linewidth=0)

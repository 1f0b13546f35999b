"""Fig. 2 of Ginsburg: two layers trained by (a) gradient flow, (b) weight decay, (c) noise augmentation."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from linreg_dyn.ensemble import GradientDescent, NoiseAugmentation, Record, flow, simulate
from linreg_dyn.ensemble.methods import Method
from paper_figures.loss_contour import minima

SIZE = (5.5, 2.75)
CLAIMS = (
    "ginsburg.flow-invariant",
    "ginsburg.wd-band-stays",
    "ginsburg.wd-imbalance",
    "ginsburg.noise-band",
    "ginsburg.noise-imbalance-step",
)
DECAY, DECAY_RATE, DECAY_STEPS = 0.02, 0.02, 4_000
HALF_WIDTH, NOISE_RATE, NOISE_STEPS = 0.45, 0.03, 20_000
CAPTION = rf"""
    Training trajectories of a net with two layers in the plane of its weights, from six starts (circles) to
    the end (discs): (a) continuous gradient descent, which follows hyperbolas $w_1^2 - w_2^2 =
    \mathrm{{const}}$ (dotted); (b) gradient descent with weight decay $\mu = {DECAY}$, learning rate
    {DECAY_RATE}; (c) gradient descent with noise augmentation, $\eta$ uniform on $(-{HALF_WIDTH},
    {HALF_WIDTH})$, learning rate {NOISE_RATE}. Thick: the minima $w_1 w_2 = 1$. In (b) and (c) training has
    two parts: to the minima, or into the noise band around them (shaded), then along them towards the flat
    minimum (cross).
"""
STARTS = np.array([(0.15, 2.2), (0.1, 1.2), (1.8, 2.4), (0.7, 0.1), (1.9, 0.15), (2.5, 2.0)])
SPAN = 3.0


def flow_path() -> np.ndarray:
    """Gradient flow from every start until it rests, (time, trajectory, layer)."""
    times = np.concatenate(([0.0], np.geomspace(1e-3, 20, 200)))
    result = flow(STARTS, GradientDescent(), times=times)
    return result["weights"].transpose("time", "trajectory", "layer").values


def decay_path() -> np.ndarray:
    """Every step of gradient descent with weight decay from every start, (step, trajectory, layer)."""
    return _discrete(GradientDescent(), steps=DECAY_STEPS, learning_rate=DECAY_RATE, weight_decay=DECAY)


def noise_path() -> np.ndarray:
    """Every step of noise augmentation from every start, (step, trajectory, layer)."""
    method = NoiseAugmentation(half_width=HALF_WIDTH)
    return _discrete(method, steps=NOISE_STEPS, learning_rate=NOISE_RATE)


def _discrete(method: Method, **options: Any) -> np.ndarray:
    result = simulate(STARTS, method, record=Record(observables=("weights",)), seed=3, **options)
    return result["weights"].transpose("step", "trajectory", "layer").values


def draw(figure: Figure) -> None:
    """Draw panels a, b and c into an empty figure."""
    panels = figure.subplots(1, 3, sharex=True, sharey=True)
    _invariants(panels[0])
    _noise_band(panels[2])
    for axes, path, title in (
        (panels[0], flow_path(), "(a) gradient flow"),
        (panels[1], decay_path(), "(b) weight decay"),
        (panels[2], noise_path(), "(c) noise augmentation"),
    ):
        minima(axes)
        _paths(axes, path, linewidth=0.3 if axes is panels[2] else 0.9)
        axes.set(title=title, xlabel="$w_1$", aspect="equal")
    ticks = range(int(SPAN) + 1)
    panels[0].set(ylabel="$w_2$", xlim=(0, SPAN), ylim=(0, SPAN), xticks=ticks, yticks=ticks)
    entries: dict[str, Artist] = {}
    for axes in panels:
        handles, labels = axes.get_legend_handles_labels()
        entries = dict(zip(labels, handles, strict=True)) | entries
    figure.legend(entries.values(), entries.keys(), loc="outside upper center", ncols=4)


def _paths(axes: Axes, path: np.ndarray, linewidth: float) -> None:
    for trajectory in path.swapaxes(0, 1):
        axes.plot(*trajectory.T, "-", color="C0", linewidth=linewidth, zorder=3, label="trajectory")
    axes.plot(*path[0].T, "o", color="C0", markerfacecolor="white", zorder=4, label="start")
    axes.plot(*path[-1].T, "o", color="C2", zorder=5, label="end")
    axes.plot([1], [1], "x", color="black", markersize=6, zorder=6, label="flat minimum")


def _invariants(axes: Axes) -> None:
    """The hyperbola `w_1^2 - w_2^2 = const` through every start."""
    w1 = np.linspace(0, SPAN, 600)
    for start in STARTS:
        square = w1**2 - start[0] ** 2 + start[1] ** 2
        axes.plot(
            w1,
            np.sqrt(np.where(square >= 0, square, np.nan)),
            ":",
            color="0.5",
            linewidth=0.7,
            label="invariant",
        )


def _noise_band(axes: Axes) -> None:
    """The band of section 4.2, `1 - delta/(1 + delta) < W < 1 + delta/(1 - delta)`."""
    w1 = np.geomspace(0.05, SPAN, 300)
    axes.fill_between(
        w1,
        1 / (1 + HALF_WIDTH) / w1,
        1 / (1 - HALF_WIDTH) / w1,
        color="0.88",
        linewidth=0,
        label="noise band",
    )

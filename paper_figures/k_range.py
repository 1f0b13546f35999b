"""The range of the loss factor of Theorem 3.1 over all depths, against the bounds printed in its proof."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from linreg_dyn import rules

SIZE = (5.2, 3.5)
CLAIMS = (
    "ginsburg.thm-3.1",
    "ginsburg.thm-3.1-case-1",
    "ginsburg.thm-3.1-case-2",
    "ginsburg.thm-3.1.sharp-range",
)
CAPTION = r"""
    The factor $k = (W(t+1) - 1)/(W(t) - 1)$ of one step of gradient descent with the adaptive learning rate
    $\lambda = 1/(4 \sum 1/w_i^2)$. Shaded: every value it can take, over all depths and all weights with
    end-to-end weight $W$. One edge is a net of one layer, the other the limit of balanced nets of growing
    depth. Dashed: the bounds printed in the proof of Theorem 3.1. Dots: random nets of 1 to 64
    layers. Inset: the same, measured from the edge of one layer.
"""
# The printed bounds: (W from, W to, bound, its text).
PRINTED = (
    (0.5, 1.0, -4 / 5, "$-4/5$"),
    (0.5, 1.0, 7 / 8, "$7/8$"),
    (1.0, 1.5, -1 / 8, "$-1/8$"),
    (1.0, 1.5, 59 / 64, "$59/64$"),
)
DEPTHS = (1, 2, 3, 4, 8, 16, 32, 64)


def edges(W: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """`k` at one layer, and its limit for balanced nets as the depth grows; `W` must not be 1.

    With `p_i = (1/w_i^2) / sum(1/w_j^2)`, a point of the simplex, one step multiplies W by `prod(1 - x
    p_i)`, `x = (W - 1) W / 2`. Its logarithm is concave and symmetric in p: least at a vertex, `1 - x` (one
    layer), and largest at the centre, where it tends to `exp(-x)`.
    """
    x = (W - 1) * W / 2
    return 1 - W**2 / 2, 1 + W * np.expm1(-x) / (W - 1)


def random_nets(rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    """`W` and `k` of random log-normal nets with |W - 1| < 1/2, stepped by the update rule itself."""
    points = np.empty((count, 2))
    for point in points:
        depth = rng.choice(DEPTHS)
        log_w = rng.normal(0, rng.choice([0.05, 0.5, 1.5]), depth)
        weights = list(np.exp(log_w - log_w.mean()) * rng.uniform(0.5, 1.5) ** (1 / depth))
        W = rules.end_to_end(weights)
        g = rules.gradient_descent(W)
        rate = 1 / (4 * sum(1 / w**2 for w in weights))
        point[:] = W, rules.gradient_descent(rules.end_to_end(rules.step(weights, g, rate, 0))) / g
    return points[:, 0], points[:, 1]


def draw(figure: Figure) -> None:
    """Draw the range, the printed bounds and the random nets into an empty figure."""
    axes = figure.add_subplot(xlabel="end-to-end weight $W$", ylabel="loss factor $k$")
    axes.set(xlim=(0.48, 1.52), ylim=(-0.95, 1.05))
    axes.axvline(1, color="0.6", linewidth=0.5)
    W = np.linspace(0.5, 1.5, 400)  # an even number of points: 1 itself, where k is 0/0, is not among them
    one_layer, deep = edges(W)
    axes.fill_between(W, one_layer, deep, color="0.82", linewidth=0, label="sharp range, all depths")
    axes.plot(W, one_layer, "-", color="C0", label="one layer, $1 - W^2/2$")
    axes.plot(W, deep, ":", color="C0", label=r"balanced, depth $\to \infty$")
    nets = random_nets(np.random.default_rng(1), 400)
    axes.plot(*nets, ".", color="C1", markersize=2, label="random nets, depth 1 to 64")
    for left, right, bound, text in PRINTED:
        (line,) = axes.plot([left, right], [bound, bound], "--", color="C2")
        outside, side = (0.5, "left") if left < 1 else (1.5, "right")
        offset, edge = ((0, 3), "bottom") if bound > 0 else ((0, -3), "top")
        axes.annotate(text, (outside, bound), xytext=offset, textcoords="offset points", ha=side, va=edge)
    line.set_label("printed bounds")
    axes.legend(loc="lower right")
    _excess(axes.inset_axes((0.11, 0.19, 0.33, 0.33)), W, one_layer, deep, nets)


def _excess(axes: Axes, W: np.ndarray, one_layer: np.ndarray, deep: np.ndarray, nets: tuple) -> None:
    """The same range measured from its edge of one layer: where W < 1 it is too thin to see otherwise."""
    axes.axvline(1, color="0.6", linewidth=0.5)
    axes.fill_between(W, 0 * W, deep - one_layer, color="0.82", linewidth=0)
    axes.plot(W, 0 * W, "-", color="C0")
    axes.plot(W, deep - one_layer, ":", color="C0")
    axes.plot(nets[0], nets[1] - edges(nets[0])[0], ".", color="C1", markersize=1)
    axes.set_title("$k - (1 - W^2/2)$", fontsize=8)
    axes.set(xlim=(0.5, 1.5), xticks=(0.5, 1, 1.5))
    axes.tick_params(labelsize=7)

"""The range of the loss factor of Theorem 3.1 over all depths, against the bounds printed in its proof."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from linreg_dyn import rules

SIZE = (5.0, 3.4)
CLAIMS = (
    "ginsburg.thm-3.1",
    "ginsburg.thm-3.1-case-1",
    "ginsburg.thm-3.1-case-2",
    "ginsburg.thm-3.1.sharp-range",
)
CAPTION = (
    r"The factor $k = (W(t+1) - 1)/(W(t) - 1)$ of one step of gradient descent with the adaptive learning rate "
    r"$\lambda = 1/(4 \sum 1/w_i^2)$. Shaded: all values it takes, over every depth and all weights with end-to-end weight $W$; "
    r"depth 1 gives the lower edge where $W > 1$ and the upper where $W < 1$, balanced weights of growing depth tend to the other. "
    r"Dashed: the bounds printed in the proof of Theorem 3.1. Dots: random nets of depths 1 to 64."
)
# The bounds as printed: (W from, W to, lower, upper).
PRINTED = ((0.5, 1.0, -4 / 5, 7 / 8), (1.0, 1.5, -1 / 8, 59 / 64))
DEPTHS = (1, 2, 3, 4, 8, 16, 32, 64)


def edges(W: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """`k` at the two ends of the simplex of `p_i = (1/w_i^2) / sum(1/w_j^2)`, for `W` off 1.

    One step multiplies W by `prod(1 - x p_i)` with `x = (W - 1) W / 2`. Its logarithm is concave and symmetric in p: it is
    least, `1 - x`, at a vertex (one layer) and tends to its supremum `exp(-x)` at the centre, as depth grows.
    """
    x = (W - 1) * W / 2
    return 1 - W**2 / 2, 1 + W * np.expm1(-x) / (W - 1)


def random_nets(rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    """`W` and `k` of random nets, stepped by the update rule itself: log-normal weights, |W - 1| < 1/2."""
    points = np.empty((count, 2))
    for point in points:
        depth = rng.choice(DEPTHS)
        log_w = rng.normal(0, rng.choice([0.05, 0.5, 1.5]), depth)
        W = rng.uniform(0.5, 1.5)
        weights = list(np.exp(log_w - log_w.mean()) * W ** (1 / depth))
        rate = 1 / (4 * sum(1 / w**2 for w in weights))
        g = rules.gradient_descent(rules.end_to_end(weights))
        point[:] = W, rules.gradient_descent(rules.end_to_end(rules.step(weights, g, rate, 0))) / g
    return points[:, 0], points[:, 1]


def draw(figure: Figure) -> None:
    """Draw the range, the printed bounds and the random nets into an empty figure."""
    axes = figure.add_subplot(
        xlabel="end-to-end weight $W$", ylabel="loss factor $k$", xlim=(0.48, 1.52), ylim=(-0.95, 1.05)
    )
    W = np.linspace(0.5, 1.5, 400)  # an even number of points: 1 itself, where k is 0/0, is not among them
    one_layer, deep = edges(W)
    axes.fill_between(W, one_layer, deep, color="0.82", linewidth=0, label="sharp range, all depths")
    axes.plot(W, one_layer, "-", color="C0", label="depth 1: $1 - W^2/2$")
    axes.plot(W, deep, ":", color="C0", label=r"balanced, depth $\to \infty$")
    for left, right, lower, upper in PRINTED:
        for bound in (lower, upper):
            axes.plot(
                [left, right],
                [bound, bound],
                "--",
                color="C2",
                label="printed bounds" if bound == -4 / 5 else None,
            )
            text = {-4 / 5: "$-4/5$", 7 / 8: "$7/8$", -1 / 8: "$-1/8$", 59 / 64: "$59/64$"}[bound]
            inside = left if left < 1 else right
            axes.annotate(
                text,
                (inside, bound),
                xytext=(0, 3),
                textcoords="offset points",
                ha="left" if left < 1 else "right",
            )
    axes.plot(
        *random_nets(np.random.default_rng(1), 400),
        ".",
        color="C1",
        markersize=2,
        label="random nets, depth 1 to 64",
    )
    axes.axvline(1, color="0.6", linewidth=0.5)
    axes.legend(loc="lower right")

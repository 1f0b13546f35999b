"""What is measured along a trajectory: plain functions of the weights, in the style of `rules`.

Each takes a sequence of the `depth` weights `(w_1, ..., w_d)` and returns one number of the same kind. Those
that compare (`layer_imbalance`) need ordered numbers; those that divide (`inverse_square_sum` and what uses
it) are infinite at a zero weight when compiled, and raise ZeroDivisionError in plain Python.
"""

from linreg_dyn.arithmetic import larger, magnitude, one, ratio, smaller
from linreg_dyn.rules import end_to_end, gradient_descent

__all__ = [
    "end_to_end",
    "inverse_square_sum",
    "largest_square",
    "layer_imbalance",
    "loss",
    "minimum_sharpness",
    "sharpness",
    "smallest_square",
]

LEAST, MOST, ULP = 2.0**-250, 2.0**250, 2.0**-52
STEPS = 8
"""Of Newton's method in `sharpness`: six reach the last digits of whatever was tried, up to 1024 layers."""


def loss(weights):
    """`L = (W - 1)^2`, the loss on normalised data without weight decay (Ginsburg, eq. 4)."""
    g = gradient_descent(end_to_end(weights))
    return g * g


def largest_square(weights):
    """`max_i w_i^2`."""
    largest = weights[0] * weights[0]
    for i in range(1, len(weights)):
        largest = larger(largest, weights[i] * weights[i])
    return largest


def smallest_square(weights):
    """`min_i w_i^2`."""
    smallest = weights[0] * weights[0]
    for i in range(1, len(weights)):
        smallest = smaller(smallest, weights[i] * weights[i])
    return smallest


def layer_imbalance(weights):
    """`D = max_ij |w_i^2 - w_j^2|`, the layer imbalance (Ginsburg, eq. 6), in units of a squared weight."""
    return largest_square(weights) - smallest_square(weights)


def inverse_square_sum(weights):
    """`sum_i 1/w_i^2`, to which the sharpness of a minimum and the adaptive learning rates are tied."""
    total = 1 / (weights[0] * weights[0])
    for i in range(1, len(weights)):
        total = total + 1 / (weights[i] * weights[i])
    return total


def minimum_sharpness(weights):
    """`2 sum_i 1/w_i^2`, the largest Hessian eigenvalue of `L` at a minimum (`W = 1`), not elsewhere.

    At `W = 1` the Hessian is the rank-one matrix `2 v v^T` with `v_i = 1/w_i` (Ginsburg, section 2.2).
    """
    return 2 * inverse_square_sum(weights)


def sharpness(weights):
    """The largest eigenvalue of the Hessian of `L`, in float64 to about the accuracy of `W`.

    With `x` the eigenvalue over `|W|`, `b = 2 (sign W - |W|)`, `r = 2 (2 |W| - sign W)` and `e_i = x w_i^2 - b`, it is
    the largest solution of `sum_i 1/e_i = 1/r` (the secular equation of `eigenvalues`, free of `1/w_i`). With layer 1
    that of the smallest weight and `s` the sum over the others, that is `e_1 - r = r s e_1`. Both `1/sum_i(1/e_i)`, if
    `r > 0`, and `e_1 + 1/(s - 1/r)`, if `r < 0`, are increasing, concave functions of x, so Newton's method comes from
    below without overshooting; and the largest entry of the matrix, from where it starts, is within a factor `depth`.
    Weights below 2^-250 in size are taken for 2^-250, which makes zeros tiny: eigenvalues are continuous.
    """
    W = end_to_end(weights)
    first = larger(magnitude(weights[0]), LEAST)
    second, size = one(first) * MOST, first
    for i in range(1, len(weights)):
        w = larger(magnitude(weights[i]), LEAST)
        size = size * w
        second = smaller(second, larger(first, w))
        first = smaller(first, w)
    sign = 1 - 2 * ratio(larger(-W, 0), magnitude(W))
    twice = 2 * size
    r = 2 * (twice - sign)
    x = larger(twice / (first * first), magnitude(r) / (first * second))
    x = larger(x, (2 * sign - twice) / (second * second))
    for _ in range(STEPS):
        x = x - _newton(weights, x, twice, r, first)
    return size * x


def _newton(weights, x, twice, r, first):
    """What a step of Newton's method takes from x in `sharpness`; `twice = b + r = 2 |W|`, `first = min |w_i|`."""
    above = x * first * first - twice  # e_1 - r, without cancellation
    smallest = r + above
    held = larger(magnitude(weights[0]), LEAST)
    s = t = held - held
    for i in range(1, len(weights)):
        w = larger(magnitude(weights[i]), LEAST)
        other = larger(held, w)  # every weight but the smallest comes out once
        held = smaller(held, w)
        e = larger(x * (other - first) * (other + first) + smallest, ULP * x * other * other)
        inverse = 1 / e
        s = s + inverse
        t = t + other * inverse * other * inverse
    up = larger(smallest, 0)
    down = larger(-r, 0)
    share = (1 + s * up) / (1 + s * down)
    scale = up - share * down
    return (above - r * s * smallest) * share / (first * first + t * scale * scale)

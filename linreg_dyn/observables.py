"""What is measured along a trajectory: plain functions of the weights, in the style of `rules`.

Each takes a sequence of the `depth` weights `(w_1, ..., w_d)` and returns one number of the same kind. Those
that compare (`layer_imbalance`) need ordered numbers; those that divide (`inverse_square_sum` and what uses
it) are infinite at a zero weight when compiled, and raise ZeroDivisionError in plain Python.
"""

from linreg_dyn.arithmetic import larger, smaller
from linreg_dyn.rules import end_to_end, gradient_descent

__all__ = [
    "end_to_end",
    "inverse_square_sum",
    "largest_square",
    "layer_imbalance",
    "loss",
    "minimum_sharpness",
    "smallest_square",
]


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

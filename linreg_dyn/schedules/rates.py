"""The rate of a step from the weights before it, in the style of `rules`: plain arithmetic that drivers compile."""

from __future__ import annotations

from linreg_dyn.arithmetic import magnitude, ratio, smaller
from linreg_dyn.rules import fill_outsides, fill_prefixes

LOW = 2.0**-80
"""From here on `q = sum_i (W/w_i)^2` has its full precision, in float32 too, or a rate too small to matter."""


def adaptive_rate(value, weights, W, q):
    """`value / sum_i (1/w_i^2)`: from `W` and `q` by `quick_rate` where `q` is from `LOW` on, else exactly."""
    return quick_rate(value, W, q) if q >= LOW else value * inverse_sum(weights)


def quick_rate(value, W, q):
    """`value / sum_i (1/w_i^2)`, as `value W^2 / q` with `q = sum_i (W/w_i)^2`: no weight is divided by.

    Products of many small weights leave the range of numbers long before the rate does.
    """
    return ratio(value * W * W, q)


def inverse_sum(weights):
    """`1 / sum_i (1/w_i^2)` as `m^2 / sum_i (m/w_i)^2`, where `m = min |w_i|`; 0 at a zero weight."""
    least = magnitude(weights[0])
    for i in range(1, len(weights)):
        least = smaller(least, magnitude(weights[i]))
    total = least - least
    for i in range(len(weights)):
        share = ratio(least, magnitude(weights[i]))
        total = total + share * share
    return ratio(least * least, total)


def squared_products(weights):
    """`q = sum_i (W/w_i)^2` of a sequence of weights."""
    outsides = [weights[0]] * len(weights)
    fill_prefixes(weights, outsides)
    return fill_outsides(weights, outsides)

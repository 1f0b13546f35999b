"""The rate of a step from the weights before it, in the style of `rules`: plain arithmetic that drivers compile.

A rate is a function `rate(value, W, q)`: `value` is the schedule's at that step, `W` the end-to-end weight and
`q = sum_i (W/w_i)^2`.
"""

from __future__ import annotations

from linreg_dyn.arithmetic import ratio
from linreg_dyn.rules import others


def adaptive_rate(value, W, q):
    """`value / sum_i (1/w_i^2)`, written as `value W^2 / q` so that no weight is divided by.

    As a weight tends to 0 the rate does too; at several zero weights (`q = 0`) it is defined by that limit.
    """
    return ratio(value * W * W, q)


def squared_products(weights):
    """`q = sum_i (W/w_i)^2` of a sequence of weights, summed from the last layer to the first."""
    products = others(weights)
    q = weights[0] * 0
    for i in range(len(weights) - 1, -1, -1):
        q = q + products[i] * products[i]
    return q

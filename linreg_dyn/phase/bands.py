"""Regions of weights of which something has been proved, each for the method and the rate it is true for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from linreg_dyn import rules
from linreg_dyn.ensemble.methods import GradientDescent, Method, MiniBatch, NoiseAugmentation, SGDNoise
from linreg_dyn.problem import Array, NormalizedData
from linreg_dyn.schedules import Adaptive, Constant, Schedule, squared_products

THEOREM_4_RATE = 16 / 243
"""The constant of Theorem 4.1, `(1/2) (2/3)^5`."""


@dataclass(frozen=True)
class Band:
    """A region of weights.

    `name` is for legends, `statement` says what is true of it, `claim` is the id of the claim that holds the
    proof ("" where it is true by definition), and `margin` maps the weights of all layers, a list of arrays
    of one shape, to an array that is nonnegative inside.
    """

    name: str
    statement: str
    claim: str
    margin: Callable[[list[Array]], Array]


def bands(method: Method, learning_rate: Schedule, weight_decay: float = 0.0) -> tuple[Band, ...]:
    """The bands that hold for plain steps of this method (no momentum), widest first; often none.

    Nothing is given for noise together with weight decay, or scheduled noise: nothing is proved about them.
    """
    if type(method) is GradientDescent:
        return (_decay_band(weight_decay),) if weight_decay else _descent(learning_rate)
    if weight_decay:
        return ()
    if isinstance(method, NoiseAugmentation) and isinstance(method.half_width, float):
        return _noise(method.half_width, learning_rate)
    if isinstance(method, SGDNoise) and isinstance(method.half_width, float):
        return _sgd_noise(method.half_width, learning_rate)
    if isinstance(method, MiniBatch):
        least, most = batch_slopes(method.data, method.batch_size)
        text = "the flow's loss falls outside it, whichever mini-batch is drawn"
        return (Band("mini-batch band", text, "ginsburg.sgd-flow-loss", _between(least, most)),)
    return ()


def _between(low: float, high: float) -> Callable[[list[Array]], Array]:
    def margin(weights: list[Array]) -> Array:
        W = rules.end_to_end(weights)
        return np.minimum(W - low, high - W)

    return margin


def _adaptive(rate: Schedule) -> float:
    """The constant c of an adaptive rate that has one; infinity for every other rate."""
    return rate.c if isinstance(rate, Adaptive) and isinstance(rate.c, float) else np.inf


def _descent(rate: Schedule) -> tuple[Band, ...]:
    c = _adaptive(rate)
    if c < 1:
        # c <= 1/(1 + r)^2 exactly where r <= 1/sqrt(c) - 1; beyond r = 1 the claim says nothing.
        radius = min(1.0, 1 / np.sqrt(c) - 1)
        text = f"the loss falls at every step from $|W - 1| < {radius:.4g}$, which is kept"
        claim = "ginsburg.thm-3.1.largest-rate"
        return (Band("loss falls, kept", text, claim, _between(1 - radius, 1 + radius)),)
    if isinstance(rate, Constant):
        text = "one step from here lowers the loss; it need not lead here again"
        return (Band("one step lowers the loss", text, "", _falls(rate.value)),)
    return ()


def _falls(rate: float) -> Callable[[list[Array]], Array]:
    def margin(weights: list[Array]) -> Array:
        g = rules.gradient_descent(rules.end_to_end(weights))
        after = rules.end_to_end(rules.step(weights, g, rate, 0))
        return np.abs(g) - np.abs(rules.gradient_descent(after))

    return margin


def _decay_band(decay: float) -> Band:
    """`1 - mu d / (W S) <= W <= 1` with `S = sum 1/w_i^2 = q / W^2`; empty where W <= 0."""

    def margin(weights: list[Array]) -> Array:
        W = rules.end_to_end(weights)
        above = rules.gradient_descent(W) * squared_products(weights) + decay * len(weights) * W
        return np.minimum(np.minimum(W, 1 - W), above)

    text = "the flow never leaves it; its loss falls outside and rises inside"
    return Band("weight decay band", text, "ginsburg.wd-band-stays", margin)


def _noise(delta: float, rate: Schedule) -> tuple[Band, ...]:
    found = []
    if _adaptive(rate) <= THEOREM_4_RATE and delta < 0.5:
        # The claim has the largest of these rates; W after a step is monotone in c, so smaller ones keep W as well.
        text = "$0 < W < 2$ is kept, and no layer imbalance grows, for every noise"
        found.append(Band("$0 < W < 2$", text, "ginsburg.thm-4.1-along-trajectory.amended", _between(0, 2)))
    if 0 < delta < 1:
        text = "the flow's loss falls outside it, for every noise"
        band = _between(1 / (1 + delta), 1 / (1 - delta))
        found.append(Band("noise band", text, "ginsburg.noise-band.amended", band))
    return tuple(found)


def _sgd_noise(delta: float, rate: Schedule) -> tuple[Band, ...]:
    if delta == 0:
        return ()
    text = "the flow's loss falls outside it, for every noise"
    claim = "ginsburg.sgd-flow-loss"
    if delta < 1 and _adaptive(rate) <= 1 / (2 * (1 + delta) ** 2):
        # Monotone in c as above.
        text += "; it is kept, and no layer imbalance grows"
        claim = "ginsburg.thm-5.1-along-trajectory.amended"
    return (Band("SGD noise band", text, claim, _between(1 - delta, 1 + delta)),)


def batch_slopes(data: NormalizedData, size: int) -> tuple[float, float]:
    """The least and the largest `m1 / m2` of any mini-batch of `size` samples: where its residual is 0.

    A ratio of sums over a choice is maximised by Dinkelbach's iteration: the batch with the largest
    `sum(x y - t x^2)` has a ratio above t unless t is the largest already. Batches of zero inputs pull
    nowhere and have no ratio.
    """
    return -_largest_ratio(-data.products, data.squares, size), _largest_ratio(data.products, data.squares, size)


def _largest_ratio(products: Array, squares: Array, size: int) -> float:
    ratio, before = float(products.mean() / squares.mean()), -np.inf
    while ratio > before:
        chosen = np.argsort(products - ratio * squares, kind="stable")[-size:]
        total = squares[chosen].sum()
        before, ratio = ratio, max(ratio, float(products[chosen].sum() / total)) if total > 0 else ratio
    return ratio

"""What the tests of phase portraits and maps share."""

import numpy as np

from linreg_dyn import rules
from linreg_dyn.ensemble import GradientDescent
from linreg_dyn.problem import NormalizedData

GD = GradientDescent()


def data(samples=8, seed=3):
    """Samples normalised by eq. (2), with scatter."""
    x, y = np.random.default_rng(seed).normal(size=(2, samples))
    x = (x - x.mean()) / x.std()
    y = x + 0.3 * y
    y -= y.mean()
    return NormalizedData(x, y / (x * y).mean())


def plain_run(weights, lr, steps, decay=0.0):
    """(final weights, step of divergence or -1) by `rules.step` on Python floats."""
    for step in range(steps + 1):
        W = rules.end_to_end(weights)
        if not abs(W) <= 2.0**200:
            return weights, step
        if step < steps:
            weights = rules.step(weights, W - 1, lr, decay)
    return weights, -1

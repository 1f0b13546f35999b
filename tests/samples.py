"""Made-up data, normalised by eq. (2)."""

import numpy as np


def normalized(samples=50, seed=0, shift=0.0):
    """x and y with the means 0, and 1 of x^2 and x y; y is noise otherwise."""
    x, y = np.random.default_rng(seed).normal(size=(2, samples)) + shift
    x, y = x - x.mean(), y - y.mean()
    x /= np.sqrt((x * x).mean())
    return x, y / (x * y).mean()

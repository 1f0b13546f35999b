"""Kernels whose eigenvalues are known, for the tests of spectra and of their store."""

import numpy as np


def known(eigenvalues, seed=0):
    """A kernel with these eigenvalues, and its eigenvectors: reflections, exactly orthogonal up to rounding."""
    size = len(eigenvalues)
    v = np.random.default_rng(seed).standard_normal(size)
    vectors = np.eye(size) - 2 * np.outer(v, v) / (v @ v)
    kernel = (vectors * eigenvalues) @ vectors
    return (kernel + kernel.T) / 2, vectors


POWER_LAW = 3.0 / np.arange(1, 301) ** 1.5

"""The largest eigenvalues from products with a kernel: subspaces, and what they are worth."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.sparse.linalg import ArpackError, ArpackNoConvergence, eigsh

from linreg_dyn.ntk.kernel_checks import noise

BLOCK = 512  # vectors multiplied together
PROBES, POWER = 10, 8  # of the bound of what is left out, which fails with probability 10^-PROBES


@dataclass(frozen=True)
class Modes:
    """Approximate eigenvalues, largest first, orthonormal eigenvectors [sample, mode], and bounds.

    Each value is within its residual of an eigenvalue of the kernel; all are within `error` of as many eigenvalues,
    one for each; all other eigenvalues are at most `left_out`, but for the probability `failure`.
    """

    values: np.ndarray
    vectors: np.ndarray
    residuals: np.ndarray
    error: float
    left_out: float
    failure: float

    def to_arrays(self) -> dict[str, np.ndarray]:
        """As arrays with names, for a file."""
        bounds = np.array([self.error, self.left_out, self.failure])
        return {"values": self.values, "vectors": self.vectors, "residuals": self.residuals, "bounds": bounds}

    @staticmethod
    def from_arrays(arrays: dict[str, np.ndarray]) -> Modes | None:
        """Back from arrays; None where they are no modes."""
        try:
            values, vectors, residuals, bounds = (arrays[name] for name in ("values", "vectors", "residuals", "bounds"))
        except KeyError:
            return None
        shapes = (values.ndim, vectors.ndim, residuals.shape, bounds.shape)
        if shapes != (1, 2, values.shape, (3,)) or any(a.dtype != np.float64 for a in arrays.values()):
            return None
        return Modes(values, vectors, residuals, *bounds.tolist())


def lanczos(kernel: Any, top: int, tolerance: float, rng: np.random.Generator) -> np.ndarray:
    """Orthonormal approximate eigenvectors of the `top` largest eigenvalues, by implicitly restarted Lanczos.

    Raises:
        ValueError: it does not converge.
    """
    size = kernel.shape[0]
    if top >= size:
        raise ValueError(f"lanczos finds fewer eigenvalues than there are samples, got top={top} of {size}")
    start = rng.standard_normal(size)
    if is_zero(kernel, start):
        return np.linalg.qr(rng.standard_normal((size, top))).Q
    try:
        options: dict[str, Any] = {"v0": start, "tol": tolerance}
        vectors = eigsh(kernel, top, which="LA", **options)[1]
    except ArpackError as error:
        found = len(error.eigenvalues) if isinstance(error, ArpackNoConvergence) else 0
        raise ValueError(
            f"Lanczos found only {found} of {top} eigenvalues to a tolerance of {tolerance:g}; "
            "take a larger tolerance, method='randomised', or method='full'"
        ) from None
    return np.linalg.qr(vectors).Q


def is_zero(kernel: Any, vector: np.ndarray) -> bool:
    """Is its product with a random vector zero? Then the kernel is (almost surely), which ARPACK does not take."""
    return not np.any(kernel @ vector)


def krylov(kernel: Any, top: int, blocks: int, rng: np.random.Generator) -> np.ndarray:
    """An orthonormal basis of the block Krylov space of `top + 8` random vectors (Musco and Musco 2015)."""
    size = kernel.shape[0]
    width = min(top + 8, size)
    basis = np.linalg.qr(rng.standard_normal((size, width))).Q
    block = basis
    for _ in range(1, min(blocks, -(-size // width))):
        block = kernel @ block
        block = block / (np.abs(block).max() or 1.0)
        for _ in range(2):  # once leaves what rounding makes of nearly parallel vectors
            block = block - basis @ (basis.T @ block)
        block = np.linalg.qr(block).Q
        basis = np.hstack((basis, block))
    return np.linalg.qr(basis).Q


def measured(kernel: Any, values: np.ndarray, vectors: np.ndarray, norm: float) -> Modes:
    """The modes with their bounds, from their residuals `R = K V - V diag(values)`.

    In the basis of V and its complement the kernel is `[[diag(values), B'], [B, C]]` but for `|R|` (V are Ritz
    vectors), `|B| <= |R|`: its eigenvalues are within `|R|` of `values` and of those of C, one for each. C is
    positive, so that its largest is at most its trace and its Frobenius norm, which those of a matrix tell. That is
    far off where many are left out; but for a random Gaussian w, `|C| <= 10 sqrt(2 / pi) |C w|` except with
    probability 1/10 (Dixon 1983; Halko, Martinsson, Tropp 2011, lemma 4.1), here for the eighth power of C and ten w.
    """
    size, count = vectors.shape
    squares = np.empty(count)
    for first in range(0, count, BLOCK):
        some = slice(first, first + BLOCK)
        squares[some] = np.square(kernel @ vectors[:, some] - vectors[:, some] * values[some]).sum(axis=0)
    dense = isinstance(kernel, np.ndarray)
    rounding = noise(size, norm) if dense else 0.0  # of a product with a matrix
    residuals = np.sqrt(squares) + rounding
    error = float(np.sqrt(squares.sum())) + math.sqrt(count) * rounding
    if count == size:
        return Modes(values, vectors, residuals, error, 0.0, 0.0)
    left, failure = _rest_by_products(kernel, vectors), 10.0**-PROBES
    if dense and (sure := _rest_by_entries(kernel, values, norm, error)) <= left:
        left, failure = sure, 0.0
    return Modes(values, vectors, residuals, error, left + error, failure)


def _rest_by_entries(kernel: np.ndarray, values: np.ndarray, norm: float, error: float) -> float:
    """A bound of the largest eigenvalue of C. Both are differences, known to the rounding of what they are of."""
    slack = 4 * len(kernel) * np.finfo(float).eps
    trace = float(kernel.diagonal().sum())
    by_trace = max(trace - float(values.sum()), 0.0) + slack * trace + len(values) ** 0.5 * error
    kept = max(float(np.linalg.norm(values)) - error, 0.0)
    by_norm = math.sqrt(max(norm**2 - kept**2, 0.0) + slack * norm**2)
    return min(by_trace, by_norm)


def _rest_by_products(kernel: Any, vectors: np.ndarray) -> float:
    """A bound of the largest eigenvalue of C, by powers of it on random vectors."""
    block = np.random.default_rng(2).standard_normal((kernel.shape[0], PROBES))
    logs = 0.0
    for power in range(POWER + 1):
        block = block - vectors @ (vectors.T @ block)
        if power == POWER:
            break
        block = kernel @ block
        scale = float(np.abs(block).max())
        if scale == 0:
            return 0.0
        block, logs = block / scale, logs + math.log(scale)
    longest = float(np.linalg.norm(block, axis=0).max())
    return math.exp((math.log(10 * math.sqrt(2 / math.pi) * longest) + logs) / POWER) if longest else 0.0

"""Whether a matrix can be the kernel of a network: real, symmetric, positive semi-definite, as far as rounding tells.

What is within rounding is repaired and the repair is told; what is beyond is refused with numbers. "Within" is one
number, `rtol`, everywhere: `|K_ij - K_ji| <= rtol max|K|`, eigenvalues at least `-rtol |K|_F`. By default it is the
square root of the kernel's epsilon (1.5e-8 in float64, 3.5e-4 in float32): half of the digits is what arc-cosine
kernels keep at nearly equal samples, where `arccos(1 - eps)` is `sqrt(2 eps)`.

An eigenvalue that is 0 comes out as noise of either sign, and noise above 0 would say that a mode is learned, late,
which never is: of duplicates with other labels, for example. So eigenvalues up to a floor are 0. It is the largest of

- `N eps |K|_F`, eps of float64: what a decomposition makes of a 0, at most;
- `ENTRIES eps tr K`, eps of the kernel's dtype. If the entries are off by no more than `ENTRIES eps sqrt(K_ii K_jj)` in
  the root mean square (relative to these roots), the eigenvalues are off by at most `|E|_F`, which is that. It is an
  assumption: how the entries were computed, only whoever did knows. Rounding as at random (Higham and Mary 2019), a
  plain sum of m terms of one sign is off by `eps sqrt(m) / 6` of it, so that ENTRIES = 16 is a sum of 9,000 terms;
  `empirical_kernel` adds up less at once, and is off by about one eps;
- `-2` times the lowest eigenvalue: noise is about as large above 0 as below. That is a measurement and no bound, for
  entries that are worse than their dtype: sums of millions of float32, or such a kernel converted to float64;
- `rtol |K|_F` if an rtol is given, as that says what is rounding.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.linalg import LinAlgError, cholesky, eigh, solve_triangular
from scipy.sparse.linalg import LinearOperator

from linreg_dyn._checks import number
from linreg_dyn.ensemble.memory import available_memory

BLOCK = 512  # rows looked at together, so that temporaries stay small next to the kernel
PANEL = 2048  # columns factorised together
ENTRIES = 16.0
"""By how many eps entries may be off, see the module."""
NAMES = "rtol, or kernel_rtol in ntk.predict"
EPS = float(np.finfo(np.float64).eps)


@dataclass(frozen=True)
class KernelCheck:
    """A kernel that can be used, and what was found and done to it.

    Attributes:
        matrix: the kernel, float64 [sample, sample], exactly symmetric; the array that was given if it was that
            already (do not write into it). Of an operator, the operator.
        rtol: what counted as rounding.
        given_rtol: the same if it was asked for, 0 if it is the default.
        eps: of the dtype in which the kernel was given.
        norm: Frobenius norm; NaN for an operator, whose entries are not known.
        asymmetry: `max |K_ij - K_ji| / max |K|` before both triangles were replaced by their mean; of an operator,
            `|u.Kv - v.Ku|` at random `u, v`, relative to `|u| |Kv|`.
        duplicates: how many samples are an earlier one again: no further from it in the space of features than
            rounding, `K_ii + K_jj - 2 K_ij <= rtol (K_ii + K_jj)`. Each makes the kernel singular by one dimension
            more, which is allowed: a mode of eigenvalue 0 is never learned. Of an operator -1, unknown.
    """

    matrix: Any
    rtol: float
    given_rtol: float
    eps: float
    norm: float
    asymmetry: float
    duplicates: int


def check_kernel(kernel: Any, *, rtol: float | None = None, definite: bool = True) -> KernelCheck:
    """The kernel ready for use, symmetrised where rounding made it asymmetric; refused where it is no kernel.

    Takes O(N^2), and with `definite` (Cholesky's factorisation of `K + rtol |K|_F`) N^3 / 3 more, and N^2 more
    numbers of memory. Without it only the diagonal and all 2x2 minors are looked at, which whoever computes the
    eigenvalues next completes by `clipped`.

    Args:
        kernel: [sample, sample], of real numbers; or a `scipy.sparse.linalg.LinearOperator`, of which only the
            symmetry can be tried, by products with two vectors.
        rtol: what counts as rounding (default: the square root of the epsilon of the kernel's dtype). One that is
            given also counts positive eigenvalues up to it as rounding, see `clipped`.
        definite: look for negative eigenvalues.

    Raises:
        TypeError: `kernel` is no array of real numbers.
        ValueError: it is empty, not square, holds NaN or infinity, is asymmetric or indefinite beyond rounding, or
            the memory does not suffice.
    """
    if rtol is not None:
        rtol = number("rtol", rtol, least=0)
    if isinstance(kernel, LinearOperator):
        return _checked_operator(kernel, rtol)
    given, asked = _real(kernel), rtol or 0.0
    eps = _epsilon(given.dtype)
    if rtol is None:
        rtol = math.sqrt(eps)
    largest, asymmetry = _symmetry(given, rtol)
    matrix = _symmetric(given, asymmetry)
    norm = largest * float(np.sqrt(sum(np.square(b / largest).sum() for _, b in _blocks(matrix)))) if largest else 0.0
    duplicates = _minors(matrix, rtol, rtol * norm)
    if definite:
        _definite(matrix, rtol * norm)
    return KernelCheck(matrix, rtol, asked, eps, norm, asymmetry, duplicates)


def noise(samples: int, norm: float) -> float:
    """What computing the eigenvalues of a kernel of that norm makes of a 0, at most."""
    return samples * EPS * norm


def clipped(eigenvalues: np.ndarray, check: KernelCheck, left_out: float = 0.0) -> tuple[np.ndarray, float]:
    """The eigenvalues of a kernel with 0 for those that are rounding, and up to where they are that (see the module).

    Args:
        eigenvalues: all, or the largest; then of the others none is above `left_out`.
        check: of the kernel. Of an operator, norm and trace are estimated by the eigenvalues.

    Raises:
        ValueError: one is below `-rtol |K|_F`; the message tells it.
    """
    size, lowest = check.matrix.shape[0], float(eigenvalues.min())
    if isinstance(check.matrix, np.ndarray):
        norm, trace = check.norm, float(check.matrix.trace())
    else:
        norm = float(np.abs(eigenvalues).max())
        trace = float(eigenvalues.sum()) + (size - len(eigenvalues)) * left_out
    if lowest < -check.rtol * norm:
        _refuse(lowest, check.rtol * norm)
    floor = max(noise(size, norm), ENTRIES * check.eps * trace, -2 * lowest, check.given_rtol * norm)
    return np.where(eigenvalues > floor, eigenvalues, 0.0), floor


def refuse_memory(what: str, need: float, advice: str) -> None:
    """ValueError if `need` bytes for `what` are more than four fifths of what is available."""
    room = max(0.8 * available_memory(), 0.0)
    if need > room:
        raise ValueError(
            f"{what} would take {need / 2**30:.3g} GiB of memory, and {room / 2**30:.3g} GiB may be used; {advice}"
        )


def _real(kernel: Any) -> np.ndarray:
    array = np.asarray(kernel)
    if array.dtype.kind not in "fiu":
        raise TypeError(f"kernel must be an array of real numbers, got dtype {array.dtype}")
    if array.ndim != 2 or array.shape[0] != array.shape[1] or not array.size:
        raise ValueError(f"kernel must be square, [sample, sample], got shape {array.shape}")
    return array


def _epsilon(dtype: np.dtype) -> float:
    return max(float(np.finfo(dtype).eps), EPS) if dtype.kind == "f" else EPS


def _blocks(matrix: np.ndarray) -> Iterator[tuple[slice, np.ndarray]]:
    for first in range(0, len(matrix), BLOCK):
        rows = slice(first, first + BLOCK)
        yield rows, matrix[rows].astype(np.float64, copy=False)


def _symmetry(kernel: np.ndarray, rtol: float) -> tuple[float, float]:
    """The largest magnitude, and the largest difference across the diagonal relative to it."""
    largest = difference = 0.0
    where = (0, 0)
    for rows, block in _blocks(kernel):
        if not np.isfinite(block).all():
            i, j = np.argwhere(~np.isfinite(block))[0].tolist()
            raise ValueError(f"kernel must be finite, entry ({i + rows.start}, {j}) is {block[i, j]}")
        largest = max(largest, float(np.abs(block).max()))
        gaps = np.abs(block - kernel[:, rows].T)
        if gaps.max() > difference:
            difference = float(gaps.max())
            i, j = np.unravel_index(int(gaps.argmax()), gaps.shape)
            where = (int(i) + rows.start, int(j))
    if difference > rtol * largest:
        i, j = where
        raise ValueError(
            f"kernel must be symmetric, entries ({i}, {j}) and ({j}, {i}) are {kernel[i, j]:.10g} and "
            f"{kernel[j, i]:.10g}: {difference / largest:.2g} of its largest entry apart, and {rtol:.2g} ({NAMES}) "
            "is taken for rounding"
        )
    return largest, difference / largest if largest else 0.0


def _symmetric(kernel: np.ndarray, asymmetry: float) -> np.ndarray:
    """In float64, the mean of both triangles; not copied where there is nothing to do."""
    if asymmetry == 0 and kernel.dtype == np.float64:
        return kernel
    _refuse_copies(kernel, 1)
    matrix = kernel.astype(np.float64)
    if asymmetry:
        for rows, block in _blocks(matrix):
            mean = 0.5 * block[:, rows.start :] + 0.5 * matrix[rows.start :, rows].T
            matrix[rows, rows.start :] = mean
            matrix[rows.start :, rows] = mean.T
    return matrix


def _minors(matrix: np.ndarray, rtol: float, shift: float) -> int:
    """The number of duplicates; ValueError where a minor of one or two rows of `matrix + shift` is negative."""
    diagonal = matrix.diagonal()
    if diagonal.min() < -shift:
        i = int(diagonal.argmin())
        raise ValueError(
            f"kernel must be positive semi-definite, entry ({i}, {i}) of its diagonal is {diagonal[i]:.6g} "
            f"(to {-shift:.2g} is taken for rounding; {NAMES}, changes that)"
        )
    duplicates = 0
    root = np.sqrt(diagonal + shift)
    for rows, block in _blocks(matrix):
        bound = root[rows, None] * root
        beyond = np.abs(block) - bound * (1 + 4 * np.finfo(float).eps)
        if beyond.max() > 0:
            i, j = np.unravel_index(int(beyond.argmax()), beyond.shape)
            raise ValueError(
                f"kernel must be positive semi-definite, but entry ({i + rows.start}, {j}) is {block[i, j]:.6g}, and "
                f"the diagonal allows {bound[i, j]:.6g}"
            )
        lengths = diagonal[rows, None] + diagonal
        near = lengths - 2 * block <= rtol * lengths
        duplicates += int(np.tril(near, rows.start - 1).any(axis=1).sum())
    return duplicates


def _definite(matrix: np.ndarray, shift: float) -> None:
    if shift == 0 and not matrix.any():
        return
    _refuse_copies(matrix, 1)
    factor = matrix.copy()
    factor.flat[:: len(factor) + 1] += shift
    try:
        _factorise(factor)
    except LinAlgError:
        lowest = float(eigh(matrix, eigvals_only=True, subset_by_index=(0, 0), check_finite=False)[0])
        _refuse(min(lowest, -shift), shift)


def _factorise(matrix: np.ndarray) -> None:
    """Cholesky's factor in place of the lower triangle; LinAlgError if the matrix is not positive definite.

    By panels: LAPACK's own factorisation of more than some 16,000 rows calls a routine of OpenBLAS that crashes the
    process where it is threaded (OpenBLAS issue 2821).
    """
    for k in range(0, len(matrix), PANEL):
        here, below = slice(k, k + PANEL), slice(k + PANEL, None)
        root = matrix[here, here] = cholesky(matrix[here, here], lower=True, check_finite=False)
        matrix[below, here] = solve_triangular(root, matrix[below, here].T, lower=True, check_finite=False).T
        for j in range(k + PANEL, len(matrix), PANEL):
            matrix[j:, j : j + PANEL] -= matrix[j:, here] @ matrix[j : j + PANEL, here].T


def _refuse(lowest: float, shift: float) -> None:
    raise ValueError(
        f"kernel must be positive semi-definite, its lowest eigenvalue is {lowest:.6g} (to {-shift:.2g} is taken for "
        f"rounding; {NAMES}, changes that)"
    )


def _refuse_copies(kernel: np.ndarray, copies: int) -> None:
    what = f"a kernel of {len(kernel)} samples, in float64 beside the one given,"
    refuse_memory(what, 8.0 * copies * kernel.size, "take fewer samples")


def _checked_operator(kernel: LinearOperator, rtol: float | None) -> KernelCheck:
    if kernel.shape[0] != kernel.shape[1] or not kernel.shape[0]:
        raise ValueError(f"kernel must be square, [sample, sample], got an operator of shape {kernel.shape}")
    dtype = np.empty(0, kernel.dtype).dtype
    if dtype.kind not in "fiu":
        raise TypeError(f"kernel must be an operator of real numbers, got dtype {dtype}")
    eps, asked = _epsilon(dtype), rtol or 0.0
    if rtol is None:
        rtol = math.sqrt(eps)
    u, v = np.random.default_rng(0).standard_normal((2, kernel.shape[0]))
    image = np.asarray(kernel @ v, dtype=np.float64)
    other = np.asarray(kernel @ u, dtype=np.float64)
    if not (np.isfinite(image).all() and np.isfinite(other).all()):
        raise ValueError("kernel must be finite, its product with a random vector is not")
    scale = float(np.linalg.norm(u) * np.linalg.norm(image))
    asymmetry = abs(float(u @ image - v @ other)) / scale if scale else 0.0
    if asymmetry > rtol:
        raise ValueError(
            f"kernel must be symmetric, u.Kv and v.Ku at random u and v are {u @ image:.10g} and {v @ other:.10g}: "
            f"{asymmetry:.2g} of |u| |Kv| apart, and {rtol:.2g} ({NAMES}) is taken for rounding"
        )
    return KernelCheck(kernel, rtol, asked, eps, float("nan"), asymmetry, -1)

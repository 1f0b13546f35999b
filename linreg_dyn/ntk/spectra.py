"""Eigenvalues and eigenvectors of kernels, with bounds of their errors, and labels in their eigenbasis."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from scipy.linalg import eigh
from scipy.sparse.linalg import LinearOperator

from linreg_dyn._checks import choice, integer, number
from linreg_dyn.ensemble import provenance
from linreg_dyn.ensemble.memory import available_memory
from linreg_dyn.ntk.kernel_checks import KernelCheck, check_kernel, clipped, refuse_memory
from linreg_dyn.ntk.ritz import Modes, krylov, lanczos, measured
from linreg_dyn.ntk.stored import Store, digest

# Methods, and which of the other options they use.
USED = {"full": ("top",), "lanczos": ("top", "tolerance", "seed"), "randomised": ("top", "iterations", "seed")}
FORMAT = 2  # of what is stored: another number where it means something else
QUICK = 500  # samples up to which a decomposition is not worth a thread of its own


def spectrum(
    kernel: Any,
    y: Any = None,
    *,
    f0: Any = None,
    top: int | None = None,
    method: str = "auto",
    tolerance: float = 0.0,
    iterations: int = 6,
    rtol: float | None = None,
    seed: int = 0,
    cache: str | Path | bool | None = None,
) -> xr.Dataset:
    """The spectrum of a kernel, largest eigenvalue first, and the modes `y_a = e_a . y` of labels.

    Every eigenvalue comes with the norm of its residual `r = K e - eigenvalue e` (and by how much it was clipped): an
    eigenvalue of the kernel is no further away. The attribute `error` bounds all at once: the values are within it of
    as many eigenvalues of the kernel, one for each. What was not computed is at most `left_out`, if the kernel is
    positive. (Weyl; Parlett, The Symmetric Eigenvalue Problem, sections 4.5 and 11.5; the rounding of the products with
    a matrix is included.)

    The memory is estimated before anything is computed: 4 N^2 numbers beside the kernel for a full decomposition,
    or 2 N^2, slower and deaf to Ctrl-C until it is done, where that is all there is.

    Args:
        kernel: [sample, sample] as `check_kernel` takes it, or a `LinearOperator`. Its dtype tells how exact it is:
            eigenvalues up to the largest of `16 eps tr K` (eps of that dtype), `samples eps |K|` (of float64) and -2
            times the lowest are rounding of 0 and become 0 (`kernel_checks` tells why). In float32 that is 2e-6 of
            the trace; a kernel that was computed in float32 must be given in float32.
        y: labels to expand, (sample,) or (sample, output).
        f0: outputs at t = 0 to expand as well, of the shape of `y` (networks of finite width do not start at 0).
        top: only so many of the largest eigenvalues (default: all).
        method: "full" (LAPACK), "lanczos" (ARPACK), "randomised" (block Krylov, for few products with many vectors
            each, and as good as the bounds then say); "auto" is "full" without `top`, or where `top` is more than a
            tenth of the samples of a matrix, and else "lanczos".
        tolerance: of "lanczos": relative error of the eigenvalues at which to stop (default: rounding).
        iterations: of "randomised": dimension of the Krylov space in blocks.
        rtol: what counts as rounding in the kernel, see `check_kernel`: asymmetry, negative eigenvalues, and if it
            is given also positive eigenvalues, up to `rtol |K|`.
        seed: of the vectors to start from.
        cache: a folder to keep results in, and to find them in by the digest of the kernel; True is the usual one
            (`$LINREG_DYN_CACHE`, else the user's cache folder). An entry that cannot be read, or that does not fit
            the kernel, is computed again. For matrices.

    Returns:
        `eigenvalue` (mode), 0 where it is rounding (see the argument `kernel`); `residual` (mode); `eigenvector`
        (sample, mode); with labels `y_mode` (mode[, output]), 0 where it is at most `samples eps |y|` (eps of the
        kernel's dtype), and `y_left_out` ([output]), the norm of what no mode here has; with f0 `f0_mode` and
        `f0_left_out` alike. Attributes: `error`, `left_out` and `left_out_failure` (probability, over random vectors,
        that it is wrong: 0 or 1e-10), `lowest` (of those computed, before clipping), `floor` (up to which eigenvalues
        are 0), `asymmetry` and `duplicates` of `check_kernel`, `method`, `cache` (what became of it, in words), and
        provenance.

    Raises:
        TypeError, ValueError: an argument is not as above, the kernel is none, or memory does not suffice.
    """
    choice("method", method, ("auto", *USED))
    number("tolerance", tolerance, least=0)
    integer("iterations", iterations, least=2, most=1000)
    integer("seed", seed, least=0, most=2**64 - 1)
    store = Store(cache)
    check = check_kernel(kernel, rtol=rtol, definite=False)
    size = check.matrix.shape[0]
    labels = {name: _labels(name, values, size) for name, values in (("y", y), ("f0", f0)) if values is not None}
    if len({values.shape for values in labels.values()}) > 1:
        raise ValueError(f"f0 must have the shape of y, {labels['y'].shape}, got {labels['f0'].shape}")
    top = None if top is None else integer("top", top, least=1, most=size)
    check, method = _chosen_method(check, method, top, store)
    options = {"top": top, "tolerance": float(tolerance), "iterations": iterations, "seed": seed}
    options = {"method": method, **{name: options[name] for name in USED[method]}}
    modes, note = _stored(check, options, store)
    return _dataset(check, modes, labels, options, note)


def _chosen_method(check: KernelCheck, method: str, top: int | None, store: Store) -> tuple[KernelCheck, str]:
    """The kernel, of an operator its matrix if that is needed, and the method that "auto" is; or ValueError."""
    size, dense = check.matrix.shape[0], isinstance(check.matrix, np.ndarray)
    if method == "auto":
        method = "full" if top is None or top >= size - 1 or (dense and top > size / 10) else "lanczos"
    if method == "full":
        if not dense:
            entries = check_kernel(_entries(check.matrix), rtol=check.rtol, definite=False)
            check = replace(entries, given_rtol=check.given_rtol, eps=check.eps)
        return check, method
    if top is None:
        raise ValueError(f"method {method!r} computes the largest eigenvalues; say how many as top")
    if store.folder is not None and not dense:
        raise ValueError("cache needs a matrix: an operator has no digest by which its results could be found")
    return check, method


def _labels(name: str, values: Any, samples: int) -> np.ndarray:
    labels = np.asarray(values)
    if labels.dtype.kind not in "fiub":
        raise TypeError(f"{name} must be an array of real numbers, got dtype {labels.dtype}")
    if labels.ndim not in (1, 2) or len(labels) != samples:
        raise ValueError(
            f"{name} must have shape ({samples},) or ({samples}, outputs) as the kernel, got {labels.shape}"
        )
    labels = labels.astype(np.float64)
    if not np.isfinite(labels).all():
        raise ValueError(f"{name} must be finite, {np.count_nonzero(~np.isfinite(labels))} of its numbers are not")
    return labels


def _stored(check: KernelCheck, options: dict[str, Any], store: Store) -> tuple[Modes, str]:
    if store.folder is None:
        return _computed(check, options), "computed"
    key = digest(kernel=check.matrix, format=FORMAT, **options)
    arrays, note = store.load(key)
    if arrays is not None:
        modes = Modes.from_arrays(arrays)
        if modes is not None and _fits(modes, check):
            return modes, note
        note = "computed again (what was kept does not fit the kernel)"
    modes = _computed(check, options)
    return modes, note + store.save(key, modes.to_arrays())


def _fits(modes: Modes, check: KernelCheck) -> bool:
    """Whether `K V = V diag(values)` holds at a random vector, which decompositions of other kernels fail."""
    values, vectors = modes.values, modes.vectors
    if vectors.shape != (len(check.matrix), len(values)) or not np.isfinite(vectors).all():
        return False
    probe = np.random.default_rng(1).standard_normal(len(values))
    gap = np.linalg.norm(check.matrix @ (vectors @ probe) - vectors @ (values * probe))
    length = abs(np.linalg.norm(vectors @ probe) / np.linalg.norm(probe) - 1)
    return bool(gap <= modes.error * np.linalg.norm(probe) and length < 1e-8)


def _computed(check: KernelCheck, options: dict[str, Any]) -> Modes:
    kernel, top = check.matrix, options["top"]
    size = kernel.shape[0]
    if options["method"] == "full":
        values, vectors = _full(kernel)
        return measured(kernel, values[:top], vectors[:, :top], check.norm)
    rng = np.random.default_rng(options["seed"])
    width = top * 2 + 20 if options["method"] == "lanczos" else (top + 8) * options["iterations"]
    width = min(width, size)
    refuse_memory(f"a Krylov space of {width} vectors for {size} samples", 24.0 * size * width, "ask for fewer modes")
    if options["method"] == "lanczos":
        basis = lanczos(kernel, top, options["tolerance"], rng)
    else:
        basis = krylov(kernel, top, options["iterations"], rng)
    image = kernel @ basis
    values, turn = eigh(basis.T @ image, check_finite=False)  # Rayleigh and Ritz
    vectors = basis @ turn[:, : -1 - top : -1]
    return measured(kernel, values[: -1 - top : -1].copy(), vectors, check.norm)


def _entries(kernel: LinearOperator) -> np.ndarray:
    size = kernel.shape[0]
    refuse_memory(f"the matrix of an operator on {size} samples", 32.0 * size * size, "ask for the top modes")
    matrix = np.asarray(kernel @ np.eye(size), dtype=np.float64)
    return (matrix + matrix.T) / 2


def _full(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """All eigenvalues, largest first, and eigenvectors, by divide and conquer, or by MRRR where memory is short."""
    size = len(matrix)
    advice = f"take fewer samples, or only the largest eigenvalues, such as top={max(size // 20, 1)}"
    refuse_memory(f"the eigenvectors of {size} samples", 16.0 * size * size, advice)
    if 32.0 * size * size <= 0.8 * available_memory() and size < 32_000:  # LAPACK counts its workspace in 32 bits
        values, vectors = _interruptibly(lambda: np.linalg.eigh(matrix)) if size > QUICK else np.linalg.eigh(matrix)
    else:
        values, vectors = eigh(matrix.copy().T, overwrite_a=True, check_finite=False, driver="evr")
    for row in vectors:
        row[:] = row[::-1].copy()
    return values[::-1].copy(), vectors


def decomposed(check: KernelCheck) -> tuple[np.ndarray, np.ndarray]:
    """All eigenvalues of a matrix, as `spectrum` has them, and eigenvectors [sample, mode]; errors as there."""
    values, vectors = _full(check.matrix)
    return clipped(values, check)[0], vectors


def _interruptibly(compute: Callable[[], Any]) -> Any:
    """`compute()` in a thread of its own, so that Ctrl-C is heard at once while LAPACK works without the GIL."""
    outcome: list[Any] = []

    def work() -> None:
        try:
            outcome.append((compute(), None))
        except BaseException as error:
            outcome.append((None, error))

    # Left behind by Ctrl-C, it does not hold up the exit; the command line knows it by its name.
    thread = threading.Thread(target=work, name="LAPACK", daemon=True)
    thread.start()
    while thread.is_alive():
        thread.join(0.2)
    result, error = outcome[0]
    if error is not None:
        raise error
    return result


def _dataset(
    check: KernelCheck, modes: Modes, labels: dict[str, np.ndarray], options: dict[str, Any], note: str
) -> xr.Dataset:
    size = len(modes.vectors)
    lowest = float(modes.values[-1])
    values, floor = clipped(modes.values, check, modes.left_out)
    moved = np.where(values == 0, np.maximum(modes.values, 0.0), 0.0)  # further from eigenvalues, by so much at most
    data: dict[str, Any] = {
        "eigenvalue": ("mode", values, {"long_name": "eigenvalue of the kernel"}),
        "residual": ("mode", modes.residuals + moved, {"long_name": "an eigenvalue of the kernel is no further away"}),
        "eigenvector": (("sample", "mode"), modes.vectors, {"long_name": "eigenvector"}),
    }
    for name, given in labels.items():
        dims = ("mode", "output")[: given.ndim]
        parts = modes.vectors.T @ given
        rest = np.linalg.norm(given - modes.vectors @ parts, axis=0)
        # Rounding of a 0 would say that labels orthogonal to all that can be learned are learned.
        parts[np.abs(parts) <= size * check.eps * np.linalg.norm(given, axis=0)] = 0.0
        what = {"y": "the labels", "f0": "the start"}[name]
        data[f"{name}_mode"] = (dims, parts, {"long_name": f"mode of {what}, e_a . {name}"})
        data[f"{name}_left_out"] = (dims[1:], rest, {"long_name": f"norm of {what} outside of these modes"})
    kernel = check.matrix
    spec = {
        "kernel": provenance.described(kernel) if isinstance(kernel, np.ndarray) else {"shape": [size, size]},
        "labels": provenance.described(labels["y"]) if "y" in labels else None,
        **({"f0": provenance.described(labels["f0"])} if "f0" in labels else {}),
        **options,
    }
    attributes = provenance.attributes("spectrum of a kernel", spec, dtype="float64", method=options["method"])
    attributes |= {"error": modes.error + float(moved.max())}
    attributes |= {"left_out": modes.left_out, "left_out_failure": modes.failure}
    attributes |= {"lowest": lowest, "floor": floor, "asymmetry": check.asymmetry, "duplicates": check.duplicates}
    return xr.Dataset(data, {"mode": np.arange(len(values))}, {**attributes, "cache": note})

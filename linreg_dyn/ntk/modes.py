"""The modes of a wide network under L2 and squared error, in closed form (Lewkowycz & Gur-Ari, Theorem 2, eq. 3).

In the eigenbasis of the kernel at the start, with eigenvalues gamma, each mode of the outputs obeys by itself

    df/dt = - gamma e^(-2 (k - 1) l2 t) (f - y) - k l2 f

for the loss `sum (f - y)^2 / 2` over samples (not the mean) with `l2 / 2 |theta|^2` added, degree of homogeneity k
and gradient-flow time t. The solution is a weight of the start and a weight of the label, `f = A f0 + B y`; how
they are computed, and from what, is told in `_modes`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from linreg_dyn.ensemble.threads import spread, workers
from linreg_dyn.ntk._modes import fill_weights
from linreg_dyn.problem import Array

LARGEST_DEGREE = 1e300
_GRAIN = 8192  # what a thread is worth starting for, and how many a kernel is given at a time


def mode_solution(t: Any, eigenvalue: Any, f0: Any, y: Any, *, l2: Any, degree: Any, threads: int | None = None) -> Any:
    """Outputs f(t) of the modes of a wide network, or of a linear model: eq. 3 of Lewkowycz & Gur-Ari.

    All arguments broadcast against each other; the result is float64 of the common shape.

    Args:
        t: gradient-flow time, `step * learning_rate`; at least 0, inf for the limit.
        eigenvalue: gamma, of the kernel at t = 0, for the loss `sum (f - y)^2 / 2` (not the mean).
        f0: the mode at t = 0.
        y: the mode of the labels.
        l2: the paper's lambda, of `lambda / 2 |theta|^2`; 0 for none.
        degree: the paper's k, of homogeneity: the layers of a network without biases, 1 for a linear model (whose
            kernel stands still), 0 for one that does not depend on the scale of its parameters (whose kernel grows).
            Any real number from 0 to 1e300.
        threads: None for every core.

    The error is at most `(10 + 5 E) eps (|A f0| + |B y|)`, with A, B, E and eps as in `mode_weights`.

    Raises:
        ValueError: an argument out of its range, NaN, or shapes that do not broadcast.
        TypeError: something that is not real numbers.
    """
    given = _checked(t=t, eigenvalue=eigenvalue, f0=f0, y=y, l2=l2, degree=degree)
    A, B = _weights(given, threads)
    return A * given["f0"] + B * given["y"]


def mode_weights(t: Any, eigenvalue: Any, *, l2: Any, degree: Any, threads: int | None = None) -> tuple[Any, Any]:
    """The weights (A, B) of the start and of the label in eq. 3: `f(t) = A f0 + B y`.

    `A = e^(-E)`, where `E = integral of gamma e^(-2 (k - 1) l2 t') dt' + k l2 t`; both lie in [0, 1] and so does
    their sum, up to rounding. Each has a relative error of at most `(10 + 5 E) eps`, eps = 2.2e-16, where E counts as
    at most 745, so below 1e-12; for degrees below 1, `1 + 2 (1 - k) l2 t` times that. Values below 2.2e-308 lose
    digits, and then themselves. Arguments, units and errors are those of `mode_solution`.
    """
    return _weights(_checked(t=t, eigenvalue=eigenvalue, l2=l2, degree=degree), threads)


def _weights(given: dict[str, Array], threads: int | None) -> tuple[Any, Any]:
    count = workers(threads)
    values = [given[name] for name in ("t", "eigenvalue", "l2", "degree")]
    shape = np.broadcast_shapes(*(value.shape for value in values))
    A, B = np.empty(shape), np.empty(shape)
    flags: Any = ["external_loop", "buffered", "ranged", "zerosize_ok"]
    access: Any = [["readonly", "contig"]] * 4 + [["writeonly", "contig"]] * 2

    def work(first: int, last: int) -> None:
        with np.nditer([*values, A, B], flags, access, order="C", buffersize=_GRAIN) as blocks:
            blocks.iterrange = (first, last)  # pyright: ignore[reportAttributeAccessIssue]
            for block in blocks:
                fill_weights(*block)

    spread(work, A.size, min(count, 1 + A.size // _GRAIN))
    return A[()], B[()]


def _checked(**arguments: Any) -> dict[str, Array]:
    """The arguments as float64, in range, with shapes that broadcast."""
    given = {name: _real(name, values, finite=name != "t") for name, values in arguments.items()}
    for name in ("t", "eigenvalue", "l2", "degree"):
        _at_least_zero(name, given[name])
    if np.any(given["degree"] > LARGEST_DEGREE):
        raise ValueError(f"degree must be at most {LARGEST_DEGREE:g}, got {given['degree'].max():g}")
    try:
        np.broadcast_shapes(*(array.shape for array in given.values()))
    except ValueError:
        shapes = ", ".join(f"{name} {array.shape}" for name, array in given.items() if array.shape)
        raise ValueError(f"shapes must broadcast against each other, got {shapes}") from None
    return given


def _real(name: str, values: Any, finite: bool = True) -> Array:
    """`values` as float64, none of them NaN."""
    try:
        array = np.asarray(values)
        if array.dtype.kind not in "iufO":
            raise TypeError(f"got {array.dtype}")
        if array.dtype.kind == "O":  # Fractions, say; numpy would let None pass
            array = np.array([float(x) for x in array.flat]).reshape(array.shape)
        array = array.astype(np.float64, copy=False)
    except (TypeError, ValueError, OverflowError) as error:
        raise TypeError(f"{name} must be real numbers: {error}") from None
    bad = ~np.isfinite(array) if finite else np.isnan(array)
    if np.any(bad):
        allowed = "finite numbers" if finite else "numbers"
        raise ValueError(f"{name} must be {allowed}, got {array[bad].flat[0]} in {np.count_nonzero(bad)} of {bad.size}")
    return array


def _at_least_zero(name: str, array: Array) -> None:
    """Refuse negative numbers, and say how far below zero they are."""
    if np.any(array < 0):
        least = array.min()
        line = f"{name} must be at least 0, got {least:.3g}"
        if name == "eigenvalue":
            count = np.count_nonzero(array < 0)
            line += f", the least of {count} negative out of {array.size} (the largest is {array.max():.3g});"
            line += " a kernel has none but by rounding: set those to 0 first"
        raise ValueError(line)

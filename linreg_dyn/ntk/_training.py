"""The arguments of a training by kernels, checked: arrays of (sample, output), whatever shape the user gave."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.sparse.linalg import LinearOperator, aslinearoperator

from linreg_dyn._checks import integer
from linreg_dyn.ensemble import provenance
from linreg_dyn.ntk._evolution import State
from linreg_dyn.ntk.kernel_checks import KernelCheck, check_kernel
from linreg_dyn.ntk.losses import Loss, as_loss, as_numbers
from linreg_dyn.problem import Array, as_floats


@dataclass(frozen=True, eq=False)
class Training:
    """Kernels, labels and start; `squeezed` if the user's outputs are (sample,)."""

    check: KernelCheck
    cross: Any
    loss: Loss
    y: Array
    y_test: Array | None
    start: State
    squeezed: bool

    @property
    def kernel(self) -> Any:
        """Between training samples, a matrix or an operator."""
        return self.check.matrix

    @property
    def findings(self) -> dict[str, Any]:
        """What is told in the dataset."""
        check = self.check
        return {"kernel_asymmetry": check.asymmetry, "kernel_rtol": check.rtol, "duplicate_samples": check.duplicates}

    @property
    def dense(self) -> bool:
        """Whether the kernels are matrices."""
        return isinstance(self.kernel, np.ndarray) and isinstance(self.cross, np.ndarray)

    @property
    def size(self) -> int:
        """Outputs on training and test samples."""
        return sum(x.size for x in self.start)

    def described_kernel(self) -> Any:
        """For the spec of a dataset."""
        matrices = [x if isinstance(x, np.ndarray) else None for x in (self.kernel, self.cross)]
        return ["operator" if x is None else provenance.described(x) for x in matrices]


def checked_training(
    kernel: Any,
    y: Any,
    loss: Any,
    f0: Any,
    cross: Any,
    f0_test: Any,
    y_test: Any,
    num_outputs: int | None,
    rtol: float | None,
) -> Training:
    """All arguments of `predict` that are about samples; cheap checks only.

    Raises:
        TypeError, ValueError: an argument is not as `predict` says.
    """
    loss = as_loss(loss)
    kernel, outputs = _matrix("kernel", kernel)
    if outputs is None and np.ndim(f0) == 2:
        outputs = np.shape(f0)[1]
    if num_outputs is not None:
        least = outputs or 1
        outputs = integer("num_outputs", num_outputs, least=least, most=outputs or 2**31)
    labels = _labels("y", loss, y, outputs)
    samples, outputs = labels.shape
    check = check_kernel(kernel, rtol=rtol, definite=False)
    size = check.matrix.shape[0]
    if size != samples and size != samples * outputs:
        raise ValueError(f"y must have as many samples as the kernel, {size}, got {samples}")
    start = np.zeros(labels.shape) if f0 is None else as_numbers(f0, outputs, "f0")
    if start.shape != labels.shape:
        raise ValueError(f"f0 must have as many samples as y, {samples}, got {len(start)}")
    cross, tests = _checked_cross(cross, size, samples)
    test_start = np.zeros((tests, outputs))
    for name, value in (("f0_test", f0_test), ("y_test", y_test)):
        if value is not None and len(np.atleast_1d(np.asarray(value))) != tests:
            raise ValueError(f"{name} must have as many samples as kernel_test_train, {tests}, got {len(value)}")
    if f0_test is not None:
        test_start = as_numbers(f0_test, outputs, "f0_test")
    test_labels = None if y_test is None else _labels("y_test", loss, y_test, outputs)
    _check_derivative(loss, start, labels)
    squeezed = outputs == 1 and np.ndim(y) == 1
    return Training(check, cross, loss, labels, test_labels, (start, test_start), squeezed)


def _labels(name: str, loss: Loss, values: Any, outputs: int | None) -> Array:
    """Labels (sample, output); what a loss says of them, it says of `y`."""
    if loss.labels is None:
        return as_numbers(values, outputs, name)
    try:
        return loss.labels(values, outputs)
    except (TypeError, ValueError) as error:
        if name == "y":
            raise
        raise type(error)(f"{name} must be labels as y is: {error}") from None


def _matrix(name: str, kernel: Any) -> tuple[Any, int | None]:
    """A kernel as a matrix or an operator, and the number of outputs if it says that."""
    if not isinstance(kernel, LinearOperator) and not hasattr(kernel, "__array__") and hasattr(kernel, "__matmul__"):
        try:
            return aslinearoperator(kernel), None
        except TypeError:
            raise TypeError(f"{name} must be an array or an operator with shape and @, got {kernel!r:.80}") from None
    if isinstance(kernel, LinearOperator):
        return kernel, None
    array = np.asarray(kernel)
    if array.ndim != 4:
        return array, None
    rows, columns, outputs, others = array.shape
    if outputs != others:
        raise ValueError(f"{name} must have the shape [..., sample, output, output], got {array.shape}")
    return np.ascontiguousarray(array.transpose(0, 2, 1, 3)).reshape(rows * outputs, columns * outputs), outputs


def _checked_cross(cross: Any, size: int, samples: int) -> tuple[Any, int]:
    """The kernel to test samples, and how many of these there are."""
    if cross is None:
        return np.zeros((0, size)), 0
    matrix, _ = _matrix("kernel_test_train", cross)
    if not isinstance(matrix, LinearOperator):
        matrix = as_floats("kernel_test_train", matrix)
    if len(matrix.shape) != 2 or matrix.shape[1] != size or matrix.shape[0] % (size // samples):
        wanted = "[test sample, sample] and as many samples as the kernel has"
        raise ValueError(f"kernel_test_train must have the shape {wanted}, {samples}, got {np.shape(cross)}")
    return matrix, matrix.shape[0] // (size // samples)


def _check_derivative(loss: Loss, f: Array, y: Array) -> None:
    slope = np.asarray(loss.derivative(f, y))
    if slope.shape != f.shape or slope.dtype.kind != "f" or not np.isfinite(slope).all():
        raise ValueError(
            f"loss {loss.name!r} must have a finite derivative of the shape of f, {f.shape}, at the start; got shape "
            f"{slope.shape} and dtype {slope.dtype}" + ("" if slope.shape != f.shape else ", or not finite")
        )

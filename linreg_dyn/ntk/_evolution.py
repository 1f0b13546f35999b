"""Outputs of a wide network over time, on training and test samples: eqs. (1) and (2), solved in three ways.

With `a` as much as each training sample has pushed, `da/dt = -q dl/df - k l2 a`, `q = e^(-2 (k - 1) l2 t)`, outputs are
`f = e^(-k l2 t) f0 + Theta a` everywhere, on test samples with their kernel to the training samples.

- `closed`: squared error, matrices: each mode of the kernel by eq. 3;
- `implicit`: LSODA, on training and test outputs together, with the dense Jacobian;
- `chebyshev`: RKC, on `a`, with products with the kernel only. (Every linear combination of stages keeps the relation
  between f and a.)

Arrays are (sample, output). A kernel acts on samples, the same for each output; or, being `sample * output` wide, on
all of them, samples first.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.integrate import LSODA
from scipy.sparse.linalg import eigsh

from linreg_dyn.ntk import _chebyshev
from linreg_dyn.ntk.kernel_checks import EPS, KernelCheck, check_kernel
from linreg_dyn.ntk.losses import Loss
from linreg_dyn.ntk.modes import mode_weights
from linreg_dyn.ntk.ritz import is_zero
from linreg_dyn.ntk.spectra import decomposed
from linreg_dyn.problem import Array

State = tuple[Array, Array]
"""Outputs on training and on test samples, (sample, output) each; over time with a time in front."""


@dataclass(frozen=True)
class Network:
    """What is trained: kernels at t = 0, loss and labels; and how exactly it is to be solved.

    `rtol` and `atol` are of the outputs; `max_steps` of the integrator, from one call to the next.
    """

    check: KernelCheck
    cross: Any
    loss: Loss
    y: Array
    degree: float
    rtol: float = 1e-8
    atol: float = 1e-10
    max_steps: int = 100_000

    @property
    def kernel(self) -> Any:
        """Between training samples."""
        return self.check.matrix

    def kernel_at(self, t: Any, l2: float, scale: float) -> Any:
        """The kernel after a time t with an l2, from one of this scale."""
        with np.errstate(over="ignore"):  # of degrees below 1, late
            return scale * np.exp(-2 * (self.degree - 1) * l2 * t)


Solver = Callable[[State, float, float, Array], tuple[State, int]]
"""From outputs, l2, the kernel's scale (1: as given) and times (ascending, from 0): outputs, how many were reached.

Those that were not are NaN.
"""


def definite(network: Network) -> Network:
    """For the methods that do not decompose the kernel: the same without eigenvalues that are rounding.

    A matrix whose negative eigenvalues are no larger than what float64 makes of a 0 is taken as it is: they have no
    time to grow.

    Raises:
        ValueError: a matrix has negative eigenvalues beyond rounding.
    """
    check, cross = network.check, network.cross
    if not isinstance(check.matrix, np.ndarray):
        return network
    if check.eps == EPS and not check.given_rtol:
        with suppress(ValueError):
            check_kernel(check.matrix, rtol=len(check.matrix) * EPS)
            return network
    gamma, vectors = decomposed(check)
    learned = vectors[:, gamma > 0]
    if isinstance(cross, np.ndarray):
        cross = (cross @ learned) @ learned.T
    return replace(network, check=replace(check, matrix=(vectors * gamma) @ vectors.T), cross=cross)


def closed(network: Network) -> Solver:
    """Solves squared error in the eigenbasis of a matrix."""
    gamma, vectors = decomposed(network.check)
    shape = (len(gamma), -1)
    y, cross = vectors.T @ network.y.reshape(shape), np.where(gamma > 0, network.cross @ vectors, 0.0)
    gamma = np.maximum(gamma, 1e-100 * (gamma[0] or 1.0))  # so that B / gamma is its limit where gamma is 0

    def solve(start: State, l2: float, scale: float, times: Array) -> tuple[State, int]:
        f0, decay = vectors.T @ start[0].reshape(shape), np.exp(-network.degree * l2 * times)[:, np.newaxis]
        A, B = mode_weights(times[:, np.newaxis], scale * gamma, l2=l2, degree=network.degree)
        rate = 2 * (network.degree - 1) * l2
        with np.errstate(over="ignore"):  # of a kernel that grows
            tau = -np.expm1(-rate * times) / rate if rate else times
            forgotten = decay * np.expm1(-scale * gamma * tau[:, np.newaxis])  # A - decay
        A, B, pull, push = (x[..., np.newaxis] for x in (A, B, forgotten / gamma, B / gamma))
        f = vectors @ (A * f0 + B * y)
        test = (cross @ (pull * f0 + push * y)).reshape(len(times), *start[1].shape)
        return (f.reshape(len(times), *start[0].shape), test + decay[..., np.newaxis] * start[1]), len(times)

    return solve


def implicit(network: Network) -> Solver:
    """Solves any loss by LSODA, which changes between explicit and implicit methods by itself."""
    y, loss, degree, kernels = network.y, network.loss, network.degree, np.concatenate([network.kernel, network.cross])

    def solve(start: State, l2: float, scale: float, times: Array) -> tuple[State, int]:
        size, count = start[0].size, start[0].size + start[1].size

        def rhs(t: float, z: Array) -> Array:
            push = loss.derivative(z[:size].reshape(y.shape), y)
            return -network.kernel_at(t, l2, scale) * _times(kernels, push).reshape(-1) - degree * l2 * z

        def jacobian(t: float, z: Array) -> Array:
            full = np.zeros((count, count))
            curvature = loss.curvature_at(z[:size].reshape(y.shape), y)
            full[:, :size] = -network.kernel_at(t, l2, scale) * _times_blocks(kernels, curvature)
            full.flat[:: count + 1] -= degree * l2
            return full

        z = np.concatenate([x.reshape(-1) for x in start])
        values, reached = _by_lsoda(rhs, jacobian, z, times, network)
        return _split(values, start), reached

    return solve


def chebyshev(network: Network) -> Solver:
    """Solves any loss with products with the kernel only."""
    y, loss, degree = network.y, network.loss, network.degree
    largest = _largest_eigenvalue(network.kernel)

    def solve(start: State, l2: float, scale: float, times: Array) -> tuple[State, int]:
        def outputs(kernel: Any, z: Array, f0: Array) -> Array:
            return z[-1] * f0 + _times(kernel, z[:-1].reshape(y.shape))

        def rhs(t: float, z: Array) -> Array:
            push = network.kernel_at(t, l2, scale) * loss.derivative(outputs(network.kernel, z, start[0]), y)
            return np.append(-push, 0.0) - degree * l2 * z

        def radius(t: float, z: Array) -> float:
            steepest = loss.steepest
            if not np.isfinite(steepest):
                steepest = 2 * _steepest(loss, outputs(network.kernel, z, start[0]), y)
            growing = 4 if degree < 1 else 1  # during a step, by so much if anything happens in it
            return growing * network.kernel_at(t, l2, scale) * largest * steepest + degree * l2

        def error(estimate: Array, z: Array) -> float:
            total = 0.0
            for kernel, f0 in zip((network.kernel, network.cross), start, strict=True):
                if f0.size:
                    allowed = network.atol + network.rtol * np.abs(outputs(kernel, z, f0))
                    total = max(total, float(np.mean((outputs(kernel, estimate, f0) / allowed) ** 2)))
            return total**0.5

        z = np.append(np.zeros(y.size), 1.0)
        values, reached = _chebyshev.integrate(rhs, radius, error, z, times, max_steps=network.max_steps)
        pairs = zip((network.kernel, network.cross), start, strict=True)
        f, test = (np.stack([outputs(kernel, z, f0) for z in values]) for kernel, f0 in pairs)
        return (f, test), reached

    return solve


def _steepest(loss: Loss, f: Array, y: Array) -> float:
    """A bound of the loss's curvature at these outputs; of some samples at a time, as they are squares of outputs."""
    rows = max(2**22 // f.shape[1] ** 2, 1)
    pieces = (slice(first, first + rows) for first in range(0, len(f), rows))
    return max(float(np.abs(loss.curvature_at(f[some], y[some])).sum(axis=-1).max()) for some in pieces)


def _times(kernel: Any, v: Array) -> Array:
    """A kernel times (training sample, output), or for kernels of all outputs that flattened."""
    if kernel.shape[1] == len(v):
        return kernel @ v
    return (kernel @ v.reshape(-1)).reshape(-1, v.shape[1])


def _times_blocks(kernels: Array, blocks: Array) -> Array:
    """Kernels times the block diagonal of (sample, output, output), all as one matrix."""
    samples, outputs, _ = blocks.shape
    if kernels.shape[1] == samples:
        return np.einsum("mn,ncd->mcnd", kernels, blocks).reshape(-1, samples * outputs)
    return np.einsum("mnc,ncd->mnd", kernels.reshape(-1, samples, outputs), blocks).reshape(len(kernels), -1)


def _split(values: Array, start: State) -> State:
    """[time, outputs of training and test samples] into both."""
    f, test = np.split(values, [start[0].size], axis=1)
    return f.reshape(len(values), *start[0].shape), test.reshape(len(values), *start[1].shape)


def _by_lsoda(rhs: Any, jacobian: Any, z: Array, times: Array, network: Network) -> tuple[Array, int]:
    """z at `times`, and how many of them were reached."""
    values = np.full((times.size, z.size), np.nan)
    done = int(np.searchsorted(times, 0.0, side="right"))
    values[:done] = z
    if done == times.size:
        return values, done
    solver = LSODA(rhs, 0.0, z, times[-1], rtol=network.rtol, atol=network.atol, jac=jacobian)
    for _ in range(network.max_steps):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of what went wrong, which the status says
            solver.step()
        if solver.status == "failed" or not np.isfinite(solver.y).all():
            break
        until = int(np.searchsorted(times, solver.t, side="right"))
        if until > done:
            values[done:until] = solver.dense_output()(times[done:until]).T
            done = until
        if solver.status == "finished":
            break
    return values, done


def _largest_eigenvalue(kernel: Any) -> float:
    """A little more than it."""
    size = kernel.shape[0]
    if size < 10:
        return float(np.linalg.norm(kernel @ np.eye(size), 2))
    start = np.random.default_rng(0).standard_normal(size)
    if is_zero(kernel, start):
        return 0.0
    options: Any = {"tol": 1e-3, "v0": start, "return_eigenvectors": False}
    return 1.02 * float(eigsh(kernel, 1, which="LA", **options)[0])

"""Trainings by kernels for the tests: equation 1 written again, solved by others, and what agreement with it means."""

from typing import Any, NamedTuple

import numpy as np
from scipy.integrate import solve_ivp

from linreg_dyn.ntk.dynamics import predict

N, M = 8, 3
TIMES = np.array([0.0, 0.01, 0.1, 0.5, 2.0, 10.0, 40.0])
METHODS = ("closed", "implicit", "chebyshev")
RTOLS = {"implicit": (1e-6, 1e-10), "chebyshev": (1e-4, 1e-7)}
LABELS = {
    "softmax": np.array([0, 1, 2, 0, 1, 2, 0, 0]),
    "logistic": np.array([1, -1, 1, 1, -1, -1, 1, -1]),
    "huber": np.array([3.0, -0.2, 0.5, -5.0, 0.0, 1.0, 2.0, -0.7]),
}


class Exact(NamedTuple):
    """Outputs over time on training and test samples, [time, ...], and what they are off by at most."""

    f: np.ndarray
    test: np.ndarray
    error: float


def kernels(seed=0, samples=N, tests=M):
    x = np.random.default_rng(seed).standard_normal((samples + tests, 12))
    full = x @ x.T / 4
    return full[:samples, :samples], full[samples:, :samples]


def derivative(name, f, y):
    """dl/df of outputs f (sample, output), written one number at a time."""
    if name == "softmax":
        out = np.empty_like(f)
        for i in range(len(f)):
            total = sum(np.exp(a) for a in f[i])
            for j in range(f.shape[1]):
                out[i, j] = np.exp(f[i, j]) / total - (1.0 if j == y[i] else 0.0)
        return out
    pairs = zip(f, np.reshape(y, f.shape), strict=True)
    if name == "logistic":
        return np.array([[-b / (1 + np.exp(b * a)) for a, b in zip(*pair, strict=True)] for pair in pairs])
    if name == "huber":
        return np.array([[max(-1.0, min(1.0, a - b)) for a, b in zip(*pair, strict=True)] for pair in pairs])
    return f - np.reshape(y, f.shape)


def direct(kernel, cross, loss, y, *, l2, degree, f0, test0, times=TIMES):
    """Eq. (1) on training and test samples together, by Dormand and Prince's method of order 8.

    Its error falls with the tolerance to the power 8/9: from 1e-11 to 1e-12 by 7, so that what changes is the larger.
    """
    both, size = np.concatenate([kernel, cross]), f0.size

    def rhs(t, z):
        push = derivative(loss, z[:size].reshape(f0.shape), y)
        return -np.exp(-2 * (degree - 1) * l2 * t) * (both @ push).reshape(-1) - degree * l2 * z

    start = np.concatenate([f0.reshape(-1), test0.reshape(-1)])
    rough, fine = (
        solve_ivp(rhs, (0, times[-1]), start, "DOP853", t_eval=times, rtol=rtol, atol=0.1 * rtol).y.T
        for rtol in (1e-11, 1e-12)
    )
    f, test = fine[:, :size].reshape(len(times), *f0.shape), fine[:, size:].reshape(len(times), *test0.shape)
    return Exact(f, test, float(np.abs(rough - fine).max()))


def assert_solved(exact, method, kernel, y, times=TIMES, **arguments):
    """`predict` by this method converges to the exact outputs, as fast as the method says.

    "closed": but for rounding. The computed eigenvectors and eigenvalues are those of a kernel no further off than
    `N eps |K|`, and what it does in time is `exp(-K tau)`, `tau` the integral of the kernel's scale, which changes by
    no more than tau times that.

    Others: where the error of each step is kept at the tolerance by a method of order q, errors fall with the
    tolerance to the power q / (q + 1). RKC has q = 2, and LSODA, which chooses, more at these tolerances. A controller
    that aims at 0.8 of the longest step leaves between 0.8^(q + 1) and 1 of the tolerance: a factor 2 either way. An
    equation that is not the exact one's has errors that do not fall.
    """

    def error(rtol):
        run = predict(kernel, y, times, method=method, rtol=rtol, **arguments)
        parts = [(run["f"], exact.f), *([(run["f_test"], exact.test)] if "f_test" in run else [])]
        return max(
            float(np.abs(got.values.reshape(len(times), -1) - want.reshape(len(times), -1)).max())
            for got, want in parts
        )

    if method == "closed":
        assert error(None) <= exact.error + _rounding(kernel, y, times, **arguments)
        return
    tolerances = RTOLS[method]
    rough, fine = map(error, tolerances)
    assert fine <= exact.error + 2 * rough * (tolerances[1] / tolerances[0]) ** (2 / 3)


def _rounding(kernel: Any, y: Any, times: Any, *, l2: float, degree: float, f0: Any = None, **_: Any) -> float:
    rate = 2 * (degree - 1) * l2
    tau = -np.expm1(-rate * times[-1]) / rate if rate else times[-1]
    size, sides = np.asarray(kernel).size ** 0.5, [y] if f0 is None else [y, f0]
    values = sum(np.linalg.norm(side) for side in sides)
    return float(size * np.finfo(float).eps * np.linalg.norm(kernel) * max(tau, 1.0) * values)

"""Training by kernels: every method converges to equations written again here and solved by others."""

import mpmath as mp
import numpy as np
import pytest
from numba import njit
from scipy.sparse import csr_array
from scipy.sparse.linalg import LinearOperator

from linreg_dyn.ntk.dynamics import predict
from linreg_dyn.ntk.losses import Loss, huber
from linreg_dyn.ntk.modes import mode_solution
from tests.ntk_training import LABELS, METHODS, TIMES, Exact, M, N, assert_solved, direct, kernels


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(("l2", "degree"), [(0.05, 2), (0.2, 3.5), (0.1, 1), (0.03, 0.5), (0.1, 0), (0.0, 2)])
def test_squared_error_on_training_and_test_samples(method, l2, degree):
    (kernel, cross), rng = kernels(), np.random.default_rng(1)
    y, f0, test0 = (rng.standard_normal((n, 2)) for n in (N, N, M))
    times = TIMES[: 7 if degree >= 1 else 6]  # a kernel that grows makes the direct way take ever smaller steps
    exact = direct(kernel, cross, "mse", y, l2=l2, degree=degree, f0=f0, test0=test0, times=times)
    arguments = {"l2": l2, "degree": degree, "f0": f0, "kernel_test_train": cross, "f0_test": test0}
    assert_solved(exact, method, kernel, y, times, **arguments)
    run = predict(kernel, y, times, method=method, **arguments)
    np.testing.assert_allclose(run.loss, 0.5 * ((run.f.values - y) ** 2).sum(axis=(1, 2)), rtol=1e-13)
    np.testing.assert_allclose(run.kernel_scale, np.exp(-2 * (degree - 1) * l2 * times), rtol=1e-14)
    assert run.status == 0


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("fault", ["l2", "degree", "f0", "kernel", "cross"])
def test_an_equation_that_is_slightly_another_is_noticed(method, fault):
    """By one part in 10^5, in each of its terms: the convergence that is asserted here is to one limit alone."""
    (kernel, cross), rng = kernels(), np.random.default_rng(1)
    y, f0, test0 = (rng.standard_normal((n, 2)) for n in (N, N, M))
    exact = direct(kernel, cross, "mse", y, l2=0.05, degree=2.5, f0=f0, test0=test0)
    given = {"l2": 0.05, "degree": 2.5, "f0": f0, "kernel": kernel, "cross": cross}
    assert_with(given, exact, method, y, test0)
    given[fault] = given[fault] * (1 + 1e-5)
    with pytest.raises(AssertionError):
        assert_with(given, exact, method, y, test0)


def assert_with(given, exact, method, y, test0):
    rates = {"l2": given["l2"], "degree": given["degree"], "f0": given["f0"]}
    assert_solved(exact, method, given["kernel"], y, **rates, kernel_test_train=given["cross"], f0_test=test0)


def test_squared_error_in_the_eigenbasis_is_the_modes():
    kernel, _ = kernels()
    y, f0 = np.random.default_rng(2).standard_normal((2, N))
    run = predict(kernel, y, TIMES, l2=0.02, degree=2, f0=f0)
    gamma, vectors = np.linalg.eigh(kernel)
    modes = mode_solution(TIMES[:, None], np.maximum(gamma, 0), vectors.T @ f0, vectors.T @ y, l2=0.02, degree=2)
    np.testing.assert_allclose(run.f, modes @ vectors.T, atol=1e-13)
    assert run.f.dims == ("time", "sample")


@pytest.mark.parametrize("method", METHODS[1:])
@pytest.mark.parametrize("degree", [1, 2.5])
@pytest.mark.parametrize("loss", LABELS)
def test_other_losses_against_loops(loss, degree, method):
    kernel, cross = kernels()
    y, outputs = LABELS[loss], 3 if loss == "softmax" else 1
    f0, test0 = np.random.default_rng(3).standard_normal((N, outputs)), np.zeros((M, outputs))
    given = f0 if loss == "softmax" else f0[:, 0]
    exact = direct(kernel, cross, loss, y, l2=0.05, degree=degree, f0=f0, test0=test0)
    arguments = {"l2": 0.05, "degree": degree, "f0": given, "loss": loss, "kernel_test_train": cross}
    assert_solved(exact, method, kernel, y, **arguments)
    run = predict(kernel, y, TIMES, method=method, **arguments)
    if loss == "softmax":
        p = np.exp(run.f.values) / np.exp(run.f.values).sum(axis=2, keepdims=True)
        np.testing.assert_allclose(run.loss, -np.log(p[:, range(N), y]).sum(axis=1), rtol=1e-12)
        np.testing.assert_array_equal(run.error, (exact.f.argmax(axis=2) != y).mean(axis=1))
    assert ("error" in run) == (loss != "huber")


@pytest.mark.parametrize("method", METHODS[1:])
def test_softmax_with_twenty_digits(method):
    kernel, l2 = [[2.0, 0.5], [0.5, 1.0]], 0.1
    with mp.workdps(20):

        def rhs(t, z):
            p = [1 / (1 + mp.exp(z[1] - z[0])), 1 / (1 + mp.exp(z[3] - z[2]))]
            push = [p[0] - 1, 1 - p[0], p[1], -p[1]]
            q = mp.exp(-2 * l2 * t)
            return [
                -q * sum(kernel[i][n] * push[2 * n + c] for n in (0, 1)) - 2 * l2 * z[2 * i + c]
                for i in (0, 1)
                for c in (0, 1)
            ]

        exact = np.array([[float(x) for x in mp.odefun(rhs, 0, [0, 0, 0, 0])(2)]])
    error = 4 * np.finfo(float).eps  # of the rounding to float64
    assert_solved(Exact(exact, exact[:, :0], error), method, kernel, [0, 1], [2.0], l2=l2, degree=2, loss="softmax")


def test_euler_steps_extrapolated():
    """Independent of any library: gradient flow as the limit of its steps h, errors of h and h^2 removed."""
    kernel, y, l2, degree, end = np.array([[1.5, 0.3], [0.3, 0.7]]), np.array([1.0, -1.0]), 0.1, 3, 4.0

    def euler(steps):
        f, h = np.zeros(2), end / steps
        for n in range(steps):
            slope = -y / (1 + np.exp(y * f))
            f = f - h * (np.exp(-2 * (degree - 1) * l2 * n * h) * kernel @ slope + degree * l2 * f)
        return f

    a, b, c, d = (euler(steps) for steps in (1000, 2000, 4000, 8000))
    rough, limit = (8 * c - 6 * b + a) / 3, (8 * d - 6 * c + b) / 3
    run = predict(kernel, y, [end], l2=l2, degree=degree, loss="logistic", rtol=1e-11)
    np.testing.assert_allclose(run.f[0], limit, atol=np.abs(rough - limit).max())  # eight times what is left of it


@pytest.mark.parametrize("method", METHODS)
def test_a_kernel_between_outputs(method):
    rng = np.random.default_rng(4)
    x = rng.standard_normal(((N + M) * 2, 30))
    full = (x @ x.T / 10).reshape(N + M, 2, N + M, 2).transpose(0, 2, 1, 3)
    y, flat = rng.standard_normal((N, 2)), full.transpose(0, 2, 1, 3).reshape(2 * (N + M), 2 * (N + M))
    start = {"f0": np.zeros(2 * N), "test0": np.zeros(2 * M)}
    exact = direct(flat[: 2 * N, : 2 * N], flat[2 * N :, : 2 * N], "mse", y, l2=0.05, degree=2, **start)
    assert_solved(exact, method, full[:N, :N], y, l2=0.05, degree=2, kernel_test_train=full[N:, :N])


def test_a_kernel_between_outputs_that_is_the_same_for_each():
    kernel, y = kernels()[0], np.random.default_rng(4).standard_normal((N, 2))
    shared = predict(kernel, y, TIMES, l2=0.05, degree=2)
    same = predict(kernel[:, :, None, None] * np.eye(2), y, TIMES, l2=0.05, degree=2)
    np.testing.assert_allclose(same.f, shared.f, atol=1e-12)


@pytest.mark.parametrize("sparse", [False, True])
def test_operators(sparse):
    kernel, cross = kernels()
    y, start = LABELS["softmax"], {"f0": np.zeros((N, 3)), "test0": np.zeros((M, 3))}
    exact = direct(kernel, cross, "softmax", y, l2=0.05, degree=2, **start)
    dense = LinearOperator((N, N), matvec=lambda v: kernel @ v, matmat=lambda v: kernel @ v, dtype=float)
    operator = csr_array(kernel) if sparse else dense
    arguments = {"l2": 0.05, "degree": 2, "loss": "softmax"}
    assert_solved(exact, "chebyshev", operator, y, kernel_test_train=cross, **arguments)
    run = predict(operator, y, TIMES, kernel_test_train=cross, **arguments)
    assert '"method": "chebyshev"' in run.attrs["spec"]
    with pytest.raises(ValueError, match="method 'implicit' needs matrices as kernels, got an operator"):
        predict(operator, y, TIMES, method="implicit", **arguments)


@njit
def _compiled_slope(f, y):
    return np.minimum(np.maximum(f - y, -1.0), 1.0)


@pytest.mark.parametrize("method", METHODS[1:])
@pytest.mark.parametrize("slope", [_compiled_slope, _compiled_slope.py_func])
def test_losses_of_the_user(slope, method):
    kernel, cross = kernels()
    y, arguments = LABELS["huber"], {"l2": 0.05, "degree": 2}
    exact = direct(kernel, cross, "huber", y, f0=np.zeros((N, 1)), test0=np.zeros((M, 1)), **arguments)
    assert_solved(exact, method, kernel, y, loss=slope, kernel_test_train=cross, **arguments)
    run = predict(kernel, y, TIMES, loss=slope, method=method, **arguments)
    assert "loss" not in run
    told = predict(kernel, y, TIMES, loss=Loss("mine", slope, huber().value), method=method, **arguments)
    np.testing.assert_array_equal(told.f, run.f)
    value = huber().value
    assert value is not None
    np.testing.assert_allclose(told.loss, value(run.f.values[..., None], y[:, None]).sum(axis=1), rtol=1e-13)


@pytest.mark.parametrize("method", METHODS)
def test_duplicates_and_kernels_of_low_rank(method):
    x = np.random.default_rng(8).standard_normal((N, 3))
    x[1] = x[0]
    y, kernel = np.arange(N) - 3.0, x @ x.T
    zero = np.zeros((N, 1))
    exact = direct(kernel, kernel, "mse", y, l2=0.05, degree=2, f0=zero, test0=zero)
    np.testing.assert_allclose(exact.f[:, 0], exact.f[:, 1], atol=exact.error)
    np.testing.assert_allclose(exact.f, exact.test, atol=exact.error)
    assert_solved(exact, method, kernel, y, l2=0.05, degree=2, kernel_test_train=kernel)
    run = predict(kernel, y, TIMES, l2=0.05, degree=2, method=method)
    assert run.attrs["duplicate_samples"] == 1

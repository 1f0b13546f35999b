"""The integrators of training by kernels: tolerances that mean what they say, stiffness, and how they give up."""

import math

import numpy as np
import pytest

from linreg_dyn.ntk import _chebyshev, _evolution
from linreg_dyn.ntk.dynamics import predict
from linreg_dyn.ntk.losses import Loss
from linreg_dyn.schedules import AutoL2
from tests.ntk_training import LABELS, METHODS, RTOLS, TIMES, M, N, direct, kernels


@pytest.mark.parametrize("method", METHODS[1:])
def test_errors_of_steps_add_up_to_the_error_and_no_more(method, monkeypatch):
    """The flow of a convex loss contracts, by the norm of the inverse kernel, so that no error of a step grows.

    In the Euclidean norm it may by the root of the kernel's condition. The mean square of the errors of RKC's outputs
    is what is kept at the tolerance; the largest error of LSODA's.
    """
    steps = []
    where, name = (_evolution.LSODA, "step") if method == "implicit" else (_chebyshev, "step")
    original = getattr(where, name)
    monkeypatch.setattr(where, name, lambda *arguments: steps.append(1) or original(*arguments))
    kernel = kernels()[0] + 0.1 * np.eye(N)
    y, cross, zero = LABELS["logistic"], np.zeros((0, N)), np.zeros((N, 1))
    exact = direct(kernel, cross, "logistic", y, l2=0.05, degree=2, f0=zero, test0=zero[:0])
    for rtol in RTOLS[method]:
        steps.clear()
        run = predict(kernel, y, TIMES, l2=0.05, degree=2, loss="logistic", method=method, rtol=rtol)
        error = np.abs(run.f.values - exact.f[..., 0]).max() - exact.error
        allowed = rtol * (0.01 + np.abs(exact.f).max()) * math.sqrt(N * np.linalg.cond(kernel))
        assert error < len(steps) * allowed


@pytest.mark.parametrize(("method", "rtol"), [("implicit", 1e-8), ("chebyshev", 1e-5)])
def test_default_tolerances(method, rtol):
    kernel, _ = kernels()
    arguments = {"l2": 0.05, "degree": 2, "loss": "huber", "method": method}
    default = predict(kernel, LABELS["huber"], TIMES, **arguments)
    same = predict(kernel, LABELS["huber"], TIMES, rtol=rtol, atol=0.01 * rtol * 5.0, **arguments)
    np.testing.assert_array_equal(default.f, same.f)  # 5 is the largest label
    other = predict(kernel, LABELS["huber"], TIMES, rtol=1.1 * rtol, **arguments)
    assert not np.array_equal(default.f, other.f)


@pytest.mark.parametrize("l2", [0.0, 0.3])
@pytest.mark.parametrize("method", METHODS)
def test_under_a_kernel_of_zeros_nothing_is_learned(method, l2):
    start = np.linspace(-1, 1, 40)
    run = predict(np.zeros((40, 40)), np.ones(40), [0.0, 2.0], l2=l2, degree=2, f0=start, method=method)
    assert run["status"] == 0
    np.testing.assert_allclose(run.f[1], math.exp(-2 * l2 * 2) * start, rtol=0, atol=1e-4)  # ten steps of 1e-5


@pytest.mark.parametrize("method", METHODS)
def test_the_linear_model_ends_at_ridge_regression_and_others_at_zero(method):
    """What is left at the end is the error of the last steps, at rest within the tolerance of each."""
    kernel, cross = kernels()
    y = np.random.default_rng(5).standard_normal(N)
    ridge = np.linalg.solve(kernel + 0.3 * np.eye(N), y)
    rtol = {"closed": 1e-13, "implicit": 1e-8, "chebyshev": 1e-5}[method]
    for degree, train, test in ((1, kernel @ ridge, cross @ ridge), (2, 0 * y, np.zeros(M))):
        run = predict(kernel, y, [200.0], l2=0.3, degree=degree, kernel_test_train=cross, method=method)
        allowed = 2 * rtol * np.abs(y).max()
        np.testing.assert_allclose(run.f[0], train, atol=allowed)
        np.testing.assert_allclose(run.f_test[0], test, atol=allowed)


def test_stiff_kernels_take_few_products():
    gamma = np.geomspace(1e5, 1e-5, 30)
    vectors = np.linalg.qr(np.random.default_rng(6).standard_normal((30, 30)))[0]
    kernel, y, calls = (vectors * gamma) @ vectors.T, np.sign(vectors[:, 0]), [0]

    def slope(f, y):
        calls[0] += 1
        return -y / (1 + np.exp(np.clip(y * f, -700, 700)))

    explicit = gamma[0] * 0.25 * 100 / 2  # steps of a method that stiffness does stop
    runs = []
    for method, most in (("implicit", 4000), ("chebyshev", 100_000)):
        calls[0] = 0
        runs.append(predict(kernel, y, [100.0], l2=0.01, degree=2, loss=slope, method=method))
        assert runs[-1].status == 0
        assert calls[0] < most < explicit
    # A step of "chebyshev" may be off by 1e-5 of the outputs; stiff modes forget it, of others there are two at most.
    np.testing.assert_allclose(runs[0].f, runs[1].f, atol=2e-5 * np.abs(runs[0].f.values).max())


def test_the_curvature_of_many_outputs_is_looked_at_in_pieces(monkeypatch):
    sizes = []

    def curvature(f, y):
        sizes.append(len(f))
        return f[:, :, None] * np.ones(f.shape[1])

    loss = Loss("pieces", lambda f, y: f, curvature=curvature)
    f = np.random.default_rng(0).standard_normal((50, 600))
    assert _evolution._steepest(loss, f, f) == 600 * np.abs(f).max()
    assert max(sizes) * 600**2 <= 2**22
    assert sum(sizes) == 50


@pytest.mark.parametrize("stages", [2, 5, 40, 700])
def test_coefficients_of_chebyshev_steps(stages):
    """On `y' = z y / h` a step is a polynomial of z: `e^z` to second order, and at most 1 from `-0.65 (s^2 - 1)` on."""

    def stability(z):
        return _chebyshev.step(lambda t, y: z * y, 0.0, np.ones_like(z), z, 1.0, stages)

    assert np.abs(stability(-np.linspace(0, 0.65 * (stages**2 - 1), 5001))).max() <= 1 + 1e-10
    assert np.abs(stability(-np.linspace(0, 0.7 * (stages**2 - 1), 5001))).max() > 1  # and no further than known
    z = np.array([1e-2, 1e-3])
    third = (stability(z) - 1 - z - z**2 / 2) / z**3
    assert np.abs(third).max() < 1
    moved = _chebyshev.step(lambda t, y: np.array([2 * t]), 0.0, np.zeros(1), np.zeros(1), 1.0, stages)
    assert moved == pytest.approx(1.0, abs=1e-10)  # of the time in between, too


def test_unfinished_training_says_so():
    kernel, _ = kernels()
    for method in METHODS[1:]:
        run = predict(kernel, LABELS["logistic"], TIMES, l2=0.05, degree=2, loss="logistic", method=method, max_steps=3)
        assert run.status == 1
        assert run.status.attrs["flag_meanings"] == "ok unfinished"
        reached = int(np.isfinite(run.loss).sum())
        assert 1 <= reached < len(TIMES)
        assert np.isnan(run.f[reached:]).all()
        assert np.isnan(run.kernel_scale[reached:]).all()
        auto = predict(
            kernel, LABELS["logistic"], TIMES, l2=AutoL2(0.05), learning_rate=1.0, degree=2, loss="logistic",
            method=method, max_steps=3,
        )  # fmt: skip
        assert auto.status == 1
        assert np.isnan(auto.l2[-1])


def test_outputs_that_stop_being_numbers_end_the_training():
    kernel, _ = kernels()

    def slope(f, y):
        return np.where(np.abs(f).max() > 0.5, np.nan, f - y)

    for method in METHODS[1:]:
        run = predict(kernel, np.full(N, 3.0), TIMES, l2=0.05, degree=2, loss=slope, method=method)
        assert run.status == 1
        assert np.isfinite(run.f[0]).all()

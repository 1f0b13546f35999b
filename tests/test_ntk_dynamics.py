"""Training by kernels against equations written again here and solved by others, to high accuracy."""

import json

import mpmath as mp
import numpy as np
import pytest
import xarray as xr
from numba import njit
from scipy.integrate import solve_ivp
from scipy.sparse import csr_array
from scipy.sparse.linalg import LinearOperator

from linreg_dyn.ntk import _chebyshev
from linreg_dyn.ntk.dynamics import predict
from linreg_dyn.ntk.losses import Loss, huber
from linreg_dyn.ntk.modes import mode_solution
from linreg_dyn.schedules import AutoL2

N, M = 8, 3
METHODS = ("closed", "implicit", "chebyshev")
ALLOWED = {"closed": 1e-10, "implicit": 2e-7, "chebyshev": 5e-4}
"""Errors of steps that add up, at the default tolerances; measured are a tenth of these."""


def kernels(seed=0, samples=N, tests=M):
    x = np.random.default_rng(seed).standard_normal((samples + tests, 12))
    full = x @ x.T / 4
    return full[:samples, :samples], full[samples:, :samples]


def direct(kernel, cross, slope, f0, test0, times, l2, degree):
    """Eq. (1) for training and test outputs together, by Dormand and Prince's method of order 8."""
    both, size = np.concatenate([kernel, cross]), f0.size

    def rhs(t, z):
        push = slope(z[:size].reshape(f0.shape))
        return -np.exp(-2 * (degree - 1) * l2 * t) * (both @ push).reshape(-1) - degree * l2 * z

    start = np.concatenate([f0.reshape(-1), test0.reshape(-1)])
    found = solve_ivp(rhs, (0, times[-1]), start, "DOP853", t_eval=times, rtol=1e-12, atol=1e-13)
    return found.y.T[:, :size].reshape(-1, *f0.shape), found.y.T[:, size:].reshape(-1, *test0.shape)


TIMES = np.array([0.0, 0.01, 0.1, 0.5, 2.0, 10.0, 40.0])


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(("l2", "degree"), [(0.05, 2), (0.2, 3.5), (0.1, 1), (0.03, 0.5), (0.1, 0), (0.0, 2)])
def test_squared_error_on_training_and_test_samples(method, l2, degree):
    (kernel, cross), rng = kernels(), np.random.default_rng(1)
    y, f0, test0 = (rng.standard_normal((n, 2)) for n in (N, N, M))
    times = TIMES[: 7 if degree >= 1 else 6]  # a kernel that grows makes the direct way take ever smaller steps
    run = predict(kernel, y, times, l2=l2, degree=degree, f0=f0, kernel_test_train=cross, f0_test=test0, method=method)
    f, test = direct(kernel, cross, lambda f: f - y, f0, test0, times, l2, degree)
    np.testing.assert_allclose(run.f, f, atol=ALLOWED[method])
    np.testing.assert_allclose(run.f_test, test, atol=ALLOWED[method])
    np.testing.assert_allclose(run.loss, 0.5 * ((f - y) ** 2).sum(axis=(1, 2)), atol=20 * ALLOWED[method])
    np.testing.assert_allclose(run.kernel_scale, np.exp(-2 * (degree - 1) * l2 * times), rtol=1e-14)
    assert run.status == 0


def test_squared_error_in_the_eigenbasis_is_the_modes():
    kernel, _ = kernels()
    y, f0 = np.random.default_rng(2).standard_normal((2, N))
    run = predict(kernel, y, TIMES, l2=0.02, degree=2, f0=f0)
    gamma, vectors = np.linalg.eigh(kernel)
    modes = mode_solution(TIMES[:, None], np.maximum(gamma, 0), vectors.T @ f0, vectors.T @ y, l2=0.02, degree=2)
    np.testing.assert_allclose(run.f, modes @ vectors.T, atol=1e-13)
    assert run.f.dims == ("time", "sample")


def losses_by_hand(name, y):
    """dl/df, written one number at a time."""

    def softmax(f):
        out = np.empty_like(f)
        for i in range(len(f)):
            total = sum(np.exp(a) for a in f[i])
            for j in range(f.shape[1]):
                out[i, j] = np.exp(f[i, j]) / total - (1.0 if j == y[i] else 0.0)
        return out

    def logistic(f):
        return np.array([[-label / (1 + np.exp(label * a))] for (a,), label in zip(f, y, strict=True)])

    def huber(f):
        return np.array([[max(-1.0, min(1.0, a - label))] for (a,), label in zip(f, y, strict=True)])

    return {"softmax": softmax, "logistic": logistic, "huber": huber}[name]


LABELS = {
    "softmax": np.array([0, 1, 2, 0, 1, 2, 0, 0]),
    "logistic": np.array([1, -1, 1, 1, -1, -1, 1, -1]),
    "huber": np.array([3.0, -0.2, 0.5, -5.0, 0.0, 1.0, 2.0, -0.7]),
}


@pytest.mark.parametrize("method", METHODS[1:])
@pytest.mark.parametrize("degree", [1, 2.5])
@pytest.mark.parametrize("loss", LABELS)
def test_other_losses_against_loops(loss, degree, method):
    kernel, cross = kernels()
    y, outputs = LABELS[loss], 3 if loss == "softmax" else 1
    f0, test0 = np.random.default_rng(3).standard_normal((N, outputs)), np.zeros((M, outputs))
    given = f0 if loss == "softmax" else f0[:, 0]
    run = predict(kernel, y, TIMES, l2=0.05, degree=degree, f0=given, loss=loss, kernel_test_train=cross, method=method)
    f, test = direct(kernel, cross, losses_by_hand(loss, y), f0, test0, TIMES, 0.05, degree)
    np.testing.assert_allclose(run.f, f.reshape(run.f.shape), atol=ALLOWED[method])
    np.testing.assert_allclose(run.f_test, test.reshape(run.f_test.shape), atol=ALLOWED[method])
    if loss == "softmax":
        p = np.exp(f) / np.exp(f).sum(axis=2, keepdims=True)
        np.testing.assert_allclose(
            run.loss, -np.log(p[:, range(N), y]).sum(axis=1), atol=20 * ALLOWED[method], rtol=1e-12
        )
        np.testing.assert_array_equal(run.error, (f.argmax(axis=2) != y).mean(axis=1))
    assert ("error" in run) == (loss != "huber")


def test_softmax_with_twenty_digits():
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

        exact = [float(x) for x in mp.odefun(rhs, 0, [0, 0, 0, 0])(2)]
    errors = []
    for rtol in (1e-6, 1e-8, 1e-10):
        run = predict(kernel, [0, 1], [2.0], l2=l2, degree=2, loss="softmax", method="implicit", rtol=rtol)
        errors.append(np.abs(run.f.values.reshape(-1) - exact).max())
    assert errors[-1] < 1e-9 < 1e-7 < 100 * errors[0]
    rough, fine = (
        predict(kernel, [0, 1], [2.0], l2=l2, degree=2, loss="softmax", method="chebyshev", rtol=rtol).f.values.reshape(
            -1
        )
        for rtol in (1e-4, 1e-7)
    )
    assert 20 * np.abs(fine - exact).max() < np.abs(rough - exact).max() < 1e-3


def test_euler_steps_extrapolated():
    """Independent of any library: gradient flow as the limit of its steps, a linear error removed."""
    kernel, y, l2, degree, end = np.array([[1.5, 0.3], [0.3, 0.7]]), np.array([1.0, -1.0]), 0.1, 3, 4.0

    def euler(steps):
        f, h = np.zeros(2), end / steps
        for n in range(steps):
            slope = -y / (1 + np.exp(y * f))
            f = f - h * (np.exp(-2 * (degree - 1) * l2 * n * h) * kernel @ slope + degree * l2 * f)
        return f

    coarse, middle, fine = (euler(steps) for steps in (2000, 4000, 8000))
    limit = (8 * fine - 6 * middle + coarse) / 3
    run = predict(kernel, y, [end], l2=l2, degree=degree, loss="logistic")
    np.testing.assert_allclose(run.f[0], limit, atol=1e-8)


def test_a_kernel_between_outputs():
    rng = np.random.default_rng(4)
    x = rng.standard_normal(((N + M) * 2, 30))
    full = (x @ x.T / 10).reshape(N + M, 2, N + M, 2).transpose(0, 2, 1, 3)
    kernel, cross, y = full[:N, :N], full[N:, :N], rng.standard_normal((N, 2))
    flat = full.transpose(0, 2, 1, 3).reshape(2 * (N + M), 2 * (N + M))
    want = direct(
        flat[: 2 * N, : 2 * N], flat[2 * N :, : 2 * N], lambda f: f - y.reshape(-1), np.zeros(2 * N), np.zeros(2 * M),
        TIMES, 0.05, 2,
    )  # fmt: skip
    for method in METHODS:
        run = predict(kernel, y, TIMES, l2=0.05, degree=2, kernel_test_train=cross, method=method)
        np.testing.assert_allclose(run.f, want[0].reshape(-1, N, 2), atol=ALLOWED[method])
        np.testing.assert_allclose(run.f_test, want[1].reshape(-1, M, 2), atol=ALLOWED[method])
    block = kernels()[0]
    shared = predict(block, y, TIMES, l2=0.05, degree=2)
    same = predict(block[:, :, None, None] * np.eye(2), y, TIMES, l2=0.05, degree=2)
    np.testing.assert_allclose(same.f, shared.f, atol=1e-12)


def test_operators():
    kernel, cross = kernels()
    y = LABELS["softmax"]
    want = predict(kernel, y, TIMES, l2=0.05, degree=2, loss="softmax", kernel_test_train=cross, rtol=1e-7)
    operator = LinearOperator((N, N), matvec=lambda v: kernel @ v, matmat=lambda v: kernel @ v, dtype=float)
    for given in (operator, csr_array(kernel)):
        run = predict(given, y, TIMES, l2=0.05, degree=2, loss="softmax", kernel_test_train=cross)
        assert json.loads(run.attrs["spec"])["method"] == "chebyshev"
        np.testing.assert_allclose(run.f, want.f, atol=ALLOWED["chebyshev"])
        np.testing.assert_allclose(run.f_test, want.f_test, atol=ALLOWED["chebyshev"])
    with pytest.raises(ValueError, match="method 'implicit' needs matrices as kernels, got an operator"):
        predict(operator, y, TIMES, l2=0.05, degree=2, loss="softmax", method="implicit")


@njit
def _compiled_slope(f, y):
    return np.minimum(np.maximum(f - y, -1.0), 1.0)


@pytest.mark.parametrize("method", METHODS[1:])
@pytest.mark.parametrize("slope", [_compiled_slope, _compiled_slope.py_func])
def test_losses_of_the_user(slope, method):
    kernel, cross = kernels()
    y = LABELS["huber"]
    arguments = {"l2": 0.05, "degree": 2, "kernel_test_train": cross}
    run = predict(kernel, y, TIMES, loss=slope, method=method, **arguments)
    want = predict(kernel, y, TIMES, loss="huber", rtol=1e-9, **arguments)
    np.testing.assert_allclose(run.f, want.f, atol=ALLOWED[method])
    assert "loss" not in run
    told = predict(kernel, y, TIMES, loss=Loss("mine", slope, huber().value), method=method, **arguments)
    np.testing.assert_array_equal(told.f, run.f)
    np.testing.assert_allclose(told.loss, want.loss, atol=20 * ALLOWED[method])


def test_the_linear_model_ends_at_ridge_regression_and_others_at_zero():
    kernel, cross = kernels()
    y = np.random.default_rng(5).standard_normal(N)
    ridge = np.linalg.solve(kernel + 0.3 * np.eye(N), y)
    for method in METHODS:
        run = predict(kernel, y, [200.0], l2=0.3, degree=1, kernel_test_train=cross, method=method)
        np.testing.assert_allclose(run.f[0], kernel @ ridge, atol=ALLOWED[method])
        np.testing.assert_allclose(run.f_test[0], cross @ ridge, atol=ALLOWED[method])
        end = predict(kernel, y, [200.0], l2=0.3, degree=2, kernel_test_train=cross, method=method)
        assert max(np.abs(end.f).max(), np.abs(end.f_test).max()) < ALLOWED[method]


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
    np.testing.assert_allclose(runs[0].f, runs[1].f, atol=1e-3)


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


def naive_auto_l2(kernel, y, slope, value, auto, rate, steps):
    """Measure after each stretch of `every` steps, solve on; the printed algorithm as its docstring reads it."""
    f, scale, l2, lowest, before, wait = np.zeros(len(y)), 1.0, auto.l2, np.inf, np.inf, 0.0
    decays, curve, h = [], [], auto.every * rate
    for step in range(auto.every, steps + 1, auto.every):

        def rhs(t, f, l2=l2, scale=scale):
            return -scale * np.exp(-2 * l2 * t) * kernel @ slope(f) - 2 * l2 * f

        f = solve_ivp(rhs, (0, h), f, "DOP853", rtol=1e-11, atol=1e-13).y[:, -1]
        scale *= np.exp(-2 * l2 * h)
        loss = value(f)
        if loss > lowest and before > lowest and step > wait:
            l2 /= auto.factor
            wait = step + auto.refractory / l2
            decays.append((step, l2))
        lowest, before = min(lowest, loss), loss
        curve.append(f)
    return decays, np.array(curve)


@pytest.mark.parametrize("method", METHODS)
def test_auto_l2(method):
    kernel, _ = kernels()
    y = np.random.default_rng(7).standard_normal(N)
    auto, rate, steps = AutoL2(0.4, factor=4, every=5, refractory=2.0), 0.05, 400
    decays, curve = naive_auto_l2(kernel, y, lambda f: f - y, lambda f: np.sum((f - y) ** 2) / 2, auto, rate, steps)
    assert len(decays) >= 2
    times = rate * np.arange(5, steps + 1, 5)
    rtol = {"closed": None, "implicit": 1e-9, "chebyshev": 1e-7}[method]
    run = predict(kernel, y, times, l2=auto, degree=2, learning_rate=rate, method=method, rtol=rtol)
    assert list(zip(run.decay_step.values, run.decay_l2.values, strict=True)) == decays
    np.testing.assert_allclose(run.f, curve, atol=1e-5 if method == "chebyshev" else 1e-7)
    steps_of = np.arange(5, steps + 1, 5)
    expected = [next((x for s, x in decays[::-1] if s <= step), 0.4) for step in steps_of]
    np.testing.assert_allclose(run.l2, expected)
    np.testing.assert_allclose(run.kernel_scale, np.exp(-2 * 5 * rate * np.cumsum([0.4, *expected[:-1]])), rtol=1e-12)


def test_auto_l2_that_never_decays_is_a_constant_l2():
    kernel, cross = kernels()
    auto = AutoL2(1e-3)
    arguments = {"degree": 2, "loss": "softmax", "kernel_test_train": cross, "rtol": 1e-10}
    times = np.linspace(0, 20, 33)
    adaptive = predict(kernel, LABELS["softmax"], times, l2=auto, learning_rate=0.01, **arguments)
    constant = predict(kernel, LABELS["softmax"], times, l2=1e-3, **arguments)
    assert adaptive.sizes["decay"] == 0
    np.testing.assert_allclose(adaptive.f_test, constant.f_test, atol=1e-7)
    assert set(constant) < set(adaptive)


def test_duplicates_and_kernels_of_low_rank():
    x = np.random.default_rng(8).standard_normal((N, 3))
    x[1] = x[0]
    y, kernel = np.arange(N) - 3.0, x @ x.T
    runs = [predict(kernel, y, TIMES, l2=0.05, degree=2, kernel_test_train=kernel, method=m) for m in METHODS]
    for run, method in zip(runs, METHODS, strict=True):
        assert run.attrs["duplicate_samples"] == 1
        np.testing.assert_allclose(run.f[:, 0], run.f[:, 1], atol=10 * ALLOWED[method])
        np.testing.assert_allclose(run.f_test, run.f, atol=10 * ALLOWED[method])
        np.testing.assert_allclose(run.f, runs[0].f, atol=10 * ALLOWED[method])


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


def test_datasets(tmp_path):
    kernel, cross = kernels()
    arguments = {"l2": AutoL2(0.1), "degree": 2, "loss": "softmax", "learning_rate": 0.1}
    run = predict(kernel, LABELS["softmax"], TIMES, kernel_test_train=cross, y_test=[0, 1, 2], **arguments)
    run.to_netcdf(tmp_path / "run.nc", engine="h5netcdf")
    xr.testing.assert_identical(xr.load_dataset(tmp_path / "run.nc", engine="h5netcdf"), run)
    spec = json.loads(run.attrs["spec"])
    assert spec["loss"] == "softmax"
    assert spec["l2"]["type"] == "AutoL2"
    assert spec["kernel"][0]["shape"] == [N, N]
    assert all("long_name" in run[name].attrs for name in run)
    p = np.exp(run.f_test) / np.exp(run.f_test).sum("output")
    np.testing.assert_allclose(run.loss_test, -np.log(p.values[:, range(3), range(3)]).sum(axis=1), rtol=1e-12)


def test_kernels_are_repaired_within_rounding_and_refused_beyond():
    kernel, _ = kernels()
    y = np.ones(N)
    slightly = kernel.copy()
    slightly[0, 1] += 1e-10
    run = predict(slightly, y, TIMES, l2=0.05, degree=2)
    assert 0 < run.attrs["kernel_asymmetry"] < 1e-9
    np.testing.assert_allclose(run.f, predict(kernel, y, TIMES, l2=0.05, degree=2).f, atol=1e-8)
    indefinite = np.eye(N) + 0.9 * (np.ones((N, N)) - np.eye(N)) * np.sign(
        np.add.outer(np.arange(N), np.arange(N)) - 6.5
    )
    for loss in ("mse", "huber"):
        with pytest.raises(ValueError, match="kernel must be positive semi-definite, its lowest eigenvalue is"):
            predict(indefinite, y, TIMES, l2=0.05, degree=2, loss=loss)
    slightly[0, 1] += 1.0
    with pytest.raises(ValueError, match="kernel must be symmetric, entries"):
        predict(slightly, y, TIMES, l2=0.05, degree=2)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"l2": -0.1}, ValueError, "l2 must be a finite number >= 0, got -0.1"),
        ({"degree": -1}, ValueError, "degree must be a finite number >= 0, got -1"),
        ({"t": [1.0, 0.5]}, ValueError, "t must not decrease"),
        ({"t": [-1.0]}, ValueError, "t must not decrease, and start at 0 or later"),
        ({"t": [np.nan]}, ValueError, "t must be finite, got nan"),
        ({"t": []}, ValueError, r"t must have the shape \(time,\), time >= 1"),
        ({"y": np.ones(N - 1)}, ValueError, f"y must have as many samples as the kernel, {N}, got {N - 1}"),
        ({"y": np.full(N, np.inf)}, ValueError, "y must be finite, got inf"),
        ({"kernel": np.ones((N, N - 1))}, ValueError, "kernel must be square"),
        ({"kernel": np.full((N, N), np.nan)}, ValueError, "kernel must be finite"),
        ({"kernel": "relu"}, TypeError, "kernel must be an array of real numbers"),
        ({"f0": np.ones(N - 1)}, ValueError, "f0 must have as many samples as y"),
        ({"f0": np.ones((N, 2))}, ValueError, "y must have a shape"),
        ({"kernel_test_train": np.ones((M, N - 1))}, ValueError, "kernel_test_train must have the shape"),
        ({"f0_test": np.ones(M)}, ValueError, "f0_test must have as many samples as kernel_test_train, 0, got 3"),
        ({"y_test": np.ones(M)}, ValueError, "y_test must have as many samples as kernel_test_train, 0, got 3"),
        ({"loss": "l1"}, ValueError, "loss must be one of"),
        ({"loss": lambda f, y: np.ones(3)}, ValueError, "must have a finite derivative of the shape of f"),
        ({"loss": lambda f, y: f * np.nan}, ValueError, "must have a finite derivative"),
        ({"loss": "huber", "method": "closed"}, ValueError, "method 'closed' is for the loss 'mse', got 'huber'"),
        ({"method": "euler"}, ValueError, "method must be one of 'auto', 'closed', 'implicit', 'chebyshev'"),
        ({"l2": AutoL2()}, ValueError, "learning_rate must be given with AutoL2"),
        ({"learning_rate": 0}, ValueError, "learning_rate must be a finite number > 0"),
        ({"rtol": 1e-15}, ValueError, "rtol must be a finite number >= 1e-12"),
        ({"max_steps": 0}, ValueError, "max_steps must be an integer from 1"),
        ({"l2": AutoL2(), "learning_rate": 1, "loss": np.subtract}, ValueError, "loss must tell its value for AutoL2"),
        ({"t": np.zeros(10**7), "kernel": np.eye(1000), "y": np.ones(1000)}, ValueError, "GiB"),
    ],
)
def test_refusals(change, error, message):
    good = {"kernel": np.eye(N), "y": np.ones(N), "t": TIMES, "l2": 0.1, "degree": 2}
    with pytest.raises(error, match=message):
        predict(**(good | change))

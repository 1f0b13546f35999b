"""AutoL2 on the equations of wide networks, against the printed algorithm one measurement at a time."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from linreg_dyn.ntk.dynamics import predict
from linreg_dyn.schedules import AutoL2
from tests.ntk_training import LABELS, METHODS, N, kernels


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

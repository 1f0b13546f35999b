"""Curves of training on a data set: integrated ones against the closed form, and against scipy for other losses."""

import math
from functools import partial
from typing import Any

import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.optimize import minimize_scalar

from linreg_dyn.ntk import dynamics, histories
from linreg_dyn.ntk.datasets import Samples, wrong
from linreg_dyn.ntk.histories import RTOL, Task, history, in_closed_form, integrated
from linreg_dyn.ntk.spectra import spectrum

N, M = 8, 5
RNG = np.random.default_rng(0)
X = RNG.standard_normal((N + M, 10))
KERNEL = X @ X.T / 5
SIGNS, CLASSES = np.resize([1.0, -1.0, -1.0], N + M), np.eye(3)[np.resize([0, 1, 2, 1], N + M)]
TARGETS = {"mse": ("regression", 2 * SIGNS), "huber": ("regression", 2 * SIGNS), "logistic": ("sign", SIGNS)}
TARGETS["softmax"] = ("one-hot", CLASSES)


def task(loss, *, l2=0.05, degree=2.0, times=None, scale=1.0, tested=True):
    target, y = TARGETS[loss]
    y = scale * y
    samples = Samples("made up", target, X[:N], y[:N], X[N:], y[N:], (10,))
    cross = KERNEL[N:, :N] if tested else None
    return Task(spectrum(KERNEL[:N, :N], y[:N]), samples, cross, loss, l2, degree, times)


def derivatives(loss, f, y):
    """dl/df and l, summed over samples, written again."""
    if loss == "softmax":
        p = np.exp(f) / np.exp(f).sum(axis=1, keepdims=True)
        return p - y, -np.log((p * y).sum(axis=1)).sum()
    if loss == "logistic":
        return -y / (1 + np.exp(y * f)), np.log(1 + np.exp(-y * f)).sum()
    r = np.abs(f - y)
    return np.clip(f - y, -1, 1), np.where(r <= 1, r**2 / 2, r - 0.5).sum()


@pytest.mark.parametrize("degree", [2.0, 1.0])
@pytest.mark.parametrize("loss", ["softmax", "logistic", "huber"])
def test_other_losses_are_those_of_the_differential_equation(loss, degree):
    given = task(loss, degree=degree, times=(0.01, 150))
    found, (target, y) = history(given), TARGETS[loss]
    y = y.reshape(N + M, -1)

    def rhs(t, flat):
        f = flat.reshape(N + M, -1)
        push = KERNEL[:, :N] @ derivatives(loss, f[:N], y[:N])[0]
        return (-np.exp(-2 * (degree - 1) * 0.05 * t) * push - degree * 0.05 * f).ravel()

    exact = solve_ivp(rhs, (0, 150), np.zeros(y.size), "DOP853", dense_output=True, rtol=1e-11, atol=1e-13).sol
    f = exact(found.time).T.reshape(-1, N + M, y.shape[1])
    size = found.loss_at_start
    train, test = ([derivatives(loss, z[part], y[part])[1] for z in f] for part in (slice(N), slice(N, None)))
    np.testing.assert_allclose(found.loss, train, atol=100 * RTOL * size)  # errors of some hundred steps
    assert found.test_loss is not None
    np.testing.assert_allclose(found.test_loss, test, atol=100 * RTOL * size)
    mistakes = wrong(given.samples, f[:, N:] if target == "one-hot" else f[:, N:, 0])
    if mistakes is None:
        assert found.test_error is None
    else:
        assert (np.abs(found.test_error - mistakes) > 1e-12).mean() < 0.02  # where two outputs tie
    first = -derivatives(loss, np.zeros((N, y.shape[1])), y[:N])[0]
    vectors = given.spectrum["eigenvector"].values[:, given.shown()]
    for a, mode in enumerate(found.modes):
        u = vectors[:, a] @ first
        along = np.einsum("s,tso,o->t", vectors[:, a], f[:, :N], u) / (u @ u)
        np.testing.assert_allclose(mode, along, atol=100 * RTOL * np.abs(f).max() / np.linalg.norm(u))
    if degree == 1:
        np.testing.assert_array_equal(found.linear, found.loss)
        assert (found.best.where, found.best.loss) == ("later", found.loss[-1])
        assert math.isnan(found.best.time)
        return

    def curve(log_t):
        return derivatives(loss, exact(math.exp(log_t)).reshape(N + M, -1)[:N], y[:N])[1]

    low: Any = minimize_scalar(curve, bounds=(0, 5), method="bounded", options={"xatol": 1e-7})
    assert found.best.time == pytest.approx(math.exp(low.x), rel=1e-4)
    assert found.best.loss == pytest.approx(low.fun, rel=1e-5)
    assert found.best.constant == 0.05 * found.best.time
    assert found.linear[-1] < found.loss[-1]


def test_a_huber_loss_that_never_sees_its_width_is_the_squared_error():
    """All but the integrated curves and their minimum is closed form there."""
    exact = in_closed_form(task("mse", scale=0.1))
    found = history(task("huber", scale=0.1, times=(exact.time[0], exact.time[-1])))
    for name in ("loss", "linear", "test_loss"):
        np.testing.assert_allclose(
            getattr(found, name), getattr(exact, name), atol=100 * RTOL * exact.loss_at_start, err_msg=name
        )
    np.testing.assert_allclose(found.modes, exact.modes, atol=1e-4)
    assert found.loss_at_start == exact.loss_at_start
    assert found.best.time == pytest.approx(exact.best.time, rel=1e-4)
    assert found.best.loss == pytest.approx(exact.best.loss, rel=1e-4)
    assert exact.best.where == found.best.where == "interior"


def test_minima_between_times_converge_with_the_fourth_power_of_their_distance(monkeypatch):
    """`predict` solves the squared error in closed form, so that what is left is the spline's error."""
    exact, errors = in_closed_form(task("mse")).best, []
    for points in (25, 50, 100):
        monkeypatch.setattr(histories, "POINTS", points)
        best = integrated(task("mse")).best
        errors.append((abs(best.time / exact.time - 1), abs(best.loss / exact.loss - 1)))
    rough, middle, fine = np.array(errors)
    assert (fine < rough / 16).all()  # 256, were where the times lie between the turns of no matter
    assert (middle < 1e-2).all()
    assert (fine < 1e-4).all()


def test_the_minimum_does_not_depend_on_the_times_to_be_shown():
    everything, late = (history(task("logistic", times=times)) for times in (None, (60.0, 100.0)))
    assert late.time[0] == pytest.approx(60)
    assert everything.best.time < 60
    assert late.best.time == pytest.approx(everything.best.time, rel=1e-4)
    early = history(task("logistic", times=(0.01, 1.0)))
    assert (early.best.where, early.best.loss) == ("later", early.loss[-1])


def test_without_a_test_there_are_no_curves_of_one():
    for loss in TARGETS:
        found = history(task(loss, tested=False, times=(0.1, 1.0)))
        assert found.test_loss is None
        assert found.test_error is None


def test_labels_of_zero_are_learned_at_the_start():
    found = history(task("huber", scale=0.0))
    assert (found.best.time, found.best.loss, found.best.where) == (0, 0, "start")


def test_what_has_no_end_or_does_not_come_to_it(monkeypatch):
    with pytest.raises(ValueError, match=r"times must be given with l2 = 0 and the loss 'softmax'"):
        history(task("softmax", l2=0.0))
    assert history(task("softmax", l2=0.0, times=(0.1, 10.0))).best.where == "later"
    monkeypatch.setattr(histories, "predict", partial(dynamics.predict, max_steps=3))
    with pytest.raises(ValueError, match=r"training at degree 2 could not be followed beyond the time "):
        history(task("logistic"))

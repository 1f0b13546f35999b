"""Losses of a sample against loops in plain Python, and their derivatives against differences of these."""

import math

import numpy as np
import pytest

from linreg_dyn.ntk.losses import Loss, as_loss, as_numbers, huber, logistic, mse, softmax

RNG = np.random.default_rng(0)
F = 3 * RNG.standard_normal((6, 3))
CLASSES = np.array([0, 2, 1, 1, 0, 2])
CASES = {
    "mse": (mse(), RNG.standard_normal((6, 3))),
    "huber": (huber(0.7), RNG.standard_normal((6, 3))),
    "logistic": (logistic(), np.sign(RNG.standard_normal((6, 3)))),
    "softmax": (softmax(), np.eye(3)[CLASSES]),
}


def by_hand(name, f, y):
    """The loss of one sample, numbers only."""
    if name == "mse":
        return sum((a - b) ** 2 / 2 for a, b in zip(f, y, strict=True))
    if name == "huber":
        return sum(
            (a - b) ** 2 / 2 if abs(a - b) <= 0.7 else 0.7 * abs(a - b) - 0.7**2 / 2 for a, b in zip(f, y, strict=True)
        )
    if name == "logistic":
        return sum(math.log(1 + math.exp(-a * b)) for a, b in zip(f, y, strict=True))
    total = sum(math.exp(a) for a in f)
    return -sum(b * math.log(math.exp(a) / total) for a, b in zip(f, y, strict=True))


@pytest.mark.parametrize("name", CASES)
def test_values_and_derivatives(name):
    loss, y = CASES[name]
    values = [by_hand(name, f.tolist(), labels.tolist()) for f, labels in zip(F, y, strict=True)]
    np.testing.assert_allclose(loss.value(F, y), values, rtol=1e-13)
    h = 1e-5  # differences: h^2 / 6 of the third derivative, and rounding over h
    slopes, curvature = loss.derivative(F, y), loss.curvature_at(F, y)
    for sample in range(len(F)):
        for i, e in enumerate(np.eye(3)):
            up, down = (by_hand(name, (F[sample] + s * h * e).tolist(), y[sample].tolist()) for s in (1, -1))
            assert slopes[sample, i] == pytest.approx((up - down) / (2 * h), abs=1e-9)
            column = (loss.derivative(F + h * e, y) - loss.derivative(F - h * e, y))[sample] / (2 * h)
            np.testing.assert_allclose(curvature[sample, :, i], column, atol=1e-9)
    assert np.linalg.eigvalsh(curvature).max() <= loss.steepest
    without = Loss("no curvature", loss.derivative)
    np.testing.assert_allclose(without.curvature_at(F, y), curvature, atol=1e-9)


def test_who_is_wrong():
    f = np.array([[2.0, 1.0, 0.0], [1.0, 1.0, 0.0], [0.0, 1.0, 3.0]])
    assert softmax().wrong(f, np.eye(3)[[0, 0, 2]]).tolist() == [False, True, False]  # a tie is no answer
    assert softmax().wrong(f, np.eye(3)[[1, 2, 1]]).tolist() == [True, True, True]
    assert logistic().wrong(np.array([[2.0], [-1.0], [0.0]]), np.array([[1.0], [1.0], [1.0]])).tolist() == [0, 1, 1]
    assert mse().wrong is None


def test_large_outputs_do_not_overflow():
    f, y = np.array([[1e4, -1e4]]), np.array([[0.0, 1.0]])
    assert softmax().value(f, y) == 2e4
    np.testing.assert_array_equal(softmax().derivative(f, y), [[1.0, -1.0]])
    assert logistic().value(np.array([[-1e4]]), np.array([[1.0]])) == 1e4
    assert logistic().derivative(np.array([[-1e4]]), np.array([[1.0]])) == -1
    assert abs(logistic().derivative(np.array([[1e4]]), np.array([[1.0]]))) < 1e-300


def test_names_and_labels():
    assert as_loss("mse") is mse()
    assert as_loss("huber") is huber() is not huber(2.0)
    assert as_loss(np.subtract).derivative is np.subtract
    np.testing.assert_array_equal(softmax().labels([1, 0], None), [[0, 1], [1, 0]])
    np.testing.assert_array_equal(softmax().labels([1, 0], 3), [[0, 1, 0], [1, 0, 0]])
    np.testing.assert_array_equal(logistic().labels([1, -1], None), [[1], [-1]])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: as_loss("mae"), "loss must be one of 'mse', 'softmax', 'logistic', 'huber', or dl/df, got 'mae'"),
        (lambda: huber(0), "delta of huber must be a finite number > 0, got 0"),
        (lambda: logistic().labels([0, 1], None), "y of the logistic loss must be -1 or 1, got 0"),
        (lambda: softmax().labels([0, 3], 3), "got 0 to 3 with 3 outputs"),
        (lambda: softmax().labels([-1, 1], None), "got -1 to 1"),
        (lambda: softmax().labels([0, 0], None), "two at least"),
        (lambda: softmax().labels([0.5, 1], None), r"must be integers \(sample,\), or \(sample, output\), got \(2,\)"),
        (lambda: softmax().labels([[0.5, 0.6]], None), "must be probabilities"),
        (lambda: as_numbers([[1.0, 2.0]], 3), r"y must have a shape \(sample, 3\) without zeros, got \(1, 2\)"),
        (lambda: as_numbers([np.nan], None), "y must be finite, got nan"),
    ],
)
def test_refusals(call, message):
    with pytest.raises(ValueError, match=message):
        call()
    with pytest.raises(TypeError, match="loss must be a name"):
        as_loss(3)

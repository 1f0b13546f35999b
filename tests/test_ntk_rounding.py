"""Kernels computed in float32: what rounding makes of eigenvalues of 0 is not learned, whatever computed them."""

import copy

import numpy as np
import pytest
import torch
from scipy.sparse.linalg import aslinearoperator
from torch import nn

from linreg_dyn.ntk import empirical, loss_minimum, predict_l2
from linreg_dyn.ntk.dynamics import predict
from linreg_dyn.ntk.empirical import empirical_kernel
from linreg_dyn.ntk.kernel_checks import ENTRIES
from linreg_dyn.ntk.spectra import spectrum

pytestmark = pytest.mark.usefixtures("one_thread")

EPS = 2.0**-23
WAYS = [{"method": "jacobian"}, {"block": 7}, {"block": 1}, {"method": "vjp"}, {"method": "vjp", "block": 7}]


def linear():
    """A linear model: five modes, whatever the number of samples."""
    rng = np.random.default_rng(0)
    return nn.Linear(5, 1, bias=False), rng.normal(size=(40, 5)).astype(np.float32), rng.normal(size=40), 5


def duplicates():
    """Twelve samples twice, with opposite labels: none is learned, and the loss stays 1/2 in each."""
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    x = np.tile(rng.normal(size=(12, 10)).astype(np.float32), (2, 1))
    y = np.repeat([1.0, -1.0], 12) + np.tile(rng.normal(size=12), 2)
    return nn.Sequential(nn.Linear(10, 200), nn.ReLU(), nn.Linear(200, 1)), x, y, 12


def two_of_many_parameters():
    """One sample twice, of positive features: all that is added up has one sign, and only two entries see it."""
    torch.manual_seed(0)
    x = np.abs(np.random.default_rng(0).normal(size=(1, 20)).astype(np.float32))
    net = nn.Sequential(nn.Linear(20, 40_000), nn.ReLU(), nn.Linear(40_000, 1))
    return net, np.tile(x, (2, 1)), np.array([1.0, -0.5]), 1


@pytest.mark.parametrize("case", [linear, duplicates, two_of_many_parameters])
@pytest.mark.parametrize("way", WAYS, ids=str)
def test_noise_of_float32_is_not_learned(case, way):
    net, x, y, rank = case()
    kernel = empirical_kernel(net, x, **way)
    assert kernel.dtype == np.float32
    exact = empirical_kernel(copy.deepcopy(net).double(), x)
    found, other = spectrum(kernel, y), spectrum(exact, y)
    gamma, modes = (found[name].values for name in ("eigenvalue", "y_mode"))
    assert np.count_nonzero(gamma) == np.count_nonzero(other["eigenvalue"]) == rank
    floor = ENTRIES * EPS * np.trace(exact)
    assert found.attrs["floor"] == pytest.approx(floor, rel=1e-5)
    assert np.linalg.norm(kernel - exact, 2) < floor  # what the floor assumes
    # What is never learned, by least squares on features of the exact kernel; off by the angle between null spaces.
    values, vectors = np.linalg.eigh(exact)
    never = vectors[:, : len(y) - rank].T @ y
    limit, turn = 0.5 * never @ never, floor / values[-rank]
    assert turn < 0.01
    assert loss_minimum(gamma, modes, l2=0, degree=2).loss == pytest.approx(limit, abs=turn * (y @ y))
    best, true = (loss_minimum(s["eigenvalue"], s["y_mode"], l2=1e-9, degree=2) for s in (found, other))
    assert best.time == pytest.approx(true.time, rel=10 * turn)
    assert best.loss == pytest.approx(true.loss, abs=turn * (y @ y))
    for some in (found, other):
        with pytest.raises(ValueError, match="budget must be shorter"):
            predict_l2(some["eigenvalue"], some["y_mode"], budget=1e6 / values[-rank], degree=2)


@pytest.mark.parametrize("kept_in", [np.float32, np.float64])
@pytest.mark.parametrize(("method", "loss"), [("closed", "mse"), ("implicit", "huber")])
def test_training_for_long_learns_no_noise(method, loss, kept_in):
    """Where nothing decays: outputs at the end stay those of least squares, on test samples too.

    Of a float64 copy of a float32 kernel, whose lowest eigenvalue is as far below 0 as those that are learned may be
    noise: that it does not grow is all there is to ask.
    """
    _, x, y, _ = linear()
    test = np.random.default_rng(1).normal(size=(4, 5)).astype(np.float32)
    kernel, cross, times = (x @ x.T).astype(kept_in), (test @ x.T).astype(kept_in), [1e2, 1e4, 1e7]
    run = predict(kernel, 0.1 * y, times, l2=0, degree=1, loss=loss, method=method, kernel_test_train=cross)
    assert run["status"] == 0
    weights = np.linalg.lstsq(x.astype(float), 0.1 * y, rcond=None)[0]
    turn = ENTRIES * EPS * np.trace(kernel) / np.linalg.svd(x)[1][-1] ** 2
    for name, inputs in (("f", x), ("f_test", test)):
        exact = inputs @ weights
        assert np.allclose(run[name], exact, rtol=0, atol=3 * turn * np.linalg.norm(0.1 * y)), (name, run[name])


def test_the_same_numbers_in_float64_are_believed():
    """Modes that float32 cannot tell from rounding."""
    q = np.linalg.qr(np.random.default_rng(2).normal(size=(20, 20)))[0]
    values = np.r_[np.linspace(2, 1, 18), 1e-7, 1e-9]
    kernel = (q * values) @ q.T
    assert np.allclose(spectrum(kernel)["eigenvalue"], values, rtol=1e-5)
    single = kernel.astype(np.float32)
    for given in (single, aslinearoperator(single)):
        assert np.count_nonzero(spectrum(given)["eigenvalue"]) == 18
    told = spectrum(kernel, rtol=1e-8)
    assert np.count_nonzero(told["eigenvalue"]) == 19  # 1e-8 |K| = 6.6e-8
    assert told.attrs["floor"] == pytest.approx(1e-8 * np.linalg.norm(kernel), rel=1e-12)


@pytest.mark.parametrize("top", [3, 25])
def test_the_largest_of_a_float32_operator(top):
    """The trace, which no product tells, is bounded by what was found and what is left out."""
    _, x, _, _ = linear()
    kernel = x @ x.T
    found = spectrum(aslinearoperator(kernel), top=top)
    assert np.count_nonzero(found["eigenvalue"]) == min(top, 5)
    assert found.attrs["floor"] < 40 * ENTRIES * EPS * np.linalg.norm(kernel, 2)


def test_sums_over_many_parameters_keep_their_digits(monkeypatch):
    """Four million gradients of one sign."""
    x = np.random.default_rng(0).uniform(0.5, 1, size=(2, 4_000_000)).astype(np.float32)
    net = nn.Linear(x.shape[1], 1, bias=False)
    exact = x.astype(float) @ x.T.astype(float)
    assert np.abs(empirical_kernel(net, x, method="jacobian") / exact - 1).max() < 4 * EPS
    monkeypatch.setattr(empirical, "TERMS", x.shape[1])
    assert np.abs(empirical_kernel(net, x, method="jacobian") / exact - 1).max() > 20 * EPS

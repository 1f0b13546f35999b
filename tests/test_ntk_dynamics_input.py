"""Training by kernels: the datasets that come out, and what is repaired or refused."""

import json

import numpy as np
import pytest
import xarray as xr

from linreg_dyn.ntk.dynamics import predict
from linreg_dyn.schedules import AutoL2
from tests.ntk_training import LABELS, TIMES, M, N, kernels


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


def test_more_outputs_than_classes_that_occur():
    """Those of a class without samples are pushed down as the others of a sample are."""
    kernel, cross = kernels()
    y = np.arange(N) % 2
    arguments = {"l2": 0.05, "degree": 2, "loss": "softmax", "kernel_test_train": cross}
    run = predict(kernel, y, TIMES, num_outputs=4, y_test=[0, 1, 3], **arguments)
    hot = predict(kernel, np.eye(4)[y], TIMES, y_test=np.eye(4)[[0, 1, 3]], **arguments)
    for name in ("f", "f_test", "loss_test"):
        np.testing.assert_array_equal(run[name], hot[name])
    assert run["loss"][0] == pytest.approx(N * np.log(4))
    with pytest.raises(ValueError, match=r"y_test must be labels as y is: .* got 0 to 3 with 2 outputs"):
        predict(kernel, y, TIMES, y_test=[0, 1, 3], **arguments)
    with pytest.raises(ValueError, match=r"y_test must have a shape \(sample, 1\) without zeros, got \(0,\)"):
        predict(kernel, np.ones(N), TIMES, l2=0.05, degree=2, kernel_test_train=cross[:0], y_test=[])


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


@pytest.mark.parametrize(("loss", "method"), [("mse", "closed"), ("huber", "implicit"), ("mse", "chebyshev")])
def test_what_is_rounding_can_be_told(loss, method):
    """Then the kernel is the nearest that has no negative eigenvalues: nothing grows."""
    kernel, cross = kernels()
    values, vectors = np.linalg.eigh(kernel)
    values[:2] = -0.01 * values[-1], 0.005 * values[-1]
    kernel = (vectors * values) @ vectors.T
    arguments = {"l2": 0.0, "degree": 1, "loss": loss, "method": method, "kernel_test_train": cross}
    times = [0.0, 100 / values[-1], 1000 / values[-1]]
    with pytest.raises(ValueError, match=r"taken for rounding; rtol, or kernel_rtol in ntk.predict, changes that"):
        predict(kernel, np.ones(N), times, **arguments)
    run = predict(kernel, np.ones(N), times, **arguments, kernel_rtol=0.02)
    assert run.attrs["kernel_rtol"] == 0.02
    values[:2] = 0
    nearest = (vectors * values) @ vectors.T
    arguments["kernel_test_train"] = cross @ vectors[:, 2:] @ vectors[:, 2:].T
    other = predict(nearest, np.ones(N), times, **arguments)
    for name in ("f", "f_test"):
        np.testing.assert_allclose(run[name], other[name], rtol=0, atol=1e-4 if method == "chebyshev" else 1e-7)


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
        (
            {"learning_rate": 0.1},
            ValueError,
            "learning_rate must only be given with AutoL2, which counts steps, got 0.1",
        ),
        ({"num_outputs": 0}, ValueError, "num_outputs must be an integer from 1"),
        ({"num_outputs": 2}, ValueError, r"y must have a shape \(sample, 2\)"),
        ({"num_outputs": 2, "f0": np.ones((N, 3))}, ValueError, "num_outputs must be an integer from 3 to 3, got 2"),
        ({"learning_rate": 0}, ValueError, "learning_rate must be a finite number > 0"),
        ({"rtol": 1e-15}, ValueError, "rtol must be a finite number >= 1e-12"),
        ({"kernel_rtol": -1}, ValueError, "kernel_rtol must be a finite number >= 0"),
        ({"max_steps": 0}, ValueError, "max_steps must be an integer from 1"),
        ({"l2": AutoL2(), "learning_rate": 1, "loss": np.subtract}, ValueError, "loss must tell its value for AutoL2"),
        ({"t": np.zeros(10**7), "kernel": np.eye(1000), "y": np.ones(1000)}, ValueError, "GiB"),
    ],
)
def test_refusals(change, error, message):
    good = {"kernel": np.eye(N), "y": np.ones(N), "t": TIMES, "l2": 0.1, "degree": 2}
    with pytest.raises(error, match=message):
        predict(**(good | change))

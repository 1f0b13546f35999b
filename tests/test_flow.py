"""`flow` against exact solutions, scipy's DOP853, and gradient descent with ever smaller steps."""

import math

import numpy as np
import pytest
import xarray as xr
from scipy.integrate import solve_ivp

import linreg_dyn as ld
from linreg_dyn.ensemble import continuous, memory
from linreg_dyn.ensemble.events import Band

TIMES = np.linspace(0.0, 3.0, 31)
RTOL, ATOL = 1e-12, 1e-14


def minus_hessian(w, mu):
    """The Jacobian of the flow: its largest eigenvalue bounds how fast two solutions part."""
    d, W = len(w), np.prod(w)
    out = np.empty((d, d))
    for i in range(d):
        for j in range(d):
            if i == j:
                out[i, i] = -2 * (np.prod(np.delete(w, i)) ** 2 + mu)
            else:
                rest = np.prod(np.delete(w, [i, j]))
                out[i, j] = -2 * rest * (2 * W - 1)
    return out


def error_bound(path, times, mu, steps):
    """Local errors below `ATOL + RTOL |w|` in each layer, `steps` of them, carried along by the flow.

    An error grows at most as the exponential of the integral of the largest eigenvalue of the Jacobian where
    that is positive; the factor 2 is for that integral being a sum over the times and not exact.
    """
    rates = [max(0.0, np.linalg.eigvalsh(minus_hessian(w, mu))[-1]) for w in path]
    growth = math.exp(np.trapezoid(rates, times))
    return 2 * growth * steps * math.sqrt(path.shape[1]) * (ATOL + RTOL * np.abs(path).max())


def exact_velocity(t, w, mu):
    return [-2 * ((np.prod(w) - 1) * np.prod(np.delete(w, i)) + mu * w[i]) for i in range(len(w))]


@pytest.mark.parametrize("depth", [1, 2, 4, 7, 32])
@pytest.mark.parametrize("mu", [0.0, 0.05])
def test_against_dop853(depth, mu):
    rng = np.random.default_rng(depth)
    starts = rng.uniform(0.7, 1.3, (3, depth))
    starts[2, 0] *= -1  # on the far side of the saddle
    ds = ld.flow(starts, ld.GradientDescent(), times=TIMES, weight_decay=mu, rtol=RTOL, atol=ATOL)
    assert (ds.status == 0).all()
    for k, start in enumerate(starts):
        oracle = solve_ivp(exact_velocity, (0, 3), start, "DOP853", TIMES, args=(mu,), rtol=RTOL, atol=ATOL)
        steps = int(ds.integrator_steps[k]) + oracle.nfev // 12
        allowed = error_bound(oracle.y.T, TIMES, mu, steps)
        assert np.abs(ds.weights.values[:, k] - oracle.y.T).max() <= allowed
        wrong = ld.flow(start, ld.GradientDescent(), times=TIMES, weight_decay=mu + 1e-4)
        assert np.abs(wrong.weights.values[:, 0] - oracle.y.T).max() > allowed


@pytest.mark.parametrize("start", [0.1, 0.9, 1.0, 2.5])
def test_balanced_depth_2_is_logistic(start):
    """`dW/dt = -4 (W - 1) W` for w_1 = w_2, so `W = 1 / (1 + (1/W_0 - 1) e^(-4t))`."""
    ds = ld.flow([start**0.5] * 2, ld.GradientDescent(), times=TIMES, rtol=RTOL, atol=ATOL)
    exact = 1 / (1 + (1 / start - 1) * np.exp(-4 * TIMES))
    allowed = error_bound(ds.weights.values[:, 0], TIMES, 0.0, int(ds.integrator_steps[0]))
    largest = 2 * np.abs(ds.weights).max().item()  # dW/dw for each of two layers
    assert np.abs(ds.end_to_end.values[:, 0] - exact).max() <= largest * allowed < 1e-6


@pytest.mark.parametrize("mu", [0.0, 0.3])
def test_depth_1_is_exponential(mu):
    ds = ld.flow([[3.0], [-1.0]], ld.GradientDescent(), times=TIMES, weight_decay=mu, rtol=RTOL, atol=ATOL)
    rest = 1 / (1 + mu)
    for k, start in enumerate((3.0, -1.0)):
        exact = rest + (start - rest) * np.exp(-2 * (1 + mu) * TIMES)
        allowed = int(ds.integrator_steps[k]) * (ATOL + RTOL * 3)  # the flow contracts
        assert np.abs(ds.weights.values[:, k, 0] - exact).max() <= allowed < 1e-7


def test_layer_imbalance_is_kept_without_decay_and_decays_with_it():
    """`w_i^2 - w_j^2` is constant, with weight decay it falls as `e^(-4 mu t)` (sections 3.1 and 4.1)."""
    starts = [0.6, 1.5, 0.9]
    for mu in (0.0, 0.05):
        ds = ld.flow(starts, ld.GradientDescent(), times=TIMES, weight_decay=mu, rtol=RTOL, atol=ATOL)
        exact = (1.5**2 - 0.6**2) * np.exp(-4 * mu * TIMES)
        allowed = 4 * 1.6 * error_bound(ds.weights.values[:, 0], TIMES, mu, int(ds.integrator_steps[0]))
        assert np.abs(ds.layer_imbalance.values[:, 0] - exact).max() <= allowed < 1e-6


def test_gradient_descent_tends_to_the_flow_at_first_order():
    """Halving the step halves the distance: their ratio is 2 + O(h), and halving h halves that O(h) too."""
    starts, mu = [[0.6, 1.4, 0.8, 1.1]], 0.05
    end = ld.flow(starts, ld.GradientDescent(), times=[1.0], weight_decay=mu, rtol=RTOL, atol=ATOL)
    distances = []
    for steps in (2**10, 2**11, 2**12, 2**13):
        run = ld.simulate(starts, ld.GradientDescent(), steps=steps, learning_rate=1 / steps, weight_decay=mu)
        distances.append(np.abs(run.final_weights.values - end.final_weights.values).max())
    ratios = np.array(distances[:-1]) / distances[1:]
    off = np.abs(ratios - 2)
    assert off[-1] < 0.01
    np.testing.assert_allclose(off[:-1] / off[1:], 2, rtol=0.05)  # and what is left is first order itself


def test_zero_weights_signs_and_fixed_points():
    starts = [[0.0, 0.0, 2.0], [0.0, 2.0, 1.0], [2.0, 0.5, 1.0], [-1.0, 1.0, 1.0]]
    ds = ld.flow(starts, ld.GradientDescent(), times=[0.0, 50.0])
    assert (ds.status == 0).all()
    np.testing.assert_array_equal(ds.weights[0], starts)
    np.testing.assert_array_equal(ds.final_weights[0], starts[0])  # two zeros: no gradient
    assert abs(ds.end_to_end[-1, 1] - 1) < 1e-9  # one zero: it moves
    np.testing.assert_array_equal(ds.final_weights[2], starts[2])
    assert abs(ds.end_to_end[-1, 3]) < 1e-3  # balanced with W < 0: into the saddle, slowly


def test_the_same_for_any_threads_lanes_and_company(monkeypatch, tmp_path):
    """Bitwise: three threads, another order, other lanes, and each trajectory all by itself."""
    rng = np.random.default_rng(1)
    starts = rng.uniform(0.5, 1.5, (150, 3)) * rng.choice([-1, 1, 1e-3], (150, 3))
    arguments = {"method": ld.GradientDescent(), "times": TIMES, "events": Band(0.9, 1.1), "max_steps": 40}
    one = ld.flow(starts, threads=1, **arguments)
    assert 0 < one.status.sum() < 150  # some are left unfinished among the others
    xr.testing.assert_identical(one, ld.flow(starts, threads=3, **arguments))
    with monkeypatch.context() as patched:
        patched.setattr(continuous, "_lanes_for", lambda *_: 5)
        xr.testing.assert_identical(one, ld.flow(starts, threads=1, **arguments))
    order = rng.permutation(150)
    results = [name for name in one.data_vars if "trajectory" in one[name].dims]
    permuted = ld.flow(starts[order], threads=1, **arguments)
    for name in results:
        np.testing.assert_array_equal(permuted[name], one[name].isel(trajectory=order), name)
    alone = ld.flow(starts[7], **arguments)
    for name in results:
        np.testing.assert_array_equal(alone[name], one[name].isel(trajectory=[7]), name)
    one.to_netcdf(tmp_path / "flow.nc", engine="h5netcdf")
    with xr.open_dataset(tmp_path / "flow.nc", engine="h5netcdf") as back:
        xr.testing.assert_identical(back.load(), one)


def test_an_unfinished_trajectory_says_so():
    ds = ld.flow([[1e3, 1e3], [1.0, 1.1]], ld.GradientDescent(), times=[0.0, 1.0], max_steps=30)
    assert ds.status.values.tolist() == [1, 0]
    assert ds.status.attrs["flag_meanings"] == "ok unfinished stopped"
    assert ds.integrator_steps.values[0] == 30
    assert np.isnan(ds.weights[1, 0]).all()
    assert np.isnan(ds.layer_imbalance[1, 0])
    assert np.isnan(ds.final_weights[0]).all()
    assert 0 < ds.end_time[0] < ds.end_time[1] == 1
    assert np.isfinite(ds.weights[:, 1]).all()
    overflowing = ld.flow([1e200, 1e200], ld.GradientDescent(), times=[1.0])
    assert overflowing.status.values.tolist() == [1]


GOOD = {"starts": [1.0, 2.0], "method": ld.GradientDescent(), "times": [1.0]}


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"starts": [math.inf]}, ValueError, "starts must be finite, got inf"),
        ({"method": ld.SGDNoise(0.1)}, TypeError, "method of a flow must be GradientDescent(), got SGDNoise"),
        ({"times": []}, ValueError, "times must have the shape (time,)"),
        ({"times": 1.0}, ValueError, "times must have the shape (time,), time >= 1, got ()"),
        ({"times": [-1.0, 1.0]}, ValueError, "times must start at 0 or later and not decrease, got -1 after 0"),
        ({"times": [0.0, 1.0, 0.5]}, ValueError, "times must start at 0 or later and not decrease, got 0.5 after 1"),
        ({"times": [math.nan]}, ValueError, "times must be finite"),
        ({"weight_decay": -1}, ValueError, "weight_decay must be a finite number >= 0, got -1"),
        ({"rtol": 0}, ValueError, "rtol must be a finite number >= 2.22045e-14, got 0"),
        ({"atol": 0}, ValueError, "atol must be a finite number > 0, got 0"),
        ({"max_steps": 0}, ValueError, "max_steps must be an integer from 1"),
        ({"events": "loss"}, TypeError, "events must be Events and Bands, got 'loss'"),
        ({"events": [Band(0, 1), 3]}, TypeError, "events must be Events and Bands, got 3 among them"),
        ({"threads": 1.5}, TypeError, "threads must be an integer"),
    ],
)
def test_bad_arguments_are_refused_by_name(change, error, message, monkeypatch):
    monkeypatch.setattr(continuous, "_integrate", lambda *_: pytest.fail("it ran"))
    arguments = GOOD | change
    with pytest.raises(error) as caught:
        ld.flow(arguments.pop("starts"), arguments.pop("method"), **arguments)
    assert str(caught.value).startswith(message)


def test_what_does_not_fit_in_memory_is_refused(monkeypatch):
    monkeypatch.setattr(memory, "available_memory", lambda: 2.0**20)
    with pytest.raises(ValueError, match="take fewer trajectories or times"):
        ld.flow([1.0, 2.0], ld.GradientDescent(), times=np.linspace(0, 1, 2**16))

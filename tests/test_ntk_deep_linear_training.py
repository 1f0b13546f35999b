"""Gradient descent on deep linear networks under L2: where it ends, and that it is gradient descent."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from linreg_dyn.ntk import critical_l2, fixed_points, train_deep_linear
from tests.deep_linear_nets import GOOD, ONE, data, gradient, matrices, on_orbit

TRAINED = [(1, 1), (1, 16), (2, 4), (3, 4), (4, 4), (2, 64)]


@pytest.mark.parametrize(("hidden", "width"), TRAINED)
def test_generic_starts_reach_a_stable_fixed_point(hidden: int, width: int) -> None:
    x, y = data()
    shape = {"hidden_layers": hidden, "width": width}
    l2, wide = 0.6 * critical_l2(x, y, **shape), width == 64
    points = fixed_points(x, y, l2=l2, **shape)
    rate = {"learning_rate": 0.02, "steps": 8000 if wide else 4000, "runs": 2 if wide else 6}
    run = train_deep_linear(x, y, l2=l2, **shape, **rate)
    stable = points.linear_map.values[points.stable.values]
    distance = np.abs(run.linear_map.values[:, -1, None] - stable).max(axis=2).min(axis=1)
    # What is left decays like exp(-least eigenvalue * time), from distances of a few; then rounding.
    least = points.least_eigenvalue.values[points.stable.values].min()
    assert distance.max() < 50 * math.exp(-least * 0.02 * rate["steps"]) + 1e-13
    assert distance.max() < 1e-4
    assert (run.linear_map.values[:, -1] != 0).any()
    unlike = fixed_points(x, y, l2=0.7 * l2, **shape).linear_map.values[1:]
    assert np.abs(run.linear_map.values[:, -1, None] - unlike).max(axis=2).min() > 1e-3
    theta = run.final_weights.values[0]
    layers = matrices(theta, hidden, width, 3)
    for w, above in pairwise(layers):  # balanced, to what is left of the imbalance of the start
        left = 20 * width * math.exp(-2 * l2 * 0.02 * rate["steps"]) + 1e-12
        np.testing.assert_allclose(above.T @ above, w @ w.T, atol=left)


@pytest.mark.parametrize(("hidden", "width"), [(1, 1), (1, 8), (2, 8), (3, 4)])
def test_training_collapses_above_the_critical_l2(hidden: int, width: int) -> None:
    """And not below, from the same starts made large enough."""
    x, y = data(seed=2)
    shape = {"hidden_layers": hidden, "width": width}
    critical = critical_l2(x, y, **shape)
    rate = {"learning_rate": 0.005, "steps": 12_000, "runs": 4, "weight_std": 1.3}
    over = train_deep_linear(x, y, l2=1.4 * critical, **shape, **rate)
    assert np.abs(over.linear_map.values[:, -1]).max() < 1e-6
    assert over.loss.values[:, -1] == pytest.approx(y @ y / 2, rel=1e-5)
    below = train_deep_linear(x, y, l2=0.9 * critical, **shape, **rate)
    points = fixed_points(x, y, l2=0.9 * critical, **shape)
    reached = np.linalg.norm(below.linear_map.values[:, -1], axis=1).max()
    assert reached > 0.9 * np.linalg.norm(points.linear_map.values[-1]) > 0.01


@pytest.mark.parametrize("hidden", [2, 3, 4])
def test_the_saddle_parts_the_basins_of_balanced_starts(hidden: int) -> None:
    shape = {"hidden_layers": hidden, "width": 3}
    l2 = 0.8 * critical_l2(**ONE, **shape)
    points = fixed_points(**ONE, l2=l2, **shape)
    saddle = on_orbit(points.isel(fixed_point=1), np.random.default_rng(hidden))
    starts = np.outer([0.99, 1.01], saddle)
    run = train_deep_linear(**ONE, l2=l2, **shape, starts=starts, learning_rate=0.05, steps=20_000)
    end = run.linear_map.values[:, -1, 0]
    assert abs(end[0]) < 1e-10
    assert end[1] == pytest.approx(float(points.prediction[2, 0]), abs=1e-10)
    still = train_deep_linear(**ONE, l2=l2, **shape, starts=saddle, learning_rate=0.05, steps=100)
    assert float(still.linear_map[0, -1, 0]) == pytest.approx(float(points.prediction[1, 0]), rel=1e-9)


def test_a_step_is_gradient_descent() -> None:
    x, y = data()
    for hidden, width in ((1, 3), (2, 4), (3, 2)):
        shape = {"hidden_layers": hidden, "width": width}
        run = train_deep_linear(x, y, l2=0.3, **shape, learning_rate=0.01, steps=3, record_every=1, seed=4)
        theta = 1.0 * np.random.default_rng([4, 0]).normal(size=run.sizes["parameter"])
        for k in range(4):
            v = np.linalg.multi_dot(matrices(theta, hidden, width, 3)[::-1])[0] * width ** (-hidden / 2)
            np.testing.assert_allclose(run.linear_map[0, k], v, rtol=1e-12)
            assert float(run.weight_norm2[0, k]) == pytest.approx(theta @ theta, rel=1e-13)
            if k < 3:
                theta = theta - 0.01 * gradient(theta, x, y, hidden, width, width ** (-hidden / 2), 0.3)
        np.testing.assert_allclose(run.final_weights[0], theta, rtol=1e-12)
        assert run.step.values.tolist() == [0, 1, 2, 3]


def test_runs_do_not_depend_on_threads_or_records_and_divergence_is_told() -> None:
    x, y = data()
    run = {"x": x, "y": y, "l2": 0.1, "hidden_layers": 2, "width": 4, "steps": 50}
    one = train_deep_linear(**run, learning_rate=0.01, runs=5, threads=1)
    two = train_deep_linear(**run, learning_rate=0.01, runs=5, threads=3, record_every=7)
    assert (one.final_weights.values == two.final_weights.values).all()
    assert two.step.values.tolist() == [*range(0, 50, 7), 50]
    few = train_deep_linear(**run, learning_rate=0.01, runs=2)
    assert (one.final_weights.values[:2] == few.final_weights.values).all()
    wild = train_deep_linear(**run, learning_rate=5.0)
    assert wild.status.attrs["flag_meanings"].split()[int(wild.status[0])] == "diverged"
    assert np.isfinite(wild.loss[0, 0])
    assert np.isnan(wild.loss[0, -1])


TRAIN: dict[str, Any] = {**GOOD, "learning_rate": 0.1, "steps": 10}
BAD_TRAINING = [
    ({"l2": -1}, "l2 must be"),
    ({"learning_rate": 0}, "learning_rate must be"),
    ({"steps": 0}, "steps must be"),
    ({"runs": 0}, "runs must be"),
    ({"weight_std": -1}, "weight_std must be"),
    ({"record_every": 11}, "record_every must be"),
    ({"starts": np.zeros(14)}, r"starts must have the shape \(run, 15\), got \(1, 14\)"),
    ({"starts": np.zeros((2, 2, 15))}, r"starts must have the shape \(run, 15\), got \(2, 2, 15\)"),
    ({"starts": [["a"] * 15]}, "starts must be an array of real numbers"),
    ({"starts": [1j] * 15}, "starts must be an array of real numbers"),
    ({"starts": [np.nan] * 15}, "starts must be finite"),
    ({"starts": np.zeros((0, 15))}, "starts must have the shape"),
    ({"seed": -1}, "seed must be"),
    ({"threads": 0}, "threads must be"),
    ({"runs": 10**6, "width": 1000}, "runs must leave fewer weights"),
    ({"steps": 10**9, "record_every": 1}, r"record_every must leave fewer records \(1000000001 of 1 runs are"),
    ({"steps": 10**6, "record_every": 1, "x": np.ones(1000), "y": np.ones(1000)}, "record_every must leave fewer"),
]


@pytest.mark.parametrize(("bad", "message"), BAD_TRAINING)
def test_bad_training_is_named(bad: dict[str, Any], message: str) -> None:
    with pytest.raises((ValueError, TypeError), match=message):
        train_deep_linear(**{**TRAIN, **bad})

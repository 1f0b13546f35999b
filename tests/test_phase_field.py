"""The mean velocity of a method and its stable minima, against means of many steps."""

import math

import numpy as np
import pytest

from linreg_dyn import rules
from linreg_dyn.ensemble import MiniBatch, NoiseAugmentation, SGDNoise, simulate
from linreg_dyn.ensemble.methods import Table, TruncatedGaussian
from linreg_dyn.ensemble.plan import Plan
from linreg_dyn.phase import Plane, field, mean_velocity
from linreg_dyn.phase.field import mean_residual, unit_moments
from linreg_dyn.schedules import Adaptive, Constant
from tests.phases import GD, data

ATOMS = Table((-1.0, -0.5, 0.9, 1.0))


@pytest.mark.parametrize("method", [NoiseAugmentation(0.8, ATOMS), MiniBatch(data(), 3)], ids=["noise", "sgd"])
def test_mean_velocity_is_the_mean_of_many_steps(method):
    start, lr, count = np.array([1.3, -0.6]), 0.05, 100_000
    run = simulate(np.tile(start, (count, 1)), method, steps=1, learning_rate=lr, seed=9)
    velocities = (run["final_weights"].values - start) / lr
    means, expected = velocities.mean(axis=0), np.array(mean_velocity(list(start), method))
    # Five standard errors of the mean, and the rounding of a sum of so many terms, one after the other.
    allowed = 5 * velocities.std(axis=0) / math.sqrt(count) + count * 2.0**-52 * abs(expected)
    assert (abs(means - expected) < allowed).all()
    if isinstance(method, NoiseAugmentation):  # not the mean of plain descent
        assert (abs(means - np.array(mean_velocity(list(start), GD))) > 5 * allowed).all()


@pytest.mark.parametrize("kind", [NoiseAugmentation, SGDNoise])
def test_mean_residual_is_the_mean_over_the_atoms(kind):
    residual = rules.noise_augmentation if kind is NoiseAugmentation else rules.sgd_noise
    W, half_width = np.linspace(-3, 3, 41), 0.8
    exact = sum(residual(W, half_width * atom) for atom in ATOMS.values) / 4
    assert np.allclose(mean_residual(kind(half_width, ATOMS), W), exact, rtol=1e-14, atol=1e-14)
    assert not np.allclose(mean_residual(kind(half_width), W), exact, atol=1e-3)
    assert np.array_equal(mean_residual(kind(half_width), W.tolist()), mean_residual(kind(half_width), W))


DISTRIBUTIONS = ["uniform", "rademacher", TruncatedGaussian(1.5), ATOMS]


@pytest.mark.parametrize("distribution", DISTRIBUTIONS, ids=["uniform", "rademacher", "gaussian", "table"])
def test_moments_are_those_of_what_is_drawn(distribution):
    """Over 2^20 evenly spaced random words, 2^7 in each of the 8192 quantiles."""
    plan = Plan(1, "float64", SGDNoise(1, distribution), Constant(0.1), Constant(0))
    drawn = plan.distribution(np.arange(2**11, 2**32, 2**12), plan.quantiles)
    mean, variance = unit_moments(distribution)
    # A word stands for an interval of 2^-31; midpoints of 2^7 cells of a quantile, whose width squared is 4 at most,
    # err by 2^-14/12 of that.
    assert drawn.mean() == pytest.approx(mean, abs=2.0**-31)
    assert drawn.var() == pytest.approx(variance, abs=2.0**-14 / 3)
    assert abs(drawn.var() - 1 / 3) > 1e-3 or distribution == "uniform"  # which others would be taken for


def test_mean_gradient_of_noise_augmentation_vanishes_below_the_minima():
    delta = 0.6
    plane = Plane(2, box=(0.2, 2, 0.2, 2))
    found = field(plane, NoiseAugmentation(delta), learning_rate=0.1, size=(40, 30))
    expected = (1 + delta**2 / 3) * found["end_to_end"].values - 1
    assert np.allclose(found["mean_residual"], expected, rtol=1e-14, atol=1e-14)
    assert "mean_residual" not in field(plane, GD, learning_rate=0.1, size=(40, 30))


def test_stable_minima_are_where_small_deviations_shrink():
    lr, plane = 0.2, Plane(2, box=(0.3, 3, 0.3, 3))
    found = field(plane, GD, learning_rate=lr, size=(60, 60))
    for w1 in (0.38, 0.42, 0.55, 1, 1.8, 2.5):
        near = found.sel(first=w1, second=1 / w1, method="nearest")
        after = rules.step([w1, 1 / w1 + 1e-6], w1 * (1 / w1 + 1e-6) - 1, lr, 0)
        shrinks = abs(rules.end_to_end(after) - 1) < 1e-6 * w1
        assert shrinks == (float(near["stable"]) > 0)
        assert shrinks == (0.457 < w1 < 2.19)  # 1/w1^2 + w1^2 < 1/lr
    assert "stable" not in field(plane, GD, learning_rate=Adaptive(0.2), size=(5, 5))
    assert "stable" not in field(plane, GD, learning_rate=0.2, momentum=0.9, size=(5, 5))

"""The bands of the theorems, against flows, runs and all mini-batches."""

import itertools

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from linreg_dyn import rules
from linreg_dyn.ensemble import MiniBatch, NoiseAugmentation, SGDNoise, simulate
from linreg_dyn.phase import Plane, bands, field
from linreg_dyn.phase.bands import THEOREM_4_RATE, batch_slopes
from linreg_dyn.schedules import Adaptive, Constant, Exponential
from tests.phases import GD, data


def inside(band, weights):
    return band.margin([np.array(w) for w in np.atleast_2d(weights).T]) >= 0


def random_weights(count, depth, seed=0):
    return np.random.default_rng(seed).uniform(-2, 2, (count, depth))


@pytest.mark.parametrize("depth", [2, 3, 5])
def test_weight_decay_band_is_the_printed_one_and_the_flow_stays(depth):
    mu = 0.15
    (band,) = bands(GD, Constant(0.1), mu)
    assert band.claim == "ginsburg.wd-band-stays"
    weights = random_weights(4000, depth)
    weights[::2] = np.exp(np.random.default_rng(1).normal(0, 0.3, (2000, depth)))  # many near the minima
    W, S = weights.prod(axis=1), (1 / weights**2).sum(axis=1)
    printed = (1 - mu * depth / (W * S) <= W) & (W <= 1) & (W > 0)
    held = inside(band, weights)
    assert np.array_equal(held, printed)
    assert 20 < held.sum() < 2000
    for at in flowed(weights[held], mu, (0.3, 3)):
        # On the band's edge, to which trajectories tend, the integrator may err by its tolerance.
        assert (band.margin(at) > -1e-8).all()
    narrower = bands(GD, Constant(0.1), mu / 2)[0]  # which is left by the flow with the larger decay
    (at,) = flowed(weights[inside(narrower, weights)], mu, (3,))
    assert (narrower.margin(at) < -1e-3).any()


def flowed(weights, mu, times):
    """The layers' weights at each of `times`, by scipy."""

    def velocity(t, w):  # the weights are not zero
        layers = w.reshape(weights.shape[1], -1)
        W = layers.prod(axis=0)
        return (-2 * ((W - 1) * W / layers + mu * layers)).ravel()

    done = solve_ivp(velocity, (0, times[-1]), weights.T.ravel(), "DOP853", times, rtol=1e-10, atol=1e-12)
    return [list(at.reshape(weights.shape[1], -1)) for at in done.y.T]


def edges(band):
    """The interval of W of a band that has one: where a net of one layer is inside."""
    W = np.linspace(-3, 5, 8001)
    held = W[inside(band, W[:, np.newaxis])]
    return held[0], held[-1]


def test_noise_bands_have_the_proved_edges():
    (band,) = bands(NoiseAugmentation(0.4), Constant(0.1))
    assert edges(band) == pytest.approx((1 / 1.4, 1 / 0.6), abs=1e-3)
    assert edges(bands(SGDNoise(0.3), Constant(0.1))[0]) == pytest.approx((0.7, 1.3), abs=1.1e-3)
    (least, most) = batch_slopes(data(), 6)
    assert edges(bands(MiniBatch(data(), 6), Constant(0.1))[0]) == pytest.approx((least, most), abs=1e-3)


# The method, its adaptive rate, and a rate too large for the band that is kept.
KEPT = [
    (GD, 0.25, 1.2, None),
    (GD, 4 / 9, 1.2, None),
    (NoiseAugmentation(0.45, "rademacher"), THEOREM_4_RATE, 0.6, "$0 < W < 2$"),
    (SGDNoise(0.6, "rademacher"), 1 / (2 * 1.6**2), 0.9, "SGD noise band"),
]


@pytest.mark.parametrize(("method", "c", "too_large", "name"), KEPT, ids=["gd", "gd largest", "noise", "sgd-noise"])
def test_bands_that_are_kept_are_kept(method, c, too_large, name):
    band = bands(method, Adaptive(c))[0]
    assert "kept" in band.statement
    assert name in (None, band.name)
    low, high = edges(band)
    rng = np.random.default_rng(2)
    weights = np.exp(rng.normal(0, 0.7, (20_000, 3)))
    weights *= (rng.uniform(low, high, 20_000) / weights.prod(axis=1)).clip(1e-3)[:, np.newaxis] ** (1 / 3)
    weights = weights[inside(band, weights)]
    assert len(weights) > 10_000

    def after(rate):
        return simulate(weights, method, steps=1, learning_rate=Adaptive(rate))["final_weights"].values

    # At the edge itself a step may round to the other side: by a few ulps of W <= 2.
    assert (band.margin(list(after(c).T)) > -1e-14).all()
    assert (band.margin(list(after(c / 3).T)) > -1e-14).all()
    assert not inside(band, after(too_large)).all()
    assert name is None or all(
        other.name != name or "kept" not in other.statement for other in bands(method, Adaptive(too_large))
    )


def test_one_step_lowers_the_loss_exactly_inside():
    (band,) = bands(GD, Constant(0.2))
    weights = random_weights(500, 3) * 1.5
    held = inside(band, weights)
    assert 50 < held.sum() < 450
    for net, lowers in zip(weights.tolist(), held, strict=True):
        g = rules.end_to_end(net) - 1
        assert (abs(rules.end_to_end(rules.step(net, g, 0.2, 0)) - 1) <= abs(g)) == lowers


def test_no_band_where_nothing_is_proved():
    assert bands(NoiseAugmentation(0.3), Constant(0.1), 0.1) == ()
    assert bands(SGDNoise(0.3), Adaptive(0.1), 0.1) == ()
    assert bands(GD, Adaptive(1.5)) == ()
    assert bands(NoiseAugmentation(1.0), Constant(0.1)) == ()
    assert bands(NoiseAugmentation(Exponential(0.4, factor=0.9)), Constant(0.1)) == ()
    assert "band_1" not in field(Plane(), GD, learning_rate=0.1, momentum=0.5, size=(3, 3))
    assert "band_1" in field(Plane(), GD, learning_rate=0.1, size=(3, 3))


@pytest.mark.parametrize("size", range(1, 9))
def test_batch_slopes_against_all_batches(size):
    samples = data()
    chosen = [list(batch) for batch in itertools.combinations(range(8), size)]
    ratios = [samples.products[b].sum() / samples.squares[b].sum() for b in chosen]
    assert batch_slopes(samples, size) == pytest.approx((min(ratios), max(ratios)), rel=1e-12)

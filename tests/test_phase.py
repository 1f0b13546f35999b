"""Phase portraits and maps against plain Python runs, Monte Carlo means and the statements of the bands."""

import itertools
import json
import math
from typing import Any

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from linreg_dyn import rules
from linreg_dyn.ensemble import GradientDescent, MiniBatch, NoiseAugmentation, SGDNoise, simulate
from linreg_dyn.ensemble.methods import Table, TruncatedGaussian
from linreg_dyn.ensemble.plan import Plan
from linreg_dyn.phase import OUTCOMES, Plane, bands, critical_map, field, mean_velocity, portrait, rate_map, start_map
from linreg_dyn.phase import runs as phase_runs
from linreg_dyn.phase.bands import THEOREM_4_RATE, batch_slopes
from linreg_dyn.phase.field import mean_residual, unit_moments
from linreg_dyn.phase.rest import resting_points
from linreg_dyn.phase.words import setting
from linreg_dyn.problem import NormalizedData
from linreg_dyn.schedules import Adaptive, Constant, Cosine, Exponential, Window

GD = GradientDescent()


def data(samples=8, seed=3):
    """Samples normalised by eq. (2), with scatter."""
    x, y = np.random.default_rng(seed).normal(size=(2, samples))
    x = (x - x.mean()) / x.std()
    y = x + 0.3 * y
    y -= y.mean()
    return NormalizedData(x, y / (x * y).mean())


# The plane


def test_weights_of_a_plane():
    plane = Plane(5, (4, 2), (0, 1, -2, 2), ("w4", 0.5, "w2"))
    first, second = np.array([1.0, 2.0]), np.array([3.0, 4.0])
    assert plane.starts(first, second).tolist() == [[1, 3, 0.5, 1, 3], [2, 4, 0.5, 2, 4]]
    assert not plane.invariant
    assert Plane(4, (1, 2), others=("w1", "w2")).invariant
    assert Plane(4).others == (1, 1)
    right, up = plane.axes((2, 4))
    assert right.tolist() == [0.25, 0.75]
    assert up.tolist() == [-1.5, -0.5, 0.5, 1.5]
    cells = plane.cells(np.arange(8), (2, 4))
    assert cells[:3, [3, 1]].tolist() == [[0.25, -1.5], [0.75, -1.5], [0.25, -0.5]]
    assert np.array_equal(np.stack(plane.grid((2, 4)), axis=-1).reshape(8, 5), cells)


@pytest.mark.parametrize("method", [GD, NoiseAugmentation(0.4)], ids=["gd", "noise"])
def test_tied_layers_stay_tied(method):
    plane = Plane(4, (1, 3), (0.2, 1.5, -1.5, 1.5), ("w1", "w3"))
    starts = plane.cells(np.arange(36), (6, 6))
    final = simulate(starts, method, steps=50, learning_rate=0.05)["final_weights"].values
    assert np.array_equal(final[:, 0], final[:, 1])
    assert np.array_equal(final[:, 2], final[:, 3])
    assert not np.allclose(final, starts)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"depth": 1}, "depth must be an integer from 2"),
        ({"layers": (1, 1)}, "layers must be two different ones, got 1 twice"),
        ({"layers": (1, 3)}, "layers must be an integer from 1 to 2, got 3"),
        ({"layers": (0, 1)}, "layers must be an integer from 1 to 2, got 0"),
        ({"layers": (1, 2, 2)}, "layers must be two layers"),
        ({"box": (1, 1, 0, 2)}, "box must reach from a smaller to a larger weight, got 1 to 1"),
        ({"box": (0, 1, 2, 0)}, "got 2 to 0"),
        ({"box": (0, math.nan, 0, 1)}, "box must be a finite number, got nan"),
        ({"box": (0, 1)}, "box must be four numbers"),
        ({"others": (1.0,)}, "others must give the 0 other layers of depth 2, got 1"),
        ({"depth": 3, "others": ("w3",)}, "others must be finite numbers, w1 or w2, got 'w3'"),
        ({"depth": 3, "others": (math.inf,)}, "others must be finite numbers, w1 or w2, got inf"),
    ],
)
def test_bad_planes_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        Plane(**arguments)


def test_words_name_every_layer_once():
    training = {"steps": 7, "learning_rate": Adaptive(0.25), "weight_decay": 0.0}
    tied = Plane(9, (1, 2), others=("w1", "w1", "w1", 0.5, "w2", "w2", 0.5))
    text = setting(tied, NoiseAugmentation(0.4), training)
    assert text == (
        r"9 layers, $w_{3} = \dots = w_{5} = w_{1}$, $w_{6} = 0.5$, $w_{7} = w_{8} = w_{2}$, $w_{9} = 0.5$, "
        r"noise augmentation, $\eta$ uniform, $|\eta| \leq$ 0.4, learning rate $0.25 \,/\, \sum 1/w_i^2$, 7 steps"
    )
    training = {"steps": 7, "weight_decay": Window(0.1, stop=5), "momentum": 0.9, "nesterov": True, "dtype": "float32"}
    assert setting(Plane(), GD, training | {"learning_rate": Cosine(0.1, steps=9)}) == (
        "2 layers, gradient descent, learning rate Cosine(0.1, steps=9), weight decay Window(0.1, stop=5), "
        "Nesterov momentum 0.9, float32, 7 steps"
    )
    assert setting(Plane(4), MiniBatch(data(), 3), {"steps": 7, "weight_decay": 0.1}) == (
        r"4 layers, the others $= 1$, mini-batches of 3 of 8 samples, weight decay $\mu = 0.1$, 7 steps"
    )


# Maps, against the update in plain Python


def plain_run(weights, lr, steps, decay=0.0):
    """(final weights, step of divergence or -1) by `rules.step` on Python floats."""
    for step in range(steps + 1):
        W = rules.end_to_end(weights)
        if not abs(W) <= 2.0**200:
            return weights, step
        if step < steps:
            weights = rules.step(weights, W - 1, lr, decay)
    return weights, -1


def plain_outcome(plane, weights, diverged, within):
    if diverged >= 0:
        return "diverged"
    if abs(rules.end_to_end(weights) - 1) <= within:
        return "minimum_" + "".join("+" if weights[layer - 1] >= 0 else "-" for layer in plane.layers)
    return "origin" if max(map(abs, weights)) <= within else "elsewhere"


PLANES = [
    (Plane(2, (1, 2), (-3, 3, -3, 3)), 0.3, 60, 0.0),
    (Plane(3, (3, 1), (-2.5, 2, -1, 2.5), (-0.8,)), 0.15, 60, 0.0),
    (Plane(4, (1, 2), (-2, 2, -2, 2), ("w2", 1.0)), 0.1, 60, 0.3),
]


@pytest.mark.parametrize(("plane", "lr", "steps", "decay"), PLANES, ids=["depth 2", "depth 3", "decay"])
def test_map_agrees_with_plain_runs(plane, lr, steps, decay):
    size, within = (13, 11), 0.2
    found = start_map(plane, size, GD, within=within, steps=steps, learning_rate=lr, weight_decay=decay)
    assert found["outcome"].dims == ("second", "first")
    codes = set()
    for row, column in itertools.product(range(size[1]), range(size[0])):
        cell = found.isel(first=column, second=row)
        start = plane.starts(np.array([float(cell["first"])]), np.array([float(cell["second"])]))[0].tolist()
        final, diverged = plain_run(start, lr, steps, decay)
        name = plain_outcome(plane, final, diverged, within)
        assert OUTCOMES[int(cell["outcome"])] == name
        assert int(cell["diverged_step"]) == diverged
        codes.add(name)
    assert len(codes) >= 3  # the oracle had something to tell apart
    assert found.attrs["outcome_counts"].sum() == found.attrs["starts"] == size[0] * size[1]
    other = start_map(plane, size, GD, within=within, steps=steps, learning_rate=lr / 3, weight_decay=decay)
    assert (other["outcome"] != found["outcome"]).any()  # another rate would have been noticed


def test_exchanging_the_layers_transposes_the_map():
    training = {"steps": 80, "learning_rate": 0.3}
    one = start_map(Plane(2, (1, 2), (-3, 2, -1, 3)), (24, 18), GD, **training)
    two = start_map(Plane(2, (2, 1), (-1, 3, -3, 2)), (18, 24), GD, **training)
    assert np.array_equal(one["diverged_step"], two["diverged_step"].T)
    exchanged = np.arange(len(OUTCOMES))  # the signs (first, second) change places too
    plus_minus, minus_plus = OUTCOMES.index("minimum_+-"), OUTCOMES.index("minimum_-+")
    exchanged[[plus_minus, minus_plus]] = minus_plus, plus_minus
    assert np.array_equal(one["outcome"], exchanged[two["outcome"].T.values])
    unequal = Plane(3, (1, 2), (-3, 3, -3, 3), ("w1",))  # a net that the exchange does change
    map_of_it = start_map(unequal, (24, 24), GD, **training)["outcome"].values
    assert not np.array_equal(map_of_it, map_of_it.T)


def test_observable_at_the_end():
    plane = Plane(3, (1, 2), (-3, 3, -3, 3), (0.7,))
    found = start_map(plane, (9, 8), GD, observable="layer_imbalance", steps=30, learning_rate=0.2)
    lost = found["outcome"].values == OUTCOMES.index("diverged")
    assert lost.any()
    for row, column in itertools.product(range(8), range(9)):
        cell = found.isel(first=column, second=row)
        value = float(cell["layer_imbalance"])
        start = plane.starts(np.array([float(cell["first"])]), np.array([float(cell["second"])]))[0].tolist()
        squares = [w * w for w in plain_run(start, 0.2, 30)[0]]
        if lost[row, column]:
            assert math.isnan(value)
        else:
            # Each step is a dozen roundings, and a start that does not diverge does not amplify them for long.
            assert value == pytest.approx(max(squares) - min(squares), rel=1e-9, abs=1e-12)


def test_tiles_do_not_matter(monkeypatch):
    plane = Plane(4)
    training: dict[str, Any] = {"steps": 40, "learning_rate": 0.2, "seed": 5}
    method = NoiseAugmentation(0.6)
    watched: list[float] = []
    whole = start_map(plane, (64, 50), method, observable="loss", watch=watched.append, **training)
    assert watched == [1.0]
    monkeypatch.setattr(phase_runs, "TILE", 1)  # the least tile, 1024 starts
    tiled = start_map(plane, (64, 50), method, observable="loss", watch=watched.append, **training)
    assert watched[1:] == [n / 3200 for n in (1024, 2048, 3072, 3200)]
    assert whole.equals(tiled)
    training["seed"] = 6
    assert not whole.equals(start_map(plane, (64, 50), method, observable="loss", **training))


def test_each_row_of_a_rate_map_has_its_rate():
    plane, line = Plane(2, (2, 1)), (-1.0, 0.5, 2.5, 2.0)
    found = rate_map(plane, line, (0.02, 1.5), (17, 7), GD, within=0.05, steps=60)
    assert found["learning_rate"].values == pytest.approx(np.geomspace(0.02, 1.5, 7))
    assert found["first"].values[[0, -1]].tolist() == [-1, 2.5]
    assert found["second"].values[[0, -1]].tolist() == [0.5, 2]
    starts = plane.starts(found["first"].values, found["second"].values)
    lost = 0
    for row, rate in enumerate(found["learning_rate"].values.tolist()):
        alone = simulate(starts, GD, steps=60, learning_rate=rate)
        assert np.array_equal(found["diverged_step"][row], alone["diverged_step"])
        lost += int((alone["status"] == 1).sum())
    assert 0 < lost < 17 * 7


def test_critical_rate_is_where_divergence_begins():
    plane, rates = Plane(2, box=(-3, 3, -2.5, 3)), (0.15, 0.9)
    found = critical_map(plane, (9, 8), GD, rates=rates, rounds=10, steps=80)
    critical, ratio = found["critical_rate"].values.ravel(), found["critical_rate"].attrs["ratio"]
    assert ratio == pytest.approx((0.9 / 0.15) ** 2.0**-10)
    starts = plane.cells(np.arange(72), (9, 8))

    def diverges(start, rate):
        return simulate(start, GD, steps=80, learning_rate=rate)["status"].item() == 1

    for start, rate in zip(starts, critical.tolist(), strict=True):
        if math.isfinite(rate):
            assert not diverges(start, rate)
            assert diverges(start, rate * ratio * (1 + 1e-12))
        else:
            assert diverges(start, rates[0] if rate < 0 else rates[1]) == (rate < 0)
    assert {-math.inf, math.inf} < set(critical.tolist())
    assert (found.attrs["always"], found.attrs["never"]) == ((critical < 0).sum(), np.isposinf(critical).sum())


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: start_map(Plane(), (0, 5), GD, steps=5, learning_rate=0.1), "size must be an integer from 1"),
        (lambda: start_map(Plane(), (2**20, 2**20), GD, steps=5, learning_rate=0.1), "GiB.*take a smaller size"),
        (lambda: start_map(Plane(), (5, 5), GD, within=0, steps=5, learning_rate=0.1), "within must be .* > 0"),
        (lambda: start_map(Plane(), (5, 5), GD, steps=5, learning_rate=0), "learning_rate must be"),
        (
            lambda: start_map(Plane(), (5, 5), GD, observable="speed", steps=5, learning_rate=0.1),
            "observable must be one of 'loss'",
        ),
        (lambda: rate_map(Plane(), (0, 0, 0, 0), (0.1, 1), (5, 5), GD, steps=5), "line must be four numbers"),
        (lambda: rate_map(Plane(), (0, 0, 1, 1), (0, 1), (5, 5), GD, steps=5), "rates must be a finite number > 0"),
        (lambda: critical_map(Plane(), (5, 5), GD, rates=(1, 0.1), steps=5), "rates must be a smaller and a larger"),
        (lambda: critical_map(Plane(), (5, 5), GD, rates=(0.1, 1), rounds=0, steps=5), "rounds must be an integer"),
        (lambda: field(Plane(4096), GD, learning_rate=0.1, size=(2**16, 2**16)), "GiB.*take fewer layers"),
        (lambda: portrait(Plane(), GD, steps=5, learning_rate=0.1, cells=1), "cells must be an integer from 2"),
    ],
)
def test_bad_maps_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


# The mean velocity, against the mean of many steps


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


# Bands


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
    (NoiseAugmentation(0.45, "rademacher"), THEOREM_4_RATE, 0.6, "0 < W < 2"),
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


# Equilibria under weight decay


RESTING = [
    (Plane(2), 0.3, 3),  # two minima and the saddle between them
    (Plane(2), 1.5, 1),
    (Plane(3, others=("w1",)), 0.2, 5),  # w_1 twice: any sign; w_2 positive; two branches and the origin
    (Plane(4, (2, 3), others=("w2", "w3")), 0.2, 9),
    (Plane(4, (1, 2), others=("w2", "w2")), 0.2, 5),
]


@pytest.mark.parametrize(("plane", "mu", "count"), RESTING)
def test_resting_points_are_where_runs_end(plane, mu, count):
    points, stable = resting_points(plane, mu)
    assert points.shape == (count, 2)
    assert len(set(map(tuple, points.tolist()))) == count
    for other_mu, still in ((mu, True), (1.1 * mu, False)):
        velocity = np.array(mean_velocity(list(plane.starts(*points.T).T), GD, other_mu))
        assert (abs(velocity).max() < 1e-14) == still or count == 1  # the origin stays with any decay
    starts = plane.starts(*np.random.default_rng(3).uniform(-1, 1, (2, 200)))  # none on the way into a saddle
    for _ in range(4000):  # plain steps of a small rate; at the slowest minimum exp(-4000 * 0.02 * 2 * 0.2) is left
        starts = np.stack(rules.step(list(starts.T), starts.prod(axis=1) - 1, 0.02, mu), axis=1)
    ends = starts[:, [layer - 1 for layer in plane.layers]]
    nearest = np.abs(ends[:, np.newaxis] - points).max(axis=2)
    assert (nearest.min(axis=1) < 1e-6).all()
    assert set(nearest.argmin(axis=1).tolist()) == set(np.flatnonzero(stable).tolist())


def test_resting_points_are_only_claimed_on_invariant_planes():
    assert resting_points(Plane(3), 0.2)[0].shape == (0, 2)
    training: dict[str, Any] = {"size": (6, 5), "steps": 10, "learning_rate": 0.05, "weight_decay": 0.2}
    assert "equilibrium" not in portrait(Plane(4), GD, **training)
    found = portrait(Plane(4, others=("w1", "w2")), GD, **training)
    assert found["equilibrium"].sizes == {"point": 9, "pair": 2}
    training["weight_decay"] = Window(0.1, stop=5)
    with pytest.raises(TypeError, match="weight_decay of a portrait must be a finite number"):
        portrait(Plane(4), GD, **training)


# Portraits


def test_a_portrait_with_momentum_is_of_runs_with_momentum():
    training: dict[str, Any] = {"steps": 60, "learning_rate": Cosine(0.1, steps=60), "momentum": 0.5}
    training |= {"nesterov": True, "weight_decay": 0.01, "dtype": "float32", "threads": 1}
    plane = Plane(2, box=(-2, 2, -2, 2.5))
    found = portrait(plane, GD, size=(8, 9), trajectories=3, cells=8, **training)
    run = simulate(plane.cells(np.arange(72), (8, 9)), GD, **training)
    diverged = int((run["status"] == 1).sum())
    assert found.attrs["outcome_counts"][OUTCOMES.index("diverged")] == diverged
    ends = found["path"].isel(step=-1).values
    again = simulate(plane.starts(*found["path"].isel(step=0).values.T), GD, **training)["final_weights"].values
    assert np.array_equal(ends, np.where((again.prod(axis=1) < 1e9)[:, np.newaxis], again, np.nan))
    assert (found.attrs["dtype"], found.attrs["backend"]) == ("float32", "cpu")
    spec = json.loads(found.attrs["spec"])
    assert (spec["momentum"], spec["nesterov"]) == (0.5, True)
    assert not {"dtype", "backend", "threads"} & spec.keys()
    as_map = start_map(plane, (8, 9), GD, **training)
    assert np.array_equal(as_map["outcome"].values.ravel() == OUTCOMES.index("diverged"), run["status"] == 1)
    assert as_map.attrs["dtype"] == "float32"


def test_portrait_counts_every_start_once():
    plane = Plane(3, (2, 1), (-2, 2, -1.5, 2.5), (0.8,))
    training = {"steps": 60, "learning_rate": 0.25}
    found = portrait(plane, GD, size=(30, 20), trajectories=4, cells=16, **training)
    run = simulate(plane.cells(np.arange(600), (30, 20)), GD, **training)
    ends = run["final_weights"].values[run["status"].values == 0]
    counts = np.histogram2d(ends[:, 0], ends[:, 1], bins=16, range=((-1.5, 2.5), (-2, 2)))[0]
    # histogram2d computes its edges otherwise: an end within rounding of one may fall to the neighbour.
    assert np.abs(found["end_count"].values - counts).sum() <= 2
    diverged = found.attrs["outcome_counts"][OUTCOMES.index("diverged")]
    assert diverged == (run["status"] == 1).sum() > 0
    assert found["end_count"].sum() + found.attrs["outside"] + diverged == found.attrs["starts"] == 600
    path = found["path"]
    assert path["pair"].values.tolist() == [2, 1]
    for trajectory in path.transpose("trajectory", "step", "pair").values:
        start = plane.starts(*trajectory[0][:, np.newaxis])[0].tolist()
        final, when = plain_run(start, 0.25, 60)
        if when < 0:
            assert trajectory[-1] == pytest.approx([final[1], final[0]], rel=1e-9)
        else:
            assert np.isnan(trajectory[when:]).all()
            assert np.isfinite(trajectory[:when]).all()


def test_velocity_on_the_grid_is_minus_the_gradient():
    plane, h = Plane(3, (3, 1), (-2, 2, -1, 2), ("w1",)), 1e-6
    found = field(plane, GD, learning_rate=0.1, weight_decay=0.3, size=(7, 6))
    for row, column in ((0, 0), (2, 5), (5, 3)):
        x, y = float(found["first"][column]), float(found["second"][row])

        def loss(third, first, second=y):
            return (first * second * third - 1) ** 2 + 0.3 * (first**2 + second**2 + third**2)

        # Central differences of a quartic: the third derivative times h^2, and roundings of a loss of order 10 over h.
        slope = (loss(x + h, y) - loss(x - h, y)) / (2 * h), (loss(x, y + h) - loss(x, y - h)) / (2 * h)
        cell = found.isel(first=column, second=row)
        assert float(cell["velocity_first"]) == pytest.approx(-slope[0], abs=1e-7)
        assert float(cell["velocity_second"]) == pytest.approx(-slope[1], abs=1e-7)

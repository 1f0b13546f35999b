"""Planes of two layers and the maps over them, against plain Python runs."""

import itertools
import math
from typing import Any

import numpy as np
import pytest

from linreg_dyn import rules
from linreg_dyn.ensemble import NoiseAugmentation, simulate
from linreg_dyn.phase import OUTCOMES, Plane, critical_map, field, portrait, rate_map, start_map
from linreg_dyn.phase import runs as phase_runs
from linreg_dyn.phase.rest import resting_points
from linreg_dyn.schedules import Window
from tests.phases import GD, plain_run

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


# Maps, against the update in plain Python


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
        (lambda: rate_map(Plane(), (0, 0, 1, 1), (0.1, 1), (1, 5), GD, steps=5), "size must be an integer from 2"),
        (lambda: rate_map(Plane(), (0, 0, 1, 1), (0.1, 1), (5, 1), GD, steps=5), "size must be an integer from 2"),
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


def test_maps_of_many_rates_take_no_rate():
    with pytest.raises(TypeError, match="learning_rate is not used where there are rates"):
        rate_map(Plane(), (1, 1, 2, 1), (0.1, 1), (3, 3), GD, steps=5, learning_rate=0.7)
    with pytest.raises(TypeError, match="learning_rate is not used where there are rates"):
        critical_map(Plane(), (3, 3), GD, rates=(0.1, 1), steps=5, learning_rate=0.7)


def test_one_size_is_that_of_both_layers():
    short: dict[str, Any] = {"steps": 2, "learning_rate": 0.1}
    assert start_map(Plane(), 3, GD, **short).identical(start_map(Plane(), (3, 3), GD, **short))
    assert field(Plane(), GD, learning_rate=0.1, size=7).sizes == {"first": 7, "second": 7}
    assert portrait(Plane(), GD, size=8, **short).attrs["starts"] == 64
    assert critical_map(Plane(), 2, GD, rates=(0.1, 1), steps=5).attrs["starts"] == 4
    bad: list[Any] = [(3,), (1, 2, 3), "33", 3.0, (3, 3.0), None]
    for size in bad:
        with pytest.raises((TypeError, ValueError), match="size must be an integer"):
            start_map(Plane(), size, GD, **short)
        with pytest.raises((TypeError, ValueError), match="size must be an integer"):
            field(Plane(), GD, learning_rate=0.1, size=size)


def test_resting_points_are_only_claimed_on_invariant_planes():
    assert resting_points(Plane(3), 0.2)[0].shape == (0, 2)
    training: dict[str, Any] = {"size": (6, 5), "steps": 10, "learning_rate": 0.05, "weight_decay": 0.2}
    assert "equilibrium" not in portrait(Plane(4), GD, **training)
    found = portrait(Plane(4, others=("w1", "w2")), GD, **training)
    assert found["equilibrium"].sizes == {"point": 9, "pair": 2}
    training["weight_decay"] = Window(0.1, stop=5)
    with pytest.raises(TypeError, match="weight_decay of a portrait must be a finite number"):
        portrait(Plane(4), GD, **training)

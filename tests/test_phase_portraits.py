"""Equilibria under weight decay, and portraits."""

import json
from typing import Any

import numpy as np
import pytest

from linreg_dyn import rules
from linreg_dyn.ensemble import simulate
from linreg_dyn.phase import OUTCOMES, Plane, field, mean_velocity, portrait, start_map
from linreg_dyn.phase.rest import resting_points
from linreg_dyn.schedules import Cosine
from tests.phases import GD, plain_run

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


@pytest.mark.parametrize(("size", "cells"), [(1000, 125), (480, 160), ((90, 200), (90, 200)), (20, 160), (997, 160)])
def test_starts_that_stay_fill_all_cells_alike(size, cells):
    found = portrait(Plane(), GD, size=size, steps=1, learning_rate=1e-9)["end_count"]
    wide, high = cells if isinstance(cells, tuple) else (cells, cells)
    assert found.sizes == {"end_first": wide, "end_second": high}
    alike = len(np.unique(found)) == 1
    assert alike == (size not in (20, 997))  # a few starts, and a prime number of them


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

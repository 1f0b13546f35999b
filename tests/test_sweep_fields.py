"""Every field of a spec reaches `simulate`: points against calls of it with the objects that the tables stand for."""

import json

import numpy as np
import pytest
import xarray as xr

import linreg_dyn as ld
from linreg_dyn import schedules
from linreg_dyn.regression import diabetes, normalize
from linreg_dyn.sweep import run, starts
from tests.sweeps import planned

SPEC = """
[run]
depth = 2
steps = 12
learning_rate = 0.05
trajectories = 5
starts = {distribution = "near_minimum", seed = 9}
"""
GD = ld.GradientDescent()
COSINE = schedules.Cosine(0.1, steps=12, end=0.01)
WINDOW = schedules.Window(schedules.Exponential(0.2, factor=0.5, every=3), start=2, stop=9)
DATA = normalize(*diabetes()).data


WINDOW_TABLE = (
    '{type = "Window", schedule = {type = "Exponential", start = 0.2, factor = 0.5, every = 3}, start = 2, stop = 9}'
)


def noise(half_width=0.3, distribution="uniform"):
    return {"method": ld.NoiseAugmentation(half_width, distribution)}


CASES = {
    "rates": (
        """
        [grid]
        learning_rate = [0.1, {type = "Cosine", start = 0.1, steps = 12, end = 0.01}, {type = "Adaptive", c = 0.25},
            {type = "Adaptive", c = {type = "Steps", values = [0.2, 0.1], milestones = [6]}}]
        """,
        [
            {"learning_rate": 0.1},
            {"learning_rate": COSINE},
            {"learning_rate": schedules.Adaptive(0.25)},
            {"learning_rate": schedules.Adaptive(schedules.Steps((0.2, 0.1), milestones=(6,)))},
        ],
    ),
    "decays": (
        """
        [grid]
        weight_decay = [{type = "AutoL2", l2 = 0.4, every = 2}, 0.0, WINDOW]
        """,
        [
            {"weight_decay": schedules.AutoL2(0.4, every=2)},
            {},
            {"weight_decay": WINDOW},
        ],
    ),
    "fields of schedules": (
        """
        [grid]
        weight_decay.l2 = [0.1, 0.3]
        [grid.learning_rate]
        c = [0.1, 0.25]
        """,
        [
            {"learning_rate": schedules.Adaptive(c), "weight_decay": schedules.AutoL2(l2, factor=2)}
            for l2 in (0.1, 0.3)
            for c in (0.1, 0.25)
        ],
    ),
    "widths": (
        """
        [grid]
        half_width = [0.3, {type = "Cosine", start = 0.1, steps = 12, end = 0.01}]
        method = ["NoiseAugmentation", "SGDNoise"]
        """,
        [{"method": kind(width)} for width in (0.3, COSINE) for kind in (ld.NoiseAugmentation, ld.SGDNoise)],
    ),
    "distributions": (
        """
        [zip.noise]
        distribution = ["uniform", "rademacher", {type = "TruncatedGaussian", sigmas = 3},
            {type = "Table", values = [-1, 0.5, 0.5]}]
        half_width = [0.3, 0.2, 0.3, 0.3]
        [grid]
        method = ["NoiseAugmentation"]
        """,
        [
            noise(0.3),
            noise(0.2, "rademacher"),
            noise(0.3, ld.TruncatedGaussian(3)),
            noise(0.3, ld.Table((-1, 0.5, 0.5))),
        ],
    ),
    "fields of distributions": (
        """
        [grid]
        distribution.sigmas = [1, 2.5]
        method = ["NoiseAugmentation"]
        """,
        [noise(0.3, ld.TruncatedGaussian(sigmas)) for sigmas in (1, 2.5)],
    ),
    "batches": (
        """
        [grid]
        batch_size = [4, 400]
        method = ["MiniBatch"]
        seed = [3]
        """,
        [{"method": ld.MiniBatch(DATA, size), "seed": 3} for size in (4, 400)],
    ),
    "momenta": (
        """
        [zip.ball]
        momentum = [0.0, 0.5, 0.5]
        nesterov = [false, false, true]
        """,
        [{}, {"momentum": 0.5}, {"momentum": 0.5, "nesterov": True}],
    ),
    "dtypes and backends": (
        """
        [grid]
        dtype = ["float64", "float32"]
        """,
        [{"dtype": "float64"}, {"dtype": "float32"}],
    ),
    "lengths and starts": (
        """
        [grid]
        steps = [0, 7]
        [[grid.starts]]
        distribution = "near_minimum"
        seed = 9
        [[grid.starts]]
        distribution = "constant"
        weights = [0.5, 0.7]
        """,
        [{"steps": steps, **more} for steps in (0, 7) for more in ({}, {"starts": [[0.5, 0.7]] * 5})],
    ),
}
RUN = {
    "fields of schedules": 'weight_decay = {type = "AutoL2", factor = 2}\nlearning_rate = {type = "Adaptive"}\n',
    "fields of distributions": 'distribution = {type = "TruncatedGaussian"}\nhalf_width = 0.3\n',
    "dtypes and backends": 'backend = "cpu"\n',
}


@pytest.mark.parametrize("name", CASES)
def test_a_point_is_the_run_that_its_fields_describe(name, tmp_path):
    grid, points = CASES[name]
    grid = grid.replace("WINDOW", WINDOW_TABLE)
    more = RUN.get(name, "")
    text = SPEC.replace("learning_rate = 0.05\n", "") if "learning_rate" in more + grid else SPEC
    run.run(planned(text + more + grid), tmp_path / "store.zarr")
    with xr.open_zarr(tmp_path / "store.zarr", chunks=None) as store:
        found = store["final_weights"].values.reshape(-1, 5, 2)
        lost = store["status"].values.reshape(-1, 5)
    assert len(found) == len(points)
    assert len(np.unique(found, axis=0)) == len(points)  # every field makes a difference
    for weights, status, point in zip(found, lost, points, strict=True):
        arguments = {"method": GD, "steps": 12, "learning_rate": 0.05, "backend": "cpu"} | point
        initial = arguments.pop("starts", starts.draw({"distribution": "near_minimum"}, 2, 0, 5, seed=9))
        wanted = ld.simulate(initial, arguments.pop("method"), **arguments)
        assert np.array_equal(weights, wanted["final_weights"], equal_nan=True)
        assert np.array_equal(status, wanted["status"])


def test_tables_label_their_axis_as_json(tmp_path):
    grid = CASES["rates"][0] + "momentum = [0.5]\nseed = [18446744073709551615]\n[zip.z]\nnesterov = [true]"
    path = tmp_path / "store.zarr"
    run.run(planned(SPEC.replace("learning_rate = 0.05\n", "") + grid), path)
    with xr.open_zarr(path, chunks=None) as store:
        labels = store["learning_rate"].values.tolist()
        assert [json.loads(label) for label in labels][2] == {"type": "Adaptive", "c": 0.25}
        assert schedules.from_spec(json.loads(labels[1])) == COSINE
        assert store["nesterov"].dtype == bool
        assert store["seed"].values.tolist() == [2**64 - 1]

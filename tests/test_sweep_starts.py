"""Starts of a sweep: what is drawn, and what is read from files."""

import copy
import math
from typing import Any

import numpy as np
import pytest
import xarray as xr
from scipy import stats

from linreg_dyn.sweep import spec, starts


@pytest.mark.parametrize(
    "table",
    [
        {"distribution": "near_minimum"},
        {"distribution": "normal", "std": 0.5, "mean": 1},
        {"distribution": "uniform", "low": -1, "high": 2},
        {"distribution": "log_normal", "spread": 0.1},
        {"distribution": "constant", "weights": [1.0, 2.0, 3.0]},
    ],
)
def test_a_start_depends_on_the_seed_and_its_number_alone(table):
    whole = starts.draw(table, 3, 0, 9000, seed=3)
    assert whole.shape == (9000, 3)
    assert np.array_equal(whole[4000:8200], starts.draw(table, 3, 4000, 8200, seed=3))
    assert np.array_equal(whole, starts.draw(table | {"seed": 3}, 3, 0, 9000, seed=9))
    if table["distribution"] != "constant":
        assert not np.array_equal(whole, starts.draw(table, 3, 0, 9000, seed=4))
        assert len(np.unique(whole[:, 0])) == 9000


def W_of(w):
    return w.prod(axis=1)


def between_layers(w):
    """Differences of logarithms: what scales all layers together falls out."""
    return np.log(w[:, 1] / w[:, 0])


@pytest.mark.parametrize(
    ("table", "read", "law"),
    [
        ({"distribution": "normal", "std": 0.5}, np.asarray, stats.norm(0, 0.5)),
        ({"distribution": "normal", "std": 0.5, "mean": 1.0}, np.asarray, stats.norm(1, 0.5)),
        ({"distribution": "uniform", "low": -1.0, "high": 3.0}, np.asarray, stats.uniform(-1, 4)),
        ({"distribution": "log_normal", "spread": 0.3}, np.log, stats.norm(0, 0.3)),
        ({"distribution": "log_normal", "spread": 0.3, "median": 2.0}, np.log, stats.norm(math.log(2), 0.3)),
        ({"distribution": "near_minimum"}, W_of, stats.uniform(0.5, 1)),
        ({"distribution": "near_minimum", "low": 0.9, "high": 2.0}, W_of, stats.uniform(0.9, 1.1)),
        ({"distribution": "near_minimum"}, between_layers, stats.norm(0, 0.5 * math.sqrt(2))),
        ({"distribution": "near_minimum", "spread": 0.2}, between_layers, stats.norm(0, 0.2 * math.sqrt(2))),
    ],
)
def test_starts_have_the_distribution_they_are_named_after(table, read, law):
    """Every field at its default, if it has one, and at another value; by Kolmogorov and Smirnov."""
    found = read(starts.draw(table, 3, 0, 20_000, seed=0))
    low, high = law.support()
    assert ((low < found) & (found < high)).all()
    assert stats.kstest(found.ravel(), law.cdf).pvalue > 1e-4


def test_starts_from_a_file_decide_depth_and_number(tmp_path):
    weights = np.random.default_rng(0).normal(size=(7, 5))
    np.savez(tmp_path / "w.npz", starts=weights)
    document: dict[str, Any] = {"run": {"steps": 100, "learning_rate": 0.1, "starts": {"file": "w.npz"}}}
    document["grid"] = {"weight_decay": [0.0, 0.1]}
    sweep = spec.parse(copy.deepcopy(document), folder=tmp_path)
    assert (sweep.run["depth"], sweep.trajectories) == (5, 7)
    assert np.array_equal(sweep.files[sweep.run["starts"]["sha256"]], weights)
    before = spec.identity(sweep)
    np.savez(tmp_path / "w.npz", starts=weights + 1)  # the same name, but not the same sweep
    assert spec.identity(spec.parse(copy.deepcopy(document), folder=tmp_path)) != before
    document["run"]["depth"] = 4
    with pytest.raises(ValueError, match=r"must be 5, as w\.npz has it, got 4"):
        spec.parse(document, folder=tmp_path)


@pytest.mark.parametrize("name", ["w.npz", "w.nc"])
def test_damaged_files_of_starts_are_refused_by_name(name, tmp_path):
    path, weights = tmp_path / name, np.random.default_rng(0).normal(size=(7, 5))
    if path.suffix == ".nc":
        xr.Dataset({"starts": (("trajectory", "layer"), weights)}).to_netcdf(path, engine="h5netcdf")
    else:
        np.savez_compressed(path, starts=weights)
    whole = path.read_bytes()
    assert np.array_equal(starts.read("run.starts", path, "starts"), weights)
    other = bytearray(whole)
    other[len(whole) // 2] ^= 255
    damaged = [b"", whole[: len(whole) // 2], whole[:-30]] + [bytes(other)] * (
        path.suffix == ".npz"
    )  # NetCDF has no sum
    for content in damaged:
        path.write_bytes(content)
        with pytest.raises(ValueError, match=f"run.starts.file: .*{name} must be a .npz or a NetCDF file: ."):
            starts.read("run.starts", path, "starts")

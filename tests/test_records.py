"""What `simulate` records: which steps, which reductions, and who is held by them."""

import itertools
import math

import numpy as np
import pytest
import xarray as xr

import linreg_dyn as ld
from linreg_dyn import rules
from linreg_dyn.ensemble import _cpu, record


def starts(trajectories, depth):
    return np.random.default_rng(0).uniform(0.7, 1.3, (trajectories, depth))


def test_records_hold_the_steps_asked_for():
    for every, steps, expected in [
        (3, 10, [0, 3, 6, 9, 10]),
        (5, 10, [0, 5, 10]),
        (20, 7, [0, 7]),
        (1, 0, [0]),
    ]:
        record = ld.Record(every=every, observables=("end_to_end",))
        ds = ld.simulate(starts(2, 4), ld.GradientDescent(), steps=steps, learning_rate=0.01, record=record)
        assert ds.step.values.tolist() == expected
        assert record.count(steps) == len(expected)
        last = [rules.end_to_end(w) for w in ds.final_weights.values.tolist()]
        np.testing.assert_array_equal(ds.end_to_end[-1], last)


def mean(values):
    return math.fsum(values) / len(values)


def variance(values):
    return mean([(x - mean(values)) ** 2 for x in values])


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_reductions_are_those_of_the_trajectories_still_there(dtype):
    """Some trajectories diverge between two records; from then on nothing holds them, and nothing is NaN.

    Sums over n trajectories in whatever order are off by at most n ulps of the sum of magnitudes.
    """
    initial = np.stack([np.linspace(0.5, 40, 100), np.linspace(0.9, 30, 100)], axis=1)
    names = ("loss", "layer_imbalance", "weights", "smallest_square")
    run = {"steps": 12, "learning_rate": 0.02, "dtype": dtype}
    every = ld.simulate(initial, ld.GradientDescent(), record=ld.Record(4, names), **run)
    levels, edges = (0.0, 0.1, 0.5, 1.0), (0.0, 0.25, 1.0, 100.0)
    reduce = ("mean", "variance", "min", "max", ld.Quantiles(levels), ld.Histogram(edges))
    reduced = ld.simulate(initial, ld.GradientDescent(), record=ld.Record(4, names, reduce), **run)
    assert reduced["quantile"].values.tolist() == list(levels)
    assert reduced.bin_high.values.tolist() == [*edges, math.inf]
    assert reduced["bin"].values.tolist() == [-0.125, 0.125, 0.625, 50.5, 149.5]  # the first edge less half of 0.25
    for k, step in enumerate(every.step.values):
        there = (every.diverged_step < 0) | (every.diverged_step > step)
        assert reduced.held[k] == there.sum()
        np.testing.assert_array_equal(np.isnan(every.loss[k]), ~there)
        for name in names:
            kept = every[name].values[k, there]
            columns = [kept[:, 0], kept[:, 1]] if name == "weights" else [kept]
            for layer, column in enumerate(columns):
                got = {how: reduced[f"{name}_{how}"].values[k] for how in ("mean", "variance", "min", "max")}
                got |= {how: reduced[f"{name}_{how}"].values[k] for how in ("quantiles", "histogram")}
                if name == "weights":
                    got = {how: value[..., layer] for how, value in got.items()}
                ulps = len(column) * 2.0**-52
                assert (got["min"], got["max"]) == (column.min(), column.max())
                assert abs(got["mean"] - mean(column)) <= ulps * mean(abs(column))
                assert abs(got["variance"] - variance(column)) <= 4 * ulps * mean(column**2)
                np.testing.assert_array_equal(got["quantiles"], np.quantile(column, levels))
                bounds = [-math.inf, *edges, math.inf]
                assert got["histogram"].tolist() == [
                    sum(low <= x < high for x in column) for low, high in itertools.pairwise(bounds)
                ]
                assert got["histogram"].sum() == len(column)
    assert 0 < reduced.held[-1] < reduced.held[0] <= 100


def test_one_reduction_has_the_name_of_its_observable():
    run = {"steps": 4, "learning_rate": 0.1}
    one = ld.simulate(starts(90, 3), ld.GradientDescent(), record=ld.Record(2, "loss", "mean"), **run)
    several = ld.simulate(starts(90, 3), ld.GradientDescent(), record=ld.Record(2, "loss", ("mean",)), **run)
    np.testing.assert_array_equal(one.loss, several.loss_mean)
    assert one.loss.attrs["cell_methods"] == "trajectory: mean"


def test_moments_merge_as_if_they_were_one():
    """Parts of uneven sizes, one of them empty, and a mean far from zero, where squares would cancel."""
    values = 1e8 + np.random.default_rng(1).normal(size=1000)
    cuts = np.split(values, [3, 3, 500, 999])
    rows = [[len(x), x.mean(), ((x - x.mean()) ** 2).sum(), x.min(), x.max()] if len(x) else [0] * 5 for x in cuts]
    parts = np.array([rows, [[0.0] * 5] * 5]).transpose(2, 0, 1)  # the second observable has nothing left
    merged, nothing = record.Moments.merged(*parts)
    assert merged.number == 1000
    assert merged.mean == pytest.approx(values.mean(), rel=1e-15)
    assert merged.variance == pytest.approx(values.var(), rel=1e-6)  # a mean of 1e8 leaves half the digits
    assert (merged.min, merged.max) == (values.min(), values.max())
    assert nothing.number == 0
    assert math.isnan(nothing.mean)


@pytest.mark.parametrize("limit", ["TABLE", "MOMENTS", "PIECE"])
def test_records_in_one_go_and_one_by_one_are_the_same(limit, monkeypatch):
    """Alone, moments are taken as a block runs through many records; with values beside them, one by one."""
    initial = np.stack([np.linspace(0.5, 40, 100), np.linspace(0.9, 30, 100)], axis=1)
    run = {"steps": 50, "learning_rate": 0.02, "seed": 1}
    names = ("loss", "layer_imbalance")
    whole = ld.simulate(initial, ld.SGDNoise(0.3), record=ld.Record(7, names, ("mean", "variance", "min")), **run)
    both = ld.Record(7, names, ("mean", "variance", "min", ld.Quantiles((0.5,))))
    single = ld.simulate(initial, ld.SGDNoise(0.3), record=both, **run)
    assert 0 < whole.held[-1] < whole.held[0] == 100
    for name in [*whole.data_vars]:
        np.testing.assert_array_equal(single[name], whole[name])
    monkeypatch.setattr(_cpu, limit, 3)
    again = ld.simulate(initial, ld.SGDNoise(0.3), record=ld.Record(7, names, ("mean", "variance", "min")), **run)
    xr.testing.assert_identical(again, whole)


def test_a_reduction_is_infinite_only_where_the_observable_is():
    record = ld.Record(every=1, observables=("inverse_square_sum", "loss"), reduce="mean")
    ds = ld.simulate([[0.0, 1.0], [1.0, 1.0]], ld.GradientDescent(), steps=1, learning_rate=0.1, record=record)
    assert ds.inverse_square_sum.values[0] == math.inf
    assert np.isfinite(ds.inverse_square_sum.values[1])
    assert ds.held.values.tolist() == [2, 2]


def test_a_long_run_in_pieces_is_the_same(monkeypatch):
    run = {"steps": 50, "learning_rate": 0.02, "record": ld.Record(7, ("loss",))}
    whole = ld.simulate(starts(20, 4), ld.NoiseAugmentation(0.4), **run)
    monkeypatch.setattr(_cpu, "TABLE", 3)
    xr.testing.assert_identical(ld.simulate(starts(20, 4), ld.NoiseAugmentation(0.4), **run), whole)


def test_nothing_left_to_reduce_is_said():
    record = ld.Record(every=10, observables="loss", reduce="max")
    ds = ld.simulate([50.0, 50.0], ld.GradientDescent(), steps=20, learning_rate=1, record=record)
    assert ds.held.values.tolist() == [1, 0, 0]
    assert np.isnan(ds.loss.values).tolist() == [False, True, True]

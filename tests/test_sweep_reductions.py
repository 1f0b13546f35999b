"""Reductions in the store: what `simulate` returns, for ensembles in one piece and for those cut into slices."""

import numpy as np
import pytest
import xarray as xr

import linreg_dyn as ld
from linreg_dyn.sweep import merge, run, starts
from linreg_dyn.sweep.layout import Layout, Variable
from tests.sweeps import Stopped, again, cut, flip, planned, results, stopping_after, undisturbed

LEVELS, EDGES = (0.1, 0.5, 1.0), (0.0, 0.25, 1.0, 100.0)
STARTS = {"distribution": "normal", "std": 1.5}
SPEC = """
[run]
depth = 2
steps = 60
trajectories = 10_000
starts = {distribution = "normal", std = 1.5}
[grid]
learning_rate = [0.01, 0.1]
[record]
every = 20
observables = ["loss", "weights"]
reduce = REDUCE
final_weights = false
[store]
chunk_seconds = SECONDS
"""
MOMENTS = ["mean", "variance", "min", "max"]
HISTOGRAM = '{type = "Histogram", edges = [0, 0.25, 1, 100]}'
QUANTILES = '{type = "Quantiles", levels = [0.1, 0.5, 1]}'


def text(reduce=f"{MOMENTS}", seconds=1e-9):
    return SPEC.replace("REDUCE", reduce).replace("SECONDS", str(seconds))


def whole(lr, reduce, depth=2, **more):
    """The same ensemble in one piece."""
    record = ld.Record(every=20, observables=("loss", "weights"), reduce=reduce)
    initial = starts.draw(STARTS, depth, 0, 10_000, seed=0)
    return ld.simulate(initial, ld.GradientDescent(), **{"steps": 60, "learning_rate": lr, "record": record, **more})


def equal(found, wanted):
    return np.array_equal(found.values, wanted.values, equal_nan=True)


def test_quantiles_and_histograms_have_dimensions_of_their_own(tmp_path):
    run.run(planned(text(f'["max", {QUANTILES}, {HISTOGRAM}]', seconds=1)), tmp_path / "store.zarr")
    with xr.open_zarr(tmp_path / "store.zarr", chunks=None) as found:
        assert found["weights_quantiles"].dims == ("learning_rate", "step", "quantile", "layer")
        assert found["loss_histogram"].dims == ("learning_rate", "step", "bin")
        assert found["quantile"].values.tolist() == list(LEVELS)
        assert set(found["loss_histogram"].coords) >= {"bin", "bin_low", "bin_high", "step"}
        assert found["bin_low"].values.tolist() == [-np.inf, *EDGES]
        assert found["bin_high"].values.tolist() == [*EDGES, np.inf]
        for lr in (0.01, 0.1):
            alone = whole(lr, ("max", ld.Quantiles(LEVELS), ld.Histogram(EDGES)))
            for name in found.data_vars.keys() & alone.data_vars.keys():
                assert equal(found[name].sel(learning_rate=lr), alone[name]), name
        assert {"loss_max", "loss_quantiles", "weights_histogram", "held"} <= found.data_vars.keys()
        assert (found["loss_histogram"].sum("bin") == found["held"]).all()


def test_the_numbers_of_reductions_may_be_written_short(tmp_path):
    short = planned(text('[{type = "Histogram", edges = {linear = [0, 1], points = 5}}]'))
    assert short.sweep.record.reductions == (ld.Histogram((0, 0.25, 0.5, 0.75, 1)),)
    assert (
        short.sweep.document()
        == planned(text('{type = "Histogram", edges = [0, 0.25, 0.5, 0.75, 1]}')).sweep.document()
    )


def test_a_large_ensemble_is_cut_and_merged(tmp_path):
    """Sums of the same numbers in another order: off by some log2(n) ulps of the mean magnitude, a few at most."""
    ulps = 4 * np.log2(10_000) * 2.0**-52
    document = text(f"{[*MOMENTS]}".replace("]", f", {HISTOGRAM}]")).replace(
        "final_weights = false", "final_weights = true"
    )
    outcome = run.run(planned(document), tmp_path / "store.zarr")
    assert outcome.total == 2 * 3
    with xr.open_zarr(tmp_path / "store.zarr", chunks=None) as found:
        for lr in (0.01, 0.1):
            alone, point = whole(lr, (*MOMENTS, ld.Histogram(EDGES))), found.sel(learning_rate=lr)
            for name in alone.data_vars:
                if name.endswith(("mean", "variance")):
                    np.testing.assert_allclose(point[name], alone[name], rtol=ulps, atol=4 * ulps)
                else:
                    assert equal(point[name], alone[name]), name
            assert [point[name] for name in ("ok", "diverged", "stalled")] == np.bincount(
                alone.status, minlength=3
            ).tolist()
        assert (found["diverged"] > 0).any()
        assert found["held"].values[1, -1] < 10_000
    assert not list((tmp_path / "store.zarr" / ".sweep" / "parts").iterdir())


@pytest.mark.parametrize("seconds", [1e-9, 1])
def test_an_ensemble_that_diverges_says_how_many_are_left(seconds, tmp_path):
    """At the first rate half of the trajectories are lost at once, at the second soon all of them."""
    document = text(f'["mean", "variance", "max", {HISTOGRAM}]', seconds).replace("[0.01, 0.1]", "[0.3, 1e9]")
    run.run(planned(document), tmp_path / "store.zarr")
    with xr.open_zarr(tmp_path / "store.zarr", chunks=None) as found:
        for lr in (0.3, 1e9):
            point, alone = found.sel(learning_rate=lr), whole(lr, ("mean", "max"))
            assert equal(point["held"], alone["held"])
            assert equal(point["loss_max"], alone["loss_max"])
            lost = alone["diverged_step"].values
            assert point["diverged"] == np.sum(lost >= 0)
            assert point["first_diverged_step"] == lost[lost >= 0].min()
            assert [point["held"].sel(step=step) for step in alone.step] == [
                np.sum((lost < 0) | (lost > step)) for step in alone.step.values
            ]
            for name in ("loss_mean", "loss_variance", "loss_max"):
                assert np.array_equal(np.isnan(point[name]), point["held"] == 0)
            assert (point["loss_histogram"].sum("bin") == point["held"]).all()
        assert 0 < found["held"].values[0, -1] < 10_000
        assert found["held"].values[1].tolist() == [10_000, 0, 0, 0]
        assert found["ok"].values[1] == 0


def test_slices_of_different_depth_and_length_share_a_store(tmp_path):
    document = text(f'["mean", "min", {HISTOGRAM}]').replace("depth = 2\nsteps = 60\n", "learning_rate = 0.01\n")
    document = document.replace("learning_rate = [0.01, 0.1]", "depth = [1, 2]\nsteps = [20, 60]")
    run.run(planned(document), tmp_path / "store.zarr")
    with xr.open_zarr(tmp_path / "store.zarr", chunks=None) as found:
        assert found["step"].values.tolist() == [0, 20, 40, 60]
        for depth in (1, 2):
            for steps in (20, 60):
                point = found.sel(depth=depth, steps=steps)
                alone = whole(0.01, ("mean", "min", ld.Histogram(EDGES)), depth=depth, steps=steps)
                own = point.sel(step=alone.step, layer=alone.layer)
                assert equal(own["weights_min"], alone["weights_min"])
                assert equal(own["weights_histogram"], alone["weights_histogram"])
                assert np.isnan(point["weights_mean"]).sum() == 8 - alone["weights_mean"].size
                assert (point["held"].sel(step=slice(steps + 1, None)) == 0).all()
                assert point["weights_histogram"].sum() == alone["weights_histogram"].sum()


def test_slices_that_wait_for_others_survive_an_interruption(tmp_path):
    document = text('["mean"]')
    expected = undisturbed(document, tmp_path / "undisturbed.zarr")
    path = tmp_path / "store.zarr"
    with pytest.raises(Stopped):
        run.run(planned(document), path, stopping_after(2))
    parts = sorted((path / ".sweep" / "parts").iterdir())
    assert len(parts) == 2
    flip(parts[0])
    outcome = again(document, path)
    assert (outcome.found, outcome.computed, outcome.damaged) == (1, 5, 1)
    assert results(path) == expected
    cut(path / "loss_mean" / "c" / "1" / "0")  # the slices are gone, so all of this point is computed again
    assert again(document, path).computed == 3
    assert results(path) == expected


def moments(values):
    held = np.array([len(values)])
    if not len(values):
        return {"held": held, **{f"x_{name}": np.array([np.nan]) for name in MOMENTS}}
    found = {"mean": values.mean(), "variance": values.var(), "min": values.min(), "max": values.max()}
    return {"held": held, **{f"x_{name}": np.array([value]) for name, value in found.items()}}


@pytest.mark.parametrize("cuts", [(10,), (0, 3, 3), (25, 50, 75), (0, 100)])
def test_merged_slices_have_the_moments_of_the_whole(cuts):
    how = {"held": "sum", **{f"x_{name}": name for name in MOMENTS}}
    layout = Layout(
        {}, {}, (), {name: Variable(name, (), "float64", 0, {}, merge_by) for name, merge_by in how.items()}
    )
    values = 1e6 + np.random.default_rng(1).normal(size=100)  # a mean that would cancel naive sums of squares
    parts = [merge.unpack(merge.pack(moments(part))) for part in np.split(values, cuts)]
    found = merge.merged(layout, parts)
    wanted = moments(values)
    for name in ("held", "x_min", "x_max"):
        assert found[name] == wanted[name]
    # A mean of values near 1e6 is right to a few ulps of it; a variance near 1, to ulps of 1e6 times the spread.
    assert found["x_mean"] == pytest.approx(wanted["x_mean"], abs=4 * np.spacing(1e6))
    assert found["x_variance"] == pytest.approx(wanted["x_variance"], abs=100 * np.spacing(1e6))


def test_the_earliest_divergence_of_the_slices_is_that_of_the_whole():
    layout = Layout(
        {}, {}, (), {"first_diverged_step": Variable("first_diverged_step", (), "int64", -2, {}, "earliest")}
    )
    for steps in ([-1, -1], [-1, 7], [7, -1], [7, 5], [3, -1, 0]):
        parts = [{"first_diverged_step": np.array([step])} for step in steps]
        wanted = min((step for step in steps if step >= 0), default=-1)
        assert merge.merged(layout, parts)["first_diverged_step"] == wanted

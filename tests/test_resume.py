"""A run continued from its end is the uninterrupted run, bit by bit; anything else is refused by name."""

import numpy as np
import pytest
import xarray as xr

import linreg_dyn as ld
from tests.test_simulate import METHODS, simulate, starts


@pytest.mark.parametrize("name", ["scheduled", "nesterov", "augmentation", "gaussian", "mini-batch"])
def test_a_resumed_run_is_the_uninterrupted_one(name, tmp_path):
    """Through a file, from steps on and off the grid of records, and in several stages."""
    method, settings = METHODS[name]
    record = ld.Record(every=4, observables=("loss", "weights"), reduce=("mean", ld.Quantiles((0.5,))))
    run = {"seed": 5, "record": record, "first_trajectory": 11}
    whole = simulate(starts(100, 3), method, settings, **run, steps=29)
    for stops in ((13, 29), (8, 9, 29), (0, 29), (29, 29)):
        ds = None
        for stop in stops:
            ds = simulate(starts(100, 3), method, settings, **run, steps=stop, resume=ds)
            ds.to_netcdf(tmp_path / f"{stop}.nc", engine="h5netcdf")
            with xr.open_dataset(tmp_path / f"{stop}.nc", engine="h5netcdf") as file:
                ds = file.load()
        xr.testing.assert_identical(ds.drop_attrs(), whole.drop_attrs())
        assert ds.attrs == whole.attrs


def test_divergence_momentum_and_auto_l2_survive_the_interruption():
    initial = np.stack([np.linspace(0.5, 8, 90), np.linspace(1.5, 3, 90)], axis=1)
    run = {"learning_rate": 0.1, "momentum": 0.9, "weight_decay": ld.schedules.AutoL2(0.1, every=4, refractory=0.01)}
    run |= {"record": ld.Record(10)}
    whole = ld.simulate(initial, ld.SGDNoise(1.0), steps=90, **run)
    part = ld.simulate(initial, ld.SGDNoise(1.0), steps=41, **run)
    assert 0 < (part.status == 1).sum() < (whole.status == 1).sum() < 90
    assert len(np.unique(whole.auto_l2_state.sel(auto_l2="l2"))) > 1
    resumed = ld.simulate(initial, ld.SGDNoise(1.0), steps=90, **run, resume=part)
    xr.testing.assert_identical(resumed, whole)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(
    "more",
    [
        {"learning_rate": np.linspace(0.01, 0.05, 40), "weight_decay": np.linspace(0, 0.2, 40), "momentum": 0.9},
        {"learning_rate": ld.schedules.Adaptive(0.1), "momentum": 0.8, "nesterov": True, "weight_decay": 0.01},
        {"learning_rate": 0.05, "weight_decay": ld.schedules.AutoL2(0.5, every=3, factor=2, refractory=1.0)},
    ],
)
def test_rates_of_their_own_inertia_and_auto_l2_resume_in_either_precision(more, dtype):
    """From a step that is no multiple of anything, in a fresh dataset without and with records of all kinds."""
    run = {"seed": 3, "dtype": dtype, "backend": "cpu", "first_trajectory": 2**32 - 20, **more}
    for record in (None, ld.Record(7, ("loss", "weights"), ("mean", "max"))):
        whole = ld.simulate(starts(40, 3), ld.NoiseAugmentation(0.3), steps=31, record=record, **run)
        part = ld.simulate(starts(40, 3), ld.NoiseAugmentation(0.3), steps=13, record=record, **run)
        resumed = ld.simulate(starts(40, 3), ld.NoiseAugmentation(0.3), steps=31, record=record, **run, resume=part)
        xr.testing.assert_identical(resumed, whole)
        for name in ("learning_rate", "weight_decay"):
            assert (name in resumed.coords) == isinstance(more.get(name), np.ndarray)
        assert (part.final_weights != whole.final_weights).any()


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"resume": "run.nc"}, TypeError, "resume must be a dataset that simulate returned, got str"),
        ({"resume": xr.Dataset()}, TypeError, "resume must be a dataset that simulate returned"),
        ({"steps": 3}, ValueError, "steps must be at least the 5 of resume, got 3"),
        ({"seed": 1}, ValueError, "resume must be of the same run: seed was 0, is 1"),
        ({"learning_rate": 0.2}, ValueError, "resume must be of the same run: learning_rate was 0.1, is 0.2"),
        ({"record": ld.Record(2)}, ValueError, "resume must be of the same run: record was None"),
        ({"momentum": 0.5}, ValueError, "resume must be of the same run: momentum"),
        ({"dtype": "float32"}, ValueError, "resume must be of the same dtype: it was float64, is float32"),
        ({"starts": [1.0, 2.5]}, ValueError, "resume must be of the same run: starts"),
    ],
)
def test_what_is_not_the_same_run_is_refused(change, error, message):
    run = {"starts": [1.0, 2.0], "method": ld.GradientDescent(), "learning_rate": 0.1, "steps": 5}
    before = ld.simulate(**run)
    with pytest.raises(error, match=message) as caught:
        ld.simulate(**({"resume": before} | run | {"steps": 9} | change))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "change",
    [
        lambda ds: ds.isel(trajectory=slice(2, 4)),
        lambda ds: ds.isel(trajectory=slice(None, None, -1)),
        lambda ds: ds.drop_vars("trajectory"),
    ],
)
def test_a_part_of_a_run_in_another_order_is_refused(change):
    run = {"learning_rate": 0.1, "record": ld.Record(1), "first_trajectory": 3}
    before = ld.simulate(starts(5, 2), ld.SGDNoise(0.1), steps=4, **run)
    with pytest.raises(ValueError, match="resume must hold the trajectories 3 to 7 in order"):
        ld.simulate(starts(5, 2), ld.SGDNoise(0.1), steps=9, **run, resume=change(before))


def test_dimensions_of_a_resumed_dataset_may_come_in_any_order():
    run = {"learning_rate": 0.1, "momentum": 0.5, "weight_decay": ld.schedules.AutoL2(0.1, every=2)}
    run |= {"record": ld.Record(2, ("loss", "weights"))}
    before = ld.simulate(starts(5, 2), ld.SGDNoise(0.1), steps=4, **run)
    ours, theirs = (
        ld.simulate(starts(5, 2), ld.SGDNoise(0.1), steps=9, **run, resume=ds)
        for ds in (before.transpose("layer", "trajectory", ...), before)
    )
    xr.testing.assert_identical(ours, theirs)

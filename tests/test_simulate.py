"""`simulate` against a naive loop in plain Python, and what it promises besides."""

import json

import numpy as np
import pytest
import xarray as xr

import linreg_dyn as ld
from linreg_dyn import observables
from linreg_dyn.ensemble import _kernels, provenance
from linreg_dyn.ensemble.plan import MOST_LAYERS
from tests import naive
from tests.samples import normalized

SEED = 2**40 + 12345  # both words of the key matter


DATA = ld.NormalizedData(*normalized(7, seed=5))


def starts(trajectories, depth, seed=0):
    rng = np.random.default_rng(seed)
    return rng.uniform(0.7, 1.3, (trajectories, depth)) * rng.choice([-1, 1], (trajectories, 1))


ADAPTIVE = ld.schedules.Adaptive(0.1)
FALLING = ld.schedules.Exponential(0.02, factor=0.97, every=2)
WINDOW = ld.schedules.Window(0.3, start=3, stop=9)
METHODS = {
    "gd": (ld.GradientDescent(), {"rate": 0.01}),
    "decay": (ld.GradientDescent(), {"rate": 0.01, "decay": 0.02}),
    "scheduled": (ld.GradientDescent(), {"rate": FALLING, "decay": ld.schedules.Window(0.1, stop=5)}),
    "adaptive": (ld.GradientDescent(), {"rate": ADAPTIVE, "decay": 0.02}),
    "momentum": (ld.GradientDescent(), {"rate": 0.01, "momentum": 0.9}),
    "nesterov": (ld.GradientDescent(), {"rate": ADAPTIVE, "decay": 0.02, "momentum": 0.8, "nesterov": True}),
    "augmentation": (ld.NoiseAugmentation(0.4), {"rate": ADAPTIVE, "decay": 0.02}),
    "window of noise": (ld.NoiseAugmentation(WINDOW), {"rate": 0.01}),
    "rademacher": (ld.SGDNoise(0.3, "rademacher"), {"rate": 0.01}),
    "gaussian": (ld.SGDNoise(0.3, ld.TruncatedGaussian(2.5)), {"rate": 0.01, "momentum": 0.5}),
    "table": (ld.NoiseAugmentation(0.3, ld.Table((-1.0, 0.25, 0.5))), {"rate": 0.01}),
    "mini-batch": (ld.MiniBatch(DATA, 3), {"rate": 0.01, "decay": 0.02}),
}


def simulate(initial, method, settings, **more):
    """`ld.simulate` with the settings of `naive.run`."""
    names = {"rate": "learning_rate", "decay": "weight_decay"}
    return ld.simulate(initial, method, backend="cpu", **{names.get(k, k): v for k, v in settings.items()}, **more)


# Every method once; each way to move a layer at depths of one, of pairs alone, in registers, and in cache.
CASES = [
    *((name, 3, "float64") for name in METHODS),
    *((name, depth, "float64") for name in ("decay", "nesterov") for depth in (1, 2, 8, 17)),
    *((name, 3, "float32") for name in ("scheduled", "adaptive", "nesterov", "gaussian", "mini-batch")),
    ("augmentation", 17, "float32"),
]


@pytest.mark.parametrize(("name", "depth", "dtype"), CASES)
def test_bitwise_a_naive_loop(name, depth, dtype):
    """The same operations in the same order: every recorded weight equal to the last bit."""
    method, settings = METHODS[name]
    initial, origin = starts(3, depth), 2**32 - 2  # both words of the trajectory matter
    record = ld.Record(every=1, observables=("weights", "loss", "layer_imbalance", "inverse_square_sum"))
    run = {"steps": 13, "seed": SEED}
    ds = simulate(initial, method, settings, **run, first_trajectory=origin, record=record, dtype=dtype)
    for trajectory in range(3):
        path = naive.run(initial[trajectory], method, **run, **settings, trajectory=origin + trajectory, dtype=dtype)
        np.testing.assert_array_equal(ds.weights.values[:, trajectory], path)
        np.testing.assert_array_equal(ds.final_weights.values[trajectory], path[-1])
        for observable in ("loss", "layer_imbalance", "inverse_square_sum"):
            expected = [getattr(observables, observable)([float(x) for x in w]) for w in path]
            np.testing.assert_array_equal(ds[observable].values[:, trajectory], expected)
    assert ds.final_weights.dtype == dtype


def test_the_naive_loop_would_notice_another_rule():
    method, settings = METHODS["decay"]
    ds = simulate(starts(1, 4), method, settings, steps=13)
    for wrong in ({"decay": 0.02 * (1 + 2.0**-40)}, {"rate": 0.01 * (1 + 2.0**-40)}, {"momentum": 2.0**-30}):
        path = naive.run(starts(1, 4)[0], method, steps=13, **(settings | wrong))
        assert not np.array_equal(ds.final_weights.values[0], path[-1])


@pytest.mark.parametrize("name", ["decay", "adaptive", "nesterov"])
def test_every_trajectory_may_have_a_rate_and_a_decay_of_its_own(name):
    method, settings = METHODS[name]
    initial = starts(70, 4)
    decays = np.linspace(0, 0.3, 70)
    change = {"decay": decays} if name != "decay" else {"decay": decays, "rate": np.linspace(0.01, 0.1, 70)}
    ds = simulate(initial, method, settings | change, steps=9)
    for k in (0, 33, 69):
        one = settings | {key: float(values[k]) for key, values in change.items()}
        np.testing.assert_array_equal(ds.final_weights[k], naive.run(initial[k], method, steps=9, **one)[-1])


def test_rates_and_decays_of_their_own_are_coordinates(tmp_path):
    """Those given for each trajectory, and no others; they are the dataset's own, and a file keeps them."""
    given = {"learning_rate": np.linspace(0.01, 0.1, 5), "weight_decay": np.linspace(0, 0.2, 5)}
    usual: dict = {"learning_rate": 0.1, "weight_decay": ld.schedules.AutoL2(0.1)}
    for names in (["learning_rate"], ["weight_decay"], ["learning_rate", "weight_decay"], []):
        ds = ld.simulate(starts(5, 2), ld.SGDNoise(0.1), steps=3, **usual | {name: given[name] for name in names})
        assert sorted(set(ds.coords) - {"layer", "trajectory", "auto_l2"}) == names
        for name in names:
            assert ds[name].dims == ("trajectory",)
            assert ds[name].dtype == np.float64
            np.testing.assert_array_equal(ds[name], given[name])
            assert not np.shares_memory(ds[name].values, given[name])
            assert (ds[name].attrs["units"], name.replace("_", " ") in ds[name].attrs["long_name"]) == ("1", True)
        ds.to_netcdf(tmp_path / "run.nc", engine="h5netcdf")
        with xr.open_dataset(tmp_path / "run.nc", engine="h5netcdf") as file:
            assert set(file.coords) == set(ds.coords)


def test_auto_l2_is_followed_by_each_trajectory():
    """Against `AutoL2.update` and the naive loop, a stretch of constant decay at a time."""
    rule = ld.schedules.AutoL2(0.5, every=3, factor=2, refractory=1.0)
    initial = starts(40, 2)
    ds = ld.simulate(initial, ld.GradientDescent(), steps=60, learning_rate=0.05, weight_decay=rule, backend="cpu")
    decayed = 0
    for k in range(0, 40, 13):
        w, state = initial[k], rule.start()
        for step in range(0, 60, 3):
            w = naive.run(w, ld.GradientDescent(), 3, 0.05, rule.weight_decay(state[0]))[-1]
            state = rule.update(state, step + 3, observables.loss(list(w)))
        np.testing.assert_array_equal(ds.final_weights[k], w)
        np.testing.assert_array_equal(ds.auto_l2_state[:, k], state)
        decayed += state[0] < 0.5
    assert decayed


@pytest.mark.parametrize("method", [ld.NoiseAugmentation(0.4), ld.MiniBatch(DATA, 3)])
def test_bitwise_the_same_for_any_threads_blocks_and_records(method, monkeypatch):
    initial = starts(150, 4)
    run = {"steps": 37, "learning_rate": 0.02, "seed": SEED}
    once = ld.simulate(initial, method, threads=1, **run).final_weights.values
    record = ld.Record(every=5, observables="loss", reduce="mean")  # segments begin at odd steps too
    threaded = [ld.simulate(initial, method, threads=t, record=record, **run) for t in (1, 3)]
    np.testing.assert_array_equal(threaded[0].final_weights, once)
    xr.testing.assert_identical(threaded[0].drop_attrs(), threaded[1].drop_attrs())
    monkeypatch.setattr(_kernels, "shape_for", lambda depth, dtype, draws, heavy: _kernels.Shape(depth, dtype, 4, 1))
    np.testing.assert_array_equal(ld.simulate(initial, method, **run).final_weights, once)
    np.testing.assert_array_equal(once[149], naive.run(initial[149], method, 37, 0.02, seed=SEED, trajectory=149)[-1])
    other = ld.simulate(initial, method, **(run | {"seed": SEED + 1})).final_weights.values
    assert not (other == once).all(axis=1).any()


def test_trajectories_do_not_depend_on_their_neighbours():
    """The first ones of a larger ensemble are the smaller ensemble."""
    initial = starts(100, 4)
    run = {"steps": 20, "learning_rate": 0.02, "seed": 3}
    whole = ld.simulate(initial, ld.NoiseAugmentation(0.4), **run).final_weights.values
    np.testing.assert_array_equal(ld.simulate(initial[:5], ld.NoiseAugmentation(0.4), **run).final_weights, whole[:5])


def test_a_part_of_an_ensemble_draws_as_in_the_whole():
    initial = starts(100, 3)
    run = {"steps": 20, "learning_rate": 0.02, "seed": 3}
    for method in (ld.NoiseAugmentation(0.4), ld.MiniBatch(DATA, 2)):
        whole = ld.simulate(initial, method, **run).final_weights.values
        part = ld.simulate(initial[37:], method, **run, first_trajectory=37).final_weights.values
        np.testing.assert_array_equal(part, whole[37:])
        assert (ld.simulate(initial[37:], method, **run).final_weights.values != whole[37:]).all()


def test_parts_of_an_ensemble_join_to_the_whole():
    initial, method = starts(100, 3), ld.SGDNoise(0.1)
    run = {"steps": 3, "learning_rate": 0.02, "record": ld.Record()}
    whole = ld.simulate(initial, method, **run)
    parts = [ld.simulate(initial[a:b], method, **run, first_trajectory=a) for a, b in ((0, 37), (37, 100))]
    xr.testing.assert_identical(xr.concat(parts, "trajectory").drop_attrs(), whole.drop_attrs())
    last = ld.simulate(initial[:1], method, **run, first_trajectory=2**63 - 1)
    assert last.trajectory.item() == 2**63 - 1


@pytest.mark.parametrize("depth", [1, 4, 32, 200])
def test_blocks_keep_every_weight(depth):
    """Rows become lanes, and rows again; a step of a rate that is lost in rounding moves nothing."""
    for trajectories in (1, 8, 9, 64, 1000):
        initial = starts(trajectories, depth)
        record = ld.Record(observables=("weights", "largest_square"))
        run = {"steps": 2, "learning_rate": 1e-300, "record": record, "backend": "cpu"}
        for momentum in (0.0, 0.5):
            ds = ld.simulate(initial, ld.GradientDescent(), momentum=momentum, **run)
            for rows in (*ds.weights.values, ds.final_weights.values):
                np.testing.assert_array_equal(rows, initial)
            np.testing.assert_array_equal(ds.largest_square.values, np.tile((initial**2).max(axis=1), (3, 1)))


def test_the_deepest_net_is_as_a_naive_loop():
    """With all that a kernel keeps of it on the stack; compiled no longer than others."""
    initial = np.exp(np.random.default_rng(0).normal(0, 1e-3, (3, MOST_LAYERS)))
    run: dict = {"steps": 3, "weight_decay": 0.01, "momentum": 0.5, "nesterov": True}
    record = ld.Record(every=1, observables=("loss", "layer_imbalance"), reduce="mean")
    ds = ld.simulate(initial, ld.NoiseAugmentation(0.1), learning_rate=1e-5, record=record, threads=2, **run)
    path = naive.run(initial[2], ld.NoiseAugmentation(0.1), 3, 1e-5, 0.01, momentum=0.5, nesterov=True, trajectory=2)
    np.testing.assert_array_equal(ds.final_weights[2], path[-1])


def test_no_run_writes_into_the_starts_or_into_an_earlier_result():
    initial = starts(64, 4)
    kept, run = initial.copy(), {"learning_rate": 0.1, "momentum": 0.5, "backend": "cpu"}
    first = ld.simulate(initial, ld.GradientDescent(), steps=3, **run)
    before = first.copy(deep=True)
    more = ld.simulate(initial, ld.GradientDescent(), steps=6, resume=first, **run)
    np.testing.assert_array_equal(initial, kept)
    xr.testing.assert_identical(first, before)
    assert (more.final_weights != first.final_weights).any()


def test_full_batch_is_gradient_descent_up_to_rounding():
    """m2 and m1 of all samples are 1 up to the rounding of the data; each step may add as much again."""
    initial = starts(4, 4)
    full = ld.simulate(initial, ld.MiniBatch(DATA, 7), steps=50, learning_rate=0.01)
    plain = ld.simulate(initial, ld.GradientDescent(), steps=50, learning_rate=0.01)
    one = ld.simulate(initial, ld.MiniBatch(DATA, 6), steps=50, learning_rate=0.01)
    assert np.abs(full.final_weights - plain.final_weights).max() <= 50 * 32 * 2.0**-52
    assert np.abs(one.final_weights - plain.final_weights).max() > 1e-3


def test_divergence_is_noted_and_keeps_the_last_finite_weights():
    initial = np.vstack([starts(70, 3), [[30.0, 30.0, 30.0]], [[1e60, 1e60, 1e60]]])
    ds = ld.simulate(initial, ld.GradientDescent(), steps=50, learning_rate=0.05)
    assert ds.status.attrs["flag_meanings"] == "ok diverged stalled"
    assert ds.status.attrs["flag_values"].tolist() == [0, 1, 2]
    assert ds.status.values.tolist() == [0] * 70 + [1, 1]
    assert ds.diverged_step.values.tolist()[:70] == [-1] * 70
    with np.errstate(over="ignore", invalid="ignore"):
        path = naive.run(initial[70], ld.GradientDescent(), 50, 0.05)
        fine = np.abs(path.prod(axis=1)) <= 2.0**200
    when = int(np.argmin(fine))
    assert ds.diverged_step.values[70] == when
    np.testing.assert_array_equal(ds.final_weights[70], path[when - 1])
    assert ds.diverged_step.values[71] == 0  # beyond the range before the first step
    np.testing.assert_array_equal(ds.final_weights[71], initial[71])
    assert ds.diverged_step.values[70] > 1
    calm = ld.simulate(initial[:70], ld.GradientDescent(), steps=50, learning_rate=0.05)
    np.testing.assert_array_equal(ds.final_weights[:70], calm.final_weights)


@pytest.mark.parametrize(
    ("momentum", "rate", "dtype"), [(0.0, 0.4, "float64"), (0.9, 0.1, "float64"), (0.9, 0.1, "float32")]
)
def test_divergence_at_any_step_is_found_at_that_step(momentum, rate, dtype):
    """Noise drives some trajectories away at once, some late, each when the naive loop says; the others stay."""
    initial = np.stack([np.linspace(0.5, 8, 90), np.linspace(1.5, 3, 90)], axis=1)
    method, run = ld.SGDNoise(1.0), {"steps": 180, "momentum": momentum, "dtype": dtype}
    ds = ld.simulate(initial, method, learning_rate=rate, **run)
    limit = {"float64": 2.0**200, "float32": 2.0**40}[dtype]
    for k in range(0, 90, 3):
        with np.errstate(all="ignore"):
            path = naive.run(initial[k], method, rate=rate, trajectory=k, **run)
            fine = np.abs(path[:, 0] * path[:, 1]) <= limit
        when = -1 if fine.all() else int(np.argmin(fine))
        assert ds.diverged_step.values[k] == when
        assert ds.status.values[k] == (when >= 0)
        np.testing.assert_array_equal(ds.final_weights[k], path[when - 1 if when > 0 else -1])
    assert len(set(ds.diverged_step.values.tolist())) > 5
    assert ds.diverged_step.max() > _kernels.CHECK
    assert ds.status.min() == 0


def test_netcdf_round_trip_and_provenance(tmp_path):
    method = ld.MiniBatch(DATA, 2)
    record = ld.Record(every=2, observables=("loss", "weights"))
    ds = ld.simulate(starts(3, 2), method, steps=5, learning_rate=ADAPTIVE, record=record, seed=9)
    ds.to_netcdf(tmp_path / "run.nc", engine="h5netcdf")
    with xr.open_dataset(tmp_path / "run.nc", engine="h5netcdf") as back:
        xr.testing.assert_identical(back.load(), ds)
    spec = json.loads(ds.attrs["spec"])
    assert spec["method"]["type"] == "MiniBatch"
    assert spec["method"]["batch_size"] == 2
    assert spec["method"]["data"]["samples"] == 7
    assert spec["learning_rate"] == {"type": "Adaptive", "c": 0.1}
    assert spec["starts"]["shape"] == [3, 2]
    assert spec["starts"]["sha256"] == provenance.digest(starts(3, 2))
    assert spec["record"]["observables"] == ["loss", "weights"]
    assert (spec["steps"], spec["seed"], ds.attrs["seed"]) == (5, 9, "9")
    for name in ("version", "commit", "backend", "dtype", "numpy_version", "numba_version"):
        assert isinstance(ds.attrs[name], str)
    for variable in ds.variables.values():
        assert "long_name" in variable.attrs


def test_dtypes_may_be_numpys_own():
    for dtype in ("float32", np.float32, np.dtype("float32")):
        ds = ld.simulate([1.0, 2.0], ld.GradientDescent(), steps=1, learning_rate=0.1, dtype=dtype)
        assert (ds.final_weights.dtype, ds.attrs["dtype"]) == (np.float32, "float32")


def test_one_trajectory_and_no_steps():
    ds = ld.simulate([1.0, 2.0, 0.5], ld.GradientDescent(), steps=0, learning_rate=0.1)
    assert dict(ds.sizes) == {"trajectory": 1, "layer": 3}
    np.testing.assert_array_equal(ds.final_weights, [[1.0, 2.0, 0.5]])
    assert ds.layer.values.tolist() == [1, 2, 3]

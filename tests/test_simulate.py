"""`simulate` against a naive loop in plain Python, and what it promises besides."""

import json
import math

import numpy as np
import pytest
import xarray as xr

import linreg_dyn as ld
from linreg_dyn import noise, observables, rules
from linreg_dyn.ensemble import _cpu, discrete, provenance

SEED = 2**40 + 12345  # both words of the key matter
K0, K1 = SEED % 2**32, SEED // 2**32


def data(samples=7):
    rng = np.random.default_rng(5)
    x, y = rng.normal(size=(2, samples))
    x, y = x - x.mean(), y - y.mean()
    x /= np.sqrt((x * x).mean())
    return x, y / (x * y).mean()


DATA = ld.NormalizedData(*data())


def starts(trajectories, depth, seed=0):
    rng = np.random.default_rng(seed)
    return rng.uniform(0.7, 1.3, (trajectories, depth)) * rng.choice([-1, 1], (trajectories, 1))


def unit_noise(trajectory, step, distribution):
    """The scheme of `noise`'s docstring, written again: half a block for each of two steps."""
    block = noise.philox(step // 2, 0, trajectory % 2**32, trajectory // 2**32, K0, K1)
    low, high = block[2:] if step % 2 else block[:2]
    if distribution == "rademacher":
        return 1.0 if high >= 2**31 else -1.0
    return ((high * 2**20 + low // 2**12) - 2**51 + 0.5) / 2**51


def batch(trajectory, step, samples, size):
    """The places of a mini-batch, by removing them one by one from a list, four words to a block."""
    left, chosen, draw = list(range(samples)), [], 0
    while len(chosen) < size:
        block = noise.philox(step, 1 + draw // 4, trajectory % 2**32, trajectory // 2**32, K0, K1)
        product = block[draw % 4] * len(left)
        draw += 1
        if product % 2**32 >= 2**32 % len(left):
            place = product // 2**32
            chosen.append(left[place])
            left[place] = left[0]  # the first takes the hole: the swap of Fisher and Yates
            left.pop(0)
    return chosen


def residual(method, W, trajectory, step):
    if isinstance(method, ld.NoiseAugmentation):
        return rules.noise_augmentation(W, method.half_width * unit_noise(trajectory, step, method.distribution))
    if isinstance(method, ld.SGDNoise):
        return rules.sgd_noise(W, method.half_width * unit_noise(trajectory, step, method.distribution))
    if isinstance(method, ld.MiniBatch):
        places = batch(trajectory, step, len(method.data), method.batch_size)
        m2 = m1 = 0.0
        for place in places:
            m2 += method.data.x[place] * method.data.x[place]
            m1 += method.data.x[place] * method.data.y[place]
        return rules.mini_batch(W, m2 / len(places), m1 / len(places))
    return rules.gradient_descent(W)


def naive(start, method, steps, schedule, decay, trajectory):
    """The weights after 0, 1, ..., steps steps."""
    path = [[float(w) for w in start]]
    for step in range(steps):
        w = path[-1]
        g = residual(method, rules.end_to_end(w), trajectory, step)
        path.append(rules.step(w, g, schedule.rate(w), decay))
    return np.array(path)


CONSTANT, ADAPTIVE = ld.schedules.Constant(0.01), ld.schedules.Adaptive(0.1)
METHODS = [
    (ld.GradientDescent(), CONSTANT),
    (ld.GradientDescent(), ADAPTIVE),
    (ld.NoiseAugmentation(0.4), ADAPTIVE),
    (ld.SGDNoise(0.3, "rademacher"), CONSTANT),
    (ld.MiniBatch(DATA, 3), CONSTANT),
]


@pytest.mark.parametrize("depth", [1, 2, 4, 7, 32])
@pytest.mark.parametrize(("method", "schedule"), METHODS)
def test_bitwise_a_naive_loop(method, schedule, depth):
    """The same operations in the same order: every recorded weight equal to the last bit."""
    initial = starts(3, depth)
    record = ld.Record(every=1, observables=("weights", "loss", "layer_imbalance", "inverse_square_sum"))
    ds = ld.simulate(initial, method, steps=13, learning_rate=schedule, weight_decay=0.02, record=record, seed=SEED)
    for trajectory in range(3):
        path = naive(initial[trajectory], method, 13, schedule, 0.02, trajectory)
        np.testing.assert_array_equal(ds.weights.values[:, trajectory], path)
        np.testing.assert_array_equal(ds.final_weights.values[trajectory], path[-1])
        for name in ("loss", "layer_imbalance", "inverse_square_sum"):
            expected = [getattr(observables, name)(list(w)) for w in path]
            np.testing.assert_array_equal(ds[name].values[:, trajectory], expected)
    if schedule is CONSTANT:  # and the loop would notice another rule
        wrong = naive(initial[0], method, 13, CONSTANT, 0.02 * (1 + 2.0**-40), 0)
        assert not np.array_equal(ds.final_weights.values[0], wrong[-1])


@pytest.mark.parametrize("method", [ld.NoiseAugmentation(0.4), ld.MiniBatch(DATA, 3)])
def test_bitwise_the_same_for_any_threads_blocks_and_records(method, monkeypatch):
    initial = starts(150, 4)
    run = {"steps": 37, "learning_rate": 0.02, "seed": SEED}
    once = ld.simulate(initial, method, threads=1, **run).final_weights.values
    record = ld.Record(every=5, observables="loss", reduce="mean")  # segments begin at odd steps too
    threaded = [ld.simulate(initial, method, threads=t, record=record, **run) for t in (1, 3)]
    np.testing.assert_array_equal(threaded[0].final_weights, once)
    xr.testing.assert_identical(threaded[0].drop_attrs(), threaded[1].drop_attrs())
    monkeypatch.setattr(_cpu, "lanes_for", lambda depth, trajectories: 8)
    np.testing.assert_array_equal(ld.simulate(initial, method, **run).final_weights, once)
    np.testing.assert_array_equal(once[149], naive(initial[149], method, 37, ld.schedules.Constant(0.02), 0, 149)[-1])
    other = ld.simulate(initial, method, **(run | {"seed": SEED + 1})).final_weights.values
    assert not (other == once).all(axis=1).any()


def test_trajectories_do_not_depend_on_their_neighbours():
    """The first ones of a larger ensemble are the smaller ensemble."""
    initial = starts(100, 4)
    run = {"steps": 20, "learning_rate": 0.02, "seed": 3}
    whole = ld.simulate(initial, ld.NoiseAugmentation(0.4), **run).final_weights.values
    np.testing.assert_array_equal(ld.simulate(initial[:5], ld.NoiseAugmentation(0.4), **run).final_weights, whole[:5])


@pytest.mark.parametrize("depth", [1, 4, 32, 64, 200])
def test_blocks_fit_the_cache_and_waste_little(depth):
    for trajectories in (1, 8, 9, 64, 10_000):
        lanes = _cpu.lanes_for(depth, trajectories)
        assert lanes in (8, 16, 32, 64)
        assert lanes == 8 or (24 * depth * lanes <= 32768 and lanes < 2 * trajectories)
        state = _cpu.pack(starts(trajectories, depth), lanes)
        np.testing.assert_array_equal(_cpu.unpack(state, trajectories), starts(trajectories, depth))


def test_full_batch_is_gradient_descent_up_to_rounding():
    """m2 and m1 of all samples are 1 up to the rounding of the data; each step may add as much again."""
    initial = starts(4, 4)
    full = ld.simulate(initial, ld.MiniBatch(data(), 7), steps=50, learning_rate=0.01)
    plain = ld.simulate(initial, ld.GradientDescent(), steps=50, learning_rate=0.01)
    one = ld.simulate(initial, ld.MiniBatch(data(), 6), steps=50, learning_rate=0.01)
    assert np.abs(full.final_weights - plain.final_weights).max() <= 50 * 32 * 2.0**-52
    assert np.abs(one.final_weights - plain.final_weights).max() > 1e-3


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
        np.testing.assert_array_equal(ds.end_to_end[-1], ds.final_weights.prod("layer"))


def test_reductions_are_those_of_the_trajectories_still_there():
    """One trajectory diverges between two records; from then on it is held by nothing, and nothing is NaN."""
    initial = np.array([[1.0, 1.2], [40.0, 40.0], [0.8, 0.9]])
    run = {"steps": 12, "learning_rate": 0.05}
    names = ("loss", "weights")
    every = ld.simulate(initial, ld.GradientDescent(), record=ld.Record(4, names), **run)
    assert every.status.values.tolist() == [0, 1, 0]
    gone = every.step >= every.diverged_step[1]
    assert 0 < gone.sum() < len(gone)
    np.testing.assert_array_equal(np.isnan(every.loss[:, 1]), gone)
    assert np.isfinite(every.loss[:, [0, 2]]).all()
    for reduce, function in [("mean", np.mean), ("variance", np.var), ("min", np.min), ("max", np.max)]:
        reduced = ld.simulate(initial, ld.GradientDescent(), record=ld.Record(4, names, reduce), **run)
        assert reduced.held.values.tolist() == [2 if lost else 3 for lost in gone]
        assert reduced.weights.dims == ("step", "layer")
        for k, lost in enumerate(gone):
            kept = every.isel(step=k, trajectory=[0, 2] if lost else [0, 1, 2])
            assert reduced.loss.values[k] == function(kept.loss.values)
            np.testing.assert_array_equal(reduced.weights[k], function(kept.weights.values, axis=0))


def test_divergence_is_noted_and_keeps_the_last_finite_weights():
    initial = np.vstack([starts(70, 3), [[30.0, 30.0, 30.0]], [[1e60, 1e60, 1e60]]])
    ds = ld.simulate(initial, ld.GradientDescent(), steps=50, learning_rate=0.05)
    assert ds.status.attrs["flag_meanings"] == "ok diverged stalled"
    assert ds.status.attrs["flag_values"].tolist() == [0, 1, 2]
    assert ds.status.values.tolist() == [0] * 70 + [1, 1]
    assert ds.diverged_step.values.tolist()[:70] == [-1] * 70
    with np.errstate(over="ignore", invalid="ignore"):
        path = naive(initial[70], ld.GradientDescent(), 50, ld.schedules.Constant(0.05), 0, 70)
        fine = np.abs(path.prod(axis=1)) <= 2.0**200
    when = int(np.argmin(fine))
    assert ds.diverged_step.values[70] == when
    np.testing.assert_array_equal(ds.final_weights[70], path[when - 1])
    assert ds.diverged_step.values[71] == 0  # beyond the range before the first step
    np.testing.assert_array_equal(ds.final_weights[71], initial[71])
    calm = ld.simulate(initial[:70], ld.GradientDescent(), steps=50, learning_rate=0.05)
    np.testing.assert_array_equal(ds.final_weights[:70], calm.final_weights)


def test_a_reduction_is_infinite_only_where_the_observable_is():
    record = ld.Record(every=1, observables=("inverse_square_sum", "loss"), reduce="mean")
    ds = ld.simulate([[0.0, 1.0], [1.0, 1.0]], ld.GradientDescent(), steps=1, learning_rate=0.1, record=record)
    assert ds.inverse_square_sum.values[0] == math.inf
    assert np.isfinite(ds.inverse_square_sum.values[1])
    assert ds.held.values.tolist() == [2, 2]


def test_a_long_run_in_pieces_is_the_same(monkeypatch):
    run = {"steps": 50, "learning_rate": 0.02, "record": ld.Record(7, ("loss",))}
    whole = ld.simulate(starts(20, 4), ld.NoiseAugmentation(0.4), **run)
    monkeypatch.setattr(discrete, "PIECE", 3 * 4 * 32)
    xr.testing.assert_identical(ld.simulate(starts(20, 4), ld.NoiseAugmentation(0.4), **run), whole)


def test_nothing_left_to_reduce_is_said():
    record = ld.Record(every=10, observables="loss", reduce="max")
    ds = ld.simulate([50.0, 50.0], ld.GradientDescent(), steps=20, learning_rate=1, record=record)
    assert ds.held.values.tolist() == [1, 0, 0]
    assert np.isnan(ds.loss.values).tolist() == [False, True, True]


def test_a_zero_weight_stalls_the_adaptive_rate_only():
    initial = [[0.0, 2.0], [0.5, 2.0], [0.0, 0.0], [1e200, 1e-200]]
    ds = ld.simulate(initial, ld.GradientDescent(), steps=5, learning_rate=ADAPTIVE, weight_decay=0.1)
    assert ds.status.values.tolist() == [2, 0, 2, 2]
    np.testing.assert_array_equal(ds.final_weights[[0, 2, 3]], np.array(initial)[[0, 2, 3]])
    ds = ld.simulate(initial, ld.GradientDescent(), steps=5, learning_rate=0.1)
    assert ds.status.values.tolist() == [0, 0, 0, 0]
    assert (ds.final_weights[0] != initial[0]).all()


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


def test_one_trajectory_and_no_steps():
    ds = ld.simulate([1.0, 2.0, 0.5], ld.GradientDescent(), steps=0, learning_rate=0.1)
    assert dict(ds.sizes) == {"trajectory": 1, "layer": 3}
    np.testing.assert_array_equal(ds.final_weights, [[1.0, 2.0, 0.5]])
    assert ds.layer.values.tolist() == [1, 2, 3]

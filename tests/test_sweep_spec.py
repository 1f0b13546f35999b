"""Specs of sweeps: what they mean, and the one line that refuses what they cannot mean."""

import copy
import tomllib

import numpy as np
import pytest

from linreg_dyn.cli import main
from linreg_dyn.sweep import axes, plan, spec, starts

GOOD = """
[run]
depth = 3
steps = 100
learning_rate = 0.1
trajectories = 10
starts = {distribution = "normal", std = 0.5}
[grid]
weight_decay = [0.0, 0.1]
"""


def parse(text):
    return spec.parse(tomllib.loads(text))


def test_ranges_written_short():
    assert axes.values_of("a", {"linear": [0, 1], "points": 5}) == (0.0, 0.25, 0.5, 0.75, 1.0)
    assert axes.values_of("a", {"log": [0.01, 100], "points": 5}) == pytest.approx((0.01, 0.1, 1, 10, 100), rel=1e-15)
    assert axes.values_of("a", {"range": [2, 8, 3]}) == (2, 5)
    assert axes.values_of("a", [1, "b", {"c": 2}]) == (1, "b", {"c": 2})


def test_the_axes_are_in_the_order_of_the_spec_and_reach_into_fields():
    sweep = parse(
        GOOD.replace("learning_rate = 0.1", 'learning_rate = {type = "Adaptive", c = 0.25}')
        + """learning_rate.c = [0.1, 0.2]
[zip.pair]
momentum = [0.0, 0.5, 0.9]
starts.std = [1, 2, 3]
"""
    )
    assert [axis.name for axis in sweep.axes] == ["weight_decay", "learning_rate_c", "pair"]
    assert sweep.shape == (2, 2, 3)
    found = sweep.settings_at((1, 0, 2))
    assert found["weight_decay"] == 0.1
    assert found["learning_rate"] == {"type": "Adaptive", "c": 0.1}
    assert found["momentum"] == 0.9
    assert found["starts"] == {"distribution": "normal", "std": 3}
    assert sweep.run["learning_rate"]["c"] == 0.25  # untouched


def test_a_spec_is_the_same_sweep_however_its_values_are_written():
    one = parse(GOOD)
    assert spec.identity(one) == spec.identity(parse(GOOD.replace("[0.0, 0.1]", "{linear = [0, 0.1], points = 2}")))
    assert spec.identity(one) == spec.identity(parse(GOOD.replace("[run]", "[run]\nmomentum = 0.0")))
    assert spec.identity(one) != spec.identity(parse(GOOD.replace("steps = 100", "steps = 101")))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            ("learning_rate", "learning_rte"),
            "run.learning_rte: there is no field 'learning_rte'; the closest is 'learning_rate'",
        ),
        (("[grid]", "[grids]"), "spec: there is no field 'grids'; the closest is 'grid'"),
        (("weight_decay = [0.0, 0.1]", ""), "grid: must be a table of fields"),
        (("[0.0, 0.1]", "[]"), "grid.weight_decay: must have from 1 to 1000000 values, got 0"),
        (("[0.0, 0.1]", "[0.1, 0.1]"), "grid.weight_decay: its values must differ"),
        (("[0.0, 0.1]", "[0.1, -0.1]"), "grid.weight_decay[1] must be a finite number >= 0, got -0.1"),
        (("[0.0, 0.1]", "[0.1, true]"), "grid.weight_decay[1] must be a finite number >= 0, got True"),
        (("[0.0, 0.1]", "{log = [0, 1], points = 3}"), "grid.weight_decay.log[0] must be a finite number > 0, got 0"),
        (("[0.0, 0.1]", "{log = [1, 2]}"), "grid.weight_decay: must be {log = [first, last], points = n}"),
        (("[0.0, 0.1]", "7"), "grid.weight_decay: must be a list, {linear"),
        (("= 0.1\n", "= -0.1\n"), "run.learning_rate must be a finite number > 0, got -0.1"),
        (("= 0.1\n", "= nan\n"), "run.learning_rate must be a finite number > 0, got nan"),
        (("= 0.1\n", '= {type = "Adaptve", c = 1}\n'), "run.learning_rate.type must be one of"),
        (
            ("= 0.1\n", '= {type = "Steps", values = [0.1, 0.2], milestones = [50], stop = 99}\n'),
            "run.learning_rate: the schedule has 99 steps, shorter than the run of 100",
        ),
        (
            ("= 0.1\n", '= {type = "Steps", values = [0.1, -0.2], milestones = [50]}\n'),
            "run.learning_rate: the least value of the schedule must be a finite number >= 0, got -0.2",
        ),
        (("= 0.1\n", '= {type = "Steps", value = [0.1]}\n'), "run.learning_rate.value is no field of Steps"),
        (("learning_rate = 0.1\n", ""), "run.learning_rate: missing; set it in [run], [grid] or [zip]"),
        (
            ("trajectories = 10", "trajectories = 4294967297"),
            "run.trajectories must be an integer from 1 to 4294967296",
        ),
        (("steps = 100", "steps = 4294967296"), "run.steps must be an integer from 0 to 4294967295"),
        (("std = 0.5", "std = -0.5"), "run.starts.std must be a finite number >= 0, got -0.5"),
        (("std = 0.5", "sdt = 0.5"), "run.starts: there is no field 'sdt'; the closest is 'std'"),
        (("std = 0.5", "spread = 0.5"), "run.starts.spread: normal starts have no such field"),
        (('"normal", std = 0.5', '"uniform", low = 2, high = 1'), "run.starts.low: must be less than high"),
        (('"normal", std = 0.5', '"constant", weights = [1, 2]'), "run.starts.weights: must be a list of depth = 3"),
        (("steps = 100", "steps = 100\nhalf_width = 0.1"), "run.half_width: no field of the method GradientDescent"),
        (("steps = 100", 'steps = 100\nmethod = "SGDNoise"'), "run.half_width: missing; SGDNoise needs it"),
        (("steps = 100", 'steps = 100\nmethod = "SGD"'), "run.method must be one of 'GradientDescent'"),
        (("steps = 100", "steps = 100\nnesterov = true"), "run.nesterov: needs a momentum > 0"),
        (("steps = 100", "steps = 100\nmomentum = 1.0"), "run.momentum: must be in [0, 1), got 1.0"),
        (("[grid]", "[grid]\nseed.x = [1]"), "grid.seed.x: seed has no fields of its own"),
        (("[grid]", "[grid]\ntrajectories = [1, 2]"), "grid.trajectories: trajectories is one for the whole sweep"),
        (("[grid]", "[record]\nevery = 0\n[grid]"), "record: every must be an integer from 1"),
        (("[grid]", "[record]\nevry = 1\n[grid]"), "record: there is no field 'evry'; the closest is 'every'"),
        (("[grid]", '[record]\nobservables = ["los"]\n[grid]'), "record: observables must be one of 'loss'"),
        (("[grid]", "[store]\nchunk_seconds = 0\n[grid]"), "store.chunk_seconds must be a finite number > 0, got 0"),
        (("[grid]", "[zip.a]\nseed = [1, 2]\nmomentum = [0.5]\n[grid]"), "zip.a: its fields must have the same number"),
        (("[grid]", "[zip.a]\nweight_decay = [1, 2]\n[grid]"), "zip.a: 'weight_decay' is already in grid.weight_decay"),
        (("[grid]", "[zip.step]\nseed = [1, 2]\n[grid]"), "zip.step: an axis cannot be called 'step'"),
        (
            ("[0.0, 0.1]", "{linear = [0, 1], points = 999999}\nseed = {range = [0, 9]}"),
            "grid: must have at most 1048576",
        ),
        (("[run]", '[run]\ndata = {file = "x.csv"}'), "run.data: only the method MiniBatch has data"),
        (('{distribution = "normal", std = 0.5}', '{file = "none.npz"}'), "run.starts.file: there is no file"),
    ],
)
def test_a_bad_spec_is_refused_with_the_field_and_what_is_allowed(change, message, tmp_path, capsys):
    path = tmp_path / "spec.toml"
    path.write_text(GOOD.replace(*change))
    assert path.read_text() != GOOD
    assert main(["sweep", str(path), "--out", str(tmp_path / "store.zarr"), "--workers", "0"]) == 2
    complained = capsys.readouterr().err
    assert message in complained
    assert complained.count("\n") == 1
    assert not (tmp_path / "store.zarr").exists()  # before any work


def test_the_spec_that_all_bad_ones_are_made_of_is_good(tmp_path, capsys):
    path = tmp_path / "spec.toml"
    path.write_text(GOOD)
    assert main(["sweep", str(path), "--out", str(tmp_path / "store.zarr"), "--dry-run"]) == 0
    said = capsys.readouterr().out
    assert "2 (2 weight_decay)" in said
    assert "10 at each point, 20 in all" in said
    assert not (tmp_path / "store.zarr").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [("[run", "is not TOML"), (None, "SPEC must be a TOML file"), ("run = 1", "run: must be a table")],
)
def test_what_is_no_spec_at_all_is_refused(content, message, tmp_path, capsys):
    path = tmp_path / "spec.toml"
    if content is not None:
        path.write_text(content)
    assert main(["sweep", str(path)]) == 2
    assert message in capsys.readouterr().err


def test_the_extra_is_asked_for_where_it_is_missing(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "zarr", None)
    path = tmp_path / "spec.toml"
    path.write_text(GOOD)
    assert main(["sweep", str(path)]) == 2
    assert "sweeps need zarr: pip install 'linreg-dyn[sweep]'" in capsys.readouterr().err


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


def test_starts_have_the_distribution_they_are_named_after():
    """Means over n draws lie within 5 standard errors."""
    n, depth = 40_000, 4
    W = starts.draw({"distribution": "near_minimum"}, depth, 0, n, seed=0).prod(axis=1)
    assert W.min() > 0.5
    assert W.max() < 1.5
    assert abs(W.mean() - 1) < 5 / np.sqrt(12 * n)
    normal = starts.draw({"distribution": "normal", "mean": 1.0, "std": 0.5}, depth, 0, n, seed=0)
    assert abs(normal.mean() - 1) < 5 * 0.5 / np.sqrt(n * depth)
    assert abs(normal.var() / 0.25 - 1) < 5 * np.sqrt(2 / (n * depth))
    log = np.log(starts.draw({"distribution": "log_normal", "median": 2.0, "spread": 0.3}, depth, 0, n, seed=0))
    assert abs(log.mean() - np.log(2)) < 5 * 0.3 / np.sqrt(n * depth)


def test_starts_from_a_file_decide_depth_and_number(tmp_path):
    weights = np.random.default_rng(0).normal(size=(7, 5))
    np.savez(tmp_path / "w.npz", starts=weights)
    document = tomllib.loads(GOOD.replace('{distribution = "normal", std = 0.5}', '{file = "w.npz"}'))
    for name in ("depth", "trajectories"):
        del document["run"][name]
    sweep = spec.parse(copy.deepcopy(document), folder=tmp_path)
    assert (sweep.run["depth"], sweep.trajectories) == (5, 7)
    assert np.array_equal(sweep.files[sweep.run["starts"]["sha256"]], weights)
    before = spec.identity(sweep)
    np.savez(tmp_path / "w.npz", starts=weights + 1)  # the same name, but not the same sweep
    assert spec.identity(spec.parse(copy.deepcopy(document), folder=tmp_path)) != before
    document["run"]["depth"] = 4
    with pytest.raises(ValueError, match=r"must be 5, as w\.npz has it, got 4"):
        spec.parse(document, folder=tmp_path)


def boxes(planned):
    return [(chunk.points, chunk.trajectories) for chunk in planned.chunks()]


def test_chunks_cover_every_trajectory_of_every_point_once():
    sweep = parse(
        GOOD.replace("trajectories = 10", "trajectories = 100_000").replace("steps = 100", "steps = 10_000")
        + "seed = {range = [0, 5]}\n[store]\nchunk_seconds = 0.4"
    )
    planned = plan.make(sweep)
    covered = np.zeros((*sweep.shape, sweep.trajectories), dtype=int)
    for points, cut in boxes(planned):
        covered[tuple(slice(*bounds) for bounds in (*points, cut))] += 1
    assert (covered == 1).all()
    assert len({chunk.name for chunk in planned.chunks()}) == len(boxes(planned)) > 10
    assert all(cut[0] % starts.DRAWN_TOGETHER == 0 for _, cut in boxes(planned))
    assert boxes(planned) == boxes(plan.make(sweep))


def test_small_points_share_a_chunk():
    planned = plan.make(parse(GOOD + "seed = {range = [0, 700]}"))
    assert planned.layout.box["weight_decay"] == 1
    assert 100 < planned.layout.box["seed"] <= 500
    assert len(boxes(planned)) == 4

"""Specs of sweeps: what they mean, and the one line that refuses what they cannot mean."""

import tomllib

import pytest

from linreg_dyn.cli import main
from linreg_dyn.sweep import axes, spec

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


REST = GOOD.partition("0.1\n")[2].partition("weight_decay")[0]


class Change(str):
    """A change of the spec with a hole."""

    def with_(self, text):
        place, _, change = self.partition(" -> ")
        return place, change.replace("...", text)


NOISE = Change('steps = 100 -> steps = 100\nmethod = "NoiseAugmentation"\n...')
RECORD = Change("[grid] -> [record]\nreduce = ...\n[grid]")


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
        (("[0.0, 0.1]", "{lin = [0, 0.01], points = 3}"), "grid.weight_decay: must be a list, {linear"),
        (("= 0.1\n", "= -0.1\n"), "run.learning_rate must be a finite number > 0, got -0.1"),
        (("= 0.1\n", "= nan\n"), "run.learning_rate must be a finite number > 0, got nan"),
        (("= 0.1\n", '= {type = "Adaptve", c = 1}\n'), "run.learning_rate.type must be one of"),
        (
            ("= 0.1\n", '= {type = "Steps", values = [0.1, 0.2], milestones = [50], stop = 99}\n'),
            "run.learning_rate must last for all 100 steps, got a schedule of 99",
        ),
        (
            ("= 0.1\n", '= {type = "Steps", values = [0.1, -0.2], milestones = [50]}\n'),
            "run.learning_rate must have values > 0, got limits -0.2 and 0.1",
        ),
        (("= 0.1\n", '= {type = "Steps", value = [0.1]}\n'), "run.learning_rate.value is no field of Steps"),
        (
            ("= 0.1\n", '= {type = "AutoL2"}\n'),
            "run.learning_rate must be a number or a schedule of time, got AutoL2()",
        ),
        (
            (f"0.1\n{REST}", f'{{type = "Adaptive", c = 1}}\n{REST}learning_rate.c = [0.5, -1]\n'),
            "grid.learning_rate.c[1]: learning_rate: c of Adaptive must be a finite number > 0, got -1",
        ),
        (("[grid]", "[grid]\nlearning_rate.c = [1, 2]"), "grid.learning_rate.c[0]: learning_rate is 0.1 in [run], not"),
        (
            ("[grid]", "[zip.a]\nweight_decay.l2 = [1, 2]\n[grid]"),
            "zip.a: 'weight_decay.l2' overlaps with 'weight_decay' in grid.weight_decay",
        ),
        (
            ("[0.0, 0.1]", '[0.1, {type = "Adaptive", c = 1}]'),
            "grid.weight_decay[1] must be a number or a schedule of time, got Adaptive(1.0)",
        ),
        (
            ("[0.0, 0.1]", '[0.1, {type = "Window", schedule = 0.1, outside = -1, stop = 9}]'),
            "grid.weight_decay[1] must have values >= 0, got limits -1 and 0.1",
        ),
        (
            ("[0.0, 0.1]", '[{type = "AutoL2", factor = 0.5}]'),
            "grid.weight_decay[0]: factor of AutoL2 must be a finite number > 1, got 0.5",
        ),
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
        (NOISE.with_("half_width = 1.5"), "run.half_width must have values up to 1, got limits 1.5 and 1.5"),
        (
            NOISE.with_('half_width = {type = "Steps", values = [0.1], stop = 9}'),
            "run.half_width must last for all 100 steps, got a schedule of 9",
        ),
        (
            NOISE.with_('half_width = {type = "Adaptive", c = 0.1}'),
            "run.half_width must be a number or a schedule of time, got Adaptive(0.1)",
        ),
        (NOISE.with_('half_width = 0.1\ndistribution = "normal"'), "run.distribution must be one of 'uniform', 'radem"),
        (
            NOISE.with_('half_width = 0.1\ndistribution = {type = "Gaussian"}'),
            "run.distribution.type must be one of 'TruncatedGaussian', 'Table', got 'Gaussian'",
        ),
        (
            NOISE.with_('half_width = 0.1\ndistribution = {type = "TruncatedGaussian", sigma = 2}'),
            "run.distribution: there is no field 'sigma'; the closest is 'sigmas'",
        ),
        (
            NOISE.with_('half_width = 0.1\ndistribution = {type = "TruncatedGaussian", sigmas = 9}'),
            "run.distribution: sigmas of TruncatedGaussian must be at most 5, got 9",
        ),
        (
            NOISE.with_('half_width = 0.1\ndistribution = {type = "Table"}'),
            "run.distribution.values: missing; Table needs it",
        ),
        (("steps = 100", "steps = [100, 200]"), "run.steps: must be one value for all points, got [100, 200]; write"),
        (
            ("steps = 100", 'steps = 100\nbackend = "tpu"'),
            "run.backend must be one of 'auto', 'cpu', 'cuda', got 'tpu'",
        ),
        (
            ("steps = 100", 'steps = 100\ndtype = "float16"'),
            "run.dtype must be one of 'float64', 'float32', got 'float",
        ),
        (("steps = 100", 'steps = 100\nmethod = "MiniBatch"\nbatch_size = 443'), "run.batch_size must be an integer"),
        (("steps = 100", 'steps = 100\nmethod = "SGD"'), "run.method must be one of 'GradientDescent'"),
        (("steps = 100", "steps = 100\nnesterov = true"), "run.nesterov: needs a momentum > 0"),
        (("steps = 100", "steps = 100\nmomentum = 1.0"), "run.momentum: must be in [0, 1), got 1.0"),
        (("[grid]", "[grid]\nseed.x = [1]"), "grid.seed.x: seed has no fields of its own"),
        (("[grid]", "[grid]\ntrajectories = [1, 2]"), "grid.trajectories: trajectories is one for the whole sweep"),
        (("[grid]", "[record]\nevery = 0\n[grid]"), "record: every must be an integer from 1"),
        (("[grid]", "[record]\nevry = 1\n[grid]"), "record: there is no field 'evry'; the closest is 'every'"),
        (("[grid]", '[record]\nobservables = ["los"]\n[grid]'), "record: observables must be one of 'loss'"),
        (
            RECORD.with_('["median"]'),
            "record.reduce[0] must be one of 'mean', 'variance', 'min', 'max', {type = \"Quan",
        ),
        (RECORD.with_("[]"), "record: reduce must be one or more different reductions, got ()"),
        (RECORD.with_('["mean", "mean"]'), "record: reduce must be one or more different reductions"),
        (
            RECORD.with_('{type = "Quantile"}'),
            "record.reduce[0].type must be one of 'Quantiles', 'Histogram', got 'Quan",
        ),
        (
            RECORD.with_('["mean", {type = "Quantiles", levels = [0.5, 0.1]}]'),
            "record.reduce[1]: levels of Quantiles must ascend within [0, 1]",
        ),
        (RECORD.with_('{type = "Histogram"}'), "record.reduce[0].edges: missing; Histogram needs it"),
        (RECORD.with_('{type = "Histogram", edges = [1]}'), "record.reduce[0]: edges of Histogram must be two or more"),
        (
            RECORD.with_('{type = "Histogram", edges = {log = [0, 1], points = 9}}'),
            "record.reduce[0].edges.log[0] must be a finite number > 0, got 0",
        ),
        (("[grid]", "[store]\nchunk_seconds = 0\n[grid]"), "store.chunk_seconds must be a finite number > 0, got 0"),
        (("[grid]", "[zip.a]\nseed = [1, 2]\nmomentum = [0.5]\n[grid]"), "zip.a: its fields must have the same number"),
        (("[grid]", "[zip.a]\nseed = [1, 2, 1]\nmomentum = [0, 0, 0.0]\n[grid]"), "zip.a: its values must differ"),
        (("[grid]", "[zip.a]\nweight_decay = [1, 2]\n[grid]"), "zip.a: 'weight_decay' is already in grid.weight_decay"),
        (("[grid]", "[zip.step]\nseed = [1, 2]\n[grid]"), "zip.step: an axis cannot be called 'step'"),
        (
            ("[0.0, 0.1]", "{linear = [0, 1], points = 999999}\nseed = {range = [0, 9]}"),
            "grid: must have at most 1048576",
        ),
        (("[run]", '[run]\ndata = {file = "x.csv"}'), "run.data: only the method MiniBatch has data"),
        (
            ("[run]", '[run]\nmethod = "MiniBatch"\nbatch_size = 2\ndata = {file = 3, x = "a", y = "b"}'),
            "run.data.file: must be a text, got 3",
        ),
        (("[0.0, 0.1]", "{linear = [0, 1e400], points = 3}"), "grid.weight_decay.linear[1] must be a finite number"),
        (
            ("[0.0, 0.1]", "{linear = [-1e308, 1e308], points = 3}"),
            "grid.weight_decay.linear: from -1e+308 to 1e+308 is further than float64 goes",
        ),
        *(
            (('"normal", std = 0.5', f'"constant", weights = {weights}'), f"run.starts.weights{said}")
            for weights, said in (
                ('["a", 1, 2]', "[0] must be a finite number, got 'a'"),
                ("[1, nan, 2]", "[1] must be a finite number, got nan"),
                ("[1, 2, true]", "[2] must be a finite number, got True"),
                ("[[1, 2], [3], 4]", "[0] must be a finite number, got [1, 2]"),
                ("2.0", ": must be a list of depth = 3 weights, got 2.0"),
            )
        ),
        *(
            (('"normal", std = 0.5', f'"{table}'), "are beyond the range of float64")
            for table in ('normal", std = 1e308', 'log_normal", spread = 1e5', 'uniform", low = -1e308, high = 1e308')
        ),
        (
            ('"normal", std = 0.5', '"near_minimum", spread = 1e4'),
            "run.starts: near_minimum starts with spread = 10000",
        ),
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
    ("options", "message"),
    [
        *(
            (("--scheduler", address), f"--scheduler must be an address such as tcp://host:8786, got '{address}': ")
            for address in ("nonsense", "foo://h:1", "tcp://h:x", "tcp://h:99999", "")
        ),
        (("--workers", "0", "--dashboard"), "--dashboard is of this machine's own cluster"),
        (("--scheduler", "tcp://h:1", "--dashboard"), "--dashboard is of this machine's own cluster"),
        (("--scheduler", "tcp://h:1", "--workers", "2"), "--workers is for this machine's own cluster"),
        (("--patience", "5"), "--patience is with --scheduler alone"),
        (("--scheduler", "tcp://h:1", "--patience", "-1"), "--patience must be a finite number >= 0"),
    ],
)
def test_options_that_cannot_be_meant_are_refused(options, message, tmp_path, capsys):
    path = tmp_path / "spec.toml"
    path.write_text(GOOD)
    assert main(["sweep", str(path), "--out", str(tmp_path / "store.zarr"), *options]) == 2
    complained = capsys.readouterr().err
    assert complained.startswith(f"linreg-dyn: error: {message}")
    assert complained.count("\n") == 1
    assert not (tmp_path / "store.zarr").exists()

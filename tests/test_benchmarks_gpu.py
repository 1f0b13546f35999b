"""The benchmark of a GPU, without one: what it needs to be imported, what it keeps, when it stops."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.benchmarks import aims, gpu, jax_nets, measure
from tests.benchmarks.cases import Case, Contender, Unavailable, starts, verify

ROOT = Path(__file__).parents[1]
SMALL = ["--depths", "2,4", "--trajectories", "1024", "--turns", "1"]


def test_a_missing_gpu_is_said_in_one_line(monkeypatch, capsys):
    def missing():
        raise RuntimeError("no CUDA device\nand a long story")

    monkeypatch.setattr(gpu, "device_name", missing)
    assert gpu.main([]) == 2
    assert capsys.readouterr().out == "benchmarks: no GPU to be used: no CUDA device\n"


def test_it_needs_no_library_but_those_of_arrays():
    """Neither those of certificates, files and sweeps, nor its competitors."""
    code = (
        "import sys\n"
        "class Missing:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.split('.')[0] in {'flint', 'h5netcdf', 'zarr', 'heyoka', 'jax', 'torch', 'latex2mathml'}:\n"
        "            raise ModuleNotFoundError(f'No module named {name!r}', name=name)\n"
        "sys.meta_path.insert(0, Missing())\n"
        "from tests.benchmarks import gpu\n"
        "sys.exit(gpu.main([]))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert "No module named" not in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert done.returncode == 2 or "written to" in done.stdout  # with a GPU it runs


@pytest.fixture
def on_the_cpu(monkeypatch):
    """A device that is this processor, with little to do."""
    monkeypatch.setattr(gpu, "BACKEND", "cpu")
    monkeypatch.setattr(gpu, "device_name", lambda: "Some Device 100")
    monkeypatch.setattr(gpu, "WORK", 1024 * 4 * 20)
    monkeypatch.setattr(jax_nets, "FORMS", {})
    monkeypatch.setattr(gpu.torch_nets, "FORMS", {})


def test_what_the_aims_need_comes_first_and_a_failing_part_takes_nothing_with_it(
    on_the_cpu, monkeypatch, tmp_path, capsys
):
    def broken(dtype, turns):
        raise MemoryError("the device is full")

    monkeypatch.setattr(gpu, "launch_floor", broken)
    target = tmp_path / "out.json"
    assert gpu.main([*SMALL, "--json", str(target)]) == 0
    content = json.loads(target.read_text())
    places = [(row["what"], row["depth"]) for row in content["rows"]]
    assert places == [("training", 4)] * 4 + [("floor", 4)] * 2 + [("training", 4)] * 4 + [("training", 2)] * 4
    floors = [row for row in content["rows"] if row["what"] == "floor"]
    assert floors[0]["not available"] == "MemoryError: the device is full"
    trained = [row["contenders"] for row in content["rows"] if row["what"] == "training"]
    assert all(cells[aims.MINE]["trajectory_steps_per_s"] > 0 for cells in trained)
    assert [("ours" in cells) for cells in trained] == [True] * 4 + [False] * 8
    met = {verdict["aim"]: verdict["met"] for verdict in content["aims"]}
    assert met["float64: trajectory-steps/s"] is False  # no processor of today
    assert met["512 trajectories x 1000 steps: seconds"] is None
    assert content["machine"]["gpu"] == "Some Device 100"
    assert "the device is full" in capsys.readouterr().out


def test_the_floor_is_of_the_steps_and_of_the_whole_call(on_the_cpu, monkeypatch):
    monkeypatch.setattr(gpu, "FLOOR_STEPS", 20)
    row = gpu.launch_floor("float64", 1)
    assert row["engine_s"] > 0
    assert row["whole_call_s"] > 0
    assert row["steps"] == 20


def test_the_steps_alone_are_those_of_the_rules_and_begin_anew_at_every_turn(on_the_cpu):
    for rule in gpu.RULES:
        assert 0 < verify(gpu.engine(), Case(rule, 4, "float64")) <= 1
    run = gpu.engine().prepare(Case("gd", 4, "float64"), starts(40, 4), 7)
    first = run().fetch()[0].copy()
    run.reset()
    assert (run().fetch()[0] == first).all()
    assert (run().fetch()[0] != first).any()


def test_the_aims_are_judged_by_the_first_row_about_them():
    def row(speed, dtype="float64", rule="gd"):
        cells = {} if speed is None else {aims.MINE: {"trajectory_steps_per_s": speed}}
        return {"what": "training", "rule": rule, "depth": 4, "dtype": dtype, "contenders": cells}

    rows = [row(9e11), row(2e12), row(1e12, rule="uniform"), row(4e12, "float32"), row(None, "float32", "uniform")]
    rows += [
        {"what": "floor", "dtype": dtype, "depth": 4, "engine_s": s} for dtype, s in (("float64", 2e-3), ("x", 1e-4))
    ]
    assert [(verdict.worst, verdict.met) for verdict in gpu.judge(rows)] == [
        (9e11, False),
        (1e12 / 9e11, True),
        (4e12, True),
        (None, None),
        (2e-3, False),
    ]
    failed = {"what": "training", "rule": "gd", "depth": 4, "dtype": "float64", "not available": "no memory"}
    assert gpu.judge([failed, row(1e12)])[0].met


def test_nothing_begins_when_the_time_is_up(on_the_cpu, tmp_path):
    target = tmp_path / "out.json"
    assert gpu.main([*SMALL, "--minutes", "0", "--json", str(target)]) == 0
    rows = json.loads(target.read_text())["rows"]
    assert len(rows) == 14
    assert {row["not available"] for row in rows} == {"no time was left for it"}
    late = gpu.in_time(Contender("late", lambda case, weights, steps: lambda: weights, np.asarray), -1.0)
    row = measure.training(Case("gd", 2, "float64"), [late], measure.Settings(8, 1), None)
    assert row["contenders"]["late"] == {"not available": "no time was left for it"}


def test_a_contender_in_time_is_prepared():
    made = gpu.in_time(Contender("c", lambda case, weights, steps: lambda: weights * steps, np.asarray), float("inf"))
    assert (made.prepare(Case("gd", 2, "float64"), starts(4, 2), 2)() == 2 * starts(4, 2)).all()
    with pytest.raises(Unavailable):
        gpu.in_time(made, -1.0).prepare(Case("gd", 2, "float64"), starts(4, 2), 2)


def test_deeper_nets_are_fewer_and_take_as_many_layer_steps():
    settings = measure.Settings(2**22)
    for depth in (2, 4, 8, 64):
        own = gpu.sized(depth, settings)
        assert own.trajectories * depth <= gpu.LAYERS
        assert own.trajectories * own.steps * depth == gpu.WORK

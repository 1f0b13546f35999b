"""What a sweep writes: the values of `simulate`, readable by xarray, whole or known not to be."""

import json
import subprocess
import sys

import numpy as np
import pytest
import xarray as xr

import linreg_dyn as ld
from linreg_dyn.cli import main
from linreg_dyn.commands import sweep as sweep_command
from linreg_dyn.sweep import run, starts, zarr_files
from linreg_dyn.sweep.store import opened
from tests.sweeps import (
    POINTS,
    ROOT,
    Stopped,
    again,
    completeness,
    cut,
    flip,
    planned,
    results,
    stopping_after,
    undisturbed,
    units,
)

STEPS = 400


@pytest.fixture
def store(small_sweep, tmp_path):
    path = tmp_path / "store.zarr"
    undisturbed(small_sweep, path)
    return path


def test_the_store_holds_what_simulate_returns(store):
    with xr.open_zarr(store, chunks=None) as opened_store:
        found = opened_store.load()
    assert found.sizes == {"learning_rate": POINTS // 2, "seed": 2, "step": 5, "trajectory": 512, "layer": 2}
    for lr in found.learning_rate.values:
        for seed in (1, 2):
            alone = ld.simulate(
                starts.draw({"distribution": "near_minimum"}, 2, 0, 512, seed=seed),
                ld.NoiseAugmentation(half_width=0.3),
                steps=STEPS,
                learning_rate=lr,
                record=ld.Record(every=100, observables=("loss",), reduce="mean"),
                seed=seed,
            )
            point = found.sel(learning_rate=lr, seed=seed)
            for name in ("final_weights", "status", "diverged_step", "held"):
                assert np.array_equal(point[name], alone[name], equal_nan=True), name
            assert np.array_equal(point["loss_mean"], alone["loss"], equal_nan=True)
            assert [point[name] for name in ("ok", "diverged", "stalled")] == np.bincount(
                alone.status, minlength=3
            ).tolist()
    lost = found["diverged_step"].where(found["diverged_step"] >= 0).min("trajectory")
    assert np.array_equal(lost.fillna(-1), found["first_diverged_step"])
    assert (found["first_diverged_step"] >= 0).any()
    assert (found["diverged"] == 0).any()


def test_it_says_where_it_comes_from(store, small_sweep):
    with xr.open_zarr(store, chunks=None) as found:
        assert found.attrs["completeness"] == "complete"
        assert found.attrs["version"]
        assert {"commit", "numpy_version", "numba_version"} <= found.attrs.keys()
        assert json.loads(found.attrs["spec"]) == planned(small_sweep).sweep.document()
        assert found["loss_mean"].attrs["cell_methods"] == "trajectory: mean"
    meta = json.loads((store / "zarr.json").read_text())
    assert meta["zarr_format"] == 3
    assert meta["consolidated_metadata"]["metadata"].keys() >= {"loss_mean", "learning_rate"}
    codec = json.loads((store / "loss_mean" / "zarr.json").read_text())["codecs"][0]
    assert codec["name"] == "sharding_indexed"


def test_all_versions_that_wrote_to_it_are_named(small_sweep, tmp_path, monkeypatch):
    path, same = tmp_path / "store.zarr", {"numpy_version": "2.0"}
    for version in ("A", "B", "A"):
        monkeypatch.setattr(zarr_files, "origin", lambda v=version: {"version": v, **same})
        with pytest.raises(Stopped):
            run.run(planned(small_sweep), path, stopping_after(2))
    monkeypatch.setattr(zarr_files, "origin", lambda: {"version": "C", **same})
    again(small_sweep, path)
    monkeypatch.setattr(zarr_files, "origin", lambda: {"version": "D"})
    again(small_sweep, path)  # which finds nothing to write
    found = json.loads((path / "zarr.json").read_text())["attributes"]
    assert (found["version"], found["numpy_version"]) == ("A + B + C", "2.0")


def test_a_finished_store_is_left_as_it_is(store, small_sweep):
    before = {path: path.stat().st_mtime_ns for path in store.rglob("*") if path.is_file() and path.name != "lock"}
    outcome = again(small_sweep, store)
    assert (outcome.found, outcome.computed, outcome.damaged) == (POINTS, 0, 0)
    assert before == {path: path.stat().st_mtime_ns for path in before}


@pytest.mark.parametrize("damage", [cut, flip, lambda path: path.unlink(), lambda path: path.write_bytes(b"")])
def test_a_damaged_shard_is_found_and_computed_anew_and_no_other(damage, store, small_sweep, undisturbed_store):
    damage(store / "loss_mean" / "c" / "3" / "1" / "0")
    damage(store / "final_weights" / "c" / "3" / "1" / "0" / "0")  # of the same chunk
    damage(store / "status" / "c" / "0" / "0" / "0")
    assert results(store) != undisturbed_store
    outcome = again(small_sweep, store)
    assert (outcome.found, outcome.computed, outcome.damaged) == (POINTS - 2, 2, 2)
    assert results(store) == undisturbed_store


def test_damaged_descriptions_and_coordinates_are_written_anew(store, small_sweep, undisturbed_store):
    cut(store / "zarr.json")
    flip(store / "loss_mean" / "zarr.json")
    (store / "learning_rate" / "c" / "0").unlink()
    assert again(small_sweep, store).computed == 0
    assert results(store) == undisturbed_store
    assert completeness(store) == "complete"


@pytest.mark.parametrize(
    "damage", [lambda path: path.write_bytes(path.read_bytes()[:-200]), lambda path: path.unlink()], ids=["cut", "gone"]
)
def test_what_the_ledger_does_not_say_is_computed_anew(damage, store, small_sweep, undisturbed_store):
    damage(store / ".sweep" / "ledger.jsonl")
    known = units(store)
    outcome = again(small_sweep, store)
    assert outcome.computed >= 1
    assert known - 1 <= outcome.found <= known  # the last line may be cut in its middle
    assert results(store) == undisturbed_store
    assert again(small_sweep, store).computed == 0


def test_an_unfinished_store_says_so_and_tells_what_is_missing(small_sweep, tmp_path, undisturbed_store):
    path = tmp_path / "store.zarr"
    with pytest.raises(Stopped):
        run.run(planned(small_sweep), path, stopping_after(5))
    with xr.open_zarr(path, chunks=None) as found:
        assert found.attrs["completeness"] == "unfinished"
        assert "run the same sweep again" in found.attrs["comment"]
        missing = found["ok"].values == -1
        assert missing.sum() == POINTS - 5
        assert np.array_equal(missing, (found["status"] == -1).all("trajectory"))
        assert np.array_equal(missing, np.isnan(found["final_weights"]).all(("trajectory", "layer")))
        assert (found["held"].values[missing] == -1).all()
    assert again(small_sweep, path).found == 5
    assert results(path) == undisturbed_store


def test_a_chunk_that_fails_is_named_and_the_others_are_kept(small_sweep, tmp_path, undisturbed_store):
    def engine(tasks):
        for k, (task, result) in enumerate(run.here(tasks)):
            yield task, MemoryError("too large") if k in (2, 7) else result

    path = tmp_path / "store.zarr"
    outcome = run.run(planned(small_sweep), path, engine)
    assert (outcome.computed, outcome.missing) == (POINTS - 2, 2)
    assert [str(error) for _, error in outcome.failures] == ["too large"] * 2
    assert completeness(path) == "unfinished"
    assert again(small_sweep, path).computed == 2
    assert results(path) == undisturbed_store


def test_a_failure_without_words_is_named_by_its_kind(small_sweep):
    outcome = run.Outcome(1, failures=[(planned(small_sweep).groups[0][0], MemoryError())])
    (line,) = [line for line in sweep_command._summary(outcome, "out") if line.startswith("FAILED")]
    assert line.endswith(": MemoryError")


def test_failures_without_end_stop_the_sweep(small_sweep, tmp_path):
    asked = []

    def engine(tasks):
        for task in tasks:
            asked.append(task)
            yield task, MemoryError("too large")

    outcome = run.run(planned(small_sweep), tmp_path / "store.zarr", engine)
    assert len(asked) == len(outcome.failures) == run.MOST_FAILURES < POINTS


def test_workers_of_another_version_are_refused(small_sweep, tmp_path):
    def engine(tasks):
        for task, result in run.here(tasks):
            yield task, run.Result(result.files, "0.0.1")

    with pytest.raises(ValueError, match=r"a worker has linreg-dyn 0\.0\.1"):
        run.run(planned(small_sweep), tmp_path / "store.zarr", engine)
    assert units(tmp_path / "store.zarr") == 0


def test_the_store_of_another_sweep_is_refused(store, small_sweep, tmp_path, capsys):
    path = tmp_path / "spec.toml"
    path.write_text(small_sweep.replace("half_width = 0.3", "half_width = 0.2"))
    assert main(["sweep", str(path), "--out", str(store), "--workers", "0"]) == 2
    complained = capsys.readouterr().err
    assert "is the store of another sweep (run.half_width is 0.3 there and 0.2 here)" in complained
    assert complained.count("\n") == 1
    path.write_text(small_sweep)
    assert main(["sweep", str(path), "--out", str(store), "--workers", "0", "--no-resume"]) == 2
    assert "leave out --no-resume" in capsys.readouterr().err
    assert main(["sweep", str(path), "--out", str(store), "--workers", "0"]) == 0
    assert f"{POINTS} found, 0 computed" in capsys.readouterr().out


def test_what_is_no_store_is_refused_and_left_alone(small_sweep, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("precious")
    (tmp_path / "file").write_text("precious")
    for name in ("mine", "file"):
        with pytest.raises(ValueError, match="is not the store of a sweep; give another --out"):
            run.run(planned(small_sweep), tmp_path / name)
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["thesis.tex"]
    assert (tmp_path / "file").read_text() == "precious"


def test_a_store_has_one_writer(store):
    identity = (store / ".sweep" / "spec.json").read_text()
    refused = pytest.raises(ValueError, match="another sweep is writing to")
    with opened(store, identity), refused, opened(store, identity):
        pass
    with pytest.raises(ValueError, match="another sweep \\("), opened(store, "{}"):  # the lock is free again
        pass


def test_distributed_is_not_imported_before_it_is_asked_for():
    code = (
        "import sys\nfrom linreg_dyn import cli\ncli.build_parser()\nfrom linreg_dyn.sweep import run\n"
        "assert not {'dask', 'distributed', 'zarr'} & sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, timeout=60)


RAGGED = """
[run]
trajectories = 6
learning_rate = 0.05
starts = {distribution = "near_minimum"}
[grid]
depth = [1, 3]
steps = [10, 25]
[record]
every = 10
observables = ["weights", "loss"]
"""


def test_points_of_different_depth_and_length_share_a_store(tmp_path):
    run.run(planned(RAGGED), tmp_path / "store.zarr")
    with xr.open_zarr(tmp_path / "store.zarr", chunks=None) as found:
        assert found["step"].values.tolist() == [0, 10, 20, 25]
        for depth in (1, 3):
            for steps in (10, 25):
                weights = found["weights"].sel(depth=depth, steps=steps)
                asked = (found["layer"] <= depth) & ((found["step"] <= steps) & ((steps == 25) | (found["step"] <= 10)))
                assert np.array_equal(
                    ~np.isnan(weights), np.broadcast_to(asked.transpose("step", "layer").values[:, None], weights.shape)
                )
                last = weights.sel(step=steps).values
                assert np.array_equal(last, found["final_weights"].sel(depth=depth, steps=steps), equal_nan=True)


def test_shards_of_fill_values_are_files_too():
    planned_sweep = planned(RAGGED)
    values = {"diverged": np.full(tuple(planned_sweep.layout.sizes[n] for n in ("depth", "steps")), -1)}
    assert zarr_files.encode(planned_sweep.layout, values, ((0, 2), (0, 2), (0, 6))).keys() == {"diverged/c/0/0"}

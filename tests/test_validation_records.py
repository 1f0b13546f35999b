"""Records: what they say, and what is found of what was changed in them."""

import json

import numpy as np
import pytest

from tests.toy_experiments import WITHIN, experiment, near
from validation import queue, records
from validation.core import Measured


def test_a_record_says_what_was_run_and_how_it_came_out(context, where):
    spec = experiment(near(-1), rate=0.1).spec("quick")
    record = records.read(queue.run(spec, context, **where))
    assert record["spec"] == spec.to_json()
    assert record["metrics"] == {"slope": [-1.01, -1.0, -0.99]}
    ((prediction, judgement),) = records.judgements(record)
    assert (prediction, judgement.verdict) == (WITHIN, "agrees")
    assert record["judgements"][0]["verdict"] == "agrees"
    assert record["device"]["kind"] == "cpu"
    assert {"python", "torch", "numpy"} <= record["versions"].keys()
    lines = [arrays["line"] for arrays in records.arrays(record, where["folder"])]
    np.testing.assert_array_equal(lines, [[0, -1.01, -2.02], [0, -1, -2], [0, -0.99, -1.98]])
    assert not list(where["work"].iterdir())


def test_a_spec_never_runs_twice(context, where):
    calls = []

    def measure(values, seed, context):
        calls.append(seed)
        return Measured({"slope": -1.0})

    spec = experiment(measure).spec("quick")
    first = queue.run(spec, context, **where)
    written = first.read_bytes()
    assert queue.run(spec, context, **where) == first
    assert first.read_bytes() == written
    assert calls == [0, 1, 2]


def test_what_cannot_be_judged_leaves_no_file(where):
    spec = experiment(near(-1)).spec("quick")
    with pytest.raises(KeyError, match="slope"):
        records.write(spec, [Measured({"slop": -1.0})] * 3, seconds=1.0, device={}, folder=where["folder"])
    assert not list(where["folder"].glob("*"))


def change(record, *keys, value):
    *path, last = keys
    for key in path:
        record = record[key]
    record[last] = value


@pytest.mark.parametrize(
    ("keys", "value"),
    [
        (("metrics", "slope", 0), -0.5),
        (("judgements", 0, "verdict"), "disagrees"),
        (("spec", "predictions", 0, "high"), 3.0),
        (("device", "name"), "a faster one"),
        (("digest",), "0" * 64),
        (("format",), "another"),
    ],
)
def test_a_record_changed_by_hand_is_found(context, where, keys, value):
    path = queue.run(experiment(near(-1)).spec("quick"), context, **where)
    record = json.loads(path.read_text())
    change(record, *keys, value=value)
    path.write_text(json.dumps(record))
    with pytest.raises(records.Damaged, match=path.name):
        records.read(path)
    assert records.read_all(where["folder"])[0] == []


@pytest.mark.parametrize(
    ("keys", "value"), [(("metrics", "slope", 0), -0.5), (("judgements", 0, "verdict"), "disagrees")]
)
def test_verdicts_that_do_not_follow_are_found_though_the_digest_was_made_again(context, where, keys, value):
    path = queue.run(experiment(near(-1)).spec("quick"), context, **where)
    record = json.loads(path.read_text())
    change(record, *keys, value=value)
    record["digest"] = records._digest(record)
    path.write_text(json.dumps(record))
    with pytest.raises(records.Damaged, match="do not follow from its numbers"):
        records.read(path)


def test_arrays_that_are_not_those_of_the_record_are_found(context, where):
    path = queue.run(experiment(near(-1)).spec("quick"), context, **where)
    arrays = path.with_suffix(".npz")
    arrays.write_bytes(arrays.read_bytes()[:-1] + b"?")
    with pytest.raises(records.Damaged, match="its bytes are not those"):
        records.read(path)


@pytest.mark.parametrize(("tool", "version"), [("echo 580.159.04", "580.159.04"), ("exit 9", None), (None, None)])
def test_a_record_has_the_version_of_the_driver(tool, version, tmp_path, monkeypatch):
    if tool:
        (tmp_path / "nvidia-smi").write_text(f"#!/bin/sh\n{tool}\n")
        (tmp_path / "nvidia-smi").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert records._driver() == version

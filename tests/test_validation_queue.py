"""The queue: what comes next, what is kept of what was not finished, and how long it takes."""

import time
from dataclasses import replace

import numpy as np
import pytest

from tests.toy_experiments import WITHIN, experiment, near
from validation import queue, records, trainings
from validation.context import Context, OutOfTime
from validation.core import Experiment, Measured, Setting


def test_an_interrupted_run_goes_on_where_it_was(context, where):
    calls = []

    def measure(values, seed, context):
        part = context.once("training", lambda: calls.append(("training", seed)) or {"loss": np.ones(2)})
        if seed == 1 and ("stopped", 1) not in calls:
            calls.append(("stopped", 1))
            raise KeyboardInterrupt
        return Measured({"slope": -float(part["loss"][0])})

    spec = experiment(measure).spec("quick")
    with pytest.raises(KeyboardInterrupt):
        queue.run(spec, context, **where)
    record = records.read(queue.run(spec, context, **where))
    assert [seed for what, seed in calls if what == "training"] == [0, 1, 2]
    assert record["metrics"]["slope"] == [-1.0] * 3


@pytest.mark.parametrize("other", ["describe_device", "versions", "_source"])
def test_a_record_is_of_one_device_and_one_code(other, context, where, monkeypatch):
    """What was begun elsewhere is not taken for this: seeds, parts and checkpoints; and what is here goes on."""
    made, said, stop = [], [], [1, 1, None]

    def measure(values, seed, context):
        assert not context.checkpoint("training").exists()
        found = context.once("training", lambda: made.append((len(stop), seed)) or {"x": 1.0})
        if stop[0] == seed:
            context.checkpoint("training").write_bytes(b"weights")
            del stop[0]
            raise KeyboardInterrupt
        return Measured({"slope": -float(found["x"])})

    spec = experiment(measure).spec("quick")
    context = replace(context, say=said.append)
    with pytest.raises(KeyboardInterrupt):
        queue.run(spec, context, **where)
    with monkeypatch.context() as patched:
        owner, now = (trainings, "b" * 64) if other == "_source" else (records, {"kind": "other", "name": "other"})
        patched.setattr(owner, other, lambda *_: now)
        assert not any("begun anew" in line for line in said)
        with pytest.raises(KeyboardInterrupt):
            queue.run(spec, context, **where)
        assert sum("begun anew" in line for line in said) == 1
        for path in where["work"].rglob("*.checkpoint"):
            path.unlink()
    assert made == [(3, 0), (3, 1), (2, 0), (2, 1)]
    queue.run(spec, context, **where)
    assert made[4:] == [(1, 2)]
    assert sum("begun anew" in line for line in said) == 1
    assert not list(where["work"].iterdir())


def test_a_record_that_is_there_is_said_to_be_returned_unrun(context, where):
    said, spec = [], experiment(near(-1)).spec("quick")
    context = replace(context, say=said.append)
    path = queue.run(spec, context, **where)
    assert not any("is not run again" in line for line in said)
    assert queue.run(spec, context, **where) == path
    assert said[-1] == f"{spec.name}: it has a record, and is not run again"


def test_a_killed_run_has_taken_its_time(context, where, monkeypatch):
    """Nothing is written as it ends, but when a part began."""
    clock = iter(range(0, 10_000, 100))
    monkeypatch.setattr(queue.time, "monotonic", lambda: float(next(clock)))
    spent = []

    def measure(values, seed, context):
        for k in range(3):
            context.once(f"part-{k}", lambda: {"x": 1.0})
            spent.append(queue._spent(next(where["work"].glob("*/*"))))
        return Measured({"slope": -1.0})

    path = queue.run(experiment(measure, seeds=1).spec("quick"), context, **where)
    assert spent == [200, 300, 400]  # the first at 0, then the seed and its parts
    assert records.read(path)["seconds"] == 500


def test_a_damaged_part_is_made_again(tmp_path):
    said = []
    context = Context(tmp_path, say=said.append)
    context.once("part", lambda: {"x": 1.0})
    (tmp_path / "part.npz").write_bytes(b"PK rubbish")
    assert context.once("part", lambda: {"x": 2.0})["x"] == 2.0
    assert "damaged" in said[1]


def test_the_queue_takes_the_most_important_first_and_stops_in_time(context, where):
    order = []

    def measure(values, seed, context):
        if seed == 0:
            order.append(values["name"])
        return Measured({"slope": -1.0})

    specs = [
        experiment(measure, id=f"toy.{name}", priority=p, name=name).spec("quick")
        for name, p in zip("abc", (3, 1, 2), strict=True)
    ]
    written, left = queue.run_next(specs, context, minutes=1, **where)
    assert order == ["b", "c", "a"]
    assert len(written) == 3
    assert not left
    assert queue.run_next(specs, context, minutes=1, **where) == ([], [])
    assert queue.run_next([experiment(measure, name="d").spec("quick")], context, minutes=1e-9, **where)[1]
    assert order == ["b", "c", "a"]


def test_the_queue_prefers_what_fits(context, where):
    order = []

    def measure(values, seed, context):
        order.append(values["name"])
        return Measured({"slope": -1.0})

    long = experiment(measure, id="toy.long", priority=1, minutes=500, seeds=1, name="long").spec("quick")
    short = experiment(measure, id="toy.short", priority=2, minutes=1, seeds=1, name="short").spec("quick")
    queue.run_next([long, short], context, minutes=10, **where)
    assert order == ["short", "long"]


@pytest.mark.parametrize(
    ("needs", "begun", "left", "chosen"),
    [
        ([20, 5, 1], [0, 0, 0], 8, 0),  # no call would hold it: it takes several
        ([20, 5, 1], [1, 0, 0], 8, 0),
        ([81, 5, 1], [1, 0, 0], 8, 1),  # more than ten
        ([81, 5, 7], [1, 0, 0], 4, 0),
        ([20, 5, 1], [0, 0, 0], 4, 0),
        ([5, 20, 1], [0, 0, 0], 4, 1),  # the first has all of the next call
        ([5, 7, 1], [0, 0, 0], 4, 2),
        ([5, 7, 6], [0, 0, 0], 4, 0),
        ([20, 5, 1], [0, 0, 1], 8, 2),  # what is nearly done is done first
        ([5, 3, 20], [0, 0, 1], 4, 1),  # but not what is not
        ([5, 6, 7], [0, 1, 0], 4, 0),
    ],
)
def test_what_comes_next(needs, begun, left, chosen):
    """Of specs in the order of what is at stake, in a call of 8."""
    assert queue.choose(needs, begun, left, 8) == chosen


def test_nothing_waits_for_what_has_less_at_stake(context, where, monkeypatch):
    """Calls of 8 minutes, of which parts of one minute each use every one; most takes longer than a call."""
    clock, done = [0.0], []
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])

    def minute():
        clock[0] += 60
        return {"x": 1.0}

    def measure(values, seed, context):
        for k in range(values["length"]):
            context.once(f"part-{k}", minute)
        return Measured({"slope": -1.0})

    lengths = {"a": 20, "b": 6, "c": 1, "d": 30, "e": 3}
    specs = [
        experiment(measure, id=f"toy.{name}", priority=k, minutes=x, seeds=1, length=x).spec("quick")
        for k, (name, x) in enumerate(lengths.items())
    ]
    for call in range(8):
        assert clock[0] == 480 * call
        written, left = queue.run_next(specs, context, minutes=8, **where)
        done.extend((path.name[4], call) for path in written)
    # a; c, as b would not fit into what is left of the third call; b in all of the fourth; the rest; d; e
    assert done == [("a", 2), ("c", 2), ("b", 3), ("d", 7), ("e", 7)]
    assert not left
    assert clock[0] == 60 * sum(lengths.values())
    for spec in specs:
        assert records.read(where["folder"] / f"{spec.name}.json")["seconds"] == 60 * spec.setting.values["length"]


def test_the_deadline_ends_a_run_between_its_parts(context, where, monkeypatch):
    """By a clock that parts alone move, a second each."""
    now = 1000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)

    def part():
        nonlocal now
        now += 1
        return {"x": 1.0}

    def measure(values, seed, context):
        for k in range(100):
            context.once(f"part-{k}", part)
        return Measured({"slope": -1.0})

    spec = experiment(measure, seeds=1).spec("quick")
    assert queue.run_next([spec], context, minutes=0.5, **where) == ([], [spec])
    assert len(list(where["work"].glob("*/*/0/part-*.npz"))) == 30
    with pytest.raises(OutOfTime):
        queue.run(spec, replace(context, deadline=now), **where)
    record = records.read(queue.run(spec, context, **where))
    assert now == 1100
    assert record["seconds"] == 100  # all sessions together


def test_an_experiment_that_fails_leaves_the_others(context, where):
    def fail(values, seed, context):
        raise RuntimeError("broken")

    specs = [experiment(fail, id="toy.bad", priority=0).spec("quick"), experiment(near(-1)).spec("quick")]
    told = []
    written, left = queue.run_next(specs, context, minutes=1, on_error=lambda s, e: told.append(str(e)), **where)
    assert len(written) == 1
    assert told == ["broken"]
    assert left == specs[:1]
    with pytest.raises(RuntimeError):
        queue.run_next(specs, context, minutes=1, **where)


def test_estimates_learn_from_records_and_from_how_guesses_turned_out(context, where):
    a, b = (experiment(near(-1), id=f"toy.{name}", minutes=10).spec("quick") for name in "ab")
    estimates = queue.Estimates([], "cpu")
    assert estimates.of(a) == 600
    estimates.learn(a, 150.0)
    assert estimates.of(a) == 150
    assert estimates.of(b) == pytest.approx(300)  # a quarter, pulled halfway towards the guess
    assert [estimates.of(a, spent) for spent in (50.0, 149.0, 9e9)] == [100, 15, 15]
    record = records.read(queue.run(a, context, **where)) | {"seconds": 150.0}
    assert queue.Estimates([record], "cpu").of(a) == 150
    assert queue.Estimates([record], "cpu").of(b) == 600  # what has a record is no spec any more
    assert queue.Estimates([record], "cpu", [a, b]).of(b) == pytest.approx(300)
    assert queue.Estimates([record], "cuda", [a, b]).of(a) == 600


def test_an_experiment_says_how_long_it_takes(context, where):
    setting = Setting({"steps": 6}, (WITHIN,), 2, minutes=None)
    with pytest.raises(ValueError, match=r"guess of toy\.one must be there"):
        Experiment("toy.one", "A toy", "nobody", "", {"quick": setting}, near(-1))
    told = Experiment("toy.one", "A toy", "nobody", "", {"quick": setting}, near(-1), guess=lambda v: v["steps"] / 2)
    assert told.spec("quick").minutes == 6
    assert queue.Estimates([], "cpu").of(told.spec("quick")) == 360
    assert experiment(near(-1), minutes=7).spec("quick").minutes == 7

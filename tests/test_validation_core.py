"""Specs, verdicts, records and the queue, on experiments that take no time."""

import json
import math
import time
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from validation import queue, records, trainings
from validation.context import Context, OutOfTime
from validation.core import Experiment, Measured, Prediction, Setting
from validation.statistics import mean_interval, slope_interval

WITHIN = Prediction("slope", "the slope is -1", low=-1.1, high=-0.9)


def experiment(measure, *, id="toy.one", predictions=(WITHIN,), seeds=3, priority=1, minutes=1.0, **values):
    setting = Setting(values, predictions, seeds, differs="it is no network", minutes=minutes)
    return Experiment(id, "A toy", "nobody, nowhere", "It holds.", {"quick": setting}, measure, priority)


def near(centre):
    """An experiment's measure: the slope of each seed is a little off the centre, and its line has this slope."""

    def measure(values, seed, context):
        slope = centre + 0.01 * (seed - 1)
        return Measured({"slope": slope}, {"line": np.arange(3) * slope})

    return measure


@pytest.fixture
def context(tmp_path):
    return Context(tmp_path / "unused")


@pytest.fixture
def where(tmp_path):
    return {"folder": tmp_path / "records", "work": tmp_path / "work"}


def test_intervals_are_those_of_scipy():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=9), rng.normal(size=9)
    expected = stats.ttest_1samp(x, 0).confidence_interval(0.9)
    got = mean_interval(x)
    assert (got.low, got.high) == pytest.approx((expected.low, expected.high), rel=1e-12)
    fit = stats.linregress(x, y)
    got = slope_interval(x, y, 0.95)
    assert got.estimate == pytest.approx(fit.slope, rel=1e-12)
    assert got.high - got.estimate == pytest.approx(stats.t.ppf(0.975, 7) * fit.stderr, rel=1e-9)


def test_intervals_cover_the_truth_as_often_as_they_say():
    rng = np.random.default_rng(1)
    hits = sum(i.low <= 2 <= i.high for i in (mean_interval(rng.normal(2, 1, 4)) for _ in range(2000)))
    assert stats.binomtest(hits, 2000, 0.9).pvalue > 1e-4
    x = np.arange(5.0)
    hits = sum(i.low <= -1 <= i.high for i in (slope_interval(x, rng.normal(-x, 1)) for _ in range(2000)))
    assert stats.binomtest(hits, 2000, 0.9).pvalue > 1e-4


@pytest.mark.parametrize("values", [[], [1.0, math.nan], [[1.0]]])
def test_intervals_refuse_what_is_no_sample(values):
    with pytest.raises(ValueError, match="values must be finite"):
        mean_interval(values)


@pytest.mark.parametrize(
    ("values", "verdict"),
    [
        ([-1.0, -1.01, -0.99], "agrees"),
        ([-0.5, -0.51, -0.49], "disagrees"),
        ([-1.0, -1.4, -0.6], "inconclusive"),  # right on average, but too wide
        ([-1.0], "inconclusive"),  # one seed says nothing about another
        ([-1.0, -1.0, math.nan], "inconclusive"),
        ([], "inconclusive"),
    ],
)
def test_verdicts_by_equivalence(values, verdict):
    assert WITHIN.judge({"slope": values}).verdict == verdict


@pytest.mark.parametrize(
    ("values", "verdict"), [([0.1, 5.0], "agrees"), ([0.1, -1e-9], "disagrees"), ([0.1, math.nan], "inconclusive")]
)
def test_an_exact_bound_holds_on_every_seed_or_not(values, verdict):
    assert Prediction("gap", "never negative", low=0, exact=True).judge({"gap": values}).verdict == verdict


@pytest.mark.parametrize("exact", [False, True])
@pytest.mark.parametrize(("low", "high", "same"), [(0.0, math.inf, 0.0), (-math.inf, 1.0, 1.0), (0.0, 1.0, 1.0)])
def test_no_effect_at_all_is_no_evidence(low, high, same, exact):
    """Identical runs, or accuracies too coarse to differ: neither larger nor smaller."""
    prediction = Prediction("gain", "it raises the accuracy", low, high, exact=exact)
    assert prediction.judge({"gain": [same] * 3}).verdict == "inconclusive"
    beyond = np.nextafter(same, -math.inf if same == low else math.inf)
    assert prediction.judge({"gain": [beyond] * 3}).verdict == "disagrees"


@pytest.mark.parametrize(("low", "high"), [(1, 1), (2, 1), (-math.inf, math.inf), (math.nan, 1)])
def test_a_prediction_must_be_able_to_fail(low, high):
    with pytest.raises(ValueError, match="must bound a region"):
        Prediction("slope", "anything", low=low, high=high)


def test_the_digest_depends_on_all_that_matters():
    spec = experiment(near(-1), rate=0.1).spec("quick")
    assert spec.digest == experiment(near(-2), rate=0.1).spec("quick").digest
    others = [
        experiment(near(-1), rate=0.2),
        experiment(near(-1), rate=0.1, seeds=4),
        experiment(near(-1), rate=0.1, predictions=(replace(WITHIN, high=-0.8),)),
        experiment(near(-1), rate=0.1, id="toy.two"),
    ]
    digests = {other.spec("quick").digest for other in others}
    assert len(digests | {spec.digest}) == 5
    with pytest.raises(ValueError, match=r"scale must be one of quick for toy\.one, got 'paper'"):
        experiment(near(-1)).spec("paper")


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


@pytest.mark.parametrize(("tool", "version"), [("echo 580.159.04", "580.159.04"), ("exit 9", None), (None, None)])
def test_a_record_has_the_version_of_the_driver(tool, version, tmp_path, monkeypatch):
    if tool:
        (tmp_path / "nvidia-smi").write_text(f"#!/bin/sh\n{tool}\n")
        (tmp_path / "nvidia-smi").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert records._driver() == version

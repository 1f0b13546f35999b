"""Runs and the code that they were begun with: what an own file was before it was edited is left."""

import runpy
from dataclasses import replace

import pytest

from tests.toy_experiments import experiment
from validation import queue, records
from validation.core import Measured, Prediction

OWN = """
from validation.core import Experiment, Measured, Prediction, Setting

STOP = {stop}

def measure(values, seed, context):
    if seed == STOP:
        raise KeyboardInterrupt
    return Measured({{"change": {factor}}})

setting = Setting({{}}, (Prediction("change", "it is small", high=3.0),))
SPEC = Experiment("own.one", "An own one", "nobody", "It holds.", {{"quick": setting}}, measure).spec("quick")
"""


def own(path, *, stop=None, factor=1.0):
    """The spec that a file of this text defines, as it does when it is run."""
    path.write_text(OWN.format(stop=stop, factor=factor))
    return runpy.run_path(str(path))["SPEC"]


def test_what_an_own_file_measured_before_it_was_edited_is_left(context, where, tmp_path):
    """The package's own code is as it was; only the file that has the experiment's `measure` is another."""
    said, path = [], tmp_path / "own.py"
    context = replace(context, say=said.append)
    with pytest.raises(KeyboardInterrupt):
        queue.run(own(path, stop=1), context, **where)
    record = records.read(queue.run(own(path, factor=2.0), context, **where))
    assert record["metrics"]["change"] == [2.0] * 3
    assert sum("begun anew" in line for line in said) == 1


def test_a_file_that_is_edited_while_it_runs_is_what_it_was(context, where, tmp_path):
    """What it measures is of the code that it was begun with, and is not taken for that of the edited file."""
    path = tmp_path / "own.py"
    spec = own(path, stop=1)
    edited = own(path, factor=2.0)
    with pytest.raises(KeyboardInterrupt):
        queue.run(spec, context, **where)
    assert records.read(queue.run(edited, context, **where))["metrics"]["change"] == [2.0] * 3


WATCHING = """
from validation.core import Experiment, Measured, Setting
from validation.experiments.common import dataset
from validation.experiments.runs import Watch, train
from validation.train import Recipe

def see(trainer):
    return {{"x": {factor}}}

def measure(values, seed, context):
    data, how = dataset(values, context, seed), Recipe(1, 8, 0.1, seed=seed)
    model, watch = {{"name": "fc", "width": 2, "depth": 1}}, {{"own": Watch(see, {{}})}}
    curves = train("one", model, data, how, context, every=1, watch=watch)
    if {stop}:
        raise KeyboardInterrupt
    return Measured({{"x": float(curves["own.x"][-1])}})

setting = Setting({{"data": "digits", "train": 16, "test": 8}}, (), 2)
SPEC = Experiment("own.one", "An own one", "nobody", "It holds.", {{"quick": setting}}, measure).spec("quick")
"""


def test_what_an_edited_file_watches_is_not_what_it_watched(context, where, tmp_path):
    """A finished training outlives an interrupted run, with what was seen of it by the code there was then."""
    path = tmp_path / "own.py"
    path.write_text(WATCHING.format(stop=True, factor=1.0))
    with pytest.raises(KeyboardInterrupt):
        queue.run(runpy.run_path(str(path))["SPEC"], context, **where)
    path.write_text(WATCHING.format(stop=False, factor=7.0))
    record = records.read(queue.run(runpy.run_path(str(path))["SPEC"], context, **where))
    assert record["metrics"]["x"] == [7.0] * 2


def test_a_prediction_of_what_is_not_measured_ends_the_run_after_one_seed(context, where):
    seeds = []

    def measure(values, seed, context):
        seeds.append(seed)
        return Measured({"slop": -1.0, "line": 0.0})

    with pytest.raises(ValueError, match=r"^measure of toy\.one must give 'slope', .*; it gives 'line', 'slop'$"):
        queue.run(experiment(measure).spec("quick"), context, **where)
    assert seeds == [0]


def test_what_a_prediction_presupposes_must_be_measured_too(context, where):
    late = Prediction("late", "no gain", high=0.1, presupposes="helps")
    measure = lambda *_: Measured({"late": 0.0, "help": 1.0})  # noqa: E731
    with pytest.raises(ValueError, match=r"^measure of toy\.one must give 'helps', .*; it gives 'help', 'late'$"):
        queue.run(experiment(measure, predictions=(late,)).spec("quick"), context, **where)


def test_a_callable_object_is_of_the_file_that_has_its_class(tmp_path):
    path, text = tmp_path / "own.py", OWN.replace("measure)", "Rule())").format(stop=None, factor=1.0)
    text = text.replace("def measure(", "class Rule:\n  def __call__(self, ")
    codes = []
    for more in ("", "", "# edited"):
        path.write_text(text + more)
        codes.append(runpy.run_path(str(path))["SPEC"].experiment.code)
    assert codes[0] == codes[1] != codes[2]


def test_what_was_typed_goes_on_only_as_the_same_experiment(context, where):
    """No file says what code a prompt was given, so that another session's may be another."""
    names = {"__name__": "typed"}
    exec(OWN.format(stop=1, factor=1.0), names)
    first = names["SPEC"]
    with pytest.raises(KeyboardInterrupt):
        queue.run(first, context, **where)
    names["STOP"] = None
    exec(OWN.format(stop=None, factor=2.0), other := {"__name__": "typed"})
    assert queue._made_by(other["SPEC"], {}) != queue._made_by(first, {})
    assert records.read(queue.run(first, context, **where))["metrics"]["change"] == [1.0] * 3

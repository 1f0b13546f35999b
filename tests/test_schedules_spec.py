"""Schedules as data, as text and in other processes: whatever goes out comes back the same."""

import dataclasses
import json
import pickle
import subprocess
import sys
import tomllib

import pytest
from hypothesis import given

import linreg_dyn.schedules
from linreg_dyn.schedules import Adaptive, AutoL2, Constant, Exponential, Steps, Window, from_spec, spec, to_spec
from tests.some_schedules import SCHEDULES


def toml(value):
    """A value as inline TOML, which has no null."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name} = {toml(item)}" for name, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    assert isinstance(value, (str, int, float)), f"TOML has no {value!r}"
    return json.dumps(value)


@given(SCHEDULES)
def test_json_toml_repr_and_pickle_bring_it_back(schedule):
    data = to_spec(schedule)
    for again in (
        from_spec(json.loads(json.dumps(data, allow_nan=False))),
        from_spec(tomllib.loads(f"x = {toml(data)}")["x"]),
        eval(repr(schedule), vars(linreg_dyn.schedules)),
        pickle.loads(pickle.dumps(schedule)),
    ):
        assert again == schedule
        assert hash(again) == hash(schedule)
        assert repr(again) == repr(schedule)


def test_every_type_is_data_and_drawn_here():
    """No type is forgotten, here or there."""
    base = linreg_dyn.schedules.Schedule
    concrete = {kind for kind in _descendants(base) if not kind.__abstractmethods__ and kind.__name__[0] != "_"}
    assert concrete | {AutoL2} == set(spec.TYPES.values())
    assert {kind.__name__ for kind in concrete} <= set(linreg_dyn.schedules.__all__)


def test_no_field_hides_what_every_schedule_has():
    """A field of the name of a method, too, would take the method for its default."""
    for kind in _descendants(linreg_dyn.schedules.Schedule):
        fields = {field.name for field in dataclasses.fields(kind)} if dataclasses.is_dataclass(kind) else set()
        assert not fields & vars(linreg_dyn.schedules.Schedule).keys()


def _descendants(kind):
    return {kind}.union(*map(_descendants, kind.__subclasses__()))


def test_numbers_are_constants_and_constants_numbers():
    assert from_spec(0.1) == from_spec({"type": "Constant", "value": 0.1}) == Constant(0.1)
    assert to_spec(Constant(0.1)) == to_spec(0.1) == 0.1
    assert to_spec(Window(0.1, stop=3)) == {"type": "Window", "schedule": 0.1, "start": 0, "stop": 3, "outside": 0}
    assert from_spec({"type": "Window", "schedule": {"type": "Constant", "value": 1}}) == Window(1)


def test_auto_l2_is_data_too():
    assert from_spec(to_spec(AutoL2(0.5, every=10))) == AutoL2(0.5, every=10) != AutoL2(0.5)
    assert to_spec(AutoL2()) == {"type": "AutoL2", "l2": 0.1, "factor": 10, "every": 5, "refractory": 0.1}
    assert repr(AutoL2()) == "AutoL2()"
    assert repr(AutoL2(0.5, every=10)) == "AutoL2(0.5, every=10)"


def test_reprs_read_well():
    assert repr(Window(Exponential(0.1, factor=0.97), stop=100)) == "Window(Exponential(0.1, factor=0.97), stop=100)"
    assert repr(2 * Steps((1, 2), milestones=(3,))) == "Product((2.0, Steps((1.0, 2.0), milestones=(3,))))"
    assert repr(Adaptive(0.25)) == "Adaptive(0.25)"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (
            {"type": "Exponental"},
            r"^lr.type must be one of Adaptive, .*got 'Exponental'; did you mean 'Exponential'\?$",
        ),
        ({"start": 1}, r"^lr.type must be one of .*, got None$"),
        ({"type": 3}, r"^lr.type must be one of .*, got 3$"),
        ({"type": ["Steps"]}, r"^lr.type must be one of .*, got \['Steps'\]$"),
        (
            {"type": "Exponential", "start": 1, "facter": 0.9},
            r"^lr.facter is no field of Exponential: start, factor, every; did you mean 'factor'\?$",
        ),
        (
            {"type": "Exponential", "start": 1},
            "^lr.factor is missing: Exponential has the fields start, factor, every$",
        ),
        ({"type": "ByRate", "levels": [[0.1, 1]]}, "^lr.learning_rate is missing: ByRate has the fields learning_rate"),
        ({"type": "Exponential", "start": 1, "factor": 7}, r"^lr: factor of Exponential must be in \(0, 1\], got 7$"),
        (
            {"type": "Window", "schedule": {"type": "Sum", "terms": [1, {"type": "Cosine", "start": 1}]}},
            "^lr.schedule.terms.1..steps is missing: Cosine has the fields start, steps, end$",
        ),
        ({"type": "Window", "schedule": "fast"}, "^lr: schedule of Window must be a finite number, got 'fast'$"),
        ("0.1", "^lr must be a finite number, got '0.1'$"),
        (True, "^lr must be a finite number, got True$"),
        (None, "^lr must be a finite number, got None$"),
        ([0.1, 0.2], r"^lr must be a number or a table with a type, got \[0.1, 0.2\]$"),
    ],
)
def test_bad_data_is_refused_in_one_line_that_names_the_field(data, words):
    with pytest.raises((TypeError, ValueError), match=words) as error:
        from_spec(data, "lr")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("bad", ["0.1", None, True, object()])
def test_what_is_no_schedule_is_no_data(bad):
    with pytest.raises(TypeError, match="schedule must be a number, a schedule or AutoL2"):
        to_spec(bad)


def test_values_hashes_and_data_are_the_same_in_another_process():
    schedule = Window(Exponential(0.1, factor=0.97, every=7), start=3, stop=90) + 0.25
    code = (
        "import pickle, sys; from linreg_dyn.schedules import to_spec\n"
        "s = pickle.loads(bytes.fromhex(sys.argv[1])); print(hash(s), to_spec(s), s.at(50).hex())\n"
    )
    argument = pickle.dumps(schedule).hex()
    done = subprocess.run([sys.executable, "-c", code, argument], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == f"{hash(schedule)} {to_spec(schedule)} {schedule.at(50).hex()}"

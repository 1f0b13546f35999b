"""What every schedule has: values by step alone, refusals, plots; the adaptive rate against exact rationals."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure

from linreg_dyn.schedules import Adaptive, AutoL2, Constant, Cosine, Exponential, PerEpoch, Steps, Window, as_schedule
from tests.some_schedules import SCHEDULES, limited

HALVES = Exponential(1, factor=0.5)


@given(SCHEDULES, st.lists(st.integers(0, 300), min_size=1, max_size=40), st.data())
def test_values_are_bitwise_the_same_alone_in_pieces_and_in_any_order(schedule, steps, data):
    steps = np.array(limited(schedule, steps))
    values = schedule.at(steps)
    alone = [schedule.at(step) for step in steps.tolist()]
    assert all(type(value) is float for value in alone)
    cut = data.draw(st.integers(0, len(steps)))
    order = np.array(data.draw(st.permutations(range(len(steps)))))
    strided = np.repeat(steps, 3)[::3].astype(np.int32)
    pieces = np.concatenate([schedule.at(steps[:cut]), schedule.at(steps[cut:])])
    shuffled = np.empty_like(values)
    shuffled[order] = schedule.at(steps[order])
    for other in (alone, pieces, shuffled, schedule.at(strided), schedule.at(steps[np.newaxis]).reshape(-1)):
        assert np.array(other).tobytes() == values.tobytes()


def test_long_arrays_are_bitwise_their_elements():
    """Thousands of steps at once, where vector loops need not round as numpy's or `math`'s lone numbers do."""
    steps = range(0, 1_000_000, 99)
    decay, cosine = Exponential(0.1, factor=0.97, every=391), Cosine(1, steps=999_983)
    assert decay.at(steps).tolist() == [0.1 * math.pow(0.97, step / 391) for step in steps]
    weights = [(1 + math.cos(math.pi * min(step / 999_983, 1.0))) / 2 for step in steps]
    assert cosine.at(steps).tolist() == weights
    for schedule in (decay, cosine):
        assert [schedule.at(step) for step in steps] == schedule.at(steps).tolist()


def test_shapes_and_integer_types():
    assert HALVES.at(np.arange(6).reshape(2, 3)).shape == (2, 3)
    assert HALVES.at([]).shape == HALVES.at(np.empty(0, dtype=np.int64)).shape == (0,)
    assert HALVES.at(range(3)).tolist() == [1, 0.5, 0.25]
    assert type(HALVES.at(np.int32(3))) is float
    assert HALVES.at(np.array([3], dtype=np.uint8)).tolist() == [0.125]
    assert HALVES.at(np.array(3)).shape == ()


@pytest.mark.parametrize(
    ("steps", "words"),
    [
        (-1, "step must be an integer from 0 to 9223372036854775807, got -1"),
        (2**63, "step must be an integer from 0"),
        ([3, -1], "steps must be integers >= 0, got -1"),
        (np.array([2**63], dtype=np.uint64), "steps must be integers >= 0"),
        (1.0, "steps must be integers >= 0, got 1.0"),
        ([1.0], r"steps must be integers >= 0, got \[1.0\]"),
        (True, "steps must be integers >= 0, got True"),
        ("3", "steps must be integers >= 0, got '3'"),
        (30, "step must be below 30, the length of the schedule, got 30"),
        ([30, 2], "step must be below 30, the length of the schedule, got 30"),
    ],
)
def test_bad_steps_are_refused(steps, words):
    with pytest.raises((TypeError, ValueError), match=words):
        Steps((1, 2), milestones=(10,), stop=30).at(steps)


@pytest.mark.parametrize("bad", [0, -1.0, math.nan, math.inf, 10**400])
def test_rates_out_of_range_are_refused(bad):
    with pytest.raises(ValueError, match="learning_rate must be a finite number > 0"):
        as_schedule(bad)
    with pytest.raises(ValueError, match="c of Adaptive must be a finite number > 0"):
        Adaptive(bad)


@pytest.mark.parametrize("bad", ["0.1", None, True, [0.1, 0.2], 1j, AutoL2()])
def test_rates_of_the_wrong_type_are_refused(bad):
    with pytest.raises(TypeError, match="learning_rate must be a finite number > 0"):
        as_schedule(bad)


def test_schedules_pass_through():
    adaptive = Adaptive(0.25)
    assert as_schedule(adaptive) is adaptive
    assert as_schedule(1) == Constant(1.0)
    assert as_schedule(0, "weight_decay", zero=True) == Constant(0)
    assert as_schedule(Constant(0), "weight_decay", zero=True) == Constant(0)
    assert as_schedule(Window(0.1, start=9)).at(0) == 0, "a rate may be 0 for a while"
    assert as_schedule(Cosine(0.5, steps=9), "half_width", zero=True, most=0.5)
    assert as_schedule(Steps((1,), stop=30), steps=30).length == 30


@pytest.mark.parametrize(
    ("value", "options", "words"),
    [
        (Constant(0), {}, "learning_rate must have values > 0, got limits 0 and 0"),
        (-1 * HALVES, {}, "learning_rate must have values > 0, got limits -1 and -0"),
        (-1 * HALVES, {"zero": True}, "learning_rate must have values >= 0, got limits -1 and -0"),
        (HALVES, {"most": 0.5}, "learning_rate must have values up to 0.5, got limits 0 and 1"),
        (0.7, {"most": 0.5}, "learning_rate must have values up to 0.5, got limits 0.7 and 0.7"),
        (-0.1, {"zero": True}, "learning_rate must be a finite number >= 0, got -0.1"),
        (Steps((1,), stop=30), {"steps": 31}, "learning_rate must last for all 31 steps, got a schedule of 30"),
    ],
)
def test_schedules_that_a_run_cannot_use_are_refused(value, options, words):
    with pytest.raises(ValueError, match=words):
        as_schedule(value, **options)


def test_the_picture_shows_every_jump():
    """A window of one step among a million is in it; the steps are drawn as steps."""
    window = Window(0.1, start=654_321, stop=654_322)
    axes = window.plot(10**6)
    assert isinstance(axes.figure, Figure)
    (line,) = axes.lines
    steps, values = line.get_data()
    assert len(steps) < 6000
    assert line.get_drawstyle() == "steps-post"
    assert (steps[0], steps[-1], values.max()) == (0, 999_999, 0.1)
    np.testing.assert_array_equal(values, window.at(steps))
    assert axes.get_xlabel() == "step"
    assert line.get_label() == repr(window)


def test_pictures_share_axes_and_take_the_length_or_steps():
    taper = PerEpoch(Steps((3, 1), milestones=(2,), stop=4), steps_per_epoch=5)
    axes = taper.plot()
    assert taper.plot(np.array([0, 7]), ax=axes) is axes
    assert [list(line.get_xdata()) for line in axes.lines] == [list(range(20)), [0, 7]]
    assert Adaptive(HALVES).plot(3).get_ylabel() == "c of the adaptive rate"
    with pytest.raises(ValueError, match=r"steps must be given, as Exponential\(1.0, factor=0.5\) has no end"):
        HALVES.plot()
    with pytest.raises(ValueError, match="steps must be an integer from 1"):
        HALVES.plot(0)
    with pytest.raises(ValueError, match="step must be below 20"):
        taper.plot(21)

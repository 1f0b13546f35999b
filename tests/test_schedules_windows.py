"""Windows, epochs, sums, products and regularisers that follow the rate: values, limits, lengths, changes."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from linreg_dyn import schedules
from linreg_dyn.schedules import (
    Adaptive,
    ByRate,
    Constant,
    Cosine,
    Exponential,
    InverseOfRate,
    PerEpoch,
    Product,
    Steps,
    Sum,
    Window,
    published,
)
from tests.some_schedules import SCHEDULES, limited

FALL = Steps((3, 2, 1), milestones=(10, 20), stop=30)


def test_a_window_shows_the_schedule_inside_and_the_outside_elsewhere():
    window = Window(FALL, start=5, stop=15, outside=7)
    assert window.at([4, 5, 9, 10, 14, 15]).tolist() == [7, 3, 3, 2, 2, 7]
    assert window.limits == (1, 7)
    assert window.changes() == (5, 10, 15)
    assert Window(FALL, start=15).changes() == (15, 20)
    assert Window(FALL).limits == (1, 3)
    assert Window(FALL, stop=5).limits == (0, 3)


@pytest.mark.parametrize(
    ("window", "length"),
    [
        (Window(FALL), 30),
        (Window(FALL, start=10), 30),
        (Window(FALL, stop=30), None),
        (Window(FALL, stop=31), 30),
        (Window(FALL, start=40), 40),
        (Window(FALL, start=40, stop=40), None),
        (Window(FALL, start=40, stop=41), 40),
        (Window(0.1, start=3), None),
    ],
)
def test_a_window_lasts_until_the_schedule_is_missed(window, length):
    assert window.length == length
    if length is None:
        assert window.at(10**12) == window.outside or window.stop is None
    else:
        window.at(length - 1)
        with pytest.raises(ValueError, match=f"step must be below {length}, the length of the schedule, got {length}"):
            window.at(length)


def test_golatkars_three_experiments_in_epochs():
    """On for the first t0 epochs; on from t0; on for 50 epochs from t0. Late ones train 50 epochs more."""
    spe, mu = 4, 0.0005
    runs = {kind: published.golatkar_windows(mu, kind, steps_per_epoch=spe) for kind in KINDS}
    for kind, on in KINDS.items():
        assert len(runs[kind]) == (9 if kind == "interrupted" else 8)
        for k, (schedule, steps) in enumerate(runs[kind]):
            epochs = np.arange(steps) // spe
            np.testing.assert_array_equal(schedule.at(np.arange(steps)), np.where(on(epochs, 25 * k), mu, 0))
    assert [steps // spe for _, steps in runs["interrupted"]] == [200] * 9
    assert [steps // spe for _, steps in runs["delayed"]] == [200] * 6 + [250] * 2
    assert [steps // spe for _, steps in runs["sliding"]] == [200] * 5 + [225, 250, 275]
    with pytest.raises(ValueError, match="kind must be one of 'interrupted', 'delayed', 'sliding', got 'late'"):
        published.golatkar_windows(mu, "late", steps_per_epoch=spe)


KINDS = {
    "interrupted": lambda epoch, t0: epoch < t0,
    "delayed": lambda epoch, t0: epoch >= t0,
    "sliding": lambda epoch, t0: (epoch >= t0) & (epoch < t0 + 50),
}


def test_epochs_of_a_paper_count_from_one():
    """ "1 - 50" at 10 steps an epoch: the steps 0 to 499."""
    schedule = PerEpoch(Steps((0.1, 0.01), milestones=(50,), stop=100), steps_per_epoch=10)
    assert schedule.at([0, 499, 500, 999]).tolist() == [0.1, 0.1, 0.01, 0.01]
    assert schedule.length == 1000
    assert schedule.changes() == (500,)


def test_sums_and_products_combine_value_by_value():
    steps = np.arange(30)
    both = 2 * FALL * Exponential(1, factor=0.5) + FALL + 1
    np.testing.assert_array_equal(both.at(steps), 2 * FALL.at(steps) * 0.5**steps + FALL.at(steps) + 1)
    assert both.length == 30
    assert both.changes() is None
    assert (np.float64(2) * FALL) == (2 * FALL) == Product((2, FALL))
    assert (FALL + 1).limits == (2, 4)
    assert (-1 * FALL).limits == (-3, -1)
    assert (FALL + Window(1, stop=7)).changes() == (7, 10, 20)
    np.testing.assert_array_equal((FALL / 4 - FALL).at(steps), FALL.at(steps) / 4 - FALL.at(steps))
    np.testing.assert_array_equal((np.uint8(4) - FALL).at(steps), (-(FALL - np.uint8(4))).at(steps))
    for wrong in (lambda: FALL * None, lambda: FALL - None, lambda: FALL / FALL, lambda: 1 / FALL):
        with pytest.raises(TypeError, match="unsupported operand"):
            wrong()
    with pytest.raises(ZeroDivisionError):
        FALL / 0


def test_constants_inside_are_numbers():
    assert Window(Constant(0.5), stop=3) == Window(0.5, stop=3)
    assert Adaptive(Constant(0.25)).c == 0.25


def test_decay_over_rate_keeps_their_product():
    rate = Cosine(0.1, steps=100, end=0.001)
    decay = InverseOfRate(rate, product=1e-5)
    steps = np.arange(150)
    np.testing.assert_allclose(decay.at(steps) * rate.at(steps), 1e-5, rtol=2 * 2.0**-53, atol=0)
    assert decay.limits == (1e-5 / 0.1, 1e-5 / 0.001)
    capped = InverseOfRate(Exponential(0.1, factor=0.5), product=1e-5, most=1.0)
    assert capped.limits == (1e-4, 1)
    assert capped.at([0, 10**6]).tolist() == [1e-4, 1]


def test_decay_by_rate_goes_through_the_table_and_between():
    """Halfway in the logarithm, halfway in the value; beyond the table its last value."""
    table = ((0.1, 1.0), (0.01, 3.0), (0.001, 2.0))
    at = lambda rate: ByRate(rate, levels=table).at(0)  # noqa: E731
    assert [at(rate) for rate, _ in table] == [value for _, value in table]
    assert at(math.sqrt(0.1 * 0.01)) == pytest.approx(2, rel=1e-14)
    assert [at(rate) for rate in (5, 1e-9, 0)] == [1, 2, 2]
    assert ByRate(0.1, levels=table).limits == (1, 3)
    assert ByRate(0.1, levels=table) == ByRate(0.1, levels=table[::-1])
    assert ByRate(FALL, levels=table).changes() == FALL.changes()


def naive(schedule, step):
    """The value at a step, by the definitions, in Python numbers; `rate` of Adaptive aside."""
    if not isinstance(schedule, schedules.Schedule):
        return schedule
    match schedule:
        case Window():
            inside = schedule.start <= step and (schedule.stop is None or step < schedule.stop)
            return naive(schedule.schedule, step) if inside else schedule.outside
        case PerEpoch():
            return naive(schedule.schedule, step // schedule.steps_per_epoch)
        case Product():
            return math.prod(naive(factor, step) for factor in schedule.factors)
        case Sum():
            return sum(naive(term, step) for term in schedule.terms)
        case Steps():
            return schedule.values[sum(step >= milestone for milestone in schedule.milestones)]
        case Adaptive():
            return naive(schedule.c, step)
        case Exponential():
            return schedule.start * schedule.factor ** (step / schedule.every)
    return schedule.at(step)


@given(SCHEDULES, st.lists(st.integers(0, 400), min_size=1))
def test_compositions_agree_with_their_definitions(schedule, steps):
    steps = limited(schedule, steps)
    values = schedule.at(np.array(steps, dtype=np.int64))
    assert values.tolist() == pytest.approx([naive(schedule, step) for step in steps], rel=1e-15, abs=0)
    low, high = schedule.limits
    assert ((low <= values) & (values <= high)).all()


@given(SCHEDULES, st.integers(1, 400))
def test_a_piecewise_constant_schedule_changes_only_where_it_says(schedule, count):
    count = count if schedule.length is None else min(count, schedule.length)
    changes = schedule.changes()
    values = schedule.at(np.arange(count))
    if changes is not None:
        jumps = 1 + np.flatnonzero(np.diff(values))
        assert set(jumps.tolist()) <= set(changes)
        assert list(changes) == sorted(set(changes))


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Window(0.1, start=-1), "start of Window must be an integer from 0"),
        (lambda: Window(0.1, start=5, stop=4), "stop of Window must be an integer from 5"),
        (lambda: Window("x", stop=4), "schedule of Window must be a finite number, got 'x'"),
        (lambda: Window({"type": "Steps"}), "schedule of Window must be a number or a schedule, got {'type'"),
        (lambda: Window(Adaptive(0.25), stop=4), r"schedule of Window must depend on the step alone.*outermost"),
        (lambda: 2 * Adaptive(0.25), r"factors of Product must depend on the step alone.*outermost"),
        (lambda: Window(0.1, outside=math.nan), "outside of Window must be a finite number, got nan"),
        (lambda: PerEpoch(0.1, steps_per_epoch=0), "steps_per_epoch of PerEpoch must be an integer from 1"),
        (lambda: Product(()), "factors of Product must be a list of numbers and schedules"),
        (lambda: Sum(3), "terms of Sum must be a list of numbers and schedules, got 3"),
        (lambda: Product((1e300, Exponential(1e300, factor=0.5))), "leaves float64"),
        (lambda: schedules.sliding(1, length=0, starts=[0]), "length must be an integer from 1"),
        (lambda: InverseOfRate(Exponential(0.1, factor=0.5), product=1), "most of InverseOfRate must be a number > 0"),
        (lambda: InverseOfRate(0, product=1), "learning_rate of InverseOfRate must be above 0, got 0"),
        (lambda: InverseOfRate(-1 * FALL, product=1), "learning_rate of InverseOfRate must be above 0"),
        (lambda: InverseOfRate(1e-300, product=1e300), "leaves float64"),
        (lambda: ByRate(0.1, levels=(0.1, 0.2)), "levels of ByRate must be a list of pairs"),
        (lambda: ByRate(0.1, levels=((0.1, 1), (0.1, 2))), "levels of ByRate must have different rates"),
        (lambda: ByRate(-1, levels=((0.1, 1),)), "learning_rate of ByRate must not be negative, got -1"),
        (lambda: Adaptive(-1 * FALL), "c of Adaptive must not be negative"),
    ],
)
def test_bad_compositions_are_refused(make, words):
    with pytest.raises((TypeError, ValueError), match=words) as error:
        make()
    assert "\n" not in str(error.value)

"""Steps, exponential decay and cosines against torch's schedulers and against numbers the papers print."""

import math
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.optim import lr_scheduler

from linreg_dyn.schedules import Constant, Cosine, CosineRestarts, Exponential, PerEpoch, Steps, published

U = 2.0**-53


def torch_rates(make, start, count):
    """The learning rates of `count` steps that torch's scheduler `make(optimizer)` sets."""
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=start)
    scheduler = make(optimizer)
    rates = []
    for _ in range(count):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return np.array(rates)


def assert_as_torch(schedule, make, start, count, allowed):
    """Equal within `allowed`; and one step later they would not be."""
    rates = torch_rates(make, start, count)
    assert np.abs(schedule.at(np.arange(count)) - rates).max() <= allowed
    assert np.abs(schedule.at(np.arange(1, count + 1)) - rates).max() > 1000 * allowed


def test_exponential_is_torchs():
    """torch multiplies step by step: one rounding a step."""
    make = lambda optimizer: lr_scheduler.ExponentialLR(optimizer, 0.97)  # noqa: E731
    assert_as_torch(Exponential(0.1, factor=0.97), make, 0.1, 300, 300 * 0.1 * U)


def test_steps_are_torchs():
    make = lambda optimizer: lr_scheduler.MultiStepLR(optimizer, [30, 80], gamma=0.1)  # noqa: E731
    assert_as_torch(Steps.geometric(0.5, factor=0.1, milestones=(30, 80)), make, 0.5, 120, 4 * 0.5 * U)


@pytest.mark.parametrize("end", [0.0, 0.003])
def test_cosine_is_torchs(end):
    """torch's recursion loses a few roundings at every step, none of them larger than those of its start."""
    make = lambda optimizer: lr_scheduler.CosineAnnealingLR(optimizer, 100, eta_min=end)  # noqa: E731
    assert_as_torch(Cosine(0.1, steps=100, end=end), make, 0.1, 101, 100 * 8 * 0.1 * U)


@pytest.mark.parametrize(("period", "growth", "end"), [(10, 1, 0.0), (10, 2, 0.0), (7, 3, 0.01), (1, 2, 0.0)])
def test_restarts_are_torchs(period, growth, end):
    """The same formula, written in another order: a rounding or two of each of its six operations."""
    make = lambda optimizer: lr_scheduler.CosineAnnealingWarmRestarts(optimizer, period, growth, end)  # noqa: E731
    schedule = CosineRestarts(0.1, period=period, growth=growth, end=end)
    assert_as_torch(schedule, make, 0.1, 200, 12 * 0.1 * U)


def test_restarts_begin_at_the_start_for_ever():
    """Cycles of 10, 20, 40, ... steps begin at 10 (2^i - 1), exactly, also where float64 has no such integers."""
    schedule = CosineRestarts(0.1, period=10, growth=2, end=0.001)
    for i in range(59):
        first = 10 * (2**i - 1)
        assert schedule.at(first) == 0.1
        if i < 50:  # later the fall of one step is lost in rounding
            assert schedule.at(first + 10 * 2**i - 1) < 0.1 * 0.98


def test_golatkars_decay_is_three_percent_an_epoch():
    """Section 3: 0.1 at first, 0.97 per epoch; after 200 epochs 0.1 * 0.97^199."""
    rate = published.golatkar_rate(steps_per_epoch=391)
    assert rate.at(0) == rate.at(390) == 0.1
    assert rate.at(391) == 0.1 * 0.97
    assert rate.at(200 * 391 - 1) == pytest.approx(float(Fraction(97, 100) ** 199 / 10), rel=200 * U)


def test_smooth_and_stepped_decay_meet_at_the_epochs():
    smooth, stepped = (
        Exponential(0.1, factor=0.97, every=50),
        PerEpoch(Exponential(0.1, factor=0.97), steps_per_epoch=50),
    )
    epochs = 50 * np.arange(100)
    np.testing.assert_array_equal(smooth.at(epochs), stepped.at(epochs))
    assert (smooth.at(epochs + 49) < stepped.at(epochs + 49)).all()


def test_lewkowycz_decays_by_a_fifth_three_times():
    """SM A: 0.2, times 0.2 at 0.3 T, 0.6 T and 0.9 T."""
    rate = published.lewkowycz_rate(200, steps_per_epoch=2)
    assert rate.length == 400
    expected = {0: 0.2, 119: 0.2, 120: 0.04, 239: 0.04, 240: 0.008, 359: 0.008, 360: 0.0016, 399: 0.0016}
    assert {step: round(rate.at(step), 12) for step in expected} == expected
    with pytest.raises(ValueError, match="epochs must be a multiple of 10, got 25"):
        published.lewkowycz_rate(25, steps_per_epoch=2)


@given(st.floats(1e-6, 10), st.floats(0, 10), st.integers(1, 50), st.integers(1, 4))
def test_cosines_stay_between_their_ends_and_meet_them(start, end, period, growth):
    restarts, once = (
        CosineRestarts(start, period=period, growth=growth, end=end),
        Cosine(start, steps=period, end=end),
    )
    low, high = sorted((start, end))
    for schedule in (restarts, once):
        assert schedule.limits == (low, high)
        values = schedule.at(np.arange(4 * period))
        assert ((low <= values) & (values <= high)).all()
    np.testing.assert_array_equal(once.at(np.arange(period)), restarts.at(np.arange(period)))
    assert once.at(0) == restarts.at(period) == start
    assert once.at(period) == once.at(10 * period) == end


def test_constants_and_steps_have_exact_values():
    schedule = Steps((3, 2, 1), milestones=(10, 20), stop=30)
    assert schedule.at([0, 9, 10, 19, 20, 29]).tolist() == [3, 3, 2, 2, 1, 1]
    assert (schedule.limits, schedule.length, schedule.changes()) == ((1, 3), 30, (10, 20))
    assert Steps((5, 5, 4), milestones=(1, 2)).changes() == (2,)
    assert Steps((5,)).length is None
    assert Constant(2).at(np.arange(3)).tolist() == [2, 2, 2]


def test_an_endless_decay_ends_at_its_lower_limit():
    schedule = Exponential(0.1, factor=0.97)
    assert schedule.limits == (0, 0.1)
    assert schedule.at(10**6) == 0
    assert Exponential(0.1, factor=1).limits == (0.1, 0.1)
    assert math.isclose(schedule.at(1000), 0.1 * 0.97**1000, rel_tol=4 * U)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Steps((1, 2)), "values of Steps must be one more than its milestones, got 2 and 0"),
        (lambda: Steps((1, 2, 3), milestones=(20, 10)), r"milestones of Steps must ascend.*got \(20, 10\)"),
        (lambda: Steps((1, 2), milestones=(20,), stop=20), r"stop come after them, got \(20, 20\)"),
        (lambda: Steps((1, 2), milestones=(0,)), "milestones of Steps must be an integer from 1"),
        (lambda: Steps(3), "values of Steps must be a list of numbers, got 3"),
        (lambda: Steps((1, math.inf), milestones=(3,)), "values of Steps must be a finite number, got inf"),
        (lambda: Steps((1,), stop=0), "stop of Steps must be an integer from 1"),
        (lambda: Steps.geometric(1, factor=2, milestones=(1,)), r"factor must be in \(0, 1\], got 2"),
        (lambda: Exponential(0.1, factor=1.1), r"factor of Exponential must be in \(0, 1\], got 1.1"),
        (lambda: Exponential(0.1, factor=0), "factor of Exponential must be a finite number > 0, got 0"),
        (lambda: Exponential(0, factor=0.5), "start of Exponential must be a finite number > 0, got 0"),
        (lambda: Exponential(0.1, factor=0.5, every=0.5), "every of Exponential must be an integer from 1"),
        (lambda: Cosine(0.1, steps=0), "steps of Cosine must be an integer from 1"),
        (lambda: Cosine("0.1", steps=1), "start of Cosine must be a finite number, got '0.1'"),
        (lambda: CosineRestarts(0.1, period=0), "period of CosineRestarts must be an integer from 1"),
        (lambda: CosineRestarts(0.1, period=1, growth=1.5), "growth of CosineRestarts must be an integer from 1"),
        (lambda: Constant(math.nan), "value of Constant must be a finite number, got nan"),
    ],
)
def test_bad_curves_are_refused(make, words):
    with pytest.raises((TypeError, ValueError), match=words) as error:
        make()
    assert "\n" not in str(error.value)

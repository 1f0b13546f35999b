"""AutoL2 against its words, and against the printed pseudo-code where that has a meaning."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numba import njit

from linreg_dyn.schedules import AutoL2, auto_l2

few = st.integers(0, 4).map(float)  # so that minima are met again and again
histories = st.lists(st.tuples(few, few), max_size=40)


def run(auto, history):
    """lambda after each measurement of (loss, error), at the steps 0, k, 2k, ..."""
    state, found = auto.start(), []
    for number, (loss, error) in enumerate(history):
        state = auto.update(state, number * auto.every, loss, error)
        found.append(state[0])
    return found


def in_words(auto, history):
    """Divide when loss or error exceeds its minimum so far twice in a row, not within refractory / lambda steps."""
    l2, decayed_at, found = auto.l2, None, []
    for now in range(len(history)):
        worse = False
        for k in (0, 1):
            seen = [measured[k] for measured in history]
            before = seen[: max(now - 1, 0)]
            worse |= bool(before) and min(seen[now - 1], seen[now]) > min(before)
        waiting = decayed_at is not None and (now - decayed_at) * auto.every <= auto.refractory / l2
        if worse and not waiting:
            l2, decayed_at = l2 / auto.factor, now
        found.append(l2)
    return found


def as_printed(auto, history):
    """Algorithm 1, `ERROR_t > ERROR` read as MINERROR and what was never measured as infinity."""
    minimum, min_step, l2, found = [math.inf, math.inf], 0, auto.l2, []
    for number, measured in enumerate(history):
        t, last = number * auto.every, history[number - 1] if number else (math.inf, math.inf)
        increases = any(measured[k] > minimum[k] and last[k] > minimum[k] for k in (0, 1))
        if increases and t > min_step:
            l2 = l2 / auto.factor
            min_step = auto.refractory / l2 + t
        else:
            minimum = [min(last[k], minimum[k]) for k in (0, 1)]
        found.append(l2)
    return found


SHORT = AutoL2(0.1, every=5, refractory=0.1)
LONG = AutoL2(1.0, factor=4, every=3, refractory=5.0)


@pytest.mark.parametrize("auto", [SHORT, LONG])
@given(history=histories)
def test_it_does_what_the_words_say(auto, history):
    assert run(auto, history) == in_words(auto, history)


@pytest.mark.parametrize("auto", [SHORT, LONG])
@given(history=histories)
def test_the_pseudo_code_agrees_if_only_the_loss_is_measured(auto, history):
    losses = [(loss, 0.0) for loss, _ in history]
    assert run(auto, losses) == as_printed(auto, losses)


def test_the_pseudo_code_forgets_a_minimum_of_the_error_when_the_loss_decays():
    """At the decay, step 10, it skips the error 1 of the measurement before; so 3, 3 later is no increase to it."""
    auto = AutoL2(1.0, every=5, refractory=0.1)
    history = [(1.0, 4.0), (2.0, 1.0), (2.0, 3.0), (1.0, 3.0)]
    assert run(auto, history) == [1.0, 1.0, 0.1, 0.01]
    assert as_printed(auto, history) == [1.0, 1.0, 0.1, 0.1]


def test_the_papers_numbers():
    """lambda = 0.1, 0.01, 0.001, ...; after each decay 0.1 / lambda steps: 10, 100, 1000 without another."""
    auto = AutoL2()
    assert (auto.l2, auto.factor, auto.every, auto.refractory) == (0.1, 10, 5, 0.1)
    found = run(auto, [(1.0, 0.0)] + [(2.0, 0.0)] * 300)
    decays = [5 * number for number in range(1, 301) if found[number] < found[number - 1]]
    assert decays == [10, 25, 130, 1135]  # the first measured step after 10 + 10, 25 + 100, 130 + 1000
    assert sorted(set(found), reverse=True) == pytest.approx([0.1, 0.01, 0.001, 0.0001, 0.00001], rel=1e-15)
    assert auto.weight_decay(0.1) == 0.05


def test_one_bad_measurement_is_a_fluctuation():
    assert run(AutoL2(), [(1.0, 0.0), (1.0, 0.0), (5.0, 0.0), (1.0, 0.0), (5.0, 0.0)]) == [0.1] * 5
    assert run(AutoL2(), [(1.0, 0.0), (1.0, 0.0), (5.0, 0.0), (5.0, 0.0)]) == [0.1] * 3 + [0.1 / 10]
    assert run(AutoL2(), [(0.0, 1.0), (0.0, 1.0), (0.0, 5.0), (0.0, 5.0)]) == [0.1] * 3 + [0.1 / 10]


@pytest.mark.parametrize("auto", [AutoL2(refractory=0), AutoL2(1e-20, factor=1e308), AutoL2(refractory=5e-324)])
def test_l2_stops_before_it_underflows(auto):
    """Some 324 divisions by 10 leave float64; the parameter and the end of its period stay numbers."""
    state, compiled = auto.start(), njit(auto_l2)
    same = state
    for step, loss in enumerate([1.0] + [2.0] * 400):
        state = auto.update(state, step, loss)
        same = compiled(*same, float(step), loss, 0.0, auto.factor, auto.refractory)
        assert same == state
        assert state[0] > 0
        assert 0 <= state[3] < math.inf
    assert 0 < state[0] < 1e-19
    assert state[0] / auto.factor == 0


def test_what_is_not_a_number_changes_nothing():
    assert run(AutoL2(), [(1.0, 0.0)] + [(math.nan, math.nan)] * 20) == [0.1] * 21


def test_it_compiles_and_works_lane_by_lane():
    compiled = njit(auto_l2)
    rng = np.random.default_rng(3)
    losses, errors = (rng.integers(0, 6, (2, 30, 8)) - np.arange(30)[:, np.newaxis]).astype(float)  # falling

    @njit
    def lanes(state, losses, errors, every, factor, refractory):
        for number in range(len(losses)):
            for lane in range(losses.shape[1]):
                s = state[:, lane]
                loss, error = losses[number, lane], errors[number, lane]
                s[:] = compiled(s[0], s[1], s[2], s[3], s[4], s[5], number * every, loss, error, factor, refractory)

    state = np.tile(np.array(LONG.start())[:, np.newaxis], 8)
    lanes(state, losses, errors, LONG.every, LONG.factor, LONG.refractory)
    expected = [run(LONG, zip(losses[:, k].tolist(), errors[:, k].tolist(), strict=True))[-1] for k in range(8)]
    assert state[0].tolist() == expected
    assert len(set(expected)) > 1


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"l2": 0}, "l2 of AutoL2 must be a finite number > 0, got 0"),
        ({"factor": 1}, "factor of AutoL2 must be a finite number > 1, got 1"),
        ({"every": 0}, "every of AutoL2 must be an integer from 1"),
        ({"refractory": -1}, "refractory of AutoL2 must be a finite number >= 0, got -1"),
    ],
)
def test_bad_parameters_are_refused(fields, words):
    with pytest.raises(ValueError, match=words):
        AutoL2(**fields)

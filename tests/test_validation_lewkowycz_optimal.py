"""Applications of L2 in time: the verdicts on curves made by hand, and how long they take."""

import numpy as np
import pytest

from tests.toy_settings import verdicts
from validation.context import Context
from validation.experiments.guess import seconds, size
from validation.experiments.lewkowycz import EXPERIMENTS, optimal
from validation.experiments.lewkowycz.cells import Curves, times

BY_NAME = {experiment.id.removeprefix("lewkowycz."): experiment for experiment in EXPERIMENTS}
DIGITS = {"data": "digits", "train": 48, "rest": True, "batch_size": 48}


def curve(*test):
    """What `alone` gives: a measurement every ten steps, from the start on."""
    return {"steps": 10 * np.arange(len(test)), "test": np.array(test), "l2": np.zeros(len(test))}


@pytest.mark.parametrize(
    ("mine", "speed"),
    [((0.1, 0.9, 0.9), 0.5), ((0.1, 0.2, 0.3), 1.5), ((0.1,), 1.5)],  # sooner; never, in 30 steps; diverged at once
)
def test_a_level_that_is_never_reached_takes_longer_than_the_run(mine, speed, tmp_path, monkeypatch):
    runs = {"auto": curve(*mine), "l2-0.1": curve(0.1, 0.3, 0.8), "l2-0.2": curve(0.1, 0.2, 0.2)}
    monkeypatch.setattr(optimal, "alone", lambda values, data, seed, context, name, *_: runs[name])
    values = DIGITS | {"rate": 1.0, "start": 0.1, "every": 1, "steps": 30, "l2": [0.1, 0.2]}
    found = optimal.auto(values, 0, Context(tmp_path)).metrics
    assert found["speed"] == speed
    assert found["gain"] == pytest.approx(max(mine) - 0.8)
    setting = BY_NAME["auto-l2"].scales["gpu"]
    assert verdicts(setting, [found] * 2)["speed"] == ("agrees" if speed < 1 else "disagrees")
    assert found["ahead"] == pytest.approx(0.0)  # before the tenth step all are where they began


def test_who_is_ahead_before_the_rate_falls(tmp_path, monkeypatch):
    runs = {"auto": curve(0.1, 0.5, 0.6, 0.7, 0.7), "l2-0.1": curve(0.1, 0.2, 0.6, 0.7, 0.8)}
    monkeypatch.setattr(optimal, "alone", lambda values, data, seed, context, name, *_: runs[name])
    values = DIGITS | {"rate": 1.0, "start": 0.1, "every": 1, "steps": 40, "l2": [0.1]}
    found = optimal.auto(values, 0, Context(tmp_path)).metrics
    assert found["ahead"] == pytest.approx(0.3)  # up to step 12
    setting = BY_NAME["auto-l2-schedule"].scales["gpu"]
    assert set(verdicts(setting, [found] * 2).values()) == {"agrees"}
    assert verdicts(setting, [found | {"ahead": -0.1}] * 2)["ahead"] == "disagrees"
    # one constant, named before: the best of several would end above AutoL2 by chance
    assert [BY_NAME["auto-l2-schedule"].scales[scale].values["l2"] for scale in ("gpu", "paper")] == [[0.0025], [5e-4]]


@pytest.mark.parametrize(
    ("large", "optimal_l2", "falls", "doubling"),
    [((0.1, 0.4, 0.4, 0.1, 0.1), 2.0, "agrees", "agrees"), ((0.1, 0.4, 0.4, 0.4, 0.4), 1.0, "disagrees", "disagrees")],
)
def test_what_the_short_run_gives(large, optimal_l2, falls, doubling, tmp_path, monkeypatch):
    """It is at its best after 10 steps of a large l2 = 1: c = 10, for a budget of 10 an l2 of 1."""

    def one(values, data, seed, context, name="cells"):
        rates, l2 = np.array(values["cells"]).T
        near = -abs(np.log(l2 / optimal_l2))[:, None]
        test = np.array([large]) if name == "large" else np.array([[0.1, 0.5, 0.5, 0.5, 0.5]]) + 0.1 * near
        steps = np.broadcast_to(10 * np.arange(5), test.shape)
        return Curves(rates, l2, steps, test, test, test, 1)

    monkeypatch.setattr(optimal, "train", one)
    values = DIGITS | {"rate": 1.0, "large_l2": 1.0, "short": {"steps": 40}, "budgets": [10], "l2": [0.5, 1, 2, 4]}
    found = optimal.measured_constant(values, 0, Context(tmp_path)).metrics
    assert abs(found["doubling"]) == pytest.approx(np.log10(2))
    seen = verdicts(BY_NAME["lambda-pred"].scales["gpu"], [found] * 2)
    assert (seen["falls"], seen["doubling"]) == (falls, doubling)


def test_a_budget_s_performance_is_the_maximum_in_training(tmp_path, monkeypatch):
    tops = {"fixed-0.1": 0.9, "fixed-0.2": 0.8, "scaled-0.1": 0.7, "scaled-0.2": 0.75}
    monkeypatch.setattr(optimal, "alone", lambda values, data, seed, context, name, *_: curve(0.1, tops[name], 0.2))
    values = DIGITS | {"rate": 0.2, "epochs": 10, "constant": 1.0, "l2": [0.1, 0.2]}
    found = optimal.fixed_budget(values, 0, Context(tmp_path)).metrics
    assert found == pytest.approx({"fixed_cost": 0.0, "scaled_cost": 0.05})


def test_minutes_are_of_all_steps():
    values = BY_NAME["fixed-budget"].scales["gpu"].values
    net, how = size(values["model"], "cifar10"), {"batch": 1024, "precision": "bf16"}
    epochs = [20, 20, 20, 20, 10, 20, 40, 80]
    expected = sum(seconds(net, steps=48 * n, tests=1 + len(times(6, 48 * n)), **how) for n in epochs) / 60
    assert optimal.guess_fixed(values) == pytest.approx(expected)
    values = BY_NAME["lambda-pred"].scales["gpu"].values
    expected = [seconds(net, steps=n, tests=1 + len(times(6, n)), **how) / 60 for n in (96, 1920)]
    assert optimal.guess_measured(values) == pytest.approx(expected[0] + 8 * expected[1])


def test_two_seeds_decide_next_to_nothing():
    """Student's 95 % point is 6.3 for two, 2.9 for three."""
    assert min(setting.seeds for experiment in EXPERIMENTS for setting in experiment.scales.values()) == 3
    assert {setting.seeds for setting in BY_NAME["fixed-budget"].scales.values()} == {5}


def test_predictions_of_applications_can_fail():
    setting = BY_NAME["kernel-vs-network"].scales["gpu"]
    late = next(p for p in setting.predictions if p.metric == "late_over_zero")
    assert [late.judge({"late_over_zero": [x] * 3}).verdict for x in (0.2, 0.9)] == ["agrees", "disagrees"]
    setting = BY_NAME["lambda-pred"].scales["quick"]
    assert set(verdicts(setting, [{"decades": 0.4, "gap": 0.001}] * 2).values()) == {"agrees"}
    assert set(verdicts(setting, [{"decades": 1.4, "gap": 0.1}] * 2).values()) == {"disagrees"}
    setting = BY_NAME["auto-l2"].scales["gpu"]
    assert set(verdicts(setting, [{"gain": -0.1, "speed": 2.0}] * 2).values()) == {"disagrees"}

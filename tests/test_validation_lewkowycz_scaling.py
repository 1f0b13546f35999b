"""Laws of time across L2: the verdicts on curves made by other laws."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from tests.toy_settings import verdicts
from validation.context import Context
from validation.experiments.lewkowycz import EXPERIMENTS, scaling
from validation.experiments.lewkowycz.cells import Curves, grid
from validation.experiments.lewkowycz.scaling import read

BY_NAME = {experiment.id.removeprefix("lewkowycz."): experiment for experiment in EXPERIMENTS}


def made(exponent, drop=0.0):
    """Curves whose accuracy is at its best after (rate l2)^exponent steps; smaller l2 end `drop` lower a decade."""
    cells = np.array(grid((0.5, 1.0), (1e-2, 1e-3, 1e-4)))
    steps = np.unique(np.round(np.geomspace(1, 1e8, 500)))
    peak = 3 * (cells[:, 0] * cells[:, 1]) ** exponent
    top = 0.9 + drop * np.log10(cells[:, 1] / 1e-2)
    test = top[:, None] * np.minimum(1, 0.2 + 0.8 * steps / peak[:, None])
    nothing = np.full(test.shape, np.nan)
    return Curves(cells[:, 0], cells[:, 1], np.broadcast_to(steps, test.shape), test, nothing, nothing, 1)


@pytest.mark.parametrize(
    ("exponent", "drop", "slope", "gap"),
    [
        (-1.0, 0.0, "agrees", "agrees"),
        (-0.5, 0.0, "disagrees", "agrees"),
        (-1.3, 0.0, "disagrees", "agrees"),
        (-1.0, 0.02, "agrees", "disagrees"),
    ],
)
def test_other_laws_of_time_disagree(exponent, drop, slope, gap):
    setting = BY_NAME["t-star"].scales["quick"]
    found = read(made(exponent, drop), {"budget": 100, "budget_rate": 0.5}, 10)
    assert found.metrics["slope"] == pytest.approx(exponent, abs=0.03)
    verdict = verdicts(setting, [found.metrics] * 2)
    assert (verdict["slope"], verdict["gap_least"]) == (slope, gap)
    assert verdict["fixed_cost"] == "agrees"


def dense(turn, none):
    """The curves of `made` with a training loss that is least at `turn` / (rate l2), and cells without l2."""
    curves = made(-1.0)
    at = turn / (curves.rates * curves.l2)
    loss = np.abs(np.log(np.maximum(curves.steps, 1) / at[:, None]))
    rows = np.r_[0:6, 0, 3]
    l2 = np.append(curves.l2, [0.0, 0.0])
    test = curves.test[rows].copy()
    test[6:] *= none / 0.9
    return replace(curves, rates=curves.rates[rows], l2=l2, steps=curves.steps[rows], test=test, loss=loss[rows])


@pytest.mark.parametrize(
    ("turn", "none", "loss_slope", "over_none"),
    [
        (0.5, 0.85, "agrees", "agrees"),
        (0.5, 0.95, "agrees", "disagrees"),
        (1e9, 0.85, "inconclusive", "agrees"),  # the loss still falls at the end
    ],
)
def test_losses_that_turn_and_accuracies_without_l2(turn, none, loss_slope, over_none):
    found = read(dense(turn, none), {}, 10).metrics
    assert found["over_none"] == pytest.approx(0.9 - none)
    verdict = verdicts(BY_NAME["t-star"].scales["gpu"], [found] * 3)
    assert (verdict["loss_slope"], verdict["over_none"]) == (loss_slope, over_none)


def test_what_the_smallest_l2_adds_is_of_one_cell_for_each_without():
    curves = dense(0.5, 0.8)
    test = curves.test.copy()
    test[0] += 0.05  # a large l2, which is not asked
    test[2] -= 0.04  # the smallest at rate 0.5
    at = lambda test: read(replace(curves, test=test), {}, 10).metrics["over_none"]  # noqa: E731
    assert at(test) == pytest.approx((0.1 - 0.04 + 0.1) / 2)
    test[7] *= 0.1  # without l2, nothing is learnt at rate 1
    assert at(test) == pytest.approx(0.1 - 0.04)
    test[6] *= 0.1
    assert np.isnan(at(test))


def test_an_l2_that_does_nothing_is_found_to_help_as_seldom_as_is_said():
    """In one of twenty records, however many l2 are tried."""
    rng, l2 = np.random.default_rng(0), np.array([0, 0.1, 0.05, 0.02, 0.01, 5e-3, 2e-3])
    ones = np.ones(len(l2))
    steps, nothing = 10 * ones[:, None], np.nan * ones[:, None]
    (small,) = (p for p in BY_NAME["t-star"].scales["gpu"].predictions if p.metric == "over_none")

    def record():
        tests = 0.9 + 0.002 * rng.normal(size=(3, len(l2), 1))
        seeds = [read(Curves(ones, l2, steps, test, nothing, nothing, 1), {}, 10) for test in tests]
        return small.judge({"over_none": [one.metrics["over_none"] for one in seeds]}).verdict

    hits = sum(record() == "agrees" for _ in range(400))
    assert stats.binomtest(hits, 400, 0.05).pvalue > 1e-3


def test_a_loss_that_turns_at_one_time_for_all_l2_disagrees():
    curves = dense(0.5, 0.85)
    curves = replace(curves, loss=np.broadcast_to(curves.loss[0], curves.loss.shape))
    found = read(curves, {}, 10).metrics
    assert found["loss_slope"] == pytest.approx(0, abs=1e-9)
    assert verdicts(BY_NAME["t-star"].scales["gpu"], [found] * 3)["loss_slope"] == "disagrees"


@pytest.mark.parametrize(("exponent", "verdict"), [(-1.0, "disagrees"), (-1.25, "agrees"), (-1.6, "disagrees")])
def test_the_c_of_small_l2_is_twice_that_of_large(exponent, verdict):
    """Of t* ~ (rate l2)^exponent: by hand, over products of 1e-2, 5e-3, ... 5e-5, in halves at their middle."""
    found = read(made(exponent), {}, 10).metrics
    x = np.array([1e-2, 5e-3, 1e-3, 5e-4, 1e-4, 5e-5])
    expected = (x[3:].prod() / x[:3].prod()) ** ((1 + exponent) / 3)
    assert found["c_ratio"] == pytest.approx(expected, rel=0.1)  # times are known to a twelfth
    found["over_none"] = found["loss_slope"] = 0.0
    assert verdicts(BY_NAME["t-star"].scales["gpu"], [found] * 3)["c_ratio"] == verdict


def test_cells_that_do_not_train_are_left_out():
    curves = made(-1.0)
    test = curves.test.copy()
    test[0] = 0.1
    found = read(replace(curves, test=test), {}, 10)
    assert found.arrays["learns"].tolist() == [False] + [True] * 5
    assert found.metrics["slope"] == pytest.approx(-1, abs=0.03)


@pytest.mark.parametrize("learn", [0, 1, 2])
def test_a_catapult_without_cells_to_compare_is_none(learn, tmp_path, monkeypatch):
    """`learn` of three cells come to training accuracy 1, and those are alike."""
    curves = made(-1.0)
    rows = np.arange(6)[:, np.newaxis] < learn
    there = np.where(rows, np.minimum(1, curves.steps / 100), 0.5)
    curves = replace(curves, test=0.5 * there, train=there, loss=1 - there)
    monkeypatch.setattr(scaling, "train", lambda *_: curves)
    monkeypatch.setattr(scaling, "images", lambda *_: None)
    found = scaling.catapult({}, 0, Context(tmp_path)).metrics
    assert np.isnan(found["late_over_early"])
    assert found["early_spread"] == 0 if learn == 2 else np.isnan(found["early_spread"])

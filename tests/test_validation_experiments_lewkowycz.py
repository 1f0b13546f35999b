"""The experiments on L2 and time at a toy size, and data for which their predictions must fail."""

import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from PIL import Image

from linreg_dyn import ntk
from tests.toy_settings import check, measured, verdicts
from validation.context import Context
from validation.core import SCALES
from validation.experiments.guess import seconds, size
from validation.experiments.lewkowycz import EXPERIMENTS, optimal, scaling
from validation.experiments.lewkowycz.cells import Curves, alone, first_time, grid, images, steps_of, times, train
from validation.experiments.lewkowycz.kernel import read as read_kernel
from validation.experiments.lewkowycz.scaling import read

BY_NAME = {experiment.id.removeprefix("lewkowycz."): experiment for experiment in EXPERIMENTS}
FC = {"name": "fc", "width": 16, "depth": 2}
DIGITS = {"data": "digits", "train": 48, "rest": True, "batch_size": 48}
CNN = {"model": {"name": "lewkowycz_cnn", "width": 8, "dense": 16, "pool": 2}} | DIGITS
WRN = {"model": {"name": "wide_resnet", "depth": 10, "widen": 1, "weight_std": 1.0}} | DIGITS
TWO = {"cells": [[0.2, 0.02], [0.2, 0.01], [0.2, 0.0]], "horizon": 0.1, "budget_rate": 0.2, "without": {"epochs": 10}}
LONGER = TWO | {"horizon": 0.5}
SHORT = {"model": FC, "budgets": [20, 40], "l2": [0.1, 0.01, 0.001]}
TOY = {
    "t-star": ("quick", {"model": FC, "train": 48, "horizon": 0.3}),
    "t-star-wrn": ("gpu", WRN | TWO),
    "t-star-cnn": ("gpu", CNN | LONGER),
    "t-star-cnn-bn": ("gpu", CNN | {"model": CNN["model"] | {"norms": "all"}} | LONGER),
    "momentum-augmentation": ("gpu", WRN | TWO | {"horizon": 0.02}),
    "lambda-pred": ("quick", SHORT),
    "lambda-pred-kernel": (
        "quick",
        SHORT | {"model": FC | {"parameterisation": "ntk", "weight_std": 1.4, "bias": False}},
    ),
    "auto-l2": ("quick", {"model": FC, "steps": 60, "l2": [0.001, 0.0001]}),
    "auto-l2-schedule": ("gpu", WRN | {"epochs": 10, "l2": [0.001]}),
    "fixed-budget": ("gpu", WRN | {"epochs": 10, "constant": 0.01, "l2": [0.001, 0.0005]}),
    "kernel-vs-network": ("quick", {"train": 20, "model": None, "kernel_width": 64, "time": 5.0}),
    "train-accuracy-time": ("quick", {"model": FC, "train": 32, "time": 800.0, "cells": grid((1, 2), (1e-4, 1e-3))}),
    "mse-catapult": (
        "gpu",
        DIGITS | {"model": FC | {"width": 64}, "steps": 300, "cells": grid((0.02, 0.05), (0.001,))},
    ),
    "narrow": ("gpu", DIGITS | {"model": FC, "steps": 40}),
}

UNLEARNT = {  # augmented so much, these few images are not learnt: no t* makes a slope
    "momentum-augmentation": {"slope", "c_ratio"},
    "t-star": {"loss_slope"},  # so short, the training loss still falls
    "narrow": {"slope_above", "slope_below"},  # the best l2 is the largest or the smallest
}

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.mark.parametrize("name", TOY)
def test_toy_runs_measure_what_is_predicted(name, tmp_path):
    scale, changes = TOY[name]
    experiment = BY_NAME[name]
    if changes.get("model", FC) is None:
        changes = changes | {"model": experiment.scales[scale].values["model"] | {"width": 64}}
    setting, found = measured(experiment, scale, tmp_path, **changes)
    check(experiment, setting, found, without=UNLEARNT.get(name, ()))
    again = experiment.measure(setting.values, 0, Context(tmp_path, deadline=0.0))  # all parts are kept
    assert again.metrics == pytest.approx(found.metrics, nan_ok=True)


def test_every_experiment_has_a_toy_and_says_how_it_differs():
    assert set(TOY) | {"imagenet"} == set(BY_NAME)
    for experiment in EXPERIMENTS:
        assert set(experiment.scales) <= set(SCALES)
        for scale in ("quick", "gpu"):
            assert scale not in experiment.scales or experiment.scales[scale].differs


def test_grids_and_lengths():
    assert grid((0.1, 1), (0, 0.01, 1), 1e-3, 0.1) == [[0.1, 0], [0.1, 0.01], [0.1, 1], [1, 0], [1, 0.01]]
    assert steps_of({"steps": 7, "horizon": 1}, 1, 1, 1) == 7
    assert steps_of({"epochs": 2}, 1, 1, 5) == 10
    assert steps_of({"time": 3.0}, 0.5, 1, 5) == 6
    values = {"horizon": 2.0, "without": {"epochs": 30}}
    assert steps_of(values, 0.5, 0.1, 3) == 120
    assert steps_of(values, 0.5, 0.0, 3) == 90
    assert steps_of(values | {"without": {"time": 30.0}}, 0.5, 0.0, 3) == 60
    at = times(1, 1000)
    assert at[0] == 1
    assert at[-1] == 1000
    assert max(b / a for a, b in pairwise(at[30:])) < 1.13


def test_lengths_are_those_of_the_paper():
    """SM A, in epochs: 0.1 / (eta lambda), 4000 at most, but for one cell; 10,000, 10^6 / eta and so on without L2."""

    def lengths(name, per_epoch):
        values = BY_NAME[name].scales["paper"].values
        return {(r, x): steps_of(values, r, x, per_epoch) / per_epoch for r, x in values["cells"]}

    wide = lengths("t-star-wrn", 48)
    assert wide.pop((0.2, 6.25e-5)) == 8000
    assert {n for (_, l2), n in wide.items() if l2 == 0} == {10_000}
    assert max(n for (_, l2), n in wide.items() if l2) == 4000
    dense = lengths("t-star", 1)
    assert dense[0.0025, 0] == 4e8
    assert max(n for (_, l2), n in dense.items() if l2) == 2e7
    for name, epochs in (("t-star-cnn", 21_000), ("t-star-cnn-bn", 9500)):
        assert lengths(name, 390)[0.01, 0] == epochs


def test_unused_images_are_the_test(tmp_path):
    data = images(DIGITS | {"data": "digits"}, Context(tmp_path), 3)
    assert (len(data.y_train), len(data.y_test)) == (48, 1797 - 48)
    whole = images({"data": "digits"}, Context(tmp_path), 0)

    def labelled(part):
        both = [(part.x_train, part.y_train), (part.x_test, part.y_test)]
        return sorted(pair for x, y in both for pair in zip(map(bytes, x), y.tolist(), strict=True))

    assert labelled(data) == labelled(whole)


def test_first_times():
    steps, there = np.array([[1, 2, 4], [1, 3, 9]]), np.array([[False, True, False], [False] * 3])
    np.testing.assert_array_equal(first_time(steps, there), [2, np.nan])


def test_sweeps_and_single_runs_are_alike(tmp_path):
    """Dense nets train as members of a sweep, others by themselves: both on one network."""
    values = DIGITS | {"model": FC, "loss": "lewkowycz_softmax", "cells": [[1.0, 0.01], [2.0, 0.01]], "steps": 12}
    context = Context(tmp_path)
    data = images(values, context, 0)
    together = train(values, data, 0, context)
    for k, (rate, l2) in enumerate(values["cells"]):
        single = alone(values, data, 0, context, f"single-{k}", 12, rate, l2)
        assert single["steps"][0] == 0
        single = {key: values[1:] for key, values in single.items()}
        np.testing.assert_array_equal(single["steps"], together.steps[k])
        np.testing.assert_allclose(single["loss"][-1], together.loss[k, -1], rtol=1e-4)
        assert np.isnan(single["loss"][:-1]).all()
        assert single["train"][-1] == pytest.approx(together.train[k, -1], abs=1e-6)
        np.testing.assert_allclose(single["test"], together.test[k], atol=2e-3)


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


WILD = CNN | {"batch_size": 2, "loss": "softmax", "steps": 40, "cells": [[1e30, 0.01], [0.01, 0.01], [0.01, 0.02]]}


def test_a_run_that_diverges_at_once_is_a_result(tmp_path):
    """Before its first measurement in training: what is left is the network that it began with."""
    context = Context(tmp_path)
    curves = train(WILD, images(WILD, context, 0), 0, context)
    first = curves.test[1, 0]  # all begin with the same weights
    assert (curves.steps[0, 0], curves.test[0, 0], curves.best()[0]) == (0, first, first)
    assert np.isnan(curves.test[0, 1:]).all()
    found = read(curves, WILD, 10)
    assert not found.arrays["learns"][0]
    assert np.isnan(found.arrays["t_star"][0])
    assert (found.arrays["t_star"][1:] > 0).all()
    assert np.isfinite(found.metrics["gap_least"])


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


@pytest.mark.parametrize(
    ("peaks", "learnt", "wrong"),
    [
        ((1000, 1000, 1000, 1000, 100, 10), 0.9, set()),
        ((4000, 1000, 1000, 1000, 100, 10), 0.9, {"time_over_none"}),
        ((1000, 1000, 1000, 1000, 1000, 1000), 0.9, {"slope_above"}),
        ((1000, 1e5, 1e4, 1000, 100, 10), 0.9, {"slope_below", "time_over_none"}),
        ((1000, 1000, 1000, 1000, 100, 10), 1.0, {"learnt_then"}),
    ],
)
def test_predictions_of_narrow_networks_can_fail(peaks, learnt, wrong, tmp_path, monkeypatch):
    l2 = np.array([0, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2])
    steps = np.tile(np.unique(np.round(np.geomspace(1, 1e6, 400))), (6, 1))
    top = np.array([0.4, 0.4, 0.4, 0.5, 0.4, 0.3])[:, None]
    test = top * np.minimum(1, 0.2 + 0.8 * steps / np.array(peaks)[:, None])
    train = np.where(steps < np.array(peaks)[:, None] / 2, 0.5, learnt)
    curves = Curves(np.full(6, 0.1), l2, steps, test, train, train, 1)
    monkeypatch.setattr(scaling, "train", lambda *_: curves)
    monkeypatch.setattr(scaling, "images", lambda *_: None)
    found = scaling.narrow({}, 0, Context(tmp_path)).metrics
    seen = verdicts(BY_NAME["narrow"].scales["gpu"], [found] * 3)
    assert {name for name, verdict in seen.items() if verdict == "disagrees"} == wrong


def theory(degree, t, seed=0):
    rng = np.random.default_rng(seed)
    gamma, y = np.geomspace(20, 0.5, 30), rng.normal(size=30)
    f = ntk.mode_solution(t[:, None], gamma, 0.0, y, l2=0.05, degree=degree)
    return 0.5 * np.square(f - y).sum(1)


@pytest.mark.parametrize(("degree", "agrees"), [(2, True), (1, False), (4, False)])
def test_the_degree_of_the_network_is_told(degree, agrees):
    t = np.append(0, np.geomspace(0.01, 60, 300))
    found = read_kernel(t, theory(degree, t), theory(1, t), theory(2, t))
    assert (
        set(verdicts(BY_NAME["kernel-vs-network"].scales["quick"], [found.metrics] * 2).values()) == {"agrees"}
    ) == (agrees)


def test_a_network_that_diverged_has_no_numbers():
    t = np.linspace(0, 1, 5)
    loss, theory = np.array([1.0, 0.5, 0.4, 3.0, 1e30]), np.array([1.0, 0.5, 0.4, 0.6, 0.9])
    assert all(math.isfinite(x) for x in read_kernel(t, loss, theory, theory).metrics.values())
    for curve, diverged in ((loss, True), (np.append(loss[:-1], np.inf), False)):
        found = read_kernel(t, curve, theory, theory, diverged=diverged)
        assert all(math.isnan(x) for x in found.metrics.values())


def test_a_network_that_diverges_does_not_have_a_loss_that_grows(tmp_path):
    """Cut short with finite measurements: its growing loss is no evidence of anything."""
    model = BY_NAME["kernel-vs-network"].scales["quick"].values["model"] | {"width": 64}
    changes = {"train": 20, "model": model, "kernel_width": 64, "l2": 410.0, "time": 5.0}  # |1 - rate l2| > 1
    setting, found = measured(BY_NAME["kernel-vs-network"], "quick", tmp_path, **changes)
    assert np.isfinite(found.arrays["network"]).all()
    assert found.arrays["t"][-1] < 5
    assert found.arrays["network"][-1] > 10 * found.arrays["network"].min()
    assert verdicts(setting, [found.metrics] * 3)["rises"] == "inconclusive"


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


def test_imagenet_is_asked_for_by_name(tmp_path):
    experiment = BY_NAME["imagenet"]
    values = experiment.scales["paper"].values
    with pytest.raises(FileNotFoundError, match="--data-dir must name a folder with imagenet/train"):
        experiment.measure(values, 0, Context(tmp_path))
    with pytest.raises(FileNotFoundError, match="imagenet/train must hold a folder of images"):
        experiment.measure(values, 0, Context(tmp_path, data_dir=tmp_path))


def test_imagenet_is_measured_where_it_is(tmp_path):
    rng = np.random.default_rng(0)
    for part in ("train", "val"):
        for label in ("cat", "dog"):
            folder = tmp_path / "imagenet" / part / label
            folder.mkdir(parents=True)
            for k in range(4):
                Image.fromarray(rng.integers(0, 256, (9, 8, 3), dtype=np.uint8)).save(folder / f"{k}.png")
    changes = {"model": {"name": "fc", "width": 8, "depth": 1}, "side": 8, "batch_size": 4, "epochs": 3.0}
    values = BY_NAME["imagenet"].scales["paper"].values | changes | {"cells": grid((0.1, 0.2), (0.1, 0.2))}
    run = BY_NAME["imagenet"].measure(values, 0, Context(tmp_path / "work", data_dir=tmp_path))
    assert run.arrays["best"].shape == (4,)
    assert "diagonal_over_all" in run.metrics

"""The experiments on L2 and time at a toy size, and data for which their predictions must fail."""

import math
from itertools import pairwise

import numpy as np
import pytest
from PIL import Image

from linreg_dyn import ntk
from tests.toy_settings import check, measured, verdicts
from validation import fetch
from validation.context import Context
from validation.core import SCALES
from validation.data import VARIABLE
from validation.experiments.lewkowycz import EXPERIMENTS, scaling
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
    "momentum-augmentation": {"slope", "c_ratio", "over_none"},
    "t-star-wrn": {"over_none"},  # nor are they without l2, for which there are ten steps
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


def test_imagenet_is_asked_for_by_name(tmp_path):
    experiment = BY_NAME["imagenet"]
    values = experiment.scales["paper"].values
    with pytest.raises(ValueError, match=r"imagenet\.npz or folders imagenet/train and /val beside it"):
        experiment.measure(values, 0, Context(tmp_path, data_dir=tmp_path))


def test_imagenet_is_measured_where_it_is(tmp_path, monkeypatch):
    """In the folder of the environment's variable, as every set of images."""
    monkeypatch.setattr(fetch, "cache", lambda: tmp_path / "cache")
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    rng = np.random.default_rng(0)
    for part in ("train", "val"):
        for label in ("cat", "dog"):
            folder = tmp_path / "imagenet" / part / label
            folder.mkdir(parents=True)
            for k in range(4):
                Image.fromarray(rng.integers(0, 256, (9, 8, 3), dtype=np.uint8)).save(folder / f"{k}.png")
    changes = {"model": {"name": "fc", "width": 8, "depth": 1}, "batch_size": 4, "epochs": 3.0}
    values = BY_NAME["imagenet"].scales["paper"].values | changes | {"cells": grid((0.1, 0.2), (0.1, 0.2))}
    run = BY_NAME["imagenet"].measure(values, 0, Context(tmp_path / "work"))
    assert run.arrays["best"].shape == (4,)
    assert "diagonal_over_all" in run.metrics

"""Time Matters: every experiment at a toy size, windows and metrics against what the paper says, and false networks."""

from fnmatch import fnmatchcase

import numpy as np
import pytest
from scipy import stats

from linreg_dyn import claims
from linreg_dyn.schedules import as_schedule
from tests.toy_settings import FC, check, measured, verdicts
from validation.catalogue import KNOWN
from validation.context import Context, OutOfTime
from validation.core import Measured
from validation.experiments import golatkar
from validation.experiments.golatkar import measures
from validation.experiments.golatkar.predictions import DIFFERENCES
from validation.experiments.golatkar.settings import RUNS, STEPS

BY_ID = {experiment.id.removeprefix("golatkar."): experiment for experiment in golatkar.EXPERIMENTS}
TOY = {"data": "digits", "train": 48, "test": 300, "model": FC | {"width": 16}, "batch": 24, "unit": 1, "every": 50}
TOY |= {"precision": "float32"}
REGULARISERS = ("weight-decay", "augmentation")
VARIANTS = ("all-cnn", "no-norm", "piecewise", "cifar100", "svhn", "imagenet")


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.mark.parametrize("name", sorted(BY_ID))
def test_every_figure_runs_at_every_scale(name, tmp_path):
    experiment = BY_ID[name]
    for scale, setting in experiment.scales.items():
        values = setting.values
        for run in values["runs"]:
            regulariser = values.get("regularisers", [values.get("regulariser")])[0]
            found = measures.recipe(values | {"regulariser": regulariser}, run, 0)
            assert found.steps % values["unit"] == 0
        if scale == "paper" or name.endswith(VARIANTS):
            continue  # the same code with more windows, or another network or dataset
        few = {"images": 8} if "images" in values else {}
        check(experiment, *measured(experiment, scale, tmp_path / scale, **TOY, **few))


@pytest.mark.parametrize("regulariser", ["weight_decay", "augmentation", "mixup"])
def test_the_regulariser_alone_has_the_window(regulariser):
    strength = {"weight_decay": 0.5, "augmentation": 1.0, "mixup": 0.3}
    values = BY_ID["weight-decay-interrupted"].scales["gpu"].values | {"regulariser": regulariser, "unit": 2}
    found = measures.recipe(values | {"strength": strength}, "sliding-50", 0)
    parts = {"weight_decay": found.l2, "augmentation": found.augment.crop, "mixup": found.augment.mixup}
    assert found.augment.flip == found.augment.crop
    for name, part in parts.items():
        seen = [as_schedule(part, zero=True).at(2 * epoch) for epoch in (49, 50, 99, 100)]
        full = strength[name]
        assert seen == ([0.0, full, full, 0.0] if name == regulariser else [full] * 4)


def test_runs_are_those_of_the_paper_and_late_ones_are_longer():
    assert len(RUNS["interrupted"]) == 9
    epochs = {run: measures.window(run, 1.0, 3)[1] // 3 for kind in RUNS.values() for run in kind}
    assert {run for run, n in epochs.items() if n != 200} == {
        *("delayed-150", "delayed-175", "sliding-125", "sliding-150", "sliding-175")
    }
    on, _ = measures.window("interrupted-100", 0.1, 3)
    assert (on.at(299), on.at(300)) == (0.1, 0.0)


def test_the_rate_falls_by_the_paper_s_factor_in_the_paper_s_epochs():
    for scale, setting in BY_ID["weight-decay-interrupted"].scales.items():
        rate = measures.recipe(setting.values, "interrupted-0", 0).learning_rate
        unit = setting.values["unit"]
        assert as_schedule(rate).at(unit - 1) == 0.1, scale
        assert as_schedule(rate).at(100 * unit) == pytest.approx(0.1 * 0.97**100, rel=1e-12)


# What each sentence is about, of all experiments; where none are named, what the name begins with.
RESTS_ON = {
    "zero-training-error": {f"{kind}-interrupted{net}" for kind in REGULARISERS for net in ("", "-all-cnn")},
    "early-removal": {"weight-decay-interrupted-all-cnn", "weight-decay-interrupted-no-norm"},
    "delay-of-50": {"weight-decay-delayed"},
    "short-window": {"weight-decay-sliding", "weight-decay-sliding-all-cnn"},
    "sliding-window-augmentation": {
        name for name in BY_ID if name.startswith("augmentation-sliding") and "no-norm" not in name
    },
    "regularisers": {"regularisers"},
    "constant-rate": {"constant-rate"},
    "window-at-50": {"weight-norm"},
    "fisher-final": {"fisher"},
    "augmentation-no-norm": {"augmentation-sliding-no-norm"},
    "interrupted": {name for name in BY_ID if "-interrupted" in name} - {"mixup-interrupted"},
    "delayed": {name for name in BY_ID if "-delayed" in name},
    "sliding-window": {name for name in BY_ID if name.startswith("weight-decay-sliding")},
}


@pytest.mark.parametrize("scale", ["gpu", "paper"])
@pytest.mark.parametrize("claim", [claim for claim in claims.select(["golatkar"]) if claim.measurement])
def test_a_claim_rests_on_the_experiments_that_its_sentence_is_about(claim, scale):
    rests_on = claim.measurement.measure.__self__
    judged = {
        (name, p.metric)
        for name, experiment in BY_ID.items()
        if scale in experiment.scales
        for p in experiment.scales[scale].predictions
        if p.expected and rests_on.about(experiment.id, p.metric, p.claim)
    }
    found = {name for name, _ in judged}
    only_paper = {name for name in BY_ID if rests_on.has(f"golatkar.{name}") and "gpu" not in BY_ID[name].scales}
    name = claim.id.removeprefix("golatkar.")
    assert found == RESTS_ON.get(name, found) - (only_paper if scale == "gpu" else set())
    assert len(found | only_paper) == rests_on.of
    for pattern in rests_on.metrics:
        assert any(fnmatchcase(metric, pattern) for _, metric in judged), pattern
    assert "helps" not in {metric for _, metric in judged}


def test_what_is_predicted_is_trained():
    for experiment in BY_ID.values():
        for setting in experiment.scales.values():
            for p in setting.predictions if experiment.measure is measures.timing else ():
                for metric in filter(None, (p.metric, p.presupposes)):
                    assert set(DIFFERENCES.get(metric, ())) <= set(setting.values["runs"]), experiment.id


def test_windows_that_nothing_is_predicted_of_are_trained_at_scale_paper_alone():
    for name in ("mixup-interrupted", "weight-decay-sliding", "augmentation-sliding"):
        quick, paper = (BY_ID[name].scales[scale].values["runs"] for scale in ("quick", "paper"))
        assert len(quick) == 2
        assert "interrupted-0" not in quick
        assert "interrupted-0" in paper
    assert "interrupted-0" in BY_ID["weight-decay-delayed"].scales["quick"].values["runs"]  # "it helps" is presupposed


@pytest.mark.parametrize(("kind", "metric"), [("interrupted", "half"), ("delayed", "late"), ("sliding", "one_window")])
def test_that_nothing_is_lost_presupposes_that_weight_decay_helps(kind, metric):
    setting, rest = BY_ID[f"weight-decay-{kind}"].scales["gpu"], dict.fromkeys(DIFFERENCES, 0.0) | {"train_error": 0.0}

    def found(*helps):
        return verdicts(setting, [rest | {"helps": x} for x in helps])[metric]

    assert found(-0.003, 0.02, 0.01, 0.02, 0.01) == "agrees"  # in the mean it does
    assert found(-0.02, 0.02, 0.01, -0.01, 0.01) == "inconclusive"  # which is no evidence that it does
    assert found(-0.02, -0.02, -0.01, -0.02, -0.01) == "inconclusive"


@pytest.mark.parametrize("scale", ["gpu", "paper"])
def test_shares_presuppose_that_there_is_something_to_share(scale):
    setting = BY_ID["regularisers"].scales[scale]
    for worth, verdict in ((0.02, "agrees"), (0.0, "inconclusive"), (-0.02, "inconclusive")):
        assert (
            verdicts(setting, [{"worth_more": 0.0, "worth_least": worth, "lost_more": 1e-4}] * 3)["lost_more"]
            == verdict
        )
    fisher = BY_ID["fisher"].scales[scale]
    rest = {p.metric: 0.0 for p in fisher.predictions}
    for change, verdict in ((0.5, "agrees"), (1.5, "disagrees"), (-1.5, "disagrees")):
        ends = {"peak_raised": 10.0, "final_above": change - 1, "final_below": change + 1}
        found = verdicts(fisher, [rest | ends] * 3)
        assert verdict == (found["final_above"] if change > 0 else found["final_below"])
        none = verdicts(fisher, [rest | ends | {"peak_raised": x} for x in (-1.0, 0.0, 1.0)])
        assert {none[name] for name in ("final_above", "final_below")} == {"inconclusive"}


def test_weight_decay_that_works_late_and_not_early_disagrees():
    """A network for which the paper were wrong: what weight decay does at the end is all that counts."""
    true = {"helps": 0.02, "train_error": 0.0}
    wrong = {"half": -0.02, "late": 0.02, "from_50": 0.02, "delay_costs": 0.0}
    wrong |= {"early_window": -0.02, "late_window": 0.02, "one_window": -0.02}
    right = dict.fromkeys(wrong, 0.0) | {"delay_costs": 0.02, "early_window": 0.02}
    rng = np.random.default_rng(0)
    for kind in ("interrupted", "delayed", "sliding"):
        setting = BY_ID[f"weight-decay-{kind}"].scales["gpu"]
        for ends, verdict in ((wrong, "disagrees"), (right, "agrees")):
            rows = [{name: x + rng.normal(0, 1e-4) for name, x in (true | ends).items()} for _ in range(3)]
            found = verdicts(setting, rows)
            assert {name: "agrees" if name in true else verdict for name in found} == found


def test_a_final_value_that_correlates_better_disagrees():
    setting = BY_ID["fisher"].scales["gpu"]
    wrong = {"pearson_peak": 0.2, "pearson_final": 0.9, "peak_over_final": -0.7, "peak_ratio": 0.9}
    rest = {"peak_raised": 10.0, "final_above": -1.0, "final_below": 1.0}
    rows = [rest | {name: number + x for name, number in wrong.items()} for x in (0, 0.01, 0.02)]
    found = verdicts(setting, rows)
    assert {name: found[name] for name in wrong} == dict.fromkeys(wrong, "disagrees")


@pytest.mark.parametrize("scale", ["gpu", "paper"])
def test_a_correlation_that_is_not_there_has_p_above_a_twentieth(scale):
    """Without one, (1 + r) / 2 of n normal pairs is a Beta(n/2 - 1, n/2 - 1) variable."""
    setting = BY_ID["fisher"].scales[scale]
    (p,) = (p for p in setting.predictions if p.metric == "pearson_final")
    half = len(setting.values["runs"]) / 2 - 1
    steps = 5e-4 * float(stats.beta.pdf((1 + p.high) / 2, half, half))  # of the rounding to three digits, in both tails
    assert 2 * float(stats.beta.sf((1 + p.high) / 2, half, half)) == pytest.approx(0.05, abs=steps)
    assert p.low == -p.high


def test_epochs_have_the_steps_of_their_data():
    for data, steps in STEPS.items():
        images = 1_281_167 if data == "imagenet" else sum(KNOWN[data].counts)
        assert steps == images // 128
    svhn, cifar = (BY_ID[f"weight-decay-interrupted{x}"].scales for x in ("-svhn", ""))
    assert svhn["paper"].values["unit"] == 572
    assert svhn["gpu"].values["unit"] * 200 == pytest.approx(30 * 572, rel=0.005)
    for scales in (svhn, cifar):
        gpu, paper = (scales[scale].values for scale in ("gpu", "paper"))
        assert acts(gpu, "interrupted-200", 0, 200) == pytest.approx(acts(paper, "interrupted-200", 0, 200), rel=0.02)


def test_a_run_that_diverges_makes_the_verdict_inconclusive(tmp_path):
    experiment = BY_ID["weight-decay-interrupted"]
    strength = {"weight_decay": 1e6, "augmentation": 0.0, "mixup": 0.0}
    setting, found = measured(experiment, "gpu", tmp_path, **TOY, strength=strength)
    assert np.isnan(found.metrics["half"])
    assert verdicts(setting, [found.metrics] * 3)["half"] == "inconclusive"
    lost = {"half", "helps", "accuracy_interrupted-100", "accuracy_interrupted-200", "train_error"}
    check(experiment, setting, found, without=lost)


def acts(values, run, first, last):
    """rate x decay x steps of a run between two epochs, of updates ten times the gradient by momentum."""
    how = measures.recipe(values, run, 0)
    steps = np.arange(first * values["unit"], last * values["unit"])
    return float((as_schedule(how.learning_rate).at(steps) * as_schedule(how.l2, zero=True).at(steps)).sum()) * 10


def test_reasons_for_what_is_not_expected_are_as_they_say():
    quick, gpu = (BY_ID["weight-norm"].scales[scale].values for scale in ("quick", "gpu"))
    assert acts(quick, "delayed-100", 100, 200) == pytest.approx(0.06, abs=0.005)
    assert acts(quick, "sliding-0", 0, 200) == pytest.approx(1.0, abs=0.05)
    assert acts(quick, "sliding-25", 0, 200) == pytest.approx(0.5, abs=0.05)
    paper = BY_ID["weight-norm"].scales["paper"].values
    assert acts(gpu, "sliding-0", 0, 200) == pytest.approx(acts(paper, "sliding-0", 0, 200), rel=0.02)
    judged = {p.metric: p for p in BY_ID["weight-norm"].scales["quick"].predictions}
    assert not judged["early_over_later_window"].expected
    assert judged["early_window"].expected


def test_no_training_is_counted_twice():
    for name in ("fisher", "effective-rate"):
        for setting in BY_ID[name].scales.values():
            epochs = setting.values["unit"] * np.arange(250)
            seen = [
                tuple(as_schedule(measures.recipe(setting.values, run, 0).l2, zero=True).at(epochs).tolist())
                for run in setting.values["runs"]
            ]
            assert len(set(seen)) == len(seen)


def test_paths_go_on_after_an_interruption(tmp_path):
    experiment = BY_ID["paths"]
    setting, whole = measured(experiment, "quick", tmp_path / "a", **TOY | {"every": 100})

    class Late(Context):
        left = 7

        def check_time(self):
            self.left -= 1
            if self.left < 0:
                raise OutOfTime

    for _ in range(100):
        try:
            found = experiment.measure(setting.values, 0, Late(tmp_path / "b"))
            break
        except OutOfTime:
            continue
    assert isinstance(found, Measured)
    assert found.metrics == whole.metrics

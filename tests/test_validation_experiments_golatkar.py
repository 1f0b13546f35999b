"""Time Matters: every experiment at a toy size, windows and metrics against what the paper says, and false networks."""

from fnmatch import fnmatchcase
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from scipy import stats

from linreg_dyn import claims
from linreg_dyn.schedules import as_schedule
from tests.toy_settings import FC, check, measured, verdicts
from validation.batches import Augment, Batches
from validation.catalogue import KNOWN
from validation.context import Context, OutOfTime
from validation.core import Measured
from validation.data import load
from validation.experiments import golatkar
from validation.experiments.common import network
from validation.experiments.golatkar import measures
from validation.experiments.golatkar.predictions import DIFFERENCES, IF_IT_HELPS
from validation.experiments.golatkar.settings import RUNS, STEPS
from validation.experiments.runs import pearson, stacked, train
from validation.measure.curvature import fisher_trace
from validation.train import Recipe, fit

BY_ID = {experiment.id.removeprefix("golatkar."): experiment for experiment in golatkar.EXPERIMENTS}
TOY = {"data": "digits", "train": 48, "test": 300, "model": FC | {"width": 16}, "batch": 24, "unit": 1, "every": 50}
TOY |= {"precision": "float32"}
REGULARISERS = ("weight-decay", "augmentation")
VOID = (
    *IF_IT_HELPS,
    "final_effect",
    "lost_weight_decay",
    "lost_augmentation",
    "lost_more",
)  # where the regulariser does nothing, as in toys
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
        check(experiment, *measured(experiment, scale, tmp_path / scale, **TOY, **few), without=VOID)


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
                assert set(DIFFERENCES.get(p.metric, ())) <= set(setting.values["runs"]), experiment.id


def test_differences_are_taken_of_the_runs_that_they_name(tmp_path, monkeypatch):
    ends = {"interrupted-0": 0.5, "interrupted-100": 0.8, "interrupted-200": 0.9, "delayed-100": 0.55}
    ends |= {"sliding-0": 0.7, "sliding-100": 0.6}
    monkeypatch.setattr(measures, "trained", lambda *_, **__: {run: _curve(end) for run, end in ends.items()})
    values = {"unit": 1, "regulariser": "weight_decay"}
    found = measures.timing(values, 0, Context(tmp_path)).metrics
    expected = {"helps": 0.4, "half": -0.1, "late": 0.05, "early_window": 0.1, "late_window": 0.1, "one_window": -0.2}
    assert {name: found[name] for name in expected} == pytest.approx(expected)
    assert found["train_error"] == pytest.approx(0.25)
    assert "from_50" not in found


@pytest.mark.parametrize("regulariser", ["weight_decay", "mixup"])
def test_what_does_not_help_loses_nothing_when_it_is_left_out(regulariser, tmp_path, monkeypatch):
    """Which says nothing of when it would matter; that mixup helps is no part of what is said of it."""
    ends = {"interrupted-0": 0.9, "interrupted-100": 0.9, "interrupted-200": 0.9, "delayed-100": 0.9}
    ends |= {"sliding-0": 0.9, "sliding-100": 0.8}
    monkeypatch.setattr(measures, "trained", lambda *_, **__: {run: _curve(end) for run, end in ends.items()})
    found = measures.timing({"unit": 1, "regulariser": regulariser}, 0, Context(tmp_path)).metrics
    assert np.isnan([found[name] for name in ("half", "late", "one_window")]).all() == (regulariser == "weight_decay")
    assert found["early_window"] == pytest.approx(0.1)


def _curve(accuracy, norm=(4.0, 2.0, 1.0)):
    steps = np.arange(len(norm)) * 100
    curve = {"steps": steps, "test_accuracy": np.full(len(norm), accuracy), "squared_norm": np.array(norm)}
    return curve | {"train_accuracy": np.array(0.75)}


def test_the_effective_rate_is_the_rate_over_the_squared_norm(tmp_path, monkeypatch):
    curves = {"interrupted-0": _curve(0.5, (4.0, 2.0, 1.0)), "interrupted-200": _curve(0.9, (4.0, 2.0, 0.5))}
    monkeypatch.setattr(measures, "trained", lambda *_, **__: curves)
    values = {"unit": 1, "rate": 0.1}
    found = measures.effective_rate(values, 0, Context(tmp_path))
    np.testing.assert_allclose(found.arrays["initial"], [0.025, 0.025])
    np.testing.assert_allclose(found.arrays["final_rate"], [0.1, 0.2])
    assert np.isnan(found.metrics["pearson_initial"])  # they do not differ, so nothing correlates
    assert found.metrics["pearson_final"] == pytest.approx(1.0)


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
    wrong = {"pearson_peak": 0.2, "pearson_final": 0.9, "peak_over_final": -0.7, "peak_ratio": 0.9, "final_effect": 0.2}
    rows = [{name: number + x for name, number in wrong.items()} for x in (0, 0.01, 0.02)]
    assert verdicts(setting, rows) == dict.fromkeys(wrong, "disagrees")


@pytest.mark.parametrize("scale", ["gpu", "paper"])
def test_a_correlation_that_is_not_there_has_p_above_a_twentieth(scale):
    """Without one, (1 + r) / 2 of n normal pairs is a Beta(n/2 - 1, n/2 - 1) variable."""
    setting = BY_ID["fisher"].scales[scale]
    (p,) = (p for p in setting.predictions if p.metric == "pearson_final")
    half = len(setting.values["runs"]) / 2 - 1
    steps = 5e-4 * float(stats.beta.pdf((1 + p.high) / 2, half, half))  # of the rounding to three digits, in both tails
    assert 2 * float(stats.beta.sf((1 + p.high) / 2, half, half)) == pytest.approx(0.05, abs=steps)
    assert p.low == -p.high


def test_the_end_of_the_fisher_information_is_told_in_its_peak(tmp_path, monkeypatch):
    traces = {"interrupted-0": [9, 2, 4, 1], "interrupted-100": [9, 3, 12, 2], "interrupted-200": [9, 6, 12, 7]}
    curves = {run: _curve(0.5 + k, (1,) * 4) | {"fisher.value": traces[run]} for k, run in enumerate(traces)}
    monkeypatch.setattr(measures, "trained", lambda *_, **__: curves)
    found = measures.fisher({"unit": 1}, 0, Context(tmp_path)).metrics
    assert (found["peak_ratio"], found["final_effect"]) == (3, (2 - 1) / (12 - 4))
    traces["interrupted-100"][2] = 4
    assert np.isnan(measures.fisher({"unit": 1}, 0, Context(tmp_path)).metrics["final_effect"])


def test_regularisers_are_compared_by_what_they_are_worth_and_lose(tmp_path, monkeypatch):
    ends = {"weight_decay": (0.9, 0.91, 0.94), "augmentation": (0.8, 0.92, 0.94)}

    def found(values, *_, **__):
        runs = ("interrupted-0", "delayed-50", "interrupted-200")
        return {run: _curve(end) for run, end in zip(runs, ends[values["regulariser"]], strict=True)}

    monkeypatch.setattr(measures, "trained", found)
    experiment = BY_ID["regularisers"]
    values = experiment.scales["gpu"].values
    one = experiment.measure(values, 0, Context(tmp_path))
    assert one.metrics["worth_more"] == pytest.approx(0.14 - 0.04)
    assert one.metrics["lost_more"] == pytest.approx(3 / 4 - 1 / 7)
    ends["augmentation"] = (0.95, 0.9, 0.94)
    assert np.isnan(experiment.measure(values, 0, Context(tmp_path)).metrics["lost_more"])


@pytest.mark.parametrize("on", [0.0, 1.0])
def test_the_fisher_information_is_that_of_the_augmented_images(on):
    """Flipped and moved by hand, pixel by pixel."""
    data = load("digits").subset(20, 4)
    values = {"images": 5, "moves": ["flip", "crop"], "shift": 2, "strength": {"augmentation": on}}
    model = network(FC | {"width": 8}, data, 0)
    batches = Batches(data, 4, seed=0, device="cpu", augment=Augment(flip=1.0, crop=1.0, shift=2))
    watch = measures.WATCHES["fisher"](values, 3)
    images = data.x_train[:5].transpose(0, 3, 1, 2).copy()
    rng = np.random.default_rng(3)
    flips, moves = rng.random(5) < 0.5, rng.integers(0, 5, (2, 5))
    assert len(set(flips)) == 2
    for k in range(5 if on else 0):
        one = np.pad(images[k, :, :, ::-1] if flips[k] else images[k], ((0, 0), (2, 2), (2, 2)))
        images[k] = one[:, moves[0, k] : moves[0, k] + 8, moves[1, k] : moves[1, k] + 8]
    expected = fisher_trace(model, batches.normalised(torch.as_tensor(images)), seed=3)
    assert watch.see(SimpleNamespace(batches=batches, model=model)) == expected._asdict()
    assert ("moves" in watch.says) == bool(on)


def test_the_final_effective_rate_is_that_of_epoch_200_of_longer_runs_too(tmp_path, monkeypatch):
    late = _curve(0.5, (4.0, 2.0, 1.0, 0.01))
    monkeypatch.setattr(measures, "trained", lambda *_, **__: {"a": late, "b": _curve(0.9, (4.0, 2.0, 0.5))})
    found = measures.effective_rate({"unit": 1, "rate": 0.1}, 0, Context(tmp_path))
    np.testing.assert_allclose(found.arrays["final_rate"], [0.1, 0.2])


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


def test_a_run_that_diverges_has_no_training_error(tmp_path, monkeypatch):
    """Whichever it is: not only the first."""
    for wild in range(3):
        curves = {f"interrupted-{t}": _curve(0.5) | {"train_accuracy": np.array(1.0)} for t in (0, 100, 200)}
        curves[list(curves)[wild]]["train_accuracy"] = np.array(np.nan)
        monkeypatch.setattr(measures, "trained", lambda *_, found=curves, **__: found)
        assert np.isnan(
            measures.timing({"unit": 1, "regulariser": "weight_decay"}, 0, Context(tmp_path)).metrics["train_error"]
        )


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


def test_sketches_keep_distances_and_few_weights_stay():
    weights = torch.randn(2, 20_000, generator=torch.Generator().manual_seed(0))
    a, b = (measures.sketched(w, 1, size=2000) for w in weights)
    true = float((weights[0] - weights[1]).norm())
    # relative variance of a squared distance is at most 2 / size: four deviations of half of that
    assert np.linalg.norm(a - b) == pytest.approx(true, rel=4 * np.sqrt(2 / 2000) / 2)
    np.testing.assert_array_equal(measures.sketched(weights[0], 1), weights[0].numpy())


@pytest.mark.parametrize("wild", [None, *range(5)])
def test_a_path_that_diverges_ends_nowhere(wild, tmp_path, monkeypatch):
    values = BY_ID["paths"].scales["quick"].values
    rng = np.random.default_rng(1)
    curves = {run: {"path.weights": rng.normal(size=(4, 3)), "squared_norm": np.ones(4)} for run in values["runs"]}
    if wild is not None:
        curves[values["runs"][wild]]["squared_norm"] = np.array([1, 1, np.nan, np.nan])
    monkeypatch.setattr(measures, "trained", lambda *_, **__: curves)
    found = measures.paths(values, 0, Context(tmp_path)).metrics
    assert np.isfinite(found["spread_ratio"]) == (wild is None)
    parts = [values["runs"][wild]] if wild is not None else []
    used = {*values["early"], *values["late"], "interrupted-200"}
    assert np.isfinite(found["late_over_early_weight_decay"]) == (not used & set(parts))


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


def test_curves_are_what_the_trainer_says(tmp_path):
    data, how = load("digits").subset(24, 40), Recipe(5, 24, 0.1, seed=3)
    model = network(FC, data, 3)
    norms = [(weights_of(model) ** 2).sum()]
    fit(model, data, how)
    norms.append((weights_of(model) ** 2).sum())
    found = train("one", FC, data, how, Context(tmp_path), every=2)
    np.testing.assert_array_equal(found["steps"], [0, 2, 4, 5])
    np.testing.assert_allclose(found["squared_norm"][[0, -1]], norms)
    right = model(Batches(data, 24, seed=0, device="cpu").normalised(torch.as_tensor(data.x_test).permute(0, 3, 1, 2)))
    share = (right.argmax(1).numpy() == data.y_test).mean()
    assert found["test_accuracy"][-1] == pytest.approx(share)
    again = train("one", FC, data, how, Context(tmp_path), every=2)  # from the file
    np.testing.assert_array_equal(again["test_loss"], found["test_loss"])


def weights_of(model):
    return torch.cat([p.detach().flatten() for p in model.parameters()]).double().numpy()


def test_correlations():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 9))
    assert pearson(x, y) == pytest.approx(np.corrcoef(x, y)[0, 1])
    assert np.isnan(pearson(x, np.full(9, 2.0)))
    assert np.isnan(pearson(x, np.append(y[:-1], np.nan)))
    padded = stacked({"a": {"k": np.arange(2.0)}, "b": {"k": np.arange(3.0)}}, "k")
    np.testing.assert_array_equal(padded, [[0, 1, np.nan], [0, 1, 2]])

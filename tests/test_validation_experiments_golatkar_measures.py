"""Time Matters: what is measured of runs, by hand on curves that are given and on small networks."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from tests.test_validation_experiments_golatkar import BY_ID
from tests.toy_settings import FC
from validation.batches import Augment, Batches
from validation.context import Context
from validation.data import load
from validation.experiments.common import network
from validation.experiments.golatkar import measures
from validation.experiments.runs import pearson, stacked, train
from validation.measure.curvature import fisher_trace
from validation.train import Recipe, fit

pytestmark = pytest.mark.usefixtures("one_thread")


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


def test_the_end_of_the_fisher_information_is_told_in_its_peak(tmp_path, monkeypatch):
    traces = {"interrupted-0": [9, 2, 4, 1], "interrupted-100": [9, 3, 12, 2], "interrupted-200": [9, 6, 12, 7]}
    curves = {run: _curve(0.5 + k, (1,) * 4) | {"fisher.value": traces[run]} for k, run in enumerate(traces)}
    monkeypatch.setattr(measures, "trained", lambda *_, **__: curves)
    found = measures.fisher({"unit": 1}, 0, Context(tmp_path)).metrics
    assert (found["peak_ratio"], found["peak_raised"]) == (3, 12 - 4)
    assert (found["final_above"], found["final_below"]) == pytest.approx((2 - 1 - 0.8, 2 - 1 + 0.8))


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
    assert one.metrics["worth_least"] == pytest.approx(0.04)
    assert one.metrics["lost_more"] == pytest.approx((3 / 4 - 1 / 7) * 0.04 * 0.14)
    ends["augmentation"] = (0.95, 0.9, 0.94)
    assert experiment.measure(values, 0, Context(tmp_path)).metrics["worth_least"] == pytest.approx(-0.01)


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


def test_a_run_that_diverges_has_no_training_error(tmp_path, monkeypatch):
    """Whichever it is: not only the first."""
    for wild in range(3):
        curves = {f"interrupted-{t}": _curve(0.5) | {"train_accuracy": np.array(1.0)} for t in (0, 100, 200)}
        curves[list(curves)[wild]]["train_accuracy"] = np.array(np.nan)
        monkeypatch.setattr(measures, "trained", lambda *_, found=curves, **__: found)
        assert np.isnan(
            measures.timing({"unit": 1, "regulariser": "weight_decay"}, 0, Context(tmp_path)).metrics["train_error"]
        )


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

"""Experiments on layer imbalance at a toy size, and dynamics for which their predictions must fail."""

from dataclasses import replace

import matplotlib.figure
import numpy as np
import pytest
import torch

from validation.batches import Augment, Batches
from validation.context import Context
from validation.experiments.common import dataset, network
from validation.experiments.ginsburg import CONV, EXPERIMENTS, measures
from validation.experiments.ginsburg.measures import Start, log_slope, unbalanced
from validation.losses import mse
from validation.measure.norms import squared_norms

TINY = {"name": "fc", "width": 8, "depth": 2, "bias": False}
TOY = {"linear": TINY | {"activation": "linear", "weight_std": 1.0}, "relu": TINY}
STEPS = {"linear": 1500, "relu": 1500}
SMALLER = {
    "imbalance-conserved": {"train": 32},
    "imbalance-weight-decay": {"train": 32, "steps": STEPS, "points": 5},
    "imbalance-sgd": {"train": 64, "levels": [4, 8, 16, 32], "share": 0.02},
    "imbalance-noise": {"train": 64, "steps": 64, "draws": 6},
    "two-phases": {"train": 32, "steps": STEPS, "points": 41},
}
BY_NAME = {experiment.id.removeprefix("ginsburg."): experiment for experiment in EXPERIMENTS}


pytestmark = pytest.mark.usefixtures("one_thread")


def verdicts(name, folder, nets=TOY, seeds=2, **changes):
    """What toy runs of an experiment measured, and its predictions' verdicts on them, each seed by itself."""
    experiment = BY_NAME[name]
    setting = experiment.scales["quick"]
    values = setting.values | SMALLER[name] | {"nets": nets} | changes
    runs = [experiment.measure(values, seed, Context(folder / str(seed))) for seed in range(seeds)]
    metrics = {key: [run.metrics[key] for run in runs] for key in runs[0].metrics}
    wanted = [p for p in setting.predictions if p.metric in metrics]
    return runs, {p.metric: replace(p, exact=True).judge(metrics).verdict for p in wanted}


@pytest.mark.parametrize("name", BY_NAME)
def test_toy_runs_agree_and_are_drawn(name, tmp_path):
    runs, found = verdicts(name, tmp_path)
    assert len(found) >= 2
    assert set(found.values()) == {"agrees"}
    axes = matplotlib.figure.Figure().subplots()
    draw = BY_NAME[name].draw
    assert draw is not None
    draw([run.arrays for run in runs], axes)
    assert len(axes.lines) >= 2 * len(runs)


@pytest.mark.parametrize("name", BY_NAME)
def test_the_order_in_which_channels_lie_in_memory_changes_nothing(name, tmp_path, monkeypatch):
    """On a GPU they come last."""
    few = {"nets": {"conv": CONV | {"width": 2}}, "seeds": 1, "warm": 10, "draws": 2}
    if isinstance(SMALLER[name].get("steps"), dict):
        few["steps"] = {"conv": 20}
    (first,), _ = verdicts(name, tmp_path / "first", **few)
    to = torch.nn.Module.to

    def last(module, *args, **kwargs):
        return to(module, *args, **kwargs | {"memory_format": torch.channels_last} if kwargs else kwargs)

    monkeypatch.setattr(torch.nn.Module, "to", last)
    (again,), _ = verdicts(name, tmp_path / "last", **few)
    assert any(np.isfinite(x) for x in first.metrics.values())
    assert again.metrics == pytest.approx(first.metrics, rel=1e-4, nan_ok=True)


@pytest.mark.parametrize("scale", ["quick", "gpu"])
@pytest.mark.parametrize("name", BY_NAME)
def test_settings_are_sound(name, scale):
    setting = BY_NAME[name].scales[scale]
    values = setting.values
    for prediction in setting.predictions:
        assert prediction.metric.rpartition("_")[2] in values["nets"]
    assert setting.differs
    sizes = [values["batch_size"]] if values.get("noise") == "input" else values.get("levels", [])
    for size in sizes:  # whole epochs
        assert values["train"] % size == values["steps"] % (values["train"] // size) == 0


def test_tanh_does_not_keep_the_imbalance(tmp_path):
    nets = {"relu": TINY | {"activation": "tanh", "weight_std": 1.0}}
    _, found = verdicts("imbalance-conserved", tmp_path, nets)
    assert found == {"slope_relu": "disagrees", "share_relu": "disagrees"}


def test_biases_do_not_keep_the_imbalance(tmp_path):
    _, found = verdicts("imbalance-conserved", tmp_path, {"relu": TINY | {"bias": True}})
    assert found["slope_relu"] == "disagrees"


def test_tanh_does_not_decay_at_the_rate(tmp_path):
    nets = {"relu": TINY | {"activation": "tanh", "weight_std": 1.0}}
    _, found = verdicts("imbalance-weight-decay", tmp_path, nets, folds=0.002)
    assert found == {"ratio_relu": "disagrees"}


def test_steps_too_long_for_the_first_order_are_seen(tmp_path):
    nets = {"linear": TOY["linear"]}
    _, found = verdicts("imbalance-conserved", tmp_path, nets, shares=[1.9, 0.2], time=40.0)
    assert found["slope_linear"] == "disagrees"


def test_a_diverging_run_has_no_verdict(tmp_path):
    nets = {"linear": TOY["linear"]}
    runs, found = verdicts("imbalance-conserved", tmp_path, nets, shares=[30.0, 20.0], time=900.0)
    assert np.isnan(runs[0].metrics["slope_linear"])
    assert found["slope_linear"] == "inconclusive"


def test_a_drift_that_follows_another_law_disagrees():
    variances = np.array([0.2, 0.1, 0.05])
    slope = next(p for p in BY_NAME["imbalance-sgd"].scales["quick"].predictions if p.metric == "slope_linear")
    assert slope.judge({"slope_linear": [log_slope(variances, variances)] * 2}).verdict == "agrees"
    assert slope.judge({"slope_linear": [log_slope(variances, np.sqrt(variances))] * 2}).verdict == "disagrees"


def test_one_step_moves_the_imbalance_as_gradients_say(tmp_path):
    """rate^2 (|G_{l+1}|^2 - |G_l|^2), by autograd, for a mini-batch."""
    values = BY_NAME["imbalance-sgd"].scales["quick"].values | {"train": 64}
    context = Context(tmp_path)
    data = dataset(values, context)
    start = Start(TOY["relu"], values, data, 0, context)
    found = start.curves(start.recipe(1, 0.01, batch_size=8, seed=5), context, "one", 2)
    model = start.model()
    x, y = Batches(data, 8, seed=5, device="cpu").at(0)
    gradients = torch.autograd.grad(mse(model(x), y), list(model.parameters()))
    sizes = torch.stack([g.square().sum() for g in gradients])
    np.testing.assert_allclose(np.diff(found["imbalance"], axis=0)[0], 1e-4 * sizes.diff().numpy(), rtol=1e-6)


def test_a_draw_and_its_mirror_image_leave_what_is_even_in_the_noise(tmp_path):
    """Twice the half width moves the imbalance four times as much; the draw alone about twice."""
    values = BY_NAME["imbalance-noise"].scales["quick"].values | {"train": 64}
    context = Context(tmp_path)
    start = Start(TOY["relu"], values, dataset(values, context), 0, context)

    def moved(name, **augment):
        recipe = start.recipe(1, 0.01, batch_size=8, seed=5, augment=Augment(**augment))
        return np.diff(start.curves(recipe, context, name, 2)["imbalance"], axis=0)[0]

    plain = moved("plain")
    one = [moved(f"one{h}", noise=h) - plain for h in (0.02, 0.01)]
    both = [(a + moved(f"two{h}", noise=h, mirrored=True) - plain) / 2 for a, h in zip(one, (0.02, 0.01), strict=True)]
    np.testing.assert_allclose(both[0] / both[1], 4, rtol=0.02)
    assert (abs(both[0]) < 0.2 * abs(one[0])).all()


def test_a_drift_away_from_balance_disagrees(tmp_path, monkeypatch):
    """The same noise, its drift turned round."""
    true = measures._drift
    monkeypatch.setattr(measures, "_drift", lambda *given: -true(*given))
    _, found = verdicts("imbalance-sgd", tmp_path, {"linear": TOY["linear"]}, seeds=1)
    assert found == {"slope_linear": "agrees", "shrinks_linear": "disagrees"}


def test_runs_begin_at_one_point(tmp_path):
    """Parameters are views of the vector that they are set from: a run must not train in the start of the next."""
    values = BY_NAME["imbalance-sgd"].scales["quick"].values | {"train": 64}
    context = Context(tmp_path)
    start = Start(TOY["relu"], values, dataset(values, context), 0, context)
    start.warm_up(5, 0.001, context, "warm")
    first, second = (start.curves(start.recipe(5, 0.001), context, name, 2) for name in ("one", "two"))
    np.testing.assert_array_equal(first["norms"], second["norms"])


def test_unbalancing_keeps_the_function(tmp_path):
    data = dataset({"data": "digits"}, Context(tmp_path))
    x = torch.as_tensor(data.x_train[:7]).permute(0, 3, 1, 2).float()
    for options in TOY.values():
        a, b = network(options, data, 0), unbalanced(network(options, data, 0), 1.5)
        torch.testing.assert_close(a(x), b(x), rtol=1e-4, atol=1e-2)
        ratios = squared_norms(b) / squared_norms(a)
        np.testing.assert_allclose(ratios, [1.5**-2, 1.5**2, 1.0], rtol=1e-5)

"""Sweeps of small networks at once against one after another."""

import itertools

import numpy as np
import pytest
import torch

from tests.clocks import in_parts
from validation import data, experiments, members
from validation.context import Context, OutOfTime
from validation.experiments.lewkowycz import cells
from validation.members import NAMES, sweep
from validation.models import build
from validation.train import Recipe, fit

DIGITS = data.load("digits").subset(60, 30)
CELLS = list(itertools.product((0.05, 0.2), (0.0, 0.01, 0.1)))
RATES, L2 = (list(x) for x in zip(*CELLS, strict=True))
STEPS = [10, 25, 17, 25, 5, 0]
AT = [0, 5, 10, 20, 25, 99]


pytestmark = pytest.mark.usefixtures("one_thread")


def net(seed=0, **options):
    torch.manual_seed(seed)
    return build("fc", channels=1, side=8, classes=10, **({"width": 12, "depth": 2} | options))


def alone(k, model, batch_size, loss="softmax"):
    """What the member k must give, by the training loop."""

    def measure(trainer):
        found = {f"{part}_{key}": x for part in ("train", "test") for key, x in trainer.evaluate(part).items()}
        return found | {"squared_norm": sum(p.detach().double().square().sum().item() for p in model.parameters())}

    recipe = Recipe(STEPS[k], batch_size, RATES[k], L2[k], loss=loss, seed=3)
    return fit(model, DIGITS, recipe, measure=measure, measure_at=[s for s in AT if s <= STEPS[k]])


@pytest.mark.parametrize(
    ("options", "loss"),
    [
        ({}, "softmax"),
        ({"parameterisation": "ntk", "bias": False}, "mse"),
        ({"activation": "tanh"}, "lewkowycz_softmax"),
    ],
)
@pytest.mark.parametrize("batch_size", [20, 60])
def test_members_are_single_runs(options, loss, batch_size):
    swept = sweep(
        net(**options),
        DIGITS,
        learning_rates=RATES,
        l2=L2,
        steps=STEPS,
        batch_size=batch_size,
        measure_at=AT,
        loss=loss,
        seed=3,
    )
    np.testing.assert_array_equal(swept.steps, AT[:-1])
    for k in range(len(CELLS)):
        expected = alone(k, net(**options), batch_size, loss)
        for name in NAMES:
            row = swept.history[name][k]
            np.testing.assert_allclose(row[: len(expected.steps)], expected.history[name], rtol=3e-5, atol=1e-6)
            assert np.isnan(row[len(expected.steps) :]).all()
    assert (swept.diverged == -1).all()


def test_each_member_may_start_elsewhere():
    models = [net(seed) for seed in range(3)]
    swept = sweep(models, DIGITS, learning_rates=[0.1] * 3, l2=[0.0] * 3, steps=[8] * 3, batch_size=20, measure_at=[8])
    for seed in range(3):
        done = fit(net(seed), DIGITS, Recipe(8, 20, 0.1), measure=lambda t: t.evaluate(), measure_at=[8])
        assert swept.history["test_loss"][seed, 0] == pytest.approx(done.history["loss"][0], rel=1e-5)


def test_a_member_that_diverges_leaves_the_others_alone():
    kwargs = {"batch_size": 60, "measure_at": range(0, 41, 5), "loss": "mse"}
    both = sweep(net(), DIGITS, learning_rates=[1e4, 0.1], l2=[0.0, 0.0], steps=[40, 40], **kwargs)
    one = sweep(net(), DIGITS, learning_rates=[0.1], l2=[0.0], steps=[40], **kwargs)
    assert both.diverged[0] > 0
    assert both.diverged[1] == -1
    np.testing.assert_allclose(both.history["test_loss"][1], one.history["test_loss"][0], rtol=1e-5)


def test_a_sweep_that_was_stopped_goes_on_bit_by_bit(tmp_path, monkeypatch):
    kwargs = {"learning_rates": RATES, "l2": L2, "steps": STEPS, "batch_size": 20, "measure_at": AT}
    whole = sweep(net(), DIGITS, **kwargs)
    path = tmp_path / "sweep.checkpoint"
    monkeypatch.setattr(members, "LOOK", 0.0)
    done, stops = in_parts(
        monkeypatch, lambda stops: sweep(net(9 if stops else 0), DIGITS, **kwargs, checkpoint=path, deadline=12.0)
    )
    assert stops >= 2
    assert not path.exists()
    for name in NAMES:
        np.testing.assert_array_equal(done.history[name], whole.history[name])


@pytest.mark.parametrize("name", ["narrow", "t-star"])
@pytest.mark.parametrize("device", ["cuda", "cpu"])
def test_an_experiment_sweeps_in_the_precision_that_its_spec_says(name, device, monkeypatch, tmp_path):
    values = experiments.registry()[f"lewkowycz.{name}"].spec("gpu").setting.values
    expected = "bf16" if (name, device) == ("narrow", "cuda") else "float32"
    assert values.get("precision", "float32") == ("bf16" if name == "narrow" else "float32")
    asked = []

    def swept(model, data, **how):
        asked.append(how["precision"])
        raise OutOfTime

    monkeypatch.setattr(cells, "sweep", swept)
    with pytest.raises(OutOfTime):
        cells.train(values | {"model": {"name": "fc", "width": 4, "depth": 1}}, DIGITS, 0, Context(tmp_path, device))
    assert asked == [expected]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"l2": [0.0]}, "must be of one length, got 2, 1 and 2"),
        ({"learning_rates": [], "l2": [], "steps": []}, "must be of one length"),
        ({"steps": [5, -1]}, "steps must be an integer from 0"),
        ({"learning_rates": [0.1, -0.1]}, "learning_rates must be a finite number > 0, got -0.1"),
        ({"l2": [0.0, -1.0]}, "l2 must be a finite number >= 0, got -1.0"),
        ({"l2": [np.nan, 0.0]}, "l2 must be a finite number >= 0, got nan"),
        ({"batch_size": 0}, "batch_size must be an integer from 1"),
        ({"loss": "x"}, "loss must be one of 'softmax'"),
        ({"precision": "fp16"}, "precision must be one of"),
    ],
)
def test_bad_sweeps_are_refused(changed, message):
    kwargs = {"learning_rates": [0.1, 0.2], "l2": [0.0, 0.0], "steps": [5, 5], "batch_size": 20, "measure_at": [0]}
    with pytest.raises(ValueError, match=message):
        sweep(net(), DIGITS, **kwargs | changed)


def test_only_fully_connected_networks_are_swept():
    kwargs = {"learning_rates": [0.1], "l2": [0.0], "steps": [5], "batch_size": 20, "measure_at": [0]}
    cnn = build("all_cnn", channels=1, side=8, classes=10, width=4)
    with pytest.raises(ValueError, match="models must be fully connected networks, got one with Conv2d"):
        sweep(cnn, DIGITS, **kwargs)

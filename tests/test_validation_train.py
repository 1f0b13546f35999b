"""The training loop against torch's optimisers and plain loops; batches; checkpoints; a kill in the middle."""

import copy
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from linreg_dyn.schedules import AutoL2, Cosine, GradientMask, Steps, Window
from tests.clocks import in_parts
from validation import data, train
from validation.batches import Augment, Batches
from validation.models import build
from validation.train import Recipe, Trainer, fit

DIGITS = data.load("digits").subset(96, 40)


pytestmark = pytest.mark.usefixtures("one_thread")


def net(seed=0, **options):
    torch.manual_seed(seed)
    return build("fc", channels=1, side=8, classes=10, **({"width": 16, "depth": 2} | options))


def weights(model):
    return torch.cat([p.detach().flatten() for p in model.parameters()])


def test_a_run_is_a_plain_loop():
    """Rate and L2 by schedules, the L2 term by autograd through the loss itself."""
    rate, l2 = Cosine(0.2, steps=30), Window(0.05, start=5, stop=20)
    recipe = Recipe(30, 32, rate, l2, optimiser="momentum", momentum=0.9, seed=4)
    done = fit(net(), DIGITS, recipe)
    model, batches = net(), Batches(DIGITS, 32, seed=4, device="cpu")
    optimiser = torch.optim.SGD(model.parameters(), 1.0, momentum=0.9)
    losses = []
    for step in range(30):
        x, y = batches.at(step)
        loss = nn.functional.cross_entropy(model(x), y)
        losses.append(loss.item())
        total = loss + 0.5 * l2.at(step) * sum((p**2).sum() for p in model.parameters())
        optimiser.zero_grad()
        total.backward()
        optimiser.param_groups[0]["lr"] = rate.at(step)
        optimiser.step()
    np.testing.assert_allclose(done.losses, losses, rtol=1e-4)
    torch.testing.assert_close(weights(done.model), weights(model), rtol=1e-4, atol=1e-5)


def test_sparse_gradients_leave_the_masked_weights_alone():
    sparsity = Steps((0.5, 0.0), milestones=(10,))
    start = weights(net())
    ten = weights(fit(net(), DIGITS, Recipe(10, 32, 0.1, 0.01, sparsity=sparsity, seed=3)).model)
    kept = [GradientMask(sparsity, seed=3).at(0, tuple(p.shape), k).ravel() for k, p in enumerate(net().parameters())]
    np.testing.assert_array_equal((ten != start).numpy()[~np.concatenate(kept)], False)
    assert (ten != start).numpy()[np.concatenate(kept)].mean() > 0.5
    twenty = weights(fit(net(), DIGITS, Recipe(20, 32, 0.1, 0.01, sparsity=sparsity, seed=3)).model)
    assert (twenty != start).float().mean() > 0.9


def test_measurements_come_at_their_steps():
    seen = []

    def measure(trainer):
        seen.append(trainer.done)
        return {"norm": weights(trainer.model).norm().item(), **trainer.evaluate()}

    done = fit(net(), DIGITS, Recipe(50, 32, 0.1), measure=measure, measure_at=[50, 0, 7, 7, 90])
    assert seen == [0, 7, 50]
    np.testing.assert_array_equal(done.steps, [0, 7, 50])
    assert done.history["norm"][0] == pytest.approx(weights(net()).norm().item())
    assert done.history["accuracy"][2] > done.history["accuracy"][0]
    assert done.history["loss"][2] < done.history["loss"][0]
    stopped = fit(
        net(), DIGITS, Recipe(50, 32, 0.1), measure=measure, measure_at=range(51), stop_when=lambda r: r["norm"] > 0
    )
    assert len(stopped.steps) == 1
    assert np.isnan(stopped.losses).all()


@pytest.mark.parametrize("loss", ["softmax", "parity"])
@pytest.mark.parametrize("part", ["train", "test"])
def test_an_evaluation_is_a_loop_over_images_and_changes_nothing(part, loss):
    """By batch norm's running statistics, each image counted once though the last block is short; in float64."""
    torch.manual_seed(1)
    model = build("thin_resnet", channels=1, side=8, classes=10, depth=8, width=4)
    trainer = Trainer(model, DIGITS, Recipe(3, 32, 0.1, loss=loss))
    trainer.chunk(3)
    before = copy.deepcopy(model.state_dict())
    found = trainer.evaluate(part, batch=7)
    assert model.training
    torch.testing.assert_close(dict(model.state_dict()), dict(before), rtol=0, atol=0)
    exact, batches = copy.deepcopy(model).double().eval(), trainer.batches
    images, labels = (batches.x_test, batches.y_test) if part == "test" else (batches.x, batches.y)
    losses, right = [], []
    for image, label in zip(batches.normalised(images).double(), labels, strict=True):
        f = exact(image[None])[0].detach().numpy()
        even = label % 2 == 0
        if loss == "softmax":
            losses.append(np.log(np.exp(f - f[label]).sum()))
        else:
            losses.append((f[0] - (1 if even else -1)) ** 2 / 2)
        right.append(f.argmax() == label if loss == "softmax" else (f[0] > 0) == even)
    assert found == pytest.approx({"loss": np.mean(losses), "accuracy": np.mean(right)}, rel=1e-5)
    assert found["accuracy"] != 0.5  # so that what is right and what is wrong are told apart


def test_divergence_is_a_result():
    done = fit(net(), DIGITS, Recipe(400, 32, 1e4, loss="mse"), measure=lambda t: t.evaluate(), measure_at=[0, 400])
    assert done.diverged is not None
    assert np.isfinite(done.losses[: done.diverged]).all()
    assert np.isnan(done.losses[done.diverged :]).all()
    np.testing.assert_array_equal(done.steps, [0])


def test_auto_l2_decays_when_the_loss_grows():
    """Its decays are those of the schedule's own rule on the losses that were measured."""
    auto = AutoL2(1.0, every=5, refractory=2.0)
    seen = []

    def measure(trainer):
        seen.append((trainer.done, trainer.l2, trainer.evaluate("train")))
        return {"l2": trainer.l2}

    done = fit(net(), DIGITS, Recipe(120, 96, 0.3, auto), measure=measure, measure_at=range(0, 121, 5))
    state, expected = auto.start(), []
    for step, _, row in seen:
        if step:
            state = auto.update(state, step, row["loss"], 1 - row["accuracy"])
        expected.append(state[0])
    np.testing.assert_allclose(done.history["l2"], expected, rtol=1e-6)
    assert done.history["l2"][-1] < 1


@pytest.mark.parametrize("every", [1, 2])
def test_a_run_that_was_stopped_goes_on_bit_by_bit(every, tmp_path, monkeypatch):
    monkeypatch.setattr(train, "LOOK", 0.0)  # look at the clock after every step or so
    recipe = Recipe(
        60,
        24,
        Cosine(0.1, steps=60),
        AutoL2(0.1, every=7),
        optimiser="adam",
        epsilon=1e-3,
        augment=Augment(flip=1, crop=1, mixup=0.4),
    )
    kwargs = {"measure": lambda t: t.evaluate(), "measure_at": range(0, 61, 4)}
    whole = fit(net(), DIGITS, recipe, **kwargs)
    path = tmp_path / "run.checkpoint"
    kept = {"checkpoint": path, "checkpoint_seconds": 1e9, "deadline": 20.0 * every}

    def go_on(stops):
        assert path.exists() == (stops > 0)
        return fit(net(9 if stops else 0), DIGITS, recipe, **kwargs, **kept)

    done, stops = in_parts(monkeypatch, go_on)
    assert stops >= 2
    assert not path.exists()
    np.testing.assert_array_equal(done.losses, whole.losses)
    np.testing.assert_array_equal(done.history["loss"], whole.history["loss"])
    torch.testing.assert_close(weights(done.model), weights(whole.model), rtol=0, atol=0)


KILLED = """
import sys, torch
from pathlib import Path
from validation import data, train
from validation.models import build
torch.set_num_threads(1)
train.LOOK = 0.01
torch.manual_seed(0)
model = build("resnet", channels=1, side=8, classes=10, width=4)
recipe = train.Recipe(120, 32, 0.05, 1e-3, optimiser="momentum", momentum=0.9)
digits = data.load("digits").subset(96, 40)
done = train.fit(model, digits, recipe, checkpoint=Path(sys.argv[1]), checkpoint_seconds=0.0)
state = {k: v for k, v in done.model.state_dict().items()}
torch.save((state, done.losses), sys.argv[2])
"""


def test_a_killed_run_goes_on_bit_by_bit(tmp_path):
    """SIGKILL in the middle, again and again; weights, batch norms' statistics and losses end up the same."""

    def start(name):
        command = [sys.executable, "-c", KILLED, str(tmp_path / f"{name}.checkpoint"), str(tmp_path / f"{name}.pt")]
        return subprocess.Popen(command, cwd=Path(__file__).parents[1], env=os.environ | {"PYTHONPATH": "."})

    assert start("whole").wait(120) == 0
    kills = 0
    while kills < 2:
        process = start("killed")
        path, before = tmp_path / "killed.checkpoint", _stamp(tmp_path / "killed.checkpoint")
        deadline = time.monotonic() + 60
        while _stamp(path) == before and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.001)
        process.send_signal(signal.SIGKILL)
        assert process.wait(60) == -signal.SIGKILL
        kills += 1
    assert start("killed").wait(120) == 0
    (a, losses), (b, other) = (torch.load(tmp_path / f"{n}.pt", weights_only=False) for n in ("whole", "killed"))
    np.testing.assert_array_equal(losses, other)
    for name, value in a.items():
        torch.testing.assert_close(value, b[name], rtol=0, atol=0)


def _stamp(path):
    return path.stat().st_mtime_ns if path.exists() else None


def test_bf16_products_keep_float32_weights():
    done = fit(net(), DIGITS, Recipe(40, 32, 0.1, precision="bf16"))
    plain = fit(net(), DIGITS, Recipe(40, 32, 0.1))
    assert weights(done.model).dtype == torch.float32
    assert not np.array_equal(done.losses, plain.losses)
    np.testing.assert_allclose(done.losses[:10], plain.losses[:10], rtol=0.05)


def test_a_network_that_reconstructs_has_the_images_as_its_target():
    torch.manual_seed(0)
    model = build("unet", channels=1, side=8, classes=0, width=4, levels=2)
    done = fit(model, DIGITS, Recipe(60, 96, 0.1, loss="mean_square", reconstruct=True))
    assert done.losses[-1] < 0.6 * done.losses[0]
    trainer = Trainer(done.model, DIGITS, Recipe(0, 96, 0.1, loss="mean_square", reconstruct=True))
    x = trainer.batches.normalised(trainer.batches.x_test)
    with torch.no_grad():
        assert trainer.evaluate()["loss"] == pytest.approx(((model(x) - x) ** 2).mean().item(), rel=1e-5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"loss": "hinge"}, "loss must be one of"),
        ({"precision": "fp8"}, "precision must be one of 'float32', 'tf32', 'bf16'"),
        ({"compile": True, "deterministic": True}, "compile must be False"),
        ({"augment": Augment(flip=Steps((1.0,), stop=5))}, "must last for all 10 steps"),
        ({"batch_size": 0}, "batch_size must be an integer"),
        ({"learning_rate": 0.0}, "learning_rate must be"),
        ({"learning_rate": Steps((0.1,), stop=5)}, "must last for all 10 steps"),
        ({"l2": -1.0}, "l2 must be"),
    ],
)
def test_bad_recipes_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        Recipe(**({"steps": 10, "batch_size": 8, "learning_rate": 0.1} | options))

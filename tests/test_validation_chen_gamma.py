"""The regularity principle's numbers: gamma and alignment of known trajectories, and the second pass."""

import numpy as np
import pytest
import torch

from tests.clocks import in_parts
from tests.toy_settings import verdicts
from validation import train
from validation.context import Context
from validation.data import load
from validation.experiments import chen
from validation.experiments.chen import measures
from validation.experiments.guess import START, seconds, size
from validation.train import Trainer

BY_ID = {experiment.id.removeprefix("chen."): experiment for experiment in chen.EXPERIMENTS}

DIGITS = load("digits").subset(16, 10)

pytestmark = pytest.mark.usefixtures("one_thread")


def values(**changes):
    model = {"name": "fc", "width": 6, "depth": 1}
    recipe = {"learning_rate": 0.05, "batch_size": 8}
    return {"steps": 12, "precision": "float32", "model": model, "recipe": recipe} | changes


def stored(setting, changes, seed):
    """Weights before every step and after the last, (step + 1, weight), and losses."""
    model = measures.drawn(measures.network(setting["model"] | changes.get("model", {}), DIGITS, seed), seed)
    trainer = Trainer(model, DIGITS, measures.recipe(setting, changes, seed))
    path, losses = [], []
    for _ in range(setting["steps"]):
        path.append(torch.cat([p.detach().flatten() for p in trainer.parameters]).double().numpy())
        losses.append(float(trainer.chunk(1)[0]))
    path.append(torch.cat([p.detach().flatten() for p in trainer.parameters]).double().numpy())
    return np.array(path), np.array(losses)


@pytest.mark.parametrize("changes", [{}, {"recipe": {"optimiser": "adam", "epsilon": 1e-2}}])
def test_numbers_are_those_of_definition_2(changes, tmp_path):
    setting, rate = values(), 0.05
    path, losses = stored(setting, changes, 3)
    updates, away = (path[:-1] - path[1:]) / rate, path[:-1] - path[-1]
    gammas = ((away * updates).sum(1) - rate / 2 * (updates**2).sum(1)) / losses
    found = measures.trajectory("one", setting, changes, DIGITS, 3, Context(tmp_path))
    metrics, curves = measures.summary(found, rate, 2)
    size = ((path[0] - path[-1]) ** 2).sum()
    assert metrics["loss"] == pytest.approx(losses.mean(), rel=1e-6)
    assert metrics["smallest"] == pytest.approx(gammas.min(), rel=1e-4)
    assert metrics["share"] == (gammas > 0).mean()
    assert metrics["aligned"] == ((away[1:] * updates[:-1]).sum(1) > 0).mean()
    steps = np.linalg.norm(np.diff(path, axis=0), axis=1)
    assert metrics["length"] == pytest.approx(steps.sum() / size**0.5, rel=1e-6)
    by_epoch = (gammas * losses).reshape(-1, 2).sum(1) / losses.reshape(-1, 2).sum(1) / size
    np.testing.assert_allclose(curves["factor"], by_epoch, rtol=1e-4)
    assert metrics["factor"] == pytest.approx(np.median(by_epoch), rel=1e-4)
    bound = size / (2 * rate * len(losses) * gammas.min()) if gammas.min() > 0 else np.nan
    assert metrics["theorem"] == pytest.approx(losses.mean() / bound, rel=1e-4, nan_ok=True)


def test_the_average_over_a_whole_training_is_its_mean_loss_whatever_the_trajectory():
    rng = np.random.default_rng(0)
    path, losses, rate = rng.normal(size=(11, 5)), rng.uniform(0.1, 1, 10), 0.1  # no training at all
    distances = ((path - path[-1]) ** 2).sum(1)
    moved = (np.diff(path, axis=0) ** 2).sum(1)
    metrics, curves = measures.summary({"losses": losses, "distances": distances, "moved": moved}, rate, 10)
    assert curves["factor"] == pytest.approx([1 / (2 * rate * 10 * losses.mean())])
    assert metrics["smallest"] < 0
    assert np.isnan(metrics["theorem"])  # outside the theorem


def walked(*distances):
    """A trajectory with these distances from its end, on a line, and losses of 1."""
    distances = np.array(distances, dtype=float)
    return {"losses": np.ones(len(distances) - 1), "distances": distances, "moved": np.diff(distances**0.5) ** 2}


def summed(path, rate=0.1):
    """What is found of a path with losses of 1."""
    found = {"losses": np.ones(len(path) - 1), "distances": ((path - path[-1]) ** 2).sum(1)}
    return measures.summary(found | {"moved": (np.diff(path, axis=0) ** 2).sum(1)}, rate, len(path) - 1)[0]


def test_a_walk_that_trains_nothing_obeys_the_principle_and_is_not_aligned():
    """Steps of random signs, far more weights than steps: each is aligned with those that follow by a fair coin."""
    steps, rng = 400, np.random.default_rng(0)
    found = [summed(np.cumsum(rng.choice((-1.0, 1.0), (steps + 1, 20_000)), axis=0)) for _ in range(3)]
    assert [x["share"] for x in found] == [1, 1, 1]
    for x in found:
        assert x["smallest"] > 0
        assert abs(x["aligned"] - 0.5) < 4 * 0.5 / (steps - 1) ** 0.5  # four standard errors
        assert x["length"] == pytest.approx(steps**0.5, rel=0.05)
    setting = BY_ID["activation-resnet"].scales["gpu"]
    says = verdicts(setting, [filled(setting, x) for x in found])
    assert says["share"] == says["smallest"] == "agrees"
    assert says["aligned"] != "agrees"


def filled(setting, numbers):
    """The numbers by name, and some number for every other prediction."""
    return {p.metric: 0.5 for p in setting.predictions} | numbers


def test_a_straight_line_is_aligned_and_a_walk_to_and_fro_is_not():
    line = summed(np.linspace(0, 1, 12)[:, None])
    assert (line["aligned"], line["length"]) == (1, pytest.approx(1))
    shrinking = summed(np.append((-0.9) ** np.arange(12), 0)[:, None])
    assert shrinking["share"] == 1
    assert shrinking["aligned"] == 0
    assert shrinking["length"] > 10


def test_a_walk_that_turns_away_from_its_end_fails_the_principle():
    """Definition 2 at every step, for a trajectory that overshoots: the first step leads away from the end."""
    metrics, _ = measures.summary(walked(1, 4, 1, 0), 0.1, 1)
    assert metrics["smallest"] < 0
    setting = BY_ID["theorem-1"].scales["quick"]
    found = verdicts(setting, [metrics | {"applies": 0.0}] * 3)
    assert found == {"theorem": "inconclusive", "applies": "disagrees"}
    skips = BY_ID["skips-resnet"].scales["gpu"]
    assert verdicts(skips, [filled(skips, metrics)] * 3)["smallest"] == "disagrees"
    good, _ = measures.summary(walked(4, 2, 1, 0), 0.1, 1)
    good |= {"applies": 4.0}
    assert set(verdicts(setting, [good, good, good]).values()) == {"agrees"}
    broken = [good | {"theorem": 1.01}] * 3
    assert verdicts(setting, broken)["theorem"] == "disagrees"
    assert verdicts(setting, [good, good, good | {"applies": 3.0}])["applies"] == "disagrees"


def test_a_trajectory_outside_the_theorem_is_counted_and_not_judged(tmp_path, monkeypatch):
    inside, outside = walked(4, 2, 1, 0), walked(1, 4, 1, 0)
    walks = {"sgd": inside, "momentum": outside, "resnet": walked(8, 4, 2, 0)}
    monkeypatch.setattr(measures, "trajectory", lambda name, *_: walks[name])
    values = BY_ID["theorem-1"].scales["quick"].values
    values = values | {"variants": {name: values["variants"][name] for name in walks}}
    found = measures.measure(values, 0, Context(tmp_path)).metrics
    assert found["applies"] == 2
    assert found["theorem"] == max(found["theorem_sgd"], found["theorem_resnet"])
    assert np.isnan(found["theorem_momentum"])
    walks["sgd"] = walks["resnet"] = outside
    found = measures.measure(values, 0, Context(tmp_path)).metrics
    assert found["applies"] == 0
    assert np.isnan(found["theorem"])


def test_minutes_are_of_two_passes():
    setting = values(data="digits", train=64, variants={"a": {}, "b": {}})
    net = size(setting["model"], "digits")
    both = seconds(net, steps=36, batch=8, precision="float32", tests=0) + START
    assert measures.guess(setting) == pytest.approx(2 * both / 60)


def test_a_training_that_diverges_is_no_evidence(tmp_path):
    setting = values(recipe={"learning_rate": 1e12, "batch_size": 8}, model={"name": "fc", "width": 6, "depth": 3})
    found = measures.trajectory("wild", setting, {}, DIGITS, 0, Context(tmp_path))
    metrics, _ = measures.summary(found, 1e12, 2)
    assert all(np.isnan(x) for x in metrics.values())


def test_a_second_pass_comes_after_an_interruption(tmp_path, monkeypatch):
    whole = measures.trajectory("one", values(), {}, DIGITS, 0, Context(tmp_path / "a"))

    def stop(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(measures.regularity, "second_pass", stop)
        with pytest.raises(KeyboardInterrupt):
            measures.trajectory("one", values(), {}, DIGITS, 0, Context(tmp_path / "b"))
    with monkeypatch.context() as patched:
        patched.setattr(measures, "fit", stop)  # the first pass is kept
        again = measures.trajectory("one", values(), {}, DIGITS, 0, Context(tmp_path / "b"))
    for name in whole:
        np.testing.assert_array_equal(again[name], whole[name])


def test_the_minutes_can_end_in_the_second_pass(tmp_path, monkeypatch):
    """And the next run goes on from there: no step is taken twice."""
    folder, taken, found_there, chunk = tmp_path / "b", [], [], Trainer.chunk

    def counted(self, steps, each=None):
        taken.append(steps if each else 0)
        return chunk(self, steps, each)

    monkeypatch.setattr(Trainer, "chunk", counted)
    monkeypatch.setattr(train, "LOOK", 0.0)  # look at the clock after every step

    def go_on(_):
        found_there.append((folder / "one-second.checkpoint").exists())
        return measures.trajectory("one", values(steps=60), {}, DIGITS, 0, Context(folder, deadline=9.0))

    found, _ = in_parts(monkeypatch, go_on)
    assert sum(found_there) >= 2
    assert sum(taken) == 60
    monkeypatch.undo()
    whole = measures.trajectory("one", values(steps=60), {}, DIGITS, 0, Context(tmp_path / "a"))
    for name in whole:
        np.testing.assert_array_equal(found[name], whole[name])


def test_an_end_of_another_training_is_found(tmp_path):
    context = Context(tmp_path)
    measures.trajectory("one", values(), {}, DIGITS, 0, context)
    (tmp_path / "one-second.npz").unlink()
    with pytest.raises(RuntimeError, match="bit by bit"):
        measures.trajectory("one", values(), {}, DIGITS, 1, context)

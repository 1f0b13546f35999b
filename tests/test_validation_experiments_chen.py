"""The regularity principle: experiments at a toy size, gamma against a stored trajectory, and what must disagree."""

import numpy as np
import pytest
import torch

from tests.clocks import in_parts
from tests.toy_settings import check, measured, verdicts
from validation import train
from validation.context import Context
from validation.data import load
from validation.experiments import chen
from validation.experiments.chen import measures
from validation.experiments.guess import START, seconds, size
from validation.train import Trainer

BY_ID = {experiment.id.removeprefix("chen."): experiment for experiment in chen.EXPERIMENTS}
TOY = {"data": "digits", "train": 16, "test": 10, "steps": 4, "precision": "float32"}
TINY = {"resnet": {"width": 2}, "vgg": {"width": 2}, "alexnet": {"width": 2}, "fc": {"width": 4, "depth": 1}}
TINY["unet"] = {"width": 2, "levels": 3}
DIGITS = load("digits").subset(16, 10)


pytestmark = pytest.mark.usefixtures("one_thread")


def toy(experiment, scale):
    """The setting's own network, with little of it, and its own variants."""
    values = experiment.scales[scale].values
    model, variants = smaller(values["model"]), {}
    for name, changes in values["variants"].items():
        variants[name] = changes | {"model": smaller(changes.get("model", {}))}
        if name[0].isdigit():  # three levels have three skips
            variants[name] = {"model": {"skips": min(3, changes["model"]["skips"])}}
    return TOY | {"model": model, "variants": variants, "recipe": values["recipe"] | {"batch_size": 8}}


def smaller(model):
    """A network, or what is changed of one, with little of it if it is named."""
    return model | TINY.get(model.get("name"), {})


@pytest.mark.parametrize("name", sorted(name for name in BY_ID if not name.endswith("cifar100")))
def test_every_figure_runs_with_its_own_network_and_variants(name, tmp_path):
    experiment = BY_ID[name]
    for scale in {"quick", "gpu"} & set(experiment.scales):
        setting, found = measured(experiment, scale, tmp_path / scale, **toy(experiment, scale))
        sketched = setting.values.get("method") == "sketch"  # which gives no distances for Theorem 1
        check(experiment, setting, found, without={x for x in found.metrics if sketched and x.startswith("theorem")})


def test_every_order_is_of_variants_that_are_trained():
    for experiment in chen.EXPERIMENTS:
        for scale, setting in experiment.scales.items():
            names = set(setting.values["variants"])
            assert {name for pair in setting.values["orders"] for name in pair} <= names, (experiment.id, scale)
            for changes in setting.values["variants"].values():
                assert measures.recipe(setting.values, changes, 0).steps == setting.values["steps"]


def values(**changes):
    model = {"name": "fc", "width": 6, "depth": 1}
    recipe = {"learning_rate": 0.05, "batch_size": 8}
    return {"steps": 12, "precision": "float32", "method": "exact", "model": model, "recipe": recipe} | changes


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
    by_epoch = (gammas * losses).reshape(-1, 2).sum(1) / losses.reshape(-1, 2).sum(1) / size
    np.testing.assert_allclose(curves["factor"], by_epoch, rtol=1e-4)
    assert metrics["factor"] == pytest.approx(np.median(by_epoch), rel=1e-4)
    bound = size / (2 * rate * len(losses) * gammas.min()) if gammas.min() > 0 else np.nan
    assert metrics["theorem"] == pytest.approx(losses.mean() / bound, rel=1e-4, nan_ok=True)


def test_weights_are_drawn_as_torch_does_and_are_the_same_for_a_seed():
    model = measures.network({"name": "resnet", "width": 8, "norms": "none"}, DIGITS, 0)
    again = measures.network({"name": "resnet", "width": 8, "norms": "none"}, DIGITS, 1)
    before = model[-1].weight.std()  # pyright: ignore[reportIndexIssue]
    for one, other in zip(measures.drawn(model, 2).parameters(), measures.drawn(again, 2).parameters(), strict=True):
        assert torch.equal(one, other)
        if one.ndim > 1:  # uniform up to 1 / sqrt(fan_in)
            assert abs(one).max() <= one[0].numel() ** -0.5
    assert model[-1].weight.std() < before  # pyright: ignore[reportIndexIssue]


def test_the_average_over_a_whole_training_is_its_mean_loss_whatever_the_trajectory():
    rng = np.random.default_rng(0)
    path, losses, rate = rng.normal(size=(11, 5)), rng.uniform(0.1, 1, 10), 0.1  # no training at all
    distances = ((path - path[-1]) ** 2).sum(1)
    metrics, curves = measures.summary({"losses": losses, "distances": distances}, rate, 10)
    assert curves["factor"] == pytest.approx([1 / (2 * rate * 10 * losses.mean())])
    assert metrics["smallest"] < 0
    assert np.isnan(metrics["theorem"])  # outside the theorem


def test_a_sketch_is_the_same_within_its_error(tmp_path):
    setting = values()
    exact = measures.trajectory("exact", setting, {}, DIGITS, 1, Context(tmp_path))
    sketch = measures.trajectory("sketch", setting | {"method": "sketch"}, {}, DIGITS, 1, Context(tmp_path))
    expected, got = measures.summary(exact, 0.05, 2), measures.summary(sketch, 0.05, 2)
    assert got[0]["loss"] == pytest.approx(expected[0]["loss"], rel=1e-6)
    rate = np.full(12, 0.05)
    true = measures.regularity.gamma(exact["distances"], exact["losses"], rate)
    assert (abs(sketch["gamma"] - true) <= 5 * sketch["error"]).all()
    assert np.isnan(got[0]["theorem"])  # a bound for every step is not had from estimates


def test_a_walk_that_turns_away_from_its_end_fails_the_principle():
    """Definition 2 at every step, for a trajectory that overshoots: the first step leads away from the end."""
    distances = np.array([1.0, 4.0, 1.0, 0.0])
    metrics, _ = measures.summary({"losses": np.ones(3), "distances": distances}, 0.1, 1)
    setting = BY_ID["theorem-1"].scales["quick"]
    found = verdicts(setting, [metrics | {"applies": 0.0}] * 3)
    assert found["smallest"] == "disagrees"
    assert found["theorem"] == "inconclusive"
    assert found["applies"] == "disagrees"
    good, _ = measures.summary({"losses": np.ones(3), "distances": np.array([4.0, 2.0, 1.0, 0.0])}, 0.1, 1)
    good |= {"applies": 4.0}
    assert set(verdicts(setting, [good, good, good]).values()) == {"agrees"}
    broken = [good | {"theorem": 1.01}] * 3
    assert verdicts(setting, broken)["theorem"] == "disagrees"
    assert verdicts(setting, [good, good, good | {"applies": 3.0}])["applies"] == "disagrees"


def test_a_trajectory_outside_the_theorem_is_counted_and_not_judged(tmp_path, monkeypatch):
    inside, outside = np.array([4.0, 2.0, 1.0, 0.0]), np.array([1.0, 4.0, 1.0, 0.0])
    walks = {"sgd": inside, "momentum": outside, "resnet": 2 * inside}
    monkeypatch.setattr(measures, "trajectory", lambda name, *_: {"losses": np.ones(3), "distances": walks[name]})
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


def test_the_opposite_order_disagrees():
    setting = BY_ID["optimiser-resnet"].scales["gpu"]
    names = [p.metric for p in setting.predictions]
    rows = []
    for k in range(3):
        row = {name: 1.3 + 0.01 * k if name.startswith("faster") else -0.4 + 0.01 * k for name in names}
        rows.append(row | {"smallest": 0.1, "share": 0.9 + 0.01 * k, "theorem": 0.5})
    found = verdicts(setting, rows)
    orders = {name for name in names if name.startswith(("faster", "factor"))}
    assert len(orders) == 4
    assert {found[name] for name in orders} == {"disagrees"}
    assert {found[name] for name in set(names) - orders} == {"agrees"}


def judged(name, scale="gpu"):
    """The pairs that are judged, by what is judged of them."""
    found = {p.metric.partition("_")[::2] for p in BY_ID[name].scales[scale].predictions if "_" in p.metric}
    return [{pair for kind, pair in found if kind == wanted} for wanted in ("faster", "factor")]


def test_no_more_is_judged_than_the_text_says():
    behind = {"relu_sigmoid", "leaky_relu_sigmoid", "tanh_sigmoid"}
    assert judged("activation-alexnet") == judged("activation-alexnet-cifar100") == [behind, behind]
    first = {"adam_momentum", "adam_sgd"}
    assert judged("optimiser-unet") == [first, first]
    assert judged("optimiser-vgg") == [{"adam_momentum", "momentum_sgd"}, first]
    norms = {"all_norms_no_norms", "first_norms_no_norms"}
    assert judged("batch-norm-resnet") == [norms, norms]
    assert judged("batch-norm-vgg") == [norms | {"first_norms_all_norms"}, norms]
    assert judged("batch-norm-vgg-cifar100") == [norms | {"all_norms_first_norms"}] * 2


@pytest.mark.parametrize(("ratio", "verdict"), [(1.0, "agrees"), (2.1, "disagrees"), (0.5, "disagrees")])
def test_as_fast_is_neither_slower_nor_faster(ratio, verdict):
    setting = BY_ID["batch-norm-vgg"].scales["quick"]
    rows = [
        {p.metric: 0.5 for p in setting.predictions} | {"faster_first_norms_all_norms": ratio + 0.01 * k}
        for k in range(3)
    ]
    assert verdicts(setting, rows)["faster_first_norms_all_norms"] == verdict


def test_minutes_are_of_two_passes_or_of_one():
    setting = values(data="digits", train=64, variants={"a": {}, "b": {}})
    net = size(setting["model"], "digits")
    how = {"batch": 8, "precision": "float32", "tests": 0}
    exact = 2 * (seconds(net, steps=36, **how) + START)
    assert measures.guess(setting) == pytest.approx(exact / 60)
    assert measures.guess(setting | {"method": "sketch"}) == pytest.approx(2 * seconds(net, steps=24, **how) / 60)


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
    np.testing.assert_array_equal(again["distances"], whole["distances"])


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
    np.testing.assert_array_equal(found["distances"], whole["distances"])


def test_an_end_of_another_training_is_found(tmp_path):
    context = Context(tmp_path)
    measures.trajectory("one", values(), {}, DIGITS, 0, context)
    (tmp_path / "one-second.npz").unlink()
    with pytest.raises(RuntimeError, match="bit by bit"):
        measures.trajectory("one", values(), {}, DIGITS, 1, context)

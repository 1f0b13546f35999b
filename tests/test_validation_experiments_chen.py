"""The regularity principle: experiments at a toy size, gamma against a stored trajectory, and what must disagree."""

import numpy as np
import pytest
import torch

from linreg_dyn.claims import registry
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
        least = {name: x for name, x in found.metrics.items() if name.startswith("smallest")}
        outside = {name.replace("smallest", "theorem") for name, x in least.items() if x <= 0}
        check(experiment, setting, found, without=outside)


def test_every_order_is_of_variants_that_are_trained():
    for experiment in chen.EXPERIMENTS:
        for scale, setting in experiment.scales.items():
            names = set(setting.values["variants"])
            assert {name for pair in setting.values["orders"] for name in pair} <= names, (experiment.id, scale)
            for changes in setting.values["variants"].values():
                assert measures.recipe(setting.values, changes, 0).steps == setting.values["steps"]


TECHNIQUES = {
    "activation": ("resnet", "alexnet", "unet"),
    "batch-norm": ("resnet", "resnet-34", "vgg", "vgg-16"),
    "skips": ("resnet", "resnet-34", "unet"),
    "optimiser": ("resnet", "resnet-34", "vgg", "vgg-16", "unet"),
}
"""On which networks sections III and IV train each, all on both datasets."""
CLAIMED = {
    "activation-order": ("activation-resnet", "activation-alexnet"),
    "activation-order-unet": ("activation-unet",),
    "batch-norm": tuple(f"batch-norm-{net}" for net in TECHNIQUES["batch-norm"]),
    "skip-connections": tuple(f"skips-{net}" for net in TECHNIQUES["skips"]),
    "optimisers": tuple(f"optimiser-{net}" for net in TECHNIQUES["optimiser"]),
    "thm-1-measured": ("theorem-1",),
}


def test_every_network_and_dataset_that_the_paper_names_is_trained():
    named = {f"{technique}-{net}" for technique, nets in TECHNIQUES.items() for net in nets}
    assert set(BY_ID) == {"theorem-1", *named, *(f"{name}-cifar100" for name in named)}
    for name in named:
        setting, hundred = (BY_ID[one].scales["paper"] for one in (name, f"{name}-cifar100"))
        assert (setting.values["data"], hundred.values["data"]) == ("cifar10", "cifar100")
        assert hundred.values == setting.values | {"data": "cifar100", "orders": hundred.values["orders"]}
        net, _, depth = name.partition("-")[2].removeprefix("norm-").partition("-")
        assert setting.values["model"]["name"] == net
        assert setting.values["model"].get("depth") == (int(depth) if depth else {"resnet": 18, "vgg": 11}.get(net))


@pytest.mark.parametrize("claim", [name for name in registry() if name.startswith("chen.")])
def test_a_claim_rests_on_the_trainings_that_its_sentence_names(claim):
    measurement = registry()[claim].measurement
    if measurement is None:
        return
    rests = measurement.measure.__self__
    found = {name for name, one in BY_ID.items() if rests.has(one.id)}
    named = CLAIMED.get(claim.removeprefix("chen."), set(BY_ID) - {"theorem-1"})
    assert found == {f"{name}{data}" for name in named for data in ("", "-cifar100")} & set(BY_ID)
    assert rests.of == len(found)


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


def test_the_opposite_order_disagrees():
    setting = BY_ID["optimiser-resnet"].scales["gpu"]
    names = [p.metric for p in setting.predictions]
    rows = []
    for k in range(3):
        row = {name: 1.3 + 0.01 * k if name.startswith("faster") else -0.4 + 0.01 * k for name in names}
        rows.append(row | {"smallest": 0.1, "share": 0.95 + 0.01 * k, "aligned": 0.7 + 0.01 * k})
    found = verdicts(setting, rows)
    orders = {name for name in names if name.startswith(("faster", "factor"))}
    assert len(orders) == 4
    assert {found[name] for name in orders} == {"disagrees"}
    assert {found[name] for name in set(names) - orders} == {"agrees"}


def judged(name, scale="gpu"):
    """The regions by pair, of the speed, of gamma, and of a much larger gamma."""
    out = {"faster": {}, "factor": {}, "much": {}}
    for p in BY_ID[name].scales[scale].predictions:
        kind, _, pair = p.metric.partition("_")
        if pair:
            out[kind][pair] = (p.low, p.high)
    return tuple(out.values())


BELOW, MUCH, ABOVE = (-np.inf, 1.0), (-np.inf, 0.8), (0.0, np.inf)


def each(region, *pairs):
    return dict.fromkeys(pairs, region)


def test_no_more_and_no_less_is_judged_than_the_text_says():
    tanh = ("relu_tanh", "leaky_relu_tanh")
    last = ("relu_sigmoid", "leaky_relu_sigmoid", "tanh_sigmoid")
    order = (*tanh, "tanh_sigmoid")
    first, without = ("adam_momentum", "adam_sgd"), ("all_norms_no_norms", "first_norms_no_norms")
    slightly = "all_norms_first_norms"
    expected = {
        "activation-resnet": (each(BELOW, *order), each(ABOVE, *order), {}),
        "activation-alexnet": (each(BELOW, *tanh) | each(MUCH, *last), each(ABOVE, *tanh), each(ABOVE, *last)),
        "optimiser-unet": (each(MUCH, *first), each(ABOVE, *first), {}),
        "optimiser-vgg": (each(BELOW, "adam_momentum", "momentum_sgd"), each(ABOVE, *first), {}),
    }
    on_10 = each(MUCH, *without) | {"first_norms_all_norms": (0.8, 1.25)}, {}, each(ABOVE, *without)
    on_100 = each(MUCH, *without) | {slightly: (0.8, 1.0)}, each(ABOVE, *without, slightly), {}
    for name, regions in expected.items():
        assert judged(name) == judged(f"{name}-cifar100") == regions, name
    for name in ("resnet", "resnet-34", "vgg", "vgg-16"):
        assert judged(f"batch-norm-{name}") == on_10
        assert judged(f"batch-norm-{name}-cifar100") == on_100


@pytest.mark.parametrize(("ratio", "verdict"), [(1.0, "agrees"), (2.1, "disagrees"), (0.5, "disagrees")])
def test_as_fast_is_neither_slower_nor_faster(ratio, verdict):
    setting = BY_ID["batch-norm-vgg"].scales["quick"]
    rows = [filled(setting, {"faster_first_norms_all_norms": ratio + 0.01 * k}) for k in range(3)]
    assert verdicts(setting, rows)["faster_first_norms_all_norms"] == verdict


@pytest.mark.parametrize(("slower", "verdict"), [(1.1, "disagrees"), (2.0, "agrees")])
def test_a_little_is_not_much(slower, verdict, tmp_path, monkeypatch):
    """One variant's losses are so many times the others' on the same walk, and its gamma as many times smaller."""
    setting = BY_ID["batch-norm-vgg"].scales["gpu"]
    losses = {"all_norms": 1, "first_norms": 1, "no_norms": slower}
    monkeypatch.setattr(
        measures,
        "trajectory",
        lambda name, *_: (walk := walked(4, 2, 1, 0)) | {"losses": walk["losses"] * losses[name]},
    )
    small = setting.values | {"data": "digits", "train": 128}
    found = verdicts(setting, [measures.measure(small, 0, Context(tmp_path)).metrics] * 3)
    pair = "all_norms_no_norms"
    assert [found[f"faster_{pair}"], found[f"much_{pair}"]] == [verdict] * 2
    assert found["faster_first_norms_all_norms"] == "agrees"


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

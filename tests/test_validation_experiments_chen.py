"""The regularity principle: experiments at a toy size, gamma against a stored trajectory, and what must disagree."""

import numpy as np
import pytest
import torch

from linreg_dyn.claims import registry
from tests.test_validation_chen_gamma import filled, walked
from tests.toy_settings import check, measured, verdicts
from validation.context import Context
from validation.data import load
from validation.experiments import chen
from validation.experiments.chen import measures

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


def test_weights_are_drawn_as_torch_does_and_are_the_same_for_a_seed():
    model = measures.network({"name": "resnet", "width": 8, "norms": "none"}, DIGITS, 0)
    again = measures.network({"name": "resnet", "width": 8, "norms": "none"}, DIGITS, 1)
    before = model[-1].weight.std()  # pyright: ignore[reportIndexIssue]
    for one, other in zip(measures.drawn(model, 2).parameters(), measures.drawn(again, 2).parameters(), strict=True):
        assert torch.equal(one, other)
        if one.ndim > 1:  # uniform up to 1 / sqrt(fan_in)
            assert abs(one).max() <= one[0].numel() ** -0.5
    assert model[-1].weight.std() < before  # pyright: ignore[reportIndexIssue]


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

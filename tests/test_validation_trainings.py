"""Trainings that experiments share: what is found is what would have been computed, and nothing else is found."""

import dataclasses
from dataclasses import replace

import numpy as np
import pytest

from linreg_dyn.schedules import AutoL2, Steps, Window
from tests.toy_settings import FC, measured
from validation import arrays, queue, records, trainings
from validation.batches import Augment
from validation.context import Context
from validation.core import Experiment, Measured, Setting
from validation.data import load
from validation.experiments import golatkar, runs
from validation.experiments.golatkar import measures
from validation.experiments.golatkar.settings import SHARED_GPU
from validation.trainer import Recipe
from validation.trainings import Store, digest_of

DIGITS = load("digits").subset(24, 40)
HOW = Recipe(6, 8, 0.1, 0.01, optimiser="momentum", momentum=0.9)
TOY = {"data": "digits", "train": 24, "test": 40, "model": FC, "batch": 24, "unit": 1, "every": 50}
TOY |= {"precision": "float32", "images": 8}
BY_ID = {experiment.id.removeprefix("golatkar."): experiment for experiment in golatkar.EXPERIMENTS}

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def fits(monkeypatch):
    """The recipes that are trained, not found."""
    seen, fit = [], runs.fit

    def counted(model, data, recipe, **how):
        seen.append(recipe)
        return fit(model, data, recipe, **how)

    monkeypatch.setattr(runs, "fit", counted)
    return seen


def digest(options=FC, data=DIGITS, recipe=HOW, at=(0, 6), device="cpu"):
    return digest_of(options, data, recipe, at, device)


OTHERS = {
    "steps": 7,
    "batch_size": 9,
    "learning_rate": Steps((0.1, 0.2), milestones=(5,)),  # at its last step alone
    "l2": Window(0.01, start=1),
    "optimiser": "nesterov",
    "momentum": 0.8,
    "betas": (0.9, 0.99),
    "epsilon": 1e-7,
    "decoupled": True,
    "loss": "mse",
    "augment": Augment(flip=1.0, crop=1.0),
    "sparsity": 0.5,
    "reconstruct": True,
    "precision": "bf16",
    "deterministic": True,
    "compile": True,
    "seed": 1,
}
AUGMENTS = {"flip": 1.0, "crop": 1.0, "mixup": 0.1, "noise": 0.5, "shift": 3, "mirrored": True}


def test_whatever_is_altered_is_another_training(monkeypatch):
    assert set(OTHERS) == {field.name for field in dataclasses.fields(Recipe)}
    found = {name: digest(recipe=replace(HOW, **{name: value})) for name, value in OTHERS.items()}
    assert {field.name for field in dataclasses.fields(Augment)} == set(AUGMENTS)
    augments = [Augment(**{name: value}) for name, value in AUGMENTS.items()]
    augments += [Augment(mixup=0.2)]
    found |= {repr(augment): digest(recipe=replace(HOW, augment=augment)) for augment in augments}
    found |= {repr(auto): digest(recipe=replace(HOW, l2=auto)) for auto in (AutoL2(0.01), AutoL2(0.01, every=6))}
    found["options"] = digest(options=FC | {"width": 5})
    found["at"] = digest(at=(0, 3, 6))
    for key in ("x_train", "y_train", "x_test", "y_test"):
        altered = getattr(DIGITS, key).copy()
        altered.flat[-1] ^= 1
        found[key] = digest(data=replace(DIGITS, **{key: altered}))
    found["classes"] = digest(data=replace(DIGITS, classes=11))
    for owner, name in ((records, "describe_device"), (records, "versions"), (trainings, "_source")):
        with monkeypatch.context() as patched:
            patched.setattr(owner, name, lambda *_: {"other": 1})
            found[name] = digest()
    assert len({digest(), *found.values()}) == 1 + len(found), found


def test_the_same_strengths_are_the_same_training_however_they_are_written():
    same = replace(HOW, learning_rate=Steps((0.1, 0.7), milestones=(6,)), l2=Window(0.01, start=0, stop=9))
    assert digest(recipe=same) == digest(recipe=replace(HOW)) == digest(data=replace(DIGITS, name="other"))
    values = SHARED_GPU | TOY
    one, other = (measures.recipe(values | {"regulariser": r}, "interrupted-200", 0) for r in values["also"])
    assert one != other
    assert digest(recipe=one) == digest(recipe=other)


@pytest.mark.parametrize("scale", ["gpu", "paper"])
def test_no_experiment_counts_a_training_twice(scale, monkeypatch):
    """A window of 50 epochs from the start on is also one that is interrupted at 50."""
    monkeypatch.setattr(records, "versions", dict)  # it takes a while
    for name, experiment in BY_ID.items():
        if scale in experiment.scales and not name.endswith("imagenet"):
            values = experiment.scales[scale].values | TOY
            known = {digest(recipe=measures.recipe(values, run, 0)): run for run in values["runs"]}
            assert len(known) == len(values["runs"]), name
    twice = [digest(recipe=measures.recipe(values, run, 0)) for run in ("interrupted-50", "sliding-0")]
    assert twice[0] == twice[1]


def test_the_code_is_part_of_a_training(tmp_path, monkeypatch):
    source = trainings._source.__wrapped__
    package = tmp_path / "validation"
    package.mkdir()
    (package / "optimisers.py").write_text("x = 1\n")
    monkeypatch.setattr(trainings, "__file__", str(package / "trainings.py"))
    before = source()
    assert before == source()
    (package / "optimisers.py").write_text("x = 2\n")
    assert source() != before


@pytest.mark.parametrize(
    ("first", "second", "new"),
    [
        ("weight-decay-interrupted", "weight-decay-delayed", 2),  # delayed-50 and -100
        ("weight-decay-interrupted", "fisher", 5),  # all but interrupted-0, -100 and -200
        ("fisher", "effective-rate", 0),
        ("weight-decay-interrupted", "augmentation-interrupted", 2),
        ("weight-decay-interrupted", "weight-decay-interrupted-piecewise", 3),
    ],
)
def test_an_experiment_finds_what_another_has_trained(first, second, new, tmp_path, fits):
    """And comes to the same numbers as if it had been alone."""
    _, alone = measured(BY_ID[second], "gpu", tmp_path / "alone", **TOY)
    fits.clear()
    store = Store(tmp_path / "store")
    for name in (first, second):
        fits.clear()
        setting = BY_ID[name].scales["gpu"]
        context = Context(tmp_path / name, trainings=store)
        found = BY_ID[name].measure(setting.values | TOY, 0, context)
    assert len(fits) == new
    assert found.metrics.keys() == alone.metrics.keys()
    for key, value in alone.metrics.items():
        np.testing.assert_array_equal(found.metrics[key], value, key)
    assert found.arrays.keys() == alone.arrays.keys()
    for key, value in alone.arrays.items():
        np.testing.assert_array_equal(found.arrays[key], value, key)


def test_paths_share_within_themselves(tmp_path, fits):
    """Regularised by both throughout is one training, not two."""
    few = {"runs": ["interrupted-25", "interrupted-150", "interrupted-200"]}
    values = BY_ID["paths"].scales["gpu"].values | TOY | few | {"early": few["runs"][:1], "late": few["runs"][1:2]}
    one = measures.paths(values, 0, Context(tmp_path / "a"))
    assert len(fits) == 6
    other = measures.paths(values, 0, Context(tmp_path / "b", trainings=Store(tmp_path / "store")))
    assert len(fits) == 11
    assert one.metrics == other.metrics


ALONE = {"images": 8, "strength": {"augmentation": 0.0}}
WATCHES = {kind: measures.WATCHES[kind](ALONE, 0) for kind in ("fisher", "path")}
OTHER = {"fisher": measures.WATCHES["fisher"](ALONE | {"images": 9}, 0)}


def trained(folder, store, watch):
    return runs.train("one", FC, DIGITS, HOW, Context(folder, trainings=store), every=2, watch=watch)


def test_what_is_watched_does_not_act_on_the_training(tmp_path):
    plain, watched = trained(tmp_path / "a", None, {}), trained(tmp_path / "b", None, WATCHES)
    for key, value in plain.items():
        np.testing.assert_array_equal(watched[key], value, key)
    assert watched["path.weights"].shape == (4, sum(p.numel() for p in runs.network(FC, DIGITS, 0).parameters()))
    assert watched["fisher.value"].shape == (4,)


def test_an_entry_serves_whoever_asks_for_no_more_than_it_has(tmp_path, fits):
    store, fisher = Store(tmp_path / "store"), {"fisher": WATCHES["fisher"]}
    plain = trained(tmp_path / "a", store, {})
    asked = [(fisher, 2), ({}, 2), (WATCHES, 3), (fisher, 3), (OTHER, 4), (fisher, 5)]
    for k, (watch, count) in enumerate(asked):
        found = trained(tmp_path / str(k), store, watch)
        assert len(fits) == count, k
        assert {key.partition(".")[0] for key in found if "." in key} == set(watch)
        assert plain.keys() <= found.keys()
    assert len(list(store.folder.iterdir())) == 1


def test_a_damaged_entry_is_trained_again(tmp_path, fits):
    store, said = Store(tmp_path / "store"), []
    first = trained(tmp_path / "a", store, {})
    (entry,) = store.folder.iterdir()
    whole = entry.read_bytes()
    for k, broken in enumerate((b"", whole[:100], whole[:-30], b"x" * len(whole))):
        entry.write_bytes(broken)
        context = Context(tmp_path / f"b{k}", trainings=store, say=said.append)
        again = runs.train("one", FC, DIGITS, HOW, context, every=2)
        assert len(fits) == 2 + k
        assert any("damaged" in line for line in said)
        said.clear()
        for key, value in first.items():
            np.testing.assert_array_equal(again[key], value, key)
        assert store.find(entry.stem, (), said.append) is not None  # it is whole again


def test_no_byte_can_be_altered_unseen(tmp_path):
    path = tmp_path / "few.npz"
    kept = arrays.write(path, {"a": np.arange(3.0), "b": "word"})
    whole, seen = path.read_bytes(), 0
    for place in range(len(whole)):
        altered = bytearray(whole)
        altered[place] ^= 0xFF
        path.write_bytes(altered)
        found = arrays.read(path, lambda line: None)
        seen += found is None
        if found is not None:  # a date, say
            assert found.keys() == kept.keys()
            assert all(np.array_equal(found[key], kept[key]) for key in kept), place
    assert seen > len(whole) / 2


def test_a_store_is_kept_until_all_specs_have_records(tmp_path, fits):
    def measure(values, seed, context):
        curves = runs.train("one", FC, DIGITS, replace(HOW, seed=seed), context, every=2)
        if values["breaks"] and not broken:
            broken.append(seed)
            raise RuntimeError("broken")
        return Measured({"loss": float(curves["test_loss"][-1])})

    broken = []
    specs = [
        Experiment(
            f"toy.{name}", "A toy", "nobody", "", {"quick": Setting({"breaks": name == "b"}, (), 2)}, measure, k
        ).spec("quick")
        for k, name in enumerate("abc")
    ]
    where = {"folder": tmp_path / "records", "work": tmp_path / "work"}
    kept = where["work"] / trainings.FOLDER
    written, left = queue.run_next(specs, Context(tmp_path), minutes=1, on_error=lambda *_: None, **where)
    assert [len(written), len(left), len(fits)] == [2, 1, 2]
    assert len(list(kept.iterdir())) == 2
    a, c = (records.read(path) for path in written)
    assert a["metrics"] == c["metrics"]
    taken = [float(np.load(path)[trainings.SECONDS]) for path in kept.iterdir()]
    assert c["seconds"] >= sum(taken) - 1e-3  # what it would have taken alone
    assert not queue.run_next(specs, Context(tmp_path), minutes=1, **where)[1]
    assert len(fits) == 2
    assert not list(where["work"].iterdir())


def test_clean_removes_what_the_queue_made_and_nothing_else(tmp_path):
    def measure(values, seed, context):
        runs.train("one", FC, DIGITS, HOW, context, every=2)
        raise KeyboardInterrupt

    spec = Experiment("toy.one", "A toy", "nobody", "", {"quick": Setting({}, ())}, measure).spec("quick")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("words")
    with pytest.raises(KeyboardInterrupt):
        queue.run(spec, Context(tmp_path), folder=tmp_path / "records", work=tmp_path)
    shared, unfinished = queue.clean(tmp_path)
    assert shared > 100
    assert unfinished > 100
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]
    assert (tmp_path / "mine" / "thesis.tex").exists()
    assert queue.clean(tmp_path) == (0, 0)

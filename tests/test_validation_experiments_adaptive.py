"""Adapting regularisation with the learning rate: experiments at a toy size, Table 1, and a paper that is wrong."""

from dataclasses import replace

import numpy as np
import pytest

from linreg_dyn.schedules import as_schedule
from linreg_dyn.schedules.published import TABLE_1
from tests.toy_settings import FC, check, measured, verdicts
from validation.context import Context
from validation.experiments import adaptive
from validation.experiments.adaptive import measures
from validation.experiments.adaptive.measures import DECAYS, HALF, NONE, ONCE, recipe
from validation.experiments.common import dataset
from validation.trainings import digest_of

BY_ID = {experiment.id.removeprefix("adaptive."): experiment for experiment in adaptive.EXPERIMENTS}
TOY = {"data": "digits", "train": 24, "test": 40, "model": FC, "batch": 24, "unit": 1, "every": 50}
TOY |= {"precision": "float32"}


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.mark.parametrize("name", sorted(BY_ID))
def test_every_figure_runs_at_every_scale(name, tmp_path):
    experiment = BY_ID[name]
    for scale in experiment.scales:
        if scale == "paper":
            continue  # the same code and runs as at gpu scale
        found = measured(experiment, scale, tmp_path / scale, **TOY)
        check(experiment, *found)


RUNS = [*DECAYS, *adaptive.CONSTANTS, *adaptive.SPARSE, HALF, ONCE]


@pytest.mark.parametrize("run", RUNS)
def test_runs_follow_the_table(run):
    values = BY_ID["weight-decay"].scales["paper"].values
    found = recipe(values | {"unit": 2}, run, 0)
    for first, last, rate, one, two, *sparse in TABLE_1:
        decay = {"01": one, "02": two}.get(run, 1e-4 if run in (*adaptive.SPARSE, HALF, ONCE) else float(run))
        dropped = dict(zip(adaptive.SPARSE, (*sparse, 0.0), strict=True)).get(run, 0.5 if run == HALF else 0.0)
        for step in (2 * (first - 1), 2 * last - 1):
            if run != ONCE:
                assert as_schedule(found.learning_rate).at(step) == rate
            assert as_schedule(found.l2, zero=True).at(step) == pytest.approx(decay)
            assert as_schedule(found.sparsity, zero=True).at(step) == dropped
    assert found.steps == 2 * TABLE_1[-1][1]


def test_one_annealing_has_the_rates_of_a_phase_and_the_length_of_three():
    rate = as_schedule(recipe(BY_ID["sparse-gradients"].scales["paper"].values, ONCE, 0).learning_rate)
    expected = [rate for *_, rate in sorted({(-row[2], row[2]) for row in TABLE_1})]
    assert rate.at(np.arange(450) * 1000).tolist() == np.repeat(expected, 90).tolist()
    assert rate.length == 450_000


def test_the_other_readings_multiply_schemes_or_constants_alone():
    values = BY_ID["weight-decay-shallow-tenfold"].scales["paper"].values
    assert as_schedule(recipe(values, "01", 0).l2).at(200_000) == pytest.approx(0.016)
    assert recipe(values, "8e-3", 0).l2 == 0.008
    quick = BY_ID["weight-decay-shallow"].scales["quick"].values
    assert recipe(quick, "8e-3", 0).l2 == pytest.approx(quick["scale"] * 0.008)
    tenth = BY_ID["weight-decay-tenth"].scales["paper"].values
    assert [float(run) for run in tenth["runs"][2:]] == [1e-4, 2e-4, 4e-4, 8e-4]
    assert as_schedule(recipe(tenth, "01", 0).l2).at(200_000) == 0.0016


def test_trainings_are_shared_between_the_readings(tmp_path):
    """Schemes and the run without sparsity at the paper's scale; at gpu scale all runs of -tenth and -tenfold."""
    data = dataset({"data": "digits", "train": 8, "test": 4}, Context(tmp_path))

    def trained(name, scale, runs):
        values = BY_ID[name].scales[scale].values
        return {
            digest_of(values["model"], data, replace(recipe(values, run, 0), steps=450 * unit), [0], "cpu")
            for run in runs
            for unit in [values["unit"]]
        }

    for printed, other in (
        ("weight-decay", "weight-decay-tenth"),
        ("weight-decay-cifar100", "weight-decay-cifar100-tenth"),
    ):
        assert trained(printed, "paper", DECAYS) == trained(other, "paper", DECAYS)
    for sparse, other in (("", "weight-decay-tenth"), ("-cifar100", "weight-decay-shallow-cifar100-tenth")):
        assert trained(f"sparse-gradients{sparse}", "paper", [NONE]) == trained(other, "paper", ["1e-4"])
    names = ("weight-decay-shallow-tenth", "weight-decay-shallow-tenfold")
    one, two = (trained(name, "gpu", BY_ID[name].scales["gpu"].values["runs"]) for name in names)
    assert one == two
    assert len(one) == 6


@pytest.mark.parametrize("name", ["weight-decay-shallow", "weight-decay-cifar100"])
def test_what_a_tenth_of_the_steps_leaves_of_decays_is_said_and_not_expected(name):
    """rate x decay x steps, by Table 1."""

    def acts(scale, run, first, last):
        values = BY_ID[name].scales[scale].values
        how, steps = recipe(values, run, 0), np.arange(first * values["unit"], last * values["unit"])
        return float((as_schedule(how.learning_rate).at(steps) * as_schedule(how.l2, zero=True).at(steps)).sum())

    assert acts("paper", "1e-3", 0, 250) == pytest.approx(5.6, abs=0.05)
    assert acts("gpu", "1e-3", 0, 250) == pytest.approx(0.56, abs=0.005)
    assert acts("gpu", "8e-3", 0, 250) == pytest.approx(4.4, abs=0.05)
    assert acts("gpu", "01", 100, 250) < 0.005
    gpu = BY_ID[name].scales["gpu"]
    assert "rate x decay x steps is a tenth of the paper's" in gpu.differs
    assert {p.metric for p in gpu.predictions if not p.expected} == set(adaptive.BY_DECAYS) & {
        p.metric for p in gpu.predictions
    }
    assert all(p.expected for p in BY_ID[name].scales["paper"].predictions)


def _curves(losses, errors):
    """Two numbers by run, at the end of the first phase and of the last."""
    steps = np.array([0, 250, 450])
    return {
        run: {
            "steps": steps,
            "test_loss": np.array([2.3, *losses[run]]),
            "test_accuracy": 1 - np.array([0.9, *errors[run]]),
        }
        for run in losses
    }


LOSSES = {"01": (0.3, 0.3), "02": (0.35, 0.3), "1e-3": (0.6, 0.32), "2e-3": (0.5, 0.5), "4e-3": (0.4, 0.4)}
LOSSES |= {"8e-3": (0.45, 0.4)}
ERRORS = {"01": (0.1, 0.095), "02": (0.1, 0.095), "1e-3": (0.1, 0.09), "2e-3": (0.1, 0.08), "4e-3": (0.1, 0.08)}
ERRORS |= {"8e-3": (0.2, 0.1)}


def _verdicts(monkeypatch, folder, losses, errors, name="weight-decay", scale="gpu"):
    rows = []
    for seed in range(3):
        seen = {run: (a + 1e-4 * seed, b - 1e-4 * seed) for run, (a, b) in losses.items()}
        monkeypatch.setattr(measures, "_trained", lambda *_, seen=seen: _curves(seen, errors))
        values = {"unit": 1, "runs": list(losses)}
        rows.append(measures.weight_decay(values, seed, Context(folder)).metrics)
    return verdicts(BY_ID[name].scales[scale], rows)


def test_networks_as_the_paper_has_them_agree(monkeypatch, tmp_path):
    assert set(_verdicts(monkeypatch, tmp_path, LOSSES, ERRORS).values()) == {"agrees"}


def test_a_tenth_of_the_constants_is_judged_alike(monkeypatch, tmp_path):
    losses, errors = ({run.replace("e-3", "e-4"): x for run, x in row.items()} for row in (LOSSES, ERRORS))
    assert set(_verdicts(monkeypatch, tmp_path, losses, errors, "weight-decay-tenth").values()) == {"agrees"}


@pytest.mark.parametrize(
    ("change", "wrong"),
    [
        ({"02": (0.2, 0.3)}, "best_01"),
        ({"2e-3": (0.9, 0.5)}, "worst_weak"),
        ({"1e-3": (0.6, 0.6)}, "gap_left"),
        ({"1e-3": (0.6, 0.44)}, "gap_left"),  # halved, which is not closed
    ],
)
def test_another_order_of_losses_disagrees(monkeypatch, tmp_path, change, wrong):
    found = _verdicts(monkeypatch, tmp_path, LOSSES | change, ERRORS)
    assert found[wrong] == "disagrees"


@pytest.mark.parametrize(("first", "last"), [(0.3, 0.1), (0.2, 0.2), (0.2, 0.1)])
def test_a_gap_that_never_was_has_not_closed(monkeypatch, tmp_path, first, last):
    found = _verdicts(monkeypatch, tmp_path, LOSSES | {"1e-3": (first, last)}, ERRORS)
    assert found["gap_left"] == "inconclusive"


@pytest.mark.parametrize(
    ("change", "wrong"),
    [
        ({"8e-3": (0.05, 0.04)}, "worst_strong"),
        ({"01": (0.15, 0.095)}, "comparable_01"),
        ({"02": (0.15, 0.095)}, "comparable_02"),
        ({"1e-3": (0.1, 0.099)}, "better_scheme"),
        ({"01": (0.1, 0.2)}, "apart_01"),
        ({"02": (0.1, 0.07)}, "apart_02"),
        ({"4e-3": (0.1, 0.11)}, "restarts_4e-3"),
    ],
)
def test_another_order_of_errors_disagrees(monkeypatch, tmp_path, change, wrong):
    found = _verdicts(monkeypatch, tmp_path, LOSSES, ERRORS | change)
    assert found[wrong] == "disagrees"


@pytest.mark.parametrize(("error", "verdict"), [(0.09, "agrees"), (0.095, "agrees"), (0.12, "disagrees")])
def test_on_cifar_100_neither_scheme_is_worse_by_more_than_a_percent(monkeypatch, tmp_path, error, verdict):
    found = _verdicts(monkeypatch, tmp_path, LOSSES, ERRORS | {"02": (0.1, error)}, "weight-decay-cifar100")
    assert found["worse_scheme"] == verdict


def test_seeds_about_equal_errors_can_agree(monkeypatch, tmp_path):
    rng, found = np.random.default_rng(0), []
    for _ in range(5):
        errors = {run: (a, 0.3 + 0.001 * rng.normal()) for run, (a, _) in ERRORS.items()}
        monkeypatch.setattr(measures, "_trained", lambda *_, errors=errors: _curves(LOSSES, errors))
        found.append(measures.weight_decay({"unit": 1, "runs": list(LOSSES)}, 0, Context(tmp_path)).metrics)
    assert verdicts(BY_ID["weight-decay-cifar100"].scales["paper"], found)["worse_scheme"] == "agrees"


def test_a_run_that_diverged_is_no_evidence(monkeypatch, tmp_path):
    found = _verdicts(monkeypatch, tmp_path, LOSSES | {"02": (np.nan, np.nan)}, ERRORS)
    assert {found[name] for name in ("best_01", "worst_weak", "gap_left")} == {"inconclusive"}


SPARSE_ERRORS = {"21": (0.2, 0.1), "22": (0.2, 0.1), "23": (0.2, 0.1), NONE: (0.2, 0.1), HALF: (0.3, 0.2)}
SPARSE_ERRORS |= {ONCE: (0.3, 0.15)}


@pytest.mark.parametrize(
    ("errors", "train", "wrong"),
    [
        ({}, 0.5, set()),
        ({ONCE: (0.3, 0.08)}, 0.5, {"over_once"}),  # longer, and that is all
        ({HALF: (0.3, 0.05)}, 0.5, {"half_test"}),
        ({"22": (0.2, 0.25)}, 0.5, {"restarts_22"}),
        ({}, 0.05, {"half_train"}),
    ],
)
def test_predictions_of_sparsity_and_restarts_can_fail(monkeypatch, tmp_path, errors, train, wrong):
    errors = SPARSE_ERRORS | errors
    curves = _curves(dict.fromkeys(errors, (0.4, 0.3)), errors)
    curves = {run: row | {"train_loss": np.array(train if run == HALF else 0.1)} for run, row in curves.items()}
    monkeypatch.setattr(measures, "_trained", lambda *_: curves)
    found = measures.sparse_gradients({"unit": 1, "runs": list(errors)}, 0, Context(tmp_path)).metrics
    seen = verdicts(BY_ID["sparse-gradients"].scales["gpu"], [found] * 3)
    assert {name for name, verdict in seen.items() if verdict == "disagrees"} == wrong
    assert {verdict for name, verdict in seen.items() if name not in wrong} == {"agrees"}

"""gamma of the regularity principle against stored trajectories, and Theorem 1 on each."""

import copy
import dataclasses

import numpy as np
import pytest
import torch

from linreg_dyn.schedules import Cosine
from tests.clocks import in_parts
from validation import data, train
from validation.context import OutOfTime
from validation.measure.regularity import gamma, rates_of, second_pass, theorem_1
from validation.models import build
from validation.train import Recipe, Trainer, fit

DIGITS = data.load("digits").subset(64, 10)
OPTIMISERS = {
    "sgd": {},
    "momentum": {"optimiser": "momentum", "momentum": 0.5},
    "adam": {"optimiser": "adam", "epsilon": 1e-2},
}


def net():
    torch.manual_seed(0)
    return build("fc", channels=1, side=8, classes=10, width=12, depth=1)


def flat(parameters):
    return torch.cat([p.detach().flatten() for p in parameters]).double().numpy()


def stored(recipe):
    """The definition, on a trajectory that is stored: weights, updates, losses."""
    trainer = Trainer(net(), DIGITS, recipe)
    path, losses = [flat(trainer.parameters)], []
    for _ in range(recipe.steps):
        losses.append(float(trainer.chunk(1)[0]))
        path.append(flat(trainer.parameters))
    path, rates = np.array(path), rates_of(trainer)
    updates = (path[:-1] - path[1:]) / rates[:, None]
    away = path[:-1] - path[-1]
    coherence = (away * updates).sum(1)
    return (coherence - rates / 2 * (updates**2).sum(1)) / np.array(losses), path, np.array(losses)


@pytest.mark.parametrize("kind", OPTIMISERS)
@pytest.mark.parametrize("rate", [0.05, Cosine(0.1, end=0.01, steps=40)])
def test_two_passes_give_the_definitions_gamma(kind, rate):
    recipe = Recipe(40, 16, rate, **OPTIMISERS[kind])
    expected, path, _ = stored(recipe)
    first = fit(net(), DIGITS, recipe)
    distances, moved = second_pass(lambda: Trainer(net(), DIGITS, recipe), first)
    np.testing.assert_allclose(distances, ((path - path[-1]) ** 2).sum(1), rtol=1e-12, atol=0)
    np.testing.assert_allclose(moved, (np.diff(path, axis=0) ** 2).sum(1), rtol=1e-12, atol=0)
    trainer = Trainer(net(), DIGITS, recipe)
    np.testing.assert_allclose(gamma(distances, first.losses, rates_of(trainer)), expected, rtol=1e-5)


def test_a_second_pass_that_was_stopped_goes_on_bit_by_bit(tmp_path, monkeypatch):
    monkeypatch.setattr(train, "LOOK", 0.0)  # look at the clock after every step or so
    recipe = Recipe(60, 16, Cosine(0.1, end=0.01, steps=60), **OPTIMISERS["adam"])
    first = fit(net(), DIGITS, recipe)
    whole = second_pass(lambda: Trainer(net(), DIGITS, recipe), first)
    path = tmp_path / "second.checkpoint"

    def go_on(stops):
        assert path.exists() == (stops > 0)
        return second_pass(lambda: Trainer(net(), DIGITS, recipe), first, checkpoint=path, deadline=20.0)

    again, stops = in_parts(monkeypatch, go_on)
    assert stops >= 2
    assert not path.exists()
    for one, other in zip(again, whole, strict=True):
        np.testing.assert_array_equal(one, other)
    with pytest.raises(OutOfTime):
        second_pass(lambda: Trainer(net(), DIGITS, recipe), first, deadline=-1.0)


def test_a_run_that_diverged_has_no_end_to_measure_from():
    first = dataclasses.replace(fit(net(), DIGITS, Recipe(2, 16, 0.05)), diverged=1)
    with pytest.raises(ValueError, match="first must be a run that did not diverge, got one that did at step 1"):
        second_pass(lambda: Trainer(net(), DIGITS, Recipe(2, 16, 0.05)), first)


def test_a_replay_that_is_another_run_is_found():
    recipe = Recipe(20, 16, 0.05)
    first = fit(net(), DIGITS, recipe)
    other = Recipe(20, 16, 0.05, seed=1)
    with pytest.raises(RuntimeError, match="not the first, bit by bit"):
        second_pass(lambda: Trainer(net(), DIGITS, other), first)
    altered = copy.deepcopy(first)
    with torch.no_grad():
        next(altered.model.parameters())[0, 0] += 1e-6
    with pytest.raises(RuntimeError, match="bit by bit"):
        second_pass(lambda: Trainer(net(), DIGITS, recipe), altered)


def test_theorem_1_holds_where_its_principle_does_and_its_bound_is_sharp_for_equal_gammas():
    rng = np.random.default_rng(0)
    distances = np.sort(rng.random(31))[::-1] - 0.0
    distances[-1] = 0.0
    losses = rng.random(30) + 0.1
    left, right = theorem_1(distances, losses, 0.1)
    assert left <= right
    equal = (distances[:-1] - distances[1:]) / (2 * 0.1 * 3.0)
    left, right = theorem_1(distances, equal, 0.1)
    assert left == pytest.approx(right)
    left, right = theorem_1(distances, equal, 0.1, least=-1.0)
    assert left < right
    backwards = distances.copy()
    backwards[3] = backwards[2] + 0.1  # a step away from the end: no gamma above 0
    assert theorem_1(backwards, losses, 0.1)[1] == np.inf


def test_gamma_is_undefined_at_the_infimum():
    found = gamma(np.array([2.0, 1.0, 0.0]), np.array([0.5, 0.0]), np.full(2, 0.1))
    np.testing.assert_allclose(found, [10.0, np.nan])

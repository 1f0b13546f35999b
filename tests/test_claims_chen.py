"""Chen, Yang and Zhou (2020), Theorem 1 and what a large gamma says: the verdicts, and trajectories step by step."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from linreg_dyn import claims
from linreg_dyn.claims import Evidence
from tests.verdicts import decided_and_amended

F = Fraction
PROVED = {
    f"chen.{name}" for name in ("thm-1", "thm-1.sharp", "rate.amended", "larger-gamma.amended", "straight.amended")
}
REFUTED = {"chen.rate", "chen.larger-gamma", "chen.straight"}


@pytest.fixture(scope="module")
def evidence() -> dict[str, Evidence]:
    found = claims.audit([claim for claim in claims.select(["chen"]) if claim.parts])
    return {item.claim.id: item for item in found}


def test_verdicts_and_certificates(evidence: dict[str, Evidence]) -> None:
    assert set(evidence) == PROVED | REFUTED
    decided_and_amended({name: e.claim for name, e in evidence.items()}, evidence, REFUTED)
    assert {e.claim.source.key for e in evidence.values()} == {"chen2020"}


# ---------------------------------------------------------------- trajectories, with exact numbers
Run = tuple[list[Any], list[Any], list[Fraction], Fraction]
"""Weights from the first to the last, updates, losses (infimum 0) and the learning rate."""


def walk(start: Any, update: Callable[[Any], Any], loss: Callable[[Any], F], eta: F, steps: int) -> Run:
    thetas, updates, losses = [np.array(start, dtype=object)], [], []
    for _ in range(steps):
        updates.append(np.array(update(thetas[-1]), dtype=object))
        losses.append(loss(thetas[-1]))
        thetas.append(thetas[-1] - eta * updates[-1])
    return thetas, updates, losses, eta


def largest_gamma(run: Run) -> F:
    """The largest gamma of Definition 2, by its own words."""
    thetas, updates, losses, eta = run
    rooms = [(t - thetas[-1]) @ u - eta / 2 * (u @ u) for t, u in zip(thetas, updates, strict=False)]
    return min(room / loss for room, loss in zip(rooms, losses, strict=True))


def sides(run: Run) -> tuple[F, F]:
    """Both sides of eq. 3."""
    thetas, _, losses, eta = run
    away, T = thetas[0] - thetas[-1], len(losses)
    return sum(losses, F(0)) / T, away @ away / (2 * eta * largest_gamma(run) * T)


def quadratic(a: int, steps: int) -> Run:
    """Gradient descent on (a x^2 + y^2)/2."""
    return walk(
        [F(1), F(-2)],
        lambda t: t * np.array([a, 1]),
        lambda t: (a * t[0] ** 2 + t[1] ** 2) / 2,
        F(1, 4),
        steps,
    )


@pytest.mark.parametrize("a", [1, 2, 3])
def test_descent_obeys_the_theorem(a: int) -> None:
    run = quadratic(a, 6)
    left, right = sides(run)
    assert largest_gamma(run) > 0
    assert left <= right
    assert left > right / 10, "the bound says something"


def straight(eta: F, u: F, steps: int, loss: Callable[[int], F]) -> Run:
    thetas = [np.array([-eta * u * k], dtype=object) for k in range(steps + 1)]
    return thetas, [np.array([u], dtype=object)] * steps, [loss(k) for k in range(steps)], eta


@pytest.mark.parametrize("steps", [1, 2, 7])
def test_the_bound_is_attained(steps: int) -> None:
    eta, gamma, u = F(1, 3), F(2, 5), F(3, 2)
    run = straight(eta, u, steps, lambda k: (steps - k - F(1, 2)) * eta * u**2 / gamma)
    assert largest_gamma(run) == gamma
    left, right = sides(run)
    assert left == right


def test_the_bound_is_off_by_the_mean_slack_over_gamma() -> None:
    run = quadratic(3, 5)
    thetas, updates, losses, eta = run
    gamma = largest_gamma(run) / 2
    slacks = [
        (t - thetas[-1]) @ u - eta / 2 * (u @ u) - gamma * loss
        for t, u, loss in zip(thetas, updates, losses, strict=False)
    ]
    away = thetas[0] - thetas[-1]
    bound = away @ away / (2 * eta * gamma * 5)
    assert min(slacks) > 0
    assert bound - sum(losses, F(0)) / 5 == sum(slacks, F(0)) / (gamma * 5)


def test_the_witness_against_the_rate_is_regular_for_every_time_and_does_not_converge(
    evidence: dict[str, Evidence],
) -> None:
    witness = evidence["chen.rate"].witness
    assert witness is not None
    gamma, constant = (F(witness["given"][name]) for name in ("gamma", "C"))
    eta, u, gap = F(2), F(1), 1 / gamma
    bounds = []
    for steps in (1, 2, 5, 40):
        run = straight(eta, u, steps, lambda k: gap)
        assert largest_gamma(run) >= gamma
        left, right = sides(run)
        assert left == gap
        assert left <= right, "the theorem holds all the same"
        bounds.append(right)
    assert bounds == sorted(bounds), "its bound grows, for the distance does"
    for C in (constant, F(7), F(100)):
        assert gap > C / (gamma * (C + 1)), "no constant will do"


def test_gradient_descent_on_a_smooth_loss_is_such_a_witness() -> None:
    """The example of the reading: sin(theta) at eta = 2 pi, with the gradient as the update."""
    eta, theta, thetas = 2 * np.pi, 0.0, [0.0]
    for _ in range(50):
        theta -= eta * np.cos(theta)
        thetas.append(theta)
    for T in (1, 3, 50):
        away = np.array(thetas[:T]) - thetas[T]
        rooms = away * np.cos(thetas[:T]) - eta / 2 * np.cos(thetas[:T]) ** 2
        gaps = np.sin(thetas[:T]) + 1
        np.testing.assert_allclose(gaps, 1, atol=1e-11)
        assert (rooms / gaps).min() == pytest.approx(np.pi, rel=1e-11)


def test_without_whole_epochs_the_theorem_fails() -> None:
    """Two samples of losses with infima 1 and -1, of which the first is drawn: T = 1 is no multiple of n = 2."""
    eta, u, low = F(1), F(1), F(1)
    gap = F(1, 10)
    gamma = eta * u**2 / 2 / gap
    average, infimum_of_f = low + gap, F(0)
    assert not average - infimum_of_f <= (eta * u) ** 2 / (2 * eta * gamma)


# ---------------------------------------------------------------- what a large gamma says
def numbers(evidence: dict[str, Evidence], name: str) -> dict[str, F]:
    witness = evidence[f"chen.{name}"].witness
    assert witness is not None
    return {key: F(value) for key, value in witness["given"].items()}


def test_the_witness_against_speed_has_the_larger_gamma_and_is_slower(evidence: dict[str, Evidence]) -> None:
    """Walked, with the largest gamma of each by the words of Definition 2."""
    v = numbers(evidence, "larger-gamma")
    updates = [np.array([v[name]], dtype=object) for name in "uv"]
    thetas = [np.array([F(0)], dtype=object)]
    for update in updates:
        thetas.append(thetas[-1] - v["eta"] * update)
    first, second = ((thetas, updates, [v[name] for name in names], v["eta"]) for names in ("ab", "cd"))
    assert (largest_gamma(first), largest_gamma(second)) == (v["g"], v["h"])
    assert largest_gamma(first) > largest_gamma(second) > 0
    assert sides(first)[0] > sides(second)[0] > 0


def mean_gamma(run: Run) -> F:
    """Of all steps, weighted with their losses."""
    thetas, updates, losses, eta = run
    gammas = [
        ((t - thetas[-1]) @ u - eta / 2 * (u @ u)) / loss for t, u, loss in zip(thetas, updates, losses, strict=False)
    ]
    return sum((g * loss for g, loss in zip(gammas, losses, strict=True)), F(0)) / sum(losses, F(0))


@pytest.mark.parametrize("a", [1, 3, 5, 9])
def test_the_weighted_mean_of_gamma_is_the_average_loss_in_other_words(a: int) -> None:
    """Of descents that converge, and of one (a = 9) that does not."""
    run = quadratic(a, 6)
    away = run[0][0] - run[0][-1]
    assert mean_gamma(run) / (away @ away) == 1 / (2 * run[3] * 6 * sides(run)[0])


def crossing(gamma: F, steps: int) -> Run:
    """As many orthogonal updates of one norm, at gaps that obey (2) with gamma."""
    eta, eye = F(2), np.array([[F(int(i == j)) for j in range(steps)] for i in range(steps)], dtype=object)
    thetas = [np.array([F(0)] * steps, dtype=object)]
    for row in eye:
        thetas.append(thetas[-1] - eta * row)
    return thetas, list(eye), [eta / (2 * gamma)] * steps, eta


def test_the_witness_against_straightness_is_a_walk_with_any_gamma(evidence: dict[str, Evidence]) -> None:
    witness = numbers(evidence, "straight")
    for gamma, C in ((witness["gamma"], int(witness["C"])), (F(1000), 3)):
        run = crossing(gamma, C**2 + 1)
        assert largest_gamma(run) == gamma
        away, length = run[0][0] - run[0][-1], run[3] * len(run[1])
        assert length**2 > C**2 * (away @ away)
        assert length**2 == len(run[1]) * (away @ away), "sqrt(T) times the distance, no more"


def test_updates_that_lead_back_are_longer_than_sqrt_T_lines() -> None:
    """To and fro, each step a little nearer: (2) holds with a small gamma."""
    places = [np.array([F(-9, 10) ** k], dtype=object) for k in range(8)] + [np.array([F(0)], dtype=object)]
    updates = [one - other for one, other in pairwise(places)]
    run = places, updates, [F(1)] * 8, F(1)
    assert largest_gamma(run) > 0
    assert sum(abs(u[0]) for u in updates) ** 2 > 8 * (places[0] @ places[0])
    assert all((place - places[-1]) @ u <= 0 for place, u in zip(places[1:], updates, strict=True))

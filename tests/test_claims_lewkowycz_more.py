"""Claims on other losses, the linear model, finite widths and linear regression, by trajectories integrated anew."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.optimize import minimize_scalar

from linreg_dyn.claims.lewkowycz import any_loss, finite_width, linear_model, linear_regression
from linreg_dyn.claims.verdict import audit
from tests.verdicts import decided_and_amended

CLAIMS = {c.id: c for m in (any_loss, finite_width, linear_model, linear_regression) for c in m.CLAIMS}


@pytest.fixture(scope="module")
def evidence() -> dict[str, Any]:
    return {e.claim.id: e for e in audit(list(CLAIMS.values()), CLAIMS)}


def test_verdicts_and_certificates(evidence: dict[str, Any]) -> None:
    decided_and_amended(CLAIMS, evidence, {"lewkowycz.finite-width-late"})


def integrated(rate: Callable[[float, Any], Any], start: Any, times: Any) -> Any:
    """Trajectories (time, component) at the times, which begin at 0."""
    return solve_ivp(rate, (0, times[-1]), start, "LSODA", times, rtol=1e-10, atol=1e-13).y.T


@pytest.mark.parametrize("k", [1.1, 2, 5])
@pytest.mark.parametrize("lam", [1e-3, 0.1, 1])
def test_the_departure_from_the_linear_model(lam: float, k: float) -> None:
    """gamma = 1: modes from 0 to the label 1, and from 1 to the label 0."""
    t = np.union1d(np.linspace(0, 4 / lam, 2001), np.linspace(0, 10, 201))

    def rates(k: float) -> Callable[[float, Any], Any]:
        return lambda t, f: -np.exp(-2 * (k - 1) * lam * t) * (f - np.array([1, 0])) - k * lam * f

    learns, forgets = (integrated(rates(1), [0, 1], t) - integrated(rates(k), [0, 1], t)).T
    room, slack = (k - 1) * lam * t, 1e-8
    assert np.all((-slack <= learns) & (learns <= 0.75 * room + slack))
    assert np.all(np.abs(forgets) <= room + slack)
    if (k - 1) * lam < 2e-3:  # the largest departure, to first order
        assert (learns[1:] / room[1:]).max() == pytest.approx(0.6426, abs=2e-3)


def test_the_lower_end_of_the_constant_is_the_largest_to_first_order() -> None:
    found: Any = minimize_scalar(
        lambda u: -(u * np.exp(-u) + (1 - np.exp(-u)) / u - np.exp(-u)), bounds=(0.1, 10), method="bounded"
    )
    lower = float(linear_model.departure(Fraction(17, 14))["lower"])
    assert lower <= -found.fun <= lower + 1e-5  # flat at the top


LOSSES: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any]]] = {
    "logistic": (lambda f: np.logaddexp(0, -f), lambda f: -1 / (1 + np.exp(f))),
    "quartic": (lambda f: (f - 1) ** 4, lambda f: 4 * (f - 1) ** 3),
}


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("k", [1.25, 2, 4])
def test_other_losses_decay_within_the_bound_on_and_off_the_training_set(k: float, loss: str) -> None:
    """Three points of which the last is not trained on; the kernel has rank two."""
    value, slope = LOSSES[loss]
    rng, lam, y = np.random.default_rng(0), 0.1, np.array([1, -1, 1])
    A, start, t = rng.normal(size=(3, 2)), rng.normal(size=3), np.linspace(0, 12 / (k - 1) / lam, 201)
    K, trained = A @ A.T, np.array([1, 1, 0])
    f = integrated(
        lambda t, f: -np.exp(-2 * (k - 1) * lam * t) * K @ (trained * y * slope(y * f)) - k * lam * f, start, t
    )
    most = trained @ np.maximum(value(0 * y), value(y * start))
    bound = np.linalg.eigvalsh(K)[-1] * most / lam * (np.exp(-2 * (k - 1) * lam * t) - np.exp(-2 * k * lam * t))
    departed = ((f - np.outer(np.exp(-k * lam * t), start)) ** 2).sum(1)
    assert np.all(departed <= bound + 1e-10)
    assert departed.max() > 0.01
    assert np.abs(f[-1]).max() < 1e-3


@pytest.mark.parametrize("ratio", [0.3, 0.9, 1.1, 3])
def test_the_function_of_a_finite_network_stays_or_decays(ratio: float) -> None:
    """Width 16, lambda sqrt(n) = ratio, from random weights; f(0) < 0 in the second draw."""
    n, t = 16, np.linspace(0, 400, 401)
    a, lam = n**-0.5, ratio * n**-0.5
    signs = set()
    for seed in range(2):
        start = np.random.default_rng(seed).normal(size=2 * n)
        if seed:
            start[n:] = -start[n:] if start[:n] @ start[n:] > 0 else start[n:]

        def rate(t: float, w: Any) -> Any:
            u, v = w[:n], w[n:]
            g = a * (a * u @ v - 1)
            return np.concatenate([-lam * u - g * v, -lam * v - g * u])

        w = integrated(rate, start, t)
        f = a * (w[:, :n] * w[:, n:]).sum(1)
        signs.add(f[0] > 0)
        assert f[-1] == pytest.approx(max(0, 1 - ratio), abs=1e-5)
        if ratio > 1:
            assert np.all((w**2).sum(1) <= np.exp(-2 * (lam - a) * t) * (start**2).sum() + 1e-10)
    assert False in signs


def test_the_fit_of_linear_regression_does_not_wait_for_the_parameters() -> None:
    """Five samples, fifty parameters: the closed form, in the eigenvectors of X X^T and of X^T X."""
    rng = np.random.default_rng(0)
    X, y, theta = rng.normal(size=(5, 50)), rng.normal(size=5), rng.normal(size=50)
    fits, parameters = [], []
    for lam in (1e-1, 1e-2, 1e-3, 1e-4):
        rates, V = np.linalg.eigh(X.T @ X + lam * np.eye(50))
        assert rates[0] == pytest.approx(lam, rel=1e-6)
        off = V.T @ (theta - np.linalg.solve(X.T @ X + lam * np.eye(50), X.T @ y))
        least = np.linalg.eigvalsh(X @ X.T)[0] + lam
        t = np.geomspace(1e-3, 20 / lam, 2000)
        left = np.exp(-np.outer(t, rates)) * off
        fit, whole = np.linalg.norm(left @ (X @ V).T, axis=1), np.linalg.norm(left, axis=1)
        assert np.all(fit <= np.exp(-least * t) * np.linalg.norm(X @ V @ off) * (1 + 1e-9) + 1e-12)
        fits.append(t[np.argmax(fit < 1e-3 * np.linalg.norm(X @ V @ off))])
        parameters.append(lam * t[np.argmax(whole < 1e-3 * np.linalg.norm(off))])
    assert max(fits) < 1.05 * min(fits) < 1
    assert parameters == pytest.approx([np.log(1000)] * 4, rel=0.05)

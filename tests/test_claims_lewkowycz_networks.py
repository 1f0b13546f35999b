"""Lewkowycz and Gur-Ari (2020): the networks of Lemma 1, components of Lemma 2, and the measured correction of S6."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from random import Random
from typing import Any

import numpy as np
import pytest

from linreg_dyn.certify import checker
from linreg_dyn.claims.lewkowycz import networks, wide, width

F = Fraction


# ---------------------------------------------------------------- networks
def forward(net: networks.Network, widths: list[int], theta: Any, x: Any, gates: Any, activation: str) -> Any:
    h, used, gate = np.array(x), 0, 0
    for number, (a, b) in enumerate(pairwise(widths)):
        h = np.array(theta[used : used + a * b]).reshape(b, a) @ h
        used += a * b
        if number < len(widths) - 2 and activation == "square":
            h = h**2
        elif number < len(widths) - 2 and activation == "gated":
            h, gate = h * np.array(gates[gate : gate + b]), gate + b
    assert used == net.parameters
    return h[0]


@pytest.mark.parametrize(
    ("widths", "activation"),
    [([3, 1], "linear"), ([1, 2, 2, 1], "linear"), ([2, 2, 1], "square"), ([2, 3, 1], "gated")],
)
def test_the_networks_are_what_their_layers_compute(widths: list[int], activation: str) -> None:
    net, rng = networks.deep(tuple(widths), activation), Random(0)
    theta, x, gates = ([F(rng.randint(-5, 5)) for _ in range(n)] for n in (net.parameters, net.inputs, net.gates))
    value = checker.Scope({"theta": theta, "x": x, "gx": gates}, [])(net.at())
    assert value == forward(net, widths, theta, x, gates, activation)


def test_a_vertex_more_in_any_component_of_a_cluster_graph() -> None:
    """Lemma 2 by counting components, of every graph whose exponent is at most -1."""

    def exponent(sizes: list[int]) -> F:
        odd = sum(size % 2 for size in sizes)
        return len(sizes) - odd + F(odd - sum(sizes), 2)

    seen = set()
    for sizes in ([a, b, c] for a in range(1, 7) for b in range(1, 7) for c in range(1, 7)):
        n_o = sum(size % 2 for size in sizes)
        counts = {"n_e": F(3 - n_o), "n_o": F(n_o), "m": F(sum(sizes))}
        scope = checker.Scope(counts, wide.EXPONENT.where)
        assert scope("before") == exponent(sizes)
        for j, size in enumerate(sizes):
            after = exponent([*sizes[:j], size + 1, *sizes[j + 1 :]])
            assert after == scope("even" if size % 2 else "odd")
            assert after <= exponent(sizes)
            seen.add(after - exponent(sizes))
    assert seen == {0, -1}


# ---------------------------------------------------------------- the measurement
def dense_correction(w: Any, a: Any, activation: str) -> float:
    """T by second differences of f, which are exact for a function of degree one in each parameter."""
    n, d = w.shape
    pattern = np.ones((len(width.X), n)) if activation == "linear" else (width.X @ w.T > 0).astype(float)

    def f(theta: Any, s: int) -> Any:
        return (theta[:n] * pattern[s] * (theta[n:].reshape(n, d) @ width.X[s])).sum() / np.sqrt(n * d)

    theta, unit = np.concatenate([a, w.ravel()]), np.eye(n + n * d)

    def gradient(s: int) -> Any:
        return np.array([f(theta + e, s) - f(theta - e, s) for e in unit]) / 2

    hessian = np.array(
        [[(f(theta + e + g, 0) - f(theta + e, 0) - f(theta + g, 0) + f(theta, 0)) for g in unit] for e in unit]
    )
    force = sum(gradient(s) * (f(theta, s) - width.Y[s]) for s in range(len(width.X)))
    return -gradient(1) @ hessian @ force


@pytest.mark.parametrize("activation", ["linear", "relu"])
def test_the_correction_is_the_contraction_of_all_derivatives(activation: str) -> None:
    rng = np.random.default_rng(1)
    w, a = rng.normal(size=(4, 3)), rng.normal(size=4)
    expected = dense_correction(w, a, activation)
    assert width.corrections(w, a, activation) == pytest.approx(expected, rel=1e-10)
    batch = width.corrections(np.stack([w, 2 * w]), np.stack([a, a]), activation)
    assert batch[0] == pytest.approx(expected, rel=1e-10)


def made_up(slope: float, error: float) -> Any:
    values = slope * np.log(np.array(width.WIDTHS)) + 0.3
    both = (values, np.full(len(values), error))
    return {"linear": {"mean": both, "spread": both}}


def test_slopes_are_judged_by_their_intervals() -> None:
    low, high = width.slope_interval(*made_up(-1.0, 0.01)["linear"]["mean"])
    assert low < -1 < high < low + 0.02
    judge = width.equivalent(-1.0)
    assert judge(made_up(-1.02, 0.01)) is True
    assert judge(made_up(-0.5, 0.01)) is False
    assert judge(made_up(-1.1, 0.01)) is None  # at the edge
    assert judge(made_up(-1.0, 1.0)) is None  # too few samples
    mixed = {"linear": made_up(-1.0, 0.01)["linear"], "relu": made_up(-0.5, 0.01)["linear"]}
    assert judge(mixed) is False


def test_the_intervals_cover_a_known_slope() -> None:
    """At 99 %, of 2000 noisy lines: within four standard deviations of the binomial."""
    rng, error = np.random.default_rng(2), np.linspace(0.02, 0.1, len(width.WIDTHS))
    covered = 0
    for _ in range(2000):
        values = -1.0 * np.log(np.array(width.WIDTHS)) + error * rng.normal(size=len(error))
        low, high = width.slope_interval(values, error)
        covered += low < -1 < high
    assert abs(covered - 1980) < 4 * np.sqrt(2000 * 0.99 * 0.01)

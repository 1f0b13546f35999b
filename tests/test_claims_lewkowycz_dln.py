"""Claims about fixed points of deep linear networks (supplement B.1), against trained networks and whole equations."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from linreg_dyn.claims import falsify
from linreg_dyn.claims.lewkowycz import deep_linear, deep_linear_l1, deep_linear_scaling
from linreg_dyn.claims.verdict import audit
from linreg_dyn.ntk import critical_l2, fixed_points, train_deep_linear
from tests.verdicts import decided_and_amended

CLAIMS = {c.id: c for m in (deep_linear, deep_linear_scaling, deep_linear_l1) for c in m.CLAIMS}
REFUTED = {f"lewkowycz.dln-fixed-point-{name}" for name in ("scaling", "small", "l1")}
ONE = {"x": [1.0], "y": [1.0]}


@pytest.fixture(scope="module")
def evidence() -> dict[str, Any]:
    return {e.claim.id: e for e in audit(list(CLAIMS.values()), CLAIMS)}


def test_verdicts_and_certificates(evidence: dict[str, Any]) -> None:
    decided_and_amended(CLAIMS, evidence, REFUTED)


@pytest.mark.parametrize("hidden", [1, 2, 3])
def test_the_printed_chain_holds_at_trained_networks(hidden: int) -> None:
    """S14 to S20 as printed, evaluated at the matrices that gradient descent ends at; not on its way there."""
    rng, n = np.random.default_rng(hidden), 3
    x, y = rng.normal(size=(4, 2)), rng.normal(size=4) + 1
    l2, beta = 0.5 * critical_l2(x, y, hidden_layers=hidden, width=n), n ** (-hidden / 2)
    run = {"l2": l2, "hidden_layers": hidden, "width": n, "learning_rate": 0.01, "seed": 1}
    for steps, holds in ((30_000, True), (100, False)):
        theta = train_deep_linear(x, y, **run, steps=steps, record_every=steps).final_weights.values[0]
        cuts = np.cumsum([2 * n, *[n * n] * (hidden - 1)])
        shapes = [(n, 2), *[(n, n)] * (hidden - 1), (1, n)]
        W = [part.reshape(shape) for part, shape in zip(np.split(theta, cuts), shapes, strict=True)]
        down = [np.eye(2)]  # W~^{l-1} for l = 0, ..., L
        for w in W[:-1]:
            down.append(w @ down[-1])
        up = [W[-1]]  # W^vec_l for l = L, ..., 0
        for w in W[-2::-1]:
            up.append(up[-1] @ w)
        up = [u[0] for u in up[::-1]]
        f = beta * up[0] @ x.T
        hat = [-beta / l2 * d @ ((f - y) @ x) for d in down]
        tilde = -((f - y) @ f) / l2
        errors = []
        for layer in range(hidden + 1):
            errors += [np.abs(up[layer] - tilde ** (hidden - layer) * hat[layer]).max()]
            errors += [abs(tilde - tilde ** (hidden - layer) * hat[layer] @ hat[layer])]
            assert up[layer] @ hat[layer] == pytest.approx(tilde, rel=1e-9)  # S15 needs no fixed point
        g = (f - y) @ x
        errors.append(l2 ** (hidden + 1) / beta**2 - (-(f - y) @ f) ** (hidden - 1) * (g @ g))
        assert tilde > 0.1
        assert (np.abs(errors).max() < 1e-8) == holds


def test_the_sign_of_s21_at_trained_networks() -> None:
    for n in (1, 4, 16):
        l2 = 0.3 / n**0.5
        run = train_deep_linear(
            **ONE, l2=l2, hidden_layers=1, width=n, learning_rate=0.1, steps=20_000 * int(n**0.5), record_every=10_000
        )
        f = float(run.linear_map[0, -1, 0])
        assert l2 * n**0.5 == pytest.approx(1 - f, abs=1e-10)
        assert abs(l2 * n**0.5 - (f - 1)) > 0.5


def test_the_witness_against_s21_is_a_fixed_point(evidence: dict[str, Any]) -> None:
    given = {k: np.array(v) for k, v in evidence["lewkowycz.dln-fixed-point-l1"].witness["given"].items()}
    u, v = ([Fraction(e) for e in given[k]] for k in "uv")
    lam, root = Fraction(str(given["lam"])), Fraction({1: 1, 4: 2}[len(u)])
    f = sum(a * b for a, b in zip(u, v, strict=True)) / root
    assert all(lam * a + (f - 1) / root * b == 0 for a, b in zip(u + v, v + u, strict=True))
    assert f != 0
    assert lam * root == 1 - f != f - 1


@pytest.mark.parametrize("hidden", deep_linear_scaling.HIDDEN)
def test_the_constants_are_the_critical_l2(hidden: int) -> None:
    f, top = deep_linear_scaling.fold(hidden)
    for n in (1, 9):
        critical = critical_l2(**ONE, hidden_layers=hidden, width=n)
        assert critical ** (hidden + 1) * n**hidden == pytest.approx(float(top), rel=1e-12)
    points = fixed_points(
        **ONE, l2=0.2 * critical_l2(**ONE, hidden_layers=hidden, width=2), hidden_layers=hidden, width=2
    )
    assert (points.prediction.values[1:, 0] > float(f)).tolist() == points.stable.values[1:].tolist() == [False, True]
    grid = np.linspace(0, 1, 100_001)
    assert (grid ** (hidden - 1) * (1 - grid) ** (hidden + 1)).max() == pytest.approx(float(top), rel=1e-8)


def test_no_constant_gives_a_fixed_point_for_l2_too_large_at_any_width() -> None:
    """The printed scaling with C = 2, and with C = 1/2 beside it."""
    for hidden in (1, 2, 3):
        for n in (1, 10, 1000):
            scale = n ** (-hidden / (hidden + 1))
            for C, count in ((2.0, 1), (0.05, 2 if hidden == 1 else 3)):
                points = fixed_points(**ONE, l2=C * scale, hidden_layers=hidden, width=n)
                assert points.sizes["fixed_point"] == count


def test_every_part_of_a_refuted_claim_about_weights_is_refuted() -> None:
    for part in CLAIMS["lewkowycz.dln-fixed-point-l1"].parts:
        assert falsify.search(part, (1,), tries=50, seed=3)[0] is not None

"""Golatkar, Achille and Soatto (2019), what can be proved or refuted: the verdicts, and runs and networks by torch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from linreg_dyn import claims
from tests.verdicts import decided_and_amended

REFUTED = {"golatkar.convex", "golatkar.fisher-trace"}
PROVED = {"golatkar.convex.amended", "golatkar.fisher-gauss-newton", "golatkar.fisher-trace.amended"}


def test_verdicts_and_certificates() -> None:
    evidence = {e.claim.id: e for e in claims.audit([claim for claim in claims.select(["golatkar"]) if claim.parts])}
    assert set(evidence) == PROVED | REFUTED
    decided_and_amended({name: e.claim for name, e in evidence.items()}, evidence, REFUTED)


# ---------------------------------------------------------------- two runs of one regression, many steps
def ends(x: np.ndarray, y: np.ndarray, transients: tuple[float, ...], eta: float, steps: int) -> list[np.ndarray]:
    """Where gradient descent from one start comes with each weight decay in the first ten steps."""
    out = []
    for lam in transients:
        w = np.linspace(1, 2, x.shape[1])
        for step in range(steps):
            w = w - eta * (x.T @ (x @ w - y) / len(y) + (lam if step < 10 else 0) * w)
        out.append(w)
    return out


def test_what_the_data_leave_open_keeps_the_transient() -> None:
    """Two samples, three weights, of which the first has no input; the others are told by the data."""
    x, y, eta, lam = np.array([[0.0, 1.0, 0.0], [0.0, 0.5, 1.0]]), np.array([1.0, -1.0]), 0.5, 0.3
    plain, decayed = ends(x, y, (0.0, lam), eta, 2000)
    np.testing.assert_allclose(x @ plain, y, atol=1e-12)
    np.testing.assert_allclose(x @ decayed, y, atol=1e-12)
    assert plain[0] == 1
    assert decayed[0] == pytest.approx((1 - eta * lam) ** 10, rel=1e-12)


def test_strictly_convex_it_is_forgotten_as_fast_as_said() -> None:
    x, y, eta = np.array([[1.0, 0.0], [0.5, 1.0], [0.0, 2.0]]), np.array([1.0, -1.0, 0.5]), 0.1
    curvatures = np.linalg.eigvalsh(x.T @ x / 3)
    factor = 1 - 2 * eta * curvatures[0] + eta**2 * curvatures[-1] ** 2
    assert 0 < factor < 1
    before, after = (np.subtract(*ends(x, y, (0.0, 0.3), eta, steps)) for steps in (10, 60))
    assert 0 < after @ after <= factor**50 * (before @ before)


# ---------------------------------------------------------------- a network with a softmax, by autograd
def net(w: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    """Logits (class,) of a network of two layers."""
    return w[6:].reshape(4, 2) @ torch.tanh(w[:6].reshape(2, 3) @ x)


def test_fisher_is_gauss_newton_and_its_trace_a_mean_of_squared_gradients() -> None:
    generator = torch.Generator().manual_seed(0)
    w, x = (torch.randn(n, generator=generator, dtype=torch.float64) for n in (14, 3))
    p = torch.softmax(net(w, x), 0)
    gradients: Any = torch.autograd.functional.jacobian(lambda v: torch.log_softmax(net(v, x), 0), w)
    fisher = gradients.T @ torch.diag(p) @ gradients
    jacobian: Any = torch.autograd.functional.jacobian(lambda v: net(v, x), w)
    for label in range(4):
        hessian: Any = torch.autograd.functional.hessian(
            lambda f, label=label: -torch.log_softmax(f, 0)[label], net(w, x)
        )
        torch.testing.assert_close(jacobian.T @ hessian @ jacobian, fisher)
    torch.testing.assert_close(fisher.trace(), (p * gradients.square().sum(1)).sum())
    at_outputs = torch.eye(4, dtype=torch.float64) - p  # row y: the gradient of log p_y
    torch.testing.assert_close((p * at_outputs.square().sum(1)).sum(), 1 - p.square().sum())

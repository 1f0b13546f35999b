"""What the claims of this paper share: definitions in the checker's language, samplers, recurring tactics.

The update in `step` is the rule of `linreg_dyn.rules` at sympy symbols, printed; no claim types its own, except
where the printed formula itself is what is judged.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from random import Random
from typing import Any

import sympy as sp

from linreg_dyn import rules
from linreg_dyn.certify.find import Axis, Tactic, by_hand, have, lemma, positive, split, steps
from linreg_dyn.claims import falsify
from linreg_dyn.claims.core import Sampler, Source

PAPER = "ginsburg2020"


def source(locator: str) -> Source:
    """A place in the paper."""
    return Source(PAPER, locator)


def expression(f: Callable[..., Any], *names: str) -> str:
    """A rule function at symbols, as text in the checker's language."""
    return str(f(*(sp.Symbol(n) if n.isidentifier() else sp.sympify(n) for n in names)))


GD = expression(rules.gradient_descent, "W")
NOISE = expression(rules.noise_augmentation, "W", "eta")
SGD = expression(rules.sgd_noise, "W", "eta")


def step(residual: str, decay: str = "0") -> str:
    """One step of layer w at rate `lam`, from `rules.layer_step`."""
    return expression(rules.layer_step, "w", "W/w", residual, "lam", decay)


def velocity(residual: str, decay: str = "0") -> str:
    """`dw/dt` of layer w at rate `lam`, from `rules.velocity` (the paper's time is in steps)."""
    return expression(
        lambda w, others, g, mu, lam: lam * rules.velocity(w, others, g, mu),
        "w",
        "W/w",
        residual,
        decay,
        "lam",
    )


NET = (("W", "Prod(w)"), ("S", "Sum(1/w**2)"))
LOSS = (*NET, ("L", "(W - 1)**2"))
LAYERS = {"w": "layers"}
FLOW = {"w": "layers", "lam": "real"}


# ---------------------------------------------------------------- samplers
def near(low: float | Fraction, high: float | Fraction, **more: tuple[float | Fraction, float | Fraction]) -> Sampler:
    """Weights of every shape with W inside (low, high), and reals of the given ranges."""

    def sample(rng: Random, depth: int, level: int) -> dict[str, Any]:
        W = falsify.rational(rng, low, high, level) or Fraction(1, 7)
        reals = {n: falsify.rational(rng, a, b, level) for n, (a, b) in more.items()}
        return {"w": falsify.weights(rng, depth, level, W), **reals}

    return sample


def banded(delta: tuple[float | Fraction, float | Fraction], eta: bool = True) -> Sampler:
    """delta in its range, W within delta of 1 and |eta| < delta, often near the edges."""

    def sample(rng: Random, depth: int, level: int) -> dict[str, Any]:
        d = falsify.rational(rng, *delta, level)
        W = 1 + d * falsify.rational(rng, -1, 1, level) or Fraction(1, 7)
        noise = {"eta": d * falsify.rational(rng, -1, 1, level)} if eta else {}
        return {"w": falsify.weights(rng, depth, level, W), "delta": d, **noise}

    return sample


# ---------------------------------------------------------------- tactics
def W_axis(low: str, high: str, width: str | None = None, degree: int = 0) -> Axis:
    """Expand in W between two hypotheses."""
    return Axis("prod(w)", low, high, width, degree=degree)


Q0 = "#Q0"  # the product over layers of 1 - x p_i
PRODUCT = "ginsburg.simplex-product"


def product_at_least(x: str, below_one: Tactic, then: Tactic, *, name: str = "lo") -> Tactic:
    """Have `Q >= 1 - x` (hypothesis `lo0`) from x < 1."""
    return lemma(f"{PRODUCT}#0", {"x": x}, [below_one], then, name=name)


def product_at_most(x: str, at_least_zero: Tactic, below_one: Tactic, then: Tactic, *, name: str = "hi") -> Tactic:
    """Have `Q <= 1 - x + x^2/2` (hypothesis `hi0`) from 0 <= x < 1."""
    return lemma(f"{PRODUCT}#1", {"x": x}, [at_least_zero, below_one], then, name=name)


def product_at_most_inverse(x: str, above: Tactic, at_most_zero: Tactic, then: Tactic, *, name: str = "hi") -> Tactic:
    """Have `Q <= 1/(1 + x)` (hypothesis `hi0`) from -1 < x <= 0."""
    return lemma(f"{PRODUCT}#2", {"x": x}, [above, at_most_zero], then, name=name)


PAIR_AXES = (
    Axis("sum(w^-2)", low="rest"),
    Axis("w[i]", low="inv[i]", power=-2),
    Axis("w[j]", low="inv[j]", power=-2),
)
"""Expand in S = A + B + rest, A = 1/w_i^2 and B = 1/w_j^2."""

SPREAD = (
    ("1", "sq 1/w[i]**2-1/w[j]**2"),
    ("2", "rest * inv[i]"),
    ("2", "rest * inv[j]"),
    ("1", "rest * rest"),
)
"""S^2 - 4 A B as a nonnegative combination."""


def small_step(one_minus: str, magnitude: str) -> Tactic:
    """1 - x^2 p_i p_j > 0 for |x| < 1: S^2 - x^2 A B = (S^2 - 4 A B) + A B (4 - x^2), from 1 - |x| > 0 and |x| >= 0."""
    pair = "inv[i] * inv[j]"
    rest = (("3", pair), ("1", f"{pair} * {one_minus}"), ("1", f"{pair} * {one_minus} * {magnitude}"))
    return by_hand(*SPREAD, *rest, multiplier=[("1", "S * S")])


__all__ = [
    "FLOW",
    "GD",
    "LAYERS",
    "LOSS",
    "NET",
    "NOISE",
    "PAIR_AXES",
    "PAPER",
    "PRODUCT",
    "Q0",
    "SGD",
    "SPREAD",
    "Axis",
    "W_axis",
    "banded",
    "by_hand",
    "expression",
    "have",
    "near",
    "positive",
    "product_at_least",
    "product_at_most",
    "product_at_most_inverse",
    "small_step",
    "source",
    "split",
    "step",
    "steps",
    "velocity",
]

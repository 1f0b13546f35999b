"""Tactics and definitions of Theorems 3.1 and 3.2."""

from __future__ import annotations

from fractions import Fraction
from random import Random
from typing import Any

from linreg_dyn.certify.find import Axis, Tactic
from linreg_dyn.claims.ginsburg._net import (
    GD,
    NET,
    PAIR_AXES,
    Q0,
    W_axis,
    by_hand,
    have,
    near,
    positive,
    product_at_least,
    product_at_most,
    product_at_most_inverse,
    split,
    step,
)

HALF = near(Fraction(1, 2), Fraction(3, 2))
QUARTER_RATE = (*NET, ("lam", "1/(4*S)"), ("v", step(GD)))
LOSS_FACTOR = (*QUARTER_RATE, ("k", "(Prod(v) - 1)/(W - 1)"))
IMBALANCE_FACTOR = (*QUARTER_RATE, ("k", "1 - 4*lam**2*(W - 1)**2*W**2/(w[i]*w[j])**2"))
X = "(W - 1)*W/2"  # the x of 1 - x p_i
NEAR_ONE = "abs(W - 1) < 1/2"
W = W_axis("a0.0-", "a0.0+")
Q_LOW, Q_HIGH = Axis(Q0, low="lo0"), Axis(Q0, high="hi0")
BELOW, ABOVE = W_axis("a0.0-", "s"), W_axis("s", "a0.0+")


def above_one(then: Tactic, *, upper: bool) -> Tactic:
    """Bound the product for W >= 1 (hypothesis s: W - 1 >= 0), from above or from below."""
    if upper:
        return product_at_most(X, positive(ABOVE), positive(ABOVE), then)
    return product_at_least(X, positive(ABOVE), then)


def below_one(then: Tactic, *, upper: bool) -> Tactic:
    """Bound the product for W <= 1 (hypothesis s: 1 - W >= 0)."""
    if upper:
        return product_at_most_inverse(X, positive(BELOW), positive(BELOW), then)
    return product_at_least(X, positive(BELOW), then)


# k (W - 1) = W Q - 1 - (W - 1); in each case the sign of W - 1 decides which bound on Q matters
THEOREM_31 = (
    split(
        "W - 1",
        ge=above_one(positive(Q_HIGH, ABOVE), upper=True),
        le=below_one(positive(Q_HIGH, BELOW, times="1 + (W - 1)*W/2"), upper=True),
    ),
    split(
        "W - 1",
        ge=above_one(positive(Q_LOW, ABOVE), upper=False),
        le=below_one(positive(Q_LOW, BELOW), upper=False),
    ),
)

# the same for k itself, strictly, where W != 1 (assumption a1.0)
STRICT_31 = (
    split(
        "W - 1",
        ge=above_one(positive(Q_HIGH, ABOVE, by="s"), upper=True),
        le=below_one(positive(Q_LOW, BELOW, by="s"), upper=False),
        nonzero="a1.0",
    ),
    split(
        "W - 1",
        ge=above_one(positive(Q_LOW, ABOVE, by="s"), upper=False),
        le=below_one(positive(Q_HIGH, BELOW, by="s", times="1 + (W - 1)*W/2"), upper=True),
        nonzero="a1.0",
    ),
)

# a1.0 is W (1 - W) > 0 or W (W - 1) > 0; with W = 1/2 + (W - 1/2) it gives the strict sign of W - 1
_SIGN = by_hand(("1", "a1.0"), multiplier=[("1", "a0.0-"), ("1/2", "")])


def case_below(*, low: bool) -> Tactic:
    """A bound on k for (W - 1) W < 0."""
    if low:
        proof = below_one(positive(Q_HIGH, BELOW, by="s", times="1 + (W - 1)*W/2"), upper=True)
    else:
        proof = below_one(positive(Q_LOW, BELOW, by="s"), upper=False)
    return have("1 - W > 0", _SIGN, proof, name="s")


def case_above(*, low: bool) -> Tactic:
    """A bound on k for (W - 1) W > 0."""
    if low:
        proof = above_one(positive(Q_LOW, ABOVE, by="s"), upper=False)
    else:
        proof = above_one(positive(Q_HIGH, ABOVE, by="s"), upper=True)
    return have("W - 1 > 0", _SIGN, proof, name="s")


STAYS_POSITIVE = positive(W, *PAIR_AXES, times="S**2", squares=[("9/256", "sq 1/w[i]**2-1/w[j]**2")])
AT_MOST_ONE = by_hand(("1", "sq 2*lam*(W-1)*W/(w[i]*w[j])"))
FACTORISES = "v[i]**2 - v[j]**2 == k*(w[i]**2 - w[j]**2)"


def at_one(rng: Random, depth: int, level: int) -> dict[str, Any]:
    return {"w": [Fraction(1)] * depth}

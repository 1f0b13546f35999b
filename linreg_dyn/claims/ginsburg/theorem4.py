"""Theorem 4.1, one step and along a trajectory."""

from __future__ import annotations

from fractions import Fraction
from random import Random
from typing import Any

from linreg_dyn.certify.find import Axis, Tactic, identity
from linreg_dyn.claims import falsify
from linreg_dyn.claims.core import Claim, Mutant, Part
from linreg_dyn.claims.ginsburg._net import (
    NET,
    NOISE,
    PAIR_AXES,
    W_axis,
    banded,
    by_hand,
    positive,
    product_at_least,
    product_at_most,
    product_at_most_inverse,
    small_step,
    source,
    split,
    step,
    steps,
)

STEP = {"w": "layers", "eta": "real", "delta": "real"}
PAPER_RATE = (*NET, ("lam", "1/2*(2/3)**5/S"))
FACTOR = ("k", "1 - 4*lam**2*(1 + eta)**4*(W - 1/(1 + eta))**2*W**2/(w[i]*w[j])**2")
FACTORISES = "v[i]**2 - v[j]**2 == k*(w[i]**2 - w[j]**2)"
BOUNDED = ("0 < delta", "delta < 1/2", "abs(eta) < delta", "abs(W - 1) < delta")
SAMPLE = banded((0, Fraction(1, 2)))
AT_MOST_ONE = by_hand(("1", "sq 2*lam*(1+eta)**2*(W-1/(1+eta))*W/(w[i]*w[j])"))


_SMALL_NOISE = (
    ("e-", "eta > -1/2", by_hand(("1", "a1.0"), ("1", "a2.0-"))),
    ("e+", "eta < 1/2", by_hand(("1", "a1.0"), ("1", "a2.0+"))),
)
LOOSENED = (
    *_SMALL_NOISE,
    ("W+", "W < 3/2", by_hand(("1", "a1.0"), ("1", "a3.0+"))),
    ("W-", "W > 1/2", by_hand(("1", "a1.0"), ("1", "a3.0-"))),
)
"""|eta| < 1/2 and |W - 1| < 1/2, from |eta| < delta, |W - 1| < delta and delta < 1/2."""

_BOX = (W_axis("W-", "W+"), Axis("eta", "e-", "e+"))
_K_POSITIVE = steps(*LOOSENED, then=positive(*_BOX, *PAIR_AXES, times="S**2"))

# -- along the trajectory: 0 < W < 2, |eta| <= delta < 1/2, with s = W (1 + eta) and x = 32/243 s (s - 1)
_LONG_RUN = (
    *PAPER_RATE,
    ("v", step(NOISE)),
    FACTOR,
    ("u", "W*(1 + eta)"),
    ("x", "2*lam*S*u*(u - 1)"),
)
_LONG_ASSUME = ("0 < delta", "delta < 1/2", "abs(eta) <= delta", "0 < W", "W < 2")


def _long_run(ge: Tactic, le: Tactic) -> Tactic:
    """Cases u >= 1 (0 <= x < 1) and u <= 1 (-8/243 <= x <= 0); hypotheses x+, x- (x >= 0 or <= 0), 1-x, 1+x."""
    above = steps(
        ("x+", "x >= 0", by_hand(("32/243", "s"), ("32/243", "s * s"))),
        ("room", "u < 3", by_hand(("3/2", "a4.0"), ("1", "a3.0 * e+"))),
        ("1-x", "x < 1", by_hand(("51/243", ""), ("96/243", "room"), ("32/243", "room * s"))),
        then=ge,
    )
    below = steps(
        ("x-", "x <= 0", by_hand(("32/243", "u0 * s"))),
        ("1+x", "x > -1", by_hand(("235/243", ""), ("32/243", "sq u-1/2"))),
        ("1-x", "x < 1", by_hand(("1", ""), ("1", "x-"))),
        then=le,
    )
    positive_u = ("u0", "u > 0", by_hand(("1", "a3.0 * e-"), ("1/2", "a3.0")))
    return steps(*_SMALL_NOISE, positive_u, then=split("u - 1", ge=above, le=below))


_X_IS_HYPOTHESIS = {k: by_hand(("1", k)) for k in ("x+", "x-", "1-x", "1+x")}
_STAYS_BELOW = _long_run(
    ge=product_at_most(
        "x",
        _X_IS_HYPOTHESIS["x+"],
        _X_IS_HYPOTHESIS["1-x"],
        by_hand(("1", "a4.0"), ("1", "a3.0 * hi0"), ("1/2", "a3.0 * x+"), ("1/2", "a3.0 * x+ * 1-x")),
    ),
    le=product_at_most_inverse(
        "x",
        _X_IS_HYPOTHESIS["1+x"],
        _X_IS_HYPOTHESIS["x-"],
        by_hand(
            ("1", "a3.0 * 1+x * hi0"),
            ("422/243", "s"),
            ("64/243", "s * s"),
            ("2", "a3.0 * e-"),
            multiplier=[("1", "1+x")],
        ),
    ),
)
_STAYS_ABOVE_ZERO = _long_run(
    *(
        product_at_least("x", _X_IS_HYPOTHESIS["1-x"], by_hand(("1", "a3.0 * lo0"), ("1", "a3.0 * 1-x")))
        for _ in range(2)
    )
)
_LONG_FACTOR = _long_run(ge=small_step("1-x", "x+"), le=small_step("1+x", "x-"))


def _long(high: Fraction) -> Any:
    def sample(rng: Random, depth: int, level: int) -> dict[str, Any]:
        d = falsify.rational(rng, 0, Fraction(1, 2), level)
        eta = d * rng.choice((-1, 1, falsify.rational(rng, -1, 1, level)))
        W = falsify.rational(rng, 0, high, level)
        return {"w": falsify.weights(rng, depth, level, W), "delta": d, "eta": eta}

    return sample


def _still(rng: Random, depth: int, level: int) -> dict[str, Any]:
    """The minimum without noise, where nothing moves."""
    return {"w": [Fraction(1)] * depth, "delta": Fraction(1, 4), "eta": Fraction(0)}


CLAIMS = (
    Claim(
        id="ginsburg.thm-4.1",
        title="Theorem 4.1: noise decreases the imbalance",
        statement=(
            r"E\eta = 0,\ |\eta| < \delta < \tfrac12,\ \lambda(w) = \tfrac12\big(\tfrac23\big)^5 "
            r"\frac{1}{\sum 1/w_i^2} "
            r"\;\Rightarrow\; "
            r"\text{the layer imbalance monotonically decreases inside the noise band } |W - 1| < \delta"
        ),
        source=source("Theorem 4.1"),
        kind="printed",
        reading=(
            "One step from any point with |W - 1| < delta: every D_ij = w_i^2 - w_j^2 is multiplied by a factor 0 < k "
            "<= 1; that the noise has 0-mean is not needed. Whether the next point is in the band again is a claim of "
            "its own."
        ),
        parts=(
            Part(
                STEP,
                (FACTORISES, "0 < k <= 1"),
                (*PAPER_RATE, ("v", step(NOISE)), FACTOR),
                BOUNDED,
                tactics=(identity(), _K_POSITIVE, AT_MOST_ONE),
                sample=SAMPLE,
            ),
        ),
        mutants=(
            Mutant("twelve times the rate", replace=(("1/2*(2/3)**5", "6*(2/3)**5"),)),
            Mutant("the imbalance strictly decreases", replace=(("k <= 1", "k < 1"),), sample=_still),
            Mutant("noise up to 3", replace=(("delta < 1/2", "delta < 3"),), sample=banded((0, 3))),
        ),
        search_depths=(1, 2, 3, 5),
    ),
    Claim(
        id="ginsburg.thm-4.1-along-trajectory",
        search_depths=(2, 3, 5),
        title="Theorem 4.1 along a trajectory: the band is kept",
        statement=(
            r"\text{the layer imbalance monotonically decreases inside the noise band } |W - 1| < \delta "
            r"\text{, along the trajectory: } |W - 1| < \delta \Rightarrow |W(t+1) - 1| < \delta"
        ),
        source=source("Theorem 4.1"),
        kind="printed",
        amended_by="ginsburg.thm-4.1-along-trajectory.amended",
        reading=(
            "The theorem can be applied step after step only if the step keeps |W - 1| < delta. It does not: the band "
            "that noise drives W into is [1/(1+delta), 1/(1-delta)], which reaches above 1 + delta."
        ),
        parts=(Part(STEP, ("abs(Prod(v) - 1) < delta",), (*PAPER_RATE, ("v", step(NOISE))), BOUNDED, sample=SAMPLE),),
        mutants=(
            Mutant("half the band", replace=(("abs(Prod(v) - 1) < delta", "abs(Prod(v) - 1) < delta/2"),)),
            Mutant("it always leaves", replace=(("abs(Prod(v) - 1) < delta", "abs(Prod(v) - 1) >= delta"),)),
        ),
    ),
    Claim(
        id="ginsburg.thm-4.1-along-trajectory.amended",
        title="Theorem 4.1 holds along every trajectory",
        statement=(
            r"|\eta| \le \delta < \tfrac12,\ \lambda = \tfrac12\big(\tfrac23\big)^5 \frac{1}{\sum 1/w_i^2},\ "
            r"0 < W < 2 \;\Rightarrow\; 0 < W(t+1) < 2 \text{ and every } |w_i^2 - w_j^2| "
            r"\text{ does not grow}"
        ),
        source=source("Theorem 4.1"),
        kind="amended",
        amends="ginsburg.thm-4.1-along-trajectory",
        reading=(
            "The band is not kept, but the theorem's conclusion is: from every start with |W - 1| < 1/2, and indeed 0 "
            "< W < 2, and for every sequence of noise, W stays in (0, 2) and the imbalance never grows."
        ),
        parts=(
            Part(
                STEP,
                ("Prod(v) < 2", "Prod(v) > 0", FACTORISES, "0 < k <= 1"),
                _LONG_RUN,
                _LONG_ASSUME,
                tactics=(_STAYS_BELOW, _STAYS_ABOVE_ZERO, identity(), _LONG_FACTOR, AT_MOST_ONE),
                sample=_long(Fraction(2)),
            ),
        ),
        mutants=(
            Mutant(
                "W stays below 3/2",
                replace=(("Prod(v) < 2", "Prod(v) < 3/2"), ("W < 2", "W < 3/2")),
                sample=_long(Fraction(3, 2)),
            ),
            Mutant("twelve times the rate", replace=(("1/2*(2/3)**5", "6*(2/3)**5"),)),
            Mutant(
                "the printed band",
                replace=(("Prod(v) < 2", "Prod(v) < 1 + delta"), ("W < 2", "W < 1 + delta")),
                sample=SAMPLE,
            ),
        ),
        search_depths=(1, 2, 3, 5),
    ),
)

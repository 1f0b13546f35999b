"""The note to Theorem 3.2: the imbalance need not vanish, and what would make it."""

from __future__ import annotations

from fractions import Fraction
from random import Random
from typing import Any

from linreg_dyn.claims import falsify
from linreg_dyn.claims.core import Claim, Mutant, Part, Sampler
from linreg_dyn.claims.ginsburg._net import LAYERS, NET, SPREAD, by_hand, near, positive, source, split, steps
from linreg_dyn.claims.ginsburg._theorem3 import (
    ABOVE,
    BELOW,
    HALF,
    IMBALANCE_FACTOR,
    NEAR_ONE,
    Q_HIGH,
    Q_LOW,
    above_one,
    below_one,
)

# u(t+1) <= 49/64 u for u = (W - 1)^2: Theorem 3.1, from both sides
_NEARER = split(
    "W - 1",
    ge=steps(
        ("y+", "Prod(v) - 1 <= 7/8*(W - 1)", above_one(positive(Q_HIGH, ABOVE), upper=True)),
        ("y-", "Prod(v) - 1 >= -7/8*(W - 1)", above_one(positive(Q_LOW, ABOVE), upper=False)),
        then=by_hand(("1", "y+ * y-")),
    ),
    le=steps(
        (
            "y+",
            "Prod(v) - 1 <= 7/8*(1 - W)",
            below_one(positive(Q_HIGH, BELOW, times="1 + (W - 1)*W/2"), upper=True),
        ),
        ("y-", "Prod(v) - 1 >= -7/8*(1 - W)", below_one(positive(Q_LOW, BELOW), upper=False)),
        then=by_hand(("1", "y+ * y-")),
    ),
)
# 1 - k <= 9/64 u, from S^2 >= 4 A B and W < 3/2
_LITTLE = by_hand(
    *((str(Fraction(9 * int(c), 64)), f"sq W-1 * {h}") for c, h in SPREAD),
    ("1/4", "sq W-1 * inv[i] * inv[j] * a0.0+ * a0.0-"),
    ("1/2", "sq W-1 * inv[i] * inv[j] * a0.0+"),
    multiplier=[("1", "S * S")],
)
# 9/64 + 3/5 49/64 = 3/5
_STAYS = steps(
    ("u", "(Prod(v) - 1)**2 <= 49/64*(W - 1)**2", _NEARER),
    ("k", "1 - k <= 9/64*(W - 1)**2", _LITTLE),
    then=by_hand(("1", "k"), ("3/5", "u"), ("3/5", "sq 2*lam*(W-1)*W/(w[i]*w[j])*(Prod(v)-1)")),
)


# (9/16 - (lam S)^2 (W - 1)^2 W^2) S^2, and the last with S^2 >= 4 A B
_NOT_BELOW = steps(
    ("x+", "(W - 1)*W < 3/4", by_hand(("1", "a0.0+ * a0.0-"), ("1", "a0.0+"))),
    ("x-", "(W - 1)*W > -3/4", by_hand(("1/2", ""), ("1", "sq W-1/2"))),
    then=by_hand(
        *((str(Fraction(9 * int(c), 16)), h) for c, h in SPREAD),
        ("4", "inv[i] * inv[j] * x+ * x-"),
        ("4", "inv[i] * inv[j] * sq (W-1)*W * a1.0+ * a1.0-"),
        multiplier=[("1", "S * S")],
    ),
)


def _held(most: Fraction) -> Sampler:
    """1/4 < |W - 1| < 1/2, at rates up to `most` times 1/sum(1/w^2)."""

    def sample(rng: Random, depth: int, level: int) -> dict[str, Any]:
        W = 1 + rng.choice((-1, 1)) * falsify.rational(rng, Fraction(1, 4), Fraction(1, 2), level)
        w = falsify.weights(rng, depth, level, W)
        c = rng.choice((most, falsify.rational(rng, -most, most, level)))
        return {"w": w, "lam": c / sum(1 / x**2 for x in w)}

    return sample


def _far(rng: Random, depth: int, level: int) -> dict[str, Any]:
    return {"w": [Fraction(3, 2)] * depth, "lam": Fraction(9, 4) / depth}


def _equal(rng: Random, depth: int, level: int) -> dict[str, Any]:
    """Two weights of nearly equal size, W near 3/2, at the largest rate."""
    a, b = Fraction(49, 40), Fraction(61, 50)
    return {"w": [a, b], "lam": 1 / (1 / a**2 + 1 / b**2)}


CLAIMS = (
    Claim(
        id="ginsburg.thm-3.2-note",
        title="Note to Theorem 3.2: the imbalance stays large, unless the loss is kept",
        statement=(
            r"\text{The layer imbalance may stay large, if the loss } L \to 0 \text{ too fast. To make } D \to 0 "
            r"\text{ we should keep the loss in certain range, e.g. } \tfrac14 < |W - 1| < \tfrac12: \quad "
            r"D(\infty) \ge \big(1 - \tfrac35 (W_0 - 1)^2\big) D(0) \ge \tfrac{17}{20} D(0) \text{ at the theorem's "
            r"rate}, \quad k \le 1 - \frac{\lambda^2}{16 (w_i w_j)^2} \text{ in that range, and } k > \tfrac{7}{16} "
            r"\text{ if } |\lambda| \le \frac{1}{\sum 1/w_i^2}"
        ),
        source=source("Note to Theorem 3.2"),
        kind="printed",
        reading=(
            "At the theorem's rate the imbalance not only may stay large: every D_ij keeps at least 17/20 of its size "
            "for ever (part 1). In the range that the note proposes k is bounded away from 1 (part 2) and, up to four "
            "times the theorem's rate, from -1 (part 3): D tends to 0 if the weights are bounded and the rate does not "
            "vanish. At larger rates k can be below -1."
        ),
        argument=(
            "With c = 1 - 3/5 (W - 1)^2 part 1 is k(t) >= c(t)/c(t+1). Multiplied over all steps, |D_ij(t)|/|D_ij(0)| "
            ">= c(0)/c(t) >= c(0) > 17/20. By Theorem 3.1 the hypothesis holds at every step."
        ),
        parts=(
            Part(
                LAYERS,
                ("k*(1 - 3/5*(Prod(v) - 1)**2) >= 1 - 3/5*(W - 1)**2",),
                IMBALANCE_FACTOR,
                (NEAR_ONE,),
                tactics=(_STAYS,),
                sample=HALF,
            ),
            Part(
                {**LAYERS, "lam": "real"},
                ("k <= 1 - lam**2/(16*(w[i]*w[j])**2)",),
                (*NET, IMBALANCE_FACTOR[-1]),
                (NEAR_ONE, "(W - 1)**2 > 1/16"),
                tactics=(
                    by_hand(
                        ("4", "sq lam*W * inv[i] * inv[j] * a1.0"),
                        ("1/4", "sq lam * inv[i] * inv[j] * a0.0- * a0.0-"),
                        ("1/4", "sq lam * inv[i] * inv[j] * a0.0-"),
                    ),
                ),
                sample=_held(Fraction(1)),
            ),
            Part(
                {**LAYERS, "lam": "real"},
                ("k > 7/16",),
                (*NET, IMBALANCE_FACTOR[-1]),
                (NEAR_ONE, "abs(lam*S) <= 1"),
                tactics=(_NOT_BELOW,),
                sample=_held(Fraction(1)),
            ),
        ),
        mutants=(
            Mutant("a tenth of what is lost", replace=((">= 1 - 3/5*", ">= 1 - 3/50*"),)),
            Mutant("four times the rate", replace=(("1/(4*S)", "1/S"),)),
            Mutant(
                "down to the minimum",
                part=1,
                drop=1,
                sample=lambda rng, depth, level: {
                    **near(Fraction(3, 4), Fraction(5, 4))(rng, depth, level),
                    "lam": Fraction(1),
                },
            ),
            Mutant("sixteen times as fast", part=1, replace=(("lam**2/(16*", "lam**2/("),)),
            Mutant("further from the minimum", part=2, drop=0, sample=_far),
            Mutant("at any rate", part=2, drop=1, replace=(("7/16", "-1"),), sample=_held(Fraction(8))),
            Mutant("half of it is kept", part=2, replace=(("7/16", "1/2"),), sample=_equal),
        ),
        search_depths=(2, 3, 5),
    ),
)

"""The question that Theorem 3.2 invites: its sharp range and its largest rates."""

from __future__ import annotations

from fractions import Fraction
from random import Random
from typing import Any

from linreg_dyn.certify.find import Axis
from linreg_dyn.claims import falsify
from linreg_dyn.claims.core import Claim, Mutant, Part
from linreg_dyn.claims.enclosures import exact, root, root_part
from linreg_dyn.claims.ginsburg._net import (
    GD,
    NET,
    PAIR_AXES,
    by_hand,
    positive,
    source,
    step,
)
from linreg_dyn.claims.ginsburg._theorem3 import HALF, IMBALANCE_FACTOR, NEAR_ONE, W

_C = Axis("c", high="a2.0", power=2)
_GIVEN_C = {"w": "layers", "c": "real"}
_D_FACTOR = (*NET, ("lam", "c/S"), ("v", step(GD)), IMBALANCE_FACTOR[-1])
_SQUARE = "sq 1/w[i]**2-1/w[j]**2"
_CROSS = "sq (W-1)*W/(w[i]*w[j])"


def _with_c(rng: Random, depth: int, level: int) -> dict[str, Any]:
    c = falsify.rational(rng, 0, 2, level)
    return {**HALF(rng, depth, level), "c": c}


def _two_equal(rng: Random, depth: int, level: int) -> dict[str, Any]:
    return {"m": falsify.rational(rng, 1, Fraction(5, 4), level + 4), "c": falsify.rational(rng, 1, 4, level)}


_EQUAL_PAIR = (("w", "[m, m]"), *NET, ("lam", "c/S"), ("k", "1 - 4*lam**2*(W - 1)**2*W**2/(w[0]*w[1])**2"))

CLAIMS = (
    Claim(
        id="ginsburg.thm-3.2.sharp-range",
        title="The exact range of the imbalance factor, and its largest rates",
        statement=(
            r"|W - 1| < \tfrac12: \text{ with } \lambda = \frac{1}{4\sum(1/w_i^2)},\ \inf k = \tfrac{247}{256},\ "
            r"\max k = 1; \text{ with } \lambda = \frac{c}{\sum(1/w_i^2)},\ c > 0,\ |D_{ij}| \text{ cannot grow iff } "
            r"c \le \tfrac{4\sqrt2}{3}, \text{ nor change sign iff } c \le \tfrac43"
        ),
        source=source("Theorem 3.2"),
        kind="sharp",
        reading=(
            "k = 1 - x^2 p_i p_j with x = 2 c (W-1) W and p_i p_j < 1/4 unless the pair is all there is and equal. "
            "Parts 1 and 2: the bounds k >= -1 and k > 0 at those rates. Part 3: nets [m, m] come as close to 247/256 "
            "as one likes. Parts 4 and 5: at larger rates they go beyond -1 and 0."
        ),
        argument=(
            "For [m, m] the difference D is 0; k is continuous in the weights, so unequal weights nearby have factors "
            "as near as one likes, and strict inequalities persist. For c > 4 sqrt(2)/3 (c > 4/3) some m with m^2 < "
            "3/2 meets the assumption of part 4 (part 5), because (m^2 - 1) m^2 tends to 3/4 as m^2 tends to 3/2."
        ),
        parts=(
            Part(
                _GIVEN_C,
                ("k >= -1",),
                _D_FACTOR,
                (NEAR_ONE, "0 < c", "c**2 <= 32/9"),
                tactics=(
                    positive(_C, W, *PAIR_AXES, times="S**2", squares=[("2", _SQUARE), ("4*(32/9 - c**2)", _CROSS)]),
                ),
                sample=_with_c,
            ),
            Part(
                _GIVEN_C,
                ("k > 0",),
                _D_FACTOR,
                (NEAR_ONE, "0 < c", "c**2 <= 16/9"),
                tactics=(
                    positive(_C, W, *PAIR_AXES, times="S**2", squares=[("1", _SQUARE), ("4*(16/9 - c**2)", _CROSS)]),
                ),
                sample=_with_c,
            ),
            Part(
                {"m": "real"},
                ("k < 247/256 + (3/2 - m**2)",),
                (("c", "1/4"), *_EQUAL_PAIR),
                ("1 < m**2", "m**2 < 3/2"),
                tactics=(positive(Axis("m", "a0.0", "a1.0", power=2)),),
                sample=lambda rng, depth, level: {"m": falsify.rational(rng, 1, Fraction(49, 40), level)},
            ),
            Part(
                {"m": "real", "c": "real"},
                ("k < -1",),
                _EQUAL_PAIR,
                ("1 < m**2", "m**2 < 3/2", "c**2*(m**2 - 1)**2*m**4 > 2"),
                tactics=(by_hand(("1", "a2.0")),),
                sample=_two_equal,
            ),
            Part(
                {"m": "real", "c": "real"},
                ("k < 0",),
                _EQUAL_PAIR,
                ("1 < m**2", "m**2 < 3/2", "c**2*(m**2 - 1)**2*m**4 > 1"),
                tactics=(by_hand(("1", "a2.0")),),
                sample=_two_equal,
            ),
            root_part("32/9", 2),
        ),
        mutants=(
            Mutant(
                "a larger rate",
                replace=(("32/9", "4"),),
                sample=lambda rng, depth, level: {**HALF(rng, depth, level), "c": Fraction(2)},
            ),
            Mutant(
                "the same sign at a larger rate",
                replace=(("16/9", "2"),),
                part=1,
                sample=lambda rng, depth, level: {**HALF(rng, depth, level), "c": Fraction(7, 5)},
            ),
            Mutant("a lower infimum", replace=(("247/256 + (3/2 - m**2)", "247/256 - (3/2 - m**2)"),), part=2),
        ),
        values=lambda: {
            "inf": exact("247/256"),
            "sup": exact("1"),
            "c": root("32/9", 2),
            "c_same_sign": exact("4/3"),
        },
    ),
)

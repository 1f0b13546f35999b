"""Section 4.2: runs with noise augmentation inside of the noise band, and when they stay there."""

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
    velocity,
)
from linreg_dyn.claims.ginsburg.noise_run import GIVEN, HYP, NOISY, PAPER_RATE, SMALL_NOISE, X, inside, outside
from linreg_dyn.claims.ginsburg.theorem4 import AT_MOST_ONE, FACTOR, FACTORISES

# -- the band, at rate c/S: x = 2 c u (u - 1), and u (1 - delta) <= 1 + delta
_KEEPING = (*NET, ("lam", "c/S"), ("v", step(NOISE)), *X)
_IN_BAND = ("W*(1 + delta) >= 1", "W*(1 - delta) <= 1")
_SLOW = "2*c*(1 + delta)**2 <= (1 - delta)**2"
_DD = [("1", "d+ * d+")]


def _kept(ge: Tactic, le: Tactic) -> Tactic:
    """Cases u >= 1 with 2 c u^2 <= 1 and 0 <= x < 1, and u <= 1 with 2 c u < 1 and -1 < x <= 0."""
    above = steps(
        ("r", "u*(1 - delta) <= 1 + delta", by_hand(("1", "e- * a4.0"), ("1", "a2.0+"))),
        (
            "cu",
            "2*c*u**2 <= 1",
            by_hand(("1", "a6.0 * u0 * u0"), ("1", "r * d+"), ("1", "r * u0 * d-"), multiplier=_DD),
        ),
        ("x+", "x >= 0", by_hand(("2", "a5.0 * u0 * s"))),
        ("1-x", "x < 1", by_hand(("1", "cu"), ("2", "a5.0 * u0"))),
        then=ge,
    )
    below = steps(
        (
            "cu",
            "2*c*u < 1",
            by_hand(("1", "a6.0 * u0"), ("1", "s * d- * d-"), ("4", "a0.0"), multiplier=_DD),
        ),
        ("x-", "x <= 0", by_hand(("2", "a5.0 * u0 * s"))),
        ("1+x", "x > -1", by_hand(("1", "cu"), ("2", "a5.0 * u0 * u0"))),
        ("1-x", "x < 1", by_hand(("1", ""), ("1", "x-"))),
        then=le,
    )
    return steps(
        *SMALL_NOISE,
        ("W", "W > 0", by_hand(("1", "a3.0"), ("1", ""), multiplier=[("1", "d+")])),
        ("u0", "u > 0", by_hand(("1", "W * e-"))),
        then=split("u - 1", ge=above, le=below),
    )


_KEPT = (
    # W (1 + delta) >= u, and u (1 - x) - 1 = (u - 1)(1 - 2 c u^2)
    _kept(
        ge=product_at_least("x", HYP["1-x"], by_hand(("1", "d+ * W * lo0"), ("1", "W * a2.0+ * 1-x"), ("1", "s * cu"))),
        le=product_at_least("x", HYP["1-x"], by_hand(("1", "d+ * W * lo0"), ("1", "a3.0"), ("1", "d+ * W * x-"))),
    ),
    # W (1 - delta) <= u, and 1 + x - u = (1 - u)(1 - 2 c u)
    _kept(
        ge=product_at_most(
            "x",
            HYP["x+"],
            HYP["1-x"],
            by_hand(("1", "a4.0"), ("1", "d- * W * hi0"), ("1/2", "d- * W * x+"), ("1/2", "d- * W * x+ * 1-x")),
        ),
        le=product_at_most_inverse(
            "x",
            HYP["1+x"],
            HYP["x-"],
            by_hand(("1", "d- * W * 1+x * hi0"), ("1", "W * a2.0-"), ("1", "s * cu"), multiplier=[("1", "1+x")]),
        ),
    ),
)

_SMALL = _kept(ge=small_step("1-x", "x+"), le=small_step("1+x", "x-"))


def _edge(rng: Random, depth: int, level: int) -> dict[str, Any]:
    return {"delta": falsify.rational(rng, 0, Fraction(1, 2), level), "c": falsify.rational(rng, 0, 1, level)}


def _flowing(rng: Random, depth: int, level: int) -> dict[str, Any]:
    return {**inside()(rng, depth, level), "lam": Fraction(1)}


# -- the flow
_FLOW = {**GIVEN, "lam": "real"}
_RATE = "-2*lam*(1 + eta)*(u - 1)*W**2*S"
_AT_TOP = ("W", "W > 0", by_hand(("1", "a4.0"), ("1", ""), multiplier=[("1", "d-")]))
_TOWARD = "a3.0 * e- * sq W * S"

CLAIMS = (
    Claim(
        id="ginsburg.noise-band-kept",
        title="A step stays inside the noise band, as printed",
        statement=(
            r"\text{Next, the trajectory oscillates inside the noise band: } "
            r"\tfrac{1}{1 + \delta} \le W \le \tfrac{1}{1 - \delta} \;\Rightarrow\; "
            r"\tfrac{1}{1 + \delta} \le W(t + 1) \le \tfrac{1}{1 - \delta}"
        ),
        source=source("section 4.2, after eq. 11"),
        kind="printed",
        amended_by="ginsburg.noise-band-kept.amended",
        reading="A step of eq. 11 at the rate of Theorem 4.1, from the closed band. It can leave for delta near 1/2.",
        parts=(
            Part(
                GIVEN,
                ("Prod(v)*(1 + delta) >= 1", "Prod(v)*(1 - delta) <= 1"),
                PAPER_RATE,
                (*NOISY, *_IN_BAND),
                sample=inside(),
            ),
        ),
        mutants=(
            Mutant("half the band", replace=(("Prod(v)*(1 - delta) <= 1", "Prod(v)*(1 - delta/2) <= 1"),)),
            Mutant("it leaves below", replace=(("Prod(v)*(1 + delta) >= 1", "Prod(v)*(1 + delta) < 1"),)),
        ),
        search_depths=(1, 2, 3),
    ),
    Claim(
        id="ginsburg.noise-band-kept.amended",
        title="The largest rate that keeps the noise band",
        statement=(
            r"|\eta| \le \delta < \tfrac12,\ \lambda = \frac{c}{\sum 1/w_i^2}: \quad \tfrac{1}{1 + \delta} \le W \le "
            r"\tfrac{1}{1 - \delta} \;\Rightarrow\; \tfrac{1}{1 + \delta} \le W(t + 1) \le \tfrac{1}{1 - \delta} "
            r"\quad \iff \quad c \le \frac{(1 - \delta)^2}{2 (1 + \delta)^2}"
        ),
        source=source("section 4.2, after eq. 11"),
        kind="amended",
        amends="ginsburg.noise-band-kept",
        reading=(
            "Part 1: every depth and noise; the imbalance does not grow either. Part 2: at a larger c one layer at the "
            "upper end is thrown out below by eta = delta. Part 3: the rate of Theorem 4.1 is small enough for delta "
            "<= 23/50."
        ),
        parts=(
            Part(
                {**GIVEN, "c": "real"},
                ("Prod(v)*(1 + delta) >= 1", "Prod(v)*(1 - delta) <= 1", FACTORISES, "0 < k <= 1"),
                (*_KEEPING, FACTOR),
                (*NOISY, *_IN_BAND, "0 < c", _SLOW),
                tactics=(*_KEPT, identity(), _SMALL, AT_MOST_ONE),
                sample=inside(Fraction(1)),
            ),
            Part(
                {"delta": "real", "c": "real"},
                ("Prod(v)*(1 + delta) < 1",),
                (("w", "[1/(1 - delta)]"), ("eta", "delta"), *_KEEPING),
                ("0 < delta", "delta < 1/2", _SLOW.replace("<=", ">")),
                tactics=(
                    steps(SMALL_NOISE[1], then=by_hand(("2", "a0.0 * a2.0"), multiplier=[("1", "d- * d- * d-")])),
                ),
                sample=_edge,
            ),
            Part(
                {"delta": "real"},
                (_SLOW.replace("c", "16/243"),),
                (),
                ("0 < delta", "delta <= 23/50"),
                tactics=(positive(Axis("delta", "a0.0", "a1.0")),),
                sample=lambda rng, depth, level: {"delta": falsify.rational(rng, 0, Fraction(23, 50), level)},
            ),
        ),
        mutants=(
            Mutant("a tenth more", replace=((_SLOW, f"10/11*{_SLOW}"),), sample=inside(Fraction(11, 10))),
            Mutant("half the band", replace=(("Prod(v)*(1 - delta) <= 1", "Prod(v)*(1 - delta/2) <= 1"),)),
            Mutant("it leaves at any rate", part=1, drop=2),
        ),
        search_depths=(1, 2, 3, 5),
    ),
    Claim(
        id="ginsburg.noise-flow-band",
        title="The flow stays inside the noise band",
        statement=(
            r"\text{When the trajectory gets inside the noise band, it oscillates around the minima manifold: } "
            r"\tfrac{dW}{dt} \le 0 \text{ for } W \ge \tfrac{1}{1 - \delta}, \quad \tfrac{dW}{dt} \ge 0 \text{ for } "
            r"0 < W \le \tfrac{1}{1 + \delta}"
        ),
        source=source("section 4.2, after the noise band"),
        kind="printed",
        reading="For every value of the noise, at both ends of the band and beyond: the flow never leaves it.",
        parts=(
            Part(
                _FLOW,
                (f"Sum(D(W, w)*f) == {_RATE}", "Sum(D(W, w)*f) <= 0"),
                (*NET, X[0], ("f", velocity(NOISE))),
                (*NOISY, "lam > 0", "W*(1 - delta) >= 1"),
                tactics=(
                    identity(),
                    steps(
                        *SMALL_NOISE,
                        _AT_TOP,
                        then=by_hand(("2", f"{_TOWARD} * a4.0"), ("2", f"{_TOWARD} * W * a2.0-")),
                    ),
                ),
                sample=outside(6, lam=lambda rng, level: abs(falsify.signed(rng, level))),
            ),
            Part(
                _FLOW,
                ("Sum(D(W, w)*f) >= 0",),
                (*NET, X[0], ("f", velocity(NOISE))),
                (*NOISY, "lam > 0", "W > 0", "W*(1 + delta) <= 1"),
                tactics=(
                    steps(
                        *SMALL_NOISE,
                        then=by_hand(("2", f"{_TOWARD} * a5.0"), ("2", f"{_TOWARD} * a4.0 * a2.0+")),
                    ),
                ),
                sample=outside(6, lam=lambda rng, level: abs(falsify.signed(rng, level))),
            ),
        ),
        mutants=(
            Mutant("half the band", replace=(("W*(1 - delta) >= 1", "W*(1 - delta/2) >= 1"),), sample=_flowing),
            Mutant(
                "half the band below",
                part=1,
                replace=(("W*(1 + delta) <= 1", "W*(1 + delta/2) <= 1"),),
                sample=_flowing,
            ),
            Mutant("outward", replace=(("Sum(D(W, w)*f) <= 0", "Sum(D(W, w)*f) >= 0"),)),
        ),
        search_depths=(1, 2, 3),
    ),
)

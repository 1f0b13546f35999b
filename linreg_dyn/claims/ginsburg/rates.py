"""The questions that Theorem 3.1 invites: its sharp range, the largest and the best learning rate."""

from __future__ import annotations

from fractions import Fraction
from random import Random
from typing import Any

from linreg_dyn.certify.find import Axis, Tactic
from linreg_dyn.claims import falsify
from linreg_dyn.claims.core import Claim, Mutant, Part
from linreg_dyn.claims.enclosures import exact
from linreg_dyn.claims.ginsburg._net import (
    GD,
    LAYERS,
    NET,
    W_axis,
    near,
    positive,
    product_at_least,
    product_at_most,
    product_at_most_inverse,
    source,
    split,
    step,
)
from linreg_dyn.claims.ginsburg._theorem3 import (
    LOSS_FACTOR,
    NEAR_ONE,
    Q_HIGH,
    Q_LOW,
    case_above,
    case_below,
)

LOSS_K = ("k", "(Prod(v) - 1)/(W - 1)")
_NET_OF_ONE = (*NET, ("lam", "c/S"), ("v", step(GD)), LOSS_K)
_R = Axis("r", low="a0.0", high="a1.0")
_W_ABOVE, _W_BELOW = W_axis("s", "a2.0+", width="a0.0"), W_axis("a2.0-", "s", width="a0.0")
_RADIUS = ("0 < r", "r <= 1", "abs(W - 1) < r", "W != 1")


def _within_radius(rng: Random, depth: int, level: int) -> dict[str, Any]:
    """r in (0, 1] and W within r of 1."""
    r = rng.choice((Fraction(1), falsify.rational(rng, 0, 1, level)))
    W = 1 + r * falsify.rational(rng, -1, 1, level) or Fraction(1, 9)
    return {"w": falsify.weights(rng, depth, level, W), "r": r}


def _by_side(x: str, denominator: str, below: str, above: str, *more: Axis, low: bool) -> Tactic:
    """A bound on k for |W - 1| < r, W != 1: on each side of 1 by the bound on the product that matters.

    `denominator` clears that of x; `below` and `above` clear that of the goal (with the product's) on each side.
    """
    left, right = [_W_BELOW, *more, _R], [_W_ABOVE, *more, _R]
    if low:
        up = product_at_least(x, positive(*right, times=denominator), positive(Q_LOW, *right, by="s", times=above))
        down = product_at_most_inverse(
            x,
            positive(*left, times=denominator),
            positive(*left, times=denominator),
            positive(Q_HIGH, *left, by="s", times=f"({below})*(1 + {x})*{denominator}"),
        )
    else:
        up = product_at_most(
            x,
            positive(*right, times=denominator),
            positive(*right, times=denominator),
            positive(Q_HIGH, *right, by="s", times=f"({above})*{denominator}"),
        )
        down = product_at_least(x, positive(*left, times=denominator), positive(Q_LOW, *left, by="s", times=below))
    return split("W - 1", ge=up, le=down, nonzero="a3.0")


_X_LARGEST, _D_LARGEST = "(2*q*(W - 1)*W/(1 + r)**2)", "(1 + r)**2"
_X_BEST, _D_BEST = "((W - 1)*W/(1 + r**2))", "(1 + r**2)"
_EPS = Axis("eps", low="a2.0")
_ONE_LAYER = (("w", "[u]"), *_NET_OF_ONE)


def _attained(conclude: str, c: str, u: str, times: str, *axes: Axis, assume: tuple[str, ...]) -> Part:
    """A net of one layer that comes as close to a bound on k as one likes."""
    names = {a.atom for a in axes}
    return Part(
        given=dict.fromkeys(sorted(names), "real"),
        where=(("c", c), ("u", u), *_ONE_LAYER),
        assume=assume,
        conclude=(conclude,),
        tactics=(positive(*axes, times=times),),
        sample=lambda rng, depth, level: {n: falsify.rational(rng, 0, 1, level) for n in sorted(names)},
    )


_SMALL = ("0 < theta", "theta < 1/2")
_TH = Axis("theta", low="a0.0", high="a1.0")
_SHARP_RANGE = (
    Part(
        LAYERS,
        ("1/2 < k < 7/8",),
        LOSS_FACTOR,
        (NEAR_ONE, "(W - 1)*W < 0"),
        tactics=(case_below(low=True), case_below(low=False)),
        sample=near(Fraction(1, 2), 1),
    ),
    Part(
        LAYERS,
        ("-1/8 < k < 1/2",),
        LOSS_FACTOR,
        (NEAR_ONE, "(W - 1)*W > 0"),
        tactics=(case_above(low=True), case_above(low=False)),
        sample=near(1, Fraction(3, 2)),
    ),
    _attained("k > 7/8 - theta", "1/4", "1/2 + theta", "1", _TH, assume=_SMALL),
    _attained("k < -1/8 + 2*theta", "1/4", "3/2 - theta", "1", _TH, assume=_SMALL),
    _attained("1/2 < k + 2*theta", "1/4", "1 + theta", "1", _TH, assume=_SMALL),
    _attained("k - 2*theta < 1/2", "1/4", "1 - theta", "1", _TH, assume=_SMALL),
)

CLAIMS = (
    Claim(
        id="ginsburg.thm-3.1.sharp-range",
        title="The exact range of the loss factor",
        statement=(
            r"|W - 1| < \tfrac12,\ \lambda = \frac{1}{4\sum(1/w_i^2)}: \quad "
            r"\inf k = -\tfrac18,\ \sup k = \tfrac78 \text{ over all depths}; \quad "
            r"\tfrac12 < k < \tfrac78 \text{ for } W < 1, \quad -\tfrac18 < k < \tfrac12 \text{ for } W > 1"
        ),
        source=source("proof of Theorem 3.1, conclusion"),
        kind="sharp",
        reading=(
            "Parts 1 and 2 are the bounds at every depth; parts 3 to 6 give nets of one layer whose factor comes as "
            "close to each of the four ends as one likes (deeper nets approach them with p near a vertex)."
        ),
        parts=_SHARP_RANGE,
        mutants=(
            Mutant("a smaller upper end", replace=(("7/8", "7/8 - 1/1000"),)),
            Mutant("a higher lower end", replace=(("-1/8 <", "-1/8 + 1/1000 <"),), part=1),
            Mutant("approach from above", replace=(("k > 7/8 - theta", "k > 7/8 + theta"),), part=2),
        ),
        values=lambda: {
            "inf": exact("-1/8"),
            "sup": exact("7/8"),
            "inf (W < 1)": exact("1/2"),
            "sup (W > 1)": exact("1/2"),
        },
    ),
    Claim(
        id="ginsburg.thm-3.1.largest-rate",
        title="The largest adaptive rate at which the loss decreases",
        statement=(
            r"c > 0: \quad \lambda = \frac{c}{\sum(1/w_i^2)} \text{ decreases the loss at every depth for all } "
            r"0 < |W - 1| < r \iff c \le \frac{1}{(1 + r)^2} \quad (0 < r \le 1); \qquad c = \tfrac49 \text{ for } "
            r"r = \tfrac12"
        ),
        source=source("Theorem 3.1, its rate 1/(4 sum 1/w_i^2)"),
        kind="sharp",
        reading=(
            "k = (W(t+1) - 1)/(W - 1). Part 1: for every c = q/(1+r)^2 with 0 < q <= 1 and W != 1, -1 < k < 1. Part 2: "
            "for every larger c = (1 + eps)/(1+r)^2 a net inside the region has k < -1, so its loss grows. The value c "
            "is that of the paper's region, r = 1/2."
        ),
        parts=(
            Part(
                {"w": "layers", "r": "real", "q": "real"},
                ("-1 < k < 1",),
                (("c", "q/(1 + r)**2"), *_NET_OF_ONE),
                (*_RADIUS, "0 < q", "q <= 1"),
                tactics=(
                    _by_side(_X_LARGEST, _D_LARGEST, _D_LARGEST, _D_LARGEST, Axis("q", "a4.0", "a5.0"), low=True),
                    _by_side(_X_LARGEST, _D_LARGEST, _D_LARGEST, _D_LARGEST, Axis("q", "a4.0", "a5.0"), low=False),
                ),
                sample=lambda rng, depth, level: {
                    **_within_radius(rng, depth, level),
                    "q": rng.choice((Fraction(1), falsify.rational(rng, 0, 1, level))),
                },
            ),
            Part(
                {"r": "real", "eps": "real"},
                ("k < -1", "u - 1 < r", "u - 1 > -r"),
                (("c", "(1 + eps)/(1 + r)**2"), ("u", "1 + r - r*eps/(2 + 2*eps)"), *_ONE_LAYER),
                ("0 < r", "r <= 1", "eps > 0"),
                tactics=(
                    positive(_EPS, _R, times="(1 + r)**2*(1 + eps)**2"),
                    positive(_EPS, _R, times="1 + eps"),
                    positive(_EPS, _R, times="1 + eps"),
                ),
                sample=lambda rng, depth, level: {
                    "r": falsify.rational(rng, 0, 1, level),
                    "eps": falsify.rational(rng, 0, 4, level),
                },
            ),
        ),
        mutants=(
            Mutant("a larger rate", replace=(("q/(1 + r)**2", "q/(1 + r)"),)),
            Mutant("growth without excess", replace=(("(1 + eps)/", "1/"),), part=1),
            Mutant(
                "a larger region",
                replace=(("abs(W - 1) < r", "abs(W - 1) < 2*r"),),
                sample=lambda rng, depth, level: {
                    **near(0, 3)(rng, depth, level),
                    "r": Fraction(1, 2),
                    "q": Fraction(1),
                },
            ),
        ),
        values=lambda: {
            "c": exact("4/9"),
            "c (r = 1/4)": exact("16/25"),
            "c (r = 1)": exact("1/4"),
        },
    ),
    Claim(
        id="ginsburg.thm-3.1.best-rate",
        title="The best adaptive rate",
        statement=(
            r"\text{For } |W - 1| < r \text{ the smallest worst-case } |k| \text{ over all depths is } "
            r"\frac{2r}{1 + r^2} \text{ at } c = \frac{1}{2(1 + r^2)} \quad (0 < r \le 1); \qquad "
            r"c = \tfrac25,\ |k| < \tfrac45 \text{ for } r = \tfrac12"
        ),
        source=source("Theorem 3.1, its rate 1/(4 sum 1/w_i^2)"),
        kind="sharp",
        reading=(
            "Part 1: the bound at this c. Parts 2 and 3: for every other c, smaller or larger, one-layer nets near W = "
            "1 - r or W = 1 + r have |k| as close to (or beyond) 2r/(1+r^2) as one likes. The paper's c = 1/4 "
            "guarantees 7/8 where 4/5 is possible."
        ),
        parts=(
            Part(
                {"w": "layers", "r": "real"},
                ("-2*r/(1 + r**2) < k < 2*r/(1 + r**2)",),
                (("c", "1/(2*(1 + r**2))"), *_NET_OF_ONE),
                _RADIUS,
                tactics=(
                    _by_side(_X_BEST, _D_BEST, _D_BEST, _D_BEST, low=True),
                    _by_side(_X_BEST, _D_BEST, _D_BEST, _D_BEST, low=False),
                ),
                sample=_within_radius,
            ),
            Part(
                {"r": "real", "q": "real", "theta": "real"},
                ("k >= 2*r/(1 + r**2)*(1 - theta)",),
                (("c", "q/(2*(1 + r**2))"), ("u", "1 - r + r*theta"), *_ONE_LAYER),
                ("0 < r", "r <= 1", "0 < theta", "theta < 1", "q <= 1"),
                tactics=(positive(Axis("theta", "a2.0", "a3.0"), Axis("q", high="a4.0"), _R, times="1 + r**2"),),
                sample=lambda rng, depth, level: {
                    "r": falsify.rational(rng, 0, 1, level),
                    "theta": falsify.rational(rng, 0, 1, level),
                    "q": 1 - falsify.rational(rng, 0, 4, level),
                },
            ),
            Part(
                {"r": "real", "q": "real", "theta": "real"},
                ("k <= -2*r/(1 + r**2)*(1 - (1 + r)*theta)",),
                (("c", "q/(2*(1 + r**2))"), ("u", "1 + r - r*theta"), *_ONE_LAYER),
                ("0 < r", "r <= 1", "0 < theta", "theta < 1", "q >= 1"),
                tactics=(positive(Axis("theta", "a2.0", "a3.0"), Axis("q", "a4.0"), _R, times="1 + r**2"),),
                sample=lambda rng, depth, level: {
                    "r": falsify.rational(rng, 0, 1, level),
                    "theta": falsify.rational(rng, 0, 1, level),
                    "q": 1 + falsify.rational(rng, 0, 4, level),
                },
            ),
        ),
        mutants=(
            Mutant("a better bound", replace=(("2*r/(1 + r**2)", "19/10*r/(1 + r**2)"),)),
            Mutant("the paper's rate", replace=(("1/(2*(1 + r**2))", "1/4"),)),
            Mutant("smaller rates are better", replace=((">=", "<="),), part=1),
        ),
        values=lambda: {"c": exact("2/5"), "k": exact("4/5")},
    ),
)

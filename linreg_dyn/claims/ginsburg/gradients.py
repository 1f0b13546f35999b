"""Section 2 in words: critical points, gradients in flat and sharp areas; section 3.1: any fixed rate."""

from __future__ import annotations

from fractions import Fraction
from random import Random
from typing import Any

from linreg_dyn.certify.find import identity
from linreg_dyn.claims import falsify
from linreg_dyn.claims.core import Claim, Mutant, Part
from linreg_dyn.claims.ginsburg._net import (
    FLOW,
    GD,
    LAYERS,
    LOSS,
    NET,
    by_hand,
    near,
    product_at_least,
    source,
    step,
    steps,
)


def _minimum(rng: Random, depth: int, level: int) -> dict[str, Any]:
    return {"w": falsify.weights(rng, depth, level, Fraction(1))}


def _critical(rng: Random, depth: int, level: int) -> dict[str, Any]:
    x = falsify.signed(rng, level)
    return {"w": rng.choice(([Fraction(0)] * 2, [x, 1 / x]))}


def _fast(rng: Random, depth: int, level: int) -> dict[str, Any]:
    """0 < W < 1, and a rate around the one beyond which the loss increases."""
    W = falsify.rational(rng, 0, 1, level)
    w = falsify.weights(rng, depth, level, W)
    threshold = 1 / (W**2 * sum(1 / x**2 for x in w))
    return {"w": w, "lam": threshold * (1 + falsify.rational(rng, 0, 2, level))}


def _small(rng: Random, depth: int, level: int) -> dict[str, Any]:
    W, lam = falsify.rational(rng, 0, 1, level), abs(falsify.signed(rng, level))
    return {"W": W, "lam": lam, "t": Fraction(1, 2 ** rng.randint(0, 2 + 2 * level))}


# x = 2 lam S W (W - 1) < 0, so that W(t+1) >= W (1 - x)
_X = "2*lam*S*W*(W - 1)"
_INCREASES = steps(
    ("x-", f"{_X} < 0", by_hand(("2", "a0.0 * S * a1.0 * a2.0"))),
    then=product_at_least(_X, by_hand(("1", ""), ("1", "x-")), by_hand(("1", "a1.0 * lo0"), ("2", "a2.0 * a3.0"))),
)

CLAIMS = (
    Claim(
        id="ginsburg.critical-points",
        title="All minima are global, all other critical points are saddles",
        statement=(
            r"\text{All minima for the problem (4) are global, and all other critical points are saddles } (d \ge 2): "
            r"\quad \nabla L = 0 \;\Rightarrow\; W = 1 \text{ or at least two weights are } 0"
        ),
        source=source("section 2, after eq. 4"),
        kind="printed",
        reading=(
            "At depth 1 there is no other critical point. Part 1: nonzero weights, every depth. Part 2: any weights at "
            "depth 2. Part 3: at a point with W = 0 the loss is 1, and next to one with two weights 0 or more it takes "
            "values on both sides of 1."
        ),
        argument=(
            "If one weight is 0, and only one, its own derivative is -2 times the product of the others, not 0. With "
            "two weights 0 or more put s for all of them but one and s or -s for that: W is a product of the other "
            "weights and a power of s, of either sign and as small as one likes (part 3)."
        ),
        parts=(
            Part(LAYERS, ("W == 1",), LOSS, ("D(L, w) == 0",), tactics=(identity(a0_0="w/(2*W)"),), sample=_minimum),
            Part(
                {"w": "vector:2"},
                ("(W - 1)*w[0] == 0", "(W - 1)*w[1] == 0"),
                (("W", "w[0]*w[1]"), ("L", "(W - 1)**2")),
                ("D(L, w[0]) == 0", "D(L, w[1]) == 0"),
                tactics=(identity(a1_0="1/2"), identity(a0_0="1/2")),
                sample=_critical,
            ),
            Part(
                {"W": "real"},
                ("(W - 1)**2 < 1", "(-W - 1)**2 > 1"),
                (),
                ("0 < W", "W < 2"),
                tactics=(by_hand(("1", "a0.0 * a1.0")), by_hand(("2", "a0.0"), ("1", "a0.0 * a0.0"))),
                sample=lambda rng, depth, level: {"W": falsify.rational(rng, 0, 2, level)},
            ),
        ),
        mutants=(
            Mutant("minima at W = -1", replace=(("W == 1", "W == -1"),)),
            Mutant("only minima", part=1, replace=(("(W - 1)*w[0] == 0", "W == 1"),)),
            Mutant("the loss falls either way", part=2, replace=(("(-W - 1)**2 > 1", "(-W - 1)**2 < 1"),)),
        ),
        search_depths=(1, 2, 3),
    ),
    Claim(
        id="ginsburg.sharp-near-axes",
        title="Minima close to the axes are sharp",
        statement=(
            r"\text{Minima close to the axes are sharp}: \quad |w_i| \le \epsilon \;\Rightarrow\; "
            r"2\sum\tfrac{1}{w_l^2} \ge \tfrac{2}{\epsilon^2}"
        ),
        source=source("section 2.2, after the eigenvalues"),
        kind="printed",
        reading="Close to the hyperplane w_i = 0, for some i: the sharpness of a minimum is at least 2/w_i^2.",
        parts=(
            Part(LAYERS, ("2*S >= 2/w[i]**2",), NET, ("W == 1",), tactics=(by_hand(("2", "rest")),), sample=_minimum),
        ),
        mutants=(
            Mutant("twice as sharp", replace=(("2/w[i]**2", "4/w[i]**2"),)),
            Mutant("no sharper", replace=(("2*S >= 2/w[i]**2", "2*S <= 2/w[i]**2"),)),
        ),
        search_depths=(1, 2, 3),
    ),
    Claim(
        id="ginsburg.gradient-flat-and-sharp",
        title="The gradient vanishes for large weights and explodes for small ones",
        statement=(
            r"\text{The gradient } \tfrac{\partial L}{\partial w_i} \text{ vanishes if } |w_i| \text{ is very large, } "
            r"\text{and explodes if } |w_i| \text{ is very small}: "
            r"\quad w_i \frac{\partial L}{\partial w_i} = 2 (W - 1) W"
        ),
        source=source("section 2.1, after eq. 5"),
        kind="printed",
        reading=(
            "Along a level set of the loss, beside the minima: at given W, neither 0 nor 1, it is as 1/w_i (part 1). "
            "With the other weights given it is the other way round: linear in w_i (part 2, P their product)."
        ),
        parts=(
            Part(LAYERS, ("w[i]*D(L, w[i]) == 2*(W - 1)*W",), LOSS, tactics=(identity(),)),
            Part(
                {"x": "real", "P": "real"},
                ("D((P*x - 1)**2, x) == 2*P**2*x - 2*P",),
                tactics=(identity(),),
            ),
        ),
        mutants=(
            Mutant("half of it", replace=(("2*(W - 1)*W", "(W - 1)*W"),)),
            Mutant("the square of the weight", replace=(("w[i]*D(L", "w[i]**2*D(L"),)),
        ),
        search_depths=(1, 2, 3),
    ),
    Claim(
        id="ginsburg.gd-any-rate-fails",
        title="At any fixed rate the loss increases somewhere, at every depth",
        statement=(
            r"\text{For any fixed learning rate, one can find a point } w \text{, such that the loss will increase "
            r"after the GD step } (d \ge 2): \quad 0 < W < 1,\ \lambda W^2 \sum\tfrac{1}{w_i^2} > 1 \;\Rightarrow\; "
            r"L(t+1) > L(t)"
        ),
        source=source("section 3.1, after eq. 8"),
        kind="printed",
        reading=(
            "Part 1: every depth. Part 2: at given W such points exist for every lambda > 0 and d >= 2. At depth 1, "
            "where W^2 sum 1/w_i^2 = 1, it takes lambda > 1. Footnote 2 (ginsburg.gd-loss-can-increase) has depth 2."
        ),
        argument="Part 2 is depth 2, with t small; at larger depths further weights are 1, which only adds to the sum.",
        parts=(
            Part(
                FLOW,
                ("Prod(v) - 1 > 1 - W",),
                (*NET, ("v", step(GD))),
                ("lam > 0", "W > 0", "W < 1", "lam*W**2*S > 1"),
                tactics=(_INCREASES,),
                sample=_fast,
            ),
            Part(
                {"W": "real", "lam": "real", "t": "real"},
                ("Prod(w) == W", "lam*W**2*Sum(1/w**2) > 1"),
                (("w", "[t, W/t]"),),
                ("0 < W", "t > 0", "t**2 < lam*W**2", "lam > 0"),
                tactics=(
                    identity(),
                    by_hand(("1", "a2.0"), ("1", "sq t**2 * a3.0"), multiplier=[("1", "a1.0 * a1.0")]),
                ),
                sample=_small,
            ),
        ),
        mutants=(
            Mutant(
                "at half the rate",
                replace=(("lam*W**2*S > 1", "lam*W**2*S > 1/2"),),
                sample=lambda rng, depth, level: (lambda p: {**p, "lam": p["lam"] / 2})(_fast(rng, depth, level)),
            ),
            Mutant(
                "at any rate",
                drop=3,
                sample=lambda rng, depth, level: {**near(0, 1)(rng, depth, level), "lam": Fraction(1, 100)},
            ),
            Mutant("for any weights", part=1, drop=2),
        ),
        search_depths=(1, 2, 3, 5),
    ),
)

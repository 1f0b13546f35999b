"""Section 4.1: the weight decay band, in the flow and in discrete steps."""

from __future__ import annotations

from fractions import Fraction
from random import Random
from typing import Any

from linreg_dyn.certify.find import have, identity
from linreg_dyn.claims import falsify
from linreg_dyn.claims.core import Claim, Mutant, Part, Sampler
from linreg_dyn.claims.ginsburg._net import GD, by_hand, source, split, step
from linreg_dyn.claims.ginsburg.decay import DECAY, GIVEN

POSITIVE = ("lam > 0", "mu > 0")
BAND = (*DECAY, ("b", "1 - mu*d/(W*S)"), ("k", "(W - 1)*(W - b)"))
_Y = (*BAND, ("y", "W*S*(W - 1) + mu*d"))


def sample(low: float, high: float) -> Sampler:
    """W in (low, high), and any lambda, mu > 0."""

    def draw(rng: Random, depth: int, level: int) -> dict[str, Any]:
        W = falsify.rational(rng, low, high, level) or Fraction(1, 7)
        return {
            "w": falsify.weights(rng, depth, level, W),
            "lam": abs(falsify.signed(rng, level)),
            "mu": abs(falsify.signed(rng, level)),
        }

    return draw


_INSIDE = sample(0, 1)
# The band seen from below: 1 - W > 0 follows from W < b, on either side of W = 0
_BELOW_ONE = split(
    "W",
    ge=by_hand(("1", "s * S * a2.0"), ("1", "a1.0 * depth"), multiplier=[("1", "s * S")]),
    le=by_hand(("1", ""), ("1", "s")),
    nonzero="W",
)
# d sum w^-4 - (sum w^-2)^2 = sum (d w^-2 - S)^2 / d >= 0
_SPREAD = "sumsq Size(w)/w**2-Sum(1/w**2)"


_ONE_LAYER = {"w": "real", "lam": "real", "mu": "real"}
_ONE_STEP = (("v", "w - 2*lam*((w - 1) + mu*w)"),)


def _one_layer(rng: Random, depth: int, level: int) -> dict[str, Any]:
    lam, mu = falsify.rational(rng, 0, 1, level), falsify.rational(rng, 0, 3, level)
    return {"w": falsify.rational(rng, 0, 1, level), "lam": lam, "mu": mu}


CLAIMS = (
    Claim(
        id="ginsburg.wd-band",
        title="The weight decay band",
        statement=(
            r"\text{The loss decreases when } k = (W - 1)\Big(W - \big(1 - \mu\tfrac{d}{W(\sum "
            r"1/w_i^2)}\big)\Big) > 0, "
            r"\text{ outside the weight decay band } 1 - \mu\tfrac{d}{W(\sum 1/w_i^2)} \le W \le 1"
        ),
        source=source("section 4.1"),
        kind="printed",
        reading=(
            "lambda, mu > 0. Part 1: dL/dt = -4 lambda W^2 S k. Parts 2 and 3: k > 0 above and below the band (for W < "
            "0 the band is empty and k > 0 too). Part 4: inside it k <= 0."
        ),
        parts=(
            Part(GIVEN, ("Sum(D(L, w)*f) == -4*lam*S*W**2*k",), BAND, tactics=(identity(),)),
            Part(
                GIVEN,
                ("k > 0",),
                BAND,
                (*POSITIVE, "W > 1"),
                tactics=(
                    by_hand(
                        ("1", "a2.0 * a2.0 * S"),
                        ("1", "a2.0 * a2.0 * a2.0 * S"),
                        ("1", "a2.0 * a1.0 * depth"),
                        multiplier=[("1", "S"), ("1", "S * a2.0")],
                    ),
                ),
                sample=sample(1, 4),
            ),
            Part(
                GIVEN,
                ("k > 0",),
                BAND,
                (*POSITIVE, "W < b"),
                tactics=(have("W < 1", _BELOW_ONE, by_hand(("1", "h * a2.0")), name="h"),),
                sample=sample(-2, 1),
            ),
            Part(
                GIVEN,
                ("k <= 0",),
                BAND,
                (*POSITIVE, "b <= W <= 1"),
                tactics=(by_hand(("1", "a2.0 * a2.1")),),
                sample=_INSIDE,
            ),
        ),
        mutants=(
            Mutant("the whole left half is outside", part=2, replace=(("W < b", "W < 1"),), sample=_INSIDE),
            Mutant(
                "the band ends above 1",
                part=3,
                replace=(("b <= W <= 1", "b <= W <= 2"),),
                sample=sample(0, 3),
            ),
            Mutant("half the decay", part=0, replace=(("1 - mu*d", "1 - mu*d/2"),)),
        ),
        search_depths=(1, 2, 3),
    ),
    Claim(
        id="ginsburg.wd-band-stays",
        title="The flow stays inside the weight decay band",
        statement=(
            r"\text{During the second phase } \ldots \text{ the trajectory stays inside the WD-band: } "
            r"1 - \mu\tfrac{d}{W(\sum 1/w_i^2)} \le W \le 1"
        ),
        source=source("section 4.1; Fig. 2b"),
        kind="printed",
        reading=(
            "For the flow of eq. 9, with which the section works, lambda, mu > 0: once b <= W <= 1 it remains so. The "
            "discrete reading is a claim of its own, and so is what the loss does inside (the sentence goes on that it "
            "can oscillate); that it goes toward a flat minima area needs an equilibrium there: ginsburg.wd-equilibria."
        ),
        argument=(
            "y = W S (W - b) is nonnegative exactly in the band (for W > 0). Part 1: dW/dt = -2 lambda W y, so W > 0 "
            "persists, W does not grow while y >= 0, and at W = 1 it falls. Part 2: dy/dt >= A y with A continuous "
            "along the trajectory as long as 0 < W <= 1, so by Gronwall's inequality y >= 0 persists."
        ),
        parts=(
            Part(
                GIVEN,
                ("y == W*S*(W - b)", "Sum(D(W, w)*f) == -2*lam*W*y"),
                _Y,
                tactics=(identity(), identity()),
            ),
            Part(
                GIVEN,
                ("Sum(D(y, w)*f) >= A*y",),
                (*_Y, ("A", "-2*lam*(2*W - 1)*W*S + 4*lam*W*(W - 1)*Sum(1/w**4)/S")),
                (*POSITIVE, "0 < W <= 1"),
                tactics=(by_hand(("4", f"a0.0 * a1.0 * a2.0 * a2.1 * {_SPREAD}"), multiplier=[("1", "S * depth")]),),
                sample=_INSIDE,
            ),
        ),
        mutants=(
            Mutant("the other way", part=1, replace=((">= A*y", "<= A*y"),)),
            Mutant(
                "above the minimum as well",
                part=1,
                replace=(("0 < W <= 1", "0 < W <= 4"),),
                sample=sample(1, 4),
            ),
            Mutant("W grows", part=0, replace=(("-2*lam*W*y", "2*lam*W*y"),)),
        ),
        search_depths=(1, 2, 3),
    ),
    Claim(
        id="ginsburg.wd-band-stays.discrete",
        title="A discrete trajectory stays inside the weight decay band",
        statement=(
            r"\text{During the second phase, the loss } L \text{ can oscillate, but the trajectory stays inside the "
            r"WD-band} \quad (\text{gradient descent with weight decay at a fixed rate})"
        ),
        source=source("section 4.1; Fig. 2b"),
        kind="printed",
        amended_by="ginsburg.wd-band-stays.discrete.amended",
        reading=(
            "The same sentence read for gradient descent with weight decay: from every point of the band one step at a "
            "fixed lambda > 0 leads into the band (of the new weights)."
        ),
        parts=(
            Part(
                GIVEN,
                ("1 - mu*d/(Prod(v)*Sum(1/v**2)) <= Prod(v) <= 1",),
                (*BAND, ("v", step(GD, "mu"))),
                (*POSITIVE, "b <= W <= 1"),
                sample=_INSIDE,
            ),
        ),
        mutants=(
            Mutant("it always leaves", replace=(("<= Prod(v) <= 1", "> Prod(v)"),)),
            Mutant("it always goes above", replace=(("<= Prod(v) <= 1", "> Prod(v) > 1"),)),
        ),
        search_depths=(1, 2, 3),
    ),
    Claim(
        id="ginsburg.wd-band-stays.discrete.amended",
        title="When one layer stays inside the weight decay band",
        statement=(
            r"d = 1,\ \lambda, \mu > 0: \text{ a step from the band } 1 - \mu w \le w \le 1 \text{ leads into the "
            r"band } \iff 2\lambda(1 + \mu) \le 1 \quad (w \ne \tfrac{1}{1 + \mu})"
        ),
        source=source("section 4.1; Fig. 2b"),
        kind="amended",
        depths=(1,),
        amends="ginsburg.wd-band-stays.discrete",
        reading=(
            "Part 1: stays. Part 2: with 2 lambda (1 + mu) > 1 every other point of the band is thrown out below. So "
            "no fixed lambda serves every mu."
        ),
        parts=(
            Part(
                _ONE_LAYER,
                ("1 - mu*v <= v", "v <= 1"),
                _ONE_STEP,
                (*POSITIVE, "2*lam*(1 + mu) <= 1", "1 - mu*w <= w", "w <= 1"),
                tactics=(by_hand(("1", "a2.0 * a3.0")), by_hand(("1", "a4.0"), ("2", "a0.0 * a3.0"))),
                sample=_one_layer,
            ),
            Part(
                _ONE_LAYER,
                ("v < 1 - mu*v",),
                _ONE_STEP,
                (*POSITIVE, "2*lam*(1 + mu) > 1", "1 - mu*w < w"),
                tactics=(by_hand(("1", "a2.0 * a3.0")),),
                sample=_one_layer,
            ),
        ),
        mutants=(
            Mutant("any rate", drop=2),
            Mutant("twice the rate", replace=(("2*lam*(1 + mu) <= 1", "lam*(1 + mu) <= 1"),)),
            Mutant("leaves at any rate", part=1, drop=2),
        ),
    ),
    Claim(
        id="ginsburg.wd-loss-in-band",
        title="Inside the weight decay band the flow's loss does not oscillate",
        statement=(
            r"\lambda, \mu > 0,\ 1 - \mu\tfrac{d}{W(\sum 1/w_i^2)} \le W \le 1,\ W > 0: \quad "
            r"\frac{dL}{dt} \ge 0, \quad \frac{dW}{dt} \le 0"
        ),
        source=source("section 4.1, the loss L can oscillate"),
        kind="sharp",
        reading="The loss falls outside the band, rises monotonically inside it, and the flow never leaves it again.",
        parts=(
            Part(
                GIVEN,
                ("Sum(D(L, w)*f) >= 0", "Sum(D(W, w)*f) <= 0"),
                BAND,
                (*POSITIVE, "b <= W <= 1", "W > 0"),
                tactics=(
                    by_hand(("4", "a0.0 * a3.0 * a3.0 * S * a2.0 * a2.1")),
                    by_hand(("2", "a0.0 * a3.0 * a3.0 * S * a2.0")),
                ),
                sample=_INSIDE,
            ),
        ),
        mutants=(
            Mutant("below the band as well", drop=2),
            Mutant("the loss falls", replace=(("Sum(D(L, w)*f) >= 0", "Sum(D(L, w)*f) <= 0"),)),
        ),
        search_depths=(1, 2, 3),
    ),
)

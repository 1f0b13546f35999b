"""Section 4.1: the first phase of training with weight decay, and starts from which it never ends."""

from __future__ import annotations

import math
from fractions import Fraction
from random import Random
from typing import Any

from linreg_dyn.certify.find import identity
from linreg_dyn.claims import falsify
from linreg_dyn.claims.core import Claim, Mutant, Part
from linreg_dyn.claims.ginsburg._net import by_hand, source
from linreg_dyn.claims.ginsburg.decay import GIVEN
from linreg_dyn.claims.ginsburg.decay_band import BAND, POSITIVE, sample

_CONE = "mu*(d - 2)*w**2 >= 2*W*(W - 1)"
# -W = n > 0: W (W - 1) = n (1 + n)
_N = ("a2.0", "a2.0 * a2.0")


def _in_the_cone(rng: Random, depth: int, level: int) -> dict[str, Any]:
    """W < 0 and as much decay as the cone needs, or more."""
    w = falsify.weights(rng, depth, level, -abs(falsify.signed(rng, level)))
    W = math.prod(w)
    least = 2 * W * (W - 1) / (min(x**2 for x in w) * max(depth - 2, 1))
    more = rng.choice((Fraction(0), falsify.rational(rng, 0, 1, level)))
    return {"w": w, "lam": abs(falsify.signed(rng, level)), "mu": least * (1 + more)}


def _an_eighth(rng: Random, depth: int, level: int) -> dict[str, Any]:
    given = _in_the_cone(rng, depth, level)
    return {**given, "mu": given["mu"] / 8}


CLAIMS = (
    Claim(
        id="ginsburg.wd-optimization",
        title="The first phase of the flow with weight decay",
        statement=(
            r"\text{During the first phase, the loss decreases until the trajectory gets into the WD-band}: \quad "
            r"W > 1 \Rightarrow \frac{d}{dt}\log W \le -2\lambda\mu d, \quad "
            r"0 < W < 1 - \mu\tfrac{d}{W(\sum 1/w_i^2)} \Rightarrow \frac{dW}{dt} > 0"
        ),
        source=source("section 4.1"),
        kind="printed",
        reading=(
            "For the flow from W > 0, lambda, mu > 0; that the loss decreases outside of the band is ginsburg.wd-band. "
            "From above the band is reached by t = log(W(0))/(2 lambda mu d), from below in a finite time or in the "
            "limit. From W < 0 it need not be: ginsburg.wd-never-enters. Nor need there be flat minima to go to "
            "afterwards: ginsburg.wd-equilibria."
        ),
        argument=(
            "Part 1 bounds log W from above. Part 2: below the band W rises, and stays below 1. The flow is that of "
            "the gradient of L + mu sum w_i^2, which bounds the weights, so without entering it converges to an "
            "equilibrium with W > 0, and these have W S (W - 1) + mu d = 0: they are at the lower end of the band."
        ),
        parts=(
            Part(
                GIVEN,
                ("Sum(D(W, w)*f) <= -2*lam*mu*d*W",),
                BAND,
                (*POSITIVE, "W > 1"),
                tactics=(by_hand(("2", "a0.0 * a2.0 * S * sq W")),),
                sample=sample(1, 4),
            ),
            Part(
                GIVEN,
                ("Sum(D(W, w)*f) == -2*lam*W**2*S*(W - b)", "Sum(D(W, w)*f) > 0"),
                BAND,
                (*POSITIVE, "W > 0", "W < b"),
                tactics=(identity(), by_hand(("2", "a0.0 * a2.0 * a2.0 * S * a3.0"))),
                sample=sample(0, 1),
            ),
        ),
        mutants=(
            Mutant("below W = 1 too", replace=(("W > 1", "W > 0"),), sample=sample(0, 1)),
            Mutant("twice as fast", replace=(("-2*lam*mu", "-4*lam*mu"),)),
            Mutant("inside of the band", part=1, drop=3, sample=sample(0, 1)),
            Mutant("below W = 0", part=1, replace=(("W > 0", "W < 0"), ("f) > 0", "f) < 0")), sample=sample(-2, 0)),
        ),
        search_depths=(1, 2, 3),
    ),
    Claim(
        id="ginsburg.wd-never-enters",
        title="Starts from which the flow never gets into the weight decay band",
        statement=(
            r"d \ge 3,\ \lambda, \mu > 0,\ W < 0,\ \mu (d - 2) w_i^2 \ge 2 |W| (1 + |W|) \text{ for every layer}: "
            r"\quad W < 0 \text{ for all times, outside the WD-band}, \quad W \to 0,\ L \to 1"
        ),
        source=source("section 4.1, the first phase"),
        kind="sharp",
        reading=(
            "An open set of starts (any net small enough, with weights of about the same size and W < 0): the loss "
            "decreases for ever without reaching the band, which is empty where W < 0."
        ),
        argument=(
            "W rises, at a rate of at least -2 lambda mu d W, while no w_i^2/|W| falls, so that the assumption is kept "
            "as |W| falls. W tends to 0 therefore, as exp(-2 lambda mu d t) or faster, but is not 0 at any time: log "
            "|W| falls at the rate 2 lambda (|W| (1 + |W|) sum 1/w_i^2 + mu d), bounded because every |W|/w_i^2 is. "
            "Where W < 0 the band's lower end is above W."
        ),
        parts=(
            Part(
                GIVEN,
                (
                    "Sum(D(W, w)*f) >= -2*lam*mu*d*W",
                    "-2*w[i]*f[i]*W + w[i]**2*Sum(D(W, w)*f) >= 0",
                    "W < b",
                ),
                BAND,
                (*POSITIVE, "W < 0", _CONE),
                tactics=(
                    by_hand(*(("2", f"a0.0 * a2.0 * S * {n}") for n in _N)),
                    by_hand(("2", "a0.0 * a2.0 * a3.0[i]"), *(("2", f"a0.0 * a2.0 * S * sq w[i] * {n}") for n in _N)),
                    by_hand(*(("1", f"S * {n}") for n in _N), ("1", "a1.0 * depth"), multiplier=[("1", "a2.0 * S")]),
                ),
                sample=_in_the_cone,
            ),
        ),
        mutants=(
            Mutant(
                "an eighth of the decay",
                replace=((_CONE, _CONE.replace("mu*(d - 2)", "8*mu*(d - 2)")),),
                sample=_an_eighth,
            ),
            Mutant("above W = 0", replace=(("W < 0", "W > 0"),), sample=sample(0, 1)),
            Mutant("beyond the cone", drop=3, sample=sample(-2, 0)),
        ),
        search_depths=(3, 4, 5),
    ),
)

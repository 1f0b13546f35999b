"""Section 5: the flow and the step with SGD noise."""

from __future__ import annotations

from fractions import Fraction
from random import Random
from typing import Any

from linreg_dyn.certify.find import identity
from linreg_dyn.claims import falsify
from linreg_dyn.claims.core import Claim, Mutant, Part
from linreg_dyn.claims.ginsburg._net import LOSS, NET, SGD, by_hand, source, split, step, velocity

_FLOW = {"w": "layers", "lam": "real", "eta": "real"}
_LOSS_FLOW = (*LOSS, ("f", velocity(SGD)))
_BAND = "(W - 1)*(W - 1 + eta)"


def _about_the_band(rng: Random, depth: int, level: int) -> dict[str, Any]:
    """W and the noise anywhere, or at an end of the band: W = 1 or W = 1 - eta."""
    W = rng.choice((Fraction(1), falsify.rational(rng, 0, 2, level)))
    eta = rng.choice((1 - W, falsify.rational(rng, -1, 1, level)))
    return {"w": falsify.weights(rng, depth, level, W), "lam": falsify.rational(rng, 0, 1, level), "eta": eta}


# dL/dt = -4 lam W^2 S (W - 1)(W - 1 + eta), where W, which is not zero, is s or -s
_FALLS = split("W", *[by_hand(("4", "a0.0 * S * a1.0 * s * s"))] * 2, nonzero="W")

CLAIMS = (
    Claim(
        id="ginsburg.sgd-flow-loss",
        title="The loss along the flow with SGD noise",
        statement=r"\frac{dL}{dt} = -4\lambda W^2 \Big(\sum \tfrac{1}{w_i^2}\Big) (W - 1)(W - 1 + \eta)",
        source=source("section 5"),
        kind="printed",
        parts=(
            Part(
                _FLOW,
                ("Sum(D(L, w)*f) == -4*lam*W**2*S*(W - 1)*(W - 1 + eta)",),
                _LOSS_FLOW,
                tactics=(identity(),),
            ),
        ),
        mutants=(
            Mutant("the noise subtracted", replace=(("W - 1 + eta)", "W - 1 - eta)"),)),
            Mutant("half the rate", replace=(("-4*lam", "-2*lam"),)),
        ),
        search_depths=(1, 2, 3),
    ),
    Claim(
        id="ginsburg.sgd-noise-band",
        title="The SGD noise band, as printed",
        statement=(
            r"\text{For continuous SGD, the loss decreases anywhere except in the SGD noise band: } "
            r"(W - 1)(W - 1 + \eta) < 0"
        ),
        source=source("section 5"),
        kind="printed",
        amended_by="ginsburg.sgd-noise-band.amended",
        reading="Word for word, lambda > 0. Where the product is 0 the loss stands still: the ends belong to the band.",
        parts=(Part(_FLOW, ("Sum(D(L, w)*f) < 0",), _LOSS_FLOW, ("lam > 0", f"{_BAND} >= 0"), sample=_about_the_band),),
        mutants=(
            Mutant("it increases there", replace=(("f) < 0", "f) > 0"),)),
            Mutant("inside of the band", replace=((f"{_BAND} >= 0", f"{_BAND} < 0"),)),
        ),
        search_depths=(1, 2, 3),
    ),
    Claim(
        id="ginsburg.sgd-noise-band.amended",
        title="The SGD noise band",
        statement=(
            r"\lambda > 0: \quad \frac{dL}{dt} < 0 \text{ outside of the SGD noise band } "
            r"(W - 1)(W - 1 + \eta) \le 0, \text{ and } \frac{dL}{dt} \ge 0 \text{ inside it}"
        ),
        source=source("section 5"),
        kind="amended",
        amends="ginsburg.sgd-noise-band",
        parts=(
            Part(
                _FLOW,
                ("Sum(D(L, w)*f) < 0",),
                _LOSS_FLOW,
                ("lam > 0", f"{_BAND} > 0"),
                tactics=(_FALLS,),
                sample=_about_the_band,
            ),
            Part(
                _FLOW,
                ("Sum(D(L, w)*f) >= 0",),
                _LOSS_FLOW,
                ("lam > 0", f"{_BAND} <= 0"),
                tactics=(by_hand(("4", "a0.0 * S * a1.0 * sq W")),),
                sample=_about_the_band,
            ),
        ),
        mutants=(
            Mutant("as printed", replace=((f"{_BAND} > 0", f"{_BAND} >= 0"),)),
            Mutant(
                "at any rate",
                part=1,
                drop=0,
                sample=lambda rng, depth, level: {**_about_the_band(rng, depth, level), "lam": Fraction(-1)},
            ),
            Mutant("it decreases inside", part=1, replace=(("f) >= 0", "f) <= 0"),)),
        ),
        search_depths=(1, 2, 3),
    ),
    Claim(
        id="ginsburg.sgd-flow-imbalance",
        title="The flow with SGD noise conserves the imbalance",
        statement=(
            r"\text{The layer imbalance remains constant for continuous SGD: } w_i^2(t) - w_j^2(t) = "
            r"\text{const}"
        ),
        source=source("section 5"),
        kind="printed",
        parts=(Part(_FLOW, ("2*w[i]*f[i] - 2*w[j]*f[j] == 0",), _LOSS_FLOW, tactics=(identity(),)),),
        mutants=(
            Mutant("the sum is conserved", replace=(("- 2*w[j]", "+ 2*w[j]"),)),
            Mutant("w_i - w_j is conserved", replace=(("2*w[i]*f[i] - 2*w[j]*f[j]", "f[i] - f[j]"),)),
        ),
        search_depths=(2, 3),
    ),
    Claim(
        id="ginsburg.sgd-imbalance-step",
        title="The imbalance after a step with SGD noise",
        statement=(
            r"w_i^2(t+1) - w_j^2(t+1) = (w_i^2 - w_j^2)\big(1 - 4\lambda^2(W - 1 + \eta)^2 W^2/(w_i w_j)^2\big), \quad "
            r"w_i(t+1) = w_i - 2\lambda(W - 1 + \eta) W/w_i"
        ),
        source=source("eq. 12 and the proof of Theorem 5.1"),
        kind="printed",
        parts=(
            Part(
                _FLOW,
                (
                    "v == w - 2*lam*(W - 1 + eta)*W/w",
                    "v[i]**2 - v[j]**2 == (w[i]**2 - w[j]**2)*(1 - 4*lam**2*(W - 1 + eta)**2*W**2/(w[i]*w[j])**2)",
                ),
                (*NET, ("v", step(SGD))),
                tactics=(identity(), identity()),
            ),
        ),
        mutants=(
            Mutant("the sign in the factor", replace=(("(1 - 4*lam", "(1 + 4*lam"),)),
            Mutant("without W", replace=(("*W**2/", "/"),)),
        ),
        search_depths=(2, 3),
    ),
)

"""Section 4.2: the loss along the flow with noise augmentation, x -> x (1 + eta), and the noise band."""

from __future__ import annotations

from fractions import Fraction
from random import Random
from typing import Any

from linreg_dyn.certify.find import identity
from linreg_dyn.claims import falsify
from linreg_dyn.claims.core import Claim, Mutant, Part
from linreg_dyn.claims.ginsburg._net import LOSS, NOISE, by_hand, source, split, steps, velocity

_FLOW = {"w": "layers", "lam": "real", "eta": "real"}
_F = (*LOSS, ("f", velocity(NOISE)))


def _small_noise(rng: Random, depth: int, level: int) -> dict[str, Any]:
    return {
        "W": falsify.signed(rng, level),
        "eta": falsify.rational(rng, Fraction(-1, 2), Fraction(1, 2), level),
    }


def _outside(rng: Random, depth: int, level: int) -> dict[str, Any]:
    """delta, eta with |eta| <= delta, and W at or beyond an end of the printed band."""
    d = falsify.rational(rng, 0, Fraction(1, 2), level)
    end = rng.choice((1 / (1 + d), 1 / (1 - d)))
    away = rng.choice((Fraction(0), falsify.rational(rng, 0, 1, level)))
    eta = rng.choice((d, -d, d * falsify.rational(rng, -1, 1, level)))
    return {"delta": d, "eta": eta, "W": end + (away if end > 1 else -away)}


# Outside the band: 1 - W and 1 - W (1 + eta) have the same sign
_WEIGHT = [("1", ""), ("1", "a0.0")]  # 1 + delta
_ONE_PLUS_ETA = by_hand(("1", "a2.0-"), ("1", "a1.0"), ("1/2", ""))
_BOTH_SIGNS = by_hand(("1", "h * g"), multiplier=[("1", "e1")])
_OUTSIDE_BELOW = steps(
    ("e1", "1 + eta > 0", _ONE_PLUS_ETA),
    ("h", "1 - W > 0", by_hand(("1", "a3.0"), ("1", "a3.0 * a0.0"), ("1", "a0.0"), multiplier=_WEIGHT)),
    (
        "g",
        "1 - W*(1 + eta) > 0",
        split(
            "W",
            ge=by_hand(("1", "a3.0"), ("1", "a3.0 * a0.0"), ("1", "s * a2.0+")),
            le=by_hand(("1", ""), ("1", "s * e1")),
        ),
    ),
    then=_BOTH_SIGNS,
)
# W > 1/(1 - delta): (1 - delta) (W - 1) = (1 - delta) (W - 1/(1 - delta)) + delta, with 1 - delta = a1.0 + 1/2
_ONE_MINUS_DELTA = [("1", "a1.0"), ("1/2", "")]
_OUTSIDE_ABOVE = steps(
    ("e1", "1 + eta > 0", _ONE_PLUS_ETA),
    ("h", "W - 1 > 0", by_hand(("1", "a3.0 * a1.0"), ("1/2", "a3.0"), ("1", "a0.0"), multiplier=_ONE_MINUS_DELTA)),
    (
        "g",
        "W*(1 + eta) - 1 > 0",
        by_hand(("1", "a3.0 * a1.0"), ("1/2", "a3.0"), ("1", "a2.0-"), ("1", "a2.0- * h")),
    ),
    then=_BOTH_SIGNS,
)

CLAIMS = (
    Claim(
        id="ginsburg.noise-flow-loss",
        title="The loss along the flow with noise augmentation",
        statement=(
            r"\frac{dL}{dt} = -4\lambda(1+\eta) W^2 \Big(\sum \tfrac{1}{w_i^2}\Big) (W - 1)(W(1 + \eta) - 1) "
            r"= -4\lambda(1+\eta)^2 W^2 \Big(\sum \tfrac{1}{w_i^2}\Big) \Big((W - 1)\big(W - "
            r"\tfrac{1}{1+\eta}\big)\Big)"
        ),
        source=source("section 4.2, after eq. 10"),
        kind="printed",
        reading="For each value of the noise; dw_i/dt = -lambda dL^/dw_i with L^ = (W (1 + eta) - 1)^2.",
        parts=(
            Part(
                _FLOW,
                (
                    "Sum(D(L, w)*f) == -4*lam*(1 + eta)*W**2*S*(W - 1)*(W*(1 + eta) - 1) "
                    "== -4*lam*(1 + eta)**2*W**2*S*((W - 1)*(W - 1/(1 + eta)))",
                    "f == -lam*D((W*(1 + eta) - 1)**2, w)",
                ),
                _F,
                tactics=(identity(), identity(), identity()),
            ),
        ),
        mutants=(
            Mutant("without the noise in the factor", replace=(("-4*lam*(1 + eta)*W", "-4*lam*W"),)),
            Mutant("one power of 1 + eta", replace=(("(1 + eta)**2*W**2*S", "(1 + eta)*W**2*S"),)),
        ),
        search_depths=(1, 2, 3),
    ),
    Claim(
        id="ginsburg.noise-band-factor",
        title="The factor of the noise band, as printed",
        statement=r"k = (W - 1)\big(W - \tfrac{1}{1 + \eta}\big) = (W - 1)\big(W - 1 - \tfrac{\eta}{1 + \eta}\big)",
        source=source("section 4.2, before the noise band"),
        kind="printed",
        amended_by="ginsburg.noise-band-factor.amended",
        parts=(
            Part(
                {"W": "real", "eta": "real"},
                ("(W - 1)*(W - 1/(1 + eta)) == (W - 1)*(W - 1 - eta/(1 + eta))",),
                assume=("abs(eta) < 1/2",),
                sample=_small_noise,
            ),
        ),
        mutants=(
            Mutant("without the denominator", replace=(("- eta/(1 + eta)", "- eta"),)),
            Mutant("twice", replace=(("- eta/(1 + eta)", "+ 2*eta/(1 + eta)"),)),
        ),
    ),
    Claim(
        id="ginsburg.noise-band-factor.amended",
        title="The factor of the noise band",
        statement=r"k = (W - 1)\big(W - \tfrac{1}{1 + \eta}\big) = (W - 1)\big(W - 1 + \tfrac{\eta}{1 + \eta}\big)",
        source=source("section 4.2, before the noise band"),
        kind="amended",
        amends="ginsburg.noise-band-factor",
        reading="1/(1 + eta) = 1 - eta/(1 + eta): the sign is a plus. The proof of Theorem 4.1 has it right.",
        parts=(
            Part(
                {"W": "real", "eta": "real"},
                ("(W - 1)*(W - 1/(1 + eta)) == (W - 1)*(W - 1 + eta/(1 + eta))",),
                assume=("abs(eta) < 1/2",),
                tactics=(identity(),),
                sample=_small_noise,
            ),
        ),
        mutants=(
            Mutant("as printed", replace=(("+ eta/", "- eta/"),)),
            Mutant("first order only", replace=(("eta/(1 + eta))", "eta)"),)),
        ),
    ),
    Claim(
        id="ginsburg.noise-band",
        title="The noise band, as printed",
        statement=(
            r"|\eta| \le \delta < \tfrac12: \text{ the loss decreases while } k > 0, \text{ outside of the "
            r"noise band } "
            r"1 - \tfrac{\delta}{1 + \delta} < W < 1 + \tfrac{\delta}{1 - \delta}"
        ),
        source=source("section 4.2"),
        kind="printed",
        amended_by="ginsburg.noise-band.amended",
        reading=(
            "Word for word: |eta| <= delta, and outside of the open interval k = (W - 1)(W - 1/(1 + eta)) > 0. The "
            "interval is right, but its ends belong to the band: there k = 0 for eta = delta or eta = -delta, and the "
            "loss stands still."
        ),
        parts=(
            Part(
                {"W": "real", "eta": "real", "delta": "real"},
                ("k > 0",),
                (("k", "(W - 1)*(W - 1/(1 + eta))"),),
                ("0 < delta", "delta < 1/2", "abs(eta) <= delta", "W <= 1 - delta/(1 + delta)"),
                sample=_outside,
            ),
            Part(
                {"W": "real", "eta": "real", "delta": "real"},
                ("k > 0",),
                (("k", "(W - 1)*(W - 1/(1 + eta))"),),
                ("0 < delta", "delta < 1/2", "abs(eta) <= delta", "W >= 1 + delta/(1 - delta)"),
                sample=_outside,
            ),
        ),
        mutants=(
            Mutant("half as wide", replace=(("delta/(1 + delta)", "delta/(2 + delta)"),)),
            Mutant("k < 0 outside", replace=(("k > 0", "k < 0"),)),
        ),
    ),
    Claim(
        id="ginsburg.noise-band.amended",
        title="The noise band",
        statement=(
            r"|\eta| \le \delta < \tfrac12: \ k > 0 \text{ outside of the noise band } "
            r"1 - \tfrac{\delta}{1 + \delta} \le W \le 1 + \tfrac{\delta}{1 - \delta}, \text{ and inside it } "
            r"(W \ne 1) \text{ some } |\eta| \le \delta \text{ has } k \le 0"
        ),
        source=source("section 4.2"),
        kind="amended",
        amends="ginsburg.noise-band",
        reading=(
            "Parts 1 and 2: below and above the closed band. Parts 3 and 4: inside, eta = delta or -delta has k <= 0."
        ),
        parts=(
            Part(
                {"W": "real", "eta": "real", "delta": "real"},
                ("k > 0",),
                (("k", "(W - 1)*(W - 1/(1 + eta))"),),
                ("0 < delta", "delta < 1/2", "abs(eta) <= delta", "W < 1 - delta/(1 + delta)"),
                tactics=(_OUTSIDE_BELOW,),
                sample=_outside,
            ),
            Part(
                {"W": "real", "eta": "real", "delta": "real"},
                ("k > 0",),
                (("k", "(W - 1)*(W - 1/(1 + eta))"),),
                ("0 < delta", "delta < 1/2", "abs(eta) <= delta", "W > 1 + delta/(1 - delta)"),
                tactics=(_OUTSIDE_ABOVE,),
                sample=_outside,
            ),
            Part(
                {"W": "real", "delta": "real"},
                ("(W - 1)*(W - 1/(1 + delta)) <= 0",),
                (),
                ("0 < delta", "delta < 1/2", "1 - delta/(1 + delta) <= W", "W <= 1"),
                tactics=(by_hand(("1", "a2.0 * a3.0")),),
                sample=lambda rng, depth, level: {
                    "W": falsify.rational(rng, 0, 1, level),
                    "delta": falsify.rational(rng, 0, Fraction(1, 2), level),
                },
            ),
            Part(
                {"W": "real", "delta": "real"},
                ("(W - 1)*(W - 1/(1 - delta)) <= 0",),
                (),
                ("0 < delta", "delta < 1/2", "1 <= W", "W <= 1 + delta/(1 - delta)"),
                tactics=(by_hand(("1", "a2.0 * a3.0")),),
                sample=lambda rng, depth, level: {
                    "W": falsify.rational(rng, 1, 2, level),
                    "delta": falsify.rational(rng, 0, Fraction(1, 2), level),
                },
            ),
        ),
        mutants=(
            Mutant("half as wide", replace=(("delta/(1 + delta)", "delta/(2 + delta)"),)),
            Mutant("the open band", replace=(("W < 1", "W <= 1"),)),
            Mutant(
                "any noise",
                part=1,
                drop=2,
                sample=lambda rng, depth, level: {**_outside(rng, depth, level), "eta": Fraction(-3, 4)},
            ),
        ),
    ),
)

"""Footnote 2: the loss after a step at depth 2, and that it can increase at any fixed rate."""

from __future__ import annotations

from linreg_dyn.certify.find import Axis, identity
from linreg_dyn.claims import falsify
from linreg_dyn.claims.core import Claim, Mutant, Part
from linreg_dyn.claims.ginsburg._net import (
    GD,
    NET,
    positive,
    source,
    step,
)
from linreg_dyn.claims.ginsburg.rates import LOSS_K

CLAIMS = (
    Claim(
        id="ginsburg.gd-loss-d2",
        title="The loss after one step at depth 2, as printed",
        statement=(r"L(t+1) = (w_1 w_2 - 1)^2 \big(1 - 2\lambda(w_1^2 + w_2^2) + 4\lambda^2 (w_1 w_2 - 1)\big)^2"),
        source=source("footnote 2"),
        kind="printed",
        depths=(2,),
        amended_by="ginsburg.gd-loss-d2.amended",
        parts=(
            Part(
                {"w": "layers:2", "lam": "real"},
                ("(Prod(v) - 1)**2 == (W - 1)**2*(1 - 2*lam*(w[0]**2 + w[1]**2) + 4*lam**2*(W - 1))**2",),
                (*NET, ("v", step(GD))),
            ),
        ),
        mutants=(
            Mutant("the other sign", replace=(("+ 4*lam**2", "- 4*lam**2"),)),
            Mutant("without the second order", replace=((" + 4*lam**2*(W - 1)", ""),)),
        ),
    ),
    Claim(
        id="ginsburg.gd-loss-d2.amended",
        title="The loss after one step at depth 2",
        statement=(
            r"L(t+1) = (w_1 w_2 - 1)^2 "
            r"\big(1 - 2\lambda(w_1^2 + w_2^2) + 4\lambda^2 (w_1 w_2 - 1)\, w_1 w_2\big)^2"
        ),
        source=source("footnote 2"),
        kind="amended",
        depths=(2,),
        amends="ginsburg.gd-loss-d2",
        reading="The last term lacks the factor w_1 w_2 in print.",
        parts=(
            Part(
                {"w": "layers:2", "lam": "real"},
                ("(Prod(v) - 1)**2 == (W - 1)**2*(1 - 2*lam*(w[0]**2 + w[1]**2) + 4*lam**2*(W - 1)*W)**2",),
                (*NET, ("v", step(GD))),
                tactics=(identity(),),
            ),
        ),
        mutants=(
            Mutant("as printed", replace=(("(W - 1)*W)", "(W - 1))"),)),
            Mutant("half the first order", replace=(("- 2*lam", "- lam"),)),
        ),
    ),
    Claim(
        id="ginsburg.gd-loss-can-increase",
        title="At any fixed rate the loss can increase",
        statement=(
            r"\text{For any fixed } \lambda \text{ there are } (w_1, w_2) \text{ with } w_1 w_2 \approx 1 "
            r"\text{ and large } w_1^2 + w_2^2 \text{ such that } L(t+1) > L(t)"
        ),
        source=source("footnote 2"),
        kind="printed",
        depths=(2,),
        reading=(
            "For every lambda > 0, every eps > 0 and every M > 0 the weights w_1 = a, w_2 = (1 + eps)/a below have w_1 "
            "w_2 = 1 + eps and k < -M, k = (W(t+1) - 1)/(W - 1): the loss grows by more than M^2. At depth 1 this "
            "would be false: there k = 1 - 2 lambda. Every larger depth: ginsburg.gd-any-rate-fails."
        ),
        parts=(
            Part(
                {"lam": "real", "M": "real", "eps": "real"},
                ("Prod(w) == 1 + eps", "k < -M"),
                (
                    ("a", "1 + (M + 1)/(2*lam) + 2*lam*eps*(1 + eps)"),
                    ("w", "[a, (1 + eps)/a]"),
                    *NET,
                    ("v", step(GD)),
                    LOSS_K,
                ),
                ("lam > 0", "M > 0", "eps > 0"),
                tactics=(
                    identity(),
                    positive(Axis("lam", "a0.0"), Axis("M", "a1.0"), Axis("eps", "a2.0"), times="a**2*lam**3"),
                ),
                sample=lambda rng, depth, level: {n: abs(falsify.signed(rng, level)) for n in ("lam", "M", "eps")},
            ),
        ),
        mutants=(
            Mutant("at depth 1", replace=(("[a, (1 + eps)/a]", "[1 + eps]"),)),
            Mutant("balanced weights", replace=(("1 + (M + 1)/(2*lam) + 2*lam*eps*(1 + eps)", "1"),)),
        ),
    ),
)

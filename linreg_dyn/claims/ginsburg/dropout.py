"""Section 4.2: noise in the data, in the layers' outputs and in the weights; what it adds to the mean loss."""

from __future__ import annotations

from fractions import Fraction
from random import Random
from typing import Any

from linreg_dyn.certify.find import identity, positive
from linreg_dyn.claims import falsify
from linreg_dyn.claims.core import Claim, Mutant, Part
from linreg_dyn.claims.ginsburg._net import NET, NOISE, source


def _noisy(rng: Random, depth: int, level: int) -> dict[str, Any]:
    s = falsify.signed(rng, level)
    return {"W": falsify.signed(rng, level), "eta": rng.choice(([s, -s], [2 * s, -s, -s]))}


CLAIMS = (
    Claim(
        id="ginsburg.continuous-dropout",
        title="Continuous dropout and drop-connect are noise augmentation",
        statement=(
            r"\text{This model also describes continuous dropout, when layer outputs are multiplied with the noise: } "
            r"\tilde h_i = (1 + \eta) \cdot h_i; \text{ for continuous drop-connect } \tilde w_i = (1 + \eta) \cdot "
            r"w_i: \quad \frac{\partial}{\partial w_i} \Big(\prod_l (1 + \eta_l) w_l - 1\Big)^2 = 2 (1 + \eta) "
            r"\big(W (1 + \eta) - 1\big) \frac{W}{w_i}, \quad 1 + \eta = \prod_l (1 + \eta_l)"
        ),
        source=source("section 4.2, after eq. 10"),
        kind="printed",
        reading=(
            "In a linear net all these factors gather into one, N = 1 + eta: the gradient is that of eq. 11 at every "
            "depth (part 1; part 2 writes the factors out at depth 3). eta has mean 0 if the eta_l are independent of "
            "mean 0. But |eta_l| < 1/2 does not give the |eta| < 1/2 of Theorem 4.1, already for two layers (part 3), "
            "which needs (1 + delta)^d < 3/2."
        ),
        parts=(
            Part(
                {"w": "layers", "N": "real"},
                (f"D((N*W - 1)**2, w[i]) == 2*({NOISE})*W/w[i]",),
                (*NET, ("eta", "N - 1")),
                tactics=(identity(),),
            ),
            Part(
                {"w": "layers:3", "e": "vector:3"},
                ("D((Prod((1 + e)*w) - 1)**2, w[0]) == 2*N*(N*W - 1)*W/w[0]",),
                (("W", "Prod(w)"), ("N", "Prod(1 + e)")),
                tactics=(identity(),),
            ),
            Part({}, ("(1 + 1/3)*(1 + 1/3) - 1 > 1/2",), tactics=(positive(),)),
        ),
        mutants=(
            Mutant("without the noise in the factor", part=1, replace=(("2*N*(N*W", "2*(N*W"),)),
            Mutant("noise in the factor only", part=1, replace=(("(N*W - 1)*W", "(W - 1)*W"),)),
            Mutant("ascent", replace=(("== 2*(", "== -2*("),)),
        ),
        search_depths=(1, 2, 3),
    ),
    Claim(
        id="ginsburg.noise-tikhonov",
        title="Noise augmentation adds a Tikhonov term to the mean loss",
        statement=(
            r"\text{For shallow networks, training with noise is equivalent to Tikhonov regularization. We extend this "
            r"result to DLNs}: \quad E \hat L = E\big(W (1 + \eta) - 1\big)^2 = L + \sigma^2 W^2"
        ),
        source=source("section 4.2, first sentences"),
        kind="printed",
        reading=(
            "For every noise of mean 0. What is added is a function of W alone: on average, and in the flow, noise "
            "sees no layer imbalance. That discrete steps decrease it is ginsburg.thm-4.1."
        ),
        parts=(
            Part(
                {"W": "real", "eta": "sample"},
                ("Mean((W*(1 + eta) - 1)**2) == (W - 1)**2 + Mean(eta**2)*W**2",),
                assume=("Mean(eta) == 0",),
                tactics=(identity(a0_0="2*W*(W - 1)"),),
                sample=_noisy,
            ),
        ),
        mutants=(
            Mutant("a penalty of |W|", replace=(("*W**2", "*W"),)),
            Mutant("the noise helps", replace=(("+ Mean", "- Mean"),)),
            Mutant(
                "noise with a mean",
                drop=0,
                sample=lambda rng, depth, level: {"W": falsify.signed(rng, level), "eta": [Fraction(1), Fraction(0)]},
            ),
        ),
    ),
)

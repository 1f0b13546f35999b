"""Section 5: the flow and the step with SGD noise."""

from __future__ import annotations

from linreg_dyn.certify.find import identity
from linreg_dyn.claims.core import Claim, Mutant, Part
from linreg_dyn.claims.ginsburg._net import LOSS, NET, SGD, source, step, velocity

_FLOW = {"w": "layers", "lam": "real", "eta": "real"}

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
                (*LOSS, ("f", velocity(SGD))),
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
        id="ginsburg.sgd-flow-imbalance",
        title="The flow with SGD noise conserves the imbalance",
        statement=(
            r"\text{The layer imbalance remains constant for continuous SGD: } w_i^2(t) - w_j^2(t) = "
            r"\text{const}"
        ),
        source=source("section 5"),
        kind="printed",
        parts=(Part(_FLOW, ("2*w[i]*f[i] - 2*w[j]*f[j] == 0",), (*LOSS, ("f", velocity(SGD))), tactics=(identity(),)),),
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

"""Section 4.2: the imbalance along the flow with noise augmentation, and the step."""

from __future__ import annotations

from linreg_dyn.certify.find import identity
from linreg_dyn.claims.core import Claim, Mutant, Part
from linreg_dyn.claims.ginsburg._net import LOSS, NET, NOISE, source, step, velocity

_FLOW = {"w": "layers", "lam": "real", "eta": "real"}
_F = (*LOSS, ("f", velocity(NOISE)))

CLAIMS = (
    Claim(
        id="ginsburg.noise-flow-imbalance",
        title="The flow with noise conserves the imbalance",
        statement=r"w_i^2(t) - w_j^2(t) = \text{const}: \text{ the layer imbalance remains constant for continuous GD}",
        source=source("section 4.2"),
        kind="printed",
        reading="For every value of the noise the derivative of w_i^2 - w_j^2 vanishes.",
        parts=(Part(_FLOW, ("2*w[i]*f[i] - 2*w[j]*f[j] == 0",), _F, tactics=(identity(),)),),
        mutants=(
            Mutant("the sum is conserved", replace=(("- 2*w[j]", "+ 2*w[j]"),)),
            Mutant("w_i - w_j is conserved", replace=(("2*w[i]*f[i] - 2*w[j]*f[j]", "f[i] - f[j]"),)),
        ),
        search_depths=(2, 3),
    ),
    Claim(
        id="ginsburg.noise-step",
        title="The step with noise augmentation",
        statement=r"w_i(t+1) = w_i - 2\lambda(1 + \eta)(W(1 + \eta) - 1)(W / w_i)",
        source=source("eq. 11"),
        kind="printed",
        reading=(
            "It is one Euler step, of one unit of time, of the printed flow; and a gradient step on (W(1+eta) - 1)^2."
        ),
        parts=(
            Part(
                _FLOW,
                (
                    "w[i] - 2*lam*(1 + eta)*(W*(1 + eta) - 1)*(W/w[i]) == w[i] + f[i]",
                    "v == w - lam*D((W*(1 + eta) - 1)**2, w)",
                    "v == w + f",
                ),
                (*_F, ("v", step(NOISE))),
                tactics=(identity(), identity(), identity()),
            ),
        ),
        mutants=(
            Mutant("noise on the input only", replace=(("- 2*lam*(1 + eta)*", "- 2*lam*"),)),
            Mutant("ascent", replace=(("w[i] - 2*lam", "w[i] + 2*lam"),)),
        ),
        search_depths=(1, 2, 3),
    ),
    Claim(
        id="ginsburg.noise-imbalance-step",
        title="The imbalance after a step with noise",
        statement=(
            r"w_i^2(t+1) - w_j^2(t+1) = (w_i^2 - w_j^2) + 4\lambda^2(1+\eta)^2(W(1+\eta) - 1)^2"
            r"\big(W^2/w_i^2 - W^2/w_j^2\big) \quad = (w_i^2 - w_j^2)\Big(1 - 4\lambda^2(1+\eta)^4"
            r"\big(W - \tfrac{1}{1+\eta}\big)^2 W^2/(w_i w_j)^2\Big)"
        ),
        source=source("proof of Theorem 4.1"),
        kind="printed",
        parts=(
            Part(
                _FLOW,
                (
                    "v[i]**2 - v[j]**2 == (w[i]**2 - w[j]**2) "
                    "+ 4*lam**2*(1 + eta)**2*(W*(1 + eta) - 1)**2*(W**2/w[i]**2 - W**2/w[j]**2) "
                    "== (w[i]**2 - w[j]**2)*(1 - 4*lam**2*(1 + eta)**4*(W - 1/(1 + eta))**2*W**2/(w[i]*w[j])**2)",
                ),
                (*NET, ("v", step(NOISE))),
                tactics=(identity(), identity()),
            ),
        ),
        mutants=(
            Mutant("the sign in the factor", replace=(("(1 - 4*lam**2", "(1 + 4*lam**2"),)),
            Mutant("the power of 1 + eta", replace=(("(1 + eta)**4", "(1 + eta)**2"),)),
        ),
        search_depths=(2, 3),
    ),
)

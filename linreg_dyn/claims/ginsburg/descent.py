"""Section 3: the gradient flow and the gradient descent step."""

from __future__ import annotations

from linreg_dyn.certify.find import identity
from linreg_dyn.claims.core import Claim, Mutant, Part
from linreg_dyn.claims.ginsburg._net import (
    FLOW,
    GD,
    LOSS,
    by_hand,
    source,
    step,
    velocity,
)

CLAIMS = (
    Claim(
        id="ginsburg.flow",
        title="The gradient flow",
        statement=(r"\frac{dw_i}{dt} = -\lambda \frac{\partial L}{\partial w_i} = -2\lambda (W - 1)(W / w_i)"),
        source=source("eq. 7"),
        kind="printed",
        reading=(
            "Time is counted in steps: dw/dt is the step of size lambda, w(t+1) = w(t) - lambda grad L, per unit time."
        ),
        parts=(
            Part(
                FLOW,
                ("-lam*D(L, w[i]) == -2*lam*(W - 1)*(W/w[i])", "f == -lam*D(L, w)", "v - w == f"),
                (*LOSS, ("f", velocity(GD)), ("v", step(GD))),
                tactics=(identity(), identity(), identity()),
            ),
        ),
        mutants=(
            Mutant("ascent", replace=(("== -2*lam", "== 2*lam"),)),
            Mutant("without the factor 2", replace=(("== -2*lam", "== -lam"),)),
        ),
    ),
    Claim(
        id="ginsburg.flow-loss",
        title="The loss along the flow",
        statement=(
            r"\frac{dL}{dt} = \sum \Big(\frac{\partial L}{\partial w_i} \cdot \frac{dw_i}{dt}\Big) "
            r"= -4\lambda (W-1)^2 W^2 \Big(\sum \frac{1}{w_i^2}\Big) "
            r"= -4\lambda W^2 \Big(\sum \frac{1}{w_i^2}\Big) L(t) \le 0"
        ),
        source=source("section 3.1, after eq. 7"),
        kind="printed",
        reading="lambda > 0.",
        parts=(
            Part(
                FLOW,
                (
                    "Sum(D(L, w)*f) == -4*lam*(W - 1)**2*W**2*S == -4*lam*W**2*S*L",
                    "-4*lam*W**2*S*L <= 0",
                ),
                (*LOSS, ("f", velocity(GD))),
                ("lam > 0",),
                tactics=(identity(), identity(), by_hand(("4", "a0.0 * S * sq W*(W-1)"))),
            ),
        ),
        mutants=(
            Mutant("half the rate", replace=(("-4*lam*(W - 1)**2", "-2*lam*(W - 1)**2"),)),
            Mutant("any sign of the rate", drop=0),
            Mutant("without the sum", replace=(("W**2*S ==", "W**2 =="),)),
        ),
    ),
    Claim(
        id="ginsburg.flow-invariant",
        title="The flow conserves wᵢ² − wⱼ²",
        statement=r"w_i^2(t) - w_j^2(t) = \text{const}; \text{ the layer imbalance remains constant during training}",
        source=source("section 3.1; Fig. 2a"),
        kind="printed",
        reading="The derivative along the flow, 2 w_i dw_i/dt - 2 w_j dw_j/dt, vanishes identically.",
        parts=(
            Part(
                FLOW,
                ("2*w[i]*f[i] - 2*w[j]*f[j] == 0",),
                (*LOSS, ("f", velocity(GD))),
                tactics=(identity(),),
            ),
        ),
        mutants=(
            Mutant("the sum is conserved", replace=(("- 2*w[j]", "+ 2*w[j]"),)),
            Mutant("w_i - w_j is conserved", replace=(("2*w[i]*f[i] - 2*w[j]*f[j]", "f[i] - f[j]"),)),
        ),
    ),
    Claim(
        id="ginsburg.gd-step",
        title="The gradient descent step, as printed",
        statement=(r"w_i(t+1) = w_i - 2\lambda \frac{\partial L}{\partial w_i} = w_i - 2\lambda (W - 1)(W / w_i)"),
        source=source("eq. 8"),
        kind="printed",
        amended_by="ginsburg.gd-step.amended",
        reading="The two sides as printed. By eq. 5 the left one is w_i - 4 lambda (W - 1)(W/w_i).",
        parts=(Part(FLOW, ("w[i] - 2*lam*D(L, w[i]) == w[i] - 2*lam*(W - 1)*(W/w[i])",), LOSS),),
        mutants=(
            Mutant("ascent", replace=(("w[i] - 2*lam*(W", "w[i] + 2*lam*(W"),)),
            Mutant("three times", replace=(("w[i] - 2*lam*D", "w[i] - 3*lam*D"),)),
        ),
    ),
    Claim(
        id="ginsburg.gd-step.amended",
        title="The gradient descent step",
        statement=r"w_i(t+1) = w_i - \lambda \frac{\partial L}{\partial w_i} = w_i - 2\lambda (W - 1)(W / w_i)",
        source=source("eq. 8"),
        kind="amended",
        amends="ginsburg.gd-step",
        reading="All theorems of the paper use the right-hand side; so do the rules of this package.",
        parts=(
            Part(
                FLOW,
                ("w[i] - lam*D(L, w[i]) == w[i] - 2*lam*(W - 1)*(W/w[i])", "v == w - lam*D(L, w)"),
                (*LOSS, ("v", step(GD))),
                tactics=(identity(), identity()),
            ),
        ),
        mutants=(
            Mutant("as printed", replace=(("w[i] - lam*D", "w[i] - 2*lam*D"),)),
            Mutant("ascent", replace=(("w - lam*D", "w + lam*D"),)),
        ),
    ),
)

"""Section 3: the gradient flow, the gradient descent step, and Theorems 3.1 and 3.2 as printed."""

from __future__ import annotations

from fractions import Fraction
from random import Random
from typing import Any

from linreg_dyn.certify.find import Axis, Tactic, identity
from linreg_dyn.claims.core import Claim, Mutant, Part
from linreg_dyn.claims.ginsburg._net import (
    FLOW, GD, LAYERS, LOSS, NET, PAIR_AXES, Q0, W_axis, both, by_hand, have, near, positive, product_at_least,
    product_at_most, product_at_most_inverse, source, split, step, velocity,
)  # fmt: skip

HALF = near(Fraction(1, 2), Fraction(3, 2))
QUARTER_RATE = (*NET, ("lam", "1/(4*S)"), ("v", step(GD)))
LOSS_FACTOR = (*QUARTER_RATE, ("k", "(Prod(v) - 1)/(W - 1)"))
IMBALANCE_FACTOR = (*QUARTER_RATE, ("k", "1 - 4*lam**2*(W - 1)**2*W**2/(w[i]*w[j])**2"))
X = "(W - 1)*W/2"  # the x of 1 - x p_i
NEAR_ONE = "abs(W - 1) < 1/2"
W = W_axis("a0.0-", "a0.0+")
Q_LOW, Q_HIGH = Axis(Q0, low="lo0"), Axis(Q0, high="hi0")
BELOW, ABOVE = W_axis("a0.0-", "s"), W_axis("s", "a0.0+")


def _above_one(then: Tactic, *, upper: bool) -> Tactic:
    """Bound the product for W >= 1 (hypothesis s: W - 1 >= 0), from above or from below."""
    if upper:
        return product_at_most(X, positive(ABOVE), positive(ABOVE), then)
    return product_at_least(X, positive(ABOVE), then)


def _below_one(then: Tactic, *, upper: bool) -> Tactic:
    """Bound the product for W <= 1 (hypothesis s: 1 - W >= 0)."""
    if upper:
        return product_at_most_inverse(X, positive(BELOW), positive(BELOW), then)
    return product_at_least(X, positive(BELOW), then)


# k (W - 1) = W Q - 1 - (W - 1); in each case the sign of W - 1 decides which bound on Q matters
_THEOREM_31 = split(
    "W - 1",
    ge=both(
        upper=_above_one(positive(Q_HIGH, ABOVE), upper=True),
        lower=_above_one(positive(Q_LOW, ABOVE), upper=False),
    ),
    le=both(
        upper=_below_one(positive(Q_HIGH, BELOW, times="1 + (W - 1)*W/2"), upper=True),
        lower=_below_one(positive(Q_LOW, BELOW), upper=False),
    ),
)


# a1.0 is W (1 - W) > 0 or W (W - 1) > 0; with W = 1/2 + (W - 1/2) it gives the strict sign of W - 1
_SIGN = by_hand(("1", "a1.0"), multiplier=[("1", "a0.0-"), ("1/2", "")])


def case_below(*, low: bool) -> Tactic:
    """A bound on k for (W - 1) W < 0."""
    if low:
        proof = _below_one(positive(Q_HIGH, BELOW, by="s", times="1 + (W - 1)*W/2"), upper=True)
    else:
        proof = _below_one(positive(Q_LOW, BELOW, by="s"), upper=False)
    return have("1 - W > 0", _SIGN, proof, name="s")


def case_above(*, low: bool) -> Tactic:
    """A bound on k for (W - 1) W > 0."""
    if low:
        proof = _above_one(positive(Q_LOW, ABOVE, by="s"), upper=False)
    else:
        proof = _above_one(positive(Q_HIGH, ABOVE, by="s"), upper=True)
    return have("W - 1 > 0", _SIGN, proof, name="s")


_STAYS_POSITIVE = positive(
    W, *PAIR_AXES, times="S**2", squares=[("9/256", "sq 1/w[i]**2-1/w[j]**2")]
)
_AT_MOST_ONE = by_hand(("1", "sq 2*lam*(W-1)*W/(w[i]*w[j])"))
_FACTORISES = "v[i]**2 - v[j]**2 == k*(w[i]**2 - w[j]**2)"


def _at_one(rng: Random, depth: int, level: int) -> dict[str, Any]:
    return {"w": [Fraction(1)] * depth}



CLAIMS = (
    Claim(
        id="ginsburg.flow",
        title="The gradient flow",
        statement=(
            r"\frac{dw_i}{dt} = -\lambda \frac{\partial L}{\partial w_i} = -2\lambda (W - 1)(W / w_i)"
        ),
        source=source("eq. 7"),
        kind="printed",
        reading="Time is counted in steps: dw/dt is the step of size lambda, w(t+1) = w(t) - lambda grad L, per unit time.",
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
        title="The flow conserves w_i^2 - w_j^2",
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
        statement=(
            r"w_i(t+1) = w_i - 2\lambda \frac{\partial L}{\partial w_i} = w_i - 2\lambda (W - 1)(W / w_i)"
        ),
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
    Claim(
        id="ginsburg.thm-3.1",
        title="Theorem 3.1: the loss converges linearly",
        statement=(
            r"|W - 1| < \tfrac12,\ \lambda(w) = \frac{1}{4\sum(1/w_i^2)} \;\Rightarrow\; "
            r"\text{the loss monotonically converges to } 0 \text{ with a linear rate}"
        ),
        source=source("Theorem 3.1"),
        kind="printed",
        reading=(
            "For every step |W(t+1) - 1| <= 7/8 |W - 1|: the loss falls at least by the factor 49/64, and the "
            "hypothesis |W - 1| < 1/2 holds again, so the bound applies at every step and L <= (49/64)^t L(0)."
        ),
        parts=(
            Part(
                LAYERS,
                ("abs(Prod(v) - 1) <= 7/8*abs(W - 1)",),
                QUARTER_RATE,
                (NEAR_ONE,),
                tactics=(_THEOREM_31,),
                sample=HALF,
            ),
        ),
        mutants=(
            Mutant("a faster rate", replace=(("7/8", "6/7"),)),
            Mutant("a larger region", replace=(("< 1/2", "< 3"),), sample=near(-2, 4)),
            Mutant("four times the rate", replace=(("1/(4*S)", "1/S"),)),
        ),
    ),
    Claim(
        id="ginsburg.thm-3.1-case-1",
        title="Theorem 3.1, case 1",
        statement=r"|W - 1| < \tfrac12,\ (W - 1) W < 0 \;\Rightarrow\; -\tfrac45 < k < \tfrac78",
        source=source("proof of Theorem 3.1, case 1"),
        kind="printed",
        reading="k = (W(t+1) - 1) / (W - 1) after one step with the theorem's rate.",
        parts=(
            Part(
                LAYERS,
                ("-4/5 < k < 7/8",),
                LOSS_FACTOR,
                (NEAR_ONE, "(W - 1)*W < 0"),
                tactics=(case_below(low=True), case_below(low=False)),
                sample=near(Fraction(1, 2), 1),
            ),
        ),
        mutants=(
            Mutant("a smaller upper end", replace=(("7/8", "6/7"),)),
            Mutant("a higher lower end", replace=(("-4/5", "51/100"),)),
            Mutant("either side of the minimum", drop=1, replace=(("-4/5", "0"),), sample=HALF),
        ),
    ),
    Claim(
        id="ginsburg.thm-3.1-case-2",
        title="Theorem 3.1, case 2",
        statement=r"|W - 1| < \tfrac12,\ (W - 1) W > 0 \;\Rightarrow\; -\tfrac18 < k < \tfrac{59}{64}",
        source=source("proof of Theorem 3.1, case 2"),
        kind="printed",
        reading="k = (W(t+1) - 1) / (W - 1) after one step with the theorem's rate.",
        parts=(
            Part(
                LAYERS,
                ("-1/8 < k < 59/64",),
                LOSS_FACTOR,
                (NEAR_ONE, "(W - 1)*W > 0"),
                tactics=(case_above(low=True), case_above(low=False)),
                sample=near(1, Fraction(3, 2)),
            ),
        ),
        mutants=(
            Mutant("a higher lower end", replace=(("-1/8", "-1/9"),)),
            Mutant("a much smaller upper end", replace=(("59/64", "49/100"),)),
            Mutant("a larger region", replace=(("< 1/2", "< 1"),), sample=near(1, 2)),
        ),
    ),
    Claim(
        id="ginsburg.thm-3.2",
        title="Theorem 3.2: the layer imbalance decreases",
        statement=(
            r"|W - 1| < \tfrac12,\ \lambda(w) = \frac{1}{4\sum(1/w_i^2)} \;\Rightarrow\; "
            r"\text{the layer imbalance monotonically decreases}"
        ),
        source=source("Theorem 3.2"),
        kind="printed",
        reading=(
            "For every pair of layers D_ij = w_i^2 - w_j^2 is multiplied by a factor 0 < k <= 1, so no |D_ij| and not "
            "their maximum D can grow; decreasing is meant weakly (k = 1 exactly at W = 1). By Theorem 3.1 the "
            "hypothesis holds again after the step."
        ),
        parts=(
            Part(
                LAYERS,
                (_FACTORISES, "0 < k <= 1"),
                IMBALANCE_FACTOR,
                (NEAR_ONE,),
                tactics=(identity(), positive(W, *PAIR_AXES, times="S**2"), _AT_MOST_ONE),
                sample=HALF,
            ),
        ),
        mutants=(
            Mutant("strictly, also at the minimum", replace=(("k <= 1", "k < 1"),), sample=_at_one),
            Mutant("eight times the rate", replace=(("1/(4*S)", "2/S"),)),
            Mutant("a larger region", replace=(("< 1/2", "< 5"),), sample=near(-4, 6)),
        ),
    ),
    Claim(
        id="ginsburg.thm-3.2-factor",
        title="Theorem 3.2: the factor",
        statement=r"D_{ij}(t+1) = k \cdot D_{ij}(t), \qquad \tfrac{247}{256} < k \le 1",
        source=source("proof of Theorem 3.2, last line"),
        kind="printed",
        reading=r"k = 1 - 4 lambda^2 (W-1)^2 W^2 / (w_i w_j)^2 as in the proof, under the theorem's hypotheses.",
        parts=(
            Part(
                LAYERS,
                (_FACTORISES, "247/256 < k <= 1"),
                IMBALANCE_FACTOR,
                (NEAR_ONE,),
                tactics=(identity(), _STAYS_POSITIVE, _AT_MOST_ONE),
                sample=HALF,
            ),
        ),
        mutants=(
            Mutant("a higher lower end", replace=(("247/256", "31/32"),)),
            Mutant("the sign in the factor", replace=(("1 - 4*lam**2", "1 + 4*lam**2"),)),
            Mutant("a larger region", replace=(("< 1/2", "< 3/4"),), sample=near(Fraction(1, 4), Fraction(7, 4))),
        ),
    ),
)

"""Section 3: Theorems 3.1 and 3.2 as printed."""

from __future__ import annotations

from fractions import Fraction

from linreg_dyn.certify.find import identity
from linreg_dyn.claims.core import Claim, Mutant, Part
from linreg_dyn.claims.ginsburg._net import (
    LAYERS,
    PAIR_AXES,
    near,
    positive,
    source,
)
from linreg_dyn.claims.ginsburg._theorem3 import (
    AT_MOST_ONE,
    FACTORISES,
    HALF,
    IMBALANCE_FACTOR,
    LOSS_FACTOR,
    NEAR_ONE,
    QUARTER_RATE,
    STAYS_POSITIVE,
    STRICT_31,
    THEOREM_31,
    W,
    at_one,
    case_above,
    case_below,
)

CLAIMS = (
    Claim(
        id="ginsburg.thm-3.1",
        title="Theorem 3.1: the loss converges linearly",
        statement=(
            r"|W - 1| < \tfrac12,\ \lambda(w) = \frac{1}{4\sum(1/w_i^2)} \;\Rightarrow\; "
            r"\text{the loss monotonically converges to } 0 \text{ with a linear rate}"
        ),
        source=source("Theorem 3.1"),
        kind="printed",
        reading="At every step |W(t+1) - 1| <= 7/8 |W - 1|: the loss falls at least by the factor 49/64.",
        argument=(
            "After the step |W - 1| < 1/2 holds again, so the bound applies at every step: L(t) <= (49/64)^t L(0)."
        ),
        parts=(
            Part(
                LAYERS,
                ("abs(Prod(v) - 1) <= 7/8*abs(W - 1)",),
                QUARTER_RATE,
                (NEAR_ONE,),
                tactics=THEOREM_31,
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
        reading=(
            "k = (W(t+1) - 1) / (W - 1) after one step with the theorem's rate. The bounds hold; the proof is loose: "
            "its chain gives k > 1/5 where -4/5 is printed, and its strict links are equations at depth 1."
        ),
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
        reading=(
            "k = (W(t+1) - 1) / (W - 1) after one step with the theorem's rate. The bounds hold; the proof's strict "
            "links S < a_1 (depth 1) and a_1 - a_2 < S (depth 2) are equations there."
        ),
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
        id="ginsburg.thm-3.1-conclusion",
        title="Theorem 3.1: the conclusion, as printed",
        statement=(
            r"\text{Since } L(t+1) < L(t) \cdot k^2 \text{, the loss } L \text{ monotonically converges to 0 "
            r"with rate } k^2"
        ),
        source=source("proof of Theorem 3.1, last line"),
        kind="printed",
        amended_by="ginsburg.thm-3.1-conclusion.amended",
        reading=(
            "The printed inequality, away from W = 1. k is defined by W(t+1) - 1 = k (W - 1), so it is an equation."
        ),
        parts=(
            Part(
                LAYERS,
                ("(Prod(v) - 1)**2 < (W - 1)**2*k**2",),
                LOSS_FACTOR,
                (NEAR_ONE, "W != 1"),
                sample=HALF,
            ),
        ),
        mutants=(
            Mutant("the other way", replace=(("2 < (W", "2 > (W"),)),
            Mutant("with a margin", replace=(("*k**2", "*k**2/2"),)),
        ),
    ),
    Claim(
        id="ginsburg.thm-3.1-conclusion.amended",
        title="Theorem 3.1: the conclusion",
        statement=(
            r"0 < |W - 1| < \tfrac12,\ \lambda = \frac{1}{4\sum(1/w_i^2)}: \quad L(t+1) = L(t) \cdot k^2, \quad "
            r"k^2 < \tfrac{49}{64}"
        ),
        source=source("proof of Theorem 3.1, last line"),
        kind="amended",
        amends="ginsburg.thm-3.1-conclusion",
        parts=(
            Part(
                LAYERS,
                ("(Prod(v) - 1)**2 == (W - 1)**2*k**2", "abs(k) < 7/8"),
                LOSS_FACTOR,
                (NEAR_ONE, "W != 1"),
                tactics=(identity(), *STRICT_31),
                sample=HALF,
            ),
        ),
        mutants=(
            Mutant("a faster rate", replace=(("7/8", "6/7"),)),
            Mutant("the printed inequality", replace=(("(Prod(v) - 1)**2 ==", "(Prod(v) - 1)**2 <"),)),
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
            "their maximum D can grow; decreasing is meant weakly (k = 1 exactly at W = 1)."
        ),
        argument="By Theorem 3.1 the hypothesis |W - 1| < 1/2 holds again after the step: this applies at every step.",
        parts=(
            Part(
                LAYERS,
                (FACTORISES, "0 < k <= 1"),
                IMBALANCE_FACTOR,
                (NEAR_ONE,),
                tactics=(identity(), positive(W, *PAIR_AXES, times="S**2"), AT_MOST_ONE),
                sample=HALF,
            ),
        ),
        mutants=(
            Mutant("strictly, also at the minimum", replace=(("k <= 1", "k < 1"),), sample=at_one),
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
                (FACTORISES, "247/256 < k <= 1"),
                IMBALANCE_FACTOR,
                (NEAR_ONE,),
                tactics=(identity(), STAYS_POSITIVE, AT_MOST_ONE),
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

"""Supplement A: the numbers and schedules of the experiments, compared with what is printed elsewhere in the paper.

Statements without variables are plain arithmetic.
"""

from __future__ import annotations

from fractions import Fraction

from linreg_dyn.certify import checker
from linreg_dyn.certify.find import Axis, identity, positive
from linreg_dyn.claims import enclosures
from linreg_dyn.claims.core import Claim, Mutant, Part
from linreg_dyn.claims.lewkowycz._paper import numbers, source

# ---------------------------------------------------------------- figure 1b: lambda = c/T
TABLE = (  # T, lambda as printed, and half a unit of its last digit
    ("50", "131/1000000", "1/2000000"),
    ("100", "656/10000000", "1/20000000"),
    ("250", "263/10000000", "1/20000000"),
    ("500", "131/10000000", "1/20000000"),
    ("1000", "656/100000000", "1/200000000"),
    ("1500", "438/100000000", "1/200000000"),
    ("2000", "328/100000000", "1/200000000"),
)
ROWS = tuple(f"abs(c/{T} - {value}) <= {half}" for T, value, half in TABLE)
# The rows of T = 250 and 1500 bound c below, those of T = 100 and 1000 above.
LOW, HIGH = (Fraction(263, 10**7) - Fraction(1, 2 * 10**7)) * 250, (Fraction(656, 10**7) + Fraction(1, 2 * 10**7)) * 100
C_PRINTED, C_66, C_656 = "66/10000", Fraction(66, 10**4), Fraction(656, 10**5)
UNIT = (0, 1)

# ---------------------------------------------------------------- runs of figure 2d,e,f: 0.1/(eta lambda) epochs
LR = tuple(Fraction(1, 80) * 2**i for i in range(8))
L2 = (Fraction(1, 64000), *(Fraction(1, 16000) * 2**j for j in range(9)))
EPOCHS = {e for eta in LR for lam in L2 if (e := Fraction(1, 10) / (eta * lam)) <= 4000} | {8000, 10000}
LONGEST = tuple((eta, lam) for eta in LR for lam in L2 if Fraction(1, 10) / (eta * lam) == 4000)
GAPS = "*".join(f"(ran - {e})" for e in sorted(EPOCHS))


def arithmetic(*relations: str) -> Part:
    """Relations between numbers."""
    goals = checker.goals_of({"conclude": relations})
    return Part({}, relations, tactics=tuple(identity() if goal[1] == "==" else positive() for goal in goals))


CLAIMS = (
    Claim(
        id="lewkowycz.lambda-pred-table",
        title="The predicted L2 parameters of figure 1b, as printed",
        statement=(
            r"\lambda = 0.0066/T \in (0.000131,\ 6.56 \cdot 10^{-5},\ 2.63 \cdot 10^{-5},\ 1.31 \cdot 10^{-5},\ "
            r"6.56 \cdot 10^{-6},\ 4.38 \cdot 10^{-6},\ 3.28 \cdot 10^{-6}) \text{ for } "
            r"T \in (50, 100, 250, 500, 1000, 1500, 2000)"
        ),
        source=source("section A (supplement), figures 1b, 4 and S4"),
        kind="printed",
        amended_by="lewkowycz.lambda-pred-table.amended",
        reading="Each number to half a unit of its last digit.",
        parts=(Part({}, ROWS, (("c", C_PRINTED),)),),
        mutants=(
            Mutant("c = 0.0065", replace=((C_PRINTED, "65/10000"),)),
            Mutant("c = 0.0132", replace=((C_PRINTED, "132/10000"),)),
        ),
    ),
    Claim(
        id="lewkowycz.lambda-pred-table.amended",
        title="The c behind the predicted L2 parameters of figure 1b",
        statement=(
            r"\text{The printed } \lambda = c/T \text{ are right to half a unit of the last digit for every } "
            r"c \in [0.0065625,\ 0.006565] \text{ and for no other } c"
        ),
        source=source("section A (supplement), figures 1b, 4 and S4"),
        kind="amended",
        amends="lewkowycz.lambda-pred-table",
        reading=(
            "One c gives them all, and rounded to two digits it is 0.0066, as section 3 has it: the table was made "
            "with more digits of c than were printed."
        ),
        parts=(
            Part(
                {"c": "real"},
                ROWS,
                assume=(f"{LOW} <= c <= {HIGH}",),
                tactics=(positive(Axis("c", "a0.0", "a0.1")),) * (2 * len(ROWS)),
                sample=numbers(c=(LOW, HIGH)),
            ),
            Part(
                {"c": "real"},
                (f"{LOW} <= c <= {HIGH}",),
                assume=ROWS,
                tactics=(positive(Axis("c", "a2.0-")), positive(Axis("c", "a1.0+"))),
                sample=numbers(c=(LOW, HIGH)),
            ),
        ),
        mutants=(
            Mutant("up to the c that is printed", replace=((str(HIGH), C_PRINTED),), sample=numbers(c=(LOW, C_66))),
            Mutant("from 0.00656", replace=((str(LOW), "656/100000"),), sample=numbers(c=(C_656, HIGH))),
            Mutant("a narrower range", replace=((str(LOW), str((LOW + HIGH) / 2)),), part=1),
        ),
        values=lambda: {"c (least)": enclosures.exact(LOW), "c (largest)": enclosures.exact(HIGH)},
    ),
    Claim(
        id="lewkowycz.schedule-numbers",
        title="Times and schedules of the experiments agree with each other",
        statement=(
            r"T(\lambda) = 0.1/\lambda \text{ was chosen so that } T(0.0005) = 200; \text{ at } T = 200 \text{ epochs "
            r"} \lambda_{\text{pred}} \approx \frac{c}{0.3 T} \text{ predicts } 0.0001; \text{ in Fig. 2 the } "
            r"\lambda = 0 \text{ model was evolved for longer than the smallest } \lambda"
        ),
        source=source("section 3 and section A (supplement)"),
        kind="printed",
        reading=(
            "With c = 0.0066. First: T(0.0005); lambda_pred to its one digit, and the optimum 0.0005 within ten times "
            "it; t* = c/lambda within the 2 epochs at lambda = 0.01 that measured c; c of figure S4 twice that; 8000 "
            "epochs at eta = 0.2 and lambda = 6.25e-5, the longest run with L2 of figure 2d, below the 10000 without. "
            "Part 2, at any rate eta: 10^6/eta epochs of the FC, against 2/(eta lambda) at 10^-5. Of other figures the "
            "paper does not say so, nor is it always so: in figure S5 both take 10^5/eta epochs, and the CNN with "
            "batch norm ran 9500 without L2 and 20000 with the smallest."
        ),
        parts=(
            arithmetic(
                "(1/10)/(5/10000) == 200",
                "abs(66/10000/(3/10*200) - 1/10000) <= 1/20000",
                "1/10000 <= 5/10000 <= 10*(1/10000)",
                "66/10000/(1/100) <= 2",
                "2*(66/10000) == 132/10000",
                "(1/10)/(2/10*(625/10000000)) == 8000",
                "(1/10)/(2/10*(625/10000000)) < 10000",
            ),
            Part(
                {"eta": "real"},
                ("2/(eta*(1/100000)) < 1000000/eta",),
                assume=("eta > 0",),
                tactics=(positive(Axis("eta", "a0.0"), times="eta"),),
                sample=numbers(eta=(0, 50)),
            ),
        ),
        mutants=(
            Mutant("T = 0.01/lambda", replace=(("(1/10)/(5/10000)", "(1/100)/(5/10000)"),)),
            Mutant("without the factor 0.3", replace=(("(3/10*200)", "200"),)),
            Mutant("10^5/eta epochs of the FC", replace=(("1000000/eta", "100000/eta"),), part=1),
        ),
    ),
    Claim(
        id="lewkowycz.longest-runs",
        title="How long the longer experiments ran, as printed",
        statement=r"\text{The longer experiments ran for } 5000 \text{ epochs}",
        source=source("footnote 2, section 2"),
        kind="printed",
        amended_by="lewkowycz.longest-runs.amended",
        reading=(
            "Of the Wide ResNets by plain SGD, to which the footnote belongs: some run of figure 2d,e,f took 5000 "
            "epochs. By section A they took 0.1/(eta lambda) of a grid if that is at most 4000, one took 8000, and "
            "those with lambda = 0 took 10000. The product vanishes if one took 5000."
        ),
        parts=(Part({}, (f"{GAPS} == 0",), (("ran", "5000"),)),),
        mutants=(
            Mutant("6000 epochs", replace=(("5000", "6000"),)),
            Mutant("300 epochs", replace=(("5000", "300"),)),
        ),
    ),
    Claim(
        id="lewkowycz.longest-runs.amended",
        title="How long the longer experiments ran",
        statement=(
            r"\text{The longest runs with } \lambda > 0 \text{ took } 4000 \text{ epochs, where } \eta\lambda = "
            r"2.5 \cdot 10^{-5}, \text{ as at the largest } \eta \text{ and the smallest } \lambda, "
            r"\text{ and one } 8000"
        ),
        source=source("footnote 2, section 2"),
        kind="amended",
        amends="lewkowycz.longest-runs",
        reading=(
            "0.1/(eta lambda), if that is at most 4000; eta lambda at eta = 1.6, lambda = 1.5625e-5 and at the other "
            "pairs of the grid where it is the same; and at eta = 0.2, lambda = 6.25e-5, which section A names as the "
            "exception."
        ),
        parts=(
            arithmetic(
                "(1/10)/(25/1000000) == 4000",
                "(1/80*2**7)*(1/64000) == 25/1000000",
                *(f"({eta})*({lam}) == 25/1000000" for eta, lam in LONGEST),
                "(1/10)/((1/80*2**4)*(1/16000)) == 8000",
            ),
        ),
        mutants=(
            Mutant("another rate", replace=(("2**7", "2**5"),)),
            Mutant("another lambda", replace=(("1/16000", "1/8000"),)),
        ),
    ),
    Claim(
        id="lewkowycz.discussion-peak-time",
        title="The time to peak performance, as the discussion has it",
        statement=(r"\text{The time it takes the network to reach peak performance is proportional to } \lambda"),
        source=source("section 5"),
        kind="printed",
        amended_by="lewkowycz.discussion-peak-time.amended",
        reading="Against t* = c/lambda of section 1.1: twice the lambda would have to take twice the time.",
        parts=(
            Part(
                {"c": "real", "lam": "real"},
                ("c/(2*lam) == 2*(c/lam)",),
                assume=("c > 0", "lam > 0"),
                sample=numbers(c=UNIT, lam=UNIT),
            ),
        ),
        mutants=(
            Mutant("with the square", replace=(("== 2*", "== 4*"),)),
            Mutant("independent of lambda", replace=(("== 2*", "== 1*"),)),
        ),
    ),
    Claim(
        id="lewkowycz.discussion-peak-time.amended",
        title="The time to peak performance",
        statement=(
            r"\text{If } t_* = c/\lambda, \text{ the time to peak performance is proportional to } \lambda^{-1}"
        ),
        source=source("section 5"),
        kind="amended",
        amends="lewkowycz.discussion-peak-time",
        reading="What section 1.1 measures; here only that a lambda a times as large takes a-th part of the time.",
        parts=(
            Part(
                {"c": "real", "lam": "real", "a": "real"},
                ("c/(a*lam) == (c/lam)/a",),
                assume=("c > 0", "lam > 0", "a > 0"),
                tactics=(identity(),),
                sample=numbers(c=UNIT, lam=UNIT, a=(0, 10)),
            ),
        ),
        mutants=(
            Mutant("proportional to lambda", replace=(("(c/lam)/a", "(c/lam)*a"),)),
            Mutant("to its inverse square", replace=(("(c/lam)/a", "(c/lam)/a**2"),)),
        ),
    ),
)

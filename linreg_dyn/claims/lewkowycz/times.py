"""How long a mode takes to learn and to decay: the printed orders of magnitude against exact bounds."""

from __future__ import annotations

from linreg_dyn.claims.core import Claim, Mutant, Part
from linreg_dyn.claims.lewkowycz._bounds import (
    COMPARISON,
    DEGREES,
    FORGETS,
    LEARNS,
    NO_FASTER,
    NO_HIGHER,
    POSITIVE,
    RUNS,
    STAYS,
    runs,
    two_runs,
)
from linreg_dyn.claims.lewkowycz._paper import given, numbers, source

HALVES = runs(((10, 16, 20), (4, 8, 16, 20, 22)), ((1, 2), (4, 6, 8, 12)))

CLAIMS = (
    Claim(
        id="lewkowycz.two-timescales",
        title="A mode with gamma above lambda approaches its label",
        statement=(
            r"\gamma_a / \lambda > 1: \quad \text{the function approaches the label mode at a time that is of order } "
            r"1/\gamma_a; \text{ later, at a time of order } \lambda^{-1}, \text{ the mode decays to zero}"
        ),
        source=source("section 4, after Theorem 2, and Fig. 5"),
        kind="printed",
        amended_by="lewkowycz.two-timescales.amended",
        reading=(
            "To approach the label is to come at least half way. From f = 0 a mode never exceeds gamma/(gamma + k "
            "lambda) of its label (lewkowycz.two-timescales.amended, part 2), so the statement needs that to be at "
            "least 1/2 whenever gamma > lambda and k >= 2. It is not: what gamma has to exceed is k lambda. At k = 1 "
            "a mode "
            "below lambda does not decay to zero either, but to gamma/(gamma + lambda) of its label."
        ),
        parts=(
            Part(
                given("real", "gamma", "lam", "k"),
                ("gamma/(gamma + k*lam) >= 1/2",),
                assume=("lam > 0", "gamma > lam", "k >= 2"),
                sample=numbers(gamma=(0, 6), lam=(0, 2), k=(2, 8)),
            ),
        ),
        mutants=(
            Mutant("three quarters of the way", replace=((">= 1/2", ">= 3/4"),)),
            Mutant("from half of lambda on", replace=(("gamma > lam", "gamma > lam/2"),)),
        ),
    ),
    Claim(
        id="lewkowycz.two-timescales.amended",
        title="A mode learns at 1/gamma if gamma exceeds k lambda, and forgets at log(gamma/lambda)/lambda",
        statement=(
            r"k > 1,\ f(0) = 0,\ y = 1,\ \gamma_t = \gamma e^{-2(k-1)\lambda t}: \quad "
            r"\frac{\gamma_t\, (1 - e^{-(\gamma_t + k\lambda)t})}{\gamma_t + k\lambda} \le f(t) \le "
            r"\min\Big(1 - e^{-\gamma t},\ \frac{\gamma}{\gamma + k\lambda},\ "
            r"\frac{\gamma}{\lambda} e^{-(k-1)\lambda t} + e^{-k\lambda t}\Big)"
        ),
        source=source("section 4, after Theorem 2, and Fig. 5"),
        kind="amended",
        amends="lewkowycz.two-timescales",
        reading=(
            "For gamma >> k lambda the first two bounds meet: 1 - e^{-gamma t} while t << 1/lambda. The mode stays "
            "above 1/3 until gamma_t = k lambda, at log(gamma/(k lambda))/(2 (k - 1) lambda), and is small after "
            "log(gamma/lambda)/((k - 1) lambda): of order 1/lambda but for the logarithm. For gamma < k lambda it "
            "never comes half way."
        ),
        argument=COMPARISON + " For the lower bound at a time T take G = gamma_T, which is at most gamma_t before.",
        parts=(NO_FASTER, NO_HIGHER, LEARNS, FORGETS),
        mutants=(
            Mutant("slower learning", replace=(("exp(-gamma*t)", "exp(-gamma*t/2)"),)),
            Mutant("below the degree", replace=(("gamma/(gamma + k*lam)", "gamma/(gamma + 2*k*lam)"),), part=1),
            Mutant("faster learning", replace=(("-(G + k*lam)*t", "-3*(G + k*lam)*t"),), part=2),
            Mutant("faster forgetting", replace=(("gamma/lam*exp(-(k - 1)", "gamma/lam*exp(-3*(k - 1)"),), part=3),
        ),
    ),
    Claim(
        id="lewkowycz.decay-time-depth",
        title="The decay time is proportional to 1/(k lambda)",
        statement=(
            r"\text{If we include the } k \text{ dependence, the decay time scale is approximately } "
            r"t_{\text{decay}} \propto (k\lambda)^{-1}"
        ),
        source=source("section 4, before Theorem 2"),
        kind="printed",
        amended_by="lewkowycz.decay-time-depth.amended",
        reading=(
            "The decay time of a learned mode, f(0) = y, is when half is left. One model (gamma = 1) at two values of "
            "lambda and two degrees: if the first is above one half at t1 and the second below it at t2, then k lambda "
            "t of the first is less than twice that of the second. (What holds as printed is the rate: long after, for "
            "k > 2, df/dt is - k lambda f.)"
        ),
        parts=(
            Part(
                RUNS,
                ("k1*lam1*t1 < 2*k2*lam2*t2",),
                two_runs("1"),
                (*POSITIVE, *DEGREES, "f1 > 1/2", "f2 < 1/2"),
                sample=HALVES,
            ),
        ),
        mutants=(
            Mutant("without the slack", replace=(("< 2*k2", "< k2"),)),
            Mutant("without the degree", replace=(("k1*lam1*t1 < 2*k2", "lam1*t1 < 2"),)),
        ),
        tries=40,
    ),
    Claim(
        id="lewkowycz.decay-time-depth.amended",
        title="The decay time is log(gamma/lambda)/((k - 1) lambda), up to a factor of two",
        statement=(
            r"k > 1,\ f(0) = y = 1: \quad \frac{\gamma_t}{\gamma_t + k\lambda} \le f(t) \le e^{-k\lambda t} + "
            r"\frac{\gamma}{\lambda} e^{-(k-1)\lambda t}, \quad \gamma_t = \gamma e^{-2(k-1)\lambda t}"
        ),
        source=source("section 4, before Theorem 2"),
        kind="amended",
        amends="lewkowycz.decay-time-depth",
        reading=(
            "At least half is left until log(gamma/(k lambda))/(2 (k - 1) lambda); the upper bound is below one half "
            "soon after log(gamma/lambda)/((k - 1) lambda). So deeper networks do decay faster, but as 1/(k - 1), and "
            "a mode that is learned better decays later. For gamma < lambda the time is below log(4)/(k lambda) or so."
        ),
        argument=COMPARISON + " For the lower bound at a time T take G = gamma_T, which is at most gamma_t before.",
        parts=(STAYS, FORGETS),
        mutants=(
            Mutant("twice as much left", replace=(("G/(G + k*lam)", "G/(G + k*lam/2)"),)),
            Mutant("faster forgetting", replace=(("gamma/lam*exp(-(k - 1)", "gamma/lam*exp(-3*(k - 1)"),), part=1),
        ),
    ),
)

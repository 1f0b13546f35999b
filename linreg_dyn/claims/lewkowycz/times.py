"""How long a mode takes to learn and to decay: the printed orders of magnitude against exact bounds."""

from __future__ import annotations

from fractions import Fraction
from random import Random
from typing import Any

from linreg_dyn.claims import falsify
from linreg_dyn.claims.core import Claim, Mutant, Part
from linreg_dyn.claims.lewkowycz._bounds import (
    COMPARISON,
    DEGREES,
    DRAWN,
    FADES,
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
from linreg_dyn.claims.lewkowycz._paper import MODE, given, numbers, solution, source
from linreg_dyn.claims.lewkowycz.modes import S9


def _late(rng: Random, depth: int, level: int) -> dict[str, Any]:
    """2 m lam t between 10 and 14, so that gamma_t/lam is at most 8 e^-10."""
    lam, m = falsify.rational(rng, 0, 2, level) or Fraction(1), Fraction(rng.choice((1, 1, 2, 3, 4)), 2)
    return {"lam": lam, "m": m, "gamma": rng.randint(1, 8) * lam, "t": rng.randint(10, 14) / (2 * m * lam)}


HALVES = runs(((64, 100, 128), (16, 24, 32, 35)), ((1, 2), (4, 6, 8, 12)))
AT_GAMMA_T = " For the lower bound at a time T take G = gamma_T, which is at most gamma_t before."
SQUARE = " In the upper one q^2 = gamma/lambda, so that q e^{-(k - 1) lambda t}/2 is half the root of gamma_t/lambda."

CLAIMS = (
    Claim(
        id="lewkowycz.two-timescales",
        title="A mode with gamma above lambda approaches its label, as printed",
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
            "least 1/2 whenever gamma > lambda and k >= 2. It is not, and at gamma just above lambda a mode of k = 2 "
            "keeps below a third: what gamma has to exceed is k lambda. Where it exceeds that by far the sentence is "
            "right, but that forgetting takes longer than 1/lambda by a logarithm (amended). At k = 1 a mode below "
            "lambda does not decay to zero either, as the next sentence has it, but to gamma/(gamma + lambda) of its "
            "label."
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
        title="A mode learns at 1/gamma if gamma exceeds k lambda, and forgets when its kernel falls to k lambda",
        statement=(
            r"k > 1,\ \gamma, t \ge 0,\ \lambda > 0,\ f(0) = 0,\ y = 1,\ \gamma_t = \gamma e^{-2(k-1)\lambda t}: \quad "
            r"\frac{\gamma_t\, (1 - e^{-(\gamma_t + k\lambda)t})}{\gamma_t + k\lambda} \le f(t) \le "
            r"\min\Big(1 - e^{-\gamma t},\ \frac{\gamma}{\gamma + k\lambda},\ "
            r"\frac12 \sqrt{\frac{\gamma_t}{\lambda}}\Big)"
        ),
        source=source("section 4, after Theorem 2, and Fig. 5"),
        kind="amended",
        amends="lewkowycz.two-timescales",
        reading=(
            "For gamma >> k lambda the first two bounds meet: 1 - e^{-gamma t} while t << 1/lambda. Once learned (e^{-"
            "(gamma_t + k lambda) t} <= 1/3) the mode stays above 1/3 until gamma_t = k lambda, at log(gamma/(k "
            "lambda))/(2 (k - 1) lambda), and it is below 1/2 from gamma_t = lambda on, log(k)/(2 (k - 1) lambda) "
            "later: 1/lambda times the logarithm over 2 (k - 1), to leading order. For gamma < k lambda it never comes "
            "half way."
        ),
        argument=COMPARISON + AT_GAMMA_T + SQUARE + " From f(0) = 0 it holds with c = 0.",
        parts=(NO_FASTER, NO_HIGHER, LEARNS, FORGETS),
        mutants=(
            Mutant("slower learning", replace=(("exp(-gamma*t)", "exp(-gamma*t/2)"),)),
            Mutant("below the degree", replace=(("gamma/(gamma + k*lam)", "gamma/(gamma + 2*k*lam)"),), part=1),
            Mutant("faster learning", replace=(("-(G + k*lam)*t", "-3*(G + k*lam)*t"),), part=2),
            Mutant("faster forgetting", replace=(("q/2*exp(-m", "q/2*exp(-2*m"),), part=3),
            Mutant("less than half the root", replace=(("q/2*", "q/4*"),), part=3),
        ),
    ),
    Claim(
        id="lewkowycz.late-time-rate",
        title="At late times the function decays at the rate k lambda, as printed",
        statement=(
            r"k > 1: \quad \text{at late times } \frac{df(x)}{dt} \approx -\lambda k f(x), \text{ leading to an "
            r"exponential decay of the function to zero}"
        ),
        source=source("section 4, after Theorem 1"),
        kind="printed",
        amended_by="lewkowycz.late-time-rate.amended",
        reading=(
            "The paragraph is about k > 1. Late: of a mode with gamma >= lambda, from f(0) = 0, when gamma_t has "
            "fallen below lambda/1000. Approximately: what eq. 1 has beside -k lambda f is at most a quarter of it. "
            "Below k = 2 no later time would do: there f comes to follow the kernel, as gamma_t y/((2 - k) lambda), so "
            "that it decays at the rate 2 (k - 1) lambda < k lambda, and the first term stays (2 - k)/k of the second; "
            "nor would any margin below 1, which that comes to near k = 1."
        ),
        parts=(
            Part(
                given("real", "t", "gamma", "lam", "m"),
                ("gt*(1 - f) <= k*lam*f/4",),
                (*MODE, ("f", solution(f0="0", y="1"))),
                ("lam > 0", "gamma >= lam", "m > 0", "gt <= lam/1000"),
                sample=_late,
            ),
        ),
        mutants=(
            Mutant("to a thousandth", replace=(("f/4", "f/1000"),)),
            Mutant("without the degree", replace=(("k*lam*f/4", "lam*f/4"),)),
        ),
    ),
    Claim(
        id="lewkowycz.late-time-rate.amended",
        title="At late times the function decays at the rate k lambda, from k = 2 on",
        statement=(
            r"\gamma \ge 0,\ \lambda > 0,\ t \ge t_0 \ge 0: \quad k \ge 2: \ |f(t)| \le e^{-k\lambda t} "
            r"\Big(e^{\frac{\gamma_t - \gamma}{2(k-1)\lambda}} |f(0)| + "
            r"|\gamma y|\, e^{\frac{\gamma_t}{2(k-1)\lambda}}\, t\Big); \quad k > 1,\ 0 \le f(t_0)/y \le 1: \quad "
            r"\frac{f(t)}{y} \ge \frac{f(t_0)}{y} e^{-k\lambda (t - t_0)}"
        ),
        source=source("section 4, after Theorem 1"),
        kind="amended",
        amends="lewkowycz.late-time-rate",
        reading=(
            "For MSE. Part 1 is the second bound, with c = f(t_0)/y; part 2 the first, which is S9. The factor t is "
            "real at k = 2. For 1 < k < 2 the rate is that of the kernel, 2 (k - 1) lambda: "
            "lewkowycz.thm-2-decay.any-degree. When this decay sets in is another matter: lewkowycz.decay-time-depth."
        ),
        argument=COMPARISON + " gamma is the kernel's at t_0 there. In S9 gamma_t <= gamma.",
        parts=(FADES, S9),
        mutants=(
            Mutant("at the rate lambda", replace=(("c*exp(-k*lam*t)", "c*exp(-lam*t)"),)),
            Mutant("at twice the rate", replace=(("exp(-k*lam*t)*(", "exp(-2*k*lam*t)*("),), part=1),
            Mutant("from beyond the label", drop=5, sample=numbers(**DRAWN, c=(1, 4))),
        ),
    ),
    Claim(
        id="lewkowycz.decay-time-depth",
        title="The decay time is proportional to 1/(k lambda), as printed",
        statement=(
            r"\text{If we include the } k \text{ dependence, the decay time scale is approximately } "
            r"t_{\text{decay}} \propto (k\lambda)^{-1}"
        ),
        source=source("section 4, before Theorem 2"),
        kind="printed",
        amended_by="lewkowycz.decay-time-depth.amended",
        reading=(
            "The paper's t_decay is the time at which the decay occurs, here of a learned mode, f(0) = y: when half is "
            "left. Proportional is read within a factor of four: one model (gamma = 1) at two values of lambda and two "
            "degrees; if the first is above one half at t1 and the second below it at t2, then k lambda t of the first "
            "is less than four times that of the second. (No factor would do, by the bounds of the amended claim. As "
            "the scale of the exponential it is right: lewkowycz.late-time-rate.)"
        ),
        parts=(
            Part(
                RUNS,
                ("k1*lam1*t1 < 4*k2*lam2*t2",),
                two_runs("1"),
                (*POSITIVE, *DEGREES, "f1 > 1/2", "f2 < 1/2"),
                sample=HALVES,
            ),
        ),
        mutants=(
            Mutant("without the slack", replace=(("< 4*k2", "< k2"),)),
            Mutant("without the degree", replace=(("k1*lam1*t1 < 4*k2", "lam1*t1 < 4"),)),
        ),
        tries=40,
    ),
    Claim(
        id="lewkowycz.decay-time-depth.amended",
        title="The decay time is log(gamma/lambda)/(2 (k - 1) lambda), up to a time of order 1/lambda",
        statement=(
            r"k > 1,\ \gamma, t \ge 0,\ \lambda > 0,\ f(0) = y = 1: \quad "
            r"\frac{\gamma_t}{\gamma_t + k\lambda} \le f(t) \le e^{-k\lambda t} + "
            r"\frac12 \sqrt{\frac{\gamma_t}{\lambda}}, \quad \gamma_t = \gamma e^{-2(k-1)\lambda t}"
        ),
        source=source("section 4, before Theorem 2"),
        kind="amended",
        amends="lewkowycz.decay-time-depth",
        reading=(
            "At least half is left until gamma_t = k lambda, at log(gamma/(k lambda))/(2 (k - 1) lambda). The upper "
            "bound is below one half s/lambda after gamma_t = lambda, at log(gamma/lambda)/(2 (k - 1) lambda) + "
            "s/lambda, where s depends on k alone: s = log 2 at k = 2; for gamma <= lambda, no later than s/lambda. So "
            "deeper networks do decay faster, but as 1/(k - 1), and a mode that is learned better decays later."
        ),
        argument=(
            COMPARISON + AT_GAMMA_T + SQUARE + " From f(0) = 1 it holds with c = 1. s solves e^{-k s} + e^{-(k - 1) "
            "s}/2 = 1/2, for with gamma >= lambda e^{-k lambda t} is at most e^{-k s} at that time."
        ),
        parts=(STAYS, FORGETS),
        mutants=(
            Mutant("twice as much left", replace=(("G/(G + k*lam)", "G/(G + k*lam/2)"),)),
            Mutant("faster forgetting", replace=(("q/2*exp(-m", "q/2*exp(-2*m"),), part=1),
            Mutant("less than half the root", replace=(("q/2*", "q/4*"),), part=1),
        ),
    ),
)

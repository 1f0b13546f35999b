"""How long a mode takes to learn, to peak and to decay: the printed orders of magnitude against exact bounds.

A bound on the solution of df/dt = -gt (f - 1) - k lam f (eq. 1 for one mode, label 1) is a function g that starts on
its side and satisfies the inequality Dt(g) >= -gt (g - 1) - k lam g (above) or <= (below).
"""

from __future__ import annotations

from fractions import Fraction
from random import Random
from typing import Any

from flint import arb

from linreg_dyn.certify.find import Tactic, by_hand, identity
from linreg_dyn.claims.core import Claim, Mutant, Part, Sampler
from linreg_dyn.claims.enclosures import ball, outward
from linreg_dyn.claims.lewkowycz._paper import KERNEL, MODE, given, numbers, solution, source, then

# ---------------------------------------------------------------- functions above and below a mode
GIVEN = given("real", "t", "gamma", "lam", "m")
ASSUME = ("t >= 0", "gamma >= 0", "lam > 0", "m > 0")  # hypotheses a0.0 to a3.0
TIME = (("t", "1"),)
DRAWN = {"t": (0, 2), "gamma": (0, 4), "lam": (0, 2), "m": (0, 3)}
K_LAM = ("a3.0 * a2.0", "a2.0")  # k lam = m lam + lam
COMPARISON = (
    "Where two functions start in order and one satisfies the equation of the mode, the other the inequality, they "
    "stay in order: their difference d has Dt(d) + (gt + k lam) d of one sign, so d e^{integral of gt + k lam} is "
    "monotonic."
)


def rises(x: str, *factors: str) -> list[tuple[str, str]]:
    """1 - e^-x = e^-x (e^x - 1 - x) + x e^-x as terms: x = 2 m lam t (decay), m lam t (half) or gamma t (gain)."""
    power, product = {
        "decay": ("2*m*lam*t", ("2", "a3.0 * a2.0 * a0.0")),
        "half": ("m*lam*t", ("1", "a3.0 * a2.0 * a0.0")),
        "gain": ("gamma*t", ("1", "a1.0 * a0.0")),
    }[x]
    rest = "".join(f" * {factor}" for factor in factors)
    return [("1", f"exp -{power} * tangent {power}{rest}"), (product[0], f"exp -{power} * {product[1]}{rest}")]


def bound(g: str, relation: str, tactic: Tactic, *assume: str, more: tuple[str, ...] = ()) -> Part:
    """g bounds a mode: from above with ">=", from below with "<="; it has the further numbers `more`."""
    return Part(
        GIVEN | given("real", *more),
        (f"Dt(g) {relation} -gt*(g - 1) - k*lam*g",),
        (*MODE, ("g", g)),
        (*ASSUME, *assume),
        TIME,
        (tactic,),
        numbers(**DRAWN) if not more else then(numbers(**DRAWN, share=(0, 1)), _earlier),
    )


def _earlier(drawn: dict[str, Any]) -> dict[str, Any]:
    """G at most gamma_t: e^{-x} >= 1 - x below 1, so gamma (1 - 2 m lam t) is; 0 where that is negative."""
    share = drawn.pop("share")
    below = drawn["gamma"] * (1 - 2 * drawn["m"] * drawn["lam"] * drawn["t"])
    return {**drawn, "G": share * max(below, 0 * below)}


NO_FASTER = bound(
    "1 - exp(-gamma*t)",
    ">=",
    by_hand(
        *rises("decay", "a1.0", "exp -gamma*t"),
        *(term for factor in K_LAM for term in rises("gain", factor)),
    ),
)
NO_HIGHER = bound(
    "gamma/(gamma + k*lam)",
    ">=",
    by_hand(
        *(term for factor in K_LAM for term in rises("decay", "a1.0", factor)),
        multiplier=[("1", "a1.0"), *(("1", factor) for factor in K_LAM)],
    ),
)
LEARNS = bound(
    "G/(G + k*lam)*(1 - exp(-(G + k*lam)*t))",
    "<=",
    by_hand(
        *(("1", f"a5.0 * {factor}") for factor in K_LAM),
        ("1", "a5.0 * a4.0 * exp -(G+k*lam)*t"),
        multiplier=[("1", "a4.0"), *(("1", factor) for factor in K_LAM)],
    ),
    "G >= 0",
    "G <= gt",
    more=("G",),
)
STAYS = bound(
    "G/(G + k*lam)",
    "<=",
    by_hand(
        *(("1", f"a5.0 * {factor}") for factor in K_LAM),
        multiplier=[("1", "a4.0"), *(("1", factor) for factor in K_LAM)],
    ),
    "G >= 0",
    "G <= gt",
    more=("G",),
)
FORGETS = bound(
    "exp(-k*lam*t) + gamma/lam*exp(-(k - 1)*lam*t)",
    ">=",
    by_hand(
        ("1", "a2.0 * a1.0 * exp -2*m*lam*t-k*lam*t"),
        ("1", "a1.0 * a1.0 * exp -3*m*lam*t"),
        *rises("half", "a2.0", "a1.0", "exp -m*lam*t"),
        multiplier=[("1", "a2.0")],
    ),
)


STILL_RISES = Part(
    GIVEN,
    ("1 - exp(-gamma*t) <= gt/(gt + k*lam)",),
    MODE,
    (*ASSUME, "exp(gamma*t)*k*lam <= gt + k*lam"),
    tactics=(
        by_hand(
            ("1", "exp -gamma*t * a4.0"),
            multiplier=[("1", "a1.0 * exp -2*m*lam*t"), *(("1", factor) for factor in K_LAM)],
        ),
    ),
    sample=numbers(t=(0, 1), gamma=(0, 8), lam=(0, 1), m=(0, 2)),
)
SCALED = Part(
    given("real", "t", "f", "gamma", "lam", "m", "y"),
    ("Dt(tau) == lam", "Dt(f) == (-ratio*exp(-2*m*tau)*(f - y) - k*f)*Dt(tau)"),
    (*MODE, ("tau", "lam*t"), ("ratio", "gamma/lam")),
    ("lam > 0",),
    (("t", "1"), ("f", "-gt*(f - y) - k*lam*f")),
    (identity(), identity()),
)


def peak_time(ratio: int, degree: int = 2) -> dict[str, str]:
    """Enclosure of lam t* for gamma/lam = ratio: the largest and the least scaled times at which the two bounds
    of `lewkowycz.min-loss-time.amended` decide, found by bisection and decided by ball arithmetic."""
    m, L = degree - 1, ball(ratio)

    def peak(tau: arb) -> arb:
        return (L * (-2 * m * tau).exp()) / (L * (-2 * m * tau).exp() + degree)

    def before(x: Fraction) -> bool:
        tau = ball(x)
        return bool((L * tau).exp() * degree <= L * (-2 * m * tau).exp() + degree)

    def after(x: Fraction) -> bool:
        for n in range(1, 32):
            early = ball(x * n / 32)
            rate = L * (-2 * m * early).exp() + degree
            if peak(early) * (1 - (-rate * early).exp()) >= peak(ball(x)):
                return True
        return False

    ends = []
    for known in (before, after):
        low, high = Fraction(0), Fraction(4)
        for _ in range(30):
            middle = (low + high) / 2
            low, high = (middle, high) if known(middle) == (known is before) else (low, middle)
        ends.append(low if known is before else high)
    return {"lower": outward(ball(ends[0]))["lower"], "upper": outward(ball(ends[1]))["upper"]}


# ---------------------------------------------------------------- what is printed, at two values of lambda
def two_runs(f0: str) -> tuple[tuple[str, str], ...]:
    """Eq. 3 with gamma = 1 and label 1 for lam1, m1 at t1 and lam2, m2 at t2, and gt/(gt + k lam), where df/dt = 0."""
    where = []
    for n in "12":
        values = {"gamma": "1", "y": "1", "f0": f0, **{name: name + n for name in ("m", "k", "lam")}}
        gt = KERNEL.format(t=f"t{n}").replace("gamma", "1").replace("m*lam", f"m{n}*lam{n}")
        where += [(f"k{n}", f"m{n} + 1"), (f"f{n}", solution(f"t{n}", **values))]
        where += [(f"peak{n}", f"{gt}/({gt} + k{n}*lam{n})")]
    return tuple(where)


def _runs(*runs: tuple[tuple[int, ...], tuple[int, ...]]) -> Sampler:
    """For each run gamma/lam and 16 lam t, integers among those given; m = 1 or 2."""

    def sample(rng: Random, depth: int, level: int) -> dict[str, Any]:
        out: dict[str, Any] = {}
        for n, (ratios, times) in enumerate(runs, 1):
            lam = 1 / Fraction(rng.choice(ratios))
            out |= {f"lam{n}": lam, f"m{n}": Fraction(rng.choice((1, 1, 1, 2)))}
            out[f"t{n}"] = Fraction(rng.choice(times), 16) / lam
        return out

    return sample


def _one_degree(drawn: dict[str, Any]) -> dict[str, Any]:
    return {**drawn, "m2": drawn["m1"]}


HALVES = _runs(((10, 16, 20), (4, 8, 16, 20, 22)), ((1, 2), (4, 6, 8, 12)))
PEAKS = _runs(((1, 2), (2, 4, 6, 7)), ((10, 16, 20), (3, 4, 5, 6, 8)))
RUNS = given("real", "lam1", "m1", "t1", "lam2", "m2", "t2")
POSITIVE = tuple(f"{name}{n} > 0" for n in "12" for name in ("lam", "t"))
DEGREES = ("m1 >= 1", "m2 >= 1")

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
    Claim(
        id="lewkowycz.min-loss-time",
        title="The loss is least at a time proportional to 1/lambda",
        statement=(
            r"\text{We expect the minimum of the empirical loss to occur at a time proportional to } \lambda^{-1}"
        ),
        source=source("section 4, after Theorem 1"),
        kind="printed",
        amended_by="lewkowycz.min-loss-time.amended",
        reading=(
            "One mode from f = 0 under MSE (gamma = 1, label 1): it rises until it meets gt/(gt + k lambda), where "
            "df/dt = 0, and falls from then on, so before the minimum f is below that and after it above. If the "
            "minimum is "
            "at c/lambda, then lambda1 t1 < c < lambda2 t2 for any t1 before it and t2 after it, at equal degrees."
        ),
        parts=(
            Part(
                RUNS,
                ("lam1*t1 < lam2*t2",),
                two_runs("0"),
                (*POSITIVE, *DEGREES, "m1 == m2", "f1 < peak1", "f2 > peak2"),
                sample=then(PEAKS, _one_degree),
            ),
        ),
        mutants=(
            Mutant("for any two degrees", replace=(("m1 == m2", "m2 >= 1"),), sample=PEAKS),
            Mutant("at c/lambda^2", replace=(("lam1*t1 < lam2*t2", "lam1**2*t1 < lam2**2*t2"),)),
        ),
        tries=40,
    ),
    Claim(
        id="lewkowycz.min-loss-time.amended",
        title="The loss is least at c/lambda if the spectrum scales with lambda, and earlier if it stays",
        statement=(
            r"\tau = \lambda t:\ \frac{df}{d\tau} = -\frac{\gamma}{\lambda} e^{-2(k-1)\tau} (f - y) - k f; \quad "
            r"f(0) = 0,\ k\lambda\, e^{\gamma t} \le \gamma_t + k\lambda \;\Rightarrow\; t \le t_*; \quad "
            r"T > T_0,\ \frac{\gamma_{T_0} (1 - e^{-(\gamma_{T_0} + k\lambda) T_0})}{\gamma_{T_0} + k\lambda} "
            r"\ge \frac{\gamma_T}{\gamma_T + k\lambda} \;\Rightarrow\; t_* \le T"
        ),
        source=source("section 4, after Theorem 1"),
        kind="amended",
        amends="lewkowycz.min-loss-time",
        reading=(
            "In the time lambda t a mode knows only gamma/lambda and k (part 1). So t* = c/lambda exactly for data "
            "whose spectrum looks the same at every scale: with squared label weights of density gamma^{b - 1}, "
            "0 < b < 2, the loss is lambda^b h(lambda t). For one mode, and any finite positive spectrum as lambda "
            "tends to zero, it is false: the peak lies between two times of order log(gamma/lambda)/gamma "
            "(parts 2 to 4), and lambda t* tends to zero. The values are lambda t* for one mode at k = 2."
        ),
        argument=(
            "From 0 the mode rises until it meets gamma_t/(gamma_t + k lambda), which falls, and then falls itself, "
            "so it "
            "peaks once, and its part of the loss is least there. As long as an upper bound on f lies below the "
            "meeting curve it rises. If it rose until T, it would exceed at T what it was at T_0. For fixed eps, "
            "T_0 = eps/(2 lambda) and T = eps/lambda meet the last condition once gamma/lambda is large, as the "
            "left factor tends to 1 exponentially and the curve falls like lambda/gamma; so lambda t* <= eps. A sum "
            "of modes is least no later than the last of their peaks. " + COMPARISON
        ),
        parts=(SCALED, NO_FASTER, STILL_RISES, LEARNS),
        mutants=(
            Mutant("a mode knows more", replace=(("gamma/lam", "gamma/lam**2"),)),
            Mutant("slower learning", replace=(("exp(-gamma*t)", "exp(-gamma*t/2)"),), part=1),
            Mutant("a later peak", replace=(("exp(gamma*t)*k*lam", "exp(gamma*t)*k*lam/2"),), part=2),
            Mutant("faster learning", replace=(("-(G + k*lam)*t", "-3*(G + k*lam)*t"),), part=3),
        ),
        values=lambda: {f"lambda t* (gamma/lambda = {L})": peak_time(L) for L in (2, 20, 200, 2000, 20000)},
    ),
)

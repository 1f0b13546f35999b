"""When the loss is least: the printed time against exact bounds on the peak of a mode that starts at zero."""

from __future__ import annotations

from fractions import Fraction

from flint import arb

from linreg_dyn.certify.find import by_hand, identity
from linreg_dyn.claims.core import Claim, Mutant, Part
from linreg_dyn.claims.enclosures import ball, outward
from linreg_dyn.claims.lewkowycz._bounds import (
    ASSUME,
    COMPARISON,
    DEGREES,
    GIVEN,
    K_LAM,
    LEARNS,
    NO_FASTER,
    POSITIVE,
    RUNS,
    one_degree,
    runs,
    two_runs,
)
from linreg_dyn.claims.lewkowycz._paper import MODE, given, numbers, source, then

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


PEAKS = runs(((1, 2), (4, 6, 7)), ((160, 200), (1, 2, 3)))

CLAIMS = (
    Claim(
        id="lewkowycz.min-loss-time",
        title="The loss is least at a time proportional to 1/lambda, as printed",
        statement=(
            r"\text{We expect the minimum of the empirical loss to occur at a time proportional to } \lambda^{-1}"
        ),
        source=source("section 4, after Theorem 1"),
        kind="printed",
        amended_by="lewkowycz.min-loss-time.amended",
        reading=(
            "One mode from f = 0 under MSE (gamma = 1, label 1): it rises until it meets gt/(gt + k lambda), where "
            "df/dt = 0, and falls from then on, so before the minimum f is below that and after it above. If the "
            "minimum is at c/lambda within a factor of two either way, then lambda1 t1 < 2 c < 4 lambda2 t2 for any t1 "
            "before it and t2 after it, at equal degrees. (No factor would do: lambda t* tends to zero with lambda. "
            "There are spectra for which the sentence is right: the amended claim.)"
        ),
        parts=(
            Part(
                RUNS,
                ("lam1*t1 < 4*lam2*t2",),
                two_runs("0"),
                (*POSITIVE, *DEGREES, "m1 == m2", "f1 < peak1", "f2 > peak2"),
                sample=then(PEAKS, one_degree),
            ),
        ),
        mutants=(
            Mutant("for any two degrees", replace=(("m1 == m2", "m2 >= 1"),), sample=PEAKS),
            Mutant("at c/lambda^2", replace=(("lam1*t1 < 4*lam2*t2", "lam1**2*t1 < 4*lam2**2*t2"),)),
        ),
        tries=40,
    ),
    Claim(
        id="lewkowycz.min-loss-time.amended",
        title="The loss is least at c/lambda if the spectrum scales with lambda, and earlier if it stays",
        statement=(
            r"\tau = \lambda t:\ \frac{df}{d\tau} = -\frac{\gamma}{\lambda} e^{-2(k-1)\tau} (f - y) - k f; \quad "
            r"k > 1,\ \gamma, \lambda > 0,\ f(0) = 0,\ k\lambda\, e^{\gamma t} \le \gamma_t + k\lambda "
            r"\;\Rightarrow\; t \le t_*; \quad "
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

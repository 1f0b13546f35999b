"""Functions above and below the solution of a mode, and pairs of runs, for the claims about times.

A bound on the solution of df/dt = -gt (f - 1) - k lam f (eq. 1 for one mode, label 1) is a function g that starts on
its side and satisfies the inequality Dt(g) >= -gt (g - 1) - k lam g (above) or <= (below).
"""

from __future__ import annotations

from fractions import Fraction
from random import Random
from typing import Any

from linreg_dyn.certify.find import Tactic, by_hand
from linreg_dyn.claims.core import Part, Sampler
from linreg_dyn.claims.lewkowycz._paper import KERNEL, MODE, given, numbers, solution, then

# ---------------------------------------------------------------- functions above and below a mode
GIVEN = given("real", "t", "gamma", "lam", "m")
ASSUME = ("t >= 0", "gamma >= 0", "lam > 0", "m > 0")  # hypotheses a0.0 to a3.0
TIME = (("t", "1"),)
DRAWN = {"t": (0, 2), "gamma": (0, 4), "lam": (0, 2), "m": (0, 3)}
ANY = numbers(**DRAWN)
K_LAM = ("a3.0 * a2.0", "a2.0")  # k lam = m lam + lam
COMPARISON = (
    "Where two functions start in order and one satisfies the equation of the mode, the other the inequality, they "
    "stay in order: their difference d has Dt(d) + (gt + k lam) d of one sign, so d e^{integral of gt + k lam} is "
    "monotonic."
)


def rises(x: str, *factors: str) -> list[tuple[str, str]]:
    """1 - e^-x = e^-x (e^x - 1 - x) + x e^-x as terms: x = 2 m lam t (decay), k lam t (fade) or gamma t (gain)."""
    power, products = {
        "decay": ("2*m*lam*t", (("2", "a3.0 * a2.0 * a0.0"),)),
        "fade": ("k*lam*t", (("1", "a3.0 * a2.0 * a0.0"), ("1", "a2.0 * a0.0"))),
        "gain": ("gamma*t", (("1", "a1.0 * a0.0"),)),
    }[x]
    rest = "".join(f" * {factor}" for factor in factors)
    linear = [(c, f"exp -{power} * {product}{rest}") for c, product in products]
    return [("1", f"exp -{power} * tangent {power}{rest}"), *linear]


def bound(g: str, relation: str, tactic: Tactic, *assume: str, more: str = "", sample: Sampler = ANY) -> Part:
    """g bounds a mode: from above with ">=", from below with "<="; it may have one number `more`."""
    return Part(
        GIVEN | given("real", *more),
        (f"Dt(g) {relation} -gt*(g - 1) - k*lam*g",),
        (*MODE, ("g", g)),
        (*ASSUME, *assume),
        TIME,
        (tactic,),
        sample,
    )


def _earlier(drawn: dict[str, Any]) -> dict[str, Any]:
    """G at most gamma_t: e^{-x} >= 1 - x below 1, so gamma (1 - 2 m lam t) is; 0 where that is negative."""
    share = drawn.pop("share")
    below = drawn["gamma"] * (1 - 2 * drawn["m"] * drawn["lam"] * drawn["t"])
    return {**drawn, "G": share * max(below, 0 * below)}


EARLIER = then(numbers(**DRAWN, share=(0, 1)), _earlier)

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
    more="G",
    sample=EARLIER,
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
    more="G",
    sample=EARLIER,
)
FADES = bound(
    "c*exp(-k*lam*t)",
    "<=",
    by_hand(("1", "a1.0 * a5.0 * exp -2*m*lam*t"), *rises("fade", "a1.0", "a4.0", "exp -2*m*lam*t")),
    "c >= 0",
    "c <= 1",
    more="c",
    sample=numbers(**DRAWN, c=(0, 1)),
)
# With gamma = q^2 lam and x = sqrt(gt/lam) = q e^{-m lam t}: what is left of x/2 is lam x (1 - x)^2/2.
FORGETS = Part(
    given("real", "t", "q", "lam", "m", "c"),
    ("Dt(g) >= -gt*(g - 1) - k*lam*g",),
    (("gamma", "q**2*lam"), *MODE, ("g", "c*exp(-k*lam*t) + q/2*exp(-m*lam*t)")),
    ("q >= 0", "lam > 0", "c >= 0"),
    TIME,
    (
        by_hand(
            ("1", "a2.0 * a1.0 * sq q * exp -2*m*lam*t-k*lam*t"),
            ("1/2", "a1.0 * a0.0 * exp -m*lam*t * sq 1-q*exp(-m*lam*t)"),
        ),
    ),
    numbers(t=(0, 2), q=(0, 3), lam=(0, 2), m=(0, 3), c=(0, 1)),
)


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


def runs(*runs: tuple[tuple[int, ...], tuple[int, ...]]) -> Sampler:
    """For each run gamma/lam and 16 lam t, integers among those given; m = 1 or 2."""

    def sample(rng: Random, depth: int, level: int) -> dict[str, Any]:
        out: dict[str, Any] = {}
        for n, (ratios, times) in enumerate(runs, 1):
            lam = 1 / Fraction(rng.choice(ratios))
            out |= {f"lam{n}": lam, f"m{n}": Fraction(rng.choice((1, 1, 1, 2)))}
            out[f"t{n}"] = Fraction(rng.choice(times), 16) / lam
        return out

    return sample


def one_degree(drawn: dict[str, Any]) -> dict[str, Any]:
    return {**drawn, "m2": drawn["m1"]}


RUNS = given("real", "lam1", "m1", "t1", "lam2", "m2", "t2")
POSITIVE = tuple(f"{name}{n} > 0" for n in "12" for name in ("lam", "t"))
DEGREES = ("m1 >= 1", "m2 >= 1")

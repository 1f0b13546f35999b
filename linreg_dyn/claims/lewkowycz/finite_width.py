"""Whether the function of a wide but finite network decays: one hidden linear layer, one sample x = y = 1, MSE.

f = a u.v with a = 1/sqrt(n), so that gradient flow is u' = -lam u - a (f - 1) v, and the same with u and v exchanged.
"""

from __future__ import annotations

from fractions import Fraction
from random import Random
from typing import Any

from linreg_dyn.certify.find import by_hand, identity, mean
from linreg_dyn.claims import falsify
from linreg_dyn.claims.core import Claim, Mutant, Part, Sampler
from linreg_dyn.claims.lewkowycz._paper import given, numbers, source


def _vectors(inside: int) -> Sampler:
    """u and v of any length, f below 0 (inside = -1), in [0, 1] (1) or anywhere (0); a < lam and lam < a."""

    def sample(rng: Random, depth: int, level: int) -> dict[str, Any]:
        out: dict[str, Any] = {n: [falsify.signed(rng, level) for _ in range(rng.randint(1, 3))] for n in "u"}
        out |= {n: abs(falsify.signed(rng, level)) for n in ("a", "n", "lam")}
        near = inside or rng.choice((1, -1))
        out["v"] = [near * x * (1 + rng.choice((0, 1)) * falsify.rational(rng, 0, 1, level)) for x in out["u"]]
        f = out["a"] * out["n"] * sum(x * y for x, y in zip(out["u"], out["v"], strict=True)) / len(out["u"])
        return out | ({"a": out["a"] * falsify.rational(rng, 0, 1, level) / f} if inside == 1 else {})

    return sample


def _part(inside: int, conclude: str, pointwise: str, terms: tuple[tuple[str, str], ...], *assume: str) -> Part:
    """A bound along the flow of any width, u.v being n Mean(u v), that is the mean of what is positive."""
    return Part(
        given("sample", "u", "v") | given("real", "a", "n", "lam"),
        (conclude,),
        (
            ("f", "a*n*Mean(u*v)"),
            ("du", "-lam*u - a*(f - 1)*v"),
            ("dv", "-lam*v - a*(f - 1)*u"),
            ("norm", "n*Mean(u**2 + v**2)"),
        ),
        ("a > 0", "n > 0", *assume),
        tactics=(mean(pointwise, by_hand(*terms)),),
        sample=_vectors(inside),
    )


DECAYS = _part(
    0,
    "n*Mean(2*u*du + 2*v*dv) <= -2*(lam - a)*norm - 4*f**2",
    "2*a*n*(u - v)**2",
    (("2", "a0.0 * a1.0 * sq u-v"),),
)
LEAVES = _part(  # in the direction u + v, as long as f <= 0
    -1,
    "n*Mean(2*(u + v)*(du + dv)) >= 2*(a - lam)*n*Mean((u + v)**2)",
    "2*a*n*(-f)*(u + v)**2",
    (("2", "a0.0 * a1.0 * a2.0 * sq u+v"),),
    "f <= 0",
)
RISES = _part(
    1,
    "a*n*Mean(du*v + u*dv) >= 2*f*(a*(1 - f) - lam)",
    "a**2*n*(1 - f)*(u - v)**2",
    (("1", "a0.0 * a0.0 * a1.0 * a3.0 * sq u-v"),),
    "f >= 0",
    "f <= 1",
)

# ---------------------------------------------------------------- from u = v, |u|^2 = sqrt(n): f(0) = 1
BALANCED = "(a - lam)/(a - lam*exp(-2*(a - lam)*t))"
EXACT = Part(
    given("real", "t", "a", "lam"),
    ("Dt(f) == 2*f*(a*(1 - f) - lam)", "start == 1"),
    (("f", BALANCED), ("start", BALANCED.replace("*t)", "*0)"))),
    rates=(("t", "1"),),
    tactics=(identity(), identity()),
    sample=numbers(t=(0, 2), a=(0, 1), lam=(1, 2)),
)


def _widths(rng: Random, depth: int, level: int) -> dict[str, Any]:
    """sqrt(n) from 100 on, lambda sqrt(n) from 1/4 to 4, t up to 16 sqrt(n)."""
    root = Fraction(rng.choice((100, 128, 256, 1000)))
    times = Fraction(rng.choice((1, 2, 3, 5, 6, 8, 16)), 4)
    return {"root": root, "lam": times / root, "t": rng.randint(0, 16) * root}


CLAIMS = (
    Claim(
        id="lewkowycz.finite-width-late",
        title="At large but finite width the function does not decay to zero, as printed",
        statement=(
            r"\text{At large but finite width we expect (1) to be a good description of the training trajectory at "
            r"early times } [\ldots] \text{ but at late times the function will not decay to zero}"
        ),
        source=source("section 4, Finite-width network"),
        kind="printed",
        amended_by="lewkowycz.finite-width-late.amended",
        reading=(
            "Of every width n >= 10^4 and lambda > 0, for the deep linear models to which the paragraph refers: L = 1, "
            "one sample x = y = 1, MSE, NTK parameterisation, from a trained network (u = v, f = 1), where f is known "
            "in closed form: never below a hundredth. It falls below any share for lambda sqrt(n) > 1, which at fixed "
            "lambda every large width has. The experiment of Fig. 5c (n = 10^5, lambda = 0.002) would here be on the "
            "other side, lambda sqrt(n) = 0.63."
        ),
        parts=(
            Part(
                given("real", "t", "root", "lam"),
                ("f >= 1/100",),
                (("a", "1/root"), ("f", BALANCED)),
                ("t >= 0", "lam > 0", "root >= 100"),
                sample=_widths,
            ),
        ),
        mutants=(
            Mutant("above one half", replace=((">= 1/100", ">= 1/2"),)),
            Mutant("it stays", replace=(("f >= 1/100", "f == 1"),)),
        ),
    ),
    Claim(
        id="lewkowycz.finite-width-late.amended",
        title="At finite width the function decays to zero if lambda exceeds n^(-1/2), and stays if it is below",
        statement=(
            r"L = 1,\ x = y = 1, \text{ MSE}: \quad \lambda \sqrt n > 1: \ \|\theta_t\|^2 \le "
            r"e^{-2(\lambda - 1/\sqrt n)\, t} \|\theta_0\|^2, \ f_t \to 0; \quad "
            r"\lambda \sqrt n < 1: \ f_t \to 1 - \lambda \sqrt n \text{ unless } W^0 + (W^1)^T = 0 \text{ at } t = 0"
        ),
        source=source("section 4, Finite-width network; section B.1"),
        kind="amended",
        amends="lewkowycz.finite-width-late",
        depths=(1,),
        reading=(
            "Along gradient flow at every width, u = W^1, v = W^0: (1) the norm's rate; (2) while f <= 0, u + v grows "
            "at a rate of a - lambda, a = n^{-1/2}; (3) for 0 <= f <= 1, f' >= 2 f (a (1 - f) - lambda), with "
            "equality at u = v, where (4) is f from 1. So a limit n to infinity at fixed lambda is that of Theorem 2, "
            "and at fixed n a small lambda leaves 1 - lambda sqrt(n) of the label. For L >= 2 the nontrivial fixed "
            "points end in the same way, at lambda^(L+1) n^L = const: lewkowycz.dln-fixed-point-scaling.amended."
        ),
        argument=(
            "|f| <= a |theta|^2/2, so that f vanishes with the norm. For lambda < a: the norm falls while f <= 0 "
            "(|theta|^2' = -2 lambda |theta|^2 - 4 (f - 1) f), u + v cannot grow for ever, so f becomes positive; from "
            "then on it stays above the smaller of what it was and 1 - lambda/a, by (3). A bounded gradient flow of a "
            "polynomial converges to a fixed point, and the only one with f > 0 has f = 1 - lambda sqrt(n) "
            "(lewkowycz.dln-fixed-point-l1.amended)."
        ),
        parts=(DECAYS, LEAVES, RISES, EXACT),
        mutants=(
            Mutant("at twice the rate", replace=(("-2*(lam - a)", "-4*(lam - a)"),)),
            Mutant("as if without the label", replace=(("-2*(lam - a)", "-2*lam"),)),
            Mutant("it leaves faster", replace=((">= 2*(a - lam)", ">= 3*(a - lam)"),), part=1),
            Mutant("f of any sign", drop=2, part=1, sample=_vectors(0)),
            Mutant("f rises faster", replace=((">= 2*f", ">= 3*f"),), part=2),
            Mutant("f above 1", drop=3, part=2, sample=_vectors(0)),
            Mutant("another rate", replace=(("exp(-2*(a - lam)*t)", "exp(-(a - lam)*t)"),), part=3),
        ),
    ),
)

"""Supplement B.1: how the fixed points of deep linear networks scale with the width, for one sample and every depth.

L is the number of hidden layers; one sample x = y = 1 under MSE, so that S20 reads `rho = f^(L-1) (1-f)^(L+1)` with
`rho = lambda^(L+1)/beta^2`.
"""

from __future__ import annotations

from fractions import Fraction
from random import Random
from typing import Any

import sympy as sp

from linreg_dyn.certify.find import Axis, identity, positive
from linreg_dyn.claims import enclosures, falsify
from linreg_dyn.claims.core import Claim, Mutant, Part
from linreg_dyn.claims.lewkowycz._paper import numbers, source
from linreg_dyn.claims.lewkowycz.deep_linear import MATRICES

F = sp.Symbol("f")
UNIT = (Fraction(0), Fraction(1))
HIDDEN = (2, 3, 4, 5, 6)


def fold(L: int) -> tuple[Fraction, Fraction]:
    """(f, rho) at the maximum of `rho = f^(L-1) (1-f)^(L+1)`, the right side of S20 for one sample x = y = 1."""
    f = Fraction(L - 1, 2 * L)
    return f, f ** (L - 1) * (1 - f) ** (L + 1)


def rho(L: int, f: str = "f") -> str:
    """The right side of S20 for one sample x = y = 1 under MSE: (-l' f)^(L-1) l'^2 with l' = f - 1."""
    return f"(-({f} - 1)*{f})**{L - 1}*({f} - 1)**2"


def _at_most(L: int) -> Part:
    """rho <= its maximum, as a square times what is positive on (0, 1)."""
    f, top = fold(L)
    rest = sp.Rational(top) - F ** (L - 1) * (1 - F) ** (L + 1)
    quotient, remainder = sp.div(sp.Poly(sp.expand(rest), F), sp.Poly((F - sp.Rational(f)) ** 2, F))
    assert remainder.is_zero
    axis = Axis("f", "a0.0", "a0.1", degree=6 * L)
    square = (str(quotient.as_expr()), f"sq f - {f}")
    return Part(
        {"f": "real"},
        (f"{rho(L)} <= {top}",),
        assume=("0 < f < 1",),
        tactics=(positive(axis, squares=(square,)),),
        sample=numbers(f=UNIT),
    )


_BELOW_ONE = Part(
    {"f": "real"},
    (f"{rho(1)} < 1",),
    assume=("0 < f < 1",),
    tactics=(positive(Axis("f", "a0.0", "a0.1")),),
    sample=numbers(f=UNIT),
)
_TURNS = Part(
    {"f": "real", "L": "real"},
    ("((L - 1)/f - (L + 1)/(1 - f))*(f*(1 - f)) == (L - 1) - 2*L*f",),
    tactics=(identity(),),
)


def _attained(L: int) -> Part:
    f, top = fold(L)
    return Part({}, (f"{rho(L, f'({f})')} == {top}",), tactics=(identity(),))


def _branch(L: int, stable: bool) -> Part:
    """On its side of the fold, what is left of l' (or of f) is bounded by rho."""
    f, _ = fold(L)
    if stable:
        inside, claim = f"{f} <= f < 1", f"(1 - f)**{L + 1}*({f})**{L - 1} <= {rho(L)}"
    else:
        inside, claim = f"0 < f <= {f}", f"f**{L - 1}*({1 - f})**{L + 1} <= {rho(L)}"
    low, high = (f, Fraction(1)) if stable else (Fraction(0), f)
    return Part(
        {"f": "real"},
        (claim,),
        assume=(inside,),
        tactics=(positive(Axis("f", "a0.0", "a0.1")),),
        sample=numbers(f=(low, high)),
    )


def _curvature(L: int) -> Part:
    """The loss along balanced weights s: its curvature at a fixed point has the sign of f - (L - 1)/(2 L)."""
    d = L + 1
    return Part(
        {"s": "real", "beta": "real", "lam": "real"},
        (f"D(D(E, s), s) == {d}*(f/s**2)*({2 * L}*f - {L - 1})",),
        (("f", f"beta*s**{d}"), ("E", f"(f - 1)**2/2 + lam/2*({d}*s**2)")),
        (f"lam == (1 - f)*beta*s**{L - 1}",),
        tactics=(identity(a0_0=str(d)),),
        sample=lambda rng, depth, level: _balanced(rng, level, L),
    )


def _balanced(rng: Random, level: int, L: int) -> dict[str, Any]:
    s, beta = falsify.signed(rng, level), falsify.signed(rng, level)
    return {"s": s, "beta": beta, "lam": (1 - beta * s ** (L + 1)) * beta * s ** (L - 1)}


def _loose_scalars(rng: Random, level: int) -> dict[str, Any]:
    return {k: falsify.signed(rng, level) for k in ("s", "beta", "lam")}


CLAIMS = (
    Claim(
        id="lewkowycz.dln-fixed-point-scaling",
        title="Whether lambda of order n^(-L/(L+1)) gives a nontrivial fixed point, as printed",
        statement=(
            r"\text{In NTK normalization } \beta^2 = n^{-L}, \text{ for } \lambda = \theta(n^{-\frac{L}{L+1}}), "
            r"\text{ we will get a non-trivial } (f(x) \ne 0) \text{ fixed point}"
        ),
        source=source("after eq. S20, section B.1"),
        kind="printed",
        amended_by="lewkowycz.dln-fixed-point-scaling.amended",
        reading=(
            "For every constant C in lambda = C n^(-L/(L+1)), as theta(.) says; that the power is right is part of the "
            "amended claim. At L = 1 with one sample x = y = 1 under MSE, S20 is (f - 1)^2 = C^2. The root 1 + C has "
            "f~ < 0, which S19 excludes; the root 1 - C must have f~ > 0, and has not for C >= 1."
        ),
        parts=(
            Part(
                {"C": "real"},
                ("(1 - f)*f > 0",),
                (("f", "1 - C"), ("other", "1 + C")),
                ("C > 0", "(other - 1)**2 == C**2", "(f - 1)**2 == C**2", "(1 - other)*other < 0"),
                sample=numbers(C=(0, 3)),
            ),
        ),
        mutants=(
            Mutant("the other root", replace=(("(1 - f)*f > 0", "(1 - other)*other > 0"),)),
            Mutant("f~ negative", replace=(("(1 - f)*f > 0", "(1 - f)*f < 0"),)),
        ),
    ),
    Claim(
        id="lewkowycz.dln-fixed-point-scaling.amended",
        title="For which lambda there is a nontrivial fixed point: one sample, every depth and width",
        statement=(
            r"x = y = 1,\ \lambda > 0, \text{ MSE: a non-trivial fixed point exists if and only if } "
            r"\frac{\lambda^{L+1}}{\beta^2} "
            r"< 1 \ (L = 1), \quad \frac{\lambda^{L+1}}{\beta^2} \le \Big(\frac{L-1}{2L}\Big)^{L-1} "
            r"\Big(\frac{L+1}{2L}\Big)^{L+1} \ (L \ge 2)"
        ),
        source=source("after eq. S20, section B.1"),
        kind="amended",
        amends="lewkowycz.dln-fixed-point-scaling",
        reading=(
            "In NTK normalization the left side is lambda^(L+1) n^L: the scaling is right, with a largest constant. "
            "Parts: the bound for L = 1; for L = 2, ..., 6 the bound and that f = (L - 1)/(2 L) attains it; for every "
            "L the derivative of log rho, which tells where rho = f^(L-1) (1 - f)^(L+1) rises and falls. For any "
            "data: linreg_dyn.ntk.critical_l2."
        ),
        argument=(
            "f~ > 0 means 0 < f < 1. rho is continuous with rho(1) = 0, so it takes every value up to its maximum; it "
            "has its only turning point at f = (L - 1)/(2 L), where the last part changes sign; for L = 1 it falls "
            "from 1. Conversely f gives s by f = beta s^(L+1), and with it weights at which S13 holds. " + MATRICES
        ),
        parts=(
            _BELOW_ONE,
            *(_at_most(L) for L in HIDDEN),
            *(_attained(L) for L in HIDDEN),
            _TURNS,
        ),
        mutants=(
            Mutant("a smaller constant for L = 1", replace=(("< 1", "< 3/4"),)),
            Mutant("a smaller constant for L = 2", replace=(("<= 27/256", "<= 26/256"),), part=1),
            Mutant("one power of f (1 - f) less for L = 3", replace=((")**2*(", ")**1*("),), part=2),
            Mutant("another turning point", replace=(("- 2*L*f", "- L*f"),), part=1 + 2 * len(HIDDEN)),
        ),
        values=lambda: {f"rho_c (L = {L})": enclosures.exact(fold(L)[1]) for L in (1, *HIDDEN)},
    ),
    Claim(
        id="lewkowycz.dln-fixed-point-small",
        title="Fixed points for lambda of smaller order, as printed",
        statement=(
            r"\text{If } \frac{\lambda^{L+1}}{\beta^2} \ne \Omega(n^0), \text{ we expect that we get the } \lambda = 0 "
            r"\text{ solution } \ell'(x, y) = 0"
        ),
        source=source("after eq. S20, section B.1"),
        kind="printed",
        amended_by="lewkowycz.dln-fixed-point-small.amended",
        reading=(
            "As rho = lambda^(L+1)/beta^2 tends to 0, l' tends to 0 at all nontrivial fixed points, of which the "
            "paper speaks without asking which attract. At L = 2 with one sample x = y = 1: for some delta in (0, 1], "
            "rho < delta would have to give |l'| < 1/2. The f below has rho < delta and |l'| = 1/(1 + delta) >= 1/2, "
            "for every delta. At the one that attracts the expectation is right: the amended claim."
        ),
        parts=(
            Part(
                {"delta": "real"},
                ("(f - 1)**2 < 1/4",),
                (("f", "delta/(1 + delta)"), ("rho", rho(2))),
                ("0 < delta <= 1", "0 < f < 1", "rho < delta"),
                sample=lambda rng, depth, level: {"delta": Fraction(1, rng.randint(1, 2**level))},
            ),
        ),
        mutants=(
            Mutant("l' below a tenth", replace=(("< 1/4", "< 1/100"),)),
            Mutant("f small instead", replace=(("(f - 1)**2 < 1/4", "f**2 < 1/9"),)),
        ),
    ),
    Claim(
        id="lewkowycz.dln-fixed-point-small.amended",
        title="Which fixed points tend to the unregularised solution: those that attract",
        statement=(
            r"x = y = 1,\ \lambda > 0, \text{ MSE, } \frac{\lambda^{L+1}}{\beta^2} \to 0: \text{ at the stable "
            r"non-trivial fixed "
            r"point } \ell' \to 0; \text{ for } L \ge 2 \text{ there is another, a saddle, where } f \to 0"
        ),
        source=source("after eq. S20, section B.1"),
        kind="amended",
        amends="lewkowycz.dln-fixed-point-small",
        reading=(
            "f_c = (L - 1)/(2 L). For f >= f_c: (1 - f)^(L+1) <= rho/f_c^(L-1), so l' = f - 1 tends to 0; for f <= "
            "f_c: f^(L-1) <= rho/(1 - f_c)^(L+1). For L = 2, ..., 6. Then the curvature of the loss along balanced "
            "weights s, L = 1, ..., 6: positive exactly for f > f_c (and for every f > 0 at L = 1)."
        ),
        argument=(
            "rho falls from its maximum to 0 on either side of f_c, so there is one fixed point on each side for every "
            "smaller rho, and only the upper one for L = 1. " + MATRICES
        ),
        depths=(1, *HIDDEN),
        parts=(
            *(_branch(L, True) for L in HIDDEN),
            *(_branch(L, False) for L in HIDDEN),
            *(_curvature(L) for L in (1, *HIDDEN)),
        ),
        mutants=(
            Mutant("below the fold too", replace=(("1/4 <= f", "1/16 <= f"),), sample=numbers(f=(Fraction(1, 16), 1))),
            Mutant("the curvature of the other sign", replace=(("4*f - 1", "1 - 4*f"),), part=2 * len(HIDDEN) + 1),
            Mutant("not at a fixed point", drop=0, part=2 * len(HIDDEN), sample=lambda r, d, v: _loose_scalars(r, v)),
        ),
    ),
)

"""Eq. S21: the fixed point of a network with one hidden layer, one sample x = y = 1 and MSE, and its sign."""

from __future__ import annotations

from fractions import Fraction
from random import Random
from typing import Any

from linreg_dyn.certify.find import by_hand, have, identity
from linreg_dyn.claims import falsify
from linreg_dyn.claims.core import Claim, Mutant, Part
from linreg_dyn.claims.lewkowycz._paper import source

ROOTS = (1, 2)  # sqrt(n): widths 1 and 4


def _where(root: int) -> tuple[tuple[str, str], ...]:
    return ("f", f"Sum(u*v)/{root}"), ("k", f"(1 - f)/{root}")


def _fixed(root: int) -> tuple[str, ...]:
    """S11 at a fixed point, entry by entry, with beta = 1/sqrt(n) and l' = f - 1."""
    n = root**2
    return (*(f"lam*u[{j}] == k*v[{j}]" for j in range(n)), *(f"lam*v[{j}] == k*u[{j}]" for j in range(n)))


def _sample(root: int) -> Any:
    """u = v, all of it in one entry or spread; f = |u|^2/root in (0, 1), and the lambda that belongs to it."""

    def sample(rng: Random, depth: int, level: int) -> dict[str, Any]:
        s, n = falsify.rational(rng, 0, 1, level), root**2
        u = [s] + [Fraction(0)] * (n - 1) if rng.random() < 0.5 else [s / root] * n
        f = sum(x * x for x in u) / root
        return {"u": u, "v": u, "lam": (1 - f) / root}

    return sample


def _weights(root: int) -> dict[str, str]:
    return {"u": f"vector:{root**2}", "v": f"vector:{root**2}", "lam": "real"}


def _printed(root: int) -> Part:
    assume = ("lam > 0", "f != 0", *_fixed(root))
    return Part(_weights(root), (f"lam*{root} == f - 1",), _where(root), assume, sample=_sample(root))


def _sign(root: int) -> Part:
    """lambda |v|^2 = (1 - f) f: so f lies between 0 and 1."""
    n = root**2
    return Part(
        _weights(root),
        ("lam*Sum(v*v) == (1 - f)*f",),
        _where(root),
        _fixed(root),
        tactics=(identity(**{f"a{n + j}_0": f"v[{j}]" for j in range(n)}),),
        sample=_sample(root),
    )


def _amended(root: int) -> Part:
    """From sum v_j (lam E_j + k G_j) = (lam^2 - k^2) root f, E and G the two layers' equations."""
    n, below = root**2, "f*(lam + k)"
    cofactors = {f"a{3 + j}_0": f"lam*v[{j}]/({below})" for j in range(n)}
    cofactors |= {f"a{3 + n + j}_0": f"k*v[{j}]/({below})" for j in range(n)}
    positive_sum = by_hand(("1", "a0.0"), (f"1/{root}", "a2.0"))
    return Part(
        _weights(root),
        (f"lam*{root} == 1 - f",),
        _where(root),
        ("lam > 0", "f > 0", "f < 1", *_fixed(root)),
        tactics=(
            have(
                f"0 < f*({root}*lam + 1 - f)/{root}",
                by_hand(("1", "a0.0 * a1.0"), (f"1/{root}", "a1.0 * a2.0")),
                have("0 < lam + k", positive_sum, identity(**cofactors), name="sum"),
                name="product",
            ),
        ),
        sample=_sample(root),
    )


CLAIMS = (
    Claim(
        id="lewkowycz.dln-fixed-point-l1",
        title="The fixed point for one hidden layer and one sample, as printed",
        statement=r"L = 1,\ x = y = 1, \text{ MSE: the fixed point has a logit } \lambda \sqrt n = f - 1",
        source=source("eq. S21, section B.1"),
        kind="printed",
        depths=(1,),
        amended_by="lewkowycz.dln-fixed-point-l1.amended",
        reading=(
            "Widths n = 1 and 4, all weights: u is W^1, v is W^0, both equations of S11 hold with Delta W = 0, lambda "
            "> 0 and f is not zero. S20 at L = 1 reads (f - 1)^2 = lambda^2 n; the printed root is the one without "
            "weights."
        ),
        parts=tuple(_printed(root) for root in ROOTS),
        mutants=(
            Mutant("half of it", replace=(("== f - 1", "== (f - 1)/2"),)),
            Mutant("f + 1", replace=(("== f - 1", "== f + 1"),), part=1),
        ),
    ),
    Claim(
        id="lewkowycz.dln-fixed-point-l1.amended",
        title="The fixed point for one hidden layer and one sample",
        statement=(
            r"L = 1,\ x = y = 1,\ \lambda > 0, \text{ MSE: every fixed point with } f \ne 0 \text{ has } 0 < f < 1 "
            r"\text{ and } "
            r"\lambda \sqrt n = 1 - f; \text{ there is one if and only if } \lambda \sqrt n < 1"
        ),
        source=source("eq. S21, section B.1"),
        kind="amended",
        depths=(1,),
        amends="lewkowycz.dln-fixed-point-l1",
        reading=(
            "Widths 1 and 4. First lambda |v|^2 = (1 - f) f, so that f is in (0, 1) for lambda > 0 (v = 0 would make "
            "f = 0); with that, the equation. So f differs from 0 and 1 as n grows only if lambda^2 n stays fixed "
            "below 1."
        ),
        argument=(
            "Other widths have more entries that enter alike. For lambda sqrt(n) < 1 weights u = v with |u|^2 = "
            "sqrt(n) f are such a fixed point; otherwise f would not be positive."
        ),
        parts=(*(_sign(root) for root in ROOTS), *(_amended(root) for root in ROOTS)),
        mutants=(
            Mutant("as printed", replace=(("== 1 - f", "== f - 1"),), part=2),
            Mutant("width 4 as if 1", replace=(("lam*2 ==", "lam =="),), part=3),
            Mutant("lambda |v|^2 = f", replace=(("== (1 - f)*f", "== f"),)),
        ),
    ),
)

"""Eq. 1 at late times for other losses than MSE: what is convex and bounded below lets the function decay."""

from __future__ import annotations

from fractions import Fraction
from random import Random
from typing import Any

from linreg_dyn.certify.find import by_hand, identity
from linreg_dyn.claims import falsify
from linreg_dyn.claims.core import Claim, Mutant, Part
from linreg_dyn.claims.lewkowycz._paper import given, numbers, source

# f = K c + p at three points: the rates of c and p make f flow by eq. 1, E = e^{-2 (k - 1) lam t}, r = l'(f).
KERNEL = ("k00", "k01", "k02", "k11", "k12", "k22")
ROWS = ("[k00, k01, k02]", "[k01, k11, k12]", "[k02, k12, k22]")
VECTORS = ("c", "p", "r", "here", "there")
FLOW = (("c", "-E*r - k*lam*c"), ("p", "-k*lam*p"))


def _losses(convex: int = 3) -> Any:
    """Losses through (f, here) with slope r, `there` at p: the first `convex` of them convex."""

    def sample(rng: Random, depth: int, level: int) -> dict[str, Any]:
        out: dict[str, Any] = {n: falsify.signed(rng, level) for n in KERNEL}
        out |= {n: [falsify.signed(rng, level) for _ in range(3)] for n in ("c", "p", "r")}
        out |= {n: abs(falsify.signed(rng, level)) for n in ("E", "k", "lam")}
        rows = [[out[n] for n in row.strip("[]").split(", ")] for row in ROWS]
        steps = [-sum((a * b for a, b in zip(row, out["c"], strict=True)), Fraction(0)) for row in rows]
        tangent = [slope * step for slope, step in zip(out["r"], steps, strict=True)]
        out["here"] = [max(Fraction(0), -x) * rng.choice((1, 2)) for x in tangent]
        above = [rng.choice((0, 1)) if j < convex else -1 for j in range(3)]
        out["there"] = [h + x + more for h, x, more in zip(out["here"], tangent, above, strict=True)]
        return out

    return sample


def _bottomless(rng: Random, depth: int, level: int) -> dict[str, Any]:
    """The first loss below zero, the others above."""
    out = _losses()(rng, depth, level)
    depth_of_it = out["here"][0] + rng.randint(1, 9)
    return out | {n: [out[n][0] - depth_of_it, *out[n][1:]] for n in ("here", "there")}


_CONVEX = tuple(f"there[{j}] >= here[{j}] + r[{j}]*(p[{j}] - f[{j}])" for j in range(3))
_POSITIVE = tuple(f"here[{j}] >= 0" for j in range(3))
LYAPUNOV = Part(
    given("real", "E", "k", "lam", *KERNEL) | given("vector:3", *VECTORS),
    (
        *(f"Dt(f[{j}]) == -E*Sum({row}*r) - k*lam*f[{j}]" for j, row in enumerate(ROWS)),
        "Dt(V) <= 2*E*Sum(there) - 2*k*lam*V",
    ),
    (("f", "[" + ", ".join(f"Sum({row}*c) + p[{j}]" for j, row in enumerate(ROWS)) + "]"), ("V", "Sum(c*(f - p))")),
    ("E > 0", *_CONVEX, *_POSITIVE),
    rates=FLOW,
    tactics=(*(identity(),) * 3, by_hand(*(("2", f"a0.0 * a{j}.0") for j in range(1, 7)))),
    sample=_losses(),
)
BOUND = Part(
    given("real", "t", "k", "lam", "M"),
    ("Dt(bound) == 2*exp(-2*(k - 1)*lam*t)*M - 2*k*lam*bound", "start == 0"),
    (
        ("bound", "M/lam*(exp(-2*(k - 1)*lam*t) - exp(-2*k*lam*t))"),
        ("start", "M/lam*(exp(-2*(k - 1)*lam*0) - exp(-2*k*lam*0))"),
    ),
    ("lam > 0",),
    (("t", "1"),),
    (identity(), identity()),
    numbers(t=(0, 2), k=(1, 4), lam=(0, 2), M=(0, 4)),
)


def _eigenvalues(rng: Random, depth: int, level: int) -> dict[str, Any]:
    values = [abs(falsify.signed(rng, level)) * rng.choice((0, 1, 1)) for _ in range(3)]
    return {"values": values, "c": [falsify.signed(rng, level) for _ in range(3)], "top": max(values)}


MODES = Part(  # of K, with c in the basis of its eigenvectors
    {"values": "vector:3", "c": "vector:3", "top": "real"},
    ("Sum((values*c)**2) <= top*Sum(values*c**2)",),
    assume=tuple(f"0 <= values[{j}] <= top" for j in range(3)),
    tactics=(by_hand(*(("1", f"a{j}.0 * a{j}.1 * sq c[{j}]") for j in range(3))),),
    sample=_eigenvalues,
)

CLAIMS = (
    Claim(
        id="lewkowycz.decay-any-loss",
        title="For commonly used losses the function decays to zero if k > 1",
        statement=(
            r"\text{For commonly used loss functions, and for } k > 1, \text{ we expect that the solution obeys } "
            r"\lim_{t \to \infty} f_t(x) = 0"
        ),
        source=source("section 4, after Theorem 1"),
        kind="printed",
        reading=(
            "The solution of eq. 1 for lambda > 0 and a semi-definite kernel, any differentiable convex loss that is "
            "bounded below, so that it may be taken >= 0: MSE, cross-entropy, the logistic loss. With M = the sum over "
            "the samples of max(l(0), l(f_0)) and gamma the largest eigenvalue, |f_t - e^{-k lambda t} f_0|^2 <= "
            "gamma (M/lambda)(e^{-2 (k - 1) lambda t} - e^{-2 k lambda t}), which tends to zero for every k > 1 and "
            "need not at k = 1 (lewkowycz.k1-ridge). A point outside the training set is one more with l = 0."
        ),
        argument=(
            "f = K c + p with c_0 = 0, p = e^{-k lambda t} f_0; V = c.K c. Part 1, where `here` and `there` are the "
            "losses at f and at p: convexity bounds V' by the losses at p, each at most max(l(0), l(f_0)) as p lies "
            "between f_0 and 0. So V' <= 2 e^{-2 (k - 1) lambda t} M - 2 k lambda V, V stays below the solution of "
            "the equation from 0 (part 2), and |K c|^2 <= gamma V (part 3). Bounded f keeps the solution from ending. "
            "More samples add terms like those of the three."
        ),
        parts=(LYAPUNOV, BOUND, MODES),
        mutants=(
            Mutant("half the losses", replace=(("2*E*Sum(there)", "E*Sum(there)"),)),
            Mutant("a faster decay", replace=(("- 2*k*lam*V", "- 3*k*lam*V"),)),
            Mutant("a loss that is not convex", drop=3, sample=_losses(convex=2)),
            Mutant("a loss that is not bounded below", drop=4, sample=_bottomless),
            Mutant("the bound at the rate of f", replace=(("(exp(-2*(k - 1)*lam*t)", "(exp(-2*k*lam*t)"),), part=1),
            Mutant("half the eigenvalue", replace=(("top*Sum", "top/2*Sum"),), part=2),
        ),
    ),
)

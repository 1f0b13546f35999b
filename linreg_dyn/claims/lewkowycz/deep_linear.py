"""Supplement B.1: fixed points of deep linear networks under L2 (eqs. S11 to S20).

L is the number of hidden layers, as in the paper: the network is `f(x) = beta W^L ... W^0 x`.
"""

from __future__ import annotations

from fractions import Fraction
from random import Random
from typing import Any

from linreg_dyn.certify.find import identity
from linreg_dyn.claims import falsify
from linreg_dyn.claims.core import Claim, Mutant, Part
from linreg_dyn.claims.lewkowycz._paper import source

MATRICES = (
    "At a fixed point W_{l+1}^T W_{l+1} = W_l W_l^T, so all layers have rank one and one singular value, aligned; "
    "across the rotations of the hidden layers the Hessian of all the matrices has one eigenvalue that can be "
    "negative, that of the scalar problem (linreg_dyn.ntk.deep_linear derives it, its tests compare with whole "
    "Hessians)."
)


# ---------------------------------------------------------------- S13 to S19
def _vectors(*names: str) -> Any:
    """Vectors of one length, reals of any sign, and q = n Mean(a c) with a = P c."""

    def sample(rng: Random, depth: int, level: int) -> dict[str, Any]:
        out: dict[str, Any] = {n: falsify.signed(rng, level) for n in ("n", "P", "b")}
        out["c"] = [falsify.signed(rng, level) for _ in range(rng.randint(1, 3))]
        out["q"] = out["n"] * out["P"] * sum(x * x for x in out["c"]) / len(out["c"])
        return {name: out[name] for name in names}

    return sample


_S15 = Part(
    {"a": "sample", "u": "sample", "v": "sample", "x": "vector:2", "z": "vector:2"}
    | dict.fromkeys(("r1", "r2", "n", "beta", "lam"), "real"),
    ("n*Mean(a*hat) == -(r1*f1 + r2*f2)/lam",),
    (
        ("f1", "beta*n*(Mean(a*u)*x[0] + Mean(a*v)*x[1])"),
        ("f2", "beta*n*(Mean(a*u)*z[0] + Mean(a*v)*z[1])"),
        ("hat", "-(beta/lam)*(u*(r1*x[0] + r2*z[0]) + v*(r1*x[1] + r2*z[1]))"),
    ),
    tactics=(identity(),),
    sample=lambda rng, depth, level: (
        {k: [falsify.signed(rng, level) for _ in range(depth)] for k in "auv"}
        | {k: [falsify.signed(rng, level) for _ in range(2)] for k in "xz"}
        | {k: falsify.signed(rng, level) for k in ("r1", "r2", "n", "beta", "lam")}
    ),
)
_S18 = Part(
    {"c": "sample", "b": "real", "P": "real", "q": "real", "n": "real"},
    ("n*Mean(a*column) == P*q*b",),
    (("a", "P*c"), ("column", "a*b")),
    ("q == n*Mean(a*c)",),
    tactics=(identity(a0_0="-P*b"),),
    sample=_vectors("c", "b", "P", "q", "n"),
)
_S19 = Part(
    {"c": "sample", "P": "real", "q": "real", "n": "real"},
    ("q == P*(n*Mean(c*c))",),
    (("a", "P*c"),),
    ("q == n*Mean(a*c)",),
    tactics=(identity(a0_0="1"),),
    sample=_vectors("c", "P", "q", "n"),
)
# Entries of the gradient of f by each of three layers (L = 2, n = 2, one input): top row, middle matrix, first column.
_S11 = Part(
    {"p": "vector:2", "m": "vector:4", "w": "vector:2", "x": "real", "beta": "real"},
    (
        *(f"D(f, p[{a}]) == beta*(m[{2 * a}]*w[0] + m[{2 * a + 1}]*w[1])*x" for a in range(2)),
        *(f"D(f, m[{2 * a + b}]) == beta*p[{a}]*w[{b}]*x" for a in range(2) for b in range(2)),
        *(f"D(f, w[{b}]) == beta*(p[0]*m[{b}] + p[1]*m[{2 + b}])*x" for b in range(2)),
    ),
    (("f", "beta*(p[0]*(m[0]*w[0] + m[1]*w[1]) + p[1]*(m[2]*w[0] + m[3]*w[1]))*x"),),
    tactics=(identity(),) * 8,
)
_WIDTH_ONE = Part(
    {"w": "layers"} | dict.fromkeys(("r", "x", "beta", "lam"), "real"),
    ("w**2 == -(r*beta*W*x)/lam",),
    (("W", "Prod(w)"),),
    ("lam*w == -beta*(W/w)*r*x",),
    tactics=(identity(a0_0="w/lam"),),
    sample=lambda rng, depth, level: _width_one(rng, depth, level),
)


def _width_one(rng: Random, depth: int, level: int) -> dict[str, Any]:
    s, out = abs(falsify.signed(rng, level)), {k: falsify.signed(rng, level) for k in ("r", "x", "beta")}
    w = [rng.choice((1, -1)) * s for _ in range(depth)]
    W = Fraction(1)
    for entry in w:
        W *= entry
    return {**out, "w": w, "lam": -out["beta"] * W * out["r"] * out["x"] / s**2}


# ---------------------------------------------------------------- S20
_S20_ANY = Part(
    dict.fromkeys(("q", "P", "M", "G", "lam", "beta"), "real"),
    ("lam**2*M/beta**2 == (M*P)*G",),
    (("norm2", "(beta/lam)**2*G"),),
    ("q == q*P*norm2", "q > 0"),
    tactics=(identity(a0_0="lam**2*M/beta**2/q"),),
    sample=lambda rng, depth, level: _s20_any(rng, level),
)


def _s20_any(rng: Random, level: int) -> dict[str, Any]:
    out = {k: falsify.signed(rng, level) for k in ("P", "M", "lam", "beta")}
    return {**out, "q": abs(falsify.signed(rng, level)), "G": out["lam"] ** 2 / (out["beta"] ** 2 * out["P"])}


def _s20_part(L: int) -> Part:
    """Layers of rank one with singular value s, v = beta s^(L+1) u, and minus sum l' x = g as the first layer asks."""
    total = " + ".join(f"N**{k}" for k in range(L))
    return Part(
        {"u": "vector:2", "s": "real", "lam": "real", "beta": "real"},
        (f"lam**{L + 1}/beta**2 == (Sum(v*g))**{L - 1}*Sum(g*g)",),
        (("N", "Sum(u*u)"), ("v", f"beta*s**{L + 1}*u"), ("g", f"lam*u/(beta*s**{L - 1})")),
        ("N == 1",),
        tactics=(identity(a0_0=f"-lam**{L + 1}/beta**2*({total})"),),
        sample=_on_the_circle,
    )


def _on_the_circle(rng: Random, depth: int, level: int) -> dict[str, Any]:
    t = falsify.signed(rng, level)
    u = [2 * t / (1 + t * t), (1 - t * t) / (1 + t * t)]
    return {"u": u} | {k: falsify.signed(rng, level) for k in ("s", "lam", "beta")}


def _loose(rng: Random, level: int, names: str) -> dict[str, Any]:
    return {"c": [falsify.signed(rng, level)]} | {k: falsify.signed(rng, level) for k in names}


def _any_length(rng: Random, level: int) -> dict[str, Any]:
    return {"u": [falsify.signed(rng, level) for _ in range(2)]} | {
        k: falsify.signed(rng, level) for k in ("s", "lam", "beta")
    }


CLAIMS = (
    Claim(
        id="lewkowycz.dln-fixed-point-chain",
        title="The chain of equations at a fixed point of a deep linear network",
        statement=(
            r"\vec W^l \cdot \hat W^{l-1} = -\frac1\lambda \sum_{(x,y) \in S} \ell'(x, y) f(x) = \tilde f, \quad "
            r"\vec W^l_a = \tilde f^{L-l}\, \hat W^{l-1}_a, \quad \tilde f = \tilde f^{L-l} \|\hat W^{l-1}\|^2"
        ),
        source=source("eqs. S11 to S19, section B.1"),
        kind="printed",
        search_depths=(1, 2, 3),
        reading=(
            "Vectors of open length: every width n, inner products being n Mean(a c). Parts: S15; the step S18 with a "
            "= the row W^{l+1} of S12, c = the hatted W^l, P = f~^(L-l-1) and b an entry of the hatted W^(l-1); S19; "
            "the gradient behind S11 for L = 2, n = 2; and at width 1, for every L, that each w^2 = f~."
        ),
        argument=(
            "S13 is Delta W = 0 with S11 and S14. S16 by induction from l = L (S17), S18 being the step. S15 for two "
            "samples of two features; more enter alike. f~ = 0 only if all weights are zero: S19 at l = L reads f~ = "
            "|W^L|^2, and W^L = 0 makes every other layer zero by S13."
        ),
        parts=(_S15, _S18, _S19, _S11, _WIDTH_ONE),
        mutants=(
            Mutant("S15 without the minus", replace=(("== -(r1", "== (r1"),), part=0),
            Mutant("S18 with one power less", replace=(("P*q*b", "P*b"),), part=1),
            Mutant("S18 not at a fixed point", drop=0, part=1, sample=lambda r, d, level: _loose(r, level, "bPqn")),
            Mutant("S19 with the square of the power", replace=(("q == P*(n", "q == P**2*(n"),), part=2),
            Mutant("w instead of its square", replace=(("w**2", "w"),), part=4),
        ),
    ),
    Claim(
        id="lewkowycz.dln-fixed-point",
        title="The equation for nontrivial fixed points",
        statement=(
            r"\frac{\lambda^{L+1}}{\beta^2} = \Big[-\sum_{(x,y) \in S} \ell'(x,y) f(x)\Big]^{L-1} "
            r"\sum_{(x,y), (x',y') \in S} \ell'(x,y)\, \ell'(x',y')\, x \cdot x'"
        ),
        source=source("eq. S20, section B.1"),
        kind="printed",
        reading=(
            "Necessary at every fixed point with f~ not zero, f~ = |W^L|^2 > 0. Part 1, every L: q = f~, P = "
            "f~^(L-1), M = lambda^(L-1), G the double sum, M P the bracket's power (S15). Then L = 1, ..., 4 at "
            "rank-one layers with singular value s: f = v.x, g = -sum l' x, so that the bracket is v.g. It is not "
            "sufficient: it leaves the direction of v open, and for odd L the sign of the bracket "
            "(lewkowycz.dln-fixed-point-l1)."
        ),
        argument="S19 at l = 0 with S14; the first layer of S13 fixes g = lambda u/(beta s^(L-1)). " + MATRICES,
        parts=(_S20_ANY, *(_s20_part(L) for L in (1, 2, 3, 4))),
        mutants=(
            Mutant("the bracket without its power", replace=(("(M*P)", "P"),)),
            Mutant("beta not squared", replace=(("/beta**2 ==", "/beta =="),), part=2),
            Mutant("the power L of the bracket", replace=(("))**1", "))**2"),), part=2),
            Mutant("u of any length", drop=0, part=3, sample=lambda r, d, level: _any_length(r, level)),
        ),
    ),
)

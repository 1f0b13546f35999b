"""Theorem 1 in the limit of infinite width: what follows once the correction T of S6 is neglected, and Lemma 2."""

from __future__ import annotations

from fractions import Fraction
from random import Random
from typing import Any

from linreg_dyn.certify.find import by_hand, identity
from linreg_dyn.claims import falsify
from linreg_dyn.claims.core import Claim, Mutant, Part
from linreg_dyn.claims.lewkowycz._paper import given, numbers, source

DRAWN = {"t": (0, 2), "lam": (0, 2), "k": (0, 4)}
KERNEL = "{0}*exp(-2*(k - 1)*lam*t)"
LIMIT = Part(
    given("real", "t", "lam", "k", "f", "K1", "K2", "r1", "r2"),
    (
        "Dt(T1) == -2*(k - 1)*lam*T1",
        "Dt(f) == -exp(-2*(k - 1)*lam*t)*(K1*r1 + K2*r2) - lam*k*f",
        "K1*exp(-2*(k - 1)*lam*0) == K1",
    ),
    (("T1", KERNEL.format("K1")), ("T2", KERNEL.format("K2"))),
    rates=(("t", "1"), ("f", "-T1*r1 - T2*r2 - k*lam*f")),
    tactics=(identity(), identity(), identity()),
    sample=numbers(**DRAWN, **dict.fromkeys(("f", "K1", "K2", "r1", "r2"), (-2, 2))),
)
DERIVATIVES = Part(
    given("real", "t", "lam", "k", "K", "c"),
    ("Dt(c*G) == (c*(-2*(k - 1)*lam))*G",),
    (("G", KERNEL.format("K")),),
    rates=(("t", "1"),),
    tactics=(identity(),),
    sample=numbers(**DRAWN, K=(-2, 2), c=(-2, 2)),
)


def _graphs(spare: int) -> Any:
    """Numbers of components and vertices with an exponent n_e + (n_o - m)/2 of at most minus `spare`."""

    def sample(rng: Random, depth: int, level: int) -> dict[str, Any]:
        even, odd = rng.randint(0, level), rng.randint(0, level)
        m = odd + 2 * even + 2 * spare + rng.randint(0, 2)
        return {"n_e": Fraction(even), "n_o": Fraction(odd), "m": Fraction(m)}

    return sample


EXPONENT = Part(
    given("real", "n_e", "n_o", "m"),
    (
        "even == before + 1 - 1/2 - 1/2",
        "odd == before - 1 + 1/2 - 1/2",
        "even <= before <= 1",
        "odd <= before",
        "even <= -1",
        "odd <= -1",
        "2*n_e + (2*n_o - 2*m)/2 == 2*before",
    ),
    (
        ("before", "n_e + (n_o - m)/2"),
        ("even", "(n_e + 1) + ((n_o - 1) - (m + 1))/2"),
        ("odd", "(n_e - 1) + ((n_o + 1) - (m + 1))/2"),
    ),
    ("before <= -1",),
    tactics=(
        identity(),
        identity(),
        by_hand(("0", "")),
        by_hand(("1", "a0.0"), ("2", "")),
        by_hand(("1", "")),
        by_hand(("1", "a0.0")),
        by_hand(("1", "a0.0"), ("1", "")),
        identity(),
    ),
    sample=_graphs(1),
)


# ---------------------------------------------------------------- S3
def _tensor(obeys: bool = True) -> Any:
    """A component C of a derivative tensor of order a, its gradient h, the gradients g1, g2 at two samples."""

    def sample(rng: Random, depth: int, level: int) -> dict[str, Any]:
        out: dict[str, Any] = {n: [falsify.signed(rng, level) for _ in range(3)] for n in ("theta", "h", "g1", "g2")}
        out |= {n: falsify.signed(rng, level) for n in ("P", "k", "C", "lam", "r1", "r2")}
        out["a"] = Fraction(rng.randint(0, level))
        product = out["P"] * sum((x * y for x, y in zip(out["theta"], out["h"], strict=True)), Fraction(0)) / 3
        if obeys and out["k"] != out["a"]:
            out["C"] = product / (out["k"] - out["a"])
        return out

    return sample


S3 = Part(
    given("sample", "theta", "h", "g1", "g2") | given("real", "P", "k", "a", "C", "lam", "r1", "r2"),
    ("P*Mean(h*v) == -r1*P*Mean(h*g1) - r2*P*Mean(h*g2) - (k - a)*lam*C",),
    (("v", "-r1*g1 - r2*g2 - lam*theta"),),
    ("P*Mean(theta*h) == (k - a)*C",),
    tactics=(identity(a0_0="-lam"),),
    sample=_tensor(),
)

CLAIMS = (
    Claim(
        id="lewkowycz.lemma-2",
        title="Lemma 2: a derivative in time does not raise the exponent of the width",
        statement=(
            r"n_e + (n_o - m)/2 \le -1: \quad n_e + (n_o - m)/2 \mapsto n_e + (n_o - m)/2 \pm 1 \mp \tfrac12 - "
            r"\tfrac12 \le n_e + (n_o - m)/2 \le 1, \quad \text{therefore } \frac{dC}{dt} = \mathcal{O}(n^{-1})"
        ),
        source=source("Lemma 2 and its proof"),
        kind="printed",
        reading=(
            "One vertex more, m + 1, in a component that becomes even or odd. The last bound is printed as 1, which is "
            "true but not enough: the lemma needs -1, which follows as well. Part 2 is S3 for a derivative tensor of "
            "any order a, h its gradient. That correlation functions are O(n^exponent) is the conjecture of Dyer and "
            "Gur-Ari, assumed as in the paper. Of the loss it is used that l' grows no faster than a power of f, and "
            "dC/dt is that at the start, where the expectation is taken."
        ),
        argument=(
            "By S3, with Lemma 1, a derivative tensor's derivative in time is itself times a number, and a sum of "
            "terms A l'(f), A having one further factor, contracted with it. Under MSE l' is a polynomial of f: each f "
            "in it is a vertex and an odd component of its own, which leaves n_o - m as it is. For other losses the "
            "conjecture does not speak of E[A l'(f)], but |E[A l'(f)]|^2 <= E[A^2] E[l'(f)^2]. The graph of A^2 is two "
            "copies of that of A, whose exponent doubles (part 1, last): E[A^2] = O(n^-2). Moments of f have exponent "
            "0, so that E[l'(f)^2] is bounded."
        ),
        parts=(EXPONENT, S3),
        mutants=(
            Mutant("the bound as printed", replace=(("before <= -1", "before <= 1"),), sample=_graphs(0)),
            Mutant("without the vertex", replace=(("(m + 1)", "m"),)),
            Mutant("the degree does not fall", replace=(("- (k - a)*lam*C", "- k*lam*C"),), part=1),
            Mutant("without Lemma 1", drop=0, part=1, sample=_tensor(obeys=False)),
        ),
        search_depths=(1,),
    ),
    Claim(
        id="lewkowycz.thm-1-limit",
        title="Theorem 1 with the correction neglected: eqs. 1 and 2",
        statement=(
            r"T_t = 0: \quad \frac{d\Theta_t}{dt} = -2(k-1)\lambda \Theta_t, \quad \Theta_t = e^{-2(k-1)\lambda t} "
            r"\Theta_0, \quad \frac{d^m \Theta_0}{dt^m} = [-2(k-1)\lambda]^m \Theta_0, \quad \frac{df_t(x)}{dt} = "
            r"-e^{-2(k-1)\lambda t} \sum_{(x', y') \in S} \Theta_0(x, x') \frac{\partial \ell(x', y')}{\partial f_t} - "
            r"\lambda k f_t(x)"
        ),
        source=source("Theorem 1, eqs. 1 and 2; eqs. S7 and S8"),
        kind="printed",
        reading=(
            "What follows from S4 and S5 (lewkowycz.thm-1-f and thm-1-kernel, exact at every width) if T is zero at "
            "every time. That it may be neglected rests on the conjecture of Dyer and Gur-Ari, and is not shown here; "
            "lewkowycz.thm-1-correction measures T at the start. The paper neglects T and all its derivatives at t = "
            "0, one order m at a time: for S8 at a time t > 0 this needs besides that the limit of the kernels is "
            "their Taylor series there, of which it says nothing."
        ),
        argument=(
            "Part 1 for two samples with l' = r1, r2; more add terms like theirs, and a linear equation has one "
            "solution from each start. S7 by induction over m, with c = [-2 (k - 1) lambda]^m in part 2."
        ),
        parts=(LIMIT, DERIVATIVES),
        mutants=(
            Mutant("a kernel that decays at the rate of f squared", replace=(("exp(-2*(k - 1)", "exp(-2*k"),)),
            Mutant("a kernel that stays", replace=(("-exp(-2*(k - 1)*lam*t)*(K1", "-(K1"),)),
            Mutant("a function that decays at the rate lambda", replace=(("- lam*k*f", "- lam*f"),)),
            Mutant("one power less", replace=(("(c*(-2*(k - 1)*lam))", "c"),), part=1),
        ),
        search_depths=(1,),
    ),
)

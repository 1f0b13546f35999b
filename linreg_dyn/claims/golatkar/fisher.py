"""Section 4, Fig. 5: what the Fisher information is, and what its trace has to do with gradients of the loss.

Outputs f of any number of classes are `e = exp(f)`, up to a factor, with probabilities `p`; `dim` is the number of
classes, and `dim*Mean(p*u)` the mean of u over a label drawn from the model.
"""

from __future__ import annotations

from fractions import Fraction
from random import Random
from typing import Any

from linreg_dyn.certify.find import by_hand, identity
from linreg_dyn.claims import falsify
from linreg_dyn.claims.core import Claim, Mutant, Part, Source

PAPER = "golatkar2019"
MEANS = (("m", "dim*Mean(p*u)"), ("n", "dim*Mean(p*v)"))
TOTAL = ("dim*Mean(p) == 1",)


def _classes(*more: str) -> Any:
    """Two to four classes with their probabilities, and other numbers of each, by name."""

    def sample(rng: Random, depth: int, level: int) -> dict[str, Any]:
        count = rng.randint(2, 4)
        found: dict[str, Any] = {"p": falsify.simplex(rng, count, level), "dim": Fraction(count)}
        return found | {name: [falsify.signed(rng, level) for _ in range(count)] for name in more}

    return sample


def _unscaled(rng: Random, depth: int, level: int) -> dict[str, Any]:
    """Numbers that are no probabilities, as their sum is 2."""
    found = _classes("u", "v")(rng, depth, level)
    return found | {"p": [2 * p for p in found["p"]]}


def _two_nets(rng: Random, depth: int, level: int) -> dict[str, Any]:
    one, other, x = falsify.rational(rng, 0, 1, level), falsify.rational(rng, 0, 1, level), falsify.signed(rng, level)
    return {"q": one, "r": rng.choice((one, other)), "x": x}


def _rates(e: str) -> tuple[tuple[str, str], ...]:
    return ((e, "[" + ", ".join(f"{e}[{k}]*v[{k}]" for k in range(3)) + "]"),)


COVARIANCE = Part(
    {"p": "sample", "u": "sample", "v": "sample", "dim": "real"},
    ("dim*Mean(p*(u - m)*(v - n)) == dim*Mean(p*u*v) - m*n",),
    MEANS,
    TOTAL,
    tactics=(identity(a0_0="dim**2*Mean(p*u)*Mean(p*v)"),),
    sample=_classes("u", "v"),
)
_TOTAL = "(e[0] + e[1] + e[2])"
_MEAN = "(e[0]*u[0] + e[1]*u[1] + e[2]*u[2])/" + _TOTAL
SLOPES = Part(
    {"e": "vector:3", "u": "vector:3", "v": "vector:3"},
    ("Dt(share)/share == v[0] - n", "Dt(m - u[0]) == second - m*n"),
    (
        ("share", f"e[0]/{_TOTAL}"),
        ("m", _MEAN),
        ("n", _MEAN.replace("u[", "v[")),
        ("second", f"(e[0]*u[0]*v[0] + e[1]*u[1]*v[1] + e[2]*u[2]*v[2])/{_TOTAL}"),
    ),
    ("e[0] > 0", "e[1] > 0", "e[2] > 0"),
    rates=_rates("e"),
    tactics=(identity(), identity()),
    sample=lambda rng, depth, level: {
        "e": [abs(falsify.signed(rng, level)) for _ in range(3)],
        "u": [falsify.signed(rng, level) for _ in range(3)],
        "v": [falsify.signed(rng, level) for _ in range(3)],
    },
)
TWO = (
    ("fisher", "q*((1 - q)*x)**2 + (1 - q)*(q*x)**2"),
    ("squared", "((1 - q)*x)**2"),
    ("fisher2", "r*((1 - r)*x)**2 + (1 - r)*(r*x)**2"),
    ("squared2", "((1 - r)*x)**2"),
)
_TO_THE_NORM = "fisher**2*squared2 == fisher2**2*squared"
BETWEEN = ("q > 0", "q < 1", "r > 0", "r < 1")
LOGITS = Part(
    {"p": "sample", "dim": "real"},
    ("dim*Mean(p*((1 - p)**2 + squares - p**2)) == 1 - squares",),
    (("squares", "dim*Mean(p**2)"),),
    TOTAL,
    tactics=(identity(a0_0="1 + dim*Mean(p**2)"),),
    sample=_classes(),
)
EXACT = Part(
    {"q": "real", "x": "real"},
    ("fisher == q/(1 - q)*squared", "fisher**2 == q**2*x**2*squared", "fisher >= squared"),
    TWO[:2],
    ("q >= 1/2", "q < 1"),
    tactics=(identity(), identity(), by_hand(("2", "a0.0 * a1.0 * sq x"))),
    sample=lambda rng, depth, level: {
        "q": rng.choice((Fraction(1, 2), falsify.rational(rng, 0, 1, level))),
        "x": falsify.signed(rng, level),
    },
)

CLAIMS = (
    Claim(
        id="golatkar.fisher-gauss-newton",
        title="The Fisher information is the generalised Gauss-Newton matrix",
        statement=(
            r"F = \mathbb{E}_x \mathbb{E}_{y \sim p_w(y|x)} [\nabla_w \log p_w(y|x) \nabla_w \log p_w(y|x)^T] "
            r"\text{ coincides with the generalized Gauss-Newton matrix } G = \mathbb{E}[J_w^T H J_w], "
            r"\text{ where } H \text{ is the Hessian of } \ell(y, f_w(x)) \text{ w.r.t. } f_w(x)"
        ),
        source=Source(PAPER, "section 4, Jacobian norm"),
        kind="printed",
        reading=(
            "For the softmax and the cross-entropy loss, as quadratic forms: u = J a and v = J b are what the outputs "
            "do along two directions of the weights, so that log p_y changes by v_y - <p, v> (part 2, first), and "
            "F(a, b) is the covariance of u and v under p. That it is <p, u v> - <p, u><p, v> is part 1, for any "
            "number of classes; that this is the loss's second derivative along u and v, whatever the label, is part "
            "2, second: the first derivative along u is <p, u> - u_y. Dt is along f + t v, where e moves by e v."
        ),
        argument=(
            "Part 2 is of three classes, label 0: classes enter the sums alike, and as many as there are. Means over "
            "x of equal matrices are equal."
        ),
        parts=(COVARIANCE, SLOPES),
        mutants=(
            Mutant("without the means", replace=(("- m*n", ""),)),
            Mutant("probabilities of any sum", drop=0, sample=_unscaled),
            Mutant("the Hessian is diagonal", replace=(("second - m*n", "second"),), part=1),
            Mutant("the label's output alone moves", replace=(("v[0] - n", "v[0]"),), part=1),
        ),
        search_depths=(1,),
    ),
    Claim(
        id="golatkar.fisher-trace",
        title="The trace of the Fisher information is proportional to the norm of the loss's gradients",
        statement=r"\text{the FIM trace is proportional to the norm of the gradients of the cross-entropy loss}",
        source=Source(PAPER, "Fig. 5"),
        kind="printed",
        amended_by="golatkar.fisher-trace.amended",
        reading=(
            "Norm: the mean of the squared norms, sample by sample. One sample of two classes, whose output is a "
            "weight times x: at two weights the model gives the label probabilities q and r, the gradients are "
            "(1 - q)x for this label and q x for the other, and of these the trace takes the mean over labels drawn "
            "from the model. Proportional: with one factor at both weights."
        ),
        parts=(
            Part(
                {"q": "real", "r": "real", "x": "real"},
                ("fisher*squared2 == fisher2*squared",),
                TWO,
                BETWEEN,
                sample=_two_nets,
            ),
        ),
        mutants=(
            Mutant("to the norm itself", replace=(("fisher*squared2 == fisher2*squared", _TO_THE_NORM),)),
            Mutant("equal to it", replace=(("fisher*squared2 == fisher2*squared", "fisher == squared"),)),
        ),
        search_depths=(1,),
    ),
    Claim(
        id="golatkar.fisher-trace.amended",
        title="The trace of the Fisher information is a mean squared norm of gradients, with the model's own labels",
        statement=(
            r"\text{tr} F = \mathbb{E}_x \mathbb{E}_{y \sim p_w(y|x)} \|\nabla_w \ell(y, f_w(x))\|^2; \quad "
            r"\text{w.r.t. the outputs it is } 1 - \sum_y p_y^2; \quad \text{of two classes and a label with "
            r"probability } p \ge \tfrac{1}{2} \text{, where } f = w x, \quad \text{tr} F = \frac{p}{1 - p} "
            r"\|\nabla \ell\|^2 = p |x| \|\nabla \ell\|"
        ),
        source=Source(PAPER, "Fig. 5"),
        kind="amended",
        amends="golatkar.fisher-trace",
        reading=(
            "The first is the trace of the definition. Of any number of classes the gradient with respect to the "
            "outputs, with label y, is p - e_y, of squared norm (1 - p_y)^2 + sum of the other p_j^2 (part 1). Part 2: "
            "where the data's label is the likelier one, the trace is above the squared norm, and as p grows to 1 it "
            "falls as the norm does, not as its square."
        ),
        parts=(LOGITS, EXACT),
        mutants=(
            Mutant("with the labels of the data", replace=(("q/(1 - q)*squared", "squared"),), part=1),
            Mutant("for unlikely labels too", drop=0, part=1),
            Mutant("half of it", replace=(("== 1 - squares", "== (1 - squares)/2"),)),
        ),
        search_depths=(1,),
    ),
)

"""Sections 1 and 4: that the transient is irrelevant where the problem is convex.

A linear regression has two weights a and b, inputs (x, z) and targets y, all samples of one size; each step goes down
the gradient (g, h) of Mean((a*x + b*z - y)**2)/2, with weight decay lam or without. What any number of weights does is
told of vectors: `<a, b>` is `dim*Mean(a*b)`.
"""

from __future__ import annotations

from fractions import Fraction
from random import Random
from typing import Any

from linreg_dyn.certify.find import by_hand, identity
from linreg_dyn.claims import falsify
from linreg_dyn.claims.core import Claim, Mutant, Part, Source

PAPER = "golatkar2019"
DATA = {"x": "sample", "z": "sample", "y": "sample"}
STEPS = (
    ("g", "Mean(x*(a*x + b*z - y))"),
    ("h", "Mean(z*(a*x + b*z - y))"),
    ("a1", "a - eta*g"),
    ("b1", "b - eta*h"),
    ("a2", "a - eta*(g + lam*a)"),
    ("b2", "b - eta*(h + lam*b)"),
)
AT_REST = tuple(f"Mean({k}*(a{n}*x + b{n}*z - y)) == 0" for n in (1, 2) for k in "xz")


def _regression(rng: Random, depth: int, level: int) -> dict[str, Any]:
    """Data that do not tell one weight, or a direction of them; a start one step before rest with and without decay.

    In some instances the two weights are told apart by the data, and the start is the only rest that decay has.
    """
    kind, size = rng.choice(("unseen", "alike", "told")), rng.randint(1, 2)
    eta, lam, first, other = (abs(falsify.signed(rng, level)) for _ in range(4))
    p, q = (falsify.signed(rng, level) for _ in range(2))
    x = [rng.choice((1, -1)) * first] * size
    if kind == "unseen":  # eta = 1/Mean(x^2) comes to rest in one step from a = 0
        found = {"x": x, "z": [Fraction(0)] * size, "y": [other] * size, "eta": 1 / first**2, "a": Fraction(0)}
        return found | {"b": falsify.signed(rng, level), "lam": lam, "p": p, "q": q}
    if kind == "alike":
        found = {"x": x, "z": x, "y": [Fraction(0)] * size, "a": other, "b": -other}
        return found | {"eta": eta, "lam": lam, "p": p, "q": q}
    zero = [Fraction(0), Fraction(0)]
    found = {"x": [first, Fraction(0)], "z": [Fraction(0), other], "y": zero, "b": Fraction(0)}
    found |= {"a": rng.choice((Fraction(0), eta)), "eta": 2 / first**2}  # without decay at rest in one step
    return found | {"lam": lam, "p": p, "q": q}


def _steps(rng: Random, depth: int, level: int) -> dict[str, Any]:
    """Differences d of weights, g of gradients along it, with a part across or without, and rates around the bound."""
    mu, more, length = (abs(falsify.signed(rng, level)) for _ in range(3))
    d, steep = [length, Fraction(0)], mu + more
    along = rng.choice((mu, mu, steep, Fraction(0), -mu))
    g = [along * length, rng.choice((Fraction(0), more)) * length if along in (mu, 0) else Fraction(0)]
    bound = 2 * mu / (mu**2 + steep**2 + more**2)
    eta = bound * rng.choice((Fraction(1, 64), Fraction(1, 2), Fraction(63, 64), Fraction(3)))
    return {"d": d, "g": g, "dim": Fraction(2), "eta": eta, "mu": mu, "square": mu**2 + steep**2 + more**2}


FORGETS = Part(
    {"d": "sample", "g": "sample", "dim": "real", "eta": "real", "mu": "real", "square": "real"},
    ("dim*Mean((d - eta*g)**2) <= factor*dim*Mean(d**2)", "factor < 1"),
    (("factor", "1 - 2*eta*mu + eta**2*square"),),
    (
        "dim*Mean(g*d) >= mu*dim*Mean(d**2)",
        "dim*Mean(g**2) <= square*dim*Mean(d**2)",
        "eta > 0",
        "eta*square < 2*mu",
    ),
    tactics=(by_hand(("2", "a0.0 * a2.0"), ("1", "a1.0 * a2.0 * a2.0")), by_hand(("1", "a2.0 * a3.0"))),
    sample=_steps,
)
ON_THE_DATA = Part(
    {**DATA, "a": "real", "b": "real", "eta": "real", "lam": "real", "p": "real", "q": "real"},
    ("Mean(((a1 - a2)*x + (b1 - b2)*z)**2) == 0",),
    STEPS,
    AT_REST,
    tactics=(identity(a0_0="a1 - a2", a1_0="b1 - b2", a2_0="-(a1 - a2)", a3_0="-(b1 - b2)"),),
    sample=_regression,
)
UNSEEN = Part(
    {**DATA, "a": "real", "b": "real", "eta": "real", "lam": "real"},
    ("b1 == b", "b2 == (1 - eta*lam)*b"),
    STEPS,
    ("Mean(z*x) == 0", "Mean(z**2) == 0", "Mean(z*y) == 0"),
    tactics=(
        identity(a0_0="-eta*a", a1_0="-eta*b", a2_0="eta"),
        identity(a0_0="-eta*a", a1_0="-eta*b", a2_0="eta"),
    ),
    sample=lambda rng, depth, level: {
        key: x for key, x in _regression(rng, depth, level).items() if key not in ("p", "q")
    },
)

CLAIMS = (
    Claim(
        id="golatkar.convex",
        title="In convex problems, such as linear regression, the transient is irrelevant",
        statement=(
            r"\text{this is unlike convex optimization (linear regression, support vector machines) where the "
            r"transient is irrelevant}"
        ),
        source=Source(PAPER, "section 1; section 4, Reshaping the loss landscape"),
        kind="printed",
        amended_by="golatkar.convex.amended",
        reading=(
            "Two runs of one linear regression from one start: in the transient, here a step, one has weight decay and "
            "the other has none; then both have none, and both are at rest. Irrelevant: they predict the same at every "
            "new input (p, q). It fails where the data leave a weight, or a direction, open, as they do whenever there "
            "are more weights than samples: decay during the transient shrinks what is open for good."
        ),
        parts=(
            Part(
                ON_THE_DATA.given,
                ("p*a1 + q*b1 == p*a2 + q*b2",),
                STEPS,
                ("eta > 0", "lam > 0", *AT_REST),
                sample=_regression,
            ),
        ),
        mutants=(
            Mutant("the weights themselves end alike", replace=(("p*a1 + q*b1 == p*a2 + q*b2", "b1 == b2"),)),
            Mutant("with a negative decay too", drop=1),
            Mutant("decay leaves a larger weight", replace=(("p*a1 + q*b1 == p*a2 + q*b2", "b2*b2 >= b1*b1"),)),
        ),
        search_depths=(1,),
    ),
    Claim(
        id="golatkar.convex.amended",
        title="Strictly convex, a transient is forgotten; merely convex, it is in what the data do not tell",
        statement=(
            r"\langle \nabla L(w) - \nabla L(v), w - v \rangle \ge \mu \|w - v\|^2,\ \|\nabla L(w) - \nabla L(v)\| \le "
            r"M \|w - v\|,\ 0 < \eta < 2 \mu/M^2 \implies \|w_{k+1} - v_{k+1}\|^2 \le (1 - 2 \eta \mu + \eta^2 M^2) "
            r"\|w_k - v_k\|^2, \quad \text{a factor below 1; in any linear regression two runs at rest agree on the "
            r"training inputs, and weights of inputs that are never seen end at } (1 - \eta \lambda)^T "
            r"\text{ times their start after } T \text{ steps of weight decay}"
        ),
        source=Source(PAPER, "section 1; section 4, Reshaping the loss landscape"),
        kind="amended",
        amends="golatkar.convex",
        reading=(
            "d and g are the differences of two runs' weights and gradients, in any number of dimensions, mu > 0 is "
            "strong convexity, and square stands for M^2 (part 1): whatever different transients left is forgotten "
            "geometrically. With weight decay on to the end this is so of every convex loss that is smooth. Part 2: "
            "both runs of golatkar.convex, at rest. Part 3: a step on inputs z that are 0 throughout."
        ),
        argument=(
            "Over the steps by induction, from part 1 and from part 3: each multiplies by the same factor again. Parts "
            "2 and 3 have two weights; with any number, of inputs x_k, let r be the difference of the two runs' "
            "predictions, the sum of (w_k - v_k) x_k. The difference of the two gradients in w_k is Mean(x_k r), 0 at "
            "rest, so that Mean(r^2), the sum of (w_k - v_k) Mean(x_k r), is 0. And where x_k is 0 throughout, so is "
            "the gradient in w_k, a mean of x_k times something: only decay moves this weight."
        ),
        parts=(FORGETS, ON_THE_DATA, UNSEEN),
        mutants=(
            Mutant("without strong convexity", drop=0),
            Mutant("at any rate", drop=3),
            Mutant("forgotten twice as fast", replace=(("1 - 2*eta*mu", "1 - 4*eta*mu"),)),
            Mutant("the weights agree", replace=(("Mean(((a1 - a2)*x + (b1 - b2)*z)**2)", "(b1 - b2)**2"),), part=1),
            Mutant("before they are at rest", drop=2, part=1),
            Mutant("unseen weights are forgotten too", replace=(("(1 - eta*lam)*b", "b"),), part=2),
        ),
        search_depths=(1,),
    ),
)

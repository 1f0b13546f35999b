"""The reduction behind every theorem of the paper: what a product of 1 - x p_i can be on the simplex."""

from linreg_dyn.certify.find import Axis, by_hand, induction, positive
from linreg_dyn.claims.core import Claim, Mutant, Part
from linreg_dyn.claims.ginsburg._net import PRODUCT, source

_GIVEN = {"p": "simplex", "x": "real"}
_S, _P = Axis("#s", low="s"), Axis("p", low="p")

_LOWER = Part(
    given=_GIVEN,
    assume=("x < 1",),
    conclude=("Prod(1 - x*p) >= 1 - x",),
    tactics=(
        induction(
            "1 - x*s",
            factor=by_hand(("1", "room"), ("1", "s"), ("1", "a0.0 * p")),
            step=positive(_S, _P, squares=[("p*s", "sq x")]),
        ),
    ),
)
_UPPER = Part(
    given=_GIVEN,
    assume=("0 <= x", "x < 1"),
    conclude=("Prod(1 - x*p) <= 1 - x + x**2/2",),
    tactics=(
        induction(
            "1 - x*s + x**2*s**2/2",
            factor=by_hand(("1", "room"), ("1", "s"), ("1", "a1.0 * p")),
            step=positive(Axis("x", low="a0.0"), _S, _P),
        ),
    ),
)
# 1 + x s = room + p + (1 + x) s and 1 + x (s + p) = room + (1 + x)(s + p): both denominators are positive
_ONE_PLUS_XS = ("room", "p", "a0.0 * s")
_ONE_PLUS_X_SP = ("room", "a0.0 * s", "a0.0 * p")
_UPPER_NEGATIVE = Part(
    given=_GIVEN,
    assume=("-1 < x", "x <= 0"),
    conclude=("Prod(1 - x*p) <= 1/(1 + x)",),
    tactics=(
        induction(
            "1/(1 + x*s)",
            factor=by_hand(("1", "room"), ("1", "s"), ("1", "p"), ("1", "a1.0 * p")),
            step=by_hand(
                ("1", "sq x * p * s"),
                ("1", "sq x * p * p"),
                multiplier=[("1", f"{a} * {b}") for a in _ONE_PLUS_XS for b in _ONE_PLUS_X_SP],
            ),
            defined=by_hand(*(("1", t) for t in _ONE_PLUS_XS)),
        ),
    ),
)

CLAIMS = (
    Claim(
        id=PRODUCT,
        title="Products over the simplex",
        statement=(
            r"\text{For } p_i > 0,\ \sum p_i = 1 \text{ and any depth: } \prod(1 - x p_i) \ge 1 - x \ (x < 1),\quad "
            r"\prod(1 - x p_i) \le 1 - x + \tfrac{x^2}{2} \ (0 \le x < 1),\quad "
            r"\prod(1 - x p_i) \le \tfrac{1}{1 + x} \ (-1 < x \le 0)"
        ),
        source=source("the series S in the proof of Theorem 3.1"),
        kind="sharp",
        reading=(
            "With learning rate c / sum(1/w_i^2) a step multiplies w_i by 1 - x p_i, where p_i = (1/w_i^2) / "
            "sum(1/w_j^2) is a point of the simplex and x = 2 c g W. The paper bounds the same product by an "
            "alternating series. The lower bound is attained at a vertex; the upper ones agree with the supremum "
            "e^{-x} over all depths to second order in x."
        ),
        parts=(_LOWER, _UPPER, _UPPER_NEGATIVE),
        mutants=(
            Mutant("the vertex is not the lowest point", replace=((">= 1 - x", ">= 1 - x + x**2/100"),)),
            Mutant("half the second-order term", replace=(("x**2/2", "x**2/8"),), part=1),
            Mutant("linear upper bound", replace=(("1/(1 + x)", "1 - x"),), part=2),
        ),
    ),
    Claim(
        id="ginsburg.simplex-product.range",
        title="The exact range of products over the simplex",
        statement=(
            r"\text{For } x < 1,\ p_i > 0,\ \sum p_i = 1 \text{ and depth } d: \quad "
            r"1 - x \le \prod(1 - x p_i) \le \big(1 - \tfrac{x}{d}\big)^d < e^{-x} \ (x \ne 0), \text{ ends "
            r"attained or approached}"
        ),
        source=source("the series S in the proof of Theorem 3.1"),
        kind="sharp",
        reading=(
            "The lower end belongs to a vertex, the upper one to balanced weights; e^{-x} is the limit of large depth."
        ),
        argument=(
            "All factors are positive. Part 1: replacing two of the p_i by their mean does not lower the product, and "
            "raises it if they differ, so the maximum over the closed simplex is at its centre. Part 2: putting the "
            "weight of two of them on one does not raise it, so the minimum is at a vertex, a limit of inner points. "
            "The mean inequality for d factors 1 - x/d and one factor 1 gives (1 - x/d)^d < (1 - x/(d+1))^(d+1), which "
            "tends to e^{-x}."
        ),
        parts=(
            Part(
                given={"a": "real", "b": "real", "x": "real"},
                conclude=("(1 - x*a)*(1 - x*b) <= (1 - x*(a + b)/2)**2",),
                tactics=(by_hand(("1/4", "sq x*(a-b)")),),
            ),
            Part(
                given={"a": "real", "b": "real", "x": "real"},
                assume=("a >= 0", "b >= 0"),
                conclude=("(1 - x*a)*(1 - x*b) >= 1 - x*(a + b)",),
                tactics=(by_hand(("1", "sq x * a0.0 * a1.0")),),
            ),
        ),
        mutants=(
            Mutant("the mean lowers it", replace=(("<= (1 - x*(a + b)/2)**2", ">= (1 - x*(a + b)/2)**2"),)),
            Mutant("for weights of any sign", part=1, drop=0),
        ),
    ),
)

"""Section 2: the normalised loss, its gradient, its Hessian and the Hessian's eigenvalues."""

from __future__ import annotations

from fractions import Fraction
from random import Random
from typing import Any

from linreg_dyn.certify.find import identity
from linreg_dyn.claims import falsify
from linreg_dyn.claims.core import Claim, Mutant, Part
from linreg_dyn.claims.ginsburg._net import LAYERS, LOSS, near, source


def normalised_data(rng: Random, depth: int, level: int) -> dict[str, Any]:
    """Three or four exact points with mean x = 0, mean x^2 = 1, mean y = 0, mean xy = 1."""
    t = Fraction(rng.randint(1, 3 + level), rng.randint(1, 3 + level))
    # (a, b, 0) on the circle a^2 + b^2 = 1, and orthogonal to (1, 1, 1, 1) by the signs
    a, b = 2 * t / (1 + t * t), (1 - t * t) / (1 + t * t)
    x = [a + b, a - b, -a - b, b - a]
    mean = sum(v * v for v in x) / 4
    r = falsify.signed(rng, level)
    y = [x[k] / mean + r * (-1) ** (k // 2) * c for k, c in enumerate((x[1], -x[0], x[1], -x[0]))]
    assert mean == 1
    return {"x": x, "y": y}


def _data(rng: Random, depth: int, level: int) -> dict[str, Any]:
    return {
        **normalised_data(rng, depth, level),
        "W": falsify.signed(rng, level),
        "b": falsify.signed(rng, level),
    }


_NORMALISED = ("Mean(x) == 0", "Mean(x**2) == 1", "Mean(y) == 0", "Mean(x*y) == 1")
_EIGENVALUES_AT_MINIMA = Part(
    given=LAYERS,
    where=LOSS,
    assume=("W == 1",),
    conclude=("D(D(L, w[i]), w[j]) == 2/(w[i]*w[j])", "D(D(L, w[i]), w[i]) == 2/w[i]**2"),
    tactics=(
        identity(a0_0="2*(2*W + 1)/(w[i]*w[j])"),
        identity(a0_0="2*(W + 1)/w[i]**2"),
    ),
    sample=lambda rng, depth, level: {"w": falsify.weights(rng, depth, level, Fraction(1))},
)
_RANK_ONE_EVERYWHERE = Part(
    given=LAYERS,
    where=LOSS,
    conclude=(
        "D(D(L, w[i]), w[j]) == 2*W*(2*W - 1)*(1/w[i])*(1/w[j])",
        "D(D(L, w[i]), w[i]) == 2*W*(1 - W)/w[i]**2 + 2*W*(2*W - 1)*(1/w[i])**2",
    ),
    tactics=(identity(), identity()),
)

CLAIMS = (
    Claim(
        id="ginsburg.normalized-loss",
        title="Training on normalised data minimises (W − 1)²",
        statement=(
            r"\sum x_i = 0,\ \tfrac1N\sum x_i^2 = 1,\ \sum y_i = 0,\ \tfrac1N\sum x_i y_i = 1 \;\Rightarrow\; "
            r"E(w, b) = \tfrac1N\sum (W x_i + b - y_i)^2 \to \min \text{ is equivalent to } "
            r"L(w) = (w_1 \cdots w_d - 1)^2 \to \min"
        ),
        source=source("eqs. 1-4"),
        kind="printed",
        reading=(
            "Equivalent: E(w, b) = L(w) + b^2 + (mean(y^2) - 1), so the two differ by b^2, minimal at b = 0, and by "
            "the constant mean(y^2) - 1 that the normalisation leaves; that constant is at least 0."
        ),
        parts=(
            Part(
                given={"x": "sample", "y": "sample", "W": "real", "b": "real"},
                where=(("E", "Mean((W*x + b - y)**2)"), ("L", "(W - 1)**2")),
                assume=_NORMALISED,
                conclude=("E == L + b**2 + Mean(y**2) - 1",),
                tactics=(identity(a0_0="2*W*b", a1_0="W**2", a2_0="-2*b", a3_0="-2*W"),),
                sample=_data,
            ),
        ),
        mutants=(
            Mutant("without the constant", replace=(("+ Mean(y**2) - 1", ""),)),
            Mutant("x not scaled", drop=1, sample=lambda rng, depth, level: _unscaled(rng, depth, level)),
            Mutant("minimum at W = -1", replace=(("(W - 1)**2", "(W + 1)**2"),)),
        ),
    ),
    Claim(
        id="ginsburg.gradient",
        title="The gradient",
        statement=r"\frac{\partial L}{\partial w_i} = 2 (W - 1)(W / w_i)",
        source=source("eq. 5"),
        kind="printed",
        reading="W/w_i is the product of the other weights; stated at nonzero weights, where it is a quotient.",
        parts=(Part(LAYERS, ("D(L, w[i]) == 2*(W - 1)*(W/w[i])",), LOSS, tactics=(identity(),)),),
        mutants=(
            Mutant("without the factor 2", replace=(("2*(W - 1)*(W/w[i])", "(W - 1)*(W/w[i])"),)),
            Mutant("own weight instead of the others", replace=(("W/w[i]", "w[i]"),)),
        ),
    ),
    Claim(
        id="ginsburg.hessian",
        search_depths=(1, 2, 3),
        title="The Hessian",
        statement=(r"H_{ii} = 2 \frac{W^2}{w_i^2}, \qquad H_{ij} = 2 \frac{(2W - 1) W}{w_i w_j}\ (i \ne j)"),
        source=source("section 2.2"),
        kind="printed",
        parts=(
            Part(
                LAYERS,
                ("D(D(L, w[i]), w[i]) == 2*W**2/w[i]**2", "D(D(L, w[i]), w[j]) == 2*(2*W - 1)*W/(w[i]*w[j])"),
                LOSS,
                tactics=(identity(), identity()),
            ),
        ),
        mutants=(
            Mutant("off the diagonal as on it", replace=(("2*(2*W - 1)*W", "2*W*W"),)),
            Mutant("without the prefactor", replace=(("== 2*W**2", "== W**2"),)),
        ),
    ),
    Claim(
        id="ginsburg.hessian-eigenvalues",
        title="The Hessian's eigenvalues, as printed",
        statement=r"\text{The eigenvalues of the Hessian } H(w) \text{ are } \{0, \dots, 0, \sum \tfrac{1}{w_i^2}\}",
        source=source("section 2.2, after the matrix"),
        kind="printed",
        amended_by="ginsburg.hessian-eigenvalues.amended",
        reading=(
            "Eigenvalues add up to the trace, so the statement implies trace H = sum 1/w_i^2. Read charitably, at "
            "minima (W = 1) only: it fails even there, because the factor 2 of H is missing."
        ),
        parts=(
            Part(
                LAYERS,
                ("Sum(D(D(L, w), w)) == Sum(1/w**2)",),
                LOSS,
                ("W == 1",),
                sample=lambda rng, depth, level: {"w": falsify.weights(rng, depth, level, Fraction(1))},
            ),
        ),
        mutants=(
            Mutant("half of it", replace=(("== Sum(1/w**2)", "== Sum(1/w**2)/2"),)),
            Mutant("with the sign flipped", replace=(("== Sum(1/w**2)", "== -Sum(1/w**2)"),)),
        ),
    ),
    Claim(
        id="ginsburg.hessian-eigenvalues.amended",
        search_depths=(1, 2, 3),
        title="The Hessian's eigenvalues at minima and everywhere",
        statement=(
            r"\text{At a minimum } (W = 1):\ H = 2 v v^T,\ v_i = 1/w_i, \text{ with eigenvalues } "
            r"\{0, \dots, 0, 2\sum \tfrac{1}{w_i^2}\}; \text{ everywhere: } "
            r"H = 2W(1 - W)\,\mathrm{diag}(v_i^2) + 2W(2W - 1)\, v v^T"
        ),
        source=source("section 2.2"),
        kind="amended",
        amends="ginsburg.hessian-eigenvalues",
        argument=(
            "The checker shows both matrices entry by entry. 2 v v^T maps v to 2|v|^2 v and every vector orthogonal to "
            "v to 0, hence the spectrum at minima, with sharpness 2 sum 1/w_i^2. Elsewhere the spectrum is that of a "
            "diagonal matrix plus rank one: the roots of its secular equation interlace the diagonal."
        ),
        parts=(_EIGENVALUES_AT_MINIMA, _RANK_ONE_EVERYWHERE),
        mutants=(
            Mutant("the printed factor 1", replace=(("== 2/", "== 1/"),)),
            Mutant("not only at minima", drop=0, sample=near(Fraction(1, 2), Fraction(3, 2))),
            Mutant("without the diagonal", replace=(("2*W*(1 - W)/w[i]**2 + ", ""),), part=1),
        ),
    ),
)


def _unscaled(rng: Random, depth: int, level: int) -> dict[str, Any]:
    """x doubled and y halved: mean x^2 = 4, mean xy = 1."""
    data = _data(rng, depth, level)
    return {**data, "x": [2 * v for v in data["x"]], "y": [v / 2 for v in data["y"]]}

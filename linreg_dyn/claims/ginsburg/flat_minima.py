"""Section 2.2 in words: which minima are flat, and what the distance from the origin and the axes says of it."""

from __future__ import annotations

from fractions import Fraction
from random import Random
from typing import Any

from linreg_dyn.certify.find import identity
from linreg_dyn.claims import falsify
from linreg_dyn.claims.core import Claim, Mutant, Part
from linreg_dyn.claims.ginsburg._net import LAYERS, NET, by_hand, positive, source


def _minimum(rng: Random, depth: int, level: int) -> dict[str, Any]:
    return {"w": falsify.weights(rng, depth, level, Fraction(1))}


# ---------------------------------------------------------------- the mean inequality, at a minimum
def _logs(depth: int) -> Any:
    """The logarithms of all but the last of some numbers whose product is 1."""

    def sample(rng: Random, _: int, level: int) -> dict[str, Any]:
        u = [falsify.rational(rng, -2, 2, min(level, 3)) for _ in range(depth - 1)]
        return {"u": rng.choice((u, u[:1] * len(u)))}

    return sample


def means(depth: int) -> Part:
    """x_0 + ... - (sqrt(x_0) - sqrt(x_1))^2 >= d where the product is 1, by exp(t) >= 1 + t: x_0 x_1 as two factors."""
    last = f"-({' + '.join(f'u[{k}]' for k in range(depth - 1))})"
    t = [*(f"u[{k}]" for k in range(depth - 1)), last]
    return Part(
        {"u": f"vector:{depth - 1}"},
        (f"Sum(exp(t)) - (exp(t[0]/2) - exp(t[1]/2))**2 >= {depth}",),
        (("t", f"[{', '.join(t)}]"),),
        tactics=(by_hand(("2", f"tangent ({t[0]})/2 + ({t[1]})/2"), *(("1", f"tangent {e}") for e in t[2:])),),
        sample=_logs(depth),
    )


MEANS = tuple(means(depth) for depth in (2, 3, 4, 5))


def _sharp(depth: int) -> Part:
    """Without the largest weight, with w_k^2 = exp(-u_k) for the others: M = exp(T), and each exp(u_k) is exp(T/n)
    times exp(u_k - T/n)."""
    n = depth - 1
    total = " + ".join(f"u[{k}]" for k in range(n))
    share = f"({total})/{n}"
    return Part(
        {"u": f"vector:{n}"},
        (f"Sum(exp(u)) + exp(-T) > {n}*exp(T/{n})",),
        (("T", total),),
        tactics=(
            by_hand(("1", f"exp -({total})"), *(("1", f"exp {share} * tangent u[{k}] - {share}") for k in range(n))),
        ),
        sample=_logs(depth),
    )


def _about_minima(rng: Random, depth: int, level: int) -> dict[str, Any]:
    r = 1 + Fraction(1, rng.randint(4, 8 + level))  # all but one a little above 1
    given = rng.choice((_minimum(rng, depth, level), {"w": [*[r] * (depth - 1), 1 / r ** (depth - 1)]}))
    squares = [x**2 for x in given["w"]]
    return {**given, "m": min(squares), "D": max(squares) - min(squares)}


def _pair(rng: Random, depth: int, level: int) -> dict[str, Any]:
    a, b = (abs(falsify.signed(rng, level)) for _ in "ab")
    N = a**2 + b**2 + falsify.rational(rng, 0, 1, level)
    return {"a": a, "b": b, "N": N, "d": N - (a - b) ** 2 - falsify.rational(rng, 0, 1, level)}


_EQUAL_AT_TWO = {"w": "layers:2"}
_TWO_MINIMA = (("w", "[1/4, 2, 2]"), ("u", "[4, 1/2, 1/2]"))
_SHARPER = "Sum(1/w**2) > Sum(1/u**2)"

CLAIMS = (
    Claim(
        id="ginsburg.flat-is-balanced",
        title="Minima with low imbalance are flat, minima with high imbalance are sharp",
        statement=(
            r"\text{Minima with low layer imbalance are flat, and minima with high layer imbalance are sharp}: \quad "
            r"W = 1,\ d \ge 2: \quad 2d \le 2\sum\tfrac{1}{w_i^2} \le \frac{2d}{1 - D} \ (D < 1), \quad "
            r"2\sum\tfrac{1}{w_i^2} > 2 (d - 1) D^{1/(d - 1)}"
        ),
        source=source("section 2.2, after eq. 6"),
        kind="printed",
        reading=(
            "As limits, at each depth: the sharpness 2 sum 1/w_i^2 of a minimum tends to its least value 2d as D tends "
            "to 0, and to infinity with D. It does not say that of two minima the one of less imbalance is the flatter "
            "(ginsburg.flat-order); the exact range is ginsburg.flatness-from-imbalance."
        ),
        argument=(
            "Let m and M = m + D be the least and the largest w_i^2. As their product is 1, M >= 1: part 1, at every "
            "depth, bounds each 1/w_i^2. Parts 2 to 5: sum 1/w_i^2 > (d - 1) M^(1/(d-1)), and M > D. The last parts: "
            "sum 1/w_i^2 >= d. Both are mean inequalities, from exp(t) >= 1 + t, for 1/w_i^2 = exp(t_i) and sum t_i = "
            "0; the checker has depths 2 to 5, and the proof is the same at each."
        ),
        parts=(
            Part(
                {**LAYERS, "m": "real", "D": "real"},
                ("1/w[i]**2 <= 1/(1 - D)",),
                assume=("m > 0", "D < 1", "w**2 >= m", "m + D >= 1"),
                tactics=(by_hand(("1", "inv[i] * a2.0[i]"), ("1", "inv[i] * a3.0"), multiplier=[("1", "a1.0")]),),
                sample=_about_minima,
            ),
            *(_sharp(depth) for depth in (2, 3, 4, 5)),
            *MEANS,
        ),
        mutants=(
            Mutant("flatter", replace=(("1/(1 - D)", "1/(1 - D/2)"),)),
            Mutant("sharper", part=2, replace=(("2*exp(T/2)", "21/10*exp(T/2)"),)),
            Mutant("a larger least sharpness", part=5, replace=((">= 2", ">= 201/100"),)),
        ),
        search_depths=(2, 3, 5),
    ),
    Claim(
        id="ginsburg.flat-order",
        title="Imbalance orders minima by sharpness at depth 2, and from depth 3 on does not",
        statement=(
            r"d = 2,\ W = 1: \quad \text{sharpness} = 2 \sum \tfrac{1}{w_i^2} = 2\sqrt{D^2 + 4}; \qquad d \ge 3: \quad "
            r"W(w) = W(u) = 1,\ D(w) < D(u),\ \sum\tfrac{1}{w_i^2} > \sum\tfrac{1}{u_i^2} \text{ for some } w, u"
        ),
        source=source("section 2.2, after eq. 6"),
        kind="sharp",
        reading=(
            "At depth 2 it increases in D. From depth 3 on it matters whether the odd weight out is small or large, "
            "which the imbalance does not see; at larger depths a range takes the place of the curve: "
            "ginsburg.flatness-from-imbalance."
        ),
        argument="Part 2 is depth 3; further weights 1 keep both products and imbalances and add the same sharpness.",
        parts=(
            Part(
                _EQUAL_AT_TWO,
                ("Sum(1/w**2)**2 == (w[0]**2 - w[1]**2)**2 + 4",),
                NET,
                ("W == 1",),
                tactics=(identity(a0_0="4*(W + 1) - (w[0]**2 + w[1]**2)**2*(1 + W)*(1 + W**2)/W**4"),),
                sample=lambda rng, depth, level: _minimum(rng, 2, level),
            ),
            Part(
                {},
                ("Prod(w) == 1", "Prod(u) == 1", "Max(w**2) - Min(w**2) < Max(u**2) - Min(u**2)", _SHARPER),
                _TWO_MINIMA,
                tactics=(identity(), identity(), positive(), positive()),
            ),
        ),
        mutants=(
            Mutant("without the constant", replace=((" + 4", ""),)),
            Mutant("the printed sharpness", replace=(("Sum(1/w**2)**2", "(2*Sum(1/w**2))**2"),)),
            Mutant("less imbalance is flatter", part=1, replace=((_SHARPER, _SHARPER.replace(">", "<")),)),
        ),
    ),
    Claim(
        id="ginsburg.flat-near-origin",
        title="Minima close to the origin are flat",
        statement=(
            r"\text{Minima close to the origin are flat}: \quad W = 1,\ \sum w_i^2 = d + r: \quad r \ge 0, \quad "
            r"\big(|w_i| - |w_j|\big)^2 \le r, \quad D^2 \le 2 r (d + r)"
        ),
        source=source("section 2.2, after the eigenvalues"),
        kind="printed",
        reading=(
            "As a limit, at each depth: no minimum is closer to the origin than sqrt(d), and as the distance tends to "
            "that, D tends to 0 and the sharpness to its least value (ginsburg.flat-is-balanced). It does not say that "
            "of two minima the closer one is the flatter (ginsburg.origin-order)."
        ),
        argument=(
            "The parts after the first, with w_i^2 = exp(t_i), sum t_i = 0: (|w_i| - |w_j|)^2 <= sum w_i^2 - d for "
            "depths 2 to 5, by the sum of exp(t) >= 1 + t over the other layers and, twice, over half of t_i + t_j, "
            "as at any depth. Part 1 has the bound on D from a = |w_i|, b = |w_j|."
        ),
        parts=(
            Part(
                {"a": "real", "b": "real", "N": "real", "d": "real"},
                ("(a**2 - b**2)**2 <= 2*N*(N - d)",),
                assume=("(a - b)**2 <= N - d", "a**2 + b**2 <= N"),
                tactics=(
                    by_hand(
                        ("2", "a0.0 * a1.0"),
                        ("2", "a0.0 * sq a"),
                        ("2", "a0.0 * sq b"),
                        ("2", "sq a-b * a1.0"),
                        ("1", "sq a-b * sq a-b"),
                    ),
                ),
                sample=_pair,
            ),
            *MEANS,
        ),
        mutants=(
            Mutant("half as unequal", replace=(("2*N*(N - d)", "N*(N - d)"),)),
            Mutant("closer", part=2, replace=((">= 3", ">= 4"),)),
        ),
    ),
    Claim(
        id="ginsburg.origin-order",
        title="The distance from the origin orders minima by sharpness at depth 2, and from depth 3 on does not",
        statement=(
            r"d = 2,\ W = 1: \quad \text{sharpness} = 2\sum\tfrac{1}{w_i^2} = 2 \sum w_i^2; \qquad d \ge 3: \quad "
            r"W(w) = W(u) = 1,\ \sum w_i^2 < \sum u_i^2,\ \sum\tfrac{1}{w_i^2} > \sum\tfrac{1}{u_i^2} "
            r"\text{ for some } w, u"
        ),
        source=source("section 2.2, after the eigenvalues"),
        kind="sharp",
        argument="Part 2 is depth 3; further weights 1 add the same to either side.",
        parts=(
            Part(
                _EQUAL_AT_TWO,
                ("Sum(1/w**2) == Sum(w**2)",),
                NET,
                ("W == 1",),
                tactics=(identity(a0_0="-(w[0]**2 + w[1]**2)*(1 + W)/W**2"),),
                sample=lambda rng, depth, level: _minimum(rng, 2, level),
            ),
            Part(
                {},
                ("Prod(w) == 1", "Prod(u) == 1", "Sum(w**2) < Sum(u**2)", _SHARPER),
                _TWO_MINIMA,
                tactics=(identity(), identity(), positive(), positive()),
            ),
        ),
        mutants=(
            Mutant("without the square", replace=(("== Sum(w**2)", "== Sum(w)"),)),
            Mutant("away from minima", drop=0, sample=lambda rng, depth, level: {"w": [Fraction(2), Fraction(3)]}),
            Mutant("closer is flatter", part=1, replace=((_SHARPER, _SHARPER.replace(">", "<")),)),
        ),
    ),
)

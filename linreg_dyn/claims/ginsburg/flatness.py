"""Flat minima and balanced weights: the exact range of sharpness at an imbalance.

At a minimum (W = 1) with u_i = w_i^2 the sharpness is 2 sum 1/u_i, prod u_i = 1 and D = max u - min u.
"""

from __future__ import annotations

from fractions import Fraction
from random import Random
from typing import Any

from flint import arb, ctx

from linreg_dyn.certify.find import Axis
from linreg_dyn.claims import falsify
from linreg_dyn.claims.core import Claim, Mutant, Part
from linreg_dyn.claims.enclosures import ball, outward, root, root_part
from linreg_dyn.claims.ginsburg._net import by_hand, positive, source


def _extremes(rng: Random, depth: int, level: int) -> dict[str, Any]:
    return {n: abs(falsify.signed(rng, level)) for n in ("A", "B", "Y", "p", "q")}


_GIVEN = {"A": "real", "B": "real", "Y": "real", "p": "real", "q": "real"}
_ALL_POSITIVE = tuple(f"{name} > 0" for name in _GIVEN)
_AXES = tuple(Axis(name, low=f"a{k}.0") for k, name in enumerate(_GIVEN))
_ALONG = "D(F, A)*(-A**2) + D(F, B)*(-B**2) + D(F, Y)*{0}"


def _bound_on_radius(depth: int, count: int, D: arb) -> tuple[arb, arb]:
    """(A, B) with `count` weights at 1/A and the others at 1/B = 1/A + D, by bisection on M/m with certified signs."""

    def at(ratio: arb) -> tuple[arb, arb]:
        a = ratio ** (arb(depth - count) / depth)
        return a, a / ratio

    def excess(ratio: arb) -> arb:
        a, b = at(ratio)
        return 1 / b - 1 / a - D

    return at(_solve(excess))


def _solve(excess: Any) -> arb:
    """The ratio above 1 at which an increasing function vanishes: a ball that certainly contains it."""
    low, high = Fraction(1), Fraction(2)
    while not excess(ball(high)) > 0:
        high *= 2
    for _ in range(120):
        middle = (low + high) / 2
        sign = excess(ball(middle))
        if sign > 0:
            high = middle
        elif sign < 0:
            low = middle
        else:
            break
    return ball(low).union(ball(high))


def sharpness_range(depth: int, imbalance: Fraction | str) -> dict[str, dict[str, str]]:
    """Enclosures of the least and the largest sharpness of a minimum of this depth and layer imbalance D > 0.

    The formulas of claim `ginsburg.flatness-from-imbalance`; depth >= 2. Raises ValueError otherwise.
    """
    D = ball(imbalance)
    if depth < 2 or not D > 0:
        raise ValueError(f"sharpness_range: depth >= 2 and imbalance > 0, not {depth} and {imbalance}")
    old, ctx.prec = ctx.prec, 192
    try:
        sharpest = [
            2 * (count * a + (depth - count) * b)
            for count in range(1, depth)
            for a, b in (_bound_on_radius(depth, count, D),)
        ]
        largest = sharpest[0]
        for other in sharpest[1:]:
            largest = largest.max(other)

        def middle(ratio: arb) -> tuple[arb, arb]:
            mean = (ratio**2 + 1) / (ratio + 1)
            return (1 / (ratio * mean ** (depth - 2))) ** (arb(1) / depth), mean

        def excess(ratio: arb) -> arb:
            b, _ = middle(ratio)
            return (1 - 1 / ratio) / b - D

        ratio = _solve(excess)
        b, mean = middle(ratio)
        least = 2 * b * (ratio + 1 + (depth - 2) * mean)
        return {"least": outward(least), "largest": outward(largest)}
    finally:
        ctx.prec = old


def _values() -> dict[str, dict[str, str]]:
    out = {"sharpness (d = 2, D = 1)": root("20", 2)}
    for depth in (3, 5):
        ends = sharpness_range(depth, "1")
        out |= {f"{end} sharpness (d = {depth}, D = 1)": value for end, value in ends.items()}
    return out


CLAIMS = (
    Claim(
        id="ginsburg.flatness-from-imbalance",
        title="The exact range of sharpness at a given imbalance",
        statement=(
            r"W = 1,\ D(w) = D > 0,\ d \ge 2: \quad 2\Big(a + b + (d-2)\tfrac{a^2 + b^2}{a + b}\Big) \le "
            r"2\sum\tfrac{1}{w_i^2} \le \max_{1 \le j < d} 2\big(j a_j + (d - j) b_j\big), \quad "
            r"\tfrac1b - \tfrac1a = \tfrac{1}{b_j} - \tfrac{1}{a_j} = D,\ "
            r"a b \big(\tfrac{a^2 + b^2}{a + b}\big)^{d-2} = a_j^j b_j^{d-j} = 1"
        ),
        source=source("section 2.2, Minima with low layer imbalance are flat"),
        kind="sharp",
        reading=(
            "With v_i = 1/w_i^2 (product 1): a = 1/min w_i^2 and b = 1/max w_i^2. Both ends are attained: the flattest "
            "minimum has its other d - 2 values equal to the contraharmonic mean of a and b; the sharpest has j "
            "weights at the small size and d - j at the large one (j = 1 for large D)."
        ),
        argument=(
            "Fix m = min w_i^2 and M = m + D; A = 1/m, B = 1/M. Middle values v: their sum with fixed product is least "
            "when they are equal, and largest at the ends of [B, A] but for at most one, Y (the sum is convex in log "
            "v). Now let m vary. Largest: with j at A, n at B and one Y strictly between, d/dm of j A + n B + Y is F = "
            "Y (j A + n B) - (j A^2 + n B^2), and where F = 0 its derivative is positive (part 1): a minimum. So the "
            "maximum has Y at an end: j at A, d - j at B. Least: with n = d - 2 middle values Y, the derivative is F = "
            "Y (A + B) - (A^2 + B^2), again increasing through its zeros (part 2), so the one zero, Y = (A^2 + B^2)/(A "
            "+ B), is the minimum; it lies between B and A (part 3)."
        ),
        parts=(
            Part(
                _GIVEN,
                (f"{_ALONG.format('Y*(p*A + q*B)')} + F*(p*A**2 + q*B**2)/(p*A + q*B) > 0",),
                (("F", "Y*(p*A + q*B) - (p*A**2 + q*B**2)"),),
                _ALL_POSITIVE,
                tactics=(positive(*_AXES, times="p*A + q*B", squares=[("p*q*A*B", "sq A-B")]),),
                sample=_extremes,
            ),
            Part(
                _GIVEN,
                (f"{_ALONG.format('Y*(A + B)/q')} + F*(A**2 + B**2)/(A + B) > 0",),
                (("F", "Y*(A + B) - (A**2 + B**2)"),),
                _ALL_POSITIVE,
                tactics=(positive(*_AXES, times="q*(A + B)", squares=[("q*A*B", "sq A-B")]),),
                sample=_extremes,
            ),
            Part(
                {"A": "real", "B": "real"},
                ("B < (A**2 + B**2)/(A + B) < A",),
                assume=("B > 0", "A > B"),
                tactics=(
                    by_hand(("1", "a1.0 * a1.0"), ("1", "a1.0 * a0.0"), multiplier=[("2", "a0.0"), ("1", "a1.0")]),
                    by_hand(("1", "a0.0 * a1.0"), multiplier=[("2", "a0.0"), ("1", "a1.0")]),
                ),
                sample=lambda rng, depth, level: (lambda b, more: {"B": b, "A": b + more})(
                    abs(falsify.signed(rng, level)), abs(falsify.signed(rng, level))
                ),
            ),
            root_part("20", 2),
        ),
        mutants=(
            Mutant("a maximum there", replace=(("/(p*A + q*B) > 0", "/(p*A + q*B) < 0"),)),
            Mutant(
                "half the curvature",
                replace=(("D(F, Y)*Y*(p*A + q*B)", "D(F, Y)*Y*(p*A + q*B)/1000 - 2*p*A**3"),),
            ),
            Mutant("beyond the larger", part=2, replace=(("/(A + B) < A", "/(A + B) < A - B/10"),)),
        ),
        values=_values,
    ),
)

"""Section 4.2: discrete runs with noise augmentation, while they are outside of the noise band."""

from __future__ import annotations

from fractions import Fraction
from random import Random
from typing import Any

from linreg_dyn.claims import falsify
from linreg_dyn.claims.core import Claim, Mutant, Part, Sampler
from linreg_dyn.claims.ginsburg._net import (
    NET,
    NOISE,
    by_hand,
    product_at_least,
    product_at_most,
    product_at_most_inverse,
    source,
    step,
    steps,
)

GIVEN = {"w": "layers", "eta": "real", "delta": "real"}
# the step with noise multiplies w_i by 1 - x p_i
X = (("u", "W*(1 + eta)"), ("x", "2*lam*S*u*(u - 1)"))
PAPER_RATE = (*NET, ("lam", "1/2*(2/3)**5/S"), ("v", step(NOISE)), *X)
NOISY = ("0 < delta", "delta < 1/2", "abs(eta) <= delta")
HYP = {name: by_hand(("1", name)) for name in ("x+", "x-", "1+x", "1-x")}
SMALL_NOISE = (
    ("e-", "1 + eta > 0", by_hand(("1", "a1.0"), ("1/2", ""), ("1", "a2.0-"))),
    ("d-", "1 - delta > 0", by_hand(("1", "a1.0"), ("1/2", ""))),
    ("d+", "1 + delta > 0", by_hand(("1", "a0.0"), ("1", ""))),
)


def _noise(rng: Random, level: int) -> tuple[Fraction, Fraction]:
    """(delta, eta), eta often at an end."""
    delta = falsify.rational(rng, 0, Fraction(1, 2), level)
    return delta, delta * rng.choice((-1, 1, falsify.rational(rng, -1, 1, level)))


def outside(high: int, **more: Any) -> Sampler:
    """0 < W < high outside of the noise band."""

    def sample(rng: Random, depth: int, level: int) -> dict[str, Any]:
        delta, eta = _noise(rng, level)
        below = falsify.rational(rng, 0, 1 / (1 + delta), level)
        above = falsify.rational(rng, 1 / (1 - delta), high, level)
        w = falsify.weights(rng, depth, level, rng.choice((below, above)))
        return {"w": w, "delta": delta, "eta": eta, **{n: f(rng, level) for n, f in more.items()}}

    return sample


def inside(c: Fraction | None = None) -> Sampler:
    """W in the closed noise band, often at an end; c as a multiple of the largest that keeps it."""

    def sample(rng: Random, depth: int, level: int) -> dict[str, Any]:
        delta, eta = _noise(rng, level)
        ends = 1 / (1 + delta), 1 / (1 - delta)
        W = rng.choice((*ends, falsify.rational(rng, *ends, level)))
        given = {"w": falsify.weights(rng, depth, level, W), "delta": delta, "eta": eta}
        if c is None:
            return given
        most = (1 - delta) ** 2 / (2 * (1 + delta) ** 2)
        return {**given, "c": most * rng.choice((c, c * falsify.rational(rng, 0, 1, level)))}

    return sample


# -- the loss outside, at the theorem's rate: x = 32/243 u (u - 1)
# above, 0 < u - 1 < 2 (W - 1), so that 0 < x < 64/81 (W - 1) and 0 < W x < 2 (W - 1)
_ABOVE = (
    *SMALL_NOISE,
    ("W", "W > 0", by_hand(("1", "a3.0"), ("1", ""), multiplier=[("1", "d-")])),
    ("h", "W - 1 > 0", by_hand(("1", "a3.0"), ("1", "a0.0"), multiplier=[("1", "d-")])),
    ("u+", "u - 1 > 0", by_hand(("1", "a3.0"), ("1", "W * a2.0-"))),
    ("u-", "2*(W - 1) - (u - 1) > 0", by_hand(("1", "a3.0"), ("1", "W * a2.0+"))),
    ("x+", "x > 0", by_hand(("32/243", "u+"), ("32/243", "u+ * u+"))),
    (
        "xx",
        "x < 64/81*(W - 1)",
        by_hand(("128/243", "h * a4.0"), ("64/243", "h * u-"), ("32/243", "u- * u+"), ("32/243", "u-")),
    ),
    ("1-x", "x < 1", by_hand(("1", "xx"), ("64/81", "a4.0"), ("17/81", ""))),
)
_FALLS_ABOVE = (
    steps(
        *_ABOVE,
        then=product_at_most(
            "x",
            HYP["x+"],
            HYP["1-x"],
            by_hand(("1", "W * hi0"), ("1/2", "W * x+"), ("1/2", "W * x+ * 1-x")),
        ),
    ),
    steps(
        *_ABOVE,
        then=product_at_least(
            "x", HYP["1-x"], by_hand(("1", "W * lo0"), ("1", "W * xx"), ("64/81", "h * a4.0"), ("34/81", "h"))
        ),
    ),
)
# below, 0 < 1 - u < 2 (1 - W), so that -x < 64/243 u (1 - W)
_BELOW = (
    *SMALL_NOISE,
    ("h", "1 - W > 0", by_hand(("1", "a4.0"), ("1", "a0.0"), multiplier=[("1", "d+")])),
    ("u0", "u > 0", by_hand(("1", "a3.0 * e-"))),
    ("g", "1 - u > 0", by_hand(("1", "a4.0"), ("1", "a3.0 * a2.0+"))),
    ("u-", "2*(1 - W) - (1 - u) > 0", by_hand(("1", "a4.0"), ("1", "a3.0 * a2.0-"))),
    ("x-", "x < 0", by_hand(("32/243", "u0 * g"))),
    ("1+x", "x > -1", by_hand(("235/243", ""), ("32/243", "sq u-1/2"))),
    ("1-x", "x < 1", by_hand(("1", ""), ("1", "x-"))),
)
_FALLS_BELOW = (
    steps(
        *_BELOW,
        then=product_at_most_inverse(
            "x",
            HYP["1+x"],
            HYP["x-"],
            by_hand(
                ("1", "a3.0 * 1+x * hi0"),
                ("358/243", "h"),
                ("64/243", "h * a3.0"),
                ("64/243", "h * h * g"),
                ("64/243", "h * g"),
                ("32/243", "h * u0 * u-"),
                ("32/243", "u0 * u-"),
                multiplier=[("1", "1+x")],
            ),
        ),
    ),
    steps(*_BELOW, then=product_at_least("x", HYP["1-x"], by_hand(("1", "a3.0 * lo0"), ("1", "a3.0 * x-")))),
)


def _overshooting(rng: Random, depth: int, level: int) -> dict[str, Any]:
    """One layer at 5/2, and nearly as much noise as allowed."""
    return {"w": [Fraction(5, 2)], "delta": Fraction(31, 64), "eta": Fraction(31, 64)}


CLAIMS = (
    Claim(
        id="ginsburg.noise-optimization",
        title="Outside of the noise band a step decreases the loss, as printed",
        statement=(
            r"\text{During the optimization phase, the loss decreases until the trajectory hits the noise band: } "
            r"W < \tfrac{1}{1 + \delta} \text{ or } W > \tfrac{1}{1 - \delta} \;\Rightarrow\; L(t + 1) < L(t)"
        ),
        source=source("section 4.2, after eq. 11"),
        kind="printed",
        amended_by="ginsburg.noise-optimization.amended",
        reading="A step at the rate of Theorem 4.1, the only one that the section names; W > 0, where the band is.",
        parts=(
            Part(
                GIVEN,
                ("abs(Prod(v) - 1) < abs(W - 1)",),
                PAPER_RATE,
                (*NOISY, "W > 0", "(W*(1 + delta) - 1)*(W*(1 - delta) - 1) > 0"),
                sample=outside(6),
            ),
        ),
        mutants=(
            Mutant("it falls by half", replace=(("< abs(W - 1)", "< abs(W - 1)/2"),)),
            Mutant("it grows", replace=(("< abs(W - 1)", "> abs(W - 1)"),)),
        ),
        search_depths=(1, 2, 3),
    ),
    Claim(
        id="ginsburg.noise-optimization.amended",
        title="Outside of the noise band a step from 0 < W < 2 decreases the loss",
        statement=(
            r"|\eta| \le \delta < \tfrac12,\ \lambda = \tfrac12\big(\tfrac23\big)^5 \frac{1}{\sum 1/w_i^2}: \quad "
            r"\tfrac{1}{1 - \delta} < W < 2 \text{ or } 0 < W < \tfrac{1}{1 + \delta} \;\Rightarrow\; "
            r"L(t + 1) < L(t)"
        ),
        source=source("section 4.2, after eq. 11"),
        kind="amended",
        amends="ginsburg.noise-optimization",
        reading=(
            "Every depth and every noise. From W = 5/2 the step can overshoot, the rate being bounded by "
            "1/sum(1/w_i^2) only. 2 is not the largest W for which it cannot, but what a run never exceeds: by "
            "ginsburg.thm-4.1-along-trajectory.amended W stays in (0, 2)."
        ),
        parts=(
            Part(
                GIVEN,
                ("abs(Prod(v) - 1) < W - 1",),
                PAPER_RATE,
                (*NOISY, "W*(1 - delta) > 1", "W < 2"),
                tactics=_FALLS_ABOVE,
                sample=outside(2),
            ),
            Part(
                GIVEN,
                ("abs(Prod(v) - 1) < 1 - W",),
                PAPER_RATE,
                (*NOISY, "W > 0", "W*(1 + delta) < 1"),
                tactics=_FALLS_BELOW,
                sample=outside(2),
            ),
        ),
        mutants=(
            Mutant("from W = 5/2 too", replace=(("W < 2", "W <= 5/2"),), sample=_overshooting),
            Mutant("twice the noise", replace=(("W*(1 - delta) > 1", "W*(1 - delta/2) > 1"),), sample=inside()),
            Mutant("four times the rate", replace=(("1/2*(2/3)", "2*(2/3)"),)),
            Mutant("inside of the band", part=1, drop=4, sample=inside()),
        ),
        search_depths=(1, 2, 3, 5),
    ),
)

"""The note to Theorem 4.1: that noise makes the imbalance vanish, and the bound on the rate that this needs."""

from __future__ import annotations

from fractions import Fraction
from random import Random
from typing import Any

from linreg_dyn.certify.find import mean
from linreg_dyn.claims import falsify
from linreg_dyn.claims.core import Claim, Mutant, Part, Sampler
from linreg_dyn.claims.ginsburg._net import LAYERS, NET, by_hand, product_at_least, source, steps
from linreg_dyn.claims.ginsburg.noise_run import GIVEN, HYP, NOISY, PAPER_RATE, SMALL_NOISE, inside, outside


def _bounded_below(depth: int) -> Part:
    """m^2/w_0^2 <= W^2/w_0^2 = w_1^2 ... w_(d-1)^2 <= C^(2d-2), replacing one w_k^2 by C^2 after another."""
    telescoping = [
        ("1", f"sq {'*'.join(['1', *(f'w[{n}]' for n in range(1, k))])}*C**{depth - 1 - k} * a{k + 2}.0+ * a{k + 2}.0-")
        for k in range(1, depth)
    ]
    return Part(
        {"w": f"layers:{depth}", "m": "real", "C": "real"},
        (f"m**2/w[0]**2 <= C**{2 * depth - 2}",),
        NET,
        ("m > 0", "C > 0", "W > m", *(f"abs(w[{k}]) < C" for k in range(1, depth))),
        tactics=(by_hand(*telescoping, ("1", "sq 1/w[0] * a2.0 * a2.0"), ("2", "sq 1/w[0] * a2.0 * a0.0")),),
        sample=_bounded(depth),
    )


def _bounded(depth: int) -> Sampler:
    def sample(rng: Random, _: int, level: int) -> dict[str, Any]:
        m = falsify.rational(rng, 0, 2, level)
        w = falsify.weights(rng, depth, level, m + falsify.rational(rng, 0, 1, level))
        return {"w": w, "m": m, "C": max(map(abs, w)) * (1 + falsify.rational(rng, 0, 1, level))}

    return sample


def _anywhere(rng: Random, depth: int, level: int) -> dict[str, Any]:
    """0 < W < 2, in the noise band or outside of it."""
    return rng.choice((outside(2), inside()))(rng, depth, level)


_RUN = (*NOISY, "0 < W", "W < 2")
_RISES = steps(
    SMALL_NOISE[0],
    ("u0", "u > 0", by_hand(("1", "a3.0 * e-"))),
    ("x-", "x <= 0", by_hand(("32/243", "u0 * a5.0"))),
    ("1-x", "x < 1", by_hand(("1", ""), ("1", "x-"))),
    then=product_at_least("x", HYP["1-x"], by_hand(("1", "a3.0 * lo0"), ("1", "a3.0 * x-"))),
)
# W > 2/3 and u < 3, so that x = 32/243 u (u - 1) < 64/81
_FALLS_NO_FURTHER = steps(
    ("e+", "eta < 1/2", by_hand(("1", "a1.0"), ("1", "a2.0+"))),
    ("low", "W > 2/3", by_hand(("2/3", "a5.0"), ("2/3", "a3.0 * e+"))),
    ("room", "u < 3", by_hand(("3/2", "a4.0"), ("1", "a3.0 * e+"))),
    ("xx", "x < 64/81", by_hand(("32/81", "room"), ("32/243", "room * a5.0"))),
    ("1-x", "x < 1", by_hand(("1", "xx"), ("17/81", ""))),
    then=product_at_least("x", HYP["1-x"], by_hand(("1", "a3.0 * lo0"), ("1", "a3.0 * xx"), ("17/81", "low"))),
)
# pointwise (1 + eta)^2 >= (1 - delta)^2; what is linear in eta has mean 0
_MEAN_FACTOR = mean(
    "4*lam**2*((1 + eta)**2*(W*(1 + eta) - 1)**2*W**2 - (1 - delta)**2*W**4*eta**2 "
    "- 2*(1 - delta)**2*(W - 1)*W**3*eta)/(w[i]*w[j])**2",
    steps(
        ("m", "1 - delta > 0", by_hand(("1", "a2.0"))),
        then=by_hand(
            ("1", "sq 2*lam * a1.0- * a1.0- * sq (W-1+W*eta)*W * inv[i] * inv[j]"),
            ("2", "sq 2*lam * a1.0- * m * sq (W-1+W*eta)*W * inv[i] * inv[j]"),
            ("1", "sq 2*lam * sq (1-delta)*W*(W-1) * inv[i] * inv[j]"),
        ),
    ),
    a0_0="8*lam**2*(1 - delta)**2*(W - 1)*W**3/(w[i]*w[j])**2",
)


def _noises(bias: int = 0) -> Sampler:
    """Two values of the noise, with a mean or without, about nets of any W > 0."""

    def sample(rng: Random, depth: int, level: int) -> dict[str, Any]:
        delta = falsify.rational(rng, 0, 1, level)
        s = delta * rng.choice((1, falsify.rational(rng, 0, 1, level)))
        W = rng.choice((Fraction(1), 1 / (1 + s), falsify.rational(rng, 0, 3, level)))
        given = {"w": falsify.weights(rng, depth, level, W), "lam": falsify.rational(rng, -2, 2, level)}
        return given | {"delta": delta, "eta": [s, s if bias else -s]}

    return sample


CLAIMS = (
    Claim(
        id="ginsburg.thm-4.1-note-limit",
        title="Noise makes the imbalance vanish",
        statement=(
            r"\text{We can prove that the layer imbalance } E[D] \to 0 \text{ if we also assume that all layers are "
            r"uniformly bounded } |w_i| < C: \quad W(t + 1) \ge \min\big(W, \tfrac{34}{243}\big); \quad W > m > 0 "
            r"\;\Rightarrow\; \frac{1}{\sum 1/w_i^2} \ge \frac{m^2}{d\, C^{2(d - 1)}}; \quad E(k) \le 1 - 4 "
            r"\lambda^2 (1 - \delta)^2 W^4 \frac{\sigma^2}{(w_i w_j)^2}"
        ),
        source=source("Note to Theorem 4.1"),
        kind="printed",
        reading=(
            "At the theorem's rate, from every start with 0 < W < 2, which is more than its |W - 1| < delta, for noise "
            "|eta| <= delta < 1/2 that given the past has mean 0 and a variance of at least some sigma^2 > 0. The note "
            "has lambda(w) > epsilon from |w_i| < C, for all w. That does not follow (part 1: two weights m have "
            "lambda = c m^2/2), but does along a run (parts 2 to 6). There |w_i| < C need not be assumed."
        ),
        argument=(
            "By ginsburg.thm-4.1-along-trajectory.amended 0 < W < 2 at every step, and no |D_ij| grows, so w_i^2 <= "
            "4^(1/d) + D(0) (the smallest is at most W^(2/d)): all |w_i| are below some C. With u = W (1 + eta), W "
            "does not fall where u <= 1 (part 5) and is above 34/243 after a step from u >= 1 (part 6): at every step "
            "it is at least min(W(0), 34/243). Take m below that. W^2/w_i^2 is a product of d - 1 squares below C^2 "
            "(parts 2 to 4 are depths 2, 3, 4), hence the bound on lambda. By part 7 then E(k) <= 1 - epsilon at every "
            "step, whatever came before, and 0 < k <= 1: the mean of |D_ij| falls at least as (1 - epsilon)^t."
        ),
        parts=(
            Part(
                {"C": "real", "c": "real", "eps": "real", "m": "real"},
                ("m < C", "c/S < eps"),
                (("w", "[m, m]"), *NET),
                ("C > 0", "c > 0", "eps > 0", "0 < m", "m < C", "c*m**2 < 2*eps"),
                tactics=(by_hand(("1", "a4.0")), by_hand(("1/2", "a5.0"))),
                sample=lambda rng, depth, level: {
                    **{n: abs(falsify.signed(rng, level)) for n in ("C", "c", "eps")},
                    "m": Fraction(1, 2 ** rng.randint(0, 2 + 2 * level)),
                },
            ),
            *(_bounded_below(depth) for depth in (2, 3, 4)),
            Part(GIVEN, ("Prod(v) >= W",), PAPER_RATE, (*_RUN, "u <= 1"), tactics=(_RISES,), sample=_anywhere),
            Part(
                GIVEN,
                ("Prod(v) > 34/243",),
                PAPER_RATE,
                (*_RUN, "u >= 1"),
                tactics=(_FALLS_NO_FURTHER,),
                sample=_anywhere,
            ),
            Part(
                {**LAYERS, "eta": "sample", "delta": "real", "lam": "real"},
                ("Mean(k) <= 1 - 4*lam**2*(1 - delta)**2*W**4*Mean(eta**2)/(w[i]*w[j])**2",),
                (*NET, ("k", "1 - 4*lam**2*(1 + eta)**2*(W*(1 + eta) - 1)**2*W**2/(w[i]*w[j])**2")),
                ("Mean(eta) == 0", "abs(eta) <= delta", "delta < 1"),
                tactics=(_MEAN_FACTOR,),
                sample=_noises(),
            ),
        ),
        mutants=(
            Mutant("half the weights' reach", part=1, replace=(("C**2", "C**2/4"),)),
            Mutant(
                "whatever W is",
                part=1,
                drop=2,
                sample=lambda rng, depth, level: {
                    "w": [Fraction(1, 16)] * 2,
                    "m": Fraction(1, 2),
                    "C": Fraction(1),
                },
            ),
            Mutant("at any two weights", drop=5),
            Mutant("W does not fall, above either", part=4, drop=5),
            Mutant("four times the rate", part=5, replace=(("1/2*(2/3)", "2*(2/3)"),)),
            Mutant("as far above 0 as 1/2", part=5, replace=(("34/243", "1/2"),)),
            Mutant("from below too", part=5, drop=5),
            Mutant("twice as fast", part=6, replace=(("1 - 4*lam**2*(1 - delta)", "1 - 8*lam**2*(1 - delta)"),)),
            Mutant("noise with a mean", part=6, drop=0, sample=_noises(bias=1)),
        ),
        search_depths=(2, 3),
    ),
)

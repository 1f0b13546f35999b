"""The note to Theorem 4.1: that noise makes the imbalance vanish, and the bound on the rate that this needs."""

from __future__ import annotations

from fractions import Fraction
from random import Random
from typing import Any

from linreg_dyn.claims import falsify
from linreg_dyn.claims.core import Claim, Mutant, Part
from linreg_dyn.claims.ginsburg._net import NET, by_hand, source


def _bounded_below(depth: int) -> Part:
    """(1 - delta)^2/w_0^2 <= W^2/w_0^2 = w_1^2 ... w_(d-1)^2 <= C^(2d-2), replacing one w_k^2 by C^2 after another."""
    telescoping = [
        ("1", f"sq {'*'.join(['1', *(f'w[{n}]' for n in range(1, k))])}*C**{depth - 1 - k} * a{k + 2}.0+ * a{k + 2}.0-")
        for k in range(1, depth)
    ]
    return Part(
        {"w": f"layers:{depth}", "delta": "real", "C": "real"},
        (f"(1 - delta)**2/w[0]**2 <= C**{2 * depth - 2}",),
        NET,
        ("delta < 1", "C > 0", "W > 1 - delta", *(f"abs(w[{k}]) < C" for k in range(1, depth))),
        tactics=(by_hand(*telescoping, ("1", "sq 1/w[0] * a2.0 * a2.0"), ("2", "sq 1/w[0] * a2.0 * a0.0")),),
        sample=_bounded(depth),
    )


def _bounded(depth: int) -> Any:
    def sample(rng: Random, _: int, level: int) -> dict[str, Any]:
        delta = falsify.rational(rng, 0, 1, level)
        last = 1 - delta + falsify.rational(rng, 0, 1, level)
        w = falsify.weights(rng, depth, level, last)
        return {"w": w, "delta": delta, "C": max(map(abs, w)) * (1 + falsify.rational(rng, 0, 1, level))}

    return sample


CLAIMS = (
    Claim(
        id="ginsburg.thm-4.1-note-limit",
        title="Noise makes the imbalance vanish",
        statement=(
            r"\text{We can prove that the layer imbalance } E[D] \to 0 \text{ if we also assume that all layers are "
            r"uniformly bounded } |w_i| < C: \quad W > 1 - \delta \;\Rightarrow\; \frac{1}{\sum 1/w_i^2} \ge "
            r"\frac{(1 - \delta)^2}{d\, C^{2(d - 1)}}"
        ),
        source=source("Note to Theorem 4.1"),
        kind="printed",
        reading=(
            "At a rate c/sum(1/w_i^2) that keeps the noise band (ginsburg.noise-band-kept.amended; the theorem's for "
            "delta <= 23/50), from a start in it, for noise that given the past has mean 0 and a variance of at least "
            "some sigma^2 > 0. The note has lambda(w) > epsilon from |w_i| < C, for all w. That does not follow (part "
            "1: two weights m have lambda = c m^2/2), but does in the band (parts 2 to 4). There |w_i| < C need not be "
            "assumed."
        ),
        argument=(
            "The band has W >= 1/(1 + delta) > 1 - delta and W <= 2 at every step, and no |D_ij| grows, so w_i^2 <= "
            "4^(1/d) + D(0) (the smallest is at most W^(2/d)): all weights are bounded by some C. W^2/w_i^2 is a "
            "product of d - 1 squares below C^2 (parts 2 to 4 are depths 2, 3, 4), hence the bound on lambda. By "
            "ginsburg.thm-4.1-note.amended then E(k) <= 1 - epsilon at every step, whatever came before, and 0 < k <= "
            "1: the mean of |D_ij| falls at least as (1 - epsilon)^t."
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
        ),
        mutants=(
            Mutant("half the weights' reach", part=1, replace=(("C**2", "C**2/4"),)),
            Mutant(
                "without the band",
                part=1,
                drop=2,
                sample=lambda rng, depth, level: {
                    "w": [Fraction(1, 16)] * 2,
                    "delta": Fraction(1, 8),
                    "C": Fraction(1),
                },
            ),
            Mutant("at any two weights", drop=5),
        ),
        search_depths=(2, 3),
    ),
)

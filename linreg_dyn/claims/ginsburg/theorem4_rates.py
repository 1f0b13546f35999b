"""The note to Theorem 4.1, and the theorem's largest rates."""

from __future__ import annotations

from fractions import Fraction
from random import Random
from typing import Any

from linreg_dyn.certify.find import Tactic, mean
from linreg_dyn.claims import falsify
from linreg_dyn.claims.core import Claim, Mutant, Part, Sampler
from linreg_dyn.claims.enclosures import exact, root, root_part
from linreg_dyn.claims.ginsburg._net import (
    NET,
    NOISE,
    SPREAD,
    by_hand,
    source,
    step,
    steps,
)
from linreg_dyn.claims.ginsburg.theorem4 import BOUNDED, FACTOR, LOOSENED, PAPER_RATE, SAMPLE, STEP


def _distribution(rng: Random, depth: int, level: int) -> dict[str, Any]:
    """Zero-mean noise on two or three values, weights close to equal and C just above them."""
    d = falsify.rational(rng, 0, Fraction(1, 2), level)
    s = d * falsify.rational(rng, 0, 1, level)
    eta = rng.choice(([s, -s], [s, -s / 2, -s / 2], [-s, s / 2, s / 2]))
    W = 1 + d * falsify.rational(rng, -1, 1, level)
    w = falsify.weights(rng, depth, level, W)
    if depth == 2 and rng.random() < 0.7:  # equal weights below 1, and nearly as much noise as allowed
        n = rng.randint(3, 8)
        w, d = [Fraction(n, n + 1)] * 2, Fraction(1, 2) - Fraction(1, 2 ** rng.randint(3, 6))
        s = Fraction(rng.randint(3, 6), 12)
        eta = [s, -s]
    return {
        "w": w,
        "eta": eta,
        "delta": d,
        "C": max(map(abs, w)) * (1 + Fraction(1, 2 ** rng.randint(1, 3 + level))),
    }


def _biased(rng: Random, depth: int, level: int) -> dict[str, Any]:
    """The noise that the minimum cannot see: eta = 1/W - 1."""
    w = [Fraction(9, 10)] * 2
    return {"w": w, "eta": [Fraction(100, 81) - 1], "delta": Fraction(1, 4), "C": Fraction(91, 100)}


def _at_any_rate(sample: Sampler) -> Sampler:
    """The same at the theorem's rate, or any other."""

    def with_rate(rng: Random, depth: int, level: int) -> dict[str, Any]:
        given = sample(rng, depth, level)
        paper = Fraction(16, 243) / sum(1 / w**2 for w in given["w"])
        return {**given, "lam": rng.choice((paper, falsify.rational(rng, 0, 1, level)))}

    return with_rate


_NOTE = {"w": "layers", "eta": "sample", "delta": "real", "C": "real"}
_NOTE_ASSUME = (
    "Mean(eta) == 0",
    "0 < delta",
    "delta < 1/2",
    "abs(eta) < delta",
    "abs(W - 1) < delta",
    "abs(w) < C",
    "C > 0",
)
_POINTWISE = "sq 2*lam * sq (1-delta)*eta * {0} * inv[i] * inv[j]"
_NOTE_TACTIC = mean(
    "4*lam**2*((1 + eta)**2*(W*(1 + eta) - 1)**2*W**2/(w[i]*w[j])**2 - (1 - delta)**6*eta**2/C**4 "
    "- 2*(1 - delta)**2*(W - 1)*W**3/(w[i]*w[j])**2*eta)",
    steps(
        ("m", "1 - delta > 0", by_hand(("1", "a2.0"), ("1/2", ""))),
        ("h", "W > 1 - delta", by_hand(("1", "a4.0"))),
        ("Ai", "1/w[i]**2 >= 1/C**2", by_hand(("1", "a5.0+[i] * a5.0-[i] * inv[i] * sq 1/C"))),
        ("Aj", "1/w[j]**2 >= 1/C**2", by_hand(("1", "a5.0+[j] * a5.0-[j] * inv[j] * sq 1/C"))),
        then=by_hand(
            ("1", "sq 2*lam * a3.0- * a3.0- * sq (W-1+W*eta)*W * inv[i] * inv[j]"),
            ("2", "sq 2*lam * a3.0- * m * sq (W-1+W*eta)*W * inv[i] * inv[j]"),
            ("1", "sq 2*lam * sq (1-delta)*W*(W-1) * inv[i] * inv[j]"),
            *(
                (c, _POINTWISE.format(f"h * {a} * {b}"))
                for c, a in (("1", "h"), ("2", "m"))
                for b in ("sq W", "sq 1-delta")
            ),
            ("1", "sq 2*lam * sq (1-delta)**3*eta * Ai * inv[j]"),
            ("1", "sq 2*lam * sq (1-delta)**3*eta * sq 1/C * Aj"),
        ),
    ),
    a0_0="8*lam**2*(1 - delta)**2*(W - 1)*W**3/(w[i]*w[j])**2",
)

# -- largest rates: |G| < 45/16 for G = u (u - 1), u = W (1 + eta) in (1/4, 9/4)
_GIVEN_C = {**STEP, "c": "real"}
_C_FACTOR = (*NET, ("lam", "c/S"), ("v", step(NOISE)), ("u", "W*(1 + eta)"), ("G", "u*(u - 1)"), FACTOR)


def _rate(times: int) -> Tactic:
    """S^2 (k - 1 + times) > 0: k > 0 (times 1) or k >= -1 (times 2), from S^2 >= 4 A B and c^2 G^2 <= times.

    `a4.0` is c > 0 and `a5.0` the gap between c^2 and its bound times * 256/2025.
    """
    return steps(
        *LOOSENED,
        ("u0", "u > 0", by_hand(("1", "W- * e-"), ("1/2", "W-"), ("1/2", "e-"), ("1/4", ""))),
        ("room", "u < 9/4", by_hand(("3/2", "W+"), ("1", "W- * e+"), ("1/2", "e+"))),
        ("G+", "G < 45/16", by_hand(("1", "room * u0"), ("5/4", "room"))),
        ("G-", "G > -45/16", by_hand(("1", "sq u-1/2"), ("41/16", ""))),
        then=by_hand(
            *((str(times * int(c)), h) for c, h in SPREAD),
            (str(4 * Fraction(2025, 256)), "inv[i] * inv[j] * a5.0"),
            ("4", "inv[i] * inv[j] * a4.0 * a4.0 * G+ * G-"),
            multiplier=[("1", "S * S")],
        ),
    )


def _equal_pair(rng: Random, depth: int, level: int) -> dict[str, Any]:
    near_one = Fraction(1, 2 ** (3 + level))
    return {
        "m": Fraction(49, 40) - near_one,
        "eta": Fraction(1, 2) - near_one,
        "c": falsify.rational(rng, 0, 2, level),
    }


def _at_rate(c: Fraction | None = None) -> Any:
    def sample(rng: Random, depth: int, level: int) -> dict[str, Any]:
        return {**SAMPLE(rng, depth, level), "c": c or falsify.rational(rng, 0, Fraction(1, 2), level)}

    return sample


_PAIR_NET = (
    ("w", "[m, m]"),
    *NET,
    ("lam", "c/S"),
    ("k", "1 - 4*lam**2*(1 + eta)**2*(W*(1 + eta) - 1)**2*W**2/(w[0]*w[1])**2"),
)
_PAIR_ASSUME = ("0 < m", "m**2 < 3/2", "eta < 1/2")

CLAIMS = (
    Claim(
        id="ginsburg.thm-4.1-note",
        title="Note to Theorem 4.1, as printed",
        statement=(
            r"|w_i| < C: \quad E(k) \le 1 - 4\lambda^2 W^2/(w_i w_j)^2 \cdot (1 + \sigma^2)^2 "
            r"\tfrac{\sigma^2}{1 + \sigma^2} "
            r"\le 1 - 4\lambda^2 \tfrac{1}{4 C^4}(1 + \sigma^2)\sigma^2 \le 1 - \tfrac{\lambda^2\sigma^2}{C^4}"
        ),
        source=source("Note to Theorem 4.1"),
        kind="printed",
        amended_by="ginsburg.thm-4.1-note.amended",
        reading=(
            "For every zero-mean noise with |eta| < delta < 1/2 and every point with |W - 1| < delta, |w_i| < C; k as "
            "in the theorem. Part 1 is the final bound, part 2 the printed chain. Both fail, for noise on two values."
        ),
        parts=tuple(
            Part(
                _NOTE,
                (text,),
                (*PAPER_RATE, ("s2", "Mean(eta**2)"), FACTOR),
                _NOTE_ASSUME,
                sample=_distribution,
            )
            for text in (
                "Mean(k) <= 1 - lam**2*s2/C**4",
                "Mean(k) <= 1 - 4*lam**2*W**2/(w[i]*w[j])**2*(1 + s2)**2*(s2/(1 + s2)) "
                "<= 1 - 4*lam**2*(1/(4*C**4))*(1 + s2)*s2 <= 1 - lam**2*s2/C**4",
            )
        ),
        mutants=(
            Mutant("twice as fast", replace=(("1 - lam**2", "1 - 2*lam**2"),)),
            Mutant(
                "the chain's first link alone",
                part=1,
                replace=((" <= 1 - 4*lam**2*(1/(4*C**4))*(1 + s2)*s2 <= 1 - lam**2*s2/C**4", ""),),
            ),
        ),
        search_depths=(2, 3),
    ),
    Claim(
        id="ginsburg.thm-4.1-note.amended",
        title="Note to Theorem 4.1",
        statement=(
            r"E\eta = 0,\ |w_i| < C,\ W > 1 - \delta,\ |\eta| < \delta < \tfrac12: \quad "
            r"E(k) \le 1 - 4 (1 - \delta)^6 \frac{\lambda^2\sigma^2}{C^4}"
        ),
        source=source("Note to Theorem 4.1"),
        kind="amended",
        amends="ginsburg.thm-4.1-note",
        reading=(
            "For every zero-mean noise, any rate lambda and, above 1 - delta, any W. The printed constant 1 is reached "
            "for delta <= 1 - 4^(-1/6) = 0.206...; at delta = 1/2 the proved constant, 1/16, is not the best. That D "
            "tends to 0 is ginsburg.thm-4.1-note-limit."
        ),
        parts=(
            Part(
                {**_NOTE, "lam": "real"},
                ("Mean(k) <= 1 - 4*(1 - delta)**6*lam**2*s2/C**4",),
                (
                    *NET,
                    ("s2", "Mean(eta**2)"),
                    ("k", "1 - 4*lam**2*(1 + eta)**2*(W*(1 + eta) - 1)**2*W**2/(w[i]*w[j])**2"),
                ),
                tuple(text.replace("abs(W - 1) < delta", "W > 1 - delta") for text in _NOTE_ASSUME),
                tactics=(_NOTE_TACTIC,),
                sample=_at_any_rate(_distribution),
            ),
        ),
        mutants=(
            Mutant("sixteen times as fast", replace=(("1 - 4*(1 - delta)", "1 - 64*(1 - delta)"),)),
            Mutant("the printed constant", replace=(("4*(1 - delta)**6*", ""),)),
            Mutant("noise with a mean", drop=0, sample=_at_any_rate(_biased)),
        ),
        search_depths=(2, 3),
    ),
    Claim(
        id="ginsburg.thm-4.1.largest-rate",
        title="The largest rates of Theorem 4.1",
        statement=(
            r"|\eta| < \delta,\ |W - 1| < \delta,\ \delta < \tfrac12,\ \lambda = \frac{c}{\sum 1/w_i^2},\ c > 0: \quad "
            r"|D_{ij}| \text{ cannot grow iff } c \le \tfrac{16\sqrt2}{45}, \text{ nor change sign iff } c "
            r"\le \tfrac{16}{45}"
        ),
        source=source("Theorem 4.1, its rate 1/2 (2/3)^5"),
        kind="sharp",
        reading=(
            "Over all delta < 1/2. The paper's c is 16/243, 5.4 times smaller than needed to keep the sign (its last "
            "bound, (3/2)^10, could be (3/2)^8). Parts 1 and 2: k >= -1 and k > 0 at those rates. Parts 3 and 4: "
            "beyond them, nets [m, m] with m^2 and eta near 3/2 and 1/2 have k < -1 or k < 0."
        ),
        argument=(
            "For a larger c some m and eta meet the assumption of part 3 (part 4), because u (u - 1) with u = m^2 (1 + "
            "eta) tends to 45/16 as m^2 tends to 3/2 and eta to 1/2; unequal weights nearby have factors as near as "
            "one likes, by continuity."
        ),
        parts=(
            Part(
                _GIVEN_C,
                ("k >= -1",),
                _C_FACTOR,
                (*BOUNDED, "0 < c", "c**2 <= 512/2025"),
                tactics=(_rate(2),),
                sample=_at_rate(),
            ),
            Part(
                _GIVEN_C,
                ("k > 0",),
                _C_FACTOR,
                (*BOUNDED, "0 < c", "c**2 <= 256/2025"),
                tactics=(_rate(1),),
                sample=_at_rate(),
            ),
            Part(
                {"m": "real", "eta": "real", "c": "real"},
                ("k < -1",),
                _PAIR_NET,
                (*_PAIR_ASSUME, "c**2*(m**2*(1 + eta)*(m**2*(1 + eta) - 1))**2 > 2"),
                tactics=(by_hand(("1", "a3.0")),),
                sample=_equal_pair,
            ),
            Part(
                {"m": "real", "eta": "real", "c": "real"},
                ("k < 0",),
                _PAIR_NET,
                (*_PAIR_ASSUME, "c**2*(m**2*(1 + eta)*(m**2*(1 + eta) - 1))**2 > 1"),
                tactics=(by_hand(("1", "a3.0")),),
                sample=_equal_pair,
            ),
            root_part("512/2025", 2),
        ),
        mutants=(
            Mutant("a tenth more", replace=(("512/2025", "620/2025"),), sample=_at_rate(Fraction(11, 20))),
            Mutant(
                "the same sign, a tenth more",
                part=1,
                replace=(("256/2025", "310/2025"),),
                sample=_at_rate(Fraction(7, 18)),
            ),
            Mutant("beyond without excess", part=2, replace=(("> 2", "> 1"),)),
        ),
        search_depths=(1, 2, 3, 5),
        values=lambda: {"c": root("512/2025", 2), "c_same_sign": exact("16/45")},
    ),
)

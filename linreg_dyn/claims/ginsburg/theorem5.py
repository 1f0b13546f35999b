"""Theorem 5.1, its chain of inequalities and its largest rates."""

from __future__ import annotations

from fractions import Fraction
from random import Random
from typing import Any

from linreg_dyn.certify.find import Tactic, identity
from linreg_dyn.claims import falsify
from linreg_dyn.claims.core import Claim, Mutant, Part, Sampler
from linreg_dyn.claims.enclosures import exact, root, root_part
from linreg_dyn.claims.ginsburg._net import (
    NET,
    SGD,
    SPREAD,
    by_hand,
    source,
    step,
    steps,
)

STEP = {"w": "layers", "eta": "real", "delta": "real"}
FACTOR = ("k", "1 - 4*lam**2*(W - 1 + eta)**2*W**2/(w[i]*w[j])**2")
FACTORISES = "v[i]**2 - v[j]**2 == k*(w[i]**2 - w[j]**2)"
PAPER_RATE = (*NET, ("lam", "1/(2*delta*(1 + delta)*S)"), ("v", step(SGD)))
ASSUME = ("0 < delta", "delta < 1", "abs(eta) <= delta", "abs(W - 1) < delta")


def _banded(high: Fraction = Fraction(1)) -> Sampler:
    """W within delta of 1 and |eta| <= delta < high, often at the ends."""

    def sample(rng: Random, depth: int, level: int) -> dict[str, Any]:
        d = falsify.rational(rng, 0, high, level)
        W = 1 + d * falsify.rational(rng, -1, 1, level) or Fraction(1, 7)
        eta = d * rng.choice((-1, 1, falsify.rational(rng, -1, 1, level)))
        return {"w": falsify.weights(rng, depth, level, W), "eta": eta, "delta": d}

    return sample


def _with(sample: Sampler, **more: Fraction | None) -> Sampler:
    """The same with further reals: fixed, or anything in (0, 2) for None."""
    return lambda rng, depth, level: {
        **sample(rng, depth, level),
        **{n: v or falsify.rational(rng, 0, 2, level) for n, v in more.items()},
    }


SAMPLE = _banded()

# a0: delta > 0; a1: 1 - delta > 0; a2+-: delta -+ eta >= 0; a3+-: delta -+ (W - 1) > 0.
_W_POSITIVE = by_hand(("1", "a1.0"), ("1", "a3.0-"))  # W = (1 - delta) + (delta + W - 1)
_GW_BELOW = by_hand(("1", "a3.0+ * W"), ("1", "a2.0+ * W"), ("2", "a0.0 * a3.0+"))
_GW_ABOVE = by_hand(("1", "a3.0- * W"), ("1", "a2.0- * W"), ("2", "a0.0 * a3.0+"))


def bounded_gradient(then: Tactic) -> Tactic:
    """Have W > 0, 1 + delta > 0 and |g W| < 2 delta (1 + delta), g = W - 1 + eta: hypotheses W, D, gW+, gW-."""
    return steps(
        ("W", "W > 0", _W_POSITIVE),
        ("D", "1 + delta > 0", by_hand(("1", ""), ("1", "a0.0"))),
        ("gW+", "(W - 1 + eta)*W < 2*delta*(1 + delta)", _GW_BELOW),
        ("gW-", "(W - 1 + eta)*W > -2*delta*(1 + delta)", _GW_ABOVE),
        then=then,
    )


def _factor(times: int, gap: str | None, q: str) -> Tactic:
    """S^2 (k - 1 + times) > 0 at lam = q/(2 delta (1 + delta) S), from q^2 <= times (`gap` is times - q^2 >= 0)."""
    scale = "a0.0 * a0.0 * D * D"
    terms = [(str(times * int(c)), f"{h} * {scale}") for c, h in SPREAD]
    if gap:
        terms.append(("4", f"inv[i] * inv[j] * {gap} * {scale}"))
    terms.append(("1", f"inv[i] * inv[j] * gW+ * gW-{q}"))
    return bounded_gradient(by_hand(*terms, multiplier=[("1", f"S * S * {scale}")]))


_K_POSITIVE = _factor(1, None, "")
AT_MOST_ONE = by_hand(("1", "sq 2*lam*(W-1+eta)*W/(w[i]*w[j])"))

# -- the printed chain and the corrected one, links as differences
_CHAIN = (
    "4*lam**2*(W - 1 + eta)**2*W**2/(w[i]*w[j])**2 {0}*lam**2*(W - 1 + eta)**2*W**2*(1/w[i]**2 + 1/w[j]**2)**2 "
    "{1}*lam**2*W**2*S**2*((W - 1)**2 + eta**2) <= 4*lam**2*S**2*delta**2*(1 + delta)**2"
)
_CHAIN_TACTICS = (
    by_hand(("1", "sq lam*(W-1+eta)*W*(1/w[i]**2-1/w[j]**2)")),
    # S^2 - (A + B)^2 = rest (rest + 2 A + 2 B), and 2 (a^2 + b^2) - (a + b)^2 = (a - b)^2
    by_hand(
        ("1", "sq lam*W*(W-1-eta)*S"),
        *((c, f"sq lam*(W-1+eta)*W * rest * {h}") for c, h in (("1", "rest"), ("2", "inv[i]"), ("2", "inv[j]"))),
    ),
    # 2 d^2 (1+d)^2 - W^2 (u^2 + eta^2), with d^2 - u^2 and d^2 - eta^2 >= 0 and (1+d)^2 - W^2 >= 0
    bounded_gradient(
        by_hand(
            ("2", "sq lam*W*S * a3.0+ * a3.0-"),
            ("2", "sq lam*W*S * a2.0+ * a2.0-"),
            ("4", "sq lam*S*delta * a3.0+ * W"),
            ("4", "sq lam*S*delta * a3.0+ * D"),
        )
    ),
)


_PAIR = (
    ("w", "[m, m]"),
    *NET,
    ("lam", "q/(2*delta*(1 + delta)*S)"),
    ("k", "1 - 4*lam**2*(W - 1 + eta)**2*W**2/(w[0]*w[1])**2"),
)
_PAIR_GIVEN = {"m": "real", "eta": "real", "delta": "real", "q": "real"}
_PAIR_ASSUME = ("0 < delta", "delta < 1", "abs(eta) <= delta", "abs(m**2 - 1) < delta", "m > 0")
_BEYOND = steps(
    ("D", "1 + delta > 0", by_hand(("1", ""), ("1", "a0.0"))),
    then=by_hand(("1", "a5.0"), multiplier=[("4", "a0.0 * a0.0 * D * D")]),
)


def _pair(rng: Random, depth: int, level: int) -> dict[str, Any]:
    d = falsify.rational(rng, 0, 1, level)
    m = falsify.approximate(float(1 + d) ** 0.5 * (1 - 2.0 ** -(4 + level)), 4 + level)
    return {"m": m, "eta": d, "delta": d, "q": falsify.rational(rng, 0, 3, level)}


_Q_FACTOR = (*NET, ("lam", "q/(2*delta*(1 + delta)*S)"), ("v", step(SGD)), FACTOR)

CLAIMS = (
    Claim(
        id="ginsburg.thm-5.1",
        title="Theorem 5.1: SGD noise decreases the imbalance",
        statement=(
            r"|W - 1| < \delta,\ |\eta| \le \delta < 1,\ \lambda(w) = \frac{1}{2\delta(1 + \delta)\sum(1/w_i^2)} "
            r"\;\Rightarrow\; \text{the layer imbalance monotonically decreases}"
        ),
        source=source("Theorem 5.1"),
        kind="printed",
        reading=(
            "One step from any point with |W - 1| < delta: every D_ij is multiplied by a factor 0 < k <= 1. Whether "
            "the hypothesis holds again after the step is a claim of its own."
        ),
        parts=(
            Part(
                STEP,
                (FACTORISES, "0 < k <= 1"),
                (*PAPER_RATE, FACTOR),
                ASSUME,
                tactics=(identity(), _K_POSITIVE, AT_MOST_ONE),
                sample=SAMPLE,
            ),
        ),
        mutants=(
            Mutant("twice the rate", replace=(("1/(2*delta", "1/(delta"),)),
            Mutant("without 1 + delta", replace=(("*(1 + delta)*S", "*S"),)),
            Mutant(
                "noise twice as large",
                replace=(("abs(eta) <= delta", "abs(eta) <= 2*delta"),),
                sample=lambda rng, depth, level: (lambda p: {**p, "eta": 2 * p["eta"]})(SAMPLE(rng, depth, level)),
            ),
        ),
        search_depths=(1, 2, 3, 5),
    ),
    Claim(
        id="ginsburg.thm-5.1-chain",
        title="The chain of inequalities for Theorem 5.1, as printed",
        statement=(
            r"k \ge 1 - 2\lambda^2(W - 1 + \eta)^2 W^2\big(\tfrac{1}{w_i^2} + \tfrac{1}{w_j^2}\big)^2 "
            r"\quad \ge 1 - 4\lambda^2 W^2\big(\sum\tfrac{1}{w_i^2}\big)^2\big((W - 1)^2 + \eta^2\big) "
            r"\quad \ge 1 - 4\lambda^2\big(\sum\tfrac{1}{w_i^2}\big)^2\delta^2(1 + \delta)^2"
        ),
        source=source("proof of Theorem 5.1"),
        kind="printed",
        amended_by="ginsburg.thm-5.1-chain.amended",
        reading=(
            "Each link, as the terms subtracted from 1, under the theorem's hypotheses. The first two hold. In the "
            "third (W-1)^2 + eta^2 < 2 delta^2, so a factor 2 is missing; the first link had lost one needlessly."
        ),
        parts=(Part(STEP, (_CHAIN.format("<= 2", "<= 4"),), PAPER_RATE, ASSUME, sample=SAMPLE),),
        mutants=(
            Mutant(
                "the last link alone, doubled the wrong way",
                replace=(("<= 4*lam**2*S**2*delta", "<= 2*lam**2*S**2*delta"),),
            ),
            Mutant("the first link reversed", replace=(("<= 2*lam**2", ">= 2*lam**2"),)),
        ),
        search_depths=(2, 3),
    ),
    Claim(
        id="ginsburg.thm-5.1-chain.amended",
        title="The chain of inequalities for Theorem 5.1",
        statement=(
            r"|W - 1| < \delta,\ |\eta| \le \delta < 1: "
            r"\quad k \ge 1 - \lambda^2(W - 1 + \eta)^2 W^2\big(\tfrac{1}{w_i^2} + \tfrac{1}{w_j^2}\big)^2 "
            r"\quad \ge 1 - 2\lambda^2 W^2\big(\sum\tfrac{1}{w_i^2}\big)^2\big((W - 1)^2 + \eta^2\big) "
            r"\quad \ge 1 - 4\lambda^2\big(\sum\tfrac{1}{w_i^2}\big)^2\delta^2(1 + \delta)^2"
        ),
        source=source("proof of Theorem 5.1"),
        kind="amended",
        amends="ginsburg.thm-5.1-chain",
        parts=(
            Part(
                STEP,
                (_CHAIN.format("<= 1", "<= 2"),),
                PAPER_RATE,
                ASSUME,
                tactics=_CHAIN_TACTICS,
                sample=SAMPLE,
            ),
        ),
        mutants=(
            Mutant("half the first bound", replace=(("<= 1*lam**2", "<= 1/2*lam**2"),)),
            Mutant("the printed last link", replace=(("<= 2*lam**2*W**2*S", "<= 4*lam**2*W**2*S"),)),
        ),
        search_depths=(2, 3),
    ),
    Claim(
        id="ginsburg.thm-5.1.largest-rate",
        title="The largest rates of Theorem 5.1",
        statement=(
            r"|W - 1| < \delta,\ |\eta| \le \delta < 1,\ \lambda = \frac{c}{\sum 1/w_i^2},\ c > 0: \quad |D_{ij}| "
            r"\text{ cannot grow iff } "
            r"c \le \frac{\sqrt2}{2\delta(1 + \delta)}, \text{ nor change sign iff } c \le "
            r"\frac{1}{2\delta(1 + \delta)}"
        ),
        source=source("Theorem 5.1, its rate"),
        kind="sharp",
        reading=(
            "c = q/(2 delta (1 + delta)): the paper's rate, q = 1, is exactly the largest that keeps every sign. Parts "
            "1 and 2: k >= -1 for q^2 <= 2 and k > 0 for q <= 1. Parts 3 and 4: beyond, nets [m, m] break each. The "
            "values c and c_same_sign are those that serve every delta < 1, the formulas at delta = 1."
        ),
        argument=(
            "For a larger q some m meets the assumption of part 3 (part 4) with eta = delta, because (m^2 - 1 + delta) "
            "m^2 tends to 2 delta (1 + delta) as m^2 tends to 1 + delta; unequal weights nearby have factors as near "
            "as one likes, by continuity."
        ),
        parts=(
            Part(
                {**STEP, "q": "real"},
                ("k >= -1",),
                _Q_FACTOR,
                (*ASSUME, "0 < q", "q**2 <= 2"),
                tactics=(_factor(2, "a5.0", " * a4.0 * a4.0"),),
                sample=_with(SAMPLE, q=None),
            ),
            Part(
                {**STEP, "q": "real"},
                ("k > 0",),
                _Q_FACTOR,
                (*ASSUME, "0 < q", "q**2 <= 1"),
                tactics=(_factor(1, "a5.0", " * a4.0 * a4.0"),),
                sample=_with(SAMPLE, q=None),
            ),
            Part(
                _PAIR_GIVEN,
                ("k < -1",),
                _PAIR,
                (*_PAIR_ASSUME, "q**2*(m**2 - 1 + eta)**2*m**4 > 8*delta**2*(1 + delta)**2"),
                tactics=(_BEYOND,),
                sample=_pair,
            ),
            Part(
                _PAIR_GIVEN,
                ("k < 0",),
                _PAIR,
                (*_PAIR_ASSUME, "q**2*(m**2 - 1 + eta)**2*m**4 > 4*delta**2*(1 + delta)**2"),
                tactics=(_BEYOND,),
                sample=_pair,
            ),
            root_part("8/9", 2),
            root_part("1/8", 2),
        ),
        mutants=(
            Mutant(
                "a larger rate",
                replace=(("q**2 <= 2", "q**2 <= 9/4"),),
                sample=_with(SAMPLE, q=Fraction(3, 2)),
            ),
            Mutant(
                "the same sign at a larger rate",
                part=1,
                replace=(("q**2 <= 1", "q**2 <= 5/4"),),
                sample=_with(SAMPLE, q=Fraction(11, 10)),
            ),
            Mutant("beyond without excess", part=2, replace=(("> 8*delta", "> 4*delta"),)),
        ),
        search_depths=(1, 2, 3, 5),
        values=lambda: {
            "c": root("1/8", 2),
            "c_same_sign": exact("1/4"),
            "c (delta = 1/2)": root("8/9", 2),
            "c_same_sign (delta = 1/2)": exact("2/3"),
        },
    ),
)

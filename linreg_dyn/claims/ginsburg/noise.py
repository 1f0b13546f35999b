"""Section 4.2: noise augmentation, x -> x (1 + eta) with |eta| <= delta < 1/2."""

from __future__ import annotations

from fractions import Fraction
from random import Random
from typing import Any

from linreg_dyn.certify.find import Axis, Tactic, identity, mean
from linreg_dyn.claims import falsify
from linreg_dyn.claims.core import Claim, Mutant, Part
from linreg_dyn.claims.enclosures import exact, root
from linreg_dyn.claims.ginsburg._net import (
    LOSS, NET, NOISE, PAIR_AXES, W_axis, banded, by_hand, have, positive, product_at_least, product_at_most,
    product_at_most_inverse, source, split, step, velocity,
)  # fmt: skip

_FLOW = {"w": "layers", "lam": "real", "eta": "real"}
_STEP = {"w": "layers", "eta": "real", "delta": "real"}
_F = (*LOSS, ("f", velocity(NOISE)))
_PAPER_RATE = (*NET, ("lam", "1/2*(2/3)**5/S"))
_FACTOR = ("k", "1 - 4*lam**2*(1 + eta)**4*(W - 1/(1 + eta))**2*W**2/(w[i]*w[j])**2")
_FACTORISES = "v[i]**2 - v[j]**2 == k*(w[i]**2 - w[j]**2)"
_BOUNDED = ("0 < delta", "delta < 1/2", "abs(eta) < delta", "abs(W - 1) < delta")
_SAMPLE = banded((0, Fraction(1, 2)))
_AT_MOST_ONE = by_hand(("1", "sq 2*lam*(1+eta)**2*(W-1/(1+eta))*W/(w[i]*w[j])"))


def loosen(then: Tactic) -> Tactic:
    """From |eta| < delta, |W - 1| < delta, delta < 1/2: hypotheses e+, e- (|eta| < 1/2) and W+, W- (|W - 1| < 1/2)."""
    for name, that, bound in (
        ("W-", "W > 1/2", "a3.0-"), ("W+", "W < 3/2", "a3.0+"), ("e-", "eta > -1/2", "a2.0-"), ("e+", "eta < 1/2", "a2.0+"),
    ):  # fmt: skip
        then = have(that, by_hand(("1", "a1.0"), ("1", bound)), then, name=name)
    return then


_BOX = (W_axis("W-", "W+"), Axis("eta", "e-", "e+"))
_K_POSITIVE = loosen(positive(*_BOX, *PAIR_AXES, times="S**2"))

# -- along the trajectory: 0 < W < 2, |eta| <= delta < 1/2, with s = W (1 + eta) and x = 32/243 s (s - 1)
_LONG_RUN = (
    *_PAPER_RATE, ("v", step(NOISE)), _FACTOR, ("u", "W*(1 + eta)"), ("x", "2*lam*S*u*(u - 1)"),
)  # fmt: skip
_LONG_ASSUME = ("0 < delta", "delta < 1/2", "abs(eta) <= delta", "0 < W", "W < 2")


def _long_run(ge: Tactic, le: Tactic) -> Tactic:
    """Cases u >= 1 (0 <= x < 1) and u <= 1 (-8/243 <= x <= 0); hypotheses x+, x- (x >= 0 or <= 0), 1-x, 1+x."""
    below = by_hand(("3/2", "a4.0"), ("1", "a3.0 * e+"))
    one_minus = by_hand(("51/243", ""), ("96/243", "room"), ("32/243", "room * s"))
    ge = have("x >= 0", by_hand(("32/243", "s"), ("32/243", "s * s")),
              have("u < 3", below, have("x < 1", one_minus, ge, name="1-x"), name="room"), name="x+")
    one_plus = by_hand(("235/243", ""), ("32/243", "sq u-1/2"))
    le = have("x <= 0", by_hand(("32/243", "u0 * s")),
              have("x > -1", one_plus, have("x < 1", by_hand(("1", ""), ("1", "x-")), le, name="1-x"), name="1+x"),
              name="x-")
    both = split("u - 1", ge=ge, le=le)
    both = have("u > 0", by_hand(("1", "a3.0 * e-"), ("1/2", "a3.0")), both, name="u0")
    for name, that, bound in (("e-", "eta > -1/2", "a2.0-"), ("e+", "eta < 1/2", "a2.0+")):
        both = have(that, by_hand(("1", "a1.0"), ("1", bound)), both, name=name)
    return both


_X_IS_HYPOTHESIS = {k: by_hand(("1", k)) for k in ("x+", "x-", "1-x", "1+x")}
_STAYS_BELOW = _long_run(
    ge=product_at_most(
        "x", _X_IS_HYPOTHESIS["x+"], _X_IS_HYPOTHESIS["1-x"],
        by_hand(("1", "a4.0"), ("1", "a3.0 * hi0"), ("1/2", "a3.0 * x+"), ("1/2", "a3.0 * x+ * 1-x")),
    ),
    le=product_at_most_inverse(
        "x", _X_IS_HYPOTHESIS["1+x"], _X_IS_HYPOTHESIS["x-"],
        by_hand(
            ("1", "a3.0 * 1+x * hi0"), ("422/243", "s"), ("64/243", "s * s"), ("2", "a3.0 * e-"),
            multiplier=[("1", "1+x")],
        ),
    ),
)  # fmt: skip
_STAYS_ABOVE_ZERO = _long_run(
    *(product_at_least("x", _X_IS_HYPOTHESIS["1-x"], by_hand(("1", "a3.0 * lo0"), ("1", "a3.0 * 1-x"))) for _ in range(2))
)
_SPREAD = (
    ("1", "sq 1/w[i]**2-1/w[j]**2"), ("2", "rest * inv[i]"), ("2", "rest * inv[j]"), ("1", "rest * rest"),
    ("3", "inv[i] * inv[j]"),
)  # fmt: skip
_LONG_FACTOR = _long_run(
    ge=by_hand(*_SPREAD, ("1", "inv[i] * inv[j] * 1-x"), ("1", "inv[i] * inv[j] * 1-x * x+"), multiplier=[("1", "S * S")]),
    le=by_hand(*_SPREAD, ("1", "inv[i] * inv[j] * 1+x"), ("1", "inv[i] * inv[j] * 1+x * x-"), multiplier=[("1", "S * S")]),
)


def _small_noise(rng: Random, depth: int, level: int) -> dict[str, Any]:
    return {"W": falsify.signed(rng, level), "eta": falsify.rational(rng, Fraction(-1, 2), Fraction(1, 2), level)}


def _outside(rng: Random, depth: int, level: int) -> dict[str, Any]:
    """delta, eta with |eta| <= delta, and W at or beyond an end of the printed band."""
    d = falsify.rational(rng, 0, Fraction(1, 2), level)
    end = rng.choice((1 / (1 + d), 1 / (1 - d)))
    away = rng.choice((Fraction(0), falsify.rational(rng, 0, 1, level)))
    eta = rng.choice((d, -d, d * falsify.rational(rng, -1, 1, level)))
    return {"delta": d, "eta": eta, "W": end + (away if end > 1 else -away)}


def _long(high: Fraction) -> Any:
    def sample(rng: Random, depth: int, level: int) -> dict[str, Any]:
        d = falsify.rational(rng, 0, Fraction(1, 2), level)
        eta = d * rng.choice((-1, 1, falsify.rational(rng, -1, 1, level)))
        W = falsify.rational(rng, 0, high, level)
        return {"w": falsify.weights(rng, depth, level, W), "delta": d, "eta": eta}

    return sample


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
    return {"w": w, "eta": eta, "delta": d, "C": max(map(abs, w)) * (1 + Fraction(1, 2 ** rng.randint(1, 3 + level)))}


def _still(rng: Random, depth: int, level: int) -> dict[str, Any]:
    """The minimum without noise, where nothing moves."""
    return {"w": [Fraction(1)] * depth, "delta": Fraction(1, 4), "eta": Fraction(0)}


def _biased(rng: Random, depth: int, level: int) -> dict[str, Any]:
    """The noise that the minimum cannot see: eta = 1/W - 1."""
    w = [Fraction(9, 10)] * 2
    return {"w": w, "eta": [Fraction(100, 81) - 1], "delta": Fraction(1, 4), "C": Fraction(91, 100)}


# Outside the band: 1 - W and 1 - W (1 + eta) have the same sign
_WEIGHT = [("1", ""), ("1", "a0.0")]  # 1 + delta
_ONE_PLUS_ETA = by_hand(("1", "a2.0-"), ("1", "a1.0"), ("1/2", ""))
_OUTSIDE_BELOW = have(
    "1 + eta > 0", _ONE_PLUS_ETA,
    have(
        "1 - W > 0", by_hand(("1", "a3.0"), ("1", "a3.0 * a0.0"), ("1", "a0.0"), multiplier=_WEIGHT),
        have(
            "1 - W*(1 + eta) > 0",
            split("W", ge=by_hand(("1", "a3.0"), ("1", "a3.0 * a0.0"), ("1", "s * a2.0+")),
                  le=by_hand(("1", ""), ("1", "s * e1"))),
            by_hand(("1", "h * g"), multiplier=[("1", "e1")]), name="g",
        ),
        name="h",
    ),
    name="e1",
)  # fmt: skip
# W > 1/(1 - delta): (1 - delta) (W - 1) = (1 - delta) (W - 1/(1 - delta)) + delta, with 1 - delta = a1.0 + 1/2
_OUTSIDE_ABOVE = have(
    "1 + eta > 0", _ONE_PLUS_ETA,
    have(
        "W - 1 > 0", by_hand(("1", "a3.0 * a1.0"), ("1/2", "a3.0"), ("1", "a0.0"), multiplier=[("1", "a1.0"), ("1/2", "")]),
        have(
            "W*(1 + eta) - 1 > 0",
            by_hand(("1", "a3.0 * a1.0"), ("1/2", "a3.0"), ("1", "a2.0-"), ("1", "a2.0- * h")),
            by_hand(("1", "h * g"), multiplier=[("1", "e1")]), name="g",
        ),
        name="h",
    ),
    name="e1",
)  # fmt: skip
_NOTE = {"w": "layers", "eta": "sample", "delta": "real", "C": "real"}
_NOTE_ASSUME = ("Mean(eta) == 0", "0 < delta", "delta < 1/2", "abs(eta) < delta", "abs(W - 1) < delta", "abs(w) < C", "C > 0")
_POINTWISE = "sq 2*lam * sq (1-delta)*eta * {0} * inv[i] * inv[j]"
_NOTE_TACTIC = mean(
    "4*lam**2*((1 + eta)**2*(W*(1 + eta) - 1)**2*W**2/(w[i]*w[j])**2 - (1 - delta)**6*eta**2/C**4 "
    "- 2*(1 - delta)**2*(W - 1)*W**3/(w[i]*w[j])**2*eta)",
    have(
        "1 - delta > 0", by_hand(("1", "a2.0"), ("1/2", "")),
        have(
            "W > 1 - delta", by_hand(("1", "a4.0-")),
            have(
                "1/w[i]**2 >= 1/C**2", by_hand(("1", "a5.0+[i] * a5.0-[i] * inv[i] * sq 1/C")),
                have(
                    "1/w[j]**2 >= 1/C**2", by_hand(("1", "a5.0+[j] * a5.0-[j] * inv[j] * sq 1/C")),
                    by_hand(
                        ("1", "sq 2*lam * a3.0- * a3.0- * sq (W-1+W*eta)*W * inv[i] * inv[j]"),
                        ("2", "sq 2*lam * a3.0- * m * sq (W-1+W*eta)*W * inv[i] * inv[j]"),
                        ("1", "sq 2*lam * sq (1-delta)*W*(W-1) * inv[i] * inv[j]"),
                        *((c, _POINTWISE.format(f"h * {a} * {b}")) for c, a in (("1", "h"), ("2", "m")) for b in ("sq W", "sq 1-delta")),
                        ("1", "sq 2*lam * sq (1-delta)**3*eta * Ai * inv[j]"),
                        ("1", "sq 2*lam * sq (1-delta)**3*eta * sq 1/C * Aj"),
                    ),
                    name="Aj",
                ),
                name="Ai",
            ),
            name="h",
        ),
        name="m",
    ),
    a0_0="8*lam**2*(1 - delta)**2*(W - 1)*W**3/(w[i]*w[j])**2",
)  # fmt: skip

# -- largest rates: |G| < 45/16 for G = u (u - 1), u = W (1 + eta) in (1/4, 9/4)
_GIVEN_C = {**_STEP, "c": "real"}
_C_FACTOR = (*NET, ("lam", "c/S"), ("v", step(NOISE)), ("u", "W*(1 + eta)"), ("G", "u*(u - 1)"), _FACTOR)


def _rate(times: int) -> Tactic:
    """times * S^2 + (k - times) S^2 ... : k > 0 (times 1) or k >= -1 (times 2), from S^2 >= 4 A B and c^2 G^2 <= times.

    `a4.0` is c > 0 and `a5.0` the gap between c^2 and its bound times * 256/2025.
    """
    final = by_hand(
        *((str(times * int(c)), h) for c, h in _SPREAD[:4]),
        (str(4 * Fraction(2025, 256)), "inv[i] * inv[j] * a5.0"),
        ("4", "inv[i] * inv[j] * a4.0 * a4.0 * G+ * G-"),
        multiplier=[("1", "S * S")],
    )
    final = have("G > -45/16", by_hand(("1", "sq u-1/2"), ("41/16", "")), final, name="G-")
    final = have("G < 45/16", by_hand(("1", "room * u0"), ("5/4", "room")), final, name="G+")
    final = have("u < 9/4", by_hand(("3/2", "W+"), ("1", "W- * e+"), ("1/2", "e+")), final, name="room")
    positive_u = by_hand(("1", "W- * e-"), ("1/2", "W-"), ("1/2", "e-"), ("1/4", ""))
    return loosen(have("u > 0", positive_u, final, name="u0"))


def _equal_pair(rng: Random, depth: int, level: int) -> dict[str, Any]:
    near_one = Fraction(1, 2 ** (3 + level))
    return {"m": Fraction(49, 40) - near_one, "eta": Fraction(1, 2) - near_one, "c": falsify.rational(rng, 0, 2, level)}


def _at_rate(c: Fraction | None = None) -> Any:
    def sample(rng: Random, depth: int, level: int) -> dict[str, Any]:
        return {**_SAMPLE(rng, depth, level), "c": c or falsify.rational(rng, 0, Fraction(1, 2), level)}

    return sample


_PAIR_NET = (("w", "[m, m]"), *NET, ("lam", "c/S"), ("k", "1 - 4*lam**2*(1 + eta)**2*(W*(1 + eta) - 1)**2*W**2/(w[0]*w[1])**2"))
_PAIR_ASSUME = ("0 < m", "m**2 < 3/2", "eta < 1/2")

CLAIMS = (
    Claim(
        id="ginsburg.noise-flow-loss",
        title="The loss along the flow with noise augmentation",
        statement=(
            r"\frac{dL}{dt} = -4\lambda(1+\eta) W^2 \Big(\sum \tfrac{1}{w_i^2}\Big) (W - 1)(W(1 + \eta) - 1) "
            r"= -4\lambda(1+\eta)^2 W^2 \Big(\sum \tfrac{1}{w_i^2}\Big) \Big((W - 1)\big(W - \tfrac{1}{1+\eta}\big)\Big)"
        ),
        source=source("section 4.2, after eq. 10"),
        kind="printed",
        reading="For each value of the noise; dw_i/dt = -lambda dL^/dw_i with L^ = (W (1 + eta) - 1)^2.",
        parts=(
            Part(
                _FLOW,
                (
                    "Sum(D(L, w)*f) == -4*lam*(1 + eta)*W**2*S*(W - 1)*(W*(1 + eta) - 1) "
                    "== -4*lam*(1 + eta)**2*W**2*S*((W - 1)*(W - 1/(1 + eta)))",
                    "f == -lam*D((W*(1 + eta) - 1)**2, w)",
                ),
                _F, tactics=(identity(), identity(), identity()),
            ),
        ),
        mutants=(
            Mutant("without the noise in the factor", replace=(("-4*lam*(1 + eta)*W", "-4*lam*W"),)),
            Mutant("one power of 1 + eta", replace=(("(1 + eta)**2*W**2*S", "(1 + eta)*W**2*S"),)),
        ),
        search_depths=(1, 2, 3),
    ),
    Claim(
        id="ginsburg.noise-band-factor",
        title="The factor of the noise band, as printed",
        statement=r"k = (W - 1)\big(W - \tfrac{1}{1 + \eta}\big) = (W - 1)\big(W - 1 - \tfrac{\eta}{1 + \eta}\big)",
        source=source("section 4.2, before the noise band"),
        kind="printed",
        amended_by="ginsburg.noise-band-factor.amended",
        parts=(
            Part(
                {"W": "real", "eta": "real"},
                ("(W - 1)*(W - 1/(1 + eta)) == (W - 1)*(W - 1 - eta/(1 + eta))",), assume=("abs(eta) < 1/2",),
                sample=_small_noise,
            ),
        ),
        mutants=(
            Mutant("without the denominator", replace=(("- eta/(1 + eta)", "- eta"),)),
            Mutant("twice", replace=(("- eta/(1 + eta)", "+ 2*eta/(1 + eta)"),)),
        ),
    ),
    Claim(
        id="ginsburg.noise-band-factor.amended",
        title="The factor of the noise band",
        statement=r"k = (W - 1)\big(W - \tfrac{1}{1 + \eta}\big) = (W - 1)\big(W - 1 + \tfrac{\eta}{1 + \eta}\big)",
        source=source("section 4.2, before the noise band"),
        kind="amended",
        amends="ginsburg.noise-band-factor",
        reading="1/(1 + eta) = 1 - eta/(1 + eta): the sign is a plus. The proof of Theorem 4.1 has it right.",
        parts=(
            Part(
                {"W": "real", "eta": "real"},
                ("(W - 1)*(W - 1/(1 + eta)) == (W - 1)*(W - 1 + eta/(1 + eta))",), assume=("abs(eta) < 1/2",),
                tactics=(identity(),), sample=_small_noise,
            ),
        ),
        mutants=(
            Mutant("as printed", replace=(("+ eta/", "- eta/"),)),
            Mutant("first order only", replace=(("eta/(1 + eta))", "eta)"),)),
        ),
    ),
    Claim(
        id="ginsburg.noise-band",
        title="The noise band, as printed",
        statement=(
            r"|\eta| \le \delta < \tfrac12: \text{ the loss decreases while } k > 0, \text{ outside of the noise band } "
            r"1 - \tfrac{\delta}{1 + \delta} < W < 1 + \tfrac{\delta}{1 - \delta}"
        ),
        source=source("section 4.2"),
        kind="printed",
        amended_by="ginsburg.noise-band.amended",
        reading=(
            "Word for word: |eta| <= delta, and outside of the open interval k = (W - 1)(W - 1/(1 + eta)) > 0. The "
            "interval is right, but its ends belong to the band: there k = 0 for eta = delta or eta = -delta, and the "
            "loss stands still."
        ),
        parts=(
            Part(
                {"W": "real", "eta": "real", "delta": "real"}, ("k > 0",), (("k", "(W - 1)*(W - 1/(1 + eta))"),),
                ("0 < delta", "delta < 1/2", "abs(eta) <= delta", "W <= 1 - delta/(1 + delta)"), sample=_outside,
            ),
            Part(
                {"W": "real", "eta": "real", "delta": "real"}, ("k > 0",), (("k", "(W - 1)*(W - 1/(1 + eta))"),),
                ("0 < delta", "delta < 1/2", "abs(eta) <= delta", "W >= 1 + delta/(1 - delta)"), sample=_outside,
            ),
        ),
        mutants=(
            Mutant("half as wide", replace=(("delta/(1 + delta)", "delta/(2 + delta)"),)),
            Mutant("k < 0 outside", replace=(("k > 0", "k < 0"),)),
        ),
    ),
    Claim(
        id="ginsburg.noise-band.amended",
        title="The noise band",
        statement=(
            r"|\eta| \le \delta < \tfrac12: \ k > 0 \text{ outside of the noise band } "
            r"1 - \tfrac{\delta}{1 + \delta} \le W \le 1 + \tfrac{\delta}{1 - \delta}, \text{ and inside it } "
            r"(W \ne 1) \text{ some } |\eta| \le \delta \text{ has } k \le 0"
        ),
        source=source("section 4.2"),
        kind="amended",
        amends="ginsburg.noise-band",
        reading="Parts 1 and 2: below and above the closed band. Parts 3 and 4: inside, eta = delta or -delta has k <= 0.",
        parts=(
            Part(
                {"W": "real", "eta": "real", "delta": "real"}, ("k > 0",), (("k", "(W - 1)*(W - 1/(1 + eta))"),),
                ("0 < delta", "delta < 1/2", "abs(eta) <= delta", "W < 1 - delta/(1 + delta)"),
                tactics=(_OUTSIDE_BELOW,), sample=_outside,
            ),
            Part(
                {"W": "real", "eta": "real", "delta": "real"}, ("k > 0",), (("k", "(W - 1)*(W - 1/(1 + eta))"),),
                ("0 < delta", "delta < 1/2", "abs(eta) <= delta", "W > 1 + delta/(1 - delta)"),
                tactics=(_OUTSIDE_ABOVE,), sample=_outside,
            ),
            Part(
                {"W": "real", "delta": "real"}, ("(W - 1)*(W - 1/(1 + delta)) <= 0",), (),
                ("0 < delta", "delta < 1/2", "1 - delta/(1 + delta) <= W", "W <= 1"),
                tactics=(by_hand(("1", "a2.0 * a3.0")),),
                sample=lambda rng, depth, level: {"W": falsify.rational(rng, 0, 1, level), "delta": falsify.rational(rng, 0, Fraction(1, 2), level)},
            ),
            Part(
                {"W": "real", "delta": "real"}, ("(W - 1)*(W - 1/(1 - delta)) <= 0",), (),
                ("0 < delta", "delta < 1/2", "1 <= W", "W <= 1 + delta/(1 - delta)"),
                tactics=(by_hand(("1", "a2.0 * a3.0")),),
                sample=lambda rng, depth, level: {"W": falsify.rational(rng, 1, 2, level), "delta": falsify.rational(rng, 0, Fraction(1, 2), level)},
            ),
        ),
        mutants=(
            Mutant("half as wide", replace=(("delta/(1 + delta)", "delta/(2 + delta)"),)),
            Mutant("the open band", replace=(("W < 1", "W <= 1"),)),
            Mutant("any noise", part=1, drop=2, sample=lambda rng, depth, level: {**_outside(rng, depth, level), "eta": Fraction(-3, 4)}),
        ),
    ),
    Claim(
        id="ginsburg.noise-flow-imbalance",
        title="The flow with noise conserves the imbalance",
        statement=r"w_i^2(t) - w_j^2(t) = \text{const}: \text{ the layer imbalance remains constant for continuous GD}",
        source=source("section 4.2"),
        kind="printed",
        reading="For every value of the noise the derivative of w_i^2 - w_j^2 vanishes.",
        parts=(Part(_FLOW, ("2*w[i]*f[i] - 2*w[j]*f[j] == 0",), _F, tactics=(identity(),)),),
        mutants=(
            Mutant("the sum is conserved", replace=(("- 2*w[j]", "+ 2*w[j]"),)),
            Mutant("w_i - w_j is conserved", replace=(("2*w[i]*f[i] - 2*w[j]*f[j]", "f[i] - f[j]"),)),
        ),
        search_depths=(2, 3),
    ),
    Claim(
        id="ginsburg.noise-step",
        title="The step with noise augmentation",
        statement=r"w_i(t+1) = w_i - 2\lambda(1 + \eta)(W(1 + \eta) - 1)(W / w_i)",
        source=source("eq. 11"),
        kind="printed",
        reading="It is one Euler step, of one unit of time, of the printed flow; and a gradient step on (W(1+eta) - 1)^2.",
        parts=(
            Part(
                _FLOW,
                (
                    "w[i] - 2*lam*(1 + eta)*(W*(1 + eta) - 1)*(W/w[i]) == w[i] + f[i]",
                    "v == w - lam*D((W*(1 + eta) - 1)**2, w)",
                    "v == w + f",
                ),
                (*_F, ("v", step(NOISE))), tactics=(identity(), identity(), identity()),
            ),
        ),
        mutants=(
            Mutant("noise on the input only", replace=(("- 2*lam*(1 + eta)*", "- 2*lam*"),)),
            Mutant("ascent", replace=(("w[i] - 2*lam", "w[i] + 2*lam"),)),
        ),
        search_depths=(1, 2, 3),
    ),
    Claim(
        id="ginsburg.noise-imbalance-step",
        title="The imbalance after a step with noise",
        statement=(
            r"w_i^2(t+1) - w_j^2(t+1) = (w_i^2 - w_j^2) + 4\lambda^2(1+\eta)^2(W(1+\eta) - 1)^2"
            r"\big(W^2/w_i^2 - W^2/w_j^2\big) = (w_i^2 - w_j^2)\Big(1 - 4\lambda^2(1+\eta)^4"
            r"\big(W - \tfrac{1}{1+\eta}\big)^2 W^2/(w_i w_j)^2\Big)"
        ),
        source=source("proof of Theorem 4.1"),
        kind="printed",
        parts=(
            Part(
                _FLOW,
                (
                    "v[i]**2 - v[j]**2 == (w[i]**2 - w[j]**2) "
                    "+ 4*lam**2*(1 + eta)**2*(W*(1 + eta) - 1)**2*(W**2/w[i]**2 - W**2/w[j]**2) "
                    "== (w[i]**2 - w[j]**2)*(1 - 4*lam**2*(1 + eta)**4*(W - 1/(1 + eta))**2*W**2/(w[i]*w[j])**2)",
                ),
                (*NET, ("v", step(NOISE))), tactics=(identity(), identity()),
            ),
        ),
        mutants=(
            Mutant("the sign in the factor", replace=(("(1 - 4*lam**2", "(1 + 4*lam**2"),)),
            Mutant("the power of 1 + eta", replace=(("(1 + eta)**4", "(1 + eta)**2"),)),
        ),
        search_depths=(2, 3),
    ),
    Claim(
        id="ginsburg.thm-4.1",
        title="Theorem 4.1: noise decreases the imbalance",
        statement=(
            r"|\eta| < \delta < \tfrac12,\ \lambda(w) = \tfrac12\big(\tfrac23\big)^5 \frac{1}{\sum 1/w_i^2} \;\Rightarrow\; "
            r"\text{the layer imbalance monotonically decreases inside the noise band } |W - 1| < \delta"
        ),
        source=source("Theorem 4.1"),
        kind="printed",
        reading=(
            "One step from any point with |W - 1| < delta: every D_ij = w_i^2 - w_j^2 is multiplied by a factor "
            "0 < k <= 1. Whether the next point is in the band again is a claim of its own."
        ),
        parts=(
            Part(
                _STEP, (_FACTORISES, "0 < k <= 1"), (*_PAPER_RATE, ("v", step(NOISE)), _FACTOR), _BOUNDED,
                tactics=(identity(), _K_POSITIVE, _AT_MOST_ONE), sample=_SAMPLE,
            ),
        ),
        mutants=(
            Mutant("twelve times the rate", replace=(("1/2*(2/3)**5", "6*(2/3)**5"),)),
            Mutant("the imbalance strictly decreases", replace=(("k <= 1", "k < 1"),), sample=_still),
            Mutant("noise up to 3", replace=(("delta < 1/2", "delta < 3"),), sample=banded((0, 3))),
        ),
        search_depths=(1, 2, 3, 5),
    ),
    Claim(
        id="ginsburg.thm-4.1-along-trajectory",
        title="Theorem 4.1 along a trajectory: the band is kept",
        statement=(
            r"\text{the layer imbalance monotonically decreases inside the noise band } |W - 1| < \delta "
            r"\text{, along the trajectory: } |W - 1| < \delta \Rightarrow |W(t+1) - 1| < \delta"
        ),
        source=source("Theorem 4.1"),
        kind="printed",
        amended_by="ginsburg.thm-4.1-along-trajectory.amended",
        reading=(
            "The theorem can be applied step after step only if the step keeps |W - 1| < delta. It does not: the band "
            "that noise drives W into is [1/(1+delta), 1/(1-delta)], which reaches above 1 + delta."
        ),
        parts=(Part(_STEP, ("abs(Prod(v) - 1) < delta",), (*_PAPER_RATE, ("v", step(NOISE))), _BOUNDED, sample=_SAMPLE),),
        mutants=(
            Mutant("half the band", replace=(("abs(Prod(v) - 1) < delta", "abs(Prod(v) - 1) < delta/2"),)),
            Mutant("it always leaves", replace=(("abs(Prod(v) - 1) < delta", "abs(Prod(v) - 1) >= delta"),)),
        ),
    ),
    Claim(
        id="ginsburg.thm-4.1-along-trajectory.amended",
        title="Theorem 4.1 holds along every trajectory",
        statement=(
            r"|\eta| \le \delta < \tfrac12,\ \lambda = \tfrac12\big(\tfrac23\big)^5 \frac{1}{\sum 1/w_i^2},\ "
            r"0 < W < 2 \;\Rightarrow\; 0 < W(t+1) < 2 \text{ and every } |w_i^2 - w_j^2| "
            r"\text{ does not grow}"
        ),
        source=source("Theorem 4.1"),
        kind="amended",
        amends="ginsburg.thm-4.1-along-trajectory",
        reading=(
            "The band is not kept, but the theorem's conclusion is: from every start with |W - 1| < 1/2, and indeed "
            "0 < W < 2, and for every sequence of noise, W stays in (0, 2) and the imbalance never grows."
        ),
        parts=(
            Part(
                _STEP, ("Prod(v) < 2", "Prod(v) > 0", _FACTORISES, "0 < k <= 1"), _LONG_RUN, _LONG_ASSUME,
                tactics=(_STAYS_BELOW, _STAYS_ABOVE_ZERO, identity(), _LONG_FACTOR, _AT_MOST_ONE), sample=_long(Fraction(2)),
            ),
        ),
        mutants=(
            Mutant("W stays below 3/2", replace=(("Prod(v) < 2", "Prod(v) < 3/2"), ("W < 2", "W < 3/2")), sample=_long(Fraction(3, 2))),
            Mutant("twelve times the rate", replace=(("1/2*(2/3)**5", "6*(2/3)**5"),)),
            Mutant("the printed band", replace=(("Prod(v) < 2", "Prod(v) < 1 + delta"), ("W < 2", "W < 1 + delta")), sample=_SAMPLE),
        ),
        search_depths=(1, 2, 3, 5),
    ),
    Claim(
        id="ginsburg.thm-4.1-note",
        title="Note to Theorem 4.1, as printed",
        statement=(
            r"|w_i| < C: \quad E(k) \le 1 - 4\lambda^2 W^2/(w_i w_j)^2 \cdot (1 + \sigma^2)^2 \tfrac{\sigma^2}{1 + \sigma^2} "
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
                _NOTE, (text,), (*_PAPER_RATE, ("s2", "Mean(eta**2)"), _FACTOR), _NOTE_ASSUME, sample=_distribution,
            )
            for text in (
                "Mean(k) <= 1 - lam**2*s2/C**4",
                "Mean(k) <= 1 - 4*lam**2*W**2/(w[i]*w[j])**2*(1 + s2)**2*(s2/(1 + s2)) "
                "<= 1 - 4*lam**2*(1/(4*C**4))*(1 + s2)*s2 <= 1 - lam**2*s2/C**4",
            )
        ),
        mutants=(
            Mutant("twice as fast", replace=(("1 - lam**2", "1 - 2*lam**2"),)),
            Mutant("the chain's first link alone", part=1, replace=((" <= 1 - 4*lam**2*(1/(4*C**4))*(1 + s2)*s2 <= 1 - lam**2*s2/C**4", ""),)),
        ),
        search_depths=(2, 3),
    ),
    Claim(
        id="ginsburg.thm-4.1-note.amended",
        title="Note to Theorem 4.1",
        statement=(
            r"|w_i| < C,\ |W - 1| < \delta,\ |\eta| < \delta < \tfrac12: \quad "
            r"E(k) \le 1 - 4 (1 - \delta)^6 \frac{\lambda^2\sigma^2}{C^4}"
        ),
        source=source("Note to Theorem 4.1"),
        kind="amended",
        amends="ginsburg.thm-4.1-note",
        reading=(
            "For every zero-mean noise. The printed constant 1 is reached for delta <= 1 - 4^(-1/6) = 0.206...; at "
            "delta = 1/2 the proved constant is 1/16. As printed, D -> 0 needs W to stay in the band."
        ),
        parts=(
            Part(
                _NOTE, ("Mean(k) <= 1 - 4*(1 - delta)**6*lam**2*s2/C**4",),
                (
                    *_PAPER_RATE, ("s2", "Mean(eta**2)"),
                    ("k", "1 - 4*lam**2*(1 + eta)**2*(W*(1 + eta) - 1)**2*W**2/(w[i]*w[j])**2"),
                ),
                _NOTE_ASSUME, tactics=(_NOTE_TACTIC,), sample=_distribution,
            ),
        ),
        mutants=(
            Mutant("sixteen times as fast", replace=(("1 - 4*(1 - delta)", "1 - 64*(1 - delta)"),)),
            Mutant("the printed constant", replace=(("4*(1 - delta)**6*", ""),)),
            Mutant("noise with a mean", drop=0, sample=_biased),
        ),
        search_depths=(2, 3),
    ),
    Claim(
        id="ginsburg.thm-4.1.largest-rate",
        title="The largest rates of Theorem 4.1",
        statement=(
            r"|\eta| < \delta,\ |W - 1| < \delta,\ \delta < \tfrac12,\ \lambda = \frac{c}{\sum 1/w_i^2}: \quad "
            r"|D_{ij}| \text{ cannot grow iff } c \le \tfrac{16\sqrt2}{45}, \text{ nor change sign iff } c \le \tfrac{16}{45}"
        ),
        source=source("Theorem 4.1, its rate 1/2 (2/3)^5"),
        kind="sharp",
        reading=(
            "Over all delta < 1/2. The paper's c is 16/243, 5.4 times smaller than needed to keep the sign. Parts 1 "
            "and 2: k >= -1 and k > 0 at those rates. Parts 3 and 4: beyond them, nets [m, m] with m^2 and eta near "
            "3/2 and 1/2 have k < -1 or k < 0."
        ),
        argument=(
            "For a larger c some m and eta meet the assumption of part 3 (part 4), because u (u - 1) with "
            "u = m^2 (1 + eta) tends to 45/16 as m^2 tends to 3/2 and eta to 1/2; unequal weights nearby have factors "
            "as near as one likes, by continuity."
        ),
        parts=(
            Part(
                _GIVEN_C, ("k >= -1",), _C_FACTOR, (*_BOUNDED, "0 < c", "c**2 <= 512/2025"),
                tactics=(_rate(2),), sample=_at_rate(),
            ),
            Part(
                _GIVEN_C, ("k >= 0",), _C_FACTOR, (*_BOUNDED, "0 < c", "c**2 <= 256/2025"),
                tactics=(_rate(1),), sample=_at_rate(),
            ),
            Part(
                {"m": "real", "eta": "real", "c": "real"}, ("k < -1",), _PAIR_NET,
                (*_PAIR_ASSUME, "c**2*(m**2*(1 + eta)*(m**2*(1 + eta) - 1))**2 > 2"), tactics=(by_hand(("1", "a3.0")),),
                sample=_equal_pair,
            ),
            Part(
                {"m": "real", "eta": "real", "c": "real"}, ("k < 0",), _PAIR_NET,
                (*_PAIR_ASSUME, "c**2*(m**2*(1 + eta)*(m**2*(1 + eta) - 1))**2 > 1"), tactics=(by_hand(("1", "a3.0")),),
                sample=_equal_pair,
            ),
        ),
        mutants=(
            Mutant("a tenth more", replace=(("512/2025", "620/2025"),), sample=_at_rate(Fraction(11, 20))),
            Mutant("the same sign, a tenth more", part=1, replace=(("256/2025", "310/2025"),), sample=_at_rate(Fraction(7, 18))),
            Mutant("beyond without excess", part=2, replace=(("> 2", "> 1"),)),
        ),
        search_depths=(1, 2, 3, 5),
        values=lambda: {"c": root("512/2025", 2), "c_same_sign": exact("16/45")},
    ),
)  # fmt: skip

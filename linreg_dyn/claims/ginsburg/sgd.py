"""Section 5: SGD noise from batches drawn without replacement, and Theorem 5.1."""

from __future__ import annotations

from fractions import Fraction
from random import Random
from typing import Any

from linreg_dyn.certify.find import Tactic, identity
from linreg_dyn.claims import falsify
from linreg_dyn.claims.core import Claim, Mutant, Part, Sampler
from linreg_dyn.claims.enclosures import exact, root
from linreg_dyn.claims.ginsburg._net import (
    LOSS, NET, SGD, by_hand, have, product_at_least, product_at_most, product_at_most_inverse, source, split,
    step, velocity,
)  # fmt: skip
from linreg_dyn.claims.ginsburg.landscape import normalised_data

_FLOW = {"w": "layers", "lam": "real", "eta": "real"}
_STEP = {"w": "layers", "eta": "real", "delta": "real"}
_BATCH = {"w": "layers", "x": "sample", "y": "sample"}
_FACTOR = ("k", "1 - 4*lam**2*(W - 1 + eta)**2*W**2/(w[i]*w[j])**2")
_FACTORISES = "v[i]**2 - v[j]**2 == k*(w[i]**2 - w[j]**2)"
_PAPER_RATE = (*NET, ("lam", "1/(2*delta*(1 + delta)*S)"), ("v", step(SGD)))
_ASSUME = ("0 < delta", "delta < 1", "abs(eta) <= delta", "abs(W - 1) < delta")


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
        **sample(rng, depth, level), **{n: v or falsify.rational(rng, 0, 2, level) for n, v in more.items()},
    }  # fmt: skip


_SAMPLE = _banded()

# a0: delta > 0; a1: 1 - delta > 0; a2+-: delta -+ eta >= 0; a3+-: delta -+ (W - 1) > 0.
_W_POSITIVE = by_hand(("1", "a1.0"), ("1", "a3.0-"))  # W = (1 - delta) + (delta + W - 1)
_GW_BELOW = by_hand(("1", "a3.0+ * W"), ("1", "a2.0+ * W"), ("2", "a0.0 * a3.0+"))
_GW_ABOVE = by_hand(("1", "a3.0- * W"), ("1", "a2.0- * W"), ("2", "a0.0 * a3.0+"))
_SPREAD = (
    ("1", "sq 1/w[i]**2-1/w[j]**2"), ("2", "rest * inv[i]"), ("2", "rest * inv[j]"), ("1", "rest * rest"),
)  # fmt: skip


def _bounded_gradient(then: Tactic) -> Tactic:
    """Have W > 0, 1 + delta > 0 and |g W| < 2 delta (1 + delta), g = W - 1 + eta: hypotheses W, D, gW+, gW-."""
    then = have("(W - 1 + eta)*W > -2*delta*(1 + delta)", _GW_ABOVE, then, name="gW-")
    then = have("(W - 1 + eta)*W < 2*delta*(1 + delta)", _GW_BELOW, then, name="gW+")
    then = have("1 + delta > 0", by_hand(("1", ""), ("1", "a0.0")), then, name="D")
    return have("W > 0", _W_POSITIVE, then, name="W")


def _factor(times: int, gap: str | None, q: str) -> Tactic:
    """S^2 (k - 1 + times) > 0 at lam = q/(2 delta (1 + delta) S), from q^2 <= times (`gap` is times - q^2 >= 0)."""
    scale = "a0.0 * a0.0 * D * D"
    terms = [(str(times * int(c)), f"{h} * {scale}") for c, h in _SPREAD]
    if gap:
        terms.append(("4", f"inv[i] * inv[j] * {gap} * {scale}"))
    terms.append(("1", f"inv[i] * inv[j] * gW+ * gW-{q}"))
    return _bounded_gradient(by_hand(*terms, multiplier=[("1", f"S * S * {scale}")]))


_K_POSITIVE = _factor(1, None, "")
_AT_MOST_ONE = by_hand(("1", "sq 2*lam*(W-1+eta)*W/(w[i]*w[j])"))

# -- the printed chain and the corrected one, links as differences
_CHAIN = (
    "4*lam**2*(W - 1 + eta)**2*W**2/(w[i]*w[j])**2 {0}*lam**2*(W - 1 + eta)**2*W**2*(1/w[i]**2 + 1/w[j]**2)**2 "
    "{1}*lam**2*W**2*S**2*((W - 1)**2 + eta**2) <= 4*lam**2*S**2*delta**2*(1 + delta)**2"
)
_PAIR_SQUARED = "sq 2*lam*(W-1+eta)*W"
_CHAIN_TACTICS = (
    by_hand(("1", "sq lam*(W-1+eta)*W*(1/w[i]**2-1/w[j]**2)")),
    # S^2 - (A + B)^2 = rest (rest + 2 A + 2 B), and 2 (a^2 + b^2) - (a + b)^2 = (a - b)^2
    by_hand(
        ("1", "sq lam*W*(W-1-eta)*S"),
        *((c, f"sq lam*(W-1+eta)*W * rest * {h}") for c, h in (("1", "rest"), ("2", "inv[i]"), ("2", "inv[j]"))),
    ),
    # 2 d^2 (1+d)^2 - W^2 (u^2 + eta^2), with d^2 - u^2 and d^2 - eta^2 >= 0 and (1+d)^2 - W^2 >= 0
    _bounded_gradient(
        by_hand(
            ("2", "sq lam*W*S * a3.0+ * a3.0-"), ("2", "sq lam*W*S * a2.0+ * a2.0-"),
            ("4", "sq lam*S*delta * a3.0+ * W"), ("4", "sq lam*S*delta * a3.0+ * D"),
        )
    ),
)  # fmt: skip

# -- along the trajectory, rate 1/(2 (1 + delta)^2 S): x = g W / (1 + delta)^2
_SLOW = (*NET, ("lam", "1/(2*(1 + delta)**2*S)"), ("v", step(SGD)), _FACTOR, ("x", "(W - 1 + eta)*W/(1 + delta)**2"))
_X_ABOVE = ("1", "gW+"), ("2", "D")  # (1+d)^2 (1 - x) = 2d(1+d) - gW + (1+d)(1-d)
_DD = [("1", "D * D")]


def _sided(ge: Tactic, le: Tactic) -> Tactic:
    """Cases g >= 0 and g <= 0 (hypothesis s), with x+ (x >= 0) or x- (x <= 0), and -1 < x < 1 as 1+x, 1-x."""
    bounds = lambda then: have(  # noqa: E731
        "x < 1", by_hand(("1", "gW+"), ("1", "D * a1.0"), multiplier=_DD),
        have("x > -1", by_hand(("1", "gW-"), ("1", "D * a1.0"), multiplier=_DD), then, name="1+x"), name="1-x",
    )  # fmt: skip
    return _bounded_gradient(
        bounds(
            split(
                "W - 1 + eta",
                ge=have("x >= 0", by_hand(("1", "s * W"), multiplier=_DD), ge, name="x+"),
                le=have("x <= 0", by_hand(("1", "s * W"), multiplier=_DD), le, name="x-"),
            )
        )
    )


_HYP = {name: by_hand(("1", name)) for name in ("x+", "x-", "1+x", "1-x")}
_KEPT_ABOVE = _sided(
    ge=product_at_most(
        "x", _HYP["x+"], _HYP["1-x"],
        by_hand(("1", "a3.0+"), ("1", "W * hi0"), ("1/2", "W * x+"), ("1/2", "W * x+ * 1-x")),
    ),
    # (1 + x)(1 + d - W Q) = W (1 - (1+x) Q) + (1+d)(1+x) - W, and (1+d)(1 + d + g W/(1+d) - W ...) with
    # -g <= 1 + d - W =: e gives (1+d) x >= -e W/(1+d), so the rest is at least e (1 - W/(1+d)) = e^2/(1+d)
    le=product_at_most_inverse(
        "x", _HYP["1+x"], _HYP["x-"],
        by_hand(
            ("1", "W * 1+x * hi0 * D"), ("1", "a3.0+ * a3.0+"), ("1", "W * a2.0-"),
            multiplier=[("1", "1+x * D")],
        ),
    ),
)  # fmt: skip
_KEPT_BELOW = _sided(
    # W Q >= W (1 - x), and g <= W - 1 + d =: e gives W x <= e W^2/(1+d)^2 < e
    ge=product_at_least(
        "x", _HYP["1-x"],
        by_hand(
            ("1", "W * lo0 * D * D"), ("1", "a2.0+ * W * W"), ("1", "a3.0- * a3.0+ * W"), ("1", "a3.0- * a3.0+ * D"),
            multiplier=_DD,
        ),
    ),
    le=product_at_least("x", _HYP["1-x"], by_hand(("1", "a3.0-"), ("1", "W * lo0"), ("1", "W * x-"))),
)  # fmt: skip
# x^2 < 1: S^2 k = (S^2 - 4AB) + AB (4 - x^2), x^2 A B / S^2 the second term of the factor
_SLOW_FACTOR = _sided(
    ge=by_hand(*_SPREAD, ("3", "inv[i] * inv[j]"), ("1", "inv[i] * inv[j] * 1-x"), ("1", "inv[i] * inv[j] * 1-x * x+"), multiplier=[("1", "S * S")]),
    le=by_hand(*_SPREAD, ("3", "inv[i] * inv[j]"), ("1", "inv[i] * inv[j] * 1+x"), ("1", "inv[i] * inv[j] * 1+x * x-"), multiplier=[("1", "S * S")]),
)  # fmt: skip


def _data(rng: Random, depth: int, level: int) -> dict[str, Any]:
    """Any three points: the gradient's form needs no normalisation."""
    return {name: [falsify.signed(rng, level) for _ in range(n)] for name, n in (("w", depth), ("x", 3), ("y", 3))}


def _batches(rng: Random, depth: int, level: int) -> dict[str, Any]:
    """Two or four normalised points, a batch size below their number, and W."""
    data = normalised_data(rng, depth, level)
    if rng.random() < 0.4:
        data = {"x": [Fraction(1), Fraction(-1)], "y": [Fraction(1), Fraction(-1)]}
    return {**data, "W": falsify.signed(rng, level), "B": Fraction(rng.randint(1, len(data["x"]) - 1))}


def _any_data(n: int) -> Sampler:
    return lambda rng, depth, level: {
        **{name: [falsify.signed(rng, level) for _ in range(n)] for name in "xy"}, "W": falsify.signed(rng, level),
    }  # fmt: skip


_NOISE_OF = (("z", "W*x**2 - x*y"), ("N", "Sum(x**0)"))
_VARIANCE = "Mean(Batches(z, {B})**2) - Mean(Batches(z, {B}))**2"
_EXACT_VARIANCE = "(1/{B} - 1/{N})*{N}/({N} - 1)*(Mean(z**2) - Mean(z)**2)"


def _enumerated(n: int, size: int) -> Part:
    """All batches of this size out of n, for any data."""
    return Part(
        {"x": f"sample:{n}", "y": f"sample:{n}", "W": "real"},
        (
            f"{_VARIANCE.format(B=size)} == {_EXACT_VARIANCE.format(B=size, N=n)}",
            f"Mean(Batches(z, {size})) == Mean(z)",
        ),
        _NOISE_OF[:1], tactics=(identity(), identity()), sample=_any_data(n),
    )  # fmt: skip


_PAIR = (("w", "[m, m]"), *NET, ("lam", "q/(2*delta*(1 + delta)*S)"), ("k", "1 - 4*lam**2*(W - 1 + eta)**2*W**2/(w[0]*w[1])**2"))
_PAIR_GIVEN = {"m": "real", "eta": "real", "delta": "real", "q": "real"}
_PAIR_ASSUME = ("0 < delta", "delta < 1", "abs(eta) <= delta", "abs(m**2 - 1) < delta", "m > 0")


def _pair(rng: Random, depth: int, level: int) -> dict[str, Any]:
    d = falsify.rational(rng, 0, 1, level)
    m = falsify.approximate(float(1 + d) ** 0.5 * (1 - 2.0 ** -(4 + level)), 4 + level)
    return {"m": m, "eta": d, "delta": d, "q": falsify.rational(rng, 0, 3, level)}


_Q_FACTOR = (*NET, ("lam", "q/(2*delta*(1 + delta)*S)"), ("v", step(SGD)), _FACTOR)
_EDGE = {"delta": "real", "q": "real", "theta": "real"}

CLAIMS = (
    Claim(
        id="ginsburg.sgd-gradient",
        title="The stochastic gradient",
        statement=(
            r"\frac{\partial L_B}{\partial w_i} = \frac{1}{|B|}\sum_{\bar B} 2 (W x_n^2 - x_n y_n) W / w_i "
            r"= 2\Big(W\big(\tfrac1B\sum_{\bar B} x_n^2\big) - \big(\tfrac1B\sum_{\bar B} x_n y_n\big)\Big) W / w_i"
        ),
        source=source("section 5, first display"),
        kind="printed",
        reading="The mean over the batch, of any size; L_B is the mean of (W x_n - y_n)^2 over it.",
        parts=(
            Part(
                _BATCH,
                (
                    "D(Mean((W*x - y)**2), w[i]) == Mean(2*(W*x**2 - x*y))*W/w[i] "
                    "== 2*(W*Mean(x**2) - Mean(x*y))*W/w[i]",
                ),
                LOSS, tactics=(identity(), identity()), sample=_data,
            ),
        ),
        mutants=(
            Mutant("without the factor 2", replace=(("== 2*(W*Mean", "== (W*Mean"),)),
            Mutant("the moments exchanged", replace=(("(W*Mean(x**2) - Mean(x*y))", "(W*Mean(x*y) - Mean(x**2))"),)),
        ),
        search_depths=(1, 2, 3),
    ),
    Claim(
        id="ginsburg.sgd-full-batch",
        title="The limit of full batches, as printed",
        statement=(
            r"\text{If batch size } B \to N, \text{ then } \sum_{\bar B} x_n^2 \to \sum_N x_n^2 = 1 "
            r"\text{ and } \sum_{\bar B} x_n y_n \to \sum_{\bar B} x_n y_n = 1"
        ),
        source=source("section 5, after the first display"),
        kind="printed",
        amended_by="ginsburg.sgd-full-batch.amended",
        reading="By the normalisation (2) the means are 1; the sums, as printed, are N.",
        parts=(
            Part(
                {"x": "sample", "y": "sample"}, ("Sum(x**2) == 1", "Sum(x*y) == 1"),
                assume=("Mean(x) == 0", "Mean(x**2) == 1", "Mean(y) == 0", "Mean(x*y) == 1"), sample=normalised_data,
            ),
        ),
        mutants=(
            Mutant("both are 0", replace=(("Sum(x**2) == 1", "Sum(x**2) == 0"),)),
            Mutant("both are 2", replace=(("Sum(x**2) == 1", "Sum(x**2) == 2"), ("Sum(x*y) == 1", "Sum(x*y) == 2"))),
        ),
    ),
    Claim(
        id="ginsburg.sgd-full-batch.amended",
        title="The limit of full batches",
        statement=(
            r"\text{For } B = N: \ \tfrac1B\sum_{\bar B} x_n^2 = \tfrac1N\sum_N x_n^2 = 1, \quad "
            r"\tfrac1B\sum_{\bar B} x_n y_n = \tfrac1N\sum_N x_n y_n = 1"
        ),
        source=source("section 5, after the first display"),
        kind="amended",
        amends="ginsburg.sgd-full-batch",
        reading="Shown for the only batch of size N, out of N = 2, 3 and 4 points; it is the data set itself for every N.",
        argument="There is one batch of size N, the data set: the checker expands it for N = 2, 3, 4.",
        parts=tuple(
            Part(
                {"x": f"sample:{n}", "y": f"sample:{n}"},
                (f"Mean(Batches(x**2, {n})) == Mean(x**2)", f"Mean(Batches(x*y, {n})) == Mean(x*y)"),
                tactics=(identity(), identity()),
                sample=lambda rng, depth, level, n=n: {k: [falsify.signed(rng, level) for _ in range(n)] for k in "xy"},
            )
            for n in (2, 3, 4)
        ),
        mutants=(
            Mutant("sums", replace=(("== Mean(x**2)", "== 2*Mean(x**2)"),)),
            Mutant("first moments", replace=(("== Mean(x*y)", "== Mean(x)*Mean(y)"),), part=1),
        ),
    ),
    Claim(
        id="ginsburg.sgd-noise-form",
        title="SGD noise as augmentation and label noise",
        statement=(
            r"\frac{\partial L_B}{\partial w_i} = 2\big(W(1 + \eta_1) - (1 + \eta_2)\big) W / w_i "
            r"= 2\big(W - 1 + (W\eta_1 - \eta_2)\big) W / w_i, \quad E\eta_1 = E\eta_2 = 0"
        ),
        source=source("section 5, second display"),
        kind="printed",
        reading=(
            "eta_1 = mean_B x^2 - 1 and eta_2 = mean_B xy - 1: the form is exact for every batch, not only when the "
            "loss is small. Their means over all batches vanish (parts 2 to 7: batches out of 2, 3 and 4 points)."
        ),
        argument=(
            "Every sample is in the same number of batches, so the mean over batches of a batch mean is the mean over "
            "the data, 1 for x^2 and xy; the checker expands all batches for N = 2, 3, 4."
        ),
        parts=(
            Part(
                _BATCH,
                (
                    "D(Mean((W*x - y)**2), w[i]) == 2*(W*(1 + e1) - (1 + e2))*W/w[i] == 2*(W - 1 + (W*e1 - e2))*W/w[i]",
                ),
                (*LOSS, ("e1", "Mean(x**2) - 1"), ("e2", "Mean(x*y) - 1")),
                tactics=(identity(), identity()), sample=_data,
            ),
            *(
                Part(
                    {"x": f"sample:{n}", "y": f"sample:{n}"},
                    (f"Mean(Batches(x**2, {b}) - Mean(x**2)) == 0", f"Mean(Batches(x*y, {b}) - Mean(x*y)) == 0"),
                    tactics=(identity(), identity()),
                    sample=lambda rng, depth, level, n=n: {
                        k: [falsify.signed(rng, level) for _ in range(n)] for k in "xy"
                    },
                )
                for n, b in ((2, 1), (3, 1), (3, 2), (4, 1), (4, 2), (4, 3))
            ),
        ),
        mutants=(
            Mutant("label noise added", replace=(("(W*e1 - e2)", "(W*e1 + e2)"),)),
            Mutant("without the label noise", replace=(("- (1 + e2))", "- 1)"),)),
            Mutant("the noise is positive on average", replace=((") == 0", ") == 1"),), part=1),
        ),
        search_depths=(1, 2, 3),
    ),
    Claim(
        id="ginsburg.sgd-noise-variance",
        title="The variance of SGD noise, as printed",
        statement=r"\sigma^2 \approx \big(\tfrac1B - \tfrac1N\big)",
        source=source("section 5"),
        kind="printed",
        amended_by="ginsburg.sgd-noise-variance.amended",
        reading=(
            "Read as an equation: over all batches of B out of N samples drawn without replacement, the variance of "
            "W eta_1 - eta_2 is 1/B - 1/N. It is proportional to that, with a factor that depends on the data and W."
        ),
        parts=(
            Part(
                {"x": "sample", "y": "sample", "W": "real", "B": "real"},
                (f"{_VARIANCE.format(B='B')} == 1/B - 1/N",), _NOISE_OF,
                ("Mean(x) == 0", "Mean(x**2) == 1", "Mean(y) == 0", "Mean(x*y) == 1"), sample=_batches,
            ),
        ),
        mutants=(
            Mutant("with replacement", replace=(("== 1/B - 1/N", "== 1/B"),)),
            Mutant("never any noise", replace=(("== 1/B - 1/N", "== 0"),)),
        ),
        search_depths=(1,),
    ),
    Claim(
        id="ginsburg.sgd-noise-variance.amended",
        title="The variance of SGD noise",
        statement=(
            r"\sigma^2 = \big(\tfrac1B - \tfrac1N\big) \tfrac{N}{N - 1} \mathrm{Var}_n(W x_n^2 - x_n y_n) "
            r"\quad \text{(batches of } B \text{ out of } N \text{ without replacement)}"
        ),
        source=source("section 5"),
        kind="amended",
        amends="ginsburg.sgd-noise-variance",
        reading="Part 1: every N and B. The other parts: all batches written out, for any data.",
        argument=(
            "A sample is in the batch with probability B/N and two samples together with B(B-1)/(N(N-1)) (counting "
            "batches). Part 1 is the resulting identity in N, B, P1 = sum z_n and P2 = sum z_n^2; the checker expands "
            "all batches for N = 2, 3, 4."
        ),
        parts=(
            Part(
                {"N": "real", "B": "real", "P1": "real", "P2": "real"},
                ("(B/N*P2 + B*(B - 1)/(N*(N - 1))*(P1**2 - P2))/B**2 - (P1/N)**2 == (1/B - 1/N)*N/(N - 1)*(P2/N - (P1/N)**2)",),
                tactics=(identity(),),
            ),
            *(_enumerated(n, b) for n, b in ((2, 1), (3, 1), (3, 2), (4, 1), (4, 2), (4, 3))),
        ),
        mutants=(
            Mutant("with replacement", replace=(("(1/3 - 1/4)", "(1/3)"),), part=6),
            Mutant("without Bessel's factor", replace=(("*4/(4 - 1)", ""),), part=5),
            Mutant("constant variance", replace=(("(1/B - 1/N)", "(1/B)"),)),
        ),
        search_depths=(1,),
    ),
    Claim(
        id="ginsburg.sgd-flow-loss",
        title="The loss along the flow with SGD noise",
        statement=r"\frac{dL}{dt} = -4\lambda W^2 \Big(\sum \tfrac{1}{w_i^2}\Big) (W - 1)(W - 1 + \eta)",
        source=source("section 5"),
        kind="printed",
        parts=(
            Part(
                _FLOW, ("Sum(D(L, w)*f) == -4*lam*W**2*S*(W - 1)*(W - 1 + eta)",), (*LOSS, ("f", velocity(SGD))),
                tactics=(identity(),),
            ),
        ),
        mutants=(
            Mutant("the noise subtracted", replace=(("W - 1 + eta)", "W - 1 - eta)"),)),
            Mutant("half the rate", replace=(("-4*lam", "-2*lam"),)),
        ),
        search_depths=(1, 2, 3),
    ),
    Claim(
        id="ginsburg.sgd-imbalance-step",
        title="The imbalance after a step with SGD noise",
        statement=(
            r"w_i^2(t+1) - w_j^2(t+1) = (w_i^2 - w_j^2)\big(1 - 4\lambda^2(W - 1 + \eta)^2 W^2/(w_i w_j)^2\big), \quad "
            r"w_i(t+1) = w_i - 2\lambda(W - 1 + \eta) W/w_i"
        ),
        source=source("eq. 12 and the proof of Theorem 5.1"),
        kind="printed",
        parts=(
            Part(
                _FLOW,
                (
                    "v == w - 2*lam*(W - 1 + eta)*W/w",
                    "v[i]**2 - v[j]**2 == (w[i]**2 - w[j]**2)*(1 - 4*lam**2*(W - 1 + eta)**2*W**2/(w[i]*w[j])**2)",
                ),
                (*NET, ("v", step(SGD))), tactics=(identity(), identity()),
            ),
        ),
        mutants=(
            Mutant("the sign in the factor", replace=(("(1 - 4*lam", "(1 + 4*lam"),)),
            Mutant("without W", replace=(("*W**2/", "/"),)),
        ),
        search_depths=(2, 3),
    ),
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
                _STEP, (_FACTORISES, "0 < k <= 1"), (*_PAPER_RATE, _FACTOR), _ASSUME,
                tactics=(identity(), _K_POSITIVE, _AT_MOST_ONE), sample=_SAMPLE,
            ),
        ),
        mutants=(
            Mutant("twice the rate", replace=(("1/(2*delta", "1/(delta"),)),
            Mutant("without 1 + delta", replace=(("*(1 + delta)*S", "*S"),)),
            Mutant("noise twice as large", replace=(("abs(eta) <= delta", "abs(eta) <= 2*delta"),),
                   sample=lambda rng, depth, level: (lambda p: {**p, "eta": 2 * p["eta"]})(_SAMPLE(rng, depth, level))),
        ),
        search_depths=(1, 2, 3, 5),
    ),
    Claim(
        id="ginsburg.thm-5.1-chain",
        title="The chain of inequalities for Theorem 5.1, as printed",
        statement=(
            r"k \ge 1 - 2\lambda^2(W - 1 + \eta)^2 W^2\big(\tfrac{1}{w_i^2} + \tfrac{1}{w_j^2}\big)^2 "
            r"\ge 1 - 4\lambda^2 W^2\big(\sum\tfrac{1}{w_i^2}\big)^2\big((W - 1)^2 + \eta^2\big) "
            r"\ge 1 - 4\lambda^2\big(\sum\tfrac{1}{w_i^2}\big)^2\delta^2(1 + \delta)^2"
        ),
        source=source("proof of Theorem 5.1"),
        kind="printed",
        amended_by="ginsburg.thm-5.1-chain.amended",
        reading=(
            "Each link, as the terms subtracted from 1, under the theorem's hypotheses. The first two hold. In the "
            "third (W-1)^2 + eta^2 < 2 delta^2, so a factor 2 is missing; the first link had lost one needlessly."
        ),
        parts=(Part(_STEP, (_CHAIN.format("<= 2", "<= 4"),), _PAPER_RATE, _ASSUME, sample=_SAMPLE),),
        mutants=(
            Mutant("the last link alone, doubled the wrong way", replace=(("<= 4*lam**2*S**2*delta", "<= 2*lam**2*S**2*delta"),)),
            Mutant("the first link reversed", replace=(("<= 2*lam**2", ">= 2*lam**2"),)),
        ),
        search_depths=(2, 3),
    ),
    Claim(
        id="ginsburg.thm-5.1-chain.amended",
        title="The chain of inequalities for Theorem 5.1",
        statement=(
            r"k \ge 1 - \lambda^2(W - 1 + \eta)^2 W^2\big(\tfrac{1}{w_i^2} + \tfrac{1}{w_j^2}\big)^2 "
            r"\ge 1 - 2\lambda^2 W^2\big(\sum\tfrac{1}{w_i^2}\big)^2\big((W - 1)^2 + \eta^2\big) "
            r"\ge 1 - 4\lambda^2\big(\sum\tfrac{1}{w_i^2}\big)^2\delta^2(1 + \delta)^2"
        ),
        source=source("proof of Theorem 5.1"),
        kind="amended",
        amends="ginsburg.thm-5.1-chain",
        parts=(
            Part(
                _STEP, (_CHAIN.format("<= 1", "<= 2"),), _PAPER_RATE, _ASSUME, tactics=_CHAIN_TACTICS, sample=_SAMPLE,
            ),
        ),
        mutants=(
            Mutant("half the first bound", replace=(("<= 1*lam**2", "<= 1/2*lam**2"),)),
            Mutant("the printed last link", replace=(("<= 2*lam**2*W**2*S", "<= 4*lam**2*W**2*S"),)),
        ),
        search_depths=(2, 3),
    ),
    Claim(
        id="ginsburg.thm-5.1-along-trajectory",
        title="Theorem 5.1 along a trajectory: the hypothesis is kept",
        statement=(
            r"\text{Assume that } |W - 1| < \delta \ldots \text{ the layer imbalance monotonically decreases, along the "
            r"trajectory: } |W - 1| < \delta \Rightarrow |W(t+1) - 1| < \delta"
        ),
        source=source("Theorem 5.1"),
        kind="printed",
        amended_by="ginsburg.thm-5.1-along-trajectory.amended",
        reading="With the theorem's rate one step can throw W far beyond 1 + delta, most of all for small delta.",
        parts=(Part(_STEP, ("abs(Prod(v) - 1) < delta",), _PAPER_RATE, _ASSUME, sample=_SAMPLE),),
        mutants=(
            Mutant("it always leaves", replace=(("abs(Prod(v) - 1) < delta", "abs(Prod(v) - 1) >= delta"),)),
            Mutant("half the band", replace=(("abs(Prod(v) - 1) < delta", "abs(Prod(v) - 1) < delta/2"),)),
        ),
    ),
    Claim(
        id="ginsburg.thm-5.1-along-trajectory.amended",
        title="A rate for which Theorem 5.1 holds along every trajectory",
        statement=(
            r"|W - 1| < \delta,\ |\eta| \le \delta < 1,\ \lambda(w) = \frac{1}{2(1 + \delta)^2\sum(1/w_i^2)} "
            r"\;\Rightarrow\; |W(t+1) - 1| < \delta \text{ and every } |w_i^2 - w_j^2| \text{ does not grow}; "
            r"\text{ no larger constant keeps the band}"
        ),
        source=source("Theorem 5.1"),
        kind="amended",
        amends="ginsburg.thm-5.1-along-trajectory",
        reading=(
            "Part 1 applies again after every step, for any sequence of noise. Part 2: with q/(2 (1+delta)^2) and q > 1 "
            "instead, a net of one layer with W = 1 + delta (1 - theta) and noise -delta leaves the band."
        ),
        parts=(
            Part(
                _STEP, ("Prod(v) < 1 + delta", "Prod(v) > 1 - delta", _FACTORISES, "0 < k <= 1"), _SLOW, _ASSUME,
                tactics=(_KEPT_ABOVE, _KEPT_BELOW, identity(), _SLOW_FACTOR, _AT_MOST_ONE), sample=_SAMPLE,
            ),
            Part(
                _EDGE, ("Prod(v) > 1 + delta",),
                (("u", "1 + delta - delta*theta"), ("eta", "-delta"), ("w", "[u]"), *NET,
                 ("lam", "q/(2*(1 + delta)**2*S)"), ("v", step(SGD))),
                ("0 < delta", "delta < 1", "0 < theta", "theta < 1", "q*(1 + delta - delta*theta)**2 > (1 + delta)**2"),
                tactics=(by_hand(("1", "a0.0 * a2.0 * a4.0"), multiplier=[("1", ""), ("2", "a0.0"), ("1", "a0.0 * a0.0")]),),
                sample=lambda rng, depth, level: {
                    "delta": falsify.rational(rng, 0, 1, level), "theta": falsify.rational(rng, 0, 1, level),
                    "q": falsify.rational(rng, 1, 4, level),
                },
            ),
        ),
        mutants=(
            Mutant("twice the rate", replace=(("1/(2*(1 + delta)**2*S)", "1/((1 + delta)**2*S)"),)),
            Mutant("the printed rate", replace=(("1/(2*(1 + delta)**2*S)", "1/(2*delta*(1 + delta)*S)"),)),
            Mutant("leaves without excess", part=1, drop=4, sample=lambda rng, depth, level: {
                "delta": Fraction(1, 2), "theta": Fraction(1, 2), "q": falsify.rational(rng, 0, 1, level)}),
        ),
        search_depths=(1, 2, 3, 5),
    ),
    Claim(
        id="ginsburg.thm-5.1.largest-rate",
        title="The largest rates of Theorem 5.1",
        statement=(
            r"|W - 1| < \delta,\ |\eta| \le \delta < 1,\ \lambda = \frac{c}{\sum 1/w_i^2}: \quad |D_{ij}| \text{ cannot grow iff } "
            r"c \le \frac{\sqrt2}{2\delta(1 + \delta)}, \text{ nor change sign iff } c \le \frac{1}{2\delta(1 + \delta)}"
        ),
        source=source("Theorem 5.1, its rate"),
        kind="sharp",
        reading=(
            "c = q/(2 delta (1 + delta)): the paper's rate, q = 1, is exactly the largest that keeps every sign. Parts 1 "
            "and 2: k >= -1 for q^2 <= 2 and k > 0 for q <= 1. Parts 3 and 4: beyond, nets [m, m] break each."
        ),
        argument=(
            "For a larger q some m meets the assumption of part 3 (part 4) with eta = delta, because (m^2 - 1 + delta) "
            "m^2 tends to 2 delta (1 + delta) as m^2 tends to 1 + delta; unequal weights nearby have factors as near "
            "as one likes, by continuity."
        ),
        parts=(
            Part(
                {**_STEP, "q": "real"}, ("k >= -1",), _Q_FACTOR, (*_ASSUME, "0 < q", "q**2 <= 2"),
                tactics=(_factor(2, "a5.0", " * a4.0 * a4.0"),), sample=_with(_SAMPLE, q=None),
            ),
            Part(
                {**_STEP, "q": "real"}, ("k > 0",), _Q_FACTOR, (*_ASSUME, "0 < q", "q**2 <= 1"),
                tactics=(_factor(1, "a5.0", " * a4.0 * a4.0"),), sample=_with(_SAMPLE, q=None),
            ),
            Part(
                _PAIR_GIVEN, ("k < -1",), _PAIR, (*_PAIR_ASSUME, "q**2*(m**2 - 1 + eta)**2*m**4 > 8*delta**2*(1 + delta)**2"),
                tactics=(have("1 + delta > 0", by_hand(("1", ""), ("1", "a0.0")),
                              by_hand(("1", "a5.0"), multiplier=[("4", "a0.0 * a0.0 * D * D")]), name="D"),),
                sample=_pair,
            ),
            Part(
                _PAIR_GIVEN, ("k < 0",), _PAIR, (*_PAIR_ASSUME, "q**2*(m**2 - 1 + eta)**2*m**4 > 4*delta**2*(1 + delta)**2"),
                tactics=(have("1 + delta > 0", by_hand(("1", ""), ("1", "a0.0")),
                              by_hand(("1", "a5.0"), multiplier=[("4", "a0.0 * a0.0 * D * D")]), name="D"),),
                sample=_pair,
            ),
        ),
        mutants=(
            Mutant("a larger rate", replace=(("q**2 <= 2", "q**2 <= 9/4"),), sample=_with(_SAMPLE, q=Fraction(3, 2))),
            Mutant("the same sign at a larger rate", part=1, replace=(("q**2 <= 1", "q**2 <= 5/4"),),
                   sample=_with(_SAMPLE, q=Fraction(11, 10))),
            Mutant("beyond without excess", part=2, replace=(("> 8*delta", "> 4*delta"),)),
        ),
        search_depths=(1, 2, 3, 5),
        values=lambda: {"c (delta = 1/2)": root("8/9", 2), "c_same_sign (delta = 1/2)": exact("2/3"),
                        "c (delta = 1)": root("1/8", 2), "c_same_sign (delta = 1)": exact("1/4")},
    ),
)  # fmt: skip

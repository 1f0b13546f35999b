"""Section 5: the rate at which SGD noise removes the imbalance, and what it says of large batches."""

from __future__ import annotations

from fractions import Fraction
from random import Random
from typing import Any

from linreg_dyn.certify.find import identity, mean
from linreg_dyn.claims import falsify
from linreg_dyn.claims.core import Claim, Mutant, Part, Sampler
from linreg_dyn.claims.ginsburg._net import NET, by_hand, source, steps

_NOISE = {"w": "layers", "eta": "sample"}
_SQUARE = "4*{lam}**2*(W - 1 + {eta})**2*W**2/(w[i]*w[j])**2"


def _noise(rng: Random, delta: Fraction, level: int) -> list[Fraction]:
    """Noise of mean 0 on two or three values, within delta, but not always 0."""
    s = delta * rng.choice((Fraction(1), falsify.rational(rng, 0, 1, level)))
    return rng.choice(([s, -s], [s, -s / 2, -s / 2], [-s, s / 2, s / 2]))


def _at(W: Fraction | None = None, **more: tuple[int, int]) -> Sampler:
    """Weights of product W, or of one within delta of 1, noise within delta < 1, and reals of the given ranges."""

    def sample(rng: Random, depth: int, level: int) -> dict[str, Any]:
        delta = falsify.rational(rng, 0, 1, level)
        product = W or 1 + delta * falsify.rational(rng, -1, 1, level)
        w = falsify.weights(rng, depth, level, product)
        reals = {n: falsify.rational(rng, *ends, level) for n, ends in more.items()}
        return {"w": w, "eta": _noise(rng, delta, level), **reals, **({"delta": delta} if "delta" in more else {})}

    return sample


# the theorem's rate for noise within delta, and for the same noise times q within q delta
_TWO_NOISES = (
    *NET,
    ("l1", "1/(2*delta*(1 + delta)*S)"),
    ("l2", "1/(2*q*delta*(1 + q*delta)*S)"),
    ("r1", f"Mean({_SQUARE.format(lam='l1', eta='eta')})"),
    ("r2", f"Mean({_SQUARE.format(lam='l2', eta='q*eta')})"),
)
_AT_MINIMUM = ("Mean(eta) == 0", "W == 1", "0 < delta", "delta < 1", "abs(eta) <= delta", "Mean(eta**2) > 0")
_MIXED = {**_NOISE, "delta": "real", "q": "real"}

# E k at a fixed rate
_AT_RATE = (*NET, ("s2", "Mean(eta**2)"), ("k", f"1 - {_SQUARE.format(lam='lam', eta='eta')}"))

# -- D -> 0: |w_i| < C and W > 1 - delta
_DECAY_ASSUME = ("Mean(eta) == 0", "0 < delta", "delta < 1", "W > 1 - delta", "abs(w) < C", "C > 0")
_DECAY = mean(
    "4*lam**2*((W - 1 + eta)**2*W**2/(w[i]*w[j])**2 - (1 - delta)**2*eta**2/C**4 - 2*(W - 1)*W**2/(w[i]*w[j])**2*eta)",
    steps(
        ("m", "1 - delta > 0", by_hand(("1", "a2.0"))),
        ("Ai", "1/w[i]**2 >= 1/C**2", by_hand(("1", "a4.0+[i] * a4.0-[i] * inv[i] * sq 1/C"))),
        ("Aj", "1/w[j]**2 >= 1/C**2", by_hand(("1", "a4.0+[j] * a4.0-[j] * inv[j] * sq 1/C"))),
        then=by_hand(
            ("1", "sq 2*lam*W*(W-1) * inv[i] * inv[j]"),
            ("1", "sq 2*lam*eta * a3.0 * a3.0 * inv[i] * inv[j]"),
            ("2", "sq 2*lam*eta * a3.0 * m * inv[i] * inv[j]"),
            ("1", "sq 2*lam*(1-delta)*eta * Ai * inv[j]"),
            ("1", "sq 2*lam*(1-delta)*eta * sq 1/C * Aj"),
        ),
    ),
    a0_0="8*lam**2*(W - 1)*W**2/(w[i]*w[j])**2",
)


def _decaying(rng: Random, depth: int, level: int) -> dict[str, Any]:
    """Weights often equal, C just above the largest, and W often just above 1 - delta."""
    given = _at(delta=(0, 1), lam=(0, 2))(rng, depth, level)
    delta = given["delta"]
    if rng.random() < 0.5:
        W = 1 - delta + delta / 2 ** rng.randint(1, 4 + level)
        given["w"] = falsify.weights(rng, depth, level, W)
    return {**given, "C": max(map(abs, given["w"])) * (1 + Fraction(1, 2 ** rng.randint(1, 3 + level)))}


def _wider(size: int) -> Part:
    """A batch of this size is the mean of its own batches of one less: no further from 0 than the furthest of them."""
    smaller = ["(" + " + ".join(f"z[{n}]" for n in range(size) if n != k) + f")/{size - 1}" for k in range(size)]
    share = f"1/{size}"
    return Part(
        {"z": f"vector:{size}", "m": "real"},
        ("abs(Mean(z)) <= m",),
        assume=tuple(f"abs({batch}) <= m" for batch in smaller),
        tactics=tuple(by_hand(*((share, f"a{k}.0{side}") for k in range(size))) for side in "+-"),
        sample=_batch(size),
    )


def _batch(size: int) -> Sampler:
    def sample(rng: Random, _: int, level: int) -> dict[str, Any]:
        z = rng.choice(([falsify.signed(rng, level) for _ in range(size)], [falsify.signed(rng, level)] * size))
        return {"z": z, "m": max(abs(sum(z) - x) for x in z) / (size - 1) * rng.choice((1, 2))}

    return sample


CLAIMS = (
    Claim(
        id="ginsburg.large-batch-sharp",
        title="Larger batches decrease the imbalance slower, by Theorem 5.1",
        statement=(
            r"D \to 0 \text{ at a rate proportional to the variance of SGD noise. SGD training with a large batch "
            r"leads to sharp solutions } \ldots \text{ This fact directly follows from Theorem 5.1}: \quad "
            r"\eta \mapsto q\eta,\ \delta \mapsto q\delta,\ 0 < q < 1,\ W = 1 \;\Rightarrow\; 1 - E(k) \text{ does not "
            r"grow}"
        ),
        source=source("section 5, after Theorem 5.1"),
        kind="printed",
        amended_by="ginsburg.large-batch-sharp.amended",
        reading=(
            "The theorem's rate 1/(2 delta (1 + delta) S) for each of two noises, one of them q < 1 times the other "
            "(as a larger batch makes it), at a minimum: the smaller noise decreases no D_ij more, 1 - E k being what "
            "a step takes of it on average. It is the other way round, for the rate itself grows as 1/delta."
        ),
        parts=(
            Part(
                _MIXED,
                ("r2 <= r1",),
                _TWO_NOISES,
                (*_AT_MINIMUM, "0 < q", "q < 1"),
                sample=_at(Fraction(1), delta=(0, 1), q=(0, 1)),
            ),
        ),
        mutants=(
            Mutant("slower by a factor", replace=(("r2 <= r1", "r2 <= r1/2"),)),
            Mutant("proportional to the variance", replace=(("r2 <= r1", "r2 == q**2*r1"),)),
        ),
        search_depths=(2, 3),
    ),
    Claim(
        id="ginsburg.large-batch-sharp.amended",
        title="At one learning rate larger batches decrease the imbalance slower",
        statement=(
            r"E\eta = 0: \quad E(k) = 1 - 4\lambda^2 \frac{W^2}{(w_i w_j)^2}\big((W - 1)^2 + \sigma^2\big) "
            r"\text{ at any rate } \lambda, \quad \text{but at that of Theorem 5.1 and } W = 1: \ "
            r"1 - E(k) = \frac{\sigma^2}{\delta^2 (1 + \delta)^2 (w_i w_j)^2 \big(\sum 1/w_l^2\big)^2}"
        ),
        source=source("section 5, after Theorem 5.1"),
        kind="amended",
        amends="ginsburg.large-batch-sharp",
        reading=(
            "k is the factor of every w_i^2 - w_j^2 (ginsburg.sgd-imbalance-step). Part 1: at a fixed rate the "
            "decrease is proportional to lambda^2 sigma^2 at W = 1, and elsewhere has a part that no batch size "
            "changes. Part 2: with the theorem's rate, noise of the same shape (sigma proportional to delta) decreases "
            "the imbalance by less the larger it is: the factor is 1/(1 + delta)^2."
        ),
        parts=(
            Part(
                {**_NOISE, "lam": "real"},
                ("Mean(k) == 1 - 4*lam**2*W**2/(w[i]*w[j])**2*((W - 1)**2 + s2)",),
                _AT_RATE,
                ("Mean(eta) == 0",),
                tactics=(identity(a0_0="-8*lam**2*(W - 1)*W**2/(w[i]*w[j])**2"),),
                sample=_at(lam=(0, 2)),
            ),
            Part(
                _MIXED,
                ("r1*delta**2*(1 + delta)**2*S**2*(w[i]*w[j])**2 == s2", "r2*(1 + q*delta)**2 == r1*(1 + delta)**2"),
                (*_TWO_NOISES, ("s2", "Mean(eta**2)")),
                (*_AT_MINIMUM, "0 < q"),
                tactics=(
                    identity(a0_0="2*W**2*(W - 1)", a1_0="W**2*(W - 1) + (W + 1)*s2"),
                    identity(
                        a0_0="2*W**2*(W - 1)*(1/q - 1)/(delta*S*w[i]*w[j])**2",
                        a1_0="W**2*(W - 1)*(1/q**2 - 1)/(delta*S*w[i]*w[j])**2",
                    ),
                ),
                sample=_at(Fraction(1), delta=(0, 1), q=(0, 1)),
            ),
        ),
        mutants=(
            Mutant("half the variance", replace=(("+ s2)", "+ s2/2)"),)),
            Mutant("proportional to the variance everywhere", replace=(("((W - 1)**2 + s2)", "s2"),)),
            Mutant(
                "noise with a mean",
                drop=0,
                sample=lambda rng, depth, level: {
                    **_at(lam=(0, 2))(rng, depth, level),
                    "w": [Fraction(2)] * depth,
                    "eta": [Fraction(1), Fraction(0)],
                },
            ),
            Mutant("as fast", part=1, replace=(("r2*(1 + q*delta)**2 == r1*(1 + delta)**2", "r2 == r1"),)),
        ),
        search_depths=(2, 3),
    ),
    Claim(
        id="ginsburg.sgd-imbalance-to-zero",
        title="SGD noise makes the imbalance vanish",
        statement=(
            r"\text{SGD works as implicit noise regularization, and the layer imbalance converges to } 0: \quad "
            r"E(k) \le 1 - 4(1 - \delta)^2 \frac{\lambda^2\sigma^2}{C^4},\ |w_i| < C,\ W > 1 - \delta, "
            r"\quad \lambda = \frac{1}{2(1 + \delta)^2\sum 1/w_i^2}"
        ),
        source=source("section 5, before its first display and after Theorem 5.1"),
        kind="printed",
        reading=(
            "At the rate of ginsburg.thm-5.1-along-trajectory.amended, which keeps |W - 1| < delta, and for noise that "
            "given the past has mean 0 and a variance of at least some sigma^2 > 0. (With the theorem's own rate the "
            "imbalance can grow.) The bound on one step is for any rate."
        ),
        argument=(
            "Let |W - 1| < delta at the start; it remains so and no |D_ij| grows, so with m = min w_i^2 <= W^(2/d) < 4 "
            "all w_i^2 <= m + D(0) are bounded, by some C^2. W^2/w_i^2, a product of d - 1 squares, is below "
            "C^(2(d-1)), so sum 1/w_i^2 < d C^(2(d-1))/(1 - delta)^2 and lambda is bounded from below. Part 1 then "
            "gives E(k) <= 1 - epsilon at every step, whatever came before, and as 0 < k the mean of |D_ij| falls at "
            "least as (1 - epsilon)^t; being monotone, D itself tends to 0 almost surely."
        ),
        parts=(
            Part(
                {**_NOISE, "delta": "real", "C": "real", "lam": "real"},
                ("Mean(k) <= 1 - 4*(1 - delta)**2*lam**2*s2/C**4",),
                _AT_RATE,
                _DECAY_ASSUME,
                tactics=(_DECAY,),
                sample=_decaying,
            ),
        ),
        mutants=(
            Mutant("four times as fast", replace=(("1 - 4*(1 - delta)", "1 - 16*(1 - delta)"),)),
            Mutant("without the band's lower end", replace=(("4*(1 - delta)**2*", "4*"),)),
            Mutant(
                "unbounded weights",
                drop=4,
                sample=lambda rng, depth, level: {**_decaying(rng, depth, level), "C": Fraction(1, 8)},
            ),
        ),
        search_depths=(2, 3),
    ),
    Claim(
        id="ginsburg.sgd-band-width",
        title="The smaller the batch, the wider the SGD noise band",
        statement=(
            r"\text{The band width depends on } B: \text{ the smaller the batch, the wider the band}: \quad "
            r"\max_{|\bar B| = B + 1} |\eta| \le \max_{|\bar B| = B} |\eta|"
        ),
        source=source("section 5, the SGD noise band"),
        kind="printed",
        reading=(
            "The band (W - 1)(W - 1 + eta) <= 0 is between 1 and 1 - eta, so over all batches its width is that of the "
            "largest |eta|. It does not shrink when B does (weakly: there may be no noise at all). The variance has "
            "ginsburg.sgd-noise-variance."
        ),
        argument=(
            "eta is the mean over the batch of z_n = W x_n^2 - x_n y_n - (W - 1). The parts: if none of the batches of "
            "B out of the same B + 1 samples has |eta| > m, nor have all of these together, for B = 1, 2, 3; every "
            "sample is in B of B + 1 of them, at any B."
        ),
        parts=tuple(_wider(size) for size in (2, 3, 4)),
        mutants=(
            Mutant("wider by a tenth", part=1, replace=(("abs(Mean(z)) <= m", "abs(Mean(z)) <= 9/10*m"),)),
            Mutant("larger batches, wider", part=1, replace=(("abs(Mean(z)) <= m", "abs(Mean(z)) >= m"),)),
        ),
    ),
)

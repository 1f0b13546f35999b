"""Section 5: batches drawn without replacement, and the noise of the stochastic gradient."""

from __future__ import annotations

from random import Random
from typing import Any

from linreg_dyn.certify.find import identity
from linreg_dyn.claims import falsify
from linreg_dyn.claims.core import Claim, Mutant, Part, Sampler
from linreg_dyn.claims.ginsburg._net import LOSS, source
from linreg_dyn.claims.ginsburg.landscape import normalised_data

_BATCH = {"w": "layers", "x": "sample", "y": "sample"}


def _data(rng: Random, depth: int, level: int) -> dict[str, Any]:
    """Any three points: the gradient's form needs no normalisation."""
    return {name: [falsify.signed(rng, level) for _ in range(n)] for name, n in (("w", depth), ("x", 3), ("y", 3))}


def _any_data(n: int) -> Sampler:
    return lambda rng, depth, level: {
        **{name: [falsify.signed(rng, level) for _ in range(n)] for name in "xy"},
        "W": falsify.signed(rng, level),
    }


_NOISE_OF = (("z", "W*x**2 - x*y"),)
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
        _NOISE_OF,
        tactics=(identity(), identity()),
        sample=_any_data(n),
    )


def _proportional(n: int, b: int, c: int) -> Part:
    """The variances over all batches of two sizes out of n, for any data."""
    return Part(
        {"x": f"sample:{n}", "y": f"sample:{n}", "W": "real"},
        (f"({_VARIANCE.format(B=b)})*(1/{c} - 1/{n}) == ({_VARIANCE.format(B=c)})*(1/{b} - 1/{n})",),
        _NOISE_OF,
        tactics=(identity(),),
        sample=_any_data(n),
    )


_MOMENTS = "(B/N*P2 + B*(B - 1)/(N*(N - 1))*(P1**2 - P2))/B**2 - (P1/N)**2".replace("B", "{0}")
_COUNTING = (
    "A sample is in the batch with probability B/N and two samples together with B(B-1)/(N(N-1)) (counting batches). "
    "Part 1 is what results, in N, B, P1 = sum z_n and P2 = sum z_n^2; the checker expands all batches for N "
    "= 2, 3, 4."
)

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
                LOSS,
                tactics=(identity(), identity()),
                sample=_data,
            ),
        ),
        mutants=(
            Mutant("without the factor 2", replace=(("== 2*(W*Mean", "== (W*Mean"),)),
            Mutant(
                "the moments exchanged",
                replace=(("(W*Mean(x**2) - Mean(x*y))", "(W*Mean(x*y) - Mean(x**2))"),),
            ),
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
                {"x": "sample", "y": "sample"},
                ("Sum(x**2) == 1", "Sum(x*y) == 1"),
                assume=("Mean(x) == 0", "Mean(x**2) == 1", "Mean(y) == 0", "Mean(x*y) == 1"),
                sample=normalised_data,
            ),
        ),
        mutants=(
            Mutant("both are 0", replace=(("Sum(x**2) == 1", "Sum(x**2) == 0"),)),
            Mutant(
                "both are 2",
                replace=(("Sum(x**2) == 1", "Sum(x**2) == 2"), ("Sum(x*y) == 1", "Sum(x*y) == 2")),
            ),
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
        reading=(
            "Shown for the only batch of size N, out of N = 2, 3 and 4 points; it is the data set itself for every N."
        ),
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
                ("D(Mean((W*x - y)**2), w[i]) == 2*(W*(1 + e1) - (1 + e2))*W/w[i] == 2*(W - 1 + (W*e1 - e2))*W/w[i]",),
                (*LOSS, ("e1", "Mean(x**2) - 1"), ("e2", "Mean(x*y) - 1")),
                tactics=(identity(), identity()),
                sample=_data,
            ),
            *(
                Part(
                    {"x": f"sample:{n}", "y": f"sample:{n}"},
                    (
                        f"Mean(Batches(x**2, {b}) - Mean(x**2)) == 0",
                        f"Mean(Batches(x*y, {b}) - Mean(x*y)) == 0",
                    ),
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
        title="The variance of SGD noise is proportional to 1/B - 1/N",
        statement=(
            r"\text{We assume that SGD noise variance depends on batch size in the following way: } "
            r"\sigma^2 \approx \big(\tfrac1B - \tfrac1N\big)"
        ),
        source=source("section 5"),
        kind="printed",
        reading=(
            "An assumption, used as a proportionality: of the same data and W, the variances at two batch sizes B and "
            "C, drawn without replacement, are as 1/B - 1/N and 1/C - 1/N. No assumption is needed. The factor of "
            "proportionality is ginsburg.sgd-noise-factor."
        ),
        argument=_COUNTING,
        parts=(
            Part(
                {"N": "real", "B": "real", "C": "real", "P1": "real", "P2": "real"},
                (f"({_MOMENTS.format('B')})*(1/C - 1/N) == ({_MOMENTS.format('C')})*(1/B - 1/N)",),
                tactics=(identity(),),
            ),
            *(_proportional(n, b, c) for n, b, c in ((3, 1, 2), (4, 1, 2), (4, 1, 3), (4, 2, 3))),
        ),
        mutants=(
            Mutant("with replacement", replace=(("(1/C - 1/N)", "(1/C)"), ("(1/B - 1/N)", "(1/B)"))),
            Mutant("constant variance", part=1, replace=(("(1/2 - 1/3)", "(1/1 - 1/3)"),)),
        ),
        search_depths=(1,),
    ),
    Claim(
        id="ginsburg.sgd-noise-factor",
        title="The variance of SGD noise",
        statement=(
            r"\sigma^2 = \big(\tfrac1B - \tfrac1N\big) \tfrac{N}{N - 1} \mathrm{Var}_n(W x_n^2 - x_n y_n) "
            r"\quad \text{(batches of } B \text{ out of } N \text{ without replacement)}"
        ),
        source=source("section 5"),
        kind="sharp",
        reading=(
            "Part 1: every N and B. The other parts: all batches written out, for any data. The factor depends on the "
            "data and on W and can be of any size: with noise-free labels there is no SGD noise at the minimum (the "
            "last part)."
        ),
        argument=_COUNTING,
        parts=(
            Part(
                {"N": "real", "B": "real", "P1": "real", "P2": "real"},
                (f"{_MOMENTS.format('B')} == (1/B - 1/N)*N/(N - 1)*(P2/N - (P1/N)**2)",),
                tactics=(identity(),),
            ),
            *(_enumerated(n, b) for n, b in ((2, 1), (3, 1), (3, 2), (4, 1), (4, 2), (4, 3))),
            Part(
                {"x": "sample:4"},
                (f"{_VARIANCE.format(B=2)} == 0",),
                (("z", "x**2 - x*x"),),
                tactics=(identity(),),
                sample=lambda rng, depth, level: {"x": [falsify.signed(rng, level) for _ in range(4)]},
            ),
        ),
        mutants=(
            Mutant("with replacement", replace=(("(1/3 - 1/4)", "(1/3)"),), part=6),
            Mutant("without Bessel's factor", replace=(("*4/(4 - 1)", ""),), part=5),
            Mutant("constant variance", replace=(("(1/B - 1/N)", "(1/B)"),)),
        ),
        search_depths=(1,),
    ),
)

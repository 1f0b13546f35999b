"""Footnote 1: how long linear regression with L2 takes to converge, for its parameters and for what it fits.

theta' = -X^T (X theta - y) - lam theta, for two samples x1, x2 and any number P of parameters (P Mean(u v) = u.v).
"""

from __future__ import annotations

from fractions import Fraction
from random import Random
from typing import Any

from linreg_dyn.certify.find import by_hand, identity
from linreg_dyn.claims import falsify
from linreg_dyn.claims.core import Claim, Mutant, Part, Sampler
from linreg_dyn.claims.lewkowycz._paper import given, source


# ---------------------------------------------------------------- an eigenvector of X^T X + lam I, three parameters
def _eigenvector(rng: Random, depth: int, level: int) -> dict[str, Any]:
    """Orthogonal samples and the direction orthogonal to both, any of the three as e; star minimises the loss."""
    a, b, c = (falsify.signed(rng, level) for _ in range(3))
    x1, x2, null = [a, b, c], [b, -a, 0 * a], [a * c, b * c, -a * a - b * b]
    lam, values = abs(falsify.signed(rng, level)), [sum(z * z for z in x) for x in (x1, x2)]
    weights = [falsify.signed(rng, level) for _ in range(2)]
    out = {f"y{n}": w * (v + lam) for n, w, v in zip("12", weights, values, strict=True)}
    e, gamma = rng.choice(((x1, values[0] + lam), (x2, values[1] + lam), (null, lam)))
    star = [weights[0] * p + weights[1] * q for p, q in zip(x1, x2, strict=True)]
    theta = [falsify.signed(rng, level) for _ in range(3)]
    return {**out, "x1": x1, "x2": x2, "e": e, "theta": theta, "star": star, "lam": lam, "gamma": gamma}


DIRECTION = Part(
    given("vector:3", "x1", "x2", "theta", "star", "e") | given("real", "y1", "y2", "lam", "gamma"),
    ("Dt(Sum(e*(theta - star))) == -gamma*Sum(e*(theta - star))",),
    assume=(
        *(f"Sum(x1*e)*x1[{j}] + Sum(x2*e)*x2[{j}] + lam*e[{j}] == gamma*e[{j}]" for j in range(3)),
        *(f"(Sum(x1*star) - y1)*x1[{j}] + (Sum(x2*star) - y2)*x2[{j}] + lam*star[{j}] == 0" for j in range(3)),
    ),
    rates=(("theta", "-(Sum(x1*theta) - y1)*x1 - (Sum(x2*theta) - y2)*x2 - lam*theta"),),
    tactics=(
        identity(
            **{f"a{j}_0": f"-(theta[{j}] - star[{j}])" for j in range(3)},
            **{f"a{j + 3}_0": f"-e[{j}]" for j in range(3)},
        ),
    ),
    sample=_eigenvector,
)


# ---------------------------------------------------------------- a direction that no sample has, any number of them
def _null(free: bool = False) -> Sampler:
    """More parameters than samples and e orthogonal to both (unless `free`)."""

    def sample(rng: Random, depth: int, level: int) -> dict[str, Any]:
        size = rng.randint(3, 5)
        out: dict[str, Any] = {n: [falsify.signed(rng, level) for _ in range(size)] for n in ("x1", "x2", "theta", "e")}
        if not free:
            p, q = out["x1"], out["x2"]
            e = [p[1] * q[2] - p[2] * q[1], p[2] * q[0] - p[0] * q[2], p[0] * q[1] - p[1] * q[0]]
            out["e"] = e + [Fraction(0)] * (size - 3)
        return out | {n: falsify.signed(rng, level) for n in ("y1", "y2", "P", "lam", "shift")}

    return sample


REGRESSION = (
    ("f1", "P*Mean(x1*theta)"),
    ("f2", "P*Mean(x2*theta)"),
    ("rate", "-(f1 - y1)*x1 - (f2 - y2)*x2 - lam*theta"),
)
NULL = Part(
    given("sample", "x1", "x2", "theta", "e") | given("real", "y1", "y2", "P", "lam", "shift"),
    (
        "P*Mean(e*rate) == -lam*(P*Mean(e*theta))",
        "P*Mean(x1*(theta + shift*e)) == f1",
        "P*Mean(x2*(theta + shift*e)) == f2",
    ),
    REGRESSION,
    ("P*Mean(x1*e) == 0", "P*Mean(x2*e) == 0"),
    tactics=(identity(a0_0="-(f1 - y1)", a1_0="-(f2 - y2)"), identity(a0_0="shift"), identity(a1_0="shift")),
    sample=_null(),
)


def _fit(rng: Random, depth: int, level: int) -> dict[str, Any]:
    """A Gram matrix A A^T + least I, least being its smallest eigenvalue in many draws."""
    p, q, least, lam = (abs(falsify.signed(rng, level)) for _ in range(4))
    sign = rng.choice((0, 1, -1))
    K = {"K11": least + p * p, "K12": sign * p * q, "K22": least + q * q * sign * sign}
    g = {n: falsify.signed(rng, level) for n in ("g1", "g2")}
    g |= {"g1": q, "g2": -sign * p} if sign and rng.random() < 0.5 else {}
    return K | g | {"least": least, "lam": lam}


FIT = Part(
    given("real", "g1", "g2", "K11", "K12", "K22", "least", "lam"),
    ("Dt(g1**2 + g2**2) <= -2*(least + lam)*(g1**2 + g2**2)",),
    assume=("least*(g1**2 + g2**2) <= K11*g1**2 + 2*K12*g1*g2 + K22*g2**2",),
    rates=(("g1", "-K11*g1 - K12*g2 - lam*g1"), ("g2", "-K12*g1 - K22*g2 - lam*g2")),
    tactics=(by_hand(("2", "a0.0")),),
    sample=_fit,
)

CLAIMS = (
    Claim(
        id="lewkowycz.footnote-1",
        title="Linear regression with L2: the lowest eigenvalue is lambda, and the parameters take 1/lambda",
        statement=(
            r"K = X^T X + \lambda I: \quad \text{Optimization in each kernel eigendirection evolves as } "
            r"e^{-\gamma t}. \text{ When } \lambda > 0 \text{ and the model is overparameterized, the lowest "
            r"eigenvalue of the kernel will be typically close to } \lambda, \text{ and therefore the time to "
            r"convergence will be proportional to } \lambda^{-1}"
        ),
        source=source("section 1, footnote 1"),
        kind="printed",
        reading=(
            "Of the parameters, whose directions the eigenvectors of K are: along one, theta minus its limit evolves "
            "as e^{-gamma t} (part 1, three parameters, two samples); along a direction orthogonal to all samples, "
            "which there is if there are more parameters than samples, gamma is exactly lambda and the limit 0 (part "
            "2, any number of parameters). Parameters that start with such a component, as random ones do, take "
            "log(1/eps)/lambda. What they fit does not: lewkowycz.footnote-1.fit."
        ),
        argument="X^T X is semi-definite, so no eigenvalue is below lambda. More samples add terms like the two.",
        parts=(DIRECTION, NULL),
        mutants=(
            Mutant("twice the rate", replace=(("== -gamma*Sum", "== -2*gamma*Sum"),)),
            Mutant("without L2", replace=(("P*Mean(e*rate) == -lam*", "P*Mean(e*rate) == 0*"),), part=1),
            Mutant("along any direction", drop=0, part=1, sample=_null(free=True)),
        ),
    ),
    Claim(
        id="lewkowycz.footnote-1.fit",
        title="Linear regression with L2: the fit converges at the rate of the least eigenvalue of X X^T plus lambda",
        statement=(
            r"f = X\theta,\ f_* = \lim_{t \to \infty} f: \quad |f_t - f_*| \le e^{-(\gamma_{\min} + \lambda) t}\, "
            r"|f_0 - f_*|, \quad \gamma_{\min} \text{ the least eigenvalue of } X X^T"
        ),
        source=source("section 1, footnote 1, and section 1.1, Theoretical contribution"),
        kind="sharp",
        reading=(
            "For samples that are independent gamma_min > 0: the fit and the training loss converge in a time of at "
            "most log(1/eps)/gamma_min, however small lambda is, as the slow directions of the footnote have no part "
            "in the fit (lewkowycz.footnote-1, part 2). Nor have they in a prediction from theta = 0; from a random "
            "start one at x keeps e.x (e.theta_0) e^{-lambda t} of each. So among outputs only "
            "those off the training set know the time 1/lambda. An eigenvector of gamma_min attains the rate. g = f - "
            "f_*, two samples."
        ),
        argument="By Gronwall's inequality. f' = -X X^T (f - y) - lam f is linear. More samples add terms alike.",
        parts=(FIT, NULL),
        mutants=(
            Mutant("faster by lambda", replace=(("(least + lam)", "(least + 2*lam)"),)),
            Mutant("faster than the least eigenvalue", replace=(("(least + lam)", "(2*least + lam)"),)),
            Mutant("along any direction", drop=0, part=1, sample=_null(free=True)),
        ),
    ),
)

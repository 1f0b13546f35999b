"""The degrees that Theorem 2 leaves out: k = 1, a linear model, and k = 0, a network that no scale changes."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from linreg_dyn.certify.find import bounded_integral, by_hand, identity
from linreg_dyn.claims.core import Claim, Mutant, Part
from linreg_dyn.claims.lewkowycz._paper import given, numbers, source, then
from linreg_dyn.claims.lewkowycz.networks import Network

# ---------------------------------------------------------------- k = 1
LINEAR = numbers(t=(0, 3), gamma=(0, 3), lam=(0, 2), y=(-2, 2), f0=(-2, 2))
ONE_MODE = Part(
    given("real", "t", "gamma", "lam", "y", "f0"),
    ("Dt(f) == -gamma*(f - y) - lam*f", "start == f0"),
    (
        ("limit", "gamma/(gamma + lam)*y"),
        ("f", "limit + (f0 - limit)*exp(-(gamma + lam)*t)"),
        ("start", "limit + (f0 - limit)*exp(-(gamma + lam)*0)"),
    ),
    ("gamma >= 0", "lam > 0"),
    (("t", "1"),),
    (identity(), identity()),
    LINEAR,
)
TEST_POINT = Part(
    given("real", "t", "gamma", "lam", "c", "u", "d0"),
    ("Dt(d) == -c*u*exp(-(gamma + lam)*t) - lam*d",),
    (("d", "exp(-lam*t)*d0 + c*u/gamma*(exp(-(gamma + lam)*t) - exp(-lam*t))"),),
    ("gamma > 0", "lam > 0"),
    (("t", "1"),),
    (identity(),),
    numbers(t=(0, 3), gamma=(0, 3), lam=(0, 2), c=(-2, 2), u=(-2, 2), d0=(-2, 2)),
)


def _ridge(drawn: dict[str, Any], ridges: int = 1) -> dict[str, Any]:
    """A kernel A A^T at three points and one more, and labels that give rational coefficients."""
    rows = [[drawn[f"a{i}{j}"] for j in range(3)] for i in range(4)]
    kernel = [[sum((p * q for p, q in zip(a, b, strict=True)), Fraction(0)) for b in rows[:3]] for a in rows]
    coefficients, lam = [drawn[f"c{j}"] for j in range(3)], drawn["lam"]
    y = [
        sum((k * c for k, c in zip(row, coefficients, strict=True)), Fraction(0)) + ridges * lam * c
        for row, c in zip(kernel[:3], coefficients, strict=True)
    ]
    names = ("row0", "row1", "row2", "rowx")
    return {**dict(zip(names, kernel, strict=True)), "c": coefficients, "y": y, "lam": lam}


_PLACES = (*(f"a{i}{j}" for i in range(4) for j in range(3)), "c0", "c1", "c2")
_DRAWN = numbers(lam=(0, 2), **dict.fromkeys(_PLACES, (-2, 2)))
FIXED_POINT = Part(
    given("vector:3", "row0", "row1", "row2", "rowx", "c", "y") | given("real", "lam"),
    (
        *(f"-Sum(row{i}*(f - y)) - lam*f[{i}] == 0" for i in range(3)),
        "-Sum(rowx*(f - y)) - lam*Sum(rowx*c) == 0",
    ),
    (("f", "[Sum(row0*c), Sum(row1*c), Sum(row2*c)]"),),
    tuple(f"Sum(row{i}*c) + lam*c[{i}] == y[{i}]" for i in range(3)),
    tactics=tuple(
        identity(**{f"a{j}_0": f"-{row}[{j}]" for j in range(3)}) for row in ("row0", "row1", "row2", "rowx")
    ),
    sample=then(_DRAWN, _ridge),
)
_half_ridge = then(_DRAWN, lambda drawn: _ridge(drawn, 2))
# x - x^2/2 <= 1 - e^-x <= x for x >= 0, at x = 2 m lam t
_AREA = "Integral(exp(-s), s, 0, x)"
_BELOW = by_hand(("1", "tangent -s"))
DEGREE_TO_ONE = Part(
    given("real", "t", "gamma", "lam", "m"),
    ("-gamma*t <= (gamma*exp(-x) - gamma)/(2*m*lam) <= -gamma*t + gamma*m*lam*t**2",),
    (("x", "2*m*lam*t"),),
    ("t >= 0", "gamma >= 0", "lam > 0", "m > 0"),
    tactics=(
        by_hand(("1", "a1.0 * tangent -x"), multiplier=[("2", "a3.0 * a2.0")]),
        bounded_integral(
            _AREA,
            "<=",
            "-exp(-s)",
            identity(),
            bounded_integral(
                _AREA,
                ">=",
                "s - s**2/2",
                _BELOW,
                by_hand(("1", "a1.0 * up"), ("1", "a1.0 * area"), multiplier=[("2", "a3.0 * a2.0")]),
                ordered=by_hand(("2", "a3.0 * a2.0 * a0.0")),
                name="up",
            ),
            ordered=by_hand(("2", "a3.0 * a2.0 * a0.0")),
            name="area",
        ),
    ),
    sample=numbers(t=(0, 2), gamma=(0, 3), lam=(0, 2), m=(0, 2)),
)

# ---------------------------------------------------------------- k = 0
CLOCK = Part(
    given("real", "t", "gamma", "lam", "y", "f0"),
    ("Dt(tau) == exp(2*lam*t)", "Dt(f) == -exp(2*lam*t)*gamma*(f - y) - 0*lam*f"),
    (("tau", "(exp(2*lam*t) - 1)/(2*lam)"), ("f", "y + (f0 - y)*exp(-gamma*tau)")),
    ("lam > 0",),
    (("t", "1"),),
    (identity(), identity()),
    numbers(t=(0, 1), gamma=(0, 3), lam=(0, 1), y=(-2, 2), f0=(-2, 2)),
)
SCALE_FREE = Network(0, 3, 2, "{p}[1]*({p}[0]*{x}[0] + {p}[2]*{x}[1])/{p}[0]**2")
NORM = Part(
    {**SCALE_FREE.given("x", "z"), **given("real", "r1", "r2", "lam")},
    (
        "Dt(Sum(theta**2)) == -2*lam*Sum(theta**2)",
        "Sum(theta*D(D(f1, theta[0]), theta)) == -D(f1, theta[0])",
    ),
    (("f1", SCALE_FREE.at(x="x")), ("f2", SCALE_FREE.at(x="z"))),
    rates=(("theta", "-r1*D(f1, theta) - r2*D(f2, theta) - lam*theta"),),
    tactics=(identity(), identity()),
)
STEPS = Part(
    given("real", "x", "z"),
    ("exp(x)*(1 - x) <= 1", "1 + z <= exp(z)"),
    assume=("0 < x", "x < 1"),
    tactics=(by_hand(("1", "exp x * tangent -x")), by_hand(("1", "tangent z"))),
    sample=numbers(x=(0, 1), z=(0, 3)),
)

CLAIMS = (
    Claim(
        id="lewkowycz.k1-ridge",
        title="k = 1: the late-time solution is kernel ridge regression",
        statement=(
            r"k = 1: \quad f_t(x) \to f_*(x) = \Theta(x, X)\, (\Theta + \lambda I)^{-1}(X, X)\, Y \quad "
            r"(t \to \infty)"
        ),
        source=source("section 4, Generalization of wide networks with L2"),
        kind="printed",
        reading=(
            "Eq. 1 with k = 1 and MSE loss, a semi-definite kernel, lambda > 0. A mode is f* + (f0 - f*) "
            "e^{-(gamma + lambda) t} with f* = gamma y/(gamma + lambda) (part 1); off the training set the distance d "
            "from f* obeys d' = - sum c u e^{-(gamma + lambda) t} - lambda d and decays (part 2, one mode u of it); "
            "f* is the fixed point on and off the training set (part 3, three samples). Eq. 3 itself divides by "
            "zero at k = 1; its exponent has the limit - gamma t, off by at most gamma (k - 1) lambda t^2 (part 4)."
        ),
        argument=(
            "In part 3 c = (Theta + lambda I)^{-1} y. All exponents in parts 1 and 2 are negative, so f tends to f*; "
            "where gamma = 0 a semi-definite kernel has c = 0. More samples add terms like those of the three."
        ),
        parts=(ONE_MODE, TEST_POINT, FIXED_POINT, DEGREE_TO_ONE),
        mutants=(
            Mutant("no ridge", replace=(("/(gamma + lam)*y", "/gamma*y"),)),
            Mutant("twice the ridge", replace=(("+ lam*c[", "+ 2*lam*c["),), part=2, sample=_half_ridge),
            Mutant("the decay of the kernel alone", replace=(("(gamma + lam)*t) - exp", "gamma*t) - exp"),), part=1),
            Mutant("a smaller difference", replace=(("gamma*m*lam*t**2", "gamma*m*lam*t**2/2"),), part=3),
        ),
    ),
    Claim(
        id="lewkowycz.k0-effective-lr",
        title="k = 0: L2 is an exponentially growing learning rate",
        statement=(
            r"k = 0: \quad \text{training with an } L_2 \text{ term is equivalent to training with an exponentially "
            r"increasing learning rate, } \eta_{\text{eff}} = \eta\, e^{2 \eta \lambda t} "
            r"\text{ (at small learning rates)}"
        ),
        source=source("section 1, Related works; section 4, after Theorem 1"),
        kind="printed",
        reading=(
            "Eq. 1 with k = 0 is the flow without L2 in the time tau, d tau/dt = e^{2 lambda t} (part 1, solved for "
            "MSE); time is eta times the step: e^{2 eta lambda t} for t in steps. At any width the squared "
            "norm of scale-free parameters is e^{-2 lambda t} and gradients have degree -1 (part 2, "
            "f = p1 (p0 x0 + p2 x1)/p0^2). In steps x = eta lambda: a step shrinks the norm by 1 - x, and 1/(1 - x) "
            "lies between e^x and e^{x/(1 - x)} (part 3, z = x/(1 - x)), so that the exponent is right to order x^2."
        ),
        argument=(
            "Any solution h of dh/dtau = - Theta_0 l'(h) gives f(t) = h(tau(t)) by the chain rule, whatever the loss. "
            "On the sphere of directions a gradient of degree -1 acts with the rate over the squared norm."
        ),
        parts=(CLOCK, NORM, STEPS),
        mutants=(
            Mutant("half the exponent", replace=(("exp(2*lam*t)*gamma", "exp(lam*t)*gamma"),)),
            Mutant("a decreasing rate", replace=(("== exp(2*lam*t)", "== exp(-2*lam*t)"),)),
            Mutant("the norm decays half as fast", replace=(("-2*lam*Sum", "-lam*Sum"),), part=1),
            Mutant("a smaller step factor", replace=(("(1 - x) <= 1", "(1 - x/2) <= 1"),), part=2),
        ),
    ),
)

"""Theorem 2: the solution of a mode, its decay to zero, and the same in matrix form."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from linreg_dyn.certify.find import Tactic, bounded_integral, by_hand, have, identity, split
from linreg_dyn.claims.core import Claim, Mutant, Part
from linreg_dyn.claims.lewkowycz._bounds import COMPARISON, LEARNS
from linreg_dyn.claims.lewkowycz._paper import INTEGRAND, MODE, given, numbers, solution, source, then

GIVEN = given("real", "t", "gamma", "lam", "m", "y", "f0")
DRAWN = {"t": (0, 2), "gamma": (0, 3), "lam": (0, 2), "y": (-2, 2), "f0": (-2, 2)}
ANY, HIGH, LOW = (numbers(**DRAWN, m=span) for span in ((-1, 3), (1, 4), (0, 1)))
FLOW = "Dt(f) == -gt*(f - y) - k*lam*f"
TIME = (("t", "1"),)


# ---------------------------------------------------------------- eq. 3
def _theorem_2(assume: tuple[str, ...], sample: Any) -> tuple[Part, ...]:
    return (
        Part(
            GIVEN,
            ("Dt(gt) == -2*(k - 1)*lam*gt", FLOW),
            (*MODE, ("f", solution())),
            assume,
            TIME,
            (identity(), identity()),
            sample,
        ),
        Part(GIVEN, ("f == f0",), (*MODE, ("f", solution("0"))), assume, tactics=(identity(),), sample=sample),
    )


def _eigenvector(drawn: dict[str, Any]) -> dict[str, Any]:
    """A kernel gamma e e^T/e^2 + u w w^T/w^2 + v z z^T/z^2 of three orthogonal vectors, at random f and y."""
    a, b, c = (drawn[n] for n in "abc")
    e, w, z = (a, b, c), (b, -a, 0 * a), (a * c, b * c, -a * a - b * b)
    pairs = [(drawn[n], x, sum(s * s for s in x)) for n, x in (("gamma", e), ("u", w), ("v", z))]
    kernel = {
        f"row{i}": [sum((value * x[i] * x[j] / n for value, x, n in pairs), start=0 * a) for j in range(3)]
        for i in range(3)
    }
    vectors = {name: [drawn[f"{name}{j}"] for j in range(3)] for name in ("f", "y")}
    return {**kernel, **vectors, "e": list(e), **{n: drawn[n] for n in ("gamma", "lam", "k", "E")}}


_ENTRIES = {f"{name}{j}": (-2, 2) for name in ("f", "y") for j in range(3)}
_POSITIVE = dict.fromkeys(("a", "b", "c", "u", "v", "gamma", "lam", "k", "E"), (0, 3))
PROJECTION = Part(
    {
        **given("vector:3", "row0", "row1", "row2", "e", "f", "y"),
        **given("real", "gamma", "lam", "k", "E"),
    },
    ("Dt(Sum(e*f)) == -E*gamma*(Sum(e*f) - Sum(e*y)) - k*lam*Sum(e*f)",),
    assume=tuple(f"e[0]*row0[{j}] + e[1]*row1[{j}] + e[2]*row2[{j}] == gamma*e[{j}]" for j in range(3)),
    rates=(("f", "[" + ", ".join(f"-E*Sum(row{i}*(f - y)) - k*lam*f[{i}]" for i in range(3)) + "]"),),
    tactics=(identity(**{f"a{j}_0": f"-E*(f[{j}] - y[{j}])" for j in range(3)}),),
    sample=then(numbers(**_ENTRIES, **_POSITIVE), _eigenvector),
)


# ---------------------------------------------------------------- S9
B = "gt/(2*m*lam)-k*lam*t"  # exponents, in the order of S9
A = f"{B}-gamma/(2*m*lam)"
INTEGRAL = f"Integral({INTEGRAND}, s, 0, t)"
RISE = "gamma*exp(-2*m*lam*s)/(2*m*lam)"
DECAY = (*MODE, ("f", solution()))
ASSUME = ("t >= 0", "gamma >= 0", "lam > 0")  # then the degree, a3.0


def _bounded(then: Tactic, top: str, below: Tactic) -> Tactic:
    """0 <= integral (hypothesis low) and integral <= top * t (high), top being constant in s."""
    start, zero = by_hand(("1", "a0.0")), by_hand(("1", f"exp -{RISE}-(k-2)*lam*s"))
    then = bounded_integral(INTEGRAL, "<=", f"({top})*s", below, then, ordered=start, name="high")
    return bounded_integral(INTEGRAL, ">=", "0", zero, then, ordered=start, name="low")


def _by_signs(side: int) -> Tactic:
    """bound -+ f = A (|f0| -+ f0) + B (|gamma y| top t -+ gamma y J), by the signs of f0 and gamma y."""

    def leaf(sign_f0: int, sign_y: int) -> Tactic:
        terms = [("1", f"exp {B} * sy * high")]
        if sign_f0 * side < 0:
            terms.append(("2", f"exp {A} * sf"))
        if sign_y * side < 0:
            terms.append(("2", f"exp {B} * sy * low"))
        return by_hand(*terms)

    cases = [split("gamma*y", leaf(sign, 1), leaf(sign, -1), name="sy") for sign in (1, -1)]
    return split("f0", *cases, name="sf")


def _bound(side: int, top: str, below: Tactic, m_lam: Sequence[tuple[str, str]]) -> Tactic:
    """One side of a bound on |f|; `m_lam` writes m lam as a sum of products of hypotheses."""
    unit = by_hand(("1/2", ""), multiplier=m_lam)
    return have("1/(2*m*lam) > 0", unit, _bounded(_by_signs(side), top, below), name="unit")


HIGH_DEGREE = {  # k >= 2, hypothesis a3.0
    "top": "1",
    "m_lam": [("1", "a3.0 * a2.0"), ("1", "a2.0")],
    "below": by_hand(  # 1 - e^-w = e^-w (e^w - 1 - w) + w e^-w, w = gamma e^{-2 m lam s}/(2 m lam) + (m - 1) lam s
        ("1", f"exp -{RISE}-(k-2)*lam*s * tangent {RISE}+(k-2)*lam*s"),
        ("1", f"exp -{RISE}-(k-2)*lam*s * a1.0 * exp -2*m*lam*s * unit"),
        ("1", f"exp -{RISE}-(k-2)*lam*s * a3.0 * a2.0 * s-"),
    ),
}
LOW_DEGREE = {  # 1 < k <= 2, hypotheses a3.0 and a4.0
    "top": "exp((2 - k)*lam*t)",
    "m_lam": [("1", "a3.0 * a2.0")],
    "below": by_hand(  # the same with w = gamma e^{-2 m lam s}/(2 m lam) + (1 - m) lam (t - s)
        ("1", f"exp -{RISE}-(k-2)*lam*s * tangent {RISE}+(2-k)*lam*(t-s)"),
        ("1", f"exp -{RISE}-(k-2)*lam*s * a1.0 * exp -2*m*lam*s * unit"),
        ("1", f"exp -{RISE}-(k-2)*lam*s * a4.0 * a2.0 * s+"),
    ),
}
BOUND = "exp(-k*lam*t)*(exp((gt - gamma)/(2*m*lam))*abs(f0) + abs(gamma*y)*exp(gt/(2*m*lam))*t)"
ENVELOPE = Part(
    {"x": "real"},
    ("x*exp(-x) <= 1", "x**2*exp(-x) <= 4", "exp(-x) <= 1"),
    assume=("x >= 0",),
    tactics=(
        by_hand(("1", "exp -x"), ("1", "exp -x * tangent x")),
        # 4 - x^2 e^-x = e^-x (2 e^{x/2} - x)(2 e^{x/2} + x), and 2 e^{x/2} - x = 2 (e^{x/2} - 1 - x/2) + 2
        by_hand(
            ("4", "exp -x * tangent x/2 * exp x/2"),
            ("4", "exp -x * exp x/2"),
            ("2", "exp -x * tangent x/2 * a0.0"),
            ("2", "exp -x * a0.0"),
        ),
        by_hand(("1", "exp -x * tangent x"), ("1", "exp -x * a0.0")),
    ),
    sample=numbers(x=(0, 9)),
)

S9 = Part(
    GIVEN,
    (f"abs(f) <= {BOUND}",),
    DECAY,
    (*ASSUME, "m >= 1"),
    tactics=(_bound(1, **HIGH_DEGREE), _bound(-1, **HIGH_DEGREE)),
    sample=HIGH,
)
SLOW = "exp(-k*lam*t + (gt - gamma)/(2*m*lam))*abs(f0) + abs(gamma*y)*exp(gt/(2*m*lam))*t*exp(-2*(k - 1)*lam*t)"


# ---------------------------------------------------------------- S10
def _s10_part() -> Part:
    gs = "gamma*exp(-2*m*lam*s)"
    s10 = (
        "exp(-k*lam*t)*(exp((gt - gamma)/(2*(k - 1)*lam))*f0 + "
        f"Integral(exp(-(k - 2)*lam*s)*exp((gt - {gs})/(2*(k - 1)*lam))*gamma*y, s, 0, t))"
    )
    where = (*MODE, ("f", s10), ("eq3", solution()))
    return Part(GIVEN, ("f == eq3", FLOW), where, rates=TIME, tactics=(identity(), identity()), sample=ANY)


CLAIMS = (
    Claim(
        id="lewkowycz.thm-2",
        title="Theorem 2: each mode under MSE loss",
        statement=(
            r"k \ge 2: \quad f_a(x; t) = e^{\frac{\gamma_a(t)}{2(k-1)\lambda} - k\lambda t} \Big( "
            r"e^{-\frac{\gamma_a}{2(k-1)\lambda}} f_a(x; 0) + \gamma_a y_a \int_0^t dt' \exp\Big["
            r"-\frac{\gamma_a(t')}{2(k-1)\lambda} - (k-2)\lambda t' \Big] \Big), \quad "
            r"\gamma_a(t) = \gamma_a e^{-2(k-1)\lambda t}"
        ),
        source=source("Theorem 2, eq. 3"),
        kind="printed",
        reading=(
            "The printed function solves the mode of eq. 1 (part 1) and starts where it should (part 2); projecting "
            "eq. 1 on an eigenvector gives the equation of its mode alone (part 3, three samples). At k = 1 the "
            "formula divides by zero, although Fig. 5b plots it there: see lewkowycz.k1-ridge."
        ),
        argument=(
            "A linear differential equation with continuous coefficients has one solution from each start. By eq. 2 "
            "the kernel only shrinks, so its eigenvectors stay; more samples add terms like those of the three."
        ),
        parts=(*_theorem_2(("m >= 1", "lam > 0"), HIGH), PROJECTION),
        mutants=(
            Mutant("another power in the integral", replace=(("(k - 2)*lam*s", "k*lam*s"),)),
            Mutant("decay at rate lambda", replace=(("- k*lam*t)", "- lam*t)"),)),
            Mutant("a kernel that decays k times", replace=(("exp(-2*m*lam*t)", "exp(-2*k*lam*t)"),)),
            Mutant("another start", replace=(("== f0", "== f0 + y"),), part=1),
            Mutant("without the decay of the function", replace=((" - k*lam*Sum", " - lam*Sum"),), part=2),
        ),
    ),
    Claim(
        id="lewkowycz.thm-2.any-degree",
        title="Eq. 3 at every degree but one",
        statement=(
            r"k \ne 1,\ \lambda \ne 0: \quad \text{eq. 3 solves the mode of eq. 1, for } k \text{ real, } "
            r"\gamma_a, f_a, y_a \text{ of any sign}"
        ),
        source=source("Theorem 2, eq. 3"),
        kind="sharp",
        argument="As in lewkowycz.thm-2; the assumption k >= 2 serves only the bound S9.",
        parts=_theorem_2((), ANY),
        mutants=(
            Mutant("another power in the integral", replace=(("(k - 2)*lam*s", "(k - 1)*lam*s"),)),
            Mutant("half the exponent", replace=(("/(2*m*lam) - k*lam*t", "/(4*m*lam) - k*lam*t"),)),
        ),
    ),
    Claim(
        id="lewkowycz.thm-2-decay",
        title="A mode decays to zero, with the bound S9",
        statement=(
            r"k \ge 2: \quad |f_a(x; t)| \le e^{-k\lambda t}\Big[ e^{\frac{\gamma_a(t) - \gamma_a}{2(k-1)\lambda}} "
            r"|f_a(x; 0)| + |\gamma_a y|\, e^{\frac{\gamma_a(t)}{2(k-1)\lambda}} \int_0^t dt' \Big], \quad "
            r"\lim_{t \to \infty} |f_a(x; t)| = 0"
        ),
        source=source("Theorem 2, eq. S9"),
        kind="printed",
        reading="For gamma >= 0 (a kernel is semi-definite), lambda > 0 and t >= 0; f_a(x; t) is the printed eq. 3.",
        argument=(
            "The bound is at most e^{-x} |f(0)| + |y| gamma e^{gamma/(2 (k - 1) lambda)} x e^{-x} / (k lambda) with "
            "x = k lambda t, and x e^{-x} <= 4/x (part 2): it vanishes as t grows."
        ),
        parts=(S9, ENVELOPE),
        mutants=(
            Mutant("half the second term", replace=(("abs(gamma*y)*", "abs(gamma*y)/2*"),)),
            Mutant("twice the rate", replace=(("exp(-k*lam*t)*(", "exp(-2*k*lam*t)*("),)),
            Mutant("without the labels", replace=((" + abs(gamma*y)", " + 0*abs(gamma*y)"),)),
            Mutant("faster than exp", replace=(("exp(-x) <= 4", "exp(-x) <= 1/2"),), part=1),
        ),
    ),
    Claim(
        id="lewkowycz.thm-2-decay.any-degree",
        title="A mode decays to zero at every degree above one, below two as its kernel does",
        statement=(
            r"\gamma_a, t \ge 0,\ \lambda > 0: \quad 1 < k \le 2: \ |f_a(t)| \le "
            r"e^{-k\lambda t + \frac{\gamma_a(t) - \gamma_a}{2(k-1)\lambda}} |f_a(0)| + |\gamma_a y_a|\, "
            r"e^{\frac{\gamma_a(t)}{2(k-1)\lambda}}\, t\, e^{-2(k-1)\lambda t}; \quad k > 1,\ "
            r"f_a(0) = 0,\ y_a = 1: \quad f_a(t) \ge \frac{\gamma_a(t)}{\gamma_a(t) + k\lambda} \big(1 - "
            r"e^{-(\gamma_a(t) + k\lambda) t}\big)"
        ),
        source=source("Theorem 2, eq. S9"),
        kind="sharp",
        reading=(
            "With S9 for k >= 2, f tends to zero for every k > 1; at k = 1 it does not (lewkowycz.k1-ridge). From "
            "below (part 2) a mode that starts at zero keeps a share of gamma_a(t)/(k lambda): below k = 2 that falls "
            "more slowly than e^{-k lambda t}, and the bound of part 1 has the right exponent."
        ),
        argument=COMPARISON + " For the lower bound at a time T take G = gamma_T, which is at most gamma_t before.",
        parts=(
            Part(
                GIVEN,
                (f"abs(f) <= {SLOW}",),
                DECAY,
                (*ASSUME, "m > 0", "m <= 1"),
                tactics=(_bound(1, **LOW_DEGREE), _bound(-1, **LOW_DEGREE)),
                sample=LOW,
            ),
            LEARNS,
        ),
        mutants=(
            Mutant("the rate k lambda", replace=(("exp(-2*(k - 1)*lam*t)", "exp(-k*lam*t)"),)),
            Mutant("a quarter of the second term", replace=(("abs(gamma*y)*", "abs(gamma*y)/4*"),)),
            Mutant("more is kept", replace=(("G/(G + k*lam)*(1", "2*G/(G + k*lam)*(1"),), part=1),
        ),
    ),
    Claim(
        id="lewkowycz.kernel-matrix-solution",
        title="The solution in matrix form",
        statement=(
            r"f_t(x) = e^{-k\lambda t}\Big( \sum_{x'} \exp\Big[\frac{\Theta_t - \Theta_0}{2(k-1)\lambda}\Big](x, x') "
            r"f_0(x') + \sum_{x', x''} \int_0^t dt' e^{-(k-2)\lambda t'} "
            r"\exp\Big[\frac{\Theta_t - \Theta_{t'}}{2(k-1)\lambda}\Big](x, x')\, \Theta_0(x', x'')\, y(x'') \Big)"
        ),
        source=source("eq. S10"),
        kind="printed",
        reading="On an eigenvector of the kernel: S10 is eq. 3, power by power, and solves eq. 1.",
        argument=(
            "Theta_t is a multiple of Theta_0 at every t, so all matrices in S10 have the eigenvectors of Theta_0 and "
            "a matrix exponential acts on each as the exponential of its eigenvalue."
        ),
        parts=(_s10_part(),),
        mutants=(
            Mutant("e^{-k lambda t'} in the integral", replace=(("-(k - 2)*lam*s)*exp", "-k*lam*s)*exp"),)),
            Mutant("the kernel at 0 for the one at t'", replace=(("(gt - gamma*exp(-2*m*lam*s))", "(gt - gamma)"),)),
            Mutant("without the kernel before the labels", replace=(("*gamma*y, s, 0, t)", "*y, s, 0, t)"),)),
        ),
    ),
)

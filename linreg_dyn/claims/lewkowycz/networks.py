"""Lemma 1, and the exact flow of the function and the kernel at finite width (eqs. S4 to S6).

Networks are polynomials in the entries of `theta`; the general statements are about any number of parameters, with
the derivatives of the network as given vectors that lemma 1 constrains.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from random import Random
from typing import Any

from linreg_dyn.certify.find import identity
from linreg_dyn.claims import falsify
from linreg_dyn.claims.core import Claim, Mutant, Part
from linreg_dyn.claims.lewkowycz._paper import given, source


# ---------------------------------------------------------------- networks
@dataclass(frozen=True)
class Network:
    """A network written out: its function of `{p}[0]`, `{p}[1]`, ... and an input `{x}[0]`, ..., and its degree."""

    degree: int
    parameters: int
    inputs: int
    function: str
    gates: int = 0

    def at(self, parameters: str = "theta", x: str = "x") -> str:
        """The function at parameters and an input of these names; the gates of a ReLU go with the input."""
        return self.function.replace("{p}", parameters).replace("{x}", x).replace("{g}", f"g{x}")

    def given(self, *inputs: str) -> dict[str, str]:
        """Names and kinds of the parameters, the inputs and their gates."""
        out = {"theta": f"vector:{self.parameters}"} | dict.fromkeys(inputs, f"vector:{self.inputs}")
        return out | ({f"g{x}": f"vector:{self.gates}" for x in inputs} if self.gates else {})


def deep(widths: tuple[int, ...], activation: str = "linear") -> Network:
    """Fully connected layers of these widths, input first, one output; `square` or `gated` (ReLU) hidden units."""
    units = [f"{{x}}[{j}]" for j in range(widths[0])]
    used = gates = 0
    for number, width in enumerate(widths[1:]):
        hidden = number < len(widths) - 2
        layer = []
        for _ in range(width):
            total = " + ".join(f"{{p}}[{used + j}]*({u})" for j, u in enumerate(units))
            used += len(units)
            if hidden and activation == "square":
                total = f"({total})**2"
            elif hidden and activation == "gated":
                total = f"{{g}}[{gates}]*({total})"
                gates += 1
            layer.append(total)
        units = layer
    degree = 3 if activation == "square" else len(widths) - 1  # square: two layers only
    return Network(degree, used, widths[0], units[0], gates)


NORMALISED = Network(1, 3, 2, "{p}[2]*({p}[0]*{x}[0] + {p}[1]*{x}[1])**2/({p}[0]**2 + {p}[1]**2)")
NETWORKS = {
    "one linear layer": deep((3, 1)),
    "two linear layers of width 2": deep((2, 2, 1)),
    "three linear layers of width 2": deep((1, 2, 2, 1)),
    "three linear layers of width 1": deep((2, 1, 1, 1)),
    "five linear layers of width 1": deep((1, 1, 1, 1, 1, 1)),
    "two layers, quadratic activation": deep((2, 2, 1), "square"),
    "two ReLU layers, any fixed pattern": deep((2, 2, 1), "gated"),
    "three ReLU layers, any fixed pattern": deep((1, 2, 2, 1), "gated"),
    "a normalised first layer": NORMALISED,
}


# ---------------------------------------------------------------- Lemma 1
def _lemma_part(net: Network) -> Part:
    """Homogeneity itself, then Lemma 1 for m = 0, for m = 1 at every nu, and for m = 2 at some pairs."""
    n, last = net.parameters, net.parameters - 1
    scaled = [f"(a*theta[{j}])" for j in range(n)]
    function = net.function
    for j in range(n):
        function = function.replace(f"{{p}}[{j}]", scaled[j])
    stretched = function.replace("{x}", "x").replace("{g}", "gx")
    once = [f"Sum(theta*D(D(f, theta[{j}]), theta)) == (k - 1)*D(f, theta[{j}])" for j in range(n)]
    second = [f"D(D(f, theta[{i}]), theta[{j}])" for i, j in {(0, last), (0, 0), (last // 2, last)}]
    twice = [f"Sum(theta*D({h}, theta)) == (k - 2)*{h}" for h in sorted(second)]
    conclude = (f"{stretched} == a**{net.degree}*f", "Sum(theta*D(f, theta)) == k*f", *once, *twice)
    return Part(
        {**net.given("x"), "a": "real"},
        conclude,
        (("k", str(net.degree)), ("f", net.at())),
        tactics=tuple(identity() for _ in conclude),
    )


def _induction(rng: Random, depth: int, level: int) -> dict[str, Any]:
    theta, g, h = ([falsify.signed(rng, level) for _ in range(3)] for _ in range(3))
    q, F = falsify.signed(rng, level), falsify.signed(rng, level)
    h[0] = ((q - 1) * g[0] - theta[1] * h[1] - theta[2] * h[2]) / theta[0]
    return {"theta": theta, "g": g, "h": h, "q": q, "F": F}


INDUCTION = Part(
    {"theta": "vector:3", "g": "vector:3", "h": "vector:3", "F": "real", "q": "real"},
    ("Sum(theta*h) == (q - 1)*g[0]",),
    assume=("Dt(Sum(theta*g) - q*F) == 0",),
    rates=(("theta", "[1, 0, 0]"), ("g", "h"), ("F", "g[0]")),
    tactics=(identity(a0_0="1"),),
    sample=_induction,
)


# ---------------------------------------------------------------- the flow at finite width
TWO_POINTS = (
    ("g1", "D(f1, theta)"),
    ("g2", "D(f2, theta)"),
    ("K11", "Sum(g1*g1)"),
    ("K12", "Sum(g1*g2)"),
)
FLOW = (("theta", "-r1*D(f1, theta) - r2*D(f2, theta) - lam*theta"),)


def _net_at_two_points(net: Network) -> tuple[dict[str, str], tuple[tuple[str, str], ...]]:
    names = net.given("x", "z") | given("real", "r1", "r2", "lam")
    return names, (("k", str(net.degree)), ("f1", net.at(x="x")), ("f2", net.at(x="z")), *TWO_POINTS)


def _function_part(net: Network) -> Part:
    names, where = _net_at_two_points(net)
    conclude = ("Dt(f1) == -K11*r1 - K12*r2 - k*lam*f1",)
    return Part(names, conclude, where, rates=FLOW, tactics=(identity(),))


def _kernel_part(net: Network) -> Part:
    """S5 with T of S6 written as the sum over nu of (row nu of the Hessian, g(x')) g_nu(x'') l'(x'')."""
    names, where = _net_at_two_points(net)
    force = [f"(r1*g1[{j}] + r2*g2[{j}])" for j in range(net.parameters)]
    T = [
        " - ".join(["0", *(f"Sum(D({a}, theta[{j}])*{b})*{force[j]}" for j in range(net.parameters))])
        for a, b in (("g1", "g2"), ("g2", "g1"))
    ]
    conclude = ("Dt(K12) == -2*(k - 1)*lam*K12 + T12 + T21",)
    return Part(names, conclude, (*where, ("T12", T[0]), ("T21", T[1])), rates=FLOW, tactics=(identity(),))


_VECTORS = ("theta", "g1", "g2", "h11", "h12", "h21", "h22", "e1", "e2")
_REALS = ("P", "k", "lam", "f1", "r1", "r2")


def _any_network(rng: Random, depth: int, level: int) -> dict[str, Any]:
    """Three parameters; the products of Hessian and parameters as Lemma 1 demands."""
    out: dict[str, Any] = {n: [falsify.signed(rng, level) for _ in range(3)] for n in _VECTORS[:7]}
    out |= {n: falsify.signed(rng, level) for n in _REALS}
    for n in "12":
        out["e" + n] = [(out["k"] - 1) * x for x in out["g" + n]]
    mean = sum((a * b for a, b in zip(out["theta"], out["g1"], strict=True)), Fraction(0)) / 3
    out["f1"] = out["P"] * mean / out["k"]
    return out


GENERAL = Part(
    given("sample", *_VECTORS) | given("real", *_REALS),
    ("P*Mean(g1*v) == -K11*r1 - K12*r2 - k*lam*f1",),
    (
        ("v", "-r1*g1 - r2*g2 - lam*theta"),
        ("K11", "P*Mean(g1*g1)"),
        ("K12", "P*Mean(g1*g2)"),
        ("T12", "-P*Mean((r1*h11 + r2*h12)*g2)"),
        ("T21", "-P*Mean((r1*h21 + r2*h22)*g1)"),
        ("v1", "-r1*h11 - r2*h12 - lam*e1"),
        ("v2", "-r1*h21 - r2*h22 - lam*e2"),
    ),
    (
        "P*Mean(theta*g1) == k*f1",
        "P*Mean(e1*g2) == (k - 1)*P*Mean(g1*g2)",
        "P*Mean(e2*g1) == (k - 1)*P*Mean(g1*g2)",
    ),
    tactics=(identity(a0_0="-lam"),),
    sample=_any_network,
)
GENERAL_KERNEL = Part(
    GENERAL.given,
    ("P*Mean(v1*g2 + g1*v2) == -2*(k - 1)*lam*K12 + T12 + T21",),
    GENERAL.where,
    GENERAL.assume,
    tactics=(identity(a1_0="-lam", a2_0="-lam"),),
    sample=_any_network,
)
_FLOWING = ("two linear layers of width 2", "three linear layers of width 1", "two ReLU layers, any fixed pattern")

CLAIMS = (
    Claim(
        id="lewkowycz.lemma-1",
        title="Lemma 1: what contracting a derivative with the parameters does",
        statement=(
            r"f_{a\theta}(x) = a^k f_\theta(x) \;\Rightarrow\; "
            r"\sum_\mu \theta_\mu \partial_\mu \partial_{\nu_1} \cdots \partial_{\nu_m} f(x) "
            r"= (k - m)\, \partial_{\nu_1} \cdots \partial_{\nu_m} f(x)"
        ),
        source=source("Lemma 1, eqs. S1 and S2"),
        kind="printed",
        tries=5,
        reading=(
            "For networks written out in their parameters, each shown to be k-homogeneous: "
            + "; ".join(NETWORKS)
            + ". There m = 0, m = 1 for every parameter and m = 2 for some pairs, at every input. The last part is "
            "the step of the induction for any function. The second line of S2 as printed lacks a derivative "
            "by theta_mu in the term that it subtracts; the third line is right."
        ),
        argument=(
            "Induction over m. m = 0: differentiate f(a theta) = a^k f(theta) by a at a = 1. Step (last part, along "
            "theta_nu, with g the gradient of F, h its derivative along theta_nu, and q the degree of F = a "
            "derivative of order m - 1): the derivative along theta_nu of sum theta_mu g_mu = q F gives "
            "sum theta_mu h_mu = (q - 1) F_nu. Three parameters stand for any number: the others enter alike."
        ),
        parts=(*map(_lemma_part, NETWORKS.values()), INDUCTION),
        mutants=(
            Mutant("the degree does not fall", replace=(("(k - 1)", "k"),), part=1),
            Mutant("it falls twice as fast", replace=(("(k - 2)", "(k - 4)"),), part=2),
            Mutant("a ReLU network of one degree less", replace=(("== k*f", "== (k - 1)*f"),), part=6),
            Mutant("the induction without the step", replace=(("(q - 1)", "q"),), part=len(NETWORKS)),
        ),
    ),
    Claim(
        id="lewkowycz.thm-1-f",
        title="The flow of the network function, at any width",
        statement=(
            r"\frac{df_t(x)}{dt} = -\sum_{x' \in S} \Theta_t(x, x')\, \ell'(x') - k \lambda f_t(x), \quad "
            r"\ell' = d\ell/df"
        ),
        source=source("eq. S4, proof of Theorem 1"),
        kind="printed",
        tries=5,
        reading=(
            "Exact at finite width. Two training samples with l' = r1, r2, whatever the loss; first any network of "
            "any number P of parameters (vectors of open length, P Mean(u v) is their inner product), then networks "
            "written out: " + "; ".join(_FLOWING) + "."
        ),
        argument=(
            "More samples add terms like those of the two. At a point x outside the training set its own l' is zero."
        ),
        parts=(GENERAL, *(_function_part(NETWORKS[name]) for name in _FLOWING)),
        mutants=(
            Mutant("decay at rate lambda", replace=(("- k*lam*f1", "- lam*f1"),)),
            Mutant("decay at rate lambda, two linear layers", replace=(("- k*lam*f1", "- lam*f1"),), part=1),
            Mutant("the kernel without one sample", replace=(("- K12*r2", ""),)),
            Mutant(
                "not homogeneous",
                drop=0,
                sample=lambda rng, depth, level: {**_any_network(rng, depth, level), "f1": falsify.signed(rng, level)},
            ),
        ),
    ),
    Claim(
        id="lewkowycz.thm-1-kernel",
        title="The flow of the kernel, at any width",
        statement=(
            r"\frac{d\Theta_t(x, x')}{dt} = -2(k-1)\lambda \Theta_t(x, x') + T_t(x, x') + T_t(x', x), \quad "
            r"T_t(x, x') = -\sum_{x'' \in S} \partial_{\mu\nu} f_t(x)\, \partial_\mu f_t(x')\, \partial_\nu f_t(x'')\, "
            r"\ell'(x'')"
        ),
        source=source("eqs. S5 and S6, proof of Theorem 1"),
        kind="printed",
        tries=5,
        reading=(
            "Exact at finite width, T kept, for two training samples as in lewkowycz.thm-1-f; h12 is the Hessian at "
            "x times the gradient at x', e1 the Hessian times the parameters. That T is small: "
            "lewkowycz.thm-1-correction."
        ),
        argument="More samples add terms like those of the two; Lemma 1 with m = 1 is assumed in the general part.",
        parts=(GENERAL_KERNEL, *(_kernel_part(NETWORKS[name]) for name in _FLOWING)),
        mutants=(
            Mutant("the degree itself", replace=(("-2*(k - 1)", "-2*k"),)),
            Mutant("the degree itself, two linear layers", replace=(("-2*(k - 1)", "-2*k"),), part=1),
            Mutant("one of the two corrections", replace=((" + T21", ""),)),
            Mutant("no correction", replace=((" + T12 + T21", ""),), part=2),
        ),
    ),
)

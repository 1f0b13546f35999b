"""Theorem 1: what the regularity principle says of the average loss, and of a rate.

A vector of any dimension is a `sample` of coordinates, an open number of them, and `<a, b>` is `dim*Mean(a*b)`. The
sums over steps are shown by induction: the start, a step and the end are parts of their own.
"""

from __future__ import annotations

from fractions import Fraction
from random import Random
from typing import Any

from linreg_dyn.certify.find import by_hand, identity
from linreg_dyn.claims import falsify
from linreg_dyn.claims.core import Claim, Mutant, Part, Sampler, Source

PAPER = "chen2020"
KNOWN = {"eta": "real", "gamma": "real"}
VECTORS = {"a": "sample", "u": "sample", "dim": "real"}
BEFORE = ("before", "dim*Mean(a**2)"), ("after", "dim*Mean((a - eta*u)**2)")
SLACK = "dim*Mean(a*u) - eta/2*dim*Mean(u**2) - gamma*(l - low)"
SUMS = {"start": "real", "total": "real", "lows": "real"}


def vectors(rng: Random, depth: int, level: int) -> dict[str, Any]:
    """A distance a and an update u along it, mostly, in two or three dimensions, and losses that (2) admits."""
    dim = rng.randint(2, 3)
    u = [falsify.signed(rng, level) for _ in range(dim)]
    eta, gamma = (abs(falsify.signed(rng, level)) * rng.choice((1, 1, 1, -1)) for _ in range(2))
    stretch = eta * rng.choice((Fraction(1, 4), Fraction(1, 2), Fraction(1), Fraction(2)))
    a = [stretch * x + rng.choice((0, 0, falsify.signed(rng, level))) for x in u]
    low = falsify.signed(rng, level)
    room = sum(x * y for x, y in zip(a, u, strict=True)) - eta / 2 * sum(x * x for x in u)
    share = rng.choice((Fraction(1), Fraction(1), Fraction(1, 2), Fraction(-1)))
    loss = low + share * room / gamma
    return {"a": a, "u": u, "dim": Fraction(dim), "eta": eta, "gamma": gamma, "l": loss, "low": low}


def drawn(*names: str, **derived: Any) -> Sampler:
    """Numbers by name, and those derived from them: each a function of the names so far and of a random slack."""

    def sample(rng: Random, depth: int, level: int) -> dict[str, Any]:
        out = {name: falsify.signed(rng, level) for name in names}
        for name, rule in derived.items():
            out[name] = rule(out, rng.choice((Fraction(0), Fraction(0), abs(falsify.signed(rng, level)))))
        return out

    return sample


def _reach(v: dict[str, Any]) -> Fraction:
    return 2 * v["eta"] * v["gamma"] * (v["total"] - v["lows"])


_STEP = drawn(
    *("eta", "gamma", "start", "total", "lows", "l", "low"),
    before=lambda v, slack: v["start"] - _reach(v) - slack,
    after=lambda v, slack: v["before"] - 2 * v["eta"] * v["gamma"] * (v["l"] - v["low"]) - slack,
)


def _end(steps_less: int = 0) -> Sampler:
    """What the last step leaves, where the infima of so many steps less than T are summed."""
    names = ("eta", "gamma", "total", "T", "f")
    both = drawn(*names, lows=lambda v, _: (v["T"] - steps_less) * v["f"], start=lambda v, slack: _reach(v) + slack)

    def sample(rng: Random, depth: int, level: int) -> dict[str, Any]:
        out = both(rng, depth, level)
        del out["lows"]
        return out

    return sample


_EPOCHS = drawn("n", "B", m=lambda v, slack: [v["n"], v["B"], slack])
_STRAIGHT = drawn("eta", "gamma", "u", "T", "k")
_STAYS = drawn("eta", "gamma", "u", "T", k=lambda v, slack: v["T"] - 1 - slack)
_SLACKS = drawn(
    *("eta", "gamma", "total", "T", "f", "slacks"),
    start=lambda v, _: 2 * v["eta"] * (v["gamma"] * (v["total"] - v["T"] * v["f"]) + v["slacks"]),
)
_EQUAL_STEP = drawn(
    *("eta", "gamma", "start", "total", "lows", "l", "low", "slack", "slacks"),
    before=lambda v, _: v["start"] - _reach(v) - 2 * v["eta"] * v["slacks"],
    after=lambda v, _: v["before"] - 2 * v["eta"] * (v["gamma"] * (v["l"] - v["low"]) + v["slack"]),
)
_BOUNDED = drawn(
    *("eta", "gamma", "T", "f", "radius"),
    start=lambda v, slack: v["radius"] ** 2 - slack,
    average=lambda v, slack: v["f"] + v["start"] / v["gamma"] / (2 * v["eta"] * v["T"]) - slack,
)

ONE_STEP = Part(
    {**KNOWN, **VECTORS, "l": "real", "low": "real"},
    ("after <= before - 2*eta*gamma*(l - low)",),
    BEFORE,
    ("dim*Mean(a*u) >= eta/2*dim*Mean(u**2) + gamma*(l - low)", "eta > 0", "gamma > 0"),
    tactics=(by_hand(("2", "a0.0 * a1.0")),),
    sample=vectors,
)
NEXT = Part(
    {**KNOWN, **SUMS, "before": "real", "after": "real", "l": "real", "low": "real"},
    ("after <= start - 2*eta*gamma*((total + l) - (lows + low))",),
    assume=("before <= start - 2*eta*gamma*(total - lows)", "after <= before - 2*eta*gamma*(l - low)"),
    tactics=(by_hand(("1", "a0.0"), ("1", "a1.0")),),
    sample=_STEP,
)
EPOCHS = Part(
    {"m": "sample", "n": "real", "B": "real"},
    ("B*n*Mean(m) == T*f",),
    (("f", "Mean(m)"), ("T", "n*B")),
    tactics=(identity(),),
    sample=_EPOCHS,
)
END = Part(
    {**KNOWN, "start": "real", "total": "real", "T": "real", "f": "real"},
    ("total/T - f <= start/gamma/(2*eta*T)",),
    (("lows", "T*f"),),
    ("0 <= start - 2*eta*gamma*(total - lows)", "eta > 0", "gamma > 0", "T > 0"),
    tactics=(by_hand(("1", "a0.0"), multiplier=(("2", "a1.0 * a2.0 * a3.0"),)),),
    sample=_end(),
)
SLACK_OF_A_STEP = Part(
    {**KNOWN, **VECTORS, "l": "real", "low": "real"},
    ("after == before - 2*eta*gamma*(l - low) - 2*eta*slack",),
    (*BEFORE, ("slack", SLACK)),
    tactics=(identity(),),
    sample=vectors,
)
SLACK_OF_THE_NEXT = Part(
    {**NEXT.given, "slack": "real", "slacks": "real"},
    ("after == start - 2*eta*gamma*((total + l) - (lows + low)) - 2*eta*(slacks + slack)",),
    assume=(
        "before == start - 2*eta*gamma*(total - lows) - 2*eta*slacks",
        "after == before - 2*eta*gamma*(l - low) - 2*eta*slack",
    ),
    tactics=(identity(a0_0="1", a1_0="1"),),
    sample=_EQUAL_STEP,
)
SLACK_AT_THE_END = Part(
    {**END.given, "slacks": "real"},
    ("start/gamma/(2*eta*T) - (total/T - f) == slacks/(gamma*T)",),
    (("lows", "T*f"),),
    ("0 == start - 2*eta*gamma*(total - lows) - 2*eta*slacks", "eta > 0", "gamma > 0", "T > 0"),
    tactics=(identity(a0_0="-1/(2*eta*gamma*T)"),),
    sample=_SLACKS,
)
STRAIGHT = Part(
    {**KNOWN, "u": "real", "T": "real", "k": "real"},
    (
        "(T - k)*eta*u*u == eta/2*u**2 + gamma*gap",
        "next == upto + gap",
        "all/T == (T*eta*u)**2/gamma/(2*eta*T)",
    ),
    (
        ("gap", "(T - k - 1/2)*eta*u**2/gamma"),
        ("upto", "(k*T - k**2/2)*eta*u**2/gamma"),
        ("next", "((k + 1)*T - (k + 1)**2/2)*eta*u**2/gamma"),
        ("all", "T**2/2*eta*u**2/gamma"),
    ),
    tactics=(identity(), identity(), identity()),
    sample=_STRAIGHT,
)
RATE = Part(
    {"gamma": "real", "C": "real"},
    ("gap <= C/(gamma*T)",),
    (("eta", "2"), ("u", "1"), ("gap", "1/gamma"), ("T", "C + 1")),
    ("gamma > 0", "C >= 1", "eta*u*u >= eta/2*u**2 + gamma*gap"),
    sample=lambda rng, depth, level: {"gamma": abs(falsify.signed(rng, level)), "C": Fraction(rng.randint(1, level))},
)
STAYS = Part(
    {**KNOWN, "u": "real", "T": "real", "k": "real"},
    ("(T - k)*eta*u*u >= eta/2*u**2 + gamma*gap",),
    (("gap", "eta*u**2/(2*gamma)"),),
    ("eta > 0", "gamma > 0", "k <= T - 1"),
    tactics=(by_hand(("1", "a2.0 * a0.0 * sq u")),),
    sample=_STAYS,
)
BOUNDED = Part(
    {**KNOWN, "T": "real", "f": "real", "radius": "real", "start": "real", "average": "real"},
    ("average - f <= radius**2/(2*eta)/(gamma*T)",),
    assume=(
        "average - f <= start/gamma/(2*eta*T)",
        "start <= radius**2",
        "eta > 0",
        "gamma > 0",
        "T > 0",
    ),
    tactics=(by_hand(*(("2", "a0.0 * a2.0 * a3.0 * a4.0"), ("1", "a1.0")), multiplier=(("2", "a2.0 * a3.0 * a4.0"),)),),
    sample=_BOUNDED,
)

CLAIMS = (
    Claim(
        id="chen.thm-1",
        title="Theorem 1: the average loss under the regularity principle",
        statement=(
            r"\langle \theta_k - \theta_T, U_k \rangle \ge \tfrac{\eta}{2} \|U_k\|^2 + \gamma \big(\ell(\theta_k; "
            r"z_{\xi_k}) - \inf_\theta \ell(\theta; z_{\xi_k})\big),\ \text{for all } k < T = nB \implies \frac{1}{T} "
            r"\sum_{k=0}^{T-1} \ell(\theta_k; z_{\xi_k}) - \inf_\theta f(\theta) \le \frac{1}{2 \eta T} "
            r"\frac{\|\theta_0 - \theta_T\|^2}{\gamma}"
        ),
        source=Source(PAPER, "Theorem 1, eq. 3, with Definition 2 and Appendix A"),
        kind="printed",
        reading=(
            "theta_{k+1} = theta_k - eta U_k, whatever U_k is (momentum, Adam too). Definition 2 prints inf l(theta) "
            "without a sample; the proof takes that of the sample drawn at step k, and so it is taken here (with inf "
            "f in its place, the theorem needs neither overparameterisation nor whole epochs: part 3 is then void). B "
            "is at least 1. One step (part 1, a = theta_k - theta_T, u = U_k), the sum of steps (part 2), an epoch's "
            "sum of the samples' infima m where inf f is their mean (part 3), and k = T (part 4)."
        ),
        argument=(
            "By induction over k, |theta_k - theta_T|^2 <= start - 2 eta gamma (total - lows): with empty sums at k = "
            "0, and by part 1 put into part 2 from k to k + 1. At k = T the left side is 0. Without replacement an "
            "epoch draws every sample once, in any order, so that B epochs sum to B times the n infima (part 3)."
        ),
        parts=(ONE_STEP, NEXT, EPOCHS, END),
        mutants=(
            Mutant("half the bound", replace=(("/(2*eta*T)", "/(4*eta*T)"),), part=3),
            Mutant("gamma of any sign", drop=2, part=3),
            Mutant("a rate of any sign", drop=1),
            Mutant("the infima of a step are missing", replace=(("T*f", "(T - 1)*f"),), part=3, sample=_end(1)),
            Mutant("half the norm of the update", replace=(("eta/2", "eta/4"),)),
            Mutant("an epoch more", replace=(("== T*f", "== (T + n)*f"),), part=2),
        ),
        search_depths=(1,),
    ),
    Claim(
        id="chen.thm-1.sharp",
        title="By how much Theorem 1 is off: the mean slack of the regularity principle, over gamma",
        statement=(
            r"s_k = \langle \theta_k - \theta_T, U_k \rangle - \tfrac{\eta}{2} \|U_k\|^2 - \gamma \big(\ell(\theta_k; "
            r"z_{\xi_k}) - \inf_\theta \ell(\theta; z_{\xi_k})\big) \implies \frac{\|\theta_0 - \theta_T\|^2}{2 \eta "
            r"\gamma T} - \Big(\frac{1}{T} \sum_{k=0}^{T-1} \ell(\theta_k; z_{\xi_k}) - \inf_\theta f(\theta)\Big) = "
            r"\frac{1}{\gamma T} \sum_{k=0}^{T-1} s_k"
        ),
        source=Source(PAPER, "Theorem 1, eq. 3"),
        kind="sharp",
        reading=(
            "As in chen.thm-1, with the slack kept (parts 1 to 3): no constant in (3) can be better, for any eta, "
            "gamma and T. Part 4 is a trajectory without slack: equal updates u on a line, theta_k - theta_T = (T - k) "
            "eta u, and gaps (T - k - 1/2) eta u^2/gamma of the loss, whose sum over the first k is upto."
        ),
        argument="By induction over k, as for chen.thm-1; all loss at infimum 0 in part 4.",
        parts=(SLACK_OF_A_STEP, SLACK_OF_THE_NEXT, SLACK_AT_THE_END, STRAIGHT),
        mutants=(
            Mutant("twice the slack", replace=(("- 2*eta*slack", "- 4*eta*slack"),)),
            Mutant("the slack not over gamma", replace=(("slacks/(gamma*T)", "slacks/T"),), part=2),
            Mutant("half the bound is attained", replace=(("/(2*eta*T)", "/(4*eta*T)"),), part=3),
        ),
        search_depths=(1,),
    ),
    Claim(
        id="chen.rate",
        title="The regularity principle guarantees convergence at a rate O(1/(gamma T)), read with one constant",
        statement=(
            r"\text{the regularity principle with parameter } \gamma \text{ guarantees the optimization trajectory to "
            r"converge at a sublinear rate } \mathcal{O}(1/\gamma T); \quad \text{the average loss converges to the "
            r"global minimum of the total loss at a sub-linear convergence rate}"
        ),
        source=Source(PAPER, "section I.A; after Theorem 1"),
        kind="printed",
        amended_by="chen.rate.amended",
        reading=(
            "Converging is about T that grows, so one gamma for every T and a constant C that may depend on the loss, "
            "the algorithm, its rate and its start, but not on T: the average gap is at most C/(gamma T) for every T. "
            "(With a C that depends on theta_T as well, |theta_0 - theta_T|^2/(2 eta), which the paper calls a "
            "problem-dependent constant, the sentence is (3) itself: chen.thm-1, proved.) The trajectory takes equal "
            "updates u at a gap 1/gamma that stays, so that (2) holds at every k < T if at T - 1 "
            "(chen.rate.amended, part 2): for every whole C it breaks the bound at T = C + 1. It is no oddity of U: "
            "gradient descent on sin(theta) from 0 at eta = 2 pi steps from one slope to the next, is 1 above the "
            "infimum at every step, and obeys (2) with gamma = pi for every T."
        ),
        parts=(RATE,),
        mutants=(
            Mutant("even at the rate 1/sqrt(T)", replace=(("gap <= C/(gamma*T)", "gap**2 <= C/(gamma**2*T)"),)),
            Mutant("at the rate 1/(gamma T)^2", replace=(("C/(gamma*T)", "C/(gamma*T)**2"),)),
        ),
        search_depths=(1,),
    ),
    Claim(
        id="chen.rate.amended",
        title="A trajectory that stays within a radius converges at the rate O(1/(gamma T)); others need not",
        statement=(
            r"\text{under the regularity principle } \|\theta_0 - \theta_T\| \le R,\ \text{for all } T \implies "
            r"\frac{1}{T} \sum_{k=0}^{T-1} \ell(\theta_k; "
            r"z_{\xi_k}) - \inf_\theta f(\theta) \le \frac{R^2}{2 \eta} \frac{1}{\gamma T}; \quad \text{with no such } "
            r"R \text{ the regularity principle for all } T \text{ allows a gap of } \frac{\eta \|u\|^2}{2 \gamma} "
            r"\text{ at every step}"
        ),
        source=Source(PAPER, "section I.A; after Theorem 1"),
        kind="amended",
        amends="chen.rate",
        reading=(
            "From (3), assumed here and shown as chen.thm-1. For two trajectories the one with the larger gamma has "
            "the smaller bound if their radii are equal: what (3) compares is gamma/|theta_0 - theta_T|^2. Part 2: a "
            "trajectory of equal updates u, theta_k - theta_T = (T - k) eta u, at every k <= T - 1."
        ),
        parts=(BOUNDED, STAYS),
        mutants=(
            Mutant("half the bound", replace=(("/(2*eta)/(gamma*T)", "/(4*eta)/(gamma*T)"),)),
            Mutant("no radius", drop=1, sample=drawn(*BOUNDED.given)),
            Mutant("a larger gap", replace=(("/(2*gamma)", "/gamma"),), part=1),
            Mutant("at T too", drop=2, part=1, sample=_STRAIGHT),
        ),
        search_depths=(1,),
    ),
)

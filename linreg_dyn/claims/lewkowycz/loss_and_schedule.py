"""Supplements A and E: the softmax loss as printed, and Algorithm 1 (AutoL2) against its text."""

from __future__ import annotations

from fractions import Fraction
from random import Random
from typing import Any

from linreg_dyn.certify.find import Axis, Tactic, by_hand, identity, positive
from linreg_dyn.claims import falsify
from linreg_dyn.claims.core import Claim, Mutant, Part
from linreg_dyn.claims.lewkowycz._paper import numbers, source

UNIT = (0, 1)


# ---------------------------------------------------------------- the loss of supplement A
def softmax_part(classes: int, sign: str, tactics: tuple[Tactic, ...] | None = None) -> Part:
    """Gradient flow on the logits of one sample whose label is class 0, in the variables e = exp(logit).

    The loss is `sign * log p / (2 k |B|)`: its gradient by logit j is `sign c e_j (dp/de_j)/p`, and `de_j/dt` is e_j
    times minus that.
    """
    rates = ", ".join(f"-({sign}1)*c*e[{j}]**2*D(p, e[{j}])/p" for j in range(classes))
    positive_e = tuple(f"e[{j}] > 0" for j in range(classes))
    return Part(
        {"e": f"vector:{classes}", "B": "real"},
        ("Dt(p) > 0",),
        (("p", "e[0]/Sum(e)"), ("c", f"1/(2*{classes}*B)")),
        ("B > 0", *positive_e),
        rates=(("e", f"[{rates}]"),),
        tactics=tactics,
        sample=lambda rng, depth, level: {
            "e": [abs(falsify.signed(rng, level)) for _ in range(classes)],
            "B": Fraction(rng.randint(1, 4)),
        },
    )


def rising(classes: int) -> Tactic:
    """dp/dt = c p ((1 - p)^2 + the sum over the others of p_j^2), times powers that clear its denominator."""
    axes = (Axis("B", "a0.0"), *(Axis(f"e[{j}]", f"a{j + 1}.0") for j in range(classes)))
    return positive(*axes, times="B*Sum(e)**3")


# ---------------------------------------------------------------- Algorithm 1
def measurements(rng: Random, depth: int, level: int) -> dict[str, Any]:
    """A minimum so far and two measurements, in any order."""
    return {name: falsify.signed(rng, level) for name in ("m", "before", "now")}


def _above(rng: Random, depth: int, level: int) -> dict[str, Any]:
    out = measurements(rng, depth, level)
    return {**out, **{k: out["m"] + abs(falsify.signed(rng, level)) for k in ("before", "now")}}


def _any_least(rng: Random, depth: int, level: int) -> dict[str, Any]:
    out = measurements(rng, depth, level)
    return {**out, "least": min(out.values())}


def _least(rng: Random, depth: int, level: int) -> dict[str, Any]:
    out = _above(rng, depth, level)
    return {**out, "least": min(out.values())}


MEASURED: dict[str, str] = {"m": "real", "before": "real", "now": "real"}
SO_FAR = {**MEASURED, "least": "real"}
LEAST = ("least <= m", "least <= before", "least <= now", "(least - m)*(least - before)*(least - now) == 0")

CLAIMS = (
    Claim(
        id="lewkowycz.softmax-normalisation",
        title="The softmax loss, as printed",
        statement=(
            r"\mathcal{L}(\{x, y\}_B) = \frac{1}{2k|B|} \sum_{(x,y) \in B, i} y_i \log p_i(x), \quad "
            r"p_i(x) = \frac{e^{f^i(x)}}{\sum_j e^{f^j(x)}}"
        ),
        source=source("section A (supplement)"),
        kind="printed",
        amended_by="lewkowycz.softmax-normalisation.amended",
        reading=(
            "As a loss to train with: gradient flow on the logits of a sample raises the probability of its label. Two "
            "and three classes, label 0, e = exp(logits), the other samples of the batch apart."
        ),
        parts=tuple(softmax_part(classes, "") for classes in (2, 3)),
        mutants=(
            Mutant("it leaves the probability alone", replace=(("Dt(p) > 0", "Dt(p) == 0"),)),
            Mutant("it raises it at a rate", replace=(("Dt(p) > 0", "Dt(p) >= 1"),), part=1),
        ),
    ),
    Claim(
        id="lewkowycz.softmax-normalisation.amended",
        title="The softmax loss",
        statement=(
            r"\mathcal{L}(\{x, y\}_B) = -\frac{1}{2k|B|} \sum_{(x,y) \in B, i} y_i \log p_i(x): \text{ training "
            r"raises } p_y, \text{ and the loss is positive; without the minus it takes values below any bound}"
        ),
        source=source("section A (supplement)"),
        kind="amended",
        amends="lewkowycz.softmax-normalisation",
        reading=(
            "Last part: logits log(delta), 0 give p < delta, so that the printed loss falls below log(delta)/(2 k "
            "|B|), whatever delta > 0: it has no minimum, and is the lower the worse the network."
        ),
        argument=(
            "For k classes dp_y/dt = c p_y ((1 - p_y)^2 + sum over the others of p_j^2), c = 1/(2 k |B|): shown for k "
            "= 2 and 3, the other classes enter alike. p < 1 makes -log p positive."
        ),
        parts=(
            softmax_part(2, "-", (rising(2),)),
            softmax_part(3, "-", (rising(3),)),
            Part(
                {"e": "vector:3"},
                ("e[0]/Sum(e) < 1",),
                assume=("e[0] > 0", "e[1] > 0", "e[2] > 0"),
                tactics=(positive(*(Axis(f"e[{j}]", f"a{j}.0") for j in range(3)), times="Sum(e)"),),
                sample=lambda rng, depth, level: {"e": [abs(falsify.signed(rng, level)) for _ in range(3)]},
            ),
            Part(
                {"delta": "real"},
                ("delta/(delta + 1) < delta",),
                assume=("delta > 0",),
                tactics=(positive(Axis("delta", "a0.0"), times="delta + 1"),),
                sample=numbers(delta=(0, 10)),
            ),
        ),
        mutants=(
            Mutant("as printed", replace=(("-(-1)", "-(1)"),)),
            Mutant("as printed, three classes", replace=(("-(-1)", "-(1)"),), part=1),
            Mutant("logits bounded below", replace=(("< delta", "< delta/2"),), part=3),
        ),
    ),
    Claim(
        id="lewkowycz.autol2-pseudocode",
        title="Algorithm 1 against its text",
        statement=(
            r"\text{Algorithm 1 decays } \lambda \text{ if either the empirical loss or the training error is bigger "
            r"than its minimum value two measurements in a row (we make measurements every 5 steps)}"
        ),
        source=source("section E (supplement), Algorithm 1; section 3; section A, figure 1c"),
        kind="printed",
        amended_by="lewkowycz.autol2-pseudocode.amended",
        reading=(
            "m is the minimum of what was measured, before and now the measurements at t - k and t. (1, 2) The "
            "function tests ERROR_t > ERROR and ERROR_{t-k} > ERROR, and not MINERROR: with ERROR the error now, or "
            "the one before, an error above its minimum twice must pass. (3) The minima are lowered only where "
            "nothing decays, so that ERROR_{t-k} is forgotten when the loss causes a decay at t, and the other way "
            "round. (4) Section A measures every 10 steps. Besides, LOSS_{t-k} is read at the first measurement, "
            "where there is none."
        ),
        parts=(
            *(
                Part(
                    MEASURED,
                    ("now > ERROR", "before > ERROR"),
                    (("ERROR", error),),
                    ("now > m", "before > m"),
                    sample=_above,
                )
                for error in ("now", "before")
            ),
            Part(
                {**MEASURED, "decays": "real"},
                ("minimum == Min([m, before])",),
                (("minimum", "decays*m + (1 - decays)*Min([m, before])"),),
                ("decays*(1 - decays) == 0",),
                sample=lambda rng, depth, level: {
                    **measurements(rng, depth, level),
                    "decays": Fraction(rng.randint(0, 1)),
                },
            ),
            Part({"k": "real"}, ("k == 5",), assume=("k == 10",), sample=lambda rng, depth, level: {"k": Fraction(10)}),
        ),
        mutants=(
            Mutant("only the one before", replace=(("now > ERROR", "now >= ERROR + 1"),)),
            Mutant("the minimum of all three", replace=(("== Min([m, before])", "== Min([m, before, now])"),), part=2),
            Mutant("every 20 steps", replace=(("k == 5", "k == 20"),), part=3),
        ),
    ),
    Claim(
        id="lewkowycz.autol2-pseudocode.amended",
        title="Algorithm 1 as its text describes it",
        statement=(
            r"\text{With MINERROR for ERROR and the minima lowered at every measurement, the condition of Algorithm 1 "
            r"is that of the text: } \min(m, L_{t-k}, L_t) < L_{t-k}, L_t \iff m < L_{t-k}, L_t, \quad m = \min_{s "
            r"\le t - 2k} L_s"
        ),
        source=source("section E (supplement), Algorithm 1"),
        kind="amended",
        amends="lewkowycz.autol2-pseudocode",
        reading=(
            "For losses and errors alike; least is the minimum of all three. Whether the minimum includes the last "
            "two measurements does not matter, so that lowering it by the one before, as printed, is right. The last "
            "part: MIN_STEP = 0.1/L2 + t and the text (after decaying, lambda is constant for 0.1/lambda steps) agree "
            "if the text's lambda is the new one, L2 = lambda/10: 1/lambda steps of the one before. "
            "linreg_dyn.schedules.AutoL2 is this rule."
        ),
        parts=(
            Part(
                SO_FAR,
                ("before > least", "now > least"),
                assume=("before > m", "now > m", *LEAST),
                tactics=(
                    by_hand(("1", "a0.0"), ("1", "a2.0")),
                    by_hand(("1", "a1.0"), ("1", "a2.0")),
                ),
                sample=_least,
            ),
            Part(
                SO_FAR,
                ("least == m",),
                assume=("before > least", "now > least", *LEAST),
                tactics=(identity(a5_0="1/(least - before)/(least - now)"),),
                sample=_least,
            ),
            Part(
                {"lam": "real", "t": "real"},
                ("MIN_STEP - t == (1/10)/new", "MIN_STEP - t == 1/lam"),
                (("new", "lam/10"), ("MIN_STEP", "(1/10)/new + t")),
                ("lam > 0",),
                tactics=(identity(), identity()),
                sample=numbers(lam=UNIT, t=(0, 100)),
            ),
        ),
        mutants=(
            Mutant("one measurement is enough", drop=0, part=1, sample=_any_least),
            Mutant("the period of the old L2", replace=(("(1/10)/new + t", "(1/10)/lam + t"),), part=2),
            Mutant("not above the minimum before", drop=1, sample=_any_least),
        ),
    ),
)

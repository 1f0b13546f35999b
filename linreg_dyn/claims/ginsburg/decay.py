"""Section 4.1: weight decay, in the convention L + mu * sum w_i^2 (gradient 2 mu w_i)."""

from __future__ import annotations

from fractions import Fraction

from linreg_dyn.certify.find import Axis, identity
from linreg_dyn.claims import falsify
from linreg_dyn.claims.core import Claim, Mutant, Part
from linreg_dyn.claims.enclosures import exact, outward
from linreg_dyn.claims.ginsburg._net import GD, LOSS, positive, source, velocity

GIVEN = {"w": "layers", "lam": "real", "mu": "real"}
DECAY = (*LOSS, ("d", "Size(w)"), ("f", velocity(GD, "mu")))


def _equilibrium(depth: int) -> Part:
    """t^(d-2) (1-t)^d is at most its value at t = (d-2)/(2d-2), for t = w^d in (0, 1)."""
    best = Fraction(depth - 2, 2 * depth - 2)
    value = best ** (depth - 2) * (1 - best) ** depth
    # value - t^(d-2) (1-t)^d = (t - best)^2 h(t): divide the coefficients twice by (t - best)
    coefficients = [Fraction(0)] * (2 * depth - 1)
    for k in range(depth + 1):
        binomial = Fraction(1)
        for n in range(k):
            binomial = binomial * (depth - n) / (n + 1)
        coefficients[depth - 2 + k] -= (-1) ** k * binomial
    coefficients[0] += value
    for _ in range(2):
        quotient = [Fraction(0)] * (len(coefficients) - 1)
        carry = Fraction(0)
        for n in range(len(coefficients) - 1, 0, -1):
            carry = coefficients[n] + carry * best
            quotient[n - 1] = carry
        coefficients = quotient
    h = " + ".join(f"({c.numerator})/{c.denominator}*t**{n}" for n, c in enumerate(coefficients))
    return Part(
        {"t": "real"},
        (f"t**{depth - 2}*(1 - t)**{depth} <= ({value.numerator})/{value.denominator}",),
        assume=("0 < t", "t < 1"),
        tactics=(
            positive(
                Axis("t", "a0.0", "a1.0", degree=3 * depth),
                squares=[(h, f"sq t-{best.numerator}/{best.denominator}")],
            ),
        ),
        sample=lambda rng, depth, level: {"t": falsify.rational(rng, 0, 1, level)},
    )


def _critical_decays() -> dict[str, dict[str, str]]:
    from linreg_dyn.equilibria import critical_decay_enclosure

    return {"mu_c (d = 2)": exact(1)} | {f"mu_c (d = {d})": outward(critical_decay_enclosure(d)) for d in range(3, 9)}


CLAIMS = (
    Claim(
        id="ginsburg.wd-flow",
        title="The flow with weight decay",
        statement=(
            r"\frac{dw_i}{dt} = -\lambda \frac{\partial \bar L}{\partial w_i} "
            r"= -2\lambda\big((W - 1)(W / w_i) + \mu w_i\big), \quad \bar L = (W - 1)^2 + \mu \sum w_i^2"
        ),
        source=source("eq. 9"),
        kind="printed",
        parts=(
            Part(
                GIVEN,
                ("-lam*D(M, w[i]) == -2*lam*((W - 1)*(W/w[i]) + mu*w[i])", "f == -lam*D(M, w)"),
                (*DECAY, ("M", "L + mu*Sum(w**2)")),
                tactics=(identity(), identity()),
            ),
        ),
        mutants=(
            Mutant("the other convention", replace=(("mu*Sum(w**2)", "mu/2*Sum(w**2)"),)),
            Mutant("growth", replace=(("+ mu*w[i]", "- mu*w[i]"),)),
        ),
        search_depths=(1, 2, 3),
    ),
    Claim(
        id="ginsburg.wd-flow-loss",
        title="The loss along the flow with weight decay",
        statement=(
            r"\frac{dL}{dt} = -4\lambda\Big((W-1)^2 W^2 \Big(\sum \tfrac{1}{w_i^2}\Big) + \mu d (W - 1) W\Big) "
            r"= -4\lambda \Big(\sum \tfrac{1}{w_i^2}\Big) W^2 (W - 1)"
            r"\Big(W - \big(1 - \mu \tfrac{d}{W (\sum 1/w_i^2)}\big)\Big)"
        ),
        source=source("section 4.1, after eq. 9"),
        kind="printed",
        parts=(
            Part(
                GIVEN,
                (
                    "Sum(D(L, w)*f) == -4*lam*((W - 1)**2*W**2*S + mu*d*(W - 1)*W) "
                    "== -4*lam*S*W**2*(W - 1)*(W - (1 - mu*d/(W*S)))",
                ),
                DECAY,
                tactics=(identity(), identity()),
            ),
        ),
        mutants=(
            Mutant("without the depth", replace=(("mu*d*(W", "mu*(W"),)),
            Mutant("the band above 1", replace=(("(1 - mu*d", "(1 + mu*d"),)),
        ),
        search_depths=(1, 2, 3),
    ),
    Claim(
        id="ginsburg.wd-imbalance",
        title="The imbalance decays exponentially under weight decay",
        statement=(
            r"\frac{d(w_i^2 - w_j^2)}{dt} = -4\lambda\Big(\big((W-1)W + \mu w_i^2\big) - \big((W-1)W + \mu w_j^2\big)"
            r"\Big) = -4\lambda\mu (w_i^2 - w_j^2)"
        ),
        source=source("section 4.1"),
        kind="printed",
        reading="So every w_i^2 - w_j^2, and the layer imbalance, is multiplied by exp(-4 lambda mu t).",
        parts=(
            Part(
                GIVEN,
                (
                    "2*w[i]*f[i] - 2*w[j]*f[j] == -4*lam*(((W - 1)*W + mu*w[i]**2) - ((W - 1)*W + mu*w[j]**2)) "
                    "== -4*lam*mu*(w[i]**2 - w[j]**2)",
                ),
                DECAY,
                tactics=(identity(), identity()),
            ),
        ),
        mutants=(
            Mutant("half the rate", replace=(("== -4*lam*mu", "== -2*lam*mu"),)),
            Mutant("growth", replace=(("== -4*lam*mu", "== 4*lam*mu"),)),
        ),
        search_depths=(2, 3),
    ),
    Claim(
        id="ginsburg.wd-equilibria",
        title="Equilibria under weight decay",
        statement=(
            r"\mu > 0: \text{ equilibria with nonzero weights are balanced, } |w_i| = \omega,\ "
            r"\omega^{d-2}(1 - \omega^d) = \mu. "
            r"\text{ They exist always for } d = 1, \text{ iff } \mu < 1 \text{ for } d = 2, \text{ and for } d \ge 3 "
            r"\text{ iff } \mu \le \mu_c(d) = \Big(\tfrac{d-2}{2d-2}\Big)^{\frac{d-2}{d}} \tfrac{d}{2d-2}"
        ),
        source=source("section 4.1, the second phase"),
        kind="sharp",
        reading=(
            "The paper's second phase goes along the minima to a flat area; it presumes a place to stay. For depth 3 "
            "and more and mu > mu_c there is none but the origin."
        ),
        argument=(
            "Part 1: where the velocity vanishes, so does w_i f_i - w_j f_j = -2 lambda mu (w_i^2 - w_j^2), hence all "
            "w_i^2 are equal (every depth), and (1 - W) W = mu omega^2 > 0 forces 0 < W < 1. Part 2: at depth 1 the "
            "one equilibrium is 1/(1 + mu); at depth 2 omega^2 = 1 - mu. For d >= 3, with t = omega^d, the equation is "
            "t^(d-2) (1-t)^d = mu^d. Part 3, for every d: t (1-t) times the derivative of the left side's logarithm is "
            "(2d-2) (t* - t), t* = (d-2)/(2d-2), so the left side rises from 0 to its maximum at t*, which is mu_c^d, "
            "and falls to 0: every smaller positive value is taken twice. The remaining parts show the maximum for d = "
            "3 ... 8 without calculus."
        ),
        parts=(
            Part(
                GIVEN,
                (
                    "w[i]*f[i] - w[j]*f[j] == -2*lam*mu*(w[i]**2 - w[j]**2)",
                    "w[i]*f[i] == -2*lam*((W - 1)*W + mu*w[i]**2)",
                ),
                DECAY,
                tactics=(identity(), identity()),
            ),
            Part(
                {"m": "real", "mu": "real"},
                ("(m - 1) + mu*m == (1 + mu)*(m - 1/(1 + mu))", "(m**2 - 1)*m**2 + mu*m**2 == m**2*(m**2 - (1 - mu))"),
                tactics=(identity(), identity()),
            ),
            Part(
                {"t": "real", "d": "real"},
                ("(d - 2)*(1 - t) - d*t == (2*d - 2)*((d - 2)/(2*d - 2) - t)",),
                tactics=(identity(),),
            ),
            *(_equilibrium(depth) for depth in range(3, 9)),
        ),
        mutants=(
            Mutant("half the decay", replace=(("-2*lam*mu*(", "-lam*mu*("),)),
            Mutant("a smaller critical decay", part=3, replace=(("<= (27)/256", "<= (26)/256"),)),
            Mutant("beyond t = 1", part=4, drop=1, sample=lambda rng, depth, level: {"t": Fraction(3)}),
        ),
        search_depths=(2, 3),
        values=_critical_decays,
    ),
)

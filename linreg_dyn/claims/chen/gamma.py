"""What a large gamma says: of the speed of two trajectories, and of the shape of one.

Written as in `theorem`: inner products of open dimension, sums over steps by induction. A step's `room` is the largest
gamma that (2) admits, gamma_k, times the gap of its loss.
"""

from __future__ import annotations

from fractions import Fraction
from random import Random
from typing import Any

from linreg_dyn.certify.find import by_hand, have, identity, mean
from linreg_dyn.claims import falsify
from linreg_dyn.claims.chen.theorem import BEFORE, KNOWN, PAPER, VECTORS, drawn, vectors
from linreg_dyn.claims.core import Claim, Mutant, Part, Source

AHEAD = "dim*Mean((a - eta*u)*u)"
MOVED = {"eta": "real", **VECTORS}
ROOM = ("room", "dim*Mean(a*u) - eta/2*dim*Mean(u**2)")


def _vectors(rng: Random, depth: int, level: int) -> dict[str, Any]:
    """A distance a and an update u."""
    found = vectors(rng, depth, level)
    return {name: found[name] for name in MOVED}


def _pair(rng: Random, depth: int, level: int) -> dict[str, Any]:
    """Two steps on a line, and two pairs of gaps, of which each has a step without slack."""
    out = {name: abs(falsify.signed(rng, level)) for name in ("eta", "u", "v", "h")}
    out["g"] = out["h"] * (1 + Fraction(1, rng.randint(1, 4)))
    rooms = out["eta"] * out["u"] * (out["u"] / 2 + out["v"]), out["eta"] * out["v"] ** 2 / 2
    for gamma, names in (("g", "ab"), ("h", "cd")):
        slack = rng.choice(names)
        for name, room in zip(names, rooms, strict=True):
            out[name] = room / out[gamma] * (Fraction(1, rng.randint(2, 20)) if name == slack else 1)
    return out


def _lengths(rng: Random, depth: int, level: int) -> dict[str, Any]:
    """Lengths of steps, equal ones too, and what their squares leave of the distance."""
    count = rng.randint(1, 4)
    s = [abs(falsify.signed(rng, level)) for _ in range(count)] if rng.random() < 0.5 else [Fraction(1)] * count
    squares = sum(x * x for x in s)
    return {"T": Fraction(count), "s": s, "start": squares + rng.choice((0, 0, abs(falsify.signed(rng, level))))}


LARGER = Part(
    dict.fromkeys(("eta", "u", "v", "a", "b", "c", "d", "g", "h"), "real"),
    ("(a + b)/2 <= (c + d)/2",),
    (("first", "eta*(u + v)*u - eta/2*u**2"), ("last", "eta*v*v - eta/2*v**2")),
    (
        "eta > 0",
        "a > 0",
        "b > 0",
        "c > 0",
        "d > 0",
        "first >= g*a",
        "last >= g*b",
        "(first - g*a)*(last - g*b) == 0",
        "first >= h*c",
        "last >= h*d",
        "(first - h*c)*(last - h*d) == 0",
        "h > 0",
        "g > h",
    ),
    sample=_pair,
)
A_STEP = Part(MOVED, ("after == before - 2*eta*room",), (*BEFORE, ROOM), tactics=(identity(),), sample=_vectors)
NEXT = Part(
    dict.fromkeys(("eta", "start", "rooms", "before", "after", "room"), "real"),
    ("after == start - 2*eta*(rooms + room)",),
    assume=("before == start - 2*eta*rooms", "after == before - 2*eta*room"),
    tactics=(identity(a0_0="1", a1_0="1"),),
    sample=drawn(
        *("eta", "start", "rooms", "room"),
        before=lambda v, _: v["start"] - 2 * v["eta"] * v["rooms"],
        after=lambda v, _: v["before"] - 2 * v["eta"] * v["room"],
    ),
)
AT_THE_END = Part(
    dict.fromkeys(("eta", "start", "rooms", "gaps", "T"), "real"),
    ("gamma/start == 1/(2*eta*T*average)",),
    (("gamma", "rooms/gaps"), ("average", "gaps/T")),
    ("0 == start - 2*eta*rooms", "eta > 0", "T > 0", "gaps > 0", "start > 0"),
    tactics=(identity(a0_0="1/(2*eta*gaps*start)"),),
    sample=drawn("eta", "rooms", "gaps", "T", start=lambda v, _: 2 * v["eta"] * v["rooms"]),
)
ORDER = Part(
    dict.fromkeys(("eta", "T", "average", "other"), "real"),
    ("average < other",),
    assume=("1/(2*eta*T*average) > 1/(2*eta*T*other)", "eta > 0", "T > 0", "average > 0", "other > 0"),
    tactics=(by_hand(("2", "a0.0 * a1.0 * a2.0 * a3.0 * a4.0")),),
)
STRAIGHT = Part(
    {"gamma": "real", "C": "real"},
    ("(T*eta*u)**2 <= C**2*(T*(eta*u)**2)",),
    (("eta", "2"), ("u", "1"), ("gap", "1/gamma"), ("T", "C**2 + 1")),
    ("gamma > 0", "C >= 1", "eta*u*u >= eta/2*u**2 + gamma*gap"),
    sample=lambda rng, depth, level: {"gamma": abs(falsify.signed(rng, level)), "C": Fraction(rng.randint(1, level))},
)
AHEAD_OF_A_STEP = Part(
    MOVED, (f"room == eta/2*dim*Mean(u**2) + {AHEAD}",), (ROOM,), tactics=(identity(),), sample=_vectors
)
SQUARE_OF_A_STEP = Part(
    MOVED,
    ("eta**2*dim*Mean(u**2) <= before - after",),
    BEFORE,
    (f"{AHEAD} >= 0", "eta > 0"),
    tactics=(by_hand(("2", "a0.0 * a1.0")),),
    sample=_vectors,
)
SQUARE_OF_THE_NEXT = Part(
    dict.fromkeys(("start", "before", "after", "squares", "square"), "real"),
    ("squares + square <= start - after",),
    assume=("squares <= start - before", "square <= before - after"),
    tactics=(by_hand(("1", "a0.0"), ("1", "a1.0")),),
    sample=drawn(
        *("start", "before", "after"),
        squares=lambda v, slack: v["start"] - v["before"] - slack,
        square=lambda v, slack: v["before"] - v["after"] - slack,
    ),
)
LENGTH = Part(
    {"T": "real", "s": "sample", "start": "real"},
    ("(T*Mean(s))**2 <= T*start",),
    assume=("T*Mean(s**2) <= start", "T > 0"),
    tactics=(
        have(
            "Mean(s)**2 <= Mean(s**2)",
            mean("(s - Mean(s))**2", by_hand(("1", "sq s-Mean(s)"))),
            by_hand(("1", "a0.0 * a1.0"), ("1", "sq T * q")),
            name="q",
        ),
    ),
    sample=_lengths,
)
ORTHOGONAL = Part(
    {**KNOWN, "u": "real", "T": "real"},
    ("eta*u*u == eta/2*u**2 + gamma*gap", "(T*eta*u)**2 == T*(T*(eta*u)**2)"),
    (("gap", "eta*u**2/(2*gamma)"),),
    tactics=(identity(), identity()),
)

CLAIMS = (
    Claim(
        id="chen.larger-gamma",
        title="A larger gamma implies a faster convergence",
        statement=r"\text{the regularity principle with a larger } \gamma \text{ implies a faster convergence}",
        source=Source(PAPER, "section II.B; section I.A"),
        kind="printed",
        amended_by="chen.larger-gamma.amended",
        reading=(
            "Of two trajectories with one eta and T, each with the largest gamma that (2) admits at all of its steps, "
            "the one with the larger gamma has no larger an average gap of the loss. Both have the same two steps eta "
            "u and eta v on a line, so that |theta_0 - theta_T| is the same as well, and gamma over its square is no "
            "better a measure. gamma is that of the worst step, and (3) an upper bound: the gaps are a, b and c, d, "
            "and the other steps may have slack. Smooth losses of infimum 0 have any gaps and gradients at two points."
        ),
        parts=(LARGER,),
        mutants=(
            Mutant("no more than twice the average", replace=(("<= (c + d)/2", "<= c + d"),)),
            Mutant("no larger a loss at the last step", replace=(("(a + b)/2 <= (c + d)/2", "b <= d"),)),
        ),
        search_depths=(1,),
    ),
    Claim(
        id="chen.larger-gamma.amended",
        title="The loss-weighted mean of gamma_k over |theta_0 - theta_T|^2 is the speed itself, for all trajectories",
        statement=(
            r"\gamma_k = \frac{\langle \theta_k - \theta_T, U_k \rangle - \frac{\eta}{2} \|U_k\|^2}{\ell_k - \inf "
            r"\ell},\ \bar\gamma = \frac{\sum_k \gamma_k (\ell_k - \inf \ell)}{\sum_k (\ell_k - \inf \ell)} \implies "
            r"\frac{\bar\gamma}{\|\theta_0 - \theta_T\|^2} = \frac{1}{2 \eta T} \Big(\frac{1}{T} \sum_{k=0}^{T-1} "
            r"(\ell_k - \inf \ell)\Big)^{-1};\ \text{with one } \eta \text{ and } T \text{ a larger one is a smaller "
            r"average loss}"
        ),
        source=Source(PAPER, "section II.B; section I.A"),
        kind="amended",
        amends="chen.larger-gamma",
        reading=(
            "theta_{k+1} = theta_k - eta U_k, whatever U_k is; gamma_k is the largest gamma that (2) admits at step k, "
            "of any sign. Of a step (part 1, a = theta_k - theta_T), their sum (part 2), k = T (part 3: rooms is "
            "sum gamma_k gap_k), and of two trajectories (part 4). The identity holds for every trajectory that ends "
            "elsewhere than it began, so that this factor and the average loss cannot be evidence for one another. "
            "Definition 2's gamma is the least gamma_k, at most the mean: (3) is what is left of the identity."
        ),
        argument=(
            "By induction over k, |theta_k - theta_T|^2 = start - 2 eta rooms: with an empty sum at k = 0, and by part "
            "1 put into part 2 from k to k + 1. At k = T the left side is 0."
        ),
        parts=(A_STEP, NEXT, AT_THE_END, ORDER),
        mutants=(
            Mutant("half of it", replace=(("1/(2*eta*T*average)", "1/(4*eta*T*average)"),), part=2),
            Mutant("the whole norm of the update", replace=(("eta/2*dim*Mean(u**2)", "eta*dim*Mean(u**2)"),)),
            Mutant("a rate of any sign", drop=1, part=3),
            Mutant("the mean of gamma_k without weights", replace=(("rooms/gaps", "rooms/gaps**2*T"),), part=2),
        ),
        search_depths=(1,),
    ),
    Claim(
        id="chen.straight",
        title="A large gamma implies a trajectory close to a straight line",
        statement=(
            r"\text{satisfying the regularity principle with a large parameter } \gamma \text{ implies that the model "
            r"updates are well aligned with the trajectory direction and [the trajectory] is close to a straight line}"
        ),
        source=Source(PAPER, "section I.A; section II.B"),
        kind="printed",
        amended_by="chen.straight.amended",
        reading=(
            "Close to a straight line: its length is at most a constant C times |theta_0 - theta_T|, for all T; 1 is a "
            "line. The trajectory takes T orthogonal updates of one norm u, as independent noise in many dimensions "
            "does: <theta_k - theta_T, U_k> = eta u^2 at every step, its length is T eta u, and |theta_0 - theta_T|^2 "
            "= T (eta u)^2. With gaps eta u^2/(2 gamma) it obeys (2) for any gamma; at T = C^2 + 1 it breaks the bound."
        ),
        parts=(STRAIGHT,),
        mutants=(
            Mutant("the straighter the larger gamma", replace=(("<= C**2*", "<= (C/gamma)**2*"),)),
            Mutant("twice the constant, for these T", replace=(("C**2 + 1", "4*C**2 + 1"), ("<= C**2", "<= 4*C**2"))),
        ),
        search_depths=(1,),
    ),
    Claim(
        id="chen.straight.amended",
        title="Updates aligned with all that follow are no longer than sqrt(T) lines, and uncorrelated ones as long",
        statement=(
            r"\gamma_k (\ell_k - \inf \ell) = \tfrac{\eta}{2} \|U_k\|^2 + \langle \theta_{k+1} - \theta_T, U_k "
            r"\rangle; \quad \langle \theta_{k+1} - \theta_T, U_k \rangle \ge 0 \text{ for all } k < T \implies \sum_k "
            r"\|\theta_{k+1} - \theta_k\| \le \sqrt{T} \|\theta_0 - \theta_T\|; \quad \text{equal for orthogonal } U_k "
            r"\text{ of one norm, which obey the principle with any } \gamma \text{ at gaps } \tfrac{\eta}{2 \gamma} "
            r"\|U_k\|^2"
        ),
        source=Source(PAPER, "section I.A; section II.B"),
        kind="amended",
        amends="chen.straight",
        reading=(
            "The principle has two sources: the size of a step, which every step has, and its alignment with all that "
            "follow (part 1, a = theta_k - theta_T, so that a - eta u = theta_{k+1} - theta_T). gamma_k > 0 needs the "
            "first alone. Where the second is nowhere negative, squares of steps sum to no more than the squared "
            "distance (part 2 a step, part 3 their sum, after being 0 at T), and lengths s to sqrt(T) times it (part "
            "4). Orthogonal updates of one norm (part 5) obey (2), and have that length."
        ),
        argument=(
            "By induction over k, the squares of the first k steps sum to at most |theta_0 - theta_T|^2 - |theta_k - "
            "theta_T|^2: with an empty sum at k = 0, and by part 2 put into part 3 from k to k + 1. In part 5 "
            "|theta_0 - theta_T|^2 is the sum of squares, as orthogonal updates have it."
        ),
        parts=(AHEAD_OF_A_STEP, SQUARE_OF_A_STEP, SQUARE_OF_THE_NEXT, LENGTH, ORTHOGONAL),
        mutants=(
            Mutant("no longer than the line", replace=(("<= T*start", "<= start"),), part=3),
            Mutant("steps that lead back", drop=0, part=1),
            Mutant("a whole square of its size", replace=(("room == eta/2", "room == eta"),)),
            Mutant("twice the gap", replace=(("eta*u**2/(2*gamma)", "eta*u**2/gamma"),), part=4),
        ),
        search_depths=(1,),
    ),
)

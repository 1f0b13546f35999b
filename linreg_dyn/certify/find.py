"""Finding proofs that the checker accepts.

A *tactic* is a function `(context, goal) -> proof`, where `context` and `goal` are the checker's own; tactics
compose (`split`, `have`, `lemma`) down to the leaves `identity` and `positive`. Nothing here is trusted: every proof
goes through the checker.

Hypotheses, each an expression that is >= 0 (or > 0), have names:

| name | is |
| --- | --- |
| `a0.0`, `a0.1`, `a1.0` | right side minus left (of > and >= left minus right) of the relations of each assumption |
| `a0.0+`, `a0.0-` | of `abs(e) < b`: `b - e` and `b + e` |
| `a0.0[i]`, `a0.0[j]` | an assumption about every layer, for the layers i and j |
| `s`, `q0`, `q1`, ... | what `split`, `lemma` (one for each conclusion), `have`, `bounded_integral` add as `name` |
| `depth`, `S` | of "layers": their number, and `Sum(1/w**2)` |
| `inv`, `inv[i]`, `inv[j]`, `rest` | `1/w**2`, and S without the layers i, j that the goal names |
| `p`, `room` | of "simplex": an entry; in an `induction` 1 - s - p |
| `sq e`, `sumsq e` | `e**2` and `Sum(e**2)` for any e (in `by_hand` and as `squares`) |
| `exp e`, `tangent e` | `exp(e)` and `exp(e) - 1 - e` for any e (in `by_hand`) |

Assumed equations are no hypotheses: `identity`, `positive`, `by_hand` and `mean` take away multiples of left side minus
right, as in `identity(a0_0="x + 1")` for x + 1 times that of `a0.0`, with `_` for the `.`. The
atoms that an `Axis` is about are `x`; `w`, `w[i]`, `w[j]`, `prod(w)`, `sum(w^-2)` (of w**-2), `#depth` and `#Q0`, the
first product that is not `Prod(w)`, divided by it; at a fixed depth `w[0]`, `w[1]`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

from linreg_dyn.certify import checker
from linreg_dyn.certify.checker import ONE, Context, R
from linreg_dyn.certify.expand import Axis, NotFound, as_json, expand, levelled

__all__ = [
    "Axis",
    "NotFound",
    "Tactic",
    "bounded_integral",
    "boxes",
    "by_hand",
    "certify_part",
    "have",
    "identity",
    "induction",
    "lemma",
    "mean",
    "positive",
    "split",
    "steps",
]

Tactic = Callable[[Context, Any], dict[str, Any]]


def identity(**modulo: str) -> Tactic:
    """Both sides are the same rational function, up to multiples of assumed equations (`name=cofactor`)."""
    return lambda context, goal: {"rule": "identity", "modulo": _dotted(modulo)}


def _dotted(modulo: dict[str, str]) -> dict[str, str]:
    return {name.replace("_", "."): cofactor for name, cofactor in modulo.items()}


def split(on: str, ge: Tactic, le: Tactic, *, name: str = "s", nonzero: str | None = None) -> Tactic:
    """Cases `on >= 0` and `on <= 0`, as hypothesis `name`; strict if the assumption `nonzero` is `on != 0`."""

    def tactic(context: Context, goal: Any) -> dict[str, Any]:
        e = context.expression(on)
        strict = nonzero is not None
        proof = {
            "rule": "split",
            "on": on,
            "name": name,
            "ge": ge(context.branch(name, e, strict), goal),
            "le": le(context.branch(name, -e, strict), goal),
        }
        return {**proof, "nonzero": nonzero} if strict else proof

    return tactic


def lemma(id: str, bind: dict[str, str], assume: Sequence[Tactic], then: Tactic, *, name: str = "q") -> Tactic:
    """Use part `#n` of a lemma about the simplex: prove its assumptions at `bind`, add its conclusions."""

    def tactic(context: Context, goal: Any) -> dict[str, Any]:
        claim, _, number = id.partition("#")
        part = context.lemmas[claim]["parts"][int(number)]
        (vector,) = (n for n, kind in part["given"].items() if kind == "simplex")
        bound = {n: context.expression(t) for n, t in bind.items()}
        inner = checker.Scope({**bound, vector: R.atom(vector)}, part["where"], vector, "simplex")
        proofs = []
        for text, search in zip(part["assume"], assume, strict=True):
            ((a, relation, b),) = checker.relations(text)
            proofs.append(search(context, (R.of(inner(a)), relation, R.of(inner(b)))))
        proof = {"rule": "lemma", "id": id, "bind": bind, "assume": proofs, "name": name}
        return {**proof, "then": then(checker.use_lemma(context, proof), goal)}

    return tactic


def mean(of: str, then: Tactic, **modulo: str) -> Tactic:
    """The two sides differ by the mean of `of`, which is nonnegative pointwise."""

    def tactic(context: Context, goal: Any) -> dict[str, Any]:
        inner = context.expression(of)
        pointwise = context.for_every(context.scope.samples)
        return {"rule": "mean", "of": of, "modulo": _dotted(modulo), "then": then(pointwise, (R.of(0), "<=", inner))}

    return tactic


def have(that: str, by: Tactic, then: Tactic, *, name: str) -> Tactic:
    """Prove an inequality first and use it as hypothesis `name`."""

    def tactic(context: Context, goal: Any) -> dict[str, Any]:
        ((a, relation, b),) = checker.relations(that)
        step = context.expression(a), relation, context.expression(b)
        proof = {"rule": "have", "that": that, "name": name, "by": by(context, step)}
        return {**proof, "then": then(context.having(name, step), goal)}

    return tactic


def bounded_integral(
    of: str, relation: str, primitive: str, by: Tactic, then: Tactic, *, ordered: Tactic | None = None, name: str
) -> Tactic:
    """Bound `Integral(g, s, a, b)` by the rise of `primitive` from a to b, where g is at most (at least) its slope.

    `by` shows that, with the hypotheses `s-` (s - a >= 0) and `s+` (b - s >= 0); `ordered` that a <= b.
    """

    def tactic(context: Context, goal: Any) -> dict[str, Any]:
        node: Any = checker.parse(of)
        inner, s, low, high = context.bound_variable(node)
        slope = R.of(inner.scope(primitive)).diff(lambda a: R.of(int(a == s)))
        proof = {
            "rule": "integral",
            "of": of,
            "relation": relation,
            "primitive": primitive,
            "name": name,
            "ordered": (ordered or positive())(context, (low, "<=", high)),
            "by": by(inner, (R.of(inner.scope(node.args[0])), relation, slope)),
        }
        return {**proof, "then": then(checker.bound_integral(context, proof), goal)}

    return tactic


def boxes(precision: tuple[int, int] = (53, 8), cuts: int = 500) -> Tactic:
    """Enclose over the box of the hypotheses, cut in two across its widest side (as first given) until it is shown."""

    def tactic(context: Context, goal: Any) -> dict[str, Any]:
        relation = goal[1]
        a, b = (s if isinstance(s, R) else R.of(context.scope(s, checker.PAIR)) for s in (goal[0], goal[2]))
        e, whole = b - a if relation in ("<", "<=") else a - b, context.box()
        left = cuts

        def tree(box: dict[str, tuple[Fraction, Fraction]]) -> Any:
            nonlocal left
            try:
                checker.cover(e, relation in ("<", ">"), box, "whole", precision)
                return "whole"
            except checker.Refused as error:
                left -= 1
                if left < 0 or not box:
                    raise NotFound(f"not shown after {cuts} cuts of the box: {error}") from error
            name = max(box, key=lambda n: (box[n][1] - box[n][0]) / ((whole[n][1] - whole[n][0]) or 1))
            low, high = box[name]
            middle = (low + high) / 2
            return [name, str(middle), tree({**box, name: (low, middle)}), tree({**box, name: (middle, high)})]

        box = {name: ends for name, ends in whole.items() if name in e.atoms()}
        return {"rule": "boxes", "precision": list(precision), "tree": tree(box)}

    return tactic


def steps(*facts: tuple[str, str, Tactic], then: Tactic) -> Tactic:
    """Several inequalities one after another, as (name, inequality, how), and then the goal."""
    for name, that, by in reversed(facts):
        then = have(that, by, then, name=name)
    return then


def induction(bound: str, factor: Tactic, step: Tactic, defined: Tactic | None = None) -> Tactic:
    """A bound on a product over the simplex, by induction over the layers (see the checker)."""

    def tactic(context: Context, goal: Any) -> dict[str, Any]:
        a, relation, _ = goal
        scope, p = context.scope, R.atom(context.scope.generic)
        s, one_factor = R.atom("#s"), R.of(scope(a.args[0]))
        inner = checker.Scope({**scope.values, "s": s}, (), scope.generic, scope.kind)
        f = R.of(inner(bound))
        change = R.of(f.at({"#s": s + p})) - f * one_factor
        new = context.for_every([scope.generic]).branch("s", s, False).branch("room", 1 - s - p, False)
        new.scope.values = inner.values
        proof = {
            "rule": "induction",
            "bound": bound,
            "factor": factor(new, (R.of(0), "<=", one_factor)),
            "step": step(new, (R.of(0), "<=", change if relation == "<=" else -change)),
        }
        if f.den is ONE:
            return proof
        assert defined is not None, "the bound has a denominator"
        return {**proof, "defined": defined(new, (R.of(0), "<", R(f.den)))}

    return tactic


def positive(
    *axes: Axis, times: str = "1", by: str = "", squares: Sequence[tuple[str, str]] = (), **modulo: str
) -> Tactic:
    """`times * (rhs - lhs)` minus `sum coefficient * square`, expanded along the axes with coefficients >= 0.

    Multiples of assumed equations (`name=cofactor`) are taken from `rhs - lhs` (of > and >=: `lhs - rhs`) first.

    `times` must itself expand so; `by` is a product of hypotheses ("a * b") to multiply with as well; `squares`
    are pairs (coefficient, square) with the square's expression as the checker names it: "sq e" for e^2,
    "sumsq e" for the sum of e^2 over the layers.
    """

    def tactic(context: Context, goal: Any) -> dict[str, Any]:
        relation = goal[1]
        a, b = (s if isinstance(s, R) else R.of(context.scope(s, checker.PAIR)) for s in (goal[0], goal[2]))
        extra = {"modulo": _dotted(modulo)} if modulo else {}
        e = (b - a if relation in ("<", "<=") else a - b) - context.vanishing(extra)
        factor = R.of(context.scope(times, checker.PAIR))
        names = _read([("1", by)])
        target, pieces = factor * context.combination(names)[0] * e, []
        for coefficient, square in squares:
            c = R.of(context.scope(coefficient, checker.PAIR))
            value, _ = context.combination([["1", {square: 1}]])
            target -= c * value
            pieces.append((*expand(context, c, axes), {square: 1}))
        pieces.append((*expand(context, target, axes), {}))
        plain = [axis._replace(degree=0) for axis in axes]  # elevation would only hide that the factor is positive
        pieces.append((*expand(context, factor, plain), names[0][1]))
        found, _ = levelled(pieces)
        return {
            "rule": "terms",
            "multiplier": as_json(found.pop()),
            "terms": as_json([t for terms in found for t in terms]),
            **extra,
        }

    return tactic


def by_hand(*terms: tuple[str, str], multiplier: Sequence[tuple[str, str]] = (("1", ""),), **modulo: str) -> Tactic:
    """A written-out combination: pairs of a coefficient and hypotheses, as in `("1/2", "a0.0 * a0.0 * sq W-1")`.

    It is what `multiplier` times the difference of the sides is, less multiples of assumed equations as in `positive`.
    """
    proof = {"rule": "terms", "multiplier": _read(multiplier), "terms": _read(terms)}
    return lambda context, goal: {**proof, "modulo": _dotted(modulo)} if modulo else proof


def _read(pairs: Sequence[tuple[str, str]]) -> list[list[Any]]:
    names = [[n for n in product.split(" * ") if n] for _, product in pairs]
    return [[c, {n: row.count(n) for n in row}] for (c, _), row in zip(pairs, names, strict=True)]


def certify_part(formal: dict[str, Any], tactics: Sequence[Tactic], lemmas: dict[str, Any]) -> dict[str, Any]:
    """The part with its proofs, found by the tactics and accepted by the checker.

    Raises `NotFound` or the checker's `Refused`, whatever goes wrong in a tactic.
    """
    goals = list(checker.goals_of(formal))
    if len(goals) != len(tactics):
        raise NotFound(f"{len(tactics)} tactics for {len(goals)} relations")
    proofs = []
    for n, (search, goal) in enumerate(zip(tactics, goals, strict=True), 1):
        try:
            proofs.append(json.loads(json.dumps(search(Context(formal, lemmas, goal), goal))))  # as it is written
            checker.prove(Context(formal, lemmas, goal), goal, proofs[-1])
        except (NotFound, checker.Refused):
            raise
        except Exception as error:  # a tactic is anyone's: names that are not there, a function where a proof should be
            raise NotFound(f"the tactic of relation {n} failed: {type(error).__name__}: {error}") from error
    return {**formal, "proof": proofs}

"""Finding proofs that the checker accepts.

A *tactic* is a function `(context, goal) -> proof`, where `context` and `goal` are the checker's own; tactics
compose (`split`, `have`, `lemma`) down to the leaves `identity` and `positive`. `positive` writes
`multiplier * (rhs - lhs)` as a nonnegative combination of products of hypotheses, variable by variable: in the
Bernstein basis between two hypotheses that bound a variable, in powers of one that bounds it on one side
(Handelman 1988; Bernstein's degree elevation). Nothing here is trusted: every proof goes through the checker.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from math import comb
from typing import Any, NamedTuple

from linreg_dyn.certify import checker
from linreg_dyn.certify.checker import ONE, Context, R

Tactic = Callable[[Context, Any], dict[str, Any]]
Terms = list[tuple[Fraction, dict[str, int]]]


class NotFound(Exception):
    """No proof was found; the message says where the search stopped."""


class Axis(NamedTuple):
    """How to expand in one atom (or a power of it): between hypotheses `low` and `high`, or from one of them.

    `width` names a hypothesis proportional to the distance between the two bounds, where that is no number.
    `degree` elevates the Bernstein degree.
    """

    atom: str
    low: str | None = None
    high: str | None = None
    width: str | None = None
    power: int = 1
    degree: int = 0


def identity(**modulo: str) -> Tactic:
    """Both sides are the same rational function, up to multiples of assumed equations (`name=cofactor`)."""
    return lambda context, goal: {
        "rule": "identity",
        "modulo": {k.replace("_", "."): v for k, v in modulo.items()},
    }


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
        cofactors = {k.replace("_", "."): v for k, v in modulo.items()}
        return {"rule": "mean", "of": of, "modulo": cofactors, "then": then(pointwise, (R.of(0), "<=", inner))}

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


def positive(*axes: Axis, times: str = "1", by: str = "", squares: Sequence[tuple[str, str]] = ()) -> Tactic:
    """`times * (rhs - lhs)` minus `sum coefficient * square`, expanded along the axes with coefficients >= 0.

    `times` must itself expand so; `by` is a product of hypotheses ("a * b") to multiply with as well; `squares`
    are pairs (coefficient, square) with the square's expression as the checker names it: "sq e" for e^2,
    "sumsq e" for the sum of e^2 over the layers.
    """

    def tactic(context: Context, goal: Any) -> dict[str, Any]:
        relation = goal[1]
        a, b = (s if isinstance(s, R) else R.of(context.scope(s, checker.PAIR)) for s in (goal[0], goal[2]))
        e = b - a if relation in ("<", "<=") else a - b
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
        common = _lcm([scale for _, scale, _ in pieces])
        scaled = [
            _scale(terms, _add_powers(extra, {k: n - scale.get(k, 0) for k, n in common.items()}))
            for terms, scale, extra in pieces
        ]
        return {
            "rule": "terms",
            "multiplier": _json(scaled.pop()),
            "terms": _json([t for terms in scaled for t in terms]),
        }

    return tactic


def by_hand(*terms: tuple[str, str], multiplier: Sequence[tuple[str, str]] = (("1", ""),)) -> Tactic:
    """A written-out combination: pairs of a coefficient and hypotheses, as in `("1/2", "a0.0 * a0.0 * sq W-1")`."""

    return lambda context, goal: {"rule": "terms", "multiplier": _read(multiplier), "terms": _read(terms)}


def _read(pairs: Sequence[tuple[str, str]]) -> list[list[Any]]:
    names = [[n for n in product.split(" * ") if n] for _, product in pairs]
    return [[c, {n: row.count(n) for n in row}] for (c, _), row in zip(pairs, names, strict=True)]


def expand(context: Context, e: R, axes: Sequence[Axis]) -> tuple[Terms, dict[str, int]]:
    """(terms, scale): scale * e as nonnegative terms, `scale` a product of hypotheses."""
    e = R(polynomial(e))
    if not e.num:
        return [], {}
    if not axes:
        if set(e.num) != {()}:
            raise NotFound(f"no axis for {sorted(e.atoms())}")
        if e.num[()] < 0:
            raise NotFound(f"negative coefficient {e.num[()]}")
        return [(e.num[()], {})], {}
    axis, rest = axes[0], axes[1:]
    coefficients = _powers(e, axis)
    z = R.atom(axis.atom) ** axis.power
    if axis.low is None or axis.high is None:
        ends = [(h, *_line(context, h, z, axis)) for h in (axis.low, axis.high) if h is not None]
        ((hypothesis, slope, root),) = ends
        # z = root + h / slope: expand in powers of h
        shifted = _shift(coefficients, root, R.of(1) / slope)
        found = [(k, {hypothesis: k}, c) for k, c in enumerate(shifted)]
        extra: dict[str, int] = {}
    else:
        s, low = _line(context, axis.low, z, axis)
        t, high = _line(context, axis.high, z, axis)
        n = max(len(coefficients) - 1, axis.degree)
        g = _shift(coefficients, low, high - low)
        bernstein = [
            sum((c * Fraction(comb(i, k), comb(n, k)) for k, c in enumerate(g[: i + 1])), R.of(0)) for i in range(n + 1)
        ]
        width, extra = high - low, {}
        if axis.width is not None:
            extra = {axis.width: n} if n else {}
            width = width / context.hypotheses[axis.width][0]
        found = [
            (i, {axis.low: i, axis.high: n - i}, b * comb(n, i) / (s**i * (-t) ** (n - i) * width**n))
            for i, b in enumerate(bernstein)
        ]
    pieces = [(*expand(context, c, rest), {k: v for k, v in powers.items() if v}) for _, powers, c in found]
    common = _lcm([scale for _, scale, _ in pieces])
    terms: Terms = []
    for sub, scale, powers in pieces:
        terms += _scale(sub, _add_powers(powers, {k: n - scale.get(k, 0) for k, n in common.items()}))
    return terms, _add_powers(common, extra)


def _powers(e: R, axis: Axis) -> list[R]:
    """Coefficients of e in powers of the axis's atom."""
    out: dict[int, R] = {}
    for m, c in e.num.items():
        n, remainder = divmod(dict(m).get(axis.atom, 0), axis.power)
        if remainder or n < 0:
            raise NotFound(f"not a polynomial in {axis.atom}^{axis.power}")
        out[n] = out.get(n, R.of(0)) + R({tuple(t for t in m if t[0] != axis.atom): c})
    return [out.get(k, R.of(0)) for k in range(max(out, default=0) + 1)]


def _line(context: Context, name: str, z: R, axis: Axis) -> tuple[R, R]:
    """(slope, root) of a hypothesis that is linear in z."""
    if name not in context.hypotheses:
        raise NotFound(f"no hypothesis {name}; there are {sorted(context.hypotheses)}")
    line = context.hypotheses[name][0]
    parts = _powers(R(line.num), axis)
    if len(parts) != 2:
        raise NotFound(f"{name} is not linear in {axis.atom}^{axis.power}")
    return R(polynomial(parts[1] / R(line.den))), -parts[0] / parts[1]


def _shift(coefficients: list[R], root: R, unit: R) -> list[R]:
    """Coefficients in u of the polynomial at z = root + unit * u."""
    n = len(coefficients)
    return [
        sum((coefficients[m] * comb(m, k) * root ** (m - k) for m in range(k, n)), R.of(0)) * unit**k for k in range(n)
    ]


def polynomial(e: R) -> dict[Any, Fraction]:
    """The Laurent polynomial that e is; raises `NotFound` if the denominator does not divide."""
    if e.den is ONE:
        return e.num
    atoms = sorted(e.atoms())

    def lead(p: dict[Any, Fraction]) -> tuple[int, ...]:
        return max(tuple(dict(m).get(a, 0) for a in atoms) for m in p)

    def as_key(powers: tuple[int, ...]) -> Any:
        return tuple((a, k) for a, k in zip(atoms, powers, strict=True) if k)

    rest, quotient, top = R(e.num), R.of(0), lead(e.den)
    low = {a: min(dict(m).get(a, 0) for m in e.num) - min(dict(m).get(a, 0) for m in e.den) for a in atoms}
    while rest.num:
        first = lead(rest.num)
        powers = tuple(a - b for a, b in zip(first, top, strict=True))
        if any(k < low[a] for a, k in zip(atoms, powers, strict=True)):
            raise NotFound("not a polynomial after clearing denominators")
        term = R({as_key(powers): rest.num[as_key(first)] / e.den[as_key(top)]})
        quotient, rest = quotient + term, rest - term * R(dict(e.den))
    return quotient.num


def _lcm(scales: Sequence[dict[str, int]]) -> dict[str, int]:
    return {k: max(s.get(k, 0) for s in scales) for k in sorted({k for s in scales for k in s})}


def _add_powers(p: dict[str, int], q: dict[str, int]) -> dict[str, int]:
    return {k: p.get(k, 0) + q.get(k, 0) for k in {**p, **q} if p.get(k, 0) + q.get(k, 0)}


def _scale(terms: Terms, powers: dict[str, int]) -> Terms:
    return [(c, _add_powers(own, powers)) for c, own in terms]


def _json(terms: Terms) -> list[list[Any]]:
    """Terms as JSON, like terms collected."""
    out: dict[tuple[tuple[str, int], ...], Fraction] = {}
    for c, powers in terms:
        key = tuple(sorted((k, n) for k, n in powers.items() if n and k != "one"))
        out[key] = out.get(key, Fraction(0)) + c
    return [[str(c), dict(key)] for key, c in sorted(out.items()) if c]


def certify_part(formal: dict[str, Any], tactics: Sequence[Tactic], lemmas: dict[str, Any]) -> dict[str, Any]:
    """The part with its proofs, found by the tactics and accepted by the checker."""
    goals = list(checker.goals_of(formal))
    if len(goals) != len(tactics):
        raise NotFound(f"{len(tactics)} tactics for {len(goals)} relations")
    try:
        proofs = [search(Context(formal, lemmas, goal), goal) for search, goal in zip(tactics, goals, strict=True)]
    except KeyError as error:
        raise NotFound(f"a tactic names what is not there: {error}") from error
    part = {**formal, "proof": proofs}
    checker.check_part(part, lemmas)
    return part

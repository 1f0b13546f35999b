"""Writing an expression as a nonnegative combination of products of hypotheses, variable by variable.

In the Bernstein basis between two hypotheses that bound a variable, in powers of one that bounds it on one side
(Handelman 1988; Bernstein's degree elevation).
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import comb
from typing import Any, NamedTuple

from linreg_dyn.certify.checker import ONE, Context, R

Terms = list[tuple[Fraction, dict[str, int]]]
"""Coefficients, each with the powers of the hypotheses that it multiplies."""


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


def expand(
    context: Context, e: R, axes: Sequence[Axis], powers: dict[str, int] | None = None
) -> tuple[Terms, dict[str, int]]:
    """(terms, scale): scale * e as nonnegative terms, `scale` a product of hypotheses; `powers` is what e is at."""
    e = R(polynomial(e))
    if not e.num:
        return [], {}
    if not axes:
        if set(e.num) != {()}:
            raise NotFound(f"no axis for {sorted(e.atoms())}")
        if e.num[()] < 0:
            product = " * ".join(f"({h})^{n}" for h, n in (powers or {}).items() if n)
            raise NotFound(f"negative coefficient {e.num[()]} of {product or '1'}")
        return [(e.num[()], {})], {}
    axis, rest = axes[0], axes[1:]
    coefficients = _powers(e, axis)
    z = R.atom(axis.atom) ** axis.power
    if axis.low is None and axis.high is None:
        raise NotFound(f"the axis {axis.atom} goes from or to no hypothesis; there are {sorted(context.hypotheses)}")
    if axis.low is None or axis.high is None:
        ends = [(h, *_line(context, h, z, axis)) for h in (axis.low, axis.high) if h is not None]
        ((hypothesis, slope, root),) = ends
        # z = root + h / slope: expand in powers of h
        shifted = _shift(coefficients, root, R.of(1) / slope)
        found = [({hypothesis: k}, c) for k, c in enumerate(shifted)]
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
            ({axis.low: i, axis.high: n - i}, b * comb(n, i) / (s**i * (-t) ** (n - i) * width**n))
            for i, b in enumerate(bernstein)
        ]
    pieces = [
        (*expand(context, c, rest, {**(powers or {}), **own}), {k: v for k, v in own.items() if v}) for own, c in found
    ]
    levels, common = levelled(pieces)
    return [term for terms in levels for term in terms], _add_powers(common, extra)


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


def levelled(pieces: Sequence[tuple[Terms, dict[str, int], dict[str, int]]]) -> tuple[list[Terms], dict[str, int]]:
    """Pieces (terms, their scale, powers to multiply them with) brought to one scale, and that scale."""
    scales = [scale for _, scale, _ in pieces]
    common = {k: max(s.get(k, 0) for s in scales) for k in sorted({k for s in scales for k in s})}
    levels = []
    for terms, scale, powers in pieces:
        factor = _add_powers(powers, {k: n - scale.get(k, 0) for k, n in common.items()})
        levels.append([(c, _add_powers(own, factor)) for c, own in terms])
    return levels, common


def _add_powers(p: dict[str, int], q: dict[str, int]) -> dict[str, int]:
    return {k: p.get(k, 0) + q.get(k, 0) for k in {**p, **q} if p.get(k, 0) + q.get(k, 0)}


def as_json(terms: Terms) -> list[list[Any]]:
    """Terms as JSON, like terms collected."""
    out: dict[tuple[tuple[str, int], ...], Fraction] = {}
    for c, powers in terms:
        key = tuple(sorted((k, n) for k, n in powers.items() if n and k != "one"))
        out[key] = out.get(key, Fraction(0)) + c
    return [[str(c), dict(key)] for key, c in sorted(out.items()) if c]

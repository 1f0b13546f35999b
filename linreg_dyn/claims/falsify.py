"""Search for exact counterexamples, and make the ones that are found small.

Instances are drawn with simple numbers first and at the smallest depth first, so that the first witness is
already near the smallest; `shrink` then simplifies each number while the witness stays one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from random import Random
from typing import Any

from linreg_dyn.certify import checker
from linreg_dyn.claims.core import Part

OPEN = ("layers", "simplex")  # kinds of vectors whose depth is left open
LEVELS = 12
MORE = 4


def rational(rng: Random, low: float | Fraction, high: float | Fraction, level: int) -> Fraction:
    """A rational strictly inside (low, high): simple, or at higher levels also close to an end."""
    low, high = Fraction(low), Fraction(high)
    width = high - low
    if rng.random() < 0.5:
        gap = width / 2 ** rng.randint(1, 2 + 2 * level)
        return low + gap if rng.random() < 0.5 else high - gap
    n = 2 ** rng.randint(1, level + 1) * rng.choice((1, 3, 5))
    return low + width * Fraction(rng.randint(1, n - 1) if n > 1 else 1, n)


def signed(rng: Random, level: int) -> Fraction:
    """A nonzero rational of any sign and, at higher levels, of many orders of magnitude."""
    value = Fraction(rng.randint(1, 2 + level), rng.randint(1, 2 + level))
    return rng.choice((1, 1, -1)) * value * Fraction(10) ** rng.randint(-(level // 3), level // 3)


def approximate(x: float, level: int) -> Fraction:
    """A rational near x, nearer at higher levels; never zero for x != 0."""
    value = Fraction(x).limit_denominator(2 ** (1 + 2 * level))
    return value if value else Fraction(x)


def weights(rng: Random, depth: int, level: int, W: Fraction) -> list[Fraction]:
    """Nonzero weights with product exactly W, in the shapes that matter: p = (1/w_i^2)/sum(1/w_j^2) near a
    vertex, near the middle of an edge, near the centre, or anywhere."""
    shape = rng.choice(("vertex", "edge", "centre", "random"))
    big = Fraction(2 ** rng.randint(1, 1 + level))
    if depth == 1:
        return [W]
    if shape == "vertex":
        w = [big] * (depth - 1)
    elif shape == "edge":
        w = [big] * (depth - 2)
        w.append(approximate(math.sqrt(abs(W / big ** (depth - 2))), level))
    elif shape == "centre":
        w = [approximate(abs(W) ** (1 / depth), level)] * (depth - 1)
    else:
        w = [signed(rng, level) for _ in range(depth - 1)]
    last = W / math.prod(w)
    w.insert(rng.randint(0, len(w)), last)
    return w


def layers(rng: Random, depth: int, level: int) -> list[Fraction]:
    """Nonzero weights: of any product, or of a product near 1 or 1 itself, where the nets have their minima."""
    if rng.random() < 0.5:
        return [signed(rng, level) for _ in range(depth)]
    off = Fraction(rng.choice((0, 0, 1, -1)), 2 ** rng.randint(1, 2 + 2 * level))
    return weights(rng, depth, level, 1 + off)


def simplex(rng: Random, depth: int, level: int) -> list[Fraction]:
    """A point of the open simplex."""
    parts = [Fraction(rng.randint(1, 2 ** rng.randint(0, level))) for _ in range(depth)]
    return [part / sum(parts) for part in parts]


def draw(part: Part, rng: Random, depth: int, level: int) -> dict[str, Any]:
    """An instance of the part, by its own sampler or, by default, anything of the right type.

    By default numbers may be 0, in some instances one here and there and in others most of them: what fails only
    where all of several are 0 is found too.
    """
    if part.sample is not None:
        return part.sample(rng, depth, level)
    zeros = rng.choice((0, 0, 0, 0, 1 / 6, 3 / 4))

    def number() -> Fraction:
        return Fraction(0) if rng.random() < zeros else signed(rng, level)

    out: dict[str, Any] = {}
    for name, kind in part.given.items():
        if kind.startswith("layers"):
            out[name] = layers(rng, depth if kind == "layers" else int(kind.split(":")[1]), level)
        elif kind.startswith("vector:"):
            out[name] = [number() for _ in range(int(kind.split(":")[1]))]
        elif kind == "simplex":
            out[name] = simplex(rng, depth, level)
        elif kind == "real":
            out[name] = number()
        else:
            raise ValueError(f"{name}: a sampler is needed for {kind}")
    return out


def test(formal: dict[str, Any], given: dict[str, Any]) -> tuple[bool | None, str | None]:
    """(admitted, broken conclusion or None) as `checker.truth`; a point without a value is not admitted."""
    try:
        return checker.truth(formal, given)
    except (ZeroDivisionError, checker.Untold):
        return False, None


def search(
    part: Part, depths: Sequence[int], *, tries: int, seed: int, more: int = MORE
) -> tuple[dict[str, Any] | None, str | None, int, int, int]:
    """(witness, broken conclusion, tried, admitted, untold), at the smallest depth that has a witness.

    Instances that meet what is assumed are `admitted`, or `untold` if what is concluded cannot be told.
    Up to `more` witnesses are drawn there, each is shrunk, and the shortest is kept.
    """
    formal, tried, admitted, untold = part.formal(), 0, 0, 0
    vectors = any(kind in OPEN for kind in part.given.values())
    for depth in depths if vectors else depths[:1]:
        rng = Random(f"{seed}/{depth}")
        found: list[tuple[int, str, dict[str, Any]]] = []
        last = tries if part.given else 1
        for n in range(last):
            given = draw(part, rng, depth, 1 + n * LEVELS // tries)
            ok, broken = test(formal, given)
            tried, admitted, untold = tried + 1, admitted + (ok is True), untold + (ok is None)
            if ok and broken:
                small = shrink(formal, given, broken)
                found.append((size(small), broken, small))
            if len(found) == more:
                break
        if found:
            _, broken, small = min(found, key=lambda item: item[0])
            return small, broken, tried, admitted, untold
    return None, None, tried, admitted, untold


def size(given: dict[str, Any]) -> int:
    """The height of a witness: the sum of all its numerators and denominators (one more for each sign)."""
    numbers = [Fraction(x) for v in given.values() for x in (v if isinstance(v, list) else [v])]
    return sum(abs(x.numerator) + x.denominator + (x < 0) for x in numbers)


def shrink(formal: dict[str, Any], given: dict[str, Any], broken: str) -> dict[str, Any]:
    """The witness with every number as simple as it can be while the same conclusion stays broken."""
    best = given
    improved = True
    while improved:
        improved = False
        for name, value in list(best.items()):
            entries = value if isinstance(value, list) else [value]
            for k, x in enumerate(map(Fraction, entries)):
                for simple in dict.fromkeys(y for n in (1, 2, 3, 4, 8, 16, 100) for y in _near(x, n)):
                    new = dict(best)
                    new[name] = [*best[name][:k], simple, *best[name][k + 1 :]] if isinstance(value, list) else simple
                    if size(new) < size(best) and _is_witness(formal, new, broken):
                        best, improved = new, True
                        break
    return best


def _near(x: Fraction, n: int) -> tuple[Fraction, ...]:
    return x.limit_denominator(n), Fraction(math.floor(x * n), n), Fraction(math.ceil(x * n), n), abs(x), Fraction(1)


def _is_witness(formal: dict[str, Any], given: dict[str, Any], broken: str) -> bool:
    try:
        return test(formal, given) == (True, broken)
    except checker.Refused:
        return False

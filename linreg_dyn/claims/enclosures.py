"""Values of constants for `claims.json`: exact rationals, and decimals rounded outward by ball arithmetic."""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal
from fractions import Fraction

from flint import arb, ctx, fmpq

from linreg_dyn.certify.find import positive
from linreg_dyn.claims.core import Part

DIGITS = 20


def exact(value: str | Fraction | int) -> dict[str, str]:
    """An exact rational as a degenerate enclosure."""
    text = str(Fraction(value))
    return {"lower": text, "upper": text}


def outward(ball: arb, digits: int = DIGITS) -> dict[str, str]:
    """A decimal enclosure of a ball, each end rounded away from the middle; raises ValueError if it is not finite."""
    if not ball.is_finite():
        raise ValueError(f"no finite enclosure: {ball}")
    ends = []
    for end, rounding in ((ball.lower(), ROUND_FLOOR), (ball.upper(), ROUND_CEILING)):
        mantissa, exponent = (int(part) for part in end.man_exp())
        value = Fraction(mantissa) * Fraction(2) ** exponent
        ends.append(
            str(Context(prec=digits, rounding=rounding).divide(Decimal(value.numerator), Decimal(value.denominator)))
        )
    return {"lower": ends[0], "upper": ends[1]}


def ball(value: str | Fraction | int) -> arb:
    """A rational as a ball."""
    x = Fraction(value)
    return arb(fmpq(x.numerator, x.denominator))


def root(value: str | Fraction | int, n: int) -> dict[str, str]:
    """The n-th root of a positive rational, enclosed."""
    old, ctx.prec = ctx.prec, 128
    try:
        return outward(ball(value) ** (arb(1) / n))
    finally:
        ctx.prec = old


def root_part(value: str | Fraction | int, n: int) -> Part:
    """The enclosure of `root` as a statement about rationals, so that the certificate of a claim contains it."""
    ends = root(value, n)
    lower, upper = (Fraction(ends[end]) for end in ("lower", "upper"))
    return Part({}, (f"({lower})**{n} <= {Fraction(value)} <= ({upper})**{n}",), tactics=(positive(), positive()))

"""Eq. 3 of Lewkowycz & Gur-Ari in ball arithmetic: certified values of `modes.mode_solution`.

With m, a, u, q and the weight B of the label as in `_modes`, but by other means. As long as the kernel is strong (a
and u at least 1, or k < 1), by certified quadrature of

    B = integral from 0 to G of e^(-w) (1 + w/u)^(-q) dw,      G = a - u;

what is left out beyond some w is at most the integrand there, which falls at least as `e^(-w)`. Where it is faint
(a <= 1) by the alternating series of `e^(-v)` under the integral over v from u to a, whose remainder is at most its
next term. A kernel that becomes faint is split at v = 1.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
from flint import acb, arb, ctx, fmpq

from linreg_dyn._checks import integer

_NAMES = ("t", "eigenvalue", "f0", "y", "l2", "degree")
_MOST_BITS = 100_000


def mode_enclosure(t: Any, eigenvalue: Any, f0: Any, y: Any, *, l2: Any, degree: Any, precision: int = 128) -> Any:
    """Balls (`flint.arb`) that contain the exact f(t) of eq. 3, with conventions, units and ranges of `mode_solution`.

    The arguments are numbers, or arrays of them, that broadcast: float, int, or Fraction, each taken as exact. The
    result is one ball, or an object array of the common shape. The radius is about `2^-precision (|A f0| + |B y|)`.

    Raises:
        TypeError, ValueError: as in `mode_solution`; times must be finite here.
        ArithmeticError: exponents beyond 1e15, for which no finite ball is found.
    """
    bits = integer("precision", precision, least=2, most=_MOST_BITS)
    try:
        columns = np.broadcast_arrays(*(np.asarray(x, dtype=object) for x in (t, eigenvalue, f0, y, l2, degree)))
    except ValueError:
        shapes = zip(_NAMES, map(np.shape, (t, eigenvalue, f0, y, l2, degree)), strict=True)
        named = ", ".join(f"{name} {shape}" for name, shape in shapes if shape)
        raise ValueError(f"shapes must broadcast against each other, got {named}") from None
    out = np.empty(columns[0].shape, dtype=object)
    for index in np.ndindex(out.shape):
        exact = {name: _exact(name, column[index]) for name, column in zip(_NAMES, columns, strict=True)}
        start, label = exact.pop("f0"), exact.pop("y")
        A, B = weights_enclosure(**exact, precision=bits)
        with ctx.workprec(bits + 8):
            out[index] = A * _ball(start) + B * _ball(label)
    return out[()]


def weights_enclosure(t: Any, eigenvalue: Any, *, l2: Any, degree: Any, precision: int = 128) -> tuple[arb, arb]:
    """Balls that contain the weights (A, B) of `modes.mode_weights`, for one mode at one time."""
    values = {"t": t, "eigenvalue": eigenvalue, "l2": l2, "degree": degree}
    t, gamma, l2, k = (_exact(name, value) for name, value in values.items())
    m = 2 * (k - 1)
    largest = max(k * l2 * t, abs(m) * l2 * t, gamma * t, gamma / l2 if l2 else 0, abs(k / m) if m else 0)
    if max(k, abs(m)) * l2 * t > 10**15:
        raise ArithmeticError(f"no enclosure where k l2 t or 2 |k - 1| l2 t is beyond 1e15: t {t}, l2 {l2}, degree {k}")
    with ctx.workprec(precision + 40 + math.ceil(largest).bit_length()):
        G, decay = _work(t, gamma, l2, m), _ball(k * l2 * t)
        left = (-(G + decay)).exp()
        B = _label_weight(t, gamma, l2, k, G)
        if not (left.is_finite() and B.is_finite()):
            raise ArithmeticError(f"no finite enclosure for t {t}, eigenvalue {gamma}, l2 {l2}, degree {k}")
    return left, B


def _work(t: Fraction, gamma: Fraction, l2: Fraction, m: Fraction) -> arb:
    """The integral of the kernel over time."""
    steepness = m * l2 * t
    return _ball(gamma * t) if steepness == 0 else _ball(-gamma / (m * l2)) * (-_ball(steepness)).expm1()


def _label_weight(t: Fraction, gamma: Fraction, l2: Fraction, k: Fraction, G: arb) -> arb:
    m = 2 * (k - 1)
    if gamma == 0 or t == 0:
        return arb(0)
    if m * l2 == 0:  # the kernel stands still
        return -(-_ball(gamma * t + k * l2 * t)).expm1() * _ball(gamma / (gamma + k * l2))
    a, s = gamma / (m * l2), _ball(l2 * t)
    u = _ball(a) * (-_ball(m) * s).exp()
    if 0 < a <= 1:
        return _faint(k, m, a, u, s)
    if m < 0 or not u < 1:
        return _strong(_ball(k / m), u, G)
    until = _ball(a).log() / _ball(m)
    before = _strong(_ball(k / m), arb(1), _ball(a - 1))
    return _faint(k, m, Fraction(1), u, s - until) + (u - 1 - _ball(k) * (s - until)).exp() * before


def _faint(k: Fraction, m: Fraction, a: Fraction, u: arb, s: arb) -> arb:
    """B for a kernel that falls from a <= 1 to u in a time s, over l2; terms in `v^n / n!`."""
    total, power = arb(0), _ball(m) * u
    for n in range(1, 10**6):
        c = n * m - k
        term = power * ((_ball(c) * s).expm1() / _ball(c) if c else s)
        if abs(term) <= abs(total) * arb(2) ** -ctx.prec:
            return u.exp() * (total + _between(term))
        total += term
        power *= -u / n
    raise ArithmeticError("the series of a faint kernel does not end")


def _strong(q: arb, u: arb, G: arb) -> arb:
    """B by quadrature over the work w, up to G or to where what is left does not count."""

    def integrand(w: acb, analytic: bool = False) -> acb:
        return (-w - q * (1 + w / u).log(analytic=analytic)).exp()

    size = min(arb(1), 1 / (1 + q / u), G, key=lambda x: float(x.mid()))
    enough = (arb(2).log() * ctx.prec - size.mid().log()).mid()
    end = enough if enough < G else G
    B = acb.integral(integrand, 0, end, rel_tol=arb(2) ** -ctx.prec, abs_tol=size.mid() * arb(2) ** -ctx.prec).real
    return B + _between(integrand(acb(end)).real) if enough < G else B


def _between(end: arb) -> arb:
    """Everything between 0 and a ball."""
    return arb(0).union(end)


def _exact(name: str, value: Any) -> Fraction:
    if isinstance(value, (str, bytes, bool, np.bool_)):
        raise TypeError(f"{name} must be a real number, got {value!r}")
    try:
        number = Fraction(value.item() if isinstance(value, np.generic) else value)
    except (TypeError, ValueError, OverflowError):
        kind = ValueError if isinstance(value, (float, np.floating)) else TypeError
        raise kind(f"{name} must be a finite real number, got {value!r}") from None
    if number < 0 and name not in ("f0", "y"):
        raise ValueError(f"{name} must be at least 0, got {value!r}")
    return number


def _ball(x: Fraction) -> arb:
    return arb(fmpq(x.numerator, x.denominator))

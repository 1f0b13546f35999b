"""Exact solutions of the gradient flow `dw_i/dt = -2 (W - 1) W/w_i`, in ball arithmetic (`t = lr * step`).

All `w_i^2 - w_j^2` are constant (Ginsburg, 3.1), so the flow is one-dimensional. Let `r` be the weight that
is smallest in size, times the sign of the product of the others, and `b_i = w_i^2 - r^2 >= 0`. The other
weights keep their signs, `W = r Q(r)` with `Q(r) = prod sqrt(r^2 + b_i)`, and

    dr/dt = 2 (1 - r Q(r)) Q(r).

Depths 1 and 2 are elementary. Beyond, `t` is an integral over `r`, enclosed by certified quadrature in a
coordinate `x` in which `dx/dt` is smooth and positive up to the end of time, and inverted by a Newton step
that is itself enclosed. `r < 0` rises through zero, where the smallest weight changes sign, unless another
weight is as small: then zero is a saddle that the flow approaches for ever. Float64 results are roundings of
balls.
"""

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from math import prod

import numpy as np
from flint import acb, arb, ctx, fmpq
from scipy.integrate import solve_ivp

from linreg_dyn import rules
from linreg_dyn._checks import integer, number
from linreg_dyn.problem import as_floats, layers_last

_PRECISIONS = (128, 256, 512, 1024)  # tried in turn until every weight is good to the last bit of float64


def flow(weights0, times, *, precision: int | None = None) -> np.ndarray:
    """Weights of the gradient flow of `L = (W - 1)^2` at given times, exact up to the last rounding.

    `weights0` is `(..., layer)` float64, taken as exact; `times` a number or an array of any shape, in units
    of `lr * step`. The result is `weights0.shape[:-1] + times.shape + (layer,)`: float64, each within one
    unit in the last place; or, with `precision` bits, an object array of `flint.arb` balls that contain the
    exact weights. Ginsburg, eq. 7 with its `lambda t` as time.

    Raises TypeError and ValueError for weights or times that are not finite real numbers, negative times, no
    layer, or `precision` below 2; ArithmeticError where 1024 bits, or `precision`, do not settle the answer
    (few bits; from depth 3 on also starts far beyond 1e30, after some seconds; tiny ones cost no more than others).
    """
    w, t = as_floats("weights0", layers_last(weights0)), as_floats("times", times)
    if w.ndim == 0 or w.shape[-1] == 0:
        raise ValueError(f"weights0 must have shape (..., layer) with at least one layer, got {w.shape}")
    if t.size == 0 or np.any(t < 0):
        raise ValueError(f"times must be at least 0, and at least one, got {t.min() if t.size else 'none'}")
    if precision is not None:
        precision = integer("precision", precision, least=2)
    ordered, place = np.unique(t, return_inverse=True)
    out = np.empty((*w.shape[:-1], ordered.size, w.shape[-1]), dtype=float if precision is None else object)
    for index in np.ndindex(w.shape[:-1]):
        start, moments = w[index].tolist(), ordered.tolist()
        out[index] = _rounded(start, moments) if precision is None else _enclosed(start, moments, precision)
    return out[..., place.ravel(), :].reshape(*w.shape[:-1], *t.shape, w.shape[-1])


def balanced_time(depth: int, W0: float, W: float, *, precision: int = 128) -> arb:
    """Time that the flow takes from `W0` to `W` when all `|w_i|` are equal: a ball, negative if it is back.

    `symbolic.balanced_time` (a 2F1) in ball arithmetic, for depth 1 and from 3 on, and `W0`, `W` in the same
    of the intervals below 0, (0, 1) and above 1: the flow leaves none of them.

    Raises TypeError and ValueError for other depths and numbers, and for `precision` below 2 bits.
    """
    depth, precision = integer("depth", depth, least=1), integer("precision", precision, least=2)
    W0, W = number("W0", W0), number("W", W)
    if depth == 2:
        raise ValueError(f"depth must be 1 or at least 3 (depth 2 is the logistic), got {depth}")
    if W0 in (0, 1) or W in (0, 1) or (W0 > 0, W0 > 1) != (W > 0, W > 1):
        raise ValueError(f"W0 and W must lie in the same of (-inf, 0), (0, 1), (1, inf), got {W0} and {W}")
    if depth == 1:
        with ctx.workprec(precision):
            return ((1 - arb(W0)) / (1 - arb(W))).log() / 2
    with ctx.workprec(precision):
        return _balanced_clock(depth, arb(W)) - _balanced_clock(depth, arb(W0))


def _balanced_clock(depth: int, W: arb) -> arb:
    if W > 1:
        e = arb(fmpq(2 * depth - 2, depth))
        return W**-e / (2 * depth * e) * _clock_series(e, 1 / W)
    c = arb(fmpq(2 - depth, depth))
    return W.sgn() * abs(W) ** c / (2 * depth * c) * _clock_series(c, W)


def _clock_series(c: arb, z: arb) -> arb:
    """`2F1(1, c; 1 + c; z)` for z < 1, near 1 by Pfaff's transformation: there arb would need an exact `c`."""
    if 2 * z < 1:
        return acb(z).hypgeom_2f1(1, c, 1 + c).real
    return acb(z / (z - 1)).hypgeom_2f1(1, 1, 1 + c).real / (1 - z)


def _rounded(start: list[float], times: list[float]) -> list[list[float]]:
    """The first precision at which every ball is narrower than half a unit in the last place."""
    for bits in _PRECISIONS:
        rows = _balls(start, times, bits)
        with ctx.workprec(bits):
            # Next to a weight that passes through zero, 2^-300 of the start counts as zero.
            floor = max(map(abs, start)) * arb(2) ** -300
            if all(x.rad() <= arb(2) ** -54 * max(abs(x.mid()), floor) for row in rows for x in row):
                return [[float(x.mid()) for x in row] for row in rows]
    raise ArithmeticError(f"weights from {start} at times {times} are not settled by {_PRECISIONS[-1]} bits")


def _enclosed(start: list[float], times: list[float], bits: int) -> list[list[arb]]:
    """Balls of the precision asked for, refused where it is too low to enclose anything."""
    rows = _balls(start, times, bits)
    if not all(x.is_finite() for row in rows for x in row):
        raise ArithmeticError(f"precision of {bits} bits is too low to enclose the flow from {start}")
    return rows


def _balls(start: list[float], times: list[float], bits: int) -> list[list[arb]]:
    """Enclosures of all weights at ascending times."""
    with ctx.workprec(bits):
        exact = [Fraction(w) for w in start]
        k = min(range(len(exact)), key=lambda i: abs(exact[i]))
        rest = exact[:k] + exact[k + 1 :]
        if prod(exact) == 1 or (rest and 0 in rest):  # a minimum, or two zeros: every velocity vanishes
            return [[_ball(w) for w in exact] for _ in times]
        sign = -1 if sum(w < 0 for w in rest) % 2 else 1
        line = _Line(r0=sign * exact[k], b=[w**2 - exact[k] ** 2 for w in rest])
        rows = [[_ball(w) for w in exact] for t in times if t == 0]
        for r in _solve(line, times[len(rows) :]):
            row = [_sign(w) * (r**2 + _ball(b)).sqrt() for w, b in zip(rest, line.b, strict=True)]
            rows.append([*row[:k], sign * r, *row[k:]])
        return rows


class _Line:
    """The one-dimensional flow of `r`: its exact start and constants `b_i`, of which `ties` are zero."""

    def __init__(self, r0: Fraction, b: list[Fraction]) -> None:
        self.r0, self.b = r0, b
        self.shifts = [_ball(x) for x in b if x]
        self.ties = len(b) - len(self.shifts)

    def others(self, r, analytic: bool = False) -> acb:
        """`Q(r)`; with ties it has a kink at zero, which `r` cannot cross: the side of `r0` counts."""
        square = acb(r) ** 2
        roots = [(square + b).sqrt(analytic=analytic) for b in self.shifts]
        return prod(roots, start=acb(_sign(self.r0) * r) ** self.ties if self.ties else acb(1))

    def minimum(self) -> arb:
        """The only `r > 0` with `r Q(r) = 1`: Newton in `u = log r^2`, where `log W^2` is convex."""

        def log_square(u):
            return u + sum(((u.exp() + _ball(b)).log() for b in self.b), start=arb(0))

        def slope(u):
            return 1 + sum((u.exp() / (u.exp() + _ball(b)) for b in self.b), start=arb(0))

        u = arb(0)  # r <= 1, so Newton descends to the zero
        for _ in range(200):
            step = (log_square(u) / slope(u)).mid()
            u = (u - step).mid()
            if abs(step) <= arb(2) ** (-ctx.prec + 20):
                break
        # Mean value theorem: the zero lies in u - f(u) / f'(a ball that contains it), and f' is at least 1.
        near = arb(u, abs(log_square(u)).upper())
        return ((u - log_square(u) / slope(near)) / 2).exp()


@dataclass(frozen=True)
class _Clock:
    """A stretch of the flow in a coordinate `x >= 0`: `r(x)` and the speed `dx/dt`, smooth and positive."""

    position: Callable
    speed: Callable

    def elapsed(self, x0: arb, x1: arb, scale: arb) -> arb:
        """Certified time from `x0` to `x1`; `scale` is the size of times that matter."""
        goal = scale * arb(2) ** -ctx.prec
        return acb.integral(lambda x, analytic: 1 / self.speed(x, analytic), x0, x1, abs_tol=goal).real

    def arrive(self, times: list[arb]) -> list[arb]:
        """Enclosures of `x` at ascending times since `x = 0`."""
        found, x_known, t_known = [], arb(0), arb(0)
        for guess, t in zip(self._guesses([float(t) for t in times]), times, strict=True):
            x = arb(guess)
            for _ in range(60):
                t_known += self.elapsed(x_known, x, t)
                x_known, late = x, t - t_known
                move = late * self.speed(acb(x)).real
                if not move.is_finite():
                    return found + [arb.nan()] * (len(times) - len(found))
                if abs(move.mid()) <= x * arb(2) ** (12 - ctx.prec) or abs(move.mid()) <= 2 * move.rad():
                    break
                x = max((x + move).mid(), arb(0))
            found.append(self._enclose(x, late, abs(move).upper()))
        return found

    def _enclose(self, x: arb, late: arb, move: arb) -> arb:
        """Where `x` gets within the time `late`: it cannot leave a ball that it is too slow to cross."""
        reach = 2 * move
        near = arb(x, reach)
        travelled = late * self.speed(acb(near)).real
        return x + travelled if abs(travelled) <= reach else near + arb.nan()

    def _guesses(self, times: list[float]) -> list[float]:
        """`x` at the times to about nine digits; nothing depends on whether they are right."""

        def speed(_, x):
            with ctx.workprec(64):
                return [float(self.speed(acb(float(x[0]))).real.mid())]

        least = max(1e-12 * min(1.0, times[0] * speed(0, [0.0])[0]), 1e-320)  # a tiny x may grow by any factor
        with np.errstate(all="ignore"):  # trial steps far too long are rejected
            solution = solve_ivp(speed, (0, times[-1]), [0.0], "DOP853", times, rtol=1e-9, atol=least)
        x = [float(value) for value in np.ravel(solution.y) if np.isfinite(value)]
        return x + x[-1:] * (len(times) - len(x)) if x else [0.0] * len(times)


def _solve(line: _Line, times: list[float]) -> list[arb]:
    """`r` at ascending times after 0."""
    later = [arb(t) for t in times]
    if not line.b:
        return [1 + (_ball(line.r0) - 1) * (-2 * t).exp() for t in later]
    if len(line.b) == 1:
        return [_two_layers(line, t) for t in later]
    if line.r0 > 0 or (line.r0 == 0 and not line.ties):
        return _follow(_to_minimum(line), later)
    if line.ties:
        return _follow(_to_saddle(line), later)
    rise = _to_zero(line)
    crossing = rise.elapsed(arb(0), arb(1), later[0])
    if not all(t > crossing or t < crossing or crossing.rad() <= t * arb(2) ** -20 for t in later):
        return [arb.nan()] * len(later)  # on which side of the crossing is not settled
    before = [t for t in later if not t > crossing]
    after = [t - crossing for t in later[len(before) :]]
    from_zero = _Line(r0=Fraction(0), b=line.b)
    return _follow(rise, before) + _follow(_to_minimum(from_zero), after)


def _follow(clock: _Clock, times: list[arb]) -> list[arb]:
    return [clock.position(x) for x in clock.arrive(times)] if times else []


def _velocity(line: _Line, r, analytic: bool):
    Q = line.others(r, analytic)
    return rules.velocity(r, Q, rules.gradient_descent(r * Q), 0)


def _to_minimum(line: _Line) -> _Clock:
    """From `r0 >= 0` to the minimum `m`: `m - r = (m - r0) exp(-x)`, so that `dx/dt = (dr/dt) / (m - r)`.

    `r` is a sum of two parts of one sign, without cancellation however small it is. The residual vanishes
    with `m - r`; their quotient is written without that cancellation,
    `(1 - W) / (m - r) = (m + r) G / (1 + W)` with `G` the divided difference of `s prod (s + b_i)` (`s = r^2`).
    """
    m, r0 = line.minimum(), _ball(line.r0)
    shifts = [arb(0)] + [_ball(b) for b in line.b]
    beyond = [prod((m**2 + c for c in shifts[i + 1 :]), start=arb(1)) for i in range(len(shifts))]

    def position(x):
        return r0 * (-x).exp() - m * (-x).expm1()

    def speed(x, analytic=False):
        r = position(x)
        Q = line.others(r, analytic)
        difference, below, square = acb(0), acb(1), r**2
        for b, product in zip(shifts, beyond, strict=True):
            difference += below * product
            below *= square + b
        return rules.velocity(r, Q, -(m + r) * difference / (1 + r * Q), 0)

    return _Clock(position, speed)


def _to_zero(line: _Line) -> _Clock:
    """From `r0 < 0` up to zero at `x = 1`: `r = r0 (1 - x)`."""
    r0 = _ball(line.r0)
    return _Clock(
        lambda x: r0 * (1 - x),
        lambda x, analytic=False: -_velocity(line, r0 * (1 - x), analytic) / r0,
    )


def _to_saddle(line: _Line) -> _Clock:
    """From `r0 < 0` towards zero, never reached: `r = r0 exp(-x)`."""
    r0 = _ball(line.r0)

    def position(x):
        return r0 * (-x).exp()

    return _Clock(position, lambda x, analytic=False: -_velocity(line, position(x), analytic) / position(x))


def _two_layers(line: _Line, t: arb) -> arb:
    """Depth 2: `X = W + sqrt(W^2 + k^2)`, `k = b/2`, moves by `(X - 1 - q)/(X - 1 + q) ~ exp(-4 q t)`."""
    b = _ball(line.b[0])
    W0 = _ball(line.r0) * line.others(_ball(line.r0)).real
    if line.ties and line.r0 < 0:
        decay = (-4 * t).exp()
        return -(-W0 * decay / (1 - W0 * (1 - decay))).sqrt()
    k = b / 2
    q = (1 + k**2).sqrt()
    root = (W0**2 + k**2).sqrt()
    X0 = W0 + root if line.r0 > 0 else k**2 / (root - W0)
    R = (X0 - (1 + q)) / (X0 + k**2 / (1 + q)) * (-4 * q * t).exp()
    X = ((1 + q) + R * k**2 / (1 + q)) / (1 - R)
    W = (X - k**2 / X) / 2
    return W * (2 / ((b**2 + 4 * W**2).sqrt() + b)).sqrt()


def _ball(x: Fraction) -> arb:
    return arb(fmpq(x.numerator, x.denominator))


def _sign(x: Fraction) -> int:
    return (x > 0) - (x < 0)

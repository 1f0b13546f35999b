"""What is left of the start, and what is reached of the label: the two weights of a mode, compiled.

With `m = 2 (k - 1)` a mode obeys `df/dt = -gamma e^(-m l2 t) (f - y) - k l2 f`, so that `f(t) = A f(0) + B y`, and with
`a = gamma / (m l2)`, `u = a e^(-m l2 t)`, `q = k / m` and the total exponent `E = (a - u) + k l2 t`

    A = e^(-E),      B = integral from 0 to a - u of e^(-w) (1 + w/u)^(-q) dw

(`w` is what the kernel still does after the moment integrated over). Nothing in B is negative, it lies in [0, 1), and
pieces of time compose: B of a stretch and the next is `B_next + A_next B`. Four ways cover everything, each a sum or a
fraction of positive terms, or of alternating ones that lose no more than a digit:

- `_short`, for E <= 1/2: Gauss-Legendre over time, of an integrand that varies by an e-fold or so;
- `_long`, for u >= 1: B is `H(u) - A H(a)`, where `H(v) = v e^v E_q(v)` would be the weight had the kernel decayed for
  ever (E_q is the generalised exponential integral), a Stieltjes fraction;
- `_faint`, for a <= 1, a kernel weaker than the decay: the exponential series of the kernel, term by term;
- a strong kernel that has become faint is long first and faint after, composed at v = 1.

For k < 1 the kernel grows and u is negative: `_growing` is the like of H. In terms of `l2 / gamma` and m the fractions
are regular at m = 0 and l2 = 0, linear models and no decay.
"""

from __future__ import annotations

import math

import numpy as np
from numba.extending import register_jitable

from linreg_dyn._compiled import kernel


def _gauss(nodes):
    x, weights = np.polynomial.legendre.leggauss(nodes)
    return (x + 1) / 2, weights / 2  # on [0, 1]


_NODES, _NODE_WEIGHTS = _gauss(10)
_FEW_NODES, _FEW_NODE_WEIGHTS = _gauss(5)
_NEGLIGIBLE = 2.0**-60
_GROWING_TERMS = 64


@register_jitable
def _long(degree, m, ratio):
    """H at a kernel of `1 / ratio` times l2, where `m ratio = 1 / v` is at most 1.

    `1 / (1 + k r / (1 + m r / (1 + (k + m) r / (1 + 2 m r / ...))))`. It converges as `exp(-4 sqrt(n v))` over n
    pairs, and faster for large q or v; the count is what float64 needs for the slowest q.
    """
    if m == 0:
        return 1.0 / (1.0 + degree * ratio)
    step = m * ratio
    count = int(1.5 + 72.0 * step + 12.5 * math.sqrt(math.sqrt(step)))
    # x = 1 + alpha / (1 + beta / x) from the far end, as a quotient; there x solves that with alpha and beta constant
    first = degree * ratio - step
    middle = 0.5 * (1.0 + first)
    above, below = middle + math.sqrt(middle * middle + (count + 1) * step), 1.0
    for last in range(count, 0, -16):
        for n in range(last, max(last - 16, 0), -1):
            below = above + n * step * below
            above = below + (first + n * step) * above
        below, above = below / above, 1.0  # or they overflow
    return below


@register_jitable
def _growing(degree, m, ratio):
    """The weight had a kernel that grows (m < 0), and is now `1 / ratio` times l2, grown for ever: a T-fraction.

    With `v = 1 / |m ratio|` it is `v / (q + v - v / (q + 1 + v - 2 v / (q + 2 + v - ...)))`, `q = k / |m| + 1`, which
    takes float64 at most 48 terms, near v = 29.
    """
    if -m * ratio > 1 / _NEGLIGIBLE:  # a kernel too weak to have done anything but add up
        return 1.0 / ((degree - m) * ratio)
    x = 1.0 + (degree - (_GROWING_TERMS + 1) * m) * ratio
    for n in range(_GROWING_TERMS, 0, -1):
        x = 1.0 + (degree - n * m) * ratio + n * m * ratio / x
    return 1.0 / x


@register_jitable
def _short(work, steepness, decay, nodes, weights):
    """B after a short time: `work` is the kernel now times t, `steepness` is m l2 t, `decay` is k l2 t."""
    total = 0.0
    for i in range(nodes.size):
        before = nodes[i]
        y = steepness * before
        growth = math.expm1(y)
        relative = growth / steepness if abs(steepness) > 1e-300 else before
        total += weights[i] * (1.0 + growth) * math.exp(-work * relative - decay * before)
    return work * total


@register_jitable
def _faint(degree, m, a, u, s):
    """B for a kernel that falls from a <= 1 to u, in units of m l2, in a time s, in units of 1 / l2."""
    first, last, power_a, power_u, total = m * a * math.exp(-degree * s), m * u, 1.0, 1.0, 0.0
    for n in range(1, 40):
        c = n * m - degree
        if abs(c) * s > 0.5:
            term = (first * power_a - last * power_u) / c
        else:  # the same without the cancellation
            term = last * power_u * (math.expm1(c * s) / c if c != 0 else s)
        total += term
        power_a *= -a / n
        power_u *= -u / n
        if abs(power_a) < _NEGLIGIBLE:
            break
    return math.exp(u) * max(total, 0.0)  # subnormal terms may add up to less than nothing


@register_jitable
def _log_quotient(x, y):
    quotient = x / y
    return math.log(quotient) if 1e-300 < quotient < 1e300 else math.log(x) - math.log(y)


@register_jitable
def _kernel_now(t, gamma, l2, m, steepness):
    """The kernel at t in units of `|m| l2`, and its integral; quotients may be in range where factors are not."""
    a = gamma / (abs(m) * l2)
    if abs(steepness) > 100:
        u = math.exp(_log_quotient(gamma, l2) - math.log(abs(m)) - steepness)
        return u, max(a, u)
    u = a * math.exp(-steepness)
    if abs(steepness) > 1:
        return u, a * abs(math.expm1(-steepness))
    return u, gamma * t * (-math.expm1(-steepness) / steepness if steepness != 0 else 1.0)


@register_jitable
def _strong_then_faint(gamma, l2, degree, m, u, steepness):
    """B for a kernel that falls from above 1 to u below it, in units of m l2."""
    strong = (_log_quotient(gamma, l2) - math.log(m)) / m  # the time, times l2, for which it is
    faint = steepness / m - strong
    before = _long(degree, m, 1.0 / m)
    left = math.exp(1.0 - gamma / (m * l2) - degree * strong)
    if left > _NEGLIGIBLE * before:
        before -= left * _long(degree, m, l2 / gamma)
    return _faint(degree, m, 1.0, u, faint) + math.exp(u - 1.0 - degree * faint) * before


@register_jitable
def weights_of(t, gamma, l2, degree):
    """(A, B) of one mode at one time."""
    m = 2.0 * (degree - 1.0)
    s = l2 * t if l2 > 0 else 0.0
    decay = degree * s if degree > 0 else 0.0
    steepness = m * s if m != 0 else 0.0
    if gamma == 0 or steepness == math.inf:  # no kernel, or none left
        return math.exp(-decay), 0.0
    u, G = _kernel_now(t, gamma, l2, m, steepness)
    E = G + decay
    A = math.exp(-E)
    if E <= 0.5 and abs(steepness) <= 1:
        work = gamma * math.exp(-steepness) * t
        if E <= 0.05 and abs(steepness) <= 0.1:
            return A, _short(work, steepness, decay, _FEW_NODES, _FEW_NODE_WEIGHTS)
        return A, _short(work, steepness, decay, _NODES, _NODE_WEIGHTS)
    if m > 0 and gamma <= m * l2:
        return A, _faint(degree, m, gamma / (m * l2), u, s)
    if m > 0 and u < 1:
        return A, _strong_then_faint(gamma, l2, degree, m, u, steepness)
    then, now = l2 / gamma, 1.0 / (abs(m) * u) if m * l2 != 0 else l2 / gamma
    if m < 0:
        return A, _growing(degree, m, now) - A * _growing(degree, m, then)
    B = _long(degree, m, now)
    return A, B - A * _long(degree, m, then) if A > _NEGLIGIBLE * B else B


@kernel()
def fill_weights(t, gamma, l2, degree, A, B):
    """Vectors of equal length; the last two are written."""
    for i in range(t.size):
        A[i], B[i] = weights_of(t[i], gamma[i], l2[i], degree[i])

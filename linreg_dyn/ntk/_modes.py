"""What is left of the start, and what is reached of the label: the two weights of a mode, compiled.

With `m = 2 (k - 1)` a mode obeys `df/dt = -gamma e^(-m l2 t) (f - y) - k l2 f`, so that `f(t) = A f(0) + B y`, and with
`a = gamma / (m l2)`, `u = a e^(-m l2 t)`, `q = k / m` and the total exponent `E = (a - u) + k l2 t`

    A = e^(-E),      B = integral from 0 to a - u of e^(-w) (1 + w/u)^(-q) dw

(`w` is what the kernel still does after the moment integrated over). Nothing in B is negative, it lies in [0, 1), and
pieces of time compose: B of a stretch and the next is `B_next + A_next B`. Four ways cover everything, each a sum or a
fraction of positive terms, or of alternating ones that lose no more than a digit:

- `_short`, for E <= 1: Gauss-Legendre over time, of an integrand that varies by a few e-folds;
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

_NODES, _NODE_WEIGHTS = (np.ascontiguousarray(x) for x in np.polynomial.legendre.leggauss(12))
_NODES, _NODE_WEIGHTS = (_NODES + 1) / 2, _NODE_WEIGHTS / 2  # on [0, 1]
_NEGLIGIBLE = 2.0**-60
_GROWING_TERMS = 64


@register_jitable
def _long(degree, m, ratio):
    """H at a kernel of `1 / ratio` times l2, where `m ratio = 1 / v` is at most 1.

    `1 / (1 + k r / (1 + m r / (1 + (k + m) r / (1 + 2 m r / ...))))`: what is cut off after n pairs is
    `exp(-4 sqrt(n v))` of it, less for large q, and the term added serves large v.
    """
    if m == 0:
        return 1.0 / (1.0 + degree * ratio)
    x = 1.0
    for n in range(int(8.0 + 92.0 * m * ratio), -1, -1):
        x = 1.0 + (degree + n * m) * ratio * x / (x + (n + 1) * m * ratio)
    return 1.0 / x


@register_jitable
def _growing(degree, m, ratio):
    """The weight had a kernel that grows (m < 0), and is now `1 / ratio` times l2, grown for ever: a T-fraction.

    It converges the more slowly the nearer `1 / |m ratio|` is to its number of terms, which then is 45 for float64.
    """
    if -m * ratio > 1 / _NEGLIGIBLE:  # a kernel too weak to have done anything but add up
        return 1.0 / ((degree - m) * ratio)
    x = 1.0 + (degree - (_GROWING_TERMS + 1) * m) * ratio
    for n in range(_GROWING_TERMS, 0, -1):
        x = 1.0 + (degree - n * m) * ratio + n * m * ratio / x
    return 1.0 / x


@register_jitable
def _short(work, steepness, decay):
    """B after a short time: `work` is the kernel now times t, `steepness` is m l2 t, `decay` is k l2 t."""
    total = 0.0
    for i in range(_NODES.size):
        before = _NODES[i]
        y = steepness * before
        growth = math.expm1(y)
        relative = growth / steepness if abs(steepness) > 1e-300 else before
        total += _NODE_WEIGHTS[i] * (1.0 + growth) * math.exp(-work * relative - decay * before)
    return work * total


@register_jitable
def _faint(degree, m, a, u, s):
    """B for a kernel that falls from a <= 1 to u, in units of m l2, in a time s, in units of 1 / l2."""
    first, last, power_a, power_u, total = m * a * math.exp(-degree * s), m * u, 1.0, 1.0, 0.0
    for n in range(1, 40):
        c = n * m - degree
        shape = -math.expm1(-abs(c) * s) / abs(c) if c != 0 else s
        term = (first * power_a if c > 0 else last * power_u) * shape
        total += term
        power_a *= -a / n
        power_u *= -u / n
        if abs(power_a) < _NEGLIGIBLE:
            break
    return math.exp(u) * max(total, 0.0)  # subnormal terms may add up to less than nothing


@register_jitable
def _kernel_now(t, gamma, l2, m, steepness):
    """The kernel at t, that in units of `|m| l2`, and its integral; products may be in range where factors are not."""
    a = gamma / (abs(m) * l2)
    if abs(steepness) > 100:
        logarithm = math.log(gamma) - steepness
        u = math.exp(logarithm - math.log(abs(m) * l2))
        return math.exp(logarithm), u, max(a, u)
    fall = math.exp(-steepness)
    if abs(steepness) > 1:
        return gamma * fall, a * fall, a * abs(math.expm1(-steepness))
    mean = -math.expm1(-steepness) / steepness if steepness != 0 else 1.0
    return gamma * fall, a * fall, gamma * t * mean


@register_jitable
def _strong_then_faint(gamma, l2, degree, m, u, steepness):
    """B for a kernel that falls from above 1 to u below it, in units of m l2."""
    log_a = math.log(gamma) - math.log(m * l2)
    faint = (steepness - log_a) / m  # the time, times l2, for which it is
    before = _long(degree, m, 1.0 / m)
    left = math.exp(1.0 - gamma / (m * l2) - degree / m * log_a)
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
    now, u, G = _kernel_now(t, gamma, l2, m, steepness)
    E = G + decay
    A = math.exp(-E)
    if E <= 1 and abs(steepness) <= 2:
        return A, _short(now * t, steepness, decay)
    if m < 0:
        return A, _growing(degree, m, l2 / now) - A * _growing(degree, m, l2 / gamma)
    if gamma <= m * l2:
        return A, _faint(degree, m, gamma / (m * l2), u, s)
    if u < 1:
        return A, _strong_then_faint(gamma, l2, degree, m, u, steepness)
    B = _long(degree, m, l2 / now)
    return A, B - A * _long(degree, m, l2 / gamma) if A > _NEGLIGIBLE * B else B


@kernel()
def fill_weights(t, gamma, l2, degree, A, B):
    """Vectors of equal length; the last two are written."""
    for i in range(t.size):
        A[i], B[i] = weights_of(t[i], gamma[i], l2[i], degree[i])

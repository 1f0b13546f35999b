"""What a mode has not learned, and how fast that changes, both to full relative accuracy; compiled.

With `f(t) = A f(0) + B y` (`_modes.py`) the residual of a mode is `y - f = C y - A f(0)`, `C = 1 - B`. At the minimum
of a loss C may be 1e-20 and its rate the small difference of two large numbers, so neither can come from B. With
`q = e^(-m l2 t)`, `m = 2 (k - 1)`, and `E(v) = (e^(m l2 v) - 1) / (m l2)`, what the kernel did in the last v of
time being `gamma q E(v)`, eq. 3 by parts is

    C     = A + k l2 int_0^t e^(-phi(v)) dv,                              phi(v) = k l2 v + gamma q E(v)
    dC/dt = -gamma q A + m k l2^2 gamma q int_0^t E(v) e^(-phi(v)) dv

(the second is the derivative of `B = gamma q int e^(m l2 v - phi(v)) dv`): learning against forgetting, each without
cancellation. Once the kernel is fainter than the decay, `gamma q <= k l2`, C is no longer small, and B and
`dC/dt = k l2 B - gamma q C` serve, but near degree 1: there B may come to rest where the two are equal, with a rate
that is `m` times as small or, at degree 1, vanishes; and below, both terms of the integral's rate are negative.
"""

from __future__ import annotations

import inspect
import math
import zlib

import numpy as np
from numba.extending import register_jitable

from linreg_dyn._compiled import kernel
from linreg_dyn.ntk import _modes

_NODES, _NODE_WEIGHTS = (np.ascontiguousarray(x) for x in np.polynomial.legendre.leggauss(32))
_NODES, _NODE_WEIGHTS = (_NODES + 1) / 2, _NODE_WEIGHTS / 2  # on [0, 1]
_PANELS = 7  # each four times as long as all before it
_E_FOLDS = 40.0  # of the integrands, beyond which they are cut off: e^-40 is 4e-18
_SMALLEST = 1e-300
_NEAR_ONE = 1.1  # up to this degree `E e^(-phi)` falls as `e^(-0.8 k l2 v)` at least, and the cut-off does no harm
_SOURCES = zlib.crc32(inspect.getsource(_modes).encode())  # compiled into the kernels below, which are kept on disk


@register_jitable
def _reach(t, now, m_l2, decay):
    """How far back the integrals need to go: `phi` is at least `_E_FOLDS` there, or it is the start."""
    v = t
    if decay > 0:
        v = min(v, _E_FOLDS / decay)
    y = _E_FOLDS * m_l2 / now
    if abs(y) < 1e-8:
        v = min(v, _E_FOLDS / now)
    elif m_l2 > 0:
        v = min(v, math.log1p(y) / m_l2)
    else:  # phi is concave, steep at first: Newton's steps come from below
        back = phi = 0.0
        while back < v and phi < _E_FOLDS - 0.1:
            back += (_E_FOLDS - phi) / (decay + now * math.exp(m_l2 * back))
            phi = decay * back + now * math.expm1(m_l2 * back) / m_l2
        v = min(v, back)
    return v


@register_jitable
def _integrals(reach, now, m_l2, decay):
    """The integrals of `e^(-phi)` and of `E e^(-phi)`; in panels where phi is steep at first."""
    kept = forgotten = first = 0.0
    for panel in range(1 - _PANELS if m_l2 < 0 else 0, 1):
        last = reach * 4.0**panel
        for i in range(_NODES.size):
            v = first + _NODES[i] * (last - first)
            E = math.expm1(m_l2 * v) / m_l2 if abs(m_l2 * v) > _SMALLEST else v
            density = _NODE_WEIGHTS[i] * (last - first) * math.exp(-decay * v - now * E)
            kept += density
            forgotten += density * E
        first = last
    return kept, forgotten


@register_jitable
def residual_of(t, gamma, l2, degree):
    """(A, C, dC/dt) of one mode at one time."""
    m_l2 = 2.0 * (degree - 1.0) * l2
    decay = degree * l2
    y = m_l2 * t
    work = gamma * t * (-math.expm1(-y) / y if abs(y) > _SMALLEST else 1.0)  # gamma tau
    now = gamma * math.exp(-y)
    A = math.exp(-decay * t - work)
    if now == 0.0 or (now <= decay and degree > _NEAR_ONE):
        B = _modes.weights_of(t, gamma, l2, degree)[1]
        return A, 1.0 - B, decay * B - now * (1.0 - B)
    if not now < math.inf:  # a kernel that has grown without bounds: learned, whatever else
        return 0.0, 0.0, 0.0
    kept = forgotten = 0.0
    if decay > 0:
        kept, forgotten = _integrals(_reach(t, now, m_l2, decay), now, m_l2, decay)
    return A, A + decay * kept, now * (m_l2 * decay * forgotten - A)


@kernel(_SOURCES)
def fill_residuals(t, gamma, l2, degree, A, C, rate):
    """Vectors of equal length; the last three are written."""
    for i in range(t.size):
        A[i], C[i], rate[i] = residual_of(t[i], gamma[i], l2[i], degree[i])


@kernel(_SOURCES)
def fill_losses(t, gamma, y, f0, l2, degree, loss, slope):
    """`loss` and its time derivative `slope`, both [time], of modes [mode] with labels y and starts f0."""
    for i in range(t.size):
        total = rate = 0.0
        for a in range(gamma.size):
            A, C, change = residual_of(t[i], gamma[a], l2, degree)
            residual = C * y[a] - A * f0[a]
            now = gamma[a] * math.exp(-2.0 * (degree - 1.0) * l2 * t[i]) if A > 0 else 0.0
            total += residual * residual
            rate += residual * (change * y[a] + (degree * l2 + now) * A * f0[a])
        loss[i], slope[i] = 0.5 * total, rate

"""Adaptive Runge-Kutta of the flow, one trajectory at a time, compiled.

Tsitouras 5(4) (Runge-Kutta pairs of order 5(4) satisfying only the first column simplifying assumption,
Computers and Mathematics with Applications 62, 2011): seven stages, the last of which is the first of the
next step.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numba import njit
from numba.extending import register_jitable

from linreg_dyn import rules
from linreg_dyn.ensemble._cpu import SOURCES

STAGES = 7
A = np.zeros((STAGES, STAGES))
A[1, :1] = [0.161]
A[2, :2] = [-0.008480655492356988544, 0.335480655492356988544]
A[3, :3] = [2.897153057105493432130, -6.359448489975074843148, 4.362295432869581411018]
A[4, :4] = [
    5.325864828439256604429,
    -11.74888356406282787775,
    7.495539342889836208305,
    -0.09249506636175524925651,
]
A[5, :5] = [
    5.861455442946420028659,
    -12.92096931784710929171,
    8.159367898576158643180,
    -0.07158497328140099722453,
    -0.02826905039406838290900,
]
A[6, :6] = [
    0.09646076681806522951817,
    0.01,
    0.4798896504144995747752,
    1.379008574103741893192,
    -3.290069515436080679901,
    2.324710524099773982415,
]
"""Row 6 is also the solution of order 5."""
FOURTH = np.array(
    [
        0.09468075576583945807479,
        0.009183565540343253096776,
        0.4877705284247615707856,
        1.234297566930478985656,
        -2.707712349983525454881,
        1.866628418170587035754,
        1 / 66,
    ]
)
"""The embedded solution of order 4, whose distance from order 5 is the error estimate."""
ERROR = A[6] - FOURTH

SHRINK, GROW, SAFETY = 0.2, 5.0, 0.9


@register_jitable
def _velocity(w, decay, others, out):
    W = rules.fill_others(w, others)
    g = rules.gradient_descent(W)
    for i in range(len(w)):
        out[i] = rules.velocity(w[i], others[i], g, decay)


@register_jitable
def _stages(w, h, k, decay, others, new):
    """Fill the stages 1 to 6 of a step of length h from `w`, given stage 0; `new` is the 5th order result."""
    for stage in range(1, STAGES):
        for i in range(len(w)):
            total = 0.0
            for j in range(stage):
                total += A[stage, j] * k[j, i]
            new[i] = w[i] + h * total
        _velocity(new, decay, others, k[stage])


@register_jitable
def _error(w, new, h, k, rtol, atol):
    """Root mean square over the layers of the error estimate in units of `atol + rtol |w_i|`."""
    total = 0.0
    for i in range(len(w)):
        error = 0.0
        for j in range(STAGES):
            error += ERROR[j] * k[j, i]
        scaled = h * error / (atol + rtol * max(abs(w[i]), abs(new[i])))
        total += scaled * scaled
    return np.sqrt(total / len(w))


@cache
def integrate_kernel():
    """The compiled `integrate(starts, first, last, times, ...)`."""
    sources = SOURCES

    @njit(nogil=True, cache=True, error_model="numpy")
    def integrate(starts, first, last, times, decay, rtol, atol, max_steps, out, taken):
        """Fill `out` [time, trajectory, layer], initially NaN, as far as `max_steps` steps each will go."""
        _ = sources
        depth = starts.shape[1]
        k, others, new = np.empty((STAGES, depth)), np.empty(depth), np.empty(depth)
        for trajectory in range(first, last):
            w = starts[trajectory].copy()
            _velocity(w, decay, others, k[0])
            t = 0.0
            h = 0.01 * (atol + np.abs(w).max()) / (atol + np.abs(k[0]).max())
            steps = 0
            for index in range(len(times)):
                while t < times[index] and steps < max_steps and t + h > t:
                    last_one = t + h >= times[index]
                    length = times[index] - t if last_one else h
                    _stages(w, length, k, decay, others, new)
                    error = _error(w, new, length, k, rtol, atol)
                    steps += 1
                    accepted = error <= 1.0  # False for NaN
                    if accepted:
                        w[:] = new
                        k[0] = k[STAGES - 1]
                        t = times[index] if last_one else t + length
                    growth = SAFETY * error**-0.2 if error > 0.0 else GROW
                    growth = min(GROW, max(SHRINK, growth)) if error < np.inf else SHRINK
                    h = max(h, length * growth) if accepted and last_one else length * growth
                if t < times[index]:
                    break
                out[index, trajectory] = w
            taken[trajectory] = steps

    return integrate

"""AutoL2 on the equations of wide networks: the L2 parameter steps down where the loss or the error has grown."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from linreg_dyn.ntk._evolution import Network, Solver, State
from linreg_dyn.problem import Array
from linreg_dyn.schedules import AutoL2

_FIRST, _MOST, _MOST_NUMBERS = 16, 1024, 2**24  # measurements solved for at once, and outputs in them


@dataclass
class Adapted:
    """Outputs at the times wanted, the l2 and the kernel (relative to the first) then, and the decays of l2.

    What comes after the time at which the solver gave up is NaN; `reached` is the number of times before.
    """

    outputs: State
    l2: Array
    kernel_scale: Array
    reached: int = 0
    decay_step: list[int] = field(default_factory=list)
    decay_l2: list[float] = field(default_factory=list)

    @staticmethod
    def at(times: Array, start: State) -> Adapted:
        f, test = (np.full((times.size, *x.shape), np.nan) for x in start)
        return Adapted((f, test), np.full(times.size, np.nan), np.full(times.size, np.nan))

    def extend(self, found: State, l2: float, kernel_scale: Array) -> None:
        rows = slice(self.reached, self.reached + len(kernel_scale))
        for target, values in zip(self.outputs, found, strict=True):
            target[rows] = values
        self.l2[rows], self.kernel_scale[rows] = l2, kernel_scale
        self.reached = rows.stop


def adapted(
    network: Network, solver: Solver, auto: AutoL2, learning_rate: float, start: State, times: Array
) -> Adapted:
    """Training with an l2 that is constant from one decay to the next; `times` ascend.

    Loss and error are measured every `auto.every` steps of `learning_rate`, for the first time after as many. Many
    measurements are solved for at once, as if nothing decayed; what comes after a decay is discarded.
    """
    record, state, now, step, scale, ahead = Adapted.at(times, start), auto.start(), start, 0, 1.0, _FIRST
    most = min(_MOST, max(1, _MOST_NUMBERS // sum(x.size for x in start)))
    while record.reached < times.size:
        l2, begin = state[0], step * learning_rate
        interval = auto.every * learning_rate
        count = min(ahead, most, math.floor((times[-1] - begin) / interval) + 1)
        measured: Array = interval * np.arange(1.0, count + 1)
        wanted: Array = np.maximum(times[record.reached :] - begin, 0.0)
        wanted = wanted[wanted < measured[-1]]
        moments, where = np.unique(np.concatenate([measured, wanted]), return_inverse=True)
        (f, test), reached = solver(now, l2, scale, moments)
        known = int(np.count_nonzero(where[:count] < reached))
        state, last = _watched(network, auto, state, step, f[where[:known]])
        decayed = state[0] != l2
        complete = decayed or known == count
        kept = np.count_nonzero(wanted < measured[last - 1] if complete else where[count:] < reached)
        at = where[count : count + kept]
        record.extend((f[at], test[at]), l2, network.kernel_at(wanted[:kept], l2, scale))
        if not complete:
            break
        now = f[where[last - 1]], test[where[last - 1]]
        scale = float(network.kernel_at(measured[last - 1], l2, scale))
        step += last * auto.every
        ahead = _FIRST if decayed else 2 * count
        if decayed:
            record.decay_step.append(step)
            record.decay_l2.append(state[0])
    return record


def _watched(network: Network, auto: AutoL2, state: tuple, step: int, f: Array) -> tuple[tuple, int]:
    """AutoL2's state after measurements of f [measurement, sample, output] until it decays; and how many these are."""
    l2, loss, y = state[0], network.loss, network.y
    for j in range(len(f)):
        assert loss.value is not None
        error = float(np.mean(loss.wrong(f[j], y))) if loss.wrong is not None else 0.0
        state = auto.update(state, step + (j + 1) * auto.every, float(np.sum(loss.value(f[j], y))), error)
        if state[0] != l2:
            return state, j + 1
    return state, len(f)

"""The picture of a schedule."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from linreg_dyn._checks import integer
from linreg_dyn.schedules.core import MOST, Schedule

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_POINTS = 5000
"""Points of a plot; more steps are thinned, but never where a piecewise constant schedule jumps."""


def draw(schedule: Schedule, steps: Any, ax: Axes | None) -> Axes:
    """`Schedule.plot`: a value holds from its step to the next one."""
    shown = _shown(schedule, steps)
    values = schedule.at(shown)
    if ax is None:
        from matplotlib.figure import Figure

        ax = Figure(layout="constrained").subplots()
    label = "c of the adaptive rate" if schedule.follows_weights else "value"
    ax.plot(shown, values, drawstyle="steps-post", label=repr(schedule))
    ax.set(xlabel="step", ylabel=label)
    return ax


def _shown(schedule: Schedule, steps: Any) -> np.ndarray:
    """The steps to draw: all of them, or some thousand and those around every jump."""
    if steps is None and schedule.length is None:
        raise ValueError(f"steps must be given, as {schedule!r} has no end")
    if steps is not None and not isinstance(steps, (int, np.integer)):
        return np.asarray(steps)
    count = schedule.length if steps is None else integer("steps", steps, least=1, most=MOST)
    assert count is not None
    if count <= MOST_POINTS:
        return np.arange(count)
    jumps = np.array(schedule.changes() or (), dtype=np.int64)
    evenly = np.linspace(0, count - 1, MOST_POINTS).astype(np.int64)
    around = np.concatenate([jumps - 1, jumps])
    return np.union1d(evenly, around[(around >= 0) & (around < count)])

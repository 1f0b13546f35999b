"""Modes of a wide network under L2: the closed form beside scipy's LSODA, as accurate as LSODA can be made.

LSODA's tolerance is the one, out of a ladder, at which its largest error against certified values is smallest; it is
given the Jacobian. It takes one mode after another, each with steps of its own, or all of them as one diagonal system,
whose steps serve all and whose error is controlled in the mean over modes only. Where more times are asked for than
it takes steps (some 1000 here), what is timed of LSODA is its interpolation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import cache, partial
from typing import Any

import numpy as np
from scipy.integrate import solve_ivp

from linreg_dyn.ntk import mode_solution
from linreg_dyn.problem import Array
from tests.benchmarks.timing import interleaved

MODES, L2, DEGREE = 64, 0.01, 2.0
TIMES = (1, 10, 100, 1000)
LADDER = (1e-9, 1e-10, 1e-11, 1e-12, 1e-13, 3e-14)
OURS, LOOP, SYSTEM = "ours", "LSODA, a mode at a time", "LSODA, one system"

Solver = Callable[[int], Array]
"""f at so many times, (time, mode)."""


@cache
def modes() -> tuple[Array, Array, Array]:
    """Eigenvalues over eight decades around l2, starts, labels."""
    rng = np.random.default_rng(0)
    return L2 * np.geomspace(1e-3, 1e5, MODES), rng.normal(size=MODES), rng.normal(size=MODES)


def moments(count: int) -> Array:
    """Times up to one decay, from when the fastest mode learns; a single one is the last."""
    return np.geomspace(1e-3 / L2, 1 / L2, count) if count > 1 else np.array([1 / L2])


def ours(count: int) -> Array:
    """`mode_solution`, its whole call."""
    eigenvalues, f0, y = modes()
    return mode_solution(moments(count)[:, np.newaxis], eigenvalues, f0, y, l2=L2, degree=DEGREE, threads=1)


def _lsoda(eigenvalues: Array, f0: Array, y: Array, times: Array, rtol: float) -> Array:
    def kernel(t):
        return eigenvalues * np.exp(-2 * (DEGREE - 1) * L2 * t)

    options: Any = {"lband": 0, "uband": 0, "jac": lambda t, f: -(kernel(t) + DEGREE * L2)[np.newaxis]}
    return solve_ivp(
        lambda t, f: -kernel(t) * (f - y) - DEGREE * L2 * f,
        (0, times[-1]),
        f0,
        "LSODA",
        times,
        rtol=rtol,
        atol=rtol * 1e-2,
        **options,
    ).y.T


def loop(rtol: float) -> Solver:
    """LSODA for one mode after another."""

    def run(count: int) -> Array:
        eigenvalues, f0, y = modes()
        each = [slice(i, i + 1) for i in range(MODES)]
        return np.concatenate([_lsoda(eigenvalues[i], f0[i], y[i], moments(count), rtol) for i in each], axis=1)

    return run


def system(rtol: float) -> Solver:
    """LSODA for all modes at once."""
    return lambda count: _lsoda(*modes(), moments(count), rtol)


@cache
def exact(count: int) -> Array:
    """Certified values, rounded."""
    eigenvalues, f0, y = modes()
    from linreg_dyn.ntk import mode_enclosure  # needs python-flint, which other benchmarks do without

    balls = mode_enclosure(moments(count)[:, np.newaxis], eigenvalues, f0, y, l2=L2, degree=DEGREE, precision=80)
    return balls.astype(float)


def error(solver: Solver, count: int = 10) -> float:
    """Largest error over times and modes, of a start and a label of order 1."""
    return float(np.abs(solver(count) - exact(count)).max())


@cache
def most_accurate(make: Callable[[float], Solver]) -> tuple[float, float]:
    """The tolerance of the ladder with the smallest error, and that error."""
    reached, rtol = min((error(make(rtol)), rtol) for rtol in LADDER)
    return rtol, reached


def measured(count: int, turns: int, budget: float) -> dict[str, Any]:
    """One row: mode-times a second of one core, by its CPU time, and how many times the solvers' that ours is."""
    solvers: dict[str, Solver] = {OURS: ours}
    cells: dict[str, dict[str, float]] = {OURS: {"error": error(ours)}}
    for name, make in ((LOOP, loop), (SYSTEM, system)):
        rtol, reached = most_accurate(make)
        solvers[name], cells[name] = make(rtol), {"error": reached, "rtol": rtol}
    runs = {name: partial(solver, count) for name, solver in solvers.items()}
    for name, timing in interleaved(runs, turns=turns, budget=budget).items():
        cells[name]["mode_times_per_s"] = MODES * count / timing.cpu
    for cell in cells.values():
        cell["ours_is"] = cells[OURS]["mode_times_per_s"] / cell["mode_times_per_s"]
    return {"what": "modes", "modes": MODES, "times": count, "solvers": cells}


def aims(rows: Iterable[dict[str, Any]]) -> Iterator[tuple[str, float, list[tuple[float, str]]]]:
    """What is asked for, as (text, bound, what was measured and where)."""
    found = [row for row in rows if row["what"] == "modes"]

    def of(name: str, key: str, times: Callable[[int], bool]) -> list[tuple[float, str]]:
        chosen = [row for row in found if times(row["times"])]
        return [(row["solvers"][name][key], f"{row['modes']} modes, {row['times']} times") for row in chosen]

    yield "modes in closed form: mode-times/s of a core", 1e6, of(OURS, "mode_times_per_s", lambda n: n >= 100)
    yield "modes: times LSODA at its most accurate, to one time", 100, of(LOOP, "ours_is", lambda n: n == 1)
    yield "modes: the same, to 100 times", 100, of(LOOP, "ours_is", lambda n: n == 100)
    yield "modes: the same, as one system, to one time", 100, of(SYSTEM, "ours_is", lambda n: n == 1)

"""Gradient flows at the same achieved error: `ld.flow`, a loop of scipy's `solve_ivp`, heyoka's batch mode.

Each contender's tolerance is the loosest of a ladder at which its largest error, against the exact solution of
`closed_form`, is below the target; then it is timed with that.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from scipy.integrate import solve_ivp

import linreg_dyn as ld
from linreg_dyn import closed_form
from linreg_dyn.problem import Array
from tests.benchmarks.cases import Unavailable, Wrong, starts

TIMES = np.linspace(0.25, 2.0, 8)
LADDER = tuple(10.0**-k for k in range(3, 14))
SAMPLE = 48

Prepared = Callable[[], Array]
"""Integrates from its starts; the weights at `TIMES`, (time, trajectory, layer)."""


def ours(weights: Array, rtol: float, threads: int) -> Prepared:
    """`ld.flow`, its whole call."""
    arguments = {"times": TIMES, "rtol": rtol, "atol": rtol, "threads": threads}
    return lambda: ld.flow(weights, ld.GradientDescent(), **arguments).weights.values


def _force(t, w):
    W = w.prod()
    left = np.concatenate(([1.0], np.cumprod(w[:-1])))
    right = np.concatenate((np.cumprod(w[:0:-1])[::-1], [1.0]))
    return -2 * (W - 1) * left * right


def scipy_loop(method: str) -> Callable[[Array, float, int], Prepared]:
    """`solve_ivp` over one trajectory after another, with dense output at `TIMES`."""

    def prepare(weights: Array, rtol: float, threads: int) -> Prepared:
        options = {"method": method, "t_eval": TIMES, "rtol": rtol, "atol": rtol}

        def run() -> Array:
            with np.errstate(over="ignore", invalid="ignore"):  # a trial step may overshoot; it is refused
                return np.stack([solve_ivp(_force, (0, TIMES[-1]), w, **options).y.T for w in weights], axis=1)

        return run

    return prepare


def heyoka_batches(weights: Array, rtol: float, threads: int) -> Prepared:
    """`taylor_adaptive_batch`, as many trajectories at once as SIMD lanes, a solver for each thread."""
    try:
        import heyoka
    except ImportError as error:
        raise Unavailable(f"heyoka is not installed ({error}): pip install '.[bench]'") from None
    lanes, depth = heyoka.recommended_simd_size(), weights.shape[1]
    w = heyoka.make_vars(*(f"w{i}" for i in range(depth)))
    others = [heyoka.prod([w[j] for j in range(depth) if j != i]) for i in range(depth)]
    g = heyoka.prod(list(w)) - 1.0
    system = [(w[i], -2.0 * g * others[i]) for i in range(depth)]
    batches = -(-len(weights) // lanes)
    padded = np.ones((batches * lanes, depth))
    padded[: len(weights)] = weights
    blocks = np.ascontiguousarray(padded.reshape(batches, lanes, depth).swapaxes(1, 2))
    grid = np.repeat(np.concatenate(([0.0], TIMES))[:, np.newaxis], lanes, axis=1)
    first = heyoka.taylor_adaptive_batch(system, blocks[0], tol=rtol)
    solvers = [first, *(copy.deepcopy(first) for _ in range(threads - 1))]
    path = np.empty((batches, len(grid), depth, lanes))

    def work(number: int) -> None:
        solver = solvers[number]
        for batch in range(number, batches, threads):
            solver.set_time(0.0)
            solver.state[:] = blocks[batch]
            path[batch] = solver.propagate_grid(grid)[-1]

    def run() -> Array:
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(work, range(threads)))
        return path.transpose(1, 0, 3, 2).reshape(len(grid), -1, depth)[1:, : len(weights)]

    return run


CONTENDERS: dict[str, Callable[[Array, float, int], Prepared]] = {
    "ours": ours,
    "scipy RK45": scipy_loop("RK45"),
    "scipy DOP853": scipy_loop("DOP853"),
    "scipy LSODA": scipy_loop("LSODA"),
    "heyoka": heyoka_batches,
}


def exact(weights: Array) -> Array:
    """The flow's weights at `TIMES`, (time, trajectory, layer), good to the last bit."""
    return closed_form.flow(weights, TIMES).swapaxes(0, 1)


def tolerance_for(name: str, depth: int, target: float, threads: int) -> tuple[float, float]:
    """The loosest tolerance whose error is at most `target`, and that error.

    Raises:
        Wrong: none of the ladder is.
    """
    weights = starts(SAMPLE, depth, seed=4)
    right = exact(weights)
    error = np.inf
    for rtol in LADDER:
        error = float(np.abs(CONTENDERS[name](weights, rtol, threads)() - right).max())
        if error <= target:
            return rtol, error
    raise Wrong(f"no tolerance down to {LADDER[-1]:g} reaches an error of {target:g}; the last had {error:.2g}")

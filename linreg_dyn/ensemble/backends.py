"""Which engine runs an ensemble."""

from __future__ import annotations

from typing import Any

from linreg_dyn._checks import choice
from linreg_dyn.ensemble.plan import Plan
from linreg_dyn.ensemble.resuming import Before
from linreg_dyn.problem import Array

BACKENDS = ("auto", "cpu", "cuda")


def chosen(backend: Any, trajectories: int, steps: int, plan: Plan | None = None) -> str:
    """The backend that runs; "auto" takes a CUDA device only if that can hold the plan.

    Raises:
        RuntimeError: it is "cuda", and something that it needs is missing.
        ValueError: it is "cuda", and the plan does not fit into its memory.
    """
    if choice("backend", backend, BACKENDS) == "cpu":
        return "cpu"
    from linreg_dyn.ensemble import _cuda

    return _cuda.chosen(backend, trajectories, steps, plan)


def origin(backend: str) -> dict[str, str]:
    """What a dataset says of where it was computed."""
    if backend == "cpu":
        return {}
    from linreg_dyn.ensemble import _cuda

    return {"device": _cuda.cuda_available()[1]}


def engine(backend: str, plan: Plan, weights: Array, before: Before | None, threads: int) -> Any:
    """The engine, ready for its first step; a context manager."""
    state: dict[str, Any] = {}
    if before is not None:
        state = {"velocities": before.velocities, "diverged_step": before.diverged_step, "auto_l2": before.auto_l2}
    if backend == "cpu":
        from linreg_dyn.ensemble._cpu import CpuEngine

        return CpuEngine(plan, weights, threads=threads, **state)
    from linreg_dyn.ensemble._cuda import CudaEngine

    return CudaEngine(plan, weights, **state)

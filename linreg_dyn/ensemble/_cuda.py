"""The engine that runs ensembles on a CUDA device: memory, launches, and which kernel when.

Nothing here imports numba.cuda before an engine is made or a device is asked for.
"""

from __future__ import annotations

import warnings
from contextlib import suppress
from functools import cache
from typing import Any

import numpy as np
from numba.core import config

from linreg_dyn.ensemble import _cuda_memory
from linreg_dyn.ensemble.engine import Engine
from linreg_dyn.ensemble.plan import NEVER, OVERFLOW, Plan
from linreg_dyn.ensemble.record import OBSERVABLES, WEIGHTS, Moments
from linreg_dyn.problem import Array
from linreg_dyn.schedules import Schedule

BLOCKS = 1024
"""Blocks of a reduction: fixed, so that its order does not depend on the device."""
WORTHWHILE = 2**24
"""Trajectory-steps from which a device is worth its launches and copies, when nothing else is said."""

NO_COMPILER = "NVVM, CUDA's compiler, is not found: set CUDA_HOME to where CUDA is, or pip install 'linreg-dyn[cuda]'"
"""What is amiss where numba can use no device and the driver knows of no error."""


@cache
def cuda_available() -> tuple[bool, str]:
    """Whether a CUDA device can be used, and its name; or what is missing, in one line. Raises nothing, nor warns."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return _available()


def _available() -> tuple[bool, str]:
    try:
        from linreg_dyn.ensemble._cuda_target import cuda
    except Exception as error:
        return False, f"numba's CUDA target does not load ({error}): pip install 'linreg-dyn[cuda]'"
    try:
        if cuda.is_available():
            name = getattr(cuda.get_current_device(), "name", "numba's simulator")
            return True, name.decode() if isinstance(name, bytes) else str(name)
        reason = str(cuda.cuda_error() or NO_COMPILER).strip().replace("\n", " ")
    except Exception as error:
        reason = f"{type(error).__name__}: {error}".replace("\n", " ")
    if getattr(cuda, "implementation", "NVIDIA") == "Built-in":
        reason = reason.rstrip(".") + "; the package numba-cuda is missing too: pip install 'linreg-dyn[cuda]'"
    return False, f"no CUDA device can be used: {reason:.300}"


def room() -> _cuda_memory.Room:
    """What the device has left."""
    from linreg_dyn.ensemble._cuda_target import cuda

    context: Any = cuda.current_context()
    with suppress(AttributeError):  # another manager of memory than numba's own, which frees in lots, has no such list
        context.memory_manager.deallocations.clear()
    free = float(context.get_memory_info().free)
    device = cuda.get_current_device()
    names = ("MULTIPROCESSOR_COUNT", "MAX_THREADS_PER_MULTIPROCESSOR")
    many, each = (getattr(device, name, 1) for name in names)  # the simulator's has neither
    return _cuda_memory.Room(free, many * each)


def simulated() -> bool:
    """Whether numba's simulator stands for a device: much slower than the CPU, it is for tests alone."""
    return bool(config.ENABLE_CUDASIM)  # pyright: ignore[reportAttributeAccessIssue]


def chosen(backend: str, trajectories: int, steps: int, plan: Plan | None = None) -> str:
    """ "cpu" or "cuda" for the backend asked for; "auto" takes a device if there is one and enough to do for it.

    With a plan, it is seen to that the device can hold it.

    Raises:
        RuntimeError: "cuda" was asked for and cannot be had.
        ValueError: "cuda" was asked for, and the plan does not fit into its memory.
    """
    worthwhile = trajectories * steps >= WORTHWHILE and not simulated()
    if backend == "cpu" or (backend == "auto" and not (worthwhile and cuda_available()[0])):
        return "cpu"
    if not cuda_available()[0]:
        raise RuntimeError(f'backend="cuda" cannot run: {cuda_available()[1]}')
    against = _cuda_memory.reason_against(plan, trajectories, room()) if plan else None
    if against and backend == "cuda":
        raise ValueError(against)
    return "cpu" if against else "cuda"


class CudaEngine(Engine):
    """An ensemble in the memory of a CUDA device; `threads` is how many trajectories a block has, a power of 2."""

    def __init__(
        self,
        plan: Plan,
        weights: Array,
        velocities: Array | None = None,
        diverged_step: np.ndarray | None = None,
        auto_l2: Array | None = None,
        *,
        threads: int = 128,
    ):
        from linreg_dyn.ensemble import _cuda_kernels, _cuda_observe
        from linreg_dyn.ensemble._cuda_target import cuda

        self.plan, self.threads = plan, threads
        self.trajectories = len(weights)
        self._cuda = cuda
        self._observe = _cuda_observe
        self._blocks = -(-self.trajectories // threads)
        self._weights: Any = self._device(np.ascontiguousarray(weights.T, dtype=plan.dtype))
        self._velocities: Any = self._device(np.zeros((plan.depth if plan.momentum else 1, 1), dtype=plan.dtype))
        if plan.momentum:
            rest = np.zeros_like(weights) if velocities is None else velocities
            self._velocities = self._device(np.ascontiguousarray(rest.T, dtype=plan.dtype))
        start = np.full(self.trajectories, NEVER) if diverged_step is None else diverged_step
        self._diverged: Any = self._device(np.ascontiguousarray(start, dtype=np.int64))
        decays, self._auto_l2 = plan.decays, None
        if plan.auto_l2:
            states = np.repeat(np.array(plan.auto_l2.start())[:, np.newaxis], self.trajectories, axis=1)
            if auto_l2 is not None:
                states, decays = np.ascontiguousarray(auto_l2), plan.auto_l2.weight_decay(1.0) * auto_l2[0]
            self._auto_l2: Any = self._device(states)
        own = ((np.ones(1) if own is None else own).astype(plan.dtype) for own in (plan.rates, decays))
        self._factors: Any = tuple(map(self._device, own))
        squares, products, batch = plan.batches
        nothing = np.zeros(1)
        data = (plan.quantiles, squares, products) if batch else (plan.quantiles, nothing, nothing)
        self._data = tuple(self._device(np.ascontiguousarray(array, dtype=np.float64)) for array in data)
        self._tables = tuple(map(self._device, plan.table(0, 1)))
        self._kind = _kind(plan, len(squares), batch)
        self._kernels = _cuda_kernels.advance_kernels(self._kind)
        self.moments: dict[str, Moments] = {}
        self.values: dict[str, Array] = {}

    def __enter__(self) -> CudaEngine:
        return self

    def __exit__(self, *error: object) -> None:
        self._weights = self._velocities = self._diverged = self._factors = self._data = self._auto_l2 = None

    def _device(self, array: np.ndarray) -> Any:
        return self._cuda.to_device(array)

    def advance(self, start: int, stop: int, reduced: tuple[str, ...] = (), kept: tuple[str, ...] = ()) -> None:
        """Take the steps start, ..., stop - 1; then measure: `moments` of `reduced`, `values` of `kept`."""
        every = self.plan.auto_l2.every if self.plan.auto_l2 else stop
        piece = _cuda_memory.steps_at_once(self.plan, self.trajectories)
        waited = start
        while start < stop:
            pause = min(stop, start + piece, (start // every + 1) * every)
            self._piece(start, pause)
            if self.plan.auto_l2 and pause % every == 0:
                self._measure_l2(pause)
            start = pause
            if waited + piece <= start < stop:
                self._cuda.synchronize()  # launches are only queued: without waiting for them Ctrl-C is not heard
                waited = start
        self.measure(reduced, kept)

    def _piece(self, start: int, stop: int) -> None:
        plan, kind, count = self.plan, self._kind, stop - start
        varies = (kind.rate_varies, kind.decay_varies, kind.width_varies)
        tables = self._tables
        if any(varies):
            columns = zip(plan.table(start, stop), varies, tables, strict=True)
            tables = tuple(self._device(column) if varying else same for column, varying, same in columns)
        head = min(count, -start % 4) if kind.distribution else 0
        body = head + (count - head) // 4 * 4
        momentum = np.dtype(plan.dtype).type(plan.momentum)
        key = plan.seed & 0xFFFFFFFF, plan.seed >> 32
        state = self._weights, self._velocities, self._diverged
        for kernel in self._kernels:
            self._launch(
                kernel, self._blocks, *state, self._factors, tables, self._data, momentum,
                start, np.int32(head), np.int32(body), np.int32(count), plan.first_trajectory, *key,
            )  # fmt: skip

    def _launch(self, kernel: Any, blocks: int, *arguments: Any) -> None:
        with warnings.catch_warnings():  # small ensembles are welcome
            warnings.filterwarnings("ignore", "Grid size .* low occupancy")
            kernel[blocks, self.threads](*arguments)

    def _measure_l2(self, step: int) -> None:
        schedule = self.plan.auto_l2
        assert schedule is not None
        scale = schedule.weight_decay(1.0)
        update = self._observe.auto_l2_kernel(self.plan.depth, schedule.factor, schedule.refractory, scale)
        self._launch(update, self._blocks, self._weights, self._auto_l2, self._factors[1], step)

    def measure(self, reduced: tuple[str, ...] = (), kept: tuple[str, ...] = ()) -> None:
        """Measure as `advance` does, without a step."""
        self.moments, self.values = {}, {}
        if reduced:
            functions = tuple(OBSERVABLES[name][0] for name in reduced)
            blocks = min(self._blocks, BLOCKS)
            rows = self._cuda.device_array((len(reduced), blocks, 5), np.float64)
            kernel = self._observe.reduce_kernel(self.plan.depth, functions, self.threads)
            self._launch(kernel, blocks, self._weights, self._diverged, rows)
            parts = np.moveaxis(rows.copy_to_host(), -1, 0)  # [5, observable, block]
            self.moments = dict(zip(reduced, Moments.merged(*parts), strict=True))
        for name in kept:
            if name == WEIGHTS:
                self.values[name] = _fetched(self._weights)
                continue
            out = self._cuda.device_array(self.trajectories, np.float64)
            kernel = self._observe.observe_kernel(self.plan.depth, OBSERVABLES[name][0])
            self._launch(kernel, self._blocks, self._weights, out)
            self.values[name] = out.copy_to_host()

    @property
    def diverged_step(self) -> np.ndarray:
        """(trajectory,): the step at which each diverged; -1: it did not."""
        return self._diverged.copy_to_host()

    @property
    def auto_l2(self) -> Array | None:
        """(6, trajectory): where AutoL2 is for each, if the plan has it."""
        return None if self._auto_l2 is None else self._auto_l2.copy_to_host()

    def fetch(self) -> tuple[Array, Array | None]:
        """Weights and, with momentum, velocities: (trajectory, layer)."""
        return _fetched(self._weights), _fetched(self._velocities) if self.plan.momentum else None


def _fetched(array: Any) -> Array:
    """(trajectory, layer), of what lies on the device as (layer, trajectory)."""
    return array.copy_to_host().T.copy()


def _kind(plan: Plan, samples: int, batch: int):
    """What to compile for a plan."""
    from linreg_dyn.ensemble import _cuda_kernels, _steps

    def varies(x: Any) -> bool:
        return isinstance(x, Schedule) and x.limits[0] != x.limits[1]

    return _cuda_kernels.Kind(
        depth=plan.depth,
        dtype=plan.dtype,
        limit=OVERFLOW[plan.dtype],
        residual=_steps.RESIDUALS[type(plan.method)],
        distribution=plan.distribution if plan.draw == "amplitude" else None,
        batch=batch,
        samples=samples,
        adaptive=plan.adaptive,
        decaying=plan.decaying,
        rate_varies=varies(plan.learning_rate),
        decay_varies=varies(plan.weight_decay),
        width_varies=varies(getattr(plan.method, "half_width", 0.0)),
        own_rates=plan.rates is not None,
        own_decays=plan.decays is not None,
        moving=plan.momentum > 0,
        nesterov=plan.nesterov,
    )

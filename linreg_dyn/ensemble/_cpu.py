"""The engine that runs ensembles on the processor's cores: memory, threads, and which kernel when."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np

from linreg_dyn import noise
from linreg_dyn._compiled import kernel
from linreg_dyn.ensemble import _kernels
from linreg_dyn.ensemble._blocks import PADDING, SOURCES, merged, observe_kernel, stored
from linreg_dyn.ensemble._vector import aligned
from linreg_dyn.ensemble.engine import Engine, Seen
from linreg_dyn.ensemble.plan import NEVER, Plan
from linreg_dyn.ensemble.record import ALL, OBSERVABLES, Moments, Record
from linreg_dyn.ensemble.threads import spread
from linreg_dyn.problem import Array
from linreg_dyn.schedules import auto_l2

PIECE = 2**30
"""Layer-steps after which kernels come up for air, so that Ctrl-C is heard within a second or so."""
MOMENTS = 2**26
"""Bytes of moments of blocks that wait to be merged."""
TABLE = 2**16
"""Steps that a block takes in one go at most; their scheduled values are tabulated."""


class CpuEngine(Engine):
    """An ensemble in the memory of the processor; beside the arguments of `Engine`, how many `threads` work."""

    def __init__(
        self,
        plan: Plan,
        weights: Array,
        velocities: Array | None = None,
        diverged_step: np.ndarray | None = None,
        auto_l2: Array | None = None,
        *,
        threads: int = 1,
    ):
        self.plan = plan
        self.trajectories = len(weights)
        self.shape = _kernels.shape_for(plan.depth, plan.dtype, plan.draw == "amplitude", plan.momentum > 0)
        lanes = self.shape.lanes
        self.blocks = -(-self.trajectories // lanes)
        self.state = self._rows(self.blocks, weights, 1)  # lanes left over rest at the minimum of weights 1
        self.velocities = self._rows(self.blocks if plan.momentum else 0, velocities, 0)
        self.diverged = np.full((self.blocks, lanes), NEVER)
        self.diverged.reshape(-1)[self.trajectories :] = PADDING
        if diverged_step is not None:
            self.diverged.reshape(-1)[: self.trajectories] = diverged_step
        own = plan.rates is not None or plan.decays is not None
        self.own = tuple(self._factors(x, own) for x in (plan.rates, plan.decays))
        self._auto_l2 = self._start_auto_l2(auto_l2) if plan.auto_l2 else None
        self.moments: dict[str, Moments] = {}
        self.values: dict[str, Array] = {}
        self.threads = threads

    def _rows(self, blocks: int, values: Array | None, rest: float) -> Array:
        """(trajectory, layer) of whole blocks: `values`, and `rest` where there are none."""
        rows = aligned((blocks * self.shape.lanes, self.plan.depth), self.plan.dtype)
        given = 0 if values is None else len(values)
        if values is not None:
            rows[:given] = values
        rows[given:] = rest
        return rows

    def _factors(self, values: Array | None, own: bool) -> Array:
        """Factors of every lane, (block, lane), 1 where there is none; empty if no trajectory has its own."""
        factors = aligned(self.diverged.shape if own else (0, self.shape.lanes), self.plan.dtype)
        factors[:] = 1
        if values is not None:
            factors.reshape(-1)[: self.trajectories] = values
        return factors

    def _start_auto_l2(self, before: Array | None) -> Array:
        assert self.plan.auto_l2 is not None
        state = np.repeat(np.array(self.plan.auto_l2.start())[:, np.newaxis], self.diverged.size, axis=1)
        if before is not None:
            state[:, : self.trajectories] = before
            self.own[1].reshape(-1)[:] = self.plan.auto_l2.weight_decay(1.0) * state[0]
        return state

    def advance(self, start: int, stop: int, reduced: tuple[str, ...] = (), kept: tuple[str, ...] = ()) -> None:
        """Take the steps start, ..., stop - 1; then measure: `moments` of `reduced`, `values` of `kept`."""
        every = self.plan.auto_l2.every if self.plan.auto_l2 else stop
        while start < stop:
            pause = min(stop, start + TABLE, (start // every + 1) * every)
            self._run_through([start, pause])
            if self.plan.auto_l2 and pause % every == 0:
                self._measure_l2(pause)
            start = pause
        self.moments = self._run_through([stop, stop], reduced)[0] if reduced else {}
        self.values = self._observe(kept)

    def records(self, start: int, stops: Sequence[int], record: Record) -> Iterator[Seen]:
        """Advance from `start` to each of `stops` in turn, and measure there.

        Moments alone are taken as the run goes, many steps in one go, while a block is in the cache.
        """
        if record.kept or self.plan.auto_l2:
            yield from super().records(start, stops, record)
            return
        reduced, wanted = record.reduced, record.moments
        most = max(1, MOMENTS // (8 * (1 + len(stored(wanted)) * len(reduced)) * self.blocks))
        while stops:
            if stops[0] - start > TABLE:
                self.advance(start, stops[0])
                start = stops[0]
            count = 1
            while count < min(most, len(stops)) and stops[count] - start <= TABLE:
                count += 1
            for moments in self._run_through([start, *stops[:count]], reduced, wanted):
                yield Seen(moments, {})
            start, stops = stops[count - 1], stops[count:]

    def _run_through(
        self, edges: Sequence[int], reduced: tuple[str, ...] = (), wanted: frozenset[str] = ALL
    ) -> list[dict[str, Moments]]:
        """Take the steps from the first edge to the last; moments of `reduced` at each edge but the first."""
        plan = self.plan
        key = plan.seed & noise.MASK, plan.seed >> 32
        random = (*key, np.array(noise.round_keys(*key)), plan.first_trajectory, plan.quantiles)
        table = plan.table(edges[0], edges[-1])
        shared = (table, self.own, self.state.dtype.type(plan.momentum), random, plan.batches)
        width = 1 + len(stored(wanted)) * len(reduced)
        moments = np.empty((len(edges) - 1 if reduced else 0, width, self.blocks))
        observed = tuple(OBSERVABLES[name][0] for name in reduced)
        advance = _kernels.advance_kernel(self.shape, plan, observed, wanted if reduced else frozenset())  # pyright: ignore[reportArgumentType]
        memory, at = (self.state, self.velocities, self.diverged), np.array(edges)
        pieces = self.state.size * (edges[-1] - edges[0]) // PIECE
        spread(
            lambda first, last: advance(*memory, first, last, at, moments, *shared), self.blocks, self.threads, pieces
        )
        return [dict(zip(reduced, merged(row, len(reduced), wanted), strict=True)) for row in moments]

    def _observe(self, kept: tuple[str, ...]) -> dict[str, Array]:
        values: dict[str, Array] = {}
        for name in kept:
            function = OBSERVABLES[name][0]
            if function is None:
                values[name] = self.state[: self.trajectories]
                continue
            observe, out = observe_kernel(self.shape, function), aligned(self.diverged.shape, np.float64)
            spread(partial(observe, self.state, out), self.blocks, self.threads)
            values[name] = out.reshape(-1)[: self.trajectories]
        return values

    def _measure_l2(self, step: int) -> None:
        assert self._auto_l2 is not None
        assert self.plan.auto_l2 is not None
        schedule, loss = self.plan.auto_l2, np.full(self.diverged.size, np.nan)
        loss[: self.trajectories] = self._observe(("loss",))["loss"]
        _update_l2(self._auto_l2, step, loss, schedule.factor, schedule.refractory)
        self.own[1].reshape(-1)[:] = schedule.weight_decay(1.0) * self._auto_l2[0]

    @property
    def diverged_step(self) -> np.ndarray:
        """(trajectory,): the step at which each diverged; -1: it did not."""
        return self.diverged.reshape(-1)[: self.trajectories]

    @property
    def auto_l2(self) -> Array | None:
        """(6, trajectory): where AutoL2 is for each, if the plan has it."""
        return None if self._auto_l2 is None else self._auto_l2[:, : self.trajectories]

    def fetch(self) -> tuple[Array, Array | None]:
        """Weights and, with momentum, velocities: (trajectory, layer)."""
        velocities = self.velocities[: self.trajectories] if self.plan.momentum else None
        return self.state[: self.trajectories], velocities


@kernel(SOURCES)
def _update_l2(states, step, loss, factor, refractory):
    """One measurement of AutoL2 for every trajectory; `states` is [6, trajectory]."""
    for k in range(states.shape[1]):
        l2, low, low_error, pause, last, error = states[:, k]
        new = auto_l2(l2, low, low_error, pause, last, error, step, loss[k], 0.0, factor, refractory)
        for j in range(6):
            states[j, k] = new[j]

"""Times of several contenders, taken in turn."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Timing:
    """Best of some turns, in seconds: by the clock on the wall, and of the processor for all threads together."""

    wall: float
    cpu: float
    turns: int


def interleaved(runs: Mapping[str, Callable], *, turns: int, budget: float) -> dict[str, Timing]:
    """Time every one of `runs` once in each of `turns` rounds, and keep the best of each.

    What others do on the machine thus hits all alike. A run may have a method `reset`, which is called before it
    and not timed. One that has used up `budget` seconds is left out of further rounds.
    """
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in runs}
    for _ in range(turns):
        for name, run in runs.items():
            if sum(wall for wall, _ in taken[name]) > budget:
                continue
            getattr(run, "reset", lambda: None)()
            wall, cpu = time.perf_counter(), time.process_time()
            run()
            taken[name].append((time.perf_counter() - wall, time.process_time() - cpu))
    return {
        name: Timing(min(wall for wall, _ in pairs), min(cpu for _, cpu in pairs), len(pairs))
        for name, pairs in taken.items()
    }

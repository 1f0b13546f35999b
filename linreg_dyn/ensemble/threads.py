"""Work spread over threads.

Threads of Python around kernels that release the GIL, rather than numba's own: those are one pool for the
whole process, which two callers at once, or a fork, would crash.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from linreg_dyn._checks import integer


def workers(threads: int | None) -> int:
    """The argument `threads`, checked; None is every core that this process may use."""
    if threads is not None:
        return integer("threads", threads, least=1, most=4096)
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on this platform
        return os.cpu_count() or 1


@contextmanager
def spread(items: int, threads: int) -> Iterator[Callable[[Callable[[int, int], None]], Any]]:
    """Yield `run`: `run(work)` calls `work(first, last)` for all items, in chunks, and waits for them."""
    chunks = min(items, 4 * threads if threads > 1 else 1)
    edges = [items * k // chunks for k in range(chunks + 1)]
    if chunks == 1:
        yield lambda work: work(0, items)
        return
    with ThreadPoolExecutor(threads, thread_name_prefix="linreg_dyn") as pool:
        yield lambda work: list(pool.map(work, edges[:-1], edges[1:]))

"""Work spread over threads.

Threads of Python around kernels that release the GIL, rather than numba's own: those are one pool for the
whole process, which two callers at once, or a fork, would crash. The threads stay for the next call, because a new
one costs more than a short run; a fork leaves them behind. Whoever has work takes part in it, so callers never wait
for each other.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from itertools import pairwise

from linreg_dyn._checks import integer

MOST = 4096
_pool: list[ThreadPoolExecutor] = []  # one, or none yet
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_pool.clear)


def workers(threads: int | None) -> int:
    """The argument `threads`, checked; None is every core that this process may use."""
    if threads is not None:
        return integer("threads", threads, least=1, most=MOST)
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on this platform
        return os.cpu_count() or 1


def spread(work: Callable[[int, int], None], items: int, threads: int) -> None:
    """Call `work(first, last)` for all items, in chunks, in so many threads, this one among them; wait for the end.

    What `work` raises is raised here, Ctrl-C too, after every thread has ended the chunk it was at.
    """
    chunks = min(items, 4 * threads if threads > 1 else 1)
    edges = [items * k // chunks for k in range(chunks + 1)] if chunks else []
    left = list(pairwise(edges))[::-1]

    def take() -> None:
        while left:
            try:
                chunk = left.pop()
            except IndexError:  # another thread was quicker
                return
            work(*chunk)

    if threads > 1 and chunks > 1 and not _pool:
        _pool.append(ThreadPoolExecutor(MOST, thread_name_prefix="linreg_dyn"))
    helpers = [_pool[0].submit(take) for _ in range(min(threads, chunks) - 1)]
    try:
        take()
    finally:
        left.clear()
        wait(helpers)
    for helper in helpers:
        helper.result()

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


def _edges(items: int, threads: int, pieces: int) -> list[int]:
    """Where chunks begin, and the end: large ones first, then smaller ones, so that threads end together."""
    edges, most = [0], max(1, items // max(1, pieces))
    least = items // (32 * threads)
    while edges[-1] < items:
        left = items - edges[-1]
        share = left // (2 * threads) if threads > 1 else left
        edges.append(edges[-1] + min(left, most, max(1, least, share)))
    return edges


def spread(work: Callable[[int, int], None], items: int, threads: int, pieces: int = 1) -> None:
    """Call `work(first, last)` for all items, in chunks, in so many threads, this one among them; wait for the end.

    A chunk is at most one of so many equal `pieces`. What `work` raises is raised here, Ctrl-C too, after every
    thread has ended the chunk it was at.
    """
    left = list(pairwise(_edges(items, threads, pieces)))[::-1]

    def take() -> None:
        while left:
            try:
                chunk = left.pop()
            except IndexError:  # another thread was quicker
                return
            work(*chunk)

    helpers = min(threads, len(left)) - 1
    if helpers > 0 and not _pool:
        _pool.append(ThreadPoolExecutor(MOST, thread_name_prefix="linreg_dyn"))
    helping = [_pool[0].submit(take) for _ in range(helpers)]
    try:
        take()
    finally:
        left.clear()
        wait(helping)
    for helper in helping:
        helper.result()

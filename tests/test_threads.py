"""Work spread over threads: all of it, once, and nothing left running."""

import os
import threading
import time

import pytest

from linreg_dyn.ensemble import threads as module
from linreg_dyn.ensemble.threads import spread


@pytest.mark.parametrize("threads", [1, 2, 5, 64])
@pytest.mark.parametrize("items", [0, 1, 3, 1000])
@pytest.mark.parametrize("pieces", [0, 1, 7, 5000])
def test_every_item_is_done_once(items, threads, pieces):
    done, most = [], 0

    def work(first, last):
        nonlocal most
        most = max(most, last - first)
        done.extend(range(first, last))

    spread(work, items, threads, pieces)
    assert sorted(done) == list(range(items))
    assert most <= max(1, items // max(1, pieces))


def test_chunks_become_smaller_so_that_threads_end_together():
    sizes = []
    spread(lambda first, last: sizes.append((first, last - first)), 10_000, 2)
    in_order = [size for _, size in sorted(sizes)]
    assert in_order == sorted(in_order, reverse=True)
    assert in_order[0] == 2500
    assert in_order[-1] <= 10_000 // 64
    assert len(in_order) < 20


def test_threads_work_at_the_same_time_and_stay_for_the_next_call():
    seen, meet = set(), threading.Barrier(3, timeout=60)

    def work(first, last):
        if threading.get_ident() not in seen:
            seen.add(threading.get_ident())
            meet.wait()  # three must be here at once

    spread(work, 12, 3)
    assert len(seen) == 3
    assert threading.get_ident() in seen
    before = threading.active_count()
    spread(lambda first, last: time.sleep(0.001), 12, 3)
    assert threading.active_count() == before


@pytest.mark.parametrize("kind", [ValueError, KeyboardInterrupt])
def test_what_is_raised_comes_out_when_nobody_works_any_more(kind):
    busy, main, meet = [0], threading.get_ident(), threading.Barrier(2, timeout=60)

    def work(first, last):
        busy[0] += 1
        if first < 2:
            meet.wait()
        if threading.get_ident() == main:
            raise kind("stop")
        time.sleep(0.01)
        busy[0] -= 1

    with pytest.raises(kind, match="stop"):
        spread(work, 4, 2)
    assert busy == [1]  # only the one that raised never left


def test_an_error_in_another_thread_comes_out():
    main = threading.get_ident()

    def work(first, last):
        time.sleep(0.01)
        if threading.get_ident() != main:
            raise ValueError("there")

    with pytest.raises(ValueError, match="there"):
        spread(work, 100, 2)


def test_callers_do_not_wait_for_each_other(monkeypatch):
    """Even from within the work of another, with a pool that is full."""
    total = []
    spread(lambda first, last: spread(lambda a, b: total.append(b - a), 10, 4), 8, 4)
    assert sum(total) == 8 * 10


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_fork_makes_threads_of_its_own():
    spread(lambda first, last: None, 8, 2)
    assert module._pool
    child = os.fork()
    if child == 0:
        done = []
        spread(lambda first, last: done.append(last - first), 8, 2)
        os._exit(0 if sum(done) == 8 else 1)
    deadline = time.monotonic() + 60
    while (ended := os.waitpid(child, os.WNOHANG)) == (0, 0) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert ended[1] == 0
    assert ended[0] == child

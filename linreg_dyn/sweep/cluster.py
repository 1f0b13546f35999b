"""The engine on Dask distributed: tasks to the workers of a cluster, results back, whatever dies meanwhile.

Tasks are pure, so what is lost is asked for again: Dask does so when a worker dies, and this module when the
scheduler does, with a new client to the one that takes its place. A few tasks more than there are threads are
with the cluster at a time, so that neither its memory nor the network's grows with the sweep.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import warnings
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import CancelledError
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from itertools import islice
from multiprocessing import resource_tracker
from typing import TYPE_CHECKING, Any

from linreg_dyn._checks import integer
from linreg_dyn.ensemble.threads import workers as cores
from linreg_dyn.sweep.compute import Result, Task, compute

if TYPE_CHECKING:
    from distributed import Client, Future

AHEAD = 2
"""Tasks with the cluster for each of its threads: one computing, one to go on with."""


def check_installed() -> None:
    """Refuse with the command that installs the extra, where it is missing."""
    missing = [name for name in ("dask", "distributed", "zarr") if find_spec(name) is None]
    if missing:
        raise ValueError(f"sweeps need {', '.join(missing)}: pip install 'linreg-dyn[sweep]'")


def check_address(name: str, address: str) -> None:
    """Refuse what is no address of a scheduler; Dask's client would leave more behind than its complaint."""
    from distributed.comm import addressing, registry

    try:
        protocol, place = addressing.parse_address(address)
        registry.get_backend(protocol)
        integer("the port", addressing.parse_host_port(place)[1], least=1, most=2**16 - 1)
    except (ValueError, ImportError) as error:
        raise ValueError(f"{name} must be an address such as tcp://host:8786, got {address!r}: {error}") from None


def local_size(workers: int | None, threads: int) -> int:
    """Worker processes of the embedded cluster: with `threads` each, they fill the cores and no more."""
    return max(1, cores(None) // threads) if workers is None else workers


class Dask:
    """The engine: call it with tasks, and it yields each with its result, or with why there is none.

    Args:
        scheduler: the address of a scheduler, or None for a cluster of this machine's own.
        workers: processes of the cluster of this machine's own.
        patience: seconds to wait for a scheduler, when it cannot be reached at first or is lost on the way.
        on_event: hears, in words, of what was lost.
    """

    def __init__(
        self,
        *,
        scheduler: str | None,
        workers: int = 1,
        patience: float = 60,
        dashboard: bool = False,
        on_event: Callable[[str], Any] = lambda text: None,
    ):
        self.scheduler, self.workers, self.patience = scheduler, workers, patience
        self.dashboard, self.on_event = dashboard, on_event

    def __call__(self, tasks: Iterable[Task]) -> Generator[tuple[Task, Result | Exception]]:
        """Compute tasks; raises OSError if the scheduler is lost and none takes its place in time."""
        source, again = iter(tasks), deque[Task]()
        while True:
            task = again.popleft() if again else next(source, None)
            if task is None:
                return
            again.appendleft(task)
            with self._client() as client:
                yield from _drain(client, source, again, self.on_event)
            if again:
                where = f"waiting for another one at {self.scheduler}" if self.scheduler else "starting another one"
                self.on_event(f"lost the scheduler; {where}")

    @contextmanager
    def _client(self) -> Iterator[Client]:
        from distributed import Client

        logging.getLogger("distributed").setLevel(logging.CRITICAL)  # what matters is said by `on_event`
        if self.scheduler is None:
            with self._local_client() as client:
                yield client
            return
        try:
            client = Client(self.scheduler, timeout=self.patience, set_as_default=False)
        except (OSError, ValueError) as error:
            raise OSError(f"no scheduler at {self.scheduler} within {self.patience:g} s: {error}") from None
        with client:
            yield client

    @contextmanager
    def _local_client(self) -> Iterator[Client]:
        from distributed import Client, LocalCluster

        with ExitStack() as stack:
            with _signals_held():  # a cluster that is half there cannot be closed
                cluster = LocalCluster(
                    n_workers=self.workers,
                    threads_per_worker=1,
                    processes=True,
                    host="127.0.0.1",
                    protocol="tcp://",
                    dashboard_address="127.0.0.1:0",  # some server runs there in any case
                    scheduler_kwargs={"dashboard": self.dashboard},
                    preload=["linreg_dyn.sweep.local_worker"],
                    silence_logs=logging.CRITICAL,
                )
                stack.enter_context(cluster)
                client = stack.enter_context(Client(cluster, set_as_default=False))
            if self.dashboard:
                self.on_event(f"dashboard: {client.dashboard_link}")
            try:
                yield client
            except BaseException:
                cluster.sync(_kill, list(cluster.workers.values()))
                raise


@contextmanager
def _signals_held() -> Iterator[None]:
    """Hear of Ctrl-C and SIGTERM after the block; processes that are started in it never hear of Ctrl-C.

    (A terminal sends it to all of them, and it is for the process that ends the cluster. Children inherit the mask
    of signals of the thread that starts them, and threads that of theirs.)
    """
    resource_tracker.ensure_running()  # which is started with the first child, and lets signals through from then on
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


async def _kill(nannies: Sequence[Any]) -> None:
    """End workers at once, in the middle of a chunk: there is nothing that they could lose."""
    await asyncio.gather(*(nanny.close(timeout=0.1) for nanny in nannies))


def _drain(
    client: Client, source: Iterator[Task], again: deque[Task], on_event: Callable[[str], Any]
) -> Iterator[tuple[Task, Result | Exception]]:
    """Yield results until all tasks have one, or the scheduler is lost: then what had none is in `again`."""
    from distributed import as_completed

    running: dict[Future, Task] = {}
    finished = as_completed(loop=client.loop)
    try:
        while True:
            workers: Any = client.nthreads()
            if not workers:
                on_event("the cluster has no workers yet; waiting for them")
            for task in _take(again, source, AHEAD * max(1, sum(workers.values())) - len(running)):
                future = _submit(client, task)
                running[future] = task
                finished.add(future)
            if not running:
                return
            future = next(finished)
            # A task that failed says so by its status; whatever else is raised here, the connection is to blame.
            error = future.exception() if future.status == "error" else None
            yield running[future], error if isinstance(error, Exception) else future.result()
            del running[future]
    except (CancelledError, OSError):
        return
    finally:
        again.extend(running.values())


def _submit(client: Client, task: Task) -> Future:
    # The key is this client's own: elsewhere the same chunk may belong to another store, with other files.
    key = f"sweep-{task.chunk.name}-{client.id}"
    with warnings.catch_warnings():  # a slice of the user's own starts may be large, and is needed only there
        warnings.filterwarnings("ignore", message="Sending large graph")
        return client.submit(compute, task, key=key, pure=False)


def _take(again: deque[Task], source: Iterator[Task], room: int) -> Iterator[Task]:
    while room > 0 and again:
        yield again.popleft()
        room -= 1
    yield from islice(source, max(0, room))

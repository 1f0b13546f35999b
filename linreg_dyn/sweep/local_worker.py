"""Loaded by every worker of the embedded cluster (Dask's `preload`)."""

import signal
from typing import Any


def dask_setup(worker: Any) -> None:
    """Leave Ctrl-C, which a terminal sends to all of its processes, to the process that ends the cluster."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)

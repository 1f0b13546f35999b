"""Loaded by every worker of the embedded cluster (Dask's `preload`)."""

import signal
from typing import Any


def dask_setup(worker: Any) -> None:
    """Take SIGTERM, which was held when this process was started; Ctrl-C is for the one that ends the cluster."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})

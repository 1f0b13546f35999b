"""Downloads that go on where they broke off, into a cache."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any


def cache() -> Path:
    """The folder that downloads are kept in. Raises ImportError without pooch."""
    import pooch

    return Path(pooch.os_cache("linreg_dyn"))


def retrieve(url: str, sha256: str) -> Path:
    """The file of that address and SHA-256 in the cache, downloaded if it is not there.

    Raises:
        OSError: it could not be had. ImportError: pooch is missing.
        ValueError: what came has another SHA-256; it is removed.
    """
    import pooch

    cache().mkdir(parents=True, exist_ok=True)
    name = url.rpartition("/")[2]
    downloader: Any = _resume
    return Path(pooch.retrieve(url, f"sha256:{sha256}", fname=name, path=cache(), downloader=downloader))


def _resume(url: str, output: Any, _pooch: Any) -> None:
    """Download to a file `.part` that the next attempt goes on with, showing progress; then give it its name."""
    import requests
    from rich.progress import DownloadColumn, Progress, TransferSpeedColumn

    part = cache() / (url.rpartition("/")[2] + ".part")
    have = part.stat().st_size if part.exists() else 0
    with requests.get(url, headers={"Range": f"bytes={have}-"} if have else {}, stream=True, timeout=30) as answer:
        if answer.status_code == 416:  # there is nothing after what is here
            os.replace(part, output)
            return
        answer.raise_for_status()
        goes_on = answer.status_code == 206
        have = have if goes_on else 0
        total = int(answer.headers.get("content-length", 0)) + have
        with (
            part.open("ab" if goes_on else "wb") as file,
            Progress(*Progress.get_default_columns(), DownloadColumn(), TransferSpeedColumn()) as bar,
        ):
            task = bar.add_task(part.stem, total=total or None, completed=have)
            for chunk in answer.iter_content(2**20):
                file.write(chunk)
                bar.advance(task, len(chunk))
    os.replace(part, output)

"""Which code a result comes from: versions of distributions, and the commit of a checkout."""

from __future__ import annotations

import subprocess
from functools import cache
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as _version
from pathlib import Path


@cache
def version(distribution: str) -> str | None:
    """The installed version of a distribution, or None."""
    try:
        return _version(distribution)
    except PackageNotFoundError:
        return None


@cache
def commit() -> str | None:
    """The git commit of the running checkout, with "-dirty" if it was changed since; None outside of one."""
    root = Path(__file__).parents[1]
    if not (root / ".git").exists():
        return None
    command = ["git", "-C", str(root), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()

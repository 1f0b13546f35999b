"""Where the numbers of an audit come from: version, commit, seed, libraries, time; counts by verdict."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from linreg_dyn.claims.core import VERDICTS

if TYPE_CHECKING:
    from linreg_dyn.claims.core import Evidence

LIBRARIES = ("numpy", "scipy", "sympy", "mpmath", "python-flint", "numba")


def metadata(evidence: Sequence[Evidence], *, seed: int) -> dict[str, Any]:
    """The `meta` of `claims.json`. The time is UTC, or SOURCE_DATE_EPOCH where that is set."""
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    created = datetime.fromtimestamp(int(epoch), UTC) if epoch else datetime.now(UTC)
    return {
        "version": version("linreg-dyn"),
        "commit": _commit(),
        "seed": seed,
        "python": platform.python_version(),
        "libraries": {name: version(name) for name in LIBRARIES},
        "created": created.isoformat(timespec="seconds"),
        "counts": {verdict: sum(item.verdict == verdict for item in evidence) for verdict in VERDICTS},
    }


def version(distribution: str) -> str | None:
    """The installed version of a distribution, or None."""
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


def _commit() -> str | None:
    """The commit this package runs from, `+changes` if files differ from it; None outside a checkout."""
    root = Path(__file__).resolve().parents[2]
    if not (root / ".git").exists():
        return None
    try:
        commit = _git(root, "rev-parse", "HEAD")
        return commit + ("+changes" if _git(root, "status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.SubprocessError):
        return None


def _git(root: Path, *words: str) -> str:
    done = subprocess.run(["git", "-C", str(root), *words], capture_output=True, text=True, check=True, timeout=10)
    return done.stdout.strip()

"""Where the numbers of an audit come from: version, commit, seed, libraries, time; counts by verdict."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from linreg_dyn.claims.core import VERDICTS
from linreg_dyn.provenance import commit, version

if TYPE_CHECKING:
    from linreg_dyn.claims.core import Evidence

LIBRARIES = ("numpy", "scipy", "sympy", "mpmath", "python-flint", "numba")


def created() -> datetime:
    """The time, UTC, or that of SOURCE_DATE_EPOCH where it is set. ValueError if that is no number of seconds."""
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    try:
        return datetime.fromtimestamp(int(epoch), UTC) if epoch else datetime.now(UTC)
    except (ValueError, OverflowError, OSError):
        allowed = "a whole number of seconds since 1970, up to the year 9999"
        raise ValueError(f"SOURCE_DATE_EPOCH must be {allowed}, got {epoch!r}") from None


def metadata(evidence: Sequence[Evidence], *, seed: int) -> dict[str, Any]:
    """The `meta` of `claims.json`, with the time of `created`."""
    return {
        "version": version("linreg-dyn"),
        "commit": commit(),
        "seed": seed,
        "python": platform.python_version(),
        "libraries": {name: version(name) for name in LIBRARIES},
        "created": created().isoformat(timespec="seconds"),
        "counts": {verdict: sum(item.verdict == verdict for item in evidence) for verdict in VERDICTS},
    }

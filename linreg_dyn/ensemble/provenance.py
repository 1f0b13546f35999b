"""Where a dataset comes from: version, commit, libraries, and the call itself as JSON."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import platform
import subprocess
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from linreg_dyn.problem import NormalizedData

LIBRARIES = ("numpy", "numba", "llvmlite", "xarray")


def attributes(kind: str, spec: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Attributes of a dataset: strings and numbers only, so that NetCDF can hold them."""
    return {
        "title": f"linreg_dyn {kind}",
        "version": _version(),
        "commit": commit(),
        "spec": json.dumps(spec, default=_jsonable, sort_keys=True),
        "python_version": platform.python_version(),
        **{f"{name}_version": version(name) for name in LIBRARIES},
        **more,
    }


@cache
def commit() -> str:
    """The git commit of the running checkout, with "-dirty" if it was changed since; "" outside of one."""
    root = Path(__file__).parents[2]
    if not (root / ".git").exists():
        return ""
    command = ["git", "-C", str(root), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()


@cache
def _version() -> str:
    try:
        return version("linreg-dyn")
    except PackageNotFoundError:  # run from its source tree
        return "uninstalled"


def digest(array: np.ndarray) -> str:
    """SHA-256 of an array's bytes, which says in a spec which data it was."""
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()


def _jsonable(value: Any) -> Any:
    if isinstance(value, NormalizedData):
        return {"samples": len(value), "x_sha256": digest(value.x), "y_sha256": digest(value.y)}
    if dataclasses.is_dataclass(value):
        fields = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
        return {"type": type(value).__name__, **fields}
    raise TypeError(f"{value!r} does not belong in a spec")

"""Where a dataset comes from: version, commit, libraries, and the call itself as JSON."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import platform
from typing import Any

import numpy as np

from linreg_dyn.problem import NormalizedData
from linreg_dyn.provenance import commit, version
from linreg_dyn.schedules import AutoL2, Schedule, to_spec

LIBRARIES = ("numpy", "numba", "llvmlite", "xarray")


def attributes(kind: str, spec: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Attributes of a dataset: strings and numbers only, so that NetCDF can hold them."""
    return {
        "title": f"linreg_dyn {kind}",
        "version": version("linreg-dyn") or "uninstalled",
        "commit": commit() or "",
        "spec": json.dumps(spec, default=_jsonable, sort_keys=True),
        "python_version": platform.python_version(),
        **{f"{name}_version": version(name) or "unknown" for name in LIBRARIES},
        **more,
    }


def described(array: np.ndarray) -> dict[str, Any]:
    """An array in a spec: its shape and which data it was."""
    return {"shape": list(array.shape), "sha256": digest(array)}


def digest(array: np.ndarray) -> str:
    """SHA-256 of an array's bytes, which says in a spec which data it was."""
    return hashlib.sha256(np.ascontiguousarray(array).data).hexdigest()


def _jsonable(value: Any) -> Any:
    if isinstance(value, (Schedule, AutoL2)):
        return to_spec(value)
    if isinstance(value, NormalizedData):
        return {"samples": len(value), "x_sha256": digest(value.x), "y_sha256": digest(value.y)}
    if dataclasses.is_dataclass(value):
        fields = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
        return {"type": type(value).__name__, **fields}
    raise TypeError(f"{value!r} does not belong in a spec")

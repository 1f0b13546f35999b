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

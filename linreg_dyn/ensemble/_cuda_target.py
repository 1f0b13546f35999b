"""numba's CUDA target, `cuda`, also beside a NumPy that is newer than it: numba-cuda 0.30 is no longer developed.

It names `numpy.row_stack`, which NumPy 2.5 has no more, and asks NumPy for what it warns of.
"""

from __future__ import annotations

import warnings
from contextlib import suppress
from typing import Any

import numpy as np

NAMES: dict[str, Any] = {"row_stack": np.vstack}
"""What NumPy had under names that the target loads its own versions for."""


def _load() -> Any:
    from numba import cuda

    lent = {name: function for name, function in NAMES.items() if not hasattr(np, name)}
    for name, function in lent.items():
        setattr(np, name, function)
    try:
        with suppress(ImportError):  # the simulator and other versions have no such module
            import numba.cuda.np.arrayobj  # noqa: F401  # pyright: ignore[reportMissingImports]
    finally:
        for name in lent:
            delattr(np, name)
    return cuda


with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    cuda: Any = _load()

"""Files of named arrays that are there whole, or count as not there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from linreg_dyn.files import atomic_file

Arrays = dict[str, np.ndarray]
NAMES = "names of all"
"""An archive has sums over its members, but not over the list of them: this one has their names."""


def read(path: Path, say: Callable[[str], None]) -> Arrays | None:
    """The arrays of a file; None if there is none or it is damaged, which is told to `say`."""
    try:
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            found = dict(file)
        if set(found.pop(NAMES).tolist()) != set(found):
            raise ValueError("arrays are missing")
        return found
    except FileNotFoundError:
        return None
    except Exception as error:  # what an archive raises that was altered depends on where it was
        say(f"{path} is damaged ({type(error).__name__}: {error}): made again")
        return None


def write(path: Path, values: Mapping[str, Any], *, compressed: bool = True) -> Arrays:
    """Keep values by name, whole or not at all; returns them as arrays."""
    arrays = {key: np.asarray(value) for key, value in values.items()}
    names = {NAMES: np.array(sorted(arrays), dtype=np.str_)}
    with atomic_file(path) as temporary:
        (np.savez_compressed if compressed else np.savez)(temporary, **arrays, **names)  # pyright: ignore[reportArgumentType]
    return arrays

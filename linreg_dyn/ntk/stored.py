"""Results that took long, on disk by the digest of what they were computed from.

A cache can only help: what cannot be read, for whatever reason, is computed again, and what cannot be written is
not kept; either is told, and neither is an error.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from linreg_dyn.files import atomic_file

LIMIT = 20 * 2**30  # bytes in all; what was used least recently goes first


class Store:
    """A folder of named groups of arrays.

    Args:
        folder: where; True is `$LINREG_DYN_CACHE`, or `linreg_dyn` in `$XDG_CACHE_HOME` or `~/.cache`; None or False
            keeps nothing.

    Raises:
        TypeError, ValueError: `folder` is none of these, or a file.
    """

    def __init__(self, folder: str | Path | bool | None):
        self.folder = _folder(folder)

    def load(self, key: str) -> tuple[dict[str, np.ndarray] | None, str]:
        """The arrays kept under `key`, or None; and in words what was found."""
        if self.folder is None:
            return None, "computed"
        path = self._path(key)
        try:
            with path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:  # each array is held to its CRC
                arrays = {name: file[name] for name in file.files}
            os.utime(path)
        except FileNotFoundError:
            return None, "computed"
        except Exception as error:  # a damaged file raises whatever its bytes suggest
            return None, f"computed again ({path} could not be read: {type(error).__name__})"
        return arrays, "reused"

    def save(self, key: str, arrays: dict[str, np.ndarray]) -> str:
        """Keep the arrays under `key`, whole or not at all; in words whether that went well."""
        if self.folder is None:
            return ""
        try:
            with atomic_file(self._path(key)) as temporary, temporary.open("wb") as file:
                np.savez(file, **arrays)  # pyright: ignore[reportArgumentType]
            self._prune()
        except (OSError, ValueError) as error:  # read-only, full, gone, or a folder is where the file should be
            return f", not kept in {self.folder} ({' '.join(str(error).split())})"
        return ", kept"

    def _path(self, key: str) -> Path:
        assert self.folder is not None
        return self.folder / f"ntk-{key}.npz"

    def _prune(self) -> None:
        assert self.folder is not None
        files = []
        for path in self.folder.glob("ntk-*.npz"):
            with contextlib.suppress(OSError):
                files.append((path.stat().st_mtime, path.stat().st_size, path))
        total = sum(size for _, size, _ in files)
        for _, size, path in sorted(files)[:-1]:
            if total <= LIMIT:
                return
            with contextlib.suppress(OSError):
                path.unlink()
            total -= size


def digest(**parts: Any) -> str:
    """SHA-256 of named arrays (dtype, shape and values) and of what JSON can write."""
    total = hashlib.sha256()
    for name, value in sorted(parts.items()):
        if isinstance(value, np.ndarray):
            total.update(json.dumps([name, value.dtype.str, value.shape]).encode())
            for block in _rows(value):
                total.update(np.ascontiguousarray(block).data)
        else:
            total.update(json.dumps([name, value], sort_keys=True).encode())
    return total.hexdigest()


def _rows(array: np.ndarray) -> Iterator[np.ndarray]:
    """An array in pieces of its first axis, which are copied one by one where it is not contiguous."""
    array = np.atleast_1d(array)
    for first in range(0, len(array), 256):
        yield array[first : first + 256]


def _folder(folder: str | Path | bool | None) -> Path | None:
    if folder is None or folder is False:
        return None
    if folder is True:
        named = os.environ.get("LINREG_DYN_CACHE")
        if not named:
            named = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "linreg_dyn"
        folder = Path(named)
    if not isinstance(folder, (str, Path)):
        raise TypeError(f"cache must be a folder, True (the usual one) or None, got {folder!r:.80}")
    path = Path(folder).expanduser().absolute()
    if path.exists() and not path.is_dir():
        raise ValueError(f"cache must be a folder, {folder} is a file")
    return path

"""Files and directories that appear whole or not at all.

Everything is written under a temporary name beside its target and renamed when it is complete, so that a run
that fails, is interrupted or is refused leaves nothing half-written, and what was there before stays.
"""

from __future__ import annotations

import errno
import json
import os
import secrets
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any


@contextmanager
def atomic_file(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`, which takes its name when the block ends without an error.

    The temporary name ends like `path`, so that writers which look at the suffix do the same as they would
    for `path` itself. Missing parent directories are made (and removed again on an error).

    Raises:
        ValueError: before the block runs, if `path` exists and is not a regular file.
        OSError: before the block runs, if nothing can be written there.
    """
    target = Path(path).resolve()
    if target.exists() and not target.is_file():
        raise ValueError(f"{path} is not a file that can be replaced; give the name of a file")
    with _parents(target):
        temporary = _temporary(target)
        try:
            with _named(path):
                temporary.touch()
            yield temporary
            os.replace(temporary, target)
        finally:
            temporary.unlink(missing_ok=True)


@contextmanager
def atomic_directory(path: str | Path, *, replace: Sequence[str] = ()) -> Iterator[Path]:
    """Yield a temporary directory beside `path`, which takes its name when the block ends without an error.

    A directory that already exists is replaced whole, but only if it is empty or every entry in it matches
    one of the glob patterns `replace`: nothing else of the user's is ever removed.

    Raises:
        ValueError: before the block runs, if `path` is no directory or holds something else.
        OSError: before the block runs, if nothing can be written there.
    """
    target = Path(path).resolve()
    _check_replaceable(target, replace)
    with _parents(target):
        temporary = _temporary(target)
        with _named(path):
            temporary.mkdir()
        try:
            yield temporary
            _check_replaceable(target, replace)  # the block may have taken minutes
            _swap(temporary, target)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


def write_text(path: str | Path, text: str) -> None:
    """Write `text` to the file `path` as UTF-8, whole or not at all."""
    with atomic_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def canonical_json(value: Any) -> str:
    """`value` as JSON text that is the same for the same value: sorted keys, indent 1, no NaN."""
    return json.dumps(value, sort_keys=True, indent=1, allow_nan=False) + "\n"


def _temporary(target: Path) -> Path:
    return target.with_name(f".tmp-{secrets.token_hex(4)}-{target.name}")


def _check_replaceable(target: Path, patterns: Sequence[str]) -> None:
    if not target.exists():
        return
    if not target.is_dir():
        raise ValueError(f"{target} is not a directory; give a new or an empty one")
    for entry in sorted(target.iterdir()):
        if not any(entry.match(pattern) for pattern in patterns):
            raise ValueError(f"{target} already holds {entry.name}; give a new or an empty directory")


def _swap(new: Path, target: Path) -> None:
    """Rename `new` to `target`; what was there is removed only once its successor is in place."""
    if not target.exists():
        os.replace(new, target)
        return
    old = _temporary(target)
    os.replace(target, old)
    try:
        os.replace(new, target)
    except BaseException:
        os.replace(old, target)
        raise
    shutil.rmtree(old)


@contextmanager
def _named(path: str | Path) -> Iterator[None]:
    """Name `path`, which the user gave, in an error that a temporary or a parent of it meets."""
    try:
        yield
    except OSError as error:
        raise type(error)(error.errno, f"{path} cannot be written: {error.strerror}") from None


@contextmanager
def _parents(target: Path) -> Iterator[None]:
    """Make the missing parents of `target`; on an error remove again those that are still empty."""
    missing = [parent for parent in target.parents if not parent.exists()]
    try:
        with _named(target):
            try:
                target.parent.mkdir(parents=True, exist_ok=True)
            except FileExistsError:
                raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR)) from None
        yield
    except BaseException:
        for parent in missing:
            try:
                parent.rmdir()
            except OSError:
                break
        raise

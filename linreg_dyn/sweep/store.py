"""The store on disk: one writer, files that appear whole, and a ledger of the checksum of every one.

    STORE.zarr/zarr.json, .../c/...     the Zarr store, readable at any time
    STORE.zarr/.sweep/spec.json         which sweep it is
    STORE.zarr/.sweep/ledger.jsonl      a line for each finished unit: its name, the SHA-256 of its files
    STORE.zarr/.sweep/parts/            slices of ensembles that are not complete yet
    STORE.zarr/.sweep/lock              locked by the process that writes

A unit's line is appended after its files have their names. So whatever stops the writer, a line means files
that were whole; and a file that has changed since, or was cut by a machine that lost power, does not have the
checksum of its line. What has no line, or another checksum, is computed anew: nothing else is.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from linreg_dyn.files import atomic_file

FOLDER = ".sweep"
SPEC = f"{FOLDER}/spec.json"
LEDGER = f"{FOLDER}/ledger.jsonl"
LOCK = f"{FOLDER}/lock"


class Store:
    """The store of one sweep, open for its only writer; see `opened`."""

    def __init__(self, path: Path):
        self.path = path
        self.units: dict[str, dict[str, str]] = {}
        """The checksums of every finished unit's files by key, as the ledger has them."""
        self.origins: list[dict[str, str]] = []
        """Versions and commits of the code that wrote to the store, in order."""
        self._read_ledger()

    def write(self, unit: str, files: Mapping[str, bytes]) -> None:
        """Write a unit's files, then its line in the ledger. OSError leaves what was there before readable."""
        for key, content in files.items():
            self.put(key, content)
        self._append({"unit": unit, "files": {key: _sha256(content) for key, content in files.items()}})

    def put(self, key: str, content: bytes) -> None:
        """Write one file, whole or not at all."""
        with atomic_file(self.path / key) as temporary:
            temporary.write_bytes(content)

    def intact(self, unit: str, matters: Callable[[str], bool] = lambda key: True) -> bool:
        """Whether a unit is finished and its files (those that matter) have the checksums they were written with."""
        files = self.units.get(unit)
        return files is not None and all(self._has(key, digest) for key, digest in files.items() if matters(key))

    def read(self, key: str) -> bytes:
        """A file's content."""
        return (self.path / key).read_bytes()

    def remove(self, key: str) -> None:
        """Remove a file that is not needed any more."""
        (self.path / key).unlink(missing_ok=True)

    def sync(self, files: Mapping[str, bytes]) -> int:
        """Write those files whose content is not on disk; how many."""
        different = [key for key, content in files.items() if not self._has(key, _sha256(content))]
        for key in sorted(different):
            self.put(key, files[key])
        return len(different)

    def _has(self, key: str, digest: str) -> bool:
        try:
            with (self.path / key).open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest() == digest
        except OSError:
            return False

    def _read_ledger(self) -> None:
        """Read the ledger as far as it can be read; a line cut short, or none at all, is work not done."""
        ledger = self.path / LEDGER
        content = ledger.read_bytes() if ledger.exists() else b""
        for line in content.splitlines():
            try:
                self._take(json.loads(line))
            except (ValueError, TypeError, KeyError, AttributeError):
                continue
        if content and not content.endswith(b"\n"):
            self._append_bytes(b"\n")

    def note_origin(self, origin: Mapping[str, str]) -> None:
        """Say in the ledger which code writes from here on, unless it is the code that wrote last."""
        if not self.origins or self.origins[-1] != origin:
            self._append({"origin": dict(origin)})

    def _take(self, entry: dict) -> None:
        if "origin" in entry:
            self.origins.append({str(key): str(value) for key, value in entry["origin"].items()})
        else:
            self.units[str(entry["unit"])] = {str(key): str(value) for key, value in entry["files"].items()}

    def _append(self, entry: dict) -> None:
        self._append_bytes(json.dumps(entry, sort_keys=True).encode() + b"\n")
        self._take(entry)

    def _append_bytes(self, content: bytes) -> None:
        with (self.path / LEDGER).open("ab", buffering=0) as file:
            size = file.tell()
            try:
                if file.write(content) != len(content):
                    raise OSError(f"could not append to {self.path / LEDGER}: is the disk full?")
            except OSError:
                file.truncate(size)
                raise


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@contextmanager
def opened(path: str | Path, identity: str, *, resume: bool = True) -> Iterator[Store]:
    """The store at `path` for the sweep with this identity, made if there is none, locked until the block ends.

    Raises:
        ValueError: another process writes to it, it is the store of another sweep, or no store at all.
        OSError: it cannot be written.
    """
    path = Path(path).resolve()
    foreign = path.exists() and not (path / FOLDER).is_dir()
    if foreign and (not path.is_dir() or any(path.iterdir())):
        raise ValueError(f"{path} is there already and is not the store of a sweep; give another --out")
    (path / FOLDER).mkdir(parents=True, exist_ok=True)
    with _locked(path):
        known = _spec_of(path)
        if known is not None and not resume:
            raise ValueError(f"{path} is there already; leave out --no-resume to go on with it, or give another --out")
        if known is not None and known != identity:
            raise ValueError(
                f"{path} is the store of another sweep ({_difference(known, identity)}); give another --out"
            )
        for left in path.rglob(".tmp-*"):  # from a writer that was killed
            left.unlink(missing_ok=True)
        if known is None:
            with atomic_file(path / SPEC) as temporary:
                temporary.write_text(identity, encoding="utf-8")
        yield Store(path)


def _spec_of(path: Path) -> str | None:
    """The identity in the store; None if it was made just now."""
    if (path / SPEC).exists():
        return (path / SPEC).read_text(encoding="utf-8", errors="replace")
    if (path / LEDGER).exists():
        raise ValueError(f"{path / SPEC} is missing, so nothing says which sweep this store is of; give another --out")
    return None


def _difference(known: str, wanted: str) -> str:
    """Where two specs differ first, in words."""
    try:
        old, new = json.loads(known), json.loads(wanted)
    except ValueError:
        return f"its {SPEC} is damaged"
    for section in new:
        if old.get(section) == new[section]:
            continue
        if isinstance(new[section], dict) and isinstance(old.get(section), dict):
            names = sorted({*old[section], *new[section]})
            name = next(name for name in names if old[section].get(name) != new[section].get(name))
            return f"{section}.{name} is {old[section].get(name)!r:.60} there and {new[section].get(name)!r:.60} here"
        return f"{section} differs"
    return "it differs"


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold the store's lock, which the kernel releases when the process ends, however it ends."""
    import fcntl

    with (path / LOCK).open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            holder = lock.read().strip() or "unknown"
            raise ValueError(
                f"another sweep is writing to {path} (process {holder}); wait until it has ended"
            ) from None
        lock.truncate(0)
        lock.write(f"{os.getpid()} on {os.uname().nodename}\n")
        lock.flush()
        yield

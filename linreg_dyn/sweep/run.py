"""A sweep from plan to finished store: what is left to do, computed by an engine, written here and nowhere else."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from linreg_dyn.provenance import version
from linreg_dyn.sweep import merge, store, zarr_files
from linreg_dyn.sweep.compute import PARTS, Result, Task, compute, part_key
from linreg_dyn.sweep.plan import Chunk, Plan
from linreg_dyn.sweep.spec import identity
from linreg_dyn.sweep.store import Store

Engine = Callable[[Iterable[Task]], Generator[tuple[Task, Result | Exception]]]
"""Computes tasks, in any order; a task that could not be computed comes with the reason."""
MOST_FAILURES = 8
"""Chunks that may fail before the sweep stops: more would fail for the same reason."""


@dataclass
class Outcome:
    """What a run of a sweep found in the store and did, in chunks."""

    total: int
    found: int = 0
    damaged: int = 0
    computed: int = 0
    failures: list[tuple[Chunk, Exception]] = field(default_factory=list)

    @property
    def missing(self) -> int:
        """Chunks that are not in the store."""
        return self.total - self.found - self.computed


@dataclass
class _Group:
    """Chunks that belong together, and what is left to do of them."""

    chunks: tuple[Chunk, ...]
    missing: dict[str, Chunk]
    unmerged: bool

    @property
    def unit(self) -> str:
        """The ledger's name for the merged reductions."""
        return hashlib.sha256("".join(chunk.name for chunk in self.chunks).encode()).hexdigest()


def here(tasks: Iterable[Task]) -> Generator[tuple[Task, Result | Exception]]:
    """The engine without workers: one task after another in this process."""
    for task in tasks:
        try:
            yield task, compute(task)
        except Exception as error:
            yield task, error


def run(
    plan: Plan,
    path: str | Path,
    engine: Engine = here,
    *,
    threads: int = 1,
    resume: bool = True,
    on_progress: Callable[[str, int, int], Any] = lambda doing, done, total: None,
) -> Outcome:
    """Finish the store at `path`: compute what is missing or damaged, and nothing else.

    `on_progress(what, done, total)` hears of every chunk that was looked at or computed. Raises as
    `store.opened` does, and OSError when the disk is full; what was written until then stays and counts.
    """
    outcome = Outcome(sum(map(len, plan.groups)))
    with store.opened(path, identity(plan.sweep), resume=resume) as opened:
        groups = list(_left(plan, opened, outcome, on_progress))
        if groups:
            opened.note_origin(zarr_files.origin())
        _describe(plan, opened, complete=not groups)
        if not groups:
            return outcome
        for group in groups:
            _merge(plan, group, opened)
        group_of = {name: group for group in groups for name in group.missing}
        tasks = (
            Task.of(plan.sweep, plan.layout, chunk, threads) for group in groups for chunk in [*group.missing.values()]
        )
        wanted = outcome.missing
        with closing(engine(tasks)) as results:  # whatever ends the loop ends the cluster, too
            for task, result in results:
                name = task.chunk.name
                if isinstance(result, Exception):
                    outcome.failures.append((task.chunk, result))
                    if len(outcome.failures) == MOST_FAILURES:
                        break
                    continue
                _check_version(result)
                opened.write(name, result.files)
                del group_of[name].missing[name]
                _merge(plan, group_of[name], opened)
                outcome.computed += 1
                on_progress("computing", outcome.computed, wanted)
        _describe(plan, opened, complete=not outcome.missing)
    return outcome


def _left(plan: Plan, opened: Store, outcome: Outcome, on_progress: Callable[[str, int, int], Any]) -> Iterator[_Group]:
    """The groups that are not finished; counts the chunks that are there, and those that are damaged."""
    looked = 0
    for chunks in plan.groups:
        group = _Group(chunks, {}, False)
        group.unmerged = not chunks[0].whole and not opened.intact(group.unit)
        matters = _anything if chunks[0].whole or group.unmerged else _no_part
        group.missing = {chunk.name: chunk for chunk in chunks if not opened.intact(chunk.name, matters)}
        outcome.found += len(chunks) - len(group.missing)
        outcome.damaged += sum(name in opened.units for name in group.missing)
        looked += len(chunks)
        on_progress("checking", looked, outcome.total)
        if group.missing or group.unmerged:
            yield group


def _anything(key: str) -> bool:
    return True


def _no_part(key: str) -> bool:
    """A slice is not needed any more once its ensemble is merged."""
    return not key.startswith(PARTS)


def _merge(plan: Plan, group: _Group, opened: Store) -> None:
    """Merge the slices of an ensemble as soon as all are there, and drop them; one chunk alone needs none of it."""
    if group.missing or group.chunks[0].whole:
        return
    if group.unmerged:
        parts = [merge.unpack(opened.read(part_key(chunk))) for chunk in group.chunks]
        region = (*group.chunks[0].points, (0, plan.sweep.trajectories))
        opened.write(group.unit, zarr_files.encode(plan.layout, merge.merged(plan.layout, parts), region))
        group.unmerged = False
    for chunk in group.chunks:
        opened.remove(part_key(chunk))


def _describe(plan: Plan, opened: Store, *, complete: bool) -> None:
    """Write the store's metadata where it is not what it should be."""
    opened.sync(zarr_files.metadata(plan.sweep, plan.layout, complete=complete, origins=opened.origins))


def _check_version(result: Result) -> None:
    own = version("linreg-dyn")
    if result.version != own:
        raise ValueError(f"a worker has linreg-dyn {result.version}, this is {own}; install the same on all machines")

"""What is missing, what comes next, and how long it may take."""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

from linreg_dyn.files import canonical_json, write_text
from validation import records
from validation.context import Context, OutOfTime
from validation.core import Measured, Spec
from validation.trainings import FOLDER, Store, surroundings

WORK = Path(__file__).parent / ".work"
"""Parts and checkpoints of runs that are not recorded yet, and trainings to share; not under version control."""

SPENT = "seconds.json"
"""A file in the folder of a run: the seconds it has taken so far."""

CALLS = 10
"""Of `next` that a spec may take while others wait that have less at stake and fit into one."""


def missing(specs: Iterable[Spec], folder: Path = records.FOLDER) -> list[Spec]:
    """The specs without a record, those with most at stake first."""
    return sorted(
        (spec for spec in specs if not (folder / f"{spec.name}.json").exists()),
        key=lambda spec: (spec.experiment.priority, spec.experiment.id),
    )


class Estimates:
    """Seconds that specs take: those of an earlier record of the experiment, or the spec's own guess.

    Guesses are corrected by how those of the specs that have a record on this kind of device turned out.

    Args:
        found: records.
        kind: of device, "cpu" or "cuda".
        specs: those that there are now; a record of another spec, of a setting before, says nothing about a guess.
    """

    def __init__(self, found: Sequence[dict[str, Any]], kind: str, specs: Iterable[Spec] = ()):
        self._seconds: dict[tuple[str, str], float] = {}
        self._ratios: list[float] = []
        now = {spec.name: spec for spec in specs}
        for record in (record for record in found if record["device"]["kind"] == kind):
            spec = now.get(Path(record["arrays"]["file"]).stem)
            if spec:
                self.learn(spec, record["seconds"])
            else:
                key = record["spec"]["experiment"], record["spec"]["scale"]
                self._seconds.setdefault(key, record["seconds"])

    def of(self, spec: Spec, spent: float = 0.0) -> float:
        """Seconds for all seeds of a spec; what is left of them if it was begun, a tenth if it takes longer."""
        known = self._seconds.get((spec.experiment.id, spec.scale))
        whole = known if known is not None else 60 * spec.minutes * self._correction
        return max(whole - spent, whole / 10)

    def learn(self, spec: Spec, seconds: float) -> None:
        """Remember what a run took."""
        self._ratios.append(seconds / (60 * spec.minutes))
        self._seconds[spec.experiment.id, spec.scale] = seconds

    @property
    def _correction(self) -> float:
        """The geometric mean of the ratios, pulled towards 1 as if one more had been exact."""
        product = 1.0
        for ratio in self._ratios:
            product *= max(ratio, 1e-3)
        return product ** (1 / (len(self._ratios) + 1))


def run(spec: Spec, context: Context, *, folder: Path = records.FOLDER, work: Path = WORK) -> Path:
    """Run what is left of a spec and write its record; returns the record's path.

    Seeds are kept as they are done, so an interrupted run goes on with the next; within a seed the experiment's
    parts and checkpoints do the same. Only with the same code (that of this package, and of the file that has the
    experiment's `measure`), versions and device: all numbers of a record come from those that it names. What others
    have left is let be until there is a record. A spec that has a record is not run again, and is said not to be.
    Trainings that another spec has made are taken from it; the record's seconds are those of all that its numbers come
    from, theirs too.

    Raises:
        OutOfTime: the context's deadline passed; what was done is kept.
        ValueError: after the first seed, if it has not what is predicted.
    """
    path = folder / f"{spec.name}.json"
    if path.exists():
        records.read(path)
        context.say(f"{spec.name}: it has a record, and is not run again")
        return path
    home = work / spec.name / _made_by(spec, surroundings(context.device))
    if not home.exists() and any(home.parent.glob(f"*/{SPENT}")):
        context.say(f"{spec.name}: begun anew; what is kept of it is of other code, other versions or another device")
    store, measured = Store(work / FOLDER, spec.experiment.code), []
    before, start = _spent(home), time.monotonic()

    def keep_time() -> None:
        write_text(home / SPENT, json.dumps(before + time.monotonic() - start + store.spared))

    def say(seed: int, line: str) -> None:
        keep_time()  # a run that is killed has taken what it took up to its last part
        context.say(f"{spec.experiment.id}, seed {seed}: {line}")

    try:
        for seed in range(spec.setting.seeds):
            inside = replace(context, folder=home / str(seed), trainings=store, say=partial(say, seed))
            measured.append(_seed(spec, seed, inside))
            _check_predicted(spec, measured[0])
    finally:
        keep_time()
    seconds = _spent(home)
    device = records.describe_device(context.device)
    path = records.write(spec, measured, seconds=seconds, device=device, folder=folder)
    shutil.rmtree(home.parent, ignore_errors=True)
    return path


def run_next(
    specs: Iterable[Spec],
    context: Context,
    *,
    minutes: float,
    folder: Path = records.FOLDER,
    work: Path = WORK,
    on_record: Callable[[Path], None] | None = None,
    on_error: Callable[[Spec, Exception], None] | None = None,
) -> tuple[list[Path], list[Spec]]:
    """Run missing specs, those with most at stake first, for so many minutes; stops in time.

    Those that were begun and fit into what is left of the minutes come first, then, in the order of what is at stake,
    the first that fits, or that takes several calls of so many minutes anyway, up to `CALLS`: nothing with less at
    stake keeps that waiting. Where there is no such spec, the first is begun. One that raises is told to `on_error` and
    left out (without `on_error`, the error goes on).

    Returns:
        The records written, and the specs that are still missing.
    """
    specs, start = list(specs), time.monotonic()
    context = replace(context, deadline=start + 60 * minutes)
    estimates = Estimates(records.read_all(folder)[0], records.describe_device(context.device)["kind"], specs)
    waiting, written, failed = missing(specs, folder), [], []
    around = surroundings(context.device)
    spent = {spec.name: _spent(work / spec.name / _made_by(spec, around)) for spec in waiting}
    while waiting and (left := start + 60 * minutes - time.monotonic()) > 0:
        needs = [estimates.of(spec, spent[spec.name]) for spec in waiting]
        place = choose(needs, [spent[spec.name] > 0 for spec in waiting], left, 60 * minutes)
        spec = waiting[place]
        context.say(f"{spec.name}: about {needs[place] / 60:.1f} minutes")
        try:
            path = run(spec, context, folder=folder, work=work)
        except OutOfTime:
            break
        except Exception as error:
            if on_error is None:
                raise
            on_error(spec, error)
            failed.append(spec)
            waiting.remove(spec)
            continue
        estimates.learn(spec, json.loads(path.read_text())["seconds"])
        written.append(path)
        waiting.remove(spec)
        if on_record:
            on_record(path)
    if not (failed or waiting):
        shutil.rmtree(work / FOLDER, ignore_errors=True)
    return written, failed + waiting


def choose(needs: Sequence[float], begun: Sequence[bool], left: float, whole: float) -> int:
    """The place of the spec that comes next, of those in the order of what is at stake; see `run_next`.

    Args:
        needs: seconds that are left of each.
        begun: whether it was begun.
        left, whole: seconds of this call that are left, and of all of it.
    """
    finish = (k for k, seconds in enumerate(needs) if begun[k] and seconds <= left)
    start = (k for k, seconds in enumerate(needs) if seconds <= left or whole < seconds <= CALLS * whole)
    return next(chain(finish, start), 0)


def clean(work: Path = WORK) -> tuple[int, int]:
    """Remove the trainings that are kept to be shared, and unfinished runs; returns the bytes of each.

    Nothing else in the folder is touched.
    """
    store = work / FOLDER
    homes = {path.parent.parent for path in work.glob(f"*/*/{SPENT}")}
    freed = _bytes(store), sum(map(_bytes, homes))
    for folder in (store, *homes):
        shutil.rmtree(folder, ignore_errors=True)
    return freed


def _seed(spec: Spec, seed: int, context: Context) -> Measured:
    """What one seed gives, from its file if it was done before."""
    kept: list[Measured] = []

    def make() -> dict[str, Any]:
        kept.append(spec.experiment.measure(spec.setting.values, seed, context))
        numbers = {f"metric.{name}": value for name, value in kept[0].metrics.items()}
        return numbers | {f"array.{name}": value for name, value in kept[0].arrays.items()}

    arrays = context.once("measured", make)
    found: dict[str, dict[str, Any]] = {"metric": {}, "array": {}}
    for key, value in arrays.items():
        kind, _, name = key.partition(".")
        found[kind][name] = float(value) if kind == "metric" else value
    return Measured(found["metric"], found["array"])


def _check_predicted(spec: Spec, found: Measured) -> None:
    """ValueError, naming it, if a prediction is of a metric that is not measured, or presupposes one."""
    for metric in (name for one in spec.setting.predictions for name in (one.metric, one.presupposes) if name):
        if metric not in found.metrics:
            given = ", ".join(repr(name) for name in sorted(found.metrics)) or "nothing"
            raise ValueError(
                f"measure of {spec.experiment.id} must give {metric!r}, which is predicted or presupposed (NaN "
                f"where a seed has none); it gives {given}"
            )


def _bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _made_by(spec: Spec, around: dict[str, Any]) -> str:
    """The name of the folder of what is done of a spec in these surroundings, with the experiment's own code."""
    return hashlib.sha256(canonical_json(around | {"code": spec.experiment.code}).encode()).hexdigest()[:16]


def _spent(home: Path) -> float:
    try:
        return float(json.loads((home / SPENT).read_text()))
    except (OSError, ValueError):
        return 0.0

"""Finished trainings, kept so that experiments which ask for the same one share it.

A training is known by a digest of all that its numbers depend on: network, data, recipe step by step, the steps at
which it is measured, device, versions, and the source of this package. What is measured besides the usual is not part
of it, as it does not act on the training: an entry serves whoever asks for no more than it has, seen by the same code.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from linreg_dyn import schedules
from linreg_dyn.files import canonical_json
from linreg_dyn.schedules import AutoL2, as_schedule
from validation import arrays, records
from validation.arrays import Arrays
from validation.data import Dataset
from validation.trainer import Recipe

FOLDER = "shared-trainings"
"""Its name within the folder of unfinished runs."""
WATCHED, SECONDS = "store.watched", "store.seconds"


class Store:
    """The trainings that are kept in a folder.

    Attributes:
        folder: of files, made when there is something to keep.
        code: of the experiment that watches (`Experiment.code`); what another code saw is not taken for what it sees.
        spared: seconds that the trainings found here had taken.
    """

    def __init__(self, folder: Path, code: str = ""):
        self.folder, self.code, self.spared = folder, code, 0.0

    def find(self, digest: str, watched: Iterable[str], say: Callable[[str], None]) -> Arrays | None:
        """A training's arrays; None if it is not here, is damaged, or lacks something of `watched`."""
        found = arrays.read(self._path(digest), say)
        if found is None or not self._seen(watched) <= set(found.pop(WATCHED).tolist()):
            return None
        self.spared += float(found.pop(SECONDS))
        return found

    def keep(self, digest: str, watched: Iterable[str], seconds: float, values: Arrays) -> None:
        """Keep what a training gave; one with other things watched is replaced."""
        own = {WATCHED: np.array(sorted(self._seen(watched)), dtype=np.str_), SECONDS: seconds}
        arrays.write(self._path(digest), values | own)

    def _seen(self, watched: Iterable[str]) -> set[str]:
        return {f"{what} {self.code}" for what in watched}

    def _path(self, digest: str) -> Path:
        return self.folder / f"{digest}.npz"


def digest_of(options: dict[str, Any], data: Dataset, recipe: Recipe, at: Sequence[int], device: str) -> str:
    """64 hexadecimal digits for the training of a network of these options, measured at these steps."""
    said, tables = _recipe(recipe)
    said |= {"network": options, "at": list(at), "classes": data.classes} | surroundings(device)
    images = {key: getattr(data, key) for key in ("x_train", "y_train", "x_test", "y_test")}
    found = hashlib.sha256(canonical_json(said).encode())
    for name, table in (tables | images).items():
        found.update(f"{name} {table.dtype} {table.shape}\n".encode())
        found.update(np.ascontiguousarray(table).data)
    return found.hexdigest()


def surroundings(device: str) -> dict[str, Any]:
    """All that numbers depend on besides what is asked for: the device, versions, and the source of this package."""
    return {"device": records.describe_device(device), "versions": records.versions(), "source": _source()}


def _recipe(recipe: Recipe) -> tuple[dict[str, Any], Arrays]:
    """What a recipe says in numbers and words, and its strengths at every step, however they are written down."""
    said = {field.name: getattr(recipe, field.name) for field in dataclasses.fields(recipe)}
    augment = said.pop("augment")
    strengths, tables = {name: said.pop(name) for name in ("learning_rate", "l2", "sparsity")}, {}
    strengths |= dict(augment.parts())
    said |= {name: x for name, x in dataclasses.asdict(augment).items() if name not in strengths}
    for name, strength in strengths.items():
        if isinstance(strength, AutoL2):
            said[name] = dataclasses.asdict(strength)
            continue
        schedule = as_schedule(strength, name, zero=True)
        tables[name] = np.asarray(schedule.at(np.arange(recipe.steps)), dtype=np.float64)
        said[name] = bool(schedule.limits[1] > 0)  # a step leaves out what is never on
    return said, tables


@cache
def _source() -> str:
    """A digest of the code that trains, measures and predicts."""
    found = hashlib.sha256()
    ours = Path(schedules.__file__).parent
    for root in (Path(__file__).parent, ours, ours.with_name("ntk")):
        for path in sorted(root.rglob("*.py")):
            found.update(f"{path.relative_to(root)}\n".encode())
            found.update(path.read_bytes())
    return found.hexdigest()

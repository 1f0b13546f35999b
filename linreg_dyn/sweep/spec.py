"""The spec of a sweep: read from TOML, every field checked before any work, and its canonical form.

[run]                                   what all points share: the arguments of `simulate`, by name
method = "NoiseAugmentation"            and its own fields (half_width, distribution, batch_size)
half_width = 0.3
depth = 4
steps = 1000
learning_rate = 0.01                    or a schedule: {type = "Adaptive", c = 0.25}
trajectories = 10_000
starts = {distribution = "near_minimum"}   or {file = "starts.npz", variable = "starts"}

[grid]                                  an axis each, in this order: every combination is run
learning_rate = {log = [1e-4, 1e-1], points = 16}
starts.spread = [0.1, 0.5]
seed = {range = [0, 8]}

[zip.setting]                           one axis more, "setting", along which these vary together
weight_decay = [0.0, 0.01]
half_width = [0.3, 0.1]

[record]                                as `ld.Record`; with `reduce`, final_weights says whether every
every = 100                             trajectory's end is kept, too
observables = ["loss"]
reduce = ["mean", "variance"]

[store]
chunk_seconds = 1.0                     how long a worker computes for one chunk, as estimated
"""

from __future__ import annotations

import itertools
import math
import tomllib
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from linreg_dyn._checks import integer, number
from linreg_dyn.ensemble.provenance import digest
from linreg_dyn.ensemble.record import Record
from linreg_dyn.files import canonical_json
from linreg_dyn.problem import Array, NormalizedData
from linreg_dyn.sweep import axes as axes_module
from linreg_dyn.sweep import settings, starts
from linreg_dyn.sweep.axes import Axis

SECTIONS = ("run", "grid", "zip", "record", "store")
RECORD_FIELDS = ("every", "observables", "reduce", "final_weights")
STORE_DEFAULTS = {"chunk_seconds": 1.0}
RESERVED = ("step", "trajectory", "layer", "quantile", "bin", "ok", "diverged", "stalled", "status", "held")
MOST_POINTS = 2**20
FIXED = ("trajectories", "data", "backend")
"""Fields that no axis can vary: the first two shape the store, the third does not change what is computed."""


@dataclass(frozen=True, eq=False)
class Sweep:
    """A checked sweep.

    Args:
        run: the nested settings that all points share, defaults filled in.
        axes: the dimensions of the grid, outermost first.
        record: what is recorded on the way, or None.
        final: whether the end of every trajectory is kept.
        chunk_seconds: the length of a unit of work.
        files: the starts that files held, by the SHA-256 of their bytes.
        data: the samples of mini-batches, or None.
    """

    run: dict[str, Any]
    axes: tuple[Axis, ...]
    record: Record | None
    final: bool
    chunk_seconds: float
    files: dict[str, Array] = field(default_factory=dict, repr=False)
    data: NormalizedData | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """Points along each axis."""
        return tuple(map(len, self.axes))

    @property
    def trajectories(self) -> int:
        """Trajectories at every point."""
        return self.run["trajectories"]

    def settings_at(self, index: tuple[int, ...]) -> dict[str, Any]:
        """The nested settings of one point of the grid."""
        found = self.run
        for axis, number_ in zip(self.axes, index, strict=True):
            for path, values in axis.fields.items():
                found = settings.replaced(found, axis.where(path, number_), path, values[number_])
        return found

    @cached_property
    def values(self) -> dict[str, list[Any]]:
        """Every value that each varying field takes, and the one of `depth`, `steps` where they are fixed."""
        found = {name: [self.run.get(name)] for name in ("depth", "steps")}
        return found | {path: list(values) for axis in self.axes for path, values in axis.fields.items()}

    def document(self) -> dict[str, Any]:
        """The sweep as data: what its results depend on, and nothing else."""
        record = None
        if self.record is not None:
            record = {"every": self.record.every, "observables": list(self.record.observables)}
            record["reduce"] = reductions(self.record)
        return {
            "run": self.run,
            "axes": [{"name": axis.name, "fields": {k: list(v) for k, v in axis.fields.items()}} for axis in self.axes],
            "record": record,
            "final_weights": self.final,
            "store": {"chunk_seconds": self.chunk_seconds},
        }


def reductions(record: Record) -> list[str] | None:
    """The reductions of a record by name, in order; None where every trajectory is kept."""
    if record.reduce is None:
        return None
    return [record.reduce] if isinstance(record.reduce, str) else list(record.reduce)


def load(path: str | Path) -> Sweep:
    """Read and check a spec; files it names are found from its own folder.

    Raises ValueError, naming the field by its dotted path and what is allowed, and OSError.
    """
    path = Path(path)
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is not TOML: {error}") from None
    return parse(document, folder=path.parent)


def parse(document: dict[str, Any], *, folder: Path = Path()) -> Sweep:
    """The sweep that a document like a TOML file's describes."""
    for name, table in document.items():
        if name not in SECTIONS:
            raise ValueError(settings.unknown("spec", name, SECTIONS))
        if not isinstance(table, dict):
            raise ValueError(f"{name}: must be a table, got {table!r:.80}")
    axes = (*_axes(document),)
    run = dict(settings.DEFAULTS) | document.get("run", {})
    for name in run:
        settings.check_path(f"run.{name}", name)
    _check_nested(run)
    record, final = _record(document.get("record"))
    store = _section("store", document.get("store", {}), tuple(STORE_DEFAULTS))
    seconds = number("store.chunk_seconds", store.get("chunk_seconds", 1.0), above=0)
    files: dict[str, Array] = {}
    run = _resolved(run, "run.starts", files, folder)
    axes = tuple(_resolved_axis(axis, files, folder) for axis in axes)
    data = _data(run, axes, folder)
    sweep = Sweep(run, axes, record, final, seconds, files, data)
    _check_points(sweep)
    return sweep


def _section(name: str, table: dict[str, Any], allowed: tuple[str, ...]) -> dict[str, Any]:
    for key in table:
        if key not in allowed:
            raise ValueError(settings.unknown(name, key, allowed))
    return table


def _axes(document: dict[str, Any]) -> list[Axis]:
    if not {"grid", "zip"} & document.keys():
        raise ValueError("grid: missing; a sweep needs at least one axis in [grid] or [zip.NAME]")
    axes = axes_module.from_grid(document["grid"]) if "grid" in document else []
    axes += axes_module.from_zip(document["zip"]) if "zip" in document else []
    seen: dict[str, str] = {}
    for axis in axes:
        own = {axis.name, *axis.fields} if len(axis.fields) > 1 or axis.name not in axis.fields else {axis.name}
        if axis.name in RESERVED or axis.name.startswith("_") or "/" in axis.name:
            raise ValueError(f"{axis.source}: an axis cannot be called {axis.name!r}, which the store uses itself")
        for name in own:
            if name in seen:
                raise ValueError(f"{axis.source}: {name!r} is already in {seen[name]}")
            seen[name] = axis.source
        for path in axis.fields:
            settings.check_path(axis.source, path)
            if path in FIXED or path.startswith("data."):
                raise ValueError(f"{axis.source}: {path} is one for the whole sweep; set it in [run]")
    if math.prod(map(len, axes)) > MOST_POINTS:
        sizes = " x ".join(f"{len(axis)} ({axis.name})" for axis in axes)
        raise ValueError(f"grid: must have at most {MOST_POINTS} points, got {sizes}")
    return axes


def _check_nested(run: dict[str, Any]) -> None:
    for name in ("starts", "data"):
        for key in run[name] if isinstance(run.get(name), dict) else ():
            settings.check_path(f"run.{name}", f"{name}.{key}")


def _record(table: dict[str, Any] | None) -> tuple[Record | None, bool]:
    """The `Record` of [record], and whether the end of every trajectory is kept (it is, unless reduced)."""
    if table is None:
        return None, True
    given = dict(_section("record", table, RECORD_FIELDS))
    final = given.pop("final_weights", not given.get("reduce"))
    if not isinstance(final, bool):
        raise ValueError(f"record.final_weights: must be true or false, got {final!r}")
    for name in ("observables", "reduce"):
        if isinstance(given.get(name), list):
            given[name] = tuple(given[name])
    if isinstance(given.get("reduce"), str):
        given["reduce"] = (given["reduce"],)
    if "variance" in given.get("reduce", ()) and "mean" not in given["reduce"]:
        given["reduce"] = ("mean", *given["reduce"])  # slices of an ensemble are merged by both
    if len(given.get("reduce", ())) == 1:
        (given["reduce"],) = given["reduce"]
    try:
        return Record(**given), final
    except (TypeError, ValueError) as error:
        raise ValueError(f"record: {error}") from None


def _resolved(run: dict[str, Any], where: str, files: dict[str, Array], folder: Path) -> dict[str, Any]:
    """Read the starts that `run` names, and name them by their content, too; they decide depth and number."""
    table = run.get("starts")
    if not isinstance(table, dict) or "file" not in table:
        return run
    table = {"variable": "starts"} | table
    weights = starts.read(where, folder / str(table["file"]), str(table["variable"]))
    count, depth = weights.shape
    run = {"depth": depth, "trajectories": count} | run | {"starts": table | {"sha256": digest(weights)}}
    files[run["starts"]["sha256"]] = weights
    return run


def _resolved_axis(axis: Axis, files: dict[str, Array], folder: Path) -> Axis:
    if any(path in ("starts.file", "starts.variable") for path in axis.fields):
        raise ValueError(f"{axis.source}: sweep whole tables of starts: starts = [{{file = ...}}, ...]")
    if "starts" not in axis.fields:
        return axis
    tables = [
        _resolved({"starts": table}, axis.where("starts", k), files, folder)["starts"]
        for k, table in enumerate(axis.fields["starts"])
    ]
    return Axis(axis.name, axis.fields | {"starts": tuple(tables)}, axis.source)


def _data(run: dict[str, Any], axes: tuple[Axis, ...], folder: Path) -> NormalizedData | None:
    """The samples of MiniBatch: a CSV file, or the diabetes data; `run["data"]` says which by its digest."""
    methods = next((axis.fields["method"] for axis in axes if "method" in axis.fields), (run["method"],))
    if "MiniBatch" not in methods:
        if "data" in run:
            raise ValueError("run.data: only the method MiniBatch has data")
        return None
    from linreg_dyn.regression import diabetes, normalize, read_csv

    table = run.get("data", {})
    if not isinstance(table, dict) or (table and table.keys() != {"file", "x", "y"}):
        raise ValueError(f"run.data: must be {{file = CSV, x = column, y = column}}, got {table!r:.80}")
    try:
        columns = read_csv(folder / table["file"], table["x"], table["y"]) if table else diabetes()
        data = normalize(*columns).data
    except (OSError, ValueError, TypeError) as error:
        raise ValueError(f"run.data: {error}") from None
    run["data"] = table | {"sha256": digest(np.stack([data.x, data.y]))}
    return data


def _check_points(sweep: Sweep) -> None:
    """Check every value of every axis by name, then that some point uses each field, then every combination."""
    origin = (0,) * len(sweep.axes)
    for k, axis in enumerate(sweep.axes):
        for number_ in range(len(axis)):
            _check_values(sweep, axis, number_, (*origin[:k], number_, *origin[k + 1 :]))
    _check_used(sweep)
    ranges = [range(1 if _independent(axis) else len(axis)) for axis in sweep.axes]
    for index in itertools.product(*ranges):
        _check_point(sweep, "run", index)


def _independent(axis: Axis) -> bool:
    """Whether the values of an axis are allowed or not whatever the other fields are."""
    plain = all(isinstance(value, (int, float, str)) for values in axis.fields.values() for value in values)
    return plain and axis.fields.keys() <= {"learning_rate", "weight_decay", "seed", "dtype"}


def _check_values(sweep: Sweep, axis: Axis, number_: int, index: tuple[int, ...]) -> None:
    """Check one step along an axis; a complaint about a field of the axis names the axis and the value."""
    try:
        _check_point(sweep, "run", index)
    except (TypeError, ValueError) as error:
        for path in axis.fields:
            if str(error).startswith(f"run.{path}"):
                raise ValueError(axis.where(path, number_) + str(error).removeprefix(f"run.{path}")) from None
        raise ValueError(str(error)) from None


def _check_point(sweep: Sweep, where: str, index: tuple[int, ...]) -> None:
    found = sweep.settings_at(index)
    settings.arguments(where, found, sweep.data)
    table = found["starts"]
    if "sha256" in table:
        count, depth = sweep.files[table["sha256"]].shape
        if found["depth"] != depth:
            raise ValueError(f"{where}.depth: must be {depth}, as {table['file']} has it, got {found['depth']}")
        if sweep.trajectories > count:
            raise ValueError(
                f"{where}.trajectories: must be at most the {count} of {table['file']}, got {sweep.trajectories}"
            )


def _check_used(sweep: Sweep) -> None:
    """Refuse a method's field that no method of the sweep has: it would change nothing, in silence."""
    methods = sweep.values.get("method", [sweep.run["method"]])
    used = {name for method in methods for name in settings.METHOD_FIELDS[method]}
    optional = {name for names in settings.METHOD_FIELDS.values() for name in names}
    for name in sorted((optional - used) & (sweep.run.keys() | {path.partition(".")[0] for path in sweep.values})):
        raise ValueError(f"run.{name}: no field of the method {', '.join(map(str, methods))}")


def identity(sweep: Sweep) -> str:
    """The canonical JSON text of a sweep: two sweeps with the same text are the same."""
    integer("trajectories", sweep.trajectories, least=1, most=settings.MOST_TRAJECTORIES)
    return canonical_json(sweep.document())

"""The spec of a sweep: read from TOML, every field checked before any work, and its canonical form.

[run]                                   what all points share: the arguments of `simulate`, by name
method = "NoiseAugmentation"            and its own fields (half_width, distribution, batch_size)
half_width = 0.3
depth = 4
steps = 1000
learning_rate = 0.01                    or a schedule of `ld.schedules`: {type = "Adaptive", c = 0.25}
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
reduce = ["mean", "variance", {type = "Quantiles", levels = [0.05, 0.5, 0.95]},
          {type = "Histogram", edges = {log = [1e-8, 1], points = 33}}]

[store]
chunk_seconds = 1.0                     how long a worker computes for one chunk, as estimated
"""

from __future__ import annotations

import math
import tomllib
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from linreg_dyn._checks import integer, number
from linreg_dyn.ensemble.provenance import digest
from linreg_dyn.ensemble.record import OBSERVABLES, SIMPLE, Histogram, Quantiles, Record
from linreg_dyn.files import canonical_json
from linreg_dyn.problem import Array, NormalizedData
from linreg_dyn.sweep import axes as axes_module
from linreg_dyn.sweep import checks, settings, starts
from linreg_dyn.sweep.axes import Axis, values_of
from linreg_dyn.sweep.tables import as_table, made, replaced, unknown

SECTIONS = ("run", "grid", "zip", "record", "store")
RECORD_FIELDS = ("every", "observables", "reduce", "final_weights")
STORE_DEFAULTS = {"chunk_seconds": 1.0}
RESERVED = {
    *("step", "trajectory", "layer", "quantile", "bin", "bin_low", "bin_high", "ok", "diverged", "stalled", "held"),
    *("status", "diverged_step", "first_diverged_step", "final_weights", *OBSERVABLES),
    *(f"{name}_{label}" for name in OBSERVABLES for label in (*SIMPLE, Quantiles.name, Histogram.name)),
}
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
                found = replaced(found, axis.where(path, number_), path, values[number_])
        return found

    @cached_property
    def values(self) -> dict[str, list[Any]]:
        """Every value that each field takes, by dotted path where it varies."""
        found = {name: [value] for name, value in self.run.items()}
        return found | {path: list(values) for axis in self.axes for path, values in axis.fields.items()}

    def document(self) -> dict[str, Any]:
        """The sweep as data: what its results depend on, and nothing else."""
        record = None
        if self.record is not None:
            record = {"every": self.record.every, "observables": list(self.record.observables)}
            record["reduce"] = [as_table(reduction) for reduction in self.record.reductions]
        return {
            "run": self.run,
            "axes": [{"name": axis.name, "fields": {k: list(v) for k, v in axis.fields.items()}} for axis in self.axes],
            "record": record,
            "final_weights": self.final,
            "store": {"chunk_seconds": self.chunk_seconds},
        }


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
            raise ValueError(unknown("spec", name, SECTIONS))
        if not isinstance(table, dict):
            raise ValueError(f"{name}: must be a table, got {table!r:.80}")
    axes = (*_axes(document),)
    run = dict(settings.DEFAULTS) | document.get("run", {})
    for name in run:
        settings.check_path(f"run.{name}", name)
    _check_tables(run)
    record, final = _record(document.get("record"))
    store = _section("store", document.get("store", {}), tuple(STORE_DEFAULTS))
    seconds = number("store.chunk_seconds", store.get("chunk_seconds", 1.0), above=0)
    files: dict[str, Array] = {}
    run = _resolved(run, "run.starts", files, folder)
    axes = tuple(_resolved_axis(axis, files, folder) for axis in axes)
    data = _data(run, axes, folder)
    sweep = Sweep(run, axes, record, final, seconds, files, data)
    checks.check_points(sweep)
    return sweep


def _section(name: str, table: dict[str, Any], allowed: tuple[str, ...]) -> dict[str, Any]:
    for key in table:
        if key not in allowed:
            raise ValueError(unknown(name, key, allowed))
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
            for other in seen:
                if path.startswith(f"{other}.") or other.startswith(f"{path}."):
                    raise ValueError(f"{axis.source}: {path!r} overlaps with {other!r} in {seen[other]}")
            if path in FIXED or path.startswith("data."):
                raise ValueError(f"{axis.source}: {path} is one for the whole sweep; set it in [run]")
    if math.prod(map(len, axes)) > MOST_POINTS:
        sizes = " x ".join(f"{len(axis)} ({axis.name})" for axis in axes)
        raise ValueError(f"grid: must have at most {MOST_POINTS} points, got {sizes}")
    return axes


def _check_tables(run: dict[str, Any]) -> None:
    """Refuse lists, which belong elsewhere, and unknown fields of fields."""
    for name, value in run.items():
        if isinstance(value, list):
            raise ValueError(f"run.{name}: must be one value for all points, got {value!r:.60}; write lists in [grid]")
        for key in value if name in ("starts", "data") and isinstance(value, dict) else ():
            settings.check_path(f"run.{name}", f"{name}.{key}")


def _record(table: dict[str, Any] | None) -> tuple[Record | None, bool]:
    """The `Record` of [record], and whether the end of every trajectory is kept (it is, unless reduced)."""
    if table is None:
        return None, True
    given = dict(_section("record", table, RECORD_FIELDS))
    final = given.pop("final_weights", "reduce" not in given)
    if not isinstance(final, bool):
        raise ValueError(f"record.final_weights: must be true or false, got {final!r}")
    if isinstance(given.get("observables"), list):
        given["observables"] = tuple(given["observables"])
    if "reduce" in given:
        found = given["reduce"] if isinstance(given["reduce"], list) else [given["reduce"]]
        given["reduce"] = tuple(_reduction(f"record.reduce[{k}]", value) for k, value in enumerate(found))
        if "variance" in given["reduce"] and "mean" not in given["reduce"]:
            given["reduce"] = ("mean", *given["reduce"])  # slices of an ensemble are merged by both
    try:
        return Record(**given), final
    except (TypeError, ValueError) as error:
        raise ValueError(f"record: {error}") from None


def _reduction(where: str, value: Any) -> Any:
    """A reduction's name, or the one that a table stands for, whose numbers may be written short as on an axis."""
    if not isinstance(value, dict):
        if value not in SIMPLE:
            tables = '{type = "Quantiles", levels = [...]} or {type = "Histogram", edges = [...]}'
            raise ValueError(f"{where} must be one of {', '.join(map(repr, SIMPLE))}, {tables}, got {value!r:.80}")
        return value
    short = {name: list(values_of(f"{where}.{name}", v)) for name, v in value.items() if isinstance(v, dict)}
    return made(where, value | short, (Quantiles, Histogram))


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
    for name, value in table.items():
        if not isinstance(value, str):
            raise ValueError(f"run.data.{name}: must be a text, got {value!r:.60}")
    try:
        columns = read_csv(folder / table["file"], table["x"], table["y"]) if table else diabetes()
        data = normalize(*columns).data
    except (OSError, ValueError, TypeError) as error:
        raise ValueError(f"run.data: {error}") from None
    run["data"] = table | {"sha256": digest(np.stack([data.x, data.y]))}
    return data


def identity(sweep: Sweep) -> str:
    """The canonical JSON text of a sweep: two sweeps with the same text are the same."""
    integer("trajectories", sweep.trajectories, least=1, most=settings.MOST_TRAJECTORIES)
    return canonical_json(sweep.document())

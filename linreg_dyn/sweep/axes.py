"""Axes of a grid: the values that a field takes, as lists and as ranges written short."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from linreg_dyn._checks import integer, number
from linreg_dyn.files import canonical_json

MOST_VALUES = 10**6
RANGES = ("linear", "log", "range")
FORMS = (
    "a list, {linear = [first, last], points = n}, {log = [first, last], points = n} or {range = [start, stop, step]}"
)


@dataclass(frozen=True)
class Axis:
    """One dimension of the grid.

    Args:
        name: the dimension's name in the store.
        fields: the values of every field that varies along it, by dotted path; more than one are zipped.
        source: where in the spec it was written, for messages.
    """

    name: str
    fields: dict[str, tuple[Any, ...]]
    source: str

    def __len__(self) -> int:
        return len(next(iter(self.fields.values())))

    def where(self, path: str, index: int) -> str:
        """How messages call the value number `index` of the field `path`."""
        prefix = self.source if len(self.fields) == 1 and self.source.endswith(path) else f"{self.source}.{path}"
        return f"{prefix}[{index}]"


def from_grid(table: Any) -> list[Axis]:
    """The axes of `[grid]`, one for each field, in the order they are written."""
    found = _flatten("grid", table)
    axes = [Axis(path.replace(".", "_"), {path: values}, f"grid.{path}") for path, values in found.items()]
    for axis in axes:
        _check_different(axis)
    return axes


def from_zip(table: Any) -> list[Axis]:
    """The axes of `[zip.NAME]`: the fields of each vary together."""
    _check_table("zip", table)
    axes = []
    for name, fields in table.items():
        found = _flatten(f"zip.{name}", fields)
        if len(set(map(len, found.values()))) > 1:
            sizes = ", ".join(f"{path} has {len(values)}" for path, values in found.items())
            raise ValueError(f"zip.{name}: its fields must have the same number of values; {sizes}")
        axes.append(Axis(name, found, f"zip.{name}"))
        _check_different(axes[-1])
    return axes


def _check_table(where: str, table: Any) -> None:
    if not isinstance(table, dict) or not table:
        raise ValueError(f"{where}: must be a table of fields, each {FORMS}, got {table!r:.80}")


def _flatten(where: str, table: Any) -> dict[str, tuple[Any, ...]]:
    """Values by dotted path; a table that is no range holds fields of a field (`starts.spread = [...]`).

    One with `points`, which no field has, is a range whose kind is mistyped.
    """
    _check_table(where, table)
    found: dict[str, tuple[Any, ...]] = {}
    for name, value in table.items():
        if isinstance(value, dict) and not {*RANGES, "points"} & value.keys():
            found |= {f"{name}.{path}": values for path, values in _flatten(f"{where}.{name}", value).items()}
        else:
            found[name] = values_of(f"{where}.{name}", value)
    return found


def values_of(where: str, value: Any) -> tuple[Any, ...]:
    """The values that a list or a short form stands for; ValueError naming `where` if it is neither."""
    if isinstance(value, list):
        values = tuple(value)
    elif isinstance(value, dict) and len(kinds := set(RANGES) & value.keys()) == 1:
        (kind,) = kinds
        values = _whole_range(where, value) if kind == "range" else _spaced(where, value, kind)
    else:
        raise ValueError(f"{where}: must be {FORMS}, got {value!r:.80}")
    if not 0 < len(values) <= MOST_VALUES:
        raise ValueError(f"{where}: must have from 1 to {MOST_VALUES} values, got {len(values)}")
    return values


def _check_different(axis: Axis) -> None:
    """Refuse an axis that has the same point twice; fields that vary together may each repeat."""
    points = list(zip(*axis.fields.values(), strict=True))
    keys = {tuple(canonical_json(v) if isinstance(v, (dict, list)) else v for v in point) for point in points}
    if len(keys) < len(points):
        raise ValueError(f"{axis.source}: its values must differ, got {', '.join(map(repr, axis.fields.values())):.80}")


def _spaced(where: str, table: dict[str, Any], kind: str) -> tuple[float, ...]:
    ends = table[kind]
    if table.keys() != {kind, "points"} or not isinstance(ends, list) or len(ends) != 2:
        raise ValueError(f"{where}: must be {{{kind} = [first, last], points = n}}, got {table!r:.80}")
    points = integer(f"{where}.points", table["points"], least=2, most=MOST_VALUES)
    least = {"above": 0.0} if kind == "log" else {}
    first, last = (number(f"{where}.{kind}[{k}]", end, **least) for k, end in enumerate(ends))
    with np.errstate(over="ignore", invalid="ignore"):
        spaced = np.geomspace(first, last, points) if kind == "log" else np.linspace(first, last, points)
    if not np.isfinite(spaced).all():
        raise ValueError(f"{where}.{kind}: from {first:g} to {last:g} is further than float64 goes")
    return tuple(spaced.tolist())


def _whole_range(where: str, table: dict[str, Any]) -> tuple[int, ...]:
    bounds = table["range"]
    if table.keys() != {"range"} or not isinstance(bounds, list) or not 2 <= len(bounds) <= 3:
        raise ValueError(f"{where}: must be {{range = [start, stop, step]}}, stop excluded, got {table!r:.80}")
    whole = [integer(f"{where}.range[{k}]", bound, least=-(2**63), most=2**64) for k, bound in enumerate(bounds)]
    if len(whole) == 3 and whole[2] == 0:
        raise ValueError(f"{where}.range[2]: the step must not be 0")
    found = range(*whole)
    return tuple(found) if len(found) <= MOST_VALUES else tuple(found[: MOST_VALUES + 1])

"""Schedules as data: dictionaries, lists, numbers and strings, as JSON and TOML have them."""

from __future__ import annotations

import dataclasses
import difflib
from typing import Any

from linreg_dyn._checks import number
from linreg_dyn.schedules.adaptive import Adaptive
from linreg_dyn.schedules.autol2 import AutoL2
from linreg_dyn.schedules.by_rate import ByRate, InverseOfRate
from linreg_dyn.schedules.combine import Product, Sum
from linreg_dyn.schedules.core import Constant, Schedule
from linreg_dyn.schedules.curves import Cosine, CosineRestarts, Exponential, Steps
from linreg_dyn.schedules.windows import PerEpoch, Window

TYPES: dict[str, type] = {
    kind.__name__: kind
    for kind in (
        *(Adaptive, AutoL2, ByRate, Constant, Cosine, CosineRestarts, Exponential),
        *(InverseOfRate, PerEpoch, Product, Steps, Sum, Window),
    )
}


def to_spec(schedule: float | Schedule | AutoL2) -> Any:
    """`schedule` as `{"type": name, field: value, ...}`, its parts likewise; a `Constant` as its number.

    A field that is None is left out, since TOML has none. TypeError for what is no number and no schedule.
    """
    if isinstance(schedule, Constant):
        return schedule.value
    if type(schedule) in TYPES.values():
        fields = {field.name: getattr(schedule, field.name) for field in dataclasses.fields(schedule)}  # type: ignore
        return {"type": type(schedule).__name__} | {k: to_spec(v) for k, v in fields.items() if v is not None}
    if isinstance(schedule, tuple):
        return [to_spec(item) for item in schedule]
    if isinstance(schedule, (int, float)) and not isinstance(schedule, bool):
        return schedule
    raise TypeError(f"schedule must be a number, a schedule or AutoL2, got {schedule!r}")


def from_spec(spec: Any, name: str = "schedule") -> Any:
    """The schedule, or `AutoL2`, that `to_spec` made `spec` of; a bare number is a `Constant`.

    TypeError or ValueError, in one line, for what is none: it begins with the path of the field, from `name` on.
    """
    if isinstance(spec, dict):
        return _decode(spec, name)
    if isinstance(spec, (list, tuple)):
        raise TypeError(f"{name} must be a number or a table with a type, got {spec!r:.80}")
    return Constant(number(name, spec))


def _decode(spec: Any, path: str) -> Any:
    if isinstance(spec, (list, tuple)):
        return tuple(_decode(item, f"{path}[{k}]") for k, item in enumerate(spec))
    if not isinstance(spec, dict):
        return spec
    kind = spec.get("type")
    if not isinstance(kind, str) or kind not in TYPES:
        raise ValueError(f"{path}.type must be one of {', '.join(TYPES)}, got {kind!r}{_closest(kind, TYPES)}")
    cls = TYPES[kind]
    fields = {field.name: field for field in dataclasses.fields(cls)}
    for name in spec:
        if name not in fields and name != "type":
            raise ValueError(f"{path}.{name} is no field of {kind}: {', '.join(fields)}{_closest(name, fields)}")
    for name, field in fields.items():
        if field.default is dataclasses.MISSING and name not in spec:
            raise ValueError(f"{path}.{name} is missing: {kind} has the fields {', '.join(fields)}")
    arguments = {name: _decode(value, f"{path}.{name}") for name, value in spec.items() if name != "type"}
    try:
        return cls(**arguments)
    except (TypeError, ValueError) as error:
        raise type(error)(f"{path}: {error}") from None


def _closest(word: Any, allowed: Any) -> str:
    found = difflib.get_close_matches(word, list(allowed), n=1, cutoff=0.5) if isinstance(word, str) else []
    return f"; did you mean {found[0]!r}?" if found else ""

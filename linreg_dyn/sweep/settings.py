"""One point of a sweep: from the fields of the spec to the arguments of `simulate`, checked by name."""

from __future__ import annotations

import copy
import dataclasses
import difflib
from collections.abc import Iterable
from typing import Any

from linreg_dyn import schedules
from linreg_dyn._checks import choice, integer, number
from linreg_dyn.ensemble import methods
from linreg_dyn.ensemble.discrete import MOST_STEPS
from linreg_dyn.problem import NormalizedData
from linreg_dyn.sweep import starts

METHODS = {
    kind.__name__: kind
    for kind in (methods.GradientDescent, methods.NoiseAugmentation, methods.SGDNoise, methods.MiniBatch)
}
METHOD_FIELDS = {
    name: tuple(field.name for field in dataclasses.fields(kind) if field.name != "data")
    for name, kind in METHODS.items()
}
DEFAULTS: dict[str, Any] = {
    "method": "GradientDescent",
    "weight_decay": 0.0,
    "momentum": 0.0,
    "nesterov": False,
    "seed": 0,
    "dtype": "float64",
    "backend": "auto",
}
REQUIRED = ("depth", "steps", "learning_rate", "trajectories", "starts")
SCHEDULED = ("learning_rate", "weight_decay", "half_width")
"""Fields that may be schedules: tables, whose own fields may be swept as well."""
DATA_FIELDS = ("file", "x", "y", "sha256")
FIELDS = (*REQUIRED, *DEFAULTS, *sorted({name for names in METHOD_FIELDS.values() for name in names}), "data")
MOST_TRAJECTORIES = 2**32
"""Counter words that a trajectory's number is drawn from; more would repeat their noise."""


def check_path(where: str, path: str) -> None:
    """Refuse a dotted path that names no field, with the closest one that does."""
    first, _, rest = path.partition(".")
    if first not in FIELDS:
        raise ValueError(unknown(where, first, FIELDS))
    inner = {"starts": starts.FIELDS, "data": DATA_FIELDS}.get(first)
    if rest and first not in SCHEDULED and inner is None:
        raise ValueError(f"{where}: {first} has no fields of its own")
    if rest and inner is not None and rest not in inner:
        raise ValueError(unknown(where, rest, inner))


def unknown(where: str, name: str, allowed: Iterable[str]) -> str:
    """The message for a name that is none of those `allowed`."""
    allowed = list(allowed)
    close = difflib.get_close_matches(name, allowed, n=1)
    hint = f"the closest is {close[0]!r}; " if close else ""
    return f"{where}: there is no field {name!r}; {hint}allowed are {', '.join(allowed)}"


def replaced(settings: dict[str, Any], where: str, path: str, value: Any) -> dict[str, Any]:
    """A copy of nested `settings` with the value at a dotted path replaced."""
    settings = copy.deepcopy(settings)
    *outer, last = path.split(".")
    table = settings
    for name in outer:
        table = table.setdefault(name, {})
        if not isinstance(table, dict):
            raise ValueError(f"{where}: {name} is {table!r:.60} in [run], not a table, so it has no field {last!r}")
    table[last] = value
    return settings


def arguments(where: str, settings: dict[str, Any], data: NormalizedData | None) -> dict[str, Any]:
    """The keyword arguments of `simulate` for one point, `method` among them, without starts and record.

    `where` prefixes the field's name in messages: "run" gives "run.learning_rate: ...".
    """
    for name in REQUIRED:
        if name not in settings:
            raise ValueError(f"{where}.{name}: missing; set it in [run], [grid] or [zip]")
    integer(f"{where}.depth", settings["depth"], least=1, most=2**16)
    integer(f"{where}.trajectories", settings["trajectories"], least=1, most=MOST_TRAJECTORIES)
    steps = integer(f"{where}.steps", settings["steps"], least=0, most=MOST_STEPS)
    if not isinstance(settings["starts"], dict):
        raise ValueError(
            f"{where}.starts: must be a table with a distribution or a file, got {settings['starts']!r:.80}"
        )
    starts.checked(f"{where}.starts", settings["starts"], settings["depth"])
    if not isinstance(settings["nesterov"], bool):
        raise ValueError(f"{where}.nesterov: must be true or false, got {settings['nesterov']!r}")
    if number(f"{where}.momentum", settings["momentum"], least=0) >= 1:
        raise ValueError(f"{where}.momentum: must be in [0, 1), got {settings['momentum']!r}")
    if settings["nesterov"] and not settings["momentum"]:
        raise ValueError(f"{where}.nesterov: needs a momentum > 0")
    found = {
        "method": _method(where, settings, steps, data),
        "steps": steps,
        "learning_rate": _checked_schedule(where, "learning_rate", settings, steps, above=0),
        "weight_decay": _checked_schedule(where, "weight_decay", settings, steps, least=0),
        "seed": integer(f"{where}.seed", settings["seed"], least=0, most=2**64 - 1),
        "dtype": choice(f"{where}.dtype", settings["dtype"], ("float64", "float32")),
        "backend": choice(f"{where}.backend", settings["backend"], ("auto", "cpu", "cuda")),
    }
    if settings["momentum"]:
        found |= {"momentum": float(settings["momentum"]), "nesterov": settings["nesterov"]}
    return found


def _checked_schedule(where: str, name: str, settings: dict[str, Any], steps: int, **bounds: float) -> Any:
    """A number within bounds, or a schedule that lasts for all steps and stays within them."""
    value = settings[name]
    if not isinstance(value, dict):
        return number(f"{where}.{name}", value, **bounds)
    found = schedules.from_spec(value, f"{where}.{name}")
    length = getattr(found, "length", None)
    if length is not None and length < steps:
        raise ValueError(f"{where}.{name}: the schedule has {length} steps, shorter than the run of {steps}")
    if hasattr(found, "limits"):  # AutoL2 has none
        number(f"{where}.{name}: the least value of the schedule", found.limits[0], least=0)
    return found


def _method(where: str, settings: dict[str, Any], steps: int, data: NormalizedData | None) -> methods.Method:
    name = choice(f"{where}.method", settings["method"], tuple(METHODS))
    given: dict[str, Any] = {field: settings[field] for field in METHOD_FIELDS[name] if field in settings}
    for field in dataclasses.fields(METHODS[name]):
        if field.name not in (*given, "data") and field.default is dataclasses.MISSING:
            raise ValueError(f"{where}.{field.name}: missing; {name} needs it")
    if isinstance(given.get("half_width"), dict):
        given["half_width"] = _checked_schedule(where, "half_width", settings, steps, least=0)
    if METHODS[name] is methods.MiniBatch:
        given["data"] = data
    try:
        return METHODS[name](**given)
    except (TypeError, ValueError) as error:
        field = next((field for field in given if str(error).startswith(field)), "method")
        raise ValueError(f"{where}.{field}: {error}") from None

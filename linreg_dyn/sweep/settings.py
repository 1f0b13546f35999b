"""One point of a sweep: from the fields of the spec to the arguments of `simulate`, checked by name."""

from __future__ import annotations

import dataclasses
from typing import Any

from linreg_dyn import schedules
from linreg_dyn._checks import choice, integer, number
from linreg_dyn.ensemble import methods
from linreg_dyn.ensemble.backends import BACKENDS
from linreg_dyn.ensemble.discrete import MOST_STEPS
from linreg_dyn.ensemble.plan import MOST_LAYERS
from linreg_dyn.problem import NormalizedData
from linreg_dyn.sweep import starts
from linreg_dyn.sweep.tables import made, unknown

METHODS = {kind.__name__: kind for kind in methods.METHODS}
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
    "backend": "cpu",  # and not "auto": every worker shall compute the same bits
}
REQUIRED = ("depth", "steps", "learning_rate", "trajectories", "starts")
TYPED = ("learning_rate", "weight_decay", "half_width", "distribution")
"""Fields that may be tables with a type, schedules and distributions, whose own fields may be swept as well."""
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
    if rest and first not in TYPED and inner is None:
        raise ValueError(f"{where}: {first} has no fields of its own")
    if rest and inner is not None and rest not in inner:
        raise ValueError(unknown(where, rest, inner))


def arguments(where: str, settings: dict[str, Any], data: NormalizedData | None) -> dict[str, Any]:
    """The keyword arguments of `simulate` for one point, `method` among them, without starts and record.

    `where` prefixes the field's name in messages: "run" gives "run.learning_rate: ...".
    """
    for name in REQUIRED:
        if name not in settings:
            raise ValueError(f"{where}.{name}: missing; set it in [run], [grid] or [zip]")
    integer(f"{where}.depth", settings["depth"], least=1, most=MOST_LAYERS)
    integer(f"{where}.trajectories", settings["trajectories"], least=1, most=MOST_TRAJECTORIES)
    steps = integer(f"{where}.steps", settings["steps"], least=0, most=MOST_STEPS)
    if not isinstance(settings["starts"], dict):
        raise ValueError(
            f"{where}.starts: must be a table with a distribution or a file, got {settings['starts']!r:.80}"
        )
    starts.checked(f"{where}.starts", settings["starts"], settings["depth"])
    momentum = number(f"{where}.momentum", settings["momentum"], least=0)
    if momentum >= 1:
        raise ValueError(f"{where}.momentum: must be in [0, 1), got {settings['momentum']!r}")
    if not isinstance(settings["nesterov"], bool):
        raise ValueError(f"{where}.nesterov: must be true or false, got {settings['nesterov']!r}")
    if settings["nesterov"] and not momentum:
        raise ValueError(f"{where}.nesterov: needs a momentum > 0")
    return {
        "method": _method(where, settings, steps, data),
        "steps": steps,
        "learning_rate": _scheduled(f"{where}.learning_rate", settings["learning_rate"], steps, schedules.Adaptive),
        "weight_decay": _scheduled(
            f"{where}.weight_decay", settings["weight_decay"], steps, schedules.AutoL2, zero=True
        ),
        "momentum": momentum,
        "nesterov": settings["nesterov"],
        "seed": integer(f"{where}.seed", settings["seed"], least=0, most=2**64 - 1),
        "dtype": choice(f"{where}.dtype", settings["dtype"], ("float64", "float32")),
        "backend": choice(f"{where}.backend", settings["backend"], BACKENDS),
    }


def _scheduled(path: str, value: Any, steps: int, follows: type, **bounds: Any) -> Any:
    """A number or a schedule within bounds, which lasts for all steps.

    `follows` is the one kind allowed of those that follow more than the time (Adaptive, AutoL2).
    """
    found = schedules.from_spec(value, path) if isinstance(value, dict) else value
    if isinstance(found, (schedules.Adaptive, schedules.AutoL2)) and not isinstance(found, follows):
        raise ValueError(f"{path} must be a number or a schedule of time, got {found!r}")
    if isinstance(found, schedules.AutoL2):
        return found
    return schedules.as_schedule(found, path, steps=steps, **bounds)


def _method(where: str, settings: dict[str, Any], steps: int, data: NormalizedData | None) -> methods.Method:
    name = choice(f"{where}.method", settings["method"], tuple(METHODS))
    given: dict[str, Any] = {field: settings[field] for field in METHOD_FIELDS[name] if field in settings}
    for field in dataclasses.fields(METHODS[name]):
        if field.name not in (*given, "data") and field.default is dataclasses.MISSING:
            raise ValueError(f"{where}.{field.name}: missing; {name} needs it")
    if "half_width" in given:
        most = 1 if METHODS[name] is methods.NoiseAugmentation else None
        path, width = f"{where}.half_width", given["half_width"]
        given["half_width"] = _scheduled(path, width, steps, schedules.Constant, zero=True, most=most)
    if isinstance(given.get("distribution"), dict):
        kinds = (methods.TruncatedGaussian, methods.Table)
        given["distribution"] = made(f"{where}.distribution", given["distribution"], kinds)
    if METHODS[name] is methods.MiniBatch:
        given["data"] = data
    try:
        return METHODS[name](**given)
    except (TypeError, ValueError) as error:  # it begins with the field's name
        raise ValueError(f"{where}.{error}") from None

"""Every value of a sweep's spec, checked at the points where it is used, before any work."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from linreg_dyn.sweep import settings
from linreg_dyn.sweep.axes import Axis

if TYPE_CHECKING:
    from linreg_dyn.sweep.spec import Sweep

TOGETHER = (
    {"steps", "method", "learning_rate", "weight_decay", "half_width", "distribution", "batch_size"},
    {"momentum", "nesterov"},
    {"depth", "starts"},
)
"""Fields that may be allowed each by itself and yet not together; those of different groups never meet."""


def check_points(sweep: Sweep) -> None:
    """Check every value of every axis by name, then that some point uses each field, then what may not go together."""
    origin = (0,) * len(sweep.axes)
    for k, axis in enumerate(sweep.axes):
        for number in range(len(axis)):
            _check_value(sweep, axis, number, (*origin[:k], number, *origin[k + 1 :]))
    _check_used(sweep)
    for group in TOGETHER:
        ranges = [range(len(axis) if _meets(axis, group) else 1) for axis in sweep.axes]
        for index in itertools.product(*ranges):
            _check_point(sweep, "run", index)


def _meets(axis: Axis, group: set[str]) -> bool:
    """Whether fields of the axis belong to a group; rates and decays that are plain numbers go with everything."""
    for path, values in axis.fields.items():
        plain = path in ("learning_rate", "weight_decay") and not any(isinstance(value, dict) for value in values)
        if path.partition(".")[0] in group and not plain:
            return True
    return False


def _check_value(sweep: Sweep, axis: Axis, number: int, index: tuple[int, ...]) -> None:
    """Check one step along an axis; a complaint about a field of the axis names the axis and the value."""
    try:
        _check_point(sweep, "run", index)
    except (TypeError, ValueError) as error:
        text = str(error)
        for path in axis.fields:
            if text.startswith(f"run.{path}"):
                raise ValueError(axis.where(path, number) + text.removeprefix(f"run.{path}")) from None
            if text.startswith(f"run.{path.partition('.')[0]}"):  # a schedule speaks for all its fields
                raise ValueError(f"{axis.where(path, number)}: {text.removeprefix('run.')}") from None
        raise


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
    methods = sweep.values["method"]
    used = {name for method in methods for name in settings.METHOD_FIELDS[method]}
    optional = {name for names in settings.METHOD_FIELDS.values() for name in names}
    for name in sorted((optional - used) & {path.partition(".")[0] for path in sweep.values}):
        raise ValueError(f"run.{name}: no field of the method {', '.join(map(str, methods))}")

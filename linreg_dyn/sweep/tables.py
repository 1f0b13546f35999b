"""Nested tables as TOML has them: fields by dotted path, and tables that name their own type."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Iterable
from typing import Any


def unknown(where: str, name: Any, allowed: Iterable[str]) -> str:
    """The message for a name that is none of those `allowed`."""
    allowed = list(allowed)
    close = difflib.get_close_matches(str(name), allowed, n=1)
    hint = f"the closest is {close[0]!r}; " if close else ""
    return f"{where}: there is no field {name!r}; {hint}allowed are {', '.join(allowed)}"


def replaced(table: dict[str, Any], where: str, path: str, value: Any) -> dict[str, Any]:
    """A nested table with the value at a dotted path replaced; the table that is given stays as it is."""
    first, _, rest = path.partition(".")
    if rest:
        inner = table.get(first, {})
        if not isinstance(inner, dict):
            raise ValueError(f"{where}: {first} is {inner!r:.60} in [run], not a table, so it has no field {rest!r}")
        value = replaced(inner, where, rest, value)
    return table | {first: value}


def made(where: str, table: dict[str, Any], kinds: tuple[type, ...]) -> Any:
    """The object of one of the dataclasses `kinds` that `{type = "Its name", field = value, ...}` stands for."""
    by_name = {kind.__name__: kind for kind in kinds}
    kind: Any = by_name.get(str(table.get("type")))
    if kind is None:
        raise ValueError(f"{where}.type must be one of {', '.join(map(repr, by_name))}, got {table.get('type')!r}")
    fields = {field.name: field for field in dataclasses.fields(kind)}
    given = {name: tuple(value) if isinstance(value, list) else value for name, value in table.items()}
    given.pop("type")
    for name in given:
        if name not in fields:
            raise ValueError(unknown(where, name, fields))
    for name, field in fields.items():
        if field.default is dataclasses.MISSING and name not in given:
            raise ValueError(f"{where}.{name}: missing; {kind.__name__} needs it")
    try:
        return kind(**given)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{where}: {error}") from None


def as_table(value: Any) -> Any:
    """What `made` makes `value` of; a value that is no dataclass stands for itself."""
    if not dataclasses.is_dataclass(value):
        return value
    fields = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    plain = {name: list(content) if isinstance(content, tuple) else content for name, content in fields.items()}
    return {"type": type(value).__name__} | plain

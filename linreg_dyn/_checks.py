"""Checks at the door: each returns the clean value, or says which argument was what, and what is allowed."""

from __future__ import annotations

import math
import operator
from typing import Any

import numpy as np

NOT_REAL = "cSTUMm"
"""Kinds of numpy's dtypes of which a cast to float64 would take the real part, read the digits or count the time."""


def number(name: str, value: Any, *, above: float = -math.inf, least: float = -math.inf) -> float:
    """`value` as a finite float, greater than `above` and at least `least`."""
    allowed = "a finite number"
    if above > -math.inf:
        allowed += f" > {above:g}"
    if least > -math.inf:
        allowed += f" >= {least:g}"
    try:
        if np.asarray(value).dtype.kind in "b" + NOT_REAL:
            raise TypeError
        result = float(value)
    except (TypeError, ValueError):
        raise TypeError(f"{name} must be {allowed}, got {value!r}") from None
    except OverflowError:
        raise ValueError(f"{name} must be {allowed}, got one too large for float64") from None
    if not math.isfinite(result) or result <= above or result < least:
        raise ValueError(f"{name} must be {allowed}, got {value!r}")
    return result


def integer(name: str, value: Any, *, least: int, most: int | None = None) -> int:
    """`value` as an int between `least` and `most`, both included; floats are refused, even whole ones."""
    allowed = f"an integer >= {least}" if most is None else f"an integer from {least} to {most}"
    if isinstance(value, bool):
        raise TypeError(f"{name} must be {allowed}, got {value!r}")
    try:
        result = operator.index(value)
    except TypeError:
        raise TypeError(f"{name} must be {allowed}, got {value!r}") from None
    if result < least or (most is not None and result > most):
        raise ValueError(f"{name} must be {allowed}, got {value!r}")
    return result


def choice(name: str, value: Any, allowed: tuple[str, ...]) -> str:
    """`value`, one of the names `allowed`."""
    if not isinstance(value, str) or value not in allowed:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, allowed))}, got {value!r}")
    return value

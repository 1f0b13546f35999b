"""Numbers at axes and titles over pictures, written plainly."""

from __future__ import annotations

import math
import re
from collections.abc import Callable

import numpy as np
from matplotlib.axis import Axis
from matplotlib.ticker import FixedFormatter, FixedLocator, MaxNLocator, NullFormatter


def log_ticks(axis: Axis, low: float, high: float, *, of_log: bool = False) -> None:
    """Ticks from `low` to `high` at powers of ten, or at more numbers where those are fewer than four.

    `of_log`: the axis has the decimal logarithms of what its ticks say.
    """
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for digits in ((1,), (1, 3), (1, 2, 5), (1, 1.5, 2, 3, 4, 5, 6, 8), [1 + n / 10 for n in range(90)]):
        major = [k * 10.0**n for n in decades for k in digits]
        major = [value for value in major if low <= value * (1 + 1e-9) and value <= high * (1 + 1e-9)]
        if len(major) >= 4:
            break
    major = major[:: -(-len(major) // 9)]
    minor = [k * 10.0**n for n in decades for k in range(1, 10)] if len(decades) < 10 else []
    place = np.log10 if of_log else np.asarray
    axis.set_major_locator(FixedLocator(place(major).tolist()))
    axis.set_major_formatter(FixedFormatter([short(value) for value in major]))
    axis.set_minor_locator(FixedLocator(place(minor).tolist()))
    axis.set_minor_formatter(NullFormatter())


def plain_ticks(axis: Axis, low: float, high: float, name: str) -> str:
    """Ticks between `low` and `high`; returns the expression, of the quantity `name`, whose numbers stand at them.

    That is `name` itself, or `(name - number) / power of 10` where its numbers have many digits or are far from 1.
    """
    low, high = sorted((low, high))
    largest, span = max(abs(low), abs(high)), high - low
    locator = MaxNLocator(7, steps=[1, 2, 2.5, 5, 10])
    near = 1e-3 * largest <= span
    if near and 1e-3 <= largest < 1e5:
        axis.set_major_locator(locator)
        return name
    ticks = [tick for tick in locator.tick_values(low, high) if low - 1e-9 * span <= tick <= high + 1e-9 * span]
    number = "0" if near else min((f"{tick:.15g}" for tick in ticks), key=len)
    decade = math.floor(math.log10(span))
    axis.set_major_locator(FixedLocator(ticks))
    seen_at = [f"{(tick - float(number)) / 10.0**decade:.3g}".replace("-", "\N{MINUS SIGN}") for tick in ticks]
    axis.set_major_formatter(FixedFormatter(seen_at))
    shifted = name if near else f"({name} {'+' if number.startswith('-') else '-'} {number.removeprefix('-')})"
    return f"{shifted} / 10^{{{decade}}}" if decade else shifted


def short(value: float) -> str:
    """Three digits, and a power of ten where the number is far from 1."""
    if 1e-3 <= abs(value) < 1e5 or value == 0:
        return f"{float(f'{value:.3g}'):g}"
    mantissa, exponent = f"{value:.2e}".split("e")
    mantissa = mantissa.rstrip("0").rstrip(".")
    factor = "" if mantissa == "1" else f"{mantissa} \\cdot "
    return f"${factor}10^{{{int(exponent)}}}$"


def seen(text: str) -> int:
    """How many characters are seen of a text with mathematics: a command is one, braces and the like are none."""
    return len(re.sub(r"[${}_^]", "", re.sub(r"\\([a-z]+|.)", "x", text)))


def wrapped(title: str, width: int, size: Callable[[str], int] = seen) -> str:
    """Broken into lines of about `width` characters, by `size`, between words but not within mathematics."""
    lines = []
    for part in title.split("\n"):
        line = ""
        for word in re.findall(r"(?:\$[^$]*\$|[^\s$])+", part):
            if line and size(f"{line} {word}") > width:
                lines.append(line)
                line = ""
            line = f"{line} {word}".lstrip()
        lines.append(line)
    return "\n".join(lines)

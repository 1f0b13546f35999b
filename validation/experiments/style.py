"""How the curves of a record's figure look: apart for colour-blind readers, in grey, and where they coincide."""

from __future__ import annotations

from typing import Any

COLORS = ("#000000", "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
"""Okabe and Ito's, without yellow, which is too light for a line on white."""
LINES: tuple[Any, ...] = ("-", (0, (5, 2)), (0, (5, 1.5, 1, 1.5)), (0, (1, 1)), (0, (5, 1, 1, 1, 1, 1)))
MARKERS = ("o", "s", "^", "D", "v")


def line(k: int, color: int | None = None) -> dict[str, Any]:
    """Dashes of the k-th curve, from 0 on, and its colour, or one of this number; no two of the first 35 share both."""
    return {"color": COLORS[(k if color is None else color) % len(COLORS)], "linestyle": LINES[k % len(LINES)]}


def marked(k: int) -> dict[str, Any]:
    """The same with a small marker; no two of the first 35 share colour and marker."""
    return line(k) | {"marker": MARKERS[k % len(MARKERS)], "markersize": 3, "linewidth": 1}

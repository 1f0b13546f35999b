"""The figures of the paper and of its sharp constants: one short script each, one style sheet, one registry.

A script is a module with `CLAIMS` (ids of the claims it shows), `CAPTION` (one paragraph, LaTeX), `SIZE` (inches)
and `draw(figure)`, which draws into an empty `matplotlib.figure.Figure`. Everything goes through matplotlib's
object interface under the Agg canvas: no pyplot, no global state. matplotlib is imported only when a figure is made.
"""

from __future__ import annotations

import importlib
import os
import textwrap
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SCRIPTS = {
    "fig1": "loss_contour",
    "fig2": "trajectories",
    "k-range": "k_range",
    "sharpness-region": "sharpness_region",
    "decay-bifurcation": "decay_bifurcation",
}
FORMATS = ("pdf", "png", "svg")
STYLE = Path(__file__).parent / "linreg_dyn.mplstyle"

# Without dates the same figure gives the same bytes, whenever it is made.
_UNDATED = {"pdf": {"CreationDate": None, "ModDate": None}, "svg": {"Date": None}, "png": {}}
_DESCRIPTION_KEY = {"pdf": "Subject", "svg": "Description", "png": "Description"}


def script(name: str) -> ModuleType:
    """The module that draws figure `name`; ValueError names the figures there are."""
    if name not in SCRIPTS:
        raise ValueError(f"figure must be one of {', '.join(SCRIPTS)}, got {name!r}")
    return importlib.import_module(f"{__name__}.{SCRIPTS[name]}")


def make(name: str) -> Figure:
    """Figure `name`, drawn in the shared style."""
    module = script(name)
    return drawn(module.draw, module.SIZE)


def drawn(draw: Any, size: tuple[float, float], *args: Any) -> Figure:
    """A new figure of `size` inches with `draw(figure, *args)` applied, in the shared style."""
    from matplotlib import style
    from matplotlib.figure import Figure

    with style.context(STYLE):
        figure = Figure(figsize=size)
        draw(figure, *args)
        figure.draw_without_rendering()  # lays it out while the style still holds
    return figure


def caption(name: str) -> str:
    """The caption of figure `name`, and under it the statement and the place of every claim that it shows."""
    from linreg_dyn.claims import select

    module = script(name)
    lines = [*textwrap.wrap(module.CAPTION, 100, break_long_words=False), ""]
    for claim in select(list(module.CLAIMS)):
        lines.append(f"[{claim.id}] {claim.source.key}, {claim.source.locator} ({claim.kind})")
        lines += textwrap.wrap(claim.statement, 96, initial_indent="    ", subsequent_indent="    ")
    return "\n".join(lines).rstrip() + "\n"


def save(
    figure: Figure, stem: Path, formats: tuple[str, ...] = ("pdf", "png"), description: str = ""
) -> list[Path]:
    """Write `figure` as `stem.<format>` for each format, every file whole or not at all; the paths written."""
    from matplotlib import style

    paths = []
    for kind in formats:
        if kind not in FORMATS:
            raise ValueError(f"format must be one of {', '.join(FORMATS)}, got {kind!r}")
        path = stem.with_name(f"{stem.name}.{kind}")
        temporary = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            with style.context(STYLE):
                metadata = {**_UNDATED[kind], _DESCRIPTION_KEY[kind]: " ".join(description.split())}
                figure.savefig(temporary, format=kind, metadata=metadata)
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
        paths.append(path)
    return paths

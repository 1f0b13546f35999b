"""The figures of the paper and of its sharp constants: one short script each, one style sheet, one registry.

A script is a module with `CLAIMS` (ids of the claims it shows, if any), `CAPTION` (one paragraph, LaTeX), `SIZE`
(inches) and `draw(figure)`, which draws into an empty `matplotlib.figure.Figure`. Everything goes through
matplotlib's object interface: no pyplot, no global state. matplotlib is imported only when a figure is made.
"""

from __future__ import annotations

import importlib
import textwrap
from collections.abc import Callable
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
    "schedules": "schedules",
    "ntk-fixed-points": "ntk_fixed_points",
    "lewkowycz-5a": "lewkowycz_5a",
    "lewkowycz-5b": "lewkowycz_5b",
    "lewkowycz-5c": "lewkowycz_5c",
    "ntk-phase": "ntk_phase",
    "ntk-power-laws": "ntk_power_laws",
}
STYLE = Path(__file__).parent / "linreg_dyn.mplstyle"

# What each format calls its description, and the dates to leave out so that a figure is the same bytes again.
_FORMATS: dict[str, tuple[str, dict[str, Any]]] = {
    "pdf": ("Subject", {"CreationDate": None, "ModDate": None}),
    "png": ("Description", {}),
    "svg": ("Description", {"Date": None}),
}
FORMATS = tuple(_FORMATS)


def script(name: str) -> ModuleType:
    """The module that draws figure `name`; ValueError names the figures there are."""
    if name not in SCRIPTS:
        raise ValueError(f"figure must be one of {', '.join(SCRIPTS)}, got {name!r}")
    return importlib.import_module(f"{__name__}.{SCRIPTS[name]}")


def make(name: str) -> Figure:
    """Figure `name`, drawn in the shared style."""
    module = script(name)
    return drawn(module.draw, module.SIZE)


def drawn(draw: Callable[..., None], size: tuple[float, float], *args: Any) -> Figure:
    """A new figure of `size` inches with `draw(figure, *args)` applied, in the shared style."""
    from matplotlib import style
    from matplotlib.figure import Figure

    with style.context(STYLE):
        figure = Figure(figsize=size)
        draw(figure, *args)
    return figure


def caption(name: str) -> str:
    """The caption of figure `name`, and under it the statement and the place of every claim that it shows."""
    from linreg_dyn.claims import select
    from paper_figures.labels import wrapped

    module = script(name)
    lines = [wrapped(" ".join(module.CAPTION.split()), 100, size=len), ""]
    for claim in select(list(module.CLAIMS)) if module.CLAIMS else ():
        amended = f"; see {claim.amended_by}" if claim.amended_by else ""
        lines.append(f"[{claim.id}] {claim.source.key}, {claim.source.locator} ({claim.kind}{amended})")
        lines.append(textwrap.indent(wrapped(claim.statement, 96, size=len), "    "))
    return "\n".join(lines).rstrip() + "\n"


def check_formats(formats: tuple[str, ...]) -> None:
    """ValueError, naming the formats there are, unless every one of `formats` is among them."""
    for kind in formats:
        if kind not in FORMATS:
            raise ValueError(f"format must be one of {', '.join(FORMATS)}, got {kind!r}")


def save(figure: Figure, stem: Path, formats: tuple[str, ...], description: str = "") -> list[Path]:
    """Write `figure` to `<stem>.<format>` for each format, each file whole or not at all; the paths written.

    `description` goes into the metadata of the file. ValueError for an unknown format, before any is written.
    """
    from matplotlib import style

    from linreg_dyn.files import atomic_file

    check_formats(formats)
    paths = [stem.with_name(f"{stem.name}.{kind}") for kind in formats]
    for kind, path in zip(formats, paths, strict=True):
        key, undated = _FORMATS[kind]
        with atomic_file(path) as temporary, style.context(STYLE):
            figure.savefig(temporary, format=kind, metadata={**undated, key: " ".join(description.split())})
    return paths

"""Tables on the terminal and a file of JSON."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from linreg_dyn.files import canonical_json, write_text
from tests.benchmarks.aims import MINE, Row, Verdict

SPEEDS = ("trajectory-steps/s", "layer-steps/s", "of FMA peak", "ours is", "error")


def _console() -> Console:
    console = Console()
    return console if console.is_terminal else Console(width=120)


def _cells(row: Row, cell: Row, unit: str, mine: float | None) -> list[str]:
    speed = cell[unit]
    layer = f"{cell['layer_steps_per_s']:.3g}" if "layer_steps_per_s" in cell else ""
    peak = f"{cell['fraction_of_peak']:.0%}" if "fraction_of_peak" in cell else ""
    return [f"{speed:.3g}", layer, peak, f"{mine / speed:.2f} x" if mine else "", f"{cell.get('error', 0):.1g}"]


def show(row: Row) -> None:
    """Print one row: a table of its contenders, or a line."""
    console = _console()
    title = " ".join(str(row[key]) for key in ("what", "rule", "depth", "dtype") if key in row)
    if "contenders" not in row:
        rest = {key: value for key, value in row.items() if key not in ("what", "rule", "depth", "dtype")}
        console.print(f"{title}: {_brief(rest)}", markup=False, highlight=False, soft_wrap=True)
        return
    flow = row["what"] == "flow"
    unit = "trajectories_per_s" if flow else "trajectory_steps_per_s"
    cells = row["contenders"]
    mine = cells.get("ours" if flow else MINE, {}).get(unit)
    table = Table(title=title, title_justify="left")
    table.add_column("contender")
    for name in ("trajectories/s", *SPEEDS[1:]) if flow else SPEEDS:
        table.add_column(name, justify="right")
    for name, cell in sorted(cells.items(), key=lambda item: -item[1].get(unit, 0)):
        if unit in cell:
            table.add_row(name, *_cells(row, cell, unit, mine))
    console.print(table)
    for name, cell in cells.items():
        for reason in cell.keys() & {"refused", "not available"}:
            console.print(f"  {name} {reason}: {cell[reason]}", markup=False, highlight=False, soft_wrap=True)


def _brief(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {_brief(part)}" for key, part in value.items())
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def show_verdicts(verdicts: list[Verdict]) -> None:
    """Print the aims beside what was reached."""
    table = Table(title="aims", title_justify="left")
    for name in ("aim", "bound", "worst", "where", ""):
        table.add_column(name)
    for verdict in verdicts:
        worst = "" if verdict.worst is None else f"{verdict.worst:.3g}"
        word = {True: "met", False: "MISSED", None: "not measured"}[verdict.met]
        table.add_row(verdict.aim, f"{verdict.bound:g}", worst, verdict.where, word)
    _console().print(table)


def write(path: Path, settings: dict, machine: dict, peak: dict, rows: list[Row], verdicts: list[Verdict]) -> None:
    """Write everything to `path`, whole or not at all."""
    content = {"settings": settings, "machine": machine, "fma_peak_flops": peak, "rows": rows}
    write_text(path, canonical_json(content | {"aims": [asdict(verdict) for verdict in verdicts]}))

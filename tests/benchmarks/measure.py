"""From cases to rows: each row is plain data, a case with what every contender did, or why it did not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import linreg_dyn as ld
from tests.benchmarks import ours
from tests.benchmarks.cases import NOISELESS, Case, Contender, Unavailable, Wrong, flops, starts, verify
from tests.benchmarks.first_result import first_result
from tests.benchmarks.timing import interleaved

Row = dict[str, Any]
OBSERVED = ("loss", "layer_imbalance", "largest_square", "smallest_square")
FLOW_ERROR = 1e-8
RECORDS = 100


@dataclass(frozen=True)
class Settings:
    """How much is measured: trajectories, steps, rounds, seconds for each contender and case, threads."""

    trajectories: int = 65536
    steps: int = 300
    turns: int = 5
    budget: float = 6.0
    threads: int = 1
    clock: str = "wall"


def reason(error: Exception) -> Row:
    """Why there is no number, in one line: the contender is wrong ("refused"), or something else."""
    kind = "refused" if isinstance(error, Wrong) else "not available"
    first = (str(error).strip().splitlines() or [""])[0]
    return {kind: first if isinstance(error, Unavailable | Wrong) else f"{type(error).__name__}: {first}"}


def training(case: Case, contenders: Sequence[Contender], settings: Settings, peak: float | None) -> Row:
    """Check and time the contenders of a case; `peak` is in floating-point operations a second."""
    cells: dict[str, Row] = {}
    runs: dict[str, Callable] = {}
    steps: dict[str, int] = {}
    parallel: dict[str, bool] = {}
    weights = starts(settings.trajectories, case.depth)
    for contender in contenders:
        if case.rule not in contender.rules:
            continue
        name = contender.name
        try:
            cells[name] = {"error": verify(contender, case)} if name != "ours, 0 steps" else {}
            parallel[name] = contender.parallel
            steps[name] = min(settings.steps, contender.most_steps)
            runs[name] = contender.prepare(case, weights, steps[name])
        except Exception as error:  # whatever a contender dies of, the others are still to be timed
            cells[name] = reason(error)
    times = interleaved(runs, turns=settings.turns, budget=settings.budget)
    for name, timing in times.items():
        cells[name] |= asdict(timing) | {"steps": steps[name], "threads": settings.threads if parallel[name] else 1}
    _derive_engine(cells)
    overhead = cells.pop("ours, 0 steps", {})
    for cell in cells.values():
        if "wall" in cell:
            _speeds(cell, case, settings, peak)
    return {"what": "training", **asdict(case), "overhead_s": overhead.get("wall"), "contenders": cells}


def _derive_engine(cells: dict[str, Row]) -> None:
    """What the steps themselves take: the whole call less the same call with no steps."""
    whole, none = cells.get("ours", {}), cells.get("ours, 0 steps", {})
    if "wall" in whole and "wall" in none:
        less = {key: max(whole[key] - none[key], 1e-9) for key in ("wall", "cpu")}
        cells["ours, engine"] = whole | less


def _speeds(cell: Row, case: Case, settings: Settings, peak: float | None) -> None:
    seconds = cell["wall"] if settings.clock == "wall" else cell["cpu"] / cell["threads"]
    speed = settings.trajectories * cell["steps"] / seconds
    cell["trajectory_steps_per_s"] = speed
    cell["layer_steps_per_s"] = speed * case.depth
    if peak and case.rule in NOISELESS:
        cell["fraction_of_peak"] = speed * flops(case) / peak


def flow(depth: int, settings: Settings) -> Row:
    """The flows of one depth, each contender at the tolerance that reaches `FLOW_ERROR`."""
    from tests.benchmarks import flows  # whose exact solution needs what other rows do not

    cells: dict[str, Row] = {}
    runs: dict[str, Callable] = {}
    for name, prepare in flows.CONTENDERS.items():
        count = flows.SAMPLE if name.startswith("scipy") else max(1024, settings.trajectories // 8)
        try:
            rtol, error = flows.tolerance_for(name, depth, FLOW_ERROR, settings.threads)
            runs[name] = prepare(starts(count, depth, seed=4), rtol, settings.threads)
            runs[name]()  # compiles
            cells[name] = {"rtol": rtol, "error": error, "trajectories": count}
        except Exception as error:  # as above
            cells[name] = reason(error)
    for name, timing in interleaved(runs, turns=settings.turns, budget=settings.budget).items():
        cells[name] |= asdict(timing)
        seconds = timing.wall if settings.clock == "wall" or name.startswith("scipy") else timing.cpu / settings.threads
        cells[name]["trajectories_per_s"] = cells[name]["trajectories"] / seconds
    return {"what": "flow", "depth": depth, "target_error": FLOW_ERROR, "contenders": cells}


def recording(case: Case, steps: int, settings: Settings) -> Row:
    """What 100 records of 4 observables with reductions add to a run."""
    weights, arguments = starts(settings.trajectories, case.depth), {**ours.options(case), "threads": settings.threads}
    reduced: dict[str, Any] = {"every": max(1, steps // RECORDS), "observables": OBSERVED}
    row = {"what": "record", **asdict(case), "steps": steps, "records": RECORDS, "observables": OBSERVED}
    try:
        records = {"without": None, "mean": ld.Record(**reduced, reduce="mean")}
        runs = {
            name: lambda record=record: ld.simulate(weights, ours.method(case), steps=steps, record=record, **arguments)
            for name, record in records.items()
        }
        for run in runs.values():
            run()
    except Exception as error:  # as above
        return row | reason(error)
    times = interleaved(runs, turns=settings.turns, budget=settings.budget)
    seconds = {name: timing.wall if settings.clock == "wall" else timing.cpu for name, timing in times.items()}
    return row | {"seconds": seconds, "added": seconds["mean"] / seconds["without"] - 1}


def compiling(case: Case) -> Row:
    """Time to the first result."""
    try:
        return {"what": "compile", **asdict(case), **first_result(case)}
    except Unavailable as error:
        return {"what": "compile", **asdict(case), **reason(error)}

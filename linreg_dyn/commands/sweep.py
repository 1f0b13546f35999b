"""`linreg-dyn sweep SPEC.toml`: a grid of runs on all cores, or on a cluster, into one Zarr store."""

from __future__ import annotations

import argparse
import math
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from linreg_dyn.sweep.plan import Plan
    from linreg_dyn.sweep.run import Engine, Outcome


PATIENCE = 60


def add_parser(subparsers: Any) -> None:
    """Add the command to the parser of `linreg-dyn`."""
    parser = subparsers.add_parser(
        "sweep",
        help="run a grid of ensembles into one Zarr store, resumably",
        description="Run every point of the grid that SPEC describes (TOML; `python -m pydoc linreg_dyn.sweep.spec` "
        "shows all of it), on the cores of this machine or on a Dask cluster, into one Zarr v3 store for "
        "xarray.open_zarr. The same command again finishes what is missing and computes anew what is damaged.",
        epilog="example: linreg-dyn sweep grid.toml --out runs/grid.zarr; linreg-dyn sweep grid.toml --dry-run",
    )
    add = parser.add_argument
    add("spec", metavar="SPEC", help="the sweep, a TOML file")
    add("--out", metavar="STORE", help="the Zarr store (default: SPEC with .zarr at its end, in this directory)")
    add("--dry-run", action="store_true", help="check SPEC, print the plan with its time and size, and do nothing")
    resume = "go on with a store that is there already (default); --no-resume refuses it"
    add("--resume", action=argparse.BooleanOptionalAction, default=True, help=resume)
    add("--scheduler", metavar="ADDRESS", help="a Dask scheduler, tcp://host:port, instead of this machine's cores")
    add(
        "--workers",
        metavar="N",
        type=int,
        help="processes on this machine (default: cores / threads); 0: none but this",
    )
    add("--threads", metavar="N", type=int, default=1, help="threads of a process, for each chunk (default: 1)")
    patience = f"how long to wait for a --scheduler that is gone (default: {PATIENCE})"
    add("--patience", metavar="SECONDS", type=float, help=patience)
    add("--dashboard", action="store_true", help="serve Dask's dashboard and print its address")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Plan, compute, write and say what was done; exit code 1 if chunks failed (all others are written)."""
    from linreg_dyn.sweep import cluster, plan, spec
    from linreg_dyn.sweep.run import run as sweep

    cluster.check_installed()
    _check_options(args)
    planned = plan.make(spec.load(args.spec))
    out = args.out or f"{Path(args.spec).stem}.zarr"
    workers = min(cluster.local_size(args.workers, args.threads), sum(map(len, planned.groups)))
    if args.dry_run:
        print("\n".join(_description(planned, out, workers, args)))
        return 0
    if args.scheduler is None:
        _check_device(planned)
    with _progress() as (on_progress, say):
        engine = _engine(args, workers, say)
        outcome = sweep(planned, out, engine, threads=args.threads, resume=args.resume, on_progress=on_progress)
    print("\n".join(_summary(outcome, out)))
    return 1 if outcome.missing else 0


def _check_options(args: argparse.Namespace) -> None:
    from linreg_dyn._checks import integer, number
    from linreg_dyn.sweep.cluster import check_address

    integer("--threads", args.threads, least=1, most=4096)
    if args.scheduler is not None:
        check_address("--scheduler", args.scheduler)
    if args.patience is not None:
        number("--patience", args.patience, least=0)
        if args.scheduler is None:
            raise ValueError("--patience is with --scheduler alone; this machine's own cluster is not waited for")
    if args.dashboard and (args.scheduler is not None or args.workers == 0):
        raise ValueError("--dashboard is of this machine's own cluster; with --scheduler or --workers 0 there is none")
    if args.workers is not None:
        integer("--workers", args.workers, least=0, most=4096)
        if args.scheduler is not None:
            raise ValueError(
                "--workers is for this machine's own cluster; with --scheduler the workers are there already"
            )
    if not Path(args.spec).is_file():
        raise ValueError(f"SPEC must be a TOML file, {args.spec} is none")


def _check_device(planned: Plan) -> None:
    """Refuse a GPU that this machine has not, as every chunk would."""
    from linreg_dyn.ensemble import backends

    run = planned.sweep.run
    try:
        backends.chosen(run["backend"], run["trajectories"], max(planned.sweep.values["steps"]))
    except RuntimeError as error:
        raise ValueError(f"run.backend: {error}") from None


def _engine(args: argparse.Namespace, workers: int, say: Callable[[str], None]) -> Engine:
    from linreg_dyn.sweep import cluster
    from linreg_dyn.sweep.run import here

    if args.workers == 0:
        return here
    patience = PATIENCE if args.patience is None else args.patience
    options = {"patience": patience, "dashboard": args.dashboard, "on_event": say}
    return cluster.Dask(scheduler=args.scheduler, workers=workers, **options)


def _description(planned: Plan, out: str, workers: int, args: argparse.Namespace) -> list[str]:
    """The plan, in lines for people."""
    sweep, layout = planned.sweep, planned.layout
    points = " x ".join(f"{len(axis)} {axis.name}" for axis in sweep.axes)
    chunks = sum(map(len, planned.groups))
    cores = max(1, workers) * args.threads  # 0 workers: this process
    free = shutil.disk_usage(next(p for p in Path(out).resolve().parents if p.exists())).free
    where = "divided by the cores of the cluster" if args.scheduler else f"on {cores} core{'s' if cores != 1 else ''}"
    seconds = planned.seconds / (1 if args.scheduler else cores)
    box = " x ".join(str(size) for size in layout.box.values())
    return [
        f"{'points':<14}{math.prod(sweep.shape)} ({points})",
        f"{'trajectories':<14}{sweep.trajectories} at each point, {sweep.trajectories * math.prod(sweep.shape)} in all",
        f"{'chunks':<14}{chunks}, each at most {box} ({', '.join(layout.box)})",
        f"{'time':<14}about {_duration(seconds)} {where}, once the workers have started and compiled",
        f"{'size':<14}{_size(layout.nbytes)} before compression; {_size(free)} are free",
        f"{'store':<14}{out}",
    ]


def _duration(seconds: float) -> str:
    for unit, length in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.1f} {unit}"
    return f"{seconds:.2g} seconds"


def _size(count: float) -> str:
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if count < 1024:
            return f"{count:.4g} {unit}"
        count /= 1024
    return f"{count:.4g} TiB"


def _summary(outcome: Outcome, out: str) -> list[str]:
    damaged = f" ({outcome.damaged} of them damaged on disk)" if outcome.damaged else ""
    chunks = f"{outcome.total} chunk{'s' * (outcome.total != 1)}"
    lines = [f"{chunks}: {outcome.found} found, {outcome.computed} computed{damaged}"]
    for chunk, error in outcome.failures:
        points = ", ".join(f"{path} {values}" for fields in chunk.spec["axes"] for path, values in fields.items())
        why = " ".join(str(error).split()) or type(error).__name__  # a MemoryError has no words
        lines.append(f"FAILED {chunk.name[:12]} at {points:.200}: {why:.300}")
    if outcome.missing:
        lines.append(f"{outcome.missing} chunks are missing in {out}; the same command tries them again")
    else:
        lines.append(f"{out} is complete: xarray.open_zarr({out!r})")
    return lines


@contextmanager
def _progress() -> Iterator[tuple[Callable[[str, int, int], None], Callable[[str], None]]]:
    """A function that moves a progress bar, and one that says a line: both on stderr, the bar on a terminal only."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    console = Console(file=sys.stderr, highlight=False, markup=False)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        tasks: dict[str, Any] = {}

        def on_progress(doing: str, done: int, total: int) -> None:
            if doing not in tasks:
                tasks[doing] = bar.add_task(doing, total=total)
            bar.update(tasks[doing], completed=done)

        yield on_progress, lambda text: console.print(f"linreg-dyn: {text}", soft_wrap=True)

"""`python -m validation list | show | run | next | clean | report`."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

from validation import experiments, fast, own, queue, records
from validation.context import Context, OutOfTime
from validation.core import SCALES, VERDICTS, Experiment, Judgement, Prediction, Spec

COLOURS = {"agrees": "green", "disagrees": "red", "inconclusive": "yellow"}


SCALE = "default: gpu on a CUDA device, otherwise quick; with --from, of an experiment with one scale that one"


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit status: 2 for bad input, 1 for a run that failed."""
    arguments = _parser().parse_args(argv)
    try:
        _settle_folders(arguments)
        return arguments.command(arguments)
    except (ValueError, OSError) as error:
        print(f"validation: {error}", file=sys.stderr)
        return 2
    except OutOfTime:
        print("validation: the minutes are over; the same command goes on from here", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("validation: interrupted; the same command goes on from here", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m validation", description="Real networks against predictions.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    own = argparse.ArgumentParser(add_help=False)
    own.add_argument(
        "--from", dest="own", type=Path, metavar="FILE", help="a Python file's EXPERIMENTS, not the papers'"
    )
    kept = argparse.ArgumentParser(add_help=False)
    kept.add_argument("--records", type=Path, help="where records are kept (default: beside the experiments)")
    work = argparse.ArgumentParser(add_help=False)
    work.add_argument("--work", type=Path, help="where unfinished runs are kept (default: beside the experiments)")
    shared = argparse.ArgumentParser(add_help=False, parents=[own, kept, work])
    shared.add_argument("--scale", choices=SCALES, help=SCALE)
    shared.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N")
    shared.add_argument("--data-dir", type=Path, help="a folder of archives or NAME.npz files")

    add = commands.add_parser("list", parents=[shared], help="every experiment and what its record says")
    add.set_defaults(command=_list)
    add = commands.add_parser("show", parents=[shared], help="one experiment: settings, predictions, record")
    add.add_argument("experiment")
    add.set_defaults(command=_show)
    add = commands.add_parser("run", parents=[shared], help="run experiments, or go on with them")
    add.add_argument("experiment", nargs="*", help="ids, or prefixes of them (default with --from: all)")
    add.add_argument("--minutes", type=float, help="stop then; the same command goes on (default: never)")
    add.set_defaults(command=_run)
    add = commands.add_parser("next", parents=[shared], help="run what is missing, within some minutes")
    add.add_argument("--minutes", type=float, required=True)
    add.set_defaults(command=_next)
    told = "remove unfinished runs, and trainings kept for other experiments"
    add = commands.add_parser("clean", parents=[own, work], help=told)
    add.set_defaults(command=_clean)
    told = "an HTML page of all records, and of what is missing"
    add = commands.add_parser("report", parents=[own, kept], help=told)
    where = "the folder that index.html is written to (default: %(default)s)"
    add.add_argument("--out", type=Path, default=Path("report/validation"), metavar="DIR", help=where)
    add.set_defaults(command=_report)
    return parser


def _settle_folders(arguments: argparse.Namespace) -> None:
    """Those that are not given lie beside the experiments. ValueError, before any work, where one is no folder."""
    for name, ours in (("records", records.FOLDER), ("work", queue.WORK)):
        path = getattr(arguments, name, None) or (arguments.own.parent / ours.name if arguments.own else ours)
        if path.exists() and not path.is_dir():
            raise ValueError(f"--{name} must be a folder, got {path}")
        setattr(arguments, name, path)


def _every(arguments: argparse.Namespace) -> dict[str, Experiment]:
    """The experiments that the command is about, by id."""
    return own.load(arguments.own) if arguments.own else experiments.registry()


def _list(arguments: argparse.Namespace) -> int:
    table = Table(box=None, pad_edge=False)
    for title in ("experiment", "scale", "record", "minutes", "predictions", "source"):
        table.add_column(title, no_wrap=True, justify="right" if title == "minutes" else "left")
    found = _found(arguments.records)
    for experiment in _every(arguments).values():
        for scale in experiment.scales if arguments.scale is None else {arguments.scale} & set(experiment.scales):
            spec = experiment.spec(scale)
            record = found.get(spec.name)
            verdicts = [row["verdict"] for row in record["judgements"]] if record else []
            count = ", ".join(f"{verdicts.count(v)} {v}" for v in VERDICTS if v in verdicts)
            when = record["written"][:10] if record else "missing"
            minutes = f"{record['seconds'] / 60:.1f}" if record else f"about {spec.minutes:.1f}"
            table.add_row(experiment.id, scale, when, minutes, count, experiment.source)
    console = _console()
    console.width = 10_000
    console.width = console.measure(table).maximum  # whole ids, so that they can be copied
    console.print(table)
    return 0


def _show(arguments: argparse.Namespace) -> int:
    chosen = _chosen([arguments.experiment], _every(arguments))
    if len(chosen) > 1:
        raise ValueError(f"experiment must be one experiment, got {', '.join(e.id for e in chosen)}")
    (experiment,) = chosen
    specs = [experiment.spec(scale) for scale in ((arguments.scale,) if arguments.scale else experiment.scales)]
    console, found = _console(), _found(arguments.records)
    console.print(f"[bold]{experiment.id}[/]  {experiment.title}\n{experiment.source}\n{experiment.statement}\n")
    for spec in specs:
        console.print(f"[bold]{spec.scale}[/]  {spec.setting.seeds} seeds  {spec.setting.values}")
        if spec.setting.differs:
            console.print(f"  differs from the paper: {spec.setting.differs}")
        record = found.get(spec.name)
        if record is None:
            for prediction in spec.setting.predictions:
                console.print(f"  {_region(prediction)}: {prediction.says}")
            console.print(f"  no record; about {spec.minutes:.1f} minutes\n")
            continue
        for prediction, judgement in records.judgements(record):
            console.print(f"  {_judged(prediction, judgement)}")
        console.print(f"  {record['seconds']:.0f} s on {record['device']['name']}, {record['written']}\n")
    return 0


def _run(arguments: argparse.Namespace) -> int:
    start = time.monotonic()
    context = _context(arguments)
    if arguments.minutes is not None:
        context = replace(context, deadline=start + 60 * _minutes(arguments))
    scale_of = _scales(arguments, context.device)
    if not (arguments.experiment or arguments.own):
        raise ValueError("experiment: name some, or a file of your own with --from")
    every = _every(arguments)
    names = arguments.experiment or list(every)
    chosen = _chosen(names, every)
    named = [e for e in chosen if scale_of(e) in e.scales or e.id in arguments.experiment]
    if not named:
        raise ValueError(f"experiment: none of {', '.join(names)} has the scale {scale_of(chosen[0])!r}")
    for spec in [e.spec(scale_of(e)) for e in named]:  # all are there before the first is run
        _tell(queue.run(spec, context, folder=arguments.records, work=arguments.work))
    return 0


def _next(arguments: argparse.Namespace) -> int:
    minutes, context, failed = _minutes(arguments), _context(arguments), []

    def on_error(spec: Spec, error: Exception) -> None:
        failed.append(spec)
        print(f"{spec.name} failed: {type(error).__name__}: {error}", file=sys.stderr)

    scale_of = _scales(arguments, context.device)
    written, left = queue.run_next(
        [e.spec(scale_of(e)) for e in _every(arguments).values() if scale_of(e) in e.scales],
        context,
        minutes=minutes,
        folder=arguments.records,
        work=arguments.work,
        on_record=_tell,
        on_error=on_error,
    )
    print(f"{len(written)} records written, {len(left)} missing")
    return 1 if failed else 0


def _minutes(arguments: argparse.Namespace) -> float:
    if not 0 < arguments.minutes < 1e6:
        raise ValueError(f"--minutes must be a positive number, got {arguments.minutes}")
    return arguments.minutes


def _clean(arguments: argparse.Namespace) -> int:
    trainings, unfinished = (size / 1e6 for size in queue.clean(arguments.work))
    print(f"removed {trainings:.1f} MB of trainings and {unfinished:.1f} MB of unfinished runs in {arguments.work}")
    return 0


def _report(arguments: argparse.Namespace) -> int:
    from validation.report import write

    if arguments.out.suffix in (".html", ".htm") or arguments.out.is_file():
        raise ValueError(f"--out must be a folder, in which index.html is written, got {arguments.out}")
    print(write(arguments.out, arguments.records, _every(arguments).values(), own=arguments.own))
    return 0


def _context(arguments: argparse.Namespace) -> Context:
    if arguments.data_dir is not None and not arguments.data_dir.is_dir():
        raise ValueError(f"--data-dir must be a folder, got {arguments.data_dir}")
    return Context(arguments.work, _device(arguments.device), data_dir=arguments.data_dir, say=_say)


def _device(name: str) -> str:
    """The device asked for, or the best there is. ValueError if it is missing."""
    there = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if name == "auto":
        name = "cuda" if there else "cpu"
    try:
        asked = torch.device(name)
    except RuntimeError:
        asked = torch.device("meta")
    if asked.type not in ("cpu", "cuda"):
        raise ValueError(f"--device must be auto, cpu, cuda or cuda:N, got {name!r}")
    if asked.type == "cuda" and (asked.index or 0) >= there:
        raise ValueError(f"--device {name}: CUDA devices that torch finds here: {there or 'none'}")
    if asked.type == "cuda":
        fast.repeatable_products()  # before anything is multiplied
    return name


def _default_scale(device: str) -> str:
    return "gpu" if device.startswith("cuda") else "quick"


def _scales(arguments: argparse.Namespace, device: str) -> Callable[[Experiment], str]:
    """The scale to run an experiment at: the one asked for, the only one of an own experiment, or the device's."""

    def scale_of(experiment: Experiment) -> str:
        if arguments.scale:
            return arguments.scale
        if arguments.own and len(experiment.scales) == 1:
            return next(iter(experiment.scales))
        return _default_scale(device)

    return scale_of


def _chosen(names: Sequence[str], every: dict[str, Experiment]) -> list[Experiment]:
    """Experiments by id or prefix. ValueError for a name that none has."""
    chosen: dict[str, Experiment] = {}
    for name in names:
        found = {name: every[name]} if name in every else {i: e for i, e in every.items() if i.startswith(name)}
        if not found:
            raise ValueError(f"experiment: none has the id or prefix {name!r}; `list` shows them")
        chosen.update(found)
    return list(chosen.values())


def _found(folder: Path) -> dict[str, Any]:
    """Records by name; damaged ones are told and left out."""
    rows, wrong = records.read_all(folder)
    for line in wrong:
        print(f"damaged: {line}", file=sys.stderr)
    return {Path(row["arrays"]["file"]).stem: row for row in rows}


def _tell(path: Path) -> None:
    record, console = records.read(path), _console()
    console.print(f"{path.stem}  {record['seconds']:.1f} s")
    for prediction, judgement in records.judgements(record):
        console.print(f"  {_judged(prediction, judgement)}")


def _judged(prediction: Prediction, judgement: Judgement) -> str:
    colour = COLOURS[judgement.verdict]
    interval = f"{judgement.estimate:.4g} [{judgement.low:.4g}, {judgement.high:.4g}]".replace("[", "\\[")
    return f"[{colour}]{judgement.verdict}[/]  {prediction.says}: {interval}, predicted {_region(prediction)}"


def _region(prediction: Prediction) -> str:
    given = f" where {prediction.presupposes} > 0" if prediction.presupposes else ""
    return f"{prediction.metric} in \\[{prediction.low:.4g}, {prediction.high:.4g}]{given}"


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _console() -> Console:
    return Console(highlight=False, soft_wrap=True)


if __name__ == "__main__":
    sys.exit(main())

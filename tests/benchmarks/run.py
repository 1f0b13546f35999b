"""`python -m tests.benchmarks.run`: every contender side by side on the CPU; a table, and JSON.

What is timed: "ours" is the whole call of `simulate`, from an array of starts to a dataset, compiled before;
"ours, engine" is that less the same call with no steps, and stands beside the others, which find their state
where they want it and leave it there. C knows no divergence; JAX keeps its arrays on the device.
"""

from __future__ import annotations

import argparse
import os
from dataclasses import asdict
from pathlib import Path

from tests.benchmarks.cases import BATCHES, INERT, NOISELESS, NOISY, Case, Contender, Unavailable

WHAT = {"noiseless": NOISELESS, "noise": NOISY, "inertia": INERT, "batch": BATCHES}
OTHERS = ("flow", "record", "compile", "modes", "kernel")
DEPTHS = (2, 3, 4, 8, 16, 32, 64)
FLOW_DEPTHS = (2, 4, 16)
RESULTS = Path(__file__).parent / "results"
DTYPES = ("float64", "float32")
BATCH_STEPS = 10
"""Steps of mini-batches in JAX, which sorts for each trajectory and step, and takes a second or so for these."""


def parser() -> argparse.ArgumentParser:
    """The command line."""
    out = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.run", description="simulate on the CPU, beside others"
    )
    words = (*WHAT, *sum(WHAT.values(), ()), *OTHERS)
    out.add_argument("--what", default=",".join((*WHAT, *OTHERS)), help=f"out of {', '.join(dict.fromkeys(words))}")
    out.add_argument("--depths", default=",".join(map(str, DEPTHS)), help="layers, default %(default)s")
    out.add_argument("--dtypes", default=",".join(DTYPES), help="default %(default)s")
    out.add_argument("--threads", type=int, default=None, help="cores to use, default all")
    out.add_argument("--trajectories", type=int, default=65536)
    out.add_argument("--steps", type=int, default=300)
    out.add_argument("--turns", type=int, default=5, help="rounds, of which the best counts for each contender")
    out.add_argument("--clock", choices=("wall", "cpu"), default="wall", help="cpu: for a machine that others load")
    out.add_argument("--quick", action="store_true", help="fewer trajectories, steps and rounds: a look, no result")
    out.add_argument("--json", type=Path, default=None, help=f"default {RESULTS.name}/cpu.json, or none with --quick")
    return out


def chosen(arguments: argparse.Namespace) -> tuple[list[str], list[int], list[str]]:
    """The rules and other things, depths and dtypes asked for.

    Raises:
        ValueError: one of them is unknown.
    """
    words = [word for part in arguments.what.split(",") for word in WHAT.get(part, (part,))]
    allowed = (*sum(WHAT.values(), ()), *OTHERS)
    for word in words:
        if word not in allowed:
            raise ValueError(f"--what must be out of {', '.join((*WHAT, *allowed))}, got {word!r}")
    depths = [int(word) for word in arguments.depths.split(",") if word.isdigit() and 2 <= int(word) <= 1024]
    if len(depths) < len(arguments.depths.split(",")):
        raise ValueError(f"--depths must be integers from 2 to 1024, separated by commas, got {arguments.depths!r}")
    dtypes = arguments.dtypes.split(",")
    if not set(dtypes) <= set(DTYPES):
        raise ValueError(f"--dtypes must be out of {', '.join(DTYPES)}, got {arguments.dtypes!r}")
    return list(dict.fromkeys(words)), depths, dtypes


def cores(threads: int | None) -> int:
    """Keep this process, and so every contender, on so many cores; how many there are.

    Raises:
        ValueError: there are not so many.
    """
    try:
        mine = sorted(os.sched_getaffinity(0))
    except AttributeError:  # not on this platform
        return threads or os.cpu_count() or 1
    if threads is None:
        return len(mine)
    if not 1 <= threads <= len(mine):
        raise ValueError(f"--threads must be from 1 to {len(mine)}, got {threads}")
    os.sched_setaffinity(0, mine[:threads])
    return threads


def contenders(threads: int, rule: str) -> list[Contender]:
    """Who competes on the CPU."""
    from tests.benchmarks import c_kernels, jax_nets, ours

    steps = BATCH_STEPS if rule in BATCHES else 10**9
    jax = [jax_nets.contender(name, most_steps=steps) for name in jax_nets.FORMS]
    return [ours.contender(threads), ours.overhead(threads), c_kernels.contender(threads), *jax, ours.numpy_contender()]


def main(argv: list[str] | None = None) -> int:
    """Measure, print, write; 1 if a contender computes something else, 2 if the benchmark cannot be run."""
    arguments = parser().parse_args(argv)
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # or C's idle threads would spin in the others' time
    try:
        words, depths, dtypes = chosen(arguments)
        threads = cores(arguments.threads)  # before any library makes its pool of threads
        from tests.benchmarks import aims, c_kernels, machine, measure, ntk_kernels, ntk_modes, report

        c_kernels.compiler()
    except (ValueError, Unavailable) as error:
        print(f"benchmarks: {error}")
        return 2
    sizes = {"trajectories": arguments.trajectories, "steps": arguments.steps, "turns": arguments.turns}
    if arguments.quick:
        sizes = {"trajectories": 16384, "steps": 100, "turns": 3}
    settings = measure.Settings(**sizes, threads=threads, clock=arguments.clock)
    peak = {dtype: c_kernels.peak(dtype, threads) for dtype in dtypes}
    print(
        f"FMA peak, {threads} threads: "
        + ", ".join(f"{name} {value / 1e9:.4g} GFLOP/s" for name, value in peak.items())
    )
    rows: list[measure.Row] = []

    def add(row: measure.Row) -> None:
        rows.append(row)
        report.show(row)

    for rule in (word for word in words if word not in OTHERS):
        for dtype in dtypes:
            for depth in depths:
                add(measure.training(Case(rule, depth, dtype), contenders(threads, rule), settings, peak[dtype]))
    for depth in (depth for depth in FLOW_DEPTHS if "flow" in words and depth in depths):
        add(measure.flow(depth, settings))
    if "record" in words:
        for steps in (settings.steps, 10 * settings.steps):
            add(measure.recording(Case("gd", 4, "float64"), steps, settings))
    for rule in (*NOISELESS, "uniform", *INERT, *BATCHES) if "compile" in words else ():
        for depth in depths:
            add(measure.compiling(Case(rule, depth, "float64")))
    for times in ntk_modes.TIMES if "modes" in words else ():
        add(ntk_modes.measured(times, settings.turns, settings.budget))
    if "kernel" in words:
        add(ntk_kernels.measured(threads, settings.turns, settings.budget, settings.clock))
    verdicts = aims.judge(rows)
    report.show_verdicts(verdicts)
    target = arguments.json or (None if arguments.quick else RESULTS / "cpu.json")
    if target:
        report.write(target, asdict(settings), machine.describe(threads), peak, rows, verdicts)
        print(f"written to {target}")
    refused = [row for row in rows for cell in row.get("contenders", {}).values() if "refused" in cell]
    return 1 if refused else 0


if __name__ == "__main__":
    raise SystemExit(main())

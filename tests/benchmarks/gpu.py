"""`python -m tests.benchmarks.gpu`: `backend="cuda"` beside JAX and torch on the same GPU; a table, and JSON.

What is timed: as in `run.py`, each run until the device is done. "ours" includes the copies to the device and
back; "ours, engine" is that less the same call with no steps. JAX and torch keep their arrays on the device.
"""

from __future__ import annotations

import argparse
import re
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

import linreg_dyn as ld
from tests.benchmarks import aims, jax_nets, machine, measure, ours, report, torch_nets
from tests.benchmarks.cases import Case, starts
from tests.benchmarks.run import DEPTHS, DTYPES, RESULTS
from tests.benchmarks.timing import interleaved

LAYER_STEPS = 400_000
"""Layer-steps of each trajectory: enough that the copies do not drown the steps."""
OTHERS_STEPS = 200
FLOOR_TRAJECTORIES, FLOOR_STEPS = 512, 1000


def device_name() -> str:
    """What the GPU calls itself.

    Raises:
        Exception: there is none, or its libraries are missing; whatever `simulate` and numba say.
    """
    ld.simulate(np.ones((1, 2)), ld.GradientDescent(), steps=1, learning_rate=0.1, backend="cuda")
    from numba import cuda

    name = cuda.get_current_device().name
    return name.decode() if isinstance(name, bytes) else str(name)


def launch_floor(dtype: str, turns: int) -> measure.Row:
    """Seconds of a run so small that only launching it takes time, less those of a run without steps."""
    case = Case("gd", 4, dtype)
    weights = starts(FLOOR_TRAJECTORIES, case.depth)
    runs = {
        "with steps": ours.contender(None, "cuda").prepare(case, weights, FLOOR_STEPS),
        "without": ours.overhead(None, "cuda").prepare(case, weights, 0),
    }
    times = interleaved(runs, turns=10 * turns, budget=10.0)
    seconds = times["with steps"].wall - times["without"].wall
    whole = {"whole_call_s": times["with steps"].wall, "engine_s": seconds}
    return {"what": "floor", **asdict(case), "trajectories": FLOOR_TRAJECTORIES, "steps": FLOOR_STEPS, **whole}


def judge(rows: list[measure.Row]) -> list[aims.Verdict]:
    """The aims for one H200."""

    def speed(rule: str, dtype: str) -> float | None:
        for row in rows:
            if (row["what"], row.get("rule"), row["depth"], row["dtype"]) == ("training", rule, 4, dtype):
                return row["contenders"].get(aims.MINE, {}).get("trajectory_steps_per_s")
        return None

    def verdict(aim: str, bound: float, value: float | None, at_most: bool = False) -> aims.Verdict:
        met = None if value is None else value <= bound if at_most else value >= bound
        return aims.Verdict(aim, bound, value, "depth 4", met)

    out = []
    for dtype, bound in (("float64", 1e12), ("float32", 2e12)):
        plain, noisy = speed("gd", dtype), speed("uniform", dtype)
        out.append(verdict(f"{dtype}: trajectory-steps/s", bound, plain))
        out.append(verdict(f"{dtype}: noise, of that", 0.5, noisy / plain if noisy and plain else None))
    floors = [row["engine_s"] for row in rows if row["what"] == "floor"]
    out.append(verdict("512 trajectories x 1000 steps: seconds", 1e-3, max(floors, default=None), at_most=True))
    return out


def contenders(alone: bool) -> list:
    """Who competes on the GPU: ours, and the others unless it is `alone`."""
    if alone:
        return [ours.contender(None, "cuda"), ours.overhead(None, "cuda")]
    jax = [jax_nets.contender(name, "gpu", OTHERS_STEPS) for name in jax_nets.FORMS]
    torch = [torch_nets.contender(name, "cuda", OTHERS_STEPS) for name in torch_nets.FORMS]
    return [ours.contender(None, "cuda"), ours.overhead(None, "cuda"), *jax, *torch]


def main(argv: list[str] | None = None) -> int:
    """Measure, print, write; 1 if a contender computes something else, 2 without a GPU."""
    out = argparse.ArgumentParser(prog="python -m tests.benchmarks.gpu", description="simulate on a GPU, beside others")
    out.add_argument("--depths", default=",".join(map(str, DEPTHS)), help="layers, default %(default)s")
    out.add_argument("--others", default="4", help="depths at which JAX and torch compete, default %(default)s")
    out.add_argument("--trajectories", type=int, default=2**22)
    out.add_argument("--turns", type=int, default=5)
    out.add_argument("--json", type=Path, default=None, help="default results/DEVICE.json")
    arguments = out.parse_args(argv)
    try:
        name = device_name()
    except Exception as error:  # every library has its own way to say that there is no GPU
        text = (str(error).strip().splitlines() or [type(error).__name__])[0]
        print(f"benchmarks: no GPU to be used: {text}")
        return 2
    print(name)
    settings = measure.Settings(arguments.trajectories, turns=arguments.turns, budget=10.0)
    beside = {int(word) for word in arguments.others.split(",") if word}
    rows: list[measure.Row] = []

    def add(row: measure.Row) -> None:
        rows.append(row)
        report.show(row)

    for rule in ("gd", "uniform"):
        for dtype in DTYPES:
            for depth in map(int, arguments.depths.split(",")):
                own = replace(settings, steps=LAYER_STEPS // depth)
                add(measure.training(Case(rule, depth, dtype), contenders(depth not in beside), own, None))
    for dtype in DTYPES:
        add(launch_floor(dtype, arguments.turns))
    verdicts = judge(rows)
    report.show_verdicts(verdicts)
    target = arguments.json or RESULTS / (re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") + ".json")
    report.write(target, asdict(settings), machine.describe(1) | {"gpu": name}, {}, rows, verdicts)
    print(f"written to {target}")
    refused = [row for row in rows for cell in row.get("contenders", {}).values() if "refused" in cell]
    return 1 if refused else 0


if __name__ == "__main__":
    raise SystemExit(main())

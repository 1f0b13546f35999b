"""`python -m tests.benchmarks.gpu`: `backend="cuda"` beside JAX and torch on the same GPU; a table, and JSON.

What is timed: as in `run.py`, each run until the device is done. "ours" is the whole call of `simulate`, with copies to
the device and back and what is done on the host, which takes longer than the steps; "ours, engine" is the steps alone,
from one moment at which the device has nothing to do to the next. JAX and torch, too, keep their arrays on the device.

What the aims ask of an H200, by the instructions of the compiled loop of depth 4 (four steps and one branch). Its
132 multiprocessors start 4 x 32 of any kind a cycle, 128 in float32 or 64 in float64 among them; at 1.98 GHz that
is 33.5e12 a second of any kind, 16.7e12 of float64.

- float64: 41 fused multiply-adds and 4 sums for four steps, 11.25 a step; divergence is watched for by integers,
  beside them. 1e12 steps/s take 67 % of what there is, 1.49e12 would be all of it.
- float32: 53 instructions, 13.25 a step. 2e12 steps/s take 79 %; all of it is 2.53e12.
- noise, half of these speeds: in float64 61 of that kind, 15.25 a step, 46 % for 0.5e12. In float32 125
  instructions (Philox takes 41, making numbers of words and using them the rest), 31.25 a step: 1e12 steps/s would
  take 93 %, more than ten rounds for four words are likely to leave.
- 512 trajectories x 1000 steps wait for one another: 6 operations of some 8 cycles a step, 0.03 ms, and launches.
"""

from __future__ import annotations

import argparse
import os
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

import linreg_dyn as ld
from linreg_dyn.ensemble import _cuda, backends, discrete
from linreg_dyn.ensemble.engine import Engine
from linreg_dyn.ensemble.plan import Plan
from linreg_dyn.problem import Array
from tests.benchmarks import aims, jax_nets, machine, measure, ours, report, torch_nets
from tests.benchmarks.cases import Case, Contender, Unavailable, starts
from tests.benchmarks.run import DEPTHS, DTYPES, RESULTS
from tests.benchmarks.timing import interleaved

BACKEND = "cuda"
WORK = 2**22 * 400_000
"""Layer-steps of a run, a fraction of a second: a launch takes some hundredths of a millisecond."""
LAYERS = 2**24
"""Layers of all trajectories together at most: more would only take longer to copy."""
OTHERS_STEPS = 200
FLOOR_TRAJECTORIES, FLOOR_STEPS = 512, 1000
RULES = ("gd", "uniform")
AIMED = 4
"""The depth of the aims."""


def device_name() -> str:
    """What the GPU calls itself.

    Raises:
        Exception: there is none, or its libraries are missing; whatever `simulate` and numba say.
    """
    ld.simulate(np.ones((1, 2)), ld.GradientDescent(), steps=1, learning_rate=0.1, backend=BACKEND)
    return _cuda.cuda_available()[1]


class Steps:
    """`run()` of a contender: the steps of an ensemble that is on the device already, from its starts."""

    def __init__(self, plan: Plan, weights: Array, steps: int):
        self.plan, self.weights, self.steps = plan, weights, steps
        self.engine: Engine
        self.reset()

    def reset(self) -> None:
        """Bring the starts to the device, and wait until it has them."""
        self.engine = backends.engine(BACKEND, self.plan, self.weights, None, 1)
        wait()

    def __call__(self) -> Engine:
        self.engine.advance(0, self.steps)
        wait()
        return self.engine


def wait() -> None:
    """Until the device is done."""
    if BACKEND == "cuda":
        from linreg_dyn.ensemble._cuda_target import cuda

        cuda.synchronize()


def engine() -> Contender:
    """Ours without `simulate` about it: the steps alone."""

    def prepare(case: Case, weights: Array, steps: int) -> Steps:
        given: dict = {"weight_decay": 0.0, "momentum": 0.0, "nesterov": False} | ours.options(case)
        plan = discrete._plan(weights, ours.method(case), steps, first_trajectory=0, **given)
        Steps(plan, weights[:1024], 1)()  # compiles
        return Steps(plan, weights, steps)

    return Contender(aims.MINE, prepare, lambda ran: ran.fetch()[0].astype(np.float64), ours.draws)


def launch_floor(dtype: str, turns: int) -> measure.Row:
    """Seconds of a run so small that only launching it takes time: of its steps, and of the whole call."""
    case = Case("gd", 4, dtype)
    weights = starts(FLOOR_TRAJECTORIES, case.depth)
    who = {"engine_s": engine(), "whole_call_s": ours.contender(None, BACKEND)}
    runs = {name: contender.prepare(case, weights, FLOOR_STEPS) for name, contender in who.items()}
    seconds = {name: timing.wall for name, timing in interleaved(runs, turns=10 * turns, budget=10.0).items()}
    return {"what": "floor", **asdict(case), "trajectories": FLOOR_TRAJECTORIES, "steps": FLOOR_STEPS, **seconds}


def judge(rows: list[measure.Row]) -> list[aims.Verdict]:
    """The aims for one H200, each by the first row about it: what comes later was measured for other ends."""

    def speed(rule: str, dtype: str) -> float | None:
        asked = ("training", rule, AIMED, dtype)
        mine = (
            row["contenders"].get(aims.MINE, {})
            for row in rows
            if (row["what"], row.get("rule"), row["depth"], row["dtype"]) == asked and "contenders" in row
        )
        return next(mine, {}).get("trajectory_steps_per_s")

    def verdict(aim: str, bound: float, value: float | None, at_most: bool = False) -> aims.Verdict:
        met = None if value is None else value <= bound if at_most else value >= bound
        return aims.Verdict(aim, bound, value, "depth 4", met)

    out = []
    for dtype, bound in (("float64", 1e12), ("float32", 2e12)):
        plain, noisy = speed("gd", dtype), speed("uniform", dtype)
        out.append(verdict(f"{dtype}: trajectory-steps/s", bound, plain))
        out.append(verdict(f"{dtype}: noise, of that", 0.5, noisy / plain if noisy and plain else None))
    floors = [row["engine_s"] for row in rows if row["what"] == "floor" and "engine_s" in row]
    out.append(verdict("512 trajectories x 1000 steps: seconds", 1e-3, max(floors, default=None), at_most=True))
    return out


def in_time(contender: Contender, until: float) -> Contender:
    """The contender, who does not begin to compile after the time `until` of `time.monotonic`."""

    def prepare(case: Case, weights: np.ndarray, steps: int) -> Callable:
        if time.monotonic() > until:
            raise Unavailable("no time was left for it")
        return contender.prepare(case, weights, steps)

    return replace(contender, prepare=prepare)


def others(until: float) -> list[Contender]:
    """Who competes with ours on the GPU."""
    jax = [jax_nets.contender(name, "gpu", OTHERS_STEPS) for name in jax_nets.FORMS]
    torch = [torch_nets.contender(name, "cuda", OTHERS_STEPS) for name in torch_nets.FORMS]
    return [in_time(other, until) for other in (*jax, *torch)]


def sized(depth: int, settings: measure.Settings) -> measure.Settings:
    """The settings for a depth: its trajectories and steps."""
    trajectories = min(settings.trajectories, LAYERS // depth)
    return replace(settings, trajectories=trajectories, steps=max(1, WORK // (trajectories * depth)))


Part = tuple[measure.Row, Callable[[], measure.Row]]
"""What a row is about, and what makes it."""


def parts(depths: list[int], beside: list[int], settings: measure.Settings, until: float) -> Iterator[Part]:
    """What is measured, what the aims need first: ours alone, the floor, ours beside others, then other depths."""

    def training(rule: str, dtype: str, depth: int, *more: Contender) -> Part:
        case = Case(rule, depth, dtype)
        run = lambda: measure.training(case, [engine(), *more], sized(depth, settings), None)  # noqa: E731
        return {"what": "training", **asdict(case)}, run

    def every(depth: int, *more: Contender) -> Iterator[Part]:
        return (training(rule, dtype, depth, *more) for rule in RULES for dtype in DTYPES)

    if AIMED in depths:
        yield from every(AIMED, ours.contender(None, BACKEND))
    for dtype in DTYPES:
        yield {"what": "floor", **asdict(Case("gd", AIMED, dtype))}, lambda d=dtype: launch_floor(d, settings.turns)
    for depth in beside:
        yield from every(depth, *others(until))
    for depth in depths:
        if depth != AIMED:
            yield from every(depth)


def parser() -> argparse.ArgumentParser:
    """The command line."""
    out = argparse.ArgumentParser(prog="python -m tests.benchmarks.gpu", description="simulate on a GPU, beside others")
    out.add_argument("--depths", default=",".join(map(str, DEPTHS)), help="layers, default %(default)s")
    out.add_argument("--others", default=str(AIMED), help="depths at which JAX and torch compete, default %(default)s")
    out.add_argument("--trajectories", type=int, default=2**22)
    out.add_argument("--turns", type=int, default=5)
    out.add_argument("--minutes", type=float, default=3.8, help="after which nothing new begins, default %(default)s")
    out.add_argument("--json", type=Path, default=None, help="default results/gpu-DEVICE.json")
    return out


def main(argv: list[str] | None = None) -> int:
    """Measure, print, write after each part; 1 if a contender computes something else, 2 without a GPU."""
    arguments = parser().parse_args(argv)
    until = time.monotonic() + 60 * arguments.minutes
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")  # JAX would take most of the device's memory
    try:
        name = device_name()
    except Exception as error:  # every library has its own way to say that there is no GPU
        text = (str(error).strip().splitlines() or [type(error).__name__])[0]
        print(f"benchmarks: no GPU to be used: {text}")
        return 2
    print(name, flush=True)
    settings = measure.Settings(arguments.trajectories, turns=arguments.turns, budget=5.0)
    target = arguments.json or RESULTS / f"gpu-{re.sub(r'[^a-z0-9]+', '-', name.lower()).strip('-')}.json"
    depths, beside = ([int(word) for word in text.split(",") if word] for text in (arguments.depths, arguments.others))
    rows: list[measure.Row] = []
    for what, make in parts(depths, beside, settings, until):
        try:
            if time.monotonic() > until:
                raise Unavailable("no time was left for it")
            row = make()
        except Exception as error:  # what is measured already stays
            row = what | measure.reason(error)
        rows.append(row)
        report.show(row)
        report.write(target, asdict(settings), machine.describe(1) | {"gpu": name}, {}, rows, judge(rows))
    report.show_verdicts(judge(rows))
    print(f"written to {target}")
    cells = [cell for row in rows for cell in (row, *row.get("contenders", {}).values())]
    return 1 if any("refused" in cell for cell in cells) else 0


if __name__ == "__main__":
    raise SystemExit(main())

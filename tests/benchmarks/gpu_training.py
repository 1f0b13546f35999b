"""`python -m tests.benchmarks.gpu_training`: training networks on a GPU beside a plain loop; a table, and JSON.

All train on made-up images of CIFAR's shape and number, which lie on the device before the clock starts; each run is
timed until the device is done.

- "ours": `validation.train.Trainer` in bf16, channels last, steps as CUDA graphs, with flips and crops, drawn anew
  every epoch; "ours, compiled": the same with `torch.compile`, whose time to compile is told apart.
- "plain": what one would write down: eager, channels first, float32 as torch has it by default (convolutions in TF32,
  dense products not), `torch.optim.SGD`; no augmentation, no data loader, no look at the loss. It does less.

The fraction of the peak counts 6 operations an image for every multiply-add of the layers' forward pass (two for the
outputs, two for the gradients of the weights, two for those of the inputs), over what a large product of random bf16
matrices reaches on the same device. The sweep is `validation.members.sweep` in float32; "one after another" is
`Trainer` with captured steps, so that both are rid of the host, and set-up is left out of both.
"""

from __future__ import annotations

import argparse
import gc
import re
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tests.benchmarks import aims, machine, measure, report
from tests.benchmarks.cases import Unavailable
from tests.benchmarks.run import RESULTS
from tests.benchmarks.training_loops import CONTENDERS, Advance, Net, dataset, multiply_adds, network

NETS = (
    Net("ResNet-18", "resnet", aim=0.35),
    Net("WRN-28-10", "wide_resnet", batch=512, aim=0.45, compiling=90.0),
    Net("VGG-16", "vgg"),
)


@dataclass(frozen=True)
class Sizes:
    """How much is done: images; seconds and rounds of a timing; side of the peak's matrices; numbers of the sweep."""

    images: int = 50_000
    seconds: float = 1.5
    rounds: int = 3
    matrix: int = 8192
    members: int = 128
    width: int = 64
    sweep_batch: int = 128
    sweep_steps: int = 2000


def device_name(device: str) -> str:
    """What the device calls itself.

    Raises:
        Unavailable: there is none.
    """
    import torch

    if device == "cpu":
        return "CPU"
    if not torch.cuda.is_available():
        raise Unavailable("torch sees no CUDA device")
    return torch.cuda.get_device_name()


def wait(device: str) -> None:
    """Until the device is done."""
    import torch

    if device != "cpu":
        torch.cuda.synchronize()


def seconds_of(run: Callable[[], object], device: str) -> float:
    """How long a run takes, until the device is done."""
    wait(device)
    start = time.perf_counter()
    run()
    wait(device)
    return time.perf_counter() - start


def peak(device: str, sizes: Sizes) -> float:
    """Operations a second of a product of random bf16 matrices, the median of some rounds of ten."""
    import torch

    a, b = (torch.randn(sizes.matrix, sizes.matrix, device=device).bfloat16() for _ in range(2))
    run = lambda: [torch.mm(a, b) for _ in range(10)]  # noqa: E731
    run()
    return 10 * 2 * sizes.matrix**3 / statistics.median(seconds_of(run, device) for _ in range(5))


def training(net: Net, contender: str, data: Any, device: str, sizes: Sizes, most: float | None) -> measure.Row:
    """Images a second of a contender; `most` is the peak, if there is one."""
    import torch

    advance = CONTENDERS[contender](net, data, device)
    first = seconds_of(lambda: advance(2), device)  # captures and compiles
    each = seconds_of(lambda: advance(2), device) / 2
    steps = max(2, min(1000, round(sizes.seconds / each)))
    losses, taken = [], []
    for _ in range(sizes.rounds):
        taken.append(seconds_of(lambda: losses.append(advance(steps)), device) / steps)
    if not torch.isfinite(torch.cat(losses)).all():
        return {"refused": "a loss is not finite"}
    flops = 6 * multiply_adds(network(net), (3, 32, 32))
    speeds = sorted(net.batch / seconds for seconds in taken)
    middle = statistics.median(speeds)
    return {
        "images_per_s": middle,
        "slowest": speeds[0],
        "fastest": speeds[-1],
        **({"fraction_of_peak": middle * flops / most} if most else {}),
        "flops_per_image": flops,
        "steps": steps,
        "first_steps_s": first,
        "compiled": _compiled(advance),
    }


def _compiled(advance: Advance) -> bool:
    """Whether the compiler's network is the one in use, after it may have failed."""
    trainer = getattr(advance, "__self__", None)
    return trainer is not None and trainer._network is not trainer.model


def sweeping(device: str, sizes: Sizes) -> measure.Row:
    """Seconds a step: of all members at once, and of one of them times their number."""
    import torch

    from validation.members import sweep
    from validation.models import build
    from validation.train import Recipe, Trainer

    data = dataset(8 * sizes.sweep_batch, 28, 1)
    count = sizes.members
    rates, strengths = np.geomspace(1e-3, 1e-1, count), np.geomspace(1e-2, 1e-5, count)

    def model() -> Any:
        torch.manual_seed(0)
        return build("fc", channels=1, side=28, classes=10, width=sizes.width)

    def together(steps: int) -> float:
        kwargs = {"learning_rates": rates, "l2": strengths, "steps": [steps] * count, "measure_at": ()}
        run = lambda: sweep(model(), data, batch_size=sizes.sweep_batch, device=device, **kwargs)  # noqa: E731
        return seconds_of(run, device)

    short, steps = max(1, sizes.sweep_steps // 10), sizes.sweep_steps
    together(2)
    at_once = (together(short + steps) - together(short)) / steps
    alone = Trainer(model(), data, Recipe(10**6, sizes.sweep_batch, 0.01, 1e-4), device)
    alone.chunk(short)
    single = statistics.median(seconds_of(lambda: alone.chunk(steps), device) for _ in range(3)) / steps
    return {
        "members": count,
        "step_of_all_s": at_once,
        "step_of_one_s": single,
        "times_one_after_another": count * single / at_once,
    }


def judge(rows: list[measure.Row]) -> list[aims.Verdict]:
    """The aims for one H200."""

    def speed(net: Net, key: str, *contenders: str) -> float | None:
        found = [
            row[key] for row in rows if row.get("net") == net.name and row["contender"] in contenders and key in row
        ]
        return max(found, default=None)

    def verdict(aim: str, bound: float, value: float | None, where: str) -> aims.Verdict:
        return aims.Verdict(aim, bound, value, where, None if value is None else value >= bound)

    out, mine = [], ("ours", "ours, compiled")
    for net in NETS:
        where = f"batch {net.batch}"
        if net.aim is not None:
            aim = f"{net.name}: of the bf16 matrix peak"
            out.append(verdict(aim, net.aim, speed(net, "fraction_of_peak", *mine), where))
        fast, slow = speed(net, "images_per_s", *mine), speed(net, "images_per_s", "plain")
        out.append(verdict(f"{net.name}: times the plain loop", 3, fast / slow if fast and slow else None, where))
    swept = next((row for row in rows if "times_one_after_another" in row), None)
    value, where = (swept["times_one_after_another"], f"{swept['members']} members") if swept else (None, "FC nets")
    out.append(verdict("a sweep: times one after another", 20, value, where))
    return out


Part = tuple[measure.Row, float, Callable[[], measure.Row]]
"""What a row is about, seconds that must be left, and what makes it."""


def parts(device: str, sizes: Sizes) -> Iterator[Part]:
    """What is measured, in its order: what takes a compiler comes last."""
    found: dict[str, float] = {}

    def first() -> measure.Row:
        found["peak"] = peak(device, sizes)
        return {"flops_per_s": found["peak"]}

    yield {"what": "bf16 matrix peak"}, 5.0, first
    data = dataset(sizes.images)
    for names in (("ours", "plain"), ("sweep",), ("ours, compiled",)):
        if names == ("sweep",):
            yield {"what": "sweep"}, 15.0, lambda: sweeping(device, sizes)
            continue
        for net in NETS:
            for name in names:
                what = {"what": "training", "net": net.name, "contender": name, "batch": net.batch}
                left = net.compiling if "compiled" in name else 15.0
                yield (
                    what,
                    left,
                    lambda net=net, name=name: training(net, name, data, device, sizes, found.get("peak")),
                )


def parser() -> argparse.ArgumentParser:
    """The command line."""
    out = argparse.ArgumentParser(prog="python -m tests.benchmarks.gpu_training", description="networks on a GPU")
    out.add_argument("--device", choices=("cuda", "cpu"), default="cuda", help="cpu: to see that it runs")
    out.add_argument("--minutes", type=float, default=3.5, help="in which it ends, default %(default)s")
    out.add_argument("--json", type=Path, default=None, help="default results/gpu-training-DEVICE.json")
    return out


def main(argv: list[str] | None = None, sizes: Sizes | None = None) -> int:
    """Measure, print, write after each part; 1 if a contender's losses are not finite, 2 without a GPU."""
    arguments = parser().parse_args(argv)
    until, sizes = time.monotonic() + 60 * arguments.minutes, sizes or Sizes()
    try:
        name = device_name(arguments.device)
    except (ImportError, Unavailable) as error:
        print(f"benchmarks: no GPU to be used: {error}")
        return 2
    print(name, flush=True)
    slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    target = arguments.json or RESULTS / f"gpu-training-{slug}.json"
    rows: list[measure.Row] = []
    for what, left, make in parts(arguments.device, sizes):
        try:
            if time.monotonic() + left > until:
                raise Unavailable("no time was left for it")
            row = what | make()
        except Exception as error:  # what is measured already stays
            row = what | measure.reason(error)
        rows.append(row)
        report.show(row)
        report.write(target, asdict(sizes), machine.describe(1) | {"gpu": name}, {}, rows, judge(rows))
        _free(arguments.device)
    report.show_verdicts(judge(rows))
    print(f"written to {target}")
    return 1 if any("refused" in row for row in rows) else 0


def _free(device: str) -> None:
    """Give back the memory of what was measured."""
    gc.collect()
    if device != "cpu":
        import torch

        torch.cuda.empty_cache()


if __name__ == "__main__":
    raise SystemExit(main())

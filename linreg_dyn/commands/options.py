"""What `simulate` and `phase` share: the options of a training run, and what they mean."""

from __future__ import annotations

import argparse
import json
import math
import re
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from linreg_dyn.ensemble.methods import Distribution, Method
    from linreg_dyn.regression import Regression

METHODS = {
    "gd": "gradient descent",
    "wd": "gradient descent with weight decay (--decay)",
    "noise": "inputs multiplied by 1 + eta at every step (--noise)",
    "sgd-noise": "eta added to the residual at every step (--noise)",
    "sgd": "real mini-batches drawn without replacement (--batch)",
}
# Which options each method needs, and may have; any other is refused, so that nothing given is ignored.
NEEDS = {"gd": (), "wd": ("decay",), "noise": ("noise",), "sgd-noise": ("noise",), "sgd": ("batch",)}
ALSO = {
    "gd": (),
    "wd": (),
    "noise": ("decay", "distribution"),
    "sgd-noise": ("decay", "distribution"),
    "sgd": ("decay",),
}
SCHEDULE = 'a number, a .toml or .json file, or a table such as {type = "Cosine", start = 0.1, steps = 500}'
SCHEDULES = (
    "Schedules: --lr, --decay and --noise take a number, or a table with a type (Cosine, CosineRestarts, Steps, "
    "Window, ...) and its fields: in a .toml or .json file, or itself in quotes, as TOML or JSON. `pydoc "
    "linreg_dyn.schedules` has them all, and linreg_dyn.schedules.to_spec makes a table of a schedule."
)


def add_options(parser: argparse.ArgumentParser, *, steps: int, rate: str) -> None:
    """Add the options of a training run; `steps` and `rate` are the defaults (the rate's is said, and left None)."""
    accept_negative_numbers(parser)
    add = parser.add_argument
    methods = "; ".join(f"{name}: {text}" for name, text in METHODS.items())
    add("--method", metavar="METHOD", choices=METHODS, default="gd", help=f"{methods} (default: %(default)s)")
    lr = f"learning rate: a number, adaptive:C for C / sum(1/w_i^2) at every step, or a schedule (default: {rate})"
    add("--lr", metavar="RATE", help=lr)
    add("--steps", metavar="N", type=whole, default=steps, help="training steps (default: %(default)s)")
    decay = "weight decay mu in L + mu * sum w_i^2: a number, a schedule or an AutoL2 table; method wd needs it"
    add("--decay", metavar="MU", help=decay)
    noise = "half width of eta, a number or a schedule: |eta| <= HALF_WIDTH, at most 1 for --method noise"
    add("--noise", metavar="HALF_WIDTH", help=noise)
    distribution = (
        "eta is uniform (default), rademacher (plus or minus HALF_WIDTH), or gaussian:SIGMAS, cut off at so many "
        "standard deviations, which are HALF_WIDTH"
    )
    add("--distribution", metavar="NAME", help=distribution)
    add("--batch", metavar="B", type=whole, help="samples in a mini-batch")
    momentum = "heavy-ball momentum in [0, 1), as torch.optim.SGD has it (default: 0)"
    add("--momentum", metavar="BETA", type=float, default=0.0, help=momentum)
    add("--nesterov", action="store_true", help="look ahead by one more momentum step")
    add("--seed", metavar="S", type=whole, default=0, help="seed of everything random (default: 0)")
    data = "CSV file with a header line, or a .csv.gz (default: diabetes data of scikit-learn)"
    add("--data", metavar="FILE", help=data)
    add("--x", metavar="COL", help="column of the inputs")
    add("--y", metavar="COL", help="column of the targets")
    add("--decimal", choices=(".", ","), help="mark of decimals in --data (default: .)")
    drop = "leave out rows of --data where one of the two columns has no value"
    add("--drop-missing", action="store_const", const=True, help=drop)
    backend = "where to compute; auto: on the GPU if there is one and enough to do (default: %(default)s)"
    add("--backend", choices=("auto", "cpu", "cuda"), default="auto", help=backend)
    add("--dtype", choices=("float64", "float32"), default="float64", help="of the weights (default: %(default)s)")
    add("--threads", metavar="N", type=whole, help="threads on the CPU (default: all cores)")


def accept_negative_numbers(parser: argparse.ArgumentParser) -> None:
    """Let -1e-3 be a value: argparse takes it for an option, knowing negative numbers without an exponent only."""
    parser._negative_number_matcher = re.compile(r"^-(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?$")


def whole(text: str) -> int:
    """A whole number as people type it: 1000, 1_000 or 1e3."""
    try:
        return int(text)
    except ValueError:
        pass
    try:
        number = float(text)
    except ValueError:
        number = 0.5
    if not number.is_integer():
        raise argparse.ArgumentTypeError(f"expected a whole number, got {text!r}")
    return int(number)


def check(args: argparse.Namespace) -> None:
    """ValueError unless the options fit the method, and the backend is there."""
    from linreg_dyn.ensemble import backends

    for option in ("decay", "noise", "distribution", "batch"):
        given = getattr(args, option) is not None
        if option in NEEDS[args.method] and not given:
            raise ValueError(f"--method {args.method} needs --{option}")
        if given and option not in NEEDS[args.method] + ALSO[args.method]:
            users = ", ".join(name for name in METHODS if option in NEEDS[name] + ALSO[name])
            raise ValueError(f"--{option} is not used by --method {args.method}, only by {users}")
    if args.steps < 1:
        raise ValueError(f"--steps must be at least 1, got {args.steps}")
    try:
        backends.chosen(args.backend, 1, args.steps)
    except RuntimeError as error:  # a device or a library is missing
        raise ValueError(str(error)) from None


def training(args: argparse.Namespace, rate: str) -> dict[str, Any]:
    """The arguments of `simulate` that the options stand for, `rate` where no --lr is given."""
    return {
        "steps": args.steps,
        "learning_rate": schedule("--lr", args.lr or rate, args.steps),
        "weight_decay": 0.0 if args.decay is None else schedule("--decay", args.decay, args.steps, zero=True),
        "momentum": args.momentum,
        "nesterov": args.nesterov,
        "seed": args.seed,
        "backend": args.backend,
        "dtype": args.dtype,
        "threads": args.threads,
    }


def schedule(option: str, text: str, steps: int, **bounds: Any) -> Any:
    """What an option says: a number, or a schedule (AutoL2 too, for --decay) that a run of `steps` can use.

    `bounds` are those of `schedules.as_schedule`. ValueError or TypeError, in one line, for anything else.
    """
    from linreg_dyn.schedules import AutoL2, Constant, as_schedule, from_spec

    found = from_spec(_spec(option, text), option)
    if isinstance(found, AutoL2) and option == "--decay":
        return found
    found = as_schedule(found.value if isinstance(found, Constant) else found, option, steps=steps, **bounds)
    if found.follows_weights and option != "--lr":
        raise ValueError(f"{option} must be a number or a schedule of time alone, got {found!r}")
    return found.value if isinstance(found, Constant) else found


def _spec(option: str, text: str) -> Any:
    """A schedule as data, out of the text of an option."""
    kind, colon, value = text.rpartition(":")
    path = Path(text)
    if text.lstrip().startswith("{"):
        load = json.loads if re.match(r'\s*\{\s*"[^"]*"\s*:', text) else _inline_table
        return _parsed(f"{option} {text!r:.80}", " ".join(text.split()), load)
    if path.suffix in (".toml", ".json"):
        if not path.is_file():
            raise ValueError(f"{option} must be {SCHEDULE}; there is no file {text}")
        load = tomllib.loads if path.suffix == ".toml" else json.loads
        return _parsed(f"{option}: {text}", path.read_bytes(), load)
    try:
        adaptive = option == "--lr" and (kind, colon) == ("adaptive", ":")
        return {"type": "Adaptive", "c": float(value)} if adaptive else float(text)
    except ValueError:
        also = "adaptive:C, " if option == "--lr" else ""
        raise ValueError(
            f"{option} must be {SCHEDULE.replace('a number, ', 'a number, ' + also)}, got {text!r}"
        ) from None


def _parsed(name: str, content: str | bytes, load: Callable[[str], Any]) -> Any:
    try:
        return load(content if isinstance(content, str) else content.decode())
    except (ValueError, RecursionError) as error:  # what tomllib, json and decode all raise; nested too deeply
        raise ValueError(f"{name} is not {'JSON' if load is json.loads else 'TOML'}: {error}") from None


def _inline_table(text: str) -> Any:
    try:
        return tomllib.loads(f"x = {text}")["x"]
    except tomllib.TOMLDecodeError as error:
        raise ValueError(str(error).partition(" (at ")[0]) from None  # a place in another text


def data(args: argparse.Namespace) -> tuple[Regression, str, tuple[str, str]]:
    """The data normalised, where they come from, and the names of both columns."""
    from linreg_dyn.regression import diabetes, normalize, read_csv

    if args.data is None:
        if args.x is not None or args.y is not None:
            raise ValueError("--x and --y name columns of --data, which is not given")
        if args.decimal or args.drop_missing:
            raise ValueError("--decimal and --drop-missing say how to read --data, which is not given")
        names = ("bmi", "progression")
        return normalize(*diabetes(), names=names), "diabetes data of scikit-learn", names
    if args.x is None or args.y is None:
        raise ValueError("--data needs --x and --y, the names of two of its columns")
    names = (args.x, args.y)
    if not Path(args.data).is_file():
        raise ValueError(f"--data must be a CSV file, {args.data} is none")
    x, y = read_csv(args.data, *names, decimal=args.decimal or ".", missing=bool(args.drop_missing))
    there = (x == x) & (y == y)  # numbers, not NaN
    left_out = there.size - there.sum()
    rows = "1 row" if left_out == 1 else f"{left_out} rows"
    source = f"{args.data} ({rows} without a value left out)" if left_out else args.data
    return normalize(x[there], y[there], names=names), source, names


def method(args: argparse.Namespace, regression: Regression | None) -> Method:
    """The method with what the options say of its noise, or of its mini-batches out of `regression`."""
    from linreg_dyn import ensemble

    if args.method in ("noise", "sgd-noise"):
        augmented = args.method == "noise"
        half_width = schedule("--noise", args.noise, args.steps, zero=True, most=1 if augmented else None)
        kind = ensemble.NoiseAugmentation if augmented else ensemble.SGDNoise
        return kind(half_width, _distribution(args.distribution or "uniform"))
    if args.method == "sgd":
        assert regression is not None
        rows = regression.x.size
        if not 1 <= args.batch <= rows:
            raise ValueError(f"--batch must be from 1 to the {rows} rows of the data, got {args.batch}")
        return ensemble.MiniBatch(regression.data, batch_size=args.batch)
    return ensemble.GradientDescent()


def _distribution(text: str) -> Distribution:
    from linreg_dyn.ensemble import TruncatedGaussian
    from linreg_dyn.ensemble.methods import DISTRIBUTIONS

    if text in DISTRIBUTIONS:
        return text
    kind, _, value = text.partition(":")
    try:
        sigmas = float(value)
    except ValueError:
        sigmas = math.nan
    if kind != "gaussian" or not 0 < sigmas <= 5:
        raise ValueError(f"--distribution must be {', '.join(DISTRIBUTIONS)}, or gaussian:SIGMAS up to 5, got {text!r}")
    return TruncatedGaussian(sigmas)


@contextmanager
def progress(name: str) -> Iterator[Callable[[float], None] | None]:
    """A function to tell the finished fraction, which moves a bar on stderr; None where that is no terminal."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    if not console.is_terminal:
        yield None
        return
    with Progress(console=console, transient=True) as bar:
        task = bar.add_task(name, total=1.0)
        yield lambda fraction: bar.update(task, completed=fraction)

"""`linreg-dyn simulate`: train deep linear nets on the user's own regression data."""

from __future__ import annotations

import argparse
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from linreg_dyn._checks import number

if TYPE_CHECKING:
    import xarray as xr

    from linreg_dyn.ensemble.methods import Method
    from linreg_dyn.regression import Regression
    from linreg_dyn.schedules import Schedule

METHODS = {
    "gd": "gradient descent",
    "wd": "gradient descent with weight decay (--decay)",
    "noise": "inputs multiplied by 1 + eta at every step (--noise)",
    "sgd-noise": "eta added to the residual at every step (--noise)",
    "sgd": "real mini-batches drawn without replacement (--batch)",
}
# Which options each method needs; those that no line names are refused, so that nothing given is ignored.
NEEDS = {"gd": (), "wd": ("decay",), "noise": ("noise",), "sgd-noise": ("noise",), "sgd": ("batch",)}
ALSO = {"gd": (), "wd": (), "noise": ("decay",), "sgd-noise": ("decay",), "sgd": ("decay",)}


def add_parser(subparsers: Any) -> None:
    """Add the command to the parser of `linreg-dyn`."""
    parser = subparsers.add_parser(
        "simulate",
        help="train deep linear nets on your own regression data",
        description="Train scalar deep linear nets y = w_1 ... w_d x + b on two columns of a CSV file, "
        "normalised by eq. (2) of the paper, and write trajectories.nc (NetCDF), predictions.csv and "
        "figures. Without --data: body mass index against progression (diabetes data of scikit-learn).",
        epilog="example: linreg-dyn simulate --data houses.csv --x area --y price --depth 4 --method noise "
        "--noise 0.3 --lr adaptive:0.06 --steps 5000 --starts 20 --out runs/houses",
    )
    add = parser.add_argument
    add("--data", metavar="FILE", help="CSV file with a header line; comma, semicolon or tab separated")
    add("--x", metavar="COL", help="column of the inputs")
    add("--y", metavar="COL", help="column of the targets")
    add("--depth", metavar="D", type=whole, default=2, help="number of layers (default: %(default)s)")
    methods = "; ".join(f"{name}: {text}" for name, text in METHODS.items())
    add("--method", metavar="METHOD", choices=METHODS, default="gd", help=f"{methods} (default: %(default)s)")
    rates = "a number, or adaptive:C for C / sum(1/w_i^2) at every step (default: %(default)s)"
    add("--lr", metavar="RATE", default="0.01", help=rates)
    add("--steps", metavar="N", type=whole, default=1000, help="training steps (default: %(default)s)")
    add("--decay", metavar="MU", type=float, help="weight decay mu in L + mu * sum w_i^2; method wd needs it")
    add("--noise", metavar="HALF_WIDTH", type=float, help="eta is uniform on (-HALF_WIDTH, HALF_WIDTH)")
    add("--batch", metavar="B", type=whole, help="samples in a mini-batch")
    starts = "nets to train, each from its own random start (default: %(default)s)"
    add("--starts", metavar="N", type=whole, default=1, help=starts)
    add("--seed", metavar="S", type=whole, default=0, help="seed of the starts and of all noise (default: 0)")
    add("--every", metavar="K", type=whole, default=1, help="record every K steps (default: %(default)s)")
    add("--out", metavar="DIR", required=True, help="where to write: a new or an empty directory")
    parser.set_defaults(run=run)


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


def run(args: argparse.Namespace) -> int:
    """Train, write everything into a new directory (whole or not at all) and print what was learned."""
    from linreg_dyn import training
    from linreg_dyn.files import atomic_directory

    _check_options(args)
    rate = learning_rate(args.lr)
    regression, source, names = _data(args)
    method = _method(args, regression)
    starts = training.random_starts(args.depth, args.starts, seed=args.seed)
    with atomic_directory(args.out) as directory:
        result = training.train(
            regression,
            starts,
            method,
            steps=args.steps,
            learning_rate=rate,
            weight_decay=args.decay or 0.0,
            every=args.every,
            seed=args.seed,
        ).assign_attrs(source=source, x_name=names[0], y_name=names[1])
        _write(result, directory)
        files = sorted(path.name for path in directory.iterdir())
    print(f"{'data':<18}{source}: {names[0]} -> {names[1]}, {regression.x.size} rows")
    print("\n".join(training.summary(result, regression, names)))
    print(f"{'written':<18}{args.out}: {', '.join(files)}")
    return 0


def _check_options(args: argparse.Namespace) -> None:
    for option in ("decay", "noise", "batch"):
        given = getattr(args, option) is not None
        if option in NEEDS[args.method] and not given:
            raise ValueError(f"--method {args.method} needs --{option}")
        if given and option not in NEEDS[args.method] + ALSO[args.method]:
            users = ", ".join(name for name in METHODS if option in NEEDS[name] + ALSO[name])
            raise ValueError(f"--{option} is not used by --method {args.method}, only by {users}")
    if args.decay is not None:
        number("--decay", args.decay, least=0)
    if args.steps < 1:
        raise ValueError(f"--steps must be at least 1, got {args.steps}")


def learning_rate(text: str) -> Schedule:
    """The schedule that `--lr` names: a number, or `adaptive:C`."""
    from linreg_dyn.schedules import Adaptive, Constant

    kind, _, value = text.rpartition(":")
    try:
        rate = float(value)
    except ValueError:
        rate = math.nan
    if kind not in ("", "adaptive") or not 0 < rate < math.inf:
        raise ValueError(f"--lr must be a number > 0, or adaptive:C with C > 0, got {text!r}")
    return Adaptive(rate) if kind else Constant(rate)


def _data(args: argparse.Namespace) -> tuple[Regression, str, tuple[str, str]]:
    """The data normalised, where they come from, and the names of both columns."""
    from linreg_dyn.regression import diabetes, normalize, read_csv

    if args.data is None:
        if args.x is not None or args.y is not None:
            raise ValueError("--x and --y name columns of --data, which is not given")
        names = ("bmi", "progression")
        return normalize(*diabetes(), names=names), "diabetes data of scikit-learn", names
    if args.x is None or args.y is None:
        raise ValueError("--data needs --x and --y, the names of two of its columns")
    names = (args.x, args.y)
    if not Path(args.data).is_file():
        raise ValueError(f"--data must be a CSV file, {args.data} is none")
    return normalize(*read_csv(args.data, *names), names=names), args.data, names


def _method(args: argparse.Namespace, regression: Regression) -> Method:
    from linreg_dyn import ensemble

    if args.method == "noise":
        if not 0 <= args.noise < 1:
            raise ValueError(f"--noise must be in [0, 1), so that 1 + eta stays positive, got {args.noise}")
        return ensemble.NoiseAugmentation(half_width=args.noise)
    if args.method == "sgd-noise":
        return ensemble.SGDNoise(half_width=number("--noise", args.noise, least=0))
    if args.method == "sgd":
        rows = regression.x.size
        if not 1 <= args.batch <= rows:
            raise ValueError(f"--batch must be from 1 to the {rows} rows of the data, got {args.batch}")
        return ensemble.MiniBatch(regression.data, batch_size=args.batch)
    return ensemble.GradientDescent()


def _write(result: xr.Dataset, directory: Path) -> None:
    """The dataset, the predictions as a table, and the figures."""
    import paper_figures
    from paper_figures import run as pictures

    result.to_netcdf(directory / "trajectories.nc", engine="h5netcdf")
    table = result[["x", "y", "least_squares", "prediction"]].to_dataframe()
    table.to_csv(directory / "predictions.csv", index=False)
    for name, draw, size in (
        ("training", pictures.draw_training, pictures.TRAINING_SIZE),
        ("fit", pictures.draw_fit, pictures.FIT_SIZE),
    ):
        paper_figures.save(paper_figures.drawn(draw, size, result), directory / name, ("pdf", "png"))

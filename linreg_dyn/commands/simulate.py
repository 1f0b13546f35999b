"""`linreg-dyn simulate`: train deep linear nets on the user's own regression data."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from linreg_dyn.commands import options
from linreg_dyn.commands.options import whole

if TYPE_CHECKING:
    import xarray as xr

DEFAULT_RATE = "0.01"


def add_parser(subparsers: Any) -> None:
    """Add the command to the parser of `linreg-dyn`."""
    parser = subparsers.add_parser(
        "simulate",
        help="train deep linear nets on your own regression data",
        description="Train scalar deep linear nets y = w_1 ... w_d x + b on two columns of a CSV file, "
        "normalised by eq. (2) of the paper, and write trajectories.nc (NetCDF), predictions.csv and "
        f"figures. Without --data: body mass index against progression (diabetes data of scikit-learn). "
        f"{options.SCHEDULES}",
        epilog="examples: linreg-dyn simulate --data houses.csv --x area --y price --depth 4 --method noise "
        "--noise 0.3 --lr adaptive:0.06 --steps 5000 --starts 20 --out runs/houses; linreg-dyn simulate --lr "
        "'{type = \"CosineRestarts\", start = 0.05, period = 500}' --momentum 0.9 --steps 3000 --out runs/restarts; "
        "linreg-dyn simulate --method wd --decay window.toml --out runs/window",
    )
    add = parser.add_argument
    add("--depth", metavar="D", type=whole, default=2, help="number of layers (default: %(default)s)")
    options.add_options(parser, steps=1000, rate=DEFAULT_RATE)
    starts = "nets to train, each from its own random start (default: %(default)s)"
    add("--starts", metavar="N", type=whole, default=1, help=starts)
    add("--every", metavar="K", type=whole, default=1, help="record every K steps (default: %(default)s)")
    add("--out", metavar="DIR", required=True, help="where to write: a new or an empty directory")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Train, write everything into a new directory (whole or not at all) and print what was learned."""
    from linreg_dyn import training
    from linreg_dyn.files import atomic_directory

    options.check(args)
    arguments = options.training(args, DEFAULT_RATE)
    regression, source, names = options.data(args)
    method = options.method(args, regression)
    starts = training.random_starts(args.depth, args.starts, seed=args.seed)
    with atomic_directory(args.out) as directory:
        with options.progress("training") as watch:
            result = training.train(regression, starts, method, every=args.every, watch=watch, **arguments)
        result = result.assign_attrs(source=source, x_name=names[0], y_name=names[1])
        _write(result, directory)
        files = sorted(path.name for path in directory.iterdir())
    print(f"{'data':<18}{source}: {names[0]} -> {names[1]}, {regression.x.size} rows")
    print("\n".join(training.summary(result, regression, names)))
    print(f"{'written':<18}{args.out}: {', '.join(files)}")
    return 0


def _write(result: xr.Dataset, directory: Path) -> None:
    """The dataset, the predictions as a table, and the figures."""
    import paper_figures
    from paper_figures import run as pictures

    result.to_netcdf(directory / "trajectories.nc", engine="h5netcdf")
    table = result[["x", "y", "least_squares", "prediction"]].to_dataframe()
    header = [result.attrs["x_name"], result.attrs["y_name"], "least_squares", "prediction"]
    table.to_csv(directory / "predictions.csv", index=False, header=header)
    for name, draw, size in (
        ("training", pictures.draw_training, pictures.TRAINING_SIZE),
        ("fit", pictures.draw_fit, pictures.FIT_SIZE),
    ):
        paper_figures.save(paper_figures.drawn(draw, size, result), directory / name, ("pdf", "png"))

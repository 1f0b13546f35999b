"""`linreg-dyn ntk`: kernels of infinitely wide networks on data, training under L2, and which L2 to choose."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from linreg_dyn.commands import ntk_kernels, options
from linreg_dyn.commands.ntk_kernels import Setting
from linreg_dyn.commands.options import whole

if TYPE_CHECKING:
    import xarray as xr

    from linreg_dyn.ntk.datasets import Samples

ACTIONS = {
    "predict": "the loss over time under --l2, when it is lowest, and what is left of it then",
    "spectrum": "the eigenvalues, and how much of the labels each mode has",
    "lambda-pred": "for each training budget of --budget the L2 whose loss minimum falls at its end",
}
LOSSES = ("mse", "softmax", "logistic", "huber")
# Which actions an option is for; elsewhere it is refused, so that nothing given is ignored.
USED_BY = {
    "l2": ("predict",),
    "loss": ("predict",),
    "times": ("predict",),
    "test": ("predict",),
    "degree": ("predict", "lambda-pred"),
    "budget": ("lambda-pred",),
    "top": ("spectrum",),
}
DEFAULT_L2 = 1e-3


def add_parser(subparsers: Any) -> None:
    """Add the command to the parser of `linreg-dyn`."""
    parser = subparsers.add_parser(
        "ntk",
        help="kernels of wide networks on data: spectrum, training under L2, the L2 to choose",
        description="The neural tangent kernel of an infinitely wide network on data, and what follows from it "
        "(Lewkowycz and Gur-Ari 2020): " + "; ".join(f"{name}: {text}" for name, text in ACTIONS.items()) + ". "
        "The loss is the sum over samples of (f - y)^2 / 2, not the mean, or of --loss, plus l2/2 |theta|^2; networks "
        "are in NTK parameterisation and start at f = 0; time is the step times the learning rate. Writes NetCDF, a "
        "figure (PDF and PNG) and its caption into DIR.",
        epilog="examples: linreg-dyn ntk predict --depth 3 --l2 1e-3 --out runs/digits; linreg-dyn ntk predict --loss "
        "softmax --layers 'conv relu conv relu gap dense' --samples 200 --out runs/images; linreg-dyn ntk lambda-pred "
        "--data mnist.npz --samples 200 --budget 10 100 1000 --out runs/mnist; linreg-dyn ntk spectrum --data "
        "mine.npz --target regression --kernel erf --top 50 --out runs/mine",
    )
    options.accept_negative_numbers(parser)
    add = parser.add_argument
    add("action", metavar="|".join(ACTIONS), choices=ACTIONS, help="what to compute")
    _add_data_options(parser)
    ntk_kernels.add_options(parser)
    loss = (
        "of predict: mse (default, in closed form), softmax (with --target one-hot), logistic (labels of -1 and 1) or "
        "huber (of width 1), which are integrated"
    )
    add("--loss", metavar="LOSS", choices=LOSSES, help=loss)
    add("--l2", metavar="L2", type=float, help=f"lambda, in lambda/2 |theta|^2 (default: {DEFAULT_L2:g})")
    add("--times", metavar="T", type=float, nargs=2, help="the curves' first and last time (default: all that happens)")
    add("--budget", metavar="T", type=float, nargs="+", help="training budgets: steps times learning rate")
    add("--top", metavar="K", type=whole, help="only the K largest eigenvalues, with bounds (default: all)")
    rtol = (
        "asymmetry and eigenvalues, of either sign, to take for rounding, relative to the kernel (default: 1.5e-8 for "
        "asymmetry and negative ones of a kernel in float64, 3.5e-4 in float32)"
    )
    add("--rtol", metavar="R", type=float, help=rtol)
    add("--cache", metavar="DIR", help="where eigendecompositions are kept (default: the user's cache folder)")
    add("--no-cache", action="store_true", help="keep none, and look for none")
    add("--out", metavar="DIR", required=True, help="where to write: a new or an empty directory")
    parser.set_defaults(run=run)


def _add_data_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    data = (
        "digits (of scikit-learn, no download), or a .npz file with x and y, with x_train, y_train, x_test and y_test, "
        "or with a kernel of your own and y (default: %(default)s)"
    )
    add("--data", metavar="SET_OR_NPZ", default="digits", help=data)
    target = (
        "what is learned: even-odd (+1 for even labels, -1 for odd ones), sign (labels of -1 and 1 as they are), "
        "one-hot (an output for each class of the file; or y that is one-hot already) or regression (y as it is); "
        "default: one-hot with --loss softmax, else sign where all labels are -1 or 1, even-odd for other integers (by "
        "their dtype), regression for the rest"
    )
    add("--target", metavar="TARGET", help=target)
    inputs = (
        "scaled (divided by the largest magnitude, so that pixels are from 0 to 1), standard (minus the mean and "
        "divided by the standard deviation of all numbers together) or raw (default: scaled)"
    )
    add("--inputs", metavar="SCALE", help=inputs)
    add("--samples", metavar="N", type=whole, help="how many to train on, drawn at random (default: 1000 or all)")
    add("--test", metavar="N", type=whole, help="how many others to test with (default: 1000, or what is left)")
    add("--seed", metavar="S", type=whole, default=0, help="seed of the draw (default: 0)")


def run(args: argparse.Namespace) -> int:
    """Compute, write everything into a new directory (whole or not at all) and print what was found."""
    import paper_figures
    from linreg_dyn.files import atomic_directory, write_text
    from linreg_dyn.ntk import datasets
    from paper_figures import kernels as pictures

    _check(args)
    samples = _samples(args)
    setting = ntk_kernels.setting(args, samples)
    with atomic_directory(args.out) as directory:
        kernel, cross = _kernels(args, setting, samples)
        with _working(f"eigenvalues of {len(samples.y):,} samples"):
            spectrum = _spectrum(args, kernel, samples.y)
        action = {"predict": _predict, "spectrum": _only_spectrum, "lambda-pred": _budgets}[args.action]
        result, lines = action(args, setting, samples, spectrum, cross)
        about = {"source": args.data, "setting": setting.words, "samples": len(samples.y), "seed": args.seed}
        result = result.assign_attrs(about | {name: spectrum.attrs[name] for name in ("duplicates", "asymmetry")})
        drawing = pictures.DRAW[args.action]
        trained = f" Loss: {args.loss or 'mse'}, l2 {result.attrs['l2']:g}." if args.action == "predict" else ""
        caption = f"{drawing.caption} Data: {datasets.describe(samples)}. Kernel: {setting.words}.{trained}"
        figure = paper_figures.drawn(drawing.draw, drawing.size, result)
        paper_figures.save(figure, directory / args.action, ("pdf", "png"), caption)
        packed = {name: {"zlib": True, "complevel": 1} for name, array in result.data_vars.items() if array.ndim}
        result.to_netcdf(directory / f"{args.action}.nc", engine="h5netcdf", encoding=packed)
        write_text(directory / f"{args.action}.txt", caption + "\n")
        files = sorted(path.name for path in directory.iterdir())
    for name, text in (*_about(setting, samples, spectrum), *lines, ("written", f"{args.out}: {', '.join(files)}")):
        print(f"{name:<18}{text}")
    return 0


def _check(args: argparse.Namespace) -> None:
    from linreg_dyn._checks import number

    for option, actions in USED_BY.items():
        if getattr(args, option) is not None and args.action not in actions:
            raise ValueError(f"--{option} is not used by {args.action}, only by {', '.join(actions)}")
    if args.action == "lambda-pred" and not args.budget:
        raise ValueError("lambda-pred needs --budget, one training time or several")
    for option, bound in (("l2", {"least": 0}), ("degree", {"least": 0}), ("bias_std", {"least": 0})):
        if getattr(args, option) is not None:
            number(f"--{option.replace('_', '-')}", getattr(args, option), **bound)
    if args.weight_std is not None:
        number("--weight-std", args.weight_std, above=0)
    for budget in args.budget or ():
        number("--budget", budget, above=0)
    if args.times is not None and not 0 < number("--times", args.times[0], above=0) < number("--times", args.times[1]):
        raise ValueError(f"--times must be two rising numbers, got {args.times[0]:g} {args.times[1]:g}")
    if args.action == "lambda-pred" and args.degree is not None and args.degree <= 1:
        raise ValueError(f"--degree must be above 1 for lambda-pred, got {args.degree:g}: else the loss has no minimum")
    _check_loss(args)
    if args.no_cache and args.cache is not None:
        raise ValueError("--cache says where to keep results and --no-cache to keep none; give one of them")


def _check_loss(args: argparse.Namespace) -> None:
    wanted = {"softmax": ("one-hot",), "logistic": ("even-odd", "sign", "regression")}.get(args.loss)
    if wanted is not None and args.target not in (None, *wanted):
        raise ValueError(f"--loss {args.loss} is for --target {', '.join(wanted)}, got {args.target}")
    if args.loss not in (None, "mse") and args.l2 == 0 and args.times is None:
        raise ValueError(f"--times must be given with --l2 0 and --loss {args.loss}, which may fall for ever")


def _samples(args: argparse.Namespace) -> Samples:
    """The data, with labels that the loss can be of."""
    from linreg_dyn.ntk import datasets
    from linreg_dyn.ntk.losses import as_loss

    target = "one-hot" if args.loss == "softmax" else args.target
    draw = {"samples": args.samples, "test": args.test if args.action == "predict" else 0, "seed": args.seed}
    samples = datasets.load(args.data, target=target, inputs=args.inputs or "scaled", **draw)
    checked = as_loss(args.loss or "mse").labels
    for labels in (samples.y, samples.y_test):
        if checked is not None and labels.size:
            checked(labels, None)
    return samples


def _kernels(args: argparse.Namespace, setting: Setting, samples: Samples) -> tuple[Any, Any]:
    """The kernel on the training samples, and between those to test with and them."""
    from linreg_dyn.ntk.kernel_checks import refuse_memory

    count, tests = len(samples.y), len(samples.y_test)
    copies = 16 if args.top else 24  # bytes for each entry: the kernel, and its eigenvectors and what they take
    refuse_memory(
        f"the kernel of {count} samples and its eigenvectors",
        copies * count**2 + 8 * count * tests,
        "take fewer --samples" + ("" if args.top else ", or with spectrum only the --top eigenvalues"),
    )
    if setting.compute is None:
        return samples.kernel, None
    with _working(f"kernel of {count:,} samples") as watch:
        kernel = setting.between(samples.x, None, watch)
    if not tests:
        return kernel, None
    with _working(f"kernel of {tests:,} samples to test with") as watch:
        return kernel, setting.between(samples.x_test, samples.x, watch)


def _spectrum(args: argparse.Namespace, kernel: Any, y: Any) -> xr.Dataset:
    from linreg_dyn.ntk.spectra import spectrum

    result = spectrum(kernel, y, top=args.top, rtol=args.rtol, cache=None if args.no_cache else args.cache or True)
    if not result["eigenvalue"].values.any():
        raise ValueError("kernel must not be zero: nothing could be learned")
    return result


def _about(setting: Setting, samples: Samples, spectrum: xr.Dataset) -> Iterator[tuple[str, str]]:
    import numpy as np

    from linreg_dyn.ntk.datasets import describe

    yield "data", describe(samples)
    yield "kernel", setting.words
    gamma = spectrum["eigenvalue"].values
    largest, smallest = f"{gamma[0]:.4g}", f"{gamma[-1]:.4g}"
    shown = f"{largest} to {smallest}, each to {spectrum['residual'].values.max():.1g}"
    if spectrum.attrs["left_out"]:
        shown += f"; all others at most {spectrum.attrs['left_out']:.4g}"
    yield "eigenvalues", f"{len(gamma)}: {shown} ({spectrum.attrs['cache']})"
    if spectrum.attrs["asymmetry"]:
        yield "symmetrised", f"entries differed from their mirror images by {spectrum.attrs['asymmetry']:.1g}"
    if gamma[-1] == 0 != spectrum.attrs["lowest"]:
        count, lowest = np.count_nonzero(gamma == 0), spectrum.attrs["lowest"]
        floor = spectrum.attrs["floor"]
        yield "clipped", f"{count} eigenvalue(s) up to {floor:.2g} to 0, being rounding; the lowest was {lowest:.2g}"
    if spectrum.attrs["duplicates"] > 0:
        count = spectrum.attrs["duplicates"]
        which = "1 sample is another" if count == 1 else f"{count} samples are others"
        yield "duplicates", f"{which} again: the kernel is singular, and what they differ in is never learned"


def _only_spectrum(args: Any, setting: Setting, samples: Samples, spectrum: xr.Dataset, cross: Any) -> tuple:
    import numpy as np

    power = np.square(spectrum["y_mode"].values).reshape(spectrum.sizes["mode"], -1).sum(axis=1)
    total = float(np.square(samples.y).sum())
    share = np.cumsum(power) / total if total else np.zeros_like(power)
    about = {"long_name": "share of |y|^2 in this mode and those before"}
    result = spectrum.drop_vars("eigenvector").assign(label_share=("mode", share, about))
    counts = [*(n for n in (1, 10, 100, 1000, 10_000) if n < len(share)), len(share)]
    parts = ", ".join(f"{share[n - 1]:.1%} in {n}" for n in counts)
    return result, [("labels", f"of their power, {parts} mode{'s' if counts[-1] > 1 else ''}")]


def _predict(args: Any, setting: Setting, samples: Samples, spectrum: xr.Dataset, cross: Any) -> tuple:
    from linreg_dyn.ntk import curves

    l2 = DEFAULT_L2 if args.l2 is None else args.l2
    assert setting.degree is not None
    more = {"loss": args.loss or "mse", "times": None if args.times is None else tuple(args.times)}
    with _working("training curves"):
        result = curves.training_curves(spectrum, samples, cross, l2=l2, degree=setting.degree, **more)
    return result, curves.summary(result)


def _budgets(args: Any, setting: Setting, samples: Samples, spectrum: xr.Dataset, cross: Any) -> tuple:
    from linreg_dyn.ntk import curves

    assert setting.degree is not None
    with _working("the L2 of each budget"):
        result = curves.budgets(spectrum, sorted(set(args.budget)), degree=setting.degree)
    return result, curves.budget_summary(result)


@contextmanager
def _working(what: str) -> Iterator[Callable[[float], None]]:
    """Say on a terminal what is being done, for how long already, and what fraction of it whoever is called hears."""
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TaskProgressColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(what, total=None)
        yield lambda done: progress.update(task, total=1.0, completed=done)

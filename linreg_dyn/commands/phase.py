"""`linreg-dyn phase`: phase portraits of two layers, and maps of how training ends from every start."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from linreg_dyn.commands import options
from linreg_dyn.commands.options import whole

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure

    from linreg_dyn.ensemble.methods import Method
    from linreg_dyn.phase import Plane

MAPS = {
    "basin": "which minimum each start reaches, or that it diverges",
    "escape": "after how many steps each start diverges",
    "rates": "the same for starts along --line, at every learning rate of --rates",
    "critical": "the learning rate of --rates at which each start begins to diverge, by bisection",
}
OBSERVABLES = ("loss", "layer_imbalance", "minimum_sharpness")
VARIABLES = {"basin": "outcome", "escape": "diverged_step", "rates": "diverged_step", "critical": "critical_rate"}
SIZES = {None: 1000, "critical": 300}
# Which maps, or the portrait (None), an option is for; elsewhere it is refused, so that nothing given is ignored.
USED_BY = {
    "lr": (None, "basin", "escape", *OBSERVABLES),
    "within": ("basin", "escape", "rates", *OBSERVABLES),
    "rates": ("rates", "critical"),
    "line": ("rates",),
    "trajectories": (None,),
}
OTHER_PICTURES = (".eps", ".gif", ".jpeg", ".jpg", ".ps", ".tif", ".tiff", ".webp")
DEFAULT_RATE, DEFAULT_RATES = "0.2", (0.01, 1.0)


def add_parser(subparsers: Any) -> None:
    """Add the command to the parser of `linreg-dyn`."""
    parser = subparsers.add_parser(
        "phase",
        help="draw phase portraits of two layers, and maps of how training ends",
        description="Draw the phase portrait of two layers of a net (mean velocity, minima, proved bands, "
        "trajectories, where a million starts end), or with --map how training ends from every start. "
        "Maps: " + "; ".join(f"{name}: {text}" for name, text in MAPS.items()) + f"; {', '.join(OBSERVABLES)}: "
        "its value at the end. --out FILE.pdf (or .png, .svg) writes the picture alone, --out DIR a new "
        f"directory with the picture, its caption and all data (NetCDF). {options.SCHEDULES} The velocity of a "
        "portrait is one for all steps: there --decay and --noise must be numbers.",
        epilog="examples: linreg-dyn phase --method noise --noise 0.4 --out portrait.pdf; linreg-dyn phase --map basin "
        "--depth 4 --fixed w1 w2 --lr 0.2 --momentum 0.5 --size 2000 --out basins",
    )
    add = parser.add_argument
    add("--map", metavar="MAP", choices=(*MAPS, *OBSERVABLES), help="draw this map (default: the portrait)")
    add("--depth", metavar="D", type=whole, default=2, help="number of layers (default: %(default)s)")
    add("--layers", metavar="I", type=whole, nargs=2, default=(1, 2), help="the two layers that vary (default: 1 2)")
    others = "weights of the other layers at the start, in order; w1 for always that of layer 1 (default: all 1)"
    add("--fixed", metavar="W", nargs="+", default=(), help=others)
    box = "box of the starts, FROM TO for both layers or for each (default: -3 3)"
    add("--box", metavar="X", type=float, nargs="+", default=(-3.0, 3.0), help=box)
    size = "starts along both layers, or along each (default: 1000; critical: 300)"
    add("--size", metavar="N", type=whole, nargs="+", help=size)
    options.add_options(parser, steps=500, rate=DEFAULT_RATE)
    add("--within", metavar="T", type=float, help="at a minimum is |W - 1| <= T (default: 0.01; noise or decay: 0.5)")
    add("--rates", metavar="LR", type=float, nargs=2, help="learning rates from ... to ... (default: 0.01 1)")
    line = "line of starts, FIRST SECOND to FIRST SECOND (default: the box's diagonal)"
    add("--line", metavar="X", type=float, nargs=4, help=line)
    add("--trajectories", metavar="N", type=whole, help="sample trajectories of a portrait (default: 12; noise: 5)")
    add("--format", metavar="LIST", help="formats of the picture in DIR, of pdf, png, svg (default: pdf,png)")
    add("--out", metavar="PATH", required=True, help="a file FILE.pdf, .png or .svg, or a new or empty directory")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Compute, draw and write, whole or not at all; print what was found."""
    import paper_figures
    from linreg_dyn.files import atomic_directory, write_text

    _check(args)
    alone = Path(args.out).suffix[1:] in paper_figures.FORMATS
    formats = _formats(args, alone)
    plane, method = _plane(args), _method(args)
    name = args.map or "portrait"
    if alone:
        result, figure, caption = _picture(args, plane, method)
        paper_figures.save(figure, Path(args.out).with_suffix(""), formats, caption)
    else:
        with atomic_directory(args.out) as directory:
            result, figure, caption = _picture(args, plane, method)
            paper_figures.save(figure, directory / name, formats, caption)
            packed = {variable: {"zlib": True, "complevel": 1} for variable in result.data_vars}
            result.to_netcdf(directory / f"{name}.nc", engine="h5netcdf", encoding=packed)
            write_text(directory / f"{name}.txt", caption)
    print(counted(result))
    print(f"written: {args.out}")
    return 0


def _picture(args: argparse.Namespace, plane: Plane, method: Method) -> tuple[xr.Dataset, Figure, str]:
    """The dataset that the options ask for, its picture, and the caption."""
    import paper_figures
    from linreg_dyn.phase.words import caption, setting
    from paper_figures import phase as pictures
    from paper_figures.labels import wrapped

    training = _training(args)
    result = _compute(args, plane, method, training)
    title = f"{setting(plane, method, training)}\n{counted(result)}"
    if args.map is None:
        figure = paper_figures.drawn(pictures.draw_portrait, pictures.PORTRAIT_SIZE, result, plane.box, title)
    else:
        box = pictures.rate_box(result) if args.map == "rates" else plane.box
        drawing = (result, VARIABLES.get(args.map, args.map), box, title)
        figure = paper_figures.drawn(pictures.draw_map, pictures.MAP_SIZE, *drawing)
    return result, figure, wrapped(caption(result, plane, title), 100, size=len) + "\n"


def _compute(args: argparse.Namespace, plane: Plane, method: Method, training: dict[str, Any]) -> xr.Dataset:
    size = args.size or (SIZES.get(args.map, 1000),)
    size = (size[0], size[-1])
    with options.progress(args.map or "portrait") as watch:
        return _run(args, plane, method, size, {"watch": watch, **training})


def _run(args, plane: Plane, method: Method, size: tuple[int, int], training: dict[str, Any]) -> xr.Dataset:
    from linreg_dyn import phase

    rates = args.rates or DEFAULT_RATES
    if args.map is None:
        samples = args.trajectories
        if samples is None:
            samples = 12 if args.method in ("gd", "wd") else 5
        return phase.portrait(plane, method, size=size, trajectories=samples, **training)
    if args.map == "rates":
        line = args.line or (plane.box[0], plane.box[2], plane.box[1], plane.box[3])
        return phase.rate_map(plane, line, rates, size, method, within=args.within, **training)
    if args.map == "critical":
        return phase.critical_map(plane, size, method, rates=rates, **training)
    observable = args.map if args.map in OBSERVABLES else None
    return phase.start_map(plane, size, method, within=args.within, observable=observable, **training)


def counted(result: xr.Dataset) -> str:
    """How many starts there were, and how they ended."""
    kind, count = "run" if "learning_rate" in result.dims else "start", result.attrs["starts"]
    starts = f"{count:,} {kind}{'s' * (count != 1)}"
    if "critical_rate" in result:
        always, never = (f"{result.attrs[name]:,}" for name in ("always", "never"))
        return f"{starts}: {always} diverge at every rate tried, {never} at none"
    from linreg_dyn.phase import OUTCOMES

    counts: dict[str, int] = {}
    for name, count in zip(OUTCOMES, result.attrs["outcome_counts"].tolist(), strict=True):
        kind = {"minimum": "at minima", "origin": "at the origin"}.get(name.partition("_")[0], name)
        counts[kind] = counts.get(kind, 0) + count
    ended = [f"{count:,} {kind}" for kind, count in counts.items() if count or kind == "diverged"]
    outside = f"; {result.attrs['outside']:,} of them end outside the box" if result.attrs.get("outside") else ""
    return f"{starts}: {', '.join(ended)}{outside}"


def _check(args: argparse.Namespace) -> None:
    here = f"--map {args.map}" if args.map else "the portrait"
    for option, maps in USED_BY.items():
        if getattr(args, option) is not None and args.map not in maps:
            users = ", ".join("the portrait" if name is None else f"--map {name}" for name in maps)
            raise ValueError(f"--{option} is not used by {here}, only by {users}")
    for option, counts in (("box", (2, 4)), ("size", (1, 2))):
        values = getattr(args, option)
        if values is not None and len(values) not in counts:
            raise ValueError(f"--{option} takes {counts[0]} or {counts[1]} numbers, got {len(values)}")
    reading = (args.data, args.x, args.y, args.decimal, args.drop_missing)
    if args.method != "sgd" and any(value is not None for value in reading):
        raise ValueError(f"--data and its columns are what --method sgd draws its batches from, not {args.method}")
    options.check(args)


def _formats(args: argparse.Namespace, alone: bool) -> tuple[str, ...]:
    import paper_figures

    if alone:
        if args.format is not None:
            raise ValueError(f"--format is for a directory; the picture {args.out} has its format from its name")
        if Path(args.out).is_dir():
            raise ValueError(f"--out must be a file that can be replaced; {args.out} is a directory")
        return (Path(args.out).suffix[1:],)
    suffix = Path(args.out).suffix.lower()
    if suffix in OTHER_PICTURES or suffix[1:] in paper_figures.FORMATS:
        raise ValueError(f"--out must be FILE.pdf, .png or .svg, or a directory, got {args.out}")
    formats = tuple(dict.fromkeys(part.strip() for part in (args.format or "pdf,png").split(",")))
    paper_figures.check_formats(formats)
    return formats


def _plane(args: argparse.Namespace) -> Plane:
    from linreg_dyn.phase import Plane

    box = tuple(args.box) if len(args.box) == 4 else (*args.box, *args.box)
    try:
        return Plane(args.depth, tuple(args.layers), box, tuple(args.fixed))
    except ValueError as error:
        raise ValueError(str(error).replace("others must", "--fixed must", 1)) from None


def _method(args: argparse.Namespace) -> Method:
    return options.method(args, options.data(args)[0] if args.method == "sgd" else None)


def _training(args: argparse.Namespace) -> dict[str, Any]:
    """The arguments of `simulate` that are the same for every start."""
    training = options.training(args, DEFAULT_RATE)
    if args.map not in USED_BY["lr"]:
        del training["learning_rate"]
    return training

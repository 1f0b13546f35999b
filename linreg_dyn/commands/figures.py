"""`linreg-dyn figures`: the pictures of the paper and of its sharp constants."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any


def add_parser(subparsers: Any) -> None:
    """Add the command to the parser of `linreg-dyn`."""
    import paper_figures

    parser = subparsers.add_parser(
        "figures",
        help="draw the figures of the paper and of its sharp constants",
        description="Draw figures into DIR, each with a text file of its caption and the claims it shows; "
        f"files of the same name are replaced. The figures are: {', '.join(paper_figures.SCRIPTS)}.",
        epilog="example: linreg-dyn figures fig1 k-range --out report/figures --format pdf,png",
    )
    parser.add_argument("names", metavar="NAME", nargs="*", help="which figures (default: all)")
    parser.add_argument("--out", metavar="DIR", required=True, help="where to write; made if it is not there")
    parser.add_argument(
        "--format",
        metavar="LIST",
        default="pdf,png",
        help=f"file formats, comma-separated, of {', '.join(paper_figures.FORMATS)} (default: %(default)s)",
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Draw every figure asked for, then write them: nothing is written unless all could be drawn."""
    import paper_figures
    from linreg_dyn.files import write_text

    formats = tuple(dict.fromkeys(part.strip() for part in args.format.split(",")))
    names = list(dict.fromkeys(args.names)) or list(paper_figures.SCRIPTS)
    paper_figures.check_formats(formats)
    for name in names:
        paper_figures.script(name)
    out = Path(args.out)
    if out.exists() and not out.is_dir():
        raise ValueError(f"--out must be a directory; {out} is none")
    drawn = [(name, paper_figures.make(name), paper_figures.caption(name)) for name in names]
    for name, figure, caption in drawn:
        written = paper_figures.save(figure, out / name, formats, caption)
        write_text(out / f"{name}.txt", caption)
        print("  ".join(str(path) for path in [*written, out / f"{name}.txt"]))
    return 0

"""`linreg-dyn audit`: compute the verdict of every claim, and write what was found."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

    from linreg_dyn.claims.core import Claim, Evidence


def add_parser(subparsers: Any) -> None:
    """Add the command to the parser of `linreg-dyn`."""
    parser = subparsers.add_parser(
        "audit",
        help="compute the verdict of every claim, with certificates and a report",
        description="Audit claims (all, or those whose id is or begins with one given), a line for each.",
        epilog="example: linreg-dyn audit ginsburg.thm-3.1 --html report --certificates report/certificates "
        "--fail-on undecided",
    )
    parser.add_argument("ids", nargs="*", metavar="ID", help="an id, or the beginning of ids (default: every claim)")
    parser.add_argument("--json", metavar="FILE", help="write everything that was found to FILE")
    parser.add_argument("--html", metavar="DIR", help="write the report to DIR/index.html")
    pictures = "PNG pictures to show in the report, with IDs those of these claims (default: HTML/figures)"
    parser.add_argument("--figures", metavar="DIR", help=pictures)
    parser.add_argument("--certificates", metavar="DIR", help="write one certificate per proof; DIR is replaced whole")
    parser.add_argument("--fail-on", metavar="VERDICT,...", default="", help="exit 1 if a claim has such a verdict")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="seed of the falsifier (default: 0)")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Audit, print and write; exit code 1 if a verdict of `--fail-on` occurred (all is written even so)."""
    from rich.console import Console

    from linreg_dyn import claims as registry
    from linreg_dyn._checks import integer

    fail_on = _verdicts(args.fail_on)
    integer("--seed", args.seed, least=0, most=2**64 - 1)
    _check_outputs(args)
    console = Console(highlight=False, markup=False, emoji=False)
    with ExitStack() as outputs:  # entered before the work, so that what cannot be written is refused at once
        paths = _enter_outputs(outputs, args)
        selected = registry.select(args.ids)
        with _rows(console, selected) as on_result:
            evidence = registry.audit(selected, seed=args.seed, on_result=on_result)
        _write(paths, args, evidence)
    counts = _counts(evidence)
    console.print(
        f"\n{len(evidence)} claim{'s' if len(evidence) != 1 else ''}: "
        + ", ".join(f"{n} {verdict}" for verdict, n in counts.items() if n)
    )
    missed = {verdict: counts[verdict] for verdict in fail_on if counts[verdict]}
    if missed:
        wording = ", ".join(f"{n} {verdict}" for verdict, n in missed.items())
        console.print(f"--fail-on: {wording}", style="bold red")
    _print_outputs(args)
    return 1 if missed else 0


def _verdicts(text: str) -> tuple[str, ...]:
    from linreg_dyn.claims.core import VERDICTS

    chosen = tuple(part.strip() for part in text.split(",") if part.strip())
    for verdict in chosen:
        if verdict not in VERDICTS:
            raise ValueError(f"--fail-on knows no verdict {verdict!r}; the verdicts are {', '.join(VERDICTS)}")
    return chosen


def _check_outputs(args: argparse.Namespace) -> None:
    """Refuse a report without a time, what is no directory, one file for two, and what lies in `--certificates`."""
    from linreg_dyn.report.meta import created

    created()
    if args.figures is not None and not Path(args.figures).is_dir():
        raise ValueError(f"--figures {args.figures} is not a directory")
    if args.html is not None and Path(args.html).exists() and not Path(args.html).is_dir():
        raise ValueError(f"--html {args.html} is not a directory")
    if args.json and args.html and Path(args.json).resolve() == (Path(args.html) / "index.html").resolve():
        raise ValueError(f"--json {args.json} is the page of --html {args.html}; give it a file of its own")
    if args.certificates is None:
        return
    certificates = Path(args.certificates).resolve()
    for option, path in (("--json", args.json), ("--html", args.html)):
        if path is not None and Path(path).resolve().is_relative_to(certificates):
            raise ValueError(f"{option} {path} lies inside --certificates {args.certificates}, which is replaced whole")


def _enter_outputs(stack: ExitStack, args: argparse.Namespace) -> dict[str, Path]:
    """Open every output asked for under a temporary name."""
    from linreg_dyn.files import atomic_directory, atomic_file

    paths = {}
    if args.json:
        paths["json"] = stack.enter_context(atomic_file(args.json))
    if args.html:
        paths["html"] = stack.enter_context(atomic_file(Path(args.html) / "index.html"))
    if args.certificates:
        paths["certificates"] = stack.enter_context(atomic_directory(args.certificates, replace=["*.json"]))
    return paths


def _write(paths: dict[str, Path], args: argparse.Namespace, evidence: Sequence[Evidence]) -> None:
    from linreg_dyn import report
    from linreg_dyn.files import canonical_json

    meta = report.metadata(evidence, seed=args.seed)
    written = _certificates(evidence, args.seed) if "certificates" in paths else {}
    for name, certificate in written.items():
        (paths["certificates"] / f"{name}.json").write_text(canonical_json(certificate), encoding="utf-8")
    if "json" in paths:
        links = report.links(list(written), args.certificates, Path(args.json).parent)
        document = {"meta": meta, "claims": [item.to_json(links.get(item.claim.id)) for item in evidence]}
        paths["json"].write_text(canonical_json(document), encoding="utf-8")
    if "html" in paths:
        links = report.links(list(written), args.certificates, Path(args.html))
        audited = {item.claim.id for item in evidence}
        found = report.figures(args.figures or Path(args.html) / "figures")
        figures = [figure for figure in found if not args.ids or audited & {*figure.claims}]
        page = report.render(evidence, meta, certificates=links, figures=figures)
        paths["html"].write_text(page, encoding="utf-8")


def _certificates(evidence: Sequence[Evidence], seed: int) -> dict[str, Any]:
    """The certificates by claim id, and those of the lemmas they use: the checker needs them all."""
    from linreg_dyn import claims as registry

    found = {item.claim.id: item.certificate for item in evidence}
    waiting = [certificate for certificate in found.values() if certificate]
    while waiting:
        for name in _lemmas(waiting.pop()) - found.keys():
            (lemma,) = registry.audit([claim for claim in registry.select([name]) if claim.id == name], seed=seed)
            found[name] = lemma.certificate
            waiting += [lemma.certificate] if lemma.certificate else []
    return {name: certificate for name, certificate in found.items() if certificate}


def _lemmas(proof: Any) -> set[str]:
    """The claims that the steps `{"rule": "lemma", "id": "claim#part"}` of a proof refer to."""
    if isinstance(proof, list):
        return set().union(*map(_lemmas, proof))
    if not isinstance(proof, dict):
        return set()
    own = {proof["id"].partition("#")[0]} if proof.get("rule") == "lemma" else set()
    return own.union(*map(_lemmas, proof.values()))


def _counts(evidence: Sequence[Evidence]) -> dict[str, int]:
    from linreg_dyn.claims.core import VERDICTS

    return {verdict: sum(item.verdict == verdict for item in evidence) for verdict in VERDICTS}


_STYLES = {
    "proved": "green",
    "certified": "cyan",
    "survived": "yellow",
    "refuted": "bold red",
    "undecided": "magenta",
}


@contextmanager
def _rows(console: Console, claims: Sequence[Claim]) -> Iterator[Any]:
    """A function that prints one row for each result; on a terminal with a progress bar below the rows."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
    from rich.text import Text

    width = max((len(claim.id) for claim in claims), default=2)

    def line(cells: Sequence[str], style: str) -> None:
        verdict, name, kind, seconds, mutants, method = cells
        row = Text.assemble(
            (f"{verdict:<9}", style),
            (f"  {name:<{width}}", "bold"),
            (f"  {kind:<7}  {seconds:>7}  {mutants:>7}  ", ""),
            (method, "dim"),
        )
        if console.is_terminal:
            console.print(row, no_wrap=True, overflow="ellipsis")
        else:
            console.print(row, soft_wrap=True)

    line(("verdict", "claim", "kind", "seconds", "mutants", "how"), "bold")
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("auditing", total=len(claims))

        def on_result(item: Evidence) -> None:
            mutants = f"{item.mutants['refuted']}/{item.mutants['tried']}"
            cells = (
                item.verdict,
                item.claim.id,
                item.claim.kind,
                f"{item.seconds:.2f}",
                mutants,
                item.method,
            )
            line(cells, _STYLES.get(item.verdict, ""))
            progress.advance(task)

        yield on_result


def _print_outputs(args: argparse.Namespace) -> None:
    """The paths that were written, the report last; plain `print`, so that no terminal width breaks them."""
    if args.certificates:
        print(f"certificates: {args.certificates}   (check them: linreg-dyn check {args.certificates})")
    if args.json:
        print(args.json)
    if args.html:
        print(Path(args.html) / "index.html")

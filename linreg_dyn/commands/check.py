"""`linreg-dyn check DIR`: believe no certificate unchecked, and none that proves something else."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from linreg_dyn.claims.core import Claim


def add_parser(subparsers: Any) -> None:
    """Add the command to the parser of `linreg-dyn`."""
    parser = subparsers.add_parser(
        "check",
        help="re-check certificates independently",
        description="Run the independent checker on every certificate in DIR, and compare the statement of "
        "each with the registered claim of its name; those of statements of one's own (judge) are said to be that. "
        "Exit code 0 only if all are accepted.",
        epilog="example: linreg-dyn check report/certificates",
    )
    parser.add_argument("directory", metavar="DIR", help="a directory of certificates, as audit --certificates leaves")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """One line per certificate; exit code 1 if any is refused."""
    from linreg_dyn import claims as registry
    from linreg_dyn.certify import checker

    directory = Path(args.directory)
    if not directory.is_dir():
        raise ValueError(f"DIR must be a directory of certificates; {args.directory} is none")
    results = checker.check_directory(directory)
    if not results:
        raise ValueError(f"DIR must hold certificates; {args.directory} holds none")
    registered = {claim.id: claim for claim in registry.select([])}
    refused = 0
    width = max(len(name) for name, _, _ in results)
    for name, ok, message in results:
        if ok:
            ok, message = _bound(directory / name, registered, message)
        refused += not ok
        print(checker.one_line(f"{'accepted' if ok else 'REFUSED':<8}  {name:<{width}}  {message}"))
    print(f"{len(results) - refused} of {len(results)} certificates accepted")
    return 1 if refused else 0


def _words(certificate: dict[str, Any]) -> str:
    """What a line of the checker's leaves out: what is given, and the definitions."""
    keys = ("given", "where", "rates")
    return json.dumps([{key: part[key] for key in keys if part.get(key)} for part in certificate["parts"]])


def _bound(path: Path, registered: dict[str, Claim], message: str) -> tuple[bool, str]:
    """Whether it is about the registered claim its file is named after, and no weaker one, or says that it is none."""
    from linreg_dyn.claims.own import OWN

    certificate = json.loads(path.read_text(encoding="utf-8"))
    claim = registered.get(path.stem)
    if claim is None and certificate["claim"] == OWN:
        return True, f"no registered claim, but a statement (judge) about {_words(certificate)}: {message}"
    if claim is None or certificate["claim"] != claim.id:
        said = certificate["claim"]
        return (
            False,
            f"no claim is registered under both its file's name {path.stem!r} and its own name {said!r}",
        )
    stated = [{key: part[key] for key in part if key != "proof"} for part in certificate["parts"]]
    if stated != [part.formal() for part in claim.parts]:
        return False, f"it is about another statement than the registered {claim.id}"
    printed = {"statement": claim.statement, "source": str(claim.source), "argument": claim.argument}
    if any(certificate.get(key) != text for key, text in printed.items()):
        return False, f"its words are not those of the registered {claim.id}"
    return True, message

"""`linreg-dyn claims` lists the registered claims; `linreg-dyn show ID` audits one and shows all about it."""

from __future__ import annotations

import argparse
import json
import textwrap
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from linreg_dyn.claims.core import Claim, Evidence, Part


def add_parser(subparsers: Any) -> None:
    """Add the two commands to the parser of `linreg-dyn`."""
    listing = subparsers.add_parser(
        "claims",
        help="list the registered claims",
        description="List the claims (all, or those whose id is or begins with the one given).",
        epilog="example: linreg-dyn claims ginsburg.thm-3.1",
    )
    listing.add_argument("prefix", nargs="?", metavar="ID", help="an id, or the beginning of ids")
    listing.set_defaults(run=run_claims)
    show = subparsers.add_parser(
        "show",
        help="audit one claim and show its statement, verdict and evidence",
        description="Audit one claim and show all about it: statement, source, verdict, evidence, proof.",
        epilog="example: linreg-dyn show ginsburg.thm-3.1-case-1",
    )
    show.add_argument("id", metavar="ID", help="the id of a claim (linreg-dyn claims lists them)")
    show.add_argument("--seed", type=int, default=0, metavar="N", help="seed of the falsifier (default: 0)")
    show.set_defaults(run=run_show)


def run_claims(args: argparse.Namespace) -> int:
    """One aligned line per claim: id, kind, where it is printed, title."""
    from linreg_dyn import claims as registry

    selected = registry.select([args.prefix] if args.prefix else [])
    name = max(len(claim.id) for claim in selected)
    where = max(len(claim.source.locator) for claim in selected)
    for claim in selected:
        print(f"{claim.id:<{name}}  {claim.kind:<7}  {claim.source.locator:<{where}}  {claim.title}")
    return 0


def run_show(args: argparse.Namespace) -> int:
    """Audit the claim and print what was found."""
    from linreg_dyn import claims as registry

    claim = _one(registry.select([args.id]), args.id)
    print(_text(registry.audit([claim], seed=args.seed)[0]))
    return 0


def _one(selected: list[Claim], name: str) -> Claim:
    """The claim called `name`; the beginning of a single id will do."""
    exact = [claim for claim in selected if claim.id == name]
    if exact:
        return exact[0]
    if len(selected) == 1:
        return selected[0]
    raise ValueError(f"ID {name!r} stands for {len(selected)} claims: {', '.join(claim.id for claim in selected)}")


def _text(item: Evidence) -> str:
    from linreg_dyn.report.words import MEANING, relations

    claim = item.claim
    depths = claim.depths if isinstance(claim.depths, str) else ", ".join(map(str, claim.depths))
    blocks = [
        f"{claim.id}: {claim.title}",
        _block("statement", claim.statement),
        _block("source", f"{claim.source.key}, {claim.source.locator}"),
        _block("kind", claim.kind + "".join(f"; {relation} {other}" for relation, other in relations(claim))),
        _block("read as", claim.reading),
        _block("depths", depths),
        _block("verdict", f"{item.verdict}: {MEANING[item.verdict]}"),
        _block("how", item.method),
        _block("argument", claim.argument),
        _block("witness", item.witness and {k: item.witness[k] for k in item.witness if k != "part"}),
        _block("values", {name: f"[{v['lower']}, {v['upper']}]" for name, v in item.values.items()}),
        _block("samples", f"{item.tried}")
        if claim.measurement
        else _block("falsifier", f"{item.tried} instances tried, {item.admitted} met the assumptions"),
        _block("mutants", f"{item.mutants['refuted']} of {item.mutants['tried']} false variants refuted"),
        *(f"{'':<11}- {about}" for about in claim.variants),
        *(_formal(f"formal {n}", part) for n, part in enumerate(claim.parts, 1)),
        _block("seconds", f"{item.seconds:.2f}"),
    ]
    return "\n".join(block for block in blocks if block)


def _formal(label: str, part: Part) -> str:
    """A formal part, a line for each definition, assumption and conclusion."""
    lines = ["given " + ", ".join(f"{name}: {kind}" for name, kind in part.given.items())]
    lines += [f"where {name} = {text}" for name, text in part.where]
    lines += [f"rate  {name}' = {text}" for name, text in part.rates]
    lines += [f"assume {text}" for text in part.assume] + [f"conclude {text}" for text in part.conclude]
    return "\n".join(f"{label if n == 0 else '':<11}{line}" for n, line in enumerate(lines))


def _block(label: str, content: Any) -> str:
    """A labelled, indented block; nothing for nothing."""
    if not content:
        return ""
    if isinstance(content, dict):
        lines = [f"{key}: {value if isinstance(value, str) else json.dumps(value)}" for key, value in content.items()]
    else:
        lines = textwrap.wrap(str(content), width=96, break_long_words=False, break_on_hyphens=False)
    return "\n".join(f"{label if n == 0 else '':<11}{line}" for n, line in enumerate(lines))

"""Certificates written by hand, for the tests of the checker."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from linreg_dyn.certify import checker

Json = dict[str, Any]


def signed(body: Json) -> Json:
    """The certificate with the digest that belongs to it."""
    rest = {k: v for k, v in body.items() if k != "sha256"}
    return {**rest, "sha256": checker.digest(rest)}


def part(given: Json, conclude: Sequence[str], assume: Sequence[str] = (), where: Sequence[Sequence[str]] = ()) -> Json:
    return {"given": given, "where": [list(w) for w in where], "assume": list(assume), "conclude": list(conclude)}


def proved(statement: Json, *proofs: Json, claim: str = "by-hand") -> Json:
    """A certificate with one part and a proof for each of its relations."""
    parts = [{**statement, "proof": list(proofs)}]
    return signed({"format": checker.FORMAT, "claim": claim, "verdict": "proved", "parts": parts})


def refuted(statement: Json, given: Json, breaks: str | None = None) -> Json:
    """A certificate with a witness against its last conclusion."""
    witness = {"part": 0, "given": given, "breaks": breaks or statement["conclude"][-1]}
    body = {"format": checker.FORMAT, "claim": "by-hand", "verdict": "refuted", "parts": [statement]}
    return signed({**body, "witness": witness})


def combination(*rows: str) -> list[list[Any]]:
    """Rows such as "1/2 : a0.0 * a0.0 * sq x" as the terms of a proof."""
    out: list[list[Any]] = []
    for row in rows:
        coefficient, _, product = row.partition(":")
        names = [n.strip() for n in product.split(" * ") if n.strip()]
        out.append([coefficient.strip(), {n: names.count(n) for n in names}])
    return out


def terms(*rows: str, multiplier: Sequence[str] = ("1",)) -> Json:
    return {"rule": "terms", "multiplier": combination(*multiplier), "terms": combination(*rows)}


def identity(**modulo: str) -> Json:
    return {"rule": "identity", "modulo": {k.replace("_", "."): v for k, v in modulo.items()}}


def have(that: str, by: Json, then: Json, name: str = "h") -> Json:
    return {"rule": "have", "that": that, "name": name, "by": by, "then": then}


def split(on: str, ge: Json, le: Json, *, name: str = "s", **more: Any) -> Json:
    return {"rule": "split", "on": on, "name": name, "ge": ge, "le": le, **more}


def lemma(id: str, bind: Json, assume: Sequence[Json], then: Json, name: str = "q") -> Json:
    return {"rule": "lemma", "id": id, "bind": bind, "assume": list(assume), "name": name, "then": then}


def boxes(tree: Any, precision: Any = (53, 8)) -> Json:
    """An enclosure over boxes: `tree` says how the region is cut, "whole" being not at all."""
    return {"rule": "boxes", "precision": list(precision), "tree": tree}


def by(statement: Json, proofs: list[Json]) -> Json:
    """The certificate by these proofs, with the verdict that its proofs deserve."""
    certificate = proved(statement, *proofs)
    return signed({**certificate, "verdict": checker.shown_by(certificate["parts"])})


def refusal(certificate: Any, lemmas: Json | None = None) -> str | None:
    """Why the checker refuses a certificate, or None if it accepts it."""
    try:
        checker.check_certificate(certificate, lemmas)
    except checker.Refused as error:
        return str(error)
    return None

"""From a claim to its evidence: search, prove, certify, mutate; the verdict follows.

| verdict | when |
| --- | --- |
| refuted | an exact witness was found and the checker accepts it |
| proved | no witness; every part has tactics, and the checker accepts the proofs they find |
| certified | the same, where a proof rests on enclosures over boxes |
| survived | no witness among the admitted instances and no proof, or a measurement that agrees |
| undecided | everything else: no instance admitted, a mutant not refuted, a measurement that disagrees or is missing |

A mutant is a deliberately false variant; a measurement has controls in their place.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

from linreg_dyn.certify import checker, find
from linreg_dyn.claims import falsify
from linreg_dyn.claims.core import Claim, Evidence, Measurement, Unmeasured

MUTANT_TRIES = 400
NOTHING_ADMITTED = (
    "the search admitted no instance of some part: none that was drawn meets what is assumed and has a value; sample= "
    "may draw some"
)


def as_text(given: dict[str, Any]) -> dict[str, Any]:
    """A witness as JSON: exact numbers as strings."""
    return {n: [str(Fraction(x)) for x in v] if isinstance(v, list) else str(Fraction(v)) for n, v in given.items()}


def certificate(claim: Claim, verdict: str, parts: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    """The certificate of a claim, with its digest."""
    out = {
        "format": checker.FORMAT,
        "claim": claim.id,
        "statement": claim.statement,
        "source": str(claim.source),
        "argument": claim.argument,
        "verdict": verdict,
        "parts": parts,
        **more,
    }
    return {**out, "sha256": checker.digest(out)}


def lemmas_of(claim: Claim, registry: dict[str, Claim], cache: dict[str, Any]) -> dict[str, Any]:
    """Certificates of every lemma about the simplex that the registry knows (the claim's own left out)."""
    for other in registry.values():
        if other.id not in cache and any("simplex" in p.given.values() for p in other.parts) and other.id != claim.id:
            parts = [find.certify_part(p.formal(), p.tactics or (), {}) for p in other.parts]
            cache[other.id] = certificate(other, checker.shown_by(parts), parts)
    return cache


def mutants_left(claim: Claim, seed: int) -> list[str]:
    """What is false about the claim's mutants that the falsifier does not refute."""
    left = []
    for mutant in claim.mutants:
        part = mutant.of(claim)
        witness, *_ = falsify.search(part, claim.search_depths, tries=MUTANT_TRIES, seed=seed, more=1)
        left += [mutant.about] if witness is None else []
    return left


def examine(claim: Claim, registry: dict[str, Claim], cache: dict[str, Any], *, seed: int = 0) -> Evidence:
    """Audit one claim."""
    start = time.perf_counter()
    if claim.measurement is not None:
        return measured(claim, claim.measurement)
    tried = admitted = 0
    least = valued = math.inf
    outcome: dict[str, Any] = {}
    for number, part in enumerate(claim.parts):
        given, broken, n, ok, untold = falsify.search(part, claim.search_depths, tries=claim.tries, seed=seed)
        tried, admitted = tried + n, admitted + ok
        least, valued = min(least, ok), min(valued, ok + untold)
        if given is not None:
            witness = {"part": number, "given": as_text(given), "breaks": broken}
            evidence = certificate(claim, "refuted", [p.formal() for p in claim.parts], witness=witness)
            checker.check_certificate(evidence)
            outcome = {
                "verdict": "refuted",
                "method": f"exact witness against part {number + 1} of {len(claim.parts)}",
                "witness": witness,
                "certificate": evidence,
            }
            break
    left = mutants_left(claim, seed)
    if not outcome:
        outcome = _without_witness(claim, registry, cache, left, told=least > 0, valued=valued > 0)
    values = claim.values() if claim.values and outcome["verdict"] in ("proved", "certified") else {}
    return Evidence(
        claim=claim,
        values=values,
        mutants={"tried": len(claim.mutants), "refuted": len(claim.mutants) - len(left)},
        tried=tried,
        admitted=admitted,
        seconds=time.perf_counter() - start,
        **outcome,
    )


def measured(claim: Claim, measurement: Measurement) -> Evidence:
    """What a measurement tells: at best that the claim survived it."""
    start = time.perf_counter()
    controls, verdict, values = measurement.controls, "undecided", {}
    size = contradicted = 0
    try:
        data = measurement.measure()
    except Unmeasured as reason:
        method, values = f"nothing measured decides it: {reason}", reason.values
    else:
        size, agrees = measurement.size(data), measurement.agrees(data)
        contradicted = sum(control.agrees(data) is False for control in controls)
        values = measurement.values(data) if measurement.values else {}
        method = "measured: " + {True: "it agrees", False: "it disagrees", None: "it cannot tell"}[agrees]
        method += f", {measurement.extent(data)}" if measurement.extent else ""
        if agrees and (contradicted < len(controls) or len(controls) < 2):
            method = "the measurement does not contradict every false variant: it may be unable to tell"
        elif agrees:
            verdict = "survived"
    return Evidence(
        claim=claim,
        verdict=verdict,
        method=f"{method} ({measurement.plan})",
        values=values,
        mutants={"tried": len(controls), "refuted": contradicted},
        tried=size,
        admitted=size,
        seconds=time.perf_counter() - start,
    )


def _without_witness(
    claim: Claim, registry: dict[str, Claim], cache: dict[str, Any], left: list[str], *, told: bool, valued: bool
) -> dict[str, Any]:
    """The verdict; every part was `told`, or `valued` without being told, at some instance at least."""
    if not valued:
        return {"verdict": "undecided", "method": NOTHING_ADMITTED}
    if left or len(claim.mutants) < 2:
        lacking = f"mutants not refuted: {', '.join(map(repr, left))}" if left else "fewer than two mutants were given"
        return {"verdict": "undecided", "method": f"{lacking}; the check may be unable to fail"}
    searched = {"verdict": "survived", "method": "falsification search only" + _depths_of(claim)}
    if not told:
        searched = {"verdict": "undecided", "method": "of some part no instance that the search drew could be told"}
    if not all(part.tactics for part in claim.parts):
        return searched
    try:
        lemmas = lemmas_of(claim, registry, cache)
        parts = [find.certify_part(p.formal(), p.tactics or (), lemmas) for p in claim.parts]
        verdict = checker.shown_by(parts)
        evidence = certificate(claim, verdict, parts)
        checker.check_certificate(evidence, lemmas)
    except (find.NotFound, checker.Refused) as error:
        return {**searched, "method": f"{searched['method']}; no proof found ({error})"}
    kind = "exact algebra" if verdict == "proved" else "rational enclosures over boxes and exact algebra"
    how = f"{kind} derived from the statement by the checker"
    if claim.argument:
        how = f"{kind}, and the reduction given as the argument"
    return {"verdict": verdict, "method": how, "certificate": evidence}


def _depths_of(claim: Claim) -> str:
    """At which depths vectors of open depth were searched."""
    if not any(kind in falsify.OPEN for part in claim.parts for kind in part.given.values()):
        return ""
    return f" (depths {', '.join(map(str, claim.search_depths))})"


def audit(
    claims: Sequence[Claim],
    registry: dict[str, Claim],
    *,
    seed: int = 0,
    on_result: Callable[[Evidence], None] | None = None,
) -> list[Evidence]:
    """Evidence for each claim, in order; `on_result` is called as each is done."""
    cache: dict[str, Any] = {}
    results = []
    for claim in claims:
        results.append(examine(claim, registry, cache, seed=seed))
        if on_result is not None:
            on_result(results[-1])
    return results

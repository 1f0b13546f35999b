"""Nothing false is proved: the tactics of a claim fail on its mutants, and where a constant is bent a little."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from linreg_dyn.certify import checker, find
from linreg_dyn.claims import Claim, Mutant, registry
from linreg_dyn.claims.verdict import audit, lemmas_of

PROVED = {name: claim for name, claim in registry().items() if claim.parts and not claim.amended_by}


@pytest.fixture(scope="module")
def lemmas() -> dict[str, Any]:
    return lemmas_of(PROVED["ginsburg.thm-3.1"], registry(), {})


@pytest.mark.parametrize("claim", PROVED.values(), ids=PROVED)
def test_the_proof_of_a_claim_proves_none_of_its_mutants(claim: Claim, lemmas: dict[str, Any]) -> None:
    for mutant in claim.mutants:
        part, tactics = mutant.of(claim), claim.parts[mutant.part].tactics
        with pytest.raises((find.NotFound, checker.Refused, KeyError)):  # KeyError: the assumption was dropped
            find.certify_part(part.formal(), tactics or (), lemmas)


BENT = [
    ("thm-3.1", "7/8", "874/1000"),
    ("thm-3.1.sharp-range", "-1/8 < k", "-124/1000 < k"),
    ("thm-3.1.largest-rate", "q/(1 + r)**2", "101/100*q/(1 + r)**2"),
    ("thm-3.2-factor", "247/256 <", "965/1000 <"),
    ("thm-3.2.sharp-range", "c**2 <= 32/9", "c**2 <= 33/9"),
    ("thm-4.1.largest-rate", "c**2 <= 512/2025", "c**2 <= 520/2025"),
    ("thm-4.1-note.amended", "(1 - delta)**6", "(1 - delta)**5"),
    ("thm-5.1", "1/(2*delta*(1 + delta)*S)", "101/100/(2*delta*(1 + delta)*S)"),
    ("thm-5.1-along-trajectory.amended", "1/(2*(1 + delta)**2*S)", "101/100/(2*(1 + delta)**2*S)"),
    ("simplex-product", "1 - x + x**2/2", "1 - x + 49/100*x**2"),
    ("thm-3.2-note", ">= 1 - 3/5*(W - 1)**2", ">= 1 - 59/100*(W - 1)**2"),
    ("noise-band-kept.amended", "<= (1 - delta)**2", "<= 101/100*(1 - delta)**2"),
    ("noise-optimization.amended", "W < 2", "W < 3"),
    ("sgd-imbalance-to-zero", "4*(1 - delta)**2*lam", "4*(1 - delta)*lam"),
    ("flat-is-balanced", "1/(1 - D)", "1/(1 - 99/100*D)"),
    ("wd-equilibria", "<= (27)/256", "<= (269)/2560"),
]


@pytest.mark.parametrize(("name", "old", "new"), BENT, ids=[f"{name}: {new}" for name, _, new in BENT])
def test_a_claim_with_a_bent_constant_is_not_proved(name: str, old: str, new: str) -> None:
    claim = PROVED[f"ginsburg.{name}"]
    bend = lambda texts: tuple(text.replace(old, new) for text in texts)  # noqa: E731
    parts = tuple(
        replace(
            part,
            where=tuple((n, text.replace(old, new)) for n, text in part.where),
            assume=bend(part.assume),
            conclude=bend(part.conclude),
        )
        for part in claim.parts
    )
    assert parts != claim.parts
    assert verdict_of(with_false_mutants(replace(claim, parts=parts))) in ("refuted", "survived")
    assert verdict_of(with_false_mutants(claim)) == "proved"


def with_false_mutants(claim: Claim) -> Claim:
    """Its own mutants may not apply to a changed text."""
    first = claim.parts[0].conclude[0]
    return replace(claim, mutants=tuple(Mutant(text, replace=((first, text),)) for text in ("1 < 0", "2 < 1")))


def verdict_of(claim: Claim) -> str:
    (item,) = audit([claim], {**registry(), claim.id: claim})
    return item.verdict


def test_too_few_mutants_or_no_instance_leave_a_claim_undecided() -> None:
    claim = with_false_mutants(PROVED["ginsburg.thm-3.1"])
    true = Mutant("a weaker bound", replace=(("7/8", "8/9"),))
    assert verdict_of(replace(claim, mutants=claim.mutants[:1])) == "undecided"
    assert verdict_of(replace(claim, mutants=(*claim.mutants, true))) == "undecided"
    assert verdict_of(replace(claim, parts=(replace(claim.parts[0], assume=("W < 0", "W > 1")),))) == "undecided"
    assert verdict_of(replace(claim, parts=(replace(claim.parts[0], tactics=None),))) == "survived"

"""What verdicts mean, how claims hang together, and the one sentence that sums an audit up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from linreg_dyn.claims.core import Claim, Evidence

MEANING = {
    "proved": "closed by exact algebra for the depths it names",
    "certified": "closed by rigorous enclosure over the whole region it states",
    "survived": "a search for counterexamples failed, or a measurement agrees; this is no proof",
    "refuted": "an exact witness meets every assumption and breaks it",
    "undecided": "neither proved nor refuted; never counted as a pass",
}
# A shape beside the word, so that a verdict is never told by colour alone.
GLYPH = {"proved": "✓", "certified": "◉", "survived": "≈", "refuted": "✗", "undecided": "?"}
KINDS = {
    "printed": "as the paper has it",
    "amended": "a corrected form of a printed claim",
    "sharp": "the best constants behind a claim",
}


def relations(claim: Claim, claims: Sequence[Claim] = ()) -> list[tuple[str, str]]:
    """The claims that `claim` hangs together with, as pairs `(how, id)`; links back are found among `claims`.

    A printed claim and its amendment name each other; a claim called `a.b` is about the claim called `a`.
    """
    found = []
    if claim.amends:
        found.append(("corrects", claim.amends))
    found += [("corrected by", other) for other in _unique([claim.amended_by], claims, amends=claim.id)]
    parents = [other.id for other in claims if claim.id.startswith(other.id + ".")]
    if parents:
        found.append(("is about", max(parents, key=len)))
    found += [("see also", other.id) for other in claims if other.id.startswith(claim.id + ".")]
    seen: set[str] = set()
    return [pair for pair in found if not (pair[1] in seen or seen.add(pair[1]))]


def _unique(named: Sequence[str | None], claims: Sequence[Claim], *, amends: str) -> list[str]:
    return [name for name in named if name] + [other.id for other in claims if other.amends == amends]


def headline(evidence: Sequence[Evidence]) -> str:
    """One sentence: of the printed statements, how many hold, how many do not, how many are open."""
    printed = [item.verdict for item in evidence if item.claim.kind == "printed"]
    if not printed:
        return "No printed statement was audited."
    hold, false = (sum(v in verdicts for v in printed) for verdicts in (("proved", "certified"), ("refuted",)))
    rest = len(printed) - hold - false
    noun = "statement" if len(printed) == 1 else "statements"
    text = f"Of {len(printed)} printed {noun}, {hold} {_is(hold)} shown to be true and {false} to be false"
    return text + (f"; {rest} {_is(rest)} open." if rest else ".")


def _is(n: int) -> str:
    return "is" if n == 1 else "are"

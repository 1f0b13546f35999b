"""Claims as data, the evidence for them, and the verdict computed from it.

A `Claim` is a statement transcribed as printed, in LaTeX for people and as one or more formal `Part`s in the
checker's language (`linreg_dyn.certify.checker`) for machines. `Evidence` is what an audit found; its verdict
is never typed in.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

VERDICTS = ("proved", "certified", "survived", "refuted", "undecided")


@dataclass(frozen=True)
class Source:
    """Where a statement is printed: the key of the paper and a locator within it."""

    key: str
    locator: str


@dataclass(frozen=True)
class Part:
    """One formal statement: for all `given` that satisfy `assume`, with the definitions `where`, `conclude`.

    Everything is text in the checker's expression language, so that the same words are sampled by the
    falsifier, proved, certified and re-checked.
    """

    given: dict[str, str]
    conclude: tuple[str, ...]
    where: tuple[tuple[str, str], ...] = ()
    assume: tuple[str, ...] = ()
    proof: Callable[[], dict[str, Any]] | None = None

    def formal(self) -> dict[str, Any]:
        """The statement as JSON, without its proof."""
        return {
            "given": dict(self.given),
            "where": [list(pair) for pair in self.where],
            "assume": list(self.assume),
            "conclude": list(self.conclude),
        }


@dataclass(frozen=True)
class Claim:
    """A statement with its source, how it was read, how to prove it and how to break it.

    `kind` is `printed` (as the paper has it), `amended` (a corrected form of the printed claim `amends`) or
    `sharp` (the best constants behind it). `reading` says how words were turned into formulas; `argument` is
    the reduction, in words, where the checker does not make it itself.
    """

    id: str
    title: str
    statement: str
    source: Source
    kind: str
    parts: tuple[Part, ...]
    depths: str | tuple[int, ...] = "all"
    amends: str | None = None
    amended_by: str | None = None
    reading: str = ""
    argument: str = ""


@dataclass(frozen=True)
class Evidence:
    """What an audit found about one claim; `to_json` gives the row of `claims.json`."""

    claim: Claim
    verdict: str
    method: str
    witness: dict[str, Any] | None = None
    values: dict[str, dict[str, str]] = field(default_factory=dict)
    mutants: dict[str, int] = field(default_factory=lambda: {"tried": 0, "refuted": 0})
    tried: int = 0
    admitted: int = 0
    certificate: dict[str, Any] | None = None
    seconds: float = 0.0

    def to_json(self, certificate_path: str | None = None) -> dict[str, Any]:
        """The row of `claims.json`, with the path of the certificate that was written (or None)."""
        claim = self.claim
        depths = claim.depths if isinstance(claim.depths, str) else list(claim.depths)
        return {
            "id": claim.id,
            "statement": claim.statement,
            "source": {"key": claim.source.key, "locator": claim.source.locator},
            "kind": claim.kind,
            "amends": claim.amends,
            "amended_by": claim.amended_by,
            "depths": depths,
            "verdict": self.verdict,
            "method": self.method,
            "witness": self.witness,
            "values": self.values,
            "mutants": self.mutants,
            "tried": self.tried,
            "admitted": self.admitted,
            "certificate": certificate_path,
            "seconds": round(self.seconds, 3),
        }

"""Claims as data, the evidence for them, and the verdict computed from it.

A `Claim` is a statement transcribed as printed, in LaTeX for people and as one or more formal `Part`s in the
checker's language (`linreg_dyn.certify.checker`) for machines. `Evidence` is what an audit found; its verdict
is never typed in.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from typing import Any

from linreg_dyn.certify.find import Tactic
from linreg_dyn.files import canonical_json, write_text

VERDICTS = ("proved", "certified", "survived", "refuted", "undecided")


@dataclass(frozen=True)
class Source:
    """Where a statement is printed: the key of the paper and a locator within it."""

    key: str
    locator: str

    def __str__(self) -> str:
        return f"{self.key}, {self.locator}"


Sampler = Callable[[Random, int, int], dict[str, Any]]
"""`(rng, depth, level) -> given`: an instance at this depth, with simpler numbers at lower levels."""


@dataclass(frozen=True)
class Part:
    """One formal statement: for all `given` that satisfy `assume`, with the definitions `where`, `conclude`.

    Everything is text in the checker's expression language, so that the same words are sampled by the
    falsifier, proved, certified and re-checked. `tactics` has one entry for each relation concluded; without
    them the part can only survive or be refuted. `rates` are the time derivatives behind `Dt`.
    """

    given: dict[str, str]
    conclude: tuple[str, ...]
    where: tuple[tuple[str, str], ...] = ()
    assume: tuple[str, ...] = ()
    rates: tuple[tuple[str, str], ...] = ()
    tactics: tuple[Tactic, ...] | None = None
    sample: Sampler | None = None

    def formal(self) -> dict[str, Any]:
        """The statement as JSON, without its proof."""
        statement = {
            "given": dict(self.given),
            "where": [list(pair) for pair in self.where],
            "assume": list(self.assume),
            "conclude": list(self.conclude),
        }
        return {**statement, "rates": [list(pair) for pair in self.rates]} if self.rates else statement


@dataclass(frozen=True)
class Mutant:
    """A false variant of a claim: part number `part` with texts replaced or an assumption dropped.

    Every mutant must be refuted; one that survives takes the verdict away from its claim.
    """

    about: str
    replace: tuple[tuple[str, str], ...] = ()
    drop: int | None = None
    part: int = 0
    sample: Sampler | None = None

    def of(self, claim: Claim) -> Part:
        """The mutated part; raises ValueError if the mutation changes nothing."""
        original = claim.parts[self.part]
        assume = tuple(t for k, t in enumerate(original.assume) if k != self.drop)
        where, rates, conclude = original.where, original.rates, original.conclude
        for old, new in self.replace:
            where = tuple((n, t.replace(old, new)) for n, t in where)
            rates = tuple((n, t.replace(old, new)) for n, t in rates)
            assume = tuple(t.replace(old, new) for t in assume)
            conclude = tuple(t.replace(old, new) for t in conclude)
        mutated = replace(original, where=where, rates=rates, assume=assume, conclude=conclude, tactics=None)
        if mutated.formal() == original.formal():
            raise ValueError(f"mutant {self.about!r} of {claim.id} changes nothing")
        return replace(mutated, sample=self.sample or original.sample)


Judge = Callable[[Any], bool | None]
"""Does the data agree with a statement? None where the data cannot tell."""


@dataclass(frozen=True)
class Control:
    """A false variant of a measured statement, which the same data must contradict."""

    about: str
    agrees: Judge


class Unmeasured(Exception):
    """There is no data that decides; the message says why, and `values` are what there is all the same."""

    def __init__(self, reason: str, values: dict[str, dict[str, str]] | None = None) -> None:
        super().__init__(reason)
        self.values = values or {}


@dataclass(frozen=True)
class Measurement:
    """An experiment whose sizes, seeds, tolerances and judgement are fixed before it is run.

    `measure` returns the data, or raises `Unmeasured` where there is none (a record that was never made). `agrees`
    judges it, by an equivalence test where a number is claimed. Agreement is `survived`, for a measurement proves
    nothing; disagreement is `undecided`, for it is no exact witness either. `plan` says all that was fixed; `size`
    is the number of samples in the data; `values` the numbers measured, as intervals; `extent` says what is there of
    what the claim is about.
    """

    plan: str
    size: Callable[[Any], int]
    measure: Callable[[], Any]
    agrees: Judge
    controls: tuple[Control, ...]
    values: Callable[[Any], dict[str, dict[str, str]]] | None = None
    extent: Callable[[Any], str] | None = None


@dataclass(frozen=True)
class Claim:
    """A statement with its source, how it was read, how to prove it and how to break it.

    `kind` is `printed` (as the paper has it), `amended` (a corrected form of the printed claim `amends`) or
    `sharp` (the best constants behind it). `reading` says how words were turned into formulas; `argument` is
    the reduction, in words, where the checker does not make it itself. `tries` is how many instances of each
    part and depth the falsifier draws (fewer where one takes long). `values` computes enclosures. The
    evidence for a claim is its parts or, where it is about what is drawn or trained, its `measurement`.
    """

    id: str
    title: str
    statement: str
    source: Source
    kind: str
    parts: tuple[Part, ...] = ()
    mutants: tuple[Mutant, ...] = ()
    depths: str | tuple[int, ...] = "all"
    amends: str | None = None
    amended_by: str | None = None
    reading: str = ""
    argument: str = ""
    search_depths: tuple[int, ...] = (1, 2, 3, 5, 8)
    tries: int = 60
    values: Callable[[], dict[str, dict[str, str]]] | None = None
    measurement: Measurement | None = None

    def __post_init__(self) -> None:
        if self.kind not in ("printed", "amended", "sharp"):
            raise ValueError(f"kind of {self.id}: printed, amended or sharp, not {self.kind!r}")
        if (self.kind == "amended") != (self.amends is not None):
            raise ValueError(f"amends of {self.id}: an amended claim names the one that it corrects, and no other does")
        if bool(self.parts) == (self.measurement is not None):
            raise ValueError(f"parts of {self.id}: a claim has formal parts or a measurement, and not both")
        kinds = {kind for part in self.parts for kind in part.given.values()}
        fixed = {int(kind.partition(":")[2]) for kind in kinds if kind.startswith("layers:")}
        if self.depths == "all" and fixed and "layers" not in kinds and not self.argument:
            raise ValueError(f"depths of {self.id}: the formal parts are about depths {sorted(fixed)} only")

    @property
    def variants(self) -> tuple[str, ...]:
        """What is false about each mutant or control."""
        return tuple(v.about for v in (self.measurement.controls if self.measurement else self.mutants))


@dataclass(frozen=True, repr=False)
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

    def __repr__(self) -> str:
        witness = ""
        if self.witness:
            numbers = (f"{n} = {', '.join([x] if isinstance(x, str) else x)}" for n, x in self.witness["given"].items())
            witness = f" ({'; '.join(numbers)} breaks {self.witness['breaks']})"
        return f"<Evidence: {self.claim.id} {self.verdict}, {self.method}{witness}>"

    def save(self, path: str | Path) -> None:
        """Write the certificate to a file, whole or not at all; ValueError where nothing was proved or refuted."""
        if self.certificate is None:
            raise ValueError(f"save needs a certificate, and what is {self.verdict} has none")
        write_text(path, canonical_json(self.certificate))

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

"""Statements of one's own, judged as those of the papers are."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from linreg_dyn._checks import integer
from linreg_dyn.certify import checker
from linreg_dyn.certify.find import Tactic
from linreg_dyn.claims import registry
from linreg_dyn.claims.core import Claim, Evidence, Mutant, Part, Sampler, Source
from linreg_dyn.claims.verdict import examine

OWN = "own"
"""The name of a statement of one's own; no claim has it."""


def judge(
    conclude: str | Sequence[str],
    *,
    given: Mapping[str, str],
    where: Mapping[str, str] | None = None,
    assume: str | Sequence[str] = (),
    mutants: Mapping[str, tuple[str, str]] | None = None,
    tactics: Tactic | Sequence[Tactic] | None = None,
    sample: Sampler | None = None,
    rates: Mapping[str, str] | None = None,
    tries: int = 60,
    depths: Sequence[int] = (1, 2, 3, 5, 8),
    seed: int = 0,
) -> Evidence:
    """Judge a statement: for all `given` for which `assume` holds, with the definitions `where`, `conclude` holds.

    For example, that gradient descent at the rate `c / Sum(1/w**2)` never increases the loss near the minimum:

        judge(
            "abs(Prod(v) - 1) <= abs(W - 1)",
            given={"w": "layers", "c": "real"},
            where={"W": "Prod(w)", "v": "w - 2*c/Sum(1/w**2)*(W - 1)*W/w"},
            assume=["abs(W - 1) < 1/2", "0 < c", "c <= 1"],
        )

    Everything is text in this language; what is defined nowhere else in it is refused.

    | text | is |
    | --- | --- |
    | `1`, `3/4`, `+ - * /`, `x**2` | whole numbers (no decimals), arithmetic, integer powers up to 64 |
    | `w`, `w[i]`, `w[j]`, `w[0]` | a vector, entry by entry; any two layers; an entry (fixed depth in proofs) |
    | `[x, 2*y]` | a vector that is written out |
    | `Sum(v)`, `Prod(v)`, `Size(v)` | over the entries of a vector: all layers of a net |
    | `Mean(v)` | over the entries, all values of a "sample" being equally likely |
    | `Max(v)`, `Min(v)` | the largest and least entry, if all are rational (never in proofs) |
    | `Batches(v, 2)` | the means of all batches of two entries (a vector of given size in proofs) |
    | `D(f, w)`, `D(f, w[i])`, `D(f, x)` | partial derivatives: all as a vector, by one layer, by a number |
    | `Dt(f)` | the derivative along the flow with the `rates` (fixed depth in proofs) |
    | `abs(x)`, `exp(x)`, `Integral(f, s, a, b)` | the last over s from a to b, without poles (fixed depth in proofs) |
    | `a == b`, `!=`, `<`, `<=`, `>`, `>=` | a relation, or a chain of them, between numbers, or entry by entry |

    The weights of "layers" are never 0. Where something has no value, as 1/0, a statement says nothing.

    Args:
        conclude: relations, all of which are to hold.
        given: names, and what they stand for: "layers" (the weights of a net of any depth), "layers:3" (of one depth),
            "real", "vector:3" (numbers), "simplex" (a point of it, of any size), "sample" (numbers, as many as there
            may be; needs a `sample` of yours).
        where: definitions, in order.
        assume: relations.
        mutants: false variants by what is false about them, each a text to replace and its replacement. Without two
            at least, all of which are refuted, a statement that is not refuted stays undecided: the search may be
            unable to find anything.
        tactics: how to prove each relation (`linreg_dyn.certify.find`); without, the statement can only survive.
            `abs(e) <= b` is two relations, `e <= b` and `-b <= e`, and so is the chain `a <= e <= b`.
        sample: draws instances, `(rng, depth, level) -> given` (default: of all sizes and shapes). Assumptions that
            chance hardly ever meets need one.
        rates: the time derivatives of given names, behind `Dt`.
        tries: how many instances are drawn, at each depth.
        depths: at which "layers" and "simplex" are searched. A proof is for every depth; what only survives may fail
            at another one, as `Size(w) != 4`.
        seed: of the search.

    Returns:
        The evidence: `verdict` ("refuted", "proved", "certified", "survived", "undecided"), `method`, `witness` (exact
        numbers for which all is assumed and a conclusion fails), `certificate` for the stand-alone checker and
        `linreg-dyn check`, which `save(path)` writes. One that uses `find.lemma` is checked with the lemma's beside it
        (`linreg-dyn audit LEMMA --certificates DIR`).

    Raises:
        TypeError, ValueError: an argument is not as above, a statement cannot be read, or a mutant changes nothing.
    """
    part = Part(
        given={name: _kind(name, kind) for name, kind in _pairs("given", given)},
        conclude=_texts("conclude", conclude),
        where=tuple((name, _text(f"where[{name!r}]", text)) for name, text in _pairs("where", where)),
        assume=_texts("assume", assume),
        rates=tuple((name, _text(f"rates[{name!r}]", text)) for name, text in _pairs("rates", rates)),
        tactics=None if tactics is None else _tactics(tactics),
        sample=sample,
    )
    if not part.given or not part.conclude:
        raise ValueError("conclude and given must not be empty")
    variants = tuple(Mutant(about, replace=(_change(about, pair),)) for about, pair in _pairs("mutants", mutants))
    search = {"tries": integer("tries", tries, least=1, most=10**6), "search_depths": _depths(depths)}
    seed = integer("seed", seed, least=0, most=2**64 - 1)
    try:
        relations = len([*checker.goals_of(part.formal())])
        if part.tactics is not None and len(part.tactics) != relations:
            raise ValueError(f"tactics must be one for each of {relations} relations, got {len(part.tactics)}")
        return examine(_claim(part, variants, **search), registry() if part.tactics else {}, {}, seed=seed)
    except checker.Refused as error:
        raise ValueError(f"the statement cannot be read: {error}") from None
    except SyntaxError as error:
        raise ValueError(f"the statement cannot be read: {error.msg} in {(error.text or '').strip()!r}") from None
    except (RecursionError, MemoryError):  # the latter from Python's parser
        raise ValueError("the statement cannot be read: nested too deeply, or defined by itself") from None


def _claim(part: Part, mutants: tuple[Mutant, ...], **search: Any) -> Claim:
    statement = " and ".join(part.conclude)
    fixed = {int(kind.partition(":")[2]) for kind in part.given.values() if kind.startswith("layers:")}
    return Claim(
        id=OWN,
        title=statement,
        statement=statement,
        source=Source(OWN, "given"),
        kind="printed",
        parts=(part,),
        mutants=mutants,
        depths=tuple(sorted(fixed)) or "all",
        **search,
    )


def _pairs(name: str, given: Any) -> list[tuple[Any, Any]]:
    if given is not None and not isinstance(given, Mapping):
        raise TypeError(f"{name} must be a mapping, as in {{'w': ...}}, got {given!r}")
    return [*(given or {}).items()]


def _tactics(given: Any) -> tuple[Tactic, ...]:
    tactics = tuple(given) if isinstance(given, Sequence) else (given,)
    for tactic in tactics:
        if not callable(tactic):
            raise TypeError(f"tactics must be functions of linreg_dyn.certify.find, got {tactic!r}")
    return tactics


def _depths(given: Any) -> tuple[int, ...]:
    if not isinstance(given, Sequence) or isinstance(given, str) or not given:
        raise TypeError(f"depths must be a sequence of depths, as (1, 2, 3), got {given!r}")
    return tuple(sorted({integer("depths", n, least=1, most=checker.LARGEST_SIZE) for n in given}))


def _change(about: str, pair: Any) -> tuple[str, str]:
    change = _texts(f"mutants[{about!r}]", pair)
    if len(change) != 2:
        raise ValueError(f"mutants[{about!r}] must be a text and its replacement, got {pair!r}")
    return change[0], change[1]


def _kind(name: str, kind: Any) -> str:
    if not isinstance(kind, str) or not re.fullmatch(r"(layers|vector):[1-9]\d*|layers|real|sample|simplex", kind):
        kinds = "'layers', 'layers:N', 'vector:N', 'real', 'sample' or 'simplex'"
        raise ValueError(f"given[{name!r}] must be {kinds}, got {kind!r}")
    return kind


def _text(name: str, given: Any, allowed: str = "text") -> str:
    if not isinstance(given, str):
        raise TypeError(f"{name} must be {allowed}, got {given!r}")
    return given


def _texts(name: str, given: Any) -> tuple[str, ...]:
    texts = [given] if isinstance(given, str) or not hasattr(given, "__iter__") else given
    return tuple(_text(name, text, "text, or several") for text in texts)

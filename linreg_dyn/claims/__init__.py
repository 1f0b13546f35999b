"""Claims of the papers, and their audit.

claims = select(["ginsburg.thm"])
evidence = audit(claims)
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from functools import cache

from linreg_dyn.claims.core import VERDICTS, Claim, Evidence, Mutant, Part, Source

__all__ = ["VERDICTS", "Claim", "Evidence", "Mutant", "Part", "Source", "audit", "registry", "select"]


@cache
def registry() -> dict[str, Claim]:
    """Every claim by its id, in the order of the papers."""
    from linreg_dyn.claims import adaptive, chen, ginsburg, golatkar, lewkowycz

    papers = ginsburg, lewkowycz, golatkar, chen, adaptive
    out: dict[str, Claim] = {}
    for claim in (claim for paper in papers for claim in paper.CLAIMS):
        if claim.id in out:
            raise ValueError(f"claim {claim.id} is defined twice")
        out[claim.id] = claim
    return out


def select(prefixes: Sequence[str] = ()) -> list[Claim]:
    """The claims whose id is one of, or lies below one of, the prefixes; all of them without any.

    A prefix is a whole id, or one cut anywhere ("ginsburg", "ginsburg.thm-3"). Raises ValueError for a prefix
    that no claim has, naming the closest ids.
    """
    claims = registry()
    if not prefixes:
        return list(claims.values())
    chosen: dict[str, Claim] = {}
    for prefix in prefixes:
        found = (
            {prefix: claims[prefix]} if prefix in claims else {i: c for i, c in claims.items() if i.startswith(prefix)}
        )
        if not found or not prefix:
            close = difflib.get_close_matches(prefix, claims, n=3, cutoff=0.4)
            hint = f"; the closest are {', '.join(close)}" if close else ""
            raise ValueError(f"claim: no claim has the id or prefix {prefix!r}{hint}")
        chosen.update(found)
    return [claim for claim in claims.values() if claim.id in chosen]


def audit(
    claims: Sequence[Claim], *, seed: int = 0, on_result: Callable[[Evidence], None] | None = None
) -> list[Evidence]:
    """Evidence for each claim, in order; `on_result` is called with each as soon as it is there.

    TypeError or ValueError where `seed` is no integer from 0 to 2^64 - 1.
    """
    from linreg_dyn._checks import integer
    from linreg_dyn.claims.verdict import audit as run

    seed = integer("seed", seed, least=0, most=2**64 - 1)
    return run(claims, registry(), seed=seed, on_result=on_result)

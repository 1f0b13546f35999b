"""The report's page: one self-contained HTML file, rendered from the evidence of an audit."""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jinja2

from linreg_dyn.claims.core import VERDICTS
from linreg_dyn.report.mathml import prose, statement
from linreg_dyn.report.words import GLYPH, KINDS, MEANING, headline, relations

if TYPE_CHECKING:
    from linreg_dyn.claims.core import Evidence

TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True)
class Figure:
    """A picture to show: its name, its bytes as PNG, its caption (text with `$math$`), its claims."""

    name: str
    png: bytes
    caption: str = ""
    claims: tuple[str, ...] = ()

    @property
    def url(self) -> str:
        """The picture itself, as a `data:` address."""
        return "data:image/png;base64," + base64.b64encode(self.png).decode("ascii")


def figures(directory: str | Path) -> list[Figure]:
    """The PNG pictures of a directory, by name, as `linreg-dyn figures` leaves them.

    In the `.txt` file beside a picture the first paragraph is the caption; a line that begins with `[id]`
    names a claim that the picture shows.
    """
    found = []
    for path in sorted(Path(directory).glob("*.png")):
        beside = path.with_suffix(".txt")
        text = beside.read_text(encoding="utf-8") if beside.exists() else ""
        shown = re.findall(r"^\[([^\s\]]+)\]", text, re.MULTILINE)
        found.append(Figure(path.stem, path.read_bytes(), text.partition("\n\n")[0].strip(), tuple(shown)))
    return found


def links(ids: Sequence[str], certificates: str | Path | None, start: str | Path) -> dict[str, str]:
    """Paths of the certificates of `ids` in the directory `certificates`, seen from the directory `start`."""
    if certificates is None:
        return {}
    directory = Path(os.path.relpath(certificates, start)).as_posix()
    return {name: f"{directory}/{name}.json" for name in ids}


def render(
    evidence: Sequence[Evidence],
    meta: Mapping[str, Any],
    *,
    certificates: Mapping[str, str] | None = None,
    figures: Sequence[Figure] = (),
) -> str:
    """The page as text.

    Args:
        evidence: what the audit found; the order of the page is the order given (that of the paper).
        meta: `linreg_dyn.report.metadata` of the same evidence.
        certificates: address of each certificate that was written, by claim id, as seen from the page.
        figures: pictures to embed.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["prose"] = prose
    environment.filters["statement"] = statement
    environment.filters["depths"] = depths
    claims = [item.claim for item in evidence]
    addresses = dict(certificates or {})
    return environment.get_template("index.html").render(
        evidence=evidence,
        meta=meta,
        headline=headline(evidence),
        sources=list(dict.fromkeys(claim.source.key for claim in claims)),
        verdicts=VERDICTS,
        kinds=[kind for kind in KINDS if any(claim.kind == kind for claim in claims)],
        meaning=MEANING,
        glyph=GLYPH,
        kind_meaning=KINDS,
        related={claim.id: relations(claim, claims) for claim in claims},
        present={claim.id for claim in claims},
        certificates=addresses,
        certificate_directory=next((address.rpartition("/")[0] for address in addresses.values()), None),
        figures=figures,
    )


def depths(value: str | Sequence[int]) -> str:
    """`all`, or numbers with runs of three and more joined: `2–8, 16`."""
    if isinstance(value, str):
        return value
    runs: list[list[int]] = []
    for n in sorted(value):
        if runs and n == runs[-1][-1] + 1:
            runs[-1].append(n)
        else:
            runs.append([n])
    return ", ".join(f"{run[0]}–{run[-1]}" if len(run) > 2 else ", ".join(map(str, run)) for run in runs)

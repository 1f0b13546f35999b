"""The report of an audit: one self-contained HTML page, and what it says in words."""

from linreg_dyn.report.html import Figure, figures, links, render
from linreg_dyn.report.meta import metadata
from linreg_dyn.report.words import GLYPH, MEANING, headline, relations

__all__ = ["GLYPH", "MEANING", "Figure", "figures", "headline", "links", "metadata", "relations", "render"]

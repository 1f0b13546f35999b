"""Text with LaTeX mathematics as HTML with MathML; what cannot be rendered faithfully stays source."""

from __future__ import annotations

import re
import warnings
from xml.etree import ElementTree

import latex2mathml.converter
from markupsafe import Markup, escape

_DELIMITED = re.compile(r"\$\$(.+?)\$\$|\\\[(.+?)\\\]|\$(.+?)\$|\\\((.+?)\\\)", re.DOTALL)
# `\text{}` as an index stays with its formula
_BREAKS = re.compile(
    r"(?P<open>\\left\b|\\begin\{\w+\*?\}|(?<!\\)\{)|(?P<close>\\right\b|\\end\{\w+\*?\}|(?<!\\)\})"
    r"|(?<![_^])\\text\{(?P<text>[^{}]*)\}|(?P<space>\\q?quad\b|(?<=[,;])\\ )"
    r"|(?P<implies>\\(?:Rightarrow|Longrightarrow|implies|iff|Leftrightarrow)\b)"
)
_NAMESPACE = "{http://www.w3.org/1998/Math/MathML}"
_TAGS = re.compile(
    re.escape(_NAMESPACE) + "(math|mrow|mi|mo|mn|ms|mtext|mspace|mfrac|msqrt|mroot|mstyle|mpadded|mphantom|msub"
    "|msup|msubsup|munder|mover|munderover|mtable|mtr|mtd|menclose|mmultiscripts|mprescripts)"
)
_ATTRIBUTES = re.compile(
    "display|displaystyle|scriptlevel|mathvariant|mathsize|stretchy|fence|form|minsize|maxsize|symmetric|largeop"
    "|movablelimits|separator|accent|accentunder|linethickness|columnalign|rowspacing|columnspacing|columnlines"
    "|rowlines|width|height|depth|lspace|rspace|voffset|notation"
)


def prose(text: str) -> Markup:
    r"""Text with mathematics in `$...$`, `\(...\)`, `$$...$$` or `\[...\]` as HTML."""
    out, end = Markup(), 0
    for match in _DELIMITED.finditer(text):
        displayed, inline = match[1] or match[2], match[3] or match[4]
        out += escape(text[end : match.start()])
        out += mathml(displayed or inline, display=bool(displayed))
        end = match.end()
    return out + escape(text[end:])


def statement(latex: str) -> Markup:
    r"""A statement as HTML: text with delimited mathematics, or without any delimiter LaTeX as a whole.

    A browser does not break a formula over lines, so LaTeX as a whole is cut, outside of braces, at its
    `\text{...}`, at wide spaces and before implications.
    """
    if _DELIMITED.search(latex):
        return prose(latex)
    parts = _pieces(latex)
    pieces = [escape(words) if words else mathml(formula) for formula, words in parts]
    if any('class="latex"' in piece or "\\" in words for piece, (_, words) in zip(pieces, parts, strict=True)):
        return _source(latex)
    return Markup().join(pieces)


def _pieces(latex: str) -> list[tuple[str, str]]:
    """The parts between which a line may break, in order: pairs of which one is empty, `(formula, words)`."""
    pieces, start, depth = [], 0, 0
    for match in _BREAKS.finditer(latex):
        token, end = match[0], match.start()
        if match["open"]:
            depth += 1
        elif match["close"]:
            depth -= 1
        elif depth == 0 and (match["text"] is not None or match["space"] or match["implies"]):
            words = (match["text"] or " ").replace(r"\%", "%")
            pieces += [(latex[start:end].strip(), ""), ("", words)]
            start = match.start() if match["implies"] else end + len(token)
    pieces.append((latex[start:].strip(), ""))
    return [piece for piece in pieces if any(piece)]


def mathml(latex: str, *, display: bool = False) -> Markup:
    """One formula as MathML, its source as title and annotation; the source as code where that fails.

    The converter passes unknown commands through and does not escape text, so its output is taken only if it
    is MathML and nothing else.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ElementTree.fromstring(latex2mathml.converter.convert(latex))
    except Exception:  # whatever the converter stumbles on, the source says what was meant
        tree = None
    if tree is None or not _faithful(tree):
        return _source(latex)
    _pair_bars(tree)
    ElementTree.register_namespace("", _NAMESPACE[1:-1])
    content = Markup("".join(ElementTree.tostring(child, encoding="unicode") for child in tree))
    return Markup(
        '<span class="math" title="{}"><math display="{}" alttext="{}"><semantics>{}'
        '<annotation encoding="application/x-tex">{}</annotation></semantics></math></span>'
    ).format(latex, "block" if display else "inline", latex, content, latex)


def _pair_bars(tree: ElementTree.Element) -> None:
    """Bars of absolute values, opening and closing in turn, so that a browser spaces them as brackets."""
    bars = [e for e in tree.iter(f"{_NAMESPACE}mo") if e.text == "|" and "form" not in e.attrib]
    for number, bar in enumerate(bars):
        bar.attrib.update(form="postfix" if number % 2 else "prefix", fence="true")


def _source(latex: str) -> Markup:
    return Markup('<code class="latex">{}</code>').format(latex)


def _faithful(tree: ElementTree.Element) -> bool:
    return all(
        _TAGS.fullmatch(element.tag)
        and all(_ATTRIBUTES.fullmatch(name) for name in element.attrib)
        and "\\" not in (element.text or "") + (element.tail or "")
        for element in tree.iter()
    )

"""Mathematics of claims as MathML."""

import re

import pytest
from markupsafe import escape

from linreg_dyn.report.mathml import mathml, prose, statement


# ---------------------------------------------------------------- mathematics
@pytest.mark.parametrize(
    "latex",
    [
        r"\lambda(\boldsymbol{w}) = \frac{1}{4\sum_i 1/w_i^2}",
        r"\left(\tfrac23\right)^5 \le \max_{i,j} \bigl|\,\|w_i\|^2 - \|w_j\|^2\bigr|",
        r"\begin{bmatrix} a & b \\ c & d \end{bmatrix}",
        r"\frac{dL}{dt} = -4\lambda W^2 \Big(\sum \frac{1}{w_i^2}\Big) L(t) \le 0",
    ],
)
def test_mathematics_becomes_mathml_with_its_source(latex):
    text = str(mathml(latex))
    assert "<math " in text
    assert str(prose("")) == ""
    source = re.search(r'<annotation encoding="application/x-tex">(.*?)</annotation>', text, re.DOTALL)
    assert source
    assert source[1] == latex.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


@pytest.mark.parametrize(
    "latex",
    [
        r"\unknowncommand{x}",
        r"\text{<script>alert(1)</script>}",
        r"\text{<b>}",
        r"\href{javascript:alert(1)}{x}",
        "{",
    ],
)
def test_what_cannot_be_rendered_is_shown_as_its_source(latex):
    text = str(mathml(latex))
    assert text.startswith('<code class="latex">')
    assert "<script" not in text
    assert "<b>" not in text
    assert "href" not in text.replace(r"\href", "")


def test_prose_mixes_text_and_mathematics():
    text = str(prose(r"If $W < 1$ & \(x^2\) then <b> $$y = 2$$"))
    assert text.count("<math ") == 3
    assert text.count('display="block"') == 1
    assert "If <span" in text
    assert " &amp; <span" in text
    assert "&lt;b&gt;" in text


def test_a_text_without_delimiters_is_text_and_a_statement_without_them_is_mathematics():
    assert str(prose("w_1 <= 2")) == "w_1 &lt;= 2"
    assert str(statement(r"w_1 \le 2")) == str(mathml(r"w_1 \le 2"))
    assert str(statement("If $x$")) == str(prose("If $x$"))


@pytest.mark.parametrize(
    ("latex", "pieces"),  # formulas at even places, what lies between them at odd ones
    [
        (r"a = b,\ c \text{ and <so> } d", ["a = b,", " ", "c", " and <so> ", "d"]),
        (r"a \Rightarrow b \quad c", ["a", " ", r"\Rightarrow b", " ", "c"]),
        (r"\frac{a \text{ or } b}{c \quad d} \quad e", [r"\frac{a \text{ or } b}{c \quad d}", " ", "e"]),
        (
            r"\begin{matrix} a \quad b \end{matrix}_\text{x y}",
            [r"\begin{matrix} a \quad b \end{matrix}_\text{x y}"],
        ),
        (r"\left( a \implies b \right)", [r"\left( a \implies b \right)"]),
        (r"\max\{a, b\} \quad c", [r"\max\{a, b\}", " ", "c"]),
    ],
)
def test_statements_break_where_a_reader_would(latex, pieces):
    rendered = [str(escape(piece) if n % 2 else mathml(piece)) for n, piece in enumerate(pieces)]
    assert str(statement(latex)) == "".join(rendered)


def test_a_statement_is_rendered_whole_or_shown_as_its_source():
    assert str(statement(r"a \quad \unknowncommand b")) == r'<code class="latex">a \quad \unknowncommand b</code>'
    assert str(statement(r"a \text{ \emph b }")).startswith("<code")

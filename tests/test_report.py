"""The report: what it says, that it is safe and self-contained, and that it works in a browser."""

import re
import shutil
from dataclasses import replace

import pytest
from markupsafe import escape

from linreg_dyn import report
from linreg_dyn.claims import VERDICTS, registry
from linreg_dyn.report import html, words
from linreg_dyn.report.mathml import mathml, prose, statement
from tests import fake_registry

EVIDENCE = fake_registry.audit(fake_registry.CLAIMS)
IDS = [item.id for item in fake_registry.CLAIMS]
PICTURE = bytes.fromhex(  # one white pixel
    "89504e470d0a1a0a0000000d49484452000000010000000108000000003a7e9b550000000a49444154789c63f80f00010101001bb6ee56"
    "0000000049454e44ae426082"
)


def page(evidence=EVIDENCE, **more):
    links = report.links([item.claim.id for item in evidence if item.certificate], "out/certificates", "out")
    return report.render(evidence, report.metadata(evidence, seed=3), certificates=links, **more)


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


# ---------------------------------------------------------------- words
def test_every_verdict_has_a_meaning_and_a_shape_of_its_own():
    assert tuple(words.MEANING) == tuple(words.GLYPH) == VERDICTS
    assert len(set(words.GLYPH.values())) == len(VERDICTS)


def test_relations_go_both_ways():
    by_id = {item.id: words.relations(item, fake_registry.CLAIMS) for item in fake_registry.CLAIMS}
    assert by_id["fake.loss"] == [("corrected by", "fake.loss-fixed")]
    assert by_id["fake.loss-fixed"] == [("corrects", "fake.loss")]
    assert by_id["fake.step"] == [("see also", "fake.step.largest-rate")]
    assert by_id["fake.step.largest-rate"] == [("is about", "fake.step")]
    assert by_id["fake.open"] == []


def test_an_amendment_is_found_from_its_side_alone():
    claims = [replace(item, amended_by=None) for item in fake_registry.CLAIMS]
    assert words.relations(claims[1], claims) == [("corrected by", "fake.loss-fixed")]


def test_the_headline_counts_printed_statements_only():
    assert words.headline(EVIDENCE) == (
        "Of 4 printed statements, 1 is shown to be true and 1 to be false; 2 are open."
    )  # fmt: skip
    assert words.headline(EVIDENCE[:2]) == "Of 2 printed statements, 1 is shown to be true and 1 to be false."
    assert words.headline(EVIDENCE[2:3]) == "No printed statement was audited."


@pytest.mark.parametrize(
    ("value", "text"), [("all", "all"), ((2, 3, 4, 5, 8), "2–5, 8"), ([3, 2], "2, 3"), ((1,), "1"), ((), "")]
)
def test_depths(value, text):
    assert html.depths(value) == text


def test_links_are_relative_to_the_page(tmp_path):
    assert report.links(["a.b"], tmp_path / "r" / "c", tmp_path / "r") == {"a.b": "c/a.b.json"}
    assert report.links(["a.b"], tmp_path / "c", tmp_path / "r") == {"a.b": "../c/a.b.json"}
    assert report.links(["a.b"], None, tmp_path) == {}


def test_figures_take_caption_and_claims_from_the_text_beside_them(tmp_path):
    (tmp_path / "b.png").write_bytes(PICTURE)
    (tmp_path / "a.png").write_bytes(PICTURE)
    (tmp_path / "a.txt").write_text("Caption of\n$w$.\n\n[fake.loss] somewhere\n    x\n[fake.step] elsewhere\n")
    first, second = report.figures(tmp_path)
    assert (first.name, first.caption, first.claims) == ("a", "Caption of\n$w$.", ("fake.loss", "fake.step"))
    assert (second.name, second.caption, second.claims) == ("b", "", ())
    assert report.figures(tmp_path / "missing") == []


def test_metadata_says_where_the_numbers_come_from(monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "0")
    meta = report.metadata(EVIDENCE, seed=5)
    assert meta["created"] == "1970-01-01T00:00:00+00:00"
    assert meta["seed"] == 5
    assert sum(meta["counts"].values()) == len(EVIDENCE)
    assert meta["commit"] is None or re.fullmatch(r"[0-9a-f]{40}(-dirty)?", meta["commit"])
    assert meta["libraries"]["sympy"]


# ---------------------------------------------------------------- the page as text
def test_the_page_is_self_contained_and_escapes_what_it_is_given():
    text = page(figures=[report.Figure("fig1", PICTURE, "A <b> caption", ("fake.loss",))])
    assert not re.search(r'(?:src|href)="(?:https?:|//)', text)
    assert '<link rel="stylesheet' not in text
    assert "alert(1)" in text
    assert "<script>alert" not in text
    assert "A &lt;b&gt; caption" in text


def test_the_page_without_certificates_says_so():
    text = report.render(EVIDENCE, report.metadata(EVIDENCE, seed=0))
    assert "No certificates were written" in text
    assert ".json" not in text.partition("<script>")[0]


def test_every_claim_and_everything_found_is_on_the_page():
    text = page()
    for item in EVIDENCE:
        assert f'id="{item.claim.id}"' in text
        assert item.method in text
    for expected in ("[0.249, 0.251]", "the flow, with time in units of the step", "2–5, 8", "12,000"):
        assert expected in text


def test_every_registered_formula_is_rendered_as_mathematics():
    for claim in registry().values():
        assert 'class="latex"' not in statement(claim.statement), f"{claim.id}: {claim.statement}"
        for text in (claim.title, claim.reading, claim.argument, *(mutant.about for mutant in claim.mutants)):
            assert 'class="latex"' not in prose(text), f"{claim.id}: {text}"


# ---------------------------------------------------------------- the page in a browser
@pytest.fixture(scope="module")
def browser():
    sync_api = pytest.importorskip("playwright.sync_api")
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("no Chromium on this machine")
    with sync_api.sync_playwright() as playwright:
        switches = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        chromium = playwright.chromium.launch(executable_path=program, args=switches)
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    directory = tmp_path_factory.mktemp("report")
    (directory / "certificates").mkdir()
    for name in IDS:
        (directory / "certificates" / f"{name}.json").write_text("{}")
    figures = [report.Figure("fig1", PICTURE, "A caption with $x^2$", ("fake.loss",))]
    (directory / "index.html").write_text(page(figures=figures), encoding="utf-8")
    return (directory / "index.html").as_uri()


@pytest.fixture
def opened(browser, address):
    """Opens the page at a fragment; at the end nothing may have been complained about or fetched."""
    complaints, pages = [], []

    def open_at(fragment="", **more):
        tab = browser.new_page(**more)
        pages.append(tab)
        tab.on("console", lambda message: complaints.append(message.text))
        tab.on("pageerror", lambda error: complaints.append(str(error)))
        tab.on(
            "request",
            lambda request: request.url.startswith(("file:", "data:")) or complaints.append(request.url),
        )
        tab.goto(address + fragment)
        return tab

    yield open_at
    for tab in pages:
        tab.close()
    assert complaints == []


def shown(tab):
    return tab.eval_on_selector_all("tbody.claim", "all => all.filter(e => !e.hidden).map(e => e.id)")


def visible_evidence(tab):
    return tab.eval_on_selector_all(
        ".panel", "all => all.filter(e => e.checkVisibility()).map(e => e.closest('tbody').id)"
    )


@pytest.mark.browser
def test_the_watch_for_complaints_can_see_them(browser):
    complaints = []
    tab = browser.new_page()
    tab.on("console", lambda message: complaints.append(message.text))
    tab.set_content("<script>console.error('seen')</script>")
    tab.close()
    assert complaints == ["seen"]


@pytest.mark.browser
def test_every_claim_opens_and_closes_its_evidence(opened):
    tab = opened()
    assert visible_evidence(tab) == []
    for name in IDS:
        button = tab.locator(f'[id="{name}"] .open')
        button.click()
        assert visible_evidence(tab) == [name]
        assert button.get_attribute("aria-expanded") == "true"
        panel = tab.locator(f'[id="{name}"] .panel').inner_text()
        assert "made up as" in panel
        assert "false variants refuted" in panel
        button.press("Enter")
        assert visible_evidence(tab) == []


@pytest.mark.browser
def test_open_all_shows_all_evidence(opened):
    tab = opened()
    tab.click("#toggle-all")
    assert visible_evidence(tab) == IDS
    tab.click("#toggle-all")
    assert visible_evidence(tab) == []


# What each column sorts by, from the evidence alone.
KEYS = {
    "Claim": lambda item: item.claim.id,
    "Where": lambda item: IDS.index(item.claim.id),
    "Kind": lambda item: item.claim.kind,
    "Verdict": lambda item: VERDICTS.index(item.verdict),
    "Depths": lambda item: float("inf") if item.claim.depths == "all" else len(item.claim.depths),
    "Mutants": lambda item: item.mutants["refuted"],
    "Instances": lambda item: item.admitted,
    "Seconds": lambda item: item.seconds,
}


@pytest.mark.browser
@pytest.mark.parametrize("name", KEYS)
def test_every_column_sorts_both_ways(opened, name):
    tab = opened()
    assert [text.split()[0] for text in tab.locator("thead th").all_inner_texts()] == list(KEYS)
    header = tab.locator("thead th", has_text=name)
    evidence = {item.claim.id: item for item in EVIDENCE}
    before = header.get_attribute("aria-sort")
    for direction in ["descending", "ascending"] if before == "ascending" else ["ascending", "descending"]:
        header.locator("button").press("Enter")
        assert header.get_attribute("aria-sort") == direction
        assert tab.locator("thead th[aria-sort]").count() == 1
        order = shown(tab)
        assert sorted(order) == sorted(IDS)
        keys = [KEYS[name](evidence[claim]) for claim in order]
        assert keys == sorted(keys, reverse=direction == "descending")


@pytest.mark.browser
def test_sorting_moves_the_evidence_with_its_claim(opened):
    tab = opened("#fake.loss")
    tab.locator("thead button", has_text="Seconds").click()
    assert shown(tab) != IDS
    assert visible_evidence(tab) == ["fake.loss"]


@pytest.mark.browser
def test_text_filters_by_every_word_in_the_evidence(opened):
    tab = opened()
    tab.fill("#search", "MADE refuted")
    assert "fake.loss" in shown(tab)
    tab.fill("#search", "k <= 7/8 1/2 witness part")
    assert shown(tab) == ["fake.loss"]
    assert tab.inner_text("#shown") == "1 of 6 claims"
    tab.fill("#search", "no such words")
    assert shown(tab) == []
    tab.click("#reset")
    assert shown(tab) == IDS
    assert tab.input_value("#search") == ""


@pytest.mark.browser
def test_chips_filter_by_verdict_and_kind(opened):
    tab = opened()
    press = lambda value: tab.locator(f'[data-value="{value}"]').press("Space")  # noqa: E731
    press("proved")
    assert shown(tab) == ["fake.step", "fake.step.largest-rate"]
    press("refuted")
    assert shown(tab) == ["fake.step", "fake.loss", "fake.step.largest-rate"]
    press("printed")
    assert shown(tab) == ["fake.step", "fake.loss"]
    assert tab.locator('[data-value="printed"]').get_attribute("aria-pressed") == "true"
    for value in ("proved", "refuted", "printed"):
        press(value)
    assert shown(tab) == IDS


@pytest.mark.browser
@pytest.mark.parametrize("name", IDS)
def test_deep_links_open_their_claim(opened, name):
    tab = opened(f"#{name}")
    assert visible_evidence(tab) == [name]
    assert tab.evaluate("document.querySelector(':target').id") == name
    assert tab.locator(f'[id="{name}"] .open').is_visible()


@pytest.mark.browser
def test_a_link_opens_a_claim_that_the_filter_hides(opened):
    tab = opened("#fake.loss")
    tab.fill("#search", "fake.loss breaks")
    assert "fake.loss-fixed" not in shown(tab)
    tab.click('[id="fake.loss"] .panel a[href="#fake.loss-fixed"]')
    assert visible_evidence(tab) == ["fake.loss", "fake.loss-fixed"]
    assert shown(tab) == IDS


@pytest.mark.browser
def test_certificates_are_where_the_page_says(opened):
    tab = opened("#fake.step")
    with tab.expect_navigation():
        tab.click('[id="fake.step"] .panel a[href$=".json"]')
    assert tab.url.endswith("/certificates/fake.step.json")


@pytest.mark.browser
def test_pictures_are_shown(opened):
    tab = opened()
    assert tab.evaluate("document.querySelector('figure img').naturalWidth") == 1
    assert tab.locator("figcaption math").count() == 1


@pytest.mark.browser
@pytest.mark.parametrize("width", [320, 400, 800, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_sticks_out_at_any_width(opened, width, scheme):
    tab = opened(viewport={"width": width, "height": 700}, color_scheme=scheme)
    tab.click("#toggle-all")
    assert tab.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0


@pytest.mark.browser
def test_without_javascript_everything_is_open(opened):
    tab = opened(java_script_enabled=False)
    assert tab.locator(".panel").count() == len(IDS)
    assert all(tab.locator(".panel").nth(n).is_visible() for n in range(len(IDS)))


CONTRAST = """() => {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const rgb = (colour) => { canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1);
    return canvas.getImageData(0, 0, 1, 1).data; };
  const light = (colour) => [...rgb(colour)].slice(0, 3).map((c) => c / 255)
    .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
    .reduce((sum, c, k) => sum + c * [0.2126, 0.7152, 0.0722][k], 0);
  const style = getComputedStyle(document.documentElement);
  const value = (name) => light(style.getPropertyValue(name));
  const out = {};
  for (const ink of "--ink --soft --link --proved --certified --survived --refuted --undecided".split(" "))
    for (const paper of ["--paper", "--card"]) {
      const [a, b] = [value(ink), value(paper)].sort((x, y) => y - x);
      out[ink + paper] = (a + 0.05) / (b + 0.05);
    }
  return out;
}"""


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_colour_of_text_has_the_contrast_of_wcag_aa(opened, scheme):
    contrast = opened(color_scheme=scheme).evaluate(CONTRAST)
    assert len(contrast) == 16
    assert min(contrast.values()) >= 4.5, contrast

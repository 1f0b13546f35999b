"""The report in headless Chromium, as a reader would use it."""

import re
import shutil
from dataclasses import replace
from io import BytesIO

import pytest
from matplotlib.image import imread

from linreg_dyn import report
from linreg_dyn.claims import VERDICTS
from tests.fake_registry import EVIDENCE, IDS, PICTURE, page


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
    tab.fill("#search", "k <= 7/8 1/2 witness breaks")
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
def test_a_tap_on_a_picture_makes_it_larger(opened):
    tab = opened(viewport={"width": 390, "height": 700})
    wide = "document.querySelector('figure img').getBoundingClientRect().width"
    before = tab.evaluate(wide)
    tab.click("figure img")
    assert tab.evaluate(wide) == 90 * 16
    assert tab.evaluate("document.documentElement.scrollWidth") <= 390
    tab.click("figure img")
    assert tab.evaluate(wide) == before


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


TWO_LINES = (
    r"\tau = \lambda t: \quad \frac{df}{d\tau} = -\frac{\gamma}{\lambda} e^{-2(k-1)\tau} (f - y) - kf; \quad"
    r"\frac{\gamma_{T_0} (1 - e^{-(\gamma_{T_0} + k\lambda) T_0})}{\gamma_{T_0} + k\lambda} \ge"
    r"\frac{\gamma_T}{\gamma_T + k\lambda}"
)


def between_lines(tab):
    """How many rows of pixels without ink there are between the lines of a statement that has two."""
    picture = imread(BytesIO(tab.locator("blockquote.statement").screenshot()))[:, 10:, :3]  # without its edge
    inked = "".join(" #"[int(ink)] for ink in (picture != picture[0, 0]).any(axis=(1, 2)))
    return max(map(len, re.findall(" +", inked.strip())), default=0)


@pytest.mark.browser
def test_denominators_and_exponents_of_two_lines_are_apart(browser):
    item = replace(EVIDENCE[0], claim=replace(EVIDENCE[0].claim, statement=TWO_LINES))
    tab = browser.new_page(viewport={"width": 560, "height": 800})
    tab.set_content(page([item]))
    tab.click("#toggle-all")
    size = tab.locator("blockquote.statement math").first.evaluate("e => parseFloat(getComputedStyle(e).fontSize)")
    assert between_lines(tab) >= size / 4
    tab.add_style_tag(content=".statement math { padding: 0; }")
    assert between_lines(tab) < size / 4  # which the browser does by itself
    tab.close()

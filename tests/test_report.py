"""The report: what it says, that it is safe and self-contained, and that it works in a browser."""

import re
from dataclasses import replace

import pytest

from linreg_dyn import report
from linreg_dyn.claims import VERDICTS, registry
from linreg_dyn.report import html, words
from linreg_dyn.report.mathml import prose, statement
from tests import fake_registry
from tests.fake_registry import EVIDENCE, PICTURE, page


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

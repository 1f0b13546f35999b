"""`ld.judge`: statements of one's own get the verdicts that they deserve."""

from fractions import Fraction
from math import prod

import pytest

import linreg_dyn as ld
from linreg_dyn.certify import checker
from linreg_dyn.certify.find import identity

STEP = {
    "given": {"w": "layers", "c": "real"},
    "where": {"W": "Prod(w)", "v": "w - 2*c/Sum(1/w**2)*(W - 1)*W/w"},
}
FASTER = {"faster": ("<= 1/4", "<= 4"), "halved": ("<= abs(W - 1)", "<= abs(W - 1)/2")}
FLOW = {"given": {"w": "layers"}, "where": {"W": "Prod(w)", "v": "-2*(W - 1)*W/w"}}
CHANGED = {"the sum": ("- 2*w[j]", "+ 2*w[j]"), "without weights": ("2*w[i]*", "")}


def test_a_false_statement_is_refuted_by_exact_numbers():
    found = ld.judge("abs(Prod(v) - 1) <= abs(W - 1)", assume=["abs(W - 1) < 1/2", "0 < c", "c <= 1"], **STEP)
    assert found.verdict == "refuted"
    w, c = [Fraction(x) for x in found.witness["given"]["w"]], Fraction(found.witness["given"]["c"])
    W, rate = prod(w), c / sum(1 / x**2 for x in w)
    after = prod(x - 2 * rate * (W - 1) * W / x for x in w)
    assert abs(W - 1) < Fraction(1, 2)
    assert 0 < c <= 1
    assert abs(after - 1) > abs(W - 1)
    checker.check_certificate(found.certificate)
    assert "\n" not in repr(found)
    assert "own refuted" in repr(found)
    assert f"c = {c}" in repr(found)


def test_a_true_statement_survives_or_is_proved_for_every_depth():
    slow = ld.judge(
        "abs(Prod(v) - 1) <= abs(W - 1)", assume=["abs(W - 1) < 1/2", "0 < c", "c <= 1/4"], mutants=FASTER, **STEP
    )
    assert slow.verdict == "survived"
    kept = "2*w[i]*v[i] - 2*w[j]*v[j] == 0"
    assert ld.judge(kept, mutants=CHANGED, **FLOW).verdict == "survived"
    found = ld.judge(kept, mutants=CHANGED, tactics=[identity()], **FLOW)
    assert found.verdict == "proved"
    assert found.claim.depths == "all"
    checker.check_certificate(found.certificate)
    assert ld.judge("W**2 >= 0", given={"w": "layers:3"}, where={"W": "Prod(w)"}).claim.depths == (3,)


def test_what_cannot_be_told_is_undecided():
    kept = "2*w[i]*v[i] - 2*w[j]*v[j] == 0"
    for mutants in (None, dict([*CHANGED.items()][:1]), {**CHANGED, "no mutant": ("== 0", "<= 0")}):
        assert ld.judge(kept, mutants=mutants, tactics=[identity()], **FLOW).verdict == "undecided"
    assert ld.judge("W > 2", assume="W**2 < 0", given={"w": "layers"}, where={"W": "Prod(w)"}).verdict == "undecided"


@pytest.mark.parametrize(
    ("conclude", "change", "message"),
    [
        ("W <", {}, "the statement cannot be read: invalid syntax in 'W <'"),
        ("W", {}, "the statement cannot be read: not a relation: W"),
        ("q < 1", {}, "the statement cannot be read: unknown name q"),
        ("__import__('os') < 1", {}, "the statement cannot be read: not in the language"),
        ("W < 1", {"where": {"W": "Prod(w"}}, "the statement cannot be read: '(' was never closed in 'Prod(w'"),
        ("W < 1", {"given": {"w": "matrix"}}, "given['w'] must be 'layers', 'layers:N', 'vector:N', 'real',"),
        ("W < 1", {"given": {"w": "sample"}}, "w: a sampler is needed for sample"),
        ("W < 1", {"seed": -1}, "seed must be an integer"),
        ("W < 1", {"mutants": {"none": ("W",)}}, "mutants['none'] must be a text and its replacement, got ('W',)"),
        ("W < 1", {"mutants": {"none": (1, 2)}}, "mutants['none'] must be text, or several, got 1"),
        ("W < 1", {"given": {}}, "conclude and given must not be empty"),
        ([], {}, "conclude and given must not be empty"),
        (3, {}, "conclude must be text, or several, got 3"),
        ("W < 1", {"assume": [0]}, "assume must be text, or several, got 0"),
        ("W < 1", {"tactics": []}, "tactics must be one for each of 1 relations, got 0"),
        ("W < 1", {"mutants": {"none": ("Q", "R")}}, "mutant 'none' of own changes nothing"),
    ],
)
def test_bad_statements_are_refused_in_one_line(conclude, change, message):
    with pytest.raises((TypeError, ValueError)) as caught:
        ld.judge(conclude, **{**FLOW, **change})
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)

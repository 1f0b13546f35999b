"""`ld.judge`: statements of one's own get the verdicts that they deserve."""

from fractions import Fraction
from math import prod

import pytest

import linreg_dyn as ld
from linreg_dyn.certify import checker
from linreg_dyn.certify.find import Axis, bounded_integral, by_hand, identity, lemma, positive, split
from linreg_dyn.claims import registry, verdict

STEP = {
    "given": {"w": "layers", "c": "real"},
    "where": {"W": "Prod(w)", "v": "w - 2*c/Sum(1/w**2)*(W - 1)*W/w"},
}
FASTER = {"faster": ("<= 1/4", "<= 4"), "halved": ("<= abs(W - 1)", "<= abs(W - 1)/2")}
FLOW = {"given": {"w": "layers"}, "where": {"W": "Prod(w)", "v": "-2*(W - 1)*W/w"}}
ALL_ZERO = lambda rng, depth, level: {"w": [1] * depth, "x": [0, 0], "y": 0}  # noqa: E731
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


def test_the_statement_of_the_readme_is_proved_with_a_lemma():
    """A step multiplies W by Q, the product of 1 - x p_i over a point p of the simplex, with x = 2 c (W - 1) W."""
    assume = ["abs(W - 1) < 1/2", "0 < c", "c <= 1/4"]
    c = Axis("c", "a1.0", "a2.0")
    above, below = [Axis("prod(w)", "s", "a0.0+"), c], [Axis("prod(w)", "a0.0-", "s"), c]
    least, most = Axis("#Q0", low="q0"), Axis("#Q0", high="q0")
    up, down = positive(*above), positive(*below)

    def bound(number, assumed, then):
        return lemma(f"ginsburg.simplex-product#{number}", {"x": "2*c*(W - 1)*W"}, assumed, then)

    at_most = split(
        "W - 1",
        ge=bound(1, [up, up], positive(most, *above)),
        le=bound(2, [down, down], positive(most, *below, times="1 + 2*c*(W - 1)*W")),
    )
    at_least = split("W - 1", ge=bound(0, [up], positive(least, *above)), le=bound(0, [down], positive(least, *below)))
    closer, proofs = "abs(Prod(v) - 1) <= abs(W - 1)", [at_most, at_least]
    found = ld.judge(closer, assume=assume, mutants=FASTER, tactics=proofs, **STEP)
    assert found.verdict == "proved"
    lemmas = verdict.lemmas_of(found.claim, registry(), {})
    checker.check_certificate(found.certificate, lemmas)
    with pytest.raises(checker.Refused, match=r"lemma ginsburg\.simplex-product has no accepted certificate here"):
        checker.check_certificate(found.certificate)
    swapped = ld.judge(closer, assume=assume, mutants=FASTER, tactics=proofs[::-1], **STEP)
    assert swapped.verdict == "survived"
    assert "no proof found" in swapped.method


def test_relations_of_one_text_are_proved_one_by_one():
    net = {"given": {"w": "layers"}, "where": {"W": "Prod(w)"}}
    mutants = {"less": ("W**2 +", "W**2/2 +"), "more": ("== W**2", "== 2*W**2")}
    chain = "W**2 + 0 == W**2 <= W**2 + 0"
    assert ld.judge(chain, mutants=mutants, tactics=[identity(), identity()], **net).verdict == "proved"
    with pytest.raises(ValueError, match="tactics must be one for each of 2 relations, got 1"):
        ld.judge(chain, mutants=mutants, tactics=identity(), **net)


def test_what_cannot_be_told_is_undecided():
    kept = "2*w[i]*v[i] - 2*w[j]*v[j] == 0"
    for mutants in (None, dict([*CHANGED.items()][:1]), {**CHANGED, "no mutant": ("== 0", "<= 0")}):
        assert ld.judge(kept, mutants=mutants, tactics=[identity()], **FLOW).verdict == "undecided"
    assert ld.judge("W > 2", assume="W**2 < 0", given={"w": "layers"}, where={"W": "Prod(w)"}).verdict == "undecided"


def test_what_has_a_value_nowhere_is_undecided():
    """Whatever the tactic: two layers need a depth of 2, where it divides by 0; exp of 10^6 is too large to enclose."""
    one = {"x": "real"}
    proof = identity(a0_0="(w[i] - 2*w[j])/(Size(w) - 1)/(Size(w) - 1)")
    for conclude, given, assume, change, tactics in (
        ("w[i]/(Size(w) - 1) == 2*w[j]/(Size(w) - 1)", {"w": "layers"}, "Size(w) == 1", ("w) == 1", "w) == {}"), proof),
        ("1/(x - x) > 0", one, (), ("1/(x - x)", "x + {}"), positive()),
        ("1/x == 7", one, "x == 0", ("== 0", "== {}"), identity(a0_0="(1/x - 7)/x")),
        ("exp(10**6 + x**2) < x", one, (), ("10**6", "{}*x"), None),
        ("Integral(exp(-s), s, 0, x) == 1 - exp(-x) + 1/10**12", one, "x >= 1", ("10**12", "{}"), None),
    ):
        mutants = {str(n): (change[0], change[1].format(n)) for n in (2, 3)}
        found = ld.judge(conclude, given=given, assume=assume, mutants=mutants, tactics=tactics)
        assert (found.verdict, found.admitted) == ("undecided", 0), conclude
        assert found.mutants == {"tried": 2, "refuted": 2}, conclude
        why = (
            "of some part no instance that the search drew could be told" if tactics is None else "admitted no instance"
        )
        assert why in found.method


def test_what_no_enclosure_tells_is_proved_or_undecided():
    """The two sides are equal, so that enclosures never separate them."""
    integral, low = "Integral(exp(-s), s, 0, x)", by_hand(("1", "a0.0"))
    mutants = {"half": ("1 - exp", "1/2 - exp"), "growth": ("(-s)", "(s)")}
    proof = bounded_integral(integral, "<=", "-exp(-s)", identity(), by_hand(("1", "h")), ordered=low, name="h")
    statement = {"given": {"x": "real"}, "assume": "x > 0", "mutants": mutants}
    for tactic, deserved in ((proof, "proved"), (None, "undecided"), (identity(), "undecided")):
        found = ld.judge(f"{integral} <= 1 - exp(-x)", tactics=tactic, tries=20, **statement)
        assert (found.verdict, found.admitted) == (deserved, 0)


def test_all_of_the_language_is_documented():
    for function in [*checker.ARGUMENTS, "D", "Dt", "Integral"]:
        assert f"`{function}(" in ld.judge.__doc__, function


def test_a_flow_is_judged_by_its_rates():
    flow = {"given": {"w": "vector:2"}, "rates": {"w": "-D((w[0]*w[1] - 1)**2, w)"}}
    mutants = {"sum": ("- w[1]", "+ w[1]"), "one": ("w[1]**2) == 0", "w[1]**2) == w[0]")}
    found = ld.judge("Dt(w[0]**2 - w[1]**2) == 0", mutants=mutants, tactics=identity(), **flow)
    assert found.verdict == "proved"
    assert ld.judge("Dt(w[0]**2) == 0", **flow).verdict == "refuted"


def test_what_survived_says_at_which_depths_and_fails_at_others():
    statement = {"given": {"w": "layers"}, "mutants": {"3": ("!= 4", "!= 3"), "5": ("!= 4", "!= 5")}}
    found = ld.judge("Size(w) != 4", tries=7, **statement)
    assert (found.verdict, found.tried) == ("survived", 5 * 7)
    assert found.method == "falsification search only (depths 1, 2, 3, 5, 8)"
    assert ld.judge("Size(w) != 4", depths=(5, 4, 3), **statement).verdict == "refuted"
    assert "depths" not in ld.judge("x**2 >= 0", given={"x": "real"}, mutants={"": (">=", "<"), "-": ("0", "1")}).method


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
        ("W < 1", {"tries": 0}, "tries must be an integer from 1"),
        ("W < 1", {"depths": 3}, "depths must be a sequence of depths, as (1, 2, 3), got 3"),
        ("W < 1", {"depths": (1, 0)}, "depths must be an integer from 1"),
        ("W < 1", {"rates": {"W": "1"}}, "the statement cannot be read: rates are of given names, one of each"),
        ("W < 1", {"rates": {"w": 1}}, "rates['w'] must be text, got 1"),
        ("W < 1", {"mutants": {"none": ("W",)}}, "mutants['none'] must be a text and its replacement, got ('W',)"),
        ("W < 1", {"mutants": {"none": (1, 2)}}, "mutants['none'] must be text, or several, got 1"),
        ("W < 1", {"given": {}}, "conclude and given must not be empty"),
        ([], {}, "conclude and given must not be empty"),
        (3, {}, "conclude must be text, or several, got 3"),
        ("W < 1", {"assume": [0]}, "assume must be text, or several, got 0"),
        ("W < 1", {"tactics": []}, "tactics must be one for each of 1 relations, got 0"),
        ("abs(W) < 1", {"tactics": [identity()]}, "tactics must be one for each of 2 relations, got 1"),
        ("W < 1", {"tactics": ["identity"]}, "tactics must be functions of linreg_dyn.certify.find, got 'identity'"),
        ("W < 1", {"given": ["w"]}, "given must be a mapping, as in {'w': ...}, got ['w']"),
        ("W < 1", {"where": [("W", "w")]}, "where must be a mapping, as in {'w': ...}, got [('W', 'w')]"),
        ("W < 1", {"where": {"W": 1}}, "where['W'] must be text, got 1"),
        ("W < 1", {"mutants": [("W", "w")]}, "mutants must be a mapping, as in {'w': ...}, got [('W', 'w')]"),
        ("W < 1", {"where": {"W": "W + 1"}}, "the statement cannot be read: nested too deeply, or defined by itself"),
        ("-" * 10000 + "1 < 1", {}, "the statement cannot be read: nested too deeply, or defined by itself"),
        ("W in W", {}, "the statement cannot be read: not a relation: W in W"),
        ("w[99] < 1", {}, "the statement cannot be read: an index that is no place of the vector"),
        (
            "x[i] == y",
            {"given": {"w": "layers", "x": "vector:2", "y": "real"}, "sample": ALL_ZERO, "where": {}},
            "the s",
        ),
        ("Max([exp(W), 1]) > 0", {}, "the statement cannot be read: Max and Min are of rational numbers"),
        ("Sum(w, w) > 0", {}, "the statement cannot be read: Sum has 2 arguments, not 1"),
        ("Mean(Batches(W, 2)) == 0", {}, "the statement cannot be read: batches are of a vector of given size"),
        ("W < 1", {"mutants": {"none": ("Q", "R")}}, "mutant 'none' of own changes nothing"),
    ],
)
def test_bad_statements_are_refused_in_one_line(conclude, change, message):
    with pytest.raises((TypeError, ValueError)) as caught:
        ld.judge(conclude, **{**FLOW, **change})
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)

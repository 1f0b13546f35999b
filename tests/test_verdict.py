"""The verdict follows from the evidence: nothing unproved is proved, and nothing unchecked counts."""

from dataclasses import replace
from fractions import Fraction

import pytest

from linreg_dyn.certify.find import by_hand, identity, positive
from linreg_dyn.claims import verdict
from linreg_dyn.claims.core import Claim, Control, Measurement, Mutant, Part, Source, Unmeasured
from tests.certificates import refusal

REAL = {"x": "real"}
TRUE = Part(REAL, ("x**2 + 1 >= 1",), assume=("x > 0",), tactics=(by_hand(("1", "sq x")),))
MUTANTS = (
    Mutant("more", replace=((">= 1", ">= 2"),)),
    Mutant("the other way", replace=((">= 1", "<= 1"),)),
)


def claim(*parts, mutants=MUTANTS, **more):
    return Claim(
        id="made-up.square",
        title="A square",
        statement="x^2 + 1 \\ge 1",
        source=Source("made-up", "line 1"),
        kind="printed",
        parts=parts,
        mutants=mutants,
        **more,
    )


def examine(item, *others):
    return verdict.examine(item, {c.id: c for c in (item, *others)}, {})


def test_a_proof_that_the_checker_accepts_is_a_proof():
    found = examine(claim(TRUE))
    assert found.verdict == "proved"
    assert found.certificate is not None
    assert refusal(found.certificate) is None
    assert found.mutants == {"tried": 2, "refuted": 2}
    assert 0 < found.admitted <= found.tried
    row = found.to_json("certificates/made-up.square.json")
    assert (row["verdict"], row["certificate"], row["depths"]) == ("proved", "certificates/made-up.square.json", "all")
    assert "argument" in examine(claim(TRUE, argument="in words")).method


def test_a_false_statement_is_refuted_with_an_accepted_certificate():
    false = replace(TRUE, conclude=("x**2 + 1 <= 2",))
    mutants = (Mutant("less", replace=(("<= 2", "<= 1"),)), Mutant("least", replace=(("<= 2", "<= 0"),)))
    for parts, number in (((false,), 0), ((TRUE, false), 1)):
        found = examine(claim(*parts, mutants=mutants if number == 0 else MUTANTS))
        assert found.verdict == "refuted"
        assert found.witness == {"part": number, "given": {"x": "2"}, "breaks": "x**2 + 1 <= 2"}
        assert found.certificate is not None
        assert refusal(found.certificate) is None
        assert found.values == {}


def test_no_instance_admitted_is_undecided():
    found = examine(claim(replace(TRUE, assume=("x > 0", "x < 0"))))
    assert (found.verdict, found.admitted, found.certificate) == ("undecided", 0, None)
    assert "admitted no instance" in found.method


def test_one_part_without_an_instance_is_enough():
    found = examine(claim(TRUE, replace(TRUE, assume=("x > 0", "x < 0"))))
    assert found.verdict == "undecided"
    assert found.admitted > 0
    assert found.certificate is None


@pytest.mark.parametrize(
    ("mutants", "lacking"),
    [
        ((), "fewer than two mutants were given"),
        (MUTANTS[:1], "fewer than two mutants were given"),
        ((*MUTANTS, Mutant("still true", replace=((">= 1", ">= 1/2"),))), "mutants not refuted: 'still true'"),
        ((Mutant("none admitted", replace=(("x > 0", "x**2 < 0"),)),), "mutants not refuted: 'none admitted'"),
    ],
)
def test_a_check_that_may_be_unable_to_fail_is_undecided(mutants, lacking):
    found = examine(claim(TRUE, mutants=mutants))
    assert (found.verdict, found.certificate) == ("undecided", None)
    assert found.mutants["tried"] == len(mutants)
    assert found.method == f"{lacking}; the check may be unable to fail"


def test_a_mutant_that_changes_nothing_is_an_error():
    with pytest.raises(ValueError, match="changes nothing"):
        examine(claim(TRUE, mutants=(*MUTANTS, Mutant("none", replace=(("absent", "present"),)))))


def test_without_tactics_a_claim_only_survives():
    found = examine(claim(replace(TRUE, tactics=None)))
    assert (found.verdict, found.certificate) == ("survived", None)


def test_one_part_without_tactics_is_enough_to_only_survive():
    assert examine(claim(TRUE, replace(TRUE, tactics=None))).verdict == "survived"


@pytest.mark.parametrize("tactic", [by_hand(("1", "a0.0")), positive(), identity()])
def test_a_search_that_fails_is_said_to_have_failed(tactic):
    found = examine(claim(replace(TRUE, tactics=(tactic,))))
    assert (found.verdict, found.certificate) == ("survived", None)
    assert "no proof found (" in found.method


def test_values_are_those_of_what_is_shown():
    values = {"c": {"lower": "1", "upper": "1"}}
    assert examine(claim(TRUE, values=lambda: values)).values == values
    assert examine(claim(replace(TRUE, tactics=None), values=lambda: values)).values == {}


def test_an_audit_reports_each_result_in_order():
    claims = [claim(TRUE), replace(claim(replace(TRUE, tactics=None)), id="made-up.other")]
    seen = []
    found = verdict.audit(claims, {c.id: c for c in claims}, on_result=seen.append)
    assert found == seen
    assert [e.verdict for e in found] == ["proved", "survived"]


def test_a_witness_is_written_exactly():
    given = {"w": [Fraction(1, 3), 2], "x": Fraction(-7, 2)}
    assert verdict.as_text(given) == {"w": ["1/3", "2"], "x": "-7/2"}


# ---------------------------------------------------------------- measurements
def measurement(data, agrees=lambda x: abs(x - 1) < 0.1, controls=((2, 0.1), (0, 0.1)), **more):
    """Is a number 1? The controls say that it is another one."""
    false = tuple(Control(f"it is {c}", lambda x, c=c, tol=tol: abs(x - c) < tol) for c, tol in controls)
    return Measurement("one number, seed 0", lambda data: 5, lambda: data, agrees, false, **more)


def missing():
    raise Unmeasured("no record")


def measured(found):
    return examine(replace(claim(TRUE, mutants=()), parts=(), measurement=found))


def test_a_measurement_that_agrees_is_survived_and_no_more():
    ends = {"x": {"lower": "0.9", "upper": "1.1"}}
    found = measured(measurement(1.01, values=lambda x: ends))
    assert (found.verdict, found.certificate, found.witness, found.values) == ("survived", None, None, ends)
    assert (found.tried, found.admitted, found.mutants) == (5, 5, {"tried": 2, "refuted": 2})
    assert "it agrees" in found.method
    assert "seed 0" in found.method
    assert found.claim.variants == ("it is 2", "it is 0")


@pytest.mark.parametrize(
    ("found", "says"),
    [
        (measurement(1.5), "disagrees"),
        (measurement(1.0, agrees=lambda x: None), "cannot tell"),
        (replace(measurement(1.0), measure=missing), "nothing measured decides it: no record"),
        (measurement(1.0, controls=((2, 0.1), (0.9, 0.2))), "false variant"),
        (measurement(1.0, controls=((2, 0.1),)), "false variant"),
    ],
)
def test_a_measurement_that_does_not_agree_or_cannot_fail_is_undecided(found, says):
    item = measured(found)
    assert (item.verdict, item.values) == ("undecided", {})
    assert says in item.method
    assert item.admitted == (0 if found.measure is missing else 5)


def test_a_claim_has_parts_or_a_measurement():
    for parts, found in (((), None), ((TRUE,), measurement(1.0))):
        with pytest.raises(ValueError, match=r"made-up\.square.*measurement"):
            replace(claim(TRUE), parts=parts, measurement=found)

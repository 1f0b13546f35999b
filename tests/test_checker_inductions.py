"""Proofs by induction over the layers: what a bound and its step must be."""

import pytest

from tests.certificates import part, proved, refusal, split, terms

SELF = {"p": "simplex", "x": "real"}


def product_of(bound, factor, step, **more):
    return {"rule": "induction", "bound": bound, "factor": factor, "step": step, **more}


FACTOR = terms("1 : room", "1 : s", "1 : a0.0 * p")
STEP = terms("1 : p * s * sq x")
WRONG_INDUCTIONS = {
    "a bound that starts elsewhere": ("two ends", product_of("2 - x*s - s", FACTOR, STEP)),
    "a bound that ends elsewhere": ("two ends", product_of("1 - x*s/2", FACTOR, STEP)),
    "a bound with a pole": ("the bound", product_of("1 - x*s + s*(1-s)/x", FACTOR, STEP)),
    "a bound that depends on the layer": ("the bound", product_of("1 - x*s + p*s*(1-s)", FACTOR, STEP)),
    "a factor not shown to be positive": ("the identity", product_of("1 - x*s", terms("1 : sq x"), STEP)),
    "a step not shown": ("the identity", product_of("1 - x*s", FACTOR, terms("1"))),
}


@pytest.mark.parametrize("name", WRONG_INDUCTIONS)
def test_a_wrong_induction_is_refused(name):
    statement = part(SELF, ["Prod(1 - x*p) >= 1 - x"], ["x < 1"])
    assert refusal(proved(statement, product_of("1 - x*s", FACTOR, STEP))) is None
    reason, proof = WRONG_INDUCTIONS[name]
    assert reason in str(refusal(proved(statement, proof)))


def test_a_case_about_one_layer_is_not_carried_into_an_induction():
    """All p >= 1/2 is one case and all p <= 1/2 another; most points of the simplex are neither."""
    statement = part(SELF, ["Prod(1 - x*p) >= 1 - x"], ["x < 1"])
    harmless = product_of("1 - x*s", FACTOR, STEP)
    assert refusal(proved(statement, split("p - 1/2", harmless, harmless, name="t"))) is None
    # p s x^2 = s x^2 (t + 1/2) where t = p - 1/2 >= 0 is the case
    at_least_half = product_of("1 - x*s", FACTOR, terms("1 : t * s * sq x", "1/2 : s * sq x"))
    assert refusal(proved(statement, split("p - 1/2", at_least_half, harmless, name="t"))).startswith(
        "no hypothesis t;"
    )


def test_a_bound_with_a_denominator_needs_it_positive():
    statement = part(SELF, ["Prod(1 - x*p) <= 1/(1 + x)"], ["-1 < x", "x <= 0"])
    denominators = [f"1 : {a} * {b}" for a in ("room", "p", "a0.0 * s") for b in ("room", "a0.0 * s", "a0.0 * p")]
    proof = product_of(
        "1/(1 + x*s)",
        terms("1 : room", "1 : s", "1 : p", "1 : a1.0 * p"),
        terms("1 : sq x * p * s", "1 : sq x * p * p", multiplier=denominators),
        defined=terms("1 : room", "1 : p", "1 : a0.0 * s"),
    )
    assert refusal(proved(statement, proof)) is None
    assert refusal(proved(statement, {k: v for k, v in proof.items() if k != "defined"})) is not None
    assert refusal(proved(statement, {**proof, "defined": terms("1")})) is not None

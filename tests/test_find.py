"""Finding proofs: what is found is checked, and what is not found is said."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linreg_dyn.certify import checker, expand
from linreg_dyn.certify.checker import R
from linreg_dyn.certify.find import Axis, NotFound, by_hand, certify_part, have, identity, lemma, positive, split
from tests.certificates import part, refusal, signed

REAL, LAYERS = {"x": "real"}, {"w": "layers"}
UNIT = ["0 <= x", "x <= 1"]
BETWEEN = Axis("x", low="a0.0", high="a1.0")


def found(statement, *tactics, lemmas=None):
    """The certificate of what the tactics find, accepted again by the checker."""
    parts = [certify_part(statement, tactics, lemmas or {})]
    certificate = signed({"format": checker.FORMAT, "claim": "found", "verdict": "proved", "parts": parts})
    assert refusal(certificate, lemmas) is None
    return certificate


def test_between_two_bounds():
    proof = found(part(REAL, ["x*(1 - x) <= 1"], UNIT), positive(BETWEEN))["parts"][0]["proof"][0]
    assert proof["rule"] == "terms"
    assert {name for _, row in proof["terms"] for name in row} <= {"a0.0", "a1.0"}


def test_degree_elevation_finds_what_the_degree_itself_does_not():
    """16 x^2 - 16 x + 5 >= 1 with Bernstein coefficients 5, -3, 5 of degree 2; of degree 5 they are 5, 9/5, 1/5, ..."""
    statement = part(REAL, ["16*x**2 - 16*x + 5 > 0"], ["0 < x", "x < 1"])
    for degree in range(5):
        with pytest.raises(NotFound, match=r"negative coefficient -"):
            found(statement, positive(Axis("x", low="a0.0", high="a1.0", degree=degree)))
    proof = found(statement, positive(Axis("x", low="a0.0", high="a1.0", degree=5)))["parts"][0]["proof"][0]
    assert {c for c, row in proof["terms"] if row == {"a0.0": 2, "a1.0": 3}} == {"2"}  # binomial(5, 2) / 5


def test_from_one_bound_on():
    found(part(REAL, ["x**3 - x >= 0"], ["x >= 1"]), positive(Axis("x", low="a0.0")))
    with pytest.raises(NotFound, match="negative coefficient -2"):
        found(part(REAL, ["x**3 - 3*x >= 0"], ["x >= 1"]), positive(Axis("x", low="a0.0")))


def test_two_variables_and_a_width_that_is_no_number():
    statement = part({"x": "real", "y": "real"}, ["y**2 - x**2 >= 0"], ["0 <= x", "x <= y", "0 < y"])
    axes = (Axis("x", low="a0.0", high="a1.0", width="a2.0"), Axis("y", low="a2.0"))
    found(statement, positive(*axes))
    with pytest.raises(NotFound):
        found(statement, positive(axes[0]))


def test_a_false_statement_has_no_proof():
    for conclusion in ("x**2 > 1/2", "x >= 1/1000", "x*(1 - x) < 1/4"):
        for degree in (0, 4, 12):
            with pytest.raises((NotFound, checker.Refused)):
                found(part(REAL, [conclusion], UNIT), positive(Axis("x", "a0.0", "a1.0", degree=degree)))


def test_why_the_search_stopped():
    statement = part({"x": "real", "y": "real"}, ["x + y >= 0"], UNIT)
    with pytest.raises(NotFound, match=r"no axis for \['y'\]"):
        found(statement, positive(BETWEEN))
    with pytest.raises(NotFound, match=r"no hypothesis a7\.0; there are \['a0\.0', 'a1\.0'\]"):
        found(statement, positive(Axis("x", low="a7.0")))
    with pytest.raises(NotFound, match=r"a0\.0 is not linear in y"):
        found(statement, positive(Axis("y", low="a0.0")))
    with pytest.raises(NotFound, match="not a polynomial in x"):
        found(part(REAL, ["1/x >= 1"], ["0 < x", "x <= 1"]), positive(BETWEEN))
    with pytest.raises(NotFound, match="not a polynomial after clearing"):
        found(part(REAL, ["1/(1 + x) <= 1"], UNIT), positive(BETWEEN))
    with pytest.raises(NotFound, match=r"the axis x goes from or to no hypothesis; there are \['a0\.0', 'a1\.0'\]"):
        found(statement, positive(Axis("x")))
    statement = part({"x": "real", "y": "real"}, ["x - 3*x*y >= 0"], ["0 <= x", "0 <= y"])
    with pytest.raises(NotFound, match=r"negative coefficient -3 of \(a0\.0\)\^1 \* \(a1\.0\)\^1"):
        found(statement, positive(Axis("x", low="a0.0"), Axis("y", low="a1.0")))
    with pytest.raises(checker.Refused, match=r"the two sides differ by -1\*x\^1"):
        found(part(REAL, ["x == 2*x"]), identity())
    with pytest.raises(checker.Refused, match=r"no hypothesis h; there are \['a0\.0'\]"):
        found(part(REAL, ["x >= 0"], ["x >= 0"]), by_hand(("1", "h")))
    with pytest.raises(NotFound, match="1 tactics for 2 relations"):
        found(part(REAL, ["0 <= x <= 1"], UNIT), by_hand(("1", "a0.0")))


@pytest.mark.parametrize(
    ("tactic", "error"),
    [
        (identity, "TypeError: identity"),  # without brackets
        (positive, "TypeError: Object of type function"),
        (identity(a3_0="1"), "KeyError: 'a3.0'"),
        (split("x-", identity(), identity()), "SyntaxError: "),
        (have("0 < x < 1", positive(), positive(), name="h"), "ValueError: too many values"),
        (lemma("ginsburg.simplex-product", {}, [], identity()), "KeyError: 'ginsburg"),
        (by_hand((Fraction(1), "a0.0")), "TypeError: Object of type Fraction"),  # nothing that can be written down
    ],
)
def test_a_tactic_that_breaks_is_said_to_have_failed(tactic, error):
    with pytest.raises(NotFound, match=rf"^the tactic of relation 2 failed: {error}"):
        certify_part(part(REAL, ["x <= 1", "x + x == 2*x"], ["x <= 1"]), [by_hand(("1", "a0.0")), tactic], {})


def test_a_case_in_which_the_statement_has_no_value_is_not_proved():
    case = by_hand(("1", "s"))
    with pytest.raises(NotFound, match="the tactic of relation 1 failed: ZeroDivisionError"):
        certify_part(part(REAL, ["1/(abs(x) - x) > 0"]), [split("x", ge=case, le=case)], {})


def test_an_inequality_modulo_an_equation():
    """1/a^2 + 1/b^2 - 2 = (1/a - 1/b)^2 - 2 (ab - 1)/(ab), where a b = 1."""
    minimum = part({"w": "layers:2"}, ["Sum(1/w**2) >= {}"], ["W == 1"], [["W", "Prod(w)"]])
    for tactic in (
        by_hand(("1", "sq 1/w[0] - 1/w[1]"), a0_0="-2/W"),
        positive(squares=[("1", "sq 1/w[0] - 1/w[1]")], a0_0="-2/W"),
    ):
        found({**minimum, "conclude": ["Sum(1/w**2) >= 2"]}, tactic)
        for false in ("Sum(1/w**2) > 2", "Sum(1/w**2) >= 3"):
            with pytest.raises((NotFound, checker.Refused)):
                found({**minimum, "conclude": [false]}, tactic)
        with pytest.raises(NotFound, match=r"KeyError: 'a0\.0'"):  # an inequality is no equation
            found({**minimum, "conclude": ["Sum(1/w**2) >= 2"], "assume": ["W >= 1"]}, tactic)
    with pytest.raises(checker.Refused, match="divides by what may be zero"):
        found(part(REAL, ["x >= 1"], ["x*(x - 1) == 0"]), by_hand(a0_0="1/x"))  # not so at 0


def test_denominators_are_cleared_by_a_positive_factor():
    statement = part(REAL, ["1/(1 + x) <= 1"], ["0 < x", "x < 1"])
    found(statement, positive(BETWEEN, times="1 + x"))
    with pytest.raises(NotFound, match="negative coefficient"):  # a factor that may be negative is none
        found(statement, positive(BETWEEN, times="(1 + x)*(x - 1/2)"))


def test_a_square_taken_out():
    """x^2 - x y + y^2 = x y + (x - y)^2 with x, y > 0."""
    statement = part({"x": "real", "y": "real"}, ["x**2 - x*y + y**2 > 0"], ["x > 0", "y > 0"])
    axes = (Axis("x", low="a0.0"), Axis("y", low="a1.0"))
    with pytest.raises(NotFound, match="negative coefficient -1"):
        found(statement, positive(*axes))
    found(statement, positive(*axes, squares=[("1", "sq x-y")]))
    with pytest.raises(NotFound, match="negative coefficient"):
        found(statement, positive(*axes, squares=[("2", "sq x-y")]))


def test_tactics_compose():
    statement = part(REAL, ["abs(x)*x**2 >= 0"])
    found(statement, split("x", ge=by_hand(("1", "s * s * s")), le=by_hand(("1", "s * s * s"))))
    above = have("x > 1/2", by_hand(("1", "a0.0"), ("1/2", "")), positive(Axis("x", low="h")), name="h")
    found(part(REAL, ["2*x - 1 > 0"], ["x > 1"]), above)
    with pytest.raises(checker.Refused):
        found(part(REAL, ["2*x - 1 > 0"], ["x > 1/3"]), above)
    found(part(LAYERS, ["Prod(w)**2 == 1"], ["Prod(w) == 1"]), identity(a0_0="Prod(w) + 1"))
    with pytest.raises(checker.Refused, match="the two sides differ"):
        found(part(LAYERS, ["Prod(w)**2 == 1"], ["Prod(w) == 1"]), identity(a0_0="Prod(w)"))


def test_a_layer_axis_counts_in_its_power():
    """S - 1/w_i^2 >= 0 in powers of S from the rest on, and of 1/w_i^2."""
    statement = part(LAYERS, ["S*S*w[i]**2 >= S"], (), [["S", "Sum(1/w**2)"]])
    axes = (Axis("sum(w^-2)", low="rest"), Axis("w[i]", low="inv[i]", power=-2))
    found(statement, positive(*axes, by="inv[i]"))
    with pytest.raises(NotFound, match=r"not a polynomial in w\[i\]"):
        found(statement, positive(*axes))


NET = [["W", "Prod(w)"], ["Ls", "(W - 1)**2"]]


def test_a_layered_text_has_entries_where_it_has_become_a_number():
    """w_i dL/dw_i = 2 (W - 1) W for every layer; what has no entries at points has none in a proof either."""
    for text in (
        "w*D(Ls, w)",
        "w*(2*(W - 1)*W/w)",
        "abs(w/w)*w*D(Ls, w)",
        "D(w**2/2, w)*D(Ls, w)",
        "Sum(w)/Sum(w)*w/w",
    ):
        found(part(LAYERS, ["Q[i] == Q[j]"], (), [*NET, ["Q", text]]), identity())
    for text in ("W", "2", "Sum(w*D(Ls, w))", "w[i]/w[i]", "D(W, w[i])*w[i]", "Size(w)"):
        statement = part(LAYERS, ["Q[i] == Q[i]"], (), [*NET, ["Q", text]])
        with pytest.raises(checker.Refused):
            checker.truth(statement, {"w": ["1", "2"]})
        with pytest.raises(checker.Refused):
            certify_part(statement, [identity()], {})


def test_layers_of_a_net_of_fixed_depth_are_named_by_number():
    statement = part({"w": "layers:2"}, ["w[i]*D(Ls, w[i]) == w[j]*D(Ls, w[j])"], (), NET)
    with pytest.raises(checker.Refused, match=r"at a fixed depth is about given layers, as w\[0\] and w\[1\]"):
        found(statement, identity())
    found({**statement, "conclude": ["w[0]*D(Ls, w[0]) == w[1]*D(Ls, w[1])"]}, identity())


def test_division_of_polynomials():
    x, y = R.atom("x"), R.atom("y")
    numerator, denominator = (x + y) * (x * x - y) * (1 + x), (x + y) * (1 + x)
    assert R(expand.polynomial(R(numerator.num, denominator.num))).same(x * x - y)
    with pytest.raises(NotFound):
        expand.polynomial(R((numerator + 1).num, denominator.num))


@given(
    coefficients=st.lists(st.integers(-6, 6), min_size=1, max_size=4),
    degree=st.integers(0, 8),
    points=st.lists(st.fractions(0, 1, max_denominator=64), min_size=5, max_size=5),
)
def test_what_is_found_is_true(coefficients, degree, points):
    """And what holds with room to spare is found: Bernstein coefficients of high degree come near the values."""
    text = " + ".join(f"({c})*x**{k}" for k, c in enumerate(coefficients))
    statement = part(REAL, [f"{text} >= 0"], UNIT)
    values = [sum(c * x**k for k, c in enumerate(coefficients)) for x in points]
    # a Bernstein coefficient of degree n differs from the value at i/n by at most sum |c_k| k^2 / n
    error = sum(abs(c) * k * k for k, c in enumerate(coefficients))
    least = min(sum(c * Fraction(n, 64) ** k for k, c in enumerate(coefficients)) for n in range(65))
    try:
        found(statement, positive(Axis("x", "a0.0", "a1.0", degree=degree)))
    except NotFound:
        assert least < Fraction(error, max(degree, 1)) + Fraction(error, 64)
    else:
        assert min(values) >= 0
        assert least >= 0

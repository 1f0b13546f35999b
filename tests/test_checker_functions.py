"""exp, integrals, flows and boxes in the checker: what is true is accepted, the same proof of what is false is not."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import mpmath
import pytest

from linreg_dyn.certify import checker, find
from linreg_dyn.certify.checker import Refused, truth
from tests.certificates import Json, have, identity, lemma, proved, refusal, refuted, signed, split, terms
from tests.certificates import part as plain

F = Fraction
X, XT = {"x": "real"}, {"x": "real", "t": "real"}


def part(given: Json, conclude: list[str], assume: Any = (), where: Any = (), rates: Any = ()) -> Json:
    return {**plain(given, conclude, assume, where), "rates": [list(r) for r in rates]}


def boxes(tree: Any, precision: Any = (53, 8)) -> Json:
    return {"rule": "boxes", "precision": list(precision), "tree": tree}


def integral(of: str, relation: str, primitive: str, by: Json, then: Json, ordered: Json | None = None) -> Json:
    start = ordered or terms("1 : a0.0")
    more = {"by": by, "then": then, "ordered": start, "name": "h"}
    return {"rule": "integral", "of": of, "relation": relation, "primitive": primitive, **more}


UNIT = ["0 <= x", "x <= 1"]
# rule: (statement with {}, a true and a false filling, a point that breaks the false one, proofs)
RULES = {
    "sums of exponents": ((X, ["exp(x + 1)*exp({} - x) == exp(2)"]), ("1", "2"), {"x": "1"}, [identity()]),
    "roots": ((X, ["exp(x/2)**2 == exp({})"]), ("x", "2*x"), {"x": "1"}, [identity()]),
    "exp is positive": ((X, ["exp(x) + {} > 0"]), ("1", "-1"), {"x": "-1"}, [terms("1", "1 : exp x")]),
    "exp is above its tangent": (
        (X, ["exp(-x) >= {} - x"]),
        ("1", "2"),
        {"x": "1"},
        [terms("1 : tangent -x")],
    ),
    "exp is monotonic": (
        (X, ["exp(-x) <= {}"], ["x >= 0"]),
        ("1", "1/2"),
        {"x": "1/8"},
        [terms("1 : exp -x * tangent x", "1 : exp -x * a0.0")],
    ),
    "a derivative of exp": (
        (XT, ["D(exp(x*t**2), t) == {}*x*t*exp(x*t**2)"]),
        ("2", "1"),
        {"x": "1", "t": "1"},
        [identity()],
    ),
    "exp of exp": ((X, ["D(exp(exp(-x)), x) == {}exp(-x)*exp(exp(-x))"]), ("-", ""), {"x": "1"}, [identity()]),
    "the fundamental theorem": (
        (XT, ["D(Integral(exp(-s**2), s, x, t), t) == exp(-t**2){}"]),
        ("", "/2"),
        {"x": "0", "t": "1"},
        [identity()],
    ),
    "factors of an integral": (
        (
            XT,
            [
                "Integral(x*exp(x - s) + x/exp(t) - 3, s, 0, t) "
                "== x*exp({}x)*Integral(exp(-s), s, 0, t) + (x*exp(-t) - 3)*t"
            ],
        ),
        ("", "2*"),
        {"x": "1", "t": "1"},
        [identity()],
    ),
    "from an end to itself": ((X, ["Integral(exp(s), s, x, x) == {}"]), ("0", "1"), {"x": "1"}, [identity()]),
    "a flow": (
        (XT, ["Dt(x**2*t) == {}*x**2*t + x**2"], (), (), [("x", "-x/2"), ("t", "1")]),
        ("-1", "1"),
        {"x": "1", "t": "1"},
        [identity()],
    ),
    "a flow of vectors": (
        ({"v": "vector:2"}, ["Dt(Sum(v**2)) == {}*Sum(v**2)"], (), (), [("v", "-D(Sum(v**2)/2, v)")]),
        ("-2", "2"),
        {"v": ["1", "1"]},
        [identity()],
    ),
    "twice along a flow": (
        (X, ["Dt(Dt(x)) == {}*x"], (), (), [("x", "-3*x")]),
        ("9", "3"),
        {"x": "1"},
        [identity()],
    ),
    "an entry of a gradient": (
        ({"v": "vector:2"}, ["D(v[0]*v[1]**2, v[1]) == {}*v[0]*v[1]"]),
        ("2", "1"),
        {"v": ["1", "1"]},
        [identity()],
    ),
    "an integral below": (
        (X, ["Integral(exp(-s), s, 0, x) <= {}*x"], ["0 <= x"]),
        ("1", "1/2"),
        {"x": "1"},
        [
            integral(
                "Integral(exp(-s), s, 0, x)",
                "<=",
                "s",
                terms("1 : exp -s * tangent s", "1 : exp -s * s-"),
                terms("1 : h"),
            )
        ],
    ),
    "an integral above": (
        (X, ["Integral(exp(s), s, 0, x) >= x + x**2/{}"], ["0 <= x"]),
        ("2", "1"),
        {"x": "1"},
        [integral("Integral(exp(s), s, 0, x)", ">=", "s + s**2/2", terms("1 : tangent s"), terms("1 : h"))],
    ),
    "one box": ((X, ["exp(x) < {}"], UNIT), ("3", "2"), {"x": "1"}, [boxes("whole")]),
    "boxes": (
        (X, ["exp(x) - x**2 > {}"], UNIT),
        ("1/4", "1"),
        {"x": "0"},
        [boxes(["x", "1/2", "whole", ["x", "3/4", "whole", "whole"]])],
    ),
    "an integral over a box": (
        (X, ["Integral(exp(-s**2), s, 0, x) < {}"], UNIT),
        ("6/7", "1/2"),
        {"x": "1"},
        [boxes(["x", "7/8", ["x", "1/2", "whole", "whole"], "whole"], (53, 16))],
    ),
}


def filled(shape: Any, word: str) -> Json:
    given, conclude, *rest = shape
    return part(given, [text.format(word) for text in conclude], *rest)


def by(statement: Json, proofs: list[Json]) -> Json:
    """The certificate, with the verdict that its proofs deserve."""
    certificate = proved(statement, *proofs)
    return signed({**certificate, "verdict": checker.shown_by(certificate["parts"])})


@pytest.mark.parametrize("name", RULES)
def test_a_true_statement_is_accepted_and_a_false_one_refused(name: str) -> None:
    shape, (good, bad), point, proofs = RULES[name]
    assert refusal(by(filled(shape, good), proofs)) is None
    assert truth(filled(shape, good), point) == (True, None)
    assert refusal(by(filled(shape, bad), proofs)) is not None
    admitted, broken = truth(filled(shape, bad), point)
    assert admitted
    assert broken is not None, "the other statement is to be visibly false"
    assert refusal(refuted(filled(shape, bad), point, broken)) is None
    assert refusal(refuted(filled(shape, good), point)) == "the witness breaks nothing"


AT_ZERO = ["x**2 <= 0"]
POLE = lemma("pole#0", {"x": "x"}, [], terms("1 : q0"))
# arguments that look like proofs and are none: (statement, a point where it is false, proofs)
FALSEHOODS = {
    "exp of layers in a sum": (
        part({"w": "layers"}, ["Sum(exp(w)) == Size(w)*exp(w)"]),
        {"w": ["1", "2"]},
        [identity()],
    ),
    "exp of samples in a mean": (part({"e": "sample"}, ["Mean(exp(e)) == exp(e)"]), {"e": ["1", "2"]}, [identity()]),
    "an integral of layers": (
        part({"w": "layers"}, ["Sum(Integral(w, s, 0, 1)) == Integral(w, s, 0, 1)*Size(w)"]),
        {"w": ["1", "2"]},
        [identity()],
    ),
    "a positive exp makes its exponent nonzero": (
        part(X, ["-1 >= 0"], ["exp(x) > 0", *AT_ZERO]),
        {"x": "0"},
        [terms("1 : a1.0 * sq 1/x")],
    ),
    "exp of a pole": (part(X, ["-1 >= 0"], AT_ZERO), {"x": "0"}, [terms("1 : a0.0 * sq exp(1/x)/x")]),
    "a tangent with a pole": (
        part(X, ["-1 >= 0"], AT_ZERO),
        {"x": "0"},
        [terms("1 : a0.0 * tangent 1/x", "1 : a0.0 * sq 1/x")],
    ),
    "a pole of the integrand": (
        part(X, ["Integral(1/s**2, s, -1, x) <= -1 - 1/x"], ["x >= 0"]),
        {"x": "1"},
        [integral("Integral(1/s**2, s, -1, x)", "<=", "-1/s", identity(), terms("1 : h"), terms("1", "1 : a0.0"))],
    ),
    "a bound with a pole": (
        part(X, ["Integral(s**2, s, -1, x) <= -1/x - 1"], ["x > 0"]),
        {"x": "1"},
        [integral("Integral(s**2, s, -1, x)", "<=", "-1/s", terms("1"), terms("1 : h"), terms("1", "1 : a0.0"))],
    ),
    "ends in the wrong order": (
        part(X, ["Integral(exp(s), s, 0, x) <= x"], ["x <= 0"]),
        {"x": "-1"},
        [
            integral(
                "Integral(exp(s), s, 0, x)",
                "<=",
                "s",
                terms("1 : exp s * tangent -s", "1 : exp s * s+", "1 : exp s * a0.0"),
                terms("1 : h"),
            )
        ],
    ),
    "the variable of an integral for a given number": (
        part({"x": "real", "s": "real"}, ["s >= 0"], ["x >= 0"]),
        {"x": "1", "s": "-1"},
        [integral("Integral(0, s, 0, x)", "<=", "0", identity(), terms("1 : s-"))],
    ),
    "an integral within an integral": (
        part(X, ["Integral(Integral(r, r, 0, s), s, 0, x) == Integral(Integral(s, r, 0, s), s, 0, x)"]),
        {"x": "1"},
        [identity()],
    ),
    "a derivative under the integral": (
        part(X, ["D(Integral(exp(x*s), s, 0, x), x) == exp(x**2)"]),
        {"x": "1"},
        [identity()],
    ),
    "a hypothesis about the variable kept for later": (
        part(X, ["x >= 2"], ["x >= 1"]),
        {"x": "1"},
        [integral("Integral(s, s, 2, 3)", "<=", "s**2/2", identity(), terms("1 : s-"), terms("1"))],
    ),
    "a box wider than the hypotheses": (
        part(X, ["exp(x) < 3"], ["0 <= x", "x <= 2"]),
        {"x": "2"},
        [boxes("whole")],
    ),
    "a box open on one side": (part(X, ["exp(x) > 1/2"], ["x <= 1"]), {"x": "-1"}, [boxes("whole")]),
    "a box cut outside": (
        part(X, ["exp(x) < 3"], ["0 <= x", "x <= 2"]),
        {"x": "2"},
        [boxes(["x", "-5", "whole", "whole"])],
    ),
    "a strictness that an enclosure does not have": (part(X, ["x**2 > 0"], UNIT), {"x": "0"}, [boxes("whole")]),
    "a rate for another name": (
        part(XT, ["Dt(x) == 1"], (), (), [("t", "1"), ("x", "0")]),
        {"x": "0", "t": "0"},
        [identity()],
    ),
}


@pytest.mark.parametrize("name", FALSEHOODS)
def test_a_falsehood_is_not_proved(name: str) -> None:
    statement, point, proofs = FALSEHOODS[name]
    assert refusal(by(statement, proofs)) is not None
    try:
        admitted, broken = truth(statement, point)
    except (Refused, ZeroDivisionError):
        assert refusal(refuted(statement, point)) is not None  # no value there
    else:
        assert admitted
        assert broken


def test_most_of_the_falsehoods_are_visibly_false() -> None:
    shown = 0
    for statement, point, _ in FALSEHOODS.values():
        try:
            shown += truth(statement, point)[1] is not None
        except (Refused, ZeroDivisionError):
            continue
    assert shown >= 12


def test_a_bound_on_an_integral_with_nothing_wrong_is_accepted() -> None:
    """The shapes of the falsehoods above, true: it is not their form that is refused."""
    good = [
        (
            part(X, ["x >= 1"], ["x >= 1"]),
            [integral("Integral(s, s, 2, 3)", "<=", "s**2/2", identity(), terms("1 : a0.0"), terms("1"))],
        ),
        (
            part(X, ["Integral(s**2, s, -1, x) <= x**3/3 + 1/3"], ["x > 0"]),
            [integral("Integral(s**2, s, -1, x)", "<=", "s**3/3", identity(), terms("1 : h"), terms("1", "1 : a0.0"))],
        ),
        (part(X, ["exp(x) < 9"], ["0 <= x", "x <= 2"]), [boxes(["x", "1", "whole", "whole"])]),
    ]
    for statement, proofs in good:
        assert refusal(by(statement, proofs)) is None


@pytest.mark.parametrize(
    "rates",
    [[("y", "1")], [("x", "1"), ("x", "2")], [("x", "[1, 2]")], [("x", "unknown")], "x", [("x",)]],
)
def test_bad_rates_are_refused(rates: Any) -> None:
    statement = {**plain(X, ["Dt(x) == 1"]), "rates": rates}
    assert refusal(proved(statement, identity())) is not None
    assert refusal(proved({**statement, "rates": [["x", "1"]]}, identity())) is None


def test_a_statement_without_rates_has_no_flow() -> None:
    assert refusal(proved(plain(X, ["Dt(x) == 0"]), identity())) is not None


def test_certified_is_what_rests_on_boxes_and_nothing_else() -> None:
    statement = part(X, ["exp(x) < 3"], UNIT)
    nested = split("x - 1/2", boxes("whole"), boxes("whole"))
    step = have("exp(x) < 3", boxes("whole"), terms("1 : h"))
    for proof in (boxes("whole"), nested, step):
        certificate = proved(statement, proof)
        assert "verdict" in str(refusal(certificate))
        assert refusal(signed({**certificate, "verdict": "certified"})) is None
    algebra = proved(part(X, ["exp(x) > 0"]), terms("1 : exp x"))
    assert refusal(algebra) is None
    assert refusal(signed({**algebra, "verdict": "certified"})) is not None


@pytest.mark.parametrize(
    "tree", ["no", [], ["x", "1/2", "whole"], ["y", "1/2", "whole", "whole"], None, ["x", "0", "whole", "whole"]]
)
def test_a_tree_that_is_none_is_refused(tree: Any) -> None:
    statement = part(X, ["exp(x) < 3"], UNIT)
    assert refusal(by(statement, [boxes(["x", "1/2", "whole", "whole"])])) is None
    assert refusal(by(statement, [boxes(tree)])) is not None


@pytest.mark.parametrize(
    "precision", [(1, 1), (10**6, 8), (53, 0), (53, 10**6), (53.0, 8), (True, 8), ("53", 8), (53,)]
)
def test_a_precision_that_is_none_is_refused(precision: Any) -> None:
    assert refusal(by(part(X, ["exp(x) < 3"], UNIT), [boxes("whole", precision)])) is not None


# ---------------------------------------------------------------- enclosures
def contains(interval: Any, value: Any) -> bool:
    low, high = (mpmath.mpf(end.numerator) / end.denominator for end in interval)
    return low <= value <= high


@pytest.mark.parametrize("bits", [10, 53, 200])
@pytest.mark.parametrize("x", [F(0), F(1), F(-1), F(1, 10**30), F(-22, 7), F(355, 113), F(700), F(-2000), F(40000)])
def test_exp_is_enclosed_to_the_bits_asked_for(x: Fraction, bits: int) -> None:
    with mpmath.workprec(2 * bits + 300):
        value = mpmath.exp(mpmath.mpf(x.numerator) / x.denominator)
        low, high = checker.exp_interval(x, bits)
        assert contains((low, high), value)
        assert high - low <= high / 2 ** (bits - 1)
        assert not contains((low * (1 + F(1, 2 ** (bits - 4))), high * (1 + F(1, 2 ** (bits - 4)))), value)


def test_exp_far_out_is_bounded_or_not_told() -> None:
    low, high = checker.exp_interval(F(-(10**9)), 53)
    assert low == 0 < high < F(1, 10**19000)
    with pytest.raises(Refused, match="too large"):
        checker.exp_interval(F(10**6), 53)


INTEGRALS = {
    "Integral(exp(-s**2), s, 0, 2)": lambda: mpmath.quad(lambda s: mpmath.exp(-(s**2)), [0, 2]),
    "Integral(exp(-s**2), s, 2, 0)": lambda: mpmath.quad(lambda s: mpmath.exp(-(s**2)), [2, 0]),
    "Integral(exp(3*exp(-2*s) - s/3), s, -1/2, 1)": lambda: mpmath.quad(
        lambda s: mpmath.exp(3 * mpmath.exp(-2 * s) - s / 3), [-0.5, 0, 1]
    ),
    "exp(-1)*(2 - Integral(s**3, s, 0, 1)**2)": lambda: mpmath.exp(-1) * (2 - mpmath.mpf(1) / 16),
    "1/Integral(exp(s), s, -1, 1)**3": lambda: (mpmath.e - 1 / mpmath.e) ** -3,
}


@pytest.mark.parametrize("text", INTEGRALS)
def test_integrals_are_enclosed_and_closer_with_more_pieces(text: str) -> None:
    e = checker.R.of(checker.Scope({}, [])(text))
    widths: list[Fraction] = []
    for precision in ((60, 4), (60, 16), (60, 64)):
        low, high = checker.enclose(e, {}, precision)
        assert contains((low, high), INTEGRALS[text]())
        widths.append(high - low)
    assert widths[0] > 8 * widths[1] > 64 * widths[2] > 0  # order two; 16 is what it becomes


def test_an_enclosure_over_a_box_contains_what_is_inside() -> None:
    scope = checker.Scope({n: checker.R.atom(n) for n in "xy"}, [])
    e = scope("exp(x*y)/(2 + x) - x**2*Integral(exp(-y*s**2), s, 0, x)")
    box = {"x": (F(-1), F(1, 2)), "y": (F(1), F(3, 2))}
    interval = checker.enclose(e, box, (53, 16))
    for x in (-1, -0.5, 0, 0.5):
        for y in (1, 1.25, 1.5):
            inner: Any = mpmath.quad(lambda s, y=y: mpmath.exp(-y * s**2), [0, x])
            assert contains(interval, mpmath.exp(x * y) / (2 + x) - x**2 * inner)
    with pytest.raises(Refused, match="may be zero"):
        checker.enclose(scope("1/x"), box, (53, 8))
    with pytest.raises(Refused, match="nothing bounds"):
        checker.enclose(scope("x"), {}, (53, 8))


def test_what_enclosures_cannot_tell_breaks_and_admits_nothing() -> None:
    close = "Integral(exp(-s**2), s, 0, 1) - Integral(exp(-s**2), s, 0, 1/2) - Integral(exp(-s**2), s, 1/2, 1)"  # is 0
    assert checker.sign(checker.Scope({}, [])(close)) is None
    for relation in ("==", "!=", "<", ">="):
        assert truth(part(X, [f"{close} {relation} 0"]), {"x": "0"}) == (True, None)
        assert truth(part(X, ["x == 1"], [f"{close} {relation} 0"]), {"x": "0"}) == (False, None)
    assert truth(part(X, ["exp(10**9*x) < 0"]), {"x": "1"}) == (True, None)  # too large to tell


def test_boxes_are_found_and_not_where_the_statement_is_false() -> None:
    statement = plain({"x": "real", "y": "real"}, ["exp(x - y) > 1 + (x - y)*4/5"], [*UNIT, "2 <= y", "y <= 3"])
    found = find.certify_part(statement, [find.boxes()], {})
    assert refusal(signed({"format": checker.FORMAT, "claim": "c", "verdict": "certified", "parts": [found]})) is None
    with pytest.raises(find.NotFound, match="cuts"):
        find.certify_part({**statement, "conclude": ["exp(x - y) > 3/4"]}, [find.boxes(cuts=30)], {})

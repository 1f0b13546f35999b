"""exp, integrals, flows and boxes in proofs: what is true is accepted, the same proof of what is false is not."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest

from linreg_dyn.certify.checker import Refused, truth
from tests.certificates import Json, boxes, by, identity, lemma, refusal, refuted, terms
from tests.certificates import part as plain

F = Fraction
X, XT = {"x": "real"}, {"x": "real", "t": "real"}
XYV = {"x": "real", "y": "real", "v": "real"}


def part(given: Json, conclude: list[str], assume: Any = (), where: Any = (), rates: Any = ()) -> Json:
    return {**plain(given, conclude, assume, where), "rates": [list(r) for r in rates]}


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
    "an exponent that closes its own parenthesis": (part(X, ["1 < 0"]), {"x": "1"}, [terms("1/4 : exp 0) - (5")]),
    "an exponent that is a list of arguments": (part(X, ["1 < 0"]), {"x": "1"}, [terms("1 : exp 0, 5")]),
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
    "the variable of an integral within another for the outer one": (
        part(X, ["Integral(Integral(s - t, t, 0, 1), s, 0, 2) == 0"]),
        {"x": "1"},
        [identity()],
    ),
    "exponents of an integral within another that cancel": (
        part(X, ["Integral(z, s, 0, 1) == 1"], [], [["z", "Integral(exp(s - t), t, 0, 1)"]]),
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
    "a divisor whose absolute values seem to cancel along the flow": (
        part(XYV, ["-1 >= 0/(Dt(x) + v)"], ["v**2 <= 0", "-y >= 0"], (), [("x", "abs(y)/abs(1) - y")]),
        {"x": "0", "y": "-1", "v": "0"},
        [terms("1 : a0.0 * sq 1/v")],
    ),
    "a second derivative of an absolute value": (
        part(X, ["D(D(abs(x**2), x), x) == -2"], ["-x**2 >= 0"]),
        {"x": "0"},
        [identity()],
    ),
    "a second derivative of an absolute value beside layers": (
        part({"w": "layers", **X}, ["Sum(w)*D(D(abs(x**2), x), x) == -2*Sum(w)"], ["-x**2 >= 0"]),
        {"w": ["1"], "x": "0"},
        [identity()],
    ),
    "an absolute value twice along a flow": (
        part(X, ["Dt(Dt(abs(x**2))) < 0"], ["-x**2 >= 0"], (), [("x", "1")]),
        {"x": "0"},
        [terms("2")],
    ),
    "a derivative along a flow with an absolute value": (
        part(XT, ["D(Dt(x), t) == -1"], ["-t >= 0"], (), [("x", "abs(t)")]),
        {"x": "0", "t": "0"},
        [identity()],
    ),
    "a strictness that an enclosure around 0 does not have": (
        part(X, ["x**2 > 0"], ["-1 <= x", "x <= 2"]),
        {"x": "0"},
        [boxes("whole")],
    ),
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

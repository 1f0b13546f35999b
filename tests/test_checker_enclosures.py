"""The checker's rigorous enclosures, of numbers and over boxes, and what may be certified by them."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import mpmath
import pytest

from linreg_dyn.certify import checker, find
from linreg_dyn.certify.checker import Refused, truth
from tests.certificates import boxes, by, have, part, proved, refusal, signed, split, terms

F = Fraction
X = {"x": "real"}
UNIT = ["0 <= x", "x <= 1"]


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
        assert truth(part(X, [f"{close} {relation} 0"]), {"x": "0"}) == (None, None)
        assert truth(part(X, [f"{close} {relation} 0", "x > 0"]), {"x": "0"}) == (True, "x > 0")
        assert truth(part(X, ["x == 1"], [f"{close} {relation} 0"]), {"x": "0"}) == (False, None)
    assert truth(part(X, ["exp(10**9*x) < 0"]), {"x": "1"}) == (None, None)  # too large to tell


def test_boxes_are_found_and_not_where_the_statement_is_false() -> None:
    statement = part({"x": "real", "y": "real"}, ["exp(x - y) > 1 + (x - y)*4/5"], [*UNIT, "2 <= y", "y <= 3"])
    found = find.certify_part(statement, [find.boxes()], {})
    assert refusal(signed({"format": checker.FORMAT, "claim": "c", "verdict": "certified", "parts": [found]})) is None
    with pytest.raises(find.NotFound, match="cuts"):
        find.certify_part({**statement, "conclude": ["exp(x - y) > 3/4"]}, [find.boxes(cuts=30)], {})

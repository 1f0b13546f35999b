"""Flows in statements: rates, and derivatives along them and by layers."""

from __future__ import annotations

from typing import Any

import pytest

from linreg_dyn.certify.checker import R, truth
from tests.certificates import identity, proved, refusal, refuted, terms
from tests.certificates import part as plain
from tests.test_checker_functions import X, part


@pytest.mark.parametrize(
    "rates",
    [[("y", "1")], [("x", "1"), ("x", "2")], [("x", "[1, 2]")], [("x", "unknown")], "x", [("x",)]],
)
def test_bad_rates_are_refused(rates: Any) -> None:
    statement = {**plain(X, ["Dt(x) == 1"]), "rates": rates}
    assert refusal(proved(statement, identity())) is not None
    assert refusal(proved({**statement, "rates": [["x", "1"]]}, identity())) is None


@pytest.mark.parametrize(
    ("conclude", "where"),
    [("u == w[i]", [("u", "Dt(x)")]), ("D(Dt(x)*x, x) == w[i]", []), ("Dt(x) == v", [("v", "w[i]")])],
)
def test_a_flow_is_the_same_for_all_layers(conclude: str, where: Any) -> None:
    """A rate that names a layer would be that of the first layer in one statement and of each in another."""
    point = {"x": "1", "w": ["1", "1/2"]}
    for rate, definitions in (("w[i]", where), ("r", [*where, ("r", "w[i]")])):
        statement = part({**X, "w": "layers:2"}, [conclude], (), definitions, [("x", rate)])
        assert "one for all" in str(refusal(refuted(statement, point)))
    statement = part({**X, "w": "layers:2"}, [conclude], (), where, [("x", "w[0]")])
    assert refusal(refuted(statement, point)) is None


def test_a_statement_without_rates_has_no_flow() -> None:
    assert refusal(proved(plain(X, ["Dt(x) == 0"]), identity())) is not None


def test_what_the_flow_is_written_with_is_no_name() -> None:
    """Otherwise absolute values in its definition would not be seen in a divisor."""
    given, where = {"y": "real", "v": "real"}, [["Dt", "abs(y)/abs(1) - y"]]
    statement = part(given, ["-1 >= 0/(Dt + v)"], ["v**2 <= 0", "-y >= 0"], where)
    assert "reserved" in str(refusal(proved(statement, terms("1 : a0.0 * sq 1/v"))))


def test_a_derivative_is_worked_out_once_for_each_layer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not for each of the 56 pairs of 8 layers, of which each has its own only if the function names one of them."""
    diff, calls = R.diff, []
    monkeypatch.setattr(R, "diff", lambda self, rule: calls.append(1) or diff(self, rule))
    point, net = {"w": [str(n + 2) for n in range(8)]}, [["L", "(Prod(w) - 1)**2"], ["f", "w[i]*Sum(w**2)"]]
    second = "D(D(L, w[i]), w[j])*w[i]*w[j] == 2*Prod(w)*(2*Prod(w) - {})"
    for text, number in (
        ("w[i]*D(L, w[i]) == w[j]*D(L, w[j])", 16),  # each of the two texts on its own
        ("D(f, w[j]) == 2*w[i]*w[j]", 56),
        ("D(f, w[i]) == Sum(w**2) + 2*w[i]**2", 8),
        (second.format(1), 56 + 2 * 8),  # the inner one at the point, and as a function to be differentiated
    ):
        calls.clear()
        assert truth(plain({"w": "layers"}, [text], (), net), point) == (True, None)
        assert len(calls) == number, text
    for text in (second.format(2), "D(f, w[j]) == 2*w[i]*w[i]", "D(f, w[i]) == 2*w[i]**2"):
        assert truth(plain({"w": "layers"}, [text], (), net), point) == (True, text)

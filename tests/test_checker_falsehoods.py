"""Arguments that look like proofs and are none: each has once shown, or could show, something false.

Every falsehood names a point. Where the language gives the statement a value there, `truth` shows it false.
"""

import pytest

from linreg_dyn.certify.checker import Refused, truth
from tests.certificates import have, identity, lemma, part, proved, refusal, refuted, split, terms

REAL = {"x": "real"}
OPEN = {"w": "layers"}
AT_ZERO = ["x**2 <= 0"]
HALVES = ["1 : sq (x+1)/2"]  # x = ((x+1)/2)^2 - ((x-1)/2)^2
SELF = {"p": "simplex", "x": "real"}
LEMMAS = {
    "own": proved(part(SELF, ["p > 0"]), terms("1 : p"), claim="own"),
    "below": proved(part(SELF, ["x > 0"], ["x > p"]), terms("1 : a0.0", "1 : p"), claim="below"),
    "hole": proved(part(SELF, ["-1 >= 0"], ["x**2 <= 0", "x/x > 0"]), terms("1 : a0.0 * sq 1/x"), claim="hole"),
    "pole": proved(part(SELF, ["(1/x)**2 >= 0"]), terms("1 : sq 1/x"), claim="pole"),
}


def using(name, then, bind="0", assume=()):
    return lemma(f"{name}#0", {"x": bind}, assume, then)


def mean(of, then):
    return {"rule": "mean", "of": of, "then": then}


# name: (statement, a point where it is false, proofs)
FALSEHOODS = {
    "a square with a pole": (
        part(REAL, ["x >= 1"], AT_ZERO),
        {"x": "0"},
        [terms(*HALVES, "1 : a0.0 * sq (x-1)/(2*x)", "1 : a0.0 * sq 1/x")],
    ),
    "a square with a pole, by a negative power": (
        part(REAL, ["-1 >= 0"], AT_ZERO),
        {"x": "0"},
        [terms("1 : a0.0 * sq x**(-1)")],
    ),
    "cases of a pole": (
        part(REAL, ["-1 >= 0"], AT_ZERO),
        {"x": "0"},
        [split("1/x", *[terms("1 : a0.0 * s * s")] * 2)],
    ),
    "a step with a pole": (
        part(REAL, ["-1 >= 0"], ["(x-1)**2 <= 0"]),
        {"x": "1"},
        [have("1/(x-1)**2 >= 0", terms("1 : sq 1/(x-1)"), terms("1 : a0.0 * h"))],
    ),
    "a definition with a pole that the statement does not use": (
        part(REAL, ["-1 >= 0"], AT_ZERO, [["z", "1/x"]]),
        {"x": "0"},
        [terms("1 : a0.0 * sq z")],
    ),
    "a lemma with a pole": (
        part(REAL, ["-1 >= 0"], AT_ZERO),
        {"x": "0"},
        [using("pole", terms("1 : a0.0 * q0"), bind="x")],
    ),
    "a lemma with a hole in its assumptions": (
        part(REAL, ["-1 >= 0"], AT_ZERO),
        {"x": "0"},
        [using("hole", terms("1 : q0"), bind="x", assume=[terms("1 : a0.0"), terms("1")])],
    ),
    "a pole within a derivative": (
        part(REAL, ["-1 >= 0"], AT_ZERO),
        {"x": "0"},
        [terms("1 : a0.0 * sq x*D(1/x,x)")],
    ),
    "a pole beside a derivative": (
        part({"x": "real", "y": "real"}, ["-1 >= 0"], AT_ZERO),
        {"x": "0", "y": "1"},
        [terms("1 : a0.0 * sq D(y/x,y)")],
    ),
    "a derivative at a hole": (
        part({**OPEN, "x": "real", "y": "real"}, ["y >= D(x**2/x, x) - 1"], AT_ZERO),
        {"w": ["1"], "x": "0", "y": "-1"},
        [terms("1 : sq (y+1)/2", "1 : a0.0 * sq (y-1)/2/x")],
    ),
    "a cofactor with a pole": (part(REAL, ["1 == 0"], ["x == 0"]), {"x": "0"}, [identity(a0_0="1/x")]),
    "a divisor with an absolute value": (
        part({"x": "real", "y": "real"}, ["y >= 0/(1 + abs(x))"], ["(x + 1)**2 <= 0", "-x >= 0"]),
        {"x": "-1", "y": "-1"},
        [terms("1 : sq (y+1)/2", "1 : a0.0 * sq (y-1)/2/(1+x)")],
    ),
    "a divisor whose absolute values seem to cancel": (
        part(
            {"x": "real", "y": "real", "z": "real"},
            ["-1 >= 0/(abs(x) - abs(y) + z)"],
            ["z**2 <= 0", "x >= 0", "y >= 0"],
        ),
        {"x": "2", "y": "1", "z": "0"},
        [terms("1 : a0.0 * sq 1/z")],
    ),
    "a divisor whose absolute values seem to cancel in a derivative": (
        part({"x": "real", "z": "real"}, ["-1 >= 0/(D(x*abs(x), x) - abs(x) + z)"], ["z**2 <= 0", "x >= 0"]),
        {"x": "1", "z": "0"},
        [terms("1 : a0.0 * sq 1/z")],
    ),
    "a divisor whose absolute values seem to leave a sum": (
        part(
            {**OPEN, "z": "real"}, ["-1 >= 0/d"], ["z**2 <= 0", "w >= 0"], [["d", "Sum(w*abs(w)) - abs(w)*Sum(w) + z"]]
        ),
        {"w": ["2", "1"], "z": "0"},
        [terms("1 : a0.0 * sq 1/z")],
    ),
    "a divisor that is another product": (
        part(SELF, ["x >= 0/Prod(1 - p)"], ["Prod(1 - 2*p)**2 <= 0"]),
        {"p": ["1/2", "1/2"], "x": "-1"},
        [terms(*HALVES, "1 : a0.0 * sq (x-1)/2/Prod(1-2*p)")],
    ),
    "an index of a sample": (
        part({**OPEN, "eta": "sample"}, ["eta[i] == eta[j]"]),
        {"w": ["1", "1"], "eta": ["0", "1"]},
        [identity()],
    ),
    "layers against samples": (
        part({**OPEN, "eta": "sample"}, ["Mean(eta) <= w[i]"], ["w > eta"]),
        {"w": ["1", "10"], "eta": ["0", "9"]},
        [mean("w[i] - eta", terms("1 : a0.0[i]"))],
    ),
    "absolute values of layers against samples": (
        part({**OPEN, "eta": "sample"}, ["Mean(eta) >= w[i]"], ["abs(w) < eta"]),
        {"w": ["1", "10"], "eta": ["2", "11"]},
        [mean("eta - w[i]", terms("1 : a0.0+[i]"))],
    ),
    "an index that is no integer": (
        part({"x": "vector:2"}, ["x[1/2] == x[0]"]),
        {"x": ["1", "2"]},
        [identity()],
    ),
    "two spellings that are read as one name": (  # a ligature is read as its letters
        part({"fi": "real", "\N{LATIN SMALL LIGATURE FI}": "real"}, ["\N{LATIN SMALL LIGATURE FI} == fi"]),
        {"fi": "1", "\N{LATIN SMALL LIGATURE FI}": "2"},
        [identity()],
    ),
    "a conclusion in a comment": (part(REAL, ["x == x # and 1 < 0"]), {"x": "0"}, [identity()]),
    "an argument that is not read": (
        part(REAL, ["abs(x, 0) <= x"], ["x >= 0"]),
        {"x": "1"},
        [identity(), terms("2 : a0.0")],
    ),
    "an argument by name that is not read": (
        part(REAL, ["abs(x, k=0) <= x"], ["x >= 0"]),
        {"x": "1"},
        [identity(), terms("2 : a0.0")],
    ),
    "a literal list times the layers": (
        part(OPEN, ["Sum([1, 1]*w) == 2*w"]),
        {"w": ["1", "2"]},
        [identity()],
    ),
    "two layers times the layers": (
        part({**OPEN, "u": "layers:2"}, ["Sum(w*u) == w*Sum(u)"]),
        {"w": ["1", "2"], "u": ["1", "1"]},
        [identity()],
    ),
    "two samples times the layers": (
        part({**OPEN, "x": "sample:2"}, ["Mean(w*x) == w*Mean(x)"]),
        {"w": ["1", "2"], "x": ["1", "1"]},
        [identity()],
    ),
    "a literal list times the samples": (
        part({"eta": "sample"}, ["Mean([1, 1]*eta) == eta"]),
        {"eta": ["1", "2"]},
        [identity()],
    ),
    "a sum over samples": (
        part({**OPEN, "eta": "sample"}, ["Sum(eta - eta + 1) == Sum(w/w)"]),
        {"w": ["1"], "eta": ["1", "2"]},
        [identity()],
    ),
    "a simplex of given size as a number": (
        part({"p": "simplex:3", "x": "sample:3"}, ["Sum(p*x) == p*Sum(x)"]),
        {"p": ["1/2", "1/4", "1/4"], "x": ["1", "2", "3"]},
        [identity()],
    ),
    "the empty list": (
        part(REAL, ["x > 0"], ["[] > 0"]),
        {"x": "-1"},
        [terms("1 : a0.0", multiplier=["1 : a0.0"])],
    ),
    "a derivative by another vector": (
        part({**OPEN, "u": "layers:2"}, ["D(Sum(u**2), u) == 0"]),
        {"w": ["1", "2"], "u": ["1", "1"]},
        [identity()],
    ),
    "a derivative by an entry of another vector": (
        part({**OPEN, "u": "layers:2"}, ["D(Sum(u**2), u[i]) == 0"]),
        {"w": ["1", "2"], "u": ["1", "1"]},
        [identity()],
    ),
    "a derivative across layers": (
        part(OPEN, ["D(w[i]**2, w) == 0"]),
        {"w": ["1"]},
        [identity()],
    ),
    "a derivative of every layer by one": (
        part(OPEN, ["D(w**2, w[i]) == 0"]),
        {"w": ["1"]},
        [identity()],
    ),
    "a lemma's layer for a number of the same name": (
        part({"p": "real"}, ["p > 0"]),
        {"p": "-1"},
        [using("own", terms("1 : q0"))],
    ),
    "a lemma's layer for layers of the same name": (
        part({"p": "layers"}, ["p > 0"]),
        {"p": ["-1"]},
        [using("own", terms("1 : q0"))],
    ),
    "a lemma's assumption on its layers, for one number": (
        part({"p": "real", "y": "real"}, ["y > 0"], ["y > p"]),
        {"p": "-2", "y": "-1"},
        [using("below", terms("1 : q0"), bind="y", assume=[terms("1 : a0.0")])],
    ),
    "a pair of layers that are one": (
        part(OPEN, ["S >= 1/w[i]**2 + 1/w[i]**2"], (), [["S", "Sum(1/w**2)"]]),
        {"w": ["1"]},
        [terms("1 : rest")],
    ),
    "one layer taken for all": (
        part(OPEN, ["w[i] == w[j]"]),
        {"w": ["1", "2"]},
        [identity()],
    ),
    "a case carried into a mean": (
        part({"eta": "sample"}, ["Mean(eta) >= 0"]),
        {"eta": ["-1"]},
        [split("eta", ge=mean("eta", terms("1 : s")), le=mean("eta", terms("1 : s")))],
    ),
    "a case carried into a sum": (
        part(OPEN, ["Sum(w*abs(w))**2 == Sum(w**2)**2"]),
        {"w": ["1", "-1"]},
        [split("w", identity(), identity())],
    ),
    "a case carried into a mean of absolute values": (
        part({"eta": "sample"}, ["Mean(eta*abs(eta))**2 == Mean(eta**2)**2"]),
        {"eta": ["1", "-1"]},
        [split("eta", identity(), identity())],
    ),
    "an absolute value by the wrong sign": (
        part(REAL, ["abs(x) <= x"]),
        {"x": "-1"},
        [split("x", ge=identity(), le=identity())],
    ),
    "an assumption with a hole where the goal is": (
        part(REAL, ["1/x >= x"], ["x <= 1"]),
        {"x": "-1/2"},
        [terms("1 : a0.0")],
    ),
    "a strictness of a term that is 0": (part(REAL, ["x**2 > 0"]), {"x": "0"}, [terms("0", "1 : sq x")]),
    "a sum over layers of a quotient": (
        part(OPEN, ["Sum(1/(1 + w**2)) == Size(w)/(1 + w**2)"]),
        {"w": ["1", "2"]},
        [identity()],
    ),
    "a derivative of a product of all layers as of one": (
        part(OPEN, ["D(P, w[i]) == P/w[i]"], (), [["P", "Prod(w - 1/(2*w*Sum(1/w**2)))"]]),
        {"w": ["1", "2"]},
        [identity()],
    ),
    "a strictness that only the weights have": (
        part(REAL, ["abs(x) > 0"]),
        {"x": "0"},
        [split("x", *[terms("1 : s")] * 2, nonzero="W")],
    ),
}


@pytest.mark.parametrize("name", FALSEHOODS)
def test_a_falsehood_is_not_proved(name):
    statement, point, proofs = FALSEHOODS[name]
    proof = refusal(proved(statement, *proofs), LEMMAS)
    try:
        assert truth(statement, point) == (True, statement["conclude"][0])
    except (Refused, ZeroDivisionError):  # no value there: then it is not refuted either
        assert refusal(refuted(statement, point)) is not None
        assert proof is not None or name == "a derivative at a hole"
    else:
        assert proof is not None


def test_most_of_the_falsehoods_are_visibly_false():
    """Otherwise the test above could pass by calling everything outside the language."""
    shown = 0
    for statement, point, _ in FALSEHOODS.values():
        try:
            shown += truth(statement, point)[1] is not None
        except (Refused, ZeroDivisionError):
            continue
    assert shown >= 25


def test_a_mean_does_not_see_through_a_product():
    """Mean(eta Prod(v)) is not Mean(eta) Prod(v): at w = (1), eta = (1, -1) it is -1, as v = 1 - eta."""
    where = [["S", "Sum(1/w**2)"], ["v", "w*(1 - eta*w**(-2)/S)"]]
    statement = part({**OPEN, "eta": "sample"}, ["Mean(eta*Prod(v)) == 0"], ["Mean(eta) == 0"], where)
    assert refusal(proved(statement, identity(a0_0="Prod(v)"))) is not None

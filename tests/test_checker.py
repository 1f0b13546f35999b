"""Each rule of the checker: a small true statement is accepted, the same proof of a false one is refused."""

import pytest

from linreg_dyn.certify.checker import truth
from tests.certificates import have, identity, lemma, part, proved, refusal, refuted, signed, split, terms

NET = (("W", "Prod(w)"), ("S", "Sum(1/w**2)"))
LAYERS = {"w": "layers"}
REAL = {"x": "real"}
FACTOR = terms("1 : room", "1 : s", "1 : a0.0 * p")
STEP = terms("1 : p * s * sq x")
PRODUCT = proved(
    part({"p": "simplex", "x": "real"}, ["Prod(1 - x*p) >= 1 - x"], ["x < 1"]),
    {"rule": "induction", "bound": "1 - x*s", "factor": FACTOR, "step": STEP},
    claim="product",
)

# rule: (statement with {}, a true and a false filling, a point that breaks the false one, proofs)
RULES = {
    "terms": (
        (REAL, "x**2 + {} > 0", ["x > 0"]),
        ("1", "-1"),
        {"x": "1/2"},
        [terms("1", "1 : sq x")],
    ),
    "terms with a multiplier": (
        (REAL, "1 - 1/x <= {}", ["x > 0"]),
        ("1", "1/2"),
        {"x": "3"},
        [terms("1", multiplier=["1 : a0.0"])],
    ),
    "identity": ((REAL, "(x + 1)**2 == x**2 + {}*x + 1"), ("2", "3"), {"x": "1"}, [identity()]),
    "identity modulo an equation": (
        (LAYERS, "W**2 == {}", ["W == 1"], NET),
        ("1", "2"),
        {"w": ["2", "1/2"]},
        [identity(a0_0="W + 1")],
    ),
    "split": (
        (REAL, "x {} abs(x)"),
        ("<=", "<"),
        {"x": "1"},
        [split("x", ge=identity(), le=terms("2 : s"))],
    ),
    "split, strict by an assumption": (
        (REAL, "abs(x) > {}", ["x != 0"]),
        ("0", "1"),
        {"x": "1"},
        [split("x", ge=terms("1 : s"), le=terms("1 : s"), nonzero="a0.0")],
    ),
    "have": (
        (REAL, "x**2 > {}", ["x > 1"]),
        ("1", "2"),
        {"x": "6/5"},
        [have("x > 0", terms("1 : a0.0", "1"), terms("1 : a0.0 * h", "1 : a0.0"))],
    ),
    "mean": (
        ({"eta": "sample"}, "Mean((1 + eta)**2) >= {}", ["Mean(eta) == 0"]),
        ("1", "2"),
        {"eta": ["0"]},
        [{"rule": "mean", "of": "eta**2", "modulo": {"a0.0": "2"}, "then": terms("1 : sq eta")}],
    ),
    "induction": (
        ({"p": "simplex", "x": "real"}, "Prod(1 - x*p) >= 1 - x{}", ["x < 1"]),
        ("", " + x**2/100"),
        {"p": ["1"], "x": "1/2"},
        [PRODUCT["parts"][0]["proof"][0]],
    ),
    "lemma": (
        (LAYERS, "Prod(w - 1/(2*w*S)) >= {}*W", ["W > 0"], NET),
        ("1/2", "2/3"),
        {"w": ["1"]},
        [lemma("product#0", {"x": "1/2"}, [terms("1/2")], terms("1 : a0.0 * q0"))],
    ),
    "one layer": (
        (LAYERS, "S {} 1/w[i]**2", (), NET),
        (">=", ">"),
        {"w": ["1"]},
        [terms("1 : rest")],
    ),
    "a pair of layers": (
        (LAYERS, "S >= {}/w[i]**2 + 1/w[j]**2", (), NET),
        ("1", "2"),
        {"w": ["1", "1"]},
        [terms("1 : rest")],
    ),
    "an assumption about every layer": (
        (LAYERS, "w[i] + w[j] > {}", ["w > 1"]),
        ("2", "3"),
        {"w": ["5/4", "5/4"]},
        [terms("1 : a0.0[i]", "1 : a0.0[j]")],
    ),
    "sums of squares": (
        (LAYERS, "Sum((w - 1/w)**2) {} 0"),
        (">=", ">"),
        {"w": ["1"]},
        [terms("1 : sumsq w-1/w")],
    ),
    "a product of sums": (
        (LAYERS, "Sum(w**2)*S + Sum((w - 1/w)**2) >= {}", (), NET),
        ("0", "2"),
        {"w": ["1"]},
        [terms("1 : sumsq w * S", "1 : sumsq w-1/w")],
    ),
    "derivatives": (
        (LAYERS, "D((W - 1)**2, w[i]) == {}*(W - 1)*W/w[i]", (), NET),
        ("2", "4"),
        {"w": ["2"]},
        [identity()],
    ),
    "second derivatives": (
        (LAYERS, "D(D(W**2, w[i]), w[j]) == {}*W**2/(w[i]*w[j])", (), NET),
        ("4", "2"),
        {"w": ["1", "1"]},
        [identity()],
    ),
    "derivatives of a vector": (
        (LAYERS, "D(W/w, w) == {}", (), NET),
        ("0", "W/w**2"),
        {"w": ["1", "2"]},
        [identity()],
    ),
    "explicit layers": (
        ({"w": "layers:2"}, "Sum(w)**2 >= {}*Prod(w)"),
        ("4", "5"),
        {"w": ["1", "1"]},
        [terms("1 : sq w[0]-w[1]")],
    ),
    "batches": (
        ({"x": "sample:3"}, "Mean(Batches(x, 2)**2) - Mean(x)**2 == {}*(Mean(x**2) - Mean(x)**2)"),
        ("1/4", "1/2"),
        {"x": ["0", "1", "2"]},
        [identity()],
    ),
    "both sides of an absolute value": (
        (REAL, "abs(x - 1) < {}", ["0 < x", "x < 2"]),
        ("1", "1/2"),
        {"x": "15/8"},
        [terms("1 : a1.0"), terms("1 : a0.0")],
    ),
}
LEMMAS = {"product": PRODUCT}


def test_the_lemma_itself_is_accepted():
    assert refusal(PRODUCT) is None


def filled(shape, word):
    given, conclusion, *more = shape
    return part(given, [conclusion.format(word)], *more)


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_accepts_the_true_statement(rule):
    shape, (good, _), _, proofs = RULES[rule]
    assert refusal(proved(filled(shape, good), *proofs), LEMMAS) is None


@pytest.mark.parametrize("rule", RULES)
def test_the_same_proof_of_a_false_statement_is_refused(rule):
    shape, (good, bad), point, proofs = RULES[rule]
    assert truth(filled(shape, good), point) == (True, None)
    assert truth(filled(shape, bad), point) == (True, shape[1].format(bad)), "the other statement is to be false"
    assert refusal(proved(filled(shape, bad), *proofs), LEMMAS) is not None
    assert refusal(refuted(filled(shape, bad), point)) is None
    assert refusal(refuted(filled(shape, good), point)) == "the witness breaks nothing"


POSITIVE = part(REAL, ["x**2 + 1 > 0"], ["x > 0"])
GOOD = terms("1", "1 : sq x")


def without(key):
    return {k: v for k, v in GOOD.items() if k != key}


BAD_PROOFS = {
    "no rule": without("rule"),
    "no terms": without("terms"),
    "no multiplier": without("multiplier"),
    "an unknown rule": {**GOOD, "rule": "trust me"},
    "an empty multiplier": {**GOOD, "multiplier": []},
    "a zero multiplier": {**GOOD, "multiplier": [["0", {}]], "terms": []},
    "a multiplier that may vanish": terms("1 : sq x", "1 : sq x * sq x", multiplier=["1 : sq x"]),
    "a negative multiplier": {**GOOD, "multiplier": [["-1", {}]]},
    "a negative coefficient": terms("1", "2 : sq x", "-1 : sq x"),
    "an unknown hypothesis": terms("1 : a7.0"),
    "exponent zero": {**GOOD, "terms": [["1", {"a0.0": 0}], ["1", {"sq x": 1}]]},
    "a negative exponent": {**GOOD, "terms": [["1", {"sq x": -1}]]},
    "a boolean exponent": {**GOOD, "terms": [["1", {}], ["1", {"sq x": True}]]},
    "an exponent as text": {**GOOD, "terms": [["1", {}], ["1", {"sq x": "1"}]]},
    "a fractional exponent": {**GOOD, "terms": [["1", {}], ["1", {"sq x": 1.0}]]},
    "a huge exponent": {**GOOD, "terms": [["1", {"a0.0": 10**9}]]},
    "infinity": {**GOOD, "terms": [[float("inf"), {}]]},
    "not a number": {**GOOD, "terms": [[float("nan"), {}]]},
    "a list": [GOOD],
    "nothing": None,
    "a hypothesis twice": have("x > 0", terms("1 : a0.0"), GOOD, name="a0.0"),
    "a circle": have("x**2 + 1 > 0", terms("1 : h"), terms("1 : h")),
    "a wrong step": have("x > 1", terms("1 : a0.0"), GOOD),
    "a split into one case": {k: v for k, v in split("x", GOOD, GOOD).items() if k != "le"},
    "a split that only one case survives": split("x - 1", GOOD, terms("1 : a7.0")),
    "a step that is an equation": have("x == x", identity(), GOOD),
    "a lemma that nobody proved": lemma("nowhere#0", {"x": "x"}, [], GOOD),
    "an induction over nothing": {"rule": "induction", "bound": "1", "factor": GOOD, "step": GOOD},
    "a mean of nothing": {"rule": "mean", "of": "x", "then": GOOD},
    "a multiple of no equation": identity(a0_0="1"),
}


@pytest.mark.parametrize("name", BAD_PROOFS)
def test_a_bad_proof_is_refused(name):
    assert refusal(proved(POSITIVE, GOOD)) is None
    assert refusal(proved(POSITIVE, BAD_PROOFS[name])) is not None


BAD_STATEMENTS = {
    "no conclusion": part(REAL, []),
    "no relation": part(REAL, ["x"]),
    "an index as a name": part({"x": "real", "i": "real"}, ["x**2 + 1 > 0"], ["x > 0"]),
    "a name twice": part(REAL, ["x**2 + 1 > 0"], ["x > 0"], [["x", "2"]]),
    "a name that is none": part({"x": "real", "a b": "real"}, ["x**2 + 1 > 0"], ["x > 0"]),
    "definitions in a circle": part(REAL, ["x**2 + a > 0"], ["x > 0"], [["a", "b"], ["b", "a"]]),
    "nested beyond measure": part(REAL, ["x**2 + 1 > 0" + "+(" * 5000 + "0" + ")" * 5000], ["x > 0"]),
    "a float": part(REAL, ["x**2 + 1.0 > 0"], ["x > 0"]),
    "a boolean": part(REAL, ["x**2 + True > 0"], ["x > 0"]),
    "an attribute": part(REAL, ["x**2 + x.real > 0"], ["x > 0"]),
    "an unknown function": part(REAL, ["x**2 + sin(0) > 0"], ["x > 0"]),
    "a keyword": part(REAL, ["x**2 + abs(a=x) > 0"], ["x > 0"]),
    "a fractional power": part(REAL, ["x**(1/2) + 1 > 0"], ["x > 0"]),
    "a symbolic power": part(REAL, ["x**x + 1 > 0"], ["x > 0"]),
    "a huge power": part(REAL, ["x**2 + 1**(10**9) > 0"], ["x > 0"]),
    "membership": part(REAL, ["x in x"], ["x > 0"]),
    "an unknown kind": part({"x": "reals"}, ["x**2 + 1 > 0"], ["x > 0"]),
    "two open vectors": part({"x": "real", "w": "layers", "p": "simplex"}, ["x**2 + 1 > 0"], ["x > 0"]),
    "an index in an assumption": part({"w": "layers", "x": "real"}, ["x**2 + 1 > 0"], ["w[i] > w[j]"]),
    "division by zero": part(REAL, ["x**2 + 1 > 0*(1/(x - x))"], ["x > 0"]),
}


@pytest.mark.parametrize("name", BAD_STATEMENTS)
def test_a_bad_statement_is_refused(name):
    assert refusal(proved(BAD_STATEMENTS[name], GOOD)) is not None


TOWER = "(" * 9 + "{}" + "**64)" * 9
TOO_LARGE = {  # a short text, and what it would grow to
    "0*Sum(v)": ({"v": "vector:1000000000"}, "too many entries"),
    "0*Mean(Batches(v, 20))": ({"v": "sample:40"}, "too many batches"),
    "0*" + TOWER.format("2"): ({}, "a number too long"),
    "0*" + TOWER.format("(2**64*x)"): ({}, "a number too long"),
    "0*Prod(v/v*2**64*2**64)": ({"v": "vector:1000"}, "a number too long"),
    f"0*D({TOWER.format('x')}, x)": ({}, "a power too high"),
    "0*((1 + x + y)**40)**9": ({"y": "real"}, "an expression too large"),
}


@pytest.mark.parametrize("text", TOO_LARGE)
def test_what_a_short_text_may_grow_to_is_bounded(text):
    given, why = TOO_LARGE[text]
    assert why in str(refusal(proved(part({**REAL, **given}, [f"x**2 + 1 > {text}"], ["x > 0"]), GOOD)))


def test_the_frame_of_a_certificate_is_checked():
    good = proved(POSITIVE, GOOD)
    assert refusal({**good, "claim": "another"}) == "altered: the digest does not match"
    for change in (
        {"format": "linreg-dyn certificate 2"},
        {"verdict": "certified"},
        {"verdict": "refuted"},
        {"parts": []},
        {"parts": [{**good["parts"][0], "proof": []}]},
        {"parts": [{**good["parts"][0], "proof": [GOOD, GOOD]}]},
        {"parts": [POSITIVE]},
        {"parts": [*good["parts"], {**POSITIVE, "conclude": ["x > 1"], "proof": [GOOD]}]},
    ):
        assert refusal(signed({**good, **change})) is not None, change
    for key in ("format", "verdict", "parts", "sha256"):
        body = {k: v for k, v in good.items() if k != key}
        assert refusal(body if key == "sha256" else signed(body)) is not None, key
    false = refuted(part(REAL, ["x > 0"]), {"x": "0"})
    assert refusal(false) is None
    for parts in ([*false["parts"], 5], {"0": false["parts"][0]}, [*false["parts"], {"given": {"Dt": "real"}}]):
        assert refusal(signed({**false, "parts": parts})) is not None, parts
    for nothing in (None, [], 3, "proved"):
        assert refusal(nothing) is not None


@pytest.mark.parametrize(("given", "first"), [(REAL, "x"), (LAYERS, "w[i]"), ({**LAYERS, **REAL}, "x*w[j]")])
def test_definitions_of_definitions_are_read_once(given, first):
    """Each names the one before twice: read at every mention, they would be read 2^60 times."""
    chain = [["z0", first], *([f"z{k + 1}", f"z{k} + z{k}"] for k in range(60))]
    for factor, accepted in ((2**60, True), (2**60 + 1, False)):
        statement = part(given, [f"z60 == {factor}*{first}"], (), chain)
        assert (refusal(proved(statement, identity())) is None) is accepted
    point = {name: ["1", "2"] if kind == "layers" else "1" for name, kind in given.items()}
    assert truth(statement, point) == (True, statement["conclude"][0])


def test_entries_of_definitions_of_definitions_are_looked_for_once():
    """Each, with no entry for a layer, names the one before twice: 2^60 of them if looked into at every mention."""
    for first, says in (("c", "only layers have indices"), ("0*w", None)):
        chain = [["u0", first], *([f"u{k + 1}", f"u{k} - u{k}"] for k in range(60))]
        statement = part({**LAYERS, "c": "real"}, ["u60[i] == 0"], (), chain)
        assert refusal(proved(statement, identity())) == says


def test_a_definition_with_an_index_is_another_for_each_layer():
    where = [["u", "w[i]"], ["v", "u + w[j]"]]
    point = {"w": ["1", "2", "4"]}
    assert truth(part(LAYERS, ["v == w[i] + w[j]"], (), where), point) == (True, None)
    assert truth(part(LAYERS, ["v == 3"], (), where), point) == (True, "v == 3")

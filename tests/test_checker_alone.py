"""The checker alone: a bare interpreter, a directory of certificates, an exit status; and what a witness must be."""

import argparse
import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

from linreg_dyn.certify import checker
from linreg_dyn.certify.checker import Refused, truth
from linreg_dyn.certify.find import by_hand
from linreg_dyn.claims.own import judge
from linreg_dyn.commands import check
from tests.certificates import boxes, by, identity, lemma, part, proved, refusal, refuted, signed, terms

REAL, LAYERS = {"x": "real"}, {"w": "layers"}
GOOD = proved(part(REAL, ["x**2 + 1 > 0"], ["x > 0"]), terms("1", "1 : sq x"))
PRODUCT = proved(
    part({"p": "simplex", "x": "real"}, ["Prod(1 - x*p) >= 1 - x"], ["x < 1"]),
    {
        "rule": "induction",
        "bound": "1 - x*s",
        "factor": terms("1 : room", "1 : s", "1 : a0.0 * p"),
        "step": terms("1 : p * s * sq x"),
    },
    claim="product",
)
USER = proved(
    part(LAYERS, ["Prod(w - 1/(2*w*S)) >= W/2"], ["W > 0"], [["W", "Prod(w)"], ["S", "Sum(1/w**2)"]]),
    lemma("product#0", {"x": "1/2"}, [terms("1/2")], terms("1 : a0.0 * q0")),
    claim="user",
)
CHECKER = Path(checker.__file__)


def test_the_checker_imports_only_the_standard_library():
    tree = ast.parse(CHECKER.read_text(encoding="utf-8"))
    imported = {a.name for node in ast.walk(tree) if isinstance(node, ast.Import) for a in node.names}
    imported |= {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    called = {node.func.id for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)}
    assert imported
    assert {name.partition(".")[0] for name in imported} <= sys.stdlib_module_names
    assert not called & {"eval", "exec", "compile", "__import__", "open"}


def alone(*arguments):
    """The checker run by a bare interpreter: isolated, without site-packages."""
    command = [sys.executable, "-I", "-S", str(CHECKER), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def write(directory, name, content):
    (directory / name).write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")


def test_a_bare_interpreter_accepts_good_certificates(tmp_path):
    write(tmp_path, "a-user.json", USER)  # sorts before the lemma that it needs
    write(tmp_path, "product.json", PRODUCT)
    write(tmp_path, "refuted.json", refuted(part(REAL, ["x > 0"]), {"x": "0"}))
    done = alone(tmp_path)
    lines = done.stdout.splitlines()
    assert (done.returncode, done.stderr, len(lines)) == (0, "", 4)
    assert [line.split()[:2] for line in lines[:3]] == [
        ["ok", name] for name in ("a-user.json", "product.json", "refuted.json")
    ]
    assert lines[3] == "3 of 3 certificates accepted"


def test_a_bare_interpreter_refuses_bad_ones_with_a_line_each(tmp_path):
    write(tmp_path, "altered.json", {**GOOD, "claim": "another"})
    write(tmp_path, "deep.json", "[" * 100_000)
    for n in range(900, 1000, 2):  # some are deep enough to be read, yet not to be written again
        write(tmp_path, f"deep-{n}.json", '{"a": ' * n + "1" + "}" * n)
    write(tmp_path, "good.json", GOOD)
    write(tmp_path, "no-lemma.json", USER)
    write(tmp_path, "not-json.json", "{")
    write(tmp_path, "number.json", "3")
    write(tmp_path, "text.txt", "not looked at")
    (tmp_path / "folder.json").mkdir()
    done = alone(tmp_path)
    lines = done.stdout.splitlines()
    assert (done.returncode, done.stderr) == (1, "")
    verdicts = {line.split()[1]: line.split()[0] for line in lines[:-1]}
    names = {"altered", "deep", "folder", "no-lemma", "not-json", "number", *(f"deep-{n}" for n in range(900, 1000, 2))}
    assert verdicts == {"good.json": "ok", **{f"{name}.json": "REFUSED" for name in names}}
    assert lines[-1] == "1 of 57 certificates accepted"


def test_what_files_say_stays_on_their_own_lines(tmp_path, capsys):
    """No statement, lemma or name of a file prints a verdict of its own, or cannot be printed."""
    said = "\nok       b.json  proved: 1 < 0"
    write(tmp_path, "comment.json", proved(part(REAL, [f"x == x#{said}"]), identity()))
    write(tmp_path, "lemma.json", proved(part(REAL, ["x == x"]), lemma("\ud800#0", {}, [], identity())))
    write(tmp_path, f"z{said}.json", GOOD)
    write(tmp_path, "accepted.json", proved(part(REAL, ["(x\n == x)"]), identity()))
    lines = alone(tmp_path).stdout.splitlines()
    starts = [line.split()[:2] for line in lines]
    assert starts[:3] == [["ok", "accepted.json"], ["REFUSED", "comment.json"], ["REFUSED", "lemma.json"]]
    assert starts[3][0] == "ok"
    assert starts[3][1].startswith("z")
    assert lines[4:] == ["2 of 4 certificates accepted"]
    assert "\\n" in lines[1]
    assert "\\ud800" in lines[2]
    assert check.run(argparse.Namespace(directory=str(tmp_path))) == 1
    shown = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in shown] == ["REFUSED"] * 4 + ["0"]  # no claim is registered under these names


def test_a_certificate_of_ones_own_is_accepted_as_no_registered_claim(tmp_path, capsys):
    given = {"given": {"w": "layers"}, "where": {"W": "Prod(w)"}, "mutants": {"1": ("0", "1"), "-": (">=", "<")}}
    by_the_square = judge("W**2 >= 0", tactics=by_hand(("1", "sq W")), **given)
    by_the_square.save(tmp_path / "mine.json")
    judge("W >= 0", **given).save(tmp_path / "witness.json")
    directory = argparse.Namespace(directory=str(tmp_path))
    assert check.run(directory) == 0
    mine, witness, _ = capsys.readouterr().out.splitlines()
    assert mine.startswith("accepted  mine.json     no registered claim, but a statement (judge) about [{")
    assert '{"given": {"w": "layers"}, "where": [["W", "Prod(w)"]]}' in mine
    assert witness.endswith('refuted: {"w": ["-1"]} breaks W >= 0')
    by_the_square.save(tmp_path / "ginsburg.thm-3.1.json")  # a name that it must not pass for
    assert check.run(directory) == 1
    assert capsys.readouterr().out.splitlines()[0].startswith("REFUSED   ginsburg.thm-3.1.json")
    with pytest.raises(ValueError, match="save needs a certificate, and what is survived has none"):
        judge("W**2 >= 0", **given).save(tmp_path / "none.json")


def test_nothing_accepted_is_no_success(tmp_path):
    assert alone(tmp_path).returncode == 1
    for arguments in ((), (tmp_path, tmp_path), (tmp_path / "nowhere",)):
        done = alone(*arguments)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.startswith("usage: checker.py DIR")


def test_a_directory_is_read_to_the_end_whatever_is_in_it(tmp_path):
    good = proved(part(REAL, ["x == x"]), identity())
    nameless = {k: v for k, v in good.items() if k not in ("claim", "sha256")}
    files = {
        "good": good,
        "nameless": {**nameless, "sha256": checker.digest(nameless)},
        "listed": {**nameless, "claim": [], "sha256": checker.digest({**nameless, "claim": []})},
        "array": [good],
    }
    for name, content in files.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(content))
    results = {name: ok for name, ok, _ in checker.check_directory(tmp_path)}
    assert results == {"good.json": True, "nameless.json": False, "listed.json": False, "array.json": False}


def test_a_lemma_counts_only_once_its_own_certificate_is_accepted(tmp_path):
    proof = PRODUCT["parts"][0]["proof"][0]
    statement = part({"p": "simplex", "x": "real"}, ["Prod(1 - x*p) >= 1 - x"], ["x < 1"])
    write(tmp_path, "user.json", USER)
    for step, accepted in ((proof["step"], True), (terms("1"), False)):
        write(tmp_path, "product.json", proved(statement, {**proof, "step": step}, claim="product"))
        assert {ok for _, ok, _ in checker.check_directory(tmp_path)} == {accepted}
    own = lemma("itself#0", {"x": "x"}, [terms("1 : a0.0")], terms("1 : q0"))
    write(tmp_path, "itself.json", proved(statement, own, claim="itself"))
    assert {name: ok for name, ok, _ in checker.check_directory(tmp_path)}["itself.json"] is False


def test_only_what_is_proved_is_a_lemma(tmp_path):
    """A refuted statement of the lemma's name, or one that enclosures certify, helps no user."""
    write(tmp_path, "user.json", USER)
    write(tmp_path, "product.json", PRODUCT)
    assert {ok for _, ok, _ in checker.check_directory(tmp_path)} == {True}
    statement = part({"p": "simplex", "x": "real"}, ["Prod(1 - x*p) >= 1 - x", "x >= 0"], ["x < 1"])
    bounded = part({"p": "simplex", "x": "real"}, ["x**2 <= 1"], ["-1 <= x", "x <= 1"])
    for other in (refuted(statement, {"p": ["1"], "x": "-1"}), by(bounded, [boxes("whole")])):
        write(tmp_path, "product.json", signed({**other, "claim": "product"}))
        (_, accepted, _), (_, used, why) = checker.check_directory(tmp_path)
        assert (accepted, used) == (True, False)
        assert "no accepted certificate" in why


def test_a_lemma_by_enclosures_does_not_prove():
    assert refusal(USER, {"product": PRODUCT}) is None
    assert "by enclosures" in str(refusal(USER, {"product": {**PRODUCT, "verdict": "certified"}}))


# ---------------------------------------------------------------- witnesses
WRONG_WITNESSES = {
    "two samples that are three": (
        part({"x": "sample:2"}, ["x[0] + x[1] == 2*Mean(x)"]),
        {"x": ["0", "0", "1"]},
    ),
    "an index of the simplex": (part({"p": "simplex"}, ["Prod(1 - p) > 0"], ["p[i] <= 1/2"]), {"p": ["1"]}),
    "an index of samples": (part({"x": "sample"}, ["Mean(x) >= 0"], ["x[i] >= 0"]), {"x": ["-1"]}),
    "a place beyond a vector": (part({"x": "vector:2", **LAYERS}, ["x[i] == 0"]), {"x": ["0", "0"], "w": ["1"] * 3}),
    "a place before a vector": (part({"x": "vector:2"}, ["x[-1] == 0"]), {"x": ["1", "1"]}),
    "half a place": (part({"x": "vector:2"}, ["x[1/2] == 0"]), {"x": ["1", "1"]}),
    "an entry of a number": (part(REAL, ["x[0] == 0"]), {"x": "1"}),
    "a derivative by an entry beyond a vector": (part({"x": "vector:2"}, ["D(x[0], x[2]) == 1"]), {"x": ["1", "1"]}),
    "membership": (part(REAL, ["x in x"]), {"x": "1"}),
    "a chain with membership": (part(REAL, ["x < 0 in x"]), {"x": "1"}),
    "two sums": (part(LAYERS, ["Sum(w, w) < 0"]), {"w": ["1"]}),
    "a batch of one number": (part(REAL, ["Mean(Batches(x, 2)) == 0"]), {"x": "1"}),
    "the largest of one number": (part(REAL, ["Max(x) < 0"]), {"x": "1"}),
    "the smallest of what is not rational": (part(REAL, ["Min([exp(x), 1]) < 0"]), {"x": "1"}),
    "digits of another script": (part(REAL, ["x < 0"]), {"x": "\N{ARABIC-INDIC DIGIT ONE}"}),
    "an exponent in a number": (part(REAL, ["x < 0"]), {"x": "1e400"}),
    "a number with a break": (part(REAL, ["x < 0"]), {"x": "1_0"}),
    "no number": (part(REAL, ["x < 0"]), {"x": "nan"}),
    "an assignment": (part(REAL, ["(y := x) < 0"]), {"x": "1"}),
    "starred entries": (part(LAYERS, ["Sum([*w]) < 0"]), {"w": ["1"]}),
    "a choice": (part(REAL, ["(x if x else 0) < 0"]), {"x": "1"}),
    "a list in a list": (part(REAL, ["x > 0"], ["[[x]] > 1"]), {"x": "-1"}),
    "no sample at all": (part({"x": "sample", "y": "real"}, ["y > 0"], ["x > y", "x < y"]), {"x": [], "y": "0"}),
    "a kind that is none": (part({"x": "banana"}, ["Sum(x) > 0"]), {"x": ["-1"]}),
    "an assumption without a value": (part(REAL, ["x > 0"], ["1/x < 1"]), {"x": "0"}),
    "a conclusion without a value": (part(REAL, ["1/x > 0"]), {"x": "0"}),
    "a conclusion over an integral that is 0": (part(REAL, ["x >= 0/Integral(s, s, -1, 1)"]), {"x": "-1"}),
    "an assumption over a sum that is 0": (
        part(REAL, ["x > 0"], ["0/(x + exp(1) - Integral(exp(s), s, 0, 1)) == 0"]),
        {"x": "-1"},
    ),
    "a power of an integral that is 0": (part(REAL, ["x >= 0*Integral(s, s, -1, 1)**(-1)"]), {"x": "-1"}),
    "a hole within a derivative": (part(REAL, ["x >= D(x*0/Integral(s, s, -1, 1), x)"]), {"x": "-1"}),
}


@pytest.mark.parametrize("name", WRONG_WITNESSES)
def test_a_point_that_is_no_instance_refutes_nothing(name):
    assert refusal(refuted(*WRONG_WITNESSES[name])) is not None


def test_truth_refuses_what_it_cannot_read():
    statement = part({"x": "real", "w": "layers"}, ["x < Sum(w)"])
    assert truth(statement, {"x": "1", "w": ["1", "1"]}) == (True, None)
    for given in (
        {"x": "1"},
        {"x": "1", "w": ["1"], "y": "1"},
        {"x": ["1"], "w": ["1"]},
        {"x": "1", "w": "1"},
        {"x": "1", "w": []},
        {"x": "1", "w": ["1", "0"]},
    ):
        with pytest.raises(Refused):
            truth(statement, given)
    for given in (
        {"x": "one", "w": ["1"]},
        {"x": "1", "w": [["1"]]},
        {"x": "1/0", "w": ["1"]},
        {"x": None, "w": ["1"]},
    ):
        assert refusal(refuted(statement, given)) is not None
    for weights in (["1", "1"], ["0"], []):
        with pytest.raises(Refused):
            truth(part({"w": "layers:1"}, ["Sum(w) < 0"]), {"w": weights})
    for point in (["1/2", "1/4"], ["3/2", "-1/2"], ["1", "0"]):
        with pytest.raises(Refused):
            truth(part({"p": "simplex"}, ["Prod(p) < 0"]), {"p": point})
    with pytest.raises(Refused):
        truth(part({"w": "layers", "u": "layers"}, ["Sum(w) < Sum(u)"]), {"w": ["1"], "u": ["1", "1"]})


def test_a_witness_must_meet_every_assumption_and_break_what_it_names():
    statement = part(REAL, ["x < 3", "x < 2"], ["x > 1"])
    assert refusal(refuted(statement, {"x": "5/2"}, breaks="x < 2")) is None
    assert refusal(refuted(statement, {"x": "5/2"}, breaks="x < 3")) == "the witness breaks nothing"
    assert refusal(refuted(statement, {"x": "3/2"}, breaks="x < 2")) == "the witness breaks nothing"
    assert refusal(refuted(statement, {"x": "1"}, breaks="x < 2")) == "the witness breaks an assumption"


def test_a_pair_of_layers_says_nothing_at_depth_one():
    statement = part(LAYERS, ["w[i] == w[j]"])
    with pytest.raises(checker.Untold, match="it concludes nothing there"):
        truth(statement, {"w": ["1"]})
    assert truth(statement, {"w": ["1", "2"]}) == (True, "w[i] == w[j]")

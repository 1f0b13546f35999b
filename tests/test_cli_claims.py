"""`linreg-dyn claims`, `show` and `check` as a user calls them."""

import pytest

from linreg_dyn import claims as registry
from linreg_dyn import cli
from linreg_dyn.certify import checker
from linreg_dyn.claims.core import Claim, Part, Source
from linreg_dyn.files import canonical_json
from tests.command_line import one_line_error


# ---------------------------------------------------------------- claims and show
def test_claims_lists_by_prefix(fake, capsys):
    assert cli.main(["claims", "fake.loss"]) == 0
    rows = capsys.readouterr().out.splitlines()
    assert [row.split()[0] for row in rows] == ["fake.loss", "fake.loss-fixed"]


def test_claims_refuses_an_unknown_prefix(fake, capsys):
    assert cli.main(["claims", "nothing"]) == 2
    assert "closest" in one_line_error(capsys)


def test_show_tells_everything(fake, capsys):
    assert cli.main(["show", "fake.loss"]) == 0
    text = capsys.readouterr().out
    for expected in (
        r"$|W-1| < \tfrac12$ gives $\lambda > 0$ & more",
        "fake2020, eq. 4",
        "corrected by fake.loss-fixed",
        "refuted: an exact witness",
        'given: {"w": ["1/2", "3"]}',
        "breaks: k <= 7/8",
        "2 of 2 false variants refuted",
        "no assumption",
        "made up as refuted",
        "abs(W - 1) < 1/2",
    ):
        assert expected in text


def test_show_takes_an_unambiguous_beginning_only(fake, capsys):
    assert cli.main(["show", "fake.sea"]) == 0
    capsys.readouterr()
    assert cli.main(["show", "fake.s"]) == 2
    assert "stands for 3 claims: fake.step" in one_line_error(capsys)


def test_show_refuses_a_seed_that_is_none(capsys):
    assert cli.main(["show", "ginsburg.simplex-product", "--seed", "-1"]) == 2
    assert "seed must be an integer from 0 to" in one_line_error(capsys)


# ---------------------------------------------------------------- check
SQUARE = Part(given={"x": "real"}, conclude=("(x + 1)**2 == x**2 + 2*x + 1",))
WEAKER = Part(given={"x": "real"}, conclude=("x == x",))


def certificate(claim="fake.square", part=SQUARE, **changes):
    """A certificate that the checker accepts, with its digest made after `changes`."""
    body: dict = {"format": checker.FORMAT, "claim": claim, "verdict": "proved"}
    body |= {"statement": "", "source": "fake2020, eq. 1", "argument": ""}
    body |= {"parts": [part.formal() | {"proof": [{"rule": "identity"}]}], **changes}
    return body | {"sha256": checker.digest(body)}


FALSE = Part(given={"x": "real"}, conclude=("x > 0",)).formal()
WITNESS = {"part": 0, "given": {"x": "0"}, "breaks": "x > 0"}


def refutation(**changes):
    """A certificate with a witness against a false part, and other parts that the witness says nothing of."""
    return certificate(verdict="refuted", **{"witness": WITNESS, **changes})


def check(tmp_path, monkeypatch, content, name="fake.square"):
    claim = Claim("fake.square", "A square", "", Source("fake2020", "eq. 1"), "printed", (SQUARE,), ())
    monkeypatch.setattr(registry, "select", lambda prefixes: [claim])
    (tmp_path / f"{name}.json").write_text(content if isinstance(content, str) else canonical_json(content))
    return cli.main(["check", str(tmp_path)])


def test_check_accepts_a_true_certificate(tmp_path, monkeypatch, capsys):
    assert check(tmp_path, monkeypatch, certificate()) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "1 of 1 certificates accepted"


@pytest.mark.parametrize(
    ("content", "name", "says"),
    [
        (certificate(part=WEAKER), "fake.square", "another statement"),
        (certificate(statement="something stronger"), "fake.square", "its words"),
        (certificate(parts=[SQUARE.formal() | {"assume": ["x > 0"], "proof": [{"rule": "identity"}]}]),
         "fake.square", "another statement"),
        (certificate(), "fake.cube", "fake.cube"),
        (certificate(claim="fake.cube"), "fake.square", "fake.cube"),
        (certificate(claim="fake.cube"), "fake.cube", "fake.cube"),
        (certificate() | {"sha256": "0" * 64}, "fake.square", "digest"),
        (certificate(part=Part(given={"x": "real"}, conclude=("x == 0",))), "fake.square", "sides differ"),
        (refutation(parts=[FALSE, 5]), "fake.square", "no list of parts"),
        (refutation(parts=[FALSE, 5], claim="own"), "own", "no list of parts"),
        (refutation(parts={"0": FALSE}, claim="own", witness={**WITNESS, "part": "0"}), "own", "no list of parts"),
        ("{", "fake.square", "not JSON"),
        ('{"a": 1}', "fake.square", "no certificate of this format"),
        ("[]", "fake.square", "no certificate of this format"),
    ],
)  # fmt: skip
def test_check_refuses(tmp_path, monkeypatch, capsys, content, name, says):
    assert check(tmp_path, monkeypatch, content, name) == 1
    out = capsys.readouterr().out
    assert says in out
    assert out.startswith("REFUSED")
    assert out.splitlines()[-1] == "0 of 1 certificates accepted"


@pytest.mark.parametrize("path", ["", "missing"])
def test_check_refuses_a_directory_without_certificates(fake, tmp_path, capsys, path):
    assert cli.main(["check", str(tmp_path / path)]) == 2
    assert "DIR must" in one_line_error(capsys)


def test_every_registered_claim_can_be_listed(capsys):
    assert cli.main(["claims"]) == 0
    assert [row.split()[0] for row in capsys.readouterr().out.splitlines()] == list(registry.registry())


def test_a_registered_claim_can_be_shown(capsys):
    assert cli.main(["show", "ginsburg.simplex-product"]) == 0
    assert "verdict    proved: closed by exact algebra" in capsys.readouterr().out


def test_a_traceback_is_shown_on_request(fake, monkeypatch):
    monkeypatch.setenv("LINREG_DYN_TRACEBACK", "1")
    with pytest.raises(ValueError, match="no claim begins"):
        cli.main(["audit", "nothing"])

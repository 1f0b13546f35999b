"""`linreg-dyn audit` as a user calls it."""

import io
import json
import os
import re
import signal
import subprocess
import sys
from dataclasses import replace

import pytest
from rich.console import Console

from linreg_dyn import claims as registry
from linreg_dyn import cli
from linreg_dyn.certify import checker
from linreg_dyn.commands import audit as audit_command
from linreg_dyn.files import canonical_json
from tests import fake_registry
from tests.command_line import one_line_error


def outputs(directory):
    return [
        f"--json={directory}/claims.json",
        f"--html={directory}",
        f"--certificates={directory}/certificates",
    ]


def everything(directory):
    return {str(p.relative_to(directory)): p.read_bytes() if p.is_file() else None for p in directory.rglob("*")}


# ---------------------------------------------------------------- audit
def test_audit_prints_a_row_per_claim_and_the_report_last(fake, tmp_path, capsys):
    assert cli.main(["audit", *outputs(tmp_path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == str(tmp_path / "index.html")
    for row, item in zip(lines[1:], fake_registry.CLAIMS, strict=False):
        verdict = fake_registry.evidence_of(item).verdict
        assert row.split()[:3] == [verdict, item.id, item.kind]
    assert "6 claims: 2 proved, 1 certified, 1 survived, 1 refuted, 1 undecided" in lines
    assert len({line.index("made up") for line in lines if "made up" in line}) == 1, "the columns are aligned"


def test_audit_writes_claims_json_as_documented(fake, tmp_path):
    assert cli.main(["audit", "--seed", "7", *outputs(tmp_path)]) == 0
    document = json.loads((tmp_path / "claims.json").read_text())
    meta, rows = document["meta"], {row["id"]: row for row in document["claims"]}
    assert meta["seed"] == 7
    assert meta["counts"] == {"proved": 2, "certified": 1, "survived": 1, "refuted": 1, "undecided": 1}
    assert set(meta) >= {"version", "commit", "python", "libraries", "created"}
    assert list(rows) == [item.id for item in fake_registry.CLAIMS]
    assert set(rows["fake.loss"]) == {
        *(
            "id",
            "statement",
            "source",
            "kind",
            "amends",
            "amended_by",
            "depths",
            "verdict",
            "method",
            "witness",
        ),
        *("values", "mutants", "tried", "admitted", "certificate", "seconds"),
    }
    assert rows["fake.loss"]["depths"] == [2, 3, 4, 5, 8]
    assert rows["fake.step"]["certificate"] == "certificates/fake.step.json"
    assert rows["fake.search"]["certificate"] is None


def test_certificates_are_canonical_and_stale_ones_vanish(fake, tmp_path):
    assert cli.main(["audit", *outputs(tmp_path)]) == 0
    for path in (tmp_path / "certificates").iterdir():
        assert path.read_text() == canonical_json(json.loads(path.read_text()))
    assert cli.main(["audit", "fake.loss", *outputs(tmp_path)]) == 0
    names = sorted(path.name for path in (tmp_path / "certificates").iterdir())
    assert names == ["fake.loss-fixed.json", "fake.loss.json"]


def test_without_outputs_nothing_is_written(fake, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["audit"]) == 0
    assert everything(tmp_path) == {}
    assert capsys.readouterr().out.splitlines()[-1].startswith("6 claims:")


def test_the_certificates_of_lemmas_come_along(fake, tmp_path, monkeypatch):
    def audit(claims, **more):
        uses = {"rule": "lemma", "id": "fake.step#1", "then": {"rule": "identity"}}
        proofs = {"fake.search": [{"rule": "both", "upper": uses, "lower": {}}]}
        found = fake_registry.audit(claims, **more)
        return [replace(item, certificate={"proof": proofs.get(item.claim.id, [])}) for item in found]

    monkeypatch.setattr(registry, "audit", audit)
    assert cli.main(["audit", "fake.search", *outputs(tmp_path)]) == 0
    names = sorted(path.name for path in (tmp_path / "certificates").iterdir())
    assert names == ["fake.search.json", "fake.step.json"]
    assert len(json.loads((tmp_path / "claims.json").read_text())["claims"]) == 1
    assert "2 certificates" in (tmp_path / "index.html").read_text()


def test_a_long_method_is_not_cut_where_no_terminal_is(fake, monkeypatch, capsys):
    found = [replace(fake_registry.evidence_of(fake_registry.CLAIMS[0]), method="why " * 100 + "not")]
    monkeypatch.setattr(registry, "audit", lambda claims, *, seed, on_result: on_result(found[0]) or found)
    assert cli.main(["audit", "fake.step"]) == 0
    assert "why " * 100 + "not\n" in capsys.readouterr().out


@pytest.mark.parametrize(("bar", "code"), [("undecided", 1), ("survived, refuted", 1), ("", 0)])
def test_fail_on_sets_the_exit_code_and_still_writes(fake, tmp_path, bar, code):
    assert cli.main(["audit", "--fail-on", bar, *outputs(tmp_path)]) == code
    assert (tmp_path / "index.html").exists()


def test_fail_on_passes_where_no_claim_has_the_verdict(fake):
    assert cli.main(["audit", "fake.step", "--fail-on", "undecided,refuted"]) == 0


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--fail-on", "wrong"], "no verdict 'wrong'"),
        (["--seed", "-1"], "--seed must be an integer from 0 to"),
        (["--seed", "one"], "invalid int value: 'one'"),
        (["nosuch.claim"], "nosuch.claim"),
        (["--unknown"], "--unknown"),
        (["--figures", "nowhere"], "--figures nowhere"),
        (["--json", "c/a.json", "--certificates", "c"], "lies inside --certificates"),
        (["--html", "c", "--certificates", "c"], "lies inside --certificates"),
        (["--json", "r/index.html", "--html", "./r/"], "--json r/index.html is the page of --html"),
        (["--certificates", "full"], "keep.txt"),
        (["--html", "file"], "--html file is not a directory"),
        (["--json", "full"], "full is not a file"),
        (["--json", "file/claims.json"], "file"),
    ],
)
def test_bad_input_is_one_line_and_changes_nothing(fake, tmp_path, monkeypatch, capsys, words, says):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "keep.txt").write_text("mine")
    (tmp_path / "file").write_text("mine")
    before = everything(tmp_path)

    def never(*_, **__):
        raise AssertionError("bad input must be refused before any work")

    monkeypatch.setattr(registry, "audit", never)
    assert cli.main(["audit", *words]) == 2
    assert says in one_line_error(capsys)
    assert everything(tmp_path) == before


@pytest.mark.parametrize("epoch", ["yesterday", "1.5", "9" * 12, "9" * 30])
def test_a_time_that_is_none_is_refused_before_any_work(tmp_path, monkeypatch, capsys, epoch):
    monkeypatch.setattr(registry, "audit", lambda *_, **__: pytest.fail("bad input must be refused before any work"))
    monkeypatch.setenv("SOURCE_DATE_EPOCH", epoch)
    assert cli.main(["audit", *outputs(tmp_path)]) == 2
    assert f"SOURCE_DATE_EPOCH must be a whole number of seconds since 1970, up to the year 9999, got '{epoch}'" in (
        one_line_error(capsys)
    )


def _raise(error):
    raise error


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (lambda: _raise(ValueError("no such luck")), 2),
        (lambda: _raise(KeyboardInterrupt), 130),
        (lambda: os.kill(os.getpid(), signal.SIGTERM), 130),
    ],
)
@pytest.mark.parametrize("existing", [False, True])
def test_a_failing_audit_leaves_everything_as_it_was(fake, tmp_path, monkeypatch, capsys, fault, code, existing):
    if existing:
        assert cli.main(["audit", *outputs(tmp_path / "report")]) == 0
    before = everything(tmp_path)
    capsys.readouterr()

    def broken(claims, *, seed, on_result):
        fake_registry.audit(claims[:3], seed=seed, on_result=on_result)
        fault()

    monkeypatch.setattr(registry, "audit", broken)
    assert cli.main(["audit", *outputs(tmp_path / "report")]) == code
    one_line_error(capsys)
    assert everything(tmp_path) == before


def test_a_report_that_cannot_be_rendered_leaves_everything_as_it_was(fake, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("linreg_dyn.report.render", lambda *_, **__: _raise(ValueError("no template")))
    assert cli.main(["audit", *outputs(tmp_path / "report")]) == 2
    assert "no template" in one_line_error(capsys)
    assert everything(tmp_path) == {}


def test_the_report_shows_the_figures_beside_it(fake, tmp_path):
    picture = b"\x89PNG not really"
    (tmp_path / "figures").mkdir()
    (tmp_path / "figures" / "fig1.png").write_bytes(picture)
    (tmp_path / "figures" / "fig1.txt").write_text("The loss of $w_1 w_2$.\n\n[fake.loss] fake2020, eq. 4 (printed)\n")
    assert cli.main(["audit", "--html", str(tmp_path)]) == 0
    page = (tmp_path / "index.html").read_text()
    assert 'id="figure-fig1"' in page
    assert 'Claims: <a href="#fake.loss">' in page
    assert (tmp_path / "figures" / "fig1.png").read_bytes() == picture
    for name, shown in (("fake.loss", True), ("fake.step", False)):
        assert cli.main(["audit", name, "--html", str(tmp_path)]) == 0
        assert ('id="figure-fig1"' in (tmp_path / "index.html").read_text()) == shown


def test_on_a_terminal_rows_are_cut_to_its_width_and_coloured():
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=True, width=60, highlight=False, color_system="standard")
    with audit_command._rows(console, fake_registry.CLAIMS) as on_result:
        fake_registry.audit(fake_registry.CLAIMS, on_result=on_result)
    text = stream.getvalue()
    assert "\x1b[32mproved" in text
    assert "auditing" in text, "the progress bar"
    lines = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text).splitlines()
    rows = [line for line in lines if "fake." in line]
    assert [row.split()[1] for row in rows] == [item.id for item in fake_registry.CLAIMS]
    assert all(len(row) <= 60 for row in rows)
    assert any(row.endswith("…") for row in rows)


# ---------------------------------------------------------------- the claims that there really are
def test_an_audit_and_its_certificates_from_end_to_end(tmp_path, capsys):
    name = "ginsburg.simplex-product"
    assert cli.main(["audit", name, "--fail-on", "refuted,undecided", *outputs(tmp_path)]) == 0
    directory = tmp_path / "certificates"
    assert cli.main(["check", str(directory)]) == 0
    alone = [sys.executable, "-I", "-S", checker.__file__, str(directory)]
    assert subprocess.run(alone, capture_output=True).returncode == 0
    path = directory / f"{name}.json"
    altered = json.loads(path.read_text())
    altered["parts"][0]["conclude"][0] += " - 1/100"  # weaker, so perhaps even true, but not what is registered
    altered["sha256"] = checker.digest(altered)
    path.write_text(canonical_json(altered))
    capsys.readouterr()
    assert cli.main(["check", str(directory)]) == 1
    assert "REFUSED" in capsys.readouterr().out

"""Claims that rest on records of trainings: toy records, missing ones, damaged ones, and the registered claims."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from linreg_dyn import claims, cli
from linreg_dyn.claims import Claim, Evidence, Source, verdict
from linreg_dyn.claims import records as evidence
from linreg_dyn.claims.records import Damaged, empirical
from linreg_dyn.files import canonical_json
from tests.command_line import one_line_error
from validation import records
from validation.core import Experiment, Measured, Prediction, Setting

SLOPE = Prediction("slope", "it is -1", low=-1.1, high=-0.9)
GAIN = Prediction("gain", "it helps", low=0.0)
NEAR = {"slope": (-1.01, -0.99, -1.0), "gain": (0.5, 0.6, 0.4)}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder of records, in place of the checkout's."""
    where = tmp_path / "records"
    where.mkdir()
    monkeypatch.setenv("LINREG_DYN_RECORDS", str(where))
    return where


def write(
    folder: Path,
    numbers: dict[str, tuple[float, ...]],
    *predictions: Prediction,
    id: str = "toy.one",
    scale: str = "gpu",
    **values: Any,
) -> Path:
    """A record, as `validation` writes it."""
    seeds = len(next(iter(numbers.values())))
    setting = Setting(values, predictions or (SLOPE, GAIN), seeds)
    spec = Experiment(id, "A toy", "nobody, nowhere", "It holds.", {scale: setting}, lambda *_: Measured({})).spec(
        scale
    )
    found = [Measured({name: row[k] for name, row in numbers.items()}) for k in range(seeds)]
    return records.write(spec, found, seconds=1, device={"kind": "none"}, folder=folder)


def claim(patterns: str = "toy.*", metrics: str = "*", **more: Any) -> Claim:
    return empirical("toy.claim", "A toy", r"\text{it holds}", Source("toy", "nowhere"), patterns, metrics, **more)


def examine(one: Claim) -> Evidence:
    return verdict.examine(one, {}, {})


# ---------------------------------------------------------------- verdicts
def test_a_record_that_agrees_lets_the_claim_survive(folder: Path) -> None:
    write(folder, NEAR)
    found = examine(claim())
    assert (found.verdict, found.mutants, found.tried) == ("survived", {"tried": 2, "refuted": 2}, 6)
    assert "it agrees" in found.method
    ends = found.values["toy.one (gpu): slope in (-1.1, -0.9)"]
    assert float(ends["lower"]) < -1 < float(ends["upper"])
    assert "toy.one (gpu): gain > 0" in found.values


@pytest.mark.parametrize(
    ("numbers", "says"),
    [
        ({**NEAR, "slope": (-0.5, -0.51, -0.49)}, "it disagrees"),
        ({**NEAR, "gain": (-0.5, -0.6, -0.4)}, "it disagrees"),
        ({**NEAR, "slope": (-1.0, -1.4, -0.6)}, "it cannot tell"),
        ({**NEAR, "gain": (0.5, math.nan, 0.4)}, "it cannot tell"),
        ({"slope": (-1.0,), "gain": (0.5,)}, "it cannot tell"),
    ],
)
def test_a_record_that_does_not_agree_decides_nothing(folder: Path, numbers: Any, says: str) -> None:
    write(folder, numbers)
    found = examine(claim())
    assert found.verdict == "undecided"
    assert says in found.method


def test_without_a_record_a_claim_is_undecided(folder: Path) -> None:
    write(folder, NEAR, id="other.one")
    (folder / "notes.json").write_text("{}")
    found = examine(claim())
    assert (found.verdict, found.values, found.admitted) == ("undecided", {}, 0)
    assert "no record" in found.method


def test_quick_records_are_shown_and_decide_only_what_is_about_any_network(folder: Path) -> None:
    write(folder, NEAR, scale="quick")
    found = examine(claim())
    assert found.verdict == "undecided"
    assert "of the predictions 2 agree at scale quick, which alone decides nothing" in found.method
    assert "toy.one (quick): gain > 0" in found.values
    assert examine(claim(any_network=True)).verdict == "survived"


@pytest.mark.parametrize(
    ("slope", "gain", "told"),
    [
        (-1.0, (-0.5, -0.6, -0.4), "1 disagrees, 1 agrees"),
        (-2.0, (-0.5, -0.6, -0.4), "2 disagree"),
        (-2.0, (0.5, 0.0, -0.5), "1 disagrees, 1 is inconclusive"),
        (math.nan, (0.5, 0.0, -0.5), "2 are inconclusive"),
    ],
)
def test_a_disagreement_is_told_where_it_decides_nothing(folder: Path, slope: float, gain: Any, told: str) -> None:
    """At scale quick, and of a claim about more experiments than there are records of; first in the line."""
    numbers = {"slope": (slope, slope + 0.01, slope - 0.01), "gain": gain}
    write(folder, numbers, scale="quick")
    found = examine(claim())
    assert found.verdict == "undecided"
    assert found.method.startswith(f"nothing measured decides it: of the predictions {told} at scale quick")
    write(folder, numbers)
    found = examine(claim(of=2, every=True))
    assert found.verdict == "undecided"
    assert f"there are records of 1 of 2 experiments: of the predictions {told}" in found.method


def test_what_is_not_expected_at_scale_quick_is_said_so(folder: Path) -> None:
    write(folder, NEAR, Prediction("gain", "not at this size", low=9.0, expected=False), scale="quick")
    told = "nothing measured decides it: the effect is not expected at scale quick, which alone decides nothing"
    assert examine(claim()).method.startswith(told)


def test_the_record_of_the_largest_scale_counts(folder: Path) -> None:
    bad = {**NEAR, "gain": (-0.5, -0.6, -0.4)}
    write(folder, bad, scale="gpu")
    assert examine(claim()).verdict == "undecided"
    write(folder, NEAR, scale="paper")
    assert examine(claim()).verdict == "survived"


@pytest.mark.parametrize("scale", ["gpu", "paper"])
def test_of_two_records_of_one_scale_one_is_superseded_and_nothing_is_decided(folder: Path, scale: str) -> None:
    """Whichever is newer, and however well both agree."""
    write(folder, NEAR, scale="paper")
    kept = write(folder, NEAR, scale=scale, steps=1)
    assert examine(claim()).verdict == ("survived" if scale == "gpu" else "undecided")
    stale = write(folder, NEAR, scale=scale, steps=2)
    found = examine(claim())
    assert (found.verdict, found.values) == ("undecided", {})
    assert "superseded" in found.method
    assert kept.name in found.method
    assert stale.name in found.method
    assert examine(claim("other.*")).method.startswith("nothing measured decides it: no record")


def test_every_experiment_that_has_a_record_must_agree(folder: Path) -> None:
    write(folder, NEAR)
    write(folder, {**NEAR, "gain": (-0.5, -0.6, -0.4)}, id="toy.two")
    assert examine(claim()).verdict == "undecided"
    assert examine(claim("toy.one")).verdict == "survived"
    assert examine(claim("toy.t*")).verdict == "undecided"
    assert examine(claim("toy.t*", "slo*")).verdict == "survived"


def test_a_claim_about_every_experiment_waits_for_all_of_them(folder: Path) -> None:
    write(folder, NEAR)
    some, every = claim(of=2), claim(of=2, every=True)
    assert examine(some).verdict == "survived"
    assert "it agrees, records of 1 of 2 experiments" in examine(some).method
    found = examine(every)
    assert found.verdict == "undecided"
    assert "about all experiments, and there are records of 1 of 2 experiments" in found.method
    assert "toy.one (gpu): gain > 0" in found.values
    write(folder, NEAR, id="toy.two")
    assert examine(every).verdict == "survived"
    write(folder, {**NEAR, "gain": (-0.5, -0.6, -0.4)}, id="toy.two", scale="paper")
    assert "it disagrees, records of 2 of 2 experiments" in examine(every).method


def test_a_prediction_that_names_its_claim_is_about_no_other(folder: Path) -> None:
    bad = Prediction("gain", "it helps", low=9.0, claim="toy.another")
    write(folder, NEAR, SLOPE, bad)
    assert examine(claim()).verdict == "survived"
    write(folder, NEAR, SLOPE, Prediction("gain", "it helps", low=9.0, claim="toy.claim"), scale="paper")
    assert examine(claim(metrics="slope")).verdict == "undecided"


def test_what_a_prediction_did_not_expect_decides_nothing(folder: Path) -> None:
    unexpected = Prediction("gain", "it helps, but not at this size", low=9.0, expected=False)
    write(folder, NEAR, SLOPE, unexpected)
    assert examine(claim()).verdict == "survived"
    found = examine(claim(metrics="gain"))
    assert found.verdict == "undecided"
    assert "no prediction" in found.method


@pytest.mark.parametrize(
    ("helps", "told"),
    [
        ((-0.01, 0.03, 0.02, 0.02, 0.03), "it agrees"),  # one seed without an effect is no reason
        ((-0.03, 0.03, 0.01, -0.02, 0.02), "it cannot tell"),
        ((0.02, 0.03, math.nan, 0.02, 0.03), "it cannot tell"),
    ],
)
@pytest.mark.parametrize("exact", [False, True])
def test_what_a_prediction_presupposes_is_judged_alike(folder: Path, helps: Any, told: str, exact: bool) -> None:
    late = Prediction("late", "nothing is gained", high=0.003, exact=exact, presupposes="helps")
    path = write(folder, {"late": (0.001, -0.001, 0.0, 0.001, -0.001), "helps": helps}, late)
    assert evidence.read(path) == records.read(path)  # each computes the verdict for itself
    assert told in examine(claim()).method


# ---------------------------------------------------------------- damage
def change(path: Path, how: Any, sign: bool = True) -> None:
    """Alter a record; `sign`: with the digest that then belongs to it."""
    record = json.loads(path.read_text())
    how(record)
    if sign:
        record["digest"] = records._digest(record)
    path.write_text(canonical_json(record))


DAMAGE = {
    "a number, unsigned": (lambda r: r["metrics"].update(gain=[0.9, 0.9, 0.8]), False, "changed after it was written"),
    "a margin": (lambda r: r["spec"]["predictions"][1].update(low=-9.0), True, "another spec"),
    "numbers against the verdict": (lambda r: r["metrics"].update(gain=[-1, -2, -1]), True, "do not follow"),
    "a verdict": (lambda r: r["judgements"][0].update(verdict="disagrees"), True, "do not follow"),
    "a verdict less": (lambda r: r["judgements"].pop(), True, "do not follow"),
    "the format": (lambda r: r.update(format="2"), True, "unknown format"),
    "no metrics": (lambda r: r.pop("metrics"), True, "KeyError"),
    "words for numbers": (lambda r: r["metrics"].update(gain=["a", "b", "c"]), True, "ValueError"),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_a_damaged_record_leaves_the_claim_undecided_and_says_why(folder: Path, name: str) -> None:
    path = write(folder, NEAR)
    write(folder, NEAR, id="toy.two")
    assert examine(claim()).verdict == "survived"
    how, sign, says = DAMAGE[name]
    change(path, how, sign)
    with pytest.raises(Damaged, match=says):
        evidence.read(path)
    found = examine(claim())
    assert found.verdict == "undecided"
    assert path.name in found.method
    assert says in found.method


def test_what_is_no_json_or_another_spec_by_name_is_damaged(folder: Path) -> None:
    path = write(folder, NEAR)
    text = path.read_text()
    other = path.with_name(path.name.replace("toy.one", "toy.two"))
    other.write_text(text)
    with pytest.raises(Damaged, match="another spec"):
        evidence.read(other)
    other.unlink()
    for broken in (text[: len(text) // 2], "[]", ""):
        path.write_text(broken)
        assert "a record is damaged" in examine(claim()).method


def test_the_same_records_are_whole_for_both_readers(folder: Path) -> None:
    path = write(folder, NEAR)
    assert evidence.read(path) == records.read(path)
    change(path, lambda record: record.update(seconds=2.0), sign=False)
    for read, error in ((evidence.read, Damaged), (records.read, records.Damaged)):
        with pytest.raises(error, match="changed after it was written"):
            read(path)


# ---------------------------------------------------------------- as a user calls them
def test_show_and_audit_tell_of_records(folder: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert cli.main(["show", "golatkar.delayed"]) == 0
    text = " ".join(capsys.readouterr().out.split())
    for expected in ("undecided", "no record", "golatkar.weight-decay-delayed*", "the opposite of each prediction"):
        assert expected in text
    assert "falsifier" not in text
    late, helps = Prediction("late", "no gain", high=0.003), Prediction("helps", "a gain", low=0.0)
    numbers = {"late": (0.001, 0.0, -0.001), "helps": (0.02, 0.03, 0.025)}
    write(folder, numbers, late, helps, id="golatkar.weight-decay-delayed")
    page = tmp_path / "report"
    assert cli.main(["audit", "golatkar", "--html", str(page), "--json", str(tmp_path / "claims.json")]) == 0
    rows = [line.split()[:2] for line in capsys.readouterr().out.splitlines() if "golatkar." in line]
    verdicts = {row[1]: row[0] for row in rows}
    assert verdicts.pop("golatkar.delayed") == "survived"
    measured = {claim.id for claim in claims.select(["golatkar"]) if claim.measurement}
    assert {verdicts[id] for id in measured & verdicts.keys()} == {"undecided"}
    html = (page / "index.html").read_text()
    assert "golatkar.weight-decay-delayed (gpu): late &lt; 0.003" in html
    found = {row["id"]: row for row in json.loads((tmp_path / "claims.json").read_text())["claims"]}
    assert found["golatkar.delayed"]["admitted"] == 3  # that it helps is no evidence


def test_a_folder_of_records_that_is_none_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LINREG_DYN_RECORDS", str(tmp_path / "nowhere"))
    assert cli.main(["show", "golatkar.delayed"]) == 2
    assert "LINREG_DYN_RECORDS must name a folder" in one_line_error(capsys)
    monkeypatch.delenv("LINREG_DYN_RECORDS")
    assert evidence.folder() == records.FOLDER

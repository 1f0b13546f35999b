"""The page of records: what it shows of toy experiments, and that it hides nothing."""

import json
import math

import numpy as np
import pytest

from validation import experiments, queue
from validation.__main__ import main
from validation.context import Context
from validation.core import Experiment, Judgement, Measured, Prediction, Setting
from validation.report import duration, number, region, strip

PREDICTIONS = (
    Prediction("slope", "the slope is <-1>", low=-1.1, high=-0.9),
    Prediction("gain", "there is a gain", low=0.0, expected=False),
)


def draw(arrays, axes):
    for one in arrays:
        axes.plot(one["line"])


def toy(name, slope):
    def measure(values, seed, context):
        return Measured({"slope": slope + 0.01 * seed, "gain": seed - 1.0}, {"line": np.arange(5) * slope})

    scales = {s: Setting({"s": s}, PREDICTIONS, 3, differs="A toy & no network", minutes=7) for s in ("quick", "gpu")}
    return Experiment(f"toy.{name}", f"Toy {name}", "nobody, Fig. 1", "It is so.", scales, measure, 1, draw)


@pytest.fixture
def toys(monkeypatch, tmp_path):
    found = {e.id: e for e in (toy("good", -1.0), toy("bad", -0.5))}
    monkeypatch.setattr(experiments, "registry", lambda: found)
    for one in found.values():
        queue.run(one.spec("quick"), Context(tmp_path), folder=tmp_path / "records", work=tmp_path / "work")
    return tmp_path


def page(folder):
    assert main(["report", "--records", str(folder / "records"), "--out", str(folder / "out")]) == 0
    return (folder / "out" / "index.html").read_text()


def test_the_page_says_what_was_predicted_and_measured(toys):
    text = page(toys)
    assert "<strong>2</strong> records, <strong>2</strong> missing" in text
    head = text[: text.index("<table")]
    assert '<span class="agrees">1 agrees</span>' in head
    assert '<span class="disagrees">1 disagrees</span>' in head
    assert '<span class="inconclusive">2 inconclusive</span>' in head[head.index("not expected at their size") :]
    overview = text[len(head) : text.index("</table>")]
    assert overview.count("1 not expected") == overview.count("missing</span>") == 2
    assert overview.count('<a href="#toy.') == 2
    assert text.count("data:image/svg+xml") == 2
    assert "the slope is &lt;-1&gt;" in text
    assert "A toy &amp; no network" in text
    assert "not expected at this size" in text
    assert "python -m validation run toy.good --scale gpu" in text
    assert "about 7 minutes" in text


def test_a_page_is_written_into_a_folder(toys, capsys):
    for name in ("index.html", "out.htm", "records/" + next((toys / "records").glob("*.json")).name):
        assert main(["report", "--records", str(toys / "records"), "--out", str(toys / name)]) == 2
        assert "--out must be a folder, in which index.html is written, got" in capsys.readouterr().err
        assert not (toys / name).is_dir()


def test_damaged_records_and_those_of_other_specs_are_told(toys, monkeypatch):
    path = next((toys / "records").glob("toy.good*.json"))
    record = json.loads(path.read_text())
    record["metrics"]["slope"][0] = -1.0001
    path.write_text(json.dumps(record))
    monkeypatch.setattr(experiments, "registry", lambda: {"toy.new": toy("new", -1)})
    text = page(toys)
    assert "Damaged: toy.good" in text
    assert "Records of specs that have changed since" in text
    assert "toy.bad-quick-" in text


def test_list_and_show(toys, capsys):
    where = ["--records", str(toys / "records")]
    assert main(["list", *where]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 5
    assert any("toy.bad" in line and "1 disagrees, 1 inconclusive" in line for line in lines)
    assert any("toy.good" in line and "gpu" in line and "missing" in line for line in lines)
    assert main(["show", "toy.good", *where]) == 0
    out = capsys.readouterr().out
    assert "-0.99 [-1.007, -0.9731]" in out
    assert "no record" in out
    assert main(["show", "toy", *where]) == 2
    assert "be one experiment" in capsys.readouterr().err


def test_strips_show_where_the_interval_lies():
    one = strip(Prediction("x", "", low=0.0, high=1.0), Judgement("agrees", 0.4, 0.5, 0.6, 3))
    assert one is not None
    assert 0 < one["low"] < one["from"] < one["at"] < one["to"] < one["high"] < 100
    assert one["at"] == 50
    far = strip(Prediction("x", "", high=1.0), Judgement("disagrees", 5.0, 6.0, math.inf, 2))
    assert far is not None
    assert (far["low"], far["to"]) == (0, 100)
    assert 0 < far["high"] < far["from"] < far["at"] < 100
    same = strip(Prediction("x", "", low=2.0), Judgement("agrees", 2.0, 2.0, 2.0, 3))
    assert same == {"low": 50, "high": 100, "from": 50, "to": 50, "at": 50}
    assert strip(Prediction("x", "", low=2.0), Judgement("inconclusive", -math.inf, math.nan, math.inf, 0)) is None


@pytest.mark.parametrize(
    ("minutes", "text"), [(0.4, "0.4 minutes"), (119, "120 minutes"), (125, "2.1 hours"), (50_000, "35 days")]
)
def test_durations(minutes, text):
    assert duration(minutes) == text


@pytest.mark.parametrize(
    ("x", "text"), [(0.123456, "0.1235"), (float("inf"), "∞"), (-float("inf"), "−∞"), (float("nan"), "–")]
)
def test_numbers(x, text):
    assert number(x) == text


def test_regions():
    assert [region(p) for p in PREDICTIONS] == ["-1.1 to -0.9", "above 0"]
    assert region(Prediction("x", "", high=2.5)) == "below 2.5"
    assert region(Prediction("x", "", high=2.5, presupposes="y")) == "below 2.5 where y is above 0"

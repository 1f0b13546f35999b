"""Experiments of one's own, from a file, as a user runs them."""

import html
import json
import re
import shlex
import textwrap

import pytest

import validation
from validation import queue
from validation.__main__ import main
from validation.core import Experiment, Measured
from validation.own import load

pytestmark = pytest.mark.usefixtures("one_thread")

TEXT = validation.__doc__ or ""
EXAMPLE = textwrap.dedent(TEXT[TEXT.index("    from validation.core") : TEXT.index("`python -m validation run --from")])


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "my_experiment.py"
    path.write_text(EXAMPLE)
    return path


def test_every_command_takes_the_file_of_the_documentation(path, capsys, monkeypatch):
    monkeypatch.chdir(path.parent)

    def tell(command, *more):
        assert main([command, *more, "--from", path.name]) == 0
        return capsys.readouterr().out

    at = ("--scale", "quick", "--device", "cpu")
    assert [line.split()[:3] for line in tell("list").splitlines()[1:]] == [["own.fall", "quick", "missing"]]
    assert "fall in [-inf, 0]" in tell("show", "own")
    assert tell("next", "--minutes", "1e-9", *at) == "0 records written, 1 missing\n"
    assert "agrees  the mean loss of 20 steps falls" in tell("run", *at)
    (record,) = (path.parent / "records").glob("own.fall-quick-*.json")
    assert len(json.loads(record.read_text())["metrics"]["fall"]) == 3
    assert tell("next", "--minutes", "1", *at) == "0 records written, 0 missing\n"
    assert "1 agrees" in tell("list")
    assert "agrees" in tell("show", "own.fall")
    tell("report", "--out", "page")
    page = (path.parent / "page" / "index.html").read_text()
    assert "the mean loss of 20 steps falls" in page
    assert "chen." not in page
    part = path.parent / ".work" / "own.fall-quick-0123456789abcdef" / "0123456789abcdef"
    part.mkdir(parents=True)
    (part / "seconds.json").write_text("1.0")
    assert "unfinished runs in .work" in tell("clean")
    assert not part.exists()


def test_without_a_scale_an_only_scale_is_run_on_any_device(path, capsys, monkeypatch):
    """The documentation's own command on a machine with a GPU, and an experiment that has several scales."""
    more = 'QUICK["train"] = 200\nMORE = {s: Setting(QUICK, (FALLS,), 2) for s in ("quick", "gpu")}\n'
    more += 'EXPERIMENTS.append(Experiment("own.two", "", "ours", "", MORE, measure))\n'
    path.write_text(EXAMPLE + more)
    ran = []
    monkeypatch.setattr("validation.__main__._tell", lambda path: None)
    monkeypatch.setattr(queue, "run", lambda spec, *_, **__: ran.append((spec.experiment.id, spec.scale)))
    for scale in ("gpu", "quick"):
        monkeypatch.setattr("validation.__main__._default_scale", lambda device, scale=scale: scale)
        assert main(["run", "--from", str(path), "--device", "cpu"]) == 0
        assert ran == [("own.fall", "quick"), ("own.two", scale)]
        ran.clear()
        assert main(["next", "--minutes", "1e-9", "--from", str(path), "--device", "cpu"]) == 0
        assert capsys.readouterr().out == "0 records written, 2 missing\n"
    assert main(["run", "--from", str(path), "--scale", "gpu", "--device", "cpu"]) == 0
    assert ran == [("own.two", "gpu")]


def test_the_page_says_how_a_missing_record_is_made(path, capsys):
    """As a shell reads it, whatever the file's name."""
    path = path.rename(path.with_name("mine & yours.py"))
    assert main(["report", "--from", str(path), "--out", str(path.parent / "page")]) == 0
    (command,) = re.findall("<pre>(.*?)</pre>", (path.parent / "page" / "index.html").read_text())
    python, _, module, *arguments = shlex.split(html.unescape(command))
    assert (python, module) == ("python", "validation")
    assert main([*arguments, "--device", "cpu"]) == 0
    assert "agrees" in capsys.readouterr().out


def test_what_lies_beside_the_file_can_be_imported(path):
    (path.parent / "my_helper_of_validation.py").write_text('ID = "own.helped"\n')
    text = "from my_helper_of_validation import ID\n" + EXAMPLE.replace('"own.fall"', "ID")
    path.write_text(text)
    (one,) = load(path).values()
    assert one.id == "own.helped"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "--from must be a Python file, got"),
        ("x = 1\ny = 1 / 0\n", "my_experiment.py, line 2: ZeroDivisionError: division by zero"),
        ("def f(:\n", "SyntaxError: invalid syntax (my_experiment.py, line 1)"),
        ("", "EXPERIMENTS must be a list of validation.core.Experiment, got None"),
        ("EXPERIMENTS = []", "EXPERIMENTS must be a list of validation.core.Experiment, got []"),
        ("EXPERIMENTS = [1]", "EXPERIMENTS must be a list of validation.core.Experiment, got [1]"),
        (EXAMPLE + "EXPERIMENTS *= 2", "the experiment own.fall is defined twice"),
        (EXAMPLE.replace("own.fall", "own/fall"), "id must be of letters, digits, '.', '-' and '_'"),
    ],
)
def test_a_file_that_does_not_do_is_refused_in_one_line(text, message, path, capsys):
    if text is None:
        path.unlink()
    else:
        path.write_text(text)
    for command in (["list"], ["run"], ["next", "--minutes", "1"], ["report"]):
        assert main([*command, "--from", str(path)]) == 2
        error = capsys.readouterr().err
        assert message in error
        assert error.count("\n") == 1
    assert not (path.parent / "records").exists()


def test_without_a_file_a_run_is_of_experiments_that_are_named(capsys):
    assert main(["run", "--device", "cpu"]) == 2
    assert capsys.readouterr().err == "validation: experiment: name some, or a file of your own with --from\n"


@pytest.mark.parametrize("name", ["", "a/b", "a b", "../a"])
def test_an_id_names_files(name):
    with pytest.raises(ValueError, match="id must be of letters"):
        Experiment(name, "", "", "", {}, lambda *_: Measured({}))

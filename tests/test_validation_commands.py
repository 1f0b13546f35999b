"""`python -m validation` as a user calls it, without training anything."""

import os
import time

import pytest
import torch

from validation import experiments, queue
from validation.__main__ import _device, main
from validation.context import OutOfTime


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "no.such"], "none has the id or prefix 'no.such'"),
        (["next", "--minutes", "0"], "--minutes must be a positive number, got 0.0"),
        (["run", "golatkar", "--minutes", "nan"], "--minutes must be a positive number, got nan"),
        (["next", "--minutes", "1", "--data-dir", "/no/such"], "--data-dir must be a folder, got /no/such"),
        (
            ["run", "golatkar.fisher", "--scale", "quick", "--work", __file__],
            f"--work must be a folder, got {__file__}",
        ),
        (["show", "chen.theorem-1", "--scale", "paper"], "scale must be one of quick, gpu for chen.theorem-1"),
        (
            ["run", "ginsburg", "golatkar.weight-decay-interrupted-imagenet", "--scale", "quick"],
            "scale must be one of paper for golatkar.weight-decay-interrupted-imagenet",
        ),
        (["run", "golatkar.weight-decay-interrupted-im", "--scale", "gpu"], "has the scale 'gpu'"),
        (["run", "golatkar", "--device", "gpu7"], "--device must be auto, cpu, cuda or cuda:N, got 'gpu7'"),
        (["run", "golatkar", "--device", "mps"], "--device must be auto, cpu, cuda or cuda:N, got 'mps'"),
        (["run", "golatkar", "--device", "cuda:99"], "--device cuda:99: CUDA devices that torch finds here: "),
    ],
)
def test_bad_input_is_one_line(arguments, message, capsys, tmp_path):
    assert main([*arguments, "--records", str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_the_list_shows_whole_ids_and_what_each_takes(tmp_path, capsys):
    """However narrow the terminal is; a record's own time, and a guess where there is none."""
    assert main(["list", "--scale", "quick", "--records", str(tmp_path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    found = experiments.specs("quick")
    assert len(lines) == 1 + len(found)
    for line, spec in zip(lines[1:], found, strict=True):
        assert line.split() == [
            *(spec.experiment.id, "quick", "missing", "about", f"{spec.minutes:.1f}"),
            *spec.experiment.source.split(),
        ]


def test_records_are_kept_in_a_folder(capsys):
    for command in (["list"], ["run", "golatkar.fisher"], ["next", "--minutes", "1"], ["report"]):
        assert main([*command, "--records", __file__]) == 2
        assert capsys.readouterr().err == f"validation: --records must be a folder, got {__file__}\n"


def test_a_prefix_runs_those_that_have_the_scale(tmp_path, monkeypatch):
    run = []
    kept = ["--device", "cpu", "--records", str(tmp_path / "records"), "--work", str(tmp_path / "work")]
    monkeypatch.setattr("validation.__main__._tell", lambda path: None)
    monkeypatch.setattr(queue, "run", lambda spec, *_, **__: run.append(spec))
    assert main(["run", "golatkar.weight-decay-d", "--scale", "quick", *kept]) == 0
    assert [spec.experiment.id.removeprefix("golatkar.weight-decay-") for spec in run] == [
        "delayed",
        "delayed-no-norm",  # and not delayed-svhn, which has no such scale
    ]


def test_a_run_stops_in_time(tmp_path, monkeypatch, capsys):
    kept = ["--scale", "quick", "--device", "cpu", "--records", str(tmp_path), "--work", str(tmp_path / "work")]
    found = []

    def run(spec, context, **_):
        found.append(context.deadline)
        raise OutOfTime

    monkeypatch.setattr(queue, "run", run)
    start = time.monotonic()
    for minutes in ([], ["--minutes", "7"]):
        assert main(["run", "golatkar.fisher", *minutes, *kept]) == 1
        assert capsys.readouterr().err == "validation: the minutes are over; the same command goes on from here\n"
    assert found[0] is None
    assert start + 420 <= found[1] <= time.monotonic() + 420


@pytest.mark.parametrize(("there", "name"), [(0, "cpu"), (2, "cuda"), (2, "cuda:1")])
def test_products_repeat_from_the_first_on(there, name, monkeypatch):
    """What comes before the first training too: torch looks once."""
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", "")
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: there > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: there)
    assert _device(name if ":" in name else "auto") == name
    assert ("CUBLAS_WORKSPACE_CONFIG" in os.environ) == (name != "cpu")
    with pytest.raises(ValueError, match=r"--device cuda:2: CUDA devices that torch finds here: (none|2)"):
        _device("cuda:2")


def test_clean_says_what_it_removed(tmp_path, capsys):
    part = tmp_path / "toy.one-quick-0123456789abcdef" / "0123456789abcdef"
    part.mkdir(parents=True)
    (part / queue.SPENT).write_text("1.0" + " " * 99_997)
    assert main(["clean", "--work", str(tmp_path)]) == 0
    assert capsys.readouterr().out.startswith("removed 0.0 MB of trainings and 0.1 MB of unfinished runs in ")
    assert not list(tmp_path.iterdir())

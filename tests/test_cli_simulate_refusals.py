"""What `linreg-dyn simulate` refuses, in one line, and what it leaves behind then: nothing."""

import pytest

from linreg_dyn.cli import main
from tests.houses import simulate
from tests.written import listing

BAD_OPTIONS = [
    (("--x", "rooms"), "column 'rooms' is not in"),
    (("--x", "town"), "line 2, column 'town': expected a number, got 'Rome'"),
    (("--x", "same"), "same must vary"),
    (("--y", "same"), "same must vary"),
    (("--data", "nowhere.csv"), "nowhere.csv"),
    (("--depth", "0"), "depth must be an integer from 1"),
    (("--depth", "10000000"), "depth must be an integer from 1 to 4096"),
    (("--depth", "two"), "expected a whole number, got 'two'"),
    (("--lr", "0"), "--lr must be a finite number > 0, got 0"),
    (("--lr", "-0.1"), "--lr must be a finite number > 0, got -0.1"),
    (("--lr", "-1e-3"), "--lr must be a finite number > 0, got -0.001"),
    (("--lr", "nan"), "--lr must be a finite number, got nan"),
    (("--lr", "fast"), "--lr must be a number, adaptive:C, a .toml or .json file, or a table"),
    (("--lr", "adaptive:"), "got 'adaptive:'"),
    (("--lr", "adaptive:-1"), "--lr: c of Adaptive must be a finite number > 0, got -1"),
    (("--lr", "adaptve:0.1"), "got 'adaptve:0.1'"),
    (("--lr", "rate.toml"), "there is no file rate.toml"),
    (("--lr", "{type = Cosine}"), "--lr '{type = Cosine}' is not TOML: Invalid value"),
    (("--lr", '{"type": "Cosine", "start"'), """--lr '{"type": "Cosine", "start"' is not JSON: Expecting ':'"""),
    (("--lr", '{"type": "Cosin"}'), "--lr.type must be one of Adaptive"),
    (("--lr", '{"type" = Cosine}'), "is not TOML: Invalid value"),
    (("--lr", '{type = "Cosin", start = 1}'), "--lr.type must be one of Adaptive"),
    (("--lr", '{type = "Cosin", start = 1}'), "did you mean 'Cosine'?"),
    (("--lr", '{type = "Cosine", start = 0.1, steps = 9} extra'), "is not TOML"),
    (("--lr", '{type = "Cosine", steps = 9}'), "--lr.start is missing"),
    (
        ("--lr", '{type = "Steps", values = [0.1], stop = 999}'),
        "--lr must last for all 1000 steps, got a schedule of 999",
    ),
    (("--lr", '{type = "Cosine", start = 0.1, end = -0.1, steps = 9}'), "--lr must have values > 0, got limits -0.1"),
    (("--lr", '{type = "AutoL2"}'), "--lr must be a finite number > 0, got AutoL2()"),
    (("--steps", "0"), "--steps must be at least 1, got 0"),
    (("--steps", "1.5"), "expected a whole number, got '1.5'"),
    (("--steps", "inf"), "expected a whole number, got 'inf'"),
    (("--steps", "4e9"), "GiB"),
    (("--steps", "1e13"), "steps must be an integer from 0 to 4294967295"),
    (("--starts", "0"), "starts must be an integer from 1"),
    (("--starts", "2e9", "--depth", "64"), "GiB"),
    (("--seed", "-1"), "seed must be an integer from 0"),
    (("--every", "0"), "every must be an integer from 1"),
    (("--method", "adam"), "invalid choice: 'adam'"),
    (("--method", "wd"), "--method wd needs --decay"),
    (("--method", "wd", "--decay", "-1"), "--decay must be a finite number >= 0"),
    (("--method", "wd", "--decay", "nan"), "--decay must be a finite number, got nan"),
    (("--method", "wd", "--decay", "adaptive:1"), "--decay must be a number, a .toml or .json file"),
    (
        ("--method", "wd", "--decay", '{type = "Adaptive", c = 1}'),
        "--decay must be a number or a schedule of time alone",
    ),
    (("--decay", "0.1"), "--decay is not used by --method gd, only by wd"),
    (("--method", "noise"), "--method noise needs --noise"),
    (("--method", "noise", "--noise", "1.1"), "--noise must have values up to 1, got limits 1.1"),
    (("--method", "noise", "--noise", "-0.1"), "--noise must be a finite number >= 0, got -0.1"),
    (("--method", "sgd-noise", "--noise", "-0.1"), "--noise must be a finite number >= 0"),
    (("--method", "sgd-noise", "--noise", "inf"), "--noise must be a finite number, got inf"),
    (("--distribution", "uniform"), "--distribution is not used by --method gd, only by noise, sgd-noise"),
    (
        ("--method", "noise", "--noise", "1", "--distribution", "cauchy"),
        "uniform, rademacher, or gaussian:SIGMAS up to 5",
    ),
    (("--method", "noise", "--noise", "1", "--distribution", "gaussian:6"), "got 'gaussian:6'"),
    (("--method", "noise", "--noise", "1", "--distribution", "gaussian:"), "got 'gaussian:'"),
    (("--momentum", "1"), "momentum must be in [0, 1), got 1"),
    (("--momentum", "-0.1"), "momentum must be a finite number >= 0"),
    (("--nesterov",), "nesterov needs a momentum > 0"),
    (("--dtype", "float16"), "invalid choice: 'float16'"),
    (("--backend", "tpu"), "invalid choice: 'tpu'"),
    (("--threads", "0"), "threads must be an integer from 1"),
    (("--method", "sgd"), "--method sgd needs --batch"),
    (("--method", "sgd", "--batch", "61"), "--batch must be from 1 to the 60 rows of the data, got 61"),
    (("--method", "sgd", "--batch", "0"), "--batch must be from 1 to the 60 rows"),
]


@pytest.mark.parametrize(
    ("options", "message"), BAD_OPTIONS, ids=lambda value: " ".join(value) if isinstance(value, tuple) else ""
)
def test_bad_input_gets_one_line_and_leaves_nothing(houses, tmp_path, capsys, monkeypatch, options, message):
    monkeypatch.chdir(tmp_path)
    assert simulate(houses, tmp_path / "new" / "out", *options) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1
    assert message in said.err
    assert listing(tmp_path) == ["houses.csv"]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("rate.toml", b"", "--lr.type must be one of Adaptive, AutoL2"),
        ("rate.toml", b'type = "Cosine"\nstart =', "rate.toml is not TOML: Invalid value (at end of document)"),
        ("rate.toml", b"\xff", "rate.toml is not TOML: 'utf-8' codec"),
        (
            "rate.toml",
            b'type = "Steps"\nvalues = [0.1, 0.2]',
            "--lr: values of Steps must be one more than its milestones",
        ),
        ("rate.json", b'{"type": "Cosine",', "rate.json is not JSON: "),
        ("rate.json", b"[" * 100_000, "rate.json is not JSON: maximum recursion depth"),
        ("rate.json", b"[0.1, 0.2]", "--lr must be a number or a table with a type, got [0.1, 0.2]"),
        ("rate.json", b'"0.1"', "--lr must be a finite number, got '0.1'"),
        ("rate.json", b"NaN", "--lr must be a finite number, got nan"),
    ],
)
def test_bad_schedules_in_files_get_one_line(tmp_path, capsys, name, content, message):
    (tmp_path / name).write_bytes(content)
    assert simulate(None, tmp_path / "out", "--lr", tmp_path / name) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert message in said
    assert listing(tmp_path) == [name]


def test_without_a_device_it_says_so(houses, tmp_path, capsys, monkeypatch):
    from linreg_dyn.ensemble import _cuda

    monkeypatch.setattr(_cuda, "cuda_available", lambda: (False, "no CUDA device can be used: none there"))
    assert simulate(houses, tmp_path / "out", "--backend", "cuda") == 2
    assert capsys.readouterr().err == (
        'linreg-dyn: error: backend="cuda" cannot run: no CUDA device can be used: none there\n'
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "column 'area' is not in"),
        ("area,price\n", "at least 2 rows, got 0"),
        ("area,price\n1,2\n", "at least 2 rows, got 1"),
        ("area,price\n1,2\n2,nan\n", "expected a finite number, got 'nan'"),
        ("area,price\n1,2\n2,\n", "got an empty field"),
        ("area,price\n0.1,1\n0.2,3\n0.3,1\n", "zero correlation"),
    ],
)
def test_bad_files_get_one_line(tmp_path, capsys, text, message):
    path = tmp_path / "data.csv"
    path.write_text(text)
    assert simulate(path, tmp_path / "out") == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert message in said
    assert listing(tmp_path) == ["data.csv"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--data", "a.csv"], "--data needs --x and --y"),
        (["--x", "bmi"], "--x and --y name columns of --data"),
    ],
)
def test_data_and_its_columns_come_together(tmp_path, capsys, options, message):
    assert main(["simulate", *options, "--out", str(tmp_path / "out")]) == 2
    assert message in capsys.readouterr().err


def test_results_are_never_overwritten(houses, tmp_path, capsys):
    out = tmp_path / "out"
    out.mkdir()
    assert simulate(houses, out, "--steps", 3) == 0  # an empty directory will do
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    capsys.readouterr()
    assert simulate(houses, out, "--steps", 4) == 2
    assert "give a new or an empty directory" in capsys.readouterr().err
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before
    assert simulate(houses, houses, "--steps", 3) == 2
    assert "not a directory" in capsys.readouterr().err


@pytest.mark.parametrize(
    "error", [OSError("No space left on device"), KeyboardInterrupt()], ids=["disk full", "ctrl-c"]
)
def test_a_failure_midway_leaves_nothing(houses, tmp_path, monkeypatch, capsys, error):
    import paper_figures

    def fail(*args, **kwargs):
        raise error

    monkeypatch.setattr(paper_figures, "save", fail)  # the NetCDF file and the table are written by then
    assert simulate(houses, tmp_path / "new" / "out", "--steps", 3) == (2 if isinstance(error, OSError) else 130)
    assert capsys.readouterr().err.count("\n") == 1
    assert listing(tmp_path) == ["houses.csv"]

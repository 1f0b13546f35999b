"""`linreg-dyn simulate` as a user calls it: what it learns, what it writes, what it refuses."""

import json
import subprocess
import sys
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from linreg_dyn import ensemble, schedules, training
from linreg_dyn.cli import main
from linreg_dyn.commands import options
from linreg_dyn.ensemble import NoiseAugmentation, SGDNoise, TruncatedGaussian
from linreg_dyn.regression import diabetes, normalize

FILES = {"trajectories.nc", "predictions.csv", "training.pdf", "training.png", "fit.pdf", "fit.png"}


@pytest.fixture
def houses(tmp_path):
    """A falling line with noise, in units far from normalised."""
    rng = np.random.default_rng(5)
    area = rng.uniform(40, 200, 60)
    price = 9e5 - 1500 * area + rng.normal(0, 2e4, 60)
    path = tmp_path / "houses.csv"
    pd.DataFrame({"area": area, "price": price, "town": "Rome", "same": 1.0}).to_csv(path, index=False)
    return path


def simulate(data, out, *options):
    where = ["--data", str(data), "--x", "area", "--y", "price"] if data else []
    return main(["simulate", *where, "--out", str(out), "--depth", "3", *map(str, options)])


def listing(directory):
    return sorted(path.name for path in directory.iterdir())


def test_gradient_descent_finds_the_line_of_polyfit(houses, tmp_path, capsys):
    out = tmp_path / "runs" / "a"
    assert simulate(houses, out, "--lr", "adaptive:0.25", "--steps", 100, "--starts", 4) == 0
    assert set(listing(out)) == FILES
    data = pd.read_csv(houses)
    slope, intercept = np.polyfit(data.area, data.price, 1)
    with xr.open_dataset(out / "trajectories.nc", engine="h5netcdf") as result:
        # Theorem 3.1 shrinks |W - 1| by 7/8 a step: by 1.6e-6 at least in 100 steps, from 1/2.
        assert np.allclose(result["slope"], slope, rtol=(7 / 8) ** 100)
        assert np.allclose(result["intercept"], intercept, rtol=(7 / 8) ** 100)
        assert result["slope"].attrs["units"]
        assert (result["loss"].isel(step=0) > 1e-3).any()  # there was something to learn
        assert result.attrs["x_name"] == "area"
    table = pd.read_csv(out / "predictions.csv")
    assert table.columns.tolist() == ["x", "y", "least_squares", "prediction"]
    assert np.array_equal(table.x, data.area)
    assert np.allclose(table.prediction, np.polyval([slope, intercept], data.area), rtol=(7 / 8) ** 100)
    said = capsys.readouterr().out
    assert "4 ok, 0 diverged" in said
    assert f"slope {slope:.6g}, mean squared error" in said
    assert f"(area - {data.area.mean():.6g}) / {data.area.std(ddof=0):.6g}" in said
    assert str(out) in said.splitlines()[-1]


def test_weight_decay_ends_short_of_the_line(houses, tmp_path):
    assert simulate(houses, tmp_path / "wd", "--method", "wd", "--decay", 0.05, "--steps", 3000) == 0
    result = xr.load_dataset(tmp_path / "wd" / "trajectories.nc", engine="h5netcdf")
    data = pd.read_csv(houses)
    slope = np.polyfit(data.area, data.price, 1)[0]
    ratio = result["slope"].item() / slope
    # An equilibrium at depth 3 has w_i = w > 0 with w (1 - w^3) = mu; its W is w^3.
    w = np.roots([-1, 0, 0, 1, -0.05])
    w = w[(abs(w.imag) < 1e-9) & (w.real > 0.5)].real.item()
    assert ratio == pytest.approx(w**3, rel=1e-6)
    assert ratio < 0.96


@pytest.mark.parametrize(
    "options",
    [
        ("--method", "noise", "--noise", 0.4),
        ("--method", "sgd-noise", "--noise", 0.4),
        ("--method", "sgd", "--batch", 5),
    ],
    ids=lambda options: options[1],
)
def test_noise_balances_and_is_reproducible(houses, tmp_path, options):
    arguments = (*options, "--lr", "adaptive:0.06", "--steps", 400, "--starts", 3, "--every", 7, "--seed", 11)
    results = []
    for name in ("one", "two"):
        assert simulate(houses, tmp_path / name, *arguments) == 0
        results.append(xr.load_dataset(tmp_path / name / "trajectories.nc", engine="h5netcdf"))
    assert results[0].equals(results[1])
    for name in FILES - {"trajectories.nc"}:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    imbalance = results[0]["layer_imbalance"]
    assert (imbalance.isel(step=-1) < imbalance.isel(step=0)).all()
    assert imbalance["step"].values.tolist() == [*range(0, 400, 7), 400]
    assert simulate(houses, tmp_path / "three", *arguments[:-1], 12) == 0
    other = xr.load_dataset(tmp_path / "three" / "trajectories.nc", engine="h5netcdf")
    assert not other["final_weights"].equals(results[0]["final_weights"])


def test_diverged_nets_are_counted_and_left_out(houses, tmp_path, capsys):
    assert simulate(houses, tmp_path / "out", "--lr", 0.5, "--steps", 200, "--starts", 40) == 0
    result = xr.load_dataset(tmp_path / "out" / "trajectories.nc", engine="h5netcdf")
    lost = int((result["status"] == 1).sum())
    assert lost > 0
    assert f"{40 - lost} ok, {lost} diverged" in capsys.readouterr().out
    assert result["prediction"].notnull().all() == (lost < 40)


def test_when_every_net_diverges_it_says_so(houses, tmp_path, capsys):
    assert simulate(houses, tmp_path / "out", "--lr", 1e6, "--steps", 50, "--starts", 2) == 0
    said = capsys.readouterr().out
    assert "0 ok, 2 diverged" in said
    assert "layer imbalance" not in said
    assert "nan" not in said
    assert pd.read_csv(tmp_path / "out" / "predictions.csv").prediction.isna().all()


def test_without_data_it_trains_on_diabetes(tmp_path):
    command = [
        sys.executable,
        "-W",
        "error",
        "-m",
        "linreg_dyn.cli",
        "simulate",
        "--out",
        str(tmp_path / "out"),
    ]
    done = subprocess.run([*command, "--depth", "3", "--steps", "5"], capture_output=True, text=True, check=True)
    assert "bmi -> progression, 442 rows" in done.stdout
    assert done.stderr == ""
    x, y = diabetes()
    assert np.array_equal(pd.read_csv(tmp_path / "out" / "predictions.csv").x, x)
    assert f"slope {np.polyfit(x, y, 1)[0]:.6g}, mean squared error" in done.stdout


BAD_OPTIONS = [
    (("--x", "rooms"), "column 'rooms' is not in"),
    (("--x", "town"), "line 2, column 'town': expected a number, got 'Rome'"),
    (("--x", "same"), "same must vary"),
    (("--y", "same"), "same must vary"),
    (("--data", "nowhere.csv"), "nowhere.csv"),
    (("--depth", "0"), "depth must be an integer from 1"),
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


def test_help_has_an_example(capsys):
    assert main(["simulate", "--help"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "examples: linreg-dyn simulate --data" in said
    assert "number or a schedule" in said


def test_schedules_are_read_from_numbers_files_and_tables(tmp_path):
    cosine = schedules.Cosine(0.1, steps=90, end=0.01)
    (tmp_path / "rate.toml").write_text('type = "Cosine"\nstart = 0.1\nend = 0.01\nsteps = 90\n')
    (tmp_path / "rate.json").write_text(json.dumps(schedules.to_spec(cosine)))
    window = schedules.Window(schedules.Exponential(0.1, factor=0.9), stop=50)
    (tmp_path / "decay.json").write_text(json.dumps(schedules.to_spec(window)))
    for text in ('{type = "Cosine", start = 0.1,\n end = 0.01, steps = 90}', "rate.toml", "rate.json"):
        where = str(tmp_path / text) if text.startswith("rate") else text
        assert options.schedule("--lr", where, 100) == cosine
    assert options.schedule("--decay", str(tmp_path / "decay.json"), 100, zero=True) == window
    assert options.schedule("--lr", "adaptive:0.25", 100) == schedules.Adaptive(0.25)
    assert options.schedule("--lr", "1e-3", 100) == options.schedule("--lr", '{type = "Constant", value = 0.001}', 9)
    assert options.schedule("--lr", "1e-3", 100) == 0.001
    assert options.schedule("--decay", '{type = "AutoL2", l2 = 0.2}', 100) == schedules.AutoL2(0.2)
    with pytest.raises(ValueError, match="a schedule of time alone"):
        options.schedule("--noise", '{type = "Adaptive", c = 1}', 100)


def test_every_option_reaches_the_run(houses, tmp_path):
    """What is written is what `simulate` returns for the arguments that the options stand for."""
    given: dict[str, Any] = {"--lr": '{type = "Cosine", start = 0.05, steps = 40}', "--momentum": 0.5, "--steps": 50}
    given |= {"--method": "noise", "--noise": 1, "--distribution": "gaussian:1.5", "--dtype": "float32", "--seed": 3}
    given |= {"--decay": '{type = "Window", schedule = 0.1, stop = 20}', "--threads": 1, "--backend": "cpu"}
    arguments: dict[str, Any] = {"steps": 50, "learning_rate": schedules.Cosine(0.05, steps=40), "momentum": 0.5}
    arguments |= {"nesterov": True, "weight_decay": schedules.Window(0.1, stop=20), "dtype": "float32", "seed": 3}
    method = NoiseAugmentation(1, TruncatedGaussian(1.5))
    starts = training.random_starts(3, 4, seed=3)
    expected = ensemble.simulate(starts, method, record=ensemble.Record(), **arguments)
    flat = [word for pair in given.items() for word in pair]
    assert simulate(houses, tmp_path / "out", "--starts", 4, "--nesterov", *flat) == 0
    result = xr.load_dataset(tmp_path / "out" / "trajectories.nc", engine="h5netcdf")
    assert result[list(expected.data_vars)].equals(expected)
    assert result.attrs["spec"] == expected.attrs["spec"]
    assert simulate(houses, tmp_path / "other", "--starts", 4, "--nesterov", *flat[:-2], "--momentum", 0.6) == 0
    other = xr.load_dataset(tmp_path / "other" / "trajectories.nc", engine="h5netcdf")
    assert not other["final_weights"].equals(expected["final_weights"])


def test_a_watched_run_is_the_run():
    fit, starts = normalize([1, 2, 3, 5], [3, 2, 2, 0]), training.random_starts(3, 4)
    arguments: dict[str, Any] = {"steps": 101, "learning_rate": 0.01, "momentum": 0.5, "every": 3, "seed": 1}
    arguments["weight_decay"] = schedules.AutoL2(every=7)
    fractions: list[float] = []
    alone = training.train(fit, starts, SGDNoise(0.3), **arguments)
    watched = training.train(fit, starts, SGDNoise(0.3), watch=fractions.append, **arguments)
    assert watched.identical(alone)
    assert fractions == [*(step / 101 for step in range(6, 101, 6)), 1.0]
    with pytest.raises(ValueError, match=r"GiB.*larger every"):
        training.train(fit, starts, SGDNoise(0.3), watch=fractions.append, **arguments | {"steps": 2**32 - 1})
    assert len(fractions) == 17  # refused before the first piece


def test_a_bar_moves_on_a_terminal_only(monkeypatch, capsys):
    with options.progress("training") as watch:
        assert watch is None
    monkeypatch.setenv("FORCE_COLOR", "1")  # what rich takes for a terminal
    with options.progress("training") as watch:
        assert watch is not None
        watch(0.5)
    assert "50%" in capsys.readouterr().err


@pytest.mark.parametrize("depth", [1, 3, 64])
def test_random_starts(depth):
    starts = training.random_starts(depth, 500, seed=4)
    W = starts.prod(axis=1)
    assert starts.shape == (500, depth)
    assert (starts > 0).all()
    assert ((W > 0.5) & (W < 1.5)).all()
    assert W.min() < 0.55  # at 500 draws, missed with probability 0.95^500 < 1e-11; the seed is fixed besides
    assert W.max() > 1.45
    assert np.array_equal(training.random_starts(depth, 20, seed=4), starts[:20])
    assert not np.array_equal(training.random_starts(depth, 20, seed=5), starts[:20])
    if depth == 64:
        spread = np.log(starts).std(axis=1).mean()
        assert spread == pytest.approx(training.SPREAD, rel=4 / np.sqrt(2 * 500 * depth) + 1 / depth)


def test_summary_names_median_and_range():
    fit = normalize([1, 2, 3, 5], [3, 2, 2, 0])
    starts = training.random_starts(2, 3)
    from linreg_dyn.ensemble import GradientDescent

    result = training.train(fit, starts, GradientDescent(), steps=1, learning_rate=0.01)
    slopes = sorted(result["slope"].values)
    (line,) = [line for line in training.summary(result, fit) if line.startswith("slope")]
    assert f"{slopes[1]:.6g} [{slopes[0]:.6g}, {slopes[2]:.6g}]" in line

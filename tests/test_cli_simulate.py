"""`linreg-dyn simulate` as a user calls it: what it learns, what it writes, what it refuses."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from linreg_dyn import training
from linreg_dyn.cli import main
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
    slope = np.polyfit(*pd.read_csv(houses)[["area", "price"]].to_numpy().T, 1)[0]
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
    (("--lr", "0"), "--lr must be a number > 0, or adaptive:C"),
    (("--lr", "-0.1"), "--lr must be a number > 0"),
    (("--lr", "nan"), "--lr must be a number > 0"),
    (("--lr", "fast"), "--lr must be a number > 0"),
    (("--lr", "adaptive:"), "--lr must be a number > 0"),
    (("--lr", "adaptive:-1"), "--lr must be a number > 0"),
    (("--lr", "adaptve:0.1"), "--lr must be a number > 0"),
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
    (("--method", "wd", "--decay", "nan"), "--decay must be a finite number >= 0"),
    (("--decay", "0.1"), "--decay is not used by --method gd, only by wd"),
    (("--method", "noise"), "--method noise needs --noise"),
    (("--method", "noise", "--noise", "1"), "--noise must be in [0, 1)"),
    (("--method", "noise", "--noise", "-0.1"), "--noise must be in [0, 1)"),
    (("--method", "sgd-noise", "--noise", "-0.1"), "--noise must be a finite number >= 0"),
    (("--method", "sgd-noise", "--noise", "inf"), "--noise must be a finite number >= 0"),
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
    assert "example: linreg-dyn simulate --data" in capsys.readouterr().out


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

"""`linreg-dyn simulate` as a user calls it: what it learns and what it writes."""

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
from tests.houses import simulate
from tests.written import listing

FILES = {"trajectories.nc", "predictions.csv", "training.pdf", "training.png", "fit.pdf", "fit.png"}


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
    assert table.columns.tolist() == ["area", "price", "least_squares", "prediction"]
    assert np.array_equal(table.area, data.area)
    assert np.array_equal(table.price, data.price)
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


def test_rows_without_a_value_are_left_out_if_that_is_asked_for(houses, tmp_path, capsys):
    table = pd.read_csv(houses)[["area", "price"]]
    path = tmp_path / "gaps.csv.gz"
    table.assign(area=table.area.where(table.index != 3)).to_csv(path, sep=";", decimal=",", index=False)
    assert simulate(path, tmp_path / "none", "--decimal", ",") == 2
    assert "line 5, column 'area': expected a number, got an empty field" in capsys.readouterr().err
    assert simulate(path, tmp_path / "out", "--decimal", ",", "--drop-missing", "--steps", 2) == 0
    assert "gaps.csv.gz (1 row without a value left out): area -> price, 59 rows" in capsys.readouterr().out
    assert np.array_equal(pd.read_csv(tmp_path / "out" / "predictions.csv").area, table.area.drop(3))
    assert simulate(None, tmp_path / "none", "--drop-missing") == 2
    assert "say how to read --data, which is not given" in capsys.readouterr().err


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
    assert np.array_equal(pd.read_csv(tmp_path / "out" / "predictions.csv").bmi, x)
    assert f"slope {np.polyfit(x, y, 1)[0]:.6g}, mean squared error" in done.stdout


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
    table = '{type = "Cosine", start = 0.1,\n end = 0.01, steps = 90}'
    as_json = json.dumps(schedules.to_spec(cosine), indent=1)
    for text in (table, table.replace("type", '"type"'), as_json, "rate.toml", "rate.json"):
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

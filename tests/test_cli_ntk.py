"""`linreg-dyn ntk` as a user calls it: what it computes, what it writes, what it refuses."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from matplotlib.image import imread
from scipy.integrate import solve_ivp

import paper_figures
from linreg_dyn.cli import main
from linreg_dyn.commands import ntk as command
from linreg_dyn.ntk import kernel_checks
from linreg_dyn.ntk.datasets import load, wrong
from linreg_dyn.ntk.infinite import infinite_width
from linreg_dyn.ntk.predictions import loss_minimum
from paper_figures.kernels import short

ROOT = Path(__file__).parents[1]


def ntk(out, *words):
    return main(["ntk", "--no-cache", "--out", str(out), *map(str, words)])


def listing(directory):
    return sorted(path.name for path in directory.rglob("*") if path.is_file())


def said(capsys):
    """What was printed, by its names."""
    lines = capsys.readouterr().out.splitlines()
    return {line[:18].rstrip(): line[18:] for line in lines}


def read(path):
    return xr.load_dataset(path, engine="h5netcdf")


def ink(path):
    """How much of the left and of the right half of a picture is drawn on."""
    drawn = imread(path)[:, :, :3].min(axis=2) < 0.9
    return [half.mean() for half in np.array_split(drawn, 2, axis=1)]


@pytest.fixture
def npz(tmp_path):
    """A function that writes a .npz file and returns its name."""

    def write(**arrays):
        path = tmp_path / "data.npz"
        np.savez(path, **arrays)
        return str(path)

    return write


def own(size=12, seed=0):
    """A kernel and labels."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((size, 2 * size))
    return {"kernel": x @ x.T / size, "y": rng.integers(0, 10, size)}


def test_prediction_of_digits(tmp_path, capsys):
    out = tmp_path / "out"
    assert ntk(out, "predict", "--depth", 3, "--l2", "1e-3", "--samples", 150, "--test", 60) == 0
    assert listing(out) == ["predict.nc", "predict.pdf", "predict.png", "predict.txt"]
    assert min(ink(out / "predict.png")) > 0.01
    words = said(capsys)
    assert words["data"] == "digits, 150 samples of 64 features, even-odd, 60 to test with"
    assert words["l2, degree"] == "0.001, 3"
    result = read(out / "predict.nc")
    loss, time_ = result["loss"].values, result["time"].values
    best = int(loss.argmin())
    assert 0 < best < loss.size - 1
    assert time_[best - 1] < result.attrs["t_star"] < time_[best + 1]
    assert result.attrs["loss_at_t_star"] <= loss[best]
    assert result.attrs["constant"] == pytest.approx(1e-3 * result.attrs["t_star"], rel=1e-12)
    assert words["c = l2 t*"] == f"{result.attrs['constant']:.6g}"
    assert result.attrs["loss_at_start"] == 75
    assert loss[0] == pytest.approx(75, rel=0.02)
    assert result["test_loss"].values[0] == pytest.approx(30, rel=0.05)
    assert result["test_error"].values.min() < 0.2
    assert "ReLU, 3 layers of weights of std 1, biases of std 0, degree 3" in (out / "predict.txt").read_text()


@pytest.mark.parametrize("target", ["even-odd", "one-hot", "regression"])
def test_curves_are_those_of_the_differential_equation(tmp_path, npz, target):
    """Against scipy's integration of eq. 1 on the samples themselves, for training and test points."""
    rng = np.random.default_rng(1)
    arrays = {"x_train": rng.random((9, 3, 2)), "y_train": np.arange(9) % 3, "x_test": rng.random((5, 3, 2))}
    path = npz(**arrays, y_test=np.arange(5) % 3)
    l2, degree = 0.02, 2.0
    words = ("--data", path, "--target", target, "--inputs", "raw", "--l2", l2, "--times", 0.01, 300)
    assert ntk(tmp_path / "out", "predict", *words) == 0
    result = read(tmp_path / "out" / "predict.nc")
    data = load(path, target=target, inputs="raw", samples=None, test=None, seed=0)
    y = data.y.reshape(9, -1)
    train, cross = infinite_width(data.x), infinite_width(data.x_test, data.x)

    def slope(t, flat, k):
        f = flat.reshape(14, -1)
        push = np.vstack((train, cross)) @ (f[:9] - y)
        return (-np.exp(-2 * (k - 1) * l2 * t) * push - k * l2 * f).ravel()

    t = result["time"].values
    for k, name in ((degree, "loss"), (1.0, "loss_linear")):
        exact = solve_ivp(slope, (0, 300), np.zeros(14 * y.shape[1]), "LSODA", t, rtol=1e-11, atol=1e-12, args=(k,))
        f = exact.y.T.reshape(t.size, 14, -1)
        loss = 0.5 * np.square(f[:, :9] - y).sum(axis=(1, 2))
        assert np.allclose(result[name], loss, rtol=0, atol=1e-7)
        if name == "loss":
            outputs = f[:, 9:]
            rest = 0.5 * np.square(outputs - data.y_test.reshape(5, -1)).sum(axis=(1, 2))
            assert np.allclose(result["test_loss"], rest, rtol=0, atol=1e-7)
            assert ("test_error" in result) == (target != "regression")
            if target != "regression":
                mistakes = wrong(data, outputs if target == "one-hot" else outputs[..., 0])
                assert mistakes is not None
                assert (np.abs(result["test_error"].values - mistakes) > 1e-12).mean() < 0.02  # where two outputs tie


@pytest.mark.parametrize("top", [None, 5])
def test_spectrum_of_a_kernel_of_ones_own(tmp_path, capsys, npz, top):
    arrays = own()
    words = () if top is None else ("--top", top)
    assert ntk(tmp_path / "out", "spectrum", "--data", npz(**arrays), "--target", "regression", *words) == 0
    assert listing(tmp_path / "out") == ["spectrum.nc", "spectrum.pdf", "spectrum.png", "spectrum.txt"]
    assert min(ink(tmp_path / "out" / "spectrum.png")) > 0.005
    result = read(tmp_path / "out" / "spectrum.nc")
    values, vectors = np.linalg.eigh((arrays["kernel"] + arrays["kernel"].T) / 2)
    kept = slice(-1, None if top is None else -1 - top, -1)
    assert np.allclose(result["eigenvalue"], values[kept], rtol=1e-12)
    y = arrays["y"].astype(float)
    share = np.cumsum(np.square(vectors.T @ y)[kept]) / (y @ y)
    assert np.allclose(result["label_share"], share, rtol=0, atol=1e-12)
    assert f"{share[-1]:.1%} in {top or 12} modes" in said(capsys)["labels"]
    if top:
        assert values[-1 - top] <= result.attrs["left_out"]


def test_l2_of_budgets(tmp_path, capsys, npz):
    path = npz(**own())
    assert ntk(tmp_path / "spectrum", "spectrum", "--data", path) == 0
    capsys.readouterr()
    assert ntk(tmp_path / "out", "lambda-pred", "--data", path, "--degree", 2, "--budget", 30, 3) == 0
    assert listing(tmp_path / "out") == [f"lambda-pred.{kind}" for kind in ("nc", "pdf", "png", "txt")]
    assert min(ink(tmp_path / "out" / "lambda-pred.png")) > 0.005
    result = read(tmp_path / "out" / "lambda-pred.nc")
    assert np.array_equal(result["budget"], [3, 30])
    lines = capsys.readouterr().out
    for l2, budget in zip(result["l2"].values, (3, 30), strict=True):
        assert f"{l2:.6g}" in lines
        gamma, modes = read(tmp_path / "spectrum" / "spectrum.nc")[["eigenvalue", "y_mode"]].data_vars.values()
        assert loss_minimum(gamma.values, modes.values, l2=l2, degree=2).time == pytest.approx(budget, rel=1e-9)
    assert np.isfinite(result["line_l2"].values[10:30]).all()


def test_duplicates_are_told_and_never_learned_when_they_disagree(tmp_path, capsys, npz):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((10, 4))
    x[9] = x[0]
    y = np.ones(10)
    y[9] = -1
    assert ntk(tmp_path / "out", "predict", "--data", npz(x=x, y=y), "--target", "regression", "--l2", 0) == 0
    words = said(capsys)
    assert words["duplicates"].startswith("1 samples are others again: the kernel is singular")
    result = read(tmp_path / "out" / "predict.nc")
    assert result["loss"].values.min() == pytest.approx(1, rel=1e-3)  # of labels 1 and -1 the mean is 0


def test_results_are_kept_and_found_again(tmp_path, capsys, npz, monkeypatch):
    monkeypatch.setenv("LINREG_DYN_CACHE", str(tmp_path / "usual"))
    monkeypatch.setattr(paper_figures, "save", lambda *arguments: [])
    path = npz(**own())
    for name, words in (("a", ()), ("b", ()), ("c", ("--cache", tmp_path / "mine")), ("d", ("--no-cache",))):
        assert main(["ntk", "spectrum", "--data", path, "--out", str(tmp_path / name), *map(str, words)]) == 0
    found = [line.rpartition("(")[2] for line in capsys.readouterr().out.splitlines() if "eigenvalues" in line]
    assert found == ["computed, kept)", "reused)", "computed, kept)", "computed)"]
    assert len(listing(tmp_path / "usual")) == len(listing(tmp_path / "mine")) == 1


BAD_FILES = [
    ({"x": np.ones((3, 2))}, "with x and y, .* is none (it holds x)"),
    ({"x": np.ones((3, 2)), "y": np.ones(4)}, "as many labels as samples, .* got x (3, 2) and y (4,)"),
    ({"x": np.array([["a"]]), "y": np.ones(1)}, "x in .* must be an array of real numbers"),
    ({"x": np.array([[1, object]]), "y": np.ones(1)}, "Object arrays cannot be loaded"),
    ({"x": np.full((3, 2), np.nan), "y": np.ones(3)}, "inputs must be finite, 6 of their numbers are not"),
    ({"x": np.eye(3), "y": [1, np.inf, 2]}, "labels must be finite, 1 of them are not"),
    ({"x": np.zeros((3, 2)), "y": np.ones(3)}, "are all 0, which cannot be scaled"),
    (
        {"x_train": np.eye(3), "y_train": np.ones(3), "x_test": np.ones((2, 4)), "y_test": np.ones(2)},
        "3 and 4 features",
    ),
    ({"kernel": np.ones((2, 3)), "y": np.ones(2)}, "must be square, .* got shape (2, 3)"),
    ({"kernel": [[1, 2], [0, 1]], "y": np.ones(2)}, "kernel must be symmetric, entries (0, 1) and (1, 0) are 2 and 0"),
    ({"kernel": [[1, 2], [2, 1]], "y": np.ones(2)}, "semi-definite, but entry (0, 1) is 2, and the diagonal allows 1"),
    ({"kernel": [[1, np.nan], [0, 1]], "y": np.ones(2)}, "kernel must be finite, entry (0, 1) is nan"),
    ({"kernel": np.zeros((2, 2)), "y": np.ones(2)}, "kernel must not be zero"),
]


@pytest.mark.parametrize(("arrays", "words"), BAD_FILES, ids=[words for _, words in BAD_FILES])
def test_bad_files_are_refused_in_one_line(tmp_path, capsys, npz, arrays, words):
    refused(
        tmp_path, capsys, ("predict", "--data", npz(**arrays), *(("--degree", 2) if "kernel" in arrays else ())), words
    )


BAD_WORDS = [
    (("predict", "--data", "nowhere.npz"), "there is no file nowhere.npz"),
    (("predict", "--data", __file__), ".npz file with x and y"),
    (("predict", "--l2", "-1e-3"), "--l2 must be a finite number >= 0, got -0.001"),
    (("predict", "--degree", "-1"), "--degree must be a finite number >= 0, got -1.0"),
    (("predict", "--l2", "nan"), "--l2 must be a finite number >= 0, got nan"),
    (("predict", "--weight-std", "0"), "--weight-std must be a finite number > 0"),
    (("predict", "--bias-std", "-1"), "--bias-std must be a finite number >= 0"),
    (("predict", "--slope", "0.1"), "slope belongs to"),
    (("predict", "--kernel", "erf"), "--degree is needed: erf is not homogeneous"),
    (("predict", "--bias-std", "0.1"), "--degree is needed: biases are not homogeneous"),
    (("predict", "--depth", "0"), "--depth must be from 1 to 1000"),
    (("predict", "--target", "odd"), "target must be one of 'even-odd', 'one-hot', 'regression', got 'odd'"),
    (("predict", "--inputs", "big"), "inputs must be one of 'scaled', 'standard', 'raw', got 'big'"),
    (("predict", "--samples", "0"), "samples must be an integer from 1"),
    (("predict", "--samples", "1800"), "digits has 1797 samples, and samples + test = 1800 + 0 were asked for"),
    (("predict", "--samples", "1797", "--test", "1"), "samples + test = 1797 + 1"),
    (("predict", "--seed", "-1"), "seed must be an integer from 0"),
    (("predict", "--times", "3", "2"), "--times must be two rising numbers, got 3 2"),
    (("predict", "--times", "0", "2"), "--times must be a finite number > 0"),
    (("predict", "--rtol", "-1"), "rtol must be a finite number >= 0"),
    (("predict", "--budget", "2"), "--budget is not used by predict, only by lambda-pred"),
    (("spectrum", "--l2", "2"), "--l2 is not used by spectrum, only by predict"),
    (("spectrum", "--top", "0"), "top must be an integer from 1 to 1000"),
    (("spectrum", "--cache", "here"), "--cache says where to keep results and --no-cache to keep none"),
    (("lambda-pred",), "lambda-pred needs --budget"),
    (("lambda-pred", "--budget", "-1"), "--budget must be a finite number > 0"),
    (("lambda-pred", "--budget", "1", "--degree", "1"), "--degree must be above 1 for lambda-pred"),
    (("lambda-pred", "--budget", "1", "--depth", "1"), "--depth must be at least 2 for lambda-pred"),
    (("train",), "invalid choice: 'train'"),
    ((), "required: predict|spectrum|lambda-pred"),
]


@pytest.mark.parametrize(("given", "words"), BAD_WORDS, ids=[" ".join(given) for given, _ in BAD_WORDS])
def test_bad_options_are_refused_in_one_line(tmp_path, capsys, given, words):
    refused(tmp_path, capsys, given, words)


def refused(tmp_path, capsys, given, words):
    """Exit code 2, one line that says these words (`.*`: anything between), and nothing written."""
    assert ntk(tmp_path / "out", *given) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    rest = error
    for part in words.split(".*"):
        assert part in rest, error
        rest = rest.partition(part)[2]
    assert not (tmp_path / "out").exists()


def test_a_kernel_of_ones_own_refuses_what_is_not_its(tmp_path, capsys, npz):
    path = npz(**own())
    for given, words in (
        (("predict", "--kernel", "relu", "--degree", 2), "--kernel is of a kernel computed from inputs"),
        (("predict", "--inputs", "raw", "--degree", 2), "--inputs is of a kernel computed from inputs"),
        (("predict",), "--degree is needed with the kernel of"),
        (("predict", "--test", 1, "--degree", 2), "test must be 0 with the kernel in"),
        (("spectrum", "--samples", 13), "has 12 samples, and 13 were asked for"),
    ):
        refused(tmp_path, capsys, ("--data", path, *given), words)


def test_more_samples_than_memory_allows(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(kernel_checks, "available_memory", lambda: 1e6)
    refused(
        tmp_path, capsys, ("predict", "--samples", 500), "the kernel of 500 samples and its eigenvectors would take"
    )
    assert ntk(tmp_path / "few", "spectrum", "--samples", 50) == 0


def test_a_whole_directory_or_none(tmp_path, capsys, monkeypatch):
    def fails(*arguments):
        raise OSError("disk full")

    monkeypatch.setattr(paper_figures, "save", fails)
    refused(tmp_path, capsys, ("spectrum", "--samples", 20), "disk full")


def test_interrupted_after_the_eigenvalues_the_next_run_goes_on_from_there(tmp_path, capsys, npz, monkeypatch):
    def interrupted(*arguments):
        raise KeyboardInterrupt

    words = ["ntk", "spectrum", "--data", npz(**own()), "--cache", str(tmp_path / "cache"), "--out"]
    with monkeypatch.context() as patched:
        patched.setattr(paper_figures, "save", interrupted)
        assert main([*words, str(tmp_path / "out")]) == 130
    assert not (tmp_path / "out").exists()
    assert main([*words, str(tmp_path / "out")]) == 0
    assert "(reused)" in said(capsys)["eigenvalues"]


def test_ctrl_c_while_eigenvalues_are_computed_leaves_nothing(tmp_path):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((3500, 3500))
    np.savez(tmp_path / "kernel.npz", kernel=x + x.T + 300 * np.eye(3500), y=rng.standard_normal(3500))
    words = ["spectrum", "--data", tmp_path / "kernel.npz", "--out", tmp_path / "out", "--cache", tmp_path / "cache"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    start = [sys.executable, "-m", "linreg_dyn.cli", "ntk", *map(str, words)]
    with subprocess.Popen(start, cwd=ROOT, stdout=-1, stderr=-1, text=True, env=environment) as run:
        deadline = time.monotonic() + 60
        while not list(tmp_path.glob(".tmp-*-out")) and time.monotonic() < deadline:
            time.sleep(0.05)  # the directory to be is there, so the kernel is read
        time.sleep(1)
        run.send_signal(signal.SIGINT)
        out, error = run.communicate(timeout=60)
    assert (run.returncode, out, error) == (130, "", "linreg-dyn: interrupted\n")
    assert listing(tmp_path) == ["kernel.npz"]


def test_numbers_in_legends_are_short():
    assert [short(x) for x in (0, 0.00355, 1234.5, 74e-6, 1e5, 104500.0)] == [
        "0",
        "0.00355",
        "1230",
        r"$7.4 \cdot 10^{-5}$",
        "$10^{5}$",
        r"$1.04 \cdot 10^{5}$",
    ]


@pytest.mark.parametrize("name", command.KERNELS)
def test_every_kernel_of_the_help_is_known(name):
    x = np.random.default_rng(0).standard_normal((4, 3))
    assert np.shape(infinite_width(x, activation=name)) == (4, 4)

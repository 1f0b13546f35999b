"""`linreg-dyn ntk` as a user calls it: what it computes, and what it writes."""

import math
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp

import paper_figures
from linreg_dyn.cli import main
from linreg_dyn.commands import ntk_kernels
from linreg_dyn.ntk.convolutional import convolutional_kernel
from linreg_dyn.ntk.datasets import load, wrong
from linreg_dyn.ntk.dynamics import predict
from linreg_dyn.ntk.infinite import infinite_width
from linreg_dyn.ntk.predictions import loss_minimum
from paper_figures.kernels import draw_training, short
from tests.ntk_command import ink, npz, ntk, own, read, refused, said
from tests.written import listing

ROOT = Path(__file__).parents[1]


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
    caption = (out / "predict.txt").read_text()
    assert "ReLU, 3 layers of weights of std 1, biases of std 0, degree 3" in caption
    assert "the fraction of them in the wrong one (test error)" in caption
    assert result.attrs["test_loss_at_start"] == 30


@pytest.mark.parametrize(("target", "loss"), [("regression", "huber"), ("one-hot", "softmax"), ("even-odd", "mse")])
def test_what_is_drawn_of_a_test(tmp_path, target, loss):
    words = ("--target", target, "--loss", loss, "--samples", 20, "--test", 10)
    assert ntk(tmp_path / "out", "predict", *words) == 0
    result = read(tmp_path / "out" / "predict.nc")
    lines = {line.get_label(): line for line in paper_figures.drawn(draw_training, (6.0, 3.2), result).axes[0].lines}
    drawn = np.asarray(lines["the network's on test samples"].get_ydata())
    assert np.array_equal(drawn, result["test_loss"] / result.attrs["test_loss_at_start"])
    assert drawn[0] == pytest.approx(1, rel=0.1)
    assert ("its test error" in lines) == (target != "regression")


@pytest.mark.parametrize("target", ["even-odd", "one-hot", "regression"])
def test_curves_are_those_of_the_differential_equation(tmp_path, target):
    """Against scipy's integration of eq. 1 on the samples themselves, for training and test points."""
    rng = np.random.default_rng(1)
    arrays = {"x_train": rng.random((9, 3, 2)), "y_train": np.arange(9) % 3, "x_test": rng.random((5, 3, 2))}
    path = npz(tmp_path, **arrays, y_test=np.arange(5) % 3)
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


@pytest.mark.parametrize("loss", ["softmax", "logistic", "huber"])
def test_other_losses_of_digits(tmp_path, capsys, loss):
    out = tmp_path / "out"
    assert ntk(out, "predict", "--loss", loss, "--samples", 60, "--test", 30, "--l2", "1e-2") == 0
    words, result, caption = said(capsys), read(out / "predict.nc"), (out / "predict.txt").read_text()
    assert min(ink(out / "predict.png")) > 0.01
    assert ("one-hot with 10 outputs" if loss == "softmax" else "even-odd") in words["data"]
    assert words["loss"].startswith(f"{loss}: sum over samples of ")
    assert f" Loss: {loss}, l2 0.01.\n" in caption
    assert result.attrs["loss_function"] == loss
    start = {"softmax": math.log(10), "logistic": math.log(2), "huber": 0.5}[loss]
    assert result.attrs["loss_at_start"] == pytest.approx(60 * start, rel=1e-14)
    best, values = int(result["loss"].values.argmin()), result["loss"].values
    assert result["time"].values[best - 1] < result.attrs["t_star"] < result["time"].values[best + 1]
    assert result.attrs["loss_at_t_star"] <= values[best]
    assert words["t*"].split()[0] == f"{result.attrs['t_star']:.4g}"
    assert result["test_error"].values.min() < result["test_error"].values[0]
    linear = ntk(tmp_path / "linear", "predict", "--loss", loss, "--samples", 60, "--test", 30, "--depth", 1)
    assert linear == 0
    assert said(capsys)["loss minimum"].startswith("none up to t = 1e+04; the loss then is ")


def test_convolutional_kernels_of_images(tmp_path, capsys):
    images = np.random.default_rng(2).random((7, 5, 4, 2))
    data = npz(tmp_path, x=images, y=np.resize([-1, 1], 7))
    layers = "conv leaky_relu pool conv relu gap dense"
    words = ("--layers", layers, "--slope", 0.2, "--weight-std", 1.5, "--inputs", "raw", "--data", data)
    assert ntk(tmp_path / "out", "spectrum", *words) == 0
    capsys.readouterr()
    kernel = convolutional_kernel(images, layers=layers, slope=0.2, weight_std=1.5)
    exact = np.linalg.eigvalsh(kernel)[::-1]
    assert np.allclose(read(tmp_path / "out" / "spectrum.nc")["eigenvalue"], exact, rtol=0, atol=1e-13 * exact[0])
    assert ntk(tmp_path / "digits", "predict", "--layers", "conv relu gap dense", "--samples", 20, "--test", 9) == 0
    told, result = said(capsys), read(tmp_path / "digits" / "predict.nc")
    kind = "conv relu gap dense, on 8 x 8 pixels, weights of std 1, biases of std 0, degree 2"
    assert told["kernel"] == kind
    assert kind in (tmp_path / "digits" / "predict.txt").read_text()
    digits = load("digits", samples=20, test=9, seed=0)
    train, test = (x.reshape(-1, 8, 8) for x in (digits.x, digits.x_test))
    kernel, cross = (convolutional_kernel(x, train, layers="conv relu gap dense") for x in (train, test))
    run = predict(
        kernel, digits.y, result["time"].values, l2=1e-3, degree=2, kernel_test_train=cross, y_test=digits.y_test
    )
    assert np.allclose(result["loss"], run["loss"], rtol=0, atol=1e-9)
    assert np.allclose(result["test_loss"], run["loss_test"], rtol=0, atol=1e-9)
    assert ntk(tmp_path / "signs", "predict", *words, "--loss", "logistic") == 0
    assert ", sign" in said(capsys)["data"]


@pytest.mark.parametrize("layers", [(), ("--layers", "conv relu gap dense")], ids=["vectors", "images"])
def test_kernels_of_a_device(tmp_path, monkeypatch, layers):
    places, original = [], torch.device
    monkeypatch.setattr(torch, "device", lambda name: places.append(name) or original(name))
    for name in ("here", "cpu"):
        device = () if name == "here" else ("--device", name)
        assert ntk(tmp_path / name, "spectrum", "--samples", 30, *layers, *device) == 0
        assert bool(places) is bool(device)
    here, there = (read(tmp_path / name / "spectrum.nc").eigenvalue for name in ("here", "cpu"))
    np.testing.assert_allclose(here, there, rtol=0, atol=1e-12 * float(here[0]))


@pytest.mark.parametrize("top", [None, 5])
def test_spectrum_of_a_kernel_of_ones_own(tmp_path, capsys, top):
    arrays = own()
    words = () if top is None else ("--top", top)
    assert ntk(tmp_path / "out", "spectrum", "--data", npz(tmp_path, **arrays), "--target", "regression", *words) == 0
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


def test_l2_of_budgets(tmp_path, capsys):
    path = npz(tmp_path, **own())
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


def test_duplicates_are_told_and_never_learned_when_they_disagree(tmp_path, capsys):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((10, 4))
    x[9] = x[0]
    y = np.ones(10)
    y[9] = -1
    assert ntk(tmp_path / "out", "predict", "--data", npz(tmp_path, x=x, y=y), "--target", "regression", "--l2", 0) == 0
    words = said(capsys)
    assert words["duplicates"].startswith("1 sample is another again: the kernel is singular")
    result = read(tmp_path / "out" / "predict.nc")
    assert result["loss"].values.min() == pytest.approx(1, rel=1e-3)  # of labels 1 and -1 the mean is 0
    assert result.attrs["loss_at_t_star"] == pytest.approx(1, rel=1e-12)
    assert words["loss minimum"].startswith("none at a finite time; the loss falls towards 1,")
    assert re.fullmatch(r"1 eigenvalue\(s\) up to \S+ to 0, being rounding; the lowest was \S+", words["clipped"])


def test_a_mode_without_labels_is_not_drawn_as_learned(tmp_path, capsys):
    """Samples all alike, with balanced labels: nothing is learned."""
    data = npz(tmp_path, x=np.ones((20, 3)), y=[1, -1] * 10)
    for name, loss in (("a", ()), ("b", ("--loss", "logistic"))):
        assert ntk(tmp_path / name, "predict", "--data", data, *loss) == 0
        words = said(capsys)
        if not loss:
            assert (words["t*"], words["c = l2 t*"]) == ("0 (steps * learning rate)", "0")
            assert words["loss at t*"] == "10, 1 times that at the start"
        assert words["duplicates"].startswith("19 samples are others again")
        assert np.isnan(read(tmp_path / name / "predict.nc")["mode_output"]).all()


def test_classes_may_be_one_hot_in_the_file(tmp_path, capsys):
    hot = np.eye(10)[own()["y"]]
    for name, y in (("numbers", own()["y"]), ("hot", hot)):
        data = npz(tmp_path, kernel=own()["kernel"], y=y)
        assert ntk(tmp_path / name, "predict", "--data", data, "--degree", 2, "--loss", "softmax") == 0
        assert f"one-hot with {y.shape[1] if y.ndim == 2 else len(np.unique(y))} outputs" in said(capsys)["data"]
    start = [read(tmp_path / name / "predict.nc").attrs["loss_at_start"] for name in ("numbers", "hot")]
    assert start == pytest.approx([12 * math.log(len(np.unique(own()["y"]))), 12 * math.log(10)])


def test_results_are_kept_and_found_again(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("LINREG_DYN_CACHE", str(tmp_path / "usual"))
    monkeypatch.setattr(paper_figures, "save", lambda *arguments: [])
    path = npz(tmp_path, **own())
    for name, words in (("a", ()), ("b", ()), ("c", ("--cache", tmp_path / "mine")), ("d", ("--no-cache",))):
        assert main(["ntk", "spectrum", "--data", path, "--out", str(tmp_path / name), *map(str, words)]) == 0
    found = [line.rpartition("(")[2] for line in capsys.readouterr().out.splitlines() if "eigenvalues" in line]
    assert found == ["computed, kept)", "reused)", "computed, kept)", "computed)"]
    assert len(listing(tmp_path / "usual")) == len(listing(tmp_path / "mine")) == 1


def test_a_whole_directory_or_none(tmp_path, capsys, monkeypatch):
    def fails(*arguments):
        raise OSError("disk full")

    monkeypatch.setattr(paper_figures, "save", fails)
    refused(tmp_path, capsys, ("spectrum", "--samples", 20), "disk full")


def test_interrupted_after_the_eigenvalues_the_next_run_goes_on_from_there(tmp_path, capsys, monkeypatch):
    def interrupted(*arguments):
        raise KeyboardInterrupt

    words = ["ntk", "spectrum", "--data", npz(tmp_path, **own()), "--cache", str(tmp_path / "cache"), "--out"]
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


@pytest.mark.parametrize("name", ntk_kernels.KERNELS)
def test_every_kernel_of_the_help_is_known(name):
    x = np.random.default_rng(0).standard_normal((4, 3))
    assert np.shape(infinite_width(x, activation=name)) == (4, 4)

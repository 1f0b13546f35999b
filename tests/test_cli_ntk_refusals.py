"""`linreg-dyn ntk` refuses data and options that make no sense in one line, and writes nothing."""

import numpy as np
import pytest

from linreg_dyn.ntk import kernel_checks
from tests.ntk_command import npz, ntk, own, refused

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
        "inputs of shape (3,) and (4,)",
    ),
    ({"kernel": np.ones((2, 3)), "y": np.ones(2)}, "must be square, .* got shape (2, 3)"),
    ({"kernel": [[1, 2], [0, 1]], "y": np.ones(2)}, "kernel must be symmetric, entries (0, 1) and (1, 0) are 2 and 0"),
    ({"kernel": [[1, 2], [2, 1]], "y": np.ones(2)}, "semi-definite, but entry (0, 1) is 2, and the diagonal allows 1"),
    ({"kernel": [[1, np.nan], [0, 1]], "y": np.ones(2)}, "kernel must be finite, entry (0, 1) is nan"),
    ({"kernel": np.zeros((2, 2)), "y": np.ones(2)}, "kernel must not be zero"),
]


@pytest.mark.parametrize(("arrays", "words"), BAD_FILES, ids=[words for _, words in BAD_FILES])
def test_bad_files_are_refused_in_one_line(tmp_path, capsys, arrays, words):
    refused(
        tmp_path,
        capsys,
        ("predict", "--data", npz(tmp_path, **arrays), *(("--degree", 2) if "kernel" in arrays else ())),
        words,
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
    (("predict", "--target", "odd"), "target must be one of 'even-odd', 'sign', 'one-hot', 'regression', got 'odd'"),
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
    (("lambda-pred", "--budget", "1", "--depth", "1"), "--depth must be at least 2 layers of weights for lambda-pred"),
    (("lambda-pred", "--budget", "1", "--layers", "flatten dense"), "--layers must be at least 2 layers of weights"),
    (("spectrum", "--loss", "mse"), "--loss is not used by spectrum, only by predict"),
    (("predict", "--loss", "hinge"), "invalid choice: 'hinge'"),
    (("predict", "--loss", "softmax", "--target", "even-odd"), "--loss softmax is for --target one-hot, got even-odd"),
    (("predict", "--loss", "logistic", "--target", "one-hot"), "is for --target even-odd, sign, regression, got one"),
    (("predict", "--loss", "logistic", "--target", "regression"), "y of the logistic loss must be -1 or 1, got "),
    (("predict", "--loss", "huber", "--l2", "0"), "--times must be given with --l2 0 and --loss huber"),
    (("predict", "--target", "sign"), "target 'sign' needs labels of -1 and 1, got others"),
    (("predict", "--layers", "conv relu gap dense", "--depth", "3"), "--depth is of fully connected networks"),
    (("predict", "--layers", "conv relu gap dense", "--kernel", "erf"), "--kernel is of fully connected networks"),
    (("predict", "--layers", "conv relu gap dense", "--slope", "1"), "slope belongs to 'leaky_relu'"),
    (("predict", "--layers", "conv rleu gap dense"), "layers must be one of 'conv', .* got 'rleu'"),
    (("predict", "--layers", "conv erf gap dense"), "--degree is needed: erf is not homogeneous"),
    (("predict", "--layers", "conv relu gap dense", "--bias-std", "1"), "--degree is needed: biases are not"),
    (("predict", "--layers", "pool pool pool pool gap dense"), "layers must leave 2 x 2 pixels for each 'pool'"),
    (("predict", "--device", "abacus"), "device must be None, 'cuda', 'cuda:0' or 'cpu', got 'abacus'"),
    (("train",), "invalid choice: 'train'"),
    ((), "required: predict|spectrum|lambda-pred"),
]


@pytest.mark.parametrize(("given", "words"), BAD_WORDS, ids=[" ".join(given) for given, _ in BAD_WORDS])
def test_bad_options_are_refused_in_one_line(tmp_path, capsys, given, words):
    refused(tmp_path, capsys, given, words)


def test_a_kernel_of_ones_own_refuses_what_is_not_its(tmp_path, capsys):
    path = npz(tmp_path, **own())
    for given, words in (
        (("predict", "--kernel", "relu", "--degree", 2), "--kernel is of a kernel computed from inputs"),
        (("predict", "--layers", "gap dense", "--degree", 2), "--layers is of a kernel computed from inputs"),
        (("predict", "--inputs", "raw", "--degree", 2), "--inputs is of a kernel computed from inputs"),
        (("predict", "--device", "cpu", "--degree", 2), "--device is of a kernel computed from inputs"),
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


def test_losses_and_layers_refuse_data_that_is_not_theirs(tmp_path, capsys):
    flat = npz(tmp_path, x=np.random.default_rng(0).random((6, 4)), y=np.full(6, 3))
    for given, words in (
        (("--layers", "gap dense"), "--layers needs images, .* each x of .* has the shape (4,)"),
        (("--loss", "softmax"), "y of the softmax loss must be probabilities of two classes at least"),
    ):
        refused(tmp_path, capsys, ("predict", "--data", flat, *given), words)

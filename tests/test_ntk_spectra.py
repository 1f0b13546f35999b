"""Spectra of kernels: against exact ones, and bounds that hold and are not empty."""

import numpy as np
import pytest
from scipy.linalg import hadamard
from scipy.sparse.linalg import ArpackError, LinearOperator, aslinearoperator, eigsh

from linreg_dyn.ntk import infinite_width, kernel_checks, loss_minimum, predict_l2, ritz, spectra
from linreg_dyn.ntk.spectra import spectrum
from tests.kernels_of_known_spectrum import POWER_LAW, known


@pytest.mark.parametrize(
    "options",
    [{}, {"top": 20}, {"top": 20, "method": "randomised"}, {"top": 20, "method": "full"}, {"top": 299}],
    ids=str,
)
@pytest.mark.parametrize("operator", [False, True])
def test_a_known_spectrum_is_found_within_its_bounds(options, operator):
    kernel, vectors = known(POWER_LAW)
    y = np.random.default_rng(1).standard_normal((300, 2))
    found = spectrum(aslinearoperator(kernel) if operator else kernel, y, **options)
    top = options.get("top", 300)
    values = found["eigenvalue"].values
    assert values.shape == (top,)
    assert (np.diff(values) <= 0).all()
    exact = POWER_LAW[:top]
    rounding = 300 * 2.0**-52 * np.linalg.norm(kernel)  # of `known` itself, and of an operator's products
    assert (np.abs(values - exact) <= found["residual"].values + rounding).all()
    assert np.abs(values - exact).max() <= found.attrs["error"] + rounding
    assert found.attrs["error"] < 1e-6
    left = POWER_LAW[top] if top < 300 else 0.0
    assert left <= found.attrs["left_out"] + rounding
    assert found.attrs["left_out"] <= 2 * left + 1e-6
    assert found.attrs["left_out_failure"] == (0 if top >= 299 else 1e-10)
    e = found["eigenvector"].values
    assert np.abs(e.T @ e - np.eye(top)).max() < 1e-12
    assert np.allclose(np.abs((vectors[:, :10] * e[:, :10]).sum(axis=0)), 1, atol=1e-9)
    assert np.allclose(found["y_mode"], e.T @ y, atol=1e-12)
    total = np.square(found["y_mode"].values).sum(axis=0) + np.square(found["y_left_out"].values)
    assert np.allclose(total, np.square(y).sum(axis=0), rtol=1e-12)


def test_exact_degenerate_eigenvalues_each_once():
    h = hadamard(64) / 8.0  # orthogonal without rounding
    values = np.repeat([4.0, 2.0, 1.0, 0.0], 16)
    kernel = (h * values) @ h.T
    found = spectrum(kernel, np.ones(64))
    assert np.abs(found["eigenvalue"].values - values).max() <= found.attrs["error"] < 1e-11
    assert found["y_mode"].dims == ("mode",)
    assert found["y_left_out"].item() < 1e-13
    some = spectrum(kernel, top=24, method="randomised")
    assert np.abs(some["eigenvalue"].values - values[:24]).max() <= some.attrs["error"] < 1e-10
    assert 2 <= some.attrs["left_out"] < 4


def test_bounds_are_wide_where_little_was_done():
    """A flat spectrum after two blocks: the values are wrong, and the bounds say so."""
    exact = 1 + np.linspace(1, 0, 300)
    kernel, _ = known(exact)
    found = spectrum(kernel, top=10, method="randomised", iterations=2)
    wrong = np.abs(found["eigenvalue"].values - exact[:10]).max()
    assert 0.01 < wrong <= found.attrs["error"]
    distances = np.abs(found["eigenvalue"].values[:, None] - exact).min(axis=1)
    assert (distances <= found["residual"].values).all()
    assert found.attrs["left_out"] >= exact[0] - found.attrs["error"]


def test_what_is_left_out_of_an_operator_is_bounded_by_more_than_luck():
    """The bound of random vectors, at every scale of the kernel; nothing left out is bounded by nothing."""
    vectors = np.eye(12)[:, :2]
    for scale in np.geomspace(1e-150, 1e150, 25):
        operator = aslinearoperator(np.diag(scale * np.r_[5.0, 4.0, 1.0, np.zeros(9)]))
        bound = ritz._rest_by_products(operator, vectors)
        assert scale <= bound <= 2 * scale
    assert ritz._rest_by_products(aslinearoperator(np.diag(np.r_[1.0, 1.0, np.zeros(10)])), vectors) == 0


def test_negative_eigenvalues_are_clipped_within_rounding_and_refused_beyond():
    kernel, _ = known(np.r_[np.linspace(2, 1, 39), -1e-9])
    found = spectrum(kernel)
    assert found["eigenvalue"].values[-1] == 0
    assert found.attrs["lowest"] == pytest.approx(-1e-9, rel=1e-4)
    kernel, _ = known(np.r_[np.linspace(2, 1, 39), -0.25])
    with pytest.raises(ValueError, match=r"lowest eigenvalue is -0\.25 "):
        spectrum(kernel)


def test_bounds_include_what_clipping_moved():
    """An eigenvalue that is there, but too small to be told from rounding."""
    exact = np.r_[np.linspace(2, 1, 39), 1e-15]
    found = spectrum(np.diag(exact))
    assert np.array_equal(found["eigenvalue"].values, np.r_[exact[:-1], 0])
    rounding = 40 * 2.0**-52 * np.linalg.norm(exact)
    assert found["residual"].values[-1] == pytest.approx(1e-15 + rounding, rel=1e-14)
    assert found.attrs["error"] == pytest.approx(1e-15 + 40**0.5 * rounding, rel=1e-14)


def test_duplicates_and_asymmetry_are_told():
    x = np.random.default_rng(0).standard_normal((30, 40))
    x[7] = x[3]
    kernel = x @ x.T
    kernel[2, 5] *= 1 + 1e-12
    found = spectrum(kernel)
    assert found.attrs["duplicates"] == 1
    assert 0 < found.attrs["asymmetry"] < 1e-12
    assert found["eigenvalue"].values[-1] < 1e-12


@pytest.mark.parametrize("seed", range(6))
def test_what_duplicates_differ_in_is_never_learned(seed):
    """Against the samples without duplicates: two alike are one of twice the weight, with the mean of their labels."""
    rng = np.random.default_rng(seed)
    x, y = rng.standard_normal((40, 6)), rng.standard_normal(40)
    x[38:] = x[:2]
    found = spectrum(infinite_width(x), y)
    gamma, modes = found["eigenvalue"].values, found["y_mode"].values
    assert np.flatnonzero(gamma == 0).tolist() == [38, 39]
    weight = np.sqrt(np.r_[2, 2, np.ones(36)])
    values, vectors = np.linalg.eigh(infinite_width(x[:38]) * np.outer(weight, weight))
    means = vectors.T @ (weight * np.r_[(y[:2] + y[38:]) / 2, y[2:38]])
    apart = np.square(y[:2] - y[38:]).sum() / 4
    rounding = 40 * 2.0**-52 * values[-1] / values[0]  # of the slowest mode, relative
    for l2 in (0.0, 1e-7, 1e-3):
        best, other = (loss_minimum(*given, l2=l2, degree=2) for given in ((gamma, modes), (values, means)))
        assert best.where == other.where
        assert best.loss == pytest.approx(other.loss + apart, rel=1e3 * rounding)
        assert best.time == pytest.approx(other.time, rel=1e3 * rounding)
    budget = {"budget": 60 / values[0], "degree": 2}
    expected = predict_l2(values, means, **budget)
    # l2 ~ e^(-gamma t / 2) of the slowest mode there, and so off by gamma t / 2 = 30 times what gamma is off by.
    assert predict_l2(gamma, modes, **budget) == pytest.approx(expected, rel=1e3 * rounding)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_labels_orthogonal_to_what_can_be_learned_are_never_learned(dtype):
    """Samples all alike, with balanced labels."""
    y = np.array([1.0, -1] * 10)
    found = spectrum(
        infinite_width(np.ones((20, 3))).astype(dtype), np.stack([y, y + 1], axis=1), f0=np.stack([y, y], 1)
    )
    assert found["eigenvalue"].values[0] > 0 == found["eigenvalue"].values[1]
    assert np.allclose(np.abs(found["y_mode"].values[0]), [0, 20**0.5], rtol=1e-6, atol=0)
    assert np.allclose(np.square(found["f0_mode"]).sum(axis=0), 20)
    alone = spectrum(infinite_width(np.ones((20, 3))).astype(dtype), y)
    best = loss_minimum(alone, l2=1e-3, degree=2)
    assert (best.where, best.time, best.constant) == ("start", 0, 0)
    assert best.loss == pytest.approx(10)
    with pytest.raises(ValueError, match="nothing is ever learned"):
        predict_l2(alone, budget=0.5, degree=2)


@pytest.mark.parametrize("size", [80, 600])  # in this thread, in another
def test_large_kernels_and_short_memory_take_other_ways_to_the_same(monkeypatch, size):
    kernel, _ = known(1.0 / np.arange(1, size + 1))
    plenty = spectrum(kernel)
    monkeypatch.setattr(spectra, "available_memory", lambda: 24.0 * size * size / 0.8)
    short = spectrum(kernel)
    assert np.allclose(plenty["eigenvalue"], short["eigenvalue"], rtol=0, atol=1e-14)
    assert not plenty["eigenvalue"].equals(short["eigenvalue"])
    monkeypatch.setattr(kernel_checks, "available_memory", lambda: 8.0 * size * size)
    with pytest.raises(ValueError, match=rf"eigenvectors of {size} samples .* such as top={size // 20}"):
        spectrum(kernel)


@pytest.mark.parametrize(
    ("arguments", "kind", "words"),
    [
        ({"y": np.ones(3)}, ValueError, r"y must have shape \(4,\) or \(4, outputs\) as the kernel, got \(3,\)"),
        ({"y": [1, 2, np.nan, 4]}, ValueError, "y must be finite, 1 of its numbers"),
        ({"y": ["a"] * 4}, TypeError, "y must be an array of real numbers"),
        ({"y": np.ones(4), "f0": np.ones((4, 1))}, ValueError, r"f0 must have the shape of y, \(4,\), got \(4, 1\)"),
        ({"f0": np.ones(3)}, ValueError, r"f0 must have shape \(4,\) or"),
        ({"top": 0}, ValueError, "top must be an integer from 1 to 4, got 0"),
        ({"top": 5}, ValueError, "top must be an integer from 1 to 4, got 5"),
        ({"method": "qr"}, ValueError, "method must be one of 'auto', 'full', 'lanczos', 'randomised', got 'qr'"),
        ({"method": "lanczos"}, ValueError, "say how many as top"),
        ({"method": "lanczos", "top": 4}, ValueError, "fewer eigenvalues than there are samples"),
        ({"tolerance": -1}, ValueError, "tolerance must be a finite number >= 0"),
        ({"iterations": 1}, ValueError, "iterations must be an integer from 2"),
        ({"seed": -1}, ValueError, "seed must be an integer from 0"),
        ({"cache": 3}, TypeError, "cache must be a folder, True"),
        ({"cache": __file__}, ValueError, "cache must be a folder, .* is a file"),
    ],
)
def test_bad_input_is_refused(arguments, kind, words):
    with pytest.raises(kind, match=words):
        spectrum(np.eye(4), **arguments)


def test_an_operator_cannot_be_kept(tmp_path):
    with pytest.raises(ValueError, match="cache needs a matrix"):
        spectrum(aslinearoperator(np.eye(40)), top=2, cache=tmp_path)
    assert spectrum(aslinearoperator(np.eye(40)), cache=tmp_path).attrs["cache"] == "computed, kept"


def test_lanczos_that_does_not_converge_is_told(monkeypatch):
    kernel, _ = known(1 + np.linspace(0, 1e-9, 200))
    monkeypatch.setattr(ritz, "eigsh", lambda *a, **k: eigsh(*a, **{**k, "maxiter": 1}))
    with pytest.raises(ValueError, match=r"Lanczos found only .* take a larger tolerance"):
        spectrum(kernel, top=5)


@pytest.mark.parametrize("method", ["full", "lanczos", "randomised"])
@pytest.mark.parametrize("operator", [False, True])
def test_a_kernel_of_zeros(method, operator):
    kernel = np.zeros((40, 40))
    found = spectrum(aslinearoperator(kernel) if operator else kernel, np.ones(40), top=3, method=method)
    assert not found["eigenvalue"].values.any()
    assert found.attrs["error"] == found.attrs["left_out"] == 0
    e = found["eigenvector"].values
    assert np.abs(e.T @ e - np.eye(3)).max() < 40 * 2.0**-52


def test_other_failures_of_lanczos_are_told(monkeypatch):
    def fails(*arguments, **options):
        raise ArpackError(-8)

    monkeypatch.setattr(ritz, "eigsh", fails)
    with pytest.raises(ValueError, match=r"Lanczos found only 0 of 2 eigenvalues .* take a larger tolerance, method="):
        spectrum(np.eye(40), top=2)


def test_an_error_in_the_other_thread_is_raised_here():
    def fails():
        raise np.linalg.LinAlgError("no convergence")

    with pytest.raises(np.linalg.LinAlgError, match="no convergence"):
        spectra._interruptibly(fails)


def test_products_are_counted():
    """The randomised method asks for few products, with blocks of vectors."""
    kernel, _ = known(POWER_LAW)
    asked = []

    def matmat(block):
        asked.append(np.shape(block)[-1])
        return kernel @ block

    class Counting(LinearOperator):
        def _matmat(self, X):
            return matmat(X)

    operator = Counting(np.float64, kernel.shape)
    found = spectrum(operator, top=8, method="randomised", iterations=4)
    assert [count for count in asked if count == 16] == [16, 16, 16]
    assert np.abs(found["eigenvalue"].values - POWER_LAW[:8]).max() < 1e-6

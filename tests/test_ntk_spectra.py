"""Spectra of kernels: against exact ones, bounds that hold and are not empty, and results kept on disk."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from scipy.linalg import hadamard
from scipy.sparse.linalg import LinearOperator, aslinearoperator, eigsh

from linreg_dyn.ntk import kernel_checks, ritz, spectra, stored
from linreg_dyn.ntk.spectra import spectrum


def known(eigenvalues, seed=0):
    """A kernel with these eigenvalues, and its eigenvectors: reflections, exactly orthogonal up to rounding."""
    size = len(eigenvalues)
    v = np.random.default_rng(seed).standard_normal(size)
    vectors = np.eye(size) - 2 * np.outer(v, v) / (v @ v)
    kernel = (vectors * eigenvalues) @ vectors
    return (kernel + kernel.T) / 2, vectors


POWER_LAW = 3.0 / np.arange(1, 301) ** 1.5


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


def test_duplicates_and_asymmetry_are_told():
    x = np.random.default_rng(0).standard_normal((30, 40))
    x[7] = x[3]
    kernel = x @ x.T
    kernel[2, 5] *= 1 + 1e-12
    found = spectrum(kernel)
    assert found.attrs["duplicates"] == 1
    assert 0 < found.attrs["asymmetry"] < 1e-12
    assert found["eigenvalue"].values[-1] < 1e-12


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


def counted(monkeypatch):
    """The calls of LAPACK that are made from here on."""
    calls = []
    original = spectra._full
    monkeypatch.setattr(spectra, "_full", lambda matrix: calls.append(1) or original(matrix))
    return calls


def entries(folder):
    return sorted(folder.glob("*"))


def test_results_are_kept_and_reused(tmp_path, monkeypatch):
    calls = counted(monkeypatch)
    kernel, _ = known(POWER_LAW)
    y = np.arange(300.0)
    first = spectrum(kernel, y, cache=tmp_path)
    again = spectrum(kernel.astype(">f8"), 2 * y, cache=tmp_path)  # the same numbers in another order of bytes
    assert (first.attrs["cache"], again.attrs["cache"], len(calls)) == ("computed, kept", "reused", 1)
    assert first["eigenvector"].equals(again["eigenvector"])
    assert first["residual"].equals(again["residual"])
    assert np.allclose(again["y_mode"], 2 * first["y_mode"])
    assert first.attrs["left_out"] == again.attrs["left_out"]
    other = kernel.copy()
    other[0, 0] = np.nextafter(other[0, 0], 9)
    assert spectrum(other, cache=tmp_path).attrs["cache"] == "computed, kept"
    assert spectrum(kernel, top=50, method="full", cache=tmp_path).attrs["cache"] == "computed, kept"
    assert len(entries(tmp_path)) == 3
    assert spectrum(kernel).attrs["cache"] == "computed"


def test_the_usual_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    monkeypatch.delenv("LINREG_DYN_CACHE", raising=False)
    spectrum(np.eye(3), cache=True)
    monkeypatch.setenv("LINREG_DYN_CACHE", str(tmp_path / "mine"))
    spectrum(np.eye(3), cache=True)
    assert len(entries(tmp_path / "xdg" / "linreg_dyn")) == len(entries(tmp_path / "mine")) == 1


def damaged(data):
    """What can become of a file."""
    yield "empty", b""
    yield "cut", data[: len(data) // 2]
    for place in (10, 100, len(data) // 2, len(data) - 30):
        yield f"flipped at {place}", data[:place] + bytes([data[place] ^ 4]) + data[place + 1 :]
    yield "text", b"nonsense"


def test_damaged_entries_are_never_believed(tmp_path):
    kernel, _ = known(POWER_LAW)
    clean = spectrum(kernel, cache=tmp_path)
    (path,) = entries(tmp_path)
    data = path.read_bytes()
    told = 0
    for name, content in damaged(data):
        path.write_bytes(content)
        found = spectrum(kernel, cache=tmp_path)
        assert found.equals(clean), name
        told += found.attrs["cache"].startswith("computed again (")
        path.write_bytes(data)
    assert told >= 5  # a bit that no reader looks at may have changed nothing
    assert spectrum(kernel, cache=tmp_path).attrs["cache"] == "reused"


def test_another_kernel_under_this_name_is_not_believed(tmp_path):
    kernel, _ = known(POWER_LAW)
    other, _ = known(POWER_LAW, seed=5)
    clean = spectrum(kernel, cache=tmp_path / "a")
    spectrum(other, cache=tmp_path / "b")
    (mine,), (wrong,) = entries(tmp_path / "a"), entries(tmp_path / "b")
    mine.write_bytes(wrong.read_bytes())
    found = spectrum(kernel, cache=tmp_path / "a")
    assert found.attrs["cache"] == "computed again (what was kept does not fit the kernel), kept"
    assert found.equals(clean)
    np.savez(mine, values=np.ones(2))
    assert "does not fit" in spectrum(kernel, cache=tmp_path / "a").attrs["cache"]


def test_what_cannot_be_written_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    found = spectrum(np.eye(3), cache=tmp_path / "file" / "below")
    assert ", not kept in " in found.attrs["cache"]
    assert np.array_equal(found["eigenvalue"], [1, 1, 1])


def test_the_folder_does_not_grow_without_end(tmp_path, monkeypatch):
    kernels = [np.diag(np.arange(1.0, 41) + i) for i in range(4)]
    spectrum(kernels[0], cache=tmp_path)
    monkeypatch.setattr(stored, "LIMIT", 2.5 * entries(tmp_path)[0].stat().st_size)
    (tmp_path / "notes.npz").write_text("the user's own")
    for age, kernel in enumerate(kernels[:2]):
        spectrum(kernel, cache=tmp_path)
        for path in tmp_path.glob("ntk-*"):
            os.utime(path, (1e9 + age, 1e9 + age))
    assert spectrum(kernels[0], cache=tmp_path).attrs["cache"] == "reused"  # and so the younger
    spectrum(kernels[2], cache=tmp_path)
    assert len(entries(tmp_path)) == 3
    kept = [spectrum(kernel, cache=tmp_path).attrs["cache"] for kernel in (kernels[0], kernels[2])]
    assert kept == ["reused", "reused"]


def test_ctrl_c_is_heard_while_lapack_works_and_leaves_no_file(tmp_path):
    code = (
        "import numpy as np; from linreg_dyn.ntk.spectra import spectrum\n"
        "x = np.random.default_rng(0).standard_normal((4000, 4000)); k = x + x.T + 300 * np.eye(4000)\n"
        "print('ready', flush=True)\n"
        f"spectrum(k, cache={str(tmp_path)!r})\n"
    )
    root = Path(__file__).parents[1]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, cwd=root, stdout=-1, stderr=-1, text=True, env=environment) as run:
        assert run.stdout is not None
        assert run.stdout.readline() == "ready\n"
        time.sleep(1.5)  # it takes ten seconds
        run.send_signal(signal.SIGINT)
        _, error = run.communicate(timeout=30)
    assert error.rstrip().endswith("KeyboardInterrupt")
    assert entries(tmp_path) == []


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

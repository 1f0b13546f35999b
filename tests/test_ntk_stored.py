"""Spectra kept on disk: found again, never believed where damaged, and not without end."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from linreg_dyn.ntk import spectra, stored
from linreg_dyn.ntk.spectra import spectrum
from tests.kernels_of_known_spectrum import POWER_LAW, known


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

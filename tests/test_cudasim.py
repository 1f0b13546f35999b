"""Runs the tests of the CUDA engine under numba's simulator, in a process of its own: numba reads
NUMBA_ENABLE_CUDASIM when it is imported."""

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests import cuda_device

ROOT = Path(__file__).parents[1]


@pytest.mark.cudasim
@pytest.mark.parametrize("file", ["test_cuda.py", "test_cuda_simulate.py", "test_cuda_benchmark.py"])
def test_the_cuda_engine_under_the_simulator(file):
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q", f"tests/{file}"]
    environment = os.environ | {"NUMBA_ENABLE_CUDASIM": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-1000:]
    assert not re.search("skipped|deselected", done.stdout.splitlines()[-1])


def test_numba_cuda_is_not_imported_before_it_is_asked_for():
    code = (
        "import sys, linreg_dyn as ld\n"
        "import linreg_dyn.ensemble._cuda as engine\n"
        "ld.simulate, ld.flow\n"
        "assert 'numba.cuda.compiler' not in sys.modules and 'numba.cuda.simulator' not in sys.modules\n"
        "assert 'linreg_dyn.ensemble._cuda_kernels' not in sys.modules\n"
        "from numba import cuda\n"
        "assert 'numba.cuda.compiler' in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


def without_device(monkeypatch, error):
    from linreg_dyn.ensemble import _cuda
    from linreg_dyn.ensemble._cuda_target import cuda

    monkeypatch.setattr(cuda, "is_available", lambda: False)
    monkeypatch.setattr(cuda, "cuda_error", lambda: error, raising=False)
    _cuda.cuda_available.cache_clear()
    return _cuda


@pytest.mark.parametrize(("error", "said"), [(None, "set CUDA_HOME"), ("driver\n not found", "driver  not found")])
def test_a_missing_device_is_one_clear_line(monkeypatch, error, said):
    _cuda = without_device(monkeypatch, error)
    try:
        found, reason = _cuda.cuda_available()
        assert not found
        assert "\n" not in reason
        assert "no CUDA device can be used" in reason
        assert said in reason
        with pytest.raises(RuntimeError, match='backend="cuda" cannot run: no CUDA device can be used'):
            _cuda.chosen("cuda", 10, 10)
        assert _cuda.chosen("auto", 10**9, 10**9) == _cuda.chosen("cpu", 1, 1) == "cpu"
    finally:
        _cuda.cuda_available.cache_clear()


def test_auto_takes_a_device_for_enough_work_only(monkeypatch):
    from linreg_dyn.ensemble import _cuda

    monkeypatch.setattr(_cuda, "cuda_available", lambda: (True, "a device"))
    monkeypatch.setattr(_cuda, "simulated", lambda: False)
    assert _cuda.chosen("auto", 10**5, 1000) == "cuda"
    assert _cuda.chosen("auto", 100, 10) == "cpu"
    assert _cuda.chosen("cuda", 100, 10) == "cuda"


@pytest.mark.skipif(importlib.util.find_spec("numba_cuda") is None, reason="numba-cuda is not installed")
def test_small_ensembles_are_launched_without_a_warning():
    """The warnings are numba-cuda's own class, not numba's of the same name; configuring needs no device."""
    from numba.cuda.core.errors import NumbaPerformanceWarning

    from linreg_dyn.ensemble import _cuda
    from linreg_dyn.ensemble._cuda_target import cuda

    compiled = cuda.jit(lambda: None)

    class Kernel:
        def __getitem__(self, configuration):
            assert compiled[configuration]
            return lambda: None

    engine = _cuda.CudaEngine.__new__(_cuda.CudaEngine)
    engine.threads = 128
    engine._launch(Kernel(), 1)
    with pytest.warns(NumbaPerformanceWarning, match="low occupancy"):
        Kernel()[2, 128]


@pytest.mark.skipif(importlib.util.find_spec("numba_cuda") is None, reason="numba-cuda is not installed")
def test_the_target_loads_beside_a_numpy_that_has_lost_names():
    """As in a process whose NumPy is newer: numba-cuda asks for `row_stack`, gone in 2.5, when it compiles."""
    code = (
        "import warnings; warnings.simplefilter('error')\n"
        "import numpy as np\n"
        "vars(np).pop('row_stack', None)\n"
        "from linreg_dyn.ensemble._cuda_target import cuda\n"
        "import numba.cuda.np.arrayobj\n"
        "assert 'row_stack' not in vars(np)\n"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


@pytest.mark.parametrize(
    ("found", "devices", "compiled", "missing", "amiss"),
    [
        ((False, "no driver"), 0, "", "no driver", ""),
        ((False, "NVVM is not found"), 1, "", "", "the driver has a device, and NVVM is not found"),
        ((True, "a GPU"), 1, "no linker", "", "the driver has a device, and no kernel .* compiled for it: no linker"),
        ((True, "a GPU"), 1, "", "", ""),
    ],
)
def test_tests_of_a_device_are_skipped_only_where_the_driver_has_none(
    monkeypatch, found, devices, compiled, missing, amiss
):
    monkeypatch.setattr(cuda_device, "SIMULATED", False)
    monkeypatch.setattr(cuda_device, "cuda_available", lambda: found)
    monkeypatch.setattr(cuda_device, "devices", lambda: devices)
    monkeypatch.setattr(cuda_device, "compiles", lambda: compiled)
    assert cuda_device.missing() == missing
    assert re.fullmatch(amiss, cuda_device.amiss())
    if amiss:
        with pytest.raises(pytest.fail.Exception, match=amiss):
            cuda_device.prepare(monkeypatch)
    else:
        cuda_device.prepare(monkeypatch)


def test_what_no_kernel_can_be_compiled_without_is_said_in_one_line():
    if cuda_device.devices() and not cuda_device.compiles():
        pytest.skip("a device is there")
    said = cuda_device.compiles()
    assert said
    assert "\n" not in said

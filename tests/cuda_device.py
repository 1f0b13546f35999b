"""Where the tests of CUDA run: on a device, or in a process with numba's simulator; and what they do without either.

Without a device they are skipped, and say what is missing. Where the driver has a device that numba cannot use, they
fail: a run of theirs on a machine with a GPU shall not end well because it has tested nothing.
"""

import ctypes
import ctypes.util
import os
from functools import cache

import numpy as np
import pytest

from linreg_dyn.ensemble._cuda import CudaEngine, cuda_available

SIMULATED = os.environ.get("NUMBA_ENABLE_CUDASIM") == "1"
THREADS, TRAJECTORIES = (4, 6) if SIMULATED else (128, 1000)
"""Of a block; and of an ensemble, the last block of which is not full."""


@cache
def devices() -> int:
    """How many devices the driver has; 0 without a driver. numba is not asked."""
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return 0
    count = ctypes.c_int()
    return 0 if driver.cuInit(0) or driver.cuDeviceGetCount(ctypes.byref(count)) else count.value


@cache
def compiles() -> str:
    """Why a kernel of one line cannot run on the device, in one line; empty if it can."""
    from linreg_dyn.ensemble._cuda_target import cuda

    try:
        found = cuda.to_device(np.ones(1))
        cuda.jit(_twice)[1, 1](found)
        assert found.copy_to_host() == [2.0]
    except Exception as error:  # whatever a compiler, a linker or a driver says
        return f"{type(error).__name__}: {error}".replace("\n", " ")[:300]
    return ""


def _twice(x):
    x[0] += x[0]


def missing() -> str:
    """What is missing, in one line, where there is no device; empty where the tests are to run, or to fail."""
    found, said = cuda_available()
    return "" if found or devices() else said


def amiss() -> str:
    """Why there is a device and no kernel can run on it, in one line; empty if it can, or there is none."""
    found, said = cuda_available()
    if not found:
        return f"the driver has a device, and {said}" if devices() else ""
    reason = compiles()
    return f"the driver has a device, and no kernel can be compiled for it: {reason}" if reason else ""


MISSING = missing()
marks = [
    pytest.mark.cudasim if SIMULATED else pytest.mark.gpu,
    pytest.mark.skipif(bool(MISSING), reason=MISSING or "a device is there"),
    # numpy's scalars, in the simulator, announce what becomes a status of the trajectory.
    pytest.mark.filterwarnings("ignore:.*(overflow|invalid value|divide by zero) encountered:RuntimeWarning"),
    *([] if SIMULATED else [pytest.mark.filterwarnings("default")]),  # what a device's libraries announce
]
"""What a file of such tests sets `pytestmark` to; it imports `as_a_device` too."""


@pytest.fixture(autouse=True)
def as_a_device(monkeypatch):
    """A device that works; or a simulator that rounds `fma` once, as a device does, with blocks of few threads."""
    prepare(monkeypatch)


def prepare(monkeypatch):
    """What `as_a_device` does."""
    if not SIMULATED:
        if amiss():
            pytest.fail(amiss(), pytrace=False)
        return
    from linreg_dyn.ensemble import _cuda_arithmetic

    library = ctypes.CDLL(ctypes.util.find_library("m"))
    for function, number in ((library.fmaf, ctypes.c_float), (library.fma, ctypes.c_double)):
        function.argtypes, function.restype = [number] * 3, number

    def fma(a, b, c):
        single = type(a) is type(b) is type(c) is np.float32
        return np.float32(library.fmaf(a, b, c)) if single else np.float64(library.fma(a, b, c))

    monkeypatch.setattr(_cuda_arithmetic, "simulated", fma)
    monkeypatch.setitem(CudaEngine.__init__.__kwdefaults__, "threads", THREADS)

"""What the compiler makes of the CUDA kernels, read from their PTX: needs numba-cuda and NVVM, but no device."""

import importlib.util
import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import linreg_dyn as ld
from linreg_dyn.ensemble._cuda_memory import of_a_thread
from linreg_dyn.ensemble.plan import Plan
from linreg_dyn.schedules import Constant

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def ptx():
    if importlib.util.find_spec("numba_cuda") is None:
        pytest.skip("numba-cuda is not installed")
    command = [sys.executable, str(ROOT / "tests" / "cuda_ptx.py")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode and re.search("nvvm|NVVM", done.stderr):
        pytest.skip("NVVM is not installed")
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout)


def steps(ptx):
    return {name: found for name, found in ptx.items() if name.split()[0] != "reduce"}


def test_weights_stay_in_registers_unless_they_are_too_many(ptx):
    for name, found in steps(ptx).items():
        assert ("local" in found) == name.startswith(("batch", "deep")), name


def test_memory_of_a_thread_is_counted_before_a_run(ptx):
    """What the compiler sets aside for the places that a mini-batch shuffles, and for the weights of deep nets."""
    x = np.where(np.arange(100) % 2, 1.0, -1.0)
    batches = ld.MiniBatch(ld.NormalizedData(x, x), batch_size=3)
    for name, depth, method in (("deep 1024 float64", 1024, ld.GradientDescent()), ("batch 3 float64", 4, batches)):
        counted = of_a_thread(Plan(depth, "float64", method, Constant(0.1), Constant(0.0)))
        assert counted - 8 * 3 <= ptx[name]["local"] <= counted


def test_float32_kernels_have_no_double_arithmetic_but_for_the_amplitude(ptx):
    """Of which a distribution makes a number in one fused multiply-add: in single steps two, in four at once four."""
    converted, read = {"cvt.rn.f32.f64": 6}, {"ld.global.f64": 6}
    of_words = {"cvt.rn.f64.s64": 6, "fma.rn.f64": 6} | converted
    amplitude = {
        "noise uniform float32": of_words,
        "noise rademacher float32": of_words,
        "noise atom float32": read | converted,
        "noise quantile float32": of_words | {"ld.global.f64": 12, "sub.f64": 6, "exact.f64": 6},
    }
    for name, found in steps(ptx).items():
        doubles = {instruction: count for instruction, count in found.items() if "f64" in instruction}
        if name.endswith("float32"):
            assert doubles == amplitude.get(name, {}), name
        else:
            assert doubles


def test_nothing_is_left_to_fuse(ptx):
    """Products are fused multiply-adds, or exact, by a power of two."""
    for name, found in steps(ptx).items():
        assert any(instruction.startswith("fma.rn") for instruction in found)
        assert not {instruction for instruction in found if re.fullmatch(r"(mul|mad|fma)\.f(32|64)", instruction)}, name
    # In a reduction, of which there is one copy, they may be: the check sees them.
    assert {"mul.f64"} & ptx["reduce"].keys()


def test_words_are_multiplied_by_one_instruction(ptx):
    for dtype in ("float32", "float64"):
        found = ptx[f"noise uniform {dtype}"]
        assert found["mul.wide.u32"] == 3 * 20  # before, in and after the loop by fours: 10 rounds of 2
        assert "mul.lo.s64" not in found
        assert not any(instruction.startswith("div") for instruction in found)


def test_a_step_takes_as_few_instructions_as_counted(ptx):
    """Depth 4: 6 steps of 3 products, a pull, 2 shares and 4 moves, a residual and a test; and what comes before."""
    for dtype, short in (("float32", "f32"), ("float64", "f64")):
        found = ptx[f"descent 4 {dtype}"]
        assert found[f"fma.rn.{short}"] <= 6 * 11 + 4
        # and twice the rate: before, in and after the loop by fours
        assert found[f"add.{short}"] + found.get(f"sub.{short}", 0) <= 6 + 3


def test_divergence_is_watched_for_beside_the_arithmetic(ptx):
    """Of float64 with integers; the last test, whether a step is taken again, is of the number itself."""
    for name, found in steps(ptx).items():
        compared = sum(count for word, count in found.items() if word.startswith("setp.") and word.endswith("f64"))
        if name.startswith("descent") and name.endswith("float64"):
            assert compared == 0
    assert ptx["descent 4 float32"]["setp.lt.f32"] == 7
    assert any(word.endswith("f64") for word in ptx["retrace 4 float64"] if word.startswith("setp."))

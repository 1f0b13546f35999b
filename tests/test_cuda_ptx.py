"""What the compiler makes of the CUDA kernels, read from their PTX: needs numba-cuda and NVVM, but no device."""

import importlib.util
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

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


def test_weights_stay_in_registers(ptx):
    for name, found in steps(ptx).items():
        assert ("local" in found) == name.startswith("batch"), name  # whose places are shuffled


def test_float32_kernels_have_no_double_arithmetic_but_for_the_amplitude(ptx):
    for name, found in steps(ptx).items():
        doubles = {instruction for instruction in found if "f64" in instruction}
        if name.endswith("float32"):
            amplitude = {"cvt.rn.f64.s64", "mul.f64", "fma.rn.f64", "cvt.rn.f32.f64"}
            assert doubles <= (amplitude if "noise" in name else set()), name
        else:
            assert doubles


def test_nothing_is_left_to_fuse(ptx):
    """Products are fused multiply-adds; the one of an amplitude is exact, by a power of two, and joins no sum."""
    for name, found in steps(ptx).items():
        assert any(instruction.startswith("fma.rn") for instruction in found)
        products = {instruction for instruction in found if re.fullmatch(r"(mul|mad|fma)\.f(32|64)", instruction)}
        assert products <= ({"mul.f64"} if "noise" in name else set()), name
    # In a reduction, of which there is one copy, they may be: the check sees them.
    assert {"mul.f64"} & ptx["reduce"].keys()


def test_words_are_multiplied_by_one_instruction(ptx):
    for dtype in ("float32", "float64"):
        found = ptx[f"noise 4 {dtype}"]
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

"""`typed`: the same functions with float32 literals, checked in the machine code that numba makes of them."""

import inspect
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numba import float32, njit
from numba.extending import register_jitable

from linreg_dyn import observables, rules
from linreg_dyn.ensemble.literals import typed

ROOT = Path(__file__).parents[1]
HALF = 0.5


def whole_numbers(x, n=2):
    """Literals of every kind: 2.0**-3 is folded; what counts, shifts and indexes stays whole."""
    total = x[0] * 2.0**-3 - -1
    cell = n
    cell >>= 1
    for i in range(1, len(x)):
        total = total + x[i - 1] * (3 << 1) / ((i % 4) + (7 // 2)) * HALF
    return total / 3, cell


def operations(function, *arguments):
    """The operations of `function` compiled for float32 arguments, such as "fadd float", everything inlined."""
    compiled = njit(error_model="numpy")(function)
    compiled(*(np.float32(x) for x in arguments))
    return set(re.findall("f(?:add|sub|mul|div) (?:float|double)", compiled.inspect_llvm(compiled.signatures[0])))


@pytest.mark.parametrize(
    ("function", "count"),
    [
        (rules.contraction, 2),
        (rules.noise_augmentation, 2),
        (rules.velocity, 4),
        (rules.layer_step, 5),
    ],
)
def test_float32_stays_float32_and_the_plain_function_does_not(function, count):
    arguments = np.linspace(0.3, 0.7, count)
    for plain in filter(inspect.isfunction, vars(rules).values()):
        register_jitable(plain)
    assert any("double" in operation for operation in operations(function, *arguments))
    singles = operations(typed(function, "float32"), *arguments)
    assert singles
    assert not any("double" in operation for operation in singles)


def words(a, b):
    """Products beside masks, one of them in a shift."""
    p = 3 * (a & 255)
    p *= b
    return p + ((a * b) >> 1)


def test_products_of_integers_are_calls_where_all_numbers_are_integers():
    seen = []

    def noted(a, b):
        seen.append((a, b))
        return a * b

    assert typed(words, np.int64, product=noted)(257, 5) == words(257, 5)
    assert seen == [(3, 1), (3, 5)]  # what stands under a shift stays as it is
    seen.clear()
    assert typed(words, np.float32, product=noted)(257, 5) == words(257, 5)
    assert seen == [(3, 5)]


def test_values_are_those_of_float32_arithmetic_in_python_and_compiled():
    rng = np.random.default_rng(0)
    function = typed(rules.layer_step, np.float32)
    compiled = njit(function)
    for row in rng.normal(size=(20, 5)).astype(np.float32):
        w, others, g, lr, decay = row
        two, one = np.float32(2), np.float32(1)
        expected = (one - two * lr * decay) * w - two * lr * g * others
        got = function(*row)
        assert got.dtype == np.float32
        assert got == expected
        assert abs(compiled(*row) - expected) <= 4 * np.spacing(max(abs(expected), abs(w)))
    assert float(function(*row)) != rules.layer_step(*row.astype(float))


def test_float64_is_the_function_itself_and_others_are_made_once():
    assert typed(rules.pull, np.float64) is typed(rules.pull, "float64") is rules.pull
    assert typed(rules.pull, "float32") is typed(rules.pull, np.dtype(np.float32))
    assert typed(rules.pull, "float32").__name__ == "pull"
    assert typed(rules.pull, "float32").__module__ == "linreg_dyn.rules"


def test_whole_numbers_stay_whole_and_defaults_are_kept():
    x = np.array([0.5, 0.25, 2.0], dtype=np.float32)
    function = typed(whole_numbers, "float32")
    value, cell = function(x)
    assert (value, cell) == whole_numbers(x) == (value, 1)  # every term is exact in float32
    assert function.__defaults__ == (2,)
    constants = {float(v) for v in function.__globals__.values() if type(v) is np.float32}
    assert constants == {0.125, -1.0, 3.0, HALF}
    assert njit(function)(x)[0] == value


def test_functions_that_it_calls_are_typed_too():
    inner = typed(observables.minimum_sharpness, "float32").__globals__["inverse_square_sum"]
    assert inner is typed(observables.inverse_square_sum, "float32")
    sharpness = njit(typed(observables.minimum_sharpness, "float32"))
    sharpness((np.float32(1), np.float32(2)))
    assert sharpness.overloads[sharpness.signatures[0]].signature.return_type == float32


@pytest.mark.parametrize("wrong", [lambda x: 2 * x, 3, njit(rules.pull)])
def test_only_plain_functions(wrong):
    with pytest.raises(TypeError, match="function must be made by def"):
        typed(wrong, "float32")


CACHED = """
import sys
sys.path.insert(0, {root!r})
import numpy as np
from numba import njit
from linreg_dyn import rules
from linreg_dyn.ensemble.literals import typed

def kernel(dtype, scale):
    pull, step = typed(rules.pull, dtype), typed(rules.{rule}, dtype)

    @njit(cache=True)
    def run(x):
        return pull(x, x) * scale + step(x, x)

    return run

run = kernel("float32", 3)
print(run(np.float32(0.5)), sum(run.stats.cache_hits.values()))
"""


def run_cached(folder, rule):
    script = folder / "cached.py"
    if not script.exists() or rule not in script.read_text():
        script.write_text(CACHED.format(root=str(ROOT), rule=rule))
    environment = {"NUMBA_CACHE_DIR": str(folder / "cache"), "PATH": ""}
    command = [sys.executable, str(script)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
    value, hits = done.stdout.split()
    return float(value), int(hits)


def test_kernels_around_typed_functions_are_cached_on_disk(tmp_path):
    """The second process finds what the first compiled; a kernel around another rule is compiled anew."""
    value, hits = run_cached(tmp_path, "pull")
    assert (value, hits) == (-2.0, 0)
    assert run_cached(tmp_path, "pull") == (-2.0, 1)
    assert run_cached(tmp_path, "contraction") == (-1.0, 0)

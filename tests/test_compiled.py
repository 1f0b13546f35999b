"""The cache of compiled kernels may help, and can do no harm: each case in processes of its own."""

import os
import subprocess
import sys
from itertools import combinations
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
RUN = """
import linreg_dyn as ld
from linreg_dyn.ensemble import _kernels
from linreg_dyn.ensemble.plan import Plan
from linreg_dyn.schedules import Constant
ds = ld.simulate([1.0, 2.0], ld.GradientDescent(), steps=3, learning_rate=0.1, backend="cpu")
plan = Plan(2, "float64", ld.GradientDescent(), Constant(0.1), Constant(0.0))
kernel = _kernels.advance_kernel(_kernels.shape_for(2, "float64"), plan)
print(ds.final_weights.values.tolist(), sum(kernel.stats.cache_hits.values()))
"""


def run(cache, code=RUN):
    environment = os.environ | {"NUMBA_CACHE_DIR": str(cache), "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    weights, _, hits = done.stdout.strip().rpartition(" ")
    return weights, int(hits)


@pytest.fixture(scope="module")
def cached(tmp_path_factory):
    cache = tmp_path_factory.mktemp("cache")
    return cache, run(cache)[0]


def test_a_second_process_finds_what_the_first_compiled(cached):
    cache, weights = cached
    assert run(cache) == (weights, 1)


def test_a_damaged_cache_is_compiled_anew_and_repaired(cached):
    cache, weights = cached
    files = [path for path in cache.rglob("*") if path.is_file() and "advance" in path.name]
    assert files
    for path in files:
        path.write_bytes(path.read_bytes()[:-50] if path.suffix == ".nbc" else b"garbage")
    assert run(cache) == (weights, 0)
    assert run(cache) == (weights, 1)


def test_no_place_for_a_cache_breaks_nothing(cached, tmp_path):
    file = tmp_path / "file"
    file.write_text("in the way of every folder")
    code = f"import os; os.environ['HOME'] = {str(file)!r}\n" + (
        "from numba.core import caching\n"
        "caching.FunctionCache._impl_class._locator_classes = [caching.UserProvidedCacheLocator]\n"
    )
    assert run(file / "cache", code + RUN) == (cached[1], 0)


def test_a_full_disk_breaks_nothing(cached, tmp_path):
    code = (
        "from numba.core import caching\n"
        "def full(self, *args): raise OSError(28, 'No space left on device')\n"
        "caching.IndexDataCacheFile.save = full\n"
    )
    assert run(tmp_path, code + RUN) == (cached[1], 0)


def test_a_rule_that_changed_is_not_run_from_the_cache(cached):
    """The fingerprint of the sources is among what tells one kernel from another."""
    cache, weights = cached
    changed = RUN.replace("ds = ld", "_kernels.SOURCES += 1\nds = ld")
    assert run(cache, changed) == (weights, 0)


DEPTHS = """
import sys
from itertools import combinations
import numpy as np
import linreg_dyn as ld
for depth in map(int, sys.argv[1:]):
    starts = np.random.default_rng(depth).uniform(0.9, 1.1, (333, depth))
    ds = ld.simulate(starts, ld.GradientDescent(), steps=8, learning_rate=0.01, threads=1, backend="cpu")
    print(depth, ds.final_weights.values.tobytes().hex())
"""


def test_code_kept_by_two_processes_is_not_mixed_up_in_a_third(tmp_path):
    """Kernels of other depths have helpers of one name with other loops; linked as one, they write beyond weights."""
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path), "PYTHONPATH": str(ROOT)}

    def printed(*depths):
        command = [sys.executable, "-c", DEPTHS, *map(str, depths)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()

    apart = [*printed(16), *printed(2), *printed(5)]
    assert printed(16, 2, 5) == apart


def test_processes_and_their_forks_name_helpers_apart():
    code = (
        "import os, linreg_dyn._compiled\n"
        "from numba.core.bytecode import FunctionIdentity as F\n"
        "child = os.fork()\n"
        "os.write(1, f'{next(F._unique_ids)}\\n'.encode())\n"
        "child and os.waitpid(child, 0)\n"
    )
    numbers = []
    for _ in range(2):
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300, cwd=ROOT)
        assert done.returncode == 0, done.stderr
        numbers += [int(line) for line in done.stdout.split()]
    assert len(numbers) == 4
    assert min(abs(a - b) for a, b in combinations(numbers, 2)) > 2**24  # more than a process ever counts

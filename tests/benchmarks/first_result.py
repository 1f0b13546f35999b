"""Time to the first result of a rule and depth, in a fresh process: with an empty cache on disk, then a full one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.benchmarks.cases import Case, Unavailable

ROOT = Path(__file__).parents[2]
CODE = """
import json, sys, time
start = time.perf_counter()
from tests.benchmarks.cases import Case, starts
from tests.benchmarks.ours import ld, method, options
weights = starts(64, int(sys.argv[2]))
case = Case(sys.argv[1], int(sys.argv[2]), sys.argv[3])
ld.simulate
imported = time.perf_counter()
ld.simulate(weights, method(case), steps=2, **options(case))
print(json.dumps({"import": imported - start, "call": time.perf_counter() - imported}))
"""


def first_result(case: Case) -> dict[str, dict[str, float]]:
    """Seconds to import and seconds of the first call of `simulate`, for the cache "cold" and "warm".

    Raises:
        Unavailable: the call fails.
    """
    out = {}
    with tempfile.TemporaryDirectory() as cache:
        for state in ("cold", "warm"):
            command = [sys.executable, "-c", CODE, case.rule, str(case.depth), case.dtype]
            environment = os.environ | {"NUMBA_CACHE_DIR": cache}
            done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
            if done.returncode:
                raise Unavailable((done.stderr.strip().splitlines() or ["no message"])[-1])
            out[state] = json.loads(done.stdout)
    return out

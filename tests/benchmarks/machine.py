"""The machine, without its name, and what runs on it."""

from __future__ import annotations

import datetime
import os
import platform
import shutil
import subprocess
from pathlib import Path

from linreg_dyn.provenance import commit, version

LIBRARIES = ("linreg-dyn", "numpy", "scipy", "numba", "llvmlite", "jax", "jaxlib", "torch", "heyoka", "numba-cuda")
TELLING = ("sse2", "avx", "avx2", "fma", "avx512f", "avx512dq", "avx512vl", "asimd", "sve")


def describe(threads: int) -> dict:
    """Processor, cores, libraries, compiler and date."""
    cpu = _cpuinfo()
    flags = (cpu.get("flags") or cpu.get("Features") or "").split()
    return {
        "cpu": cpu.get("model name", platform.processor() or platform.machine()),
        "family": " ".join(f"{key} {cpu[key]}" for key in ("cpu family", "model", "stepping") if key in cpu),
        "flags": [flag for flag in TELLING if flag in flags],
        "cores": os.cpu_count(),
        "threads": threads,
        "system": platform.system(),
        "python": platform.python_version(),
        "compiler": _gcc(),
        "versions": {name: found for name in LIBRARIES if (found := version(name))},
        "commit": commit(),
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
    }


def _cpuinfo() -> dict[str, str]:
    path = Path("/proc/cpuinfo")
    first = path.read_text().partition("\n\n")[0] if path.exists() else ""
    pairs = (line.partition(":") for line in first.splitlines())
    return {key.strip(): value.strip() for key, _, value in pairs}


def _gcc() -> str | None:
    found = shutil.which(os.environ.get("CC", "gcc"))
    if found is None:
        return None
    return subprocess.run([found, "--version"], capture_output=True, text=True, check=True).stdout.splitlines()[0]

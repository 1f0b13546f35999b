"""The kernels in C of `native/`: compiled for this machine when they are needed, kept by the hash of their source."""

from __future__ import annotations

import ctypes
import hashlib
import os
import shutil
import subprocess
import tempfile
import time
from functools import cache
from pathlib import Path

import numpy as np

from linreg_dyn.problem import Array
from tests.benchmarks.cases import NOISELESS, Case, Contender, Unavailable

SOURCES = Path(__file__).parent / "native"
FLAGS = ("-O3", "-march=native", "-ffast-math", "-fopenmp", "-mprefer-vector-width=512", "-fPIC", "-w")
REAL = {"float64": "double", "float32": "float"}
ZIGZAG = {  # layers taken one by one or in pairs, and how far the loop over them is unrolled
    "singles": '#define SINGLES 1\n#define PAIRS 0\n#define LAYERS _Pragma("GCC unroll 4")\n',
    "pairs": '#define SINGLES 0\n#define PAIRS 1\n#define LAYERS _Pragma("GCC unroll 4")\n',
    "mixed": '#define SINGLES 1\n#define PAIRS 1\n#define LAYERS _Pragma("GCC unroll 4")\n',
    "unrolled": "#define SINGLES 1\n#define PAIRS 0\n#define LAYERS UNROLL\n",
}


def variants(depth: int) -> list[tuple[str, int, int]]:
    """(algorithm, vectors of a layer, bytes of a vector): those that came out best somewhere, or near it."""
    out = [("twopass", 4, 64), ("twopass", 8, 32)]
    for name in ("singles", "pairs", "mixed"):
        out += [(name, 3, 64), (name, 4, 64), (name, 6, 64), (name, 6, 32), (name, 8, 32), (name, 12, 32)]
    if depth <= 4:
        out += [("unrolled", 3, 64), ("unrolled", 4, 64), ("unrolled", 6, 64)]
    if depth <= 16:
        out += [("tree", u, 64) for u in ((2, 3, 4, 6) if depth <= 8 else (1, 2))]
    if depth <= 4:
        out += [("tree", 6, 32), ("tree", 8, 32)]
    return out


def source(depth: int) -> str:
    """The C file of all variants of a depth; REAL and DEPTH come from the command line."""
    parts, entries = ['#include "lanes.h"\n'], []
    for rule in ("GD", "DECAY", "ADAPTIVE"):
        for name, vectors, width in variants(depth):
            file = "zigzag.h" if name in ZIGZAG else f"{name}.h"
            parts.append(f'#define ALGORITHM {name}\n#define ALGORITHM_FILE "{file}"\n{ZIGZAG.get(name, "")}')
            parts.append(f'#define RULE {rule}\n#define U {vectors}\n#define BYTES {width}\n#include "variant.h"\n')
            number = ("GD", "DECAY", "ADAPTIVE").index(rule)
            entries.append(f"&variant_{name}_{number}_{vectors}_{width}")
    listed = ",\n    ".join(entries)
    return "".join(parts) + f'static const struct variant *const all[] = {{\n    {listed}}};\n#include "table.h"\n'


def compiler() -> str:
    """The path of gcc.

    Raises:
        Unavailable: there is none.
    """
    found = shutil.which(os.environ.get("CC", "gcc"))
    if found is None:
        raise Unavailable("no C compiler: install gcc, or name one in CC")
    return found


@cache
def build(text: str, *defines: str) -> ctypes.CDLL:
    """Compile C to a shared library, once for each text, command line and version of the compiler."""
    gcc = compiler()
    version = subprocess.run([gcc, "--version"], capture_output=True, text=True, check=True).stdout
    headers = "".join(path.read_text() for path in sorted(SOURCES.glob("*.h")))
    cpu = Path("/proc/cpuinfo")
    flags = (
        next((line for line in cpu.read_text().splitlines() if line.startswith("flags")), "") if cpu.exists() else ""
    )
    name = hashlib.sha256("\0".join((text, headers, version, flags, *FLAGS, *defines)).encode()).hexdigest()[:20]
    folder = Path(tempfile.gettempdir()) / f"linreg_dyn-bench-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    library = folder / f"{name}.so"
    if not library.exists():
        unfinished, compiled = library.with_suffix(f".{os.getpid()}"), library.with_suffix(f".{os.getpid()}.o")
        defined = (f"-D{define}" for define in defines)
        # Linked apart from -ffast-math, which would have the library turn off subnormal numbers for all of Python.
        for command in (
            [gcc, *FLAGS, *defined, f"-I{SOURCES}", "-c", "-xc", "-", "-o", str(compiled)],
            [gcc, "-shared", "-fopenmp", str(compiled), "-o", str(unfinished)],
        ):
            done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
            if done.returncode:
                raise Unavailable(f"{gcc} refuses the kernel: {(done.stderr.splitlines() or ['no message'])[0]}")
        compiled.unlink()
        os.replace(unfinished, library)
    return ctypes.CDLL(str(library))


def peak(dtype: str, threads: int) -> float:
    """Floating-point operations a second that multiply-adds reach, a multiply-add counted as two."""
    text = (SOURCES / "peak.c").read_text()
    best = 0.0
    for width in (64, 32):
        library = build(text, f"REAL={REAL[dtype]}", f"BYTES={width}")
        library.flops.restype = ctypes.c_double
        library.flops.argtypes = [ctypes.c_int, ctypes.c_long]
        best = max([best, *(library.flops(threads, 3_000_000) for _ in range(5))])
    return best


def _library(case: Case) -> ctypes.CDLL:
    library = build(source(case.depth), f"REAL={REAL[case.dtype]}", f"DEPTH={case.depth}")
    library.name_of.restype = ctypes.c_char_p
    real = ctypes.c_double
    library.advance.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_long, ctypes.c_long, real, real, ctypes.c_int]
    return library


def _aligned(shape: tuple[int, ...], dtype: str) -> np.ndarray:
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    memory = np.empty(size + 64, dtype=np.uint8)
    first = -memory.ctypes.data % 64
    return memory[first : first + size].view(dtype).reshape(shape)


class Kernel:
    """One variant on its own copy of the starts; calling it takes all the steps, from the starts."""

    def __init__(self, library: ctypes.CDLL, number: int, case: Case, starts: Array, steps: int, threads: int):
        self.library, self.number, self.case, self.steps, self.threads = library, number, case, steps, threads
        lanes = library.lanes_of(number)
        self.blocks = -(-len(starts) // lanes)
        padded = np.ones((self.blocks * lanes, case.depth))
        padded[: len(starts)] = starts
        self.starts = padded.reshape(self.blocks, lanes, case.depth).swapaxes(1, 2).astype(case.dtype)
        self.state = _aligned(self.starts.shape, case.dtype)
        self.trajectories = len(starts)
        self.name = library.name_of(number).decode()

    def reset(self) -> None:
        """Back to the starts; not part of the time."""
        self.state[:] = self.starts

    def __call__(self) -> Kernel:
        value = self.case.c if self.case.rule == "adaptive" else self.case.rate
        address = self.state.ctypes.data
        self.library.advance(self.number, address, self.blocks, self.steps, value, self.case.decay, self.threads)
        return self

    def weights(self) -> Array:
        """(trajectory, layer) in float64."""
        flat = self.state.swapaxes(1, 2).reshape(-1, self.case.depth)
        return flat[: self.trajectories].astype(np.float64)


def kernels(case: Case, starts: Array, steps: int, threads: int) -> list[Kernel]:
    """Every variant of a case."""
    library = _library(case)
    rule = NOISELESS.index(case.rule)
    numbers = [k for k in range(library.count()) if library.rule_of(k) == rule]
    return [Kernel(library, k, case, starts, steps, threads) for k in numbers]


def _seconds(kernel: Kernel, turns: int = 3) -> float:
    times = []
    for _ in range(turns):
        kernel.reset()
        start = time.process_time()
        kernel()
        times.append(time.process_time() - start)
    return min(times)


@cache
def best_variant(case: Case) -> str:
    """Name of the variant that is fastest on one thread, over a few million layer-steps."""
    from tests.benchmarks.cases import starts

    trial = kernels(case, starts(4096, case.depth), 1 + 2**14 // (16 * case.depth), 1)
    return min(trial, key=_seconds).name


def contender(threads: int, only: str | None = None) -> Contender:
    """C, each case by its best variant, or by the one named `only`."""

    def prepare(case: Case, starts: Array, steps: int) -> Kernel:
        if case.rule not in NOISELESS:
            raise Unavailable(f"no kernel in C for {case.rule}")
        wanted = only or best_variant(case)
        kernel = next(kernel for kernel in kernels(case, starts, steps, threads) if kernel.name == wanted)
        kernel.reset()
        return kernel

    return Contender("C", prepare, Kernel.weights, rules=NOISELESS)

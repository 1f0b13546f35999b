"""Compiles the CUDA kernels for compute capability 9.0 without a device and prints their PTX instructions as JSON.

A program of its own: it tells numba's compiler of a device that is not there.
"""

import json
import re
import sys
from collections import Counter

import numba
import numpy as np
from numba import cuda, types
from numba.cuda import dispatcher

CAPABILITY = (9, 0)


class Device:
    compute_capability = CAPABILITY


def instructions(kernel, signature):
    """How often each instruction is in a kernel, "local": bytes of local memory: {"fma.rn.f64": 69, ...}.

    "exact.f64" are products by a power of two, which round nothing, fused with a sum or not.
    """
    ptx, _ = cuda.compile_ptx(kernel.py_func, signature, cc=CAPABILITY)  # pyright: ignore
    ptx = re.sub(r"mul(\.f64\s+%fd\d+, %fd\d+, 0d[0-9A-F]{3}0{13};)", r"exact\1", ptx)
    found = Counter(re.findall(r"^\s+(?:@!?%p\d+\s+)?([a-z][a-z0-9_.]+)\s", ptx, re.MULTILINE))
    local = re.search(r"__local_depot\d+\[(\d+)\]", ptx)
    return dict(found) | ({"local": int(local[1])} if local else {})


def advance(kind, which=0):
    """Those of `advance` (0) or `retrace` (1)."""
    from linreg_dyn.ensemble._cuda_kernels import advance_kernels

    number, int32, int64 = numba.from_dtype(np.dtype(kind.dtype)), types.int32, types.int64
    table, doubles = types.UniTuple(number[::1], 3), types.UniTuple(types.float64[::1], 3)
    state = (number[:, ::1], number[:, ::1], int64[::1])
    rest = (number, int64, int32, int32, int32, int64, int64, int64)
    return instructions(advance_kernels(kind)[which], (*state, types.UniTuple(number[::1], 2), table, doubles, *rest))


def main():
    dispatcher.get_current_device = lambda: Device  # pyright: ignore
    from linreg_dyn import noise, observables
    from linreg_dyn.ensemble import _cuda_observe, _kernels, methods
    from linreg_dyn.ensemble._cuda_kernels import Kind

    def kind(depth, dtype, method: type = methods.GradientDescent, **more):
        return Kind(depth, dtype, 1e12, _kernels.RESIDUALS[method], **more)

    found = {}
    for dtype in ("float32", "float64"):
        for depth in (1, 2, 4, 8, 64):
            found[f"descent {depth} {dtype}"] = advance(kind(depth, dtype))
        for name, distribution in (
            ("uniform", noise.uniform),
            ("rademacher", noise.rademacher),
            ("atom", noise.atom),
            ("quantile", noise.quantile),
        ):
            found[f"noise {name} {dtype}"] = advance(
                kind(4, dtype, methods.NoiseAugmentation, distribution=distribution, decaying=True)
            )
        found[f"adaptive 4 {dtype}"] = advance(kind(4, dtype, adaptive=True, own_rates=True))
        found[f"momentum 4 {dtype}"] = advance(kind(4, dtype, moving=True, rate_varies=True))
        found[f"retrace 4 {dtype}"] = advance(kind(4, dtype), 1)
    found["deep 1024 float64"] = advance(kind(1024, "float64"))
    found["batch 3 float64"] = advance(kind(4, "float64", methods.MiniBatch, batch=3, samples=100))
    functions = (observables.loss, observables.layer_imbalance)
    reduce = _cuda_observe.reduce_kernel(4, functions, 128)
    found["reduce"] = instructions(reduce, (types.float32[:, ::1], types.int64[::1], types.float64[:, :, ::1]))
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()

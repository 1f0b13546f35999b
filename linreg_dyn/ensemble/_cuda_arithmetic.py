"""How a CUDA device multiplies: numbers so that nothing is left to fuse, and words of 32 bits in one instruction."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import config, types
from numba.extending import intrinsic, overload, register_jitable

from linreg_dyn.arithmetic import fused
from linreg_dyn.ensemble._cuda_target import cuda
from linreg_dyn.ensemble.literals import typed

simulated: Callable[..., Any] = fused
"""What the simulator, which runs plain Python, takes for a fused multiply-add: it rounds twice."""


def fma(a, b, c):
    """`a b + c`, rounded once."""
    return simulated(a, b, c)


@cache
def product(dtype: str):
    """`a b`, as a fused multiply-add of -0.0: the same number, and no compiler fuses it with a sum."""
    minus_zero = np.dtype(dtype).type(-0.0)
    return register_jitable(lambda a, b: fma(a, b, minus_zero))


def as_written(function: Callable, dtype: str) -> Callable:
    """`function` in numbers of `dtype`, rounded where it says so, whatever a compiler would rather do."""
    return typed(function, dtype, fma, product(dtype))


def wide(a, b):
    """The product of two words below 2^32."""
    return a * b


def within(dtype: str, limit: float):
    """`surely(W)`: whether `|W| < limit`; False also where W is no number, and perhaps a millionth below the limit.

    In float64 it compares the upper words, as integers (a limit that is a power of two has zeros in the lower one):
    a device does that beside its arithmetic in float64, for which a step of few layers waits.
    """
    number = np.dtype(dtype).type(limit)
    word = int(np.float64(limit).view(np.int64) >> 32)
    if config.ENABLE_CUDASIM or dtype != "float64":  # pyright: ignore[reportAttributeAccessIssue]
        return register_jitable(lambda W: abs(W) < number)
    return register_jitable(lambda W: _upper_word(W) < word)  # pyright: ignore[reportCallIssue]


@intrinsic  # pyright: ignore[reportArgumentType]
def _upper_word(typing, a):
    # Of the magnitude of a float64: its exponent and first twenty digits, in order.
    def lower(context, builder, sig, args):
        word, long = ir.IntType(32), ir.IntType(64)
        bits = builder.lshr(builder.bitcast(args[0], long), ir.Constant(long, 32))
        return builder.and_(builder.trunc(bits, word), ir.Constant(word, 0x7FFFFFFF))

    return types.int32(types.float64), lower


@intrinsic  # pyright: ignore[reportArgumentType]
def _mul_wide(typing, a, b):
    # One instruction; of a product of 64-bit numbers the compiler also adds up what is 0 in the upper halves.
    def lower(context, builder, sig, args):
        word, long = ir.IntType(32), ir.IntType(64)
        code = ir.InlineAsm(ir.FunctionType(long, [word, word]), "mul.wide.u32 $0, $1, $2;", "=l,r,r")
        return builder.call(code, [builder.trunc(arg, word) for arg in args])

    return types.int64(types.int64, types.int64), lower


if not config.ENABLE_CUDASIM:  # pyright: ignore[reportAttributeAccessIssue]

    @overload(fma)
    def _fma(a, b, c):
        return lambda a, b, c: cuda.fma(a, b, c)

    @overload(wide)
    def _wide(a, b):
        return lambda a, b: _mul_wide(int(a), int(b))  # pyright: ignore[reportCallIssue]

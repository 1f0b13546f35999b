"""The symbols, and the checks at the door."""

import inspect
from collections.abc import Callable

import sympy

from linreg_dyn._checks import integer

LR = sympy.Symbol("lambda", positive=True)
DECAY = sympy.Symbol("mu", nonnegative=True)
TIME = sympy.Symbol("t", nonnegative=True)

_NAMES = {"eta": "eta", "m2": "m_2", "m1": "m_1"}


def weight_symbols(depth: int) -> tuple[sympy.Symbol, ...]:
    """Real symbols `w_1, ..., w_depth`."""
    depth = integer("depth", depth, least=1)
    return tuple(sympy.Symbol(f"w_{i}", real=True) for i in range(1, depth + 1))


def parameters(method: Callable) -> dict[str, sympy.Symbol]:
    """The noises of a residual of `linreg_dyn.rules`, as real symbols by argument name: `{"eta": eta}`."""
    if not callable(method):
        raise TypeError(f"method must be a residual function of linreg_dyn.rules, got {method!r}")
    names = list(inspect.signature(method).parameters)[1:]
    return {name: sympy.Symbol(_NAMES.get(name, name), real=True) for name in names}


def checked_pair(pair: tuple[int, int], depth: int) -> tuple[int, int]:
    """`pair` as two different layers, counted from 1."""
    depth = integer("depth", depth, least=2)
    allowed = f"pair must be two different layers between 1 and {depth}, got {pair!r}"
    try:
        first, second = pair
    except (TypeError, ValueError):
        raise TypeError(allowed) from None
    i, j = (integer("a layer of pair", layer, least=1, most=depth) for layer in (first, second))
    if i == j:
        raise ValueError(allowed)
    return i, j

"""The symbols, and the checks at the door."""

import inspect
from collections.abc import Callable

import sympy

LR = sympy.Symbol("lambda", positive=True)
DECAY = sympy.Symbol("mu", nonnegative=True)
TIME = sympy.Symbol("t", nonnegative=True)

_NAMES = {"eta": "eta", "m2": "m_2", "m1": "m_1"}


def weight_symbols(depth: int) -> tuple[sympy.Symbol, ...]:
    """Real symbols `w_1, ..., w_depth`."""
    check_depth(depth)
    return tuple(sympy.Symbol(f"w_{i}", real=True) for i in range(1, depth + 1))


def parameters(method: Callable) -> dict[str, sympy.Symbol]:
    """The noises of a residual of `linreg_dyn.rules`, as real symbols by argument name: `{"eta": eta}`."""
    if not callable(method):
        raise TypeError(f"method must be a residual function of linreg_dyn.rules, got {method!r}")
    names = list(inspect.signature(method).parameters)[1:]
    return {name: sympy.Symbol(_NAMES.get(name, name), real=True) for name in names}


def check_depth(depth: int, least: int = 1) -> None:
    """Raise unless `depth` is an integer of at least `least`."""
    if isinstance(depth, bool) or not isinstance(depth, int):
        raise TypeError(f"depth must be an integer, got {depth!r}")
    if depth < least:
        raise ValueError(f"depth must be at least {least}, got {depth}")


def check_pair(pair: tuple[int, int], depth: int) -> None:
    """Raise unless `pair` is two different layers, counted from 1."""
    check_depth(depth, 2)
    i, j = pair
    if i == j or not (1 <= i <= depth and 1 <= j <= depth):
        raise ValueError(f"pair must be two different layers between 1 and {depth}, got {pair!r}")

"""From sympy to LaTeX and to numpy."""

# sympy's functions are annotated more loosely than what they return.
# pyright: reportArgumentType=false, reportReturnType=false, reportAttributeAccessIssue=false

import re
from collections.abc import Callable

import numpy as np
import sympy
from sympy.printing.latex import LatexPrinter

from linreg_dyn._checks import integer
from linreg_dyn.problem import as_reals


class _Printer(LatexPrinter):
    """Remembers what it has printed: the entries of a large Hessian are made of the same few parts."""

    def __init__(self) -> None:
        super().__init__()
        self._known: dict = {}

    def _print(self, expr, **kwargs) -> str:
        if kwargs or not isinstance(expr, sympy.Expr):
            return super()._print(expr, **kwargs)
        if expr not in self._known:
            self._known[expr] = super()._print(expr)
        return self._known[expr]


def to_latex(expression: sympy.Basic | sympy.MatrixBase) -> str:
    """LaTeX of an expression, equation or matrix of this package."""
    return _Printer().doprint(expression)


def to_numpy(expression: sympy.Expr | sympy.MatrixBase, depth: int | None = None) -> Callable[..., np.ndarray]:
    """Compile to `f(weights, **parameters) -> float64 array`.

    `weights` is `(..., depth)`; the other symbols of the expression are keywords (`eta`, `m_2`, `mu`, ...;
    the Python keyword `lambda` is called `lr`), numbers or arrays that broadcast against `(...,)`. The
    result is `(...,)` for an expression, `(..., d)` for a column, `(..., d, d)` for a matrix; a 1 x 1 matrix
    counts as a column, so at depth 1 a Hessian gives `(..., 1)`. `depth` is needed only if the last weights do
    not occur in the expression.

    Compiling raises TypeError or ValueError for a bad depth; `f` raises ValueError for weights of another shape,
    TypeError for what is not real numbers and for other parameters than those of the expression.
    """
    symbols = {s.name: s for s in expression.free_symbols}
    numbers = sorted(int(m[1]) for m in (re.fullmatch(r"w_(\d+)", name) for name in symbols) if m)
    last = numbers[-1] if numbers else 1
    depth = last if depth is None else integer("depth", depth, least=last)
    layers = [symbols.get(f"w_{i}", sympy.Symbol(f"w_{i}")) for i in range(1, depth + 1)]
    extra = {"lr" if n == "lambda" else n: s for n, s in sorted(symbols.items()) if s not in layers}
    matrix = isinstance(expression, sympy.MatrixBase)
    entries = list(expression) if matrix else [expression]
    distinct = list(dict.fromkeys(entries))
    number = {e: i for i, e in enumerate(distinct)}
    place = [number[e] for e in entries]
    shape = ()
    if matrix:
        rows, columns = expression.shape
        shape = (rows,) if columns == 1 else (rows, columns)
    # The entries of a matrix share factors; a single expression gains nothing from the search for them.
    compiled = sympy.lambdify([*layers, *extra.values()], distinct, "numpy", cse=matrix)

    def function(weights, **parameters) -> np.ndarray:
        w = as_reals("weights", weights)
        if w.ndim == 0 or w.shape[-1] != depth:
            raise ValueError(f"weights must have shape (..., {depth}), got {w.shape}")
        if set(parameters) != set(extra):
            wanted = ", ".join(extra) or "none"
            raise TypeError(f"parameters must be: {wanted}; got: {', '.join(parameters) or 'none'}")
        values = [as_reals(name, parameters[name]) for name in extra]
        batch = np.broadcast_shapes(w.shape[:-1], *(v.shape for v in values))
        results = compiled(*np.moveaxis(w, -1, 0), *values)
        table = np.stack([np.broadcast_to(np.asarray(r, dtype=float), batch) for r in results], axis=-1)
        return table[..., place].reshape(batch + shape)

    return function

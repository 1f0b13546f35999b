"""Plain functions with their numeric literals in another floating-point type.

numba reads the `2` of `2 * lr * g` as a 64-bit integer, and makes a float64 of its product with a float32: the
rules, compiled for float32, would compute in double precision. `typed` gives the same function with literals
of the type asked for; the rule stays written once.
"""

from __future__ import annotations

import ast
import inspect
import operator
import textwrap
from collections.abc import Callable
from functools import cache
from types import FunctionType
from typing import Any

import numpy as np
from numba.extending import register_jitable

ARITHMETIC = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
}
# What stands under these is a whole number: literals there stay as they are.
WHOLE = (ast.LShift, ast.RShift, ast.BitAnd, ast.BitOr, ast.BitXor, ast.FloorDiv, ast.Mod)


def typed(function: Callable, dtype: Any) -> Callable:
    """`function` with its literals and float globals as numbers of `dtype`, and so the functions that it calls.

    Those are the functions of its own package. Literals that index, that bound a `range`, or that stand under a
    shift, a mask, `//` or `%` stay integers, and so do defaults of arguments: it is for functions of floats whose
    integers only count loops. The same function for float64, which literals turn into by themselves. numba can
    call what comes back.

    Raises TypeError if `function` is not a function by `def` without free variables.
    """
    if not isinstance(function, FunctionType) or function.__closure__ or function.__name__ == "<lambda>":
        raise TypeError(f"function must be made by def, without free variables, got {function!r}")
    return function if np.dtype(dtype) == np.float64 else _typed(function, np.dtype(dtype).type)


@cache
def _typed(function: FunctionType, number: type[np.floating]) -> Callable:
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    definition = tree.body[0]
    assert isinstance(definition, ast.FunctionDef)
    definition.decorator_list = []
    literals = _Literals(number)
    definition.body = [literals.visit(line) for line in definition.body]
    ast.increment_lineno(ast.fix_missing_locations(tree), function.__code__.co_firstlineno - 1)

    # A namespace of its own, with only what it names, so that it pickles small and the same every time.
    used = {node.id for node in ast.walk(definition) if isinstance(node, ast.Name)}
    namespace: dict[str, Any] = {"__name__": function.__module__}
    for name in sorted(used & function.__globals__.keys() - {function.__name__}):
        value = function.__globals__[name]
        package = function.__module__.partition(".")[0]
        ours = isinstance(value, FunctionType) and value.__module__.partition(".")[0] == package
        value = _typed(value, number) if ours else value
        namespace[name] = number(value) if isinstance(value, float) else value
    namespace |= literals.constants
    exec(compile(tree, function.__code__.co_filename, "exec", dont_inherit=True), namespace)
    return register_jitable(namespace[function.__name__])


class _Literals(ast.NodeTransformer):
    """Replaces numbers by names of constants, which it collects in `constants`."""

    def __init__(self, number: type[np.floating]):
        self.number = number
        self.constants: dict[str, np.floating] = {}

    def visit_Subscript(self, node: ast.Subscript) -> ast.AST:
        node.value = self.visit(node.value)
        return node

    def visit_Call(self, node: ast.Call) -> ast.AST:
        return node if isinstance(node.func, ast.Name) and node.func.id == "range" else self.generic_visit(node)

    def visit_AugAssign(self, node: ast.AugAssign) -> ast.AST:
        return node if isinstance(node.op, WHOLE) else self.generic_visit(node)

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        if isinstance(node.op, WHOLE):
            return node
        value = _constant(node)
        return self.generic_visit(node) if value is None else self._name(value)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.AST:
        value = _constant(node)
        return self.generic_visit(node) if value is None else self._name(value)

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        value = _constant(node)
        return node if value is None else self._name(value)

    def _name(self, value: float) -> ast.Name:
        name = f"literal_{len(self.constants)}"
        self.constants[name] = self.number(value)
        return ast.Name(name, ast.Load())


def _constant(node: ast.AST) -> int | float | None:
    """The value of an expression of literals, as Python computes it; None for any other."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, int | float) and not isinstance(node.value, bool) else None
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        value = _constant(node.operand)
        return None if value is None else -value
    if isinstance(node, ast.BinOp) and type(node.op) in ARITHMETIC:
        left, right = _constant(node.left), _constant(node.right)
        return None if left is None or right is None else ARITHMETIC[type(node.op)](left, right)
    return None

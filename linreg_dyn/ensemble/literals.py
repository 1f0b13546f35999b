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
from types import FunctionType, ModuleType
from typing import Any

import numpy as np
from numba.extending import register_jitable

from linreg_dyn.arithmetic import fused, one

ARITHMETIC = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
}
# What stands under these is a whole number: literals there stay as they are.
WHOLE = (ast.LShift, ast.RShift, ast.BitAnd, ast.BitOr, ast.BitXor, ast.FloorDiv, ast.Mod)


def typed(function: Callable, dtype: Any, fma: Callable | None = None, product: Callable | None = None) -> Callable:
    """`function` with its literals and float globals as numbers of `dtype`, and so the functions that it calls.

    Those are the functions of its own package. Literals that index, that bound a `range`, or that stand under a
    shift, a mask, `//` or `%` or beside a `len`, stay integers, and so do defaults of arguments: it is for functions
    of floats whose integers only count loops. numba can call what comes back; for float64, which literals turn into
    by themselves, it is the function itself.

    With `product(a, b)`, products are written as calls of it, those of integers only if `dtype` is one; with
    `fma(a, b, c)`, a device's `a b + c` rounded once, `arithmetic.fused` is. Given a `product` that no compiler fuses
    with a sum, what is computed is what is written.

    Raises TypeError if `function` is not a function by `def` without free variables.
    """
    if not isinstance(function, FunctionType) or function.__closure__ or function.__name__ == "<lambda>":
        raise TypeError(f"function must be made by def, without free variables, got {function!r}")
    return _typed(function, np.dtype(dtype).type, fma, product)


@cache
def _typed(function: FunctionType, number: type, fma: Callable | None, product: Callable | None) -> Callable:
    if number is np.float64 and fma is product is None:
        return register_jitable(function)
    if function is fused and fma:
        return fma
    if function is one:
        unit = number(1)  # not `like * 0 + 1`, which a compiler must compute: `like` may be infinite
        return register_jitable(lambda like: unit)
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    definition = tree.body[0]
    assert isinstance(definition, ast.FunctionDef)
    definition.decorator_list = []
    names, literals = _Names(function.__globals__), _Literals(number)
    passes = (names, _Products(issubclass(number, np.integer)), literals) if product else (names, literals)
    for transform in passes:
        definition.body = [transform.visit(line) for line in definition.body]
    ast.increment_lineno(ast.fix_missing_locations(tree), function.__code__.co_firstlineno - 1)

    # A namespace of its own, with only what it names, so that it pickles small and the same every time.
    package = function.__module__.partition(".")[0]
    namespace: dict[str, Any] = {"__name__": function.__module__, "product": product} | literals.constants
    for name, value in sorted(names.values.items()):
        if isinstance(value, FunctionType) and value.__module__.partition(".")[0] == package and value != function:
            value = _typed(value, number, fma, product)
        namespace[name] = number(value) if isinstance(value, float) else value
    exec(compile(tree, function.__code__.co_filename, "exec", dont_inherit=True), namespace)
    return register_jitable(namespace[function.__name__])


class _Names(ast.NodeTransformer):
    """Collects in `values` what a function names of its module's globals; `module.name` becomes `module_name`."""

    def __init__(self, available: dict[str, Any]):
        self.available = available
        self.values: dict[str, Any] = {}

    def visit_Name(self, node: ast.Name) -> ast.AST:
        if node.id in self.available:
            self.values[node.id] = self.available[node.id]
        return node

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        module = self.available.get(node.value.id) if isinstance(node.value, ast.Name) else None
        if not isinstance(module, ModuleType):
            return self.generic_visit(node)
        name = f"{module.__name__}_{node.attr}".replace(".", "_")
        self.values[name] = getattr(module, node.attr)
        return ast.Name(name, ast.Load())


class _Whole(ast.NodeTransformer):
    """Leaves alone what indexes, counts or shifts."""

    def visit_Subscript(self, node: ast.Subscript) -> ast.AST:
        node.value = self.visit(node.value)
        return node

    def visit_Call(self, node: ast.Call) -> ast.AST:
        return node if isinstance(node.func, ast.Name) and node.func.id == "range" else self.generic_visit(node)

    def visit_AugAssign(self, node: ast.AugAssign) -> ast.AST:
        return node if _is_whole(node) else self.generic_visit(node)

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        return node if _is_whole(node) else self.generic_visit(node)


class _Products(_Whole):
    """Writes products as calls of `product`; those of whole numbers too, where all numbers are `integers`."""

    def __init__(self, integers: bool):
        self.integers = integers

    def visit_AugAssign(self, node: ast.AugAssign) -> ast.AST:
        if self._leaves(node) or not isinstance(node.target, ast.Name):
            return super().visit_AugAssign(node)
        value = ast.BinOp(ast.Name(node.target.id, ast.Load()), node.op, node.value)
        return ast.Assign([node.target], self.visit(value), lineno=node.lineno)

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        if self._leaves(node) or _constant(node) is not None:
            return super().visit_BinOp(node)
        return ast.Call(ast.Name("product", ast.Load()), [self.visit(node.left), self.visit(node.right)], [])

    def _leaves(self, node: ast.BinOp | ast.AugAssign) -> bool:
        return not isinstance(node.op, ast.Mult) or (_is_whole(node) and not self.integers)


class _Literals(_Whole):
    """Replaces numbers by names of constants, which it collects in `constants`."""

    def __init__(self, number: type):
        self.number = number
        self.constants: dict[str, Any] = {}

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        value = _constant(node)
        return super().visit_BinOp(node) if value is None or _is_whole(node) else self._name(value)

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


def _is_whole(node: ast.AST) -> bool:
    """Whether it is a shift or its like, or has a `len` outside of its indices."""
    if isinstance(node, ast.Call):
        return isinstance(node.func, ast.Name) and node.func.id == "len"
    if isinstance(node, ast.BinOp):
        return isinstance(node.op, WHOLE) or _is_whole(node.left) or _is_whole(node.right)
    return isinstance(node, ast.AugAssign) and (isinstance(node.op, WHOLE) or _is_whole(node.value))


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

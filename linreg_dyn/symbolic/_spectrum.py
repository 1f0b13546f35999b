"""The eigenvalues of the Hessian everywhere: it is a diagonal plus a matrix of rank one."""

# sympy's functions are annotated more loosely than what they return.
# pyright: reportArgumentType=false, reportReturnType=false, reportAttributeAccessIssue=false

from dataclasses import dataclass

import sympy

from linreg_dyn._checks import integer
from linreg_dyn.symbolic._net import end_to_end, hessian_coefficients, minimum_sharpness
from linreg_dyn.symbolic._symbols import weight_symbols


@dataclass(frozen=True)
class HessianSpectrum:
    """Where no weight is zero, `H = diag(diagonal) + rank_one * vector vector^T`.

    `diagonal_i = 2 W (1 - W) / w_i^2`, `rank_one = 2 W (2W - 1)`, `vector_i = 1/w_i`. Its eigenvalues are the
    zeros of `secular` (a function of `eigenvalue`) and interlace with the diagonal: one between every two
    neighbours, and one beyond the largest (`rank_one > 0`) or below the smallest (`rank_one < 0`).
    """

    depth: int
    eigenvalue: sympy.Symbol
    diagonal: tuple[sympy.Expr, ...]
    rank_one: sympy.Expr
    vector: tuple[sympy.Expr, ...]

    @property
    def secular(self) -> sympy.Expr:
        """`1 + rank_one * sum vector_i^2 / (diagonal_i - eigenvalue)`; its zeros are the eigenvalues."""
        terms = (v**2 / (d - self.eigenvalue) for v, d in zip(self.vector, self.diagonal, strict=True))
        return 1 + self.rank_one * sum(terms)

    @property
    def characteristic_polynomial(self) -> sympy.Expr:
        """`det(eigenvalue - H)` in product form, unexpanded (its value also where diagonal entries meet)."""
        gaps = [self.eigenvalue - d for d in self.diagonal]
        whole = sympy.Mul(*gaps)
        lost = (v**2 * sympy.Mul(*gaps[:i], *gaps[i + 1 :]) for i, v in enumerate(self.vector))
        return whole - self.rank_one * sum(lost)

    @property
    def at_minimum(self) -> dict[sympy.Expr, int]:
        """Eigenvalues at a minimum (`W = 1`) with multiplicities: `0` (d - 1 times), `2 sum 1/w_i^2` once."""
        return _with_multiplicity((sympy.Integer(0), self.depth - 1), (minimum_sharpness(self.depth), 1))

    @property
    def balanced(self) -> dict[sympy.Expr, int]:
        """Eigenvalues where all `|w_i| = w > 0`, in the symbols `W` (`= +-w^d`) and `w`, with multiplicities.

        `2 W (1 - W) / w^2` (d - 1 times) and `(2 W / w^2) (1 - W + d (2 W - 1))`.
        """
        W, w = sympy.Symbol("W", real=True), sympy.Symbol("w", positive=True)
        d, r = diagonal_entry(W, w), rank_one_coefficient(W)
        radial = sympy.factor(d + r * self.depth / w**2)
        return _with_multiplicity((sympy.factor(d), self.depth - 1), (radial, 1))


def hessian_eigenvalues(depth: int) -> HessianSpectrum:
    """The structure that gives all Hessian eigenvalues at a depth; `linreg_dyn.spectrum` solves it in numbers."""
    depth = integer("depth", depth, least=1)
    W, layers = end_to_end(depth), weight_symbols(depth)
    return HessianSpectrum(
        depth=depth,
        eigenvalue=sympy.Symbol("x", real=True),
        diagonal=tuple(diagonal_entry(W, w) for w in layers),
        rank_one=rank_one_coefficient(W),
        vector=tuple(1 / w for w in layers),
    )


def rank_one_coefficient(W: sympy.Expr) -> sympy.Expr:
    """`2 W (2W - 1)`: the off-diagonal entry `b(W) W/(w_i w_j)` as a multiple of `1/(w_i w_j)`."""
    _, off = hessian_coefficients()
    return W * off.subs(sympy.Symbol("W", real=True), W)


def diagonal_entry(W: sympy.Expr, w: sympy.Expr) -> sympy.Expr:
    """What the diagonal `2 (W/w)^2` has beyond the rank-one part: `2 W (1 - W) / w^2`."""
    symbol = sympy.Symbol("W", real=True)
    on, off = hessian_coefficients()
    return sympy.factor(on * symbol**2 - symbol * off).subs(symbol, W) / w**2


def _with_multiplicity(*pairs: tuple[sympy.Expr, int]) -> dict[sympy.Expr, int]:
    return {value: count for value, count in pairs if count}

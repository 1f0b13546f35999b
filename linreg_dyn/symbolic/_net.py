"""The loss of the scalar deep linear net and its derivatives (Ginsburg, eqs. 1-6 and section 2.2)."""

# sympy's functions are annotated more loosely than what they return.
# pyright: reportArgumentType=false, reportReturnType=false, reportAttributeAccessIssue=false

from functools import lru_cache

import sympy

from linreg_dyn import rules
from linreg_dyn.symbolic._symbols import weight_symbols


def weights(depth: int) -> tuple[sympy.Symbol, ...]:
    """The weights `(w_1, ..., w_depth)`, real symbols; ValueError or TypeError for a bad depth."""
    return weight_symbols(depth)


def end_to_end(depth: int) -> sympy.Expr:
    """The end-to-end weight `W = w_1 ... w_d`."""
    return sympy.Mul(*weight_symbols(depth))


def loss(depth: int, *, decay: sympy.Expr | int = 0) -> sympy.Expr:
    """`L = (W - 1)^2 + decay * sum w_i^2`, the square of the residual (eq. 4; `decay` as in 4.1)."""
    residual = rules.gradient_descent(end_to_end(depth))
    return residual**2 + decay * sum(w**2 for w in weight_symbols(depth))


def data_loss(depth: int, *, normalized: bool = True) -> sympy.Expr:
    """Mean squared error `E(w, b) = mean (W x + b - y)^2` of the net on data (eqs. 1 and 3).

    Not normalised, it is written in the moments `m_x, m_y, m_xx, m_xy, m_yy` (`m_xy = mean(x y)`). With the
    normalisation of eq. (2) those are `0, 0, 1, 1` and a free `m_yy`, and `E = (W - 1)^2 + b^2 + m_yy - 1`:
    the paper's eq. (4) up to the constant `m_yy - 1 = mean(y^2) - 1 >= 0`, which is the least error.
    """
    W, b = end_to_end(depth), sympy.Symbol("b", real=True)
    x, y = sympy.symbols("x y", real=True)
    moments = {s: sympy.Symbol(f"m_{s}", real=True) for s in ("x", "y", "xx", "xy", "yy")}
    square = sympy.Poly((_SLOPE * x + b - y) ** 2, x, y)
    mean = {(0, 0): sympy.Integer(1), (1, 0): moments["x"], (0, 1): moments["y"]}
    mean |= {(2, 0): moments["xx"], (1, 1): moments["xy"], (0, 2): moments["yy"]}
    error = sum(coefficient * mean[power] for power, coefficient in square.terms())
    if not normalized:
        return error.subs(_SLOPE, W)
    error = error.subs({moments["x"]: 0, moments["y"]: 0, moments["xx"]: 1, moments["xy"]: 1})
    residual = rules.gradient_descent(_SLOPE)
    return (residual**2 + sympy.expand(error - residual**2)).subs(_SLOPE, W)


def gradient(depth: int) -> sympy.ImmutableMatrix:
    """Column of `dL/dw_i = 2 (W - 1) (W/w_i)`, minus the velocity of the flow (eq. 5); polynomial entries."""
    W = end_to_end(depth)
    g = rules.gradient_descent(W)
    return sympy.ImmutableMatrix(
        [-rules.velocity(w, p, g, 0) for w, p in zip(weight_symbols(depth), products(depth), strict=True)]
    )


def hessian(depth: int) -> sympy.ImmutableMatrix:
    """`depth x depth` Hessian of `L`: `2 (W/w_i)^2` on the diagonal, `2 (2W - 1) W/(w_i w_j)` off it.

    Ginsburg, section 2.2, with the quotients written as products so that it also holds at zero weights.
    """
    layers = weight_symbols(depth)
    depth = len(layers)
    on, off = hessian_coefficients()
    own = [on * p**2 for p in products(depth)]
    # Every off-diagonal entry is one product with two layers left out; sorting 62 factors anew for each of
    # the 2016 entries at depth 64 would take most of a second, so they keep the order of the whole product.
    factors = (off.subs(_SLOPE, end_to_end(depth)) * end_to_end(depth)).args if depth > 1 else ()
    rows = [[own[i]] * depth for i in range(depth)]
    for i in range(depth):
        for j in range(i):
            left_out = (layers[i], layers[j])
            rows[i][j] = rows[j][i] = sympy.Mul(*[f for f in factors if f not in left_out], evaluate=False)
    return sympy.ImmutableMatrix(rows)


def layer_imbalance(depth: int) -> sympy.Expr:
    """`D = max_{i,j} |w_i^2 - w_j^2|` (eq. 6), written as `max w_i^2 - min w_i^2`."""
    squares = [w**2 for w in weight_symbols(depth)]
    # Unevaluated: sympy would compare all pairs of squares, and cannot decide any.
    if depth == 1:
        return sympy.Integer(0)
    return sympy.Max(*squares, evaluate=False) - sympy.Min(*squares, evaluate=False)


def minimum_sharpness(depth: int) -> sympy.Expr:
    """Largest Hessian eigenvalue at a minimum, `2 sum 1/w_i^2` (the paper prints it without the 2).

    Elsewhere it is the largest zero of `hessian_eigenvalues(depth).secular`, which has no closed form; its number
    is `linreg_dyn.spectrum(weights)[..., -1]`.
    """
    return 2 * sum(1 / w**2 for w in weight_symbols(depth))


_SLOPE = sympy.Symbol("W", real=True)


@lru_cache
def hessian_coefficients() -> tuple[sympy.Expr, sympy.Expr]:
    """`(a, b(W))` with `H_ii = a (W/w_i)^2` and `H_ij = b W/(w_i w_j)`, for every depth.

    A pair `w_i, w_j` sees the other layers only through their product `Q`: differentiating the velocity of
    `w_i` at the symbols `(w_i, w_j, Q)` gives the entries of the Hessian at all depths at once.
    """
    wi, wj, Q = sympy.symbols("w_i w_j Q", real=True)
    g = rules.gradient_descent(wi * wj * Q)
    slope = -rules.velocity(wi, wj * Q, g, 0)
    on = sympy.cancel(sympy.diff(slope, wi) / (wj * Q) ** 2)
    off = sympy.cancel((sympy.diff(slope, wj) / Q).subs(wi, _SLOPE / (wj * Q)))
    return on, sympy.factor(off)


def products(depth: int) -> list[sympy.Expr]:
    """`[W/w_1, ..., W/w_d]` as products of the other weights."""
    layers = weight_symbols(depth)
    return [sympy.Mul(*layers[:i], *layers[i + 1 :]) for i in range(depth)]

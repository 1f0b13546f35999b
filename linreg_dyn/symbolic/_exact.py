"""Exact solutions of the gradient flow `dw_i/dt = -2 (W - 1) W/w_i` in symbols (`t = lr * step`).

All `w_i^2 - w_j^2` are constant, so the flow is one-dimensional; `linreg_dyn.closed_form` evaluates it.
"""

# sympy's functions are annotated more loosely than what they return.
# pyright: reportArgumentType=false, reportReturnType=false, reportAttributeAccessIssue=false

import sympy

from linreg_dyn import rules
from linreg_dyn._checks import integer
from linreg_dyn.symbolic._symbols import TIME


def flow_solution(depth: int, *, balanced: bool = False) -> sympy.Equality:
    """The solution as an equation, explicit in `W(t)` where that is possible and implicit in `t` otherwise.

    depth 1: `W(t)`, an exponential. depth 2: `W(t)` from `W_0` and the imbalance `a = w_1^2 - w_2^2`, for
    every start with `a != 0` or `W_0 > 0` (`balanced`: the logistic, `W_0 > 0`). depth >= 3, `balanced`
    (`W_0` and `W` on the same side of 0 and of 1, all `|w_i|` equal): `t` by `balanced_time`. depth >= 3
    otherwise: `t = integral of 1 / (2 (1 - x Q(x)) Q(x))` from `r_0` to `r`, where `r` is the smallest
    weight in size times the sign of the product of the others, `b_i = w_i^2 - r^2` and
    `Q(x) = prod sqrt(x^2 + b_i)`.
    """
    depth = integer("depth", depth, least=1)
    W, W0 = sympy.Symbol("W", real=True), sympy.Symbol("W_0", real=True)
    target = sympy.Function("W")(TIME)
    if depth == 1:
        return sympy.Eq(target, 1 + (W0 - 1) * sympy.exp(-2 * TIME))
    if depth == 2:
        return sympy.Eq(target, _logistic(W0) if balanced else _two_layers(W0))
    if balanced:
        return sympy.Eq(TIME, balanced_time(depth, W) - balanced_time(depth, W0))
    x, r, r0 = sympy.symbols("x r r_0", real=True)
    Q = sympy.Mul(*(sympy.sqrt(x**2 + sympy.Symbol(f"b_{i}", nonnegative=True)) for i in range(2, depth + 1)))
    speed = rules.velocity(x, Q, rules.gradient_descent(x * Q), 0)
    return sympy.Eq(TIME, sympy.Integral(1 / speed, (x, r0, r)))


def balanced_time(depth: int, W: sympy.Expr, *, above: bool = False) -> sympy.Expr:
    """A clock `T(W)` of balanced starts (`|w_i|` all equal): `T` at `W(t)` minus `T` at `W_0` is `t`.

    `dW/dt = 2 d (1 - W) |W|^(2 - 2/d)` gives, with `c = 2/d - 1`, for `W < 1` (not 0)

        T(W) = sign(W) |W|^c / (2 d c) * 2F1(1, c; 1 + c; W),

    and for `W > 1` (`above`), where it is real, with `e = 2 - 2/d` and `x = 1/W`

        T(W) = x^e / (2 d e) * 2F1(1, e; 1 + e; x).

    Depth 2 with `W < 1` has `c = 0` and is the logistic instead: ValueError.
    """
    depth = integer("depth", depth, least=1)
    if above:
        e = 2 - sympy.Rational(2, depth)
        if depth == 1:
            raise ValueError("depth must be at least 2 above W = 1 (depth 1 is an exponential), got 1")
        return W**-e / (2 * depth * e) * sympy.hyper((1, e), (1 + e,), 1 / W)
    c = sympy.Rational(2, depth) - 1
    if c == 0:
        raise ValueError("depth must not be 2 below W = 1 (the logistic, see flow_solution), got 2")
    return sympy.sign(W) * sympy.Abs(W) ** c / (2 * depth * c) * sympy.hyper((1, c), (1 + c,), W)


def _logistic(W0: sympy.Expr) -> sympy.Expr:
    growth = sympy.exp(4 * TIME)
    return W0 * growth / (1 + W0 * (growth - 1))


def _two_layers(W0: sympy.Expr) -> sympy.Expr:
    """`dW/dt = 2 (1 - W) sqrt(a^2 + 4 W^2)`: Moebius in `X = W + sqrt(W^2 + a^2/4)`."""
    k = sympy.Symbol("a", real=True) / 2
    q = sympy.sqrt(1 + k**2)
    X0 = W0 + sympy.sqrt(W0**2 + k**2)
    R = (X0 - (1 + q)) / (X0 - (1 - q)) * sympy.exp(-4 * q * TIME)
    X = ((1 + q) - R * (1 - q)) / (1 - R)
    return (X - k**2 / X) / 2

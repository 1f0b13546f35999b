"""Loss and layer imbalance under every method, one step (`lr`) and the flow (`t = lr * step`).

`method` is a residual of `linreg_dyn.rules`; its noises can be given by name (a number or any expression) and
are symbols otherwise. `decay` adds weight decay to any method: the `mu` of `L + mu * sum w_i^2`.
"""

# sympy's functions are annotated more loosely than what they return.
# pyright: reportArgumentType=false, reportReturnType=false, reportAttributeAccessIssue=false

from collections.abc import Callable
from functools import lru_cache

import sympy

from linreg_dyn import rules
from linreg_dyn._checks import integer
from linreg_dyn.symbolic._net import end_to_end, gradient, products
from linreg_dyn.symbolic._symbols import DECAY, LR, checked_pair, parameters, weight_symbols

Number = sympy.Expr | int | float


def flow(
    method: Callable = rules.gradient_descent, depth: int = 2, *, decay: Number = 0, **noise: Number
) -> sympy.ImmutableMatrix:
    """Column of `dw_i/dt = -2 (g (W/w_i) + decay w_i)` (eqs. 7, 9)."""
    g = _residual(method, end_to_end(depth), noise)
    pairs = zip(weight_symbols(depth), products(depth), strict=True)
    return sympy.ImmutableMatrix([rules.velocity(w, p, g, decay) for w, p in pairs])


def step(
    method: Callable = rules.gradient_descent,
    depth: int = 2,
    *,
    lr: Number = LR,
    decay: Number = 0,
    **noise: Number,
) -> sympy.ImmutableMatrix:
    """Column of the weights after one step (right-hand sides of eqs. 8, 11, 12)."""
    g = _residual(method, end_to_end(depth), noise)
    pairs = zip(weight_symbols(depth), products(depth), strict=True)
    return sympy.ImmutableMatrix([rules.layer_step(w, p, g, lr, decay) for w, p in pairs])


def end_to_end_step(method: Callable = rules.gradient_descent, depth: int = 2, **settings: Number) -> sympy.Expr:
    """`W` after one step, the product of the stepped weights, unexpanded. Settings as for `step`."""
    return sympy.Mul(*step(method, depth, **settings))


def loss_step(method: Callable = rules.gradient_descent, depth: int = 2, **settings: Number) -> sympy.Expr:
    """`L = (W - 1)^2` after one step, unexpanded. Settings as for `step`; the decay term is not in `L`."""
    return rules.gradient_descent(end_to_end_step(method, depth, **settings)) ** 2


def loss_flow(
    method: Callable = rules.gradient_descent, depth: int = 2, *, decay: Number = 0, **noise: Number
) -> sympy.Expr:
    """`dL/dt = sum_i (dL/dw_i) (dw_i/dt)` of `L = (W - 1)^2` along the flow of a method.

    Time is `lr * step`; the paper's time is the step, so its right-hand sides carry one more factor `lr`.
    """
    slopes = gradient(depth)
    speeds = flow(method, depth, decay=decay, **noise)
    return sympy.Add(*(a * b for a, b in zip(slopes, speeds, strict=True)))


def imbalance_step(
    method: Callable = rules.gradient_descent,
    depth: int = 2,
    *,
    pair: tuple[int, int] = (1, 2),
    lr: Number = LR,
    decay: Number = 0,
    **noise: Number,
) -> sympy.Expr:
    """`w_i^2 - w_j^2` after one step, as `(w_i^2 - w_j^2)` times its factor (Theorems 3.2, 4.1, 5.1).

    The factor is `(1 - 2 lr decay)^2 - 4 lr^2 g^2 Q^2`, `Q` the product of the layers outside the pair.
    """
    pair = checked_pair(pair, depth)
    factor, _ = _pair_factors()
    values = _pair_values(method, depth, pair, noise) | {LR: lr, DECAY: decay}
    return _difference(depth, pair) * factor.xreplace(_sympified(values))


def imbalance_flow(
    method: Callable = rules.gradient_descent,
    depth: int = 2,
    *,
    pair: tuple[int, int] = (1, 2),
    decay: Number = 0,
    **noise: Number,
) -> sympy.Expr:
    """`d(w_i^2 - w_j^2)/dt` along the flow: `-4 decay (w_i^2 - w_j^2)` whatever the residual."""
    pair = checked_pair(pair, depth)
    _, rate = _pair_factors()
    values = _pair_values(method, depth, pair, noise) | {DECAY: decay}
    return _difference(depth, pair) * rate.xreplace(_sympified(values))


def layer_noise(depth: int) -> sympy.Expr:
    """The `eta` of noise augmentation that one independent factor `1 + eta_i` per layer amounts to.

    `eta = (1 + eta_1) ... (1 + eta_d) - 1`: dropout (noise on layer outputs) and drop-connect (noise on the
    weights) are `rules.noise_augmentation` with this `eta`; see `dropout_loss` and `drop_connect_loss`.
    """
    return sympy.Mul(*(1 + eta for eta in _layer_noises(depth))) - 1


def dropout_loss(depth: int) -> sympy.Expr:
    """`(net(1) - 1)^2` of the net whose layer outputs are multiplied by noise, `h_i <- (1 + eta_i) h_i`."""
    h = sympy.Integer(1)
    for w, eta in zip(weight_symbols(depth), _layer_noises(depth), strict=True):
        h = (1 + eta) * (w * h)
    return rules.gradient_descent(h) ** 2


def drop_connect_loss(depth: int) -> sympy.Expr:
    """`(net(1) - 1)^2` of the net whose weights are multiplied by noise, `w_i <- (1 + eta_i) w_i`."""
    noisy = [(1 + eta) * w for w, eta in zip(weight_symbols(depth), _layer_noises(depth), strict=True)]
    return rules.gradient_descent(rules.end_to_end(noisy)) ** 2


def _layer_noises(depth: int) -> list[sympy.Symbol]:
    return [sympy.Symbol(f"eta_{i}", real=True) for i in range(1, integer("depth", depth, least=1) + 1)]


def _residual(method: Callable, W: sympy.Expr, noise: dict[str, Number]) -> sympy.Expr:
    known = parameters(method)
    unknown = set(noise) - set(known)
    if unknown:
        allowed = ", ".join(sorted(known)) or "none"
        raise TypeError(f"unknown noise {', '.join(sorted(unknown))} for {method.__name__}; it has: {allowed}")
    return method(W, **_sympified(known | noise))


_WI, _WJ, _Q, _G = sympy.symbols("w_i w_j Q g", real=True)


@lru_cache
def _pair_factors() -> tuple[sympy.Expr, sympy.Expr]:
    """Factor of `w_i^2 - w_j^2` over a step, and its rate along the flow, from the rules at a pair.

    A pair sees the other layers only through their product `Q`, and the method only through its residual
    `g`: what holds at the symbols `(w_i, w_j, Q, g)` holds at every depth and for every method.
    """
    ends = [(_WI, _WJ * _Q), (_WJ, _WI * _Q)]
    difference = _WI**2 - _WJ**2
    after = [rules.layer_step(w, p, _G, LR, DECAY) ** 2 for w, p in ends]
    rates = [2 * w * rules.velocity(w, p, _G, DECAY) for w, p in ends]
    factor = sympy.cancel((after[0] - after[1]) / difference)
    scale = (1 - 2 * LR * DECAY) ** 2
    return scale + sympy.factor(factor - scale), sympy.cancel((rates[0] - rates[1]) / difference)


def _pair_values(method: Callable, depth: int, pair: tuple[int, int], noise: dict) -> dict:
    layers = weight_symbols(depth)
    Q = sympy.Mul(*(w for i, w in enumerate(layers, 1) if i not in pair))
    return {_Q: Q, _G: _residual(method, end_to_end(depth), noise)}


def _difference(depth: int, pair: tuple[int, int]) -> sympy.Expr:
    layers = weight_symbols(depth)
    return layers[pair[0] - 1] ** 2 - layers[pair[1] - 1] ** 2


def _sympified(values: dict) -> dict:
    return {key: sympy.sympify(value) for key, value in values.items()}

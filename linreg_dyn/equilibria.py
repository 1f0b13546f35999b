"""Equilibria of the flow with weight decay, `dw_i/dt = -2 ((W - 1) W/w_i + mu w_i)` (Ginsburg, eq. 9).

`mu > 0` is the decay of the loss `(W - 1)^2 + mu sum w_i^2`. Multiplying by `w_i`: `mu w_i^2 = W (1 - W)` for
every layer. So either all weights are zero (at depth 1 that is no equilibrium) or all have the same size
`w > 0`, an even number of them is negative, `W = w^d` lies in (0, 1), and

    w^(d-2) (1 - w^d) = mu.

The left-hand side falls from infinity to 0 at depth 1 and from 1 to 0 at depth 2. From depth 3 on it has a
single maximum, at `w^d = (d - 2)/(2d - 2)`. So nonzero equilibria exist always at depth 1, for `mu < 1` at
depth 2, and for `mu <= critical_decay(depth)` beyond, where two branches meet (a saddle-node).

Flipping an even number of signs is a symmetry of the loss, so all sign patterns share their stability. At
`w` the Hessian of the loss is a multiple of the identity plus rank one, with eigenvalues `4 mu` (d - 1
times, across the weights) and `2 w^(d-2) ((2d - 2) W - (d - 2))` (along them). At the origin it is `2 mu`
from depth 3 on, and `2 mu +- 2` at depth 2.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import sympy
import xarray as xr
from flint import arb, ctx, fmpq

from linreg_dyn._checks import integer, number
from linreg_dyn.problem import as_floats

Branch = Literal["origin", "lower", "upper"]
BRANCHES: tuple[Branch, ...] = ("origin", "lower", "upper")
_BITS = 128


@dataclass(frozen=True)
class Equilibrium:
    """One equilibrium up to signs.

    `weight` is the common size of the weights (`enclosure`: a `flint.arb` ball that contains it), `loss`
    that with the decay term, `sign_patterns` the number of points it stands for, `eigenvalues` those of the
    Hessian of that loss, `(value, multiplicity)` ascending. `stability` is their sign: `stable` (all
    positive), `saddle` (one negative) or `degenerate` (one zero).
    """

    branch: Branch
    weight: float
    enclosure: arb
    end_to_end: float
    loss: float
    sign_patterns: int
    eigenvalues: tuple[tuple[float, int], ...]
    stability: Literal["stable", "saddle", "degenerate"]


def weight_decay(depth: int, mu: float) -> tuple[Equilibrium, ...]:
    """All equilibria of the flow with decay `mu > 0`: origin, lower and upper branch, where they exist.

    `mu` is the float64 as it is; which branches exist is decided exactly (`critical_decay` is irrational from
    depth 3 on, so no float lies on it). Without decay the equilibria are no points but the manifold `W = 1`
    and everything with two zero weights: ValueError.
    """
    depth = integer("depth", depth, least=1)
    mu = number("mu", mu, above=0)
    with ctx.workprec(_BITS):
        found = [] if depth == 1 else [_origin(depth, mu)]
        return tuple(found + [_balanced(depth, arb(mu), b, w) for b, w in _branches(depth, mu)])


def critical_decay(depth: int) -> sympy.Expr:
    """Largest decay with nonzero equilibria, exact: infinity (depth 1), 1 (depth 2, not attained), and

    `((d - 2)/(2d - 2))^((d-2)/d) d/(2d - 2)` from depth 3 on, attained, where the two branches meet.
    """
    depth = integer("depth", depth, least=1)
    if depth <= 2:
        return sympy.oo if depth == 1 else sympy.Integer(1)
    d = sympy.Integer(depth)
    return ((d - 2) / (2 * d - 2)) ** ((d - 2) / d) * d / (2 * d - 2)


def critical_decay_enclosure(depth: int, precision: int = _BITS) -> arb:
    """`critical_decay(depth)` as a ball, for depth >= 2 (at depth 1 it is infinite)."""
    depth = integer("depth", depth, least=2)
    precision = integer("precision", precision, least=2)
    with ctx.workprec(precision):
        W = arb(fmpq(depth - 2, 2 * depth - 2))
        return arb(1) if depth == 2 else W ** arb(fmpq(depth - 2, depth)) * (1 - W)


def bifurcation(depth: int, mus) -> xr.Dataset:
    """The equilibria over an array of decays, for a bifurcation diagram.

    Dims `branch` (origin, lower, upper) and `weight_decay`. `exists` says where there is one; elsewhere
    `weight`, `end_to_end`, `loss` and `least_eigenvalue` (of the Hessian of the loss with decay) are NaN and
    `stable` False.
    """
    depth, values = integer("depth", depth, least=1), as_floats("mus", mus)
    if values.ndim != 1:
        raise ValueError(f"mus must be a one-dimensional array of decays, got shape {values.shape}")
    shape = (len(BRANCHES), values.size)
    numbers = {name: np.full(shape, np.nan) for name in ("weight", "end_to_end", "loss", "least_eigenvalue")}
    flags = {name: np.zeros(shape, dtype=bool) for name in ("exists", "stable")}
    for j, mu in enumerate(values):
        for point in weight_decay(depth, float(mu)):
            i = BRANCHES.index(point.branch)
            flags["exists"][i, j], flags["stable"][i, j] = True, point.stability == "stable"
            numbers["weight"][i, j], numbers["end_to_end"][i, j] = point.weight, point.end_to_end
            numbers["loss"][i, j], numbers["least_eigenvalue"][i, j] = point.loss, point.eigenvalues[0][0]
    dims = ("branch", "weight_decay")
    return xr.Dataset(
        {name: (dims, array) for name, array in (numbers | flags).items()},
        coords={"branch": list(BRANCHES), "weight_decay": values},
        attrs={"depth": depth, "convention": "decay mu of the loss (W - 1)^2 + mu sum w_i^2"},
    )


def _branches(depth: int, mu: float) -> list[tuple[Branch, arb]]:
    """The nonzero solutions `w` of `w^(d-2) (1 - w^d) = mu`."""
    if depth == 1:
        return [("upper", 1 / (1 + arb(mu)))]
    if depth == 2:
        return [("upper", (1 - arb(mu)).sqrt())] if mu < 1 else []
    bits = _BITS
    while not (critical_decay_enclosure(depth, bits) > mu or critical_decay_enclosure(depth, bits) < mu):
        bits *= 2
    if critical_decay_enclosure(depth, bits) < mu:
        return []
    top = arb(fmpq(depth - 2, 2 * depth - 2)).root(depth)
    # Below the top 1 - w^d lies between d/(2d - 2) > 1/2 and 1, so w^(d-2) lies between mu and 2 mu.
    least = arb(mu).root(depth - 2)
    most = (2 * arb(mu)).root(depth - 2)
    lower = _bisect(depth, mu, least.lower(), min(most.upper(), top.lower()), rising=True)
    upper = _bisect(depth, mu, top.upper(), arb(1), rising=False)
    return [("lower", lower), ("upper", upper)]


def _bisect(depth: int, mu: float, low: arb, high: arb, *, rising: bool) -> arb:
    """The solution between `low` and `high`, where the left-hand side rises (or falls) through `mu`."""
    for _ in range(_BITS):
        middle = ((low + high) / 2).mid()
        excess = middle ** (depth - 2) * (1 - middle**depth) - mu
        if not (excess > 0 or excess < 0):
            break
        low, high = (middle, high) if (excess < 0) == rising else (low, middle)
    return low.union(high)


def _balanced(depth: int, mu: arb, branch: Branch, w: arb) -> Equilibrium:
    W = w**depth
    across = 4 * mu
    along = 2 * w ** (depth - 2) * ((2 * depth - 2) * W - (depth - 2))
    pairs = [(float(along.mid()), 1), (float(across.mid()), depth - 1)]
    return Equilibrium(
        branch=branch,
        weight=float(w.mid()),
        enclosure=w,
        end_to_end=float(W.mid()),
        loss=float(((W - 1) ** 2 + mu * depth * w**2).mid()),
        sign_patterns=2 ** (depth - 1),
        eigenvalues=tuple(sorted((value, count) for value, count in pairs if count)),
        stability=_stability(pairs[0][0]),
    )


def _origin(depth: int, mu: float) -> Equilibrium:
    pairs = ((2 * mu - 2, 1), (2 * mu + 2, 1)) if depth == 2 else ((2 * mu, depth),)
    return Equilibrium(
        branch="origin",
        weight=0.0,
        enclosure=arb(0),
        end_to_end=0.0,
        loss=1.0,
        sign_patterns=1,
        eigenvalues=pairs,
        stability=_stability(pairs[0][0]),
    )


def _stability(least: float) -> Literal["stable", "saddle", "degenerate"]:
    """Only one eigenvalue can fail to be positive; the others are `4 mu`, or `2 mu + 2` at the origin."""
    if least == 0:
        return "degenerate"
    return "stable" if least > 0 else "saddle"

r"""Deep linear networks under L2: every fixed point, and which of them attract.

The network is `f(x) = beta W_L ... W_0 x` with L = `hidden_layers` hidden layers of n = `width` units, one output and
`beta = n^(-L/2)` (NTK normalisation) or 1 (standard); the loss is `sum 1/2 (f - y)^2 + l2/2 sum |W_l|^2`. It is
homogeneous of degree L + 1. (Lewkowycz & Gur-Ari 2020, B.1.)

**All fixed points.** With `g = sum (y - f) x` the gradient vanishes where `l2 W_l = beta a_l b_l^T`, `a_l` and `b_l`
the products of the layers above (transposed) and below (applied to g). Multiplying by the next layer's weights,
`W_{l+1}^T W_{l+1} = W_l W_l^T`: either all weights are zero, or all layers have rank one and the same singular value
s > 0, each hands its left singular vector on to the next, and `f(x) = v.x` with `|v| = beta s^(L+1)` and
`g = kappa v`, where

    kappa = l2 / (beta^2 s^(2L))

is the *effective ridge*: `v = (X^T X + kappa)^-1 X^T y` is a ridge regression. What remains is one equation in kappa,

    F(kappa) = kappa^(L+1) |v(kappa)|^(2L) = l2^(L+1) / beta^2,

which is S20 (there `-sum l' f = kappa |v|^2` and `|sum l' x|^2 = kappa^2 |v|^2`) together with the direction of v,
which S20 leaves open. For L = 1 F rises from 0 to |X^T y|^2, so there is one nontrivial fixed point below
`l2 = beta |X^T y|` and none beyond. For L >= 2 F rises from 0 and falls to 0: nontrivial fixed points come in pairs
(more than one pair if modes of very different size compete), and beyond the maximum of F only zero is left.

**Stability**, in the space of all matrices. Rotations of the hidden layers make each fixed point an orbit with
`L (n - 1)` flat directions. Across it the Hessian has the eigenvalues 2 l2 (`L n` times), l2 (where two of a layer's
directions are both off its singular vectors), and those of `l2 (S A S / kappa + 1 - L u u^T)`, with
`A = X^T X`, `u = v/|v|` and `S = 1 + (sqrt(L+1) - 1) u u^T`. By congruence with S these are all positive if and only
if `2 L kappa u.(A + kappa)^-1 u < L + 1`, and that says that F rises at kappa. So a fixed point attracts where F
rises, and is a saddle with one descending direction where F falls. Zero is a strict minimum for L >= 2 at every
`l2 > 0` (Hessian l2), and for L = 1 where `l2 > beta |X^T y|` (Hessian `l2 +- beta |X^T y|`, and l2).

So training collapses to zero when `l2 > critical_l2`: the loss is analytic and its sublevel sets are bounded, so
gradient flow converges, and there is nowhere else to go.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from scipy.optimize import brentq
from scipy.special import expit, logsumexp

from linreg_dyn._checks import choice, integer, number
from linreg_dyn.problem import as_floats

NORMALIZATIONS = ("ntk", "standard")
MOST_HIDDEN = 64
_NARROW = 1e-12  # turning points of F nearer than this in log kappa change F by less than rounding does


class Network(NamedTuple):
    """The shape of the network; `log_beta` is that of the normalisation."""

    hidden_layers: int
    width: int
    normalization: str

    @property
    def log_beta(self) -> float:
        """log beta: `-L/2 log n` in NTK normalisation, else 0."""
        return -self.hidden_layers / 2 * np.log(self.width) if self.normalization == "ntk" else 0.0


class Modes(NamedTuple):
    """The data, and along its principal directions: singular values of X, right vectors, labels, where not zero.

    `unlabelled` is the smallest singular value of the other directions of features; infinite if there are none.
    """

    x: np.ndarray
    y: np.ndarray
    singular: np.ndarray
    right: np.ndarray
    labels: np.ndarray
    unlabelled: float

    @property
    def moment(self) -> float:
        """|X^T y|"""
        return float(np.linalg.norm(self.singular * self.labels))


def fixed_points(
    x: Any, y: Any, *, l2: float, hidden_layers: int, width: int, normalization: str = "ntk"
) -> xr.Dataset:
    """Every fixed point of training with L2 parameter `l2 > 0`, up to rotations of the hidden layers: zero first.

    `x` is (sample, feature) or (sample,), `y` (sample,); the loss is the sum over samples. Dims `fixed_point`,
    `sample`, `feature`. Variables: `l2`, `effective_ridge` (kappa; infinite at zero), `singular_value` (s, of every
    layer), `linear_map` (v), `prediction` (on x), `loss` (without the L2 term), `total_loss`, `weight_norm2`
    (|theta|^2), `least_eigenvalue` (of the Hessian of the total loss, across the orbit of rotations), `stable`.

    Lewkowycz & Gur-Ari, S13-S20, and the module's docstring. Raises ValueError/TypeError for data that are not finite
    or do not match, `l2 <= 0`, and shapes out of range.
    """
    modes, net = _modes(x, y), network(hidden_layers, width, normalization)
    l2 = number("l2", l2, above=0)
    level = (net.hidden_layers + 1) * np.log(l2) - 2 * net.log_beta
    ridges = [np.inf, *np.exp(sorted(_roots(modes, net.hidden_layers, level), reverse=True))]
    return _describe(modes, net, np.array(ridges), np.full(len(ridges), l2), "fixed_point")


def fixed_point_curve(
    x: Any, y: Any, effective_ridge: Any, *, hidden_layers: int, width: int, normalization: str = "ntk"
) -> xr.Dataset:
    """The nontrivial fixed points of all L2 parameters, as one curve: `l2` and the rest at given effective ridges > 0.

    The same variables as `fixed_points`, over `effective_ridge`. Raises as it does, and ValueError where the labels
    have no part along the data (X^T y = 0), where no nontrivial fixed point is.
    """
    modes, net = _modes(x, y), network(hidden_layers, width, normalization)
    ridge = as_floats("effective_ridge", effective_ridge)
    if ridge.ndim != 1 or not (ridge > 0).all():
        raise ValueError(
            f"effective_ridge must be a one-dimensional array of finite numbers > 0, got {effective_ridge!r}"
        )
    if not modes.labels.size:
        raise ValueError("y must not be orthogonal to every feature of x: zero is then the only fixed point")
    log_f = np.array([_log_f(modes, net.hidden_layers, u) for u in np.log(ridge)])
    l2 = np.exp((log_f + 2 * net.log_beta) / (net.hidden_layers + 1))
    return _describe(modes, net, ridge, l2, "effective_ridge")


def critical_l2(x: Any, y: Any, *, hidden_layers: int, width: int, normalization: str = "ntk") -> float:
    """The L2 parameter above which zero is the only fixed point, so that training collapses from every start.

    For one hidden layer `beta |X^T y|`, where the nontrivial fixed point has shrunk to zero; for more
    `(beta^2 max F)^(1/(L+1))`, where a stable one meets a saddle at a finite distance from zero. 0 if X^T y = 0.
    """
    modes, net = _modes(x, y), network(hidden_layers, width, normalization)
    if not modes.labels.size:
        return 0.0
    if net.hidden_layers == 1:
        return float(np.exp(net.log_beta) * modes.moment)
    top = max(_log_f(modes, net.hidden_layers, u) for u in _turning_points(modes, net.hidden_layers))
    return float(np.exp((top + 2 * net.log_beta) / (net.hidden_layers + 1)))


# ---------------------------------------------------------------- at the door
def network(hidden_layers: int, width: int, normalization: str) -> Network:
    """The shape, checked."""
    return Network(
        integer("hidden_layers", hidden_layers, least=1, most=MOST_HIDDEN),
        integer("width", width, least=1, most=2**20),
        choice("normalization", normalization, NORMALIZATIONS),
    )


def samples(x: Any, y: Any) -> tuple[np.ndarray, np.ndarray]:
    """`x` as (sample, feature) and `y` as (sample,), finite floats."""
    x, y = as_floats("x", x), as_floats("y", y)
    x = x[:, None] if x.ndim == 1 else x
    if x.ndim != 2 or 0 in x.shape:
        raise ValueError(f"x must have shape (samples, features) or (samples,), none of them 0, got {x.shape}")
    if y.shape != x.shape[:1]:
        raise ValueError(f"y must have one number for each of the {len(x)} samples of x, got shape {y.shape}")
    return x, y


def _modes(x: Any, y: Any) -> Modes:
    x, y = samples(x, y)
    left, singular, right = np.linalg.svd(x, full_matrices=False)
    labels = left.T @ y
    # What rounding makes of a zero: singular values as numpy's matrix_rank has it, labels by the length of y.
    floor = max(x.shape) * np.finfo(float).eps
    steep, known = singular > floor * singular[0], np.abs(labels) > floor * np.linalg.norm(y)
    unlabelled = 0.0 if steep.sum() < x.shape[1] else float(singular[~known].min(initial=np.inf))
    real = steep & known
    return Modes(x, y, singular[real], right[real], labels[real], unlabelled)


# ---------------------------------------------------------------- the equation F(kappa) = l2^(L+1) / beta^2
def _log_f(modes: Modes, hidden: int, u: float) -> float:
    """log F at `u = log kappa`."""
    return (hidden + 1) * u + hidden * logsumexp(_log_v2(modes, u))


def _log_v2(modes: Modes, u: float) -> np.ndarray:
    """log of the squared components of v along the modes."""
    log_s = np.log(modes.singular)
    return 2 * (log_s + np.log(np.abs(modes.labels)) - np.logaddexp(2 * log_s, u))


def _slope(modes: Modes, hidden: int, u: float) -> tuple[float, float]:
    """First and second derivative of log F by u.

    With h = kappa / (a + kappa) of a mode and E the mean over modes weighted by the squared components of v, these are
    `L + 1 - 2 L E[h]` and `-2 L (E[h (1 - h)] - 2 Var h)`.
    """
    log_v2 = _log_v2(modes, u)
    weight = np.exp(log_v2 - logsumexp(log_v2))
    h = expit(u - 2 * np.log(modes.singular))
    mean = weight @ h
    return hidden + 1 - 2 * hidden * mean, -2 * hidden * (weight @ (h * (1 - h)) - 2 * weight @ (h - mean) ** 2)


def _turning_points(modes: Modes, hidden: int) -> list[float]:
    """Every u = log kappa where F turns, ascending.

    h lies in (0, 1), so the second derivative of log F is at most L, and the third at most 10 L in size. An interval
    is settled where the slope at its middle shows that it has no zero, or the second derivative that it has one at
    most; others are halved.
    """
    if hidden == 1:
        return []
    log_a, shift = 2 * np.log(modes.singular), np.log((hidden + 1) / (hidden - 1))
    todo, found = [(log_a.min() + shift - 1e-6, log_a.max() + shift + 1e-6)], []

    def slope(u: float) -> float:
        return _slope(modes, hidden, u)[0]

    while todo:
        low, high = todo.pop()
        middle, half = (low + high) / 2, (high - low) / 2
        first, second = _slope(modes, hidden, middle)
        if abs(first) > hidden * half:
            continue
        if abs(second) > 10 * hidden * half or half < _NARROW:
            if (slope(low) > 0) != (slope(high) > 0):
                found.append(_zero(slope, low, high))
            continue
        todo += [(low, middle), (middle, high)]
    return sorted(found)


def _roots(modes: Modes, hidden: int, level: float) -> list[float]:
    """Every u = log kappa with `log F = level`: between turning points F is monotone, so at most one in each gap."""
    if not modes.labels.size:
        return []
    log_moment, log_s = np.log(modes.moment), np.log(modes.singular)
    # F <= kappa^(L+1) |v(0)|^(2L), and F <= kappa^(1-L) |X^T y|^(2L); for L = 1 F >= (|X^T y| kappa/(a_max + kappa))^2
    log_v2: Any = logsumexp(_log_v2(modes, -np.inf))
    low = (level - hidden * log_v2) / (hidden + 1)
    if hidden > 1:
        high = (2 * hidden * log_moment - level) / (hidden - 1)
    else:
        log_q = level / 2 - log_moment
        if log_q >= 0:
            return []
        high = 2 * log_s.max() + log_q - np.log(-np.expm1(log_q))
    turns = _turning_points(modes, hidden)
    margin = 1e-9 * (1 + abs(low) + abs(high))
    edges = [min([low, *turns]) - margin, *turns, max([high, *turns]) + margin]

    def excess(u: float) -> float:
        return _log_f(modes, hidden, u) - level

    return [_zero(excess, a, b) for a, b in pairwise(edges) if (excess(a) > 0) != (excess(b) > 0)]


def _zero(f: Callable[[float], float], low: float, high: float) -> float:
    found: Any = brentq(f, low, high, xtol=1e-15)
    return found


# ---------------------------------------------------------------- what is there
def _describe(modes: Modes, net: Network, ridge: np.ndarray, l2: np.ndarray, dim: str) -> xr.Dataset:
    """The dataset of fixed points at effective ridges (infinite: zero) and their L2 parameters."""
    hidden = net.hidden_layers
    with np.errstate(over="ignore"):
        log_s = (np.log(l2) - 2 * net.log_beta - np.log(ridge)) / (2 * hidden)
    components = modes.singular * modes.labels / (modes.singular**2 + ridge[:, None])
    v = components @ modes.right
    prediction, norm2 = v @ modes.x.T, (hidden + 1) * np.exp(2 * log_s)
    loss = ((prediction - modes.y) ** 2).sum(axis=1) / 2
    least = np.array([_least_eigenvalue(modes, net, k, c) for k, c in zip(ridge, l2, strict=True)])
    labels = {"convention": "loss sum 1/2 (f - y)^2 + l2/2 |theta|^2", **net._asdict()}
    return xr.Dataset(
        {
            "l2": (dim, l2, {"long_name": "L2 parameter"}),
            "singular_value": (dim, np.exp(log_s), {"long_name": "singular value s of every layer"}),
            "linear_map": ((dim, "feature"), v, {"long_name": "end-to-end map v"}),
            "prediction": ((dim, "sample"), prediction, {"long_name": "f(x)"}),
            "loss": (dim, loss, {"long_name": "loss without the L2 term"}),
            "total_loss": (dim, loss + l2 * norm2 / 2, {"long_name": "loss with the L2 term"}),
            "weight_norm2": (dim, norm2, {"long_name": "squared norm of all weights"}),
            "least_eigenvalue": (dim, least, {"long_name": "least Hessian eigenvalue across the orbit"}),
            "stable": (dim, least > 0, {"long_name": "is it a strict minimum up to rotations?"}),
        },
        {"effective_ridge": (dim, ridge, {"long_name": "effective ridge kappa"})},
        labels,
    )


def _least_eigenvalue(modes: Modes, net: Network, ridge: float, l2: float) -> float:
    """The smallest eigenvalue of the Hessian of the total loss off the orbit of rotations."""
    hidden, features = net.hidden_layers, modes.x.shape[1]
    if ridge == np.inf:
        return l2 - float(np.exp(net.log_beta)) * modes.moment if hidden == 1 else l2
    u = modes.singular * modes.labels / (modes.singular**2 + ridge)
    u /= np.linalg.norm(u)
    stretch = np.eye(u.size) + (np.sqrt(hidden + 1) - 1) * np.outer(u, u)
    along = (stretch * (modes.singular**2 / ridge)) @ stretch + np.eye(u.size) - hidden * np.outer(u, u)
    off = (net.width - 1) ** 2 * (hidden - 1) + (net.width - 1) * (features - 1)
    across = 1 + modes.unlabelled**2 / ridge  # the same where u, and so S, has no part
    return l2 * min(float(np.linalg.eigvalsh(along)[0]), across, 1.0 if off else 2.0)

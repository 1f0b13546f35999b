"""Kernels of infinitely wide fully connected networks, analytically: the NTK and the NNGP.

Conventions are those of `neural_tangents.stax` (Novak et al. 2020), `Dense(W_std, b_std, parameterization="ntk")`
with an activation between each two. With d features and squares `W_l = weight_std_l^2`, `B_l = bias_std_l^2`

    K_0 = W_0 x.x' / d + B_0,     K_{l+1} = W_{l+1} E[phi(u) phi(u')] + B_{l+1},      (u, u') ~ N(0, K_l)
    Theta_0 = K_0,                Theta_{l+1} = K_{l+1} + W_{l+1} E[phi'(u) phi'(u')] Theta_l

(Jacot, Gabriel and Hongler 2018, Theorem 1, with biases trained as well). Theta is the Theta_0 of Lewkowycz and
Gur-Ari 2020, eqs. (1) and (2): gradients of one output, summed over parameters, without a learning rate.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from linreg_dyn._checks import choice, integer, number
from linreg_dyn.ensemble.memory import available_memory
from linreg_dyn.ensemble.threads import spread, workers
from linreg_dyn.ntk._activations import Activation, activation_of
from linreg_dyn.ntk._device import on_the_host, place_of
from linreg_dyn.ntk._infinite import TILE, Layers, Side, fill_tiles
from linreg_dyn.ntk._infinite_torch import bytes_each, filler
from linreg_dyn.problem import Array

if TYPE_CHECKING:
    import torch

KINDS = ("ntk", "nngp", "both")
ROWS = 512  # of the matrix of inner products, at once
MOST_LAYERS = 100_000
LARGEST = 1e75
"""Standard deviations of pre-activations beyond it are refused: their products would overflow."""


class Kernels(NamedTuple):
    """Both kernels of the same samples."""

    nngp: np.ndarray
    ntk: np.ndarray


def infinite_width(
    x1: Any,
    x2: Any = None,
    *,
    hidden_layers: int = 1,
    activation: str = "relu",
    slope: float | None = None,
    weight_std: Any = 1.0,
    bias_std: Any = 0.0,
    kind: str = "ntk",
    diagonal: bool = False,
    dtype: str = "float64",
    threads: int | None = None,
    device: Any = None,
    max_memory: float | None = None,
) -> np.ndarray | Kernels:
    """The kernel of an infinitely wide fully connected network at initialisation (equations: see the module).

    Nearly equal and opposite samples keep all digits, duplicates are exact, a zero input gives no NaN: with d features
    and L layers errors of K are some `(4 d + 30 + 4 L) eps sqrt(K(x, x) K(x', x'))` at most, those of Theta the same
    with the diagonal of Theta: each layer adds a few roundings. (Of erf networks each layer multiplies those of the
    layers before by up to `weight_std^2 E[phi'^2]`, except for duplicates: with weight_std above 1, deep ones lose
    digits.) The result does not depend on `threads`, bit by bit, and with `x2` None it is exactly symmetric.

    Args:
        x1: inputs, (sample, feature).
        x2: other inputs, with as many features; None for those of `x1`, in half of the time.
        hidden_layers: activations between the `hidden_layers + 1` dense layers; 0 for a linear model.
        activation: "linear", "relu", "leaky_relu" (`max(x, 0) + slope min(x, 0)`), or "erf": `erf(x)`, as the Erf of
            neural-tangents, not `erf(x / sqrt(2))`.
        slope: of "leaky_relu" (default 0.01).
        weight_std: standard deviation of the weights times the root of their fan-in; a number, or one for each dense
            layer, the first layer first. sqrt(2) keeps the variance under ReLU.
        bias_std: the same for the biases; 0 for none.
        kind: "ntk" (Theta), "nngp" (K), or "both".
        diagonal: only K(x, x) and Theta(x, x) of the samples of x1, (sample,).
        dtype: "float64" or "float32", of the inner products and of the result; layers are computed in float64.
        threads: None for every core. The inner products are left to BLAS, which has threads of its own.
        device: None for compiled code on the CPU, or a torch device, such as "cuda" (needs torch; "cpu" is allowed).
        max_memory: bytes that inputs and kernels may take together (default: 0.8 of what is available).

    Returns:
        [sample of x1, sample of x2] (or [sample]), for "both" the pair (nngp, ntk).

    Raises:
        TypeError, ValueError: an argument is not as above, inputs are not finite, their squares or kernels overflow,
            or the memory does not suffice; then nothing was computed.
    """
    chosen = activation_of(activation, slope)
    layers = _layers(hidden_layers, chosen, weight_std, bias_std)
    choice("kind", kind, KINDS)
    choice("dtype", dtype, ("float64", "float32"))
    count, place = workers(threads), place_of(device)
    first, second = _both(x1, x2, dtype, diagonal)
    if not diagonal:
        _refuse_memory(first, second, layers, kind, dtype, place, max_memory)
    side1 = _side(first, layers, chosen)
    own1 = _diagonal(side1, layers, chosen, kind)
    if diagonal:
        return selected(kind, *(rounded(values, dtype) for values in own1))
    side2 = side1 if second is first else _side(second, layers, chosen)
    for one, other in zip(own1, _diagonal(side2, layers, chosen, kind), strict=True):
        rounded(np.sqrt(one.max(initial=0.0)) * np.sqrt(other.max(initial=0.0)), dtype)  # no number is larger
    kernels = empty(kind, dtype, (len(first), len(second)))
    fill = _fill(count) if place is None else filler(place)
    fill(*kernels, side1, side2, layers, second is first)
    return selected(kind, *kernels)


def per_layer(name: str, values: Any, layers: int) -> Array:
    """A standard deviation for each layer, from one for all or a sequence.

    Raises:
        TypeError, ValueError: one is no finite number >= 0, or there are not so many.
    """
    if np.ndim(values) == 0:
        return np.full(layers, number(name, values, least=0))
    if np.ndim(values) != 1 or len(values) != layers:
        raise ValueError(f"{name} must be a number, or {layers} of them (one a layer), got shape {np.shape(values)}")
    return np.array([number(f"{name}[{k}]", value, least=0) for k, value in enumerate(values)])


def selected(kind: str, nngp: np.ndarray, ntk: np.ndarray) -> np.ndarray | Kernels:
    """What the argument `kind` asks for."""
    return {"nngp": nngp, "ntk": ntk, "both": Kernels(nngp, ntk)}[kind]


def rounded(values: Any, dtype: Any) -> np.ndarray:
    """`values` in that dtype; ValueError if one is not finite then."""
    with np.errstate(over="ignore"):
        result = values.astype(dtype, copy=False)
    if not np.isfinite(result).all():
        raise ValueError(f"the kernel overflows {np.dtype(dtype)}: scale x1, x2, weight_std or bias_std down")
    return result


def empty(kind: str, dtype: str, shape: tuple[int, ...]) -> Kernels:
    """Room for what `kind` asks for; the other matrix is empty."""
    return Kernels(*(np.empty(shape if kind in (name, "both") else (0, 0), dtype) for name in ("nngp", "ntk")))


def _layers(depth: Any, activation: Activation, weight_std: Any, bias_std: Any) -> Layers:
    count = integer("hidden_layers", depth, least=0, most=MOST_LAYERS) + 1
    weight, bias = per_layer("weight_std", weight_std, count), per_layer("bias_std", bias_std, count)
    constants = activation.is_erf, activation.gain, activation.bend, activation.straight
    return Layers(weight**2, bias**2, *constants)


def _both(x1: Any, x2: Any, dtype: str, diagonal: bool) -> tuple[np.ndarray, np.ndarray]:
    """Both sets of inputs, checked; one array twice if `x2` is None."""
    first = _inputs("x1", x1, dtype)
    if x2 is None:
        return first, first
    second = _inputs("x2", x2, dtype)
    if first.shape[1] != second.shape[1]:
        raise ValueError(f"x1 and x2 must have as many features, got {first.shape[1]} and {second.shape[1]}")
    if diagonal:
        raise ValueError("diagonal must go without x2: it is that of K(x1, x1)")
    return first, second


def _inputs(name: str, values: Any, dtype: str) -> np.ndarray:
    try:
        given = np.asarray(values)
        if given.dtype.kind not in "fiub":
            raise TypeError
    except (TypeError, ValueError):
        raise TypeError(f"{name} must be an array of real numbers, got {values!r:.80}") from None
    if given.ndim != 2 or 0 in given.shape:
        raise ValueError(f"{name} must have a shape (sample, feature) without zeros, got {given.shape}")
    if not np.isfinite(given).all():
        i, j = np.argwhere(~np.isfinite(given))[0].tolist()
        raise ValueError(f"{name} must be finite, entry ({i}, {j}) is {given[i, j]}")
    with np.errstate(over="ignore"):
        x = np.ascontiguousarray(given, dtype)
        if not np.isfinite(np.einsum("ij,ij->i", x, x)).all():
            raise ValueError(f"{name} is too large: squares overflow {dtype}; scale it down")
    return x


def _side(x: np.ndarray, layers: Layers, activation: Activation) -> Side:
    """What every layer knows of single samples: the variances, by the recursion of K at x = x'."""
    norm = np.sqrt(np.einsum("ij,ij->i", x, x, dtype=np.float64))
    before, after, output = (np.empty((len(layers.weight), len(x))) for _ in range(3))
    variance = norm**2 / x.shape[1]
    with np.errstate(over="ignore"):
        for k, (weight, bias) in enumerate(zip(layers.weight, layers.bias, strict=True)):
            before[k] = np.sqrt(weight * variance)
            after[k] = np.sqrt(weight * variance + bias)
            variance = activation.second_moment(weight * variance + bias)
            output[k] = np.sqrt(variance)
    if not max(after.max(), output.max()) < LARGEST:
        raise ValueError(
            f"standard deviations of pre-activations must stay below {LARGEST:g}: scale x, weight_std or bias_std down"
        )
    inverse = np.divide(1.0, norm, out=np.zeros_like(norm), where=norm > 0)
    return Side(x, inverse, before, after, output)


def _diagonal(side: Side, layers: Layers, activation: Activation, kind: str) -> Kernels:
    """K(x, x) and Theta(x, x), in float64; empty where `kind` does not ask for it."""
    variance = side.after**2
    tangent = variance[0].copy()
    with np.errstate(over="ignore", invalid="ignore"):
        for k in range(1, len(layers.weight)):
            tangent = variance[k] + layers.weight[k] * activation.slope_moment(variance[k - 1]) * tangent
    return Kernels(variance[-1][: None if kind != "ntk" else 0], tangent[: None if kind != "nngp" else 0])


def _fill(threads: int) -> Callable[..., None]:
    """A function that writes the kernels, tile by tile, in so many threads."""

    def fill(nngp: np.ndarray, ntk: np.ndarray, side1: Side, side2: Side, layers: Layers, symmetric: bool) -> None:
        products = ntk if ntk.size else nngp
        _inner_products(side1.x, side2.x, products, symmetric)
        rows, columns = (np.arange(0, size, TILE) for size in products.shape)
        tiles = np.stack(np.meshgrid(rows, columns, indexing="ij"), axis=-1).reshape(-1, 2)
        if symmetric:
            tiles = tiles[tiles[:, 0] <= tiles[:, 1]]

        def work(first: int, last: int) -> None:
            fill_tiles(products, nngp, ntk, side1, side2, layers, tiles[first:last], symmetric)

        spread(work, len(tiles), threads)

    return fill


def _inner_products(x1: np.ndarray, x2: np.ndarray, products: np.ndarray, symmetric: bool) -> None:
    """Write `x1 @ x2.T`, if `symmetric` nothing but what is on and above the diagonal (and some below).

    By blocks of rows: numpy hands `x @ x.T` to a routine of OpenBLAS that crashes the process where it is threaded
    and x has more than some 16,000 rows (numpy issue 19685). Blocks are as fast, and need no mirroring.
    """
    for start in range(0, len(x1), ROWS):
        rows, columns = slice(start, start + ROWS), slice(start if symmetric else 0, None)
        np.matmul(x1[rows], x2[columns].T, out=products[rows, columns])


def _refuse_memory(
    x1: np.ndarray, x2: np.ndarray, layers: Layers, kind: str, dtype: str, place: torch.device | None, given: Any
) -> None:
    """ValueError if the kernels, and what belongs to them, cannot fit; the inputs are there already."""
    size = np.dtype(dtype).itemsize
    samples = len(x1) + (0 if x2 is x1 else len(x2))
    need = (2 if kind == "both" else 1) * size * len(x1) * len(x2) + 24.0 * len(layers.weight) * samples
    if place is not None:
        need += on_the_host(place, bytes_each(len(x2)))
    room = 0.8 * available_memory()
    if given is not None:
        need += x1.nbytes + (0 if x2 is x1 else x2.nbytes)
        room = number("max_memory", given, above=0)
    if need > room:
        raise ValueError(
            f"the kernel of {len(x1)} x {len(x2)} samples would take {need / 2**30:.3g} GiB of memory, and "
            f"{max(room, 0) / 2**30:.3g} GiB may be used; take fewer samples, kind='ntk' or 'nngp', or float32"
        )

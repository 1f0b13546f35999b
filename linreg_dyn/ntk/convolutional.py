"""Kernels of infinitely wide convolutional networks, analytically: the NTK and the NNGP of images.

Conventions are those of `neural_tangents.stax` (Novak et al. 2020) in NTK parameterisation: `Conv(out, (3, 3),
padding="SAME", W_std, b_std)`, `AvgPool((2, 2), (2, 2))`, `GlobalAvgPool()`, `Flatten()`, `Dense(W_std, b_std)`.
Between pixels p of x and q of x' of c channels, with squares W and B of the deviations, and i over the 3 x 3 shifts
(pixels outside of the image are zeros)

    K(p, q) = x_p . x'_q / c                                                            (inputs)
    conv:        K' = W mean_i K(p+i, q+i) + B,     Theta' = K' + W mean_i Theta(p+i, q+i)
    activation:  K' = E[phi(u) phi(v)],             Theta' = E[phi'(u) phi'(v)] Theta,    (u, v) ~ N(0, K)
    pool, gap:   means of K and Theta over the pooled pixels of both;     flatten: the mean over p = q
    dense:       K' = W K + B,                      Theta' = K' + W Theta

(Arora et al. 2019, section 4, whose CNTK has no biases). Theta is as in `infinite`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from linreg_dyn._checks import choice, number
from linreg_dyn.ensemble.memory import available_memory
from linreg_dyn.ensemble.threads import spread, workers
from linreg_dyn.ntk._activations import NAMES, activation_of
from linreg_dyn.ntk._convolutional import CONV, DENSE, ERF, FLATTEN, GAP, POOL, RECTIFIED, Images, Program, fill_pairs
from linreg_dyn.ntk._convolutional_torch import TorchRun
from linreg_dyn.ntk._device import place_of
from linreg_dyn.ntk.infinite import KINDS, Kernels, empty, per_layer, rounded, selected
from linreg_dyn.problem import Array, as_floats

CODES = {"conv": CONV, "pool": POOL, "gap": GAP, "flatten": FLATTEN, "dense": DENSE}
MOST_PIXELS = 4096
_BATCH = 2.0**28  # pairs of pixels, over all layers, between two calls of `watch`
_PAIRS, _PAIR_BYTES = 2**18, 64  # pairs of images at most between them, and what a pair takes: indices and values


def convolutional_kernel(
    x1: Any,
    x2: Any = None,
    *,
    layers: str | Sequence[str] = "conv relu conv relu gap dense",
    slope: float | None = None,
    weight_std: Any = 1.0,
    bias_std: Any = 0.0,
    kind: str = "ntk",
    diagonal: bool = False,
    dtype: str = "float64",
    threads: int | None = None,
    device: Any = None,
    max_memory: float | None = None,
    watch: Callable[[float], None] | None = None,
) -> np.ndarray | Kernels:
    """The kernel of an infinitely wide convolutional network at initialisation (equations: see the module).

    Costs, for each pair of images and layer, the square of the number of pixels; with "flatten" and no "pool" only
    that number. What is left of `1 - |correlation|` below 2^-48 counts as rounding, so pixels that coincide do so
    exactly; those that nearly do keep fewer digits (an angle a has an error of about 1e-15 / a). The result does not
    depend on `threads`, bit by bit, and with `x2` None it is exactly symmetric.

    Args:
        x1: images, (sample, height, width) or (sample, height, width, channel).
        x2: other images of the same size; None for those of `x1`, in half of the time.
        layers: words, in a string or a sequence: "conv" (3 x 3, zeros around the image), "pool" (means of 2 x 2, an
            odd last row or column is left out), activations as in `infinite_width` ("linear", "relu", "leaky_relu",
            "erf"); then "gap" (global average) or "flatten", once; then "dense", and more activations and "dense".
            The last is "dense", and a "conv" or "dense" comes before each activation.
        slope: of "leaky_relu" (default 0.01).
        weight_std: standard deviation of the weights times the root of their fan-in; a number, or one for each conv
            and dense, in this order.
        bias_std: the same for the biases; 0 for none.
        kind: "ntk" (Theta), "nngp" (K), or "both".
        diagonal: only K(x, x) and Theta(x, x) of the samples of x1, (sample,).
        dtype: "float64" or "float32", of the result; it is computed in float64.
        threads: None for every core.
        device: None for compiled code on the CPU, or a torch device, such as "cuda" (needs torch; "cpu" is allowed).
        max_memory: bytes that kernels and what is computed on may take together (default: 0.8 of what is available).
        watch: hears of the finished fraction.

    Returns:
        [sample of x1, sample of x2] (or [sample]), for "both" the pair (nngp, ntk).

    Raises:
        TypeError, ValueError: an argument is not as above, images are not finite, numbers overflow, or the memory
            does not suffice; then nothing was computed (but overflow is seen in what was).
    """
    choice("kind", kind, KINDS)
    choice("dtype", dtype, ("float64", "float32"))
    count, place = workers(threads), place_of(device)
    first, second = _both(x1, x2, diagonal)
    program = _program(_words(layers), first.shape[1:3], slope, weight_std, bias_std)
    run = _Run(program, count) if place is None else TorchRun(program, place, _held(first, second, program))
    shape = (len(first),) if diagonal else (len(first), len(second))
    _refuse_memory(first, second, shape, run, kind, dtype, max_memory)
    side1, own = run.alone(_by_channel(first))
    if diagonal:
        return selected(kind, *(rounded(values, dtype) for values in own))
    side2 = side1 if second is first else run.alone(_by_channel(second))[0]
    return selected(kind, *_matrices(run, side1, side2, empty(kind, dtype, shape), watch))


class _Run(NamedTuple):
    """Kernels of pairs of images, by compiled code; `TorchRun` has the same methods."""

    program: Program
    threads: int

    @property
    def batch(self) -> int:
        """Pairs of images between two calls of `watch`."""
        return max(int(_BATCH / (self.program.pairs * len(self.program.code))), 8 * self.threads)

    @property
    def work(self) -> float:
        """Bytes that it takes beside images and results."""
        return 24.0 * self.threads * self.program.pairs

    def alone(self, pixels: Array) -> tuple[Images, tuple[Array, Array]]:
        """What pairs will need of each image, [sample, channel, pixel], and its kernels with itself."""
        side = Images(pixels, np.empty((2, len(pixels), self.program.slots)))
        return side, self.together(side, side, np.arange(len(pixels))[:, None].repeat(2, axis=1), same=True)

    def together(self, side1: Images, side2: Images, pairs: np.ndarray, same: bool = False) -> tuple[Array, Array]:
        """K and Theta of pairs, [pair, 2]; with `same` of each image with itself."""
        nngp, ntk = np.empty(len(pairs)), np.empty(len(pairs))

        def work(first: int, last: int) -> None:
            some = slice(first, last)
            fill_pairs(side1, side2, pairs[some], self.program, same, nngp[some], ntk[some])

        spread(work, len(pairs), self.threads)
        return nngp, ntk


def _matrices(run: _Run | TorchRun, side1: Images, side2: Images, kernels: Kernels, watch: Any) -> Kernels:
    """The kernels, written batch by batch; one side twice for a symmetric one, of which half is computed."""
    symmetric = side2 is side1
    for pairs, done in _pairs(len(side1.pixels), len(side2.pixels), symmetric, min(run.batch, _PAIRS)):
        i, j = pairs.T
        for matrix, values in zip(kernels, run.together(side1, side2, pairs), strict=True):
            if matrix.size:
                matrix[i, j] = some = rounded(values, matrix.dtype)
                if symmetric:
                    matrix[j, i] = some
        if watch is not None:
            watch(done)
    return kernels


def _pairs(rows: int, columns: int, symmetric: bool, size: int) -> Iterator[tuple[np.ndarray, float]]:
    """All pairs (row, column), with `symmetric` those with row <= column, and the fraction done after them."""
    left_out = np.arange(rows) * symmetric
    starts = np.concatenate(([0], np.cumsum(columns - left_out)))
    for first in range(0, starts[-1], size):
        k = np.arange(first, min(first + size, starts[-1]))
        i = np.searchsorted(starts, k, side="right") - 1
        yield np.stack((i, k - starts[i] + left_out[i]), axis=1), float((k[-1] + 1) / starts[-1])


def _both(x1: Any, x2: Any, diagonal: bool) -> tuple[Array, Array]:
    """Both sets of images, checked; one array twice if `x2` is None."""
    first = _images("x1", x1)
    if x2 is None:
        return first, first
    second = _images("x2", x2)
    if first.shape[1:] != second.shape[1:]:
        raise ValueError(f"x1 and x2 must be images alike, got {first.shape} and {second.shape}")
    if diagonal:
        raise ValueError("diagonal must go without x2: it is that of K(x1, x1)")
    return first, second


def _by_channel(images: Array) -> Array:
    """[sample, channel, pixel]."""
    samples, height, width, channels = images.shape
    return np.ascontiguousarray(images.reshape(samples, height * width, channels).swapaxes(1, 2))


def _images(name: str, values: Any) -> Array:
    array = as_floats(name, values)
    if array.ndim == 3:
        array = array[..., None]
    if array.ndim != 4 or 0 in array.shape:
        raise ValueError(
            f"{name} must have a shape (sample, height, width) or (sample, height, width, channel) without zeros, "
            f"got {np.shape(values)}"
        )
    if array.shape[1] * array.shape[2] > MOST_PIXELS:
        raise ValueError(f"{name} must be images of at most {MOST_PIXELS} pixels, got {array.shape[1:3]}")
    return array


def _words(layers: Any) -> list[str]:
    """The layers, checked: each word, and its place."""
    words = layers.split() if isinstance(layers, str) else list(layers)
    for word in words:
        choice("layers", word, (*CODES, *NAMES))
    text = " ".join(words)
    ends = [k for k, word in enumerate(words) if word in ("gap", "flatten")]
    if len(ends) != 1 or words[-1] != "dense":
        raise ValueError(f"layers must have 'gap' or 'flatten' once and 'dense' at the end, got {text!r}")
    linear = False
    for k, word in enumerate(words):
        if (word == "dense") != (k > ends[0]) and word in ("conv", "pool", "dense"):
            raise ValueError(f"layers must have 'conv' and 'pool' before {words[ends[0]]!r}, 'dense' after: {text!r}")
        if word in NAMES and not linear:
            raise ValueError(f"layers must have 'conv' or 'dense' before each activation, {word!r} has none: {text!r}")
        linear = word in ("conv", "dense") or (linear and word not in NAMES)
    return words


def _program(words: list[str], sizes: tuple[int, ...], slope: Any, weight_std: Any, bias_std: Any) -> Program:
    """The layers as the code runs them, for images of such sizes, (height, width)."""
    count = sum(word in ("conv", "dense") for word in words)
    stds = zip(per_layer("weight_std", weight_std, count), per_layer("bias_std", bias_std, count), strict=True)
    if slope is not None and "leaky_relu" not in words:
        raise ValueError(f"slope belongs to 'leaky_relu', which layers have not: {' '.join(words)!r}, slope={slope!r}")
    pixels, slot, lines = sizes[0] * sizes[1], 0, []
    for word in words:
        if word in NAMES:
            chosen = activation_of(word, slope if word == "leaky_relu" else None)
            code = ERF if chosen.is_erf else RECTIFIED
            lines.append((code, *sizes, slot, 0.0, 0.0, chosen.gain, chosen.bend, chosen.straight))
            slot += sizes[0] * sizes[1]
            continue
        weight, bias = next(stds) if word in ("conv", "dense") else (0.0, 0.0)
        lines.append((CODES[word], *sizes, slot, weight**2, bias**2, 0.0, 0.0, 0.0))
        if word == "pool":
            if min(sizes) < 2:
                raise ValueError(f"layers must leave 2 x 2 pixels for each 'pool', one finds {sizes}: {words}")
            sizes = sizes[0] // 2, sizes[1] // 2
        elif word in ("gap", "flatten"):
            sizes = 1, 1
    columns = [np.array(column) for column in zip(*lines, strict=True)]
    tied = "pool" not in words and "flatten" in words
    return Program(tied, pixels, slot, *columns)


def _held(x1: Array, x2: Array, program: Program) -> float:
    """Bytes of the images and of what pairs need of each."""
    return sum(x.nbytes + 16.0 * program.slots * len(x) for x in ((x1,) if x2 is x1 else (x1, x2)))


def _refuse_memory(
    x1: Array, x2: Array, shape: tuple[int, ...], run: _Run | TorchRun, kind: str, dtype: str, given: Any
) -> None:
    """ValueError if the kernels, and what they are computed from, cannot fit."""
    numbers = (2 if kind == "both" else 1) * np.prod(shape, dtype=float)
    indices = _PAIR_BYTES * min(run.batch, _PAIRS, numbers)
    need = _held(x1, x2, run.program) + run.work + indices + np.dtype(dtype).itemsize * numbers
    room = 0.8 * available_memory() if given is None else number("max_memory", given, above=0)
    if need > room:
        raise ValueError(
            f"the kernel of {' x '.join(map(str, shape))} images of {run.program.pixels} pixels would take "
            f"{need / 2**30:.3g} GiB of memory, and {max(room, 0) / 2**30:.3g} GiB may be used; take fewer images, "
            "smaller ones, or fewer threads"
        )

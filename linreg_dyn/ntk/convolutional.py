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
from linreg_dyn.ntk._convolutional import CONV, DENSE, ERF, FLATTEN, GAP, POOL, RECTIFIED, Program, fill_pairs
from linreg_dyn.ntk.infinite import KINDS, Kernels, per_layer, selected
from linreg_dyn.problem import Array, as_floats

CODES = {"conv": CONV, "pool": POOL, "gap": GAP, "flatten": FLATTEN, "dense": DENSE}
MOST_PIXELS = 4096
_BATCH = 2.0**28  # pairs of pixels, over all layers, between two calls of `watch`


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
        max_memory: bytes that kernels and what is computed on may take together (default: 0.8 of what is available).
        watch: hears of the finished fraction.

    Returns:
        [sample of x1, sample of x2] (or [sample]), for "both" the pair (nngp, ntk).

    Raises:
        TypeError, ValueError: an argument is not as above, images are not finite, numbers overflow, or the memory
            does not suffice; then nothing was computed (but overflow is seen at the end).
    """
    choice("kind", kind, KINDS)
    choice("dtype", dtype, ("float64", "float32"))
    count = workers(threads)
    first = _images("x1", x1)
    second = first if x2 is None else _images("x2", x2)
    if first.shape[1:] != second.shape[1:]:
        raise ValueError(f"x1 and x2 must be images alike, got {first.shape} and {second.shape}")
    if diagonal and x2 is not None:
        raise ValueError("diagonal must go without x2: it is that of K(x1, x1)")
    words = _words(layers)
    program = _program(words, first.shape[1], first.shape[2], slope, weight_std, bias_std)
    tied = "pool" not in words and "flatten" in words
    shape = (len(first),) if diagonal else (len(first), len(second))
    run = _Run(program, tied, count)
    _refuse_memory(first, second, shape, run, 2 if kind == "both" else 1, max_memory)
    side1, own = run.alone(first)
    if diagonal:
        nngp, ntk = own
    else:
        side2 = side1 if x2 is None else run.alone(second)[0]
        nngp, ntk = (np.empty(shape if kind in (name, "both") else (0, 0), dtype) for name in ("nngp", "ntk"))
        for pairs, done in _pairs(len(first), len(second), x2 is None, run.batch):
            for matrix, values in zip((nngp, ntk), run.together(side1, side2, pairs, same=False), strict=True):
                if matrix.size:
                    i, j = pairs.T
                    matrix[i, j] = values
                    if x2 is None:
                        matrix[j, i] = values
            if watch is not None:
                watch(done)
    if not (np.isfinite(nngp).all() and np.isfinite(ntk).all()):
        raise ValueError(f"the kernel overflows {dtype}: scale x1, x2, weight_std or bias_std down")
    return selected(kind, nngp.astype(dtype, copy=False), ntk.astype(dtype, copy=False))


class _Images(NamedTuple):
    """Images, [sample, channel, pixel], and their pixels' deviations around activations, [2, sample, slot]."""

    pixels: Array
    moments: Array


class _Run(NamedTuple):
    """How kernels are computed."""

    program: Program
    tied: bool
    threads: int

    @property
    def batch(self) -> int:
        """Pairs of images between two calls of `watch`."""
        cost = self.program.pixels ** (1 if self.tied else 2) * len(self.program.code)
        return max(int(_BATCH / cost), 8 * self.threads)

    def alone(self, images: Array) -> tuple[_Images, tuple[Array, Array]]:
        """What pairs will need of each image, and its kernels with itself."""
        samples, height, width, channels = images.shape
        pixels = np.ascontiguousarray(images.reshape(samples, height * width, channels).swapaxes(1, 2))
        side = _Images(pixels, np.empty((2, samples, self.program.slots)))
        return side, self.together(side, side, np.arange(samples)[:, None].repeat(2, axis=1), same=True)

    def together(self, side1: _Images, side2: _Images, pairs: np.ndarray, same: bool) -> tuple[Array, Array]:
        """K and Theta of pairs, [pair, 2]."""
        nngp, ntk = np.empty(len(pairs)), np.empty(len(pairs))

        def work(first: int, last: int) -> None:
            some = slice(first, last)
            images = side1.pixels, side2.pixels, side1.moments, side2.moments
            fill_pairs(*images, pairs[some], self.program, self.tied, same, nngp[some], ntk[some])

        spread(work, len(pairs), self.threads)
        return nngp, ntk


def _pairs(rows: int, columns: int, symmetric: bool, size: int) -> Iterator[tuple[np.ndarray, float]]:
    """All pairs (row, column), with `symmetric` those with row <= column, and the fraction done after them."""
    left_out = np.arange(rows) * symmetric
    starts = np.concatenate(([0], np.cumsum(columns - left_out)))
    for first in range(0, starts[-1], size):
        k = np.arange(first, min(first + size, starts[-1]))
        i = np.searchsorted(starts, k, side="right") - 1
        yield np.stack((i, k - starts[i] + left_out[i]), axis=1), float((k[-1] + 1) / starts[-1])


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


def _program(words: list[str], height: int, width: int, slope: Any, weight_std: Any, bias_std: Any) -> Program:
    count = sum(word in ("conv", "dense") for word in words)
    stds = zip(per_layer("weight_std", weight_std, count), per_layer("bias_std", bias_std, count), strict=True)
    if slope is not None and "leaky_relu" not in words:
        raise ValueError(f"slope belongs to 'leaky_relu', which layers have not: {' '.join(words)!r}, slope={slope!r}")
    sizes, slot, lines = (height, width), 0, []
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
    return Program(height * width, slot, *columns)


def _refuse_memory(x1: Array, x2: Array, shape: tuple[int, ...], run: _Run, kernels: int, given: Any) -> None:
    """ValueError if the kernels, and what they are computed from, cannot fit."""
    program = run.program
    inputs = x1.nbytes + (0 if x2 is x1 else x2.nbytes)
    moments = 16.0 * program.slots * (len(x1) + (0 if x2 is x1 else len(x2)))
    work = 24.0 * run.threads * program.pixels ** (1 if run.tied else 2)
    need = inputs + moments + work + 8.0 * kernels * np.prod(shape, dtype=float)
    room = 0.8 * available_memory() if given is None else number("max_memory", given, above=0)
    if need > room:
        raise ValueError(
            f"the kernel of {' x '.join(map(str, shape))} images of {program.pixels} pixels would take "
            f"{need / 2**30:.3g} GiB of memory, and {max(room, 0) / 2**30:.3g} GiB may be used; take fewer images, "
            "smaller ones, or fewer threads"
        )

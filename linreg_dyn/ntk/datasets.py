"""Samples and labels for kernels: scikit-learn's digits, or arrays that the user brings in a `.npz` file."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from linreg_dyn._checks import choice, integer

TARGETS = {
    "even-odd": "+1 for even labels, -1 for odd ones",
    "sign": "labels of -1 and 1, as they are",
    "one-hot": "one output for each class, 1 for its samples and 0 for others; of classes, or labels that are that",
    "regression": "y as it is",
}
INPUTS = {
    "scaled": "divided by the largest magnitude among the training inputs, so that pixels are from 0 to 1",
    "standard": "minus the mean and divided by the standard deviation of all training inputs together",
    "raw": "as they are",
}
PAIRS = ("kernel", "y"), ("x", "y"), ("x_train", "y_train"), ("x_test", "y_test")


Encoding = Callable[[np.ndarray], np.ndarray]  # of labels as targets


@dataclass(frozen=True)
class Samples:
    """Inputs [sample, feature] and targets [sample] or [sample, output], to train on and to test with (perhaps none).

    Inputs were of `shape` each before they were flattened. With a `kernel` of the user's own they have no features.
    """

    source: str
    target: str
    x: np.ndarray
    y: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray
    shape: tuple[int, ...]
    kernel: np.ndarray | None = None


def load(
    source: str, *, target: str | None = None, inputs: str = "scaled", samples: int | None, test: int | None, seed: int
) -> Samples:
    """Samples of a data set, drawn at random without replacement, ready for a kernel.

    Args:
        source: "digits" (1797 images of 8 x 8, from scikit-learn, no download), or a `.npz` file with `x` and `y`;
            with `x_train`, `y_train`, `x_test`, `y_test`; or with `kernel` and `y`. Inputs are flattened.
        target: what to learn, one of `TARGETS` (default: "sign" where all labels are -1 or 1, "even-odd" where they
            are integers by their dtype, one a sample, else "regression"). All labels of the file decide, and which
            classes there are, whatever is drawn.
        inputs: how inputs are scaled, one of `INPUTS`.
        samples: how many to train on (default: 1000, or all if there are fewer; all of a kernel).
        test: how many to test with (default: 1000, or as many as are left).
        seed: of the draw.

    Raises:
        ValueError, TypeError: the file is not as above, its numbers are not finite or do not fit together, there are
            fewer samples than asked for, or the labels do not suit the target.
        OSError: it cannot be read.
    """
    choice("inputs", inputs, tuple(INPUTS))
    if target is not None:
        choice("target", target, tuple(TARGETS))
    if samples is not None:
        samples = integer("samples", samples, least=1, most=2**31)
    if test is not None:
        test = integer("test", test, least=0, most=2**31)
    rng = np.random.default_rng(integer("seed", seed, least=0, most=2**64 - 1))
    arrays = _digits() if source == "digits" else _read(source)
    pairs = [_paired(arrays, names) for names in PAIRS if names[0] in arrays]
    target, encoded = _target(target, [y for _, y in pairs])
    if "kernel" in arrays:
        return _given(source, target, encoded, *pairs[0], samples, test, rng)
    if len(pairs) == 1:
        x, y, x_test, y_test = _split(source, *pairs[0], samples, test, rng)
    else:
        x, y, x_test, y_test = _drawn(source, pairs, samples, test, rng)
    y, y_test = encoded(y), encoded(y_test)
    shape, features = x.shape[1:], int(np.prod(x.shape[1:]))
    x, x_test = _scaled(x.reshape(len(x), features), x_test.reshape(len(x_test), features), inputs)
    return Samples(source, target, x, y, x_test, y_test, shape)


def describe(samples: Samples) -> str:
    """What they are, in one line."""
    features = "a kernel of its own" if samples.kernel is not None else f"{samples.x.shape[1]} features"
    outputs = "" if samples.y.ndim == 1 else f" with {samples.y.shape[1]} outputs"
    tests = f", {len(samples.y_test)} to test with" if len(samples.y_test) else ""
    count = f"{len(samples.y)} sample{'s' if len(samples.y) > 1 else ''}"
    return f"{samples.source}, {count} of {features}, {samples.target}{outputs}{tests}"


def wrong(samples: Samples, outputs: np.ndarray) -> np.ndarray | None:
    """The fraction of test samples that outputs [..., sample(, output)] misclassify; None of regression."""
    if samples.target == "regression":
        return None
    if samples.target == "one-hot":
        return (outputs.argmax(axis=-1) != samples.y_test.argmax(axis=-1)).mean(axis=-1)
    return (outputs * samples.y_test <= 0).mean(axis=-1)


def _digits() -> dict[str, np.ndarray]:
    from sklearn.datasets import load_digits  # slow to import

    data: Any = load_digits()
    return {"x": data.images, "y": data.target}


def _read(source: str) -> dict[str, np.ndarray]:
    path = Path(source)
    if not path.is_file():
        raise ValueError(f"data must be 'digits' or a .npz file, there is no file {source}")
    try:
        if not zipfile.is_zipfile(path):
            raise ValueError("it is no zip archive, as np.savez writes them")
        with np.load(path, allow_pickle=False) as file:
            found = set(file.files)
            wanted = next(
                (names for names in (PAIRS[0], (*PAIRS[2], *PAIRS[3]), PAIRS[1]) if found.issuperset(names)), None
            )
            if wanted is None:
                raise ValueError(f"it holds {', '.join(sorted(found)) or 'nothing'}")
            arrays = {name: file[name] for name in wanted}
    except (ValueError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(
            f"data must be a .npz file with x and y, with x_train, y_train, x_test and y_test, or with kernel and y; "
            f"{source} is none ({' '.join(str(error).split()) or type(error).__name__})"
        ) from None
    for name, array in arrays.items():
        if array.dtype.kind not in "fiub":
            raise TypeError(f"{name} in {source} must be an array of real numbers, got dtype {array.dtype}")
    return arrays


def _paired(arrays: dict[str, np.ndarray], names: tuple[str, str]) -> tuple[np.ndarray, np.ndarray]:
    """Inputs [sample, ...] and labels [sample(, output)] of one length; a kernel is square."""
    x, y = (arrays[name] for name in names)
    if names[0] == "kernel" and (x.ndim != 2 or x.shape[0] != x.shape[1] or not x.size):
        raise ValueError(f"kernel must be square, [sample, sample], got shape {x.shape}")
    if x.ndim < 1 or y.ndim not in (1, 2) or len(x) != len(y) or not x.size or not y.size:
        shapes = f"{names[0]} {x.shape} and {names[1]} {y.shape}"
        raise ValueError(f"data must have as many labels as samples, (sample,) or (sample, output), got {shapes}")
    return x, y[:, 0] if y.shape[1:] == (1,) else y


def _split(source: str, x: np.ndarray, y: np.ndarray, samples: int | None, test: int | None, rng: Any) -> tuple:
    count = min(1000, len(x)) if samples is None else samples
    rest = min(1000, max(len(x) - count, 0)) if test is None else test
    if count + rest > len(x):
        raise ValueError(f"{source} has {len(x)} samples, and samples + test = {count} + {rest} were asked for")
    order = rng.permutation(len(x))[: count + rest]
    return x[order[:count]], y[order[:count]], x[order[count:]], y[order[count:]]


def _drawn(source: str, pairs: list, samples: int | None, test: int | None, rng: Any) -> tuple:
    chosen = []
    for (x, y), name, asked in zip(pairs, ("x_train", "x_test"), (samples, test), strict=True):
        count = min(1000, len(x)) if asked is None else asked
        if count > len(x):
            raise ValueError(f"{source} has {len(x)} samples in {name}, and {count} were asked for")
        order = rng.permutation(len(x))[:count]
        chosen += [x[order], y[order]]
    x, y, x_test, y_test = chosen
    if x.shape[1:] != x_test.shape[1:] or y.shape[1:] != y_test.shape[1:]:
        raise ValueError(
            f"samples to train on and to test with must be alike, got inputs of shape {x.shape[1:]} and "
            f"{x_test.shape[1:]}, labels of shape {y.shape[1:]} and {y_test.shape[1:]}"
        )
    return x, y, x_test, y_test


def _given(
    source: str,
    target: str,
    encoded: Encoding,
    kernel: np.ndarray,
    y: np.ndarray,
    samples: int | None,
    test: int | None,
    rng: Any,
) -> Samples:
    if test:
        raise ValueError(f"test must be 0 with the kernel in {source}, which knows its own samples only, got {test}")
    if samples is not None and samples > len(y):
        raise ValueError(f"{source} has {len(y)} samples, and {samples} were asked for")
    order = np.arange(len(y)) if samples is None else rng.permutation(len(y))[:samples]
    empty = np.empty((len(order), 0))
    chosen = kernel if samples is None else kernel[np.ix_(order, order)]
    return Samples(source, target, empty, encoded(y[order]), empty[:0], encoded(y[:0]), (), chosen)


def _target(target: str | None, labels: list[np.ndarray]) -> tuple[str, Encoding]:
    """What is learned, by name, and what makes targets of labels; decided by all: to train on, perhaps to test with."""
    for y in labels:
        if not np.isfinite(y).all():
            raise ValueError(f"labels must be finite, {np.count_nonzero(~np.isfinite(y))} of them are not")
    whole = all(y.ndim == 1 and bool((y == np.floor(y)).all()) for y in labels)
    signs = whole and all(bool(np.isin(y, (-1, 1)).all()) for y in labels)
    if target is None:
        integers = whole and all(y.dtype.kind in "iub" for y in labels)
        target = "sign" if signs else "even-odd" if integers else "regression"
    if target == "regression" or (target == "one-hot" and all(map(_is_one_hot, labels))):
        return target, _as_they_are
    if not whole:
        raise ValueError(f"target {target!r} needs whole numbers, one a sample, as labels; only 'regression' does not")
    if target == "sign":
        if not signs:
            raise ValueError("target 'sign' needs labels of -1 and 1, got others; 'even-odd' makes them of numbers")
        return target, _as_they_are
    if target == "even-odd":
        return target, _parities(labels)
    classes = np.unique(labels[0])
    strange = np.setdiff1d(np.concatenate(labels), classes)
    if strange.size:
        raise ValueError(f"class {strange[0]:g} is tested for, but among the samples to train on there is none of it")
    if len(classes) > 1000:
        raise ValueError(f"target 'one-hot' is for classes, at most 1000; there are {len(classes)} different labels")
    return target, lambda y: (y[:, None] == classes).astype(np.float64)


def _as_they_are(y: np.ndarray) -> np.ndarray:
    return y.astype(np.float64)


def _is_one_hot(y: np.ndarray) -> bool:
    return y.ndim == 2 and bool(((y == 0) | (y == 1)).all() and (y.sum(axis=1) == 1).all())


def _parities(labels: list[np.ndarray]) -> Encoding:
    """+1 for even labels, -1 for odd; ValueError where that tells none of them apart."""
    different = np.unique(np.concatenate(labels))
    if different.size > 1 and len(np.unique(different % 2)) == 1:
        raise ValueError(
            f"target 'even-odd' tells no labels apart, {different[0]:g}, {different[1]:g}, ... are all "
            f"{'odd' if different[0] % 2 else 'even'}; take 'sign', 'one-hot' or 'regression'"
        )
    return lambda y: 1.0 - 2 * (y % 2)


def _scaled(x: np.ndarray, x_test: np.ndarray, inputs: str) -> tuple[np.ndarray, np.ndarray]:
    x, x_test = x.astype(np.float64), x_test.astype(np.float64)
    for name, values in (("inputs", x), ("inputs of the test", x_test)):
        if not np.isfinite(values).all():
            raise ValueError(f"{name} must be finite, {np.sum(~np.isfinite(values))} of their numbers are not")
    shift, scale = 0.0, 1.0
    if inputs == "standard":
        shift, scale = float(x.mean()), float(x.std())
    elif inputs == "scaled":
        scale = float(np.abs(x).max())
    if scale == 0:
        raise ValueError(f"inputs of the samples to train on are all {x.flat[0]:g}, which cannot be scaled")
    return (x - shift) / scale, (x_test - shift) / scale

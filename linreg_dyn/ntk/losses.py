"""Losses of a sample, `l(f, y)`; the loss of training is their sum over samples, not the mean, and never includes L2.

A mean over N samples is the same dynamics with the kernel divided by N. All functions work on whole arrays, outputs
`f` and labels `y` (sample, output).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from linreg_dyn._checks import number
from linreg_dyn.problem import Array, as_floats

Function = Callable[[Array, Array], Array]


@dataclass(frozen=True)
class Loss:
    """A loss by its derivative, and what else is known of it.

    Attributes:
        name: for datasets and messages.
        derivative: `dl/df`, arrays f and y (sample, output) to one of their shape; plain or compiled.
        value: l of each sample, (sample,); None if nobody needs to know it.
        curvature: `d^2 l / df df'`, (sample, output, output); None: by differences of `derivative`, which then must
            not mix samples.
        steepest: a bound of the eigenvalues of `curvature` for all f; infinite if there is none, or it is not known.
        wrong: whether each sample is classified wrongly, (sample,); None where that means nothing.
        labels: what turns the user's labels into y (sample, output); takes them and the number of outputs, or None.
    """

    name: str
    derivative: Function
    value: Function | None = None
    curvature: Function | None = None
    steepest: float = math.inf
    wrong: Function | None = None
    labels: Callable[[Any, int | None], Array] | None = None

    def curvature_at(self, f: Array, y: Array) -> Array:
        """`d^2 l / df df'` (sample, output, output)."""
        if self.curvature is not None:
            return self.curvature(f, y)
        h = float(np.finfo(float).eps) ** (1 / 3) * np.maximum(1.0, np.abs(f).max())
        columns = [
            (self.derivative(f + h * e, y) - self.derivative(f - h * e, y)) / (2 * h) for e in np.eye(f.shape[1])
        ]
        return np.stack(columns, axis=-1)


def as_loss(loss: Any) -> Loss:
    """`loss` as a `Loss`: one already, the name of one, or a derivative `dl/df` as a function of f and y."""
    if isinstance(loss, Loss):
        return loss
    if isinstance(loss, str):
        if loss not in _NAMED:
            raise ValueError(f"loss must be one of {', '.join(map(repr, _NAMED))}, or dl/df, got {loss!r}")
        return _NAMED[loss]()
    if callable(loss):
        derivative: Any = loss
        return Loss(getattr(loss, "__name__", "user's"), derivative)
    raise TypeError(f"loss must be a name, a Loss, or dl/df as a function of f and y, got {loss!r:.80}")


@cache
def mse() -> Loss:
    """`(f - y)^2 / 2`, summed over outputs (Theorem 2)."""

    def derivative(f: Array, y: Array) -> Array:
        return f - y

    def value(f: Array, y: Array) -> Array:
        return 0.5 * np.sum((f - y) ** 2, axis=-1)

    def curvature(f: Array, y: Array) -> Array:
        return np.broadcast_to(np.eye(f.shape[1]), (*f.shape, f.shape[1]))

    return Loss("mse", derivative, value, curvature, 1.0)


@cache
def huber(delta: float = 1.0) -> Loss:
    """`r^2 / 2` where `|r| <= delta`, `delta |r| - delta^2 / 2` beyond, for `r = f - y`, summed over outputs."""
    delta = number("delta of huber", delta, above=0)

    def value(f: Array, y: Array) -> Array:
        inside = np.clip(f - y, -delta, delta)
        return np.sum(inside * (f - y) - 0.5 * inside**2, axis=-1)

    def curvature(f: Array, y: Array) -> Array:
        return (np.abs(f - y) <= delta)[:, :, np.newaxis] * np.eye(f.shape[1])

    def derivative(f: Array, y: Array) -> Array:
        return np.clip(f - y, -delta, delta)

    return Loss("huber", derivative, value, curvature, 1.0)


@cache
def logistic() -> Loss:
    """`log(1 + e^(-y f))` with labels -1 and 1, in nats, summed over outputs."""

    def slope(f: Array, y: Array) -> Array:  # of the logistic function, at -y f
        return 1 / (1 + np.exp(np.clip(y * f, -700, 700)))

    def curvature(f: Array, y: Array) -> Array:
        p = slope(f, y)
        return (p * (1 - p))[:, :, np.newaxis] * np.eye(f.shape[1])

    return Loss(
        "logistic",
        lambda f, y: -y * slope(f, y),
        lambda f, y: np.sum(np.logaddexp(0, -y * f), axis=-1),
        curvature,
        0.25,
        lambda f, y: np.any(y * f <= 0, axis=-1),
        _signs,
    )


@cache
def softmax() -> Loss:
    """`-sum_c y_c log p_c`, `p = softmax(f)`, in nats, without any division by the numbers of classes or samples.

    (Lewkowycz and Gur-Ari, supplement A, divide by `2 k |B|`, k the number of classes and B the batch, and lose the
    sign.) A sample counts as classified if its label alone has the largest output.
    """

    def probabilities(f: Array) -> Array:
        powers = np.exp(f - f.max(axis=-1, keepdims=True))
        return powers / powers.sum(axis=-1, keepdims=True)

    def value(f: Array, y: Array) -> Array:
        largest = f.max(axis=-1, keepdims=True)
        normalisation = largest[:, 0] + np.log(np.exp(f - largest).sum(axis=-1))
        return np.sum(y * (normalisation[:, np.newaxis] - f), axis=-1)

    def curvature(f: Array, y: Array) -> Array:
        p = probabilities(f)
        return p[:, :, np.newaxis] * (np.eye(f.shape[1]) - p[:, np.newaxis, :])

    def wrong(f: Array, y: Array) -> Array:
        label = y.argmax(axis=-1)[:, np.newaxis]
        others = f.copy()
        np.put_along_axis(others, label, -np.inf, axis=-1)
        return np.take_along_axis(f, label, axis=-1)[:, 0] <= others.max(axis=-1)

    return Loss("softmax", lambda f, y: probabilities(f) - y, value, curvature, 0.5, wrong, _classes)


_NAMED = {"mse": mse, "softmax": softmax, "logistic": logistic, "huber": huber}


def as_numbers(y: Any, outputs: int | None, name: str = "y") -> Array:
    """Labels (sample, output); those of one output may be (sample,)."""
    labels = as_floats(name, y)
    if labels.ndim == 1:
        labels = labels[:, np.newaxis]
    if labels.ndim != 2 or not labels.size or (outputs is not None and labels.shape[1] != outputs):
        wanted = "(sample,) or (sample, output)" if outputs is None else f"(sample, {outputs})"
        raise ValueError(f"{name} must have a shape {wanted} without zeros, got {np.shape(y)}")
    return labels


def _signs(y: Any, outputs: int | None) -> Array:
    labels = as_numbers(y, outputs)
    if not np.isin(labels, (-1, 1)).all():
        raise ValueError(f"y of the logistic loss must be -1 or 1, got {labels[~np.isin(labels, (-1, 1))][0]:g}")
    return labels


def _classes(y: Any, outputs: int | None) -> Array:
    """One-hot labels, from these or from the numbers of classes."""
    labels = np.asarray(y)
    if labels.ndim == 1 and labels.dtype.kind in "iu" and labels.size:
        count = int(labels.max()) + 1 if outputs is None else outputs
        if labels.min() < 0 or labels.max() >= count or count < 2:
            raise ValueError(
                f"y of the softmax loss must be classes from 0 on, two at least, below the number of outputs, got "
                f"{labels.min()} to {labels.max()}" + ("" if outputs is None else f" with {outputs} outputs")
            )
        return np.eye(count)[labels]
    if labels.ndim != 2:
        raise ValueError(f"y of the softmax loss must be integers (sample,), or (sample, output), got {labels.shape}")
    hot = as_numbers(y, outputs)
    if hot.shape[1] < 2 or hot.min() < 0 or np.abs(hot.sum(axis=1) - 1).max() > 1e-9:
        raise ValueError(
            "y of the softmax loss must be probabilities of two classes at least, (sample, output): >= 0, and 1 for "
            "each sample"
        )
    return hot

"""Losses by name; each is a mean over the mini-batch, so that its scale does not depend on the batch's size."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

Loss = Callable[[Tensor, Tensor], Tensor]


def softmax(outputs: Tensor, target: Tensor) -> Tensor:
    """Cross entropy, -log p_y; `target` (sample,) are labels, or (sample, class) shares that sum to 1."""
    return F.cross_entropy(outputs, target)


def lewkowycz_softmax(outputs: Tensor, target: Tensor) -> Tensor:
    """Cross entropy over 2 k, k being the number of classes (Lewkowycz & Gur-Ari, SM A, with the sign that lacks)."""
    return F.cross_entropy(outputs, target) / (2 * outputs.shape[1])


def mse(outputs: Tensor, target: Tensor) -> Tensor:
    """|f - y|^2 / 2, summed over outputs; labels stand for one-hot vectors."""
    return 0.5 * (outputs - as_vectors(outputs, target)).square().flatten(1).sum(1).mean()


def mean_square(outputs: Tensor, target: Tensor) -> Tensor:
    """(f - y)^2, the mean over outputs too: what `torch.nn.MSELoss` computes; labels stand for one-hot vectors."""
    return (outputs - as_vectors(outputs, target)).square().mean()


def parity(outputs: Tensor, target: Tensor) -> Tensor:
    """(f - y)^2 / 2 of one output, with y = 1 for even labels and -1 for odd ones (Lewkowycz & Gur-Ari, Fig. 5c)."""
    return 0.5 * (outputs[:, 0] - (1 - 2 * (target % 2)).to(outputs.dtype)).square().mean()


LOSSES: dict[str, Loss] = {
    "softmax": softmax,
    "lewkowycz_softmax": lewkowycz_softmax,
    "mse": mse,
    "mean_square": mean_square,
    "parity": parity,
}


def as_vectors(outputs: Tensor, target: Tensor) -> Tensor:
    """Labels (sample,) as one-hot vectors of the outputs' kind; anything else as it is."""
    if target.ndim > 1:
        return target.to(outputs.dtype)
    return F.one_hot(target, outputs.shape[1]).to(outputs.dtype)


def correct(loss: str, outputs: Tensor, target: Tensor) -> Tensor:
    """How many labels are right, of the class or of the parity; 0 where targets are no labels."""
    if loss == "parity":
        return ((outputs[:, 0] > 0) == (target % 2 == 0)).sum()
    if target.ndim > 1:
        return torch.zeros((), device=outputs.device, dtype=torch.long)
    return (outputs.argmax(1) == target).sum()

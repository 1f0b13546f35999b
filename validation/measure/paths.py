"""Where a training goes: principal components of its path, and how far its kernel has moved."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn


def snapshot(model: nn.Module) -> Tensor:
    """All trained weights as one vector, float32, on the CPU."""
    return torch.cat([p.detach().flatten() for p in model.parameters() if p.requires_grad]).float().cpu()


class Components(NamedTuple):
    """Coordinates of each snapshot, (snapshot, component), and each component's share of the variance, (component,)."""

    coordinates: np.ndarray
    shares: np.ndarray


def principal_components(path: Tensor, count: int = 2) -> Components:
    """Principal components of a path, (snapshot, weight), around its mean (Golatkar et al., 2019, Fig. 2D).

    From the snapshots' Gram matrix in float64: exact for any number of weights. Signs are such that the last snapshot's
    coordinates are not negative.
    """
    centred = path.double() - path.double().mean(0)
    gram = (centred @ centred.T).numpy()
    values, vectors = np.linalg.eigh(gram)
    values, vectors = np.maximum(values[::-1], 0), vectors[:, ::-1]
    coordinates = vectors[:, :count] * np.sqrt(values[:count])
    coordinates = coordinates * np.where(coordinates[-1] < 0, -1, 1)
    total = values.sum()
    return Components(coordinates, values[:count] / total if total > 0 else np.zeros(count))


def kernel_drift(now: np.ndarray, start: np.ndarray) -> float:
    """|K - K_0| / |K_0| in the Frobenius norm: how far a neural tangent kernel has moved."""
    return float(np.linalg.norm(now - start) / np.linalg.norm(start))


def kernel_decay(now: np.ndarray, start: np.ndarray) -> float:
    """The factor by which the kernel has shrunk along itself, <K, K_0> / |K_0|^2; e^{-2 (k - 1) l2 t} in theory."""
    return float(np.vdot(now, start) / np.vdot(start, start))

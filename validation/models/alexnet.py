"""The small AlexNet of Zhang et al. (2017), which Chen et al. (2020) train."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.functional import pad

from validation.models.layers import Flatten, act, conv, lecun


def alexnet(*, channels: int, side: int, classes: int, width: int = 64, activation: str = "relu") -> nn.Module:
    """Twice 5 x 5 convolution, 3 x 3 max pool of stride 2, local response norm; then 384, 192 and `classes` units.

    For the 28 x 28 x 3 images of Zhang et al. it has their 1,387,786 parameters.
    """
    if side < 4:
        raise ValueError(f"side must be at least 4, got {side}")
    layers: list[nn.Module] = []
    inside = channels
    for _ in range(2):
        layers += [
            conv(inside, width, 5, bias=True),
            act(activation),
            nn.MaxPool2d(3, 2, 1),
            LocalResponseNorm(),
        ]
        inside, side = width, (side + 1) // 2
    layers += [Flatten(), nn.Linear(width * side**2, 384), act(activation)]
    layers += [nn.Linear(384, 192), act(activation), nn.Linear(192, classes)]
    return lecun(nn.Sequential(*layers), 2**0.5 if "relu" in activation else 1.0)


class LocalResponseNorm(nn.Module):
    """x / (1 + 1e-4 m)^(3/4), m being the mean of x^2 over five channels (Krizhevsky et al., 2012), 0 beyond the last.

    As torch's own, by sums that come to the same bits each time on a GPU too.
    """

    def forward(self, x: torch.Tensor) -> torch.Tensor:  # noqa: D102
        squares = pad(x.square(), (0, 0, 0, 0, 2, 2))
        near = torch.stack([squares[:, k : k + x.shape[1]] for k in range(5)]).sum(0)
        return x / (1 + 2e-5 * near) ** 0.75

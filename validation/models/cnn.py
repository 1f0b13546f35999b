"""Convolutional networks without skips: the CNN of Lewkowycz & Gur-Ari, and All-CNN-C."""

from __future__ import annotations

import math

from torch import nn

from validation.models.layers import Flatten, act, conv, he, lecun, norm


def lewkowycz_cnn(
    *, channels: int, side: int, classes: int, width: int = 300, dense: int = 500, norms: str = "none", pool: int = 6
) -> nn.Module:
    """The CNN of Lewkowycz & Gur-Ari (SM A), sigma_w = sqrt(2), sigma_b = 0.

    Conv SAME, act, conv VALID, act, max pool, conv SAME, act, conv VALID, max pool, flatten, dense(500), dense(10);
    "Act" is (batch norm and) ReLU. The pools are 6 x 6 with stride 1, the default of the library that the paper used:
    with a stride of 6 the second would not fit into the image.

    Args:
        channels, side, classes: the images and how many outputs.
        width: filters of each convolution.
        dense: units of the first dense layer.
        norms: "all" or "none".
        pool: side of the pools.
    """
    left = side - 2 - 2 * (pool - 1) - 2
    if left < 1:
        raise ValueError(f"side must be at least {2 * pool + 3} for pools of {pool}, got {side}")

    def norm_and_relu() -> tuple[nn.Module, ...]:
        return norm(norms, width, 0), act("relu")

    layers = (
        *(
            conv(channels, width, bias=True),
            *norm_and_relu(),
            conv(width, width, padding=0, bias=True),
            *norm_and_relu(),
        ),
        nn.MaxPool2d(pool, 1),
        *(conv(width, width, bias=True), *norm_and_relu(), conv(width, width, padding=0, bias=True)),
        nn.MaxPool2d(pool, 1),
        *(Flatten(), nn.Linear(width * left**2, dense), nn.Linear(dense, classes)),
    )
    return lecun(nn.Sequential(*layers), math.sqrt(2))


def all_cnn(
    *, channels: int, side: int, classes: int, width: int = 96, norms: str = "all", bias: bool = True
) -> nn.Module:
    """All-CNN-C of Springenberg et al. (2015), without dropout; Golatkar et al. use it with batch norm and without.

    Args:
        channels, side, classes: the images and how many outputs.
        width: filters of the first block; the others have twice as many.
        norms: "all" or "none".
        bias: whether convolutions have biases; without, and without norms, it is homogeneous in every layer.
    """
    if side < 4:
        raise ValueError(f"side must be at least 4, got {side}")
    wide = 2 * width
    plan = [
        (width, 3, 1),
        (width, 3, 1),
        (width, 3, 2),
        (wide, 3, 1),
        (wide, 3, 1),
        (wide, 3, 2),
        (wide, 3, 1),
        (wide, 1, 1),
    ]
    layers: list[nn.Module] = []
    inside = channels
    for outside, size, stride in plan:
        layers += [conv(inside, outside, size, stride, bias=bias), norm(norms, outside, 0), act("relu")]
        inside = outside
    layers += [conv(inside, classes, 1, bias=bias), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    return he(nn.Sequential(*layers))

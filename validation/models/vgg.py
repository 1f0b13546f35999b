"""VGG-11 and -16 for small images, without dropout (Simonyan & Zisserman, 2015; Chen et al., 2020)."""

from __future__ import annotations

from torch import nn

from linreg_dyn._checks import choice
from validation.models.layers import act, conv, he, norm

STAGES = {11: (1, 1, 2, 2, 2), 16: (2, 2, 3, 3, 3)}


def vgg(
    *,
    channels: int,
    side: int,
    classes: int,
    depth: int = 16,
    width: int = 64,
    activation: str = "relu",
    norms: str = "all",
) -> nn.Module:
    """Five blocks of convolutions with a 2 x 2 pool after each as long as the image allows, then one dense layer.

    Args:
        channels, side, classes: the images and how many outputs.
        depth: 11 or 16.
        width: filters of the first block; the others have 2, 4, 8 and 8 times as many.
        activation: of all layers.
        norms: "all", "first" (of each block) or "none" of the batch norms.
    """
    stages = STAGES[int(choice("depth", str(depth), tuple(map(str, STAGES))))]
    layers: list[nn.Module] = []
    inside = channels
    for stage, count in enumerate(stages):
        outside = width * min(8, 2**stage)
        for k in range(count):
            layers += [conv(inside, outside, bias=True), norm(norms, outside, k), act(activation)]
            inside = outside
        if side >= 2:
            layers.append(nn.MaxPool2d(2))
            side //= 2
    return he(nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(inside, classes)))

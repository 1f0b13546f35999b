"""Wide residual networks (Zagoruyko & Komodakis, 2016)."""

from __future__ import annotations

import torch
from torch import nn

from linreg_dyn._checks import integer
from validation.models.layers import act, conv, he, lecun, norm


class Block(nn.Module):
    """Norm, ReLU, convolution, twice; the shortcut starts after the first ReLU where the shape changes."""

    def __init__(self, inside: int, outside: int, stride: int, norms: str):
        super().__init__()
        bias = norms == "none"
        self.norm_first, self.norm_second = norm(norms, inside, 0), norm(norms, outside, 1)
        self.act = act("relu")
        self.first = conv(inside, outside, 3, stride, bias=bias)
        self.second = conv(outside, outside, bias=bias)
        changes = stride != 1 or inside != outside
        self.project = conv(inside, outside, 1, stride, bias=bias) if changes else None

    def forward(self, x: torch.Tensor) -> torch.Tensor:  # noqa: D102
        y = self.act(self.norm_first(x))
        short = x if self.project is None else self.project(y)
        return short + self.second(self.act(self.norm_second(self.first(y))))


def wide_resnet(
    *,
    channels: int,
    side: int,
    classes: int,
    depth: int = 28,
    widen: int = 10,
    norms: str = "all",
    weight_std: float | None = None,
) -> nn.Module:
    """WRN-depth-widen; 28-10 is the one of Lewkowycz & Gur-Ari, which starts with `weight_std=1`.

    Args:
        channels, side, classes: the images and how many outputs.
        depth: 6 n + 4.
        widen: how many times wider than the thin ResNet.
        norms: "all", "first" (of each block) or "none" of the batch norms.
        weight_std: sigma_w of LeCun initialisation; None: He's.
    """
    depth = integer("depth", depth, least=10, most=10_000)
    if depth % 6 != 4:
        raise ValueError(f"depth must be 6 n + 4, got {depth}")
    inside = 16
    layers: list[nn.Module] = [conv(channels, inside, bias=norms == "none")]
    for stage in range(3):
        for k in range((depth - 4) // 6):
            outside = 16 * widen * 2**stage
            layers.append(Block(inside, outside, 2 if stage and k == 0 else 1, norms))
            inside = outside
    layers += [
        norm(norms, inside, 0),
        act("relu"),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(inside, classes),
    ]
    model = nn.Sequential(*layers)
    return he(model) if weight_std is None else lecun(model, weight_std)

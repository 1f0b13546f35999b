"""Residual networks for small images: ResNet-18 and -34, and the thin ones of 6 n + 2 layers."""

from __future__ import annotations

import torch
from torch import nn

from linreg_dyn._checks import choice, integer
from validation.models.layers import act, conv, he, norm

BLOCKS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3)}
SKIPS = ("all", "first", "first_two", "none")


class Block(nn.Module):
    """Two 3 x 3 convolutions and a shortcut: the input, brought to the output's shape, or nothing.

    Where the shape changes, "projection" is a 1 x 1 convolution, "padding" every second pixel and channels of zeros.
    """

    def __init__(
        self, inside: int, outside: int, stride: int, *, activation: str, norms: str, skip: bool, shortcut: str
    ):
        super().__init__()
        bias = norms == "none"
        self.first = conv(inside, outside, 3, stride, bias=bias)
        self.norm_first = norm(norms, outside, 0)
        self.act = act(activation)
        self.second = conv(outside, outside, bias=bias or norms == "first")
        self.norm_second = norm(norms, outside, 1)
        self.skip, self.stride, self.more = skip, stride, outside - inside
        changes = stride != 1 or inside != outside
        self.project: nn.Module | None = None
        if skip and changes and shortcut == "projection":
            self.project = nn.Sequential(conv(inside, outside, 1, stride, bias=bias), norm(norms, outside, 0))

    def forward(self, x: torch.Tensor) -> torch.Tensor:  # noqa: D102
        y = self.norm_second(self.second(self.act(self.norm_first(self.first(x)))))
        if self.skip:
            y = y + self._shortcut(x)
        return self.act(y)

    def _shortcut(self, x: torch.Tensor) -> torch.Tensor:
        if self.project is not None:
            return self.project(x)
        if self.stride == 1 and not self.more:
            return x
        return nn.functional.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, 0, self.more))


def resnet(
    *,
    channels: int,
    side: int,
    classes: int,
    depth: int = 18,
    width: int = 64,
    activation: str = "relu",
    norms: str = "all",
    skips: str = "all",
) -> nn.Module:
    """ResNet-18 or -34 with a stem for small images: a 3 x 3 convolution, no pool (He et al., 2016).

    Args:
        channels, side, classes: the images and how many outputs.
        depth: 18 or 34.
        width: filters of the first of four stages, each with twice as many as the last.
        activation: of all layers.
        norms: "all", "first" (of each block) or "none" of the batch norms.
        skips: "all", "first" (of each stage), "first_two" or "none" of the skip connections.
    """
    blocks = BLOCKS[int(choice("depth", str(depth), tuple(map(str, BLOCKS))))]
    return _residual(channels, classes, width, blocks, activation, norms, skips, "projection")


def thin_resnet(
    *, channels: int, side: int, classes: int, depth: int = 32, width: int = 16, norms: str = "all", skips: str = "all"
) -> nn.Module:
    """The ResNet of 6 n + 2 layers for CIFAR, shortcuts without parameters (He et al., 2016, section 4.2)."""
    depth = integer("depth", depth, least=8, most=10_000)
    if depth % 6 != 2:
        raise ValueError(f"depth must be 6 n + 2, got {depth}")
    return _residual(channels, classes, width, ((depth - 2) // 6,) * 3, "relu", norms, skips, "padding")


def _residual(
    channels: int,
    classes: int,
    width: int,
    stages: tuple[int, ...],
    activation: str,
    norms: str,
    skips: str,
    shortcut: str,
) -> nn.Module:
    kept = {"all": max(stages), "first": 1, "first_two": 2, "none": 0}[choice("skips", skips, SKIPS)]
    layers: list[nn.Module] = [conv(channels, width, bias=norms == "none"), norm(norms, width, 0), act(activation)]
    inside = width
    for stage, count in enumerate(stages):
        outside = width * 2**stage
        for k in range(count):
            stride = 2 if stage and k == 0 else 1
            layers.append(
                Block(inside, outside, stride, activation=activation, norms=norms, skip=k < kept, shortcut=shortcut)
            )
            inside = outside
    return he(nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(inside, classes)))

"""A U-Net whose skip connections can be left out (Ronneberger et al., 2015; Chen et al., 2020)."""

from __future__ import annotations

import torch
from torch import nn

from linreg_dyn._checks import integer
from validation.models.layers import act, conv, lecun


class UNet(nn.Module):
    """Down through `levels` halvings and up again; a level that is skipped to gets zeros for what it lacks."""

    def __init__(self, channels: int, width: int, levels: int, skips: int, activation: str):
        super().__init__()
        sizes = [width * 2**k for k in range(levels + 1)]
        self.down = nn.ModuleList(_twice(a, b, activation) for a, b in zip([channels, *sizes], sizes, strict=False))
        self.pool = nn.MaxPool2d(2)
        self.rise = nn.ModuleList(nn.ConvTranspose2d(2 * n, n, 2, 2) for n in reversed(sizes[:-1]))
        kept = [k >= levels - skips for k in range(levels)]
        self.kept = kept
        self.up = nn.ModuleList(
            _twice(2 * n if k else n, n, activation) for n, k in zip(reversed(sizes[:-1]), kept, strict=True)
        )
        self.last = conv(width, channels, 1, bias=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:  # noqa: D102
        seen = []
        for k, block in enumerate(self.down):
            x = block(self.pool(x) if k else x)
            seen.append(x)
        for rise, block, kept, other in zip(self.rise, self.up, self.kept, reversed(seen[:-1]), strict=True):
            x = rise(x)
            x = block(torch.cat([other, x], 1) if kept else x)
        return self.last(x)


def unet(
    *,
    channels: int,
    side: int,
    classes: int = 0,
    width: int = 64,
    levels: int = 4,
    skips: int | None = None,
    activation: str = "relu",
) -> nn.Module:
    """Images to images of the same shape; Chen et al. train it with the MSE loss.

    Args:
        channels, side: the images. `classes` plays no part.
        width: filters of the topmost level, each below having twice as many.
        levels: how often the image is halved.
        skips: how many of the last skip connections (those nearest to the output) are kept; None: all.
        activation: of all layers.
    """
    levels = integer("levels", levels, least=1, most=10)
    skips = levels if skips is None else integer("skips", skips, least=0, most=levels)
    if side % 2**levels:
        raise ValueError(f"side must be a multiple of {2**levels} for {levels} levels, got {side}")
    model = UNet(channels, width, levels, skips, activation)
    return lecun(model, 2**0.5 if "relu" in activation else 1.0)


def _twice(inside: int, outside: int, activation: str) -> nn.Module:
    return nn.Sequential(
        *(conv(inside, outside, bias=True), act(activation), conv(outside, outside, bias=True), act(activation))
    )

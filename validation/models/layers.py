"""What the networks share: activations, batch norms that can be left out, and initialisations."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import nn

from linreg_dyn._checks import choice

ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "relu": lambda: nn.ReLU(),
    "leaky_relu": lambda: nn.LeakyReLU(0.01),  # the slope of Chen et al.
    "tanh": lambda: nn.Tanh(),
    "sigmoid": lambda: nn.Sigmoid(),
    "linear": lambda: nn.Identity(),
}
NORMS = ("all", "first", "none")


def act(name: str) -> nn.Module:
    """An activation by name."""
    return ACTIVATIONS[choice("activation", name, tuple(ACTIVATIONS))]()


def norm(kept: str, channels: int, place: int) -> nn.Module:
    """The batch norm at a place (0, 1, ...) of its block: `kept` is "all", "first" (of each block) or "none"."""
    kept = choice("norm", kept, NORMS)
    return nn.BatchNorm2d(channels) if kept == "all" or (kept == "first" and place == 0) else nn.Identity()


def conv(
    inside: int, outside: int, size: int = 3, stride: int = 1, padding: int | None = None, *, bias: bool
) -> nn.Conv2d:
    """A convolution, by default padded so that a stride of 1 keeps the image's size."""
    return nn.Conv2d(inside, outside, size, stride, size // 2 if padding is None else padding, bias=bias)


def lecun(model: nn.Module, weight_std: float, bias_std: float = 0.0) -> nn.Module:
    """W ~ N(0, weight_std^2 / fan_in), b ~ N(0, bias_std^2): LeCun initialisation (Lewkowycz & Gur-Ari, SM A)."""
    for layer in model.modules():
        if isinstance(layer, (nn.Conv2d, nn.Linear)):
            fan_in = layer.weight[0].numel()
            nn.init.normal_(layer.weight, std=weight_std / math.sqrt(fan_in))
            if layer.bias is not None:
                nn.init.normal_(layer.bias, std=bias_std)
    return model


def he(model: nn.Module) -> nn.Module:
    """W ~ N(0, 2 / fan_in), b = 0: He et al.'s initialisation for ReLU networks."""
    return lecun(model, math.sqrt(2.0))


class Flatten(nn.Module):
    """Images (sample, channel, row, column) as rows, in the order of (row, column, channel) for any memory format."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:  # noqa: D102
        return x.permute(0, 2, 3, 1).flatten(1) if x.ndim == 4 else x.flatten(1)

"""Fully connected networks, in standard or NTK parameterisation."""

from __future__ import annotations

import math
from itertools import pairwise

import torch
from torch import nn

from linreg_dyn._checks import choice, integer, number
from validation.models.layers import Flatten, act, lecun


def fc(
    *,
    channels: int,
    side: int,
    classes: int,
    width: int = 2048,
    depth: int = 3,
    activation: str = "relu",
    weight_std: float = math.sqrt(2),
    bias: bool = True,
    parameterisation: str = "standard",
) -> nn.Module:
    """`depth` hidden layers of `width`, by default the FC of Lewkowycz & Gur-Ari (SM A).

    Args:
        channels, side, classes: the images and how many outputs.
        width: of the hidden layers.
        depth: how many hidden layers; 0 is a linear model.
        activation: of the hidden layers.
        weight_std: sigma_w; biases start at 0.
        bias: whether there are biases (without, ReLU and linear networks are homogeneous of degree depth + 1).
        parameterisation: "standard": W ~ N(0, sigma_w^2 / fan_in); "ntk": W ~ N(0, 1), and the layer multiplies by
            sigma_w / sqrt(fan_in).
    """
    width, depth = integer("width", width, least=1, most=2**20), integer("depth", depth, least=0, most=1000)
    weight_std = number("weight_std", weight_std, above=0)
    choice("parameterisation", parameterisation, ("standard", "ntk"))
    sizes = [channels * side * side, *[width] * depth, classes]
    layers: list[nn.Module] = [Flatten()]
    for k, (a, b) in enumerate(pairwise(sizes)):
        layers.append(NTKLinear(a, b, weight_std, bias=bias) if parameterisation == "ntk" else nn.Linear(a, b, bias))
        if k < depth:
            layers.append(act(activation))
    model = nn.Sequential(*layers)
    return model if parameterisation == "ntk" else lecun(model, weight_std)


class NTKLinear(nn.Module):
    """y = sigma_w / sqrt(fan_in) W x + b with W ~ N(0, 1) and b = 0 at the start (Jacot et al., 2018)."""

    def __init__(self, inside: int, outside: int, weight_std: float, *, bias: bool):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outside, inside))
        self.bias = nn.Parameter(torch.zeros(outside)) if bias else None
        self.scale = weight_std / math.sqrt(inside)

    def forward(self, x: torch.Tensor) -> torch.Tensor:  # noqa: D102
        return nn.functional.linear(x * self.scale, self.weight, self.bias)

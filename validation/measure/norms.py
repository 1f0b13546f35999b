"""Sizes of layers: squared norms, layer imbalance, the effective learning rate."""

from __future__ import annotations

import warnings

import torch
from torch import nn


@torch.no_grad()
def squared_norms(model: nn.Module) -> torch.Tensor:
    """|W_l|^2 of every dense and convolutional layer's weight, in the order of the network, float64, (layer,)."""
    return torch.stack([w.double().square().sum() for w in layer_weights(model)])


def layer_weights(model: nn.Module) -> list[torch.Tensor]:
    """The weight tensors of dense and convolutional layers (two or more dimensions), in the order of the network."""
    return [p for p in model.parameters() if p.requires_grad and p.ndim > 1]


def layer_imbalance(model: nn.Module) -> torch.Tensor:
    """|W_{l+1}|^2 - |W_l|^2, (layer - 1,).

    The gradient flow of a loss keeps each of them, if the network is homogeneous of degree 1 in every layer: chains of
    dense and convolutional layers with linear, ReLU or leaky ReLU activations and max or mean pools, without biases
    and batch norm. Then <W_l, dL/dW_l> is the same for all layers, which is half the rate of |W_l|^2.

    Warns:
        UserWarning: the network has biases, or norms with parameters: nothing keeps it there.
    """
    small = [name for name, p in model.named_parameters() if p.requires_grad and p.ndim < 2]
    if small:
        text = f"the network has biases or norms, {small[0]} first: no gradient flow keeps its layer imbalance"
        warnings.warn(text, stacklevel=2)
    return squared_norms(model).diff()


@torch.no_grad()
def squared_norm(model: nn.Module) -> float:
    """|w|^2 over all parameters that are trained."""
    return float(sum(p.double().square().sum() for p in model.parameters() if p.requires_grad))


def effective_rate(rate: float, model: nn.Module) -> float:
    """rate / |w|^2 (Golatkar et al., 2019, section 4): the rate at which a scale-invariant network turns."""
    return rate / squared_norm(model)

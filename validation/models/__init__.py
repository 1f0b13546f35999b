"""The networks of the papers, plain and short; `build` makes one by name.

All take images (sample, channel, row, column) and return logits (sample, class), the U-Net images. Their switches are
those that a paper varies: activation, which batch norms and which skip connections are kept.
"""

from __future__ import annotations

from collections.abc import Callable

from torch import nn

from linreg_dyn._checks import choice
from validation.models.alexnet import alexnet
from validation.models.cnn import all_cnn, lewkowycz_cnn
from validation.models.fc import fc
from validation.models.resnet import resnet, thin_resnet
from validation.models.unet import unet
from validation.models.vgg import vgg
from validation.models.wide import wide_resnet

MODELS: dict[str, Callable[..., nn.Module]] = {
    "fc": fc,
    "lewkowycz_cnn": lewkowycz_cnn,
    "all_cnn": all_cnn,
    "resnet": resnet,
    "thin_resnet": thin_resnet,
    "wide_resnet": wide_resnet,
    "vgg": vgg,
    "alexnet": alexnet,
    "unet": unet,
}

__all__ = ["MODELS", "build", "parameters"]


def build(name: str, *, channels: int, side: int, classes: int, **options) -> nn.Module:
    """A network for images of `channels` x `side` x `side`; draws its weights from torch's global generator.

    ValueError for a name that is none of `MODELS`, or where a network's pools need a larger side.
    """
    return MODELS[choice("model", name, tuple(MODELS))](channels=channels, side=side, classes=classes, **options)


def parameters(model: nn.Module) -> int:
    """How many numbers are trained."""
    return sum(p.numel() for p in model.parameters() if p.requires_grad)

"""How long trainings take on one H200 by arithmetic: a first guess, before anything was measured.

A step takes what its operations do, or what its kernels do where there is little in each. The queue corrects guesses
by how the ones before turned out.
"""

from __future__ import annotations

import json
from functools import cache
from typing import Any, NamedTuple

import torch
from torch import nn

from linreg_dyn.files import canonical_json
from validation.catalogue import KNOWN
from validation.models import build

PEAK = {"bf16": 990e12, "tf32": 495e12, "float32": 67e12}
"""Operations a second of one H200, dense (its data sheet)."""
SHARE = 0.35
"""Of the peak that training reaches: what `make bench-gpu` aims at for ResNet-18."""
PER_SAMPLE = 0.02
"""Of the peak in TF32 that gradients sample by sample reach: products of small matrices."""
KERNELS, EACH = 4, 3e-6
"""Kernels that a layer has in a step (one forward, two backward, one for the update), and seconds of a short one."""
START = 10.0
"""Seconds in which a training is set up and its steps are recorded."""
TESTED, TRAINED = 10_000, 50_000
"""Images of a test, about, and of training sets."""


class Size(NamedTuple):
    """Of a network: operations of an image's forward pass, two a multiply-add; layers that it passes."""

    operations: float
    layers: int


def size(options: dict[str, Any], data: str) -> Size:
    """Of the network of these options, for images of a dataset; one that is not known has 64 x 64 and 1000 classes."""
    known = KNOWN.get(data)
    shape = (*known.shape, len(known.counts)) if known else (8, 1, 10) if data == "digits" else (64, 3, 1000)
    return _size(canonical_json(options), *shape)


@cache
def _size(options: str, side: int, channels: int, classes: int) -> Size:
    found = {"operations": 0.0, "layers": 0}

    def pass_by(layer: nn.Module, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> None:
        found["layers"] += 1
        if isinstance(layer, (nn.Conv2d, nn.Linear, nn.ConvTranspose2d)):
            of = inputs[0] if isinstance(layer, nn.ConvTranspose2d) else output
            found["operations"] += 2 * of.numel() * layer.weight[0].numel()

    with torch.device("meta"):  # shapes alone
        model = build(**json.loads(options), channels=channels, side=side, classes=classes).eval()
        for layer in model.modules():
            if not any(layer.children()):
                layer.register_forward_hook(pass_by)
        model(torch.empty(1, channels, side, side))
    return Size(**found)


def seconds(size: Size, *, steps: int, batch: int, precision: str, tests: int) -> float:
    """A training: its steps, so many tests on the way, and a look at all training images at its end."""
    rate = SHARE * PEAK[precision]
    step = max(3 * size.operations * batch / rate, KERNELS * EACH * size.layers)
    return START + steps * step + (tests * TESTED + TRAINED) * size.operations / rate


def per_sample_seconds(size: Size, images: int) -> float:
    """The gradients of so many images, one by one."""
    return images * 3 * size.operations / (PER_SAMPLE * PEAK["tf32"])

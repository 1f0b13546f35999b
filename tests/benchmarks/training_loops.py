"""Networks to be trained, the loops that train them, and how many operations that takes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

Advance = Callable[[int], Any]
"""Takes so many steps; returns their losses, on the device."""


@dataclass(frozen=True)
class Net:
    """A network of `validation.models`, its mini-batch, and the fraction of the peak that is aimed at."""

    name: str
    model: str
    options: dict[str, int] = field(default_factory=dict)
    batch: int = 1024
    aim: float | None = None
    compiling: float = 60.0
    """Seconds that must be left for a compiled run to begin."""


def multiply_adds(model: Any, shape: tuple[int, int, int]) -> int:
    """Of convolutions and dense layers, for one image (channel, row, column)."""
    import torch

    total = 0

    def count(layer: Any, inputs: Any, output: Any) -> None:
        nonlocal total
        total += output.numel() * layer.weight[0].numel()

    layers = [x for x in model.modules() if isinstance(x, torch.nn.Conv2d | torch.nn.Linear)]
    hooks = [layer.register_forward_hook(count) for layer in layers]
    training = model.training
    try:
        with torch.no_grad():
            model.eval()(torch.zeros(1, *shape, device=next(model.parameters()).device))
    finally:
        model.train(training)
        for hook in hooks:
            hook.remove()
    return total


def dataset(images: int, side: int = 32, channels: int = 3) -> Any:
    """Made-up images and labels of ten classes."""
    from validation.data import Dataset

    rng = np.random.default_rng(0)
    x = rng.integers(0, 256, (images, side, side, channels), dtype=np.uint8)
    y = rng.integers(0, 10, images)
    return Dataset("made up", x, y, x[:16], y[:16], 10)


def network(net: Net) -> Any:
    """The network as it starts."""
    import torch

    from validation.models import build

    torch.manual_seed(0)
    return build(net.model, channels=3, side=32, classes=10, **net.options)


def ours(net: Net, data: Any, device: str, compiled: bool) -> Advance:
    """The loop of `validation`."""
    from validation.batches import Augment
    from validation.train import Recipe, Trainer

    recipe = Recipe(
        10**6,
        net.batch,
        0.01,
        5e-4,
        optimiser="momentum",
        momentum=0.9,
        augment=Augment(flip=1, crop=1),
        precision="bf16",
        compile=compiled,
    )
    return Trainer(network(net), data, recipe, device).chunk


def plain(net: Net, data: Any, device: str) -> Advance:
    """The loop that one would write down."""
    import torch

    model = network(net).to(device)
    x = (torch.as_tensor(data.x_train).to(device).permute(0, 3, 1, 2).float().contiguous() / 255 - 0.5) / 0.29
    y = torch.as_tensor(data.y_train).to(device)
    optimiser = torch.optim.SGD(model.parameters(), 0.01, momentum=0.9, weight_decay=5e-4)
    batches = len(y) // net.batch

    def advance(steps: int) -> Any:
        losses = []
        for k in range(steps):
            if k % batches == 0:
                order = torch.randperm(len(y), device=device)
            rows = order[k % batches * net.batch :][: net.batch]
            optimiser.zero_grad()
            loss = torch.nn.functional.cross_entropy(model(x[rows]), y[rows])
            loss.backward()
            optimiser.step()
            losses.append(loss.detach())
        return torch.stack(losses)

    return advance


CONTENDERS: dict[str, Callable[[Net, Any, str], Advance]] = {
    "ours": lambda net, data, device: ours(net, data, device, False),
    "plain": plain,
    "ours, compiled": lambda net, data, device: ours(net, data, device, True),
}

"""A network in training: what its recipe is, and its steps, deterministic and without waiting for the device."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from linreg_dyn._checks import choice, integer
from linreg_dyn.schedules import AutoL2, GradientMask, Schedule, as_schedule
from validation.batches import Augment, Batches
from validation.data import Dataset
from validation.fast import PRECISIONS, Inputs, Repeat, Run, capture, numerics, record, upload
from validation.losses import LOSSES, correct
from validation.optimisers import Optimiser


@dataclass(frozen=True)
class Recipe:
    """How a network is trained. Convention of L2: the loss is L + l2/2 |w|^2, over all parameters.

    Attributes:
        steps: how many updates.
        batch_size: images a step.
        learning_rate: a number or a schedule over steps.
        l2: a number, a schedule, or `AutoL2`.
        optimiser, momentum, betas, epsilon, decoupled: as `Optimiser` has them.
        loss: of `losses.LOSSES`.
        augment: what is done to training images.
        sparsity: share of gradients that are dropped, by a mask redrawn when it changes.
        reconstruct: the target is the image itself (the U-Net), not the label.
        precision: "float32"; "tf32": on a GPU with the factors of products rounded to 10 bits; "bf16": products in
            bfloat16, weights and sums in float32.
        deterministic: on a GPU, the same bits each time, at some cost in speed (on the CPU it is so anyway).
        compile: on a GPU, have `torch.compile` fuse what it can of the network; not with `deterministic`, as what it
            tries out may end otherwise the next time.
        seed: of batches, augmentation and masks.
    """

    steps: int
    batch_size: int
    learning_rate: float | Schedule
    l2: float | Schedule | AutoL2 = 0.0
    optimiser: str = "sgd"
    momentum: float = 0.0
    betas: tuple[float, float] = (0.9, 0.999)
    epsilon: float = 1e-8
    decoupled: bool = False
    loss: str = "softmax"
    augment: Augment = field(default_factory=Augment)
    sparsity: float | Schedule = 0.0
    reconstruct: bool = False
    precision: str = "float32"
    deterministic: bool = False
    compile: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        integer("steps", self.steps, least=0, most=2**40)
        integer("batch_size", self.batch_size, least=1, most=2**40)
        choice("loss", self.loss, tuple(LOSSES))
        choice("precision", self.precision, PRECISIONS)
        if self.compile and self.deterministic:
            raise ValueError("compile must be False where deterministic is True")
        as_schedule(self.learning_rate, steps=self.steps)
        if not isinstance(self.l2, AutoL2):
            as_schedule(self.l2, "l2", zero=True, steps=self.steps)
        for name, strength in self.augment.parts():
            as_schedule(strength, name, zero=True, steps=self.steps)


class Trainer:
    """A network in training; `fit` makes one and drives it.

    On a GPU a step is captured once and replayed, see `fast`; nothing in it waits for the device.

    Args:
        model: the network, in any state; moved to the device.
        data: the dataset.
        recipe: how to train.
        device: "cpu" or "cuda".
    """

    def __init__(self, model: nn.Module, data: Dataset, recipe: Recipe, device: str = "cpu"):
        self.device = torch.device(device)
        form = torch.channels_last if self.device.type == "cuda" else torch.contiguous_format
        self.model = model.to(self.device, memory_format=form)  # pyright: ignore[reportCallIssue]
        self.recipe = recipe
        self.batches = Batches(data, recipe.batch_size, seed=recipe.seed, device=device, augment=recipe.augment)
        self.parameters = [p for p in model.parameters() if p.requires_grad]
        self.optimiser = Optimiser(
            self.parameters,
            recipe.optimiser,
            momentum=recipe.momentum,
            betas=recipe.betas,
            epsilon=recipe.epsilon,
            decoupled=recipe.decoupled,
            mask=GradientMask(recipe.sparsity, seed=recipe.seed) if recipe.sparsity else None,
        )
        self.done = 0
        self._auto = recipe.l2.start() if isinstance(recipe.l2, AutoL2) else None
        self._loss = LOSSES[recipe.loss]
        self._network: Callable[[Tensor], Tensor] = self.model
        self._captured = capture(self.device, self._step, self._changing, self._record)
        if self._captured and recipe.compile:
            self._network = torch.compile(self.model, dynamic=False)

    def numerics(self) -> AbstractContextManager[None]:
        """The libraries' settings that the recipe asks for."""
        return numerics(self.device, self.recipe.precision, self.recipe.deterministic)

    def chunk(self, steps: int, each: Callable[[int], None] | None = None) -> Tensor:
        """Take so many steps; returns their losses, (step,), on the device.

        `each(step)` is called before every step with the weights as they are then.
        """
        first, last = self.done, self.done + steps
        at = np.arange(first, last)
        rates = self._table(as_schedule(self.recipe.learning_rate).at(at))
        l2, decays = self._l2_at(at)
        losses = torch.empty(steps, device=self.device)
        take = self._captured or self._step
        if self._captured:
            self._captured.look()
        self.model.train()
        with self.numerics():
            for k in range(steps):
                if each:
                    each(first + k)
                self.optimiser.draw_mask(first + k)
                inputs = self.batches.draws(first + k) | {"rate": rates[k], "l2": l2[k]}
                losses[k] = take(inputs, decays)
        self.done = last
        return losses

    def _step(self, inputs: Inputs, decays: bool) -> Tensor:
        x, y = self.batches.make(inputs)
        loss = self._loss_of(self._network, x, y)
        gradients = torch.autograd.grad(loss, self.parameters)
        self.optimiser.step(gradients, inputs["rate"], inputs["l2"], decays=decays)
        return loss.detach()

    def _changing(self) -> list[Tensor]:
        """All tensors that a step changes."""
        own = self.optimiser
        return [*self.model.parameters(), *self.model.buffers(), *(x for slot in own.slots for x in slot), own.powers]

    def _record(self, run: Run, pool: Any) -> Repeat:
        """As `fast.record`; without the compiler if that fails."""
        try:
            return record(run, pool)
        except Exception as error:  # a compiler's errors have no common kind
            if self._network is self.model:
                raise
            reason = (str(error).strip().splitlines() or [""])[0]
            warnings.warn(f"torch.compile failed ({type(error).__name__}: {reason}); trained without it", stacklevel=2)
            self._network = self.model
            return record(run, pool)

    def loss_of(self, x: Tensor, y: Tensor) -> Tensor:
        """The loss of normalised images and their labels, without the L2 term."""
        return self._loss_of(self.model, x, y)

    def _loss_of(self, network: Callable[[Tensor], Tensor], x: Tensor, y: Tensor) -> Tensor:
        x = x.contiguous(memory_format=torch.channels_last) if self.device.type == "cuda" and x.ndim == 4 else x
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.recipe.precision == "bf16"):
            outputs = network(x)
        return self._loss(outputs.float(), x if self.recipe.reconstruct else y)

    def evaluate(self, part: str = "test", batch: int = 1000) -> dict[str, float]:
        """`loss` and `accuracy` on the "test" or "train" images, without augmentation, by running statistics."""
        x, y = (self.batches.x_test, self.batches.y_test) if part == "test" else (self.batches.x, self.batches.y)
        loss, right = torch.zeros((), device=self.device, dtype=torch.float64), torch.zeros((), device=self.device)
        self.model.eval()
        with torch.no_grad(), self.numerics():
            for rows in range(0, len(y), batch):
                images, labels = self.batches.normalised(x[rows : rows + batch]), y[rows : rows + batch]
                with torch.autocast(self.device.type, torch.bfloat16, enabled=self.recipe.precision == "bf16"):
                    outputs = self.model(images)
                target = images if self.recipe.reconstruct else labels
                loss += self._loss(outputs.float(), target).double() * len(labels)
                right += correct(self.recipe.loss, outputs, target)
        self.model.train()
        return {"loss": loss.item() / len(y), "accuracy": right.item() / len(y)}

    def pause(self, stop: int) -> int:
        """The step up to which to go in one chunk, `stop` or before: where AutoL2 measures."""
        if not isinstance(self.recipe.l2, AutoL2):
            return stop
        return min(stop, (self.done // self.recipe.l2.every + 1) * self.recipe.l2.every)

    def after_chunk(self) -> None:
        """Let AutoL2 measure, if it is time."""
        if isinstance(self.recipe.l2, AutoL2) and self.done % self.recipe.l2.every == 0 and self._auto:
            seen = self.evaluate("train")
            self._auto = self.recipe.l2.update(self._auto, self.done, seen["loss"], 1 - seen["accuracy"])

    @property
    def l2(self) -> float:
        """The L2 parameter of the step that comes next."""
        step = min(self.done, max(self.recipe.steps - 1, 0))
        return float(self._l2_at(np.array([step]))[0][0])

    def _l2_at(self, steps: np.ndarray) -> tuple[Tensor, bool]:
        if self._auto is not None:
            return self._table(np.full(len(steps), self._auto[0])), True
        schedule = as_schedule(self.recipe.l2, "l2", zero=True)  # pyright: ignore[reportArgumentType]
        return self._table(schedule.at(steps)), schedule.limits[1] > 0

    def _table(self, values: np.ndarray) -> Tensor:
        return upload(np.asarray(values, dtype=np.float32), self.device)

    def state(self) -> dict[str, Any]:
        """All that the next step depends on."""
        return {
            "model": self.model.state_dict(),
            "optimiser": self.optimiser.state(),
            "done": self.done,
            "auto": self._auto,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take up what `state` gave."""
        self.model.load_state_dict(state["model"])
        self.optimiser.restore(state["optimiser"])
        self.done, self._auto = state["done"], state["auto"]

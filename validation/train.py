"""One training loop for every experiment: deterministic, resumable bit by bit, without waiting for the device."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from linreg_dyn._checks import choice, integer
from linreg_dyn.files import atomic_file
from linreg_dyn.schedules import AutoL2, GradientMask, Schedule, as_schedule
from validation.batches import Augment, Batches
from validation.context import OutOfTime
from validation.data import Dataset
from validation.losses import LOSSES, correct
from validation.optimisers import Optimiser

LOOK = 1.0
"""Seconds, about, after which the losses and the clock are looked at, if nothing else asks for it."""


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
        precision: "float32", or "bf16": products in bfloat16, weights and sums in float32.
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
    seed: int = 0

    def __post_init__(self) -> None:
        integer("steps", self.steps, least=0, most=2**40)
        integer("batch_size", self.batch_size, least=1, most=2**40)
        choice("loss", self.loss, tuple(LOSSES))
        choice("precision", self.precision, ("float32", "bf16"))
        as_schedule(self.learning_rate, steps=self.steps)
        if not isinstance(self.l2, AutoL2):
            as_schedule(self.l2, "l2", zero=True, steps=self.steps)


@dataclass
class Trained:
    """A run that came to its end.

    Attributes:
        model: the network as it is at the end.
        losses: of every step's mini-batch, without the L2 term, float32, (step,); NaN after a divergence.
        steps: when `measure` was called, (measurement,).
        history: what it gave, an array (measurement,) by name.
        diverged: the step whose loss was not finite; None: none was. Training ends there.
        seconds: spent in training, in all sessions.
    """

    model: nn.Module
    losses: np.ndarray
    steps: np.ndarray
    history: dict[str, np.ndarray]
    diverged: int | None
    seconds: float


Measure = Callable[["Trainer"], dict[str, float]]


class Trainer:
    """A network in training; `fit` makes one and drives it.

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

    def chunk(self, steps: int, each: Callable[[int], None] | None = None) -> Tensor:
        """Take so many steps; returns their losses, (step,), on the device.

        `each(step)` is called before every step with the weights as they are then.
        """
        first, last = self.done, self.done + steps
        at = np.arange(first, last)
        rates = self._table(as_schedule(self.recipe.learning_rate).at(at))
        l2, decays = self._l2_at(at)
        losses = torch.empty(steps, device=self.device)
        self.model.train()
        for k in range(steps):
            if each:
                each(first + k)
            self.optimiser.draw_mask(first + k)
            x, y = self.batches.at(first + k)
            losses[k] = self._step(x, y, rates[k], l2[k], decays)
        self.done = last
        return losses

    def _step(self, x: Tensor, y: Tensor, rate: Tensor, l2: Tensor, decays: bool) -> Tensor:
        loss = self.loss_of(x, y)
        gradients = torch.autograd.grad(loss, self.parameters)
        self.optimiser.step(gradients, rate, l2, decays=decays)
        return loss.detach()

    def loss_of(self, x: Tensor, y: Tensor) -> Tensor:
        """The loss of normalised images and their labels, without the L2 term."""
        x = x.contiguous(memory_format=torch.channels_last) if self.device.type == "cuda" and x.ndim == 4 else x
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.recipe.precision == "bf16"):
            outputs = self.model(x)
        return self._loss(outputs.float(), x if self.recipe.reconstruct else y)

    def evaluate(self, part: str = "test", batch: int = 1000) -> dict[str, float]:
        """`loss` and `accuracy` on the "test" or "train" images, without augmentation, by running statistics."""
        x, y = (self.batches.x_test, self.batches.y_test) if part == "test" else (self.batches.x, self.batches.y)
        loss, right = torch.zeros((), device=self.device, dtype=torch.float64), torch.zeros((), device=self.device)
        self.model.eval()
        with torch.no_grad():
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
        return torch.as_tensor(np.asarray(values, dtype=np.float32)).to(self.device)

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


def fit(
    model: nn.Module,
    data: Dataset,
    recipe: Recipe,
    *,
    device: str = "cpu",
    measure: Measure | None = None,
    measure_at: Sequence[int] = (),
    stop_when: Callable[[dict[str, float]], bool] | None = None,
    checkpoint: Path | None = None,
    checkpoint_seconds: float = 30.0,
    deadline: float | None = None,
) -> Trained:
    """Train, from the checkpoint if there is one.

    Args:
        model: the network; a checkpoint overwrites its weights.
        data, recipe, device: as `Trainer` has them.
        measure: called with the trainer at the steps `measure_at` (0: before the first update); gives numbers by name.
        measure_at: those steps, in any order.
        stop_when: told each measurement; True ends the training there.
        checkpoint: a file that appears whole or not at all, and goes when the run is over.
        checkpoint_seconds: how often it is written.
        deadline: `time.monotonic()` at which to write a checkpoint and stop.

    Raises:
        OutOfTime: at the deadline; the same call goes on from there.
    """
    trainer = Trainer(model, data, recipe, device)
    run = _Run(trainer, measure, sorted({s for s in measure_at if 0 <= s <= recipe.steps}), stop_when)
    if checkpoint and checkpoint.exists():
        run.restore(torch.load(checkpoint, map_location=trainer.device, weights_only=False))
    start = saved = time.monotonic()
    while run.goes_on():
        if deadline is not None and time.monotonic() >= deadline:
            if checkpoint:
                run.save(checkpoint, time.monotonic() - start)
            raise OutOfTime
        run.advance()
        if checkpoint and time.monotonic() - saved >= checkpoint_seconds:
            run.save(checkpoint, time.monotonic() - start)
            saved = time.monotonic()
    if checkpoint:
        checkpoint.unlink(missing_ok=True)
    return run.trained(time.monotonic() - start)


class _Run:
    """A trainer with what it has measured so far."""

    def __init__(
        self,
        trainer: Trainer,
        measure: Measure | None,
        stops: Sequence[int],
        stop_when: Callable[[dict[str, float]], bool] | None,
    ):
        self.trainer, self.measure, self.stop_when = trainer, measure, stop_when
        self.left, self.steps = list(stops) if measure else [], []
        self.rows: list[dict[str, float]] = []
        self.losses = np.full(trainer.recipe.steps, np.nan, dtype=np.float32)
        self.diverged: int | None = None
        self.ended, self.before, self.most = False, 0.0, 16

    def goes_on(self) -> bool:
        """Whether there is anything left to do."""
        at_end = self.trainer.done >= self.trainer.recipe.steps and not self.left
        return not (at_end or self.ended or self.diverged is not None)

    def advance(self) -> None:
        """Measure if it is time, otherwise take a chunk of steps."""
        done = self.trainer.done
        if self.left and self.left[0] == done:
            assert self.measure
            self.left.pop(0)
            self.steps.append(done)
            self.rows.append({name: float(x) for name, x in self.measure(self.trainer).items()})
            self.ended = bool(self.stop_when and self.stop_when(self.rows[-1]))
            return
        stop = self.trainer.pause(min(done + self.most, self.left[0] if self.left else self.trainer.recipe.steps))
        start = time.monotonic()
        losses = self.trainer.chunk(stop - done).cpu().numpy()
        if stop - done == self.most:
            self.most = max(1, int(self.most * min(2.0, LOOK / max(time.monotonic() - start, 1e-9))))
        self.losses[done : self.trainer.done] = losses
        if not np.isfinite(losses).all():
            self.diverged = done + int(np.argmin(np.isfinite(losses)))
            self.losses[self.diverged :] = np.nan
            return
        self.trainer.after_chunk()

    def save(self, path: Path, seconds: float) -> None:
        """Write the checkpoint."""
        own = {"left": self.left, "steps": self.steps, "rows": self.rows, "losses": self.losses[: self.trainer.done]}
        with atomic_file(path) as temporary:
            torch.save({"trainer": self.trainer.state(), "run": own, "seconds": self.before + seconds}, temporary)

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a checkpoint."""
        self.trainer.restore(state["trainer"])
        own = state["run"]
        self.left, self.steps, self.rows = own["left"], own["steps"], own["rows"]
        self.losses[: len(own["losses"])] = own["losses"]
        self.before = state["seconds"]

    def trained(self, seconds: float) -> Trained:
        """The result."""
        names = list(dict.fromkeys(name for row in self.rows for name in row))
        history = {name: np.array([row.get(name, math.nan) for row in self.rows]) for name in names}
        steps = np.array(self.steps, dtype=np.int64)
        return Trained(self.trainer.model, self.losses, steps, history, self.diverged, self.before + seconds)

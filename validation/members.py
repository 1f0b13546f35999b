"""Many fully connected networks at once: a sweep over rates and L2 parameters as batched matrix products.

Members see the same mini-batches and, by default, start from the same weights; each has its own learning rate and L2
parameter, and ends after its own number of steps, when the others go on without it. A member's numbers are those of
`train.fit` within rounding.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from linreg_dyn._checks import choice, integer, number
from linreg_dyn.files import atomic_file
from validation.batches import Batches
from validation.context import OutOfTime
from validation.data import Dataset
from validation.fast import PRECISIONS, Inputs, capture, numerics, upload
from validation.losses import LOSSES, correct
from validation.models.fc import NTKLinear
from validation.models.layers import Flatten

NAMES = ("train_loss", "train_accuracy", "test_loss", "test_accuracy", "squared_norm")
LOOK = 2.0
"""Seconds, about, between looks at the clock."""


@dataclass(frozen=True)
class Swept:
    """A sweep that came to its end.

    Attributes:
        steps: when all members were measured, (measurement,).
        history: of each of `NAMES`, (member, measurement), NaN after a member's end.
        diverged: the step at which each was found to have diverged, -1: it did not; (member,).
        seconds: spent, in all sessions.
    """

    steps: np.ndarray
    history: dict[str, np.ndarray]
    diverged: np.ndarray
    seconds: float


class Stack(nn.Module):
    """The layers of a fully connected network, once for each member: weights (member, outside, inside)."""

    def __init__(self, models: Sequence[nn.Sequential]):
        super().__init__()
        self.plan: list[tuple[str, Any]] = []
        tensors: list[nn.Parameter] = []
        for layers in zip(*models, strict=True):
            first = layers[0]
            if isinstance(first, (nn.Linear, NTKLinear)):
                places = []
                for name in ("weight", "bias"):
                    if getattr(first, name) is not None:
                        places.append(len(tensors))
                        tensors.append(nn.Parameter(torch.stack([getattr(x, name).detach() for x in layers])))
                self.plan.append(("dense", (places, first.scale if isinstance(first, NTKLinear) else 1.0)))
            elif any(True for _ in first.parameters()):
                raise ValueError(f"models must be fully connected networks, got one with {first}")
            elif not isinstance(first, Flatten):
                self.plan.append(("act", first))
        self.tensors = nn.ParameterList(tensors)

    def forward(self, x: Tensor) -> Tensor:
        """Outputs (member, sample, output) for samples (sample, feature), the same for all members."""
        y = x.unsqueeze(0)
        for kind, what in self.plan:
            if kind == "act":
                y = what(y)
                continue
            places, scale = what
            y = (y * scale if scale != 1 else y) @ self.tensors[places[0]].transpose(1, 2)
            if len(places) > 1:
                y = y + self.tensors[places[1]].unsqueeze(1)
        return y

    def keep(self, members: Tensor) -> None:
        """Forget all but these members, given by their places."""
        self.tensors = nn.ParameterList(nn.Parameter(p.detach()[members].contiguous()) for p in self.tensors)


def sweep(
    models: nn.Sequential | Sequence[nn.Sequential],
    data: Dataset,
    *,
    learning_rates: Sequence[float],
    l2: Sequence[float],
    steps: Sequence[int],
    batch_size: int,
    measure_at: Sequence[int],
    loss: str = "softmax",
    precision: str = "float32",
    seed: int = 0,
    device: str = "cpu",
    checkpoint: Path | None = None,
    checkpoint_seconds: float = 300.0,
    deadline: float | None = None,
) -> Swept:
    """Train a member for each triple of rate, L2 parameter and number of steps by SGD.

    Convention: the loss is L + l2/2 |w|^2.

    Args:
        models: networks of `models.fc`, one for each member, or one that all start from.
        data: the dataset.
        learning_rates, l2, steps: (member,) each.
        batch_size: images a step.
        measure_at: steps at which all members that still train are measured on all images; 0 is before the first.
        loss: of `losses.LOSSES`.
        precision: as `train.Recipe` has it.
        seed: of the batches.
        device: "cpu" or "cuda".
        checkpoint, checkpoint_seconds, deadline: as `train.fit` has them.

    Raises:
        ValueError: lengths differ, or an argument is not as above.
        OutOfTime: at the deadline; the same call goes on from there.
    """
    count = len(learning_rates)
    if not count or not count == len(l2) == len(steps):
        raise ValueError(f"learning_rates, l2 and steps must be of one length, got {count}, {len(l2)} and {len(steps)}")
    learning_rates = [number("learning_rates", x, above=0) for x in learning_rates]
    l2 = [number("l2", x, least=0) for x in l2]
    steps = [integer("steps", x, least=0, most=2**40) for x in steps]
    integer("batch_size", batch_size, least=1, most=2**40)
    choice("loss", loss, tuple(LOSSES))
    choice("precision", precision, PRECISIONS)
    run = _Sweep(models, data, learning_rates, l2, steps, batch_size, measure_at, loss, precision, seed, device)
    with numerics(torch.device(device), precision, deterministic=False):
        return _run(run, checkpoint, checkpoint_seconds, deadline)


def _run(run: _Sweep, checkpoint: Path | None, checkpoint_seconds: float, deadline: float | None) -> Swept:
    """Go on with a sweep until all its members are at their ends."""
    if checkpoint and checkpoint.exists():
        run.restore(torch.load(checkpoint, map_location=run.device, weights_only=False))
    before, start = run.seconds, time.monotonic()
    saved = start
    while run.alive:
        now = time.monotonic()
        run.seconds = before + now - start
        over = deadline is not None and now >= deadline
        if checkpoint and (over or now - saved >= checkpoint_seconds):
            with atomic_file(checkpoint) as temporary:
                torch.save(run.state(), temporary)
            saved = now
        if over:
            raise OutOfTime
        run.advance(now + LOOK)
    if checkpoint:
        checkpoint.unlink(missing_ok=True)
    return Swept(run.measured_at, run.history, run.diverged, before + time.monotonic() - start)


class _Sweep:
    """The members that still train, and what all of them measured."""

    def __init__(self, models, data, learning_rates, l2, steps, batch_size, measure_at, loss, precision, seed, device):
        count = len(learning_rates)
        models = [models] * count if isinstance(models, nn.Sequential) else list(models)
        if len(models) != count:
            raise ValueError(f"models must be one or {count}, got {len(models)}")
        self.stack = Stack(models).to(device)
        self.batches = Batches(data, batch_size, seed=seed, device=device)
        self.device, self.loss, self.name = torch.device(device), LOSSES[loss], loss
        self.precision = precision
        self.last = np.asarray(steps, dtype=np.int64)
        self.measured_at = np.unique([s for s in measure_at if 0 <= s <= self.last.max()]).astype(np.int64)
        self.history = {name: np.full((count, len(self.measured_at)), np.nan) for name in NAMES}
        self.diverged = np.full(count, -1, dtype=np.int64)
        self.alive = list(range(count))
        self.rates, self.l2 = (upload(np.asarray(x, dtype=np.float32), self.device) for x in (learning_rates, l2))
        self.done, self.place, self.seconds = 0, 0, 0.0
        self._fresh()

    def advance(self, until: float) -> None:
        """Measure, or train up to the next measurement, the next member's end, or the time `until`."""
        if self.place < len(self.measured_at) and self.measured_at[self.place] == self.done:
            self._measure()
            self.place += 1
        self._drop()
        if not self.alive:
            return
        stops = [int(self.last[self.alive].min())]
        if self.place < len(self.measured_at):
            stops.append(int(self.measured_at[self.place]))
        while self.done < min(stops):
            self._step()
            if time.monotonic() >= until:
                return

    def _step(self) -> None:
        draws = self.batches.draws(self.done)
        if self.captured:
            self.captured(draws)
        else:
            self._update(draws)
        self.done += 1

    def _update(self, draws: Inputs) -> Tensor:
        """All members' next weights, from the batch of the draws; returns the sum of their losses."""
        x, y = self.batches.make(draws)
        total = torch.vmap(self.loss, in_dims=(0, None))(self._outputs(x), y).sum()  # members do not mix
        weights = self._weights()
        with torch.no_grad():
            for w, g in zip(weights, torch.autograd.grad(total, weights), strict=True):
                shape = (-1,) + (1,) * (w.ndim - 1)
                w.sub_((g + w * self.l2.view(shape)) * self.rates.view(shape))
        return total.detach()

    def _outputs(self, x: Tensor) -> Tensor:
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.precision == "bf16"):
            return self.stack(x.permute(0, 2, 3, 1).flatten(1)).float()

    def _fresh(self) -> None:
        """Have the step captured anew, as its tensors are others."""
        self.captured = capture(self.device, self._update, self._weights)

    def _weights(self) -> list[Tensor]:
        return list(self.stack.tensors)

    @torch.no_grad()
    def _measure(self, block: int = 2048) -> None:
        row: dict[str, Tensor] = {}
        for part, x, y in (
            ("train", self.batches.x, self.batches.y),
            ("test", self.batches.x_test, self.batches.y_test),
        ):
            loss = torch.zeros(len(self.alive), dtype=torch.float64, device=self.device)
            right = torch.zeros(len(self.alive), device=self.device)
            for rows in range(0, len(y), block):
                images, labels = self.batches.normalised(x[rows : rows + block]), y[rows : rows + block]
                outputs = self._outputs(images)
                loss += torch.vmap(self.loss, in_dims=(0, None))(outputs, labels).double() * len(labels)
                right += torch.vmap(partial(correct, self.name), in_dims=(0, None))(outputs, labels)
            row[f"{part}_loss"], row[f"{part}_accuracy"] = loss / len(y), right / len(y)
        row["squared_norm"] = torch.stack([p.double().square().flatten(1).sum(1) for p in self.stack.tensors]).sum(0)
        for name, values in row.items():
            self.history[name][self.alive, self.place] = values.cpu().numpy()
        finite = torch.isfinite(row["squared_norm"]) & torch.isfinite(row["train_loss"])
        for member, fine in zip(self.alive, finite.tolist(), strict=True):
            if not fine:
                self.diverged[member] = self.done

    def _drop(self) -> None:
        """Leave out the members that are at their end or have diverged."""
        kept = [k for k, m in enumerate(self.alive) if self.last[m] > self.done and self.diverged[m] < 0]
        if len(kept) < len(self.alive):
            places = torch.tensor(kept, dtype=torch.long, device=self.device)
            self.alive = [self.alive[k] for k in kept]
            self.rates, self.l2 = self.rates[places], self.l2[places]
            self.stack.keep(places)
            self._fresh()

    def state(self) -> dict[str, Any]:
        """What a checkpoint keeps."""
        kept = ("history", "diverged", "alive", "rates", "l2", "done", "place", "seconds")
        return {name: getattr(self, name) for name in kept} | {"weights": [p.detach() for p in self.stack.tensors]}

    def restore(self, state: dict[str, Any]) -> None:
        """Take up what `state` gave."""
        self.stack.tensors = nn.ParameterList(nn.Parameter(p) for p in state.pop("weights"))
        for name, value in state.items():
            setattr(self, name, value)
        self._fresh()

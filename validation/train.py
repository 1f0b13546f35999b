"""One training loop for every experiment: it measures, looks at the clock, and is resumable bit by bit."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from linreg_dyn.files import atomic_file
from validation.context import OutOfTime
from validation.data import Dataset
from validation.trainer import Recipe, Trainer

__all__ = ["Measure", "Recipe", "Trained", "Trainer", "fit"]

LOOK = 1.0
"""Seconds, about, after which the losses and the clock are looked at, if nothing else asks for it."""


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
            with self.trainer.numerics():
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

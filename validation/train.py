"""One training loop for every experiment: it measures, looks at the clock, and is resumable bit by bit."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor, nn

from linreg_dyn.files import atomic_file
from validation.context import OutOfTime
from validation.data import Dataset
from validation.trainer import Recipe, Trainer

__all__ = ["Follow", "Measure", "Recipe", "Trained", "Trainer", "drive", "fit"]

LOOK = 1.0
"""Seconds, about, after which the losses and the clock are looked at, if nothing else asks for it."""


@dataclass
class Trained:
    """A run that came to its end.

    Attributes:
        model: the network as it is at the end.
        losses: of every step's mini-batch, without the L2 term, float32, (step,); NaN after a divergence.
        steps: when `measure` was called, (measurement,).
        history: what it gave, an array (measurement, ...) by name.
        diverged: the step whose loss was not finite; None: none was. Training ends there.
        seconds: spent in training, in all sessions.
        followed: what `follow` gave, float64, (step + 1, ...); NaN where training did not come.
    """

    model: nn.Module
    losses: np.ndarray
    steps: np.ndarray
    history: dict[str, np.ndarray]
    diverged: int | None
    seconds: float
    followed: np.ndarray = field(default_factory=lambda: np.empty(0))


Measure = Callable[["Trainer"], dict[str, Any]]
"""Numbers, or arrays of one shape, by name."""
Follow = Callable[["Trainer"], Tensor]
"""A number, or a tensor of one shape, that stays on the device."""


@runtime_checkable
class Remembers(Protocol):
    """A `Follow` that needs more than the weights as they are; what it needs is kept in the checkpoint."""

    def state(self) -> Any:
        """What `restore` takes."""

    def restore(self, state: Any) -> None:
        """Go on from a checkpoint."""


def fit(model: nn.Module, data: Dataset, recipe: Recipe, *, device: str = "cpu", **how: Any) -> Trained:
    """Train, from the checkpoint if there is one.

    Args:
        model: the network; a checkpoint overwrites its weights.
        data, recipe, device: as `Trainer` has them.
        how: what to measure and when to stop, as `drive` has it.

    Raises:
        OutOfTime: at the deadline; the same call goes on from there.
    """
    return drive(Trainer(model, data, recipe, device), **how)


def drive(
    trainer: Trainer,
    *,
    measure: Measure | None = None,
    measure_at: Sequence[int] = (),
    stop_when: Callable[[dict[str, Any]], bool] | None = None,
    follow: Follow | None = None,
    checkpoint: Path | None = None,
    checkpoint_seconds: float = 30.0,
    deadline: float | None = None,
) -> Trained:
    """Take a trainer from its start, or from the checkpoint if there is one, to its end.

    Args:
        trainer: at its start; a checkpoint overwrites all of it.
        measure: called with the trainer at the steps `measure_at` (0: before the first update).
        measure_at: those steps, in any order.
        stop_when: told each measurement; True ends the training there.
        follow: called with the trainer before every step and at the end.
        checkpoint: a file that appears whole or not at all, and goes when the run is over.
        checkpoint_seconds: how often it is written.
        deadline: `time.monotonic()` at which to write a checkpoint and stop.

    Raises:
        OutOfTime: at the deadline; the same call goes on from there.
    """
    stops = sorted({s for s in measure_at if 0 <= s <= trainer.recipe.steps})
    run = _Run(trainer, measure, stops, stop_when, follow)
    if checkpoint and checkpoint.exists():
        run.restore(torch.load(checkpoint, map_location=trainer.device, weights_only=False))
    start = saved = time.monotonic()
    while run.goes_on():
        if deadline is not None and time.monotonic() >= deadline:
            if checkpoint:
                run.save(checkpoint, time.monotonic() - start)
            raise OutOfTime
        run.advance()
        if checkpoint and run.diverged is None and time.monotonic() - saved >= checkpoint_seconds:
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
        stop_when: Callable[[dict[str, Any]], bool] | None,
        follow: Follow | None,
    ):
        self.trainer, self.measure, self.stop_when, self.follow = trainer, measure, stop_when, follow
        self.left, self.steps = list(stops) if measure else [], []
        self.rows: list[dict[str, Any]] = []
        self.losses = np.full(trainer.recipe.steps, np.nan, dtype=np.float32)
        self.followed: Tensor | None = None
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
                seen = self.measure(self.trainer)
            self.rows.append({name: x if isinstance(x, np.ndarray) else float(x) for name, x in seen.items()})
            self.ended = bool(self.stop_when and self.stop_when(self.rows[-1]))
            return
        stop = self.trainer.pause(min(done + self.most, self.left[0] if self.left else self.trainer.recipe.steps))
        start = time.monotonic()
        losses = self.trainer.chunk(stop - done, self._see if self.follow else None).cpu().numpy()
        if stop - done == self.most:
            self.most = max(1, int(self.most * min(2.0, LOOK / max(time.monotonic() - start, 1e-9))))
        self.losses[done : self.trainer.done] = losses
        if not np.isfinite(losses).all():
            self.diverged = done + int(np.argmin(np.isfinite(losses)))
            self.losses[self.diverged :] = np.nan
            return
        self.trainer.after_chunk()

    def _see(self, step: int) -> None:
        if self.follow:
            seen = self.follow(self.trainer)
            self._followed(seen.shape)[step] = seen

    def _followed(self, shape: Sequence[int]) -> Tensor:
        """The table of what `follow` gives, made when its shape is known."""
        if self.followed is None:
            size = (self.trainer.recipe.steps + 1, *shape)
            self.followed = torch.full(size, math.nan, dtype=torch.float64, device=self.trainer.device)
        return self.followed

    def save(self, path: Path, seconds: float) -> None:
        """Write the checkpoint."""
        done = self.trainer.done
        own = {"left": self.left, "steps": self.steps, "rows": self.rows, "losses": self.losses[:done]}
        own["followed"] = None if self.followed is None else self.followed[:done].clone()
        own["follow"] = self.follow.state() if isinstance(self.follow, Remembers) else None
        with atomic_file(path) as temporary:
            torch.save({"trainer": self.trainer.state(), "run": own, "seconds": self.before + seconds}, temporary)

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a checkpoint."""
        self.trainer.restore(state["trainer"])
        own = state["run"]
        self.left, self.steps, self.rows = own["left"], own["steps"], own["rows"]
        self.losses[: len(own["losses"])] = own["losses"]
        if (seen := own["followed"]) is not None:
            self._followed(seen.shape[1:])[: len(seen)] = seen
        if isinstance(self.follow, Remembers):
            self.follow.restore(own["follow"])
        self.before = state["seconds"]

    def trained(self, seconds: float) -> Trained:
        """The result."""
        self._see(self.trainer.done)
        names = list(dict.fromkeys(name for row in self.rows for name in row))
        history = {name: np.array([row.get(name, math.nan) for row in self.rows]) for name in names}
        steps = np.array(self.steps, dtype=np.int64)
        seconds = self.before + seconds
        followed = np.empty(0) if self.followed is None else self.followed.cpu().numpy()
        return Trained(self.trainer.model, self.losses, steps, history, self.diverged, seconds, followed)

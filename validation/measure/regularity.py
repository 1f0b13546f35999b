"""The regularity parameter gamma of Chen, Yang & Zhou (2020), exactly, without storing a trajectory.

Definition 2 asks, for every step k of `w_{k+1} = w_k - rate U_k`,

    <w_k - w_T, U_k>  >=  rate/2 |U_k|^2 + gamma (l_k - inf l).

With `d_k = |w_k - w_T|^2`, `d_{k+1} = d_k - 2 rate <w_k - w_T, U_k> + rate^2 |U_k|^2`, and step k admits gamma up to

    gamma_k = (d_k - d_{k+1}) / (2 rate_k (l_k - inf l)),

for whatever update U was made: only distances and losses are needed. With `m_k = |w_{k+1} - w_k|^2`, that is

    gamma_k = (m_k / 2 + <w_{k+1} - w_T, w_k - w_{k+1}>) / (rate_k (l_k - inf l)),

so that steps that are orthogonal to all that follow, and go nowhere together, have gamma_k > 0 from their size alone.
What says that a step leads to the end is `d_k - d_{k+1} > m_k`, where the second term is above 0.

`second_pass` replays a deterministic run against its own end, bit by bit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from linreg_dyn.schedules import as_schedule
from validation.train import Trained, Trainer, drive


def gamma(distances: np.ndarray, losses: np.ndarray, rates: np.ndarray, least: float = 0.0) -> np.ndarray:
    """gamma_k, (step,); NaN where the loss is at its infimum.

    Args:
        distances: d_k = |w_k - w_T|^2, (step + 1,), the last being 0.
        losses: of each step's mini-batch, (step,).
        rates: learning rates, (step,).
        least: the infimum of the loss.
    """
    gaps = np.asarray(losses, dtype=np.float64) - least
    with np.errstate(divide="ignore", invalid="ignore"):
        found = (distances[:-1] - distances[1:]) / (2 * np.asarray(rates) * gaps)
    return np.where(gaps > 0, found, np.nan)


def theorem_1(distances: np.ndarray, losses: np.ndarray, rate: float, least: float = 0.0) -> tuple[float, float]:
    """Both sides of (3) of the paper, for the largest gamma that all steps admit.

    Returns:
        The average loss above its infimum, and |w_0 - w_T|^2 / (2 rate T gamma); infinite where gamma is not above 0,
        which is outside the theorem.
    """
    steps = len(losses)
    smallest = np.nanmin(gamma(distances, losses, np.full(steps, rate), least))
    bound = distances[0] / (2 * rate * steps * smallest) if smallest > 0 else np.inf
    return float(np.mean(np.asarray(losses, dtype=np.float64)) - least), float(bound)


def second_pass(
    run: Callable[[], Trainer], first: Trained, *, checkpoint: Path | None = None, deadline: float | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """The distances d_k, (step + 1,), and step sizes m_k, (step,), of a run that was made before, both in float64.

    Args:
        run: makes the trainer of the same run, at its start.
        first: what the run came to.
        checkpoint, deadline: as `train.drive` has them.

    Raises:
        ValueError: the run diverged, so there is no end to measure from.
        OutOfTime: at the deadline; the same call goes on from there.
        RuntimeError: the replay is not the same run, bit by bit.
    """
    if first.diverged is not None:
        raise ValueError(f"first must be a run that did not diverge, got one that did at step {first.diverged}")
    trainer = run()
    follow = _FromEnd(trainer.parameters, [p.detach().clone() for p in first.model.parameters() if p.requires_grad])
    again = drive(trainer, follow=follow, checkpoint=checkpoint, deadline=deadline)
    distances, moved = again.followed.T
    if not np.array_equal(again.losses, first.losses) or distances[-1] != 0.0:
        raise RuntimeError("the second pass is not the first, bit by bit: train in deterministic mode")
    return distances, moved[1:]


def rates_of(trainer: Trainer) -> np.ndarray:
    """The learning rates of all steps of a recipe, (step,)."""
    return as_schedule(trainer.recipe.learning_rate).at(np.arange(trainer.recipe.steps))


class _FromEnd:
    """|w_k - w_T|^2 and |w_k - w_{k-1}|^2 of a trainer at step k, (2,), for `train.drive` to follow."""

    def __init__(self, start: Sequence[Tensor], end: Sequence[Tensor]):
        self._before, self._end = [p.detach().clone() for p in start], end

    @torch.no_grad()
    def __call__(self, trainer: Trainer) -> Tensor:
        now = [p.detach() for p in trainer.parameters]
        found = torch.stack([_distance(now, self._end), _distance(now, self._before)])
        torch._foreach_copy_(self._before, now)
        return found

    def state(self) -> list[Tensor]:
        """The weights of the step before."""
        return self._before

    def restore(self, state: list[Tensor]) -> None:
        """Take up what `state` gave."""
        self._before = state


def _distance(a: Sequence[Tensor], b: Sequence[Tensor]) -> Tensor:
    """|a - b|^2 in float64, subtracted before it is squared."""
    differences = torch._foreach_sub([x.double() for x in a], [x.double() for x in b])
    return torch.stack([d.square().sum() for d in differences]).sum()

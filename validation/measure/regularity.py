"""The regularity parameter gamma of Chen, Yang & Zhou (2020), exactly, without storing a trajectory.

Definition 2 asks, for every step k of `w_{k+1} = w_k - rate U_k`,

    <w_k - w_T, U_k>  >=  rate/2 |U_k|^2 + gamma (l_k - inf l).

With `d_k = |w_k - w_T|^2`, `d_{k+1} = d_k - 2 rate <w_k - w_T, U_k> + rate^2 |U_k|^2`, and step k admits gamma up to

    gamma_k = (d_k - d_{k+1}) / (2 rate_k (l_k - inf l)),

for whatever update U was made: only distances and losses are needed. `second_pass` replays a deterministic run against
its own end, bit by bit; `estimated_gamma` is the same from one pass that a `Sketch` follows, with a bound of its error.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from linreg_dyn._checks import integer
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
) -> np.ndarray:
    """The distances d_k of a run that was made before, (step + 1,), in float64.

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
    end = [p.detach().clone() for p in first.model.parameters() if p.requires_grad]

    def distance(trainer: Trainer) -> Tensor:
        return _distance(trainer.parameters, end)

    again = drive(run(), follow=distance, checkpoint=checkpoint, deadline=deadline)
    if not np.array_equal(again.losses, first.losses) or again.followed[-1] != 0.0:
        raise RuntimeError("the second pass is not the first, bit by bit: train in deterministic mode")
    return again.followed


def rates_of(trainer: Trainer) -> np.ndarray:
    """The learning rates of all steps of a recipe, (step,)."""
    return as_schedule(trainer.recipe.learning_rate).at(np.arange(trainer.recipe.steps))


@torch.no_grad()
def _distance(parameters: Sequence[Tensor], target: Sequence[Tensor]) -> Tensor:
    """|w - target|^2 in float64, subtracted before it is squared."""
    differences = torch._foreach_sub([p.detach().double() for p in parameters], [t.double() for t in target])
    return torch.stack([d.square().sum() for d in differences]).sum()


@dataclass(frozen=True)
class Estimated:
    """gamma_k of one pass: estimates and how far off they may be, (step,) each.

    `error` is one standard deviation of the sketch, from the norms that go into it, which are estimated too.
    """

    gamma: np.ndarray
    error: np.ndarray


class Sketch:
    """A seeded CountSketch of a trajectory, for `train.drive` to follow: `size` numbers a step instead of all weights.

    Each weight is added with a random sign to one of `size` cells. For any two vectors a, b the product of their
    sketches has the mean <a, b> and a variance of at most (|a|^2 |b|^2 + <a, b>^2) / size (Charikar et al., 2004).

    Args:
        parameters: the tensors that are trained.
        size: cells; the error falls with its root.
        seed: of cells and signs.
    """

    def __init__(self, parameters: Sequence[Tensor], *, size: int = 4096, seed: int = 0):
        self.size = integer("size", size, least=16, most=2**24)
        device = parameters[0].device
        count = sum(p.numel() for p in parameters)
        rng = np.random.Generator(np.random.Philox(seed))
        self._cell = torch.as_tensor(rng.integers(0, size, count)).to(device)
        self._sign = torch.as_tensor(rng.integers(0, 2, count) * 2 - 1).to(device, torch.float64)

    @torch.no_grad()
    def __call__(self, trainer: Trainer) -> Tensor:
        """Of the weights as they are now, (size,), in float64: what differences of such lose is as little as theirs."""
        now = torch.cat([p.detach().flatten() for p in trainer.parameters]).double()
        return torch.zeros(self.size, dtype=torch.float64, device=now.device).index_add_(
            0, self._cell, now * self._sign
        )


def estimated_gamma(path: np.ndarray, losses: np.ndarray, rates: np.ndarray, least: float = 0.0) -> Estimated:
    """gamma_k and its error from the sketches of all weights, (step + 1, cell); the others are as for the exact one.

    With U'_k = w_k - w_{k+1} and r_k = w_k - w_T, d_k - d_{k+1} = <U'_k, 2 r_k - U'_k>, a product that is estimated by
    itself: the difference of two estimated distances would drown in their errors.
    """
    moved, other = path[:-1] - path[1:], path[:-1] + path[1:] - 2 * path[-1]
    products, *sizes = (np.einsum("ks,ks->k", a, b) for a, b in ((moved, other), (moved, moved), (other, other)))
    deviation = np.sqrt((sizes[0] * sizes[1] + products**2) / path.shape[1])
    with np.errstate(divide="ignore", invalid="ignore"):
        scale = 1 / (2 * np.asarray(rates) * (np.asarray(losses, dtype=np.float64) - least))
    return Estimated(products * scale, deviation * scale)

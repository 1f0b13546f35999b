"""Chen, Yang & Zhou (2020): the regularity parameter gamma of whole trainings, by what makes them fast.

Definition 2 has one gamma for a trajectory, that of the worst step; what the paper plots is "the upper bound for gamma
in each iteration", gamma_k (`measure.regularity`), over |theta_0 - theta_T|^2. Here, with the infimum of the loss 0:

    smallest      the least gamma_k of all steps, the gamma of Definition 2; the principle holds if it is above 0
    share         the share of steps with gamma_k > 0
    aligned       the share of steps, but the last, with <theta_{k+1} - theta_T, U_k> > 0: with a larger gamma_k than
                  that of a step of the same size which is orthogonal to all that follow. The walk of independent steps
                  of either sign has gamma_k > 0 at every step, if there are many more weights than steps, and is
                  aligned at half of them
    length        of the trajectory, over |theta_0 - theta_T|: 1 on a straight line, sqrt(T) for orthogonal equal steps
    applies       of how many trajectories all steps have gamma_k > 0: those that Theorem 1 is about
    theorem       the average loss over its bound in Theorem 1, on the worst of them
    factor        the median over epochs of gamma_e / |theta_0 - theta_T|^2, where gamma_e is the average of an epoch's
                  gamma_k, each weighted with its loss (a gamma_k alone is mostly the noise of its mini-batch)

Averaged in the same way over the whole training, sum 2 rate l_k gamma_k = |theta_0 - theta_T|^2 for any trajectory, so
that the factor would be 1 / (2 rate T mean loss) identically: a larger one *is* a smaller average loss. The median over
epochs is not bound by that, and says whether most of the training goes that way.

Of pairs of variants:

    faster        the average loss of the first over that of the second
    factor        the first's less the second's
    much          the first's less ALIKE times the second's
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from validation.context import Context
from validation.core import Measured
from validation.data import Dataset
from validation.experiments.chen.settings import ALIKE
from validation.experiments.common import dataset, network
from validation.experiments.guess import START, TRAINED, seconds, size
from validation.measure import regularity
from validation.train import Recipe, Trained, Trainer, fit

Curves = dict[str, np.ndarray]
SUMMARY = ("loss", "factor", "smallest", "share", "aligned", "length", "theorem")


def recipe(values: dict[str, Any], changes: dict[str, Any], seed: int) -> Recipe:
    """How a variant is trained, at a constant rate, with the same bits each time that it is."""
    how = values["recipe"] | changes.get("recipe", {})
    return Recipe(values["steps"], seed=seed, precision=values["precision"], deterministic=True, **how)


def drawn(model: torch.nn.Module, seed: int) -> torch.nn.Module:
    """The network with weights as torch draws them by default; the paper does not say how.

    With He et al.'s, ResNets without batch norm begin with losses of hundreds and diverge at the paper's rate.
    """
    torch.manual_seed(seed)
    for layer in model.modules():
        if hasattr(layer, "reset_parameters"):
            layer.reset_parameters()  # pyright: ignore[reportCallIssue]
    return model


def trajectory(
    name: str, values: dict[str, Any], changes: dict[str, Any], data: Dataset, seed: int, context: Context
) -> Curves:
    """Of one training: losses (step,), distances |theta_k - theta_T|^2 (step + 1,), moved |theta_{k+1} - theta_k|^2."""
    how, options = recipe(values, changes, seed), values["model"] | changes.get("model", {})

    def model() -> torch.nn.Module:
        return drawn(network(options, data, seed), seed)

    def first() -> dict[str, Any]:
        path = context.checkpoint(name)
        done = fit(model(), data, how, device=context.device, checkpoint=path, deadline=context.deadline)
        weights = [p.detach().float().cpu().flatten() for p in done.model.parameters() if p.requires_grad]
        failed = -1 if done.diverged is None else done.diverged
        return {"losses": done.losses, "weights": torch.cat(weights).numpy(), "diverged": failed}

    once = context.once(f"{name}-first", first)
    if once["diverged"] >= 0:
        none = np.full(how.steps + 1, np.nan)
        return {"losses": once["losses"], "distances": none, "moved": none[1:]}

    def second() -> dict[str, Any]:
        end = model().to(context.device)
        torch.nn.utils.vector_to_parameters(torch.as_tensor(once["weights"]).to(context.device), end.parameters())
        done = Trained(end, once["losses"], np.empty(0), {}, None, 0.0)
        distances, moved = regularity.second_pass(
            lambda: Trainer(model(), data, how, context.device),
            done,
            checkpoint=context.checkpoint(f"{name}-second"),
            deadline=context.deadline,
        )
        return {"losses": once["losses"], "distances": distances, "moved": moved}

    return context.once(f"{name}-second", second)


def summary(found: Curves, rate: float, epoch: int) -> tuple[dict[str, float], Curves]:
    """The numbers and curves of one trajectory; NaN all through where it diverged.

    `theorem` is the average loss over its bound in Theorem 1, NaN outside the theorem (a gamma that is not above 0).

    Args:
        found: what `trajectory` gave.
        rate: the constant learning rate.
        epoch: steps of an epoch.
    """
    losses, distances, moved = (np.asarray(found[name], dtype=np.float64) for name in ("losses", "distances", "moved"))
    gammas, size = regularity.gamma(distances, losses, np.full(len(losses), rate)), distances[0]
    whole = len(losses) // epoch * epoch
    weights, of_epoch = (x[:whole].reshape(-1, epoch) for x in (losses, gammas))
    curves = {"factor": (of_epoch * weights).sum(1) / weights.sum(1) / size, "loss": weights.mean(1)}
    if not np.isfinite(losses).all():
        return dict.fromkeys(SUMMARY, np.nan), curves
    _, bound = regularity.theorem_1(distances, losses, rate)
    values = (
        losses.mean(),
        np.median(curves["factor"]),
        gammas.min(),
        np.mean(gammas > 0),
        np.mean((-np.diff(distances) > moved)[:-1]),
        np.sqrt(moved).sum() / np.sqrt(size),
        losses.mean() / bound if np.isfinite(bound) else np.nan,
    )
    return dict(zip(SUMMARY, map(float, values), strict=True)), curves


def measure(values: dict[str, Any], seed: int, context: Context) -> Measured:
    """Every variant from the same weights and batches; the orders that the paper says, and the principle itself."""
    data = dataset(values, context, seed)
    epoch = max(1, len(data.y_train) // values["recipe"]["batch_size"])
    found, arrays = {}, {}
    for name, changes in values["variants"].items():
        curves = trajectory(name, values, changes, data, seed, context)
        rate = (values["recipe"] | changes.get("recipe", {}))["learning_rate"]
        found[name], lines = summary(curves, rate, epoch)
        arrays |= {f"{key}_{name}": line for key, line in lines.items()}
    metrics = {f"{key}_{name}": x for name, row in found.items() for key, x in row.items()}
    for better, worse in values["orders"]:
        metrics[f"faster_{better}_{worse}"] = found[better]["loss"] / found[worse]["loss"]
        metrics[f"factor_{better}_{worse}"] = found[better]["factor"] - found[worse]["factor"]
        metrics[f"much_{better}_{worse}"] = found[better]["factor"] - ALIKE * found[worse]["factor"]
    for key in ("smallest", "share", "aligned"):
        metrics[key] = float(np.min([row[key] for row in found.values()]))
    inside = [row["theorem"] for row in found.values() if np.isfinite(row["theorem"])]
    metrics |= {"applies": float(len(inside)), "theorem": max(inside, default=np.nan)}
    return Measured(metrics, arrays)


def guess(values: dict[str, Any]) -> float:
    """Minutes of a seed on one H200: two passes, the second with as many kernels again for what it measures."""
    batch, total = min(values["recipe"]["batch_size"], values.get("train", TRAINED)), 0.0
    for changes in values["variants"].values():
        net = size(values["model"] | changes.get("model", {}), values["data"])
        total += START + seconds(net, steps=3 * values["steps"], batch=batch, precision=values["precision"], tests=0)
    return total / 60

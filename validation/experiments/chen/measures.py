"""Chen, Yang & Zhou (2020): the regularity parameter gamma of whole trainings, by what makes them fast.

Definition 2 has one gamma for a trajectory, that of the worst step; what the paper plots is "the upper bound for gamma
in each iteration", gamma_k (`measure.regularity`), over |theta_0 - theta_T|^2. Here, with the infimum of the loss 0:

    smallest      the least gamma_k of all steps, the gamma of Definition 2; the principle holds if it is above 0
    share         the share of steps with gamma_k > 0
    applies       of how many trajectories all steps have gamma_k > 0: those that Theorem 1 is about
    theorem       the average loss over its bound in Theorem 1, on the worst of them
    factor        the median over epochs of gamma_e / |theta_0 - theta_T|^2, where gamma_e is the average of an epoch's
                  gamma_k, each weighted with its loss (a gamma_k alone is mostly the noise of its mini-batch)

Averaged in the same way over the whole training, sum 2 rate l_k gamma_k = |theta_0 - theta_T|^2 for any trajectory, so
that the factor would be 1 / (2 rate T mean loss) identically: a larger one *is* a smaller average loss. The median over
epochs is not bound by that, and says whether most of the training goes that way.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from validation.context import Context
from validation.core import Measured
from validation.data import Dataset
from validation.experiments.common import dataset, network
from validation.experiments.guess import START, TRAINED, seconds, size
from validation.measure import regularity
from validation.train import Recipe, Trained, Trainer, drive, fit

Curves = dict[str, np.ndarray]


def recipe(values: dict[str, Any], changes: dict[str, Any], seed: int) -> Recipe:
    """How a variant is trained, at a constant rate; if it is to be made twice, with the same bits each time."""
    how = values["recipe"] | changes.get("recipe", {})
    twice = values["method"] == "exact"
    return Recipe(values["steps"], seed=seed, precision=values["precision"], deterministic=twice, **how)


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
    """Losses (step,) and d_k = |theta_k - theta_T|^2 (step + 1,) of one training; or, by a sketch, gamma_k itself."""
    how, options = recipe(values, changes, seed), values["model"] | changes.get("model", {})

    def model() -> torch.nn.Module:
        return drawn(network(options, data, seed), seed)

    if values["method"] == "sketch":
        return context.once(name, lambda: _sketched(Trainer(model(), data, how, context.device), context, name))

    def first() -> dict[str, Any]:
        path = context.checkpoint(name)
        done = fit(model(), data, how, device=context.device, checkpoint=path, deadline=context.deadline)
        weights = [p.detach().float().cpu().flatten() for p in done.model.parameters() if p.requires_grad]
        failed = -1 if done.diverged is None else done.diverged
        return {"losses": done.losses, "weights": torch.cat(weights).numpy(), "diverged": failed}

    once = context.once(f"{name}-first", first)
    if once["diverged"] >= 0:
        return {"losses": once["losses"], "distances": np.full(how.steps + 1, np.nan)}

    def second() -> dict[str, Any]:
        end = model().to(context.device)
        torch.nn.utils.vector_to_parameters(torch.as_tensor(once["weights"]).to(context.device), end.parameters())
        done = Trained(end, once["losses"], np.empty(0), {}, None, 0.0)
        distances = regularity.second_pass(
            lambda: Trainer(model(), data, how, context.device),
            done,
            checkpoint=context.checkpoint(f"{name}-second"),
            deadline=context.deadline,
        )
        return {"losses": once["losses"], "distances": distances}

    return context.once(f"{name}-second", second)


def _sketched(trainer: Trainer, context: Context, name: str) -> dict[str, Any]:
    """One pass, for networks whose kernels do not repeat bit by bit (AlexNet's normalisation on a GPU)."""
    start = torch.cat([p.detach().flatten() for p in trainer.parameters]).double()
    done = drive(
        trainer,
        follow=regularity.Sketch(trainer.parameters),
        checkpoint=context.checkpoint(name),
        checkpoint_seconds=300.0,  # what was followed is large
        deadline=context.deadline,
    )
    end = torch.cat([p.detach().flatten() for p in trainer.parameters]).double()
    found = regularity.estimated_gamma(done.followed, done.losses, regularity.rates_of(trainer))
    size = float((start - end).square().sum())
    return {"losses": done.losses, "gamma": found.gamma, "error": found.error, "size": size}


def summary(found: Curves, rate: float, epoch: int) -> tuple[dict[str, float], Curves]:
    """The numbers and curves of one trajectory; NaN all through where it diverged.

    `theorem` is the average loss over its bound in Theorem 1, NaN outside the theorem (a gamma that is not above 0).

    Args:
        found: what `trajectory` gave.
        rate: the constant learning rate.
        epoch: steps of an epoch.
    """
    losses = np.asarray(found["losses"], dtype=np.float64)
    bound = np.inf
    if "distances" in found:
        gammas, size = regularity.gamma(found["distances"], losses, np.full(len(losses), rate)), found["distances"][0]
        if np.isfinite(losses).all():
            _, bound = regularity.theorem_1(found["distances"], losses, rate)
    else:
        gammas, size = found["gamma"], found["size"]
    whole = len(losses) // epoch * epoch
    weights, of_epoch = (x[:whole].reshape(-1, epoch) for x in (losses, gammas))
    curves = {"factor": (of_epoch * weights).sum(1) / weights.sum(1) / size, "loss": weights.mean(1)}
    if not np.isfinite(losses).all():
        return dict.fromkeys(("loss", "factor", "smallest", "share", "theorem"), np.nan), curves
    metrics = {
        "loss": losses.mean(),
        "factor": np.median(curves["factor"]),
        "smallest": gammas.min(),
        "share": np.mean(gammas > 0),
        "theorem": losses.mean() / bound if np.isfinite(bound) else np.nan,
    }
    return {name: float(value) for name, value in metrics.items()}, curves


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
    for key in ("smallest", "share"):
        metrics[key] = float(np.min([row[key] for row in found.values()]))
    inside = [row["theorem"] for row in found.values() if np.isfinite(row["theorem"])]
    metrics |= {"applies": float(len(inside)), "theorem": max(inside, default=np.nan)}
    return Measured(metrics, arrays)


def guess(values: dict[str, Any]) -> float:
    """Minutes of a seed on one H200.

    Two passes, the second of which measures distances with as many kernels again as it trains with; a sketch does so in
    one.
    """
    passes, steps = (2, 3 * values["steps"]) if values["method"] == "exact" else (1, 2 * values["steps"])
    batch, total = min(values["recipe"]["batch_size"], values.get("train", TRAINED)), 0.0
    for changes in values["variants"].values():
        net = size(values["model"] | changes.get("model", {}), values["data"])
        total += seconds(net, steps=steps, batch=batch, precision=values["precision"], tests=0) + (passes - 1) * START
    return total / 60

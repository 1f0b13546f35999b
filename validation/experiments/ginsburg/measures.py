"""What is measured: how training moves the layer imbalance |W_{l+1}|^2 - |W_l|^2 (`measure.norms`).

Networks are in float64: one step moves the imbalance by as little as 1e-9 of the norms, which float32 would round away.
Learning rates are shares of 1 / sharpness, the largest eigenvalue of the loss's Hessian at the start: steps are stable
below a share of 2 as long as the sharpness does not grow.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from validation.batches import Augment
from validation.context import Context
from validation.core import Measured
from validation.data import Dataset
from validation.experiments.common import dataset, network
from validation.measure.curvature import trainer_sharpness
from validation.measure.norms import layer_weights, squared_norms
from validation.statistics import slope_interval
from validation.train import Recipe, Trainer, fit


class Doubled(nn.Module):
    """A network in float64, for images in float32."""

    def __init__(self, model: nn.Module):
        super().__init__()
        self.model = model.double()

    def forward(self, x: Tensor) -> Tensor:  # noqa: D102
        return self.model(x.double())


def unbalanced(model: nn.Module, factor: float) -> nn.Module:
    """The same function with layers scaled by factor and 1 / factor in turn, so that their norms differ.

    A network with an odd number of layers keeps its last as it is.
    """
    weights = layer_weights(model)
    with torch.no_grad():
        for k, weight in enumerate(weights[: len(weights) // 2 * 2]):
            weight *= factor if k % 2 else 1 / factor
    return model


class Start:
    """An unbalanced network and the sharpness of its loss on the training images.

    Args:
        options: the model's.
        values: the setting's; read are "factor" and "loss".
        data, seed, context: as everywhere.
    """

    def __init__(self, options: dict[str, Any], values: dict[str, Any], data: Dataset, seed: int, context: Context):
        self.options, self.values, self.data, self.seed, self.device = options, values, data, seed, context.device
        self.weights: np.ndarray | None = None
        model = unbalanced(network(options, data, seed), values["factor"])
        recipe = Recipe(0, len(data.y_train), 1.0, loss=values["loss"])
        trainer = Trainer(model, data, recipe, context.device)
        self.sharpness = float(trainer_sharpness(trainer, samples=len(data.y_train), tolerance=1e-2).values[0])

    def model(self) -> nn.Module:
        """The network, in float64."""
        model = Doubled(unbalanced(network(self.options, self.data, self.seed), self.values["factor"]))
        if self.weights is not None:
            own = torch.tensor(self.weights)  # a copy: parameters are views of the vector, and train in it
            torch.nn.utils.vector_to_parameters(own, model.parameters())
        return model

    def recipe(self, steps: int, rate: float, **options: Any) -> Recipe:
        """Steps of the full gradient, unless `options` say otherwise."""
        return Recipe(
            **{"steps": steps, "batch_size": len(self.data.y_train), "learning_rate": rate}
            | {"loss": self.values["loss"]}
            | options
        )

    def warm_up(self, steps: int, rate: float, context: Context, name: str) -> None:
        """Begin after so many steps of the full gradient."""

        def make() -> dict[str, Any]:
            path = context.checkpoint(name)
            recipe = self.recipe(steps, rate)
            done = fit(self.model(), self.data, recipe, device=self.device, checkpoint=path, deadline=context.deadline)
            layers = (x.detach().flatten() for x in done.model.parameters())  # in whatever order they lie in memory
            return {"weights": torch.cat(list(layers)).cpu().numpy()}

        self.weights = context.once(name, make)["weights"]

    def curves(self, recipe: Recipe, context: Context, name: str, points: int) -> dict[str, np.ndarray]:
        """Train once; imbalance (measurement, layer - 1), squared norms, loss on all training images, their steps.

        All are NaN if the run diverged.
        """

        def measure(trainer: Trainer) -> dict[str, float]:
            sizes = squared_norms(trainer.model)
            row = {f"norm{k}": float(x) for k, x in enumerate(sizes)}
            return row | {"loss": trainer.evaluate("train")["loss"]}

        at = np.unique(np.linspace(0, recipe.steps, points).astype(int))

        def make() -> dict[str, Any]:
            model = self.model()
            done = fit(
                model,
                self.data,
                recipe,
                device=self.device,
                measure=measure,
                measure_at=at.tolist(),
                checkpoint=context.checkpoint(name),
                deadline=context.deadline,
            )
            layers = len(layer_weights(model))
            if done.diverged is not None:
                return {"steps": at, "norms": np.full((len(at), layers), np.nan), "loss": np.full(len(at), np.nan)}
            norms = np.stack([done.history[f"norm{k}"] for k in range(layers)], axis=1)
            return {"steps": at, "norms": norms, "loss": done.history["loss"]}

        found = context.once(name, make)
        return found | {"imbalance": np.diff(found["norms"], axis=1)}


def conserved(values: dict[str, Any], seed: int, context: Context) -> Measured:
    """What the imbalance changes over a fixed time, at several rates."""
    data, metrics, arrays = dataset(values, context, seed), {}, {}
    shares = np.array(values["shares"])
    for name, options in values["nets"].items():
        start = Start(options, values, data, seed, context)
        changes, sizes = np.empty(len(shares)), np.empty(len(shares))
        for k, share in enumerate(shares):
            recipe = start.recipe(round(values["time"] / share), share / start.sharpness)
            found = start.curves(recipe, context, f"{name}-{share:g}", 2)
            changes[k] = abs(np.diff(found["imbalance"], axis=0)).max()
            sizes[k] = abs(np.diff(found["norms"], axis=0)).max()
        metrics |= {f"slope_{name}": log_slope(shares, changes), f"share_{name}": changes[-1] / sizes[-1]}
        arrays |= {f"change_{name}": changes, f"moved_{name}": sizes, f"sharpness_{name}": start.sharpness}
    return Measured(metrics, arrays | {"shares": shares})


def decayed(values: dict[str, Any], seed: int, context: Context) -> Measured:
    """The decay of the imbalance's size over time, over what the L2 parameter says."""
    data, metrics, arrays = dataset(values, context, seed), {}, {}
    for name, options in values["nets"].items():
        times, found, l2 = _under_l2(name, options, values, data, seed, context)
        size = np.linalg.norm(found["imbalance"], axis=1)
        metrics[f"ratio_{name}"] = log_slope(np.exp(times), size) / (-2 * l2)
        arrays |= {f"times_{name}": l2 * times, f"size_{name}": size / size[0], f"loss_{name}": found["loss"]}
        arrays[f"l2_{name}"] = l2
    return Measured(metrics, arrays)


def phases(values: dict[str, Any], seed: int, context: Context) -> Measured:
    """At the moment when a tenth of the imbalance is gone: how much of the loss is left; and both at the end."""
    data, metrics, arrays = dataset(values, context, seed), {}, {}
    for name, options in values["nets"].items():
        times, found, l2 = _under_l2(name, options, values, data, seed, context)
        size, loss = np.linalg.norm(found["imbalance"], axis=1), found["loss"]
        size = size / size[0]
        gone = np.flatnonzero(size <= 0.9)
        fallen = (loss - loss.min()) / (loss[0] - loss.min())
        metrics |= {f"loss_left_{name}": float(fallen[gone[0]]) if len(gone) else np.nan}
        metrics |= {f"imbalance_left_{name}": float(size[-1]), f"loss_at_end_{name}": float(fallen[-1])}
        arrays |= {f"times_{name}": l2 * times, f"size_{name}": size, f"fallen_{name}": fallen, f"l2_{name}": l2}
    return Measured(metrics, arrays)


def _under_l2(
    name: str, options: dict[str, Any], values: dict[str, Any], data: Dataset, seed: int, context: Context
) -> tuple[np.ndarray, dict[str, np.ndarray], float]:
    """Times, curves and the L2 parameter of a run that is to shrink the imbalance by e^(-folds)."""
    start = Start(options, values, data, seed, context)
    steps, rate = values["steps"][name], values["share"] / start.sharpness
    l2 = values["folds"] / (2 * steps * rate)
    found = start.curves(start.recipe(steps, rate, l2=l2), context, name, values["points"])
    return found["steps"] * rate, found, l2


def driven(values: dict[str, Any], seed: int, context: Context) -> Measured:
    """How noise of several strengths moves the imbalance, beyond what the same training does without it.

    With `noise` "batch" the levels are sizes of mini-batches, and the full gradient is without noise; with "input" they
    are half widths of factors of the inputs, and the same mini-batches without factors are.

    One step moves the imbalance by rate^2 (|G_{l+1}|^2 - |G_l|^2), whose mean over mini-batches has the full gradient's
    part and the variance of G. What is left of the products of both, 2 <mean, deviation>, has the mean 0; it sums to 0
    over an epoch without replacement as long as the weights stand still, so `steps` are whole epochs of every size. Of
    factors 1 + eta it is odd in eta, and sums to 0 over a draw and its mirror image, 1 - eta.

    `slope` is that of the drift's size over the noise's variance (log-log). `shrinks` is the least cosine, over levels,
    of the drift with minus the imbalance: a number that does not depend on how large the drift is, by which networks
    that begin to learn late differ thirtyfold.
    """
    data, metrics, arrays = dataset(values, context, seed), {}, {}
    levels, batch = values["levels"], values["noise"] == "batch"
    variances = 1 / np.array(levels) - 1 / len(data.y_train) if batch else np.square(levels)
    for name, options in values["nets"].items():
        start = Start(options, values, data, seed, context)
        start.warm_up(values["warm"], values["warm_share"] / start.sharpness, context, f"{name}-warm")
        first = squared_norms(start.model()).diff().numpy()
        drift = partial(_drift, start, values, context, name)

        extra = np.zeros((len(levels), len(first)))
        for draw in range(values["draws"]):
            drawn = {"seed": 1000 * seed + draw} | ({} if batch else {"batch_size": values["batch_size"]})
            plain = drift("plain" if batch else f"plain-{draw}", {} if batch else drawn)
            for k, level in enumerate(levels):
                moved = [drift(f"{label}-{draw}", drawn | how) for label, how in _noises(level, batch).items()]
                extra[k] += (np.mean(moved, axis=0) - plain) / values["draws"]
        sizes = np.linalg.norm(extra, axis=1)
        toward = -extra @ first / (sizes * np.linalg.norm(first))
        metrics |= {f"slope_{name}": log_slope(variances, sizes), f"shrinks_{name}": float(toward.min())}
        arrays |= {f"extra_{name}": sizes, f"toward_{name}": toward}
    return Measured(metrics, arrays | {"variances": variances})


def _noises(level: float, batch: bool) -> dict[str, dict[str, Any]]:
    """What a recipe changes for a level of noise, by a label: once for mini-batches, both signs for factors."""
    if batch:
        return {f"{level}": {"batch_size": level}}
    return {f"{level}{sign}": {"augment": Augment(noise=level, mirrored=sign == "-")} for sign in "+-"}


def _drift(
    start: Start, values: dict[str, Any], context: Context, name: str, label: str, recipe: dict[str, Any]
) -> np.ndarray:
    """What the imbalance changes in `values["steps"]` steps, (layer - 1,)."""
    steps, rate = values["steps"], values["share"] / start.sharpness
    found = start.curves(start.recipe(steps, rate, **recipe), context, f"{name}-{label}", 2)
    return np.diff(found["imbalance"], axis=0)[0]


def log_slope(x: Any, y: Any) -> float:
    """Slope of log y over log x; NaN where a run diverged or nothing moved."""
    y = np.asarray(y, dtype=np.float64)
    if not (np.isfinite(y).all() and (y > 0).all()):
        return np.nan
    return slope_interval(np.log(x), np.log(y)).estimate

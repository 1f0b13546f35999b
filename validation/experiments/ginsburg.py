"""Ginsburg (2020): layer imbalance, on real networks. It is |W_{l+1}|^2 - |W_l|^2 (`measure.norms`).

The paper proves for scalar deep linear nets what is tested here. For networks that are homogeneous in every layer,
<W_l, dL/dW_l> is the same for all layers, for every mini-batch, so one step of SGD changes the imbalance by

    rate^2 (|G_{l+1}|^2 - |G_l|^2)  -  2 rate l2 (imbalance)  +  O(rate^2 l2),

whatever the data: the flow keeps it, L2 makes it decay as e^{-2 l2 t} (in the paper's mu sum w^2, e^{-4 mu t}), and
noise of mini-batches or of inputs adds to the first term what is proportional to its variance.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import nn

from validation.batches import Augment
from validation.context import Context
from validation.core import Experiment, Measured, Prediction, Setting
from validation.data import Dataset
from validation.experiments.common import dataset, network
from validation.measure.norms import layer_weights, squared_norms
from validation.statistics import slope_interval
from validation.train import Recipe, Trainer, fit

FC = {"name": "fc", "width": 64, "depth": 2, "bias": False}
QUICK_NETS = {
    "linear": FC | {"activation": "linear", "weight_std": 1.0},
    "relu": FC,
    "conv": {"name": "all_cnn", "width": 8, "norms": "none", "bias": False},
}
GPU_NETS = {
    "linear": FC | {"activation": "linear", "weight_std": 1.0, "width": 512, "depth": 3},
    "relu": FC | {"width": 512, "depth": 3},
    "conv": {"name": "all_cnn", "width": 48, "norms": "none", "bias": False},
}


def unbalanced(model: nn.Module, factor: float) -> nn.Module:
    """The same function with layers scaled by factor and 1 / factor in turn, so that their norms differ.

    A network with an odd number of layers keeps its last as it is.
    """
    weights = layer_weights(model)
    with torch.no_grad():
        for k, weight in enumerate(weights[: len(weights) // 2 * 2]):
            weight *= factor if k % 2 else 1 / factor
    return model


def curves(
    model: nn.Module, data: Dataset, recipe: Recipe, context: Context, name: str, points: int
) -> dict[str, np.ndarray]:
    """Train once; imbalance (measurement, layer - 1), squared norms, loss on all training images, and their steps."""

    def measure(trainer: Trainer) -> dict[str, float]:
        sizes = squared_norms(trainer.model)
        row = {f"norm{k}": float(x) for k, x in enumerate(sizes)}
        return row | {"loss": trainer.evaluate("train")["loss"]}

    at = np.unique(np.linspace(0, recipe.steps, points).astype(int))

    def make() -> dict[str, Any]:
        done = fit(
            model,
            data,
            recipe,
            device=context.device,
            measure=measure,
            measure_at=at.tolist(),
            checkpoint=context.checkpoint(name),
            deadline=context.deadline,
        )
        norms = np.stack([done.history[f"norm{k}"] for k in range(len(layer_weights(model)))], axis=1)
        loss = done.history["loss"]
        if done.diverged is not None:  # a result, which is no number
            norms, loss = np.full((len(at), norms.shape[1]), np.nan), np.full(len(at), np.nan)
        return {"steps": at, "norms": norms, "loss": loss}

    found = context.once(name, make)
    return found | {"imbalance": np.diff(found["norms"], axis=1)}


def _conserved(values: dict[str, Any], seed: int, context: Context) -> Measured:
    data, metrics, arrays = dataset(values, context, seed), {}, {}
    for name, options in values["nets"].items():
        changes, sizes = [], []
        for rate in values["rates"]:
            model = unbalanced(network(options, data, seed), values["factor"])
            recipe = Recipe(round(values["time"] / rate), len(data.y_train), rate, loss=values["loss"])
            found = curves(model, data, recipe, context, f"{name}-{rate:g}", 2)
            changes.append(abs(found["imbalance"][-1] - found["imbalance"][0]).max())
            sizes.append(abs(found["norms"][-1] - found["norms"][0]).max())
        metrics |= {f"slope_{name}": _slope(values["rates"], changes), f"share_{name}": changes[-1] / sizes[-1]}
        arrays |= {f"change_{name}": np.array(changes), f"moved_{name}": np.array(sizes)}
    return Measured(metrics, arrays | {"rates": np.array(values["rates"])})


def _decayed(values: dict[str, Any], seed: int, context: Context) -> Measured:
    data, metrics, arrays = dataset(values, context, seed), {}, {}
    for name, options in values["nets"].items():
        model = unbalanced(network(options, data, seed), values["factor"])
        rate, l2 = values["rate"], values["l2"]
        recipe = Recipe(round(values["time"] / rate), len(data.y_train), rate, l2, loss=values["loss"])
        found = curves(model, data, recipe, context, name, values["points"])
        times, size = found["steps"] * rate, np.linalg.norm(found["imbalance"], axis=1)
        metrics[f"ratio_{name}"] = _slope(np.exp(times), size) / (-2 * l2)
        arrays |= {f"times_{name}": times, f"size_{name}": size / size[0], f"loss_{name}": found["loss"]}
    return Measured(metrics, arrays | {"l2": np.array(l2)})


def _driven(values: dict[str, Any], seed: int, context: Context, settings: Callable[[Any], dict[str, Any]]) -> Measured:
    """How noise of several strengths moves the imbalance, beyond what the full gradient does.

    All runs start near a minimum, after the same steps of the full gradient, where the drift of the noise is not hidden
    by that of the gradient; the drift is averaged over several draws of the noise.
    """
    data, metrics, arrays = dataset(values, context, seed), {}, {}
    variances = _variances(values, len(data.y_train))
    plain = {"batch_size": len(data.y_train), "learning_rate": values["rate"], "loss": values["loss"]}
    for name, options in values["nets"].items():
        start = _warm(unbalanced(network(options, data, seed), values["factor"]), data, values, plain, context, name)

        def drift(label: str, recipe: Recipe, name=name, options=options, start=start) -> np.ndarray:
            model = network(options, data, seed)
            torch.nn.utils.vector_to_parameters(torch.as_tensor(start), model.parameters())
            found = curves(model, data, recipe, context, f"{name}-{label}", 2)
            return np.diff(found["imbalance"], axis=0)[0]

        steps = values["steps"]
        full = drift("full", Recipe(steps, **plain))
        extra = np.zeros((len(values["levels"]), len(full)))
        for k, level in enumerate(values["levels"]):
            for draw in range(values["draws"]):
                recipe = Recipe(steps, **(plain | settings(level)), seed=1000 * seed + draw)
                extra[k] += (drift(f"{level}-{draw}", recipe) - full) / values["draws"]
        model = network(options, data, seed)
        torch.nn.utils.vector_to_parameters(torch.as_tensor(start), model.parameters())
        first = squared_norms(model).diff().numpy()
        sizes, toward = np.linalg.norm(extra, axis=1), -extra @ first / (first @ first)
        metrics |= {f"slope_{name}": _slope(variances, sizes), f"shrinks_{name}": float(toward.min())}
        arrays |= {f"extra_{name}": sizes, f"toward_{name}": toward}
    return Measured(metrics, arrays | {"variances": variances})


def _warm(
    model: nn.Module, data: Dataset, values: dict[str, Any], plain: dict[str, Any], context: Context, name: str
) -> np.ndarray:
    """All weights, (weight,), after `values["warm"]` steps of the full gradient."""

    def make() -> dict[str, Any]:
        path = context.checkpoint(f"{name}-warm")
        recipe = Recipe(values["warm"], **plain)
        done = fit(model, data, recipe, device=context.device, checkpoint=path, deadline=context.deadline)
        return {"weights": torch.nn.utils.parameters_to_vector(done.model.parameters()).detach().cpu().numpy()}

    return context.once(f"{name}-warm", make)["weights"]


def _slope(x: Any, y: Any) -> float:
    """Slope of log y over log x; NaN where a run diverged or nothing moved."""
    y = np.asarray(y, dtype=np.float64)
    if not (np.isfinite(y).all() and (y > 0).all()):
        return np.nan
    return slope_interval(np.log(x), np.log(y)).estimate


def _variances(values: dict[str, Any], count: int) -> np.ndarray:
    """What the drift should be proportional to: 1/B - 1/N, or the squared half width."""
    levels = np.array(values["levels"], dtype=np.float64)
    return 1 / levels - 1 / count if values["noise"] == "batch" else levels**2


def _batch(level: int) -> dict[str, Any]:
    return {"batch_size": level}


def _input(level: float) -> dict[str, Any]:
    return {"augment": Augment(noise=level)}


def _phases(values: dict[str, Any], seed: int, context: Context) -> Measured:
    """At the moment when a tenth of the imbalance is gone: how much of the loss is left; and both at the end."""
    data, metrics, arrays = dataset(values, context, seed), {}, {}
    for name, options in values["nets"].items():
        model = unbalanced(network(options, data, seed), values["factor"])
        recipe = Recipe(
            round(values["time"] / values["rate"]), len(data.y_train), values["rate"], values["l2"], loss=values["loss"]
        )
        found = curves(model, data, recipe, context, name, values["points"])
        size, loss = np.linalg.norm(found["imbalance"], axis=1), found["loss"]
        size = size / size[0]
        tenth = int(np.argmax(size <= 0.9))
        fallen = (loss - loss.min()) / (loss[0] - loss.min())
        metrics |= {f"loss_left_{name}": float(fallen[tenth]), f"imbalance_left_{name}": float(size[-1])}
        metrics[f"loss_at_end_{name}"] = float(fallen[-1])
        arrays |= {f"times_{name}": found["steps"] * values["rate"], f"size_{name}": size, f"fallen_{name}": fallen}
    return Measured(metrics, arrays)


def _each(make: Callable[[str], Prediction], nets: dict[str, Any]) -> tuple[Prediction, ...]:
    return tuple(make(name) for name in nets)


CONSERVED = (
    lambda net: Prediction(
        f"slope_{net}", f"{net}: what imbalance changes over a fixed time is of first order in the rate", 0.8, 1.2
    ),
    lambda net: Prediction(
        f"share_{net}", f"{net}: at the smallest rate it changes less than a tenth of what norms do", high=0.1
    ),
)


def _conserved_setting(
    nets: dict[str, Any], values: dict[str, Any], seeds: int, differs: str, minutes: float
) -> Setting:
    predictions = tuple(p for make in CONSERVED for p in _each(make, nets))
    return Setting({"nets": nets, **values}, predictions, seeds, differs, minutes)


def _decay_setting(nets: dict[str, Any], values: dict[str, Any], seeds: int, differs: str, minutes: float) -> Setting:
    def ratio(net: str) -> Prediction:
        return Prediction(f"ratio_{net}", f"{net}: the imbalance decays as exp(-2 l2 t), within a tenth", 0.9, 1.1)

    return Setting({"nets": nets, **values}, _each(ratio, nets), seeds, differs, minutes)


def _driven_setting(nets: dict[str, Any], values: dict[str, Any], seeds: int, differs: str, minutes: float) -> Setting:
    by = "1/B - 1/N" if values["noise"] == "batch" else "the variance of the noise"

    def slope(net: str) -> Prediction:
        return Prediction(f"slope_{net}", f"{net}: the drift is proportional to {by} (log-log slope 1)", 0.85, 1.15)

    def shrinks(net: str) -> Prediction:
        return Prediction(f"shrinks_{net}", f"{net}: every noise makes the imbalance smaller", low=0.0)

    return Setting({"nets": nets, **values}, _each(slope, nets) + _each(shrinks, nets), seeds, differs, minutes)


def _phase_setting(nets: dict[str, Any], values: dict[str, Any], seeds: int, differs: str, minutes: float) -> Setting:
    def left(net: str) -> Prediction:
        return Prediction(
            f"loss_left_{net}",
            f"{net}: when a tenth of the imbalance is gone, the loss has fallen by nine tenths",
            high=0.1,
        )

    def small(net: str) -> Prediction:
        return Prediction(f"imbalance_left_{net}", f"{net}: a fifth of the imbalance is left at the end", high=0.2)

    def stays(net: str) -> Prediction:
        return Prediction(f"loss_at_end_{net}", f"{net}: the loss stays down", high=0.15)

    predictions = _each(left, nets) + _each(small, nets) + _each(stays, nets)
    return Setting({"nets": nets, **values}, predictions, seeds, differs, minutes)


def _draw(
    x: str, pairs: tuple[tuple[str, str], ...], xlabel: str, ylabel: str, *, slope: float | None, log_x: bool = True
):
    """A picture: a line for each network and kind of number, all seeds; a dashed line of the predicted slope."""

    def draw(arrays: list[dict[str, np.ndarray]], axes) -> None:
        for prefix, style in pairs:
            for k, net in enumerate(key.removeprefix(prefix) for key in arrays[0] if key.startswith(prefix)):
                for j, one in enumerate(arrays):
                    along = one[x] if x in one else one[x + net]
                    label = f"{net}, {prefix.strip('_')}" if j == 0 else None
                    axes.plot(along, one[prefix + net], style, color=f"C{k}", label=label, lw=1, ms=3, alpha=0.8)
                if slope is not None and prefix == pairs[0][0]:
                    y = arrays[0][prefix + net]
                    along = arrays[0][x]
                    axes.plot(along, y[-1] * (along / along[-1]) ** slope, "--", color="0.5", lw=0.8)
        axes.set(xlabel=xlabel, ylabel=ylabel, yscale="log")
        if log_x:
            axes.set_xscale("log")
        axes.legend(fontsize="x-small", ncols=2)

    return draw


SHARED = {"data": "digits", "train": 512, "test": 100, "loss": "mse", "factor": 1.5}
CIFAR = {"data": "cifar10", "train": 2048, "test": 100, "loss": "mse", "factor": 1.5}
SMALL = "the paper's nets are scalar and linear; here digits of 8 x 8 pixels and networks of a few thousand weights"
LARGE = "the paper's nets are scalar and linear; here 2048 images of CIFAR-10 and networks of up to two million weights"
TIMES = _draw("times_", (("size_", "-"),), "time (rate x steps)", "imbalance / start", slope=None, log_x=False)

EXPERIMENTS = (
    Experiment(
        "ginsburg.imbalance-conserved",
        "Gradient descent with small steps keeps the layer imbalance",
        "ginsburg2020, section 3 and eq. (6)",
        "For the gradient flow the layer imbalance is constant: w_i^2(t) - w_j^2(t) = const.",
        {
            "quick": _conserved_setting(
                QUICK_NETS, SHARED | {"rates": [0.01, 0.005, 0.0025], "time": 4.0}, 3, SMALL, 1.0
            ),
            "gpu": _conserved_setting(GPU_NETS, CIFAR | {"rates": [0.02, 0.01, 0.005], "time": 4.0}, 5, LARGE, 4.0),
        },
        _conserved,
        10,
        _draw(
            "rates",
            (("change_", "o-"), ("moved_", "s:")),
            "learning rate",
            "change over the time",
            slope=1.0,
        ),
    ),
    Experiment(
        "ginsburg.imbalance-weight-decay",
        "Weight decay makes the layer imbalance decay at its own rate",
        "ginsburg2020, section 4.1",
        "With weight decay the layer imbalance decreases exponentially, as e^{-4 mu t} for the loss L + mu sum w_i^2.",
        {
            "quick": _decay_setting(
                QUICK_NETS, SHARED | {"rate": 0.02, "l2": 0.05, "time": 30.0, "points": 31}, 3, SMALL, 1.0
            ),
            "gpu": _decay_setting(
                GPU_NETS, CIFAR | {"rate": 0.01, "l2": 0.05, "time": 30.0, "points": 31}, 5, LARGE, 5.0
            ),
        },
        _decayed,
        11,
        TIMES,
    ),
    Experiment(
        "ginsburg.imbalance-sgd",
        "The noise of mini-batches drives the imbalance down, in proportion to 1/B - 1/N",
        "ginsburg2020, section 5",
        "The layer imbalance converges to 0 at a rate proportional to the variance of SGD noise, sigma^2 ~ 1/B - 1/N.",
        {
            "quick": _driven_setting(
                QUICK_NETS,
                SHARED
                | {
                    "rate": 0.01,
                    "steps": 100,
                    "levels": [8, 16, 32, 64, 128],
                    "noise": "batch",
                    "warm": 1000,
                    "draws": 4,
                },
                5,
                SMALL,
                1.0,
            ),
            "gpu": _driven_setting(
                GPU_NETS,
                CIFAR
                | {
                    "rate": 0.005,
                    "steps": 200,
                    "levels": [16, 32, 64, 128, 256],
                    "noise": "batch",
                    "warm": 4000,
                    "draws": 4,
                },
                8,
                LARGE,
                4.0,
            ),
        },
        partial(_driven, settings=_batch),
        12,
        _draw("variances", (("extra_", "o-"),), "1/B - 1/N", "drift beyond that of the full gradient", slope=1.0),
    ),
    Experiment(
        "ginsburg.imbalance-noise",
        "Noise augmentation drives the imbalance down, in proportion to its variance",
        "ginsburg2020, section 4.2",
        "Training with inputs x (1 + eta) decreases the layer imbalance.",
        {
            "quick": _driven_setting(
                QUICK_NETS,
                SHARED
                | {"rate": 0.01, "steps": 100, "levels": [0.2, 0.3, 0.4], "noise": "input", "warm": 1000, "draws": 4},
                5,
                SMALL,
                0.6,
            ),
            "gpu": _driven_setting(
                GPU_NETS,
                CIFAR
                | {"rate": 0.005, "steps": 200, "levels": [0.2, 0.3, 0.4], "noise": "input", "warm": 4000, "draws": 4},
                8,
                LARGE,
                3.0,
            ),
        },
        partial(_driven, settings=_input),
        110,
        _draw("variances", (("extra_", "o-"),), "squared half width", "drift beyond that without noise", slope=1.0),
    ),
    Experiment(
        "ginsburg.two-phases",
        "First the loss falls, then the imbalance",
        "ginsburg2020, section 4",
        "Training has two distinct phases: the loss decreases and the trajectory goes toward the manifold of minima; "
        "then the layer imbalance decreases along it.",
        {
            "quick": _phase_setting(
                QUICK_NETS, SHARED | {"rate": 0.04, "l2": 0.01, "time": 100.0, "points": 101}, 3, SMALL, 1.0
            ),
            "gpu": _phase_setting(
                GPU_NETS, CIFAR | {"rate": 0.02, "l2": 0.01, "time": 100.0, "points": 101}, 3, LARGE, 5.0
            ),
        },
        _phases,
        111,
        _draw("times_", (("fallen_", "-"), ("size_", ":")), "time (rate x steps)", "share left", slope=None),
    ),
)

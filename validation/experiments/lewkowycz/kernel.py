"""A wide network in training against Theorem 2 (Fig. 5c): the training loss over time under L2.

Convention as in the paper's section 4: the loss is the sum over N samples of (f - y)^2 / 2, plus l2/2 |theta|^2, and t
is step x rate. Training here is by the mean, so its rate is N times, and its L2 parameter a share 1/N of, the paper's.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from linreg_dyn import ntk
from validation.batches import Batches
from validation.context import Context
from validation.core import Measured
from validation.data import Dataset
from validation.experiments.common import network
from validation.experiments.lewkowycz.cells import images, times
from validation.experiments.style import line
from validation.train import Recipe, Trainer, fit


def network_and_theory(values: dict[str, Any], seed: int, context: Context) -> Measured:
    """Losses of a two-layer ReLU network, and of the solutions with k = 1 and k = 2, over time.

    `difference` is the largest distance to k = 2 up to its minimum, over the loss at the start; `time_ratio` and
    `loss_ratio` compare the minima; `rises` is the network's last loss over its least, `linear_rises` that of k = 1;
    `late_over_zero` is the network's last loss over that of f = 0, N / 2.
    """
    data = images(values, context, seed)
    count, rate = len(data.y_train), values["rate"]
    steps = round(values["time"] / rate)

    def measure(trainer: Trainer) -> dict[str, float]:
        return {"loss": trainer.evaluate("train")["loss"] * count}

    def make() -> dict[str, Any]:
        done = fit(
            network(values["model"], data, seed),
            data,
            Recipe(steps, count, rate * count, values["l2"] / count, loss="parity"),
            device=context.device,
            measure=measure,
            measure_at=[0, *times(1, steps)],
            checkpoint=context.checkpoint("network"),
            deadline=context.deadline,
        )
        return {"steps": done.steps, "loss": done.history["loss"], "diverged": done.diverged is not None}

    trained = context.once("network", make)
    t = trained["steps"] * rate
    theory = context.once("theory", lambda: _theory(values, data, seed, context, t))
    found = read(t, trained["loss"], theory["linear"], theory["quadratic"], diverged=bool(trained["diverged"]))
    late = np.nan if trained["diverged"] else float(trained["loss"][-1] / (count / 2))
    return Measured(found.metrics | {"late_over_zero": late}, found.arrays)


def _theory(values: dict[str, Any], data: Dataset, seed: int, context: Context, t: np.ndarray) -> dict[str, np.ndarray]:
    """Losses by eq. 3 with the empirical kernel of another draw, from the outputs that the network starts with."""
    batches = Batches(data, len(data.y_train), seed=0, device=context.device)
    x = batches.normalised(batches.x)
    other = network(values["model"] | {"width": values["kernel_width"]}, data, seed + 1000).to(context.device)
    gamma, vectors = np.linalg.eigh(ntk.empirical_kernel(other, x, outputs=0).astype(np.float64))
    with torch.no_grad():
        start = network(values["model"], data, seed).to(context.device)(x)[:, 0].double().cpu().numpy()
    modes = {"f0": vectors.T @ start, "y": vectors.T @ (1.0 - 2 * (data.y_train % 2))}
    losses = {}
    for name, degree in (("linear", 1), ("quadratic", 2)):
        f = ntk.mode_solution(t[:, None], np.maximum(gamma, 0), **modes, l2=values["l2"], degree=degree)
        losses[name] = 0.5 * np.square(f - modes["y"]).sum(1)
    return losses


def read(
    t: np.ndarray, loss: np.ndarray, linear: np.ndarray, quadratic: np.ndarray, *, diverged: bool = False
) -> Measured:
    """Metrics of three loss curves at the same times; NaN if the network diverged, however its loss began."""
    arrays = {"t": t, "network": loss, "linear": linear, "quadratic": quadratic}
    if diverged or not np.isfinite(loss).all():
        return Measured(
            dict.fromkeys(("difference", "time_ratio", "loss_ratio", "rises", "linear_rises"), np.nan), arrays
        )
    least = int(quadratic.argmin())
    metrics = {
        "difference": float(abs(loss - quadratic)[: least + 1].max() / loss[0]),
        "time_ratio": float(t[loss.argmin()] / t[least]),
        "loss_ratio": float(loss.min() / quadratic[least]),
        "rises": float(loss[-1] / loss.min()),
        "linear_rises": float(linear[-1] / linear.min()),
    }
    return Measured(metrics, arrays)


def draw(arrays: list[dict[str, np.ndarray]], axes) -> None:
    """Training losses over time."""
    labels = {"linear": "k = 1", "quadratic": "k = 2", "network": "network"}
    for j, one in enumerate(arrays):
        for k, (name, label) in enumerate(labels.items()):
            axes.plot(one["t"][1:], one[name][1:], **line(k), lw=1, label=None if j else label)
    axes.set(xlabel="step x rate", ylabel="training loss", xscale="log", yscale="log")
    axes.legend(fontsize="x-small")

"""Chen, Yang & Zhou (2020): what makes training fast makes the regularity parameter large."""

from __future__ import annotations

import numpy as np

from validation.core import Experiment
from validation.experiments.chen.measures import guess, measure
from validation.experiments.chen.settings import FIGURES, Figure, theorem_scales
from validation.experiments.style import line

STATEMENTS = {
    "activation": "Trainings with ReLU types of activation functions satisfy the regularity principle with the largest "
    "gamma and converge fastest, those with sigmoid with the smallest (in AlexNet sigmoid is far behind the others; in "
    "the U-Net it is largest, tanh smallest).",
    "batch-norm": "Trainings with all batch norms removed slow down and have a very small gamma; those that keep the "
    "first of each block are as fast as those that keep all (on CIFAR-100: slightly slower).",
    "skips": "Trainings that keep more skip connections converge faster, and have a larger gamma.",
    "optimiser": "Adam is fastest and has the largest gamma; SGD with momentum is faster than SGD (in the U-Net both "
    "are much slower than Adam).",
}
WORDS = {"activation": "activation", "batch-norm": "batch norm", "skips": "skip connections", "optimiser": "optimiser"}


def draw(arrays: list[dict[str, np.ndarray]], axes) -> None:
    """gamma / |theta_0 - theta_T|^2 of every epoch, all seeds; below the line the principle fails."""
    names = [key.removeprefix("factor_") for key in arrays[0] if key.startswith("factor_")]
    for one in arrays:
        for k, name in enumerate(names):
            label = name.replace("_", " ") if one is arrays[0] else None
            axes.plot(one[f"factor_{name}"], **line(k), alpha=0.8, label=label)
    axes.axhline(0, color="0.7", linewidth=1)
    axes.set_yscale("symlog", linthresh=1e-3)
    axes.legend(fontsize="x-small")
    axes.set_xlabel("epoch")
    axes.set_ylabel("gamma / |theta_0 - theta_T|²")


def _experiment(figure: Figure) -> Experiment:
    technique = next(name for name in STATEMENTS if figure.name.startswith(name))
    net = f"{figure.model['name']}{'-' + str(figure.model['depth']) if 'depth' in figure.model else ''}"
    return Experiment(
        f"chen.{figure.name}",
        f"The regularity parameter by {WORDS[technique]}, {net}, {figure.data}",
        f"chen2020, {figure.locator}",
        STATEMENTS[technique],
        figure.scales(),
        measure,
        figure.priority,
        draw,
        guess,
    )


EXPERIMENTS = (
    *map(_experiment, FIGURES),
    Experiment(
        "chen.theorem-1",
        "Theorem 1 on trajectories that obey the regularity principle at every step",
        "chen2020, Definition 2 and Theorem 1",
        "If the trajectory satisfies the regularity principle with gamma > 0, the average loss is at most "
        "|theta_0 - theta_T|^2 / (2 eta gamma T) above its infimum.",
        theorem_scales(),
        measure,
        72,
        draw,
        guess,
    ),
)

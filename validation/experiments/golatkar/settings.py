"""Networks, rates and windows by scale, and what is predicted of them before they are run."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from linreg_dyn.schedules import Exponential, Steps
from linreg_dyn.schedules.spec import to_spec
from validation.core import SCALES, Prediction, Setting
from validation.experiments.golatkar.predictions import DIFFERENCES, of_windows

EXPONENTIAL = to_spec(Exponential(0.1, factor=0.97))
PIECEWISE = to_spec(Steps((0.1, 0.02, 0.004, 0.0008), milestones=(60, 120, 160)))
NO_NORM = to_spec(Exponential(0.01, factor=0.97))

RESNET = {"name": "resnet", "depth": 18}
ALL_CNN = {"name": "all_cnn"}
FC = {"name": "fc", "width": 64, "depth": 2}

STEPS = {"cifar10": 390, "cifar100": 390, "svhn": 572, "imagenet": 10009}
"""Of an epoch in mini-batches of 128."""


def on(data: str) -> dict[str, Any]:
    """What depends on the dataset at scale paper."""
    return {"data": data, "unit": STEPS[data]}


def shortly_on(data: str) -> dict[str, Any]:
    """What depends on the dataset at scale gpu, where 30 epochs stand for 200."""
    unit = round(STEPS[data] * 30 / 200)
    return {"data": data, "unit": unit, "strength": STRENGTH | {"weight_decay": round(5e-4 * STEPS[data] / unit, 4)}}


STRENGTH = {"weight_decay": 5e-4, "augmentation": 1.0, "mixup": 0.0}
PAPER: dict[str, Any] = on("cifar10") | {
    "model": RESNET,
    "batch": 128,
    "rate": EXPONENTIAL,
    "momentum": 0.9,
    "strength": STRENGTH,
    "moves": ["flip", "crop"],
    "shift": 4,
    "every": 5,
    "precision": "float32",
}
GPU: dict[str, Any] = PAPER | shortly_on("cifar10") | {"every": 10, "precision": "bf16"}
QUICK: dict[str, Any] = PAPER | {
    "data": "digits",
    "train": 200,
    "model": {"name": "thin_resnet", "depth": 8, "width": 4},
    "batch": 32,
    "unit": 2,
    "strength": {"weight_decay": 0.02, "augmentation": 0.0, "mixup": 0.0},
    "moves": ["crop"],
    "shift": 1,
    "every": 20,
}
"""What weight decay does to the size of weights goes with rate x decay x steps. At gpu scale that is kept, by a decay
of 5e-4 x 200 / 30. At quick scale it is a fifth of the paper's: with all of it, by a decay of 0.1, weights would halve
in every epoch of the data or so."""

UNKNOWN = "the paper's text gives neither the weight decay nor the mini-batch: 5e-4 (for L + l2/2 |w|^2) and 128"
SMALL = "200 of scikit-learn's digits, a thin ResNet-8, mini-batches of 32, weight decay 0.02, 400 steps"
SMALL_ALONE = f"{SMALL}; no augmentation throughout, as moving digits of 8 x 8 pixels does harm"
SHORT = (
    "30 epochs instead of 200, all times in proportion, the weight decay 200 / 30 times larger so that rate x decay x "
    "steps is kept; bf16; "
)

RUNS = {
    "interrupted": [f"interrupted-{t}" for t in range(0, 201, 25)],
    "delayed": ["interrupted-0", *(f"delayed-{t}" for t in range(25, 176, 25)), "interrupted-200"],
    "sliding": ["interrupted-0", *(f"sliding-{t}" for t in range(0, 176, 25)), "interrupted-200"],
}
"""Those of Fig. 1; regularised from epoch 0 on is "interrupted-200", never "interrupted-0"."""
MANY = [*RUNS["interrupted"], *RUNS["delayed"][1:-1], *RUNS["sliding"][1:-1]]
MANY.remove("interrupted-50")  # which is "sliding-0"
SOME = ["interrupted-0", "interrupted-50", "interrupted-200", "delayed-50", "sliding-25"]
EIGHT = [*(f"interrupted-{t}" for t in (0, 25, 50, 100, 200)), "delayed-50", "delayed-100", "sliding-25"]
"""Over which gpu scale correlates; all are trained for other figures too."""
ENDING = ["interrupted-25", "interrupted-50", "interrupted-100", "interrupted-150", "interrupted-200"]
ENDED = [run for run in RUNS["interrupted"] if run in (*ENDING, "interrupted-75")]
"""Where the critical period ends is among them, as in Fig. 2D."""


def _also(followed: list[str]) -> dict[str, dict[str, list[str]]]:
    """What is watched of which runs by whichever experiment trains them first, so that one training does for all."""
    return {"weight_decay": {"fisher": followed, "path": ENDED}, "augmentation": {"path": ENDED}}


SHARED_GPU: dict[str, Any] = GPU | {"also": _also(EIGHT), "images": 512}
SHARED_PAPER: dict[str, Any] = PAPER | {"also": _also(MANY), "images": 5000}
"""ResNet-18 on CIFAR-10 at an exponential rate: the trainings of several figures."""
SEEDS = 5
"""At gpu scale. Where the paper is right, "no more than 0.3 %" is found with a probability of 0.97, 0.86 or 0.71 if the
difference of two runs spreads over seeds by 0.15, 0.2 or 0.25 % (three seeds: 0.71, 0.53, 0.40; eight: 0.92 or more).
The seven runs of a regulariser's figure, which its three parts share, then take 16 minutes of one H200."""


def timing_settings(
    regulariser: str, kind: str, suffix: str, changes: dict[str, Any], quick: dict[str, Any] | None, minutes: float
) -> dict[str, Setting]:
    """The scales of one of the figures.

    Args:
        regulariser: "weight_decay", "augmentation" or "mixup".
        kind: "interrupted", "delayed" or "sliding".
        suffix: of the experiment's name: which variant of Fig. 1 this is.
        changes: of gpu and paper scale, with respect to ResNet-18 on CIFAR-10 at an exponential rate; of `data` follows
            how many steps an epoch has.
        quick: changes of quick scale; None: there is none.
        minutes: of quick scale.
    """
    one, data = {"regulariser": regulariser}, changes.get("data", "cifar10")
    gpu: dict[str, Any] = (GPU if changes else SHARED_GPU) | changes | shortly_on(data) | one
    paper: dict[str, Any] = (PAPER if changes else SHARED_PAPER) | changes | on(data) | one
    if regulariser == "mixup":
        gpu, paper = (at | {"strength": at["strength"] | {"mixup": 1.0}} for at in (gpu, paper))
    judged = {scale: of_windows(regulariser, kind, suffix, scale) for scale in SCALES}
    out = {}
    if quick is not None:
        values: dict[str, Any] = QUICK | one | quick | {"runs": _few(kind, judged["quick"])}
        differs = SMALL if regulariser == "augmentation" else SMALL_ALONE
        differs = differs.replace("a thin ResNet-8", _words(values["model"]))
        out["quick"] = Setting(values, judged["quick"], 3, differs, minutes)
    unknown = _unknown(regulariser, changes)
    if data != "imagenet":
        runs = _few(kind, judged["gpu"])
        differs = f"{SHORT}{unknown}; {len(runs)} of {len(RUNS[kind])} windows"
        out["gpu"] = Setting(gpu | {"runs": runs}, judged["gpu"], SEEDS, differs, None)
    out["paper"] = Setting(paper | {"runs": RUNS[kind]}, judged["paper"], 5, unknown, None)
    return out


def _few(kind: str, predictions: Iterable[Prediction]) -> list[str]:
    """The runs that predictions are about, and those that these presuppose something of."""
    metrics = {name for one in predictions for name in (one.metric, one.presupposes)}
    used = {run for name in metrics for run in DIFFERENCES.get(name or "", ())}
    return [run for run in RUNS[kind] if run in used]


def _unknown(regulariser: str, changes: dict[str, Any]) -> str:
    """What the paper's text leaves open, and what is taken for it."""
    more = "; nor mixup's alpha: 1" if regulariser == "mixup" else ""
    if changes.get("rate") == PIECEWISE:
        more += "; nor the piecewise constant rate: 0.1, times 0.2 at epochs 60, 120 and 160"
    if changes.get("rate") == NO_NORM:
        more += "; nor the rate and the network without batch norm: 0.01 and All-CNN"
    if changes.get("data") == "imagenet":
        more += "; nor how images are cut: 64 x 64 pixels (a folder imagenet, or imagenet.npz)"
    return UNKNOWN + more


def _words(model: dict[str, Any]) -> str:
    return "a thin ResNet-8" if model["name"] == "thin_resnet" else "two hidden layers of 64, no batch norm"

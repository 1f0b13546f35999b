"""Golatkar, Achille & Soatto (2019), Time Matters: regularisers that are interrupted, delayed, or on for a while."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from validation.core import Experiment, Prediction, Setting
from validation.experiments.common import unexpected
from validation.experiments.golatkar import draw, measures
from validation.experiments.golatkar.predictions import (
    CONSTANT,
    FISHER,
    NORMS,
    NORMS_AT_50,
    PATHS,
    RATES,
    REGULARISERS,
    fisher,
)
from validation.experiments.golatkar.settings import (
    ALL_CNN,
    EIGHT,
    ENDED,
    ENDING,
    EXPONENTIAL,
    FC,
    GPU,
    MANY,
    NO_NORM,
    PAPER,
    PIECEWISE,
    QUICK,
    RUNS,
    SEEDS,
    SHARED_GPU,
    SHARED_PAPER,
    SHORT,
    SMALL,
    SMALL_ALONE,
    SOME,
    UNKNOWN,
    timing_settings,
)

STATEMENTS = {
    "interrupted": "Applying regularisation beyond the initial transient (around 100 epochs) produces no measurable "
    "improvement in generalisation.",
    "delayed": "There is a critical period (around epoch 50) beyond which adding a regulariser yields no benefit.",
    "sliding": "Weight decay impacts critically only the initial epochs; data augmentation has essentially the same "
    "effect throughout training.",
}
WORDS = {"weight_decay": "Weight decay", "augmentation": "Flips and crops", "mixup": "Mixup"}
ENDS = {
    "interrupted": "until epoch t0",
    "delayed": "from epoch t0 on",
    "sliding": "during 50 epochs from t0 on",
}


def _timing(
    regulariser: str,
    kind: str,
    suffix: str,
    locator: str,
    changes: dict[str, Any],
    quick: dict[str, Any] | None,
    minutes: float,
    priority: int,
) -> Experiment:
    title = f"{WORDS[regulariser]} {ENDS[kind]}{', ' + suffix if suffix else ''}"
    name = "-".join(filter(None, (regulariser.replace("_", "-"), kind, suffix)))
    return Experiment(
        f"golatkar.{name}",
        title,
        f"golatkar2019, {locator}",
        "Mixup in the critical period alone generalises better than mixup throughout."
        if regulariser == "mixup"
        else STATEMENTS[kind],
        timing_settings(regulariser, kind, suffix, changes, quick, minutes),
        measures.timing,
        priority,
        draw.timing(kind),
        measures.guess,
    )


CROPS = {"model": FC, "strength": QUICK["strength"] | {"augmentation": 1.0}}
MIXED = {"strength": QUICK["strength"] | {"mixup": 1.0}}
FC_QUICK = {"model": FC}
NO_BN = {"model": ALL_CNN | {"norms": "none"}, "rate": NO_NORM}
ON_CIFAR100 = {"model": ALL_CNN, "data": "cifar100"}
IN_PIECES = {"model": ALL_CNN, "rate": PIECEWISE}
ALL = ("interrupted", "delayed", "sliding")

# (regulariser, kinds, suffix, locator, changes, quick, minutes of quick (0: there is none), priority)
FIGURES: tuple[tuple[str, tuple[str, ...], str, str, dict[str, Any], dict[str, Any] | None, float, int], ...] = (
    ("weight_decay", ALL, "", "Fig. 1", {}, {}, 0.3, 40),
    ("augmentation", ALL, "", "Fig. 1", {}, CROPS, 0.1, 120),
    ("mixup", ALL[:1], "", "Fig. 3, centre right", {}, MIXED, 0.3, 123),
    ("weight_decay", ALL, "all-cnn", "Fig. 1", {"model": ALL_CNN}, None, 0, 130),
    ("augmentation", ALL, "all-cnn", "Fig. 1", {"model": ALL_CNN}, None, 0, 133),
    ("weight_decay", ALL, "no-norm", "Fig. 4", NO_BN, FC_QUICK | {"rate": EXPONENTIAL}, 0.1, 126),
    ("augmentation", ALL, "no-norm", "Fig. 4", NO_BN, None, 0, 136),
    ("weight_decay", ALL, "piecewise", "Fig. 3, bottom", {"rate": PIECEWISE}, None, 0, 140),
    ("weight_decay", ALL[:2], "cifar100", "Fig. 3, top", {"data": "cifar100"}, None, 0, 143),
    ("augmentation", ALL[:2], "cifar100", "Fig. 3, top", {"data": "cifar100"}, None, 0, 145),
    ("weight_decay", ALL[:2], "svhn", "Fig. 3, centre", {"data": "svhn"}, None, 0, 147),
    ("weight_decay", ALL[:2], "all-cnn-cifar100", "Fig. 3, top", ON_CIFAR100, None, 0, 150),
    ("augmentation", ALL[:2], "all-cnn-cifar100", "Fig. 3, top", ON_CIFAR100, None, 0, 152),
    ("augmentation", ALL, "piecewise", "Fig. 3, bottom", {"rate": PIECEWISE}, None, 0, 154),
    ("weight_decay", ALL, "all-cnn-piecewise", "Fig. 3, bottom", IN_PIECES, None, 0, 157),
    ("augmentation", ALL, "all-cnn-piecewise", "Fig. 3, bottom", IN_PIECES, None, 0, 160),
    ("weight_decay", ALL[:1], "imagenet", "Fig. 3, centre", {"data": "imagenet"}, None, 0, 149),
)

UNCHANGED = {"rate": 0.1, "regulariser": "weight_decay"}
BOTH = {"regularisers": ["weight_decay", "augmentation"]}
SIX = ["interrupted-25", *SOME]
FOUR = ["interrupted-0", "interrupted-100", "delayed-100", "sliding-0", "sliding-25"]
THREE = ["interrupted-0", "interrupted-100", "interrupted-200"]
BEGINS = ["interrupted-0", "delayed-50", "interrupted-200"]
ON = {"regulariser": "weight_decay"}
PATH_PARTS = BOTH | {"early": ENDING[:2]}
ALL_PATHS = PATH_PARTS | {"runs": ENDED, "late": ENDED[2:-1]}


SLOW = "not expected of 400 steps: in the second half rate x decay x steps is 0.06"
UNBALANCED = (
    "not expected of 400 steps: in a window from 0 on rate x decay x steps is 1.0, in one from 25 on 0.5; norms do not "
    "come to where gradients balance weight decay, and what acts twice as much shrinks them more"
)


def _scales(
    predictions: tuple[Prediction, ...],
    quick: dict[str, Any],
    gpu: dict[str, Any],
    paper: dict[str, Any],
    minutes: float,
    more: str = "",
    reasons: Mapping[str, str] | None = None,
    small: str = SMALL_ALONE,
    seeds: int = SEEDS,
    large: Callable[[int], tuple[Prediction, ...]] = lambda _: (),
) -> dict[str, Setting]:
    """Settings of an experiment of its own; `large` tells what is predicted of so many runs at the larger scales."""
    judged = unexpected(predictions, reasons or {})
    at_gpu, at_paper = ((*predictions, *large(len(values["runs"]))) for values in (gpu, paper))
    return {
        "quick": Setting(QUICK | ON | quick, judged, 3, small + more, minutes),
        "gpu": Setting(SHARED_GPU | ON | gpu, at_gpu, seeds, SHORT + UNKNOWN + more, None),
        "paper": Setting(SHARED_PAPER | ON | paper, at_paper, 3, UNKNOWN + more, None),
    }


EXPERIMENTS = (
    *(
        _timing(regulariser, kind, suffix, locator, changes, quick, minutes, priority + k)
        for regulariser, kinds, suffix, locator, changes, quick, minutes, priority in FIGURES
        for k, kind in enumerate(kinds)
    ),
    Experiment(
        "golatkar.fisher",
        "The peak of the Fisher information goes with generalisation, its final value does not",
        "golatkar2019, Fig. 5 and 7",
        "While the peak value of the FIM strongly correlates with the final test performance (Pearson 0.92), the final "
        "value does not (0.29); weight decay increases the peak.",
        _scales(
            FISHER,
            {"runs": SIX, "images": 200, "every": 10},
            {"runs": EIGHT},
            {"runs": MANY},
            0.7,
            large=fisher,
        ),
        measures.fisher,
        60,
        draw.over_epochs("fisher", "trace of the Fisher information"),
        measures.guess,
    ),
    Experiment(
        "golatkar.effective-rate",
        "The initial effective learning rate goes with generalisation, more than the final one",
        "golatkar2019, section 4 and Fig. 9",
        "The initial effective learning rate correlates better with generalisation (Pearson 0.96) than the final one "
        "(0.85).",
        _scales(
            RATES,
            {"runs": SOME},
            {"runs": EIGHT},
            {"runs": MANY},
            0.6,
            "; initial is taken as the mean over the first 75 epochs, since all runs start from the same weights, and "
            "final at epoch 200, of longer runs too",
        ),
        measures.effective_rate,
        125,
        draw.effective,
        measures.guess,
    ),
    Experiment(
        "golatkar.weight-norm",
        "Weights move when weight decay comes or goes, whenever that is; a smaller norm is not what generalises",
        "golatkar2019, Fig. 2A-C",
        "The norm of the weights changes significantly after switching off the regulariser; applying weight decay only "
        "at the beginning yields a higher norm than from epoch 25 on, yet better generalisation.",
        _scales(
            NORMS,
            {"runs": FOUR},
            {"runs": [*FOUR, "sliding-50"]},
            {"runs": MANY},
            0.4,
            large=lambda _: NORMS_AT_50,
            reasons={"grows_without": SLOW, "shrinks_with": SLOW, "early_over_later_window": UNBALANCED},
        ),
        measures.weight_norm,
        126,
        draw.over_epochs("squared_norm", "|w|²"),
        measures.guess,
    ),
    Experiment(
        "golatkar.paths",
        "Where training ends depends on weight decay during the critical period, less on augmentation",
        "golatkar2019, Fig. 2D, E",
        "Removing weight decay before the end of the critical period makes the network converge to different regions; "
        "after it, all points lie in a similar area. With augmentation all training paths converge to a similar area.",
        _scales(
            PATHS,
            PATH_PARTS | CROPS | {"runs": ENDING, "late": ENDING[2:-1]},
            ALL_PATHS,
            ALL_PATHS,
            0.2,
            "; principal components of a sketch of 65,536 numbers, where there are more weights",
            reasons={"late_weight_decay": SLOW},
            small=SMALL.replace("a thin ResNet-8", "two hidden layers of 64"),
            seeds=3,  # five would take 26 minutes, and predictions here are not as fine as those of accuracies
        ),
        measures.paths,
        127,
        draw.paths,
        measures.guess,
    ),
    Experiment(
        "golatkar.regularisers",
        "Augmentation is worth more than weight decay, and loses less of it when it begins at epoch 50",
        "golatkar2019, section 4 and Fig. 1 (centre)",
        "WD exhibits more significant critical period behavior than DA. At convergence, data augmentation is more "
        "effective than weight decay.",
        {
            "gpu": Setting(SHARED_GPU | ON | BOTH | {"runs": BEGINS}, REGULARISERS, SEEDS, SHORT + UNKNOWN, None),
            "paper": Setting(SHARED_PAPER | ON | BOTH | {"runs": RUNS["delayed"]}, REGULARISERS, 5, UNKNOWN, None),
        },
        measures.regularisers,
        122,
        draw.regularisers,
        measures.guess,
    ),
    Experiment(
        "golatkar.constant-rate",
        "At a constant rate the network does not converge",
        "golatkar2019, Fig. 3",
        "The same experiment with constant learning rate is inconclusive since the network does not converge.",
        {
            "gpu": Setting(GPU | UNCHANGED | {"runs": THREE}, CONSTANT, SEEDS, SHORT + UNKNOWN, None),
            "paper": Setting(PAPER | UNCHANGED | {"runs": RUNS["interrupted"]}, CONSTANT, 5, UNKNOWN, None),
        },
        measures.timing,
        163,
        draw.timing("interrupted"),
        measures.guess,
    ),
)

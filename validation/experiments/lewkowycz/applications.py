"""Specs of the applications: the l2 of a budget, AutoL2, a schedule of the rate (Fig. 1, 4, S9 and S10)."""

from __future__ import annotations

from typing import Any

from validation.core import Experiment, Prediction, Setting
from validation.experiments.lewkowycz.optimal import (
    auto,
    draw_auto,
    draw_budgets,
    draw_predicted,
    fixed_budget,
    guess_fixed,
    guess_measured,
    kernel_constant,
    measured_constant,
)
from validation.experiments.lewkowycz.shared import (
    AUGMENTED,
    CIFAR,
    DIGITS,
    FC,
    MNIST,
    MOMENTUM,
    ON_SMALL_WRN,
    SMALL_FC,
    SMALL_WRN,
    WRN,
)

MEASURED = (
    Prediction(
        "doubling",
        "twice the measured c is closer to the tuned l2, in the mean over budgets",
        high=0.0,
        claim="lewkowycz.lambda-pred-doubled",
    ),
    Prediction(
        "falls",
        "at the large l2 the test accuracy falls by two per cent after its best",
        low=0.02,
        claim="lewkowycz.falls-after-peak",
    ),
)
"""Of what the short run gives, besides its c."""


def _predicted(values: dict[str, Any], seeds: int, minutes: float | None, differs: str, *more: Prediction) -> Setting:
    within = Prediction(
        "decades",
        "the predicted l2 is within an order of magnitude of the tuned one, at every budget",
        high=1.0,
        exact=True,
    )
    gap = Prediction("gap", "its accuracy is within a per cent of the tuned one's (0.4 % in the paper)", high=0.01)
    return Setting(values, (within, gap, *more), seeds, differs, minutes)


def _auto(values: dict[str, Any], seeds: int, minutes: float, differs: str, *, expected: bool = True) -> Setting:
    why = "" if expected else "; not without batch norm: a homogeneous net shrinks to 0, a saddle, at l2 = 0.1"
    gain = Prediction(
        "gain", "AutoL2 reaches at least the accuracy of the best constant" + why, low=0, expected=expected
    )
    speed = Prediction("speed", "it is there in less time than the best constant" + why, high=1, expected=expected)
    if values.get("schedule"):  # against the one constant that the paper names: the best of several gains by chance
        gain = Prediction("gain", "with a schedule of the rate, the constant ends above AutoL2", high=0)
        ahead = Prediction("ahead", "before the rate first falls AutoL2 has the higher accuracy", low=0)
        return Setting(values, (gain, ahead), seeds, differs, minutes)
    return Setting(values, (gain, speed), seeds, differs, minutes)


WRN_AUTO = CIFAR | MOMENTUM | {"rate": 0.2, "start": 0.1, "every": 10}
APPLICATIONS = (
    Experiment(
        "lewkowycz.lambda-pred",
        "The best l2 of a budget, from a short run at a large l2",
        "lewkowycz2020, Fig. 1b, 4, S3 and S4",
        "c = t* lambda, measured in two epochs at a large lambda, predicts the tuned lambda of T epochs as c / T, "
        "within an order of magnitude, and an accuracy within 0.4 %.",
        {
            "quick": _predicted(
                DIGITS
                | {"model": SMALL_FC, "rate": 1.5, "large_l2": 0.02, "short": {"steps": 60}, "budgets": [100, 300, 900]}
                | {"l2": [0.03, 0.01, 3e-3, 1e-3, 3e-4, 1e-4, 3e-5, 1e-5]},
                3,
                0.7,
                "dense networks on digits by plain SGD instead of Wide ResNets with momentum and augmentation",
            ),
            "gpu": _predicted(
                CIFAR
                | MOMENTUM
                | {
                    "model": SMALL_WRN,
                    "rate": 0.2,
                    "large_l2": 0.01,
                    "short": {"epochs": 2},
                    "budgets": [480, 960, 1920],
                }
                | {"l2": [4e-3, 1e-3, 2.5e-4, 6e-5, 1.5e-5]},
                3,  # find the paper's 0.4 % to be within 1 % in 98 of 100 where accuracies spread by 0.2 % (two: in 58)
                None,
                ON_SMALL_WRN + AUGMENTED + "; budgets of 10 to 40 epochs (the paper: 50 to 2000)",
                *MEASURED,
            ),
            "paper": _predicted(
                CIFAR
                | MOMENTUM
                | {"model": WRN, "precision": "float32", "rate": 0.2, "large_l2": 0.01, "short": {"epochs": 2}}
                | {"budgets": [48 * T for T in (50, 100, 250, 500, 1000, 1500, 2000)]}
                | {"l2": [5e-6, 1e-5, 5e-5, 1e-4, 2e-4, 4e-4, 1e-3, 2e-3]},
                3,
                45_000.0,
                AUGMENTED,
                *MEASURED,
            ),
        },
        measured_constant,
        50,
        draw_predicted,
        guess_measured,
    ),
    Experiment(
        "lewkowycz.lambda-pred-kernel",
        "The best l2 of a budget, from the kernel's spectrum and the labels",
        "lewkowycz2020, section 4 and eq. (3)",
        "The loss of an infinitely wide network is lowest at a time ~ 1 / lambda, after which the function decays.",
        {
            "quick": _predicted(
                DIGITS
                | {"model": SMALL_FC | {"bias": False, "parameterisation": "ntk", "weight_std": 2**0.5}, "loss": "mse"}
                | {"share": 0.5, "budgets": [100, 300, 900], "l2": [0.1, 0.03, 0.01, 3e-3, 1e-3, 3e-4, 1e-4, 1e-5]},
                3,
                0.7,
                "ours: the paper measures c; here it is computed, and compared with the l2 tuned for test accuracy",
            ),
            "gpu": _predicted(
                MNIST
                | {"model": FC | {"bias": False, "parameterisation": "ntk", "weight_std": 2**0.5}, "loss": "mse"}
                | {
                    "share": 0.5,
                    "budgets": [1000, 3000, 10_000],
                    "l2": [0.1, 0.03, 0.01, 3e-3, 1e-3, 3e-4, 1e-4, 1e-5],
                },
                3,
                10.0,
                "ours: the paper measures c; here it is computed, and compared with the l2 tuned for test accuracy",
            ),
        },
        kernel_constant,
        51,
        draw_predicted,
    ),
    Experiment(
        "lewkowycz.auto-l2",
        "AutoL2 against the best constant l2",
        "lewkowycz2020, Fig. 1c and S9",
        "AutoL2 trains significantly faster and achieves superior performance.",
        {
            "quick": _auto(
                DIGITS
                | {"model": SMALL_FC, "rate": 1.5, "start": 0.1, "every": 10, "steps": 900}
                | {"l2": [0.003, 0.001, 0.0003, 0.0001]},
                3,
                0.5,
                "dense networks on digits by plain SGD instead of Wide ResNets with momentum and augmentation",
                expected=False,
            ),
            "gpu": _auto(
                WRN_AUTO | {"model": SMALL_WRN, "epochs": 40, "l2": [0.002, 0.001, 5e-4, 1e-4]},
                3,
                16.0,
                ON_SMALL_WRN + AUGMENTED + "; 40 epochs",
            ),
            "paper": _auto(
                WRN_AUTO | {"model": WRN, "precision": "float32", "epochs": 200, "l2": [0.002, 0.001, 5e-4, 1e-4]},
                3,
                4500.0,
                AUGMENTED,
            ),
        },
        auto,
        80,
        draw_auto,
    ),
    Experiment(
        "lewkowycz.auto-l2-schedule",
        "AutoL2 with a schedule of the learning rate",
        "lewkowycz2020, Fig. S10",
        "While AutoL2 trains faster in the beginning, the optimal lambda = 0.0005 outperforms it.",
        {
            "gpu": _auto(
                WRN_AUTO | {"model": SMALL_WRN, "epochs": 40, "schedule": True, "l2": [0.0025]},
                3,
                6.4,
                ON_SMALL_WRN + AUGMENTED + "; 40 epochs instead of 200, a constant of 0.0025 (the paper: 0.0005)",
            ),
            "paper": _auto(
                WRN_AUTO | {"model": WRN, "precision": "float32", "epochs": 200, "schedule": True, "l2": [5e-4]},
                3,
                1800.0,
                AUGMENTED,
            ),
        },
        auto,
        124,
        draw_auto,
    ),
)


SEEDS = 5
"""Where the paper is right, "within half a per cent" is found with a probability of 0.98, 0.80 or 0.56 if accuracies
spread over seeds by 0.15, 0.2 or 0.25 % (three seeds: 0.76, 0.52, 0.36; two: 0.42, 0.31, 0.24): of four equal ones the
largest is 0.15 to 0.26 % above the one it is compared with. Five take 14 minutes of one H200."""


def _budgets(values: dict[str, Any], seeds: int, minutes: float | None, differs: str) -> Setting:
    cost = Prediction("fixed_cost", "with T fixed the smallest l2 costs more than half a per cent", low=0.005)
    scaled = Prediction(
        "scaled_cost", "with T ~ 1 / l2 the smallest does as well as the best, within half a per cent", high=0.005
    )
    return Setting(values | MOMENTUM | {"rate": 0.2}, (cost, scaled), seeds, differs, minutes)


BUDGETS = Experiment(
    "lewkowycz.fixed-budget",
    "Fixed training time has a best l2, time ~ 1 / l2 a plateau",
    "lewkowycz2020, Fig. 1a",
    "With T fixed, performance is best at a certain l2; with T ~ 1 / l2 it plateaus down to the smallest.",
    {
        "gpu": _budgets(
            CIFAR | {"model": SMALL_WRN, "epochs": 20, "constant": 0.01, "l2": [1e-3, 5e-4, 2.5e-4, 1.25e-4]},
            SEEDS,
            None,
            ON_SMALL_WRN + AUGMENTED + "; T = 20, or 0.01 / l2 (the paper: 200, or 0.1 / l2)",
        ),
        "paper": _budgets(
            CIFAR
            | {"model": WRN, "precision": "float32", "epochs": 200, "constant": 0.1}
            | {"l2": [5e-3, 2e-3, 1e-3, 5e-4, 2e-4, 1e-4, 5e-5]},
            SEEDS,
            50_000.0,
            AUGMENTED + "; the paper's figure gives the l2 without numbers",
        ),
    },
    fixed_budget,
    125,
    draw_budgets,
    guess_fixed,
)

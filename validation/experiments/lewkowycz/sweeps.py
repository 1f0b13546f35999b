"""Specs of the sweeps: t* on every network of the paper (Fig. 2, 3 and S2)."""

from __future__ import annotations

from typing import Any

from validation.core import Experiment, Prediction, Setting
from validation.experiments.common import unexpected
from validation.experiments.lewkowycz.cells import grid
from validation.experiments.lewkowycz.scaling import draw_t_star, scaling
from validation.experiments.lewkowycz.shared import (
    AUGMENTED,
    CIFAR,
    CNN,
    CNN_L2,
    DIGITS,
    FC,
    MNIST,
    MOMENTUM,
    ON_DIGITS,
    ON_SMALL_WRN,
    ON_WRN,
    PAPER_L2,
    PAPER_RATES,
    RUNNING,
    SMALL_FC,
    SMALL_WRN,
    WRN,
    WRN_L2,
    WRN_RATES,
)

SLOPE = Prediction(
    "slope",
    "the time to the best test accuracy is ~ 1 / (rate l2): log-log slope -1",
    -1.15,
    -0.85,
    claim="lewkowycz.t-star-scaling",
)
GAP = Prediction(
    "gap_least", "with time ~ 1 / l2, the smallest l2 does as well as the best, within a per cent", high=0.01
)
COST = Prediction("fixed_cost", "with a fixed number of epochs the smallest l2 costs more than half a per cent", 0.005)
SPREAD = Prediction("rate_spread", "the best accuracy depends weakly on the rate, by two per cent", high=0.02)
SMALL_L2 = Prediction("over_none", "the best accuracy with the smallest l2 is above that without", low=0.0)
DOUBLE = Prediction(
    "c_ratio",
    "t* rate l2 is about twice as high for small rate x l2 as for large, within a factor of 2^(1/2)",
    2**0.5,
    2**1.5,
)
TURN = Prediction(
    "loss_slope", "the time to the least training loss is ~ 1 / (rate l2): log-log slope -1", -1.15, -0.85
)
SEVEN = (1e-4, 3e-4, 1e-3, 3e-3, 0.01, 0.03, 0.1)
FEW = "not expected over a single decade"


def _scaling(
    values: dict[str, Any], minutes: float, differs: str = "", *more: Prediction, rates: bool = False, seeds: int = 3
) -> Setting:
    of_rates = (SPREAD,) if rates else ()
    return Setting(values, (SLOPE, GAP, COST, *of_rates, *more), seeds, differs, minutes)


T_STAR = Experiment(
    "lewkowycz.t-star",
    "Dense networks: the time to the best accuracy is inversely proportional to rate x l2",
    "lewkowycz2020, Fig. 2a-c",
    "t* ~ c' / (eta lambda), over six decades; the accuracy reached then depends on neither, but for large lambda.",
    {
        "quick": _scaling(
            DIGITS
            | {"model": SMALL_FC, "horizon": 2.0, "budget": 100, "budget_rate": 1.5}
            | {"cells": grid((0.5, 1.5), (0.06, 0.02, 0.006, 0.002, 0.0006, 0.0002), 2.5e-4, 0.1)},
            1.2,
            f"{ON_DIGITS}; two and a half decades of rate x l2 (the paper: six)",
            rates=True,
            seeds=5,
        ),
        "gpu": _scaling(
            MNIST
            | {"model": FC, "horizon": 2.0, "budget": 2000, "budget_rate": 0.15, "without": {"time": 60_000}}
            | {"cells": [*grid((0.05, 0.15, 0.5, 1.5), SEVEN, 4e-5, 0.1), [1.5, 0]]},
            18.0,
            "four rates, and products of rate and l2 from 4e-5 to 0.1 (the paper: six decades); without l2 one "
            "rate, for three times as long as at its smallest l2",
            *(SMALL_L2, DOUBLE, TURN),
            rates=True,
        ),
        "paper": _scaling(
            MNIST
            | {"model": FC, "horizon": 2.0, "without": {"time": 1e6}, "budget": 10_000, "budget_rate": 0.15}
            | {"cells": grid(PAPER_RATES, PAPER_L2, 1e-7, 2.0)},
            75_000.0,
            "",
            *(SMALL_L2, DOUBLE, TURN),
            rates=True,
        ),
    },
    scaling,
    20,
    draw_t_star,
)


def _t_star_of(
    name: str,
    what: str,
    where: str,
    gpu: Setting,
    paper: Setting,
    priority: int,
) -> Experiment:
    says = "The steps until the best test accuracy are ~ 1 / lambda; that accuracy does not get worse as lambda falls."
    return Experiment(
        f"lewkowycz.{name}",
        what,
        f"lewkowycz2020, {where}",
        says,
        {"gpu": gpu, "paper": paper},
        scaling,
        priority,
        draw_t_star,
    )


def _cnn(norms: str, without: int) -> tuple[Setting, Setting]:
    shared = CIFAR | {"model": CNN | {"norms": norms}, "batch_size": 128, "horizon": 0.01, "budget_rate": 0.01}
    small = shared | {
        "budget": 390,
        "cells": grid((0.01,), (0, 1, 0.5, 0.25, 0.1, 0.05, 0.025)),
        "without": {"epochs": 40},
    }
    differs = RUNNING if norms == "all" else ""
    fewer = f"l2 from 0.025 to 1 (the paper: 5e-5 to 2), without l2 as long as the smallest; bfloat16; {differs}"
    full = shared | {"precision": "float32", "budget": 78_000, "without": {"epochs": without}}
    whole = _scaling(full | {"cells": grid((0.01,), CNN_L2)}, 30_000.0, differs, SMALL_L2)
    return _scaling(small, 15.0, fewer.removesuffix("; "), SMALL_L2), whole


OTHERS = (
    _t_star_of(
        "t-star-wrn",
        "Wide ResNets by plain SGD: the time to the best accuracy",
        "Fig. 2d-f",
        _scaling(
            CIFAR
            | {"model": SMALL_WRN, "batch_size": 1024, "horizon": 0.1, "budget": 780, "budget_rate": 0.2}
            | {"cells": grid((0.2,), (0, 0.064, 0.032, 0.016, 0.008, 0.004)), "without": {"epochs": 125}},
            18.0,
            ON_SMALL_WRN + ON_WRN + "; without l2 as long as the smallest",
            SMALL_L2,
            *unexpected([DOUBLE], {"c_ratio": FEW}),
        ),
        _scaling(
            CIFAR
            | {"model": WRN, "precision": "float32", "batch_size": 1024, "horizon": 0.1, "budget": 9750}
            | {"without": {"epochs": 10_000}, "budget_rate": 0.2}
            | {"cells": [*grid(WRN_RATES, WRN_L2, 2.5e-5), [0.2, 6.25e-5]]},
            480_000.0,
            ON_WRN,
            SMALL_L2,
            DOUBLE,
            rates=True,
        ),
        120,
    ),
    _t_star_of("t-star-cnn", "CNNs without batch norm", "Fig. 3a-c", *_cnn("none", 21_000), 121),
    _t_star_of("t-star-cnn-bn", "CNNs with batch norm", "Fig. 3d-f", *_cnn("all", 9500), 122),
    Experiment(
        "lewkowycz.momentum-augmentation",
        "Wide ResNets with momentum and augmentation: the time to the best accuracy",
        "lewkowycz2020, Fig. S2",
        "The observations also hold in the presence of momentum and data augmentation, at a fixed rate.",
        {
            "gpu": _scaling(
                CIFAR
                | MOMENTUM
                | {"model": SMALL_WRN, "horizon": 0.004, "budget": 480, "budget_rate": 0.2}
                | {"cells": grid((0.2,), (0.008, 0.004, 0.002, 0.001, 0.0005))},
                8.0,
                ON_SMALL_WRN + AUGMENTED,
            ),
            "paper": _scaling(
                CIFAR
                | MOMENTUM
                | {"model": WRN, "precision": "float32", "horizon": 0.002, "budget": 9600, "budget_rate": 0.2}
                | {"cells": grid((0.2,), (5e-6, 1e-5, 5e-5, 1e-4, 2e-4, 4e-4, 1e-3, 2e-3))},
                30_000.0,
                AUGMENTED,
            ),
        },
        scaling,
        123,
        draw_t_star,
    ),
)

"""Ginsburg (2020): layer imbalance, on real networks. It is |W_{l+1}|^2 - |W_l|^2 (`measure.norms`).

The paper proves for scalar deep linear nets what is tested here. For networks that are homogeneous in every layer,
<W_l, dL/dW_l> is the same for all layers, for every mini-batch, so one step of SGD changes the imbalance by

    rate^2 (|G_{l+1}|^2 - |G_l|^2)  -  2 rate l2 (imbalance)  +  O(rate^2 l2),

whatever the data: the flow keeps it, L2 makes it decay as e^{-2 l2 t} (in the paper's mu sum w^2, e^{-4 mu t}), and
noise of mini-batches or of inputs adds to the first term what is proportional to its variance.

Where the settings come from:

- Rates are shares of 1 / sharpness (`measures`). Over a fixed time the first term adds up to rate times an integral,
  with a relative error of half the share for the stiffest mode: shares up to 0.2 keep slopes within a tenth of 1.
- The sharpness of the convolutional net grows several times while it learns, and a product of share and growth of 2 is
  the edge of stability: long runs have a share of 0.25 (0.5 where only dense nets are trained, whose sharpness falls).
- Mini-batches of B add noise to the weights that the same noise feeds back on, by about rate tr(H) / B. The trace of H
  is some 20 times its largest eigenvalue (ten outputs, and kernels whose mean is half their diagonal), so a share of
  0.05 keeps that below a tenth for B = 16.
- Noise of inputs, one factor a sample, also moves the mean gradient, by its variance; that share of the drift is of
  second order, below the first by the variance times B / 4: 0.06 for B = 8 and half widths up to 0.3.
- Every draw of factors 1 + eta is taken with 1 - eta too. Of a step's drift the part that is odd in eta, the product of
  the mean gradient with its deviation, is of first order in the half width: on average 0, and without its mirror image
  most of what a few draws measure (slopes of 0.72 to 1.16 from four draws). Draws last an epoch, where there are many:
  the longer they are, the more ReLUs change sides, which is neither odd nor even.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from validation.core import Experiment, Prediction, Setting
from validation.experiments.ginsburg.measures import conserved, decayed, driven, phases
from validation.experiments.ginsburg.pictures import over_time, powers

FC = {"name": "fc", "width": 32, "depth": 2, "bias": False}
CONV = {"name": "all_cnn", "norms": "none", "bias": False}
QUICK_NETS = {
    "linear": FC | {"activation": "linear", "weight_std": 1.0},
    "relu": FC,
    "conv": CONV | {"width": 8},
}
GPU_NETS = {
    "linear": FC | {"activation": "linear", "weight_std": 1.0, "width": 512, "depth": 3},
    "relu": FC | {"width": 512, "depth": 3},
    "conv": CONV | {"width": 24},
}
DENSE_NETS = {name: QUICK_NETS[name] for name in ("linear", "relu")}
SHARED = {"data": "digits", "train": 128, "test": 100, "loss": "mse", "factor": 1.5}
CIFAR = {"data": "cifar10", "train": 2048, "test": 100, "loss": "mse", "factor": 1.5}
SMALL = "the paper's nets are scalar and linear; here digits of 8 x 8 pixels and networks of a few thousand weights"
NO_CONV = f"{SMALL}; the convolutional net leaves its plateau too slowly for a quick run"
LARGE = "the paper's nets are scalar and linear; here 2048 images of CIFAR-10 and networks of up to two million weights"


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


def _long(share: float, folds: float, points: int, *, dense: int, conv: int | None = None) -> dict[str, Any]:
    """A run under L2 that shrinks the imbalance by e^(-folds), in so many steps of dense and convolutional ones."""
    steps = {"linear": dense, "relu": dense} | ({} if conv is None else {"conv": conv})
    return {"share": share, "folds": folds, "points": points, "steps": steps}


def _decay_setting(nets: dict[str, Any], values: dict[str, Any], seeds: int, differs: str, minutes: float) -> Setting:
    def ratio(net: str) -> Prediction:
        return Prediction(f"ratio_{net}", f"{net}: the imbalance decays as exp(-2 l2 t), within a tenth", 0.9, 1.1)

    return Setting({"nets": nets, **values}, _each(ratio, nets), seeds, differs, minutes)


def _driven_setting(nets: dict[str, Any], values: dict[str, Any], seeds: int, differs: str, minutes: float) -> Setting:
    by = "1/B - 1/N" if values["noise"] == "batch" else "the variance of the noise"

    def slope(net: str) -> Prediction:
        return Prediction(f"slope_{net}", f"{net}: the drift is proportional to {by} (log-log slope 1)", 0.85, 1.15)

    def shrinks(net: str) -> Prediction:
        says = f"{net}: every noise makes the imbalance smaller (cosine of the drift with minus the imbalance)"
        return Prediction(f"shrinks_{net}", says, low=0.0)

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


FIRST_ORDER = {"shares": [0.2, 0.1, 0.05], "time": 10.0}
BATCHES = {"noise": "batch", "share": 0.05, "warm_share": 0.5}
INPUTS = {"noise": "input", "share": 0.05, "warm_share": 0.5, "levels": [0.1, 0.2, 0.3], "batch_size": 8}

EXPERIMENTS = (
    Experiment(
        "ginsburg.imbalance-conserved",
        "Gradient descent with small steps keeps the layer imbalance",
        "ginsburg2020, section 3 and eq. (6)",
        "For the gradient flow the layer imbalance is constant: w_i^2(t) - w_j^2(t) = const.",
        {
            "quick": _conserved_setting(QUICK_NETS, SHARED | FIRST_ORDER, 3, SMALL, 0.3),
            "gpu": _conserved_setting(GPU_NETS, CIFAR | FIRST_ORDER, 5, LARGE, 2.0),
        },
        conserved,
        10,
        powers(
            "shares",
            {"change_": ("o", "imbalance"), "moved_": ("s", "squared norms")},
            "learning rate x sharpness at the start",
            "largest change over the time",
        ),
    ),
    Experiment(
        "ginsburg.imbalance-weight-decay",
        "Weight decay makes the layer imbalance decay at its own rate",
        "ginsburg2020, section 4.1",
        "With weight decay the layer imbalance decreases exponentially, as e^{-4 mu t} for the loss L + mu sum w_i^2.",
        {
            "quick": _decay_setting(QUICK_NETS, SHARED | _long(0.25, 1.0, 21, dense=6000, conv=1000), 3, SMALL, 0.7),
            "gpu": _decay_setting(GPU_NETS, CIFAR | _long(0.25, 2.0, 41, dense=20_000, conv=5000), 3, LARGE, 8.0),
        },
        decayed,
        11,
        over_time({"size_": ("", "imbalance")}, "imbalance / imbalance at the start"),
    ),
    Experiment(
        "ginsburg.imbalance-sgd",
        "The noise of mini-batches drives the imbalance down, in proportion to 1/B - 1/N",
        "ginsburg2020, section 5",
        "The layer imbalance converges to 0 at a rate proportional to the variance of SGD noise, sigma^2 ~ 1/B - 1/N.",
        {
            "quick": _driven_setting(
                QUICK_NETS,
                SHARED | BATCHES | {"train": 256, "levels": [16, 32, 64, 128], "steps": 64, "warm": 100, "draws": 3},
                3,
                SMALL,
                0.4,
            ),
            "gpu": _driven_setting(
                GPU_NETS,
                CIFAR | BATCHES | {"levels": [16, 32, 64, 128, 256], "steps": 256, "warm": 1000, "draws": 4},
                5,
                LARGE,
                6.0,
            ),
        },
        driven,
        12,
        powers(
            "variances", {"extra_": ("o", "drift")}, "1/B - 1/N", "drift of the imbalance, less the full gradient's"
        ),
    ),
    Experiment(
        "ginsburg.imbalance-noise",
        "Noise augmentation drives the imbalance down, in proportion to its variance",
        "ginsburg2020, section 4.2",
        "Training with inputs x (1 + eta) decreases the layer imbalance.",
        {
            "quick": _driven_setting(
                QUICK_NETS, SHARED | INPUTS | {"steps": 16, "warm": 100, "draws": 32}, 3, SMALL, 0.6
            ),
            "gpu": _driven_setting(GPU_NETS, CIFAR | INPUTS | {"steps": 512, "warm": 1000, "draws": 4}, 5, LARGE, 11.0),
        },
        driven,
        110,
        powers("variances", {"extra_": ("o", "drift")}, "squared half width", "drift of the imbalance by noise"),
    ),
    Experiment(
        "ginsburg.two-phases",
        "First the loss falls, then the imbalance",
        "ginsburg2020, section 4",
        "Training has two distinct phases: the loss decreases and the trajectory goes toward the manifold of minima; "
        "then the layer imbalance decreases along it.",
        {
            "quick": _phase_setting(DENSE_NETS, SHARED | _long(0.5, 2.0, 101, dense=12_000), 3, NO_CONV, 0.5),
            "gpu": _phase_setting(GPU_NETS, CIFAR | _long(0.25, 2.0, 101, dense=30_000, conv=20_000), 3, LARGE, 18.0),
        },
        phases,
        111,
        over_time({"fallen_": ("", "loss"), "size_": ("", "imbalance")}, "share left"),
    ),
)

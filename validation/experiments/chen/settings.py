"""Networks, variants and what the paper's text says of pairs of them, by scale."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

from validation.core import Prediction, Setting

Variants = dict[str, dict[str, Any]]
Pairs = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Said:
    """What the text says of pairs of variants, no more: figures without text have curves that nobody can judge.

    Attributes:
        faster: the first of each pair converges faster.
        larger: the first has the larger gamma / |theta_0 - theta_T|^2.
        alike: the first converges as fast as the second; if it is faster too, slightly so.
        much_faster, much_larger: those of `faster` and `larger` that are much so.
    """

    faster: Pairs
    larger: Pairs
    alike: Pairs = ()
    much_faster: Pairs = ()
    much_larger: Pairs = ()

    @property
    def pairs(self) -> Pairs:
        """All of them, once."""
        return tuple(dict.fromkeys((*self.faster, *self.larger, *self.alike)))


def _both(*pairs: tuple[str, str]) -> Said:
    return Said(pairs, pairs)


ALIKE = 1.25
"""Average losses within a quarter of each other are "as fast", and "slightly" apart; beyond it they are "much" so."""
REASONABLY = 0.9
"""Of the steps: what is taken for obeying the principle "reasonably well"."""

ACTIVATIONS: Variants = {a: {"model": {"activation": a}} for a in ("relu", "leaky_relu", "tanh", "sigmoid")}
CLASSIFIES = _both(("relu", "tanh"), ("leaky_relu", "tanh"), ("tanh", "sigmoid"))
LAST_BY_FAR: Pairs = tuple((a, "sigmoid") for a in ("relu", "leaky_relu", "tanh"))
LAGS = replace(
    _both(*CLASSIFIES.faster[:2], *LAST_BY_FAR),  # "very similar observations" as of the ResNet (section III.A)
    much_faster=LAST_BY_FAR,
    much_larger=LAST_BY_FAR,
)
REBUILDS = _both(("sigmoid", "relu"), ("sigmoid", "leaky_relu"), ("relu", "tanh"), ("leaky_relu", "tanh"))

NORMS: Variants = {
    name: {"model": {"norms": kept}}
    for name, kept in (("all_norms", "all"), ("first_norms", "first"), ("no_norms", "none"))
}
WITHOUT: Pairs = (("all_norms", "no_norms"), ("first_norms", "no_norms"))
NORMED = Said(WITHOUT, WITHOUT, (("first_norms", "all_norms"),), WITHOUT, WITHOUT)
SLIGHTLY: Pairs = (("all_norms", "first_norms"),)
NORMED_100 = Said((*WITHOUT, *SLIGHTLY), (*WITHOUT, *SLIGHTLY), SLIGHTLY, WITHOUT)
"""Keeping the first norms is as fast as keeping all on CIFAR-10, slightly slower on CIFAR-100."""

SKIPS: Variants = {f"{n}_skips": {"model": {"skips": n}} for n in ("all", "first_two", "first")}
SKIPS_18 = {name: SKIPS[name] for name in ("all_skips", "first_skips")}
SKIPPED = _both(("all_skips", "first_two_skips"), ("first_two_skips", "first_skips"))
LAST_SKIPS: Variants = {f"{n}_skips": {"model": {"skips": n}} for n in (4, 3, 2, 1, 0)}
LAST = _both(("4_skips", "3_skips"), ("3_skips", "2_skips"), ("2_skips", "1_skips"), ("1_skips", "0_skips"))

OPTIMISERS: Variants = {
    "adam": {"recipe": {"optimiser": "adam", "epsilon": 1e-2}},
    "momentum": {"recipe": {"optimiser": "momentum", "momentum": 0.5}},
    "sgd": {},
}
ADAM_FIRST: Pairs = (("adam", "momentum"), ("adam", "sgd"))
RANKED = Said(faster=(("adam", "momentum"), ("momentum", "sgd")), larger=ADAM_FIRST)
"""Momentum is faster than SGD; of gamma it is said that Adam's is the largest, and no more."""
LEADS = Said(ADAM_FIRST, ADAM_FIRST, much_faster=ADAM_FIRST)
"""Of the U-Net's, that both SGDs are much slower than Adam."""

RESNET, VGG = {"name": "resnet", "depth": 18}, {"name": "vgg", "depth": 11}
UNET, ALEXNET = {"name": "unet"}, {"name": "alexnet"}
MSE = {"loss": "mean_square", "reconstruct": True}

PAPER: dict[str, Any] = {"data": "cifar10", "steps": 150 * 390, "precision": "float32"}
GPU = PAPER | {"train": 12800, "steps": 3000, "precision": "bf16"}
QUICK = PAPER | {"data": "digits", "train": 160}

DRAWN = "the paper does not say how weights are drawn: as torch does by default"
IMAGES = f"{DRAWN}; nor what the U-Net's target is: the image itself, the mean of squares over pixels"
EPOCHS = "150 epochs as in sections III.A and III.C, where the paper does not say how many"
BLOCKS = (
    "a block of a ResNet is one of two convolutions, so that the first norms are 12 of ResNet-18's 20, those of its "
    "stem and projections among them; where the paper keeps the first skip of a block, that is a stage, by which fewer "
    "norms would be kept"
)
LESS = "12,800 of the 50,000 training images and 30 of 150 epochs, so that the loss still comes near 0; bf16"
SMALL = "160 of scikit-learn's digits, mini-batches of 32, networks of a few thousand weights"


@dataclass(frozen=True)
class Figure:
    """A technique on a network: its variants and what the paper says of them.

    Attributes:
        name: of the experiment.
        locator: where the paper has it.
        model: the network.
        rate: the constant learning rate.
        variants: changes by name.
        said: of pairs of variants.
        priority: in the queue.
        data: the dataset.
        quick: the model of quick scale; None: there is none.
        quick_rate: its rate; None: the paper's.
        quick_steps: five to an epoch. The paper trains until the loss is near its minimum.
        quick_seeds: six tell orders apart by a tenth where ratios spread by a tenth, three by twice that.
    """

    name: str
    locator: str
    model: dict[str, Any]
    rate: float
    variants: Variants
    said: Said
    priority: int
    data: str = "cifar10"
    quick: dict[str, Any] | None = None
    quick_rate: float | None = None
    quick_steps: int = 150
    quick_seeds: int = 3

    def scales(self) -> dict[str, Setting]:
        """Quick, gpu and paper."""
        image = self.model["name"] == "unet"
        recipe = {"learning_rate": self.rate} | (MSE if image else {})
        own = {"variants": self.variants, "orders": [list(pair) for pair in self.said.pairs], "data": self.data}
        notes = [IMAGES if image else DRAWN]
        notes += [BLOCKS] if self.variants is NORMS and self.model["name"] == "resnet" else []
        unsaid = [EPOCHS] if self.variants in (NORMS, OPTIMISERS) else []
        said, out = predictions(self.said), {}
        if self.quick:
            slow = recipe | {"batch_size": 32, "learning_rate": self.quick_rate or self.rate}
            values = QUICK | own | {"data": "digits", "model": self.quick, "recipe": slow}
            values |= {"steps": self.quick_steps}
            what = f"{SMALL}; {self.quick_steps // 5} epochs at a rate of {slow['learning_rate']:g}"
            out["quick"] = Setting(values, said, self.quick_seeds, "; ".join((what, *notes)), 0.4)
        own |= {"model": self.model, "recipe": recipe | {"batch_size": 128}}
        out["gpu"] = Setting(GPU | own, said, 3, "; ".join((LESS, *notes)), None)
        out["paper"] = Setting(PAPER | own, said, 3, "; ".join((*unsaid, *notes)), None)
        return out

    def hundred(self, priority: int) -> Figure:
        """The same on CIFAR-100."""
        where, said = HUNDREDS.get(self.locator, self.locator), NORMED_100 if self.said is NORMED else self.said
        own = {"locator": where, "said": said, "data": "cifar100", "quick": None, "priority": priority}
        return replace(self, name=f"{self.name}-cifar100", **own)


def predictions(said: Said) -> tuple[Prediction, ...]:
    """Of each pair of variants that the paper speaks of; and of the principle.

    Theorem 1 is judged where the principle can hold at every step, see `theorem_scales`.
    """
    out = []
    for pair in said.pairs:
        name, words = "_".join(pair), " against ".join(pair).replace("_", " ")
        if pair in said.faster or pair in said.alike:
            low, high = -math.inf, 1 / ALIKE if pair in said.much_faster else 1.0
            if pair in said.alike:
                low, high = 1 / ALIKE, high if pair in said.faster else ALIKE
            region = f"below {high}" if low < 0 else f"from {low} to {high}"
            out.append(Prediction(f"faster_{name}", f"{words}: the ratio of average losses is {region}", low, high))
        if pair in said.much_larger:
            says = f"{words}: more than {ALIKE} times the gamma / |theta_0 - theta_T|^2"
            out.append(Prediction(f"much_{name}", says, low=0.0))
        elif pair in said.larger:
            out.append(Prediction(f"factor_{name}", f"{words}: a larger gamma / |theta_0 - theta_T|^2", low=0.0))
    says = (
        "more than half of the steps of each trajectory are aligned with all that follow, <theta_{k+1} - theta_T, U_k> "
    )
    return (
        *out,
        Prediction("smallest", "all steps of all trajectories have gamma > 0", low=0.0, exact=True),
        Prediction("share", f"more than {REASONABLY} of the steps of each trajectory have gamma > 0", low=REASONABLY),
        Prediction("aligned", f"{says}> 0: independent ones of either sign are so half the time", low=0.5),
    )


TINY_RESNET, TINY_VGG = RESNET | {"width": 4}, VGG | {"width": 4}
TINY_UNET = UNET | {"width": 4, "levels": 2}
RESNET_34, VGG_16 = RESNET | {"depth": 34}, VGG | {"depth": 16}
HUNDREDS = {"Fig. 4": "Fig. 5", "Fig. 12": "Fig. 13", "Fig. 8": "Fig. 9", "Fig. 15": "Fig. 16"}
"""Where CIFAR-100 has a figure of its own."""
TENS = (
    Figure(
        *("activation-resnet", "Fig. 2", RESNET, 0.05, ACTIVATIONS, CLASSIFIES, 70),
        quick=TINY_RESNET,
        quick_seeds=6,
    ),
    Figure("batch-norm-vgg", "Fig. 4", VGG, 0.01, NORMS, NORMED, 71, quick=TINY_VGG, quick_rate=0.05),
    Figure(
        *("activation-unet", "Fig. 3", UNET, 0.005, ACTIVATIONS, REBUILDS, 160),
        quick=TINY_UNET,
        quick_rate=0.1,
        quick_steps=450,
    ),
    Figure("activation-alexnet", "Fig. 11", ALEXNET, 0.05, ACTIVATIONS, LAGS, 161),
    Figure("batch-norm-vgg-16", "Fig. 4", VGG_16, 0.01, NORMS, NORMED, 162),
    Figure("batch-norm-resnet", "Fig. 12", RESNET, 0.05, NORMS, NORMED, 163),
    Figure("batch-norm-resnet-34", "Fig. 12", RESNET_34, 0.05, NORMS, NORMED, 164),
    Figure(
        *("skips-resnet", "Fig. 14", RESNET, 0.05, SKIPS_18, _both(("all_skips", "first_skips")), 165),
        quick=TINY_RESNET,
    ),
    Figure("skips-resnet-34", "Fig. 6", RESNET_34, 0.05, SKIPS, SKIPPED, 166),
    Figure("skips-unet", "Fig. 7", UNET, 0.005, LAST_SKIPS, LAST, 167),
    Figure(
        *("optimiser-resnet", "Fig. 8", RESNET, 0.001, OPTIMISERS, RANKED, 168),
        quick=TINY_RESNET,
    ),
    Figure("optimiser-resnet-34", "Fig. 8", RESNET_34, 0.001, OPTIMISERS, RANKED, 169),
    Figure("optimiser-vgg", "Fig. 15", VGG, 0.001, OPTIMISERS, RANKED, 170),
    Figure("optimiser-vgg-16", "Fig. 15", VGG_16, 0.001, OPTIMISERS, RANKED, 171),
    Figure("optimiser-unet", "Fig. 10", UNET, 0.001, OPTIMISERS, LEADS, 172),
)
FIGURES = (*TENS, *(figure.hundred(173 + k) for k, figure in enumerate(TENS)))
"""Each technique on each network and each dataset of sections III and IV."""


APPLIES = 4
"""Of the six trajectories of a seed, how many must be within Theorem 1: more than half, of two kinds of net or more."""


def theorem_scales() -> dict[str, Setting]:
    """The full gradient, with which the principle can hold at every step, on six trainings of three kinds of net.

    A trajectory with a step of gamma <= 0 is outside the theorem, and counted. Inside, (3) follows from Definition 2 by
    summation whatever the trajectory is: a ratio above 1 would be an error of measurement, and what is learned about
    networks is how many trajectories are inside, and how far below its bound the loss is.
    """
    count = Prediction(
        "applies", f"gamma > 0 at every step of {APPLIES} or more of a seed's 6 trajectories", APPLIES - 0.5, exact=True
    )
    below = Prediction("theorem", "Theorem 1: on those the average loss is below its bound", high=1.0, exact=True)
    values = PAPER | {"model": {}, "orders": [], "recipe": {"learning_rate": 0.01, "batch_size": 10**6}}
    quick = {"data": "digits", "train": 160, "steps": 150, "variants": _whole_gradient(64, 4)}
    gpu = {"train": 2048, "steps": 1000, "variants": _whole_gradient(1024, 16)}
    return {
        "quick": Setting(values | quick, (count, below), 3, "the full gradient of 160 digits and small networks", 0.5),
        "gpu": Setting(values | gpu, (count, below), 3, "the full gradient of 2048 images; thin networks", None),
    }


def _whole_gradient(dense: int, filters: int) -> Variants:
    """Six trainings, of dense nets of a width, and of VGGs and a ResNet with so many filters in their first layers."""
    fc = {"name": "fc", "width": dense, "depth": 2}
    return {
        "sgd": {"model": fc},
        "momentum": {"model": fc, **OPTIMISERS["momentum"]},
        **{f"vgg_{name}": {"model": VGG | {"width": filters} | changes["model"]} for name, changes in NORMS.items()},
        "resnet": {"model": RESNET | {"width": filters}},
    }

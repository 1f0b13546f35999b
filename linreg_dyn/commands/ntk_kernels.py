"""Which kernel the options of `linreg-dyn ntk` mean: of a fully connected or convolutional network, or the user's."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from linreg_dyn.commands.options import whole

if TYPE_CHECKING:
    from linreg_dyn.ntk.datasets import Samples

KERNELS = ("relu", "leaky_relu", "erf", "linear")
HOMOGENEOUS = ("relu", "leaky_relu", "linear")
NO_WEIGHTS = ("pool", "gap", "flatten")
DEFAULT_DEPTH = 2


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of the kernel."""
    add = parser.add_argument
    add("--kernel", metavar="ACTIVATION", choices=KERNELS, help=f"one of {', '.join(KERNELS)} (default: relu)")
    add("--slope", metavar="S", type=float, help="of leaky_relu, where its input is negative (default: 0.01)")
    depth = f"layers of weights, one more than hidden layers (default: {DEFAULT_DEPTH})"
    add("--depth", metavar="L", type=whole, help=depth)
    layers = (
        "a convolutional network instead, on images (x of the shape sample, height, width[, channel]): words of conv "
        "(3 x 3), pool (2 x 2) and activations, gap or flatten, dense, in quotes, such as 'conv relu conv relu gap "
        "dense'"
    )
    add("--layers", metavar="WORDS", help=layers)
    add("--weight-std", metavar="W", type=float, help="standard deviation of weights, over root fan-in (default: 1)")
    add("--bias-std", metavar="B", type=float, help="standard deviation of biases (default: 0, no biases)")
    degree = (
        "degree of homogeneity k (default: the layers of weights, which it is for relu, leaky_relu and linear without "
        "biases)"
    )
    add("--degree", metavar="K", type=float, help=degree)
    add("--threads", metavar="N", type=whole, help="threads of the kernel (default: all cores)")
    add(
        "--device",
        metavar="DEVICE",
        help="where torch computes the kernel, such as cuda (default: without torch)",
    )


@dataclass(frozen=True)
class Setting:
    """A kernel in words, the degree of its network (None: not needed), and how it is computed (None: it is given).

    `compute` takes inputs, others or None, and perhaps what hears of the finished fraction, `watch`.
    """

    words: str
    degree: float | None
    compute: Callable[..., Any] | None
    shape: tuple[int, ...] = (-1,)  # of a sample, as `compute` takes it

    def between(self, x1: Any, x2: Any, watch: Callable[[float], None]) -> Any:
        """The kernel between inputs [sample, feature]; x2 None stands for x1."""
        assert self.compute is not None
        first, second = (None if x is None else x.reshape(len(x), *self.shape) for x in (x1, x2))
        return self.compute(first, second, watch)


def setting(args: argparse.Namespace, samples: Samples) -> Setting:
    """What the options make of the kernel; ValueError where they do not go together."""
    if samples.kernel is not None:
        return _given(args)
    return _fully_connected(args) if args.layers is None else _convolutional(args, samples)


def _given(args: argparse.Namespace) -> Setting:
    for option in ("kernel", "slope", "depth", "layers", "weight_std", "bias_std", "inputs", "device"):
        if getattr(args, option) is not None:
            name = option.replace("_", "-")
            raise ValueError(f"--{name} is of a kernel computed from inputs, and {args.data} brings its own")
    if args.degree is None and args.action != "spectrum":
        raise ValueError(f"--degree is needed with the kernel of {args.data}: how its network scales is not known")
    return Setting(f"the one of {args.data}{_told(args.degree)}", args.degree, None)


def _fully_connected(args: argparse.Namespace) -> Setting:
    from linreg_dyn.ntk.infinite import infinite_width

    activation, depth = args.kernel or "relu", DEFAULT_DEPTH if args.depth is None else args.depth
    if not 1 <= depth <= 1000:
        raise ValueError(f"--depth must be from 1 to 1000 layers of weights, got {depth}")
    degree = _degree(args, [activation], depth, "--depth")
    slope = "" if args.slope is None else f" of slope {args.slope:g}"
    words = (
        f"{activation.replace('_', ' ').replace('relu', 'ReLU')}{slope}, {depth} layer{'s' if depth > 1 else ''} of "
        f"weights of {_deviations(args)}{_told(degree)}"
    )
    arguments = {**_common(args), "hidden_layers": depth - 1, "activation": activation}
    return Setting(words, degree, lambda x1, x2, watch: infinite_width(x1, x2, **arguments))


def _convolutional(args: argparse.Namespace, samples: Samples) -> Setting:
    from linreg_dyn.ntk.convolutional import convolutional_kernel

    for option in ("kernel", "depth"):
        if getattr(args, option) is not None:
            raise ValueError(f"--{option} is of fully connected networks, and --layers says all of a convolutional one")
    if len(samples.shape) not in (2, 3):
        raise ValueError(
            f"--layers needs images, (sample, height, width) or (sample, height, width, channel), and each x of "
            f"{args.data} has the shape {samples.shape}"
        )
    arguments = {**_common(args), "layers": args.layers}
    image = samples.x[:1].reshape(1, *samples.shape)
    convolutional_kernel(image, **arguments, diagonal=True)  # refuses what is no network, or none for these images
    layers = args.layers.split()
    weights = [word for word in layers if word in ("conv", "dense")]
    activations = [word for word in layers if word not in (*weights, *NO_WEIGHTS)]
    degree = _degree(args, activations, len(weights), "--layers")
    size = " x ".join(map(str, samples.shape[:2])) + " pixels"
    channels = f" of {samples.shape[2]} channels" if len(samples.shape) == 3 else ""
    slope = "" if args.slope is None else f", slope {args.slope:g}"
    words = f"{' '.join(layers)}, on {size}{channels}{slope}, weights of {_deviations(args)}{_told(degree)}"
    return Setting(
        words, degree, lambda x1, x2, watch: convolutional_kernel(x1, x2, **arguments, watch=watch), samples.shape
    )


def _common(args: argparse.Namespace) -> dict[str, Any]:
    deviations = {"weight_std": args.weight_std or 1.0, "bias_std": args.bias_std or 0.0}
    return {**deviations, "slope": args.slope, "threads": args.threads, "device": args.device}


def _degree(args: argparse.Namespace, activations: list[str], layers: int, source: str) -> float | None:
    """--degree, or of a homogeneous network the number of its layers of weights."""
    if args.degree is not None or args.action == "spectrum":
        return args.degree
    strange = [f"{name} is" for name in activations if name not in HOMOGENEOUS]
    if args.bias_std:
        strange = ["biases are"]
    if strange:
        raise ValueError(f"--degree is needed: {strange[0]} not homogeneous, so it does not follow from {source}")
    if args.action == "lambda-pred" and layers == 1:
        raise ValueError(
            f"{source} must be at least 2 layers of weights for lambda-pred: the loss of a linear model has no minimum"
        )
    return float(layers)


def _deviations(args: argparse.Namespace) -> str:
    return f"std {args.weight_std or 1:g}, biases of std {args.bias_std or 0:g}"


def _told(degree: float | None) -> str:
    return "" if degree is None else f", degree {degree:g}"

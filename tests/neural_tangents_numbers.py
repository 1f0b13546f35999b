"""Kernels by neural-tangents, kept in `neural_tangents.json`: the cases, and the script that made them.

neural-tangents does not import with a current JAX; in an environment of its own:

    python3.11 -m venv nt
    nt/bin/pip install neural-tangents==0.6.5 jax==0.4.23 jaxlib==0.4.23 'scipy<1.13' 'numpy<2'
    JAX_ENABLE_X64=1 nt/bin/python tests/neural_tangents_numbers.py
"""

import json
from importlib.metadata import version
from pathlib import Path

import numpy as np

PATH = Path(__file__).with_name("neural_tangents.json")

DENSE = {
    "relu": {"hidden_layers": 2, "activation": "relu"},
    "relu, biases": {"hidden_layers": 3, "activation": "relu", "weight_std": 1.5, "bias_std": 0.3},
    "relu, a layer each": {"hidden_layers": 1, "activation": "relu", "weight_std": [1.2, 0.7], "bias_std": [0.5, 0.0]},
    "leaky": {"hidden_layers": 2, "activation": "leaky_relu", "slope": 0.2, "weight_std": 1.3, "bias_std": 0.1},
    "modulus": {"hidden_layers": 2, "activation": "leaky_relu", "slope": -1.0, "bias_std": 0.2},
    "erf": {"hidden_layers": 2, "activation": "erf", "weight_std": 1.7, "bias_std": 0.4},
    "linear": {"hidden_layers": 3, "activation": "linear", "weight_std": 0.9, "bias_std": 0.2},
    "no activation": {"hidden_layers": 0, "weight_std": 2.0, "bias_std": 0.5},
    "deep relu": {"hidden_layers": 20, "activation": "relu", "weight_std": 2**0.5, "bias_std": 0.05},
}
CONVOLUTIONAL = {
    "gap": {"layers": "conv relu conv relu gap dense", "weight_std": 1.4, "bias_std": 0.1},
    "myrtle": {"layers": "conv relu pool conv relu conv relu pool gap dense", "weight_std": 2**0.5},
    "flatten": {"layers": "conv relu conv erf flatten dense", "weight_std": 1.2, "bias_std": 0.3},
    "pool, flatten": {"layers": "conv leaky_relu conv relu pool conv erf flatten dense", "slope": 0.1, "bias_std": 0.2},
    "dense after": {"layers": "pool conv erf gap dense relu dense", "weight_std": [1.1, 1.2, 1.3], "bias_std": 0.2},
    "no activation": {"layers": "conv pool gap dense", "bias_std": 0.2},
}


def numbers(*shape: int, offset: float) -> np.ndarray:
    """Inputs of no particular pattern, the same on every machine up to rounding."""
    k = np.arange(np.prod(shape), dtype=float).reshape(shape)
    return np.round(np.sin(offset + 1.7 * k + 0.01 * k**2), 3)


def vectors() -> tuple[np.ndarray, np.ndarray]:
    return numbers(5, 7, offset=0.3), numbers(3, 7, offset=2.0)


def images() -> tuple[np.ndarray, np.ndarray]:
    return numbers(3, 5, 6, 2, offset=0.1), numbers(2, 5, 6, 2, offset=1.0)


def _stax(words, options):
    """The network of these layers in `stax`."""
    from neural_tangents import stax

    count = sum(word in ("conv", "dense") for word in words)
    weight_std = np.broadcast_to(options.get("weight_std", 1.0), count)
    stds = iter(zip(weight_std, np.broadcast_to(options.get("bias_std", 0.0), count), strict=True))
    made = {
        "relu": stax.Relu,
        "erf": stax.Erf,
        "linear": stax.Identity,
        "leaky_relu": lambda: stax.LeakyRelu(options["slope"]),
        "pool": lambda: stax.AvgPool((2, 2), (2, 2)),
        "gap": stax.GlobalAvgPool,
        "flatten": stax.Flatten,
        "dense": lambda: stax.Dense(1, *map(float, next(stds))),
        "conv": lambda: stax.Conv(1, (3, 3), None, "SAME", *map(float, next(stds))),
    }
    return stax.serial(*(made[word]() for word in words))


def _kernels(words, options, x1, x2):
    function = _stax(words, options)[2]
    pairs = {"x1": function(x1, None, ("nngp", "ntk")), "x1, x2": function(x1, x2, ("nngp", "ntk"))}
    return {name: {kind: np.asarray(getattr(k, kind)).tolist() for kind in k._fields} for name, k in pairs.items()}


def main() -> None:
    """Compute all cases and write them."""
    content = {"made by": {name: version(name) for name in ("neural-tangents", "jax", "numpy")}}
    content["dense"] = {}
    for name, options in DENSE.items():
        words = " ".join(["dense " + options.get("activation", "")] * options["hidden_layers"] + ["dense"]).split()
        content["dense"][name] = _kernels(words, options, *vectors())
    content["convolutional"] = {
        name: _kernels(options["layers"].split(), options, *images()) for name, options in CONVOLUTIONAL.items()
    }
    PATH.write_text(json.dumps(content, indent=1) + "\n")


if __name__ == "__main__":
    main()

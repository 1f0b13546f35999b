"""Wide networks under L2 regularisation: kernels, their dynamics in closed form, and what they predict.

After Lewkowycz & Gur-Ari, *On the training dynamics of deep networks with L2 regularization* (2020). Everywhere here

- the loss is the sum over samples of `(f - y)^2 / 2`, not the mean, and the total loss adds `l2 / 2 |theta|^2`;
- networks are in NTK parameterisation, and `t` is gradient-flow time, `step * learning_rate`;
- `degree` is the degree of homogeneity k of the network in its parameters: `f(a theta) = a^k f(theta)`.
"""

from importlib import import_module
from typing import Any

# name: module that holds it
_PUBLIC: dict[str, str] = {
    "KernelCheck": "kernel_checks",
    "Loss": "losses",
    "LossMinimum": "predictions",
    "check_kernel": "kernel_checks",
    "convolutional_kernel": "convolutional",
    "critical_l2": "deep_linear",
    "empirical_kernel": "empirical",
    "fixed_point_curve": "deep_linear",
    "fixed_points": "deep_linear",
    "huber": "losses",
    "infinite_width": "infinite",
    "kernel_eigenvalues": "predictions",
    "loss_curve": "predictions",
    "loss_minimum": "predictions",
    "mode_enclosure": "mode_enclosures",
    "mode_solution": "modes",
    "mode_weights": "modes",
    "power_law_constant": "power_law",
    "power_law_time": "power_law",
    "predict": "dynamics",
    "predict_l2": "predictions",
    "spectrum": "spectra",
    "train_deep_linear": "deep_linear_training",
}

__all__ = list(_PUBLIC)  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_PUBLIC[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_PUBLIC})

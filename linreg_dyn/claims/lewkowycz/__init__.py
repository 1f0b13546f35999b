"""Lewkowycz and Gur-Ari, On the training dynamics of deep networks with L2 regularization (2020), claim by claim.

Each module named here has a tuple `CLAIMS`; the order is that of the paper.
"""

from importlib import import_module

_SECTIONS = (
    "linear_regression",
    "networks",
    "width",
    "wide",
    "any_loss",
    "modes",
    "limits",
    "times",
    "peak",
    "linear_model",
    "deep_linear",
    "deep_linear_scaling",
    "deep_linear_l1",
    "finite_width",
    "numbers",
    "loss_and_schedule",
    "experiments",
)
CLAIMS = tuple(claim for name in _SECTIONS for claim in import_module(f"linreg_dyn.claims.lewkowycz.{name}").CLAIMS)

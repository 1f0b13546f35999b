"""Lewkowycz and Gur-Ari, On the training dynamics of deep networks with L2 regularization (2020), claim by claim.

Each module named here has a tuple `CLAIMS`; the order is that of the paper.
"""

from importlib import import_module

_SECTIONS = (
    "networks",
    "modes",
)
CLAIMS = tuple(claim for name in _SECTIONS for claim in import_module(f"linreg_dyn.claims.lewkowycz.{name}").CLAIMS)

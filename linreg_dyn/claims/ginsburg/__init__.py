"""Ginsburg, On Regularization of Gradient Descent, Layer Imbalance and Flat Minima (2020), claim by claim."""

from importlib import import_module

_SECTIONS = ("products", "landscape", "flatness", "descent", "rates", "decay", "noise", "sgd")
CLAIMS = tuple(
    claim for name in _SECTIONS for claim in import_module(f"linreg_dyn.claims.ginsburg.{name}").CLAIMS
)

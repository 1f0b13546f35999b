"""Ginsburg, On Regularization of Gradient Descent, Layer Imbalance and Flat Minima (2020), claim by claim."""

from importlib import import_module

_SECTIONS = (
    "products",
    "landscape",
    "gradients",
    "flat_minima",
    "flatness",
    "descent",
    "theorem3",
    "theorem3_note",
    "rates",
    "imbalance_rates",
    "footnote",
    "decay",
    "decay_band",
    "decay_phases",
    "noise_band",
    "noise",
    "dropout",
    "theorem4",
    "theorem4_rates",
    "noise_run",
    "noise_kept",
    "noise_limit",
    "batches",
    "sgd",
    "theorem5",
    "theorem5_run",
    "large_batch",
    "experiments",
)
CLAIMS = tuple(claim for name in _SECTIONS for claim in import_module(f"linreg_dyn.claims.ginsburg.{name}").CLAIMS)

"""Ensembles of trajectories: `simulate` (discrete training) and `flow` (its continuous limit)."""

from linreg_dyn.ensemble.continuous import flow
from linreg_dyn.ensemble.discrete import simulate
from linreg_dyn.ensemble.events import Band, Event
from linreg_dyn.ensemble.methods import (
    GradientDescent,
    MiniBatch,
    NoiseAugmentation,
    SGDNoise,
    Table,
    TruncatedGaussian,
)
from linreg_dyn.ensemble.record import Histogram, Quantiles, Record

__all__ = [
    "Band",
    "Event",
    "GradientDescent",
    "Histogram",
    "MiniBatch",
    "NoiseAugmentation",
    "Quantiles",
    "Record",
    "SGDNoise",
    "Table",
    "TruncatedGaussian",
    "flow",
    "simulate",
]

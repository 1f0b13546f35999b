"""Ensembles of trajectories: `simulate` (discrete training) and `flow` (its continuous limit)."""

from linreg_dyn.ensemble.continuous import flow
from linreg_dyn.ensemble.discrete import simulate
from linreg_dyn.ensemble.methods import GradientDescent, MiniBatch, NoiseAugmentation, SGDNoise
from linreg_dyn.ensemble.record import Record

__all__ = ["GradientDescent", "MiniBatch", "NoiseAugmentation", "Record", "SGDNoise", "flow", "simulate"]

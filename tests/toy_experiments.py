"""Experiments that take no time."""

import numpy as np

from validation.core import Experiment, Measured, Prediction, Setting

WITHIN = Prediction("slope", "the slope is -1", low=-1.1, high=-0.9)


def experiment(measure, *, id="toy.one", predictions=(WITHIN,), seeds=3, priority=1, minutes=1.0, **values):
    setting = Setting(values, predictions, seeds, differs="it is no network", minutes=minutes)
    return Experiment(id, "A toy", "nobody, nowhere", "It holds.", {"quick": setting}, measure, priority)


def near(centre):
    """An experiment's measure: the slope of each seed is a little off the centre, and its line has this slope."""

    def measure(values, seed, context):
        slope = centre + 0.01 * (seed - 1)
        return Measured({"slope": slope}, {"line": np.arange(3) * slope})

    return measure

"""Settings of experiments brought down to a size that takes a moment, their structure being kept."""

import math
from collections.abc import Collection
from dataclasses import replace

from validation.context import Context
from validation.core import Experiment, Measured, Setting

FC = {"name": "fc", "width": 4, "depth": 1}


def measured(experiment: Experiment, scale: str, folder, *, seed: int = 0, **changes) -> tuple[Setting, Measured]:
    """One seed of an experiment with some of its values changed, and the setting it ran with."""
    setting = experiment.spec(scale).setting
    setting = replace(setting, values=setting.values | changes)
    return setting, experiment.measure(setting.values, seed, Context(folder))


def check(experiment: Experiment, setting: Setting, found: Measured, *, without: Collection[str] = ()) -> None:
    """Every metric is a finite number, but those `without`; predictions have theirs, and the figure can be drawn."""
    from matplotlib.figure import Figure

    missing = {p.metric for p in setting.predictions} - set(found.metrics)
    assert not missing, missing
    lost = {name for name, value in found.metrics.items() if not math.isfinite(value)} - set(without)
    assert not lost, lost
    if experiment.draw:
        axes = Figure().add_subplot()
        experiment.draw([found.arrays, found.arrays], axes)
        assert axes.lines
        axes.figure.canvas.draw()


def verdicts(setting: Setting, metrics: list[dict[str, float]]) -> dict[str, str]:
    """The verdict of every prediction, by metric, for the numbers of several seeds."""
    by_name = {name: [one[name] for one in metrics] for name in metrics[0]}
    return {p.metric: p.judge(by_name).verdict for p in setting.predictions}

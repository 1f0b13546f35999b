"""The experiments, a module for each paper; `registry` has them all."""

from __future__ import annotations

from importlib import import_module

from validation.core import Experiment, Spec

PAPERS: tuple[str, ...] = ("ginsburg", "lewkowycz", "golatkar", "adaptive", "chen")


def registry() -> dict[str, Experiment]:
    """Every experiment by its id, those with most at stake first."""
    found: dict[str, Experiment] = {}
    for paper in PAPERS:
        for experiment in import_module(f"validation.experiments.{paper}").EXPERIMENTS:
            if experiment.id in found:
                raise ValueError(f"experiment {experiment.id} is defined twice")
            found[experiment.id] = experiment
    return dict(sorted(found.items(), key=lambda pair: (pair[1].priority, pair[0])))


def specs(scale: str) -> list[Spec]:
    """The specs of every experiment that has the scale."""
    return [experiment.spec(scale) for experiment in registry().values() if scale in experiment.scales]

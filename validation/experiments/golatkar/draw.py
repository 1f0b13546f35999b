"""Figures of records: accuracies over windows, curves over epochs, and paths in a plane."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from validation.experiments.golatkar.predictions import ALWAYS, NEVER
from validation.experiments.style import COLORS, line

ENDS = {"delayed": {0: ALWAYS, 200: NEVER}}
"""Of a kind of window the runs at either end of the axis that are called after another kind."""


def timing(kind: str) -> Callable[..., None]:
    """How to draw the final accuracies of all seeds over t0: windows of one kind, and what they lie between."""

    def draw(arrays: list[dict[str, np.ndarray]], axes) -> None:
        runs = [str(run) for run in arrays[0]["runs"]]
        final = np.array([one["final"] for one in arrays])
        for run, words, style in ((ALWAYS, "throughout, mean", "--"), (NEVER, "never, mean", ":")):
            if run in runs:
                axes.axhline(np.mean(final[:, runs.index(run)]), color="0.5", linestyle=style, label=words)
        found = {int(run.partition("-")[2]): run for run in runs if run.startswith(f"{kind}-")} | ENDS.get(kind, {})
        starts = sorted(t0 for t0, run in found.items() if run in runs)
        where = [runs.index(found[t0]) for t0 in starts]
        for k, one in enumerate(final):
            axes.plot(starts, one[where], "o-", color=COLORS[1], alpha=0.6, label=None if k else "each seed")
        axes.set_xlabel("t0 (epoch of 200)")
        axes.set_ylabel("final test accuracy")
        axes.legend()

    return draw


def regularisers(arrays: list[dict[str, np.ndarray]], axes) -> None:
    """Final accuracies of all seeds over when each regulariser begins; at 200: never."""
    runs = [str(run) for run in arrays[0]["runs"]]
    starts = {run: t0 for t0, run in ENDS["delayed"].items()}
    starts |= {run: int(run.partition("-")[2]) for run in runs if run not in starts}
    order = sorted(range(len(runs)), key=lambda k: starts[runs[k]])
    for k, regulariser in enumerate(("weight_decay", "augmentation")):
        for one in arrays:
            label = regulariser.replace("_", " ") if one is arrays[0] else None
            onsets = [starts[runs[i]] for i in order]
            axes.plot(onsets, one[f"final_{regulariser}"][order], "o-", color=COLORS[1 + k], alpha=0.6, label=label)
    axes.set_xlabel("t0 (epoch of 200)")
    axes.set_ylabel("final test accuracy")
    axes.legend()


def over_epochs(key: str, label: str) -> Callable[..., None]:
    """How to draw an array over epochs, a colour for each run, under this label."""

    def draw(arrays: list[dict[str, np.ndarray]], axes) -> None:
        for one in arrays:
            for k, (run, row) in enumerate(zip(one["runs"], one[key], strict=True)):
                axes.semilogy(one["epochs"], row, **line(k), alpha=0.8, label=str(run) if one is arrays[0] else None)
        axes.legend(fontsize="x-small")
        axes.set_xlabel("epoch (of 200)")
        axes.set_ylabel(label)

    return draw


def effective(arrays: list[dict[str, np.ndarray]], axes) -> None:
    """Accuracy over the effective rate, early and at the end."""
    for k, key in enumerate(("initial", "final")):
        for one in arrays:
            label = f"{key} effective rate" if one is arrays[0] else None
            rates = one["initial"] if key == "initial" else one["final_rate"]
            axes.semilogx(rates, one["final"], "os"[k], color=COLORS[1 + k], alpha=0.6, label=label)
    axes.legend(fontsize="small")
    axes.set_xlabel("rate / |w|²")
    axes.set_ylabel("final test accuracy")


def paths(arrays: list[dict[str, np.ndarray]], axes) -> None:
    """The first seed's paths in the plane of their first two principal components."""
    for style, regulariser in (("-", "weight_decay"), (":", "augmentation")):
        plane, run = arrays[0][f"plane_{regulariser}"], arrays[0][f"run_{regulariser}"]
        for k in np.unique(run):
            label = f"{regulariser.replace('_', ' ')}" if k == 0 else None
            axes.plot(*plane[run == k].T, style, color=COLORS[k % len(COLORS)], label=label)
            axes.plot(*plane[run == k][-1], "o", color=COLORS[k % len(COLORS)])
    axes.legend(fontsize="small")
    axes.set_xlabel("first principal component")
    axes.set_ylabel("second")

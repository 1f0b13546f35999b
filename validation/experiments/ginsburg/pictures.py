"""Figures of the records: a colour for each network, a line for each seed, wide and grey what is predicted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from validation.experiments.style import line

Draw = Callable[[list[dict[str, np.ndarray]], Any], None]
Kinds = Mapping[str, tuple[str, str]]
"""Of each kind of number its marker and what it is called, by the prefix of its arrays."""

PREDICTED = {"color": "0.8", "lw": 4, "zorder": 1}


def powers(x: str, kinds: Kinds, xlabel: str, ylabel: str) -> Draw:
    """Numbers over the array `x`, both logarithmic; the first kind is predicted to be in proportion to it."""

    def draw(arrays: list[dict[str, np.ndarray]], axes: Any) -> None:
        along = arrays[0][x]
        for prefix, net in _lines(arrays, axes, kinds, lambda one, net: one[x]):
            if prefix == next(iter(kinds)):
                last = arrays[0][prefix + net][-1]
                axes.plot(along, last * along / along[-1], **PREDICTED)
        axes.plot([], [], label="in proportion", **PREDICTED)
        axes.set(xlabel=xlabel, ylabel=ylabel, xscale="log", yscale="log")
        axes.set_xticks(along, [f"{tick:.2g}" for tick in along])
        axes.set_xticks([], minor=True)
        axes.legend()

    return draw


def over_time(kinds: Kinds, ylabel: str) -> Draw:
    """Numbers over l2 x time, logarithmic, and the predicted decay of the imbalance."""

    def draw(arrays: list[dict[str, np.ndarray]], axes: Any) -> None:
        longest = max(float(one[f"times_{net}"][-1]) for one in arrays for _, net in _nets(one, kinds))
        _lines(arrays, axes, kinds, lambda one, net: one[f"times_{net}"])
        t = np.linspace(0, longest, 50)
        axes.plot(t, np.exp(-2 * t), label="exp(-2 l2 t)", **PREDICTED)
        axes.set(xlabel="l2 x time", ylabel=ylabel, yscale="log")
        axes.legend()

    return draw


def _lines(
    arrays: list[dict[str, np.ndarray]], axes: Any, kinds: Kinds, x: Callable[[dict[str, np.ndarray], str], np.ndarray]
) -> list[tuple[str, str]]:
    """Draw all seeds of all networks; returns the pairs of kind and network."""
    pairs = _nets(arrays[0], kinds)
    nets = list(dict.fromkeys(net for _, net in pairs))
    for k, (prefix, net) in enumerate(pairs):
        marker, words = kinds[prefix]
        look = line(k, nets.index(net)) | {"marker": marker}
        for one in arrays:
            label = f"{net}: {words}" if one is arrays[0] else None
            axes.plot(x(one, net), one[prefix + net], **look, label=label, lw=1, ms=3, alpha=0.8)
    return pairs


def _nets(one: dict[str, np.ndarray], kinds: Kinds) -> list[tuple[str, str]]:
    return [(prefix, key.removeprefix(prefix)) for prefix in kinds for key in one if key.startswith(prefix)]

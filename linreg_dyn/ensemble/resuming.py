"""Going on from the end of an earlier run."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from linreg_dyn.problem import Array

STATE = ("l2", "min_loss", "min_error", "min_step", "last_loss", "last_error")


@dataclass(frozen=True)
class Before:
    """Where an earlier run ended: weights and velocities (trajectory, layer), and the rest (trajectory,)."""

    dataset: xr.Dataset
    steps: int
    weights: Array
    velocities: Array | None
    diverged_step: np.ndarray
    auto_l2: Array | None


def before(ds: Any, origin: dict[str, Any], steps: int) -> Before:
    """The end of the run that returned `ds`, which must be the beginning of the one that `origin` describes.

    Raises TypeError or ValueError if it is not, naming what is different.
    """
    if not isinstance(ds, xr.Dataset) or "spec" not in ds.attrs or "final_weights" not in ds:
        raise TypeError(f"resume must be a dataset that simulate returned, got {type(ds).__name__}")
    old, new = json.loads(ds.attrs["spec"]), json.loads(origin["spec"])
    for name in new:
        if name != "steps" and old.get(name) != new[name]:
            raise ValueError(f"resume must be of the same run: {name} was {old.get(name)!r:.60}, is {new[name]!r:.60}")
    for name in ("dtype", "backend"):
        if ds.attrs.get(name) != origin[name]:
            raise ValueError(f"resume must be of the same {name}: it was {ds.attrs.get(name)}, is {origin[name]}")
    first, count = int(new["first_trajectory"]), new["starts"]["shape"][0]
    if not np.array_equal(ds.get("trajectory", ()), first + np.arange(count)):
        raise ValueError(
            f"resume must hold the trajectories {first} to {first + count - 1} in order, as it was returned"
        )
    if old["steps"] > steps:
        raise ValueError(f"steps must be at least the {old['steps']} of resume, got {steps}")
    order = ("auto_l2", "step", "trajectory", "quantile", "bin", "layer")
    ds = ds.transpose(*order, ..., missing_dims="ignore")
    return Before(
        dataset=ds,
        steps=old["steps"],
        weights=ds["final_weights"].values,
        velocities=ds["velocities"].values if "velocities" in ds else None,
        diverged_step=ds["diverged_step"].values,
        auto_l2=ds["auto_l2_state"].values if "auto_l2_state" in ds else None,
    )


def variables(velocities: Array | None, auto_l2: Array | None, trajectories: int) -> dict[str, Any]:
    """What a run leaves behind so that it can go on, beside its weights: variables of its dataset."""
    out: dict[str, Any] = {}
    if velocities is not None:
        text = {"long_name": "velocities of the heavy ball at the end", "units": "1"}
        out["velocities"] = (("trajectory", "layer"), velocities, text)
    if auto_l2 is not None:
        text = {"long_name": "state of AutoL2 at the end"}
        out["auto_l2"] = ("auto_l2", list(STATE))
        out["auto_l2_state"] = (("auto_l2", "trajectory"), auto_l2[:, :trajectories], text)
    return out

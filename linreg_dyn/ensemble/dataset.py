"""The labels that every dataset of an ensemble carries."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from linreg_dyn.problem import Array


def labelled(
    final: Array,
    status: np.ndarray,
    statuses: tuple[str, ...],
    variables: dict[str, Any],
    coordinates: dict[str, Any],
    attributes: dict[str, Any],
    *,
    first_trajectory: int = 0,
) -> xr.Dataset:
    """A dataset of `final_weights` (trajectory, layer), `status` (trajectory) with its flags, and the rest.

    Trajectories are numbered from `first_trajectory` on.
    `variables` and `coordinates` are those of the run, in the form xarray takes: (dims, values, attributes).
    """
    flags = {"flag_values": np.arange(len(statuses), dtype=np.int8), "flag_meanings": " ".join(statuses)}
    weights = {"long_name": "weights w_i at the end", "units": "1"}
    ended = {"long_name": "how the trajectory ended", **flags}
    common: dict[str, Any] = {
        "final_weights": (("trajectory", "layer"), final, weights),
        "status": ("trajectory", status.astype(np.int8), ended),
    }
    labels: dict[str, Any] = {
        "trajectory": ("trajectory", first_trajectory + np.arange(len(final)), {"long_name": "number of the start"}),
        "layer": ("layer", np.arange(1, final.shape[1] + 1), {"long_name": "layer"}),
    }
    return xr.Dataset(common | variables, labels | coordinates, attributes)

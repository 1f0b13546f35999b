"""ImageNet (Fig. S8a): best accuracies over rates and L2 parameters, alike where rate x l2 is."""

from __future__ import annotations

from typing import Any

import numpy as np

from validation.context import Context
from validation.core import Measured
from validation.data import image_folder
from validation.experiments.lewkowycz.cells import ratio, train


def diagonal(values: dict[str, Any], seed: int, context: Context) -> Measured:
    """How much accuracies spread where rate x l2 is the same, over their spread in the whole grid.

    Raises:
        FileNotFoundError: the data folder has no "imagenet" with a folder of images for each class in train and val.
    """
    if context.data_dir is None:
        raise FileNotFoundError(
            "ImageNet is not downloaded: --data-dir must name a folder with imagenet/train and /val"
        )
    data = image_folder(context.data_dir / "imagenet", side=values["side"])
    curves = train(values, data, seed, context)
    best = curves.best()
    product = np.round(np.log10(curves.rates * curves.l2), 6)
    spreads = [np.ptp(best[product == p]) for p in np.unique(product) if (product == p).sum() > 1]
    metrics = {"diagonal_over_all": ratio(float(np.mean(spreads)), float(np.ptp(best)))}
    return Measured(metrics, {"rates": curves.rates, "l2": curves.l2, "best": best})

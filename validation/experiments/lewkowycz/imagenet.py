"""ImageNet (Fig. S8a): best accuracies over rates and L2 parameters, alike where rate x l2 is."""

from __future__ import annotations

from typing import Any

import numpy as np

from validation.context import Context
from validation.core import Measured
from validation.experiments.common import dataset
from validation.experiments.lewkowycz.cells import ratio, train


def diagonal(values: dict[str, Any], seed: int, context: Context) -> Measured:
    """How much accuracies spread where rate x l2 is the same, over their spread in the whole grid.

    Raises:
        ValueError: there is neither imagenet.npz nor a folder imagenet, which are not downloaded.
    """
    curves = train(values, dataset(values, context), seed, context)
    best = curves.best()
    product = np.round(np.log10(curves.rates * curves.l2), 6)
    spreads = [np.ptp(best[product == p]) for p in np.unique(product) if (product == p).sum() > 1]
    metrics = {"diagonal_over_all": ratio(float(np.mean(spreads)), float(np.ptp(best)))}
    return Measured(metrics, {"rates": curves.rates, "l2": curves.l2, "best": best})

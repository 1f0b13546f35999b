"""How often predictions that are true are found to agree: what settings say of their numbers of seeds."""

import numpy as np
import pytest

from validation.core import Prediction
from validation.experiments.golatkar.predictions import MARGIN
from validation.experiments.golatkar.settings import SEEDS as OF_WINDOWS
from validation.experiments.lewkowycz.applications import SEEDS as OF_BUDGETS

TRIES = 1000
SPREADS = (0.0015, 0.002, 0.0025)


def agreeing(high, drawn):
    """The share of rows (try, seed) of which "no more than `high`" is found."""
    prediction = Prediction("x", "no more", high=high)
    return np.mean([prediction.judge({"x": list(row)}).verdict == "agrees" for row in drawn])


def close(found, said):
    """As said, to half of the last digit and four standard errors."""
    return abs(found - said) <= 0.005 + 4 * np.sqrt(said * (1 - said) / TRIES)


@pytest.mark.parametrize(("seeds", "said"), [(3, (0.71, 0.53, 0.40)), (OF_WINDOWS, (0.97, 0.86, 0.71))])
def test_windows_that_differ_by_nothing(seeds, said):
    rng = np.random.default_rng(0)
    for spread, often in zip(SPREADS, said, strict=True):
        assert close(agreeing(MARGIN["gpu"], rng.normal(0, spread, (TRIES, seeds))), often)


@pytest.mark.parametrize(
    ("seeds", "said"), [(2, (0.42, 0.31, 0.24)), (3, (0.76, 0.52, 0.36)), (OF_BUDGETS, (0.98, 0.80, 0.56))]
)
def test_budgets_of_four_equal_accuracies(seeds, said):
    rng = np.random.default_rng(0)
    for spread, often in zip(SPREADS, said, strict=True):
        accuracies = rng.normal(0, spread, (TRIES, seeds, 4))
        assert close(agreeing(0.005, accuracies.max(axis=2) - accuracies[:, :, 0]), often)

"""What "often" is taken to say of the findings of several experiments."""

from __future__ import annotations

import math

import pytest

from linreg_dyn.claims import registry
from linreg_dyn.claims.records import Finding


def found(mean: float) -> Finding:
    """An experiment whose best accuracy with L2 is above that without by `mean`, in three seeds."""
    return Finding("over_none > 0", 0.0, math.inf, False, (mean - 0.001, mean, mean + 0.001), f"{mean}")


@pytest.mark.parametrize(
    ("means", "agrees"),
    [
        ((0.01,) * 4, True),
        ((0.01, 0.01, 0.01, -0.01), True),  # often, not always
        ((0.01, 0.01, -0.01, -0.01), None),
        ((0.01, 0.01, 0.0, 0.0), None),  # the last two cannot tell
        ((-0.01, -0.01, -0.01, 0.01), False),
        ((-0.01, -0.01, -0.01), False),  # of four, whatever the last says
        ((0.01, 0.01, 0.01), True),
        ((0.01,), None),  # one of four is not often, though it is all that is known
        ((0.01, 0.01), None),
        ((-0.01,), None),
        ((), None),
    ],
)
def test_often_is_in_more_than_half_of_the_experiments(means: tuple[float, ...], agrees: bool | None) -> None:
    measurement = registry()["lewkowycz.small-l2-helps"].measurement
    assert measurement
    findings = [found(mean) for mean in means]
    assert measurement.agrees(findings) is agrees
    if agrees:
        assert [control.agrees(findings) for control in measurement.controls] == [False, False]

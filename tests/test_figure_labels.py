"""Numbers at axes: a label says the tick that it stands at."""

import re

import numpy as np
import pytest
from matplotlib.figure import Figure

from paper_figures.labels import log_ticks, short


def said(text):
    """The number that a label says: the mantissa, and the exponent of ten."""
    found = re.fullmatch(r"\$(?:([\d.]+) \\cdot )?10\^\{(-?\d+)\}\$", text)
    return float(f"{found[1] or 1}e{found[2]}") if found else float(text)


@pytest.mark.parametrize("of_log", [False, True])
@pytest.mark.parametrize("high", [4e-4, 1.3e-4, 3e-3, 0.1, 2e7])
def test_labels_say_the_numbers_of_their_ticks(high, of_log):
    axis = Figure().add_subplot().yaxis
    log_ticks(axis, 1e-4, high, of_log=of_log)
    ticks = axis.get_major_locator()()
    labels = axis.get_major_formatter().format_ticks(list(ticks))
    assert len(labels) >= 4
    values = 10 ** np.array(ticks) if of_log else np.array(ticks)
    # Going through a logarithm of size below 10 costs 10 ln 10 < 24 roundings of half an eps, and a few more.
    np.testing.assert_allclose([said(label) for label in labels], values, rtol=32 * np.finfo(float).eps)


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.002, "0.002"), (1.5, "1.5"), (30000, "30000"), (1e5, "$10^{5}$"), (2e-7, "$2 \\cdot 10^{-7}$")],
)
def test_numbers_are_said_plainly(value, text):
    assert short(value) == text
    assert said(text) == value

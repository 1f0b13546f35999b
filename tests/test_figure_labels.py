"""Numbers at axes: a label says the tick that it stands at."""

import re

import numpy as np
import pytest
from matplotlib.figure import Figure

from paper_figures.labels import log_ticks, plain_ticks, short


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


def test_many_decades_have_no_comb_of_ticks():
    few, many = Figure().subplots(1, 2)
    log_ticks(few.yaxis, 1e-3, 1e3)
    log_ticks(many.yaxis, 1e-30, 1)
    assert len(few.yaxis.get_minor_locator()()) > 40
    assert len(many.yaxis.get_minor_locator()()) == 0
    assert 4 <= len(many.yaxis.get_major_locator()()) < 10


@pytest.mark.parametrize(
    ("low", "high", "says"),
    [
        (-3, 3, "w"),
        (0, 2e-2, "w"),
        (1, 1.0000001, "(w - 1) / 10^{-7}"),
        (-1.0003, -1, "(w + 1) / 10^{-4}"),
        (2.0, 2.0019, "(w - 2) / 10^{-3}"),
        (1e6, 1e6 + 1, "(w - 1000000)"),
        (0, 1e150, "w / 10^{150}"),
        (2e-5, -1e-5, "w / 10^{-5}"),
    ],
)
def test_expressions_say_the_numbers_of_their_ticks(low, high, says):
    axes = Figure().add_subplot()
    axes.set_xlim(low, high)
    assert plain_ticks(axes.xaxis, low, high, "w") == says
    ticks = np.array(axes.xaxis.get_major_locator()())
    labels = axes.xaxis.get_major_formatter().format_ticks(list(ticks))
    assert axes.xaxis.get_major_formatter().get_offset() == ""
    assert 3 <= len(labels) == len(set(labels)) <= 9
    assert max(map(len, labels)) <= 6
    found = re.fullmatch(r"\(?w(?: ([+-]) (\d+)\))?(?: / 10\^\{(-?\d+)\})?", says)
    assert found is not None
    sign, number, decade = found.groups()
    shift = float(number or 0) * (-1 if sign == "+" else 1)
    values = [float(label.replace("\N{MINUS SIGN}", "-").strip("$")) * 10.0 ** int(decade or 0) for label in labels]
    # Three digits of a label, and the rounding of weights.
    error = 5e-3 * abs(high - low) + np.finfo(float).eps * abs(shift)
    np.testing.assert_allclose(values, ticks - shift, rtol=0, atol=error)

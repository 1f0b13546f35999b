"""Table 1 of Adapting Regularization with Learning Rate, row by row against its printed text."""

import math

import numpy as np
import pytest

from linreg_dyn.schedules import ByRate, published

PRINTED = """
1 – 50	0.1	0.0001	0.0001	0%	0%	0%
51 – 100	0.01	0.0001	0.0001	0%	0%	0%
101 – 150	0.001	0.0008	0.0004	50%	80%	30%
151 – 200	0.0001	0.0016	0.0008	50%	80%	30%
201 – 250	0.00001	0.0016	0.0008	50%	80%	30%
251 – 270	0.1	0.0001	0.0001	0%	0%	0%
271 – 290	0.01	0.0001	0.0001	0%	0%	0%
291 – 310	0.001	0.0008	0.0004	0%	0%	0%
311 – 330	0.0001	0.0016	0.0008	0%	0%	0%
331 – 350	0.00001	0.0016	0.0008	0%	0%	0%
351 – 370	0.1	0.0001	0.0001	0%	0%	0%
371 – 390	0.01	0.0001	0.0001	0%	0%	0%
391 – 410	0.001	0.0008	0.0004	0%	0%	0%
411 – 430	0.0001	0.0016	0.0008	0%	0%	0%
431 – 450	0.00001	0.0016	0.0008	0%	0%	0%
"""
SPE = 3


def rows():
    """(first epoch, last epoch, numbers of the row), as printed."""
    for line in PRINTED.strip().splitlines():
        epochs, *cells = line.split("\t")
        first, last = map(int, epochs.split(" – "))
        yield first, last, [float(cell[:-1]) / 100 if cell.endswith("%") else float(cell) for cell in cells]


def expected(scheme):
    """Learning rate, weight decay and sparsity of every step, by the printed rows and the caption."""
    table = []
    for first, last, (rate, *columns) in rows():
        shown = dict(zip(published.SCHEMES, columns, strict=True))[scheme]
        row = (rate, shown, 0.0) if scheme in ("01", "02") else (rate, 0.0001, shown)
        table += [row] * ((last - first + 1) * SPE)
    return np.array(table).T


@pytest.mark.parametrize("scheme", published.SCHEMES)
def test_every_step_has_the_printed_numbers(scheme):
    made = published.table_1(scheme, steps_per_epoch=SPE)
    parts = (made.learning_rate, made.weight_decay, made.gradient_sparsity)
    assert [part.length for part in parts] == [450 * SPE] * 3
    found = np.array([part.at(np.arange(450 * SPE)) for part in parts])
    np.testing.assert_array_equal(found, expected(scheme))
    other = published.SCHEMES[(published.SCHEMES.index(scheme) + 1) % 5]
    assert (found != expected(other)).any()


def test_phases_as_the_text_says():
    """Three phases with 5 rates each, 1e-1 to 1e-5: 50 epochs a rate in the first, 20 in the others (section 3)."""
    rate = published.table_1("01").learning_rate
    assert rate.length == 450_000
    changes = [0, *(rate.changes() or ()), 450_000]
    assert (np.diff(changes) / 1000).tolist() == [50] * 5 + [20] * 10
    assert [rate.at(step) for step in changes[:-1]] == [1e-1, 1e-2, 1e-3, 1e-4, 1e-5] * 3


@pytest.mark.parametrize("scheme", ["01", "02"])
def test_the_decay_is_a_function_of_the_rate_and_no_power_of_it(scheme):
    made = published.table_1(scheme, steps_per_epoch=SPE)
    levels = published.table_1_levels(scheme)
    steps = np.arange(450 * SPE)
    np.testing.assert_array_equal(ByRate(made.learning_rate, levels=levels).at(steps), made.weight_decay.at(steps))
    rates, decays = np.array(levels[::-1]).T
    factors = decays[1:] / decays[:-1]
    assert factors.round(12).tolist() == {"01": [1, 8, 2, 1], "02": [1, 4, 2, 1]}[scheme]
    products = rates * decays
    assert math.isclose(products[0], 1e-5)
    assert math.isclose(products[-1], {"01": 1.6e-8, "02": 8e-9}[scheme])
    assert (np.diff(products) < 0).all()


def test_the_sparsity_is_no_function_of_the_rate():
    made = published.table_1("21", steps_per_epoch=1)
    assert made.learning_rate.at(100) == made.learning_rate.at(290)
    assert (made.gradient_sparsity.at(100), made.gradient_sparsity.at(290)) == (0.5, 0.0)


def test_the_text_reads_the_table_ten_times_larger():
    """Section 3.1: both schemes "use a weight decay of 8e-3"; the table has 8e-4, and no 8e-3."""
    for scheme in ("01", "02"):
        decays = {decay for _, decay in published.table_1_levels(scheme)}
        assert 8e-4 in decays
        assert 8e-3 not in decays
        assert (10 * published.table_1(scheme).weight_decay).limits[1] >= 8e-3


@pytest.mark.parametrize("bad", ["1", "03", 1, None])
def test_unknown_schemes_are_refused(bad):
    with pytest.raises(ValueError, match="scheme must be one of '01', '02', '21', '22', '23'"):
        published.table_1(bad)

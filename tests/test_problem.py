"""Starts and data are checked at the door."""

import numpy as np
import pytest

from linreg_dyn.problem import NormalizedData, as_starts


def normalized(samples=50, seed=0, shift=0.0):
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(2, samples)) + shift
    x, y = x - x.mean(), y - y.mean()
    x /= np.sqrt((x * x).mean())
    return x, y / (x * y).mean()


def test_starts_become_a_two_dimensional_array_and_large_ones_are_not_copied():
    given = np.array([1.0, 2.0, 3.0])
    starts = as_starts(given)
    assert starts.shape == (1, 3)
    assert np.shares_memory(starts, given)
    assert as_starts([[1, 2], [3, 4]]).dtype == np.float64


@pytest.mark.parametrize("bad", [1.0, [], [[]], np.ones((2, 0)), np.ones((0, 2)), np.ones((1, 2, 3))])
def test_starts_of_another_shape_are_refused(bad):
    with pytest.raises(ValueError, match="starts must have a shape"):
        as_starts(bad)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_starts_that_are_not_finite_are_refused(bad):
    with pytest.raises(ValueError, match=r"starts must be finite, got .*(nan|inf)"):
        as_starts([1.0, bad])


@pytest.mark.parametrize("bad", ["abc", [[1, 2], [3]], [1j], None, {}])
def test_starts_that_are_no_numbers_are_refused(bad):
    with pytest.raises((TypeError, ValueError), match="starts must be"):
        as_starts(bad)


@pytest.mark.parametrize(("samples", "shift"), [(2, 0), (3, 1e6), (50, 100), (100_000, 1e4)])
def test_normalised_data_are_accepted_and_kept_read_only(samples, shift):
    x, y = normalized(samples, shift=shift)
    data = NormalizedData(x, y)
    assert len(data) == samples
    np.testing.assert_array_equal(data.squares, x * x)
    np.testing.assert_array_equal(data.products, x * y)
    with pytest.raises(ValueError, match="read-only"):
        data.x[0] = 0


@pytest.mark.parametrize(
    ("change", "moment"),
    [
        (lambda x, y: (x + 1e-6, y), r"mean\(x\)"),
        (lambda x, y: (x, y + 1e-6), r"mean\(y\)"),
        (lambda x, y: (x * (1 + 1e-6), y), r"mean\(x\^2\)"),
        (lambda x, y: (x, y * (1 + 1e-6)), r"mean\(x y\)"),
        (lambda x, y: (x, -y), r"mean\(x y\)"),
        (lambda x, y: (x * 1e200, y), r"mean"),
    ],
)
def test_data_off_by_one_moment_are_refused(change, moment):
    x, y = change(*normalized())
    with pytest.raises(ValueError, match=rf"normalised by eq. \(2\): {moment}"):
        NormalizedData(x, y)


@pytest.mark.parametrize(
    ("x", "y"), [([1.0], [1.0]), ([1.0, -1.0], [1.0]), (np.ones((2, 2)), np.ones((2, 2))), (1.0, 1.0)]
)
def test_data_of_another_shape_are_refused(x, y):
    with pytest.raises(ValueError, match="one shape"):
        NormalizedData(x, y)


def test_data_that_are_not_finite_numbers_are_refused():
    with pytest.raises(ValueError, match="y of the data must be finite, got nan"):
        NormalizedData([1.0, -1.0], [1.0, np.nan])
    with pytest.raises(TypeError, match="x of the data must be an array of numbers"):
        NormalizedData(["a", "b"], [1.0, -1.0])

"""Starts and data are checked at the door."""

from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
import xarray as xr

import linreg_dyn as ld
from linreg_dyn import closed_form, regression, symbolic
from linreg_dyn._checks import number
from linreg_dyn.problem import NormalizedData, as_floats, as_starts
from tests.samples import normalized


def test_starts_become_a_two_dimensional_array_and_large_ones_are_not_copied():
    given = np.array([1.0, 2.0, 3.0])
    starts = as_starts(given)
    assert starts.shape == (1, 3)
    assert np.shares_memory(starts, given)
    assert as_starts([[1, 2], [3, 4]]).dtype == np.float64


def test_the_layers_of_a_labelled_array_are_found_by_name():
    given = xr.DataArray([[1.0, 2.0, 3.0], [2.0, 0.25, 0.5]], dims=("trajectory", "layer"))
    method = ld.GradientDescent()
    for starts in (given, given.T):
        np.testing.assert_array_equal(as_starts(starts), given.values)
        run = ld.simulate(starts, method, steps=0, learning_rate=0.1)
        np.testing.assert_array_equal(run.final_weights.values, given.values)
        np.testing.assert_array_equal(ld.flow(starts, method, times=[0.0]).weights.values[0], given.values)
        np.testing.assert_array_equal(ld.spectrum(starts), ld.spectrum(given.values))
        np.testing.assert_array_equal(closed_form.flow(starts, 0.5), closed_form.flow(given.values, 0.5))
    np.testing.assert_array_equal(as_starts(given[0]), given.values[:1])
    np.testing.assert_array_equal(as_starts(xr.DataArray(given.values)), given.values)


@pytest.mark.parametrize("dims", [("time", "layer"), ("layer", "time"), ("trajectory", "step"), ("trajectory",)])
def test_labelled_starts_of_other_dimensions_are_refused(dims):
    with pytest.raises(ValueError, match=rf"starts must have the dimensions \(trajectory, .*got \('{dims[0]}"):
        as_starts(xr.DataArray(np.ones((2, 3)[: len(dims)]), dims=dims))


@pytest.mark.parametrize("bad", [1.0, [], [[]], np.ones((2, 0)), np.ones((0, 2)), np.ones((1, 2, 3))])
def test_starts_of_another_shape_are_refused(bad):
    with pytest.raises(ValueError, match="starts must have a shape"):
        as_starts(bad)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_starts_that_are_not_finite_are_refused(bad):
    with pytest.raises(ValueError, match=r"starts must be finite, got .*(nan|inf)"):
        as_starts([1.0, bad])


NOT_REAL = [
    np.array([[1 + 3j, 0.5]]),
    np.array([1, 2], np.complex64),
    ["1", "2"],
    np.array([b"1", b"2"]),
    np.array(["2020", "2021"], "M8[Y]"),
    np.array([1, 2], "m8[s]"),
]


@pytest.mark.parametrize("bad", NOT_REAL, ids=lambda bad: str(np.asarray(bad).dtype))
@pytest.mark.parametrize(
    "call",
    [
        as_starts,
        lambda bad: ld.simulate(bad, ld.GradientDescent(), steps=1, learning_rate=0.1),
        lambda bad: ld.simulate([1.0, 2.0], ld.GradientDescent(), steps=1, learning_rate=bad),
        ld.spectrum,
        lambda bad: closed_form.flow(bad, 1.0),
        lambda bad: closed_form.flow([0.5], bad),
        lambda bad: symbolic.to_numpy(symbolic.loss(2))(bad),
        lambda bad: ld.equilibria.bifurcation(3, bad),
        lambda bad: regression.normalize([1, 2], [1, 3]).slope(bad),
        lambda bad: number("x", np.asarray(bad).flat[0]),
        lambda bad: number("x", np.asarray(np.asarray(bad).flat[0])),
    ],
)
def test_what_a_cast_would_cut_read_or_count_is_refused(call, bad):
    with pytest.raises(TypeError, match=r"real numbers|a finite number"):
        call(bad)


def test_real_numbers_of_every_kind_are_taken():
    for values in ([1, 2], np.array([1, 2], np.float16), np.array([1, 2], np.uint8), [Fraction(1), Decimal(2)]):
        np.testing.assert_array_equal(as_floats("x", values), [1.0, 2.0])
    for value in (2, np.float32(2), Fraction(2), Decimal(2), np.array(2)):
        assert number("x", value) == 2
    for flag in (True, np.True_):
        with pytest.raises(TypeError, match="x must be a finite number"):
            number("x", flag)


@pytest.mark.parametrize("bad", ["abc", [[1, 2], [3]], [1j], None, {}, [10**400]])
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
    with pytest.raises(ValueError, match=rf"normalised by eq. \(2\), as linreg_dyn.normalize does: {moment}"):
        NormalizedData(x, y)


def test_mini_batches_take_what_normalize_returns():
    x, y = np.random.default_rng(0).normal(3, 2, (2, 20))
    fit = ld.normalize(x, y)
    assert ld.MiniBatch(fit, 4).data is fit.data
    assert ld.MiniBatch(fit, 20).batch_size == 20
    with pytest.raises(ValueError, match=r"linreg_dyn.normalize does: mean\(x\) must be 0"):
        ld.MiniBatch((x, y), 4)


@pytest.mark.parametrize(
    ("x", "y"), [([1.0], [1.0]), ([1.0, -1.0], [1.0]), (np.ones((2, 2)), np.ones((2, 2))), (1.0, 1.0)]
)
def test_data_of_another_shape_are_refused(x, y):
    with pytest.raises(ValueError, match="one shape"):
        NormalizedData(x, y)


def test_data_that_are_not_finite_numbers_are_refused():
    with pytest.raises(ValueError, match="y of the data must be finite, got nan"):
        NormalizedData([1.0, -1.0], [1.0, np.nan])
    with pytest.raises(TypeError, match="x of the data must be an array of real numbers"):
        NormalizedData(["a", "b"], [1.0, -1.0])


def test_samples_are_not_printed():
    x, y = np.random.default_rng(0).normal(size=(2, 1000))
    found = ld.normalize(x, x + y)
    assert repr(found.data) == "NormalizedData(1000 samples)"
    assert len(repr(found)) < 300
    assert repr(ld.MiniBatch(found.data, 4)) == "MiniBatch(data=NormalizedData(1000 samples), batch_size=4)"

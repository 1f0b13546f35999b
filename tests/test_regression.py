"""Reading, checking and normalising the user's data; numpy.polyfit is the oracle for lines."""

import gzip
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from linreg_dyn import regression

EPS = np.finfo(float).eps


def samples(seed, n, *, slope=2.0, noise=1.0, offset=0.0):
    rng = np.random.default_rng(seed)
    x = offset + rng.normal(size=n)
    return x, slope * x + noise * rng.normal(size=n) - 7


@given(
    seed=st.integers(0, 2**32),
    n=st.integers(2, 300),
    slope=st.sampled_from([-300.0, -1.0, 0.5, 40.0]),
    offset=st.sampled_from([0.0, 1e3, -1e6]),
    size=st.sampled_from([1e-12, 1.0, 1e12]),
)
def test_moments_of_eq_2_hold(seed, n, slope, offset, size):
    x, y = samples(seed, n, slope=slope, offset=offset)
    fit = regression.normalize(x * size, y)
    X, Y = fit.data.x, fit.data.y
    # Each moment is a mean of n rounded terms: off by at most n ulps of the mean size of its terms, twice.
    for terms, wanted in ((X, 0), (Y, 0), (X * X, 1), (X * Y, 1)):
        assert abs(terms.mean() - wanted) <= 2 * n * EPS * (1 + np.abs(terms).mean())
    # The maps take the samples there, up to the rounding of the stored mean.
    spread = EPS * (np.abs(fit.x).max() / fit.x_scale + np.abs(X).max())
    assert np.allclose((fit.x - fit.x_mean) / fit.x_scale, X, rtol=0, atol=4 * spread)


@given(seed=st.integers(0, 2**32), n=st.integers(3, 200), offset=st.sampled_from([0.0, 50.0]))
def test_unit_weight_is_the_least_squares_line(seed, n, offset):
    x, y = samples(seed, n, slope=-3.0, offset=offset)
    fit = regression.normalize(x, y)
    slope, intercept = np.polyfit(x, y, 1)
    # polyfit solves with a condition number of about (mean / spread)^2 at most, and n-term sums.
    rtol = 20 * n * EPS * (1 + (np.abs(x).max() / np.std(x)) ** 2)
    assert fit.slope(1) == pytest.approx(slope, rel=rtol)
    at = np.array([-1.0, 0.0, 60.0])
    size = np.abs(np.polyval([slope, intercept], at)).max() + np.abs(slope * at).max() + abs(intercept)
    assert np.allclose(fit.predict(1, at), np.polyval([slope, intercept], at), rtol=0, atol=rtol * size)
    assert fit.intercept(1) == pytest.approx(intercept, abs=rtol * size)


@pytest.mark.parametrize("W", [-1.0, 0.0, 0.7, 1.0, 3.0])
def test_mean_squared_error_is_that_of_the_predictions(W):
    x, y = samples(3, 50)
    fit = regression.normalize(x, y)
    direct = np.mean((fit.predict(W, x) - y) ** 2)
    assert fit.mean_squared_error((W - 1) ** 2) == pytest.approx(direct, rel=100 * EPS)
    assert fit.mean_squared_error((W - 1.01) ** 2) != pytest.approx(direct, rel=100 * EPS)


def test_two_rows_are_enough_and_fit_exactly():
    fit = regression.normalize([1, 3], [10, 4])
    assert (float(fit.slope(1)), float(fit.intercept(1))) == pytest.approx((-3, 13), rel=8 * EPS)
    assert 0 <= fit.residual <= (8 * EPS) ** 2


@given(
    x=st.lists(st.integers(-1000, 1000), min_size=2, max_size=40).filter(lambda x: len(set(x)) > 1),
    slope=st.integers(-99, 99).filter(bool),
    noise=st.sampled_from([0, 1, 10]),
    seed=st.integers(0, 2**32),
)
def test_the_residual_is_that_of_exact_arithmetic(x, slope, noise, seed):
    """`var(x) var(y) / cov(x, y)^2 - 1` in rationals; 0 for an exact line, and never below."""
    y = [
        slope * a + noise * int(b) for a, b in zip(x, np.random.default_rng(seed).integers(-3, 4, len(x)), strict=True)
    ]
    X, Y = ([Fraction(a) - Fraction(sum(values), len(values)) for a in values] for values in (x, y))
    xx, yy, xy = (sum(a * b for a, b in zip(*pair, strict=True)) for pair in ((X, X), (Y, Y), (X, Y)))
    assume(4 * xy**2 > xx * yy)
    exact, got = float(Fraction(xx * yy, xy**2) - 1), regression.normalize(x, y).residual
    # The root of the mean square of y - x, normalised, moves by no more than their entries are off: those of the
    # rounded means, n-term sums, against the spread, and of y those magnified by at most 1 / correlation^2 < 4.
    sizes = [max(map(abs, values)) / (float(square) / len(x)) ** 0.5 for values, square in ((x, xx), (y, yy))]
    moved = 4 * (len(x) + 8) * EPS * (1 + max(sizes))
    assert got >= 0
    assert abs(got**0.5 - exact**0.5) <= moved


def test_tiny_values_do_not_underflow():
    fit = regression.normalize(np.arange(5) * 1e-200, [5, 4, 3, 3, 1])
    assert fit.slope(1) == pytest.approx(-0.9e200, rel=8 * EPS)


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        ([1], [2], "at least 2 rows, got 1"),
        ([], [], "at least 2 rows, got 0"),
        ([1, 2], [1, 2, 3], "one shape"),
        ([0.1] * 7, range(7), "area must vary, got 0.1 in all 7 rows"),
        (range(7), [0.1] * 7, "price must vary"),
        ([0.1, 0.2, 0.3], [0.1, 0.3, 0.1], "area and price have zero correlation"),
        ([-1, 0, 1] * 501, np.repeat([1, 2, 3], 501), "zero correlation"),
        ([1, float("nan")], [1, 2], "area must be finite, got nan"),
        ([1, 2], [1, float("inf")], "price must be finite, got inf"),
        ([1e200, 1], [1, 2], "area must be at most 1e.150 in size"),
    ],
)
def test_data_without_a_slope_is_refused(x, y, message):
    with pytest.raises(ValueError, match=message):
        regression.normalize(x, y, names=("area", "price"))


def test_a_weak_correlation_is_not_taken_for_none():
    x = np.array([-1.0, 0.0, 1.0])
    y = np.array([1.0, -2.0, 1.0 + 1e-12])
    assert regression.normalize(x, y).slope(1) == pytest.approx(0.5e-12, rel=1e-3)  # 1e-12 is 4500 ulps of 1


CSV = "area,price,town\n50,100.5,Rome\n\n 70 ,1.5e2,Bonn\n60,120,\n"


@pytest.mark.parametrize(
    "text", [CSV, CSV.replace(",", ";"), CSV.replace(",", "\t"), "\ufeff" + CSV.replace("\n", "\r\n")]
)
def test_read_csv(tmp_path, text):
    path = tmp_path / "houses.csv"
    path.write_bytes(text.encode())
    x, y = regression.read_csv(path, "area", "price")
    assert x.tolist() == [50, 70, 60]
    assert y.tolist() == [100.5, 150, 120]


def test_read_csv_with_decimal_commas_gaps_and_compression(tmp_path):
    path = tmp_path / "houses.csv.gz"
    path.write_bytes(gzip.compress(b"area;price\n50;100,5\n;1\n70;NaN\n60;-1,2e1\n"))
    x, y = regression.read_csv(path, "area", "price", decimal=",", missing=True)
    np.testing.assert_array_equal(x, [50, np.nan, 70, 60])
    np.testing.assert_array_equal(y, [100.5, 1, np.nan, -12])
    with pytest.raises(ValueError, match="line 3, column 'area': expected a number, got an empty field"):
        regression.read_csv(path, "area", "price", decimal=",")
    with pytest.raises(ValueError, match="line 2, column 'price': expected a number, got '100,5'"):
        regression.read_csv(path, "area", "price")
    path.write_bytes(gzip.compress(b"area;price\n1.234;1\n"))
    with pytest.raises(ValueError, match=r"line 2, column 'area': expected a number, got '1\.234'"):
        regression.read_csv(path, "area", "price", decimal=",")


def test_damaged_archives_are_refused(tmp_path):
    whole = gzip.compress(CSV.encode())
    for name, content in (("cut", whole[:-9]), ("plain", CSV.encode()), ("bent", whole[:12] + b"?" + whole[13:])):
        (tmp_path / f"{name}.csv.gz").write_bytes(content)
        with pytest.raises(ValueError, match=f"{name}.csv.gz cannot be decompressed: "):
            regression.read_csv(tmp_path / f"{name}.csv.gz", "area", "price")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "'area' is not in .*its columns are: .none."),
        ("a,b\n1,2\n", "'area' is not in .*its columns are: a, b"),
        ("area,area,price\n1,2,3\n", "'area' is twice in"),
        ("area,price\n1,2\n3,big\n", "line 3, column 'price': expected a number, got 'big'"),
        ("area,price\n1,2\n,4\n", "line 3, column 'area': expected a number, got an empty field"),
        ("area,price\n1\n", "line 2, column 'price': expected a number, got an empty field"),
        ("area,price\n1,nan\n", "line 2, column 'price': expected a finite number, got 'nan'"),
        ("area,price\n1,2\n\n-inf,2\n", "line 4, column 'area': expected a finite number, got '-inf'"),
        ("area,price\n1,\xe9\n", "not a text file in UTF-8"),
        ("area,price\n1,\x002\n", "line 2, column 'price': expected a number"),
    ],
)
def test_read_csv_says_where_it_stumbled(tmp_path, text, message):
    path = tmp_path / "houses.csv"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(ValueError, match=message):
        regression.read_csv(path, "area", "price")


def test_missing_file_is_an_os_error(tmp_path):
    with pytest.raises(OSError, match="nowhere"):
        regression.read_csv(tmp_path / "nowhere.csv", "x", "y")


def test_diabetes_is_in_real_units():
    x, y = regression.diabetes()
    assert x.shape == y.shape == (442,)
    assert 15 < x.min() < x.max() < 50  # kg/m^2, not the standardised column
    assert regression.normalize(x, y).slope(1) == pytest.approx(np.polyfit(x, y, 1)[0], rel=1e-12)

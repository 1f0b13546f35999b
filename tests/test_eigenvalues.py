"""Hessian eigenvalues in numbers, against mpmath in high precision and numpy's dense solver."""

import math

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from linreg_dyn.eigenvalues import spectrum

EPS = np.finfo(float).eps


def dense_hessian(w):
    """The Hessian of `(prod w - 1)^2` entry by entry, in whatever arithmetic the weights have."""
    d = len(w)

    def product(*left_out):
        p = w[0] * 0 + 1
        for k in range(d):
            if k not in left_out:
                p = p * w[k]
        return p

    W = product()
    return [[2 * product(i) ** 2 if i == j else 2 * (2 * W - 1) * product(i, j) for j in range(d)] for i in range(d)]


LARGEST = mpmath.mpf(np.finfo(float).max)
DIGITS = 1000
"""More than any cancellation of the tests: weights of 1e-75 to 1e75 have eigenvalues of 1e-150 beside 1e750."""


def oracle(w, digits=DIGITS):
    """Eigenvalues by mpmath's QR, ascending."""
    with mpmath.workdps(digits):
        values = mpmath.eigsy(mpmath.matrix(dense_hessian([mpmath.mpf(float(x)) for x in w])), eigvals_only=True)
        return sorted(values)


def tolerance(w):
    """Relative: `8 d` units in the last place, and what 100 bits of W leave of the differences from it.

    The differences are those in `W`, `1 - W`, `1 - 2W` and `(m - 1) - (2m - 1) W`; a power of two is exact.
    """
    with mpmath.workdps(400):
        W = mpmath.fprod(mpmath.mpf(float(x)) for x in w)
        special = [mpmath.mpf(1), mpmath.mpf(1) / 2] + [mpmath.mpf(m - 1) / (2 * m - 1) for m in range(2, len(w) + 1)]
        lost = sum(abs(W / (W - x)) for x in special if x != W)
        return 8 * len(w) * EPS + len(w) * mpmath.mpf(2) ** -100 * lost


def assert_relative(w):
    """Every eigenvalue, small ones too, is right to its last places; what float64 does not reach is infinite."""
    exact, got = oracle(w), spectrum(np.array(w, dtype=float))
    allowed = tolerance(w)
    nothing = max(map(abs, exact)) * mpmath.mpf(10) ** (50 - DIGITS)  # the oracle's own rounding
    for e, g in zip(exact, got.tolist(), strict=True):
        if abs(e) <= nothing:
            assert g == 0, (w, exact, got)
        elif abs(e) > LARGEST:
            assert g == math.copysign(math.inf, e), (w, exact, got)
        else:
            assert abs(mpmath.mpf(g) - e) <= allowed * abs(e) + mpmath.mpf(2) ** -1074, (w, exact, got)


sizes = st.floats(-3, 3).map(lambda x: 10.0**x)
signed = st.builds(lambda s, x: s * x, st.sampled_from([-1.0, 1.0]), sizes)


@given(st.lists(signed, min_size=1, max_size=5))
def test_high_relative_accuracy(w):
    assert_relative(w)


@given(st.lists(signed, min_size=1, max_size=4), st.sampled_from([0.5, 1.0, 1 / 3, 2.0, -1.0, 0.4, 1 + 1e-9]))
def test_near_special_values_of_W(w, target):
    """Where W is 1, 1/2 or makes the Hessian singular up to rounding, the smallest eigenvalues survive."""
    assert_relative([*w, target / np.prod(w)])
    assert_relative([*w, w[0], -w[0], target / np.prod(w) / w[0] ** 2])


@given(st.lists(st.sampled_from([-2.0, -1.0, 0.5, 1.0, 2.0, 0.0]), min_size=1, max_size=5))
def test_equal_weights_exact_W_and_zeros(w):
    assert_relative(w)


@pytest.mark.parametrize(
    "others",
    [[], [2.0], [1e75, 1e75, 3e4], [1e40] * 4, [1e-75] * 5, [1e75] * 5, [1e-75, -1e75, 1.0], [-1e-75, 1e-3, 1e-75]],
)
@pytest.mark.parametrize("zeros", [1, 2, 3])
def test_zeros_beside_any_weights(others, zeros):
    """Products and their squares leave float64 where the eigenvalues need not."""
    assert_relative([0.0] * zeros + others)


@given(st.lists(st.builds(lambda s, x: s * 10.0**x, st.sampled_from([-1, 1]), st.floats(-75, 75)), max_size=4))
def test_a_zero_beside_many_orders_of_magnitude(others):
    assert_relative([*others, 0.0])


@pytest.mark.parametrize("magnitude", [20, 60])
def test_many_orders_of_magnitude(magnitude):
    rng = np.random.default_rng(magnitude)
    for d in (2, 3, 5):
        w = 10.0 ** rng.uniform(-magnitude, magnitude, d) * rng.choice([-1, 1], d)
        assert_relative(list(w))
        w[-1] = rng.uniform(0.3, 1.7) / np.prod(w[:-1])
        if 1e-75 < abs(w[-1]) < 1e75:
            assert_relative(list(w))


@pytest.mark.parametrize("depth", [1, 2, 5, 16, 64])
def test_against_numpy(depth):
    rng = np.random.default_rng(depth)
    w = rng.choice([-1, 1], (20, depth)) * rng.uniform(0.7, 1.4, (20, depth))
    for row, got in zip(w, spectrum(w), strict=True):
        dense = np.array(dense_hessian(list(row)))
        # eigvalsh is accurate to a few d ulps of the largest entry only
        np.testing.assert_allclose(got, np.linalg.eigvalsh(dense), rtol=0, atol=100 * depth * EPS * abs(got).max())


@pytest.mark.parametrize("depth", [2, 3, 8, 64])
def test_minimum_has_the_factor_two(depth):
    """`{0, ..., 0, 2 sum 1/w_i^2}` where W = 1; the paper's value, without the 2, must not fit."""
    w = np.ones(depth)
    w[0], w[1] = 4.0, 0.25
    got, total = spectrum(w), np.sum(1 / w**2)
    np.testing.assert_array_equal(got[:-1], 0)
    np.testing.assert_allclose(got[-1], 2 * total, rtol=depth * EPS)
    with pytest.raises(AssertionError):
        np.testing.assert_allclose(got[-1], total, rtol=0.4)


def test_the_oracle_refuses_a_wrong_hessian():
    """The comparison has teeth: an eigenvalue off by 1e-12 of itself is refused."""
    w = [0.7, 1.9, -0.4]
    exact = oracle(w)
    assert all(
        abs(mpmath.mpf(float(g)) * (1 + 1e-12) - e) > 24 * EPS * abs(e) for g, e in zip(spectrum(w), exact, strict=True)
    )


def test_shapes():
    w = np.random.default_rng(0).uniform(0.5, 2, (2, 3, 4))
    assert spectrum(w).shape == (2, 3, 4)
    np.testing.assert_array_equal(spectrum(w)[1, 2], spectrum(w[1, 2]))
    assert spectrum(np.empty((0, 4))).shape == (0, 4)
    assert np.all(np.diff(spectrum(w), axis=-1) >= 0)


def test_nets_that_have_diverged_are_left_out():
    w = np.random.default_rng(0).uniform(0.5, 2, (5, 2, 3))
    expected = spectrum(w)
    w[1], w[3, 1, 2] = np.nan, np.nan
    expected[1], expected[3, 1] = np.nan, np.nan
    np.testing.assert_array_equal(spectrum(w), expected)
    np.testing.assert_array_equal(spectrum([np.nan]), [np.nan])


@pytest.mark.parametrize("bad", [[1.0, np.inf], [-np.inf], [1e-80, 1.0], [np.nan, 1e80], [], 3.0])
def test_bad_values(bad):
    with pytest.raises(ValueError, match="weights must"):
        spectrum(bad)


@pytest.mark.parametrize("bad", [["a"], [1j]])
def test_bad_types(bad):
    with pytest.raises(TypeError, match="weights must"):
        spectrum(bad)

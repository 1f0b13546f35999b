"""Fixed points of deep linear networks under L2, against matrices and polynomials."""

from __future__ import annotations

import math
from typing import Any

import mpmath
import numpy as np
import pytest
import sympy
from scipy.optimize import root

from linreg_dyn.ntk import critical_l2, fixed_point_curve, fixed_points
from tests.deep_linear_nets import GOOD, ONE, data, gradient, hessian, matrices, on_orbit, setting

SHAPES = [(1, 1), (1, 4), (2, 1), (2, 3), (3, 2), (4, 2)]

# Two modes so different in size that each has a pair of fixed points of its own.
RIVALS = {"x": np.diag([1e-3, 1.0]), "y": np.array([30.0, 0.1])}


@pytest.mark.parametrize("normalization", ["ntk", "standard"])
@pytest.mark.parametrize(("hidden", "width"), SHAPES)
def test_gradient_and_hessian_of_the_matrices_at_every_fixed_point(hidden: int, width: int, normalization: str) -> None:
    x, y = data()
    shape = {"hidden_layers": hidden, "width": width, "normalization": normalization}
    l2 = 0.7 * critical_l2(x, y, **shape)
    points = fixed_points(x, y, l2=l2, **shape)
    assert points.sizes["fixed_point"] == (2 if hidden == 1 else 3)
    for k in range(points.sizes["fixed_point"]):
        point = points.isel(fixed_point=k)
        args = setting(point, x, y)
        theta = on_orbit(point, np.random.default_rng(k))
        scale = 1e-12 * max(1.0, float(np.abs(x.T @ y).sum()))
        assert np.abs(gradient(theta, *args)).max() < scale
        assert k == 0 or np.abs(gradient(1.001 * theta, *args)).max() > 1e3 * scale
        assert theta @ theta == pytest.approx(float(point.weight_norm2), rel=1e-12)
        v = np.linalg.multi_dot(matrices(theta, hidden, width, 3)[::-1]) * args[4]
        np.testing.assert_allclose(v[0], point.linear_map, atol=1e-13)
        np.testing.assert_allclose(x @ v[0], point.prediction, atol=1e-12)
        loss = ((x @ v[0] - y) ** 2).sum() / 2
        assert float(point.loss) == pytest.approx(loss, rel=1e-12)
        assert float(point.total_loss) == pytest.approx(loss + l2 / 2 * theta @ theta, rel=1e-12)
        eigenvalues = np.linalg.eigvalsh(hessian(theta, *args))
        flat = hidden * (width - 1) if k else 0
        off = np.delete(eigenvalues, np.argsort(np.abs(eigenvalues))[:flat])
        assert np.abs(eigenvalues).min() < 1e-9 * eigenvalues.max() if flat else True
        assert np.abs(off).min() > 1e-4 * l2
        assert off.min() == pytest.approx(float(point.least_eigenvalue), rel=1e-9)
        assert (off < 0).sum() == ((width if hidden == 1 and k == 0 else 1) if not point.stable else 0)


UNLABELLED = {  # directions of the data without labels, and perhaps others without data
    "as steep": (np.diag([3.0, 3.0]), [3.0, 0.0]),
    "flat": (np.diag([3.0, 0.3]), [3.0, 0.0]),
    "no data": (np.diag([3.0, 0.3, 0.0]), [3.0, 0.0, 0.0]),
    "fewer samples": (np.array([[2.0, 0.0, 0.0], [0.0, 1.0, 0.0]]), [1.0, 0.0]),
}


@pytest.mark.parametrize(("hidden", "width"), [(1, 1), (2, 1), (3, 1), (1, 2), (2, 2)])
@pytest.mark.parametrize("case", UNLABELLED)
def test_the_least_eigenvalue_where_directions_have_no_labels(case: str, hidden: int, width: int) -> None:
    x, y = np.array(UNLABELLED[case][0]), np.array(UNLABELLED[case][1])
    shape = {"hidden_layers": hidden, "width": width}
    points = fixed_points(x, y, l2=0.3 * critical_l2(x, y, **shape), **shape)
    for k in range(1, points.sizes["fixed_point"]):
        point = points.isel(fixed_point=k)
        eigenvalues = np.linalg.eigvalsh(hessian(on_orbit(point, np.random.default_rng(k)), *setting(point, x, y)))
        off = np.delete(eigenvalues, np.argsort(np.abs(eigenvalues))[: hidden * (width - 1)])
        assert off.min() == pytest.approx(float(point.least_eigenvalue), rel=1e-9)


@pytest.mark.parametrize("l2", [0.2, 0.45])
def test_no_critical_point_is_missing(l2: float) -> None:
    """Newton-like solves of grad = 0 from random weights end at predicted points, and reach every one of them."""
    x, y = data(4, 2, seed=1)
    shape = {"hidden_layers": 2, "width": 2}
    points, rng, reached = fixed_points(x, y, l2=l2, **shape), np.random.default_rng(0), set()
    args = setting(points.isel(fixed_point=0), x, y)
    for _ in range(60):
        found = root(gradient, rng.normal(size=10), args, jac=hessian, method="lm", options={"xtol": 1e-14})
        if np.abs(gradient(found.x, *args)).max() < 1e-9:
            v = np.linalg.multi_dot(matrices(found.x, 2, 2, 2)[::-1])[0] * args[4]
            distance = np.abs(points.linear_map.values - v).max(axis=1)
            assert distance.min() < 1e-5
            reached.add(int(distance.argmin()))
    assert reached == set(range(points.sizes["fixed_point"]))


# ---------------------------------------------------------------- the scalar equation
@pytest.mark.parametrize("hidden", [1, 2, 3, 4, 7])
@pytest.mark.parametrize("fraction", [1e-6, 0.3, 0.999999])
def test_one_sample_solves_the_printed_equation(hidden: int, fraction: float) -> None:
    """S20 with x = y = 1 is `rho = (f (1 - f))^(L-1) (1 - f)^2`, `rho = l2^(L+1)/beta^2`: a polynomial in f."""
    width = 5
    critical = critical_l2(**ONE, hidden_layers=hidden, width=width)
    top = mpmath.mpf(hidden - 1) ** (hidden - 1) * mpmath.mpf(hidden + 1) ** (hidden + 1) / (2 * hidden) ** (2 * hidden)
    assert critical ** (hidden + 1) * width**hidden == pytest.approx(float(top), rel=1e-13)
    points = fixed_points(**ONE, l2=fraction * critical, hidden_layers=hidden, width=width)
    f = points.prediction.values[1:, 0]
    rho = (fraction * critical) ** (hidden + 1) * width**hidden
    with mpmath.workdps(60):
        power = [mpmath.binomial(hidden + 1, k) * (-1) ** k for k in range(hidden + 1, -1, -1)]
        polynomial = [*power, *[0] * (hidden - 1)]
        polynomial[-1] -= mpmath.mpf(rho)
        zeros = mpmath.polyroots(polynomial, maxsteps=500, extraprec=400)
        inside = sorted(float(z.real) for z in zeros if abs(z.imag) < 1e-40 and 0 < z.real < 1)
    # Next to the fold the two roots are as far off as the square root of a rounding of rho.
    near = 1e-12 if fraction < 0.99 else 1e-9
    np.testing.assert_allclose(f, inside, rtol=near)
    assert points.stable.values.tolist() == ([False, True] if hidden == 1 else [True, False, True])
    assert fixed_points(**ONE, l2=1.000001 * critical, hidden_layers=hidden, width=width).sizes["fixed_point"] == 1


@pytest.mark.parametrize(("hidden", "between"), [(2, -11.5), (3, -17.15), (4, -22.746)])
def test_rival_modes_have_fixed_points_of_their_own(hidden: int, between: float) -> None:
    """The positive roots of the polynomial equation in kappa, counted by Sturm; stable ones alternate with saddles."""
    k, counts = sympy.Symbol("k"), []
    a = [sympy.Rational(1, 10**6), sympy.Integer(1)]
    b2 = [a[0] * 900, sympy.Rational(1, 100)]
    top = b2[0] * (k + a[1]) ** 2 + b2[1] * (k + a[0]) ** 2
    bottom = ((k + a[0]) * (k + a[1])) ** 2
    for level in (between - 3, between, between + 3):
        l2 = sympy.Rational(round(1e6 * math.exp(level / (hidden + 1))), 10**6)
        points = fixed_points(**RIVALS, l2=float(l2), hidden_layers=hidden, width=1)
        equation = sympy.Poly(k ** (hidden + 1) * top**hidden - l2 ** (hidden + 1) * bottom**hidden, k)
        exact = points.effective_ridge.values[1:][::-1]
        assert equation.count_roots(0, sympy.oo) == len(exact)
        for ridge in exact:  # and a change of sign next to each
            ends: list[Any] = [equation.eval(sympy.Rational(ridge * (1 + e))) for e in (-1e-11, 1e-11)]
            assert ends[0] * ends[1] < 0
        assert points.stable.values.tolist() == [n % 2 == 0 for n in range(len(exact) + 1)]
        counts.append(len(exact))
    assert counts == [2, 4, 2]


@pytest.mark.parametrize("hidden", [1, 2, 3])
def test_the_curve_is_made_of_fixed_points_and_turns_where_stability_does(hidden: int) -> None:
    x, y = data(6, 4, seed=3)
    shape = {"hidden_layers": hidden, "width": 8}
    curve = fixed_point_curve(x, y, np.geomspace(1e-3, 1e3, 41), **shape)
    for k in range(0, 41, 5):
        points = fixed_points(x, y, l2=float(curve.l2[k]), **shape)
        j = int(np.argmin(np.abs(np.log(points.effective_ridge.values[1:] / curve.effective_ridge.values[k])))) + 1
        np.testing.assert_allclose(points.linear_map[j], curve.linear_map[k], rtol=1e-9, atol=1e-12)
        assert bool(points.stable[j]) == bool(curve.stable[k])
    rises, stable = np.diff(curve.l2) > 0, curve.stable.values
    same = stable[1:] == stable[:-1]  # but for the step that passes the fold
    assert (~same).sum() == (hidden > 1)
    assert (rises == stable[1:])[same].all()
    assert float(curve.l2.max()) <= critical_l2(x, y, **shape)
    assert curve.sizes["effective_ridge"] == 41


def test_s20_holds_at_every_fixed_point_and_only_there() -> None:
    x, y = data(3, 7, seed=5)  # fewer samples than features
    for hidden in (1, 2, 3):
        points = fixed_points(x, y, l2=0.1, hidden_layers=hidden, width=3)
        for f in points.prediction.values[1:]:
            slope = f - y
            right = (-slope @ f) ** (hidden - 1) * np.sum((slope @ x) ** 2)
            assert right == pytest.approx(0.1 ** (hidden + 1) * 3**hidden, rel=1e-10)


def test_labels_without_part_along_the_data_leave_zero_alone() -> None:
    x, y = np.array([1.0, 1.0]), np.array([1.0, -1.0])
    points = fixed_points(x, y, l2=1e-9, hidden_layers=2, width=2)
    assert points.effective_ridge.values.tolist() == [np.inf]
    assert points.loss.values.tolist() == [1.0]
    assert critical_l2(x, y, hidden_layers=2, width=2) == 0
    assert fixed_points(x, 0 * y, l2=1.0, hidden_layers=1, width=2).stable.values.tolist() == [True]
    with pytest.raises(ValueError, match="y must not be orthogonal"):
        fixed_point_curve(x, y, [1.0], hidden_layers=2, width=2)


# ---------------------------------------------------------------- bad input
BAD = [
    ({"l2": 0}, "l2 must be a finite number > 0"),
    ({"l2": math.nan}, "l2 must be"),
    ({"hidden_layers": 0}, "hidden_layers must be an integer from 1"),
    ({"hidden_layers": 1.5}, "hidden_layers must be an integer"),
    ({"width": 0}, "width must be an integer from 1"),
    ({"normalization": "lecun"}, "normalization must be one of 'ntk', 'standard', got 'lecun'"),
    ({"x": np.zeros((2, 2, 2))}, "x must have shape"),
    ({"x": np.zeros((0, 2)), "y": []}, "x must have shape"),
    ({"y": [1.0, 2.0]}, "y must have one number for each of the 1 samples"),
    ({"x": [np.inf]}, "x must be finite"),
    ({"y": [np.nan]}, "y must be finite"),
    ({"x": "a"}, "x must be an array of real numbers, got 'a'"),
    ({"x": np.array([1j])}, "x must be an array of real numbers"),
    ({"y": ["a"]}, "y must be an array of real numbers"),
]


@pytest.mark.parametrize(("bad", "message"), BAD)
def test_bad_input_is_named(bad: dict[str, Any], message: str) -> None:
    with pytest.raises((ValueError, TypeError), match=message):
        fixed_points(**{**GOOD, **bad})


def test_bad_ridges_are_named() -> None:
    for bad in ([0.0], [[1.0]], [np.inf], "q", [1j]):
        with pytest.raises((ValueError, TypeError), match=r"^effective_ridge must be"):
            fixed_point_curve(**ONE, effective_ridge=bad, hidden_layers=1, width=1)

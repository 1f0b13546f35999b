"""Fixed points of deep linear networks under L2, against matrices, polynomials and gradient descent."""

from __future__ import annotations

import math
from functools import reduce
from itertools import pairwise
from typing import Any

import mpmath
import numpy as np
import pytest
import sympy
import xarray as xr
from scipy.optimize import root

from linreg_dyn.ntk import critical_l2, fixed_point_curve, fixed_points, train_deep_linear

Array = np.ndarray
ONE = {"x": [1.0], "y": [1.0]}
SHAPES = [(1, 1), (1, 4), (2, 1), (2, 3), (3, 2), (4, 2)]


def data(samples: int = 5, features: int = 3, seed: int = 0) -> tuple[Array, Array]:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(samples, features)), rng.normal(size=samples)


# Two modes so different in size that each has a pair of fixed points of its own.
RIVALS = {"x": np.diag([1e-3, 1.0]), "y": np.array([30.0, 0.1])}


# ---------------------------------------------------------------- oracles: plain matrices
def matrices(theta: Array, hidden: int, width: int, features: int) -> list[Array]:
    shapes = [(width, features), *[(width, width)] * (hidden - 1), (1, width)]
    ends = np.cumsum([a * b for a, b in shapes])[:-1]
    return [part.reshape(shape) for part, shape in zip(np.split(theta, ends), shapes, strict=True)]


def gradient(theta: Array, x: Array, y: Array, hidden: int, width: int, beta: float, l2: float) -> Array:
    """By the product rule, layer by layer; polynomial in theta, so that it takes complex steps."""
    layers = matrices(theta, hidden, width, x.shape[1])
    residual = beta * (reduce(lambda below, w: w @ below, layers) @ x.T) - y
    out = []
    for k, w in enumerate(layers):
        above = reduce(lambda a, b: a @ b, layers[:k:-1], np.eye(1))
        below = reduce(lambda b, a: a @ b, layers[:k], x.T)
        out.append((beta * above.T @ residual @ below.T + l2 * w).ravel())
    return np.concatenate(out)


def hessian(theta: Array, *args: Any) -> Array:
    steps = 1e-30j * np.eye(theta.size)
    return np.array([np.imag(gradient(theta + step, *args)) / 1e-30 for step in steps])


def on_orbit(point: xr.Dataset, rng: np.random.Generator) -> Array:
    """Weights of the fixed point with randomly turned hidden layers."""
    hidden, width, s = point.attrs["hidden_layers"], point.attrs["width"], float(point.singular_value)
    v = point.linear_map.values
    u = v / np.linalg.norm(v) if v.any() else v
    parts = []
    for _ in range(hidden):
        following = rng.normal(size=width)
        following /= np.linalg.norm(following)
        parts.append(s * np.outer(following, u))
        u = following
    return np.concatenate([p.ravel() for p in (*parts, s * u)])


def setting(point: xr.Dataset, x: Array, y: Array) -> tuple[Any, ...]:
    hidden, width = point.attrs["hidden_layers"], point.attrs["width"]
    beta = width ** (-hidden / 2) if point.attrs["normalization"] == "ntk" else 1.0
    return x, y, hidden, width, beta, float(point.l2)


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


# ---------------------------------------------------------------- gradient descent
TRAINED = [(1, 1), (1, 16), (2, 4), (3, 4), (4, 4), (2, 64)]


@pytest.mark.parametrize(("hidden", "width"), TRAINED)
def test_generic_starts_reach_a_stable_fixed_point(hidden: int, width: int) -> None:
    x, y = data()
    shape = {"hidden_layers": hidden, "width": width}
    l2, wide = 0.6 * critical_l2(x, y, **shape), width == 64
    points = fixed_points(x, y, l2=l2, **shape)
    rate = {"learning_rate": 0.02, "steps": 8000 if wide else 4000, "runs": 2 if wide else 6}
    run = train_deep_linear(x, y, l2=l2, **shape, **rate)
    stable = points.linear_map.values[points.stable.values]
    distance = np.abs(run.linear_map.values[:, -1, None] - stable).max(axis=2).min(axis=1)
    # What is left decays like exp(-least eigenvalue * time), from distances of a few; then rounding.
    least = points.least_eigenvalue.values[points.stable.values].min()
    assert distance.max() < 50 * math.exp(-least * 0.02 * rate["steps"]) + 1e-13
    assert distance.max() < 1e-4
    assert (run.linear_map.values[:, -1] != 0).any()
    unlike = fixed_points(x, y, l2=0.7 * l2, **shape).linear_map.values[1:]
    assert np.abs(run.linear_map.values[:, -1, None] - unlike).max(axis=2).min() > 1e-3
    theta = run.final_weights.values[0]
    layers = matrices(theta, hidden, width, 3)
    for w, above in pairwise(layers):  # balanced, to what is left of the imbalance of the start
        left = 20 * width * math.exp(-2 * l2 * 0.02 * rate["steps"]) + 1e-12
        np.testing.assert_allclose(above.T @ above, w @ w.T, atol=left)


@pytest.mark.parametrize(("hidden", "width"), [(1, 1), (1, 8), (2, 8), (3, 4)])
def test_training_collapses_above_the_critical_l2(hidden: int, width: int) -> None:
    """And not below, from the same starts made large enough."""
    x, y = data(seed=2)
    shape = {"hidden_layers": hidden, "width": width}
    critical = critical_l2(x, y, **shape)
    rate = {"learning_rate": 0.005, "steps": 12_000, "runs": 4, "weight_std": 1.3}
    over = train_deep_linear(x, y, l2=1.4 * critical, **shape, **rate)
    assert np.abs(over.linear_map.values[:, -1]).max() < 1e-6
    assert over.loss.values[:, -1] == pytest.approx(y @ y / 2, rel=1e-5)
    below = train_deep_linear(x, y, l2=0.9 * critical, **shape, **rate)
    points = fixed_points(x, y, l2=0.9 * critical, **shape)
    reached = np.linalg.norm(below.linear_map.values[:, -1], axis=1).max()
    assert reached > 0.9 * np.linalg.norm(points.linear_map.values[-1]) > 0.01


@pytest.mark.parametrize("hidden", [2, 3, 4])
def test_the_saddle_parts_the_basins_of_balanced_starts(hidden: int) -> None:
    shape = {"hidden_layers": hidden, "width": 3}
    l2 = 0.8 * critical_l2(**ONE, **shape)
    points = fixed_points(**ONE, l2=l2, **shape)
    saddle = on_orbit(points.isel(fixed_point=1), np.random.default_rng(hidden))
    starts = np.outer([0.99, 1.01], saddle)
    run = train_deep_linear(**ONE, l2=l2, **shape, starts=starts, learning_rate=0.05, steps=20_000)
    end = run.linear_map.values[:, -1, 0]
    assert abs(end[0]) < 1e-10
    assert end[1] == pytest.approx(float(points.prediction[2, 0]), abs=1e-10)
    still = train_deep_linear(**ONE, l2=l2, **shape, starts=saddle, learning_rate=0.05, steps=100)
    assert float(still.linear_map[0, -1, 0]) == pytest.approx(float(points.prediction[1, 0]), rel=1e-9)


def test_a_step_is_gradient_descent() -> None:
    x, y = data()
    for hidden, width in ((1, 3), (2, 4), (3, 2)):
        shape = {"hidden_layers": hidden, "width": width}
        run = train_deep_linear(x, y, l2=0.3, **shape, learning_rate=0.01, steps=3, record_every=1, seed=4)
        theta = 1.0 * np.random.default_rng([4, 0]).normal(size=run.sizes["parameter"])
        for k in range(4):
            v = np.linalg.multi_dot(matrices(theta, hidden, width, 3)[::-1])[0] * width ** (-hidden / 2)
            np.testing.assert_allclose(run.linear_map[0, k], v, rtol=1e-12)
            assert float(run.weight_norm2[0, k]) == pytest.approx(theta @ theta, rel=1e-13)
            if k < 3:
                theta = theta - 0.01 * gradient(theta, x, y, hidden, width, width ** (-hidden / 2), 0.3)
        np.testing.assert_allclose(run.final_weights[0], theta, rtol=1e-12)
        assert run.step.values.tolist() == [0, 1, 2, 3]


def test_runs_do_not_depend_on_threads_or_records_and_divergence_is_told() -> None:
    x, y = data()
    run = {"x": x, "y": y, "l2": 0.1, "hidden_layers": 2, "width": 4, "steps": 50}
    one = train_deep_linear(**run, learning_rate=0.01, runs=5, threads=1)
    two = train_deep_linear(**run, learning_rate=0.01, runs=5, threads=3, record_every=7)
    assert (one.final_weights.values == two.final_weights.values).all()
    assert two.step.values.tolist() == [*range(0, 50, 7), 50]
    few = train_deep_linear(**run, learning_rate=0.01, runs=2)
    assert (one.final_weights.values[:2] == few.final_weights.values).all()
    wild = train_deep_linear(**run, learning_rate=5.0)
    assert wild.status.attrs["flag_meanings"].split()[int(wild.status[0])] == "diverged"
    assert np.isfinite(wild.loss[0, 0])
    assert np.isnan(wild.loss[0, -1])


# ---------------------------------------------------------------- bad input
GOOD: dict[str, Any] = {**ONE, "l2": 0.1, "hidden_layers": 2, "width": 3}
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
]


@pytest.mark.parametrize(("bad", "message"), BAD)
def test_bad_input_is_named(bad: dict[str, Any], message: str) -> None:
    with pytest.raises((ValueError, TypeError), match=message):
        fixed_points(**{**GOOD, **bad})


TRAIN: dict[str, Any] = {**GOOD, "learning_rate": 0.1, "steps": 10}
BAD_TRAINING = [
    ({"l2": -1}, "l2 must be"),
    ({"learning_rate": 0}, "learning_rate must be"),
    ({"steps": 0}, "steps must be"),
    ({"runs": 0}, "runs must be"),
    ({"weight_std": -1}, "weight_std must be"),
    ({"record_every": 11}, "record_every must be"),
    ({"starts": np.zeros(14)}, r"starts must be finite numbers of shape \(runs, 15\), got shape \(1, 14\)"),
    ({"seed": -1}, "seed must be"),
    ({"threads": 0}, "threads must be"),
    ({"runs": 10**6, "width": 1000}, "runs must leave fewer weights"),
]


@pytest.mark.parametrize(("bad", "message"), BAD_TRAINING)
def test_bad_training_is_named(bad: dict[str, Any], message: str) -> None:
    with pytest.raises((ValueError, TypeError), match=message):
        train_deep_linear(**{**TRAIN, **bad})


def test_bad_ridges_are_named() -> None:
    for bad in ([0.0], [[1.0]], [np.inf]):
        with pytest.raises(ValueError, match="effective_ridge must be"):
            fixed_point_curve(**ONE, effective_ridge=bad, hidden_layers=1, width=1)

"""Equilibria under weight decay, against polynomial roots, the rules themselves and the numeric Hessian."""

import itertools
from typing import Any

import numpy as np
import pytest
import sympy
from flint import arb
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar

from linreg_dyn import equilibria, rules
from linreg_dyn.eigenvalues import spectrum

EPS = np.finfo(float).eps
depths = st.sampled_from([1, 2, 3, 4, 5, 8, 16, 64])


def velocity(w, mu):
    W = rules.end_to_end(w)
    products = rules.others(w)
    return [rules.velocity(x, p, rules.gradient_descent(W), mu) for x, p in zip(w, products, strict=True)]


@given(depths, st.floats(-8, 1).map(lambda x: 10.0**x))
def test_equilibria_are_the_positive_roots(depth, mu):
    """Against numpy's roots of `w^(d-2) (1 - w^d) - mu` (times w at depth 1), and the velocity in balls."""
    found = [e for e in equilibria.weight_decay(depth, mu) if e.branch != "origin"]
    c = float(equilibria.critical_decay(depth))
    assert len(found) == (mu < c) * (1 if depth <= 2 else 2)
    for e in found:
        assert e.enclosure.rad() < 1e-30 * e.enclosure
        assert all(v.contains(0) for v in velocity([e.enclosure] * depth, arb(mu)))
        assert e.weight == pytest.approx(float(e.enclosure.mid()), rel=EPS)
    if 1 < depth <= 8 and found and abs(mu / c - 1) > 1e-3:
        coefficients = np.zeros(2 * depth - 1)  # w^(2d-2) - w^(d-2) + mu, highest power first
        coefficients[0] = 1
        coefficients[depth] -= 1
        coefficients[-1] += mu
        roots = np.roots(coefficients)
        real = np.sort(roots[(abs(roots.imag) < 1e-9) & (roots.real > 0)].real)
        np.testing.assert_allclose(sorted(e.weight for e in found), real, rtol=1e-7)


@given(depths, st.floats(0.01, 1.5))
def test_eigenvalues_are_those_of_the_hessian(depth, mu):
    """The Hessian of `L + mu sum w^2` is that of `L` plus `2 mu`, at every sign pattern."""
    rng = np.random.default_rng(depth)
    for e in equilibria.weight_decay(depth, mu):
        signs = rng.choice([-1.0, 1.0], depth)
        signs[0] *= np.prod(signs)
        want = spectrum(signs * e.weight) + 2 * mu
        got = np.sort(np.repeat(*map(np.array, zip(*e.eigenvalues, strict=True))))
        scale = abs(spectrum(signs * e.weight)).max() + 2 * mu
        np.testing.assert_allclose(got, want, rtol=0, atol=64 * depth * EPS * scale)
        assert (e.stability == "stable") == (got[0] > 0)


@pytest.mark.parametrize("depth", [2, 3, 4])
def test_all_sign_patterns_and_nothing_else(depth):
    """Odd sign patterns, unequal sizes and single zeros are none: a search finds the listed points alone."""
    mu = 0.9 * float(equilibria.critical_decay(depth))
    points = equilibria.weight_decay(depth, mu)
    listed = {tuple(np.zeros(depth))}
    for e in points:
        for signs in itertools.product([-1, 1], repeat=depth):
            if e.weight and np.prod(signs) > 0:
                listed.add(tuple(np.array(signs) * e.weight))
    assert len(listed) == sum(e.sign_patterns for e in points)
    symbols = sympy.symbols(f"w1:{depth + 1}")
    system = sympy.lambdify(symbols, velocity(list(symbols), mu))
    jacobian = sympy.lambdify(symbols, sympy.Matrix(velocity(list(symbols), mu)).jacobian(symbols))
    found, rng = set(), np.random.default_rng(0)
    for w in rng.uniform(-1.2, 1.2, (800, depth)):
        for _ in range(60):
            w = w - np.linalg.lstsq(jacobian(*w), np.array(system(*w)), rcond=None)[0]
            if abs(w).max() > 10:
                break
        if abs(w).max() < 10 and abs(np.array(system(*w))).max() < 1e-12:
            near = [p for p in listed if abs(np.array(p) - w).max() < 1e-6]
            assert near, w
            found.add(near[0])
    assert found == listed


@pytest.mark.parametrize("depth", [3, 4, 5, 10, 64])
def test_critical_decay_is_the_maximum(depth):
    exact = equilibria.critical_decay(depth)
    best: Any = minimize_scalar(lambda w: -(w ** (depth - 2)) * (1 - w**depth), bounds=(0, 1), options={"xatol": 1e-10})
    assert float(exact) == pytest.approx(-best.fun, rel=1e-9)
    w = sympy.Symbol("w", positive=True)
    top = sympy.Rational(depth - 2, 2 * depth - 2) ** sympy.Rational(1, depth)
    f = w ** (depth - 2) * (1 - w**depth)
    assert sympy.simplify(f.diff(w).subs(w, top)) == 0
    assert sympy.simplify(f.subs(w, top) - exact) == 0
    ball = equilibria.critical_decay_enclosure(depth, 200)
    assert abs(sympy.Float(ball.mid().str(50, radius=False), 50) - exact.evalf(50)) < 1e-45
    # two floats to either side of it decide
    c = float(exact)
    assert len(equilibria.weight_decay(depth, np.nextafter(c, 0) * (1 - EPS))) == 3
    assert len(equilibria.weight_decay(depth, np.nextafter(c, 1) * (1 + EPS))) == 1


def test_known_small_depths():
    assert [e.branch for e in equilibria.weight_decay(1, 3.0)] == ["upper"]
    assert equilibria.weight_decay(1, 3.0)[0].weight == 0.25
    origin, upper = equilibria.weight_decay(2, 0.19)
    assert (origin.stability, upper.stability) == ("saddle", "stable")
    assert upper.weight == pytest.approx(0.9, rel=2 * EPS)
    (origin,) = equilibria.weight_decay(2, 1.0)
    assert (origin.stability, origin.eigenvalues) == ("degenerate", ((0.0, 1), (4.0, 1)))
    assert [e.stability for e in equilibria.weight_decay(3, 0.1)] == ["stable", "saddle", "stable"]
    assert equilibria.critical_decay(1) == sympy.oo
    assert equilibria.critical_decay(2) == 1
    assert equilibria.critical_decay(4) == 2 * sympy.sqrt(3) / 9


def test_bifurcation_dataset():
    c = float(equilibria.critical_decay(3))
    ds = equilibria.bifurcation(3, [0.1, 0.9 * c, 1.1 * c])
    assert ds.weight.dims == ("branch", "weight_decay")
    np.testing.assert_array_equal(ds.exists, [[1, 1, 1], [1, 1, 0], [1, 1, 0]])
    np.testing.assert_array_equal(ds.stable.sel(branch="lower"), False)
    np.testing.assert_array_equal(np.isnan(ds.weight), ~ds.exists)
    gap = ds.weight.sel(branch="upper") - ds.weight.sel(branch="lower")
    assert gap[0] > gap[1] > 0


@pytest.mark.parametrize(("mu", "error"), [(0, ValueError), (-1.0, ValueError), (np.nan, ValueError), ("a", TypeError)])
def test_bad_decay(mu, error):
    with pytest.raises(error, match="mu must"):
        equilibria.weight_decay(3, mu)


def test_integers_of_numpy_are_integers():
    for depth in np.arange(1, 5):
        exact = int(depth)
        assert str(equilibria.weight_decay(depth, np.float64(0.1))) == str(equilibria.weight_decay(exact, 0.1))
        assert equilibria.critical_decay(depth) == equilibria.critical_decay(exact)
        assert depth == 1 or str(equilibria.critical_decay_enclosure(depth)) == str(
            equilibria.critical_decay_enclosure(exact)
        )


def test_bad_depth():
    with pytest.raises(ValueError, match="depth must be an integer >= 1, got 0"):
        equilibria.weight_decay(0, 0.1)
    with pytest.raises(ValueError, match="depth must be an integer >= 2, got 1"):
        equilibria.critical_decay_enclosure(1)
    with pytest.raises(TypeError, match="precision must be an integer"):
        equilibria.critical_decay_enclosure(3, 64.0)  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match="mus must"):
        equilibria.bifurcation(3, [[0.1]])

"""The minimum of the loss and its laws, and the L2 for a budget."""

import itertools
import math
from typing import Any

import mpmath as mp
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from linreg_dyn.ntk.loss_modes import root
from linreg_dyn.ntk.modes import mode_solution
from linreg_dyn.ntk.predictions import (
    LossMinimum,
    faint_constant,
    kernel_eigenvalues,
    loss_curve,
    loss_minimum,
    predict_l2,
)
from linreg_dyn.ntk.spectra import spectrum

EPS = float(np.finfo(float).eps)


def test_a_linear_model_from_0_has_its_minimum_at_infinity():
    """Rounding once made one of slopes that are all negative; modes are below and above l2."""
    for seed, l2 in itertools.product(range(3), (0.1, 1.0)):
        rng = np.random.default_rng(seed)
        x, y = rng.normal(size=(40, 60)), rng.choice([-1.0, 1.0], 40)
        gamma, vectors = np.linalg.eigh(x @ x.T / 60)
        modes = vectors.T @ y
        limit = 0.5 * np.sum((modes * l2 / (gamma + l2)) ** 2)
        found = loss_minimum(gamma, modes, l2=l2, degree=1)
        assert (found.time, found.where) == (math.inf, "infinity")
        assert found.loss == pytest.approx(limit, rel=1e-13)
        assert loss_minimum(gamma, modes, l2=l2, degree=1 - 1e-9).where == "infinity"
        above = loss_minimum(gamma, modes, l2=l2, degree=1 + 1e-9)
        assert above.where == "interior"
        assert 5 < above.constant < faint_constant(1 + 1e-9)


def test_the_best_time_of_one_mode_is_where_the_stated_integral_balances():
    for k, g in [(2, 1e-3), (2, 5.0), (2, 1e4), (3, 40.0), (1.5, 7.0), (10, 300.0), (1.1, 0.5), (1.000001, 0.5)]:
        s = loss_minimum([g], [1.0], l2=1.0, degree=k).time
        with mp.workdps(30):
            rate = 2 * (mp.mpf(k) - 1)

            def difference(s, k=k, g=g, rate=rate):
                q = mp.exp(-rate * s)
                tau = (1 - q) / rate
                power = -1 - k / rate
                ends = [0, *(tau * (1 - mp.mpf(2) ** -j) for j in range(1, 30)), tau]
                return q - k * rate * mp.quad(lambda x: (tau - x) * mp.exp(g * x) * (1 - rate * x) ** power, ends)

            assert difference(s * (1 - mp.mpf(10) ** -11)) > 0 > difference(s * (1 + mp.mpf(10) ** -11))


@pytest.mark.parametrize("degree", [1.01, 1.5, 2, 3, 10, 50])
def test_limits_of_one_mode(degree):
    faint = loss_minimum([1e-9], [1.0], l2=1.0, degree=degree)
    assert faint.constant == pytest.approx(faint_constant(degree), rel=1e-8)
    assert faint.time < faint_constant(degree)
    for ratio in (1e40, 1e99):
        strong = loss_minimum([1.0], [1.0], l2=1 / ratio, degree=degree)
        assert strong.time == pytest.approx(2 * math.log(ratio / math.sqrt(2 * degree * (degree - 1))), rel=1e-12)
        assert strong.loss == pytest.approx(0.5 * (degree / ratio) ** 2, rel=1e-12)


def test_the_faint_constant():
    assert faint_constant(2) == 0.5
    assert faint_constant(2 + 1e-9) == pytest.approx(0.5, abs=1e-9)
    for degree in (1.2, 3.0, 7.0):
        assert faint_constant(degree) == pytest.approx(math.log(2 * (degree - 1) / degree) / (degree - 2), rel=1e-14)
    with pytest.raises(ValueError, match="degree must be a finite number > 1, got 1"):
        faint_constant(1)


def test_a_finite_spectrum_ends_in_a_logarithm_not_in_1_over_l2():
    gamma, y = np.array([3.0, 1.0, 0.25]), np.array([1.0, -2.0, 0.5])
    for l2 in (1e-30, 1e-60):
        law = math.log(y[-1] ** 2 / (4 * l2**2 * np.sum((y / gamma) ** 2))) / gamma[-1]  # 2 k (k - 1) = 4
        assert loss_minimum(gamma, y, l2=l2, degree=2).time == pytest.approx(law, rel=1e-12)


def naive_loss(t, gamma, y, f0, l2, degree):
    f = mode_solution(np.asarray(t)[..., None], gamma, f0, y, l2=l2, degree=degree)
    return 0.5 * np.sum((f - y) ** 2, axis=-1)


numbers = st.floats(-3, 3).map(lambda x: round(x, 3))


@given(
    st.lists(st.tuples(st.floats(-4, 3), numbers, numbers), min_size=1, max_size=4),
    st.floats(-4, 1),
    st.sampled_from([0, 0.5, 1, 1.3, 2, 3, 5]),
)
def test_the_minimum_is_that_of_the_curve(modes, log_l2, degree):
    gamma, y, f0 = (np.array(x) for x in zip(*modes, strict=True))
    gamma, l2 = 10**gamma, 10**log_l2
    found = loss_minimum(gamma, y, l2=l2, degree=degree, f0_modes=f0)
    times = np.concatenate([[0], np.geomspace(1e-6, 1e9, 3000)])
    curve = naive_loss(times, gamma, y, f0, l2, degree)
    scale = np.sum(y**2 + f0**2)
    if found.time < math.inf:
        assert found.loss == pytest.approx(
            naive_loss(found.time, gamma, y, f0, l2, degree), rel=1e-9, abs=1e-13 * scale
        )
    else:
        assert found.loss == pytest.approx(curve[-1], rel=1e-4, abs=1e-13 * scale)
    assert found.loss <= curve.min() + 1e-13 * scale
    assert found.where == {0: "start", math.inf: "infinity"}.get(found.time, "interior")
    assert found.constant == pytest.approx(l2 * found.time)


def test_the_lowest_of_several_minima():
    """A strong mode that passes its label on the way down from its start, and a weak one learned later."""
    gamma, f0, times = np.array([100.0, 0.1]), np.array([30.0, 0.0]), np.geomspace(1e-3, 100, 500)
    for weak, low, high in [(5e-4, 0.05, 0.2), (2e-3, 10, 50)]:
        arguments = {"l2": 0.05, "degree": 1.2, "f0_modes": f0}
        assert low < loss_minimum(gamma, [1.0, weak], **arguments).time < high
        falling = np.diff(loss_curve(times, gamma, [1.0, weak], **arguments)) < 0
        assert np.count_nonzero(falling[:-1] & ~falling[1:]) == 2


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"degree": 1, "l2": 0.5}, LossMinimum(math.inf, 0.5 * (0.5 / 1.5) ** 2, math.inf, "infinity")),
        ({"degree": 0, "l2": 0.5}, LossMinimum(math.inf, 0.0, math.inf, "infinity")),
        ({"degree": 0.5, "l2": 0.5}, LossMinimum(math.inf, 0.0, math.inf, "infinity")),
        ({"degree": 2, "l2": 0}, LossMinimum(math.inf, 0.0, math.nan, "infinity")),
        ({"degree": 2, "l2": 0.1, "f0_modes": [1.0]}, LossMinimum(0.0, 0.0, 0.0, "start")),
        ({"degree": 2, "l2": 1e6, "f0_modes": [-1.0]}, LossMinimum(math.inf, 0.5, math.inf, "infinity")),
    ],
)
def test_minima_at_the_ends(arguments, expected):
    found = loss_minimum([1.0], [1.0], **arguments)
    assert (found.time, found.where) == (expected.time, expected.where)
    np.testing.assert_equal(found.constant, expected.constant)
    assert found.loss == pytest.approx(expected.loss, rel=1e-14)


def test_modes_that_are_never_learned_do_not_matter_but_for_their_loss():
    without = loss_minimum([2.0, 0.1], [1.0, 0.5], l2=0.01, degree=3)
    beside = loss_minimum([2.0, 0.1, 0.0, 7.0], [1.0, 0.5, 2.0, 0.0], l2=0.01, degree=3)
    assert beside.time == pytest.approx(without.time, rel=1e-12)
    assert beside.loss == pytest.approx(without.loss + 2.0, rel=1e-12)
    assert loss_minimum([0.0], [1.0], l2=0.1, degree=2) == LossMinimum(0.0, 0.5, 0.0, "start")


def test_curves_and_kernels():
    rng = np.random.default_rng(1)
    gamma, y, f0 = 10 ** rng.uniform(-3, 2, 6), rng.standard_normal((6, 3)), rng.standard_normal((6, 3))
    times = np.array([[0.0, 0.1, 1.0], [5.0, 20.0, 300.0]])
    f = mode_solution(times[..., None, None], gamma[:, None], f0, y, l2=0.02, degree=2.5)
    curve = loss_curve(times, gamma, y, l2=0.02, degree=2.5, f0_modes=f0)
    assert curve.shape == times.shape
    np.testing.assert_allclose(curve, 0.5 * np.sum((f - y) ** 2, axis=(-2, -1)), rtol=1e-12)
    one = loss_curve(times, gamma, y, l2=0.02, degree=2.5, f0_modes=f0, threads=1)
    np.testing.assert_array_equal(one, curve)
    np.testing.assert_allclose(
        kernel_eigenvalues(times, gamma, l2=0.02, degree=2.5), gamma * np.exp(-0.06 * times)[..., None], rtol=1e-14
    )


@given(
    st.lists(st.tuples(st.floats(-3, 3), numbers.filter(bool)), min_size=1, max_size=6),
    st.floats(-3, 1.5),
    st.sampled_from([1.1, 1.5, 2, 3, 10]),
)
def test_the_l2_for_a_budget(modes, log_budget, degree):
    gamma, y = (np.array(x) for x in zip(*modes, strict=True))
    gamma, budget = 10**gamma, 10**log_budget
    assume(gamma.min() * budget < 500)
    l2 = predict_l2(gamma, y, budget=budget, degree=degree)
    assert l2 < 1.0001 * faint_constant(degree) / budget
    assert loss_minimum(gamma, y, l2=l2, degree=degree).time == pytest.approx(budget, rel=1e-9)
    curve = naive_loss(budget * np.array([0.9, 1, 1.1]), gamma, y, 0.0, l2, degree)
    assert curve[1] <= curve[[0, 2]].min() + 1e-14 * np.sum(y**2)


def test_a_root_whose_logarithm_is_0_is_found():
    """Near 0 a logarithm has digits that its exponential has not; Brent's method looks for them until it gives up."""

    def slope(log_t):
        return 1.0 if math.exp(log_t) > 1 else -1.0

    with pytest.raises(RuntimeError, match="Failed to converge"):
        root(slope, -5.0, 3.0)
    assert abs(root(slope, -5.0, 3.0, of_log=True)) < 8 * EPS
    gamma = 10**1.9375
    l2 = predict_l2([gamma], [1.0], budget=1.0, degree=1.5)
    assert loss_minimum([gamma], [1.0], l2=l2, degree=1.5).time == pytest.approx(1, rel=1e-12)


def test_the_l2_for_a_budget_from_a_start():
    gamma, y, f0 = np.array([5.0, 0.5, 0.05]), np.array([2.0, 1.0, 0.5]), np.array([0.1, -0.2, 0.3])
    l2 = predict_l2(gamma, y, budget=20, degree=2, f0_modes=f0)
    times = np.linspace(1, 100, 9901)
    assert times[np.argmin(naive_loss(times, gamma, y, f0, l2, 2))] == pytest.approx(20, abs=0.01)
    two = predict_l2(gamma, np.stack([y, 0 * y], 1), budget=20, degree=2, f0_modes=np.stack([f0, 0 * f0], 1))
    assert two == pytest.approx(l2, rel=1e-9)
    with pytest.raises(ValueError, match="stays at 0 or at infinity, or jumps"):
        predict_l2(gamma, 0 * y, budget=20, degree=2, f0_modes=f0)


def test_several_budgets_are_each_of_their_own():
    gamma, y = np.array([5.0, 0.5, 0.05]), np.array([2.0, 1.0, 0.5])
    for f0 in (None, np.array([0.1, -0.2, 0.3])):
        some = predict_l2(gamma, y, budget=[20, 3.0], degree=2, f0_modes=f0)
        alone = [predict_l2(gamma, y, budget=T, degree=2, f0_modes=f0) for T in (20, 3.0)]
        assert isinstance(alone[0], float)
        assert np.array_equal(some, alone)


def test_a_spectrum_whole_says_all_and_is_refused_where_it_does_not():
    rng = np.random.default_rng(0)
    x, y, f0 = rng.standard_normal((20, 30)), rng.standard_normal((20, 2)), rng.standard_normal((20, 2))
    rates: dict[str, Any] = {"l2": 0.1, "degree": 2}
    for start in (None, f0):
        found = spectrum(x @ x.T, y, f0=start)
        arrays = {"eigenvalues": found["eigenvalue"].values, "y_modes": found["y_mode"].values}
        if start is not None:
            arrays["f0_modes"] = found["eigenvector"].values.T @ start
        best = loss_minimum(found, **rates)
        assert best.time == pytest.approx(loss_minimum(**arrays, **rates).time, rel=1e-12)
        assert loss_curve(1.0, found, **rates) == pytest.approx(loss_curve(1.0, **arrays, **rates), rel=1e-12)
        if start is None:
            assert predict_l2(found, budget=best.time, degree=2) == pytest.approx(0.1, rel=1e-9)
    with pytest.raises(
        ValueError, match=r"spectrum must have all modes: y of norm .* outside of its 5; compute it with"
    ):
        loss_minimum(spectrum(x @ x.T, y, top=5), **rates)
    found = spectrum(x @ x.T, y)
    inside = spectrum(x @ x.T, found["eigenvector"].values[:, 0], f0=f0[:, 0], top=5)
    with pytest.raises(ValueError, match="spectrum must have all modes: f0 of norm"):
        loss_minimum(inside, **rates)
    assert loss_minimum(inside.drop_vars(["f0_mode", "f0_left_out"]), **rates).where == "interior"
    with pytest.raises(ValueError, match="spectrum must hold the modes of labels: give it y"):
        loss_minimum(spectrum(x @ x.T), **rates)
    with pytest.raises(TypeError, match="y_modes must not be given with a spectrum"):
        loss_minimum(found, y, **rates)
    with pytest.raises(TypeError, match="y_modes must be given with an array of eigenvalues"):
        loss_minimum([1.0], **rates)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"eigenvalues": [1.0, -1e-3]}, "eigenvalues must be >= 0, got -0.001"),
        ({"eigenvalues": [1.0, np.nan]}, "eigenvalues must be finite, got nan"),
        ({"eigenvalues": []}, r"eigenvalues must have the shape \(mode,\), mode >= 1, got \(0,\)"),
        ({"y_modes": [1.0]}, r"y_modes must have the shape \(2,\) or \(2, output\), got \(1,\)"),
        ({"y_modes": [0.0, 0.0]}, "y_modes must be nonzero"),
        ({"f0_modes": [[1.0, 2.0]]}, r"f0_modes must have the shape of y_modes, \(2,\), got \(1, 2\)"),
        ({"budget": 0}, "budget must be a finite number > 0, got 0"),
        ({"budget": [1.0, -2]}, "budget must be a finite number > 0, got -2"),
        ({"budget": 1e5}, "budget must be shorter: 100000 is 1e\\+05 times"),
        ({"degree": 1}, "degree must be a finite number > 1, got 1"),
        ({"threads": 0}, "threads must be an integer from 1"),
    ],
)
def test_refusals_of_predict_l2(change, message):
    good = {"eigenvalues": [1.0, 2.0], "y_modes": [1.0, 1.0], "budget": 5.0, "degree": 2}
    assert predict_l2(**good) > 0
    with pytest.raises(ValueError, match=message):
        predict_l2(**(good | change))


def test_refusals_of_curves():
    with pytest.raises(ValueError, match="l2 must be a finite number >= 0, got -1"):
        loss_minimum([1.0], [1.0], l2=-1, degree=2)
    with pytest.raises(ValueError, match="degree must be a finite number >= 0, got -2"):
        loss_curve([1.0], [1.0], [1.0], l2=1, degree=-2)
    with pytest.raises(ValueError, match="t must be >= 0, got -1"):
        loss_curve([-1.0], [1.0], [1.0], l2=1, degree=2)

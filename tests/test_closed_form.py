"""The exact flow against scipy's DOP853, mpmath's Taylor solver, its own invariants and the 2F1 clock."""

from typing import Any

import mpmath
import numpy as np
import pytest
import sympy
from flint import arb, ctx
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.integrate import solve_ivp

from linreg_dyn import closed_form, symbolic
from linreg_dyn.closed_form import balanced_time, flow
from linreg_dyn.eigenvalues import spectrum

EPS = np.finfo(float).eps
TIMES = [0.0, 1e-5, 0.01, 0.1, 0.5, 1.0, 3.0]
STARTS = [
    [0.3],
    [-2.0],
    [0.5, 2.2],
    [-0.5, 2.2],
    [0.5, 0.5],
    [-0.5, 0.5],
    [0.0, 1.0],
    [-2.0, 1.0],
    [0.5, 1.0, 1.5],
    [-0.5, 1.0, 1.5],
    [0.5, 1.0, -1.5],
    [-0.5, 0.5, 1.5],
    [-0.5, 0.5, 0.5],
    [0.0, 1.0, -2.0],
    [0.1] * 5,
    [-0.1, 0.1, 0.1, 1.0, 2.0],
    [2.0, -3.0, 0.1, 0.2],
    [1e-3, 5.0, 20.0],
    [-1e-8, 1.0, 1.0],
    [1.02] * 16,
]


def right_hand_side(_, w):
    W = np.prod(w)
    return [-2 * (W - 1) * np.prod(np.delete(w, i)) for i in range(len(w))]


def contains(ball, number):
    """Whether a ball contains an mpmath number, up to the number's own 1e-25."""
    with ctx.workprec(300):
        lower, upper = (mpmath.mpf(x.mid().str(60, radius=False)) for x in (ball.lower(), ball.upper()))
    slack = mpmath.mpf(10) ** -25 * (1 + abs(number))
    return lower - slack <= number <= upper + slack


@pytest.mark.parametrize("start", STARTS, ids=str)
def test_against_dop853(start):
    """At rtol 1e-13 the solver errs by some 1e-13 per unit of rate times time, here about 100 at most."""
    want = solve_ivp(right_hand_side, (0, 3), start, "DOP853", TIMES, rtol=1e-13, atol=1e-15).y.T
    got = flow(start, TIMES)
    np.testing.assert_allclose(got, want, rtol=1e-11, atol=1e-11)
    # something false: the flow of the loss (W - 1)^2 / 2, half as fast, is told apart
    assert abs(flow(start, np.array(TIMES) / 2) - want).max() > 1e-9


@pytest.mark.parametrize("start", [[0.5, 2.2], [-0.5, 0.5], [-0.5, 1.0, 1.5], [0.4, 0.4, -0.7, -1.0]], ids=str)
def test_balls_contain_mpmath_taylor_solutions(start):
    with mpmath.workdps(40):

        def f(_, w):
            return [-2 * (mpmath.fprod(w) - 1) * mpmath.fprod(w[:i] + w[i + 1 :]) for i in range(len(w))]

        solution = mpmath.odefun(f, 0, [mpmath.mpf(x) for x in start])
        want = solution(mpmath.mpf("0.5"))
        for precision in (53, 90, 200):
            (row,) = flow(start, [0.5], precision=precision)
            assert all(contains(ball, w) for ball, w in zip(row, want, strict=True))
            with ctx.workprec(300):
                assert not contains(row[0] + arb(10) ** -20 + row[0].rad() * 2, want[0])
        assert all(ball.rad() < arb(10) ** -50 for ball in row)


starts = st.lists(st.floats(-2, 2).filter(lambda x: abs(x) > 1e-3), min_size=1, max_size=5)


@given(starts, st.floats(1e-3, 5))
def test_invariants_and_float_rounding(start, t):
    """`w_i^2 - w_j^2` is constant in balls, and float64 is the rounding of more precise balls."""
    assume(abs(np.prod(start)) < 20)
    (row,) = flow(start, [t], precision=100)
    with ctx.workprec(100):
        for ball, w in zip(row, start, strict=True):
            change = (ball**2 - row[0] ** 2) - (arb(w) ** 2 - arb(start[0]) ** 2)
            assert change.contains(0)
        for ball, x in zip(row, flow(start, t), strict=True):
            assert abs(ball - x) <= EPS * abs(x) + 2 * ball.rad()


@given(starts, st.floats(1e-3, 1), st.floats(1e-3, 1))
def test_semigroup(start, s, t):
    """The flow for s and then for t is the flow for s + t, up to the rounding in between.

    A flow down a loss magnifies it by at most `exp(-t min eigenvalue)`, the least eigenvalue on the way.
    """
    assume(abs(np.prod(start)) < 5)
    between = flow(start, s)
    growth = np.exp(t * max(0.0, -spectrum(flow(between, np.linspace(0, t, 9))).min()))
    size = abs(between).max() + 1
    np.testing.assert_allclose(flow(between, t), flow(start, s + t), rtol=0, atol=4 * len(start) * EPS * size * growth)


@pytest.mark.parametrize("depth", [3, 4, 7])
@pytest.mark.parametrize("w", [0.5, 1.3, -0.9])
def test_quadrature_agrees_with_the_2f1(depth, w):
    """Balanced starts: the certified quadrature and the closed form of its clock, independently."""
    start = [w] + [abs(w)] * (depth - 1)
    for t in (0.01, 0.2):
        (row,) = flow(start, [t], precision=120)
        with ctx.workprec(120):
            W = arb(1)
            for x in row:
                W *= x
            clock = balanced_time(depth, float(w) * abs(w) ** (depth - 1), float(W.mid()))
        # float W and W0 are off by some ulps; the clock runs at 1/rate
        rate = 2 * depth * abs(1 - float(W.mid())) * abs(float(W.mid())) ** (2 - 2 / depth)
        assert abs(float(clock.mid()) - t) <= 8 * depth * EPS * (1 + 2 / rate)
        assert abs(float(clock.mid()) - 2 * t) > 1e-3


def test_2f1_clock_in_balls_and_in_sympy():
    for depth, W0, W in (
        (3, 0.25, 0.75),
        (5, 3.0, 1.25),
        (4, -0.5, -0.125),
        (1, 0.5, 0.75),
        (64, 0.5, 0.875),
    ):
        above = W > 1
        x = sympy.Symbol("x", real=True)
        clock = symbolic.balanced_time(depth, x, above=above)
        want = clock.subs(x, sympy.Rational(W)).evalf(40) - clock.subs(x, sympy.Rational(W0)).evalf(40)
        with mpmath.workdps(40):
            assert contains(balanced_time(depth, W0, W), mpmath.mpf(sympy.re(want)))
    assert balanced_time(3, 0.75, 0.25) < 0


@pytest.mark.parametrize("depth", [3, 4, 5, 6, 7, 12])
@pytest.mark.parametrize(("W0", "W"), [(0.3, 0.9), (0.3, 0.999), (1.5, 1.01), (3.0, 1.25), (-0.5, -2.0), (0.5, 0.25)])
def test_clock_is_the_integral_of_the_flow_also_next_to_the_minimum(depth, W0, W):
    with mpmath.workdps(40):
        clock = lambda x: 1 / (2 * depth * (1 - x) * abs(x) ** (2 - mpmath.mpf(2) / depth))  # noqa: E731
        want = mpmath.quad(clock, mpmath.linspace(W0, W, 20))
        ball = balanced_time(depth, W0, W, precision=200)
        assert contains(ball, want)
        assert ball.rad() < 1e-40
        assert not contains(ball, want * (1 + mpmath.mpf(10) ** -20))


def test_two_layers_against_sympy():
    W0, a = sympy.Symbol("W_0", real=True), sympy.Symbol("a", real=True)
    solution: Any = symbolic.flow_solution(2).rhs
    for start in ([0.5, 2.25], [-0.5, 1.0], [3.0, 1.0]):
        values = {W0: sympy.Rational(start[0] * start[1]), a: sympy.Rational(start[0] ** 2 - start[1] ** 2)}
        want = solution.subs(values | {symbolic.TIME: sympy.Rational(1, 4)}).evalf(40)
        (row,) = flow(start, [0.25], precision=128)
        with ctx.workprec(128), mpmath.workdps(40):
            assert contains(row[0] * row[1], mpmath.mpf(want))


def test_points_that_stay():
    for start in ([1.0], [2.0, 0.5], [2.0, -0.5, -1.0], [0.0, 0.0, 3.0], [0.0] * 4):
        np.testing.assert_array_equal(flow(start, [0.0, 1.0, 1e6]), [start] * 3)


def test_where_the_flow_ends():
    """A minimum if the smallest weight may change sign; if not the saddle, exponentially or slower."""
    assert flow([-0.5, 1.0, 1.5], 1e6).prod() == pytest.approx(1, abs=8 * EPS)
    assert flow([1e-4] * 3, 1e6).tolist() == [1.0, 1.0, 1.0]
    slow = flow([-0.5, 0.5, 0.5], [1e3, 1e6])
    # dr/dt = 2 (1 + |r|^3) r^2 near 0: |r| ~ 1 / (2 t)
    np.testing.assert_allclose(slow[:, 0], [-1 / 2002.0, -1 / 2e6], rtol=1e-2)
    fast = flow([-0.5, 0.5, 1.5], [1.0, 2.0, 3.0])[:, 0]
    assert np.all(fast < 0)
    size = np.sqrt(2.0)  # the third weight in the end; |r| decays at 2 * size
    assert fast[2] / fast[1] == pytest.approx(np.exp(-2 * size), rel=0.02)


def test_just_beside_a_minimum_and_at_a_crossing():
    start = [0.2, 5.0, np.nextafter(1.0, 2)]
    got = flow(start, [1e-3, 1.0])
    assert np.all(abs(got - start) <= 4 * EPS * np.array(start))
    crossing = flow([-1e-8, 1.0, 1.0], [0.4e-8, 0.6e-8])[:, 0]
    assert crossing[0] < 0 < crossing[1]


def test_shapes_and_repeated_unsorted_times():
    starts = np.random.default_rng(0).uniform(0.5, 1.5, (2, 3))
    times = np.array([[0.5, 0.1], [0.5, 0.0]])
    got = flow(starts, times)
    assert got.shape == (2, 2, 2, 3)
    np.testing.assert_array_equal(got[:, 1, 1], starts)
    np.testing.assert_array_equal(got[:, 0, 0], got[:, 1, 0])
    np.testing.assert_array_equal(got[1, 0, 1], flow(starts[1], 0.1))
    assert isinstance(flow([0.5], 0.1, precision=80)[0], arb)


@pytest.mark.parametrize(
    ("start", "times", "options", "error", "words"),
    [
        ([np.nan], 1.0, {}, ValueError, "weights0 must be finite"),
        (["a"], 1.0, {}, TypeError, "weights0 must be an array of real numbers"),
        ([], 1.0, {}, ValueError, "weights0 must have shape"),
        (0.5, 1.0, {}, ValueError, "weights0 must have shape"),
        ([0.5], -1.0, {}, ValueError, "times must be at least 0, and at least one, got -1"),
        ([0.5], [], {}, ValueError, "times must be at least 0, and at least one, got none"),
        ([0.5], np.inf, {}, ValueError, "times must be finite"),
        ([0.5], 1.0, {"precision": 1}, ValueError, "precision must be an integer >= 2, got 1"),
        ([0.5], 1.0, {"precision": 64.0}, TypeError, "precision must be"),
    ],
)
def test_bad_input(start, times, options, error, words):
    with pytest.raises(error, match=words):
        flow(start, times, **options)


@pytest.mark.parametrize("size", [1e-20, 1e-45, 1e-100, 1e-300])
def test_tiny_starts_grow_as_the_linear_flow_and_need_no_more_bits(size, monkeypatch):
    """`dw_1/dt = 2 P w_2`, `dw_2/dt = 2 P w_1` up to `size^2`, where the others have the product P = 1 or -1."""
    monkeypatch.setattr(closed_form, "_PRECISIONS", (128,))
    times = np.array([1e-3, 0.5, 1.0])
    grown, shrunk = size * np.exp(2 * times), size * np.exp(-2 * times)
    for start, want in (
        ([0.0, size, 1.0], ((grown - shrunk) / 2, (grown + shrunk) / 2, 1 + 0 * times)),
        ([size, size, 1.0], (grown, grown, 1 + 0 * times)),
        ([-size, size, 2.0, -0.5], (grown * -1, grown, 2 + 0 * times, -0.5 + 0 * times)),
        ([-size, size, 2.0, 0.5], (-shrunk, shrunk, 2 + 0 * times, 0.5 + 0 * times)),
    ):
        np.testing.assert_allclose(flow(start, times), np.transpose(want), rtol=64 * EPS, atol=0)


def test_a_tiny_start_that_grows_through_sixty_orders_of_magnitude():
    """`dr/dt = 2 (1 - r Q) Q` at `Q = r s`, so that the time is an integral over `u = log r`, by mpmath."""
    size, times = mpmath.mpf(1e-60), [60.0, 69.0, 69.5]

    def clock(u):
        r = mpmath.exp(u)
        s = mpmath.sqrt(r**2 + 1 - size**2)
        return 1 / (2 * (1 - r**2 * s) * s)

    for t, (w, same, other) in zip(times, flow([1e-60, 1e-60, 1.0], times), strict=True):
        with mpmath.workdps(40):
            u = mpmath.log(mpmath.mpf(w))
            took = mpmath.quad(clock, mpmath.linspace(mpmath.log(size), u, 40))
            assert abs(took - t) <= EPS * clock(u) + mpmath.mpf(10) ** -25
        assert w == same
        assert other == pytest.approx(np.sqrt(1 + w**2), rel=2 * EPS)


@pytest.mark.parametrize("start", [[0.5, 1.0, 1.5], [-1e20, 1e21, 1e22], [-0.5, 0.5, 2.0]])
def test_a_precision_too_low_is_given_up_at_once(start, monkeypatch):
    """The first time that is not a number ends the search at that precision."""
    calls, elapsed = [], closed_form._Clock.elapsed
    monkeypatch.setattr(closed_form._Clock, "elapsed", lambda *given: calls.append(given) or elapsed(*given))
    with pytest.raises(ArithmeticError, match="precision of 2 bits is too low"):
        flow(start, [0.1, 1.0, 2.0], precision=2)
    assert len(calls) <= 2


def test_starts_beyond_the_lowest_precision_are_settled_by_the_next():
    """What lies far above the others stays, and these are at the minimum: `w_i^2 - w_1^2` are constant."""
    got = flow([-1e20, 1e21, 1e22], [1e-3, 1.0])
    want = [1e-43 / np.sqrt(0.99 * 0.9999), 1e21 * np.sqrt(0.99), 1e22 * np.sqrt(0.9999)]
    np.testing.assert_allclose(got, [want] * 2, rtol=16 * EPS)


def test_too_little_precision_is_said():
    with pytest.raises(ArithmeticError, match="precision of 2 bits is too low"):
        flow([0.5, 1.0, 1.5], 1.0, precision=2)
    with pytest.raises(ArithmeticError, match="not settled by 1024 bits"):
        flow([1e100] * 3, 1.0)


@pytest.mark.parametrize("bad", [(3.0, 0.5, 0.6), (True, 0.5, 0.6), (3, 0.5 + 1j, 0.6), (3, "0.5", 0.6)])
def test_a_clock_of_other_types(bad):
    with pytest.raises(TypeError, match=r"depth must be an integer|W0 must be a finite number"):
        balanced_time(*bad)


def test_integers_of_numpy_are_integers():
    five: Any = np.int64(5)
    assert str(balanced_time(five, 0.5, 0.6, precision=np.int16(90))) == str(balanced_time(5, 0.5, 0.6, precision=90))
    assert str(flow([0.5, 1, 2], 1, precision=np.int16(90))) == str(flow([0.5, 1, 2], 1, precision=90))


@pytest.mark.parametrize(
    ("depth", "W0", "W"), [(2, 0.5, 0.6), (0, 0.5, 0.6), (3, 0.5, 1.5), (3, -0.5, 0.5), (3, 1.0, 1.0)]
)
def test_bad_clock(depth, W0, W):
    with pytest.raises(ValueError, match="must"):
        balanced_time(depth, W0, W)

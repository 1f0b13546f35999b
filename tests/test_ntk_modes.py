"""Modes in closed form: against eq. 3 by mpmath, against balls on the whole grid, their ODE, their limits."""

import itertools
from fractions import Fraction

import mpmath
import numpy as np
import pytest
from flint import arb, ctx
from hypothesis import assume, given
from hypothesis import strategies as st

from linreg_dyn.ntk import mode_enclosure, mode_solution, mode_weights
from linreg_dyn.ntk.mode_enclosures import weights_enclosure
from tests.mode_oracles import eq_3, mpmath_weights

EPS = np.finfo(float).eps
TINY = np.finfo(float).tiny
RATIOS = 10.0 ** np.arange(-10, 11)
DEGREES = (1.0, 1.5, 2.0, 2.5, 3.0, 5.0, 10.0, 50.0)
NEAR = (1 + 1e-15, 1 + 1e-9, 1 + 1e-3, 4 / 3, 2 - 1e-9, 2 + 1e-9)
BELOW = (0.0, 1e-9, 0.5, 1 - 1e-3, 1 - 1e-9)
TIMES = 10.0 ** np.arange(-8, 5)
GRID = list(itertools.product(RATIOS, DEGREES, TIMES))


def bound(E, degree, s):
    """The relative error promised for a weight."""
    return (10 + 5 * np.minimum(E, 745)) * EPS * (1 + 2 * np.maximum(1 - degree, 0) * s)


def relative(got, want):
    """Relative error of a float against a ball, as a float; 0 where the truth is hardly a normal number."""
    if want < 2 * TINY:
        return 0.0 if got <= 3 * TINY else np.inf
    return float((abs(got - want) / want).upper())


def excess(weights, ratio, degree, s):
    """Errors of `weights(t, eigenvalue, l2=, degree=)`, as the largest fraction of `bound`."""
    A, B = weights_enclosure(s, ratio, l2=1.0, degree=degree, precision=70)
    E = float((-A.log()).mid())
    got = weights(s, ratio, l2=1.0, degree=degree)
    return max(relative(x, ball) for x, ball in zip(got, (A, B), strict=True)) / bound(E, degree, s)


def drawn(seed, count):
    """Some points of the grid, of which every tenth has no particular numbers."""
    rng = np.random.default_rng(seed)
    points = [GRID[i] for i in rng.choice(len(GRID), count, replace=False)]
    odd = [(10 ** rng.uniform(-10, 10), rng.uniform(1, 4), 10 ** rng.uniform(-8, 2)) for _ in range(count // 10)]
    return points + odd


@pytest.mark.parametrize(("ratio", "degree", "s"), drawn(0, 60))
def test_against_eq_3_by_mpmath(ratio, degree, s):
    """Both numbers and balls, with any start and label: relative to max(|f0|, |y|) e^(-k l2 t), or to the value."""
    rng = np.random.default_rng([int(10 * degree), int(1e9 * s)])
    f0, y, l2 = rng.normal(), rng.normal(), 10.0 ** rng.integers(-3, 3)
    t, gamma = s / l2, ratio * l2
    with mpmath.workdps(50):
        left, reached = mpmath_weights(t, gamma, l2, degree)
        want = left * f0 + reached * y
        scale = max(max(abs(f0), abs(y)) * mpmath.exp(-mpmath.mpf(degree) * l2 * t), abs(want), TINY * 1e4)
        assert abs(mode_solution(t, gamma, f0, y, l2=l2, degree=degree) - want) <= mpmath.mpf("1e-12") * scale
        ball = mode_enclosure(t, gamma, f0, y, l2=l2, degree=degree, precision=200)
        middle, radius = (mpmath.mpf(x.str(80, radius=False)) for x in (ball.mid(), ball.rad()))
        slack = mpmath.mpf("1e-40") * (abs(left * f0) + abs(reached * y))
        assert abs(middle - want) <= radius + slack
        assert radius <= slack
        with ctx.workprec(200):  # something false: the degree is off in its 30th digit
            wrong = weights_enclosure(t, gamma, l2=l2, degree=degree + 1e-10, precision=200)
            right = weights_enclosure(t, gamma, l2=l2, degree=degree, precision=200)
            assert not (wrong[0].overlaps(right[0]) and wrong[1].overlaps(right[1]))


@pytest.mark.parametrize(
    ("ratio", "degree", "s"), [(3.0, 2.0, 0.7), (0.2, 3.0, 2.0), (40.0, 1.5, 0.3), (5.0, 2.5, 4.0)]
)
def test_the_oracle_is_eq_3_as_printed(ratio, degree, s):
    with mpmath.workdps(30):
        left, reached = mpmath_weights(s, ratio, 1.0, degree)
        for f0, y in ((1, 0), (0, 1), (0.3, -2)):
            want = eq_3(s, ratio, f0, y, 1.0, degree)
            assert mpmath.almosteq(left * f0 + reached * y, want, rel_eps=mpmath.mpf("1e-25"))


@pytest.mark.parametrize("degree", [*DEGREES, *NEAR, *BELOW])
def test_weights_on_the_whole_grid(degree):
    assert max(excess(mode_weights, ratio, degree, s) for ratio in RATIOS[::2] for s in TIMES) <= 1


def test_wrong_weights_are_told_apart():
    """What the check above must see: another degree by 1e-12, and eq. 3 without the decay of the outputs."""

    def nearby(t, gamma, *, l2, degree):
        return mode_weights(t, gamma, l2=l2, degree=degree + 1e-12)

    def lasting(t, gamma, *, l2, degree):
        left, reached = mode_weights(t, gamma, l2=l2, degree=degree)
        return left * np.exp(degree * l2 * t), reached

    assert excess(nearby, 10.0, 2.0, 0.5) > 1
    assert excess(lasting, 10.0, 2.0, 1e-8) > 1


positive = st.floats(-3, 3).map(lambda x: 10.0**x)
degrees = st.one_of(st.sampled_from((*DEGREES, *NEAR, *BELOW)), st.floats(0, 6))


@given(positive, positive, positive, degrees)
def test_it_solves_the_ode(t, gamma, l2, degree):
    """A central difference over 2 h errs by some h^2 rate^3, for the fastest rate there; h is 2^-80 of 1 / rate."""
    assume((1 - degree) * l2 * t < 20)
    with ctx.workprec(300):
        kernel = arb(gamma) * (-2 * (arb(degree) - 1) * arb(l2) * arb(t)).exp()
        rate = kernel + 3 * (degree + 1) * arb(l2) + 1 / arb(t)
        h = Fraction(1, 2**80 * int(rate.upper().ceil().unique_fmpz()))
        before, now, after = (
            mode_enclosure(Fraction(t) + j * h, gamma, 0.75, -1.5, l2=l2, degree=degree, precision=300)
            for j in (-1, 0, 1)
        )
        slope = (after - before) * h.denominator / 2
        force = -kernel * (now + 1.5) - arb(degree) * arb(l2) * now
        assert abs(slope - force) <= arb(2) ** -140 * rate
        wrong = -kernel * (now + 1.5) - arb(degree + 1e-9) * arb(l2) * now
        assert not abs(slope - wrong) <= arb(2) ** -140 * rate or abs(now) * l2 < arb(2) ** -100 * rate


@given(positive, positive, positive, positive, degrees)
def test_stretches_of_time_compose(t1, t2, gamma, l2, degree):
    """t1 and then t2 with the kernel of then; a relative error of the exponents is one of E times that of weights."""
    assume((1 - degree) * l2 * (t1 + t2) < 20)
    whole = t1 + t2
    fall = 2 * (degree - 1) * l2 * t1
    later = mode_weights(t2, gamma * np.exp(-fall), l2=l2, degree=degree)
    first, both = (mode_weights(t, gamma, l2=l2, degree=degree) for t in (t1, whole))
    assume(both[0] > 1e-250)
    E = -np.log(both[0])
    rtol = (30 + (20 + 5 * abs(fall)) * E) * EPS
    assert later[0] * first[0] == pytest.approx(both[0], rel=rtol)
    assert later[1] + later[0] * first[1] == pytest.approx(both[1], rel=rtol + 5 * abs(fall) * EPS)


@given(positive, positive, positive, degrees, st.floats(-3, 3), st.floats(0, 3), st.floats(-3, 3))
def test_start_order_and_range(t, gamma, l2, degree, f0, more, y):
    def f(t, start):
        return mode_solution(t, gamma, start, y, l2=l2, degree=degree)

    assert f(0, f0) == f0
    assert f(t, f0) <= f(t, f0 + more)
    assert abs(f(t, f0)) <= max(abs(f0), abs(y)) * (1 + 4 * EPS)
    if degree > 1:
        assert f(np.inf, f0) == 0


@given(positive, positive, positive)
def test_limits(t, gamma, l2):
    ridge = (gamma + l2) * t
    wanted = {
        (l2, 1.0): (np.exp(-ridge), -np.expm1(-ridge) * gamma / (gamma + l2)),
        (0.0, 2.0): (np.exp(-gamma * t), -np.expm1(-gamma * t)),
        (0.0, 50.0): (np.exp(-gamma * t), -np.expm1(-gamma * t)),
    }
    work = gamma * np.expm1(2 * l2 * t) / (2 * l2) if l2 * t < 300 else np.inf
    wanted[l2, 0.0] = (np.exp(-work), -np.expm1(-work))
    for (decay, degree), want in wanted.items():
        got = mode_weights(t, gamma, l2=decay, degree=degree)
        E = min(745, (gamma + decay) * t if degree else work)
        np.testing.assert_allclose(got, want, rtol=(10 + 10 * E) * (1 + 2 * l2 * t * (degree == 0)) * EPS, atol=TINY)


def test_it_is_continuous_where_it_has_limits():
    """f is smooth in degree and l2; next to a limit it differs by the distance times its slope, at most E or so."""
    t, gamma = np.geomspace(1e-3, 1e3, 13)[:, np.newaxis], np.geomspace(1e-3, 1e3, 13)
    E = (gamma + 1) * t
    for degree in (1.0, 2.0):
        near = degree + np.array([-1e-9, -1e-12, 1e-12, 1e-9])[:, np.newaxis, np.newaxis]
        limit = np.array(mode_weights(t, gamma, l2=1.0, degree=degree))[:, np.newaxis]
        change = np.abs(mode_weights(t, gamma, l2=1.0, degree=near) - limit)
        assert np.all(change <= np.abs(near - degree) * 4 * (1 + E * t) + 1e-12)
    for l2 in (1e-18, 1e-300):
        some = mode_weights(t, gamma, l2=l2, degree=3.0)
        none = mode_weights(t, gamma, l2=0.0, degree=3.0)
        np.testing.assert_allclose(some, none, rtol=1e-12, atol=TINY)


def test_modes_decay_in_the_end_from_degree_2_on_and_ridge_remains():
    late = {"t": 1e4, "eigenvalue": RATIOS, "f0": 1.0, "y": 1.0, "l2": 1.0}
    assert np.all(mode_solution(**late, degree=2.0) < 1e-300)
    assert np.all(mode_solution(**late, degree=5.0) < 1e-300)
    np.testing.assert_allclose(mode_solution(**late, degree=1.0), RATIOS / (RATIOS + 1), rtol=4 * EPS)


def test_nothing_finite_gives_nan_or_leaves_its_range():
    rng = np.random.default_rng(3)
    count = 100_000
    t, gamma, l2 = (10.0 ** rng.uniform(-320, 308, (3, count))) * (rng.random((3, count)) > 0.05)
    for degree in (*DEGREES, *NEAR, *BELOW, 1e300):
        left, reached = mode_weights(t, gamma, l2=l2, degree=degree)
        for weight in (left, reached, left + reached):
            assert np.all((weight >= 0) & (weight <= 1 + 4 * EPS))


def test_shapes_threads_and_kinds_of_number():
    t, gamma = np.geomspace(1e-3, 1e3, 40)[:, np.newaxis], np.geomspace(1e-4, 1e4, 900)
    degree = np.array([1.0, 2.0, 0.5])[:, np.newaxis, np.newaxis]
    A, B = mode_weights(t, gamma, l2=0.1, degree=degree, threads=1)
    assert A.shape == B.shape == (3, 40, 900)
    for threads in (2, 3):
        np.testing.assert_array_equal(mode_weights(t, gamma, l2=0.1, degree=degree, threads=threads), (A, B))
    for i, j, n in ((0, 0, 0), (1, 20, 300), (2, 39, 899)):
        one = mode_weights(t[j, 0], gamma[n], l2=0.1, degree=degree[i, 0, 0])
        assert one == (A[i, j, n], B[i, j, n])
    np.testing.assert_array_equal(
        mode_weights(t.T[:, ::-2], 1, l2=0.1, degree=2)[0], mode_weights(t[::-2, 0], 1, l2=0.1, degree=2)[0][np.newaxis]
    )
    f = mode_solution(t, gamma, np.ones(900), [[2]], l2=0.1, degree=1)
    np.testing.assert_array_equal(f, A[0] + 2 * B[0])
    assert isinstance(mode_solution(1, 2, 3, 4, l2=5, degree=6), float)
    assert mode_solution([], 1.0, 0.0, 1.0, l2=0.1, degree=2).shape == (0,)
    balls = mode_enclosure([1.0, 2.0], Fraction(1, 3), 0, 1, l2=1, degree=[[2], [3]])
    assert balls.shape == (2, 2)
    assert abs(balls[1, 0] - mode_solution(1.0, 1 / 3, 0, 1, l2=1, degree=3)) < 1e-15


GOOD = {"t": 1.0, "eigenvalue": 1.0, "f0": 0.0, "y": 1.0, "l2": 0.1, "degree": 2.0}


@pytest.mark.parametrize("solution", [mode_solution, mode_enclosure])
@pytest.mark.parametrize(
    ("bad", "kind", "message"),
    [
        ({"t": -1.0}, ValueError, "t must be at least 0, got -1"),
        ({"eigenvalue": [1.0, -0.5]}, ValueError, "eigenvalue must be at least 0, got -0.5"),
        ({"l2": -1e-3}, ValueError, "l2 must be at least 0, got -0.001"),
        ({"degree": -1}, ValueError, "degree must be at least 0, got -1"),
        ({"f0": np.nan}, ValueError, "f0 must be .*finite.* got nan"),
        ({"y": np.inf}, ValueError, "y must be .*finite.* got inf"),
        ({"t": np.nan}, ValueError, "t must be .* got nan"),
        ({"l2": "much"}, TypeError, "l2 must be .*real number"),
        ({"eigenvalue": 1j}, TypeError, "eigenvalue must be .*real number"),
        ({"degree": None}, TypeError, "degree must be .*real number"),
        ({"f0": [1.0, 2.0], "y": [1.0, 2.0, 3.0]}, ValueError, r"broadcast.*f0 \(2,\), y \(3,\)"),
    ],
)
def test_bad_input_is_one_clear_line(solution, bad, kind, message):
    with pytest.raises(kind, match=message) as caught:
        solution(**(GOOD | bad))
    assert "\n" not in str(caught.value)


def test_negative_eigenvalues_are_told_how_far_off_they_are():
    with pytest.raises(ValueError, match=r"got -1, the least of 1 negative out of 1 \(the largest is -1\)"):
        mode_solution(1.0, -1.0, 0.0, 1.0, l2=0.1, degree=2)
    with pytest.raises(ValueError, match=r"got -1e-14, the least of 2 negative out of 4 \(the largest is 3\)"):
        mode_solution(1.0, [3.0, 0.0, -1e-15, -1e-14], 0.0, 1.0, l2=0.1, degree=2)


def test_what_the_solutions_do_not_share():
    with pytest.raises(ValueError, match="degree must be at most 1e\\+300"):
        mode_solution(**(GOOD | {"degree": 1e301}))
    with pytest.raises(ValueError, match="t must be a finite real number, got inf"):
        mode_enclosure(**(GOOD | {"t": np.inf}))
    with pytest.raises(ValueError, match="precision must be an integer from 2"):
        mode_enclosure(**GOOD, precision=1)
    with pytest.raises(ArithmeticError, match="beyond 1e15"):
        mode_enclosure(**(GOOD | {"t": 1e18}))
    with pytest.raises(ArithmeticError, match="beyond 1e15"):
        mode_enclosure(**(GOOD | {"t": 1e300, "l2": 1e300}))
    assert mode_enclosure(**(GOOD | {"eigenvalue": 1e300, "l2": 1e-300})).contains(1)

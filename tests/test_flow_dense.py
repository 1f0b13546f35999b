"""The pair of order 8(5, 3) and its interpolant: order conditions, orders as measured, errors and tolerances."""

from itertools import combinations_with_replacement
from math import prod

import numpy as np
import pytest
from numba import njit

import linreg_dyn as ld
from linreg_dyn import closed_form
from linreg_dyn.ensemble import _dop853, _runge_kutta

STAGES = 16
EPS = np.finfo(float).eps


def dense_row(row):
    out = np.zeros(STAGES)
    out[list(row)] = list(row.values())
    return out


A = np.array([dense_row(row) for row in _dop853.A])
B = A[_dop853.STAGES]


def trees(order):
    """All rooted trees with so many vertices, each the sorted tuple of its branches."""
    if order == 1:
        return [()]
    found = set()
    for parts in partitions(order - 1, order - 1):
        found |= {tuple(sorted(branches)) for branches in forests(parts)}
    return sorted(found)


def partitions(n, largest):
    if n == 0:
        return [()]
    return [(k, *rest) for k in range(min(n, largest), 0, -1) for rest in partitions(n - k, k)]


def forests(parts):
    if not parts:
        return [()]
    same = parts.count(parts[0])
    heads = combinations_with_replacement(trees(parts[0]), same)
    rest = forests(parts[same:])
    return [head + tail for head in heads for tail in rest]


def size(tree):
    return 1 + sum(size(branch) for branch in tree)


def density(tree):
    return size(tree) * prod(density(branch) for branch in tree)


def weight(tree, A):
    """The elementary weight of a tree at each stage."""
    return prod((A @ weight(branch, A) for branch in tree), start=np.ones(STAGES))


def breaches(b, order, theta, A=A):
    """What is left of the order conditions of so many vertices, `b . phi(tree) - theta^order / gamma(tree)`."""
    return np.array([b @ weight(tree, A) - theta**order / density(tree) for tree in trees(order)])


def worst(b, order, theta=1.0):
    """The largest breach, and what rounding explains of it.

    That is 20 times the largest change when every coefficient is moved at random by up to two roundings.
    """
    rng = np.random.default_rng(order)
    found, allowed = breaches(b, order, theta), 0.0
    for _ in range(5):
        moved_b, moved_A = (x * (1 + EPS * rng.uniform(-1, 1, x.shape)) for x in (b, A))
        allowed = max(allowed, 20 * np.abs(breaches(moved_b, order, theta, moved_A) - found).max())
    return np.abs(found).max(), allowed


def test_numbers_of_rooted_trees():
    assert [len(trees(n)) for n in range(1, 9)] == [1, 1, 2, 4, 9, 20, 48, 115]


@pytest.mark.parametrize(
    ("b", "order"), [(B, 8), (B - dense_row(_dop853.ERROR_5), 5), (B - dense_row(_dop853.ERROR_3), 3)]
)
def test_solutions_meet_the_conditions_of_their_order_and_no_more(b, order):
    for n in range(1, order + 1):
        breach, allowed = worst(b, n)
        assert breach <= allowed
    breach, allowed = worst(b, order + 1)
    assert breach > 1000 * allowed


def interpolant(theta):
    """The weights of the stages in the interpolant, read off `between` with one stage after the other."""
    compiled = njit(_runge_kutta.between)
    out = np.empty(STAGES)
    for stage in range(STAGES):
        block = _runge_kutta.new_block(1, 1)
        block.flat[:] = 0.0
        block.flat[stage] = 1.0
        first, last = float(stage == 0), float(stage == _dop853.STAGES)
        change = B[stage]
        dense = [change, first - change, 2 * change - first - last]
        dense += [row.get(stage, 0.0) for row in _dop853.DENSE]
        block.flat[_runge_kutta.POLYNOMIAL : _runge_kutta.POLYNOMIAL + 7, 0] = dense
        out[stage] = compiled(block.flat, theta, 0)
    return out


@pytest.mark.parametrize("theta", [0.1, 0.5, 0.9])
def test_interpolant_meets_the_conditions_of_order_7_and_no_more(theta):
    b = interpolant(theta)
    for n in range(1, 8):
        breach, allowed = worst(b, n, theta)
        assert breach <= allowed
    breach, allowed = worst(b, 8, theta)
    assert breach > 1000 * allowed


@njit
def one_step(block, part):
    """A step of the block; the weights at its end, and at a part of it."""
    _runge_kutta.attempt(block, 0.0, 1e-10, 1e-12)
    _runge_kutta.interpolate(block, 0.0)
    inside = np.array([_runge_kutta.between(block.flat, part, x) for x in range(block.flat.shape[1])])
    return block.flat[_runge_kutta.END].copy(), inside


def test_local_errors_are_of_order_9_at_the_end_and_8_between():
    """One step of length h from one start, for several h at once, each in a lane; slopes by a log-log fit."""
    start, lengths = np.array([0.6, 1.4, 0.8]), np.geomspace(0.08, 0.16, 6)
    block = _runge_kutta.new_block(3, len(lengths))
    block.rows[_runge_kutta.START] = start[:, np.newaxis]
    block.step[:] = lengths
    end, inside = (values.reshape(3, -1).T for values in one_step(block, 0.4))
    for values, times, order in ((end, lengths, 9), (inside, 0.4 * lengths, 8)):
        error = np.abs(values - closed_form.flow(start, times)).max(axis=1)
        assert error.min() > 100 * EPS  # or it would be rounding that is fitted
        slope = np.polyfit(np.log(lengths), np.log(error), 1)[0]
        assert abs(slope - order) < 0.5


STARTS = np.random.default_rng(5).uniform(0.6, 1.4, (12, 4))
TIMES = np.linspace(0.0, 2.0, 41)


def errors(rtol, times):
    ds = ld.flow(STARTS, ld.GradientDescent(), times=times, rtol=rtol, atol=rtol)
    exact = closed_form.flow(STARTS, times).swapaxes(0, 1)
    return np.abs(ds.weights.values - exact), ds.integrator_steps.values


def test_errors_follow_the_tolerance_and_times_take_no_steps():
    """A decade of tolerance is a decade of error, within a factor 2 a decade; steps grow by 10^(1/8) a decade."""
    tolerances = np.array([1e-6, 1e-8, 1e-10, 1e-12])
    worst_error, steps = np.empty(4), np.empty(4)
    for k, rtol in enumerate(tolerances):
        error, taken = errors(rtol, TIMES)
        worst_error[k], steps[k] = error.max(), taken.mean()
        end, same = errors(rtol, TIMES[-1:])
        np.testing.assert_array_equal(taken, same)
        np.testing.assert_array_equal(error[-1], end[0])
    slope = np.polyfit(np.log10(tolerances), np.log10(worst_error), 1)[0]
    assert abs(slope - 1) < np.log10(2)
    assert (worst_error < 100 * tolerances).all()
    growth = np.polyfit(np.log10(tolerances), np.log10(steps), 1)[0]
    assert -0.2 < growth < -0.05


def test_between_steps_it_is_nearly_as_good_as_at_their_ends():
    """The interpolant is one order below the steps: its largest errors here are some 20 times theirs."""
    dense, _ = errors(1e-10, np.linspace(0.0, 2.0, 401))
    ends = [errors(1e-10, [stop])[0].max() for stop in np.linspace(0.1, 2.0, 20)]  # its last step ends there
    assert 4 * max(ends) < dense.max() < 40 * max(ends)
    assert dense.max() < 20 * 1e-10

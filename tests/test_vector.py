"""Vectors of lanes against numpy, lane by lane and bit by bit."""

import ctypes

import numpy as np
import pytest
from numba import float32, float64, njit

from linreg_dyn import arithmetic, observables, rules
from linreg_dyn.ensemble import _blocks, _lanewise, _vector  # registers the plain functions
from tests.naive import FMA, rounded_rules

WIDTH, PARTS = 4, 3
LANES = WIDTH * PARTS
VIEW = {length: _vector.view(WIDTH, PARTS, length) for length in (1, 2, 3, 5)}
EDGES = [0.0, -0.0, 1.0, -2.5, 1e300, -1e-310, np.inf, -np.inf, np.nan, 3.0, 7.0, 1e-5]


def numbers(rows, dtype="float64", seed=0):
    values = np.random.default_rng(seed).normal(size=(rows, LANES))
    return values.astype(dtype)


def on_vectors(function, *operands, result=None):
    """`function` of one-vector blocks, compiled; the result in an array like `result` (like the first operand)."""
    out = np.empty((1, LANES), operands[0].dtype if result is None else result)
    view = VIEW[1]
    if len(operands) == 1:

        @njit(error_model="numpy")
        def run(out, a):
            view(out, 0)[0] = function(view(a, 0)[0])

    else:

        @njit(error_model="numpy")
        def run(out, a, b):
            view(out, 0)[0] = function(view(a, 0)[0], view(b, 0)[0])

    run(out, *operands)
    return out[0]


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_arithmetic_is_numpys(dtype):
    number = np.dtype(dtype).type
    with np.errstate(all="ignore"):
        for a in (numbers(1, dtype), np.array([EDGES]).astype(dtype)):
            b = numbers(1, dtype, seed=1)
            combined = njit(lambda a, b: (a + b) * a - b / (2 * a) - 0.1 * b)
            expected = (a + b) * a - b / (number(2) * a) - number(0.1) * b
            np.testing.assert_array_equal(on_vectors(combined, a, b), expected[0])
            np.testing.assert_array_equal(on_vectors(njit(lambda a: 1 - -a), a), (1 + a)[0])


def test_integers_wrap_mask_and_shift():
    a, b = np.random.default_rng(2).integers(-(2**62), 2**62, (2, 1, LANES))
    mixed = njit(lambda a, b: ((a * b) >> 7) ^ (a & 0xFFFF) | (b << 3) - a)
    with np.errstate(over="ignore"):
        expected = ((a * b) >> 7) ^ (a & 0xFFFF) | (b << 3) - a
    np.testing.assert_array_equal(on_vectors(mixed, a, b), expected[0])
    halves = on_vectors(njit(lambda a: (2 * a + 1) * 2.0**-63), a // 2, result="float64")
    np.testing.assert_array_equal(halves, ((2 * (a // 2) + 1) * 2.0**-63)[0])


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_fused_rounds_once_and_products_do_not_fuse(dtype):
    """With operands whose product has more digits than fit, the two differ."""
    a, b = numbers(1, dtype), numbers(1, dtype, seed=1)
    fused = on_vectors(njit(lambda a, b: arithmetic.fused(a, b, -1)), a, b)
    expected = [FMA[dtype](x, y, -1.0) for x, y in zip(a[0].tolist(), b[0].tolist(), strict=True)]
    np.testing.assert_array_equal(fused, np.array(expected, dtype))
    apart = on_vectors(njit(lambda a, b: a * b - 1), a, b)
    np.testing.assert_array_equal(apart, (a * b - np.dtype(dtype).type(1))[0])
    assert (apart != fused).any()
    assert FMA[dtype].restype in (ctypes.c_double, ctypes.c_float)


def test_choices_are_made_lane_by_lane():
    a, b = np.array([EDGES]), numbers(1)
    plain = {
        arithmetic.larger: lambda x, y: y if y > x else x,
        arithmetic.smaller: lambda x, y: y if y < x else x,
    }
    for function, reference in plain.items():
        got = on_vectors(njit(lambda a, b, function=function: function(a, b)), a, b)
        with np.errstate(all="ignore"):
            expected = [reference(x, y) for x, y in zip(a[0], b[0], strict=True)]
        np.testing.assert_array_equal(got, expected)
    np.testing.assert_array_equal(on_vectors(njit(lambda a: arithmetic.magnitude(a)), a), np.abs(a)[0])
    above, below = np.abs(numbers(1, seed=5)), np.abs(numbers(1, seed=6))
    above[0, 3], below[0, 3:6] = 0.0, [0.0, 1e-310, np.nan]
    expected = [arithmetic.ratio(x, y) for x, y in zip(above[0].tolist(), below[0].tolist(), strict=True)]
    np.testing.assert_array_equal(on_vectors(njit(lambda a, b: arithmetic.ratio(a, b)), above, below), expected)
    np.testing.assert_array_equal(on_vectors(njit(lambda a: arithmetic.one(a)), a), np.ones(LANES))
    marks, view = np.arange(LANES)[np.newaxis] % 3, VIEW[1]

    @njit
    def pick(out, marks, a):
        view(out, 0)[0] = _lanewise.where(view(marks, 0)[0], 1, view(a, 0)[0], -7)

    out = np.empty_like(a)
    pick(out, marks, a)
    np.testing.assert_array_equal(out, np.where(marks == 1, a, -7))


@pytest.mark.parametrize("place", range(LANES))
def test_one_lane_above_the_limit_or_no_number_is_enough(place):
    view = VIEW[1]
    exceeds = njit(lambda a: _lanewise.exceeds(view(a, 0)[0], 2.0))
    a = np.full((1, LANES), 2.0)
    assert not exceeds(a)
    for bad in (np.nextafter(2.0, 3), np.inf, np.nan):
        a[0, place] = bad
        assert exceeds(a)
    a[0, place] = -np.inf
    assert not exceeds(a)


def test_folds_take_every_lane_once():
    view, a = VIEW[1], numbers(1)
    total = njit(lambda a: _lanewise.total(view(a, 0)[0]))
    least, greatest = njit(lambda a: _lanewise.least(view(a, 0)[0])), njit(lambda a: _lanewise.greatest(view(a, 0)[0]))
    for shift in range(LANES):
        rolled = np.roll(a, shift, axis=1)
        assert abs(total(rolled) - a.sum()) <= LANES * 2.0**-52 * np.abs(a).sum()
        assert (least(rolled), greatest(rolled)) == (a.min(), a.max())
    assert total(2.0 ** np.arange(LANES)[np.newaxis]) == 2.0**LANES - 1


def test_a_table_is_read_at_every_lane():
    view, table = VIEW[1], np.random.default_rng(3).normal(size=50)
    index = np.random.default_rng(4).integers(0, 50, (1, LANES))

    @njit
    def read(out, table, index):
        view(out, 0)[0] = table[view(index, 0)[0]]

    out = np.empty((1, LANES))
    read(out, table, index)
    np.testing.assert_array_equal(out, table[index])


@pytest.mark.parametrize(("dtype", "kind"), [("float64", float64), ("float32", float32)])
@pytest.mark.parametrize("depth", [1, 2, 3, 5])
def test_the_rules_and_observables_run_on_blocks_as_they_are(depth, dtype, kind):
    """A block on the stack, moved by `move_all`, against the plain functions at each lane."""
    new, view, row = _vector.local(kind, WIDTH, PARTS, depth), VIEW[depth], VIEW[2]

    @njit(error_model="numpy")
    def run(weights, prefixes, out):
        w, p = new(), new()
        _blocks.copy(view(weights, 0), w)
        W = rules.fill_prefixes(w, p)
        rules.move_all(w, p, rules.pull(rules.gradient_descent(W), 0.125), 0.75)
        _blocks.copy(w, view(weights, 0))
        row(out, 0)[0] = observables.layer_imbalance(w)
        row(out, 0)[1] = W

    before = numbers(depth, dtype)[np.newaxis]
    after, out = before.copy(), np.empty((1, 2, LANES), dtype)
    run(after, np.empty_like(after), out)
    plain, number = rounded_rules(dtype), np.dtype(dtype).type
    for lane in range(LANES):
        w = list(before[0, :, lane])
        W = plain.end_to_end(w)
        new_w, prefixes = list(w), [w[0]] * depth
        plain.fill_prefixes(w, prefixes)
        plain.move_all(new_w, prefixes, plain.pull(W - number(1), number(0.125)), number(0.75))
        np.testing.assert_array_equal(after[0, :, lane], new_w)
        np.testing.assert_array_equal(out[0, :, lane], [observables.layer_imbalance(new_w), W])


def test_memory_is_aligned():
    for shape in ((3, 5, 7), (1,)):
        array = _vector.aligned(shape, "float32")
        assert (array.shape, array.dtype, array.ctypes.data % 64) == (shape, "float32", 0)

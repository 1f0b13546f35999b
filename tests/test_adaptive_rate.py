"""The adaptive rate: against exact rationals, of arrays, and in ensembles whose products of weights leave the dtype."""

from fractions import Fraction

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

import linreg_dyn as ld
from linreg_dyn import schedules
from linreg_dyn.rules import end_to_end
from linreg_dyn.schedules import Adaptive, Constant, Exponential
from linreg_dyn.schedules.rates import LOW, inverse_sum
from tests import naive
from tests.test_simulate import DATA

nonzero = st.floats(min_value=1e-3, max_value=1e3).flatmap(lambda x: st.sampled_from([x, -x]))
ADAPTIVE = Adaptive(0.1)
HALVES = Exponential(1, factor=0.5)


@given(st.lists(nonzero, min_size=1, max_size=12), st.floats(min_value=0.01, max_value=2))
def test_adaptive_rate_is_c_over_the_sum_of_inverse_squares(weights, c):
    """W has d roundings and enters twice, so do the products; squares, d additions and 3 operations more."""
    exact = Fraction(c) / sum(1 / Fraction(w) ** 2 for w in weights)
    allowed = (5 * len(weights) + 5) * 2.0**-53 * 1.01
    assert abs(Fraction(Adaptive(c).rate(weights)) / exact - 1) <= allowed
    assert abs(Fraction(Adaptive(1.01 * c).rate(weights)) / exact - 1) > allowed
    assert Constant(c).rate(weights) == c
    assert Adaptive(c * HALVES).rate(weights, 3) == Adaptive(c / 8).rate(weights)


def test_adaptive_rate_is_exact_for_rationals():
    weights = [Fraction(2, 3), Fraction(-5), Fraction(7, 4)]
    exact = 1 / sum(1 / w**2 for w in weights)
    assert schedules.adaptive_rate(1, weights, end_to_end(weights), schedules.squared_products(weights)) == exact
    assert inverse_sum(weights) == exact


@pytest.mark.parametrize("weights", [[0.0], [0.0, 2.0], [0.0, 0.0, 1.0], [0.0, 0.0, 0.0]])
def test_adaptive_rate_is_zero_at_a_zero_weight(weights):
    """Depth 1 included: 1 / (1/w^2) = w^2."""
    assert Adaptive(0.25).rate(weights) == 0


@pytest.mark.parametrize("shape", [(3,), (1, 3), (2, 4, 3)])
def test_the_adaptive_rate_of_arrays_is_that_of_each_net(shape):
    weights = np.random.default_rng(0).lognormal(size=shape)
    rates = Adaptive(0.25).rate(weights)
    np.testing.assert_allclose(rates, 0.25 / (1 / weights**2).sum(-1), rtol=40 * np.finfo(float).eps)
    assert np.shape(rates) == shape[:-1]


@pytest.mark.parametrize("weights", [[1e-3] * 200, [1e100] * 5, [0.1] * 400, [1e-90, 1e-80, 3.0]])
def test_the_adaptive_rate_outlives_its_products(weights):
    exact = 1 / sum(1 / Fraction(w) ** 2 for w in weights)
    assert abs(Fraction(Adaptive(1).rate(weights)) / exact - 1) <= (len(weights) + 8) * 2.0**-53


@pytest.mark.parametrize("weights", [[], 1.0, [["a"]], [[1.0], [1.0, 2.0]]])
def test_the_adaptive_rate_refuses_what_is_no_net(weights):
    with pytest.raises((TypeError, ValueError), match="weights must"):
        Adaptive(1).rate(weights)


def test_a_zero_weight_stalls_the_adaptive_rate_only():
    initial = [[0.0, 2.0], [0.5, 2.0], [0.0, 0.0], [1e200, 1e-200]]
    ds = ld.simulate(initial, ld.GradientDescent(), steps=5, learning_rate=ADAPTIVE, weight_decay=0.1)
    assert ds.status.values.tolist() == [2, 0, 2, 2]
    np.testing.assert_array_equal(ds.final_weights[[0, 2, 3]], np.array(initial)[[0, 2, 3]])
    ds = ld.simulate(initial, ld.GradientDescent(), steps=5, learning_rate=0.1)
    assert ds.status.values.tolist() == [0, 0, 0, 0]
    assert (ds.final_weights[0] != initial[0]).all()


def test_stalled_is_told_of_every_trajectory_however_many_there_are():
    """A weight of 0 makes the adaptive rate 0."""
    initial = np.full((2**16 + 9, 2), 1.5)
    stalled = [0, 2**16 - 1, 2**16, 2**16 + 8]
    initial[stalled, 1] = 0
    ds = ld.simulate(initial, ld.GradientDescent(), steps=1, learning_rate=ADAPTIVE)
    np.testing.assert_array_equal(np.flatnonzero(ds.status == 2), stalled)
    assert (ds.status == 0).sum() == len(initial) - 4


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("record", [None, ld.Record(every=7, observables=("loss",), reduce="mean")])
def test_the_adaptive_rate_holds_where_products_of_weights_leave_the_dtype(dtype, record):
    """Beside nets that are well, weights so small that `(W/w)^2` underflows: decay alone moves them, by its rate.

    A step rounds a weight's rate and move at most d + 12 times.
    """
    depth, steps, decay = 32, 200, 0.5
    starts = np.array([[0.2] * depth, [1e-2, 1.0] * (depth // 2), [1.0] * depth]).astype(dtype).astype(float)
    run = {"steps": steps, "learning_rate": Adaptive(0.25), "weight_decay": decay, "dtype": dtype}
    ds = ld.simulate(starts, ld.GradientDescent(), **run, record=record)
    assert ds.status.values.tolist() == [0, 0, 0]
    for start, end in zip(starts[:2], ds.final_weights.values, strict=False):
        expected = start.copy()  # W is below 1e-22: no gradient to speak of
        for _ in range(steps):
            expected *= 1 - 2 * decay * 0.25 / (1 / expected**2).sum()
        np.testing.assert_allclose(end, expected, rtol=steps * (depth + 12) * np.finfo(dtype).eps)
        assert (np.abs(end / start - 1) > 1e-6).all()
    alone = ld.simulate(starts[2], ld.GradientDescent(), **run)
    np.testing.assert_array_equal(ds.final_weights[2], alone.final_weights[0])


REPLAYED = {
    "noise": (ld.NoiseAugmentation(0.5), {}),
    "mini-batches": (ld.MiniBatch(DATA, 3), {}),
    "Nesterov": (ld.SGDNoise(0.3), {"momentum": 0.8, "nesterov": True}),
    "AutoL2": (ld.NoiseAugmentation(0.5), {"weight_decay": schedules.AutoL2(0.5, every=7)}),
}


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", REPLAYED)
def test_steps_taken_again_for_the_exact_rate_are_the_same_steps(name, dtype):
    """Nets out of range of the quick rate beside others, whichever steps are taken together, and a plain loop."""
    method, more = REPLAYED[name]
    rng = np.random.default_rng(1)
    starts = rng.uniform(0.5, 1.5, (60, 3)) * 10.0 ** rng.uniform(-9, 0, (60, 1))
    starts[::7, 0] = 0
    starts[::11, :2] = 0
    products = np.stack([starts[:, 1] * starts[:, 2], starts[:, 0] * starts[:, 2], starts[:, 0] * starts[:, 1]])
    small = (products**2).sum(0) < LOW
    assert 5 < (small & (products**2).any(0)).sum() < small.sum() < 50
    run = {"learning_rate": Adaptive(0.9), "weight_decay": 0.4, "dtype": dtype, "seed": 3, "threads": 1, **more}
    whole = ld.simulate(starts, method, steps=201, **run)
    others = [
        ld.simulate(starts, method, steps=201, record=ld.Record(1, ("loss",)), **run),
        ld.simulate(starts, method, steps=201, resume=ld.simulate(starts, method, steps=77, **run), **run),
        xr.concat(
            [
                ld.simulate(starts[i:j], method, steps=201, first_trajectory=i, **run)
                for i, j in ((0, 1), (1, 40), (40, 60))
            ],
            "trajectory",
        ),
    ]
    for other in others:
        for variable in ("final_weights", "status", "trajectory"):
            np.testing.assert_array_equal(other[variable], whole[variable])
    assert {0, 2} <= set(whole.status.values.tolist())
    if name != "AutoL2":  # which the loop does not know
        options = {"rate": Adaptive(0.9), "decay": 0.4, **more}
        for k in np.flatnonzero(small)[:6]:
            path = naive.run(starts[k], method, 201, seed=3, trajectory=int(k), dtype=dtype, **options)
            np.testing.assert_array_equal(whole.final_weights[k], path[-1])

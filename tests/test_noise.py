"""Counter-based random numbers: known answers, exact ranges, fair choices."""

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from numba import njit

from linreg_dyn import noise
from linreg_dyn.ensemble import _kernels  # makes the functions of noise jitable
from linreg_dyn.ensemble._vector import view
from linreg_dyn.ensemble.literals import typed
from linreg_dyn.ensemble.methods import CELLS, Table, TruncatedGaussian

# kat_vectors of Random123 (D. E. Shaw Research), lines "philox4x32 10": counter, key, answer.
KNOWN = [
    ("00000000 00000000 00000000 00000000", "00000000 00000000", "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
    ("ffffffff ffffffff ffffffff ffffffff", "ffffffff ffffffff", "408f276d 41c83b0e a20bc7c6 6d5451fd"),
    ("243f6a88 85a308d3 13198a2e 03707344", "a4093822 299f31d0", "d16cfe09 94fdcceb 5001e420 24126ea1"),
]


def words(text):
    return tuple(int(word, 16) for word in text.split())


@njit(error_model="numpy")
def compiled_philox(c0, c1, c2, c3, k0, k1):
    return noise.philox(c0, c1, c2, c3, k0, k1)


BLOCK = view(4, 2, 4)


@njit(error_model="numpy")
def compiled_lanes(words, k0, k1):
    block = BLOCK(words, 0)
    block[0], block[1], block[2], block[3] = noise.philox(block[0], block[1], block[2], block[3], k0, k1)


@pytest.mark.parametrize(("counter", "key", "answer"), KNOWN)
def test_known_answers_in_python_compiled_and_in_lanes(counter, key, answer):
    counter, key, answer = words(counter), words(key), words(answer)
    assert noise.philox(*counter, *key) == answer
    assert compiled_philox(*counter, *key) == answer
    assert noise.philox(counter[0] ^ 1, *counter[1:], *key) != answer
    block = np.array([counter] * 8, dtype=np.int64).T.copy()
    block[0, 3] ^= 1  # one lane apart
    compiled_lanes(block, *key)
    other = noise.philox(counter[0] ^ 1, *counter[1:], *key)
    assert [tuple(lane) for lane in block.T.tolist()] == [answer] * 3 + [other] + [answer] * 4


@pytest.mark.parametrize(("counter", "key", "answer"), KNOWN)
def test_rounds_under_keys_made_beforehand(counter, key, answer):
    block = words(counter)
    for k0, k1 in zip(*noise.round_keys(*words(key)), strict=True):
        block = noise.philox_round(*block, k0, k1)
    assert block == words(answer)
    c0, c1, c2, c3 = words(counter)
    assert noise.philox_round(c0 + 2**40, c1, c2 + 2**32, c3, 5, 6) == noise.philox_round(c0, c1, c2, c3, 5, 6)


def test_counters_are_different_for_different_trajectory_step_and_draw():
    numbers = [0, 1, 2, 3, 2**31, 2**32 - 1]
    trajectories = [*numbers, 2**32, 2**40 + 1]
    amplitude = {noise.amplitude_counter(t, s) for t in trajectories for s in numbers}
    assert len(amplitude) == len(trajectories) * len({s >> 2 for s in numbers})
    batch = {noise.batch_counter(t, s, d) for t in trajectories for s in numbers for d in (0, 3, 4, 9)}
    assert len(batch) == len(trajectories) * len(numbers) * 3
    assert not amplitude & batch


def test_uniform_is_exact_open_and_symmetric():
    top = noise.MASK
    assert noise.uniform(0, None) == -(1 - 2.0**-32)
    assert noise.uniform(top, None) == 1 - 2.0**-32
    assert noise.uniform(2**31, None) == 2.0**-32
    for word in (0, 5, 12345, 2**31 + 9, top):
        assert Fraction(noise.uniform(word, None)) == Fraction(2 * word + 1, 2**32) - 1
        assert noise.uniform(top ^ word, None) == -noise.uniform(word, None)


def drawn(function, table, count):
    blocks = [noise.philox(*noise.amplitude_counter(t, 0), 7, 0) for t in range(count // 4)]
    return np.array([function(word, table) for block in blocks for word in block])


def gaussian_moments(sigmas):
    """Mean square and mean fourth power of a Gaussian cut off at `sigmas` deviations, in half widths."""
    inside = math.erf(sigmas / math.sqrt(2))
    edge = 2 * sigmas * math.exp(-(sigmas**2) / 2) / math.sqrt(2 * math.pi) / inside
    square = 1 - edge
    return square / sigmas**2, (3 * square - sigmas**2 * edge) / sigmas**4


TABLE = (-1.0, 0.25, 0.75)
DISTRIBUTIONS = {
    "uniform": (noise.uniform, None, 1 / 3, 1 / 5),
    "rademacher": (noise.rademacher, None, 1.0, 1.0),
    "table": (noise.atom, np.array(TABLE), np.mean(np.square(TABLE)), np.mean(np.power(TABLE, 4))),
    "gaussian": (noise.quantile, TruncatedGaussian(2.0).table(), *gaussian_moments(2.0)),
    "cut far out": (noise.quantile, TruncatedGaussian(4.0).table(), *gaussian_moments(4.0)),
}


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_moments_of_the_distributions(name):
    """Mean and mean square within 5 standard errors: by chance alone off once in about 10^6 seeds."""
    function, table, square, fourth = DISTRIBUTIONS[name]
    values = drawn(function, table, 40_000)
    assert np.abs(values).max() <= 1
    assert abs(values.mean()) <= 5 * math.sqrt(square / len(values))
    allowed = 5 * math.sqrt((fourth - square**2) / len(values)) + 1e-15
    assert abs((values**2).mean() - square) <= allowed
    others = [case[2] for case in DISTRIBUTIONS.values() if case[2] != square]
    assert min(abs((values**2).mean() - other) for other in others) > allowed


@pytest.mark.parametrize("sigmas", [0.1, 1.0, 2.0, 3.0, 5.0])
def test_the_truncated_gaussian_is_one_to_the_accuracy_it_promises(sigmas):
    """Its distribution function, piecewise linear between the quantiles, against the exact one."""
    table = TruncatedGaussian(sigmas).table()
    assert len(table) == CELLS + 1
    assert (table[0], table[-1]) == (-1, 1)
    np.testing.assert_array_equal(table, -table[::-1])
    x = np.linspace(-1, 1, 20_001)
    exact = [(math.erf(t * sigmas / math.sqrt(2)) / math.erf(sigmas / math.sqrt(2)) + 1) / 2 for t in x]
    error = np.abs(np.interp(x, table, np.linspace(0, 1, CELLS + 1)) - exact).max()
    assert error <= (1e-5 if sigmas <= 3 else 1e-4)
    wrong = TruncatedGaussian(sigmas * 0.9).table()
    assert np.abs(np.interp(x, wrong, np.linspace(0, 1, CELLS + 1)) - exact).max() > error


def test_quantiles_are_interpolated_and_atoms_are_not():
    table = np.array([-1.0, 0.0, 0.5])
    assert noise.quantile(0, table) == -1
    assert noise.quantile(2**30, table) == -0.5
    assert noise.quantile(3 * 2**30, table) == 0.25
    assert [noise.atom(word, table) for word in (0, 2**32 // 3, 2**32 // 3 + 1, 2**32 - 1)] == [-1, -1, 0, 0.5]
    assert Table(tuple(table)).table().tolist() == table.tolist()


def choices(size, batch, count):
    order, swaps = list(range(size)), [0] * batch
    for step in range(count):
        noise.sample(order, swaps, 3, step, 11, 0)
        yield tuple(order[:batch])
        noise.restore(order, swaps)
        assert order == list(range(size))


@pytest.mark.parametrize(("size", "batch"), [(5, 2), (5, 3), (4, 4), (6, 1)])
def test_every_subset_is_equally_likely(size, batch):
    """Pearson's statistic over all subsets, within 6 standard deviations of its mean."""
    subsets = list(itertools.combinations(range(size), batch))
    count = 400 * len(subsets)
    seen = dict.fromkeys(subsets, 0)
    for choice in choices(size, batch, count):
        seen[tuple(sorted(choice))] += 1
    statistic = sum((n - 400) ** 2 / 400 for n in seen.values())
    freedom = len(subsets) - 1
    assert statistic <= freedom + 6 * math.sqrt(2 * freedom)


def test_batch_moments_are_those_of_sampling_without_replacement():
    values, batch, count = np.array([0.1, 2.0, -1.0, 0.4, 3.5, 1.2]), 3, 20_000
    means = [np.mean(values[list(c)]) for c in itertools.combinations(range(6), batch)]
    drawn = np.array([values[list(choice)].mean() for choice in choices(6, batch, count)])
    deviation = np.std(means)
    assert abs(drawn.mean() - np.mean(means)) <= 5 * deviation / math.sqrt(count)
    spread = np.mean((means - np.mean(means)) ** 4) - deviation**4  # variance of a squared deviation
    allowed = 5 * math.sqrt(spread / count)
    assert abs(drawn.var() - deviation**2) <= allowed
    assert abs(drawn.var() - values.var() / batch) > allowed  # what sampling with replacement would give


class HugeOrder(dict):
    """The identity permutation of so many elements that a biased choice would show."""

    size = 3 * 2**29

    def __len__(self):
        return self.size

    def __missing__(self, key):
        return key


def test_choice_among_very_many_is_unbiased():
    """Without rejection, `j % 3 == 2` has probability 1/4 here and not 1/3: 10 standard errors away."""
    count, last = 3000, 0
    for step in range(count):
        order, swaps = HugeOrder(), [0]
        noise.sample(order, swaps, 0, step, 1, 2)
        assert 0 <= swaps[0] < HugeOrder.size
        last += swaps[0] % 3 == 2
    error = math.sqrt(2 / 9 / count)
    assert abs(last / count - 1 / 3) <= 5 * error < 1 / 3 - 1 / 4


def test_compiled_choice_is_the_same():
    sample = njit(lambda order, swaps, t, s, k0, k1: noise.sample(order, swaps, t, s, k0, k1))
    assert _kernels.SOURCES > 0
    for step in (0, 1, 2**32 - 1):
        plain, plain_swaps = list(range(9)), [0] * 7
        noise.sample(plain, plain_swaps, 2**33 + 1, step, 2**32 - 1, 5)
        order, swaps = np.arange(9), np.zeros(7, dtype=np.int64)
        sample(order, swaps, 2**33 + 1, step, 2**32 - 1, 5)
        assert order.tolist() == plain
        assert swaps.tolist() == plain_swaps


@njit(error_model="numpy")
def compiled_quantiles(words, table, out):
    OUT(out, 0)[0] = noise.quantile(WORDS(words, 0)[0], table)


WORDS, OUT = view(4, 2, 1), view(4, 2, 1)


def test_interpolation_is_rounded_once_at_its_end():
    """In the lanes of the CPU and as a device has it; the oracle is exact. Rounded twice, some are off by an ulp."""
    table = TruncatedGaussian(2.0).table()
    words = np.random.default_rng(0).integers(0, 2**32, (1000, 8))

    def exact(a, b, c):
        return float(Fraction(a) * Fraction(b) + Fraction(c))

    out = np.empty(8)
    as_on_a_device = typed(noise.quantile, np.float64, exact)
    twice = 0
    for lanes in words:
        compiled_quantiles(lanes, table, out)
        for word, got in zip(lanes.tolist(), out.tolist(), strict=True):
            cell, inside = divmod(word * CELLS, 2**32)
            low, high = table[cell], table[cell + 1]
            expected = exact(high - low, inside * 2.0**-32, low)
            assert got == as_on_a_device(word, table) == expected
            twice += noise.quantile(word, table) != expected
    assert 0 < twice < 40

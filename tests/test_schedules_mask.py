"""Masks of sparse gradients: redrawn when the sparsity changes, and at no other time."""

import hashlib
import math

import numpy as np
import pytest

from linreg_dyn.schedules import Exponential, GradientMask, PerEpoch, Steps, Window, published

SHAPE = (40, 50)
SPARSITY = Steps((0.5, 0.5, 0.8, 0.5), milestones=(10, 20, 30), stop=50)
MASK = GradientMask(SPARSITY, seed=7)


def test_a_mask_holds_until_the_sparsity_changes():
    """Not at 10, where the next value is the same; at 20, and at 30, back at 0.5, with a new mask."""
    assert MASK.redraws == (20, 30)
    assert [MASK.number(step) for step in (0, 19, 20, 29, 30, 49)] == [0, 0, 1, 1, 2, 2]
    assert [MASK.drawn_at(step) for step in (0, 19, 20, 29, 30, 49)] == [0, 0, 20, 20, 30, 30]
    masks = [MASK.at(step, SHAPE) for step in range(50)]
    different = [step for step in range(1, 50) if (masks[step] != masks[step - 1]).any()]
    assert different == [20, 30]
    assert (masks[0] != masks[49]).any()
    assert GradientMask(Window(0.5, start=3, outside=0.5)).redraws == (), "a window that changes nothing"


def test_table_1_redraws_when_its_sparsity_changes():
    """Schemes 21 to 23: none, then sparse from epoch 101 to 250, then none again."""
    mask = GradientMask(published.table_1("22", steps_per_epoch=10).gradient_sparsity)
    assert mask.redraws == (1000, 2500)
    assert mask.at(0, SHAPE).all()
    assert mask.at(4499, SHAPE).all()
    assert not mask.at(1000, SHAPE).all()


@pytest.mark.parametrize("sparsity", [0.0, 0.3, 0.5, 0.8, 1.0])
def test_the_sparsity_is_the_fraction_dropped(sparsity):
    """A binomial count of a million, within 5 standard deviations, and exact at both ends."""
    dropped = 1 - GradientMask(sparsity, seed=1).at(0, 10**6).mean()
    assert abs(dropped - sparsity) <= 5 * math.sqrt(sparsity * (1 - sparsity) / 10**6)


def test_masks_depend_on_seed_number_and_parameter_alone():
    mask = MASK.at(0, SHAPE, 3)
    np.testing.assert_array_equal(mask, GradientMask(0.5, seed=7).at(10**9, SHAPE, 3))
    np.testing.assert_array_equal(mask.reshape(-1), MASK.at(5, mask.size, 3))
    for other in (MASK.at(0, SHAPE, 2), MASK.at(30, SHAPE, 3), GradientMask(0.5, seed=8).at(0, SHAPE, 3)):
        agreement = (other == mask).mean()  # of independent fair coins: 1/2, 2000 of them
        assert abs(agreement - 0.5) <= 5 * math.sqrt(0.25 / mask.size)


def test_the_bits_are_fixed():
    """Whatever the version of numpy or the machine: the digest of one mask."""
    bits = np.packbits(GradientMask(0.5, seed=7).at(0, 4096, 1)).tobytes()
    assert hashlib.sha256(bits).hexdigest() == DIGEST


DIGEST = "6ecd6189f19d9459fd964096c374f1c60e3532b415c782aa88d4b5871452bfc5"


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: GradientMask(1.5), r"sparsity of GradientMask must be in \[0, 1\], got 1.5"),
        (lambda: GradientMask(Steps((0.5, -0.1), milestones=(3,))), r"sparsity of GradientMask must be in \[0, 1\]"),
        (lambda: GradientMask(Exponential(0.5, factor=0.9)), "sparsity of GradientMask must be piecewise constant"),
        (lambda: GradientMask(0.5, seed=-1), "seed of GradientMask must be an integer from 0"),
        (lambda: MASK.at(0, SHAPE, -1), "parameter must be an integer from 0"),
        (lambda: MASK.at(50, SHAPE), "step must be below 50"),
        (lambda: MASK.at(-1, SHAPE), "step must be an integer from 0"),
    ],
)
def test_bad_masks_are_refused(make, words):
    with pytest.raises(ValueError, match=words):
        make()


def test_masks_print_and_compare():
    mask = GradientMask(PerEpoch(Window(0.5, start=3, stop=9), steps_per_epoch=10), seed=4)
    assert repr(mask) == "GradientMask(PerEpoch(Window(0.5, start=3, stop=9), steps_per_epoch=10), seed=4)"
    assert mask.redraws == (30, 90)
    assert mask == eval(repr(mask), globals())
    assert len({mask, eval(repr(mask), globals()), GradientMask(0.5)}) == 2

"""Images and labels in memory: what does not fit together is refused, moments and subsets."""

import tracemalloc

import numpy as np
import pytest

from validation import data

RNG = np.random.default_rng(0)
X = RNG.integers(0, 256, (40, 32, 32, 3), dtype=np.uint8)
Y = np.arange(40) % 10
U, V = X[::4] ^ 255, Y[::4]


def test_moments_are_numpys():
    mean, deviation = data.Dataset("x", X, Y, U, V, 10).moments()
    np.testing.assert_allclose(mean, (X / 255).mean((0, 1, 2)), rtol=1e-12)
    np.testing.assert_allclose(deviation, (X / 255).std((0, 1, 2)), rtol=1e-12)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"x_train": X / 255}, r"x_train must be uint8 images, .* got float64 \(40, 32, 32, 3\)"),
        ({"x_test": U[..., 0]}, "x_test must be uint8 images"),
        ({"x_test": U[:0], "y_test": V[:0]}, r"x_test must be uint8 images, .* got uint8 \(0, 32, 32, 3\)"),
        ({"x_test": U[:, 1:]}, "x_train and x_test must have one shape of image"),
        ({"y_train": Y[1:]}, r"y_train must be int64 labels, \(40,\), got int64 \(39,\)"),
        ({"y_train": Y.astype(np.int32)}, "y_train must be int64 labels, .* got int32"),
        ({"y_test": V.astype(float)}, "y_test must be int64 labels, .* got float64"),
        ({"y_test": V.tolist()}, "y_test must be int64 labels, .* got a list"),
        ({"classes": 9}, "y_train must be from 0 to 8, got 0 to 9"),
    ],
)
def test_images_and_labels_that_do_not_fit_are_refused(changed, message):
    given = {"name": "x", "x_train": X, "y_train": Y, "x_test": U, "y_test": V, "classes": 10}
    assert data.Dataset(**given).classes == 10
    with pytest.raises(ValueError, match=message):
        data.Dataset(**given | changed)


def labelled(images, labels):
    """Pairs of an image and its label, sorted."""
    return sorted(zip(map(bytes, images), labels.tolist(), strict=True))


def test_subsets_are_drawn_without_replacement_and_the_same_for_a_seed():
    digits = data.load("digits")
    small = digits.subset(100, 20, seed=3)
    assert (len(small.y_train), len(small.y_test)) == (100, 20)
    np.testing.assert_array_equal(small.x_train, digits.subset(100, seed=3).x_train)
    assert not np.array_equal(small.x_train, digits.subset(100, seed=4).x_train)
    whole = digits.subset(1437)
    assert labelled(whole.x_train, whole.y_train) == labelled(digits.x_train, digits.y_train)
    assert labelled(whole.x_test, whole.y_test) == labelled(digits.x_test, digits.y_test)
    with pytest.raises(ValueError, match=r"^digits: train must be an integer from 1 to 1437"):
        digits.subset(1438)


def test_moments_take_less_memory_than_the_images():
    images = np.random.default_rng(1).integers(0, 256, (1000, 64, 64, 3), dtype=np.uint8)
    many = data.Dataset("x", images, np.zeros(1000, dtype=np.int64), images[:1], V[:1], 10)
    tracemalloc.start()
    many.moments()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < images.nbytes

"""Samples that are drawn, how they are scaled, and what is learned of them; refusals are tested with the command."""

import numpy as np
import pytest

from linreg_dyn.ntk.datasets import load, wrong


def test_inputs_and_draws():
    raw = load("digits", inputs="raw", samples=100, test=50, seed=3)
    scaled = load("digits", samples=100, test=50, seed=3)
    standard = load("digits", inputs="standard", samples=100, test=50, seed=3)
    assert np.allclose(scaled.x_test, raw.x_test / raw.x.max())
    assert np.allclose(standard.x, (raw.x - raw.x.mean()) / raw.x.std())
    assert abs(standard.x.mean()) < 1e-12
    other = load("digits", inputs="raw", samples=100, test=50, seed=4)
    assert not np.array_equal(raw.x, other.x)
    rows = {row.tobytes() for row in np.vstack((raw.x, raw.x_test))}
    assert len(rows) == 150  # without replacement, and none to test with that was trained on
    everything = load("digits", samples=1797, test=None, seed=0)
    assert everything.y_test.size == 0
    assert everything.y.sum() == 891 - 906  # even and odd digits in the set


def test_targets():
    plain = load("digits", samples=100, test=30, seed=0)
    labels = load("digits", samples=100, test=30, seed=0, target="regression")
    hot = load("digits", samples=100, test=30, seed=0, target="one-hot")
    assert np.array_equal(plain.y, np.where(labels.y % 2 == 0, 1, -1))
    assert np.array_equal(plain.y_test, np.where(labels.y_test % 2 == 0, 1, -1))
    assert np.array_equal(hot.y.argmax(axis=1), labels.y)
    assert np.array_equal(hot.y.sum(axis=1), np.ones(100))
    assert np.array_equal(hot.y_test.argmax(axis=1), labels.y_test)


def test_misclassified():
    data = load("digits", samples=20, test=4, seed=0)
    outputs = np.stack((data.y_test, -data.y_test, data.y_test * np.array([1, 1, 1, -1])))
    assert np.array_equal(np.array(wrong(data, outputs)), [0, 1, 0.25])
    hot = load("digits", samples=200, test=4, seed=0, target="one-hot")
    assert np.array_equal(np.array(wrong(hot, np.stack((hot.y_test, 1 - hot.y_test)))), [0, 1])
    assert wrong(load("digits", samples=20, test=4, seed=0, target="regression"), np.ones(4)) is None


def test_four_arrays_and_one_column(tmp_path):
    rng = np.random.default_rng(0)
    x, x_test = rng.integers(0, 256, (20, 4, 4)).astype(np.uint8), rng.integers(0, 256, (6, 4, 4)).astype(np.uint8)
    path = str(tmp_path / "images.npz")
    np.savez(path, x_train=x, y_train=np.arange(20)[:, None] % 10, x_test=x_test, y_test=np.arange(6)[:, None])
    data = load(path, samples=None, test=None, seed=0, inputs="raw")
    assert sorted(map(tuple, data.x)) == sorted(map(tuple, x.reshape(20, 16).astype(float)))
    assert sorted(map(tuple, data.x_test)) == sorted(map(tuple, x_test.reshape(6, 16).astype(float)))
    assert (data.target, data.y.shape, data.y_test.shape) == ("even-odd", (20,), (6,))
    for row, label in zip(data.x, data.y, strict=True):
        (place,) = np.flatnonzero((x.reshape(20, 16) == row).all(axis=1))
        assert label == 1 - 2 * (place % 2)


def test_a_part_of_a_kernel_keeps_its_labels(tmp_path):
    path = str(tmp_path / "kernel.npz")
    np.savez(path, kernel=np.diag(np.arange(1.0, 9)), y=np.arange(1.0, 9))
    data = load(path, samples=5, test=None, seed=1, target="regression")
    assert data.kernel is not None
    assert np.array_equal(np.diag(data.kernel), data.y)
    assert data.kernel.shape == (5, 5)


def test_labels_of_minus_one_and_one_are_kept(tmp_path):
    """All of them are odd; as numbers like others they would all be -1."""
    path, y = str(tmp_path / "signs.npz"), np.array([1, -1, -1, 1])
    np.savez(path, x=np.arange(48.0).reshape(4, 3, 4), y=y)
    data = load(path, samples=4, test=None, seed=0, inputs="raw")
    order = data.x[:, 0].astype(int) // 12
    assert (data.target, data.shape) == ("sign", (3, 4))
    assert np.array_equal(data.y, y[order])


@pytest.mark.parametrize("seed", range(4))
def test_classes_are_those_of_the_file_and_not_of_the_draw(tmp_path, seed):
    """Few samples have some of the digits only."""
    few = load("digits", samples=12, test=8, seed=seed, target="one-hot")
    labels = load("digits", samples=12, test=8, seed=seed, target="regression")
    assert len(np.unique(labels.y)) < 10
    assert (few.y.shape, few.y_test.shape) == ((12, 10), (8, 10))
    assert np.array_equal(few.y.argmax(axis=1), labels.y)
    assert np.array_equal(few.y_test.argmax(axis=1), labels.y_test)
    path, y = str(tmp_path / "kernel.npz"), np.arange(30) % 6
    np.savez(path, kernel=np.diag(1.0 + np.arange(30)), y=y)
    part = load(path, samples=3, test=None, seed=seed, target="one-hot")
    assert part.kernel is not None
    assert np.array_equal(part.y, np.eye(6)[y[np.diag(part.kernel).astype(int) - 1]])
    np.savez(path, kernel=np.eye(30), y=np.where(np.arange(30) == 29, 2, 1))  # of which most draws have 1 only
    assert load(path, samples=2, test=None, seed=seed).target == "even-odd"


def test_a_class_that_is_only_tested_for_is_refused(tmp_path):
    path, x = str(tmp_path / "data.npz"), np.arange(8.0).reshape(4, 2)
    np.savez(path, x_train=x, y_train=[0, 1, 2, 0], x_test=x, y_test=[0, 1, 2, 3])
    with pytest.raises(ValueError, match="class 3 is tested for, but among the samples to train on there is none"):
        load(path, samples=None, test=1, seed=0, target="one-hot")


@pytest.mark.parametrize(("y", "words"), [([1, 3, 1, 5], "1, 3, ... are all odd"), ([-2, 4, 0, 0], "are all even")])
def test_parities_that_tell_nothing_apart_are_refused(tmp_path, y, words):
    path = str(tmp_path / "data.npz")
    np.savez(path, x=np.arange(8.0).reshape(4, 2), y=y)
    with pytest.raises(ValueError, match=f"target 'even-odd' tells no labels apart, .*{words}; take"):
        load(path, samples=None, test=None, seed=0)
    np.savez(path, x=np.arange(8.0).reshape(4, 2), y=y[:1] * 4)  # nothing is lost
    assert abs(load(path, samples=None, test=None, seed=0).y.sum()) == 4


def test_labels_of_floats_are_numbers_and_not_parities(tmp_path):
    path = str(tmp_path / "data.npz")
    np.savez(path, kernel=np.eye(5), y=np.arange(5.0))
    data = load(path, samples=None, test=None, seed=0)
    assert (data.target, data.y.tolist()) == ("regression", [0, 1, 2, 3, 4])


def test_labels_that_are_one_hot_already(tmp_path):
    path, y = str(tmp_path / "data.npz"), np.eye(4, dtype=np.uint8)[[0, 1, 2, 0, 1]]
    np.savez(path, kernel=np.eye(5), y=y)
    data = load(path, samples=None, test=None, seed=0, target="one-hot")
    assert (data.target, data.y.tolist()) == ("one-hot", y.tolist())
    np.savez(path, kernel=np.eye(5), y=0.5 * y)
    with pytest.raises(ValueError, match="target 'one-hot' needs whole numbers, one a sample"):
        load(path, samples=None, test=None, seed=0, target="one-hot")


@pytest.mark.parametrize("write", [lambda path: np.save(path, np.ones(3)), lambda path: path.write_text("x,y\n1,2\n")])
def test_what_is_no_archive_is_refused(tmp_path, write):
    path = tmp_path / "data.npy"
    write(path)
    with pytest.raises(ValueError, match=r"data must be a \.npz file .* is none \(it is no zip archive, "):
        load(str(path), samples=None, test=None, seed=0)

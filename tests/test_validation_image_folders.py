"""Folders of images: cut once, kept, and read as datasets."""

from contextlib import suppress

import numpy as np
import pytest
from PIL import Image

from validation import data, fetch


@pytest.fixture(autouse=True)
def no_cache(monkeypatch, tmp_path):
    monkeypatch.setattr(fetch, "cache", lambda: tmp_path / "cache")
    monkeypatch.delenv(data.VARIABLE, raising=False)


def test_a_large_photograph_is_cut_to_what_it_shows(tmp_path):
    """A ramp of grey, which no way of making it smaller changes but by rounding: in the file, its coefficients, twice
    where it is decoded, and at the end, half a level or so each time."""
    ramp = np.broadcast_to(np.arange(512) / 2, (512, 512))
    for part in ("train", "val"):
        (tmp_path / part / "ramp").mkdir(parents=True)
        Image.fromarray(ramp.astype(np.uint8)).save(tmp_path / part / "ramp" / "a.jpg", quality=100)
    (found,) = data.image_folder(tmp_path, side=64).x_train[..., 0]
    middle = ramp.reshape(64, 8, 64, 8).mean((1, 3))
    np.testing.assert_allclose(found[1:-1, 1:-1], middle[1:-1, 1:-1], atol=2.5)


def test_images_of_a_folder_are_cut_once(tmp_path, monkeypatch):
    """What was kept is taken while the files are as they were, is the same, and is made again where it is damaged."""
    cut, calls = data.image_folder, []
    monkeypatch.setattr(data, "image_folder", lambda *at, **how: calls.append(at) or cut(*at, **how))
    for part in ("train", "val"):
        for label, shade in (("a", 10), ("b", 20), ("empty", None)):
            (where := tmp_path / "pictures" / part / label).mkdir(parents=True)
            if shade:
                Image.new("RGB", (64, 64), (shade, 0, 0)).save(where / "one.png")
    first = data.load("pictures", tmp_path)
    again = data.load("pictures", tmp_path)
    assert len(calls) == 1
    assert (again.name, again.classes) == (first.name, first.classes) == ("pictures", 3)
    for key in data.KEYS:
        np.testing.assert_array_equal(getattr(again, key), getattr(first, key))
    Image.new("RGB", (64, 64), (30, 0, 0)).save(where.with_name("b") / "two.png")
    assert data.load("pictures", tmp_path).x_test[:, 0, 0, 0].tolist() == [10, 20, 30]
    assert len(calls) == 2
    newest = max((tmp_path / "cache").iterdir(), key=lambda path: path.stat().st_size)
    newest.write_bytes(newest.read_bytes()[:-30])
    with pytest.warns(UserWarning, match="is damaged"):
        assert len(data.load("pictures", tmp_path).y_test) == 3
    assert len(calls) == 3


def test_images_that_cannot_be_kept_are_there(tmp_path, monkeypatch):
    (tmp_path / "cache").write_text("a file")
    for part in ("train", "val"):
        (tmp_path / "pictures" / part / "a").mkdir(parents=True)
        Image.new("RGB", (64, 64)).save(tmp_path / "pictures" / part / "a" / "one.png")
    with (
        pytest.warns(match="is damaged"),
        pytest.warns(match="its images are cut anew every time, as .* cannot be written"),
    ):
        assert data.load("pictures", tmp_path).classes == 1


def test_a_folder_of_classes(tmp_path):
    for part, count in (("train", 3), ("val", 2)):
        for label, name in enumerate(("cat", "dog")):
            (tmp_path / part / name).mkdir(parents=True)
            for k in range(count):
                Image.new("RGB", (20 + k, 12), (200 * label, 0, 0)).save(tmp_path / part / name / f"{k}.png")
    found = data.image_folder(tmp_path, side=8)
    assert (found.x_train.shape, found.x_test.shape, found.classes) == ((6, 8, 8, 3), (4, 8, 8, 3), 2)
    np.testing.assert_array_equal(found.x_train[:, 4, 4, 0], 200 * found.y_train)
    path = tmp_path / "val" / "dog" / "0.png"
    whole = path.read_bytes()
    for content in (b"no image", whole[:-30]):
        path.write_bytes(content)
        with pytest.raises(data.Refused, match=r"0\.png is no image"):
            data.image_folder(tmp_path, side=8)
    for place in range(8, len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x11]) + whole[place + 1 :])
        with suppress(data.Refused):
            data.image_folder(tmp_path, side=8)
    path.write_bytes(whole)
    (tmp_path / "val" / "fox").mkdir()
    with pytest.raises(data.Refused, match="same classes; only one has fox"):
        data.image_folder(tmp_path, side=8)
    with pytest.raises(FileNotFoundError, match="must hold a folder of images for each class"):
        data.image_folder(tmp_path / "nowhere", side=8)


def test_a_folder_of_images_is_loaded_by_its_name(tmp_path, monkeypatch):
    """As ImageNet's; without a folder both places are named."""
    from PIL import Image

    monkeypatch.delenv(data.VARIABLE, raising=False)
    with pytest.raises(ValueError, match=r"pictures\.npz.* or folders pictures/train and /val"):
        data.load("pictures", tmp_path)
    for part, label, shade in (("train", "a", 10), ("train", "b", 20), ("val", "a", 30), ("val", "b", 40)):
        where = tmp_path / "pictures" / part / label
        where.mkdir(parents=True)
        Image.fromarray(np.full((70, 64, 3), shade, dtype=np.uint8)).save(where / "one.png")
    found = data.load("pictures", tmp_path)
    assert (found.name, found.classes, found.x_train.shape) == ("pictures", 2, (2, 64, 64, 3))
    assert [int(x.max()) for x in (*found.x_train, *found.x_test)] == [10, 20, 30, 40]
    np.testing.assert_array_equal(found.y_test, [0, 1])
    np.savez(tmp_path / "pictures.npz", x_train=found.x_train[:1], y_train=[0], x_test=found.x_test, y_test=[0, 0])
    assert len(data.load("pictures", tmp_path).y_train) == 1  # a file is read first, as it takes a moment
    for part in ("train", "val"):
        (tmp_path / "none" / part / "a").mkdir(parents=True)
    with pytest.raises(data.Refused, match=r"none/train has no images"):
        data.load("none", tmp_path)

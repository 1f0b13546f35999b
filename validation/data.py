"""Datasets: CIFAR-10, CIFAR-100, MNIST, SVHN, folders of images such as ImageNet's, and scikit-learn's digits.

`load("cifar10")` looks into the folder it is given, that of the environment variable `LINREG_DYN_DATA`, and the
cache, in this order, for `cifar10.npz` (x_train, y_train, x_test, y_test) or the canonical archive; then it downloads
the archive into the cache. Archives are known by their SHA-256. `load("imagenet")` looks for `imagenet.npz` or a folder
of folders of images; these, once cut, are kept in the cache.
"""

from __future__ import annotations

import hashlib
import os
import warnings
from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from linreg_dyn._checks import integer
from validation import arrays, fetch
from validation.archives import Images, Labels, Split
from validation.catalogue import KNOWN, Archive

VARIABLE = "LINREG_DYN_DATA"
KEYS = ("x_train", "y_train", "x_test", "y_test")
NAMES = ("digits", *KNOWN)
SIDE = 64
"""Of images of a folder: ImageNet's then take 16 GB of memory, and as much of the cache."""
BLOCK = 2**18
"""Pixels that are counted at a time."""


class Refused(ValueError):
    """A file that is not what its name says; the message names it."""


@dataclass(frozen=True)
class Dataset:
    """Images and labels in memory.

    Attributes:
        name: which set.
        x_train, x_test: uint8, (sample, row, column, channel).
        y_train, y_test: int64, (sample,), from 0 to `classes` - 1.
        classes: how many.
    """

    name: str
    x_train: Images
    y_train: Labels
    x_test: Images
    y_test: Labels
    classes: int

    def __post_init__(self) -> None:
        for part in ("train", "test"):
            x, y = getattr(self, f"x_{part}"), getattr(self, f"y_{part}")
            if not (_is_array(x, np.uint8) and x.ndim == 4 and x.size):
                raise ValueError(f"x_{part} must be uint8 images, (sample, row, column, channel), got {_form(x)}")
            if not (_is_array(y, np.int64) and y.shape == x.shape[:1]):
                raise ValueError(f"y_{part} must be int64 labels, {x.shape[:1]}, got {_form(y)}")
            if y.min() < 0 or y.max() >= self.classes:
                raise ValueError(f"y_{part} must be from 0 to {self.classes - 1}, got {y.min()} to {y.max()}")
        if self.x_train.shape[1:] != self.x_test.shape[1:]:
            shapes = f"{self.x_train.shape[1:]} and {self.x_test.shape[1:]}"
            raise ValueError(f"x_train and x_test must have one shape of image, got {shapes}")

    def subset(self, train: int, test: int | None = None, *, seed: int = 0) -> Dataset:
        """So many training and test images (None: all of these), drawn without replacement; the same for a seed."""
        train = integer(f"{self.name}: train", train, least=1, most=len(self.y_train))
        test = integer(f"{self.name}: test", len(self.y_test) if test is None else test, least=1, most=len(self.y_test))
        rng = np.random.default_rng(seed)
        a, b = rng.permutation(len(self.y_train))[:train], rng.permutation(len(self.y_test))[:test]
        return Dataset(self.name, self.x_train[a], self.y_train[a], self.x_test[b], self.y_test[b], self.classes)

    def moments(self) -> tuple[np.ndarray, np.ndarray]:
        """Mean and standard deviation of the training images' channels, of values between 0 and 1."""
        x = self.x_train.reshape(-1, self.x_train.shape[-1])
        counts = np.zeros((x.shape[1], 256), dtype=np.int64)
        for first in range(0, len(x), BLOCK):  # of which bincount makes int64
            counts += [np.bincount(channel, minlength=256) for channel in x[first : first + BLOCK].T]
        shares = counts / len(x)
        values = np.arange(256) / 255
        mean = shares @ values
        return mean, np.sqrt((shares * (values - mean[:, np.newaxis]) ** 2).sum(1))


def _is_array(x: Any, dtype: type) -> bool:
    return isinstance(x, np.ndarray) and x.dtype == dtype


def _form(x: Any) -> str:
    return f"{x.dtype} {x.shape}" if isinstance(x, np.ndarray) else f"a {type(x).__name__}"


def load(name: str, folder: str | Path | None = None, *, download: bool = True) -> Dataset:
    """A dataset, from the first place that has it.

    Args:
        name: one of `NAMES`, or NAME where a folder has NAME.npz, or NAME/train and NAME/val for `image_folder`, whose
            images are cut to 64 x 64 and kept in the cache: cut again only when a file has changed.
        folder: where to look first.
        download: whether to fetch a canonical archive that is nowhere.

    Raises:
        ValueError: a name that neither is known nor has a file.
        Refused: a file that is truncated, altered, mislabelled or of a wrong shape.
        FileNotFoundError: it is nowhere and could not be had, with what to put where.
    """
    if name == "digits":
        return _digits()
    places = [Path(place) for place in (folder, os.environ.get(VARIABLE), _cache()) if place]
    for place in places:
        if (path := place / f"{name}.npz").is_file():
            return _read_npz(name, path)
        if name not in KNOWN and (place / name / "train").is_dir():
            return _kept(place / name)
        for archive in KNOWN[name].archives if name in KNOWN else ():
            paths = [place / file for file in archive.names]
            if all(path.is_file() for path in paths):
                return _read_archive(name, archive, paths)
    if name not in KNOWN:
        searched = ", ".join(str(place / f"{name}.npz") for place in places)
        raise ValueError(
            f"data must be one of {', '.join(NAMES)}, or a name with a file {searched} or "
            f"folders {name}/train and /val beside it; got {name!r}"
        )
    return _fetch(name, KNOWN[name].archives[0], download)


def image_folder(folder: str | Path, *, side: int, train: str = "train", test: str = "val") -> Dataset:
    """A folder with a folder of images for each class, such as ImageNet's, in `train` and `test`.

    Images are scaled so that their shorter side is `side`, and cut to the square in the middle.

    Raises:
        FileNotFoundError: a folder is missing or has no classes. Refused: a file that is no image, or classes differ.
    """
    side = integer("side", side, least=1, most=4096)
    roots = [Path(folder) / part for part in (train, test)]
    names = [sorted(p.name for p in root.iterdir() if p.is_dir()) if root.is_dir() else [] for root in roots]
    for root, classes in zip(roots, names, strict=True):
        if not classes:
            raise FileNotFoundError(f"{root} must hold a folder of images for each class")
    if names[0] != names[1]:
        odd = sorted(set(names[0]) ^ set(names[1]))
        raise Refused(f"{folder}: {train} and {test} must have the same classes; only one has {', '.join(odd[:3])}")
    (x, y), (u, v) = (_images(root, names[0], side) for root in roots)
    return Dataset(Path(folder).name, x, y, u, v, len(names[0]))


def _kept(folder: Path) -> Dataset:
    """`image_folder` with images of `SIDE`, from the cache if none of its files has changed since it was kept there."""
    cache = _cache()
    if not cache:
        return image_folder(folder, side=SIDE)
    path = cache / f"{folder.name}-{_listing(folder)}.npz"
    if found := arrays.read(path, warnings.warn):
        return Dataset(folder.name, *(found[key] for key in KEYS), classes=int(found["classes"]))
    made = image_folder(folder, side=SIDE)
    try:
        arrays.write(path, {key: getattr(made, key) for key in (*KEYS, "classes")}, compressed=False)
    except OSError as error:
        warnings.warn(f"{folder}: its images are cut anew every time, as {error}", stacklevel=3)
    return made


def _listing(folder: Path) -> str:
    """16 hexadecimal digits for names, sizes and times of the files of a folder of images, and for how they are cut."""
    from PIL import __version__

    found = hashlib.sha256(f"{SIDE} {__version__}".encode())
    for part in ("train", "val"):
        for where, folders, files in os.walk(folder / part, followlinks=True):
            folders.sort()
            found.update(os.fsencode(f"\n{os.path.relpath(where, folder)}\n"))
            for name in sorted(files):
                about = os.stat(Path(where, name))
                found.update(os.fsencode(f"{name} {about.st_size} {about.st_mtime_ns}\n"))
    return found.hexdigest()[:16]


def _images(root: Path, classes: Sequence[str], side: int) -> Split:
    paths = [(label, path) for label, name in enumerate(classes) for path in sorted((root / name).iterdir())]
    if not paths:
        raise Refused(f"{root} has no images")
    x = np.empty((len(paths), side, side, 3), dtype=np.uint8)

    def work(first: int) -> None:
        for k, (_, path) in enumerate(paths[first : first + 256], first):
            x[k] = _cut(path, side)

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        deque(pool.map(work, range(0, len(paths), 256)), maxlen=0)  # what one of them raises is raised here
    return x, np.array([label for label, _ in paths], dtype=np.int64)


def _cut(path: Path, side: int) -> Images:
    """The square in the middle of an image. A JPEG is decoded at the least scale that has twice the pixels needed."""
    from PIL import Image

    try:
        with Image.open(path) as image:
            image.draft(None, (2 * side, 2 * side))
            image.load()
            picture = image.convert("RGB")
    except Exception as error:  # as many kinds as there are formats
        raise Refused(f"{path} is no image that can be read: {error}") from None
    scale = side / min(picture.size)
    wide, high = (max(side, round(scale * length)) for length in picture.size)
    left, top = (wide - side) // 2, (high - side) // 2
    return np.asarray(picture.resize((wide, high)).crop((left, top, left + side, top + side)))


def _digits() -> Dataset:
    """scikit-learn's 1797 digits of 8 x 8, every fifth for the test."""
    from sklearn.datasets import load_digits

    found: Any = load_digits()
    x = np.round(found.images * (255 / 16)).astype(np.uint8)[..., np.newaxis]
    y = found.target.astype(np.int64)
    test = np.arange(len(y)) % 5 == 0
    return Dataset("digits", x[~test], y[~test], x[test], y[test], 10)


def _read_npz(name: str, path: Path) -> Dataset:
    try:
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            if lacking := set(KEYS) - set(file.files):
                raise Refused(f"{path} must have the arrays {', '.join(KEYS)}; it lacks {', '.join(sorted(lacking))}")
            x, y, u, v = (file[key] for key in KEYS)
    except Refused:
        raise
    except Exception as error:  # what an archive raises that was altered depends on where it was
        raise Refused(f"{path} is truncated, altered or no npz file: {type(error).__name__}: {error}") from None
    return _checked(name, path, ((x, y), (u, v)))


def _read_archive(name: str, archive: Archive, paths: list[Path]) -> Dataset:
    for path, (_, sha256) in zip(paths, archive.files, strict=True):
        if (found := _sha256(path)) != sha256:
            raise Refused(f"{path} is truncated or altered: its SHA-256 is {found[:16]}..., not {sha256[:16]}...")
    return _checked(name, paths[0], archive.read(*paths))


def _checked(name: str, path: Path, splits: tuple[tuple[Any, Any], tuple[Any, Any]]) -> Dataset:
    """The splits as a dataset, after checking it, and what is known of the set; images may lack channels."""
    (x, y), (u, v) = ((x[..., np.newaxis] if x.ndim == 3 else x, y) for x, y in splits)
    for part, labels in (("train", y), ("test", v)):
        if labels.dtype.kind not in "iu":
            raise Refused(f"{path}: y_{part} must be integers, got {_form(labels)}")
    y, v = y.astype(np.int64), v.astype(np.int64)
    known = KNOWN.get(name)
    try:
        classes = len(known.counts) if known else int(y.max(initial=0)) + 1
        found = Dataset(name, x, y, u, v, classes)
    except ValueError as error:
        raise Refused(f"{path}: {error}") from None
    if known:
        side, channels = known.shape
        if x.shape[1:] != (side, side, channels):
            raise Refused(f"{path}: images of {name} are {side} x {side} x {channels}, not {x.shape[1:]}")
        counts = np.bincount(y, minlength=classes)
        if len(y) == sum(known.counts) and (wrong := np.flatnonzero(counts != known.counts)).size:
            k = int(wrong[0])
            raise Refused(f"{path} is mislabelled: {counts[k]} training images of class {k}, not {known.counts[k]}")
    return found


def _cache() -> Path | None:
    """Where downloads are kept; None where nothing is there that downloads."""
    try:
        return fetch.cache()
    except ImportError:
        return None


def _fetch(name: str, archive: Archive, download: bool) -> Dataset:
    paths = []
    for (url, sha256), file in zip(archive.files, archive.names, strict=True):
        try:
            if not download:
                raise OSError("downloads are off")
            paths.append(fetch.retrieve(url, sha256))
        except (OSError, ImportError) as error:
            raise FileNotFoundError(
                f"{name}: {file} is nowhere and could not be had ({type(error).__name__}); put it, from {url}, into "
                f"{_cache() or 'the same'}, or put {name}.npz into a folder that --data-dir or {VARIABLE} names"
            ) from None
        except ValueError as error:
            raise Refused(f"{url}: {error}") from None
    return _read_archive(name, archive, paths)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

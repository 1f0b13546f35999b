"""The canonical archives of CIFAR, MNIST and SVHN, read as they are.

Each reader takes paths whose SHA-256 was checked before and returns uint8 images, (sample, row, column, channel), with
labels, (sample,), for training and test.
"""

from __future__ import annotations

import gzip
import io
import pickle
import tarfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Images = NDArray[np.uint8]
Labels = NDArray[np.int64]
Split = tuple[Images, Labels]


def cifar_python(archive: Path) -> tuple[Split, Split]:
    """cifar-10-python.tar.gz or cifar-100-python.tar.gz; of CIFAR-100 the fine labels."""
    parts = _members(archive)
    names = [f"data_batch_{k}" for k in range(1, 6)] if "data_batch_1" in parts else ["train"]
    test = "test_batch" if "test_batch" in parts else "test"
    rows = {name: _cifar_batch(parts[name]) for name in [*names, test]}
    x, y = zip(*(rows[name] for name in names), strict=True)
    return (np.concatenate(x), np.concatenate(y)), rows[test]


def cifar_binary(archive: Path) -> tuple[Split, Split]:
    """cifar-10-binary.tar.gz or cifar-100-binary.tar.gz; of CIFAR-100 the fine labels."""
    parts = _members(archive)
    names, test = [f"data_batch_{k}.bin" for k in range(1, 6)], "test_batch.bin"
    if "train.bin" in parts:
        names, test = ["train.bin"], "test.bin"
    labels = 2 if test == "test.bin" else 1  # CIFAR-100: the coarse label, then the fine one

    def read(name: str) -> Split:
        rows = np.frombuffer(parts[name], np.uint8).reshape(-1, labels + 3072)
        return _planes(rows[:, labels:]), rows[:, labels - 1].astype(np.int64)

    x, y = zip(*map(read, names), strict=True)
    return (np.concatenate(x), np.concatenate(y)), read(test)


def idx(train_images: Path, train_labels: Path, test_images: Path, test_labels: Path) -> tuple[Split, Split]:
    """The four idx.gz files of MNIST and its like."""
    pairs = ((train_images, train_labels), (test_images, test_labels))
    train, test = ((_idx(x)[..., np.newaxis], _idx(y).astype(np.int64)) for x, y in pairs)
    return train, test


def svhn(train: Path, test: Path) -> tuple[Split, Split]:
    """train_32x32.mat and test_32x32.mat; the label 10, which stands for the digit 0, becomes 0."""
    from scipy.io import loadmat

    def read(path: Path) -> Split:
        file = loadmat(path)
        return np.ascontiguousarray(file["X"].transpose(3, 0, 1, 2)), file["y"].reshape(-1).astype(np.int64) % 10

    return read(train), read(test)


def _members(archive: Path) -> dict[str, bytes]:
    """The files of a tar archive, by their last names."""
    with tarfile.open(archive) as tar:
        files = [(member.name.rpartition("/")[2], tar.extractfile(member)) for member in tar if member.isfile()]
        return {name: file.read() for name, file in files if file is not None}


def _cifar_batch(data: bytes) -> Split:
    batch = pickle.load(io.BytesIO(data), encoding="bytes")  # the archive's SHA-256 is known
    labels = batch[b"labels"] if b"labels" in batch else batch[b"fine_labels"]
    return _planes(np.asarray(batch[b"data"])), np.asarray(labels, dtype=np.int64)


def _planes(rows: NDArray[np.uint8]) -> Images:
    """Rows of 3 planes of 32 x 32 as images."""
    return np.ascontiguousarray(rows.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1))


def _idx(path: Path) -> NDArray[np.uint8]:
    data = gzip.decompress(path.read_bytes())
    dimensions = data[3]
    shape = np.frombuffer(data, ">u4", dimensions, 4)
    return np.frombuffer(data, np.uint8, offset=4 + 4 * dimensions).reshape(tuple(map(int, shape)))

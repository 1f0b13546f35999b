"""What is known of the canonical datasets: shapes, counts, and the archives they come in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from validation import archives
from validation.archives import Split

CIFAR = "https://www.cs.toronto.edu/~kriz/"
MNIST = "https://storage.googleapis.com/cvdf-datasets/mnist/"
SVHN = "http://ufldl.stanford.edu/housenumbers/"


@dataclass(frozen=True)
class Archive:
    """Files that together are a dataset: (address, SHA-256) each, and how they are read."""

    files: tuple[tuple[str, str], ...]
    read: Callable[..., tuple[Split, Split]]

    @property
    def names(self) -> list[str]:
        """The files' names."""
        return [url.rpartition("/")[2] for url, _ in self.files]


@dataclass(frozen=True)
class Known:
    """What is known of a canonical dataset: (side, channels), its training images by class, and its archives."""

    shape: tuple[int, int]
    counts: tuple[int, ...]
    archives: tuple[Archive, ...]


def _one(url: str, sha256: str, read: Callable[..., tuple[Split, Split]]) -> Archive:
    return Archive(((url, sha256),), read)


KNOWN = {
    "cifar10": Known(
        (32, 3),
        (5000,) * 10,
        (
            _one(
                CIFAR + "cifar-10-python.tar.gz",
                "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce",
                archives.cifar_python,
            ),
            _one(
                CIFAR + "cifar-10-binary.tar.gz",
                "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
                archives.cifar_binary,
            ),
        ),
    ),
    "cifar100": Known(
        (32, 3),
        (500,) * 100,
        (
            _one(
                CIFAR + "cifar-100-python.tar.gz",
                "85cd44d02ba6437773c5bbd22e183051d648de2e7d6b014e1ef29b855ba677a7",
                archives.cifar_python,
            ),
            _one(
                CIFAR + "cifar-100-binary.tar.gz",
                "58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec",
                archives.cifar_binary,
            ),
        ),
    ),
    "mnist": Known(
        (28, 1),
        (5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949),
        (
            Archive(
                (
                    (
                        MNIST + "train-images-idx3-ubyte.gz",
                        "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
                    ),
                    (
                        MNIST + "train-labels-idx1-ubyte.gz",
                        "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
                    ),
                    (
                        MNIST + "t10k-images-idx3-ubyte.gz",
                        "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
                    ),
                    (
                        MNIST + "t10k-labels-idx1-ubyte.gz",
                        "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
                    ),
                ),
                archives.idx,
            ),
        ),
    ),
    "svhn": Known(
        (32, 3),
        (4948, 13861, 10585, 8497, 7458, 6882, 5727, 5595, 5045, 4659),
        (
            Archive(
                (
                    (
                        SVHN + "train_32x32.mat",
                        "435e94d69a87fde4fd4d7f3dd208dfc32cb6ae8af2240d066de1df7508d083b8",
                    ),
                    (
                        SVHN + "test_32x32.mat",
                        "cdce80dfb2a2c4c6160906d0bd7c68ec5a99d7ca4831afa54f09182025b6a75b",
                    ),
                ),
                archives.svhn,
            ),
        ),
    ),
}

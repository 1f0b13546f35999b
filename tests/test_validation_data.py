"""Datasets from every form they come in, and what is refused."""

import dataclasses
import gzip
import hashlib
import io
import pickle
import sys
import tarfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
from scipy.io import savemat

from validation import catalogue, data, fetch

RNG = np.random.default_rng(0)
X = RNG.integers(0, 256, (40, 32, 32, 3), dtype=np.uint8)
Y = np.arange(40) % 10
U, V = X[::4] ^ 255, Y[::4]


@pytest.fixture(autouse=True)
def no_cache(monkeypatch, tmp_path):
    monkeypatch.setattr(fetch, "cache", lambda: tmp_path / "cache")
    monkeypatch.delenv(data.VARIABLE, raising=False)


def planes(x):
    return x.transpose(0, 3, 1, 2).reshape(len(x), -1)


def tar(path, members):
    with tarfile.open(path, "w:gz") as file:
        for name, content in members.items():
            info = tarfile.TarInfo(f"folder/{name}")
            info.size = len(content)
            file.addfile(info, io.BytesIO(content))
    return [path]


def cifar10_python(folder):
    rows = {f"data_batch_{k + 1}": (X[8 * k : 8 * k + 8], Y[8 * k : 8 * k + 8]) for k in range(5)} | {
        "test_batch": (U, V)
    }
    batches = {n: pickle.dumps({b"data": planes(x), b"labels": y.tolist()}) for n, (x, y) in rows.items()}
    return tar(folder / "cifar-10-python.tar.gz", batches | {"readme.html": b"hello"})


def cifar100_python(folder):
    rows = {"train": (X, Y), "test": (U, V)}
    batches = {
        n: pickle.dumps({b"data": planes(x), b"fine_labels": y.tolist(), b"coarse_labels": [7] * len(y)})
        for n, (x, y) in rows.items()
    }
    return tar(folder / "cifar-100-python.tar.gz", batches)


def binary(x, *labels):
    return np.column_stack([*labels, planes(x)]).astype(np.uint8).tobytes()


def cifar10_binary(folder):
    rows = {f"data_batch_{k + 1}.bin": binary(X[8 * k : 8 * k + 8], Y[8 * k : 8 * k + 8]) for k in range(5)}
    return tar(folder / "cifar-10-binary.tar.gz", rows | {"test_batch.bin": binary(U, V)})


def cifar100_binary(folder):
    coarse = np.full(40, 7)
    return tar(
        folder / "cifar-100-binary.tar.gz",
        {"train.bin": binary(X, coarse, Y), "test.bin": binary(U, coarse[::4], V)},
    )


def mnist(folder):
    names = catalogue.KNOWN["mnist"].archives[0].names
    arrays = (X[:, :28, :28, 0], Y.astype(np.uint8), U[:, :28, :28, 0], V.astype(np.uint8))
    for name, array in zip(names, arrays, strict=True):
        head = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes()
        (folder / name).write_bytes(gzip.compress(head + array.tobytes()))
    return [folder / name for name in names]


def svhn(folder):
    for name, x, y in (("train", X, Y), ("test", U, V)):
        digits = np.where(y == 0, 10, y)[:, np.newaxis].astype(np.uint8)
        savemat(folder / f"{name}_32x32.mat", {"X": x.transpose(1, 2, 3, 0), "y": digits})
    return [folder / f"{name}_32x32.mat" for name in ("train", "test")]


FORMS = {
    "cifar10": [cifar10_python, cifar10_binary],
    "cifar100": [cifar100_python, cifar100_binary],
    "mnist": [mnist],
    "svhn": [svhn],
}


@pytest.fixture
def canonical(monkeypatch, tmp_path):
    """`canonical(name, form)` writes archives of our images, and lets them pass for the canonical ones."""

    def make(name, form):
        known = catalogue.KNOWN[name]
        archive = known.archives[form]
        paths = FORMS[name][form](tmp_path)
        sums = [hashlib.sha256(path.read_bytes()).hexdigest() for path in paths]
        files = tuple((url, digest) for (url, _), digest in zip(archive.files, sums, strict=True))
        new = dataclasses.replace(known, archives=(dataclasses.replace(archive, files=files),))
        monkeypatch.setitem(catalogue.KNOWN, name, new)
        return paths

    return make


@pytest.mark.parametrize(("name", "form"), [(name, k) for name, forms in FORMS.items() for k in range(len(forms))])
def test_archives_are_read_as_they_are(name, form, canonical, tmp_path):
    canonical(name, form)
    found = data.load(name, tmp_path)
    cut = (slice(None), slice(28), slice(28), slice(1)) if name == "mnist" else ()
    np.testing.assert_array_equal(found.x_train, X[cut])
    np.testing.assert_array_equal(found.x_test, U[cut])
    np.testing.assert_array_equal(found.y_train, Y)
    np.testing.assert_array_equal(found.y_test, V)
    assert found.classes == (100 if name == "cifar100" else 10)


@pytest.mark.parametrize("damage", [lambda b: b[:-9], lambda b: b[:50] + bytes([b[50] ^ 1]) + b[51:]])
def test_a_truncated_or_altered_archive_is_refused_by_name(damage, canonical, tmp_path):
    (path,) = canonical("cifar10", 0)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(data.Refused, match=r"cifar-10-python.tar.gz is truncated or altered: its SHA-256 is"):
        data.load("cifar10", tmp_path)


def save(folder, name="cifar10", **changed):
    np.savez(folder / f"{name}.npz", **({"x_train": X, "y_train": Y, "x_test": U, "y_test": V} | changed))


def test_a_folder_of_npz_files_comes_before_archives(canonical, tmp_path, monkeypatch):
    canonical("cifar10", 0)
    save(tmp_path, x_train=X ^ 1)
    np.testing.assert_array_equal(data.load("cifar10", tmp_path).x_train, X ^ 1)
    save(tmp_path, "mine", x_train=X[..., 0], x_test=U[..., 0])
    monkeypatch.setenv(data.VARIABLE, str(tmp_path))
    mine = data.load("mine")
    assert (mine.x_train.shape, mine.classes) == ((40, 32, 32, 1), 10)


WHOLE = np.repeat(np.arange(10), 5000)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"x_train": X.astype(np.float32)}, "x_train must be uint8 images"),
        ({"x_train": X[:, :, :, 0:1]}, "must have one shape of image"),
        ({"x_train": X[:, :30], "x_test": U[:, :30]}, "images of cifar10 are 32 x 32 x 3"),
        ({"y_train": Y[:-1]}, r"y_train must be int64 labels, \(40,\), got int64 \(39,\)"),
        ({"y_test": V + 0.5}, "y_test must be integers"),
        ({"y_train": Y + 1}, "y_train must be from 0 to 9, got 1 to 10"),
        ({"y_test": V - 1}, "y_test must be from 0 to 9, got -1"),
        (
            {"x_train": np.zeros((50_000, 32, 32, 3), np.uint8), "y_train": np.where(np.arange(50_000) == 7, 1, WHOLE)},
            "mislabelled: 4999 training images of class 0, not 5000",
        ),
    ],
)
def test_files_that_are_not_what_their_name_says(changed, message, tmp_path):
    save(tmp_path, **changed)
    with pytest.raises(data.Refused, match=message) as error:
        data.load("cifar10", tmp_path)
    assert "cifar10.npz" in str(error.value)
    assert "\n" not in str(error.value)


def test_an_npz_that_is_truncated_or_lacks_arrays(tmp_path):
    save(tmp_path)
    path = tmp_path / "cifar10.npz"
    whole = path.read_bytes()
    for content in (whole[:2000], b"", b"no zip"):
        path.write_bytes(content)
        with pytest.raises(data.Refused, match=r"cifar10\.npz"):
            data.load("cifar10", tmp_path)
    np.savez(path, x_train=X, y_train=Y)
    with pytest.raises(data.Refused, match="it lacks x_test, y_test"):
        data.load("cifar10", tmp_path)


@pytest.mark.parametrize("write", [np.savez, np.savez_compressed])
def test_no_byte_of_an_npz_can_be_altered_unseen(write, tmp_path):
    path, x = tmp_path / "few.npz", np.repeat(X[:6, :4, :4, :1], 2, axis=0)  # so that there is something to compress
    write(path, x_train=x, y_train=Y[:12], x_test=x[::3], y_test=Y[:12:3])
    whole, before, refused = path.read_bytes(), data.load("few", tmp_path), 0
    rng = np.random.default_rng(1)
    for place in rng.choice(len(whole), 400, replace=False):
        altered = bytearray(whole)
        altered[place] ^= rng.integers(1, 256)
        path.write_bytes(altered)
        try:
            found = data.load("few", tmp_path)
        except data.Refused as error:
            refused += str(path) in str(error)
        else:  # a date, say
            for key in data.KEYS:
                np.testing.assert_array_equal(getattr(found, key), getattr(before, key), f"byte {place}")
    assert refused > 200


def test_what_is_nowhere_says_which_file_goes_where(tmp_path):
    with pytest.raises(
        FileNotFoundError, match=r"put it, from https://\S+/cifar-10-python.tar.gz, into .*cache, or put"
    ):
        data.load("cifar10", tmp_path, download=False)
    with pytest.raises(ValueError, match=r"data must be one of digits, cifar10.*got 'cifar'"):
        data.load("cifar", tmp_path)


def test_what_is_there_needs_nothing_that_downloads(tmp_path, monkeypatch):
    monkeypatch.undo()  # the cache is where it is
    monkeypatch.setitem(sys.modules, "pooch", None)
    monkeypatch.setenv(data.VARIABLE, str(tmp_path))
    save(tmp_path)
    assert len(data.load("cifar10").x_train) == 40
    (tmp_path / "cifar10.npz").unlink()
    with pytest.raises(FileNotFoundError, match=r"could not be had \(ModuleNotFoundError\); put .*--data-dir"):
        data.load("cifar10", tmp_path)


class Server(BaseHTTPRequestHandler):
    """Serves `content`; the first answer breaks off half-way."""

    def do_GET(self):
        server = self.server
        start = int(self.headers.get("Range", "bytes=0-")[6:-1])
        server.starts.append(start)
        rest = server.content[start:]
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(rest)))
        self.end_headers()
        self.wfile.write(rest[: len(rest) // 2] if len(server.starts) == 1 else rest)

    def log_message(self, *arguments):
        pass


@pytest.fixture
def server():
    with ThreadingHTTPServer(("127.0.0.1", 0), Server) as server:
        server.starts = []
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_a_download_that_broke_off_goes_on(server):
    server.content = RNG.bytes(3_000_000)
    digest = hashlib.sha256(server.content).hexdigest()
    url = f"http://127.0.0.1:{server.server_port}/set.bin"
    with pytest.raises(OSError, match=r"broken|IncompleteRead"):
        fetch.retrieve(url, digest)
    assert 0 < (fetch.cache() / "set.bin.part").stat().st_size < 3_000_000
    assert fetch.retrieve(url, digest).read_bytes() == server.content
    assert server.starts[0] == 0
    assert server.starts[1] > 0
    assert fetch.retrieve(url, digest).exists()
    assert len(server.starts) == 2  # from the cache


def test_a_download_with_another_checksum_is_refused_and_removed(server):
    server.content, server.starts = b"something else", [0]
    with pytest.raises(ValueError, match="hash"):
        fetch.retrieve(f"http://127.0.0.1:{server.server_port}/set.bin", "0" * 64)
    assert not list(fetch.cache().iterdir())


def test_digits_need_no_file():
    digits = data.load("digits")
    assert (digits.x_train.shape, digits.x_test.shape, digits.classes) == ((1437, 8, 8, 1), (360, 8, 8, 1), 10)
    assert digits.x_train.max() == 255
    assert set(digits.y_test) == set(range(10))

"""Kernels of convolutional networks: against neural-tangents, loops over pixels, random networks, and themselves."""

import json
import re

import numpy as np
import pytest

from linreg_dyn.ntk import convolutional
from linreg_dyn.ntk.convolutional import convolutional_kernel
from linreg_dyn.ntk.infinite import infinite_width
from tests import neural_tangents_numbers
from tests.wide_nets import EPS

NETS = {
    "gap": {"layers": "conv relu conv relu gap dense"},
    "myrtle": {"layers": "conv relu pool conv leaky_relu pool gap dense", "slope": 0.3, "bias_std": 0.2},
    "flatten": {"layers": "conv relu conv erf flatten dense", "weight_std": 1.4, "bias_std": 0.1},
    "head": {"layers": "pool conv erf flatten dense relu dense", "weight_std": [1.2, 1.0, 1.5]},
}
every_net = pytest.mark.parametrize("net", NETS.values(), ids=NETS)
every_device = pytest.mark.parametrize("device", [None, "cpu"])


pytestmark = pytest.mark.usefixtures("one_thread")


def images(count, *shape, seed=0):
    return np.random.default_rng(seed).standard_normal((count, *(shape or (4, 5, 2))))


def means(K, of_pixels):
    """Covariances of the means over lists of pixels, of images whose pixels have the covariance K."""
    out = np.empty((len(of_pixels), len(of_pixels)))
    for a, first in enumerate(of_pixels):
        for b, second in enumerate(of_pixels):
            out[a, b] = sum(K[p, q] for p in first for q in second) / len(first) / len(second)
    return out


def convolved(K, height, width):
    """Sums over both pixels' neighbours alike; those outside are zeros."""
    out = np.zeros_like(K)
    for p in np.ndindex(height, width):
        for q in np.ndindex(height, width):
            for dy in (-1, 0, 1):
                for dx in (-1, 0, 1):
                    a, b = (p[0] + dy, p[1] + dx), (q[0] + dy, q[1] + dx)
                    if all(0 <= y < height and 0 <= x < width for y, x in (a, b)):
                        i, j, k, m = (np.ravel_multi_index(v, (height, width)) for v in (p, q, a, b))
                        out[i, j] += K[k, m]
    return out / 9


def activated(K, own1, own2, slope):
    """`E[phi phi']` and `E[phi' phi']`, by an arccosine or an arcsine; slope None for erf."""
    outer = np.outer(own1, own2)
    if slope is None:
        root = np.sqrt(np.outer(1 + 2 * own1, 1 + 2 * own2))
        return 2 / np.pi * np.arcsin(2 * K / root), 4 / np.pi / np.sqrt(root**2 - 4 * K**2)
    scale = np.sqrt(outer)
    cosine = np.clip(K / np.where(scale > 0, scale, 1), -1, 1)
    angle, bend = np.arccos(cosine), (1 - slope) ** 2 / (2 * np.pi)
    slopes = (1 + slope**2) / 2 - bend * angle
    return scale * bend * np.sin(angle) + slopes * K, slopes


def by_loops(x1, x2, layers, slope=None, weight_std=1.0, bias_std=0.0):
    """(K, Theta) of two images [height, width, channel], everything by loops over all pairs of pixels."""
    shape, words = x1.shape[:2], layers.split()
    count = sum(word in ("conv", "dense") for word in words)
    stds = iter(zip(np.broadcast_to(weight_std, count), np.broadcast_to(bias_std, count), strict=True))
    first, second = (x.reshape(-1, x.shape[2]) for x in (x1, x2))
    covariances = [a @ b.T / x1.shape[2] for a, b in ((first, first), (first, second), (second, second))]
    theta = np.zeros_like(covariances[1])
    for word in words:
        if word in ("conv", "dense"):
            weight, bias = next(stds)
            mix = (lambda K, shape=shape: convolved(K, *shape)) if word == "conv" else (lambda K: K)
            covariances = [weight**2 * mix(K) + bias**2 for K in covariances]
            theta = covariances[1] + weight**2 * mix(theta)
        elif word in ("pool", "gap"):
            height, width = shape
            side = 2 if word == "pool" else max(shape)
            after = (height // 2, width // 2) if word == "pool" else (1, 1)
            groups = [
                [y * width + x for y, x in np.ndindex(shape) if (y // side, x // side) == (a, b)]
                for a, b in np.ndindex(after)
            ]
            (*covariances, theta) = (means(K, groups) for K in (*covariances, theta))
            shape = after
        elif word == "flatten":
            (*covariances, theta) = (np.array([[K.trace() / len(K)]]) for K in (*covariances, theta))
        else:
            of = {"relu": 0.0, "leaky_relu": slope, "linear": 1.0, "erf": None}[word]
            own1, own2 = covariances[0].diagonal(), covariances[2].diagonal()
            (a, _), (b, slopes), (c, _) = (
                activated(K, u, v, of)
                for K, u, v in zip(covariances, (own1, own1, own2), (own1, own2, own2), strict=True)
            )
            covariances, theta = [a, b, c], slopes * theta
    return covariances[1].item(), theta.item()


@every_net
@every_device
def test_loops_over_pixels(net, device):
    x, y = images(2), images(3, seed=1)
    kernels = convolutional_kernel(x, y, kind="both", device=device, **net)
    for i in range(2):
        for j in range(3):
            for got, expected in zip(kernels, by_loops(x[i], y[j], **net), strict=True):
                assert np.isclose(got[i, j], expected, rtol=1e-12, atol=0)


@pytest.mark.parametrize("name", neural_tangents_numbers.CONVOLUTIONAL)
def test_neural_tangents(name):
    options, (x1, x2) = neural_tangents_numbers.CONVOLUTIONAL[name], neural_tangents_numbers.images()
    theirs = json.loads(neural_tangents_numbers.PATH.read_text())["convolutional"][name]
    for kind in ("nngp", "ntk"):
        assert np.allclose(convolutional_kernel(x1, x2, kind=kind, **options), theirs["x1, x2"][kind], rtol=1e-10)
        ours, expected = convolutional_kernel(x1, kind=kind, **options), np.array(theirs["x1"][kind])
        pairs = ~np.eye(len(x1), dtype=bool)
        assert np.allclose(ours[pairs], expected[pairs], rtol=1e-10, atol=0)
        assert np.allclose(ours, expected, rtol=2e-8, atol=0)  # a sample with itself, where theirs has half the digits


@pytest.mark.parametrize("readout", ["gap", "flatten"])
@pytest.mark.parametrize("activation", ["relu", "erf", "linear", "leaky_relu"])
def test_images_of_one_pixel_are_vectors(readout, activation):
    """Of nine shifts one stays in the image: a fully connected network, its weights a third."""
    x, slope = images(5, 1, 1, 7), 0.2 if activation == "leaky_relu" else None
    layers = f"conv {activation} conv {activation} {readout} dense"
    ours = convolutional_kernel(x, layers=layers, slope=slope, weight_std=[3.3, 2.7, 0.8], bias_std=0.3, kind="both")
    options = {"hidden_layers": 2, "activation": activation, "slope": slope, "bias_std": 0.3, "kind": "both"}
    expected = infinite_width(x[:, 0, 0], weight_std=[1.1, 0.9, 0.8], **options)
    assert np.allclose(ours, expected, rtol=1e-14, atol=1e-15)


@pytest.mark.parametrize("readout", ["gap", "flatten"])
def test_random_filters(readout):
    """The features of one layer of filters, drawn: their mean products within five standard errors."""
    rng = np.random.default_rng(5)
    x, channels = images(3, 3, 4, 2, seed=2), 40_000
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    patches = np.stack([padded[:, y : y + 3, c : c + 4] for y in range(3) for c in range(3)], axis=3)
    z = 1.3 * patches.reshape(3, 12, 18) @ rng.standard_normal((18, channels)) / 18**0.5
    z += 0.2 * rng.standard_normal(channels)
    features = np.maximum(z, 0)
    layers = f"conv relu {readout} dense"
    exact = convolutional_kernel(x, layers=layers, weight_std=[1.3, 1.0], bias_std=[0.2, 0.0], kind="nngp")
    for i in range(3):
        for j in range(3):
            if readout == "gap":
                drawn = features[i].mean(axis=0) * features[j].mean(axis=0)
            else:
                drawn = (features[i] * features[j]).mean(axis=0)
            assert abs(drawn.mean() - exact[i, j]) <= 5 * drawn.std() / channels**0.5


@every_net
@every_device
def test_what_a_kernel_is(net, device):
    x = images(20, 6, 6)
    options = {"kind": "both", "device": device, **net}
    kernels = convolutional_kernel(x, **options)
    diagonals = convolutional_kernel(x, diagonal=True, **options)
    across = convolutional_kernel(x[:7], x[3:], **options)
    for K, diagonal, part in zip(kernels, diagonals, across, strict=True):
        assert np.array_equal(K, K.T)
        assert np.array_equal(K.diagonal(), diagonal)
        assert np.allclose(part, K[:7, 3:], rtol=1e-13)
        assert np.linalg.eigvalsh(K)[0] >= -100 * EPS * K.trace()
    for kind in ("nngp", "ntk"):
        single = convolutional_kernel(x, **{**net, "kind": kind, "dtype": "float32"})
        assert np.array_equal(single, getattr(kernels, kind).astype("float32"))


@every_net
def test_threads_and_batches_do_not_matter(net, monkeypatch):
    x, y = images(9, 4, 4), images(4, 4, 4, seed=1)
    expected = [convolutional_kernel(x, other, threads=1, **net) for other in (None, y)]
    monkeypatch.setattr(convolutional, "_BATCH", 0.0)  # as few pairs as there are at once
    done = []
    for other, kernel in zip((None, y), expected, strict=True):
        done.clear()
        assert np.array_equal(convolutional_kernel(x, other, threads=2, watch=done.append, **net), kernel)
        assert len(done) > 1
        assert done == sorted(done)
        assert done[-1] == 1


def test_pairs_of_one_pixel_are_those_of_all_pixels(monkeypatch):
    """Without "pool", "flatten" needs none of the other pairs; computed all the same, they change nothing."""
    x = images(4)
    few = convolutional_kernel(x, kind="both", **NETS["flatten"])
    program = convolutional._program
    monkeypatch.setattr(convolutional, "_program", lambda *layers: program(*layers)._replace(tied=False))
    assert np.allclose(convolutional_kernel(x, kind="both", **NETS["flatten"]), few, rtol=1e-14)


@pytest.mark.parametrize("layers", ["conv relu conv relu gap dense", "conv relu conv relu flatten dense"])
@every_device
def test_pixels_that_coincide_keep_their_digits(layers, device):
    """An image and its multiple by 3: every patch is parallel to another one, and the network is homogeneous."""
    x = np.abs(images(1, 5, 5, 3))
    x[:, :, 2:] = x[:, :1, :1]  # and patches alike within an image
    own = convolutional_kernel(x, layers=layers, device=device, diagonal=True)
    assert np.allclose(convolutional_kernel(x, 3 * x, layers=layers, device=device), 3 * own, rtol=100 * EPS, atol=0)


@every_device
def test_black_images_and_black_pixels(device):
    x = images(3, 4, 4, 1)
    x[0] = 0
    x[1, :3] = 0
    for layers in ("conv relu gap dense", "conv erf pool flatten dense", "conv relu flatten dense"):
        kernel = convolutional_kernel(x, layers=layers, device=device)
        assert np.all(kernel[0] == 0)
        assert np.all(kernel[1:, 1:].diagonal() > 0)
        assert np.isfinite(convolutional_kernel(x, layers=layers, device=device, bias_std=0.5)).all()


@every_device
def test_pixels_that_cancel_in_a_pool(device):
    """Their mean is 0 up to rounding, and so is its variance, on either side of 0."""
    values = np.array([[0.1, 0.2], [-0.6, 0.3]])
    x = np.stack([k * values for k in (1.0, 0.7, 1.1, 3.3)])
    assert 0 < np.abs(x.mean(axis=(1, 2))).max() < 1e-15
    kernel = convolutional_kernel(x, layers="pool conv relu gap dense", device=device)
    assert np.abs(kernel).max() <= EPS * np.square(x).max()
    layers = "conv linear pool conv erf gap dense"
    assert np.isfinite(convolutional_kernel(x, layers=layers, device=device)).all()


def test_forms_of_input():
    x = images(3, 4, 5, 1)
    kernel = convolutional_kernel(x)
    assert np.array_equal(convolutional_kernel(x[..., 0], layers=["conv", "relu"] * 2 + ["gap", "dense"]), kernel)


BAD = {
    "layers must be one of 'conv', 'pool', 'gap', 'flatten', 'dense', 'linear', 'relu', 'leaky_relu', 'erf', got 'a'": {
        "layers": "conv a gap dense"
    },
    "layers must have 'gap' or 'flatten' once and 'dense' at the end, got 'conv relu dense'": {
        "layers": "conv relu dense"
    },
    "layers must have 'gap' or 'flatten' once and 'dense' at the end, got ''": {"layers": ""},
    "layers must have 'gap' or 'flatten' once and 'dense' at the end, got 'conv gap gap dense'": {
        "layers": "conv gap gap dense"
    },
    "layers must have 'gap' or 'flatten' once and 'dense' at the end, got 'conv gap dense relu'": {
        "layers": "conv gap dense relu"
    },
    "layers must have 'conv' and 'pool' before 'gap', 'dense' after: 'gap conv dense'": {"layers": "gap conv dense"},
    "layers must have 'conv' and 'pool' before 'gap', 'dense' after: 'dense gap dense'": {"layers": "dense gap dense"},
    "layers must have 'conv' or 'dense' before each activation, 'relu' has none: 'conv relu pool relu gap dense'": {
        "layers": "conv relu pool relu gap dense"
    },
    "layers must have 'conv' or 'dense' before each activation, 'erf' has none: 'erf conv gap dense'": {
        "layers": "erf conv gap dense"
    },
    "layers must leave 2 x 2 pixels for each 'pool', one finds (1, 1)": {"layers": "conv pool pool pool gap dense"},
    "slope belongs to 'leaky_relu', which layers have not": {"slope": 0.1},
    "weight_std must be a number, or 3 of them (one a layer), got shape (2,)": {"weight_std": [1, 1]},
    "bias_std must be a finite number >= 0, got -1": {"bias_std": -1},
    "kind must be one of 'ntk', 'nngp', 'both', got 'gp'": {"kind": "gp"},
    "dtype must be one of": {"dtype": "int"},
    "threads must be an integer": {"threads": -1},
    "diagonal must go without x2": {"diagonal": True, "x2": images(2)},
    "x1 and x2 must be images alike, got (3, 4, 5, 2) and (2, 4, 5, 1)": {"x2": images(2, 4, 5)},
    "x1 must have a shape (sample, height, width) or (sample, height, width, channel) without zeros, got (3, 4)": {
        "x1": np.ones((3, 4))
    },
    "x1 must be images of at most 4096 pixels, got (65, 64)": {"x1": np.ones((1, 65, 64))},
    "x1 must be finite, got inf": {"x1": np.full((1, 2, 2), np.inf)},
    "max_memory must be a finite number > 0": {"max_memory": -1},
    "the kernel of 3 x 3 images of 20 pixels would take": {"max_memory": 1000},
    "the kernel overflows float64: scale x1, x2, weight_std or bias_std down": {"x1": 1e200 * images(2)},
    "the kernel overflows float32: scale x1": {"x1": 1e25 * images(2), "dtype": "float32"},
}


@pytest.mark.parametrize("message", BAD)
def test_bad_input_is_one_line(message):
    arguments = {"x1": images(3), **BAD[message]}
    with pytest.raises((ValueError, TypeError), match=f"^{re.escape(message)}") as error:
        convolutional_kernel(arguments.pop("x1"), arguments.pop("x2", None), **arguments)
    assert "\n" not in str(error.value)


def test_what_does_not_fit_is_refused_beforehand(monkeypatch):
    monkeypatch.setattr(convolutional, "fill_pairs", None)
    with pytest.raises(ValueError, match=r"the kernel of 40000 x 40000 images of 4 pixels would take 11\.9 GiB of"):
        convolutional_kernel(np.ones((40_000, 2, 2)), max_memory=2**33)

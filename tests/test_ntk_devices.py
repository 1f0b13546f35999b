"""Kernels on torch devices: as those of compiled code, and within the memory that they ask for."""

import sys
import weakref

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from linreg_dyn.ntk import _convolutional_torch, _device, _infinite_torch, convolutional
from linreg_dyn.ntk.convolutional import convolutional_kernel
from linreg_dyn.ntk.empirical import empirical_kernel
from linreg_dyn.ntk.infinite import infinite_width
from tests.test_ntk_convolutional import NETS as IMAGE_NETS
from tests.test_ntk_convolutional import images
from tests.wide_nets import EPS, TOLERANCE, delicate, every_net, samples

pytestmark = pytest.mark.usefixtures("one_thread")
every_image_net = pytest.mark.parametrize("net", IMAGE_NETS.values(), ids=IMAGE_NETS)


def on_a_gpu(test):
    return pytest.mark.gpu(pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")(test))


@every_net
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_vectors(net, dtype, monkeypatch):
    monkeypatch.setattr(_device, "CPU_BYTES", 37 * _infinite_torch.bytes_each(110))  # rows at once
    x, y = np.concatenate([delicate()[:8], samples(102, seed=2)]), samples(9, seed=4)
    options = {"hidden_layers": 2, "kind": "both", "dtype": dtype, **net}
    for other in (None, y):
        kernels = infinite_width(x, other, **options), infinite_width(x, other, device="cpu", **options)
        for here, there in zip(*kernels, strict=True):
            assert there.dtype == dtype
            assert np.allclose(here, there, rtol=0, atol=60 * np.finfo(dtype).eps * np.abs(here).max())
            assert other is not None or np.array_equal(there, there.T)


@every_net
@on_a_gpu
def test_vectors_on_a_gpu(net):
    x = np.concatenate([delicate(), samples(500, seed=2)])
    options = {"hidden_layers": 2, "kind": "both", **net}
    for here, there in zip(infinite_width(x, **options), infinite_width(x, device="cuda", **options), strict=True):
        size = np.sqrt(np.maximum(here.diagonal(), 1e-300))
        assert np.all(np.abs(here - there) <= 2 * TOLERANCE * size[:, None] * size)


@pytest.fixture
def sines(monkeypatch):
    """Of the angles between pixels that a ReLU on tensors finds, those but 0."""
    found, rectified = [1.0], _convolutional_torch.rectified

    def watched(minus, plus, bend, straight):
        sine = (minus * plus).sqrt()
        found.extend(sine[sine > 0].tolist())
        return rectified(minus, plus, bend, straight)

    monkeypatch.setattr(_convolutional_torch, "rectified", watched)
    return found


def same_images(x, y, device, net, sines):
    """Compare: some 30 roundings a layer, of which an angle makes `1 / sin(angle)`, and one for each pair of pixels.

    Means are what adds up that many, and in another order.
    """
    options = {"kind": "both", **net}
    roundings = 30 * len(net["layers"].split()) / min(sines) + (x.shape[1] * x.shape[2]) ** 2
    kernels = convolutional_kernel(x, y, **options), convolutional_kernel(x, y, device=device, **options)
    for here, there in zip(*kernels, strict=True):
        assert np.allclose(here, there, rtol=0, atol=roundings * EPS * np.abs(here).max())
        assert y is not None or np.array_equal(there, there.T)


@every_image_net
def test_images(net, sines, monkeypatch):
    x, y = images(9, 5, 4, 3), images(4, 5, 4, 3, seed=1)
    convolutional_kernel(np.concatenate([x, y]), device="cpu", **net)
    assert min(sines) > 1e-3
    for pairs in (1000.0, 7.0):  # at once
        monkeypatch.setattr(_device, "CPU_BYTES", 8.0 * _convolutional_torch._TEMPORARIES * 20 * pairs)
        for other in (None, y):
            same_images(x, other, "cpu", net, sines)


@every_image_net
@on_a_gpu
def test_images_on_a_gpu(net, sines):
    x, y = images(20, 8, 8, 3), images(4, 8, 8, 3, seed=1)
    convolutional_kernel(np.concatenate([x, y]), device="cpu", **net)
    for other in (None, y):
        same_images(x, other, "cuda", net, sines)


def test_watch_hears_of_blocks(monkeypatch):
    x, done = images(9), []
    whole = convolutional_kernel(x, device="cpu")
    monkeypatch.setattr(_device, "CPU_BYTES", 1.0)
    assert np.array_equal(convolutional_kernel(x, device="cpu", watch=done.append), whole)
    assert done == [(k + 1) / 45 for k in range(45)]


class Live(TorchDispatchMode):
    """Counts the bytes of the tensors that are alive at once."""

    def __init__(self):
        super().__init__()
        self.tensors, self.most = [], 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        self.tensors += [weakref.ref(leaf) for leaf in tree_leaves(out) if isinstance(leaf, torch.Tensor)]
        self.tensors = [tensor for tensor in self.tensors if tensor() is not None]
        storages = {t.data_ptr(): t.nbytes() for tensor in self.tensors for t in [tensor().untyped_storage()]}
        self.most = max(self.most, sum(storages.values()))
        return out


@pytest.mark.parametrize("x", [samples(300), np.ones((300, 7))], ids=["different", "equal"])
@every_net
def test_rows_take_what_they_ask_for(net, x):
    with Live() as live:
        infinite_width(x, hidden_layers=2, device="cpu", **net)
    assert 0.4 < live.most / (_infinite_torch.bytes_each(300) * 300) <= 1


@pytest.mark.parametrize(
    "layers", ["conv {} conv {} gap dense", "conv {} conv {} flatten dense", "conv {} pool conv {} gap dense"]
)
@pytest.mark.parametrize("activation", ["relu", "erf", "linear"])
def test_pairs_of_images_take_what_they_ask_for(activation, layers):
    layers = layers.replace("{}", activation)
    with Live() as live:
        convolutional_kernel(images(9, 8, 8), layers=layers, device="cpu")
    block = 8.0 * _convolutional_torch._TEMPORARIES * (64 if "flatten" in layers else 64**2) * 45
    held = 8.0 * 9 * 64 * (2 + 2 * 2)  # images of two channels, and moments of two activations
    assert 0.4 < live.most / (block + held) <= 1


@pytest.mark.parametrize("room", [14e6, 16e6, 25e6, 60e6])
def test_empirical_kernels_of_many_outputs_take_what_they_may(room):
    with Live() as live:
        kernel = empirical_kernel(torch.nn.Linear(3, 30).double(), samples(40, 3), outputs="full", max_memory=room)
    assert 0.6 < (live.most + kernel.nbytes * 9 / 8) / room <= 1


@every_image_net
def test_nothing_but_a_blocks_kernels_is_waited_for(net, monkeypatch):
    """On a device without numbers nothing can be copied back, nor asked whether it is so."""
    copied = []
    monkeypatch.setattr(torch.Tensor, "cpu", lambda tensor: copied.append(tensor.shape) or torch.zeros(tensor.shape))
    monkeypatch.setattr(convolutional, "place_of", torch.device)
    monkeypatch.setattr(_convolutional_torch, "at_once", lambda *_: 7)
    convolutional_kernel(images(9), device="meta", **net)
    assert copied == [(2, 7), (2, 2), *[(2, 7)] * 6, (2, 3)]  # own, then all pairs
    with pytest.raises(RuntimeError):
        torch.ones(3, device="meta")[torch.ones(3, device="meta") > 0]  # this one waits


kernels = pytest.mark.parametrize("kernel", [infinite_width, convolutional_kernel])
inputs = {infinite_width: samples(4), convolutional_kernel: images(4)}


@kernels
@pytest.mark.parametrize("device", ["tpu", "meta", 1.5])
def test_what_is_no_device(kernel, device):
    with pytest.raises(ValueError, match=f"^device must be None, 'cuda', 'cuda:0' or 'cpu', got {device!r}$"):
        kernel(inputs[kernel], device=device)


@kernels
@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_no_gpu_is_one_line(kernel):
    with pytest.raises(ValueError, match=r"^device 'cuda' must be a GPU that torch can use, it finds 0$"):
        kernel(inputs[kernel], device="cuda")


def test_without_torch_a_device_is_refused_in_one_line(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(ValueError, match=r"device 'cpu' needs torch, which is not installed: pip install"):
        _device.place_of("cpu")


@kernels
def test_blocks_count_as_memory(kernel):
    kernel(inputs[kernel], max_memory=2**28)
    with pytest.raises(ValueError, match=r"would take 0\.25 GiB of memory, and 0\.249 GiB may be used"):
        kernel(inputs[kernel], device="cpu", max_memory=2**28 - 2**20)


def test_blocks_of_a_gpu(monkeypatch):
    """Half of what is free, up to what keeps it busy; what torch keeps for later is free."""
    place, free, kept = torch.device("cuda"), 2.0**30, 2**20
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (free, 2**37))
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda _: 3 * kept)
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda _: kept)
    assert _device.at_once(place, 1000.0, 2.0**28) == int((0.9 * (free + 2 * kept) - 2**28) / 2000)
    assert _device.at_once(place, 0.6 * free, 0.1 * free) == 1
    with pytest.raises(ValueError, match=r"^device 'cuda' has room for 0\.902 GiB, and .* would take 1;"):
        _device.at_once(place, 0.6 * free, 0.4 * free)
    free = 2.0**37
    assert _device.at_once(place, 1000.0, 0.0) == int(_device.GPU_BYTES / 1000)

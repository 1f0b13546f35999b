"""The networks: known numbers of parameters, shapes, switches, initialisation."""

import pytest
import torch
from torch import nn

from validation.models import MODELS, build, parameters
from validation.models.alexnet import LocalResponseNorm

CIFAR = {"channels": 3, "side": 32, "classes": 10}


def conv_count(size, inside, outside):
    return size * size * inside * outside + outside


# Numbers of the papers, of their authors' code, or of the widely used implementations for small images.
KNOWN = [
    ("fc", {"side": 28, "channels": 1}, 784 * 2048 + 2048 + 2 * (2048 * 2048 + 2048) + 20490),
    ("all_cnn", {"norms": "none"}, 1_369_738),
    ("resnet", {"depth": 18}, 11_173_962),
    ("resnet", {"depth": 34}, 21_282_122),
    ("resnet", {"depth": 18, "classes": 100}, 11_173_962 + 90 * 513),
    ("thin_resnet", {"depth": 20}, 269_722),
    ("thin_resnet", {"depth": 32}, 464_154),
    ("wide_resnet", {}, 36_479_194),
    ("vgg", {"depth": 11}, 9_231_114),
    ("vgg", {"depth": 16}, 14_728_266),
    ("alexnet", {"side": 28}, 1_387_786),
    (
        "lewkowycz_cnn",
        {},
        conv_count(3, 3, 300) + 3 * conv_count(3, 300, 300) + (18 * 18 * 300 + 1) * 500 + 501 * 10,
    ),
    (
        "unet",
        {},
        sum(
            conv_count(3, a, b) + conv_count(3, b, b)
            for a, b in ((3, 64), (64, 128), (128, 256), (256, 512), (512, 1024))
        )
        + sum(conv_count(2, 2 * b, b) + conv_count(3, 2 * b, b) + conv_count(3, b, b) for b in (512, 256, 128, 64))
        + conv_count(1, 64, 3),
    ),
]


@pytest.mark.parametrize(("name", "options", "count"), KNOWN)
def test_numbers_of_parameters(name, options, count):
    with torch.device("meta"):
        assert parameters(build(name, **CIFAR | options)) == count


def test_every_network_is_counted():
    assert {name for name, *_ in KNOWN} == set(MODELS)


SMALL = {
    "fc": {"width": 8, "depth": 2},
    "lewkowycz_cnn": {"width": 4, "dense": 5},
    "all_cnn": {"width": 4},
    "resnet": {"width": 4},
    "thin_resnet": {"depth": 14, "width": 4},
    "wide_resnet": {"depth": 10, "widen": 1},
    "vgg": {"width": 4, "depth": 11},
    "alexnet": {"width": 4},
    "unet": {"width": 4, "levels": 3},
}


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("side", [16, 32])
def test_shapes_and_gradients(name, side):
    torch.manual_seed(0)
    model = build(name, channels=2, side=side, classes=7, **SMALL[name])
    x = torch.randn(3, 2, side, side)
    y = model(x)
    assert y.shape == (x.shape if name == "unet" else (3, 7))
    (y**2).sum().backward()
    assert all(
        p.grad is not None and p.grad.abs().sum() > 0 for p in model.parameters() if p.requires_grad and p.ndim > 1
    )


@pytest.mark.parametrize("name", sorted(set(MODELS) - {"fc"}))
def test_the_memory_format_changes_nothing(name):
    """Flattening orders pixels by place, whatever the strides."""
    torch.manual_seed(0)
    model = build(name, channels=3, side=16, classes=4, **SMALL[name]).eval().double()
    x = torch.randn(2, 3, 16, 16, dtype=torch.float64)
    torch.testing.assert_close(model(x.to(memory_format=torch.channels_last)), model(x), rtol=1e-12, atol=1e-12)


def test_local_responses_are_normalised_as_torch_does():
    """Values and slopes at responses that are large enough to matter; a few dozen roundings of float64."""
    for channels in (3, 8):
        x = 100 * torch.randn(2, channels, 4, 4, dtype=torch.float64)
        ours, torchs = x.clone().requires_grad_(), x.clone().requires_grad_()
        found, expected = LocalResponseNorm()(ours), nn.LocalResponseNorm(5)(torchs)
        assert (abs(expected) < 0.9 * abs(x)).any()
        torch.testing.assert_close(found, expected, rtol=1e-14, atol=0)
        (found**2).sum().backward()
        (expected**2).sum().backward()
        torch.testing.assert_close(ours.grad, torchs.grad, rtol=1e-12, atol=1e-10)


def kinds(model, kind):
    return sum(isinstance(layer, kind) for layer in model.modules())


@pytest.mark.parametrize(
    ("name", "options", "norms"),
    [
        ("resnet", {"depth": 18}, {"all": 1 + 16 + 3, "first": 1 + 8 + 3, "none": 0}),
        ("vgg", {"depth": 16}, {"all": 13, "first": 5, "none": 0}),
        ("thin_resnet", {"depth": 14}, {"all": 13, "first": 7, "none": 0}),
        ("wide_resnet", {"depth": 16}, {"all": 13, "first": 7, "none": 0}),
        ("lewkowycz_cnn", {}, {"all": 3, "none": 0}),
        ("all_cnn", {}, {"all": 8, "none": 0}),
    ],
)
def test_batch_norms_that_are_kept(name, options, norms):
    with torch.device("meta"):
        found = {kept: kinds(build(name, **CIFAR, **options, norms=kept), nn.BatchNorm2d) for kept in norms}
    assert found == norms


@pytest.mark.parametrize("activation", ["relu", "leaky_relu", "tanh", "sigmoid"])
@pytest.mark.parametrize("name", ["fc", "resnet", "vgg", "alexnet", "unet"])
def test_activations_are_those_asked_for(name, activation):
    of = {"relu": nn.ReLU, "leaky_relu": nn.LeakyReLU, "tanh": nn.Tanh, "sigmoid": nn.Sigmoid}
    model = build(name, **CIFAR, **SMALL[name], activation=activation)
    assert kinds(model, of[activation]) > 0
    assert all(not kinds(model, other) for key, other in of.items() if key != activation)


def test_skips_that_are_kept():
    """Without the convolutions' outputs a block is its shortcut: what is left says which are there."""
    for skips, kept in (("all", 2), ("first", 1), ("none", 0)):
        model = build("resnet", channels=3, side=8, classes=2, width=4, norms="none", skips=skips)
        blocks = [layer for layer in model.children() if hasattr(layer, "second")]
        assert len(blocks) == 8
        for k, block in enumerate(blocks):
            nn.init.zeros_(block.second.weight)
            x = torch.rand(1, block.first.in_channels, 4, 4)
            assert bool(block(x).any()) == (k % 2 < kept)


def test_unet_without_skips_sees_nothing_but_the_deepest_level():
    for skips, expected in ((None, True), (0, False)):
        torch.manual_seed(0)
        model = build("unet", channels=1, side=8, width=4, levels=2, skips=skips, classes=0)
        nn.init.zeros_(model.down[-1][2].weight)  # nothing comes up from below
        x = torch.randn(1, 1, 8, 8)
        assert torch.allclose(model(x), model(-x)) != expected
    counts = [parameters(build("unet", **CIFAR, width=4, skips=k)) for k in range(5)]
    assert counts == sorted(set(counts))


def test_initialisations_have_their_variance():
    torch.manual_seed(0)
    model = build("fc", channels=1, side=28, classes=10, width=1024)
    for layer in model:
        if isinstance(layer, nn.Linear):
            assert layer.weight.var().item() == pytest.approx(2 / layer.in_features, rel=0.06)
            assert not layer.bias.any()
    wide = build("wide_resnet", **CIFAR, depth=10, widen=4, weight_std=1.0)
    convolutions = [layer for layer in wide.modules() if isinstance(layer, nn.Conv2d) and layer.weight.numel() > 30_000]
    for layer in convolutions:
        assert layer.weight.var().item() == pytest.approx(1 / layer.weight[0].numel(), rel=0.06)
    assert convolutions


def test_ntk_parameterisation_is_the_same_function_at_other_scales():
    """theta_ntk = sqrt(fan_in) / sigma_w theta_standard gives the same outputs."""
    torch.manual_seed(0)
    k = {"channels": 1, "side": 4, "classes": 3, "width": 50, "depth": 2, "weight_std": 1.5}
    ntk, standard = build("fc", **k, parameterisation="ntk"), build("fc", **k)
    with torch.no_grad():
        for a, b in zip(ntk[1::2], standard[1::2], strict=True):
            assert a.weight.var().item() == pytest.approx(1, rel=0.3)
            b.weight.copy_(a.weight * a.scale)
    x = torch.randn(5, 1, 4, 4)
    torch.testing.assert_close(ntk(x), standard(x), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("depth", [0, 1, 3])
def test_networks_without_biases_are_homogeneous(depth):
    torch.manual_seed(0)
    model = build("fc", channels=1, side=3, classes=2, width=20, depth=depth, bias=False).double()
    x = torch.randn(4, 1, 3, 3, dtype=torch.float64)
    before = model(x)
    with torch.no_grad():
        for p in model.parameters():
            p *= 1.7
    torch.testing.assert_close(model(x), 1.7 ** (depth + 1) * before, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("resnet50", {}, "model must be one of 'fc'"),
        ("resnet", {"depth": 50}, "depth must be one of '18', '34'"),
        ("resnet", {"norms": "some"}, "norm must be one of 'all', 'first', 'none'"),
        ("resnet", {"skips": "last"}, "skips must be one of"),
        ("thin_resnet", {"depth": 33}, r"depth must be 6 n \+ 2, got 33"),
        ("wide_resnet", {"depth": 27}, r"depth must be 6 n \+ 4, got 27"),
        ("lewkowycz_cnn", {"side": 14}, "side must be at least 15 for pools of 6, got 14"),
        ("unet", {"side": 20}, "side must be a multiple of 16 for 4 levels, got 20"),
        ("unet", {"skips": 5}, "skips must be an integer from 0 to 4"),
        ("fc", {"activation": "gelu"}, "activation must be one of"),
        ("fc", {"width": 0}, "width must be an integer from 1"),
    ],
)
def test_bad_options_are_named(name, options, message):
    with pytest.raises(ValueError, match=message):
        build(name, **CIFAR | options)

"""How long trainings take, by arithmetic: sizes of networks against what is known of them, and the formula by hand."""

import pytest

from tests.benchmarks.training_loops import multiply_adds
from validation import experiments
from validation.experiments.guess import PEAK, SHARE, START, Size, seconds, size
from validation.models import build

RESNET = {"name": "resnet", "depth": 18}


@pytest.mark.parametrize(
    ("options", "millions"),
    [
        (RESNET, 555.4),  # 3 x 3 convolutions, three projections, one dense layer: kuangliu/pytorch-cifar's 0.56 G
        ({"name": "thin_resnet", "depth": 32}, 69.0),  # He et al.: 0.07 G
        ({"name": "vgg", "depth": 16}, 313.2),
        ({"name": "wide_resnet"}, 5248.0),  # Zagoruyko & Komodakis: 5.2 G
    ],
)
def test_operations_are_those_known_of_a_network(options, millions):
    found = size(options, "cifar10").operations / 2
    assert found == pytest.approx(millions * 1e6, rel=5e-3)
    assert found == multiply_adds(build(**options, channels=3, side=32, classes=10), (3, 32, 32))


def test_transposed_convolutions_count_by_what_goes_in():
    """A U-Net of one halving, one channel wide: by hand, layer after layer."""
    pixels, half = 64, 16
    rising = 2 * half * 2 * 1 * 4  # 2 channels in, 1 out, 2 x 2
    expected = rising + 2 * pixels * 1 * 1  # the last convolution has one weight
    for inside, out, n in ((1, 1, pixels), (1, 2, half), (2, 1, pixels)):
        expected += 2 * n * 9 * (inside * out + out * out)
    assert size({"name": "unet", "width": 1, "levels": 1}, "digits").operations == expected


def test_layers_and_shapes():
    net = {"name": "fc", "width": 64, "depth": 2}
    assert size(net, "digits") == Size(2 * (64 * 64 + 64 * 64 + 64 * 10), 6)  # as rows; three dense, two activations
    assert size(net, "cifar100").operations == 2 * (3072 * 64 + 64 * 64 + 64 * 100)
    assert size(net, "pictures").operations == 2 * (64 * 64 * 3 * 64 + 64 * 64 + 64 * 1000)


def test_a_training_takes_its_operations_or_its_kernels():
    large, small = Size(1e9, 60), Size(1e3, 60)
    how = {"steps": 1000, "batch": 100, "tests": 0}
    expected = START + (1000 * 100 * 3 + 50_000) * 1e9 / (SHARE * PEAK["bf16"])
    assert seconds(large, **how, precision="bf16") == pytest.approx(expected)
    assert seconds(large, **how, precision="float32") > 5 * seconds(large, **how, precision="bf16") - 5 * START
    assert seconds(small, **how, precision="bf16") == pytest.approx(START + 1000 * 60 * 4 * 3e-6)
    assert seconds(large, **how | {"tests": 10}, precision="bf16") - expected == pytest.approx(
        100_000 * 1e9 / (SHARE * PEAK["bf16"])
    )


def test_a_figure_takes_about_twenty_minutes_of_one_gpu():
    for spec in experiments.specs("gpu"):
        assert 0 < spec.minutes <= 22, spec.name
        if spec.setting.minutes is None:
            assert spec.minutes < 20, spec.name
            if "paper" in spec.experiment.scales:
                assert spec.experiment.spec("paper").minutes > 9 * spec.minutes

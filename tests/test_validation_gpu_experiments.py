"""Every kind of experiment on a GPU, at toy size: it runs there, and finds numbers where it finds some on the CPU."""

import numpy as np
import pytest
import torch

from tests import test_validation_experiments_adaptive as adaptive
from tests import test_validation_experiments_chen as chen
from tests import test_validation_experiments_ginsburg as ginsburg
from tests import test_validation_experiments_golatkar as golatkar
from tests import test_validation_experiments_lewkowycz as lewkowycz
from validation.context import Context
from validation.experiments.ginsburg import CONV

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"),
    pytest.mark.filterwarnings("default"),  # libraries announce on a device what they do nowhere else
]

DEVICE = "cuda"
SHORT = {"nets": {"relu": ginsburg.TINY, "conv": CONV | {"width": 4}}, "warm": 10, "draws": 2}


def cases():
    """(experiment, scale, what is changed of its values), one of each network and kind of measure."""
    for name, experiment in ginsburg.BY_NAME.items():
        small = ginsburg.SMALLER[name] | SHORT
        if isinstance(small.get("steps"), dict):
            small["steps"] = {"relu": 200, "conv": 20}
        yield experiment, "quick", small
    for name, experiment in golatkar.BY_ID.items():
        if "gpu" in experiment.scales and not name.endswith(golatkar.VARIANTS):
            few = {"images": 8} if "images" in experiment.scales["gpu"].values else {}
            yield experiment, "gpu", golatkar.TOY | few
    for name in ("activation-resnet", "activation-alexnet", "optimiser-unet", "batch-norm-vgg", "theorem-1"):
        experiment = chen.BY_ID[name]
        yield experiment, "gpu", chen.toy(experiment, "gpu")
    for name, (scale, changes) in lewkowycz.TOY.items():
        if changes.get("model", {}) is None:
            continue  # a network as wide as the kernel of the paper
        yield lewkowycz.BY_NAME[name], scale, changes
    yield next(iter(adaptive.BY_ID.values())), "gpu", adaptive.TOY


@pytest.mark.parametrize(("experiment", "scale", "changes"), [pytest.param(*case, id=case[0].id) for case in cases()])
def test_it_measures_there(experiment, scale, changes, tmp_path):
    values = experiment.scales[scale].values | changes
    found, expected = (experiment.measure(values, 0, Context(tmp_path / device, device)) for device in (DEVICE, "cpu"))
    assert found.metrics.keys() == expected.metrics.keys()
    lost = [name for name, x in expected.metrics.items() if np.isfinite(x) and not np.isfinite(found.metrics[name])]
    assert not lost
    assert {name: np.shape(x) for name, x in found.arrays.items()} == {
        name: np.shape(x) for name, x in expected.arrays.items()
    }

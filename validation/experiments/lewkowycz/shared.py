"""Networks, datasets and grids of the paper (SM A), and what the smaller settings share."""

from __future__ import annotations

FC = {"name": "fc", "width": 2048, "depth": 3}
SMALL_FC = FC | {"width": 128}
CNN = {"name": "lewkowycz_cnn"}
WRN = {"name": "wide_resnet", "depth": 28, "widen": 10, "weight_std": 1.0}
SMALL_WRN = WRN | {"depth": 16, "widen": 4}
DIGITS = {"data": "digits", "train": 128, "rest": True, "batch_size": 128, "loss": "lewkowycz_softmax"}
MNIST = {"data": "mnist", "train": 512, "test": 10_000, "batch_size": 512, "loss": "lewkowycz_softmax"}
CIFAR = {"data": "cifar10", "loss": "lewkowycz_softmax", "precision": "bf16"}
MOMENTUM = {"momentum": 0.9, "augment": {"flip": 1.0, "crop": 1.0, "mixup": 1.0}, "batch_size": 1024}

ON_DIGITS = "width 128 instead of 2048, 128 digits of 8 x 8 instead of 512 of MNIST; the other 1669 are the test"
ON_SMALL_WRN = "Wide ResNet 16-4 instead of 28-10, fewer and larger L2 parameters, shorter training; "
RUNNING = "batch norm tests by running statistics, the paper's by those of the batch"
ON_WRN = RUNNING + ", and trains by those of all 1024 images, the paper's of the 128 on a device"
AUGMENTED = ON_WRN + "; crops by up to 4 pixels and mixup's alpha of 1, the paper does not say"

PAPER_RATES = (0.0025, 0.01, 0.02, 0.025, 0.03, 0.05, 0.08, 0.15, 0.3, 0.5, 1, 1.5, 2, 5, 10, 25, 50)
PAPER_L2 = (0, 1e-5, 1e-4, 5e-4, 1e-3, 5e-3, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 20, 50, 100)
CNN_L2 = (0, 5e-5, 1e-4, 5e-4, 1e-3, 0.01, 0.05, 0.1, 0.25, 0.5, 1, 2)
WRN_L2 = (0, 1.5625e-5, 6.25e-5, 1.25e-4, 2.5e-4, 5e-4, 1e-3, 2e-3, 4e-3, 8e-3, 0.016)
WRN_RATES = (0.0125, 0.025, 0.05, 0.1, 0.2, 0.4, 0.8, 1.6)

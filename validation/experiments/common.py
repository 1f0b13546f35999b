"""What experiments share: a dataset and a network from a setting's values, predictions that are not expected."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from validation.context import Context
from validation.core import Prediction
from validation.data import Dataset, load
from validation.models import build


def dataset(values: dict[str, Any], context: Context, seed: int = 0) -> Dataset:
    """The dataset `values["data"]`, cut to `values["train"]` and `values["test"]` images if these are given."""
    found = load(values["data"], context.data_dir)
    if values.get("train") is None:
        return found
    return found.subset(values["train"], values.get("test"), seed=seed)


def network(model: dict[str, Any], data: Dataset, seed: int) -> nn.Module:
    """The network `{"name": ..., options ...}` for the dataset's images, its weights drawn from `seed`."""
    options = {key: value for key, value in model.items() if key != "name"}
    torch.manual_seed(seed)
    *_, side, channels = data.x_train.shape
    return build(model["name"], channels=channels, side=side, classes=data.classes, **options)


def unexpected(predictions: Iterable[Prediction], reasons: Mapping[str, str]) -> tuple[Prediction, ...]:
    """The predictions, those of some metrics marked as not expected at this size, with the reason for each metric."""
    return tuple(
        replace(p, says=f"{p.says} ({reasons[p.metric]})", expected=False) if p.metric in reasons else p
        for p in predictions
    )

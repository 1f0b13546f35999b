"""Mini-batches on the device: whole sets in uint8, orders and augmentation drawn per epoch from (seed, epoch) alone.

So a run that goes on from a checkpoint sees the same batches, and the CPU and a GPU see the same.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from linreg_dyn.schedules import Schedule, as_schedule
from validation.data import Dataset


@dataclass(frozen=True)
class Augment:
    """Flips, crops and mixup, each with a strength for every step (0: off), so that they can have windows.

    Attributes:
        flip: 1 at steps whose images are mirrored with probability 1/2.
        crop: 1 at steps whose images are moved by up to `shift` pixels each way, zeros coming in.
        mixup: alpha of Beta(alpha, alpha), the share of each image that is replaced by another's (Zhang et al.,
            2018); the labels are mixed alike.
        noise: half width of a uniform factor 1 + eta for every image (Ginsburg, 2020, section 4.2).
        shift: how far.
    """

    flip: float | Schedule = 0.0
    crop: float | Schedule = 0.0
    mixup: float | Schedule = 0.0
    noise: float | Schedule = 0.0
    shift: int = 4

    def any(self) -> bool:
        """Whether anything is ever on."""
        return any(as_schedule(x, name, zero=True).limits[1] > 0 for name, x in self._parts())

    def at(self, step: int) -> tuple[bool, bool, float, float]:
        """Flip, crop, mixup's alpha and the noise's half width at a step."""
        flip, crop, mixup, noise = (as_schedule(x, name, zero=True).at(step) for name, x in self._parts())
        return flip > 0, crop > 0, mixup, noise

    def _parts(self) -> tuple[tuple[str, float | Schedule], ...]:
        return ("flip", self.flip), ("crop", self.crop), ("mixup", self.mixup), ("noise", self.noise)


class Batches:
    """A dataset on a device and its mini-batches without replacement, reshuffled every epoch.

    Args:
        data: the dataset.
        batch_size: images a step; those left over at the end of an epoch wait for the next shuffle. At least the
            whole set: every step takes all of it, in its own order.
        seed: of orders and augmentation.
        device: where everything lives.
        augment: what is done to training images.
    """

    def __init__(self, data: Dataset, batch_size: int, *, seed: int, device: str, augment: Augment | None = None):
        self.count = len(data.y_train)
        self.size = min(batch_size, self.count)
        self.steps_per_epoch = self.count // self.size
        self.device, self.seed, self.augment = torch.device(device), seed, augment or Augment()
        self.classes = data.classes
        mean, deviation = data.moments()
        self._mean, self._deviation = (
            self._to(x.astype(np.float32)).view(-1, 1, 1) for x in (mean, np.maximum(deviation, 1e-3))
        )
        self.x, self.y = self._images(data.x_train), self._to(data.y_train)
        self.x_test, self.y_test = self._images(data.x_test), self._to(data.y_test)
        self._epoch, self._order = -1, self.y
        self._augmented = self.augment.any()

    def at(self, step: int) -> tuple[Tensor, Tensor]:
        """Images (sample, channel, row, column) and labels of a step."""
        epoch, place = divmod(step, self.steps_per_epoch)
        if epoch != self._epoch and (self._augmented or self.size < self.count):
            self._shuffle(epoch)
        index = self._order[place * self.size : (place + 1) * self.size]
        x, y = (self.x[index], self.y[index]) if self.size < self.count else (self.x, self.y)
        if not self._augmented:
            return self.normalised(x), y
        return self._augment(x, y, step, place)

    def normalised(self, x: Tensor) -> Tensor:
        """uint8 images as float32, each channel of the training set with mean 0 and deviation 1."""
        return (x.float() / 255 - self._mean) / self._deviation

    def _shuffle(self, epoch: int) -> None:
        self._epoch = epoch
        rng = self._rng(epoch, 0)
        self._order = self._to(rng.permutation(self.count))
        if self._augmented:
            rng = self._rng(epoch, 1)
            self._flips = self._to(rng.random(self.count) < 0.5)
            self._moves = self._to(rng.integers(0, 2 * self.augment.shift + 1, (2, self.count)))
            self._shares = rng.random((self.steps_per_epoch, 2))

    def _augment(self, x: Tensor, y: Tensor, step: int, place: int) -> tuple[Tensor, Tensor]:
        flip, crop, alpha, noise = self.augment.at(step)
        rows = slice(place * self.size, (place + 1) * self.size)
        if flip:
            x = torch.where(self._flips[rows].view(-1, 1, 1, 1), x.flip(3), x)
        if crop:
            x = _moved(x, self._moves[0, rows], self._moves[1, rows], self.augment.shift)
        x = self.normalised(x)
        if noise:
            factors = 1 + noise * self._rng(step, 4).uniform(-1, 1, (self.size, 1, 1, 1))
            x = x * self._to(factors.astype(np.float32))
        if not alpha:
            return x, y
        share = float(self._rng(step, 2).beta(alpha, alpha))
        partner = self._to(self._rng(step, 3).permutation(self.size))
        mixed = torch.nn.functional.one_hot(y, self.classes).float()
        return share * x + (1 - share) * x[partner], share * mixed + (1 - share) * mixed[partner]

    def _rng(self, *key: int) -> np.random.Generator:
        return np.random.Generator(np.random.Philox(np.random.SeedSequence((self.seed, *key))))

    def _images(self, x: np.ndarray) -> Tensor:
        return self._to(x).permute(0, 3, 1, 2)

    def _to(self, x: np.ndarray) -> Tensor:
        return torch.as_tensor(np.ascontiguousarray(x)).to(self.device)


def _moved(x: Tensor, down: Tensor, right: Tensor, shift: int) -> Tensor:
    """Each image moved by its own whole number of pixels, from -shift to shift, zeros coming in."""
    count, channels, rows, columns = x.shape
    padded = torch.nn.functional.pad(x, (shift,) * 4)
    at_rows = (torch.arange(rows, device=x.device) + down.view(-1, 1)).view(count, 1, rows, 1)
    at_columns = (torch.arange(columns, device=x.device) + right.view(-1, 1)).view(count, 1, 1, columns)
    samples = torch.arange(count, device=x.device).view(-1, 1, 1, 1)
    planes = torch.arange(channels, device=x.device).view(1, -1, 1, 1)
    return padded[samples, planes, at_rows, at_columns]

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
from validation.fast import Inputs, upload


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
        mirrored: the factors are 1 - eta, of the same draws.
    """

    flip: float | Schedule = 0.0
    crop: float | Schedule = 0.0
    mixup: float | Schedule = 0.0
    noise: float | Schedule = 0.0
    shift: int = 4
    mirrored: bool = False

    def any(self) -> bool:
        """Whether anything is ever on."""
        return any(as_schedule(x, name, zero=True).limits[1] > 0 for name, x in self.parts())

    def at(self, steps: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Flip, crop, mixup's alpha and the noise's half width at steps; after its end a schedule keeps its value."""
        found = []
        for name, value in self.parts():
            schedule = as_schedule(value, name, zero=True)
            end = np.inf if schedule.length is None else schedule.length - 1
            found.append(np.asarray(schedule.at(np.minimum(steps, end).astype(np.int64))))
        flip, crop, mixup, noise = found
        return flip > 0, crop > 0, mixup, noise

    def parts(self) -> tuple[tuple[str, float | Schedule], ...]:
        """The strengths with their names."""
        return ("flip", self.flip), ("crop", self.crop), ("mixup", self.mixup), ("noise", self.noise)


class Batches:
    """A dataset on a device and its mini-batches without replacement, reshuffled every epoch.

    A batch is made in two parts: `draws` tells which images and what chance does to them, from tables that are sent
    to the device once an epoch; `make` needs nothing else, so that it can be captured with the step that trains.

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
        self._epoch = -1
        self._tables: dict[str, tuple[np.ndarray | None, Tensor]] = {}
        self._augmented = self.augment.any()
        self._whole: Tensor | None = None

    def at(self, step: int) -> tuple[Tensor, Tensor]:
        """Images (sample, channel, row, column) and labels of a step."""
        return self.make(self.draws(step))

    def draws(self, step: int) -> dict[str, Tensor]:
        """What sets a step's batch apart, on the device, by name; what is off at this step is absent."""
        epoch, place = divmod(step, self.steps_per_epoch)
        if epoch != self._epoch:
            self._draw(epoch)
        return {name: table[place] for name, (on, table) in self._tables.items() if on is None or on[place]}

    def make(self, draws: Inputs) -> tuple[Tensor, Tensor]:
        """The batch that `draws` speaks of; other names in it are left alone."""
        index = draws.get("index")
        if index is None and not self._augmented:
            if self._whole is None:
                self._whole = self.normalised(self.x)
            return self._whole, self.y
        x, y = (self.x, self.y) if index is None else (self.x[index], self.y[index])
        if "flip" in draws:
            x = torch.where(draws["flip"].view(-1, 1, 1, 1), x.flip(3), x)
        if "move" in draws:
            x = _moved(x, draws["move"][0], draws["move"][1], self.augment.shift)
        x = self.normalised(x)
        if "factor" in draws:
            x = x * draws["factor"].view(-1, 1, 1, 1)
        if "share" not in draws:
            return x, y
        share, rest = draws["share"]
        partner = draws["partner"]
        mixed = torch.nn.functional.one_hot(y, self.classes).float()
        return share * x + rest * x[partner], share * mixed + rest * mixed[partner]

    def normalised(self, x: Tensor) -> Tensor:
        """uint8 images as float32, each channel of the training set with mean 0 and deviation 1."""
        return (x.float() / 255 - self._mean) / self._deviation

    def _draw(self, epoch: int) -> None:
        """The tables of an epoch: when each is on (None: always), and its rows, one a step."""
        self._epoch, self._tables = epoch, {}
        if self.size < self.count:
            self._table("index", None, self._in_steps(self._rng(epoch, 0).permutation(self.count)))
        if not self._augmented:
            return
        steps = epoch * self.steps_per_epoch + np.arange(self.steps_per_epoch)
        flip, crop, alpha, noise = self.augment.at(steps)
        rng = self._rng(epoch, 1)
        self._table("flip", flip, self._in_steps(rng.random(self.count) < 0.5))
        moves = rng.integers(0, 2 * self.augment.shift + 1, (2, self.count))
        self._table("move", crop, np.stack([self._in_steps(x) for x in moves], 1))
        if noise.any():
            widths = -noise if self.augment.mirrored else noise
            factors = [
                1 + w * self._rng(step, 4).uniform(-1, 1, self.size) for step, w in zip(steps, widths, strict=True)
            ]
            self._table("factor", noise > 0, np.array(factors, dtype=np.float32))
        if alpha.any():
            shares = [self._rng(step, 2).beta(a, a) if a > 0 else 1.0 for step, a in zip(steps, alpha, strict=True)]
            self._table("share", alpha > 0, np.array([(s, 1 - s) for s in shares], dtype=np.float32))
            self._table("partner", alpha > 0, np.stack([self._rng(step, 3).permutation(self.size) for step in steps]))

    def _table(self, name: str, on: np.ndarray | None, rows: np.ndarray) -> None:
        if on is None or on.any():
            self._tables[name] = on, upload(rows, self.device)

    def _in_steps(self, x: np.ndarray) -> np.ndarray:
        """One number an image of an epoch as (step, sample)."""
        return x[: self.steps_per_epoch * self.size].reshape(self.steps_per_epoch, self.size)

    def _rng(self, *key: int | np.integer) -> np.random.Generator:
        return np.random.Generator(np.random.Philox(np.random.SeedSequence((self.seed, *map(int, key)))))

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

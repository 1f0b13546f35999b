"""Schedules that papers print, with their numbers."""

from __future__ import annotations

from dataclasses import dataclass

from linreg_dyn._checks import choice, integer
from linreg_dyn.schedules.core import MOST, Schedule
from linreg_dyn.schedules.curves import Exponential, Steps
from linreg_dyn.schedules.windows import PerEpoch, delayed, interrupted, sliding

SCHEMES = ("01", "02", "21", "22", "23")
"""The five schemes of Table 1: weight decay tapers in 01 and 02, gradient sparsity in 21, 22 and 23."""

# Epochs (from, to, both included, from 1 on), learning rate, weight decay of 01 and 02, sparsity of 21, 22 and 23.
TABLE_1 = (
    (1, 50, 0.1, 0.0001, 0.0001, 0.0, 0.0, 0.0),
    (51, 100, 0.01, 0.0001, 0.0001, 0.0, 0.0, 0.0),
    (101, 150, 0.001, 0.0008, 0.0004, 0.5, 0.8, 0.3),
    (151, 200, 0.0001, 0.0016, 0.0008, 0.5, 0.8, 0.3),
    (201, 250, 0.00001, 0.0016, 0.0008, 0.5, 0.8, 0.3),
    (251, 270, 0.1, 0.0001, 0.0001, 0.0, 0.0, 0.0),
    (271, 290, 0.01, 0.0001, 0.0001, 0.0, 0.0, 0.0),
    (291, 310, 0.001, 0.0008, 0.0004, 0.0, 0.0, 0.0),
    (311, 330, 0.0001, 0.0016, 0.0008, 0.0, 0.0, 0.0),
    (331, 350, 0.00001, 0.0016, 0.0008, 0.0, 0.0, 0.0),
    (351, 370, 0.1, 0.0001, 0.0001, 0.0, 0.0, 0.0),
    (371, 390, 0.01, 0.0001, 0.0001, 0.0, 0.0, 0.0),
    (391, 410, 0.001, 0.0008, 0.0004, 0.0, 0.0, 0.0),
    (411, 430, 0.0001, 0.0016, 0.0008, 0.0, 0.0, 0.0),
    (431, 450, 0.00001, 0.0016, 0.0008, 0.0, 0.0, 0.0),
)
"""Table 1 of Adapting Regularization with Learning Rate, as printed.

What rule is behind it: a learning rate has the same weight decay in all three phases, so the decay is a function of
the rate, `ByRate(rate, levels=table_1_levels("01"))`. As the rate falls tenfold from row to row, the decay of scheme
01 is multiplied by 1, 8, 2, 1, that of scheme 02 by 1, 4, 2, 1: it never falls, but follows no power of the rate, and
`rate * decay` is not kept: it falls from 1e-5 to 1.6e-8 (8e-9 in scheme 02). The sparsity is no function of the rate:
it is there in the first phase alone.

The text of section 3.1 does not fit the table: it compares with fixed decays of 1e-3, 2e-3, 4e-3 and 8e-3, and says
that schemes 01 and 02 "use a weight decay of 8e-3 at various stages". The table has 0.0008 = 8e-4 there, ten times
less, so that text and table cannot both have been run. Here the table stands as printed. Two readings fit:

- the text slipped, and its constants are 1e-4, 2e-4, 4e-4 and 8e-4. Both schemes then use the largest of them, and "the
  fixed low weight decay" is what the schemes start from, and what the caption gives to runs with sparse gradients;
- the table slipped, its caption with it, and the decays are `10 * weight_decay`.

With both as printed the schemes have for 100 epochs a weaker decay than every constant.
"""


@dataclass(frozen=True)
class Scheme:
    """A column of Table 1 with its learning rate; the convention of the weight decay is not stated there.

    The package's `mu sum w_i^2` has the gradient `2 mu w_i`. If the paper means, as torch's SGD does, that the gradient
    of the decay is `decay w_i`, its mu is `0.5 * weight_decay`.
    """

    learning_rate: Schedule
    weight_decay: Schedule
    gradient_sparsity: Schedule


def table_1(scheme: str, *, steps_per_epoch: int = 1000) -> Scheme:
    """One of the `SCHEMES` of Table 1, 450 epochs long.

    The sparsity schemes hold the weight decay at 0.0001 (its caption), the decay schemes have no sparsity.

    Args:
        scheme: "01", "02", "21", "22" or "23".
        steps_per_epoch: the paper's are 1000, CIFAR's 50,000 images in mini-batches of 50.
    """
    column = 3 + SCHEMES.index(choice("scheme", scheme, SCHEMES))
    tapered = _column(column, steps_per_epoch)
    rate = _column(2, steps_per_epoch)
    if column < 5:
        return Scheme(rate, tapered, _constant(0.0, steps_per_epoch))
    return Scheme(rate, _constant(0.0001, steps_per_epoch), tapered)


def table_1_levels(scheme: str) -> tuple[tuple[float, float], ...]:
    """The weight decay of scheme "01" or "02" at each learning rate of Table 1, for `ByRate`."""
    column = 3 + SCHEMES.index(choice("scheme", scheme, SCHEMES[:2]))
    return tuple(sorted({(row[2], row[column]) for row in TABLE_1}))


def _column(column: int, steps_per_epoch: int) -> Schedule:
    values = [row[column] for row in TABLE_1]
    new = [k for k in range(1, len(TABLE_1)) if values[k] != values[k - 1]]
    milestones = tuple(TABLE_1[k][0] - 1 for k in new)
    kept = tuple(values[k] for k in [0, *new])
    return PerEpoch(Steps(kept, milestones=milestones, stop=TABLE_1[-1][1]), steps_per_epoch=steps_per_epoch)


def _constant(value: float, steps_per_epoch: int) -> Schedule:
    return PerEpoch(Steps((value,), stop=TABLE_1[-1][1]), steps_per_epoch=steps_per_epoch)


def golatkar_rate(*, steps_per_epoch: int) -> Schedule:
    """Time Matters' learning rate: 0.1, multiplied by 0.97 after every epoch (section 3).

    The numbers of its piecewise constant rate are in an appendix that this project does not have.
    """
    return PerEpoch(Exponential(0.1, factor=0.97), steps_per_epoch=steps_per_epoch)


def golatkar_windows(regulariser: float, kind: str, *, steps_per_epoch: int) -> tuple[tuple[Schedule, int], ...]:
    """Time Matters' experiments on when to regularise: pairs of a regulariser and the steps to train (section 4).

    Onsets and ends t0 are 25 epochs apart (figure 2). Networks train for 200 epochs, and for 50 more where the text
    says so: delayed from epoch 150 on, and where a sliding window of 50 epochs begins at epoch 125 or later, 50 epochs
    after its end.

    Args:
        regulariser: its strength while it is on, the weight decay say; the paper's text does not give it.
        kind: "interrupted" (on until t0 = 0, ..., 200), "delayed" (on from t0 = 0, ..., 175) or "sliding".
        steps_per_epoch: the steps of an epoch.
    """
    choice("kind", kind, ("interrupted", "delayed", "sliding"))
    onsets = range(0, 200, 25)
    if kind == "interrupted":
        windows, epochs = interrupted(regulariser, stops=[*onsets, 200]), [200] * 9
    elif kind == "delayed":
        windows, epochs = delayed(regulariser, starts=onsets), [200 if t0 < 150 else 250 for t0 in onsets]
    else:
        windows = sliding(regulariser, length=50, starts=onsets)
        epochs = [200 if t0 < 125 else t0 + 50 + 50 for t0 in onsets]
    pairs = zip(windows, epochs, strict=True)
    return tuple((PerEpoch(w, steps_per_epoch=steps_per_epoch), n * steps_per_epoch) for w, n in pairs)


def lewkowycz_rate(epochs: int, *, steps_per_epoch: int) -> Schedule:
    """On the training dynamics of deep networks with L2: 0.2, times 0.2 at 0.3, 0.6 and 0.9 of all epochs (SM A).

    `epochs` is a multiple of 10, so that the milestones are epochs; the paper's are 200.
    """
    epochs = integer("epochs", epochs, least=10, most=MOST)
    if epochs % 10:
        raise ValueError(f"epochs must be a multiple of 10, got {epochs}")
    milestones = tuple(epochs * tenths // 10 for tenths in (3, 6, 9))
    return PerEpoch(
        Steps.geometric(0.2, factor=0.2, milestones=milestones, stop=epochs), steps_per_epoch=steps_per_epoch
    )

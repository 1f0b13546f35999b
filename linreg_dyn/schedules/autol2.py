"""AutoL2: the L2 parameter decays when the performance does (Lewkowycz and Gur-Ari, 2020, section 3 and SM E)."""

from __future__ import annotations

import math
from dataclasses import KW_ONLY, dataclass

from linreg_dyn._checks import integer, number
from linreg_dyn.schedules.core import clean, short_repr

State = tuple[float, float, float, float, float, float]


def auto_l2(l2, min_loss, min_error, min_step, last_loss, last_error, step, loss, error, factor, refractory):
    """The state after a measurement of `loss` and `error` at `step`; the first six arguments are the state before.

    Returns `(l2, min_loss, min_error, min_step, loss, error)`. Plain arithmetic, for drivers to compile; a
    measurement that is not a number never lowers a minimum and never counts as an increase. An L2 parameter that
    would underflow to 0, where its period has no end, stays as it is.
    """
    worse = (loss > min_loss and last_loss > min_loss) or (error > min_error and last_error > min_error)
    if worse and step > min_step and l2 / factor > 0:
        l2 = l2 / factor
        min_step = step + refractory / l2
    if loss < min_loss:
        min_loss = loss
    if error < min_error:
        min_error = error
    return l2, min_loss, min_error, min_step, loss, error


@dataclass(frozen=True, repr=False)
class AutoL2:
    """Weight decay that starts large and is divided by `factor` when loss or error has grown (Algorithm 1).

    After every `every` steps the empirical loss (without the L2 term) and the training error are measured. If
    either of them exceeds its minimum so far at two measurements in a row, and the last decay lies more than
    `refractory / l2` steps back (with the L2 parameter since then), the L2 parameter is divided by `factor`.

    **Convention**: the paper's L2 term is `lambda/2 |theta|^2`; `l2` is that lambda. In `L + mu sum w_i^2`, which
    the rest of this package uses, mu = lambda/2: `weight_decay(l2)`.

    Where the printed Algorithm 1 and the paper's text disagree, this is the text ("bigger than its minimum value
    two measurements in a row", "either the empirical loss or the training error"):

    - the pseudo-code compares `ERROR_t > ERROR`, a name with no value, and never uses the MINERROR it is given;
      it means `ERROR_t > MINERROR`.
    - it lowers the minima only at measurements without a decay, and then by the measurement before (t - k); so one
      that falls just before a decay is forgotten: the error's minimum when the loss caused the decay, and the
      other way round. Here the minima are over all measurements. Apart from that it makes no difference
      whether they include the last two: a value that exceeds the minimum is not the minimum.
    - at the first measurement it reads `LOSS_{t-k}`, which there is not; here that is infinity, and the minima are
      too, so that nothing decays before the third measurement.
    - the text says every 5 steps (SM E), the description of the figures every 10 (SM A).

    They agree that the refractory period is of the *new* L2 parameter (`L2 = L2/10; MIN_STEP = 0.1/L2 + t`; "we
    force lambda to stay constant for a time 0.1/lambda") and that the minima are not reset by a decay: a loss that
    stays above its minimum causes the next decay as soon as the period ends.

    Args:
        l2: lambda at the start, above 0.
        factor: what it is divided by, above 1.
        every: the steps from one measurement to the next, at least 1 (k).
        refractory: the period without decays, times the L2 parameter, in steps; at least 0.
    """

    l2: float = 0.1
    _: KW_ONLY
    factor: float = 10.0
    every: int = 5
    refractory: float = 0.1

    def __post_init__(self):
        clean(
            self,
            l2=number("l2 of AutoL2", self.l2, above=0),
            factor=number("factor of AutoL2", self.factor, above=1),
            every=integer("every of AutoL2", self.every, least=1, most=2**32),
            refractory=number("refractory of AutoL2", self.refractory, least=0),
        )

    def start(self) -> State:
        """The state before the first measurement: `(l2, min_loss, min_error, min_step, last_loss, last_error)`."""
        return self.l2, math.inf, math.inf, 0.0, math.inf, math.inf

    def update(self, state: State, step: int, loss: float, error: float = 0.0) -> State:
        """The state after a measurement at `step`, a multiple of `every`; without an `error` only losses count."""
        return auto_l2(*state, step, loss, error, self.factor, self.refractory)

    @staticmethod
    def weight_decay(l2: float) -> float:
        """`mu` of `L + mu sum w_i^2` for the paper's `lambda/2 |theta|^2`."""
        return l2 / 2

    def __repr__(self) -> str:
        return short_repr(self)

"""Learning rates, weight decays, noise widths and sparsities over time; the adaptive rate follows the weights too.

A schedule is a frozen dataclass: hashable, picklable, printed as the call that makes it. `schedule.at(steps)` is its
value at a step or at an array of them, step 0 being the update from step 0 to step 1; `limits` and `length` bound it
in value and in time; `plot` draws it; `to_spec` and `from_spec` turn it into data and back. `2 * schedule`,
`schedule / 2`, products, sums and differences are schedules again. `rates` and `autol2` have the plain functions that
drivers compile; `published` has the schedules that papers print.
"""

from __future__ import annotations

from typing import Any

from linreg_dyn._checks import integer, number
from linreg_dyn.schedules import published
from linreg_dyn.schedules.adaptive import Adaptive
from linreg_dyn.schedules.autol2 import AutoL2, auto_l2
from linreg_dyn.schedules.by_rate import ByRate, InverseOfRate
from linreg_dyn.schedules.combine import Product, Sum
from linreg_dyn.schedules.core import Constant, Schedule
from linreg_dyn.schedules.curves import Cosine, CosineRestarts, Exponential, Steps
from linreg_dyn.schedules.mask import GradientMask
from linreg_dyn.schedules.rates import adaptive_rate, squared_products
from linreg_dyn.schedules.spec import from_spec, to_spec
from linreg_dyn.schedules.windows import PerEpoch, Window, delayed, interrupted, sliding

__all__ = [
    "Adaptive",
    "AutoL2",
    "ByRate",
    "Constant",
    "Cosine",
    "CosineRestarts",
    "Exponential",
    "GradientMask",
    "InverseOfRate",
    "PerEpoch",
    "Product",
    "Schedule",
    "Steps",
    "Sum",
    "Window",
    "adaptive_rate",
    "as_schedule",
    "auto_l2",
    "delayed",
    "from_spec",
    "interrupted",
    "published",
    "sliding",
    "squared_products",
    "to_spec",
]


def as_schedule(
    value: Any, name: str = "learning_rate", *, zero: bool = False, most: float | None = None, steps: int | None = None
) -> Schedule:
    """`value` as a schedule that a run can use; a number becomes `Constant`.

    Args:
        value: a number or a schedule.
        name: the argument's name, for messages.
        zero: whether it may be 0 throughout (a weight decay may, a learning rate may not).
        most: what no value may exceed; None: nothing.
        steps: the steps of the run, which the schedule must cover; None: not checked.

    Raises:
        TypeError: it is neither. ValueError: it may leave that range, or is shorter than the run.
    """
    if not isinstance(value, Schedule):
        value = Constant(number(name, value, **({"least": 0} if zero else {"above": 0})))
    low, high = value.limits
    if low < 0 or (high == 0 and not zero):
        raise ValueError(f"{name} must have values {'>=' if zero else '>'} 0, got limits {low:g} and {high:g}")
    if most is not None and high > most:
        raise ValueError(f"{name} must have values up to {most:g}, got limits {low:g} and {high:g}")
    if steps is not None and value.length is not None and value.length < integer("steps", steps, least=0, most=2**63):
        raise ValueError(f"{name} must last for all {steps} steps, got a schedule of {value.length}")
    return value

"""The mean velocity of training over a plane: what a portrait's streamlines follow."""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike

from linreg_dyn import rules
from linreg_dyn._checks import number
from linreg_dyn.ensemble.memory import refuse_too_large
from linreg_dyn.ensemble.methods import (
    Distribution,
    GradientDescent,
    Method,
    MiniBatch,
    NoiseAugmentation,
    SGDNoise,
    Table,
)
from linreg_dyn.phase.bands import bands
from linreg_dyn.phase.plane import Plane
from linreg_dyn.phase.runs import Size, checked_size
from linreg_dyn.problem import Array
from linreg_dyn.schedules import Constant, Schedule, as_schedule

UNIT_MOMENTS = {"uniform": (0.0, 1 / 3), "rademacher": (0.0, 1.0)}


def unit_moments(distribution: Distribution) -> tuple[float, float]:
    """Mean and variance of noise of half width 1."""
    if isinstance(distribution, str):
        return UNIT_MOMENTS[distribution]
    table = distribution.table()
    if isinstance(distribution, Table):
        return float(table.mean()), float(table.var())
    low, high = table[:-1], table[1:]  # uniform on cells of equal probability, symmetric about 0
    return 0.0, float(((low * low + low * high + high * high) / 3).mean())


def mean_residual(method: Method, W: ArrayLike) -> Array:
    """The expectation of the method's residual `g` over the noise of a step, at end-to-end weights `W`.

    A mini-batch leaves `W` times the mean of `x^2` minus that of `x y`, which are 1 by eq. (2). Other residuals
    are polynomials of degree 2 at most in eta, so with m its mean and s its standard deviation their mean is
    that of eta = m + s and eta = m - s. SGD noise with m = 0 leaves `W - 1`; noise augmentation with m = 0
    leaves `(1 + s^2) W - 1`, which vanishes at `W = 1/(1 + s^2)`, not at 1.

    Raises TypeError for a half width that is scheduled: it has no one mean.
    """
    W = np.asarray(W, dtype=np.float64)
    if isinstance(method, NoiseAugmentation | SGDNoise):
        residual = rules.noise_augmentation if isinstance(method, NoiseAugmentation) else rules.sgd_noise
        half_width = number("half_width of a portrait", method.half_width)
        mean, variance = (half_width**k * moment for k, moment in enumerate(unit_moments(method.distribution), 1))
        return (residual(W, mean + variance**0.5) + residual(W, mean - variance**0.5)) / 2
    if isinstance(method, MiniBatch):
        return rules.mini_batch(W, method.data.squares.mean(), method.data.products.mean())
    if isinstance(method, GradientDescent):
        return rules.gradient_descent(W)
    raise TypeError(f"no mean velocity is known for the method {method!r}")


def mean_velocity(weights: list[Array], method: Method, weight_decay: float = 0.0) -> list[Array]:
    """The expectation of the step's velocity `-2 (g W/w_i + decay w_i)` of each layer, from all weights.

    The learning rate, which multiplies it, depends on the weights at most, never on the noise: the mean
    step is rate times this. In units of weight per unit of flow time, `learning_rate * step`.
    """
    g = mean_residual(method, rules.end_to_end(weights))
    products = rules.others(weights)
    return [rules.velocity(w, other, g, weight_decay) for w, other in zip(weights, products, strict=True)]


def field(
    plane: Plane,
    method: Method,
    *,
    learning_rate: float | Schedule,
    weight_decay: float = 0.0,
    momentum: float = 0.0,
    size: Size = 401,
) -> xr.Dataset:
    """The mean velocity over a plane, with the minima and the bands that hold there.

    A dataset with the dims (second, first), the weights of the two layers at cell centres: `velocity_first`
    and `velocity_second`; `end_to_end`; `mean_residual` (only for noise augmentation, whose mean gradient does
    not vanish at the minima); `stable` (only for gradient descent at a fixed rate without weight
    decay): positive where a minimum would be stable under steps of this rate, `1 - lr sum 1/w_i^2` (half the
    sharpness of a minimum; at a larger one steps overshoot ever further); and `band_1`, `band_2`, ...:
    nonnegative inside the bands that are proved (`bands`), with their names and statements as attributes. With
    `momentum`, about which nothing is proved, `stable` and the bands are left out.
    """
    rate, weight_decay = as_schedule(learning_rate), number("weight_decay", weight_decay, least=0)
    size = checked_size(size, 0)
    refuse_too_large(size[0] * size[1], plane.depth, 0, 0, "take fewer layers or a smaller size")
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):  # far out and deep, products leave float64
        variables = _variables(plane, method, plane.grid(size), rate, weight_decay, momentum)
    described = {name: (("second", "first"), values, about) for name, (values, about) in variables.items()}
    return xr.Dataset(described, coordinates(plane, size))


def _variables(
    plane: Plane, method: Method, weights: list[Array], rate: Schedule, decay: float, momentum: float
) -> dict[str, tuple[Array, dict[str, str]]]:
    """The variables of `field`: values and attributes."""
    W, velocity = rules.end_to_end(weights), mean_velocity(weights, method, decay)
    found = {"end_to_end": (W, {"long_name": "end-to-end weight W", "units": "1"})}
    for name, layer in zip(("first", "second"), plane.layers, strict=True):
        about = {"long_name": f"mean velocity of layer {layer}", "units": "weight per (learning rate * step)"}
        found[f"velocity_{name}"] = (velocity[layer - 1], about)
    if isinstance(method, NoiseAugmentation):
        text = "mean residual: 0 where the mean gradient of L is"
        found["mean_residual"] = (mean_residual(method, W), {"long_name": text, "units": "1"})
    if momentum:
        return found
    if type(method) is GradientDescent and isinstance(rate, Constant) and not decay:
        text = "1 - lr sum 1/w_i^2: positive at stable minima"
        found["stable"] = (1 - rate.value * sum(1 / w**2 for w in weights), {"long_name": text, "units": "1"})
    for count, band in enumerate(bands(method, rate, decay), start=1):
        about = {"long_name": band.name, "statement": band.statement, "claim": band.claim, "units": "1"}
        found[f"band_{count}"] = (band.margin(weights), about)
    return found


def coordinates(plane: Plane, size: tuple[int, int]) -> dict:
    """The coordinates `first` and `second` of a grid over the plane."""
    return {
        name: (name, values, {"long_name": f"weight of layer {layer} at the start", "units": "1"})
        for name, values, layer in zip(("first", "second"), plane.axes(size), plane.layers, strict=True)
    }

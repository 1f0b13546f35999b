"""What is timed, from which starts, and what the right answer is: the plain rules, step by step, in float64."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from linreg_dyn import rules, schedules
from linreg_dyn.problem import Array, NormalizedData

NOISELESS = ("gd", "decay", "adaptive")
NOISY = ("uniform", "rademacher", "gaussian", "table", "sgd")
INERT = ("momentum", "nesterov")
BATCHES = ("batch",)
RULES = NOISELESS + NOISY + INERT + BATCHES

HALF_WIDTH = 0.3
MOMENTUM = 0.9
BATCH_SIZE = 8
TABLE = (-1.0, -0.5, -0.25, 0.25, 0.5, 1.0)
CHECKED_STEPS = 8


@dataclass(frozen=True)
class Case:
    """One row of a table.

    Args:
        rule: out of `RULES`: gradient descent plain, with weight decay or the adaptive rate; noise augmentation
            with the noise of that name ("sgd": uniform SGD noise); heavy-ball momentum, Nesterov's; mini-batches.
        depth: layers.
        dtype: "float64" or "float32".
    """

    rule: str
    depth: int
    dtype: str

    @property
    def rate(self) -> float:
        """Learning rate; a twentieth of what is stable at the minimum of equal weights, whose sharpness is 2 depth."""
        return 0.05 / self.depth * (1 - MOMENTUM if self.rule in INERT else 1)

    @property
    def c(self) -> float:
        """`c` of the adaptive rate `c / sum(1/w_i^2)`; at equal weights the rate is then `rate`."""
        return 0.05

    @property
    def decay(self) -> float:
        """Weight decay `mu`, weak enough to keep the minimum away from zero."""
        return 0.1 / self.depth if self.rule == "decay" else 0.0

    @property
    def eps(self) -> float:
        """Unit of the last place at 1."""
        return float(np.finfo(self.dtype).eps)


class Unavailable(Exception):
    """A contender that is not to be had here; the message says why."""


class Wrong(Exception):
    """A contender that does not compute what it is timed for."""


@dataclass(frozen=True)
class Contender:
    """Something to be timed.

    Args:
        name: as printed.
        prepare: `prepare(case, starts, steps)` compiles, moves data where it is needed and returns `run`;
            `run()` takes all steps from the starts and returns when that is done, without copying the result.
        weights: `weights(result)` of what `run()` returned, as a float64 array (trajectory, layer).
        draws: for random rules, `draws(case, trajectories, steps)`: what its generator draws, outside of the timed
            code, as arrays (step, trajectory): the noise, or a pair (m2, m1) of the moments of its batches.
        rules: the rules that it has.
        most_steps: at most so many steps are timed, where more would take minutes.
        parallel: it uses all cores it may.
    """

    name: str
    prepare: Callable[[Case, Array, int], Callable]
    weights: Callable[..., Array]
    draws: Callable | None = None
    rules: tuple[str, ...] = RULES
    most_steps: int = 10**9
    parallel: bool = True


def starts(trajectories: int, depth: int, seed: int = 0) -> Array:
    """Weights around 1 whose product is log-normal, its logarithm spread by 0.3: (trajectory, layer)."""
    rng = np.random.default_rng(seed)
    return np.exp(rng.normal(0, 0.3 / np.sqrt(depth), (trajectories, depth)))


def data(samples: int = 64) -> NormalizedData:
    """Samples with the means 0 of x and y and 1 of x^2 and x y, for mini-batches."""
    rng = np.random.default_rng(1)
    x, noise = (column - column.mean() for column in rng.normal(size=(2, samples)))
    x /= np.sqrt(np.mean(x * x))
    return NormalizedData(x, x + 0.1 * (noise - x * np.mean(x * noise)))


def residual(case: Case, W, drawn):
    """`g` of a step with what was drawn for it."""
    if case.rule == "batch":
        return rules.mini_batch(W, *drawn)
    if case.rule == "sgd":
        return rules.sgd_noise(W, drawn)
    if case.rule in NOISY:
        return rules.noise_augmentation(W, drawn)
    return rules.gradient_descent(W)


def at(case: Case, draws, t: int, shape: Any = ...):
    """What was drawn for step `t`, in a shape."""
    if case.rule == "batch":
        return draws[0][t][shape], draws[1][t][shape]
    return draws[t][shape] if draws is not None else None


def path(case: Case, weights: Array, steps: int, draws=None) -> list[Array]:
    """Weights (trajectory, layer) after 0, 1, ..., `steps` steps: the oracle, in float64, one rule after another."""
    w = [np.asarray(column, dtype=np.float64) for column in weights.T]
    v = [np.zeros_like(column) for column in w]
    out = [np.stack(w, axis=1)]
    for t in range(steps):
        products = rules.others(w)
        W = rules.end_to_end(w)
        g = residual(case, W, at(case, draws, t))
        lr = case.rate
        if case.rule == "adaptive":
            lr = case.c * W**2 / schedules.squared_products(w)
        force = [rules.velocity(w[i], products[i], g, case.decay) for i in range(len(w))]
        inertia = MOMENTUM if case.rule in INERT else 0.0
        v = [inertia * v[i] + force[i] for i in range(len(w))]
        direction = [force[i] + inertia * v[i] for i in range(len(w))] if case.rule == "nesterov" else v
        w = [w[i] + lr * direction[i] for i in range(len(w))]
        out.append(np.stack(w, axis=1))
    return out


def tolerance(case: Case, followed: list[Array], draws=None) -> Array:
    """How far the last weights of a right contender may be from the oracle's: (trajectory, 1).

    A step of depth d rounds at most 3 d + 20 times on the way to a weight (products, residual, adaptive sum,
    update), each time by eps/2 of something that a step moves by at most the weight itself. What is off by e
    is off by at most e exp(lr h) a step later, where h bounds the row sums of the force's derivative:
    2 (|dg/dW| sum_j (W/w_i)(W/w_j) + |g| sum_j |W/(w_i w_j)|), and as much as the second part again for what
    the adaptive rate follows. Momentum may multiply the rate by 1/(1 - momentum).
    """
    growth, largest = 0.0, 0.0
    for t, w in enumerate(followed[:-1]):
        W = w.prod(axis=1, keepdims=True)
        others = np.abs(W / w)
        g, at_zero, at_one = (np.abs(residual(case, x, at(case, draws, t, np.s_[:, np.newaxis]))) for x in (W, 0, 1))
        rate = case.rate / (1 - MOMENTUM if case.rule in INERT else 1)
        if case.rule == "adaptive":
            rate = case.c * W**2 / (others**2).sum(axis=1, keepdims=True)
        top = others.max(axis=1, keepdims=True)
        first = (at_zero + at_one) * others.sum(axis=1, keepdims=True)  # dg/dW of a linear g, or more
        second = g * (1 / np.abs(w)).sum(axis=1, keepdims=True)
        growth = growth + 2 * rate * top * (first + 2 * second)
        largest = np.maximum(largest, np.abs(w).max(axis=1, keepdims=True))
    roundings = (3 * case.depth + 20) * (len(followed) - 1) + 1  # and one of the starts themselves
    return roundings * case.eps / 2 * largest * np.exp(growth)


def verify(contender: Contender, case: Case, trajectories: int = 192) -> float:
    """Error of a contender over a few steps, as the largest fraction of what roundings can do.

    Raises:
        Wrong: it is off by more than the roundings can be.
    """
    weights = starts(trajectories, case.depth, seed=2).astype(case.dtype).astype(np.float64)
    random = case.rule in NOISY + BATCHES
    draws = contender.draws(case, trajectories, CHECKED_STEPS) if random and contender.draws else None
    if random:
        check_draws(case, draws)
    followed = path(case, weights, CHECKED_STEPS, draws)
    got = contender.weights(contender.prepare(case, weights, CHECKED_STEPS)())
    allowed = tolerance(case, followed, draws)
    if got.shape != weights.shape:
        raise Wrong(f"weights of shape {got.shape} instead of {weights.shape}")
    used = float((np.abs(got - followed[-1]) / allowed).max())
    if not used <= 1:
        off = np.abs(got - followed[-1]).max()
        raise Wrong(f"off by {off:.2g} after {CHECKED_STEPS} steps, {used:.2g} times what roundings can do")
    return used


def check_draws(case: Case, draws) -> None:
    """Draws vary, within the half-width, about the right mean to within 6 standard errors; `Wrong` if not."""
    if draws is None:
        raise Wrong("it does not say what it draws")
    samples = data()
    spread = HALF_WIDTH  # or less: noise is bounded by it
    expected = [("noise", draws, 0.0, spread)]
    if case.rule == "batch":
        expected = [
            ("m2", draws[0], 1.0, float(samples.squares.std()) / np.sqrt(BATCH_SIZE)),
            ("m1", draws[1], 1.0, float(samples.products.std()) / np.sqrt(BATCH_SIZE)),
        ]
    for name, values, mean, deviation in expected:
        off = abs(float(np.mean(values)) - mean)
        if not off <= 6 * deviation / np.sqrt(np.size(values)):
            raise Wrong(f"the mean of its {name} is off by {off:.2g}")
        if np.std(values) == 0 or (name == "noise" and np.abs(values).max() > HALF_WIDTH * (1 + 2 * case.eps)):
            raise Wrong(f"its {name} is constant or out of bounds")


def flops(case: Case) -> int:
    """Floating-point operations of a step, a fused multiply-add counted as two, with no more than are needed.

    Products up and down a tree take (d - 1) + (d - 2) multiplications, the pull one multiply-add, each layer one:
    4 d - 1. Weight decay adds one multiplication a layer; the adaptive rate takes the products W/w_i themselves
    (2 d - 4 multiplications), their squares (2 d) and 5 for the rate. Generators and momentum are not counted.
    """
    d = case.depth
    if case.rule == "adaptive":
        return (d - 1) + (2 * d - 4) + 2 * d + 5 + 2 * d
    return 4 * d - 1 + (d if case.rule == "decay" else 0)

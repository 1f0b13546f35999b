"""`linreg_dyn.simulate` as a contender, and a loop of NumPy that a user would write instead."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import linreg_dyn as ld
from linreg_dyn import noise
from linreg_dyn.ensemble.methods import Method
from linreg_dyn.problem import Array
from linreg_dyn.schedules import Adaptive
from tests.benchmarks.cases import (
    BATCH_SIZE,
    HALF_WIDTH,
    INERT,
    MOMENTUM,
    NOISELESS,
    NOISY,
    TABLE,
    Case,
    Contender,
    data,
)

SEED = 3


def method(case: Case) -> Method:
    """The method of a case."""
    if case.rule == "batch":
        return ld.MiniBatch(data(), BATCH_SIZE)
    if case.rule == "sgd":
        return ld.SGDNoise(HALF_WIDTH)
    if case.rule in NOISY:
        return ld.NoiseAugmentation(HALF_WIDTH, distribution=distribution(case))
    return ld.GradientDescent()


def distribution(case: Case) -> Any:
    """The argument `distribution` of a case with noise."""
    named = {"sgd": "uniform", "table": ld.Table(TABLE), "gaussian": ld.TruncatedGaussian(3.0)}
    return named.get(case.rule, case.rule)


def options(case: Case) -> dict[str, Any]:
    """Arguments of `simulate` for a case, without the starts, the method and the steps."""
    out: dict[str, Any] = {"learning_rate": Adaptive(case.c) if case.rule == "adaptive" else case.rate, "seed": SEED}
    if case.decay:
        out["weight_decay"] = case.decay
    if case.rule in INERT:
        out |= {"momentum": MOMENTUM, "nesterov": case.rule == "nesterov"}
    return out | {"dtype": case.dtype}


def draws(case: Case, trajectories: int, steps: int):
    """What `simulate` draws for each step and trajectory.

    Uniform and Rademacher noise come from the plain functions of `linreg_dyn.noise`. The others are seen in a net of
    one layer under SGD noise: with the rate 1/2 its weight is `w - (w - 1 + eta) = 1 - eta` after each step.
    """
    if case.rule == "batch":
        return _moments(trajectories, steps)
    if case.rule in ("gaussian", "table"):
        probe = ld.SGDNoise(HALF_WIDTH, distribution=distribution(case))
        record = ld.Record(1, ("weights",))
        weights = np.ones((trajectories, 1))
        run = ld.simulate(weights, probe, steps=steps, learning_rate=0.5, seed=SEED, record=record, dtype=case.dtype)
        return 1.0 - run.weights.values[1:, :, 0].astype(np.float64)
    kind = noise.rademacher if case.rule == "rademacher" else noise.uniform
    out = np.empty((steps, trajectories))
    for t in range(steps):
        for n in range(trajectories):
            words = noise.philox(*noise.amplitude_counter(n, t), SEED, 0)
            out[t, n] = HALF_WIDTH * kind(words[t & 3], np.empty(0))
    return out


def _moments(trajectories: int, steps: int) -> tuple[Array, Array]:
    samples = data()
    m2, m1 = np.empty((steps, trajectories)), np.empty((steps, trajectories))
    order, swaps = list(range(len(samples))), [0] * BATCH_SIZE
    for t in range(steps):
        for n in range(trajectories):
            noise.sample(order, swaps, n, t, SEED, 0)
            chosen = order[:BATCH_SIZE]
            m2[t, n], m1[t, n] = samples.squares[chosen].mean(), samples.products[chosen].mean()
            noise.restore(order, swaps)
    return m2, m1


def contender(threads: int | None, backend: str = "cpu") -> Contender:
    """The whole call of `simulate`, from an array of starts to a dataset; compiled in `prepare`."""

    def prepare(case: Case, starts: Array, steps: int) -> Callable:
        arguments = {"backend": backend, **options(case)}
        if threads is not None:
            arguments["threads"] = threads
        ld.simulate(starts[:1024], method(case), steps=1, **arguments)
        return lambda: ld.simulate(starts, method(case), steps=steps, **arguments)

    return Contender("ours", prepare, lambda ds: ds.final_weights.values.astype(np.float64), draws)


def overhead(threads: int | None, backend: str = "cpu") -> Contender:
    """The same call with no steps: checks, copies to and from lanes or device, provenance, dataset."""

    def prepare(case: Case, starts: Array, steps: int) -> Callable:
        return contender(threads, backend).prepare(case, starts, 0)

    return Contender("ours, 0 steps", prepare, lambda ds: ds.final_weights.values)


def _numpy_steps(case: Case, starts: Array, steps: int) -> Array:
    w = np.ascontiguousarray(starts.T, dtype=case.dtype)
    left, right = np.empty_like(w), np.empty_like(w)
    left[0] = right[-1] = 1
    v, kept = np.zeros_like(w), 1 - 2 * case.rate * case.decay
    for _ in range(steps):
        for i in range(1, case.depth):
            np.multiply(left[i - 1], w[i - 1], out=left[i])
        for i in range(case.depth - 1, 0, -1):
            np.multiply(right[i], w[i], out=right[i - 1])
        W = left[-1] * w[-1]
        np.multiply(left[1:], right[1:], out=left[1:])  # becomes W/w_i; row 0 is its own below
        left[0] = right[0]
        rate: Any = case.rate
        if case.rule == "adaptive":
            rate = case.c * W * W / np.einsum("ij,ij->j", left, left)
        if case.rule in INERT:
            left *= -2 * (W - 1)
            v *= MOMENTUM
            v += left
            w += case.rate * (left + MOMENTUM * v if case.rule == "nesterov" else v)
        else:
            left *= 2 * rate * (W - 1)
            if case.decay:
                w *= kept
            w -= left
        left[0] = 1
    return w


def numpy_contender() -> Contender:
    """The loop over steps in Python, every step a few passes of NumPy over all trajectories, on one core."""

    def prepare(case: Case, starts: Array, steps: int) -> Callable:
        return lambda: _numpy_steps(case, starts, steps)

    everything = NOISELESS + INERT
    return Contender("NumPy", prepare, lambda w: w.T.astype(np.float64), rules=everything, parallel=False)

"""Gradient descent on the matrices of deep linear networks under L2: the check on `deep_linear`'s fixed points."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from linreg_dyn._checks import integer, number
from linreg_dyn.ensemble.threads import spread, workers
from linreg_dyn.ntk._deep_linear import advance, backward
from linreg_dyn.ntk.deep_linear import Network, network, samples
from linreg_dyn.problem import as_floats

STATUSES = ("ok", "diverged")
MOST_NUMBERS = 2**28  # of all weights, and of maps or predictions in all records: 2 GiB each


def train_deep_linear(
    x: Any,
    y: Any,
    *,
    l2: float,
    hidden_layers: int,
    width: int,
    learning_rate: float,
    steps: int,
    normalization: str = "ntk",
    runs: int = 1,
    weight_std: float = 1.0,
    starts: Any = None,
    record_every: int | None = None,
    seed: int = 0,
    threads: int | None = None,
) -> xr.Dataset:
    """Full-batch gradient descent from `runs` random starts, or from `starts`, on `sum 1/2 (f - y)^2 + l2/2 |theta|^2`.

    `x` is (sample, feature) or (sample,), `y` (sample,); `f(x) = beta W_L ... W_0 x` with `hidden_layers` = L and beta
    by `normalization` (see `fixed_points`), float64. Starts are drawn as normal(0, `weight_std`), the run's number and
    the seed deciding alone; `starts` (run, parameter) gives them instead: W_0 (width, features), ..., W_L (1, width),
    each in C order, one after the other. Gradient-flow time is step * learning_rate.

    Dims `run`, `step` (every `record_every`, by default a hundredth of all; the first and the last always), `feature`,
    `parameter`. Variables: `linear_map` (v with f = v.x), `loss` (without the L2 term), `weight_norm2`, `status` (run;
    `diverged` where v passed 1e100, and records from there on are NaN), `final_weights` (run, parameter).

    Lewkowycz & Gur-Ari, S11. Raises ValueError/TypeError for arguments out of range.
    """
    x, y = samples(x, y)
    net = network(hidden_layers, width, normalization)
    l2, rate = number("l2", l2, least=0), number("learning_rate", learning_rate, above=0)
    steps = integer("steps", steps, least=1, most=10**9)
    every = integer("record_every", max(1, steps // 100) if record_every is None else record_every, least=1, most=steps)
    theta = _starts(net, x.shape[1], runs, weight_std, starts, seed)
    records = -(-steps // every) + 1
    if len(theta) * records * max(x.shape) > MOST_NUMBERS:
        raise ValueError(f"record_every must leave fewer records ({records} of {len(theta)} runs are too many)")
    at = np.append(np.arange(0, steps, every), steps)
    maps, norm2 = np.full((len(theta), at.size, x.shape[1]), np.nan), np.full((len(theta), at.size), np.nan)
    gram, moment, layers, beta = x.T @ x, x.T @ y, net.hidden_layers + 1, float(np.exp(net.log_beta))
    status = np.zeros(len(theta), dtype=np.int8)

    def train(first: int, last: int) -> None:
        for run in range(first, last):
            for k, before in enumerate([0, *at[:-1]]):
                pause = int(at[k] - before)
                taken = advance(theta[run], gram, moment, layers, net.width, beta, l2, rate, pause)
                v = backward(theta[run], layers, net.width, x.shape[1], beta, np.zeros((layers, net.width)))
                if taken < pause or not np.abs(v).sum() < 1e100:
                    status[run] = STATUSES.index("diverged")
                    break
                maps[run, k], norm2[run, k] = v, theta[run] @ theta[run]

    spread(train, len(theta), workers(threads))
    loss = ((maps @ x.T - y) ** 2).sum(axis=2) / 2
    flags = {"flag_values": np.arange(len(STATUSES), dtype=np.int8), "flag_meanings": " ".join(STATUSES)}
    labels = {"l2": l2, "learning_rate": rate, "seed": seed, **net._asdict()}
    return xr.Dataset(
        {
            "linear_map": (("run", "step", "feature"), maps, {"long_name": "end-to-end map v"}),
            "loss": (("run", "step"), loss, {"long_name": "loss without the L2 term"}),
            "weight_norm2": (("run", "step"), norm2, {"long_name": "squared norm of all weights"}),
            "status": ("run", status, {"long_name": "how the run ended", **flags}),
            "final_weights": (("run", "parameter"), theta, {"long_name": "W_0, ..., W_L, each in C order"}),
        },
        {"step": ("step", at, {"long_name": "step; time is step * learning_rate"})},
        {"convention": "loss sum 1/2 (f - y)^2 + l2/2 |theta|^2", **labels},
    )


def _starts(net: Network, features: int, runs: int, std: float, starts: Any, seed: int) -> np.ndarray:
    """The weights to begin with, (run, parameter)."""
    size = net.width * (features + (net.hidden_layers - 1) * net.width + 1)
    if starts is not None:
        theta = np.array(as_floats("starts", starts), ndmin=2, order="C")
        if theta.ndim != 2 or not len(theta) or theta.shape[1] != size:
            raise ValueError(f"starts must have the shape (run, {size}), got {theta.shape}")
        return theta
    runs, std = integer("runs", runs, least=1, most=10**6), number("weight_std", std, least=0)
    seed = integer("seed", seed, least=0, most=2**63 - 1)
    if runs * size > MOST_NUMBERS:
        raise ValueError(f"runs must leave fewer weights ({runs} runs of {size} are too many)")
    return np.array([std * np.random.default_rng([seed, run]).normal(size=size) for run in range(runs)])

"""How long until the test accuracy is at its best, and how good it is then: Fig. 2, 3, S1, S2, S5 and S7."""

from __future__ import annotations

from typing import Any

import numpy as np

from validation.context import Context
from validation.core import Measured
from validation.experiments.lewkowycz.cells import Curves, images, ratio, train
from validation.experiments.style import marked
from validation.statistics import slope_interval


def scaling(values: dict[str, Any], seed: int, context: Context) -> Measured:
    """t* against rate x l2; the best accuracy with as much time as it takes, and with a fixed budget."""
    data = images(values, context, seed)
    curves = train(values, data, seed, context)
    return read(curves, values, data.classes)


def read(curves: Curves, values: dict[str, Any], classes: int) -> Measured:
    """Metrics of a sweep.

    Cells that never get beyond twice the accuracy of chance do not train at all, and are left out of the slope, as
    those whose best accuracy comes before the fourth step are: their t* is not resolved. `c_ratio` is of t* rate l2,
    over the lower half of log(rate l2) to the upper. Where there is something to tell them from, `loss_slope` is of the
    times to the least training loss, of cells in which it has risen since, and `over_none` what the smallest l2 adds to
    the best accuracy, the mean over the rates that have a cell without and learn with either.
    """
    best, t_star, fixed = curves.best(), curves.t_star(), curves.best(values.get("budget", np.inf))
    learns = (curves.l2 > 0) & (best > 2 / classes) & (t_star >= 4)
    product = curves.rates * curves.l2
    metrics = {"slope": _slope(product[learns], t_star[learns]), "c_ratio": _ratio(product[learns], t_star[learns])}
    if np.isfinite(curves.loss).sum() > len(best):
        turn = curves.least_loss()
        turns = learns & (turn > 0)
        metrics["loss_slope"] = _slope(product[turns], turn[turns])
    if (without := curves.l2 == 0).any():
        learnt = np.where(best > 2 / classes, best, np.nan)
        metrics["over_none"] = _over_none(curves, learnt, np.unique(curves.rates[without]))
    gaps, tops, costs = [], [], []
    for rate in np.unique(curves.rates):
        row = np.flatnonzero((curves.rates == rate) & (curves.l2 > 0))
        least = row[curves.l2[row].argmin()]
        gaps.append(best[row].max() - best[least])
        costs.append(fixed[row].max() - fixed[least])
        tops.append(best[row].max())
    at = list(np.unique(curves.rates)).index(values.get("budget_rate", curves.rates[0]))
    metrics |= {"gap_least": float(np.mean(gaps)), "fixed_cost": float(costs[at]), "rate_spread": float(np.ptp(tops))}
    arrays = {"rates": curves.rates, "l2": curves.l2, "t_star": t_star, "best": best, "fixed": fixed, "learns": learns}
    return Measured(metrics, arrays)


def _over_none(curves: Curves, best: np.ndarray, rates: np.ndarray) -> float:
    """The mean over rates of the best accuracy with the smallest l2, less that without; NaN where no rate has both.

    One cell with l2 for each without, named before the run: the best of several is above a single one by chance.
    """
    gains = []
    for rate in rates:
        row = np.flatnonzero(curves.rates == rate)
        gains.append(np.diff(best[row[curves.l2[row].argsort()]][:2]))
    found = np.concatenate(gains)
    return float(found[np.isfinite(found)].mean()) if np.isfinite(found).any() else np.nan


def _slope(x: np.ndarray, y: np.ndarray) -> float:
    """Log-log; NaN where x does not vary."""
    return slope_interval(np.log(x), np.log(y)).estimate if np.unique(x).size > 1 else np.nan


def _ratio(x: np.ndarray, y: np.ndarray) -> float:
    """The geometric mean of x y where log x is below its middle, over that above; NaN where all x are alike."""
    if np.unique(x).size < 2:
        return np.nan
    lower = np.log(x) < np.log([x.min(), x.max()]).mean()
    return float(np.exp(np.log(x * y)[lower].mean() - np.log(x * y)[~lower].mean()))


def train_time(values: dict[str, Any], seed: int, context: Context) -> Measured:
    """The time until the training accuracy is 1 against l2 at each rate, and against the rate at each l2 (S1)."""
    curves = train(values, images(values, context, seed), seed, context)
    t = curves.t_train()

    def slopes(x: np.ndarray, within: np.ndarray) -> float:
        found = [slope_interval(np.log(x[within == w]), np.log(t[within == w])).estimate for w in np.unique(within)]
        return float(np.mean(found))

    metrics = {"slope_l2": np.nan, "slope_rate": np.nan}
    if np.isfinite(t).all():
        metrics = {"slope_l2": slopes(curves.l2, curves.rates), "slope_rate": slopes(curves.rates, curves.l2)}
    return Measured(metrics, {"rates": curves.rates, "l2": curves.l2, "t_train": t})


def catapult(values: dict[str, Any], seed: int, context: Context) -> Measured:
    """How much the test accuracy depends on the rate when the training accuracy is 1, and at its best (S5)."""
    curves = train(values, images(values, context, seed), seed, context)
    t, best = curves.t_train(), curves.best()
    learned = np.isfinite(t)
    early = np.where(learned, np.nanmax(np.where(curves.steps <= t[:, np.newaxis], curves.test, -1), axis=1), np.nan)
    early_spread, late_spread = (float(np.ptp(x[learned])) if learned.sum() > 1 else np.nan for x in (early, best))
    lowest = np.nanargmin(np.where(np.isnan(curves.loss), np.inf, curves.loss), axis=1)
    ends = (~np.isnan(curves.loss)).sum(1) - 1
    turns = np.mean((lowest < ends)[learned]) if learned.any() else np.nan
    metrics = {"early_spread": early_spread, "late_over_early": ratio(late_spread, early_spread), "turns": float(turns)}
    return Measured(metrics, {"rates": curves.rates, "l2": curves.l2, "early": early, "best": best})


def narrow(values: dict[str, Any], seed: int, context: Context) -> Measured:
    """Where the scaling does not hold: t* above and below the best l2, and what l2 below it costs (S7).

    `time_over_none` is t* from the best l2 down over that without l2; `learnt_then` the largest training accuracy at
    t*.
    """
    curves = train(values, images(values, context, seed), seed, context)
    best, t_star = curves.best(), curves.t_star()
    order = np.argsort(curves.l2)
    l2, best, t_star = curves.l2[order], best[order], t_star[order]
    first = int((l2 == 0).sum())  # of those with l2
    top = first + int(best[first:].argmax())
    above, below = slice(top, None), slice(first, top + 1)
    then = np.take_along_axis(
        curves.train, (curves.steps == curves.t_star()[:, np.newaxis]).argmax(1)[:, np.newaxis], 1
    )
    metrics = {
        "slope_above": _slope(l2[above], t_star[above]),
        "slope_below": _slope(l2[below], t_star[below]),
        "gap_least": float(best[top] - best[: first + 1].max()),
        "time_over_none": float(np.exp(np.log(t_star[below]).mean() - np.log(t_star[:first]).mean())),
        "learnt_then": float(then.max()),
    }
    return Measured(metrics, {"l2": l2, "rates": curves.rates[order], "t_star": t_star, "best": best})


def draw_t_star(arrays: list[dict[str, np.ndarray]], axes) -> None:
    """t* over rate x l2, a colour for each rate, and a line of slope -1."""
    for one in arrays:
        for k, rate in enumerate(np.unique(one["rates"])):
            row = (one["rates"] == rate) & (one["l2"] > 0)
            look, label = marked(k) | {"linestyle": ""}, f"rate {rate:g}" if one is arrays[0] else None
            axes.plot((one["rates"] * one["l2"])[row], one["t_star"][row], **look, label=label)
    if (learns := arrays[0]["learns"]).any():
        x = (arrays[0]["rates"] * arrays[0]["l2"])[learns]
        middle = np.exp(np.mean(np.log(x * arrays[0]["t_star"][learns])))
        x = np.array([x.min(), x.max()])
        axes.plot(x, middle / x, "--", color="0.5", lw=0.8, label="slope -1")
    axes.set(xlabel="rate x l2", ylabel="steps to the best test accuracy", xscale="log", yscale="log")
    axes.legend(fontsize="x-small")


def drawn(y: str, ylabel: str, x: str = "l2", log: bool = False):
    """A picture of a number of each cell over its rate or L2 parameter, lines for the other."""

    def draw(arrays: list[dict[str, np.ndarray]], axes) -> None:
        other = "rates" if x == "l2" else "l2"
        for one in arrays:
            for k, value in enumerate(np.unique(one[other])):
                row = np.flatnonzero((one[other] == value) & (one[x] > 0))
                row = row[np.argsort(one[x][row])]
                label = f"{other.removesuffix('s')} {value:g}" if one is arrays[0] else None
                axes.plot(one[x][row], one[y][row], **marked(k), alpha=0.8, label=label)
        axes.set(xlabel=x.removesuffix("s"), ylabel=ylabel, xscale="log", yscale="log" if log else "linear")
        axes.legend(fontsize="x-small")

    return draw

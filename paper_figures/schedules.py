"""Every schedule of `linreg_dyn.schedules` over time, with the numbers that papers print."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from linreg_dyn import rules
from linreg_dyn.schedules import (
    Adaptive,
    AutoL2,
    ByRate,
    Cosine,
    CosineRestarts,
    Exponential,
    GradientMask,
    InverseOfRate,
    Schedule,
    Steps,
    Window,
    published,
)

SIZE = (5.5, 7.6)
CLAIMS = ()
EPOCHS, ALL_EPOCHS = 200, 450
TRAINED, START, RATE = 300, (0.3, 2.4), 0.02
C, ADAPTED, DECAY = 0.05, 2000, 0.05
PARAMETERS = 24
AUTO = AutoL2(0.5, every=5, refractory=10.0)
FALLING = Steps((0.1, 0.02, 0.004), milestones=(80, 140))
CURVES = {
    "steps": FALLING,
    "exponential": Exponential(0.1, factor=0.97),
    "cosine": Cosine(0.1, steps=EPOCHS),
    "restarts": CosineRestarts(0.1, period=40, growth=2, end=0.01),
}
COMBINED = {
    "window": Window(FALLING, start=40, stop=120),
    "sum": Window(0.04, stop=60) + 0.02,
    "product": Cosine(0.1, steps=EPOCHS) * Exponential(1.0, factor=0.5, every=50),
}
PRINTED = {
    "Table 1": published.table_1("01", steps_per_epoch=1).learning_rate,
    "Time Matters": published.golatkar_rate(steps_per_epoch=1),
    "$L_2$ dynamics": published.lewkowycz_rate(EPOCHS, steps_per_epoch=1),
}
TITLES = (
    "schedules",
    "put together",
    "learning rates of papers",
    "weight decay of Table 1",
    "gradient sparsity of Table 1",
    "the mask of scheme 21",
    "decay by rate",
    "windows of Time Matters",
    "AutoL2",
    "adaptive rate",
)
KINDS = ("interrupted", "delayed", "sliding")
CAPTION = rf"""
    Schedules. (a) Steps, exponential decay, cosine and its warm restarts, each twice as long as the one before.
    (b) Put together: a window around steps, the sum of a window and a constant, the product of a cosine and an
    exponential. (c) Learning rates that papers print: Table 1 of Adapting Regularization with Learning Rate; Time
    Matters, 0.1 times 0.97 after every epoch; On the training dynamics of deep networks with L2, 0.2 times 0.2 at
    0.3, 0.6 and 0.9 of {EPOCHS} epochs. (d), (e) The five schemes of Table 1: weight decay tapers in 01 and 02 and
    is 0.0001 in the others; gradients are sparse in 21, 22 and 23 alone. (f) Which of {PARAMETERS} gradients scheme
    21 keeps (dark): the mask is redrawn only where the sparsity changes. (g) Decay by the rate alone: that of Table
    1 (discs), and decay that keeps rate times decay what it is, up to a ceiling. (h) The windows of Time Matters: a
    regulariser on until an epoch, from one on, or during 50 epochs; thin: how long the run trains. (i) AutoL2 with
    two layers that start at {START}, rate {RATE}: when the loss has exceeded its minimum at two measurements in a
    row, $\lambda$ is divided by ten. (j) The adaptive rate $c / \sum 1/w_i^2$ of the same start, $c = {C}$, with
    weight decay {DECAY}: it grows as the layers are balanced; dashed: $c/2$, its value at the flat minimum of the
    loss without decay.
"""


def draw(figure: Figure) -> None:
    """Draw panels a to j into an empty figure."""
    panels = figure.subplots(5, 2)
    (curves, combined), (rates, decays), (sparsities, mask), (by_rate, windows), (auto, adaptive) = panels
    _over_epochs(curves, CURVES, EPOCHS)
    _over_epochs(combined, COMBINED, EPOCHS)
    _over_epochs(rates, PRINTED, ALL_EPOCHS)
    decay = {name: _scheme(name).weight_decay for name in ("01", "02")}
    _over_epochs(decays, decay | {"others": _scheme("21").weight_decay}, ALL_EPOCHS)
    sparse = {name: _scheme(name).gradient_sparsity for name in ("22", "21", "23")}
    _over_epochs(sparsities, sparse | {"01, 02": _scheme("01").gradient_sparsity}, ALL_EPOCHS)
    _mask(mask)
    _by_rate(by_rate)
    _windows(windows)
    _auto_l2(auto)
    _adaptive(adaptive)
    rates.set(yscale="log", ylim=(3e-6, 200))
    decays.set(yscale="log", ylim=(6e-5, 1e-2))
    names = ("value", "value", "learning rate", "weight decay", "sparsity")
    for axes, name in zip((curves, combined, rates, decays, sparsities), names, strict=True):
        axes.set_ylabel(name)
    for axes, top in ((curves, 0.17), (combined, 0.17), (sparsities, 1.0)):
        axes.set_ylim(-0.03 * top, top)
    for axes, place, columns in (
        (curves, "upper right", 2), (combined, "upper right", 2), (rates, "upper right", 2), (decays, "upper right", 3),
        (sparsities, "upper right", 1), (by_rate, "lower right", 1), (auto, "upper right", 2), (adaptive, "center", 1),
    ):  # fmt: skip
        axes.legend(loc=place, ncols=columns, borderpad=0, columnspacing=0.8, handlelength=2.2, fontsize=7)
    for letter, axes, title in zip("abcdefghij", panels.flat, TITLES, strict=True):
        axes.set_title(f"({letter}) {title}", loc="left")


def _scheme(name: str) -> published.Scheme:
    return published.table_1(name, steps_per_epoch=1)


def _over_epochs(axes: Axes, schedules: dict[str, Schedule], epochs: int) -> None:
    for name, schedule in schedules.items():
        until = epochs if schedule.length is None else min(epochs, schedule.length)
        values = schedule.at(np.arange(until))
        axes.plot(np.arange(until + 1), np.append(values, values[-1]), drawstyle="steps-post", label=name)
    axes.set(xlim=(0, epochs), xlabel="epoch")


def _mask(axes: Axes) -> None:
    """Which gradients are kept when, one row each."""
    mask = GradientMask(_scheme("21").gradient_sparsity, seed=1)
    ends = [0, *mask.redraws, ALL_EPOCHS]
    for begin, end in pairwise(ends):
        for row in np.flatnonzero(mask.at(begin, PARAMETERS)):
            axes.broken_barh([(begin, end - begin)], (row + 0.1, 0.8), color="C1", linewidth=0)
    axes.set(xlim=(0, ALL_EPOCHS), ylim=(0, PARAMETERS), yticks=(), xlabel="epoch", ylabel="gradient")


def _by_rate(axes: Axes) -> None:
    lr = np.geomspace(3e-6, 0.3, 120)
    for name in ("01", "02"):
        levels = published.table_1_levels(name)
        decay = [ByRate(rate, levels=levels).at(0) for rate in lr.tolist()]
        (line,) = axes.plot(lr, decay, label=f"scheme {name}")
        axes.plot(*np.array(levels).T, "o", color=line.get_color())
    inverse = [InverseOfRate(rate, product=1e-5, most=1e-2).at(0) for rate in lr.tolist()]
    axes.plot(lr, inverse, label="inverse of rate")
    axes.set(xscale="log", yscale="log", xlim=(lr[-1], lr[0]), ylim=(5e-6, 2e-2))
    axes.set(xlabel="learning rate (falling)", ylabel="decay")


def _windows(axes: Axes) -> None:
    """A bar for each run, where its regulariser is on; a thin line for how long it trains."""
    row = 0
    for color, kind in enumerate(KINDS):
        for schedule, epochs in published.golatkar_windows(1.0, kind, steps_per_epoch=1):
            on = np.flatnonzero(schedule.at(np.arange(epochs)))
            axes.plot([0, epochs], [row + 0.5] * 2, "-", color="0.7", linewidth=0.5)
            if len(on):
                axes.broken_barh([(on[0], len(on))], (row + 0.1, 0.8), color=f"C{color}", linewidth=0)
            row += 1
        axes.text(208, row - 6.5, kind, ha="left", va="center", color=f"C{color}", fontsize=7)
        row += 1
    axes.set(xlim=(0, 280), ylim=(row, -1), yticks=(), xlabel="epoch", ylabel="run")


def _auto_l2(axes: Axes) -> None:
    steps, losses, parameters = auto_l2_run()
    axes.plot(steps, losses, "-", color="C0", label="loss")
    axes.plot(steps, parameters, "--", color="C1", drawstyle="steps-post", label=r"$\lambda$")
    axes.set(yscale="log", xlim=(0, TRAINED), ylim=(1e-7, 20), xlabel="step")


def auto_l2_run() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The measured steps of a run under `AUTO`, its losses there, and lambda after each measurement."""
    weights, state, rows = list(START), AUTO.start(), []
    for step in range(TRAINED):
        W = rules.end_to_end(weights)
        if step % AUTO.every == 0:
            state = AUTO.update(state, step, (W - 1) ** 2)
            rows.append((step, (W - 1) ** 2, state[0]))
        weights = rules.step(weights, rules.gradient_descent(W), RATE, AUTO.weight_decay(state[0]))
    steps, losses, parameters = np.array(rows).T
    return steps, losses, parameters


def _adaptive(axes: Axes) -> None:
    schedule, weights, rates = Adaptive(C), list(START), []
    for step in range(ADAPTED):
        rates.append(schedule.rate(weights, step))
        weights = rules.step(weights, rules.gradient_descent(rules.end_to_end(weights)), rates[-1], DECAY)
    axes.plot(rates, "-", label="rate")
    axes.axhline(C / 2, color="0.5", linestyle="--", linewidth=0.7, label="$c/2$")
    axes.set(xlim=(0, ADAPTED), ylim=(0, 0.03), xlabel="step")

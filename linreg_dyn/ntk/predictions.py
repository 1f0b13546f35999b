"""What the spectrum of a kernel and the labels' modes predict: loss curves, their minimum, the L2 for a budget.

Conventions: loss `sum (f - y)^2 / 2` over samples, total loss `+ l2/2 |theta|^2`, t is gradient-flow time, `degree`
is k; `modes` are what is left of labels and of the start in the kernel's eigenbasis, `y_a = e_a . y` (Lewkowycz and
Gur-Ari 2020, Theorem 2). For MSE everything follows from `gamma_a`, `y_a` and `f_a(0)`, without any training run.

Arguments of all functions here, of which TypeError or ValueError says if they are not so:

    t               gradient-flow times, >= 0, of any shape
    eigenvalues     gamma_a of the kernel at t = 0, (mode,), >= 0; what is above 0 counts as learned, however late, so
                    that rounding noise must be 0, as `spectrum` has it. All of them: what is not told is not there, so
                    that the modes of `spectrum(..., top=...)` alone give the loss of labels without the rest. Or the
                    Dataset of `spectrum` whole, in the place of all three arrays, which is refused if labels lie
                    outside of its modes
    y_modes         labels in the eigenbasis, (mode,) or (mode, output)
    f0_modes        the start in the eigenbasis, of the shape of `y_modes`; default 0, or `f0_mode` of the Dataset
    l2, degree      lambda and k, >= 0
    threads         how many work; None takes every core this process may use

**When is the loss lowest?** The paper expects its minimum "at a time proportional to 1/l2". Write `s = l2 t`,
`g = gamma / l2`, `q = e^(-2 (k - 1) s)`, `tau = (1 - q) / (2 (k - 1))`; start at f = 0. Then:

*k <= 1*: no mode turns back; the loss falls for ever and there is no minimum at a finite time (`time` is infinite).

*One mode, k > 1*. It is nearest to its label once, where learning and forgetting balance,

    q = 2 k (k - 1) int_0^tau (tau - x) e^(g x) (1 - 2 (k - 1) x)^(-1 - k / (2 (k - 1))) dx.

From left to right one side falls with s and the other rises with s and with g: the time exists, is unique, and falls
with gamma, and `l2 t*` depends on `gamma / l2` alone. At its ends

    gamma << l2:  l2 t* -> c_0 = log(2 (k - 1) / k) / (k - 2)    (1/2 at k = 2), from below
    gamma >> l2:  t* -> (2 / gamma) log(gamma / (l2 sqrt(2 k (k - 1)))):

a mode that is learned at all has its best time at the scale of 1/gamma, and l2 enters by a logarithm: not ~ 1/l2.

*Several modes*. t* lies between the best times of the largest and of the smallest eigenvalue that the labels have.
As l2 -> 0 with a least eigenvalue gamma_N > 0, `t* -> log(y_N^2 / (2 k (k - 1) l2^2 S)) / gamma_N` with
`S = sum y_a^2 / gamma_a^2`: a logarithm again. As l2 -> infinity, `t* -> c_0 / l2` whatever the spectrum is.

*A spectrum*. The loss is `1/2 int R(s; gamma / l2)^2 mu(dgamma)`, R the residual of a mode relative to its label, and
mu the power of the labels over eigenvalues. So, as far as the loss has one minimum, `t* = c / l2` with one c at every
l2 if and only if `int d/ds R^2(c; gamma / l2) mu(dgamma) = 0` at every l2: a convolution on a logarithmic axis. Powers
`mu(dgamma) ~ gamma^(rho - 1) dgamma` with -1 < rho < 2 obey it, for which the integral converges (`power_law`). As the
best time of a mode falls with gamma, `d/ds R^2` changes its sign once over gamma, from - to +; so each c belongs to at
most one real rho, and c falls with rho, from c_0 to 0. With rho > 2 the large eigenvalues decide, and
`t* ~ l2^(-3 / (1 + rho))`; the single mode is rho = infinity. A spectrum of finite extent has the constant c as long
as gamma_N << l2 << gamma_1, with corrections ~ (gamma_N / l2)^(1 + rho) and (l2 / gamma_1)^(2 - rho).

**Is it one minimum?** From f = 0, yes as far as we have seen: sums of functions that cross zero once do so too, for
any weights, exactly if the ratios of their negative to their positive parts are monotone (Quah and Strulovici,
Econometrica 80 (2012) 2333), and `d/dt R^2` of any two modes tested are, over time at fixed l2 and over l2 at a fixed
time. That is measured (tests), not proved. The first makes the minimum unique; the second makes t* fall with l2, from
infinity to 0, so that every budget has one l2, and `l2 < c_0 / budget`. From other starts there may be several
minima, or none; then all of them are looked for.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike

from linreg_dyn._checks import number
from linreg_dyn.ensemble.threads import spread, workers
from linreg_dyn.ntk.loss_modes import LEAST_L2, PER_DECADE, LossMinimum, Modes, faint_constant, root
from linreg_dyn.problem import Array, as_floats


def kernel_eigenvalues(t: ArrayLike, eigenvalues: ArrayLike, *, l2: float, degree: float) -> Array:
    """`gamma_a(t) = gamma_a e^(-2 (k - 1) l2 t)`, [time, mode] (eq. 2; arguments: see the module)."""
    at, gamma = _times(t), as_floats("eigenvalues", eigenvalues)
    l2, degree = _rates(l2, degree)
    return np.exp(-2 * (degree - 1) * l2 * at)[..., np.newaxis] * gamma


def loss_curve(
    t: ArrayLike,
    eigenvalues: ArrayLike | xr.Dataset,
    y_modes: ArrayLike | None = None,
    *,
    l2: float,
    degree: float,
    f0_modes: ArrayLike | None = None,
    threads: int | None = None,
) -> Array:
    """The loss `1/2 sum_a (f_a(t) - y_a)^2` (eq. 3), without the L2 term, to full relative accuracy; of the shape of t.

    Arguments: see the module.
    """
    modes = Modes.of(*_modes(eigenvalues, y_modes, f0_modes), *_rates(l2, degree), workers(threads))
    at = _times(t)
    return modes.at(at.reshape(-1))[0].reshape(at.shape)


def loss_minimum(
    eigenvalues: ArrayLike | xr.Dataset,
    y_modes: ArrayLike | None = None,
    *,
    l2: float,
    degree: float,
    f0_modes: ArrayLike | None = None,
    threads: int | None = None,
) -> LossMinimum:
    """The time t* at which the loss (without the L2 term) is lowest, over all t >= 0; the earliest if several are.

    From f = 0 it is sought between the best times of the largest and of the smallest eigenvalue, between which it
    lies (see the module). From other starts every change of sign of the loss's slope is refined, seen at twelve
    times per decade from before the fastest mode moves until after the last is gone: minima closer to each other
    than that may be taken for one. Arguments: see the module.

    Raises:
        ValueError: l2 is above 0 and below 1e-100 of the smallest eigenvalue that the labels have.
    """
    modes = Modes.of(*_modes(eigenvalues, y_modes, f0_modes), *_rates(l2, degree), workers(threads))
    return modes.minimum()


def predict_l2(
    eigenvalues: ArrayLike | xr.Dataset,
    y_modes: ArrayLike | None = None,
    *,
    budget: ArrayLike,
    degree: float,
    f0_modes: ArrayLike | None = None,
    threads: int | None = None,
) -> Any:
    """The L2 parameter whose loss minimum falls at the training budget: `t*(l2) = budget`.

    The paper's `lambda_pred = c / T`, with c measured in a training run; here from kernel and labels alone, and
    without the assumption that c is one number. From f = 0 there is exactly one, for every budget, and it is below
    `c_0 / budget` (see the module). From another start the minimum may jump over the budget, or stay at 0 or at
    infinity at every l2; of several solutions the smallest is returned, "the smallest L2 parameter such that model
    performance will peak within training time T" (section 3).

    Args (others: see the module):
        budget: T > 0, gradient-flow time: steps times learning rate; or an array of them, (budget,), for one L2 each.
        degree: k > 1; for others the loss of a model that starts at 0 has no minimum.

    Returns:
        A float, or an array of the shape of `budget`.

    Raises:
        ValueError: no l2 has its loss minimum at the budget, or only one below 1e-100 of the smallest eigenvalue that
            the labels have.
    """
    degree = number("degree", degree, above=1)
    times = np.atleast_1d(as_floats("budget", budget))
    for time in times.flat:
        number("budget", float(time), above=0)
    modes = Modes.of(*_modes(eigenvalues, y_modes, f0_modes), 0.0, degree, workers(threads))
    if modes.slowest() == math.inf and not modes.f0.any():
        raise ValueError("y_modes must be nonzero for an eigenvalue above 0, or nothing is ever learned; got none")
    search = _searched_l2 if modes.f0.any() else _only_l2
    found = np.array([search(modes, float(time)) for time in times.flat])
    return found.reshape(times.shape) if np.ndim(budget) else float(found[0])


def _only_l2(modes: Modes, budget: float) -> float:
    """`predict_l2` for a start at 0, from which there is exactly one."""

    def slope(log_l2: float) -> float:
        return modes.with_l2(math.exp(log_l2)).slope(budget)

    slowest, highest = modes.slowest(), 1.01 * faint_constant(modes.degree) / budget
    lowest = min(LEAST_L2 * slowest, highest / 2)
    if slope(math.log(lowest)) >= 0:
        raise ValueError(
            f"budget must be shorter: {budget:g} is {budget * slowest:.3g} times the time 1/eigenvalue of the slowest "
            f"mode, and no l2 above {LEAST_L2:g} of that eigenvalue has its loss minimum so late"
        )
    return math.exp(root(slope, math.log(lowest), math.log(highest), of_log=True))


def _searched_l2(modes: Modes, budget: float) -> float:
    """`predict_l2` for starts other than 0: all l2 for which the slope changes sign, tried from the smallest on."""

    def slope(log_l2: float) -> float:
        return modes.with_l2(math.exp(log_l2)).slope(budget)

    lowest, highest = 1e-30 / budget, 100.0 / budget
    grid = np.linspace(math.log(lowest), math.log(highest), 32 * PER_DECADE)
    values = np.empty(grid.size)

    def work(first: int, last: int) -> None:
        values[first:last] = [slope(x) for x in grid[first:last]]

    spread(work, grid.size, modes.threads)
    signed = np.flatnonzero(values)
    for i, j in pairwise(signed.tolist()):
        if values[i] * values[j] < 0:
            l2 = math.exp(root(slope, float(grid[i]), float(grid[j]), of_log=True))
            if math.isclose(modes.with_l2(l2).minimum().time, budget, rel_tol=1e-6):
                return l2
    raise ValueError(
        f"no l2 between {lowest:.3g} and {highest:.3g} has its loss minimum at the budget {budget:g}: from this start "
        "it stays at 0 or at infinity, or jumps past the budget"
    )


def _modes(eigenvalues: Any, y_modes: Any, f0_modes: Any) -> tuple[Any, Any, Any]:
    """The arrays, of a spectrum whole those that it holds."""
    if not isinstance(eigenvalues, xr.Dataset):
        if y_modes is None:
            raise TypeError("y_modes must be given with an array of eigenvalues, got None")
        return eigenvalues, y_modes, f0_modes
    if y_modes is not None:
        raise TypeError("y_modes must not be given with a spectrum, which holds them")
    if "y_mode" not in eigenvalues:
        raise ValueError("spectrum must hold the modes of labels: give it y")
    for name in ("y", "f0"):
        if f"{name}_mode" in eigenvalues:
            outside = float(np.linalg.norm(eigenvalues[f"{name}_left_out"]))
            whole = math.hypot(float(np.linalg.norm(eigenvalues[f"{name}_mode"])), outside)
            if outside > 1e-8 * whole:  # of all modes it is rounding; and the loss knows squares
                raise ValueError(
                    f"spectrum must have all modes: {name} of norm {whole:.3g} has {outside:.3g} outside of its "
                    f"{eigenvalues.sizes['mode']}; compute it without top"
                )
    if f0_modes is None and "f0_mode" in eigenvalues:
        f0_modes = eigenvalues["f0_mode"].values
    return eigenvalues["eigenvalue"].values, eigenvalues["y_mode"].values, f0_modes


def _rates(l2: float, degree: float) -> tuple[float, float]:
    return number("l2", l2, least=0), number("degree", degree, least=0)


def _times(t: ArrayLike) -> Array:
    at = as_floats("t", t)
    if at.size and at.min() < 0:
        raise ValueError(f"t must be >= 0, got {at.min():g}")
    return at

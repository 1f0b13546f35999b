"""Training of wide networks under L2, for any loss: outputs on training and test samples over time.

Lewkowycz and Gur-Ari 2020, Theorem 1, for samples x, training samples x' and the loss `sum over x' of l(f(x'), y')`:

    df_t(x)/dt = -e^(-2 (k - 1) l2 t) sum over x' of Theta_0(x, x') dl/df(x') - k l2 f_t(x)        (1)
    Theta_t    =  e^(-2 (k - 1) l2 t) Theta_0                                                       (2)

`l2` is the paper's lambda, of the total loss `sum l + l2/2 |theta|^2` (a sum over samples, not a mean); t is
gradient-flow time, `step * learning_rate`; `degree` is k, 1 for linear models.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike

from linreg_dyn._checks import choice, integer, number
from linreg_dyn.ensemble import provenance
from linreg_dyn.ntk._adaptive import Adapted, adapted
from linreg_dyn.ntk._evolution import Network, Solver, State, chebyshev, closed, definite, implicit
from linreg_dyn.ntk._training import Training, checked_training
from linreg_dyn.ntk.kernel_checks import refuse_memory
from linreg_dyn.ntk.losses import Loss, mse
from linreg_dyn.problem import Array, as_floats
from linreg_dyn.schedules import AutoL2

METHODS = {"closed": closed, "implicit": implicit, "chebyshev": chebyshev}
STATUSES = ("ok", "unfinished")
DENSE = 2000
"""Outputs on training and test samples together up to which "auto" solves systems of equations with them."""
LEAST_RTOL = 1e-12


def predict(
    kernel: Any,
    y: Any,
    t: ArrayLike,
    *,
    l2: float | AutoL2,
    degree: float,
    f0: ArrayLike | None = None,
    loss: str | Loss | Any = "mse",
    kernel_test_train: Any = None,
    f0_test: ArrayLike | None = None,
    y_test: Any = None,
    num_outputs: int | None = None,
    learning_rate: float | None = None,
    kernel_rtol: float | None = None,
    method: str = "auto",
    rtol: float | None = None,
    atol: float | None = None,
    max_steps: int = 100_000,
) -> xr.Dataset:
    """Outputs and losses of a wide network, or a linear model, trained under L2 (Theorem 1; equations: see the module).

    Squared error with a matrix is solved in closed form, mode by mode (eq. 3); all else numerically, by one of
    two methods that stiffness does not stop.

    For a module that torch trains by SGD: t is the step times the learning rate, and l2 is `weight_decay`. A loss that
    is the mean over N samples is the sum with the kernel divided by N, at the same l2. The kernel is that of
    `empirical_kernel`, and degree the number of layers of weights, if activations are homogeneous as ReLU is and there
    are neither biases nor normalisation; else there is none. A module starts at its outputs, `f0`, and follows these
    equations as far as it is wide.

    Args:
        kernel: Theta_0 between training samples, [sample, sample], the same for every output; or between all outputs,
            [sample, sample, output, output]; or an operator, anything of shape (sample, sample) that can be
            multiplied (`@`) with arrays (sample,) and (sample, output). Asymmetry and negative eigenvalues within
            rounding are repaired, beyond they are refused (`check_kernel`); duplicate samples are allowed. Its dtype
            tells what is rounding, as of `spectrum`: a kernel that was computed in float32 must be given in float32,
            or what rounding makes of 0 is learned in the end.
        y: labels, (sample,) or (sample, output); for "softmax" classes from 0 on, (sample,), or one-hot.
        t: gradient-flow times at which to give outputs, (time,), not decreasing, from 0 on.
        l2: lambda >= 0; or `linreg_dyn.schedules.AutoL2`, which then measures sums over samples.
        degree: k >= 0.
        f0: outputs at t = 0, of the shape of the labels, default 0.
        loss: "mse", "softmax", "logistic" (labels -1 and 1), "huber" (`losses.huber` for another width); a `Loss`; or
            dl/df, a function, plain or compiled, of arrays f and y (sample, output).
        kernel_test_train: Theta_0 between test and training samples, [test sample, sample], or [..., output, output].
        f0_test: outputs at t = 0 on test samples, default 0.
        y_test: labels of these.
        num_outputs: of "softmax" with classes as numbers, where more outputs are trained than there are classes in `y`.
        learning_rate: for `linreg_dyn.schedules.AutoL2`, which counts steps; to others t is all there is.
        kernel_rtol: what counts as rounding in the kernel (default: the square root of its dtype's epsilon), as `rtol`
            of `check_kernel` and `spectrum`. (`rtol` is of the integration.)
        method: "closed"; "implicit": LSODA with the dense Jacobian, of `((N + M) C)^2` numbers for N training
            samples, M test samples and C outputs; "chebyshev": RKC, of order 2, products with the kernel only; "auto"
            is the first of these that is possible, "implicit" up to (N + M) C = 2000.
        rtol, atol: a step's error estimate in outputs is kept below `atol + rtol |f|`; errors of steps add up.
            Default: rtol 1e-8, with "chebyshev" 1e-5; atol a hundredth of rtol, times the largest label or
            start. Nothing to "closed".
        max_steps: steps of the integrator after which training is left unfinished (with AutoL2: of each stretch).

    Returns:
        `f` (time, sample[, output]), `f_test` (time, test_sample[, output]), `loss` (time), the sum over samples
        without L2, if the loss tells its value; `error` (time), the fraction of samples classified wrongly, for
        "softmax" and "logistic"; with `y_test` also `loss_test`, a sum too, and `error_test`; `kernel_scale` (time),
        `Theta_t / Theta_0`; with AutoL2 `l2` (time), and of its decays `decay_step` and `decay_l2` (decay); `status`
        (0 ok; 1 unfinished: from the time on at which the solver gave up all is NaN).

    Raises:
        TypeError, ValueError: an argument is not as above, or memory does not suffice; nothing was solved.
    """
    times, l2, learning_rate = _checked_times(t), _checked_l2(l2), _checked_rate(learning_rate)
    choice("method", method, ("auto", *METHODS))
    degree, max_steps = number("degree", degree, least=0), integer("max_steps", max_steps, least=1, most=2**62)
    if kernel_rtol is not None:
        kernel_rtol = number("kernel_rtol", kernel_rtol, least=0)
    training = checked_training(kernel, y, loss, f0, kernel_test_train, f0_test, y_test, num_outputs, kernel_rtol)
    method = _checked_method(method, training, l2, learning_rate)
    network = _network(training, degree, method, rtol, atol, max_steps)
    _refuse_too_large(training, times, method)
    if method != "closed":  # which decomposes the kernel itself
        network = definite(network)
    record = _trained(network, METHODS[method](network), training.start, times, l2, learning_rate)
    return _dataset(training, times, record, _spec(training, network, method, l2, learning_rate))


def _trained(
    network: Network, solver: Solver, start: State, times: Array, l2: float | AutoL2, learning_rate: float | None
) -> Adapted:
    if isinstance(l2, AutoL2):
        assert learning_rate is not None  # as _checked_method has it
        return adapted(network, solver, l2, learning_rate, start, times)
    record = Adapted.at(times, start)
    (f, test), reached = solver(start, l2, 1.0, times)
    record.extend((f[:reached], test[:reached]), l2, network.kernel_at(times[:reached], l2, 1.0))
    return record


def _spec(
    training: Training, network: Network, method: str, l2: float | AutoL2, learning_rate: float | None
) -> dict[str, Any]:
    tolerances = {"rtol": network.rtol, "atol": network.atol, "max_steps": network.max_steps}
    return {
        "kernel": training.described_kernel(),
        "y": provenance.described(training.y),
        "start": [provenance.described(x) for x in training.start],
        "l2": l2,
        "learning_rate": learning_rate,
        "degree": network.degree,
        "loss": training.loss.name,
        "method": method,
        **({} if method == "closed" else tolerances),
    }


def _checked_l2(l2: Any) -> float | AutoL2:
    return l2 if isinstance(l2, AutoL2) else number("l2", l2, least=0)


def _checked_rate(learning_rate: Any) -> float | None:
    return None if learning_rate is None else number("learning_rate", learning_rate, above=0)


def _checked_times(t: ArrayLike) -> Array:
    times = np.atleast_1d(as_floats("t", t))
    if times.ndim != 1 or not times.size:
        raise ValueError(f"t must have the shape (time,), time >= 1, got {np.shape(t)}")
    if times[0] < 0 or (np.diff(times) < 0).any():
        raise ValueError("t must not decrease, and start at 0 or later, got others")
    return times


def _checked_method(method: str, training: Training, l2: float | AutoL2, learning_rate: float | None) -> str:
    """Which method it will be; ValueError if arguments do not go together."""
    if isinstance(l2, AutoL2):
        if learning_rate is None:
            raise ValueError("learning_rate must be given with AutoL2, which counts steps; got None")
        if training.loss.value is None:
            raise ValueError(f"loss must tell its value for AutoL2, got {training.loss.name!r}, a derivative alone")
    elif learning_rate is not None:
        raise ValueError(
            f"learning_rate must only be given with AutoL2, which counts steps, got {learning_rate:g}: without, t is "
            "step * learning_rate already"
        )
    squared = training.loss is mse()
    if method == "auto":
        if not training.dense:
            return "chebyshev"
        return "closed" if squared else "implicit" if training.size <= DENSE else "chebyshev"
    if method == "closed" and not squared:
        raise ValueError(f"method 'closed' is for the loss 'mse', got {training.loss.name!r}")
    if method != "chebyshev" and not training.dense:
        raise ValueError(f"method {method!r} needs matrices as kernels, got an operator")
    return method


def _network(
    training: Training, degree: float, method: str, rtol: float | None, atol: float | None, max_steps: int
) -> Network:
    if rtol is None:
        rtol = 1e-5 if method == "chebyshev" else 1e-8
    rtol = number("rtol", rtol, least=LEAST_RTOL)
    largest = max(float(np.abs(x).max(initial=0.0)) for x in (training.y, *training.start))
    atol = 0.01 * rtol * (largest or 1.0) if atol is None else number("atol", atol, above=0)
    return Network(training.check, training.cross, training.loss, training.y, degree, rtol, atol, max_steps)


def _refuse_too_large(training: Training, times: Array, method: str) -> None:
    recorded = 8.0 * (10 if method == "closed" else 3) * times.size * training.size
    system = 8.0 * 4 * training.size**2 if method == "implicit" else 0.0
    what = f"{times.size} times of {training.size} outputs, by the method {method!r},"
    refuse_memory(what, recorded + system, "take fewer times or samples, or the method 'chebyshev'")


def _dataset(training: Training, times: Array, record: Adapted, spec: dict[str, Any]) -> xr.Dataset:
    squeezed, wide = training.squeezed, () if training.squeezed else ("output",)
    f, test = (x[..., 0] if squeezed else x for x in record.outputs)
    loss, known = training.loss, slice(0, record.reached)
    output = {"long_name": "outputs of the network", "units": "1"}
    variables: dict[str, Any] = {
        "f": (("time", "sample", *wide), f, output),
        "kernel_scale": ("time", record.kernel_scale, {"long_name": "kernel relative to that at t = 0", "units": "1"}),
        "status": ((), np.int8(record.reached < times.size), _flags()),
    }
    if test.shape[1]:
        variables["f_test"] = (("time", "test_sample", *wide), test, {**output, "long_name": "outputs on test samples"})
    for name, function, meaning in (
        ("loss", loss.value, "loss, sum over samples, without L2"),
        ("error", loss.wrong, "fraction of samples classified wrongly"),
    ):
        reduced = np.mean if name == "error" else np.sum
        for values, labels, end, of in zip(
            record.outputs, (training.y, training.y_test), ("", "_test"), ("", ", test"), strict=True
        ):
            if function is not None and labels is not None:
                curve = np.full(times.size, np.nan)
                curve[known] = [reduced(function(x, labels)) for x in values[known]]
                variables[name + end] = ("time", curve, {"long_name": meaning + of, "units": "1"})
    if isinstance(spec["l2"], AutoL2):
        variables["l2"] = ("time", record.l2, {"long_name": "L2 parameter lambda of l2/2 |theta|^2", "units": "1"})
        step = {"long_name": "step after which the L2 parameter decayed", "units": "steps"}
        variables["decay_step"] = ("decay", np.array(record.decay_step, dtype=np.int64), step)
        variables["decay_l2"] = ("decay", np.array(record.decay_l2), {"long_name": "L2 parameter since", "units": "1"})
    time = {"long_name": "gradient-flow time, learning_rate * step", "units": "1"}
    attributes = provenance.attributes("ntk", spec, backend="cpu", dtype="float64")
    return xr.Dataset(variables, {"time": ("time", times, time)}, {**attributes, **training.findings})


def _flags() -> dict[str, Any]:
    return {
        "long_name": "how the training ended",
        "flag_values": np.arange(len(STATUSES), dtype=np.int8),
        "flag_meanings": " ".join(STATUSES),
    }

"""The correction T of the kernel's flow at initialisation (S6) against the width, measured.

Two-layer networks f(x) = n^{-1/2} sum_i a_i phi(w_i . x / sqrt(d)) in NTK parameterisation, all parameters standard
normal, MSE loss. With phi'' = 0 only the second derivatives by one a_i and one w_i remain, so that

    T(x, x') = - n^{-3/2} sum_{x''} (f(x'') - y'') sum_i a_i [ phi'_i(x) phi'_i(x'') phi_i(x') x.x''/d
                                                            + phi'_i(x) phi'_i(x') phi_i(x'') x.x'/d ].
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from linreg_dyn.claims.core import Claim, Control, Measurement
from linreg_dyn.claims.lewkowycz._paper import source

WIDTHS = (64, 128, 256, 512, 1024, 2048, 4096)
SAMPLES = 1500
TOLERANCE = 0.1
SEED = 20200616
QUANTILE = 2.5758293035489004  # of the normal distribution, two-sided 99 %
X = np.array([[1.0, 0.0, 0.5], [0.6, 0.8, -0.5], [-0.4, 0.9, 0.3]])  # three training points
Y = np.array([1.0, -1.0, 0.5])


def corrections(weights: np.ndarray, outputs: np.ndarray, activation: str) -> np.ndarray:
    """T(x_0, x_1) of networks with weights (..., unit, input) and output weights (..., unit)."""
    n, d = weights.shape[-2:]
    z = weights @ X.T / np.sqrt(d)
    slope = np.ones_like(z) if activation == "linear" else (z > 0).astype(float)
    phi = z * slope
    residual = np.einsum("...i,...is->...s", outputs, phi) / np.sqrt(n) - Y
    gram = X @ X.T / d
    total = np.einsum("...i,...i,...i,...is,...s->...", outputs, slope[..., 0], phi[..., 1], slope * gram[0], residual)
    total += gram[0, 1] * np.einsum(
        "...i,...i,...i,...is,...s->...", outputs, slope[..., 0], slope[..., 1], phi, residual
    )
    return -total / n**1.5


@cache
def measure() -> dict[str, dict[str, tuple[np.ndarray, np.ndarray]]]:
    """Logarithms of |mean T| and of its standard deviation at each width, with their standard errors."""
    out: dict[str, dict[str, tuple[np.ndarray, np.ndarray]]] = {}
    for activation in ("linear", "relu"):
        rng = np.random.default_rng([SEED, activation == "relu"])
        rows = []
        for n in WIDTHS:
            block = max(1, 2**18 // n)
            T = np.concatenate(
                [
                    corrections(rng.normal(size=(m, n, X.shape[1])), rng.normal(size=(m, n)), activation)
                    for start in range(0, SAMPLES, block)
                    for m in (min(block, SAMPLES - start),)
                ]
            )
            mean, spread = T.mean(), T.std(ddof=1)
            fourth = ((T - mean) ** 4).mean() / spread**4
            rows.append(
                (
                    np.log(abs(mean)),
                    spread / abs(mean) / np.sqrt(SAMPLES),
                    np.log(spread),
                    np.sqrt(max(fourth - 1, 0) / SAMPLES) / 2,
                )
            )
        columns = np.array(rows).T
        out[activation] = {"mean": (columns[0], columns[1]), "spread": (columns[2], columns[3])}
    return out


def slope_interval(values: np.ndarray, errors: np.ndarray) -> tuple[float, float]:
    """99 % interval of the slope of values against log(width), by weighted least squares with known errors."""
    x, weight = np.log(np.array(WIDTHS)), errors**-2
    centred = x - np.average(x, weights=weight)
    variance = 1 / np.sum(weight * centred**2)
    slope = variance * np.sum(weight * centred * values)
    return slope - QUANTILE * np.sqrt(variance), slope + QUANTILE * np.sqrt(variance)


def slopes(data: dict[str, Any]) -> dict[str, tuple[float, float]]:
    """The interval of each of the four slopes."""
    return {
        f"{quantity} of T, {activation}": slope_interval(*data[activation][quantity])
        for activation in data
        for quantity in data[activation]
    }


def equivalent(expected: float) -> Callable[[Any], bool | None]:
    """Are all slopes `expected`, within the tolerance? True or False at 99 % each, None where an interval is wide."""

    def judge(data: Any) -> bool | None:
        verdicts = []
        for low, high in slopes(data).values():
            inside = expected - TOLERANCE < low and high < expected + TOLERANCE
            outside = high < expected - TOLERANCE or low > expected + TOLERANCE
            verdicts.append(True if inside else False if outside else None)
        return False if False in verdicts else None if None in verdicts else True

    return judge


CLAIMS = (
    Claim(
        id="lewkowycz.thm-1-correction",
        title="The correction to the kernel's flow vanishes as one over the width",
        statement=(
            r"\mathbb{E}_\theta[T_0] = \mathcal{O}(n^{-1}), \quad \text{Var}[T_0] = \mathcal{O}(n^{-2}), \quad "
            r"\text{hence } T_0 \to 0 \text{ in probability}"
        ),
        source=source("proof of Theorem 1, after eq. S6"),
        kind="printed",
        depths=(2,),
        reading=(
            "The mean is O(1/n) and so is a typical size, the root of the variance: both are measured, for two-layer "
            "linear and ReLU networks at initialisation, as slopes of logarithms against log n; that they be -1 is "
            "more "
            "than O(1/n). Derivatives of T in time and deeper networks are not measured."
        ),
        measurement=Measurement(
            plan=(
                f"two-layer linear and ReLU networks, widths {WIDTHS[0]} to {WIDTHS[-1]}, {SAMPLES} draws each, "
                f"seed {SEED}; all four slopes -1 within {TOLERANCE} by 99 % intervals"
            ),
            size=lambda data: len(data) * SAMPLES * len(WIDTHS),
            measure=measure,
            agrees=equivalent(-1.0),
            controls=(
                Control("n^{-1/2}", equivalent(-0.5)),
                Control("n^{-3/2}", equivalent(-1.5)),
                Control("n^{-3/4}", equivalent(-0.75)),
            ),
            values=lambda data: {
                f"slope, {name}": {"lower": f"{low:.4f}", "upper": f"{high:.4f}"}
                for name, (low, high) in slopes(data).items()
            },
        ),
    ),
)

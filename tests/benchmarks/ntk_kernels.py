"""The kernel of an infinitely wide network: `infinite_width` beside plain NumPy and, where installed, neural-tangents.

All begin with the same inputs and end with the matrix in memory, after whatever they compile. Plain NumPy takes an
arccosine of whole matrices, as one writes it first. neural-tangents 0.6.5 needs an older JAX (0.4.23 works).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any

import numpy as np

from linreg_dyn.ntk import infinite_width
from linreg_dyn.problem import Array
from tests.benchmarks.timing import interleaved

SAMPLES, FEATURES, HIDDEN = 2000, 784, 2
OURS = "ours"
AIM = 0.15

Program = Callable[[Array], Array]
"""From inputs (sample, feature) to the NTK."""


def inputs(samples: int) -> Array:
    """Normal numbers."""
    return np.random.default_rng(0).standard_normal((samples, FEATURES))


def ours(threads: int | None = None) -> Program:
    """`infinite_width`, its whole call."""
    return partial(_ours, threads=threads)


def _ours(x: Array, threads: int | None) -> Array:
    kernel = infinite_width(x, hidden_layers=HIDDEN, activation="relu", threads=threads)
    assert isinstance(kernel, np.ndarray)
    return kernel


def plain(x: Array) -> Array:
    """Whole matrices in NumPy."""
    kernel = x @ x.T / x.shape[1]
    tangent = kernel
    for _ in range(HIDDEN):
        deviations = np.sqrt(kernel.diagonal())
        scale = deviations[:, np.newaxis] * deviations
        cosine = np.clip(kernel / scale, -1, 1)
        angle = np.arccos(cosine)
        kernel = scale * (np.sqrt(1 - cosine**2) + (np.pi - angle) * cosine) / (2 * np.pi)
        tangent = kernel + tangent * (np.pi - angle) / (2 * np.pi)
    return tangent


def neural_tangents() -> Program:
    """`stax`, compiled by JAX in float64.

    Raises:
        ImportError: it is not installed, or does not work with the JAX that is.
    """
    import jax
    from neural_tangents import stax  # pyright: ignore[reportMissingImports]

    layers = [stax.Dense(1), stax.Relu()] * HIDDEN + [stax.Dense(1)]
    compiled = jax.jit(lambda x: stax.serial(*layers)[2](x, None, "ntk"))

    def run(x: Array) -> Array:
        with jax.enable_x64(True):
            return np.asarray(compiled(x))

    return run


def measured(threads: int, turns: int, budget: float, clock: str = "wall", samples: int = SAMPLES) -> dict[str, Any]:
    """One row: seconds of each program, and how far its kernel is from ours, relative to the largest entry."""
    x = inputs(samples)
    programs: dict[str, Program] = {OURS: ours(threads), "NumPy": plain}
    cells: dict[str, dict[str, Any]] = {}
    try:
        programs["neural-tangents"] = neural_tangents()
    except (ImportError, AttributeError) as error:  # with a JAX that it does not know, it looks for what is gone
        cells["neural-tangents"] = {"not available": str(error).splitlines()[0]}
    kernel = programs[OURS](x)
    for name, program in programs.items():
        cells[name] = {"apart": float(np.abs(program(x) - kernel).max() / kernel.max())}  # and compile
    runs = {name: partial(program, x) for name, program in programs.items()}
    for name, timing in interleaved(runs, turns=turns, budget=budget).items():
        cells[name]["seconds"] = timing.wall if clock == "wall" else timing.cpu / threads
        cells[name]["ours_is"] = cells[name]["seconds"] / cells[OURS]["seconds"]
    sizes = {"samples": samples, "features": FEATURES, "hidden_layers": HIDDEN, "threads": threads}
    return {"what": "kernel", **sizes, "programs": cells}


def aims(rows: Iterable[dict[str, Any]]) -> Iterator[tuple[str, float, list[tuple[float, str]], bool]]:
    """What is asked for, as (text, bound, what was measured and where, whether the bound is the most)."""
    found = [row for row in rows if row["what"] == "kernel" and row["samples"] == SAMPLES]
    seconds = [(row["programs"][OURS]["seconds"], f"{row['threads']} threads") for row in found]
    text = f"infinite width, {SAMPLES} x {SAMPLES}, {FEATURES} features, {HIDDEN} hidden ReLU layers: seconds"
    yield text, AIM, seconds, True

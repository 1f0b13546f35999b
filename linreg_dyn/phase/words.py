"""What a picture shows, in words: text with mathematics between dollars."""

from __future__ import annotations

import json
from typing import Any

import xarray as xr

from linreg_dyn.ensemble.methods import Method, MiniBatch, NoiseAugmentation, SGDNoise
from linreg_dyn.phase.plane import Plane
from linreg_dyn.schedules import Adaptive, AutoL2, Constant, Schedule, as_schedule


def setting(plane: Plane, method: Method, training: dict[str, Any]) -> str:
    """Depth, other layers, method, rate, decay, momentum and steps: `training` are the arguments of `simulate`.

    Without a `learning_rate` (a map of many) none is named; nor is the dtype, unless it is float32.
    """
    parts = [f"{plane.depth} layers", *_others(plane), _method(method)]
    if "learning_rate" in training:
        parts.append(_rate(training["learning_rate"]))
    decay = training.get("weight_decay")
    if isinstance(decay, Schedule | AutoL2):
        parts.append(f"weight decay {decay}")
    elif decay:
        parts.append(f"weight decay $\\mu = {decay:g}$")
    if training.get("momentum"):
        kind = "Nesterov momentum" if training.get("nesterov") else "momentum"
        parts.append(f"{kind} {training['momentum']:g}")
    parts += ["float32"] if training.get("dtype") == "float32" else []
    return ", ".join([*parts, f"{training['steps']} steps"])


def caption(result: xr.Dataset, plane: Plane, title: str) -> str:
    """The caption of a picture: its title, what the plane is, and what is true of the bands in it; a line for each."""
    first, second = plane.layers
    text = [*title.split("\n"), f"Layers {first} and {second} of {plane.depth}. {_exactness(plane)}"]
    if "velocity_first" in result:
        text.append(f"Streamlines: {_velocity(result)}.")
    if result.sizes.get("point"):
        text.append("Stars: stable equilibria of the flow with weight decay; crosses: unstable ones.")
    if "within" in result.attrs:
        text.append(f"At a minimum: $|W - 1| \\leq {result.attrs['within']:g}$; at the origin: every $|w_i|$ is.")
    if "stable" in result:
        text.append("Minima are unstable at this rate where its product with $\\sum 1/w_i^2$ exceeds 1.")
    if "mean_residual" in result:
        text.append("Dotted: where the mean gradient of L is 0, $W = 1/(1 + \\sigma^2)$ for noise of mean 0.")
    if "critical_rate" in result:
        ratio = result["critical_rate"].attrs["ratio"]
        text.append(
            f"By bisection: training does not diverge at the rate shown, and does at one at most {ratio:.4g} times as "
            "large. Rates that diverge need not be one interval: of several places where that changes one is found."
        )
    for name in sorted(map(str, result.data_vars)):
        if name.startswith("band_"):
            about = result[name].attrs
            claim = f" [{about['claim']}]" if about["claim"] else ""
            text.append(f"{about['long_name'][0].upper()}{about['long_name'][1:]}: {about['statement']}{claim}.")
    return "\n".join(text)


def _velocity(result: xr.Dataset) -> str:
    """The velocity that streamlines follow, and what its letters are."""
    training, random = json.loads(result.attrs["spec"]), result.attrs["random"]
    pull = "g W/w_i" if random else "(W - 1) W/w_i"
    pull = f"({pull} + \\mu w_i)" if training.get("weight_decay") else pull
    mean = "(1 + \\sigma^2) W - 1" if "mean_residual" in result else "W - 1"
    text = "the mean over the noise of the velocity" if random else "the velocity"
    text += f", $-2 {pull}$" + (f" with $g = {mean}$ for noise of mean 0" if random else "")
    return text + ("; momentum takes trajectories across them" if training.get("momentum") else "")


def _exactness(plane: Plane) -> str:
    if plane.invariant:
        return "Training from this plane stays in it."
    return (
        "Velocity, minima and bands are those where the other layers have their values at the start; "
        "trajectories, whose other layers move as well, are projected."
    )


def _others(plane: Plane) -> list[str]:
    if len(plane.others) > 1 and len(set(plane.others)) == 1:
        return [f"the others $w_i = {_symbol(plane.others[0])}$"]
    numbers = (layer for layer in range(1, plane.depth + 1) if layer not in plane.layers)
    runs: list[tuple[list[int], float | str]] = []
    for layer, value in zip(numbers, plane.others, strict=True):
        if not runs or runs[-1][1] != value:
            runs.append(([], value))
        runs[-1][0].append(layer)
    return [f"${_named(layers)} = {_symbol(value)}$" for layers, value in runs]


def _named(layers: list[int]) -> str:
    names = [f"w_{{{layer}}}" for layer in layers]
    return " = ".join(names) if len(names) < 3 else rf"{names[0]} = \dots = {names[-1]}"


def _symbol(value: float | str) -> str:
    return f"w_{{{value[1:]}}}" if isinstance(value, str) else f"{value:g}"


def _method(method: Method) -> str:
    if isinstance(method, MiniBatch):
        return f"mini-batches of {method.batch_size} of {len(method.data)} samples"
    if isinstance(method, NoiseAugmentation | SGDNoise):
        name = "noise augmentation" if isinstance(method, NoiseAugmentation) else "SGD noise"
        number = isinstance(method.half_width, float)
        width = f"$|\\eta| \\leq {method.half_width:g}$" if number else "its width a schedule"
        return f"{name}, $\\eta$ {method.distribution}, {width}"
    return "gradient descent"


def _rate(learning_rate: Any) -> str:
    schedule = as_schedule(learning_rate)
    if isinstance(schedule, Constant):
        return f"learning rate {schedule.value:g}"
    if isinstance(schedule, Adaptive) and isinstance(schedule.c, int | float):
        return f"learning rate ${schedule.c:.4g} \\,/\\, \\sum 1/w_i^2$"
    return f"learning rate {schedule}"

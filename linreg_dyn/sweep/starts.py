"""Starting weights of a sweep: drawn so that trajectory n's depends on the seed and n alone, or read from a file."""

from __future__ import annotations

import math
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from linreg_dyn._checks import choice, integer, number
from linreg_dyn.problem import Array, as_starts
from linreg_dyn.training import HIGH, LOW, SPREAD, near_minimum

DRAWN_TOGETHER = 4096
"""Trajectories that share a stream of random numbers; slices of an ensemble begin at multiples of it."""

# distribution: its fields and their defaults (None: must be given)
DISTRIBUTIONS: dict[str, dict[str, Any]] = {
    "near_minimum": {"spread": SPREAD, "low": LOW, "high": HIGH},
    "normal": {"mean": 0.0, "std": None},
    "uniform": {"low": None, "high": None},
    "log_normal": {"median": 1.0, "spread": None},
    "constant": {"weights": None},
}
FILE_FIELDS = ("file", "variable", "sha256")
FIELDS = ("distribution", "seed", *FILE_FIELDS, *sorted({name for f in DISTRIBUTIONS.values() for name in f}))


def checked(where: str, table: dict[str, Any], depth: int) -> None:
    """Refuse a table of starts that cannot be drawn, naming the field."""
    if "file" in table:
        if unused := sorted(table.keys() - set(FILE_FIELDS)):
            raise ValueError(
                f"{where}.{unused[0]}: starts from a file have no other field than {', '.join(FILE_FIELDS[:2])}"
            )
        return
    distribution = choice(f"{where}.distribution", table.get("distribution"), tuple(DISTRIBUTIONS))
    fields = DISTRIBUTIONS[distribution]
    for name in table.keys() - {"distribution", "seed"}:
        if name not in fields:
            raise ValueError(f"{where}.{name}: {distribution} starts have no such field, only {', '.join(fields)}")
    if "seed" in table:
        integer(f"{where}.seed", table["seed"], least=0, most=2**64 - 1)
    for name, default in fields.items():
        if name not in table and default is None:
            raise ValueError(f"{where}.{name}: {distribution} starts need it")
        if name in table and name != "weights":
            number(f"{where}.{name}", table[name], **({"least": 0.0} if name in ("std", "spread") else {}))
    if "low" in fields and not _value(table, "low") < _value(table, "high"):
        raise ValueError(f"{where}.low: must be less than high, got {_value(table, 'low')} and {_value(table, 'high')}")
    for name in ("low", "median"):
        if distribution in ("near_minimum", "log_normal") and name in fields and not _value(table, name) > 0:
            raise ValueError(f"{where}.{name}: must be a number > 0, got {table[name]!r}")
    if distribution == "constant":
        _check_weights(f"{where}.weights", table["weights"], depth)
    elif not _finite(tuple((name, _value(table, name)) for name in ("distribution", *fields)), depth):
        given = ", ".join(f"{name} = {_value(table, name)}" for name in fields)
        raise ValueError(f"{where}: {distribution} starts with {given} are beyond the range of float64")


def _check_weights(where: str, weights: Any, depth: int) -> None:
    if not isinstance(weights, list) or len(weights) != depth:
        raise ValueError(f"{where}: must be a list of depth = {depth} weights, got {weights!r:.80}")
    for k, weight in enumerate(weights):
        number(f"{where}[{k}]", weight)


@lru_cache  # many points of a sweep have the same starts
def _finite(fields: tuple[tuple[str, Any], ...], depth: int) -> bool:
    """Whether a few thousand weights, drawn with a fixed seed, are all finite numbers."""
    try:
        with np.errstate(over="ignore", invalid="ignore"):
            block = _block(dict(fields), np.random.default_rng(0), (-(-DRAWN_TOGETHER // depth), depth))
    except OverflowError:  # numpy's word for a range of uniform numbers that is not finite
        return False
    return bool(np.isfinite(block).all())


def _value(table: dict[str, Any], name: str) -> Any:
    return table[name] if name in table else DISTRIBUTIONS[table["distribution"]][name]


def draw(table: dict[str, Any], depth: int, first: int, last: int, *, seed: int) -> Array:
    """The starts of the trajectories `first`, ..., `last - 1`, shape (trajectory, layer).

    "near_minimum" has the distribution that `linreg-dyn simulate` starts from (`training.near_minimum`); the others
    draw every weight on its own. The numbers are numpy's, from one stream for every 4096 trajectories: not those that
    `linreg-dyn simulate` draws with the same seed.
    """
    if table["distribution"] == "constant":
        return np.tile(np.asarray(table["weights"], dtype=np.float64), (last - first, 1))
    seed = table.get("seed", seed)
    blocks = range(first // DRAWN_TOGETHER, -(-last // DRAWN_TOGETHER))
    drawn = [_block(table, np.random.default_rng([seed, number]), (DRAWN_TOGETHER, depth)) for number in blocks]
    offset = first - blocks[0] * DRAWN_TOGETHER
    return np.concatenate(drawn)[offset : offset + last - first]


def _block(table: dict[str, Any], rng: np.random.Generator, shape: tuple[int, int]) -> Array:
    kind = table["distribution"]
    value = {name: _value(table, name) for name in DISTRIBUTIONS[kind]}
    if kind == "normal":
        return rng.normal(value["mean"], value["std"], shape)
    if kind == "uniform":
        return rng.uniform(value["low"], value["high"], shape)
    if kind == "log_normal":
        return np.exp(rng.normal(math.log(value["median"]), value["spread"], shape))
    return near_minimum(rng, rng, shape, **value)


def read(where: str, path: Path, variable: str) -> Array:
    """Starts (trajectory, layer) from a variable of a NumPy .npz or a NetCDF file."""
    if not path.is_file():
        raise ValueError(f"{where}.file: there is no file {path}")
    try:
        if path.suffix == ".npz":
            with path.open("rb") as raw, np.load(raw, allow_pickle=False) as arrays:
                found, names = arrays.get(variable), list(arrays)
        else:
            import xarray as xr

            with xr.open_dataset(path, engine="h5netcdf") as dataset:
                found = dataset[variable].values if variable in dataset else None
                names = list(dataset.variables)
    except Exception as error:  # a damaged file raises whatever its bytes suggest
        why = " ".join(str(error).split()) or type(error).__name__
        raise ValueError(f"{where}.file: {path} must be a .npz or a NetCDF file: {why}") from None
    if found is None:
        raise ValueError(f"{where}.variable: {path} has no {variable!r}, only {', '.join(map(str, names))}")
    try:
        return as_starts(found)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{where}.file: {error}") from None

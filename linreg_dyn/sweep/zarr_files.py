"""A sweep's store in the Zarr v3 format, as files by key: `encode` for results, `metadata` for all the rest.

Zarr encodes into memory. Writing the bytes, and knowing their checksums, is the store's own business.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from linreg_dyn.ensemble import provenance
from linreg_dyn.sweep.layout import LAYER, STEP, TRAJECTORY, Layout, Variable, recorder
from linreg_dyn.sweep.spec import Sweep, identity

if TYPE_CHECKING:
    import zarr

ROOT = "zarr.json"


def origin() -> dict[str, str]:
    """Versions and commit of the running code, as the attributes of a dataset have them."""
    found = provenance.attributes("sweep", {})
    return {name: str(value) for name, value in found.items() if name not in ("title", "spec")}


def encode(layout: Layout, values: Mapping[str, np.ndarray], region: tuple[tuple[int, int], ...]) -> dict[str, bytes]:
    """The files of the shards that `values` fill: whole ones, so no two regions share a file.

    `region` is the first and last index (excluded) along every axis of the grid, and along "trajectory".
    """
    group, files = _memory({})
    where = {dim: slice(*bounds) for dim, bounds in zip(layout.box, region, strict=True)}
    arrays = {name: _create(group, layout, layout.variables[name]) for name in values}
    files.clear()
    for name, array in arrays.items():
        array[tuple(where.get(dim, slice(None)) for dim in layout.variables[name].dims)] = values[name]
    return {key: buffer.to_bytes() for key, buffer in files.items()}


def metadata(sweep: Sweep, layout: Layout, *, complete: bool, origins: Sequence[Mapping[str, str]]) -> dict[str, bytes]:
    """All files but the results: the group, the arrays' descriptions, the coordinates, consolidated.

    It is the same for the same sweep, so that a damaged file is found by comparison and written anew. The
    attribute `completeness` says "complete" or "unfinished"; versions and commits are those of `origins`, the
    code that wrote the results, joined by " + " where there was more than one.
    """
    import zarr

    names = sorted({name for origin in origins for name in origin})
    attributes = {name: " + ".join(dict.fromkeys(origin.get(name, "") for origin in origins)) for name in names} | {
        "title": "linreg_dyn sweep",
        "spec": json.dumps(json.loads(identity(sweep)), sort_keys=True),
        "completeness": "complete" if complete else "unfinished",
        "comment": "" if complete else "run the same sweep again to finish it; the variable ok is -1 where nothing is",
    }
    coordinates = _coordinates(sweep, layout)
    if extra := [name for name, (dims, _, _) in coordinates.items() if dims != (name,)]:
        attributes["coordinates"] = " ".join(extra)
    group, files = _memory(attributes)
    for variable in layout.variables.values():
        _create(group, layout, variable)
    for name, (dims, array, described) in coordinates.items():
        text = array.dtype.kind == "U"
        made = group.create_array(
            name,
            shape=array.shape,
            chunks=array.shape,
            dtype=str if text else array.dtype,
            dimension_names=dims,
            attributes=dict(described),
            config={"write_empty_chunks": True},
        )
        made[:] = array.astype(object) if text else array
    with warnings.catch_warnings():  # zarr says that the format's specification has no consolidated metadata yet
        warnings.simplefilter("ignore")
        zarr.consolidate_metadata(group.store)
    return {key: buffer.to_bytes() for key, buffer in files.items()}


def _memory(attributes: dict[str, Any]) -> tuple[zarr.Group, dict[str, Any]]:
    """A new group in memory, and the dictionary of its files."""
    import zarr
    from zarr.storage import MemoryStore

    files: dict[str, Any] = {}
    return zarr.create_group(MemoryStore(files), zarr_format=3, attributes=attributes), files


def _create(group: zarr.Group, layout: Layout, variable: Variable) -> zarr.Array:
    return group.create_array(
        variable.name,
        shape=layout.shape(variable),
        shards=layout.shard(variable),
        chunks=layout.inner(variable),
        dtype=variable.dtype,
        fill_value=variable.fill,
        dimension_names=variable.dims,
        attributes=variable.attributes,
        # Else a shard of fill values would be no file, and no checksum would tell it from one never written.
        config={"write_empty_chunks": True},
    )


def _coordinates(sweep: Sweep, layout: Layout) -> dict[str, tuple[tuple[str, ...], np.ndarray, dict[str, Any]]]:
    """(dims, values, attributes) by name: the axes' values, layers, recorded steps, trajectories' numbers."""
    used = {dim for variable in layout.variables.values() for dim in variable.dims}
    found: dict[str, tuple[tuple[str, ...], np.ndarray, dict[str, Any]]] = {}
    for axis in sweep.axes:
        dims = (axis.name,)
        for path, values in axis.fields.items():
            found[path.replace(".", "_")] = (dims, _labels(values), {"long_name": path})
        if axis.name not in found:
            found[axis.name] = (dims, np.arange(len(axis)), {"long_name": f"number of the {axis.name}"})
    own: dict[str, Any] = {
        TRAJECTORY: (TRAJECTORY, np.arange(sweep.trajectories), {"long_name": "number of the start"}),
        LAYER: (LAYER, np.arange(1, layout.sizes[LAYER] + 1), {"long_name": "layer"}),
    }
    if sweep.record:
        own |= recorder(sweep.record).coordinates()
        own[STEP] = (STEP, layout.steps, own[STEP][2])
    return found | {
        name: ((dim,), np.asarray(values), about) for name, (dim, values, about) in own.items() if dim in used
    }


def _labels(values: tuple[Any, ...]) -> np.ndarray:
    """Numbers as numbers, text as text, everything else as JSON."""
    if all(isinstance(value, bool) for value in values):
        return np.array(values)
    if all(isinstance(value, (int, float)) for value in values):
        try:
            return np.array(values, dtype=np.float64 if any(isinstance(v, float) for v in values) else np.int64)
        except OverflowError:
            return np.array(values, dtype=np.uint64)
    return np.array([value if isinstance(value, str) else json.dumps(value, sort_keys=True) for value in values])

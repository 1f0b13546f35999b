"""Records of runs: one JSON file and one array file for each spec, under `validation/records/`.

A record is written by `write` at the end of a run and by nothing else: it carries a digest over all of it, the
SHA-256 of its arrays, and verdicts that `read` computes again from the numbers.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import platform
import subprocess
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from linreg_dyn import provenance
from linreg_dyn.files import atomic_file, canonical_json, write_text
from validation.core import Judgement, Measured, Metrics, Prediction, Spec

FOLDER = Path(__file__).parent / "records"
FORMAT = "linreg-dyn record 1"


class Damaged(ValueError):
    """A record that is not as it was written."""


def write(
    spec: Spec, measured: Sequence[Measured], *, seconds: float, device: Mapping[str, Any], folder: Path = FOLDER
) -> Path:
    """Judge what was measured, seed by seed, and keep it; returns the path of the JSON file.

    Args:
        spec: what was run.
        measured: one for each seed, in order.
        seconds: the time it took, all sessions together.
        device: what `describe_device` says.
        folder: where records are.
    """
    if len(measured) != spec.setting.seeds:
        raise ValueError(f"measured must have {spec.setting.seeds} seeds, got {len(measured)}")
    names = sorted({name for one in measured for name in one.metrics})
    metrics = {name: [float(one.metrics.get(name, math.nan)) for one in measured] for name in names}
    judged = [p.judge(metrics).to_json() for p in spec.setting.predictions]  # before anything is written
    arrays = {f"{k}.{name}": value for k, one in enumerate(measured) for name, value in one.arrays.items()}
    with atomic_file(folder / f"{spec.name}.npz") as temporary:
        np.savez_compressed(temporary, **arrays)  # pyright: ignore[reportArgumentType]
        sha256 = hashlib.sha256(temporary.read_bytes()).hexdigest()
    record = {
        "format": FORMAT,
        "spec": spec.to_json(),
        "title": spec.experiment.title,
        "source": spec.experiment.source,
        "differs": spec.setting.differs,
        "metrics": {name: [x if math.isfinite(x) else None for x in row] for name, row in metrics.items()},
        "judgements": judged,
        "arrays": {"file": f"{spec.name}.npz", "sha256": sha256},
        "seconds": round(seconds, 3),
        "device": dict(device),
        "versions": versions(),
        "commit": os.environ.get("LINREG_DYN_COMMIT") or provenance.commit(),
        "written": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    record["digest"] = _digest(record)
    path = folder / f"{spec.name}.json"
    write_text(path, canonical_json(record))
    return path


def read(path: Path) -> dict[str, Any]:
    """A record, as JSON, after checking that it is as it was written and that its verdicts follow from its numbers.

    Raises `Damaged`, naming the file and what is wrong.
    """
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        if record["format"] != FORMAT:
            raise Damaged(f"{path.name}: unknown format {record['format']!r}")
        if record["digest"] != _digest(record):
            raise Damaged(f"{path.name}: it was changed after it was written")
        again = [judgement.verdict for _, judgement in judgements(record)]
        arrays = path.with_name(record["arrays"]["file"])
        if hashlib.sha256(arrays.read_bytes()).hexdigest() != record["arrays"]["sha256"]:
            raise Damaged(f"{arrays.name}: its bytes are not those that {path.name} names")
    except (OSError, KeyError, TypeError, ValueError) as error:
        if isinstance(error, Damaged):
            raise
        raise Damaged(f"{path.name}: {type(error).__name__}: {error}") from None
    if again != [row["verdict"] for row in record["judgements"]]:
        raise Damaged(f"{path.name}: its verdicts do not follow from its numbers")
    return record


def arrays(record: dict[str, Any], folder: Path = FOLDER) -> list[dict[str, np.ndarray]]:
    """The arrays of a record, a dictionary for each seed."""
    out: list[dict[str, np.ndarray]] = [{} for _ in range(record["spec"]["seeds"])]
    with np.load(folder / record["arrays"]["file"], allow_pickle=False) as file:
        for key in file.files:
            seed, _, name = key.partition(".")
            out[int(seed)][name] = file[key]
    return out


def read_all(folder: Path = FOLDER) -> tuple[list[dict[str, Any]], list[str]]:
    """Every record of a folder, by name, and what is wrong with those that are damaged."""
    found, wrong = [], []
    for path in sorted(folder.glob("*.json")):
        try:
            found.append(read(path))
        except Damaged as error:
            wrong.append(str(error))
    return found, wrong


def judgements(record: Mapping[str, Any]) -> list[tuple[Prediction, Judgement]]:
    """The predictions of a record with what they came to."""
    metrics = metrics_of(record)
    predictions = map(Prediction.from_json, record["spec"]["predictions"])
    return [(prediction, prediction.judge(metrics)) for prediction in predictions]


def metrics_of(record: Mapping[str, Any]) -> Metrics:
    """The numbers of a record, by metric, one a seed; NaN where a seed has none."""
    return {name: [math.nan if x is None else x for x in row] for name, row in record["metrics"].items()}


def versions() -> dict[str, str]:
    """Versions of Python and of the libraries that results depend on."""
    found = {name: provenance.version(name) for name in ("torch", "numpy", "scipy", "scikit-learn", "linreg-dyn")}
    import torch

    found["torch"] = torch.__version__  # with the kind of build
    return {"python": platform.python_version(), **{name: x for name, x in found.items() if x}}


def describe_device(device: str) -> dict[str, Any]:
    """The device in words: kind, name, threads or driver."""
    import torch

    if torch.device(device).type != "cuda":
        return {"kind": "cpu", "name": _processor(), "threads": torch.get_num_threads()}
    about = torch.cuda.get_device_properties(device)
    return {
        "kind": "cuda",
        "name": about.name,
        "memory": about.total_memory,
        "cuda": torch.version.cuda,
        "driver": _driver(),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def _driver() -> str | None:
    """The version of NVIDIA's driver; None if its own tool does not say."""
    ask = ("nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader")
    try:
        said = subprocess.run(ask, capture_output=True, text=True, check=True, timeout=60).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    return next(iter(said.split()), None)


def _digest(record: Mapping[str, Any]) -> str:
    body = {key: value for key, value in record.items() if key != "digest"}
    return hashlib.sha256(canonical_json(body).encode()).hexdigest()

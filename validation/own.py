"""Experiments of one's own, from a Python file."""

from __future__ import annotations

import runpy
import sys
import traceback
from collections import Counter
from pathlib import Path

from validation.core import Experiment


def load(path: Path) -> dict[str, Experiment]:
    """By id, the experiments that a file lists as `EXPERIMENTS`; it may import what lies beside it.

    Raises:
        ValueError: there is no such file, it fails (with the line), or it lists no experiments, or two of one id.
    """
    if not path.is_file():
        raise ValueError(f"--from must be a Python file, got {path}")
    sys.path.append(str(path.parent.resolve()))
    try:
        found = runpy.run_path(str(path)).get("EXPERIMENTS")
    except Exception as error:
        lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
        place = f", line {lines[-1]}" if lines else ""
        raise ValueError(f"--from {path}{place}: {type(error).__name__}: {' '.join(str(error).split())}") from error
    if not (isinstance(found, list | tuple) and found and all(isinstance(one, Experiment) for one in found)):
        raise ValueError(f"--from {path}: EXPERIMENTS must be a list of validation.core.Experiment, got {found!r}")
    for name, count in Counter(one.id for one in found).items():
        if count > 1:
            raise ValueError(f"--from {path}: the experiment {name} is defined twice")
    return {one.id: one for one in found}

"""What a run takes of memory, and what there is."""

from __future__ import annotations

import os
from pathlib import Path


def available_memory() -> float:
    """Bytes that the system and the control group leave to this process; infinite where neither tells."""
    limits = []
    try:
        fields = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
        limits.append(1024.0 * int(fields["MemAvailable"].split()[0]))
    except (OSError, KeyError, ValueError):
        names = getattr(os, "sysconf_names", {})
        if "SC_PHYS_PAGES" in names and "SC_PAGE_SIZE" in names:
            limits.append(float(os.sysconf("SC_PHYS_PAGES")) * os.sysconf("SC_PAGE_SIZE"))
    try:
        group = Path("/sys/fs/cgroup")
        limits.append(float((group / "memory.max").read_text()) - float((group / "memory.current").read_text()))
    except (OSError, ValueError):  # no control group, or one without a limit ("max")
        pass
    return min(limits, default=float("inf"))


def refuse_too_large(
    trajectories: int, depth: int, rows: int, width: int, advice: str, *, copies: int = 3, more: int = 0
) -> None:
    """Raise a ValueError if `copies` of the weights, `rows * width` recorded numbers and `more` bytes cannot fit."""
    need = 8 * (copies * trajectories * depth + rows * width + 3 * trajectories) + more
    room = 0.8 * available_memory()
    if need > room:
        raise ValueError(
            f"this run would take {need / 2**30:.3g} GiB ({trajectories} trajectories of depth {depth}, "
            f"{rows} recorded times of {width} numbers each), and {max(room, 0) / 2**30:.3g} GiB may be "
            f"used; {advice}"
        )

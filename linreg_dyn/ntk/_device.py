"""Which torch device kernels are computed on, and how much of them at once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    import torch

CPU_BYTES = 2.0**28
GPU_BYTES = 2.0**32  # an operation on a twentieth of it takes 0.1 ms of the fastest memory there is, a launch 5 us


def place_of(device: Any) -> torch.device | None:
    """The device of that name, checked; None for compiled code without torch.

    Raises:
        ValueError: torch is not installed, knows no such device, or it cannot be used.
    """
    if device is None:
        return None
    try:
        import torch
    except ModuleNotFoundError:
        message = f"device {device!r} needs torch, which is not installed: pip install 'linreg-dyn[validation]'"
        raise ValueError(message) from None

    try:
        place = torch.device(device)
    except (RuntimeError, TypeError):
        raise ValueError(f"device must be None, 'cuda', 'cuda:0' or 'cpu', got {device!r}") from None
    if place.type not in ("cpu", "cuda"):
        raise ValueError(f"device must be None, 'cuda', 'cuda:0' or 'cpu', got {device!r}")
    if place.type == "cuda" and (place.index or 0) >= torch.cuda.device_count():
        raise ValueError(f"device {device!r} must be a GPU that torch can use, it finds {torch.cuda.device_count()}")
    return place


def at_once(place: torch.device, each: float, held: float) -> int:
    """How many items a block may have, whose temporaries are `each` bytes an item, beside `held` bytes of inputs.

    Raises:
        ValueError: a GPU has no room for one.
    """
    import torch

    if place.type == "cpu":
        return max(int(CPU_BYTES / each), 1)
    kept = torch.cuda.memory_reserved(place) - torch.cuda.memory_allocated(place)  # torch's own, to be used again
    free = 0.9 * (torch.cuda.mem_get_info(place)[0] + kept)
    if held + each > free:
        raise ValueError(
            f"device {str(place)!r} has room for {free / 2**30:.3g} GiB, and the inputs with the smallest block would "
            f"take {(held + each) / 2**30:.3g}; take fewer or smaller samples, or device=None"
        )
    return max(int(min(0.5 * (free - held), GPU_BYTES) / each), 1)


def on_the_host(place: torch.device, each: float) -> float:
    """Bytes of this machine's memory that blocks take, beside inputs and results."""
    return max(CPU_BYTES, each) if place.type == "cpu" else GPU_BYTES / 10  # what comes back of a block


@contextmanager
def full_precision(place: torch.device) -> Iterator[None]:
    """For a while, float32 is float32 on a GPU too: by default, torch rounds the factors of convolutions to 10 bits.

    On the CPU nothing changes.
    """
    import torch

    matmul, cudnn = torch.backends.cuda.matmul, cast("Any", torch.backends.cudnn)
    owners: tuple[Any, ...] = ()
    name, full = "fp32_precision", "ieee"
    if place.type == "cuda" and hasattr(cudnn, "conv"):
        owners = (matmul, cudnn.conv, cudnn.rnn)
    elif place.type == "cuda":  # an older torch
        owners, name, full = (matmul, cudnn), "allow_tf32", False
    before = [getattr(owner, name) for owner in owners]
    for owner in owners:
        setattr(owner, name, full)
    try:
        yield
    finally:
        for owner, value in zip(owners, before, strict=True):
            setattr(owner, name, value)

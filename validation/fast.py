"""Training on a CUDA device without waiting for it: settings of its libraries, uploads, steps as CUDA graphs.

A step is some hundred small kernels. `Captured` records them once and replays them, so that the host only says where
the next batch is; what changes from step to step (places of images, draws, rate, L2) are tensors that are copied into
the ones that were recorded.
"""

from __future__ import annotations

import os
import warnings
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

PRECISIONS = ("float32", "tf32", "bf16")
RECORDS = ("cuda",)
"""Kinds of device whose steps are recorded."""
WARM_UP = 3
"""Runs before a capture: libraries choose their kernels, compilers compile."""

Inputs = Mapping[str, Tensor]
Run = Callable[[], Tensor]
Repeat = tuple[Callable[[], None], Tensor, Any]
"""What repeats a run, the tensor in which its result then is, and the memory that it works in."""
Record = Callable[[Run, Any], Repeat]
"""Makes that of a run, and of the memory to work in (None: new memory)."""


SWITCHES: tuple[tuple[Any, str], ...] = (
    (torch.backends.cudnn, "benchmark"),  # try all algorithms for new shapes, and take the fastest
    (torch.backends.cudnn, "deterministic"),
    (torch.backends.cudnn, "allow_tf32"),
    (torch.backends.cuda.matmul, "allow_tf32"),
    (torch.utils.deterministic, "fill_uninitialized_memory"),  # a kernel for each new tensor, in deterministic mode
)


def repeatable_products() -> None:
    """Set what deterministic mode asks for; torch looks once for all, at the first product in any mode."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")


@contextmanager
def numerics(device: torch.device, precision: str, deterministic: bool) -> Iterator[None]:
    """The libraries' settings while a CUDA device trains, and that device as the one whose steps are recorded.

    On the CPU nothing changes.

    Args:
        device: where the work is done.
        precision: "float32" is float32 for convolutions too (torch's default for these is TF32); "tf32" lets products
            use the matrix units, their factors rounded to 10 bits; with "bf16" that goes for those left in float32.
        deterministic: the same bits for the same run, on the same device and libraries. An operation that has no such
            form warns.
    """
    if device.type != "cuda":
        yield
        return
    repeatable_products()
    tf32 = precision != "float32"
    with (
        torch.cuda.device(-1 if device.index is None else device.index),  # -1: the one that is
        _set(not deterministic, deterministic, tf32, tf32, False),
        _deterministic_algorithms() if deterministic else nullcontext(),
    ):
        yield


@contextmanager
def _set(*values: bool) -> Iterator[None]:
    """`SWITCHES` set to the values for a while."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # some versions of torch announce new names for TF32
        before = [getattr(owner, name) for owner, name in SWITCHES]
        for (owner, name), value in zip(SWITCHES, values, strict=True):
            setattr(owner, name, value)
    try:
        yield
    finally:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for (owner, name), value in zip(SWITCHES, before, strict=True):
                setattr(owner, name, value)


@contextmanager
def _deterministic_algorithms() -> Iterator[None]:
    before, warns = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    torch.use_deterministic_algorithms(True, warn_only=True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before, warn_only=warns)


def upload(values: np.ndarray, device: torch.device) -> Tensor:
    """The values on the device; a CUDA device is not waited for."""
    found = torch.as_tensor(np.ascontiguousarray(values))
    return found.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else found.to(device)


def record(run: Run, pool: Any = None) -> Repeat:
    """A run as a CUDA graph, after it was done `WARM_UP` times on a stream aside."""
    main, aside = torch.cuda.current_stream(), _aside(torch.cuda.current_device())
    aside.wait_stream(main)
    with torch.cuda.stream(aside):
        for _ in range(WARM_UP):
            run()
    main.wait_stream(aside)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph, pool=pool, stream=aside):  # torch's own is one of the first device that recorded
        output = run()
    return graph.replay, output, graph.pool()


@cache
def _aside(device: int) -> torch.cuda.Stream:
    """The one stream of a device that is recorded: a pool's memory is used again on its own stream only."""
    return torch.cuda.Stream(device)


@dataclass(frozen=True)
class _Recorded:
    inputs: dict[str, Tensor]
    replay: Callable[[], None]
    output: Tensor


class Captured:
    """A step that is recorded when its structure is new, and replayed otherwise.

    The structure is made of the names, shapes and types of the inputs, the flags, and where the tensors lie that the
    step changes. Recording runs the step; these tensors are put back as they were. All recordings work in the same
    memory, as none is replayed while another is, and a result is of use only until the next.

    Args:
        step: a function of named tensors and flags, which changes tensors in place and returns one.
        state: lists all tensors it changes.
        recorder: `record`, or one that does the same elsewhere.
    """

    def __init__(
        self, step: Callable[..., Tensor], state: Callable[[], Sequence[Tensor]], recorder: Record | None = None
    ):
        self._step, self._state, self._recorder = step, state, recorder or record
        self._known: dict[object, _Recorded] = {}
        self._places: tuple[int, ...] = ()
        self._pool: Any = None

    def look(self) -> None:
        """Forget what was recorded if the state has moved; to be called when others may have had their hands on it."""
        places = tuple(x.data_ptr() for x in self._state())
        if places != self._places:
            self._known.clear()
            self._places, self._pool = places, None

    def __call__(self, inputs: Inputs, *flags: bool) -> Tensor:
        """The step's result, in a tensor that the next call overwrites."""
        key = (flags, tuple((name, x.shape, x.dtype) for name, x in inputs.items()))
        known = self._known.get(key)
        if known is None:
            known = self._known[key] = self._record(inputs, flags)
        for name, mine in known.inputs.items():
            mine.copy_(inputs[name])
        known.replay()
        return known.output

    def _record(self, inputs: Inputs, flags: tuple[bool, ...]) -> _Recorded:
        mine = {name: x.clone() for name, x in inputs.items()}
        state = list(self._state())
        with torch.no_grad():
            kept = [x.clone() for x in state]
        try:
            replay, output, self._pool = self._recorder(lambda: self._step(mine, *flags), self._pool)
        finally:
            with torch.no_grad():
                for x, before in zip(state, kept, strict=True):
                    x.copy_(before)
        return _Recorded(mine, replay, output)


def capture(
    device: torch.device,
    step: Callable[..., Tensor],
    state: Callable[[], Sequence[Tensor]],
    recorder: Record | None = None,
) -> Captured | None:
    """An object's own step as `Captured`, where the device's steps are recorded; None elsewhere.

    The methods do not keep their object alive. It owns what is recorded, so that it would be in a cycle, and the
    device's memory that it holds would stay taken until Python next looks for cycles, whenever that is.
    """
    if device.type not in RECORDS:
        return None
    return Captured(_weak(step), _weak(state), _weak(recorder) if recorder else None)


def _weak(method: Callable[..., Any]) -> Callable[..., Any]:
    """A bound method that is of use as long as others keep its object."""
    found: Any = weakref.WeakMethod(method)
    return lambda *args: found()(*args)

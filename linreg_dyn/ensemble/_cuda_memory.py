"""What a run takes of a CUDA device's memory, and what there is; without numba.cuda, so that it can be asked early."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from linreg_dyn.ensemble.plan import Plan

PIECE = 2**39
"""Layer-steps of one launch, after which the host waits, so that Ctrl-C is heard: 1e11 to 5e12 take a second."""
DRAWN = 128
"""How many layers a sample that is drawn counts for: it shuffles places in the device's memory."""
TABLE = 2**20
"""Steps of one launch at most: so long are the tables of what varies from step to step."""
OF_A_THREAD = 2**19
"""Bytes that a thread may have of its own beside registers, on any device."""
STACK = 1024
"""What of them is left to the compiler."""
REGISTERS = 4 * 255
"""Bytes of a thread's registers; layers that do not fit into them lie in memory of its own."""
SHARE = 0.95
"""How much of what is free may be taken."""


class Room(NamedTuple):
    """What a device has: bytes that are free, and for how many threads at once it sets memory of their own aside."""

    free: float
    threads: int


def steps_at_once(plan: Plan, trajectories: int) -> int:
    """Steps of one launch, but for those up to a measurement of AutoL2."""
    return max(4, min(TABLE, PIECE // (trajectories * (plan.depth + DRAWN * plan.batches[2]))))


def place(samples: int) -> Any:
    """The numbers that the places of samples are kept in."""
    return np.int16 if samples < 2**15 else np.int32


def of_the_ensemble(plan: Plan, trajectories: int) -> int:
    """Bytes of all that an engine keeps: weights, velocities, statuses, factors, measurements, and tables."""
    number = np.dtype(plan.dtype).itemsize
    layers = plan.depth * (2 if plan.momentum else 1)
    factors = sum(own is not None for own in (plan.rates, plan.decays))
    states = 6 if plan.auto_l2 else 0
    squares, products, _ = plan.batches
    drawn_from = 8 * (len(plan.quantiles) + len(squares) + len(products))
    tables = 2 * 3 * number * steps_at_once(plan, trajectories)  # new ones are there before the old ones go
    return trajectories * (number * (layers + factors) + 8 * (2 + states)) + drawn_from + tables


def of_a_thread(plan: Plan) -> int:
    """Bytes of a thread's own: weights, products and velocities of a deep net, and of a mini-batch the places of all
    samples, which it shuffles, and what it swapped."""
    squares, _, batch = plan.batches
    layers = np.dtype(plan.dtype).itemsize * plan.depth * (3 if plan.momentum else 2)
    return (layers if layers > REGISTERS else 0) + place(len(squares))().itemsize * len(squares) + 8 * batch


def reason_against(plan: Plan, trajectories: int, room: Room) -> str | None:
    """Why a device cannot hold the run, in one line; None if it can."""
    own, samples = of_a_thread(plan), len(plan.batches[0])
    if own > OF_A_THREAD - STACK:
        return (
            f"a mini-batch out of {samples} samples, at depth {plan.depth}, takes {own} bytes of each thread of a CUDA "
            "device, which has "
            f'{OF_A_THREAD - STACK}; take fewer samples, or backend="cpu"'
        )
    need = of_the_ensemble(plan, trajectories) + room.threads * own
    if need <= SHARE * room.free:
        return None
    drawn = f", mini-batches out of {samples} samples" if samples else ""
    each = f", {own} bytes for each of {room.threads} threads at once" if own else ""
    fewer = "trajectories" + ", layers" * bool(own) + ", samples" * bool(samples)
    return (
        f"this run would take {need / 2**30:.3g} GiB of the CUDA device ({trajectories} trajectories of depth "
        f"{plan.depth}{drawn}{each}), and {SHARE * room.free / 2**30:.3g} GiB may be used; "
        f'take fewer {fewer}, or backend="cpu"'
    )

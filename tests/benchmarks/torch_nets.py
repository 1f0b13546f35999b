"""The same training in torch, all trajectories at once: compiled, as CUDA graphs, and by `vmap` of `grad`, compiled.

Steps are taken in chunks of a few, so that Python is called once for many.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from linreg_dyn.problem import Array
from tests.benchmarks.cases import HALF_WIDTH, Case, Contender, Unavailable, residual

SEED = 7


def load(device: str):
    """`torch`, if it has the device.

    Raises:
        Unavailable: it is not installed, or sees no such device.
    """
    try:
        import torch
    except ImportError as error:
        raise Unavailable(f"torch is not installed ({error})") from None
    if device == "cuda" and not torch.cuda.is_available():
        raise Unavailable("torch sees no GPU")
    return torch


def _step(case: Case, torch, w):
    left = [torch.ones_like(w[0])]
    for column in w[:-1]:
        left.append(left[-1] * column)
    W, right, out = left[-1] * w[-1], left[0], list(w)
    eta = None
    if case.rule == "uniform":
        eta = HALF_WIDTH * (2 * torch.rand_like(W) - 1)
    pull = 2 * case.rate * residual(case, W, eta)
    for i in range(len(w) - 1, -1, -1):
        out[i] = w[i] - pull * (left[i] * right)
        right = right * w[i]
    return out


def _gradient_step(case: Case, torch, w):
    def loss(w):
        return (torch.prod(w) - 1) ** 2

    rows = torch.stack(list(w), dim=1)
    slopes = torch.func.vmap(torch.func.grad(loss))(rows)
    return list((rows - case.rate * slopes).unbind(dim=1))


def _steps(case: Case, torch, step: Callable, count: int) -> Callable:
    def run(w):
        for _ in range(count):
            w = step(case, torch, w)
        return w

    return run


def _compiled(step: Callable) -> Callable:
    def make(case: Case, torch, w, count: int) -> Callable:
        torch.compiler.reset()  # or the eighth case is the last that it compiles
        return torch.compile(_steps(case, torch, step, count), dynamic=False)

    return make


def _graph(case: Case, torch, w, count: int) -> Callable:
    advance, place = _steps(case, torch, _step, count), [column.clone() for column in w]
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        advance(place)  # first calls allocate, which a graph may not
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        for old, new in zip(place, advance(place), strict=True):
            old.copy_(new)

    def replay(w):
        if w is not place:
            for old, new in zip(place, w, strict=True):
                old.copy_(new)
        graph.replay()
        return place

    return replay


FORMS = {  # how, which rules, and at most how many layer-steps at once: compiling many takes minutes
    "torch compiled": (_compiled(_step), ("gd",), 16),
    "torch graphs": (_graph, ("gd", "uniform"), 80),
    "torch vmap(grad) compiled": (_compiled(_gradient_step), ("gd",), 16),
}


def contender(name: str, device: str, most_steps: int = 10**9) -> Contender:
    """Torch in the form `FORMS[name]`."""
    make, rules, layer_steps = FORMS[name]

    def prepare(case: Case, starts: Array, steps: int) -> Callable:
        torch = load(device)
        dtype = getattr(torch, case.dtype)
        w = [torch.tensor(column, dtype=dtype, device=device) for column in starts.T]
        most = max(1, layer_steps // case.depth)
        count = max(k for k in range(1, most + 1) if steps % k == 0)
        with torch.no_grad():
            advance = make(case, torch, w, count)
            advance(w)  # compiles

        def run():
            torch.manual_seed(SEED)
            state = w
            with torch.no_grad():
                for _ in range(steps // count):
                    state = advance(state)
            if device == "cuda":
                torch.cuda.synchronize()
            return state

        return run

    def draws(case: Case, trajectories: int, steps: int) -> Array:
        torch = load(device)
        torch.manual_seed(SEED)
        W = torch.empty(trajectories, dtype=getattr(torch, case.dtype), device=device)
        drawn = [HALF_WIDTH * (2 * torch.rand_like(W) - 1) for _ in range(steps)]
        return np.array([values.cpu().numpy() for values in drawn], dtype=np.float64)

    def weights(w) -> Array:
        return np.stack([column.cpu().numpy() for column in w], axis=1).astype(np.float64)

    return Contender(name, prepare, weights, draws, rules=rules, most_steps=most_steps)

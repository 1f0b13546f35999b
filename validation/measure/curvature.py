"""Curvature of the loss: the trace of the Fisher information, and the largest eigenvalues of the Hessian."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap

from linreg_dyn._checks import choice, integer


class Mean(NamedTuple):
    """A mean over samples and its standard error."""

    value: float
    error: float


def fisher_trace(model: nn.Module, x: Tensor, y: Tensor | None = None, *, seed: int = 0, block: int = 64) -> Mean:
    """The trace of the Fisher information, E_x E_{y ~ p(y|x)} |grad log p(y|x)|^2 (Golatkar et al., 2019).

    Args:
        model: gives logits, (sample, class); used in evaluation mode, by running statistics.
        x: images, (sample, ...).
        y: None: one label a sample is drawn from the model itself. Given, (sample,): the *empirical* Fisher information
            of these labels, which is another quantity.
        seed: of the labels drawn.
        block: samples whose gradients are in memory at a time.

    Raises:
        ValueError: there are no samples.
    """
    _check_some(x)
    was_training = model.training
    model.eval()
    weights = {name: p.detach() for name, p in model.named_parameters()}
    rest = dict(model.named_buffers())

    def log_likelihood(w: dict[str, Tensor], image: Tensor, label: Tensor) -> Tensor:
        logits = functional_call(model, (w, rest), (image.unsqueeze(0),))
        return torch.log_softmax(logits.float(), 1)[0].gather(0, label.view(1))[0]

    each = vmap(grad(log_likelihood), in_dims=(None, 0, 0))
    generator = torch.Generator("cpu").manual_seed(seed)
    found = []
    for rows in range(0, len(x), block):
        images = x[rows : rows + block]
        if y is None:
            with torch.no_grad():
                shares = torch.softmax(model(images).float(), 1).double().cpu()
            labels = torch.multinomial(shares, 1, generator=generator)[:, 0].to(x.device)
        else:
            labels = y[rows : rows + block]
        gradients = each(weights, images, labels)
        found.append(torch.stack([g.double().flatten(1).square().sum(1) for g in gradients.values()]).sum(0))
    model.train(was_training)
    norms = torch.cat(found).cpu().numpy()
    return Mean(float(norms.mean()), float(norms.std(ddof=1) / np.sqrt(len(norms))) if len(norms) > 1 else np.inf)


class Largest(NamedTuple):
    """Eigenvalues, descending; a bound on each one's distance to the spectrum; vectors to start from next time."""

    values: np.ndarray
    bounds: np.ndarray
    vectors: Tensor


def largest_eigenvalues(
    product: Callable[[Tensor], Tensor],
    size: int,
    *,
    count: int = 1,
    steps: int = 40,
    tolerance: float = 1e-3,
    start: Tensor | None = None,
    seed: int = 0,
    device: str | torch.device = "cpu",
) -> Largest:
    """The largest eigenvalues of a symmetric operator, by Lanczos with full reorthogonalisation.

    Args:
        product: the operator on a vector (size,).
        size: of the vectors.
        count: how many eigenvalues.
        steps: products at most.
        tolerance: ends when each bound is below this share of the largest eigenvalue.
        start: vectors of an earlier call, (size, count): the sum of them is where it starts (a warm start).
        seed: of the start otherwise.
        device: where vectors live.
    """
    count = integer("count", count, least=1, most=size)
    steps = min(size, integer("steps", steps, least=count, most=10**6))
    drawn = torch.randn(size, generator=torch.Generator().manual_seed(seed)).to(device)
    first = drawn if start is None else start.sum(1)
    basis: list[Tensor] = [first / first.norm()]
    diagonal, beside = [], []
    for k in range(steps):
        v = product(basis[-1])
        diagonal.append(float(basis[-1] @ v))
        for _ in range(2):  # twice is enough
            known = torch.stack(basis)
            v = v - known.T @ (known @ v)
        beside.append(float(v.norm()))
        small = np.diag(diagonal) + np.diag(beside[:-1], 1) + np.diag(beside[:-1], -1)
        values, vectors = np.linalg.eigh(small)
        bounds = abs(beside[-1] * vectors[-1])
        top = slice(-1, -count - 1, -1)
        settled = k + 1 >= count and (bounds[top] <= tolerance * abs(values).max()).all()
        if settled or k + 1 == steps or beside[-1] <= 1e-7 * abs(values).max():
            break
        basis.append(v / beside[-1])
    ritz = torch.stack(basis[: len(values)]).T @ torch.as_tensor(
        vectors[:, top].copy(), dtype=first.dtype, device=first.device
    )
    return Largest(values[top].copy(), bounds[top].copy(), ritz)


def sharpness(
    loss: Callable[[Tensor, Tensor], Tensor],
    parameters: Sequence[Tensor],
    x: Tensor,
    y: Tensor,
    *,
    block: int = 1000,
    **options,
) -> Largest:
    """The largest eigenvalues of the Hessian of the mean loss over samples, without any L2 term.

    Args:
        loss: of (x, y), a mean over samples, without dependence between them (no batch statistics).
        parameters: what the Hessian is with respect to.
        x, y: the samples.
        block: samples at a time.
        options: those of `largest_eigenvalues`.

    Raises:
        ValueError: there are no samples.
    """
    _check_some(x)
    return largest_eigenvalues(
        lambda vector: hessian_product(loss, parameters, x, y, vector, block),
        sum(p.numel() for p in parameters),
        device=parameters[0].device,
        **options,
    )


def _check_some(x: Tensor) -> None:
    if not len(x):
        raise ValueError(f"x must have at least one sample, got {tuple(x.shape)}")


def hessian_product(
    loss: Callable[[Tensor, Tensor], Tensor],
    parameters: Sequence[Tensor],
    x: Tensor,
    y: Tensor,
    vector: Tensor,
    block: int,
) -> Tensor:
    """The Hessian of the mean loss times a vector, (size,), by differentiating the gradient along it."""
    out = torch.zeros_like(vector)
    for rows in range(0, len(x), block):
        part = slice(rows, rows + block)
        gradients = torch.autograd.grad(loss(x[part], y[part]), list(parameters), create_graph=True)
        along = torch.cat([g.flatten() for g in gradients]) @ vector
        second = torch.autograd.grad(along, list(parameters), allow_unused=True, materialize_grads=True)
        out += torch.cat([g.flatten() for g in second]) * (len(x[part]) / len(x))
    return out.detach()


def trainer_sharpness(trainer, part: str = "train", samples: int = 512, **options) -> Largest:
    """`sharpness` of a trainer's loss at its weights, on so many of its images, by running statistics."""
    choice("part", part, ("train", "test"))
    integer("samples", samples, least=1)
    x, y = (
        (trainer.batches.x, trainer.batches.y) if part == "train" else (trainer.batches.x_test, trainer.batches.y_test)
    )
    x, y = trainer.batches.normalised(x[:samples]), y[:samples]
    trainer.model.eval()
    with trainer.numerics():
        found = sharpness(trainer.loss_of, trainer.parameters, x, y, **options)
    trainer.model.train()
    return found

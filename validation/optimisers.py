"""The updates: SGD, momentum, Nesterov, Adam; L2 in the loss or decoupled; sparse gradients.

All tensors of a network at once, rate and decay being tensors on the device, so that a step can be captured once and
replayed while both change.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from linreg_dyn._checks import choice, number
from linreg_dyn.schedules import GradientMask

KINDS = ("sgd", "momentum", "nesterov", "adam")


class Optimiser:
    """One of `KINDS`, as torch has them:

        g = gradient + l2 w    (with `decoupled`, w <- (1 - rate l2) w instead)
        sgd: w <- w - rate g;    momentum: v <- m v + g, w <- w - rate v;    nesterov: w <- w - rate (g + m v)
        adam: moving averages of g and g^2 with their biases corrected, w <- w - rate m / (sqrt(v) + epsilon)

    Convention: the loss is L + l2/2 |w|^2, over all parameters.

    Args:
        parameters: the tensors that are trained.
        kind: of `KINDS`.
        momentum: m.
        betas, epsilon: Adam's, in [0, 1) and positive.
        decoupled: whether the decay goes past the gradient.
        mask: which gradients a step keeps; None: all.
    """

    def __init__(
        self,
        parameters: Sequence[Tensor],
        kind: str,
        *,
        momentum: float = 0.0,
        betas: tuple[float, float] = (0.9, 0.999),
        epsilon: float = 1e-8,
        decoupled: bool = False,
        mask: GradientMask | None = None,
    ):
        self.parameters = list(parameters)
        self.kind = choice("optimiser", kind, KINDS)
        self.momentum = number("momentum", momentum, least=0)
        if self.momentum >= 1 or (self.momentum > 0) != (kind in ("momentum", "nesterov")):
            raise ValueError(f"momentum must be in (0, 1) for momentum and nesterov and 0 otherwise, got {momentum}")
        self.betas = tuple(number("betas", beta, least=0) for beta in betas)
        if len(self.betas) != 2 or max(self.betas) >= 1:
            raise ValueError(f"betas must be two numbers in [0, 1), got {betas}")
        self.epsilon = number("epsilon", epsilon, above=0)
        self.decoupled, self.mask = decoupled, mask
        self._mask_number = -1
        self._masks = [torch.ones_like(p) for p in self.parameters] if mask else []
        slots = {"sgd": 0, "momentum": 1, "nesterov": 1, "adam": 2}[kind]
        self.slots = [[torch.zeros_like(p) for p in self.parameters] for _ in range(slots)]
        device = self.parameters[0].device
        self.powers = torch.ones(2, dtype=torch.float64, device=device)  # Adam's betas ** step
        self._betas = torch.tensor(betas, dtype=torch.float64, device=device)

    @torch.no_grad()
    def step(self, gradients: Sequence[Tensor], rate: Tensor, l2: Tensor, *, decays: bool) -> None:
        """One update.

        Args:
            gradients: of the loss without the L2 term, one a parameter; they may be overwritten.
            rate, l2: of this step, without dimensions.
            decays: whether l2 may differ from 0.
        """
        w = self.parameters
        g: Any = [_like(p, x) for p, x in zip(w, gradients, strict=True)]
        if decays and self.decoupled:
            torch._foreach_mul_(w, 1 - rate * l2)
        elif decays:
            g = torch._foreach_add(g, torch._foreach_mul(w, l2))
        if self._masks:
            g = torch._foreach_mul(g, self._masks)
        torch._foreach_sub_(w, torch._foreach_mul(self._direction(g), rate))

    def _direction(self, g: list[Tensor]) -> Any:
        if self.kind == "sgd":
            return g
        if self.kind == "adam":
            return self._adam(g)
        (v,) = self.slots
        torch._foreach_mul_(v, self.momentum)
        torch._foreach_add_(v, g)
        return v if self.kind == "momentum" else torch._foreach_add(g, v, alpha=self.momentum)

    def _adam(self, g: list[Tensor]) -> Any:
        (mean, square), (one, two) = self.slots, self.betas
        self.powers.mul_(self._betas)
        torch._foreach_lerp_(mean, g, 1 - one)
        torch._foreach_mul_(square, two)
        torch._foreach_addcmul_(square, g, g, 1 - two)
        first, second = ((1 - power).to(g[0].dtype) for power in self.powers)
        size = torch._foreach_sqrt(torch._foreach_div(square, second))
        torch._foreach_add_(size, self.epsilon)
        return torch._foreach_div(torch._foreach_div(mean, first), size)

    def draw_mask(self, step: int) -> None:
        """Bring the mask up to date for a step."""
        if self.mask is None or self.mask.number(step) == self._mask_number:
            return
        self._mask_number = self.mask.number(step)
        for k, kept in enumerate(self._masks):
            kept.copy_(torch.as_tensor(self.mask.at(step, tuple(kept.shape), k)))

    def state(self) -> dict[str, object]:
        """What a checkpoint keeps."""
        return {"slots": self.slots, "powers": self.powers}

    def restore(self, state: dict) -> None:
        """Take up what `state` gave."""
        for mine, kept in zip(self.slots, state["slots"], strict=True):
            torch._foreach_copy_(mine, kept)
        self.powers.copy_(state["powers"])


def _like(parameter: Tensor, gradient: Tensor) -> Tensor:
    """The gradient with its parameter's strides: lists that differ in these are worked off one tensor at a time."""
    if gradient.stride() == parameter.stride():
        return gradient
    return torch.empty_like(parameter).copy_(gradient)

"""The neural tangent kernel of a network of finite width: any torch module, by `torch.func`.

`Theta(x, x')[c, c'] = sum over parameters of df_c(x)/dtheta df_c'(x')/dtheta`, the Theta_0 of Lewkowycz and Gur-Ari
2020, eqs. (1) and (2), at the parameters that the module has. Needs torch (extra `validation`).
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from linreg_dyn._checks import choice, integer, number
from linreg_dyn.ensemble.memory import available_memory
from linreg_dyn.ntk._device import full_precision

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module

TERMS = 4096
"""Of an inner product in the module's precision; longer ones, of 10^7 gradients in float32, keep but three digits."""


def empirical_kernel(
    module: Module,
    x1: Any,
    x2: Any = None,
    *,
    method: str = "auto",
    outputs: str | int = "trace",
    block: int | None = None,
    max_memory: float | None = None,
    watch: Callable[[float], None] | None = None,
) -> np.ndarray:
    """The kernel `Theta(x1, x2)` of a torch module at its present parameters, block by block.

    It is computed where the module is and in its precision; only parameters that require a gradient count. The
    module's parameters, gradients and mode stay as they are.

    Args:
        module: takes a batch (sample, ...) to (sample,) or (sample, output), each sample on its own.
        x1: inputs, (sample, ...), an array or a tensor; in the module's precision, but tensors of whole numbers,
            such as indices for an embedding, stay what they are.
        x2: other inputs; None for those of `x1`: half of the work, and an exactly symmetric kernel.
        method: "jacobian": the gradients of every output at a block of samples, multiplied with those at another.
            "vjp": one gradient at a time, and the derivative of all outputs along it (kernel-vector products);
            slower, but it holds single gradients only. "auto" is "jacobian" as long as two samples' fit.
        outputs: "trace" for the mean over outputs of `Theta[c, c]` (at infinite width all are equal, so it is the
            kernel of `infinite_width`), "full" for all of `Theta[c, c']`, or the index of one output.
        block: samples (of "vjp": gradients) taken together (default: as many as fit).
        max_memory: bytes that gradients, activations (as far as submodules return them) and the kernel may take
            together (default: half of what is available, on the module's device).
        watch: hears of the finished fraction.

    Returns:
        [sample of x1, sample of x2], for "full" with [..., output, output] after these, in the module's precision: of a
        float32 module right to a few 1e-7 of `sqrt(K_ii K_jj)`. Leave it in that dtype: by it `spectrum` and `predict`
        know which eigenvalues (up to 2e-6 of the trace) are rounding of 0. `module.double()` resolves smaller ones.

    Raises:
        ModuleNotFoundError: torch is not installed.
        TypeError, ValueError: an argument is not as above, the outputs are not finite, the module is in bfloat16, mixes
            samples or draws random numbers (batch normalisation or dropout in training mode), has parts without a
            derivative along a direction, which "vjp" takes, or the memory does not suffice for a single sample.
    """
    import torch

    if not isinstance(module, torch.nn.Module):
        raise TypeError(f"module must be a torch.nn.Module, got {type(module).__name__}")
    choice("method", method, ("auto", "jacobian", "vjp"))
    first = _inputs("x1", x1, module)
    second = first if x2 is None else _inputs("x2", x2, module)
    if first.shape[1:] != second.shape[1:]:
        raise ValueError(f"x1 and x2 must be samples alike, got shapes {tuple(first.shape)} and {tuple(second.shape)}")
    if block is not None:
        block = integer("block", block, least=1, most=2**31)
    net = _net(module, first[:1], outputs)
    plan = _plan(net, first, second, method, outputs, block, max_memory)
    pieces = _by_jacobians if plan.method == "jacobian" else _by_products
    width = (net.outputs, net.outputs) if outputs == "full" else ()
    kernel = np.empty((len(first), len(second), *width), dtype=str(net.dtype).removeprefix("torch."))
    with full_precision(first.device):
        for rows, columns, values in pieces(net, first, second, plan, outputs == "full", x2 is None):
            kernel[rows, columns] = values.cpu().numpy()
            if watch is not None:
                watch(columns.stop / len(second))
    if x2 is None:
        _mirror(kernel)
    if not np.isfinite(kernel).all():
        raise ValueError("the kernel is not finite: gradients of the module at these samples overflow or are NaN")
    return kernel


def _mirror(kernel: np.ndarray) -> None:
    """Write what is below the diagonal above it, so that rounding leaves no asymmetry."""
    for i in range(len(kernel)):
        kernel[i, i:] = kernel[i:, i].swapaxes(-1, -2) if kernel.ndim == 4 else kernel[i:, i]
        if kernel.ndim == 4:
            kernel[i, i] = (kernel[i, i] + kernel[i, i].T) / 2


@dataclass(frozen=True)
class _Net:
    """A module as a function of its parameters and one sample, which returns a vector; and what its size is."""

    function: Callable[[dict[str, Tensor], Tensor], Tensor]
    parameters: dict[str, Tensor]
    outputs: int
    activations: int  # numbers that submodules return for a sample
    dtype: Any

    @property
    def count(self) -> int:
        return sum(p.numel() for p in self.parameters.values())


@dataclass(frozen=True)
class _Plan:
    method: str
    block: int  # samples, of "vjp" gradients, taken together
    batch: int  # samples along whose outputs "vjp" differentiates


def _inputs(name: str, x: Any, module: Module) -> Tensor:
    import torch

    parameter = next((p for p in module.parameters() if p.requires_grad), None)
    if parameter is None:
        raise ValueError("module must have parameters that require a gradient, got none")
    if parameter.dtype == torch.bfloat16:
        raise TypeError("module must not be in bfloat16, which numpy does not have; call module.float()")
    try:
        tensor = torch.as_tensor(x if torch.is_tensor(x) else np.asarray(x))
    except TypeError:
        raise TypeError(f"{name} must be an array of numbers, got {type(x).__name__}") from None
    indices = torch.is_tensor(x) and not x.is_floating_point()  # as an embedding takes them
    tensor = tensor.detach().to(device=parameter.device, dtype=tensor.dtype if indices else parameter.dtype)
    if tensor.ndim < 1 or not len(tensor):
        raise ValueError(f"{name} must hold samples, (sample, ...), got shape {tuple(tensor.shape)}")
    if not torch.isfinite(tensor).all():
        raise ValueError(f"{name} must be finite, {int((~torch.isfinite(tensor)).sum())} of its numbers are not")
    return tensor


def _net(module: Module, sample: Tensor, outputs: str | int) -> _Net:
    import torch
    from torch.func import functional_call

    _check_mode(module)
    parameters = {name: p.detach() for name, p in module.named_parameters() if p.requires_grad}
    fixed = {name: p.detach() for name, p in module.named_parameters() if not p.requires_grad}
    fixed |= {name: b.detach() for name, b in module.named_buffers()}
    sizes: list[int] = []
    hooks = [m.register_forward_hook(lambda _m, _i, out: sizes.append(_numbers(out))) for m in module.modules()]
    try:
        with torch.no_grad():
            value = module(sample)
    finally:
        for hook in hooks:
            hook.remove()
    if not torch.is_tensor(value) or not value.is_floating_point() or value.ndim not in (1, 2) or len(value) != 1:
        got = f"shape {tuple(value.shape)}" if torch.is_tensor(value) else type(value).__name__
        raise ValueError(f"module must return real numbers, (sample,) or (sample, output), got {got} for one sample")
    if not torch.isfinite(value).all():
        raise ValueError("module must return finite outputs, got NaN or infinity for the first sample")
    count = value.numel()
    kept: int | slice = slice(None)
    if not isinstance(outputs, str):
        kept = integer("outputs", outputs, least=0, most=count - 1)
    else:
        choice("outputs", outputs, ("trace", "full"))

    def function(some: dict[str, Tensor], x: Tensor) -> Tensor:
        return functional_call(module, {**some, **fixed}, (x[None],)).reshape(count)[kept].reshape(-1)

    return _Net(function, parameters, 1 if isinstance(kept, int) else count, sum(sizes), value.dtype)


def _check_mode(module: Module) -> None:
    from torch.nn.modules.batchnorm import _BatchNorm
    from torch.nn.modules.dropout import _DropoutNd

    for name, part in module.named_modules():
        if part.training and (isinstance(part, _BatchNorm) or (isinstance(part, _DropoutNd) and part.p > 0)):
            raise ValueError(
                f"module must take each sample on its own and draw nothing, but {name or 'it'} is "
                f"{type(part).__name__} in training mode; call module.eval()"
            )


def _numbers(out: Any) -> int:
    return out.numel() if hasattr(out, "numel") else 0


def _plan(net: _Net, first: Tensor, second: Tensor, method: str, outputs: Any, block: Any, memory: Any) -> _Plan:
    """The method and the sizes of its blocks; ValueError if a single sample takes more than there is."""
    item = net.dtype.itemsize
    room = number("max_memory", memory, above=0) if memory is not None else 0.5 * _available(first)
    values = len(first) * len(second) * (net.outputs**2 if outputs == "full" else 1)
    left = room - (item + 1) * values  # with a mask of what is finite
    # Of jacobians: two blocks of them, and what makes them; of products: a gradient, a direction, what makes them.
    sample = item * net.outputs * (4 * net.count + 2 * net.activations)
    pair = 4 * item * (net.outputs**2 if outputs == "full" else 1)  # of one block's kernel, and of a sum of three
    gradient = item * (3 * net.count + 2 * net.activations)
    if method == "auto":
        method = "jacobian" if sample + pair <= left else "vjp"
    if method == "jacobian":
        # The largest block with pair * block^2 + sample * block <= left.
        fit, batch = int(2 * left / (sample + math.sqrt(sample**2 + 4 * pair * left))) if left > 0 else 0, 0
        most = max(len(first), len(second))
    else:
        along = 3 * item * (net.activations + net.outputs)  # numbers, derivatives, and what comes next, per sample
        fit = int(left // (gradient + along)) if left > 0 else 0
        batch = min(len(first), max(int((left - gradient) // along), 1))
        fit = min(fit, max(int(left // (gradient + along * batch)), 1))
        most = len(second) * net.outputs
    if fit < 1 or (block is not None and block > fit and memory is not None):
        need = item * values + (block or 1) * (sample if method == "jacobian" else gradient)
        least = "block and max_memory do not fit" if fit >= 1 else "take fewer samples, or more memory"
        raise ValueError(
            f"the kernel of {len(first)} x {len(second)} samples with {net.count} parameters and {net.outputs} outputs "
            f"would take {need / 2**30:.3g} GiB with method {method!r} in blocks of {block or 1}, and "
            f"{room / 2**30:.3g} GiB may be used; {least}"
        )
    return _Plan(method, min(block or fit, most), batch)


def _available(x: Tensor) -> float:
    import torch

    return float(torch.cuda.mem_get_info(x.device)[0]) if x.device.type == "cuda" else available_memory()


Piece = tuple[slice, slice, "Tensor"]


def _by_jacobians(net: _Net, x1: Tensor, x2: Tensor, plan: _Plan, full: bool, same: bool) -> Iterator[Piece]:
    """Blocks of the kernel; with `same` only those on and below the diagonal."""
    from torch.func import jacrev, vmap

    jacobians = vmap(jacrev(net.function), in_dims=(None, 0))
    for columns in _slices(len(x2), plan.block):
        right = jacobians(net.parameters, x2[columns])
        for rows in _slices(len(x1), plan.block, columns.start if same else 0):
            left = right if same and rows == columns else jacobians(net.parameters, x1[rows])
            values = sum(_product(left[name].flatten(2), right[name].flatten(2), full) for name in net.parameters)
            assert not isinstance(values, int)
            yield rows, columns, values


def _product(left: Tensor, right: Tensor, full: bool) -> Tensor:
    (a, outputs, _), b = left.shape, len(right)
    if full:
        values = _inner_products(left.flatten(0, 1), right.flatten(0, 1))
        return values.reshape(a, outputs, b, outputs).permute(0, 2, 1, 3)
    return _inner_products(left.flatten(1), right.flatten(1)) / outputs


def _inner_products(left: Tensor, right: Tensor) -> Tensor:
    """`left @ right.T`, in float64 where the device has that: what `TERMS` terms each add up to, added up."""
    import torch

    wide = torch.float64 if left.device.type != "mps" else left.dtype
    total = torch.zeros(len(left), len(right), dtype=wide, device=left.device)
    for some in _slices(left.shape[1], TERMS):
        total += left[:, some] @ right[:, some].T
    return total


def _by_products(net: _Net, x1: Tensor, x2: Tensor, plan: _Plan, full: bool, same: bool) -> Iterator[Piece]:
    """Columns of the kernel, in groups of gradients: one for each sample of x2 and each output."""
    import torch
    from torch.func import jvp, vjp, vmap

    samples = max(plan.block // net.outputs, 1)
    together = min(plan.block, net.outputs)
    eye = torch.eye(net.outputs, dtype=net.dtype, device=x2.device)

    def along(x: Tensor, cotangent: Tensor, batch: Tensor) -> Tensor:
        """How all outputs at `batch` change along the gradient of one output at x: (sample, output)."""
        (gradient,) = vjp(lambda p: net.function(p, x), net.parameters)[1](cotangent)
        every = vmap(net.function, in_dims=(None, 0))
        return jvp(lambda p: every(p, batch), (net.parameters,), (gradient,))[1]

    for columns in _slices(len(x2), samples):
        for rows in _slices(len(x1), plan.batch, columns.start if same else 0):
            parts = []
            for some in _slices(net.outputs, together):
                per_output = vmap(along, in_dims=(None, 0, None))
                per_sample = vmap(per_output, in_dims=(0, None, None))
                with warnings.catch_warnings():  # torch's own derivatives are written in what it calls deprecated
                    warnings.filterwarnings("ignore", r".*torch\.jit\.script", DeprecationWarning)
                    try:
                        # column, its output, row, its output
                        parts.append(per_sample(x2[columns], eye[some], x1[rows]))
                    except NotImplementedError as error:
                        line = str(error).strip().partition("\n")[0]
                        raise ValueError(f"method must be 'jacobian' for this module: {line:.200}") from None
            values = torch.cat(parts, dim=1).permute(2, 0, 3, 1)
            yield rows, columns, values if full else values.diagonal(dim1=2, dim2=3).mean(-1)


def _slices(count: int, block: int, start: int = 0) -> Iterator[slice]:
    for first in range(start, count, block):
        yield slice(first, min(first + block, count))

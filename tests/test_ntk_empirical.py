"""The kernel of torch modules: against dense Jacobians from autograd, and against its limit of infinite width."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from torch import nn

from linreg_dyn.ntk import empirical
from linreg_dyn.ntk.empirical import empirical_kernel
from linreg_dyn.ntk.infinite import infinite_width

pytestmark = pytest.mark.usefixtures("one_thread")


class Wide(nn.Module):
    """f = W_2 relu(W_1 x / sqrt(d)) / sqrt(n), all weights from N(0, 1): NTK parameterisation, degree 2."""

    def __init__(self, features, width, seed):
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        shapes = ((width, features), (1, width))
        self.weights = nn.ParameterList(
            nn.Parameter(torch.randn(shape, generator=generator, dtype=torch.float64)) for shape in shapes
        )

    def forward(self, x):
        for i, w in enumerate(self.weights):
            x = (x.relu() if i else x) @ w.T / w.shape[1] ** 0.5
        return x


class Tied(nn.Module):
    """One matrix used twice, a buffer, a parameter that is held fixed, and one that nothing depends on."""

    def __init__(self):
        super().__init__()
        self.w = nn.Parameter(torch.randn(3, 3))
        self.fixed = nn.Parameter(torch.randn(3), requires_grad=False)
        self.unused = nn.Parameter(torch.randn(2))
        self.register_buffer("shift", torch.randn(3))

    def forward(self, x):
        return (torch.tanh(x @ self.w + self.shift) * self.fixed) @ self.w


def nets():
    torch.manual_seed(0)
    relu = nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 3))
    conv = nn.Sequential(nn.Conv2d(2, 3, 3, padding=1), nn.ReLU(), nn.AvgPool2d(2), nn.Flatten(), nn.Linear(12, 2))
    scalar = nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 1), nn.Flatten(0))
    normed = nn.Sequential(nn.Linear(4, 5), nn.BatchNorm1d(5), nn.Dropout(0.5), nn.Linear(5, 2)).eval()
    cases = {"relu": (relu, (4,)), "conv": (conv, (2, 4, 4)), "scalar": (scalar, (4,)), "tied": (Tied(), (3,))}
    cases |= {"normed": (normed, (4,))}
    return {name: (net.double(), shape) for name, (net, shape) in cases.items()}


NETS = nets()


def samples(shape, count, seed):
    return np.random.default_rng(seed).standard_normal((count, *shape))


def naive(net, x1, x2):
    """Theta[i, j, c, c'] by one backward pass for each sample and output, and a dense product."""

    def jacobian(x):
        rows = []
        for one in torch.as_tensor(x):
            outputs = net(one[None]).reshape(-1)
            parameters = [p for p in net.parameters() if p.requires_grad]
            for value in outputs:
                grads = torch.autograd.grad(value, parameters, retain_graph=True, allow_unused=True)
                kept = [torch.zeros_like(p) if g is None else g for g, p in zip(grads, parameters, strict=True)]
                rows.append(torch.cat([g.flatten() for g in kept]))
        return torch.stack(rows).reshape(len(x), -1, len(rows[0])).numpy()

    return np.einsum("icp,jdp->ijcd", jacobian(x1), jacobian(x2))


@pytest.mark.parametrize("name", NETS)
@pytest.mark.parametrize("method", ["jacobian", "vjp"])
@pytest.mark.parametrize("block", [None, 1, 3])
def test_equals_a_dense_product_of_jacobians(name, method, block):
    net, shape = NETS[name]
    x1, x2 = samples(shape, 7, 1), samples(shape, 5, 2)
    exact = naive(net, x1, x2)
    close = {"rtol": 0, "atol": 1e-13 * np.abs(exact).max()}
    options = {"method": method, "block": block}
    assert np.allclose(empirical_kernel(net, x1, x2, outputs="full", **options), exact, **close)
    mean = np.einsum("ijcc->ij", exact) / exact.shape[-1]
    assert np.allclose(empirical_kernel(net, x1, x2, **options), mean, **close)
    last = exact.shape[-1] - 1
    assert np.allclose(empirical_kernel(net, x1, x2, outputs=last, **options), exact[..., last, last], **close)
    same = empirical_kernel(net, x1, outputs="full", **options)
    assert np.allclose(same, naive(net, x1, x1), rtol=0, atol=1e-13 * np.abs(same).max())
    assert np.array_equal(same, same.transpose(1, 0, 3, 2))
    trace = empirical_kernel(net, x1, **options)
    assert np.array_equal(trace, trace.T)


def test_a_small_memory_gives_the_same_in_more_blocks():
    net, shape = NETS["relu"]
    x = samples(shape, 20, 3)
    whole = empirical_kernel(net, x)
    for method, memory in (("auto", 25_000), ("vjp", 9_000)):
        heard = []
        small = empirical_kernel(net, x, method=method, max_memory=memory, watch=heard.append)
        assert np.allclose(small, whole, rtol=0, atol=1e-13 * whole.max())
        assert len(heard) > 4
        assert heard == sorted(heard)
        assert heard[-1] == 1


def test_auto_falls_back_to_single_gradients(monkeypatch):
    used = []
    original = empirical._by_products
    monkeypatch.setattr(empirical, "_by_products", lambda *a: used.append(1) or original(*a))
    wide = nn.Linear(50, 40).double()
    x = samples((50,), 3, 4)
    exact = empirical_kernel(wide, x)
    assert not used
    assert np.allclose(empirical_kernel(wide, x, max_memory=200_000), exact, rtol=1e-13)
    assert used


def test_memory_is_refused_before_anything_runs():
    net, shape = NETS["relu"]
    x = samples(shape, 20, 3)
    for method in ("jacobian", "vjp", "auto"):
        with pytest.raises(ValueError, match=r"20 x 20 samples with 51 parameters and 3 outputs would take .* GiB"):
            empirical_kernel(net, x, method=method, max_memory=4_000)
    with pytest.raises(ValueError, match="block and max_memory do not fit"):
        empirical_kernel(net, x, method="jacobian", max_memory=25_000, block=20)


def test_precision_mode_and_gradients_of_the_module_stay():
    net = nn.Sequential(nn.Linear(4, 6), nn.ReLU(inplace=True), nn.Linear(6, 1)).train()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    kernel = empirical_kernel(net, samples((4,), 5, 1))
    assert kernel.dtype == np.float32
    assert net.training
    assert all(p.grad is None and p.requires_grad for p in net.parameters())
    assert all(torch.equal(before[name], value) for name, value in net.state_dict().items())
    assert not any(module._forward_hooks for module in net.modules())
    exact = empirical_kernel(net.double(), samples((4,), 5, 1).astype(np.float32))
    assert np.allclose(kernel, exact, rtol=0, atol=2e-6 * exact.max())


def test_indices_stay_whole_numbers():
    torch.manual_seed(1)
    net = nn.Sequential(nn.Embedding(5, 3), nn.Flatten(), nn.Linear(6, 1)).double()
    words = torch.tensor([[0, 1], [2, 3], [4, 0], [1, 1]])
    assert np.allclose(empirical_kernel(net, words), naive(net, words, words)[..., 0, 0])


class Odd(nn.Module):
    """Returns what it is told to."""

    def __init__(self, result):
        super().__init__()
        self.w, self.result = nn.Parameter(torch.ones(1)), result

    def forward(self, x):
        return self.result(x * self.w)


LINEAR = nn.Linear(2, 3)


@pytest.mark.parametrize(
    ("module", "arguments", "kind", "words"),
    [
        (lambda x: x, {}, TypeError, "module must be a torch.nn.Module, got function"),
        (nn.ReLU(), {}, ValueError, "module must have parameters that require a gradient"),
        (nn.Sequential(nn.Linear(2, 2), nn.Dropout()), {}, ValueError, r"1 is Dropout in training mode; call"),
        (nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2)), {}, ValueError, "BatchNorm1d in training mode"),
        (Odd(lambda x: (x, x)), {}, ValueError, "got tuple for one sample"),
        (
            Odd(lambda x: x.reshape(-1, 2, 1)),
            {},
            ValueError,
            r"\(sample, output\), got shape \(1, 2, 1\) for one sample",
        ),
        (nn.Linear(2, 1).bfloat16(), {}, TypeError, r"not be in bfloat16, .* call module.float\(\)"),
        (Odd(lambda x: x.sum()), {}, ValueError, r"got shape \(\) for one sample"),
        (Odd(lambda x: x > 0), {}, ValueError, "must return real numbers"),
        (Odd(lambda x: x / 0), {}, ValueError, "must return finite outputs"),
        (Odd(lambda x: x.abs().sqrt()), {"x1": np.zeros((2, 2))}, ValueError, "kernel is not finite"),
        (LINEAR, {"x1": np.ones((0, 2))}, ValueError, r"x1 must hold samples, .* got shape \(0, 2\)"),
        (LINEAR, {"x1": np.full((3, 2), np.nan)}, ValueError, "x1 must be finite, 6 of its numbers"),
        (LINEAR, {"x1": [["a", "b"]]}, TypeError, "x1 must be an array of numbers"),
        (LINEAR, {"x2": np.ones((3, 4))}, ValueError, r"samples alike, got shapes \(4, 2\) and \(3, 4\)"),
        (LINEAR, {"method": "forward"}, ValueError, "method must be one of 'auto', 'jacobian', 'vjp'"),
        (LINEAR, {"outputs": 3}, ValueError, "outputs must be an integer from 0 to 2, got 3"),
        (LINEAR, {"outputs": "mean"}, ValueError, "outputs must be one of 'trace', 'full', got 'mean'"),
        (LINEAR, {"block": 0}, ValueError, "block must be an integer from 1"),
        (LINEAR, {"max_memory": -1}, ValueError, "max_memory must be a finite number > 0"),
    ],
)
def test_bad_input_is_refused(module, arguments, kind, words):
    with pytest.raises(kind, match=words):
        empirical_kernel(module, **{"x1": np.ones((4, 2)), **arguments})


def test_dropout_that_drops_nothing_is_no_dropout():
    torch.manual_seed(0)
    dropout = nn.Dropout(0.0)
    net, x = nn.Sequential(nn.Linear(3, 4), dropout, nn.Linear(4, 1)).double(), samples((3,), 4, 1)
    assert np.allclose(empirical_kernel(net, x), naive(net, x, x)[..., 0, 0], rtol=1e-12)
    dropout.p = 0.1
    with pytest.raises(ValueError, match="1 is Dropout in training mode"):
        empirical_kernel(net, x)


@pytest.mark.filterwarnings("ignore:There is a performance drop")  # says torch of its own derivatives
def test_parts_without_forward_derivatives_are_refused_by_name():
    """The attention of a transformer's layer is one operation."""
    torch.manual_seed(0)
    layer = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, batch_first=True)
    net, x = nn.Sequential(layer, nn.Flatten(), nn.Linear(24, 1)).double(), samples((3, 8), 3, 1)
    assert np.allclose(empirical_kernel(net, x), naive(net, x, x)[..., 0, 0], rtol=1e-10)
    with pytest.raises(ValueError, match=r"method must be 'jacobian' for this module: .*forward"):
        empirical_kernel(net.eval(), x, method="vjp")


def infinite(x):
    """The limit of `Wide`, by the arc-cosine formulas of Cho and Saul 2009: Theta = Sigma + x.x'/d Sigma'."""
    q = x @ x.T / x.shape[1]
    lengths = np.sqrt(np.outer(q.diagonal(), q.diagonal()))
    angle = np.arccos(np.clip(q / lengths, -1, 1))
    sigma = lengths / (2 * np.pi) * (np.sin(angle) + (np.pi - angle) * np.cos(angle))
    return sigma + q * (np.pi - angle) / (2 * np.pi)


def test_the_kernel_tends_to_infinite_width_as_one_over_root_n():
    """Fixed beforehand: the slope of log RMS error against log width is -1/2 within 4 standard errors.

    The kernel of this net is a mean over n independent neurons, so the mean square error is exactly C / n. Of S = 32
    seeds its logarithm has a variance of at most about 2 / S (a chi-square of S degrees of freedom: as if all entries
    of a kernel moved together), that of the RMS a fourth of it; seven widths a factor 2 apart make of it a standard
    error of sqrt(1 / (2 S) / (28 log(2)^2)) = 0.034.
    """
    x = samples((6,), 8, 5)
    limit = infinite(x)
    widths, seeds = 2 ** np.arange(5, 12), 32
    errors = np.empty((len(widths), seeds))
    signed = []
    for i, width in enumerate(widths):
        for seed in range(seeds):
            gap = empirical_kernel(Wide(6, int(width), 1000 * i + seed), x, method="jacobian") - limit
            errors[i, seed] = np.square(gap).mean()
        signed.append(np.abs(gap).max())
    rms = np.sqrt(errors.mean(axis=1))
    slope = np.polyfit(np.log(widths), np.log(rms), 1)[0]
    assert abs(slope + 0.5) < 4 * np.sqrt(1 / (2 * seeds) / (28 * np.log(2) ** 2))
    assert signed[-1] < 0.2 * limit.max()


def test_a_factor_two_in_the_limit_would_be_noticed():
    """With the wrong limit the error does not fall with the width."""
    x = samples((6,), 8, 5)
    gaps = [np.abs(empirical_kernel(Wide(6, n, 0), x) - 2 * infinite(x)).max() for n in (256, 2048)]
    assert min(gaps) > 0.5 * infinite(x).max()


def test_the_limit_is_that_of_the_analytic_kernel():
    x = samples((6,), 8, 5)
    analytic = np.asarray(infinite_width(x, hidden_layers=1, activation="relu"))
    assert np.allclose(analytic, infinite(x), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("setting", ["none", "all products", "medium", "older names"])
def test_float32_is_not_rounded_further_on_a_gpu(setting):
    """Torch's default rounds convolutions' factors there to 10 bits; what the caller set holds again afterwards.

    In a process of its own: torch refuses some of its settings after others.
    """
    code = f"""
import torch
from linreg_dyn.ntk._device import full_precision
setting, owners = {setting!r}, (torch.backends.cuda.matmul, torch.backends.cudnn.conv, torch.backends.cudnn.rnn)
if setting == "all products":
    torch.backends.fp32_precision = "tf32"
elif setting == "medium":
    torch.set_float32_matmul_precision("medium")
elif setting == "older names":
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = True
before = [owner.fp32_precision for owner in owners]
with full_precision(torch.device("cuda")):
    assert [owner.fp32_precision for owner in owners] == ["ieee"] * 3
assert [owner.fp32_precision for owner in owners] == before
with full_precision(torch.device("cpu")):
    assert [owner.fp32_precision for owner in owners] == before
if setting == "medium":
    assert torch.get_float32_matmul_precision() == "medium"
if setting in ("medium", "older names"):
    assert torch.backends.cuda.matmul.allow_tf32 and torch.backends.cudnn.allow_tf32
"""
    subprocess.run([sys.executable, "-c", code], check=True)

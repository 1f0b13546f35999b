"""Measurements on networks against dense oracles on tiny ones."""

from contextlib import contextmanager

import numpy as np
import pytest
import torch
from torch import nn

from validation import data
from validation.measure import curvature, norms, paths
from validation.models import build
from validation.train import Recipe, Trainer, fit

DIGITS = data.load("digits").subset(48, 20)


pytestmark = pytest.mark.usefixtures("one_thread")


def net(seed=0, **options):
    torch.manual_seed(seed)
    return build("fc", channels=1, side=8, classes=10, **({"width": 6, "depth": 2} | options))


def images(count=20):
    batches = Trainer(net(), DIGITS, Recipe(0, 16, 0.1)).batches
    return batches.normalised(batches.x[:count]), batches.y[:count]


def flat_gradient(model, value):
    model.zero_grad()
    value.backward()
    return np.concatenate([p.grad.double().numpy().ravel() for p in model.parameters()])


def test_empirical_fisher_is_the_mean_of_squared_gradients():
    model, (x, y) = net(), images()
    squares = [
        (flat_gradient(model, nn.functional.cross_entropy(model(x[k : k + 1]), y[k : k + 1])) ** 2).sum()
        for k in range(20)
    ]
    found = curvature.fisher_trace(model, x, y, block=7)
    assert found.value == pytest.approx(np.mean(squares), rel=1e-5)
    assert found.error == pytest.approx(np.std(squares, ddof=1) / np.sqrt(20), rel=1e-5)


def test_true_fisher_is_within_its_error_of_the_sum_over_labels():
    model, (x, _) = net(), images()
    with torch.no_grad():
        model[-1].weight *= 3
        shares = torch.softmax(model(x), 1).double().numpy()
    every = np.array(
        [
            [(flat_gradient(model, torch.log_softmax(model(x[k : k + 1]), 1)[0, c]) ** 2).sum() for c in range(10)]
            for k in range(20)
        ]
    )
    expected = (shares * every).sum(1).mean()
    repeated = curvature.fisher_trace(model, x.repeat(100, 1, 1, 1), seed=1)
    spread = np.sqrt((shares * (every - (shares * every).sum(1, keepdims=True)) ** 2).sum(1).mean() / 2000)
    assert abs(repeated.value - expected) < 4 * spread
    single = [curvature.fisher_trace(model, x, seed=s) for s in range(3)]
    assert len({one.value for one in single}) == 3
    assert curvature.fisher_trace(model, x, seed=0) == single[0]
    labels = torch.as_tensor(shares.argmin(1))
    assert abs(curvature.fisher_trace(model, x, labels).value - expected) > 4 * spread  # other labels, another number


def test_fisher_uses_running_statistics_and_leaves_the_network_as_it_was():
    torch.manual_seed(0)
    model = build("resnet", channels=1, side=8, classes=10, width=2)
    before = {k: v.clone() for k, v in model.state_dict().items()}
    x, _ = images()
    alone = np.mean(
        [curvature.fisher_trace(model, x[k : k + 1], torch.zeros(1, dtype=torch.long)).value for k in range(4)]
    )
    assert model.training
    assert curvature.fisher_trace(model, x[:4], torch.zeros(4, dtype=torch.long)).value == pytest.approx(
        alone, rel=1e-5
    )
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())


def dense_hessian(model, x, y):
    parameters = list(model.parameters())
    gradients = torch.autograd.grad(nn.functional.cross_entropy(model(x), y), parameters, create_graph=True)
    rows = []
    for entry in torch.cat([g.flatten() for g in gradients]):
        second = torch.autograd.grad(entry, parameters, retain_graph=True, allow_unused=True, materialize_grads=True)
        rows.append(torch.cat([s.flatten() for s in second]))
    return torch.stack(rows)


def test_hessian_products_and_sharpness_are_those_of_the_dense_hessian():
    model, (x, y) = net(activation="tanh").double(), images()
    x = x.double()
    hessian = dense_hessian(model, x, y)
    parameters = list(model.parameters())
    vector = torch.randn(len(hessian), generator=torch.Generator().manual_seed(0), dtype=torch.float64)

    def loss(x, y):
        return nn.functional.cross_entropy(model(x), y)

    product = curvature.hessian_product(loss, parameters, x, y, vector, 7)
    torch.testing.assert_close(product, hessian @ vector, rtol=1e-9, atol=1e-12)
    exact = torch.linalg.eigvalsh(hessian).numpy()[::-1]
    start = vector.unsqueeze(1)
    found = curvature.sharpness(loss, parameters, x, y, block=7, count=3, steps=60, tolerance=1e-6, start=start)
    np.testing.assert_allclose(found.values, exact[:3], rtol=1e-5)
    assert (found.bounds <= 1e-6 * exact[0]).all()
    residual = hessian @ found.vectors - found.vectors * torch.as_tensor(found.values)
    assert (residual.norm(dim=0).numpy() <= found.bounds + 1e-9).all()


def test_a_trainers_sharpness_has_the_settings_of_its_training(monkeypatch):
    """It may be the first that a device multiplies, and what torch finds set then is set for good."""
    run = Trainer(net(), DIGITS.subset(20, 5), Recipe(0, 20, 0.1))
    expected = curvature.sharpness(run.loss_of, run.parameters, *run.batches.at(0), tolerance=1e-6)
    within, seen, loss_of = [], [], run.loss_of

    @contextmanager
    def numerics():
        within.append(True)
        yield
        within.pop()

    monkeypatch.setattr(run, "numerics", numerics)
    monkeypatch.setattr(run, "loss_of", lambda x, y: seen.append(bool(within)) or loss_of(x, y))
    found = curvature.trainer_sharpness(run, samples=20, tolerance=1e-6)
    assert seen
    assert all(seen)
    np.testing.assert_allclose(found.values, expected.values, rtol=1e-5)


def test_bounds_hold_before_lanczos_has_settled():
    rng = np.random.default_rng(0)
    q = np.linalg.qr(rng.normal(size=(60, 60)))[0]
    values = np.concatenate([np.linspace(0.9, 1, 50), np.linspace(-3, 0, 10)])
    matrix = torch.as_tensor(q @ np.diag(values) @ q.T, dtype=torch.float32)
    for steps in (2, 5, 12):
        found = curvature.largest_eigenvalues(lambda v: matrix @ v, 60, count=2, steps=steps, tolerance=0)
        for value, bound in zip(found.values, found.bounds, strict=True):
            assert abs(values - value).min() <= bound + 1e-5
    cold = curvature.largest_eigenvalues(lambda v: matrix @ v, 60, steps=4, tolerance=0)
    warm = curvature.largest_eigenvalues(lambda v: matrix @ v, 60, steps=4, tolerance=0, start=cold.vectors)
    assert abs(warm.values[0] - 1) < abs(cold.values[0] - 1)


def test_curvature_needs_a_sample():
    model, (x, y) = net(), images()
    for measure in (
        lambda: curvature.fisher_trace(model, x[:0]),
        lambda: curvature.sharpness(nn.functional.mse_loss, [*model.parameters()], x[:0], y[:0]),
    ):
        with pytest.raises(ValueError, match=r"x must have at least one sample, got \(0, 1, 8, 8\)"):
            measure()
    with pytest.raises(ValueError, match="samples must be an integer >= 1, got 0"):
        curvature.trainer_sharpness(Trainer(model, DIGITS, Recipe(0, 16, 0.1)), samples=0)


def test_layer_norms_and_imbalance_by_hand():
    model = net(bias=False)
    weights = [layer.weight.detach().numpy() for layer in model if isinstance(layer, nn.Linear)]
    expected = [(w.astype(np.float64) ** 2).sum() for w in weights]
    np.testing.assert_allclose(norms.squared_norms(model), expected)
    np.testing.assert_allclose(norms.layer_imbalance(model), np.diff(expected))
    assert norms.squared_norm(model) == pytest.approx(sum(expected))
    assert norms.effective_rate(0.1, model) == pytest.approx(0.1 / sum(expected))


@pytest.mark.parametrize(
    ("name", "options", "first"),
    [("fc", {"width": 4, "depth": 1}, r"1\.bias"), ("thin_resnet", {"depth": 8, "width": 4}, "[a-z0-9.]+")],
)
def test_the_imbalance_of_biases_and_norms_is_warned_of(name, options, first):
    model = build(name, channels=1, side=8, classes=10, **options)
    with pytest.warns(UserWarning, match=f"the network has biases or norms, {first} first: no gradient flow keeps"):
        norms.layer_imbalance(model)


def imbalance_moved(activation, rate):
    """How far the imbalance moves over a time of 2, in which the norms themselves move by more than 0.5."""
    model = net(width=20, activation=activation, bias=False)
    before, sizes = norms.layer_imbalance(model), norms.squared_norms(model)
    fit(model, DIGITS, Recipe(int(2 / rate), 48, rate))
    assert (norms.squared_norms(model) - sizes).abs().max() > 0.5
    return (norms.layer_imbalance(model) - before).abs().max().item()


@pytest.mark.parametrize("activation", ["linear", "relu", "leaky_relu"])
def test_small_steps_keep_the_imbalance_of_homogeneous_networks(activation):
    """Its change over a time is of the order of the rate; tanh, which is not homogeneous, does not keep it."""
    coarse, fine = imbalance_moved(activation, 0.02), imbalance_moved(activation, 0.01)
    assert 1.5 < coarse / fine < 2.7
    assert fine < 0.05 < imbalance_moved("tanh", 0.01)


def test_principal_components_are_those_of_a_dense_decomposition():
    rng = np.random.default_rng(0)
    path = torch.as_tensor(np.cumsum(rng.normal(size=(12, 500)), axis=0), dtype=torch.float32)
    found = paths.principal_components(path, 3)
    centred = path.double().numpy() - path.double().numpy().mean(0)
    u, s, _ = np.linalg.svd(centred, full_matrices=False)
    np.testing.assert_allclose(abs(found.coordinates), abs(u[:, :3] * s[:3]), rtol=1e-8, atol=1e-8)
    np.testing.assert_allclose(found.shares, s[:3] ** 2 / (s**2).sum(), rtol=1e-10)
    assert (found.coordinates[-1] >= 0).all()
    still = paths.principal_components(torch.ones(4, 7))
    assert not still.coordinates.any()
    assert not still.shares.any()
    assert paths.snapshot(net()).shape == (sum(p.numel() for p in net().parameters()),)


def test_kernel_drift_and_decay_of_a_shrunk_kernel():
    rng = np.random.default_rng(0)
    kernel = rng.normal(size=(9, 9))
    assert paths.kernel_drift(kernel, kernel) == 0
    assert paths.kernel_drift(0.7 * kernel, kernel) == pytest.approx(0.3)
    assert paths.kernel_decay(0.7 * kernel, kernel) == pytest.approx(0.7)

"""Training on a GPU: captured steps against steps one by one, resumed runs, second passes, sweeps; then the CPU."""

import itertools

import numpy as np
import pytest
import torch

from linreg_dyn.schedules import Cosine, Steps, Window
from validation import data, train
from validation.batches import Augment
from validation.context import OutOfTime
from validation.measure.regularity import second_pass
from validation.members import NAMES, sweep
from validation.models import build
from validation.train import Recipe, Trainer, fit

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"),
    # Libraries announce on a device what they do nowhere else; what they compute is compared.
    pytest.mark.filterwarnings("default"),
]

DIGITS = data.load("digits").subset(96, 40)
OPTIMISERS = {
    "sgd": {},
    "momentum": {"optimiser": "momentum", "momentum": 0.9},
    "nesterov": {"optimiser": "nesterov", "momentum": 0.9, "sparsity": 0.3},
    "adam": {"optimiser": "adam", "epsilon": 1e-3, "decoupled": True},
}
AUGMENT = Augment(
    flip=1,
    crop=Steps((1.0, 0.0, 1.0, 0.0), milestones=(1, 3, 10)),  # the first two structures come back at the end
    mixup=Window(0.5, start=2, stop=7),
    noise=Window(0.1, start=6, stop=9),
)
NETS = {
    "resnet": {"width": 8},
    "wide_resnet": {"depth": 10, "widen": 1},
    "vgg": {"width": 8},
    "alexnet": {"width": 8},
    "fc": {"width": 32, "depth": 2},
}


def net(name="resnet"):
    torch.manual_seed(0)
    return build(name, channels=1, side=8, classes=10, **NETS[name])


def recipe(steps=12, **options):
    kwargs = {"augment": AUGMENT, "deterministic": True} | OPTIMISERS["momentum"] | options
    return Recipe(steps, 24, Cosine(0.05, steps=steps), Window(0.01, stop=steps // 2 or None), **kwargs)


def everything(trainer):
    return [x.detach().clone() for x in trainer._changing()]


@pytest.mark.parametrize("name", NETS)
@pytest.mark.parametrize("kind", OPTIMISERS)
@pytest.mark.parametrize("precision", ["float32", "bf16"])
def test_captured_steps_are_steps(name, kind, precision):
    """Bit by bit in deterministic mode: weights, statistics, averages, losses."""
    asked = Recipe(
        12,
        24,
        Cosine(0.05, steps=12),
        Window(0.01, stop=6),
        augment=AUGMENT,
        deterministic=True,
        precision=precision,
        **OPTIMISERS[kind],
    )
    captured, plain = (Trainer(net(name), DIGITS, asked, "cuda") for _ in range(2))
    assert captured._captured is not None
    plain._captured = None
    losses = [run.chunk(12) for run in (captured, plain)]
    assert torch.equal(*losses)
    assert len(set(losses[0].tolist())) == 12
    for a, b in zip(everything(captured), everything(plain), strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize("name", NETS)
def test_steps_are_those_of_the_cpu(name):
    """In float32 without TF32: two orders of summation apart, grown over six steps of SGD."""
    asked = Recipe(6, 24, 0.02, 0.01, augment=AUGMENT)
    gpu, cpu = (Trainer(net(name), DIGITS, asked, device) for device in ("cuda", "cpu"))
    np.testing.assert_allclose(gpu.chunk(6).cpu(), cpu.chunk(6), rtol=1e-3)
    found, expected = gpu.evaluate(), cpu.evaluate()
    assert found["loss"] == pytest.approx(expected["loss"], rel=5e-3)


def test_other_recipes_give_other_bits():
    """What the equalities above could not see if they compared nothing."""
    first, second = (Trainer(net(), DIGITS, recipe(l2), "cuda").chunk(12) for l2 in (12, 13))
    assert not torch.equal(first, second)


@pytest.mark.parametrize("kind", ["momentum", "adam"])
def test_a_run_that_was_stopped_goes_on_bit_by_bit(kind, tmp_path, monkeypatch):
    monkeypatch.setattr(train, "LOOK", 0.0)
    asked = Recipe(40, 24, Cosine(0.05, steps=40), 0.01, augment=AUGMENT, deterministic=True, **OPTIMISERS[kind])
    kwargs = {"device": "cuda", "measure": lambda t: t.evaluate(), "measure_at": range(0, 41, 4)}
    whole = fit(net(), DIGITS, asked, **kwargs)
    path, parts = tmp_path / "run.checkpoint", 0
    while True:
        calls = iter(range(10**9))
        monkeypatch.setattr(train.time, "monotonic", lambda calls=calls: float(next(calls)))
        try:
            done = fit(net(), DIGITS, asked, **kwargs, checkpoint=path, checkpoint_seconds=1e9, deadline=12.0)
            break
        except OutOfTime:
            parts += 1
    assert parts >= 2
    np.testing.assert_array_equal(done.losses, whole.losses)
    np.testing.assert_array_equal(done.history["loss"], whole.history["loss"])
    for a, b in zip(done.model.state_dict().values(), whole.model.state_dict().values(), strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize("name", NETS)
@pytest.mark.parametrize("precision", ["float32", "bf16"])
def test_a_second_pass_is_the_first(name, precision):
    asked = recipe(60, precision=precision)
    first = fit(net(name), DIGITS, asked, device="cuda")
    distances, moved = second_pass(lambda: Trainer(net(name), DIGITS, asked, "cuda"), first)
    assert distances[-1] == 0
    assert (distances[:-1] > 0).all()
    assert (moved > 0).all()
    with pytest.raises(RuntimeError, match="not the first"):
        second_pass(lambda: Trainer(net(name), DIGITS, recipe(60, precision=precision, seed=1), "cuda"), first)


def test_an_epoch_does_not_wait_for_the_device():
    run = Trainer(net(), DIGITS, recipe(400, optimiser="sgd", momentum=0.0), "cuda")
    run.chunk(16)  # all structures are captured
    torch.cuda.synchronize()
    before = torch.cuda.get_sync_debug_mode()
    torch.cuda.set_sync_debug_mode("error")
    try:
        run.chunk(50)
        with pytest.raises(RuntimeError, match="synchroniz"):
            run.batches.x.float().sum().item()
    finally:
        torch.cuda.set_sync_debug_mode(before)


def test_the_compilers_network_is_the_network():
    """Within bfloat16's rounding; where the compiler fails, training would go on without it."""
    plain, compiled = (
        Trainer(net(), DIGITS, Recipe(8, 24, 0.02, compile=c, precision="bf16"), "cuda") for c in (False, True)
    )
    np.testing.assert_allclose(compiled.chunk(8).cpu(), plain.chunk(8).cpu(), rtol=0.05)
    assert compiled._network is not compiled.model


@pytest.mark.parametrize("batch_size", [24, 96])
def test_members_are_single_runs(batch_size):
    cells = list(itertools.product((0.05, 0.2), (0.0, 0.01)))
    rates, l2 = (list(x) for x in zip(*cells, strict=True))
    steps = [10, 25, 17, 25]
    at = [0, 5, 10, 25]
    kwargs = {"learning_rates": rates, "l2": l2, "steps": steps, "batch_size": batch_size, "measure_at": at}
    swept = sweep(net("fc"), DIGITS, **kwargs, seed=3, device="cuda")
    for k, (rate, strength) in enumerate(cells):
        asked = Recipe(steps[k], batch_size, rate, strength, seed=3)
        kept = [s for s in at if s <= steps[k]]
        alone = fit(net("fc"), DIGITS, asked, device="cuda", measure=lambda t: t.evaluate(), measure_at=kept)
        np.testing.assert_allclose(swept.history["test_loss"][k, : len(kept)], alone.history["loss"], rtol=1e-4)
        assert np.isnan(swept.history["test_loss"][k, len(kept) :]).all()
    cpu = sweep(net("fc"), DIGITS, **kwargs, seed=3)
    for name in NAMES:
        np.testing.assert_allclose(swept.history[name], cpu.history[name], rtol=1e-4, atol=1e-4)

"""Steps that are recorded and replayed, without a GPU: the recorder repeats the run, the device has no numbers."""

import gc
import os
import weakref
from contextlib import contextmanager, nullcontext, suppress
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from linreg_dyn.schedules import Cosine, Window
from validation import data, fast, members, train, trainer
from validation.batches import Augment
from validation.fast import Captured, numerics
from validation.models import build
from validation.train import Recipe, Trainer

DIGITS = data.load("digits").subset(96, 40)
OPTIMISERS = {
    "sgd": {},
    "momentum": {"optimiser": "momentum", "momentum": 0.9},
    "nesterov": {"optimiser": "nesterov", "momentum": 0.9, "sparsity": 0.3},
    "adam": {"optimiser": "adam", "epsilon": 1e-3, "decoupled": True},
}
AUGMENT = Augment(
    flip=1, crop=Window(1, start=4), mixup=Window(0.5, start=2, stop=7), noise=Window(0.1, start=6, stop=9)
)


pytestmark = pytest.mark.usefixtures("one_thread")


def net(name="resnet", **options):
    torch.manual_seed(0)
    return build(name, channels=1, side=8, classes=10, **({"width": 4} | options))


class Recorder:
    """Does what `fast.record` does, as far as anyone can see: the run is done some times, then repeated on demand."""

    def __init__(self):
        self.recorded, self.pools = 0, []

    def __call__(self, run, pool):
        self.recorded += 1
        self.pools.append(pool)
        for _ in range(fast.WARM_UP):
            output = run().clone()
        return lambda: output.copy_(run()), output, pool or f"memory {self.recorded}"


def made(recipe, recorder=None, state=None, model=None):
    out = Trainer(model or net(), DIGITS, recipe)
    if recorder:
        out._captured = Captured(out._step, state(out) if state else out._changing, recorder)
    return out


def everything(run):
    return [x.detach().clone() for x in run._changing()]


def same(a, b):
    return all(torch.equal(x, y) for x, y in zip(a, b, strict=True))


@pytest.mark.parametrize("kind", OPTIMISERS)
def test_recorded_steps_are_steps(kind):
    """Weights, statistics of batch norms, averages and powers of the optimiser: none has seen the recordings."""
    recipe = Recipe(12, 24, Cosine(0.05, steps=12), Window(0.01, stop=6), augment=AUGMENT, **OPTIMISERS[kind])
    plain, recorder = made(recipe), Recorder()
    captured = made(recipe, recorder)
    losses = [run.chunk(12) for run in (plain, captured)]
    np.testing.assert_array_equal(*(x.numpy() for x in losses))
    assert len(set(losses[0].tolist())) == 12
    assert same(everything(plain), everything(captured))
    # flips; with mixup; with crops; with noise; without mixup; without noise
    assert recorder.pools == [None, *["memory 1"] * 5]


@pytest.mark.parametrize(
    ("kind", "lacking"),
    [
        ("adam", lambda run: lambda: [*run.model.parameters(), *run.model.buffers()]),
        ("momentum", lambda run: lambda: [*run.model.parameters(), *(x for s in run.optimiser.slots for x in s)]),
    ],
)
def test_a_recording_that_forgets_a_part_of_the_state_is_seen(kind, lacking):
    recipe = Recipe(4, 24, 0.05, **OPTIMISERS[kind])
    plain, captured = made(recipe), made(recipe, Recorder(), lacking)
    plain.chunk(4)
    captured.chunk(4)
    assert not same(everything(plain), everything(captured))


def test_a_structure_is_recorded_once_and_again_when_the_weights_have_moved():
    recorder = Recorder()
    run = made(Recipe(40, 24, 0.05, 0.01), recorder)
    for _ in range(3):
        run.chunk(5)
    assert recorder.recorded == 1
    run.restore(run.state())  # in place
    run.chunk(5)
    assert recorder.recorded == 1
    first = run.parameters[0]
    first.data = first.data.clone()
    run.chunk(5)
    assert recorder.pools == [None, None]


def test_a_smaller_input_or_another_flag_is_another_structure():
    recorder, seen = Recorder(), []
    captured = Captured(lambda x, *flags: x["a"].sum() + len(flags), lambda: [], recorder)
    for size, flags in ((3, ()), (2, ()), (3, (True,)), (3, (False,)), (2, ())):
        seen.append(captured({"a": torch.ones(size)}, *flags).item())
    assert seen == [3, 2, 4, 4, 2]
    assert recorder.recorded == 4


def test_without_a_compiler_the_network_trains_as_it_is(monkeypatch):
    recipe = Recipe(5, 24, 0.05, compile=True)
    plain, run = made(recipe), made(recipe)
    monkeypatch.setattr(trainer, "record", Recorder())

    def broken(x):
        run.model(x)  # the batch norms have seen it
        raise OSError("no C compiler\nand a long story")

    run._network = broken
    run._captured = Captured(run._step, run._changing, run._record)
    with pytest.warns(UserWarning, match=r"^torch.compile failed \(OSError: no C compiler\); trained without it$"):
        losses = run.chunk(5)
    assert torch.equal(losses, plain.chunk(5))
    assert same(everything(plain), everything(run))


def test_an_error_that_is_not_the_compilers_is_raised_and_leaves_the_state(monkeypatch):
    run = made(Recipe(5, 24, 0.05))
    before = everything(run)
    monkeypatch.setattr(trainer, "record", Recorder())
    monkeypatch.setattr(run, "_loss", lambda outputs, target: 1 / 0)
    run._captured = Captured(run._step, run._changing, run._record)
    with pytest.raises(ZeroDivisionError):
        run.chunk(1)
    assert same(before, everything(run))


class Watch(TorchDispatchMode):
    """Lists operations that wait for the device, or bring numbers from the host."""

    WAITING = ("_local_scalar_dense", "nonzero", "masked_select", "equal", "lift_fresh", "is_nonzero", "_unique2")

    def __init__(self):
        super().__init__()
        self.seen = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        name, kwargs = func.overloadpacket.__name__, kwargs or {}
        by_mask = name == "index" and any(x is not None and x.dtype == torch.bool for x in args[1])
        sent = name == "_to_copy" and kwargs.get("device") is not None
        if name in self.WAITING or by_mask or sent:
            self.seen.append(name)
        return func(*args, **kwargs)


@pytest.mark.parametrize("model", ["resnet", "wide_resnet", "vgg", "fc", "unet"])
@pytest.mark.parametrize("kind", ["nesterov", "adam"])
def test_a_step_never_waits_for_the_device(model, kind, monkeypatch):
    """On the device "meta", which has no numbers to wait for, and by the operations it is made of."""
    options = {"wide_resnet": {"depth": 10, "widen": 1, "width": None}, "unet": {"levels": 2}}.get(model, {})
    options = {key: value for key, value in ({"width": 4} | options).items() if value is not None}
    torch.manual_seed(0)
    network = build(model, channels=1, side=8, classes=10, **options)
    image = model == "unet"
    augment = Augment(flip=1, crop=1, mixup=0 if image else 0.5, noise=0.1)
    loss = {"loss": "mean_square", "reconstruct": True} if image else {}
    recipe = Recipe(8, 24, 0.05, 0.01, augment=augment, **OPTIMISERS[kind], **loss)
    monkeypatch.setattr(torch, "autocast", lambda *_, **__: nullcontext())  # "meta" has none
    run = Trainer(network, DIGITS, recipe, "meta")
    assert run.chunk(8).device.type == "meta"
    inputs = run.batches.draws(0) | {"rate": run._table([0.1])[0], "l2": run._table([0.1])[0]}
    with Watch() as watch:
        run._step(inputs, True)
    assert watch.seen == []


@pytest.mark.parametrize("wait", [lambda x: x.sum().item(), lambda x: x[x > 0], lambda x: torch.tensor(1.0)])
def test_waiting_is_seen(wait):
    with Watch() as watch:
        wait(torch.ones(3))
    assert watch.seen


def test_settings_last_as_long_as_they_are_asked_for(monkeypatch):
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG", raising=False)
    gpu = torch.device("cuda")
    start = _settings()
    with numerics(torch.device("cpu"), "tf32", True):
        assert _settings() == start
    assert "CUBLAS_WORKSPACE_CONFIG" not in os.environ
    with numerics(gpu, "float32", False):
        assert os.environ["CUBLAS_WORKSPACE_CONFIG"] == ":4096:8"
    expected = {
        ("float32", False): (True, False, False, False, False),
        ("tf32", False): (True, False, True, True, False),
        ("bf16", True): (False, True, True, True, True),
        ("float32", True): (False, True, False, False, True),
    }
    for (precision, deterministic), settings in expected.items():
        with suppress(KeyError), numerics(gpu, precision, deterministic):
            with numerics(gpu, precision, deterministic):
                pass
            assert _settings() == settings
            raise KeyError
        assert _settings() == start
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG")


def test_steps_are_recorded_on_the_device_that_trains(monkeypatch):
    """The stream and the graph are those of torch's current device, which another one's kernels do not come into."""
    chosen = []

    @contextmanager
    def device(index):
        chosen.append(index)
        yield
        chosen.append("before")

    monkeypatch.setattr(torch.cuda, "device", device)
    for name in ("cuda:3", "cuda", "cpu"):
        with numerics(torch.device(name), "float32", False):
            chosen.append(name)
    assert chosen == [3, "cuda:3", "before", -1, "cuda", "before", "cpu"]


def _settings():
    values = [getattr(owner, name) for owner, name in fast.SWITCHES[:4]]
    return (*values, torch.are_deterministic_algorithms_enabled())


def test_a_graph_is_captured_after_a_warm_up_on_a_stream_aside(monkeypatch):
    """The calls of torch.cuda that are made, in their order."""
    calls = []

    class Stream:
        def __init__(self, name="aside"):
            self.name = name

        def wait_stream(self, other):
            calls.append(f"{self.name} waits for {other.name}")

    @contextmanager
    def inside(what, value=None):
        calls.append(f"in {what}")
        yield
        calls.append(f"out of {what}")

    cuda = SimpleNamespace(
        current_stream=lambda: Stream("main"),
        current_device=lambda: 0,
        stream=lambda stream: inside(stream.name),
        graph=lambda graph, pool, stream: inside(f"graph in {pool} by {stream.name}"),
        CUDAGraph=lambda: SimpleNamespace(replay=lambda: calls.append("replay"), pool=lambda: "its memory"),
    )
    monkeypatch.setattr(fast.torch, "cuda", cuda)
    monkeypatch.setattr(fast, "_aside", lambda device: Stream())

    def run():
        calls.append("run")
        return len(calls)

    replay, output, pool = fast.record(run, "memory")
    replay()
    runs = ["run"] * fast.WARM_UP
    warm = ["aside waits for main", "in aside", *runs, "out of aside", "main waits for aside"]
    assert calls == [*warm, "in graph in memory by aside", "run", "out of graph in memory by aside", "replay"]
    assert output == calls.index("in graph in memory by aside") + 2
    assert pool == "its memory"


def test_a_sweep_is_recorded_anew_when_members_leave(monkeypatch):
    kwargs = {"learning_rates": [0.05, 0.1, 0.2], "l2": [0.0, 0.01, 0.1], "steps": [10, 25, 17], "batch_size": 24}
    kwargs |= {"measure_at": [0, 10, 17, 25]}
    plain = members.sweep(net("fc", depth=2), DIGITS, **kwargs)
    recorder = Recorder()

    monkeypatch.setattr(fast, "RECORDS", ("cpu",))
    monkeypatch.setattr(fast, "record", recorder)
    captured = members.sweep(net("fc", depth=2), DIGITS, **kwargs)
    assert recorder.recorded == 3
    for name in members.NAMES:
        np.testing.assert_array_equal(captured.history[name], plain.history[name])


@pytest.mark.parametrize("kind", ["trainer", "sweep"])
def test_nothing_outlives_a_training(kind, monkeypatch):
    """Its memory on the device is free at once: no cycle waits for a collection."""
    recorder, seen = Recorder(), []
    monkeypatch.setattr(fast, "RECORDS", ("cpu",))
    monkeypatch.setattr(fast, "record", recorder)
    monkeypatch.setattr(trainer, "record", recorder)
    gc.disable()
    try:
        if kind == "trainer":
            run = Trainer(net(), DIGITS, Recipe(3, 24, 0.05, augment=AUGMENT, **OPTIMISERS["adam"]))
            fit = train.drive(
                run, follow=lambda t: t.parameters[0].detach().sum(), measure=Trainer.evaluate, measure_at=[0, 3]
            )
            assert fit.diverged is None
        else:
            run = members._Sweep(net("fc", depth=2), DIGITS, [0.1], [0.0], [3], 24, [0, 3], "mse", "float32", 0, "cpu")
            members._run(run, None, 1e9, None)
        assert recorder.recorded
        seen.extend(weakref.ref(x) for x in (run, run.batches, run.batches.x))
        del run
        assert [x() for x in seen] == [None] * 3
    finally:
        gc.enable()


@pytest.mark.parametrize("precision", ["tf32", "bf16"])
def test_members_in_another_precision(precision):
    kwargs = {"learning_rates": [0.1], "l2": [0.01], "steps": [10], "batch_size": 24, "measure_at": [10]}
    exact = members.sweep(net("fc", depth=2), DIGITS, **kwargs).history["test_loss"]
    found = members.sweep(net("fc", depth=2), DIGITS, precision=precision, **kwargs).history["test_loss"]
    np.testing.assert_allclose(found, exact, rtol=0.02)
    assert (found == exact).all() == (precision == "tf32")  # which the CPU has not
    with pytest.raises(ValueError, match="precision must be one of"):
        members.sweep(net("fc", depth=2), DIGITS, precision="half", **kwargs)

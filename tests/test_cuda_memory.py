"""What is refused before it starts on a CUDA device, and what "auto" then does; no device is needed."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

import linreg_dyn as ld
from linreg_dyn.ensemble import _cuda, _cuda_memory
from linreg_dyn.ensemble._cuda_memory import Room, of_a_thread, of_the_ensemble, reason_against
from linreg_dyn.ensemble.methods import MiniBatch
from linreg_dyn.ensemble.plan import Plan
from linreg_dyn.schedules import AutoL2, Constant

MANY = 10**7


def plan(depth=4, dtype="float64", method=None, **more):
    return Plan(depth, dtype, method or ld.GradientDescent(), Constant(0.1), Constant(0.0), **more)


def samples(number):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, number))
    x, y = x - x.mean(), y - y.mean()
    x /= np.sqrt((x * x).mean())
    return ld.NormalizedData(x, y / (x * y).mean())


def test_the_estimate_counts_what_is_kept():
    """Weights, a status and one recorded observable of each trajectory; what more there is adds what it takes."""
    base = of_the_ensemble(plan(), MANY)
    assert 0 <= base - MANY * (4 * 8 + 8 + 8) < 2 * 3 * 8 * _cuda_memory.TABLE + 100
    assert of_the_ensemble(plan(momentum=0.9), MANY) - base == 4 * 8 * MANY
    assert of_the_ensemble(plan(rates=np.ones(3)), MANY) - base == 8 * MANY
    assert of_the_ensemble(plan(auto_l2=AutoL2(0.1)), MANY) - base == 6 * 8 * MANY
    half = of_the_ensemble(plan(dtype="float32"), MANY)
    assert 4 * 4 * MANY <= base - half <= 4 * 4 * MANY + 2 * 3 * 4 * _cuda_memory.TABLE
    assert of_a_thread(plan()) == 0
    assert of_a_thread(plan(method=MiniBatch(samples(100), batch_size=3))) == 2 * 100 + 8 * 3
    assert of_a_thread(plan(method=MiniBatch(samples(40_000), batch_size=3))) == 4 * 40_000 + 8 * 3


def test_the_layers_of_deep_nets_are_counted_where_registers_do_not_hold_them():
    """As the compiler sets memory aside at depth 1024 (`test_cuda_ptx`); on 132 x 2048 threads, that is 4.4e9 bytes."""
    assert of_a_thread(plan(32, momentum=0.9)) == 0
    assert of_a_thread(plan(1024)) == 2 * 8 * 1024
    assert of_a_thread(plan(1024, "float32", momentum=0.9)) == 3 * 4 * 1024
    batches = MiniBatch(samples(100), batch_size=3)
    assert of_a_thread(plan(1024, method=batches)) == 2 * 8 * 1024 + 2 * 100 + 8 * 3
    why = reason_against(plan(1024), 10, Room(4e9, 132 * 2048)) or ""
    assert "would take 4.1" in why
    assert "16384 bytes for each of 270336 threads at once" in why
    assert "take fewer trajectories, layers, or" in why
    assert reason_against(plan(1024), 10, Room(5e9, 132 * 2048)) is None


def test_a_step_that_draws_samples_counts_for_more():
    plain, batches = plan(4), plan(4, method=MiniBatch(samples(100), batch_size=64))
    assert _cuda_memory.steps_at_once(plain, MANY) == _cuda_memory.PIECE // (4 * MANY)
    assert 4 < _cuda_memory.steps_at_once(batches, MANY) < _cuda_memory.steps_at_once(plain, MANY) / 1000


def test_what_does_not_fit_is_refused_with_the_estimate():
    need = of_the_ensemble(plan(), MANY)
    enough = need / _cuda_memory.SHARE + 1
    assert reason_against(plan(), MANY, Room(enough, 2048)) is None
    why = reason_against(plan(), MANY, Room(enough - 2**20, 2048))
    assert why is not None
    assert "\n" not in why
    assert f"would take {need / 2**30:.3g} GiB" in why
    assert f"{MANY} trajectories of depth 4" in why
    assert 'backend="cpu"' in why


def test_the_places_of_samples_count_for_every_thread_of_the_device():
    batches = plan(method=MiniBatch(samples(10_000), batch_size=10))
    need = of_the_ensemble(batches, 10) + 2048 * of_a_thread(batches)
    assert reason_against(batches, 10, Room(need / _cuda_memory.SHARE + 1, 2048)) is None
    why = reason_against(batches, 10, Room(need / 2, 2048)) or ""
    assert f"mini-batches out of 10000 samples, {2 * 10_000 + 8 * 10} bytes for each of 2048 threads" in why
    assert "take fewer trajectories, layers, samples, or" in why


def test_more_samples_than_a_thread_can_hold_are_refused_on_any_device():
    why = reason_against(plan(method=MiniBatch(samples(131_000), batch_size=8)), 10, Room(np.inf, 1))
    assert "131000 samples" in (why or "")
    assert reason_against(plan(method=MiniBatch(samples(130_000), batch_size=8)), 10, Room(np.inf, 1)) is None


def test_a_device_that_is_too_small_is_refused_or_left_alone(monkeypatch):
    monkeypatch.setattr(_cuda, "cuda_available", lambda: (True, "a device"))
    monkeypatch.setattr(_cuda, "simulated", lambda: False)
    monkeypatch.setattr(_cuda, "room", lambda: Room(2.0**20, 2048))
    starts = np.ones((_cuda.WORTHWHILE // 1000, 2))
    with pytest.raises(ValueError, match=r"would take .* GiB of the CUDA device \(16777 trajectories of depth 2\)"):
        ld.simulate(starts, ld.GradientDescent(), steps=1001, learning_rate=0.1, backend="cuda")
    assert _cuda.chosen("auto", *starts.shape, plan(2)) == "cpu"  # not enough to do
    assert _cuda.chosen("auto", len(starts), 1001, plan(2)) == "cpu"  # not enough room
    monkeypatch.setattr(_cuda, "room", lambda: Room(2.0**30, 2048))
    assert _cuda.chosen("auto", len(starts), 1001, plan(2)) == "cuda"


def test_what_waits_to_be_freed_is_free(monkeypatch):
    """numba frees in lots: before the device is asked what it has left, the lot at hand goes."""
    waiting = [3 * 2**20]
    context = SimpleNamespace(
        memory_manager=SimpleNamespace(deallocations=waiting),
        get_memory_info=lambda: SimpleNamespace(free=2**22 - sum(waiting)),
    )
    device = SimpleNamespace(MULTIPROCESSOR_COUNT=132, MAX_THREADS_PER_MULTIPROCESSOR=2048)
    cuda = SimpleNamespace(current_context=lambda: context, get_current_device=lambda: device)
    monkeypatch.setattr("linreg_dyn.ensemble._cuda_target.cuda", cuda)
    assert _cuda.room() == Room(2.0**22, 132 * 2048)
    del context.memory_manager  # another manager's
    waiting.append(2**20)
    assert _cuda.room().free == 2**22 - 2**20

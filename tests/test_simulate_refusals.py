"""Every bad argument of `simulate` and its parts is refused by name, in one line, before anything runs."""

import math
import re
import tracemalloc
from typing import Any, cast

import numpy as np
import pytest

import linreg_dyn as ld
from linreg_dyn.ensemble import discrete, memory

DATA = ld.NormalizedData([1.0, -1.0, 1.0, -1.0, 1.0, -1.0], [1.0, -1.0, 1.0, -1.0, 1.0, -1.0])
SHORT = ld.schedules.Steps((0.1, 0.05), milestones=(1,), stop=2)
GOOD = {"starts": [1.0, 2.0], "method": ld.GradientDescent(), "steps": 3, "learning_rate": 0.1}


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"starts": [1.0, math.nan]}, ValueError, "starts must be finite"),
        ({"starts": None}, TypeError, "starts must be an array of real numbers, got None"),
        (
            {"starts": np.ones(4097)},
            ValueError,
            "starts must have at most 4096 layers, got 4097 (flow takes any number)",
        ),
        ({"method": ld.GradientDescent}, TypeError, "method must be one of GradientDescent, "),
        ({"method": "gd"}, TypeError, "method must be one of"),
        ({"steps": -1}, ValueError, "steps must be an integer from 0 to 4294967295, got -1"),
        ({"steps": 2**32}, ValueError, "steps must be an integer from 0 to 4294967295"),
        ({"steps": 10.0}, TypeError, "steps must be an integer"),
        ({"steps": True}, TypeError, "steps must be an integer"),
        ({"learning_rate": 0}, ValueError, "learning_rate must be a finite number > 0, got 0"),
        ({"learning_rate": "fast"}, TypeError, "learning_rate must be a finite number > 0, got 'fast'"),
        ({"weight_decay": -0.1}, ValueError, "weight_decay must be a finite number >= 0, got -0.1"),
        ({"weight_decay": math.inf}, ValueError, "weight_decay must be a finite number >= 0"),
        ({"record": "loss"}, TypeError, "record must be a Record or None, got 'loss'"),
        ({"seed": -1}, ValueError, "seed must be an integer from 0 to 18446744073709551615"),
        ({"seed": 0.5}, TypeError, "seed must be an integer"),
        ({"backend": "tpu"}, ValueError, "backend must be one of 'auto', 'cpu', 'cuda', got 'tpu'"),
        ({"dtype": "float16"}, ValueError, "dtype must be one of 'float64', 'float32', got 'float16'"),
        ({"dtype": np.float16}, ValueError, "dtype must be one of 'float64', 'float32', got 'float16'"),
        ({"dtype": None}, ValueError, "dtype must be one of 'float64', 'float32', got None"),
        ({"learning_rate": [0.1, 0.2]}, ValueError, "learning_rate must be a number, a schedule or numbers (1,), got"),
        ({"learning_rate": [-0.1]}, ValueError, "the least of learning_rate must be a finite number > 0, got -0.1"),
        ({"learning_rate": SHORT}, ValueError, "learning_rate must last for all 3 steps, got a schedule of 2"),
        (
            {"learning_rate": -1 * ld.schedules.Exponential(0.1, factor=0.9)},
            ValueError,
            "learning_rate must have values",
        ),
        ({"weight_decay": SHORT}, ValueError, "weight_decay must last for all 3 steps, got a schedule of 2"),
        (
            {"weight_decay": ld.schedules.Adaptive(0.1)},
            ValueError,
            "weight_decay must be a number or a schedule of time",
        ),
        ({"weight_decay": [math.nan]}, ValueError, "weight_decay must be finite, got nan"),
        ({"method": ld.SGDNoise(SHORT)}, ValueError, "half_width of SGDNoise must last for all 3 steps, got a sch"),
        ({"momentum": 1.0}, ValueError, "momentum must be in [0, 1), got 1.0"),
        ({"momentum": -0.1}, ValueError, "momentum must be a finite number >= 0, got -0.1"),
        ({"nesterov": True}, ValueError, "nesterov needs a momentum > 0, got 0"),
        ({"nesterov": 1, "momentum": 0.5}, TypeError, "nesterov must be True or False, got 1"),
        ({"first_trajectory": -1}, ValueError, "first_trajectory must be an integer from 0 to"),
        ({"threads": 0}, ValueError, "threads must be an integer from 1 to 4096, got 0"),
    ],
)
def test_bad_arguments_are_refused_by_name(change, error, message, monkeypatch):
    monkeypatch.setattr(discrete, "_run", lambda *_: pytest.fail("it ran"))
    arguments = GOOD | change
    with pytest.raises(error) as caught:
        ld.simulate(arguments.pop("starts"), arguments.pop("method"), **arguments)
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (
            lambda: ld.NoiseAugmentation(-0.1),
            ValueError,
            "half_width of NoiseAugmentation must be a finite number >= 0",
        ),
        (lambda: ld.NoiseAugmentation(1.1), ValueError, r"half_width of NoiseAugmentation must be in \[0, 1"),
        (lambda: ld.NoiseAugmentation(0.1, "normal"), ValueError, "distribution must be one of 'uniform', "),
        (lambda: ld.SGDNoise(math.nan), ValueError, "half_width of SGDNoise must be a finite number >= 0, got nan"),
        (lambda: ld.SGDNoise(0.1, cast(Any, 3)), ValueError, "distribution must be one of"),
        (
            lambda: ld.SGDNoise(-1 * ld.schedules.Constant(1.0)),
            ValueError,
            "half_width of SGDNoise must have values >= 0",
        ),
        (
            lambda: ld.NoiseAugmentation(ld.schedules.Constant(1.5)),
            ValueError,
            "half_width of NoiseAugmentation must h",
        ),
        (
            lambda: ld.SGDNoise(ld.schedules.Adaptive(0.1)),
            ValueError,
            "half_width of SGDNoise must be a number or a sch",
        ),
        (lambda: ld.TruncatedGaussian(0), ValueError, "sigmas of TruncatedGaussian must be a finite number > 0"),
        (lambda: ld.TruncatedGaussian(9), ValueError, "sigmas of TruncatedGaussian must be at most 5, got 9"),
        (lambda: ld.Table((0.5, 1.5)), ValueError, "values of Table must be 1 to"),
        (lambda: ld.Table(()), ValueError, "values of Table must be 1 to"),
        (lambda: ld.Quantiles((0.5, 0.1)), ValueError, "levels of Quantiles must ascend"),
        (lambda: ld.Quantiles((0.5, 1.1)), ValueError, "levels of Quantiles must ascend"),
        (lambda: ld.Histogram((1.0,)), ValueError, "edges of Histogram must be two or more"),
        (lambda: ld.Record(reduce=()), ValueError, "reduce must be one or more different reductions"),
        (lambda: ld.Record(reduce=("mean", "mean")), ValueError, "reduce must be one or more different reductions"),
        (lambda: ld.MiniBatch(DATA, 0), ValueError, "batch_size must be an integer from 1 to 6, got 0"),
        (lambda: ld.MiniBatch(DATA, 7), ValueError, "batch_size must be an integer from 1 to 6, got 7"),
        (lambda: ld.MiniBatch(DATA, cast(Any, 2.0)), TypeError, "batch_size must be an integer"),
        (lambda: ld.MiniBatch(cast(Any, "x"), 2), TypeError, "data must be what linreg_dyn.normalize ret"),
        (lambda: ld.Record(every=0), ValueError, "every must be an integer from 1"),
        (lambda: ld.Record(observables=("losss",)), ValueError, "observables must be one of 'loss'"),
        (lambda: ld.Record(observables=()), ValueError, "observables must be one or more different names"),
        (lambda: ld.Record(observables=("loss", "loss")), ValueError, "observables must be one or more diff"),
        (lambda: ld.Record(reduce="median"), ValueError, "reduce must be one of 'mean', .*, Quantiles"),
    ],
)
def test_bad_parts_are_refused_by_name(make, error, message):
    with pytest.raises(error, match=f"^{message}"):
        make()


def test_what_does_not_fit_in_memory_is_refused_before_it_runs(monkeypatch):
    monkeypatch.setattr(discrete, "_run", lambda *_: pytest.fail("it ran"))
    monkeypatch.setattr(memory, "available_memory", lambda: 2.0**30)
    run = {"steps": 2**32 - 1, "learning_rate": 0.1}
    with pytest.raises(ValueError, match=r"would take 64 GiB .* 0\.8 GiB may be used; take fewer"):
        ld.simulate([1.0, 2.0], ld.GradientDescent(), record=ld.Record(), **run)
    with pytest.raises(ValueError, match="may be used; take fewer trajectories"):
        ld.simulate(np.broadcast_to(1.0, (2**23, 8)), ld.GradientDescent(), **run)


def test_available_memory_is_a_plausible_number_of_bytes():
    assert 2.0**20 < memory.available_memory() <= math.inf


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"starts": [1e39, 1.0]}, "starts"),
        ({"starts": [-1e300, 1.0]}, "starts"),
        ({"learning_rate": 1e39}, "learning_rate"),
        ({"learning_rate": [1e39]}, "learning_rate"),
        ({"learning_rate": ld.schedules.Exponential(1e39, factor=0.5, every=2)}, "learning_rate"),
        ({"weight_decay": 1e39}, "weight_decay"),
        ({"method": ld.SGDNoise(1e39)}, "half_width of SGDNoise"),
    ],
)
def test_what_float32_cannot_hold_is_refused_and_float64_takes_it(change, name):
    run = {"starts": [1.0, 1.0], "method": ld.GradientDescent(), "learning_rate": 0.1, "steps": 1} | change
    with pytest.raises(ValueError, match=f"^{name} must be at most 3.4028235e\\+38 in float32, got 1e") as caught:
        ld.simulate(**run, dtype="float32")
    assert "\n" not in str(caught.value)
    assert ld.simulate(**run).status.size == 1


@pytest.mark.parametrize(("dtype", "large"), [("float64", 1e300), ("float32", 1e38)])
def test_the_largest_starts_diverge_or_stall_and_stay_as_they_are(dtype, large):
    """W overflows before the first step; or, beside a zero, after it; the adaptive rate there is 0."""
    initial = np.array([[large, large], [large, 0.0], [1.0, 1.0]])
    run = {"steps": 3, "dtype": dtype, "record": ld.Record(1, ("end_to_end",), "max")}
    for momentum in (0.0, 0.5):
        ds = ld.simulate(initial, ld.GradientDescent(), learning_rate=0.1, momentum=momentum, **run)
        assert ds.status.values.tolist() == [1, 1, 0]
        assert ds.diverged_step.values.tolist() == [0, 1, -1]
        assert ds.held.values.tolist() == [2, 1, 1, 1]
        assert ds.end_to_end.values.tolist() == [1, 1, 1, 1]
        np.testing.assert_array_equal(ds.final_weights, initial.astype(dtype))
    ds = ld.simulate(initial, ld.GradientDescent(), learning_rate=ld.schedules.Adaptive(0.1), **run)
    assert ds.status.values.tolist() == [1, 2, 0]
    np.testing.assert_array_equal(ds.final_weights, initial.astype(dtype))


@pytest.mark.parametrize("depth", [1, 4])
@pytest.mark.parametrize(
    "change",
    [
        {},
        {"momentum": 0.9},
        {"weight_decay": np.full(40_000, 0.1)},
        {"weight_decay": ld.schedules.AutoL2(0.1, every=2)},
        {"record": ld.Record(1, ("weights", "loss"))},
        {"record": ld.Record(1, ("weights",), ld.Quantiles())},
    ],
)
def test_the_estimate_of_memory_is_no_less_than_what_a_run_takes(change, depth, monkeypatch):
    run = {"steps": 4, "learning_rate": 0.01, "backend": "cpu", "threads": 1} | change
    starts = np.random.default_rng(0).uniform(0.5, 1.5, (40_000, depth))
    ld.simulate(starts, ld.GradientDescent(), **run)  # compiles
    tracemalloc.start()
    ld.simulate(starts, ld.GradientDescent(), **run)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    monkeypatch.setattr(memory, "available_memory", lambda: 0.0)
    with pytest.raises(ValueError, match="this run would take") as caught:
        ld.simulate(starts, ld.GradientDescent(), **run)
    found = re.search(r"take (\S+) GiB", str(caught.value))
    assert found
    estimate = float(found[1]) * 2**30
    slack = 2**18  # what does not grow with the trajectories
    assert peak <= 1.01 * estimate + slack  # the estimate is printed to three digits
    assert estimate <= 2 * peak + slack  # and refuses nothing that would fit easily

"""The CUDA engine against the CPU engine, bit for bit: on a device, or in a process with numba's simulator.

Both compute what is written, with fused multiply-adds where it says `fused` and nowhere else, so that there is
nothing to allow for.
"""

import numpy as np
import pytest

import linreg_dyn as ld
from linreg_dyn import noise
from linreg_dyn.ensemble import methods
from linreg_dyn.ensemble._cpu import CpuEngine
from linreg_dyn.ensemble._cuda import CudaEngine
from linreg_dyn.ensemble.plan import NEVER, OVERFLOW, Plan
from linreg_dyn.schedules import Adaptive, AutoL2, Constant, Cosine, Exponential, Schedule, Steps
from tests.cuda_device import THREADS, TRAJECTORIES, as_a_device, marks  # noqa: F401  # a fixture

pytestmark = marks
SEED = 2**40 + 12345  # both words of the key matter
ORIGIN = 2**33 + 7  # and both words of the trajectory


def data(samples=7):
    rng = np.random.default_rng(5)
    x, y = rng.normal(size=(2, samples))
    x, y = x - x.mean(), y - y.mean()
    x /= np.sqrt((x * x).mean())
    return ld.NormalizedData(x, y / (x * y).mean())


def starts(depth, dtype="float64", trajectories=TRAJECTORIES):
    rng = np.random.default_rng(depth)
    signs = rng.choice([-1, 1], (trajectories, 1))
    return (rng.uniform(0.7, 1.3, (trajectories, depth)) * signs).astype(dtype)


def plan(depth=3, dtype="float64", method=None, lr=0.02, decay=0.0, **more):
    lr, decay = (x if isinstance(x, Schedule) else Constant(x) for x in (lr, decay))
    method = method or methods.GradientDescent()
    return Plan(depth, dtype, method, lr, decay, seed=SEED, first_trajectory=ORIGIN, **more)


def run(engine, plan, weights, *stops, **options):
    """Weights, velocities and diverged steps after the last stop."""
    with engine(plan, weights, threads=THREADS if engine is CudaEngine else 1) as ensemble:
        for start, stop in zip((0, *stops[:-1]), stops, strict=True):
            ensemble.advance(start, stop)
        return *ensemble.fetch(), ensemble.diverged_step.copy()


def assert_bitwise(got, expected):
    for ours, theirs in zip(got, expected, strict=True):
        if theirs is None:
            assert ours is None
        else:
            assert ours.dtype == theirs.dtype
            np.testing.assert_array_equal(ours, theirs)


PLANS = {
    "gradient descent": {},
    "one layer": {"depth": 1},
    "two layers": {"depth": 2},
    "deep": {"depth": 9},
    "float32": {"depth": 4, "dtype": "float32"},
    "weight decay": {"decay": 0.05},
    "adaptive": {"lr": Adaptive(0.25)},
    "adaptive with decay, float32": {"lr": Adaptive(0.25), "decay": 0.05, "dtype": "float32"},
    "schedules": {"lr": Cosine(0.05, steps=30), "decay": Exponential(0.1, factor=0.9)},
    "own rates": {
        "rates": np.linspace(0.1, 1.5, TRAJECTORIES),
        "decays": np.linspace(0, 1, TRAJECTORIES),
        "decay": 0.1,
    },
    "augmentation": {"method": methods.NoiseAugmentation(half_width=0.5)},
    "rademacher, float32": {"method": methods.NoiseAugmentation(0.9, "rademacher"), "dtype": "float32"},
    "sgd noise that dies out": {"method": methods.SGDNoise(Steps((0.5, 0.1), milestones=(5,)))},
    "truncated Gaussian": {"method": methods.SGDNoise(0.4, methods.TruncatedGaussian(2.0))},
    "own table": {"method": methods.SGDNoise(0.4, methods.Table((-1.0, 0.25, 0.75)))},
    "mini-batches": {"method": methods.MiniBatch(data(), batch_size=3)},
    "momentum": {"momentum": 0.9, "decay": 0.05},
    "Nesterov, float32": {"momentum": 0.9, "nesterov": True, "dtype": "float32", "depth": 4},
    "adaptive with momentum and noise": {
        "momentum": 0.5,
        "lr": Adaptive(0.1),
        "method": methods.NoiseAugmentation(half_width=0.3),
    },
}


@pytest.mark.parametrize("name", PLANS)
def test_every_kind_of_step_is_bitwise_that_of_the_cpu(name):
    what = plan(**PLANS[name])
    weights = starts(what.depth, what.dtype)
    assert_bitwise(run(CudaEngine, what, weights, 11), run(CpuEngine, what, weights, 11))


def test_another_rate_gives_other_bits():
    weights = starts(3)
    ours, theirs = (
        run(CudaEngine, plan(lr=0.02), weights, 5),
        run(CpuEngine, plan(lr=np.nextafter(0.02, 1)), weights, 5),
    )
    assert (ours[0] != theirs[0]).any()


def test_the_integers_are_those_of_philox():
    """Uniform amplitudes of one step, got back from the weights, are the words of the plain function."""
    what = plan(1, method=methods.SGDNoise(half_width=1.0), lr=0.5)
    weights = np.ones((TRAJECTORIES, 1))  # w <- w - (w - 1 + eta) = w - (0 + eta), exactly 1 - eta if it is a number
    moved = run(CudaEngine, what, weights, 1)[0][:, 0]
    for t in range(min(TRAJECTORIES, 20)):
        block = noise.philox(*noise.amplitude_counter(ORIGIN + t, 0), SEED & noise.MASK, SEED >> 32)
        assert 1 - moved[t] == noise.uniform(block[0], None)


@pytest.mark.parametrize("name", ["augmentation", "mini-batches", "momentum", "schedules"])
def test_pieces_and_blocks_change_no_bit(name, monkeypatch):
    what = plan(**PLANS[name])
    weights = starts(what.depth)
    whole = run(CudaEngine, what, weights, 13)
    assert_bitwise(run(CudaEngine, what, weights, 13), whole)
    assert_bitwise(run(CudaEngine, what, weights, 1, 2, 7, 13), whole)
    monkeypatch.setattr("linreg_dyn.ensemble._cuda_memory.TABLE", 5)
    assert_bitwise(run(CudaEngine, what, weights, 13), whole)
    with CudaEngine(what, weights, threads=2 * THREADS) as ensemble:
        ensemble.advance(0, 13)
        assert_bitwise((*ensemble.fetch(), ensemble.diverged_step), whole)


def test_a_run_goes_on_from_what_was_fetched():
    what = plan(momentum=0.9, method=methods.SGDNoise(0.3))
    weights = starts(3)
    whole = run(CudaEngine, what, weights, 9)
    middle = run(CudaEngine, what, weights, 6)
    with CudaEngine(what, *middle, threads=THREADS) as ensemble:
        ensemble.advance(6, 9)
        assert_bitwise((*ensemble.fetch(), ensemble.diverged_step), whole)
    assert (middle[0] != whole[0]).any()


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_divergence_is_noted_at_its_step_and_the_weights_before_it_are_kept(dtype):
    """Trajectories that diverge at different steps, at once, or never; and one that is no number."""
    weights = starts(3, dtype)
    weights[0], weights[1], weights[2], weights[3] = 30, 3, 1e15 if dtype == "float32" else 1e70, np.nan
    what = plan(dtype=dtype, lr=0.1, momentum=0.0)
    ours, theirs = run(CudaEngine, what, weights, 3, 8), run(CpuEngine, what, weights, 3, 8)
    assert_bitwise(ours, theirs)
    steps = ours[2]
    assert steps[2] == steps[3] == 0
    assert 0 < steps[0] < steps[1]
    assert steps[-1] == NEVER
    assert np.isfinite(ours[0][[0, 1, 2, 4, 5]]).all()


def test_a_weight_at_the_limit_itself_has_not_diverged():
    """The quick test of many steps is not sure of it; the slow one is."""
    weights = np.full((TRAJECTORIES, 1), OVERFLOW["float64"])
    weights[1], weights[2] = -weights[1], np.nextafter(weights[1], np.inf)
    what = plan(1, lr=2.0**-260)  # moves nothing
    ours = run(CudaEngine, what, weights, 4, 9)
    assert_bitwise(ours, run(CpuEngine, what, weights, 4, 9))
    assert ours[2].tolist() == [0 if t == 2 else NEVER for t in range(TRAJECTORIES)]


def test_measurements():
    """Values are those of the CPU; moments hold who has not diverged, and are exact but for their last digits."""
    what, names = plan(lr=0.1), ("loss", "layer_imbalance", "minimum_sharpness")
    weights = starts(3, trajectories=3 * THREADS * 2 + 1)
    weights[1], weights[2] = 40, 50
    with CudaEngine(what, weights, threads=THREADS) as ours, CpuEngine(what, weights) as theirs:
        for engine in (ours, theirs):
            engine.advance(0, 5, reduced=names, kept=(*names, "weights"))
        for name in (*names, "weights"):
            np.testing.assert_array_equal(ours.values[name], theirs.values[name])
        held = ours.diverged_step == NEVER
        assert 0 < held.sum() < len(weights)
        for name, moments in ours.moments.items():
            values = theirs.values[name][held]
            assert moments.number == held.sum()
            assert (moments.min, moments.max) == (values.min(), values.max())
            # A tree of n numbers rounds log2 n times; a mean and a square root of squares by a few more.
            assert moments.mean == pytest.approx(values.mean(), rel=1e-14)
            assert moments.variance == pytest.approx(values.var(), rel=1e-13)
        again = ours.moments
        assert again.keys() == set(names)
        ours.measure(reduced=names)
        assert ours.moments == again


def dirty(monkeypatch):
    """Whatever is allocated from here on holds NaN, as memory may that was used before."""
    from linreg_dyn.ensemble._cuda_target import cuda

    clean = cuda.device_array

    def used(shape, dtype):
        array = clean(shape, dtype)
        array.copy_to_device(np.full(shape, np.nan, dtype))
        return array

    monkeypatch.setattr(cuda, "device_array", used)


def test_a_block_of_which_nobody_is_left_counts_for_nothing(monkeypatch):
    dirty(monkeypatch)
    weights = starts(3, trajectories=3 * THREADS)
    weights[THREADS : 2 * THREADS] = 1e80
    with CudaEngine(plan(), weights, threads=THREADS) as engine:
        engine.advance(0, 2, reduced=("loss",), kept=("loss",))
        held = np.delete(engine.values["loss"], np.s_[THREADS : 2 * THREADS])
        found = engine.moments["loss"]
    assert (found.number, found.min, found.max) == (len(held), held.min(), held.max())
    assert found.mean == pytest.approx(held.mean(), rel=1e-14)  # as above
    assert found.variance == pytest.approx(held.var(), rel=1e-13)


def test_moments_alone_copy_nothing_of_single_trajectories(monkeypatch):
    copied = []
    with CudaEngine(plan(momentum=0.9), starts(3), threads=THREADS) as engine:
        copies = type(engine._weights).copy_to_host
        monkeypatch.setattr(type(engine._weights), "copy_to_host", lambda a: copied.append(a.shape) or copies(a))
        for record, shapes in (
            (ld.Record(1, ("loss",), "mean"), []),
            (ld.Record(1, ("weights",), "mean"), [(3, TRAJECTORIES), (TRAJECTORIES,)]),
        ):
            copied.clear()
            (seen,) = engine.records(0, [1], record)
            assert [shape for shape in copied if TRAJECTORIES in shape] == shapes
            assert (seen.diverged is None) == (not shapes)


def test_the_host_waits_between_pieces_so_that_it_can_be_interrupted(monkeypatch):
    """After as many steps as a launch may take, whatever they are interrupted by; not after the last."""
    waited = []
    auto = AutoL2(0.2, every=2, refractory=0.1)
    monkeypatch.setattr("linreg_dyn.ensemble._cuda_memory.TABLE", 5)
    for what, times in (
        (plan(), 2),
        (plan(lr=0.1, decay=1.0, decays=np.full(TRAJECTORIES, 0.1), auto_l2=auto), 2),
    ):
        with CudaEngine(what, starts(3), threads=THREADS) as engine:
            monkeypatch.setattr(engine._cuda, "synchronize", lambda: waited.append(1))
            engine.advance(0, 5)
            assert not waited
            engine.advance(5, 20)
            assert len(waited) == times
        waited.clear()


def test_nobody_left():
    with CudaEngine(plan(), np.full((5, 3), 1e80), threads=THREADS) as engine:
        engine.advance(0, 2, reduced=("loss",))
        assert engine.moments["loss"].number == 0


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_auto_l2_decays_each_trajectory_when_its_loss_has_grown(dtype):
    auto = AutoL2(0.2, factor=2.0, every=3, refractory=0.1)
    decays = np.full(TRAJECTORIES, auto.weight_decay(auto.l2))
    what = plan(dtype=dtype, lr=0.1, decay=1.0, method=methods.SGDNoise(0.8), decays=decays, auto_l2=auto)
    weights = starts(3, dtype)
    ours = run(CudaEngine, what, weights, 20)
    assert_bitwise(ours, run(CpuEngine, what, weights, 20))
    without = plan(dtype=dtype, lr=0.1, decay=1.0, method=methods.SGDNoise(0.8), decays=decays)
    assert (run(CudaEngine, without, weights, 20)[0] != ours[0]).any()

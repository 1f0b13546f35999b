"""`backend="cuda"` through the package's own doors: what a user gets is what the CPU gives, bit for bit.

Reductions alone are made in another order; what that may change is derived below.
"""

import numpy as np
import pytest
import xarray as xr

import linreg_dyn as ld
from linreg_dyn.cli import main
from linreg_dyn.ensemble import _cuda
from linreg_dyn.ensemble.record import OBSERVABLES
from linreg_dyn.phase import Plane, start_map
from linreg_dyn.schedules import Adaptive, AutoL2, Cosine, Window
from tests import sweeps
from tests.cuda_device import TRAJECTORIES, as_a_device, marks  # noqa: F401  # a fixture
from tests.test_cuda import SEED, data, starts

pytestmark = marks
STEPS = 11
EPS = np.finfo(float).eps
L2 = AutoL2(0.2, factor=2.0, every=2, refractory=0.1)
GAUSSIAN, OWN = ld.TruncatedGaussian(2.0), ld.Table((-1.0, 0.25, 0.75))
RUNS = {
    "descent": (ld.GradientDescent(), {}),
    "decay of float32": (ld.GradientDescent(), {"weight_decay": 0.05, "dtype": "float32"}),
    "adaptive rate": (ld.GradientDescent(), {"learning_rate": Adaptive(0.25)}),
    "schedules": (ld.GradientDescent(), {"learning_rate": Cosine(0.05, steps=30), "weight_decay": Window(0.1, stop=5)}),
    "own rates and decays": (
        ld.GradientDescent(),
        {"learning_rate": np.linspace(0.01, 0.1, TRAJECTORIES), "weight_decay": np.linspace(0, 0.2, TRAJECTORIES)},
    ),
    "augmentation": (ld.NoiseAugmentation(0.5), {}),
    "Rademacher, of float32": (ld.NoiseAugmentation(0.9, "rademacher"), {"dtype": "float32"}),
    "Gaussian noise": (ld.SGDNoise(0.4, GAUSSIAN), {"first_trajectory": 2**32 - 3}),
    "noise of a table": (ld.SGDNoise(0.4, OWN), {"momentum": 0.9}),
    "mini-batches": (ld.MiniBatch(data(), 3), {}),
    "momentum": (ld.GradientDescent(), {"momentum": 0.9, "weight_decay": 0.05}),
    "Nesterov, of float32": (ld.SGDNoise(0.2), {"momentum": 0.9, "nesterov": True, "dtype": "float32"}),
    "AutoL2": (
        ld.SGDNoise(0.8),
        {"learning_rate": 0.1, "weight_decay": L2},
    ),
    "AutoL2 of float32, with momentum": (
        ld.SGDNoise(0.8),
        {"learning_rate": 0.1, "weight_decay": L2, "momentum": 0.5, "dtype": "float32"},
    ),
}
EVERYTHING = ld.Record(4, tuple(OBSERVABLES))


def simulate(name, backend, weights=None, steps=STEPS, **more):
    method, options = RUNS[name]
    arguments = {"learning_rate": 0.05, "seed": SEED, "threads": 1, **options, **more}
    return ld.simulate(starts(3) if weights is None else weights, method, steps=steps, backend=backend, **arguments)


def both(name, **more):
    """On the device and on the CPU, and that they say so."""
    ours, theirs = (simulate(name, backend, **more) for backend in ("cuda", "cpu"))
    assert (ours.attrs.pop("backend"), theirs.attrs.pop("backend")) == ("cuda", "cpu")
    assert ours.attrs.pop("device") == _cuda.cuda_available()[1]
    return ours, theirs


@pytest.mark.parametrize("name", RUNS)
def test_a_run_with_every_record_is_that_of_the_cpu(name):
    ours, theirs = both(name, record=EVERYTHING)
    xr.testing.assert_identical(ours, theirs)
    assert (ours.final_weights != ours.weights[0]).any(dim="layer").all()


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_the_adaptive_rate_of_small_weights_is_exact_there_too(momentum):
    weights = starts(3)
    weights[::2] *= 1e-13  # (W/w)^2 is below `rates.LOW`
    ours, theirs = both("adaptive rate", weights=weights, weight_decay=1e24, momentum=momentum)
    xr.testing.assert_identical(ours, theirs)
    assert (abs(ours.final_weights / weights - 1)[::2] > 1e-3).all()


@pytest.mark.parametrize("name", ["noise of a table", "AutoL2", "AutoL2 of float32, with momentum", "mini-batches"])
def test_a_resumed_run_is_the_uninterrupted_one(name):
    """From a step that is no multiple of anything, twice; with statuses of the part that is over."""
    weights = starts(3)
    weights[1] = 40
    run = {"weights": weights, "record": ld.Record(4, ("loss", "weights"), ("mean", "max"))}
    whole, part = simulate(name, "cuda", **run), simulate(name, "cuda", steps=3, **run)
    for steps in (7, STEPS):
        assert not part.final_weights.equals(whole.final_weights)
        assert steps == 7 or "AutoL2" not in name or len(np.unique(part.auto_l2_state[0])) > 1
        part = simulate(name, "cuda", steps=steps, resume=part, **run)
    xr.testing.assert_identical(part, whole)
    assert part.diverged_step[1] >= 0
    with pytest.raises(ValueError, match="resume must be of the same backend: it was cuda, is cpu"):
        simulate(name, "cpu", steps=STEPS, resume=part, **run)


def test_who_diverges_or_stalls_is_the_same():
    weights = starts(3)
    weights[0], weights[1], weights[2], weights[3, 0] = 30, 3, 1e70, 0.0
    for name, rate in (("descent", 0.1), ("momentum", 0.1), ("adaptive rate", Adaptive(0.25))):
        ours, theirs = both(name, weights=weights, learning_rate=rate, record=EVERYTHING)
        xr.testing.assert_identical(ours, theirs)
        assert 1 in ours.status
        assert (name == "adaptive rate") == (2 in ours.status)


def test_reductions_hold_the_same_and_differ_by_the_order_of_sums():
    """A sum of n numbers rounds less than n times, by eps/2 of what is summed at most; and so do means.

    Of a variance the distances from the mean round by eps/2 of the numbers themselves, whose squares have the mean
    `variance + mean^2`: the sum of squares is off by 2 eps sqrt(variance (variance + mean^2)) from that, and by n
    roundings of its own. Twice all that for two such results.
    """
    levels, edges = ld.Quantiles((0.1, 0.5)), ld.Histogram((0.01, 0.1, 1.0))
    names, weights = ("loss", "layer_imbalance", "end_to_end"), starts(3)
    weights[1] = 40
    for reduce in (("mean", "variance", "min", "max"), ("mean", "max", levels, edges)):
        record = ld.Record(6, names if levels in reduce else (*names, "weights"), reduce)
        ours, theirs = both("augmentation", weights=weights, learning_rate=0.1, record=record)
        rounded = {name for name in ours if str(name).endswith(("_mean", "_variance"))}
        xr.testing.assert_identical(ours.drop_vars(rounded), theirs.drop_vars(rounded))
        assert 0 < ours.held[-1] < TRAJECTORIES
        kept = both("augmentation", weights=weights, learning_rate=0.1, record=ld.Record(6, record.observables))[1]
        for name in rounded:
            values = kept[str(name).rpartition("_")[0]]
            sizes, square, n = abs(values).mean("trajectory"), (values**2).mean("trajectory"), len(weights)
            allowed = n * EPS * sizes
            if str(name).endswith("variance"):
                variance = values.var("trajectory")
                allowed = n * EPS * variance + 2 * EPS * np.sqrt(variance * square) + (n * EPS * sizes) ** 2
            assert (abs(ours[name] - theirs[name]) <= 2 * allowed).all(), name


def test_auto_takes_the_device_for_enough_work_and_says_so(monkeypatch):
    monkeypatch.setattr(_cuda, "simulated", lambda: False)
    monkeypatch.setattr(_cuda, "WORTHWHILE", TRAJECTORIES * STEPS)
    ours = simulate("descent", "auto")
    assert ours.attrs["backend"] == "cuda"
    xr.testing.assert_identical(ours, simulate("descent", "cuda"))
    assert simulate("descent", "auto", steps=STEPS - 1).attrs["backend"] == "cpu"


def test_the_command_line_runs_there(houses, tmp_path):
    pytest.importorskip("h5netcdf")  # with which it writes; a machine with a GPU may have only what kernels need
    given = ["--x", "area", "--y", "price", "--method", "noise", "--noise", "0.3", "--lr", "adaptive:0.25"]
    given += ["--steps", "9", "--starts", "5", "--every", "3", "--threads", "1", "--data", str(houses)]
    for backend in ("cuda", "cpu"):
        assert main(["simulate", *given, "--backend", backend, "--out", str(tmp_path / backend)]) == 0
    files = {backend: next((tmp_path / backend).glob("*.nc")) for backend in ("cuda", "cpu")}
    ours, theirs = (xr.load_dataset(path, engine="h5netcdf") for path in files.values())
    assert (ours.attrs["backend"], theirs.attrs["backend"]) == ("cuda", "cpu")
    xr.testing.assert_equal(ours, theirs)


def test_a_sweep_runs_there(tmp_path):
    """Whole ensembles of kept weights, statuses and a reduction that has no order."""
    pytest.importorskip("zarr")
    pytest.importorskip("distributed")
    document = sweeps.text(steps=6).replace('reduce = ["mean"]', 'reduce = ["max"]').replace("= 512", "= 9")
    document = document.replace("every = 100", "every = 4").replace("seed = [1, 2]", "seed = [1]")
    stores = {}
    for backend in ("cuda", "cpu"):
        stores[backend] = sweeps.undisturbed(
            document.replace("[run]", f'[run]\nbackend = "{backend}"'), tmp_path / backend
        )
    assert stores["cuda"] == stores["cpu"]


def test_a_map_of_phase_runs_there():
    plane, size = Plane(3, (1, 2), (-1.5, 1.5, -1.5, 1.5)), (4, 3)
    run = {"steps": 15, "learning_rate": 0.2, "observable": "loss", "threads": 1}
    ours, theirs = (
        start_map(plane, size, ld.NoiseAugmentation(0.3), backend=backend, **run) for backend in ("cuda", "cpu")
    )
    assert (ours.attrs["backend"], theirs.attrs["backend"]) == ("cuda", "cpu")
    xr.testing.assert_equal(ours, theirs)
    assert len(np.unique(ours.outcome)) > 1

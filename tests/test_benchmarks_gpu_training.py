"""The benchmark of training on a GPU, on the CPU at toy size: its counts, its aims, what it keeps, when it stops."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from tests.benchmarks import gpu_training as bench
from tests.benchmarks.cases import Unavailable

ROOT = Path(__file__).parents[1]
TOY = bench.Sizes(images=64, seconds=0.0, rounds=2, matrix=64, members=3, width=4, sweep_batch=16, sweep_steps=40)
SMALL = (
    bench.Net("ResNet-18", "resnet", {"width": 2}, batch=16, aim=0.35),
    bench.Net("WRN-28-10", "wide_resnet", {"depth": 10, "widen": 1}, batch=8, aim=0.45),
    bench.Net("VGG-16", "vgg", {"width": 2, "depth": 11}, batch=16),
)


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Little networks and one thread."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    monkeypatch.setattr(bench, "NETS", SMALL)
    yield
    torch.set_num_threads(before)


def test_a_missing_gpu_is_said_in_one_line(monkeypatch, capsys):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert bench.main([]) == 2
    assert capsys.readouterr().out == "benchmarks: no GPU to be used: torch sees no CUDA device\n"


def test_it_needs_no_library_but_those_of_arrays_and_networks():
    """A GPU is often met on a machine that has torch and little else."""
    code = (
        "import sys\n"
        "class Missing:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.split('.')[0] in {'flint', 'h5netcdf', 'zarr', 'heyoka', 'jax', 'latex2mathml', 'pooch'}:\n"
        "            raise ModuleNotFoundError(f'No module named {name!r}', name=name)\n"
        "sys.meta_path.insert(0, Missing())\n"
        "from tests.benchmarks import gpu_training as bench\n"
        "sizes = bench.Sizes(16, 0.0, 1, 16, members=2, width=2, sweep_batch=4, sweep_steps=2)\n"
        "net = bench.Net('small', 'resnet', {'width': 2}, batch=8)\n"
        "row = bench.training(net, 'ours', bench.dataset(16), 'cpu', sizes, 1.0)\n"
        "print(row['images_per_s'] > 0, bench.sweeping('cpu', sizes)['members'])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.stdout, done.returncode) == ("True 2\n", 0), done.stderr


def test_every_part_runs_and_is_judged(tmp_path, capsys):
    target = tmp_path / "out.json"
    assert bench.main(["--device", "cpu", "--minutes", "60", "--json", str(target)], TOY) == 0
    content = json.loads(target.read_text())
    rows = content["rows"]
    assert [row["what"] for row in rows] == ["bf16 matrix peak"] + ["training"] * 6 + ["sweep"] + ["training"] * 3
    trained = [row for row in rows if row["what"] == "training"]
    assert not [row for row in rows if "not available" in row or "refused" in row]
    assert all(row["slowest"] <= row["images_per_s"] <= row["fastest"] for row in trained)
    most = rows[0]["flops_per_s"]
    for row in trained:
        assert row["fraction_of_peak"] == pytest.approx(row["images_per_s"] * row["flops_per_image"] / most)
        assert not row["compiled"]  # on a GPU alone
    swept = rows[7]
    assert swept["times_one_after_another"] == pytest.approx(3 * swept["step_of_one_s"] / swept["step_of_all_s"])
    assert len(content["aims"]) == 6
    assert all(verdict["met"] is not None for verdict in content["aims"])
    assert "ResNet-18: times the plain loop" in capsys.readouterr().out


def test_aims_are_judged_by_what_was_measured():
    def row(contender, speed, share, net="ResNet-18"):
        return {
            "what": "training",
            "net": net,
            "contender": contender,
            "images_per_s": speed,
            "fraction_of_peak": share,
        }

    rows = [row("ours", 100.0, 0.3), row("plain", 40.0, 0.1), row("ours, compiled", 130.0, 0.4)]
    rows += [row("ours", 100.0, 0.44, "WRN-28-10"), {"what": "training", "net": "VGG-16", "contender": "ours"}]
    found = {verdict.aim: (verdict.worst, verdict.met) for verdict in bench.judge(rows)}
    assert found == {
        "ResNet-18: of the bf16 matrix peak": (0.4, True),
        "ResNet-18: times the plain loop": (3.25, True),
        "WRN-28-10: of the bf16 matrix peak": (0.44, False),
        "WRN-28-10: times the plain loop": (None, None),
        "VGG-16: times the plain loop": (None, None),
        "a sweep: times one after another": (None, None),
    }
    swept = bench.judge([{"what": "sweep", "times_one_after_another": 19.0, "members": 8}])[-1]
    assert (swept.worst, swept.met, swept.where) == (19.0, False, "8 members")


def test_nothing_begins_when_too_little_time_is_left(tmp_path):
    target = tmp_path / "out.json"
    assert bench.main(["--device", "cpu", "--minutes", "0", "--json", str(target)], TOY) == 0
    rows = json.loads(target.read_text())["rows"]
    assert len(rows) == 11
    assert {row["not available"] for row in rows} == {"no time was left for it"}


def test_a_part_that_fails_takes_nothing_with_it_and_a_wrong_one_is_told(monkeypatch, tmp_path):
    def broken(*_):
        raise MemoryError("the device is full")

    def wrong(net, data, device):
        return lambda steps: torch.full((steps,), torch.nan)

    monkeypatch.setattr(bench, "NETS", SMALL[:1])
    monkeypatch.setattr(bench, "CONTENDERS", bench.CONTENDERS | {"ours": broken, "plain": wrong})
    monkeypatch.setattr(bench, "peak", broken)
    target = tmp_path / "out.json"
    assert bench.main(["--device", "cpu", "--minutes", "60", "--json", str(target)], TOY) == 1
    first, *others = json.loads(target.read_text())["rows"]
    rows = {row.get("contender"): row for row in others}
    assert first["not available"] == "MemoryError: the device is full"
    assert rows["ours"]["not available"] == "MemoryError: the device is full"
    assert rows["plain"]["refused"] == "a loss is not finite"
    assert rows["ours, compiled"]["images_per_s"] > 0
    assert "fraction_of_peak" not in rows["ours, compiled"]


@pytest.mark.parametrize(
    ("model", "options", "expected"),
    [("resnet", {}, 0.556e9), ("wide_resnet", {}, 5.25e9), ("vgg", {}, 0.314e9)],
)
def test_operations_are_those_that_torch_counts(model, options, expected):
    """On the device "meta", at full size; and as they are commonly stated, within a percent."""
    with torch.device("meta"):
        network = bench.network(bench.Net("", model, options))
        with FlopCounterMode(display=False) as counter:
            network(torch.zeros(1, 3, 32, 32))
    assert bench.multiply_adds(network, (3, 32, 32)) == counter.get_total_flops() / 2
    assert counter.get_total_flops() / 2 == pytest.approx(expected, rel=0.01)
    assert network.training


def test_ours_and_the_plain_loop_train_the_same_network():
    """A step apart from augmentation and precision: the first losses are of the same size, and both fall."""
    net = replace(SMALL[0], batch=64)
    data = bench.dataset(64)
    for make in (bench.CONTENDERS["ours"], bench.CONTENDERS["plain"]):
        losses = make(net, data, "cpu")(30)
        assert losses.shape == (30,)
        assert losses[-5:].mean() < losses[:5].mean()


def test_the_device_is_named():
    assert bench.device_name("cpu") == "CPU"
    if not torch.cuda.is_available():
        with pytest.raises(Unavailable):
            bench.device_name("cuda")

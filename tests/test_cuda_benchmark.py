"""`python -m tests.benchmarks.gpu` with next to nothing to do: that it runs on a device, or in the simulator."""

import json

from tests.benchmarks import aims, gpu
from tests.cuda_device import as_a_device, marks  # noqa: F401  # a fixture

pytestmark = marks


def test_every_part_of_the_benchmark_runs(monkeypatch, tmp_path, capsys):
    for name, value in {"WORK": 2 * 4 * 6, "FLOOR_TRAJECTORIES": 5, "FLOOR_STEPS": 3}.items():
        monkeypatch.setattr(gpu, name, value)
    target = tmp_path / "out.json"
    given = ["--depths", "2,4", "--others", "", "--trajectories", "6", "--turns", "1", "--minutes", "9"]
    assert gpu.main([*given, "--json", str(target)]) == 0
    assert gpu.device_name() in capsys.readouterr().out
    content = json.loads(target.read_text())
    assert not [row for row in content["rows"] if "not available" in row]
    trained = [row for row in content["rows"] if row["what"] == "training"]
    assert [row["depth"] for row in trained] == [4] * 4 + [2] * 4
    for row in trained:
        for cell in row["contenders"].values():
            assert cell["trajectory_steps_per_s"] > 0
            assert cell["error"] <= 1
        assert row["contenders"].keys() - {"ours"} == {aims.MINE}
    assert all(verdict["met"] is not None for verdict in content["aims"])

"""The benchmarks' harness: wrong contenders are refused, absent ones named; tiny sizes, nothing judged by time."""

import json
import platform
import shutil
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from linreg_dyn import rules
from tests.benchmarks import (
    aims,
    c_kernels,
    first_result,
    flows,
    machine,
    measure,
    ntk_kernels,
    ntk_modes,
    ours,
    report,
    run,
    timing,
)
from tests.benchmarks.cases import (
    CHECKED_STEPS,
    HALF_WIDTH,
    INERT,
    NOISELESS,
    Case,
    Contender,
    Unavailable,
    Wrong,
    check_draws,
    flops,
    path,
    starts,
    tolerance,
    verify,
)

needs_gcc = pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc is not installed")
TINY = measure.Settings(trajectories=128, steps=3, turns=1)


def plain(change=lambda w: w, name="plain", rules=NOISELESS + INERT):
    """A contender that is the oracle itself, with what it gives changed."""

    def prepare(case, starts, steps):
        return lambda: change(path(case, starts, steps)[-1])

    return Contender(name, prepare, lambda w: w, rules=rules)


def test_the_oracle_is_the_rule_in_exact_arithmetic():
    case = Case("decay", 3, "float64")
    exact = [Fraction(w) for w in (0.9, -1.1, 1.3)]
    weights = np.array([[0.9, -1.1, 1.3]])
    for _ in range(3):
        g = rules.end_to_end(exact) - 1
        exact = rules.step(exact, g, Fraction(case.rate), Fraction(case.decay))
    got = path(case, weights, 3)[-1][0]
    assert max(abs(a - b) for a, b in zip(got, map(float, exact), strict=True)) < 3 * 29 * case.eps


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("depth", [2, 16, 64])
def test_standing_still_and_half_the_rate_are_refused(depth, dtype):
    def half_way(case, starts, steps):
        return lambda: (path(case, starts, steps)[-1] + starts) / 2

    for rule in (*NOISELESS, *INERT):
        case = Case(rule, depth, dtype)
        assert verify(plain(), case) <= 1
        with pytest.raises(Wrong, match="off by"):
            verify(Contender("still", lambda case, starts, steps: lambda: starts, lambda w: w), case)
        with pytest.raises(Wrong, match="times what roundings can do"):
            verify(Contender("half", half_way, lambda w: w), case)


def test_what_is_off_by_more_than_roundings_is_refused():
    case = Case("gd", 4, "float64")
    allowed = tolerance(case, path(case, starts(192, 4, seed=2), CHECKED_STEPS))
    verify(plain(lambda w: w + 0.5 * allowed), case)
    for wrong in (lambda w: w + 1.5 * allowed, lambda w: np.full_like(w, np.nan), lambda w: w[:-1]):
        with pytest.raises(Wrong):
            verify(plain(wrong), case)


def test_a_wrong_contender_is_named_and_never_timed():
    timed = []
    row = measure.training(
        Case("gd", 4, "float64"),
        [plain(), plain(lambda w: timed.append(w) or w + 1e-6, "wrong"), plain(name="other", rules=("batch",))],
        TINY,
        1e9,
    )
    assert "off by" in row["contenders"]["wrong"]["refused"]
    assert len(timed) == 1
    assert "wall" not in row["contenders"]["wrong"]
    assert "other" not in row["contenders"]
    assert row["contenders"]["plain"]["trajectory_steps_per_s"] > 0
    assert row["contenders"]["plain"]["fraction_of_peak"] > 0


def test_draws_off_centre_too_wide_or_constant_are_refused():
    case = Case("uniform", 2, "float64")
    fair = np.random.default_rng(0).uniform(-HALF_WIDTH, HALF_WIDTH, (8, 192))
    check_draws(case, fair)
    for wrong in (fair + 0.1, 1.5 * fair, 0 * fair, None):
        with pytest.raises(Wrong):
            check_draws(case, wrong)


def test_what_is_missing_is_named():
    def absent(case, starts, steps):
        raise Unavailable("it is not installed")

    def broken(case, starts, steps):
        raise RuntimeError("no such thing\nand more")

    contenders = [Contender("absent", absent, np.array), Contender("broken", broken, np.array)]
    cells = measure.training(Case("gd", 2, "float64"), contenders, TINY, None)["contenders"]
    assert cells["absent"] == {"not available": "it is not installed"}
    assert cells["broken"] == {"not available": "RuntimeError: no such thing"}


def test_turns_alternate_resets_are_not_timed_and_the_slow_stop_at_their_budget():
    calls = []

    class Run:
        def __init__(self, name):
            self.name = name

        def reset(self):
            calls.append(self.name.lower())

        def __call__(self):
            calls.append(self.name)

    times = timing.interleaved({"A": Run("A"), "B": Run("B")}, turns=2, budget=100)
    assert calls == ["a", "A", "b", "B", "a", "A", "b", "B"]
    assert times["A"].turns == 2
    assert timing.interleaved({"A": Run("A")}, turns=9, budget=0)["A"].turns == 1


@needs_gcc
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_every_variant_in_c_is_right(dtype):
    for rule in NOISELESS:
        case = Case(rule, 3, dtype)
        names = [kernel.name for kernel in c_kernels.kernels(case, starts(1, 3), 1, 1)]
        assert len(names) == len(c_kernels.variants(3)) == len(set(names))
        for name in names:
            assert verify(c_kernels.contender(2, only=name), case) <= 1


def test_no_compiler_is_said_in_one_line(monkeypatch, capsys):
    monkeypatch.setenv("CC", "no-such-compiler")
    assert run.main(["--quick"]) == 2
    assert capsys.readouterr().out == "benchmarks: no C compiler: install gcc, or name one in CC\n"


@pytest.mark.parametrize(
    "arguments", [["--what", "fun"], ["--depths", "2,x"], ["--dtypes", "half"], ["--threads", "0"]]
)
def test_bad_arguments_are_said_in_one_line(arguments, capsys):
    assert run.main(arguments) == 2
    line = capsys.readouterr().out
    assert line.startswith(f"benchmarks: {arguments[0]} must be")
    assert line.count("\n") == 1


@pytest.mark.parametrize("rule", ["gd", "uniform", "rademacher", "batch", *INERT])
def test_ours_is_right(rule):
    assert verify(ours.contender(1), Case(rule, 2, "float64"), trajectories=16) <= 1


def test_numpy_is_right():
    for rule in (*NOISELESS, *INERT):
        assert verify(ours.numpy_contender(), Case(rule, 3, "float64"), trajectories=16) <= 1


@pytest.mark.parametrize("rule", ["gd", "uniform", "nesterov"])
def test_jax_is_right(rule):
    pytest.importorskip("jax", reason="JAX is not installed: pip install '.[bench]'")
    from tests.benchmarks import jax_nets

    for name in jax_nets.FORMS:
        for depth in (2, 9):
            assert verify(jax_nets.contender(name), Case(rule, depth, "float64"), trajectories=64) <= 1


@pytest.mark.parametrize("name", ["ours", "scipy RK45", "heyoka"])
def test_flows_reach_the_error_asked_for(name, monkeypatch):
    if name == "heyoka":
        pytest.importorskip("heyoka", reason="heyoka is not installed: pip install '.[bench]'")
    monkeypatch.setattr(flows, "SAMPLE", 9)
    rtol, error = flows.tolerance_for(name, 2, 1e-6, 1)
    assert error <= 1e-6
    assert rtol in flows.LADDER
    with pytest.raises(Wrong, match="no tolerance"):
        flows.tolerance_for(name, 2, 0.0, 1)


def test_modes_are_compared_at_the_errors_told(monkeypatch):
    """Ours is the exact solution; LSODA keeps to a tolerance it is given; what is false has an error of order 1."""
    monkeypatch.setattr(ntk_modes, "LADDER", (1e-9,))
    ntk_modes.most_accurate.cache_clear()
    row = ntk_modes.measured(2, turns=1, budget=1.0)
    ntk_modes.most_accurate.cache_clear()
    report.show(row)
    errors = {name: cell["error"] for name, cell in row["solvers"].items()}
    assert errors[ntk_modes.OURS] < 1e-14
    assert 1e-14 < errors[ntk_modes.LOOP] < 1e-7
    assert 1e-14 < errors[ntk_modes.SYSTEM] < 1e-7
    assert ntk_modes.error(lambda count: 1.01 * ntk_modes.ours(count)) > 1e-3
    named = {verdict.aim: verdict for verdict in aims.judge([row | {"times": 100}])}
    assert named["modes: the same, to 100 times"].worst == row["solvers"][ntk_modes.LOOP]["ours_is"]
    assert named["modes: times LSODA at its most accurate, to one time"].met is None


def test_kernels_are_compared_with_the_same_one():
    row = ntk_kernels.measured(1, turns=1, budget=1.0, samples=150)
    report.show(row)
    assert row["programs"][ntk_kernels.OURS]["apart"] == 0
    assert 0 < row["programs"]["NumPy"]["apart"] < 1e-7  # the diagonal, of which an arccosine keeps half the digits
    assert {"seconds", "not available"} & row["programs"]["neural-tangents"].keys()
    x = ntk_kernels.inputs(9)
    assert not np.allclose(ntk_kernels.plain(x), ntk_kernels.plain(x + 1), rtol=1e-3)

    def judged(samples):
        rows = [row | {"samples": samples}]
        return next(verdict for verdict in aims.judge(rows) if verdict.aim.startswith("infinite width"))

    assert judged(150).met is None
    assert judged(ntk_kernels.SAMPLES).worst == row["programs"][ntk_kernels.OURS]["seconds"]
    assert judged(ntk_kernels.SAMPLES).bound == 0.15


def test_flops_are_counted_as_they_are_said():
    assert [flops(Case("gd", d, "float64")) for d in (2, 4)] == [7, 15]  # d = 2: 1 product, 3 multiply-adds
    assert flops(Case("decay", 4, "float64")) == 19
    assert flops(Case("adaptive", 4, "float64")) == 3 + 4 + 8 + 5 + 8


def row(rule, depth, **speeds):
    cells = {name: {"trajectory_steps_per_s": v, "layer_steps_per_s": v * depth} for name, v in speeds.items()}
    return {"what": "training", "rule": rule, "depth": depth, "dtype": "float64", "contenders": cells}


def test_aims_are_judged_by_the_worst_row():
    def verdicts(rows):
        return {verdict.aim: verdict for verdict in aims.judge(rows)}

    good = {aims.MINE: 9.0, "C": 9.5, "JAX": 1.0, "JAX W/w": 1.4}
    found = verdicts([row("gd", 4, **good), row("gd", 64, **(good | {"C": 18.0, aims.MINE: 0.5}))])
    c = found["no noise: of the C kernel"]
    assert c.met is False
    assert c.where == "gd depth 64 float64"
    assert c.worst == pytest.approx(0.5 / 18)
    assert found["no noise: times JAX by hand"].worst == pytest.approx(0.5 / 1.4)  # the faster of the two
    assert found["layer-steps/s at depth 64, of those at depth 4"].worst == pytest.approx(0.5 * 64 / (9 * 4))
    assert found["no noise: times jax.grad"].met is None
    assert verdicts([row("gd", 4, **good)])["no noise: of the C kernel"].met is True


def test_results_say_which_machine_but_not_its_name(tmp_path, capsys):
    rows = [measure.training(Case("gd", 2, "float64"), [plain()], TINY, 1e9)]
    rows.append({"what": "compile", "rule": "gd", "depth": 2, "dtype": "float64", "not available": "it fails"})
    target = tmp_path / "out.json"
    for each in rows:
        report.show(each)
    report.write(target, {"steps": 3}, machine.describe(2), {"float64": 1e9}, rows, aims.judge(rows))
    content = json.loads(target.read_text())
    assert content["rows"][0]["contenders"]["plain"]["turns"] == 1
    named = {"cpu", "family", "flags", "cores", "threads", "system", "python", "compiler", "versions", "commit", "date"}
    assert set(content["machine"]) == named
    assert content["machine"]["cpu"] != platform.node()
    assert "it fails" in capsys.readouterr().out


def test_a_failing_first_result_is_named():
    with pytest.raises(Unavailable):
        first_result.first_result(Case("gd", 2, "float16"))


@needs_gcc
def test_c_kernels_leave_subnormal_numbers_alone():
    """A library linked with -ffast-math would turn them off for the whole process; so a process of its own."""
    code = (
        "import numpy as np\n"
        "from tests.benchmarks import c_kernels\n"
        "assert c_kernels.peak('float64', 1) > 0\n"
        "assert np.float64(2.0**-1073) / np.float64(2) > 0\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=300, cwd=Path(__file__).parents[1]
    )
    assert done.returncode == 0, done.stderr

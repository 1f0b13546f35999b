"""`linreg-dyn phase` as a user calls it: what it draws, what it writes, what it refuses."""

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from linreg_dyn.cli import main
from linreg_dyn.commands.phase import counted
from linreg_dyn.ensemble import GradientDescent
from linreg_dyn.phase import OUTCOMES, Plane, start_map
from linreg_dyn.schedules import Cosine, Window, to_spec
from paper_figures.labels import seen, wrapped
from paper_figures.phase import _bar, _equilibria, _span
from tests.written import is_blank, listing


def phase(out, *options):
    return main(["phase", "--out", str(out), "--steps", "60", *map(str, options)])


def test_a_blank_picture_is_noticed(tmp_path):
    import paper_figures

    (path,) = paper_figures.save(paper_figures.drawn(lambda figure: None, (3, 3)), tmp_path / "blank", ("png",))
    assert is_blank(path)


NOISE = ("--method", "noise", "--noise", 0.4, "--lr", "adaptive:0.05")
# As few kernels as will do: each depth, method and kind of rate or decay takes a second to compile.
PORTRAITS = [
    ("--method", "gd"),
    ("--method", "gd", "--lr", "adaptive:0.25", "--depth", 3, "--fixed", "-0.5", "--layers", 3, 1),
    (*NOISE, "--depth", 3, "--fixed", "w1"),
    ("--method", "sgd-noise", "--noise", 0.3, "--trajectories", 0),
    ("--method", "sgd", "--batch", 100, "--lr", 0.05),
    ("--box", 2, 3),  # without minima
    ("--box", 0, 1e150, *NOISE, "--depth", 3),  # where products leave float64
    ("--depth", 8, "--fixed", *["w1"] * 3, *["w2"] * 3),
    ("--lr", 5),  # of which every start diverges, or next to all
]


@pytest.mark.parametrize("options", PORTRAITS, ids=lambda options: " ".join(map(str, options)))
def test_portrait(tmp_path, capsys, options):
    out = tmp_path / "portrait.png"
    assert phase(out, "--size", 30, 20, *options) == 0
    assert listing(tmp_path) == ["portrait.png"]
    assert not is_blank(out)
    said = capsys.readouterr()
    assert said.out.startswith("600 starts: ")
    assert f"written: {out}" in said.out
    assert said.err == ""


def test_directory_has_picture_caption_and_data(tmp_path, capsys):
    options = (*NOISE, "--size", 24, "--depth", 3, "--fixed", "-9e-1", "--seed", 4)
    for name in ("one", "two"):
        assert phase(tmp_path / name, *options) == 0
    files = ["portrait.nc", "portrait.pdf", "portrait.png", "portrait.txt"]
    assert listing(tmp_path / "one") == files
    for name in files[1:]:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    caption = (tmp_path / "one" / "portrait.txt").read_text()
    assert "ginsburg.noise-band.amended" in caption
    assert "3 layers, $w_{3} = -0.9$, noise augmentation" in " ".join(caption.split())
    assert "projected" in caption
    with xr.open_dataset(tmp_path / "one" / "portrait.nc", engine="h5netcdf") as result:
        lost = result.attrs["outcome_counts"][OUTCOMES.index("diverged")]
        assert int(result["end_count"].sum()) + result.attrs["outside"] + lost == 576
        assert {"velocity_first", "velocity_second", "mean_residual", "band_1", "path"} <= set(result.data_vars)
    assert f"{lost} diverged" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "variable", "options"),
    [
        ("basin", "outcome", ("--lr", 0.3)),
        ("escape", "diverged_step", ("--lr", 0.3, "--method", "sgd-noise", "--noise", 0.5)),
        ("layer_imbalance", "layer_imbalance", ("--lr", 0.3)),
        ("critical", "critical_rate", ("--rates", 0.1, 2)),
        ("rates", "diverged_step", ("--rates", 0.1, 2, "--line", 0, -1, 0, 3)),
    ],
)
def test_map(tmp_path, capsys, name, variable, options):
    assert phase(tmp_path / "out", "--map", name, "--size", 40, 30, "--format", "png,svg", *options) == 0
    assert listing(tmp_path / "out") == [f"{name}.{suffix}" for suffix in ("nc", "png", "svg", "txt")]
    assert not is_blank(tmp_path / "out" / f"{name}.png")
    result = xr.load_dataset(tmp_path / "out" / f"{name}.nc", engine="h5netcdf")
    assert result[variable].shape == (30, 40)
    said = capsys.readouterr().out
    if name == "critical":
        assert f"{int(np.isposinf(result['critical_rate']).sum())} at none" in said
    else:
        lost = int((result["outcome"] == OUTCOMES.index("diverged")).sum())
        assert 0 < lost < 1200
        assert said.startswith("1,200 runs: " if name == "rates" else "1,200 starts: ")
        assert f"{lost:,} diverged" in said


def test_every_option_reaches_the_map(tmp_path):
    decay, rate = Window(0.2, stop=40), Cosine(0.3, steps=60)
    options = ("--map", "basin", "--size", 12, "--method", "wd", "--momentum", 0.6, "--nesterov", "--dtype", "float32")
    schedules = [json.dumps(to_spec(schedule)) for schedule in (decay, rate)]
    for name, text in zip(("decay.json", "rate.json"), schedules, strict=True):
        (tmp_path / name).write_text(text)
    options += ("--decay", tmp_path / "decay.json", "--lr", tmp_path / "rate.json", "--threads", 1, "--within", 0.2)
    assert phase(tmp_path / "out", *options, "--format", "png") == 0
    found = xr.load_dataset(tmp_path / "out" / "basin.nc", engine="h5netcdf")
    training: dict[str, Any] = {"weight_decay": decay, "learning_rate": rate, "momentum": 0.6, "nesterov": True}
    training |= {"steps": 60, "seed": 0, "dtype": "float32"}
    alone = start_map(Plane(), (12, 12), GradientDescent(), within=0.2, **training)
    assert found.equals(alone)
    assert found.attrs["spec"] == alone.attrs["spec"]
    training["momentum"] = 0.5
    other = start_map(Plane(), (12, 12), GradientDescent(), within=0.2, **training)
    assert not found.equals(other)
    words = " ".join((tmp_path / "out" / "basin.txt").read_text().split())
    assert f"learning rate {rate}, weight decay {decay}, Nesterov momentum 0.6, float32, 60 steps" in words


def test_equilibria_are_marked_and_named(tmp_path):
    options = ("--method", "wd", "--decay", 0.1, "--lr", 0.05, "--size", 8, "--box", "-5e-1", 3)
    assert phase(tmp_path / "out", *options, "--format", "png") == 0
    assert not is_blank(tmp_path / "out" / "portrait.png")
    assert "Stars: stable equilibria" in (tmp_path / "out" / "portrait.txt").read_text()
    found = xr.load_dataset(tmp_path / "out" / "portrait.nc", engine="h5netcdf")
    points = dict(zip(map(tuple, found["equilibrium"].values), found["equilibrium_stable"].values, strict=True))
    w = np.sqrt(0.9)  # 1 - w^2 = mu at depth 2
    assert {(round(x / w, 12), round(y / w, 12)): stable for (x, y), stable in points.items()} == {
        (1, 1): True,
        (-1, -1): True,
        (0, 0): False,
    }
    figure = Figure()
    entries = _equilibria(figure.add_subplot(), found, (-0.5, 3, -0.5, 3))
    assert [entry.get_label() for entry in entries] == ["stable equilibrium", "unstable equilibrium"]
    drawn = [np.array(line.get_xydata()) for line in figure.axes[0].lines]
    assert np.allclose(drawn, [[[w, w]], [[0, 0]]])  # the other one is outside the box


def test_a_few_values_do_not_take_all_colours():
    """Sharpnesses of nets that end next to W = 0 are a hundred decades from the others."""
    values = np.geomspace(1, 100, 1000)
    assert _span(values) == (1, 100)
    values[:4] = 1e110
    assert _span(values)[1] < 101
    assert _span(np.full(5, 3.0)) == (3.0, pytest.approx(3.03))
    many = np.concatenate((values, np.full(500, 1e110)))
    assert _span(many)[1] == 1e110
    for found, extend in ((values, "both"), (np.geomspace(1, 100, 9), "neither")):
        figure = Figure()
        axes, mappable = figure.add_subplot(), ScalarMappable(LogNorm(*_span(found)))
        _bar(figure, axes, mappable, found, "sharpness")
        assert mappable.colorbar.extend == extend


def test_captions_keep_claims_and_mathematics_whole(tmp_path, capsys):
    assert phase(tmp_path / "out", "--method", "wd", "--decay", 0.02, "--size", 40, "--format", "png") == 0
    caption = (tmp_path / "out" / "portrait.txt").read_text()
    assert "[ginsburg.wd-band-stays]" in caption  # 100 characters end within it
    assert all(line.count("$") % 2 == 0 and len(line) <= 100 for line in caption.splitlines())
    assert capsys.readouterr().out.splitlines()[0] in " ".join(caption.split())


@pytest.mark.parametrize(
    ("outside", "said"), [(0, ""), (3480, "; 3,480 of them end outside the box")], ids=["inside", "outside"]
)
def test_counts_of_ends_add_up(outside, said):
    counts = np.zeros(len(OUTCOMES), int)
    counts[[OUTCOMES.index("minimum_++"), OUTCOMES.index("minimum_--"), OUTCOMES.index("origin")]] = 3000, 540, 60
    found = xr.Dataset(attrs={"starts": 3600, "outcome_counts": counts, "outside": outside})
    assert counted(found) == f"3,600 starts: 3,540 at minima, 60 at the origin, 0 diverged{said}"


def test_titles_break_between_words_by_what_is_seen():
    title = r"3 layers, $w_{1} = w_{2}$, rate $0.25 \,/\, \sum 1/w_i^2$, 5 steps" + "\nand more"
    assert seen(r"$0.25 \,/\, \sum 1/w_i^2$") == len("0.25 x/x x 1/wi2")
    lines = wrapped(title, 30).split("\n")
    assert lines == [r"3 layers, $w_{1} = w_{2}$, rate", r"$0.25 \,/\, \sum 1/w_i^2$, 5 steps", "and more"]
    assert lines == wrapped(title, max(map(seen, lines))).split("\n") != wrapped(title, 24).split("\n")
    assert wrapped("a" * 50 + " b", 30) == "a" * 50 + "\nb"


def test_batches_of_the_users_own_data(tmp_path):
    rng = np.random.default_rng(0)
    x = rng.normal(size=40)
    pd.DataFrame({"a": x, "b": x + rng.normal(size=40)}).to_csv(tmp_path / "d.csv", index=False)
    options = ("--method", "sgd", "--batch", 10, "--data", tmp_path / "d.csv", "--x", "a", "--y", "b", "--size", 12)
    assert phase(tmp_path / "out", "--map", "basin", *options, "--format", "svg") == 0
    assert "mini-batches of 10 of 40 samples" in (tmp_path / "out" / "basin.txt").read_text()


BAD = [
    (("--map", "valley"), "invalid choice: 'valley'"),
    (("--layers", "1", "1"), "layers must be two different ones, got 1 twice"),
    (("--layers", "1", "3"), "layers must be an integer from 1 to 2, got 3"),
    (("--depth", "1"), "depth must be an integer from 2"),
    (("--fixed", "1"), "--fixed must give the 0 other layers of depth 2, got 1"),
    (("--depth", "3", "--fixed", "x"), "--fixed must be finite numbers, w1 or w2, got 'x'"),
    (("--box", "2", "2"), "box must reach from a smaller to a larger weight, got 2 to 2"),
    (("--box", "0", "1", "2"), "--box takes 2 or 4 numbers, got 3"),
    (("--size", "0"), "size must be an integer from 1"),
    (("--size", "1", "2", "3"), "--size takes 1 or 2 numbers, got 3"),
    (("--map", "basin", "--size", "1e6"), "GiB"),
    (("--lr", "0"), "--lr must be a finite number > 0"),
    (("--lr", '{type = "Steps", values = [0.1], stop = 59}'), "--lr must last for all 60 steps, got a schedule of 59"),
    (("--method", "wd", "--decay", '{type = "Window", schedule = 1}'), "weight_decay of a portrait must be a finite"),
    (("--method", "noise", "--noise", '{type = "Window", schedule = 1}'), "half_width of a portrait must be a finite"),
    (("--map", "basin", "--momentum", "1"), "momentum must be in [0, 1), got 1"),
    (("--nesterov",), "nesterov needs a momentum > 0"),
    (("--threads", "0"), "threads must be an integer from 1"),
    (("--box", "-1e-1", "-1e0"), "box must reach from a smaller to a larger weight, got -0.1 to -1"),
    (("--steps", "0"), "--steps must be at least 1"),
    (("--noise", "0.1"), "--noise is not used by --method gd"),
    (("--method", "noise"), "--method noise needs --noise"),
    (("--method", "sgd", "--batch", "443"), "--batch must be from 1 to the 442 rows"),
    (("--data", "d.csv"), "--data and its columns are what --method sgd draws its batches from, not gd"),
    (("--rates", "0.1", "1"), "--rates is not used by the portrait, only by --map rates, --map critical"),
    (("--map", "rates", "--lr", "0.1"), "--lr is not used by --map rates, only by the portrait, --map basin"),
    (("--map", "basin", "--trajectories", "3"), "--trajectories is not used by --map basin"),
    (("--map", "critical", "--within", "0.1"), "--within is not used by --map critical"),
    (("--map", "critical", "--rates", "1", "0.1"), "rates must be a smaller and a larger one, got 1 and 0.1"),
    (("--map", "rates", "--rates", "-1", "0.1"), "rates must be a finite number > 0"),
    (("--map", "rates", "--line", "1", "1", "1", "1"), "line must be four numbers, a start and a different one"),
    (("--map", "basin", "--within", "0"), "within must be a finite number > 0"),
    (("--seed", "-1"), "seed must be an integer from 0"),
    (("--format", "gif"), "format must be one of pdf, png, svg, got 'gif'"),
    (("--trajectories", "-1"), "trajectories must be an integer from 0"),
]


@pytest.mark.parametrize(
    ("options", "message"), BAD, ids=lambda value: " ".join(value) if isinstance(value, tuple) else ""
)
def test_bad_input_gets_one_line_and_leaves_nothing(tmp_path, capsys, options, message):
    size = () if "--size" in options else ("--size", "8")
    assert phase(tmp_path / "new" / "out", *size, *options) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1
    assert message in said.err
    assert listing(tmp_path) == []


def test_out_is_a_new_picture_or_directory(tmp_path, capsys):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "file").write_text("mine")
    assert phase(tmp_path / "mine", "--size", 8) == 2
    assert "already holds file" in capsys.readouterr().err
    (tmp_path / "a.png").mkdir()
    assert phase(tmp_path / "a.png", "--size", 8) == 2
    assert "is a directory" in capsys.readouterr().err
    assert phase(tmp_path / "b.png", "--size", 8, "--format", "png") == 2
    assert "--format is for a directory" in capsys.readouterr().err
    for name in ("c.jpg", "c.PNG"):
        assert phase(tmp_path / name, "--size", 8) == 2
        assert "--out must be FILE.pdf, .png or .svg, or a directory" in capsys.readouterr().err
    assert listing(tmp_path) == ["a.png", "file", "mine"]


@pytest.mark.parametrize(
    ("error", "code"), [(OSError("No space left on device"), 2), (KeyboardInterrupt(), 130)], ids=["full", "ctrl-c"]
)
def test_a_failure_midway_leaves_nothing(tmp_path, capsys, monkeypatch, error, code):
    def fail(*args, **kwargs):
        raise error

    monkeypatch.setattr(xr.Dataset, "to_netcdf", fail)  # the pictures are written by then
    assert phase(tmp_path / "new" / "out", "--map", "basin", "--size", 8, "--format", "png") == code
    assert capsys.readouterr().err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_help_has_an_example(capsys):
    assert main(["phase", "--help"]) == 0
    assert "linreg-dyn phase --method noise" in capsys.readouterr().out

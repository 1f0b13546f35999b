"""The figures as pictures: that they print, and the command that makes them."""

import subprocess
import sys
from itertools import pairwise

import matplotlib
import pytest
from matplotlib.colors import to_rgb
from matplotlib.image import imread

import paper_figures
from linreg_dyn.cli import main
from linreg_dyn.phase import OUTCOMES
from paper_figures.phase import OUTCOME_COLORS
from tests.written import is_blank, listing

NAMES = ("fig1", "fig2", "k-range", "sharpness-region", "decay-bifurcation", "schedules", "ntk-fixed-points")
NAMES += ("lewkowycz-5a", "lewkowycz-5b", "lewkowycz-5c", "ntk-phase", "ntk-power-laws")


@pytest.fixture(scope="module")
def figures():
    return {name: paper_figures.make(name) for name in NAMES}


@pytest.fixture(scope="module")
def saved(figures, tmp_path_factory):
    out = tmp_path_factory.mktemp("figures")
    return {
        name: dict(zip(("pdf", "png"), paper_figures.save(figures[name], out / name, ("pdf", "png")), strict=True))
        for name in NAMES
    }


# That it prints


def is_cut_off(figure):
    """Whether anything drawn lies more than a hundredth of an inch outside the figure."""
    width, height = figure.get_size_inches()
    box = figure.get_tightbbox()
    return min(box.x0, box.y0, width - box.x1, height - box.y1) < -0.01


@pytest.mark.parametrize("name", NAMES)
def test_pictures_are_neither_blank_nor_cut_off(figures, saved, name):
    assert min(imread(saved[name]["png"]).shape[:2]) >= 600  # pixels, at 300 dots an inch
    assert not is_blank(saved[name]["png"])
    assert not is_cut_off(figures[name])


def test_blank_and_cut_off_pictures_are_noticed(tmp_path):
    def draw(figure):
        figure.text(0.99, 0.99, "far too long")

    figure = paper_figures.drawn(draw, (3, 3))
    (path,) = paper_figures.save(figure, tmp_path / "blank", ("png",))
    assert is_blank(path)
    assert is_cut_off(figure)


@pytest.mark.parametrize("name", NAMES)
def test_pdfs_are_vectors_with_real_fonts(saved, name):
    content = saved[name]["pdf"].read_bytes()
    assert content.startswith(b"%PDF")
    assert b"/Subtype /Image" not in content
    assert b"/FontFile2" in content


@pytest.mark.parametrize("name", NAMES)
def test_same_figure_same_bytes(saved, tmp_path, name):
    again = paper_figures.save(paper_figures.make(name), tmp_path / name, ("pdf", "png"))
    for path in again:
        assert path.read_bytes() == saved[name][path.suffix[1:]].read_bytes()


def looks(handle):
    """All that tells legend entries apart without colour."""
    if hasattr(handle, "get_marker"):
        hollow = handle.get_markerfacecolor() == "white"
        return handle.get_linestyle(), handle.get_marker(), hollow, handle.get_linewidth()
    return (type(handle).__name__,)


def confusable(figure):
    """The legends of a figure in which two entries differ by their colour alone."""
    legends = [*figure.legends, *(axes.get_legend() for axes in figure.axes if axes.get_legend())]
    assert legends
    return [one for one in legends if len({looks(h) for h in one.legend_handles}) < len(one.legend_handles)]


@pytest.mark.parametrize("name", NAMES)
def test_legible_in_grey(figures, name):
    assert not confusable(figures[name])


def test_a_legend_of_colours_alone_is_noticed():
    def draw(figure):
        axes = figure.add_subplot()
        for color in ("red", "green"):
            axes.plot([0, 1], [0, 1], "-", color=color, label=color)
        axes.legend()

    assert confusable(paper_figures.drawn(draw, (3, 3)))


def lightness(color):
    """CIE 1976 L*, from 0 (black) to 100 (white), of a colour in sRGB."""
    r, g, b = (x / 12.92 if x <= 0.04045 else ((x + 0.055) / 1.055) ** 2.4 for x in to_rgb(color))
    Y = 0.2126 * r + 0.7152 * g + 0.0722 * b
    return 116 * Y ** (1 / 3) - 16 if Y > (6 / 29) ** 3 else Y * (29 / 3) ** 3


def test_style_colours_differ_in_grey():
    with matplotlib.style.context(paper_figures.STYLE):
        cycle = list(matplotlib.rcParams["axes.prop_cycle"])
    grey = [lightness(entry["color"]) for entry in cycle]
    assert grey == sorted(set(grey))
    assert len({str(entry["linestyle"]) for entry in cycle}) == len(cycle)


def test_outcomes_of_maps_differ_in_grey():
    assert set(OUTCOME_COLORS) == set(OUTCOMES)
    grey = [lightness(color) for color in OUTCOME_COLORS.values()]
    assert lightness("white") == pytest.approx(100)
    assert lightness("black") == pytest.approx(0)
    even = 100 / (len(grey) - 1)
    assert all(light - dark > even / 2 for light, dark in pairwise(grey)), grey


def test_drawing_leaves_matplotlib_as_it_was():
    before = dict(matplotlib.rcParams)
    paper_figures.make("decay-bifurcation")
    assert dict(matplotlib.rcParams) == before
    code = (
        "import sys; from linreg_dyn.cli import main; main(['figures', '--help']); "
        "assert 'matplotlib' not in sys.modules; "
        "import paper_figures; paper_figures.make('fig1'); assert 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


# The command


def test_command_writes_figures_and_captions(tmp_path, capsys):
    out = tmp_path / "deep" / "figures"
    assert main(["figures", "k-range", "--out", str(out), "--format", "svg,png"]) == 0
    assert listing(out) == ["k-range.png", "k-range.svg", "k-range.txt"]
    assert str(out / "k-range.svg") in capsys.readouterr().out
    caption = (out / "k-range.txt").read_text()
    from linreg_dyn.claims import select

    for claim in select(["ginsburg.thm-3.1-case-1", "ginsburg.thm-3.1.sharp-range"]):
        assert claim.id in caption
        assert "".join(claim.statement.split()) in "".join(caption.split())
    first = (out / "k-range.png").read_bytes()
    (out / "k-range.png").write_bytes(b"old")
    assert main(["figures", "k-range", "--out", str(out), "--format", "png"]) == 0  # replaces its own files
    assert (out / "k-range.png").read_bytes() == first


@pytest.mark.parametrize("name", NAMES)
def test_every_caption_names_its_claims(name):
    module = paper_figures.script(name)
    caption = paper_figures.caption(name)
    assert " ".join(module.CAPTION.split())[:60] in " ".join(caption.split())
    for claim in module.CLAIMS:
        assert f"[{claim}]" in caption
    assert all(line.count("$") % 2 == 0 for line in caption.splitlines())  # no formula is broken


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["fig9"], "figure must be one of fig1, fig2, k-range"),
        (["fig1", "--format", "gif"], "format must be one of pdf, png, svg, got 'gif'"),
        (["fig1", "--format", "pdf,"], "format must be one of pdf, png, svg, got ''"),
    ],
)
def test_bad_usage_gets_one_line_and_leaves_nothing(tmp_path, capsys, options, message):
    assert main(["figures", *options, "--out", str(tmp_path / "out")]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert message in said
    assert listing(tmp_path) == []


def test_out_must_be_a_directory(tmp_path, capsys):
    (tmp_path / "file").write_text("mine")
    assert main(["figures", "fig1", "--out", str(tmp_path / "file")]) == 2
    assert "--out must be a directory" in capsys.readouterr().err
    assert (tmp_path / "file").read_text() == "mine"


def test_a_failure_midway_leaves_no_partial_file(tmp_path, capsys, monkeypatch):
    from matplotlib.figure import Figure

    def half(self, path, **kwargs):
        path.write_bytes(b"%PDF half")
        raise OSError("No space left on device")

    monkeypatch.setattr(Figure, "savefig", half)
    assert main(["figures", "k-range", "--out", str(tmp_path / "out")]) == 2
    assert "No space left" in capsys.readouterr().err
    assert listing(tmp_path) == []

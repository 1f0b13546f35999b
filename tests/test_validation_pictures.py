"""What figures of records show: the curves that they say, apart for colour-blind readers."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from validation.experiments import ginsburg, golatkar
from validation.experiments.golatkar.draw import over_epochs
from validation.experiments.style import LINES, line, marked

TIMES = {"interrupted-0": 0.90, "delayed-100": 0.92, "sliding-0": 0.925, "sliding-50": 0.91, "interrupted-200": 0.93}


def axes_of(draw, arrays):
    axes = Figure().add_subplot()
    draw(arrays, axes)
    return axes


def dashes(curve):
    """The lengths of a line's dashes and gaps; matplotlib has no public way to ask."""
    pattern = vars(curve)["_dash_pattern"][1]
    return pattern and tuple(pattern)


def drawn(draw, arrays):
    """The curves of a figure, (x, y) each, and what its legend says."""
    axes = axes_of(draw, arrays)
    legend = axes.get_legend()
    assert legend is not None
    return [np.array(line.get_data()) for line in axes.lines], [text.get_text() for text in legend.get_texts()]


@pytest.mark.parametrize(
    ("kind", "points"),
    [
        ("interrupted", {0: 0.90, 200: 0.93}),  # until t0: to 0 is never
        ("delayed", {0: 0.93, 100: 0.92, 200: 0.90}),  # from t0 on: from 0 on is always
        ("sliding", {0: 0.925, 50: 0.91}),  # neither end is a window
    ],
)
def test_accuracies_lie_at_the_time_that_their_axis_says(kind, points):
    (experiment,) = (e for e in golatkar.EXPERIMENTS if e.id == f"golatkar.weight-decay-{kind}")
    runs, final = np.array(list(TIMES)), np.array(list(TIMES.values()))
    (always, never, *seeds), words = drawn(experiment.draw, [{"runs": runs, "final": final + k} for k in (0.0, 1.0)])
    assert [always[1, 0], never[1, 0]] == pytest.approx([1.43, 1.40])
    for curve, k in zip(seeds, (0.0, 1.0), strict=True):
        assert dict(curve.T.tolist()) == pytest.approx({t: y + k for t, y in points.items()})
    assert words == ["throughout, mean", "never, mean", "each seed"]


@pytest.mark.parametrize("look", [line, marked])
def test_no_two_curves_look_the_same(look):
    looks = [look(k) for k in range(35)]
    assert len({(one["color"], one.get("marker", one["linestyle"])) for one in looks}) == 35
    assert looks[:35] == [look(k + 35) for k in range(35)]


def test_curves_that_coincide_are_told_apart_by_their_dashes():
    runs, row = [f"delayed-{k}" for k in range(len(LINES))], np.ones(3)
    one = {"epochs": np.arange(3), "runs": np.array(runs), "x": np.array([row] * len(runs))}
    assert len({dashes(curve) for curve in axes_of(over_epochs("x", "x"), [one]).lines}) == len(LINES)
    (experiment,) = (e for e in ginsburg.EXPERIMENTS if e.id == "ginsburg.two-phases")
    names = ("fallen_linear", "size_linear", "fallen_relu", "size_relu")
    one = {"times_linear": np.arange(3), "times_relu": np.arange(3)} | dict.fromkeys(names, row)
    *curves, predicted = axes_of(experiment.draw, [one]).lines
    assert len({dashes(curve) for curve in curves}) == 4
    assert len({curve.get_color() for curve in curves}) == 2
    assert predicted.get_zorder() < min(curve.get_zorder() for curve in curves)

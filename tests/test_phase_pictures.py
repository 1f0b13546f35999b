"""Legends of phase pictures: what is drawn, and nothing else."""

import numpy as np
import pytest

import paper_figures
from linreg_dyn.phase import Plane, portrait, start_map
from paper_figures.phase import draw_map, draw_portrait
from tests.phases import GD


def legend(figure):
    return {text.get_text() for found in figure.legends for text in found.get_texts()}


def portrait_legend(box, **training):
    plane = Plane(box=box)
    result = portrait(plane, GD, size=20, trajectories=4, **training)
    return legend(paper_figures.drawn(draw_portrait, (6, 4), result, box, "title"))


@pytest.mark.parametrize(
    ("box", "rate", "there", "missing"),
    [
        ((-3, 3, -3, 3), 0.2, {"trajectory", "diverges", "end", "one step lowers the loss"}, set()),
        (
            (-3, 3, -3, 3),
            1e300,
            {"start", "mean velocity"},
            {"trajectory", "diverges", "end", "one step lowers the loss"},
        ),
        ((2, 3, 2, 3), 0.01, {"start", "trajectory"}, {"end", "diverges"}),  # they end at W = 1, outside
        ((2, 3, 2, 3), 0.9, {"start", "diverges"}, {"end", "trajectory"}),
        ((0, 1e150, 0, 1e150), 0.1, {"start"}, {"mean velocity", "diverges"}),  # velocities leave float64
    ],
)
def test_a_portrait_lists_what_it_shows(box, rate, there, missing):
    found = portrait_legend(box, steps=60, learning_rate=rate)
    assert there <= found
    assert not missing & found


def test_a_map_of_one_value_says_it_instead_of_a_bar_of_colours():
    result = start_map(Plane(), 5, GD, steps=200, learning_rate=0.05, weight_decay=2.0, observable="loss")
    assert np.allclose(result["loss"], 1)
    figure = paper_figures.drawn(draw_map, (5, 5), result, "loss", Plane().box, "title")
    assert len(figure.axes) == 1
    assert legend(figure) == {"loss $(W - 1)^2$ at the end: 1"}
    result = start_map(Plane(), 5, GD, steps=2, learning_rate=0.05, observable="loss")
    figure = paper_figures.drawn(draw_map, (5, 5), result, "loss", Plane().box, "title")
    assert len(figure.axes) == 2

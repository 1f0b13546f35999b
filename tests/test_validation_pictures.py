"""What figures of records show: the curves that they say, apart for colour-blind readers."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from validation.experiments import golatkar

TIMES = {"interrupted-0": 0.90, "delayed-100": 0.92, "sliding-0": 0.925, "sliding-50": 0.91, "interrupted-200": 0.93}


def drawn(draw, arrays):
    axes = Figure().add_subplot()
    draw(arrays, axes)
    return axes


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
    axes = drawn(experiment.draw, [{"runs": runs, "final": final + shift} for shift in (0.0, 0.01)])
    always, never, *seeds = axes.lines
    assert [always.get_ydata()[0], never.get_ydata()[0]] == pytest.approx([0.935, 0.905])
    for line, shift in zip(seeds, (0.0, 0.01), strict=True):
        assert dict(zip(*line.get_data(), strict=True)) == pytest.approx({t: y + shift for t, y in points.items()})
    words = [text.get_text() for text in axes.get_legend().get_texts()]
    assert words == ["throughout, mean", "never, mean", "each seed"]

"""What figures of records show: the curves that they say, apart for colour-blind readers."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from validation.experiments import golatkar

TIMES = {"interrupted-0": 0.90, "delayed-100": 0.92, "sliding-0": 0.925, "sliding-50": 0.91, "interrupted-200": 0.93}


def drawn(draw, arrays):
    """The curves of a figure, (x, y) each, and what its legend says."""
    axes = Figure().add_subplot()
    draw(arrays, axes)
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

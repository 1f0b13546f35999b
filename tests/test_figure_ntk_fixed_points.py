"""What the figure of deep linear fixed points shows is what the printed equation and plain scalars say."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.figure import Figure

import paper_figures
from paper_figures import ntk_fixed_points as script


@pytest.fixture(scope="module")
def figure() -> Figure:
    return paper_figures.make("ntk-fixed-points")


@pytest.mark.parametrize("panel", range(3))
def test_curves_solve_the_equation_and_marks_lie_on_stable_ones(figure: Figure, panel: int) -> None:
    axes, L = figure.axes[panel], script.HIDDEN[panel]
    fold = (L - 1) / (2 * L)
    lines = {str(line.get_label()): line.get_xydata() for line in axes.get_lines()}
    for label in ("stable", "saddle")[: 1 + (L > 1)]:
        C, f = np.asarray(lines[label]).T
        np.testing.assert_allclose(C ** (L + 1), f ** (L - 1) * (1 - f) ** (L + 1), rtol=1e-5, atol=1e-15)
        assert ((f > fold) if label == "stable" else (f < fold)).all()
        assert np.ptp(f) > (0.9 * (1 - fold) if label == "stable" else 0.9 * fold)
    ((critical, at),) = np.asarray(lines["critical"])
    assert at == fold
    assert critical ** (L + 1) == pytest.approx(fold ** (L - 1) * (1 - fold) ** (L + 1))
    for *_, label in script.STARTS:
        C, f = np.asarray(lines[label]).T
        below = critical > C
        assert C.size == 3 * len(script.FRACTIONS)
        rest = np.abs(C ** (L + 1) - f ** (L - 1) * (1 - f) ** (L + 1))
        at_zero = np.abs(f) < 1e-4
        assert (rest[~at_zero] < 1e-6).all()
        assert (f[~at_zero] > fold).all()
        assert at_zero[~below].all()
        if L == 1:
            assert not at_zero[below].any()
        elif label == "from small weights":
            assert 0 < at_zero[below].sum() < below.sum()


def test_zero_is_solid_where_it_is_stable(figure: Figure) -> None:
    for axes, L in zip(figure.axes, script.HIDDEN, strict=True):
        flat = [line for line in axes.get_lines() if np.asarray(line.get_ydata()).tolist() == [0, 0]]
        found = {line.get_linestyle(): np.asarray(line.get_xdata()).tolist() for line in flat}
        assert found["-"][0] == (1 if L == 1 else 0)
        assert found.get("--") == ([0, 1] if L == 1 else None)

"""What the figure of schedules plots, against the papers' numbers and plain computations."""

import math

import numpy as np
import pytest

import paper_figures
from paper_figures import schedules


@pytest.fixture(scope="module")
def panels():
    return dict(zip("abcdefghij", paper_figures.make("schedules").axes, strict=True))


def line(axes, label):
    (found,) = [line for line in axes.lines if line.get_label() == label]
    return found


def value(axes, label, epoch):
    """What a curve shows during an epoch."""
    x, y = line(axes, label).get_data()
    assert line(axes, label).get_drawstyle() == "steps-post"
    return y[np.searchsorted(x, epoch, side="right") - 1]


def test_curves(panels):
    epochs = [0, 17, 39, 40, 79, 80, 119, 120, 139, 140, 199]
    for t in epochs:
        assert value(panels["a"], "steps", t) == (0.1 if t < 80 else 0.02 if t < 140 else 0.004)
        assert value(panels["a"], "exponential", t) == pytest.approx(0.1 * 0.97**t, rel=1e-14)
        assert value(panels["a"], "cosine", t) == pytest.approx(0.05 * (1 + math.cos(math.pi * t / 200)), abs=1e-16)
        begin, period = (0, 40) if t < 40 else (40, 80) if t < 120 else (120, 160)
        restarted = 0.01 + 0.045 * (1 + math.cos(math.pi * (t - begin) / period))
        assert value(panels["a"], "restarts", t) == pytest.approx(restarted, rel=1e-13)
        assert value(panels["b"], "window", t) == (0 if not 40 <= t < 120 else 0.1 if t < 80 else 0.02)
        assert value(panels["b"], "sum", t) == pytest.approx(0.06 if t < 60 else 0.02)
        product = 0.05 * (1 + math.cos(math.pi * t / 200)) * 0.5 ** (t / 50)
        assert value(panels["b"], "product", t) == pytest.approx(product, abs=1e-16)


def test_rates_and_schemes_are_the_printed_ones(panels):
    """Epochs of the papers count from 1."""
    for epoch, rate, decays, sparsity in (
        (50, 0.1, (1e-4, 1e-4), 0.0),
        (101, 0.001, (8e-4, 4e-4), 0.5),
        (250, 0.00001, (16e-4, 8e-4), 0.5),
        (251, 0.1, (1e-4, 1e-4), 0.0),
        (311, 0.0001, (16e-4, 8e-4), 0.0),
        (450, 0.00001, (16e-4, 8e-4), 0.0),
    ):
        assert value(panels["c"], "Table 1", epoch - 1) == rate
        assert tuple(value(panels["d"], name, epoch - 1) for name in ("01", "02")) == decays
        assert value(panels["d"], "others", epoch - 1) == 1e-4
        assert value(panels["e"], "21", epoch - 1) == sparsity
        assert value(panels["e"], "22", epoch - 1) == (0.8 if sparsity else 0)
        assert value(panels["e"], "23", epoch - 1) == (0.3 if sparsity else 0)
        assert value(panels["e"], "01, 02", epoch - 1) == 0
    assert [value(panels["c"], "$L_2$ dynamics", t) for t in (0, 59, 60, 120, 180)] == pytest.approx(
        [0.2, 0.2, 0.04, 0.008, 0.0016]
    )
    assert line(panels["c"], "$L_2$ dynamics").get_xdata()[-1] == 200
    assert value(panels["c"], "Time Matters", 100) == pytest.approx(0.1 * 0.97**100)


def bars(axes):
    """(row, from, to) of every bar."""
    out = []
    for collection in axes.collections:
        for path in collection.get_paths():
            (x, y), (right, _) = path.vertices.min(axis=0), path.vertices.max(axis=0)
            out.append((round(y - 0.1), x, right))
    return out


def test_the_mask_is_whole_but_where_gradients_are_sparse(panels):
    found = bars(panels["f"])
    for begin, end in ((0, 100), (250, 450)):
        rows = [row for row, x, right in found if (x, right) == (begin, end)]
        assert sorted(rows) == list(range(schedules.PARAMETERS))
    kept = [row for row, x, right in found if (x, right) == (100, 250)]
    assert 0 < len(kept) < schedules.PARAMETERS
    # Kept with probability 1/2 each: within 4 standard deviations.
    assert abs(len(kept) - schedules.PARAMETERS / 2) <= 4 * math.sqrt(schedules.PARAMETERS / 4)
    assert len(found) == 2 * schedules.PARAMETERS + len(kept)


def test_decay_by_rate_meets_the_table_and_keeps_the_product(panels):
    for name, levels in (("01", (1e-4, 1e-4, 8e-4, 16e-4, 16e-4)), ("02", (1e-4, 1e-4, 4e-4, 8e-4, 8e-4))):
        lr, decay = line(panels["g"], f"scheme {name}").get_data()
        table = np.interp(np.log(lr), np.log([1e-5, 1e-4, 1e-3, 1e-2, 1e-1]), levels[::-1])
        np.testing.assert_allclose(decay, table, rtol=1e-12)
    lr, decay = line(panels["g"], "inverse of rate").get_data()
    np.testing.assert_allclose(decay, np.minimum(1e-5 / lr, 1e-2), rtol=1e-14)


def test_windows_are_25_epochs_apart_and_a_sliding_one_is_50_long(panels):
    spans = [(x, right) for _, x, right in bars(panels["h"])]
    onsets = range(0, 200, 25)
    on_until = [(0, t0) for t0 in (*onsets, 200) if t0]
    on_from = [(t0, 200 if t0 < 150 else 250) for t0 in onsets]
    assert spans == on_until + on_from + [(t0, t0 + 50) for t0 in onsets]


def test_auto_l2_decays_after_two_measurements_above_the_minimum(panels):
    steps, losses, parameters = schedules.auto_l2_run()
    np.testing.assert_array_equal(line(panels["i"], "loss").get_xydata(), np.stack((steps, losses), axis=1))
    np.testing.assert_array_equal(line(panels["i"], r"$\lambda$").get_ydata(), parameters)
    expected, least, pause = [0.5], losses[0], 0.0
    for k in range(1, len(steps)):
        now = expected[-1]
        if min(losses[k - 1], losses[k]) > least and steps[k] > pause:
            now /= 10
            pause = steps[k] + 10.0 / now
        expected.append(now)
        least = min(least, losses[k])
    assert parameters.tolist() == expected
    assert len(set(expected)) == 3
    # The net itself, in numpy: between measurements the decay stays what it is.
    w = np.array(schedules.START)
    for step in range(schedules.TRAINED):
        if step % 5 == 0:
            assert losses[step // 5] == pytest.approx((w.prod() - 1) ** 2, rel=1e-9)
        w = w - 0.02 * (2 * (w.prod() - 1) * w[::-1] + parameters[step // 5] * w)


def test_the_adaptive_rate_follows_the_weights(panels):
    rates = line(panels["j"], "rate").get_ydata()
    w = np.array(schedules.START)
    for step, rate in enumerate(rates):
        assert rate == pytest.approx(0.05 / (1 / w**2).sum(), rel=1e-9), step
        w = w - rate * 2 * ((w.prod() - 1) * w[::-1] + 0.05 * w)
    # Balanced under the decay, w^2 = 1 - 0.05: c w^2 / 2.
    assert rates[-1] == pytest.approx(0.025 * 0.95, rel=1e-3)
    (bound,) = line(panels["j"], "$c/2$").get_ydata()[:1]
    assert bound == 0.025

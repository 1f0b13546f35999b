"""What the figures plot, against an independent computation of every curve and of the dots' bounds."""

import itertools

import numpy as np
import pytest
import xarray as xr
from scipy.optimize import minimize_scalar

import paper_figures
from paper_figures import decay_bifurcation, k_range, loss_contour, run, sharpness_region, trajectories


@pytest.fixture(scope="module")
def figures():
    return {name: paper_figures.make(name) for name in ("fig1", "fig2", "k-range", "decay-bifurcation")}


def lines(axes, label):
    return [line for line in axes.lines if line.get_label() == label]


def test_fig1_contours_have_their_loss(figures):
    (axes,) = figures["fig1"].axes
    (contours,) = [c for c in axes.collections if not c.filled]
    assert tuple(contours.levels) == loss_contour.LEVELS
    step = 2 * loss_contour.SPAN / 400
    for level, path in zip(contours.levels, contours.get_paths(), strict=True):
        w1, w2 = path.vertices.T
        # Linear interpolation along a grid line is off by step^2 / 8 of the second derivative, 2 w^2 <= 18.
        assert np.abs((w1 * w2 - 1) ** 2 - level).max() <= 18 * step**2 / 8 + 1e-12
        assert len(w1) > 100


def test_fig1_minima(figures):
    (axes,) = figures["fig1"].axes
    (branch,) = lines(axes, "minima")
    assert np.allclose(branch.get_xdata() * branch.get_ydata(), 1, rtol=1e-14)
    (dots,) = lines(axes, "flattest minima")
    sharpness = 2 / branch.get_xdata() ** 2 + 2 / branch.get_ydata() ** 2
    assert (sharpness >= 4).all()
    assert sorted(map(tuple, dots.get_xydata())) == [(-1, -1), (1, 1)]  # where 2/w1^2 + 2/w2^2 = 4


def paths_of(axes):
    """The trajectories of a panel of Fig. 2, each (time, 2)."""
    return [line.get_xydata() for line in lines(axes, "trajectory")]


def test_fig2_flow_keeps_its_invariant_and_ends_in_a_minimum(figures):
    paths = paths_of(figures["fig2"].axes[0])
    assert len(paths) == len(trajectories.STARTS)
    for path, (a, b) in zip(paths, trajectories.STARTS, strict=True):
        assert tuple(path[0]) == (a, b)
        drift = path[:, 0] ** 2 - path[:, 1] ** 2 - (a**2 - b**2)
        assert np.abs(drift).max() < 1e-6
        assert path[-1].prod() == pytest.approx(1, abs=1e-6)
        assert np.all(np.diff((path.prod(axis=1) - 1) ** 2) <= 1e-12)


def test_fig2_weight_decay_agrees_with_a_loop_and_ends_balanced(figures):
    for path, start in zip(paths_of(figures["fig2"].axes[1]), trajectories.STARTS, strict=True):
        w1, w2 = start
        for seen in path[:200]:
            assert seen == pytest.approx((w1, w2), rel=1e-12)
            g, rate, mu = w1 * w2 - 1, trajectories.DECAY_RATE, trajectories.DECAY
            w1, w2 = w1 - 2 * rate * (g * w2 + mu * w1), w2 - 2 * rate * (g * w1 + mu * w2)
        # In 4000 steps w_1^2 - w_2^2 decays by exp(-4 mu rate 4000) = 0.0017; the product settles at 1 - mu.
        final = path[-1]
        assert final.prod() == pytest.approx(1 - trajectories.DECAY, abs=1e-3)
        assert abs(final[0] ** 2 - final[1] ** 2) < 0.02 * abs(start[0] ** 2 - start[1] ** 2) + 1e-9


def test_fig2_noise_stays_in_its_band_and_loses_imbalance(figures):
    delta = trajectories.HALF_WIDTH
    for path in paths_of(figures["fig2"].axes[2]):
        W = path.prod(axis=1)
        late = W[len(W) // 2 :]
        assert late.std() > 0.01  # it is not gradient descent
        assert np.mean((late > 1 - delta / (1 + delta)) & (late < 1 + delta / (1 - delta))) > 0.99
        imbalance = np.abs(path[:, 0] ** 2 - path[:, 1] ** 2)
        assert imbalance[-1] < 0.2 * imbalance[0]


def one_step_factor(weights):
    """k after one step by the definition, without the project's rules."""
    w = np.asarray(weights)
    W = np.prod(w)
    rate = 1 / (4 * np.sum(1 / w**2))
    return (np.prod(w - 2 * rate * (W - 1) * W / w) - 1) / (W - 1)


@pytest.mark.parametrize("W", [0.5001, 0.7, 0.99, 1.01, 1.3, 1.4999])
def test_k_range_edges_are_one_layer_and_the_deep_limit(W):
    one, deep = k_range.edges(np.array([W]))
    assert one.item() == pytest.approx(one_step_factor([W]), rel=1e-11)
    # prod(1 - x/d) = exp(-x - x^2 / (2 d) ...), and |dk/dprod| = W/|W - 1|
    x = (W - 1) * W / 2
    for depth in (1000, 100_000):
        deep_net = one_step_factor(np.full(depth, W ** (1 / depth)))
        assert abs(deep_net - deep.item()) <= 1.1 * W * np.exp(-x) / abs(W - 1) * x**2 / (2 * depth) + 1e-9


def test_k_range_dots_are_inside_and_would_show_a_wrong_edge(figures):
    axes = figures["k-range"].axes[0]
    (dots,) = lines(axes, "random nets, depth 1 to 64")
    W, k = dots.get_xdata(), dots.get_ydata()
    assert len(W) == 400
    low, high = np.sort(k_range.edges(W), axis=0)
    slack = 1e-13 * 64 / np.abs(W - 1)  # rounding of W(t+1) - 1 over W - 1
    assert (k >= low - slack).all()
    assert (k <= high + slack).all()
    assert not ((k >= low + 1e-3) & (k <= high - 1e-3)).all()  # the edges are met: nothing narrower holds
    sharp = {"W < 1": k[W < 1], "W > 1": k[W > 1]}
    assert ((sharp["W < 1"] > 1 / 2) & (sharp["W < 1"] < 7 / 8)).all()
    assert ((sharp["W > 1"] > -1 / 8) & (sharp["W > 1"] < 1 / 2)).all()
    for left, _, bound, _ in k_range.PRINTED:
        assert any(np.all(line.get_ydata() == bound) and line.get_xdata()[0] == left for line in axes.lines)


def minimum_with(squares):
    """(D, largest eigenvalue of the dense Hessian of the loss) at the minimum with these w_i^2."""
    v = 1 / np.sqrt(squares)
    return np.max(squares) - np.min(squares), np.linalg.eigvalsh(2 * np.outer(v, v))[-1]


@pytest.mark.parametrize("depth", sharpness_region.DEPTHS)
def test_sharpness_region_holds_every_minimum(depth):
    rng = np.random.default_rng(depth)
    slack = 1e-6  # of the interpolated curves
    seen = {"low": np.inf, "high": np.inf}
    for _ in range(3000):
        log = rng.normal(size=depth) * rng.uniform(0.05, 1.5)
        if rng.random() < 0.5:  # push layers to the two ends, where the sharpest are
            log = np.where(rng.random(depth) < 0.7, rng.choice([log.min(), log.max()], depth), log)
        D, sharpness = minimum_with(np.exp(log - log.mean()))
        low, high = sharpness_region.flattest(depth, D), sharpness_region.sharpest(depth, D)
        assert low * (1 - slack) <= sharpness <= high * (1 + slack)
        seen["low"] = min(seen["low"], sharpness / low - 1)
        seen["high"] = min(seen["high"], 1 - sharpness / high)
    assert max(seen.values()) < 0.01  # both edges are come near: a narrower region would be left


@pytest.mark.parametrize("D", [0.1, 1.0, 3.7])
def test_sharpness_of_two_layers_is_a_curve(D):
    for edge in (sharpness_region.flattest, sharpness_region.sharpest):
        assert edge(2, D) == pytest.approx(2 * np.sqrt(D**2 + 4), rel=1e-6)


@pytest.mark.parametrize("depth", [3, 5])
@pytest.mark.parametrize("D", [0.3, 1.0, 3.0])
def test_sharpness_edges_are_attained(depth, D):
    def smallest_total(least):
        """Sum of 1/u over u = least, least + D, and the others equal; infinite if those are not between."""
        other = (least * (least + D)) ** (-1 / (depth - 2))
        if not least <= other <= least + D:
            return np.inf
        return 1 / least + 1 / (least + D) + (depth - 2) / other

    grid = np.geomspace(1e-3, 1, 200_001)
    assert sharpness_region.flattest(depth, D) == pytest.approx(2 * min(map(smallest_total, grid)), rel=1e-6)
    totals = []
    for small in range(1, depth):
        least = grid[np.argmin(np.abs(small * np.log(grid) + (depth - small) * np.log(grid + D)))]
        totals.append(2 * (small / least + (depth - small) / (least + D)))
    assert sharpness_region.sharpest(depth, D) == pytest.approx(max(totals), rel=1e-3)  # the grid's step is 3e-5


def decayed_loss(weights, mu):
    return (np.prod(weights) - 1) ** 2 + mu * np.sum(np.asarray(weights) ** 2)


def numerical_hessian(weights, mu, h=1e-4):
    d = len(weights)
    unit = np.eye(d) * h
    out = np.empty((d, d))
    for i, j in itertools.product(range(d), repeat=2):
        signs = ((1, 1), (1, -1), (-1, 1), (-1, -1))
        terms = [s * t * decayed_loss(weights + s * unit[i] + t * unit[j], mu) for s, t in signs]
        out[i, j] = sum(terms) / (4 * h * h)
    return out


@pytest.mark.parametrize("depth", decay_bifurcation.DEPTHS)
def test_bifurcation_branches_are_equilibria_with_their_stability(figures, depth):
    axes = figures["decay-bifurcation"].axes[decay_bifurcation.DEPTHS.index(depth)]
    critical = lines(axes, r"$\mu_c$")[0].get_xdata()[0] if depth > 1 else np.inf
    for label, stable in (("stable", True), ("unstable", False)):
        points = np.concatenate([line.get_xydata() for line in lines(axes, label)] or [np.empty((0, 2))])
        # Where an eigenvalue crosses 0 (mu = 0, mu_c) finite differences cannot tell its sign.
        mu = points[:, 0]
        clear = points[np.isfinite(points[:, 1]) & (mu > 0.01) & (np.abs(mu / critical - 1) > 0.01)]
        assert len(clear) > 20 or (depth == 1 and not stable)
        for mu, w in clear[::5]:
            gradient = 2 * (w**depth - 1) * w ** (depth - 1) + 2 * mu * w
            assert abs(gradient) < 1e-12
            lowest = np.linalg.eigvalsh(numerical_hessian(np.full(depth, w), mu))[0]
            assert (lowest > 1e-5) if stable else (lowest < -1e-5)


@pytest.mark.parametrize("depth", [3, 5])
def test_bifurcation_marks_the_largest_decay_with_an_equilibrium(figures, depth):
    axes = figures["decay-bifurcation"].axes[decay_bifurcation.DEPTHS.index(depth)]
    best = minimize_scalar(lambda w: -(w ** (depth - 2)) * (1 - w**depth), bounds=(0, 1), options={"xatol": 1e-12})
    (mark,) = lines(axes, r"$\mu_c$")
    assert mark.get_xdata()[0] == pytest.approx(-best.fun, rel=1e-12)
    assert mark.get_ydata()[0] == pytest.approx(best.x, abs=1e-6)


# The figures of a training run


def dataset(trajectories_count, steps=50):
    step = np.arange(steps + 1)
    rates = np.linspace(0.05, 0.2, trajectories_count)
    loss = np.exp(-np.outer(step, rates))
    x = np.linspace(-1, 4, 7)
    return xr.Dataset(
        {
            "loss": (("step", "trajectory"), loss),
            "layer_imbalance": (("step", "trajectory"), 1 + loss),
            "x": ("sample", x),
            "y": ("sample", x**2),
            "least_squares": ("sample", 3 * x),
            "prediction": ("sample", 2.5 * x),
        },
        {"step": step},
        {"x_name": "dose ($)", "y_name": "a_b^c"},
    )


def test_training_figure_plots_the_recorded_values():
    few = dataset(3)
    left, right = paper_figures.drawn(run.draw_training, run.TRAINING_SIZE, few).axes
    assert [line.get_ydata().tolist() for line in left.lines] == few["loss"].values.T.tolist()
    assert [line.get_ydata().tolist() for line in right.lines] == few["layer_imbalance"].values.T.tolist()
    assert (left.get_yscale(), right.get_yscale()) == ("log", "linear")
    assert right.get_ylim()[0] == 0
    assert right.get_ylim()[1] > float(few["layer_imbalance"].max())
    many = dataset(41)
    many["loss"][1, 7] = 1e-30  # one net alone, which is not drawn, does not set the scale
    left, _ = paper_figures.drawn(run.draw_training, run.TRAINING_SIZE, many).axes
    (median,) = left.lines
    assert np.array_equal(median.get_ydata(), np.median(many["loss"], axis=1))
    low, high = np.quantile(many["loss"], (0.1, 0.9), axis=1)
    assert left.get_ylim() == (low.min() / 2, high.max() * 2)


def test_fit_figure_plots_the_lines_in_the_users_units(tmp_path):
    data = dataset(1)
    figure = paper_figures.drawn(run.draw_fit, run.FIT_SIZE, data)
    drawn = {line.get_label(): line.get_xydata().tolist() for line in figure.axes[0].lines}
    assert drawn["least squares"] == [[-1, -3], [4, 12]]
    assert drawn["trained nets (mean)"] == [[-1, -2.5], [4, 10]]
    assert len(drawn["data"]) == 7
    (path,) = paper_figures.save(figure, tmp_path / "fit", ("png",))  # names like "dose ($)" are no mathematics
    assert path.stat().st_size > 1000

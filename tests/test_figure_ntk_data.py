"""What the figures of wide networks under L2 show, against equations solved in other ways."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure
from scipy.integrate import quad, solve_ivp
from scipy.linalg import expm
from scipy.optimize import minimize_scalar
from sklearn.datasets import load_digits

import paper_figures
from paper_figures import lewkowycz_5a, lewkowycz_5c, ntk_phase, ntk_power_laws


@pytest.fixture(scope="module")
def figures() -> dict[str, Figure]:
    return {name: paper_figures.make(name) for name in ("lewkowycz-5a", "lewkowycz-5b", "ntk-phase", "ntk-power-laws")}


def lines(axes) -> dict[str, np.ndarray]:
    """Every labelled line of a panel, (point, 2)."""
    return {str(line.get_label()): line.get_xydata() for line in axes.get_lines() if line.get_label()[0] != "_"}


def mode_by_quadrature(s: float, ratio: float, degree: float) -> float:
    """f/y from f(0) = 0 at lambda t = s by eq. 3, the exponents put together so that nothing overflows."""
    m = 2 * (degree - 1)

    def integrand(back: float) -> float:
        u = s - back
        learned = ratio * (math.exp(-m * u) * -math.expm1(-m * back) / m if m else back)
        return ratio * math.exp(-m * u - learned - degree * back)

    width = min(s, 40 / (ratio * math.exp(-m * s) + degree))
    points = sorted({width * 2.0**-j for j in range(12)} - {s})
    return quad(integrand, 0, s, points=points, limit=400, epsabs=0, epsrel=1e-11)[0]


# Figures 5a and 5b


@pytest.mark.parametrize(("name", "degree"), [("lewkowycz-5a", 2), ("lewkowycz-5b", 1)])
def test_modes_solve_the_equation_of_motion(figures, name, degree):
    drawn = lines(figures[name].axes[0])
    l2 = 0.01
    for label, gamma in ((r"$\gamma/\lambda = 100$", 1.0), (r"$\gamma/\lambda = 0.01$", 1e-4)):

        def flow(t, f, gamma=gamma):
            return -gamma * np.exp(-2 * (degree - 1) * l2 * t) * (f - 1) - degree * l2 * f

        t, f = drawn[label].T
        found = solve_ivp(flow, (0, t[-1]), [lewkowycz_5a.START], "LSODA", t, rtol=1e-10, atol=1e-12)
        np.testing.assert_allclose(f, found.y[0], rtol=0, atol=1e-8)
        end = 0 if degree == 2 else gamma / (gamma + l2)
        assert f[-1] == pytest.approx(end, abs=1e-9)


def test_the_star_is_where_the_learned_mode_is_nearest(figures):
    drawn = lines(figures["lewkowycz-5a"].axes[0])
    ((label, star),) = [(label, points) for label, points in drawn.items() if label.startswith("nearest")]
    ((time, value),) = star
    t, f = drawn[r"$\gamma/\lambda = 100$"].T
    best = np.argmin(np.abs(f - 1))
    assert t[best - 1] < time < t[best + 1]
    assert 0 <= value - f[best] < 1e-5
    assert f"{time * 0.01:.2f}" in label
    assert not [label for label in lines(figures["lewkowycz-5b"].axes[0]) if label.startswith("nearest")]


# Figure 5c


def digits() -> tuple[np.ndarray, np.ndarray]:
    """The images and labels that the figure is drawn from."""
    data: Any = load_digits()
    chosen = np.random.default_rng(0).permutation(1797)[:200]
    x = data.data[chosen]
    return x / x.max(), np.where(data.target[chosen] % 2, -1.0, 1.0)


def relu_kernels(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """K and Theta of one hidden layer, by arc-cosines (Cho and Saul 2009; Jacot et al. 2018)."""
    inner = x @ x.T / x.shape[1]
    norm = np.sqrt(np.outer(np.diag(inner), np.diag(inner)))
    angle = np.arccos(np.clip(inner / norm, -1, 1))
    K = norm * (np.sin(angle) + (np.pi - angle) * np.cos(angle)) / (2 * np.pi)
    return K, K + inner * (np.pi - angle) / (2 * np.pi)


@pytest.fixture
def records(tmp_path, monkeypatch):
    """An empty folder of records, in place of the checkout's."""
    monkeypatch.delenv("LINREG_DYN_DATA", raising=False)
    folder = tmp_path / "records"
    folder.mkdir()
    monkeypatch.setenv("LINREG_DYN_RECORDS", str(folder))
    return folder


@pytest.mark.usefixtures("records")
def test_losses_are_the_mean_over_random_networks():
    """The mean output by an integrator, the covariance by matrix exponentials."""
    (axes,) = paper_figures.make("lewkowycz-5c").axes
    drawn = lines(axes)
    assert axes.get_title() == "digits, infinite width"
    x, y = digits()
    K, Theta = relu_kernels(x)
    l2, unit = 0.002, np.eye(200)
    for label, degree in (("linear model, $k = 1$", 1), ("network, $k = 2$", 2)):
        t, loss = drawn[label].T
        some = t[::40]

        def flow(t, f, degree=degree):
            return -np.exp(-2 * (degree - 1) * l2 * t) * (Theta @ (f - y)) - degree * l2 * f

        def jacobian(t, f, degree=degree):
            return -np.exp(-2 * (degree - 1) * l2 * t) * Theta - degree * l2 * unit

        mean = solve_ivp(flow, (0, some[-1]), 0 * y, "BDF", some, jac=jacobian, rtol=1e-6, atol=1e-8).y
        for now, m, seen in zip(some, mean.T, loss[::40], strict=True):
            grown = now if degree == 1 else -np.expm1(-2 * l2 * now) / (2 * l2)
            decay = expm(-Theta * grown - degree * l2 * now * unit)
            expected = 0.5 * np.sum((m - y) ** 2) + 0.5 * np.trace(decay @ K @ decay)
            assert seen == pytest.approx(expected, rel=1e-4)
    ((time, least),) = next(points for name, points in drawn.items() if name.startswith("minimum"))
    t, loss = drawn["network, $k = 2$"].T
    assert t[np.argmin(loss) - 1] < time < t[np.argmin(loss) + 1]
    assert 0 <= loss.min() - least < 1e-3 * least


@pytest.mark.usefixtures("records")
def test_mnist_is_used_where_it_is(tmp_path, monkeypatch):
    folder = tmp_path / "data"
    folder.mkdir()
    monkeypatch.setenv("LINREG_DYN_DATA", str(folder))
    assert lewkowycz_5c.theory().source == "digits"
    rng = np.random.default_rng(1)
    arrays = {"x_train": rng.integers(0, 256, (230, 5, 5), np.uint8), "x_test": np.zeros((1, 5, 5), np.uint8)}
    np.savez(folder / "mnist.npz", y_train=np.arange(230) % 10, y_test=np.zeros(1, int), **arrays)
    found = lewkowycz_5c.theory()
    assert found.source == "MNIST"
    x = arrays["x_train"][np.random.default_rng(0).permutation(230)[:200]].reshape(200, -1)
    expected = np.linalg.eigvalsh(relu_kernels(x / x.max())[1])[::-1]
    np.testing.assert_allclose(found.eigenvalues, expected, rtol=1e-8)


ARRAYS = ("linear", "quadratic", "network")


def record(folder, scale: str, offset: float, differs: str = "") -> Path:
    """A record of two seeds as `python -m validation run` would write it, of losses that tell what they are."""
    pytest.importorskip("torch")
    from validation import records
    from validation.core import Experiment, Measured, Prediction, Setting

    prediction = Prediction("distance", "small", high=1.0)
    setting = Setting({"width": 8, "offset": offset}, (prediction,), 2, differs)

    def measure(values, seed, context):
        raise AssertionError("a toy, not to be run")

    toy = Experiment("lewkowycz.kernel-vs-network", "Toy", "nobody", "It holds.", {scale: setting}, measure)
    time = np.array([1.0, 10.0, 100.0])
    measured = []
    for seed in range(2):
        losses = {name: np.array([3.0, 2.0, 1.0]) + offset + seed + j for j, name in enumerate(ARRAYS)}
        measured.append(Measured({"distance": 0.5}, {"t": time, **losses}))
    return records.write(toy.spec(scale), measured, seconds=1.0, device={"kind": "cpu"}, folder=folder)


def test_a_trained_network_is_drawn_from_its_record(records):
    differs = "40 digits, not 200; l2 = 0.05, a good deal more than 0.002"
    record(records, "quick", 10.0, differs)
    panels = paper_figures.make("lewkowycz-5c").axes
    assert [axes.get_title() for axes in panels] == ["digits, infinite width", "measured (quick), finite width"]
    assert [" ".join(text.get_text().split()) for text in panels[1].texts] == [differs]
    drawn = lines(panels[1])
    shown = [drawn[name][:, 1].tolist() for name in ("linear model, $k = 1$", "network, $k = 2$", "trained network")]
    assert shown == [[13, 12, 11], [14, 13, 12], [15, 14, 13]]
    assert drawn["trained network"][:, 0].tolist() == [1, 10, 100]
    record(records, "gpu", 20.0)
    drawn = lines(paper_figures.make("lewkowycz-5c").axes[1])
    assert drawn["trained network"][:, 1].tolist() == [25, 24, 23]


def test_damaged_records_are_not_drawn(records):
    path = record(records, "quick", 10.0)
    for damaged in (path, path.with_suffix(".npz")):
        whole = damaged.read_bytes()
        damaged.write_bytes(whole.replace(b"Toy", b"Boy") + b"\n")
        with pytest.raises(ValueError, match=f"{damaged.name}: it was changed"):
            paper_figures.make("lewkowycz-5c")
        damaged.write_bytes(whole)
    path.with_suffix(".npz").unlink()
    with pytest.raises(ValueError, match=f"{path.stem}.npz: No such file"):
        paper_figures.make("lewkowycz-5c")


# The phase picture


def logit(f):
    return np.log(f) - np.log1p(-f)


@pytest.mark.parametrize("panel", range(2))
def test_shades_are_between_their_levels(figures, panel):
    """Every corner of a shade, but for linear interpolation: h^2/8 of the second derivative, see below."""
    axes = figures["ntk-phase"].axes[panel]
    degree = ntk_phase.DEGREES[panel][0]
    (filled,) = axes.collections
    edges = logit(np.array([1e-5, 1e-4, 1e-3, 1e-2, 0.1, 0.5, 0.9, 0.99, 0.999]))
    edges = np.r_[-np.inf, edges, np.inf]
    paths = filled.get_paths()
    assert len(paths) == len(edges) - 1
    # Along log t at late times logit f falls by k lambda t, along log gamma at early ones 1 - f by gamma t: both are
    # at most 30 where f is between the levels, and so are their second derivatives; the steps are log(10) / 20.
    slack = (math.log(10) / 20) ** 2 / 8 * 30
    rng, seen = np.random.default_rng(panel), 0
    for low, high, path in zip(edges[:-1], edges[1:], paths, strict=True):
        for ratio, s in rng.permutation(path.vertices)[:40]:
            f = mode_by_quadrature(s, ratio, degree)
            assert low - slack <= logit(max(f, 1e-300)) <= high + slack
            seen += 1
    assert seen > 300


def test_the_solid_line_is_where_learning_and_forgetting_balance(figures):
    drawn = lines(figures["ntk-phase"].axes[0])
    line = drawn["nearest to the label"]
    assert "nearest to the label" not in lines(figures["ntk-phase"].axes[1])
    assert line[:, 0].tolist() == ntk_phase.RATIOS.tolist()
    for ratio, s in line[::16]:
        rates = [
            ratio * math.exp(-2 * x) * (1 - f) - 2 * f
            for x in (s * (1 - 1e-5), s * (1 + 1e-5))
            for f in [mode_by_quadrature(x, ratio, 2)]
        ]
        assert rates[0] > 0 > rates[1]
    for name, t in ((r"$t = 1/\gamma$", 1 / ntk_phase.RATIOS), (r"$t = 1/\lambda$", np.ones(161))):
        np.testing.assert_allclose(drawn[name][:, 1], t, rtol=1e-14)


# Power laws


def minimum(gamma: np.ndarray, power: np.ndarray, degree: float) -> float:
    """lambda t of the lowest loss at lambda = 1, from modes by Gauss's rule after Duhamel's formula."""
    nodes, weights = np.polynomial.legendre.leggauss(24)
    m = 2 * (degree - 1)

    def loss(log_s: float) -> float:
        """The residual is A + int_0^s k A(s) / A(u) du: what was forgotten and not learned again."""
        s = math.exp(log_s)
        ends = s * np.r_[0, 2.0 ** np.arange(-60, 1)]  # backwards in time from s
        half = np.diff(ends)[:, None] / 2
        back = (ends[:-1, None] + half * (1 + nodes)).ravel()
        weight = (half * weights).ravel()
        learned = np.exp(-m * (s - back)) * -np.expm1(-m * back) / m
        forgotten = degree * np.exp(-np.outer(gamma, learned) - degree * back) @ weight
        start = np.exp(gamma * np.expm1(-m * s) / m - degree * s)
        return float(np.sum(power * (start + forgotten) ** 2))

    best = minimize_scalar(loss, bracket=(math.log(0.02), math.log(0.5 / degree)), tol=1e-10)
    return math.exp(best.x)


@pytest.mark.parametrize(("degree", "index"), [(2, 0), (2, 4), (4, 6)])
def test_the_constant_is_that_of_a_long_spectrum(figures, degree, index):
    drawn = lines(figures["ntk-power-laws"].axes[0])
    rho, c = drawn[f"$k = {degree}$"][2 + index]
    reach = 1e8
    gamma = np.geomspace(1 / reach, reach, 401)
    ends = reach ** -(1 + rho) + degree**2 * reach ** (rho - 2)
    assert minimum(gamma, gamma**rho, degree) == pytest.approx(c, rel=10 * ends + 2e-6)


@pytest.mark.parametrize("degree", [2, 4])
def test_the_line_of_the_constant_has_no_corners_up_to_its_end(figures, degree):
    axes = figures["ntk-power-laws"].axes[0]
    rho, c = lines(axes)[f"$k = {degree}$"][1:-1].T
    inside = (rho > -1) & (rho <= 2)
    x, y = axes.transData.transform(np.column_stack([rho, c])[inside]).T
    turns = np.diff(np.unwrap(np.arctan2(np.diff(y), np.diff(x))))
    assert np.abs(turns).max() < math.radians(10)  # of 50 to 70 in all; one of 20 is seen as a corner


def test_the_constant_beyond_its_ends(figures):
    for degree, first in ((2, 0.5), (4, math.log(1.5) / 2)):
        rho, c = lines(figures["ntk-power-laws"].axes[0])[f"$k = {degree}$"].T
        assert c[rho <= -1] == pytest.approx(first, rel=1e-15)
        assert (c[rho >= 2] == 0).all()
        assert np.all(np.diff(c[(rho >= -1) & (rho <= 2)]) < 0)


def test_marks_are_minima_of_finite_spectra(figures):
    left, right = figures["ntk-power-laws"].axes
    a = np.arange(1, 101.0)
    for rho, c in lines(left)["100 modes"][::6]:
        assert minimum(a**-2 * 100, a ** -(1 + 2 * rho), 2) == pytest.approx(c, rel=1e-6)
    a = np.arange(1, ntk_power_laws.MODES + 1.0)
    for rho, label in ((0.5, r"$\rho = 0.5$"), (4.0, r"$\rho = 4$")):
        for l2, c in lines(right)[label][6::6]:
            assert minimum(a**-2 / l2, a ** -(1 + 2 * rho), 2) == pytest.approx(c, rel=1e-5)


def test_laws_are_powers_that_the_marks_follow(figures):
    right = figures["ntk-power-laws"].axes[1]
    laws = [line.get_xydata() for line in right.get_lines() if line.get_label()[0] == "_" and len(line.get_xdata()) > 2]
    assert len(laws) == 3
    for (l2, c), (rho, slope, error) in zip(
        map(np.transpose, laws), ((0.5, 0, 0.003), (1.25, 0, 0.01), (4, 0.4, 0.04)), strict=True
    ):
        np.testing.assert_allclose(np.diff(np.log(c)), slope * np.diff(np.log(l2)), atol=1e-12)
        marks = lines(right)[rf"$\rho = {rho:g}$"]
        l2_of, found = marks[9]  # between gamma_N and gamma_1
        assert found == pytest.approx(np.exp(np.interp(np.log(l2_of), np.log(l2), np.log(c))), rel=error)

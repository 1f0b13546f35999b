"""Dual activations, compiled and on tensors: against mpmath, digit by digit, and against the integrals they are."""

from itertools import pairwise

import mpmath
import numpy as np
import pytest
import torch
from numba import njit

from linreg_dyn.ntk import _duals
from linreg_dyn.ntk._activations import activation_of
from tests.wide_nets import EPS, exact_dual

pytestmark = pytest.mark.usefixtures("one_thread")


def compiled_dual(function):
    def over(minus, plus, parameters, out):
        for i in range(minus.size):
            out[0, i], out[1, i], out[2, i] = function(minus[i], plus[i], *parameters)

    dispatcher = njit(over)

    def run(minus, plus, *parameters):
        out = np.empty((3, minus.size))
        dispatcher(minus, plus, parameters, out)
        return out

    return run


def tensor_dual(function):
    def run(minus, plus, *parameters):
        scalars = [torch.tensor(p, dtype=torch.float64) for p in parameters]
        return np.stack([t.numpy() for t in function(torch.from_numpy(minus), torch.from_numpy(plus), *scalars)])

    return run


def correlations():
    """`1 - c` and `1 + c` from 1e-40 over 1 to 2 - 1e-40."""
    small = np.concatenate([[0.0], np.logspace(-40, 0, 81), np.linspace(0.001, 0.999, 57)])
    return np.concatenate([small, 2 - small]), np.concatenate([2 - small, small])


def exact_correlations():
    minus, plus = correlations()
    pairs = zip(minus.tolist(), plus.tolist(), strict=True)
    return [1 - mpmath.mpf(m) if m < 1 else mpmath.mpf(p) - 1 for m, p in pairs]


@pytest.mark.parametrize("form", [compiled_dual, tensor_dual])
@pytest.mark.parametrize("slope", [0.0, 0.3, 1.0, -0.5, -1.0])
def test_rectified_pairs(form, slope):
    minus, plus = correlations()
    kind = activation_of("leaky_relu", slope)
    less, more, slopes = form(_duals.rectified)(minus, plus, kind.bend, kind.straight)
    with mpmath.workdps(100):
        for k, c in enumerate(exact_correlations()):
            gain = (1 + mpmath.mpf(slope) ** 2) / 2
            image, derivative = (v / gain for v in exact_dual(slope, mpmath.mpf(1), c, mpmath.mpf(1)))
            # Roots of both are what angles are made of: their errors are what the next layer sees.
            assert abs(mpmath.sqrt(less[k]) - mpmath.sqrt(1 - image)) <= 4 * EPS, (slope, c)
            assert abs(mpmath.sqrt(more[k]) - mpmath.sqrt(1 + image)) <= 4 * EPS, (slope, c)
            assert abs(slopes[k] - derivative) <= 3 * EPS, (slope, c)


@pytest.mark.parametrize("form", [compiled_dual, tensor_dual])
@pytest.mark.parametrize(("r1", "r2"), [(1.0, 1.0), (0.7, 2.0), (1e-3, 30.0), (1e-12, 1e-12), (1e6, 1e-6)])
def test_erf_pairs(form, r1, r2):
    minus, plus = correlations()
    kind = activation_of("erf")
    o1, o2 = (np.sqrt(kind.second_moment(np.array(r**2))) for r in (r1, r2))
    less, more, slopes = form(_duals.error_function)(minus, plus, r1, r2, o1, o2)
    with mpmath.workdps(100):
        q11, q22 = mpmath.mpf(r1) ** 2, mpmath.mpf(r2) ** 2
        norm = mpmath.sqrt(exact_dual(None, q11, q11, q11)[0] * exact_dual(None, q22, q22, q22)[0])
        for k, c in enumerate(exact_correlations()):
            image, derivative = exact_dual(None, q11, mpmath.mpf(r1) * mpmath.mpf(r2) * c, q22)
            assert abs((more[k] - less[k]) / 2 - image / norm) <= 8 * EPS, c
            assert min(less[k], more[k]) >= 0
            assert less[k] + more[k] == 2
            assert r1 != r2 or min(minus[k], plus[k]) > 0 or (less[k], more[k]) == (minus[k], plus[k])
            assert abs(slopes[k] / derivative - 1) <= 16 * EPS, c


@pytest.mark.parametrize("name", ["relu", "leaky_relu", "linear", "erf"])
@pytest.mark.parametrize("cosine", [-0.999, -0.3, 0.0, 0.6, 0.9999])
def test_the_formulas_are_the_integrals(name, cosine):
    slope = {"relu": 0.0, "leaky_relu": 0.3, "linear": 1.0, "erf": None}[name]
    if slope is None:  # smooth: Gauss-Hermite in two dimensions
        nodes, weights = np.polynomial.hermite_e.hermegauss(120)
        erf, steep = np.vectorize(lambda x: float(mpmath.erf(x))), lambda x: 2 / np.sqrt(np.pi) * np.exp(-(x**2))
        v = cosine * nodes[:, None] + np.sqrt(1 - cosine**2) * nodes
        got = [weights @ (f(nodes)[:, None] * f(v)) @ weights / (2 * np.pi) for f in (erf, steep)]
        tolerance = 1e-10
    else:  # homogeneous: the angle is left, piece by piece between its kinks
        angle = float(np.arccos(cosine))
        kinks = [np.pi / 2, 3 * np.pi / 2, angle + np.pi / 2, (angle - np.pi / 2) % (2 * np.pi)]
        edges = sorted({0.0, *kinks, 2 * np.pi})

        def phi(x):
            return max(x, 0) + slope * min(x, 0)

        def derivative(x):
            return 1.0 if x > 0 else slope

        def mean(f):
            return sum(mpmath.quad(lambda t: f(mpmath.cos(t)) * f(mpmath.cos(t - angle)), e) for e in pairwise(edges))

        got = [float(mean(phi)) / np.pi, float(mean(derivative)) / (2 * np.pi)]
        tolerance = 1e-13
    with mpmath.workdps(30):
        exact = exact_dual(slope, mpmath.mpf(1), mpmath.mpf(cosine), mpmath.mpf(1))
    assert np.allclose(got, np.array(exact, dtype=float), rtol=0, atol=tolerance)

"""Infinitely wide networks to test with: their options, delicate samples, and their kernels in mpmath."""

import mpmath
import numpy as np
import pytest

EPS = np.finfo(float).eps
NETS = {
    "linear": {"activation": "linear"},
    "relu": {"activation": "relu"},
    "relu, biases": {"activation": "relu", "weight_std": 1.3, "bias_std": 0.4},
    "leaky": {"activation": "leaky_relu", "slope": 0.2, "weight_std": 1.4, "bias_std": [0.1, 0.0, 0.5]},
    "modulus": {"activation": "leaky_relu", "slope": -1.0},
    "erf": {"activation": "erf", "weight_std": [1.5, 2.0, 0.7], "bias_std": 0.2},
}
every_net = pytest.mark.parametrize("net", NETS.values(), ids=NETS)


def samples(count, features=7, seed=0):
    return np.random.default_rng(seed).standard_normal((count, features))


def delicate():
    """Samples that nearly or fully coincide, are opposite, multiples, tiny, huge or zero."""
    x = samples(12)
    x[1] = x[0]
    x[2] = x[0] * (1 + 1e-8 * x[3])
    x[4] = -x[0] * (1 - 1e-11 * x[5])
    x[6] = 3 * x[0]
    x[7] = -x[0]
    x[8] = 0
    x[9] = 1e-40 * x[0]
    x[10] *= 1e30
    x[11] = x[0] + 0.04 * x[5]  # on the other side of where differences are taken
    return x


def exact_dual(slope, q11, q12, q22):
    """`E[phi phi']` and `E[phi' phi']` in mpmath; slope None for erf."""
    if slope is None:
        deviations = mpmath.sqrt((1 + 2 * q11) * (1 + 2 * q22))
        det = (1 + 2 * q11) * (1 + 2 * q22) - 4 * q12**2
        return 2 / mpmath.pi * mpmath.asin(2 * q12 / deviations), 4 / mpmath.pi / mpmath.sqrt(det)
    scale = mpmath.sqrt(q11 * q22)
    if scale == 0:
        return mpmath.mpf(0), mpmath.mpf(0)  # what it multiplies is 0
    cosine = max(min(q12 / scale, mpmath.mpf(1)), mpmath.mpf(-1))
    angle = mpmath.acos(cosine)
    bend = (1 - mpmath.mpf(slope)) ** 2 / (2 * mpmath.pi)
    slopes = (1 + mpmath.mpf(slope) ** 2) / 2 - bend * angle
    return scale * (bend * mpmath.sin(angle) + slopes * cosine), slopes


def exact_kernels(x1, x2, hidden_layers, activation, slope=None, weight_std=1.0, bias_std=0.0):
    """(K, Theta) between two samples."""
    slope = {"linear": 1.0, "relu": 0.0, "leaky_relu": slope, "erf": None}[activation]
    weights = [mpmath.mpf(w) ** 2 for w in np.broadcast_to(weight_std, hidden_layers + 1).tolist()]
    biases = [mpmath.mpf(b) ** 2 for b in np.broadcast_to(bias_std, hidden_layers + 1).tolist()]
    a, b = [mpmath.mpf(float(v)) for v in x1], [mpmath.mpf(float(v)) for v in x2]
    q11, q12, q22 = (weights[0] * mpmath.fdot(u, v) / len(a) + biases[0] for u, v in ((a, a), (a, b), (b, b)))
    theta = q12
    for w, c in zip(weights[1:], biases[1:], strict=True):
        cross, slopes = exact_dual(slope, q11, q12, q22)
        q11, q22 = (w * exact_dual(slope, q, q, q)[0] + c for q in (q11, q22))
        q12 = w * cross + c
        theta = q12 + w * slopes * theta
    return q12, theta


def largest_error(kernels, x, options):
    """Against mpmath, relative to the deviations of both samples: (of K, of Theta), each a matrix."""
    with mpmath.workdps(200):  # variances of 1e60 appear squared beside 1
        exact = [[exact_kernels(a, b, **options) for b in x] for a in x]
        errors = []
        for which, got in enumerate(kernels):
            scale = [mpmath.sqrt(exact[i][i][which]) or mpmath.mpf(1) for i in range(len(x))]
            matrix = [
                [float(abs(got[i, j] - exact[i][j][which]) / scale[i] / scale[j]) for j in range(len(x))]
                for i in range(len(x))
            ]
            errors.append(np.array(matrix))
    return errors


# An inner product of d features has an error of d eps / 2; where differences are not taken yet, an angle has at most
# 1 / (pi sin(angle)) = 7 times that, relative to pi; some ten roundings a layer beside it.
TOLERANCE = (7 * 7 / 2 + 10 * 3) * EPS

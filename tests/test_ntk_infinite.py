"""Kernels of infinite width: against neural-tangents, mpmath, quadrature, random networks, and themselves."""

import json
import re
from itertools import pairwise

import mpmath
import numpy as np
import pytest
import torch
from numba import njit

from linreg_dyn.ntk import _duals, infinite
from linreg_dyn.ntk._activations import activation_of
from linreg_dyn.ntk.infinite import infinite_width
from tests import neural_tangents_numbers

torch.set_num_threads(1)
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


# What the kernels are, in mpmath.


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


def plain_relu(x, hidden_layers):
    """What one writes at first: an arccosine of whole matrices."""
    K = x @ x.T / x.shape[1]
    theta = K
    for _ in range(hidden_layers):
        scale = np.sqrt(np.outer(K.diagonal(), K.diagonal()))
        cosine = np.clip(K / np.where(scale > 0, scale, 1), -1, 1)
        angle = np.arccos(cosine)
        K = scale * (np.sqrt(1 - cosine**2) + (np.pi - angle) * cosine) / (2 * np.pi)
        theta = K + theta * (np.pi - angle) / (2 * np.pi)
    return theta


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


@every_net
@pytest.mark.parametrize("device", [None, "cpu"])
def test_near_opposite_and_zero_samples_keep_their_digits(net, device):
    x = delicate()
    options = {"hidden_layers": 2, **net}
    kernels = infinite_width(x, kind="both", device=device, **options)
    assert max(e.max() for e in largest_error(kernels, x, options)) <= TOLERANCE


def test_an_arccosine_of_the_cosine_would_not():
    x = delicate()
    x = x[[0, 1, 2, 4, 6, 7]]
    _, errors = largest_error([plain_relu(x, 2)] * 2, x, {"hidden_layers": 2, "activation": "relu"})
    assert errors.max() > 1e-10


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


@pytest.mark.parametrize("name", neural_tangents_numbers.DENSE)
def test_neural_tangents(name):
    options, (x1, x2) = neural_tangents_numbers.DENSE[name], neural_tangents_numbers.vectors()
    theirs = json.loads(neural_tangents_numbers.PATH.read_text())["dense"][name]
    for kind in ("nngp", "ntk"):
        ours = infinite_width(x1, x2, kind=kind, **options)
        assert np.allclose(ours, theirs["x1, x2"][kind], rtol=1e-10, atol=0)
        ours, expected = infinite_width(x1, kind=kind, **options), np.array(theirs["x1"][kind])
        pairs = ~np.eye(len(x1), dtype=bool)
        assert np.allclose(ours[pairs], expected[pairs], rtol=1e-10, atol=0)
        assert np.allclose(ours, expected, rtol=2e-8, atol=0)  # a sample with itself, where theirs has half the digits


def test_neural_tangents_cases_tell_conventions_apart():
    """The reference numbers are not such that any network would do."""
    theirs = json.loads(neural_tangents_numbers.PATH.read_text())["dense"]
    kernels = [np.array(case["x1, x2"][kind]) for case in theirs.values() for kind in ("nngp", "ntk")]
    alike = [np.allclose(a, b, rtol=1e-3) for i, a in enumerate(kernels) for b in kernels[:i]]
    assert sum(alike) == 1  # K and Theta without any activation


@every_net
def test_a_random_wide_layer(net):
    """Features of one hidden layer, drawn: their mean products within five standard errors."""
    rng = np.random.default_rng(3)
    x, width = samples(4, features=3, seed=1), 200_000
    w = np.broadcast_to(net.get("weight_std", 1.0), 3)[:2]
    b = np.broadcast_to(net.get("bias_std", 0.0), 3)[:2]
    slope = {"linear": 1.0, "relu": 0.0}.get(net["activation"], net.get("slope"))
    z = w[0] / 3**0.5 * x @ rng.standard_normal((3, width)) + b[0] * rng.standard_normal(width)
    if slope is None:
        values, slopes = torch.erf(torch.from_numpy(z)).numpy(), 2 / np.pi**0.5 * np.exp(-(z**2))
    else:
        values, slopes = np.where(z > 0, z, slope * z), np.where(z > 0, 1.0, slope)
    first = w[0] ** 2 * x @ x.T / 3 + b[0] ** 2
    kernels = infinite_width(x, kind="both", **{**net, "weight_std": w, "bias_std": b})
    for i in range(4):
        for j in range(4):
            K = w[1] ** 2 * values[i] * values[j] + b[1] ** 2
            theta = K + w[1] ** 2 * slopes[i] * slopes[j] * first[i, j]
            for drawn, exact in ((K, kernels.nngp[i, j]), (theta, kernels.ntk[i, j])):
                assert abs(drawn.mean() - exact) <= 5 * drawn.std() / width**0.5 + 4 * EPS


@every_net
def test_what_a_kernel_is(net):
    x = np.concatenate([samples(300), delicate()[:10]])  # more than two tiles
    options = {"hidden_layers": 2, "kind": "both", **net}
    kernels = infinite_width(x, **options)
    diagonals = infinite_width(x, diagonal=True, **options)
    across = infinite_width(x[:200], x, **options)
    for K, diagonal, part in zip(kernels, diagonals, across, strict=True):
        assert np.array_equal(K, K.T)
        size = np.sqrt(diagonal)
        assert np.all(np.abs(K.diagonal() - diagonal) <= 30 * EPS * diagonal)
        assert np.all(np.abs(part - K[:200]) <= 2 * TOLERANCE * size[:200, None] * size)
        assert np.linalg.eigvalsh(K)[0] >= -len(x) * EPS * K.trace()


@every_net
def test_any_number_of_threads_gives_the_same_bits(net):
    x = samples(400)
    one, three = (infinite_width(x, hidden_layers=2, kind="both", threads=n, **net) for n in (1, 3))
    assert np.array_equal(one, three)
    for kind in ("nngp", "ntk"):
        assert np.array_equal(infinite_width(x, hidden_layers=2, kind=kind, **net), getattr(one, kind))


def test_homogeneity_to_the_last_bit():
    x = samples(150)
    for net in ("relu", "linear", "modulus"):
        kernel = infinite_width(x, x[:40], hidden_layers=3, **NETS[net])
        assert np.array_equal(infinite_width(8 * x, x[:40] / 2, hidden_layers=3, **NETS[net]), 4 * kernel)


def test_slopes_of_zero_and_one():
    x = samples(50)
    for slope, name in ((0.0, "relu"), (1.0, "linear")):
        leaky = infinite_width(x, hidden_layers=2, activation="leaky_relu", slope=slope, kind="both", bias_std=0.3)
        assert np.array_equal(leaky, infinite_width(x, hidden_layers=2, activation=name, kind="both", bias_std=0.3))
    assert not np.array_equal(leaky[1], infinite_width(x, hidden_layers=2, activation="leaky_relu", bias_std=0.3))


def test_closed_forms():
    """ReLU that keeps the variance: Theta(x, x) = (layers) |x|^2 / d; deep linear: the same times x.x'."""
    x = samples(20)
    products = x @ x.T / 7
    deep = infinite_width(x, hidden_layers=6, activation="relu", weight_std=2**0.5)
    assert np.allclose(deep.diagonal(), 7 * 2 * products.diagonal(), rtol=40 * EPS, atol=0)
    linear = infinite_width(x, hidden_layers=4, activation="linear")
    assert np.allclose(linear, 5 * products, rtol=0, atol=40 * EPS * products.max() * 5)


def test_samples_that_coincide_are_the_same():
    x = delicate()
    for net in NETS.values():
        for kernel in infinite_width(x, hidden_layers=2, kind="both", **(net | {"bias_std": 0.1})):
            assert kernel[0, 0] == kernel[0, 1] == kernel[1, 1]


@every_net
def test_float32(net):
    x = samples(60).astype("float32")
    options = {"hidden_layers": 2, **net}
    single, double = infinite_width(x, dtype="float32", **options), infinite_width(x, **options)
    assert single.dtype == np.float32
    size = np.sqrt(double.diagonal())
    assert np.all(np.abs(single - double) <= TOLERANCE * 2.0**29 * size[:, None] * size)  # eps of float32


@every_net
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_torch_gives_the_same(net, dtype, monkeypatch):
    from linreg_dyn.ntk import _infinite_torch

    monkeypatch.setattr(_infinite_torch, "_CPU_BYTES", 8.0 * _infinite_torch._TEMPORARIES * 110 * 37)  # rows at once
    x, y = np.concatenate([delicate()[:8], samples(102, seed=2)]), samples(9, seed=4)
    options = {"hidden_layers": 2, "kind": "both", "dtype": dtype, **net}
    for other in (None, y):
        kernels = infinite_width(x, other, **options), infinite_width(x, other, device="cpu", **options)
        for here, there in zip(*kernels, strict=True):
            assert there.dtype == dtype
            assert np.allclose(here, there, rtol=0, atol=60 * np.finfo(dtype).eps * np.abs(here).max())
            assert other is not None or np.array_equal(there, there.T)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_no_gpu_is_one_line():
    with pytest.raises(ValueError, match=r"^device 'cuda' must be a GPU that torch can use, it finds 0$"):
        infinite_width(samples(3), device="cuda")


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")
@every_net
def test_a_gpu_gives_the_same(net):
    x = np.concatenate([delicate(), samples(500, seed=2)])
    options = {"hidden_layers": 2, "kind": "both", **net}
    for here, there in zip(infinite_width(x, **options), infinite_width(x, device="cuda", **options), strict=True):
        size = np.sqrt(np.maximum(here.diagonal(), 1e-300))
        assert np.all(np.abs(here - there) <= 2 * TOLERANCE * size[:, None] * size)


BAD = {
    "activation must be one of 'linear', 'relu', 'leaky_relu', 'erf', got 'tanh'": {"activation": "tanh"},
    "slope belongs to activation='leaky_relu', got slope=0.1 with activation='relu'": {"slope": 0.1},
    "slope must be a finite number, got nan": {"activation": "leaky_relu", "slope": float("nan")},
    "slope must be from -1e+100 to 1e+100": {"activation": "leaky_relu", "slope": 1e200},
    "kind must be one of 'ntk', 'nngp', 'both', got 'NTK'": {"kind": "NTK"},
    "hidden_layers must be an integer from 0 to 100000, got -1": {"hidden_layers": -1},
    "hidden_layers must be an integer from 0 to 100000, got 1.0": {"hidden_layers": 1.0},
    "weight_std must be a finite number >= 0, got -1": {"weight_std": -1},
    "bias_std[1] must be a finite number >= 0, got -0.5": {"bias_std": [0, -0.5]},
    "weight_std must be a number, or 2 of them (one a layer), got shape (3,)": {"weight_std": [1, 1, 1]},
    "dtype must be one of 'float64', 'float32', got 'float16'": {"dtype": "float16"},
    "threads must be an integer from 1": {"threads": 0},
    "device must be None, 'cuda', 'cuda:0' or 'cpu', got 'tpu'": {"device": "tpu"},
    "device must be None, 'cuda', 'cuda:0' or 'cpu', got 'meta'": {"device": "meta"},
    "max_memory must be a finite number > 0, got 0": {"max_memory": 0},
    "x1 and x2 must have as many features, got 7 and 3": {"x2": samples(2, features=3)},
    "diagonal must go without x2: it is that of K(x1, x1)": {"x2": samples(2), "diagonal": True},
    "x1 must have a shape (sample, feature) without zeros, got (7,)": {"x1": samples(1)[0]},
    "x1 must have a shape (sample, feature) without zeros, got (0, 7)": {"x1": samples(0)},
    "x1 must be an array of real numbers, got [['a']]": {"x1": [["a"]]},
    "x2 must be finite, entry (1, 2) is nan": {"x2": np.where(np.arange(21).reshape(3, 7) == 9, np.nan, 1.0)},
    "x1 is too large: squares overflow float64; scale it down": {"x1": 1e200 * samples(2)},
    "x1 is too large: squares overflow float32; scale it down": {"x1": 1e30 * samples(2), "dtype": "float32"},
    "standard deviations of pre-activations must stay below 1e+75": {"weight_std": 1e80},
}


@pytest.mark.parametrize("message", BAD)
def test_bad_input_is_one_line(message):
    arguments = {"x1": samples(4), **BAD[message]}
    with pytest.raises((ValueError, TypeError), match=f"^{re.escape(message)}") as error:
        infinite_width(arguments.pop("x1"), arguments.pop("x2", None), **arguments)
    assert "\n" not in str(error.value)


def test_what_does_not_fit_is_refused_beforehand(monkeypatch):
    monkeypatch.setattr(infinite, "fill_tiles", None)
    x = np.zeros((200_000, 1))
    with pytest.raises(ValueError, match=r"the kernel of 200000 x 200000 samples would take 298 GiB of memory, and 1 "):
        infinite_width(x, max_memory=2**30)
    with pytest.raises(ValueError, match="would take 596 GiB"):
        infinite_width(x, kind="both", max_memory=2**38)
    with pytest.raises(ValueError, match="would take 149 GiB"):
        infinite_width(x, dtype="float32", max_memory=2**37)
    assert infinite_width(x, diagonal=True, max_memory=2**30).shape == (200_000,)


def test_it_does_not_write_into_what_it_is_given():
    x = samples(30)
    before = x.copy()
    kernel = infinite_width(x, hidden_layers=0)
    assert np.array_equal(x, before)
    assert not np.shares_memory(kernel, x)
    assert np.array_equal(infinite_width(np.asfortranarray(x), hidden_layers=0), kernel)


def test_more_samples_than_blas_multiplies_by_its_own_transpose():
    # `x @ x.T` of so many rows and features ends the process (numpy issue 19685).
    x = np.random.default_rng(0).normal(size=(16_500, 784))
    kernel = infinite_width(x, hidden_layers=0)
    np.testing.assert_allclose(kernel[-1, :5], x[:5] @ x[-1] / 784, rtol=1e-12, atol=1e-14)
    np.testing.assert_array_equal(kernel[-100:, :100], kernel[:100, -100:].T)

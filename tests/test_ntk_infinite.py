"""Kernels of infinite width: against neural-tangents, mpmath, random networks, themselves; and bad input."""

import json
import re

import numpy as np
import pytest
import torch

from linreg_dyn.ntk import infinite
from linreg_dyn.ntk.infinite import infinite_width
from tests import neural_tangents_numbers
from tests.wide_nets import EPS, NETS, TOLERANCE, delicate, every_net, largest_error, samples

pytestmark = pytest.mark.usefixtures("one_thread")


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


@every_net
@pytest.mark.parametrize("device", [None, "cpu"])
def test_near_opposite_and_zero_samples_keep_their_digits(net, device):
    x = delicate()
    options = {"hidden_layers": 2, **net}
    kernels = infinite_width(x, kind="both", device=device, **options)
    assert max(e.max() for e in largest_error(kernels, x, options)) <= TOLERANCE


@pytest.mark.parametrize("net", ["relu", "leaky", "modulus", "linear"])
def test_deep_networks_add_a_few_roundings_a_layer(net):
    """Each kernel relative to its own diagonal; Theta is some layers times K, and has errors that K has not."""
    options = {"hidden_layers": 150, "activation": NETS[net]["activation"], "slope": NETS[net].get("slope")}
    options = {name: value for name, value in options.items() if value is not None}
    options["weight_std"] = 2**0.5 if net == "relu" else 1.0
    x = delicate()[[0, 1, 2, 4, 5]]
    errors = largest_error(infinite_width(x, kind="both", **options), x, options)
    assert max(e.max() for e in errors) <= TOLERANCE + 4 * 151 * EPS


def test_an_arccosine_of_the_cosine_would_not():
    x = delicate()
    x = x[[0, 1, 2, 4, 6, 7]]
    _, errors = largest_error([plain_relu(x, 2)] * 2, x, {"hidden_layers": 2, "activation": "relu"})
    assert errors.max() > 1e-10


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


@pytest.mark.parametrize("device", [None, "cpu"])
@pytest.mark.parametrize(("weight_std", "hidden_layers"), [(3.0, 30), (100.0, 10)])
def test_deep_erf_networks_multiply_no_rounding_of_samples_that_coincide(weight_std, hidden_layers, device):
    """Their slopes are above 1 there: what a pair that coincides were off by would grow by them in every layer."""
    x = samples(6, features=5)
    x[1], x[2] = x[0], -x[0]
    net = {"hidden_layers": hidden_layers, "activation": "erf", "weight_std": weight_std, "kind": "both"}
    for K, diagonal in zip(
        infinite_width(x, device=device, **net), infinite_width(x, diagonal=True, **net), strict=True
    ):
        rounding = 10 * hidden_layers * EPS * diagonal  # ten roundings a layer beside it
        assert (np.abs(K.diagonal() - diagonal) <= rounding).all()
        assert K[0, 0] == K[0, 1] == K[1, 1] == -K[0, 2] == -K[1, 2]


@every_net
def test_float32(net):
    x = samples(60).astype("float32")
    options = {"hidden_layers": 2, **net}
    single, double = infinite_width(x, dtype="float32", **options), infinite_width(x, **options)
    assert single.dtype == np.float32
    size = np.sqrt(double.diagonal())
    assert np.all(np.abs(single - double) <= TOLERANCE * 2.0**29 * size[:, None] * size)  # eps of float32


def test_it_does_not_write_into_what_it_is_given():
    x = samples(30)
    before = x.copy()
    kernel = infinite_width(x, hidden_layers=0)
    assert np.array_equal(x, before)
    assert not np.shares_memory(kernel, x)
    assert np.array_equal(infinite_width(np.asfortranarray(x), hidden_layers=0), kernel)


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


OVERFLOWS = [
    ({"hidden_layers": 140, "weight_std": 2.0, "dtype": "float32"}, "float32"),
    ({"hidden_layers": 140, "weight_std": 2.0, "dtype": "float32", "kind": "nngp"}, "float32"),
    ({"hidden_layers": 170, "weight_std": 100.0, "activation": "erf"}, "float64"),
]


@pytest.mark.parametrize(("net", "dtype"), OVERFLOWS)
@pytest.mark.parametrize("device", [None, "cpu"])
def test_kernels_that_overflow_are_refused(net, dtype, device):
    x = samples(4)
    for how in ({}, {"diagonal": True}, {"x2": samples(2, seed=1)}):
        with pytest.raises(ValueError, match=f"^the kernel overflows {dtype}: scale x1, x2, weight_std or bias_std"):
            infinite_width(x, device=device, **how, **net)
    assert np.isfinite(infinite_width(x, device=device, **{**net, "hidden_layers": 60})).all()


def test_kernels_that_fit_are_not_refused_for_others():
    """The NNGP for the NTK; numbers between small and large samples for those of the large."""
    net = {"hidden_layers": 140, "weight_std": 2.0, "dtype": "float32"}
    for device in (None, "cpu"):
        across = infinite_width(samples(4), 1e-10 * samples(2), device=device, **net)
        assert np.isfinite(across).all()
    net = {"hidden_layers": 170, "weight_std": 100.0, "activation": "erf", "kind": "nngp"}
    for device in (None, "cpu"):
        assert np.isfinite(infinite_width(samples(4), device=device, **net)).all()


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


def test_more_samples_than_blas_multiplies_by_its_own_transpose():
    # `x @ x.T` of so many rows and features ends the process (numpy issue 19685).
    x = np.random.default_rng(0).normal(size=(16_500, 784))
    kernel = infinite_width(x, hidden_layers=0)
    np.testing.assert_allclose(kernel[-1, :5], x[:5] @ x[-1] / 784, rtol=1e-12, atol=1e-14)
    np.testing.assert_array_equal(kernel[-100:, :100], kernel[:100, -100:].T)

"""The symbolic layer against central differences in high precision, torch autograd and exact naive loops."""

# sympy's functions are annotated more loosely than what they return, and bad types are given on purpose.
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false, reportOptionalMemberAccess=false
# pyright: reportOperatorIssue=false

from fractions import Fraction

import mpmath
import numpy as np
import pytest
import sympy
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

from linreg_dyn import rules, symbolic
from linreg_dyn.symbolic import DECAY, LR
from tests.symbolic_nets import EPS, W0, at, random_point, rational

rationals = st.fractions(-3, 3, max_denominator=50)

# The methods as the paper prints them (eqs. 8, 9, 11, 12 and section 5), written out here once more.
PAPER = {
    "gradient_descent": lambda W: W - 1,
    "noise_augmentation": lambda W, eta: (1 + eta) * (W * (1 + eta) - 1),
    "sgd_noise": lambda W, eta: W - 1 + eta,
    "mini_batch": lambda W, m2, m1: W * m2 - m1,
}
METHODS = [rules.gradient_descent, rules.noise_augmentation, rules.sgd_noise, rules.mini_batch]


def naive_step(method, w, lr, decay, **noise):
    W = np.prod(np.array(w, dtype=object))
    g = PAPER[method.__name__](W, **noise)
    others = [np.prod(np.array(w[:i] + w[i + 1 :] + [1], dtype=object)) for i in range(len(w))]
    return [x - 2 * lr * (g * p + decay * x) for x, p in zip(w, others, strict=True)]


def loss_mp(w):
    return (mpmath.fprod(w) - 1) ** 2


@pytest.mark.parametrize("depth", [1, 2, 3, 5, 8, 64])
def test_derivatives_against_central_differences(depth):
    """With 80 digits and `h = 1e-20`, central differences err by about `h^2` times the higher derivatives."""
    with mpmath.workdps(80):
        h = mpmath.mpf(10) ** -20
        point = random_point(depth, depth)
        w = [mpmath.mpf(x.numerator) / x.denominator for x in point]

        def moved(*steps):
            out = list(w)
            for i, s in steps:
                out[i] += s
            return loss_mp(out)

        gradient, hessian = symbolic.gradient(depth), symbolic.hessian(depth)
        rng = np.random.default_rng(depth)
        for i in sorted(set(rng.integers(0, depth, 6).tolist())):
            slope = (moved((i, h)) - moved((i, -h))) / (2 * h)
            assert abs(mpmath.mpf(at(gradient[i], point).evalf(60)) - slope) < mpmath.mpf(10) ** -35
            for j in sorted(set(rng.integers(0, depth, 6).tolist())):
                if i == j:
                    bend = (moved((i, h)) - 2 * moved() + moved((i, -h))) / h**2
                else:
                    corners = [s * t * moved((i, s * h), (j, t * h)) for s in (1, -1) for t in (1, -1)]
                    bend = sum(corners) / (4 * h**2)
                assert abs(mpmath.mpf(at(hessian[i, j], point).evalf(60)) - bend) < mpmath.mpf(10) ** -33
                # the same comparison refuses an entry without the factor 2
                assert abs(mpmath.mpf(at(hessian[i, j], point).evalf(60)) / 2 - bend) > 1e-6


@pytest.mark.parametrize("depth", [1, 2, 4, 16])
def test_derivatives_against_autograd(depth):
    w = np.array([float(x) for x in random_point(depth, 7)])

    def loss(v):
        return (torch.prod(v) - 1) ** 2

    tensor = torch.tensor(w, requires_grad=True)
    loss(tensor).backward()
    want = torch.autograd.functional.hessian(loss, torch.tensor(w)).numpy()
    got = symbolic.to_numpy(symbolic.hessian(depth), depth)(w)
    # products of d factors carry d roundings on either side; W - 1 and 2W - 1 pass them on with size W
    W = np.prod(w)
    bound = 8 * depth * EPS * (abs(W) + 1)
    size = np.outer(1 / w, 1 / w) * abs(W) * 4
    assert np.all(abs(got - want) <= bound * abs(size))
    slopes = symbolic.to_numpy(symbolic.gradient(depth), depth)(w)
    assert np.all(abs(slopes - tensor.grad.numpy()) <= bound * abs(2 * W / w))


def test_loss_and_zero_weights():
    w1, w2, w3 = symbolic.weights(3)
    assert symbolic.loss(3) == (w1 * w2 * w3 - 1) ** 2
    assert symbolic.loss(2, decay=DECAY) == (w1 * w2 - 1) ** 2 + DECAY * (w1**2 + w2**2)
    assert at(symbolic.hessian(3), [0, 2, 3]) == sympy.Matrix([[72, -6, -4], [-6, 0, 0], [-4, 0, 0]])
    assert symbolic.hessian(4) == symbolic.hessian(4).T


@given(st.integers(2, 30), st.integers(1, 4), st.integers(0, 2**31), rationals)
def test_data_loss(samples, depth, seed, b):
    """On data normalised by eq. (2), the mean squared error is `(W - 1)^2 + b^2 + mean(y^2) - 1`."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=samples)
    x = x - x.mean()
    x /= np.sqrt(np.mean(x**2))
    y = x + rng.normal(size=samples)
    y -= y.mean()
    assume(abs(np.mean(x * y)) > 0.1)
    y /= np.mean(x * y)
    w = random_point(depth, seed)
    W = float(np.prod(np.array(w, dtype=object)))
    want = np.mean((W * x + float(b) - y) ** 2)
    got = float(at(symbolic.data_loss(depth), w, b=b, m_yy=Fraction(float(np.mean(y**2)))))
    # each mean of n terms is off by n roundings of its size
    scale = samples * EPS * np.mean((abs(W * x) + abs(float(b)) + abs(y)) ** 2)
    assert abs(got - want) <= 8 * scale
    raw = symbolic.data_loss(depth, normalized=False)
    moments = {"x": x, "y": y, "xx": x * x, "xy": x * y, "yy": y * y}
    known = {f"m_{name}": Fraction(float(np.mean(v))) for name, v in moments.items()}
    assert abs(float(at(raw, w, b=b, **known)) - want) <= 8 * scale


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("depth", [2, 3, 5, 64])
def test_dynamics_against_a_naive_loop(method, depth):
    """Exact equality at rational points, each method with decay, one step and the flow."""
    rng = np.random.default_rng(depth)
    w = random_point(depth, 3)
    noise = {name: Fraction(int(rng.integers(-9, 10)), 20) for name in symbolic.parameters(method)}
    values = {str(s): noise[name] for name, s in symbolic.parameters(method).items()}
    lr, mu, (i, j) = Fraction(1, 30), Fraction(1, 7), (1, depth)
    after = naive_step(method, w, lr, mu, **noise)
    known = values | {"lambda": lr, "mu": mu}
    W = np.prod(np.array(after, dtype=object))
    assert at(symbolic.step(method, depth, decay=DECAY), w, **known) == sympy.Matrix([rational(x) for x in after])
    assert at(symbolic.end_to_end_step(method, depth, decay=DECAY), w, **known) == rational(W)
    assert at(symbolic.loss_step(method, depth, decay=DECAY), w, **known) == rational((W - 1) ** 2)
    step = at(symbolic.imbalance_step(method, depth, pair=(i, j), decay=DECAY), w, **known)
    assert step == rational(after[i - 1] ** 2 - after[j - 1] ** 2)

    speed = [(a - x) / lr for a, x in zip(after, w, strict=True)]
    assert at(symbolic.flow(method, depth, decay=DECAY), w, **known) == sympy.Matrix([rational(x) for x in speed])
    imbalance = 2 * w[i - 1] * speed[i - 1] - 2 * w[j - 1] * speed[j - 1]
    flow = at(symbolic.imbalance_flow(method, depth, pair=(i, j), decay=DECAY), w, **known)
    assert flow == rational(imbalance) == rational(-4 * mu * (w[i - 1] ** 2 - w[j - 1] ** 2))
    W = np.prod(np.array(w, dtype=object))
    change = sum(2 * (W - 1) * W / x * v for x, v in zip(w, speed, strict=True))
    assert at(symbolic.loss_flow(method, depth, decay=DECAY), w, **known) == rational(change)
    # something false: half the learning rate is another step
    wrong = at(symbolic.imbalance_step(method, depth, pair=(i, j), decay=DECAY), w, **(known | {"lambda": lr / 2}))
    assert wrong != step


@pytest.mark.parametrize("method", METHODS)
def test_flow_is_the_first_order_of_the_step(method):
    for depth in (2, 3):
        step, flow = (
            symbolic.imbalance_step(method, depth, decay=DECAY),
            symbolic.imbalance_flow(method, depth, decay=DECAY),
        )
        assert sympy.expand(step.diff(LR).subs(LR, 0) - flow) == 0
        step, flow = (
            symbolic.loss_step(method, depth, decay=DECAY),
            symbolic.loss_flow(method, depth, decay=DECAY),
        )
        assert sympy.expand(step.diff(LR).subs(LR, 0) - flow) == 0


def test_imbalance_step_has_the_printed_factors():
    """Proofs of Theorems 3.2 and 4.1 at depth 3, with the quotient `W^2/(w_i w_j)^2` they print."""
    w1, w2, w3 = symbolic.weights(3)
    W, eta = w1 * w2 * w3, symbolic.parameters(rules.noise_augmentation)["eta"]
    plain = (w1**2 - w2**2) * (1 - 4 * LR**2 * (W - 1) ** 2 * W**2 / (w1 * w2) ** 2)
    noisy = 4 * LR**2 * (1 + eta) ** 4 * (W - 1 / (1 + eta)) ** 2 * W**2 / (w1 * w2) ** 2
    assert sympy.simplify(symbolic.imbalance_step(rules.gradient_descent, 3) - plain) == 0
    assert sympy.simplify(symbolic.imbalance_step(rules.noise_augmentation, 3) - (w1**2 - w2**2) * (1 - noisy)) == 0
    assert sympy.simplify(symbolic.imbalance_step(rules.sgd_noise, 3) - plain) != 0


@pytest.mark.parametrize("depth", [1, 2, 3, 4])
def test_dropout_and_drop_connect_are_noise_augmentation(depth):
    """Nets with noise in every layer follow the rule of noise augmentation at `prod (1 + eta_i) - 1`."""
    flow = symbolic.flow(rules.noise_augmentation, depth, eta=symbolic.layer_noise(depth))
    for loss in (symbolic.dropout_loss(depth), symbolic.drop_connect_loss(depth)):
        for w, velocity in zip(symbolic.weights(depth), flow, strict=True):
            assert sympy.expand(loss.diff(w) + velocity) == 0
    wrong = symbolic.flow(rules.noise_augmentation, depth, eta=sympy.Symbol("eta_1", real=True))
    assert (sympy.expand(wrong[0] - flow[0]) == 0) == (depth == 1)


def test_noise_shared_by_a_batch_is_a_mini_batch():
    W, eta = sympy.symbols("W eta")
    shared = rules.mini_batch(W, (1 + eta) ** 2, 1 + eta)
    assert sympy.expand(shared - rules.noise_augmentation(W, eta)) == 0


@pytest.mark.parametrize("depth", [1, 2, 3, 6, 64])
def test_layer_imbalance_is_the_largest_difference(depth):
    w = random_point(depth, 5)
    squares = [x**2 for x in w]
    want = max(abs(a - b) for a in squares for b in squares)
    assert at(symbolic.layer_imbalance(depth), w).doit() == rational(want)
    got = symbolic.to_numpy(symbolic.layer_imbalance(depth), depth)([float(x) for x in w])
    assert got == pytest.approx(float(want), rel=8 * EPS, abs=8 * EPS)


def test_to_numpy_broadcasts_and_names_its_parameters():
    f = symbolic.to_numpy(symbolic.imbalance_step(rules.noise_augmentation, 3, decay=DECAY))
    w = np.random.default_rng(0).uniform(0.5, 1.5, (4, 5, 3))
    eta = np.linspace(-0.5, 0.5, 5)
    got = f(w, eta=eta, lr=0.1, mu=0.01)
    assert got.shape == (4, 5)
    after = naive_step(rules.noise_augmentation, list(w[2, 3]), 0.1, 0.01, eta=eta[3])
    assert got[2, 3] == pytest.approx(after[0] ** 2 - after[1] ** 2, rel=1e-12, abs=16 * EPS)
    assert symbolic.to_numpy(symbolic.hessian(3))(w).shape == (4, 5, 3, 3)
    assert symbolic.to_numpy(symbolic.gradient(3))(w).shape == (4, 5, 3)
    assert symbolic.to_numpy(symbolic.hessian(1), 1)(np.ones((2, 1))).tolist() == [[2.0], [2.0]]
    with pytest.raises(TypeError, match="parameters must be: eta, lr, mu"):
        f(w)
    with pytest.raises(ValueError, match=r"weights must have shape \(\.\.\., 3\)"):
        f(w[..., :2], eta=0, lr=0, mu=0)


def test_integers_of_numpy_are_integers():
    for depth in np.arange(1, 5):
        exact = int(depth)
        for f in (symbolic.gradient, symbolic.hessian, symbolic.layer_imbalance, symbolic.hessian_eigenvalues):
            assert f(depth) == f(exact)
        assert symbolic.hessian_eigenvalues(depth).balanced == symbolic.hessian_eigenvalues(exact).balanced
        assert symbolic.flow_solution(depth, balanced=True) == symbolic.flow_solution(exact, balanced=True)
        assert symbolic.to_numpy(symbolic.loss(depth), depth)(np.ones(exact)) == 0
    for pair in ((1, 2), np.array([1, 2])):
        assert symbolic.imbalance_step(depth=np.int8(3), pair=pair) == symbolic.imbalance_step(depth=3)


def test_to_latex_is_sympys():
    for expression in (
        symbolic.hessian(4),
        symbolic.loss_flow(rules.sgd_noise, 3),
        symbolic.flow_solution(2),
    ):
        assert symbolic.to_latex(expression) == sympy.latex(expression)


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: symbolic.gradient(0), ValueError, "depth must be an integer >= 1, got 0"),
        (lambda: symbolic.hessian(2.0), TypeError, "depth must be an integer"),
        (lambda: symbolic.hessian(True), TypeError, "depth must be an integer"),
        (lambda: symbolic.imbalance_step(rules.gradient_descent, 1), ValueError, "depth must be an integer >= 2"),
        (
            lambda: symbolic.imbalance_step(rules.gradient_descent, 3, pair=(1, 4)),
            ValueError,
            "of pair must be an integer",
        ),
        (lambda: symbolic.imbalance_flow(rules.gradient_descent, 3, pair=(2, 2)), ValueError, "pair must be two diff"),
        (lambda: symbolic.imbalance_flow(rules.gradient_descent, 3, pair=(1.0, 2.0)), TypeError, "of pair must be"),
        (lambda: symbolic.imbalance_step(rules.gradient_descent, 3, pair=(1, 2, 3)), TypeError, "pair must be two"),
        (lambda: symbolic.imbalance_step(rules.gradient_descent, 3, pair=1), TypeError, "pair must be two"),
        (lambda: symbolic.flow(rules.sgd_noise, 2, m1=1), TypeError, "unknown noise m1"),
        (lambda: symbolic.flow("gd", 2), TypeError, "method must be a residual"),
        (lambda: symbolic.balanced_time(2, W0), ValueError, "depth must not be 2"),
        (lambda: symbolic.balanced_time(1, W0, above=True), ValueError, "depth must be at least 2"),
        (lambda: symbolic.to_numpy(symbolic.loss(3), 2), ValueError, "depth must be an integer >= 3"),
        (lambda: symbolic.to_numpy(symbolic.loss(3), 0), ValueError, "depth must be an integer >= 3"),
    ],
)
def test_bad_input(call, error, words):
    with pytest.raises(error, match=words):
        call()

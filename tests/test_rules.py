"""The update rules against derivatives taken by sympy, exact rationals and `torch.optim.SGD`."""

from fractions import Fraction

import numpy as np
import pytest
import sympy as sp
import torch
from hypothesis import given
from hypothesis import strategies as st

from linreg_dyn import rules

DEPTHS = [1, 2, 4, 7]
rationals = st.fractions(min_value=-3, max_value=3, max_denominator=20)


def symbols(depth):
    return list(sp.symbols(f"w1:{depth + 1}", real=True))


def is_zero(expression):
    return sp.expand(expression) == 0


@pytest.mark.parametrize("depth", DEPTHS)
def test_velocity_is_minus_the_gradient_of_loss_and_weight_decay(depth):
    w, mu = symbols(depth), sp.Symbol("mu")
    objective = (sp.prod(w) - 1) ** 2 + mu * sum(x**2 for x in w)
    g = rules.gradient_descent(rules.end_to_end(w))
    for x, product in zip(w, rules.others(w), strict=True):
        assert is_zero(rules.velocity(x, product, g, mu) + sp.diff(objective, x))
        assert not is_zero(rules.velocity(x, product, g, 2 * mu) + sp.diff(objective, x))


@pytest.mark.parametrize("depth", DEPTHS)
def test_step_of_each_method_descends_its_own_loss(depth):
    """The four residuals against the sample losses they come from, in moments of normalised data."""
    w, lr, mu, eta, m2, m1 = symbols(depth), *sp.symbols("lr mu eta m2 m1")
    W = sp.prod(w)
    losses = {  # constants left out
        rules.gradient_descent(W): (W - 1) ** 2,
        rules.noise_augmentation(W, eta): (1 + eta) ** 2 * W**2 - 2 * (1 + eta) * W,
        rules.sgd_noise(W, eta): (W - 1) ** 2 + 2 * eta * W,
        rules.mini_batch(W, m2, m1): m2 * W**2 - 2 * m1 * W,
    }
    assert len(losses) == 4
    for g, loss in losses.items():
        objective = loss + mu * sum(x**2 for x in w)
        for new, x in zip(rules.step(w, g, lr, mu), w, strict=True):
            assert is_zero(new - (x - lr * sp.diff(objective, x)))


def test_methods_agree_where_they_should_and_only_there():
    W, eta = sp.symbols("W eta")
    gd = rules.gradient_descent(W)
    assert is_zero(rules.noise_augmentation(W, 0) - gd)
    assert is_zero(rules.sgd_noise(W, 0) - gd)
    assert is_zero(rules.mini_batch(W, 1, 1) - gd)
    assert is_zero(rules.mini_batch(W, (1 + eta) ** 2, 1 + eta) - rules.noise_augmentation(W, eta))
    assert not is_zero(rules.noise_augmentation(W, eta) - rules.sgd_noise(W, eta))


@pytest.mark.parametrize("nesterov", [False, True])
def test_momentum_is_that_of_torch(nesterov):
    """`torch.optim.SGD` on the loss itself, by autograd; numbers of order 1, 20 roundings a step and layer."""
    start, lr, mu, momentum = [0.7, 1.4, 1.1], 0.02, 0.05, 0.8
    theirs = torch.tensor(start, dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.SGD([theirs], lr, momentum=momentum, nesterov=nesterov, weight_decay=2 * mu)
    w, v = start, [0.0] * 3
    for _ in range(6):
        optimiser.zero_grad()
        (theirs.prod() - 1).square().backward()
        optimiser.step()
        push = rules.push(rules.gradient_descent(rules.end_to_end(w)))
        forces = [rules.force(x, push * other, mu) for x, other in zip(w, rules.others(w), strict=True)]
        v = [rules.accumulate(speed, force, momentum) for speed, force in zip(v, forces, strict=True)]
        ahead = [rules.look_ahead(speed, force, momentum) for speed, force in zip(v, forces, strict=True)]
        w = [rules.drift(x, direction, lr) for x, direction in zip(w, ahead if nesterov else v, strict=True)]
        np.testing.assert_allclose(w, theirs.detach(), rtol=0, atol=6 * 20 * np.finfo(float).eps)


@given(st.lists(rationals, min_size=1, max_size=7))
def test_others_are_products_without_one_weight_zeros_included(w):
    expected = []
    for i in range(len(w)):
        product = Fraction(1)
        for j, x in enumerate(w):
            if j != i:
                product *= x
        expected.append(product)
    assert rules.others(w) == expected
    out = [None] * len(w)
    assert rules.fill_others(w, out) == rules.end_to_end(w)
    assert out == expected


@given(st.lists(rationals, min_size=2, max_size=5), rationals, rationals)
def test_a_step_multiplies_differences_of_squares_exactly(w, g, lr):
    """`w_i^2 - w_j^2` is multiplied by `1 - 4 lr^2 g^2 (W / (w_i w_j))^2` (proof of theorem 4.1)."""
    new = rules.step(w, g, lr, 0)
    rest = Fraction(1)
    for x in w[2:]:
        rest *= x
    before, after = w[0] ** 2 - w[1] ** 2, new[0] ** 2 - new[1] ** 2
    assert after == before * (1 - 4 * lr**2 * g**2 * rest**2)

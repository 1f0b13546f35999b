"""Mini-batches, augmentation, losses and updates, each against a plain computation."""

import numpy as np
import pytest
import torch
from scipy import stats

from linreg_dyn.schedules import Window
from validation import data
from validation.batches import Augment, Batches, _moved
from validation.losses import LOSSES
from validation.optimisers import Optimiser

DIGITS = data.load("digits").subset(96, 40)

TORCH = {
    ("sgd", False): lambda p: torch.optim.SGD(p, 0.1, weight_decay=0.01),
    ("momentum", False): lambda p: torch.optim.SGD(p, 0.1, momentum=0.8, weight_decay=0.01),
    ("nesterov", False): lambda p: torch.optim.SGD(p, 0.1, momentum=0.8, weight_decay=0.01, nesterov=True),
    ("adam", False): lambda p: torch.optim.Adam(p, 0.1, betas=(0.8, 0.95), eps=1e-2, weight_decay=0.01),
    ("adam", True): lambda p: torch.optim.AdamW(p, 0.1, betas=(0.8, 0.95), eps=1e-2, weight_decay=0.01),
}


@pytest.mark.parametrize(("kind", "decoupled"), TORCH)
def test_updates_are_those_of_torch(kind, decoupled):
    rng = torch.Generator().manual_seed(0)
    start = [torch.randn(3, 4, generator=rng, dtype=torch.float64), torch.randn(5, generator=rng, dtype=torch.float64)]
    ours, theirs = [x.clone() for x in start], [x.clone().requires_grad_() for x in start]
    momentum = 0.8 if kind in ("momentum", "nesterov") else 0.0
    optimiser = Optimiser(ours, kind, momentum=momentum, betas=(0.8, 0.95), epsilon=1e-2, decoupled=decoupled)
    reference = TORCH[kind, decoupled](theirs)
    for _ in range(20):
        gradients = [torch.randn(x.shape, generator=rng, dtype=torch.float64) for x in start]
        for x, g in zip(theirs, gradients, strict=True):
            x.grad = g.clone()
        reference.step()
        rate, l2 = torch.tensor(0.1, dtype=torch.float64), torch.tensor(0.01, dtype=torch.float64)
        optimiser.step(gradients, rate, l2, decays=True)
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b.detach(), rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize(("kind", "momentum"), [("sgd", 0.9), ("momentum", 0.0), ("nesterov", 1.0), ("adam", 0.5)])
def test_momentum_that_does_not_fit_is_refused(kind, momentum):
    with pytest.raises(ValueError, match="momentum must be"):
        Optimiser([torch.zeros(1)], kind, momentum=momentum)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"betas": (1.0, 0.9)}, r"betas must be two numbers in \[0, 1\), got \(1.0, 0.9\)"),
        ({"betas": (0.9, 5)}, "betas must be two numbers"),
        ({"betas": (0.9,)}, "betas must be two numbers"),
        ({"betas": (-0.1, 0.9)}, "betas must be a finite number >= 0, got -0.1"),
        ({"epsilon": -1}, "epsilon must be a finite number > 0, got -1"),
        ({"epsilon": 0.0}, "epsilon must be a finite number > 0, got 0.0"),
    ],
)
def test_adams_numbers_are_checked(wrong, message):
    with pytest.raises(ValueError, match=message):
        Optimiser([torch.zeros(1)], "adam", **wrong)


def test_an_epoch_holds_every_image_once_and_the_next_is_another_order():
    batches = Batches(DIGITS, 32, seed=1, device="cpu")
    assert batches.steps_per_epoch == 3
    epochs = [torch.cat([batches.at(3 * e + k)[0] for k in range(3)]).flatten(1) for e in range(2)]
    whole = batches.normalised(batches.x).flatten(1)
    for epoch in epochs:
        np.testing.assert_array_equal(np.unique(epoch.numpy(), axis=0), np.unique(whole.numpy(), axis=0))
    assert not torch.equal(*epochs)
    again = Batches(DIGITS, 32, seed=1, device="cpu")
    torch.testing.assert_close(again.at(5)[0], batches.at(5)[0], rtol=0, atol=0)
    assert not torch.equal(Batches(DIGITS, 32, seed=2, device="cpu").at(0)[0], again.at(0)[0])
    mean = whole.double().mean()
    assert abs(mean) < 1e-6
    assert abs(whole.double().std() - 1) < 1e-4


def test_images_are_moved_with_zeros_coming_in():
    x = torch.arange(1, 26.0).reshape(1, 1, 5, 5).repeat(3, 2, 1, 1)
    moved = _moved(x, torch.tensor([2, 0, 4]), torch.tensor([2, 2, 1]), 2)
    torch.testing.assert_close(moved[0], x[0])
    expected = torch.zeros(5, 5)
    expected[2:] = x[0, 0, :3]
    torch.testing.assert_close(moved[1, 1], expected)  # padded above: what was at row 0 is at row 2
    expected = torch.zeros(5, 5)
    expected[:3, 1:] = x[0, 0, 2:, :4]
    torch.testing.assert_close(moved[2, 0], expected)


def test_augmentation_is_on_in_its_window():
    plain = Batches(DIGITS, 96, seed=0, device="cpu")
    augment = Augment(
        flip=Window(1, stop=2), crop=Window(1, start=2, stop=4), mixup=Window(0.5, start=4, stop=6), shift=1
    )
    batches = Batches(DIGITS, 96, seed=0, device="cpu", augment=augment)
    x, y = plain.at(0)
    flipped = batches.at(0)[0]
    share = (flipped == x).flatten(1).all(1)
    assert 0.2 < share.float().mean() < 0.8
    torch.testing.assert_close(flipped[~share], x[~share].flip(3), rtol=0, atol=0)
    shifted = batches.at(2)[0]
    assert not torch.equal(shifted, x)
    mixed, labels = batches.at(4)
    assert labels.shape == (96, 10)
    torch.testing.assert_close(labels.sum(1), torch.ones(96))
    assert not torch.equal(mixed, x)
    after, y_after = batches.at(6)
    torch.testing.assert_close(after, x, rtol=0, atol=0)
    torch.testing.assert_close(y_after, y)


def test_noise_multiplies_each_image_by_its_own_factor():
    batches = Batches(DIGITS, 96, seed=5, device="cpu", augment=Augment(noise=Window(0.3, start=1)))
    x = Batches(DIGITS, 96, seed=5, device="cpu").at(0)[0]
    torch.testing.assert_close(batches.at(0)[0], x, rtol=0, atol=0)
    factors = (batches.at(1)[0] / x).flatten(1)
    torch.testing.assert_close(factors, factors[:, :1].expand_as(factors), rtol=1e-5, atol=1e-6)
    eta = factors[:, 0].numpy() - 1
    assert abs(eta).max() <= 0.3 + 1e-6
    assert stats.kstest(eta, stats.uniform(-0.3, 0.6).cdf).pvalue > 1e-4
    assert not torch.equal(batches.at(2)[0], batches.at(1)[0])
    mirrored = Augment(noise=Window(0.3, start=1), mirrored=True)
    other = Batches(DIGITS, 96, seed=5, device="cpu", augment=mirrored)
    torch.testing.assert_close(other.at(1)[0] + batches.at(1)[0], 2 * x, rtol=1e-5, atol=1e-5)


def test_mixup_is_the_same_combination_of_images_and_labels():
    batches = Batches(DIGITS, 96, seed=5, device="cpu", augment=Augment(mixup=1.0))
    mixed, labels = batches.at(3)
    x, y = Batches(DIGITS, 96, seed=5, device="cpu").at(3)
    share = float(batches._rng(3, 2).beta(1.0, 1.0))
    order = batches._rng(3, 3).permutation(96)
    hot = np.eye(10)[y.numpy()]
    np.testing.assert_allclose(labels.numpy(), share * hot + (1 - share) * hot[order], rtol=1e-6)
    np.testing.assert_allclose(mixed.numpy(), share * x.numpy() + (1 - share) * x.numpy()[order], rtol=1e-4, atol=1e-5)


def test_shares_of_mixup_are_beta_of_alpha_and_alpha():
    """One a step, read off the labels of two images of two classes where one is mixed with the other."""
    images = np.zeros((2, 1, 1, 1), np.uint8)
    pair = data.Dataset("pair", images, np.arange(2), images, np.arange(2), 2)
    batches = Batches(pair, 2, seed=5, device="cpu", augment=Augment(mixup=0.3))
    labels = np.stack([batches.at(step)[1].numpy() for step in range(600)])
    shares = labels[labels[:, 0, 1] != 0, 0, 0]  # else an image is its own partner
    assert 250 < len(shares) < 350  # half of them; 4 standard deviations of 12
    assert stats.kstest(shares, stats.beta(0.3, 0.3).cdf).pvalue > 1e-4


def test_crops_move_by_every_offset_both_ways_and_alike():
    """A lone bright pixel tells where its image went; 8 x 8 images moved by up to 2."""
    images = np.zeros((2500, 8, 8, 1), np.uint8)
    images[:, 4, 4] = 255
    points = data.Dataset("points", images, np.zeros(2500, np.int64), images, np.zeros(2500, np.int64), 1)
    batches = Batches(points, 2500, seed=5, device="cpu", augment=Augment(crop=1.0, shift=2))
    at = batches.at(0)[0].flatten(1).argmax(1).numpy()
    counts = np.zeros((8, 8))
    np.add.at(counts, np.unravel_index(at, (8, 8)), 1)
    assert counts[2:7, 2:7].sum() == 2500
    assert stats.chisquare(counts[2:7, 2:7].ravel()).pvalue > 1e-4


@pytest.mark.parametrize("name", LOSSES)
def test_losses_by_hand(name):
    rng = np.random.default_rng(0)
    f, y = rng.normal(size=(6, 4)), rng.integers(0, 4, 6)
    p = np.exp(f) / np.exp(f).sum(1, keepdims=True)
    hot, nll = np.eye(4)[y], -np.log(p[np.arange(6), y])
    expected = {
        "softmax": nll.mean(),
        "lewkowycz_softmax": nll.sum() / (2 * 4 * 6),
        "mse": 0.5 * ((f - hot) ** 2).sum(1).mean(),
        "mean_square": ((f - hot) ** 2).mean(),
        "parity": 0.5 * ((f[:, 0] - np.where(y % 2 == 0, 1, -1)) ** 2).mean(),
    }[name]
    assert LOSSES[name](torch.tensor(f), torch.tensor(y)).item() == pytest.approx(expected, rel=1e-12)
